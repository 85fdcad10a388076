package pcap

import (
	"bytes"
	"hash/crc32"
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
	maxRecent    = 16 << 10 // bytes of a direction that were given and may come again, in other segments too
	maxRecentAll = 16 << 20 // of all, or those that come then are not compared
	maxSpares    = 64       // buffers for them that are kept for other connections

	maxNumbers = 1 << 20 // connections of a recording among several files that its facts can be about

	// Where somebody waits for the story, a hole whose bytes the receiver has acknowledged is
	// given up after so many packets of the connection: captures change the order of packets,
	// but not by much. For so many the beginning of a connection is waited for, too.
	maxHoleAge = 32
	// What a connection still lacks when it has ended is waited for so long, in nanoseconds of the capture.
	maxLinger = 1e9
	maxHoles  = 64 // given up, of a direction, that are remembered for what comes too late
	// Segments and acknowledgements further than this from what is known to have been sent
	// are taken for another connection's on the same ports, until more of them come. Windows
	// may be up to 1 GiB (RFC 7323 2.2), but none in use is larger than this.
	maxWindow = 16 << 20
	maxRivals = 4 // SYN-ACKs that contradict the first of their connection
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
	closing []*flow         // those that have ended and lack something, in that order
	count   int             // connections so far, and the numbers of
	absent  int             // those that are not read: they are in parts of a recording that are not
	waiting int             // bytes that wait, of all
	recent  int             // bytes that are remembered, of all
	spares  [][]byte        // buffers for more of them

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
	answered   uint32 // what the SYN-ACK acknowledges
	caller     int    // which half is the client's; -1 if not known yet
	syn        bool
	synAck     bool
	told       bool // Open was given
	seen       int  // packets
	starting   bool // nothing is given yet: its beginning may still come
	closed     bool // it stands in flows.closing
	closedAt   int64
	reset      bool // and by the RST of half resetBy
	resetBy    int
	resetAt    stamp
	dead       bool
	again      int // packet in which the SYN came again after the end
	half       [2]half
	list       *list
	prev, next *flow
}

// A half is one direction of a connection.
type half struct {
	known   bool   // next is
	sure    bool   // a SYN says so
	got     uint32 // the sequence number that the other half acknowledged with its first byte
	hasGot  bool
	isn     uint32 // of the SYN
	hasISN  bool
	rivals  []uint32 // ISNs of SYN-ACKs that contradict it; one of them may be the one that counts
	next    uint32   // sequence number of the byte at pos
	pos     int64    // bytes given, gaps included
	top     int64    // as pos: what is known to have been sent
	acked   int64    // as pos: the highest acknowledgement seen
	hasAck  bool
	ack     stamp // of the packet with that
	given   stamp // of the latest packet of which something was given
	age     int   // packets since the receiver acknowledged what is not here
	waiting []piece
	size    int // bytes that wait
	fin     bool
	end     int64 // as pos: where the FIN stands
	finAt   stamp
	finGot  got // what its sender had
	done    bool
	behind  bool   // something stands behind the end, and was told
	holes   []hole // given up, the latest last
	recent  []byte // the last bytes that were given, up to pos, to see whether they come again with others
	others  [4]other
	othered int    // of others, the oldest
	strays  int    // segments in a row that are far from what is known
	stray   uint32 // the sequence number after the last of them
	padded  bool   // a packet of this direction had padding in its length
	zeros   zeros
}

// zeros stand behind what a segment carries, and are part of it or padding: what its sender
// sends next, or the receiver has got, shows which.
type zeros struct {
	n     int // 0: there are none
	seq   uint32
	stamp stamp
}

// An other is a second copy that was told, so that it is told once.
type other struct {
	off int64 // as half.pos
	sum uint32
}

// A hole is bytes that were given up, as half.pos.
type hole struct{ from, to int64 }

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

// A got is what the sender of a segment had from the other half when it sent this: an
// acknowledgement, if it is known.
type got struct {
	ack   uint32
	known bool
}

func (p *segment) got() got { return got{p.ack, p.flags&flagACK != 0} }

// A piece is part of a direction that waits for what comes before it.
type piece struct {
	off     int64 // as half.pos
	got     got
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
	fs.linger()
	key, from := p.tuple(leg)
	f := fs.flowOf(file, key, from, p)
	if f.dead {
		fs.afterEnd(f, from, p)
		return
	}
	f.last = fs.stamp
	f.seen++
	if f.half[from].padded = f.half[from].padded || p.padded; !f.half[from].padded {
		p.data, p.zeros = p.data[:len(p.data)+p.zeros], 0
	}
	if p.flags&flagSYN != 0 {
		f.sync(from, p, packet)
		p.seq++ // what a SYN carries comes after it (RFC 9293 3.4)
	} else if p.flags&flagACK != 0 && f.syn && f.synAck && f.handshake[2] == 0 && from == f.caller {
		f.handshake[2] = packet
		if !f.starting {
			fs.tell(f, from, nil)
		}
	}
	if p.flags&flagRST != 0 {
		fs.reset(f, from, p)
		return
	}
	n := fs.numbered(f, from, p)
	fs.place(f, from, p)
	if f.starting && f.begun(fs.r.whole) {
		fs.start(f)
	}
	h, o := &f.half[from], &f.half[1-from]
	if n > 0 && h.fin {
		fs.behind(f, from, p, h.end)
	}
	if n > 0 && !h.done {
		fs.late(f, from, p)
		fs.differs(f, from, p)
		fs.data(f, from, p)
	}
	if p.flags&flagFIN != 0 || h.fin || o.fin {
		fs.drain(f)
	}
	for side := range f.half {
		fs.unpadded(f, side)
		fs.giveUp(f, side)
	}
	if p.zeros > 0 {
		h.zeros = zeros{p.zeros, p.seq + uint32(len(p.data)), fs.stamp}
	}
	fs.over(f)
}

// unpadded gives the zeros that end a direction, unless what stands in their place shows that
// they are no part of it.
func (fs *flows) unpadded(f *flow, from int) {
	h := &f.half[from]
	if h.zeros.n == 0 || f.starting || f.dead || h.done {
		return
	}
	end := h.pos + int64(h.zeros.n)
	if h.hasAck && h.acked >= end || len(h.waiting) > 0 && h.waiting[0].off >= end || h.fin && h.end >= end {
		fs.giveZeros(f, from)
		fs.drain(f)
	}
}

// giveZeros gives the zeros that stand where a direction has come to, if any do, and returns
// how many they are.
func (fs *flows) giveZeros(f *flow, from int) (n int) {
	h := &f.half[from]
	if h.next != h.zeros.seq {
		return 0
	}
	n, h.zeros.n = h.zeros.n, 0
	fs.give(f, from, make([]byte, n), 0, 0, h.zeros.stamp)
	return n
}

// flowOf finds the connection of a segment, or begins it.
func (fs *flows) flowOf(file *file, key tuple, from int, p *segment) *flow {
	table := fs.byTuple
	if file.own {
		table = file.table
	}
	f := table[key]
	if f != nil && f.other(from, p) {
		again := f.again
		fs.leave(f, capture.EndReused)
		if f = nil; again > 0 && p.flags&flagSYN != 0 && p.flags&flagACK != 0 {
			// The SYN that it answers was taken for one of the connection before.
			f = fs.begin(file, table, key)
			f.syn, f.caller, f.first.packet, f.handshake[0] = true, 1-from, again, again
			f.startsAt(1-from, p.ack-1)
		}
	}
	switch {
	case f == nil:
		return fs.begin(file, table, key)
	case !f.dead && f.list == &fs.open && fs.open.last != f:
		fs.open.push(f)
	}
	return f
}

// afterEnd takes in a segment of a connection that is over.
func (fs *flows) afterEnd(f *flow, from int, p *segment) {
	if p.flags&flagSYN != 0 && p.flags&flagACK == 0 && f.again == 0 {
		f.again = fs.packet
	}
	if len(p.data) > 0 {
		fs.behind(f, from, p, max(f.half[from].top, f.half[from].pos))
	}
	fs.place(f, from, p)
}

// behind counts a segment that has something behind the end of its direction, or of the
// connection, and tells the first.
func (fs *flows) behind(f *flow, from int, p *segment, end int64) {
	h := &f.half[from]
	n := int64(len(p.data) + p.missing)
	if h.known {
		n = min(n, h.off(p.seq)+n-end)
	}
	if n <= 0 || h.known && n == 1 && h.keepAlive(p) {
		return
	}
	fs.r.stats.Skipped[SkippedAfterClose]++
	if h.behind || f.own > 0 || !f.told || h.known && !h.near(h.off(p.seq)) {
		return
	}
	h.behind = true
	fs.push(&capture.Late{Conn: f.number, Side: f.sideOf(from), Time: fs.now, Packet: fs.packet, Len: n, Behind: true})
}

// numbered takes in what the numbers of a segment say of both directions, and returns how
// many bytes of its own it has.
func (fs *flows) numbered(f *flow, from int, p *segment) int {
	h, o := &f.half[from], &f.half[1-from]
	ack, fin := p.flags&flagACK != 0, p.flags&flagFIN != 0
	n := len(p.data) + p.missing
	if ack && len(o.rivals) > 0 {
		o.choose(p.ack)
	}
	if n > 0 && len(h.rivals) > 0 {
		h.choose(p.seq)
	}
	if ack && f.starting && (f.syn || begins(p.data) == 0) && !o.sure {
		f.startAt(1-from, p.ack) // what it has got so far is nothing, or was sent before all that is here
		if f.syn && h.sure && p.seq == h.first() {
			o.got, o.hasGot = p.ack, true
		}
	}
	if ack && o.known {
		f.acknowledge(from, p, fs.stamp)
	}
	if n == 1 && len(p.data) == 1 && !fin && p.flags&flagSYN == 0 && h.keepAlive(p) {
		n = 0
	}
	if (n > 0 || fin) && (!h.known || f.starting && !h.sure) {
		f.startAt(from, p.seq)
	}
	if h.known && !f.sent(from, p, n, fs.stamp) {
		fs.r.stats.Skipped[SkippedStray]++
		n = 0
	}
	return n
}

// over ends a connection that both sides have ended. What is still missing may be late.
func (fs *flows) over(f *flow) {
	h, o := &f.half[0], &f.half[1]
	switch {
	case f.dead:
	case h.done && o.done:
		fs.die(f)
	case f.reset && !f.lacks():
		fs.close(f)
	case h.finAcked() && o.finAcked():
		fs.lingers(f)
	}
}

// lacks tells whether something is waited for that was sent.
func (f *flow) lacks() bool {
	h, o := &f.half[0], &f.half[1]
	return len(h.waiting)+len(o.waiting) > 0 || h.lost() > 0 || o.lost() > 0
}

// lingers waits for what a connection lacks that has ended.
func (fs *flows) lingers(f *flow) {
	if !f.closed {
		f.closed, f.closedAt = true, fs.now
		fs.closing = append(fs.closing, f)
	}
}

// linger closes the connections that have been waited for.
func (fs *flows) linger() {
	for len(fs.closing) > 0 && (fs.closing[0].dead || fs.now-fs.closing[0].closedAt > maxLinger) {
		f := fs.closing[0]
		fs.closing[0] = nil
		if fs.closing = fs.closing[1:]; !f.dead {
			fs.close(f)
		}
	}
}

// close ends a connection, whatever it lacks.
func (fs *flows) close(f *flow) {
	fs.fillAll(f)
	if f.reset {
		fs.tell(f, f.resetBy, nil)
		fs.push(&capture.Close{Conn: f.number, Side: f.sideOf(f.resetBy), Time: f.resetAt.now, Packet: f.resetAt.packet, Reset: true})
	}
	fs.die(f)
}

// begun tells whether it is no use to wait for the beginning of a connection: both its
// SYNs are there, or so much has come that they are not late. Where all of the capture
// is there, a direction that has not begun at all may stand behind the other one.
func (f *flow) begun(whole bool) bool {
	return f.syn && f.synAck || f.seen >= maxHoleAge && !(whole && !(f.half[0].sent() && f.half[1].sent()))
}

// sent tells whether something of a direction is there.
func (h *half) sent() bool { return h.fin || len(h.waiting) > 0 || h.pos > 0 }

// start begins to give what a connection carries.
func (fs *flows) start(f *flow) {
	if !f.starting {
		return
	}
	f.starting = false
	if from := f.oldest(); from >= 0 && f.caller < 0 {
		if side := begins(f.half[from].waiting[0].data); side >= 0 {
			f.caller = from ^ side
		}
	}
	for from := range f.half {
		for _, w := range f.half[from].waiting {
			if w.got.known && f.half[1-from].known {
				f.acknowledge(from, &segment{ack: w.got.ack, data: w.data}, w.stamp) // the other direction was not known then
			}
		}
		if h := &f.half[from]; h.fin && h.finGot.known && f.half[1-from].known {
			f.acknowledge(from, &segment{ack: h.finGot.ack}, h.finAt)
		}
	}
	fs.drain(f)
}

// startAt takes a sequence number for that of the first byte of a direction, if nothing
// before it is known. What was put into places before is moved on.
func (f *flow) startAt(from int, seq uint32) {
	h := &f.half[from]
	if !h.known {
		h.known, h.next = true, seq
		return
	}
	n := -h.off(seq)
	if n <= 0 || n > maxWindow || !f.starting {
		return
	}
	h.next = seq
	h.top += n
	h.end += n
	if h.hasAck {
		h.acked += n
	}
	for i := range h.waiting {
		h.waiting[i].off += n
	}
}

// late tells where a segment is what was given up before.
func (fs *flows) late(f *flow, from int, p *segment) {
	h := &f.half[from]
	at := h.off(p.seq)
	end := at + int64(len(p.data))
	for i := range h.holes {
		g := &h.holes[i]
		n := min(end, g.to) - max(at, g.from)
		if n <= 0 {
			continue
		}
		fs.push(&capture.Late{Conn: f.number, Side: f.sideOf(from), Time: fs.now, Packet: fs.packet, Len: n})
		if at <= g.from {
			g.from = min(end, g.to)
		} else {
			g.to = at // what stands behind it may come, too, but is not remembered
		}
	}
}

// differs tells of bytes that had come with other content, in whatever segments. Nobody knows
// which of the two the receiver took. One byte alone may be anything, to ask whether the other
// side is still there (RFC 9293 3.8.4).
func (fs *flows) differs(f *flow, from int, p *segment) {
	h := &f.half[from]
	at := h.off(p.seq)
	off, n := int64(0), 0
	compare := func(start int64, held []byte) {
		from, to := max(at, start), min(at+int64(len(p.data)), start+int64(len(held)))
		if from < to && !bytes.Equal(p.data[from-at:to-at], held[from-start:to-start]) {
			if n == 0 {
				off = from
			}
			n += int(to - from)
		}
	}
	compare(h.pos-int64(len(h.recent)), h.recent)
	for i := range h.waiting {
		compare(h.waiting[i].off, h.waiting[i].data)
	}
	o := other{off, contentSum(p.data)}
	if n == 0 || len(p.data) == 1 || !f.told || slices.Contains(h.others[:], o) {
		return
	}
	h.others[h.othered] = o
	h.othered = (h.othered + 1) % len(h.others)
	fs.push(&capture.Late{Conn: f.number, Side: f.sideOf(from), Time: fs.now, Packet: fs.packet, Len: int64(n), Other: true})
}

// remember keeps what is given for differs: of each direction the last bytes, and of all of
// them so much that memory is bounded.
func (fs *flows) remember(h *half, data []byte) {
	if len(h.recent)+len(data) > 2*maxRecent {
		keep := h.recent[len(h.recent)-min(len(h.recent), max(0, maxRecent-len(data))):]
		fs.recent -= len(h.recent) - len(keep)
		h.recent = h.recent[:copy(h.recent, keep)]
		data = data[max(0, len(data)-maxRecent):]
	}
	if fs.recent+len(data) > maxRecentAll {
		fs.forgetRecent(h)
		return
	}
	fs.recent += len(data)
	if n := len(fs.spares); h.recent == nil && n > 0 {
		h.recent, fs.spares = fs.spares[n-1], fs.spares[:n-1]
	}
	h.recent = append(h.recent, data...)
}

func (fs *flows) forgetRecent(h *half) {
	fs.recent -= len(h.recent)
	if cap(h.recent) > 0 && len(fs.spares) < maxSpares {
		fs.spares = append(fs.spares, h.recent[:0])
	}
	h.recent = nil
}

func contentSum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// reset takes in a RST. What it may carry is a diagnosis (RFC 9293 3.5.3).
func (fs *flows) reset(f *flow, from int, p *segment) {
	if !f.resets(from, p) {
		fs.r.stats.Skipped[SkippedStray]++
		return
	}
	if !f.reset {
		f.reset, f.resetBy, f.resetAt = true, from, fs.stamp
	}
	fs.start(f)
	if fs.drain(f); !f.lacks() {
		fs.close(f)
		return
	}
	fs.lingers(f)
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
		h.fin, h.end, h.finAt, h.finGot = true, end, at, p.got()
	}
	return true
}

// acknowledge notes how far a segment acknowledges the other half.
func (f *flow) acknowledge(from int, p *segment, at stamp) {
	h, o := &f.half[from], &f.half[1-from]
	limit := o.limit()
	if f.syn && !f.synAck && !h.known && len(p.data)+p.missing == 0 {
		limit = o.top // before the SYN-ACK nothing else can have been acknowledged; it is late where there is data
	}
	if a := o.off(p.ack); a <= limit && (a > o.acked || !o.hasAck) {
		o.acked, o.hasAck, o.ack = a, true, at
	}
}

// due returns how much of the other half must have been given before something of this one
// is, whose sender had got that.
func (f *flow) due(from int, g got) int64 {
	o := &f.half[1-from]
	if !g.known || !o.known || f.own > 0 {
		return 0
	}
	a := o.off(g.ack)
	if o.fin {
		a = min(a, o.end)
	}
	if a > o.limit() {
		return 0 // it is not believed
	}
	return a
}

// place notes where a segment belongs, if somebody asks.
func (fs *flows) place(f *flow, from int, p *segment) {
	h := &f.half[from]
	if fs.r.place == nil || !h.known || !h.near(h.off(p.seq)) {
		return
	}
	if at, ok := fs.r.places.of(f.number); ok {
		*fs.r.place = place{tcp: true, conn: f.number, side: capture.Side(from ^ at.caller), off: h.off(p.seq) + int64(int32(h.first()-at.first[from]))}
	} else if f.told {
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
	case p.flags&flagSYN != 0 && f.starting && h.known && !h.sure:
		return !h.near(h.off(p.seq + 1)) // it is late
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
// What comes next itself is none, even if the receiver has acknowledged it already.
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
	return p.flags&flagPSH == 0 && off+1 == max(h.acked, h.top) && off != h.pos
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
	f := &flow{table: table, tuple: key, number: fs.count, first: fs.stamp, last: fs.stamp, caller: -1, starting: !file.own}
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
		case h.known && !f.starting: // late: the direction is under way
			h.isn, h.hasISN = p.seq, true
		default:
			f.startsAt(from, p.seq)
		}
		if !f.told {
			f.caller = from
		}
		f.syn = true
		if f.handshake[0] == 0 {
			f.handshake[0] = packet
		}
		f.synAck = f.synAck || o.sure && f.handshake[1] > 0 && f.answered == p.seq+1
		return
	}
	if f.handshake[1] == 0 {
		f.handshake[1], f.answered = packet, p.ack
	}
	if !f.starting && (h.pos > 0 || len(h.waiting) > 0 || h.fin) {
		return // late
	}
	f.startsAt(from, p.seq)
	if f.caller < 0 {
		f.caller = 1 - from
	}
	if !o.known {
		f.startAt(1-from, p.ack)
	}
	f.synAck = f.synAck || f.syn && o.hasISN && o.isn+1 == p.ack
}

// startsAt sets where a direction begins, by its SYN.
func (f *flow) startsAt(from int, isn uint32) {
	h := &f.half[from]
	switch {
	case h.sure && h.isn != isn:
		if len(h.rivals) < maxRivals {
			h.rivals = append(h.rivals, isn)
		}
		return
	case !h.sure:
		f.startAt(from, isn+1)
	}
	if h.pos == 0 {
		h.isn, h.hasISN, h.sure = isn, true, true
	}
}

// choose begins a direction with that of several SYN-ACKs which seq, the number of its
// first byte by a segment or an acknowledgement, belongs to.
func (h *half) choose(seq uint32) {
	if i := slices.Index(h.rivals, seq-1); i >= 0 && h.pos == 0 && len(h.waiting) == 0 && !h.fin {
		h.rivals[i], h.isn = h.isn, h.rivals[i]
		h.next, h.top, h.acked, h.hasAck = seq, 0, 0, false
	}
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
	var starts [2]uint32
	var begins [2]capture.Start
	for from := range f.half {
		h, side := &f.half[from], f.sideOf(from)
		switch {
		case h.sure:
			starts[side], begins[side] = h.first(), capture.StartSYN
		case h.known && from == f.caller && f.handshake[1] > 0 && f.answered == h.first():
			begins[side] = capture.StartSYN
		case h.known && h.hasGot && h.got == h.first():
			begins[side] = capture.StartAcked
		}
	}
	fs.push(&capture.Open{
		Starts: starts, Begins: begins, Conn: f.number, Leg: capture.Leg(f.tuple.leg), Time: f.first.now, Packet: f.first.packet,
		Client: ends[f.caller], Server: ends[1-f.caller], SYN: f.syn && f.synAck, Asked: f.syn && !f.synAck, Answered: !f.syn && f.handshake[1] > 0,
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
	if ahead <= 0 && len(h.waiting) == 0 && !f.starting && f.half[1-from].pos >= f.due(from, p.got()) {
		fs.give(f, from, p.data, p.missing, int(-ahead), fs.stamp)
	} else {
		h.wait(p, ahead, fs.stamp, &fs.waiting)
	}
	if len(f.half[0].waiting)+len(f.half[1].waiting) == 0 {
		return
	}
	fs.drain(f)
	for h.size > maxWaiting || fs.waiting > maxWaitAll && fs.holding.first == f {
		if !fs.unblock(f) {
			break
		}
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
	fs.tell(f, from, data)
	missing -= max(0, skip-len(data))
	data = data[min(skip, len(data)):]
	if h.fin { // nothing comes after the end
		room := int(min(max(h.end-h.pos, 0), 1<<30))
		data = data[:min(len(data), room)]
		missing = min(missing, room-len(data))
	}
	time := h.time(at)
	if len(data) > 0 {
		if f.own == 0 { // what explainer records comes once
			fs.remember(h, data)
		}
		c := fs.chunk()
		*c = capture.Chunk{Conn: f.number, Side: f.sideOf(from), Time: time, Packet: at.packet, Data: data, Sequence: h.next}
		fs.push(c)
	}
	if missing > 0 {
		fs.forgetRecent(h)
		fs.push(&capture.Gap{Conn: f.number, Side: f.sideOf(from), Time: time, Packet: at.packet, Len: int64(missing), Sequence: h.next + uint32(len(data))})
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
		w := piece{off: cur, got: p.got(), stamp: at, missing: int(max(0, until-max(cur, have)))}
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

// drain gives what has become due of what waits, in the order of the packets where the
// streams leave a choice, and the ends if they have come.
func (fs *flows) drain(f *flow) {
	for !f.starting {
		next, at := -1, 0
		for from := range f.half {
			h, o := &f.half[from], &f.half[1-from]
			packet := 0
			switch {
			case h.done:
				continue
			case len(h.waiting) > 0 && h.waiting[0].off <= h.pos && o.pos >= f.due(from, h.waiting[0].got):
				packet = h.waiting[0].stamp.packet
			case h.fin && h.pos == h.end && o.pos >= f.due(from, h.finGot):
				packet = h.finAt.packet
			default:
				continue
			}
			if next < 0 || packet < at {
				next, at = from, packet
			}
		}
		if next < 0 {
			break
		}
		h := &f.half[next]
		if len(h.waiting) == 0 || h.fin && h.pos == h.end {
			fs.finish(f, next)
			continue
		}
		w := h.waiting[0]
		h.waiting[0] = piece{}
		h.waiting = h.waiting[1:]
		cost := len(w.data) + waitOverhead
		h.size -= cost
		fs.waiting -= cost
		fs.give(f, next, w.data, w.missing, int(h.pos-w.off), w.stamp)
	}
	if f.dead {
		return
	}
	if len(f.half[0].waiting)+len(f.half[1].waiting) > 0 {
		if f.list != &fs.holding {
			fs.holding.push(f)
		}
	} else if f.list == &fs.holding {
		fs.open.push(f)
	}
}

// oldest returns the half with the oldest packet that waits, -1 if none does.
func (f *flow) oldest() int {
	from, packet := -1, 0
	for i := range f.half {
		if w := f.half[i].waiting; len(w) > 0 && (from < 0 || w[0].stamp.packet < packet) {
			from, packet = i, w[0].stamp.packet
		}
	}
	return from
}

// unblock gives up what the oldest of what waits waits for. It returns false if nothing waits.
func (fs *flows) unblock(f *flow) bool {
	if f.starting {
		fs.start(f)
		return true
	}
	from := f.oldest()
	if from < 0 {
		return false
	}
	h, o := &f.half[from], &f.half[1-from]
	w := &h.waiting[0]
	due := f.due(from, w.got)
	switch {
	case o.pos >= due:
		fs.fill(f, from)
		return true
	case len(o.waiting) > 0 && o.waiting[0].off > o.pos:
		fs.fill(f, 1-from)
		return true
	case len(o.waiting) == 0 && o.lost() > 0:
		n := min(o.lost(), due-o.pos)
		if n <= 0 {
			n = o.lost()
		}
		fs.lose(f, 1-from, n)
		return true
	case w.off > h.pos:
		fs.fill(f, from)
		return true
	default:
		w.got.known = false // the two sides contradict each other
	}
	fs.drain(f)
	return true
}

// fill gives up the first hole of a direction.
func (fs *flows) fill(f *flow, from int) {
	h := &f.half[from]
	w := h.waiting[0]
	n := w.off - h.pos
	if h.fin {
		n = min(n, h.end-h.pos)
	}
	switch {
	case n > maxWindow && len(h.waiting) == 1 && h.acked < w.off:
		// Nothing else says that so much was sent: it is of another connection, or made up.
		fs.r.stats.Skipped[SkippedStray]++
		fs.drop(h)
	case n > 0:
		fs.gap(f, from, n, w.stamp)
	default: // it stands behind the end
		fs.drop(h)
	}
	fs.drain(f)
}

func (fs *flows) gap(f *flow, from int, n int64, at stamp) {
	fs.tell(f, from, nil)
	h := &f.half[from]
	if n >= int64(h.zeros.n) {
		n -= int64(fs.giveZeros(f, from))
	}
	if n == 0 {
		return
	}
	fs.forgetRecent(h)
	fs.push(&capture.Gap{Conn: f.number, Side: f.sideOf(from), Time: h.time(at), Packet: at.packet, Len: n, Sequence: h.next})
	if len(h.holes) == maxHoles {
		h.holes = slices.Delete(h.holes, 0, 1)
	}
	h.holes = append(h.holes, hole{h.pos, h.pos + n})
	h.advance(int(n))
}

// giveUp gives up a hole that has waited long enough after the receiver acknowledged it.
func (fs *flows) giveUp(f *flow, from int) {
	h := &f.half[from]
	if fs.r.whole || f.starting || f.dead {
		return
	}
	n, w := h.lost(), f.half[1-from].waiting
	if n == 0 && (len(w) == 0 || h.pos >= f.due(1-from, w[0].got)) {
		return
	}
	if h.age++; h.age <= maxHoleAge {
		return
	}
	if n > 0 {
		fs.lose(f, from, n)
	} else {
		fs.unblock(f)
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
	fs.drain(f)
}

// finish gives the end of a direction.
func (fs *flows) finish(f *flow, from int) {
	h := &f.half[from]
	h.done = true
	fs.tell(f, from, nil)
	fs.push(&capture.Close{Conn: f.number, Side: f.sideOf(from), Time: h.time(h.finAt), Packet: h.finAt.packet})
	fs.drop(h)
}

// drop frees what waits.
func (fs *flows) drop(h *half) {
	fs.waiting -= h.size
	h.size, h.waiting = 0, nil
	fs.forgetRecent(h)
}

// fillAll gives up all holes of a connection.
func (fs *flows) fillAll(f *flow) {
	fs.start(f)
	fs.drain(f)
	for fs.unblock(f) {
	}
	first := max(f.caller, 0)
	for _, from := range [2]int{first, 1 - first} {
		h := &f.half[from]
		n := h.lost()
		if h.fin && !h.done {
			n = h.end - h.pos // its own number says that they were sent, though nobody acknowledged them
		}
		if n > 0 {
			fs.lose(f, from, n)
		}
	}
	for from := range f.half {
		h := &f.half[from]
		if h.zeros.n > 0 && !h.fin {
			fs.giveZeros(f, from) // nothing shows what they are; most such zeros are data
		}
		if h.fin && !h.done && h.pos == h.end {
			fs.finish(f, from) // what it acknowledges is nowhere
		}
	}
}

// die ends a connection. It is remembered for a while, so that late packets of
// it do not look like a new one.
func (fs *flows) die(f *flow) {
	fs.note(f)
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
	if !over && !f.reset {
		fs.push(&capture.End{Conn: f.number, Time: f.last.now, Why: why})
	}
}

// forget gives what is left of a connection and stops to follow it.
func (fs *flows) forget(f *flow) {
	if !f.dead {
		fs.fillAll(f)
		fs.tell(f, max(f.caller, 0), nil)
		if f.reset {
			fs.close(f)
		}
		fs.note(f)
		fs.drop(&f.half[0])
		fs.drop(&f.half[1])
	}
	fs.remove(f)
	f.dead = true
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
