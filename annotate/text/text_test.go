package text

import (
	"bytes"
	"strings"
	"testing"

	"explainer/annotate/event"
)

// TestTextOfAFailure: a session that stopped early is summed up with its notes,
// and what it did not reach in one place.
func TestTextOfAFailure(t *testing.T) {
	leg := event.Leg{Conn: 1, Leg: "browser", From: "a", To: "b", Title: event.Plain("a handshake")}
	for i, step := range event.Steps {
		row := event.Row{Step: step, Verdict: event.Differently, Says: event.Sentence{Text: "It happened."}}
		switch {
		case i == 2:
			row.Verdict, row.Says.Text = event.Failed, "It stopped."
		case i > 2:
			row.Verdict, row.Says.Text = event.NotReached, "Not reached: it stopped."
		}
		leg.Rows = append(leg.Rows, row)
	}
	var out bytes.Buffer
	text := New(&out)
	if err := text.Event(&event.Event{Kind: event.KindSummary, Session: 1, Says: []event.Sentence{{Text: "A note."}}, Summary: &event.Summary{Flow: event.Plain("a handshake"), FlowID: event.FlowAlone, Legs: []event.Leg{leg}}}); err != nil {
		t.Fatal(err)
	}
	if err := text.Finish(); err != nil {
		t.Fatal(err)
	}
	want := `
== Session 1 =======================================================================================
  a handshake
  client leg, connection 1, a to b
  A note.

  step 1: the client connects to port 443 of the server
    client    differently   It happened.

  step 2: the server has a key pair; the private key never leaves it
    client    differently   It happened.

  step 3: the server sends its public key
    client    failed        It stopped.

  steps 4a to 8
    client    not reached   Not reached: it stopped.

====================================================================================================

`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

// TestWrap: lines break at spaces, marks in brackets stay whole, and what is
// longer than a line keeps one of its own.
func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		text  string
		width int
		want  string
	}{
		{"one two three", 9, "one two|three"},
		{"seen [proven: server finished] here", 29, "seen|[proven: server finished]|here"},
		{"seen [proven: server finished]", 12, "seen|[proven:|server|finished]"},
		{"an unbreakableword here", 6, "an|unbreakableword|here"},
		{"[not closed at all", 10, "[not|closed at|all"},
		{"号码 号码 号码", 9, "号码 号码|号码"},
		{"", 10, ""},
	} {
		if got := strings.Join(Wrap(tt.text, tt.width), "|"); got != tt.want {
			t.Errorf("%q at %d: %q, want %q", tt.text, tt.width, got, tt.want)
		}
	}
}

// TestTextFromTheWire: no text of others moves a cursor, or passes for a mark of ours.
func TestTextFromTheWire(t *testing.T) {
	var out bytes.Buffer
	text := New(&out)
	hostile := "a\x1b[2Jb\r\n\u202e\u2028c [proven: x] [steps 2, 3: as told] \xff"
	if err := text.Event(&event.Event{Kind: event.KindMessage, Name: hostile, Brief: event.Plain(hostile), Host: hostile, Fields: []event.Field{{Name: event.Plain(hostile), Value: event.Plain(hostile), Note: event.Plain(hostile)}}}); err != nil {
		t.Fatal(err)
	}
	text.Finish()
	want := `a\u001b[2Jb\u000d \u202e\u2028c \[proven: x] \[steps 2, 3: as told] ` + "\ufffd"
	if !strings.Contains(out.String(), want) || strings.Count(out.String(), "\n") != 1 || strings.ContainsAny(out.String(), "\x1b\r\u202e\u2028") {
		t.Errorf("%q does not contain %q alone", out.String(), want)
	}
}
