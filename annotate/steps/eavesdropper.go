package steps

import (
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture/handshake"
)

// HiddenFrom says what of a step an eavesdropper does not see, and why.
func (c *View) HiddenFrom(f Flow, r event.Row) *event.Sentence {
	if r.Verdict == event.NotReached || slices.Contains(unseenRows, r.Says.ID) {
		return nil // of messages that were not sent, or are not in the capture, nothing can be said
	}
	id := c.whatIsHidden(f, r.Step)
	if id != "" && r.Step == event.Step4a && (r.Verdict == event.Failed || c.Failure != nil && c.Failure.Step == event.Step8) {
		id = "hidden-4a-inside"
		if r.Says.ID == "step-4a-failed-alert" {
			id = "hidden-4a-told-inside"
		}
	}
	if id == "" {
		return nil
	}
	h := c.Main
	a := c.Values().With(
		"clientbytes", strconv.FormatInt(c.Sides[0].Wire, 10), "serverbytes", strconv.FormatInt(c.Sides[1].Wire, 10),
		"clientrecords", words.Count(int(c.Sides[0].Sealed), "record"), "serverrecords", words.Count(int(c.Sides[1].Sealed), "record"),
		"clientdata", words.Count(int(c.Sides[0].Wired), "record"), "serverdata", words.Count(int(c.Sides[1].Wired), "record"))
	host := words.Piece("host/nowhere")
	switch name := h.ServerName(); {
	case name == "" && c.askedInClear() != "":
		host = words.Piece("host/in-connect", "host", event.Clip(c.askedInClear()))
	case name == "" && h.Sides[1].Leaf != nil && !h.Is13():
		host = words.Piece("host/in-certificate")
	case name != "":
		host = words.Piece("host/in-hello", "host", event.Clip(name))
		if h.Hello.Extension(handshake.ExtECH) != nil {
			host = words.Piece("host/maybe-cover", "host", event.Clip(name))
		}
	}
	a = a.With("host", host)
	how := event.Inferred
	if strings.HasSuffix(id, "-inside") {
		how = event.None
	}
	says := words.Say(id, how, a)
	return &says
}

// unseenRows are the sentences of steps whose messages are not seen, for another
// reason than that they are encrypted.
var unseenRows = []string{"step-capture-begins", "step-capture-ends", "step-missing", "step-not-followed", "step-left-out", "step-ports-reused", "step-one-sided", "step-hidden"}

// askedInClear is the host and port that the client asked a proxy for, "" without one.
func (c *View) askedInClear() string {
	if c.ConnectHost == "" && c.StartTLS != nil {
		return c.StartTLS.Target
	}
	return c.ConnectHost
}

func (c *View) whatIsHidden(f Flow, s event.Step) string {
	h := c.Main
	switch {
	case f.Plain:
		return "hidden-plain"
	case f.bare, c.OverUDP():
		return ""
	case s == event.Step1:
		return "hidden-1"
	case c.Null() && (s == event.Step2 || s == event.Step6b || s == event.Step7 || s == event.Step8):
		return "hidden-null"
	}
	before := f.Resumed || f.Agreed && !f.Transport // the common secret is one that both had
	switch s {
	case event.Step2:
		switch {
		case before:
			return "hidden-2-old"
		case f.Lasting:
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
		case h.Is13() && c.HasCertificate():
			return "hidden-3-tls13"
		case f.Agreed && f.fresh, h.Is13() && h.ServerHello.KeyShare() != nil:
			return "hidden-3-fresh"
		case before:
			return "hidden-nothing-sent"
		}
	case event.Step4a:
		switch {
		case h.Is13() && c.HasCertificate():
			return "hidden-4a-tls13-inside"
		case c.HasCertificate():
			return "hidden-4a-inside"
		}
	case event.Step4b, event.Step4c, event.Step5, event.Step6a:
		if f.KEM {
			return hidesKEM[s]
		}
		return f.hides[s]
	case event.Step6b:
		if h.Is13() {
			return "hidden-6b-tls13"
		}
		return "hidden-6b"
	case event.Step7:
		return c.hiddenData()
	case event.Step8:
		return "hidden-8-inside"
	}
	return ""
}

// Lesson is what a summary says to an eavesdropper of a connection that is encrypted.
func (c *View) Lesson() []event.Sentence {
	h := c.Main
	a, f := c.Values(), c.Flow()
	out := []event.Sentence{words.Say("eavesdropper-sees", event.Clear, a.With("seen", c.Overheard(), "rest", c.SealedRest()))}
	for _, id := range f.later {
		out = append(out, words.Say(id, event.Inferred, a))
	}
	if h.Is13() && h.OfferedEarly() && !f.Early {
		out = append(out, words.Say("eavesdropper-later-early-announced", event.Inferred, a))
	}
	return out
}

// hiddenData says what is hidden of the data.
func (c *View) hiddenData() string {
	switch is13 := c.Main.Is13(); {
	case c.Sides[0].Dark+c.Sides[1].Dark == 0, !is13 && c.Sides[0].Wired+c.Sides[1].Wired == 0:
		return ""
	case is13:
		return "hidden-7-tls13"
	}
	return "hidden-7"
}
