package annotate_test

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/capture/keys"
	"explainer/capture/pcap/pcaptest"
)

// recordedQUIC tells a recording of package capture with its keys, but for the packets that are lost.
func recordedQUIC(t *testing.T, name string, x *annotate.Explainer, lost ...int) []event.Event {
	return quicWith(t, name, x, func(string) bool { return true }, lost...)
}

// quicWith is the same with those keys whose labels are wanted.
func quicWith(t *testing.T, name string, x *annotate.Explainer, wanted func(label string) bool, lost ...int) (out []event.Event) {
	t.Helper()
	packets, secrets := quicRecording(t, name)
	secrets = slices.DeleteFunc(secrets, func(s keys.Secret) bool { return !wanted(s.Label) })
	left, _ := without(packets, lost...)
	for _, m := range pcaptest.Read(t, pcaptest.File(left, 0), secrets) {
		out = append(out, x.Explain(&m)...)
	}
	return append(out, x.Finish()...)
}

// TestQUICSchedule: the secrets of QUIC are drawn with the labels of its version, which are not
// those of TLS; the key for the headers does not change with an update.
func TestQUICSchedule(t *testing.T) {
	for name, prefix := range map[string]string{"http3": "quic ", "version2-retry-update": "quicv2 "} {
		of := map[string]string{"quic-key": "key", "quic-iv": "iv", "quic-hp": "hp", "quic-next": "ku"}
		seen := map[string]int{}
		var walk func(s, above event.Secret)
		walk = func(s, above event.Secret) {
			if label, ok := of[s.ID]; ok {
				secret, _ := hex.DecodeString(above.Value)
				got, _ := hex.DecodeString(s.Value)
				if want := keys.ExpandLabel(crypto.SHA256, secret, prefix+label, nil, len(got)); len(got) == 0 || !bytes.Equal(got, want) {
					t.Errorf("%s: %s below %s is %x, not %x", name, s.ID, above.ID, got, want)
				}
				seen[s.ID]++
			}
			switch s.ID {
			case "key", "iv", "next-application":
				t.Errorf("%s has %s, which TLS makes for records", name, s.ID)
			}
			for _, m := range s.Made {
				walk(m, s)
			}
		}
		for _, l := range legs(recordedQUIC(t, name, &annotate.Explainer{Secrets: true, ShowSecrets: true})) {
			for _, s := range l.Secrets.Tree {
				walk(s, event.Secret{})
			}
		}
		if seen["quic-hp"] == 0 || seen["quic-key"] != seen["quic-hp"]+seen["quic-next"] || seen["quic-iv"] != seen["quic-key"] || prefix == "quicv2 " && seen["quic-next"] == 0 {
			t.Errorf("%s: %v", name, seen)
		}
	}
}

// TestQUICFrame: what the textbook counts is counted over QUIC too, with those keys named that it
// has beside them; a Retry costs a round trip.
func TestQUICFrame(t *testing.T) {
	type counts struct {
		pairs, secrets, keys, trips int
	}
	for name, want := range map[string][]counts{
		"http3":                 {{4, 2, 4, 1}},
		"version2-retry-update": {{4, 2, 4, 2}, {3, 3, 5, 0}},
	} {
		var got []counts
		for _, l := range legs(recordedQUIC(t, name, &annotate.Explainer{})) {
			f := l.Frame
			if f == nil || f.KeysSay.Of == nil {
				t.Fatalf("%s: nothing counted", name)
			}
			got = append(got, counts{f.Pairs, f.Secrets, f.Keys, f.RoundTrips})
			if tripsSaid := !f.TripsSay.Empty(); tripsSaid != (f.RoundTrips > 0) {
				t.Errorf("%s: round trips told: %t", name, tripsSaid)
			}
			for _, a := range l.Rows[0].Acts {
				if a.Sent || l.Rows[0].Why.Empty() {
					t.Errorf("%s: step 1 has %+v", name, a)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, not %v", name, got, want)
		}
	}
}

// TestQUICParameters: each transport parameter that has a name in the RFCs is told in words.
func TestQUICParameters(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range recordedQUIC(t, "version2-retry-update", &annotate.Explainer{}) {
		for _, f := range e.Fields {
			name, inside := strings.CutPrefix(f.Name.String(), "  ")
			if !inside {
				continue
			}
			if f.Note.Of == nil {
				t.Errorf("%s: %s has no words", e.Name, name)
			}
			seen[name] = true
		}
	}
	for _, name := range []string{"max_idle_timeout", "initial_max_stream_data_bidi_local", "original_destination_connection_id", "retry_source_connection_id"} {
		if !seen[name] {
			t.Errorf("%s was not told", name)
		}
	}
}

// TestQUICWithoutServerHello: data that was opened is told as data, though the packet with the
// ServerHello is not in the capture.
func TestQUICWithoutServerHello(t *testing.T) {
	for _, l := range legs(recordedQUIC(t, "http3", &annotate.Explainer{}, 2)) {
		for _, r := range l.Rows {
			switch {
			case r.Step == event.Step2 && r.Says.ID != "step-udp-no-answer":
				t.Errorf("the ServerHello is there: %s", r.Says.Text)
			case r.Step == event.Step7 && r.Verdict != event.AsTold, r.Step == event.Step8 && r.Verdict != event.Unseen:
				t.Errorf("step %s, %s: %s", r.Step, r.Verdict, r.Says.Text)
			}
		}
	}
}

// TestQUICSomeKeys: sealed data takes nothing from the handshake, whose messages end before it; and a
// client whose data was opened went on, though its Handshake packets are sealed.
func TestQUICSomeKeys(t *testing.T) {
	handshake := func(label string) bool { return strings.HasSuffix(label, "HANDSHAKE_TRAFFIC_SECRET") }
	for _, l := range legs(quicWith(t, "http3", &annotate.Explainer{}, handshake)) {
		for _, r := range l.Rows {
			for _, p := range r.Proofs {
				if p.State != event.Proven {
					t.Errorf("step %s: %s is %s", r.Step, p.ID, p.State)
				}
			}
		}
	}
	for _, l := range legs(quicWith(t, "http3", &annotate.Explainer{}, func(label string) bool { return !handshake(label) })) {
		for _, r := range l.Rows {
			if r.Step == event.Step4a && r.Verdict != event.Unseen {
				t.Errorf("step 4a, %s: %s", r.Verdict, r.Says.Text)
			}
		}
	}
}

// TestQUICJoined: how many datagrams are in how many packets is counted alike whether they are
// opened or stay sealed, in runs of many packets. Those to the server have a connection ID, by which
// they can be told apart.
func TestQUICJoined(t *testing.T) {
	recorded, secrets := quicRecording(t, "version2-retry-update")
	var packets []pcaptest.Packet
	last, joinedIn := 0, 0 // datagrams in the packet before, and packets with two
	for _, p := range recorded {
		if n := len(packets); n > 8 && last == 1 && packets[n-1].FromClient() && p.FromClient() && len(packets[n-1].IP) >= len(p.IP) {
			q := &packets[n-1]
			q.IP = append(slices.Clone(q.IP), p.IP[28:]...)
			binary.BigEndian.PutUint16(q.IP[2:], uint16(len(q.IP)))
			binary.BigEndian.PutUint16(q.IP[24:], uint16(len(q.IP)-20))
			last = 2
			joinedIn++
			continue
		}
		packets, last = append(packets, p), 1
	}
	said := func(secrets []keys.Secret) (out []string) {
		for _, e := range tellWire(t, pcaptest.File(packets, 0), secrets) {
			for _, s := range e.Says {
				if s.ID == "summary-quic-joined" && !slices.Contains(out, s.Text) {
					out = append(out, s.Text)
				}
			}
		}
		return out
	}
	opened, sealed := said(secrets), said(nil)
	if joinedIn < 4 || len(opened) == 0 || !slices.Equal(opened, sealed) {
		t.Errorf("%d packets with two datagrams: opened %q, sealed %q", joinedIn, opened, sealed)
	}
}

// TestEarlyKEM: behind early data, too, the server encrypts a part of the secret to the client where
// its share is a ciphertext.
func TestEarlyKEM(t *testing.T) {
	told := legs(recordedQUIC(t, "version2-retry-update", &annotate.Explainer{}))
	want := map[event.Step]string{event.Step3: "step-3-early-mlkem", event.Step4c: "step-4c-mlkem", event.Step6a: "step-6a-mlkem-proven"}
	for _, r := range told[len(told)-1].Rows {
		if id := want[r.Step]; id != "" && (r.Says.ID != id || r.Verdict != event.Differently) {
			t.Errorf("step %s, %s: %s", r.Step, r.Verdict, r.Says.Text)
		}
	}
}
