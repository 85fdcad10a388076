package fingerprint_test

import (
	"strings"
	"testing"

	"explainer/capture/fingerprint"
	"explainer/capture/handshake"
)

// hello is the ClientHello of the worked example in FoxIO's definition of JA4,
// with GREASE at every place where it can stand.
func hello() *handshake.ClientHello {
	h := &handshake.ClientHello{
		LegacyVersion: 0x0303,
		CipherSuites: []uint16{0x0a0a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8,
			0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035},
	}
	for _, id := range []uint16{0x1a1a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005,
		0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x2a2a, 0x0015} {
		e := handshake.Extension{ID: id}
		switch id {
		case 0x0010:
			e.Value = handshake.ALPN{"h2", "http/1.1"}
		case 0x000d:
			e.Value = handshake.SignatureAlgorithms{0x3a3a, 0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601}
		case 0x002b:
			e.Value = handshake.SupportedVersions{0x4a4a, 0x0304, 0x0303}
		case 0x000a:
			e.Value = handshake.SupportedGroups{0x5a5a, 0x001d, 0x0017}
		case 0x000b:
			e.Value = handshake.ECPointFormats{0}
		}
		h.Extensions = append(h.Extensions, e)
	}
	return h
}

func TestJA4Example(t *testing.T) {
	hash, raw := fingerprint.JA4(hello(), fingerprint.TCP)
	if want := "t13d1516h2_8daaf6152771_e5627efa2ab1"; hash != want {
		t.Errorf("%s, want %s", hash, want)
	}
	if want := "t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_" +
		"0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01_0403,0804,0401,0503,0805,0501,0806,0601"; raw != want {
		t.Errorf("%s, want %s", raw, want)
	}
}

func TestJA4Parts(t *testing.T) {
	edit := func(f func(*handshake.ClientHello)) *handshake.ClientHello {
		h := hello()
		f(h)
		return h
	}
	without := func(h *handshake.ClientHello, ids ...uint16) {
		var kept []handshake.Extension
		for _, e := range h.Extensions {
			drop := false
			for _, id := range ids {
				drop = drop || e.ID == id
			}
			if !drop {
				kept = append(kept, e)
			}
		}
		h.Extensions = kept
	}
	set := func(h *handshake.ClientHello, id uint16, v any) { h.Extension(id).Value = v }
	for name, c := range map[string]struct {
		h    *handshake.ClientHello
		t    fingerprint.Transport
		want string // a prefix, or with … a suffix
	}{
		"QUIC":                {hello(), fingerprint.QUIC, "q13d1516h2_"},
		"no server name":      {edit(func(h *handshake.ClientHello) { without(h, 0) }), fingerprint.TCP, "t13i1515h2_8daaf6152771_e5627efa2ab1"},
		"no signatures":       {edit(func(h *handshake.ClientHello) { set(h, 13, nil) }), fingerprint.TCP, "t13d1516h2_8daaf6152771_6d807ffa2a79"},
		"no versions":         {edit(func(h *handshake.ClientHello) { without(h, 43) }), fingerprint.TCP, "t12d1515h2_"},
		"unreadable versions": {edit(func(h *handshake.ClientHello) { set(h, 43, nil) }), fingerprint.TCP, "t12d1516h2_"},
		"draft version":       {edit(func(h *handshake.ClientHello) { set(h, 43, handshake.SupportedVersions{0x7f1c, 0x0303}) }), fingerprint.TCP, "t00d1516h2_"},
		"SSL 3.0":             {&handshake.ClientHello{LegacyVersion: 0x0300}, fingerprint.TCP, "ts3i000000_000000000000_000000000000"},
		"TLS 1.0":             {&handshake.ClientHello{LegacyVersion: 0x0301, CipherSuites: []uint16{0x00ff}}, fingerprint.TCP, "t10i010000_"},
		"DTLS 1.3 before 1.2": {edit(func(h *handshake.ClientHello) { set(h, 43, handshake.SupportedVersions{0xfefd, 0xfefc}) }), fingerprint.DTLS, "dd3d1516h2_"},
		"DTLS 1.2":            {&handshake.ClientHello{LegacyVersion: 0xfefd}, fingerprint.DTLS, "dd2i000000_"},
		"http/1.1":            {edit(func(h *handshake.ClientHello) { set(h, 16, handshake.ALPN{"http/1.1"}) }), fingerprint.TCP, "t13d1516h1_"},
		"no ALPN":             {edit(func(h *handshake.ClientHello) { without(h, 16) }), fingerprint.TCP, "t13d151500_8daaf6152771_e5627efa2ab1"},
		"no protocol in ALPN": {edit(func(h *handshake.ClientHello) { set(h, 16, nil) }), fingerprint.TCP, "t13d151600_"},
		"one letter":          {edit(func(h *handshake.ClientHello) { set(h, 16, handshake.ALPN{"x"}) }), fingerprint.TCP, "t13d1516xx_"},
		"ALPN ab":             {edit(func(h *handshake.ClientHello) { set(h, 16, handshake.ALPN{"\xab"}) }), fingerprint.TCP, "t13d1516ab_"},
		"ALPN abcd":           {edit(func(h *handshake.ClientHello) { set(h, 16, handshake.ALPN{"\xab\xcd"}) }), fingerprint.TCP, "t13d1516ad_"},
		"ALPN 30ab":           {edit(func(h *handshake.ClientHello) { set(h, 16, handshake.ALPN{"\x30\xab"}) }), fingerprint.TCP, "t13d15163b_"},
		"ALPN 3031abcd":       {edit(func(h *handshake.ClientHello) { set(h, 16, handshake.ALPN{"\x30\x31\xab\xcd"}) }), fingerprint.TCP, "t13d15163d_"},
		"ALPN 30abcd31":       {edit(func(h *handshake.ClientHello) { set(h, 16, handshake.ALPN{"\x30\xab\xcd\x31"}) }), fingerprint.TCP, "t13d151601_"},
		"only name and ALPN": {edit(func(h *handshake.ClientHello) {
			h.Extensions = []handshake.Extension{{ID: 0}, {ID: 16, Value: handshake.ALPN{"h2"}}}
		}), fingerprint.TCP, "t12d1502h2_8daaf6152771_000000000000"},
		"a hundred and more":   {&handshake.ClientHello{LegacyVersion: 0x0303, CipherSuites: make([]uint16, 120)}, fingerprint.TCP, "t12i990000_"},
		"an unknown version 0": {&handshake.ClientHello{}, fingerprint.TCP, "t00i000000_"},
	} {
		if got, _ := fingerprint.JA4(c.h, c.t); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestJA3Examples takes the examples that JA3's authors give.
func TestJA3Examples(t *testing.T) {
	h := &handshake.ClientHello{
		LegacyVersion: 769,
		CipherSuites:  []uint16{47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4},
		Extensions: []handshake.Extension{{ID: 0}, {ID: 10, Value: handshake.SupportedGroups{23, 24, 25}},
			{ID: 11, Value: handshake.ECPointFormats{0}}},
	}
	if hash, text := fingerprint.JA3(h); hash != "ada70206e40642a3e4461f35503241d5" || text != "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0" {
		t.Errorf("%s of %s", hash, text)
	}
	h = &handshake.ClientHello{LegacyVersion: 769, CipherSuites: []uint16{4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99}}
	if hash, text := fingerprint.JA3(h); hash != "de350869b8c85de67a350c8d186f11e6" || text != "769,4-5-10-9-100-98-3-6-19-18-99,,," {
		t.Errorf("%s of %s", hash, text)
	}
}

func TestJA3S(t *testing.T) {
	h := &handshake.ServerHello{LegacyVersion: 771, CipherSuite: 49199}
	for _, id := range []uint16{0, 11, 65281, 0x0a0a, 16, 35, 23} {
		h.Extensions = append(h.Extensions, handshake.Extension{ID: id})
	}
	if hash, text := fingerprint.JA3S(h); hash != "bfc90d56141386ee83b56cda231cccfc" || text != "771,49199,0-11-65281-16-35-23" {
		t.Errorf("%s of %s", hash, text)
	}
}

func FuzzHello(f *testing.F) {
	f.Add([]byte{3, 3}, true)
	f.Fuzz(func(t *testing.T, body []byte, client bool) {
		typ := handshake.TypeServerHello
		if client {
			typ = handshake.TypeClientHello
		}
		m, err := handshake.Parse(typ, body, handshake.Context{FromClient: client})
		if err != nil {
			return
		}
		switch m := m.(type) {
		case *handshake.ClientHello:
			if hash, _ := fingerprint.JA4(m, fingerprint.TCP); len(hash) != 36 {
				t.Errorf("JA4 %q is not 36 characters", hash)
			}
			if hash, _ := fingerprint.JA3(m); len(hash) != 32 {
				t.Errorf("JA3 %q", hash)
			}
		case *handshake.ServerHello:
			if hash, _ := fingerprint.JA3S(m); len(hash) != 32 {
				t.Errorf("JA3S %q", hash)
			}
		}
	})
}
