package pcap

import (
	"bytes"
	"maps"
	"net/netip"
	"slices"

	"explainer/capture"
)

const (
	maxOpen      = 1 << 13  // connections that are followed at a time
	maxClosed    = 4096     // connections that are remembered after their end, for late packets
	maxWaiting   = 4 << 20  // bytes of one direction that wait for a hole to be filled
	maxWaitAll   = 64 << 20 // of all
	waitOverhead = 512      // bytes that each waiting segment counts more than it has

	maxNumbers = 1 << 20 // connections of a recording among several files that its facts can be about

	// A hole whose bytes the receiver has acknowledged is given up after so many
	// packets of the connection: captures change the order of packets, but not by much.
	maxHoleAge = 32
	// Segments and acknowledgements further than this from what is known to have been sent
	// are taken for another connection's on the same ports, until more of them come. Windows
	// may be up to 1 GiB (RFC 7323 2.2), but none in use is larger than this.
	maxWindow = 16 << 20
	maxStrays = 3 // as many in a row begin another connection
)

// flows puts the segments of TCP connections in order.
type flows struct {
	r       *Reader
	byTuple map[tuple]*flow // of all sections that are not explainer's own
	own     map[int]*flow   // of those that are, by number
	open    list            // least recently used first; those with nothing that waits
	holding list            // in the order in which their holes were found
	ended   list            // in the order in which they ended
	count   int             // connections so far, and the numbers of
	absent  int             // those that are not read: they are in parts of a recording that are not
	waiting int             // bytes that wait, of all

	stamp // of the packet at hand

	chunks []*capture.Chunk // to use again
	used   int
}

// A stamp is when a packet was captured, and its number.
type stamp struct {
	now    int64
	packet int
}

// A flow is one connection.
type flow struct {
	table      map[tuple]*flow // that it is in
	tuple      tuple
	number     int
	own        int    // its number in the section, if that is explainer's own
	first      stamp  // of its first packet
	last       stamp  // of its latest
	handshake  [3]int // as in capture.Open
	caller     int    // which half is the client's; -1 if not known yet
	syn        bool
	synAck     bool
	told       bool // Open was given
	dead       bool
	again      int // packet in which the SYN came again after the end
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
	top     int64  // as pos: what is known to have been sent
	acked   int64  // as pos: the highest acknowledgement seen
	hasAck  bool
	ack     stamp // of the packet with that
	given   stamp // of the latest packet of which something was given
	age     int   // packets since the receiver acknowledged what is not here
	waiting []piece
	size    int // bytes that wait
	fin     bool
	end     int64 // as pos: where the FIN stands
	finAt   stamp
	done    bool
	strays  int    // segments in a row that are far from what is known
	stray   uint32 // the sequence number after the last of them
}

// off returns where a sequence number stands in the stream.
func (h *half) off(seq uint32) int64 { return h.pos + int64(int32(seq-h.next)) }

// first returns the sequence number of the stream's first byte.
func (h *half) first() uint32 { return h.next - uint32(h.pos) }

// near tells whether a place in the stream is close enough to what is known to
// have been sent, or waits, to be of this connection.
func (h *half) near(off int64) bool { return off >= h.pos-maxWindow && off <= h.limit() }

// limit returns how far something new can reach.
func (h *half) limit() int64 {
	top := max(h.top, h.pos)
	if n := len(h.waiting); n > 0 {
		top = max(top, h.waiting[n-1].end())
	}
	return top + maxWindow
}

// A piece is part of a direction that waits for what comes before it.
type piece struct {
	off     int64 // as half.pos
	data    []byte
	missing int
	stamp   stamp
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
	fs.own = map[int]*flow{}
}

// reuse tells that the queue's chunks are no longer needed.
func (fs *flows) reuse() { fs.used = 0 }

// segment takes in one segment.
func (fs *flows) segment(file *file, leg capture.Leg, t int64, packet int, p *segment) {
	fs.stamp = stamp{t, packet}
	key, from := p.tuple(leg)
	table := fs.byTuple
	if file.own {
		table = file.table
	}
	f := table[key]
	syn, ack, rst := p.flags&flagSYN != 0, p.flags&flagACK != 0, p.flags&flagRST != 0
	if f != nil && f.other(from, p) {
		again := f.again
		fs.leave(f, capture.EndReused)
		if f = nil; again > 0 && syn && ack {
			// The SYN that it answers was taken for one of the connection before.
			f = fs.begin(file, table, key)
			f.syn, f.caller, f.first.packet, f.handshake[0] = true, 1-from, again, again
			f.half[1-from].start(p.ack - 1)
		}
	}
	switch {
	case f == nil:
		f = fs.begin(file, table, key)
	case f.dead:
		if syn && !ack && f.again == 0 {
			f.again = packet
		}
		if len(p.data) > 0 {
			fs.r.stats.Skipped[SkippedAfterClose]++
		}
		fs.place(f, from, p)
		return
	case f.list == &fs.open && fs.open.last != f:
		fs.open.push(f)
	}
	f.last = fs.stamp
	h, o := &f.half[from], &f.half[1-from]
	if syn {
		f.sync(from, p, packet)
		p.seq++ // what a SYN carries comes after it (RFC 9293 3.4)
	} else if ack && f.syn && f.synAck && !f.told && from == f.caller {
		f.handshake[2] = packet
		fs.tell(f, from, nil)
	}
	if rst {
		fs.reset(f, from, p)
		return
	}
	if ack && o.known {
		f.acknowledge(from, p, fs.stamp)
	}
	n := len(p.data) + p.missing
	fin := p.flags&flagFIN != 0
	if n == 1 && len(p.data) == 1 && !fin && !syn && h.keepAlive(p) {
		n = 0
	}
	if n > 0 || fin {
		fs.tell(f, from, p.data)
		if !h.known {
			h.known, h.next = true, p.seq
		}
	}
	if h.known && !f.sent(from, p, n, fs.stamp) {
		fs.r.stats.Skipped[SkippedStray]++
		n = 0
	}
	fs.place(f, from, p)
	if n > 0 && !h.done {
		fs.data(f, from, p)
	}
	fs.finish(f, from)
	for side := range f.half {
		fs.giveUp(f, side)
	}
	fs.over(f)
}

// over ends a connection that both sides have ended.
func (fs *flows) over(f *flow) {
	h, o := &f.half[0], &f.half[1]
	if h.done && o.done {
		fs.die(f)
	} else if h.finAcked() && o.finAcked() {
		fs.fillAll(f)
		fs.die(f)
	}
}

// reset takes in a RST. What it may carry is a diagnosis (RFC 9293 3.5.3).
func (fs *flows) reset(f *flow, from int, p *segment) {
	if !f.resets(from, p) {
		fs.r.stats.Skipped[SkippedStray]++
		return
	}
	fs.tell(f, from, nil)
	fs.fillAll(f)
	fs.push(&capture.Close{Conn: f.number, Side: f.sideOf(from), Time: fs.now, Packet: fs.packet, Reset: true})
	fs.die(f)
}

// sent notes how far a segment of n bytes shows that its half has sent. It returns
// false if it is of no use here.
func (f *flow) sent(from int, p *segment, n int, at stamp) bool {
	h := &f.half[from]
	off := h.off(p.seq)
	end := off + int64(n)
	if !h.near(off) {
		return n == 0 || !f.stray(from, p)
	}
	h.top, h.strays = max(h.top, end), 0
	if p.flags&flagFIN != 0 && !h.fin && end >= h.pos {
		h.fin, h.end, h.finAt = true, end, at
	}
	return true
}

// acknowledge notes how far a segment acknowledges the other half.
func (f *flow) acknowledge(from int, p *segment, at stamp) {
	h, o := &f.half[from], &f.half[1-from]
	limit := o.limit()
	if f.syn && !f.synAck && !h.known {
		limit = o.top // before the SYN-ACK nothing else can have been acknowledged
	}
	if a := o.off(p.ack); a <= limit && (a > o.acked || !o.hasAck) {
		o.acked, o.hasAck, o.ack = a, true, at
	}
}

// place notes where a segment belongs, if somebody asks.
func (fs *flows) place(f *flow, from int, p *segment) {
	if h := &f.half[from]; fs.r.place != nil && f.told && h.known && h.near(h.off(p.seq)) {
		*fs.r.place = place{tcp: true, conn: f.number, side: f.sideOf(from), off: h.off(p.seq)}
	}
}

// other tells whether a segment is of another connection on the same ports.
func (f *flow) other(from int, p *segment) bool {
	h, o := &f.half[from], &f.half[1-from]
	n := len(p.data) + p.missing
	switch {
	case p.flags&flagRST != 0:
		return false
	case p.flags&(flagSYN|flagACK) == flagSYN:
		return !(h.hasISN && h.isn == p.seq || !h.hasISN && (!h.known && !f.dead || h.known && h.first() == p.seq+1))
	case p.flags&flagSYN != 0 && f.dead:
		return f.again > 0 && o.hasISN && o.isn+1 == p.ack
	case p.flags&flagSYN != 0:
		if !h.hasISN {
			return h.known && !h.near(h.off(p.seq))
		}
		answers := !o.known || o.off(p.ack) >= 0 && o.off(p.ack) <= o.top
		return h.isn != p.seq && (h.pos > 0 || !answers)
	case n == 0:
		return false
	case !h.known:
		return f.dead
	case !f.stray(from, p):
		return false
	}
	// Its SYN is not in the capture. One segment may have strayed, but not one that begins something.
	if h.strays > 0 && p.seq-h.stray < maxWindow {
		h.strays++
	} else {
		h.strays = 1
	}
	h.stray = p.seq + uint32(n)
	return h.strays >= maxStrays || begins(p.data) == 0
}

// stray tells whether a segment's numbers are far from its connection's. Data
// that are only far ahead may follow what was lost.
func (f *flow) stray(from int, p *segment) bool {
	h, o := &f.half[from], &f.half[1-from]
	off := h.off(p.seq)
	return !h.near(off) && (f.dead || off < h.pos || p.flags&flagACK != 0 && o.known && !o.near(o.off(p.ack)))
}

// resets tells whether a RST is of this connection: its number is near those of
// its sender, or, where that has sent nothing, it acknowledges the SYN (RFC 9293 3.5.3).
func (f *flow) resets(from int, p *segment) bool {
	h, o := &f.half[from], &f.half[1-from]
	switch {
	case h.known:
		return h.near(h.off(p.seq))
	case f.syn && !f.synAck:
		return p.flags&flagACK != 0 && o.off(p.ack) >= 0 && o.off(p.ack) <= o.top
	}
	return true
}

// keepAlive tells whether a segment of one byte asks for a sign of life: it
// stands before what comes next, and its byte may be anything (RFC 9293 3.8.4).
// Where the first byte of a direction whose beginning is not there is a zero,
// it is taken for that.
func (h *half) keepAlive(p *segment) bool {
	if !h.known {
		if p.data[0] == 0 {
			h.known, h.next = true, p.seq+1
		}
		return h.known
	}
	off := h.off(p.seq)
	return p.flags&flagPSH == 0 && off+1 == max(h.acked, h.top)
}

// finAcked tells whether the direction has ended and the receiver has said so.
func (h *half) finAcked() bool { return h.fin && h.hasAck && h.acked == h.end+1 }

// begin starts a connection with the packet at hand.
func (fs *flows) begin(file *file, table map[tuple]*flow, key tuple) *flow {
	if fs.open.len+fs.holding.len >= maxOpen {
		oldest := fs.open.first
		if oldest == nil {
			oldest = fs.holding.first
		}
		fs.leave(oldest, capture.EndTooMany)
	}
	fs.count++
	f := &flow{table: table, tuple: key, number: fs.count, first: fs.stamp, last: fs.stamp, caller: -1}
	table[key] = f
	fs.open.push(f)
	if file.own {
		fs.own[f.number] = f
		file.last++
		f.own = file.last
		if len(fs.r.files) > 1 {
			file.know(file.last, f.number)
		}
	}
	return f
}

// sync takes in a SYN or a SYN-ACK.
func (f *flow) sync(from int, p *segment, packet int) {
	h, o := &f.half[from], &f.half[1-from]
	if p.flags&flagACK == 0 {
		switch {
		case h.hasISN:
		case h.known: // late: the direction is under way
			h.isn, h.hasISN = p.seq, true
		default:
			h.start(p.seq)
		}
		if !f.told {
			f.caller = from
		}
		f.syn = true
		if f.handshake[0] == 0 {
			f.handshake[0] = packet
		}
		return
	}
	if f.handshake[1] == 0 {
		f.handshake[1] = packet
	}
	if h.pos > 0 || len(h.waiting) > 0 || h.fin {
		return // late
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
		Conn: f.number, Leg: capture.Leg(f.tuple.leg), Time: f.first.now, Packet: f.first.packet,
		Client: ends[f.caller], Server: ends[1-f.caller], SYN: f.syn && f.synAck, Asked: f.syn && !f.synAck,
		Handshake: f.handshake,
	})
}

// guess says which half is the client's, in a connection whose beginning is
// not there: by what from sent, else the one with the higher port, else from.
func (f *flow) guess(from int, data []byte) int {
	switch side := begins(data); {
	case side >= 0:
		return from ^ side
	case f.tuple.ap > f.tuple.bp:
		return 0
	case f.tuple.ap < f.tuple.bp:
		return 1
	}
	return from
}

// begins tells whether data looks like the beginning of a client's stream (0)
// or of a server's (1); it is -1 if it is neither.
func begins(data []byte) int {
	switch {
	case len(data) > 5 && data[0] == 22 && data[1] == 3 && data[5] == 1: // ClientHello
		return 0
	case len(data) > 5 && data[0] == 22 && data[1] == 3 && data[5] == 2: // ServerHello
		return 1
	case len(data) > 2 && data[0]&0x80 != 0 && data[2] == 1: // ClientHello as SSL 2.0 had it (RFC 5246 E.2)
		return 0
	case bytes.HasPrefix(data, []byte("HTTP/1.")):
		return 1
	}
	for _, method := range []string{"GET ", "POST ", "HEAD ", "PUT ", "CONNECT ", "OPTIONS ", "DELETE ", "PATCH ", "PRI * HTTP/2"} {
		if bytes.HasPrefix(data, []byte(method)) {
			return 0
		}
	}
	return -1
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
		fs.give(f, from, p.data, p.missing, int(-ahead), fs.stamp)
		return
	}
	h.wait(p, ahead, fs.stamp, &fs.waiting)
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
func (fs *flows) give(f *flow, from int, data []byte, missing, skip int, at stamp) {
	h := &f.half[from]
	if skip >= len(data)+missing {
		return
	}
	missing -= max(0, skip-len(data))
	data = data[min(skip, len(data)):]
	if h.fin { // nothing comes after the end
		room := int(min(max(h.end-h.pos, 0), 1<<30))
		data = data[:min(len(data), room)]
		missing = min(missing, room-len(data))
	}
	time := h.time(at)
	if len(data) > 0 {
		c := fs.chunk()
		*c = capture.Chunk{Conn: f.number, Side: f.sideOf(from), Time: time, Packet: at.packet, Data: data}
		fs.push(c)
	}
	if missing > 0 {
		fs.push(&capture.Gap{Conn: f.number, Side: f.sideOf(from), Time: time, Packet: at.packet, Len: int64(missing)})
	}
	h.advance(len(data) + missing)
}

// time returns when what is given next was complete: a packet that came before those of
// the bytes in front of it tells nothing before they are there.
func (h *half) time(at stamp) int64 {
	if at.packet > h.given.packet {
		h.given = at
	}
	return h.given.now
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
func (h *half) wait(p *segment, ahead int64, at stamp, total *int) {
	start := h.pos + ahead
	cur, end := max(start, h.pos), start+int64(len(p.data)+p.missing)
	add := func(i int, until int64) {
		have := start + int64(len(p.data))
		w := piece{off: cur, stamp: at, missing: int(max(0, until-max(cur, have)))}
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
		fs.give(f, from, w.data, w.missing, int(h.pos-w.off), w.stamp)
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
		n = min(n, h.end-h.pos)
	}
	if n > maxWindow && len(h.waiting) == 1 && h.acked < w.off {
		// Nothing else says that so much was sent: it is of another connection, or made up.
		fs.r.stats.Skipped[SkippedStray]++
		fs.drop(h)
	} else {
		fs.gap(f, from, n, w.stamp)
	}
	fs.drain(f, from)
}

func (fs *flows) gap(f *flow, from int, n int64, at stamp) {
	fs.tell(f, from, nil)
	h := &f.half[from]
	fs.push(&capture.Gap{Conn: f.number, Side: f.sideOf(from), Time: h.time(at), Packet: at.packet, Len: n})
	h.advance(int(n))
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
	n := h.acked - h.pos
	if h.fin {
		n = min(n, h.end-h.pos)
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
	h := &f.half[from]
	at := h.ack
	switch {
	case len(h.waiting) > 0:
		at = h.waiting[0].stamp
	case h.fin:
		at = h.finAt // it stands behind them
	}
	fs.gap(f, from, n, at)
	fs.drain(f, from)
}

// finish gives the end of a direction, if it has come.
func (fs *flows) finish(f *flow, from int) {
	h := &f.half[from]
	if !h.fin || h.done || h.pos != h.end {
		return
	}
	h.done = true
	fs.push(&capture.Close{Conn: f.number, Side: f.sideOf(from), Time: h.time(h.finAt), Packet: h.finAt.packet})
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
	delete(fs.own, f.number)
	fs.ended.push(f)
	if fs.ended.len > maxClosed {
		fs.remove(fs.ended.first)
	}
}

// leave stops to follow a connection, and says so if it had not ended. There is no
// reason where the capture ends.
func (fs *flows) leave(f *flow, why string) {
	over := f.dead
	fs.forget(f)
	if !over {
		fs.push(&capture.End{Conn: f.number, Time: f.last.now, Why: why})
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
	delete(f.table, f.tuple)
	delete(fs.own, f.number)
}

// closed takes in that a recording's connection was closed: what the recorder knew of it has been read.
func (fs *flows) closed(number int) {
	if f := fs.own[number]; f != nil && !f.dead {
		fs.tell(f, max(f.caller, 0), nil)
		fs.fillAll(f)
		fs.die(f)
	}
}

// endAll gives what is left of all connections.
func (fs *flows) endAll() {
	for _, file := range fs.r.files {
		fs.end(file.table)
	}
	fs.end(fs.byTuple)
}

// end gives what is left of a table's connections, in the order of their numbers.
func (fs *flows) end(table map[tuple]*flow) {
	all := slices.SortedFunc(maps.Values(table), func(a, b *flow) int { return a.number - b.number })
	for _, f := range all {
		fs.leave(f, "")
	}
}
