package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/chacha20"
)

// dtls13 is what labels begin with in DTLS 1.3 (RFC 9147 5.9).
const dtls13 = "dtls13"

// A DTLS13 opens the records of one direction of DTLS 1.3 under one traffic secret, in any order.
type DTLS13 struct {
	suite  *Suite
	secret []byte
	aead   cipher.AEAD
	iv     [12]byte
	// What the numbers in headers are encrypted with. Where block is nil it is ChaCha20.
	block  cipher.Block
	number []byte // its key
}

// NewDTLS13 makes one from a traffic secret: early data, handshake or application (RFC 9147 5.9).
func NewDTLS13(s *Suite, secret []byte) (*DTLS13, error) {
	switch {
	case !s.TLS13:
		return nil, fmt.Errorf("%s is no suite of TLS 1.3", s.Name)
	case !s.Openable():
		return nil, fmt.Errorf("cannot open records of %s", s.Name)
	case len(secret) != s.hashLen():
		return nil, fmt.Errorf("a traffic secret of %s is %d bytes, not %d", s.Name, s.hashLen(), len(secret))
	}
	o := &DTLS13{suite: s, secret: secret}
	copy(o.iv[:], expandLabel(s.Hash, secret, dtls13, "iv", nil, len(o.iv)))
	var err error
	if o.aead, err = NewAEAD(s, expandLabel(s.Hash, secret, dtls13, "key", nil, s.KeyLen)); err != nil {
		return nil, err
	}
	o.number = expandLabel(s.Hash, secret, dtls13, "sn", nil, s.KeyLen)
	if s.Cipher != ChaCha20Poly1305 {
		o.block, err = aes.NewCipher(o.number)
	}
	return o, err
}

// Next makes the opener of the records behind a KeyUpdate (RFC 9147 8).
func (o *DTLS13) Next() *DTLS13 {
	next, err := NewDTLS13(o.suite, expandLabel(o.suite.Hash, o.secret, dtls13, "traffic upd", nil, o.suite.hashLen()))
	if err != nil {
		return nil // never: the suite is one that can be opened
	}
	return next
}

// Secret is the traffic secret.
func (o *DTLS13) Secret() []byte { return o.secret }

// Open decrypts a record, checks its integrity and appends its content to dst. header is its
// header of RFC 9147 4, where the n bytes of the encrypted record number begin at place at, 1 or 2 of
// them; sealed is what follows the header. next is the number behind the highest that was opened:
// the record's is the one nearest to it that ends in these bytes (RFC 9147 4.2.2). inner is the type behind
// the content; padding is dropped. The error is [ErrTag] or wraps [ErrRecord].
func (o *DTLS13) Open(dst, header []byte, at, n int, sealed []byte, next uint64) (plain []byte, inner byte, number uint64, err error) {
	if len(sealed) < 16 || len(sealed) < o.aead.Overhead() {
		return dst, 0, 0, errShort
	}
	var mask [16]byte
	if o.block != nil {
		o.block.Encrypt(mask[:], sealed[:16])
	} else if c, err := chacha20.NewUnauthenticatedCipher(o.number, sealed[4:16]); err == nil {
		c.SetCounter(binary.LittleEndian.Uint32(sealed))
		c.XORKeyStream(mask[:2], mask[:2])
	}
	head := bytes.Clone(header)
	for i := range n {
		head[at+i] ^= mask[i]
		number = number<<8 | uint64(head[at+i])
	}
	size := uint64(1) << (8 * n)
	number |= next &^ (size - 1)
	switch {
	case number+size/2 <= next:
		number += size
	case number > next+size/2 && number >= size:
		number -= size
	}
	nonce := o.iv
	tail := nonce[4:]
	binary.BigEndian.PutUint64(tail, binary.BigEndian.Uint64(tail)^number)
	out, err := o.aead.Open(dst, nonce[:], sealed, head)
	if err != nil {
		return dst, 0, 0, ErrTag
	}
	content := bytes.TrimRight(out[len(dst):], "\x00")
	if len(content) == 0 {
		return dst, 0, 0, errType
	}
	return out[:len(dst)+len(content)-1], content[len(content)-1], number, nil
}

// VerifyDataDTLS13 is [VerifyData13] of DTLS 1.3. The messages in transcriptHash have headers of 4
// bytes, as in TLS (RFC 9147 5.2).
func VerifyDataDTLS13(s *Suite, trafficSecret, transcriptHash []byte) []byte {
	if !s.Hash.Available() {
		return nil
	}
	mac := newHMAC(s.Hash, expandLabel(s.Hash, trafficSecret, dtls13, "finished", nil, s.hashLen()))
	mac.Write(transcriptHash)
	return mac.Sum(nil)
}
