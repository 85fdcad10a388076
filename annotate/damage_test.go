package annotate_test

import (
	"bufio"
	"cmp"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/capture/keys"
	"explainer/capture/pcap/pcaptest"
)

// tellWire tells a capture.
func tellWire(t testing.TB, file []byte, secrets []keys.Secret) (out []event.Event) {
	var x annotate.Explainer
	for _, m := range pcaptest.Read(t, file, secrets) {
		out = append(out, x.Explain(&m)...)
	}
	return append(out, x.Finish()...)
}

// sentences are the IDs of all that is said, those of the steps with their verdict.
func sentences(es []event.Event, each func(id, text string)) {
	for _, e := range es {
		for _, s := range e.Says {
			each(s.ID, s.Text)
		}
		if e.Summary == nil {
			continue
		}
		for _, l := range e.Summary.Legs {
			for _, r := range l.Rows {
				each(r.Says.ID, r.Says.Text)
			}
		}
	}
}

// legsOf finds connections by who spoke.
func legsOf(es []event.Event) map[string]event.Leg {
	out := map[string]event.Leg{}
	for _, l := range legs(es) {
		out[l.From+" "+l.To] = l
	}
	return out
}

// damage is what a tap can do to packets: lose, repeat and reorder some, have one clock for each
// direction, begin late or end early, cut each, and see one direction only. what says what was done, by the numbers
// that the packets had.
func damage(packets []pcaptest.Packet, rng *rand.Rand) (left []pcaptest.Packet, snap int, what string) {
	left = slices.Clone(packets)
	for range 1 + rng.IntN(3) {
		at := rng.IntN(len(left))
		what += fmt.Sprintf(" without %d", 1+slices.IndexFunc(packets, func(p pcaptest.Packet) bool { return &p.IP[0] == &left[at].IP[0] }))
		left = slices.Delete(left, at, at+1)
	}
	for range rng.IntN(3) {
		at := rng.IntN(len(left))
		left = slices.Insert(left, min(len(left), at+1+rng.IntN(5)), left[at])
		what += " one twice"
	}
	if rng.IntN(8) == 0 {
		client := rng.IntN(2) == 0
		if one := slices.DeleteFunc(slices.Clone(left), func(p pcaptest.Packet) bool { return p.FromClient() == client }); len(one) > 0 {
			left = one
			what += map[bool]string{true: " only the server's", false: " only the client's"}[client]
		}
	}
	switch rng.IntN(10) {
	case 0, 1:
		left = pcaptest.Shuffled(left, 4, rng)
		what += " shuffled"
	case 2, 3: // two taps, one for each direction
		by := time.Duration([]int{-20, -5, 5, 20}[rng.IntN(4)]) * time.Millisecond
		left = pcaptest.Skewed(left, by)
		what += fmt.Sprintf(" clocks %v apart", by)
	case 4:
		client := rng.IntN(2) == 0
		left = pcaptest.OneFirst(left, client)
		what += map[bool]string{true: " the client's first", false: " the server's first"}[client]
	case 5: // the SYN-ACK stands behind data
		if at := slices.IndexFunc(left, func(p pcaptest.Packet) bool { return p.IP[33]&0x12 == 0x12 }); at >= 0 {
			p, to := left[at], min(len(left)-1, at+2+rng.IntN(6))
			left = slices.Insert(slices.Delete(left, at, at+1), to, p)
			what += " SYN-ACK later"
		}
	}
	if rng.IntN(5) == 0 {
		n := rng.IntN(min(6, len(left)))
		left = left[n:]
		what += fmt.Sprintf(" begins %d later", n)
	}
	if rng.IntN(5) == 0 {
		n := rng.IntN(min(6, len(left)))
		left = left[:len(left)-n]
		what += fmt.Sprintf(" ends %d before", n)
	}
	if rng.IntN(6) == 0 {
		snap = 60 + rng.IntN(600)
		what += fmt.Sprintf(" cut at %d", snap)
	}
	return left, snap, what
}

// without leaves out packets, by their places, in rising order.
func without(packets []pcaptest.Packet, lost ...int) (left []pcaptest.Packet, what string) {
	left = slices.Clone(packets)
	for i, at := range lost {
		left = slices.Delete(left, at-i, at-i+1)
		what += fmt.Sprintf(" without %d", at+1)
	}
	return left, what
}

// damagesOf is what is done to a recording: some of everything by seeds, and of a small one
// some of its packets singly and in pairs, or with -damages-whole all of both.
func damagesOf(packets []pcaptest.Packet, seed uint64) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for n := range uint64(*damages) {
			left, snap, what := damage(packets, rand.New(rand.NewPCG(seed, n)))
			if !yield(fmt.Sprintf("%s (seed %d)", what, n), pcaptest.File(left, snap)) {
				return
			}
		}
		if len(packets) > 60 {
			return
		}
		rng := rand.New(rand.NewPCG(seed, 1<<32))
		for a := range packets {
			for b := a; b < len(packets); b++ {
				// Each pair whose second is its first is a packet alone.
				if some := *damages; !*damagesWhole && rng.IntN(len(packets)*len(packets)) >= some {
					continue
				}
				left, what := without(packets, a)
				if b > a {
					left, what = without(packets, a, b)
				}
				if len(left) > 0 && !yield(what, pcaptest.File(left, 0)) {
					return
				}
			}
		}
	}
}

// TestDamagedStories tells recorded connections of which packets were lost, repeated, put
// into another order and cut. What then is told of a step is what the whole capture
// tells, or that it is not known: never something else. Nothing is refuted, nothing
// failed that did not, and each sentence that the whole capture does not call for is one
// of those in testdata/damaged.txt, which were read with this in mind.
func TestDamagedStories(t *testing.T) {
	allowed := map[string]string{}
	list, err := os.Open("testdata/damaged.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	for s := bufio.NewScanner(list); s.Scan(); {
		if id, done, _ := strings.Cut(s.Text(), " "); id != "#" {
			allowed[id] = cmp.Or(done, " ")
		}
	}
	files, err := filepath.Glob(filepath.Join(ownRecordings, "*.pcapng"))
	if err != nil || len(files) < 100 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	for i, path := range files {
		packets, secrets := pcaptest.Of(t, path, 600)
		if len(packets) > 200 {
			continue
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			whole := tellWire(t, pcaptest.File(packets, 0), secrets)
			want, said := legsOf(whole), map[string]bool{}
			sentences(whole, func(id, _ string) { said[id] = true })
			for what, file := range damagesOf(packets, uint64(i)) {
				es := tellWire(t, file, secrets)
				sentences(es, func(id, text string) {
					done := func(d string) bool { return strings.Contains(what+" "+filepath.Base(path), d) }
					if all, ok := allowed[id]; !said[id] && !(ok && slices.ContainsFunc(strings.Split(all, "|"), done)) {
						t.Errorf("%s: %s, which no whole capture calls for here: %s", what, id, text)
					}
				})
				for _, e := range es {
					for _, p := range e.Proofs {
						if p.State == event.Refuted {
							t.Errorf("%s: refuted: %s", what, p.Claim)
						}
					}
				}
				for ends, l := range legsOf(es) {
					w, ok := want[ends]
					if !ok {
						t.Errorf("%s: there was no connection %s", what, ends)
						continue
					}
					for j, r := range l.Rows {
						o := w.Rows[j]
						if r.Verdict == o.Verdict || r.Verdict == event.Unknown {
							continue
						}
						if r.Step == event.Step1 && o.Verdict == event.Failed && r.Verdict == event.AsTold {
							continue // the connection was opened, and what failed then is not there
						}
						t.Errorf("%s: step %s of %s is %s: %s\nwhole it is %s: %s", what, r.Step, ends, r.Verdict, r.Says.Text, o.Verdict, o.Says.Text)
					}
				}
			}
		})
	}
}
