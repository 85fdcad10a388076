package words

import (
	"testing"

	"explainer/annotate/event"
)

// TestWhereText: connections that follow one another are one run, as --connection takes it.
func TestWhereText(t *testing.T) {
	says := Say("opaque", event.Clear, Args{"bytes": "1", "sender": "the client", "reason": "x"})
	for _, test := range []struct {
		conns []int
		n     int
		want  string
	}{
		{[]int{4}, 1, "connection 4."},
		{[]int{4, 5}, 2, "connections 4 and 5."},
		{[]int{1, 2, 3, 5, 7, 8}, 6, "connections 1-3, 5, 7 and 8."},
		{[]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13}, 13, "connections 1-9, 11-13 and 1 more."},
		{[]int{2, 9}, 40, "connections 2, 9 and 38 more."},
	} {
		got := WhereText(says, test.conns, test.n).English
		if want := "Not read: 1 byte from the client; x: " + test.want; got != want {
			t.Errorf("%v of %d: %q, want %q", test.conns, test.n, got, want)
		}
	}
}

// TestBrief: of an alert stays who sent which, and how; of any other cause all of it.
func TestBrief(t *testing.T) {
	a := []any{"sender", "the client", "alert", "bad_certificate", "number", "42", "other", "the server", "after", "Finished", "meaning", "something is wrong"}
	for id, want := range map[string]string{
		"cause/alert-clear":           "the client sent the alert bad_certificate (42), in clear",
		"cause/alert-encrypted":       "the client sent the alert bad_certificate (42), encrypted",
		"cause/alert-clear-after":     "the client sent the alert bad_certificate (42), in clear",
		"cause/alert-encrypted-after": "the client sent the alert bad_certificate (42), encrypted",
		"cause/reset":                 "the client reset the connection",
	} {
		if got := Brief(Piece(id, a...)); got.English != want {
			t.Errorf("%s: %q, want %q", id, got.English, want)
		}
	}
	if got := Brief(event.Plain("x")); got.English != "x" {
		t.Errorf("plain text became %q", got.English)
	}
}
