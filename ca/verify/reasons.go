package verify

// IDs lists the checks, in the order in which they are made.
var IDs = []string{
	IDParse, IDChain, IDSignature, IDRoot, IDDates, IDName, IDPurpose, IDKeyUsage, IDCA, IDPathLength, IDConstraints, IDPolicies,
	IDCritical, IDExtensions, IDKey, IDAlgorithm, IDMatch, IDSerial, IDLifetime, IDLeaked, IDStaple, IDSCT, IDProfile,
}

// A Class says what a reason is about.
type Class uint8

const (
	ClassForm      Class = iota // how it is written
	ClassTrust                  // nobody on the list of roots vouches for it: another list may have who does
	ClassPath                   // who may vouch for whom
	ClassSignature              // a signature, or the algorithm that it is made with
	ClassDates
	ClassName    // for whom it is
	ClassPurpose // what for: key usage, extended key usage
	ClassLimits  // the names that an authority may vouch for
	ClassKey
	ClassStatus // OCSP
	ClassLogs   // promises of logs to list it
)

// A Fate is what becomes of something that is wrong with an origin's certificate, or
// warned of, on its way through the proxy to the client.
type Fate uint8

const (
	NoFate   Fate = iota // it only says why something was not checked, or that there was nothing to check
	Blocked              // no leaf can have it, or none may; a page stands for the origin
	Mirrored             // the leaf has it too; some client that was tested refuses it, so it counts as a fault
	Copied               // the leaf has it too, as all of the origin's certificate that is its own; no client that was tested refuses it
	Passed               // the leaf does not have it, and no client that was tested refuses it
)

// A Reason is why a check did not pass. IDs are permanent.
type Reason struct {
	ID     string
	Class  Class
	Fate   Fate
	Alerts []uint8  // that fit, by what RFC 8446 6.2 and RFC 5246 7.2.2 say of each, the best first; nil: bad_certificate (42)
	Refs   []string // "5280 6.1.3": number and section of the RFC that the check goes by
}

// ReasonOf returns the reason of that ID. What is no reason counts as something
// that no certificate of the proxy's may have.
func ReasonOf(id string) Reason {
	if r, ok := reasonByID[id]; ok {
		return *r
	}
	return Reason{ID: id, Fate: Blocked}
}

var reasonByID = func() map[string]*Reason {
	m := make(map[string]*Reason, len(Reasons))
	for i := range Reasons {
		m[Reasons[i].ID] = &Reasons[i]
	}
	return m
}()

// Reasons lists every reason that a check can give.
var Reasons = []Reason{
	{ID: "no-certificate", Class: ClassPath, Refs: []string{"8446 4.4.2"}},
	{ID: "malformed", Class: ClassForm, Fate: Blocked, Refs: []string{"5280 4.1"}},
	{ID: "malformed-extra", Class: ClassForm, Fate: Blocked, Refs: []string{"5280 4.1"}},
	{ID: "unreadable", Class: ClassForm, Refs: []string{"5280 4.1"}},
	{ID: "too-many-candidates", Class: ClassPath, Fate: Blocked},
	{ID: "issuers-in-a-circle", Class: ClassPath, Fate: Blocked, Refs: []string{"5280 6.1"}},
	{ID: "no-roots", Class: ClassPath, Refs: []string{"5280 6.1.1"}},
	{ID: "incomplete-chain", Class: ClassTrust, Fate: Blocked, Alerts: []uint8{48}, Refs: []string{"8446 4.4.2", "5280 6.1"}},
	{ID: "issuer-unknown", Class: ClassTrust, Fate: Mirrored, Refs: []string{"8446 4.4.2", "5280 6.1.1"}},
	{ID: "aki-mismatch", Class: ClassPath, Fate: Mirrored, Refs: []string{"5280 4.2.1.1"}},
	{ID: "issuer-aki-mismatch", Class: ClassPath, Fate: Blocked, Refs: []string{"5280 4.2.1.1"}},
	{ID: "signature-not-checkable", Class: ClassSignature, Refs: []string{"5280 6.1.3"}},
	{ID: "bad-cert-signature", Class: ClassSignature, Fate: Blocked, Alerts: []uint8{42, 51}, Refs: []string{"5280 6.1.3"}},
	{ID: "psychic-cert", Class: ClassSignature, Fate: Blocked, Alerts: []uint8{42, 51}, Refs: []string{"5280 6.1.3"}},
	{ID: "self-signed", Class: ClassTrust, Fate: Mirrored, Alerts: []uint8{48}, Refs: []string{"5280 6.1"}},
	{ID: "untrusted-root", Class: ClassTrust, Fate: Mirrored, Alerts: []uint8{48}, Refs: []string{"5280 6.1.1"}},
	{ID: "root-same-name-other-key", Class: ClassTrust, Fate: Blocked, Alerts: []uint8{48, 42}, Refs: []string{"5280 6.1.1"}},
	{ID: "curveball", Class: ClassSignature, Fate: Blocked, Alerts: []uint8{42, 51}, Refs: []string{"5480 2.1.1"}},
	{ID: "chain-ends", Class: ClassPath, Refs: []string{"5280 6.1"}},
	{ID: "no-clock", Class: ClassDates},
	{ID: "expired", Class: ClassDates, Fate: Mirrored, Alerts: []uint8{45}, Refs: []string{"5280 6.1.3"}},
	{ID: "not-yet-valid", Class: ClassDates, Fate: Mirrored, Alerts: []uint8{45, 42}, Refs: []string{"5280 6.1.3"}},
	{ID: "issuer-expired", Class: ClassDates, Fate: Blocked, Alerts: []uint8{45}, Refs: []string{"5280 6.1.3"}},
	{ID: "issuer-not-yet-valid", Class: ClassDates, Fate: Blocked, Refs: []string{"5280 6.1.3"}},
	{ID: "root-expired", Class: ClassDates, Fate: Blocked, Alerts: []uint8{45}, Refs: []string{"5280 6.1.1"}},
	{ID: "root-not-yet-valid", Class: ClassDates, Fate: Blocked, Refs: []string{"5280 6.1.1"}},
	{ID: "no-name-asked", Class: ClassName, Refs: []string{"9525 6"}},
	{ID: "wrong-host", Class: ClassName, Fate: Mirrored, Refs: []string{"9525 6"}},
	{ID: "cn-match-san-mismatch", Class: ClassName, Fate: Mirrored, Refs: []string{"9525 2"}},
	{ID: "no-san-cn-only", Class: ClassName, Fate: Mirrored, Refs: []string{"9525 2"}},
	{ID: "nul-in-san", Class: ClassName, Fate: Mirrored, Refs: []string{"5280 4.2.1.6"}},
	{ID: "nul-in-cn", Class: ClassName, Fate: Mirrored, Refs: []string{"9525 2"}},
	{ID: "wildcard-two-labels", Class: ClassName, Fate: Mirrored, Refs: []string{"9525 6.3"}},
	{ID: "wildcard-bare", Class: ClassName, Fate: Mirrored, Refs: []string{"9525 6.3"}},
	{ID: "wildcard-not-leftmost", Class: ClassName, Fate: Mirrored, Refs: []string{"9525 6.3"}},
	{ID: "wildcard-partial", Class: ClassName, Fate: Mirrored, Refs: []string{"9525 6.3"}},
	{ID: "wildcard-public-suffix", Class: ClassLimits, Fate: Mirrored, Refs: []string{"9525 6.3"}},
	{ID: "ip-in-dns-san", Class: ClassName, Fate: Mirrored, Refs: []string{"9525 6.4", "5280 4.2.1.6"}},
	{ID: "no-eku", Class: ClassPurpose, Fate: Copied, Refs: []string{"5280 4.2.1.12"}},
	{ID: "any-eku", Class: ClassPurpose, Fate: Mirrored, Refs: []string{"5280 4.2.1.12"}},
	{ID: "issuer-any-eku", Class: ClassPurpose, Fate: Blocked, Refs: []string{"5280 4.2.1.12"}},
	{ID: "ocsp-signing-eku", Class: ClassPurpose, Fate: Mirrored, Refs: []string{"5280 4.2.1.12"}},
	{ID: "critical-eku", Class: ClassPurpose, Fate: Copied, Refs: []string{"5280 4.2.1.12"}},
	{ID: "root-eku", Class: ClassPurpose, Fate: Passed, Refs: []string{"5280 4.2.1.12"}},
	{ID: "empty-eku", Class: ClassPurpose, Fate: Blocked, Refs: []string{"5280 4.2.1.12"}},
	{ID: "wrong-eku", Class: ClassPurpose, Fate: Mirrored, Alerts: []uint8{43}, Refs: []string{"5280 4.2.1.12"}},
	{ID: "issuer-wrong-eku", Class: ClassPurpose, Fate: Blocked, Alerts: []uint8{43}, Refs: []string{"5280 4.2.1.12"}},
	{ID: "issuer-sgc-eku", Class: ClassPurpose, Fate: Blocked},
	{ID: "wrong-ku", Class: ClassPurpose, Fate: Mirrored, Alerts: []uint8{46, 43}, Refs: []string{"5280 4.2.1.3", "8446 4.4.2.2"}},
	{ID: "issuer-no-certsign", Class: ClassPath, Fate: Blocked, Alerts: []uint8{48, 42}, Refs: []string{"5280 4.2.1.3"}},
	{ID: "ca-as-leaf", Class: ClassPurpose, Fate: Mirrored, Refs: []string{"5280 4.2.1.9"}},
	{ID: "leaf-as-ca", Class: ClassPath, Fate: Blocked, Alerts: []uint8{48, 42}, Refs: []string{"5280 6.1.4"}},
	{ID: "issuer-no-basic-constraints", Class: ClassPath, Fate: Blocked, Alerts: []uint8{48, 42}, Refs: []string{"5280 6.1.4"}},
	{ID: "issuer-x509v1", Class: ClassPath, Fate: Blocked, Alerts: []uint8{48, 42}, Refs: []string{"5280 6.1.4"}},
	{ID: "root-x509v1", Class: ClassPath, Fate: Passed, Refs: []string{"5280 6.1.1"}},
	{ID: "pathlen-exceeded", Class: ClassPath, Fate: Blocked, Alerts: []uint8{48, 42}, Refs: []string{"5280 4.2.1.9"}},
	{ID: "name-constraint-violated", Class: ClassLimits, Fate: Blocked, Alerts: []uint8{46, 42}, Refs: []string{"5280 4.2.1.10"}},
	{ID: "name-constraint-cn-bypass", Class: ClassLimits, Fate: Blocked, Alerts: []uint8{46, 42}, Refs: []string{"5280 4.2.1.10"}},
	{ID: "too-many-constraints", Class: ClassLimits, Fate: Blocked, Refs: []string{"5280 4.2.1.10"}},
	{ID: "policies-not-met", Class: ClassPath, Fate: Blocked, Refs: []string{"5280 6.1.5"}},
	{ID: "other-faults-first", Class: ClassPath, Refs: []string{"5280 6.1.5"}},
	{ID: "unknown-critical-ext", Class: ClassForm, Fate: Mirrored, Alerts: []uint8{46, 43}, Refs: []string{"5280 4.2"}},
	{ID: "issuer-unknown-critical-ext", Class: ClassForm, Fate: Blocked, Alerts: []uint8{46, 43}, Refs: []string{"5280 4.2"}},
	{ID: "critical-by-mistake", Class: ClassForm, Fate: Blocked, Refs: []string{"5280 4.2.1.1"}},
	{ID: "duplicate-san", Class: ClassForm, Fate: Blocked, Alerts: []uint8{42, 50}, Refs: []string{"5280 4.2"}},
	{ID: "duplicate-extension", Class: ClassForm, Fate: Blocked, Refs: []string{"5280 4.2"}},
	{ID: "explicit-ec-parameters", Class: ClassKey, Fate: Blocked, Refs: []string{"5480 2.1.1"}},
	{ID: "rsa-too-short", Class: ClassKey, Fate: Blocked},
	{ID: "rsa-short", Class: ClassKey, Fate: Mirrored},
	{ID: "issuer-rsa-short", Class: ClassKey, Fate: Blocked},
	{ID: "rsa-odd-length", Class: ClassKey, Fate: Passed},
	{ID: "rsa-too-long", Class: ClassKey, Fate: Blocked},
	{ID: "rsa-exponent", Class: ClassKey, Fate: Blocked, Refs: []string{"8017 3.1"}},
	{ID: "dsa", Class: ClassKey, Fate: Blocked, Refs: []string{"8446 4.2.3"}},
	{ID: "curve-short", Class: ClassKey, Fate: Blocked},
	{ID: "key-unreadable", Class: ClassKey, Fate: Blocked, Refs: []string{"5280 4.1.2.7"}},
	{ID: "key-unknown", Class: ClassKey, Refs: []string{"5280 4.1.2.7"}},
	{ID: "md5-signature", Class: ClassSignature, Fate: Blocked, Alerts: []uint8{42, 51}, Refs: []string{"6151 2"}},
	{ID: "sha1-signature", Class: ClassSignature, Fate: Blocked, Alerts: []uint8{42, 51}},
	{ID: "sigalg-mismatch", Class: ClassSignature, Fate: Blocked, Alerts: []uint8{42, 50}, Refs: []string{"5280 4.1.1.2"}},
	{ID: "serial-negative", Class: ClassForm, Fate: Blocked, Refs: []string{"5280 4.1.2.2"}},
	{ID: "serial-zero", Class: ClassForm, Fate: Passed, Refs: []string{"5280 4.1.2.2"}},
	{ID: "serial-long", Class: ClassForm, Fate: Passed, Refs: []string{"5280 4.1.2.2"}},
	{ID: "long-validity", Class: ClassDates, Fate: Copied},
	{ID: "leaked-key", Class: ClassKey, Fate: Blocked},
	{ID: "denied-key", Class: ClassKey, Fate: Blocked},
	{ID: "issuer-must-staple", Class: ClassPath, Fate: Blocked, Refs: []string{"7633 4.2.2"}},
	{ID: "staple-later", Class: ClassStatus, Refs: []string{"6066 8"}},
	{ID: "must-staple-missing", Class: ClassStatus, Fate: Mirrored, Alerts: []uint8{113, 42}, Refs: []string{"7633 4"}},
	{ID: "must-staple-unmet", Class: ClassStatus, Fate: Mirrored, Refs: []string{"7633 4"}},
	{ID: "staple-not-asked", Class: ClassStatus, Refs: []string{"6066 8"}},
	{ID: "no-staple", Class: ClassStatus, Refs: []string{"6066 8"}},
	{ID: "staple-unreadable", Class: ClassStatus, Fate: Mirrored, Refs: []string{"6960 4.2"}},
	{ID: "staple-refused", Class: ClassStatus, Fate: Mirrored, Refs: []string{"6960 4.2.1"}},
	{ID: "staple-other-certificate", Class: ClassStatus, Fate: Mirrored, Refs: []string{"6960 3.2"}},
	{ID: "staple-bad-signature", Class: ClassStatus, Fate: Mirrored, Refs: []string{"6960 3.2"}},
	{ID: "staple-signer", Class: ClassStatus, Fate: Mirrored, Refs: []string{"6960 4.2.2.2"}},
	{ID: "staple-revoked", Class: ClassStatus, Fate: Mirrored, Alerts: []uint8{44, 113}, Refs: []string{"6960 2.2"}},
	{ID: "staple-not-yet", Class: ClassStatus, Fate: Mirrored, Refs: []string{"6960 3.2"}},
	{ID: "staple-old", Class: ClassStatus, Fate: Mirrored, Refs: []string{"6960 3.2"}},
	{ID: "staple-no-issuer", Class: ClassStatus, Refs: []string{"6960 3.2"}},
	{ID: "staple-unknown", Class: ClassStatus, Fate: Mirrored, Refs: []string{"6960 2.2"}},
	{ID: "no-sct", Class: ClassLogs, Refs: []string{"6962 3.3"}},
	{ID: "sct-signatures-not-checked", Class: ClassLogs, Refs: []string{"6962 3.2"}},
	{ID: "sct-unreadable", Class: ClassLogs, Fate: Passed, Refs: []string{"6962 3.2"}},
	{ID: "sct-from-the-future", Class: ClassLogs, Fate: Passed, Refs: []string{"6962 3.2"}},
	{ID: "not-version-3", Class: ClassForm, Fate: Passed, Refs: []string{"5280 4.1.2.1"}},
	{ID: "issuer-empty", Class: ClassForm, Fate: Passed, Refs: []string{"5280 4.1.2.4"}},
	{ID: "ca-subject-empty", Class: ClassForm, Fate: Passed, Refs: []string{"5280 4.1.2.6"}},
	{ID: "aki-missing", Class: ClassForm, Fate: Copied, Refs: []string{"5280 4.2.1.1"}},
	{ID: "ski-missing", Class: ClassForm, Fate: Passed, Refs: []string{"5280 4.2.1.2"}},
	{ID: "root-aki", Class: ClassForm, Fate: Passed, Refs: []string{"5280 4.2.1.1"}},
	{ID: "basic-constraints-not-critical", Class: ClassForm, Fate: Passed, Refs: []string{"5280 4.2.1.9"}},
	{ID: "ca-without-key-usage", Class: ClassForm, Fate: Passed, Refs: []string{"5280 4.2.1.3"}},
	{ID: "certsign-without-ca", Class: ClassForm, Fate: Copied, Refs: []string{"5280 4.2.1.3"}},
	{ID: "pathlen-without-ca", Class: ClassForm, Fate: Copied, Refs: []string{"5280 4.2.1.9"}},
	{ID: "name-constraints-in-leaf", Class: ClassForm, Fate: Copied, Refs: []string{"5280 4.2.1.10"}},
	{ID: "name-constraints-not-critical", Class: ClassForm, Fate: Passed, Refs: []string{"5280 4.2.1.10"}},
	{ID: "name-constraint-leading-dot", Class: ClassForm, Fate: Passed, Refs: []string{"5280 4.2.1.10"}},
	{ID: "policy-constraints-not-critical", Class: ClassForm, Fate: Passed, Refs: []string{"5280 4.2.1.11"}},
	{ID: "san-empty", Class: ClassForm, Fate: Copied, Refs: []string{"5280 4.2.1.6"}},
	{ID: "san-critical", Class: ClassForm, Fate: Copied, Refs: []string{"5280 4.2.1.6"}},
	{ID: "san-not-critical", Class: ClassForm, Fate: Copied, Refs: []string{"5280 4.2.1.6"}},
	{ID: "underscore-in-name", Class: ClassForm, Fate: Copied, Refs: []string{"5280 4.2.1.6"}},
	{ID: "common-name-not-in-san", Class: ClassForm, Fate: Copied},
}
