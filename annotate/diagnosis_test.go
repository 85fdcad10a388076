package annotate_test

import (
	"bytes"
	"crypto/rsa"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/capture"
	"explainer/capture/keys"
	"explainer/capture/pcap"
)

const recordings = "../capture/testdata/recordings"

// recordingInputs reads a recording of the project's own.
func recordingInputs(t *testing.T, name string) (inputs []capture.Input, secrets []keys.Secret) {
	t.Helper()
	f, err := os.Open(filepath.Join(recordings, name+".pcapng"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcap.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for in := range r.All() {
		switch in := in.(type) {
		case *capture.Secret:
			secrets = append(secrets, *in)
		case *capture.Chunk:
			c := *in
			c.Data = bytes.Clone(c.Data)
			inputs = append(inputs, &c)
		case *capture.Open:
			c := *in
			inputs = append(inputs, &c)
		case *capture.Close:
			c := *in
			inputs = append(inputs, &c)
		}
	}
	return inputs, secrets
}

// unopenedOf tells inputs and returns why what stayed sealed in connection 1 did.
func unopenedOf(t *testing.T, name string, inputs []capture.Input, secrets []keys.Secret, given []*rsa.PrivateKey, x *annotate.Explainer) []event.Unopened {
	t.Helper()
	d := capture.Decoder{SecretsFirst: true, PrivateKeys: given}
	var out []event.Unopened
	take := func(es []event.Event) {
		for _, e := range es {
			checkEvent(t, name, &e)
			if e.Summary != nil && e.Summary.Legs[0].Conn == 1 {
				out = e.Summary.Legs[0].Unopened
			}
		}
	}
	feed := func(ms []capture.Message) {
		for i := range ms {
			take(x.Explain(&ms[i]))
		}
	}
	for i := range secrets {
		feed(d.Feed(&secrets[i]))
	}
	for _, in := range inputs {
		feed(d.Feed(in))
	}
	feed(d.Finish())
	take(x.Finish())
	return out
}

// TestUnopened takes away one thing after another that opens a connection, and
// wants it named.
func TestUnopened(t *testing.T) {
	file, err := os.ReadFile(filepath.Join(recordings, "keys", "rsa.key"))
	if err != nil {
		t.Fatal(err)
	}
	given, err := keys.ParsePrivateKeys(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	other := keys.Secret{Label: "CLIENT_RANDOM", ClientRandom: make([]byte, 32), Secret: make([]byte, 48)}
	without := func(labels ...string) func(keys.Secret) (keys.Secret, bool) {
		return func(s keys.Secret) (keys.Secret, bool) {
			for _, l := range labels {
				if strings.Contains(s.Label, l) {
					return s, false
				}
			}
			return s, true
		}
	}
	none := func(s keys.Secret) (keys.Secret, bool) { return s, false }
	wrong := func(s keys.Secret) (keys.Secret, bool) {
		s.Secret = append(bytes.Clone(s.Secret[1:]), 1)
		return s, true
	}
	all := func(s keys.Secret) (keys.Secret, bool) { return s, true }
	drop := func(side capture.Side) func(capture.Input) bool {
		return func(in capture.Input) bool {
			c, ok := in.(*capture.Chunk)
			return !ok || c.Side != side
		}
	}
	for _, test := range []struct {
		recording string
		secrets   func(keys.Secret) (keys.Secret, bool)
		lines     []keys.Secret
		given     []*rsa.PrivateKey
		keep      func(capture.Input) bool
		want      string // from and reason, for each
	}{
		{"tls13-aes128-gcm", all, nil, nil, nil, ""},
		{"tls13-aes128-gcm", none, nil, nil, nil, " no-keys"},
		{"tls13-aes128-gcm", none, []keys.Secret{other}, nil, nil, " no-line"},
		{"tls13-aes128-gcm", none, nil, given, nil, " private-key-tls13"},
		{"tls13-aes128-gcm", without("CLIENT_"), nil, nil, nil, "client other-direction"},
		{"tls13-aes128-gcm", without("SERVER_"), nil, nil, nil, "server other-direction"},
		{"tls13-aes128-gcm", without("TRAFFIC_SECRET_0"), nil, nil, nil, "client other-line server other-line"},
		{"tls13-aes128-gcm", wrong, nil, nil, nil, " wrong-key"},
		{"tls12-dhe-rsa", none, nil, given, nil, " private-key-forward-secrecy"},
		{"tls12-rsa-aes128-gcm", none, nil, given, nil, ""},
		{"tls12-rsa-aes128-gcm", none, nil, nil, nil, " no-keys"},
		{"tls12-rsa-aes128-gcm", none, []keys.Secret{other}, nil, nil, " no-line"},
		{"tls12-psk", none, nil, given, nil, " private-key-psk"},
		{"tls12-rsa-aes128-gcm", all, nil, nil, drop(capture.Server), "client one-direction"},
		{"tls12-rsa-aes128-gcm", all, nil, nil, drop(capture.Client), "server no-client-hello"},
		{"tls13-aes128-gcm", all, nil, nil, drop(capture.Client), "server no-client-hello"},
		{"tls12-ecdhe-aria-gcm", all, nil, nil, nil, " suite"},
	} {
		inputs, secrets := recordingInputs(t, test.recording)
		lines := test.lines
		for _, s := range secrets {
			if s, ok := test.secrets(s); ok {
				lines = append(lines, s)
			}
		}
		if test.keep != nil {
			var kept []capture.Input
			for _, in := range inputs {
				if test.keep(in) {
					kept = append(kept, in)
				}
			}
			inputs = kept
		}
		var got []string
		for _, u := range unopenedOf(t, test.recording, inputs, lines, test.given, new(annotate.Explainer)) {
			got = append(got, u.From+" "+u.Reason)
			if u.Records == 0 || !strings.HasPrefix(u.Says.ID, "unopened-") {
				t.Errorf("%s: %+v", test.recording, u)
			}
		}
		if g := strings.Join(got, " "); g != test.want {
			t.Errorf("%s: %q, want %q", test.recording, g, test.want)
		}
	}
}

// TestEavesdropper: without keys each step of a connection that is encrypted says
// what stays hidden, and nothing is told that only a key shows.
func TestEavesdropper(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(recordings, "*.pcapng"))
	if err != nil || len(names) == 0 {
		t.Fatal(err)
	}
	for _, path := range names {
		name := strings.TrimSuffix(filepath.Base(path), ".pcapng")
		inputs, _ := recordingInputs(t, name)
		d := capture.Decoder{SecretsFirst: true}
		x := &annotate.Explainer{Eavesdropper: true}
		var events []event.Event
		for _, in := range inputs {
			for _, m := range d.Feed(in) {
				events = append(events, x.Explain(&m)...)
			}
		}
		for _, m := range d.Finish() {
			events = append(events, x.Explain(&m)...)
		}
		events = append(events, x.Finish()...)
		for _, e := range events {
			checkEvent(t, name, &e)
			if e.Evidence == event.Decrypted {
				t.Errorf("%s: event %d is told as decrypted", name, e.N)
			}
			if e.Summary == nil {
				continue
			}
			for _, l := range e.Summary.Legs {
				if strings.HasPrefix(name, "tls13-0rtt") && l.Flow == "tls13-psk-dhe" && !strings.Contains(fmt.Sprint(e.Says), "early data") {
					t.Errorf("%s: nothing is said of who can open the early data later: %v", name, e.Says)
				}
				for _, u := range l.Unopened {
					if u.Reason != "eavesdropper" {
						t.Errorf("%s: %s", name, u.Reason)
					}
				}
				for _, r := range l.Rows {
					if asked := name == "connect" || strings.HasPrefix(name, "socks"); asked && r.Hidden != nil && strings.Contains(r.Hidden.Text, "nowhere in clear") {
						t.Errorf("%s: %s", name, r.Hidden.Text)
					}
					if r.Hidden != nil && strings.Contains(r.Hidden.Text, "(not known)") {
						t.Errorf("%s: %s", name, r.Hidden.Text)
					}
					if r.Hidden != nil && r.Hidden.ID == "hidden-nothing-sent" && r.Verdict != event.Absent {
						t.Errorf("%s: step %s is %s, and yet nothing was sent", name, r.Step, r.Verdict)
					}
					if r.Hidden == nil && r.Verdict != event.NotReached && (r.Step == event.Step1 || r.Step == event.Step8) && !strings.HasPrefix(l.Flow, "other") && l.Flow != "unknown" {
						t.Errorf("%s: step %s of %s says nothing of what is hidden", name, r.Step, l.Flow)
					}
				}
			}
		}
	}
}

// TestUnfitRecord: a client that stops over a record which does not fit its key has said
// nothing about the certificate.
func TestUnfitRecord(t *testing.T) {
	d, x := capture.Decoder{}, &annotate.Explainer{Eavesdropper: true}
	var es []event.Event
	f, err := os.Open("testdata/cases/finished-tampered.pcapng")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcap.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for in, err := range r.All() {
		if err != nil {
			t.Fatal(err)
		}
		switch in.(type) {
		case *capture.Fact, *capture.Secret:
			continue
		}
		for _, m := range d.Feed(in) {
			es = append(es, x.Explain(&m)...)
		}
	}
	for _, m := range d.Finish() {
		es = append(es, x.Explain(&m)...)
	}
	es = append(es, x.Finish()...)
	got := map[event.Step]string{}
	for _, e := range es {
		if e.Summary != nil {
			for _, r := range e.Summary.Legs[0].Rows {
				got[r.Step] = string(r.Verdict) + " " + r.Says.ID
			}
		}
	}
	if got[event.Step4a] != "unknown step-4a-hidden" || got[event.Step8] != "failed step-failed" {
		t.Errorf("step 4a %q, step 8 %q", got[event.Step4a], got[event.Step8])
	}
}
