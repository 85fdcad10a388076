package handshake

import "testing"

// TestOffered: NSS said the draft of TLS 1.3 in an extension of its own before
// supported_versions was there.
func TestOffered(t *testing.T) {
	draft := Extension{ID: extDraftVersion, Data: []byte{0, 14}}
	for _, c := range []struct {
		hello ClientHello
		want  string
	}{
		{ClientHello{LegacyVersion: 0x0304, Extensions: []Extension{draft}}, "TLS 1.3 (draft 14)"},
		{ClientHello{LegacyVersion: 0x0304}, "TLS 1.3"},
		{ClientHello{LegacyVersion: 0x0303, Extensions: []Extension{draft}}, "TLS 1.2"},
		{ClientHello{LegacyVersion: 0x0304, Extensions: []Extension{{ID: extDraftVersion, Data: []byte{0}}}}, "TLS 1.3"},
		{ClientHello{LegacyVersion: 0x0303, Extensions: []Extension{{ID: ExtSupportedVersions, Value: SupportedVersions{0x7f10, 0x0303}}}}, "TLS 1.3 (draft 16)"},
	} {
		if got := VersionName(c.hello.Offered()[0]); got != c.want {
			t.Errorf("offered %s, want %s", got, c.want)
		}
	}
}
