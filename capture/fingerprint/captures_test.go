package fingerprint_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"explainer/capture"
	"explainer/capture/fingerprint"
	"explainer/capture/handshake"
	"explainer/capture/keys"
	"explainer/capture/pcap"
)

// collection finds the captures that stand beside the project on some machines, by walking up.
func collection(t testing.TB) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		s := filepath.Join(dir, "shared", "captures")
		if _, err := os.Stat(s); err == nil {
			return s
		}
		if dir == filepath.Dir(dir) {
			t.Log("no collection of captures beside the project")
			return ""
		}
	}
}

// heard is a hello of a capture, and what carried it.
type heard struct {
	client *handshake.ClientHello // or
	server *handshake.ServerHello
	over   fingerprint.Transport
}

// hellos reads a capture and returns its Hellos, in no order that matters.
func hellos(t testing.TB, path string) (all []heard) {
	t.Helper()
	var d capture.Decoder
	if f, err := os.Open(strings.TrimSuffix(path, filepath.Ext(path)) + ".keys"); err == nil {
		defer f.Close()
		if err := keys.ReadLog(f, func(s keys.Secret) { d.Feed(&s) }); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcap.NewReader(f)
	if err != nil {
		return nil
	}
	for m, err := range d.All(r.All()) {
		if err != nil {
			if !errors.As(err, new(*pcap.CutError)) {
				t.Error(err)
			}
			break
		}
		over := fingerprint.TCP
		if m.Conn != nil {
			over = []fingerprint.Transport{fingerprint.TCP, fingerprint.QUIC, fingerprint.DTLS}[m.Conn.Transport]
		}
		switch b := m.Body.(type) {
		case *handshake.ClientHello:
			all = append(all, heard{b, nil, over})
		case *handshake.ServerHello:
			all = append(all, heard{nil, b, over})
		}
	}
	return all
}

// published are JA4 values that others state for captures of the collection: by
// server name where that tells the ClientHellos apart, and how often.
//
// The values for ja4/ stand in FoxIO's repository FoxIO-LLC/ja4, in
// python/test/testdata and in rust/ja4/src/snapshots; the one for
// suricata-verify/ in tests/ja4-tls/test.yaml of OISF/suricata-verify.
var published = map[string]map[string]int{
	"ja4/browsers-x509.pcapng":      {"t13d1516h2_8daaf6152771_e5627efa2ab1": 3},
	"ja4/http2-with-cookies.pcapng": {"t13d1516h2_8daaf6152771_e5627efa2ab1": 1},
	"ja4/https-connect.pcap":        {"t12i860500_e18388e7f3a3_a1e935682795": 1},
	"ja4/latest.pcapng": {
		"t13d1516h2_8daaf6152771_e5627efa2ab1": 3,
		"t12d190800_d83cc789557e_7af1ed941c26": 1,
		"t13d1516h2_8daaf6152771_9b887d9acb53": 1,
	},
	"ja4/macos_tcp_flags.pcap": {"t13d2613h2_2802a3db6c62_845d286b0d67": 1},
	// FoxIO's older output says 99 for an ALPN that is not ASCII; the definition
	// now asks for the ends of its hexadecimal form, here ba ad.
	"ja4/tls-non-ascii-alpn.pcapng": {"t13d1516bd_8daaf6152771_e5627efa2ab1": 1},
	"ja4/tls-sni.pcapng": {
		"t13d1516h2_8daaf6152771_e5627efa2ab1": 54,
		"t13d1516h1_8daaf6152771_e5627efa2ab1": 3,
		"t13d151400_8daaf6152771_de4a06bb82e3": 1,
		"t13d1517h1_8daaf6152771_6cdcb247c39b": 1,
		"t13d1515h2_8daaf6152771_f37e75b10bcc": 5, // second hellos after a HelloRetryRequest
		"q13d0310h3_55b375c5d22e_cd85d2d88918": 20,
	},
	"ja4/quic-tls-handshake.pcapng":           {"q13d0310h3_55b375c5d22e_cd85d2d88918": 1},
	"ja4/quic-with-several-tls-frames.pcapng": {"q13d0310h3_55b375c5d22e_cd85d2d88918": 1},
	"suricata-verify/ja4-tls__input.pcap":     {"t12i1810s1_27d4652c4487_06a4338d0495": 1},
}

func TestPublishedJA4(t *testing.T) {
	dir := collection(t)
	if dir == "" {
		return
	}
	for name, want := range published {
		got := make(map[string]int)
		for _, h := range hellos(t, filepath.Join(dir, name)) {
			if h.client != nil {
				hash, _ := fingerprint.JA4(h.client, h.over)
				got[hash]++
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, published %v", name, got, want)
		}
	}
}
