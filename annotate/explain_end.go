package annotate

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/steps"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/handshake"
)

// connectionEvent tells that a connection began.
func (x *Explainer) connectionEvent(c *conn, m *capture.Message) event.Event {
	if c.OverUDP() {
		return x.udpConnectionEvent(c, m)
	}
	e := x.event(c, m, event.KindConnection, event.TopicTCPConnection, "")
	e.Evidence = event.Clear
	e.Brief = words.Piece("brief/from-to", "from", c.Conn.Client.String(), "to", c.Conn.Server.String())
	e.Ends = c.ofEnds(event.BeginsOpened)
	a := x.args(c).With("from", c.Conn.Client.String(), "to", c.Conn.Server.String())
	id := "connection-opened"
	switch {
	case c.Conn.SYN:
	case c.Conn.Asked:
		id, e.Ends.Begins = "connection-asked", event.BeginsAsked
	case c.Conn.Answered:
		id, e.Ends.Begins = "connection-answered", event.BeginsMidstream
	case c.Conn.Continued:
		id, e.Ends.Begins = "connection-continued", event.BeginsContinued
	default:
		id, e.Ends.Begins = "connection-midstream", event.BeginsMidstream
	}
	e.Says = append(e.Says, words.Say(id, event.Clear, a))
	// Whether a request for a tunnel or for a plain page follows is not known
	// yet; the verdict does not depend on it, but its sentence does. So the
	// event marks the step and the summary tells it.
	r := x.row(c, event.Step1)
	e.Steps = []event.StepMark{{Step: event.Step1, Verdict: r.Verdict}}
	c.settled.add(event.Step1)
	return e
}

func (c *conn) ofEnds(begins string) *event.Ends {
	return &event.Ends{Client: c.Conn.Client.String(), Server: c.Conn.Server.String(), Transport: strings.ToLower(c.Conn.Transport.String()), Begins: begins}
}

// fail notes why a connection did not get through; the first reason counts.
func (c *conn) fail(f *steps.Failure) {
	if c.Failure == nil {
		c.Failure = f
	}
}

func (x *Explainer) alert(c *conn, m *capture.Message, b *capture.Alert) {
	side := int(m.Side)
	h := c.Latest
	c.TLS = true
	name := handshake.AlertName(b.Description)
	al := steps.Alert{Side: side, Level: b.Level, Desc: b.Description, Protected: m.Opened, At: proof.Place{First: m.First, Last: m.Last}}
	if (!h.Is13() || h.Sides[1-side].Finished) && c.Sides[1-side].Whole() {
		// Otherwise messages may stand before it that nobody can see.
		al.After = x.lastFrom(h, 1-side)
	}
	c.Alerts = append(c.Alerts, al)
	e := x.event(c, m, event.KindMessage, event.TopicAlert, "Alert")
	e.Brief = event.Plain(name)
	level := handshake.AlertLevelName(b.Level)
	e.Alert = &event.Alert{Level: level, Number: b.Description, Name: name}
	e.Fields = append(e.Fields, field("level", level), field("description", fmt.Sprintf("%s (%d)", name, b.Description)))
	a := x.args(c).With("sender", c.Side(side), "alert", name, "number", strconv.Itoa(int(b.Description)))
	e.Says = append(e.Says, words.Say(steps.AlertSentence(h, b.Description, side), e.Evidence, a))

	if b.Description == 0 && m.Opened {
		id := "alert-close-proven"
		if c.OverUDP() {
			id = "alert-close-datagram"
		}
		e.Says = append(e.Says, words.Say(id, e.Evidence, a))
	}
	ending := b.Description == 0 || b.Description == 90 || b.Description == 100 || b.Level == 1 && !h.Is13()
	if ending || c.Failure != nil || c.Through() || h != c.Main {
		x.emit(c, e)
		return
	}
	c.fail(c.FailByAlert(al))
	if c.Failure != nil {
		c.Failure.Protected = al.Protected
		x.mark(c, &e, c.Failure.Step)
		e.Says = []event.Sentence{x.row(c, c.Failure.Step).Says} // says what the alert means, and more
	}
	x.emit(c, e)
}

// lastFrom names the last handshake message of a side.
func (x *Explainer) lastFrom(h *proof.Handshake, side int) string {
	if n := len(h.Sides[side].Messages); n > 0 {
		t := h.Sides[side].Messages[n-1].Type
		if t == handshake.TypeServerHello && h.Retry != nil && h.ServerHello == nil {
			return "HelloRetryRequest"
		}
		return handshake.TypeName(t)
	}
	return ""
}

func (x *Explainer) closed(c *conn, m *capture.Message, b *capture.Closed) {
	side := int(m.Side)
	w := proof.Place{First: m.First, Last: m.Last}
	// The two ends can be told in another order than they came in.
	if c.Closer == 0 || c.Closer == 2-side && w.First < c.Sides[1-side].ClosedAt.First {
		c.Closer = 1 + side
	}
	if !c.Sides[side].Closed {
		c.Sides[side].ClosedAt = w
	}
	c.Sides[side].Closed = true
	if b.Reset {
		c.Reset = true
		c.Sides[1-side].Closed = true
	}
	c.Last = proof.Place{First: m.First, Last: m.Last}
	e := x.event(c, m, event.KindClosed, "fin", "")
	e.From = m.Side.String()
	e.Evidence = event.Clear
	a := x.args(c).With("sender", c.Side(side))
	switch {
	case b.Reset && side == 1 && c.Conn.Asked && !c.Sides[0].Heard && !c.Sides[1].Heard:
		rename(&e, "rst", "")
		e.Brief = words.Piece("brief/refuses", "sender", c.Side(side))
		e.Says = append(e.Says, words.Say("closed-refused", event.Clear, a))
	case b.Reset:
		rename(&e, "rst", "")
		e.Brief = words.Piece("brief/connection-torn-down")
		e.Says = append(e.Says, words.Say("closed-reset", event.Clear, a))
	case c.TLS && !c.SaidGoodbye(side) && c.Main.ServerHello != nil && c.Sides[side].FirstData && c.Sides[side].Data > 0 && !c.Sides[side].Torn:
		e.Brief = words.Piece("brief/no-more-truncated", "sender", c.Side(side))
		e.Says = append(e.Says, words.Say("closed-truncated", event.Clear, a))
	default:
		e.Brief = words.Piece("brief/no-more", "sender", c.Side(side))
		e.Says = append(e.Says, words.Say("closed", event.Clear, a))
	}
	if c.Sides[0].Closed && c.Sides[1].Closed && !c.Over {
		x.end(c, &e)
		return
	}
	x.emit(c, e)
}

// left tells that a connection is not followed to its end.
func (x *Explainer) left(c *conn, m *capture.Message, b *capture.Ended) {
	e := x.event(c, m, event.KindClosed, "not-followed", "")
	e.Evidence = event.Inferred
	id := "closed-not-followed"
	e.Brief = words.Piece("brief/too-many-connections-once")
	switch b.Why {
	case capture.EndLeftOut:
		id = "closed-left-out"
		e.Brief = words.Piece("brief/ended-what-left-out")
	case capture.EndReused:
		id = "closed-ports-reused"
		e.Brief = words.Piece("brief/ports-used-another-connection")
	}
	e.Says = append(e.Says, words.Say(id, event.Inferred, x.args(c)))
	x.emit(c, e)
	x.settleLeft(c, b.Why)
}

// endsHere tells that nothing more is told of both directions: why as in [proof.Stream].
func (c *conn) endsHere(why string) {
	for i := range c.Sides {
		c.Sides[i].Ended, c.Sides[i].Left = true, why
	}
}

// settleLeft settles what is left of a connection whose end was not seen.
func (x *Explainer) settleLeft(c *conn, why string) {
	c.endsHere(why)
	x.settleEnd(c)
	x.summarize(c.session, false)
	c.Over = true
}

// end tells, with the event that ends the connection, what its records came to,
// and settles what is left.
func (x *Explainer) end(c *conn, e *event.Event) {
	c.Over = true
	if c.Conn.Transport == capture.TransportQUIC {
		// Its packets have no gapless order in which none could be missing.
		e.Says = append(e.Says, c.Counted()...)
		x.emit(c, *e)
		x.settleEnd(c)
		return
	}
	for s := range c.Sides {
		if c.Sides[s].Data == 0 {
			continue
		}
		a := x.args(c).With("sender", c.Side(s), "count", words.Count(int(c.Sides[s].Data), "record"), "bytes", strconv.FormatInt(c.Sides[s].Bytes, 10), "sealed", strconv.FormatInt(c.Sides[s].Sealed, 10))
		p := words.NewProof([2]string{words.ProofClientRecords, words.ProofServerRecords}[s], event.Proven, event.Text{}, field("records", strconv.FormatInt(c.Sides[s].Data, 10)), field("bytes of data in them", strconv.FormatInt(c.Sides[s].Bytes, 10)))
		switch {
		case c.Sides[s].BadTag:
			continue // told where it happened
		case c.Holed():
			p.State, p.Reason = event.NotCheckable, words.Piece("brief/bytes-missing-capture")
		case c.Sides[s].Sealed > 0:
			p.State, p.Reason = event.NotCheckable, words.Piece("proof/stayed-sealed", "count", words.Count(int(c.Sides[s].Sealed), "record"))
		case c.Sides[s].Torn || !c.Sides[s].Read():
			p.State, p.Reason = event.NotCheckable, words.Piece("proof/not-all-read")
		}
		switch {
		case c.Holed() && c.Sides[s].Sealed == 0:
			e.Says = append(e.Says, words.Say("records-counted-gap", event.Recomputed, a))
		case p.State != event.Proven && c.Sides[s].Sealed == 0:
			e.Says = append(e.Says, words.Say("records-counted-torn", event.Recomputed, a))
		case p.State != event.Proven:
			e.Says = append(e.Says, words.Say("records-counted-partly", event.Recomputed, a))
		case c.ProvenGoodbye(s):
			e.Says = append(e.Says, words.Say("records-counted", event.Recomputed, a), words.Say("records-complete", event.Recomputed, a))
		default:
			e.Says = append(e.Says, words.Say("records-counted", event.Recomputed, a))
		}
		if c.Main.Tried([2]string{words.ProofClientFirst, words.ProofServerFirst}[s]) {
			c.Main.Prove(p)
			e.Proofs = append(e.Proofs, p)
		}
	}
	x.emit(c, *e)
	x.settleEnd(c)
}

// settleEnd decides what a connection that is over, or whose capture ends,
// did not show until now.
func (x *Explainer) settleEnd(c *conn) {
	c.ready = true
	if !c.TLS && c.NoTLS == "" && c.Pass == nil {
		if c.Closer != 0 && c.Over {
			var f *steps.Failure
			f, c.GivenUp = c.NeverBegan()
			c.fail(f)
			x.step(c, event.Step1)
		}
		return
	}
	if c.NoTLS != "" || c.Failure != nil || c.Through() {
		return
	}
	f, givenUp := c.BrokeOff()
	if givenUp {
		c.GivenUp = true
		return
	}
	if f != nil {
		c.fail(f)
		x.failedStep(c)
	}
	if c.HasCertificate() {
		x.step(c, event.Step4a)
	}
}

// failedStep tells the step that a connection failed at, which no message told.
func (x *Explainer) failedStep(c *conn) {
	c.settled.remove(c.Failure.Step)
	x.step(c, c.Failure.Step)
}

// summarize tells the eight steps of a session once all its legs are settled.
func (x *Explainer) summarize(s *session, last bool) {
	if s == nil {
		return
	}
	any := false
	for i, c := range s.conns {
		if s.told[i] {
			continue
		}
		if !c.ready && x.legReady(c) {
			c.ready = true
		}
		if !c.ready && !last {
			return
		}
		any = true
	}
	if !any || len(s.conns) == 0 {
		return
	}
	// The origin's leg of a session may be about to come: the proxy says so
	// before the browser's handshake is through.
	var legs []event.Leg
	var notes []event.Sentence
	var kinds []string
	var lastConn *conn
	var now []*conn
	worth := false
	for i, c := range s.conns {
		if c.told || s.told[i] && len(s.conns) > 2 {
			continue // of many origins of a plain HTTP connection, only the new ones
		}
		s.told[i] = true
		now = append(now, c)
		legs = append(legs, x.leg(c))
		notes = append(notes, x.notes(c)...)
		kinds = append(kinds, legs[len(legs)-1].Title.English)
		if lastConn == nil || c.now > lastConn.now {
			lastConn = c
		}
		worth = worth || c.TLS || c.NoTLS != "" || c.Pass != nil || c.Failure != nil || !c.Entire()
	}
	if !worth {
		return
	}
	for _, c := range now {
		c.told = true
	}
	notes = append(notes, s.notes...)
	e := x.event(lastConn, nil, event.KindSummary, "eight-steps", "")
	e.Says = notes
	tunnel := len(now) == 2 && now[0].TLS && now[1].TLS && now[0].Pass != nil && now[1].Pass != nil && kinds[0] == kinds[1]
	e.Summary = &event.Summary{Legs: legs, Tunnel: tunnel}
	e.Summary.Flow, e.Summary.FlowID = words.SessionOf(legs, tunnel)
	first := s.conns[0]
	if len(s.conns) == 1 {
		e.Conn = first.n
	}
	x.emitSession(first, e)
}

// refused tells whether the browser's leg failed and is over.
func (s *session) refused() bool {
	for _, c := range s.conns {
		if c.Leg == capture.LegBrowser && c.Failure != nil && (c.Sides[0].Closed || c.Sides[1].Closed) {
			return true
		}
	}
	return false
}

// legReady tells whether everything that the summary needs has happened.
func (x *Explainer) legReady(c *conn) bool {
	if c.Over {
		return true
	}
	if c.Leg == capture.LegOrigin && c.Closer == 1 && c.session.refused() {
		// The client had refused the certificate, so the proxy hung up: whatever
		// the origin still says, nothing follows.
		c.Over = true
		x.settleEnd(c)
		return true
	}
	if x.Secrets && c.TLS {
		return false // later messages can make more keys
	}
	if !c.Through() {
		return c.NoTLS == "plain" && c.Answered
	}
	return c.Answered
}

func (x *Explainer) leg(c *conn) event.Leg {
	f := c.Flow()
	l := event.Leg{Conn: c.n, Leg: c.Leg.String(), From: c.Conn.Client.String(), To: c.Conn.Server.String(), Flow: f.ID, Title: f.Title(), Facts: x.legFacts(c), Parent: x.parent(c), Children: c.children(), Rows: make([]event.Row, 0, len(event.Steps))}
	for _, s := range event.Steps {
		r := x.row(c, s)
		if x.Eavesdropper {
			r.Hidden = c.HiddenFrom(f, r)
		}
		l.Rows = append(l.Rows, r)
	}
	l.Unopened = c.Unopened()
	c.Shorten(&l)
	l.Eyes = c.Eyes(f)
	if x.Secrets {
		l.Secrets = x.schedule(c)
	}
	return l
}

// schedule draws the key schedule of a connection's first handshake.
func (x *Explainer) schedule(c *conn) *event.Secrets {
	h := c.Main
	if !c.TLS {
		return nil
	}
	x.linkOf(h)
	external := h.Hello != nil && h.ServerHello != nil && x.external(h)
	return h.Schedule(proof.Schedule{Transport: c.Conn.Transport, Version: c.QUICVersion, Updates: [2]int{c.Sides[0].Updates, c.Sides[1].Updates}, External: external, Later: c.Handshakes > 1})
}

// notes are what a summary adds about a connection: mutual TLS, the proxy.
func (x *Explainer) notes(c *conn) []event.Sentence {
	h := c.Main
	a := x.args(c)
	var out []event.Sentence
	out = append(out, c.twin...)
	if c.Handshakes > 1 {
		out = append(out, words.Say("summary-renegotiated", event.Decrypted, a.With("count", strconv.Itoa(c.Handshakes))))
		if h.Sides[0].Leaf == nil && c.Latest.Requested {
			h = c.Latest // the client's certificate came in the last one
		}
	}
	if h.Sides[0].Leaf != nil {
		a = a.With("subject", clip(h.Sides[0].Leaf.Subject()))
		switch s, _ := h.Proved(words.ProofClientCV); s {
		case event.Proven:
			out = append(out, words.Say("mutual-tls-proven", event.Recomputed, a))
		case event.Refuted:
			out = append(out, words.Say("mutual-tls-refuted", event.Recomputed, a))
		default:
			out = append(out, words.Say("mutual-tls-sent", event.None, a))
		}
	} else if h.Requested && h.Sides[0].CertSeen {
		how := event.Clear
		if h.Is13() {
			how = event.Decrypted
		}
		id := "mutual-tls-none"
		if c.Leg == capture.LegOrigin && c.Pass == nil {
			id, how = "mutual-tls-forwarded", event.None
		}
		out = append(out, words.Say(id, how, a))
	} else if h.Requested {
		out = append(out, words.Say("mutual-tls-unseen", event.None, a))
	}
	out = append(out, x.echNote(c)...)
	if c.tlsInside {
		out = append(out, words.Say("tls-inside", event.Inferred, a))
	}
	if c.Shown != nil {
		out = append(out, c.CaseNote())
	}
	if h.ServerHello != nil && h.ServerHello.Extension(handshake.ExtUseSRTP) != nil {
		out = append(out, words.Say("summary-srtp", event.Clear, a))
	}
	if c.OverUDP() {
		out = append(out, c.UdpNotes()...)
	} else if c.Pass != nil && c.Pass.Kind == capture.FactPassThrough {
		switch {
		case c.Leg == capture.LegOrigin && len(c.session.conns) > 1: // it was said of the browser's
		case !c.TLS:
			out = append(out, words.Say("summary-passed-on", event.None, a))
		case h.Sides[1].Leaf != nil && !h.Sides[1].Leaf.Raw:
			out = append(out, words.Say("summary-pass-through-certificate", event.None, a.With("names", cmp.Or(clip(h.Sides[1].Leaf.For()), "nobody"), "issuer", cmp.Or(clip(h.Sides[1].Leaf.Issuer()), "nobody"))))
		default:
			out = append(out, words.Say("summary-pass-through", event.None, a))
		}
	} else if c.Sides[0].Dark+c.Sides[1].Dark > 0 && !c.Sides[0].Opened && !c.Sides[1].Opened && c.Main.ServerHello != nil && !c.Null() {
		if x.Eavesdropper {
			out = append(out, c.Lesson()...)
		} else {
			id := "summary-sealed"
			if len(h.Labels()) > 0 || c.Conn.PrivateKeys > 0 {
				id = "summary-sealed-keys"
			}
			out = append(out, words.Say(id, event.None, a.With("seen", c.Overheard(), "rest", c.SealedRest())))
		}
	}
	for _, u := range c.Unopened() {
		if !x.Eavesdropper { // who knows it already
			out = append(out, u.Says)
		}
	}
	if c.Null() {
		out = append(out, words.Say("summary-null", event.Clear, a))
	}
	if c.Early && !c.EarlyOpened {
		out = append(out, words.Say("summary-early-rejected", event.Inferred, a))
	}
	return out
}

// legFacts are what a summary says of a connection in a line.
func (x *Explainer) legFacts(c *conn) []event.Field {
	h := c.Main
	var out []event.Field
	if h.ServerHello == nil || x.NoFacts {
		return nil
	}
	add := func(id string, value any) {
		out = append(out, event.Field{ID: id, Name: words.Piece("fact/" + id), Value: words.TextOf(value)})
	}
	add("version", h.VersionName())
	add("suite", handshake.SuiteName(h.ServerHello.CipherSuite))
	a := c.Values()
	if !a.Value("group").Empty() {
		add("group", a.Value("group"))
	}
	if c.alpn != "" {
		add("alpn", clip(c.alpn))
	}
	if l := h.Sides[1].Leaf; l != nil {
		if l.Raw {
			add("raw-public-key", l.KeyWords())
			return out
		}
		add(event.FactCertificate, words.Piece("fact/certificate-of", "names", clip(l.For()), "issuer", clip(l.Issuer()), "key", l.KeyWords()))
		if k := h.Sides[1].Checked; k != nil {
			add("certificate-checks", k.Outcome)
		}
	}
	if h.FirstHello != nil {
		out = append(out, c.fingerprints(h.FirstHello)...)
	}
	out = append(out, serverFingerprint(h.ServerHello))
	if c.Leg == capture.LegOrigin && c.Verified != nil {
		add(event.FactCheckedByProxy, words.Piece("fact/checked-against", "outcome", steps.VerifiedWords(c.Verified), "roots", words.Phrase(words.Roots, cmp.Or(clip(c.Verified.Addr), "none"), "")))
	}
	return out
}
