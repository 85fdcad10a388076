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
	e.Fields = []event.Field{{Name: "case", Value: event.Plain(s.ID)}, {Name: "certificate about", Value: event.Plain(clip(f.Host)), Note: "the name or address that the client asked for"}}
	if s.Fault != nil {
		e.Fields = append(e.Fields, event.Field{Name: "severity", Value: event.Plain(string(s.Fault.Severity)), Note: words.Phrase(words.Severity, string(s.Fault.Severity), "").English}, field("what is wrong", s.Fault.Wrong),
			field("check that catches it", s.Fault.Check), field("step", s.Fault.Step), field("incident", s.Fault.Incident))
	}
	if f.Addr != "" {
		e.Fields = append(e.Fields, event.Field{Name: "only version", Value: event.Plain(clip(f.Addr)), Note: "that the proxy offers"})
	}
	if f.Detail != "" {
		e.Fields = append(e.Fields, field("run", clip(f.Detail)))
	}
}
