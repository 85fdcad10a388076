package steps

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/words"
	"explainer/ca/verify"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/quic"
)

// A line is one of the short story, and where its message stands.
type line struct {
	event.Act
	at   proof.Place
	rank int // among messages of one packet: their order in the protocol
}

// Ranks of messages that come in one packet, or whose packets say nothing.
const (
	rankOpening = iota
	rankFirstHello
	rankRetry
	rankHello
	rankEarly
	rankServerHello
	rankCertificate
	rankServerKey
	rankClientKey
	rankFinished
	rankFinishedLate
	rankRequest
	rankData
	rankAlert
)

// Shorten tells a leg in a few words: what each of its rows consists of and why it went
// as it did, what the steps are for, and what the textbook says around them.
func (c *View) Shorten(l *event.Leg) {
	f := c.Flow()
	lines := make([][]line, len(l.Rows))
	for i := range l.Rows {
		lines[i] = c.lines(f, &l.Rows[i])
		l.Rows[i].Why = c.why(f, &l.Rows[i])
	}
	var sent []*line
	for i := range lines {
		for j := range lines[i] {
			if x := &lines[i][j]; x.Sent && x.at.Last != 0 {
				sent = append(sent, x)
			}
		}
	}
	slices.SortStableFunc(sent, func(a, b *line) int {
		return cmp.Or(cmp.Compare(a.at.Last, b.at.Last), cmp.Compare(a.rank, b.rank))
	})
	for i, x := range sent {
		x.Place, x.Packets = i+1, x.at.Packets()
	}
	for i := range lines {
		// Messages of a step stand in the order in which they came.
		slices.SortStableFunc(lines[i], func(a, b line) int {
			if a.Place == 0 || b.Place == 0 {
				return 0
			}
			return cmp.Compare(a.Place, b.Place)
		})
		for _, x := range lines[i] {
			l.Rows[i].Acts = append(l.Rows[i].Acts, x.Act)
		}
	}
	l.Agent = c.Agent
	l.Aims = c.aims(f)
	l.Frame = c.frame(f)
	l.Trouble = c.trouble(l)
}

var sides = [2]string{"client", "server"}

// bookSides are inside whom the textbook has a step happen.
var bookSides = map[event.Step]int{
	event.Step1: 0, event.Step2: 1, event.Step3: 1, event.Step4a: 0, event.Step4b: 0, event.Step4c: 0,
	event.Step5: 0, event.Step6a: 1, event.Step6b: 1, event.Step7: 1, event.Step8: 0,
}

func (c *View) inside(side int, id string, pairs ...any) line {
	return line{Act: event.Act{By: sides[side], Says: words.Short(id, c.Values().With(pairs...))}}
}

func (c *View) sent(side int, at proof.Place, rank int, id string, pairs ...any) line {
	l := c.inside(side, id, pairs...)
	l.Sent, l.at, l.rank = true, at, rank
	return l
}

// book is a step in the book's words, where no message of it is seen.
func (c *View) book(s event.Step) []line {
	return []line{c.inside(bookSides[s], "line/book-"+string(s))}
}

// lines are what a row consists of.
func (c *View) lines(f Flow, r *event.Row) []line {
	var out []line
	switch s := r.Step; s {
	case event.Step1:
		out = c.lines1(f, r)
	case event.Step3:
		out = c.lines3(f)
	case event.Step4b:
		out = c.lines4b(f, r)
	case event.Step4c:
		switch {
		case r.Verdict == event.AsTold:
			out = append(out, c.inside(0, "line/encrypts-with-certificate"))
		case f.KEM && r.Verdict == event.Differently:
			out = append(out, c.inside(1, "line/encrypts-to-client"))
		}
	case event.Step5:
		out = c.lines5(f)
	case event.Step6a:
		if f.KEM && r.Verdict == event.Differently {
			out = append(out, c.inside(0, "line/book-6a"))
		} else {
			out = c.book(s)
		}
		out = append(out, c.finished()...)
	case event.Step7:
		out = c.lines7()
	case event.Step8:
		out = c.lines8(r)
	}
	if len(out) == 0 {
		out = c.book(r.Step)
	}
	if c.Failure != nil && c.Failure.Step == r.Step {
		for _, al := range c.Alerts {
			if al.At == c.Failure.at {
				out = append(out, c.sent(al.Side, al.At, rankAlert, "line/alert", "alert", handshake.AlertName(al.Desc), "number", strconv.Itoa(int(al.Desc))))
				break
			}
		}
	}
	return out
}

func (c *View) lines1(f Flow, r *event.Row) []line {
	h := c.Main
	var out []line
	tcp := "line/tcp"
	switch id := r.Says.ID; {
	case strings.HasPrefix(id, "step-1-connect"):
		tcp = "line/tcp-connect"
	case c.StartTLS != nil && (strings.HasPrefix(id, "step-1-starttls") || strings.HasPrefix(id, "step-1-socks")):
		tcp = "line/tcp-words"
	case id == "step-1-plain-proxy":
		tcp = "line/tcp-plain"
	}
	if c.OverUDP() {
		out = append(out, c.inside(0, "line/udp", "transport", c.Conn.Transport.String()))
	} else if c.Conn.SYN || c.Conn.Asked {
		protocol := ""
		if c.StartTLS != nil {
			protocol = c.StartTLS.Protocol
		}
		out = append(out, c.sent(0, c.Opening, rankOpening, tcp, "protocol", protocol))
	} else {
		out = c.book(event.Step1)
	}
	if f.bare && h.Hello == nil || !c.TLS && !c.OverUDP() {
		return out
	}
	if h.Retry != nil {
		if h.At[proof.AtFirstHello].Last != 0 {
			out = append(out, c.sent(0, h.At[proof.AtFirstHello], rankFirstHello, "line/hello"))
		}
		out = append(out, c.sent(1, h.At[proof.AtRetry], rankRetry, "line/retry"))
	}
	// The hello of TLS 1.3, or with a ticket, carries step 5.
	if of := c.lines5(f); h.Hello != nil && (len(of) == 0 || of[0].rank != rankHello) {
		out = append(out, c.sent(0, h.At[proof.AtHello], rankHello, "line/hello"))
	}
	if h.ServerHello != nil && !c.shares(f) {
		out = append(out, c.sent(1, h.At[proof.AtServerHello], rankServerHello, "line/server-hello"))
	}
	return out
}

// shares tells whether both hellos of a TLS 1.3 handshake carry a key share.
func (c *View) shares(f Flow) bool { return c.Main.Is13() && (f.share || f.fresh) }

func (c *View) lines3(f Flow) []line {
	h := c.Main
	var out []line
	if c.shares(f) && !f.KEM && h.ServerHello != nil {
		out = append(out, c.sent(1, h.At[proof.AtServerHello], rankServerHello, "line/server-share"))
	}
	if leaf := h.Sides[1].Leaf; leaf != nil && h.At[proof.AtCertificate].Last != 0 {
		id := "line/certificate-clear"
		switch {
		case leaf.Raw:
			id = "line/raw-key"
		case h.Is13():
			id = "line/certificate-sealed"
		}
		out = append(out, c.sent(1, h.At[proof.AtCertificate], rankCertificate, id))
	}
	if h.ServerKey != nil && len(h.ServerKey.Public) > 0 {
		out = append(out, c.sent(1, h.At[proof.AtServerKey], rankServerKey, "line/server-key"))
	}
	return out
}

func (c *View) lines4b(f Flow, r *event.Row) []line {
	if r.Verdict != event.Differently {
		return nil
	}
	switch {
	case f.KEM:
		return []line{c.inside(1, "line/makes-secret")}
	case f.Transport:
		return []line{c.inside(0, "line/makes-48")}
	case f.fresh || f.share || f.ID == "tls12-dh" && r.Says.ID == "step-4b-dh":
		return []line{c.inside(0, "line/makes-pair")}
	case f.Agreed:
		return []line{c.inside(0, "line/makes-random")}
	}
	return nil
}

func (c *View) lines5(f Flow) []line {
	h := c.Main
	a := c.Values()
	hello := func(id string) line {
		if id == "line/hello-share" && c.sharedInside() {
			id = "line/hello-share-inner"
		}
		return c.sent(0, h.At[proof.AtHello], rankHello, id)
	}
	key := func(id string) line { return c.sent(0, h.At[proof.AtClientKey], rankClientKey, id) }
	switch {
	case h.Hello == nil && h.ClientKey == nil, h.ServerHello == nil:
	case f.Early && h.At[proof.AtEarly].Last != 0:
		return []line{hello("line/hello-ticket"), c.sent(0, h.At[proof.AtEarly], rankEarly, "line/early")}
	case f.KEM && f.share && !a.Value("clientshare").Empty() && h.Hello != nil:
		id := "line/hello-share"
		if f.Resumed {
			id = "line/hello-ticket-share"
		}
		return []line{hello(id), c.sent(1, h.At[proof.AtServerHello], rankServerHello, "line/server-ciphertext")}
	case f.Resumed && !a.Value("ticket").Empty() && h.Hello != nil:
		if f.share && !a.Value("clientshare").Empty() {
			return []line{hello("line/hello-ticket-share")}
		}
		return []line{hello("line/hello-ticket")}
	case f.share && !a.Value("clientshare").Empty() && h.Hello != nil:
		return []line{hello("line/hello-share")}
	case h.Is13() && f.Agreed && h.Hello != nil:
		return []line{hello("line/hello-identity")}
	case h.ClientKey == nil:
	case len(h.ClientKey.EncryptedPreMaster) > 0:
		return []line{key("line/client-key-encrypted")}
	case len(h.ClientKey.Public) > 0:
		return []line{key("line/client-key-public")}
	case f.Agreed:
		return []line{key("line/client-key-identity")}
	}
	return nil
}

// finished are both Finished messages, each with its proof.
func (c *View) finished() []line {
	h := c.Main
	var out []line
	for side := range h.Sides {
		at := h.At[proof.AtClientFinished+proof.Spot(side)]
		if !h.Sides[side].Finished || at.Last == 0 {
			continue
		}
		rank := rankFinished
		if serverFirst := h.Is13() || h.Resumed; serverFirst == (side == 0) {
			rank = rankFinishedLate
		}
		l := c.sent(side, at, rank, "line/finished")
		l.Proofs = h.Picked([2]string{words.ProofClientFin, words.ProofServerFin}[side])
		out = append(out, l)
	}
	return out
}

func (c *View) lines7() []line {
	p, s := c.Page, c.Sides[1]
	switch {
	case c.NoTLS == "plain" && p != nil:
		return []line{c.sent(1, s.DataAt, rankData, "line/answer-clear")}
	case p != nil && p.Record != nil && p.Record.Begins > 0 && c.Conn.Transport == capture.TransportTCP:
		var out []line
		if p.Request != "" && p.AskedAt.Last != 0 {
			out = append(out, c.sent(0, p.AskedAt, rankRequest, "line/request", "request", p.Request))
		}
		id := "line/record"
		if p.Record.Nonce > 0 {
			id = "line/record-nonce"
		}
		return append(out, c.sent(1, p.RecordAt, rankData, id, "head", spaced(p.Record.Head[:]), "sealed", spaced(p.Record.Sealed[:min(p.Record.Begins, 3)]), "count", words.Count(p.Record.Wire-len(p.Record.Head), "byte")))
	case p != nil && p.Record != nil && c.Conn.Transport == capture.TransportQUIC:
		var out []line
		if p.Request != "" && p.AskedAt.Last != 0 {
			out = append(out, c.sent(0, p.AskedAt, rankRequest, "line/request", "request", p.Request))
		}
		return append(out, c.sent(1, p.RecordAt, rankData, "line/packet", "sealed", spaced(p.Record.Sealed[:min(p.Record.Begins, 3)]), "count", words.Count(p.Record.Wire, "byte")))
	case s.FirstData && s.DataAt.Last != 0:
		return []line{c.sent(1, s.DataAt, rankData, "line/data")}
	case c.Conn.Transport == capture.TransportQUIC: // of the sealed packets only those with a short header can be data
		if u := c.UDP; u != nil && u.Packets[1][quic.OneRTT] > 0 && u.At[1].Last != 0 {
			return []line{c.sent(1, u.At[1], rankData, "line/sealed", "count", words.Count(int(u.Packets[1][quic.OneRTT]), "packet"))}
		}
	case c.Conn.Transport == capture.TransportDTLS && c.Main.Is13(): // its headers show which are data
		if s.Ahead.Records == 0 {
			return nil
		}
		return []line{c.sent(1, s.Ahead.At, rankData, "line/sealed", "count", words.Count(int(s.Ahead.Records), "record"))}
	case s.Dark > 0 && s.DarkAt.Last != 0 && c.Main.Is13(): // before TLS 1.3 it is no data
		return []line{c.sent(1, s.DarkAt, rankData, "line/sealed", "count", words.Count(int(s.Dark), carriers[c.Conn.Transport]))}
	}
	return nil
}

// carriers are what carries data over a transport.
var carriers = map[capture.Transport]string{capture.TransportTCP: "record", capture.TransportDTLS: "record", capture.TransportQUIC: "packet"}

// spaced is bytes in hexadecimal with spaces between them.
func spaced(b []byte) string { return fmt.Sprintf("% x", b) }

func (c *View) lines8(r *event.Row) []line {
	p := c.Page
	if p == nil || p.Status == 0 && !p.Body || r.Verdict != event.Unseen && c.NoTLS != "plain" {
		return nil
	}
	status := words.Piece("line/no-head")
	if p.Status != 0 {
		status = event.Plain(strconv.Itoa(p.Status))
	}
	if !p.Body {
		return []line{c.inside(0, "line/reads-head", "status", status)}
	}
	kind := cmp.Or(event.Plain(mediaType(p.Type)), words.Piece("line/no-type"))
	out := []line{c.inside(0, "line/reads", "status", status, "count", words.Count(int(p.Length), "byte"), "type", kind)}
	if p.Begins != "" {
		out = append(out, line{Act: event.Act{By: sides[0], Says: event.Plain(firstWords(p.Begins))}})
	}
	return out
}

// mediaType is a Content-Type without its parameters.
func mediaType(s string) string {
	s, _, _ = strings.Cut(s, ";")
	return strings.TrimSpace(s)
}

// firstWords is the beginning of a text in one line.
func firstWords(s string) string {
	const n = 40 // characters
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + " ..."
	}
	return s
}

// shortWhys say in a few words why a row's verdict is as it is, by the row's sentence.
var shortWhys = map[string]string{
	"step-1-as-told": "because/port-443", "step-1-only": "because/port-443", "step-1-answered": "because/port-443",
	"step-1-other-port": "because/other-port", "step-1-other-port-no-syn": "because/other-port-unseen", "step-1-no-syn": "because/beginning-unseen",
	"step-1-connect": "because/proxy", "step-1-connect-other": "because/proxy-other", "step-1-connect-refused": "because/proxy-refused",
	"step-1-plain": "because/plain", "step-1-plain-no-syn": "because/plain", "step-1-plain-443": "because/plain-443", "step-1-plain-proxy": "because/plain-proxy",
	"step-1-socks": "because/socks", "step-1-socks-other": "because/socks", "step-1-starttls": "because/starttls", "step-1-starttls-refused": "because/starttls",
	"step-1-asked": "because/asked", "step-1-opaque": "because/opaque", "step-1-quic": "because/udp", "step-1-quic-negotiated": "because/udp", "step-1-dtls": "because/udp", "step-1-udp-midstream": "because/udp",

	"step-2-ske-proven": "because/signature", "step-2-cv-proven": "because/signature", "step-2-raw-proven": "because/signature",
	"step-2-minted-ske-proven": "because/signature-own", "step-2-minted-cv-proven": "because/signature-own",
	"step-2-rsa-proven": "because/finished", "step-2-minted-rsa-proven": "because/finished-own", "step-2-rsa-finished": "because/finished-rules", "step-2-rsa-logged": "because/finished-rules", "step-2-rsa-psk-finished": "because/finished-rules",
	"step-2-dh-finished": "because/finished-rules", "step-2-dh-unchecked": "because/not-checkable", "step-2-rsa-unchecked": "because/not-checkable", "step-2-signature-unchecked": "because/not-checkable",
	"step-2-delegated-proven": "because/signature-delegated", "step-2-hidden": "because/sealed",
	"step-2-inherited-proven": "because/finished-old", "step-2-inherited-finished": "because/finished-old-rules", "step-2-inherited": "because/old",
	"step-2-psk": "because/common", "step-2-anonymous": "because/signs-nothing",
	"step-2-refuted-signature": "because/refuted-signature", "step-2-refuted-finished": "because/refuted-finished", "step-2-dh-refuted": "because/refuted-finished",

	"step-3-rsa": "because/encrypts-with", "step-3-minted-rsa": "because/own-key", "step-3-rsa-unused": "because/unused", "step-3-minted-rsa-unused": "because/own-key",
	"step-3-dhe": "because/signs-only", "step-3-tls13": "because/signs-only", "step-3-mlkem": "because/signs-only",
	"step-3-minted-dhe": "because/signs-only-own", "step-3-minted-tls13": "because/signs-only-own", "step-3-minted-mlkem": "because/signs-only-own",
	"step-3-dhe-half": "because/half", "step-3-dhe-half-only": "because/half", "step-3-tls13-sealed": "because/rest-sealed", "step-3-mlkem-sealed": "because/rest-sealed",
	"step-3-tls13-first": "because/certificate-follows", "step-3-mlkem-first": "because/certificate-follows", "step-3-tls13-only": "because/certificate-missing", "step-3-mlkem-only": "because/certificate-missing",
	"step-3-rsa-export": "because/signs-only", "step-3-raw": "because/no-certificate", "step-3-raw-only": "because/no-certificate", "step-3-psk-external": "because/no-certificate",
	"step-3-anonymous": "because/unsigned", "step-3-dh": "because/half-of-secret", "step-3-psk-dhe": "because/no-certificate", "step-3-psk-mlkem": "because/no-certificate", "step-3-early-dhe": "because/no-certificate", "step-3-early-mlkem": "because/no-certificate",
	"step-3-absent-resumed": "because/old-again", "step-3-absent-psk": "because/common", "step-3-absent-early": "because/old-again",

	"step-4a-minted": "because/went-on", "step-4a-unseen": "because/went-on", "step-4a-raw": "because/went-on", "step-4a-unseen-fault": "because/went-on-bad", "step-4a-unseen-untrusted": "because/went-on", "step-4a-unseen-self": "because/went-on",
	"step-4a-mirrored": "because/went-on-bad", "step-4a-case-accepted": "because/went-on-bad", "step-4a-case-accepted-low": "because/went-on-bad", "step-4a-case-control": "because/went-on-good",
	"step-4a-proxy-ok": "because/proxy-ok", "step-4a-proxy-ok-unused": "because/proxy-ok", "step-4a-proxy-ok-failed": "because/proxy-ok", "step-4a-proxy-bad": "because/proxy-bad", "step-4a-proxy-bad-went-on": "because/proxy-bad",
	"step-4a-proxy-refused": "because/proxy-bad", "step-4a-proxy-mirrored-refused": "because/proxy-bad", "step-4a-proxy-mirrored-went-on": "because/proxy-bad",
	"step-4a-failed-alert": "because/refused", "step-4a-failed-minted": "because/refused", "step-4a-failed-mirrored": "because/refused", "step-4a-case-refused": "because/refused", "step-4a-case-refused-control": "because/refused",
	"step-4a-failed-perhaps": "because/refused-perhaps", "step-4a-case-perhaps": "because/refused-perhaps", "step-4a-failed-sealed-alert": "because/refused-sealed",
	"step-4a-failed-silent": "because/hung-up", "step-4a-failed-silent-minted": "because/hung-up", "step-4a-failed-silent-mirrored": "because/hung-up", "step-4a-failed-silent-sealed": "because/hung-up", "step-4a-failed-early": "because/hung-up-early",
	"step-4a-finished": "because/finished-so-far", "step-4a-finished-open": "because/finished-so-far", "step-4a-finished-left": "because/finished-so-far", "step-4a-failed-late": "because/finished-silent", "step-4a-finished-only": "because/finished-silent", "step-4a-finished-listens": "because/finished-silent", "step-4a-finished-listens-fault": "because/finished-silent", "step-4a-finished-dtls": "because/finished-so-far",
	"step-4a-finished-only-minted": "because/finished-silent", "step-4a-finished-only-mirrored": "because/finished-silent",
	"step-4a-case-finished": "because/finished-silent", "step-4a-case-finished-control": "because/finished-silent", "step-4a-case-silent": "because/hung-up", "step-4a-case-elsewhere": "because/went-on",
	"step-4a-inherited": "because/checked-earlier", "step-4a-inherited-sent": "because/checked-earlier", "step-4a-inherited-noted": "because/noted-earlier", "step-4a-inherited-sealed": "because/checked-earlier", "step-4a-inherited-before": "because/checked-earlier", "step-4a-inherited-holed": "because/checked-earlier", "step-4a-inherited-keyless": "because/none-ever",
	"step-4a-psk": "because/no-certificate", "step-4a-anonymous": "because/no-certificate", "step-4a-sealed": "because/sealed", "step-4a-sealed-alert": "because/sealed", "step-4a-sealed-rest": "because/sealed", "step-4a-udp": "because/sealed",
	"step-4a-refuted-went-on": "because/went-on-refuted",

	"step-4b-rsa": "because/derived", "step-4b-rsa-proven": "because/derived", "step-4b-rsa-key": "because/derived", "step-4b-rsa-psk": "because/derived",
	"step-4b-dhe": "because/half-of-secret", "step-4b-dh": "because/half-of-secret", "step-4b-dh-certificate": "because/half-of-secret", "step-4b-tls13": "because/before-step-3", "step-4b-tls13-holed": "because/before-step-3", "step-4b-hrr": "because/twice", "step-4b-hrr-none": "because/half-of-secret", "step-4b-hrr-cookie": "because/before-step-3",
	"step-4b-mlkem": "because/reversed-makes", "step-4b-psk-mlkem": "because/reversed-makes", "step-4b-psk-dhe": "because/mixed", "step-4b-early-dhe": "because/mixed", "step-4b-external-dhe": "because/mixed-common", "step-4b-external": "because/common",
	"step-4b-absent-resumed": "because/old-again", "step-4b-absent-early": "because/old-again",

	"step-4c-rsa-proven": "because/same-block", "step-4c-rsa-key": "because/opened-with-key", "step-4c-rsa": "because/inside-client", "step-4c-rsa-export": "because/inside-client", "step-4c-rsa-refuted": "because/refuted",
	"step-4c-absent-dhe": "because/no-secret-travels", "step-4c-absent-dh": "because/no-secret-travels", "step-4c-absent-anonymous": "because/no-secret-travels", "step-4c-absent-resumed": "because/both-have-it", "step-4c-absent-psk": "because/both-have-it",
	"step-4c-mlkem": "because/reversed-encrypts",

	"step-5-rsa": "because/later-opened", "step-5-rsa-psk": "because/later-opened", "step-5-dhe": "because/nothing-secret", "step-5-dh": "because/nothing-secret", "step-5-dh-certificate": "because/in-certificate",
	"step-5-tls13": "because/earlier-clear", "step-5-inner": "because/earlier-sealed", "step-5-hrr-cookie": "because/earlier-clear", "step-5-tls13-holed": "because/earlier-clear", "step-5-hrr": "because/earlier-clear", "step-5-mlkem": "because/reversed-sends",
	"step-5-absent-id": "because/only-id", "step-5-ticket": "because/name-of-old", "step-5-psk": "because/name-of-old", "step-5-psk-dhe": "because/name-of-old", "step-5-early": "because/name-and-data", "step-5-early-dhe": "because/name-and-data",
	"step-5-external": "because/name-of-common", "step-5-external-dhe": "because/name-of-common",

	"step-6a-rsa-proven": "because/finished", "step-6a-rsa-key": "because/finished", "step-6a-rsa-finished": "because/finished-rules", "step-6a-rsa-logged": "because/finished-rules", "step-6a-rsa-psk-finished": "because/finished-rules", "step-6a-rsa-unchecked": "because/not-checkable", "step-6a-rsa-refuted": "because/refuted-finished",
	"step-6a-dh-finished": "because/combines", "step-6a-dh-unchecked": "because/not-checkable",
	"step-6a-mlkem": "because/reversed-opens", "step-6a-mlkem-proven": "because/reversed-opens", "step-6a-mlkem-sealed": "because/reversed-opens",
	"step-6a-absent-dhe": "because/signed-instead", "step-6a-absent-unproven": "because/nothing-to-decrypt", "step-6a-absent-anonymous": "because/nothing-to-decrypt", "step-6a-absent-resumed": "because/nothing-to-decrypt", "step-6a-absent-ticket13": "because/nothing-to-decrypt", "step-6a-absent-psk": "because/nothing-to-decrypt",
	"step-6a-ticket": "because/own-ticket-key",

	"step-6b-tls12": "because/own-direction", "step-6b-tls12-common": "because/own-direction", "step-6b-tls12-resumed": "because/new-own-direction", "step-6b-tls13": "because/before-data", "step-6b-tls13-after-early": "because/own-direction", "step-6b-tls13-early-open": "because/own-direction", "step-6b-early": "because/client-first",
	"step-6b-null": "because/checksum-only",

	"step-7-opened": "because/check-holds", "step-7-opened-seen": "because/check-holds", "step-7-opened-first-seen": "because/check-holds", "step-7-opened-server-first": "because/check-holds",
	"step-7-as-told": "because/stayed-sealed", "step-7-seen": "because/stayed-sealed", "step-7-first-seen": "because/stayed-sealed", "step-7-server-first": "because/stayed-sealed",
	"step-7-sealed13": "because/all-alike", "step-7-null": "because/not-encrypted", "step-7-plain": "because/in-clear", "step-7-sealed-alert": "because/sealed", "step-7-sealed-client": "because/sealed",
	"step-8-opened": "because/same-key", "step-8-unseen": "because/no-keys", "step-8-sealed13": "because/sealed", "step-8-sealed-alert": "because/sealed", "step-8-null": "because/nothing-to-decrypt", "step-8-plain": "because/in-clear", "step-7-quic": "because/sealed", "step-8-quic": "because/sealed",
	"step-7-dtls": "because/stayed-sealed", "step-7-dtls-first": "because/stayed-sealed", "step-7-dtls-after": "because/stayed-sealed",
	"step-7-dtls-opened": "because/check-holds", "step-7-dtls-opened-first": "because/check-holds", "step-7-dtls-opened-after": "because/check-holds",
	"step-7-quic-opened": "because/check-holds", "step-7-quic-opened-first": "because/check-holds", "step-7-quic-opened-only": "because/check-holds", "step-8-quic-opened": "because/same-key",

	"step-hidden": "because/not-seen", "step-hidden-early": "because/sealed", "step-hidden-suite": "because/unknown-suite", "step-one-sided": "because/one-side",
	"step-capture-begins": "because/capture-begins", "step-capture-ends": "because/capture-ends", "step-missing": "because/bytes-missing", "step-left-out": "because/left-out", "step-not-followed": "because/not-followed", "step-ports-reused": "because/capture-ends",
	"step-other": "because/unknown-exchange", "step-other-suite13": "because/unknown-exchange", "step-refuted": "because/refuted", "step-refuted-went-on": "because/refuted",
}

// why says in a few words why a row's verdict is as it is; empty where the verdict says it all.
func (c *View) why(f Flow, r *event.Row) event.Text {
	if c.Failure != nil && c.Failure.Step == r.Step {
		if r.Step != event.Step4a {
			return event.Text{} // told as trouble
		}
	}
	id := shortWhys[r.Says.ID]
	if id == "" {
		return event.Text{}
	}
	if id == "because/udp" && c.Conn.Server.Port() != 443 {
		id = "because/udp-port"
	}
	why := words.Short(id, c.Values())
	if k := c.Main.Sides[1].Checked; r.Step == event.Step4a && k != nil && c.Main.Sides[1].Leaf != nil && !k.Counts.Empty() {
		why = words.List(";", why, words.Piece("because/ours", "outcome", k.Counts))
	}
	return why
}

// aims answers the questions that the steps are for.
func (c *View) aims(f Flow) []event.Aim {
	if f.unread && c.Main.ServerHello == nil || f.ID == "opaque" {
		return nil
	}
	return []event.Aim{{ID: event.AimWho, Says: c.aimWho(f)}, {ID: event.AimSecret, Says: c.aimSecret(f)}, {ID: event.AimOthers, Says: c.aimOthers(f)}}
}

func (c *View) aimWho(f Flow) event.Text {
	h := c.Main
	leaf := h.Sides[1].Leaf
	names := func() event.Text {
		if leaf.Parsed == nil {
			return words.Piece("aim/unreadable")
		}
		return cmp.Or(event.Plain(event.Clip(leaf.For())), words.Piece("aim/nobody"))
	}
	holds := slices.ContainsFunc(h.Picked(f.speaks...), func(p event.RowProof) bool { return p.State == event.Proven })
	refuted := slices.ContainsFunc(h.Picked(f.speaks...), func(p event.RowProof) bool { return p.State == event.Refuted })
	switch {
	case f.Plain:
		return words.Piece("aim/who-plain")
	case refuted:
		return words.Piece("aim/who-refuted")
	case c.Leg == capture.LegBrowser && c.Minted != nil && f.cert && holds && leaf != nil:
		return words.Piece("aim/who-minted")
	case f.cert && leaf != nil && !leaf.Raw:
		return c.certified(c.holder(f, holds, names()))
	case f.cert && leaf != nil && holds:
		return words.Piece("aim/who-raw")
	case f.cert && leaf != nil:
		return words.Piece("aim/who-raw-claims")
	case f.cert && h.Is13() && c.Sides[1].Dark > 0:
		return words.Piece("aim/who-sealed")
	case f.Resumed && holds:
		return words.Piece("aim/who-old", "earlier", c.earlierWords())
	case f.Resumed:
		return words.Piece("aim/who-old-unchecked", "earlier", c.earlierWords())
	case f.Agreed && holds:
		return words.Piece("aim/who-common")
	case f.ID == "tls12-anonymous":
		return words.Piece("aim/who-anonymous")
	}
	return words.Piece("aim/not-seen")
}

// holder says who answers with a certificate for names, as far as that is shown.
func (c *View) holder(f Flow, holds bool, names event.Text) event.Text {
	delegated, _ := c.Main.Proved(words.ProofDelegated)
	id := "aim/who-holder"
	switch {
	case !holds:
		id = "aim/who-claims"
	case c.Main.Sides[1].Delegated != nil && delegated == event.Proven:
		id = "aim/who-delegated"
	case f.Lasting && !c.Main.Linked():
		id = "aim/who-rules"
	}
	return words.Piece(id, "names", names)
}

// certified adds to who answers what speaks against the certificate, where it is checked here.
func (c *View) certified(who event.Text) event.Text {
	k := c.Main.Sides[1].Checked
	switch {
	case k == nil || len(k.Why) == 0:
		return who
	case len(k.Why) == 1:
		return words.Piece("aim/failing", "who", who, "why", k.Why[0])
	}
	return words.Piece("aim/failing-more", "who", who, "why", k.Why[0], "n", strconv.Itoa(len(k.Why)))
}

func (c *View) aimSecret(f Flow) event.Text {
	h := c.Main
	states := map[event.ProofState]int{}
	for _, id := range bothFinished {
		st, _ := h.Proved(id)
		states[st]++
	}
	switch {
	case f.Plain:
		return words.Piece("aim/secret-plain")
	case states[event.Refuted] > 0:
		return words.Piece("aim/secret-refuted")
	case c.Failure != nil && !h.Through():
		return words.Piece("aim/secret-not-reached")
	case states[event.Proven] == 2 && c.secrets(f) > 2:
		return words.Piece("aim/secret-more", "count", words.Count(c.secrets(f), "secret"))
	case states[event.Proven] == 2 && c.secrets(f) == 2:
		return words.Piece("aim/secret-two")
	case states[event.Proven] == 2:
		return words.Piece("aim/secret-one")
	case states[event.Proven] == 1 && c.secrets(f) > 1:
		return words.Piece("aim/secret-more-finished", "count", words.Count(c.secrets(f), "secret"))
	case states[event.Proven] == 1:
		return words.Piece("aim/secret-one-finished")
	case c.Sides[0].FirstData && c.Sides[1].FirstData:
		return words.Piece("aim/secret-rules")
	case c.Sides[0].Dark > 0 && c.Sides[1].Dark > 0:
		return words.Piece("aim/secret-sealed")
	}
	return words.Piece("aim/not-seen")
}

func (c *View) aimOthers(f Flow) event.Text {
	h := c.Main
	name := h.ServerName() != "" || c.askedInClear() != ""
	switch {
	case f.Plain, c.Null():
		return words.Piece("aim/others-all")
	case c.Failure != nil && !h.Through():
		return words.Piece("aim/others-so-far")
	case h.ServerHello == nil:
		return words.Piece("aim/not-seen")
	case c.Sides[0].Dark+c.Sides[1].Dark+c.Sides[0].Data+c.Sides[1].Data > 0, c.Early:
	case c.Over && c.Entire():
		return words.Piece("aim/others-so-far")
	default:
		return words.Piece("aim/not-seen")
	}
	id := "aim/others-12"
	switch {
	case h.Is13() && f.cert && name:
		id = "aim/others-13-name"
	case h.Is13() && f.cert:
		id = "aim/others-13"
	case h.Sides[1].Leaf != nil && h.Sides[0].Leaf != nil && name:
		id = "aim/others-12-name-certificates"
	case h.Sides[1].Leaf != nil && h.Sides[0].Leaf != nil:
		id = "aim/others-12-certificates"
	case h.Sides[1].Leaf != nil && name:
		id = "aim/others-12-name-certificate"
	case h.Sides[1].Leaf != nil:
		id = "aim/others-12-certificate"
	case name:
		id = "aim/others-12-name"
	}
	says := words.Short(id, c.Values())
	if h.Sides[0].Leaf != nil && h.Sides[1].Leaf == nil && !h.Is13() {
		says = words.Piece("aim/others-client", "seen", says)
	}
	if c.clearWords() {
		says = words.Piece("aim/others-words", "seen", says)
	}
	for _, later := range f.later {
		if until := untilWhen[later]; until != "" {
			return words.Short(until, c.Values().With("seen", says))
		}
	}
	return says
}

// untilWhen says what opens a recording later, by the sentence that tells an eavesdropper of it;
// nothing where that is no one secret.
var untilWhen = map[string]string{
	"eavesdropper-later-rsa": "aim/others-until", "eavesdropper-later-rsa-export": "aim/others-until", "eavesdropper-later-dh": "aim/others-until",
	"eavesdropper-later-rsa-psk": "aim/others-until-both",
	"eavesdropper-later-resumed": "aim/others-until-secret", "eavesdropper-later-psk": "aim/others-until-secret",
	"eavesdropper-later-early": "aim/others-until-early",
}

// frame counts what the textbook counts around its steps; nil where the handshake is not seen
// to its end. The counts are those of RFC 5246 6.3 and RFC 8446 7.1 to 7.3: IVs, nonces and
// secrets that only make others are no keys.
func (c *View) frame(f Flow) *event.Frame {
	h := c.Main
	if f.bare || f.Odd || h.ServerHello == nil || h.Hello == nil || c.Failure != nil || c.Conn.Transport == capture.TransportDTLS || h.Holed() || !c.Begun() {
		return nil
	}
	if c.UDP != nil && c.UDP.Packets[0][quic.OneRTT]+c.UDP.Unsealed[0][quic.OneRTT] == 0 {
		return nil // a client sends Handshake packets before its Finished too
	}
	if !c.Sides[0].FirstData && c.Sides[0].Dark == 0 && c.UDP == nil {
		return nil
	}
	var out event.Frame
	if f.cert {
		out.Pairs = 1
	}
	if h.Sides[0].Leaf != nil {
		out.Pairs++ // the client's lasting one
	}
	out.Secrets = c.secrets(f)
	secret := "frame/secret"
	if out.Secrets > 1 {
		secret = "frame/secrets-joined"
	}
	switch {
	case c.shares(f):
		pairs, _ := freshPairs(h)
		out.Pairs += pairs
	case f.fresh:
		out.Pairs += 2
	case f.ID == "tls12-rsa-export" && h.ServerKey != nil:
		out.Pairs++ // the short one
	case f.ID == "tls12-dh" && h.ClientKey != nil && len(h.ClientKey.Public) > 0:
		out.Pairs++ // the client's
	}
	s := h.Suite()
	switch {
	case h.Is13():
		out.Keys = 4 + c.Sides[0].Updates + c.Sides[1].Updates
		if c.sentEarly() {
			out.Keys++
		}
	case s == nil:
		return nil
	case c.Null():
		out.Keys = 2
	case s.Cipher.AEAD():
		out.Keys = 2
	default:
		out.Keys = 4
	}
	keys := "frame/keys"
	switch {
	case c.UDP != nil:
		keys = "frame/keys-quic"
	case c.Null():
		keys = "frame/keys-null"
	case !h.Is13() && out.Keys == 4:
		keys = "frame/keys-mac"
	case h.Is13():
		keys = "frame/keys-13"
	}
	three := "frame/three"
	if c.UDP != nil && c.UDP.Packets[0][quic.OneRTT]+c.UDP.Packets[1][quic.OneRTT] > 0 || h.Is13() && !c.Sides[0].FirstData || c.Handshakes > 1 || c.Sides[0].DarkAgain || c.Sides[1].DarkAgain {
		// A client's certificate and KeyUpdates would be sealed; and what is counted is the first handshake.
		three = "frame/three-least"
	}
	out.KeysSay = words.Short(three, words.Args{"pairs": words.Count(out.Pairs, "key pair"), "secrets": words.Short(secret, words.Args{"count": words.Count(out.Secrets, "secret")}), "keys": words.Short(keys, words.Args{"n": strconv.Itoa(out.Keys), "headers": strconv.Itoa(out.Keys - c.Sides[0].Updates - c.Sides[1].Updates)})})
	trips, ok := c.roundTrips(f)
	if !ok {
		return &out
	}
	out.RoundTrips = trips
	how := words.Piece("frame/no-trip")
	if trips > 0 {
		how = words.Count(trips, "round trip")
	}
	id := "frame/two"
	if c.ConnectHost != "" {
		id = "frame/two-connect"
	}
	out.TripsSay = words.Short(id, words.Args{"trips": how})
	return &out
}

// secrets counts the secrets that the keys come from.
func (c *View) secrets(f Flow) int {
	h, n := c.Main, 1
	switch {
	case h.ServerHello == nil || h.Hello == nil:
	case c.shares(f):
		if _, hybrid := freshPairs(h); hybrid {
			n++
		}
		if f.Resumed || f.Agreed {
			n++
		}
	case f.Agreed && (f.fresh || f.Transport):
		n++
	}
	return n
}

// freshPairs counts the key pairs of both sides for this handshake of TLS 1.3: all that the
// client offered, before a HelloRetryRequest too, and what the server made. A key that the client put into two
// of its shares, as X25519 beside X25519MLKEM768, is one. hybrid tells that two secrets come of it.
func freshPairs(h *proof.Handshake) (pairs int, hybrid bool) {
	seen := map[[sha256.Size]byte]bool{}
	add := func(key []byte) { seen[sha256.Sum256(key)] = true }
	shares := h.Hello.KeyShares()
	if h.FirstHello != nil && h.Retry != nil {
		shares = append(slices.Clone(h.FirstHello.KeyShares()), shares...)
	}
	for _, s := range shares {
		switch {
		case handshake.IsGREASE(s.Group):
		case s.Group == hybridX25519 && len(s.Exchange) > x25519Len:
			add(s.Exchange[:len(s.Exchange)-x25519Len])
			add(s.Exchange[len(s.Exchange)-x25519Len:])
		case handshake.KindOf(s.Group) == handshake.GroupKEM && s.Group&0xfff0 != 0x0200:
			add(append([]byte("other"), s.Exchange...)) // beside the KEM's
			add(s.Exchange)
		default:
			add(s.Exchange)
		}
	}
	pairs += len(seen)
	g := h.ServerHello.KeyShare().Group
	if handshake.KindOf(g) != handshake.GroupKEM {
		return pairs + 1, false
	}
	if g&0xfff0 == 0x0200 {
		return pairs, false // the server only encapsulates
	}
	return pairs + 1, true
}

// X25519MLKEM768 (RFC 10024): in the client's share the ML-KEM key comes first.
const (
	hybridX25519 = 0x11ec
	x25519Len    = 32
)

// roundTrips counts those of the handshake before the client's first data (RFC 8446 2, RFC 5246 7.3).
func (c *View) roundTrips(f Flow) (n int, ok bool) {
	h := c.Main
	switch {
	case c.UDP != nil && c.UDP.Token: // perhaps of a Retry that is not in the capture
		return 0, false
	case c.UDP == nil && (!c.Sides[0].All() || !c.Sides[1].All()):
		return 0, false
	case !f.Early && c.sentEarly(): // early data that was not taken
		return 0, false
	case f.Early:
		return 0, c.UDP == nil || !c.UDP.Retry // it had to be sent again
	case h.Is13():
		n = 1
		if h.Retry != nil {
			n++
		}
		if c.UDP != nil {
			n += btoi(c.UDP.Retry) + btoi(c.UDP.Negotiated)
		}
		return n, true
	case h.Resumed:
		return 1, true
	}
	data, fin := c.Sides[0].DataAt, h.At[proof.AtServerFinished]
	if data.Last == 0 || fin.Last == 0 {
		return 0, false
	}
	if data.Last < fin.First {
		return 1, true // False Start (RFC 7918)
	}
	return 2, true
}

// trouble tells in three short texts why a connection did not get through.
func (c *View) trouble(l *event.Leg) *event.Trouble {
	for i := range l.Rows {
		if r := &l.Rows[i]; r.Verdict == event.Failed {
			return c.troubleAt(r)
		}
	}
	return nil
}

func (c *View) troubleAt(r *event.Row) *event.Trouble {
	t := &event.Trouble{Step: r.Step}
	a := c.Values().With("step", string(r.Step), "client", c.agent(0))
	if c.Failure == nil || c.Failure.Step != r.Step {
		t.Says = words.Short("trouble/refuted", a)
		t.Why = words.Whole(r.Says)
		return t
	}
	var alert *Alert
	for i, al := range c.Alerts {
		if al.At != c.Failure.at || alert != nil {
			continue
		}
		alert = &c.Alerts[i]
		id := "trouble/alert"
		if r.Step == event.Step4a && !strings.Contains(c.Failure.id, "perhaps") && c.Failure.id != "step-4a-proxy-ok-failed" {
			id = "trouble/certificate"
		}
		id += [2]string{"-clear", "-sealed"}[btoi(al.Protected)]
		t.Says = words.Short(id, a.With("sender", c.agent(al.Side), "other", c.Side(1-al.Side), "alert", handshake.AlertName(al.Desc), "number", strconv.Itoa(int(al.Desc))))
	}
	if t.Says.Empty() {
		id := "trouble/stopped"
		if strings.HasPrefix(c.Failure.id, "step-4a-failed-silent") {
			id = "trouble/hung-up"
		}
		t.Says = words.Short(id, a)
	}
	switch id := c.Failure.id; {
	case id == "step-4a-failed-minted", id == "step-4a-failed-silent-minted":
		t.Why, t.Mend = words.Piece("trouble/why-ca"), words.Piece("trouble/mend-ca")
	case r.Step == event.Step4a && alert != nil:
		_, fault := faultOf(c.Main)
		if c.Leg == capture.LegOrigin && c.Verified != nil {
			fault = FindingWords(c.Verified)
		} else if own := c.mirroredFaults(); !own.Empty() {
			fault = own
		}
		t.Why = words.Meaning(AlertSentence(c.Latest, alert.Desc, alert.Side))
		if !fault.Empty() {
			t.Why = words.Piece("trouble/why-seen", "meaning", t.Why, "fault", fault)
		}
		if c.Leg == capture.LegOrigin && c.Verified != nil && (c.Verified.Outcome == "untrusted-root" || c.Verified.Outcome == "self-signed") {
			t.Mend = words.Piece("trouble/mend-origin-ca")
		}
	default:
		t.Why = words.Whole(r.Says)
	}
	if r.Step == event.Step4a && t.Mend.Empty() && c.mirrorsTrust() {
		t.Mend = words.Piece("trouble/mend-origin-ca")
	}
	return t
}

// mirrorsTrust tells that nothing is wrong with the certificate that the proxy made but that nobody
// vouches for the origin's who is known here.
func (c *View) mirrorsTrust() bool {
	return !c.mirroredFaults().Empty() && !slices.ContainsFunc(c.Minted.Found, func(id string) bool {
		return verify.ReasonOf(id).Class != verify.ClassTrust
	})
}

// agent is a side by what it calls itself, if it is the client and did.
func (c *View) agent(side int) event.Text {
	if side == 0 && c.Agent != "" && c.Leg != capture.LegOrigin {
		return event.Plain(c.Agent)
	}
	return c.Side(side)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
