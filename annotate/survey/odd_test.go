package survey

import (
	"testing"

	"explainer/annotate/event"
)

// TestOddConnections: what happens many times in many connections is counted once for each.
func TestOddConnections(t *testing.T) {
	var s Survey
	for conn := 1; conn <= 30; conn++ {
		s.Add(&event.Event{Kind: event.KindConnection, Conn: conn, Session: conn})
	}
	for range 3 {
		for conn := 1; conn <= 30; conn++ {
			s.note("odd-misplaced-hello", conn, nil)
		}
	}
	for _, odd := range s.odd {
		if odd.N != 30 {
			t.Errorf("%d connections of 30", odd.N)
		}
	}
	if len(s.odd) != 1 {
		t.Errorf("%d kinds", len(s.odd))
	}
}
