package annotate_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/event"
)

// ownRecordings are the project's own captures of real programs (bench/record).
const ownRecordings = "../capture/testdata/recordings"

// recordedStories are the recordings whose stories are kept, with the rows of the
// truth table that their connections are.
var recordedStories = map[string][]string{
	"tls12-dhe-rsa":          {"tls12-dhe"},
	"tls12-resumed-id":       {"tls12-ecdhe", "tls12-resumed-id"},
	"tls12-psk":              {"psk"},
	"tls12-dhe-psk":          {"psk-dhe"},
	"tls12-ecdhe-psk":        {"psk-dhe"},
	"tls12-rsa-psk":          {"psk-rsa"},
	"tls13-psk-ke":           {"tls13-full", "tls13-psk"},
	"tls13-psk-ke-external":  {"psk"},
	"tls13-psk-dhe-external": {"psk-dhe"},
	"tls13-0rtt":             {"tls13-full", "tls13-0rtt"},
	"tls13-0rtt-rejected":    {"tls13-full", "tls13-0rtt", "tls13-full"},
	"tls13-0rtt-retry":       {"tls13-full", "tls13-hrr"},
}

// TestRecordedStories compares the stories of recordings with those that are
// kept. TestMatrix compares their verdicts with the truth table.
func TestRecordedStories(t *testing.T) {
	for name, flows := range recordedStories {
		t.Run(name, func(t *testing.T) {
			es := story(t, filepath.Join(ownRecordings, name+".pcapng"), true)
			for i := range es {
				checkEvent(t, name, &es[i])
			}
			var got []string
			for _, l := range legs(es) {
				got = append(got, l.Flow)
			}
			if !slices.Equal(got, flows) {
				t.Errorf("flows %v, want %v", got, flows)
			}
			compareGolden(t, filepath.Join("testdata", "stories", name+".txt"), retell(es))
		})
	}
}

// compareGolden compares a story with the file that keeps it.
func compareGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("line %d of the story:\n got %s\nwant %s", i+1, g[i], w[i])
		}
	}
	if len(g) != len(w) {
		t.Fatalf("the story has %d lines, want %d", len(g), len(w))
	}
}

// TestRecordingsProve: of the project's own recordings nothing is refuted, and
// every leg's summary has every step once.
func TestRecordingsProve(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(ownRecordings, "*.pcapng"))
	if err != nil || len(files) < 100 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	for _, path := range files {
		name := filepath.Base(path)
		for _, e := range story(t, path, true) {
			checkEvent(t, name, &e)
			for _, p := range e.Proofs {
				if p.State == event.Refuted {
					t.Errorf("%s: event %d: refuted: %s: %s", name, e.N, p.ID, p.Reason)
				}
			}
		}
	}
}
