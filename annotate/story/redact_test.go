package story

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/mask"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
	"explainer/capture/pcap"
	"explainer/capture/web"
)

// twinOf makes the twin of a capture, without the story beside its packets. The
// secrets are those of key logs beside it.
func twinOf(t *testing.T, path string, log []keys.Secret) (twin []byte, r *redaction) {
	return twinOfWith(t, path, log, nil)
}

// twinOfWith is twinOf with private keys.
func twinOfWith(t *testing.T, path string, log []keys.Secret, private []*keys.PrivateKey) (twin []byte, r *redaction) {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r = &redaction{private: private}
	made, err := r.twin(s, log, t.TempDir())
	if made != nil {
		defer made.remove()
	}
	if err != nil && !errors.As(err, new(*pcap.CutError)) {
		t.Fatalf("%s: %v", path, err)
	}
	if twin, err = io.ReadAll(made.file); err != nil {
		t.Fatal(err)
	}
	return twin, r
}

// A reader of both says what a capture and its twin must have in common, and what
// the twin must not have.
type bothSides struct {
	messages []string       // of each connection, in order
	proofs   map[string]int // by name and outcome
	paths    []string
	said     map[string]bool
	opened   int
	udp      map[[32]byte]bool // client randoms of connections of QUIC and DTLS that lines of the log are for
}

// readBoth reads a capture with the secrets in it and in log.
func readBoth(t *testing.T, data []byte, log []keys.Secret) *bothSides {
	return readWithout(t, data, log, nil)
}

// readWithout leaves out the lines for some client randoms.
func readWithout(t *testing.T, data []byte, log []keys.Secret, without map[[32]byte]bool) *bothSides {
	t.Helper()
	b := &bothSides{proofs: map[string]int{}, said: map[string]bool{}, udp: map[[32]byte]bool{}}
	x := &annotate.Explainer{ShowSecrets: true}
	d := &capture.Decoder{SecretsFirst: true}
	events := func(es []event.Event) {
		for _, e := range es {
			for _, p := range e.Proofs {
				b.proofs[p.ID+" "+string(p.State)]++
			}
		}
	}
	take := func(m *capture.Message) {
		b.take(m)
		events(x.Explain(m))
	}
	left := func(k *keys.Secret) bool {
		return len(k.ClientRandom) != 32 || !without[[32]byte(k.ClientRandom)]
	}
	feed := func(k keys.Secret) {
		if !left(&k) {
			return
		}
		ms := d.Feed(&k)
		for i := range ms {
			take(&ms[i])
		}
	}
	for _, k := range log {
		feed(k)
	}
	if err := pcap.Keys(bytes.NewReader(data), feed); err != nil && !errors.As(err, new(*pcap.CutError)) {
		t.Fatal(err)
	}
	r, err := pcap.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	inputs := func(yield func(capture.Input, error) bool) {
		for in, err := range r.All() {
			if k, ok := in.(*keys.Secret); ok && !left(k) {
				continue
			}
			if !yield(in, err) {
				return
			}
		}
	}
	for m, err := range d.All(inputs) {
		if err == nil {
			take(m)
		}
	}
	events(x.Finish())
	return b
}

func (b *bothSides) say(p []byte) {
	const least, most = 8, 48
	if len(p) >= least && !bytes.Contains(p, []byte("HTTP/1.")) && !bytes.HasPrefix(p, []byte("GET ")) { // the lines of a head that breaks off stay
		b.said[string(p[:min(len(p), most)])] = true
	}
}

func (b *bothSides) take(m *capture.Message) {
	what := fmt.Sprintf("%T", m.Body)
	if k, ok := m.Body.(*capture.Keyed); ok && (m.Conn.Transport == capture.TransportQUIC || m.Conn.Transport == capture.TransportDTLS) {
		b.udp[k.ClientRandom] = true
	}
	switch body := m.Body.(type) {
	case *capture.Keyed, *capture.KeyLine: // the twin has those alone that belong to it
		return
	case *capture.Sealed:
		what += fmt.Sprint(*body)
	case *capture.AppData: // encrypted it is other bytes
		same := *body
		same.Sealed, same.Record = [8]byte{}, nil
		what += fmt.Sprint(same)
	case *capture.Opaque:
		if body.Len > 64 { // what stays of the words that ask for TLS is shorter
			b.say(body.Preview)
		}
		what += fmt.Sprint(body.Len, body.Why)
	case *capture.StartTLS:
		what += fmt.Sprint(body.Protocol, body.Request, body.Target, body.Answer != "")
	case *web.Head:
		path, query, _ := strings.Cut(body.Target, "?")
		b.say([]byte(query))
		b.paths = append(b.paths, path)
		what += fmt.Sprint(body.Protocol, body.Stream, body.Method, len(path), body.Status, body.EndsHere)
		for _, f := range body.Fields {
			what += " " + f.Name
			switch name := strings.ToLower(f.Name); {
			case strings.HasSuffix(name, "authorization"):
				_, value, _ := strings.Cut(f.Value, " ")
				b.say([]byte(value))
			case name == "cookie" || name == "set-cookie":
				for pair := range strings.SplitSeq(strings.SplitN(f.Value, ";", 2)[0], ";") {
					_, value, _ := strings.Cut(pair, "=")
					b.say([]byte(value))
				}
			case strings.Contains(name, "token") || strings.Contains(name, "secret"):
				b.say([]byte(f.Value))
			}
		}
	case *web.Body:
		b.say(body.Preview)
		what += fmt.Sprint(body.Len, body.Framing, body.Complete)
		for _, f := range body.Trailers {
			what += " " + f.Name
		}
	case *web.Frame:
		what += fmt.Sprint(body.Type, body.Stream, body.Len)
	case *web.WebSocket:
		b.say(body.Preview)
		what += fmt.Sprint(body.Opcode, body.Fin, body.Masked, body.Compressed, body.Len, body.Code)
	case *web.Unparsed:
		b.say(body.Preview)
		what += fmt.Sprint(body.Len)
	case handshake.Message:
		what += fmt.Sprintf("%x", sha256.Sum256(m.Raw))
	}
	conn := 0
	if m.Conn != nil {
		conn = m.Conn.Number
	}
	if m.Opened && !m.Inner {
		b.opened++
	}
	b.messages = append(b.messages, fmt.Sprint(conn, m.Side, m.Span, m.First, m.Last, m.Inner, m.Opened, m.By, " ", what))
}

// compareTwin holds a twin against its capture. In one of changed messages differ,
// in one of alike something else has the same bytes as what was overwritten.
func compareTwin(t *testing.T, name string, data, twin []byte, log []keys.Secret) {
	t.Helper()
	_, changed := changedTwins[name]
	_, alike := alikeTwins[name]
	// The twin has all the keys that it needs inside.
	was, is := readBoth(t, data, log), readBoth(t, twin, nil)
	if len(was.udp) > 0 { // to connections of QUIC and DTLS keys are left out, so that what is said there stays sealed
		said := was.said
		was = readWithout(t, data, log, was.udp)
		was.said = said
	}
	if !changed && !slices.Equal(was.messages, is.messages) {
		for i := range min(len(was.messages), len(is.messages)) {
			if was.messages[i] != is.messages[i] {
				t.Errorf("%s: message %d of %d and %d\nis    %s\nwas   %s", name, i, len(is.messages), len(was.messages), is.messages[i], was.messages[i])
				break
			}
		}
		if len(was.messages) != len(is.messages) {
			t.Errorf("%s: %d messages, there were %d", name, len(is.messages), len(was.messages))
		}
	}
	for i := range min(len(was.paths), len(is.paths)) {
		if changed || len(was.paths[i]) != len(is.paths[i]) {
			continue // which is told above
		}
		left := []byte(is.paths[i]) // with what was to be hidden put back
		for _, hidden := range new(mask.Rule).Spans(":path", was.paths[i]) {
			if is.paths[i][hidden.From:hidden.To] == was.paths[i][hidden.From:hidden.To] {
				t.Errorf("%s: in a path there still is %s", name, was.paths[i])
			}
			copy(left[hidden.From:hidden.To], was.paths[i][hidden.From:])
		}
		if string(left) != was.paths[i] {
			t.Errorf("%s: path is %s, was %s", name, is.paths[i], was.paths[i])
		}
	}
	if !changed && is.opened != was.opened {
		t.Errorf("%s: %d records open, %d did", name, is.opened, was.opened)
	}
	for proof, n := range is.proofs {
		if strings.HasSuffix(proof, string(event.Refuted)) && n != was.proofs[proof] {
			t.Errorf("%s: %s %d times, was %d times", name, proof, n, was.proofs[proof])
		}
	}
	if !changed && fmt.Sprint(is.proofs) != fmt.Sprint(was.proofs) {
		t.Errorf("%s: proofs are %v, were %v", name, is.proofs, was.proofs)
	}
	for said := range was.said {
		if strings.Trim(said, "x") == "" || alike {
			continue
		}
		if bytes.Contains(twin, []byte(said)) {
			t.Errorf("%s: the twin has %q", name, said)
		}
		for s := range is.said {
			if strings.Contains(s, said) {
				t.Errorf("%s: what opens in the twin has %q", name, said)
			}
		}
	}
	comparePackets(t, name, data, twin)
}

// comparePackets holds that packets have the same times, lengths and addresses.
func comparePackets(t *testing.T, name string, data, twin []byte) {
	t.Helper()
	_, changed := changedTwins[name]
	packets := func(data []byte) (list []string) {
		r, err := pcap.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		for in := range r.All() {
			switch in := in.(type) {
			case nil, *keys.Secret, *capture.Fact: // nil where the capture is cut off
			case *capture.Chunk:
				list = append(list, fmt.Sprint(in.Conn, in.Side, in.Time, in.Packet, len(in.Data)))
			case *capture.Datagram:
				list = append(list, fmt.Sprint(in.Conn, in.Side, in.Time, in.Packet, len(in.Data), in.Cut))
			default:
				list = append(list, fmt.Sprint(in))
			}
		}
		if changed { // what is alike is how many there are
			return []string{fmt.Sprint(r.Stats().Packets)}
		}
		return append(list, fmt.Sprint(r.Stats().Packets, r.Stats().Skipped))
	}
	was, is := packets(data), packets(twin)
	if !slices.Equal(was, is) {
		for i := range min(len(was), len(is)) {
			if was[i] != is[i] {
				t.Errorf("%s: packets: %s, were %s", name, is[i], was[i])
				return
			}
		}
		t.Errorf("%s: %d inputs, were %d", name, len(is), len(was))
	}
}

// A twin has the same packets, opens with the keys in it as its original does, says
// the same handshakes and proofs, and nothing of what people sent.
func TestTwin(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "capture", "testdata", "recordings", "*.pcapng"))
	if err != nil || len(files) < 50 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".pcapng"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			twin, _ := twinOf(t, path, nil)
			compareTwin(t, path, data, twin, nil)
		})
	}
}

// And for recordings of our own, with both legs and facts. What the copy tells beside
// its packets is what its own story tells.
func TestTwinOfRecording(t *testing.T) {
	recording := filepath.Join("testdata", "demo.pcapng") // that explainer demo left
	data, err := os.ReadFile(recording)
	if err != nil {
		t.Fatal(err)
	}
	twin, _ := twinOf(t, recording, nil)
	compareTwin(t, recording, data, twin, nil)
	dir := t.TempDir()
	to, again := filepath.Join(dir, "twin.pcapng"), filepath.Join(dir, "again.pcapng")
	if done := copyOf(t, recording, to, CopyOptions{Redact: true}); done.Opened == 0 || done.OpenInCopy != done.Opened {
		t.Errorf("%d messages open in the copy, %d in the original", done.OpenInCopy, done.Opened)
	}
	copied, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	for said := range readBoth(t, data, nil).said {
		if strings.Trim(said, "x") != "" && bytes.Contains(copied, []byte(said)) {
			t.Errorf("the copy has %q", said)
		}
	}
	copyOf(t, to, again, CopyOptions{})
	comments := func(path string) [][]string {
		return tshark(t, path, "frame.comment", "frame.number", "frame.comment")
	}
	if was, is := comments(to), comments(again); len(was) == 0 || !slices.EqualFunc(was, is, func(a, b []string) bool { return strings.HasPrefix(b[1], a[1]) }) {
		t.Error("the comments of the copy are not those of its story")
	}
}

// copyOf copies a capture.
func copyOf(t *testing.T, from, to string, o CopyOptions) *Copied {
	t.Helper()
	s, err := Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	done, err := Copy(t.Context(), s, to, o)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// What a private key opened opens in the copy without it: what is sealed twice is
// given away with its keys.
func TestTwinOfPrivateKey(t *testing.T) {
	recordings := filepath.Join("..", "..", "capture", "testdata", "recordings")
	pem, err := os.ReadFile(filepath.Join(recordings, "keys", "rsa.key"))
	if err != nil {
		t.Fatal(err)
	}
	private, err := keys.ParsePrivateKeys(pem, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tls12-rsa-aes128-gcm", "tls12-rsa-no-ems", "tls10-rsa", "tls12-resumed-rsa"} {
		path := filepath.Join(recordings, name+".pcapng")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bare := filepath.Join(t.TempDir(), "bare.pcapng")
		var out bytes.Buffer
		if _, err := pcap.Rewrite(&out, bytes.NewReader(data), pcap.Rewriting{StripKeys: true}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(bare, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		twin, r := twinOfWith(t, bare, nil, private)
		if is := readBoth(t, twin, nil); is.opened == 0 || is.opened != r.told.opened {
			t.Errorf("%s: %d records open, %d did", name, is.opened, r.told.opened)
		}
		for said := range readBoth(t, data, nil).said {
			if bytes.Contains(twin, []byte(said)) {
				t.Errorf("%s: the twin has %q", name, said)
			}
		}
	}
}

// changedTwins are captures whose twins are told differently, and why.
var changedTwins = map[string]string{
	"wireshark-4.0.17/tcp-badsegments.pcap":                         "a segment comes again with other bytes, and both copies are overwritten alike",
	"nDPI/webex.pcap":                                               "the same, and the second copy is an alert",
	"nDPI-4.2-debian/webex.pcap":                                    "the same",
	"lekensteyn-notes/all__dump.pcapng":                             "records are compressed, which cannot be overwritten and stay as long",
	"mercury/unit_tests__pcaps__capture2.pcap":                      "encrypted bytes that look like an SSL 2.0 hello begin a connection",
	"mercury/unit_tests__pcaps__dns_packet.capture2.pcap":           "the same",
	"nDPI/openvpn_obfuscated.pcapng":                                "what is no protocol is overwritten, and a byte of it looked like one",
	"nDPI/openvpn.pcap":                                             "TLS framed in OpenVPN's packets is no TLS that can be read, and overwritten",
	"nDPI/openvpn_nohmac_tcp.pcapng":                                "the same",
	"zeek-spicy-openvpn/tests__traces__openvpn-tcp-tls-auth.pcap":   "the same",
	"zeek-spicy-openvpn/tests__traces__openvpn_tcp_nontlsauth.pcap": "the same",
	"zeek/tls__ssl-v2.pcap":                                         "a hello of SSL 2.0 alone is not read, and overwritten",
	"zeek/http__http-inner-transfer-encoding-ossfuzz.pcap":          "a fuzzer's",
}

// alikeTwins are captures in which what was overwritten stands elsewhere, too, where it stays.
var alikeTwins = map[string]string{
	"arkime/arkime_synthetic.pcap":                        "a body that is a reason phrase",
	"joy/firefox58.pcap":                                  "an OCSP answer over HTTP that another handshake stapled",
	"mercury/unit_tests__pcaps__capture2.pcap":            "twelve bytes, nearly all zeros",
	"mercury/unit_tests__pcaps__dns_packet.capture2.pcap": "the same",
	"nDPI/tls_certificate_too_long.pcap":                  "the certificate of a handshake that is cut off in one connection and whole in another",
}

// The same holds for captures that others made.
func TestTwinOfSharedCaptures(t *testing.T) {
	shared := sharedCaptures(t)
	if shared == "" {
		t.Log("no folder shared/captures here")
		return
	}
	const most = 4 << 20 // bytes of a capture
	var log []keys.Secret
	var captures []string
	err := filepath.WalkDir(shared, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if _, err := pcap.NewReader(bytes.NewReader(data)); err == nil {
			if len(data) < most {
				captures = append(captures, path)
			}
		} else if bytes.Contains(data, []byte("CLIENT_RANDOM ")) || bytes.Contains(data, []byte("_TRAFFIC_SECRET")) {
			return keys.ReadLog(bytes.NewReader(data), func(s keys.Secret) { log = append(log, s) })
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range captures {
		name, _ := filepath.Rel(shared, path)
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			twin, _ := twinOf(t, path, log)
			compareTwin(t, filepath.ToSlash(name), data, twin, log)
		})
	}
}

// Tshark opens the twin with the keys in it: the same handshakes, requests and
// names of fields, in packets of the same lengths, times and numbers, and what it
// decrypts has nothing of what people sent.
func TestTsharkOpensTwin(t *testing.T) {
	for _, name := range []string{"http1", "http1-post", "http2", "connect", "tls10-rsa", "tls11-rsa-rc4", "tls12-rsa-aes128-cbc-sha256-etm", "tls12-ecdhe-ecdsa-ccm8", "tls13-key-update"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("..", "..", "capture", "testdata", "recordings", name+".pcapng")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			to := filepath.Join(t.TempDir(), "twin.pcapng")
			copyOf(t, path, to, CopyOptions{Redact: true})
			seen := func(path string) [][]string {
				return tshark(t, path, "", "frame.number", "frame.time_epoch", "frame.len", "frame.cap_len", "ip.src", "ip.dst", "tcp.seq_raw", "tcp.ack_raw", "tcp.len", "tcp.checksum.status",
					"tls.handshake.type", "tls.handshake.verify_data", "tls.record.content_type", "tls.app_data_proto", "http.request.method", "http.response.code", "http2.type", "http2.length", "http2.header.name", "http2.header.length")
			}
			was, is := seen(path), seen(to)
			if fmt.Sprint(is) != fmt.Sprint(was) {
				for i := range min(len(was), len(is)) {
					if !slices.Equal(was[i], is[i]) {
						t.Errorf("tshark sees\n%q, and of the original\n%q", is[i], was[i])
						break
					}
				}
			}
			if bad := tshark(t, to, "_ws.expert.severity == error", "frame.number", "_ws.expert.message"); len(bad) > 0 {
				t.Errorf("tshark says %q", bad)
			}
			out, err := exec.Command("tshark", "-r", to, "-q", "-z", "follow,tls,raw,0").Output()
			if err != nil {
				t.Fatal(err)
			}
			var plain []byte
			for line := range strings.Lines(string(out)) {
				if b, err := hex.DecodeString(strings.TrimSpace(line)); err == nil {
					plain = append(plain, b...)
				}
			}
			if len(plain) < 8 {
				t.Errorf("tshark decrypts %q", plain)
			}
			for said := range readBoth(t, data, nil).said {
				if bytes.Contains(plain, []byte(said)) {
					t.Errorf("tshark decrypts %q", said)
				}
			}
		})
	}
}

// tshark returns the fields of the packets that filter selects, with no preferences of the user's.
func tshark(t *testing.T, file, filter string, fields ...string) [][]string {
	t.Helper()
	args := []string{"-r", file, "-Y", filter, "-T", "fields"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.Command("tshark", args...)
	cmd.Env = append(cmd.Environ(), "HOME="+t.TempDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, stderr.Bytes())
	}
	var rows [][]string
	for _, line := range strings.Split(strings.TrimSuffix(string(out), "\n"), "\n") {
		if line != "" {
			rows = append(rows, strings.Split(line, "\t"))
		}
	}
	return rows
}
