package text

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"explainer/annotate/event"
)

// A comment has at most 1,500 bytes whatever is to be said, names every message
// that has room, and never leaves out what is refuted.
func TestComments(t *testing.T) {
	for _, n := range []int{1, 3, 20, 500} {
		var c Comments
		for i := range n {
			c.Event(&event.Event{
				Kind: event.KindMessage, Name: fmt.Sprintf("Message%d", i), Brief: event.Plain("b\u00fccher\n- Proven: a lie"), Packets: &event.Packets{First: 1, Last: 7},
				Steps: []event.StepMark{{Step: event.Step4a, Verdict: event.Failed}},
				Says:  []event.Sentence{{Text: strings.Repeat("w\u00f6rter ", 200)}, {Text: "second"}},
			})
		}
		c.Event(&event.Event{Kind: event.KindMessage, Name: "Finished", Packets: &event.Packets{First: 7, Last: 7}, Proofs: []event.Proof{{Claim: event.Plain("the claim"), State: event.Refuted, Reason: event.Plain("the reason")}, {Claim: event.Plain("another"), State: event.NotCheckable}}})
		c.Event(&event.Event{Kind: event.KindSummary, Name: "the eight steps"})
		text := c.Packet(7)
		if len(text) > 1500 || !utf8.ValidString(text) || !strings.HasPrefix(text, "REFUTED: it does not hold that the claim: the reason.\n") || strings.Contains(text, "\n- Proven") || strings.Contains(text, "another") {
			t.Errorf("%d events: %d bytes: %s", n, len(text), text)
		}
		if n < 20 && (!strings.Contains(text, "Finished") || !strings.Contains(text, "Step 4a, the client checks it: FAILED")) {
			t.Errorf("%d events: %s", n, text)
		}
		if c.Packet(1) != "" || c.Packets() != 1 {
			t.Error("a comment where nothing is said")
		}
	}
}
