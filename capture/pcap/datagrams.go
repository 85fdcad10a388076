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
	maxPaths   = 16      // pairs of addresses that one connection is followed to
	minMoved   = 4       // bytes of a connection ID that is looked for on other addresses
)

// udp finds the connections of QUIC and DTLS among UDP datagrams, by what is in
// them, on any port. Everything else in UDP is not looked at further.
type udp struct {
	byTuple     map[tuple][]*udpFlow   // between the same ports; the newest last
	byID        map[cid]movable        // whose connection ID it is, of DTLS its first bytes
	servers     map[netip.AddrPort]int // of QUIC: how many connections each has that are followed
	first, last *udpFlow               // least recently used first
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
	begins     [2]cid   // of DTLS, by side: how what follows the header's first bytes began in the last record to it that has an ID
	main       *udpFlow // of another path of a connection: the one on which it began
	paths      []tuple  // its other ones
	prev, next *udpFlow
}

type cid string

// A movable is a connection by one of its connection IDs, in packets to a side.
type movable struct {
	flow *udpFlow
	to   int
}

// root is the path on which a connection began.
func (f *udpFlow) root() *udpFlow {
	if f.main != nil {
		return f.main
	}
	return f
}

// take takes in a datagram, and reports whether it belongs to a connection of
// QUIC or DTLS.
func (u *udp) take(r *Reader, it *item, packet int, p *segment) bool {
	if len(p.data) == 0 {
		return false
	}
	key, from := p.tuple(it.leg)
	f := u.find(key, from, p.data, p.missing)
	if f == nil {
		f = u.moved(key, from, p.data)
	}
	if f == nil {
		if f = u.begin(r, key, from, p); f == nil {
			return false
		}
		ends := key.ends()
		r.queue = append(r.queue, &capture.Open{
			Transport: f.transport, Conn: f.number, Leg: it.leg, Time: it.time, Packet: packet,
			Client: ends[f.client], Server: ends[1-f.client],
		})
	}
	side := capture.Client
	if from != f.client {
		side = capture.Server
	}
	var path [2]netip.AddrPort
	if f.main != nil {
		ends := key.ends()
		path = [2]netip.AddrPort{ends[f.client], ends[1-f.client]}
		f = f.main
	}
	u.touch(f)
	f.last = it.time
	if r.place != nil {
		*r.place = place{udp: true, transport: f.transport, conn: f.number, side: side}
	}
	if f.transport == capture.TransportQUIC {
		u.learn(f, int(side), p.data, p.missing)
	} else {
		u.learnDTLS(f, int(side), p.data)
	}
	r.queue = append(r.queue, &capture.Datagram{Conn: f.number, Side: side, Time: it.time, Packet: packet, Data: p.data, Cut: p.missing, Path: path})
	return true
}

// ends are the two ends of a tuple.
func (t *tuple) ends() [2]netip.AddrPort {
	return [2]netip.AddrPort{
		netip.AddrPortFrom(netip.AddrFrom16(t.a).Unmap(), t.ap),
		netip.AddrPortFrom(netip.AddrFrom16(t.b).Unmap(), t.bp),
	}
}

// moved finds the connection whose packets come from or go to another address or port than
// before, by the connection ID (RFC 9000 5.1; RFC 9146 6, RFC 9147 9): the path is not the connection.
func (u *udp) moved(key tuple, from int, data []byte) *udpFlow {
	if len(u.byID) == 0 || len(u.byTuple[key]) > 0 {
		return nil
	}
	if id := dtlsID(data); id != "" {
		return u.path(key, from, u.byID[id])
	}
	if data[0]&0xc0 != 0x40 {
		return nil
	}
	for n := minMoved; n <= 20 && 1+n+20 <= len(data); n++ {
		if path := u.path(key, from, u.byID[cid(data[1:1+n])]); path != nil {
			return path
		}
	}
	return nil
}

// path lets a connection go on between other ports, nil if it is not there or has too many.
func (u *udp) path(key tuple, from int, m movable) *udpFlow {
	if m.flow == nil || m.flow.tuple.leg != key.leg || len(m.flow.paths) == maxPaths {
		return nil
	}
	path := &udpFlow{tuple: key, transport: m.flow.transport, client: from, main: m.flow}
	if m.to == 0 {
		path.client = 1 - from
	}
	m.flow.paths = append(m.flow.paths, key)
	u.byTuple[key] = append(u.byTuple[key], path)
	return path
}

// dtlsID returns the first bytes of the connection ID of a datagram's first record of DTLS, with
// its version in front, "" where it has none. How long IDs are is agreed in the hellos; so much of
// one tells connections apart.
func dtlsID(data []byte) cid {
	switch {
	case len(data) > 1+minMoved && data[0]>>4 == 3: // DTLS 1.3 with a connection ID (RFC 9147 4)
		return "3" + cid(data[1:][:minMoved])
	case len(data) > 11+minMoved && data[0] == 25 && data[1] == 0xfe && data[2] == 0xfd: // RFC 9146 4
		return "2" + cid(data[11:][:minMoved])
	}
	return ""
}

// learnDTLS notes the connection ID of a record of a side. One record alone does not show that it
// has as many bytes: they must come twice.
func (u *udp) learnDTLS(f *udpFlow, side int, data []byte) {
	id, to := dtlsID(data), 1-side
	if id == "" {
		return
	}
	if again := f.begins[to] == id; !again || len(f.ids[to]) > 0 {
		f.begins[to] = id
		return
	}
	f.ids[to] = append(f.ids[to], id)
	if _, taken := u.byID[id]; !taken {
		if u.byID == nil {
			u.byID = make(map[cid]movable)
		}
		u.byID[id] = movable{f, to}
	}
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
		ids := f.root().ids[side(from, f.client)^1]
		for _, id := range ids {
			if h.Type == quic.OneRTT && id != "" && bytes.HasPrefix(data[1:], []byte(id)) || h.Type != quic.OneRTT && string(h.DCID) == string(id) {
				return f
			}
		}
	}
	if h.Type == quic.Initial && len(flows) < maxSharing && quic.Begins(data, cut) && from == last.client && last.root().answered {
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
func (u *udp) learn(f *udpFlow, side int, data []byte, cut int) {
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
			if _, taken := u.byID[cid(id)]; !taken && len(id) >= minMoved {
				if u.byID == nil {
					u.byID = make(map[cid]movable)
				}
				u.byID[cid(id)] = movable{f, to}
			}
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
	if f.transport == capture.TransportQUIC {
		if u.servers == nil {
			u.servers = make(map[netip.AddrPort]int)
		}
		u.servers[key.ends()[1-f.client]]++
	}
	return f
}

// perhapsMoved tells whether a datagram of no connection may be of one of QUIC that goes on
// between other ports: which IDs it may use there was sent encrypted (RFC 9000 19.15).
func (u *udp) perhapsMoved(it *item, p *segment) bool {
	if len(u.servers) == 0 || len(p.data) < 21 || p.data[0]&0xc0 != 0x40 || bytes.Count(p.data[:21], p.data[:1]) == 21 {
		return false // what is encrypted is not one byte over and over
	}
	key, _ := p.tuple(it.leg)
	ends := key.ends()
	return len(u.byTuple[key]) == 0 && u.servers[ends[0]]+u.servers[ends[1]] > 0
}

// forget stops to follow a connection.
func (u *udp) forget(r *Reader, f *udpFlow) {
	r.queue = append(r.queue, &capture.End{Conn: f.number, Time: f.last, Why: capture.EndTooMany})
	u.remove(f)
	if server := f.tuple.ends()[1-f.client]; u.servers[server] > 1 {
		u.servers[server]--
	} else {
		delete(u.servers, server)
	}
	for _, ids := range f.ids {
		for _, id := range ids {
			if u.byID[id].flow == f {
				delete(u.byID, id)
			}
		}
	}
	u.drop(f.tuple, f)
	for _, path := range f.paths {
		u.drop(path, f)
	}
}

// drop forgets that a connection was between two ports.
func (u *udp) drop(key tuple, f *udpFlow) {
	flows := u.byTuple[key]
	kept := flows[:0]
	for _, g := range flows {
		if g.root() != f {
			kept = append(kept, g)
		}
	}
	if len(kept) == 0 {
		delete(u.byTuple, key)
	} else {
		clear(flows[len(kept):])
		u.byTuple[key] = kept
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
