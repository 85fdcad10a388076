package ca

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ocsp"
)

// others are the CAs that a client is not asked to trust.
type others struct {
	once    sync.Once
	err     error
	unknown *Authority
	twin    *Authority // the name of the authority, another key
	expired *Authority
	// answers is a CA below the authority for leaves that come with an OCSP response:
	// OpenSSL takes none that a root has signed itself.
	answers *Authority

	rsa     sync.Mutex
	rsaKeys map[rsaKey]crypto.Signer // made once: a certificate of theirs would take a tenth of a second
}

// An rsaKey is what an RSA key in a bad chain is for.
type rsaKey struct{ bits, above int }

// key makes a key of so many bits, or an ECDSA key for 0; above counts the CAs
// between it and the leaf and is 0 for the leaf's own. RSA keys are kept.
func (o *others) key(bits, above int) (crypto.Signer, error) {
	if bits == 0 {
		return makeKey(0)
	}
	o.rsa.Lock()
	defer o.rsa.Unlock()
	of := rsaKey{bits, above}
	if key := o.rsaKeys[of]; key != nil {
		return key, nil
	}
	key, err := makeKey(bits)
	if err != nil {
		return nil, err
	}
	if o.rsaKeys == nil {
		o.rsaKeys = map[rsaKey]crypto.Signer{}
	}
	o.rsaKeys[of] = key
	return key, nil
}

// What an authority that somebody brought may not be able to make.
var (
	ErrNoMoreCAs = errors.New("this CA was made to sign no further CA: make a new one")
	ErrNotP256   = errors.New("fault curveball needs a CA with a key on P-256")
)

// Faulty makes a certificate for host, a name or an IP address, that is wrong
// in all the ways of ids (see [Faults] and [Weaknesses]), with the chain to send, its key and
// its staple. The certificate is good but for that, and made anew each time; RSA keys are not.
// Leaf is nil where crypto/x509 cannot read what was made.
//
// The faults of one certificate must go together: two that say who signs it do not.
func (a *Authority) Faulty(host string, ids ...string) (*tls.Certificate, error) {
	names := cleanNames([]string{host})
	if len(names) == 0 {
		return nil, fmt.Errorf("no certificate for %.200q: %w", host, errNoNames)
	}
	now := a.now().Truncate(time.Second)
	d := &draft{host: names[0].text, now: now, staple: -1, leaf: &x509.Certificate{
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(leafLife),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}}
	if names[0].ip.IsValid() {
		d.leaf.IPAddresses = []net.IP{names[0].ip.AsSlice()}
	} else {
		d.leaf.DNSNames = []string{names[0].text}
	}
	if len(names[0].text) < maxCommonName {
		d.leaf.Subject = pkix.Name{CommonName: names[0].text}
	}
	for _, id := range ids {
		f := cmp.Or(FaultOf(id), WeaknessOf(id))
		if f == nil {
			return nil, fmt.Errorf("there is no fault %q", id)
		}
		was := d.root
		f.mint(d)
		if was != rootTrusted && d.root != was || d.self && d.root != rootTrusted {
			return nil, fmt.Errorf("fault %s does not go together with the ones before it", id)
		}
	}
	if d.err != nil {
		return nil, d.err
	}
	if len(d.above) > 0 && a.cert.MaxPathLenZero {
		return nil, ErrNoMoreCAs
	}
	return d.make(a)
}

// make makes what was drafted.
func (d *draft) make(a *Authority) (*tls.Certificate, error) {
	a.others.once.Do(func() { a.others.err = a.others.make(a) })
	if a.others.err != nil {
		return nil, a.others.err
	}
	signs := a
	switch d.root {
	case rootUnknown:
		signs = a.others.unknown
	case rootTwin:
		signs = a.others.twin
	case rootExpired:
		signs = a.others.expired
	}
	if d.response != nil && d.root == rootTrusted && !d.self && !a.cert.MaxPathLenZero {
		signs = a.others.answers
	}
	parent, key := signs.cert, signs.key
	var sent [][]byte // the leaf's issuer first
	if d.root == rootUnknown || d.root == rootTwin || signs == a.others.answers {
		sent = append(sent, parent.Raw)
	}
	if d.root == rootCurveball {
		forged, signer, err := a.curveball()
		if err != nil {
			return nil, err
		}
		sent, key = append(sent, forged), signer
	}
	for n, i := range d.above {
		own, err := a.others.key(i.bits, len(d.above)-n)
		if err != nil {
			return nil, err
		}
		cert, err := certify(i.Certificate, parent, own.Public(), key)
		if err != nil {
			return nil, err
		}
		if i.version1 {
			raw, err := forge(cert.Raw, key, nil, func(tbs *toBeSigned) { tbs.Version, tbs.Extensions = 0, nil })
			if err != nil {
				return nil, err
			}
			v1, err := x509.ParseCertificate(raw)
			if err != nil {
				return nil, err
			}
			v1.SubjectKeyId = cert.SubjectKeyId
			cert = v1
		}
		parent, key = cert, own
		sent = slices.Insert(sent, 0, cert.Raw)
	}

	own := d.own
	if own == nil {
		var err error
		if own, err = a.others.key(d.bits, 0); err != nil {
			return nil, err
		}
	}
	d.leaf.SerialNumber = newSerial()
	issuer := parent
	if d.self {
		issuer, key = d.leaf, own
	} else if d.origin != nil && !d.named {
		// crypto/x509 names the issuer's key where that has a name.
		nameless := *parent
		nameless.SubjectKeyId = nil
		issuer = &nameless
	}
	der, err := x509.CreateCertificate(rand.Reader, d.leaf, issuer, own.Public(), key)
	if d.root == rootCurveball {
		// crypto/x509 checks what it signs, and this does not hold under the true curve.
		der, err = d.signCurveball(a, own, key)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make the certificate for %s: %w", d.host, err)
	}
	if d.finish != nil {
		if der, err = d.finish(der, key); err != nil {
			return nil, err
		}
	}
	if d.alone {
		sent = nil
	}
	if d.reversed {
		sent = append([][]byte{a.cert.Raw}, sent...)
	}
	out := &tls.Certificate{Certificate: append([][]byte{der}, sent...), PrivateKey: own}
	out.Leaf, _ = x509.ParseCertificate(der) // some faults are that it cannot be read
	if d.handshake != nil {
		if out.PrivateKey, err = d.handshake(own); err != nil {
			return nil, err
		}
	}
	if d.response != nil {
		if d.self {
			parent = out.Leaf
		}
		if out.OCSPStaple, err = d.restaple(out.Leaf, parent, key); err != nil {
			return nil, err
		}
	}
	if d.staple >= 0 {
		if out.OCSPStaple, err = d.ocsp(parent, key, d.leaf); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// makeKey makes an RSA key of so many bits, or an ECDSA key on P-256 for 0.
func makeKey(bits int) (key crypto.Signer, err error) {
	if bits == 0 {
		return P256.make()
	}
	return Key{x509.RSA, bits}.make()
}

// ocsp signs what the staple says of the leaf (RFC 6960 4.2.1).
func (d *draft) ocsp(issuer *x509.Certificate, key crypto.Signer, leaf *x509.Certificate) ([]byte, error) {
	r := ocsp.Response{
		Status: d.staple, SerialNumber: leaf.SerialNumber,
		ThisUpdate: d.now.Add(-time.Hour), NextUpdate: d.now.Add(7 * 24 * time.Hour),
	}
	if d.staple == ocsp.Revoked {
		r.RevokedAt, r.RevocationReason = d.now.Add(-24*time.Hour), ocsp.KeyCompromise
	}
	if d.change != nil {
		d.change(&r)
	}
	staple, err := ocsp.CreateResponse(issuer, issuer, r, key)
	if err != nil {
		return nil, fmt.Errorf("cannot make an OCSP response: %w", err)
	}
	if d.bend != nil {
		staple = d.bend(staple)
	}
	return staple, nil
}

// make makes the CAs that a client is not asked to trust.
func (o *others) make(a *Authority) error {
	var err error
	if o.unknown, err = NewEphemeral("explainer unknown CA, trusted by nobody"); err != nil {
		return err
	}
	key, err := makeKey(0)
	if err != nil {
		return err
	}
	now := a.now()
	twin := *a.cert
	twin.Raw, twin.PublicKey, twin.Signature = nil, nil, nil
	raw, err := x509.CreateCertificate(rand.Reader, &twin, &twin, key.Public(), key)
	if err != nil {
		return fmt.Errorf("cannot make a CA of the same name: %w", err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		return err
	}
	o.twin = newAuthority(cert, key)

	if key, err = makeKey(0); err != nil {
		return err
	}
	cert, err = certify(&x509.Certificate{
		Subject:   pkix.Name{CommonName: "explainer expired CA", Organization: []string{"explainer"}},
		NotBefore: now.AddDate(-2, 0, 0), NotAfter: now.Add(-ago),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true,
	}, nil, key.Public(), key)
	if err != nil {
		return err
	}
	o.expired = newAuthority(cert, key)

	if key, err = makeKey(0); err != nil {
		return err
	}
	cert, err = certify(&x509.Certificate{
		Subject:   pkix.Name{CommonName: "explainer CA for sites with OCSP", Organization: []string{"explainer"}},
		NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	o.answers = newAuthority(cert, key)
	return nil
}

// ExpiredTwin returns the certificate of a CA that has expired, for clients that
// are to trust it beside the authority: the fault root-expired is signed by it.
// It lives as long as this process.
func (a *Authority) ExpiredTwin() (*x509.Certificate, error) {
	a.others.once.Do(func() { a.others.err = a.others.make(a) })
	if a.others.err != nil {
		return nil, a.others.err
	}
	return a.others.expired.cert, nil
}

// curveball makes the false root of CVE-2020-0601 and what signs with its key.
func (a *Authority) curveball() (root []byte, key crypto.Signer, err error) {
	public, ok := a.cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return nil, nil, ErrNotP256
	}
	spki, err := curveballKey(public)
	if err != nil {
		return nil, nil, err
	}
	key = curveballSigner{public}
	root, err = forge(a.cert.Raw, key, nil, func(tbs *toBeSigned) { tbs.PublicKey = spki })
	return root, key, err
}

// signCurveball makes the leaf as the authority would, signed with the false root's key.
func (d *draft) signCurveball(a *Authority, own, key crypto.Signer) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, d.leaf, a.cert, own.Public(), a.key)
	if err != nil {
		return nil, err
	}
	return forge(der, key, oidECDSAWithSHA256, func(*toBeSigned) {})
}
