package words

import "explainer/annotate/event"

// NameOf names what an event is about. What is the RFCs' own, as a message of TLS,
// has no name of ours, but the one that is given.
func NameOf(t event.Topic, own string) string {
	if name, ok := topics[t]; ok {
		return name
	}
	return own
}

var topics = map[event.Topic]string{
	event.TopicFile:          "file",
	event.TopicOverview:      "overview",
	event.TopicTCPConnection: "TCP connection",
	"dtls-connection":        "DTLS connection",

	event.TopicSealed:           "sealed records",
	"sealed-record":             "sealed record",
	"sealed-alert":              "sealed alert",
	"records-again":             "records again",
	"application-data":          "application data",
	"early-data":                "early data",
	"missing-bytes":             "missing bytes",
	"cut-hello":                 "ClientHello",
	"cut-server-hello":          "ServerHello",
	"other-copy":                "a second copy",
	"late-bytes":                "late bytes",
	"behind-the-end":            "behind the end",
	"bytes-not-read":            "bytes not read",
	"http-behind-missing-bytes": "HTTP behind missing bytes",

	event.TopicRequest:      "HTTP request",
	event.TopicRequestBody:  "request body",
	event.TopicResponse:     "HTTP response",
	event.TopicResponseBody: "response body",
	"protocol-switched":     "protocol switched",
	"not-http":              "data that is not HTTP",
	"http-unread":           "data not read as HTTP",

	"resumption":          "resumption",
	"fin":                 "FIN",
	"rst":                 "RST",
	"not-followed":        "no longer followed",
	"unplaced":            "messages without those before them",
	"dtls-ack":            "ACK",
	"dtls-moved":          "another path",
	"quic-moved":          "another path",
	"quic-packets":        "QUIC packets opened",
	"eight-steps":         "the eight steps",
	"connection-over":     "connection over",
	"capture-over":        "capture over",
	"genealogy":           "genealogy",
	event.TopicComparison: "comparison",

	"recording":               "recording",
	event.TopicLeftOut:        "left out",
	"session":                 "session",
	"plain-http":              "plain HTTP",
	"observed":                "observed",
	"pass-through":            "pass-through",
	"not-decrypted":           "not decrypted",
	"origin-not-reached":      "origin not reached",
	"name-not-found":          "name not found",
	"origin-handshake-failed": "origin's handshake failed",
	"hello-replayed":          "the client's hello replayed",
	"origin-verified":         "origin verified",
	"origin-not-verified":     "origin not verified",
	"client-went-on":          "the client went on",
	"no-name":                 "no name",
	"two-names":               "two names",
	"certificate-made":        "certificate made",
	"block-opened":            "block opened",
	"own-answer":              "the proxy answers itself",
	"handshake-stopped":       "handshake stopped",
	event.TopicCase:           "case",
	"check":                   "check",
	"who-closed":              "who closed",
	"note":                    "note",
}
