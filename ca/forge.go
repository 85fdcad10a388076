package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"
)

// What crypto/x509 does not make is made here: the signed part of a
// certificate is changed and signed again.

// certificate is the outer form of a certificate (RFC 5280 4.1).
type certificate struct {
	TBS       asn1.RawValue
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

// toBeSigned is TBSCertificate (RFC 5280 4.1) with what is not changed here left as it is.
type toBeSigned struct {
	Version    int `asn1:"optional,explicit,default:0,tag:0"`
	Serial     *big.Int
	Algorithm  pkix.AlgorithmIdentifier
	Issuer     asn1.RawValue
	Validity   asn1.RawValue
	Subject    asn1.RawValue
	PublicKey  asn1.RawValue
	Extensions []pkix.Extension `asn1:"omitempty,optional,explicit,tag:3"`
}

var (
	oidECDSAWithSHA256 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}  // RFC 5758 3.2
	oidECDSAWithSHA384 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}  // RFC 5758 3.2
	oidMD5WithRSA      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 4} // RFC 8017 A.2.4
	oidSHA1WithRSA     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5} // RFC 8017 A.2.4
	oidECPublicKey     = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}     // RFC 5480 2.1.1
	oidPrimeField      = asn1.ObjectIdentifier{1, 2, 840, 10045, 1, 1}     // ANSI X9.62
	oidUnknown         = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55738, 666, 1}
)

// forge changes the signed part of a certificate in DER and signs it with key.
// The inner algorithm stays as edit leaves it and the outer one becomes outer,
// or the same where outer is nil.
func forge(der []byte, key crypto.Signer, outer asn1.ObjectIdentifier, edit func(*toBeSigned)) ([]byte, error) {
	var c certificate
	if _, err := asn1.Unmarshal(der, &c); err != nil {
		return nil, fmt.Errorf("cannot take a certificate apart: %w", err)
	}
	var tbs toBeSigned
	if _, err := asn1.Unmarshal(c.TBS.FullBytes, &tbs); err != nil {
		return nil, fmt.Errorf("cannot take a certificate apart: %w", err)
	}
	edit(&tbs)
	if outer == nil {
		outer = tbs.Algorithm.Algorithm
	}
	raw, err := asn1.Marshal(tbs)
	if err != nil {
		return nil, fmt.Errorf("cannot put a certificate together: %w", err)
	}
	signature, err := signAs(outer, key, raw)
	if err != nil {
		return nil, err
	}
	c.TBS = asn1.RawValue{FullBytes: raw}
	c.Algorithm = tbs.Algorithm
	c.Algorithm.Algorithm = outer
	c.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	return asn1.Marshal(c)
}

// signAs signs content with the algorithm of an identifier.
func signAs(algorithm asn1.ObjectIdentifier, key crypto.Signer, content []byte) ([]byte, error) {
	var digest []byte
	var hash crypto.Hash
	switch {
	case algorithm.Equal(oidMD5WithRSA):
		d := md5.Sum(content)
		digest, hash = d[:], crypto.MD5
	case algorithm.Equal(oidSHA1WithRSA):
		d := sha1.Sum(content)
		digest, hash = d[:], crypto.SHA1
	case algorithm.Equal(oidECDSAWithSHA384):
		d := sha512.Sum384(content)
		digest, hash = d[:], crypto.SHA384
	default:
		d := sha256.Sum256(content)
		digest, hash = d[:], crypto.SHA256
	}
	signature, err := key.Sign(rand.Reader, digest, hash)
	if err != nil {
		return nil, fmt.Errorf("cannot sign a certificate: %w", err)
	}
	return signature, nil
}

// withSignature replaces the signature of a certificate in DER.
func withSignature(der, signature []byte) ([]byte, error) {
	var c certificate
	if _, err := asn1.Unmarshal(der, &c); err != nil {
		return nil, fmt.Errorf("cannot take a certificate apart: %w", err)
	}
	c.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	return asn1.Marshal(c)
}

// psychic is the ECDSA signature with r = s = 0, which the verification
// equation must never be asked about (SEC 1 4.1.4 step 1).
var psychic = []byte{0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00}

// ecParameters are a curve written out (RFC 3279 2.3.5), which RFC 5480 2.1.1 forbids.
type ecParameters struct {
	Version int
	Field   struct {
		Type  asn1.ObjectIdentifier
		Prime *big.Int
	}
	Curve struct{ A, B []byte }
	Base  []byte
	Order *big.Int
}

// curveballKey is the public key point of a P-256 key as a
// SubjectPublicKeyInfo that names the point itself as the curve's generator:
// the private key to it is 1 (CVE-2020-0601).
func curveballKey(q *ecdsa.PublicKey) (asn1.RawValue, error) {
	params := elliptic.P256().Params()
	point, err := q.Bytes()
	if err != nil {
		return asn1.RawValue{}, err
	}
	var p ecParameters
	p.Version = 1
	p.Field.Type, p.Field.Prime = oidPrimeField, params.P
	p.Curve.A = new(big.Int).Sub(params.P, big.NewInt(3)).FillBytes(make([]byte, 32))
	p.Curve.B = params.B.FillBytes(make([]byte, 32))
	p.Base, p.Order = point, params.N
	raw, err := asn1.Marshal(p)
	if err != nil {
		return asn1.RawValue{}, err
	}
	spki, err := asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}{pkix.AlgorithmIdentifier{Algorithm: oidECPublicKey, Parameters: asn1.RawValue{FullBytes: raw}}, asn1.BitString{Bytes: point, BitLength: 8 * len(point)}})
	return asn1.RawValue{FullBytes: spki}, err
}

// A curveballSigner signs with the private key 1 on the curve whose generator
// is the point q: r = (kq).x, s = (e + r) / k mod n (SEC 1 4.1.3).
type curveballSigner struct{ q *ecdsa.PublicKey }

func (s curveballSigner) Public() crypto.PublicKey { return s.q }

func (s curveballSigner) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	curve := elliptic.P256()
	n := curve.Params().N
	for {
		k, err := rand.Int(rand.Reader, n)
		if err != nil {
			return nil, err
		}
		if k.Sign() == 0 {
			continue
		}
		//lint:ignore SA1019 there is no other way to multiply a point that is not the generator
		x, _ := curve.ScalarMult(s.q.X, s.q.Y, k.Bytes())
		r := x.Mod(x, n)
		e := new(big.Int).SetBytes(digest)
		sum := e.Add(e, r)
		sum.Mul(sum, new(big.Int).ModInverse(k, n)).Mod(sum, n)
		if r.Sign() == 0 || sum.Sign() == 0 {
			continue
		}
		return asn1.Marshal(struct{ R, S *big.Int }{r, sum})
	}
}

// A weakRSA is an RSA key too short for crypto/rsa, which refuses to make or
// use one below 1024 bits. It signs as RSASSA-PKCS1-v1_5 (RFC 8017 8.2.1).
type weakRSA struct {
	public rsa.PublicKey
	d      *big.Int
}

// newWeakRSA makes a key of so many bits.
func newWeakRSA(bits int) (*weakRSA, error) {
	e := big.NewInt(65537)
	for {
		p, err := rand.Prime(rand.Reader, bits/2)
		if err != nil {
			return nil, err
		}
		q, err := rand.Prime(rand.Reader, bits/2)
		if err != nil {
			return nil, err
		}
		one := big.NewInt(1)
		n := new(big.Int).Mul(p, q)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		d := new(big.Int).ModInverse(e, phi)
		if p.Cmp(q) == 0 || n.BitLen() != bits || d == nil {
			continue
		}
		return &weakRSA{rsa.PublicKey{N: n, E: 65537}, d}, nil
	}
}

func (k *weakRSA) Public() crypto.PublicKey { return &k.public }

// sha256Prefix is what stands before a SHA-256 in a PKCS #1 signature (RFC 8017 9.2, note 1).
var sha256Prefix = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

func (k *weakRSA) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if _, pss := opts.(*rsa.PSSOptions); pss || opts.HashFunc() != crypto.SHA256 {
		return nil, fmt.Errorf("a key of %d bits signs with PKCS #1 v1.5 and SHA-256 alone", k.public.N.BitLen())
	}
	size := (k.public.N.BitLen() + 7) / 8
	em := make([]byte, size) // 00 01 ff … ff 00 prefix digest
	t := append(append([]byte{}, sha256Prefix...), digest...)
	if size < len(t)+11 {
		return nil, fmt.Errorf("a key of %d bits is too short to sign at all", k.public.N.BitLen())
	}
	em[1] = 1
	for i := 2; i < size-len(t)-1; i++ {
		em[i] = 0xff
	}
	copy(em[size-len(t):], t)
	m := new(big.Int).SetBytes(em)
	return m.Exp(m, k.d, k.public.N).FillBytes(make([]byte, size)), nil
}
