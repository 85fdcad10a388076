package keys

import (
	"bytes"
	"crypto"
	"crypto/dsa" //lint:ignore SA1019 DHE_DSS suites are in old captures; signatures are only checked
	"crypto/rsa"
	"hash"
)

// versionSSL30 is SSL 3.0, of which the historic RFC 6101 tells.
const versionSSL30 = 0x0300

// expand30 makes n bytes of a secret and two randoms, for the master secret and
// for the key block (RFC 6101 6.1 and 6.2.2): MD5(secret + SHA("A" + secret + seed)),
// and on with "BB", "CCC", ... It returns nil if n is too long for 26 letters.
func expand30(secret, seed []byte, n int) []byte {
	if n > 26*16 {
		return nil
	}
	var out []byte
	for i := 1; len(out) < n; i++ {
		inner := digest(crypto.SHA1, [][]byte{bytes.Repeat([]byte{'A' - 1 + byte(i)}, i), secret, seed})
		out = append(out, digest(crypto.MD5, [][]byte{secret, inner})...)
	}
	return out[:n]
}

// pads30 are the lengths of the pads that make both hashes' blocks whole, almost (RFC 6101 5.2.3.1).
var pads30 = map[crypto.Hash]int{crypto.MD5: 48, crypto.SHA1: 40}

func pad30(h crypto.Hash, b byte) []byte { return bytes.Repeat([]byte{b}, pads30[h]) }

// mac30 is the MAC of SSL 3.0 (RFC 6101 5.2.3.1), which HMAC came from:
// hash(secret + pad_2 + hash(secret + pad_1 + data)).
type mac30 struct {
	hash.Hash
	kind   crypto.Hash
	secret []byte
}

func newMAC30(h crypto.Hash, secret []byte) hash.Hash {
	m := &mac30{h.New(), h, secret}
	m.Reset()
	return m
}

func (m *mac30) Reset() {
	m.Hash.Reset()
	m.Write(m.secret)
	m.Write(pad30(m.kind, 0x36))
}

func (m *mac30) Sum(b []byte) []byte {
	return append(b, digest(m.kind, [][]byte{m.secret, pad30(m.kind, 0x5c), m.Hash.Sum(nil)})...)
}

// transcript30 hashes handshake messages as SSL 3.0 does, where the master secret
// enters the hash: with MD5 and with SHA-1.
func transcript30(master, sender []byte, messages [][]byte) (md5, sha []byte) {
	sum := func(h crypto.Hash) []byte {
		inner := digest(h, append(append([][]byte(nil), messages...), sender, master, pad30(h, 0x36)))
		return digest(h, [][]byte{master, pad30(h, 0x5c), inner})
	}
	return sum(crypto.MD5), sum(crypto.SHA1)
}

// VerifyData30 makes the 36 bytes of a Finished message of SSL 3.0 from all
// handshake messages before it, HelloRequest left out (RFC 6101 5.6.9).
func VerifyData30(master []byte, fromClient bool, messages ...[]byte) []byte {
	sender := []byte("SRVR")
	if fromClient {
		sender = []byte("CLNT")
	}
	md5, sha := transcript30(master, sender, messages)
	return append(md5, sha...)
}

// VerifyCertificateVerify30 checks the signature in a CertificateVerify message of
// SSL 3.0, which covers all handshake messages before it and the master secret (RFC
// 6101 5.6.8). It returns what [VerifyHandshakeSignature] does.
func VerifyCertificateVerify30(pub crypto.PublicKey, master, sig []byte, messages ...[]byte) error {
	md5, sha := transcript30(master, nil, messages)
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		if !usableRSA(pub) {
			return ErrUnsupportedKey
		}
		return verifyPKCS1Sum(pub, crypto.MD5SHA1, append(md5, sha...), sig)
	case *dsa.PublicKey:
		return verifyDSASum(pub, sha, sig)
	}
	return ErrUnsupportedKey
}
