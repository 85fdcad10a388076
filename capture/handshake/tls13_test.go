package handshake

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"testing"
)

// handshake13 runs TLS 1.3 of the standard library through its interface for
// QUIC, which hands out the handshake messages before they are encrypted.
func handshake13(t *testing.T, client, server *tls.Config) (fromClient, fromServer []sentMessage) {
	t.Helper()
	client.MinVersion, server.MinVersion = tls.VersionTLS13, tls.VersionTLS13
	c := tls.QUICClient(&tls.QUICConfig{TLSConfig: client})
	s := tls.QUICServer(&tls.QUICConfig{TLSConfig: server})
	defer c.Close()
	defer s.Close()
	c.SetTransportParameters([]byte("client's"))
	s.SetTransportParameters([]byte("server's"))
	for _, q := range []*tls.QUICConn{c, s} {
		if err := q.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	var sent [2][]byte
	ticket := false
	for idle := 0; idle < 2; {
		for i, q := range []*tls.QUICConn{c, s} {
			peer := []*tls.QUICConn{s, c}[i]
			e := q.NextEvent()
			idle++
			switch e.Kind {
			case tls.QUICNoEvent:
				continue
			case tls.QUICWriteData:
				sent[i] = append(sent[i], e.Data...)
				if err := peer.HandleData(e.Level, e.Data); err != nil {
					t.Fatal(err)
				}
			case tls.QUICHandshakeDone:
				if q == s && !ticket {
					ticket = true
					if err := s.SendSessionTicket(tls.QUICSessionTicketOptions{EarlyData: true}); err != nil {
						t.Fatal(err)
					}
				}
			}
			idle = 0
		}
	}
	if !c.ConnectionState().HandshakeComplete || !s.ConnectionState().HandshakeComplete {
		t.Fatal("the handshake did not end")
	}
	return messages(t, sent[0]), messages(t, sent[1])
}

func TestRecordedTLS13(t *testing.T) {
	certificate, own := newECDSA(t), newRSA(t)
	pool := x509.NewCertPool()
	pool.AddCert(certificate.Leaf)
	clients := x509.NewCertPool()
	clients.AddCert(own.Leaf)
	certificate.SignedCertificateTimestamps = [][]byte{[]byte("not really signed")}
	certificate.OCSPStaple = []byte("not really a response")
	client := &tls.Config{
		ServerName: "www.example.com", NextProtos: []string{"h3"}, RootCAs: pool,
		Certificates: []tls.Certificate{own}, ClientSessionCache: tls.NewLRUClientSessionCache(1),
	}
	server := &tls.Config{
		NextProtos: []string{"h3"}, Certificates: []tls.Certificate{certificate},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
	}
	v13 := Context{Version: 0x0304}

	c, s := handshake13(t, client, server)
	ch := mustParse[*ClientHello](t, c, TypeClientHello, Context{FromClient: true})
	if shares := ch.KeyShares(); ch.ServerName() != "www.example.com" || ch.PSK() != nil || len(shares) == 0 ||
		shares[0].Group != 0x11ec || len(shares[0].Exchange) != 1216 { // RFC 10024: the size of the first half of X25519MLKEM768
		t.Errorf("ClientHello: %+v", ch)
	}
	sh := mustParse[*ServerHello](t, s, TypeServerHello, Context{})
	if share := sh.KeyShare(); sh.Version() != 0x0304 || sh.Retry || share == nil || share.Group != 0x11ec || len(share.Exchange) != 1120 {
		t.Errorf("ServerHello: %+v", sh)
	}
	if ee := mustParse[*EncryptedExtensions](t, s, TypeEncryptedExtensions, v13); ee.ALPN() != "h3" || ee.HasEarlyData() {
		t.Errorf("EncryptedExtensions: %+v", ee)
	}
	cr := mustParse[*CertificateRequest](t, s, TypeCertificateRequest, v13)
	if !slices.Contains(cr.SignatureSchemes, 0x0403) || len(cr.Authorities) != 1 || !bytes.Equal(cr.Authorities[0], own.Leaf.RawSubject) {
		t.Errorf("CertificateRequest: %+v", cr)
	}
	cert := mustParse[*Certificate](t, s, TypeCertificate, v13)
	if len(cert.Entries) != 1 || !bytes.Equal(cert.Entries[0].Data, certificate.Certificate[0]) {
		t.Fatalf("Certificate: %+v", cert)
	}
	if got, _ := value[StatusResponse](cert.Entries[0].Extensions, ExtStatusRequest); string(got) != "not really a response" {
		t.Errorf("status_request: %q", got)
	}
	if got, _ := value[SCTs](cert.Entries[0].Extensions, ExtSCT); len(got) != 1 || string(got[0]) != "not really signed" {
		t.Errorf("signed_certificate_timestamp: %q", got)
	}
	if cv := mustParse[*CertificateVerify](t, s, TypeCertificateVerify, v13); cv.SignatureScheme != 0x0403 {
		t.Errorf("CertificateVerify: %+v", cv)
	}
	if cv := mustParse[*CertificateVerify](t, c, TypeCertificateVerify, v13); cv.SignatureScheme != 0x0804 || len(cv.Signature) != 256 {
		t.Errorf("client's CertificateVerify: %+v", cv)
	}
	if cert := mustParse[*Certificate](t, c, TypeCertificate, v13); !bytes.Equal(cert.Entries[0].Data, own.Certificate[0]) {
		t.Errorf("client's Certificate: %+v", cert)
	}
	for _, list := range [][]sentMessage{c, s} {
		if f := mustParse[*Finished](t, list, TypeFinished, v13); len(f.VerifyData) != 32 && len(f.VerifyData) != 48 {
			t.Errorf("Finished: %+v", f)
		}
	}
	nst := mustParse[*NewSessionTicket](t, s, TypeNewSessionTicket, v13)
	if early, ok := value[MaxEarlyDataSize](nst.Extensions, ExtEarlyData); len(nst.Ticket) == 0 || nst.Lifetime == 0 || !ok || early != 0xffffffff { // QUIC's fixed value, RFC 9001 4.6.1
		t.Errorf("NewSessionTicket: %+v", nst)
	}

	// The second connection takes the ticket.
	c, s = handshake13(t, client, server)
	ch = mustParse[*ClientHello](t, c, TypeClientHello, Context{FromClient: true})
	psk := ch.PSK()
	if psk == nil || len(psk.Identities) != 1 || !bytes.Equal(psk.Identities[0].Identity, nst.Ticket) {
		t.Fatalf("ClientHello does not hand the ticket back: %+v", psk)
	}
	if binder := len(psk.Binders[0]); ch.BindersOffset != 4+len(c[0].body)-3-binder {
		t.Errorf("BindersOffset %d in a message of %d bytes with a binder of %d", ch.BindersOffset, 4+len(c[0].body), binder)
	}
	sh = mustParse[*ServerHello](t, s, TypeServerHello, Context{})
	if n, ok := sh.SelectedPSK(); n != 0 || !ok {
		t.Errorf("ServerHello: %+v", sh)
	}
	for _, list := range [][]sentMessage{c, s} {
		for _, m := range list {
			if m.typ == TypeCertificate {
				t.Error("a Certificate in a resumed connection")
			}
			for n := range m.body {
				checkParse(t, m.typ, m.body[:n], v13)
			}
			if !checkParse(t, m.typ, m.body, v13) {
				t.Errorf("%v is not read", m.typ)
			}
		}
	}
}
