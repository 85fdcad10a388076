package annotate

import (
	"testing"

	"explainer/capture/handshake"
)

// TestNameMayBeCover: where the hello carries an encrypted one, the name in clear
// may be a cover, but not once it is seen that the server did not take it.
func TestNameMayBeCover(t *testing.T) {
	ech := []handshake.Extension{{ID: 0xfe0d}}
	tls13 := []handshake.Extension{{ID: 43, Value: handshake.SelectedVersion(0x0304)}}
	for _, test := range []struct {
		what string
		h    hands
		want bool
	}{
		{"no encrypted hello", hands{ch: &handshake.ClientHello{}, sh: &handshake.ServerHello{LegacyVersion: 0x0303, Extensions: tls13}}, false},
		{"TLS 1.2 chosen", hands{ch: &handshake.ClientHello{Extensions: ech}, sh: &handshake.ServerHello{LegacyVersion: 0x0303}}, false},
		{"TLS 1.3, answers sealed", hands{ch: &handshake.ClientHello{Extensions: ech}, sh: &handshake.ServerHello{LegacyVersion: 0x0303, Extensions: tls13}}, true},
		{"other keys sent", hands{ch: &handshake.ClientHello{Extensions: ech}, sh: &handshake.ServerHello{LegacyVersion: 0x0303, Extensions: tls13}, ee: &handshake.EncryptedExtensions{Extensions: ech}}, false},
		{"no other keys sent", hands{ch: &handshake.ClientHello{Extensions: ech}, sh: &handshake.ServerHello{LegacyVersion: 0x0303, Extensions: tls13}, ee: &handshake.EncryptedExtensions{}}, true},
	} {
		if got := test.h.mayBeCover(); got != test.want {
			t.Errorf("%s: %v, want %v", test.what, got, test.want)
		}
	}
}
