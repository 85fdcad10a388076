package keys

import (
	"bytes"
	"crypto"
	"crypto/dsa" //lint:ignore SA1019 DHE_DSS suites are in old captures; signatures are only checked
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"

	"filippo.io/mldsa"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// What [CheckPKCS1] can find wrong.
var (
	ErrNotThisKey = errors.New("the padded block, encrypted with this public key, is not this ciphertext")
	ErrPadding    = errors.New("the block is not padded as PKCS#1 v1.5 asks")
	ErrLength     = errors.New("the length is wrong")
)

// What [VerifyHandshakeSignature] can find wrong. ErrUnsupportedKey means that
// nothing was checked; the other two that the signature does not prove anything.
var (
	ErrSignature      = errors.New("the signature does not verify")
	ErrScheme         = errors.New("the signature scheme is not for this key or this version of TLS")
	ErrUnsupportedKey = errors.New("this kind of key or signature scheme is not supported")
)

// maxModulus bounds the public keys that are computed with, in bits. Certificates
// come from the wire and can hold a number of millions of bits.
const maxModulus = 16384

func usableRSA(pub *rsa.PublicKey) bool {
	return pub != nil && pub.N != nil && pub.N.Sign() > 0 && pub.N.BitLen() <= maxModulus && pub.N.Bit(0) == 1 && pub.E > 1
}

// rsaPublic is x^e mod n, as long as n, or nil if x is not less than n (RFC 8017 5.1.1, 5.2.2).
func rsaPublic(pub *rsa.PublicKey, x []byte) []byte {
	i := new(big.Int).SetBytes(x)
	if i.Cmp(pub.N) >= 0 {
		return nil
	}
	return i.Exp(i, big.NewInt(int64(pub.E)), pub.N).FillBytes(make([]byte, pub.Size()))
}

// CheckPKCS1 proves that em is what the ciphertext of an RSA-encrypted pre-master
// secret holds, with the public key alone: em^e mod n must be the ciphertext, and em
// must be 00 02, at least eight bytes that are not 00, 00, and 48 bytes (RFC 8017
// 7.2, 5246 7.4.7.1), which it returns. em and ciphertext are as long as the modulus.
//
// The errors, in the order in which they are looked for, are [ErrUnsupportedKey],
// [ErrLength] of an input, [ErrNotThisKey], [ErrPadding] and [ErrLength] of the
// padded message.
func CheckPKCS1(em []byte, pub *rsa.PublicKey, ciphertext []byte) (preMaster []byte, err error) {
	if !usableRSA(pub) {
		return nil, ErrUnsupportedKey
	}
	if len(em) != pub.Size() || len(ciphertext) != pub.Size() {
		return nil, fmt.Errorf("%w: block %d bytes, ciphertext %d, modulus %d", ErrLength, len(em), len(ciphertext), pub.Size())
	}
	if !bytes.Equal(rsaPublic(pub, em), ciphertext) {
		return nil, ErrNotThisKey
	}
	padded, ok := bytes.CutPrefix(em, []byte{0, 2})
	padding, message, ok2 := bytes.Cut(padded, []byte{0})
	if !ok || !ok2 || len(padding) < 8 {
		return nil, ErrPadding
	}
	if len(message) != 48 {
		return nil, fmt.Errorf("%w: the pre-master secret is %d bytes, not 48", ErrLength, len(message))
	}
	return message, nil
}

// OpenPKCS1 computes c^d mod n, the whole padded block, as long as the modulus, and
// checks nothing of the padding. The caller must not let the other end learn
// whether that was good (RFC 5246 7.4.7.1). The private exponent works on a blinded
// number, r^e*c, so that its running time says nothing about c.
func OpenPKCS1(priv *rsa.PrivateKey, ciphertext []byte) (em []byte, err error) {
	n := priv.N
	c := new(big.Int).SetBytes(ciphertext)
	if len(ciphertext) != priv.Size() || c.Cmp(n) >= 0 {
		return nil, fmt.Errorf("%w: the ciphertext is no number below the modulus of %d bytes", ErrLength, priv.Size())
	}
	var r, inverse *big.Int
	for inverse == nil { // all but never more than once: r would divide n
		if r, err = rand.Int(rand.Reader, n); err != nil {
			return nil, err
		}
		inverse = new(big.Int).ModInverse(r, n)
	}
	m := new(big.Int).Exp(r, big.NewInt(int64(priv.E)), n)
	m.Mul(m, c).Mod(m, n)
	m.Exp(m, priv.D, n)
	m.Mul(m, inverse).Mod(m, n)
	return m.FillBytes(make([]byte, priv.Size())), nil
}

// VerifyHandshakeSignature checks the signature of a ServerKeyExchange or
// CertificateVerify message. signed is what was signed, not hashed: in
// ServerKeyExchange both randoms and the parameters (RFC 5246 7.4.3), in
// CertificateVerify of TLS 1.2 and older the handshake messages so far (7.4.8), in
// TLS 1.3 [CertificateVerifyContent]. scheme is the SignatureScheme of the message;
// before TLS 1.2 there is none and it is not looked at: RSA signs MD5 and SHA-1
// together, ECDSA and DSA sign SHA-1 (RFC 4346 7.4.3, 4492 5.4). That holds for the
// ServerKeyExchange of SSL 3.0 too, not for its CertificateVerify (RFC 6101 5.6.8).
//
// It returns nil, [ErrSignature], [ErrScheme] (the scheme belongs to another kind of
// key or, in TLS 1.3, another curve, or TLS 1.3 forbids it here: RFC 8446 4.2.3) or
// [ErrUnsupportedKey] (pub is nil or unknown, or the scheme is: nothing was checked).
func VerifyHandshakeSignature(version, scheme uint16, pub crypto.PublicKey, signed, sig []byte) error {
	if version <= versionTLS11 {
		switch pub := pub.(type) {
		case *rsa.PublicKey:
			return verifyPKCS1(pub, crypto.MD5SHA1, signed, sig)
		case *ecdsa.PublicKey:
			return verifyECDSA(pub, crypto.SHA1, signed, sig)
		case *dsa.PublicKey:
			return verifyDSA(pub, crypto.SHA1, signed, sig)
		}
		return ErrUnsupportedKey
	}
	// In TLS 1.2 the scheme is two bytes, hash and signature algorithm (RFC 5246
	// 7.4.1.4.1); TLS 1.3 took over the values and added some from 0x0804 on.
	hash := map[uint16]crypto.Hash{1: crypto.MD5, 2: crypto.SHA1, 3: crypto.SHA224, 4: crypto.SHA256, 5: crypto.SHA384, 6: crypto.SHA512}[scheme>>8]
	tls13 := version >= versionTLS13
	switch {
	case scheme >= 0x0804 && scheme <= 0x0806 || scheme >= 0x0809 && scheme <= 0x080b: // rsa_pss_rsae_*, rsa_pss_pss_*
		hash = map[uint16]crypto.Hash{0x04: crypto.SHA256, 0x05: crypto.SHA384, 0x06: crypto.SHA512,
			0x09: crypto.SHA256, 0x0a: crypto.SHA384, 0x0b: crypto.SHA512}[scheme&0xff]
		if pub, ok := pub.(*rsa.PublicKey); ok {
			return verifyPSS(pub, hash, signed, sig)
		}
	case scheme == 0x0807:
		if pub, ok := pub.(ed25519.PublicKey); ok {
			if len(pub) != ed25519.PublicKeySize {
				return ErrUnsupportedKey
			}
			if !ed25519.Verify(pub, signed, sig) {
				return ErrSignature
			}
			return nil
		}
	case scheme >= 0x0904 && scheme <= 0x0906 && tls13: // mldsa44, mldsa65, mldsa87
		if pub, ok := pub.(*mldsa.PublicKey); ok {
			if pub.Parameters() != []mldsa.Parameters{mldsa.MLDSA44(), mldsa.MLDSA65(), mldsa.MLDSA87()}[scheme-0x0904] {
				return ErrScheme
			}
			if mldsa.Verify(pub, signed, sig, nil) != nil {
				return ErrSignature
			}
			return nil
		}
	case hash == 0:
		return ErrUnsupportedKey // ed448, brainpool curves, GOST, SM2
	case scheme&0xff == 1: // rsa_pkcs1_*
		if pub, ok := pub.(*rsa.PublicKey); ok && !tls13 {
			return verifyPKCS1(pub, hash, signed, sig)
		}
	case scheme&0xff == 2: // dsa_*
		if pub, ok := pub.(*dsa.PublicKey); ok && !tls13 {
			return verifyDSA(pub, hash, signed, sig)
		}
	case scheme&0xff == 3: // ecdsa_*
		if pub, ok := pub.(*ecdsa.PublicKey); ok {
			curve := map[crypto.Hash]elliptic.Curve{crypto.SHA256: elliptic.P256(), crypto.SHA384: elliptic.P384(), crypto.SHA512: elliptic.P521()}[hash]
			if tls13 && pub.Curve != curve {
				return ErrScheme
			}
			return verifyECDSA(pub, hash, signed, sig)
		}
	default:
		return ErrUnsupportedKey
	}
	switch pub.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, *dsa.PublicKey, ed25519.PublicKey, *mldsa.PublicKey:
		return ErrScheme
	}
	return ErrUnsupportedKey
}

// digestInfo is the DER that stands before each hash in a PKCS#1 v1.5 signature (RFC 8017 9.2).
var digestInfo = map[crypto.Hash]string{
	crypto.MD5:     "\x30\x20\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00\x04\x10",
	crypto.SHA1:    "\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
	crypto.SHA224:  "\x30\x2d\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x04\x05\x00\x04\x1c",
	crypto.SHA256:  "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
	crypto.SHA384:  "\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
	crypto.SHA512:  "\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
	crypto.MD5SHA1: "", // TLS 1.0 and 1.1: the two hashes alone
}

// verifyPKCS1 is not crypto/rsa's because that refuses keys below 1024 bits,
// which old captures have; what a signature proves does not depend on that.
func verifyPKCS1(pub *rsa.PublicKey, hash crypto.Hash, signed, sig []byte) error {
	if !usableRSA(pub) {
		return ErrUnsupportedKey
	}
	var sum []byte
	if hash == crypto.MD5SHA1 {
		sum = append(digest(crypto.MD5, [][]byte{signed}), digest(crypto.SHA1, [][]byte{signed})...)
	} else {
		sum = digest(hash, [][]byte{signed})
	}
	return verifyPKCS1Sum(pub, hash, sum, sig)
}

func verifyPKCS1Sum(pub *rsa.PublicKey, hash crypto.Hash, sum, sig []byte) error {
	info := append([]byte(digestInfo[hash]), sum...)
	if len(sig) != pub.Size() || pub.Size() < len(info)+11 {
		return ErrSignature
	}
	em := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, pub.Size()-len(info)-3)...)
	em = append(append(em, 0), info...)
	if !bytes.Equal(rsaPublic(pub, sig), em) {
		return ErrSignature
	}
	return nil
}

func verifyPSS(pub *rsa.PublicKey, hash crypto.Hash, signed, sig []byte) error {
	if !usableRSA(pub) {
		return ErrUnsupportedKey
	}
	err := rsa.VerifyPSS(pub, hash, digest(hash, [][]byte{signed}), sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, rsa.ErrVerification):
		return ErrSignature
	}
	return fmt.Errorf("%w: %v", ErrUnsupportedKey, err) // below 1024 bits, or a strange exponent
}

func verifyECDSA(pub *ecdsa.PublicKey, hash crypto.Hash, signed, sig []byte) error {
	if pub.Curve == nil {
		return ErrUnsupportedKey
	}
	if !ecdsa.VerifyASN1(pub, digest(hash, [][]byte{signed}), sig) {
		return ErrSignature
	}
	return nil
}

func verifyDSA(pub *dsa.PublicKey, hash crypto.Hash, signed, sig []byte) error {
	return verifyDSASum(pub, digest(hash, [][]byte{signed}), sig)
}

func verifyDSASum(pub *dsa.PublicKey, sum, sig []byte) error {
	for _, n := range []*big.Int{pub.P, pub.Q, pub.G, pub.Y} {
		if n == nil || n.Sign() <= 0 || n.BitLen() > maxModulus {
			return ErrUnsupportedKey
		}
	}
	if pub.Q.BitLen() > 256 { // FIPS 186-4 4.2; it is the length of an exponent
		return ErrUnsupportedKey
	}
	var r, s big.Int
	der, inner := cryptobyte.String(sig), cryptobyte.String(nil)
	if !der.ReadASN1(&inner, asn1.SEQUENCE) || !der.Empty() || !inner.ReadASN1Integer(&r) || !inner.ReadASN1Integer(&s) || !inner.Empty() {
		return ErrSignature
	}
	sum = sum[:min(len(sum), (pub.Q.BitLen()+7)/8)]
	if !dsa.Verify(pub, sum, &r, &s) {
		return ErrSignature
	}
	return nil
}
