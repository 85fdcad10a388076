package annotate

import (
	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/fingerprint"
	"explainer/capture/handshake"
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
	return []event.Field{{ID: event.FactJA4, Name: event.Plain("JA4"), Value: event.Plain(ja4), Note: words.Piece("note/client-fingerprint")}, {ID: event.FactJA3, Name: event.Plain("JA3"), Value: event.Plain(ja3), Note: words.Piece("note/ja3")}}
}

func serverFingerprint(h *handshake.ServerHello) event.Field {
	hash, _ := fingerprint.JA3S(h)
	return event.Field{ID: event.FactJA3S, Name: event.Plain("JA3S"), Value: event.Plain(hash), Note: words.Piece("note/server-fingerprint")}
}
