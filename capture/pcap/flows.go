package pcap

import (
	"bytes"
	"net/netip"
	"slices"

	"explainer/capture"
)

const (
	maxOpen      = 1 << 16  // connections that are followed at a time
	maxClosed    = 4096     // connections that are remembered after their end, for late packets
	maxWaiting   = 4 << 20  // bytes of one direction that wait for a hole to be filled
	maxWaitAll   = 64 << 20 // of all
	waitOverhead = 512      // bytes that each waiting segment counts more than it has

	maxNumbers = 1 << 20 // connections of a recording among several files that its facts can be about
	scopeShift = 2       // of a tuple's scope; below is the leg

	// A hole whose bytes the receiver has acknowledged is given up after so many
	// packets of the connection: captures change the order of packets, but not by much.
	maxHoleAge = 32
	// An acknowledgement that is further ahead than the largest window is none (RFC 7323 2.2).
	maxAhead = 1 << 30
)

// flows puts the segments of TCP connections in order.
type flows struct {
	r       *Reader
	byTuple map[tuple]*flow
	open    list // least recently used first; those with nothing that waits
	holding list // in the order in which their holes were found
	closed  list // in the order in which they ended
	count   int  // connections so far
	scopes  uint32
	waiting int // bytes that wait, of all

	now    int64 // of the packet at hand
	packet int

	chunks []*capture.Chunk // to use again
	used   int
}

// A flow is one connection.
type flow struct {
	tuple      tuple
	number     int
	time       int64 // of its first packet
	packet     int
	caller     int // which half is the client's; -1 if not known yet
	syn        bool
	synAck     bool
	told       bool // Open was given
	dead       bool
	half       [2]half
	list       *list
	prev, next *flow
}

// A half is one direction of a connection.
type half struct {
	known   bool   // next is
	isn     uint32 // of the SYN
	hasISN  bool
	next    uint32 // sequence number of the byte at pos
	pos     int64  // bytes given, gaps included
	acked   uint32 // highest acknowledgement seen
	hasAck  bool
	age     int // packets since the receiver acknowledged what is not here
	waiting []piece
	size    int // bytes that wait
	fin     bool
	finSeq  uint32
	done    bool
}

// A piece is part of a direction that waits for what comes before it.
type piece struct {
	off     int64 // as half.pos
	data    []byte
	missing int
	packet  int
}

func (p *piece) end() int64 { return p.off + int64(len(p.data)+p.missing) }

// A list of flows, oldest first.
type list struct {
	first, last *flow
	len         int
}

func (l *list) push(f *flow) {
	if f.list != nil {
		f.list.remove(f)
	}
	f.list, f.prev = l, l.last
	if l.last != nil {
		l.last.next = f
	} else {
		l.first = f
	}
	l.last = f
	l.len++
}

func (l *list) remove(f *flow) {
	if f.prev != nil {
		f.prev.next = f.next
	} else {
		l.first = f.next
	}
	if f.next != nil {
		f.next.prev = f.prev
	} else {
		l.last = f.prev
	}
	f.list, f.prev, f.next = nil, nil, nil
	l.len--
}

func (fs *flows) init(r *Reader) {
	fs.r = r
	fs.byTuple = map[tuple]*flow{}
}

// reuse tells that the queue's chunks are no longer needed.
func (fs *flows) reuse() { fs.used = 0 }

// segment takes in one segment.
func (fs *flows) segment(file *file, leg capture.Leg, t int64, packet int, p *segment) {
	fs.now, fs.packet = t, packet
	key, from := p.tuple(file.scope<<scopeShift | uint32(leg))
	f := fs.byTuple[key]
	syn, ack := p.flags&flagSYN != 0, p.flags&flagACK != 0
	if syn && !ack {
		if f != nil && !(f.half[from].hasISN && f.half[from].isn == p.seq) {
			fs.forget(f)
			f = nil
		}
	}
	if f == nil {
		f = fs.begin(key)
		if file.own && len(fs.r.files) > 1 && len(file.conns) < maxNumbers {
			file.conns = append(file.conns, f.number)
		}
	} else if f.dead {
		if len(p.data) > 0 {
			fs.r.stats.Skipped[SkippedAfterClose]++
		}
		return
	} else if f.list == &fs.open && fs.open.last != f {
		fs.open.push(f)
	}
	h, o := &f.half[from], &f.half[1-from]
	if syn {
		f.sync(from, p)
		if f.syn && f.synAck {
			fs.tell(f, from, nil)
		}
		p.seq++ // what a SYN carries comes after it (RFC 9293 3.4)
	}
	rst := p.flags&flagRST != 0
	if ack && !rst && o.known {
		if ahead := int32(p.ack - o.next); ahead < maxAhead && (!o.hasAck || int32(p.ack-o.acked) > 0) {
			o.acked, o.hasAck = p.ack, true
		}
	}
	n := len(p.data) + p.missing
	fin := p.flags&flagFIN != 0 && !rst
	if n > 0 || fin || rst {
		if rst {
			n = 0 // what a RST may carry is a diagnosis (RFC 9293 3.5.3)
		}
		fs.tell(f, from, p.data)
	}
	if (n > 0 || fin) && !h.known {
		h.known, h.next = true, p.seq
	}
	if fin && !h.fin {
		if end := p.seq + uint32(n); int32(end-h.next) >= 0 {
			h.fin, h.finSeq = true, end
		}
	}
	if n > 0 && !h.done {
		fs.data(f, from, p)
	}
	fs.finish(f, from)
	if rst {
		fs.fillAll(f)
		fs.push(&capture.Close{Conn: f.number, Side: f.sideOf(from), Time: t, Packet: packet, Reset: true})
		fs.die(f)
		return
	}
	for side := range f.half {
		fs.giveUp(f, side)
	}
	if h.done && o.done {
		fs.die(f)
	} else if h.finAcked() && o.finAcked() {
		fs.fillAll(f)
		fs.die(f)
	}
}

// finAcked tells whether the direction has ended and the receiver has said so.
func (h *half) finAcked() bool { return h.fin && h.hasAck && h.acked == h.finSeq+1 }

// begin starts a connection with the packet at hand.
func (fs *flows) begin(key tuple) *flow {
	if fs.open.len+fs.holding.len >= maxOpen {
		oldest := fs.open.first
		if oldest == nil {
			oldest = fs.holding.first
		}
		fs.forget(oldest)
	}
	fs.count++
	f := &flow{tuple: key, number: fs.count, time: fs.now, packet: fs.packet, caller: -1}
	fs.byTuple[key] = f
	fs.open.push(f)
	return f
}

// sync takes in a SYN or a SYN-ACK.
func (f *flow) sync(from int, p *segment) {
	h, o := &f.half[from], &f.half[1-from]
	if p.flags&flagACK == 0 {
		if !h.hasISN {
			h.start(p.seq)
		}
		f.syn, f.caller = true, from
		return
	}
	if h.pos > 0 || len(h.waiting) > 0 || h.fin {
		return // late: the direction is under way
	}
	h.start(p.seq)
	if f.caller < 0 {
		f.caller = 1 - from
	}
	if !o.known {
		o.start(p.ack - 1)
	}
	f.synAck = f.synAck || o.hasISN && o.isn+1 == p.ack
}

// start sets where a direction begins.
func (h *half) start(isn uint32) {
	h.isn, h.hasISN, h.next, h.known = isn, true, isn+1, true
}

// tell gives the connection's Open, if it was not given. What from sent helps to
// tell the client; it may be empty.
func (fs *flows) tell(f *flow, from int, data []byte) {
	if f.told {
		return
	}
	f.told = true
	if f.caller < 0 {
		f.caller = f.guess(from, data)
	}
	ends := [2]netip.AddrPort{
		netip.AddrPortFrom(netip.AddrFrom16(f.tuple.a).Unmap(), f.tuple.ap),
		netip.AddrPortFrom(netip.AddrFrom16(f.tuple.b).Unmap(), f.tuple.bp),
	}
	fs.push(&capture.Open{
		Conn: f.number, Leg: capture.Leg(f.tuple.scope & (1<<scopeShift - 1)), Time: f.time, Packet: f.packet,
		Client: ends[f.caller], Server: ends[1-f.caller], SYN: f.syn && f.synAck, Asked: f.syn && !f.synAck,
	})
}

// guess says which half is the client's, in a connection whose beginning is
// not there: by what from sent, else the one with the higher port, else from.
func (f *flow) guess(from int, data []byte) int {
	switch {
	case len(data) > 5 && data[0] == 22 && data[1] == 3 && data[5] == 1: // ClientHello
		return from
	case len(data) > 5 && data[0] == 22 && data[1] == 3 && data[5] == 2: // ServerHello
		return 1 - from
	case len(data) > 2 && data[0]&0x80 != 0 && data[2] == 1: // ClientHello as SSL 2.0 had it (RFC 5246 E.2)
		return from
	case bytes.HasPrefix(data, []byte("HTTP/1.")):
		return 1 - from
	}
	for _, method := range []string{"GET ", "POST ", "HEAD ", "PUT ", "CONNECT ", "OPTIONS ", "DELETE ", "PATCH ", "PRI * HTTP/2"} {
		if bytes.HasPrefix(data, []byte(method)) {
			return from
		}
	}
	switch {
	case f.tuple.ap > f.tuple.bp:
		return 0
	case f.tuple.ap < f.tuple.bp:
		return 1
	}
	return from
}

func (f *flow) sideOf(from int) capture.Side {
	if from == f.caller {
		return capture.Client
	}
	return capture.Server
}

// data takes in what a segment carries.
func (fs *flows) data(f *flow, from int, p *segment) {
	h := &f.half[from]
	ahead := int64(int32(p.seq - h.next))
	if ahead <= 0 && len(h.waiting) == 0 {
		fs.give(f, from, p.data, p.missing, int(-ahead), fs.packet)
		return
	}
	h.wait(p, ahead, fs.packet, &fs.waiting)
	fs.drain(f, from)
	for len(h.waiting) > 0 && (h.size > maxWaiting || fs.waiting > maxWaitAll && fs.holding.first == f) {
		fs.fill(f, from)
	}
	for fs.waiting > maxWaitAll && fs.holding.first != nil && fs.holding.first != f {
		fs.fillAll(fs.holding.first)
	}
}

// give gives data, of which the first skip bytes were given before, and the
// gap of what is missing after them.
func (fs *flows) give(f *flow, from int, data []byte, missing, skip, packet int) {
	h := &f.half[from]
	if skip >= len(data)+missing {
		return
	}
	missing -= max(0, skip-len(data))
	data = data[min(skip, len(data)):]
	if h.fin { // nothing comes after the end
		room := int(min(int64(int32(h.finSeq-h.next)), maxAhead))
		data = data[:min(len(data), max(room, 0))]
		missing = min(missing, max(room-len(data), 0))
	}
	if len(data) > 0 {
		c := fs.chunk()
		*c = capture.Chunk{Conn: f.number, Side: f.sideOf(from), Time: fs.now, Packet: packet, Data: data}
		fs.push(c)
	}
	if missing > 0 {
		fs.push(&capture.Gap{Conn: f.number, Side: f.sideOf(from), Time: fs.now, Packet: packet, Len: int64(missing)})
	}
	h.advance(len(data) + missing)
}

func (h *half) advance(n int) {
	h.next += uint32(n)
	h.pos += int64(n)
	h.age = 0
}

// chunk returns a Chunk to fill in.
func (fs *flows) chunk() *capture.Chunk {
	if fs.used == len(fs.chunks) {
		fs.chunks = append(fs.chunks, new(capture.Chunk))
	}
	fs.used++
	return fs.chunks[fs.used-1]
}

func (fs *flows) push(in capture.Input) { fs.r.queue = append(fs.r.queue, in) }

// wait keeps those parts of a segment that are not there yet. It begins ahead
// of h.next.
func (h *half) wait(p *segment, ahead int64, packet int, total *int) {
	start := h.pos + ahead
	cur, end := max(start, h.pos), start+int64(len(p.data)+p.missing)
	add := func(i int, until int64) {
		have := start + int64(len(p.data))
		w := piece{off: cur, packet: packet, missing: int(max(0, until-max(cur, have)))}
		if cur < have {
			w.data = bytes.Clone(p.data[cur-start : min(until, have)-start])
		}
		h.waiting = slices.Insert(h.waiting, i, w)
		h.size += len(w.data) + waitOverhead
		*total += len(w.data) + waitOverhead
	}
	i := len(h.waiting)
	for i > 0 && h.waiting[i-1].end() > cur { // most segments belong at the end
		i--
	}
	for ; cur < end; i++ {
		if i == len(h.waiting) || h.waiting[i].off >= end {
			add(i, end)
			return
		}
		if off := h.waiting[i].off; cur < off {
			add(i, off)
			i++
		}
		cur = max(cur, h.waiting[i].end())
	}
}

// drain gives what has become due of what waits, and the end if it has come.
func (fs *flows) drain(f *flow, from int) {
	h := &f.half[from]
	n := 0
	for n < len(h.waiting) && h.waiting[n].off <= h.pos && !h.done {
		w := h.waiting[n]
		n++
		cost := len(w.data) + waitOverhead
		h.size -= cost
		fs.waiting -= cost
		fs.give(f, from, w.data, w.missing, int(h.pos-w.off), w.packet)
	}
	clear(h.waiting[:n])
	h.waiting = h.waiting[n:]
	fs.finish(f, from)
	if len(f.half[0].waiting)+len(f.half[1].waiting) > 0 {
		if f.list != &fs.holding {
			fs.holding.push(f)
		}
	} else if f.list == &fs.holding {
		fs.open.push(f)
	}
}

// fill gives up the first hole of a direction.
func (fs *flows) fill(f *flow, from int) {
	h := &f.half[from]
	w := h.waiting[0]
	n := w.off - h.pos
	if h.fin {
		n = min(n, int64(int32(h.finSeq-h.next)))
	}
	fs.gap(f, from, n, w.packet)
	fs.drain(f, from)
}

func (fs *flows) gap(f *flow, from int, n int64, packet int) {
	fs.tell(f, from, nil)
	fs.push(&capture.Gap{Conn: f.number, Side: f.sideOf(from), Time: fs.now, Packet: packet, Len: n})
	f.half[from].advance(int(n))
}

// giveUp gives up a hole that has waited long enough after the receiver acknowledged it.
func (fs *flows) giveUp(f *flow, from int) {
	h := &f.half[from]
	if n := h.lost(); n > 0 {
		if h.age++; h.age > maxHoleAge {
			fs.lose(f, from, n)
		}
	}
}

// lost returns how many bytes the receiver has acknowledged that are not here,
// as far as the first hole goes.
func (h *half) lost() int64 {
	if !h.known || !h.hasAck || h.done {
		return 0
	}
	n := int64(int32(h.acked - h.next))
	if h.fin {
		n = min(n, int64(int32(h.finSeq-h.next)))
	} else if n == 1 && len(h.waiting) == 0 {
		return 0 // more likely a FIN than a byte
	}
	if len(h.waiting) > 0 {
		if hole := h.waiting[0].off - h.pos; n >= hole {
			return hole
		}
		return 0
	}
	return max(n, 0)
}

// lose gives up n bytes.
func (fs *flows) lose(f *flow, from int, n int64) {
	packet := fs.packet
	if h := &f.half[from]; len(h.waiting) > 0 {
		packet = h.waiting[0].packet
	}
	fs.gap(f, from, n, packet)
	fs.drain(f, from)
}

// finish gives the end of a direction, if it has come.
func (fs *flows) finish(f *flow, from int) {
	h := &f.half[from]
	if !h.fin || h.done || h.next != h.finSeq {
		return
	}
	h.done = true
	fs.push(&capture.Close{Conn: f.number, Side: f.sideOf(from), Time: fs.now, Packet: fs.packet})
	fs.drop(h)
}

// drop frees what waits.
func (fs *flows) drop(h *half) {
	fs.waiting -= h.size
	h.size, h.waiting = 0, nil
}

// fillAll gives up all holes of a connection, the client's first.
func (fs *flows) fillAll(f *flow) {
	first := max(f.caller, 0)
	for _, from := range [2]int{first, 1 - first} {
		h := &f.half[from]
		for len(h.waiting) > 0 {
			fs.fill(f, from)
		}
		if n := h.lost(); n > 0 {
			fs.lose(f, from, n)
		}
	}
}

// die ends a connection. It is remembered for a while, so that late packets of
// it do not look like a new one.
func (fs *flows) die(f *flow) {
	f.dead = true
	fs.drop(&f.half[0])
	fs.drop(&f.half[1])
	fs.closed.push(f)
	if fs.closed.len > maxClosed {
		fs.remove(fs.closed.first)
	}
}

// forget gives what is left of a connection and stops to follow it.
func (fs *flows) forget(f *flow) {
	if !f.dead {
		fs.tell(f, max(f.caller, 0), nil)
		fs.fillAll(f)
		fs.drop(&f.half[0])
		fs.drop(&f.half[1])
	}
	fs.remove(f)
}

func (fs *flows) remove(f *flow) {
	f.list.remove(f)
	delete(fs.byTuple, f.tuple)
}

// endAll gives what is left of all connections, in the order of their numbers.
func (fs *flows) endAll() { fs.end(func(*flow) bool { return true }) }

// endScope does the same for the connections of one section.
func (fs *flows) endScope(scope uint32) {
	fs.end(func(f *flow) bool { return f.tuple.scope>>scopeShift == scope })
}

func (fs *flows) end(which func(*flow) bool) {
	var all []*flow
	for _, f := range fs.byTuple {
		if which(f) {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b *flow) int { return a.number - b.number })
	for _, f := range all {
		fs.forget(f)
	}
}
