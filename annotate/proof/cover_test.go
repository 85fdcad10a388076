package proof

import (
	"testing"

	"explainer/capture/handshake"
)

// TestNameMayBeCover: where the hello carries an encrypted one, the name in clear
// may be a cover, but not once it is seen that the server did not take it.
func TestNameMayBeCover(t *testing.T) {
	ech := []handshake.Extension{{ID: handshake.ExtECH}}
	tls13 := []handshake.Extension{{ID: handshake.ExtSupportedVersions, Value: handshake.SelectedVersion(0x0304)}}
	for _, test := range []struct {
		what string
		h    Handshake
		want bool
	}{
		{"no encrypted hello", Handshake{Hello: &handshake.ClientHello{}, ServerHello: &handshake.ServerHello{LegacyVersion: 0x0303, Extensions: tls13}}, false},
		{"TLS 1.2 chosen", Handshake{Hello: &handshake.ClientHello{Extensions: ech}, ServerHello: &handshake.ServerHello{LegacyVersion: 0x0303}}, false},
		{"TLS 1.3, answers sealed", Handshake{Hello: &handshake.ClientHello{Extensions: ech}, ServerHello: &handshake.ServerHello{LegacyVersion: 0x0303, Extensions: tls13}}, true},
		{"other keys sent", Handshake{Hello: &handshake.ClientHello{Extensions: ech}, ServerHello: &handshake.ServerHello{LegacyVersion: 0x0303, Extensions: tls13}, Encrypted: &handshake.EncryptedExtensions{Extensions: ech}}, false},
		{"no other keys sent", Handshake{Hello: &handshake.ClientHello{Extensions: ech}, ServerHello: &handshake.ServerHello{LegacyVersion: 0x0303, Extensions: tls13}, Encrypted: &handshake.EncryptedExtensions{}}, true},
	} {
		if got := test.h.MayBeCover(); got != test.want {
			t.Errorf("%s: %v, want %v", test.what, got, test.want)
		}
	}
}
