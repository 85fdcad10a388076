package annotate_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/keys"
	"explainer/capture/pcap"
	"explainer/capture/pcap/pcaptest"
)

// dtlsRecordings are recordings of openssl, and of pion with connection IDs, with the verdicts of their steps and what is proven beside
// both Finished and the first records.
var dtlsRecordings = map[string]struct{ verdicts, proven string }{
	"dtls12":                    {"differently unseen differently unseen differently absent differently absent differently as-told unseen", words.ProofSKE},
	"dtls12-cookie-fragments":   {"differently unseen differently unseen differently absent differently absent differently as-told unseen", words.ProofSKE},
	"dtls12-client-certificate": {"differently unseen differently unseen differently absent differently absent differently as-told unseen", words.ProofClientCV},
	"dtls12-rsa":                {"differently unseen as-told unseen differently as-told as-told unseen differently as-told unseen", words.ProofRSAMaster},
	"dtls12-connection-id":      {"differently unseen differently unseen differently absent differently absent differently as-told unseen", words.ProofSKE},
	"dtls12-lost":               {"differently unseen differently unseen differently absent differently absent differently as-told unseen", words.ProofSKE},
	"dtls12-renegotiation":      {"differently unseen as-told unseen differently as-told as-told unseen differently as-told unseen", words.ProofRSAMaster},
	"dtls12-psk":                {"differently absent absent absent differently absent differently absent differently as-told unseen", ""},
	"dtls10":                    {"differently unseen differently unseen differently absent differently absent differently as-told unseen", words.ProofSKE},
}

// dtlsRecording reads one of them with its key log.
func dtlsRecording(t *testing.T, name string) (packets []pcaptest.Packet, secrets []keys.Secret) {
	t.Helper()
	return pcaptest.Keyed(t, filepath.Join("..", "capture", "testdata", "dtls", name))
}

// TestDTLSOpened tells them with their keys: the verdict of each step, the proofs, and what each side sent.
func TestDTLSOpened(t *testing.T) {
	for name, want := range dtlsRecordings {
		packets, secrets := dtlsRecording(t, name)
		es := tellWire(t, pcaptest.File(packets, 0), secrets)
		_, proofs, leg, says := told(t, es)
		var verdicts []string
		for _, v := range rowVerdicts(leg) {
			verdicts = append(verdicts, string(v))
		}
		if got := strings.Join(verdicts, " "); got != want.verdicts {
			t.Errorf("%s: verdicts\n%s, want\n%s", name, got, want.verdicts)
		}
		for _, id := range []string{words.ProofServerFin, words.ProofClientFin, words.ProofServerFirst, words.ProofClientFirst, want.proven} {
			if id != "" && proofs[id] != event.Proven {
				t.Errorf("%s: %s is %q", name, id, proofs[id])
			}
		}
		sentences(es, func(id, text string) {
			switch {
			case strings.Contains(text, "(not known)"):
				t.Errorf("%s: %s: %s", name, id, text)
			case id == "summary-dtls-opened" && strings.Count(text, "with data, 12 bytes") != 2:
				t.Errorf("%s: %s", name, text)
			}
		})
		for _, id := range []string{"finished-client", "finished-server", "data-client", "data-server", "alert-close-notify", "summary-dtls-opened"} {
			if !strings.Contains(says, id+" ") {
				t.Errorf("%s: does not say %s", name, id)
			}
		}
		if ids := strings.Contains(says, "summary-dtls-ids "); ids != (name == "dtls12-connection-id") {
			t.Errorf("%s: tells connection IDs: %v", name, ids)
		}
		if strings.Contains(says, "sealed") {
			t.Errorf("%s: %s", name, says)
		}
		again := tellWire(t, pcaptest.File(append(packets, packets...), 0), secrets)
		if _, _, _, says := told(t, again); !strings.Contains(says, "summary-dtls-doubled ") {
			t.Errorf("%s: does not say that the records came again", name)
		}
	}
}

// TestDTLSDamagedStories is TestQUICDamagedStories for DTLS.
func TestDTLSDamagedStories(t *testing.T) {
	for name := range dtlsRecordings {
		packets, secrets := dtlsRecording(t, name)
		want := legsOf(tellWire(t, pcaptest.File(packets, 0), secrets))
		for n := range uint64(60) {
			left, snap, what := damage(packets, rand.New(rand.NewPCG(9, n)))
			es := tellWire(t, pcaptest.File(left, snap), secrets)
			for _, e := range es {
				for _, p := range e.Proofs {
					if p.State == event.Refuted {
						t.Errorf("%s, %s (seed %d): refuted: %s", name, what, n, p.Claim)
					}
				}
			}
			for ends, l := range legsOf(es) {
				w, ok := want[ends]
				if !ok {
					continue // which end is the client is told by the packets that are there
				}
				for j, r := range l.Rows {
					if o := w.Rows[j]; r.Verdict != o.Verdict && r.Verdict != event.Unknown {
						t.Errorf("%s, %s (seed %d): step %s is %s: %s\nwhole it is %s: %s", name, what, n, r.Step, r.Verdict, r.Says.Text, o.Verdict, o.Says.Text)
					}
				}
			}
		}
	}
}

// TestDTLS13Story tells a connection of wolfSSL in DTLS 1.3 that stands beside the project on some machines, whole and
// with datagrams lost, doubled and in another order: nothing is refuted.
func TestDTLS13Story(t *testing.T) {
	path := filepath.Join(collection(t), "nDPI", "dtls.pcap")
	file, err := os.ReadFile(path)
	if err != nil {
		t.Logf("no %s on this machine", path)
		return
	}
	r, err := pcap.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var secrets, inputs []capture.Input
	for in, err := range r.All() {
		if err != nil {
			t.Fatal(err)
		}
		switch in := in.(type) {
		case *keys.Secret:
			secrets = append(secrets, in)
		case *capture.Open:
			inputs = append(inputs, in)
		case *capture.Datagram:
			d := *in
			d.Data = bytes.Clone(in.Data)
			inputs = append(inputs, &d)
		}
	}
	proven := map[string]bool{}
	for _, e := range toldOf(append(secrets, inputs...)...) {
		for _, p := range e.Proofs {
			proven[p.ID] = p.State == event.Proven
		}
	}
	for _, id := range []string{words.ProofServerCV, words.ProofClientCV, words.ProofServerFin, words.ProofClientFin, words.ProofServerFirst, words.ProofClientFirst} {
		if !proven[id] {
			t.Errorf("not proven: %s", id)
		}
	}
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 5))
		damaged := slices.Clone(secrets)
		for _, in := range inputs {
			_, datagram := in.(*capture.Datagram)
			n := len(damaged)
			switch k := rng.IntN(16); {
			case datagram && k == 0:
			case datagram && k == 1:
				damaged = append(damaged, in, in)
			case datagram && k < 5 && n > len(secrets)+3:
				if _, ok := damaged[n-1].(*capture.Datagram); ok {
					damaged = slices.Insert(damaged, n-1, in)
					break
				}
				fallthrough
			default:
				damaged = append(damaged, in)
			}
		}
		for _, e := range toldOf(damaged...) {
			for _, p := range e.Proofs {
				if p.State == event.Refuted {
					t.Errorf("seed %d: refuted: %s: %s", seed, p.Claim, p.Reason)
				}
			}
		}
	}
}
