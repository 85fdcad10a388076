package annotate

import (
	"fmt"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/handshake"
)

// connectionEvent tells that a connection began.
func (x *Explainer) connectionEvent(c *conn, m *capture.Message) event.Event {
	if c.overUDP() {
		return x.udpConnectionEvent(c, m)
	}
	e := x.event(c, m, event.KindConnection, event.TopicTCPConnection, "")
	e.Evidence = event.Clear
	e.Brief = fmt.Sprintf("%s to %s", c.conn.Client, c.conn.Server)
	e.Ends = c.ofEnds(event.BeginsOpened)
	a := x.args(c).With("from", c.conn.Client.String(), "to", c.conn.Server.String())
	id := "connection-opened"
	switch {
	case c.conn.SYN:
	case c.conn.Asked:
		id, e.Ends.Begins = "connection-asked", event.BeginsAsked
	case c.conn.Continued:
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
	return &event.Ends{Client: c.conn.Client.String(), Server: c.conn.Server.String(), Transport: strings.ToLower(c.conn.Transport.String()), Begins: begins}
}

// how a failure is known.
func (f *Failure) how() event.Evidence {
	switch {
	case f.id == "step-4a-proxy-bad":
		return event.None
	case f.protected:
		return event.Decrypted
	case strings.Contains(f.id, "perhaps"):
		return event.Inferred
	}
	if strings.Contains(f.id, "silent") || strings.Contains(f.id, "late") || strings.Contains(f.id, "sealed") || f.id == "step-1-failed-tcp" {
		return event.Inferred
	}
	return event.Clear
}

func (c *View) fail(step event.Step, id, cause string, at proof.Place) {
	if c.overUDP() && id == "step-1-failed-hello" {
		id = "step-1-failed-udp"
	}
	if c.failure == nil {
		c.failure = &Failure{step: step, id: id, cause: cause, at: at}
	}
}

// through tells whether the handshake is over and data passed both ways, so
// that what comes now is the end and no failure.
func (c *View) through() bool { return c.sides[0].firstData && c.sides[1].firstData }

// hasCertificate tells whether this connection's flow has a server certificate to check.
func (c *View) hasCertificate() bool { return c.flow().cert }

// aboutCertificate tells whether an alert is one about a certificate (RFC 5246 7.2.2, RFC 8446 6.2).
func aboutCertificate(desc uint8) bool {
	switch desc {
	case 42, 43, 44, 45, 46, 48, 113:
		return true
	}
	return false
}

func (x *Explainer) alert(c *conn, m *capture.Message, b *capture.Alert) {
	side := int(m.Side)
	h := c.h
	c.tls = true
	name := handshake.AlertName(b.Description)
	al := Alert{side: side, level: b.Level, desc: b.Description, protected: m.Opened, at: proof.Place{First: m.First, Last: m.Last}}
	if !h.Is13() || h.Sides[1-side].Finished {
		// Otherwise encrypted messages may stand before it that nobody can see.
		al.after = x.lastFrom(h, 1-side)
	}
	c.alerts = append(c.alerts, al)
	e := x.event(c, m, event.KindMessage, event.TopicAlert, "Alert")
	e.Brief = name
	level := handshake.AlertLevelName(b.Level)
	e.Alert = &event.Alert{Level: level, Number: b.Description, Name: name}
	e.Fields = append(e.Fields, field("level", level), field("description", fmt.Sprintf("%s (%d)", name, b.Description)))
	a := x.args(c).With("sender", c.side(side), "alert", name, "number", strconv.Itoa(int(b.Description)))
	e.Says = append(e.Says, words.Say(alertSentence(h, b.Description, side), e.Evidence, a))

	if b.Description == 0 && m.Opened {
		e.Says = append(e.Says, words.Say("alert-close-proven", e.Evidence, a))
	}
	ending := b.Description == 0 || b.Description == 90 || b.Description == 100 || b.Level == 1 && !h.Is13()
	if ending || c.failure != nil || c.through() || h != c.main {
		x.emit(c, e)
		return
	}
	c.failByAlert(al)
	if c.failure != nil {
		c.failure.protected = al.protected
		x.mark(c, &e, c.failure.step)
		e.Says = []event.Sentence{x.row(c, c.failure.step).Says} // says what the alert means, and more
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

// causeOf is an alert in words: who, which, when, what it means.
func (c *View) causeOf(al Alert) string {
	how := "in clear"
	if al.protected {
		how = "encrypted"
	}
	after := ""
	if al.after != "" {
		after = fmt.Sprintf(", after %s had sent %s", c.side(1-al.side), al.after)
	}
	text := ""
	if id := alertSentence(c.h, al.desc, al.side); words.Has(id) {
		text = words.Say(id, event.None, words.Args{"sender": c.side(al.side), "alert": handshake.AlertName(al.desc), "number": strconv.Itoa(int(al.desc))}).Text
		if _, meaning, ok := strings.Cut(text, ": "); ok {
			text = meaning
		}
		text = strings.TrimSuffix(text, ".")
	}
	return fmt.Sprintf("%s sent the alert %s (%d), %s%s: %s", c.side(al.side), handshake.AlertName(al.desc), al.desc, how, after, text)
}

// failByAlert finds the step at which an alert ended a connection.
func (c *View) failByAlert(al Alert) {
	h := c.main
	f := c.flow()
	cause := c.causeOf(al)
	switch {
	case h.ServerHello == nil && al.side == 1 && c.sides[0].closed:
		// The alert answers nobody: the client has hung up, and how that is told
		// is settled when the connection is over.
	case h.ServerHello == nil:
		id := "step-1-failed-hello"
		if c.refused != nil && al.side == 1 {
			id, cause = "step-1-failed-refused", refusedWords(c.refused)+"; "+cause
		} else if c.textbook() && al.side == 1 && h.Hello != nil && rsaSuites(h.Hello.CipherSuites) == 0 {
			cause = "the client offers no cipher suite with RSA key transport, which textbook mode needs; " + cause
		}
		c.fail(event.Step1, id, cause, al.at)
	case al.side == 0 && h.Refuted(words.ProofServerFin) && (al.desc == 51 || al.desc == 40):
		c.fail(event.Step2, "step-2-refused-finished", cause, al.at)
	case al.side == 0 && c.shown != nil && c.shown.atStep2() && !c.shown.control() && !aboutCertificate(al.desc):
		c.fail(event.Step2, "step-2-case-refused", cause, al.at)
	case al.side == 0 && c.shown.known() && !c.shown.atStep2() && h.Sides[1].CertSeen && al.desc != 51:
		c.failCertificate(al, cause)
	case al.side == 0 && c.hasCertificate() && al.desc == 51:
		// decrypt_error is about a signature or a Finished; which one is not said.
		id := words.ProofSKE
		if h.Is13() {
			id = words.ProofServerCV
		}
		if state, _ := h.Proved(id); state == event.Proven {
			c.failCertificate(al, cause+"; the server's signature in the handshake holds when checked here, so it may be one on the certificates")
		} else {
			c.fail(event.Step2, "step-2-refused", cause, al.at)
		}
	case al.side == 0 && c.hasCertificate() && (aboutCertificate(al.desc) || al.desc == 49 || al.desc == 80) && (h.Sides[1].CertSeen || h.Is13()):
		c.failCertificate(al, cause)
	case al.side == 1 && (h.Requested || h.Sides[0].CertSeen) && (aboutCertificate(al.desc) || al.desc == 49 || al.desc == 116 || al.desc == 40):
		c.fail(event.Step7, "step-7-failed", cause+"; this is the server's own check of the client's certificate, step 4a the other way round", al.at)
	case al.side == 1 && f.transport && h.ClientKey != nil && !h.Sides[1].Finished:
		c.fail(event.Step6a, "step-6a-failed", cause, al.at)
	default:
		c.fail(c.firstMissing(), "step-failed", cause, al.at)
	}
}

// failCertificate notes that the client refused the certificate.
func (c *View) failCertificate(al Alert, cause string) {
	at := al.at
	id := "step-4a-failed-alert"
	if !aboutCertificate(al.desc) {
		id = "step-4a-failed-perhaps"
	}
	if !al.protected && (c.main.Is13() || c.main.Sides[al.side].ChangedCipher) {
		cause += "; the alert was not encrypted, so who sent it is not proved"
	}
	if c.leg == capture.LegOrigin && c.verified != nil {
		id = "step-4a-proxy-refused"
		switch {
		case c.verified.Outcome == "ok":
			id = "step-4a-proxy-ok-failed"
		case c.verified.Done == "mirrored" && c.wentOnTo == nil:
			id = "step-4a-proxy-mirrored-refused"
		}
		c.fail(event.Step4a, id, cause, at)
		return
	}
	if c.shown != nil {
		c.failCase(aboutCertificate(al.desc), cause, at)
		return
	}
	if c.leg == capture.LegBrowser && c.minted != nil {
		id = "step-4a-failed-minted"
		if bad := c.mirroredFaults(); bad != "" {
			id = "step-4a-failed-mirrored"
			cause += "; what is wrong with both: " + bad
		}
	} else if _, fault := faultOf(c.main); fault != "" {
		cause += "; as can be seen here, " + fault
	}
	c.fail(event.Step4a, id, cause, at)
}

// mirroredFaults is what is wrong with the certificate that the proxy made for
// this leg, because it is wrong with the origin's; "" if nothing.
func (c *View) mirroredFaults() string {
	if c.leg != capture.LegBrowser || c.minted == nil || len(c.minted.Found) == 0 {
		return ""
	}
	return faultsWords(c.minted.Found, c.checkedFor(), c.lacking())
}

// firstMissing is the first step that has not taken place; step 2 has no place
// of its own in the order, and step 4a is past once the client has finished.
func (c *View) firstMissing() event.Step {
	f := c.flow()
	for _, s := range event.Steps[2:] {
		if v := f.verdict(s); v == event.Absent || v == event.Inherited {
			continue
		}
		if s == event.Step4a && (c.main.Sides[0].Finished || c.main.ClientKey != nil) {
			continue
		}
		if !c.reached(f, s) {
			return s
		}
	}
	return event.Step7
}

func (x *Explainer) closed(c *conn, m *capture.Message, b *capture.Closed) {
	side := int(m.Side)
	w := proof.Place{First: m.First, Last: m.Last}
	// The two ends can be told in another order than they came in.
	if c.closer == 0 || c.closer == 2-side && w.First < c.sides[1-side].closedAt.First {
		c.closer = 1 + side
	}
	if !c.sides[side].closed {
		c.sides[side].closedAt = w
	}
	c.sides[side].closed = true
	if b.Reset {
		c.reset = true
		c.sides[1-side].closed = true
	}
	c.last = proof.Place{First: m.First, Last: m.Last}
	e := x.event(c, m, event.KindClosed, "fin", "")
	e.From = m.Side.String()
	e.Evidence = event.Clear
	a := x.args(c).With("sender", c.side(side))
	switch {
	case b.Reset && side == 1 && c.conn.Asked && !c.sides[0].heard && !c.sides[1].heard:
		rename(&e, "rst", "")
		e.Brief = c.side(side) + " refuses the connection"
		e.Says = append(e.Says, words.Say("closed-refused", event.Clear, a))
	case b.Reset:
		rename(&e, "rst", "")
		e.Brief = "the connection was torn down"
		e.Says = append(e.Says, words.Say("closed-reset", event.Clear, a))
	case c.tls && !c.saidGoodbye(side) && c.main.ServerHello != nil && c.sides[side].firstData && c.sides[side].data > 0:
		e.Brief = c.side(side) + " sends no more, without close_notify"
		e.Says = append(e.Says, words.Say("closed-truncated", event.Clear, a))
	default:
		e.Brief = c.side(side) + " sends no more"
		e.Says = append(e.Says, words.Say("closed", event.Clear, a))
	}
	if c.sides[0].closed && c.sides[1].closed && !c.over {
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
	e.Brief = "too many connections at once: its end is not followed"
	switch b.Why {
	case capture.EndLeftOut:
		id = "closed-left-out"
		e.Brief = "it ended in what is left out"
	case capture.EndReused:
		id = "closed-ports-reused"
		e.Brief = "its ports are used by another connection: its end is not in the capture"
	}
	e.Says = append(e.Says, words.Say(id, event.Inferred, x.args(c)))
	x.emit(c, e)
	x.settleLeft(c, b.Why)
}

// settleLeft settles what is left of a connection whose end was not seen.
func (x *Explainer) settleLeft(c *conn, why string) {
	c.ended, c.left = true, why
	x.settleEnd(c)
	x.summarize(c.session, false)
	c.over = true
}

// unseen is the sentence about a step that the capture, as far as it was followed, ends before.
func (c *View) unseen() string {
	switch c.left {
	case capture.EndTooMany:
		return "step-not-followed"
	case capture.EndLeftOut:
		return "step-left-out"
	case capture.EndReused:
		return "step-ports-reused"
	}
	return "step-capture-ends"
}

// end tells, with the event that ends the connection, what its records came to,
// and settles what is left.
func (x *Explainer) end(c *conn, e *event.Event) {
	c.over = true
	for s := range c.sides {
		if c.sides[s].data == 0 {
			continue
		}
		a := x.args(c).With("sender", c.side(s), "count", words.Plural(int(c.sides[s].data), "record"), "bytes", strconv.FormatInt(c.sides[s].bytes, 10), "sealed", strconv.FormatInt(c.sides[s].sealed, 10))
		p := words.NewProof([2]string{words.ProofClientRecords, words.ProofServerRecords}[s], event.Proven, "", field("records", strconv.FormatInt(c.sides[s].data, 10)), field("bytes of data in them", strconv.FormatInt(c.sides[s].bytes, 10)))
		switch {
		case c.sides[s].badTag:
			continue // told where it happened
		case c.missing:
			p.State, p.Reason = event.NotCheckable, "bytes are missing from the capture"
		case c.sides[s].sealed > 0:
			p.State, p.Reason = event.NotCheckable, words.Plural(int(c.sides[s].sealed), "record")+" stayed sealed"
		}
		switch {
		case c.missing && c.sides[s].sealed == 0:
			e.Says = append(e.Says, words.Say("records-counted-gap", event.Recomputed, a))
		case p.State != event.Proven:
			e.Says = append(e.Says, words.Say("records-counted-partly", event.Recomputed, a))
		case c.provenGoodbye(s):
			e.Says = append(e.Says, words.Say("records-counted", event.Recomputed, a), words.Say("records-complete", event.Recomputed, a))
		default:
			e.Says = append(e.Says, words.Say("records-counted", event.Recomputed, a))
		}
		if c.main.Tried([2]string{words.ProofClientFirst, words.ProofServerFirst}[s]) {
			c.main.Prove(p)
			e.Proofs = append(e.Proofs, p)
		}
	}
	x.emit(c, *e)
	x.settleEnd(c)
}

// provenGoodbye tells whether a side sent close_notify and nobody else can have.
func (c *View) provenGoodbye(side int) bool {
	for _, a := range c.alerts {
		if a.side == side && a.desc == 0 && a.protected {
			return true
		}
	}
	return false
}

// saidGoodbye tells whether a side sent close_notify.
func (c *View) saidGoodbye(side int) bool {
	for _, a := range c.alerts {
		if a.side == side && a.desc == 0 {
			return true
		}
	}
	return false
}

// settleEnd decides what a connection that is over, or whose capture ends,
// did not show until now.
func (x *Explainer) settleEnd(c *conn) {
	c.ready = true
	h := c.main
	at := c.last
	closed := c.closer != 0
	if !c.tls && c.noTLS == "" && c.pass == nil {
		if closed && c.over {
			switch {
			case c.cut > 0:
				c.fail(event.Step1, "step-1-failed-cut", "", at)
			case c.conn.Asked && c.reset && c.closer == 2 && c.conn.Server.Port() == 443:
				c.fail(event.Step1, "step-1-refused", "", at)
			case c.closer == 1 && c.conn.SYN:
				c.givenUp = true
			case c.conn.SYN && (c.conn.Server.Port() == 443 || c.leg != capture.LegNone):
				c.fail(event.Step1, "step-1-failed-tcp", "", at)
			}
			x.step(c, event.Step1)
		}
		return
	}
	if c.noTLS != "" || c.failure != nil || c.through() {
		return
	}
	byClient := c.closer == 1
	switch {
	case c.oneSided(0) || c.oneSided(1) || h.ServerHello == nil && (c.sides[1].dark > 0 || c.missing):
		// What the other side did is not in the capture.
	case h.Hello != nil && h.ServerHello == nil && closed:
		who := c.side(c.closer - 1)
		cause := who + " closed the connection without an alert"
		if c.reset {
			cause = who + " reset the connection"
		}
		switch {
		case c.refused != nil:
			c.fail(event.Step1, "step-1-failed-refused", refusedWords(c.refused), at)
		case byClient && c.tlsFailed == nil && !c.overUDP():
			c.givenUp = true
			return
		default:
			c.fail(event.Step1, "step-1-failed-hello", cause, at)
		}
		x.failedStep(c)
	case h.ServerHello == nil || !c.hasCertificate():
		// A resumed or keyless handshake, or none that was seen.
	case !c.wentOn() && closed && byClient && c.leg == capture.LegOrigin && c.verified != nil:
		// The proxy is the client and has noted what it found.
		if c.verified.Outcome != "ok" && c.wentOnTo == nil {
			c.fail(event.Step4a, "step-4a-proxy-bad", "", at)
			x.failedStep(c)
		}
	case c.wentOn() || !closed || c.sides[0].unread || c.sides[1].unread:
	case byClient && c.sides[0].dark == 0 && !h.Sides[0].Finished && !h.Sides[0].ChangedCipher:
		// Its Finished never came, so the handshake was not over.
		cause := c.side(0) + " closed the connection without an alert"
		switch {
		case h.ClientKey != nil || c.sides[0].heartbeat:
			c.fail(c.firstMissing(), "step-failed", cause, at)
		case c.sides[0].closedAt.First < h.At[proof.AtServerHello].First:
			c.fail(event.Step4a, "step-4a-failed-early", "", at)
		case c.shown != nil && c.shown.fault != nil && !c.shown.control():
			c.failCaseSilent(at)
		case c.mirroredFaults() != "":
			c.fail(event.Step4a, "step-4a-failed-silent-mirrored", c.mirroredFaults(), at)
		case c.leg == capture.LegBrowser && c.minted != nil:
			c.fail(event.Step4a, "step-4a-failed-silent-minted", "", at)
		case h.Sides[1].CertSeen:
			c.fail(event.Step4a, "step-4a-failed-silent", "", at)
		default:
			c.fail(event.Step4a, "step-4a-failed-silent-sealed", "", at)
		}
		x.failedStep(c)
	case !byClient && c.sides[1].dark == 0 && !h.Sides[1].Finished && !h.Sides[1].ChangedCipher:
		cause := c.side(1) + " closed the connection without an alert"
		if f := c.flow(); f.transport && h.ClientKey != nil {
			c.fail(event.Step6a, "step-6a-failed", cause, at)
		} else {
			c.fail(c.firstMissing(), "step-failed", cause, at)
		}
		x.failedStep(c)
	}
	if c.hasCertificate() {
		x.step(c, event.Step4a)
	}
}

// oneSided tells whether what a side sent is not in the capture, as far as that shows.
func (c *View) oneSided(side int) bool {
	h := c.main
	switch {
	case !c.tls || h.Hello == nil && h.ServerHello == nil:
		return false
	case side == 0:
		return h.Hello == nil
	case h.ServerHello != nil || c.sides[1].heard:
		return false
	}
	// The client went on as only somebody does who was answered, or nothing at all
	// of the server is there, not even its SYN-ACK.
	return !c.conn.SYN || h.ClientKey != nil || h.Sides[0].ChangedCipher && !h.Hello.HasEarlyData() || c.sides[0].dark > 0
}

// failedStep tells the step that a connection failed at, which no message told.
func (x *Explainer) failedStep(c *conn) {
	c.settled.remove(c.failure.step)
	x.step(c, c.failure.step)
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
		kinds = append(kinds, legs[len(legs)-1].Title)
		if lastConn == nil || c.now > lastConn.now {
			lastConn = c
		}
		worth = worth || c.tls || c.noTLS != "" || c.pass != nil || c.failure != nil
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
	tunnel := len(now) == 2 && now[0].tls && now[1].tls && now[0].pass != nil && now[1].pass != nil && kinds[0] == kinds[1]
	e.Summary = &event.Summary{Legs: legs, Tunnel: tunnel}
	e.Summary.Flow, e.Summary.FlowID = words.SessionOf(legs, tunnel)
	first := s.conns[0]
	x.emit(first, e)
	x.out[len(x.out)-1].Leg = ""
	if len(s.conns) > 1 {
		x.out[len(x.out)-1].Conn = 0
	}
}

// refused tells whether the browser's leg failed and is over.
func (s *session) refused() bool {
	for _, c := range s.conns {
		if c.leg == capture.LegBrowser && c.failure != nil && (c.sides[0].closed || c.sides[1].closed) {
			return true
		}
	}
	return false
}

// legReady tells whether everything that the summary needs has happened.
func (x *Explainer) legReady(c *conn) bool {
	if c.over {
		return true
	}
	if c.leg == capture.LegOrigin && c.closer == 1 && c.session.refused() {
		// The client had refused the certificate, so the proxy hung up: whatever
		// the origin still says, nothing follows.
		c.over = true
		x.settleEnd(c)
		return true
	}
	if x.Secrets && c.tls {
		return false // later messages can make more keys
	}
	if !c.through() {
		return c.noTLS == "plain" && c.responded
	}
	return c.responded
}

func (x *Explainer) leg(c *conn) event.Leg {
	f := c.flow()
	l := event.Leg{Conn: c.n, Leg: c.leg.String(), From: c.conn.Client.String(), To: c.conn.Server.String(), Flow: f.ID, Title: f.Title, Facts: x.legFacts(c), Parent: x.parent(c), Children: c.children()}
	for _, s := range event.Steps {
		r := x.row(c, s)
		if x.Eavesdropper {
			r.Hidden = c.hiddenFrom(f, r)
		}
		l.Rows = append(l.Rows, r)
	}
	l.Unopened = c.unopened()
	if x.Secrets {
		l.Secrets = x.schedule(c)
	}
	return l
}

// schedule draws the key schedule of a connection's first handshake.
func (x *Explainer) schedule(c *conn) *event.Secrets {
	h := c.main
	if !c.tls {
		return nil
	}
	x.linkOf(h)
	external := h.Hello != nil && h.ServerHello != nil && x.external(h)
	return h.Schedule(proof.Schedule{Transport: c.conn.Transport, Updates: [2]int{c.sides[0].updates, c.sides[1].updates}, External: external, Later: c.handshakes > 1})
}

// notes are what a summary adds about a connection: mutual TLS, the proxy.
func (x *Explainer) notes(c *conn) []event.Sentence {
	h := c.main
	a := x.args(c)
	var out []event.Sentence
	if c.handshakes > 1 {
		out = append(out, words.Say("summary-renegotiated", event.Decrypted, a.With("count", strconv.Itoa(c.handshakes))))
		if h.Sides[0].Leaf == nil && c.h.Requested {
			h = c.h // the client's certificate came in the last one
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
		if c.leg == capture.LegOrigin && c.pass == nil {
			id, how = "mutual-tls-forwarded", event.None
		}
		out = append(out, words.Say(id, how, a))
	} else if h.Requested {
		out = append(out, words.Say("mutual-tls-unseen", event.None, a))
	}
	if c.shown != nil {
		out = append(out, c.caseNote())
	}
	if c.overUDP() {
		out = append(out, c.udpNotes()...)
	} else if c.pass != nil && c.pass.Kind == capture.FactPassThrough {
		switch {
		case c.leg == capture.LegOrigin && len(c.session.conns) > 1: // it was said of the browser's
		case !c.tls:
			out = append(out, words.Say("summary-passed-on", event.None, a))
		case h.Sides[1].Leaf != nil && !h.Sides[1].Leaf.Raw:
			out = append(out, words.Say("summary-pass-through-certificate", event.None, a.With("names", or(clip(h.Sides[1].Leaf.For()), "nobody"), "issuer", or(clip(h.Sides[1].Leaf.Issuer()), "nobody"))))
		default:
			out = append(out, words.Say("summary-pass-through", event.None, a))
		}
	} else if c.sides[0].dark+c.sides[1].dark > 0 && !c.sides[0].opened && !c.sides[1].opened && c.main.ServerHello != nil && !c.null() {
		if x.Eavesdropper {
			out = append(out, c.lesson()...)
		} else {
			rest := "what the application said"
			if c.failure != nil {
				rest = "the rest" // perhaps it said nothing
			}
			out = append(out, words.Say("summary-sealed", event.None, a.With("seen", c.eavesdropper(), "rest", rest)))
		}
	}
	for _, u := range c.unopened() {
		if !x.Eavesdropper { // who knows it already
			out = append(out, u.Says)
		}
	}
	if c.null() {
		out = append(out, words.Say("summary-null", event.Clear, a))
	}
	if c.early && !c.earlyOpened {
		out = append(out, words.Say("summary-early-rejected", event.Inferred, a))
	}
	return out
}

// eavesdropper lists what anybody on the path sees of an encrypted connection.
func (c *View) eavesdropper() string {
	h := c.main
	seen := []string{"both addresses and ports"}
	if host := c.askedInClear(); host != "" {
		seen = append(seen, "what the proxy was asked for ("+clip(host)+")")
	}
	if s := h.ServerName(); s != "" {
		seen = append(seen, "the name "+clip(s))
	}
	if h.Hello != nil && len(h.Hello.ALPN()) > 0 {
		seen = append(seen, "the protocols offered ("+clip(strings.Join(h.Hello.ALPN(), ", "))+")")
	}
	if h.ServerHello != nil {
		seen = append(seen, "version and cipher suite")
	}
	if h.Sides[1].Leaf != nil {
		seen = append(seen, "the server's certificate")
	}
	if h.Sides[0].Leaf != nil {
		seen = append(seen, "the client's certificate")
	}
	return strings.Join(append(seen, "and the time and size of every record"), ", ")
}

// alertSentence finds the sentence of an alert that a side sent in a handshake.
func alertSentence(h *proof.Handshake, description uint8, side int) string {
	switch {
	case description != 40 || h.ServerHello == nil:
	case side == 1:
		return "alert-handshake-failure-chosen"
	default:
		return "alert-handshake-failure-answered"
	}
	switch description {
	case 0:
		return "alert-close-notify"
	case 10:
		return "alert-unexpected-message"
	case 20, 21:
		return "alert-bad-record-mac"
	case 22:
		return "alert-record-overflow"
	case 40:
		return "alert-handshake-failure"
	case 41:
		return "alert-no-certificate"
	case 42:
		return "alert-bad-certificate"
	case 43:
		return "alert-unsupported-certificate"
	case 44:
		return "alert-certificate-revoked"
	case 45:
		return "alert-certificate-expired"
	case 46:
		return "alert-certificate-unknown"
	case 47:
		return "alert-illegal-parameter"
	case 48:
		return "alert-unknown-ca"
	case 49:
		return "alert-access-denied"
	case 50:
		return "alert-decode-error"
	case 51:
		return "alert-decrypt-error"
	case 70:
		return "alert-protocol-version"
	case 71:
		return "alert-insufficient-security"
	case 80:
		return "alert-internal-error"
	case 86:
		return "alert-inappropriate-fallback"
	case 90:
		return "alert-user-canceled"
	case 100:
		return "alert-no-renegotiation"
	case 109:
		return "alert-missing-extension"
	case 110:
		return "alert-unsupported-extension"
	case 112:
		return "alert-unrecognized-name"
	case 113:
		return "alert-bad-certificate-status-response"
	case 115:
		return "alert-unknown-psk-identity"
	case 116:
		return "alert-certificate-required"
	case 117:
		return "alert-general-error"
	case 121:
		return "alert-ech-required"
	case 120:
		return "alert-no-application-protocol"
	}
	return "alert-other"
}
