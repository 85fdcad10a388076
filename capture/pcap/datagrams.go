package pcap

import (
	"bytes"
	"net/netip"

	"explainer/capture"
	"explainer/capture/quic"
)

const (
	protoUDP   = 17
	udpHead    = 8       // bytes of its header
	maxUDP     = 1 << 13 // connections over UDP that are followed at a time
	maxSharing = 16      // of them between the same two ports
	maxIDs     = 8       // connection IDs that are remembered of each side
)

// udp finds the connections of QUIC and DTLS among UDP datagrams, by what is in
// them, on any port. Everything else in UDP is not looked at further.
type udp struct {
	byTuple     map[tuple][]*udpFlow // between the same ports; the newest last
	first, last *udpFlow             // least recently used first
	len         int
}

// udpFlow is one connection. Several of QUIC can be between the same two ports.
type udpFlow struct {
	tuple      tuple
	number     int
	last       int64 // time of its latest datagram
	transport  capture.Transport
	client     int      // which end of the tuple
	answered   bool     // until then the client may begin again with another connection ID
	ids        [2][]cid // by side: the connection IDs in packets to it
	prev, next *udpFlow
}

type cid string

// take takes in a datagram, and reports whether it belongs to a connection of
// QUIC or DTLS.
func (u *udp) take(r *Reader, file *file, it *item, packet int, p *segment) bool {
	if len(p.data) == 0 || file.own { // explainer writes TCP alone, and counts its connections
		return false
	}
	key, from := p.tuple(it.leg)
	f := u.find(key, from, p.data, p.missing)
	if f == nil {
		if f = u.begin(r, key, from, p); f == nil {
			return false
		}
		ends := [2]netip.AddrPort{
			netip.AddrPortFrom(netip.AddrFrom16(key.a).Unmap(), key.ap),
			netip.AddrPortFrom(netip.AddrFrom16(key.b).Unmap(), key.bp),
		}
		r.queue = append(r.queue, &capture.Open{
			Transport: f.transport, Conn: f.number, Leg: it.leg, Time: it.time, Packet: packet,
			Client: ends[f.client], Server: ends[1-f.client],
		})
	}
	u.touch(f)
	f.last = it.time
	side := capture.Client
	if from != f.client {
		side = capture.Server
	}
	if r.place != nil {
		*r.place = place{udp: true, transport: f.transport, conn: f.number, side: side}
	}
	if f.transport == capture.TransportQUIC {
		f.learn(int(side), p.data, p.missing)
	}
	r.queue = append(r.queue, &capture.Datagram{Conn: f.number, Side: side, Time: it.time, Packet: packet, Data: p.data, Cut: p.missing})
	return true
}

// find returns the connection that a datagram belongs to, nil if it is none
// that is followed, or begins one.
func (u *udp) find(key tuple, from int, data []byte, cut int) *udpFlow {
	flows := u.byTuple[key]
	if len(flows) == 0 {
		return nil
	}
	last := flows[len(flows)-1]
	if last.transport == capture.TransportDTLS {
		if data[0] < 20 || data[0] > 63 { // RFC 7983: STUN, RTP and others share the ports
			return nil
		}
		return last
	}
	h, ok := quic.Parse(data, cut)
	if !ok {
		return last
	}
	for i := len(flows) - 1; i >= 0; i-- {
		f := flows[i]
		ids := f.ids[side(from, f.client)^1]
		for _, id := range ids {
			if h.Type == quic.OneRTT && id != "" && bytes.HasPrefix(data[1:], []byte(id)) || h.Type != quic.OneRTT && string(h.DCID) == string(id) {
				return f
			}
		}
	}
	if h.Type == quic.Initial && len(flows) < maxSharing && quic.Begins(data, cut) && from == last.client && last.answered {
		return nil
	}
	return last
}

func side(from, client int) int {
	if from == client {
		return 0
	}
	return 1
}

// learn notes the connection IDs of a packet.
func (f *udpFlow) learn(side int, data []byte, cut int) {
	h, ok := quic.Parse(data, cut)
	if !ok || h.Type == quic.OneRTT || len(h.SCID) > 20 || len(h.DCID) > 20 {
		return
	}
	note := func(to int, id []byte) {
		for _, have := range f.ids[to] {
			if string(have) == string(id) {
				return
			}
		}
		if len(f.ids[to]) < maxIDs {
			f.ids[to] = append(f.ids[to], cid(id))
		}
	}
	f.answered = f.answered || side == 1 && (h.Type == quic.Initial || h.Type == quic.Handshake)
	note(side, h.SCID)
	note(side^1, h.DCID)
}

// begin begins to follow a connection, if the datagram shows that it is one.
func (u *udp) begin(r *Reader, key tuple, from int, p *segment) *udpFlow {
	f := &udpFlow{tuple: key, client: from}
	higher := p.fromPort >= p.toPort
	switch {
	case quic.Looks(p.data, p.missing):
		f.transport = capture.TransportQUIC
		h, _ := quic.Parse(p.data, p.missing)
		switch h.Type {
		case quic.Retry, quic.VersionNegotiation:
			f.client = 1 - from
		case quic.ZeroRTT:
		default:
			if !quic.Begins(p.data, p.missing) && !higher {
				f.client = 1 - from
			}
		}
	case capture.LooksDTLS(p.data, p.missing):
		f.transport = capture.TransportDTLS
		if side, known := capture.DTLSSender(p.data); known && side == capture.Server || !known && !higher {
			f.client = 1 - from
		}
	default:
		return nil
	}
	if u.byTuple == nil {
		u.byTuple = make(map[tuple][]*udpFlow)
	}
	if u.len == maxUDP {
		u.forget(r, u.first)
	}
	r.flows.count++
	f.number = r.flows.count
	u.byTuple[key] = append(u.byTuple[key], f)
	u.push(f)
	return f
}

// forget stops to follow a connection.
func (u *udp) forget(r *Reader, f *udpFlow) {
	r.queue = append(r.queue, &capture.End{Conn: f.number, Time: f.last, Why: capture.EndTooMany})
	u.remove(f)
	flows := u.byTuple[f.tuple]
	kept := flows[:0]
	for _, g := range flows {
		if g != f {
			kept = append(kept, g)
		}
	}
	if len(kept) == 0 {
		delete(u.byTuple, f.tuple)
	} else {
		clear(flows[len(kept):])
		u.byTuple[f.tuple] = kept
	}
}

func (u *udp) push(f *udpFlow) {
	f.prev, f.next = u.last, nil
	if u.last != nil {
		u.last.next = f
	} else {
		u.first = f
	}
	u.last = f
	u.len++
}

func (u *udp) remove(f *udpFlow) {
	if f.prev != nil {
		f.prev.next = f.next
	} else {
		u.first = f.next
	}
	if f.next != nil {
		f.next.prev = f.prev
	} else {
		u.last = f.prev
	}
	u.len--
}

func (u *udp) touch(f *udpFlow) {
	if u.last != f {
		u.remove(f)
		u.push(f)
	}
}
