package words

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"explainer/annotate/event"
)

// What stands before the "/" of a text's ID, where it is not a family of phrases.
const (
	listed = "list"
	clause = "clause"
	count  = "count"
)

// Piece is a piece of a sentence by its permanent ID, with its values in name, value pairs.
func Piece(id string, pairs ...any) event.Text {
	t, ok := pieceTemplates[id]
	if !ok {
		panic("words: no piece " + id + " in the catalogue")
	}
	if len(t.parsed().places) == 0 {
		return event.Text{English: t.parts[0], Of: t.phrase}
	}
	var room [8]event.Text
	values, n := room[:0], len(t.parts[0])
	for i, p := range t.places {
		values = append(values, pairOf(pairs, p.key))
		n += len(values[i].English) + len(t.parts[i+1])
	}
	// What is said of one connection is said of the next, too.
	last := &t.last[n%len(t.last)]
	if f := last.Load(); f != nil && slices.EqualFunc(f.values, values, event.Text.Same) {
		return f.piece
	}
	of := &event.Phrase{ID: id, Values: make(map[string]event.Text, len(t.places))}
	for i, p := range t.places {
		of.Values[p.key] = values[i]
	}
	var b strings.Builder
	b.Grow(n)
	b.WriteString(t.parts[0])
	for i, p := range t.places {
		value := cmp.Or(of.Values[p.key].English, Missing)
		if p.capital {
			value = Upper(value)
		}
		b.WriteString(value)
		b.WriteString(t.parts[i+1])
	}
	f := &filled{values: slices.Clone(values), piece: event.Text{English: b.String(), Of: of}}
	last.Store(f)
	return f.piece
}

// pairOf is the value of a name among name, value pairs.
func pairOf(pairs []any, name string) event.Text {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == name {
			return TextOf(pairs[i+1])
		}
	}
	return event.Text{}
}

// nouns is what [Count] counts.
var nouns = []string{"binder", "bit", "byte", "case", "certificate", "connection", "datagram", "day", "file", "hour", "Initial packet", "key log line", "key pair", "line", "message", "minute", "more CA", "more connection", "more name", "more request", "name", "other run", "packet", "private key", "promise", "record", "remark", "request", "response", "round trip", "second", "secret", "session", "timestamp", "trial"}

// counted are the last counts, by their number.
var counted [256]atomic.Pointer[countedText]

type countedText struct {
	n    int
	noun string
	text event.Text
}

// Count counts: "1 packet", "2 packets".
func Count(n int, noun string) event.Text {
	if !slices.Contains(nouns, noun) {
		panic("words: " + noun + " is not counted in every language")
	}
	last := &counted[uint(n)%uint(len(counted))]
	if c := last.Load(); c != nil && c.n == n && c.noun == noun {
		return c.text
	}
	c := &countedText{n, noun, event.Text{English: Plural(n, noun), Of: &event.Phrase{ID: count + "/" + noun, Values: map[string]event.Text{"n": event.Plain(strconv.Itoa(n))}}}}
	last.Store(c)
	return c.text
}

// List joins texts: with "and" or "or" before the last, with ";" or "," between them, or
// sentences with "".
func List(how string, items ...event.Text) event.Text {
	if len(items) == 0 {
		return event.Text{}
	}
	of := make([]string, 0, len(items))
	for _, t := range items {
		of = append(of, t.English)
	}
	text := strings.Join(of, how+" ")
	if how == "and" || how == "or" {
		text = strings.Join(of, "")
		if n := len(of); n > 1 {
			text = strings.Join(of[:n-1], ", ") + " " + how + " " + of[n-1]
		}
	}
	return event.Text{English: text, Of: &event.Phrase{ID: listed + "/" + how, Items: items}}
}

// Sentences are whole sentences behind each other, without those that are empty.
func Sentences(of ...event.Text) event.Text {
	return List("", slices.DeleteFunc(slices.Clone(of), event.Text.Empty)...)
}

// Names are texts that are shown as they stand.
func Names(of []string) []event.Text {
	out := make([]event.Text, len(of))
	for i, s := range of {
		out[i] = event.Plain(s)
	}
	return out
}

// Clause is a sentence as a part of another.
func Clause(s event.Sentence) event.Text {
	return event.Text{English: strings.TrimSuffix(Lower(s.Text), "."), Of: &event.Phrase{ID: clause + "/" + s.ID, Values: valuesOf(s)}}
}

// Meaning is what an alert says, by the sentence about it.
func Meaning(id string) event.Text { return Piece("meaning/" + id) }

// Inside is a text that stands inside a sentence, and in English begins in small letters.
func Inside(t event.Text) event.Text { return event.Text{English: Lower(t.English), Of: t.Of} }

// First is a text without what was added to it behind a semicolon.
func First(t event.Text) event.Text {
	for t.Of != nil {
		switch inner, ok := t.Of.Values["cause"]; {
		case t.Of.ID == listed+"/;" && len(t.Of.Items) > 0:
			t = t.Of.Items[0]
		case ok && strings.HasPrefix(t.English, inner.English+"; "):
			t = inner
		default:
			return t
		}
	}
	return t
}

// Brief is a cause without what its alert means, where it is one.
func Brief(t event.Text) event.Text {
	if t.Of == nil {
		return t
	}
	how, ok := strings.CutPrefix(t.Of.ID, "cause/alert-")
	if !ok {
		return t
	}
	id, _, _ := strings.Cut(how, "-")
	v := t.Of.Values
	return Piece("cause/brief-"+id, "sender", v["sender"], "alert", v["alert"], "number", v["number"])
}

// Whole is a sentence as a text.
func Whole(s event.Sentence) event.Text {
	return event.Text{English: s.Text, Of: &event.Phrase{ID: s.ID, Values: valuesOf(s)}}
}

func valuesOf(s event.Sentence) map[string]event.Text {
	out := make(map[string]event.Text, len(s.Args))
	for name, text := range s.Args {
		name = Lower(name)
		if v, ok := s.Values[name]; ok {
			out[name] = v.Text
		} else {
			out[name] = event.Plain(text)
		}
	}
	return out
}

// pieces are the pieces of sentences by permanent ID.
var pieces = map[string]string{
	"proof/ssl3-signature":                   "in SSL 3.0 the signature also covers the master secret, which is not known here",
	"proof/hash-not-known":                   "the hash of this cipher suite is not known here",
	"proof/not-all-before":                   "not all handshake messages before it are known",
	"proof/link-does-not-hold":               "the signature on certificate {place} ({subject}) does not hold under the key of the certificate that it names as its issuer",
	"proof/lengths-wrong":                    "the lengths are wrong: {error}",
	"proof/issuer-other-key":                 "certificate {place} names an issuer of which a certificate was sent, but with another key",
	"proof/certificate-unreadable":           "the certificate could not be read: {error}",
	"proof/certificate-n-unreadable":         "certificate {place} cannot be read: {error}",
	"proof/issuer-key-unreadable":            "the issuer's key could not be read",
	"proof/algorithm-not-known":              "the signature algorithm is not known",
	"earlier/one":                            "an earlier connection",
	"earlier/not-told":                       "an earlier connection (which one cannot be told here)",
	"earlier/known":                          "connection {conn} (which {had})",
	"earlier/several":                        "connection {conns} (each of which {had})",
	"earlier/had-ticket":                     "handed out this very ticket",
	"earlier/had-session-id":                 "had this very session id",
	"when/other-clock":                       "at another time",
	"when/earlier":                           "{span} earlier",
	"conn/one":                               "connection {conn}",
	"conn/by-way-of-one":                     "connection {conn}, by way of connection {conns}",
	"conn/by-way-of-several":                 "connection {conn}, by way of connections {conns}",
	"conn/more":                              "more",
	"name/unknown":                           "an unknown name",
	"cause/alert-clear":                      "{sender} sent the alert {alert} ({number}), in clear: {meaning}",
	"cause/alert-encrypted":                  "{sender} sent the alert {alert} ({number}), encrypted: {meaning}",
	"cause/alert-clear-after":                "{sender} sent the alert {alert} ({number}), in clear, after {other} had sent {after}: {meaning}",
	"cause/alert-encrypted-after":            "{sender} sent the alert {alert} ({number}), encrypted, after {other} had sent {after}: {meaning}",
	"cause/brief-clear":                      "{sender} sent the alert {alert} ({number}), in clear",
	"cause/brief-encrypted":                  "{sender} sent the alert {alert} ({number}), encrypted",
	"cause/check-of-client":                  "{cause}; this is the server's own check of the client's certificate, step 4a the other way round",
	"cause/signature-holds":                  "{cause}; the server's signature in the handshake holds when checked here, so it may be one on the certificates",
	"cause/textbook-no-suite":                "the client offers no cipher suite with RSA key transport, which textbook mode needs",
	"cause/greeted-in-clear":                 "{sender} had begun in clear before that ({protocol}), and sent nothing that is TLS",
	"flow/greeted":                           "a TLS hello to a server that had begun in clear",
	"cause/answered-in-clear":                "{sender} answered in clear ({protocol})",
	"cause/closed":                           "{sender} closed the connection without an alert",
	"cause/reset":                            "{sender} reset the connection",
	"seen/addresses":                         "both addresses and ports",
	"seen/asked":                             "what the proxy was asked for ({host})",
	"seen/name":                              "the name {name}",
	"seen/protocols":                         "the protocols offered ({protocols})",
	"seen/words":                             "what was said in clear before TLS ({protocol})",
	"seen/version-suite":                     "version and cipher suite",
	"seen/server-certificate":                "the server's certificate",
	"seen/client-certificate":                "the client's certificate",
	"seen/handshake-messages":                "the other handshake messages that are not encrypted",
	"seen/every-record":                      "and the time and size of every record",
	"seen/every-datagram":                    "and the time and size of every datagram",
	"end/both":                               "both sides",
	"end/other":                              "the other side",
	"suite/export":                           "export suites are not supported",
	"suite/cipher":                           "this cipher is not supported",
	"suite/named-cipher":                     "{cipher} is not supported",
	"suite/mac":                              "this suite's MAC is not supported",
	"suite/not-in-registry":                  "it is not in the registry of cipher suites as known here",
	"quic/other-version":                     "of a version that is not read",
	"quic/none":                              "no QUIC",
	"dtls/no-id":                             "none",
	"dtls/opened":                            "{count} of {sender} ({data} with data, {bytes})",
	"dtls/repeats":                           "{count} of {sender}",
	"quic/opened":                            "{count} of {sender}",
	"quic/packets":                           "{count} of {sender} ({what}, {bytes} bytes)",
	"finding/nothing":                        "nothing",
	"finding/own-ca":                         "the certificate is signed by this proxy's own CA, which no origin may use",
	"finding/other":                          "the certificate was not accepted",
	"finding/detail":                         "{finding} ({detail})",
	"share/of-group":                         "{group} ({size})",
	"share/none":                             "no share at all",
	"host/any":                               "the host",
	"needs/critical":                         "Anybody on the path could be that server",
	"needs/high":                             "Anybody on the path who has a certificate for a name of their own could be that server",
	"needs/medium":                           "Anybody on the path who has something stolen, expired, revoked, collided or factored could be that server",
	"unread/no-keys":                         "no keys for it are known here",
	"order/not-all":                          "not all that it sent is here",
	"order/packets":                          "the packets stand in the capture in another order than they acknowledge one another",
	"order/times":                            "by their times the packets were sent in another order than they stand in the capture",
	"flow/psk-either":                        "{version} with a secret that both sides had: of an earlier connection, or one agreed on otherwise",
	"flow/psk-told":                          "{version} with a pre-shared key (told by its age of 0 and its readable name)",
	"flow/early-data":                        "{version} resumed, with early data (0-RTT)",
	"flow/resumed-fresh":                     "{version} resumed, with a fresh {group} exchange",
	"flow/no-share":                          "{version} without a key share that can be read",
	"flow/resumed-alone":                     "{version} resumed, with the old secret alone",
	"flow/kem":                               "{version} with {group}: steps 4b to 6a reversed",
	"flow/hrr":                               "{version} after a HelloRetryRequest",
	"flow/group":                             "{version} with {group}",
	"flow/ticket":                            "{version} resumed with a ticket",
	"flow/session-id":                        "{version} resumed by session id",
	"flow/rsa-export":                        "{version} with RSA key transport, with a short key made for it (export)",
	"flow/rsa":                               "{version} with RSA key transport, the textbook's own",
	"flow/dhe":                               "{version} with ephemeral Diffie-Hellman (DHE)",
	"flow/ecdhe":                             "{version} with ephemeral Diffie-Hellman on a curve (ECDHE)",
	"flow/static-dh":                         "{version} with the lasting Diffie-Hellman key in the certificate",
	"flow/anonymous":                         "{version} without any proof of who the server is",
	"flow/psk-dhe":                           "{version} with a pre-shared key and ephemeral Diffie-Hellman",
	"flow/psk-rsa":                           "{version} with a pre-shared key and RSA key transport",
	"flow/psk":                               "{version} with a pre-shared key",
	"flow/ecdhe-unregistered":                "{version} with ephemeral Diffie-Hellman on a curve, under the unregistered suite {suite}",
	"flow/dhe-unregistered":                  "{version} with ephemeral Diffie-Hellman, under the unregistered suite {suite}",
	"flow/other":                             "{version} with {suite}, a key exchange that the table does not have",
	"flow/http":                              "plain HTTP, no TLS",
	"flow/opaque":                            "read neither as TLS nor as HTTP",
	"flow/cut":                               "a connection that ended inside its first message",
	"flow/continued":                         "a connection of which nothing is here but that it goes on",
	"flow/nothing":                           "a connection that carried nothing",
	"flow/no-data":                           "a connection of which this capture has no data",
	"flow/unread":                            "a connection of which nothing could be read",
	"flow/resumed-unseen":                    "{version} resumed; whether by ticket or by session id is not seen",
	"flow/perhaps-resumed":                   "{version} with a handshake of which so much is missing that it may take up an earlier session",
	"flow/answer-missing":                    "a TLS handshake whose ServerHello is missing, or could not be read",
	"flow/one-side":                          "one side of a TLS handshake: the server's is not in the capture",
	"flow/framed":                            "a TLS handshake inside packets of TDS (SQL Server) whose beginning is not known",
	"flow/echoed":                            "a TLS hello that came back to its sender",
	"flow/foreign":                           "a TLS hello whose answer is not TLS",
	"flow/given-up":                          "a connection that the client gave up before the server answered",
	"flow/no-answer":                         "a TLS handshake without an answer",
	"flow/no-answer-here":                    "a TLS handshake whose answer is not in this capture",
	"flow/no-handshake":                      "a connection whose handshake is not in the capture",
	"flow/also-hrr":                          "{flow}, after a HelloRetryRequest",
	"unread/not-all":                         "not all of this connection is in the capture, or can be read",
	"usage/nothing":                          "nothing",
	"rest/application":                       "what the application said",
	"rest/application-later":                 "what the application said from then on",
	"rest/other":                             "the rest",
	"unread/more":                            "a message that shows more of it is not in the capture",
	"cause/sender-not-proved":                "{cause}; the alert was not encrypted, so who sent it is not proved",
	"cause/wrong-with-both":                  "{cause}; what is wrong with both: {fault}",
	"cause/seen-here":                        "{cause}; as can be seen here, {fault}",
	"flow/refused":                           "{version}, refused",
	"flow/udp-no-answer":                     "{version}: a ClientHello without an answer that can be read here",
	"flow/udp-no-hello":                      "{version}, of which no hello is in the capture or can be read here",
	"host/nowhere":                           "nowhere in clear",
	"host/in-connect":                        "in clear in the request to the proxy ({host})",
	"host/in-certificate":                    "not in the ClientHello, but the certificate of the server names hosts in clear (step 3)",
	"host/in-hello":                          "in clear in the ClientHello ({host})",
	"host/maybe-cover":                       "in clear in the ClientHello ({host}), but it may be a cover for another one (ECH)",
	"session/tunnel":                         "in a tunnel through the proxy: one connection between the two ends, {flow}",
	"session/alike":                          "through the proxy: two connections, both {flow}",
	"session/legs":                           "through the proxy: {legs}",
	"session/browser-leg":                    "client leg: {flow}",
	"session/origin-leg":                     "origin leg: {flow}",
	"session/other-leg":                      " leg: {flow}",
	"checks/passed":                          "{n} passed",
	"checks/failed":                          "{n} failed",
	"checks/warned":                          "{n} warned of",
	"checks/not-checked":                     "{n} not checked",
	"checks/failed-why":                      "{failed}: {why} ({rest})",
	"checks/failed-why-more":                 "{failed}: {why}, and more ({rest})",
	"checks/failed-one":                      "{failed}: {why}",
	"checks/failed-first":                    "{failed}, the first: {why}",
	"checks/brief":                           "checks: {outcome}",
	"which/both":                             "both certificates",
	"which/all":                              "all {n} certificates",
	"which/some":                             "{n} of {of} certificates",
	"until/replaced":                         "it is replaced",
	"order/this":                             "in this order",
	"order/other":                            "in another order",
	"end/issuer-not-sent":                    "{subject}, whose issuer ({issuer}) was not sent",
	"issuer/not-named":                       "not named",
	"name/none-at-all":                       "no name at all",
	"brief/refuses":                          "{sender} refuses the connection",
	"brief/no-more-truncated":                "{sender} sends no more, without close_notify",
	"brief/no-more":                          "{sender} sends no more",
	"proof/not-all-read":                     "some of what came in this direction was not read",
	"proof/stayed-sealed":                    "{count} stayed sealed",
	"brief/http2-after-gap":                  "not read further",
	"brief/http1-after-gap":                  "read again from the next request on",
	"brief/close":                            "{brief}: {cause}",
	"cause/closed-with":                      "{sender} closed the connection: {cause}",
	"broken/behind-hellos":                   "the messages behind the two hellos are encrypted, and {reason}",
	"brief/answered":                         "{request}, answered {answer}",
	"count/part-of-record":                   "part of a record",
	"brief/count-bytes":                      "{count}, {bytes} bytes",
	"brief/short-rsa":                        "a short RSA key, {bits} bits",
	"brief/finished-sealed-more":             "Finished and more of the handshake, encrypted: {brief}",
	"brief/change-sealed":                    "ChangeCipherSpec, encrypted: {brief}",
	"brief/heartbeat-sealed":                 "heartbeat, encrypted: {brief}",
	"brief/handshake-sealed":                 "handshake, encrypted: {brief}",
	"brief/finished-sealed":                  "Finished, encrypted: {brief}",
	"proof/message-encrypted":                "the message is encrypted and {reason}",
	"broken/before-encrypted":                "a handshake message before it is encrypted and {reason}",
	"brief/bytes-why":                        "{count}: {reason}",
	"brief/in-all":                           "{count} in all",
	"brief/of-request":                       "{brief}, of {request}",
	"brief/close-code":                       "{count}, code {code}",
	"brief/leaf":                             "the proxy made a certificate for {names}",
	"brief/leaf-bad":                         "the proxy made a certificate for {names}, as bad as the origin's: {faults}",
	"brief/of":                               "of {earlier}",
	"whose/root":                             "the root ({subject})",
	"whose/issuer":                           "the issuer's certificate ({subject})",
	"addr/none":                              "no address",
	"detail/none":                            "no reason given",
	"name/none":                              "no name",
	"error/damaged":                          "the data is damaged",
	"end/other-end":                          "the other end",
	"key/unknown":                            "unknown",
	"until/seconds-after":                    "{n} seconds after the certificate begins",
	"unread/client-share":                    "the client's share for this group is not in the capture, or cannot be read here",
	"moment/before-finished":                 "before it had finished its part of the handshake",
	"moment/after-finished":                  "after it had finished its part of the handshake",
	"host/another":                           "another host",
	"how/clear":                              "in clear",
	"sent/was":                               "{n} was",
	"sent/were":                              "{n} were",
	"how/encrypted":                          "encrypted",
	"proof/inner-hello":                      "the ClientHello carries an encrypted one (ECH); if the server took that, the handshake was computed over it, and it is not known here",
	"proof/inner-hello-taken":                "the server took the encrypted hello (ECH), over which it is computed, and that is not known here",
	"brief/raw-key":                          "a raw public key, {key}",
	"brief/from-to":                          "{from} to {to}",
	"fact/certificate-of":                    "for {names}, from {issuer}, {key}",
	"fact/checked-against":                   "{outcome}, against {roots}",
	"brief/at-least-missing":                 "at least {count} missing",
	"brief/missing":                          "{count} missing",
	"brief/cookie":                           "cookie of {n} bytes",
	"brief/over-udp":                         "{from} to {to}, over UDP",
	"brief/offers":                           "offers {versions}",
	"brief/token":                            "token of {n} bytes",
	"brief/packets-sealed":                   "{count}, {bytes} bytes, sealed",
	"brief/packets-of":                       "{count}, {bytes} bytes, of {version}",
	"brief/no-packet":                        "{bytes} bytes that are no packet",
	"brief/to":                               "to {target}",
	"brief/ocsp":                             "OCSP response, {n} bytes",
	"brief/asks-group":                       "asks for {group}",
	"brief/certificate":                      "{names}, issued by {issuer}, {key}",
	"brief/key-bytes":                        "{group}, {n} bytes",
	"brief/dh-bytes":                         "{bits}-bit Diffie-Hellman, {n} bytes",
	"brief/encrypted":                        "{n} encrypted bytes",
	"brief/public-value":                     "public value, {n} bytes",
	"brief/in-packet":                        "{count} in a packet of {n}",
	"brief/in-record":                        "{count} in a record of {n}",
	"brief/early":                            "{count}, before the server has spoken",
	"brief/heartbeat":                        "claims {claimed} bytes, has {have}",
	"proof/next-does-not-fit":                "{count} opened, but the next record does not fit the key that opened them",
	"brief/to-protocol":                      "to {protocol}",
	"brief/opened-step-5":                    "the proxy opened step 5 with its private key: {n} bytes",
	"fact/version":                           "version",
	"fact/suite":                             "suite",
	"fact/group":                             "group",
	"fact/alpn":                              "ALPN",
	"fact/certificate":                       "certificate",
	"fact/certificate-checks":                "certificate checks",
	"fact/raw-public-key":                    "raw public key",
	"fact/checked-by-proxy":                  "checked by the proxy",
	"proof/not-so":                           "it does not hold that {claim}: {reason}.",
	"span/none":                              "less than a second",
	"host/asked":                             "the name that was asked for",
	"end/client":                             "the client",
	"end/server":                             "the server",
	"end/proxy":                              "the proxy",
	"end/origin-server":                      "the origin server",
	"proof/computed-master-secret-not":       "the computed master secret is not the logged one",
	"proof/key-log-has-no":                   "the key log has no master secret for this connection",
	"proof/session-hash-needs-all":           "the session hash needs all handshake messages up to the ClientKeyExchange, and they are not all in the capture",
	"proof/two-versions-differ":              "the two versions differ",
	"proof/block-what-client-encrypted":      "the block is what the client encrypted, but it is not padded as it must be; a server then goes on with random bytes and lets the Finished fail, so that nobody learns why",
	"proof/block-encrypted-certificate-s":    "the block, encrypted with the certificate's public key, is not what the client sent",
	"proof/certificate-s-key-not":            "the certificate's key is not an RSA key",
	"proof/only-one-certificate-sent":        "only one certificate was sent, and its issuer's is not in the capture",
	"proof/certificate-names-itself-issuer":  "the certificate names itself as its issuer but is not signed with its own key; whoever signed it did not send a certificate",
	"proof/cipher-suite-not-known":           "the cipher suite is not known",
	"proof/certificate-not-capture":          "the certificate is not in the capture",
	"proof/client-hello-not-capture":         "the ClientHello is not in the capture",
	"proof/hello-messages-not-capture":       "the hello messages are not in the capture",
	"proof/server-hello-not-capture":         "the ServerHello is not in the capture",
	"proof/server-s-certificate-not":         "the server's certificate is not in the capture",
	"proof/cipher-suite-signs-nothing":       "this cipher suite signs nothing",
	"proof/kind-key-or-signature":            "this kind of key or signature is not supported here",
	"proof/signature-algorithm-not-one":      "the signature algorithm is not one for this kind of key in this version of TLS",
	"proof/signature-does-not-hold":          "the signature does not hold under this public key",
	"proof/computed-checksum-not-one":        "the computed checksum is not the one in the message",
	"proof/there-no-key-log":                 "there is no key log line for this connection, and the secret of the earlier one does not fit",
	"proof/secret-keys-checksum-not":         "the secret that keys the checksum is not in the key log",
	"proof/message-malformed":                "the message is malformed",
	"proof/handshake-over-messages-let":      "the handshake was over and its messages were let go",
	"proof/handshake-messages-larger-than":   "the handshake messages are larger than what is kept",
	"proof/handshake-message-could-not":      "a handshake message could not be read",
	"proof/capture-begins-after-first":       "the capture begins after the first handshake message",
	"value/public-key-own-beside":            ", and a public key of its own beside it",
	"value/nothing-beside":                   " and nothing beside it",
	"value/one-two-parts-secret":             "one of the two parts of the secret",
	"value/secret":                           "the secret",
	"value/frames-alike":                     "{n} {name}",
	"value/first":                            "its first",
	"value/second":                           "its second",
	"value/no-suite":                         "no suite",
	"value/message-would-show-not":           "the message that would show it is not in the capture",
	"value/stopped-over-record":              "it stopped over a record that did not fit its key",
	"value/message-shows-not-capture":        "the message that shows it is not in the capture",
	"value/key-exchange":                     "this key exchange",
	"value/ephemeral-diffie-hellman-on":      "ephemeral Diffie-Hellman on a curve (ECDHE)",
	"value/ephemeral-diffie-hellman-dhe":     "ephemeral Diffie-Hellman (DHE)",
	"value/tls-1-3":                          "TLS 1.3",
	"brief/secret-derived-resumption-master": "the secret is derived from the resumption master secret of the earlier connection, which is in no key log line; so neither it nor the checksum (binder) in the hello can be computed again",
	"brief/bytes-missing-capture":            "bytes are missing from the capture",
	"brief/bytes-left-out-here":              "bytes are left out here",
	"brief/message-before-malformed":         "a message before it is malformed",
	"brief/whoever-listens-on-path":          "whoever listens on the path does not have the key",
	"brief/middleboxes-only":                 "for middleboxes only",
	"brief/version-not-known":                "of which version is not known",
	"brief/keyed-checksum-later":             "a keyed checksum over the handshake, the request and the answer to it",
	"proof/finished-before":                  "it is not the first Finished of this side",
	"proof/request-not-known":                "the request that this answers is not known, or not all of the answer",
	"brief/keyed-checksum-over-everything":   "a keyed checksum over everything said so far",
	"brief/none":                             "none",
	"brief/inner-bad":                        "opened, and no hello that counts",
	"inner/shape":                            "it is not built as one",
	"inner/session":                          "it has a session id of its own",
	"inner/padding":                          "its padding is not all zeros",
	"inner/outer":                            "it takes over extensions that the hello in clear does not have, or not in this order",
	"inner/twice":                            "it takes over extensions of the hello in clear at two places",
	"inner/none":                             "it does not say that it is an inner hello",
	"inner/versions":                         "it offers an older version than TLS 1.3, or not that",
	"brief/cannot-undone":                    "cannot be undone",
	"brief/does-not-fit-keys":                "it does not fit the keys that come from any connection ID seen here",
	"brief/tag-does-not-fit":                 "the tag does not fit; a client must ignore such a packet, which somebody on the path may have made up or changed",
	"brief/client-s-first-initial":           "the client's first Initial packet is not in the capture, or this version's tags are not known here",
	"brief/hello-cut":                        "cut off: {bytes} bytes are missing",
	"brief/other-copy":                       "{bytes} bytes again, with other content: packet {packet}",
	"brief/behind-the-end":                   "{bytes} bytes behind the end: packet {packet}",
	"brief/late-bytes":                       "{bytes} bytes came too late: packet {packet}",
	"brief/first-under-new-keys":             "the first under new keys",
	"brief/ports-used-another-connection":    "its ports are used by another connection: its end is not in the capture",
	"brief/ended-what-left-out":              "it ended in what is left out",
	"brief/too-many-connections-once":        "too many connections at once: its end is not followed",
	"brief/connection-torn-down":             "the connection was torn down",
	"whose/certificate":                      "a certificate",

	// The marks, headings and labels around what is told.
	"mark/proven":                            "[proven: {what}]",
	"mark/refuted":                           "[REFUTED: {what}]",
	"mark/not-checkable":                     "[not checkable: {what}]",
	"mark/step":                              "[step {step}]",
	"mark/steps":                             "[steps {steps}]",
	"mark/step-verdict":                      "[step {steps}: {verdict}]",
	"mark/steps-verdict":                     "[steps {steps}: {verdict}]",
	"mark/refuted-alone":                     "REFUTED: {claim}. ",
	"mark/refuted-why":                       "REFUTED: {claim}. {reason}",
	"mark/refuted-line":                      "REFUTED: {words}",
	"state/proven":                           "proven",
	"state/refuted":                          "refuted",
	"state/not-checkable":                    "not checkable",
	"outcome/passed":                         "passed",
	"outcome/ok":                             "ok",
	"outcome/failed":                         "failed",
	"outcome/warned":                         "warned",
	"outcome/not-checked":                    "not checked",
	"leg/browser":                            "client",
	"leg/origin":                             "origin",
	"leg/both":                               "both",
	"from/wire":                              "wire",
	"from/key-log":                           "key log",
	"from/computed":                          "computed",
	"from/earlier":                           "earlier",
	"from/unknown":                           "unknown",
	"from/absent":                            "absent",
	"verdict/as-told":                        "as told",
	"verdict/differently":                    "differently",
	"verdict/unseen":                         "unseen",
	"verdict/inherited":                      "inherited",
	"verdict/absent":                         "absent",
	"verdict/failed":                         "failed",
	"verdict/not-reached":                    "not reached",
	"verdict/unknown":                        "unknown",
	"proof-of/server-key-exchange-signature": "server key exchange signature",
	"proof-of/server-certificate-verify":     "server certificate verify",
	"proof-of/client-certificate-verify":     "client certificate verify",
	"proof-of/server-finished":               "server finished",
	"proof-of/client-finished":               "client finished",
	"proof-of/client-later-finished":         "client finished after the handshake",
	"proof-of/certificate-links":             "certificate links",
	"proof-of/client-certificate-links":      "client certificate links",
	"proof-of/rsa-block":                     "rsa block",
	"proof-of/rsa-private-key":               "rsa private key",
	"proof-of/rsa-premaster-version":         "rsa premaster version",
	"proof-of/rsa-master":                    "rsa master",
	"proof-of/server-records":                "server records",
	"proof-of/client-records":                "client records",
	"proof-of/server-first-packet":           "server first packet",
	"proof-of/client-first-packet":           "client first packet",
	"proof-of/early-first-packet":            "early first packet",
	"proof-of/server-first-record":           "server first record",
	"proof-of/client-first-record":           "client first record",
	"proof-of/early-first-record":            "early first record",
	"proof-of/resumed-master":                "resumed master",
	"proof-of/psk-binder":                    "psk binder",
	"proof-of/minted-leaf":                   "minted leaf",
	"proof-of/quic-client-initial":           "quic client initial",
	"proof-of/quic-server-initial":           "quic server initial",
	"proof-of/delegated-credential":          "delegated credential",
	"proof-of/quic-retry-tag":                "quic retry tag",
	"proof-of/ech-accepted":                  "ech accepted",
	"proof-of/ech-opened":                    "ech opened",
	"proof-of/ech-confirmed":                 "ech confirmed",
	"proof-of/ech-not-confirmed":             "ech not confirmed",
	"sign/comma":                             ", ",
	"sign/colon":                             ": ",
	"label/left-out":                         "{count} of the browser's own ({hosts}) left out; --all shows them.",
	"label/left-out-more":                    "{count} of the browser's own ({hosts} and {n} more) left out; --all shows them.",
	"label/check":                            "{outcome}: {check}: {says}",
	"label/last-at":                          "{text}, the last at {at}",
	"label/stream":                           " (stream {n})",
	"label/proof":                            "{state}: {claim}",
	"label/with-reason":                      "{text} ({reason})",
	"label/with-how":                         "{text} — {how}",
	"label/packet":                           " (packet {n})",
	"label/packets":                          " (packets {first} to {last})",
	"label/also-proven":                      "also proven: {proofs}",
	"label/kind":                             "{n} {kind}",
	"label/folded":                           "... {count} more ({kinds}); --messages tells each ...",
	"head/session":                           "Session {n}",
	"head/session-host":                      "Session {n}: {host}",
	"head/block":                             "Connection {n}",
	"head/block-host":                        "Connection {n}: {host}",
	"head/step":                              "step {step}",
	"head/step-title":                        "step {step}: {title}",
	"head/steps-to":                          "steps {first} to {last}",
	"head/steps-and":                         "steps {first} and {last}",
	"head/both-legs":                         "{step}, on both legs",
	"head/connection":                        "connection {n}, {from} to {to}",
	"head/connection-kind":                   "{connection}: {kind}",
	"head/of-leg":                            "{leg} leg, {text}",
	"head/for":                               "{when}, for {span}",
	"head/in-part":                           "opened in part: {why}",
	"head/parts-of-records":                  "parts of records",
	"head/sealed":                            "{count} sealed, {why}",
	"head/genealogy":                         "Genealogy",
	"head/secrets":                           "key schedule of this connection, with its real values: whoever has them reads everything in it",
	"kin/host":                               "{connection}, {host}",
	"kin/its-session-id":                     "its session id",
	"kin/its-ticket":                         "its ticket",
	"kin/its-psk":                            "a secret named by its ticket",
	"kin/a-session-id":                       "a session id",
	"kin/a-ticket":                           "a ticket",
	"kin/a-psk":                              "a secret named by a ticket",
	"kin/ambiguous":                          "{connection} with {what} that several connections had",
	"kin/sealed":                             "{connection} with {what} that may have passed encrypted",
	"kin/unseen":                             "{connection} with {what} that nobody was seen to be given in this capture",
	"kin/later":                              "{connection}, {span} later, with {what}",
	"kin/with":                               "{connection} with {what}",
	"kin/of":                                 "{connection}, of connection {parent}",
	"where/one":                              "connection {conns}",
	"where/several":                          "connections {conns}",
	"where/more":                             "connections {conns} and {n} more",
	"where/says":                             "{says}: {where}.",
	"field/kept-back":                        "kept back",
	"field/not-capture":                      "not in the capture",
	"field/not-each-signed-one":              "not each is signed by the one right after it",
	"field/not-value-own":                    "not a value of its own",
	"field/yes":                              "yes",
	"steps/step":                             "step {step}: {title}",
	"steps/around":                           "the book says: {title}",
	"steps/textbook":                         "textbook",
	"steps/see":                              "see",
	"comment/event":                          "{name}: {brief}",
	"comment/step":                           "Step {step}, {title}: {verdict}",
	"comment/failed":                         "FAILED",
	"comment/proven":                         "Proven: {claim}.",
	"comment/more":                           "(explainer read --messages tells more)",
}

// everyPiece is what is in any table of pieces.
var everyPiece = func() map[string]string {
	m := make(map[string]string)
	for _, table := range []map[string]string{pieces, pagePieces, fieldPieces, commandPieces, checkPieces, gradePieces, schedulePieces, overviewPieces, errorPieces, meaningPieces, shortPieces, breakPieces, examPieces, webPieces, secretPieces, eyesPieces} {
		for id, text := range table {
			if _, twice := m[id]; twice {
				panic("words: piece " + id + " stands twice in the catalogue")
			}
			m[id] = text
		}
	}
	return m
}()

// pieceTemplates holds every piece as a template.
var pieceTemplates = func() map[string]*template {
	m, all := make(map[string]*template, len(everyPiece)), make([]template, len(everyPiece))
	for id, text := range everyPiece {
		t := &all[len(m)]
		t.source, t.piece = text, id
		m[id] = t
	}
	return m
}()
