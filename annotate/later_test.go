package annotate_test

import (
	"bytes"
	"testing"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/handshake"
)

// TestAuthenticationAfterHandshake: what a client answers when it is asked after the handshake
// who it is is proven, also with keys of its own that are newer, and refuted where anything
// that enters it is another.
func TestAuthenticationAfterHandshake(t *testing.T) {
	for _, test := range []struct {
		name             string
		answers, refused int // with a certificate, and without
	}{{"tls13-post-handshake-auth", 1, 0}, {"tls13-post-handshake-auth-twice", 2, 0}, {"tls13-post-handshake-auth-none", 0, 1}} {
		tell := func(change func(*capture.Message)) map[string]map[event.ProofState]int {
			inputs, secrets := recordingInputs(t, test.name)
			d, x := capture.Decoder{SecretsFirst: true}, annotate.Explainer{}
			out := map[string]map[event.ProofState]int{words.ProofClientCV: {}, words.ProofLaterFin: {}, words.ProofClientFin: {}}
			feed := func(in capture.Input) {
				for _, m := range d.Feed(in) {
					if m.Raw != nil {
						m.Raw = bytes.Clone(m.Raw)
						change(&m)
					}
					for _, e := range x.Explain(&m) {
						for _, p := range e.Proofs {
							if out[p.ID] != nil {
								out[p.ID][p.State]++
							}
						}
					}
				}
			}
			for i := range secrets {
				feed(&secrets[i])
			}
			for _, in := range inputs {
				feed(in)
			}
			return out
		}
		wants := func(what string, got map[string]map[event.ProofState]int, state event.ProofState) {
			t.Helper()
			if got[words.ProofClientCV][state] != test.answers || got[words.ProofLaterFin][state] != test.answers+test.refused {
				t.Errorf("%s, %s: %v, not all %s", test.name, what, got, state)
			}
			if got[words.ProofClientFin][event.Proven] != 1 || len(got[words.ProofClientFin]) != 1 {
				t.Errorf("%s, %s: the Finished of the handshake: %v", test.name, what, got[words.ProofClientFin])
			}
		}
		wants("as it is", tell(func(*capture.Message) {}), event.Proven)
		wants("another request", tell(func(m *capture.Message) {
			if _, ok := m.Body.(*handshake.CertificateRequest); ok {
				m.Raw[len(m.Raw)-1] ^= 1
			}
		}), event.Refuted)
		wants("an answer to no request", tell(func(m *capture.Message) {
			if b, ok := m.Body.(*handshake.CertificateRequest); ok {
				b.RequestContext = append([]byte{1}, b.RequestContext...)
			}
		}), event.NotCheckable)
	}
}
