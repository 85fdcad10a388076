package ca

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"slices"
)

// mirrored are the faults that a leaf can share with an origin's certificate,
// and what they take besides its names, dates and kind of key.
var mirrored = map[string]func(d *draft, origin *x509.Certificate){
	"expired":       nil,
	"not-yet-valid": nil,

	"wrong-host":            nil,
	"cn-match-san-mismatch": nil,
	"no-san-cn-only":        nil,
	"nul-in-san":            nil,
	"nul-in-cn":             nil,
	"wildcard-two-labels":   nil,
	"wildcard-bare":         nil,
	"wildcard-not-leftmost": nil,
	"wildcard-partial":      nil,
	"ip-in-dns-san":         nil,

	"self-signed":    func(d *draft, origin *x509.Certificate) { d.self = true; d.unvouched(origin) },
	"issuer-unknown": func(d *draft, origin *x509.Certificate) { d.root, d.alone = rootUnknown, true; d.unvouched(origin) },
	"untrusted-root": func(d *draft, origin *x509.Certificate) { d.root = rootUnknown; d.unvouched(origin) },

	"wrong-eku": func(d *draft, origin *x509.Certificate) {
		d.leaf.ExtKeyUsage, d.leaf.UnknownExtKeyUsage = origin.ExtKeyUsage, origin.UnknownExtKeyUsage
	},
	"wrong-ku": func(d *draft, origin *x509.Certificate) {
		d.leaf.KeyUsage = origin.KeyUsage &^ (x509.KeyUsageCertSign | x509.KeyUsageCRLSign)
	},
	"unknown-critical-ext": func(d *draft, _ *x509.Certificate) { FaultOf("unknown-critical-ext").mint(d) },
	"staple-revoked":       func(d *draft, _ *x509.Certificate) { FaultOf("staple-revoked").mint(d) },
	"must-staple-missing":  func(d *draft, _ *x509.Certificate) { FaultOf("must-staple-missing").mint(d) },
}

// CanMirror reports whether a leaf can have the fault with this ID because the
// origin's certificate has it, see [Spec.Faults].
func CanMirror(id string) bool {
	_, ok := mirrored[id]
	return ok
}

// unvouched gives a leaf that nobody is asked to trust the origin's word on what it is.
func (d *draft) unvouched(origin *x509.Certificate) {
	d.leaf.IsCA = origin.BasicConstraintsValid && origin.IsCA
	d.leaf.ExtKeyUsage, d.leaf.UnknownExtKeyUsage = origin.ExtKeyUsage, origin.UnknownExtKeyUsage
}

const (
	// What is copied from an origin's certificate as it is; longer lists of
	// names are made anew from the first of them.
	maxSubject = 4 << 10
	maxSAN     = 32 << 10
)

// mirror makes a leaf that is as bad as the origin's certificate.
func (a *Authority) mirror(names []certName, spec Spec) (*tls.Certificate, error) {
	origin := spec.Origin
	d := &draft{host: names[0].text, now: a.now(), staple: -1, leaf: &x509.Certificate{
		NotBefore: spec.NotBefore, NotAfter: spec.NotAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}}
	if len(origin.RawSubject) <= maxSubject {
		d.leaf.RawSubject = origin.RawSubject
	} else if first := names[0].text; len(first) < maxCommonName {
		d.leaf.Subject = pkix.Name{CommonName: first}
	}
	san := slices.IndexFunc(origin.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidSAN) })
	switch {
	case san < 0: // none is a fault of its own
	case len(origin.Extensions[san].Value) <= maxSAN:
		d.leaf.ExtraExtensions = append(d.leaf.ExtraExtensions, origin.Extensions[san])
	default:
		nameLeaf(d.leaf, names)
	}
	if spec.RSA {
		d.rsaLeaf(2048)
	}
	for _, id := range spec.Faults {
		if change := mirrored[id]; change != nil {
			change(d, origin)
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
