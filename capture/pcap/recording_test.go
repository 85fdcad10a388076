package pcap

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"explainer/capture"
	"explainer/capture/keys"
)

// tshark runs a program of Wireshark's on a file and returns the lines that it
// prints. Without the program it returns false: there is nothing to compare with.
func tshark(t *testing.T, program string, args ...string) ([]string, bool) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Logf("nothing to compare with: %v", err)
		return nil, false
	}
	cmd := exec.Command(program, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, stderr.Bytes())
	}
	text := strings.TrimRight(string(out), "\n")
	if text == "" {
		return nil, true
	}
	return strings.Split(text, "\n"), true
}

func save(t *testing.T, name string, file []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Wireshark reads a recording as we do: the same frames with the same numbers,
// times, ports and payload, every checksum right, and nothing to remark on.
func TestWiresharkReadsRecordings(t *testing.T) {
	for seed := range uint64(2) {
		file, want := recording(t, seed, 200)
		path := save(t, "r.pcapng", file)
		lines, ok := tshark(t, "tshark", "-n", "-r", path, "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
			"-T", "fields", "-E", "separator=/t", "-e", "frame.number", "-e", "frame.interface_name", "-e", "frame.time_epoch", "-e", "tcp.stream", "-e", "tcp.srcport", "-e", "tcp.payload",
			"-e", "tcp.checksum.status", "-e", "ip.checksum.status", "-e", "tcp.flags.fin", "-e", "tcp.flags.reset",
			"-e", "udp.srcport", "-e", "udp.payload", "-e", "udp.checksum.status")
		if !ok {
			return
		}
		packets := map[int][]string{}
		last := "0"
		for i, line := range lines {
			col := strings.Split(line, "\t")
			if col[0] != strconv.Itoa(i+1) {
				t.Fatalf("frame %s stands at place %d", col[0], i+1)
			}
			if col[2] < last {
				t.Errorf("time goes back at frame %d: %s after %s", i+1, col[2], last)
			}
			last = col[2]
			if col[6]+col[12] != "1" || col[7] != "1" && col[7] != "" {
				t.Errorf("frame %d: checksum of TCP %s, of UDP %s, of IP %s", i+1, col[6], col[12], col[7])
			}
			packets[i+1] = col
		}
		opens := map[int]capture.Open{}
		ports := func(conn int, side capture.Side) string {
			end := opens[conn].Client
			if side == capture.Server {
				end = opens[conn].Server
			}
			return strconv.Itoa(int(end.Port()))
		}
		epoch := func(t int64) string { return fmt.Sprintf("%d.%09d", t/1e9, t%1e9) }
		count := 0
		stream := map[int]string{} // Wireshark counts connections over TCP alone
		for _, in := range want {
			switch in := in.(type) {
			case capture.Open:
				opens[in.Conn] = in
				if in.Transport == capture.TransportQUIC {
					continue
				}
				stream[in.Conn] = strconv.Itoa(len(stream))
				name := browserInterface
				if in.Leg == capture.LegOrigin {
					name = originInterface
				}
				p := packets[in.Packet]
				if p[1] != name || p[2] != epoch(in.Time) || p[3] != stream[in.Conn] || p[4] != ports(in.Conn, capture.Client) {
					t.Errorf("%+v is %q", in, p)
				}
				count += 3
			case capture.Chunk:
				p := packets[in.Packet]
				if p[2] != epoch(in.Time) || p[3] != stream[in.Conn] || p[4] != ports(in.Conn, in.Side) || p[5] != fmt.Sprintf("%x", in.Data) {
					t.Errorf("chunk of %d in packet %d is %.200q", in.Conn, in.Packet, p)
				}
				count++
			case capture.Datagram:
				p := packets[in.Packet]
				if p[2] != epoch(in.Time) || p[10] != ports(in.Conn, in.Side) || p[11] != fmt.Sprintf("%x", in.Data) {
					t.Errorf("datagram of %d in packet %d is %.200q", in.Conn, in.Packet, p)
				}
				count++
			case capture.Close:
				p := packets[in.Packet]
				if p[2] != epoch(in.Time) || p[4] != ports(in.Conn, in.Side) || (p[9] == "1") != in.Reset || (p[8] == "1") == in.Reset {
					t.Errorf("%+v is %q", in, p)
				}
				count++
			}
		}
		if count != len(lines) {
			t.Errorf("%d frames, want %d", len(lines), count)
		}
		remarks(t, path)
		info, _ := tshark(t, "capinfos", "-c", "-M", "-o", "-T", "-r", path)
		if cols := strings.Split(strings.Join(info, ""), "\t"); len(cols) != 3 || cols[1] != strconv.Itoa(count) || cols[2] != "True" {
			t.Errorf("capinfos: %q", info)
		}
	}
}

// remarks fails if Wireshark finds anything to note in a file, but that
// connections end.
func remarks(t *testing.T, path string) {
	t.Helper()
	lines, _ := tshark(t, "tshark", "-n", "-r", path, "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-q", "-z", "expert,note")
	for _, line := range lines {
		// Frequency, group, protocol, summary
		col := strings.Fields(line)
		if len(col) < 4 || col[0] == "Frequency" {
			continue
		}
		switch summary := strings.Join(col[3:], " "); summary {
		case "Connection reset (RST)", "This frame initiates the connection closing", "This frame undergoes the connection closing":
		default:
			t.Errorf("tshark remarks: %s", line)
		}
	}
}

// A long stream goes over the end of the sequence numbers.
func TestSequenceNumbersWrap(t *testing.T) {
	pr, pw := io.Pipe()
	const total = 64 << 20
	block := random(mathrand.New(mathrand.NewPCG(1, 1)), 1<<20)
	go func() {
		w, err := NewWriter(pw, "")
		if err == nil {
			s := w.open(capture.LegOrigin, client, server, 1, 0, 1<<32-total/2)
			for range total / len(block) {
				s.Data(capture.Server, 1, block)
			}
			s.Fin(capture.Server, 1)
			err = w.Flush()
		}
		pw.CloseWithError(err)
	}()
	r, err := NewReader(pr)
	if err != nil {
		t.Fatal(err)
	}
	pos := 0
	for {
		in, err := r.next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		switch in := in.(type) {
		case *capture.Chunk:
			if want := block[pos%len(block):][:len(in.Data)]; !bytes.Equal(in.Data, want) {
				t.Fatalf("wrong bytes at %d", pos)
			}
			pos += len(in.Data)
		case *capture.Gap:
			t.Fatalf("a gap at %d: %+v", pos, in)
		}
	}
	if pos != total {
		t.Errorf("%d bytes of %d", pos, total)
	}
}

// Wireshark finds nothing to remark on where much goes one way, with
// acknowledgements only of the writer's own.
func TestMuchOneWay(t *testing.T) {
	var file bytes.Buffer
	w, err := NewWriter(&file, "")
	if err != nil {
		t.Fatal(err)
	}
	s := w.Open(capture.LegOrigin, client, server, 1)
	s.Data(capture.Client, 1, []byte("go"))
	for range 300 {
		s.Data(capture.Server, 1, make([]byte, 100_000))
	}
	s.Fin(capture.Server, 1)
	s.Fin(capture.Client, 1)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	remarks(t, save(t, "r.pcapng", file.Bytes()))
}

// A tap hands on what is written to a connection, in the order of writing.
type tap struct {
	net.Conn
	wrote func(data []byte)
}

func (c tap) Write(b []byte) (int, error) {
	c.wrote(bytes.Clone(b))
	return c.Conn.Write(b)
}

// handshake records a TLS 1.3 session with an HTTP exchange, behind a CONNECT
// if asked, with its keys where the proxy's recorder puts them: as soon as they are known.
func handshake(t *testing.T, to netip.AddrPort, connect bool) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"example.test"}, NotAfter: time.Now().Add(time.Hour)}
	leaf, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	type sent struct {
		side capture.Side
		data []byte
	}
	order := make(chan sent, 100)
	at := func(side capture.Side) func([]byte) {
		return func(data []byte) { order <- sent{side, data} }
	}
	var log bytes.Buffer
	a, b := net.Pipe()
	c := tls.Client(tap{a, at(capture.Client)}, &tls.Config{InsecureSkipVerify: true, ServerName: "example.test", KeyLogWriter: &log})
	s := tls.Server(tap{b, at(capture.Server)}, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf}, PrivateKey: key}}})
	served := make(chan error, 1)
	go func() {
		if _, err := s.Read(make([]byte, 1000)); err != nil {
			served <- err
			return
		}
		_, err := io.WriteString(s, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
		served <- errors.Join(err, s.Close())
	}()
	if _, err := io.WriteString(c, "GET /secret HTTP/1.1\r\nHost: example.test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(c); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	close(order)

	var file bytes.Buffer
	w, err := NewWriter(&file, "recorded by a test")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UnixNano()
	w.Fact(capture.Fact{Time: now, Kind: capture.FactRecording, Detail: "test"})
	stream := w.Open(capture.LegBrowser, client, to, now)
	if connect {
		stream.Data(capture.Client, now, []byte("CONNECT example.test:443 HTTP/1.1\r\nHost: example.test:443\r\n\r\n"))
		w.Fact(capture.Fact{Time: now, Kind: capture.FactSession, Conn: 1, Peer: 2, Host: "example.test:443"})
		stream.Data(capture.Server, now, []byte("HTTP/1.1 200 OK\r\n\r\n"))
	}
	n := 0
	for e := range order {
		if n == 1 {
			w.Fact(capture.Fact{Time: now, Kind: capture.FactEM, Conn: 1, Data: []byte("the padded premaster")})
			if err := keys.ReadLog(&log, w.Secret); err != nil {
				t.Fatal(err)
			}
		}
		stream.Data(e.side, now+int64(n), e.data)
		n++
	}
	stream.Fin(capture.Server, now)
	stream.Fin(capture.Client, now)
	w.Name(to.Addr(), "example.test")
	w.Fact(capture.Fact{Time: now, Kind: capture.FactClosed, Conn: 1, Outcome: "client"})
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// Wireshark decrypts a recording with no settings at all, whatever the ports,
// also behind a CONNECT. Once the keys are taken out as the documentation says,
// it does not, and nothing of ours that could open it is left.
func TestWiresharkDecrypts(t *testing.T) {
	for _, to := range []string{"127.0.0.1:443", "127.0.0.1:34567", "127.0.0.1:8080", "[::1]:39001"} {
		to := netip.MustParseAddrPort(to)
		connect := to.Port() != 443
		path := save(t, "r.pcapng", handshake(t, to, connect))
		request := []string{"-n", "-r", path, "-Y", "tls && http.request", "-T", "fields", "-e", "http.request.full_uri"}
		lines, ok := tshark(t, "tshark", request...)
		if !ok {
			return
		}
		if want := []string{"https://example.test/secret"}; !slices.Equal(lines, want) {
			t.Errorf("%v: decrypted requests %q, want %q", to, lines, want)
		}
		remarks(t, path)
		names, _ := tshark(t, "tshark", "-r", path, "-q", "-z", "hosts")
		if !slices.Contains(names, to.Addr().String()+"\texample.test") {
			t.Errorf("%v: names: %q", to, names)
		}

		stripped := filepath.Join(t.TempDir(), "stripped.pcapng")
		tshark(t, "editcap", "--discard-all-secrets", path, stripped)
		request[2] = stripped
		if lines, _ := tshark(t, "tshark", request...); len(lines) != 0 {
			t.Errorf("%v: decrypted without keys: %q", to, lines)
		}
		file, err := os.ReadFile(stripped)
		if err != nil {
			t.Fatal(err)
		}
		before, after := 0, 0
		original, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range mustRead(t, original) {
			switch in.(type) {
			case capture.Open, capture.Chunk, capture.Close:
				before++
			}
		}
		for _, in := range mustRead(t, file) {
			switch in.(type) {
			case capture.Open, capture.Chunk, capture.Close:
				after++
			default:
				t.Errorf("%v: left in the stripped file: %+v", to, in)
			}
		}
		if before != after {
			t.Errorf("%v: %d inputs of %d are left", to, after, before)
		}
	}
}

// A write error sticks, is told, and nothing is written after it.
func TestWriteError(t *testing.T) {
	full := errors.New("disk is full")
	out := &limited{room: 100_000, err: full}
	w, err := NewWriter(out, "")
	if err != nil {
		t.Fatal(err)
	}
	s := w.Open(capture.LegOrigin, client, server, 1)
	for range 10 {
		s.Data(capture.Server, 1, make([]byte, 100_000))
		w.Secret(keys.Secret{Label: "L", ClientRandom: make([]byte, 32), Secret: make([]byte, 32)})
		w.Fact(capture.Fact{Kind: capture.FactClosed, Detail: strings.Repeat("x", 1_000_000)})
	}
	if err := w.Flush(); err != full || w.Err() != full {
		t.Errorf("Flush: %v, Err: %v", err, w.Err())
	}
	if out.failed != 1 {
		t.Errorf("%d writes after the error", out.failed-1)
	}
	if _, err := NewWriter(&limited{err: full}, ""); err != full {
		t.Errorf("NewWriter: %v", err)
	}
}

type limited struct {
	room, failed int
	err          error
}

func (l *limited) Write(b []byte) (int, error) {
	if l.room -= len(b); l.room < 0 {
		l.failed++
		return 0, l.err
	}
	return len(b), nil
}

// Odd addresses are written all the same.
func TestOddAddresses(t *testing.T) {
	var file bytes.Buffer
	w, err := NewWriter(&file, "")
	if err != nil {
		t.Fatal(err)
	}
	w.Open(capture.LegBrowser, netip.AddrPort{}, netip.MustParseAddrPort("[::ffff:192.0.2.1]:1"), -5)
	w.Open(capture.LegBrowser, netip.MustParseAddrPort("[fe80::1%eth0]:2"), netip.MustParseAddrPort("192.0.2.1:1"), 0)
	w.Name(netip.Addr{}, "nobody")
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	compareInputs(t, mustRead(t, file.Bytes()), []capture.Input{
		capture.Open{Conn: 1, Leg: capture.LegBrowser, Packet: 1, Client: netip.MustParseAddrPort("0.0.0.0:0"), Server: netip.MustParseAddrPort("192.0.2.1:1"), SYN: true, Handshake: [3]int{1, 2, 3}},
		capture.Open{Conn: 2, Leg: capture.LegBrowser, Packet: 4, Client: netip.MustParseAddrPort("[fe80::1]:2"), Server: netip.MustParseAddrPort("192.0.2.1:1"), SYN: true, Handshake: [3]int{4, 5, 6}},
	})
}
