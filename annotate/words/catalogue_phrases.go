package words

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"explainer/annotate/event"
	"explainer/ca/verify"
)

// A Family is a kind of phrases: pieces of sentences, and what stands beside a field.
type Family string

const (
	Sealed   Family = "sealed"   // why records stayed sealed, by the constants of package capture
	Unread   Family = "unread"   // why bytes were not read, by the same
	NotHTTP  Family = "not-http" // what is wrong with what was to be HTTP, by the names of package web
	Ended    Family = "ended"    // why the proxy itself ended a connection, by the recording's names
	endedBy  Family = "ended-by" // the same, by what is wrong with an origin's certificate
	Roots    Family = "roots"    // against which authorities the proxy checked, by the same
	Refused  Family = "refused"  // why the proxy stopped a handshake, by the same
	Severity Family = "severity" // what an attacker must have, by package ca's names

	CheckDetail Family = "check-detail" // what a detail of a check of a certificate is called, by package verify's names

	// What a page says in the place of an origin, by the proxy's names for what failed and package verify's.
	FailureTitle  Family = "failure-title"
	FailureLead   Family = "failure-lead"
	FailureAdvice Family = "failure-advice" // what to do about it; not of each
)

// Phrase is a phrase of a family, by its permanent ID. {} in it is the value, or without one the ID. A
// recording of a later version may have an ID that is not known: its family says what
// becomes of that under "", or it stands as it is.
func Phrase(f Family, id string, value any) event.Text {
	of := TextOf(value)
	text, ok := phrases[f][id]
	if !ok {
		if text, ok = phrases[f][""]; !ok {
			return cmp.Or(of, event.Plain(id))
		}
	}
	said := &event.Phrase{ID: string(f) + "/" + id}
	if !HasPhrase(f, id) {
		said.ID = string(f) + "/"
	}
	if strings.Contains(text, "{}") {
		of = cmp.Or(of, event.Plain(id))
		said.Values = map[string]event.Text{"": of}
		text = strings.Replace(text, "{}", of.English, 1)
	}
	return event.Text{English: text, Of: said}
}

// HasPhrase tells whether a family has a phrase.
func HasPhrase(f Family, id string) bool {
	_, ok := phrases[f][id]
	return ok
}

// PhraseIDs lists the IDs of a family.
func PhraseIDs(f Family) []string { return slices.Sorted(maps.Keys(phrases[f])) }

// EndedBecause says why the proxy itself ended a connection: for the names of what can
// be wrong with an origin in words, and else in the proxy's own.
func EndedBecause(id string) event.Text {
	if !HasPhrase(Ended, id) && verify.ReasonOf(id).Refs != nil {
		return Phrase(endedBy, "", Reason(id, "", ""))
	}
	return Phrase(Ended, id, "")
}

var phrases = map[Family]map[string]string{
	Sealed: {
		"no-key":              "the key is not known here",
		"no-suite":            "the cipher suite cannot be opened here",
		"bad-tag":             "what came does not fit the known key",
		"key-unknown-phase":   "the key for this part of the connection is not known here",
		"early-data-rejected": "the server rejected it, and the key is not known here",
		"gap":                 "bytes before it are missing from the capture",
		"too-many-waiting":    "the key did not come while the bytes could be kept",
		"cut":                 "it is cut off",
		"no-first-initial":    "the client's first packet, from which its keys come, is not in the capture",
		"quic":                "of QUIC only the Initial packets were opened",
		"dtls":                "this version of DTLS is not opened here",
		"compressed":          "the content is compressed in a way that is not undone here",
		"quic-version":        "this version of QUIC is not read here",
		"":                    "this cannot be opened here ({})",
	},
	Unread: {
		"unknown-protocol": "read neither as TLS nor as HTTP",
		"before-tls":       "what the two said before TLS, of which only how they came to it is told",
		"tds":              "TLS may be in them, inside packets of TDS (SQL Server), which are taken apart only where their beginning is known",
		"tds-clear":        "packets of TDS (SQL Server) in clear, behind what was encrypted",
		"not-tls":          "not TLS, where TLS was to come",
		"after-malformed":  "what comes before them is malformed",
		"after-tls":        "TLS had ended before them, with an alert",
		"after-gap":        "bytes before them are missing",
		"cut":              "cut off",
		"skipped":          "they are the rest of a record whose beginning is missing; the next record was found behind them",
		"fragment":         "they are the rest of a handshake message whose beginning is missing",
	},
	NotHTTP: {
		"not-http":                          "no head of a request or answer",
		"switched":                          "another protocol, which is not read here",
		"tunnel":                            "what passes in a tunnel",
		"ended-early":                       "what is here begins as HTTP does, and ends inside a head or a frame",
		"malformed-request-line":            "its request line breaks the rules",
		"malformed-status-line":             "its status line breaks the rules",
		"malformed-field-line":              "a header field in it breaks the rules",
		"malformed-content-length":          "its Content-Length breaks the rules",
		"malformed-chunk":                   "a chunk of its body breaks the rules",
		"malformed-trailers":                "the fields behind its body break the rules",
		"transfer-encoding-without-chunked": "the length of its body cannot be known (Transfer-Encoding without chunked)",
		"malformed-preface":                 "it does not begin as HTTP/2 does",
		"malformed-frame":                   "a frame breaks the rules",
		"malformed-hpack":                   "its header fields cannot be unpacked (HPACK)",
		"head-too-long":                     "its head is longer than is read here",
		"too-many-streams":                  "more streams at once than are read here",
		"malformed-qpack":                   "its header fields, or the table that they are in, cannot be unpacked (QPACK)",
		"malformed-stream":                  "a stream that may not be begun, or not twice",
		"malformed-datagram":                "a datagram that names no stream",
		"unknown-stream":                    "a stream of a type that is unknown here or reserved to mean nothing",
		"after-gap":                         "bytes before them are missing",
		"webtransport":                      "what passes on a stream of a WebTransport session",
		"table-too-large":                   "the table of its header fields is larger than is kept here",
		"too-much-at-once":                  "more unfinished heads at once than are kept here",
	},
	Ended: {
		"own-ca":          "the origin's certificate is signed by this proxy's own CA",
		"other":           "the origin's certificate was not accepted, or the origin was not reached",
		"refused":         "the origin refused the connection",
		"timeout":         "the origin did not answer in time",
		"unreachable":     "there is no way to the origin",
		"near":            "a page of the web asked for this machine or its private network (--on-local-request refuse)",
		"near-name":       "the name leads to this machine or its private network (--on-local-request refuse)",
		"loop":            "the origin asked for is the proxy itself",
		"canceled":        "the client had hung up",
		"lookup":          "the origin's name could not be looked up",
		"no-such-name":    "there is no such name",
		"no-such-site":    "there is no such built-in site",
		"tls":             "the handshake with the origin failed",
		"tls-timeout":     "the handshake with the origin took too long",
		"tls-refused":     "the origin refused the proxy's ClientHello",
		"tls-old":         "the origin chose a version of TLS that the proxy does not speak",
		"tls-closed":      "the origin ended the connection instead of answering the ClientHello",
		"tls-not":         "what the origin answered is no TLS",
		"tls-judged":      "the handshake with the origin broke off after its certificate was judged",
		"tls-client-cert": "the origin asked for a client certificate that the proxy does not have (--client-cert)",
		"hello-replayed":  "it was only to see what the origin makes of the client's own ClientHello",
		"unlike":          "the proxy can make no certificate that is like the origin's",
		"upstream":        "the upstream proxy made no connection",
		"no-answer":       "the origin gave no answer",
	},
	endedBy: {"": "the origin's certificate was not accepted: {}"},
	Roots: {
		"system":      "the authorities that this machine trusts",
		"system+file": "the authorities that this machine trusts and those given with --origin-ca or in its environment",
		"built-in":    "the authority of the proxy's built-in sites",
		"none":        "no list of authorities",
	},
	Refused: {
		"textbook-no-rsa":           "textbook mode needs a cipher suite with RSA key transport, and the client offers none",
		"textbook-no-rsa-lacking":   "textbook mode needs a cipher suite with RSA key transport, and {}",
		"textbook-no-http1":         "textbook mode needs http/1.1, and the client does not offer it",
		"textbook-no-http1-lacking": "textbook mode needs http/1.1, and {}",
	},
	Severity: {
		"control":  "no fault: what a client should accept",
		"critical": "an attacker needs nothing but a place on the path",
		"high":     "an attacker needs a certificate that anybody can get for a name of their own",
		"medium":   "an attacker needs something stolen, expired, revoked, collided or factored",
		"low":      "sloppiness, by itself no attack",
	},
	CheckDetail: {
		"algorithm":  "algorithm",
		"allowed":    "allowed",
		"asked":      "asked",
		"constraint": "constraint",
		"count":      "count",
		"days":       "days",
		"excluded":   "excluded",
		"extension":  "extension",
		"fault":      "fault",
		"fetch":      "fetch",
		"from":       "from",
		"have":       "have",
		"inside":     "inside",
		"issuer":     "issuer",
		"key":        "key",
		"length":     "length",
		"library":    "library",
		"list":       "list",
		"log":        "log",
		"made":       "made",
		"matched":    "matched",
		"missing":    "missing",
		"must":       "must",
		"name":       "name",
		"names":      "names",
		"nearest":    "nearest",
		"need":       "need",
		"of":         "of",
		"order":      "order",
		"outside":    "outside",
		"path":       "path",
		"permitted":  "permitted",
		"purposes":   "purposes",
		"revoked":    "revoked",
		"root":       "root",
		"roots":      "roots",
		"sent":       "sent",
		"serial":     "serial",
		"spki":       "spki",
		"status":     "status",
		"unreadable": "unreadable",
		"until":      "until",
		"unused":     "unused",
		"usage":      "usage",
		"version":    "version",
		"why":        "why",
	},
	FailureTitle:  failureTitles,
	FailureLead:   failureLeads,
	FailureAdvice: failureAdvice,
}
