package annotate

import (
	"explainer/annotate/event"
	"explainer/capture"
	"explainer/capture/fingerprint"
	"explainer/capture/handshake"
)

// What a fingerprint is and what it is not.
const (
	fingerprintNote = "the habits of the client's TLS library and settings: many programs share them, any can imitate them, and they do not name a user"
	ja3sNote        = "the habits of the server's TLS library, as an answer to this very hello: many servers share them"
)

// fingerprints are those of a ClientHello of this connection; those of the last are kept.
func (c *conn) fingerprints(hello *handshake.ClientHello) []event.Field {
	if c.printed != hello {
		c.printed, c.prints = hello, clientFingerprints(hello, c.Conn.Transport)
	}
	return c.prints
}

// clientFingerprints are the names that tools give to a ClientHello.
func clientFingerprints(h *handshake.ClientHello, t capture.Transport) []event.Field {
	over := map[capture.Transport]fingerprint.Transport{
		capture.TransportTCP: fingerprint.TCP, capture.TransportQUIC: fingerprint.QUIC, capture.TransportDTLS: fingerprint.DTLS,
	}[t]
	ja4, _ := fingerprint.JA4(h, over)
	ja3, _ := fingerprint.JA3(h)
	return []event.Field{{ID: event.FactJA4, Name: "JA4", Value: event.Plain(ja4), Note: fingerprintNote}, {ID: event.FactJA3, Name: "JA3", Value: event.Plain(ja3), Note: "an older one of the same kind, which changes where a client shuffles its extensions"}}
}

func serverFingerprint(h *handshake.ServerHello) event.Field {
	hash, _ := fingerprint.JA3S(h)
	return event.Field{ID: event.FactJA3S, Name: "JA3S", Value: event.Plain(hash), Note: ja3sNote}
}
