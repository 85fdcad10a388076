package annotate

import (
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture/handshake"
)

// hiddenFrom says what of a step an eavesdropper does not see, and why.
func (x *Explainer) hiddenFrom(c *conn, f flow, r event.Row) *event.Sentence {
	if r.Verdict == event.NotReached || slices.Contains(unseenRows, r.Says.ID) {
		return nil // of messages that were not sent, or are not in the capture, nothing can be said
	}
	id := x.hiddenID(c, f, r.Step)
	if id != "" && r.Step == event.Step4a && r.Verdict == event.Failed {
		id = "hidden-4a-inside"
		if r.Says.ID == "step-4a-failed-alert" {
			id = "hidden-4a-told-inside"
		}
	}
	if id == "" {
		return nil
	}
	h := c.main
	a := x.args(c).With(
		"clientbytes", strconv.FormatInt(c.wire[0], 10), "serverbytes", strconv.FormatInt(c.wire[1], 10),
		"clientrecords", words.Plural(int(c.sealed[0]), "record"), "serverrecords", words.Plural(int(c.sealed[1]), "record"),
		"clientdata", words.Plural(int(c.wired[0]), "record"), "serverdata", words.Plural(int(c.wired[1]), "record"),
		"host", "nowhere in clear")
	switch name := h.ServerName(); {
	case name == "" && c.askedInClear() != "":
		a["host"] = "in clear in the request to the proxy (" + clip(c.askedInClear()) + ")"
	case name == "" && h.Sides[1].Leaf != nil && !h.Is13():
		a["host"] = "not in the ClientHello, but the certificate of the server names hosts in clear (step 3)"
	case name != "":
		a["host"] = "in clear in the ClientHello (" + clip(name) + ")"
		if h.Hello.Extension(handshake.ExtECH) != nil {
			a["host"] += ", but it may be a cover for another one (ECH)"
		}
	}
	how := event.Inferred
	if strings.HasSuffix(id, "-inside") {
		how = event.None
	}
	says := words.Say(id, how, a)
	return &says
}

// unseenRows are the sentences of steps whose messages are not seen, for another
// reason than that they are encrypted.
var unseenRows = []string{"step-capture-begins", "step-capture-ends", "step-not-followed", "step-left-out", "step-ports-reused", "step-one-sided", "step-hidden"}

// askedInClear is the host and port that the client asked a proxy for, "" without one.
func (c *conn) askedInClear() string {
	if c.connectHost == "" && c.startTLS != nil {
		return c.startTLS.Target
	}
	return c.connectHost
}

func (x *Explainer) hiddenID(c *conn, f flow, s event.Step) string {
	h := c.main
	switch {
	case f.id == "http":
		return "hidden-plain"
	case f.bare, c.overUDP():
		return ""
	case s == event.Step1:
		return "hidden-1"
	case x.null(c) && (s == event.Step2 || s == event.Step6b || s == event.Step7 || s == event.Step8):
		return "hidden-null"
	}
	before := f.resumed || f.agreed && !f.transport // the common secret is one that both had
	switch s {
	case event.Step2:
		switch {
		case before:
			return "hidden-2-old"
		case f.lasting:
			return "hidden-2-rsa"
		case f.signed && !h.Is13():
			return "hidden-2-signed"
		case h.Is13():
			return "hidden-2-tls13"
		}
	case event.Step3:
		switch {
		case h.Sides[1].Leaf != nil && !h.Is13():
			return "hidden-3-clear"
		case h.Is13() && x.hasCertificate(c):
			return "hidden-3-tls13"
		case f.id == "psk-dhe", h.Is13() && h.ServerHello.KeyShare() != nil:
			return "hidden-3-fresh"
		case before:
			return "hidden-nothing-sent"
		}
	case event.Step4a:
		switch {
		case h.Is13() && x.hasCertificate(c):
			return "hidden-4a-tls13-inside"
		case x.hasCertificate(c):
			return "hidden-4a-inside"
		}
	case event.Step4b:
		switch {
		case f.transport:
			return "hidden-4b-rsa"
		case f.kem:
			return "hidden-4b-kem"
		case f.fresh && !f.agreed, f.id == "tls12-dh":
			return "hidden-4b-dhe"
		case f.fresh:
			return "hidden-4b-psk-dhe"
		case before:
			return "hidden-4b-old"
		}
	case event.Step4c:
		switch {
		case f.transport:
			return "hidden-4c-rsa"
		case f.kem:
			return "hidden-4c-kem"
		}
	case event.Step5:
		switch {
		case f.transport:
			return "hidden-5-rsa"
		case f.kem:
			return "hidden-5-kem"
		case f.fresh && !f.resumed && !f.agreed, f.id == "tls12-dh":
			return "hidden-5-dhe"
		case f.resumed && !f.early && f.id != "tls12-resumed-id":
			return "hidden-5-ticket"
		case f.agreed:
			return "hidden-5-psk"
		case f.early:
			return "hidden-5-early"
		}
	case event.Step6a:
		switch {
		case f.lasting, f.id == "tls12-resumed-ticket":
			return "hidden-6a-inside"
		case f.kem:
			return "hidden-6a-kem-inside"
		}
	case event.Step6b:
		if h.Is13() {
			return "hidden-6b-tls13"
		}
		return "hidden-6b"
	case event.Step7:
		if c.dark[0]+c.dark[1] == 0 || !h.Is13() && c.wired[0]+c.wired[1] == 0 {
			return ""
		}
		if h.Is13() {
			return "hidden-7-tls13"
		}
		return "hidden-7"
	case event.Step8:
		return "hidden-8-inside"
	}
	return ""
}

// lesson is what a summary says to an eavesdropper of a connection that is encrypted.
func (x *Explainer) lesson(c *conn) []event.Sentence {
	h := c.main
	a, f := x.args(c), x.flow(c)
	out := []event.Sentence{words.Say("eavesdropper-sees", event.Clear, a.With("seen", x.eavesdropper(c)))}
	switch {
	case !h.Is13() && h.Resumed:
		out = append(out, words.Say("eavesdropper-later-resumed", event.Inferred, a))
	case !h.Is13() && handshake.SuiteKeyExchange(h.ServerHello.CipherSuite) == handshake.KeyExchangeRSA:
		out = append(out, words.Say("eavesdropper-later-rsa", event.Inferred, a))
	case f.id == "tls12-dh":
		out = append(out, words.Say("eavesdropper-later-dh", event.Inferred, a))
	case f.id == "psk-rsa":
		out = append(out, words.Say("eavesdropper-later-rsa-psk", event.Inferred, a))
	case f.id == "psk", f.id == "tls13-psk":
		out = append(out, words.Say("eavesdropper-later-psk", event.Inferred, a))
	case f.id == "tls13-0rtt":
		out = append(out, words.Say("eavesdropper-later-early", event.Inferred, a))
	case f.id == "psk-dhe", f.id == "tls13-psk-dhe":
		out = append(out, words.Say("eavesdropper-later-psk-dhe", event.Inferred, a))
	case f.id != "other":
		out = append(out, words.Say("eavesdropper-later-dhe", event.Inferred, a))
	}
	if h.Is13() && h.OfferedEarly() && f.id != "tls13-0rtt" {
		out = append(out, words.Say("eavesdropper-later-early-announced", event.Inferred, a))
	}
	return out
}
