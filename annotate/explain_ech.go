package annotate

import (
	"cmp"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/handshake"
)

// innerHello tells a hello that another one carried encrypted (RFC 9849).
func (x *Explainer) innerHello(c *conn, m *capture.Message, b *capture.InnerHello) {
	h := c.Latest
	if h.Hello == nil {
		return
	}
	h.Reveal(b, m.Raw)
	e := x.event(c, m, event.KindMessage, event.TopicInnerHello, "ClientHelloInner")
	e.Evidence = event.Decrypted
	a := x.args(c).With("outer", namedOr(h.ClearHello()), "publicname", clip(b.Config.PublicName))
	e.Proofs = append(e.Proofs, words.NewProof(words.ProofECHOpened, event.Proven, event.Text{}))
	h.Prove(e.Proofs[0])
	if b.Hello == nil {
		e.Brief = words.Piece("brief/inner-bad")
		e.Says = append(e.Says, words.Say("inner-hello-bad", event.Decrypted, a.With("reason", words.Piece("inner/"+string(b.Bad)))))
		x.emit(c, e)
		return
	}
	id := "inner-hello"
	if b.Second {
		id = "inner-hello-again"
	} else if b.Hello.ServerName() == "" {
		id = "inner-hello-no-name"
	} else if !strings.EqualFold(h.ClearHello().ServerName(), b.Config.PublicName) {
		id = "inner-hello-other-cover"
	}
	if !x.NoFields {
		x.helloFields(&e, b.Hello)
	}
	helloBrief(&e, b.Hello)
	e.Says = append(e.Says, words.Say(id, event.Decrypted, a.With("inner", namedOr(b.Hello))))
	if h.ServerHello != nil || h.Retry != nil { // the key came late
		e.Says = append(e.Says, x.tellECH(c, h, &e)...)
	}
	x.emit(c, e)
}

// namedOr is the name in a hello.
func namedOr(b *handshake.ClientHello) event.Text {
	return cmp.Or(event.Plain(clip(b.ServerName())), words.Piece("brief/none"))
}

// outer tells whether a hello carries an encrypted one, or random filling.
func outer(b *handshake.ClientHello) bool {
	_, ok := b.OuterECH()
	return ok
}

// helloFields tells what stands in a ClientHello.
func (x *Explainer) helloFields(e *event.Event, b *handshake.ClientHello) {
	sni := b.ServerName()
	enters, named := words.Piece("note/enters-every-key"), words.Piece("note/name-in-clear")
	switch {
	case b.Extension(handshake.ExtECH) == nil:
	case outer(b): // whether this one enters the keys or the one inside it is not known yet
		enters, named = event.Text{}, words.Piece("note/a-name-in-clear")
	default:
		enters, named = event.Text{}, event.Text{}
	}
	e.Fields = append(slices.Grow(e.Fields, 8+len(b.Extensions)),
		event.Field{Name: words.FieldName("random"), Value: event.Plain(hex.EncodeToString(b.Random[:])), Note: enters},
		event.Field{Name: words.FieldName("session id"), Value: bytesWords(b.SessionID)},
		event.Field{Name: words.FieldName("cipher suites"), Value: list(b.CipherSuites, handshake.SuiteName), Note: words.Piece("note/n-offered", "n", strconv.Itoa(countReal(b.CipherSuites)))},
	)
	if sni != "" {
		e.Fields = append(e.Fields, event.Field{Name: words.FieldName("server name"), Value: event.Plain(clip(sni)), Note: named})
	}
	e.Fields = append(e.Fields, extensionFields(b.Extensions)...)
}

// helloBrief tells a ClientHello in one line.
func helloBrief(e *event.Event, b *handshake.ClientHello) {
	sni := b.ServerName()
	e.TLS = &event.TLS{Version: highest(b.Offered()), SNI: clip(sni)}
	brief := []event.Text{words.Piece("brief/no-version")}
	if version, ok := strings.CutPrefix(e.TLS.Version, "up to "); ok {
		brief[0] = words.Piece("brief/up-to", "version", version)
	}
	if sni != "" {
		brief = append(brief, words.Piece("brief/for", "host", clip(sni)))
	}
	if p := b.ALPN(); len(p) > 0 {
		brief = append(brief, event.Plain("ALPN "+clip(strings.Join(p, " "))))
		for _, p := range p[:min(len(p), maxExtensions)] {
			e.TLS.ALPN = append(e.TLS.ALPN, clip(p))
		}
	}
	e.Brief = words.List(",", brief...)
}

// tellECH tells whether the server's answer says that it took the encrypted hello, where that
// was opened: only then can it be computed.
func (x *Explainer) tellECH(c *conn, h *proof.Handshake, e *event.Event) []event.Sentence {
	covered := h.Cover != nil
	p, ok := h.CheckECH()
	if h.Cover != nil && !covered {
		if outer := strings.ToLower(h.Cover.ServerName()); c.session.host == outer {
			c.session.host = ""
			x.host(c, h.ServerName())
			c.session.host = cmp.Or(c.session.host, outer)
		}
	}
	a := x.args(c)
	switch answer := h.Answer; {
	case ok:
		h.Prove(p)
		e.Proofs = append(e.Proofs, p)
		id := "ech-confirmed"
		switch {
		case answer.Retry && answer.Taken():
			id = "ech-confirmed-retry"
		case answer.Retry:
			id = "ech-not-confirmed-retry"
		case !answer.Taken():
			id = "ech-not-confirmed"
		}
		return []event.Sentence{words.Say(id, event.Recomputed, a)}
	case answer != nil && answer.Have == nil && h.ServerHello == nil:
		return []event.Sentence{words.Say("ech-no-confirmation-retry", event.Clear, a)}
	}
	return nil
}

// echNote says what became of an encrypted hello, for the path and for the server.
func (x *Explainer) echNote(c *conn) []event.Sentence {
	h := c.Main
	if h.ClearHello() == nil || h.ServerHello == nil || x.Eavesdropper {
		return nil
	}
	inner := h.InnerHello()
	a := x.args(c).With("outer", namedOr(h.ClearHello()))
	if inner != nil {
		a = a.With("inner", namedOr(inner))
	}
	switch opened := c.Sides[1].Opened; h.ECH() {
	case proof.ECHTaken:
		if inner == nil {
			return []event.Sentence{words.Say("summary-ech-taken-unread", event.Recomputed, a.With("names", x.certified(h)))}
		}
		return []event.Sentence{words.Say("summary-ech-taken", event.Recomputed, a)}
	case proof.ECHNotTaken:
		out := words.Say("summary-ech-unused", event.Recomputed, a)
		switch {
		case inner != nil:
			return []event.Sentence{words.Say("summary-ech-refused", event.Recomputed, a)}
		case h.Encrypted != nil && h.Encrypted.Extension(handshake.ExtECH) != nil:
			out = words.Say("summary-ech-other-keys", event.Decrypted, a)
		case !h.Is13():
			out = words.Say("summary-ech-old-version", event.Clear, a)
		}
		for _, al := range c.Alerts {
			if al.Side == 0 && al.Desc == 121 { // ech_required, RFC 9849 11.2
				return []event.Sentence{out, words.Say("summary-ech-required", event.Inferred, a)}
			}
		}
		if c.Leg == capture.LegBrowser {
			return nil // the proxy takes none, and browsers send one with every hello
		}
		return []event.Sentence{out, words.Say("summary-ech-grease", event.None, a)}
	case proof.ECHUnknown:
		s, _ := h.Proved(words.ProofServerFin)
		if opened && s == event.NotCheckable && h.Broken.Empty() && !h.HoledSince() {
			return []event.Sentence{words.Say("summary-ech-open", event.None, a)}
		}
	}
	return nil
}

// certified is what the server's certificate is for.
func (x *Explainer) certified(h *proof.Handshake) event.Text {
	if leaf := h.Sides[1].Leaf; leaf != nil {
		return cmp.Or(event.Plain(clip(leaf.For())), words.Piece("brief/none"))
	}
	return words.Piece("brief/none")
}
