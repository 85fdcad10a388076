package annotate

import (
	"explainer/capture"
	"explainer/capture/fingerprint"
	"explainer/capture/handshake"
)

// What a fingerprint is and what it is not.
const (
	fingerprintNote = "the habits of the client's TLS library and settings: many programs share them, any can imitate them, and they do not name a user"
	ja3sNote        = "the habits of the server's TLS library, as an answer to this very hello: many servers share them"
)

// fingerprints are those of a ClientHello of this handshake.
func (h *hands) fingerprints(hello *handshake.ClientHello, t capture.Transport) []Field {
	if h.printed != hello {
		h.printed, h.prints = hello, clientFingerprints(hello, t)
	}
	return h.prints
}

// clientFingerprints are the names that tools give to a ClientHello.
func clientFingerprints(h *handshake.ClientHello, t capture.Transport) []Field {
	over := map[capture.Transport]fingerprint.Transport{
		capture.TransportTCP: fingerprint.TCP, capture.TransportQUIC: fingerprint.QUIC, capture.TransportDTLS: fingerprint.DTLS,
	}[t]
	ja4, _ := fingerprint.JA4(h, over)
	ja3, _ := fingerprint.JA3(h)
	return []Field{{"JA4", ja4, fingerprintNote}, {"JA3", ja3, "an older one of the same kind, which changes where a client shuffles its extensions"}}
}

func serverFingerprint(h *handshake.ServerHello) Field {
	hash, _ := fingerprint.JA3S(h)
	return Field{"JA3S", hash, ja3sNote}
}

// isFingerprint tells whether a fact of a summary is one of these; they are for
// tools and for those who ask for every field.
func isFingerprint(f Field) bool { return f.Name == "JA4" || f.Name == "JA3" || f.Name == "JA3S" }
