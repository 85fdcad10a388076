package annotate_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/capture"
	"explainer/capture/handshake"
)

// TestDelegatedCredential checks a credential that was made as RFC 9345 4 says, and
// ones with a byte changed or a certificate that may not delegate.
func TestDelegatedCredential(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate := func(mayDelegate bool) []byte {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "shop.test"}, DNSNames: []string{"shop.test"},
			NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(90 * 24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		}
		if mayDelegate {
			template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 44363, 44}, Value: []byte{5, 0}}}
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	delegate, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(delegate)
	if err != nil {
		t.Fatal(err)
	}
	credential := func(leaf []byte, seconds uint32) []byte {
		cred := binary.BigEndian.AppendUint32(nil, seconds)
		cred = append(cred, 0x08, 0x07, 0, 0, byte(len(spki)))
		cred = append(cred, spki...)
		signed := slices.Concat([]byte(strings.Repeat(" ", 64)), []byte("TLS, server delegated credentials\x00"), leaf, cred, []byte{4, 3})
		sum := sha256.Sum256(signed)
		sig, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Concat(cred, []byte{4, 3, 0, byte(len(sig))}, sig)
	}
	good, bad := certificate(true), certificate(false)
	changed := credential(good, 3*24*3600)
	changed[3] ^= 1
	for _, test := range []struct {
		name  string
		leaf  []byte
		data  []byte
		state event.ProofState
		says  string
	}{
		{"good", good, credential(good, 3*24*3600), event.Proven, "delegated"},
		{"of another certificate", good, credential(bad, 3*24*3600), event.Refuted, "delegated"},
		{"changed", good, changed, event.Refuted, "delegated"},
		{"not allowed", bad, credential(bad, 3*24*3600), event.Proven, "delegated-not-allowed"},
		{"over", good, credential(good, 3600), event.Proven, "delegated-expired"},
		{"cut", good, credential(good, 3600)[:20], "", "delegated-malformed"},
	} {
		x := new(annotate.Explainer)
		conn := &capture.Conn{Number: 1, SYN: true}
		var events []event.Event
		for _, body := range []handshake.Message{
			&handshake.ClientHello{LegacyVersion: 0x0303, CipherSuites: []uint16{0x1301}},
			&handshake.ServerHello{LegacyVersion: 0x0303, CipherSuite: 0x1301, Extensions: []handshake.Extension{{ID: 43, Value: handshake.SelectedVersion(0x0304)}}},
			&handshake.Certificate{Entries: []handshake.CertificateEntry{{Data: test.leaf, Extensions: []handshake.Extension{{ID: 34, Data: test.data}}}}},
		} {
			side := capture.Server
			if body.Type() == handshake.TypeClientHello {
				side = capture.Client
			}
			events = append(events, x.Explain(&capture.Message{Conn: conn, Side: side, Time: now.UnixNano(), Raw: []byte{byte(body.Type()), 0, 0, 0}, Body: body})...)
		}
		var state event.ProofState
		said := false
		for _, e := range events {
			checkEvent(t, test.name, &e)
			for _, p := range e.Proofs {
				if p.ID == "delegated-credential" {
					state = p.State
				}
			}
			for _, s := range e.Says {
				said = said || s.ID == test.says
			}
		}
		if state != test.state || !said {
			t.Errorf("%s: %q, said: %v", test.name, state, said)
		}
	}
}
