package web

import "bytes"

// Bounds of what is held for one connection. Beyond them the direction is
// Unparsed, or a preview is missing; lengths are counted in any case.
const (
	maxHead   = 256 << 10 // head, trailers or header block, as sent and decoded
	maxHeld   = 64 << 10  // client's bytes after CONNECT or Upgrade, before the answer
	MaxMethod = 64        // bytes of a method
	maxAsked  = 1024      // requests in flight whose method is remembered

	unparsedPreview = 64
)

// A Conn reads the plaintext of both directions of one connection.
//
// Feed it in the order in which the bytes were captured: how a response is
// framed depends on its request (RFC 9112 6.3). What it holds is bounded at
// about 12 MiB for the worst connection, and is a few KiB for a usual one; to
// undo a coding may take 16 MiB more for the moment (the window of Brotli).
//
// The items of one side come in the order of its bytes, and how the bytes are
// cut changes nothing about them. How the sides' items alternate depends on what is fed when.
//
// # Tunnels
//
// After a CONNECT request the client's bytes are held back, since only the
// answer tells what they are. If it is 2xx, that Feed returns the response's
// Head and Switched{"tunnel"}, and from then on Tunnel is true and nothing more
// is read here: Rest returns the bytes that belong to the tunnel, exactly from
// the byte after the blank line of either head. Any other answer, and they are
// read as HTTP. The caller does:
//
//	items := c.Feed(from, data, mark)
//	... use items ...
//	if c.Tunnel() {
//		for _, p := range c.Rest() { // the client's bytes come first
//			... read p.Data of p.From, which stood at p.Mark ...
//		}
//	}
//
// and keeps later data to itself.
type Conn struct {
	output
	halves [2]half
	alpn   string
	cut    bool // the direction that is ending was cut off

	asked    []asked // requests without a final response, oldest first
	requests uint64  // request heads read
	answered uint64  // final response heads read
	sw       change
	held     []Piece // client's bytes that wait for sw
	heldLen  int
	tunnel   bool
	rest     []Piece

	// HTTP/2
	streams    map[uint32]*stream // those that are open
	lastStream uint32             // highest one of the client's
	table      [2]uint32          // largest HPACK table that each side's encoder was allowed

	give func(from int, at int64, twin []byte) // nil: no twin is asked for
}

// A Piece is plaintext that was not read here, and where it stood.
type Piece struct {
	From int
	Mark Mark
	Data []byte
	at   int64 // where Data stands in the plaintext
}

// asked is a request that waits for its response.
type asked struct {
	number uint64
	method string
}

// change is a request that may end HTTP/1 on the connection: CONNECT or Upgrade.
type change struct {
	number   uint64
	state    uint8
	target   string // of CONNECT
	token    string // the request's Upgrade field
	settings string // and HTTP2-Settings (RFC 7540 3.2.1)
	to       step   // how the client's bytes go on, once the state is changeYes
}

const (
	changeNone    = iota
	changePending // no final answer yet
	changeYes     // answered before the request was sent whole
)

// A step reads at least one byte of h.in from h.pos on, or sets another step.
type step func(c *Conn, h *half)

// output is what a reader gives out, and what its bodies share.
type output struct {
	items    []Item
	now      int64 // time of the call in hand
	previews int   // bytes collected for previews in all bodies
}

// reset begins a call.
func (o *output) reset(now int64) {
	clear(o.items)
	o.items = o.items[:0]
	o.now = now
}

func (o *output) emit(from int, first, last Mark, body any) {
	if _, unread := body.(*Unparsed); !unread { // nothing completes what is given up
		last.Time = o.now
	}
	o.items = append(o.items, Item{From: from, First: first, Last: last, Body: body})
}

// A cursor is a place in bytes that come in order, and the element there that is being read.
type cursor struct {
	in    []byte // the data in hand, during a Feed only
	pos   int
	start int64 // where in stands in the plaintext
	mark  Mark
	seen  Mark // last byte of the data before

	begun   bool   // an element (head, trailers, frame) is being collected
	first   Mark   // its first byte
	firstAt int64  // where in the plaintext that is
	count   int64  // its bytes so far
	buf     []byte // and those of them that are kept
}

// half is one direction.
type half struct {
	cursor
	from  int
	step  step
	fed   int64 // bytes of plaintext so far
	ended bool  // End was called
	final bool  // and everything before it was read

	// HTTP/1
	used    bool // a head was read before
	sure    bool // the first line begins as one of HTTP/1 must
	line    int  // where the last line begins in buf
	body    body
	remain  int64 // bytes to come of the body or chunk
	size    chunkSize
	holding bool // client: waits for the answer to CONNECT or Upgrade

	// client: a request whose body waits for the answer to Expect (RFC 9110 10.1.1)
	expects uint64  // its number, 0 if there is none
	waits   []Piece // what came behind a 417
	line0   []byte  // and how it begins
	then    step    // how the body would be read
	again   bool    // the head that comes next may be that body

	frames *frames // HTTP/2
	socket *socket // WebSocket

	un unparsed

	covering *covering // nil: no twin is asked for
}

// New returns a Conn that has seen nothing.
func New() *Conn {
	c := &Conn{}
	for i := range c.halves {
		c.halves[i].from = i
		c.halves[i].step = detect
	}
	return c
}

// SetALPN tells which protocol TLS negotiated, before the first byte. The bytes
// themselves decide between HTTP/1 and HTTP/2; a protocol that is neither is not searched for them.
func (c *Conn) SetALPN(proto string) { c.alpn = proto }

// Tunnel tells that a CONNECT request was answered with 2xx: the rest of the
// connection is not HTTP and is not read here.
func (c *Conn) Tunnel() bool { return c.tunnel }

// Rest returns the bytes given to Feed that belong to the tunnel and were not
// returned before, in order. The data stays valid as long as the data given to
// the last Feed.
func (c *Conn) Rest() []Piece {
	r := c.rest
	c.rest = nil
	return r
}

// Feed reads the next bytes of one direction, 0 for the TCP client's and 1 for
// the server's, and returns what they completed. data is not kept. The slice
// returned is valid until the next call, the bodies of its items for good.
//
// The mark says where data stood. If it spans exactly as many bytes as there
// are in data, as in plain TCP, the items' marks are narrowed to their own
// first and last byte; otherwise they are those of the whole record.
func (c *Conn) Feed(from int, data []byte, mark Mark) []Item {
	c.reset(mark.Time)
	h := &c.halves[from&1]
	if h.ended || len(data) == 0 {
		return nil
	}
	c.halves[1-h.from].un.tell(&c.output, 1-h.from)
	h.cover(len(data))
	h.fed += int64(len(data))
	c.run(h, data, mark, h.fed-int64(len(data)))
	c.settleTwins()
	return c.items
}

// End says that one direction has ended in its protocol's proper way: a FIN, or
// close_notify in TLS. It completes a body that lasts until the close and
// reports what is incomplete. Of the mark, which is that of the end itself, the time is used.
func (c *Conn) End(from int, mark Mark) []Item { return c.end(from, mark, false) }

// Abort is End for a direction that was cut off: by a RST, by a FIN without
// close_notify, or by bytes that are not in the capture. No body is complete then.
func (c *Conn) Abort(from int, mark Mark) []Item { return c.end(from, mark, true) }

func (c *Conn) end(from int, mark Mark, cut bool) []Item {
	c.reset(mark.Time)
	h := &c.halves[from&1]
	if h.ended {
		return nil
	}
	h.ended = true
	c.cut = cut
	c.halves[1-h.from].un.tell(&c.output, 1-h.from)
	if h.from == 1 && c.sw.state == changePending {
		c.settle(readHead) // no answer will come
	}
	c.finish(h)
	c.settleTwins()
	return c.items
}

// finish reports what the end of h leaves incomplete.
func (c *Conn) finish(h *half) {
	if h.final || h.from == 0 && len(c.held) > 0 {
		return
	}
	if len(h.waits) > 0 {
		c.goOn(h, h.then)
	}
	h.final = true
	if c.tunnel {
		return
	}
	c.endBody(h.from, &h.body, nil, !c.cut && h.body.out != nil && h.body.out.Framing == "close")
	if h.count > 0 {
		why := "ended-early"
		if !h.used && !h.sure && h.frames == nil && h.socket == nil {
			why = "not-http"
		}
		c.fail(h, why)
	} else if h.frames != nil {
		c.endStreams(h.from)
	}
	h.un.end(&c.output, h.from)
	h.buf = nil
}

// run reads data, which stands at a place of the plaintext. It may be entered again for held bytes.
func (c *Conn) run(h *half, data []byte, mark Mark, at int64) {
	in, pos, was, start := h.in, h.pos, h.mark, h.start
	h.in, h.pos, h.mark, h.start = data, 0, mark, at
	for h.pos < len(h.in) {
		h.step(c, h)
	}
	h.seen = h.at(len(h.in) - 1)
	h.in, h.pos, h.mark, h.start = in, pos, was, start
}

// at returns the mark of byte i of the data in hand.
func (r *cursor) at(i int) Mark {
	m := r.mark
	if m.End-m.Start == int64(len(r.in)) {
		m.Start += int64(i)
		m.End = m.Start + 1
	}
	return m
}

// here is where in the plaintext the next byte to read stands.
func (r *cursor) here() int64 { return r.start + int64(r.pos) }

// take moves n bytes of the data in hand to buf; the first of them begins an
// element if none was begun.
func (r *cursor) take(n int) {
	r.begin()
	r.buf = append(r.buf, r.in[r.pos:r.pos+n]...)
	r.skip(n)
}

// begin notes the next byte as the first of an element, unless one was begun.
func (r *cursor) begin() {
	if !r.begun {
		r.begun = true
		r.first = r.at(r.pos)
		r.firstAt = r.here()
	}
}

// skip passes over n bytes of an element that was begun.
func (r *cursor) skip(n int) {
	r.count += int64(n)
	r.pos += n
}

// done ends the element that was being collected.
func (r *cursor) done() {
	r.count, r.begun = 0, false
	if cap(r.buf) > 16<<10 {
		r.buf = nil
	}
	r.buf = r.buf[:0]
}

// done ends the element that was being collected.
func (h *half) done() {
	h.line, h.sure = 0, false
	h.cursor.done()
}

// detect decides from the first bytes of a direction what it speaks.
func detect(c *Conn, h *half) {
	switch c.alpn {
	case "", "h2", "http/1.1", "http/1.0":
		h.step = readHead
	default:
		c.fail(h, "not-http")
	}
}

// settle ends the wait for the answer to CONNECT or Upgrade: to reads the
// client's bytes after the request, readHead if HTTP/1 goes on.
func (c *Conn) settle(to step) {
	h := &c.halves[0]
	if c.sw.state != changePending {
		return
	}
	if !h.holding { // still inside the request: at its end
		c.sw.state, c.sw.to = changeYes, to
		return
	}
	c.sw.state = changeNone
	h.holding = false
	h.step = to
	held := c.held
	c.held, c.heldLen = nil, 0
	for _, p := range held {
		c.run(h, p.Data, p.Mark, p.at)
	}
	h.un.tell(&c.output, 0) // for the other side speaks
	if h.ended {
		c.finish(h)
	}
}

// hold keeps the client's bytes until the answer to CONNECT or Upgrade.
func hold(c *Conn, h *half) {
	p := h.piece()
	if c.heldLen+len(p.Data) > maxHeld {
		c.settle(readHead)
		return
	}
	p.Data = bytes.Clone(p.Data)
	c.held = append(c.held, p)
	c.heldLen += len(p.Data)
	h.pos = len(h.in)
}

// piece returns what is left of the data in hand.
func (h *half) piece() Piece {
	m := h.mark
	if m.End-m.Start == int64(len(h.in)) {
		m.Start += int64(h.pos)
	}
	return Piece{From: h.from, Mark: m, Data: h.in[h.pos:], at: h.here()}
}

// readTunnel passes the bytes of a tunnel on.
func readTunnel(c *Conn, h *half) {
	h.tunnelTwin()
	c.rest = append(c.rest, h.piece())
	h.pos = len(h.in)
}

// unparsed is the state of a direction that is not read any more.
type unparsed struct {
	on, told    bool
	why         string
	preview     []byte
	len         int64
	first, last Mark // of what was not told yet
	more        bool // something was not told yet

	protocol string // as in Unparsed
	stream   uint64
}

// fail gives up on a direction, from the first byte of the element in hand on.
func (c *Conn) fail(h *half, why string) {
	c.endBody(h.from, &h.body, nil, false)
	if h.frames != nil {
		c.endStreams(h.from)
	}
	h.un.begin(&h.cursor, why)
	h.brokenTwin()
	h.done()
	h.buf = nil
	h.step = readUnparsed
	if h.un.len >= unparsedPreview {
		h.un.tell(&c.output, h.from)
	}
}

func readUnparsed(c *Conn, h *half) { h.un.read(&c.output, &h.cursor, h.from) }

// begin gives up from the first byte of the element in hand on.
func (u *unparsed) begin(r *cursor, why string) {
	u.on, u.why = true, why
	u.len = r.count
	u.preview = make([]byte, 0, unparsedPreview)
	u.preview = append(u.preview, r.buf[:min(len(r.buf), unparsedPreview)]...)
	if r.count > 0 {
		u.more = true
		u.first = r.first
		u.last = r.seen
		if r.pos > 0 {
			u.last = r.at(r.pos - 1)
		}
	}
}

// read passes over data in hand.
func (u *unparsed) read(o *output, r *cursor, from int) {
	if !u.more {
		u.more = true
		u.first = r.at(r.pos)
	}
	n := len(r.in) - r.pos
	if !u.told {
		n = min(n, unparsedPreview-int(u.len))
		u.preview = append(u.preview, r.in[r.pos:r.pos+n]...)
	}
	r.pos += n
	u.len += int64(n)
	u.last = r.at(r.pos - 1)
	if u.len >= unparsedPreview {
		u.tell(o, from)
	}
}

// tell reports the first bytes of an unparsed direction, once: when there are
// enough for a preview, when the other side speaks, or at the end.
func (u *unparsed) tell(o *output, from int) {
	if !u.on || u.told || !u.more {
		return
	}
	u.told = true
	u.emit(o, from, false)
}

// end reports the total length if more came than was told.
func (u *unparsed) end(o *output, from int) {
	u.tell(o, from)
	if u.more {
		u.emit(o, from, true)
	}
}

// emit tells what came with the time of its last byte: what follows does not complete it.
func (u *unparsed) emit(o *output, from int, total bool) {
	u.more = false
	o.emit(from, u.first, u.last, &Unparsed{Len: u.len, Preview: u.preview, Why: u.why, Total: total, Protocol: u.protocol, Stream: u.stream})
	o.items[len(o.items)-1].Last.Time = u.last.Time
}
