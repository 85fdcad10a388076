package quic

import (
	"bytes"

	"explainer/capture/keys"
)

// A Conn follows the packets of one QUIC connection, on the path: it keeps what
// opens its packets. Its zero value is ready for use.
type Conn struct {
	keys     []initial         // newest last
	guess    *initial          // of a client's Initial that the capture does not hold whole: only an answer shows whether they are right
	expected [2][spaces]uint64 // by side: one more than the highest packet number that was opened, or is known to have been sent
	lengths  [2][]int          // by side: bytes of the connection IDs in what is sent to it
	google   uint32            // Google's version without TLS, in whose packets nothing is read
	out      []Packet

	version uint32      // of the handshake; 0: not known
	suite   *keys.Suite // that was agreed
	open    [2][levels]opening
	resets  [2][][16]byte // tokens of stateless resets, by the side that sends them
	size    [2]int        // by side: of the datagrams that were found in one
	tried   int           // bytes that were decrypted in vain

	head   [maxHead]byte
	plain  []byte
	frames []Frame
}

// initial is the keys that come from one connection ID.
type initial struct {
	version uint32
	dcid    []byte
	keys    *Keys
	token   bool // the packet that they came with had a token
}

// maxKeys bounds the pairs of version and connection ID that are kept: a Retry
// and a change of version (RFC 9368) make new ones.
const maxKeys = 3

// A Packet is one packet of a datagram. Its slices alias the datagram, but for
// Frames, which alias what was decrypted.
type Packet struct {
	Header
	Opened bool   // its tag fits
	From   []byte // of an Initial: the connection ID that its keys come from
	Secret []byte // of another: the secret that its keys come from, of 1-RTT behind the updates so far
	Number uint64 // packet number
	Frames []Frame
	Broken bool // its frames break off
	Fresh  bool // the first packet that these keys opened, and others had opened some before: the client begins again
	// Retry, where the client's first Initial was opened and the version's tags are known.
	Checked, Good bool
	Keyless       bool // an Initial, and nothing is known from which its keys could come
	Padding       int  // zero bytes behind it, to the end of the datagram
	Lacking       int  // bytes at its end that the capture lacks; Len is without them
	Head          int  // of one that secrets of TLS opened: bytes of its header, packet number included
	Updates       int  // of 1-RTT: how often its sender's keys had been updated (RFC 9001 6)
	Updated       bool // it is the first under these keys
	Joined        bool // it begins a datagram that was captured as one with the one before
	at            int  // where it stands in its datagram
}

// Datagram reads the packets of a datagram, from the client (side 0) or the
// server (side 1). The capture lacks its last cut bytes. The packets' lengths and
// padding add up to the length of data. The slice is valid until the next call.
//
// Where a host captures what it sends itself, one "datagram" may be several: a sender can
// hand many of the same size, and a shorter last one, to the system at once, and a
// receiver can have them put together (Linux calls that UDP_SEGMENT and UDP_GRO).
func (c *Conn) Datagram(side int, data []byte, cut int) []Packet {
	clear(c.out)
	c.out = c.out[:0]
	joined := false
	for size := c.segment(side, data); len(data) > size; data = data[size:] {
		c.one(side, data[:size], 0, joined)
		joined = true
	}
	c.one(side, data, cut, joined)
	return c.out
}

// minSegment is the least size of the datagrams that are looked for in one.
const minSegment = 64

// segment returns the size of the datagrams that data is made of, which is all of it if it
// is one. Each begins with a packet to the same connection ID.
func (c *Conn) segment(side int, data []byte) int {
	at := 0
	first, ok := Parse(data, 0)
	for h := first; ok && h.Type != OneRTT && h.Len < len(data)-at; {
		at += h.Len
		zeros := len(data[at:]) - len(bytes.TrimLeft(data[at:], "\x00"))
		if at += zeros; at == len(data) {
			break
		}
		if h, ok = Parse(data[at:], 0); ok && zeros > 0 {
			// Zeros end a datagram; what comes behind them begins the next.
			if h.Type == OneRTT && !toID(data[at:], first.DCID) || h.Type != OneRTT && !bytes.Equal(h.DCID, first.DCID) {
				break
			}
			return at
		}
	}
	id := first.DCID
	if ok && first.Type == OneRTT {
		if len(c.lengths[1-side]) == 0 {
			return len(data)
		}
		n := c.lengths[1-side][0]
		if n < 4 || len(data) <= n {
			return len(data) // nothing names them
		}
		id = data[1 : 1+n]
	}
	if len(id) < 4 {
		return len(data)
	}
	for from := max(at+1, minSegment); ; from++ {
		k := bytes.Index(data[min(from+1, len(data)):], id)
		if k < 0 {
			return len(data)
		}
		from += k
		if size := from; every(data, size, id) {
			return size
		}
	}
}

// every tells whether a packet with a short header to this connection ID begins at each
// multiple of size.
func every(data []byte, size int, id []byte) bool {
	for at := size; at < len(data); at += size {
		if !toID(data[at:], id) {
			return false
		}
	}
	return true
}

// toID tells whether b begins like a packet with a short header to a connection ID.
func toID(b, id []byte) bool {
	return len(id) > 0 && b[0]&0xc0 == 0x40 && bytes.HasPrefix(b[1:], id)
}

// one reads the packets of one datagram, which are added to c.out.
func (c *Conn) one(side int, data []byte, cut int, joined bool) {
	out := c.out
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
		if h.Version != 0 && h.Type >= Initial && h.Type <= Handshake {
			c.length(side, len(h.SCID))
		}
		if h.Type == Handshake && readable(h.Version) {
			c.version = h.Version
		}
		p := Packet{Header: h, at: at, Joined: joined && at == 0}
		switch h.Type {
		case Initial:
			c.openInitial(side, b, &p)
		case Retry:
			// It can answer any of the client's Initials that are under way. If it fits none, the one
			// that it answers may be missing, unless one is there that had no token yet.
			for i := range c.keys {
				if side == 1 && !p.Good {
					good, known := CheckRetry(b, &h, c.keys[i].dcid)
					p.Good, p.Checked = good, known && (good || p.Checked || !c.keys[i].token)
				}
			}
		}
		p.Lacking = max(p.Len-len(b), 0)
		p.Len = min(p.Len, len(b))
		at += p.Len
		out = append(out, p)
	}
	c.out = out
}

// first returns the connection ID that the newest keys come from.
func (c *Conn) first() []byte {
	if len(c.keys) == 0 {
		return nil
	}
	return c.keys[len(c.keys)-1].dcid
}

// openInitial opens an Initial packet.
func (c *Conn) openInitial(side int, b []byte, p *Packet) {
	try := func(k *initial) bool {
		number, payload, ok := k.keys.Open(side, b, &p.Header, c.expected[side][spaceInitial])
		if !ok {
			return false
		}
		p.Opened, p.Number, p.From = true, number, k.dcid
		c.expected[side][spaceInitial] = max(c.expected[side][spaceInitial], number+1)
		p.Frames, ok = Frames(Initial, p.Version, payload)
		p.Broken = !ok
		for i := range p.Frames {
			if p.Frames[i].Type == FrameAck {
				c.acked(side, spaceInitial, p.Frames[i].Number)
			}
		}
		if side == 1 || c.version == 0 {
			c.version = p.Version
		}
		return true
	}
	for i := len(c.keys) - 1; i >= 0; i-- {
		if c.keys[i].version == p.Version && try(&c.keys[i]) {
			return
		}
	}
	// The same connection ID under another version (RFC 9369 4.1), then the
	// packet's own, which counts if it is the client's first, or the first after a Retry.
	fresh := len(c.keys) > 0
	if first := c.first(); first != nil && c.keys[len(c.keys)-1].version != p.Version {
		if k := (initial{p.Version, first, InitialKeys(p.Version, first), c.keys[len(c.keys)-1].token}); k.keys != nil && try(&k) {
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
			c.guess = &initial{p.Version, bytes.Clone(p.DCID), keys, len(p.Token) > 0}
		}
	}
	if side == 0 {
		if k := (initial{p.Version, bytes.Clone(p.DCID), InitialKeys(p.Version, p.DCID), len(p.Token) > 0}); k.keys != nil {
			before := c.expected
			c.expected[0][spaceInitial], c.expected[1][spaceInitial] = 0, 0
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
