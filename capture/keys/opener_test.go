package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// NIST SP 800-38C, example 2 (6-byte nonce) is out of our range; example 3 has 12 bytes, two blocks of additional data and a tag of 8.
func TestCCMVector(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	block, err := aes.NewCipher(unhex("404142434445464748494a4b4c4d4e4f"))
	if err != nil {
		t.Fatal(err)
	}
	c := &ccm{block, 8}
	nonce, additional := unhex("101112131415161718191a1b"), unhex("000102030405060708090a0b0c0d0e0f10111213")
	plain := unhex("202122232425262728292a2b2c2d2e2f3031323334353637")
	sealed := c.Seal(nil, nonce, plain, additional)
	if want := unhex("e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951"); !bytes.Equal(sealed, want) {
		t.Errorf("sealed: %x, not %x", sealed, want)
	}
	if opened, err := c.Open([]byte("x"), nonce, sealed, additional); err != nil || !bytes.Equal(opened[1:], plain) {
		t.Errorf("opened: %x, %v", opened, err)
	}
}

// pair makes two openers of the same keys for a suite that can be opened.
func pair(t testing.TB, id, version uint16, etm bool) (a, b *Opener) {
	t.Helper()
	s, ok := SuiteByID(id)
	if !ok {
		t.Fatalf("no suite %#04x", id)
	}
	open := func() *Opener {
		var o *Opener
		var err error
		if s.TLS13 {
			o, err = NewTLS13(s, bytes.Repeat([]byte{7}, s.hashLen()))
		} else {
			o, _, err = NewTLS12(version, s, bytes.Repeat([]byte{7}, 48), make([]byte, 32), make([]byte, 32), etm)
		}
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	return open(), open()
}

// seal is Seal for the suites with a MAC too, with padding bytes after the least number.
func (o *Opener) seal(t testing.TB, typ byte, version uint16, plain []byte, padding int) []byte {
	if o.aead != nil {
		sealed, err := o.Seal(nil, typ, version, plain)
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	mac := func(content []byte) []byte {
		o.macIs(nil, typ, version, content)
		return o.sum
	}
	out := bytes.Clone(plain)
	if !o.etm {
		out = append(out, mac(plain)...)
	}
	switch {
	case o.stream != nil:
		o.stream.XORKeyStream(out, out)
	case o.block != nil:
		size := o.block.BlockSize()
		n := size - 1 - len(out)%size + size*padding
		out = append(out, bytes.Repeat([]byte{byte(n)}, n+1)...)
		iv := o.chainIV
		if o.explicitIV {
			iv = bytes.Repeat([]byte{byte(o.seq)}, size)
		}
		cipher.NewCBCEncrypter(o.block, iv).CryptBlocks(out, out)
		if o.explicitIV {
			out = append(iv, out...)
		} else {
			o.chainIV = bytes.Clone(out[len(out)-size:])
		}
	}
	if o.etm {
		out = append(out, mac(out)...)
	}
	o.seq++
	return out
}

type kind struct {
	id, version uint16
	etm         bool
}

func (k kind) String() string {
	s, _ := SuiteByID(k.id)
	name := fmt.Sprintf("%s/%#04x", s.Name, k.version)
	if k.etm {
		name += "/etm"
	}
	return name
}

// kinds has each way of protecting records once.
func kinds() (all []kind) {
	for _, id := range []uint16{0x1301, 0x1302, 0x1303, 0x1304, 0x1305, 0xc02f, 0xc030, 0xcca8, 0xc09c, 0xc0a0, 0xc0a1} {
		all = append(all, kind{id, versionTLS12, false})
	}
	for version := uint16(versionTLS10); version <= versionTLS12; version++ {
		for _, id := range []uint16{0x0001, 0x0002, 0x0005, 0x000a, 0x002f, 0x0035} {
			all = append(all, kind{id, version, false})
			if s, _ := SuiteByID(id); s.Cipher.CBC() {
				all = append(all, kind{id, version, true})
			}
		}
	}
	return append(all, kind{0x003d, versionTLS12, false}, kind{0xc028, versionTLS12, true})
}

// Records of every length open in order, and in no other order.
func TestRoundTrip(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.String(), func(t *testing.T) {
			sealer, opener := pair(t, k.id, k.version, k.etm)
			var sealed, plain [][]byte
			for n := range 70 {
				plain = append(plain, bytes.Repeat([]byte{byte(n), 0}, n))
			}
			plain = append(plain, make([]byte, 1<<14))
			for i, p := range plain {
				sealed = append(sealed, sealer.seal(t, 23, k.version, p, i%14))
			}
			for i := range sealed {
				if opener.Seq() != uint64(i) {
					t.Fatalf("Seq is %d before record %d", opener.Seq(), i)
				}
				for _, j := range []int{i + 1, i + 2, i - 1} {
					if j < 0 || j >= len(sealed) {
						continue
					}
					if p, _, err := opener.Open(nil, 23, k.version, sealed[j]); err == nil {
						t.Fatalf("record %d opened in place of %d: %x", j, i, p)
					}
				}
				got, inner, err := opener.Open([]byte("kept"), 23, k.version, sealed[i])
				if err != nil || inner != 23 || !bytes.Equal(got, append([]byte("kept"), plain[i]...)) {
					t.Fatalf("record %d: %d bytes for %d, type %d, %v", i, len(got), len(plain[i]), inner, err)
				}
			}
		})
	}
}

// TLS 1.3 hides the content's type and may pad it with zeros (RFC 8446 5.4).
func TestInnerType(t *testing.T) {
	for _, c := range []struct {
		inside string // all but the last byte, which is 0
		want   string
		typ    byte
	}{
		{"content\x17", "content", 23},
		{"content\x17\x00\x00\x00", "content", 23},
		{"content\x00\x16", "content\x00", 22},
		{"\x15", "", 21},
	} {
		sealer, opener := pair(t, 0x1301, 0, false)
		got, inner, err := opener.Open(nil, 23, versionTLS12, sealer.seal(t, 0, 0, []byte(c.inside), 0))
		if err != nil || string(got) != c.want || inner != c.typ {
			t.Errorf("%q opens as %q, type %d, %v", c.inside, got, inner, err)
		}
	}
	for n := range 3 {
		sealer, opener := pair(t, 0x1301, 0, false)
		if _, _, err := opener.Open(nil, 23, versionTLS12, sealer.seal(t, 0, 0, make([]byte, n), 0)); !errors.Is(err, ErrRecord) || opener.Seq() != 0 {
			t.Errorf("%d zeros and no type: %v, Seq %d", n, err, opener.Seq())
		}
	}
}

// All of the padding is checked, up to its greatest length.
func TestPadding(t *testing.T) {
	for _, version := range []uint16{versionTLS10, versionTLS12} {
		sealer, _ := pair(t, 0x002f, version, false)
		sealed := sealer.seal(t, 23, version, []byte("twelve bytes"), 15) // with a MAC of 20: 256 bytes of padding
		if want := 12 + 20 + 256; len(sealed) != want && len(sealed) != want+16 {
			t.Fatalf("the record is %d bytes", len(sealed))
		}
		for back := 17; back <= 256; back++ { // a change here shows in the padding 16 bytes on, and garbles the block it is in
			_, opener := pair(t, 0x002f, version, false)
			sealed[len(sealed)-back] ^= 1
			if _, _, err := opener.Open(nil, 23, version, sealed); !errors.Is(err, ErrRecord) {
				t.Fatalf("version %#04x, byte %d from the end changed: %v", version, back, err)
			}
			sealed[len(sealed)-back] ^= 1
		}
		_, opener := pair(t, 0x002f, version, false)
		if _, _, err := opener.Open(nil, 23, version, sealed); err != nil {
			t.Error(err)
		}
	}
}

func TestSealNeedsAEAD(t *testing.T) {
	o, _ := pair(t, 0x002f, versionTLS12, false)
	if _, err := o.Seal(nil, 23, versionTLS12, nil); err == nil || o.Seq() != 0 {
		t.Errorf("CBC: %v, Seq %d", err, o.Seq())
	}
}

// The hot path does not allocate.
func TestAllocations(t *testing.T) {
	for _, k := range []kind{{0x1301, versionTLS12, false}, {0x1302, versionTLS12, false}, {0x1303, versionTLS12, false},
		{0xc02f, versionTLS12, false}, {0xc030, versionTLS12, false}, {0xcca8, versionTLS12, false}} {
		sealer, opener := pair(t, k.id, k.version, false)
		sealed := sealer.seal(t, 23, k.version, make([]byte, 1000), 0)
		buf := make([]byte, 0, 2000)
		wrong := bytes.Clone(sealed)
		wrong[100] ^= 1
		if n := testing.AllocsPerRun(100, func() {
			opener.seq = 0
			if _, _, err := opener.Open(buf[:0], 23, k.version, wrong); err == nil {
				t.Error("a changed record opens")
			}
			if _, _, err := opener.Open(buf[:0], 23, k.version, sealed); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%v: %v allocations", k, n)
		}
	}
}

func FuzzOpen(f *testing.F) {
	for i, k := range kinds() {
		o, _ := pair(f, k.id, k.version, k.etm)
		f.Add(byte(i), byte(23), k.version, o.seal(f, 23, k.version, []byte("GET / HTTP/1.1\r\n\r\n"), 1))
		f.Add(byte(i), byte(22), k.version, []byte{})
	}
	all := kinds()
	f.Fuzz(func(t *testing.T, which, typ byte, version uint16, data []byte) {
		k := all[int(which)%len(all)]
		if len(data) > 1<<14 {
			return
		}
		sealer, opener := pair(t, k.id, k.version, k.etm)
		if got, inner, err := opener.Open([]byte("kept"), typ, version, data); err != nil {
			if !errors.Is(err, ErrTag) && !errors.Is(err, ErrRecord) || string(got) != "kept" || inner != 0 || opener.Seq() != 0 {
				t.Errorf("%v: %q, %d, %v, Seq %d", k, got, inner, err, opener.Seq())
			}
		} else {
			sealer.seq, sealer.chainIV = opener.seq, opener.chainIV
			if sealer.stream != nil {
				*sealer.stream = *opener.stream
			}
		}
		// A record that could not be opened leaves the next one openable.
		if sealer.tls13 && typ == 0 {
			typ = 23
		}
		header, headerVersion := typ, version
		if sealer.tls13 {
			header, headerVersion = 23, versionTLS12
		}
		sealed := sealer.seal(t, typ, version, data, 0)
		got, inner, err := opener.Open(nil, header, headerVersion, sealed)
		if err != nil || inner != typ || !bytes.Equal(got, data) {
			t.Errorf("%v: %x opens as %x, type %d, %v", k, data, got, inner, err)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	for _, k := range []kind{{0x1301, versionTLS12, false}, {0x1302, versionTLS12, false}, {0x1303, versionTLS12, false}, {0x1304, versionTLS12, false},
		{0xc02f, versionTLS12, false}, {0xcca8, versionTLS12, false}, {0x002f, versionTLS12, false}, {0x002f, versionTLS12, true}, {0x003c, versionTLS12, false}, {0x0005, versionTLS12, false}} {
		b.Run(k.String(), func(b *testing.B) {
			sealer, opener := pair(b, k.id, k.version, k.etm)
			const size = 16 << 10
			sealed := sealer.seal(b, 23, k.version, make([]byte, size), 0)
			buf := make([]byte, 0, size+512)
			fresh := opener.stream
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				opener.seq = 0
				if fresh != nil {
					stream := *fresh
					opener.stream = &stream
				}
				if _, _, err := opener.Open(buf[:0], 23, k.version, sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestBare: a draft of TLS 1.3 in which headers are not authenticated is not one in
// which they are. TestTshark opens records of a real one.
func TestBare(t *testing.T) {
	a, b := pair(t, 0x1301, 0x0304, false)
	_, strict := pair(t, 0x1301, 0x0304, false)
	a.Bare()
	b.Bare()
	sealed, err := a.Seal(nil, 23, 0x0303, []byte("GET /"))
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []uint16{0x0301, 0x0303} {
		b, strict := *b, *strict // before its first record
		if plain, inner, err := b.Open(nil, 23, version, sealed); err != nil || string(plain) != "GET /" || inner != 23 {
			t.Errorf("%q, type %d, %v", plain, inner, err)
		}
		if _, _, err := strict.Open(nil, 23, version, sealed); !errors.Is(err, ErrTag) {
			t.Errorf("opened with its header: %v", err)
		}
	}
}

// TestOpenDTLSWithMAC opens records of DTLS 1.2 with a connection ID under a suite with a MAC, sealed here as RFC 9146 5.1
// and 5.2 say, in any order.
func TestOpenDTLSWithMAC(t *testing.T) {
	suite, _ := SuiteByID(0xc027) // ECDHE_RSA_WITH_AES_128_CBC_SHA256
	master, random := bytes.Repeat([]byte{7}, 48), bytes.Repeat([]byte{9}, 32)
	keys := NewKeyBlock(versionTLS12, suite, master, random, random)
	block, err := aes.NewCipher(keys.ClientKey)
	if err != nil {
		t.Fatal(err)
	}
	cid, content := []byte{1, 2, 3}, []byte("hello")
	mac := func(number uint64, length int, over []byte) []byte {
		h := hmac.New(sha256.New, keys.ClientMAC)
		h.Write([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 25, byte(len(cid)), 25, 0xfe, 0xfd})
		h.Write(binary.BigEndian.AppendUint64(nil, number))
		h.Write(cid)
		h.Write([]byte{byte(length >> 8), byte(length)})
		h.Write(over)
		return h.Sum(nil)
	}
	encrypt := func(b []byte) []byte {
		iv := bytes.Repeat([]byte{byte(len(b))}, 16)
		n := 16 - len(b)%16
		b = append(b, bytes.Repeat([]byte{byte(n - 1)}, n)...)
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(b, b)
		return append(iv, b...)
	}
	for _, etm := range []bool{false, true} {
		o, _, err := NewTLS12(versionTLS12, suite, master, random, random, etm)
		if err != nil {
			t.Fatal(err)
		}
		for _, number := range []uint64{1<<48 + 5, 1 << 48, 1<<48 + 5} {
			inner := append(slices.Clone(content), 23, 0, 0, 0)
			var record []byte
			if etm {
				record = encrypt(inner)
				record = append(record, mac(number, len(record), record)...)
			} else {
				record = encrypt(append(inner, mac(number, len(inner), inner)...))
			}
			plain, typ, err := o.OpenDTLS(nil, number, cid, TypeCID, 0xfefd, record)
			if err != nil || typ != 23 || !bytes.Equal(plain, content) {
				t.Errorf("encrypt-then-MAC %v, number %x: %q of type %d, %v", etm, number, plain, typ, err)
			}
			if _, _, err := o.OpenDTLS(nil, number+1, cid, TypeCID, 0xfefd, record); err == nil {
				t.Errorf("encrypt-then-MAC %v: opened as another number's", etm)
			}
			if _, _, err := o.OpenDTLS(nil, number, cid[1:], TypeCID, 0xfefd, record); err == nil {
				t.Errorf("encrypt-then-MAC %v: opened with another connection ID", etm)
			}
		}
	}
}
