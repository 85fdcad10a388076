package steps

import (
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/handshake"
)

// how a failure is known.
func (f *Failure) how() event.Evidence {
	switch {
	case f.id == "step-4a-proxy-bad":
		return event.None
	case f.Protected:
		return event.Decrypted
	case strings.Contains(f.id, "perhaps"):
		return event.Inferred
	}
	if strings.Contains(f.id, "silent") || strings.Contains(f.id, "late") || strings.Contains(f.id, "sealed") || f.id == "step-1-failed-tcp" {
		return event.Inferred
	}
	return event.Clear
}

// Failed is a failure at a step, with the sentence that tells it.
func (c *View) Failed(step event.Step, id string, cause event.Text, at proof.Place) *Failure {
	if id == "step-1-failed-hello" {
		switch c.Conn.Transport {
		case capture.TransportQUIC:
			id = "step-1-failed-udp"
		case capture.TransportDTLS:
			id = "step-1-failed-dtls"
		}
	}
	return &Failure{Step: step, id: id, Cause: cause, at: at}
}

// Through tells whether the handshake is over and data passed both ways, so
// that what comes now is the end and no failure.
func (c *View) Through() bool { return c.Sides[0].FirstData && c.Sides[1].FirstData }

// HasCertificate tells whether this connection's flow has a server certificate to check.
func (c *View) HasCertificate() bool { return c.Flow().cert }

// aboutCertificate tells whether an alert is one about a certificate (RFC 5246 7.2.2, RFC 8446 6.2).
func aboutCertificate(desc uint8) bool {
	switch desc {
	case 42, 43, 44, 45, 46, 48, 113:
		return true
	}
	return false
}

// causeOf is an alert in words: who, which, when, what it means.
func (c *View) causeOf(al Alert) event.Text {
	id := "cause/alert-clear"
	if al.Protected {
		id = "cause/alert-encrypted"
	}
	if al.After != "" {
		id += "-after"
	}
	text := words.Meaning(AlertSentence(c.Latest, al.Desc, al.Side))
	return words.Piece(id, "sender", c.Side(al.Side), "alert", handshake.AlertName(al.Desc), "number", strconv.Itoa(int(al.Desc)), "other", c.Side(1-al.Side), "after", al.After, "meaning", text)
}

// FailByAlert finds the step at which an alert ended a connection.
func (c *View) FailByAlert(al Alert) *Failure {
	h := c.Main
	f := c.Flow()
	cause := c.causeOf(al)
	switch {
	case h.ServerHello == nil && (!c.Sides[1].Whole() || h.FirstHello == nil && !(c.Begun() && c.Sides[0].Gone == 0)):
		// The server's hello may be among what is missing, so how far the two got is not known.
	case h.ServerHello == nil && al.Side == 1 && c.Sides[0].Closed:
		// The alert answers nobody: the client has hung up, and how that is told
		// is settled when the connection is over.
	case h.ServerHello == nil:
		return c.helloRefused(al, cause)
	case al.Side == 0:
		return c.failByClient(al, cause)
	case al.Side == 1 && (h.Requested || h.Sides[0].CertSeen) && (aboutCertificate(al.Desc) || al.Desc == 49 || al.Desc == 116 || al.Desc == 40):
		return c.Failed(event.Step7, "step-7-failed", words.Piece("cause/check-of-client", "cause", cause), al.At)
	case !c.Sides[0].All() || !c.Sides[1].All():
	case al.Side == 1 && f.Transport && h.ClientKey != nil && !h.Sides[1].Finished:
		return c.Failed(event.Step6a, "step-6a-failed", cause, al.At)
	default:
		return c.Failed(c.firstMissing(), "step-failed", cause, al.At)
	}
	return nil
}

// helloRefused says why a connection failed whose hello got no answer but an alert.
func (c *View) helloRefused(al Alert, cause event.Text) *Failure {
	h := c.Main
	id := "step-1-failed-hello"
	if c.Refused != nil && al.Side == 1 {
		id, cause = "step-1-failed-refused", words.List(";", RefusedWords(c.Refused), cause)
	} else if c.InTextbook() && al.Side == 1 && h.Hello != nil && RSASuites(h.Hello.CipherSuites) == 0 {
		cause = words.List(";", words.Piece("cause/textbook-no-suite"), cause)
	}
	return c.Failed(event.Step1, id, cause, al.At)
}

// failByClient finds the step at which an alert of the client's ended a connection.
func (c *View) failByClient(al Alert, cause event.Text) *Failure {
	h := c.Main
	switch {
	case h.Refuted(words.ProofServerFin) && (al.Desc == 51 || al.Desc == 40):
		return c.Failed(event.Step2, "step-2-refused-finished", cause, al.At)
	case c.Shown != nil && c.Shown.atStep2() && !c.Shown.Control() && !aboutCertificate(al.Desc):
		return c.Failed(event.Step2, "step-2-case-refused", cause, al.At)
	case c.Shown.known() && !c.Shown.atStep2() && h.Sides[1].CertSeen && al.Desc != 51:
		return c.failCertificate(al, cause)
	case c.HasCertificate() && al.Desc == 51:
		// decrypt_error is about a signature or a Finished; which one is not said.
		id := words.ProofSKE
		if h.Is13() {
			id = words.ProofServerCV
		}
		if h.Proven(id) {
			return c.failCertificate(al, words.Piece("cause/signature-holds", "cause", cause))
		}
		return c.Failed(event.Step2, "step-2-refused", cause, al.At)
	case c.HasCertificate() && (aboutCertificate(al.Desc) || al.Desc == 49 || al.Desc == 80) && (h.Sides[1].CertSeen || h.Is13() || !c.Sides[1].Whole() && aboutCertificate(al.Desc)):
		return c.failCertificate(al, cause)
	case !c.Sides[0].All() || !c.Sides[1].All():
		return nil
	case al.Desc == 20 || al.Desc == 21:
		// What the server had encrypted does not fit the client's key: that says nothing of the certificate.
		return c.Failed(event.Step8, "step-failed", cause, al.At)
	}
	return c.Failed(c.firstMissing(), "step-failed", cause, al.At)
}

// failCertificate notes that the client refused the certificate.
func (c *View) failCertificate(al Alert, cause event.Text) *Failure {
	at := al.At
	id := "step-4a-failed-alert"
	if !aboutCertificate(al.Desc) {
		id = "step-4a-failed-perhaps"
	}
	if !al.Protected && (c.Main.Is13() || c.Main.Sides[al.Side].ChangedCipher) {
		cause = words.Piece("cause/sender-not-proved", "cause", cause)
	}
	if c.Leg == capture.LegOrigin && c.Verified != nil {
		id = "step-4a-proxy-refused"
		switch {
		case c.Verified.Outcome == "ok":
			id = "step-4a-proxy-ok-failed"
		case c.Verified.Done == "mirrored" && c.WentOnTo == nil:
			id = "step-4a-proxy-mirrored-refused"
		}
		return c.Failed(event.Step4a, id, cause, at)
	}
	if c.Shown != nil {
		return c.failCase(aboutCertificate(al.Desc), cause, at)
	}
	if c.Leg == capture.LegBrowser && c.Minted != nil {
		id = "step-4a-failed-minted"
		if bad := c.mirroredFaults(); !bad.Empty() {
			id = "step-4a-failed-mirrored"
			cause = words.Piece("cause/wrong-with-both", "cause", cause, "fault", bad)
		}
	} else if _, fault := faultOf(c.Main); !fault.Empty() {
		cause = words.Piece("cause/seen-here", "cause", cause, "fault", fault)
	}
	return c.Failed(event.Step4a, id, cause, at)
}

// mirroredFaults is what is wrong with the certificate that the proxy made for
// this leg, because it is wrong with the origin's; "" if nothing.
func (c *View) mirroredFaults() event.Text {
	if c.Leg != capture.LegBrowser || c.Minted == nil || len(c.Minted.Found) == 0 {
		return event.Text{}
	}
	return FaultsWords(c.Minted.Found, c.CheckedFor(), c.Lacking())
}

// firstMissing is the first step that has not taken place; step 2 has no place
// of its own in the order, and step 4a is past once the client has finished.
func (c *View) firstMissing() event.Step {
	f := c.Flow()
	for _, s := range event.Steps[2:] {
		if v := f.verdict(s); v == event.Absent || v == event.Inherited {
			continue
		}
		if s == event.Step4a && (c.Main.Sides[0].Finished || c.Main.ClientKey != nil) {
			continue
		}
		if !c.reached(f, s) {
			return s
		}
	}
	return event.Step7
}

// unseen is the sentence about a step that the capture, as far as it was followed, ends before.
func (c *View) unseen() string {
	switch c.Left() {
	case capture.EndTooMany:
		return "step-not-followed"
	case capture.EndLeftOut:
		return "step-left-out"
	case capture.EndReused:
		return "step-ports-reused"
	}
	switch {
	case !c.Begun() && c.Main.FirstHello == nil:
		return "step-capture-begins"
	case !c.Entire():
		return "step-missing"
	}
	return "step-capture-ends"
}

// ProvenGoodbye tells whether a side sent close_notify and nobody else can have.
func (c *View) ProvenGoodbye(side int) bool {
	for _, a := range c.Alerts {
		if a.Side == side && a.Desc == 0 && a.Protected {
			return true
		}
	}
	return false
}

// SaidGoodbye tells whether a side sent close_notify.
func (c *View) SaidGoodbye(side int) bool {
	for _, a := range c.Alerts {
		if a.Side == side && a.Desc == 0 {
			return true
		}
	}
	return false
}

// NeverBegan says why a connection that is over carried nothing; givenUp tells that its
// client ended it before anything was said.
func (c *View) NeverBegan() (f *Failure, givenUp bool) {
	switch {
	case c.Holed():
	case c.Cut > 0:
		return c.Failed(event.Step1, "step-1-failed-cut", event.Text{}, c.Last), false
	case !c.Entire():
	case c.Conn.Asked && c.Reset && c.Closer == 2 && c.Conn.Server.Port() == 443:
		return c.Failed(event.Step1, "step-1-refused", event.Text{}, c.Last), false
	case c.Closer == 1 && c.Conn.SYN:
		return nil, true
	case c.Conn.SYN && (c.Conn.Server.Port() == 443 || c.Leg != capture.LegNone):
		return c.Failed(event.Step1, "step-1-failed-tcp", event.Text{}, c.Last), false
	}
	return nil, false
}

// BrokeOff says why a connection that is over, or whose capture ends, did not get through
// its handshake, as far as that shows; givenUp tells that its client ended it before the
// server had answered.
func (c *View) BrokeOff() (f *Failure, givenUp bool) {
	h, closed, byClient := c.Main, c.Closer != 0, c.Closer == 1
	switch {
	case c.oneSided(0) || c.oneSided(1) || h.ServerHello == nil && (c.Sides[1].Dark > 0 || c.Holed()):
		// What the other side did is not in the capture.
	case h.ServerHello == nil && c.Clear != "" && closed:
		return c.Failed(event.Step1, "step-1-failed-clear", words.Piece("cause/answered-in-clear", "sender", c.Side(1), "protocol", c.Clear), c.Last), false
	case h.Hello != nil && h.ServerHello == nil && c.Greeted != "" && closed:
		return c.Failed(event.Step1, "step-1-failed-clear", words.Piece("cause/greeted-in-clear", "sender", c.Side(1), "protocol", c.Greeted), c.Last), false
	case h.ServerHello == nil && (c.Foreign || c.framed()):
		// It may be TLS inside something else.
	case h.Hello != nil && h.ServerHello == nil && closed:
		return c.unanswered()
	case h.ServerHello == nil || !c.HasCertificate():
		// A resumed or keyless handshake, or none that was seen.
	case !c.wentOn() && closed && byClient && c.Leg == capture.LegOrigin && c.Verified != nil:
		// The proxy is the client and has noted what it found.
		if c.Verified.Outcome != "ok" && c.WentOnTo == nil {
			return c.Failed(event.Step4a, "step-4a-proxy-bad", event.Text{}, c.Last), false
		}
	case c.wentOn() || !closed || !c.Entire():
	case byClient && c.Sides[0].Dark == 0 && !h.Sides[0].Finished && !h.Sides[0].ChangedCipher:
		return c.leftByClient(), false // its Finished never came, so the handshake was not over
	case !byClient && c.Sides[1].Dark == 0 && !h.Sides[1].Finished && !h.Sides[1].ChangedCipher:
		cause := words.Piece("cause/closed", "sender", c.Side(1))
		if c.Flow().Transport && h.ClientKey != nil {
			return c.Failed(event.Step6a, "step-6a-failed", cause, c.Last), false
		}
		return c.Failed(c.firstMissing(), "step-failed", cause, c.Last), false
	}
	return nil, false
}

// unanswered says why a connection ended whose hello got no answer.
func (c *View) unanswered() (f *Failure, givenUp bool) {
	who := c.Side(c.Closer - 1)
	cause := words.Piece("cause/closed", "sender", who)
	if c.Reset {
		cause = words.Piece("cause/reset", "sender", who)
	}
	switch {
	case c.Refused != nil:
		return c.Failed(event.Step1, "step-1-failed-refused", RefusedWords(c.Refused), c.Last), false
	case c.Closer == 1 && c.TLSFailed == nil && !c.OverUDP():
		return nil, true
	}
	return c.Failed(event.Step1, "step-1-failed-hello", cause, c.Last), false
}

// leftByClient says at which step the client closed the connection without an alert.
func (c *View) leftByClient() *Failure {
	h := c.Main
	switch {
	case h.ClientKey == nil && c.Sides[0].Heartbeat:
		return nil // it asked for something else than a handshake
	case h.ClientKey != nil:
		return c.Failed(c.firstMissing(), "step-failed", words.Piece("cause/closed", "sender", c.Side(0)), c.Last)
	case c.Sides[0].ClosedAt.First < h.At[proof.AtServerHello].First:
		return c.Failed(event.Step4a, "step-4a-failed-early", event.Text{}, c.Last)
	case c.Shown != nil && c.Shown.Fault != nil && !c.Shown.Control():
		return c.failCaseSilent()
	case !c.mirroredFaults().Empty():
		return c.Failed(event.Step4a, "step-4a-failed-silent-mirrored", c.mirroredFaults(), c.Last)
	case c.Leg == capture.LegBrowser && c.Minted != nil:
		return c.Failed(event.Step4a, "step-4a-failed-silent-minted", event.Text{}, c.Last)
	case h.Sides[1].CertSeen:
		return c.Failed(event.Step4a, "step-4a-failed-silent", event.Text{}, c.Last)
	}
	return c.Failed(event.Step4a, "step-4a-failed-silent-sealed", event.Text{}, c.Last)
}

// oneSided tells whether what a side sent is not in the capture, as far as that shows.
func (c *View) oneSided(side int) bool {
	h := c.Main
	switch {
	case !c.TLS || h.Hello == nil && h.ServerHello == nil:
		return false
	case side == 0:
		return h.Hello == nil
	case h.ServerHello != nil || c.Sides[1].Heard:
		return false
	}
	// The client went on as only somebody does who was answered, or nothing at all
	// of the server is there, not even its SYN-ACK.
	return !c.Conn.SYN || h.ClientKey != nil || h.Sides[0].ChangedCipher && !h.Hello.HasEarlyData() || c.Sides[0].Dark > 0
}

// eavesdropper lists what anybody on the path sees of an encrypted connection.
func (c *View) Overheard() event.Text {
	h := c.Main
	seen := []event.Text{words.Piece("seen/addresses")}
	if host := c.askedInClear(); host != "" {
		seen = append(seen, words.Piece("seen/asked", "host", event.Clip(host)))
	}
	clear := h.ClearHello()
	if clear != nil && clear.ServerName() != "" {
		seen = append(seen, words.Piece("seen/name", "name", event.Clip(clear.ServerName())))
	}
	if clear != nil && len(clear.ALPN()) > 0 {
		seen = append(seen, words.Piece("seen/protocols", "protocols", event.Clip(strings.Join(clear.ALPN(), ", "))))
	}
	if c.clearWords() {
		seen = append(seen, words.Piece("seen/words", "protocol", c.StartTLS.Protocol))
	}
	if h.ServerHello != nil {
		seen = append(seen, words.Piece("seen/version-suite"))
	}
	if h.Sides[1].Leaf != nil {
		seen = append(seen, words.Piece("seen/server-certificate"))
	}
	if h.Sides[0].Leaf != nil {
		seen = append(seen, words.Piece("seen/client-certificate"))
	}
	if !c.OverUDP() && h.ServerHello != nil && !h.Is13() { // there, only the hellos are
		seen = append(seen, words.Piece("seen/handshake-messages"))
	}
	last := words.Piece("seen/every-record")
	if c.OverUDP() {
		last = words.Piece("seen/every-datagram")
	}
	return words.List(",", append(seen, last)...)
}

// clearWords tells that another protocol was spoken in clear before TLS. What a SOCKS
// proxy was asked for is told by itself.
func (c *View) clearWords() bool { return c.StartTLS != nil && c.StartTLS.Target == "" }

// SealedRest is what of both sides' words nobody on the path can read.
func (c *View) SealedRest() event.Text {
	switch {
	case c.Failure != nil:
		return words.Piece("rest/other") // perhaps they said nothing
	case c.clearWords():
		return words.Piece("rest/application-later")
	}
	return words.Piece("rest/application")
}

// AlertSentence finds the sentence of an alert that a side sent in a handshake.
func AlertSentence(h *proof.Handshake, description uint8, side int) string {
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

// InTextbook tells whether this is the browser's leg of a proxy in textbook mode.
func (c *View) InTextbook() bool {
	return c.Textbook && c.Leg == capture.LegBrowser && c.Shown == nil
}

// rsaSuites counts the suites with RSA key transport.
func RSASuites(suites []uint16) int {
	n := 0
	for _, s := range suites {
		if handshake.SuiteKeyExchange(s) == handshake.KeyExchangeRSA {
			n++
		}
	}
	return n
}

// Null tells whether the suite does not encrypt.
func (c *View) Null() bool {
	s := c.Main.Suite()
	return s != nil && strings.Contains(s.Name, "_WITH_NULL_")
}

// Sealed13 tells whether the server's side of a TLS 1.3 handshake stayed sealed.
func (c *View) Sealed13() bool {
	h := c.Main
	return h.ServerHello != nil && h.Is13() && c.Sides[1].Dark > 0 && !h.Sides[1].Finished
}
