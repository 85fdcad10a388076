package quic

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"

	"golang.org/x/crypto/chacha20"

	"explainer/capture/keys"
)

// A protection is the keys of one direction's packets under one secret (RFC 9001 5).
type protection struct {
	suite  *keys.Suite
	prefix string
	secret []byte
	aead   cipher.AEAD
	iv     [12]byte
	// Header protection does not change with the keys (RFC 9001 6.1). Where block is nil it is ChaCha20's.
	block  cipher.Block
	chacha []byte
	ahead  []*protection // of one that is tried: those behind the next updates, as far as they were needed
}

// LabelPrefix returns what the labels begin with by which a version makes the keys of its packets
// of a secret: "key", "iv" (12 bytes) and "hp", and "ku" for the next secret (RFC 9001 5.1 and 6.1,
// RFC 9369 3.3.2).
func LabelPrefix(version uint32) string {
	if version == Version2 || version == draftV2 {
		return "quicv2 "
	}
	return "quic "
}

// newProtection makes the keys of a secret, nil where the suite is none of QUIC's or the
// secret has not the length of its hash.
func newProtection(prefix string, suite *keys.Suite, secret []byte) *protection {
	p := &protection{suite: suite, prefix: prefix, secret: secret}
	if !suite.TLS13 || suite.TagLen != tagLen || !suite.Hash.Available() || len(secret) != suite.Hash.Size() || !p.derive() {
		return nil
	}
	hp := keys.ExpandLabel(suite.Hash, secret, prefix+"hp", nil, suite.KeyLen)
	if suite.Cipher == keys.ChaCha20Poly1305 {
		p.chacha = hp
		return p
	}
	var err error
	if p.block, err = aes.NewCipher(hp); err != nil {
		return nil
	}
	return p
}

// derive makes the key and the IV.
func (p *protection) derive() bool {
	copy(p.iv[:], keys.ExpandLabel(p.suite.Hash, p.secret, p.prefix+"iv", nil, len(p.iv)))
	var err error
	p.aead, err = keys.NewAEAD(p.suite, keys.ExpandLabel(p.suite.Hash, p.secret, p.prefix+"key", nil, p.suite.KeyLen))
	return err == nil
}

// next makes the keys behind an update (RFC 9001 6.1).
func (p *protection) next() *protection {
	q := *p
	q.secret = keys.ExpandLabel(p.suite.Hash, p.secret, p.prefix+"ku", nil, p.suite.Hash.Size())
	q.ahead = nil
	q.derive()
	return &q
}

// after returns the keys behind n updates, 0 for its own. They are kept: where a packet is looked
// for, they are tried for each length that it may have.
func (p *protection) after(n int) *protection {
	for len(p.ahead) < n {
		p.ahead = append(p.ahead, p.after(len(p.ahead)).next())
	}
	if n == 0 {
		return p
	}
	return p.ahead[n-1]
}

// mask makes the mask of header protection from a sample of 16 bytes (RFC 9001 5.4).
func (p *protection) mask(sample []byte) (mask [16]byte) {
	if p.block != nil {
		p.block.Encrypt(mask[:], sample)
		return mask
	}
	c, err := chacha20.NewUnauthenticatedCipher(p.chacha, sample[4:16])
	if err != nil {
		return mask // never: the lengths are right
	}
	c.SetCounter(binary.LittleEndian.Uint32(sample))
	c.XORKeyStream(mask[:5], mask[:5])
	return mask
}

const maxHead = 1 + 4 + 1 + 255 + 1 + 255 + 8 + 4 // bytes of a header, but for a token

// unmask takes the protection off a header. at is where the packet number begins; packet has
// at least 4+16 bytes behind that. It returns the header, appended to dst, and what is there of the packet number.
func (p *protection) unmask(dst, packet []byte, at int) (head []byte, truncated uint64, n int) {
	mask := p.mask(packet[at+4 : at+4+16]) // RFC 9001 5.4.2: the sample stands as if the packet number had 4 bytes
	head = append(dst, packet[:at+4]...)
	if head[0]&0x80 != 0 {
		head[0] ^= mask[0] & 0x0f
	} else {
		head[0] ^= mask[0] & 0x1f
	}
	n = int(head[0]&3) + 1
	head = head[:at+n]
	for i := range n {
		head[at+i] ^= mask[1+i]
		truncated = truncated<<8 | uint64(head[at+i])
	}
	return head, truncated, n
}

// open decrypts the content of a packet behind its header, and appends it to dst.
func (p *protection) open(dst []byte, number uint64, head, sealed []byte) ([]byte, bool) {
	nonce := p.iv
	tail := nonce[4:]
	binary.BigEndian.PutUint64(tail, binary.BigEndian.Uint64(tail)^number)
	out, err := p.aead.Open(dst, nonce[:], sealed, head)
	return out, err == nil
}
