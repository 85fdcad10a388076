package quic

import "bytes"

// A Conn follows the packets of one QUIC connection, on the path: it keeps what
// opens its Initial packets. Its zero value is ready for use.
type Conn struct {
	keys     []initial // newest last
	guess    *initial  // of a client's Initial that the capture does not hold whole: only an answer shows whether they are right
	expected [2]uint64 // by side: one more than the highest packet number that was opened
	google   uint32    // Google's version without TLS, in whose packets nothing is read
	out      []Packet
}

// initial is the keys that come from one connection ID.
type initial struct {
	version uint32
	dcid    []byte
	keys    *Keys
}

// maxKeys bounds the pairs of version and connection ID that are kept: a Retry
// and a change of version (RFC 9368) make new ones.
const maxKeys = 3

// A Packet is one packet of a datagram. Its slices alias the datagram, but for
// Frames, which alias what was decrypted.
type Packet struct {
	Header
	Opened bool   // an Initial whose tag fits
	From   []byte // the connection ID that its keys come from
	Number uint64 // of an Initial that was opened
	Frames []Frame
	Broken bool // its frames break off
	Fresh  bool // the first packet that these keys opened, and others had opened some before: the client begins again
	// Retry, where the client's first Initial was opened and the version's tags are known.
	Checked, Good bool
	Keyless       bool // an Initial, and nothing is known from which its keys could come
	Padding       int  // zero bytes behind it, to the end of the datagram
}

// Datagram reads the packets of a datagram, from the client (side 0) or the
// server (side 1). The capture lacks its last cut bytes. The packets' lengths and
// padding add up to the length of data. The slice is valid until the next call.
func (c *Conn) Datagram(side int, data []byte, cut int) []Packet {
	clear(c.out)
	out := c.out[:0]
	for at := 0; at < len(data); {
		b := data[at:]
		if at > 0 && len(bytes.Trim(b, "\x00")) == 0 {
			out[len(out)-1].Padding = len(b)
			break
		}
		h, ok := Parse(b, cut)
		if at > 0 && b[0]&0x80 == 0 {
			// What stands together goes to the same connection ID (RFC 9000 12.2);
			// without one only the bit is left that RFC 9287 lets an end change.
			before := out[len(out)-1].DCID
			ok = len(before) > 0 && bytes.HasPrefix(b[1:], before) || len(before) == 0 && b[0]&0x40 != 0
		}
		if version, old := oldGoogle(b); old && at == 0 {
			h, ok = Header{Type: Other, Version: version, DCID: b[1:9], Len: len(b)}, true
		}
		if !ok {
			h = Header{Type: Rest, Len: len(b)}
		}
		switch {
		case h.Type == Other && google(h.Version):
			c.google = h.Version
		case h.Type == OneRTT && c.google != 0:
			h.Type, h.Version = Other, c.google
		}
		p := Packet{Header: h}
		switch h.Type {
		case Initial:
			c.open(side, b, &p)
		case Retry:
			// It can answer any of the client's Initials that are under way.
			for i := range c.keys {
				if side == 1 && !p.Good {
					p.Good, p.Checked = CheckRetry(b, &h, c.keys[i].dcid)
				}
			}
		}
		p.Len = min(p.Len, len(b))
		at += p.Len
		out = append(out, p)
	}
	c.out = out
	return out
}

// first returns the connection ID that the newest keys come from.
func (c *Conn) first() []byte {
	if len(c.keys) == 0 {
		return nil
	}
	return c.keys[len(c.keys)-1].dcid
}

// open opens an Initial packet.
func (c *Conn) open(side int, b []byte, p *Packet) {
	try := func(k *initial) bool {
		number, payload, ok := k.keys.Open(side, b, &p.Header, c.expected[side])
		if !ok {
			return false
		}
		p.Opened, p.Number, p.From = true, number, k.dcid
		c.expected[side] = max(c.expected[side], number+1)
		p.Frames, ok = Frames(p.Version, payload)
		p.Broken = !ok
		return true
	}
	for i := len(c.keys) - 1; i >= 0; i-- {
		if c.keys[i].version == p.Version && try(&c.keys[i]) {
			return
		}
	}
	// The same connection ID under another version (RFC 9368 4.1), then the
	// packet's own, which counts if it is the client's first, or the first after a Retry.
	fresh := len(c.keys) > 0
	if first := c.first(); first != nil && c.keys[len(c.keys)-1].version != p.Version {
		if k := (initial{p.Version, first, InitialKeys(p.Version, first)}); k.keys != nil && try(&k) {
			c.add(k)
			return
		}
	}
	if side == 1 && c.guess != nil && len(c.keys) == 0 && c.guess.version == p.Version && try(c.guess) {
		c.add(*c.guess)
		return
	}
	if side == 0 && p.Cut > 0 && len(c.keys) == 0 && c.guess == nil {
		if keys := InitialKeys(p.Version, p.DCID); keys != nil {
			c.guess = &initial{p.Version, bytes.Clone(p.DCID), keys}
		}
	}
	if side == 0 {
		if k := (initial{p.Version, bytes.Clone(p.DCID), InitialKeys(p.Version, p.DCID)}); k.keys != nil {
			before := c.expected
			c.expected = [2]uint64{}
			if try(&k) {
				p.Fresh = fresh
				c.add(k)
				return
			}
			c.expected = before
		}
	}
	p.Keyless = len(c.keys) == 0
}

func (c *Conn) add(k initial) {
	if len(c.keys) == maxKeys {
		c.keys = c.keys[:copy(c.keys, c.keys[1:])]
	}
	c.keys = append(c.keys, k)
}

// Begins tells whether a datagram begins with an Initial of a client that
// begins: its keys come from its own destination connection ID.
func Begins(data []byte, cut int) bool {
	h, ok := Parse(data, cut)
	if !ok || h.Type != Initial {
		return false
	}
	k := InitialKeys(h.Version, h.DCID)
	if k == nil {
		return false
	}
	_, _, ok = k.Open(0, data, &h, 0)
	return ok
}
