package verify_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"slices"
	"testing"

	"filippo.io/mldsa"
	mldsax509 "filippo.io/mldsa/x509"

	"explainer/ca/verify"
)

// tbs is the signed part of a certificate (RFC 5280 4.1.2).
type tbs struct {
	Version    asn1.RawValue
	Serial     asn1.RawValue
	Algorithm  pkix.AlgorithmIdentifier
	Issuer     asn1.RawValue
	Validity   asn1.RawValue
	Subject    asn1.RawValue
	PublicKey  asn1.RawValue
	Extensions asn1.RawValue
}

// remade gives a certificate another public key and another signature, made with alg over its signed part.
func remade(der, spki []byte, alg asn1.ObjectIdentifier, sign func([]byte) []byte) []byte {
	var c struct {
		TBS asn1.RawValue
		Alg pkix.AlgorithmIdentifier
		Sig asn1.BitString
	}
	must(asn1.Unmarshal(der, &c))
	var inner tbs
	must(asn1.Unmarshal(c.TBS.FullBytes, &inner))
	inner.Algorithm = pkix.AlgorithmIdentifier{Algorithm: alg}
	inner.PublicKey = asn1.RawValue{FullBytes: spki}
	raw := must(asn1.Marshal(inner))
	sig := sign(raw)
	c.TBS, c.Alg, c.Sig = asn1.RawValue{FullBytes: raw}, inner.Algorithm, asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}
	return must(asn1.Marshal(c))
}

// outcomes are the checks that are not passed, by ID and reason.
func outcomes(in verify.Input) (failed, unchecked []string, key string) {
	for _, c := range verify.Chain(in).Checks {
		switch c.Outcome {
		case verify.Failed:
			failed = append(failed, c.Reason)
		case verify.NotChecked:
			unchecked = append(unchecked, c.Reason)
		}
		if c.ID == verify.IDKey && c.Cert == 1 {
			key = c.Detail("key")
		}
	}
	return failed, unchecked, key
}

// TestMLDSA: chains with ML-DSA keys are checked as others are (RFC 9881).
func TestMLDSA(t *testing.T) {
	for i, p := range []mldsa.Parameters{mldsa.MLDSA44(), mldsa.MLDSA65(), mldsa.MLDSA87()} {
		alg := asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 17 + i}
		rootKey, leafKey := must(mldsa.GenerateKey(p)), must(mldsa.GenerateKey(p))
		spki := func(k *mldsa.PrivateKey) []byte { return must(mldsax509.MarshalPKIXPublicKey(k.PublicKey())) }
		by := func(k *mldsa.PrivateKey) func([]byte) []byte {
			return func(b []byte) []byte { return must(k.Sign(nil, b, nil)) }
		}
		ids := func(c *x509.Certificate) { c.SubjectKeyId, c.AuthorityKeyId = []byte{1}, []byte{1} }
		rootLike := mint("root", true, nil, ids)
		root := remade(rootLike.Raw, spki(rootKey), alg, by(rootKey))
		leafLike := mint(host, false, rootLike, nil)
		leaf := remade(leafLike.Raw, spki(leafKey), alg, by(rootKey))
		in := verify.Input{Chain: [][]byte{leaf, root}, Name: host, Time: now, Roots: verify.NewRoots("test", root), Purpose: verify.Server}
		if failed, _, key := outcomes(in); len(failed) > 0 || key != p.String() {
			t.Errorf("%s: failed %v, key %q", p, failed, key)
		}
		if signed, err := verify.SignedBy(leaf, rootKey.PublicKey()); !signed || err != nil {
			t.Errorf("%s: %v, %v", p, signed, err)
		}
		forged := remade(leafLike.Raw, spki(leafKey), alg, by(leafKey))
		in.Chain[0] = forged
		if failed, _, _ := outcomes(in); !slices.Contains(failed, "bad-cert-signature") {
			t.Errorf("%s: signed by another key: failed %v", p, failed)
		}
	}
}

// TestOtherKeys: a key of a kind that is not read here is not checked, and no fault; a root
// with one is not missing.
func TestOtherKeys(t *testing.T) {
	point := must(base64.StdEncoding.DecodeString("MFowFAYHKoZIzj0CAQYJKyQDAwIIAQEHA0IABFxY3zGbW5kP7zw1LPZ5mT3kL1S4Cy1nD8sR6F4UpFJ0Y0OQYz3T2Z2pQzXw7m2rF8yq8cJb1Wk9m7o1m5mYdQo="))
	ed448 := append([]byte{0x30, 0x43, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x71, 0x03, 0x3a, 0x00}, make([]byte, 57)...)
	for name, k := range map[string]struct {
		spki []byte
		alg  asn1.ObjectIdentifier
		key  string
	}{
		"brainpool": {point, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, "brainpoolP256r1 ECDSA"},
		"Ed448":     {ed448, asn1.ObjectIdentifier{1, 3, 101, 113}, "Ed448"},
	} {
		nothing := func([]byte) []byte { return make([]byte, 114) }
		rootLike := mint("root", true, nil, nil)
		root := remade(rootLike.Raw, k.spki, k.alg, nothing)
		leaf := remade(mint(host, false, rootLike, nil).Raw, k.spki, k.alg, nothing)
		in := verify.Input{Chain: [][]byte{leaf, root}, Name: host, Time: now, Roots: verify.NewRoots("test", root), Purpose: verify.Server}
		failed, unchecked, key := outcomes(in)
		if len(failed) > 0 || key != k.key || !slices.Contains(unchecked, "key-unknown") || !slices.Contains(unchecked, "signature-not-checkable") {
			t.Errorf("%s: failed %v, not checked %v, key %q", name, failed, unchecked, key)
		}
		in.Roots = verify.NewRoots("test", mint("another", true, nil, nil).Raw)
		if failed, _, _ := outcomes(in); !slices.Equal(failed, []string{"untrusted-root"}) {
			t.Errorf("%s, not trusted: failed %v", name, failed)
		}
	}
}
