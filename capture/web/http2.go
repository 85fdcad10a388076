package web

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"
)

const (
	preface     = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" // RFC 9113 3.4
	frameHeader = 9                                  // bytes, RFC 9113 4.1

	maxStreams  = 1024     // open at one time
	maxTable    = 1 << 20  // HPACK table, whatever was announced
	maxSettings = 64 << 10 // bytes of a SETTINGS frame
	maxOpaque   = 128      // bytes told of a GOAWAY's or PRIORITY_UPDATE's text
)

// Frame types (RFC 9113 6, 7838, 8336, 9218).
const (
	frameData = iota
	frameHeaders
	framePriority
	frameRST
	frameSettings
	framePush
	framePing
	frameGoAway
	frameWindow
	frameContinuation
	frameAltSvc
	_
	frameOrigin
	framePriorityUpdate = 0x10
)

const (
	flagEndStream  = 0x1
	flagAck        = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

var frameNames = map[uint8]string{
	framePriority: "PRIORITY", frameRST: "RST_STREAM", frameSettings: "SETTINGS", framePush: "PUSH_PROMISE",
	framePing: "PING", frameGoAway: "GOAWAY", frameWindow: "WINDOW_UPDATE",
	frameAltSvc: "ALTSVC", frameOrigin: "ORIGIN", framePriorityUpdate: "PRIORITY_UPDATE",
}

// RFC 9113 6.5.2, 8441 3, 9218 2.1.
var settingNames = map[uint16]string{
	1: "HEADER_TABLE_SIZE", 2: "ENABLE_PUSH", 3: "MAX_CONCURRENT_STREAMS", 4: "INITIAL_WINDOW_SIZE",
	5: "MAX_FRAME_SIZE", 6: "MAX_HEADER_LIST_SIZE", 8: "ENABLE_CONNECT_PROTOCOL", 9: "NO_RFC7540_PRIORITIES",
}

// RFC 9113 7.
var errorNames = []string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
	"FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
	"INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
}

func errorName(code uint32) string {
	if code < uint32(len(errorNames)) {
		return errorNames[code]
	}
	return fmt.Sprintf("0x%x", code)
}

// frames is the state of one direction of HTTP/2.
type frames struct {
	// the frame in hand
	typ, flags uint8
	stream     uint32
	length     int
	left       int   // bytes of its payload to come
	keep       int   // bytes of its payload to collect
	pad        int   // DATA: bytes of padding, -1 before its length was read
	body       *body // DATA: where it goes, nil if the stream is closed

	// the header block in hand, if blockStream is not 0
	block       []byte
	blockStream uint32
	blockEnd    bool   // END_STREAM
	promised    uint32 // PUSH_PROMISE
	blockFlags  uint8
	blockLen    int
	blockFirst  Mark

	hpack  *hpack.Decoder
	head   Head // what hpack emits into
	size   int
	tooBig bool

	rawBlock // for the twin
}

// stream is one open stream of HTTP/2.
type stream struct {
	method string
	halves [2]streamHalf
}

type streamHalf struct {
	head, ended bool
	body        body
}

// beginHTTP2 goes on as HTTP/2 in one direction. A client's preface or a
// server's frame header may have begun in h.buf.
func (c *Conn) beginHTTP2(h *half) {
	if c.streams == nil {
		c.streams = make(map[uint32]*stream)
	}
	f := &frames{}
	f.hpack = hpack.NewDecoder(4096, func(hf hpack.HeaderField) {
		if f.size += len(hf.Name) + len(hf.Value) + 32; f.size > maxHead {
			f.tooBig = true
			f.hpack.SetEmitEnabled(false)
			return
		}
		f.head.add(hf.Name, hf.Value)
		if h.covering != nil {
			f.fields = append(f.fields, hf)
		}
	})
	f.hpack.SetMaxStringLength(maxHead)
	f.hpack.SetAllowedMaxDynamicTableSize(max(4096, c.table[h.from]))
	h.frames = f
	if h.from == 0 {
		h.step = readPreface
		return
	}
	h.step = readFrameHeader
	if len(h.buf) == frameHeader {
		c.frameBegins(h)
	}
}

// add takes a field or pseudo-header field.
func (head *Head) add(name, value string) {
	var to *string
	switch name {
	case ":method":
		to = &head.Method
	case ":path":
		to = &head.Target
	case ":authority":
		to = &head.Authority
	case ":scheme":
		to = &head.Scheme
	case ":protocol":
		to = &head.Connect
	case ":status":
		if n, err := strconv.ParseUint(value, 10, 10); err == nil && len(value) == 3 {
			head.Status = int(n)
		}
		return
	default:
		head.Fields = append(head.Fields, Field{name, value})
		return
	}
	if *to == "" {
		*to = value
	}
}

func readPreface(c *Conn, h *half) {
	h.take(min(len(preface)-len(h.buf), len(h.in)-h.pos))
	switch {
	case !strings.HasPrefix(preface, string(h.buf)):
		c.fail(h, "malformed-preface")
	case len(h.buf) == len(preface):
		c.emit(h.from, h.first, h.at(h.pos-1), &Frame{Protocol: "HTTP/2", Type: "PREFACE", Len: len(preface)})
		h.stays([]byte(preface))
		h.done()
		h.step = readFrameHeader
	}
}

func readFrameHeader(c *Conn, h *half) {
	h.take(min(frameHeader-len(h.buf), len(h.in)-h.pos))
	if len(h.buf) == frameHeader {
		c.frameBegins(h)
	}
}

// frameBegins looks at the frame header in h.buf.
func (c *Conn) frameBegins(h *half) {
	f := h.frames
	b := h.buf
	f.length = int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	f.left = f.length
	f.typ, f.flags = b[3], b[4]
	f.stream = binary.BigEndian.Uint32(b[5:]) & (1<<31 - 1)
	if why := f.check(); why != "" {
		c.fail(h, why)
		return
	}
	if f.typ == frameData {
		f.pad = 0
		if f.flags&flagPadded != 0 {
			f.pad = -1
		}
		f.body = nil
		if s := c.streams[f.stream]; s != nil && s.halves[h.from].head && !s.halves[h.from].ended {
			f.body = &s.halves[h.from].body
			f.body.over(h.first, h.at(h.pos-1))
		}
		h.stays(h.buf)
		h.done()
		h.step = readData
		if f.left == 0 {
			c.dataEnds(h)
		}
		return
	}
	h.step = readPayload
	if f.left == 0 {
		c.frameEnds(h)
	}
}

// check judges a frame by its header and sets how much of it is collected.
func (f *frames) check() (why string) {
	if (f.typ == frameContinuation) != (f.blockStream != 0) || f.blockStream != 0 && f.stream != f.blockStream {
		return "malformed-frame" // a header block is not interrupted (RFC 9113 4.3)
	}
	f.keep = f.length
	ok := true
	switch f.typ {
	case frameData:
		ok = f.stream != 0 && (f.flags&flagPadded == 0 || f.length > 0)
	case frameHeaders, framePush, frameContinuation:
		ok = f.stream != 0
		if f.length > maxHead+512 {
			return "head-too-long"
		}
	case framePriority:
		ok = f.stream != 0 && f.length == 5
	case frameRST:
		ok = f.stream != 0 && f.length == 4
	case frameSettings:
		ok = f.stream == 0 && f.length%6 == 0 && f.length <= maxSettings && (f.flags&flagAck == 0 || f.length == 0)
	case framePing:
		ok = f.stream == 0 && f.length == 8
	case frameGoAway:
		ok = f.stream == 0 && f.length >= 8
		f.keep = min(f.length, 8+maxOpaque)
	case frameWindow:
		ok = f.length == 4
	case framePriorityUpdate:
		ok = f.stream == 0 && f.length >= 4
		f.keep = min(f.length, 4+maxOpaque)
	default:
		f.keep = 0
	}
	if !ok {
		return "malformed-frame"
	}
	return ""
}

func readPayload(c *Conn, h *half) {
	f := h.frames
	n := min(f.left, len(h.in)-h.pos)
	k := min(n, frameHeader+f.keep-len(h.buf))
	h.take(k)
	h.skip(n - k)
	if f.left -= n; f.left == 0 {
		c.frameEnds(h)
	}
}

// readData passes a DATA frame's payload on. Nothing of it is held here.
func readData(c *Conn, h *half) {
	f := h.frames
	at := h.pos
	if f.pad < 0 {
		f.pad = int(h.in[h.pos])
		h.pos++
		h.stays(h.in[h.pos-1 : h.pos])
		if f.left--; f.pad > f.left {
			c.fail(h, "malformed-frame")
			return
		}
	}
	n := min(f.left, len(h.in)-h.pos)
	if content := min(n, f.left-f.pad); content > 0 && f.body != nil {
		c.addBody(f.body, h.in[h.pos:h.pos+content])
	}
	h.pos += n
	f.left -= n
	if f.body != nil && h.pos > at {
		f.body.over(h.at(at), h.at(h.pos-1))
	}
	if f.left == 0 {
		c.dataEnds(h)
	}
}

func (c *Conn) dataEnds(h *half) {
	f := h.frames
	h.step = readFrameHeader
	if s := c.streams[f.stream]; s != nil && f.body == &s.halves[h.from].body && f.flags&flagEndStream != 0 {
		c.endBody(h.from, f.body, nil, true)
		c.halfEnds(f.stream, s, h.from)
	}
	f.body = nil
}

// halfEnds notes that one direction of a stream has ended, and forgets a stream of which both have.
func (c *Conn) halfEnds(id uint32, s *stream, from int) {
	s.halves[from].ended = true
	if s.halves[0].ended && s.halves[1].ended {
		delete(c.streams, id)
	}
}

// frameEnds reads the frame that was collected in h.buf.
func (c *Conn) frameEnds(h *half) {
	f := h.frames
	payload := h.buf[frameHeader:]
	h.step = readFrameHeader
	switch f.typ {
	case frameHeaders, framePush, frameContinuation:
		if why := c.headerBlock(h, payload); why != "" {
			c.fail(h, why)
			return
		}
	default:
		out := &Frame{Protocol: "HTTP/2", Type: frameNames[f.typ], Stream: uint64(f.stream), Flags: f.flags, Len: f.length}
		if out.Type == "" {
			out.Type = fmt.Sprintf("0x%02x", f.typ)
		}
		out.Ack = (f.typ == frameSettings || f.typ == framePing) && f.flags&flagAck != 0
		out.Detail = f.detail(payload)
		c.emit(h.from, h.first, h.at(h.pos-1), out)
		c.effect(h.from, f, payload)
		h.staysAt(h.firstAt, frameTwin(f.typ, h.buf))
	}
	h.done()
}

func number[T uint32 | uint64](name string, n T) Field {
	return Field{name, strconv.FormatUint(uint64(n), 10)}
}

// detail tells what a frame says.
func (f *frames) detail(p []byte) (list []Field) {
	switch f.typ {
	case framePriority:
		dep := binary.BigEndian.Uint32(p)
		list = []Field{number("depends-on", dep&(1<<31-1)), number("weight", uint32(p[4])+1)}
		if dep>>31 != 0 {
			list = append(list, Field{"exclusive", "true"})
		}
	case frameRST:
		list = []Field{{"error", errorName(binary.BigEndian.Uint32(p))}}
	case frameSettings:
		for ; len(p) >= 6; p = p[6:] {
			id := binary.BigEndian.Uint16(p)
			name, ok := settingNames[id]
			if !ok {
				name = fmt.Sprintf("0x%04x", id)
			}
			list = append(list, number(name, binary.BigEndian.Uint32(p[2:])))
		}
	case framePing:
		list = []Field{{"data", fmt.Sprintf("%x", p)}}
	case frameGoAway:
		list = []Field{number("last-stream", binary.BigEndian.Uint32(p)&(1<<31-1)), {"error", errorName(binary.BigEndian.Uint32(p[4:]))}}
		if len(p) > 8 {
			list = append(list, Field{"debug", string(p[8:])})
		}
	case frameWindow:
		list = []Field{number("increment", binary.BigEndian.Uint32(p)&(1<<31-1))}
	case framePriorityUpdate:
		list = []Field{number("stream", binary.BigEndian.Uint32(p)&(1<<31-1)), {"priority", string(p[4:])}}
	}
	return list
}

// effect does what a frame means for how later ones are read.
func (c *Conn) effect(from int, f *frames, p []byte) {
	switch f.typ {
	case frameSettings:
		c.settings(from, p)
	case frameRST:
		if s := c.streams[f.stream]; s != nil {
			c.endStream(f.stream, s)
		}
	case frameGoAway:
		// Streams of the receiver above the last one are not looked at (RFC 9113 6.8).
		last := binary.BigEndian.Uint32(p) & (1<<31 - 1)
		for _, id := range c.streamIDs() {
			if id > last && int(id&1) == from {
				c.endStream(id, c.streams[id])
			}
		}
	}
}

// settings notes the HPACK table that one side allows to the other side's encoder.
func (c *Conn) settings(from int, p []byte) {
	for ; len(p) >= 6; p = p[6:] {
		if binary.BigEndian.Uint16(p) != 1 {
			continue
		}
		// A smaller table counts only once the encoder has acknowledged it, and it
		// says so in its block then (RFC 7541 4.2). So the largest is allowed.
		size := min(binary.BigEndian.Uint32(p[2:]), maxTable)
		if to := 1 - from; size > c.table[to] && size > 4096 {
			c.table[to] = size
			if f := c.halves[to].frames; f != nil {
				f.hpack.SetAllowedMaxDynamicTableSize(size)
			}
		}
	}
}

// endStream forgets a stream that was given up; its bodies stay incomplete.
func (c *Conn) endStream(id uint32, s *stream) {
	for from := range s.halves {
		c.endBody(from, &s.halves[from].body, nil, false)
	}
	delete(c.streams, id)
}

// endStreams ends one direction of all streams.
func (c *Conn) endStreams(from int) {
	for _, id := range c.streamIDs() {
		s := c.streams[id]
		c.endBody(from, &s.halves[from].body, nil, false)
		c.halfEnds(id, s, from)
	}
}

func (c *Conn) streamIDs() []uint32 {
	ids := make([]uint32, 0, len(c.streams))
	for id := range c.streams {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// headerBlock takes a HEADERS, PUSH_PROMISE or CONTINUATION payload.
func (c *Conn) headerBlock(h *half, p []byte) (why string) {
	f := h.frames
	if f.typ != frameContinuation {
		if f.flags&flagPadded != 0 {
			if len(p) == 0 || len(p) <= int(p[0]) {
				return "malformed-frame"
			}
			p = p[1 : len(p)-int(p[0])]
		}
		f.promised = 0
		switch {
		case f.typ == framePush:
			if len(p) < 4 {
				return "malformed-frame"
			}
			f.promised = binary.BigEndian.Uint32(p) & (1<<31 - 1)
			p = p[4:]
			if f.promised == 0 || f.promised&1 != 0 || h.from == 0 || c.streams[f.promised] != nil {
				return "malformed-frame"
			}
		case f.flags&flagPriority != 0:
			if len(p) < 5 {
				return "malformed-frame"
			}
			p = p[5:]
		}
		f.blockStream = f.stream
		f.blockEnd = f.typ == frameHeaders && f.flags&flagEndStream != 0
		f.blockFlags, f.blockLen = f.flags, 0
		f.blockFirst = h.first
		f.rawBlock = rawBlock{rawAt: h.firstAt}
	}
	f.blockLen += f.length
	if !h.keepFrame(p) {
		return "head-too-long"
	}
	if len(f.block)+len(p) > maxHead {
		return "head-too-long"
	}
	if f.flags&flagEndHeaders == 0 {
		f.block = append(f.block, p...)
		return ""
	}
	if len(f.block) > 0 {
		p = append(f.block, p...)
		f.block = nil
	}
	id := f.blockStream
	f.blockStream = 0
	if why := f.decode(p); why != "" {
		return why
	}
	if h.blockTwin() != nil {
		return "malformed-hpack"
	}
	return c.headersDone(h, id)
}

// decode undoes HPACK (RFC 7541) into f.head.
func (f *frames) decode(p []byte) (why string) {
	f.head = Head{}
	f.size, f.tooBig = 0, false
	// Two size updates may stand at the beginning (RFC 7541 4.2). The decoder
	// takes only one in a block, so each is a block of its own to it.
	for len(p) > 0 && p[0]&0xe0 == 0x20 {
		n := 1
		if p[0]&0x1f == 0x1f {
			for n < len(p) && p[n]&0x80 != 0 {
				n++
			}
			n = min(n+1, len(p))
		}
		if _, err := f.hpack.Write(p[:n]); err != nil || f.hpack.Close() != nil {
			return "malformed-hpack"
		}
		p = p[n:]
	}
	_, err := f.hpack.Write(p)
	if f.tooBig {
		return "head-too-long"
	}
	if err != nil || f.hpack.Close() != nil {
		return "malformed-hpack"
	}
	return ""
}

// headersDone reports the head, trailers or promise that f.head holds.
func (c *Conn) headersDone(h *half, id uint32) (why string) {
	f := h.frames
	first, last := f.blockFirst, h.at(h.pos-1)
	head := f.head
	f.head = Head{}
	head.Protocol = "HTTP/2"
	head.Stream = uint64(id)
	if head.Authority == "" {
		head.Authority = head.Get("Host")
	}
	if head.Method == "CONNECT" && head.Target == "" {
		head.Target = head.Authority
	}
	if f.promised != 0 {
		detail := []Field{number("promised-stream", f.promised),
			{":method", head.Method}, {":scheme", head.Scheme}, {":authority", head.Authority}, {":path", head.Target}}
		c.emit(h.from, first, last, &Frame{Protocol: "HTTP/2", Type: "PUSH_PROMISE", Stream: uint64(id), Flags: f.blockFlags, Len: f.blockLen,
			Detail: append(detail, head.Fields...)})
		s, why := c.openStream(f.promised)
		if s != nil {
			s.method = head.Method
			s.halves[0].ended = true
		}
		return why
	}

	s := c.streams[id]
	if s == nil && id&1 == 1 && id > c.lastStream {
		// Usually the client's. A server's is out of order, but is followed too.
		if s, why = c.openStream(id); why != "" {
			return why
		}
		c.lastStream = id
	}
	var side *streamHalf
	if s != nil {
		side = &s.halves[h.from]
	}
	if side != nil && side.head && !side.ended {
		side.body.over(first, last)
		c.endBody(h.from, &side.body, head.Fields, f.blockEnd)
		c.halfEnds(id, s, h.from)
		return ""
	}
	head.Request = h.from == 0
	interim := !head.Request && head.Status >= 100 && head.Status < 200
	head.EndsHere = f.blockEnd || interim
	if s != nil {
		if head.Request {
			s.method = head.Method
		} else {
			head.Method = s.method
		}
	}
	c.emit(h.from, first, last, &head)
	// A head on a stream that was given up is told, but what follows it is not read.
	switch {
	case side == nil || side.ended:
	case f.blockEnd:
		side.head = true
		c.halfEnds(id, s, h.from)
	case !interim:
		side.head = true
		c.openBody(&side.body, &head, "frames", last)
	}
	return ""
}

func (c *Conn) openStream(id uint32) (*stream, string) {
	if s := c.streams[id]; s != nil {
		return s, ""
	}
	if len(c.streams) >= maxStreams {
		return nil, "too-many-streams"
	}
	s := &stream{}
	c.streams[id] = s
	return s, ""
}

// upgradeHTTP2 begins HTTP/2 after 101 with the request as stream 1 (RFC 7540 3.2).
func (c *Conn) upgradeHTTP2(h *half, method, settings string) {
	c.beginHTTP2(h)
	if s, _ := c.openStream(1); s != nil {
		s.method = method
		s.halves[0].head, s.halves[0].ended = true, true
		c.lastStream = max(c.lastStream, 1)
	}
	if p, err := base64.RawURLEncoding.DecodeString(settings); err == nil {
		c.settings(0, p)
	}
	c.settle(func(c *Conn, h *half) { c.beginHTTP2(h) })
}
