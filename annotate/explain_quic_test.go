package annotate_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/capture"
	"explainer/capture/pcap"
)

// udpStory reads a capture and tells its story.
func udpStory(t testing.TB, file []byte) []event.Event {
	t.Helper()
	r, err := pcap.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var d capture.Decoder
	var x annotate.Explainer
	var all []event.Event
	for m, err := range d.All(r.All()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, x.Explain(m)...)
	}
	return append(all, x.Finish()...)
}

// told lists what the tests ask of a story: its messages, the state of its
// proofs, and the summary's only leg.
func told(t testing.TB, events []event.Event) (names []string, proofs map[string]event.ProofState, leg event.Leg, says string) {
	t.Helper()
	proofs = map[string]event.ProofState{}
	for _, e := range events {
		if e.Kind == event.KindMessage {
			names = append(names, e.From+" "+e.Name)
		}
		for _, p := range e.Proofs {
			proofs[p.ID] = p.State
			if p.State == event.Refuted {
				t.Errorf("refuted: %s: %s", p.Claim, p.Reason)
			}
		}
		for _, s := range e.Says {
			says += s.ID + " "
			if strings.Contains(s.Text, "(not known)") {
				t.Errorf("%s: %s", s.ID, s.Text)
			}
		}
		if e.Summary != nil {
			if len(e.Summary.Legs) != 1 || leg.Conn != 0 {
				t.Fatalf("%d legs", len(e.Summary.Legs))
			}
			leg = e.Summary.Legs[0]
			for _, r := range leg.Rows {
				if strings.Contains(r.Says.Text, "(not known)") {
					t.Errorf("step %s: %s", r.Step, r.Says.Text)
				}
				if strings.Contains(r.Says.Text, "TCP connection to") {
					t.Errorf("step %s speaks of a TCP connection: %s", r.Step, r.Says.Text)
				}
			}
		}
	}
	return names, proofs, leg, says
}

func rowVerdicts(l event.Leg) (out []event.Verdict) {
	for _, r := range l.Rows {
		out = append(out, r.Verdict)
	}
	return out
}

// TestDTLSStories: recordings of openssl's DTLS, made by go test ./capture -run TestOpensslDTLS -record-dtls.
func TestDTLSStories(t *testing.T) {
	ecdhe := "differently unseen differently unseen differently absent differently absent differently as-told unseen"
	for name, want := range map[string]struct{ flow, title, verdicts, proven string }{
		"dtls12":                    {"tls12-ecdhe", "DTLS 1.2", ecdhe, "server-key-exchange-signature"},
		"dtls12-cookie-fragments":   {"tls12-ecdhe", "DTLS 1.2", ecdhe, "server-key-exchange-signature"},
		"dtls12-client-certificate": {"tls12-ecdhe", "DTLS 1.2", ecdhe, "client-certificate-verify"},
		"dtls12-rsa":                {"tls12-rsa", "DTLS 1.2", "differently unknown as-told unseen differently as-told as-told unknown differently as-told unseen", ""},
		"dtls12-psk":                {"psk", "DTLS 1.2", "differently absent absent absent differently absent differently absent differently as-told unseen", ""},
		"dtls10":                    {"tls12-ecdhe", "DTLS 1.0", ecdhe, "server-key-exchange-signature"},
	} {
		file, err := os.ReadFile(filepath.Join("testdata", name+".pcap"))
		if err != nil {
			t.Fatal(err)
		}
		names, proofs, leg, says := told(t, udpStory(t, file))
		if leg.Flow != want.flow || !strings.HasPrefix(leg.Title.English, want.title) {
			t.Errorf("%s: %s, %q", name, leg.Flow, leg.Title)
		}
		var got []string
		for _, v := range rowVerdicts(leg) {
			got = append(got, string(v))
		}
		if s := strings.Join(got, " "); s != want.verdicts {
			t.Errorf("%s: verdicts\n%s, want\n%s", name, s, want.verdicts)
		}
		if want.proven != "" && proofs[want.proven] != event.Proven {
			t.Errorf("%s: %s is %q", name, want.proven, proofs[want.proven])
		}
		for _, id := range []string{"connection-dtls", "hello-verify-request", "client-hello-cookie", "summary-sealed", "sealed-finished"} {
			if !strings.Contains(says, id+" ") {
				t.Errorf("%s: does not say %s", name, id)
			}
		}
		if !slices.Contains(names, "client ClientKeyExchange") {
			t.Errorf("%s: %v", name, names)
		}
	}
}

// quicFile is a capture of datagrams in hex, a classic pcap file of raw IPv4
// packets: "c " begins one of the client, "s " one of the server.
func quicFile(datagrams []string) []byte {
	le, be := binary.LittleEndian, binary.BigEndian
	out := append(le.AppendUint32(nil, 0xa1b2c3d4), 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0)
	for i, s := range datagrams {
		server := s[0] == 's'
		data, err := hex.DecodeString(s[2:])
		if err != nil {
			panic(err)
		}
		ip := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0xc0, 0, 0x01, 0xbb, 0, 0, 0, 0}
		if server {
			copy(ip[12:], []byte{192, 0, 2, 2, 192, 0, 2, 1, 0x01, 0xbb, 0xc0, 0})
		}
		be.PutUint16(ip[2:], uint16(len(ip)+len(data)))
		be.PutUint16(ip[24:], uint16(8+len(data)))
		for _, n := range []int{1_700_000_000, i, len(ip) + len(data), len(ip) + len(data)} {
			out = le.AppendUint32(out, uint32(n))
		}
		out = append(append(out, ip...), data...)
	}
	return out
}

// TestQUICStories: connections of the examples of RFC 9001 and RFC 9369, made by
// go test ./capture/quic -run TestConnections -record-quic.
func TestQUICStories(t *testing.T) {
	hidden := "differently unknown unknown unknown unknown unknown unknown unknown unknown unknown unknown"
	for name, want := range map[string]struct{ flow, title, verdicts, says, proven string }{
		"quic-v1": {"tls13-full", "QUIC version 1, TLS 1.3 with x25519",
			"differently unknown differently unknown differently absent differently absent differently unknown unknown",
			"connection-quic quic-initial-client client-hello quic-initial-server server-hello quic-handshake-server quic-handshake-client quic-1rtt summary-quic",
			"quic-client-initial quic-server-initial"},
		"quic-v2": {"tls13-full", "QUIC version 2, TLS 1.3 with x25519",
			"differently unknown differently unknown differently absent differently absent differently unknown unknown",
			"connection-quic quic-initial-client quic-initial-server summary-quic", "quic-client-initial quic-server-initial"},
		"quic-retry": {"tls13-full", "QUIC version 1, TLS 1.3 with x25519",
			"differently unknown differently unknown differently absent differently absent unknown unknown unknown",
			"quic-retry quic-token", "quic-client-initial quic-retry-tag quic-server-initial"},
		"quic-negotiation": {"unknown", "QUIC version 1: a ClientHello without", hidden, "quic-other quic-version-negotiation quic-initial-client", "quic-client-initial"},
		"quic-refused": {"unknown", "QUIC version 1, refused",
			"failed not-reached not-reached not-reached not-reached not-reached not-reached not-reached not-reached not-reached not-reached",
			"quic-close", "quic-client-initial quic-server-initial"},
	} {
		file, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
		if err != nil {
			t.Fatal(err)
		}
		events := udpStory(t, quicFile(strings.Split(strings.TrimSpace(string(file)), "\n")))
		names, proofs, leg, says := told(t, events)
		if leg.Flow != want.flow || !strings.HasPrefix(leg.Title.English, want.title) {
			t.Errorf("%s: %s, %q", name, leg.Flow, leg.Title)
		}
		var got []string
		for _, v := range rowVerdicts(leg) {
			got = append(got, string(v))
		}
		if s := strings.Join(got, " "); s != want.verdicts {
			t.Errorf("%s: verdicts\n%s, want\n%s", name, s, want.verdicts)
		}
		for _, id := range strings.Fields(want.says) {
			if !strings.Contains(says, id+" ") {
				t.Errorf("%s: does not say %s", name, id)
			}
		}
		for _, id := range strings.Fields(want.proven) {
			if proofs[id] != event.Proven {
				t.Errorf("%s: %s is %q", name, id, proofs[id])
			}
		}
		hellos := 0
		for _, n := range names {
			if n == "client ClientHello" {
				hellos++
			}
		}
		if hellos != 1 {
			t.Errorf("%s: %d ClientHellos in %v", name, hellos, names)
		}
		fields := map[string]string{}
		for _, e := range events {
			for _, f := range e.Fields {
				if e.Topic == event.TopicClientHello {
					fields[strings.TrimSpace(f.Name.English)] = f.Value.English
				}
			}
		}
		for field, value := range map[string]string{
			"server name": "example.com", "application_layer_protocol_negotiation": "alpn", "max_idle_timeout": "30000",
			"initial_source_connection_id": "8394c8f03e515708 (8 bytes)", "initial_max_data": "4611686018427387903",
		} {
			if fields[field] != value {
				t.Errorf("%s: %s is %q, want %q", name, field, fields[field], value)
			}
		}
		if !strings.HasPrefix(fields["JA4"], "q13d") {
			t.Errorf("%s: JA4 %q", name, fields["JA4"])
		}
	}
}

// TestUDPMutated tells the story of captures with bits changed and datagrams
// doubled, cut and in another order: no panic, and no sentence without its values.
func TestUDPMutated(t *testing.T) {
	var files [][]byte
	for _, pattern := range []string{"dtls*.pcap", "quic-*.hex"} {
		names, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil || len(names) == 0 {
			t.Fatal(pattern, err)
		}
		for _, name := range names {
			file, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(name, ".hex") {
				file = quicFile(strings.Split(strings.TrimSpace(string(file)), "\n"))
			}
			files = append(files, file)
		}
	}
	random := rand.New(rand.NewPCG(9000, 9147))
	for n := range 1500 {
		var packets [][]byte
		file := files[n%len(files)]
		for p := file[24:]; len(p) >= 16; {
			size := 16 + int(binary.LittleEndian.Uint32(p[8:]))
			packets = append(packets, bytes.Clone(p[:size]))
			p = p[size:]
		}
		for range 1 + random.IntN(4) {
			i, j := random.IntN(len(packets)), random.IntN(len(packets))
			switch p := packets[i]; random.IntN(5) {
			case 0:
				packets[i], packets[j] = packets[j], packets[i]
			case 1:
				packets = append(packets, bytes.Clone(packets[i]))
			case 2:
				keep := 29 + random.IntN(len(p)-44) // of the IP packet, whose end the capture then lacks
				binary.LittleEndian.PutUint32(p[8:], uint32(keep))
				packets[i] = p[:16+keep]
			default:
				p[16+28+random.IntN(len(p)-16-28)] ^= 1 << random.IntN(8)
			}
		}
		for _, e := range udpStory(t, append(bytes.Clone(file[:24]), bytes.Join(packets, nil)...)) {
			for _, s := range e.Says {
				if strings.Contains(s.Text, "(not known)") {
					t.Fatalf("mutation %d: %s: %s", n, s.ID, s.Text)
				}
			}
			if e.Summary == nil {
				continue
			}
			for _, r := range e.Summary.Legs[0].Rows {
				if strings.Contains(r.Says.Text, "(not known)") {
					t.Fatalf("mutation %d: step %s: %s", n, r.Step, r.Says.Text)
				}
			}
		}
	}
}

// TestRetryUnseen loses the packets before the hello that comes with a token: then a Retry
// may have come before it, and it is not said that the client had heard nothing.
func TestRetryUnseen(t *testing.T) {
	file, err := os.ReadFile(filepath.Join("testdata", "quic-retry.hex"))
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	sentences(udpStory(t, quicFile(strings.Split(strings.TrimSpace(string(file)), "\n")[2:])), func(id, _ string) { said[id] = true })
	for _, id := range []string{"quic-token-earlier", "step-4b-tls13-holed", "step-5-tls13-holed"} {
		if !said[id] {
			t.Error("does not say", id)
		}
	}
}
