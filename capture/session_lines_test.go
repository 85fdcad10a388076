package capture_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
	"explainer/capture/pcap"
	"explainer/capture/pcap/pcaptest"
)

// TestSessionLines opens connections of TLS 1.2 and older with lines that name the session by
// its ID: the same messages as with those that name the client random, whenever they come.
func TestSessionLines(t *testing.T) {
	tried := 0
	for _, name := range []string{"tls10-dhe", "tls10-resumed-id", "tls12-resumed-id", "tls12-resumed-rsa", "tls12-rsa-aes128-gcm", "tls12-ecdhe-chacha20", "tls12-dhe-gnutls"} {
		packets, secrets := pcaptest.Of(t, filepath.Join("testdata", "recordings", name+".pcapng"), 1400)
		file := pcaptest.File(packets, 0)
		masters, sessions := map[string][]byte{}, []keys.Secret{}
		for _, s := range secrets {
			if s.Label == "CLIENT_RANDOM" {
				masters[string(s.ClientRandom)] = s.Secret
			}
		}
		random := map[*capture.Conn][]byte{}
		opened := func(ms []capture.Message) (out []string) {
			for _, m := range ms {
				if m.Opened {
					out = append(out, fmt.Sprintf("%d %d %T %v", m.Conn.Number, m.Side, m.Body, m.Span))
				}
			}
			slices.Sort(out) // the order between the sides can depend on when keys come
			return out
		}
		whole := pcaptest.Read(t, file, secrets)
		for _, m := range whole {
			switch b := m.Body.(type) {
			case *handshake.ClientHello:
				random[m.Conn] = b.Random[:]
			case *handshake.ServerHello:
				if master := masters[string(random[m.Conn])]; master != nil && len(b.SessionID) > 0 {
					s := keys.Secret{Label: keys.LabelSession, ClientRandom: b.SessionID, Secret: master}
					if !slices.ContainsFunc(sessions, func(o keys.Secret) bool { return o.String() == s.String() }) {
						sessions = append(sessions, s)
					}
				}
			}
		}
		if len(sessions) == 0 {
			continue // tickets only
		}
		tried++
		want := opened(whole)
		if got := opened(pcaptest.Read(t, file, sessions)); len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s: %d messages opened, want %d\n%s\n%s", name, len(got), len(want), got, want)
		}
		var d capture.Decoder
		r, err := pcap.NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		var late []capture.Message
		for in, err := range r.All() {
			if err != nil {
				t.Fatal(err)
			}
			late = append(late, d.Feed(in)...)
		}
		for i := range sessions {
			late = append(late, d.Feed(&sessions[i])...)
		}
		if got := opened(append(late, d.Finish()...)); !slices.Equal(got, want) {
			t.Errorf("%s: with the lines last %d messages opened, want %d", name, len(got), len(want))
		}
	}
	if tried < 2 {
		t.Errorf("%d recordings have session IDs", tried)
	}
}
