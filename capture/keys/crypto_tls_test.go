package keys_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// tap records a connection at its client's end.
type tap struct {
	net.Conn
	wire *wire
}

func (c tap) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.wire.add(server, b[:n])
	return n, err
}

func (c tap) Write(b []byte) (int, error) {
	c.wire.add(client, b)
	return c.Conn.Write(b)
}

var (
	rsaKey     = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecdsaKey   = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	p384Key    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	p521Key    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) })
	ed25519Key = sync.OnceValue(func() ed25519.PrivateKey {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return must(key, err)
	})
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func certificate(key crypto.Signer) tls.Certificate {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"keys.test"},
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// talk makes a connection, sends question one way and answer the other, and returns the recording and the key log.
func talk(t *testing.T, clientConfig, serverConfig *tls.Config, question, answer []byte) (*wire, string) {
	t.Helper()
	var log bytes.Buffer
	clientConfig.KeyLogWriter = &log
	clientConfig.InsecureSkipVerify = true
	w := &wire{}
	listener, err := net.Listen("tcp", "127.0.0.1:0") // not net.Pipe: both ends write at once around a HelloRetryRequest
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	a, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		conn := tls.Server(b, serverConfig)
		defer conn.Close()
		_, err := io.ReadFull(conn, make([]byte, len(question)))
		if err == nil {
			_, err = conn.Write(answer)
		}
		if err == nil {
			_, err = io.Copy(io.Discard, conn)
		}
		done <- err
	}()
	conn := tls.Client(tap{a, w}, clientConfig)
	_, err = conn.Write(question)
	if err == nil {
		_, err = io.ReadFull(conn, make([]byte, len(answer)))
	}
	conn.Close()
	if serr := <-done; err != nil || serr != nil {
		t.Fatalf("client: %v; server: %v", err, serr)
	}
	return w, log.String()
}

func (s *session) check(question, answer []byte, finished int) {
	s.t.Helper()
	if got := s.app[client].Bytes(); !bytes.Equal(got, question) {
		s.t.Errorf("the client sent %d bytes of application data, %d were opened", len(question), len(got))
	}
	if got := s.app[server].Bytes(); !bytes.Equal(got, answer) {
		s.t.Errorf("the server sent %d bytes of application data, %d were opened", len(answer), len(got))
	}
	if s.finished != finished {
		s.t.Errorf("%d Finished messages were proven, not %d", s.finished, finished)
	}
	if s.tampered[client] == 0 || s.tampered[server] == 0 {
		s.t.Errorf("records that were tampered with: %v", s.tampered)
	}
}

// Every suite that crypto/tls has, in every version that has it.
func TestCryptoTLS(t *testing.T) {
	question, answer := []byte(strings.Repeat("question", 5000)), []byte(strings.Repeat("answer", 10000))
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		for _, version := range suite.SupportedVersions {
			if version == tls.VersionTLS13 && suite.ID != tls.TLS_AES_128_GCM_SHA256 {
				continue // crypto/tls does not let the suite of TLS 1.3 be chosen
			}
			t.Run(fmt.Sprintf("%s/%s", tls.VersionName(version), suite.Name), func(t *testing.T) {
				leaf := certificate(rsaKey())
				if strings.Contains(suite.Name, "ECDSA") {
					leaf = certificate(ecdsaKey())
				}
				w, log := talk(t, &tls.Config{MinVersion: version, MaxVersion: version, CipherSuites: []uint16{suite.ID}},
					&tls.Config{MinVersion: version, CipherSuites: []uint16{suite.ID}, Certificates: []tls.Certificate{leaf}}, question, answer)
				s := replay(t, w, log, rsaKey())
				s.check(question, answer, 2)
				if version != tls.VersionTLS13 && s.suiteID != suite.ID || s.version != version {
					t.Errorf("negotiated suite %#04x, version %#04x", s.suiteID, s.version)
				}
				if strings.HasPrefix(suite.Name, "TLS_RSA_") {
					if s.transports != 1 {
						t.Errorf("%d key transports proven", s.transports)
					}
				} else if s.signatures != 1 {
					t.Errorf("%d signatures proven", s.signatures)
				}
			})
		}
	}
}

// Certificates on both sides, every kind of key, in every version.
func TestCryptoTLSMutual(t *testing.T) {
	for _, key := range []crypto.Signer{rsaKey(), ecdsaKey(), p384Key(), p521Key(), ed25519Key()} {
		for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
			if _, ok := key.(ed25519.PrivateKey); ok && version < tls.VersionTLS12 {
				continue
			}
			t.Run(fmt.Sprintf("%s/%T/%v", tls.VersionName(version), key, key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(p384Key().Public())), func(t *testing.T) {
				leaf := certificate(key)
				w, log := talk(t, &tls.Config{MinVersion: version, MaxVersion: version, Certificates: []tls.Certificate{leaf}},
					&tls.Config{MinVersion: version, Certificates: []tls.Certificate{leaf}, ClientAuth: tls.RequireAnyClientCert}, []byte("a question"), []byte("an answer"))
				s := replay(t, w, log, nil)
				s.check([]byte("a question"), []byte("an answer"), 2)
				if s.signatures != 2 {
					t.Errorf("%d signatures proven, not 2", s.signatures)
				}
			})
		}
	}
}

func TestHelloRetryRequest(t *testing.T) {
	w, log := talk(t, &tls.Config{},
		&tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP384}, Certificates: []tls.Certificate{certificate(ecdsaKey())}}, []byte("a question"), []byte("an answer"))
	s := replay(t, w, log, nil)
	s.check([]byte("a question"), []byte("an answer"), 2)
	if !s.retried {
		t.Error("there was no HelloRetryRequest")
	}
}
