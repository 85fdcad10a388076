package annotate

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/steps"
	"explainer/annotate/words"
	"explainer/capture"
)

// maxPending bounds the facts that wait for their connection to begin.
const maxPending = 1024

// fact tells what only the proxy knows.
func (x *Explainer) fact(m *capture.Message, f *capture.Fact) {
	f = x.quotable(f)
	c := x.conns[f.Conn]
	if c != nil {
		x.releaseBefore(c, f)
		c.now = max(c.now, m.Time)
		x.apply(c, f)
	} else if f.Conn > x.last && len(x.pending) < maxPending && len(x.pending[f.Conn]) < 16 {
		x.pending[f.Conn] = append(x.pending[f.Conn], f)
	}
	e, ok := x.factEvent(c, m, f)
	switch {
	case ok && f.Kind == capture.FactClosed && c != nil && !c.Over:
		// The proxy has closed it, and so no word or end of the other side can follow.
		x.end(c, &e)
		defer x.retire(c)
	case ok && c != nil:
		x.emit(c, e)
	case ok:
		e.Conn, e.Session = f.Conn, f.Conn
		x.put(e)
	}
	if p := x.conns[f.Peer]; p != nil {
		x.release(p)
	}
	if c == nil {
		return
	}
	switch f.Kind {
	case capture.FactDialFailed, capture.FactLookupFailed, capture.FactTLSFailed, capture.FactReplayed:
		c.session.note(e.Says)
	case capture.FactOriginVerified:
		if f.Outcome != "ok" {
			c.session.note(e.Says)
		}
	case capture.FactOwnAnswer:
		if f.Outcome == "error-page" {
			c.session.note(e.Says)
		}
	}
	x.summarize(c.session, false)
	if f.Kind == capture.FactClosed {
		c.tally.closed = true
		x.balance(c, false)
	}
}

// maxNotes bounds what a summary repeats of what the proxy noted.
const maxNotes = 8

func (s *session) note(says []event.Sentence) {
	if len(s.notes) < maxNotes {
		s.notes = append(s.notes, says...)
	}
}

// releaseBefore lets the event of a connection's beginning out before a fact about
// it, unless that fact is what it waits for.
func (x *Explainer) releaseBefore(c *conn, f *capture.Fact) {
	if f.Kind != capture.FactSession && f.Kind != capture.FactPlainHTTP {
		x.release(c)
	}
}

// apply notes what a fact says of a connection.
func (x *Explainer) apply(c *conn, f *capture.Fact) {
	switch f.Kind {
	case capture.FactSession, capture.FactPlainHTTP:
		c.Asked = f.Host
		x.host(c, f.Host)
		x.tie(c, f)
	case capture.FactPassThrough, capture.FactOpaque:
		c.Pass = f
		if f.Host != "" {
			x.host(c, f.Host)
		}
		x.tie(c, f)
		for _, p := range c.session.conns {
			p.Pass = f
		}
	case capture.FactOriginVerified:
		c.Verified = f
		if p := x.conns[f.Peer]; p != nil && p.Leg == capture.LegOrigin {
			p.Verified = f
		}
	case capture.FactTLSFailed:
		// Where the client had hung up it was not the handshake that failed.
		if p := x.conns[f.Peer]; p != nil && p.Leg == capture.LegOrigin && f.Outcome != "canceled" && f.Detail != "the client hung up before it was over" {
			p.TLSFailed = f
		}
	case capture.FactLeaf:
		c.Minted = f
	case capture.FactWentOn:
		c.WentOnTo = f
		if p := x.conns[f.Peer]; p != nil && p.Leg == capture.LegOrigin {
			p.WentOnTo = f
		}
	case capture.FactReplayed:
		x.tie(c, f)
		if p := x.conns[f.Peer]; f.Done == "tunnelled" {
			c.Pass = f
			if p != nil {
				p.Pass = f
			}
		}
	case capture.FactEM:
		c.Main.Block = f.Data
	case capture.FactRefused:
		c.Refused = f
	case capture.FactCase:
		c.Shown = steps.ShownBy(f)
		c.Asked = cmp.Or(c.Asked, f.Host)
		x.host(c, f.Host)
	}
}

// tie puts the origin's leg into the session of the browser's.
func (x *Explainer) tie(c *conn, f *capture.Fact) {
	if f.Peer == 0 || f.Peer == f.Conn {
		return
	}
	p := x.conns[f.Peer]
	if p == nil {
		// The origin's leg is announced before it begins.
		s := c.session
		if _, taken := x.sessions[f.Peer]; !taken && len(x.sessions) < 1<<20 {
			x.sessions[f.Peer] = s
		}
		return
	}
	p.Asked = f.Host
	x.join(c.session, p)
}

// quotable is a fact whose words may be shown: those of errors may quote what was sent.
func (x *Explainer) quotable(f *capture.Fact) *capture.Fact {
	switch f.Kind {
	case capture.FactDialFailed, capture.FactLookupFailed, capture.FactTLSFailed, capture.FactOriginVerified, capture.FactOwnAnswer, capture.FactRefused, capture.FactClosed:
	default:
		return f
	}
	detail := x.text(f.Detail)
	if detail == f.Detail {
		return f
	}
	shown := *f
	shown.Detail = detail
	return &shown
}

// factEvent makes the event of a fact.
func (x *Explainer) factEvent(c *conn, m *capture.Message, f *capture.Fact) (event.Event, bool) {
	e := event.Event{Kind: event.KindFact, Evidence: event.None, Time: at(m.Time).Format(time.RFC3339Nano), Fact: factOf(f)}
	a := steps.Values{}.With("client", words.Piece("end/client"), "server", words.Piece("end/server"))
	var v *steps.View
	if c != nil {
		a, v = x.args(c), &c.View
	}
	a = a.With("host", cmp.Or(event.Plain(clip(f.Host)), words.Piece("host/any")), "addr", cmp.Or(event.Plain(clip(f.Addr)), words.Piece("addr/none")), "detail", cmp.Or(event.Plain(clip(f.Detail)), words.Piece("detail/none")), "outcome", f.Outcome)
	tell := func(topic event.Topic, id string) {
		rename(&e, topic, "")
		e.Says = []event.Sentence{words.Say(id, event.None, a)}
		e.Brief, e.BriefID = words.Whole(e.Says[0]), id
	}
	add := func(id string) { e.Says = append(e.Says, words.Say(id, event.None, a)) }
	quic := c != nil && c.Leg == capture.LegBrowser && c.Conn.Transport == capture.TransportQUIC
	switch f.Kind {
	case capture.FactRecording:
		x.whole.Textbook = f.Host == "textbook"
		id := "fact-recording"
		if x.whole.Textbook {
			id = "fact-recording-textbook"
		}
		tell("recording", id)
	case capture.FactLeftOut:
		id := "fact-left-out-parts"
		switch f.Outcome {
		case "late":
			id = "fact-left-out-late"
		case "damaged":
			id = "fact-left-out-damaged"
		}
		tell(event.TopicLeftOut, id)
	case capture.FactSession:
		if f.Peer == 0 {
			tell("session", "fact-session-alone")
		} else {
			a = a.With("peer", fmt.Sprint(f.Peer), "conn", fmt.Sprint(f.Conn))
			tell("session", "fact-session")
			if quic {
				add("fact-session-quic")
			}
		}
	case capture.FactPlainHTTP:
		a = a.With("peer", fmt.Sprint(f.Peer), "conn", fmt.Sprint(f.Conn))
		tell("plain-http", "fact-plain-http")
	case capture.FactPassThrough:
		if f.Outcome == "observed" {
			tell("observed", "fact-observed")
		} else {
			tell("pass-through", "fact-pass-through")
		}
	case capture.FactOpaque:
		id := "fact-opaque-not-tls"
		switch f.Outcome {
		case "client-silent":
			id = "fact-opaque-client-silent"
		case "server-first":
			id = "fact-opaque-server-first"
		case "hello":
			id = "fact-opaque-hello"
		case "hello-dot":
			id = "fact-opaque-hello-dot"
		}
		tell("not-decrypted", id)
	case capture.FactDialFailed:
		id := "fact-dial-other"
		switch f.Outcome {
		case "refused", "timeout", "unreachable", "loop", "canceled", "near-name":
			id = "fact-dial-" + f.Outcome
		}
		switch {
		case quic && f.Outcome == "refused":
			id = "fact-dial-refused-quic"
		case quic && f.Outcome == "timeout":
			id = "fact-dial-timeout-quic"
		}
		tell(event.TopicNotReached, id)
		if quic && f.Outcome != "canceled" {
			add("fact-quic-ended")
		}
	case capture.FactLookupFailed:
		name, _, _ := steps.SplitHostPort(f.Host)
		a = a.With("host", cmp.Or(event.Plain(clip(name)), a.Value("host")))
		tell(event.TopicNotFound, "fact-lookup-failed")
		if quic {
			add("fact-quic-ended")
		}
	case capture.FactTLSFailed:
		id := "fact-tls-failed"
		switch f.Outcome {
		case "refused":
			id = "fact-tls-refused"
		case "old-version":
			id = "fact-tls-old-version"
		case "closed":
			id = "fact-tls-closed"
		case "not-tls":
			id = "fact-tls-not-tls"
		case "client-cert":
			id = "fact-tls-client-cert"
		case "judged":
			id = "fact-tls-judged"
		}
		tell(event.TopicOriginFailed, id)
		if quic && f.Outcome != "canceled" {
			add("fact-quic-ended")
		}
	case capture.FactReplayed:
		a = a.With("lacking", cmp.Or(foundWords(f), "something"), "foreign", clip(f.Addr))
		id := "fact-replayed-failed"
		switch {
		case f.Outcome == "answered" && f.Addr != "":
			id = "fact-replayed-foreign"
		case f.Outcome == "answered":
			id = "fact-replayed-alike"
		case f.Outcome == "refused":
			id = "fact-replayed-refused"
		case f.Outcome == "closed":
			id = "fact-replayed-closed"
		}
		tell("hello-replayed", id)
		if f.Done == "tunnelled" {
			e.Says = append(e.Says, words.Say("fact-replayed-tunnelled", event.None, a))
		}
		for _, name := range f.Found {
			if len(e.Fields) < 60 {
				e.Fields = append(e.Fields, field("only the client offers", clip(name)))
			}
		}
	case capture.FactOriginVerified:
		a = a.With("roots", words.Phrase(words.Roots, cmp.Or(clip(f.Addr), "none"), ""), "finding", steps.FindingWords(f))
		switch which := steps.Unmirrored(f); {
		case f.Outcome == "ok" && f.Done == "not-asked":
			tell("origin-verified", "fact-origin-unasked")
		case f.Outcome == "ok":
			tell("origin-verified", "fact-origin-ok")
		case f.Done == "mirrored":
			tell(event.TopicNotVerified, "fact-origin-mirrored")
		case quic && f.Done == "blocked":
			id := "fact-origin-blocked-quic"
			if !which.Empty() {
				id, a = "fact-origin-blocked-unmirrored-quic", a.With("which", which)
			}
			tell(event.TopicNotVerified, id)
			add("fact-quic-ended")
		case f.Done == "blocked" && !which.Empty():
			a = a.With("which", which)
			tell(event.TopicNotVerified, "fact-origin-blocked-unmirrored")
		case f.Done == "blocked":
			tell(event.TopicNotVerified, "fact-origin-blocked")
		default:
			tell(event.TopicNotVerified, "fact-origin-bad")
		}
		for _, id := range f.Found {
			e.Fields = append(e.Fields, field("found", clip(id)))
		}
		if f.Missing != "" {
			e.Says = append(e.Says, words.Say("fact-origin-remedy", event.None, words.Args{"missing": clip(f.Missing)}))
			e.Fields = append(e.Fields, field("missing", clip(f.Missing)))
		}
		if f.Done != "" {
			e.Fields = append(e.Fields, field("done", clip(f.Done)))
		}
	case capture.FactWentOn:
		tell("client-went-on", "fact-went-on")
	case capture.FactName:
		switch {
		case quic && f.Host == "":
			tell("no-name", "fact-name-none-quic")
		case quic:
			tell("two-names", "fact-name-quic")
		case f.Host == "":
			tell("no-name", "fact-name-none")
		default:
			tell("two-names", "fact-name")
		}
	case capture.FactLeaf:
		rename(&e, "certificate-made", "")
		a = a.With("names", cmp.Or(event.Plain(clip(strings.ReplaceAll(f.Host, ",", ", "))), words.Piece("name/none")))
		id := "fact-leaf"
		e.Brief = words.Piece("brief/leaf", "names", a.Value("names"))
		if len(f.Found) > 0 {
			switch f.Outcome {
			case "self-signed":
				id = "fact-leaf-mirrored-self-signed"
			case "unknown-ca":
				id = "fact-leaf-mirrored-unknown-ca"
			default:
				id = "fact-leaf-mirrored"
			}
			a = a.With("faults", steps.FaultsWords(f.Found, cmp.Or(v.CheckedFor(), a.Value("names").English), v.Lacking()))
			e.Brief = words.Piece("brief/leaf-bad", "names", a.Value("names"), "faults", a.Value("faults"))
		}
		e.Says = []event.Sentence{words.Say(id, event.None, a)}
		switch f.Addr {
		case "textbook":
			e.Says = append(e.Says, words.Say("fact-leaf-key-textbook", event.None, a))
		case "client":
			e.Says = append(e.Says, words.Say("fact-leaf-key-client", event.None, a))
		case "length":
			e.Says = append(e.Says, words.Say("fact-leaf-key-length", event.None, a))
		}
		if f.Done == "stapled" {
			e.Says = append(e.Says, words.Say("fact-leaf-stapled", event.None, a))
		}
		e.Fields = []event.Field{{Name: words.FieldName("SHA-256 of the certificate"), Value: event.Plain(hex.EncodeToString(f.Data[:min(len(f.Data), 32)]))}, {Name: words.FieldName("SHA-256 of the CA's"), Value: event.Plain(clip(f.Detail)), Note: words.Piece("note/signing-authority")}}
		if f.Outcome == "self-signed" || f.Detail == "" {
			e.Fields = e.Fields[:1]
		}
		if c != nil && c.Main.Sides[1].Leaf != nil {
			x.checkMinted(c, c.Main, &e)
		}
	case capture.FactEM:
		x.emEvent(c, f, &e, a)
	case capture.FactOwnAnswer:
		id := "fact-own-answer"
		switch f.Outcome {
		case "error-page", "set-up-page", "not-a-proxy-request", "built-in":
			id = "fact-own-" + f.Outcome
		}
		a = a.With("detail", cmp.Or(words.EndedBecause(clip(f.Detail)), a.Value("detail")))
		tell("own-answer", id)
	case capture.FactRefused:
		a = a.With("reason", steps.RefusedWords(f))
		tell("handshake-stopped", "fact-refused")
	case capture.FactCase:
		caseEvent(&e, f, a)
	case capture.FactRoot:
		x.authorities.note(f)
		return e, false
	case capture.FactRun:
		a = a.With("run", cmp.Or(clip(f.Detail), "?"), "case", cmp.Or(event.Plain(clip(f.Outcome)), words.Piece("name/none")), "kind", string(f.Kind))
		tell("check", cmp.Or(map[string]string{
			capture.RunPlan: "fact-run-plan", capture.RunBegin: "fact-run-begin", capture.RunKilled: "fact-run-killed", capture.RunEnd: "fact-run-end",
		}[f.Addr], "fact-unknown"))
	case capture.FactClosed:
		id := "fact-closed-other"
		switch f.Outcome {
		case "client", "origin", "proxy", "proxy-shutdown", "timeout", "error":
			id = "fact-closed-" + f.Outcome
		}
		if f.Outcome == "proxy" && f.Detail != "" {
			id, a = "fact-closed-proxy-because", a.With("detail", words.EndedBecause(clip(f.Detail)))
		}
		if f.Outcome == "client" && c != nil && c.Leg == capture.LegOrigin {
			id = "fact-closed-client-first"
		}
		if id == "fact-closed-other" {
			a = a.With("detail", cmp.Or(words.EndedBecause(clip(cmp.Or(f.Detail, f.Outcome))), a.Value("detail")))
		}
		tell("who-closed", id)
	default:
		a = a.With("kind", clip(string(f.Kind)))
		tell("note", "fact-unknown")
	}
	return e, true
}

// emEvent tells the recorded block of step 5, with the proofs that it makes possible.
func (x *Explainer) emEvent(c *conn, f *capture.Fact, e *event.Event, a steps.Values) {
	rename(e, "block-opened", "")
	e.Brief = words.Piece("brief/opened-step-5", "n", strconv.Itoa(len(f.Data)))
	e.Evidence = event.None
	id := "fact-em"
	if f.Outcome == "bad-padding" {
		id = "fact-em-bad"
	}
	e.Says = []event.Sentence{words.Say(id, event.None, a.With("size", fmt.Sprint(len(f.Data))))}
	e.Fields = []event.Field{fieldOf("block", x.show().Secret(f.Data))}
	if c == nil || c.Main.ClientKey == nil {
		return // the proofs come with the ClientKeyExchange
	}
	for _, p := range c.Main.CheckBlock(x.show()) {
		c.Main.Prove(p)
		e.Proofs = append(e.Proofs, p)
	}
}

// checkMinted compares the certificate on the wire with the one that the proxy says it made.
func (x *Explainer) checkMinted(c *conn, h *proof.Handshake, e *event.Event) {
	if len(c.Minted.Data) != sha256.Size || h.Sides[1].Leaf == nil {
		return
	}
	state, reason := event.Proven, event.Text{}
	if string(h.Sides[1].Leaf.Hash[:]) != string(c.Minted.Data) {
		state, reason = event.Refuted, words.Piece("proof/other-certificate")
	}
	p := words.NewProof(words.ProofLeaf, state, reason, field("on the wire", hex.EncodeToString(h.Sides[1].Leaf.Hash[:])), field("noted", hex.EncodeToString(c.Minted.Data)))
	h.Prove(p)
	e.Proofs = append(e.Proofs, p)
	if state == event.Proven {
		e.Says = append(e.Says, words.Say("certificate-minted", event.Recomputed, x.args(c)))
	}
}

// factOf is what the recording holds of a fact, without the words of others and the keys.
func factOf(f *capture.Fact) *event.Fact {
	out := &event.Fact{Kind: clip(string(f.Kind)), Peer: f.Peer, Host: clip(f.Host), Addr: clip(f.Addr), Outcome: clip(f.Outcome), Done: clip(f.Done)}
	for _, id := range f.Found[:min(len(f.Found), 60)] {
		out.Found = append(out.Found, clip(id))
	}
	return out
}

// foundWords lists what a fact found.
func foundWords(f *capture.Fact) string {
	var out []string
	for i, name := range f.Found {
		if i == 12 {
			out = append(out, fmt.Sprintf("and %d more", len(f.Found)-i))
			break
		}
		out = append(out, clip(name))
	}
	return strings.Join(out, ", ")
}
