package keys

import (
	"crypto"
	"crypto/hmac"
	"crypto/subtle"
	"hash"
)

// The protocol versions as they stand on the wire.
const (
	versionTLS10 = 0x0301
	versionTLS11 = 0x0302
	versionTLS12 = 0x0303
	versionTLS13 = 0x0304
)

// PRF is the pseudorandom function of TLS 1.2 (RFC 5246 5), which uses hash, and
// of TLS 1.0 and 1.1 (RFC 2246 5, 4346 5), where hash is not looked at: MD5 over
// the first half of the secret, XOR SHA-1 over the second. It returns n bytes, or
// nil if hash is needed and is none that this package has.
func PRF(version uint16, hash crypto.Hash, secret []byte, label string, seed []byte, n int) []byte {
	labelSeed := append([]byte(label), seed...)
	out := make([]byte, n)
	if version <= versionTLS11 {
		half := (len(secret) + 1) / 2 // the halves share a byte if the length is odd
		pHash(out, crypto.MD5, secret[:half], labelSeed)
		sha := make([]byte, n)
		pHash(sha, crypto.SHA1, secret[len(secret)-half:], labelSeed)
		subtle.XORBytes(out, out, sha)
		return out
	}
	if !hash.Available() {
		return nil
	}
	pHash(out, hash, secret, labelSeed)
	return out
}

// pHash fills out with P_hash(secret, seed), RFC 5246 5.
func pHash(out []byte, hash crypto.Hash, secret, seed []byte) {
	mac := hmac.New(hash.New, secret)
	mac.Write(seed)
	a := mac.Sum(nil)
	for len(out) > 0 {
		mac.Reset()
		mac.Write(a)
		mac.Write(seed)
		out = out[copy(out, mac.Sum(nil)):]
		mac.Reset()
		mac.Write(a)
		a = mac.Sum(a[:0])
	}
}

// MasterSecret makes the 48-byte master secret of TLS 1.2 and older, SSL 3.0 included, from the
// pre-master secret and the Hellos' randoms (RFC 5246 8.1).
func MasterSecret(version uint16, hash crypto.Hash, preMaster, clientRandom, serverRandom []byte) []byte {
	if version == versionSSL30 {
		return expand30(preMaster, join(clientRandom, serverRandom), 48)
	}
	return PRF(version, hash, preMaster, "master secret", join(clientRandom, serverRandom), 48)
}

// ExtendedMasterSecret makes the 48-byte master secret where both Hellos have
// extended_master_secret (RFC 7627 4). sessionHash is the [TranscriptHash] of the
// messages from ClientHello through ClientKeyExchange.
func ExtendedMasterSecret(version uint16, hash crypto.Hash, preMaster, sessionHash []byte) []byte {
	return PRF(version, hash, preMaster, "extended master secret", sessionHash, 48)
}

// TranscriptHash hashes handshake messages, each with its 4-byte header: with
// hash in TLS 1.2 and 1.3; before, MD5 and SHA-1 one after the other, 36 bytes
// (RFC 4346 7.4.9). It returns nil if hash is needed and is none that this package has.
func TranscriptHash(version uint16, hash crypto.Hash, messages ...[]byte) []byte {
	if version <= versionTLS11 {
		return append(digest(crypto.MD5, messages), digest(crypto.SHA1, messages)...)
	}
	if !hash.Available() {
		return nil
	}
	return digest(hash, messages)
}

func digest(hash crypto.Hash, messages [][]byte) []byte {
	h := hash.New()
	for _, m := range messages {
		h.Write(m)
	}
	return h.Sum(nil)
}

// VerifyData makes the 12 bytes of a Finished message of TLS 1.2 or older
// (RFC 5246 7.4.9). transcriptHash is the [TranscriptHash] of all handshake
// messages before this Finished, HelloRequest left out.
func VerifyData(version uint16, hash crypto.Hash, master []byte, fromClient bool, transcriptHash []byte) []byte {
	label := "server finished"
	if fromClient {
		label = "client finished"
	}
	return PRF(version, hash, master, label, transcriptHash, 12)
}

// A KeyBlock is what the master secret is expanded to (RFC 5246 6.3).
type KeyBlock struct {
	ClientMAC, ServerMAC []byte // empty for an AEAD
	ClientKey, ServerKey []byte
	ClientIV, ServerIV   []byte // an AEAD's fixed part; for CBC, the first IV of TLS 1.0, else empty
}

// NewKeyBlock expands a master secret. The fields are nil where s.Hash is needed and 0.
func NewKeyBlock(version uint16, s *Suite, master, clientRandom, serverRandom []byte) KeyBlock {
	ivLen := s.FixedIVLen
	if version <= versionTLS10 {
		ivLen = s.BlockLen // RFC 2246 6.3; later versions send an IV with each record
	}
	n := 2 * (s.MACKeyLen + s.KeyLen + ivLen)
	var block []byte
	if version == versionSSL30 {
		block = expand30(master, join(serverRandom, clientRandom), n)
	} else {
		block = PRF(version, s.Hash, master, "key expansion", join(serverRandom, clientRandom), n)
	}
	if block == nil {
		return KeyBlock{}
	}
	next := func(n int) []byte {
		part := block[:n:n]
		block = block[n:]
		return part
	}
	return KeyBlock{
		ClientMAC: next(s.MACKeyLen), ServerMAC: next(s.MACKeyLen),
		ClientKey: next(s.KeyLen), ServerKey: next(s.KeyLen),
		ClientIV: next(ivLen), ServerIV: next(ivLen),
	}
}

func join(a, b []byte) []byte {
	return append(append(make([]byte, 0, len(a)+len(b)), a...), b...)
}

func newHMAC(h crypto.Hash, key []byte) hash.Hash { return hmac.New(h.New, key) }
