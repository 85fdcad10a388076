package fingerprint

import (
	"testing"

	"explainer/capture/handshake"
)

// TestStackOf: hellos of real programs, by their suites, extensions and point formats.
func TestStackOf(t *testing.T) {
	extensions := func(ids ...uint16) (list []handshake.Extension) {
		for _, id := range ids {
			list = append(list, handshake.Extension{ID: id})
		}
		return list
	}
	for _, tt := range []struct {
		program string
		want    Stack
		suites  []uint16
		ids     []uint16
		formats handshake.ECPointFormats
	}{
		{"curl", OpenSSL, []uint16{0x1302, 0x1303, 0x1301, 0xc02c, 0xc030, 0x002f, 0x00ff}, []uint16{0, 11, 10, 16, 22, 23, 49, 13, 43, 45, 51, 21}, handshake.ECPointFormats{0, 1, 2}},
		{"Node", OpenSSL, []uint16{0x1302, 0x1303, 0x1301, 0xc02f, 0xc02b, 0x002f, 0x00ff}, []uint16{0, 11, 10, 35, 22, 23, 13, 43, 45, 51}, handshake.ECPointFormats{0, 1, 2}},
		{"curl, TLS 1.2 alone", OpenSSL, []uint16{0xc02c, 0xc030, 0x002f, 0x00ff}, []uint16{0, 11, 10, 22, 23, 13}, handshake.ECPointFormats{0, 1, 2}},
		{"wget", GnuTLS, []uint16{0x1302, 0x1303, 0x1301, 0x1304, 0xc02c, 0x0033}, []uint16{5, 10, 11, 13, 35, 51, 43, 49, 65281, 0, 45, 28, 21}, handshake.ECPointFormats{0}},
		{"git", GnuTLS, []uint16{0x1302, 0x1303, 0x1301, 0x1304, 0xc02c, 0x0033}, []uint16{5, 10, 11, 13, 16, 22, 23, 51, 43, 65281, 0, 28}, handshake.ECPointFormats{0}},
		{"Firefox", NSS, []uint16{0x1301, 0x1303, 0x1302, 0xc02b, 0x0035}, []uint16{0, 23, 65281, 10, 11, 35, 16, 5, 34, 18, 51, 43, 13, 45, 28, 27, 65037}, handshake.ECPointFormats{0}},
		{"Chromium", BoringSSL, []uint16{0x7a7a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc014, 0x0035}, []uint16{0x6682, 18, 51764, 13, 11, 5, 0, 65281, 27}, handshake.ECPointFormats{0}},
		{"Java", JSSE, []uint16{0x1302, 0x1301, 0x1303, 0xc02c, 0x0032, 0x00ff}, []uint16{5, 10, 11, 17, 23, 35, 13, 43, 45, 50, 51}, handshake.ECPointFormats{0}},
		{"Go", GoTLS, []uint16{0xc02b, 0xc02f, 0xc00a, 0xc014, 0x1301, 0x1302, 0x1303}, []uint16{0, 11, 65281, 23, 18, 5, 10, 13, 50, 16, 43, 51}, handshake.ECPointFormats{0}},
		{"erl", Erlang, []uint16{0x00ff, 0x1302, 0x1301, 0x1303, 0x1304, 0x1305, 0x0032}, []uint16{0, 13, 51, 10, 11, 43}, handshake.ECPointFormats{0}},
		{"something else", "", []uint16{0x1301, 0xc02b}, []uint16{0, 10, 11}, handshake.ECPointFormats{0}},
		{"nothing", "", nil, nil, nil},
	} {
		h := &handshake.ClientHello{CipherSuites: tt.suites, Extensions: extensions(tt.ids...)}
		for i := range h.Extensions {
			if h.Extensions[i].ID == handshake.ExtECPointFormats {
				h.Extensions[i].Value = tt.formats
			}
		}
		if got := StackOf(h); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.program, got, tt.want)
		}
	}
}
