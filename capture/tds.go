package capture

import (
	"encoding/binary"
	"sort"
)

// SQL Server's protocol carries the messages of a TLS handshake in packets of its own, each
// behind a header of 8 bytes; the records behind the handshake stand bare on the stream
// (MS-TDS 2.2.6.5, 3.2.5.1). So these headers are taken out before anything else is read,
// and places in the stream are counted without them; add and twinOut put them back.
//
// TDS 8.0 begins with TLS, as everything else does.

const (
	tdsHeader  = 8
	tdsPeek    = tdsHeader + 2 // a header and what tells TLS
	tdsPackets = 4096          // of a direction that may carry a handshake

	tdsResponse = 0x04 // of a server: to PRELOGIN, and in old versions what carries its handshake
	tdsPrelogin = 0x12

	tdsEncryption = 1 // an option of PRELOGIN
	tdsLast       = 0xff
)

// A tdsHalf takes the headers out of a direction.
type tdsHalf struct {
	bare  bool   // it has no more of them
	inTLS bool   // its packets carry TLS
	whole bool   // the last packet ended what it carried
	left  int    // bytes of the packet in hand
	held  []byte // the beginning of a packet
	at    piece  // where that came from
	cuts  []tdsCut
}

// A tdsCut is a header that was taken out.
type tdsCut struct {
	at   int64 // where it stood, in a count without headers
	head [tdsHeader]byte
}

// isTDS tells whether a packet of TDS begins here, as the messages of a handshake are in:
// type PRELOGIN or, of old servers, a result; at most the bit that says it is the last; a
// length with these 8 bytes in it; no session yet (MS-TDS 2.2.3.1).
func isTDS(p []byte) bool {
	return (p[0] == tdsPrelogin || p[0] == tdsResponse) && p[1] <= 1 && binary.BigEndian.Uint16(p[2:]) > tdsHeader && p[4] == 0
}

// isClearTDS tells whether any packet of TDS may begin here.
func isClearTDS(p []byte) bool {
	return p[0] > 0 && p[0] <= tdsPrelogin && p[1] < 0x20 && binary.BigEndian.Uint16(p[2:]) >= tdsHeader
}

// tdsFrom takes the next bytes of a direction that may be framed in TDS.
func (c *conn) tdsFrom(h *half, data []byte, from piece) {
	for len(data) > 0 {
		if c.tds == nil || c.tds[h.side].bare {
			c.take(h, data, from)
			return
		}
		t := &c.tds[h.side]
		if t.left > 0 {
			n := min(t.left, len(data))
			t.left -= n
			c.take(h, data[:n], from)
			data = data[n:]
			continue
		}
		if len(t.held) == 0 {
			t.at = from
		}
		n := min(tdsPeek-len(t.held), len(data))
		t.held = append(t.held, data[:n]...)
		data = data[n:]
		switch {
		case t.held[0] != tdsPrelogin && t.held[0] != tdsResponse:
			c.tdsOver(h)
		case len(t.held) == tdsPeek:
			c.tdsPacket(h)
		}
	}
}

// tdsPacket begins the packet whose first bytes are held.
func (c *conn) tdsPacket(h *half) {
	t := &c.tds[h.side]
	head, content := t.held[:tdsHeader], t.held[tdsHeader:]
	n := int(binary.BigEndian.Uint16(head[2:])) - len(t.held)
	tls := isHeader(content[0], uint16(content[1])<<8)
	switch {
	case !isTDS(head), n < 0, len(t.cuts) == tdsPackets,
		t.inTLS && t.whole && !tls: // clear again: only the login was to be encrypted
		c.tdsOver(h)
		return
	case !t.inTLS && !tls && h.next == 0 && h.side == Client && content[0] != 0: // PRELOGIN begins with the option VERSION, 0
		c.tdsOver(h)
		return
	}
	t.inTLS, t.whole, t.left = t.inTLS || tls, head[1] == 1, n
	held := t.held
	t.held = nil
	if t.inTLS {
		t.cuts = append(t.cuts, tdsCut{h.next, [tdsHeader]byte(head)})
		held = content
	}
	c.take(h, held, t.at)
}

// tdsOver takes no more headers out of a direction.
func (c *conn) tdsOver(h *half) {
	if c.tds == nil {
		return
	}
	all := c.tds[:]
	if h.side == Client && h.next == 0 {
		c.tds = nil // it is something else
	} else {
		all = all[h.side:][:1]
	}
	for i := range all {
		t := &all[i]
		t.bare = true
		if held := t.held; len(held) > 0 {
			t.held = nil
			c.take(&c.halves[int(h.side)+i], held, t.at)
		}
	}
}

// place is where the byte at off stands in the stream, headers counted: behind one that was
// taken out in front of it, or before that.
func (c *conn) place(side Side, off int64, behind bool) int64 {
	if c.tds == nil {
		return off
	}
	cuts := c.tds[side].cuts
	return off + tdsHeader*int64(sort.Search(len(cuts), func(i int) bool {
		return cuts[i].at > off || cuts[i].at == off && !behind
	}))
}

// twinOut gives out a part of a twin, with the headers that were taken out of it.
func (c *conn) twinOut(h *half, off int64, b []byte) {
	give := func(off int64, b []byte) {
		if len(b) > 0 {
			c.d.Twin(c.pub.Number, h.side, off, b)
		}
	}
	if c.tds != nil {
		cuts := c.tds[h.side].cuts
		for _, k := range cuts[sort.Search(len(cuts), func(i int) bool { return cuts[i].at >= off }):] {
			n := k.at - off
			if n >= int64(len(b)) {
				break
			}
			give(c.place(h.side, off, true), b[:n])
			give(c.place(h.side, k.at, false), k.head[:])
			b, off = b[n:], k.at
		}
	}
	give(c.place(h.side, off, true), b)
}

// tdsAsks is what a PRELOGIN message, or the answer to it, says of encryption (MS-TDS
// 2.2.6.5), and where that stands; "" where p is none.
func tdsAsks(p []byte) (says string, at int) {
	if len(p) < tdsPeek || !isTDS(p) {
		return "", 0
	}
	for options := p[tdsHeader:]; len(options) >= 5 && options[0] != tdsLast; options = options[5:] {
		at := tdsHeader + int(binary.BigEndian.Uint16(options[1:]))
		if options[0] != tdsEncryption || at >= len(p) {
			continue
		}
		names := []string{"ENCRYPT_OFF", "ENCRYPT_ON", "ENCRYPT_NOT_SUP", "ENCRYPT_REQ"}
		if v := int(p[at] &^ 0x80); v < len(names) { // the highest bit: with the client's certificate
			return names[v], at
		}
	}
	return "", 0
}
