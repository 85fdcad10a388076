package capture

import (
	"bytes"
	"encoding/binary"

	"explainer/capture/handshake"
	"explainer/capture/keys"
	"explainer/capture/web"
)

// A twin of a stream is as long as it and reads as it does, but what people sent is
// overwritten. What stays are the handshakes, alerts, the frame of each record and
// what package web lets stay of HTTP. Records that were opened and hold something
// else are sealed again with the same keys, so that the twin opens as the stream did.
//
// Whatever is not known to be harmless is overwritten. Records that stayed sealed
// stay as they are if no secret of their connection is known. Otherwise whoever has
// the secret might open what could not be opened here, so application data are
// overwritten in their sealed form; so they are where nobody knows that the suite encrypts.

const (
	covered = 'x'
	begins  = '?' // nothing that is read here begins with it
)

// twinHalf is the twin of one direction, as it is being made.
type twinHalf struct {
	at    int64   // where raw begins: what is before it was given or is in queue
	raw   []byte  // bytes of which it is not known yet what becomes of them
	gaps  []int64 // places before which raw goes on behind missing bytes
	queue []*twinPiece
	tail  []byte // of what was given last, as much as sealing the next record may need
}

// A twinPiece is part of a twin: bytes that are fixed, or a record that was opened.
type twinPiece struct {
	start int64
	fixed []byte

	record  []byte        // with its header, as it came
	sealing *keys.Sealing // nil: the record is not encrypted, or cannot be sealed again
	size    int           // of what was sealed
	told    int64         // up to where it was told what is in it
	cover   bool          // something of it is not to stay
	head    []byte        // what stays then of its beginning

	web    *web.Conn // reads the content, if that is application data
	webAt  int64     // where that stands in the plaintext
	plain  []byte    // twin of the content
	filled int       // bytes of it that are known
}

func (p *twinPiece) end() int64 { return p.start + int64(len(p.record)+len(p.fixed)) }

// ready tells that nothing is waited for.
func (p *twinPiece) ready() bool {
	switch {
	case p.fixed != nil:
		return true
	case p.web != nil:
		return p.filled >= p.size
	}
	return p.told >= p.end()
}

// twinWeb asks w, which reads the application data of c or its bytes in clear, for its twin.
func (c *conn) twinWeb(w *web.Conn) *web.Conn {
	if c.d.Twin == nil {
		return w
	}
	base := [2]int64{c.halves[Client].off, c.halves[Server].off}
	w.Twin(func(from int, at int64, twin []byte) {
		h := &c.halves[from]
		if c.mode != modeTLS {
			h.twinFixed(base[from]+at, bytes.Clone(twin))
			c.twinGive(h)
			return
		}
		end := at + int64(len(twin))
		for _, p := range h.twin.queue {
			if p.web != w || p.filled >= p.size {
				continue
			}
			if from, to := max(at, p.webAt+int64(p.filled)), min(end, p.webAt+int64(p.size)); from < to {
				copy(p.plain[from-p.webAt:], twin[from-at:to-at])
				p.filled = int(to - p.webAt)
			}
		}
		c.twinGive(h)
	}, c.d.Hide)
	return w
}

// twinFixed settles the bytes at off. What is before them and was not settled is covered.
func (h *half) twinFixed(off int64, b []byte) {
	t := &h.twin
	if skip := t.at - off; skip > 0 {
		b = b[min(skip, int64(len(b))):]
		off = t.at
	}
	t.settle(off, nil)
	t.settle(off+int64(len(b)), b)
}

// settle settles what is before end: with b, or covered.
func (t *twinHalf) settle(end int64, b []byte) {
	if len(t.gaps) > 0 {
		end = min(end, t.gaps[0])
	}
	n := int(min(max(end-t.at, 0), int64(len(t.raw))))
	if n == 0 {
		return
	}
	if b == nil {
		b = bytes.Repeat([]byte{covered}, n)
	}
	t.queue = append(t.queue, &twinPiece{start: t.at, fixed: b[:min(n, len(b))]})
	t.at += int64(n)
	t.raw = t.raw[n:]
}

// twinOpened takes the record in hand, of a type, which ends at end and was opened.
func (c *conn) twinOpened(h *half, typ uint8, version uint16, body []byte, end int64, plain []byte, inner uint8) {
	if c.d.Twin == nil {
		return
	}
	t := &h.twin
	t.settle(h.off, nil)
	n := int(end - t.at)
	if t.at != h.off || n > len(t.raw) {
		return // and is covered
	}
	p := &twinPiece{start: t.at, record: t.raw[:n:n], size: len(plain), told: t.at, head: bytes.Clone(plain[:min(len(plain), heartbeatHead)])}
	t.at += int64(n)
	t.raw = t.raw[n:]
	switch k := h.tls.keys; {
	case h.tls.bare:
		p.size = max(0, len(body)-k.suite.MACKeyLen)
	case !h.tls.is13() && k.compression != 0:
		// What is compressed cannot be overwritten and stay as long.
		p.size = len(c.d.plain)
		plain = c.d.plain
		p.head = nil
		fallthrough
	default:
		p.sealing = h.tls.opener.Sealing(typ, version, p.record[headerLen:], plain, inner)
	}
	t.queue = append(t.queue, p)
}

// heartbeatHead is the type and the payload's length (RFC 6520 4).
const heartbeatHead = 3

// twinData says that the record taken last holds application data, which w reads next.
func (c *conn) twinData(h *half, w *web.Conn, n int) {
	if c.d.Twin == nil {
		return
	}
	t := &h.twin
	for _, p := range t.queue {
		if p.web != nil && p.web != w {
			p.filled = p.size // nothing more comes to who read it
		}
	}
	if len(t.queue) == 0 {
		return
	}
	p := t.queue[len(t.queue)-1]
	if p.record == nil || p.end() != h.twin.at {
		return
	}
	p.plain = bytes.Repeat([]byte{covered}, p.size)
	p.web, p.webAt = w, w.Fed(int(h.side))
	if n != p.size {
		p.filled = p.size // what is compressed stays covered
	}
}

// twinFed says that w was fed the record taken last.
func (c *conn) twinFed(h *half, w *web.Conn) {
	if c.d.Twin == nil {
		return
	}
	fed := [2]int64{w.Fed(0), w.Fed(1)}
	for i := range c.halves {
		o := &c.halves[i]
		for _, p := range o.twin.queue {
			// Tunnels are not read, nor is what comes after an end.
			if p.web == w && (w.Tunnel() || p.webAt+int64(p.size) > fed[i]) {
				p.filled = p.size
			}
		}
		c.twinGive(o)
	}
}

// twinTold takes in what was told of the bytes from start to end.
func (c *conn) twinTold(h *half, start, end int64, body any) {
	if c.d.Twin == nil || start == end {
		return
	}
	t := &h.twin
	switch body.(type) {
	case *AppData:
		return // the web protocol decides
	case *web.Head, *web.Body, *web.Frame, *web.WebSocket, *web.Switched, *web.Unparsed:
		if c.mode != modeTLS {
			return
		}
		c.twinCover(h, end)
	case *Sealed:
		c.twinSealed(h, end)
	case *Missing:
		t.settle(start, nil)
		if len(t.gaps) > 0 && t.gaps[0] == start {
			t.gaps = t.gaps[1:]
		} else {
			t.raw = nil // cannot be: nobody knows where it belongs
		}
		t.at = end
		c.twinGive(h)
	case *Heartbeat:
		for _, p := range t.queue {
			p.cover = p.cover || p.end() == end && p.web == nil
		}
		stays := min(end, start+headerLen+heartbeatHead)
		t.settle(stays, t.raw)
		c.twinCover(h, end)
	case handshake.Message, *CutHello, *CutServerHello, *ChangeCipherSpec, *Alert:
		for _, p := range t.queue {
			if p.start < end {
				p.told = max(p.told, end)
			}
		}
		t.settle(end, t.raw)
		c.twinGive(h)
	case *Malformed, *Opaque:
		// The headers stay, so that the twin breaks off where its stream did.
		for c.mode == modeTLS && t.at < end && t.at >= start && len(t.raw) >= headerLen && looksTLS(t.raw) == yes {
			next := min(end, t.at+headerLen+int64(binary.BigEndian.Uint16(t.raw[3:])))
			stays := t.at + headerLen
			if m := t.raw[headerLen:]; t.raw[0] == typeHandshake && len(m) >= 4 && isMessage(handshake.Type(m[0])) {
				stays += 4
			}
			t.settle(min(next, stays), t.raw)
			t.settle(next, nil)
		}
		if o, ok := body.(*Opaque); ok && (o.Why == OpaqueUnknown || o.Why == OpaqueDialogue) && t.at == start && len(t.raw) > 0 {
			t.settle(start+1, []byte{begins}) // a row of letters might still become a method
		}
		c.twinCover(h, end)
	default:
		c.twinCover(h, end)
	}
}

// twinCover covers what is before end and was not settled. Of a record no part stays then.
func (c *conn) twinCover(h *half, end int64) {
	if c.d.Twin == nil {
		return
	}
	t := &h.twin
	for _, p := range t.queue {
		if p.web == nil && p.start < end && p.told < p.end() {
			if !p.cover {
				p.cover, p.head = true, nil
			}
			p.told = max(p.told, end)
		}
	}
	t.settle(end, nil)
	c.twinGive(h)
}

// twinSealed settles records before end that stayed sealed.
func (c *conn) twinSealed(h *half, end int64) {
	if c.d.Twin == nil {
		return
	}
	t := &h.twin
	if c.encrypts(h) && !c.keysKnown(h) {
		t.settle(end, t.raw)
		c.twinGive(h)
		return
	}
	for t.at < end && len(t.raw) >= headerLen && looksTLS(t.raw) == yes {
		typ := t.raw[0]
		next := min(end, t.at+headerLen+int64(binary.BigEndian.Uint16(t.raw[3:])))
		if typ == typeApplicationData {
			t.settle(t.at+headerLen, t.raw)
			t.settle(next, nil)
		} else {
			t.settle(next, t.raw)
		}
	}
	c.twinCover(h, end)
}

// encrypts tells whether the suite of h is known to encrypt.
func (c *conn) encrypts(h *half) bool {
	n := h.tls.neg
	if h.tls.on {
		n = h.tls.keys
	}
	return n != nil && n.suite != nil && n.suite.Cipher != keys.NULL
}

// keysKnown tells whether a secret is known that may open records of h, even if none was opened.
func (c *conn) keysKnown(h *half) bool {
	for _, n := range []*negotiation{h.tls.neg, h.tls.keys, c.last} {
		switch {
		case n == nil:
		case n.secrets != nil && len(n.secrets.values) > 0, len(n.masters) > 0, n.block != nil,
			len(n.ciphertext) >= 8 && len(c.d.secrets.rsa(n.ciphertext)) > 0,
			n.resumed && !is13(n.version) && c.d.lines+len(c.d.PrivateKeys) > 0: // perhaps those of the connection that it resumes
			return true
		}
	}
	return false
}

// twinGive gives out what is settled.
func (c *conn) twinGive(h *half) {
	t := &h.twin
	n := 0
	for ; n < len(t.queue) && t.queue[n].ready(); n++ {
		p := t.queue[n]
		b := p.fixed
		if b == nil {
			b = p.seal(t.tail)
		}
		c.twinOut(h, p.start, b)
		if len(b) >= keys.ChainTail {
			t.tail = append(t.tail[:0], b[len(b)-keys.ChainTail:]...)
		} else {
			t.tail = append(t.tail, b...)
			t.tail = t.tail[max(0, len(t.tail)-keys.ChainTail):]
		}
		t.queue[n] = nil
	}
	t.queue = t.queue[n:]
}

// seal returns the twin of a record. before is the end of the stream before it.
func (p *twinPiece) seal(before []byte) []byte {
	switch {
	case p.web != nil:
	case p.cover:
		p.plain = bytes.Repeat([]byte{covered}, p.size)
		copy(p.plain, p.head)
	case p.sealing == nil:
		return p.record
	case p.sealing.Moves():
		p.plain = p.sealing.Content()
	default:
		return p.record
	}
	out := bytes.Clone(p.record)
	if p.sealing == nil { // it is not encrypted
		copy(out[headerLen:], p.plain)
		return out
	}
	fragment, ok := p.sealing.Seal(p.plain, before)
	if !ok {
		fragment = bytes.Repeat([]byte{covered}, len(out)-headerLen)
	}
	copy(out[headerLen:], fragment)
	return out
}

// twinEnd covers what is left of both directions.
func (c *conn) twinEnd() {
	if c.d.Twin == nil {
		return
	}
	for i := range c.halves {
		h := &c.halves[i]
		h.twin.gaps = nil
		for _, p := range h.twin.queue {
			p.filled = p.size
		}
		c.twinCover(h, h.twin.at+int64(len(h.twin.raw)))
	}
}
