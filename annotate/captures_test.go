package annotate_test

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/capture"
	"explainer/capture/keys"
	"explainer/capture/pcap"
)

var tell = flag.String("tell", "", "print the story of this `capture` and do nothing else")

// collection finds the captures that stand beside the project on some machines, by walking up.
func collection(t testing.TB) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		s := filepath.Join(dir, "shared", "captures")
		if _, err := os.Stat(s); err == nil {
			return s
		}
		if dir == filepath.Dir(dir) {
			t.Log("no collection of captures beside the project")
			return ""
		}
	}
}

// story tells a capture, with the key log that stands beside it under the same
// name, if keyed.
func story(t testing.TB, path string, keyed bool) []annotate.Event {
	t.Helper()
	return storyOf(t, path, keyed, new(annotate.Explainer))
}

func storyOf(t testing.TB, path string, keyed bool, x *annotate.Explainer) []annotate.Event {
	t.Helper()
	var d capture.Decoder
	var out []annotate.Event
	feed := func(in capture.Input) {
		for _, m := range d.Feed(in) {
			out = append(out, x.Explain(&m)...)
		}
	}
	if keyed {
		d.SecretsFirst = true
		if f, err := os.Open(strings.TrimSuffix(path, filepath.Ext(path)) + ".keys"); err == nil {
			defer f.Close()
			if err := keys.ReadLog(f, func(s keys.Secret) { feed(&s) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcap.NewReader(f)
	if err != nil {
		return nil
	}
	for {
		in, err := r.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.As(err, new(*pcap.CutError)) {
				t.Fatal(err)
			}
			break
		}
		if _, ok := in.(*capture.Secret); ok && !keyed {
			continue
		}
		feed(in)
	}
	for _, m := range d.Finish() {
		out = append(out, x.Explain(&m)...)
	}
	return append(out, x.Finish()...)
}

func TestTell(t *testing.T) {
	if *tell == "" {
		return
	}
	text := annotate.NewText(os.Stdout)
	text.Messages, text.All, text.Width = true, true, 160
	for _, e := range story(t, *tell, true) {
		if err := text.Event(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := text.Finish(); err != nil {
		t.Fatal(err)
	}
}

// TestCaptures tells every capture of the collection: nothing may be refuted
// but what is known to be false, no place in a sentence may stay empty, and
// every leg's summary has every step once.
func TestCaptures(t *testing.T) {
	dir := collection(t)
	if dir == "" {
		return
	}
	// A VPN that replays certificates of others; the rest are captures that
	// miss messages in a way that does not show.
	refutable := map[string]bool{"mercury/unit_tests__pcaps__faketls_potatovpn.pcap": true}
	flows := make(map[string]int)
	states := make(map[string]map[annotate.ProofState]int)
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.Contains(path, ".pcap") {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		for _, e := range story(t, path, true) {
			checkEvent(t, name, &e)
			for _, p := range e.Proofs {
				if states[p.ID] == nil {
					states[p.ID] = make(map[annotate.ProofState]int)
				}
				states[p.ID][p.State]++
				if p.State == annotate.Refuted && !refutable[name] {
					t.Errorf("%s: event %d: refuted: %s: %s", name, e.N, p.ID, p.Reason)
				}
			}
			if e.Summary != nil {
				for _, l := range e.Summary.Legs {
					flows[l.Flow]++
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(flows)
	for id, s := range states {
		t.Log(id, s)
	}
}

// checkEvent checks what holds for every event.
func checkEvent(t *testing.T, name string, e *annotate.Event) {
	t.Helper()
	text := func(s string) {
		if strings.Contains(s, "(not known)") || strings.Contains(s, "{") && strings.Contains(s, "}") && !strings.Contains(s, "\"") {
			t.Errorf("%s: event %d (%s): an empty place: %s", name, e.N, e.Name, s)
		}
	}
	for _, s := range e.Says {
		text(s.Text)
	}
	if e.Summary == nil {
		return
	}
	for _, l := range e.Summary.Legs {
		if len(l.Rows) != len(annotate.Steps) {
			t.Errorf("%s: event %d: %d rows", name, e.N, len(l.Rows))
		}
		for i, r := range l.Rows {
			if r.Step != annotate.Steps[i] || r.Verdict == "" || r.Says.Text == "" {
				t.Errorf("%s: event %d: row %d is %+v", name, e.N, i, r)
			}
			text(r.Says.Text)
		}
	}
}
