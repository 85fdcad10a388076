package steps

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/ca/verify"
	"explainer/capture"
	"explainer/capture/handshake"
)

// SplitHostPort is net.SplitHostPort without its errors; ok tells whether there was a port.
func SplitHostPort(s string) (host, port string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.Contains(s[:i], ":") && !strings.HasPrefix(s, "[") {
		return s, "", false
	}
	if _, err := strconv.ParseUint(s[i+1:], 10, 16); err != nil {
		return s, "", false
	}
	return strings.Trim(s[:i], "[]"), s[i+1:], true
}

// ends names the two ends of what passes on a connection. In a tunnel that the
// proxy does not open these are the client and the origin, on both legs.
func (c *View) ends() (client, server event.Text) {
	if c.Pass != nil {
		return words.Piece("end/client"), words.Piece("end/origin-server")
	}
	return c.peers()
}

// observed tells that the proxy passed a tunnel on, and recorded the keys that the client logged.
func (c *View) observed() bool {
	return c.Pass != nil && c.Pass.Kind == capture.FactPassThrough && c.Pass.Outcome == "observed"
}

// peers names the two ends of the TCP connection itself.
func (c *View) peers() (client, server event.Text) {
	switch c.Leg {
	case capture.LegBrowser:
		return words.Piece("end/client"), words.Piece("end/proxy")
	case capture.LegOrigin:
		return words.Piece("end/proxy"), words.Piece("end/origin-server")
	}
	return words.Piece("end/client"), words.Piece("end/server")
}

// Side names one of them.
func (c *View) Side(side int) event.Text {
	client, server := c.ends()
	if side == 0 {
		return client
	}
	return server
}

func port(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }

// earlierWords names the connection that a secret was taken over from. That it
// is not found does not mean that it is not there: its ticket may be sealed.
func (c *View) earlierWords() event.Text {
	l := c.Main.Link
	if l == nil {
		return words.Piece("earlier/one")
	}
	had := words.Piece("earlier/had-ticket")
	if l.How == "session-id" {
		had = words.Piece("earlier/had-session-id")
	}
	switch {
	case len(l.From) == 1:
		return words.Piece("earlier/known", "conn", strconv.Itoa(l.From[0].Conn), "had", had)
	case len(l.From) > 1:
		var conns []event.Text
		for _, i := range l.From {
			conns = append(conns, event.Plain(strconv.Itoa(i.Conn)))
		}
		return words.Piece("earlier/several", "conns", words.List("or", conns...), "had", had)
	}
	return words.Piece("earlier/not-told")
}

// behind says which certificate stands behind a connection that takes up an
// earlier one, and when and where it was sent. No capture can show that it was
// checked then.
func (c *View) behind(a Values) event.Sentence {
	h := c.Main
	if h.Link == nil {
		return words.Say("step-4a-inherited", event.Inferred, a)
	}
	k := h.Kin
	switch {
	case k.Keyless && !k.Lost:
		return words.Say("step-4a-inherited-keyless", event.Inferred, a)
	case k.Holed:
		return words.Say("step-4a-inherited-holed", event.None, a)
	case k.CertConn == 0:
		if _, ok := h.Link.One(); ok {
			return words.Say("step-4a-inherited-before", event.Inferred, a)
		}
		return words.Say("step-4a-inherited", event.Inferred, a)
	}
	when := words.Piece("when/other-clock") // where clocks differ, as in files of several machines
	if d := time.Duration(h.AnswerAt - k.CertAt); d >= 0 {
		when = words.Piece("when/earlier", "span", words.Ago(d))
	}
	origin := words.Piece("conn/one", "conn", strconv.Itoa(k.CertConn))
	if n := len(k.Path) - 1; n > 0 {
		var conns []event.Text
		for _, p := range k.Path[:n] {
			conns = append(conns, event.Plain(strconv.Itoa(p)))
		}
		word := "conn/by-way-of-one"
		if n > 1 {
			word = "conn/by-way-of-several"
		}
		if k.More {
			conns = append(conns, words.Piece("conn/more"))
		}
		origin = words.Piece(word, "conn", strconv.Itoa(k.CertConn), "conns", words.List("and", conns...))
	}
	id := "step-4a-inherited-sent"
	switch {
	case k.CertOf == "":
		id = "step-4a-inherited-sealed"
	case c.Leg == capture.LegOrigin:
		id = "step-4a-inherited-noted"
	}
	certified := words.Piece("name/unknown")
	if k.CertOf != "" {
		certified = event.Plain(k.CertOf)
	}
	return words.Say(id, event.Inferred, a.With("when", when, "origin", origin, "certified", certified))
}

// FindingWords says what the proxy found wrong with an origin's certificate.
func FindingWords(f *capture.Fact) event.Text {
	if len(f.Found) > 0 && f.Outcome != "own-ca" {
		return FaultsWords(f.Found, f.Host, f.Missing)
	}
	var text event.Text
	switch f.Outcome {
	case "ok":
		return words.Piece("finding/nothing")
	case "own-ca":
		text = words.Piece("finding/own-ca")
	case "other", "":
		text = words.Piece("finding/other")
	default:
		text = words.Reason(event.Clip(f.Outcome), event.Clip(f.Host), event.Clip(f.Missing))
	}
	if f.Detail != "" {
		text = words.Piece("finding/detail", "finding", text, "detail", event.Clip(f.Detail))
	}
	return text
}

// CheckedFor is the name that the proxy checked an origin's certificate for.
func (c *View) CheckedFor() string {
	if c == nil || c.Verified == nil {
		return ""
	}
	return event.Clip(c.Verified.Host)
}

// Lacking is who vouches for an origin's chain and is not known here.
func (c *View) Lacking() string {
	if c == nil || c.Verified == nil {
		return ""
	}
	return c.Verified.Missing
}

// VerifiedWords is the outcome of the proxy's own check, and what was found.
func VerifiedWords(f *capture.Fact) string {
	if len(f.Found) == 0 {
		return event.Clip(f.Outcome)
	}
	var ids []string
	for i, id := range f.Found {
		if i == 20 {
			break
		}
		ids = append(ids, event.Clip(id))
	}
	return strings.Join(ids, ", ")
}

// FaultsWords says what is wrong with a certificate that was to be for host.
// missing is the issuer that is not known.
func FaultsWords(ids []string, host, missing string) event.Text {
	var out []event.Text
	for i, id := range ids {
		if i == 20 {
			break // a recording is a file that anybody can write
		}
		if text := words.Reason(event.Clip(id), event.Clip(host), event.Clip(missing)); !slices.ContainsFunc(out, text.Same) {
			out = append(out, text)
		}
	}
	return words.List(";", out...)
}

// Unmirrored says which of the things found wrong no certificate of the proxy's own can have.
func Unmirrored(f *capture.Fact) event.Text {
	var ids []string
	for _, id := range f.Found {
		if verify.ReasonOf(id).Fate != verify.Mirrored {
			ids = append(ids, id)
		}
	}
	return FaultsWords(ids, f.Host, f.Missing)
}

// ShareWords lists the key shares of a hello.
func ShareWords(shares []handshake.KeyShare) event.Text {
	var out []event.Text
	for _, s := range shares {
		if !handshake.IsGREASE(s.Group) {
			out = append(out, words.Piece("share/of-group", "group", handshake.GroupName(s.Group), "size", words.Count(len(s.Exchange), "byte")))
		}
	}
	if len(out) > 8 {
		out = out[:8]
	}
	return words.List(",", out...)
}

// sharedInside tells whether the client's share was encrypted: it stands in the hello inside
// another one that the server took, and that one has another.
func (c *View) sharedInside() bool {
	h := c.Main
	if h.Cover == nil || h.ServerHello.KeyShare() == nil {
		return false
	}
	group := h.ServerHello.KeyShare().Group
	inner, outer := shareOf(h.Hello, group), shareOf(h.Cover, group)
	return inner != nil && (outer == nil || !bytes.Equal(inner.Exchange, outer.Exchange))
}

// shareOf finds the client's share for a group.
func shareOf(h *handshake.ClientHello, group uint16) *handshake.KeyShare {
	if h == nil {
		return nil
	}
	for _, s := range h.KeyShares() {
		if s.Group == group {
			return &s
		}
	}
	return nil
}

// RefusedWords says why the proxy itself stopped a browser's handshake.
func RefusedWords(f *capture.Fact) event.Text {
	if lacks := event.Clip(f.Detail); lacks != "" || !words.HasPhrase(words.Refused, f.Outcome) {
		return words.Phrase(words.Refused, f.Outcome+"-lacking", cmp.Or(lacks, f.Outcome))
	}
	return words.Phrase(words.Refused, f.Outcome, "")
}
