package keys_test

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"explainer/capture/keys"
)

func unhex(s string) []byte {
	return must(hex.DecodeString(strings.ReplaceAll(s, " ", "")))
}

func equal(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if !bytes.Equal(got, unhex(want)) {
		t.Errorf("%s is %x, not %s", what, got, want)
	}
}

// A published vector of P_SHA256; the other PRFs are tried by real handshakes.
func TestPRF12(t *testing.T) {
	equal(t, "P_SHA256", keys.PRF(0x0303, crypto.SHA256, unhex("9bbe436ba940f017b17652849a71db35"), "test label", unhex("a0ba9f936cda311827a6f796ffd5198c"), 100),
		"e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66")
}

// RFC 8448 3: what each traffic secret is expanded to.
func TestTLS13Vectors(t *testing.T) {
	suite, _ := keys.SuiteByID(0x1301)
	for _, v := range []struct{ name, secret, key, iv string }{
		{"client handshake", "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21", "dbfaa693d1762c5b666af5d950258d01", "5bd3c71b836e0b76bb73265f"},
		{"server handshake", "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38", "3fce516009c21727d0f2e4e86ee403bc", "5d313eb2671276ee13000b30"},
		{"client application", "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5", "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9"},
		{"server application", "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643", "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984"},
	} {
		key, iv := keys.TrafficKeys(suite, unhex(v.secret))
		equal(t, v.name+" key", key, v.key)
		equal(t, v.name+" IV", iv, v.iv)
	}
	equal(t, "the server's finished key", keys.FinishedKey(suite, unhex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")),
		"008d3b66f816ea559f96b537e885c31fc068bf492c652f01f288a1d8cdc19fc8")
	equal(t, "the client's finished key", keys.FinishedKey(suite, unhex("b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21")),
		"b80ad01015fb2f0bd65ff7d4da5d6bf83f84821d1f87fdc7d3c75b5a7b42d9c4")
}

// RFC 8448 3: from the shared secret of the key exchange to every secret.
func TestTLS13Tree(t *testing.T) {
	const h = crypto.SHA256
	empty := keys.TranscriptHash(0x0304, h)
	early := keys.Extract(h, nil, nil)
	equal(t, "early secret", early, "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a")
	derived := keys.DeriveSecret(h, early, "derived", empty)
	equal(t, "derived", derived, "6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba")
	handshake := keys.Extract(h, derived, unhex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d"))
	equal(t, "handshake secret", handshake, "1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac")
	hello := unhex("860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8")
	equal(t, "c hs traffic", keys.DeriveSecret(h, handshake, "c hs traffic", hello), "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21")
	equal(t, "s hs traffic", keys.DeriveSecret(h, handshake, "s hs traffic", hello), "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")
	derived = keys.DeriveSecret(h, handshake, "derived", empty)
	equal(t, "derived", derived, "43de77e0c77713859a944db9db2590b53190a65b3ee2e4f12dd7a0bb7ce254b4")
	master := keys.Extract(h, derived, nil)
	equal(t, "master secret", master, "18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919")
	finished := unhex("9608102a0f1ccc6db6250b7b7e417b1a000eaada3daae4777a7686c9ff83df13")
	equal(t, "c ap traffic", keys.DeriveSecret(h, master, "c ap traffic", finished), "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5")
	equal(t, "s ap traffic", keys.DeriveSecret(h, master, "s ap traffic", finished), "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643")
	equal(t, "exp master", keys.DeriveSecret(h, master, "exp master", finished), "fe22f881176eda18eb8f44529e6792c50c9a3f89452f68d8ae311b4309d3cf50")
	resumption := keys.DeriveSecret(h, master, "res master", unhex("209145a96ee8e2a122ff810047cc952684658d6049e86429426db87c54ad143d"))
	equal(t, "res master", resumption, "7df235f2031d2a051287d02b0241b0bfdaf86cc856231f2d5aba46c434ec196c")
	equal(t, "pre-shared key", keys.ExpandLabel(h, resumption, "resumption", unhex("0000"), 32), "4ecd0eb6ec3b4d87f5d6028f922ca4c5851a277fd41311c9e62d2c9492e1c4f3")
}

// RFC 8448 3: the client's first record under the application keys, which holds the bytes 0 to 49.
func TestTLS13Record(t *testing.T) {
	suite, _ := keys.SuiteByID(0x1301)
	o, err := keys.NewTLS13(suite, unhex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"))
	if err != nil {
		t.Fatal(err)
	}
	var content []byte
	for i := range byte(50) {
		content = append(content, i)
	}
	fragment := unhex("a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4")
	sealed, err := o.Seal(nil, 23, 0x0303, content)
	if err != nil || !bytes.Equal(sealed, fragment) {
		t.Errorf("sealed: %x, %v", sealed, err)
	}
	if o, err = keys.NewTLS13(suite, unhex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5")); err != nil {
		t.Fatal(err)
	}
	if plain, inner, err := o.Open(nil, 23, 0x0303, fragment); err != nil || inner != 23 || !bytes.Equal(plain, content) {
		t.Errorf("opened: %x, type %d, %v", plain, inner, err)
	}
}

func TestCertificateVerifyContent(t *testing.T) {
	// RFC 8446 4.4.3 has this example, for a transcript hash of 32 bytes of 01.
	want := strings.Repeat("20", 64) + "544c5320312e332c20736572766572204365727469666963617465566572696679" + "00" + strings.Repeat("01", 32)
	equal(t, "the server's content", keys.CertificateVerifyContent(false, bytes.Repeat([]byte{1}, 32)), want)
	if c := keys.CertificateVerifyContent(true, nil); !bytes.Contains(c, []byte("  TLS 1.3, client CertificateVerify\x00")) {
		t.Errorf("the client's content is %q", c)
	}
}

// A suite whose hash is not here, such as GOST's, must not stop the program.
func TestUnknownHash(t *testing.T) {
	for _, id := range []uint16{0xc100, 0x00c6, 0x0000} {
		s, ok := keys.SuiteByID(id)
		if !ok || s.Hash != 0 || s.Openable() {
			t.Fatalf("%#04x is %+v", id, s)
		}
		random := make([]byte, 32)
		key, iv := keys.TrafficKeys(s, random)
		for name, got := range map[string][]byte{
			"PRF":            keys.PRF(0x0303, s.Hash, random, "l", random, 12),
			"MasterSecret":   keys.MasterSecret(0x0303, s.Hash, random, random, random),
			"VerifyData":     keys.VerifyData(0x0303, s.Hash, random, true, random),
			"TranscriptHash": keys.TranscriptHash(0x0303, s.Hash, random),
			"VerifyData13":   keys.VerifyData13(s, random, random),
			"MessageHash":    keys.MessageHash(s, random),
			"Next":           keys.NextTrafficSecret(s, random),
			"FinishedKey":    keys.FinishedKey(s, random),
			"key":            key,
			"IV":             iv,
			"key block":      keys.NewKeyBlock(0x0303, s, random, random, random).ClientKey,
		} {
			if got != nil {
				t.Errorf("%s: %s is %x", s.Name, name, got)
			}
		}
		if _, _, err := keys.NewTLS12(0x0303, s, make([]byte, 48), random, random, false); err == nil {
			t.Errorf("%s: records can be opened", s.Name)
		}
		if _, err := keys.NewTLS13(s, random); err == nil {
			t.Errorf("%s: records can be opened", s.Name)
		}
	}
}

func TestSuites(t *testing.T) {
	for _, c := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		s, ok := keys.SuiteByID(c.ID)
		if !ok || s.Name != c.Name || s.ID != c.ID || !s.Openable() || s.TLS13 != (c.SupportedVersions[0] == tls.VersionTLS13) {
			t.Errorf("%#04x %s is %+v", c.ID, c.Name, s)
		}
	}
	openable := 0
	for id := range 1 << 16 {
		s, ok := keys.SuiteByID(uint16(id))
		if !ok {
			continue
		}
		if !s.Openable() {
			continue
		}
		openable++
		// Its openers must be there without an error.
		version := uint16(0x0303)
		var err error
		if s.TLS13 {
			_, err = keys.NewTLS13(s, make([]byte, s.Hash.Size()))
		} else {
			_, _, err = keys.NewTLS12(version, s, make([]byte, 48), make([]byte, 32), make([]byte, 32), true)
		}
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
	t.Logf("%d suites can be opened", openable)
	for _, family := range []string{"RSA", "DHE_RSA", "ECDHE_RSA", "ECDHE_ECDSA", "PSK", "DHE_PSK", "ECDHE_PSK", "RSA_PSK"} {
		found := 0
		for id := range 1 << 16 {
			if s, ok := keys.SuiteByID(uint16(id)); ok && strings.HasPrefix(s.Name, "TLS_"+family+"_WITH_") && s.Openable() {
				found++
			}
		}
		if found < 8 {
			t.Errorf("%d suites of %s can be opened", found, family)
		}
	}
	for _, id := range []uint16{0x0041, 0xc03c, 0x0003, 0x0007, 0xffff, 0xcc13} {
		if s, ok := keys.SuiteByID(id); ok && s.Openable() {
			t.Errorf("%s can be opened", s.Name)
		}
	}
}

// What does not go together is an error, not a wrong opener.
func TestMisuse(t *testing.T) {
	gcm, _ := keys.SuiteByID(0xc02f)
	cbc, _ := keys.SuiteByID(0x002f)
	tls13, _ := keys.SuiteByID(0x1302)
	master, random := make([]byte, 48), make([]byte, 32)
	for name, f := range map[string]func() error{
		"SSL 2.0":           func() error { _, _, err := keys.NewTLS12(0x0002, cbc, master, random, random, false); return err },
		"GCM in SSL 3.0":    func() error { _, _, err := keys.NewTLS12(0x0300, gcm, master, random, random, false); return err },
		"TLS 1.3":           func() error { _, _, err := keys.NewTLS12(0x0304, gcm, master, random, random, false); return err },
		"GCM in TLS 1.1":    func() error { _, _, err := keys.NewTLS12(0x0302, gcm, master, random, random, false); return err },
		"suite of TLS 1.3":  func() error { _, _, err := keys.NewTLS12(0x0303, tls13, master, random, random, false); return err },
		"short master":      func() error { _, _, err := keys.NewTLS12(0x0303, gcm, master[1:], random, random, false); return err },
		"short random":      func() error { _, _, err := keys.NewTLS12(0x0303, gcm, master, random[1:], random, false); return err },
		"no random":         func() error { _, _, err := keys.NewTLS12(0x0303, gcm, master, random, nil, false); return err },
		"suite of TLS 1.2":  func() error { _, err := keys.NewTLS13(gcm, random); return err },
		"secret of SHA-256": func() error { _, err := keys.NewTLS13(tls13, random); return err },
	} {
		if f() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
