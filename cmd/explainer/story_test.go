package main

import (
	"os"
	"testing"

	"explainer/annotate"
)

// readStory reads a JSON story from a file.
func readStory(t *testing.T, name string) []annotate.Event {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var story []annotate.Event
	if err := annotate.ReadJSON(f, func(e *annotate.Event) error {
		story = append(story, *e)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return story
}
