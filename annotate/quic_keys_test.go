package annotate_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/keys"
	"explainer/capture/pcap"
	"explainer/capture/pcap/pcaptest"
	"explainer/capture/quic"
)

// quicCases are captures with keys that stand beside the project on some machines, with how many 1-RTT packets of
// the client and of the server are to be opened, as another program counted them.
var quicCases = []struct {
	file    string
	opened  [2]int
	sealed  int // early data, whose secret nobody has logged
	full    int // handshakes with a certificate
	resumed int
	joined  bool
}{
	{file: "chromium156-h3.pcapng", opened: [2]int{16, 15}, full: 1},
	{file: "quic-go-retry-0rtt-keyupdate.pcapng", opened: [2]int{77, 1591}, sealed: 3, full: 1, resumed: 1, joined: true},
	{file: "firefox153-h3-gso.pcapng", joined: true, full: 2},
	{file: "chromium156-h3-refuses-local-root.pcapng"},
}

// TestQUICCases opens every packet of them, and proves both Finished and the signature.
func TestQUICCases(t *testing.T) {
	dir := filepath.Join(filepath.Dir(collection(t)), "cases", "quic")
	for _, c := range quicCases {
		if _, err := os.Stat(filepath.Join(dir, c.file)); err != nil {
			t.Logf("no %s on this machine", c.file)
			continue
		}
		proven := map[string]int{}
		for _, e := range story(t, filepath.Join(dir, c.file), true) {
			for _, p := range e.Proofs {
				if p.State == event.Refuted {
					t.Errorf("%s: refuted: %s", c.file, p.Claim)
				}
				if p.State == event.Proven {
					proven[p.ID]++
				}
			}
		}
		if c.full > 0 {
			for id, n := range map[string]int{words.ProofServerFin: c.full + c.resumed, words.ProofClientFin: c.full + c.resumed, words.ProofServerCV: c.full} {
				if proven[id] != n {
					t.Errorf("%s: %s proven %d times, not %d: %v", c.file, id, proven[id], n, proven)
				}
			}
		}
		opened, sealed, joined := quicPackets(t, filepath.Join(dir, c.file))
		if c.opened[0] > 0 && opened != c.opened {
			t.Errorf("%s: %d 1-RTT packets opened, not %d", c.file, opened, c.opened)
		}
		if sealed != c.sealed {
			t.Errorf("%s: %d packets sealed, not %d", c.file, sealed, c.sealed)
		}
		if (joined > 0) != c.joined {
			t.Errorf("%s: %d datagrams were captured with the one before", c.file, joined)
		}
	}
}

// quicPackets counts the 1-RTT packets of a capture that were opened, by side, the packets of any kind that
// stayed sealed, and datagrams that were captured as one with the one before.
func quicPackets(t *testing.T, path string) (opened [2]int, sealed, joined int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcap.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var d capture.Decoder
	for m, err := range d.All(r.All()) {
		if err != nil {
			t.Fatal(err)
		}
		p, ok := m.Body.(*capture.QUICPacket)
		switch {
		case !ok:
		case p.Reason != "":
			sealed += p.Packets
			t.Logf("%s: %d packets of the %v sealed: %v, %s", filepath.Base(path), p.Packets, m.Side, p.Kind, p.Reason)
		case m.Opened && p.Kind == quic.OneRTT:
			opened[m.Side]++
		}
		if ok {
			joined += p.Joined
		}
	}
	return opened, sealed, joined
}

// quicRecording reads a recording of quic-go of the project's own.
func quicRecording(t *testing.T, name string) (packets []pcaptest.Packet, secrets []keys.Secret) {
	t.Helper()
	return pcaptest.Keyed(t, filepath.Join("..", "capture", "testdata", "quic", name))
}

// TestQUICOpened tells what was recorded of quic-go with its keys: the verdict of each step, the proofs, and
// what else is to be said.
func TestQUICOpened(t *testing.T) {
	full := "differently unseen differently unseen differently differently differently differently differently as-told unseen"
	for _, test := range []struct {
		file, verdicts string
		says           []string
	}{
		{"http3", full, []string{"quic-handshake-opened", "quic-1rtt-opened", "quic-handshake-done", "quic-new-id", "quic-new-token", "http-request-quic", "http-response-quic", "summary-quic-opened", "step-7-quic-opened-first"}},
		{"version2-retry-update", full, []string{"quic-retry", "quic-key-update", "quic-close-sealed", "quic-0rtt", "summary-quic-opened", "summary-quic-partly", "step-7-quic-opened"}},
	} {
		packets, secrets := quicRecording(t, test.file)
		es := tellWire(t, pcaptest.File(packets, 0), secrets)
		said, proofs := map[string]bool{}, map[string]event.ProofState{}
		sentences(es, func(id, text string) {
			said[id] = true
			if strings.Contains(text, "(not known)") {
				t.Errorf("%s: %s: %s", test.file, id, text)
			}
		})
		var first event.Leg
		for _, e := range es {
			for _, p := range e.Proofs {
				if proofs[p.ID] = p.State; p.State == event.Refuted {
					t.Errorf("%s: refuted: %s", test.file, p.Claim)
				}
			}
			if e.Summary != nil && first.Conn == 0 {
				first = e.Summary.Legs[0]
			}
		}
		var verdicts []string
		for _, v := range rowVerdicts(first) {
			verdicts = append(verdicts, string(v))
		}
		if got := strings.Join(verdicts, " "); got != test.verdicts {
			t.Errorf("%s: verdicts\n%s, want\n%s", test.file, got, test.verdicts)
		}
		for _, id := range test.says {
			if !said[id] {
				t.Errorf("%s: does not say %s", test.file, id)
			}
		}
		for _, id := range []string{words.ProofServerCV, words.ProofServerFin, words.ProofClientFin, words.ProofServerPacket, words.ProofClientPacket} {
			if proofs[id] != event.Proven {
				t.Errorf("%s: %s is %q", test.file, id, proofs[id])
			}
		}
	}
}

// TestQUICDamagedStories tells connections over UDP with packets lost, repeated, in another order and cut: a
// step is then what it is in the whole capture, or not known, nothing is refuted or failed that did not, and each
// sentence that the whole capture does not call for is one of those in testdata/damaged-udp.txt, which were read
// with this in mind.
func TestQUICDamagedStories(t *testing.T) {
	list, err := os.ReadFile("testdata/damaged-udp.txt")
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{}
	for _, line := range strings.Split(string(list), "\n") {
		allowed[line] = true
	}
	var files []string
	for _, dir := range []string{"quic", "dtls", "dtls13"} {
		of, err := filepath.Glob(filepath.Join("..", "capture", "testdata", dir, "*.keys"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, of...)
	}
	if len(files) < 15 {
		t.Fatal(files, err)
	}
	for i, path := range files {
		stem := strings.TrimSuffix(path, ".keys")
		name := filepath.Base(filepath.Dir(stem)) + "/" + filepath.Base(stem)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			packets, secrets := pcaptest.Keyed(t, stem)
			packets = packets[:min(len(packets), 40)]
			whole := tellWire(t, pcaptest.File(packets, 0), secrets)
			want, said := legsOf(whole), map[string]bool{}
			sentences(whole, func(id, _ string) { said[id] = true })
			for n := range uint64(max(20, *damages)) {
				left, snap, what := damage(packets, rand.New(rand.NewPCG(uint64(i), n)))
				es := tellWire(t, pcaptest.File(left, snap), secrets)
				sentences(es, func(id, text string) {
					if !said[id] && !allowed[id] {
						t.Errorf("%s (seed %d): %s, which no whole capture calls for here: %s", what, n, id, text)
					}
				})
				for _, e := range es {
					for _, p := range e.Proofs {
						if p.State == event.Refuted {
							t.Errorf("%s (seed %d): refuted: %s", what, n, p.Claim)
						}
					}
				}
				for ends, l := range legsOf(es) {
					w, ok := want[ends]
					if !ok {
						continue // which end is the client is told by the packets that are there
					}
					for j, r := range l.Rows {
						if r.Says.ID == "step-4c-mlkem" && strings.HasSuffix(name, "/psk") {
							continue // beside a common secret, which the ServerHello alone does not tell of
						}
						if o := w.Rows[j]; r.Verdict != o.Verdict && r.Verdict != event.Unknown {
							t.Errorf("%s (seed %d): step %s is %s: %s\nwhole it is %s: %s", what, n, r.Step, r.Verdict, r.Says.Text, o.Verdict, o.Says.Text)
						}
					}
				}
			}
		})
	}
}
