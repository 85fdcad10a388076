package steps

import (
	"testing"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// TestMatrixComplete: the code's table has each row with a verdict for each step.
func TestMatrixComplete(t *testing.T) {
	for flow, kind := range kinds {
		for i, v := range kind.verdicts {
			if v == "" {
				t.Errorf("%s: no verdict for step %s", flow, event.Steps[i])
			}
		}
		// What is encrypted says what stays hidden, and from whom later.
		if kind.bare || kind.Odd {
			continue
		}
		for _, says := range kind.hides {
			words.Say(says, event.Clear, nil) // panics if there is none
		}
		if len(kind.later) == 0 || kind.hides[event.Step4b] == "" {
			t.Errorf("%s: nothing is said to who listens", flow)
		}
		for _, says := range kind.later {
			words.Say(says, event.Inferred, nil)
		}
	}
}
