package steps

import (
	"testing"

	"explainer/annotate/event"
)

// TestMatrixComplete: the code's table has each row with a verdict for each step.
func TestMatrixComplete(t *testing.T) {
	for flow, kind := range kinds {
		for i, v := range kind.verdicts {
			if v == "" {
				t.Errorf("%s: no verdict for step %s", flow, event.Steps[i])
			}
		}
	}
}
