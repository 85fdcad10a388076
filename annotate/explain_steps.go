package annotate

import (
	"fmt"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/words"
	"explainer/ca/verify"
	"explainer/capture"
	"explainer/capture/handshake"
)

// A flow is what kind of connection this is: the row of the truth table, and what it is called here.
type Flow struct {
	*kind
	ID    string // permanent
	Title string
	kem   bool // the server makes the secret and encrypts it to the client (ML-KEM)
	hrr   bool
}

// verdict is that of a step in a connection of this kind that got through.
func (f Flow) verdict(s event.Step) event.Verdict { return f.verdicts[stepIndex(s)] }

func stepIndex(s event.Step) int {
	for i, t := range event.Steps {
		if t == s {
			return i
		}
	}
	return 0
}

// flow finds the row of the truth table for a connection's first handshake.
func (c *View) flow() Flow {
	f := c.named()
	f.kind = kinds[f.ID]
	return f
}

func (c *View) named() Flow {
	switch {
	case c.noTLS == "plain":
		return Flow{ID: "http", Title: "plain HTTP, no TLS"}
	case c.noTLS == "opaque":
		return Flow{ID: "opaque", Title: "neither TLS nor HTTP"}
	case !c.tls && c.cut > 0:
		return Flow{ID: "unknown", Title: "a connection that ended inside its first message"}
	case !c.tls && c.conn.Continued:
		return Flow{ID: "unknown", Title: "a connection of which nothing is here but that it goes on"}
	case !c.tls:
		return Flow{ID: "unknown", Title: "a connection that carried nothing"}
	}
	h := c.main
	if h.ServerHello == nil && c.overUDP() {
		return c.udpFlow()
	}
	if h.ServerHello == nil {
		if h.Hello != nil && c.oneSided(1) {
			return Flow{ID: "unknown", Title: "one side of a TLS handshake: the server's is not in the capture", hrr: h.Retry != nil}
		}
		if c.givenUp {
			return Flow{ID: "unknown", Title: "a connection that the client gave up before the server answered", hrr: h.Retry != nil}
		}
		if h.Hello != nil {
			return Flow{ID: "unknown", Title: "a TLS handshake without an answer", hrr: h.Retry != nil}
		}
		return Flow{ID: "unknown", Title: "a connection whose handshake is not in the capture"}
	}
	v := h.VersionName()
	if c.conn.Transport == capture.TransportQUIC {
		v = c.transport() + ", " + v
	}
	if h.Is13() {
		f := Flow{hrr: h.Retry != nil}
		ks := h.ServerHello.KeyShare()
		group := ""
		if ks != nil {
			f.kem = handshake.KindOf(ks.Group) == handshake.GroupKEM
			group = handshake.GroupName(ks.Group)
		}
		_, psk := h.ServerHello.SelectedPSK()
		switch {
		case psk && h.Hello == nil:
			// The age of what the client named would tell.
			f.ID, f.Title = "other", v+" with a secret that both sides had: of an earlier connection, or one agreed on otherwise"
		case psk && h.External:
			f.ID, f.Title = "psk", v+" with a pre-shared key (told by its age of 0 and its readable name)"
			if ks != nil {
				f.ID = "psk-dhe"
			}
		case psk && h.TookEarly():
			f.ID, f.Title = "tls13-0rtt", v+" resumed, with early data (0-RTT)"
		case psk && ks != nil:
			f.ID, f.Title = "tls13-psk-dhe", v+" resumed, with a fresh "+group+" exchange"
		case ks == nil && !psk:
			// A draft with other numbers, or no TLS 1.3 at all.
			f.ID, f.Title = "other", v+" without a key share that can be read"
		case psk:
			f.ID, f.Title = "tls13-psk", v+" resumed, with the old secret alone"
		case f.kem:
			f.ID, f.Title = "tls13-mlkem", v+" with "+group+": steps 4b to 6a reversed"
		case f.hrr:
			f.ID, f.Title = "tls13-hrr", v+" after a HelloRetryRequest"
		default:
			f.ID, f.Title = "tls13-full", v+" with "+group
		}
		if f.hrr && f.ID != "tls13-hrr" {
			f.Title += ", after a HelloRetryRequest"
		}
		return f
	}
	if h.Resumed {
		if len(h.Ticket) > 0 {
			return Flow{ID: "tls12-resumed-ticket", Title: v + " resumed with a ticket"}
		}
		return Flow{ID: "tls12-resumed-id", Title: v + " resumed by session id"}
	}
	switch handshake.SuiteKeyExchange(h.ServerHello.CipherSuite) {
	case handshake.KeyExchangeRSA:
		return Flow{ID: "tls12-rsa", Title: v + " with RSA key transport, the textbook's own"}
	case handshake.KeyExchangeDHE:
		return Flow{ID: "tls12-dhe", Title: v + " with ephemeral Diffie-Hellman (DHE)"}
	case handshake.KeyExchangeECDHE:
		return Flow{ID: "tls12-ecdhe", Title: v + " with ephemeral Diffie-Hellman on a curve (ECDHE)"}
	case handshake.KeyExchangeDH, handshake.KeyExchangeECDH:
		return Flow{ID: "tls12-dh", Title: v + " with the lasting Diffie-Hellman key in the certificate"}
	case handshake.KeyExchangeDHAnon, handshake.KeyExchangeECDHAnon:
		return Flow{ID: "tls12-anonymous", Title: v + " without any proof of who the server is"}
	case handshake.KeyExchangePSK:
		return Flow{ID: "psk", Title: v + " with a pre-shared key"}
	case handshake.KeyExchangeDHEPSK, handshake.KeyExchangeECDHEPSK:
		return Flow{ID: "psk-dhe", Title: v + " with a pre-shared key and ephemeral Diffie-Hellman"}
	case handshake.KeyExchangeRSAPSK:
		return Flow{ID: "psk-rsa", Title: v + " with a pre-shared key and RSA key transport"}
	}
	if h.ServerKey != nil && h.Suite() == nil {
		// The suite is in no registry; the shape of the message shows what it is.
		if h.ServerKey.Group != 0 {
			return Flow{ID: "tls12-ecdhe", Title: v + " with ephemeral Diffie-Hellman on a curve, under the unregistered suite " + handshake.SuiteName(h.ServerHello.CipherSuite)}
		}
		return Flow{ID: "tls12-dhe", Title: v + " with ephemeral Diffie-Hellman, under the unregistered suite " + handshake.SuiteName(h.ServerHello.CipherSuite)}
	}
	return Flow{ID: "other", Title: v + " with " + handshake.SuiteName(h.ServerHello.CipherSuite) + ", a key exchange that the table does not have"}
}

// groupOf is the group of the key exchange, its kind, and where the server made it up
// the bits of its modulus.
func groupOf(h *proof.Handshake) (name, kind string, size int) {
	switch {
	case h.ServerKey != nil && h.ServerKey.Group == 0 && len(h.ServerKey.P) > 0:
		size = bits(h.ServerKey.P)
		return words.OwnGroup(size), event.GroupFinite, size
	case h.ServerKey != nil && h.ServerKey.Group != 0:
		return handshake.GroupName(h.ServerKey.Group), groupKinds[handshake.KindOf(h.ServerKey.Group)], 0
	case h.ServerHello == nil || h.ServerHello.KeyShare() == nil:
		return "", "", 0
	}
	g := h.ServerHello.KeyShare().Group
	return handshake.GroupName(g), groupKinds[handshake.KindOf(g)], 0
}

var groupKinds = [...]string{handshake.GroupCurve: event.GroupCurve, handshake.GroupFinite: event.GroupFinite, handshake.GroupKEM: event.GroupKEM}

// askedFor is the host and port that the connection is about, as far as it was said.
func (c *View) askedFor() string {
	switch {
	case c.connectHost != "":
		return c.connectHost
	case c.asked != "":
		return c.asked
	}
	return c.about
}

// onWay tells whether the client of a TLS connection went on after the
// certificate: it sent application data.
func (c *View) wentOn() bool { return c.sides[0].firstData }

// reached tells whether these bytes show that a step took place, or that its
// place in the order has passed.
func (c *View) reached(f Flow, s event.Step) bool {
	h := c.main
	switch {
	case f.ID == "unknown":
		return s == event.Step1
	case f.bare:
		return true
	}
	serverWentOn := h.Sides[1].Finished || c.sides[1].data > 0 || h.Sides[1].ChangedCipher || c.sides[1].firstData
	switch s {
	case event.Step1:
		return true
	case event.Step2:
		switch {
		case f.transport:
			return serverWentOn
		case f.signed && h.Is13():
			st, _ := h.Proved(words.ProofServerCV)
			return st != "" || c.sides[1].dark > 0
		case f.signed:
			return h.ServerKey != nil
		}
		return true
	case event.Step3:
		return !f.cert || h.Is13() || h.Sides[1].CertSeen
	case event.Step4a:
		return !f.cert || c.wentOn()
	case event.Step4b, event.Step4c, event.Step5:
		return h.Is13() || h.ClientKey != nil || !f.exchange && !f.agreed
	case event.Step6a:
		switch {
		case f.lasting:
			return serverWentOn
		case f.fresh && f.exchange:
			return h.ClientKey != nil
		case f.kem:
			return h.Sides[0].Finished || c.sides[0].firstData || c.sides[0].opened || c.sides[0].dark > 0
		}
		return true
	case event.Step6b:
		return h.Switched || c.sides[1].firstData
	}
	return c.sides[1].firstData // 7 and 8
}

// row tells one step of a connection as far as it is known now.
func (c *View) row(s event.Step) event.Row {
	r := c.rowSeen(s)
	if c.overUDP() && lacks(r.Says) {
		// Over UDP one message can be missing in the middle.
		r.Verdict, r.Says = event.Unknown, words.Say("step-hidden", event.None, words.Args{"reason": "a message that shows more of it is not in the capture"})
	}
	return r
}

func (c *View) rowSeen(s event.Step) event.Row {
	f := c.flow()
	r := event.Row{Step: s, Verdict: f.verdict(s)}
	a := c.Values()
	if c.failure != nil && c.failure.step == s {
		r.Verdict = event.Failed
		id := c.failure.id
		if s == event.Step4a && c.leg == capture.LegOrigin && c.verified != nil && c.verified.Outcome != "ok" && id != "step-4a-proxy-bad" {
			id = "step-4a-proxy-refused" // its note came after its alert
			if c.verified.Done == "mirrored" && c.wentOnTo == nil {
				id = "step-4a-proxy-mirrored-refused"
			}
		}
		r.Says = words.Say(id, c.failure.how(), a.With("cause", c.failure.cause, "fault", c.failure.cause))
		r.Packets = c.failure.at.Packets()
		r.Proofs = c.stepProofs(f, s)
		return r
	}
	if c.overUDP() {
		if r, ok := c.udpRow(f, s, a); ok {
			r.Proofs = c.stepProofs(f, s)
			return r
		}
	}
	if says, ok := c.hidden(f, s, a); ok {
		r.Verdict, r.Says = event.Unknown, says
		if s == event.Step7 || s == event.Step8 {
			r.Packets = c.sides[1].darkAt.Packets()
		}
		return r
	}
	if !c.reached(f, s) {
		switch {
		case f.ID == "unknown" && c.main.Hello == nil && c.tls:
			r.Verdict, r.Says = event.Unknown, words.Say("step-capture-begins", event.None, a)
			return r
		case s == event.Step4a && c.failure != nil && (c.main.Sides[0].Finished || c.main.Sides[0].FinishedSealed):
			r.Verdict, r.Says = event.Unseen, words.Say("step-4a-finished", event.Inferred, a)
			r.Packets = c.main.At[proof.AtClientFinished].Packets()
			return r
		case c.failure != nil:
			r.Verdict, r.Says = event.NotReached, words.Say("step-not-reached", event.Inferred, a.With("step", string(c.failure.step)))
			r.Proofs = c.stepProofs(f, s)
			return r
		case s != event.Step1 && c.oneSided(1):
			r.Verdict, r.Says = event.Unknown, words.Say("step-one-sided", event.None, a.With("sender", c.side(1)))
			return r
		case c.oneSided(0):
			r.Verdict, r.Says = event.Unknown, words.Say("step-one-sided", event.None, a.With("sender", c.side(0)))
			return r
		case s == event.Step4a && c.leg == capture.LegOrigin && c.verified != nil && c.verified.Outcome == "ok" && (c.main.Sides[0].Finished || c.over) && c.main.Sides[1].CertSeen:
			r.Verdict, r.Says = event.Unseen, words.Say("step-4a-proxy-ok-unused", event.None, a)
			return r
		case s == event.Step4a && c.leg == capture.LegOrigin && c.verified != nil:
			c.row4a(f, a, &r)
			r.Packets = nil
			r.Proofs = c.stepProofs(f, s)
			return r
		case s == event.Step4a && (c.main.Sides[0].Finished || c.main.Sides[0].FinishedSealed) && c.main.Sides[1].CertSeen:
			id := "step-4a-finished-only"
			_, fault := faultOf(c.main)
			switch {
			case c.shown.control() && c.over:
				id = "step-4a-case-finished-control"
			case c.shown.known() && c.over:
				id = "step-4a-case-finished"
			case c.mirroredFaults() != "" && c.over:
				id, fault = "step-4a-finished-only-mirrored", c.mirroredFaults()
			case c.mirroredFaults() != "":
				id = "step-4a-finished-open"
			case c.leg == capture.LegBrowser && c.minted != nil:
				id = "step-4a-finished-only-minted"
			case !c.over && c.left != "":
				id = "step-4a-finished-left"
			case !c.over:
				id = "step-4a-finished-open"
			case fault != "":
				id = "step-4a-failed-late"
			}
			r.Verdict, r.Says = event.Unseen, words.Say(id, event.Inferred, a.With("fault", fault))
			return r
		case s == event.Step4a && c.over && c.main.Sides[1].CertSeen:
			r.Verdict, r.Says = event.Unknown, words.Say("step-4a-hidden", event.None, a.With("reason", or(c.main.Broken, "the message that would show it is not in the capture")))
			return r
		case c.sides[1].firstData && s != event.Step4a || c.through():
			// It must have taken place, or what came later could not have.
			r.Verdict, r.Says = event.Unknown, words.Say("step-hidden", event.None, a.With("reason", or(c.main.Broken, "the message that shows it is not in the capture")))
			return r
		case c.over && (c.sides[0].unread || c.sides[1].unread || c.main.ServerHello == nil && c.sides[1].dark > 0):
			r.Verdict, r.Says = event.Unknown, words.Say("step-hidden", event.None, a.With("reason", "not all of this connection is in the capture, or can be read"))
			return r
		case c.over:
			r.Verdict, r.Says = event.NotReached, words.Say("step-not-reached-closed", event.Inferred, a)
			return r
		case c.ended:
			r.Verdict, r.Says = event.Unknown, words.Say(c.unseen(), event.None, a)
			return r
		}
	}
	if (s == event.Step4b || s == event.Step5) && f.verdict(s) == event.Differently && a.Value("clientshare") == "" && f.share {
		r.Verdict, r.Says = event.Unknown, words.Say("step-hidden", event.None, a.With("reason", "the client's share for this group is not in the capture"))
		return r
	}
	switch cell, ok := f.cells[s]; {
	case ok:
		r.Says, r.Packets = words.Say(cell.says, cell.how, a), c.placed(cell.at)
	case s == event.Step1:
		c.row1(f, a, &r)
	case s == event.Step2:
		c.row2(f, a, &r)
	case s == event.Step3:
		c.row3(f, a, &r)
	case s == event.Step4a:
		c.row4a(f, a, &r)
	case s == event.Step4b:
		c.row4b(f, a, &r)
	case s == event.Step4c:
		c.row4c(f, a, &r)
	case s == event.Step5:
		r.Packets = c.main.At[proof.AtHello].Packets()
		c.rowOther(f, a, &r)
	case s == event.Step6a:
		c.row6a(f, a, &r)
	case s == event.Step6b:
		c.row6b(f, a, &r)
	case s == event.Step7:
		c.row7(f, a, &r)
	case s == event.Step8:
		c.row8(f, a, &r)
	}
	r.Proofs = c.stepProofs(f, s)
	for _, p := range r.Proofs {
		if p.State == event.Refuted && r.Verdict != event.Failed {
			_, reason := c.main.Proved(p.ID)
			id := "step-refuted"
			if c.wentOn() && s == event.Step4a {
				id = "step-refuted-went-on"
			}
			r.Verdict = event.Failed
			claim := words.Claim(p.ID, a)
			r.Says = words.Say(id, event.Recomputed, a.With("claim", words.Lower(claim), "reason", reason))
		}
	}
	return r
}

// hidden tells what sealed records keep from whoever has no keys: there a step is
// told as unknown and nothing else, since with the keys it can turn out to be anything.
func (c *View) hidden(f Flow, s event.Step, a Values) (event.Sentence, bool) {
	h := c.main
	if h.ServerHello == nil {
		return event.Sentence{}, false
	}
	told := func(id string, how event.Evidence) (event.Sentence, bool) {
		return words.Say(id, how, a.With("clientbytes", strconv.FormatInt(c.sides[0].wire, 10), "serverbytes", strconv.FormatInt(c.sides[1].wire, 10))), true
	}
	switch s {
	case event.Step3, event.Step4b:
		if h.EarlyUndecided() && c.sides[1].dark > 0 {
			return told("step-hidden-early", event.None)
		}
	case event.Step4a:
		proxy := c.leg == capture.LegOrigin && c.verified != nil
		if !c.hasCertificate() || c.wentOn() || proxy || c.failure != nil {
			break
		}
		switch {
		case c.sides[0].darkAlert:
			return told("step-4a-sealed-alert", event.None)
		case h.Is13() && c.sides[0].dark == 1 && c.sides[0].wire == 24 && !h.Sides[0].Finished:
			return told("step-4a-failed-sealed-alert", event.None)
		case h.Is13() && c.sides[0].dark > 0 && !h.Sides[0].Finished:
			return told("step-4a-sealed", event.None)
		case h.Is13() && c.sides[0].dark > 0:
			return told("step-4a-sealed-rest", event.None)
		case h.Suite() == nil && c.sides[0].dark > 0:
			if s, _ := h.Proved(words.ProofSKE); s == event.Refuted {
				return told("step-4a-refuted-went-on", event.Recomputed)
			}
			return told("step-hidden-suite", event.None)
		}
	case event.Step7, event.Step8:
		ids := [2]string{}
		switch {
		case c.sides[1].data > 0:
		case h.Is13() && c.sides[1].dark > 0:
			ids = [2]string{"step-7-sealed13", "step-8-sealed13"}
		case h.Suite() == nil && c.sides[1].dark > 0:
			ids = [2]string{"step-hidden-suite", "step-hidden-suite"}
		case c.sides[1].firstData || c.failure != nil && c.failure.step == event.Step7:
		case h.Is13() && c.sides[0].dark > 0:
			ids = [2]string{"step-7-sealed-client", "step-8-sealed-alert"}
		case c.sides[0].darkAlert, c.sides[1].darkAlert:
			ids = [2]string{"step-7-sealed-alert", "step-8-sealed-alert"}
		}
		if ids[0] != "" {
			return told(ids[stepIndex(s)-stepIndex(event.Step7)], event.None)
		}
	}
	return event.Sentence{}, false
}

// serverFirst tells whether the server's application data came before the client's.
func (c *View) serverFirst() bool {
	a, b := c.sides[0].dataAt, c.sides[1].dataAt
	if a.First != 0 && b.First != 0 && a.First != b.First {
		return b.First < a.First
	}
	return c.spoke == 2
}

// stepProofs are the proofs that carry a step.
func (c *View) stepProofs(f Flow, s event.Step) []event.RowProof {
	h := c.main
	switch s {
	case event.Step2:
		return h.Picked(f.speaks...)
	case event.Step3:
		return h.Picked(words.ProofLeaf)
	case event.Step4a:
		return h.Picked(words.ProofServerLinks)
	case event.Step4b:
		if f.transport {
			return h.Picked(words.ProofRSAVersion, words.ProofRSAMaster)
		}
	case event.Step4c:
		if f.transport {
			return h.Picked(h.BlockProof())
		}
	case event.Step5:
		if f.transport {
			return h.Picked(h.BlockProof(), words.ProofClientFin)
		}
		if f.early {
			return h.Picked(words.ProofEarlyFirst)
		}
	case event.Step6a:
		if f.lasting {
			return h.Picked(words.ProofServerFin)
		}
		if f.kem {
			return h.Picked(words.ProofClientFin)
		}
	case event.Step6b:
		return h.Picked(f.seals...)
	case event.Step7:
		if h.Tried(words.ProofServerRecords) {
			return h.Picked(words.ProofServerRecords)
		}
		return h.Picked(words.ProofServerFirst)
	}
	return nil
}

func (c *View) row1(f Flow, a Values, r *event.Row) {
	r.Packets = c.opening.Packets()
	client, server := c.peers()
	a = a.With("client", client, "server", server)
	connect := c.connectHost != ""
	r.Verdict = event.Differently
	if s := c.startTLS; s != nil && !connect && c.conn.SYN && (s.Target != "" || c.conn.Server.Port() != 443) {
		id := "step-1-starttls"
		if s.Target != "" {
			id = "step-1-socks"
			if !strings.HasSuffix(s.Target, ":443") {
				id = "step-1-socks-other"
			}
		}
		r.Says = words.Say(id, event.Clear, c.startTLSArgs(s, a))
		return
	}
	switch {
	case f.ID == "opaque" && !connect:
		r.Says = words.Say("step-1-opaque", event.Clear, a)
	case f.ID == "http" && c.noTunnel && c.asked != "":
		r.Says = words.Say("step-1-connect-refused", event.Clear, a)
	case connect:
		id := "step-1-connect"
		if _, port, ok := splitHostPort(a.Value("asked")); ok && port != "443" {
			id = "step-1-connect-other"
		}
		r.Says = words.Say(id, event.Clear, a)
	case f.ID == "http" && (c.leg == capture.LegBrowser && c.asked != ""):
		r.Says = words.Say("step-1-plain-proxy", event.Clear, a)
	case f.ID == "http" && c.conn.Server.Port() == 443:
		r.Says = words.Say("step-1-plain-443", event.Clear, a)
	case f.ID == "http":
		r.Says = words.Say("step-1-plain", event.Clear, a)
	case c.conn.Asked:
		if c.conn.Server.Port() == 443 {
			r.Verdict = event.Unknown
		}
		r.Says = words.Say("step-1-asked", event.Clear, a)
	case c.conn.Server.Port() != 443 && !c.conn.SYN:
		r.Says = words.Say("step-1-other-port-no-syn", event.Clear, a)
	case c.conn.Server.Port() != 443:
		r.Says = words.Say("step-1-other-port", event.Clear, a)
	case !c.conn.SYN:
		r.Verdict, r.Says = event.Unknown, words.Say("step-1-no-syn", event.None, a)
	case c.main.ServerHello == nil:
		r.Verdict, r.Says = event.AsTold, words.Say("step-1-only", event.Clear, a)
	default:
		r.Verdict, r.Says = event.AsTold, words.Say("step-1-as-told", event.Clear, a)
	}
}

// keyedID picks the sentence of a handshake that a private key given opened.
func keyedID(h *proof.Handshake, recorded, keyed string) string {
	if h.Keyed {
		return keyed
	}
	return recorded
}

// hidden is the reason why something is not seen.
func (c *View) hiddenReason() string {
	return or(c.sides[1].why, or(c.sides[0].why, "no keys for it are known here"))
}

func (c *View) row2(f Flow, a Values, r *event.Row) {
	h := c.main
	minted := c.leg == capture.LegBrowser && c.minted != nil
	pick := func(plain, own string) string {
		if minted {
			return own
		}
		return plain
	}
	switch {
	case f.transport:
		state, reason := h.Proved(words.ProofServerFin)
		r.Packets = h.At[proof.AtServerFinished].Packets()
		switch state {
		case event.Proven:
			if !h.Linked() {
				id := "step-2-rsa-finished"
				if f.agreed {
					id = "step-2-rsa-psk-finished"
				}
				r.Says = words.Say(id, event.Inferred, a)
				return
			}
			r.Says = words.Say(pick("step-2-rsa-proven", "step-2-minted-rsa-proven"), event.Recomputed, a)
		case event.Refuted:
			r.Verdict, r.Says = event.Failed, words.Say("step-2-refuted-finished", event.Recomputed, a)
		default:
			r.Verdict, r.Says = event.Unknown, words.Say("step-2-rsa-unchecked", event.None, a.With("reason", or(reason, c.hiddenReason())))
		}
	case f.signed:
		id, where, plain, own := words.ProofSKE, proof.AtServerKey, "step-2-ske-proven", "step-2-minted-ske-proven"
		if h.Is13() {
			id, where, plain, own = words.ProofServerCV, proof.AtVerify, "step-2-cv-proven", "step-2-minted-cv-proven"
		}
		r.Packets = h.At[where].Packets()
		state, reason := h.Proved(id)
		switch state {
		case event.Proven:
			r.Says = words.Say(pick(plain, own), event.Recomputed, a)
			if d, _ := h.Proved(words.ProofDelegated); h.Sides[1].Delegated != nil && d == event.Proven {
				r.Says = words.Say("step-2-delegated-proven", event.Recomputed, a)
			}
			if h.RawLeaf(1) {
				r.Says = words.Say("step-2-raw-proven", event.Recomputed, a)
			}
		case event.Refuted:
			r.Verdict, r.Says = event.Failed, words.Say("step-2-refuted-signature", event.Recomputed, a)
		case event.NotCheckable:
			r.Says = words.Say("step-2-signature-unchecked", event.None, a.With("reason", reason))
		default:
			r.Verdict, r.Says = event.Unknown, words.Say("step-2-hidden", event.None, a)
		}
	case f.resumed:
		r.Packets = h.At[proof.AtServerFinished].Packets()
		fin, _ := h.Proved(words.ProofServerFin)
		old, _ := h.Proved(words.ProofResumed)
		switch {
		case fin == event.Proven && old == event.Proven:
			r.Says = words.Say("step-2-inherited-proven", event.Recomputed, a)
		case fin == event.Proven:
			r.Says = words.Say("step-2-inherited-finished", event.Inferred, a)
		default:
			r.Says = words.Say("step-2-inherited", event.Inferred, a)
		}
	default:
		c.rowOther(f, a, r)
	}
}

func (c *View) rowOther(f Flow, a Values, r *event.Row) {
	switch f.ID {
	case "http":
		r.Says = words.Say("step-"+string(r.Step)+"-plain", event.Clear, a)
	case "opaque":
		r.Says = words.Say("step-unknown-opaque", event.None, a)
	case "unknown":
		switch {
		case c.main.Hello == nil:
			r.Says = words.Say("step-capture-begins", event.None, a)
		default:
			r.Says = words.Say(c.unseen(), event.None, a)
		}
	case "tls12-dh":
		c.rowStaticDH(a, r)
	default:
		if h := c.main; h.ServerHello != nil && !h.Is13() && h.ServerHello.CipherSuite>>8 == 0x13 {
			r.Says = words.Say("step-other-suite13", event.Clear, a)
			return
		}
		if c.oneSided(0) {
			r.Says = words.Say("step-one-sided", event.None, a.With("sender", c.side(0)))
			return
		}
		r.Says = words.Say("step-other", event.None, a)
	}
}

func (c *View) row3(f Flow, a Values, r *event.Row) {
	h := c.main
	minted := c.leg == capture.LegBrowser && c.minted != nil
	how := event.Clear
	r.Packets = h.At[proof.AtCertificate].Packets()
	if h.RawLeaf(1) && c.hasCertificate() {
		id := "step-3-raw-only"
		if a.Value("servershare") != "" && !f.kem {
			id = "step-3-raw"
		}
		r.Says = words.Say(id, c.seen(), a)
		return
	}
	switch {
	case f.transport:
		id := "step-3-rsa"
		switch {
		case minted && h.ClientKey == nil:
			id = "step-3-minted-rsa-unused"
		case minted:
			id = "step-3-minted-rsa"
		case h.ClientKey == nil:
			id = "step-3-rsa-unused"
		}
		r.Says = words.Say(id, how, a)
	case f.signed && !h.Is13():
		id := "step-3-dhe"
		if minted {
			id = "step-3-minted-dhe"
		}
		switch {
		case h.ServerKey == nil && (c.over || c.ended):
			id = "step-3-dhe-half-only"
		case h.ServerKey == nil:
			id = "step-3-dhe-half"
		}
		r.Says = words.Say(id, how, a)
	case f.signed:
		stem := "tls13"
		if f.kem {
			stem = "mlkem"
		}
		r.Packets = h.At[proof.AtServerHello].Packets()
		switch {
		case h.Sides[1].Leaf == nil && c.sides[1].dark > 0:
			r.Says = words.Say("step-3-"+stem+"-sealed", event.Clear, a)
		case h.Sides[1].Leaf == nil && (c.ended || c.over):
			r.Says = words.Say("step-3-"+stem+"-only", event.Clear, a)
		case h.Sides[1].Leaf == nil:
			r.Says = words.Say("step-3-"+stem+"-first", event.Clear, a)
		case minted:
			r.Packets = span(h.At[proof.AtServerHello], h.At[proof.AtCertificate])
			r.Says = words.Say("step-3-minted-"+stem, event.Decrypted, a)
		default:
			r.Packets = span(h.At[proof.AtServerHello], h.At[proof.AtCertificate])
			r.Says = words.Say("step-3-"+stem, event.Decrypted, a)
		}
	case f.resumed && f.fresh:
		r.Packets = h.At[proof.AtServerHello].Packets()
		id := "step-3-psk-dhe"
		if f.kem {
			id = "step-3-psk-mlkem"
		}
		r.Says = words.Say(id, how, a)
	default:
		if f.ID == "other" && h.Sides[1].Leaf != nil {
			r.Says = words.Say("step-3-other", how, a)
			return
		}
		c.rowOther(f, a, r)
	}
}

func span(a, b proof.Place) *event.Packets {
	if a.First == 0 {
		return b.Packets()
	}
	if b.Last == 0 {
		return a.Packets()
	}
	return &event.Packets{First: min(a.First, b.First), Last: max(a.Last, b.Last)}
}

func (c *View) row4a(f Flow, a Values, r *event.Row) {
	h := c.main
	switch {
	case f.cert:
		r.Packets = c.sides[0].dataAt.Packets()
		ske, _ := h.Proved(words.ProofSKE)
		cv, _ := h.Proved(words.ProofServerCV)
		id, bad := faultOf(h)
		switch {
		case h.RawLeaf(1):
			r.Says = words.Say("step-4a-raw", event.Inferred, a)
		case ske == event.Refuted || cv == event.Refuted:
			r.Says = words.Say("step-4a-refuted-went-on", event.Recomputed, a)
		case c.shown.known():
			r.Says = words.Say(c.row4aCase(), event.Inferred, a)
		case c.leg == capture.LegOrigin && c.verified != nil && c.verified.Outcome == "ok":
			r.Says = words.Say("step-4a-proxy-ok", event.None, a)
		case c.leg == capture.LegOrigin && c.verified != nil:
			if c.wentOnTo != nil {
				r.Says = words.Say("step-4a-proxy-mirrored-went-on", event.None, a)
			} else if c.wentOn() {
				r.Says = words.Say("step-4a-proxy-bad-went-on", event.None, a.With("asked", or(clip(c.verified.Host), a.Value("asked"))))
			} else {
				r.Says = words.Say("step-4a-proxy-bad", event.None, a)
			}
		case c.mirroredFaults() != "":
			r.Says = words.Say("step-4a-mirrored", event.Inferred, a.With("fault", c.mirroredFaults()))
		case bad != "":
			r.Says = words.Say(id, event.Inferred, a.With("fault", bad))
		case c.leg == capture.LegBrowser && c.minted != nil:
			r.Says = words.Say("step-4a-minted", event.Inferred, a)
		default:
			r.Says = words.Say("step-4a-unseen", event.Inferred, a)
		}
	case f.resumed:
		r.Says = c.behind(a)
	default:
		c.rowOther(f, a, r)
	}
}

// fault is what the checks of the server's chain found wrong, in the words of the
// Certificate line, and the sentence for a client that went on all the same: what
// another list of authorities might mend is told apart. "" if they found nothing.
func faultOf(h *proof.Handshake) (id, text string) {
	k := h.Sides[1].Checked
	if k == nil || len(k.Failed) == 0 {
		return "", ""
	}
	id = "step-4a-unseen-untrusted"
	for _, check := range k.Result.Failures() {
		switch {
		case verify.ReasonOf(check.Reason).Class != verify.ClassTrust:
			id = "step-4a-unseen-fault"
		case check.Reason == "self-signed" && id == "step-4a-unseen-untrusted":
			id = "step-4a-unseen-self"
		}
	}
	return id, strings.Join(k.Failed, "; ")
}

func (c *View) row4b(f Flow, a Values, r *event.Row) {
	h := c.main
	r.Packets = h.At[proof.AtClientKey].Packets()
	if h.Is13() {
		r.Packets = h.At[proof.AtHello].Packets()
	}
	switch {
	case f.transport:
		id, how := "step-4b-rsa", event.Inferred
		if s, _ := h.Proved(h.BlockProof()); s == event.Proven {
			id, how = keyedID(h, "step-4b-rsa-proven", "step-4b-rsa-key"), event.Recomputed
		}
		r.Says = words.Say(id, how, a)
	case f.ID == "tls13-hrr":
		r.Packets = span(h.At[proof.AtFirstHello], h.At[proof.AtHello])
		id := "step-4b-hrr"
		if h.ServerHello != nil && h.ServerHello.KeyShare() != nil && shareOf(h.FirstHello, h.ServerHello.KeyShare().Group) != nil {
			id = "step-4b-hrr-cookie"
		}
		r.Says = words.Say(id, event.Inferred, a)
	case f.resumed:
		id := "step-4b-psk-dhe"
		if f.kem {
			id = "step-4b-psk-mlkem"
		}
		r.Says = words.Say(id, event.Inferred, a)
	case f.agreed:
		id := "step-4b-external"
		if a.Value("group") != "" {
			id = "step-4b-external-dhe"
		}
		r.Says = words.Say(id, event.Inferred, a)
	default:
		c.rowOther(f, a, r)
	}
}

func (c *View) row4c(f Flow, a Values, r *event.Row) {
	h := c.main
	switch {
	case f.transport:
		r.Packets = h.At[proof.AtClientKey].Packets()
		switch s, reason := h.Proved(h.BlockProof()); s {
		case event.Proven:
			r.Says = words.Say(keyedID(h, "step-4c-rsa-proven", "step-4c-rsa-key"), event.Recomputed, a.With("key", or(a.Value("key"), "RSA")))
		case event.Refuted:
			r.Verdict, r.Says = event.Failed, words.Say("step-4c-rsa-refuted", event.Recomputed, a.With("reason", reason))
		default:
			r.Says = words.Say("step-4c-rsa", event.Inferred, a)
		}
	case f.kem:
		r.Packets = h.At[proof.AtServerHello].Packets()
		r.Verdict, r.Says = event.Differently, words.Say("step-4c-mlkem", event.Inferred, a)
	case f.resumed:
		r.Says = words.Say("step-4c-absent-resumed", event.Inferred, a)
	case f.signed:
		id := "step-4c-absent-dhe"
		if h.RawLeaf(1) {
			id = "step-4c-absent-anonymous" // there is no certificate to speak of
		}
		r.Says = words.Say(id, event.Inferred, a)
	default:
		c.rowOther(f, a, r)
	}
}

func (c *View) row6a(f Flow, a Values, r *event.Row) {
	h := c.main
	switch {
	case f.transport:
		r.Packets = h.At[proof.AtServerFinished].Packets()
		switch state, reason := h.Proved(words.ProofServerFin); state {
		case event.Proven:
			if !h.Linked() {
				id := "step-6a-rsa-finished"
				if f.agreed {
					id = "step-6a-rsa-psk-finished"
				}
				r.Says = words.Say(id, event.Inferred, a)
				return
			}
			r.Says = words.Say(keyedID(h, "step-6a-rsa-proven", "step-6a-rsa-key"), event.Recomputed, a)
		case event.Refuted:
			r.Verdict, r.Says = event.Failed, words.Say("step-6a-rsa-refuted", event.Recomputed, a)
		default:
			r.Verdict, r.Says = event.Unknown, words.Say("step-6a-rsa-unchecked", event.None, a.With("reason", or(reason, c.hiddenReason())))
		}
	case f.kem && f.share:
		r.Verdict = event.Differently
		r.Packets = h.At[proof.AtClientFinished].Packets()
		if c.sealed13() {
			r.Says = words.Say("step-6a-mlkem-sealed", event.Inferred, a)
			return
		}
		id := "step-6a-mlkem"
		if s, _ := h.Proved(words.ProofClientFin); s == event.Proven {
			id = "step-6a-mlkem-proven"
		}
		r.Says = words.Say(id, event.Inferred, a)
	case f.signed:
		id := "step-6a-absent-dhe"
		ske, _ := h.Proved(words.ProofSKE)
		cv, _ := h.Proved(words.ProofServerCV)
		if ske != event.Proven && cv != event.Proven || h.RawLeaf(1) {
			id = "step-6a-absent-unproven"
		}
		r.Says = words.Say(id, event.Inferred, a)
	case f.resumed:
		r.Says = words.Say("step-6a-absent-ticket13", event.Inferred, a)
	default:
		c.rowOther(f, a, r)
	}
}

func (c *View) row6b(f Flow, a Values, r *event.Row) {
	h := c.main
	r.Packets = h.At[proof.AtSwitch].Packets()
	switch {
	case f.bare:
		c.rowOther(f, a, r)
	case c.null():
		r.Verdict, r.Says = event.Absent, words.Say("step-6b-null", event.Clear, a)
	case h.Suite() == nil:
		r.Says = words.Say("step-6b-unknown-suite", event.Inferred, a)
	case f.early:
		r.Says = words.Say("step-6b-early", c.encrypted(), a)
	case h.Is13() && c.early:
		r.Says = words.Say("step-6b-tls13-after-early", c.encrypted(), a)
	case h.Is13() && h.EarlyUndecided():
		r.Says = words.Say("step-6b-tls13-early-open", c.encrypted(), a)
	case h.Is13():
		r.Says = words.Say("step-6b-tls13", c.encrypted(), a)
	case h.Resumed:
		r.Says = words.Say("step-6b-tls12-resumed", event.Clear, a)
	case f.ID == "tls12-rsa":
		r.Says = words.Say("step-6b-tls12", event.Clear, a)
	default:
		r.Says = words.Say("step-6b-tls12-common", event.Clear, a)
	}
}

// seen is how the server's certificate was seen.
func (c *View) seen() event.Evidence {
	if c.main.Is13() {
		return event.Decrypted
	}
	return event.Clear
}

// encrypted is how it is known that the server's records are encrypted.
func (c *View) encrypted() event.Evidence {
	if c.sides[1].opened {
		return event.Decrypted
	}
	return event.Inferred
}

func (c *View) row7(f Flow, a Values, r *event.Row) {
	r.Packets = c.sides[1].dataAt.Packets()
	serverFirst := c.serverFirst()
	switch {
	case f.ID == "http" && !c.responded:
		r.Says = words.Say("step-7-plain-none", event.Clear, a)
	case f.ID == "http":
		r.Says = words.Say("step-7-plain", event.Clear, a)
	case f.bare:
		c.rowOther(f, a, r)
	case c.null():
		r.Verdict, r.Says = event.Differently, words.Say("step-7-null", event.Clear, a)
	case c.sides[1].data > 0 && serverFirst:
		r.Says = words.Say("step-7-opened-server-first", event.Decrypted, a)
	case c.sides[1].data > 0:
		r.Says = words.Say("step-7-opened", event.Decrypted, a)
	case serverFirst:
		r.Says = words.Say("step-7-server-first", event.Clear, a)
	default:
		r.Says = words.Say("step-7-as-told", event.Clear, a)
	}
}

func (c *View) row8(f Flow, a Values, r *event.Row) {
	r.Packets = c.sides[1].dataAt.Packets()
	switch {
	case f.ID == "http":
		r.Says = words.Say("step-8-plain", event.Clear, a)
	case f.bare:
		c.rowOther(f, a, r)
	case c.null():
		r.Verdict, r.Says = event.Absent, words.Say("step-8-null", event.Clear, a)
	case c.sides[1].data > 0:
		r.Says = words.Say("step-8-opened", event.Recomputed, a)
	default:
		r.Says = words.Say("step-8-unseen", event.None, a)
	}
}

// legFacts are what a summary says of a connection in a line.
func (x *Explainer) legFacts(c *conn) []event.Field {
	h := c.main
	var out []event.Field
	if h.ServerHello == nil {
		return nil
	}
	add := func(id, name, value string) { out = append(out, event.Field{ID: id, Name: name, Value: value}) }
	add("version", "version", h.VersionName())
	add("suite", "suite", handshake.SuiteName(h.ServerHello.CipherSuite))
	a := c.Values()
	if a.Value("group") != "" {
		add("group", "group", a.Value("group"))
	}
	if c.alpn != "" {
		add("alpn", "ALPN", clip(c.alpn))
	}
	if l := h.Sides[1].Leaf; l != nil {
		if l.Raw {
			add("raw-public-key", "raw public key", l.KeyWords())
			return out
		}
		add(event.FactCertificate, "certificate", fmt.Sprintf("for %s, from %s, %s", clip(l.For()), clip(l.Issuer()), l.KeyWords()))
		if k := h.Sides[1].Checked; k != nil {
			add("certificate-checks", "certificate checks", strings.TrimPrefix(k.Brief, "checks: "))
		}
	}
	if h.FirstHello != nil {
		out = append(out, c.fingerprints(h.FirstHello)...)
	}
	out = append(out, serverFingerprint(h.ServerHello))
	if c.leg == capture.LegOrigin && c.verified != nil {
		add("checked-by-proxy", "checked by the proxy", strings.TrimSpace(verifiedWords(c.verified)+", against "+words.Phrase(words.Roots, or(clip(c.verified.Addr), "none"), "")))
	}
	return out
}
