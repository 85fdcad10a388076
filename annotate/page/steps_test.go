package page

import (
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// hostile is what somebody on the wire may call anything.
const hostile = `<script>alert(1)</script>"onload='x'&`

// TestSteps: rows, tiles and picture are there in each language, of a story that is told and of one that is not, and
// what comes from the wire stands in them as text.
func TestSteps(t *testing.T) {
	wire := event.Plain(hostile)
	leg := func(name string) event.Leg {
		l := event.Leg{Leg: name, Agent: hostile, Title: wire, Aims: []event.Aim{{ID: event.AimWho, Says: wire}},
			Frame: &event.Frame{KeysSay: wire, TripsSay: wire}, Trouble: &event.Trouble{Says: wire, Why: wire}}
		for i, s := range event.Steps {
			l.Rows = append(l.Rows, event.Row{Step: s, Verdict: event.AsTold, Why: wire, Proofs: []event.RowProof{{State: event.Refuted}}, Acts: []event.Act{
				{By: "client", Sent: true, Place: i + 1, Says: wire, Packets: &event.Packets{First: i + 1, Last: i + 2}},
				{By: "server", Sent: true, Says: wire}, {By: "server", Says: wire}, {By: "client", Says: wire}, {Says: wire},
			}})
		}
		return l
	}
	for name, summary := range map[string]*event.Summary{
		"both legs": {Legs: []event.Leg{leg("browser"), leg("origin")}},
		"a tunnel":  {Legs: []event.Leg{leg("browser"), leg("origin")}, Tunnel: true},
		"one leg":   {Legs: []event.Leg{leg("")}},
		"not told":  nil,
	} {
		for _, l := range words.Languages {
			var e *event.Event
			if summary != nil {
				e = &event.Event{Kind: event.KindSummary, Session: 7, Host: hostile, Summary: summary}
			}
			got := string(Steps(e, l))
			if strings.Contains(got, "<script") || strings.Contains(got, `"onload`) {
				t.Errorf("%s: markup from the wire:\n%s", name, got)
			}
			if n := strings.Count(got, `class="tile `); n != len(event.Steps) {
				t.Errorf("%s: %d tiles\n%s", name, n, got)
			}
			arrows := len(event.Steps)
			switch name {
			case "both legs":
				arrows *= 2
			case "not told":
				arrows = 0
			}
			if n := strings.Count(got, `class="stroke"`); n != arrows {
				t.Errorf("%s: %d arrows, want %d", name, n, arrows)
			}
			if told := !strings.Contains(got, l.In(words.Piece("web/not-told"))); told != (e != nil) {
				t.Errorf("%s: told %v\n%s", name, told, got)
			}
		}
	}
}
