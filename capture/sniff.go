package capture

import (
	"bytes"
	"encoding/binary"

	"explainer/capture/handshake"
	"explainer/capture/web"
)

const (
	maxFirstLine = 16 << 10 // bytes in which a request line must end
	maxSearch    = 64 << 10 // bytes of an unknown protocol in which TLS may begin
)

// guess is what can be said of a protocol from the first bytes.
type guess uint8

const (
	no guess = iota
	yes
	perhaps // more bytes are needed
)

// sniff finds out what the connection carries. The client decides, unless the
// server speaks first.
func (c *conn) sniff(h *half, p []byte) (int, status) {
	if len(p) == 0 {
		return 0, more
	}
	client := &c.halves[Client]
	if h.side == Server && client.why == "" && (client.off > client.base || len(client.buf) > 0) {
		h.headSeq = h.at(h.off).seq
		return 0, blocked
	}
	isTLS := looksTLS(p)
	isHTTP := looksRequest(p)
	isOld := looksSSL2(p)
	if h.side == Server {
		isHTTP, isOld = looksPrefix(p, "HTTP/"), no
	}
	switch {
	case isTLS == yes:
		c.startTLS()
	case isOld == yes:
		c.mode = modeTLS
		return c.ssl2(h, p)
	case isHTTP == yes:
		c.mode = modeHTTP
		c.web = c.twinWeb(web.New())
	case isTLS == perhaps || isHTTP == perhaps || isOld == perhaps:
		return 0, more
	default:
		c.mode = modeOpaque
	}
	return 0, done
}

func looksPrefix(p []byte, s string) guess {
	n := min(len(p), len(s))
	switch {
	case string(p[:n]) != s[:n]:
		return no
	case n < len(s):
		return perhaps
	}
	return yes
}

// looksTLS judges a record header (RFC 5246 6.2.1).
func looksTLS(p []byte) guess {
	switch {
	case p[0] < typeChangeCipherSpec || p[0] > typeHeartbeat,
		len(p) > 1 && p[1] != 3,
		len(p) > 2 && p[2] > 4,
		len(p) > 4 && int(binary.BigEndian.Uint16(p[3:])) > maxPlain+2048:
		return no
	case len(p) < headerLen:
		return perhaps
	}
	return yes
}

// looksRequest judges a request line: method, target, version (RFC 9112 3). Any
// token may be a method (RFC 9110 9.1).
func looksRequest(p []byte) guess {
	i := 0
	for i < len(p) && i < web.MaxMethod && web.IsToken(p[i]) {
		i++
	}
	switch {
	case i == len(p):
		return perhaps
	case i == 0 || p[i] != ' ':
		return no
	}
	line, _, whole := bytes.Cut(p[:min(len(p), maxFirstLine)], []byte("\n"))
	if !whole {
		if len(p) >= maxFirstLine {
			return no
		}
		return perhaps
	}
	line = bytes.TrimSuffix(line, []byte("\r"))
	if n := len(line) - len(" HTTP/1.1"); n > i && bytes.HasPrefix(line[n:], []byte(" HTTP/")) {
		return yes
	}
	return no
}

// looksSSL2 judges an SSL 2.0 ClientHello, which clients sent to say that they
// speak SSL 3.0 or TLS as well (RFC 5246 E.2).
func looksSSL2(p []byte) guess {
	switch {
	case p[0]&0x80 == 0,
		len(p) > 2 && p[2] != 1,
		len(p) > 3 && p[3] != 3 && p[3] != 0,
		len(p) > 4 && (p[3] == 0) != (p[4] == 2):
		return no
	case len(p) < 11:
		return perhaps
	}
	n := int(binary.BigEndian.Uint16(p) & 0x7fff)
	specs, id, challenge := binary.BigEndian.Uint16(p[5:]), binary.BigEndian.Uint16(p[7:]), binary.BigEndian.Uint16(p[9:])
	switch {
	case specs == 0 || specs%3 != 0, id > 32, challenge < 16 || challenge > 32, 9+int(specs+id+challenge) != n:
		return no
	case len(p) < 2+n:
		return perhaps
	}
	return yes
}

// looksHello judges a record that holds the beginning of a ClientHello.
func looksHello(p []byte) guess {
	for i, ok := range [...]func(b byte) bool{
		func(b byte) bool { return b == typeHandshake },
		func(b byte) bool { return b == 3 },
		func(b byte) bool { return b <= 4 },
		func(b byte) bool { return b <= maxPlain>>8 },
		func(b byte) bool { return true },
		func(b byte) bool { return b == byte(handshake.TypeClientHello) },
		func(b byte) bool { return b == 0 },
		func(b byte) bool { return true },
		func(b byte) bool { return true },
		func(b byte) bool { return b == 3 },
		func(b byte) bool { return b <= 3 },
	} {
		if i == len(p) {
			return perhaps
		}
		if !ok(p[i]) {
			return no
		}
	}
	record, message := binary.BigEndian.Uint16(p[3:]), binary.BigEndian.Uint16(p[7:])
	if message < 38 || int(record) > int(message)+4 || record < 6 {
		return no
	}
	return yes
}

// search looks for the ClientHello with which TLS begins in a protocol that
// switches to it: STARTTLS of the mail protocols and others, SOCKS, databases.
// The server's bytes up to now are of that protocol, too.
func (c *conn) search(h *half, p []byte) (int, status) {
	for i := 0; i < len(p); i++ {
		k := bytes.IndexByte(p[i:], typeHandshake)
		if k < 0 {
			break
		}
		i += k
		switch looksHello(p[i:]) {
		case yes:
			if i > 0 {
				return i, done
			}
			if server := &c.halves[Server]; server.blocked {
				c.drain(server) // it waited for the client to show what it speaks
			}
			c.mode = modeTLS
			c.found = true
			c.twinBefore()
			s := startTLSOf(&c.halves[Client].before, &c.halves[Server].before)
			for i := range c.halves {
				if h := &c.halves[i]; h.why == OpaqueUnknown {
					if s != nil {
						h.why = OpaqueDialogue
					}
					c.tellOpaque(h, h.off)
					h.why = ""
				}
			}
			c.tellStartTLS(h, s)
			return 0, done
		case perhaps:
			return i, more
		}
	}
	return len(p), more
}

// ssl2 reads an SSL 2.0 ClientHello. If it offers SSL 3.0 or TLS, that is what
// follows, and the hello is a ClientHello whose Raw begins with its type, without
// a 4-byte header: so it enters the transcript (RFC 5246 E.2).
func (c *conn) ssl2(h *half, p []byte) (int, status) {
	n := 2 + int(binary.BigEndian.Uint16(p)&0x7fff)
	end := h.off + int64(n)
	raw := bytes.Clone(p[2:n])
	m := &handshake.ClientHello{LegacyVersion: binary.BigEndian.Uint16(raw[1:]), CompressionMethods: []uint8{0}}
	specs := raw[9:][:binary.BigEndian.Uint16(raw[3:])]
	challenge := raw[len(raw)-int(binary.BigEndian.Uint16(raw[7:])):]
	if m.LegacyVersion < 0x0300 {
		c.malformed(h, end, "ClientHello", "an SSL 2.0 ClientHello that offers nothing newer")
		return n, done
	}
	for ; len(specs) > 0; specs = specs[3:] {
		if specs[0] == 0 { // else it is of SSL 2.0 alone
			m.CipherSuites = append(m.CipherSuites, binary.BigEndian.Uint16(specs[1:]))
		}
	}
	copy(m.Random[32-len(challenge):], challenge)
	c.clientHello(h, m, raw)
	c.tell(h, end, m).Raw = raw
	c.d.keyedSoFar(c, c.last.secrets)
	return n, done
}

// http gives plain bytes to package web, which finds out itself where a CONNECT
// request's tunnel begins.
func (c *conn) http(h *half, p []byte) (int, status) {
	if len(p) == 0 {
		return 0, more
	}
	if c.mayTunnel(h) && looksHello(p) == yes {
		c.startTunnelled(h)
		return 0, done
	}
	here := h.at(h.off)
	n := len(p)
	for _, next := range h.pieces[h.drops:] {
		if next.off > h.off {
			n = min(n, int(next.off-h.off))
			break
		}
	}
	mark := web.Mark{Start: h.off, End: h.off + int64(n), First: here.packet, Last: here.packet, Time: here.time}
	c.items(h, c.web.Feed(int(h.side), p[:n], mark))
	if c.web.Tunnel() {
		n = c.tunnel(h, n)
	}
	return n, done
}

// tunnel begins anew behind the heads of CONNECT and its answer. Of the n bytes
// that h was reading it returns how many were before that.
func (c *conn) tunnel(h *half, n int) int {
	o := &c.halves[h.side.Other()]
	for _, p := range c.web.Rest() {
		if Side(p.From) == h.side {
			n = int(p.Mark.Start - h.off)
			continue
		}
		// The client did not wait for the answer; take its bytes back.
		if !o.blocked {
			o.blocked = true
			o.headSeq = c.seq
			o.off = p.Mark.Start
			o.pieces, o.drops = o.pieces[:0], 0
		}
		o.buf = append(o.buf, p.Data...)
		o.pieces = append(o.pieces, piece{p.Mark.Start, p.Mark.First, p.Mark.Time, c.seq})
	}
	h.base = h.off + int64(n)
	o.base = o.off
	c.mode = modeSniffing
	c.web = nil
	return n
}

// mayTunnel tells whether TLS may begin in what a client sends, though no answer to a CONNECT says
// so: where the request or its answer can be among what is missing, and nothing else was asked for.
func (c *conn) mayTunnel(h *half) bool {
	return h.side == Client && !c.plain && c.mode != modeTLS && h.off-h.base < maxSearch && (c.gaps[Client]+c.gaps[Server] > 0 || c.midstream())
}

// findTunnelled looks for a ClientHello behind missing bytes.
func (c *conn) findTunnelled(h *half, p []byte) (int, status) {
	for i := 0; i < len(p); i++ {
		k := bytes.IndexByte(p[i:], typeHandshake)
		if k < 0 {
			break
		}
		switch i += k; looksHello(p[i:]) {
		case yes:
			if i > 0 {
				return i, done
			}
			c.startTunnelled(h)
			return 0, done
		case perhaps:
			return i, more
		}
	}
	return len(p), more
}

// startTunnelled goes over to TLS where the client's hello stands.
func (c *conn) startTunnelled(h *half) {
	if h.off > h.told {
		c.tell(h, h.off, &Opaque{Len: h.off - h.told, Preview: h.preview, Why: OpaqueGap})
	}
	h.why, h.preview = "", nil
	if o := &c.halves[h.side.Other()]; o.off > o.told && o.why == "" {
		c.tell(o, o.off, &Opaque{Len: o.off - o.told, Why: OpaqueGap})
	}
	c.web = nil
	c.startTLS()
	h.base = h.off
}

// items tells what package web found in plain HTTP, or inside TLS.
func (c *conn) items(h *half, items []web.Item) {
	for i := range items {
		it := &items[i]
		from := &c.halves[it.From&1]
		m := Message{Time: it.Last.Time, First: it.First.First, Last: it.Last.Last, Body: it.Body}
		if c.mode != modeTLS {
			if head, ok := it.Body.(*web.Head); ok && head.Request && head.Method != "CONNECT" {
				c.plain = true
			}
			end := max(it.Last.End, from.told)
			if end > from.told {
				if it.First.Start != from.told { // frames of HTTP/2 come between the parts of a body
					m.First = from.begin().packet
				}
				if it.Last.Start == it.Last.End { // completed by the end of the stream
					m.Last = from.at(end - 1).packet
				}
			}
			c.add(from, end, m)
			continue
		}
		m.Conn, m.Side = c.pub, from.side
		m.Span = Span{it.First.Start, it.Last.End}
		m.Inner = true
		if !from.tls.bare {
			m.Opened, m.By = true, from.tls.by
		}
		c.d.messages = append(c.d.messages, m)
	}
}
