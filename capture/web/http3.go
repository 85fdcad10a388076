package web

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
)

const (
	maxCollected = 2 << 20 // bytes of frames that are collected and of streams that wait, at one time
	maxPromises  = 256     // pushes whose request is remembered
	maxH3Streams = 4096    // open at one time
	pieceCost    = 64      // what a held piece of data takes beside its bytes
)

// Types of streams (RFC 9114 6.2, 9204 4.2; WebTransport over HTTP/3 4.2).
const (
	streamControl      = 0x00
	streamPush         = 0x01
	streamEncoder      = 0x02
	streamDecoder      = 0x03
	streamWebTransport = 0x54
)

// Types of frames (RFC 9114 7.2, 9412 2, 9218 7.2; WebTransport over HTTP/3 4.3).
const (
	h3Data            = 0x00
	h3Headers         = 0x01
	h3CancelPush      = 0x03
	h3Settings        = 0x04
	h3Push            = 0x05
	h3GoAway          = 0x07
	h3Origin          = 0x0c
	h3MaxPushID       = 0x0d
	h3WebTransport    = 0x41
	h3PriorityRequest = 0xf0700
	h3PriorityPush    = 0xf0701
)

var h3FrameNames = map[uint64]string{
	h3CancelPush: "CANCEL_PUSH", h3Settings: "SETTINGS", h3Push: "PUSH_PROMISE", h3GoAway: "GOAWAY",
	h3Origin: "ORIGIN", h3MaxPushID: "MAX_PUSH_ID", 0x89: "ACCEPT_CH", 0x4d: "METADATA",
	h3WebTransport: "WEBTRANSPORT_STREAM", h3PriorityRequest: "PRIORITY_UPDATE", h3PriorityPush: "PRIORITY_UPDATE",
}

var h3StreamNames = map[uint64]string{
	streamControl: "control", streamPush: "push", streamEncoder: "QPACK encoder", streamDecoder: "QPACK decoder",
	streamWebTransport: "WebTransport",
}

const (
	settingCapacity = 1 // QPACK_MAX_TABLE_CAPACITY
)

// RFC 9114 7.2.4.1, 9204 5, 9220 3, 9297 2.1.1; drafts of H3 DATAGRAM and WebTransport.
var h3SettingNames = map[uint64]string{
	settingCapacity: "QPACK_MAX_TABLE_CAPACITY", 0x06: "MAX_FIELD_SECTION_SIZE", 0x07: "QPACK_BLOCKED_STREAMS",
	0x08: "ENABLE_CONNECT_PROTOCOL", 0x33: "H3_DATAGRAM", 0x276: "H3_DATAGRAM (draft 00)", 0xffd277: "H3_DATAGRAM (draft 04)",
	0x4d44: "ENABLE_METADATA", 0x2b603742: "ENABLE_WEBTRANSPORT", 0x2b603743: "WEBTRANSPORT_MAX_SESSIONS (draft 03)",
	0xc671706a: "WEBTRANSPORT_MAX_SESSIONS", 0x14e9cd29: "WT_MAX_SESSIONS", 0x2c7cf000: "WT_ENABLED",
	0x2b61: "WT_INITIAL_MAX_DATA", 0x2b64: "WT_INITIAL_MAX_STREAMS_UNI", 0x2b65: "WT_INITIAL_MAX_STREAMS_BIDI",
}

// RFC 9114 8.1, 9204 6, 9297 5.2.
var h3ErrorNames = map[uint64]string{
	0x33: "H3_DATAGRAM_ERROR", 0x100: "H3_NO_ERROR", 0x101: "H3_GENERAL_PROTOCOL_ERROR", 0x102: "H3_INTERNAL_ERROR",
	0x103: "H3_STREAM_CREATION_ERROR", 0x104: "H3_CLOSED_CRITICAL_STREAM", 0x105: "H3_FRAME_UNEXPECTED",
	0x106: "H3_FRAME_ERROR", 0x107: "H3_EXCESSIVE_LOAD", 0x108: "H3_ID_ERROR", 0x109: "H3_SETTINGS_ERROR",
	0x10a: "H3_MISSING_SETTINGS", 0x10b: "H3_REQUEST_REJECTED", 0x10c: "H3_REQUEST_CANCELLED",
	0x10d: "H3_REQUEST_INCOMPLETE", 0x10e: "H3_MESSAGE_ERROR", 0x10f: "H3_CONNECT_ERROR", 0x110: "H3_VERSION_FALLBACK",
	0x200: "QPACK_DECOMPRESSION_FAILED", 0x201: "QPACK_ENCODER_STREAM_ERROR", 0x202: "QPACK_DECODER_STREAM_ERROR",
	0x170d7b68: "WT_SESSION_GONE", 0x3994bd84: "WT_BUFFERED_STREAM_REJECTED",
}

// H3Error names an application error code of QUIC under HTTP/3, as CONNECTION_CLOSE,
// RESET_STREAM and STOP_SENDING carry it.
func H3Error(code uint64) string {
	if name, ok := h3ErrorNames[code]; ok {
		return name
	}
	if reserved(code) { // to be taken for H3_NO_ERROR (RFC 9114 8.1)
		return fmt.Sprintf("reserved 0x%x", code)
	}
	return fmt.Sprintf("0x%x", code)
}

// reserved tells whether a type, setting or code is one that means nothing and is sent
// so that nobody comes to rely on its absence (RFC 9114 6.2.3, 7.2.8, 7.2.4.1, 8.1).
func reserved(v uint64) bool { return v >= 0x21 && (v-0x21)%0x1f == 0 }

// typeName names a type that may be reserved or unknown.
func typeName(names map[uint64]string, v uint64) string {
	if name, ok := names[v]; ok {
		return name
	}
	if reserved(v) {
		return fmt.Sprintf("reserved 0x%x", v)
	}
	return fmt.Sprintf("0x%x", v)
}

// An H3 reads HTTP/3 (RFC 9114) with QPACK (RFC 9204) from the streams of one
// connection of QUIC.
//
// The bytes of a stream are fed in order, and the streams in the order in which their
// bytes were captured. What is malformed stops one direction of one stream. A field
// section that needs entries of the dynamic table which have not come waits for them,
// and so does what follows it on its stream; nothing is guessed where they never come.
//
// What it holds is bounded at about 12 MiB for the worst connection.
type H3 struct {
	output
	streams   map[uint64]*h3Stream
	sides     [2]h3Side // by who sends
	collected int       // towards maxCollected
	full      bool      // more streams were open than are read
	promises  map[uint64]string
}

// h3Side is what one side sent beside its requests or responses.
type h3Side struct {
	begun    [4]bool // its control, (push,) encoder and decoder stream, by type
	settings bool    // its SETTINGS came,
	allows   uint64  // and this is the capacity that they allow to the other side's encoder
	table    qpackTable
	waiting  []*h3Half // whose section waits for the table or for the other side's SETTINGS
	least    uint64    // fewest inserts that one of them needs
	// stuck says that no more of its encoder's stream can be read. Then nobody knows how many
	// inserts there were, and the same Required Insert Count may mean another one (RFC 9204 4.5.1.1).
	stuck bool
	ahead uint64 // bytes of that stream that were seen, but not read since others before them have not come
	acked uint64 // inserts that the other side's decoder said to have got, at least
}

// lags tells whether inserts were missed that the decoder has got: then a Required
// Insert Count cannot be told (RFC 9204 4.5.1.1).
func (side *h3Side) lags() bool { return side.stuck || side.acked > side.table.inserts() }

// mayLag tells whether so many of them may have been missed that the count could mean
// another one than it seems to: an insert takes a byte at least. It means what it seems to
// if the bytes come, for the decoder has not got them either then.
func (side *h3Side) mayLag(allowed uint64) bool { return side.ahead > allowed/32 }

// h3Stream is one open stream of QUIC.
type h3Stream struct {
	id      uint64
	method  string // of its request, or of the promise that it keeps
	foreign bool   // it is one of a WebTransport session
	halves  [2]*h3Half
}

// An h3Step is for one direction of a stream of HTTP/3 what a step is for a connection.
type h3Step func(h *H3, s *h3Half)

// h3Half is one direction of a stream.
type h3Half struct {
	cursor
	stream *h3Stream
	from   int
	step   h3Step
	fin    bool // it ends after what was fed,
	last   bool // and the data in hand is the last of it
	ended  bool

	// the frame in hand
	typ    uint64
	length uint64
	left   uint64 // bytes of its payload to come
	keep   int    // bytes of its payload to collect
	head   int    // bytes of its type and length

	phase   uint8
	control bool // the frames are those of a control stream; else of a message
	encoder bool // it is an encoder's stream
	frames  int  // that came on it
	body    body

	section section
	waits   bool       // section waits, and held comes behind it
	held    []heldData // in order
	holds   int        // what of H3.collected is this one's

	un unparsed
}

// section is a field section that was not read yet.
type section struct {
	frame, lines   []byte // that it came in, and what stands behind its prefix
	encoded        uint64 // Required Insert Count, as it is encoded,
	required       uint64 // and as it is meant, once known
	known          bool
	sign           bool // of the Base's distance to it
	delta          uint64
	push           uint64 // of PUSH_PROMISE
	promise, final bool
	first, last    Mark
	len            int // of the frame's payload
}

// Where a message is.
const (
	beforeHead  = iota
	afterUnread // a section of a response was not read, which may have been interim or final
	inBody
	afterTrailers
)

// NewH3 returns an H3 that has seen nothing.
func NewH3() *H3 { return &H3{streams: make(map[uint64]*h3Stream), promises: make(map[uint64]string)} }

// Feed reads the next bytes of one direction of a stream, 0 for what the client of the
// QUIC connection sent and 1 for the server, and returns what they completed. fin says
// that the direction ends with them; data may be empty then. Where it is known it is to
// be said with the last byte. data is not kept. The slice returned is valid until the
// next call, the bodies of its items for good.
//
// The stream is its ID of 62 bits (RFC 9000 2.1). Nothing is to be fed of a direction
// after its fin or Reset.
//
// The mark says where data stood, as for [Conn.Feed].
func (h *H3) Feed(from int, stream uint64, data []byte, fin bool, mark Mark) []Item {
	h.reset(mark.Time)
	s := h.half(from&1, stream, mark, data)
	if s == nil || s.ended || s.fin {
		return h.items
	}
	s.fin = fin
	h.read(s, data, mark)
	if s.encoder {
		h.caughtUp(s, uint64(len(data)))
	}
	h.finish(s)
	return h.items
}

// Gap says that the next n bytes of one direction of a stream are not in the capture.
// Those of a DATA frame are counted; else no more of that direction is read.
func (h *H3) Gap(from int, stream uint64, n uint64, mark Mark) []Item {
	h.reset(mark.Time)
	if s := h.half(from&1, stream, mark, nil); s != nil && !s.ended && n > 0 {
		if s.waits {
			s.held = append(s.held, heldData{gap: n, mark: mark})
		} else {
			h.gap(s, n)
		}
		h.finish(s)
	}
	return h.items
}

// Ahead says that n bytes of one direction of a stream, from the next one to be fed to the last
// one that was seen, are not fed yet since the first of them have not come. It matters
// for QPACK: how many inserts there were is not known then.
func (h *H3) Ahead(from int, stream uint64, n uint64) {
	if st := h.streams[stream]; st != nil && st.halves[from&1] != nil && st.halves[from&1].encoder {
		h.sides[from&1].ahead = n
	}
}

// caughtUp notes that bytes of an encoder's stream came.
func (h *H3) caughtUp(s *h3Half, n uint64) {
	side := &h.sides[s.from]
	if side.ahead > 0 {
		side.ahead -= min(side.ahead, n)
		h.wake(s.from, true)
	}
}

// gap passes over bytes that are missing.
func (h *H3) gap(s *h3Half, n uint64) {
	switch {
	case s.un.on:
	case s.count == 0 && s.left >= n: // inside a DATA frame
		h.missing(&s.body, int64(n))
		if s.left -= n; s.left == 0 {
			s.step = readH3Frame
		}
	default:
		h.fail(s, "after-gap")
		if s.encoder {
			h.stuck(s.from)
		}
	}
}

// read reads data, or holds it behind a section that waits.
func (h *H3) read(s *h3Half, data []byte, mark Mark) {
	fin := s.fin
	for len(data) > 0 {
		if !s.waits {
			n := h.run(s, data, mark, fin)
			data, mark = data[n:], behind(mark, len(data), n)
			continue
		}
		if h.hold(s, data, mark) {
			break
		}
		h.giveUp(s, "too-much-waits")
	}
	if h.sides[s.from].stuck {
		h.giveUp(s, "missing-insert")
	}
}

// Reset says that a side gave up sending on a stream, with an error code of HTTP/3 (RESET_STREAM, RFC 9000 19.4).
func (h *H3) Reset(from int, stream uint64, code uint64, mark Mark) []Item {
	h.reset(mark.Time)
	from &= 1
	if st := h.streams[stream]; st != nil {
		if s := st.halves[from]; s != nil && !s.ended {
			h.cut(s)
		} else if s == nil && h.mayCarry(from, stream) {
			st.halves[from] = &h3Half{stream: st, from: from, ended: true}
			h.forget(st)
		}
	}
	h.emit(from, mark, mark, &Frame{Protocol: "HTTP/3", Type: "RESET", Stream: stream, Detail: []Field{{"error", H3Error(code)}}})
	return h.items
}

// Datagram reads the payload of a DATAGRAM frame of QUIC (RFC 9221), which is one of HTTP's (RFC 9297 2.1).
func (h *H3) Datagram(from int, data []byte, mark Mark) []Item {
	h.reset(mark.Time)
	from &= 1
	quarter, n := varint(data)
	if n == 0 || quarter >= 1<<60 {
		un := &Unparsed{Len: int64(len(data)), Preview: bytes.Clone(data[:min(len(data), unparsedPreview)]), Why: "malformed-datagram", Protocol: "HTTP/3"}
		h.emit(from, mark, mark, un)
		return h.items
	}
	h.emit(from, mark, mark, &Frame{Protocol: "HTTP/3", Type: "DATAGRAM", Stream: 4 * quarter, Len: len(data) - n})
	return h.items
}

// End says that the connection has ended, and reports what is incomplete. Of the mark, which is that of the end itself, the time is used.
func (h *H3) End(mark Mark) []Item {
	h.reset(mark.Time)
	for _, id := range slices.Sorted(maps.Keys(h.streams)) {
		st := h.streams[id]
		if st == nil { // it had waited for an encoder's stream that was ended before it
			continue
		}
		for _, s := range st.halves {
			if s != nil && !s.ended {
				h.cut(s)
			}
		}
	}
	clear(h.streams)
	return h.items
}

// mayCarry tells whether a side may send on a stream (RFC 9000 2.1).
func (h *H3) mayCarry(from int, stream uint64) bool {
	return stream&2 == 0 || stream&1 == uint64(from)
}

// half returns one direction of a stream, and begins it if it is new.
func (h *H3) half(from int, id uint64, mark Mark, data []byte) *h3Half {
	st := h.streams[id]
	if st == nil {
		if h.full || !h.mayCarry(from, id) {
			return nil
		}
		if len(h.streams) >= maxH3Streams {
			h.full = true
			h.emit(from, mark, mark, &Unparsed{Len: int64(len(data)), Preview: bytes.Clone(data[:min(len(data), unparsedPreview)]), Why: "too-many-streams", Protocol: "HTTP/3", Stream: id})
			return nil
		}
		st = &h3Stream{id: id}
		h.streams[id] = st
	}
	s := st.halves[from]
	if s == nil {
		s = &h3Half{stream: st, from: from, step: readH3Frame}
		switch {
		case id&2 != 0:
			s.step = readStreamType
		case st.foreign: // whoever did not begin it sends no header
			h.fail(s, "webtransport")
		}
		st.halves[from] = s
	}
	return s
}

// run reads data until it ends or a section must wait, and returns how much it read.
// last says that the direction ends with it.
func (h *H3) run(s *h3Half, data []byte, mark Mark, last bool) int {
	s.in, s.pos, s.mark, s.last = data, 0, mark, last
	for s.pos < len(s.in) && !s.waits {
		s.step(h, s)
	}
	n := s.pos
	if n > 0 {
		s.seen = s.at(n - 1)
	}
	s.in, s.pos = nil, 0
	return n
}

// behind returns where data stands that comes after n bytes of as many as all, which the mark is of.
func behind(mark Mark, all, n int) Mark {
	if mark.End-mark.Start == int64(all) {
		mark.Start += int64(n)
	}
	return mark
}

// heldData is what came behind a section that waits.
type heldData struct {
	data []byte
	mark Mark
	cost int    // towards maxCollected
	gap  uint64 // or as many bytes that are missing
}

// hold keeps data behind a section that waits, and tells false if there is no room for it.
func (h *H3) hold(s *h3Half, data []byte, mark Mark) bool {
	cost := len(data) + pieceCost
	if !h.collect(s, cost) {
		return false
	}
	s.held = append(s.held, heldData{data: bytes.Clone(data), mark: mark, cost: cost})
	return true
}

// resume goes on behind a section that waited.
func (h *H3) resume(s *h3Half) {
	s.waits = false
	for len(s.held) > 0 && !s.waits {
		p := &s.held[0]
		if p.gap > 0 {
			h.gap(s, p.gap)
			s.held = s.held[1:]
			continue
		}
		n := h.run(s, p.data, p.mark, s.fin && len(s.held) == 1)
		if n < len(p.data) {
			p.data, p.mark = p.data[n:], behind(p.mark, len(p.data), n)
			continue
		}
		h.release(s, p.cost)
		*p = heldData{}
		s.held = s.held[1:]
	}
	h.finish(s)
}

// giveUp no longer waits for what the sections of s need.
func (h *H3) giveUp(s *h3Half, why string) {
	for s.waits {
		h.unread(s, why)
		h.resume(s)
	}
}

// collect takes n bytes of the room for what is collected, and tells false if there is none.
func (h *H3) collect(s *h3Half, n int) bool {
	if h.collected+n > maxCollected {
		return false
	}
	h.collected += n
	s.holds += n
	return true
}

// release gives back room.
func (h *H3) release(s *h3Half, n int) {
	h.collected -= n
	s.holds -= n
}

// finish ends a direction whose last byte was read.
func (h *H3) finish(s *h3Half) {
	if !s.fin || s.waits || s.ended {
		return
	}
	if s.count > 0 || s.left > 0 {
		h.cut(s)
		return
	}
	h.endBody(s.from, &s.body, nil, true)
	h.close(s)
}

// cut ends a direction whose end did not come, or came inside an element.
func (h *H3) cut(s *h3Half) {
	h.giveUp(s, "missing-insert")
	if s.ended {
		return
	}
	h.endBody(s.from, &s.body, nil, false)
	if s.count > 0 {
		h.fail(s, "ended-early")
	}
	h.close(s)
}

func (h *H3) close(s *h3Half) {
	s.un.end(&h.output, s.from)
	s.ended = true
	if s.encoder {
		h.stuck(s.from)
	}
	h.release(s, s.holds)
	s.buf, s.step = nil, nil
	h.forget(s.stream)
}

// forget lets go of a stream of which all has ended.
func (h *H3) forget(st *h3Stream) {
	for from, s := range st.halves {
		if h.mayCarry(from, st.id) && (s == nil || !s.ended) {
			return
		}
	}
	delete(h.streams, st.id)
}

// fail gives up on one direction of a stream, from the first byte of the element in hand on.
func (h *H3) fail(s *h3Half, why string) {
	h.endBody(s.from, &s.body, nil, false)
	s.un.protocol, s.un.stream = "HTTP/3", s.stream.id
	s.un.begin(&s.cursor, why)
	s.done()
	s.left = 0
	h.release(s, s.holds)
	s.buf = nil
	s.step = readH3Unparsed
	if s.un.len >= unparsedPreview {
		s.un.tell(&h.output, s.from)
	}
}

func readH3Unparsed(h *H3, s *h3Half) { s.un.read(&h.output, &s.cursor, s.from) }

// varint reads an integer (RFC 9000 16) of n bytes, 0 if they are not all there.
func varint(p []byte) (v uint64, n int) {
	if len(p) == 0 {
		return 0, 0
	}
	n = 1 << (p[0] >> 6)
	if len(p) < n {
		return 0, 0
	}
	v = uint64(p[0] & 0x3f)
	for _, b := range p[1:n] {
		v = v<<8 | uint64(b)
	}
	return v, n
}

// tell reports the element in hand, which ends before the next byte to read.
func (h *H3) tell(s *h3Half, f *Frame) {
	f.Protocol, f.Stream = "HTTP/3", s.stream.id
	h.emit(s.from, s.first, s.at(s.pos-1), f)
	s.done()
}

// readStreamType reads the beginning of a stream of one direction.
func readStreamType(h *H3, s *h3Half) {
	s.take(1)
	typ, n := varint(s.buf)
	if n == 0 {
		return
	}
	detail := []Field{{"type", typeName(h3StreamNames, typ)}}
	if typ == streamPush || typ == streamWebTransport {
		id, m := varint(s.buf[n:])
		if m == 0 {
			return
		}
		name := "session"
		if typ == streamPush {
			name = "push"
			s.stream.method = h.promises[id]
			delete(h.promises, id)
		}
		detail = append(detail, number(name, id))
	}
	side := &h.sides[s.from]
	twice := typ <= streamDecoder && typ != streamPush && side.begun[typ]
	if twice || typ == streamPush && s.from == 0 { // RFC 9114 6.2.1, 6.2.2, 9204 4.2
		h.fail(s, "malformed-stream")
		return
	}
	h.tell(s, &Frame{Type: "STREAM", Len: len(s.buf), Detail: detail})
	switch typ {
	case streamControl:
		s.control = true
		s.step = readH3Frame
	case streamPush:
		s.step = readH3Frame
	case streamEncoder:
		s.encoder = true
		s.step = readEncoder
	case streamDecoder:
		s.step = readDecoder
	case streamWebTransport:
		h.fail(s, "webtransport")
	default:
		h.fail(s, "unknown-stream")
	}
	if typ <= streamDecoder {
		side.begun[typ] = true
	}
}

// readH3Frame reads the type and length of a frame (RFC 9114 7.1).
func readH3Frame(h *H3, s *h3Half) {
	s.take(1)
	typ, n := varint(s.buf)
	if n == 0 {
		return
	}
	length, m := varint(s.buf[n:])
	if m == 0 {
		return
	}
	s.typ, s.length, s.left, s.head = typ, length, length, n+m
	if typ == h3WebTransport && s.frames == 0 && s.stream.id&2 == 0 {
		h.tell(s, &Frame{Type: h3FrameNames[typ], Len: n + m, Detail: []Field{number("session", length)}})
		s.stream.foreign = true
		h.fail(s, "webtransport")
		return
	}
	if why := s.check(); why != "" {
		h.fail(s, why)
		return
	}
	s.frames++
	if typ == h3Data {
		s.body.over(s.first, s.at(s.pos-1))
		s.done()
		if length > 0 {
			s.step = readH3Data
		}
		return
	}
	if !h.collect(s, s.keep) {
		h.fail(s, "too-much-at-once")
		return
	}
	s.step = readH3Payload
	if s.left == 0 {
		h.frameEnds(s)
	}
}

// check judges a frame by its type and length, and sets how much of it is collected.
func (s *h3Half) check() (why string) {
	const unexpected = "malformed-frame" // RFC 9114 7.2
	message := !s.control
	s.keep = int(min(s.length, maxSettings))
	ok := true
	switch s.typ {
	case h3Data:
		ok = message && s.phase == inBody
		if s.phase == afterUnread { // so what was not read was the final head
			ok, s.phase = true, inBody
		}
	case h3Headers:
		ok = message && s.phase != afterTrailers
	case h3Push:
		ok = message && s.from == 1 && s.stream.id&2 == 0
	case h3Settings:
		ok = s.control && s.frames == 0 && s.length <= maxSettings
	case h3GoAway, h3CancelPush:
		ok = s.control && s.length <= 8
	case h3MaxPushID:
		ok = s.control && s.from == 0 && s.length <= 8
	case h3PriorityRequest, h3PriorityPush:
		ok = s.control && s.from == 0
		s.keep = int(min(s.length, 8+maxOpaque))
	case h3Origin:
		ok = s.control && s.from == 1
	case 0x02, 0x06, 0x08, 0x09: // of HTTP/2 (RFC 9114 7.2.8)
		ok = false
	default:
		s.keep = 0
	}
	switch {
	case !ok,
		s.control && s.frames == 0 && s.typ != h3Settings, // RFC 9114 6.2.1
		s.stream.id&3 == 1: // RFC 9114 6.1
		return unexpected
	case s.typ == h3Headers || s.typ == h3Push:
		if s.length > maxHead {
			return "head-too-long"
		}
		s.keep = int(s.length)
	}
	return ""
}

// readH3Data passes a DATA frame's payload on. Nothing of it is held here.
func readH3Data(h *H3, s *h3Half) {
	at := s.pos
	n := int(min(s.left, uint64(len(s.in)-s.pos)))
	h.addBody(&s.body, s.in[at:at+n])
	s.pos += n
	s.body.over(s.at(at), s.at(s.pos-1))
	if s.left -= uint64(n); s.left == 0 {
		s.step = readH3Frame
	}
}

func readH3Payload(h *H3, s *h3Half) {
	n := int(min(s.left, uint64(len(s.in)-s.pos)))
	k := min(n, s.head+s.keep-len(s.buf))
	s.take(k)
	s.skip(n - k)
	if s.left -= uint64(n); s.left == 0 {
		h.frameEnds(s)
	}
}

// frameEnds reads the frame that was collected.
func (h *H3) frameEnds(s *h3Half) {
	p := s.buf[s.head:]
	s.step = readH3Frame
	switch s.typ {
	case h3Headers, h3Push:
		if why := h.sectionCame(s, p); why != "" {
			h.fail(s, why)
		}
		return
	}
	out := &Frame{Type: typeName(h3FrameNames, s.typ), Len: int(min(s.length, math.MaxInt))}
	var ok bool
	if out.Detail, ok = s.detail(p); !ok {
		h.fail(s, "malformed-frame")
		return
	}
	if s.typ == h3Settings {
		defer h.settings(s.from, p)
	}
	h.release(s, s.keep)
	h.tell(s, out)
}

// detail tells what a frame says.
func (s *h3Half) detail(p []byte) (list []Field, ok bool) {
	one := func(name string) ([]Field, bool) {
		v, n := varint(p)
		return []Field{number(name, v)}, n > 0 && n == len(p)
	}
	switch s.typ {
	case h3Settings:
		for len(p) > 0 {
			id, n := varint(p)
			v, m := varint(p[n:])
			if n == 0 || m == 0 {
				return nil, false
			}
			if id >= 2 && id <= 5 { // of HTTP/2 (RFC 9114 7.2.4.1)
				return nil, false
			}
			list = append(list, number(typeName(h3SettingNames, id), v))
			p = p[n+m:]
		}
	case h3GoAway:
		if s.from == 0 {
			return one("rejects-from-push")
		}
		return one("rejects-from-stream")
	case h3CancelPush, h3MaxPushID:
		return one("push")
	case h3PriorityRequest, h3PriorityPush:
		id, n := varint(p)
		name := "prioritized-stream"
		if s.typ == h3PriorityPush {
			name = "prioritized-push"
		}
		return []Field{number(name, id), {"priority", string(p[n:])}}, n > 0
	case h3Origin:
		for len(p) > 0 {
			if len(p) < 2 {
				return list, false
			}
			n := 2 + int(p[0])<<8 + int(p[1])
			if n > len(p) {
				return list, uint64(s.keep) < s.length // only so much was collected
			}
			list = append(list, Field{"origin", string(p[2:n])})
			p = p[n:]
		}
	}
	return list, true
}

// settings notes what one side allows to the other side's encoder.
func (h *H3) settings(from int, p []byte) {
	side := &h.sides[from]
	side.settings = true
	for len(p) > 0 {
		id, n := varint(p)
		v, m := varint(p[n:])
		if id == settingCapacity {
			side.allows = v
		}
		p = p[n+m:]
	}
	h.wake(1-from, true)
}

// sectionCame takes the payload of a HEADERS or PUSH_PROMISE frame.
func (h *H3) sectionCame(s *h3Half, p []byte) (why string) {
	sec := section{first: s.first, last: s.at(s.pos - 1), len: len(p), promise: s.typ == h3Push}
	sec.final = s.last && s.pos == len(s.in)
	if sec.promise {
		id, n := varint(p)
		if n == 0 {
			return "malformed-frame"
		}
		sec.push = id
		p = p[n:]
	}
	encoded, n := qpackInt(p, 8)
	if n <= 0 {
		return "malformed-qpack"
	}
	p = p[n:]
	delta, n := qpackInt(p, 7)
	if n <= 0 {
		return "malformed-qpack"
	}
	sec.encoded, sec.sign, sec.delta = encoded, p[0]&0x80 != 0, delta
	sec.lines = p[n:]
	s.section = sec
	ready, why := h.ready(s)
	if why != "" {
		return why
	}
	if ready {
		return h.sectionRead(s)
	}
	// It has its frame's room until it is read.
	s.section.frame = bytes.Clone(s.buf)
	s.section.lines = s.section.frame[len(s.buf)-len(sec.lines):]
	s.done()
	s.waits = true
	h.sides[s.from].wait(s)
	return ""
}

// wait notes that a section waits.
func (side *h3Side) wait(s *h3Half) {
	if s.section.known && (side.least == 0 || s.section.required < side.least) {
		side.least = s.section.required
	}
	side.waiting = append(side.waiting, s)
}

// ready tells whether the section in hand can be read now.
func (h *H3) ready(s *h3Half) (ready bool, why string) {
	sec := &s.section
	side, other := &h.sides[s.from], &h.sides[1-s.from]
	if sec.encoded == 0 {
		return true, ""
	}
	if !sec.known {
		if !other.settings || side.lags() {
			return false, ""
		}
		if sec.required, sec.known = side.table.requiredInserts(sec.encoded, other.allows); !sec.known {
			return false, "malformed-qpack"
		}
	}
	return sec.required <= side.table.inserts() && !side.mayLag(other.allows), ""
}

// sectionRead reads the section in hand and reports what it is.
func (h *H3) sectionRead(s *h3Half) (why string) {
	sec := &s.section
	base := sec.required + sec.delta
	if sec.sign {
		if sec.delta >= sec.required {
			return "malformed-qpack"
		}
		base = sec.required - sec.delta - 1
	}
	head := Head{Protocol: "HTTP/3", Stream: s.stream.id}
	table := &h.sides[s.from].table
	if why := table.section(sec.lines, sec.required, base, func(f Field) { head.add(f.Name, f.Value) }); why != "" {
		return why
	}
	done := *sec
	h.sectionDone(s)
	if head.Authority == "" {
		head.Authority = head.Get("Host")
	}
	if head.Method == "CONNECT" && head.Target == "" {
		head.Target = head.Authority
	}
	switch {
	case done.promise:
		if _, known := h.promises[done.push]; known || len(h.promises) < maxPromises {
			h.promises[done.push] = head.Method
		}
		detail := []Field{number("push", done.push),
			{":method", head.Method}, {":scheme", head.Scheme}, {":authority", head.Authority}, {":path", head.Target}}
		h.emit(s.from, done.first, done.last, &Frame{Protocol: "HTTP/3", Type: "PUSH_PROMISE", Stream: s.stream.id, Len: done.len,
			Detail: append(detail, head.Fields...)})
	case s.phase == inBody, s.phase == afterUnread && head.Status == 0:
		s.phase = afterTrailers
		s.body.over(done.first, done.last)
		h.endBody(s.from, &s.body, head.Fields, true)
	default:
		head.Request = s.from == 0
		interim := !head.Request && head.Status >= 100 && head.Status < 200
		head.EndsHere = done.final || interim
		if head.Request {
			s.stream.method = head.Method
		} else {
			head.Method = s.stream.method
		}
		s.body = body{}
		s.phase = beforeHead
		h.emit(s.from, done.first, done.last, &head)
		if !interim {
			s.phase = inBody
			if !done.final {
				h.openBody(&s.body, &head, "frames", done.last)
			}
		}
	}
	return ""
}

// sectionDone lets go of the section in hand and of the frame that it came in.
func (h *H3) sectionDone(s *h3Half) {
	h.release(s, s.section.len)
	s.section = section{}
	if !s.waits {
		s.done()
	}
}

// unread reports that the section which waits cannot be read.
func (h *H3) unread(s *h3Half, why string) {
	sec := s.section
	if !sec.known && why == "missing-insert" && !h.sides[1-s.from].settings {
		why = "missing-settings"
	}
	f := &Frame{Protocol: "HTTP/3", Type: "HEADERS", Stream: s.stream.id, Len: sec.len, Unread: why}
	if sec.promise {
		f.Type = "PUSH_PROMISE"
		f.Detail = []Field{number("push", sec.push)}
	}
	table := &h.sides[s.from].table
	if sec.known {
		f.Detail = append(f.Detail, number("required-insert-count", sec.required), number("insert-count", table.inserts()))
	}
	h.emit(s.from, sec.first, sec.last, f)
	h.sectionDone(s)
	side := &h.sides[s.from]
	side.waiting = slices.DeleteFunc(side.waiting, func(w *h3Half) bool { return w == s })
	if sec.promise {
		return
	}
	switch s.phase {
	case beforeHead, afterUnread:
		s.phase = inBody
		if s.from == 1 {
			s.phase = afterUnread
		}
		if !sec.final {
			h.openBody(&s.body, &Head{Protocol: "HTTP/3", Stream: s.stream.id, Request: s.from == 0}, "frames", sec.last)
			s.body.want, s.body.out.PreviewErr = 0, "its head could not be read"
		}
	case inBody:
		s.phase = afterTrailers
		s.body.over(sec.first, sec.last)
		h.endBody(s.from, &s.body, nil, true)
	}
}

// wake reads the sections of a side that need no longer wait.
func (h *H3) wake(from int, all bool) {
	side := &h.sides[from]
	if !all && (side.least == 0 || side.table.inserts() < side.least) {
		return
	}
	waiting := side.waiting
	side.waiting, side.least = nil, 0
	for _, s := range waiting {
		ready, why := h.ready(s)
		switch {
		case why == "" && !ready:
			side.wait(s)
			continue
		case why == "":
			why = h.sectionRead(s)
		}
		if why != "" {
			h.broken(s, why)
		}
		h.resume(s)
	}
}

// broken gives up on a direction at a section that had waited.
func (h *H3) broken(s *h3Half, why string) {
	sec := s.section
	h.sectionDone(s)
	s.begun, s.first, s.seen = true, sec.first, sec.last
	s.buf, s.count = sec.frame, int64(len(sec.frame))
	holds := s.holds // of what is held behind it
	s.holds = 0
	h.fail(s, why)
	s.holds = holds
}

// readEncoder reads the instructions of an encoder stream (RFC 9204 4.3).
func readEncoder(h *H3, s *h3Half) {
	side := &h.sides[s.from]
	allowed := uint64(math.MaxUint64)
	if other := &h.sides[1-s.from]; other.settings {
		allowed = other.allows
	}
	need := max(int(s.left), len(s.buf)+1)
	s.take(min(need-len(s.buf), len(s.in)-s.pos))
	if len(s.buf) < need {
		s.left = uint64(need)
		return
	}
	in, need := encoderInstruction(s.buf, side.table.capacity)
	s.left = uint64(need)
	if in.len == 0 {
		return
	}
	s.left = 0
	why := "malformed-qpack"
	if in.name == "SET_DYNAMIC_TABLE_CAPACITY" && in.number > maxTable && in.number <= allowed {
		in.len, why = -1, "table-too-large"
	}
	var f Field
	ok := in.len > 0
	if ok {
		f, ok = side.table.obey(in, allowed)
	}
	if !ok {
		h.fail(s, why)
		h.stuck(s.from)
		return
	}
	out := &Frame{Type: in.name, Len: in.len}
	if in.name == "SET_DYNAMIC_TABLE_CAPACITY" {
		out.Detail = []Field{number("capacity", in.number)}
	} else {
		out.Detail = []Field{number("index", side.table.inserts()-1), f}
	}
	h.tell(s, out)
	h.wake(s.from, side.acked == side.table.inserts())
}

// stuck notes that no more of a side's encoder stream can be read.
func (h *H3) stuck(from int) {
	side := &h.sides[from]
	if side.stuck {
		return
	}
	side.stuck = true
	waiting := side.waiting
	side.waiting = nil
	for _, s := range waiting {
		h.giveUp(s, "missing-insert")
	}
}

// readDecoder reads the instructions of a decoder stream (RFC 9204 4.4).
func readDecoder(h *H3, s *h3Half) {
	s.take(1)
	in := decoderInstruction(s.buf)
	switch {
	case in.len < 0:
		h.fail(s, "malformed-qpack")
	case in.len > 0:
		name := "stream"
		if in.name == "INSERT_COUNT_INCREMENT" {
			name = "increment"
			side := &h.sides[1-s.from]
			side.acked += min(in.number, math.MaxUint64-side.acked)
		}
		h.tell(s, &Frame{Type: in.name, Len: in.len, Detail: []Field{{name, strconv.FormatUint(in.number, 10)}}})
	}
}
