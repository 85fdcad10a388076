package page

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// TestFile: a file has the sessions that are chosen, and a browser's own chatter only where that is asked for or all there is.
func TestFile(t *testing.T) {
	session := func(n int, noise bool) event.Event {
		return event.Event{Kind: event.KindConnection, N: n, Session: n, Conn: n, Host: "a.test", Noise: noise, Time: "2026-11-27T12:00:00Z"}
	}
	for _, c := range []struct {
		what    string
		events  []event.Event
		chosen  func(int) bool
		chatter bool
		want    []int
	}{
		{"chatter is left out", []event.Event{session(1, true), session(2, false)}, nil, false, []int{2}},
		{"chatter is asked for", []event.Event{session(1, true), session(2, false)}, nil, true, []int{1, 2}},
		{"chatter is all there is", []event.Event{session(1, true)}, nil, false, []int{1}},
		{"one is chosen", []event.Event{session(1, false), session(2, false)}, func(n int) bool { return n == 2 }, false, []int{2}},
	} {
		var out bytes.Buffer
		if err := (View{Book: told(t, c.events), Lang: words.English, Chosen: c.chosen, Chatter: c.chatter}).File(&out, "x"); err != nil {
			t.Fatal(c.what, err)
		}
		for n := 1; n <= 2; n++ {
			if is := strings.Contains(out.String(), fmt.Sprintf(`class="session" id="s%d"`, n)); is != slices.Contains(c.want, n) {
				t.Errorf("%s: session %d is there: %v", c.what, n, is)
			}
		}
	}
}
