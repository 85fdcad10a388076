package annotate

import (
	"slices"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/words"
	"explainer/ca"
	"explainer/capture"
)

// A shown case is what the proxy itself, as the server, shows a client.
type Shown struct {
	id    string    // as recorded, clipped
	fault *ca.Fault // nil where the recording is of a case that is not known here
}

// known tells whether there is a case, and one that is known here.
func (s *Shown) known() bool { return s != nil && s.fault != nil }

func (s *Shown) control() bool { return s.known() && s.fault.Severity == ca.Control }

// atStep2 tells whether the case is a fault of the handshake and not of the certificate.
func (s *Shown) atStep2() bool { return s.known() && s.fault.Step == string(event.Step2) }

func shownBy(f *capture.Fact) *Shown {
	return &Shown{or(clip(f.Outcome), "without a name"), ca.FaultOf(f.Outcome)}
}

// pairs are the values of the sentences about a case, with their names.
func (s *Shown) pairs() []string {
	var out []string
	for _, name := range []string{"case", "wrong", "check", "severity", "control", "needs"} {
		out = append(out, name, s.value(name))
	}
	return out
}

// caseEvent tells what the proxy shows.
func caseEvent(e *event.Event, f *capture.Fact, a Values) {
	s := shownBy(f)
	a = a.With(s.pairs()...)
	rename(e, event.TopicCase, "")
	id := "fact-case"
	switch {
	case s.fault == nil:
		id = "fact-case-unknown"
	case s.control():
		id = "fact-case-control"
	default:
		a = a.With("step", s.fault.Step)
	}
	e.Says = []event.Sentence{words.Say(id, event.None, a)}
	e.Brief, e.BriefID = e.Says[0].Text, e.Says[0].ID
	e.Fields = []event.Field{{Name: "case", Value: s.id}, {Name: "certificate about", Value: clip(f.Host), Note: "the name or address that the client asked for"}}
	if s.fault != nil {
		e.Fields = append(e.Fields, event.Field{Name: "severity", Value: string(s.fault.Severity), Note: words.Phrase(words.Severity, string(s.fault.Severity), "")}, field("what is wrong", s.fault.Wrong),
			field("check that catches it", s.fault.Check), field("step", s.fault.Step), field("incident", s.fault.Incident))
	}
	if f.Addr != "" {
		e.Fields = append(e.Fields, event.Field{Name: "only version", Value: clip(f.Addr), Note: "that the proxy offers"})
	}
	if f.Detail != "" {
		e.Fields = append(e.Fields, field("run", clip(f.Detail)))
	}
}

// failCase notes that a client stopped with an alert about the certificate of a
// case; known tells whether the alert says that it is about the certificate.
func (c *View) failCase(known bool, cause string, at proof.Place) {
	id := "step-4a-case-perhaps"
	switch {
	case c.shown.control():
		id = "step-4a-case-refused-control"
	case known:
		id = "step-4a-case-refused"
	}
	c.fail(event.Step4a, id, cause, at)
}

// failCaseSilent notes that a client hung up without a word.
func (c *View) failCaseSilent(at proof.Place) {
	if c.shown.atStep2() {
		c.fail(event.Step2, "step-2-case-silent", "", at)
		return
	}
	c.fail(event.Step4a, "step-4a-case-silent", "", at)
}

// row4aCase is the sentence about a client that went on after the certificate of a case.
func (c *View) row4aCase() string {
	switch s := c.shown; {
	case s.control():
		return "step-4a-case-control"
	case s.atStep2():
		return "step-4a-case-elsewhere"
	case s.fault != nil && s.fault.Severity == ca.Low:
		return "step-4a-case-accepted-low"
	}
	return "step-4a-case-accepted"
}

// caseNote is what the end of the story says about how the client took a case.
func (c *View) caseNote() event.Sentence {
	h, s := c.main, c.shown
	a := c.Values().With("count", words.Plural(int(c.sides[0].bytes), "byte"), "moment", "before it had finished its part of the handshake")
	if h.Sides[0].Finished {
		a = a.With("moment", "after it had finished its part of the handshake")
	}
	var refusal, ours *Alert
	for i, al := range c.alerts {
		switch {
		case al.desc == 0 || al.desc == 90 || al.level == 1 && !h.Is13():
		case al.side == 0 && refusal == nil:
			refusal = &c.alerts[i]
		case al.side == 1 && ours == nil:
			ours = &c.alerts[i]
		}
	}
	switch {
	case s.fault == nil:
		return words.Say("shown-unknown", event.None, a)
	case refusal != nil:
		a = a.With("cause", c.causeOf(*refusal))
		id := "shown-refused"
		switch {
		case s.control():
			id = "shown-refused-control"
		case c.sides[0].bytes > 0:
			id = "shown-refused-data"
		}
		return words.Say(id, c.seenAlert(refusal), a)
	case s.id == "downgrade-sentinel" && h.Hello != nil && !slices.Contains(h.Hello.Versions(), 0x0304):
		return words.Say("shown-no-downgrade", event.Clear, a)
	case c.wentOn():
		id := "shown-accepted"
		switch {
		case s.control():
			id = "shown-accepted-control"
		case s.fault.Severity == ca.Low:
			id = "shown-accepted-low"
		}
		return words.Say(id, c.seen(), a)
	case h.ServerHello == nil && ours != nil:
		a = a.With("cause", c.causeOf(*ours))
		return words.Say("shown-blocked", event.Clear, a)
	case h.ServerHello != nil && c.sides[0].dark == 0 && !c.missing && (c.closer == 1 || c.saidGoodbye(0)):
		return words.Say("shown-left", event.Inferred, a)
	}
	return words.Say("shown-unknown", event.None, a)
}

func (c *View) seenAlert(al *Alert) event.Evidence {
	if al.protected {
		return event.Decrypted
	}
	return event.Clear
}
