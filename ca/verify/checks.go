package verify

import (
	"bytes"
	"crypto/dsa" //lint:ignore SA1019 old certificates have DSA keys
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"filippo.io/mldsa"
)

// Until when clients took what they refuse today. Before these dates a check
// warns: what is told is told as of the capture's time.
var (
	md5End        = time.Date(2011, 3, 1, 0, 0, 0, 0, time.UTC)  // RFC 6151 2
	sha1End       = time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)  // browsers, and the Baseline Requirements
	commonNameEnd = time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)  // browsers; RFC 9525 2 has no common name
	sgcEnd        = time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)  // browsers
	dsaEnd        = time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)  // browsers
	noClock       = time.Date(1994, 11, 1, 0, 0, 0, 0, time.UTC) // before SSL was public: no clock gave this time
	longEnd       = time.Date(2020, 9, 1, 0, 0, 0, 0, time.UTC)  // browsers take 398 days of what was issued since
)

// evaluate makes all checks on a path.
func (v *checker) evaluate(p path) []Check {
	var out []Check
	add := func(c Check) { out = append(out, c) }
	leaf, last := p.certs[0], p.certs[len(p.certs)-1]
	rooted := p.end == endRoot
	// Above whom somebody stands that vouches for him.
	vouched := len(p.certs) - 1

	for i, c := range p.certs {
		add(checkParse(c, i))
	}
	// What was sent besides the path and cannot be read.
	for _, c := range v.sent {
		if c.refused != "" && !slices.Contains(p.certs, c) {
			add(Check{ID: IDParse, Outcome: Warned, Reason: "malformed-extra", Details: details("sent", number(c.sent), "fault", or(c.fault, c.refused))})
		}
	}
	add(v.checkChain(p))
	for i := 0; i < vouched; i++ {
		if c, ok := checkKeyID(p.certs[i], p.certs[i+1], i); ok {
			add(c)
		}
	}
	for i := 0; i < vouched; i++ {
		add(v.checkSignature(p.certs[i], p.certs[i+1], i))
	}
	add(v.checkRoot(p))
	for i, c := range p.certs {
		add(v.checkDates(c, i, v.isRoot(c)))
	}
	if v.Purpose == Server || v.Name != "" {
		add(v.checkName(leaf))
	}
	for i := range p.certs {
		add(v.checkPurpose(p.certs, i))
	}
	for i, c := range p.certs {
		add(v.checkKeyUsage(c, i))
	}
	for i, c := range p.certs {
		add(v.checkCA(c, i))
	}
	for i := 1; i < len(p.certs); i++ {
		if c, ok := checkPathLength(p.certs, i); ok {
			add(c)
		}
	}
	for i := range p.certs {
		if c, ok := v.checkConstraints(p.certs, i); ok {
			add(c)
		}
	}
	if c, ok := checkPolicies(p.certs, rooted); ok {
		add(c)
	}
	for i, c := range p.certs {
		add(checkCritical(c, i))
	}
	for i, c := range p.certs {
		add(checkExtensions(c, i))
	}
	for i, c := range p.certs {
		add(v.checkKey(c, i))
	}
	for i, c := range p.certs {
		// Nobody relies on a root's signature of itself.
		if i < vouched || p.end != endRoot && p.end != endSelf {
			add(v.checkAlgorithm(c, i))
		}
	}
	for i, c := range p.certs {
		add(checkMatch(c, i))
	}
	for i, c := range p.certs {
		add(checkSerial(c, i))
	}
	add(checkLifetime(leaf))
	add(v.checkLeaked(p.certs))
	var issuer *cert
	if len(p.certs) > 1 {
		issuer = p.certs[1]
	} else if last.selfIssued() {
		issuer = last
	}
	staple, stapled := v.checkStaple(leaf, issuer)
	out = append(out, staple...)
	for i, c := range p.certs[1:] {
		if c.mustStaple && !p.certs[i].mustStaple { // RFC 7633 4.2.2
			add(warned(IDStaple, i+1, "issuer-must-staple"))
		}
	}
	add(v.checkSCTs(leaf, stapled))
	findings := len(out)
	for i, c := range p.certs {
		out = append(out, v.profile(p.certs, i, v.isRoot(c))...)
	}
	if len(out) == findings {
		add(Check{ID: IDProfile, Outcome: OK})
	}
	return out
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func failed(id string, i int, reason string, pairs ...string) Check {
	return Check{ID: id, Cert: i + 1, Outcome: Failed, Reason: reason, Details: details(pairs...)}
}

func warned(id string, i int, reason string, pairs ...string) Check {
	return Check{ID: id, Cert: i + 1, Outcome: Warned, Reason: reason, Details: details(pairs...)}
}

func fine(id string, i int, pairs ...string) Check {
	return Check{ID: id, Cert: i + 1, Outcome: OK, Details: details(pairs...)}
}

func unread(id string, i int) Check {
	return Check{ID: id, Cert: i + 1, Outcome: NotReached, Reason: "unreadable"}
}

func checkParse(c *cert, i int) Check {
	switch {
	case c.fault != "":
		return failed(IDParse, i, "malformed", "fault", c.fault, "library", c.refused)
	case c.refused != "" && !c.explained():
		return failed(IDParse, i, "malformed", "fault", c.refused)
	}
	return fine(IDParse, i, "bytes", number(len(c.der)))
}

// explained tells whether another check names what crypto/x509 refuses the certificate for.
func (c *cert) explained() bool {
	return c.explicit != nil || c.duplicate() != "" || !bytes.Equal(c.inner, c.outer) || len(c.serial) > 0 && c.serial[0] >= 0x80 ||
		c.keyErr != "" || c.other() || criticalByMistake(c) != ""
}

// checkChain tells whether issuers are missing; what is in the way of the chain; and how it was sent.
func (v *checker) checkChain(p path) Check {
	order := "as the path goes"
	used := 0
	for i, c := range p.certs {
		if c.sent > 0 {
			used++
			if c.sent != i+1 {
				order = "not as the path goes"
			}
		}
	}
	pairs := []string{"length", number(len(p.certs)), "sent", number(len(v.Chain)), "order", order}
	if n := len(v.Chain) - used; n > 0 {
		pairs = append(pairs, "unused", number(n))
	}
	last := p.certs[len(p.certs)-1]
	c := Check{ID: IDChain, Outcome: OK}
	switch {
	case p.end == endRoot || p.end == endSelf || p.end == endBroken:
	case v.exhausted:
		c.Outcome, c.Reason = Failed, "too-many-candidates"
	case p.end == endLoop:
		c.Outcome, c.Reason = Failed, "issuers-in-a-circle"
	case len(last.issuer) == 0:
		c.Outcome, c.Reason = NotReached, "unreadable"
	case v.Roots == nil && p.end == endMissing:
		c.Outcome, c.Reason = NotChecked, "no-roots"
		pairs = append(pairs, "missing", nameText(last.issuer))
	default:
		// A root need not be sent (RFC 8446 4.4.2): whether this issuer is one that is not trusted,
		// or a link that was left out, nothing here tells; only whether it could be fetched.
		c.Cert, c.Outcome, c.Reason = len(p.certs), Failed, "issuer-unknown"
		pairs = append(pairs, "missing", nameText(last.issuer))
		if last.fetch != "" {
			c.Reason = "incomplete-chain"
			pairs = append(pairs, "fetch", last.fetch)
		}
	}
	c.Details = details(pairs...)
	return c
}

// checkKeyID finds that a certificate says of its issuer's what is not so of
// the one that signed it (RFC 5280 4.2.1.1). It is a help to find the issuer, and
// no part of path validation; some clients take nobody else for the issuer.
func checkKeyID(c, issuer *cert, i int) (Check, bool) {
	named := ""
	switch {
	case len(c.aki) > 0 && len(issuer.ski) > 0 && !bytes.Equal(c.aki, issuer.ski):
		named = "key " + hexOf(c.aki)
	case c.akiSerial != nil && issuer.serial != nil && !bytes.Equal(c.akiSerial, issuer.serial):
		named = "serial number " + hexOf(c.akiSerial)
	case c.akiIssuer != nil && issuer.issuer != nil && !bytes.Equal(c.akiIssuer, issuer.issuer):
		named = "issuer " + nameText(c.akiIssuer)
	default:
		return Check{}, false
	}
	reason := "aki-mismatch"
	if i > 0 {
		reason = "issuer-aki-mismatch"
	}
	return warned(IDChain, i, reason, "names", named, "issuer", nameText(issuer.subject)), true
}

func (v *checker) checkSignature(c, issuer *cert, i int) Check {
	pairs := []string{"issuer", nameText(issuer.subject), "algorithm", algorithmOf(c.outer).name}
	switch err := v.link(c, issuer); {
	case err == nil:
		return fine(IDSignature, i, pairs...)
	case errors.Is(err, errZeroSignature):
		return failed(IDSignature, i, "psychic-cert", pairs...)
	case errors.Is(err, errBadSignature):
		return failed(IDSignature, i, "bad-cert-signature", pairs...)
	default:
		return Check{ID: IDSignature, Cert: i + 1, Outcome: NotChecked, Reason: "signature-not-checkable", Details: details(append(pairs, "why", err.Error())...)}
	}
}

func (v *checker) checkRoot(p path) Check {
	last := p.certs[len(p.certs)-1]
	i := len(p.certs) - 1
	if v.Roots == nil {
		return Check{ID: IDRoot, Outcome: NotChecked, Reason: "no-roots"}
	}
	roots := v.Roots.Name
	switch {
	case p.end == endRoot:
		return fine(IDRoot, i, "root", nameText(last.subject), "roots", roots)
	case last.curveball(v.Roots):
		return failed(IDRoot, i, "curveball", "root", nameText(last.subject), "roots", roots)
	case p.end == endSelf && len(v.Roots.byName[string(last.subject)]) > 0:
		return failed(IDRoot, i, "root-same-name-other-key", "root", nameText(last.subject), "roots", roots)
	case p.end == endSelf && i == 0:
		return failed(IDRoot, i, "self-signed", "root", nameText(last.subject), "roots", roots)
	case p.end == endSelf:
		return failed(IDRoot, i, "untrusted-root", "root", nameText(last.subject), "roots", roots)
	}
	return Check{ID: IDRoot, Outcome: NotReached, Reason: "chain-ends", Details: details("missing", nameText(last.issuer), "roots", roots)}
}

// curveball tells whether the certificate borrows a root's public point by
// choosing the curve to fit (CVE-2020-0601).
func (c *cert) curveball(roots *Roots) bool {
	if c.explicit == nil {
		return false
	}
	for _, root := range roots.byName[string(c.subject)] {
		if bytes.HasSuffix(root.spki, c.explicit) && !bytes.Equal(root.spki, c.spki) {
			return true
		}
	}
	return false
}

func (v *checker) checkDates(c *cert, i int, root bool) Check {
	if !c.dated {
		return unread(IDDates, i)
	}
	lead := ""
	switch {
	case root && i > 0:
		lead = "root-"
	case i > 0:
		lead = "issuer-"
	}
	pairs := []string{"from", stamp(c.from), "until", stamp(c.until)}
	switch {
	case v.now.Before(noClock):
		v.before(noClock)
		return Check{ID: IDDates, Cert: i + 1, Outcome: NotChecked, Reason: "no-clock", Details: details(pairs...)}
	case v.after(c.until):
		return failed(IDDates, i, lead+"expired", pairs...)
	case v.before(c.from):
		return failed(IDDates, i, lead+"not-yet-valid", pairs...)
	}
	return fine(IDDates, i, pairs...)
}

// checkPurpose checks extended key usage, which limits all that is below (as
// crypto/x509 and browsers have it; RFC 5280 4.2.1.12 speaks of the certificate alone).
func (v *checker) checkPurpose(certs []*cert, i int) Check {
	c := certs[i]
	want := oidServerAuth
	if v.Purpose == Client {
		want = oidClientAuth
	}
	names := purposeNames(c.purposes)
	has := slices.Contains(c.purposes, want)
	e := c.find(oidExtKeyUsage)
	switch {
	case c.subject == nil:
		return unread(IDPurpose, i)
	case !c.hasPurposes && i == 0:
		return warned(IDPurpose, i, "no-eku")
	case !c.hasPurposes:
		return fine(IDPurpose, i, "purposes", "any (not limited)")
	case len(c.purposes) == 0:
		return failed(IDPurpose, i, "empty-eku")
	case !has && !slices.Contains(c.purposes, oidAnyPurpose):
		if i > 0 && want == oidServerAuth && (slices.Contains(c.purposes, oidNetscapeSGC) || slices.Contains(c.purposes, oidMicrosoftSGC)) && v.before(sgcEnd) {
			return warned(IDPurpose, i, "issuer-sgc-eku", "purposes", names)
		}
		if i > 0 {
			return failed(IDPurpose, i, "issuer-wrong-eku", "purposes", names)
		}
		return failed(IDPurpose, i, "wrong-eku", "purposes", names)
	case !has && i == 0: // any purpose, which OpenSSL and Firefox do not take for this one
		return warned(IDPurpose, i, "any-eku", "purposes", names)
	case !has:
		return warned(IDPurpose, i, "issuer-any-eku", "purposes", names)
	case i == 0 && slices.Contains(c.purposes, oidOCSPSigning):
		return warned(IDPurpose, i, "ocsp-signing-eku", "purposes", names)
	case i == 0 && e.critical:
		return warned(IDPurpose, i, "critical-eku", "purposes", names)
	case i > 0 && v.isRoot(c):
		return warned(IDPurpose, i, "root-eku", "purposes", names)
	}
	return fine(IDPurpose, i, "purposes", names)
}

func purposeNames(oids []string) string {
	known := map[string]string{
		oidServerAuth: "TLS server", oidClientAuth: "TLS client", "1.3.6.1.5.5.7.3.3": "code signing", "1.3.6.1.5.5.7.3.4": "e-mail",
		"1.3.6.1.5.5.7.3.8": "time stamping", oidOCSPSigning: "OCSP signing", oidAnyPurpose: "any",
	}
	var out []string
	for i, o := range oids {
		if i == 12 {
			out = append(out, "...")
			break
		}
		out = append(out, or(known[o], o))
	}
	return strings.Join(out, ", ")
}

func (v *checker) checkKeyUsage(c *cert, i int) Check {
	switch {
	case c.subject == nil:
		return unread(IDKeyUsage, i)
	case c.usage == nil:
		return fine(IDKeyUsage, i, "usage", "any (not limited)")
	}
	names := usageNames(*c.usage)
	_, isRSA := c.pub.(*rsa.PublicKey)
	switch {
	case i > 0 && *c.usage&usageCertSign == 0:
		return failed(IDKeyUsage, i, "issuer-no-certsign", "usage", names)
	case i > 0:
	// RFC 8446 4.4.2.2, RFC 5246 7.4.2: it must allow signing; with RSA key transport, encryption.
	case v.Use == Decrypted && *c.usage&usageEncipher == 0:
		return failed(IDKeyUsage, i, "wrong-ku", "need", "open what a client encrypts to it", "usage", names)
	case v.Use != Decrypted && *c.usage&usageSign == 0 && !(v.Use == UseUnknown && isRSA && *c.usage&usageEncipher != 0):
		return failed(IDKeyUsage, i, "wrong-ku", "need", "sign handshakes", "usage", names)
	}
	return fine(IDKeyUsage, i, "usage", names)
}

func usageNames(usage uint16) string {
	var out []string
	for i, n := range []string{"digital signature", "non-repudiation", "key encipherment", "data encipherment", "key agreement", "certificate signing", "CRL signing", "encipher only", "decipher only"} {
		if usage&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return strings.Join(out, ", ")
}

func (v *checker) checkCA(c *cert, i int) Check {
	yes := c.ca != nil && *c.ca
	switch {
	case c.subject == nil:
		return unread(IDCA, i)
	case i == 0 && yes && !v.isRoot(c):
		return warned(IDCA, i, "ca-as-leaf")
	case i == 0:
		return fine(IDCA, i, "ca", "no")
	case yes:
		return fine(IDCA, i, "ca", "yes")
	case c.version < 3 && v.isRoot(c):
		// A trust anchor is a name and a key (RFC 5280 6.1.1 d).
		return warned(IDCA, i, "root-x509v1")
	case c.version < 3:
		return failed(IDCA, i, "issuer-x509v1", "version", number(c.version))
	case c.ca == nil:
		return failed(IDCA, i, "issuer-no-basic-constraints")
	}
	return failed(IDCA, i, "leaf-as-ca")
}

// checkPathLength counts the CAs between certificate i and the leaf; those that
// only change a CA's key do not count (RFC 5280 4.2.1.9).
func checkPathLength(certs []*cert, i int) (Check, bool) {
	c := certs[i]
	if c.pathLen < 0 || c.ca == nil || !*c.ca {
		return Check{}, false
	}
	n := 0
	for _, below := range certs[1:i] {
		if !below.selfIssued() {
			n++
		}
	}
	pairs := []string{"allowed", number(c.pathLen), "have", number(n)}
	if n > c.pathLen {
		return failed(IDPathLength, i, "pathlen-exceeded", pairs...), true
	}
	return fine(IDPathLength, i, pairs...), true
}

// checkPolicies leaves the tree of certificate policies (RFC 5280 6.1) to
// crypto/x509, where one of the certificates makes demands.
func checkPolicies(certs []*cert, rooted bool) (Check, bool) {
	demands := false
	for _, c := range certs {
		demands = demands || c.policies
	}
	if !demands {
		return Check{}, false
	}
	out := Check{ID: IDPolicies, Outcome: NotReached, Reason: "chain-ends"}
	if !rooted || len(certs) < 2 {
		return out, true
	}
	var leaf *x509.Certificate
	opts := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	for i, c := range certs {
		if c.x == nil {
			out.Outcome, out.Reason = NotReached, "unreadable"
			return out, true
		}
		// All but the policies is judged elsewhere.
		x := *c.x
		x.UnhandledCriticalExtensions = nil
		x.NotBefore, x.NotAfter = time.Time{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
		x.MaxPathLen = -1
		x.PermittedDNSDomains, x.ExcludedDNSDomains, x.PermittedIPRanges, x.ExcludedIPRanges = nil, nil, nil, nil
		x.PermittedEmailAddresses, x.ExcludedEmailAddresses, x.PermittedURIDomains, x.ExcludedURIDomains = nil, nil, nil, nil
		switch i {
		case 0:
			leaf = &x
		case len(certs) - 1:
			opts.Roots.AddCert(&x)
		default:
			opts.Intermediates.AddCert(&x)
		}
	}
	opts.CurrentTime = certs[0].from
	_, err := leaf.Verify(opts)
	var invalid x509.CertificateInvalidError
	switch {
	case err == nil:
		out.Outcome, out.Reason = OK, ""
	case errors.As(err, &invalid) && invalid.Reason == x509.NoValidChains:
		out.Outcome, out.Reason = Failed, "policies-not-met"
	default:
		out.Outcome, out.Reason = NotReached, "other-faults-first"
	}
	return out, true
}

// handled are the critical extensions that are understood.
var handled = []string{oidKeyUsage, oidSAN, oidBasicConstraints, oidNameConstraints, oidCRLPoints, oidPolicies, oidPolicyMappings, oidPolicyLimits, oidExtKeyUsage, oidInhibitAny, oidTLSFeature, oidSCTs}

func checkCritical(c *cert, i int) Check {
	if c.subject == nil {
		return unread(IDCritical, i)
	}
	for _, e := range c.exts {
		if !e.critical || slices.Contains(handled, e.oid) || e.oid == oidAKI || e.oid == oidSKI || e.oid == oidAIA {
			continue
		}
		reason := "unknown-critical-ext"
		if i > 0 {
			reason = "issuer-unknown-critical-ext"
		}
		return failed(IDCritical, i, reason, "extension", extensionName(e.oid))
	}
	if oid := criticalByMistake(c); oid != "" {
		return failed(IDCritical, i, "critical-by-mistake", "extension", extensionName(oid))
	}
	return fine(IDCritical, i, "extensions", number(len(c.exts)))
}

// criticalByMistake returns an extension that must never be critical (RFC 5280 4.2.1.1, 4.2.1.2, 4.2.2.1) and is.
func criticalByMistake(c *cert) string {
	for _, e := range c.exts {
		if e.critical && (e.oid == oidAKI || e.oid == oidSKI || e.oid == oidAIA) {
			return e.oid
		}
	}
	return ""
}

// duplicate returns an extension that stands in the certificate twice, or "".
func (c *cert) duplicate() string {
	seen := map[string]bool{}
	for _, e := range c.exts {
		if seen[e.oid] {
			return e.oid
		}
		seen[e.oid] = true
	}
	return ""
}

func checkExtensions(c *cert, i int) Check {
	switch oid := c.duplicate(); {
	case c.subject == nil:
		return unread(IDExtensions, i)
	case oid == oidSAN:
		return failed(IDExtensions, i, "duplicate-san", "extension", extensionName(oid))
	case oid != "":
		return failed(IDExtensions, i, "duplicate-extension", "extension", extensionName(oid))
	}
	return fine(IDExtensions, i, "extensions", number(len(c.exts)))
}

func (v *checker) checkKey(c *cert, i int) Check {
	if c.spki == nil {
		return unread(IDKey, i)
	}
	if c.explicit != nil {
		return failed(IDKey, i, "explicit-ec-parameters")
	}
	words := KeyWords(c.pub)
	switch k := c.pub.(type) {
	case *rsa.PublicKey:
		n := k.N.BitLen()
		switch {
		case n < 1024:
			return failed(IDKey, i, "rsa-too-short", "key", words)
		case n > 16384:
			return failed(IDKey, i, "rsa-too-long", "key", words)
		case k.E < 3 || k.E%2 == 0:
			return failed(IDKey, i, "rsa-exponent", "key", words)
		case n < 2048 && i > 0:
			return warned(IDKey, i, "issuer-rsa-short", "key", words)
		case n < 2048:
			return warned(IDKey, i, "rsa-short", "key", words)
		case n%8 != 0:
			return warned(IDKey, i, "rsa-odd-length", "key", words)
		}
	case *dsa.PublicKey:
		if v.before(dsaEnd) {
			return warned(IDKey, i, "dsa", "key", words)
		}
		return failed(IDKey, i, "dsa", "key", words)
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize < 256 {
			return warned(IDKey, i, "curve-short", "key", words)
		}
	case ed25519.PublicKey, *mldsa.PublicKey:
	case OtherKey:
		return Check{ID: IDKey, Cert: i + 1, Outcome: NotChecked, Reason: "key-unknown", Details: details("key", words)}
	case nil:
		if c.keyErr != "" {
			return failed(IDKey, i, "key-unreadable", "fault", c.keyErr)
		}
		return Check{ID: IDKey, Cert: i + 1, Outcome: NotChecked, Reason: "key-unknown"}
	default:
		return Check{ID: IDKey, Cert: i + 1, Outcome: NotChecked, Reason: "key-unknown"}
	}
	return fine(IDKey, i, "key", words)
}

// KeyWords is a public key in words: "2048-bit RSA"; "" if it is of no kind that is known.
func KeyWords(pub any) string {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("%d-bit RSA", k.N.BitLen())
	case *ecdsa.PublicKey:
		return k.Curve.Params().Name + " ECDSA"
	case ed25519.PublicKey:
		return "Ed25519"
	case *mldsa.PublicKey:
		return k.Parameters().String()
	case OtherKey:
		return k.Name
	case *dsa.PublicKey:
		return fmt.Sprintf("%d-bit DSA", k.P.BitLen())
	}
	return ""
}

func (v *checker) checkAlgorithm(c *cert, i int) Check {
	if c.outer == nil {
		return unread(IDAlgorithm, i)
	}
	// What is inside is what was signed for; the weaker counts.
	for _, a := range []algorithm{algorithmOf(c.outer), algorithmOf(c.inner)} {
		switch a.hash {
		case "MD2", "MD4", "MD5":
			if v.before(md5End) {
				return warned(IDAlgorithm, i, "md5-signature", "algorithm", a.name)
			}
			return failed(IDAlgorithm, i, "md5-signature", "algorithm", a.name)
		case "SHA-1":
			if v.before(sha1End) {
				return warned(IDAlgorithm, i, "sha1-signature", "algorithm", a.name)
			}
			return failed(IDAlgorithm, i, "sha1-signature", "algorithm", a.name)
		}
	}
	return fine(IDAlgorithm, i, "algorithm", algorithmOf(c.outer).name)
}

func checkMatch(c *cert, i int) Check {
	switch {
	case c.inner == nil || c.outer == nil:
		return unread(IDMatch, i)
	case !bytes.Equal(c.inner, c.outer):
		return failed(IDMatch, i, "sigalg-mismatch", "inside", algorithmOf(c.inner).name, "outside", algorithmOf(c.outer).name)
	}
	return fine(IDMatch, i)
}

func checkSerial(c *cert, i int) Check {
	n := len(c.serial)
	switch {
	case n == 0:
		return unread(IDSerial, i)
	case c.serial[0] >= 0x80:
		return failed(IDSerial, i, "serial-negative", "serial", hexOf(c.serial))
	case len(bytes.Trim(c.serial, "\x00")) == 0:
		return warned(IDSerial, i, "serial-zero", "serial", "0")
	case n > 20:
		// 20 bytes of contents at most (RFC 5280 4.1.2.2).
		return warned(IDSerial, i, "serial-long", "serial", hexOf(c.serial))
	}
	return fine(IDSerial, i, "serial", hexOf(c.serial))
}

func checkLifetime(c *cert) Check {
	if !c.dated {
		return unread(IDLifetime, 0)
	}
	days := int(c.until.Sub(c.from) / (24 * time.Hour))
	if days > 398 && !c.from.Before(longEnd) {
		return warned(IDLifetime, 0, "long-validity", "days", number(days))
	}
	return fine(IDLifetime, 0, "days", number(days))
}

func (v *checker) checkLeaked(certs []*cert) Check {
	// What was sent besides may have signed the same; a key that everybody has is told wherever it is.
	for _, list := range [][]*cert{certs, v.sent} {
		for _, c := range list {
			if c.spki == nil {
				continue
			}
			place := slices.Index(certs, c)
			if name, ok := v.Denied[c.keyHash]; ok {
				return failed(IDLeaked, place, "denied-key", "key", name, "spki", hexOf(c.keyHash[:]))
			}
			if name, ok := leaked[c.keyHash]; ok {
				return failed(IDLeaked, place, "leaked-key", "key", name, "spki", hexOf(c.keyHash[:]))
			}
		}
	}
	return Check{ID: IDLeaked, Outcome: OK, Details: details("list", number(len(leaked)+len(v.Denied)))}
}

// dotted tells whether a constraint on DNS names begins with a dot, which RFC 5280 4.2.1.10 does not know.
func dotted(n generalName) bool { return n.tag == 2 && len(n.value) > 0 && n.value[0] == '.' }

// profile finds what RFC 5280 4 and the Baseline Requirements ask of authorities, and no client need enforce.
func (v *checker) profile(certs []*cert, i int, root bool) []Check {
	c := certs[i]
	if c.subject == nil {
		return nil
	}
	var out []Check
	find := func(reason string, pairs ...string) { out = append(out, warned(IDProfile, i, reason, pairs...)) }
	yes := c.ca != nil && *c.ca
	bc := c.find(oidBasicConstraints)
	own := c.selfIssued() && (len(c.aki) == 0 || len(c.ski) == 0 || bytes.Equal(c.aki, c.ski))
	switch {
	case c.version < 3 && i == 0:
		find("not-version-3", "version", number(c.version))
	case c.version < 3:
		return nil // told by the check ca; it has no extensions to look at
	}
	if len(attributes(c.issuer)) == 0 {
		find("issuer-empty")
	}
	if yes && len(attributes(c.subject)) == 0 {
		find("ca-subject-empty")
	}
	if c.version == 3 && !(own && i > 0 || own && root) && len(c.aki) == 0 {
		find("aki-missing")
	}
	if i > 0 && len(c.ski) == 0 {
		find("ski-missing")
	}
	if root && c.hasAKI && (c.akiFull || len(c.aki) == 0 || len(c.ski) > 0 && !bytes.Equal(c.aki, c.ski)) {
		find("root-aki")
	}
	if i > 0 && bc != nil && !bc.critical {
		find("basic-constraints-not-critical")
	}
	if i > 0 && yes && c.usage == nil {
		find("ca-without-key-usage")
	}
	if c.usage != nil && *c.usage&usageCertSign != 0 && !yes {
		find("certsign-without-ca")
	}
	if c.pathLen >= 0 && (!yes || c.usage != nil && *c.usage&usageCertSign == 0) {
		find("pathlen-without-ca")
	}
	c.profileOfConstraints(yes, find)
	if i == 0 {
		c.profileOfNames(find)
	}
	return out
}

// profileOfConstraints looks at what an authority, or what is none, limits.
func (c *cert) profileOfConstraints(authority bool, find func(reason string, pairs ...string)) {
	if nc := c.find(oidNameConstraints); nc != nil {
		if !authority {
			find("name-constraints-in-leaf")
		}
		if !nc.critical {
			find("name-constraints-not-critical")
		}
	}
	if n := c.constraints; n != nil && (slices.ContainsFunc(n.permitted, dotted) || slices.ContainsFunc(n.excluded, dotted)) {
		find("name-constraint-leading-dot")
	}
	if e := c.find(oidPolicyLimits); e != nil && !e.critical {
		find("policy-constraints-not-critical")
	}
}

// profileOfNames looks at the names of a leaf.
func (c *cert) profileOfNames(find func(reason string, pairs ...string)) {
	empty := len(attributes(c.subject)) == 0
	if san := c.find(oidSAN); san != nil {
		if san.critical && !empty {
			find("san-critical")
		}
		if len(c.names) == 0 {
			find("san-empty")
		}
		if !san.critical && empty {
			find("san-not-critical")
		}
	}
	for _, n := range c.names {
		if n.tag == 2 && strings.Contains(string(n.value), "_") {
			find("underscore-in-name", "name", n.String())
			break
		}
	}
	for _, cn := range c.commonNames() {
		if c.hasNames && !slices.ContainsFunc(c.names, func(n generalName) bool { return n.String() == cn }) {
			find("common-name-not-in-san", "name", cn)
			break
		}
	}
}
