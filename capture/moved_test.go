package capture_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"explainer/capture"
	"explainer/capture/pcap"
)

// TestMoved: whoever keeps copies of connections, as a pipeline does, learns from
// Moved which of them an input has changed, also where it gave no message.
func TestMoved(t *testing.T) {
	files, err := filepath.Glob("testdata/recordings/*.pcapng")
	if err != nil || len(files) < 50 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := pcap.NewReader(f)
		if err != nil {
			t.Fatal(file, err)
		}
		var d capture.Decoder
		was := map[*capture.Conn]capture.Conn{}
		for {
			in, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(file, err)
			}
			ms := d.Feed(in)
			moved := map[*capture.Conn]bool{}
			for _, c := range d.Moved() {
				moved[c] = true
			}
			for i := range ms {
				if c := ms[i].Conn; c != nil {
					moved[c] = true
				}
			}
			for c, before := range was {
				before.Secrets = c.Secrets // one map, which changes in place
				if !moved[c] && !reflect.DeepEqual(before, *c) {
					t.Errorf("%s: %T changed connection %d and did not say so:\n%+v\n%+v", file, in, c.Number, before, *c)
				}
			}
			for c := range moved {
				was[c] = *c
			}
		}
		f.Close()
	}
}
