package text

import (
	"strings"
	"testing"
)

// TestCleanSigns: nothing from the wire looks proven or refuted in the short story.
func TestCleanSigns(t *testing.T) {
	t.Parallel()
	if got := Clean("GET /" + holds + fails); strings.ContainsAny(got, holds+fails) {
		t.Errorf("%q", got)
	}
}
