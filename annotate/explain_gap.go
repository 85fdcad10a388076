package annotate

import (
	"encoding/hex"
	"strconv"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/handshake"
)

// webGap is what missing bytes do to the reading of HTTP inside TLS.
type webGap uint8

const (
	webWhole  webGap = iota
	webBroken        // data is missing
	webTold          // and that was told
)

// midstream tells that nothing of TCP shows who opened the connection.
func (c *conn) midstream() bool {
	return !c.OverUDP() && !c.Conn.SYN && !c.Conn.Asked && !c.Conn.Answered && !c.Conn.Continued
}

// cutHello tells what stands of a hello whose last bytes are missing.
func (x *Explainer) cutHello(c *conn, m *capture.Message, b *capture.CutHello) {
	c.TLS, c.CutHello = true, b.Hello
	sni := b.Hello.ServerName()
	if c.session.host == "" || c.session.host == c.Asked {
		x.host(c, sni)
	}
	e := x.event(c, m, event.KindMessage, "cut-hello", "ClientHello")
	missing := strconv.Itoa(b.Missing)
	e.Brief = words.Piece("brief/hello-cut", "bytes", missing)
	e.Says = append(e.Says, words.Say("hello-cut", e.Evidence, x.args(c).With("bytes", missing)))
	e.Fields = append(e.Fields,
		event.Field{Name: words.FieldName("random"), Value: event.Plain(hex.EncodeToString(b.Hello.Random[:])), Note: words.Piece("note/enters-every-key")},
		event.Field{Name: words.FieldName("session id"), Value: bytesWords(b.Hello.SessionID)},
		event.Field{Name: words.FieldName("cipher suites"), Value: list(b.Hello.CipherSuites, handshake.SuiteName)})
	if sni != "" {
		e.Fields = append(e.Fields, event.Field{Name: words.FieldName("server name"), Value: event.Plain(clip(sni)), Note: words.Piece("note/name-in-clear")})
	}
	e.Fields = append(e.Fields, extensionFields(b.Hello.Extensions)...)
	x.emit(c, e)
}

// cutServerHello tells what stands of a server's hello whose last bytes are missing.
func (x *Explainer) cutServerHello(c *conn, m *capture.Message, b *capture.CutServerHello) {
	c.TLS, c.CutAnswer = true, true
	name, id := "ServerHello", "server-hello-cut"
	if b.Hello.Retry {
		name, id = "HelloRetryRequest", "retry-cut"
	}
	e := x.event(c, m, event.KindMessage, "cut-server-hello", name)
	missing := strconv.Itoa(b.Missing)
	e.Brief = words.Piece("brief/hello-cut", "bytes", missing)
	e.Says = append(e.Says, words.Say(id, e.Evidence, x.args(c).With("bytes", missing)))
	if !b.Hello.Retry {
		e.Fields = append(e.Fields, event.Field{Name: words.FieldName("random"), Value: event.Plain(hex.EncodeToString(b.Hello.Random[:])), Note: words.Piece("note/enters-every-key")})
	}
	e.Fields = append(e.Fields,
		event.Field{Name: words.FieldName("session id"), Value: bytesWords(b.Hello.SessionID)},
		field("cipher suite", handshake.SuiteName(b.Hello.CipherSuite)))
	e.Fields = append(e.Fields, extensionFields(b.Hello.Extensions)...)
	x.emit(c, e)
}

// late tells that a packet had what was taken for missing, or what was read before with
// other content, or what stands behind the end.
func (x *Explainer) late(c *conn, m *capture.Message, b *capture.Late) {
	if b.Other {
		c.Sides[m.Side].Differs = true
		e := x.event(c, m, event.KindMessage, "other-copy", "")
		e.Evidence = event.Clear
		e.Size = &event.Size{Bytes: b.Len}
		e.Brief = words.Piece("brief/other-copy", "bytes", strconv.FormatInt(b.Len, 10), "packet", strconv.Itoa(m.Last))
		e.Says = append(e.Says, words.Say("other-copy", event.Clear, x.args(c).With("sender", c.Side(int(m.Side)), "bytes", strconv.FormatInt(b.Len, 10), "packet", strconv.Itoa(m.Last))))
		x.emit(c, e)
		return
	}
	if b.Behind {
		if c.tally.told {
			return // what the connection came to says what stands before its end; the overview counts this
		}
		e := x.event(c, m, event.KindMessage, "behind-the-end", "")
		e.Evidence = event.Clear
		e.Size = &event.Size{Bytes: b.Len}
		e.Brief = words.Piece("brief/behind-the-end", "bytes", strconv.FormatInt(b.Len, 10), "packet", strconv.Itoa(m.Last))
		e.Says = append(e.Says, words.Say("behind-the-end", event.Clear, x.args(c).With("sender", c.Side(int(m.Side)), "bytes", strconv.FormatInt(b.Len, 10), "packet", strconv.Itoa(m.Last))))
		x.emit(c, e)
		return
	}
	e := x.event(c, m, event.KindMessage, "late-bytes", "")
	e.Evidence = event.None
	e.Size = &event.Size{Bytes: b.Len}
	e.Brief = words.Piece("brief/late-bytes", "bytes", strconv.FormatInt(b.Len, 10), "packet", strconv.Itoa(m.Last))
	e.Says = append(e.Says, words.Say("late-bytes", event.None, x.args(c).With("sender", c.Side(int(m.Side)), "bytes", strconv.FormatInt(b.Len, 10), "packet", strconv.Itoa(m.Last))))
	x.emit(c, e)
}

// again tells that a record behind missing bytes opened, and what that shows.
func (x *Explainer) again(c *conn, m *capture.Message, b *capture.Again) {
	e := x.event(c, m, event.KindMessage, "records-again", "")
	e.Evidence = event.Recomputed
	count := words.Count(int(b.Records), "record")
	a := x.args(c).With("sender", c.Side(int(m.Side)), "count", count)
	switch {
	case b.AtLeast && b.Records == 0:
		e.Brief = words.Piece("brief/first-under-new-keys")
		e.Says = append(e.Says, words.Say("again-new-keys", event.Recomputed, a))
	case b.AtLeast:
		e.Brief = words.Piece("brief/at-least-missing", "count", count)
		e.Says = append(e.Says, words.Say("again-at-least", event.Recomputed, a))
	default:
		e.Brief = words.Piece("brief/missing", "count", count)
		e.Says = append(e.Says, words.Say("again", event.Recomputed, a))
	}
	x.emit(c, e)
}

// webAfterGap tells, with the first data behind missing data, what becomes of HTTP.
func (x *Explainer) webAfterGap(c *conn, m *capture.Message) {
	if c.webGap != webBroken || !m.Opened {
		return
	}
	id := ""
	switch {
	case c.alpn == "h2":
		id = "http2-after-gap"
	case c.httpHead:
		id = "http1-after-gap"
	}
	c.webGap = webTold
	if id == "" {
		return
	}
	e := x.event(c, m, event.KindMessage, "http-behind-missing-bytes", "")
	e.Evidence = event.None
	e.Says = []event.Sentence{words.Say(id, event.None, x.args(c).With("sender", c.Side(int(m.Side)), "bytes", strconv.FormatInt(c.Sides[m.Side&1].Gone, 10)))}
	e.Brief = words.Piece("brief/" + id)
	x.emit(c, e)
}
