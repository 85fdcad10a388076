package steps

import (
	"cmp"
	"fmt"
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
func (c *View) ends() (client, server string) {
	if c.Pass != nil {
		return "the client", "the origin server"
	}
	return c.peers()
}

// observed tells that the proxy passed a tunnel on, and recorded the keys that the client logged.
func (c *View) observed() bool {
	return c.Pass != nil && c.Pass.Kind == capture.FactPassThrough && c.Pass.Outcome == "observed"
}

// peers names the two ends of the TCP connection itself.
func (c *View) peers() (client, server string) {
	switch c.Leg {
	case capture.LegBrowser:
		return "the client", "the proxy"
	case capture.LegOrigin:
		return "the proxy", "the origin server"
	}
	return "the client", "the server"
}

// Side names one of them.
func (c *View) Side(side int) string {
	client, server := c.ends()
	if side == 0 {
		return client
	}
	return server
}

func port(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }

// earlierWords names the connection that a secret was taken over from. That it
// is not found does not mean that it is not there: its ticket may be sealed.
func (c *View) earlierWords() string {
	l := c.Main.Link
	if l == nil {
		return "an earlier connection"
	}
	had := "handed out this very ticket"
	if l.How == "session-id" {
		had = "had this very session id"
	}
	switch {
	case len(l.From) == 1:
		return fmt.Sprintf("connection %d (which %s)", l.From[0].Conn, had)
	case len(l.From) > 1:
		var names []string
		for _, i := range l.From {
			names = append(names, strconv.Itoa(i.Conn))
		}
		return fmt.Sprintf("connection %s (each of which %s)", OneOf(names, "or"), had)
	}
	return "an earlier connection (which one cannot be told here)"
}

// OneOf joins names with commas and a last word.
func OneOf(names []string, last string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " " + last + " " + names[n-1]
	}
	return strings.Join(names, "")
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
	case k.CertConn == 0:
		if _, ok := h.Link.One(); ok {
			return words.Say("step-4a-inherited-before", event.Inferred, a)
		}
		return words.Say("step-4a-inherited", event.Inferred, a)
	}
	when := "at another time" // where clocks differ, as in files of several machines
	if d := time.Duration(h.AnswerAt - k.CertAt); d >= 0 {
		when = words.Ago(d) + " earlier"
	}
	origin := "connection " + strconv.Itoa(k.CertConn)
	if n := len(k.Path) - 1; n > 0 {
		var names []string
		for _, p := range k.Path[:n] {
			names = append(names, strconv.Itoa(p))
		}
		word := "connection "
		if n > 1 {
			word = "connections "
		}
		if k.More {
			names = append(names, "more")
		}
		origin += ", by way of " + word + OneOf(names, "and")
	}
	id := "step-4a-inherited-sent"
	if k.CertOf == "" {
		id = "step-4a-inherited-sealed"
	}
	return words.Say(id, event.Inferred, a.With("when", when, "origin", origin, "certified", cmp.Or(k.CertOf, "an unknown name")))
}

// FindingWords says what the proxy found wrong with an origin's certificate.
func FindingWords(f *capture.Fact) string {
	if len(f.Found) > 0 && f.Outcome != "own-ca" {
		return FaultsWords(f.Found, f.Host, f.Missing)
	}
	text := ""
	switch f.Outcome {
	case "ok":
		return "nothing"
	case "own-ca":
		text = "the certificate is signed by this proxy's own CA, which no origin may use"
	case "other", "":
		text = "the certificate was not accepted"
	default:
		text = words.Reason(event.Clip(f.Outcome), event.Clip(f.Host), event.Clip(f.Missing))
	}
	if f.Detail != "" {
		text += " (" + event.Clip(f.Detail) + ")"
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
func FaultsWords(ids []string, host, missing string) string {
	var out []string
	for i, id := range ids {
		if i == 20 {
			break // a recording is a file that anybody can write
		}
		if text := words.Reason(event.Clip(id), event.Clip(host), event.Clip(missing)); !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return strings.Join(out, "; ")
}

// Unmirrored says which of the things found wrong no certificate of the proxy's own can have.
func Unmirrored(f *capture.Fact) string {
	var ids []string
	for _, id := range f.Found {
		if verify.ReasonOf(id).Fate != verify.Mirrored {
			ids = append(ids, id)
		}
	}
	return FaultsWords(ids, f.Host, f.Missing)
}

// ShareWords lists the key shares of a hello.
func ShareWords(shares []handshake.KeyShare) string {
	var out []string
	for _, s := range shares {
		if !handshake.IsGREASE(s.Group) {
			out = append(out, fmt.Sprintf("%s (%s)", handshake.GroupName(s.Group), words.Plural(len(s.Exchange), "byte")))
		}
	}
	if len(out) > 8 {
		out = out[:8]
	}
	return strings.Join(out, ", ")
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
func RefusedWords(f *capture.Fact) string {
	if lacks := event.Clip(f.Detail); lacks != "" || !words.HasPhrase(words.Refused, f.Outcome) {
		return words.Phrase(words.Refused, f.Outcome+"-lacking", cmp.Or(lacks, f.Outcome))
	}
	return words.Phrase(words.Refused, f.Outcome, "")
}
