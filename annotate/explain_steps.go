package annotate

import (
	"fmt"
	"net/netip"
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
type flow struct {
	*kind
	id    string // permanent
	title string
	kem   bool // the server makes the secret and encrypts it to the client (ML-KEM)
	hrr   bool
}

// verdict is that of a step in a connection of this kind that got through.
func (f flow) verdict(s event.Step) event.Verdict { return f.verdicts[stepIndex(s)] }

func stepIndex(s event.Step) int {
	for i, t := range event.Steps {
		if t == s {
			return i
		}
	}
	return 0
}

// flow finds the row of the truth table for a connection's first handshake.
func (x *Explainer) flow(c *conn) flow {
	f := x.named(c)
	f.kind = kinds[f.id]
	return f
}

func (x *Explainer) named(c *conn) flow {
	switch {
	case c.noTLS == "plain":
		return flow{id: "http", title: "plain HTTP, no TLS"}
	case c.noTLS == "opaque":
		return flow{id: "opaque", title: "neither TLS nor HTTP"}
	case !c.tls && c.cut > 0:
		return flow{id: "unknown", title: "a connection that ended inside its first message"}
	case !c.tls && c.c.Continued:
		return flow{id: "unknown", title: "a connection of which nothing is here but that it goes on"}
	case !c.tls:
		return flow{id: "unknown", title: "a connection that carried nothing"}
	}
	h := c.main
	if h.ServerHello == nil && c.overUDP() {
		return c.udpFlow()
	}
	if h.ServerHello == nil {
		if h.Hello != nil && c.oneSided(1) {
			return flow{id: "unknown", title: "one side of a TLS handshake: the server's is not in the capture", hrr: h.Retry != nil}
		}
		if c.givenUp {
			return flow{id: "unknown", title: "a connection that the client gave up before the server answered", hrr: h.Retry != nil}
		}
		if h.Hello != nil {
			return flow{id: "unknown", title: "a TLS handshake without an answer", hrr: h.Retry != nil}
		}
		return flow{id: "unknown", title: "a connection whose handshake is not in the capture"}
	}
	v := h.VersionName()
	if c.c.Transport == capture.TransportQUIC {
		v = c.transport() + ", " + v
	}
	if h.Is13() {
		f := flow{hrr: h.Retry != nil}
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
			f.id, f.title = "other", v+" with a secret that both sides had: of an earlier connection, or one agreed on otherwise"
		case psk && x.external(h):
			f.id, f.title = "psk", v+" with a pre-shared key (told by its age of 0 and its readable name)"
			if ks != nil {
				f.id = "psk-dhe"
			}
		case psk && h.TookEarly():
			f.id, f.title = "tls13-0rtt", v+" resumed, with early data (0-RTT)"
		case psk && ks != nil:
			f.id, f.title = "tls13-psk-dhe", v+" resumed, with a fresh "+group+" exchange"
		case ks == nil && !psk:
			// A draft with other numbers, or no TLS 1.3 at all.
			f.id, f.title = "other", v+" without a key share that can be read"
		case psk:
			f.id, f.title = "tls13-psk", v+" resumed, with the old secret alone"
		case f.kem:
			f.id, f.title = "tls13-mlkem", v+" with "+group+": steps 4b to 6a reversed"
		case f.hrr:
			f.id, f.title = "tls13-hrr", v+" after a HelloRetryRequest"
		default:
			f.id, f.title = "tls13-full", v+" with "+group
		}
		if f.hrr && f.id != "tls13-hrr" {
			f.title += ", after a HelloRetryRequest"
		}
		return f
	}
	if h.Resumed {
		if len(h.Ticket) > 0 {
			return flow{id: "tls12-resumed-ticket", title: v + " resumed with a ticket"}
		}
		return flow{id: "tls12-resumed-id", title: v + " resumed by session id"}
	}
	switch handshake.SuiteKeyExchange(h.ServerHello.CipherSuite) {
	case handshake.KeyExchangeRSA:
		return flow{id: "tls12-rsa", title: v + " with RSA key transport, the textbook's own"}
	case handshake.KeyExchangeDHE:
		return flow{id: "tls12-dhe", title: v + " with ephemeral Diffie-Hellman (DHE)"}
	case handshake.KeyExchangeECDHE:
		return flow{id: "tls12-ecdhe", title: v + " with ephemeral Diffie-Hellman on a curve (ECDHE)"}
	case handshake.KeyExchangeDH, handshake.KeyExchangeECDH:
		return flow{id: "tls12-dh", title: v + " with the lasting Diffie-Hellman key in the certificate"}
	case handshake.KeyExchangeDHAnon, handshake.KeyExchangeECDHAnon:
		return flow{id: "tls12-anonymous", title: v + " without any proof of who the server is"}
	case handshake.KeyExchangePSK:
		return flow{id: "psk", title: v + " with a pre-shared key"}
	case handshake.KeyExchangeDHEPSK, handshake.KeyExchangeECDHEPSK:
		return flow{id: "psk-dhe", title: v + " with a pre-shared key and ephemeral Diffie-Hellman"}
	case handshake.KeyExchangeRSAPSK:
		return flow{id: "psk-rsa", title: v + " with a pre-shared key and RSA key transport"}
	}
	if h.ServerKey != nil && h.Suite() == nil {
		// The suite is in no registry; the shape of the message shows what it is.
		if h.ServerKey.Group != 0 {
			return flow{id: "tls12-ecdhe", title: v + " with ephemeral Diffie-Hellman on a curve, under the unregistered suite " + handshake.SuiteName(h.ServerHello.CipherSuite)}
		}
		return flow{id: "tls12-dhe", title: v + " with ephemeral Diffie-Hellman, under the unregistered suite " + handshake.SuiteName(h.ServerHello.CipherSuite)}
	}
	return flow{id: "other", title: v + " with " + handshake.SuiteName(h.ServerHello.CipherSuite) + ", a key exchange that the table does not have"}
}

// external tells whether the accepted pre-shared key was set up outside of TLS:
// its obfuscated age should then be zero (RFC 8446 4.2.11). A ticket can have that
// age too, so its name must also be short and readable, and no ticket of that
// content seen.
func (x *Explainer) external(h *proof.Handshake) bool {
	if h.Hello == nil {
		return false
	}
	psk := h.Hello.PSK()
	if psk == nil {
		return false
	}
	n, _ := h.ServerHello.SelectedPSK()
	if int(n) >= len(psk.Identities) {
		return false
	}
	id := psk.Identities[n]
	if len(x.recall('t', id.Identity)) > 0 {
		return false
	}
	if id.ObfuscatedTicketAge != 0 || len(id.Identity) > 64 {
		return false
	}
	for _, b := range id.Identity {
		if b < 0x20 || b > 0x7e {
			return false
		}
	}
	return true
}

// names are the values of the sentences that only name the two ends.
func (c *conn) names() words.Args {
	client, server := c.ends()
	return words.Args{"client": client, "server": server}
}

// A ground is what the values of sentences about a connection are made of. While it
// stays, so do they.
type ground struct {
	client, server string // what they are called
	to             netip.AddrPort
	asked, reason  string
	cut            int64
	h              *proof.Handshake
	ch1, ch        *handshake.ClientHello
	hrr, sh        *handshake.ServerHello
	ske            *handshake.ServerKeyExchange
	cke            *handshake.ClientKeyExchange
	leaf           *proof.Certificate
	chain, ticket  int // lengths
	link           *proof.Link
	parents        int // that it can take up
	verified       *capture.Fact
	shown          *shown
}

// args are the values that sentences about a connection can have. Nobody changes
// them: they are the same ones as long as they hold.
func (x *Explainer) args(c *conn) words.Args {
	h := c.main
	g := ground{
		to: c.c.Server, asked: c.askedFor(), reason: c.hiddenReason(), cut: c.cut,
		h: h, ch1: h.FirstHello, ch: h.Hello, hrr: h.Retry, sh: h.ServerHello, ske: h.ServerKey, cke: h.ClientKey,
		leaf: h.Sides[1].Leaf, chain: len(h.Sides[1].Chain), ticket: len(h.Ticket), link: x.linkOf(h), verified: c.verified, shown: c.shown,
	}
	if g.link != nil {
		g.parents = len(g.link.From)
	}
	g.client, g.server = c.ends()
	if c.values == nil || *c.ground != g {
		kept := g
		c.values, c.ground = x.valuesOf(c), &kept
		old := &x.valued[x.valuedAt]
		x.valuedAt = (x.valuedAt + 1) % len(x.valued)
		if *old != nil && *old != c {
			(*old).values, (*old).ground = nil, nil
		}
		*old = c
	}
	return c.values
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

func (x *Explainer) valuesOf(c *conn) words.Args {
	client, server := c.ends()
	h := c.main
	a := make(words.Args, 28) // as many as there are, so that it does not grow
	a["client"], a["server"] = client, server
	a["port"], a["asked"] = port(c.c.Server), or(clip(c.askedFor()), "the host")
	a["version"], a["suite"] = "TLS", "no suite"
	if c.cut > 0 {
		a["bytes"] = strconv.FormatInt(c.cut, 10)
	}
	if h.ServerHello != nil {
		a["version"] = h.VersionName()
		a["suite"] = handshake.SuiteName(h.ServerHello.CipherSuite)
		if ks := h.ServerHello.KeyShare(); ks != nil {
			a["servershare"] = strconv.Itoa(len(ks.Exchange))
			if n := handshake.CiphertextLen(ks.Group); n > 0 {
				a["ciphertext"] = strconv.Itoa(n)
			} else {
				a["ciphertext"] = strconv.Itoa(len(ks.Exchange))
			}
			// Alone, or beside a Diffie-Hellman exchange.
			a["part"], a["beside"] = "one of the two parts of the secret", ", and a public key of its own beside it"
			if ks.Group&0xfff0 == 0x0200 {
				a["part"], a["beside"] = "the secret", " and nothing beside it"
			}
			if s := shareOf(h.Hello, ks.Group); s != nil {
				a["clientshare"] = strconv.Itoa(len(s.Exchange))
			}
		}
	}
	if h.Retry != nil {
		if h.FirstHello != nil {
			a["firstgroups"] = or(shareWords(h.FirstHello.KeyShares()), "no share at all")
		}
		a["whichhello"] = "its second"
	} else {
		a["whichhello"] = "its first"
	}
	if h.Hello != nil {
		a["legacy"] = handshake.VersionName(h.Hello.LegacyVersion)
		if psk := h.Hello.PSK(); psk != nil {
			n := uint16(0)
			if h.ServerHello != nil {
				n, _ = h.ServerHello.SelectedPSK()
			}
			if int(n) < len(psk.Identities) {
				id := psk.Identities[n].Identity
				a["ticket"] = strconv.Itoa(len(id))
				a["identity"] = clip(x.text(readable(id)))
			}
		}
	}
	if len(h.Ticket) > 0 {
		a["ticket"] = strconv.Itoa(len(h.Ticket))
	}
	if h.ServerKey != nil {
		a["servershare"] = strconv.Itoa(len(h.ServerKey.Public))
	}
	a["group"], _, _ = groupOf(h)
	if h.ClientKey != nil {
		if len(h.ClientKey.Public) > 0 {
			a["clientshare"] = strconv.Itoa(len(h.ClientKey.Public))
		}
		if len(h.ClientKey.EncryptedPreMaster) > 0 {
			a["size"] = strconv.Itoa(len(h.ClientKey.EncryptedPreMaster))
		}
		if len(h.ClientKey.PSKIdentity) > 0 {
			a["identity"] = clip(x.text(readable(h.ClientKey.PSKIdentity)))
		}
	}
	if l := h.Sides[1].Leaf; l != nil {
		a["key"] = l.KeyWords()
		a["names"] = clip(l.For())
		a["subject"] = clip(l.Subject())
		a["count"] = words.Plural(len(h.Sides[1].Chain), "certificate")
	}
	a["earlier"] = x.earlierWords(h)
	if v := c.verified; v != nil {
		a["checked"], a["roots"], a["finding"] = or(clip(v.Host), "the host"), rootsWords(v.Addr), findingWords(v)
	}
	a["reason"] = c.hiddenReason()
	if c.shown != nil {
		c.shown.words(a)
	}
	return a
}

// askedFor is the host and port that the connection is about, as far as it was said.
func (c *conn) askedFor() string {
	switch {
	case c.connectHost != "":
		return c.connectHost
	case c.asked != "":
		return c.asked
	}
	return c.session.host
}

// onWay tells whether the client of a TLS connection went on after the
// certificate: it sent application data.
func (c *conn) wentOn() bool { return c.firstData[0] }

// reached tells whether these bytes show that a step took place, or that its
// place in the order has passed.
func (x *Explainer) reached(c *conn, f flow, s event.Step) bool {
	h := c.main
	switch {
	case f.id == "unknown":
		return s == event.Step1
	case f.bare:
		return true
	}
	serverWentOn := h.Sides[1].Finished || c.data[1] > 0 || h.Sides[1].ChangedCipher || c.firstData[1]
	switch s {
	case event.Step1:
		return true
	case event.Step2:
		switch {
		case f.transport:
			return serverWentOn
		case f.signed && h.Is13():
			st, _ := h.Proved(words.ProofServerCV)
			return st != "" || c.dark[1] > 0
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
			return h.Sides[0].Finished || c.firstData[0] || c.opened[0] || c.dark[0] > 0
		}
		return true
	case event.Step6b:
		return h.Switched || c.firstData[1]
	}
	return c.firstData[1] // 7 and 8
}

// row tells one step of a connection as far as it is known now.
func (x *Explainer) row(c *conn, s event.Step) event.Row {
	r := x.rowSeen(c, s)
	if c.overUDP() && lacks(r.Says) {
		// Over UDP one message can be missing in the middle.
		r.Verdict, r.Says = event.Unknown, words.Say("step-hidden", event.None, words.Args{"reason": "a message that shows more of it is not in the capture"})
	}
	return r
}

func (x *Explainer) rowSeen(c *conn, s event.Step) event.Row {
	f := x.flow(c)
	r := event.Row{Step: s, Verdict: f.verdict(s)}
	a := x.args(c)
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
		r.Proofs = x.stepProofs(c, f, s)
		return r
	}
	if c.overUDP() {
		if r, ok := x.udpRow(c, f, s, a); ok {
			r.Proofs = x.stepProofs(c, f, s)
			return r
		}
	}
	if says, ok := x.hidden(c, f, s, a); ok {
		r.Verdict, r.Says = event.Unknown, says
		if s == event.Step7 || s == event.Step8 {
			r.Packets = c.darkAt[1].Packets()
		}
		return r
	}
	if !x.reached(c, f, s) {
		switch {
		case f.id == "unknown" && c.main.Hello == nil && c.tls:
			r.Verdict, r.Says = event.Unknown, words.Say("step-capture-begins", event.None, a)
			return r
		case s == event.Step4a && c.failure != nil && (c.main.Sides[0].Finished || c.main.Sides[0].FinishedSealed):
			r.Verdict, r.Says = event.Unseen, words.Say("step-4a-finished", event.Inferred, a)
			r.Packets = c.main.At[proof.AtClientFinished].Packets()
			return r
		case c.failure != nil:
			r.Verdict, r.Says = event.NotReached, words.Say("step-not-reached", event.Inferred, a.With("step", string(c.failure.step)))
			r.Proofs = x.stepProofs(c, f, s)
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
			x.row4a(c, f, a, &r)
			r.Packets = nil
			r.Proofs = x.stepProofs(c, f, s)
			return r
		case s == event.Step4a && (c.main.Sides[0].Finished || c.main.Sides[0].FinishedSealed) && c.main.Sides[1].CertSeen:
			id := "step-4a-finished-only"
			_, fault := faultOf(c.main)
			switch {
			case c.shown.control() && c.over:
				id = "step-4a-case-finished-control"
			case c.shown.known() && c.over:
				id = "step-4a-case-finished"
			case x.mirroredFaults(c) != "" && c.over:
				id, fault = "step-4a-finished-only-mirrored", x.mirroredFaults(c)
			case x.mirroredFaults(c) != "":
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
		case c.firstData[1] && s != event.Step4a || c.through():
			// It must have taken place, or what came later could not have.
			r.Verdict, r.Says = event.Unknown, words.Say("step-hidden", event.None, a.With("reason", or(c.main.Broken, "the message that shows it is not in the capture")))
			return r
		case c.over && (c.unread[0] || c.unread[1] || c.main.ServerHello == nil && c.dark[1] > 0):
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
	if (s == event.Step4b || s == event.Step5) && f.verdict(s) == event.Differently && a["clientshare"] == "" && f.share {
		r.Verdict, r.Says = event.Unknown, words.Say("step-hidden", event.None, a.With("reason", "the client's share for this group is not in the capture"))
		return r
	}
	switch cell, ok := f.cells[s]; {
	case ok:
		r.Says, r.Packets = words.Say(cell.says, cell.how, a), c.placed(cell.at)
	case s == event.Step1:
		x.row1(c, f, a, &r)
	case s == event.Step2:
		x.row2(c, f, a, &r)
	case s == event.Step3:
		x.row3(c, f, a, &r)
	case s == event.Step4a:
		x.row4a(c, f, a, &r)
	case s == event.Step4b:
		x.row4b(c, f, a, &r)
	case s == event.Step4c:
		x.row4c(c, f, a, &r)
	case s == event.Step5:
		r.Packets = c.main.At[proof.AtHello].Packets()
		x.rowOther(c, f, a, &r)
	case s == event.Step6a:
		x.row6a(c, f, a, &r)
	case s == event.Step6b:
		x.row6b(c, f, a, &r)
	case s == event.Step7:
		x.row7(c, f, a, &r)
	case s == event.Step8:
		x.row8(c, f, a, &r)
	}
	r.Proofs = x.stepProofs(c, f, s)
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
func (x *Explainer) hidden(c *conn, f flow, s event.Step, a words.Args) (event.Sentence, bool) {
	h := c.main
	if h.ServerHello == nil {
		return event.Sentence{}, false
	}
	told := func(id string, how event.Evidence) (event.Sentence, bool) {
		return words.Say(id, how, a.With("clientbytes", strconv.FormatInt(c.wire[0], 10), "serverbytes", strconv.FormatInt(c.wire[1], 10))), true
	}
	switch s {
	case event.Step3, event.Step4b:
		if h.EarlyUndecided() && c.dark[1] > 0 {
			return told("step-hidden-early", event.None)
		}
	case event.Step4a:
		proxy := c.leg == capture.LegOrigin && c.verified != nil
		if !x.hasCertificate(c) || c.wentOn() || proxy || c.failure != nil {
			break
		}
		switch {
		case c.darkAlert[0]:
			return told("step-4a-sealed-alert", event.None)
		case h.Is13() && c.dark[0] == 1 && c.wire[0] == 24 && !h.Sides[0].Finished:
			return told("step-4a-failed-sealed-alert", event.None)
		case h.Is13() && c.dark[0] > 0 && !h.Sides[0].Finished:
			return told("step-4a-sealed", event.None)
		case h.Is13() && c.dark[0] > 0:
			return told("step-4a-sealed-rest", event.None)
		case h.Suite() == nil && c.dark[0] > 0:
			if s, _ := h.Proved(words.ProofSKE); s == event.Refuted {
				return told("step-4a-refuted-went-on", event.Recomputed)
			}
			return told("step-hidden-suite", event.None)
		}
	case event.Step7, event.Step8:
		ids := [2]string{}
		switch {
		case c.data[1] > 0:
		case h.Is13() && c.dark[1] > 0:
			ids = [2]string{"step-7-sealed13", "step-8-sealed13"}
		case h.Suite() == nil && c.dark[1] > 0:
			ids = [2]string{"step-hidden-suite", "step-hidden-suite"}
		case c.firstData[1] || c.failure != nil && c.failure.step == event.Step7:
		case h.Is13() && c.dark[0] > 0:
			ids = [2]string{"step-7-sealed-client", "step-8-sealed-alert"}
		case c.darkAlert[0], c.darkAlert[1]:
			ids = [2]string{"step-7-sealed-alert", "step-8-sealed-alert"}
		}
		if ids[0] != "" {
			return told(ids[stepIndex(s)-stepIndex(event.Step7)], event.None)
		}
	}
	return event.Sentence{}, false
}

// serverFirst tells whether the server's application data came before the client's.
func (c *conn) serverFirst() bool {
	a, b := c.dataAt[0], c.dataAt[1]
	if a.First != 0 && b.First != 0 && a.First != b.First {
		return b.First < a.First
	}
	return c.spoke == 2
}

// stepProofs are the proofs that carry a step.
func (x *Explainer) stepProofs(c *conn, f flow, s event.Step) []event.RowProof {
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

func (x *Explainer) row1(c *conn, f flow, a words.Args, r *event.Row) {
	r.Packets = c.opening.Packets()
	client, server := c.peers()
	a = a.With("client", client, "server", server)
	connect := c.connectHost != ""
	r.Verdict = event.Differently
	if s := c.startTLS; s != nil && !connect && c.c.SYN && (s.Target != "" || c.c.Server.Port() != 443) {
		id := "step-1-starttls"
		if s.Target != "" {
			id = "step-1-socks"
			if !strings.HasSuffix(s.Target, ":443") {
				id = "step-1-socks-other"
			}
		}
		r.Says = words.Say(id, event.Clear, x.startTLSArgs(s, a))
		return
	}
	switch {
	case f.id == "opaque" && !connect:
		r.Says = words.Say("step-1-opaque", event.Clear, a)
	case f.id == "http" && c.noTunnel && c.asked != "":
		r.Says = words.Say("step-1-connect-refused", event.Clear, a)
	case connect:
		id := "step-1-connect"
		if _, port, ok := splitHostPort(a["asked"]); ok && port != "443" {
			id = "step-1-connect-other"
		}
		r.Says = words.Say(id, event.Clear, a)
	case f.id == "http" && (c.leg == capture.LegBrowser && c.asked != ""):
		r.Says = words.Say("step-1-plain-proxy", event.Clear, a)
	case f.id == "http" && c.c.Server.Port() == 443:
		r.Says = words.Say("step-1-plain-443", event.Clear, a)
	case f.id == "http":
		r.Says = words.Say("step-1-plain", event.Clear, a)
	case c.c.Asked:
		if c.c.Server.Port() == 443 {
			r.Verdict = event.Unknown
		}
		r.Says = words.Say("step-1-asked", event.Clear, a)
	case c.c.Server.Port() != 443 && !c.c.SYN:
		r.Says = words.Say("step-1-other-port-no-syn", event.Clear, a)
	case c.c.Server.Port() != 443:
		r.Says = words.Say("step-1-other-port", event.Clear, a)
	case !c.c.SYN:
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
func (c *conn) hiddenReason() string {
	return or(c.why[1], or(c.why[0], "no keys for it are known here"))
}

func (x *Explainer) row2(c *conn, f flow, a words.Args, r *event.Row) {
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
		x.rowOther(c, f, a, r)
	}
}

func (x *Explainer) rowOther(c *conn, f flow, a words.Args, r *event.Row) {
	switch f.id {
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
		x.rowStaticDH(c, a, r)
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

func (x *Explainer) row3(c *conn, f flow, a words.Args, r *event.Row) {
	h := c.main
	minted := c.leg == capture.LegBrowser && c.minted != nil
	how := event.Clear
	r.Packets = h.At[proof.AtCertificate].Packets()
	if h.RawLeaf(1) && x.hasCertificate(c) {
		id := "step-3-raw-only"
		if a["servershare"] != "" && !f.kem {
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
		case h.Sides[1].Leaf == nil && c.dark[1] > 0:
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
		if f.id == "other" && h.Sides[1].Leaf != nil {
			r.Says = words.Say("step-3-other", how, a)
			return
		}
		x.rowOther(c, f, a, r)
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

func (x *Explainer) row4a(c *conn, f flow, a words.Args, r *event.Row) {
	h := c.main
	switch {
	case f.cert:
		r.Packets = c.dataAt[0].Packets()
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
				r.Says = words.Say("step-4a-proxy-bad-went-on", event.None, a.With("asked", or(clip(c.verified.Host), a["asked"])))
			} else {
				r.Says = words.Say("step-4a-proxy-bad", event.None, a)
			}
		case x.mirroredFaults(c) != "":
			r.Says = words.Say("step-4a-mirrored", event.Inferred, a.With("fault", x.mirroredFaults(c)))
		case bad != "":
			r.Says = words.Say(id, event.Inferred, a.With("fault", bad))
		case c.leg == capture.LegBrowser && c.minted != nil:
			r.Says = words.Say("step-4a-minted", event.Inferred, a)
		default:
			r.Says = words.Say("step-4a-unseen", event.Inferred, a)
		}
	case f.resumed:
		r.Says = x.behind(c, h, a)
	default:
		x.rowOther(c, f, a, r)
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

func (x *Explainer) row4b(c *conn, f flow, a words.Args, r *event.Row) {
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
	case f.id == "tls13-hrr":
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
		if a["group"] != "" {
			id = "step-4b-external-dhe"
		}
		r.Says = words.Say(id, event.Inferred, a)
	default:
		x.rowOther(c, f, a, r)
	}
}

func (x *Explainer) row4c(c *conn, f flow, a words.Args, r *event.Row) {
	h := c.main
	switch {
	case f.transport:
		r.Packets = h.At[proof.AtClientKey].Packets()
		switch s, reason := h.Proved(h.BlockProof()); s {
		case event.Proven:
			r.Says = words.Say(keyedID(h, "step-4c-rsa-proven", "step-4c-rsa-key"), event.Recomputed, a.With("key", or(a["key"], "RSA")))
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
		x.rowOther(c, f, a, r)
	}
}

func (x *Explainer) row6a(c *conn, f flow, a words.Args, r *event.Row) {
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
		x.rowOther(c, f, a, r)
	}
}

func (x *Explainer) row6b(c *conn, f flow, a words.Args, r *event.Row) {
	h := c.main
	r.Packets = h.At[proof.AtSwitch].Packets()
	switch {
	case f.bare:
		x.rowOther(c, f, a, r)
	case x.null(c):
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
	case f.id == "tls12-rsa":
		r.Says = words.Say("step-6b-tls12", event.Clear, a)
	default:
		r.Says = words.Say("step-6b-tls12-common", event.Clear, a)
	}
}

// seen is how the server's certificate was seen.
func (c *conn) seen() event.Evidence {
	if c.main.Is13() {
		return event.Decrypted
	}
	return event.Clear
}

// encrypted is how it is known that the server's records are encrypted.
func (c *conn) encrypted() event.Evidence {
	if c.opened[1] {
		return event.Decrypted
	}
	return event.Inferred
}

func (x *Explainer) row7(c *conn, f flow, a words.Args, r *event.Row) {
	r.Packets = c.dataAt[1].Packets()
	serverFirst := c.serverFirst()
	switch {
	case f.id == "http" && !c.responded:
		r.Says = words.Say("step-7-plain-none", event.Clear, a)
	case f.id == "http":
		r.Says = words.Say("step-7-plain", event.Clear, a)
	case f.bare:
		x.rowOther(c, f, a, r)
	case x.null(c):
		r.Verdict, r.Says = event.Differently, words.Say("step-7-null", event.Clear, a)
	case c.data[1] > 0 && serverFirst:
		r.Says = words.Say("step-7-opened-server-first", event.Decrypted, a)
	case c.data[1] > 0:
		r.Says = words.Say("step-7-opened", event.Decrypted, a)
	case serverFirst:
		r.Says = words.Say("step-7-server-first", event.Clear, a)
	default:
		r.Says = words.Say("step-7-as-told", event.Clear, a)
	}
}

func (x *Explainer) row8(c *conn, f flow, a words.Args, r *event.Row) {
	r.Packets = c.dataAt[1].Packets()
	switch {
	case f.id == "http":
		r.Says = words.Say("step-8-plain", event.Clear, a)
	case f.bare:
		x.rowOther(c, f, a, r)
	case x.null(c):
		r.Verdict, r.Says = event.Absent, words.Say("step-8-null", event.Clear, a)
	case c.data[1] > 0:
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
	a := x.args(c)
	if a["group"] != "" {
		add("group", "group", a["group"])
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
		add("checked-by-proxy", "checked by the proxy", strings.TrimSpace(verifiedWords(c.verified)+", against "+rootsWords(c.verified.Addr)))
	}
	return out
}
