package pcap

import (
	"encoding/json"
	"maps"
	"net/netip"
	"slices"

	"explainer/capture"
)

// A recordedUDP is one connection of QUIC in a recording of explainer's own, which says itself what is one and
// which packets belong to it.
type recordedUDP struct {
	number int // among all
	leg    capture.Leg
	ends   [2]netip.AddrPort // by side
	begun  bool              // its Open was given
	goesOn bool              // it began in a part that is not read
	last   int64             // time of its latest datagram
}

// opensUDP reads the block with which a connection of QUIC begins.
func (f *file) opensUDP(body []byte) {
	var open openUDP
	if json.Unmarshal(body, &open) != nil || open.Conn != f.last+1 || !open.Client.IsValid() || !open.Server.IsValid() {
		return // its packets are passed over
	}
	f.beginUDP(open, false)
}

// beginUDP begins to follow the connection with the next number of the section.
func (f *file) beginUDP(open openUDP, goesOn bool) *recordedUDP {
	r := f.r
	r.flows.count++
	f.last++
	if len(r.files) > 1 {
		f.know(f.last, r.flows.count)
	}
	if f.udp == nil {
		f.udp, f.udpAmong = map[int]*recordedUDP{}, map[int]int{}
	}
	if len(f.udp) == maxUDP {
		for f.udp[f.udpOldest] == nil {
			f.udpOldest++
		}
		f.leaveUDP(f.udpOldest, capture.EndTooMany)
	}
	u := &recordedUDP{number: r.flows.count, leg: open.Leg, ends: [2]netip.AddrPort{open.Client, open.Server}, goesOn: goesOn, last: f.now}
	f.udp[f.last], f.udpAmong[u.number] = u, f.last
	return u
}

// recordedDatagram takes in a datagram of a connection, and reports whether there is one.
func (f *file) recordedDatagram(it *item, packet int, p *segment) bool {
	u := f.udp[it.conn]
	if u == nil || len(p.data) == 0 || it.leg != u.leg {
		return false
	}
	side := capture.Server
	if from := netip.AddrPortFrom(netip.AddrFrom16(p.from).Unmap(), p.fromPort); from == u.ends[capture.Client] {
		side = capture.Client
	}
	r := f.r
	u.begin(r, it.time, packet)
	u.last = it.time
	if r.place != nil {
		*r.place = place{udp: true, transport: capture.TransportQUIC, conn: u.number, side: side}
	}
	r.queue = append(r.queue, &capture.Datagram{Conn: u.number, Side: side, Time: it.time, Packet: packet, Data: p.data, Cut: p.missing})
	return true
}

// begin tells the connection, once.
func (u *recordedUDP) begin(r *Reader, time int64, packet int) {
	if !u.begun {
		u.begun = true
		r.queue = append(r.queue, &capture.Open{
			Transport: capture.TransportQUIC, Conn: u.number, Leg: u.leg, Time: time, Packet: packet,
			Client: u.ends[capture.Client], Server: u.ends[capture.Server], Continued: u.goesOn,
		})
	}
}

// closedUDP takes in that a connection, by its number among all, was closed: nothing of it comes any more.
func (f *file) closedUDP(number int, time int64) {
	if n, ok := f.udpAmong[number]; ok {
		f.udp[n].begin(f.r, time, 0)
		f.forgetUDP(n)
	}
}

func (f *file) forgetUDP(n int) {
	delete(f.udpAmong, f.udp[n].number)
	delete(f.udp, n)
}

// leaveUDP stops to follow a connection of the section.
func (f *file) leaveUDP(n int, why string) {
	if u := f.udp[n]; u.begun {
		f.r.queue = append(f.r.queue, &capture.End{Conn: u.number, Time: u.last, Why: why})
	}
	f.forgetUDP(n)
}

// endUDP stops to follow all connections of the section but those that go on.
func (f *file) endUDP(why string, goesOn map[int]bool) {
	for _, n := range slices.Sorted(maps.Keys(f.udp)) {
		if !goesOn[n] {
			f.leaveUDP(n, why)
		}
	}
}
