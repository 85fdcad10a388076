// Package words has what people read, by permanent ID.
package words

import (
	"strings"

	"explainer/annotate/event"
)

// Reason says in a few words what is wrong with a certificate, for a reason of
// ca/verify. host is the name that was asked for and missing the issuer that is
// not known, each "" if that is not known either. What comes back is a clause in which
// "it" is the certificate.
func Reason(id, host, missing string) event.Text {
	text, ok := reasons[id]
	if !ok {
		return event.Text{English: strings.ReplaceAll(otherReason, "{id}", id), Of: &event.Phrase{ID: "reason/", Values: map[string]event.Text{"id": event.Plain(id)}}}
	}
	of := &event.Phrase{ID: "reason/" + id}
	if strings.Contains(text, "{host}") {
		asked := event.Plain(host)
		if host == "" {
			asked = Piece("host/asked")
		}
		of.Values = map[string]event.Text{"host": asked}
		text = strings.ReplaceAll(text, "{host}", asked.English)
	}
	if strings.Contains(text, "{missing}") {
		if missing == "" {
			text = strings.ReplaceAll(text, " ({missing})", "")
			of.ID += "-unnamed"
		}
		of.Values = map[string]event.Text{"missing": event.Plain(missing)}
		text = strings.ReplaceAll(text, "{missing}", missing)
	}
	return event.Text{English: text, Of: of}
}

// Reasons lists the IDs that have words of their own, in no order.
func Reasons() (ids []string) {
	for id := range reasons {
		ids = append(ids, id)
	}
	return ids
}

const (
	otherReason = "it fails a check that is not known here ({id})" // of a recording by a later version
)

var reasons = map[string]string{
	"no-certificate":                  "there is no certificate",
	"malformed":                       "a certificate in the chain cannot be read in full",
	"malformed-extra":                 "a certificate that was sent along cannot be read in full",
	"unreadable":                      "a certificate in the chain cannot be read far enough",
	"too-many-candidates":             "too many certificates could be its issuers",
	"issuers-in-a-circle":             "its issuers vouch for each other in a circle",
	"no-roots":                        "there is no list of authorities to check it against",
	"incomplete-chain":                "its issuer is not known here ({missing}), and was not sent, but could be fetched",
	"issuer-unknown":                  "its issuer is not known here ({missing}), and was not sent",
	"aki-mismatch":                    "it names another key of its issuer than the one that signed it",
	"issuer-aki-mismatch":             "an authority in the chain names another key of its issuer than the one that signed it",
	"signature-not-checkable":         "a signature in the chain cannot be checked",
	"bad-cert-signature":              "a signature in the chain does not hold",
	"psychic-cert":                    "a signature in the chain consists of zeros",
	"self-signed":                     "nobody but itself vouches for it",
	"untrusted-root":                  "no authority that is trusted here vouches for it",
	"root-same-name-other-key":        "no authority that is trusted here vouches for it, only one with the name of a trusted one",
	"curveball":                       "the authority that vouches for it has a key that was made to look like a trusted one's",
	"chain-ends":                      "its chain ends before",
	"no-clock":                        "the clock of the capture was not set",
	"expired":                         "it had expired",
	"not-yet-valid":                   "it was not valid yet",
	"issuer-expired":                  "an authority in the chain had expired",
	"issuer-not-yet-valid":            "an authority in the chain was not valid yet",
	"root-expired":                    "the root had expired",
	"root-not-yet-valid":              "the root was not valid yet",
	"no-name-asked":                   "it is not known which name was asked for",
	"wrong-host":                      "it is not for {host}",
	"cn-match-san-mismatch":           "the name stands in its common name only, which does not count",
	"no-san-cn-only":                  "the name stands in its common name only, which does not count",
	"nul-in-san":                      "a zero byte stands in its name",
	"nul-in-cn":                       "a zero byte stands in its common name",
	"wildcard-two-labels":             "its wildcard does not cover {host}",
	"wildcard-bare":                   "its wildcard does not cover {host}",
	"wildcard-not-leftmost":           "its wildcard does not cover {host}",
	"wildcard-partial":                "its wildcard does not cover {host}",
	"wildcard-public-suffix":          "its wildcard covers every domain of a registry",
	"ip-in-dns-san":                   "the address stands in it as a name",
	"no-eku":                          "it names no purpose",
	"any-eku":                         "it is for any purpose",
	"issuer-any-eku":                  "an authority in the chain is for any purpose, and this one is not named",
	"ocsp-signing-eku":                "it may also sign OCSP responses",
	"critical-eku":                    "its list of purposes is marked as critical",
	"root-eku":                        "the root is limited to purposes",
	"empty-eku":                       "its list of purposes is empty",
	"wrong-eku":                       "it is for another purpose",
	"issuer-wrong-eku":                "an authority in the chain may vouch only for other purposes",
	"issuer-sgc-eku":                  "an authority in the chain may vouch only for a purpose of old",
	"wrong-ku":                        "its key usage does not allow what its key does",
	"issuer-no-certsign":              "an authority in the chain may not sign certificates",
	"ca-as-leaf":                      "it is an authority's",
	"leaf-as-ca":                      "one that is no authority has signed it",
	"issuer-no-basic-constraints":     "one that does not say that it is an authority has signed it",
	"issuer-x509v1":                   "one that cannot say that it is an authority has signed it (an old version of certificates)",
	"root-x509v1":                     "the root cannot say that it is an authority (an old version of certificates)",
	"pathlen-exceeded":                "there are more authorities in the chain than one of them allows",
	"name-constraint-violated":        "an authority in the chain may not vouch for one of its names",
	"name-constraint-cn-bypass":       "an authority in the chain may not vouch for its common name",
	"too-many-constraints":            "an authority in the chain limits names by more rules than are compared here",
	"policies-not-met":                "a certificate policy that an authority in the chain demands is not there",
	"other-faults-first":              "this is not looked at behind other faults",
	"unknown-critical-ext":            "an extension in it that must be understood is not known",
	"issuer-unknown-critical-ext":     "an extension that must be understood, of an authority in the chain, is not known",
	"critical-by-mistake":             "an extension in the chain is marked as critical that may not be",
	"duplicate-san":                   "it has two lists of names",
	"duplicate-extension":             "an extension stands twice in a certificate of the chain",
	"explicit-ec-parameters":          "a key in the chain spells out its curve, as none may (the way of CVE-2020-0601)",
	"rsa-too-short":                   "an RSA key in the chain is so short that it can be broken",
	"rsa-short":                       "its RSA key is short",
	"issuer-rsa-short":                "an authority in the chain has a short RSA key",
	"rsa-odd-length":                  "an RSA key in the chain has an odd length",
	"rsa-too-long":                    "an RSA key in the chain is too long",
	"rsa-exponent":                    "an RSA key in the chain has an exponent that none may have",
	"dsa":                             "a key in the chain is a DSA key",
	"curve-short":                     "a key in the chain is on a short curve",
	"key-unreadable":                  "a key in the chain cannot be read",
	"key-unknown":                     "a key in the chain is of a kind that is not known here",
	"md5-signature":                   "a signature in the chain is made with MD5",
	"sha1-signature":                  "a signature in the chain is made with SHA-1",
	"sigalg-mismatch":                 "a certificate in the chain names two signature algorithms",
	"serial-negative":                 "a serial number in the chain is negative",
	"serial-zero":                     "a serial number in the chain is zero",
	"serial-long":                     "a serial number in the chain is too long",
	"long-validity":                   "it was issued for longer than public authorities may",
	"leaked-key":                      "a key in the chain is one that everybody has",
	"denied-key":                      "a key in the chain may vouch for nobody here",
	"issuer-must-staple":              "an authority in the chain demands that it ask for a stapled OCSP response, and it does not",
	"staple-later":                    "the stapled OCSP response comes later",
	"must-staple-missing":             "the stapled OCSP response that it demands did not come",
	"must-staple-unmet":               "the stapled OCSP response that it demands does not hold",
	"staple-not-asked":                "nobody asked for a stapled OCSP response",
	"no-staple":                       "no OCSP response is stapled to it",
	"staple-unreadable":               "the stapled OCSP response cannot be read",
	"staple-refused":                  "the stapled OCSP response gives no answer",
	"staple-other-certificate":        "the stapled OCSP response is about another certificate",
	"staple-bad-signature":            "the signature of the stapled OCSP response does not hold",
	"staple-signer":                   "the stapled OCSP response is signed by somebody who may not",
	"staple-revoked":                  "its authority has revoked it, as the stapled OCSP response says",
	"staple-not-yet":                  "the stapled OCSP response is about a later time",
	"staple-old":                      "the stapled OCSP response is out of date",
	"staple-no-issuer":                "the stapled OCSP response cannot be checked without the issuer's certificate",
	"staple-unknown":                  "its authority does not know it, as the stapled OCSP response says",
	"no-sct":                          "no log's promise to list it came with it",
	"sct-signatures-not-checked":      "the signatures of logs' promises are not checked",
	"sct-unreadable":                  "a log's promise to list it cannot be read",
	"sct-from-the-future":             "a log's promise to list it is dated after the capture",
	"not-version-3":                   "a certificate in the chain is of an old version",
	"issuer-empty":                    "a certificate in the chain names no issuer",
	"ca-subject-empty":                "an authority in the chain has no name",
	"aki-missing":                     "a certificate in the chain does not say by which key of its issuer it is signed",
	"ski-missing":                     "a certificate in the chain has no name for its key",
	"root-aki":                        "the root names another key than its own",
	"basic-constraints-not-critical":  "what makes an authority in the chain one is not marked as critical",
	"ca-without-key-usage":            "an authority in the chain does not say what its key is for",
	"certsign-without-ca":             "a key in the chain may sign certificates and is no authority's",
	"pathlen-without-ca":              "a certificate in the chain limits the authorities below it and may not sign any",
	"name-constraints-in-leaf":        "it limits the names below it and is no authority",
	"name-constraints-not-critical":   "the limits to the names below an authority are not marked as critical",
	"name-constraint-leading-dot":     "the limits to the names below an authority are written as the standard does not know",
	"policy-constraints-not-critical": "the demands of an authority on policies are not marked as critical",
	"san-empty":                       "its list of names is empty",
	"san-critical":                    "its list of names is marked as critical",
	"san-not-critical":                "its list of names is not marked as critical",
	"underscore-in-name":              "a name in it has an underscore",
	"common-name-not-in-san":          "its common name is none of its names",
}
