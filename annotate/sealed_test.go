package annotate_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/capture"
)

// mayBeTold tells whether a step may have the verdict without when the same
// bytes, read with all the keys, give the verdict with. What keys show, a reader
// without them may only not know. The one thing that a reader without keys may
// miss is a refutation, which is mathematics that keys make possible: there the
// step is told as if the other side were honest.
func mayBeTold(without event.Verdict, with event.Row) bool {
	if without == with.Verdict || without == event.Unknown {
		return true
	}
	return with.Verdict == event.Failed && without != event.Failed &&
		slices.ContainsFunc(with.Proofs, func(p event.RowProof) bool { return p.State == event.Refuted })
}

// sameTruth compares what two readings of the same bytes say: with holds all
// keys, without holds fewer.
func sameTruth(t *testing.T, name string, with, without []event.Event) {
	t.Helper()
	rows := make(map[int][]event.Row)
	for _, l := range legs(with) {
		if rows[l.Conn] != nil {
			t.Errorf("%s: connection %d has two summaries", name, l.Conn)
		}
		rows[l.Conn] = l.Rows
	}
	told := make(map[int]bool)
	for _, e := range without {
		for _, m := range e.Steps {
			if r := rows[e.Conn]; r != nil && m.Step != event.Step1 && !mayBeTold(m.Verdict, r[slices.Index(event.Steps, m.Step)]) {
				t.Errorf("%s: connection %d: event %d (%s) tells step %s as %s, and with keys it is %s", name, e.Conn, e.N, e.Name, m.Step, m.Verdict, r[slices.Index(event.Steps, m.Step)].Verdict)
			}
		}
		if told[e.Conn] && (len(e.Steps) > 0 || strings.HasPrefix(e.Name, "sealed")) {
			t.Errorf("%s: connection %d: event %d (%s) comes after the summary", name, e.Conn, e.N, e.Name)
		}
		if e.Summary == nil {
			continue
		}
		for _, l := range e.Summary.Legs {
			if told[l.Conn] {
				t.Errorf("%s: connection %d has two summaries without keys", name, l.Conn)
			}
			told[l.Conn] = true
			for i, r := range l.Rows {
				if w := rows[l.Conn]; w == nil {
					t.Errorf("%s: connection %d has a summary without keys alone", name, l.Conn)
					break
				} else if !mayBeTold(r.Verdict, w[i]) {
					t.Errorf("%s: connection %d, step %s: %s (%s); with keys it is %s (%s)", name, l.Conn, r.Step, r.Verdict, r.Says.Text, w[i].Verdict, w[i].Says.Text)
				}
			}
		}
	}
	for n := range rows {
		if !told[n] {
			t.Errorf("%s: connection %d has no summary without keys", name, n)
		}
	}
}

// TestWithoutKeys: what is told of bytes that nobody can open never contradicts
// what is told when they are opened; nor with some of the keys.
func TestWithoutKeys(t *testing.T) {
	for name, tapes := range fixtures(t) {
		in := inputsOf(tapes)
		with := events(messages(in))
		labels := []string{""}
		for _, i := range in {
			if s, ok := i.(*capture.Secret); ok && !slices.Contains(labels, s.Label) {
				labels = append(labels, s.Label)
			}
		}
		for _, label := range labels {
			fewer := slices.DeleteFunc(slices.Clone(in), func(i capture.Input) bool {
				s, ok := i.(*capture.Secret)
				return ok && (label == "" || s.Label == label)
			})
			sameTruth(t, name+" without "+label, with, events(messages(fewer)))
		}
	}
	dir := collection(t)
	if dir == "" {
		return
	}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.Contains(path, ".pcap") {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		sameTruth(t, name, story(t, path, true), story(t, path, false))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestOneSide: a capture of one side alone, as of a tap on one fibre, shows no
// failure and no end: what the other side did may all be well.
func TestOneSide(t *testing.T) {
	for name, tapes := range fixtures(t) {
		if strings.HasPrefix(name, "failed-") {
			continue
		}
		for _, side := range []capture.Side{capture.Client, capture.Server} {
			for _, keyed := range []bool{false, true} {
				in := slices.DeleteFunc(inputsOf(tapes), func(i capture.Input) bool {
					switch i := i.(type) {
					case *capture.Chunk:
						return i.Side != side
					case *capture.Close:
						return i.Side != side
					case *capture.Secret:
						return !keyed
					case *capture.Open:
						i.SYN = false
					}
					return false
				})
				// The end of both sides, as a RST shows it.
				for n := range tapes {
					in = append(in, &capture.Close{Conn: n + 1, Side: side, Packet: 90000 + n, Reset: true})
				}
				for _, l := range legs(events(messages(in))) {
					for _, r := range l.Rows {
						if r.Verdict == event.Failed || r.Verdict == event.NotReached {
							t.Errorf("%s, the %s alone, keys %v: connection %d, step %s: %s: %s", name, side, keyed, l.Conn, r.Step, r.Verdict, r.Says.Text)
						}
					}
				}
			}
		}
	}
}

// TestWhoFirst: which side spoke or left first is told by the packets, whatever
// the order in which the two directions are told.
func TestWhoFirst(t *testing.T) {
	for name, tapes := range fixtures(t) {
		if len(tapes) != 1 {
			continue
		}
		in := slices.DeleteFunc(inputsOf(tapes), func(i capture.Input) bool { _, ok := i.(*capture.Secret); return ok })
		ms := messages(in)
		at := func(ms []capture.Message) map[event.Step]string {
			out := make(map[event.Step]string)
			for _, l := range legs(events(ms)) {
				for _, r := range l.Rows {
					out[r.Step] = string(r.Verdict) + " " + r.Says.Text
				}
			}
			return out
		}
		want := at(ms)
		// The sealed records of the server before those of the client, and the other way round.
		for _, side := range []capture.Side{capture.Client, capture.Server} {
			sealed := func(m *capture.Message) bool {
				switch m.Body.(type) {
				case *capture.Sealed, *capture.Closed:
					return true
				}
				return false
			}
			var first, head, rest []capture.Message
			for _, m := range ms {
				switch {
				case !sealed(&m):
					head = append(head, m)
				case m.Side == side:
					first = append(first, m)
				default:
					rest = append(rest, m)
				}
			}
			if got := at(slices.Concat(head, first, rest)); !maps.Equal(got, want) {
				for s := range want {
					if got[s] != want[s] {
						t.Errorf("%s, the %s told first: step %s:\n got %s\nwant %s", name, side, s, got[s], want[s])
					}
				}
			}
		}
	}
}
