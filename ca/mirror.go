package ca

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"maps"
	"slices"
)

// A Fate is what becomes of something that is wrong with an origin's
// certificate, or warned of, on its way to the client.
type Fate uint8

const (
	// Blocked: no leaf can have it, or none may; a page stands for the origin.
	Blocked Fate = iota
	// Mirrored: the leaf has it too. Some client that was tested refuses it, so
	// it counts as a fault.
	Mirrored
	// Copied: the leaf has it too, as it has all of the origin's certificate that is
	// its own; it is against a rule for authorities, and no client that was tested refuses it.
	Copied
	// Passed: the leaf does not have it, and no client that was tested refuses it.
	Passed
)

// fates has a row for every reason with which a check of package verify fails
// or warns. What has none is blocked.
var fates = map[string]Fate{
	// Who vouches for it.
	"self-signed":              Mirrored,
	"untrusted-root":           Mirrored,
	"issuer-unknown":           Mirrored,
	"incomplete-chain":         Blocked,
	"aki-mismatch":             Mirrored,
	"aki-missing":              Copied,
	"root-same-name-other-key": Blocked,
	"curveball":                Blocked,
	"too-many-candidates":      Blocked,
	"issuers-in-a-circle":      Blocked,
	"bad-cert-signature":       Blocked,
	"psychic-cert":             Blocked,
	"leaked-key":               Blocked,
	"denied-key":               Blocked,

	// For whom.
	"wrong-host":             Mirrored,
	"cn-match-san-mismatch":  Mirrored,
	"no-san-cn-only":         Mirrored,
	"nul-in-san":             Mirrored,
	"nul-in-cn":              Mirrored,
	"wildcard-two-labels":    Mirrored,
	"wildcard-bare":          Mirrored,
	"wildcard-not-leftmost":  Mirrored,
	"wildcard-partial":       Mirrored,
	"ip-in-dns-san":          Mirrored,
	"wildcard-public-suffix": Mirrored,
	"san-empty":              Copied,
	"san-critical":           Copied,
	"san-not-critical":       Copied,
	"underscore-in-name":     Copied,
	"common-name-not-in-san": Copied,

	// For when, and for what.
	"expired":                  Mirrored,
	"not-yet-valid":            Mirrored,
	"long-validity":            Copied,
	"wrong-eku":                Mirrored,
	"any-eku":                  Mirrored,
	"ocsp-signing-eku":         Mirrored,
	"no-eku":                   Copied,
	"critical-eku":             Copied,
	"empty-eku":                Blocked,
	"wrong-ku":                 Mirrored,
	"ca-as-leaf":               Mirrored,
	"certsign-without-ca":      Copied,
	"pathlen-without-ca":       Copied,
	"name-constraints-in-leaf": Copied,
	"unknown-critical-ext":     Mirrored,

	// Its key and its form.
	"rsa-short":              Mirrored,
	"rsa-odd-length":         Passed,
	"rsa-too-short":          Blocked,
	"rsa-too-long":           Blocked,
	"rsa-exponent":           Blocked,
	"dsa":                    Blocked,
	"curve-short":            Blocked,
	"explicit-ec-parameters": Blocked,
	"key-unreadable":         Blocked,
	"md5-signature":          Blocked,
	"sha1-signature":         Blocked,
	"sigalg-mismatch":        Blocked,
	"malformed":              Blocked,
	"malformed-extra":        Blocked,
	"critical-by-mistake":    Blocked,
	"duplicate-san":          Blocked,
	"duplicate-extension":    Blocked,
	"serial-negative":        Blocked,
	"serial-zero":            Passed,
	"serial-long":            Passed,
	"not-version-3":          Passed,
	"issuer-empty":           Passed,

	// What is stapled to it, for clients that ask.
	"must-staple-missing":      Mirrored,
	"must-staple-unmet":        Mirrored,
	"staple-revoked":           Mirrored,
	"staple-old":               Mirrored,
	"staple-not-yet":           Mirrored,
	"staple-unknown":           Mirrored,
	"staple-refused":           Mirrored,
	"staple-unreadable":        Mirrored,
	"staple-other-certificate": Mirrored,
	"staple-bad-signature":     Mirrored,
	"staple-signer":            Mirrored,
	"sct-unreadable":           Passed, // browsers look for them in certificates of public authorities alone
	"sct-from-the-future":      Passed,

	// Further up the chain.
	"issuer-aki-mismatch":             Blocked,
	"issuer-expired":                  Blocked,
	"issuer-not-yet-valid":            Blocked,
	"root-expired":                    Blocked,
	"root-not-yet-valid":              Blocked,
	"issuer-wrong-eku":                Blocked,
	"issuer-sgc-eku":                  Blocked,
	"root-eku":                        Passed,
	"issuer-no-certsign":              Blocked,
	"leaf-as-ca":                      Blocked,
	"issuer-no-basic-constraints":     Blocked,
	"issuer-x509v1":                   Blocked,
	"root-x509v1":                     Passed,
	"pathlen-exceeded":                Blocked,
	"name-constraint-violated":        Blocked,
	"name-constraint-cn-bypass":       Blocked,
	"too-many-constraints":            Blocked,
	"policies-not-met":                Blocked,
	"issuer-unknown-critical-ext":     Blocked,
	"issuer-any-eku":                  Blocked,
	"issuer-must-staple":              Blocked,
	"issuer-rsa-short":                Blocked,
	"ca-subject-empty":                Passed,
	"ski-missing":                     Passed,
	"root-aki":                        Passed,
	"basic-constraints-not-critical":  Passed,
	"ca-without-key-usage":            Passed,
	"name-constraints-not-critical":   Passed,
	"name-constraint-leading-dot":     Passed,
	"policy-constraints-not-critical": Passed,
}

// FateOf tells what becomes of a reason that a check of an origin's certificate gave.
func FateOf(reason string) Fate { return fates[reason] }

// Fated lists the reasons that have a row of their own, in no order.
func Fated() []string { return slices.Collect(maps.Keys(fates)) }

const (
	// What is copied from an origin's certificate as it is; longer lists of
	// names are made anew from the first of them.
	maxSubject    = 4 << 10
	maxSAN        = 32 << 10
	maxExtensions = 64 << 10 // of all others together
)

var (
	oidKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidAKI      = asn1.ObjectIdentifier{2, 5, 29, 35}
)

// issuers are the extensions by which an authority says where its own things
// are, and what others have said of the certificate: nothing of this is so of a leaf.
var issuers = []asn1.ObjectIdentifier{
	oidAKI,
	{2, 5, 29, 14},                     // subject key identifier
	{2, 5, 29, 31},                     // CRL distribution points
	{2, 5, 29, 46},                     // freshest CRL
	{1, 3, 6, 1, 5, 5, 7, 1, 1},        // authority information access
	{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, // signed certificate timestamps (RFC 6962 3.3)
}

// mirror makes the leaf that stands for an origin's certificate, as good or as
// bad: subject, dates and extensions are the origin's, octet for octet.
func (a *Authority) mirror(names []certName, spec Spec) (*tls.Certificate, error) {
	origin := spec.Origin
	d := &draft{host: names[0].text, now: a.now(), staple: -1, origin: origin, response: spec.Staple, leaf: &x509.Certificate{
		NotBefore: origin.NotBefore, NotAfter: origin.NotAfter,
	}}
	if len(origin.RawSubject) <= maxSubject {
		d.leaf.RawSubject = origin.RawSubject
	} else if first := names[0].text; len(first) < maxCommonName {
		d.leaf.Subject = pkix.Name{CommonName: first}
	}
	size := 0
	for _, e := range origin.Extensions {
		switch {
		case e.Id.Equal(oidAKI):
			if slices.Contains(spec.Faults, "aki-mismatch") {
				d.leaf.ExtraExtensions = append(d.leaf.ExtraExtensions, e)
			}
			d.named = true
			continue
		case slices.ContainsFunc(issuers, e.Id.Equal):
			continue
		case e.Id.Equal(oidSAN) && len(e.Value) > maxSAN:
			nameLeaf(d.leaf, names)
			continue
		case e.Id.Equal(oidKeyUsage) && spec.Textbook && origin.KeyUsage&x509.KeyUsageDigitalSignature != 0:
			// Of the textbook's key more is asked: it opens what the client encrypts to it.
			d.leaf.KeyUsage = origin.KeyUsage | x509.KeyUsageKeyEncipherment
			continue
		case !e.Id.Equal(oidSAN):
			size += len(e.Value)
		}
		d.leaf.ExtraExtensions = append(d.leaf.ExtraExtensions, e)
	}
	if size > maxExtensions {
		return nil, errors.New("the origin's certificate is too long to be mirrored")
	}
	var err error
	if d.own, err = spec.Key.make(); err != nil {
		return nil, err
	}
	for _, fault := range spec.Faults {
		switch fault {
		case "self-signed":
			d.self = true
		case "untrusted-root":
			d.root = rootUnknown
		case "issuer-unknown":
			d.root, d.alone = rootUnknown, true
		case "staple-unreadable", "staple-refused", "staple-other-certificate", "staple-bad-signature", "staple-signer":
			d.stapleFault = fault
		}
	}
	if d.self && d.root != rootTrusted {
		return nil, errors.New("a certificate cannot be signed both by itself and by an unknown CA")
	}
	cert, err := d.make(a)
	if err != nil {
		return nil, err
	}
	if cert.Leaf == nil {
		return nil, errors.New("the certificate that was made cannot be read back")
	}
	if !d.self && d.root == rootTrusted {
		cert.Certificate = append(cert.Certificate, a.cert.Raw) // as every leaf of ours
	}
	return cert, nil
}
