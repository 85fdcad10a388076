package steps

import (
	"encoding/hex"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/quic"
)

// Opened tells whether a packet was opened whose keys are not public.
func (u *UDPState) Opened() bool {
	return u != nil && len(u.Unsealed[0])+len(u.Unsealed[1]) > 0
}

// OverUDP tells whether the connection is one of QUIC or DTLS.
func (c *View) OverUDP() bool { return c.Conn.Transport != capture.TransportTCP }

// transport names what carries the connection.
func (c *View) transport() string {
	if c.Conn.Transport == capture.TransportQUIC {
		if c.QUICVersion == 0 {
			return "QUIC" // no packet that is here tells it
		}
		return "QUIC " + quic.VersionName(c.QUICVersion)
	}
	return c.Conn.Transport.String()
}

// Lacks tells whether a sentence has a place for which nobody gave a value.
func Lacks(s event.Sentence) bool {
	for _, v := range s.Args {
		if v == words.Missing {
			return true
		}
	}
	return false
}

// Joined is the place from the one to the other.
func Joined(a, b proof.Place) proof.Place {
	switch {
	case a.First == 0:
		return b
	case b.First == 0:
		return a
	}
	return proof.Place{First: min(a.First, b.First), Last: max(a.Last, b.Last)}
}

// udpFlow names a connection over UDP of whose handshake there is no ServerHello.
func (c *View) udpFlow() Flow {
	f := Flow{ID: "unknown", hrr: c.Main.Retry != nil, version: c.transport()}
	switch {
	case c.Failure != nil:
		f.title = "flow/refused"
	case c.Main.Hello != nil:
		f.title = "flow/udp-no-answer"
	default:
		f.title = "flow/udp-no-hello"
	}
	return f
}

// udpRow tells those steps of a connection over UDP that are told in another way than over TCP.
func (c *View) udpRow(f Flow, s event.Step, a Values) (event.Row, bool) {
	r := event.Row{Step: s, Verdict: event.Unknown}
	isQUIC := c.Conn.Transport == capture.TransportQUIC
	switch {
	case s == event.Step1:
		r.Verdict, r.Packets = event.Differently, c.Opening.Packets()
		switch {
		case c.Main.Hello == nil && c.Conn.Continued:
			r.Says = words.Say("step-1-udp-continued", event.Clear, a.With("protocol", c.transport()))
		case c.Main.Hello == nil:
			r.Says = words.Say("step-1-udp-midstream", event.Clear, a.With("protocol", c.transport()))
		case isQUIC:
			id := "step-1-quic"
			if c.UDP != nil && c.UDP.Negotiated {
				id, r.Packets = "step-1-quic-negotiated", Joined(c.Opening, c.Main.At[proof.AtHello]).Packets()
			}
			r.Says = words.Say(id, event.Clear, a)
		default:
			r.Says = words.Say("step-1-dtls", event.Clear, a)
		}
		return r, true
	case c.Failure != nil && !(isQUIC && c.Failure.Step < event.Step7 && c.Sides[1].Dark > 0):
		return r, false
	case c.Main.ServerHello == nil && isQUIC && c.Sides[1].FirstData && (s == event.Step7 || s == event.Step8):
		c.quicData(f, s, a, &r) // its keys need no hello
		r.Verdict = event.AsTold
		if s == event.Step8 {
			r.Verdict = event.Unseen
		}
		return r, true
	case c.Main.ServerHello == nil && c.Main.Hello == nil:
		r.Says = words.Say("step-udp-no-hello", event.None, a)
		return r, true
	case c.Main.ServerHello == nil:
		r.Says = words.Say("step-udp-no-answer", event.None, a)
		return r, true
	case !c.Main.Is13():
		return r, false
	}
	what := "record"
	if isQUIC {
		what = "packet"
	}
	switch s {
	case event.Step4a:
		if c.HasCertificate() && c.Sides[0].Dark > 0 && !c.Sides[0].FirstData {
			r.Says = words.Say("step-4a-udp", event.None, a.With("count", words.Count(int(c.Sides[0].Dark), what)))
			return r, true
		}
	case event.Step7, event.Step8:
		if !isQUIC && c.Sides[1].FirstData {
			return r, false
		}
		if !isQUIC {
			k := c.Sides[1].Ahead
			r.Packets = k.At.Packets()
			switch {
			case s == event.Step8:
				r.Says = words.Say("step-8-dtls13", event.None, a)
			case k.Records == 0:
				r.Says = words.Say("step-7-dtls13-none", event.None, a)
			default:
				r.Says = words.Say("step-7-dtls13", event.None, a.With("count", words.Count(int(k.Records), what), "bytes", strconv.FormatInt(k.Bytes, 10)))
			}
			return r, true
		}
		var n, bytes int64
		if c.Sides[1].FirstData {
			c.quicData(f, s, a, &r)
			return r, true
		}
		if u := c.UDP; u != nil && u.Packets[1][quic.OneRTT] == 0 && u.Unsealed[1][quic.OneRTT] > 0 {
			id := "step-7-quic-no-data"
			if s == event.Step8 {
				id = "step-8-quic-no-data"
			}
			r.Says = words.Say(id, event.Decrypted, a.With("count", words.Count(int(u.Unsealed[1][quic.OneRTT]), what)))
			return r, true
		}
		if u := c.UDP; u != nil {
			n, bytes = u.Packets[1][quic.OneRTT], u.Bytes[1][quic.OneRTT]
			r.Packets = u.At[1].Packets()
		}
		switch {
		case s == event.Step8:
			r.Says = words.Say("step-8-quic", event.None, a)
		case n == 0:
			r.Says = words.Say("step-7-quic-none", event.None, a)
		default:
			r.Says = words.Say("step-7-quic", event.None, a.With("count", words.Count(int(n), what), "bytes", strconv.FormatInt(bytes, 10)))
		}
		return r, true
	}
	return r, false
}

// quicData tells steps 7 and 8 where data of the server was opened.
func (c *View) quicData(f Flow, s event.Step, a Values, r *event.Row) {
	r.Verdict, r.Packets = f.verdict(s), c.Sides[1].DataAt.Packets()
	if s == event.Step8 {
		r.Says = words.Say("step-8-quic-opened", event.Recomputed, a)
		return
	}
	id := "step-7-quic-opened"
	switch first, known := c.serverFirst(); {
	case !known || c.sentEarly():
		id = "step-7-quic-opened-only"
	case first:
		id = "step-7-quic-opened-first"
	}
	r.Says = words.Say(id, event.Decrypted, a)
}

// UdpNotes are what the summary adds about a connection over UDP: how much of it stayed sealed.
func (c *View) UdpNotes() []event.Sentence {
	a := c.Values().With("seen", c.Overheard())
	if c.Conn.Transport == capture.TransportDTLS {
		var out []event.Sentence
		var again []event.Text
		for side := range c.Sides {
			if n := c.Sides[side].Repeats; n > 0 {
				again = append(again, words.Piece("dtls/repeats", "count", words.Count(n, "record"), "sender", c.Side(side)))
			}
		}
		if len(again) > 0 {
			out = append(out, words.Say("summary-dtls-repeated", event.Clear, a.With("again", words.List("and", again...))))
		}
		return append(out, c.dtlsOpened()...)
	}
	u := c.UDP
	if u == nil {
		return nil
	}
	var out []event.Sentence
	if c.Over || c.Sides[0].Ended {
		out = c.Counted()
	}
	var parts []event.Text
	for _, k := range []quic.Type{quic.Initial, quic.ZeroRTT, quic.Handshake, quic.OneRTT, quic.Other, quic.Rest} {
		for side := range u.Packets {
			if n := u.Packets[side][k]; n > 0 {
				what := event.Plain(k.String())
				switch k {
				case quic.Other:
					what = words.Piece("quic/other-version")
				case quic.Rest:
					what = words.Piece("quic/none")
				}
				parts = append(parts, words.Piece("quic/packets", "count", words.Count(int(n), "packet"), "sender", c.Side(side), "what", what, "bytes", strconv.FormatInt(u.Bytes[side][k], 10)))
			}
		}
	}
	if len(parts) == 0 {
		return out
	}
	id := "summary-quic"
	if u.Opened() {
		id = "summary-quic-partly"
	} else if !u.FirstOpened[0] && !u.FirstOpened[1] {
		id = "summary-quic-sealed"
	}
	return append(out, words.Say(id, event.None, a.With("sealed", words.List(",", parts...))))
}

// dtlsOpened tells what was opened of a connection of DTLS, and what stayed sealed.
func (c *View) dtlsOpened() (out []event.Sentence) {
	a := c.Values().With("seen", c.Overheard())
	if h := c.Main; h.Hello != nil && h.ServerHello != nil && !h.Is13() {
		toClient, toServer := h.Hello.Extension(handshake.ExtConnectionID), h.ServerHello.Extension(handshake.ExtConnectionID)
		if toClient != nil && toServer != nil && len(toClient.Data)+len(toServer.Data) > 2 {
			out = append(out, words.Say("summary-dtls-ids", event.Clear, a.With("toclient", connectionID(toClient.Data), "toserver", connectionID(toServer.Data))))
		}
	}
	var opened, doubled []event.Text
	for side := range c.Sides {
		s := &c.Sides[side]
		if s.Unsealed > 0 {
			opened = append(opened, words.Piece("dtls/opened", "count", words.Count(s.Unsealed, "record"), "sender", c.Side(side), "data", words.Count(int(s.Data), "record"), "bytes", words.Count(int(s.Bytes), "byte")))
		}
		if s.Doubled > 0 {
			doubled = append(doubled, words.Piece("dtls/repeats", "count", words.Count(s.Doubled, "record"), "sender", c.Side(side)))
		}
	}
	if len(opened) > 0 {
		out = append(out, words.Say("summary-dtls-opened", event.Recomputed, a.With("opened", words.List("and", opened...))))
	}
	if len(doubled) > 0 {
		out = append(out, words.Say("summary-dtls-doubled", event.Recomputed, a.With("again", words.List("and", doubled...))))
	}
	n := int(c.Sides[0].Dark + c.Sides[1].Dark)
	if n == 0 {
		return out
	}
	a = a.With("count", words.Count(n, "record"), "rest", c.SealedRest())
	id := "summary-sealed"
	switch unread := c.Sides[0].WhyCode == capture.SealedDTLS || c.Sides[1].WhyCode == capture.SealedDTLS; {
	case unread:
		id = "summary-dtls"
	case len(opened) > 0:
		id = "summary-dtls-partly"
	case c.Main.ServerHello == nil:
		return out
	case len(c.Main.Labels()) > 0 || c.Conn.PrivateKeys > 0:
		id = "summary-sealed-keys"
	}
	return append(out, words.Say(id, event.None, a))
}

// connectionID is what stands in the extension connection_id, behind its length (RFC 9146 3).
func connectionID(data []byte) event.Text {
	if len(data) < 2 {
		return words.Piece("dtls/no-id")
	}
	return event.Plain(hex.EncodeToString(data[1:]))
}

// Counted is what the packets of QUIC that were opened came to, and how many datagrams the
// capture had put together.
func (c *View) Counted() (out []event.Sentence) {
	u, a := c.UDP, c.Values()
	if u == nil {
		return nil
	}
	if u.Opened() {
		var opened []event.Text
		for side := range u.Unsealed {
			n := int64(0)
			for _, k := range u.Unsealed[side] {
				n += k
			}
			if n > 0 {
				opened = append(opened, words.Piece("quic/opened", "count", words.Count(int(n), "packet"), "sender", c.Side(side)))
			}
		}
		out = append(out, words.Say("summary-quic-opened", event.Recomputed, a.With("opened", words.List("and", opened...))))
	}
	for side := range u.Joined {
		if n := u.Joined[side]; n > 0 {
			out = append(out, words.Say("summary-quic-joined", event.Inferred, a.With("count", words.Count(int(n+u.JoinedIn[side]), "datagram"), "sender", c.Side(side), "n", words.Count(int(u.JoinedIn[side]), "packet"))))
		}
	}
	return out
}

// StartTLSArgs are the values of the sentences about what stood before TLS.
func (c *View) StartTLSArgs(b *capture.StartTLS, a Values) Values {
	return a.With("protocol", b.Protocol, "request", quoted(c.Text(b.Request)), "answer", quoted(c.Text(b.Answer)), "target", event.Clip(b.Target))
}

// quoted is what was said, in quotes and on one line.
func quoted(s string) string {
	s = strings.Join(strings.Fields(event.Clip(s)), " ")
	return "\"" + s + "\""
}
