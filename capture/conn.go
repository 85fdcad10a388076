package capture

import (
	"bytes"
	"slices"
	"sort"

	"explainer/capture/handshake"
	"explainer/capture/web"
)

// mode is what a connection was found to carry.
type mode uint8

const (
	modeSniffing mode = iota
	modeHTTP
	modeTLS
	modeOpaque
)

// conn is the Decoder's own state of a connection.
type conn struct {
	d      *Decoder
	pub    *Conn
	halves [2]half
	mode   mode
	seq    uint64 // counts inputs, to tell which of two bytes came first
	closes [2]bool

	found  bool   // TLS was found after bytes of another protocol
	forced string // nothing waits any more; why a secret was not waited for: SealedNoKey or SealedTooMany

	web    *web.Conn // what is inside TLS, or the plain HTTP
	webGap bool      // bytes of it are missing
	plain  bool      // a request in clear was read that asks for no tunnel
	gaps   [2]uint64 // seq of the first gap of a side, 0 if there is none
	alpn   string
	last   *negotiation
	lastAt int64      // of its last packet, where the capture ends
	tied   [][32]byte // client randoms whose secrets this connection is told

	// 0-RTT data that the server rejected is sent once more later, so it is
	// read apart from what follows (RFC 8446 4.2.10).
	rejected *web.Conn

	tds *[2]tdsHalf // of one that may begin with SQL Server's protocol

	queued  bool  // stands in Decoder.queue
	waiting int64 // what it counts in Decoder.waiting
}

// half is one direction of a connection.
type half struct {
	side Side
	next int64 // place in the stream of the next byte to come
	off  int64 // of the next byte to read, which is buf[0] if buf is not empty
	told int64 // where the last message ended, and the next begins
	base int64 // where sniffing began: 0, or the beginning of a tunnel

	buf   []byte  // what came and was not read yet
	want  int     // bytes that buf must have before reading on makes sense; 0: any
	queue []event // what came behind buf while that waits

	blocked bool // the next thing has to wait
	// searching says that the next thing may be a record, and more bytes will show it.
	searching bool
	headSeq   uint64 // and this is when it came
	atEvent   bool   // it is a gap or the end: no message comes before that
	ended     bool   // the end was handled

	why     string // why this direction is not read any more, one of the Opaque constants; "": it is
	preview []byte // of what is not read

	before before // what of another protocol stands before TLS, perhaps

	pieces []piece // pieces[dropped:] are the packets of the bytes that matter still
	drops  int
	first  piece // of the byte at told, where it was dropped; off < 0: it was not

	tls  tlsHalf
	twin twinHalf
}

// An event waits its turn: a gap, bytes behind it, or the end.
type event struct {
	data   []byte
	gap    int64
	left   bool // of a gap, as in Gap
	close  bool
	reset  bool
	silent bool // this direction was ended by the other side's RST: there is no message
	time   int64
	packet int
	seq    uint64
}

// A piece says where the bytes from off on came from.
type piece struct {
	off    int64
	packet int
	time   int64
	seq    uint64
}

func (c *conn) chunk(in *Chunk) {
	h := &c.halves[in.Side&1]
	if c.closes[h.side] {
		return
	}
	c.seq++
	from := piece{h.next, in.Packet, in.Time, c.seq}
	if h.next == 0 && h.side == Client && in.Data[0] == tdsPrelogin {
		c.tds = new([2]tdsHalf)
	}
	if c.tds != nil {
		c.tdsFrom(h, in.Data, from)
		return
	}
	c.take(h, in.Data, from)
}

// take takes the next bytes of a direction.
func (c *conn) take(h *half, data []byte, from piece) {
	from.off = h.next
	h.pieces = append(h.pieces, from)
	h.next += int64(len(data))
	if c.d.Twin != nil {
		h.twin.raw = append(h.twin.raw, data...)
	}
	c.push(h, data)
	h.trim()
	if c.halves[h.side.Other()].blocked {
		c.pump()
	}
}

// push reads bytes, and keeps what cannot be read yet. A record that lies whole
// in data is read from there; of one that does not, buf takes no more than its rest.
func (c *conn) push(h *half, data []byte) {
	for len(data) > 0 {
		switch {
		case len(h.queue) > 0:
			last := &h.queue[len(h.queue)-1]
			if last.gap > 0 {
				h.queue = append(h.queue, event{})
				last = &h.queue[len(h.queue)-1]
			}
			last.data = wait(last.data, data)
			return
		case h.blocked:
			h.buf = wait(h.buf, data)
			return
		case len(h.buf) == 0:
			if data = data[c.read(h, data):]; len(data) == 0 {
				return
			}
			if h.buf == nil {
				h.buf = c.d.spare()
			}
			h.buf = append(h.buf, data...)
			return
		}
		take := len(data)
		if h.want > len(h.buf) {
			take = min(take, h.want-len(h.buf))
		}
		h.buf = append(h.buf, data[:take]...)
		data = data[take:]
		c.drop(h, c.read(h, h.buf))
	}
}

// wait puts data behind what waits. Megabytes may, so the buffer doubles: append makes
// large ones longer by a quarter, and so copies them twice as often.
func wait(buf, data []byte) []byte {
	if n := len(buf) + len(data); n > cap(buf) {
		buf = slices.Grow(buf, n)
	}
	return append(buf, data...)
}

// maxSpares is how many buffers are kept for the halves that need one next: where
// several connections carry bodies at once, each has the rest of a record in one.
const maxSpares = 32

// spare returns a buffer that no connection has bytes in, or nil.
func (d *Decoder) spare() []byte {
	n := len(d.spares) - 1
	if n < 0 {
		return nil
	}
	b := d.spares[n]
	d.spares[n] = nil
	d.spares = d.spares[:n]
	return b
}

// drop takes n bytes that were read off buf. An empty one is for whichever half
// needs the next.
func (c *conn) drop(h *half, n int) {
	const keep = 64 << 10
	rest := len(h.buf) - n
	switch {
	case n == 0:
	case rest == 0:
		if cap(h.buf) <= keep && len(c.d.spares) < maxSpares {
			c.d.spares = append(c.d.spares, h.buf[:0])
		}
		h.buf = nil
	case rest > keep:
		h.buf = h.buf[n:] // moving it each time would cost too much
	default:
		h.buf = h.buf[:copy(h.buf, h.buf[n:])]
	}
}

type status uint8

const (
	done    status = iota // something was read: go on
	more                  // there are not enough bytes yet
	blocked               // it has to wait; headSeq is set
)

// read reads from p, the next bytes of h, as far as it can, and returns how far.
func (c *conn) read(h *half, p []byte) int {
	h.blocked, h.atEvent, h.searching = false, false, false
	h.want = 0
	for n := 0; ; {
		k, st := c.step(h, p[n:])
		n += k
		h.off += int64(k)
		if st != done {
			h.blocked = st == blocked
			return n
		}
	}
}

// step reads one thing from p and returns how many bytes that took.
func (c *conn) step(h *half, p []byte) (int, status) {
	if h.why == "" && c.mode == modeOpaque {
		h.stop(OpaqueUnknown)
	}
	if h.why != "" {
		n, st := len(p), more
		if h.why == OpaqueGap && c.mayTunnel(h) {
			n, st = c.findTunnelled(h, p)
		}
		if h.why == OpaqueUnknown && c.mode == modeOpaque && h.off-h.base < maxSearch {
			if h.side == Client {
				n, st = c.search(h, p)
			}
			if c.midstream() && c.mode == modeOpaque {
				if k, s := c.findMidstream(h, p[:n]); k < n || c.mode == modeTLS {
					n, st = k, s
				}
			}
		}
		h.preview = append(h.preview, p[:min(n, cap(h.preview)-len(h.preview))]...)
		if h.why != OpaqueUnknown || c.mode != modeOpaque || h.off+int64(n)-h.base > maxBefore {
			c.twinCover(h, h.off+int64(n))
		}
		switch room := maxSearch - (h.off - h.base); {
		case room > 0 && h.why == OpaqueUnknown:
			h.before.add(p[:min(int64(n), room)])
		case h.before.head != nil:
			h.before = before{} // it is too late for TLS to begin
		}
		return n, st
	}
	switch c.mode {
	case modeSniffing:
		return c.sniff(h, p)
	case modeHTTP:
		return c.http(h, p)
	}
	return c.record(h, p)
}

// stop gives up reading a direction.
func (h *half) stop(why string) {
	h.why = why
	h.preview = make([]byte, 0, maxPreview)
	h.tls.message = nil
}

const maxPreview = 64 // bytes of Opaque.Preview

func clonePreview(p []byte) []byte { return bytes.Clone(p[:min(len(p), maxPreview)]) }

func (c *conn) gapped(in *Gap) {
	h := &c.halves[in.Side&1]
	if c.d.Twin != nil && !c.closes[h.side] {
		h.twin.gaps = append(h.twin.gaps, h.next)
	}
	h.next += in.Len
	c.event(h, event{gap: in.Len, left: in.Left, time: in.Time, packet: in.Packet})
}

func (c *conn) close(in *Close) {
	h := &c.halves[in.Side&1]
	o := &c.halves[h.side.Other()]
	if c.closes[h.side] && (!in.Reset || c.closes[o.side]) {
		return
	}
	c.closes[h.side] = false // a RST after one's own FIN is told, too
	e := event{close: true, reset: in.Reset, time: in.Time, packet: in.Packet}
	if in.Reset {
		// What is left of the other side comes before the message about its end.
		s := e
		s.silent = true
		c.event(o, s)
	}
	c.event(h, e)
	if c.closes[h.side] && c.closes[o.side] && (c.pub.Leg != LegNone || c.d.SecretsFirst) {
		c.giveUp(SealedNoKey)
	}
}

// event lets a gap or an end take its turn.
func (c *conn) event(h *half, e event) {
	if c.closes[h.side] {
		return
	}
	c.tdsOver(h)
	c.seq++
	e.seq = c.seq
	c.closes[h.side] = e.close
	h.queue = append(h.queue, e)
	if !h.blocked {
		c.drain(h)
	}
	if c.halves[h.side.Other()].blocked {
		c.pump()
	}
}

// pump reads on in the directions that wait, the oldest first, until neither can.
func (c *conn) pump() {
	for {
		a, b := &c.halves[Client], &c.halves[Server]
		if b.blocked && (!a.blocked || b.headSeq < a.headSeq) {
			a, b = b, a
		}
		if !(a.blocked && c.drain(a)) && !(b.blocked && c.drain(b)) {
			return
		}
	}
}

// drain reads what has waited in h, and reports whether it went on at all.
func (c *conn) drain(h *half) bool {
	moved := false
	for {
		off, message := h.off, len(h.tls.message)
		c.drop(h, c.read(h, h.buf))
		moved = moved || h.off != off || len(h.tls.message) != message
		if h.blocked || len(h.queue) == 0 {
			break
		}
		e := h.queue[0]
		if e.close || e.gap > 0 {
			if c.findLast(h) {
				continue
			}
			h.searching = false
		}
		if o := &c.halves[h.side.Other()]; (e.close || e.gap > 0) && c.waitsAt(o) && o.headSeq < e.seq {
			h.blocked, h.atEvent = true, true
			h.headSeq = e.seq
			break
		}
		h.queue = h.queue[1:]
		moved = true
		switch {
		case e.close:
			c.end(h, e)
		case e.gap > 0:
			c.gap(h, e)
		default:
			h.buf = e.data
		}
	}
	h.trim()
	return moved || !h.blocked
}

func (c *conn) gap(h *half, e event) {
	if c.gaps[h.side] == 0 {
		c.gaps[h.side] = e.seq
	}
	c.webGap = c.webGap || c.mode == modeTLS && c.web != nil
	c.endWeb(h, e, true)
	c.cutHello(h)
	known := h.off
	c.cut(h)
	h.off += e.gap
	c.add(h, h.off, Message{Time: e.time, First: e.packet, Last: e.packet, Body: &Missing{Len: e.gap, Left: e.left}})
	switch {
	case c.mode == modeTLS && h.why == "":
		h.tls.gap(known)
	case h.why == "":
		h.stop(OpaqueGap)
	}
	if o := &c.halves[h.side.Other()]; c.mode == modeSniffing && (o.why != "" || o.ended) {
		c.mode = modeOpaque // neither side is left to show what it is
	}
}

func (c *conn) end(h *half, e event) {
	c.endWeb(h, e, e.reset || c.mode == modeTLS)
	c.cut(h)
	if c.mode == modeSniffing {
		c.mode = modeOpaque // the other side may wait for this one to show what it is
	}
	h.ended = true
	if !e.silent {
		c.add(h, h.told, Message{Time: e.time, First: e.packet, Last: e.packet, Body: &Closed{Reset: e.reset}})
	}
}

// endWeb tells the web protocol that no more will come. In TLS only
// close_notify is a proper end.
func (c *conn) endWeb(h *half, e event, cut bool) {
	if c.web == nil {
		return
	}
	mark := web.Mark{Start: h.off, End: h.off, First: e.packet, Last: e.packet, Time: e.time}
	var items []web.Item
	if cut {
		items = c.web.Abort(int(h.side), mark)
	} else {
		items = c.web.End(int(h.side), mark)
	}
	c.items(h, items)
}

// cut tells what is left of h where nothing more can be read of it.
func (c *conn) cut(h *half) {
	end := h.off + int64(len(h.buf))
	c.flush(h)
	c.cutMessages(h)
	if h.why != "" {
		h.preview = append(h.preview, h.buf[:min(len(h.buf), cap(h.preview)-len(h.preview))]...)
		c.tellOpaque(h, end)
	} else {
		if c.mode == modeTLS {
			c.cutRecord(h, end)
		}
		if end > h.told {
			begin := h.tls.message
			if len(begin) == 0 {
				begin = h.buf
			}
			o := &Opaque{Len: end - h.told, Preview: clonePreview(begin), Why: OpaqueCut}
			if h.tls.resync && c.mode == modeTLS {
				h.skim(h.buf)
				o.Preview, o.Why = h.preview, OpaqueGap
			}
			c.tell(h, end, o)
		}
		h.preview = nil
		h.tls.message = nil
	}
	h.off = end
	h.buf = nil
}

// cutHello tells the first hello of a side that missing bytes cut off. The client's says, as far as
// it goes, whose keys are for the connection; the server's, what it chose.
func (c *conn) cutHello(h *half) {
	t := &h.tls
	if c.mode != modeTLS || t.on || t.gapped || t.resync || t.fragment || h.why != "" {
		return
	}
	raw := bytes.Clone(t.message)
	if len(h.buf) > headerLen && h.buf[0] == typeHandshake && t.skip == 0 {
		raw = append(raw, h.buf[headerLen:]...)
	}
	if len(raw) < 4 {
		return
	}
	missing := 4 + (int(raw[1])<<16 | int(raw[2])<<8 | int(raw[3])) - len(raw)
	if missing <= 0 {
		return
	}
	end := h.off + int64(len(h.buf))
	switch typ := handshake.Type(raw[0]); {
	case typ == handshake.TypeClientHello && h.side == Client && c.last == nil:
		m, ok := handshake.ParseCut(raw[4:])
		if !ok {
			return
		}
		c.clientHello(h, m, nil)
		c.last.holed = true
		t.begun = true
		c.tell(h, end, &CutHello{Hello: m, Missing: missing})
		defer c.d.keyedSoFar(c, c.last.secrets)
	case typ == handshake.TypeServerHello && h.side == Server && (c.last == nil || !c.last.answered):
		m, ok := handshake.ParseCutServer(raw[4:])
		if !ok {
			return
		}
		t.begun = true
		c.tell(h, end, &CutServerHello{Hello: m, Missing: missing})
	default:
		return
	}
	h.off, h.buf, t.message = end, nil, nil
}

// cutMessages tells the messages that stand whole in a handshake record in clear of which
// the end is missing: many servers send all of a flight in one.
func (c *conn) cutMessages(h *half) {
	t, p := &h.tls, h.buf
	if c.mode != modeTLS || h.why != "" || t.on || t.gapped || t.resync || t.fragment || t.skip > 0 || t.is13() && t.stage > stageClear ||
		len(p) <= headerLen || p[0] != typeHandshake || looksTLS(p) != yes || c.last == nil || h.side == Client && !c.last.replied() {
		return
	}
	t.begun, t.opened = true, false
	t.seg = len(t.message)
	t.segBody, t.segEnd = h.off+headerLen, h.off+int64(len(p))
	t.segSeq = h.at(t.segEnd - 1).seq
	t.message = append(t.message, p[headerLen:]...)
	c.handshakes(h)
}

// tellOpaque tells what was not read up to end.
func (c *conn) tellOpaque(h *half, end int64) {
	if end > h.told {
		c.tell(h, end, &Opaque{Len: end - h.told, Preview: h.preview, Why: h.why})
	}
	h.preview = nil
}

func (c *conn) conn() *Conn { return c.pub }

func (c *conn) randoms() *[][32]byte { return &c.tied }

// secret takes a key log line for one of its handshakes.
func (c *conn) secret(e *entry, label string, secret []byte) {
	c.d.keyed(c, e, label, secret)
	if n := c.last; n != nil && n.ech.outer == e {
		c.d.openHellos(c, n)
	}
	c.d.retry(c)
}

// over tells that nothing more can come of the connection.
func (c *conn) over() bool {
	a, b := &c.halves[Client], &c.halves[Server]
	return a.ended && b.ended && len(a.queue) == 0 && len(b.queue) == 0
}

// giveUp handles what waits without what it waits for.
func (c *conn) giveUp(why string) {
	if c.forced == "" {
		c.forced = why
	}
	c.pump()
}

// finish tells what is left at the end of the input.
func (c *conn) finish() {
	for i := range c.halves {
		c.tdsOver(&c.halves[i])
	}
	c.giveUp(SealedNoKey)
	if c.mode == modeSniffing {
		c.mode = modeOpaque
		c.pump()
	}
	for i := range c.halves {
		if h := &c.halves[i]; !h.ended {
			if c.findLast(h) {
				c.drop(h, c.read(h, h.buf))
			}
			last := h.at(h.off - 1)
			c.endWeb(h, event{time: last.time, packet: last.packet}, true)
			c.cut(h)
			h.ended = true
		}
	}
}

// waits is what the connection counts towards the bounds.
func (c *conn) waits() int64 {
	var n int64
	for i := range c.halves {
		h := &c.halves[i]
		if !h.blocked {
			continue
		}
		n += waitingOverhead + int64(len(h.buf)+len(h.tls.message)) + 32*int64(len(h.pieces)-h.drops)
		for i := range h.queue {
			n += 128 + int64(len(h.queue[i].data))
		}
	}
	return n
}

// at returns the piece of the byte at off, as far as pieces are still kept.
func (h *half) at(off int64) piece {
	p := h.pieces[h.drops:]
	if len(p) == 0 {
		return piece{}
	}
	return p[max(0, sort.Search(len(p), func(i int) bool { return p[i].off > off })-1)]
}

// trim forgets the pieces of bytes that were read and told.
func (h *half) trim() {
	keep := h.off - 1 // what is told later may end there
	if len(h.tls.message) > 0 {
		keep = min(keep, h.told)
	}
	if h.tls.run.Records > 0 {
		keep = min(keep, h.tls.run.end-1)
	}
	if h.drops+1 < len(h.pieces) && h.pieces[h.drops+1].off <= keep {
		if h.told < keep && h.first.off < 0 {
			h.first = h.at(h.told)
		}
		for h.drops+1 < len(h.pieces) && h.pieces[h.drops+1].off <= keep {
			h.drops++
		}
		if h.drops > len(h.pieces)/2 {
			h.pieces = h.pieces[:copy(h.pieces, h.pieces[h.drops:])]
			h.drops = 0
		}
	}
}

// begin returns the piece of the byte at told.
func (h *half) begin() piece {
	if h.first.off >= 0 {
		return h.first
	}
	return h.at(h.told)
}

// tell adds the message that ends at end.
func (c *conn) tell(h *half, end int64, body any) *Message {
	c.flush(h)
	last := h.at(end - 1)
	return c.add(h, end, Message{Time: last.time, First: h.begin().packet, Last: last.packet, Body: body})
}

// add adds a message of the bytes from told to end.
func (c *conn) add(h *half, end int64, m Message) *Message {
	m.Conn = c.pub
	m.Side = h.side
	m.Span = Span{c.place(h.side, h.told, false), c.place(h.side, end, false)}
	c.twinTold(h, h.told, end, m.Body)
	h.told = end
	h.first.off = -1
	c.d.messages = append(c.d.messages, m)
	return &c.d.messages[len(c.d.messages)-1]
}
