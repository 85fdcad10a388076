package capture_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/pcap"
)

var recordDTLS = flag.Bool("record-dtls", false, "write what openssl says in DTLS anew to testdata/dtls, with its key logs")

// udpPackets is a capture of UDP datagrams, as they pass a relay: a classic pcap
// file of raw IPv4 packets.
type udpPackets struct {
	mu  sync.Mutex
	buf bytes.Buffer
	n   int
}

func (u *udpPackets) add(client netip.AddrPort, server netip.AddrPort, side capture.Side, data []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	le, be := binary.LittleEndian, binary.BigEndian
	if u.n == 0 {
		u.buf.Write(le.AppendUint32(nil, 0xa1b2c3d4))
		u.buf.Write([]byte{2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0})
	}
	from, to := client, server
	if side == capture.Server {
		from, to = server, client
	}
	all := 28 + len(data)
	now := time.Now()
	head := le.AppendUint32(nil, uint32(now.Unix()))
	head = le.AppendUint32(head, uint32(now.Nanosecond()/1000))
	head = le.AppendUint32(head, uint32(all))
	head = le.AppendUint32(head, uint32(all))
	ip := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0}
	be.PutUint16(ip[2:], uint16(all))
	ip = append(append(ip, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
	ip = be.AppendUint16(be.AppendUint16(ip, from.Port()), to.Port())
	ip = be.AppendUint16(be.AppendUint16(ip, uint16(8+len(data))), 0)
	u.buf.Write(append(append(head, ip...), data...))
	u.n++
}

// messagesOf reads a capture and lists its messages.
func messagesOf(t testing.TB, file []byte) []capture.Message {
	t.Helper()
	r, err := pcap.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var d capture.Decoder
	var all []capture.Message
	for m, err := range d.All(r.All()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, *m)
	}
	return all
}

// tilesUDP checks that the messages of each side of a connection over UDP, but for
// the inner ones, lie one behind the other.
func tilesUDP(t testing.TB, ms []capture.Message) {
	t.Helper()
	type place struct {
		conn int
		side capture.Side
	}
	ends := map[place]int64{}
	for _, m := range ms {
		if m.Conn == nil || m.Conn.Transport == capture.TransportTCP || m.Inner || m.Span.End == m.Span.Start {
			continue
		}
		p := place{m.Conn.Number, m.Side}
		if m.Span.Start != ends[p] {
			t.Fatalf("connection %d, %v: %T begins at %d, the one before ended at %d", p.conn, p.side, m.Body, m.Span.Start, ends[p])
		}
		ends[p] = m.Span.End
	}
}

// TestOpensslDTLS compares the handshake messages with those that openssl says
// it sent and received.
func TestOpensslDTLS(t *testing.T) {
	c := certificates().rsa
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "server.pem")
	data := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name           string
		server, client []string
		version, suite uint16
	}{
		{"dtls12", nil, []string{"-servername", "explainer.test"}, 0xfefd, 0xc030},
		{"dtls12-cookie-fragments", []string{"-listen", "-mtu", "300"}, []string{"-mtu", "300", "-servername", "explainer.test"}, 0xfefd, 0xc030},
		{"dtls12-client-certificate", []string{"-Verify", "1"}, []string{"-cert", file, "-key", file}, 0xfefd, 0xc030},
		{"dtls12-rsa", nil, []string{"-cipher", "AES128-GCM-SHA256"}, 0xfefd, 0x009c},
		{"dtls12-psk", []string{"-psk", "00112233", "-nocert"}, []string{"-psk", "00112233", "-cipher", "PSK-AES128-CBC-SHA256"}, 0xfefd, 0x00ae},
		{"dtls10", []string{"-dtls1"}, []string{"-dtls1"}, 0xfeff, 0xc014},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"s_server", "-accept", "127.0.0.1:0", "-cipher", "ALL:@SECLEVEL=0"}, test.server...)
			if !slices.Contains(args, "-nocert") {
				args = append(args, "-cert", file, "-key", file)
			}
			if !slices.Contains(args, "-dtls1") {
				args = append(args, "-dtls1_2")
			}
			server := openssl(t, args...)
			to := server.wait(`ACCEPT (127\.0\.0\.1:\d+)`)[1]
			var u udpPackets
			relay, stop := relayUDP(t, to, &u)
			log := filepath.Join(t.TempDir(), "keys")
			args = append([]string{"s_client", "-connect", relay, "-msg", "-keylogfile", log}, test.client...)
			if !slices.Contains(args, "-dtls1") {
				args = append(args, "-dtls1_2")
			}
			if !slices.Contains(args, "-cipher") {
				args = append(args, "-cipher", "ALL:@SECLEVEL=0")
			}
			client := openssl(t, args...)
			client.say("from client\n")
			server.wait("from client")
			server.say("from server\n")
			client.wait("from server")
			client.say("Q\n")
			client.exit()
			stop()

			u.mu.Lock()
			defer u.mu.Unlock()
			ms := messagesOf(t, u.buf.Bytes())
			tilesUDP(t, ms)
			var got [2][]string
			sealed := [2]int{}
			for _, m := range ms {
				switch b := m.Body.(type) {
				case *handshake.ServerHello:
					if b.Version() != test.version || b.CipherSuite != test.suite {
						t.Errorf("ServerHello of %04x with suite %04x, want %04x and %04x", b.Version(), b.CipherSuite, test.version, test.suite)
					}
				case *handshake.ClientHello:
					if slices.Contains(test.client, "-servername") && b.ServerName() != "explainer.test" {
						t.Errorf("server name %q", b.ServerName())
					}
				case *capture.Malformed, *capture.Opaque:
					t.Errorf("%+v", b)
				case *capture.Sealed:
					sealed[m.Side] += b.Records
				}
				if h, ok := m.Body.(handshake.Message); ok {
					got[m.Side] = append(got[m.Side], handshake.TypeName(h.Type()))
				}
			}
			want := opensslMessages(client)
			for side := range want {
				if !slices.Equal(got[side], want[side]) {
					t.Errorf("%v: told %v, openssl says %v", capture.Side(side), got[side], want[side])
				}
				if sealed[side] < 2 {
					t.Errorf("%v: %d sealed records, at least Finished and a line of text were sent", capture.Side(side), sealed[side])
				}
			}
			secrets, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			opensDTLS(t, datagramsOf(t, u.buf.Bytes()), secretsOf(t, secrets), 1)
			if test.name == "dtls12-rsa" { // the server's key alone opens it
				var data [2]int
				d := &capture.Decoder{SecretsFirst: true, PrivateKeys: []*rsa.PrivateKey{c.PrivateKey.(*rsa.PrivateKey)}}
				for _, m := range fed(d, datagramsOf(t, u.buf.Bytes())) {
					switch b := m.Body.(type) {
					case *capture.AppData:
						if m.Opened && m.By == capture.OpenedByPrivateKey {
							data[m.Side] += b.Len
						}
					case *capture.Sealed:
						t.Errorf("with the private key %d records of the %v stay sealed: %s", b.Records, m.Side, b.Reason)
					}
				}
				if data != [2]int{12, 12} {
					t.Errorf("with the private key %v bytes of data are opened", data)
				}
			}
			if *recordDTLS {
				for name, data := range map[string][]byte{".pcap": u.buf.Bytes(), ".keys": secrets} {
					if err := os.WriteFile(filepath.Join("testdata", "dtls", test.name+name), data, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			reordered(t, u.buf.Bytes(), got)
		})
	}
}

// opensslMessages lists what s_client -msg says of each side's handshake
// messages, without those behind ChangeCipherSpec.
func opensslMessages(client *program) (want [2][]string) {
	client.mu.Lock()
	defer client.mu.Unlock()
	ended := [2]bool{}
	// For DTLS 1.2 it names neither the version nor the message; the bytes do.
	re := regexp.MustCompile(`(?m)^(>>>|<<<) (.*)\n    ([0-9a-f]{2})`)
	for _, m := range re.FindAllStringSubmatch(client.out.String(), -1) {
		side := 0
		if m[1] == "<<<" {
			side = 1
		}
		switch {
		case strings.Contains(m[2], "ChangeCipherSpec"), strings.Contains(m[2], "content_type=20)"):
			ended[side] = true
		case !ended[side] && (strings.Contains(m[2], "Handshake") || strings.Contains(m[2], "content_type=22)")):
			typ, err := strconv.ParseUint(m[3], 16, 8)
			if err != nil {
				panic(err)
			}
			want[side] = append(want[side], handshake.TypeName(handshake.Type(typ)))
		}
	}
	return want
}

// reordered feeds the same datagrams with each pair of neighbours of one side
// changed and everything doubled: the messages of each side stay.
func reordered(t *testing.T, file []byte, want [2][]string) {
	t.Helper()
	r, err := pcap.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var inputs []capture.Input
	for in, err := range r.All() {
		if err != nil {
			t.Fatal(err)
		}
		if g, ok := in.(*capture.Datagram); ok {
			c := *g
			c.Data = bytes.Clone(g.Data)
			in = &c
		}
		inputs = append(inputs, in)
	}
	for swap := 1; swap+1 < len(inputs); swap++ {
		a, b := inputs[swap].(*capture.Datagram), inputs[swap+1].(*capture.Datagram)
		if a.Side != b.Side || swap == 1 {
			continue
		}
		changed := slices.Clone(inputs)
		changed[swap], changed[swap+1] = b, a
		var d capture.Decoder
		var got [2][]string
		var all []capture.Message
		for _, in := range changed {
			all = append(all, slices.Clone(d.Feed(in))...)
			if _, ok := in.(*capture.Datagram); ok {
				all = append(all, slices.Clone(d.Feed(in))...)
			}
		}
		all = append(all, d.Finish()...)
		tilesUDP(t, all)
		for _, m := range all {
			if h, ok := m.Body.(handshake.Message); ok {
				got[m.Side] = append(got[m.Side], handshake.TypeName(h.Type()))
			}
		}
		for side := range want {
			if !slices.Equal(got[side], want[side]) {
				t.Errorf("datagrams %d and %d changed: %v instead of %v", swap, swap+1, got[side], want[side])
			}
		}
	}
}

// relayUDP passes datagrams between one client and a server, and records them.
func relayUDP(t *testing.T, server string, u *udpPackets) (addr string, stop func()) {
	t.Helper()
	l, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	up, err := net.Dial("udp4", server)
	if err != nil {
		t.Fatal(err)
	}
	to := netip.MustParseAddrPort(server)
	var mu sync.Mutex
	var client netip.AddrPort
	var both sync.WaitGroup
	both.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, from, err := l.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			mu.Lock()
			client = from
			mu.Unlock()
			u.add(from, to, capture.Client, buf[:n])
			up.Write(buf[:n])
		}
	})
	both.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := up.Read(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue // the server's port may be closed by now
			}
			mu.Lock()
			c := client
			mu.Unlock()
			u.add(c, to, capture.Server, buf[:n])
			l.WriteToUDPAddrPort(buf[:n], c)
		}
	})
	stop = func() {
		l.Close()
		up.Close()
		both.Wait()
	}
	t.Cleanup(stop)
	return fmt.Sprint(l.LocalAddr()), stop
}
