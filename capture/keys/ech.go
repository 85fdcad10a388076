package keys

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"encoding/binary"

	"golang.org/x/crypto/chacha20poly1305"
)

// An ECHOpener opens the encrypted ClientHellos of one connection.
type ECHOpener struct {
	aead  cipher.AEAD
	nonce []byte
}

// hpkeHash and hpkeAEAD are those of RFC 9180 7.2 and 7.3.
var hpkeHash = map[uint16]crypto.Hash{1: crypto.SHA256, 2: crypto.SHA384, 3: crypto.SHA512}

var hpkeAEAD = map[uint16]struct {
	keyLen int
	aead   func(key []byte) (cipher.AEAD, error)
}{
	1: {16, newGCM}, 2: {32, newGCM}, 3: {chacha20poly1305.KeySize, chacha20poly1305.New},
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// NewECHOpener makes an opener of the shared secret of the KEM, as ECH_SECRET has it
// (RFC 9850 2.3), and of the ECHConfig, version and length in front, whose KEM is kem; kdf
// and aead stand in the hello. It does what HPKE does in its base mode (RFC 9180 5.1, RFC
// 9849 6.1), which crypto/hpke does for whoever has the private key, and not the secret alone.
// It returns nil where the KDF or the AEAD is none that is known here.
func NewECHOpener(config, secret []byte, kem, kdf, aead uint16) *ECHOpener {
	hash, known := hpkeHash[kdf]
	how, ok := hpkeAEAD[aead]
	if !known || !ok {
		return nil
	}
	suite := hpkeLabels{hash, numbers("HPKE", kem, kdf, aead)}
	context := append([]byte{0}, suite.extract(nil, "psk_id_hash", nil)...)
	context = append(context, suite.extract(nil, "info_hash", append([]byte("tls ech\x00"), config...))...)
	prk := suite.extract(secret, "secret", nil)
	sealer, err := how.aead(suite.expand(prk, "key", context, how.keyLen))
	if err != nil {
		return nil
	}
	return &ECHOpener{sealer, suite.expand(prk, "base_nonce", context, sealer.NonceSize())}
}

// Open opens the encrypted hello of the n-th ClientHello, from 0: there are two around a
// HelloRetryRequest. outer is what is authenticated beside it.
func (o *ECHOpener) Open(n uint64, outer, payload []byte) ([]byte, bool) {
	nonce := append([]byte{}, o.nonce...)
	count := nonce[len(nonce)-8:]
	binary.BigEndian.PutUint64(count, binary.BigEndian.Uint64(count)^n)
	plain, err := o.aead.Open(nil, nonce, payload, outer)
	return plain, err == nil
}

// ECHSecret is the shared secret of an encrypted ClientHello whose KEM is DHKEM(X25519, HKDF-SHA256)
// (RFC 9180 4.1): what the holder of the private key makes of what the client sent in enc.
// It returns nil if enc is no public key.
func ECHSecret(private *ecdh.PrivateKey, enc []byte) []byte {
	public, err := ecdh.X25519().NewPublicKey(enc)
	if err != nil {
		return nil
	}
	dh, err := private.ECDH(public)
	if err != nil {
		return nil
	}
	kem := hpkeLabels{crypto.SHA256, numbers("KEM", 0x0020)}
	return kem.expand(kem.extract(nil, "eae_prk", dh), "shared_secret", append(append([]byte{}, enc...), private.PublicKey().Bytes()...), 32)
}

// hpkeLabels makes LabeledExtract and LabeledExpand (RFC 9180 4).
type hpkeLabels struct {
	hash  crypto.Hash
	suite string
}

func (l hpkeLabels) extract(salt []byte, label string, input []byte) []byte {
	out, _ := hkdf.Extract(l.hash.New, append([]byte("HPKE-v1"+l.suite+label), input...), salt)
	return out
}

func (l hpkeLabels) expand(prk []byte, label string, info []byte, n int) []byte {
	out, _ := hkdf.Expand(l.hash.New, prk, string([]byte{byte(n >> 8), byte(n)})+"HPKE-v1"+l.suite+label+string(info), n)
	return out
}

func numbers(name string, ids ...uint16) string {
	b := []byte(name)
	for _, id := range ids {
		b = binary.BigEndian.AppendUint16(b, id)
	}
	return string(b)
}

// ECHConfirmation is what a server that took the encrypted hello writes into its ServerHello,
// or if retry into its HelloRetryRequest (RFC 9849 7.2, 7.2.1). random is the inner hello's.
// The messages are those through that one, with zeros where the confirmation stands: the inner
// hellos, and in place of the first [MessageHash] of it where a HelloRetryRequest followed.
func ECHConfirmation(s *Suite, random []byte, retry bool, messages ...[]byte) []byte {
	label := "ech accept confirmation"
	if retry {
		label = "hrr ech accept confirmation"
	}
	if !s.Hash.Available() {
		return nil
	}
	return ExpandLabel(s.Hash, Extract(s.Hash, nil, random), label, digest(s.Hash, messages), 8)
}
