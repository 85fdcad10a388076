package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"encoding/binary"
	"testing"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"
)

// sealDTLS13 seals a record as RFC 9147 4 says.
func sealDTLS13(t *testing.T, s *Suite, secret, header []byte, at, n int, number uint64, inner []byte) (head, sealed []byte) {
	t.Helper()
	expand := func(label string, n int) []byte {
		info := append([]byte{0, byte(n), byte(6 + len(label))}, "dtls13"+label+"\x00"...)
		out, err := hkdf.Expand(s.Hash.New, secret, string(info), n)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	key, nonce, sn := expand("key", s.KeyLen), expand("iv", 12), expand("sn", s.KeyLen)
	for i, b := range binary.BigEndian.AppendUint64(nil, number) {
		nonce[4+i] ^= b
	}
	head = bytes.Clone(header)
	for i := range n {
		head[at+i] = byte(number >> (8 * (n - 1 - i)))
	}
	var mask [16]byte
	if s.Cipher == ChaCha20Poly1305 {
		aead, err := chacha20poly1305.New(key)
		if err != nil {
			t.Fatal(err)
		}
		sealed = aead.Seal(nil, nonce, inner, head)
		c, err := chacha20.NewUnauthenticatedCipher(sn, sealed[4:16])
		if err != nil {
			t.Fatal(err)
		}
		c.SetCounter(binary.LittleEndian.Uint32(sealed[:4]))
		c.XORKeyStream(mask[:], mask[:])
	} else {
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			t.Fatal(err)
		}
		sealed = aead.Seal(nil, nonce, inner, head)
		if block, err = aes.NewCipher(sn); err != nil {
			t.Fatal(err)
		}
		block.Encrypt(mask[:], sealed[:16])
	}
	for i := range n {
		head[at+i] ^= mask[i]
	}
	return head, sealed
}

// TestDTLS13 opens records with numbers of one and two bytes, around the places where these begin anew, with a
// connection ID and without, and behind a KeyUpdate.
func TestDTLS13(t *testing.T) {
	for _, id := range []uint16{0x1301, 0x1302, 0x1303} {
		s, _ := SuiteByID(id)
		secret := bytes.Repeat([]byte{byte(id)}, s.Hash.Size())
		o, err := NewDTLS13(s, secret)
		if err != nil {
			t.Fatal(err)
		}
		next := o.Next()
		for _, r := range []struct {
			header       []byte
			at, n        int
			number, near uint64
		}{
			{[]byte{0x2e, 0, 0, 0, 30}, 1, 2, 0, 0},
			{[]byte{0x2e, 0, 0, 0, 30}, 1, 2, 40000, 32769},
			{[]byte{0x22, 0}, 1, 1, 127, 0},
			{[]byte{0x22, 0}, 1, 1, 255, 257},
			{[]byte{0x22, 0}, 1, 1, 256, 255},
			{[]byte{0x22, 0}, 1, 1, 300, 400},
			{[]byte{0x3e, 7, 8, 9, 0, 0, 0, 30}, 4, 2, 1<<16 + 1, 1<<16 - 3},
			{[]byte{0x3a, 7, 8, 9, 0, 0}, 4, 2, 1<<16 - 1, 1<<16 + 9},
		} {
			for i, o := range []*DTLS13{o, next} {
				head, sealed := sealDTLS13(t, s, o.Secret(), r.header, r.at, r.n, r.number, []byte("hello\x17\x00\x00"))
				plain, typ, number, err := o.Open(nil, head, r.at, r.n, sealed, r.near)
				if err != nil || typ != 23 || string(plain) != "hello" || number != r.number {
					t.Errorf("%s, number %d near %d: %q of type %d, number %d, %v", s.Name, r.number, r.near, plain, typ, number, err)
				}
				if _, _, _, err := []*DTLS13{next, o}[i].Open(nil, head, r.at, r.n, sealed, r.near); i == 0 && err == nil {
					t.Errorf("%s: opened with the keys behind the update", s.Name)
				}
				head[0] ^= 0x10
				if _, _, _, err := o.Open(nil, head, r.at, r.n, sealed, r.near); err == nil {
					t.Errorf("%s: opened with another header", s.Name)
				}
			}
		}
		if _, _, _, err := o.Open(nil, []byte{0x22, 0}, 1, 1, make([]byte, 15), 0); err == nil {
			t.Error("opened 15 bytes")
		}
	}
}
