package keys

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/rand"
	"encoding/hex"
	"testing"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestECHSecret holds the KEM against RFC 9180 A.1.1.
func TestECHSecret(t *testing.T) {
	private, err := ecdh.X25519().NewPrivateKey(unhex(t, "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8"))
	if err != nil {
		t.Fatal(err)
	}
	got := ECHSecret(private, unhex(t, "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"))
	if want := unhex(t, "fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc"); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	if ECHSecret(private, []byte{1}) != nil {
		t.Error("a secret of what is no key")
	}
}

// TestECHOpener: what crypto/hpke seals opens with the shared secret alone, with every KDF and AEAD, twice in
// a row, and not with another secret, in another place or beside other data.
func TestECHOpener(t *testing.T) {
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := hpke.NewDHKEMPublicKey(private.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	config := []byte("\xfe\x0d and so on")
	for kdf := uint16(1); kdf <= 3; kdf++ {
		for aead := uint16(1); aead <= 3; aead++ {
			f, err := hpke.NewKDF(kdf)
			if err != nil {
				t.Fatal(err)
			}
			a, err := hpke.NewAEAD(aead)
			if err != nil {
				t.Fatal(err)
			}
			enc, sender, err := hpke.NewSender(public, f, a, append([]byte("tls ech\x00"), config...))
			if err != nil {
				t.Fatal(err)
			}
			o := NewECHOpener(config, ECHSecret(private, enc), 0x0020, kdf, aead)
			for n := range uint64(2) {
				sealed, err := sender.Seal([]byte("outer"), []byte("a hello"))
				if err != nil {
					t.Fatal(err)
				}
				if plain, ok := o.Open(n, []byte("outer"), sealed); !ok || string(plain) != "a hello" {
					t.Errorf("%d %d: %q, %v", kdf, aead, plain, ok)
				}
				if _, ok := o.Open(n+1, []byte("outer"), sealed); ok {
					t.Error("opens in another place")
				}
				if _, ok := o.Open(n, []byte("other"), sealed); ok {
					t.Error("opens beside other data")
				}
			}
		}
	}
	if NewECHOpener(config, make([]byte, 32), 0x0020, 0x0010, 1) != nil || NewECHOpener(config, make([]byte, 32), 0x0020, 1, 0xffff) != nil {
		t.Error("an opener of algorithms that are not known")
	}
}
