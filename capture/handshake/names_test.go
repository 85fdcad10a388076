package handshake

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestNamesOfTheStandardLibrary(t *testing.T) {
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if got := SuiteName(s.ID); got != s.Name {
			t.Errorf("SuiteName(%#04x) = %q, want %q", s.ID, got, s.Name)
		}
	}
	for _, v := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		if got, want := VersionName(v), tls.VersionName(v); got != want {
			t.Errorf("VersionName(%#04x) = %q, want %q", v, got, want)
		}
	}
	for id, want := range map[tls.CurveID]string{
		tls.CurveP256: "secp256r1", tls.CurveP384: "secp384r1", tls.CurveP521: "secp521r1", tls.X25519: "x25519",
		tls.X25519MLKEM768: "X25519MLKEM768", tls.SecP256r1MLKEM768: "SecP256r1MLKEM768", tls.SecP384r1MLKEM1024: "SecP384r1MLKEM1024",
	} {
		if got := GroupName(uint16(id)); got != want {
			t.Errorf("GroupName(%#04x) = %q, want %q", uint16(id), got, want)
		}
	}
}

func TestNamesOfTheUnknown(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{SuiteName(0x1234), "0x1234"},
		{SuiteName(0x0a0a), "GREASE (0x0a0a)"},
		{GroupName(0xfafa), "GREASE (0xfafa)"},
		{ExtensionName(0x4a4a), "GREASE (0x4a4a)"},
		{VersionName(0xbaba), "GREASE (0xbaba)"},
		{VersionName(0x0304), "TLS 1.3"},
		{VersionName(0x7f1c), "TLS 1.3 (draft 28)"},
		{VersionName(0x7f00), "0x7f00"},
		{SchemeName(0x0a1a), "0x0a1a"},
		{AlertName(48), "unknown_ca"},
		{AlertName(200), "0xc8"},
		{AlertLevelName(2), "fatal"},
		{AlertLevelName(9), "0x09"},
		{TypeName(254), "MessageHash"},
		{TypeName(99), "0x63"},
		{PSKModeName(1), "psk_dhe_ke"},
		{PSKModeName(2), "0x02"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// RFC 8701 2 lists the values.
func TestGREASE(t *testing.T) {
	var want []uint16
	for i := range uint16(16) {
		want = append(want, (i<<4|0xa)<<8|i<<4|0xa)
	}
	n := 0
	for v := range 1 << 16 {
		if IsGREASE(uint16(v)) {
			if n == len(want) || want[n] != uint16(v) {
				t.Fatalf("%#04x", v)
			}
			n++
		}
	}
	if n != len(want) {
		t.Errorf("%d values", n)
	}
	for _, v := range []uint8{0x0b, 0x2a, 0x49, 0x68, 0x87, 0xa6, 0xc5, 0xe4} {
		if got := PSKModeName(v); !strings.HasPrefix(got, "GREASE") {
			t.Errorf("PSKModeName(%#02x) = %q", v, got)
		}
	}
}

func TestSuiteKeyExchange(t *testing.T) {
	for name, want := range map[string]KeyExchange{
		"TLS_RSA_WITH_AES_128_GCM_SHA256":                     KeyExchangeRSA,
		"TLS_RSA_EXPORT_WITH_RC4_40_MD5":                      KeyExchangeRSA,
		"TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA":                 KeyExchangeRSA,
		"SSL_RSA_FIPS_WITH_DES_CBC_SHA":                       KeyExchangeRSA,
		"TLS_DHE_RSA_WITH_AES_128_CCM_8":                      KeyExchangeDHE,
		"TLS_DHE_DSS_EXPORT_WITH_DES40_CBC_SHA":               KeyExchangeDHE,
		"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256":       KeyExchangeECDHE,
		"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 (draft)": KeyExchangeECDHE,
		"TLS_DH_anon_EXPORT_WITH_RC4_40_MD5":                  KeyExchangeDHAnon,
		"TLS_ECDH_anon_WITH_NULL_SHA":                         KeyExchangeECDHAnon,
		"TLS_PSK_WITH_NULL_SHA":                               KeyExchangePSK,
		"TLS_DHE_PSK_WITH_AES_256_CCM":                        KeyExchangeDHEPSK,
		"TLS_PSK_DHE_WITH_AES_256_CCM_8":                      KeyExchangeDHEPSK,
		"TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256":               KeyExchangeECDHEPSK,
		"TLS_RSA_PSK_WITH_RC4_128_SHA":                        KeyExchangeRSAPSK,
		"TLS_DH_DSS_WITH_CAMELLIA_128_CBC_SHA":                KeyExchangeDH,
		"TLS_ECDH_RSA_WITH_ARIA_256_GCM_SHA384":               KeyExchangeECDH,
		"TLS_SRP_SHA_RSA_WITH_AES_256_CBC_SHA":                KeyExchangeSRP,
		"TLS_AES_128_GCM_SHA256":                              KeyExchangeNone,
		"TLS_EMPTY_RENEGOTIATION_INFO_SCSV":                   KeyExchangeNone,
		"TLS_FALLBACK_SCSV":                                   KeyExchangeNone,
		"TLS_KRB5_WITH_DES_CBC_SHA":                           KeyExchangeNone,
		"TLS_GOSTR341112_256_WITH_28147_CNT_IMIT":             KeyExchangeNone,
		"TLS_NULL_WITH_NULL_NULL":                             KeyExchangeNone,
		"TLS_ECCPWD_WITH_AES_128_GCM_SHA256":                  KeyExchangeNone,
	} {
		found := false
		for id, n := range suiteNames {
			if n == name {
				found = true
				if got := SuiteKeyExchange(id); got != want {
					t.Errorf("%s: %d, want %d", name, got, want)
				}
			}
		}
		if !found {
			t.Errorf("%s has no number", name)
		}
	}
	if SuiteKeyExchange(0x1234) != KeyExchangeNone {
		t.Error("an unknown suite has a key exchange")
	}
	// Every suite named for its key exchange has one, but for those that the
	// type does not know.
	for id, name := range suiteNames {
		if !strings.Contains(name, "_WITH_") || SuiteKeyExchange(id) != KeyExchangeNone {
			continue
		}
		switch kx, _, _ := strings.Cut(strings.TrimPrefix(name, "TLS_"), "_"); kx {
		case "NULL", "KRB5", "SSL", "GOSTR341094", "GOSTR341001", "GOSTR341112", "ECCPWD", "ECJPAKE":
		default:
			t.Errorf("%s has no key exchange", name)
		}
	}
}

func TestSuiteNamesAreUnique(t *testing.T) {
	seen := map[string]uint16{}
	for id, name := range suiteNames {
		other, twice := seen[name]
		// NSS moved its two suites to other numbers and kept the old.
		if twice && !strings.HasPrefix(name, "SSL_RSA_FIPS_") {
			t.Errorf("%s is %#04x and %#04x", name, id, other)
		}
		seen[name] = id
	}
}

// Every number that tshark knows too has the same name there, and we know
// every one of its suites. Without tshark there is nothing to compare with.
func TestNamesAgainstTshark(t *testing.T) {
	out, err := exec.Command("tshark", "-G", "values").Output()
	if err != nil {
		t.Logf("no tshark to compare with: %v", err)
		return
	}
	normal := func(s string) string {
		return strings.ToLower(strings.NewReplacer(" ", "", "_", "", "-", "", ".", "").Replace(s))
	}
	tables := map[string]struct {
		name func(uint16) string
		all  bool // tshark's whole table must be known here
		// differ holds the differences that are meant, with the reason.
		differ map[uint16]string
	}{
		"tls.handshake.ciphersuite": {SuiteName, true, map[uint16]string{
			0xcc13: "tshark does not say that it is the draft's", 0xcc14: "the same", 0xcc15: "the same",
		}},
		"tls.handshake.extension.type": {ExtensionName, true, map[uint16]string{
			34:    "RFC 9345 says delegated_credential, without s",
			40:    "tshark says Reserved (key_share)",
			46:    "tshark says Reserved (ticket_early_data_info)",
			17513: "17613 is in use now",
			30031: "tshark says channel_id_old",
			65445: "tshark says drafts version",
		}},
		"tls.handshake.extensions_supported_group": {GroupName, false, map[uint16]string{
			0x0200: "tshark has frodo640aes of Open Quantum Safe; draft-ietf-tls-mlkem has it now",
			0x0201: "the same", 0x0202: "the same",
		}},
		"tls.handshake.sig_hash_alg": {SchemeName, false, nil},
		"tls.alert_message.desc": {func(v uint16) string { return AlertName(uint8(v)) }, true, map[uint16]string{
			1: "only the drafts had it",
		}},
		"tls.handshake.type": {func(v uint16) string { return TypeName(Type(v)) }, false, map[uint16]string{
			21: "RFC 6066 names the structure CertificateURL",
			67: "tshark names it after a later draft; what is seen on the wire is NPN",
		}},
		"tls.handshake.cert_type": {func(v uint16) string { return ClientCertificateTypeName(uint8(v)) }, false, map[uint16]string{
			21: "tshark names the algorithm, GOST R 34.10-94", 22: "the same, GOST R 34.10-2001",
		}},
		"tls.compress_certificate.algorithm": {CertificateCompressionName, true, nil},
		"tls.handshake.comp_method":          {func(v uint16) string { return CompressionMethodName(uint8(v)) }, true, nil},
	}
	// A field may have two tables in tshark, one of them of SSL 2.0.
	theirs := map[string]map[uint16][]string{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		field := strings.Split(lines.Text(), "\t")
		if len(field) < 4 || field[0] != "V" || strings.Contains(field[3], "GREASE") {
			continue
		}
		if _, ok := tables[field[1]]; !ok {
			continue
		}
		n, err := strconv.ParseUint(field[2], 0, 16)
		if err != nil {
			t.Fatal(err)
		}
		if theirs[field[1]] == nil {
			theirs[field[1]] = map[uint16][]string{}
		}
		theirs[field[1]][uint16(n)] = append(theirs[field[1]][uint16(n)], field[3])
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	compared := map[string]int{}
	for field, names := range theirs {
		table := tables[field]
		for v, names := range names {
			ours := table.name(v)
			if strings.HasPrefix(ours, "0x") {
				if table.all {
					t.Errorf("%s: %q %#04x has no name here", field, names, v)
				}
				continue
			}
			compared[field]++
			same := slices.ContainsFunc(names, func(name string) bool { return normal(name) == normal(ours) })
			if _, meant := table.differ[v]; same == meant {
				t.Errorf("%s: %#04x is %q here and %q in tshark; meant to differ: %v", field, v, ours, names, meant)
			}
		}
	}
	for name := range tables {
		t.Logf("%s: %d compared", name, compared[name])
		if compared[name] == 0 {
			t.Errorf("%s: tshark has no such table", name)
		}
	}
	if compared["tls.handshake.ciphersuite"] < 330 {
		t.Errorf("only %d suites compared", compared["tls.handshake.ciphersuite"])
	}
}
