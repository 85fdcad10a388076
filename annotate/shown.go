package annotate

import (
	"explainer/annotate/event"
	"explainer/annotate/steps"
	"explainer/annotate/words"
	"explainer/capture"
)

// caseEvent tells what the proxy shows.
func caseEvent(e *event.Event, f *capture.Fact, a steps.Values) {
	s := steps.ShownBy(f)
	a = a.With(s.Pairs()...)
	rename(e, event.TopicCase, "")
	id := "fact-case"
	switch {
	case s.Fault == nil:
		id = "fact-case-unknown"
	case s.Control():
		id = "fact-case-control"
	default:
		a = a.With("step", s.Fault.Step)
	}
	e.Says = []event.Sentence{words.Say(id, event.None, a)}
	e.Brief, e.BriefID = words.Whole(e.Says[0]), e.Says[0].ID
	e.Fields = []event.Field{{Name: words.FieldName("case"), Value: event.Plain(s.ID)}, {Name: words.FieldName("certificate about"), Value: event.Plain(clip(f.Host)), Note: words.Piece("note/asked-for")}}
	if s.Fault != nil {
		e.Fields = append(e.Fields, event.Field{Name: words.FieldName("severity"), Value: event.Plain(string(s.Fault.Severity)), Note: words.Phrase(words.Severity, string(s.Fault.Severity), "")}, fieldOf("what is wrong", ofFault("wrong", s.ID, s.Fault.Wrong)),
			fieldOf("check that catches it", ofFault("check", s.ID, s.Fault.Check)), field("step", s.Fault.Step), fieldOf("incident", ofFault("incident", s.ID, s.Fault.Incident)))
	}
	if f.Addr != "" {
		e.Fields = append(e.Fields, event.Field{Name: words.FieldName("only version"), Value: event.Plain(clip(f.Addr)), Note: words.Piece("note/that-the-proxy-offers")})
	}
	if f.Detail != "" {
		e.Fields = append(e.Fields, field("run", clip(f.Detail)))
	}
}

// ofFault is what the table of faults says of one, with the stop that it has there in English.
func ofFault(what, id, text string) event.Text {
	return event.Text{English: text, Of: words.FaultText(what, id, text).Of}
}
