package capture_test

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"explainer/capture/pcap/pcaptest"
)

var recordQUIC = flag.Bool("record-quic-go", false, "record quic-go anew in testdata/quic")

// A relay passes datagrams on between a client, whatever ports it speaks from, and a server, and
// keeps a copy of each as a packet of IPv4.
type relay struct {
	front   *net.UDPConn
	mu      sync.Mutex
	packets []pcaptest.Packet
}

func newRelay(t *testing.T, server net.Addr) *relay {
	t.Helper()
	r := new(relay)
	var err error
	if r.front, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.front.Close() })
	back := func(from net.Addr, port uint16) *net.UDPConn {
		c, err := net.DialUDP("udp4", nil, server.(*net.UDPAddr))
		if err != nil {
			return nil
		}
		t.Cleanup(func() { c.Close() })
		go func() {
			for b := make([]byte, 1<<16); ; {
				n, err := c.Read(b)
				if err != nil {
					return
				}
				r.note(443, port, b[:n])
				r.front.WriteTo(b[:n], from)
			}
		}()
		return c
	}
	go func() {
		backs, ports := map[string]*net.UDPConn{}, map[string]uint16{}
		for b := make([]byte, 1<<16); ; {
			n, from, err := r.front.ReadFrom(b)
			if err != nil {
				return
			}
			k := from.String()
			if backs[k] == nil {
				ports[k] = 54321 + uint16(len(backs))
				backs[k] = back(from, ports[k])
			}
			r.note(ports[k], 443, b[:n])
			backs[k].Write(b[:n])
		}
	}()
	return r
}

// note keeps a datagram, between ports that say nothing of this machine.
func (r *relay) note(source, dest uint16, data []byte) {
	ip := append([]byte{0x45, 0}, make([]byte, 18)...)
	binary.BigEndian.PutUint16(ip[2:], uint16(28+len(data)))
	ip[8], ip[9] = 64, 17
	copy(ip[12:], []byte{192, 0, 2, 1, 192, 0, 2, 2})
	if source == 443 {
		copy(ip[12:], []byte{192, 0, 2, 2, 192, 0, 2, 1})
	}
	ip = binary.BigEndian.AppendUint16(ip, source)
	ip = binary.BigEndian.AppendUint16(ip, dest)
	ip = binary.BigEndian.AppendUint16(ip, uint16(8+len(data)))
	ip = append(append(ip, 0, 0), data...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.packets = append(r.packets, pcaptest.Packet{Time: time.Now().UnixNano(), IP: ip})
}

func listenUDP(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// write writes what passed, and the key log, which then is empty.
func (r *relay) write(t *testing.T, name string, log *bytes.Buffer) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	dir := filepath.Join("testdata", "quic")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for ext, content := range map[string][]byte{".pcap": pcaptest.File(r.packets, 0), ".keys": log.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name+ext), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	log.Reset()
}

// TestRecordMoved records, if it is told to, a connection of quic-go with an encrypted ClientHello
// whose client goes on from another port.
func TestRecordMoved(t *testing.T) {
	if !*recordQUIC {
		return
	}
	certificate := certificates().ecdsa
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	config := echConfig(key.PublicKey().Bytes(), "cover.test")
	list := append(binary.BigEndian.AppendUint16(nil, uint16(len(config))), config...)
	var log bytes.Buffer
	server := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13, NextProtos: []string{"echo"},
		EncryptedClientHelloKeys: []tls.EncryptedClientHelloKey{{Config: config, PrivateKey: key.Bytes(), SendAsRetry: true}}}
	client := &tls.Config{RootCAs: roots, ServerName: leaf.DNSNames[0], MinVersion: tls.VersionTLS13, NextProtos: []string{"echo"}, KeyLogWriter: &log,
		EncryptedClientHelloConfigList: list}
	socket := listenUDP(t)
	listener, err := quic.Listen(socket, server, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		c, err := listener.Accept(context.Background())
		if err != nil {
			return
		}
		for {
			s, err := c.AcceptStream(context.Background())
			if err != nil {
				return
			}
			io.Copy(s, s)
			s.Close()
		}
	}()
	r := newRelay(t, socket.LocalAddr())
	first := &quic.Transport{Conn: listenUDP(t)}
	c, err := first.Dial(context.Background(), r.front.LocalAddr(), client, nil)
	if err != nil {
		t.Fatal(err)
	}
	say := func(text string) {
		s, err := c.OpenStreamSync(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(s, text)
		s.Close()
		if back, err := io.ReadAll(s); err != nil || string(back) != text {
			t.Fatalf("%q, %v", back, err)
		}
	}
	say("from the first port")
	path, err := c.AddPath(&quic.Transport{Conn: listenUDP(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := path.Probe(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := path.Switch(); err != nil {
		t.Fatal(err)
	}
	say("from the second port")
	c.CloseWithError(0, "")
	r.write(t, "ech-moved", &log)
}

// echConfig writes an ECHConfig (RFC 9849 4) for X25519, HKDF-SHA256 and AES-128-GCM.
func echConfig(public []byte, name string) []byte {
	be := binary.BigEndian
	content := append([]byte{9, 0, 0x20}, be.AppendUint16(nil, uint16(len(public)))...)
	content = append(append(content, public...), 0, 4, 0, 1, 0, 1, 32, byte(len(name)))
	content = append(append(content, name...), 0, 0)
	return append(be.AppendUint16([]byte{0xfe, 0x0d}, uint16(len(content))), content...)
}

// TestRecordQUIC records quic-go with itself, if it is told to: a page over HTTP/3, version 2 of
// QUIC with updates of the keys, and a second connection with early data.
func TestRecordQUIC(t *testing.T) {
	if !*recordQUIC {
		return
	}
	roots := x509.NewCertPool()
	certificate := certificates().ecdsa
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(leaf)
	var log bytes.Buffer
	server := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13}
	client := &tls.Config{RootCAs: roots, ServerName: leaf.DNSNames[0], KeyLogWriter: &log, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	ctx := context.Background()
	write := func(name string, r *relay) { r.write(t, name, &log) }
	listen := func() *net.UDPConn { return listenUDP(t) }

	// A page, a picture and a form over HTTP/3.
	socket := listen()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, q *http.Request) {
		io.Copy(io.Discard, q.Body)
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!doctype html><title>HTTP/3</title><p>A page over QUIC.</p>")
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte("0123456789abcdef"), 512)) })
	h3 := &http3.Server{Handler: mux, TLSConfig: http3.ConfigureTLSConfig(server.Clone())}
	go h3.Serve(socket)
	r := newRelay(t, socket.LocalAddr())
	transport := &http3.Transport{TLSClientConfig: client.Clone(), Dial: func(ctx context.Context, _ string, c *tls.Config, q *quic.Config) (*quic.Conn, error) {
		return quic.Dial(ctx, listen(), r.front.LocalAddr(), c, q)
	}}
	for _, path := range []string{"/", "/large", "/form"} {
		method, body := "GET", ""
		if path == "/form" {
			method, body = "POST", "name=value"
		}
		q, err := http.NewRequestWithContext(ctx, method, "https://"+client.ServerName+path, bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		a, err := transport.RoundTrip(q)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, a.Body)
	}
	transport.Close()
	h3.Close()
	write("http3", r)

	// Version 2, a Retry, updates of the keys, and another connection with early data.
	socket = listen()
	server.NextProtos, client.NextProtos = []string{"datagrams"}, []string{"datagrams"}
	config := &quic.Config{Versions: []quic.Version{quic.Version2}, EnableDatagrams: true, Allow0RTT: true}
	end := &quic.Transport{Conn: socket, VerifySourceAddress: func(net.Addr) bool { return true }}
	listener, err := end.ListenEarly(server, config)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := listener.Accept(ctx)
			if err != nil {
				return
			}
			go func() {
				for {
					d, err := c.ReceiveDatagram(ctx)
					if err != nil || c.SendDatagram(d) != nil {
						return
					}
				}
			}()
		}
	}()
	r = newRelay(t, socket.LocalAddr())
	for n := range 2 {
		c, err := quic.DialEarly(ctx, listen(), r.front.LocalAddr(), client, config)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 130 - 100*n {
			for answered := false; !answered; { // datagrams may be lost
				if err := c.SendDatagram([]byte{byte(n), byte(i), 'd', 'a', 't', 'a'}); err != nil {
					t.Fatal(err)
				}
				soon, stop := context.WithTimeout(ctx, 100*time.Millisecond)
				_, err := c.ReceiveDatagram(soon)
				answered = err == nil
				stop()
			}
		}
		c.CloseWithError(7, "enough")
	}
	write("version2-retry-update", r)
}
