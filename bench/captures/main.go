// Command captures makes large captures of real TLS, with their keys inside, to
// measure the reading of captures with.
package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"explainer/capture"
	"explainer/capture/keys"
	"explainer/capture/pcap"
)

const host = "shop.test"

func main() {
	bytes := flag.Int64("bytes", 256<<20, "`bytes` of all bodies together")
	conns := flag.Int("conns", 1, "TLS connections that they come in, one behind the other")
	h2 := flag.Bool("h2", false, "HTTP/2 instead of HTTP/1.1")
	h3 := flag.Bool("h3", false, "HTTP/3, on one connection, with the keys in a file of their own beside the capture")
	segment := flag.Int("segment", 16<<10, "most payload `bytes` of a packet, at most 16384")
	out := flag.String("o", "", "the capture to write")
	flag.Parse()
	if *out == "" || flag.NArg() > 0 || *conns < 1 || *segment < 1 || *segment > 16<<10 {
		flag.Usage()
		os.Exit(2)
	}
	if *h3 {
		if err := recordQUIC(*out, *bytes, *conns); err != nil {
			fmt.Fprintln(os.Stderr, "captures:", err)
			os.Exit(1)
		}
		return
	}
	if err := record(*out, *bytes, *conns, *h2, *segment); err != nil {
		fmt.Fprintln(os.Stderr, "captures:", err)
		os.Exit(1)
	}
}

// record makes the capture: conns requests, each on a connection of its own.
func record(name string, total int64, conns int, h2 bool, segment int) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := pcap.NewWriter(&foreign{w: f}, "")
	if err != nil {
		return err
	}
	server, roots, err := serve(h2)
	if err != nil {
		return err
	}
	for i := range conns {
		if err := get(w, server, roots, h2, segment, total/int64(conns)); err != nil {
			return fmt.Errorf("connection %d: %w", i+1, err)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// A foreign writer takes from a recording the name of the program that made it, so
// that it is read as any capture is.
type foreign struct {
	w     io.Writer
	begun bool
}

func (f *foreign) Write(p []byte) (int, error) {
	if !f.begun {
		f.begun = true
		p = bytes.Replace(p, []byte("\x04\x00\x09\x00explainer"), []byte("\x04\x00\x09\x00benchmark"), 1)
	}
	return f.w.Write(p)
}

// certificate makes one that signs itself.
func certificate() (tls.Certificate, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots, nil
}

// serve starts a server on the loopback that answers with as many bytes as the path asks for.
func serve(h2 bool) (string, *x509.CertPool, error) {
	certificate, roots, err := certificate()
	if err != nil {
		return "", nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	s := &http.Server{
		ErrorLog:  log.New(io.Discard, "", 0),
		Protocols: protocols(h2),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
		Handler:   http.HandlerFunc(body),
	}
	go s.ServeTLS(l, "", "")
	return l.Addr().String(), roots, nil
}

// part is what bodies are made of.
var part = func() []byte {
	b := make([]byte, 256<<10)
	rand.Read(b) // never fails
	return b
}()

// body answers with as many bytes as the path asks for.
func body(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.URL.Path[1:], 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	w.Header().Set("Content-Type", "application/octet-stream")
	for n > 0 {
		k, err := w.Write(part[:min(n, int64(len(part)))])
		if err != nil {
			return
		}
		n -= int64(k)
	}
}

func protocols(h2 bool) *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(!h2)
	p.SetHTTP2(h2)
	return p
}

// get makes one request on a connection of its own, reads all of its answer, and
// writes what passed.
func get(w *pcap.Writer, server string, roots *x509.CertPool, h2 bool, segment int, size int64) error {
	t := &tap{w: w, segment: segment}
	transport := &http.Transport{
		Protocols:       protocols(h2),
		TLSClientConfig: &tls.Config{RootCAs: roots, KeyLogWriter: keyLog{t}},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, server)
			if err != nil {
				return nil, err
			}
			t.Conn = c
			t.open()
			return t, nil
		},
	}
	resp, err := (&http.Client{Transport: transport}).Get(fmt.Sprintf("https://%s/%d", host, size))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != size {
		return fmt.Errorf("a body of %d bytes, want %d: %v", n, size, err)
	}
	transport.CloseIdleConnections()
	return t.end()
}

// A tap is a client's connection whose bytes are written to a capture.
type tap struct {
	net.Conn
	w       *pcap.Writer
	segment int

	mu     sync.Mutex
	stream *pcap.Stream
	keyed  bool    // the last keys of the handshake were written, and nothing is held
	held   []chunk // so that keys stand before what they open
	closed bool
}

type chunk struct {
	side capture.Side
	time int64
	data []byte
}

func (t *tap) open() {
	t.stream = t.w.Open(capture.LegNone, addr(t.LocalAddr()), addr(t.RemoteAddr()), time.Now().UnixNano())
}

func addr(a net.Addr) netip.AddrPort { return a.(*net.TCPAddr).AddrPort() }

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.write(capture.Server, p[:n])
	return n, err
}

func (t *tap) Write(p []byte) (int, error) {
	t.write(capture.Client, p)
	return t.Conn.Write(p)
}

func (t *tap) write(side capture.Side, p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := chunk{side, time.Now().UnixNano(), p}
	switch {
	case t.closed:
	case t.keyed:
		t.put(c)
	default:
		c.data = bytes.Clone(p)
		t.held = append(t.held, c)
	}
}

func (t *tap) put(c chunk) {
	for part := range slices.Chunk(c.data, t.segment) {
		t.stream.Data(c.side, c.time, part)
	}
}

// end writes the end of the connection.
func (t *tap) end() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	now := time.Now().UnixNano()
	t.stream.Fin(capture.Client, now)
	t.stream.Fin(capture.Server, now)
	if !t.keyed {
		return errors.New("no keys were logged")
	}
	return t.w.Err()
}

// keyLog takes the key log of a tap's connection.
type keyLog struct{ t *tap }

func (k keyLog) Write(p []byte) (int, error) {
	t := k.t
	t.mu.Lock()
	defer t.mu.Unlock()
	err := keys.ReadLog(bytes.NewReader(p), func(s keys.Secret) {
		t.w.Secret(s)
		if s.Label != "SERVER_TRAFFIC_SECRET_0" { // the last one
			return
		}
		t.keyed = true
		for _, c := range t.held {
			t.put(c)
		}
		t.held = nil
	})
	return len(p), err
}
