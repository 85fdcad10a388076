package capture_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/pcap"
	"explainer/capture/quic"
)

// udpHellos lists the Hellos of QUIC and DTLS in a capture, each once, in words
// that can be made of tshark's fields, too.
func udpHellos(t testing.TB, path string) []string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcap.NewReader(f)
	if err != nil {
		return nil
	}
	seen := map[string]bool{}
	var d capture.Decoder
	take := func(ms []capture.Message) {
		for i := range ms {
			m := &ms[i]
			if m.Conn == nil || m.Conn.Transport == capture.TransportTCP {
				continue
			}
			over := m.Conn.Transport.String()
			switch b := m.Body.(type) {
			case *handshake.ClientHello:
				seen[fmt.Sprintf("%s ClientHello %q %q %x", over, b.ServerName(), strings.Join(b.ALPN(), ","), b.CipherSuites)] = true
			case *handshake.ServerHello:
				seen[fmt.Sprintf("%s ServerHello %04x", over, b.CipherSuite)] = true
			case *capture.QUICPacket:
				if b.Version != 0 && b.Kind != quic.Rest {
					seen[fmt.Sprintf("QUIC version %08x", b.Version)] = true
				}
			}
		}
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
	return slices.Sorted(maps.Keys(seen))
}

// tsharkUDP lists the same, as tshark finds it.
func tsharkUDP(t testing.TB, path string) []string {
	t.Helper()
	args := []string{"-r", path, "-Y", "quic || dtls", "-T", "fields", "-E", "aggregator=|", "-e", "quic.version"}
	for _, layer := range []string{"tls", "dtls"} {
		for _, f := range []string{"type", "extensions_server_name", "extensions_alpn_str", "ciphersuite"} {
			args = append(args, "-e", layer+".handshake."+f)
		}
	}
	cmd := exec.Command("tshark", args...)
	cmd.Env = append(cmd.Environ(), "HOME="+t.TempDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && !strings.Contains(stderr.String(), "cut short") {
		t.Logf("tshark: %v\n%s", err, stderr.Bytes())
	}
	seen := map[string]bool{}
	for _, line := range strings.Split(string(out), "\n") {
		fields := strings.Split(line, "\t")
		if len(fields) != 9 {
			continue
		}
		for _, v := range strings.Split(fields[0], "|") {
			if v = strings.TrimPrefix(v, "0x"); v != "" && v != "00000000" {
				seen["QUIC version "+v] = true
			}
		}
		for i, over := range []string{"QUIC", "DTLS"} {
			f := fields[1+4*i:]
			if f[3] == "" {
				continue // a part of a message
			}
			suites := strings.Split(strings.ReplaceAll(f[3], "0x", ""), "|")
			types := strings.Split(f[0], "|")
			switch {
			case slices.Contains(types, "2") && !slices.Contains(types, "1"):
				seen[over+" ServerHello "+suites[0]] = true
			default:
				var list []uint16
				for _, s := range suites {
					n, err := strconv.ParseUint(s, 16, 16)
					if err != nil {
						t.Fatal(err)
					}
					list = append(list, uint16(n))
				}
				seen[fmt.Sprintf("%s ClientHello %q %q %x", over, f[1], strings.ReplaceAll(f[2], "|", ","), list)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// udpExplained are the captures where tshark 4.0.17 and we do not find the same
// Hellos and versions over UDP, and why.
var udpExplained = map[string]string{
	"arkime/arkime_synthetic.pcap":            oldGoogle,
	"nDPI/http_ipv6.pcap":                     oldGoogle,
	"nDPI/youtubeupload.pcap":                 oldGoogle,
	"nDPI/quic-forcing-vn-with-data.pcapng":   "tshark does not open what follows a Version Negotiation",
	"tcpdump/tests__quic_retry.pcap":          "tshark does not list the hello that follows a Retry, which differs from the first in its GREASE",
	"zeek/quic__383379789-decrypt-crash.pcap": "a fuzzed file: tshark reads datagrams that are longer than the IP packet that carries them",
}

const oldGoogle = "tshark has another dissector for Google's versions without long headers"

// TestTsharkUDP compares what is found of QUIC and DTLS in the collection with
// what tshark finds: versions, server names, ALPN and cipher suites.
func TestTsharkUDP(t *testing.T) {
	dir := realCaptures(t)
	if dir == "" {
		t.Log("no collection of captures here")
		return
	}
	index, err := os.ReadFile(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(index), "\n") {
		name, rest, _ := strings.Cut(line, "\t")
		if name == "path" || name == "" {
			continue
		}
		path := filepath.Join(dir, name)
		ours := udpHellos(t, path)
		if len(ours) == 0 && !strings.Contains(rest, "QUIC frames") && !strings.Contains(rest, "DTLS") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			theirs := tsharkUDP(t, path)
			without := func(a, b []string) (out []string) {
				for _, s := range a {
					if !slices.Contains(b, s) {
						out = append(out, s)
					}
				}
				return out
			}
			only, missing := without(ours, theirs), without(theirs, ours)
			switch why := udpExplained[name]; {
			case len(only)+len(missing) == 0 && why != "":
				t.Errorf("%s: agrees now; it was said: %s", name, why)
			case len(only)+len(missing) > 0 && why == "":
				t.Errorf("%s:\nonly here:      %s\nonly in tshark: %s", name, strings.Join(only, "\n                "), strings.Join(missing, "\n                "))
			}
		})
	}
}
