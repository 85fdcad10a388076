package steps

import (
	"cmp"
	"slices"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/words"
	"explainer/ca"
	"explainer/capture"
)

// known tells whether there is a case, and one that is known here.
func (s *Shown) known() bool { return s != nil && s.Fault != nil }

// Control tells whether the case has nothing wrong.
func (s *Shown) Control() bool { return s.known() && s.Fault.Severity == ca.Control }

// atStep2 tells whether the case is a fault of the handshake and not of the certificate.
func (s *Shown) atStep2() bool { return s.known() && s.Fault.Step == string(event.Step2) }

// ShownBy is the case that a fact names.
func ShownBy(f *capture.Fact) *Shown {
	return &Shown{cmp.Or(event.Clip(f.Outcome), "without a name"), ca.FaultOf(f.Outcome)}
}

// Pairs are the values of the sentences about a case, with their names.
func (s *Shown) Pairs() []any {
	var out []any
	for _, name := range []string{"case", "wrong", "check", "severity", "control", "needs"} {
		out = append(out, name, s.value(name))
	}
	return out
}

// failCase notes that a client stopped with an alert about the certificate of a
// case; known tells whether the alert says that it is about the certificate.
func (c *View) failCase(known bool, cause event.Text, at proof.Place) *Failure {
	id := "step-4a-case-perhaps"
	switch {
	case c.Shown.Control():
		id = "step-4a-case-refused-control"
	case known:
		id = "step-4a-case-refused"
	}
	return c.Failed(event.Step4a, id, cause, at)
}

// failCaseSilent notes that a client hung up without a word.
func (c *View) failCaseSilent() *Failure {
	if c.Shown.atStep2() {
		return c.Failed(event.Step2, "step-2-case-silent", event.Text{}, c.Last)
	}
	return c.Failed(event.Step4a, "step-4a-case-silent", event.Text{}, c.Last)
}

// row4aCase is the sentence about a client that went on after the certificate of a case.
func (c *View) row4aCase() string {
	switch s := c.Shown; {
	case s.Control():
		return "step-4a-case-control"
	case s.atStep2():
		return "step-4a-case-elsewhere"
	case s.Fault != nil && s.Fault.Severity == ca.Low:
		return "step-4a-case-accepted-low"
	}
	return "step-4a-case-accepted"
}

// CaseNote is what the end of the story says about how the client took a case.
func (c *View) CaseNote() event.Sentence {
	h, s := c.Main, c.Shown
	a := c.Values().With("count", words.Count(int(c.Sides[0].Bytes), "byte"), "moment", words.Piece("moment/before-finished"))
	if h.Sides[0].Finished {
		a = a.With("moment", words.Piece("moment/after-finished"))
	}
	var refusal, ours *Alert
	for i, al := range c.Alerts {
		switch {
		case al.Desc == 0 || al.Desc == 90 || al.Level == 1 && !h.Is13():
		case al.Side == 0 && refusal == nil:
			refusal = &c.Alerts[i]
		case al.Side == 1 && ours == nil:
			ours = &c.Alerts[i]
		}
	}
	switch {
	case s.Fault == nil:
		return words.Say("shown-unknown", event.None, a)
	case refusal != nil:
		a = a.With("cause", c.causeOf(*refusal))
		id := "shown-refused"
		switch {
		case s.Control():
			id = "shown-refused-control"
		case c.Sides[0].Bytes > 0:
			id = "shown-refused-data"
		}
		return words.Say(id, c.seenAlert(refusal), a)
	case s.ID == "downgrade-sentinel" && h.Hello != nil && !slices.Contains(h.Hello.Versions(), 0x0304):
		return words.Say("shown-no-downgrade", event.Clear, a)
	case c.wentOn():
		id := "shown-accepted"
		switch {
		case s.Control():
			id = "shown-accepted-control"
		case s.Fault.Severity == ca.Low:
			id = "shown-accepted-low"
		}
		return words.Say(id, c.seen(), a)
	case h.ServerHello == nil && ours != nil:
		a = a.With("cause", c.causeOf(*ours))
		return words.Say("shown-blocked", event.Clear, a)
	case h.ServerHello != nil && c.Sides[0].Dark == 0 && !c.Holed() && (c.Closer == 1 || c.SaidGoodbye(0)):
		return words.Say("shown-left", event.Inferred, a)
	}
	return words.Say("shown-unknown", event.None, a)
}

func (c *View) seenAlert(al *Alert) event.Evidence {
	if al.Protected {
		return event.Decrypted
	}
	return event.Clear
}

// A Shown case is what the proxy itself, as the server, shows a client.
type Shown struct {
	ID    string    // as recorded, clipped
	Fault *ca.Fault // nil where the recording is of a case that is not known here
}
