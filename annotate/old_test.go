package annotate_test

import (
	"os"
	"path/filepath"
	"testing"

	"explainer/annotate/event"
)

// TestSSL30 proves the Finished messages of SSL 3.0 in every suite that is opened.
func TestSSL30(t *testing.T) {
	dir := collection(t)
	if dir == "" {
		return
	}
	for name, want := range map[string]int{"lekensteyn-notes/ssl3__dump.pcapng": 52} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err != nil {
			t.Fatal(err)
		}
		proven := 0
		for _, e := range story(t, path, true) {
			for _, p := range e.Proofs {
				if p.ID != "client-finished" && p.ID != "server-finished" {
					continue
				}
				switch p.State {
				case event.Proven:
					proven++
				case event.Refuted:
					t.Errorf("%s: event %d: %s", name, e.N, p.Reason)
				}
			}
		}
		if proven != want {
			t.Errorf("%s: %d Finished messages proved, want %d", name, proven, want)
		}
	}
}
