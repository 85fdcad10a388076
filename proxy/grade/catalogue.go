package grade

import (
	"slices"
	"strings"
)

const (
	groupV = "certificates of origins"
	groupP = "versions and suites towards origins"
	groupM = "what the client is given"
	groupK = "the CA and what is kept"
)

// A line is one line of the checklist.
type line struct {
	id, group, title string
	grade            Grade // the best that a proxy that fails it can get; "" lowers nothing
	decides          bool  // without it there is no grade
	faults           []string
	judge            func(*Evidence, *verdict)
}

var lines []line

func init() {
	v := func(id, title string, faultIDs ...string) line {
		return line{id: id, group: groupV, title: title, grade: F, decides: true, faults: faultIDs, judge: faults}
	}
	ipLine := v("V16", "address in place of a name", "ip-in-dns-san")
	ipLine.judge = byAddress
	// What follows is no attack by itself, or takes something stolen, and most clients do not look.
	weak := func(id, title string, faultIDs ...string) line {
		l := v(id, title, faultIDs...)
		l.grade = B
		return l
	}
	own := v("V14", "signed by the proxy's own CA", trialOwnCA)
	own.decides = false
	lines = []line{
		v("V1", "self-signed", "self-signed"),
		v("V2", "untrusted root", "untrusted-root", "root-same-name-other-key"),
		v("V3", "expired", "expired", "issuer-expired", "root-expired"),
		v("V4", "not yet valid", "not-yet-valid"),
		v("V5", "for another host", "wrong-host", "cn-match-san-mismatch", "no-san-cn-only", "nul-in-san", "nul-in-cn", "duplicate-san",
			"wildcard-two-labels", "wildcard-bare", "wildcard-not-leftmost", "wildcard-partial"),
		v("V6", "false signature or key", "bad-cert-signature", "psychic-cert", "curveball", "sigalg-mismatch", "no-private-key", "psychic-handshake"),
		v("V7", "issued by what is no CA", "leaf-as-ca", "issuer-no-basic-constraints", "issuer-x509v1", "issuer-no-certsign", "pathlen-exceeded"),
		v("V8", "outside its CA's name constraints", "name-constraint-violated", "name-constraint-cn-bypass"),
		v("V9", "purposes that are not a server's", "wrong-eku", "issuer-wrong-eku", "any-eku", "issuer-any-eku", "ocsp-signing-eku"),
		v("V10", "unknown critical extension", "unknown-critical-ext", "issuer-unknown-critical-ext"),
		v("V11", "weak hash or key", "md5-signature", "sha1-signature", "rsa-512", "rsa-1024", "rsa-1536", "issuer-rsa-1024"),
		v("V12", "incomplete chain", "incomplete-chain"),
		{id: "V13", group: groupV, title: "root with a published key", grade: F, judge: never("published-unknown")},
		own,
		weak("V15", "revoked, by the origin's own staple", "staple-revoked", "staple-revoked-unsaid", "staple-revoked-superseded"),
		ipLine,
		{id: "V17", group: groupV, title: "no certificate transparency", judge: never("sct-unknown")},
		weak("V18", "a key that may not do what it did", "wrong-ku", "key-encipherment-only"),
		weak("V19", "names another issuer's key", "aki-mismatch"),
		weak("V20", "must-staple without a staple that holds", "must-staple-missing", "must-staple-old", "issuer-must-staple"),
		weak("V21", "a staple that is no valid word of good", "staple-old", "staple-not-yet", "staple-unknown", "staple-refused", "staple-unreadable",
			"staple-other-certificate", "staple-bad-signature"),

		{id: "P1", group: groupP, title: "nothing older than TLS 1.2", grade: C, decides: true, faults: []string{"proto-tls10", "proto-tls11"}, judge: versions},
		{id: "P2", group: groupP, title: "no broken suites", grade: C, decides: true, faults: []string{"cipher-rc4", "cipher-3des"}, judge: weakSuites},
		{id: "P3", group: groupP, title: "forward secrecy", grade: B, decides: true, judge: keyTransport},
		{id: "P4", group: groupP, title: "no compression", grade: C, decides: true, judge: compression},
		{id: "P5", group: groupP, title: "no small Diffie-Hellman groups", grade: C, judge: weakGroups},
		{id: "P6", group: groupP, title: "notices a forced downgrade", grade: C, faults: []string{"downgrade-sentinel"}, judge: sentinel},
		{id: "P7", group: groupP, title: "keeps post-quantum key exchange", grade: B, judge: postQuantum},
		{id: "P8", group: groupP, title: "does not renegotiate unbound, nor with another certificate", grade: C, judge: renegotiation},

		{id: "M1", group: groupM, title: "no newer version than the origin's", grade: B, decides: true, judge: mirroredVersion},
		{id: "M2", group: groupM, title: "the origin's protocol (ALPN)", grade: B, judge: mirroredALPN},
		{id: "M3", group: groupM, title: "the origin's names and kind of key", grade: B, judge: mirroredLeaf},
		{id: "M4", group: groupM, title: "a bad certificate's error", grade: B, judge: conveyed},
		{id: "M5", group: groupM, title: "no suites beyond the client's (for A*)", judge: mirroredSuites},
		{id: "M6", group: groupM, title: "HSTS as it was sent", grade: B, judge: hsts},
		{id: "M7", group: groupM, title: "Alt-Svc as it was sent", grade: B, judge: altSvc},
		{id: "M8", group: groupM, title: "no stronger key exchange or suite than the origin's", grade: B, judge: mirroredStrength},

		{id: "K1", group: groupK, title: "a CA of this installation's own", grade: F, judge: uniqueCA},
		{id: "K2", group: groupK, title: "leaves have keys of their own (house rule)", grade: B, judge: leafKeys},
		{id: "K3", group: groupK, title: "serial numbers look random", grade: B, judge: serials},
		{id: "K4", group: groupK, title: "a CA that does not live long", grade: B, judge: lifetime},
		{id: "K5", group: groupK, title: "a CA that is limited to some names (advice)", judge: constrained},
		{id: "K6", group: groupK, title: "uninstalling removes the trust", grade: B, judge: never("uninstall-unknown")},
		{id: "K7", group: groupK, title: "recordings are private", grade: B, judge: recordings},
		{id: "K8", group: groupK, title: "not reachable from the network", grade: B, judge: loopback},
	}
}

// faultIDs are the faults that lines rest on, and their controls, these first.
func faultIDs() []string {
	ids := []string{"good", "good-intermediate", "good-wildcard", "good-rsa", "good-rsa-intermediate", "good-ip-san", "good-staple", "good-must-staple"}
	for _, l := range lines {
		for _, id := range l.faults {
			if id != trialOwnCA && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return append(ids, "cipher-static-rsa")
}

// sentences are what reports say, by permanent ID.
var sentences = map[string]string{
	"plain": "{text}",

	"test-refused":    "refused, no byte of a request reached the origin; the client got {end}",
	"test-accepted":   "accepted: {bytes} bytes of a request reached the origin",
	"test-hidden":     "not as it was: {reason} was not to be seen beside {shown}",
	"test-otherwise":  "not as it was: {reason}, {what} {shown} in place of {origin}",
	"test-no-control": "the control {control} was not answered, so a refusal would say nothing: the client got {end}",
	"test-not-called": "the proxy did not call the origin; the client got {end}",
	"test-missing":    "this trial was not made",
	"skip-own-ca":     "it takes the key of the proxy's CA",
	"skip-expired":    "it takes a root that has expired and that the proxy trusts",

	"end-connect":     "no tunnel ({detail})",
	"end-certificate": "a certificate that it refused ({detail})",
	"end-handshake":   "a handshake that failed ({detail})",
	"end-closed":      "a closed connection without an answer",
	"end-page":        "an answer of the proxy's own ({status})",
	"end-answer":      "the origin's answer",
	"example":         "{id}: the client got {end}",

	"faults-refused":     "Refused before any byte of a request: {faults}.",
	"faults-accepted":    "Accepted, a request reached the bad origin: {faults}.",
	"faults-but-refused": "Refused: {faults}.",
	"faults-otherwise":   "Shown otherwise than the origin did: {faults}.",
	"faults-untested":    "Not tested: {faults} ({why}).",

	"published-unknown": "It takes an origin whose certificate is signed with a published key, and this program signs with none. Whether the proxy's own CA has one is line K1.",
	"sct-unknown":       "Only CAs that browsers trust by themselves must log what they sign, and the lab's is none.",

	"no-hello":             "The proxy called no origin.",
	"version-offered-only": "Its ClientHello offers {version} all the same.",
	"version-offered":      "Its ClientHello offers {version}.",
	"suites-broken":        "Its ClientHello offers suites that do not protect: {suites}.",
	"suites-weak":          "Its ClientHello offers {suites}.",
	"suites-fine":          "None is among the {n} suites that it offers.",
	"static-offered":       "Its ClientHello offers suites without a fresh key exchange that the client did not offer, so whoever gets the origin's key later can read recordings: {suites}.",
	"static-accepted":      "It accepted RSA key transport.",
	"static-none":          "It offers no suite without a fresh key exchange.",
	"static-as-client":     "It offers suites without a fresh key exchange to origins only where its client offers them too.",
	"compression-offered":  "Its ClientHello offers {method} compression (CRIME, CVE-2012-4929).",
	"compression-none":     "Its ClientHellos offer none.",
	"dhe-offered":          "It offers {suite}, and the lab has no origin with a small group to find out what it takes.",
	"dhe-none":             "It offers no suite with finite-field Diffie-Hellman.",
	"sentinel-no-tls13":    "It does not offer TLS 1.3, so there is no downgrade from it to notice.",
	"pq-offered":           "The client offered X25519MLKEM768, and so did the proxy to the origin.",
	"pq-dropped":           "The client offered X25519MLKEM768, the proxy did not offer it to the origin: what is recorded today may be opened by a quantum computer later.",
	"pq-client-not":        "The client does not offer X25519MLKEM768.",
	"ask-not":              "An origin could not ask for it; the client got {end}.",
	"ask-done":             "When the origin asked to renegotiate, it began to, with the protection of RFC 5746. Whether it would take another certificate then could not be tried.",
	"ask-another":          "When the origin asked to renegotiate, it began to, with the protection of RFC 5746, and took another certificate then, for which nobody vouches.",
	"ask-bound":            "When the origin asked to renegotiate, it began to, with the protection of RFC 5746, and refused another certificate then, for which nobody vouches.",
	"ask-unsafe":           "When the origin asked to renegotiate, it began to, without the protection of RFC 5746 (CVE-2009-3555).",
	"ask-alert":            "When the origin asked to renegotiate, it sent an alert.",
	"ask-closed":           "When the origin asked to renegotiate, it closed the connection.",
	"ask-ignored":          "When the origin asked to renegotiate, it did not begin to.",

	"version-upgraded": "The client was given {client} where the origin had only {origin}.",
	"version-mirrored": "In {n} connections the client never got a newer version than the origin.",
	"alpn-differs":     "The client and the proxy agreed on {client}, the proxy and the origin on {origin}.",
	"alpn-no-h2":       "Client and origin both speak HTTP/2; the proxy gave both HTTP/1.1.",
	"alpn-mirrored":    "HTTP/2 where the origin has it, HTTP/1.1 where it has not.",
	"strength-better":  "The client was given {client} where the origin had only {origin}.",
	"strength-same":    "In {n} connections the client never got a stronger kind of key exchange or suite than the origin.",
	"leaf-key":         "For an origin with an {origin} key the client was shown {leaf}.",
	"leaf-names":       "The origin's certificate names {origin}; the client was shown {leaf}.",
	"leaf-mirrored":    "ECDSA for ECDSA, RSA for RSA, and exactly the origin's names.",
	"conveyed":         "The client learned of refused origins by a certificate that it refused itself: {certificates}; by a page that speaks of the certificate: {pages}; by a refused tunnel: {refusals}.",
	"conveyed-not":     "Refused origins that ended in a way that does not tell the user why: {silent} ({example}). Of the others it learned by a certificate that it refused itself: {certificates}; by a page: {pages}; by a refused tunnel: {refusals}.",
	"conveyed-nothing": "No bad origin was called and refused.",
	"suites-more":      "The client offered {n}; to the origin the proxy offered more: {more}.",
	"suites-mirrored":  "It offered the origin no suite that the client had not offered, also for clients with one suite of TLS 1.3 and with two of TLS 1.2.",
	"hsts-same":        "Strict-Transport-Security came as it was sent.",
	"hsts-changed":     "The origin sent Strict-Transport-Security: {sent}; the client got: {got}.",
	"alt-svc-same":     "Alt-Svc came as it was sent.",
	"alt-svc-changed":  "The client got Alt-Svc: {got}. Whether the proxy logs that it changed it cannot be seen from outside.",

	"ca-published":       "A CA whose private key is published: {owner}. Whoever trusts it can be intercepted by anybody.",
	"ca-unknown":         "Whether each installation makes a key of its own, and who can read it, cannot be seen through the proxy; it is none of the published keys that are known.",
	"ca-same":            "Two first uses made the same key.",
	"ca-readable":        "Others may read the key, or one that others may read is used: key file {key}, folder {folder}.",
	"ca-own":             "Two first uses made different keys; the key file has mode {key} in a folder of mode {folder}; a key that others may read is refused.",
	"ca-no-modes":        "Two first uses made different keys. Who can read them is a matter of access lists here, which are not looked at.",
	"ca-none":            "No CA was given.",
	"leaf-none":          "The proxy showed no certificate.",
	"leaf-has-ca-key":    "The certificate for {names} has the CA's own key: every connection works with the key that must be guarded best. By itself this gives nothing away; that it lowers the grade is a rule of this program's.",
	"leaf-keys":          "None of {n} certificates has the CA's key. How their keys were made cannot be seen.",
	"serial-few":         "It showed {n} different certificates; it takes two.",
	"serial-twice":       "Two different certificates have the serial number {serial}.",
	"serial-near":        "The serial numbers {a} and {b} are next to each other.",
	"serial-short":       "The longest serial number has {bits} bits.",
	"serial-random":      "{n} certificates have {n} serial numbers, up to {bits} bits long, none near another.",
	"ca-long":            "The CA is valid for {days} days, until {until}; more than 398.",
	"ca-short":           "The CA is valid for {days} days, until {until}.",
	"ca-constrained":     "The CA can sign for {names} alone.",
	"ca-unconstrained":   "Whoever gets the CA's key can sign for every name. This lowers no grade.",
	"uninstall-unknown":  "It would change the trust stores of this machine.",
	"recording-no-modes": "Who can read the recording is a matter of access lists here, which are not looked at.",
	"recordings-unknown": "What the proxy keeps cannot be seen through it.",
	"recording-private":  "The recording, with the keys inside, has mode {mode}.",
	"recording-readable": "The recording, with the keys inside, has mode {mode}.",
	"listens-open":       "It took connections at {addrs}: other machines may use it.",
	"listens-closed":     "It took no connection at {addrs}.",
	"listens-no-address": "This machine has no address but loopback.",
	"address-refused":    "It refused a good certificate for an address; the client got {end}.",

	"grade-A*":   "As secure as without the proxy, and origins are offered no suite that the client does not offer.",
	"grade-A":    "As secure as without the proxy, in what was tested.",
	"grade-B":    "No known attack, but less than there would be without the proxy: {lines}.",
	"grade-C":    "Open to a known attack: {lines}.",
	"grade-F":    "It fails what no proxy may fail: {lines}.",
	"grade-none": "What decides could not be tested: {lines}.",
}

// say fills a sentence.
func say(id string, pairs ...string) string {
	s, ok := sentences[id]
	if !ok {
		panic("grade: no sentence " + id)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		pairs[i] = "{" + pairs[i] + "}"
	}
	return strings.NewReplacer(pairs...).Replace(s)
}
