package capture_test

import (
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"explainer/capture"
)

// TestMoved: whoever keeps copies of connections, as a pipeline does, learns from
// Moved which of them an input has changed, also where it gave no message: when
// keys come first, last, or in the middle.
func TestMoved(t *testing.T) {
	files, err := filepath.Glob("testdata/recordings/*.pcapng")
	if err != nil || len(files) < 50 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		secrets, rest := inputsOf(t, file, "")
		for _, at := range []int{0, len(rest) / 4, len(rest) / 2, len(rest)} {
			var d capture.Decoder
			was := map[*capture.Conn]capture.Conn{}
			for _, in := range slices.Concat(rest[:at], secrets, rest[at:]) {
				moved := map[*capture.Conn]bool{}
				for _, m := range d.Feed(in) {
					if m.Conn != nil {
						moved[m.Conn] = true
					}
				}
				for _, c := range d.Moved() {
					moved[c] = true
				}
				for c, before := range was {
					if !moved[c] && !reflect.DeepEqual(before, kept(c)) {
						t.Errorf("%s, keys at %d: %T changed connection %d and did not say so", file, at, in, c.Number)
					}
				}
				for c := range moved {
					was[c] = kept(c)
				}
			}
		}
	}
}

// kept is a copy that does not change.
func kept(c *capture.Conn) capture.Conn {
	now := *c
	now.Secrets = maps.Clone(c.Secrets)
	return now
}
