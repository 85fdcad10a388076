package handshake

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"reflect"
	"slices"
	"testing"
	"time"
)

// recordingConn keeps what is written to it.
type recordingConn struct {
	net.Conn
	sent bytes.Buffer
}

func (c *recordingConn) Write(b []byte) (int, error) {
	c.sent.Write(b)
	return c.Conn.Write(b)
}

// sentMessage is one handshake message without its header.
type sentMessage struct {
	typ  Type
	body []byte
}

// clearMessages cuts a recorded direction into the handshake messages before the first
// ChangeCipherSpec, application_data or end.
func clearMessages(t *testing.T, stream []byte) []sentMessage {
	t.Helper()
	var handshake []byte
	for len(stream) >= 5 && stream[0] == 22 {
		n := int(stream[3])<<8 | int(stream[4])
		handshake = append(handshake, stream[5:5+n]...)
		stream = stream[5+n:]
	}
	return messages(t, handshake)
}

// messages cuts a stream of handshake messages.
func messages(t *testing.T, handshake []byte) []sentMessage {
	t.Helper()
	var list []sentMessage
	for len(handshake) > 0 {
		n := int(handshake[1])<<16 | int(handshake[2])<<8 | int(handshake[3])
		list = append(list, sentMessage{Type(handshake[0]), handshake[4 : 4+n]})
		handshake = handshake[4+n:]
	}
	return list
}

func newCertificate(t *testing.T, key any, public any) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "handshake test"},
		DNSNames:     []string{"www.example.com"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign,
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func newRSA(t *testing.T) tls.Certificate {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return newCertificate(t, key, key.Public())
}

func newECDSA(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return newCertificate(t, key, key.Public())
}

// loopback is both ends of a TCP connection.
func loopback(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// handshakeOver runs one TLS connection of the standard library and returns
// what the client and the server sent.
func handshakeOver(t *testing.T, client, server *tls.Config) (fromClient, fromServer []sentMessage) {
	t.Helper()
	// TCP and not net.Pipe: after a HelloRetryRequest both sides write before
	// they read, which a pipe without a buffer does not survive.
	c, s := loopback(t)
	cr, sr := &recordingConn{Conn: c}, &recordingConn{Conn: s}
	done := make(chan error, 1)
	go func() {
		conn := tls.Server(sr, server)
		_, err := conn.Write([]byte("hello")) // handshakes first
		conn.Close()
		done <- err
	}()
	conn := tls.Client(cr, client)
	if _, err := io.ReadAll(conn); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal("client: ", err)
	}
	conn.Close()
	if err := <-done; err != nil {
		t.Fatal("server: ", err)
	}
	return clearMessages(t, cr.sent.Bytes()), clearMessages(t, sr.sent.Bytes())
}

func mustParse[M Message](t *testing.T, list []sentMessage, typ Type, ctx Context) M {
	t.Helper()
	for _, m := range list {
		if m.typ != typ {
			continue
		}
		parsed, err := Parse(m.typ, m.body, ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range extensionsOf(parsed) {
			if e.Err != "" {
				t.Errorf("%s: %s: %s", typ, ExtensionName(e.ID), e.Err)
			}
		}
		return parsed.(M)
	}
	t.Fatalf("no %s was sent", typ)
	panic("unreachable")
}

func extensionsOf(m Message) []Extension {
	switch m := m.(type) {
	case *ClientHello:
		return m.Extensions
	case *ServerHello:
		return m.Extensions
	case *EncryptedExtensions:
		return m.Extensions
	case *CertificateRequest:
		return m.Extensions
	case *NewSessionTicket:
		return m.Extensions
	case *Certificate:
		var list []Extension
		for _, e := range m.Entries {
			list = append(list, e.Extensions...)
		}
		return list
	}
	return nil
}

func clientConfig() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: "www.example.com", NextProtos: []string{"h2", "http/1.1"}}
}

func TestRecordedTLS12RSA(t *testing.T) {
	certificate := newRSA(t)
	client := clientConfig()
	client.MaxVersion = tls.VersionTLS12
	client.CipherSuites = []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
	c, s := handshakeOver(t, client, &tls.Config{
		Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"},
		CipherSuites: client.CipherSuites,
	})

	ch := mustParse[*ClientHello](t, c, TypeClientHello, Context{FromClient: true})
	if got := ch.ServerName(); got != "www.example.com" {
		t.Errorf("ServerName() = %q", got)
	}
	if got := ch.ALPN(); !slices.Equal(got, []string{"h2", "http/1.1"}) {
		t.Errorf("ALPN() = %q", got)
	}
	if !slices.Contains(ch.CipherSuites, tls.TLS_RSA_WITH_AES_128_GCM_SHA256) || !ch.HasEMS() || ch.BindersOffset != 0 {
		t.Errorf("ClientHello: %+v", ch)
	}
	sh := mustParse[*ServerHello](t, s, TypeServerHello, Context{})
	if sh.Version() != 0x0303 || sh.CipherSuite != 0x009c || sh.ALPN() != "h2" || !sh.HasEMS() || sh.KeyShare() != nil {
		t.Errorf("ServerHello: %+v", sh)
	}
	if got := sh.DowngradeSentinel(); got != 0x0303 { // this server speaks TLS 1.3
		t.Errorf("DowngradeSentinel() = %#04x", got)
	}
	ctx := Context{Version: 0x0303, KeyExchange: SuiteKeyExchange(sh.CipherSuite)}
	cert := mustParse[*Certificate](t, s, TypeCertificate, ctx)
	if len(cert.Entries) != 1 || !bytes.Equal(cert.Entries[0].Data, certificate.Certificate[0]) {
		t.Errorf("Certificate: %+v", cert)
	}
	mustParse[*ServerHelloDone](t, s, TypeServerHelloDone, ctx)
	cke := mustParse[*ClientKeyExchange](t, c, TypeClientKeyExchange, ctx)
	if cke.KeyExchange != KeyExchangeRSA || len(cke.EncryptedPreMaster) != 256 {
		t.Errorf("ClientKeyExchange: %+v", cke)
	}
}

func TestRecordedTLS12Mutual(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12} {
		t.Run(VersionName(version), func(t *testing.T) {
			certificate, own := newECDSA(t), newECDSA(t)
			pool := x509.NewCertPool()
			pool.AddCert(own.Leaf)
			client := clientConfig()
			client.MinVersion, client.MaxVersion = version, version
			client.Certificates = []tls.Certificate{own}
			c, s := handshakeOver(t, client, &tls.Config{
				MinVersion: version, MaxVersion: version, Certificates: []tls.Certificate{certificate},
				ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
			})
			sh := mustParse[*ServerHello](t, s, TypeServerHello, Context{})
			ctx := Context{Version: sh.Version(), KeyExchange: SuiteKeyExchange(sh.CipherSuite)}
			if ctx.Version != version || ctx.KeyExchange != KeyExchangeECDHE {
				t.Fatalf("ServerHello: %+v", sh)
			}
			ske := mustParse[*ServerKeyExchange](t, s, TypeServerKeyExchange, ctx)
			cr := mustParse[*CertificateRequest](t, s, TypeCertificateRequest, ctx)
			cke := mustParse[*ClientKeyExchange](t, c, TypeClientKeyExchange, ctx)
			cv := mustParse[*CertificateVerify](t, c, TypeCertificateVerify, ctx)
			mustParse[*Certificate](t, c, TypeCertificate, ctx)
			if ske.Group == 0 || len(ske.Public) == 0 || len(ske.Signature) == 0 || len(cke.Public) == 0 || len(cv.Signature) == 0 {
				t.Errorf("%+v %+v %+v", ske, cke, cv)
			}
			if want := 4 + len(ske.Public); len(ske.Params) != want {
				t.Errorf("%d bytes of parameters, want %d", len(ske.Params), want)
			}
			if !reflect.DeepEqual(cr.Authorities, [][]byte{own.Leaf.RawSubject}) || !slices.Contains(cr.CertificateTypes, 64) {
				t.Errorf("CertificateRequest: %+v", cr)
			}
			hasScheme := version == tls.VersionTLS12
			if (ske.SignatureScheme != 0) != hasScheme || (cv.SignatureScheme != 0) != hasScheme || (cr.SignatureSchemes != nil) != hasScheme {
				t.Errorf("schemes: %#04x %#04x %#04x", ske.SignatureScheme, cv.SignatureScheme, cr.SignatureSchemes)
			}
		})
	}
}

func TestRecordedTLS13Retry(t *testing.T) {
	client := clientConfig()
	client.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP384}
	c, s := handshakeOver(t, client, &tls.Config{
		Certificates: []tls.Certificate{newECDSA(t)}, CurvePreferences: []tls.CurveID{tls.CurveP384},
	})
	ch := mustParse[*ClientHello](t, c, TypeClientHello, Context{FromClient: true})
	if got := ch.Versions(); !slices.Equal(got, []uint16{0x0304, 0x0303}) {
		t.Errorf("Versions() = %#04x", got)
	}
	if got := ch.KeyShares(); len(got) != 1 || got[0].Group != 29 || len(got[0].Exchange) != 32 {
		t.Errorf("KeyShares() = %v", got)
	}
	if got := ch.Groups(); !slices.Equal(got, []uint16{29, 24}) {
		t.Errorf("Groups() = %v", got)
	}
	hrr := mustParse[*ServerHello](t, s, TypeServerHello, Context{})
	if !hrr.Retry || hrr.SelectedGroup() != 24 || hrr.Version() != 0x0304 || hrr.KeyShare() != nil {
		t.Errorf("HelloRetryRequest: %+v", hrr)
	}
}
