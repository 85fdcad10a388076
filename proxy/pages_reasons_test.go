package proxy

import (
	"strings"
	"testing"

	"explainer/annotate/words"
	"explainer/ca/verify"
)

// TestPageReasons: the page that stands for an origin says of each thing that is wrong
// with its certificate what the story says.
func TestPageReasons(t *testing.T) {
	for _, reason := range verify.Reasons {
		e := &originError{ID: mainFault([]string{reason.ID}), Host: "www.bank.test", Found: []string{reason.ID}, failures: []verify.Check{{Reason: reason.ID}}}
		_, body := failurePage(e).render(nil, "")
		if want := words.Reason(reason.ID, e.Host, "").English; !strings.Contains(string(body), want) {
			t.Errorf("%s: the page does not say %q:\n%s", reason.ID, want, body)
		}
	}
}
