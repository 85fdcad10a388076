package ca

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"
)

// A stapled OCSP response cannot be passed on: it names the serial number and the
// issuer of the origin's certificate. One is made that says the same of the leaf:
// status, reason and times are the origin's octets.

// said is what a response says of one certificate (RFC 6960 4.2.1).
type said struct {
	produced   []byte // GeneralizedTime, whole
	status     []byte // CertStatus, whole
	this, next []byte // GeneralizedTime, whole; next is explicitly tagged, and may be nil
	sha256     bool   // the certificate is named by SHA-256, which some clients do not know; else by SHA-1
}

var (
	oidBasicOCSP     = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}  // RFC 6960 4.2.1
	oidSHA1          = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}             // RFC 3279 2.1
	oidSHA256        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1} // RFC 5754 2.2
	oidSHA256WithRSA = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}    // RFC 8017 A.2.4
	oidEd25519       = asn1.ObjectIdentifier{1, 3, 101, 112}                 // RFC 8410 3
)

var errStaple = errors.New("the origin's OCSP response cannot be taken apart")

// saidOf reads what a response says of the certificate with the serial number,
// or of its first if it says nothing of that.
func saidOf(response []byte, serial *big.Int) (said, error) {
	var out said
	s := cryptobyte.String(response)
	var outer, wrapped, inner, octets, basic, tbs, rest, list cryptobyte.String
	var status int
	var oid asn1.ObjectIdentifier
	context := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
	if !s.ReadASN1(&outer, cbasn1.SEQUENCE) || !outer.ReadASN1Enum(&status) || !outer.ReadASN1(&wrapped, context(0)) ||
		!wrapped.ReadASN1(&inner, cbasn1.SEQUENCE) || !inner.ReadASN1ObjectIdentifier(&oid) || !inner.ReadASN1(&octets, cbasn1.OCTET_STRING) ||
		!octets.ReadASN1(&basic, cbasn1.SEQUENCE) || !basic.ReadASN1(&tbs, cbasn1.SEQUENCE) || !tbs.SkipOptionalASN1(context(0)) {
		return out, errStaple
	}
	var responder, produced cryptobyte.String
	var tag cbasn1.Tag
	if !tbs.ReadAnyASN1Element(&responder, &tag) || !tbs.ReadASN1Element(&produced, cbasn1.GeneralizedTime) || !tbs.ReadASN1(&list, cbasn1.SEQUENCE) {
		return out, errStaple
	}
	for first := true; !list.Empty(); first = false {
		var one, id, hash, state, this cryptobyte.String
		var named asn1.ObjectIdentifier
		number := new(big.Int)
		if !list.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1(&id, cbasn1.SEQUENCE) ||
			!id.ReadASN1(&hash, cbasn1.SEQUENCE) || !hash.ReadASN1ObjectIdentifier(&named) || !id.SkipASN1(cbasn1.OCTET_STRING) || !id.SkipASN1(cbasn1.OCTET_STRING) || !id.ReadASN1Integer(number) ||
			!one.ReadAnyASN1Element(&state, &tag) || !one.ReadASN1Element(&this, cbasn1.GeneralizedTime) {
			return out, errStaple
		}
		match := number.Cmp(serial) == 0
		if !first && !match {
			continue
		}
		out = said{produced: produced, status: state, this: this, sha256: named.Equal(oidSHA256)}
		if one.PeekASN1Tag(context(0)) && one.ReadASN1Element(&rest, context(0)) {
			out.next = rest
		}
		if match {
			break
		}
	}
	if out.this == nil {
		return out, errStaple
	}
	return out, nil
}

// staple makes the response that comes with the leaf.
func (d *draft) restaple(leaf, issuer *x509.Certificate, key crypto.Signer) ([]byte, error) {
	switch d.stapleFault {
	case "staple-unreadable", "staple-refused":
		return d.response, nil // nothing in it names a certificate
	}
	s, err := saidOf(d.response, d.origin.SerialNumber)
	if err != nil {
		return nil, err
	}
	about, signer, chain := leaf.SerialNumber, issuer, []byte(nil)
	switch d.stapleFault {
	case "staple-other-certificate":
		about = newSerial()
	case "staple-signer":
		// One that the issuer knows and that has no right to sign responses (RFC 6960 4.2.2.2).
		own, err := makeKey(0)
		if err != nil {
			return nil, err
		}
		if signer, err = certify(&x509.Certificate{
			Subject:   pkix.Name{CommonName: "explainer, no OCSP responder", Organization: []string{"explainer"}},
			NotBefore: issuer.NotBefore, NotAfter: issuer.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		}, issuer, own.Public(), key); err != nil {
			return nil, err
		}
		key, chain = own, signer.Raw
	}
	response, err := s.sign(about, issuer, signer, key, chain)
	if err != nil {
		return nil, err
	}
	if d.stapleFault == "staple-bad-signature" {
		return flipSignature(response), nil
	}
	return response, nil
}

// sign makes a response about a certificate of issuer, which signer signs; chain is
// a certificate to be sent with it, or nil.
func (s said) sign(about *big.Int, issuer, signer *x509.Certificate, key crypto.Signer, chain []byte) ([]byte, error) {
	var spki struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(issuer.RawSubjectPublicKeyInfo, &spki); err != nil {
		return nil, err
	}
	oid, hash := oidSHA1, sha1.New()
	if s.sha256 {
		oid, hash = oidSHA256, sha256.New()
	}
	sum := func(b []byte) []byte { // RFC 6960 4.1.1
		hash.Reset()
		hash.Write(b)
		return hash.Sum(nil)
	}
	context := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(context(1), func(b *cryptobyte.Builder) { b.AddBytes(signer.RawSubject) })
		b.AddBytes(s.produced)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid); b.AddASN1NULL() })
					b.AddASN1OctetString(sum(issuer.RawSubject))
					b.AddASN1OctetString(sum(spki.Key.Bytes))
					b.AddASN1BigInt(about)
				})
				b.AddBytes(s.status)
				b.AddBytes(s.this)
				b.AddBytes(s.next)
			})
		})
	})
	tbs, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	algorithm, signature, err := signWith(key, tbs)
	if err != nil {
		return nil, err
	}
	var out cryptobyte.Builder
	out.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Enum(int64(ocsp.Success))
		b.AddASN1(context(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidBasicOCSP)
				b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddBytes(tbs)
						b.AddBytes(algorithm)
						b.AddASN1BitString(signature)
						if chain != nil {
							b.AddASN1(context(0), func(b *cryptobyte.Builder) {
								b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(chain) })
							})
						}
					})
				})
			})
		})
	})
	return out.Bytes()
}

// signWith signs content with the algorithm that goes with a key, and returns its identifier in DER.
func signWith(key crypto.Signer, content []byte) (algorithm, signature []byte, err error) {
	id := pkix.AlgorithmIdentifier{Algorithm: oidECDSAWithSHA256}
	sign := func() ([]byte, error) { return signAs(id.Algorithm, key, content) }
	switch key.Public().(type) {
	case *rsa.PublicKey:
		id = pkix.AlgorithmIdentifier{Algorithm: oidSHA256WithRSA, Parameters: asn1.NullRawValue}
	case ed25519.PublicKey:
		id.Algorithm = oidEd25519
		sign = func() ([]byte, error) { return key.Sign(rand.Reader, content, crypto.Hash(0)) }
	}
	if algorithm, err = asn1.Marshal(id); err != nil {
		return nil, nil, err
	}
	signature, err = sign()
	return algorithm, signature, err
}

// flipSignature changes a bit of the signature of a response that sign made, which carries no certificate: its last.
func flipSignature(response []byte) []byte {
	out := bytes.Clone(response)
	out[len(out)-1] ^= 1
	return out
}
