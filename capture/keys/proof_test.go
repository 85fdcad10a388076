package keys_test

import (
	"bytes"
	"crypto"
	"crypto/dsa" //lint:ignore SA1019 the package checks DSA signatures
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"

	"filippo.io/mldsa"

	"explainer/capture/keys"
)

// Real ones are in the handshakes; here are all schemes against all kinds of keys.
func TestSignatures(t *testing.T) {
	signed := []byte("what was signed")
	sum := func(h crypto.Hash) []byte {
		d := h.New()
		d.Write(signed)
		return d.Sum(nil)
	}
	md5sha1 := append(sum(crypto.MD5), sum(crypto.SHA1)...)
	dsaKey := &dsa.PrivateKey{}
	if err := dsa.GenerateParameters(&dsaKey.Parameters, rand.Reader, dsa.L1024N160); err != nil {
		t.Fatal(err)
	}
	if err := dsa.GenerateKey(dsaKey, rand.Reader); err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signDSA := func(h crypto.Hash) []byte {
		d := sum(h)
		r, s, err := dsa.Sign(rand.Reader, dsaKey, d[:20])
		if err != nil {
			t.Fatal(err)
		}
		return must(asn1.Marshal(struct{ R, S *big.Int }{r, s}))
	}
	pkcs1 := func(h crypto.Hash, sum []byte) []byte {
		return must(rsa.SignPKCS1v15(rand.Reader, rsaKey(), h, sum))
	}
	pss := func(h crypto.Hash, salt int) []byte {
		return must(rsa.SignPSS(rand.Reader, rsaKey(), h, sum(h), &rsa.PSSOptions{SaltLength: salt}))
	}
	ec := func(key *ecdsa.PrivateKey, h crypto.Hash) []byte {
		return must(ecdsa.SignASN1(rand.Reader, key, sum(h)))
	}
	rsaPub, p256Pub, p384Pub, p521Pub := &rsaKey().PublicKey, &ecdsaKey().PublicKey, &p384Key().PublicKey, &p521Key().PublicKey
	ml44, err := mldsa.GenerateKey(mldsa.MLDSA44())
	if err != nil {
		t.Fatal(err)
	}
	ml87, err := mldsa.GenerateKey(mldsa.MLDSA87())
	if err != nil {
		t.Fatal(err)
	}
	mlSign := func(k *mldsa.PrivateKey) []byte {
		sig, err := k.Sign(nil, signed, nil)
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	edPub := ed25519Key().Public()

	for _, c := range []struct {
		version, scheme uint16
		pub             crypto.PublicKey
		sig             []byte
		want            error
	}{
		{0x0301, 0, rsaPub, pkcs1(crypto.MD5SHA1, md5sha1), nil},
		{0x0302, 0x0401, rsaPub, pkcs1(crypto.MD5SHA1, md5sha1), nil},
		{0x0302, 0, rsaPub, pkcs1(crypto.SHA256, sum(crypto.SHA256)), keys.ErrSignature},
		{0x0301, 0, p256Pub, ec(ecdsaKey(), crypto.SHA1), nil},
		{0x0301, 0, &dsaKey.PublicKey, signDSA(crypto.SHA1), nil},
		{0x0301, 0, edPub, nil, keys.ErrUnsupportedKey},

		{0x0303, 0x0101, rsaPub, pkcs1(crypto.MD5, sum(crypto.MD5)), nil},
		{0x0303, 0x0201, rsaPub, pkcs1(crypto.SHA1, sum(crypto.SHA1)), nil},
		{0x0303, 0x0301, rsaPub, pkcs1(crypto.SHA224, sum(crypto.SHA224)), nil},
		{0x0303, 0x0401, rsaPub, pkcs1(crypto.SHA256, sum(crypto.SHA256)), nil},
		{0x0303, 0x0501, rsaPub, pkcs1(crypto.SHA384, sum(crypto.SHA384)), nil},
		{0x0303, 0x0601, rsaPub, pkcs1(crypto.SHA512, sum(crypto.SHA512)), nil},
		{0x0303, 0x0501, rsaPub, pkcs1(crypto.SHA256, sum(crypto.SHA256)), keys.ErrSignature},
		{0x0303, 0x0401, rsaPub, nil, keys.ErrSignature},
		{0x0303, 0x0401, rsaPub, bytes.Repeat([]byte{0xff}, 256), keys.ErrSignature}, // not below the modulus
		{0x0303, 0x0202, &dsaKey.PublicKey, signDSA(crypto.SHA1), nil},
		{0x0303, 0x0402, &dsaKey.PublicKey, signDSA(crypto.SHA256), nil},
		{0x0303, 0x0402, &dsaKey.PublicKey, signDSA(crypto.SHA1), keys.ErrSignature},
		{0x0303, 0x0402, &dsaKey.PublicKey, []byte("no DER"), keys.ErrSignature},
		{0x0303, 0x0203, p256Pub, ec(ecdsaKey(), crypto.SHA1), nil},
		{0x0303, 0x0303, &p224.PublicKey, ec(p224, crypto.SHA224), nil},
		{0x0303, 0x0603, p256Pub, ec(ecdsaKey(), crypto.SHA512), nil}, // the curve is free before TLS 1.3
		{0x0303, 0x0403, p521Pub, ec(p521Key(), crypto.SHA256), nil},
		{0x0303, 0x0804, rsaPub, pss(crypto.SHA256, 32), nil},
		{0x0303, 0x0807, edPub, ed25519.Sign(ed25519Key(), signed), nil},

		{0x0304, 0x0804, rsaPub, pss(crypto.SHA256, 32), nil},
		{0x0304, 0x0805, rsaPub, pss(crypto.SHA384, 48), nil},
		{0x0304, 0x0806, rsaPub, pss(crypto.SHA512, 64), nil},
		{0x0304, 0x0809, rsaPub, pss(crypto.SHA256, 32), nil},
		{0x0304, 0x080a, rsaPub, pss(crypto.SHA384, 48), nil},
		{0x0304, 0x080b, rsaPub, pss(crypto.SHA512, 64), nil},
		{0x0304, 0x0804, rsaPub, pss(crypto.SHA256, 20), keys.ErrSignature}, // the salt is as long as the hash
		{0x0304, 0x0403, p256Pub, ec(ecdsaKey(), crypto.SHA256), nil},
		{0x0304, 0x0503, p384Pub, ec(p384Key(), crypto.SHA384), nil},
		{0x0304, 0x0603, p521Pub, ec(p521Key(), crypto.SHA512), nil},
		{0x0304, 0x0807, edPub, ed25519.Sign(ed25519Key(), signed), nil},
		{0x0304, 0x0807, edPub, []byte("short"), keys.ErrSignature},
		{0x0304, 0x0503, p256Pub, ec(ecdsaKey(), crypto.SHA384), keys.ErrScheme},
		{0x0304, 0x0203, p256Pub, ec(ecdsaKey(), crypto.SHA1), keys.ErrScheme},
		{0x0304, 0x0401, rsaPub, pkcs1(crypto.SHA256, sum(crypto.SHA256)), keys.ErrScheme},
		{0x0304, 0x0402, &dsaKey.PublicKey, signDSA(crypto.SHA256), keys.ErrScheme},

		{0x0304, 0x0804, p256Pub, ec(ecdsaKey(), crypto.SHA256), keys.ErrScheme},
		{0x0303, 0x0403, rsaPub, pkcs1(crypto.SHA256, sum(crypto.SHA256)), keys.ErrScheme},
		{0x0303, 0x0807, rsaPub, nil, keys.ErrScheme},
		{0x0303, 0x0402, edPub, nil, keys.ErrScheme},
		{0x0304, 0x0808, edPub, nil, keys.ErrUnsupportedKey},
		{0x0304, 0x0904, rsaPub, nil, keys.ErrScheme},
		{0x0304, 0x0904, ml44.PublicKey(), mlSign(ml44), nil},
		{0x0304, 0x0906, ml87.PublicKey(), mlSign(ml87), nil},
		{0x0304, 0x0905, ml44.PublicKey(), mlSign(ml44), keys.ErrScheme},
		{0x0304, 0x0403, ml44.PublicKey(), mlSign(ml44), keys.ErrScheme},
		{0x0304, 0x0904, ml44.PublicKey(), []byte("short"), keys.ErrSignature},
		{0x0303, 0x0904, ml44.PublicKey(), mlSign(ml44), keys.ErrUnsupportedKey}, // of TLS 1.3 alone
		{0x0303, 0x0404, rsaPub, nil, keys.ErrUnsupportedKey},
		{0x0303, 0x0401, nil, nil, keys.ErrUnsupportedKey},
		{0x0304, 0x0804, "no key", nil, keys.ErrUnsupportedKey},
		{0x0304, 0x0807, ed25519.PublicKey("short"), nil, keys.ErrUnsupportedKey},
		{0x0303, 0x0401, &rsa.PublicKey{}, nil, keys.ErrUnsupportedKey},
		{0x0303, 0x0401, &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1<<20, 1), E: 3}, nil, keys.ErrUnsupportedKey},
		{0x0303, 0x0402, &dsa.PublicKey{}, nil, keys.ErrUnsupportedKey},
		{0x0303, 0x0403, &ecdsa.PublicKey{}, nil, keys.ErrUnsupportedKey},
	} {
		err := keys.VerifyHandshakeSignature(c.version, c.scheme, c.pub, signed, c.sig)
		if !errors.Is(err, c.want) {
			t.Errorf("version %#04x, scheme %#04x, %T: %v, not %v", c.version, c.scheme, c.pub, err, c.want)
		}
		if c.want == nil {
			if err := keys.VerifyHandshakeSignature(c.version, c.scheme, c.pub, signed[1:], c.sig); !errors.Is(err, keys.ErrSignature) {
				t.Errorf("version %#04x, scheme %#04x, %T, another message: %v", c.version, c.scheme, c.pub, err)
			}
		}
	}
}

// smallKey is RSA of 512 bits, which crypto/rsa no longer makes or checks, and the 1990s used.
func smallKey(t *testing.T) *rsa.PrivateKey {
	for {
		p, q := must(rand.Prime(rand.Reader, 256)), must(rand.Prime(rand.Reader, 256))
		one := big.NewInt(1)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		d := new(big.Int).ModInverse(big.NewInt(65537), phi)
		if n := new(big.Int).Mul(p, q); d != nil && n.BitLen() == 512 {
			return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: 65537}, D: d, Primes: []*big.Int{p, q}}
		}
	}
}

func TestPKCS1(t *testing.T) {
	preMaster := append([]byte{3, 3}, bytes.Repeat([]byte{9}, 46)...)
	block := func(size int, prefix string, padding int, message []byte) []byte {
		em := append([]byte(prefix), bytes.Repeat([]byte{0xaa}, padding)...)
		em = append(append(em, 0), message...)
		if len(em) != size {
			t.Fatalf("the block is %d bytes", len(em))
		}
		return em
	}
	for _, key := range []*rsa.PrivateKey{rsaKey(), smallKey(t)} {
		size := key.Size()
		encrypt := func(em []byte) []byte {
			m := new(big.Int).SetBytes(em)
			return m.Exp(m, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, size))
		}
		good := block(size, "\x00\x02", size-51, preMaster)
		for _, c := range []struct {
			name string
			em   []byte
			want error
		}{
			{"good", good, nil},
			{"block type 1", block(size, "\x00\x01", size-51, preMaster), keys.ErrPadding},
			{"no first 00", block(size, "\x01\x02", size-51, preMaster), keys.ErrPadding},
			{"a zero in the first eight", block(size, "\x00\x02\xaa\xaa\xaa\xaa\xaa\xaa\xaa", 0, make([]byte, size-10)), keys.ErrPadding},
			{"no zero at all", append([]byte{0, 2}, bytes.Repeat([]byte{1}, size-2)...), keys.ErrPadding},
			{"47 bytes", block(size, "\x00\x02", size-50, preMaster[1:]), keys.ErrLength},
			{"49 bytes", block(size, "\x00\x02", size-52, append(preMaster, 1)), keys.ErrLength},
		} {
			ciphertext := encrypt(c.em)
			em, err := keys.OpenPKCS1(key, ciphertext)
			if err != nil || !bytes.Equal(em, c.em) {
				t.Fatalf("%d bits, %s: decrypts to %x, %v", 8*size, c.name, em, err)
			}
			got, err := keys.CheckPKCS1(em, &key.PublicKey, ciphertext)
			if !errors.Is(err, c.want) || (err == nil) != bytes.Equal(got, preMaster) {
				t.Errorf("%d bits, %s: %x, %v", 8*size, c.name, got, err)
			}
		}
		ciphertext := encrypt(good)
		changed := bytes.Clone(ciphertext)
		changed[5] ^= 1
		above := new(big.Int).Add(key.N, new(big.Int).SetBytes(good)) // the same number mod n
		for name, c := range map[string]struct {
			em, ciphertext []byte
			pub            *rsa.PublicKey
			want           error
		}{
			"another ciphertext":  {good, changed, &key.PublicKey, keys.ErrNotThisKey},
			"another key":         {good, ciphertext, &rsa.PublicKey{N: key.N, E: 3}, keys.ErrNotThisKey},
			"short block":         {good[1:], ciphertext, &key.PublicKey, keys.ErrLength},
			"short ciphertext":    {good, ciphertext[1:], &key.PublicKey, keys.ErrLength},
			"nothing":             {nil, nil, &key.PublicKey, keys.ErrLength},
			"no key":              {good, ciphertext, nil, keys.ErrUnsupportedKey},
			"key without numbers": {good, ciphertext, &rsa.PublicKey{}, keys.ErrUnsupportedKey},
		} {
			if _, err := keys.CheckPKCS1(c.em, c.pub, c.ciphertext); !errors.Is(err, c.want) {
				t.Errorf("%d bits, %s: %v", 8*size, name, err)
			}
		}
		if above.BitLen() <= 8*size {
			if _, err := keys.CheckPKCS1(above.FillBytes(make([]byte, size)), &key.PublicKey, ciphertext); !errors.Is(err, keys.ErrNotThisKey) {
				t.Errorf("a block not below the modulus: %v", err)
			}
		}
		for _, bad := range [][]byte{nil, ciphertext[1:], append(bytes.Clone(ciphertext), 0), key.N.Bytes(), bytes.Repeat([]byte{0xff}, size)} {
			if _, err := keys.OpenPKCS1(key, bad); !errors.Is(err, keys.ErrLength) {
				t.Errorf("%d bits, a ciphertext of %d bytes: %v", 8*size, len(bad), err)
			}
		}
		if em, err := keys.OpenPKCS1(key, make([]byte, size)); err != nil || !bytes.Equal(em, make([]byte, size)) {
			t.Errorf("%d bits, the ciphertext 0: %x, %v", 8*size, em, err)
		}
	}
}

// A signature under a key that crypto/rsa refuses for its length still proves who signed.
func TestSmallRSASignature(t *testing.T) {
	key := smallKey(t)
	sum := crypto.SHA1.New()
	sum.Write([]byte("signed"))
	em := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, 64-3-35)...)
	em = append(em, 0)
	em = append(em, "\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14"...)
	em = sum.Sum(em)
	m := new(big.Int).SetBytes(em)
	sig := m.Exp(m, key.D, key.N).FillBytes(make([]byte, 64))
	if err := keys.VerifyHandshakeSignature(0x0303, 0x0201, &key.PublicKey, []byte("signed"), sig); err != nil {
		t.Error(err)
	}
	if err := keys.VerifyHandshakeSignature(0x0303, 0x0401, &key.PublicKey, []byte("signed"), sig); !errors.Is(err, keys.ErrSignature) {
		t.Errorf("as SHA-256: %v", err)
	}
}
