package steps

import (
	"cmp"
	"math/big"
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

// A Flow is what kind of connection this is: the row of the truth table, and what it is called here.
type Flow struct {
	*kind
	ID      string // permanent
	title   string // the piece that it is called by, with the values below
	also    bool   // and that it came after a HelloRetryRequest
	version string // or transport
	group   uint16
	suite   uint16
	KEM     bool // the server makes the secret and encrypts it to the client (ML-KEM)
	hrr     bool
}

// Title is what this connection is called here.
func (f Flow) Title() event.Text {
	title := words.Piece(f.title, "version", f.version, "group", handshake.GroupName(f.group), "suite", handshake.SuiteName(f.suite))
	if f.also {
		title = words.Piece("flow/also-hrr", "flow", title)
	}
	return title
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

// Flow finds the row of the truth table for a connection's first handshake.
func (c *View) Flow() Flow {
	f := c.named()
	f.kind = kinds[f.ID]
	if h := c.Main; f.Early && h.ServerHello != nil && h.ServerHello.KeyShare() != nil {
		f.kind = &earlyFresh
		if f.KEM {
			f.kind = &earlyKEM
		}
	}
	return f
}

// named13 names a connection of TLS 1.3; v is what its version is called.
func named13(h *proof.Handshake, v string) Flow {
	f := Flow{hrr: h.Retry != nil, version: v}
	ks := h.ServerHello.KeyShare()
	if ks != nil {
		f.KEM = handshake.KindOf(ks.Group) == handshake.GroupKEM
		f.group = ks.Group
	}
	_, psk := h.ServerHello.SelectedPSK()
	switch {
	case psk && h.Hello == nil:
		// The age of what the client named would tell.
		f.ID, f.title = "other", "flow/psk-either"
	case psk && h.External:
		f.ID, f.title = "psk", "flow/psk-told"
		if ks != nil {
			f.ID = "psk-dhe"
		}
	case psk && h.TookEarly():
		f.ID, f.title = "tls13-0rtt", "flow/early-data"
	case psk && ks != nil:
		f.ID, f.title = "tls13-psk-dhe", "flow/resumed-fresh"
	case ks == nil && !psk:
		// A draft with other numbers, or no TLS 1.3 at all.
		f.ID, f.title = "other", "flow/no-share"
	case psk:
		f.ID, f.title = "tls13-psk", "flow/resumed-alone"
	case f.KEM:
		f.ID, f.title = "tls13-mlkem", "flow/kem"
	case f.hrr:
		f.ID, f.title = "tls13-hrr", "flow/hrr"
	default:
		f.ID, f.title = "tls13-full", "flow/group"
	}
	if f.hrr && f.ID != "tls13-hrr" {
		f.also = true
	}
	return f
}

func (c *View) named() Flow {
	switch {
	case c.NoTLS == "plain":
		return Flow{ID: "http", title: "flow/http"}
	case c.NoTLS == "opaque":
		return Flow{ID: "opaque", title: "flow/opaque"}
	case !c.TLS && c.Cut > 0:
		return Flow{ID: "unknown", title: "flow/cut"}
	case !c.TLS && c.Conn.Continued:
		return Flow{ID: "unknown", title: "flow/continued"}
	case !c.TLS && (c.Sides[0].Heard || c.Sides[1].Heard):
		return Flow{ID: "unknown", title: "flow/unread"}
	case !c.TLS && c.Leg == capture.LegNone && (!c.Conn.SYN && !c.Conn.Asked || c.open()): // it may have carried something before, or will
		return Flow{ID: "unknown", title: "flow/no-data"}
	case !c.TLS:
		return Flow{ID: "unknown", title: "flow/nothing"}
	}
	h := c.Main
	if h.ServerHello == nil && c.OverUDP() {
		return c.udpFlow()
	}
	if h.ServerHello == nil {
		return c.namedUnanswered()
	}
	v := h.VersionName()
	if h.Holed() && !h.Is13() && !h.Resumed && !h.Sides[1].CertSeen && h.ServerKey == nil && h.ClientKey == nil && h.Find(1, handshake.TypeServerHelloDone) == nil {
		return Flow{ID: "unknown", title: "flow/perhaps-resumed", version: v}
	}
	if c.Conn.Transport == capture.TransportQUIC {
		v = c.transport() + ", " + v
	}
	if h.Is13() {
		return named13(h, v)
	}
	if h.Resumed {
		if h.Hello == nil {
			return Flow{ID: "unknown", title: "flow/resumed-unseen", version: v}
		}
		if len(h.Ticket) > 0 {
			return Flow{ID: "tls12-resumed-ticket", title: "flow/ticket", version: v}
		}
		return Flow{ID: "tls12-resumed-id", title: "flow/session-id", version: v}
	}
	switch handshake.SuiteKeyExchange(h.ServerHello.CipherSuite) {
	case handshake.KeyExchangeRSA:
		if h.ServerKey != nil || h.Short() {
			return Flow{ID: "tls12-rsa-export", title: "flow/rsa-export", version: v}
		}
		return Flow{ID: "tls12-rsa", title: "flow/rsa", version: v}
	case handshake.KeyExchangeDHE:
		return Flow{ID: "tls12-dhe", title: "flow/dhe", version: v}
	case handshake.KeyExchangeECDHE:
		return Flow{ID: "tls12-ecdhe", title: "flow/ecdhe", version: v}
	case handshake.KeyExchangeDH, handshake.KeyExchangeECDH:
		return Flow{ID: "tls12-dh", title: "flow/static-dh", version: v}
	case handshake.KeyExchangeDHAnon, handshake.KeyExchangeECDHAnon:
		return Flow{ID: "tls12-anonymous", title: "flow/anonymous", version: v}
	case handshake.KeyExchangePSK:
		return Flow{ID: "psk", title: "flow/psk", version: v}
	case handshake.KeyExchangeDHEPSK, handshake.KeyExchangeECDHEPSK:
		return Flow{ID: "psk-dhe", title: "flow/psk-dhe", version: v}
	case handshake.KeyExchangeRSAPSK:
		return Flow{ID: "psk-rsa", title: "flow/psk-rsa", version: v}
	}
	if h.ServerKey != nil && h.Suite() == nil {
		// The suite is in no registry; the shape of the message shows what it is.
		if h.ServerKey.Group != 0 {
			return Flow{ID: "tls12-ecdhe", title: "flow/ecdhe-unregistered", version: v, suite: h.ServerHello.CipherSuite}
		}
		return Flow{ID: "tls12-dhe", title: "flow/dhe-unregistered", version: v, suite: h.ServerHello.CipherSuite}
	}
	return Flow{ID: "other", title: "flow/other", version: v, suite: h.ServerHello.CipherSuite}
}

// namedUnanswered names a connection of TLS of which no ServerHello was read.
func (c *View) namedUnanswered() Flow {
	h := c.Main
	hello := h.Hello != nil || c.CutHello != nil
	if hello && c.oneSided(1) {
		return Flow{ID: "unknown", title: "flow/one-side", hrr: h.Retry != nil}
	}
	if h.Hello != nil && c.framed() {
		return Flow{ID: "unknown", title: "flow/framed", hrr: h.Retry != nil}
	}
	if h.Hello != nil && c.Echoed {
		return Flow{ID: "unknown", title: "flow/echoed", hrr: h.Retry != nil}
	}
	if h.Hello != nil && c.Foreign {
		return Flow{ID: "unknown", title: "flow/foreign", hrr: h.Retry != nil}
	}
	if h.Hello != nil && c.Greeted != "" {
		return Flow{ID: "unknown", title: "flow/greeted", hrr: h.Retry != nil}
	}
	if c.GivenUp {
		return Flow{ID: "unknown", title: "flow/given-up", hrr: h.Retry != nil}
	}
	if s := c.Sides[1]; hello && !s.Whole() {
		return Flow{ID: "unknown", title: "flow/answer-missing", hrr: h.Retry != nil}
	}
	if hello && slices.ContainsFunc(c.Alerts, func(a Alert) bool { return a.Side == 1 }) {
		return Flow{ID: "unknown", title: "flow/refused", version: "TLS", hrr: h.Retry != nil}
	}
	if hello && c.Leg == capture.LegNone && c.open() {
		return Flow{ID: "unknown", title: "flow/no-answer-here", hrr: h.Retry != nil}
	}
	if hello {
		return Flow{ID: "unknown", title: "flow/no-answer", hrr: h.Retry != nil}
	}
	return Flow{ID: "unknown", title: "flow/no-handshake"}
}

// GroupOf is the group of the key exchange, its kind, and where the server made it up
// the bits of its modulus.
func GroupOf(h *proof.Handshake) (name, kind string, size int) {
	switch {
	case h.ServerKey != nil && h.ServerKey.Group == 0 && len(h.ServerKey.P) > 0:
		size = new(big.Int).SetBytes(h.ServerKey.P).BitLen()
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
	case c.ConnectHost != "":
		return c.ConnectHost
	case c.Asked != "":
		return c.Asked
	}
	return c.About
}

// onWay tells whether the client of a TLS connection went on after the
// certificate: it sent application data.
func (c *View) wentOn() bool { return c.Sides[0].FirstData }

// reached tells whether these bytes show that a step took place, or that its
// place in the order has passed.
func (c *View) reached(f Flow, s event.Step) bool {
	h := c.Main
	switch {
	case f.unread:
		return s == event.Step1
	case f.bare:
		return true
	}
	serverWentOn := h.Sides[1].Finished || c.Sides[1].Data > 0 || h.Sides[1].ChangedCipher || c.Sides[1].FirstData
	switch s {
	case event.Step1:
		return true
	case event.Step2:
		switch {
		case f.Transport:
			return serverWentOn
		case f.signed && h.Is13():
			st, _ := h.Proved(words.ProofServerCV)
			return st != "" || c.Sides[1].Dark > 0
		case f.signed:
			return h.ServerKey != nil
		}
		return true
	case event.Step3:
		return !f.cert || h.Is13() || h.Sides[1].CertSeen
	case event.Step4a:
		return !f.cert || c.wentOn()
	case event.Step4b, event.Step4c, event.Step5:
		return h.Is13() || h.ClientKey != nil || !f.exchange && !f.Agreed
	case event.Step6a:
		switch {
		case f.Lasting:
			return serverWentOn
		case f.fresh && f.exchange:
			return h.ClientKey != nil
		case f.KEM:
			return h.Sides[0].Finished || c.Sides[0].FirstData || c.Sides[0].Opened || c.Sides[0].Dark > 0
		}
		return true
	case event.Step6b:
		return h.Switched || c.Sides[1].FirstData
	}
	return c.Sides[1].FirstData // 7 and 8
}

// Row tells one step of a connection as far as it is known now.
func (c *View) Row(s event.Step) event.Row {
	r := c.rowSeen(s)
	if c.OverUDP() && Lacks(r.Says) {
		// Over UDP one message can be missing in the middle.
		r.Verdict, r.Says = event.Unknown, words.Say("step-hidden", event.None, words.Args{"reason": words.Piece("unread/more")})
	}
	return r
}

// failedRow tells the step at which a connection failed.
func (c *View) failedRow(a Values, r *event.Row) {
	r.Verdict = event.Failed
	id := c.Failure.id
	if r.Step == event.Step4a && c.Leg == capture.LegOrigin && c.Verified != nil && c.Verified.Outcome != "ok" && id != "step-4a-proxy-bad" {
		id = "step-4a-proxy-refused" // its note came after its alert
		if c.Verified.Done == "mirrored" && c.WentOnTo == nil {
			id = "step-4a-proxy-mirrored-refused"
		}
	}
	r.Says = words.Say(id, c.Failure.how(), a.With("cause", c.Failure.Cause, "fault", c.Failure.Cause))
	r.Packets = c.Failure.at.Packets()
}

// unreached tells a step that these bytes do not show, if there is something to tell.
func (c *View) unreached(f Flow, s event.Step, a Values, r *event.Row) bool {
	say := func(v event.Verdict, id string, how event.Evidence, pairs ...any) {
		r.Verdict, r.Says = v, words.Say(id, how, a.With(pairs...))
	}
	switch {
	case f.unread && c.Main.Hello == nil && c.TLS:
		say(event.Unknown, c.unseen(), event.None)
	case s == event.Step4a && c.Failure != nil && (c.Main.Sides[0].Finished || c.Main.Sides[0].FinishedSealed):
		say(event.Unseen, "step-4a-finished", event.Inferred)
		r.Packets = c.Main.At[proof.AtClientFinished].Packets()
	case s == event.Step4a && c.Failure != nil && c.Failure.Step == event.Step8:
		say(event.Unknown, "step-4a-hidden", event.None, "reason", words.Piece("value/stopped-over-record"))
	case c.Failure != nil && stepIndex(s) < stepIndex(c.Failure.Step) && !c.Entire():
		say(event.Unknown, "step-hidden", event.None, "reason", c.lacking())
	case c.Failure != nil:
		say(event.NotReached, "step-not-reached", event.Inferred, "step", string(c.Failure.Step))
		r.Proofs = c.stepProofs(f, s)
	case s != event.Step1 && c.oneSided(1):
		say(event.Unknown, "step-one-sided", event.None, "sender", c.Side(1))
	case c.oneSided(0) && c.Sides[0].Heard:
		say(event.Unknown, "step-hidden", event.None, "reason", c.lacking())
	case c.oneSided(0):
		say(event.Unknown, "step-one-sided", event.None, "sender", c.Side(0))
	case s == event.Step4a && c.unreached4a(f, a, r):
	case c.Sides[1].FirstData && s != event.Step4a || c.Through():
		// It must have taken place, or what came later could not have.
		say(event.Unknown, "step-hidden", event.None, "reason", cmp.Or(c.Main.Broken, words.Piece("value/message-shows-not-capture")))
	case c.Over && (!c.Entire() || c.Main.ServerHello == nil && c.Sides[1].Dark > 0):
		say(event.Unknown, "step-hidden", event.None, "reason", words.Piece("unread/not-all"))
	case c.Over:
		say(event.NotReached, "step-not-reached-closed", event.Inferred)
	case c.Ended():
		say(event.Unknown, c.unseen(), event.None)
	default:
		return false
	}
	return true
}

// unreached4a tells what can be said of the check of a certificate after which the client
// sent nothing, if there is something.
func (c *View) unreached4a(f Flow, a Values, r *event.Row) bool {
	client := c.Main.Sides[0]
	proxy := c.Leg == capture.LegOrigin && c.Verified != nil // which is the client, and has noted what it found
	sent := c.Main.Sides[1].CertSeen
	switch {
	case proxy && c.Verified.Outcome == "ok" && (client.Finished || c.Over) && sent:
		r.Verdict, r.Says = event.Unseen, words.Say("step-4a-proxy-ok-unused", event.None, a)
	case proxy:
		c.row4a(f, a, r)
		r.Packets, r.Proofs = nil, c.stepProofs(f, r.Step)
	case (client.Finished || client.FinishedSealed) && sent && !c.Sides[0].All():
		r.Verdict, r.Says = event.Unseen, words.Say("step-4a-finished", event.Inferred, a)
	case (client.Finished || client.FinishedSealed) && sent:
		id, fault := c.finishedOnly()
		r.Verdict, r.Says = event.Unseen, words.Say(id, event.Inferred, a.With("fault", fault))
	case c.Over && sent:
		r.Verdict, r.Says = event.Unknown, words.Say("step-4a-hidden", event.None, a.With("reason", cmp.Or(c.Main.Broken, words.Piece("value/message-would-show-not"))))
	default:
		return false
	}
	return true
}

// finishedOnly is the sentence about a client that finished its handshake and sent
// nothing then, and what is wrong with the certificate.
func (c *View) finishedOnly() (id string, fault event.Text) {
	_, fault = faultOf(c.Main)
	mirrored := c.mirroredFaults()
	switch {
	case c.Shown.Control() && c.Over:
		id = "step-4a-case-finished-control"
	case c.Shown.known() && c.Over:
		id = "step-4a-case-finished"
	case !mirrored.Empty() && c.Over:
		return "step-4a-finished-only-mirrored", mirrored
	case !mirrored.Empty():
		id = "step-4a-finished-open"
	case c.Leg == capture.LegBrowser && c.Minted != nil:
		id = "step-4a-finished-only-minted"
	case c.Sides[0].Heartbeat:
		id = "step-4a-finished" // it wanted something else than data
	case c.Conn.Transport == capture.TransportDTLS:
		id = "step-4a-finished-dtls" // whose end no message need show
	case !c.Over && c.Left() != "":
		id = "step-4a-finished-left"
	case !c.Over:
		id = "step-4a-finished-open"
	case c.Sides[1].FirstData && !fault.Empty():
		id = "step-4a-finished-listens-fault"
	case c.Sides[1].FirstData:
		id = "step-4a-finished-listens"
	case !fault.Empty():
		id = "step-4a-failed-late"
	default:
		id = "step-4a-finished-only"
	}
	return id, fault
}

// behindHoles are sentences that say what came first, and what is said instead where
// something may have come before that: in clear, or among what is missing.
var behindHoles = map[string]string{
	"step-4b-tls13": "step-4b-tls13-holed",
	"step-5-tls13":  "step-5-tls13-holed",
}

func (c *View) rowSeen(s event.Step) event.Row {
	f, h := c.Flow(), c.Main
	r := event.Row{Step: s, Verdict: f.verdict(s)}
	a := c.Values()
	if c.Failure != nil && c.Failure.Step == s {
		c.failedRow(a, &r)
		r.Proofs = c.stepProofs(f, s)
		return r
	}
	if c.OverUDP() {
		if r, ok := c.udpRow(f, s, a); ok {
			r.Proofs = c.stepProofs(f, s)
			return r
		}
	}
	if says, ok := c.sealedFrom(f, s, a); ok {
		r.Verdict, r.Says = event.Unknown, says
		if s == event.Step7 || s == event.Step8 {
			r.Packets = c.Sides[1].DarkAt.Packets()
		}
		return r
	}
	if !c.reached(f, s) && c.unreached(f, s, a, &r) {
		return r
	}
	if (s == event.Step4b || s == event.Step5) && f.verdict(s) == event.Differently && a.Value("clientshare").Empty() && f.share {
		r.Verdict, r.Says = event.Unknown, words.Say("step-hidden", event.None, a.With("reason", words.Piece("unread/client-share")))
		return r
	}
	switch cell, ok := f.cells[s]; {
	case ok && f.ID == "tls12-rsa-export" && h.ServerKey == nil && s != event.Step4b:
		r.Verdict, r.Says = event.Unknown, words.Say("step-hidden", event.None, a.With("reason", c.lacking()))
	case ok:
		id := cell.says
		if behind := behindHoles[id]; behind != "" && (h.Holed() || !c.Begun() || c.Sides[1].Start < capture.StartSYN || c.spokeBefore()) {
			id = behind
		}
		if id == "step-5-hrr" && c.sharedAtOnce() {
			id = "step-5-hrr-cookie"
		}
		if s == event.Step5 && h.Is13() && c.sharedInside() {
			id = "step-5-inner"
		}
		r.Says, r.Packets = words.Say(id, cell.how, a), c.placed(cell.at)
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
		r.Packets = c.Main.At[proof.AtHello].Packets()
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
			_, reason := c.Main.Proved(p.ID)
			id := "step-refuted"
			if c.wentOn() && s == event.Step4a {
				id = "step-refuted-went-on"
			}
			r.Verdict = event.Failed
			claim := words.Claim(p.ID, a)
			r.Says = words.Say(id, event.Recomputed, a.With("claim", words.Inside(claim), "reason", reason))
		}
	}
	return r
}

// spokeBefore tells whether the two sides had spoken with each other before the hello of
// TLS: in another protocol, to open a tunnel, or to agree on a version of QUIC or a path;
// or may have, where a token can come from a Retry that is not in the capture.
func (c *View) spokeBefore() bool {
	return c.StartTLS != nil || c.ConnectHost != "" || c.UDP != nil && (c.UDP.Retry || c.UDP.Token || c.UDP.Negotiated)
}

// sharedAtOnce tells whether the group of the key exchange is one for which the client's
// first hello had a share, before a HelloRetryRequest: that one asked for something else.
func (c *View) sharedAtOnce() bool {
	h := c.Main
	return h.ServerHello != nil && h.ServerHello.KeyShare() != nil && h.FirstHello != nil && shareOf(h.FirstHello, h.ServerHello.KeyShare().Group) != nil
}

// hidden tells what sealed records keep from whoever has no keys: there a step is
// told as unknown and nothing else, since with the keys it can turn out to be anything.
func (c *View) sealedFrom(f Flow, s event.Step, a Values) (event.Sentence, bool) {
	h := c.Main
	if h.ServerHello == nil {
		return event.Sentence{}, false
	}
	told := func(id string, how event.Evidence) (event.Sentence, bool) {
		return words.Say(id, how, a.With("clientbytes", strconv.FormatInt(c.Sides[0].Wire, 10), "serverbytes", strconv.FormatInt(c.Sides[1].Wire, 10))), true
	}
	switch s {
	case event.Step3, event.Step4b:
		if h.EarlyUndecided() && c.Sides[1].Dark > 0 && h.ServerHello.KeyShare() == nil {
			return told("step-hidden-early", event.None)
		}
	case event.Step4a:
		proxy := c.Leg == capture.LegOrigin && c.Verified != nil
		if !c.HasCertificate() || c.wentOn() || proxy || c.Failure != nil {
			break
		}
		switch {
		case c.Sides[0].DarkAlert && !c.Sides[0].All():
			return words.Say("step-4a-hidden", event.None, a.With("reason", c.lacking())), true
		case c.Sides[0].DarkAlert:
			return told("step-4a-sealed-alert", event.None)
		case h.Is13() && c.Sides[0].Dark == 1 && c.Sides[0].Wire == 24 && !h.Sides[0].Finished && c.Sides[0].All():
			return told("step-4a-failed-sealed-alert", event.None)
		case h.Is13() && c.Sides[0].Dark > 0 && !h.Sides[0].Finished:
			return told("step-4a-sealed", event.None)
		case h.Is13() && c.Sides[0].Dark > 0:
			return told("step-4a-sealed-rest", event.None)
		case h.Suite() == nil && c.Sides[0].Dark > 0:
			if s, _ := h.Proved(words.ProofSKE); s == event.Refuted {
				return told("step-4a-refuted-went-on", event.Recomputed)
			}
			return told("step-hidden-suite", event.None)
		}
	case event.Step7, event.Step8:
		if ids := c.sealedData(); ids[0] != "" {
			return told(ids[stepIndex(s)-stepIndex(event.Step7)], event.None)
		}
	}
	return event.Sentence{}, false
}

// sealedData are the sentences of steps 7 and 8 where sealed records keep what became of
// the data; "" where they do not.
func (c *View) sealedData() (ids [2]string) {
	h := c.Main
	switch {
	case c.Sides[1].Data > 0:
	case h.Is13() && c.Sides[1].Dark > 0:
		ids = [2]string{"step-7-sealed13", "step-8-sealed13"}
	case h.Suite() == nil && c.Sides[1].Dark > 0:
		ids = [2]string{"step-hidden-suite", "step-hidden-suite"}
	case c.Sides[1].FirstData || !c.Sides[1].All() || c.Failure != nil && c.Failure.Step == event.Step7:
	case h.Is13() && c.Sides[0].Dark > 0:
		ids = [2]string{"step-7-sealed-client", "step-8-sealed-alert"}
	case c.Sides[0].DarkAlert, c.Sides[1].DarkAlert:
		ids = [2]string{"step-7-sealed-alert", "step-8-sealed-alert"}
	}
	return ids
}

// Begun tells whether it is known where the connection begins, which over UDP needs nothing.
func (c *View) Begun() bool { return c.Sides[0].Start > capture.StartHello }

// open tells that neither side was seen to close.
func (c *View) open() bool { return c.Closer == 0 && !c.Reset }

// Entire tells whether nothing is missing between what was told of both sides, and all of it was read.
func (c *View) Entire() bool { return c.Sides[0].Whole() && c.Sides[1].Whole() }

// Holed tells whether bytes of either side are missing.
func (c *View) Holed() bool { return c.Sides[0].Gone+c.Sides[1].Gone > 0 }

// framed tells whether the hello was found in packets of another protocol, and the rest is in them.
func (c *View) framed() bool {
	return c.Sides[0].Unread(capture.OpaqueTDS)+c.Sides[1].Unread(capture.OpaqueTDS) > 0
}

// Ended tells whether the capture ended before the connection did, or it was not followed to its end.
func (c *View) Ended() bool { return c.Sides[0].Ended }

// Left is why it was not followed to its end, "" if that is not so.
func (c *View) Left() string { return c.Sides[0].Left }

// lacking is why something of a connection cannot be told that is not whole.
func (c *View) lacking() event.Text {
	if c.Holed() {
		return cmp.Or(c.Main.Broken, words.Piece("brief/bytes-missing-capture"))
	}
	return cmp.Or(c.Main.Broken, words.Piece("unread/not-all"))
}

// serverFirst tells whether the server's application data came before the client's. Where
// it stands before it and was told behind it, as in a capture whose packets were put into
// another order than they acknowledge one another, that is not known, nor where messages
// of the handshake stand before what they answer, or the times put the packets in another
// order than the one in which they stand. Sealed records are told by the run, and so not
// always in their order.
func (c *View) serverFirst() (first, known bool) {
	a, b := c.Sides[0].DataAt, c.Sides[1].DataAt
	if a.First != 0 && b.First != 0 && a.First != b.First {
		first = b.First < a.First
		return first, !c.Main.Crossed() && !c.timesCross() && (!first || c.Spoke == 2 || c.Sides[0].Data == 0 || c.Sides[1].Data == 0)
	}
	return c.Spoke == 2, true
}

// timesCross tells that by their times the sides' first application data was sent in another
// order than its packets stand in.
func (c *View) timesCross() bool {
	a, b := &c.Sides[0], &c.Sides[1]
	return a.DataTime != b.DataTime && a.DataAt.First < b.DataAt.First != (a.DataTime < b.DataTime)
}

// stepProofs are the proofs that carry a step.
func (c *View) stepProofs(f Flow, s event.Step) []event.RowProof {
	h := c.Main
	switch s {
	case event.Step2:
		return h.Picked(f.speaks...)
	case event.Step3:
		return h.Picked(words.ProofLeaf)
	case event.Step4a:
		return h.Picked(words.ProofServerLinks)
	case event.Step4b:
		if f.Transport {
			return h.Picked(words.ProofRSAVersion, words.ProofRSAMaster)
		}
	case event.Step4c:
		if f.Transport {
			return h.Picked(h.BlockProof())
		}
	case event.Step5:
		if f.Transport {
			return h.Picked(h.BlockProof(), words.ProofClientFin)
		}
		if f.Early {
			return h.Picked(words.ProofEarlyFirst, words.ProofEarlyPacket)
		}
	case event.Step6a:
		if f.Lasting {
			return h.Picked(words.ProofServerFin)
		}
		if f.KEM {
			return h.Picked(words.ProofClientFin)
		}
	case event.Step6b:
		return h.Picked(f.seals...)
	case event.Step7:
		if h.Tried(words.ProofServerPacket) {
			return h.Picked(words.ProofServerPacket)
		}
		if h.Tried(words.ProofServerRecords) {
			return h.Picked(words.ProofServerRecords)
		}
		return h.Picked(words.ProofServerFirst)
	}
	return nil
}

func (c *View) row1(f Flow, a Values, r *event.Row) {
	r.Packets = c.Opening.Packets()
	client, server := c.peers()
	a = a.With("client", client, "server", server)
	connect := c.ConnectHost != ""
	r.Verdict = event.Differently
	if s := c.StartTLS; s != nil && !connect && c.Conn.SYN && (s.Target != "" || c.Conn.Server.Port() != 443) {
		id := "step-1-starttls"
		if s.Refused {
			id = "step-1-starttls-refused"
		}
		if s.Target != "" {
			id = "step-1-socks"
			if !strings.HasSuffix(s.Target, ":443") {
				id = "step-1-socks-other"
			}
		}
		r.Says = words.SayStartTLS(id, s.Protocol, event.Clear, c.StartTLSArgs(s, a))
		return
	}
	switch {
	case f.ID == "opaque" && !connect:
		r.Says = words.Say("step-1-opaque", event.Clear, a)
	case f.Plain && c.NoTunnel && c.Asked != "":
		r.Says = words.Say("step-1-connect-refused", event.Clear, a)
	case connect:
		id := "step-1-connect"
		if _, port, ok := SplitHostPort(a.Value("asked").English); ok && port != "443" {
			id = "step-1-connect-other"
		}
		r.Says = words.Say(id, event.Clear, a)
	case f.Plain && (c.Leg == capture.LegBrowser && c.Asked != ""):
		r.Says = words.Say("step-1-plain-proxy", event.Clear, a)
	case f.Plain && !c.Conn.SYN && !c.Conn.Asked && !c.Conn.Answered:
		r.Says = words.Say("step-1-plain-no-syn", event.Clear, a)
	case f.Plain && c.Conn.Server.Port() == 443:
		r.Says = words.Say("step-1-plain-443", event.Clear, a)
	case f.Plain:
		r.Says = words.Say("step-1-plain", event.Clear, a)
	case c.Conn.Asked:
		if c.Conn.Server.Port() == 443 {
			r.Verdict = event.Unknown
		}
		r.Says = words.Say("step-1-asked", event.Clear, a)
	case c.Conn.Answered && c.Conn.Server.Port() == 443:
		r.Verdict, r.Says = event.AsTold, words.Say("step-1-answered", event.Clear, a)
	case c.Conn.Server.Port() != 443 && !c.Conn.SYN && !c.Conn.Answered:
		r.Says = words.Say("step-1-other-port-no-syn", event.Clear, a)
	case c.Conn.Server.Port() != 443:
		r.Says = words.Say("step-1-other-port", event.Clear, a)
	case !c.Conn.SYN:
		r.Verdict, r.Says = event.Unknown, words.Say("step-1-no-syn", event.None, a)
	case c.Main.ServerHello == nil:
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
func (c *View) whyUnread() event.Text {
	return cmp.Or(c.Sides[1].Why, c.Sides[0].Why, words.Piece("unread/no-keys"))
}

func (c *View) row2(f Flow, a Values, r *event.Row) {
	h := c.Main
	minted := c.Leg == capture.LegBrowser && c.Minted != nil
	pick := func(plain, own string) string {
		if minted {
			return own
		}
		return plain
	}
	switch {
	case f.Transport:
		state, reason := h.Proved(words.ProofServerFin)
		r.Packets = h.At[proof.AtServerFinished].Packets()
		switch state {
		case event.Proven:
			if !h.Linked() {
				id := "step-2-rsa-finished"
				switch {
				case f.Agreed:
					id = "step-2-rsa-psk-finished"
				case h.LinkedByLog():
					id = "step-2-rsa-logged"
				}
				r.Says = words.Say(id, event.Inferred, a)
				return
			}
			r.Says = words.Say(pick("step-2-rsa-proven", "step-2-minted-rsa-proven"), event.Recomputed, a)
		case event.Refuted:
			r.Verdict, r.Says = event.Failed, words.Say("step-2-refuted-finished", event.Recomputed, a)
		default:
			r.Verdict, r.Says = event.Unknown, words.Say("step-2-rsa-unchecked", event.None, a.With("reason", cmp.Or(reason, c.whyUnread())))
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
	case f.Resumed:
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
		r.Says = words.Say(c.unseen(), event.None, a)
	case "tls12-dh":
		c.rowStaticDH(a, r)
	default:
		if h := c.Main; h.ServerHello != nil && !h.Is13() && h.ServerHello.CipherSuite>>8 == 0x13 {
			r.Says = words.Say("step-other-suite13", event.Clear, a)
			return
		}
		if c.oneSided(0) {
			if r.Says = words.Say("step-one-sided", event.None, a.With("sender", c.Side(0))); c.Sides[0].Heard {
				r.Says = words.Say("step-hidden", event.None, a.With("reason", c.lacking()))
			}
			return
		}
		r.Says = words.Say("step-other", event.None, a)
	}
}

func (c *View) row3(f Flow, a Values, r *event.Row) {
	h := c.Main
	minted := c.Leg == capture.LegBrowser && c.Minted != nil
	how := event.Clear
	r.Packets = h.At[proof.AtCertificate].Packets()
	if h.RawLeaf(1) && c.HasCertificate() {
		id := "step-3-raw-only"
		if !a.Value("servershare").Empty() && !f.KEM {
			id = "step-3-raw"
		}
		r.Says = words.Say(id, c.seen(), a)
		return
	}
	switch {
	case f.Transport:
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
		case h.ServerKey == nil && (c.Over || c.Ended()):
			id = "step-3-dhe-half-only"
		case h.ServerKey == nil:
			id = "step-3-dhe-half"
		}
		r.Says = words.Say(id, how, a)
	case f.signed:
		stem := "tls13"
		if f.KEM {
			stem = "mlkem"
		}
		r.Packets = h.At[proof.AtServerHello].Packets()
		switch {
		case h.Sides[1].Leaf == nil && c.Sides[1].Dark > 0:
			r.Says = words.Say("step-3-"+stem+"-sealed", event.Clear, a)
		case h.Sides[1].Leaf == nil && (c.Ended() || c.Over):
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
	case f.Resumed && f.fresh:
		r.Packets = h.At[proof.AtServerHello].Packets()
		id := "step-3-psk-dhe"
		if f.KEM {
			id = "step-3-psk-mlkem"
		}
		r.Says = words.Say(id, how, a)
	default:
		if f.Odd && h.Sides[1].Leaf != nil {
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
	h := c.Main
	switch {
	case f.cert:
		r.Packets = c.Sides[0].DataAt.Packets()
		ske, _ := h.Proved(words.ProofSKE)
		cv, _ := h.Proved(words.ProofServerCV)
		id, bad := faultOf(h)
		switch {
		case h.RawLeaf(1):
			r.Says = words.Say("step-4a-raw", event.Inferred, a)
		case ske == event.Refuted || cv == event.Refuted:
			r.Says = words.Say("step-4a-refuted-went-on", event.Recomputed, a)
		case c.Shown.known():
			r.Says = words.Say(c.row4aCase(), event.Inferred, a)
		case c.Leg == capture.LegOrigin && c.Verified != nil && c.Verified.Outcome == "ok":
			r.Says = words.Say("step-4a-proxy-ok", event.None, a)
		case c.Leg == capture.LegOrigin && c.Verified != nil:
			if c.WentOnTo != nil {
				r.Says = words.Say("step-4a-proxy-mirrored-went-on", event.None, a)
			} else if c.wentOn() {
				r.Says = words.Say("step-4a-proxy-bad-went-on", event.None, a.With("asked", cmp.Or(event.Plain(event.Clip(c.Verified.Host)), a.Value("asked"))))
			} else {
				r.Says = words.Say("step-4a-proxy-bad", event.None, a)
			}
		case !c.mirroredFaults().Empty():
			r.Says = words.Say("step-4a-mirrored", event.Inferred, a.With("fault", c.mirroredFaults()))
		case !bad.Empty():
			r.Says = words.Say(id, event.Inferred, a.With("fault", bad))
		case c.Leg == capture.LegBrowser && c.Minted != nil:
			r.Says = words.Say("step-4a-minted", event.Inferred, a)
		default:
			r.Says = words.Say("step-4a-unseen", event.Inferred, a)
		}
	case f.Resumed:
		r.Says = c.behind(a)
	default:
		c.rowOther(f, a, r)
	}
}

// fault is what the checks of the server's chain found wrong, in the words of the
// Certificate line, and the sentence for a client that went on all the same: what
// another list of authorities might mend is told apart. "" if they found nothing.
func faultOf(h *proof.Handshake) (id string, text event.Text) {
	k := h.Sides[1].Checked
	if k == nil || len(k.Failed) == 0 {
		return "", event.Text{}
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
	return id, words.List(";", k.Failed...)
}

func (c *View) row4b(f Flow, a Values, r *event.Row) {
	h := c.Main
	r.Packets = h.At[proof.AtClientKey].Packets()
	if h.Is13() {
		r.Packets = h.At[proof.AtHello].Packets()
	}
	switch {
	case f.Transport:
		id, how := "step-4b-rsa", event.Inferred
		if s, _ := h.Proved(h.BlockProof()); s == event.Proven {
			id, how = keyedID(h, "step-4b-rsa-proven", "step-4b-rsa-key"), event.Recomputed
		}
		r.Says = words.Say(id, how, a)
	case f.ID == "tls13-hrr":
		r.Packets = span(h.At[proof.AtFirstHello], h.At[proof.AtHello])
		id := "step-4b-hrr"
		switch {
		case c.sharedAtOnce():
			id = "step-4b-hrr-cookie"
		case h.FirstHello != nil && ShareWords(h.FirstHello.KeyShares()).English == "":
			id = "step-4b-hrr-none"
		}
		r.Says = words.Say(id, event.Inferred, a)
	case f.Resumed:
		id := "step-4b-psk-dhe"
		switch {
		case h.EarlyUndecided(): // whether or not the server takes it
			id = "step-4b-early-dhe"
		case f.KEM:
			id = "step-4b-psk-mlkem"
		}
		r.Says = words.Say(id, event.Inferred, a)
	case f.Agreed && f.fresh && a.Value("group").Empty():
		r.Verdict, r.Says = event.Unknown, words.Say("step-hidden", event.None, a.With("reason", c.lacking()))
	case f.Agreed && f.fresh:
		r.Says = words.Say("step-4b-external-dhe", event.Inferred, a)
	case f.Agreed:
		r.Says = words.Say("step-4b-external", event.Inferred, a)
	default:
		c.rowOther(f, a, r)
	}
}

func (c *View) row4c(f Flow, a Values, r *event.Row) {
	h := c.Main
	switch {
	case f.Transport:
		r.Packets = h.At[proof.AtClientKey].Packets()
		switch s, reason := h.Proved(h.BlockProof()); s {
		case event.Proven:
			r.Says = words.Say(keyedID(h, "step-4c-rsa-proven", "step-4c-rsa-key"), event.Recomputed, a.With("key", cmp.Or(a.Value("key"), event.Plain("RSA"))))
		case event.Refuted:
			r.Verdict, r.Says = event.Failed, words.Say("step-4c-rsa-refuted", event.Recomputed, a.With("reason", reason))
		default:
			r.Says = words.Say("step-4c-rsa", event.Inferred, a)
		}
	case f.KEM:
		r.Packets = h.At[proof.AtServerHello].Packets()
		r.Verdict, r.Says = event.Differently, words.Say("step-4c-mlkem", event.Inferred, a)
	case f.Resumed:
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
	h := c.Main
	switch {
	case f.Transport:
		r.Packets = h.At[proof.AtServerFinished].Packets()
		switch state, reason := h.Proved(words.ProofServerFin); state {
		case event.Proven:
			if !h.Linked() {
				id := "step-6a-rsa-finished"
				switch {
				case f.Agreed:
					id = "step-6a-rsa-psk-finished"
				case h.LinkedByLog():
					id = "step-6a-rsa-logged"
				}
				r.Says = words.Say(id, event.Inferred, a)
				return
			}
			r.Says = words.Say(keyedID(h, "step-6a-rsa-proven", "step-6a-rsa-key"), event.Recomputed, a)
		case event.Refuted:
			r.Verdict, r.Says = event.Failed, words.Say("step-6a-rsa-refuted", event.Recomputed, a)
		default:
			r.Verdict, r.Says = event.Unknown, words.Say("step-6a-rsa-unchecked", event.None, a.With("reason", cmp.Or(reason, c.whyUnread())))
		}
	case f.KEM && f.share:
		r.Verdict = event.Differently
		r.Packets = h.At[proof.AtClientFinished].Packets()
		if c.Sealed13() {
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
	case f.Resumed:
		r.Says = words.Say("step-6a-absent-ticket13", event.Inferred, a)
	default:
		c.rowOther(f, a, r)
	}
}

func (c *View) row6b(f Flow, a Values, r *event.Row) {
	h := c.Main
	r.Packets = h.At[proof.AtSwitch].Packets()
	switch {
	case f.bare:
		c.rowOther(f, a, r)
	case c.Null():
		r.Verdict, r.Says = event.Absent, words.Say("step-6b-null", event.Clear, a)
	case h.Suite() == nil:
		r.Says = words.Say("step-6b-unknown-suite", event.Inferred, a)
	case f.Early:
		r.Says = words.Say("step-6b-early", c.encrypted(), a)
	case h.Is13() && (c.Early || c.sentEarly() && !h.EarlyUndecided()):
		r.Says = words.Say("step-6b-tls13-after-early", c.encrypted(), a)
	case h.Is13() && h.EarlyUndecided():
		r.Says = words.Say("step-6b-tls13-early-open", c.encrypted(), a)
	case h.Is13():
		r.Says = words.Say("step-6b-tls13", c.encrypted(), a)
	case h.Resumed:
		r.Says = words.Say("step-6b-tls12-resumed", event.Clear, a)
	case f.Transport && !f.Agreed:
		r.Says = words.Say("step-6b-tls12", event.Clear, a)
	default:
		r.Says = words.Say("step-6b-tls12-common", event.Clear, a)
	}
}

// seen is how the server's certificate was seen.
func (c *View) seen() event.Evidence {
	if c.Main.Is13() {
		return event.Decrypted
	}
	return event.Clear
}

// sentEarly tells whether data of the client is here that it encrypted before it had an answer.
func (c *View) sentEarly() bool {
	return c.Early || c.UDP != nil && c.UDP.Packets[0][quic.ZeroRTT]+c.UDP.Unsealed[0][quic.ZeroRTT] > 0
}

// encrypted is how it is known that the server's records are encrypted.
func (c *View) encrypted() event.Evidence {
	if c.Sides[1].Opened {
		return event.Decrypted
	}
	return event.Inferred
}

func (c *View) row7(f Flow, a Values, r *event.Row) {
	r.Packets = c.Sides[1].DataAt.Packets()
	serverFirst, known := c.serverFirst()
	switch {
	case f.Plain && !c.Responded:
		r.Says = words.Say("step-7-plain-none", event.Clear, a)
	case f.Plain:
		r.Says = words.Say("step-7-plain", event.Clear, a)
	case f.bare:
		c.rowOther(f, a, r)
	case c.Null():
		r.Verdict, r.Says = event.Differently, words.Say("step-7-null", event.Clear, a)
	case c.OverUDP():
		c.row7DTLS(serverFirst, known, a, r)
	case !c.Sides[1].First && c.Sides[1].Data > 0:
		r.Says = words.Say("step-7-opened-seen", event.Decrypted, a)
	case !c.Sides[1].First:
		r.Says = words.Say("step-7-seen", event.Clear, a)
	case !known || serverFirst && !c.Sides[0].All():
		id, how, reason := "step-7-first-seen", event.Clear, words.Piece("order/not-all")
		if c.Sides[1].Data > 0 {
			id, how = "step-7-opened-first-seen", event.Decrypted
		}
		switch {
		case known:
		case c.timesCross():
			reason = words.Piece("order/times")
		default:
			reason = words.Piece("order/packets")
		}
		r.Says = words.Say(id, how, a.With("reason", reason))
	case c.Sides[1].Data > 0 && serverFirst:
		r.Says = words.Say("step-7-opened-server-first", event.Decrypted, a)
	case c.Sides[1].Data > 0:
		r.Says = words.Say("step-7-opened", event.Decrypted, a)
	case serverFirst:
		r.Says = words.Say("step-7-server-first", event.Clear, a)
	default:
		r.Says = words.Say("step-7-as-told", event.Clear, a)
	}
}

// row7DTLS tells step 7 of DTLS where data of the server is in the capture. Over UDP nothing shows
// what was lost on its way to the capture.
func (c *View) row7DTLS(serverFirst, known bool, a Values, r *event.Row) {
	id, how := "step-7-dtls", event.Clear
	if c.Sides[1].Data > 0 {
		id, how = "step-7-dtls-opened", event.Decrypted
	}
	switch {
	case !known:
	case serverFirst:
		id += "-first"
	default:
		id += "-after"
	}
	r.Says = words.Say(id, how, a)
}

func (c *View) row8(f Flow, a Values, r *event.Row) {
	r.Packets = c.Sides[1].DataAt.Packets()
	switch {
	case f.Plain:
		r.Says = words.Say("step-8-plain", event.Clear, a)
	case f.bare:
		c.rowOther(f, a, r)
	case c.Null():
		r.Verdict, r.Says = event.Absent, words.Say("step-8-null", event.Clear, a)
	case c.Sides[1].Data > 0:
		r.Says = words.Say("step-8-opened", event.Recomputed, a)
	default:
		r.Says = words.Say("step-8-unseen", event.None, a)
	}
}
