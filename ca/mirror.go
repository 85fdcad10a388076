package ca

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"slices"
)

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
