package fingerprint

import (
	"slices"

	"explainer/capture/handshake"
)

// A Stack is a TLS library.
type Stack string

// The libraries that Stack tells apart.
const (
	OpenSSL   Stack = "OpenSSL"
	GnuTLS    Stack = "GnuTLS"
	NSS       Stack = "NSS"
	BoringSSL Stack = "BoringSSL"
	GoTLS     Stack = "Go"
	JSSE      Stack = "Java"
	Erlang    Stack = "Erlang"
)

// StackOf says which TLS library a ClientHello looks like it was made by, "" where
// its habits are nobody's that is known here. It is a likeness and no proof. Each
// rule is a habit that only this library has among those that were looked at: OpenSSL 3.0,
// GnuTLS 3.7, NSS of Firefox 153, BoringSSL of Chromium 156, Go 1.26, Java 17 and Erlang/OTP 25.
func StackOf(h *handshake.ClientHello) Stack {
	suites := h.CipherSuites
	grease := len(suites) > 0 && handshake.IsGREASE(suites[0])
	if grease {
		suites = suites[1:]
	}
	begins := func(ids ...uint16) bool { return len(suites) >= len(ids) && slices.Equal(suites[:len(ids)], ids) }
	ends := func(ids ...uint16) bool {
		return len(suites) >= len(ids) && slices.Equal(suites[len(suites)-len(ids):], ids)
	}
	has := func(id uint16) bool { return h.Extension(id) != nil }
	var formats handshake.ECPointFormats
	if e := h.Extension(handshake.ExtECPointFormats); e != nil {
		formats, _ = e.Value.(handshake.ECPointFormats)
	}
	switch {
	case slices.Equal(formats, handshake.ECPointFormats{0, 1, 2}) && ends(scsv):
		return OpenSSL
	case has(handshake.ExtStatusRequestV2):
		return JSSE
	case begins(scsv):
		return Erlang
	case begins(0x1302, 0x1303, 0x1301, 0x1304) && has(handshake.ExtRecordSizeLimit):
		return GnuTLS
	case begins(0x1301, 0x1303, 0x1302) && !grease:
		return NSS
	case grease && begins(0x1301, 0x1302, 0x1303) && !slices.Contains(suites, 0xc00a): // Apple's has this one
		return BoringSSL
	case ends(0x1301, 0x1302, 0x1303), ends(0x1303, 0x1301, 0x1302):
		return GoTLS
	}
	return ""
}

const scsv = 0x00ff // TLS_EMPTY_RENEGOTIATION_INFO_SCSV (RFC 5746 3.3)
