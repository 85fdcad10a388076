package grade

import (
	"slices"

	"explainer/annotate/score"
)

// A line is one line of the checklist.
type line struct {
	id      string
	group   score.Group
	grade   score.Grade // the best that a proxy that fails it can get; "" lowers nothing
	decides bool        // without it there is no grade
	faults  []string
	judge   func(*Evidence, *verdict)
}

var lines []line

func init() {
	v := func(id string, faultIDs ...string) line {
		return line{id: id, group: score.Certificates, grade: score.F, decides: true, faults: faultIDs, judge: faults}
	}
	ipLine := v("V16", "ip-in-dns-san")
	ipLine.judge = byAddress
	// What follows is no attack by itself, or takes something stolen, and most clients do not look.
	weak := func(id string, faultIDs ...string) line {
		l := v(id, faultIDs...)
		l.grade = score.B
		return l
	}
	own := v("V14", trialOwnCA)
	own.decides = false
	lines = []line{
		v("V1", "self-signed"),
		v("V2", "untrusted-root", "root-same-name-other-key"),
		v("V3", "expired", "issuer-expired", "root-expired"),
		v("V4", "not-yet-valid"),
		v("V5", "wrong-host", "cn-match-san-mismatch", "no-san-cn-only", "nul-in-san", "nul-in-cn", "duplicate-san",
			"wildcard-two-labels", "wildcard-bare", "wildcard-not-leftmost", "wildcard-partial"),
		v("V6", "bad-cert-signature", "psychic-cert", "curveball", "sigalg-mismatch", "no-private-key", "psychic-handshake"),
		v("V7", "leaf-as-ca", "issuer-no-basic-constraints", "issuer-x509v1", "issuer-no-certsign", "pathlen-exceeded"),
		v("V8", "name-constraint-violated", "name-constraint-cn-bypass"),
		v("V9", "wrong-eku", "issuer-wrong-eku", "any-eku", "issuer-any-eku", "ocsp-signing-eku"),
		v("V10", "unknown-critical-ext", "issuer-unknown-critical-ext"),
		v("V11", "md5-signature", "sha1-signature", "rsa-512", "rsa-1024", "rsa-1536", "issuer-rsa-1024"),
		v("V12", "incomplete-chain"),
		{id: "V13", group: score.Certificates, grade: score.F, judge: never("grade/published-unknown")},
		own,
		weak("V15", "staple-revoked", "staple-revoked-unsaid", "staple-revoked-superseded"),
		ipLine,
		{id: "V17", group: score.Certificates, judge: never("grade/sct-unknown")},
		weak("V18", "wrong-ku", "key-encipherment-only"),
		weak("V19", "aki-mismatch"),
		weak("V20", "must-staple-missing", "must-staple-old", "issuer-must-staple"),
		weak("V21", "staple-old", "staple-not-yet", "staple-unknown", "staple-refused", "staple-unreadable",
			"staple-other-certificate", "staple-bad-signature"),

		{id: "P1", group: score.Versions, grade: score.C, decides: true, faults: []string{"proto-tls10", "proto-tls11"}, judge: versions},
		{id: "P2", group: score.Versions, grade: score.C, decides: true, faults: []string{"cipher-rc4", "cipher-3des"}, judge: weakSuites},
		{id: "P3", group: score.Versions, grade: score.B, decides: true, judge: keyTransport},
		{id: "P4", group: score.Versions, grade: score.C, decides: true, judge: compression},
		{id: "P5", group: score.Versions, grade: score.C, judge: weakGroups},
		{id: "P6", group: score.Versions, grade: score.C, faults: []string{"downgrade-sentinel"}, judge: sentinel},
		{id: "P7", group: score.Versions, grade: score.B, judge: postQuantum},
		{id: "P8", group: score.Versions, grade: score.C, judge: renegotiation},

		{id: "M1", group: score.Given, grade: score.B, decides: true, judge: mirroredVersion},
		{id: "M2", group: score.Given, grade: score.B, judge: mirroredALPN},
		{id: "M3", group: score.Given, grade: score.B, judge: mirroredLeaf},
		{id: "M4", group: score.Given, grade: score.B, judge: conveyed},
		{id: "M5", group: score.Given, judge: mirroredSuites},
		{id: "M6", group: score.Given, grade: score.B, judge: hsts},
		{id: "M7", group: score.Given, grade: score.B, judge: altSvc},
		{id: "M8", group: score.Given, grade: score.B, judge: mirroredStrength},

		{id: "K1", group: score.Kept, grade: score.F, judge: uniqueCA},
		{id: "K2", group: score.Kept, grade: score.B, judge: leafKeys},
		{id: "K3", group: score.Kept, grade: score.B, judge: serials},
		{id: "K4", group: score.Kept, grade: score.B, judge: lifetime},
		{id: "K5", group: score.Kept, judge: constrained},
		{id: "K6", group: score.Kept, grade: score.B, judge: never("grade/uninstall-unknown")},
		{id: "K7", group: score.Kept, grade: score.B, judge: recordings},
		{id: "K8", group: score.Kept, grade: score.B, judge: loopback},
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
