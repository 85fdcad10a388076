package keys_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/rc4"
	"crypto/sha1"
	"slices"
	"testing"

	"explainer/capture/keys"
)

// TestSSL30 opens records that were made as RFC 6101 5.2.3.1 and 6.2.2 describe it,
// written down once more.
func TestSSL30(t *testing.T) {
	master, clientRandom, serverRandom := bytes.Repeat([]byte{1}, 48), bytes.Repeat([]byte{2}, 32), bytes.Repeat([]byte{3}, 32)
	var block []byte
	for _, letters := range []string{"A", "BB", "CCC", "DDDD", "EEEEE", "FFFFFF", "GGGGGGG"} {
		sha := sha1.Sum(slices.Concat([]byte(letters), master, serverRandom, clientRandom))
		sum := md5.Sum(slices.Concat(master, sha[:]))
		block = append(block, sum[:]...)
	}
	mac := func(secret []byte, seq, typ byte, content []byte) []byte {
		inner := sha1.Sum(slices.Concat(secret, bytes.Repeat([]byte{0x36}, 40), []byte{0, 0, 0, 0, 0, 0, 0, seq, typ, 0, byte(len(content))}, content))
		outer := sha1.Sum(slices.Concat(secret, bytes.Repeat([]byte{0x5c}, 40), inner[:]))
		return outer[:]
	}
	contents := []string{"hello", "", "a record that is longer than a block of the cipher is"}

	cbc, _ := keys.SuiteByID(0x002f) // TLS_RSA_WITH_AES_128_CBC_SHA
	client, _, err := keys.NewTLS12(0x0300, cbc, master, clientRandom, serverRandom, false)
	if err != nil {
		t.Fatal(err)
	}
	aesBlock, _ := aes.NewCipher(block[40:56])
	encrypter := cipher.NewCBCEncrypter(aesBlock, block[72:88])
	for i, content := range contents {
		plain := append([]byte(content), mac(block[:20], byte(i), 23, []byte(content))...)
		n := 15 - len(plain)%16
		plain = append(plain, bytes.Repeat([]byte{0xaa}, n)...) // any bytes
		plain = append(plain, byte(n))
		encrypter.CryptBlocks(plain, plain)
		got, _, err := client.Open(nil, 23, 0x0300, plain)
		if err != nil || string(got) != content {
			t.Errorf("AES: record %d: %q, %v", i, got, err)
		}
	}

	stream, _ := keys.SuiteByID(0x0005) // TLS_RSA_WITH_RC4_128_SHA
	_, server, err := keys.NewTLS12(0x0300, stream, master, clientRandom, serverRandom, false)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := rc4.NewCipher(block[56:72])
	for i, content := range contents {
		plain := append([]byte(content), mac(block[20:40], byte(i), 23, []byte(content))...)
		key.XORKeyStream(plain, plain)
		got, _, err := server.Open(nil, 23, 0x0300, plain)
		if err != nil || string(got) != content {
			t.Errorf("RC4: record %d: %q, %v", i, got, err)
		}
		plain[0] ^= 1
		if _, _, err := server.Open(nil, 23, 0x0300, plain); err == nil {
			t.Error("a changed record opens")
		}
	}
}
