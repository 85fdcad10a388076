package fingerprint_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	take := func(ms []capture.Message) {
		for i := range ms {
			over := fingerprint.TCP
			if c := ms[i].Conn; c != nil {
				over = []fingerprint.Transport{fingerprint.TCP, fingerprint.QUIC, fingerprint.DTLS}[c.Transport]
			}
			switch m := ms[i].Body.(type) {
			case *handshake.ClientHello:
				all = append(all, heard{m, nil, over})
			case *handshake.ServerHello:
				all = append(all, heard{nil, m, over})
			}
		}
	}
	if f, err := os.Open(strings.TrimSuffix(path, filepath.Ext(path)) + ".keys"); err == nil {
		defer f.Close()
		if err := keys.ReadLog(f, func(s keys.Secret) { take(d.Feed(&s)) }); err != nil {
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
	for {
		in, err := r.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.As(err, new(*pcap.CutError)) {
				t.Error(err)
			}
			break
		}
		take(d.Feed(in))
	}
	take(d.Finish())
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

// Why tshark 4.0.17 and we do not list the same Hellos of a capture.
const (
	sslv2     = "tshark has no JA3 of a ClientHello in the form of SSL 2.0"
	openvpn   = "TLS inside the frames of OpenVPN, which we do not take apart"
	renewed   = "tshark does not open the second handshake of a renegotiation that it has the keys for"
	lost      = "tshark does not put segments in order that came late, or came twice"
	drafts    = "a ServerHello of a draft of TLS 1.3 that is not read"
	broken    = "tshark makes a JA3S of a ServerHello that is malformed"
	reopened  = "a stale RST stands before the SYN that is answered"
	retried   = "tshark does not open the QUIC client's second hello, which answers a Retry"
	resent    = "tshark lists a QUIC hello once for each packet that holds it, and not those in several frames"
	snapped   = "tshark opens a QUIC packet that the capture cuts, without its check"
	google    = "a QUIC version of Google's own, which we do not open"
	wireguard = "TLS inside WireGuard, which tshark opens with a key in the file"
	port8080  = "tshark does not recognise TLS to port 8080 here"
)

// explained are the captures where tshark lists other Hellos than we do, and why.
var explained = map[string]string{
	"arkime/arkime_synthetic.pcap":                                         broken,
	"go-crypto-tls/Client-TLSv12-RenegotiateOnce.pcap":                     renewed,
	"go-crypto-tls/Client-TLSv12-RenegotiateTwice.pcap":                    renewed,
	"go-crypto-tls/Client-TLSv12-RenegotiateTwiceRejected.pcap":            renewed,
	"lekensteyn-notes/all__dump.pcapng":                                    sslv2,
	"mercury/test__afl_data__corner-cases.pcap":                            broken,
	"mercury/test__afl_data__encrypted_handshake_cert_false_positive.pcap": broken,
	"nDPI-4.2-debian/skype_no_unknown.pcap":                                sslv2,
	"nDPI-4.2-debian/viber.pcap":                                           lost,
	"nDPI/443-opvn.pcap":                                                   openvpn,
	"nDPI/KakaoTalk_talk.pcap":                                             port8080,
	"nDPI/ookla.pcap":                                                      port8080,
	"nDPI/openvpn.pcap":                                                    openvpn,
	"nDPI/openvpn_nohmac_tcp.pcapng":                                       openvpn,
	"nDPI/tls_multiple_synack_different_seq.pcapng":                        lost,
	"nDPI/viber.pcap":                                                      lost,
	"mercury/unit_tests__pcaps__quic-crypto-packets.pcap":                  resent,
	"nDPI-4.2-debian/quic_t51.pcap":                                        google,
	"nDPI/openvpn_nohmac.pcapng":                                           openvpn,
	"nDPI/quic-forcing-vn-with-data.pcapng":                                retried,
	"nDPI/quic_t51.pcap":                                                   google,
	"tcpdump/tests__quic_handshake_truncated.pcap":                         snapped,
	"tcpdump/tests__quic_retry.pcap":                                       retried,
	"suricata-verify/base64-decode-5885__input.pcap":                       reopened,
	"suricata-verify/bypass-depth-disabled__input.pcap":                    sslv2,
	"suricata-verify/tls__tls13-draft14__tls13_draft14.pcap":               drafts,
	"wireshark-4.0.17/rsasnakeoil2.pcap":                                   sslv2,
	"wireshark-4.0.17/wireguard-ping-tcp-dsb.pcapng":                       wireguard,
	"zeek-spicy-openvpn/tests__traces__openvpn-tcp-tls-auth.pcap":          openvpn,
	"zeek-spicy-openvpn/tests__traces__openvpn_tcp_nontlsauth.pcap":        openvpn,
	"zeek/postgresql__psql-aws-ssl-preferred.pcap":                         lost,
}

// TestTsharkAgrees compares JA3 and JA3S of every Hello of the collection with
// those that tshark computes.
func TestTsharkAgrees(t *testing.T) {
	dir := collection(t)
	if dir == "" {
		return
	}
	index, err := os.ReadFile(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(index), "\n") {
		name, rest, _ := strings.Cut(line, "\t")
		if !strings.Contains(rest, "TLS conn") && !strings.Contains(rest, "QUIC frames") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(dir, name)
			var ours []string
			for _, h := range hellos(t, path) {
				switch {
				case h.over == fingerprint.DTLS: // tshark has those under other names
				case h.client != nil:
					hash, _ := fingerprint.JA3(h.client)
					ours = append(ours, "JA3 "+hash)
				default:
					hash, _ := fingerprint.JA3S(h.server)
					ours = append(ours, "JA3S "+hash)
				}
			}
			slices.Sort(ours)
			theirs := tsharkHellos(t, path)
			only, missing := without(ours, theirs), without(theirs, ours)
			switch why := explained[name]; {
			case len(only)+len(missing) == 0 && why != "":
				t.Logf("%s: agrees now; it was said: %s", name, why)
			case len(only)+len(missing) > 0 && why == "":
				t.Errorf("%s: only here %v, only in tshark %v", name, only, missing)
			}
		})
	}
}

// without returns what of a, sorted, is not in b, sorted; each value of b counts once.
func without(a, b []string) (out []string) {
	for _, s := range a {
		i, ok := slices.BinarySearch(b, s)
		if !ok {
			out = append(out, s)
			continue
		}
		b = slices.Delete(slices.Clone(b), i, i+1)
	}
	return out
}

func tsharkHellos(t *testing.T, path string) []string {
	t.Helper()
	args := []string{"-r", path, "-Y", "tls.handshake.ja3 || tls.handshake.ja3s", "-T", "fields",
		"-e", "tls.handshake.ja3", "-e", "tls.handshake.ja3s"}
	if log := strings.TrimSuffix(path, filepath.Ext(path)) + ".keys"; fileExists(log) {
		args = append(args, "-o", "tls.keylog_file:"+log)
	}
	cmd := exec.Command("tshark", args...)
	cmd.Env = append(cmd.Environ(), "HOME="+t.TempDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && !strings.Contains(stderr.String(), "cut short") {
		t.Logf("tshark: %v\n%s", err, stderr.Bytes())
	}
	var list []string
	for _, line := range strings.Split(string(out), "\n") {
		a, b, ok := strings.Cut(line, "\t")
		if !ok {
			continue
		}
		for i, column := range []string{a, b} {
			for _, hash := range strings.Split(column, ",") {
				if hash != "" {
					list = append(list, []string{"JA3 ", "JA3S "}[i]+hash)
				}
			}
		}
	}
	slices.Sort(list)
	return list
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
