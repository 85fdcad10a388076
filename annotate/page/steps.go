package page

import (
	"cmp"
	"html/template"
	"slices"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// StepsStyle is the style sheet of what [Steps] writes.
var StepsStyle = template.CSS(slices.Concat(asset("colours.css"), asset("steps.css")))

// Steps is the short story of one connection as a piece of HTML, from the event that holds its
// summary: the eight steps, and its messages between the lifelines of its sides. Where e is nil
// the steps say that they are not told yet. All that comes from the wire stands in it as text.
func Steps(e *event.Event, l words.Language) template.HTML {
	s := &session{row: new(row), Lanes: 2}
	if e != nil {
		s.N = e.Session
		s.take(e)
		s.sum(e)
		s.passed()
	}
	s.tiles(nil)
	var b strings.Builder
	if err := templates()[cmp.Or(l, words.English)].ExecuteTemplate(&b, "told", s); err != nil {
		panic(err) // neither the template nor a Builder fails
	}
	return template.HTML(b.String())
}

// maxPassed bounds the messages of a short story that are drawn.
const maxPassed = 40

// passed makes the lines of what the short story says was sent, in the order of its packets.
func (s *session) passed() {
	legs := s.Legs
	if s.Tunnel {
		legs = legs[:1] // both carry the same
	}
	type sent struct {
		event.Act
		line line
	}
	var all []sent
	for _, l := range legs {
		if l.Leg == "origin" {
			s.Lanes = 3
		}
		for _, r := range l.Rows {
			for _, a := range r.Acts {
				if a.Sent && a.Packets != nil {
					e := &event.Event{Leg: l.Leg, From: a.By, Brief: a.Says, Packets: a.Packets, Steps: []event.StepMark{{Step: r.Step, Verdict: r.Verdict}}}
					all = append(all, sent{a, line{Event: e}})
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b sent) int {
		return cmp.Or(cmp.Compare(a.Packets.Last, b.Packets.Last), cmp.Compare(a.Place, b.Place))
	})
	for _, a := range all[:min(len(all), maxPassed)] {
		s.between(&a.line)
		s.Lines = append(s.Lines, a.line)
	}
}

// Other says what differs on the origin's leg.
func (s *session) Other() event.Text {
	return words.OtherLeg(&event.Summary{Legs: s.Legs, Tunnel: s.Tunnel})
}
