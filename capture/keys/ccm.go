package keys

import (
	"bytes"
	"crypto/cipher"
	"crypto/subtle"
	"slices"
)

// ccm is AES-CCM with 12-byte nonces, so with 3 bytes of length (RFC 3610, 6655).
type ccm struct {
	block  cipher.Block // of 16 bytes
	tagLen int
}

const (
	ccmNonceLen      = 12
	ccmMaxLen        = 1<<24 - 1 // bytes of plaintext
	ccmMaxAdditional = 0xfeff    // bytes; more need another form of length
)

func (c *ccm) NonceSize() int { return ccmNonceLen }
func (c *ccm) Overhead() int  { return c.tagLen }

func (c *ccm) Seal(dst, nonce, plaintext, additional []byte) []byte {
	if len(plaintext) > ccmMaxLen || len(additional) > ccmMaxAdditional {
		panic("keys: too long for CCM")
	}
	tag := c.tag(nonce, plaintext, additional)
	n := len(dst)
	dst = slices.Grow(dst, len(plaintext)+c.tagLen)[:n+len(plaintext)]
	c.crypt(dst[n:], plaintext, &tag, nonce)
	return append(dst, tag[:c.tagLen]...)
}

func (c *ccm) Open(dst, nonce, ciphertext, additional []byte) ([]byte, error) {
	if len(ciphertext) < c.tagLen || len(ciphertext)-c.tagLen > ccmMaxLen || len(additional) > ccmMaxAdditional {
		return nil, ErrTag
	}
	text, sealed := ciphertext[:len(ciphertext)-c.tagLen], ciphertext[len(ciphertext)-c.tagLen:]
	var got [16]byte
	copy(got[:], sealed)
	n := len(dst)
	dst = slices.Grow(dst, len(text))[:n+len(text)]
	c.crypt(dst[n:], text, &got, nonce)
	tag := c.tag(nonce, dst[n:], additional)
	if !bytes.Equal(got[:c.tagLen], tag[:c.tagLen]) {
		clear(dst[n:])
		return nil, ErrTag
	}
	return dst, nil
}

// tag is the CBC-MAC before its encryption (RFC 3610 2.2).
func (c *ccm) tag(nonce, plaintext, additional []byte) (x [16]byte) {
	x[0] = byte((c.tagLen-2)/2<<3 | 2) // flags; 2 stands for 3 bytes of length
	if len(additional) > 0 {
		x[0] |= 1 << 6
	}
	copy(x[1:], nonce)
	x[13], x[14], x[15] = byte(len(plaintext)>>16), byte(len(plaintext)>>8), byte(len(plaintext))
	c.block.Encrypt(x[:], x[:])
	if len(additional) > 0 { // its length in 2 bytes and then itself; TLS has 13 at most
		first := [16]byte{byte(len(additional) >> 8), byte(len(additional))}
		additional = additional[copy(first[2:], additional):]
		c.mac(&x, first[:])
		c.mac(&x, additional)
	}
	c.mac(&x, plaintext)
	return x
}

// mac goes on with the CBC-MAC x over data, which it fills up with zeros.
func (c *ccm) mac(x *[16]byte, data []byte) {
	for len(data) > 0 {
		data = data[subtle.XORBytes(x[:], x[:], data):]
		c.block.Encrypt(x[:], x[:])
	}
}

// crypt encrypts or decrypts the tag, under counter 0, and the text, from counter 1 on (RFC 3610 2.3).
func (c *ccm) crypt(dst, src []byte, tag *[16]byte, nonce []byte) {
	var counter [16]byte
	counter[0] = 2 // 3 bytes of counter
	copy(counter[1:], nonce)
	stream := cipher.NewCTR(c.block, counter[:])
	stream.XORKeyStream(tag[:], tag[:])
	stream.XORKeyStream(dst, src)
}
