package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"explainer/annotate/event"
)

// readStory reads a JSON story from a file.
func readStory(t *testing.T, name string) []event.Event {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var story []event.Event
	if err := event.ReadJSON(f, func(e *event.Event) error {
		story = append(story, *e)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return story
}

// TestRefusedTunnel: a CONNECT that gets no tunnel is not told as a request for an http URL.
func TestRefusedTunnel(t *testing.T) {
	t.Parallel()
	_, story, code := checkRun(t, "run", "-v", "--home", filepath.Join(t.TempDir(), "home"), "--", "curl", "-sS", "https://{proxy}/")
	if code == 0 || !strings.Contains(story, "a request for a tunnel, which the proxy did not open") || strings.Contains(story, "needs no tunnel") {
		t.Errorf("exit code %d:\n%s", code, story)
	}
}
