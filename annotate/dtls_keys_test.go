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
		for _, id := range []string{"finished-client", "finished-server", "data-client-here", "data-server", "alert-close-notify", "alert-close-datagram", "summary-dtls-opened"} {
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

// dtls13Captures are captures of DTLS 1.3 with what is needed to open them: recordings of pion, and one of
// wolfSSL that stands beside the project on some machines.
func dtls13Captures(t *testing.T) map[string][2][]capture.Input {
	t.Helper()
	read := func(file []byte) (both [2][]capture.Input) {
		r, err := pcap.NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		for in, err := range r.All() {
			if err != nil {
				t.Fatal(err)
			}
			switch in := in.(type) {
			case *keys.Secret:
				both[0] = append(both[0], in)
			case *capture.Open:
				both[1] = append(both[1], in)
			case *capture.Datagram:
				d := *in
				d.Data = bytes.Clone(in.Data)
				both[1] = append(both[1], &d)
			}
		}
		return both
	}
	all := map[string][2][]capture.Input{}
	if file, err := os.ReadFile(filepath.Join(collection(t), "nDPI", "dtls.pcap")); err == nil {
		all["wolfSSL"] = read(file)
	}
	files, err := filepath.Glob(filepath.Join("..", "capture", "testdata", "dtls13", "*.pcap"))
	if err != nil || len(files) < 8 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		packets, secrets := pcaptest.Keyed(t, strings.TrimSuffix(path, ".pcap"))
		both := read(pcaptest.File(packets, 0))
		for i := range secrets {
			both[0] = append(both[0], &secrets[i])
		}
		all[strings.TrimSuffix(filepath.Base(path), ".pcap")] = both
	}
	return all
}

// TestDTLS13Story tells connections in DTLS 1.3, whole and with datagrams lost, doubled and in
// another order: nothing is refuted.
func TestDTLS13Story(t *testing.T) {
	for name, both := range dtls13Captures(t) {
		secrets, inputs := both[0], both[1]
		proven, said := map[string]event.ProofState{}, map[string]bool{}
		es := toldOf(slices.Concat(secrets, inputs)...)
		for _, e := range es {
			for _, p := range e.Proofs {
				proven[p.ID] = p.State
			}
		}
		sentences(es, func(id, _ string) { said[id] = true })
		if !said["dtls-ack"] && name != "wolfSSL" {
			t.Errorf("%s: no ACK is told", name)
		}
		want := []string{words.ProofServerCV, words.ProofServerFin, words.ProofClientFin, words.ProofServerFirst, words.ProofClientFirst}
		switch name {
		case "wolfSSL", "client-certificate":
			want = append(want, words.ProofClientCV)
		case "psk":
			want = want[1:]
		case "ech":
			// What was signed and computed is over the hello inside, which the key log does not open.
			if !said["ech-accepted"] || proven[words.ProofServerFin] != event.NotCheckable {
				t.Errorf("%s: %v", name, proven)
			}
			want = want[3:]
		case "moved":
			if !said["dtls-moved"] {
				t.Errorf("%s: that it moved is not told", name)
			}
		}
		for _, id := range want {
			if proven[id] != event.Proven {
				t.Errorf("%s: %s is %q", name, id, proven[id])
			}
		}
		for seed := range uint64(60) {
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
						t.Errorf("%s, seed %d: refuted: %s: %s", name, seed, p.Claim, p.Reason)
					}
				}
			}
		}
	}
}

// TestSealedRowOfDTLS13: of records that stayed sealed only those under the keys for application
// data stand beside step 7.
func TestSealedRowOfDTLS13(t *testing.T) {
	packets, _ := pcaptest.Keyed(t, filepath.Join("..", "capture", "testdata", "dtls13", "plain"))
	short := shortly(t, tellWire(t, pcaptest.File(packets, 0), nil), words.English, 100)
	if !strings.Contains(short, "3 records that stayed sealed") {
		t.Error(short)
	}
}
