package rows

import (
	"bytes"
	"strings"
	"testing"

	"explainer/annotate/event"
)

// TestLegs: the row of a leg that is over waits for the steps, which are told with those of
// the other leg, and no longer than until both are over; nothing is kept behind that.
func TestLegs(t *testing.T) {
	begin := func(conn int) *event.Event {
		return &event.Event{Kind: event.KindConnection, Conn: conn, Session: 1, Ends: &event.Ends{Transport: "tcp"}}
	}
	end := func(conn int) *event.Event {
		return &event.Event{Kind: event.KindEnd, Conn: conn, Session: 1, Tally: &event.Tally{}}
	}
	leg := func(conn int) event.Leg {
		return event.Leg{Conn: conn, Rows: []event.Row{{Step: event.Step1, Verdict: event.AsTold}}}
	}
	steps := &event.Event{Kind: event.KindSummary, Session: 1, Summary: &event.Summary{Legs: []event.Leg{leg(1), leg(2)}}}
	for _, of := range []struct {
		events []*event.Event
		rows   []int // that are written after each
	}{
		{[]*event.Event{begin(1), begin(2), end(1), steps, end(2)}, []int{0, 0, 0, 1, 2}},
		{[]*event.Event{begin(1), begin(2), steps, end(1), end(2)}, []int{0, 0, 0, 1, 2}},
		{[]*event.Event{begin(1), begin(2), end(1), end(2)}, []int{0, 0, 0, 2}},
	} {
		var out bytes.Buffer
		r := New(&out, Connections, "json", Source{})
		for i, e := range of.events {
			if err := r.Event(e); err != nil {
				t.Fatal(err)
			}
			r.Flush()
			if n := strings.Count(out.String(), "\n"); n != of.rows[i] {
				t.Errorf("%d rows after event %d, expected %d", n, i+1, of.rows[i])
			}
		}
		if told := len(of.events) == 5; strings.Count(out.String(), `"step_1":"as-told"`) == 2 != told {
			t.Errorf("steps in the rows:\n%s", &out)
		}
		written := out.Len()
		if r.Finish(); out.Len() != written {
			t.Error("more rows at the end")
		}
	}
}
