package annotate_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/capture"
	"explainer/capture/keys"
)

// TestEyes: who gets what later opens what of which kind of connection, and why.
func TestEyes(t *testing.T) {
	made := map[string][]event.Event{}
	for name, tapes := range scenes(t) {
		var es []event.Event
		for i, tp := range tapes {
			es = append(es, events(messages(tp.inputs(i, capture.LegNone)))...)
		}
		made[name] = es
	}
	const all, early, none, unknown = "connection", "early-data", "", "unknown"
	for _, c := range []struct {
		of   string
		conn int // 0: the last
		key  string
		why  string
		late string
		how  string
	}{
		{"tls12-rsa-aes128-gcm", 1, all, "eavesdropper-later-rsa", all, "eye-quantum-rsa"},
		{"tls12-ecdhe-rsapss", 1, none, "eavesdropper-later-dhe", all, "eye-quantum-dh"},
		{"tls12-dhe-rsa", 1, none, "eavesdropper-later-dhe", all, "eye-quantum-dh"},
		{"tls12-anonymous-dhe", 1, none, "eye-key-none eavesdropper-later-dhe", all, "eye-quantum-dh"},
		{"tls12-resumed-rsa", 2, all, "eye-key-resumed", all, "eye-quantum-resumed"},
		{"tls12-resumed-rsa", 4, all, "eye-key-resumed", all, "eye-quantum-resumed"},
		{"tls12-resumed-id", 2, none, "eye-key-resumed-fresh eavesdropper-later-resumed", all, "eye-quantum-resumed"},
		{"tls12-resumed-ticket", 2, none, "eye-key-resumed-fresh eavesdropper-later-resumed", all, "eye-quantum-resumed"},
		{"tls12-psk", 1, none, "eye-key-none eavesdropper-later-psk", none, "eye-quantum-shared"},
		{"tls12-dhe-psk", 1, none, "eye-key-none eavesdropper-later-psk-dhe", none, "eye-quantum-shared"},
		{"tls12-rsa-psk", 1, none, "eavesdropper-later-rsa-psk", none, "eye-quantum-shared"},
		{"tls13-aes128-gcm", 1, none, "eavesdropper-later-dhe", all, "eye-quantum-dh"},
		{"tls13-hrr", 1, none, "eavesdropper-later-dhe", all, "eye-quantum-dh"},
		{"tls13-psk-dhe", 2, none, "eye-key-psk eavesdropper-later-psk-dhe", all, "eye-quantum-resumed"},
		{"tls13-psk-ke", 2, none, "eye-key-psk eavesdropper-later-psk", all, "eye-quantum-resumed"},
		{"tls13-psk-ke-external", 1, none, "eye-key-none eavesdropper-later-psk", none, "eye-quantum-shared"},
		{"tls13-psk-dhe-external", 1, none, "eye-key-none eavesdropper-later-psk-dhe", none, "eye-quantum-shared"},
		{"tls13-0rtt", 2, none, "eye-key-psk eavesdropper-later-psk-dhe eavesdropper-later-early", all + " " + early, "eye-quantum-resumed"},
		{"tls12-rsa-null", 1, "", "", "", ""},
		{"made: tls13-mlkem", 0, none, "eavesdropper-later-dhe", none, "eye-quantum-kem"},
		{"made: tls13-full", 0, none, "eavesdropper-later-dhe", all, "eye-quantum-dh"},
	} {
		name, own := strings.CutPrefix(c.of, "made: ")
		es := made[name]
		if !own {
			es = story(t, filepath.Join(recordings, c.of+".pcapng"), true)
		}
		var leg *event.Leg
		for _, l := range legs(es) {
			if l.Conn == c.conn || c.conn == 0 {
				leg = &l
			}
		}
		if leg == nil {
			t.Errorf("%s has no connection %d", c.of, c.conn)
			continue
		}
		for _, y := range []struct{ id, opens, says string }{{event.EyeKey, c.key, c.why}, {event.EyeQuantum, c.late, c.how}} {
			eye := leg.Eye(y.id)
			if eye == nil {
				if y.says != "" {
					t.Errorf("%s, connection %d: nothing of %s", c.of, c.conn, y.id)
				}
				continue
			}
			var says []string
			for _, s := range eye.Says {
				says = append(says, s.ID)
			}
			if got := strings.Join(eye.Opens, " "); got != y.opens || strings.Join(says, " ") != y.says || eye.Unknown {
				t.Errorf("%s, connection %d, %s: opens %q, unknown %t, %q; want %q, %q", c.of, c.conn, y.id, got, eye.Unknown, says, y.opens, y.says)
			}
		}
	}
}

// TestEyesEarlier: where the earlier connection is not in the capture, what rests on it stays closed,
// and the early data of a hybrid exchange opens with the earlier secret alone.
func TestEyesEarlier(t *testing.T) {
	for _, c := range []struct{ of, key, quantum string }{
		{"tls12-resumed-rsa", "eye-key-resumed-elsewhere", "eye-quantum-elsewhere"},
		{"tls13-psk-dhe", "eye-key-psk", "eye-quantum-elsewhere"},
		{"tls13-psk-ke", "eye-key-psk", "eye-quantum-elsewhere"},
		{"tls13-0rtt", "eye-key-psk", "eye-quantum-elsewhere"},
	} {
		inputs, secrets := recordingInputs(t, c.of)
		d := capture.Decoder{SecretsFirst: true}
		var ms []capture.Message
		for _, s := range secrets {
			ms = append(ms, d.Feed(&s)...)
		}
		for _, in := range inputs {
			conn := 0
			switch in := in.(type) {
			case *capture.Open:
				conn = in.Conn
			case *capture.Chunk:
				conn = in.Conn
			case *capture.Close:
				conn = in.Conn
			}
			if conn%2 == 0 { // the others are those that it takes up
				ms = append(ms, d.Feed(in)...)
			}
		}
		ms = append(ms, d.Finish()...)
		for _, l := range legs(tellAll(new(annotate.Explainer), ms)) {
			if !strings.Contains(l.Flow, "resumed") && !strings.Contains(l.Flow, "psk") && !strings.Contains(l.Flow, "0rtt") {
				continue
			}
			if k, q := l.Eye(event.EyeKey), l.Eye(event.EyeQuantum); k == nil || q == nil || k.Says[0].ID != c.key || q.Says[0].ID != c.quantum || len(k.Opens)+len(q.Opens) > 0 {
				t.Errorf("%s alone: %+v, %+v", c.of, k, q)
			}
		}
	}
}

// TestEyesOpen: of every recording, the private keys of its server and nothing else open just the
// connections of which that is said.
func TestEyesOpen(t *testing.T) {
	file, err := os.ReadFile(filepath.Join(recordings, "keys", "rsa.key"))
	if err != nil {
		t.Fatal(err)
	}
	given, err := keys.ParsePrivateKeys(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(recordings, "*.pcapng"))
	if err != nil || len(names) == 0 {
		t.Fatal(err)
	}
	opened := 0
	for _, path := range names {
		said, seen := map[int]bool{}, map[int]bool{}
		es := story(t, path, true)
		readable := map[int]bool{} // with all secrets; a suite may be one that is not opened here
		for _, e := range es {
			readable[e.Conn] = readable[e.Conn] || e.Evidence == event.Decrypted
		}
		for _, l := range legs(es) {
			if y := l.Eye(event.EyeKey); y != nil && readable[l.Conn] {
				said[l.Conn] = slices.Contains(y.Opens, event.SealedConnection)
			}
		}
		for _, e := range keyed(t, path, given) {
			if e.Evidence == event.Decrypted && e.Kind == event.KindMessage {
				seen[e.Conn] = true
			}
		}
		for conn, opens := range said {
			if opens != seen[conn] {
				t.Errorf("%s, connection %d: opens %t, and with the key alone %t", filepath.Base(path), conn, opens, seen[conn])
			}
			if opens {
				opened++
			}
		}
	}
	if opened < 10 {
		t.Errorf("only %d connections open", opened)
	}
}
