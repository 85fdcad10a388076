package web

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"strings"
	"sync"
)

const (
	messagePreview = 128      // bytes of a frame told
	maxMessage     = 64 << 10 // compressed bytes of a message that is undone
	maxInflated    = 1 << 20  // and of what it becomes
	maxTries       = 8        // to undo the beginning of a message at the ends of its frames
	windowSize     = 32 << 10 // RFC 7692 7.1.2.1
)

// socket is the state of one direction of WebSocket (RFC 6455 5).
type socket struct {
	opcode  uint8
	fin     bool
	masked  bool
	key     [4]byte
	len     int64
	at      int64 // bytes of the payload read
	start   []byte
	message uint8 // opcode of the data message in hand, 0 if none

	// permessage-deflate (RFC 7692)
	deflate    bool // was negotiated
	compressed bool // the message in hand is
	fresh      bool // no context takeover: each message stands alone
	lost       bool // what came before is not known any more
	tries      int  // how often the preview of the message in hand may still be tried for
	enc        []byte
	window     []byte // the last bytes of the messages before
}

// beginWebSocket goes on as WebSocket after the 101 response head.
func (c *Conn) beginWebSocket(h *half, head *Head) {
	var sockets [2]socket
	for ext := range strings.SplitSeq(joined(head.Fields, "Sec-WebSocket-Extensions"), ",") {
		params := strings.Split(strings.ToLower(ext), ";")
		for i := range params {
			params[i] = strings.TrimSpace(params[i])
		}
		if params[0] != "permessage-deflate" {
			continue
		}
		for i := range sockets {
			sockets[i].deflate = true
		}
		for _, p := range params[1:] {
			switch p {
			case "client_no_context_takeover":
				sockets[0].fresh = true
			case "server_no_context_takeover":
				sockets[1].fresh = true
			}
		}
	}
	h.socket = &sockets[1]
	h.step = readSocketHeader
	c.halves[0].socket = &sockets[0]
	c.settle(readSocketHeader)
}

// readSocketHeader collects a frame header: 2 to 14 bytes (RFC 6455 5.2).
func readSocketHeader(c *Conn, h *half) {
	s := h.socket
	for h.pos < len(h.in) {
		h.take(1)
		if len(h.buf) < 2 || len(h.buf) < socketHeaderLen(h.buf[1]) {
			continue
		}
		b := h.buf
		s.opcode, s.fin, s.masked, s.at = b[0]&0xf, b[0]&0x80 != 0, b[1]&0x80 != 0, 0
		switch n := b[1] & 0x7f; n {
		case 126:
			s.len = int64(binary.BigEndian.Uint16(b[2:]))
		case 127:
			s.len = int64(binary.BigEndian.Uint64(b[2:]))
		default:
			s.len = int64(n)
		}
		if s.masked {
			copy(s.key[:], b[len(b)-4:])
		}
		if !s.begins(b[0] >> 4 & 7) {
			c.fail(h, "malformed-frame")
			return
		}
		h.stays(b)
		h.step = readSocketPayload
		if s.len == 0 {
			c.socketFrameEnds(h)
		}
		return
	}
}

// socketHeaderLen returns the length of a frame header by its second byte.
func socketHeaderLen(b byte) int {
	n := 2
	switch b & 0x7f {
	case 126:
		n = 4
	case 127:
		n = 10
	}
	if b&0x80 != 0 {
		n += 4
	}
	return n
}

// begins judges a frame's header and says whether it may stand here. rsv is the three reserved bits.
func (s *socket) begins(rsv uint8) bool {
	const rsv1 = 4
	switch {
	case s.len < 0, rsv&^rsv1 != 0, rsv == rsv1 && !s.deflate:
		return false
	case s.opcode >= 8: // control
		return s.opcode <= 10 && s.fin && s.len <= 125 && rsv == 0
	case s.opcode == 0:
		return s.message != 0 && rsv == 0
	case s.opcode > 2 || s.message != 0:
		return false
	}
	s.message = s.opcode
	s.compressed = rsv == rsv1
	return true
}

func readSocketPayload(c *Conn, h *half) {
	s := h.socket
	n := int(min(int64(len(h.in)-h.pos), s.len-s.at))
	p := h.in[h.pos : h.pos+n]
	if s.opcode < 8 && s.compressed {
		k := min(n, maxMessage+1-len(s.enc))
		s.enc = s.unmask(s.enc, p[:k])
	} else {
		s.start = s.unmask(s.start, p[:min(n, messagePreview-len(s.start))])
	}
	h.payloadTwin(p)
	h.skip(n)
	if s.at += int64(n); s.at == s.len {
		c.socketFrameEnds(h)
	}
}

// unmask appends p, which stands at s.at of the payload (RFC 6455 5.3).
func (s *socket) unmask(to, p []byte) []byte {
	from := len(to)
	to = append(to, p...)
	if s.masked {
		for i := range to[from:] {
			to[from+i] ^= s.key[(s.at+int64(i))&3]
		}
	}
	return to
}

func (c *Conn) socketFrameEnds(h *half) {
	s := h.socket
	out := &WebSocket{Opcode: s.opcode, Fin: s.fin, Masked: s.masked, Len: s.len}
	switch {
	case s.opcode == 8:
		if len(s.start) >= 2 {
			out.Code = binary.BigEndian.Uint16(s.start)
			out.Preview = bytes.Clone(s.start[2:])
		}
	case s.opcode < 8 && s.compressed:
		out.Compressed = true
		out.Preview = s.inflate()
	default:
		out.Preview = bytes.Clone(s.start)
	}
	s.start = s.start[:0]
	if s.opcode < 8 && s.fin {
		s.message = 0
	}
	c.emit(h.from, h.first, h.at(h.pos-1), out)
	h.done()
	h.step = readSocketHeader
}

// inflate undoes what is there of the message, at the end of one of its
// frames. It returns the beginning of the message, once, and keeps the window
// for the next message.
func (s *socket) inflate() (preview []byte) {
	if s.opcode != 0 {
		s.tries = maxTries
	}
	if s.lost {
		s.enc = s.enc[:0]
		return nil
	}
	if !s.fin && (s.tries < 2 || s.len == 0) {
		return nil
	}
	whole := s.fin && len(s.enc) <= maxMessage
	enc := s.enc
	if whole {
		// The sender left out the end of the last block (RFC 7692 7.2.2); the
		// empty final block lets the reader stop.
		enc = append(enc, "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...)
	}
	out := flated{limit: messagePreview}
	if whole && !s.fresh {
		out.limit = maxInflated + 1
	}
	err := out.read(enc, s.window)
	if s.tries > 0 && (s.fin || len(out.start) == messagePreview) {
		preview = out.start
		s.tries = 0
	} else if s.tries > 1 {
		s.tries-- // the last try is that of the last frame
	}
	if !s.fin {
		return preview
	}
	s.enc = s.enc[:0]
	if s.fresh {
		return preview
	}
	if !whole || err != nil || out.n > maxInflated {
		s.lost = true
		s.enc, s.window = nil, nil
		return preview
	}
	s.window = append(s.window, out.end...)
	if n := len(s.window) - windowSize; n > 0 {
		s.window = s.window[:copy(s.window, s.window[n:])]
	}
	return preview
}

// flated is the beginning and the end of what a deflate stream becomes.
type flated struct {
	limit      int64
	n          int64
	start, end []byte // at most messagePreview and windowSize
}

var inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}

func (f *flated) read(enc, window []byte) error {
	r := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(r)
	if err := r.(flate.Resetter).Reset(bytes.NewReader(enc), window); err != nil {
		return err
	}
	var buf [4 << 10]byte
	for f.n < f.limit {
		n, err := r.Read(buf[:min(int64(len(buf)), f.limit-f.n)])
		f.n += int64(n)
		f.start = append(f.start, buf[:min(n, messagePreview-len(f.start))]...)
		f.end = append(f.end, buf[:n]...)
		if over := len(f.end) - windowSize; over > windowSize {
			f.end = f.end[:copy(f.end, f.end[over:])]
		}
		if err == io.EOF {
			break
		} else if err != nil {
			return err
		}
	}
	if over := len(f.end) - windowSize; over > 0 {
		f.end = f.end[over:]
	}
	return nil
}
