package annotate_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"

	"explainer/annotate/event"
	"explainer/capture"
	"explainer/capture/handshake"
)

// echConfig makes an ECHConfig (RFC 9849 4) with its private key.
func echConfig(t *testing.T, id uint8) (config, private []byte) {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var b cryptobyte.Builder
	b.AddUint16(0xfe0d)
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint8(id)
		b.AddUint16(0x0020) // DHKEM(X25519, HKDF-SHA256)
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(key.PublicKey().Bytes()) })
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddUint16(1); b.AddUint16(1) }) // HKDF-SHA256, AES-128-GCM
		b.AddUint8(0)
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte("cover.test")) })
		b.AddUint16(0)
	})
	return b.BytesOrPanic(), key.Bytes()
}

// TestECH: of handshakes with an encrypted hello nothing is refuted, whichever random
// number the key log names; those that it opens are opened.
func TestECH(t *testing.T) {
	s := newSite(t, newECDSA(t), func(c *x509.Certificate) { c.DNSNames = []string{"secret.test", "cover.test"} })
	config, private := echConfig(t, 1)
	other, otherPrivate := echConfig(t, 2)
	list := func(config []byte) []byte {
		return append([]byte{byte(len(config) >> 8), byte(len(config))}, config...)
	}
	for _, c := range []struct {
		name     string
		rejected bool
		retry    bool
		log      string // whose random it names: "inner", "outer", "none"
		opened   bool
		accepted bool // told
		proofs   event.ProofState
	}{
		{"accepted, inner", false, false, "inner", true, true, event.NotCheckable},
		{"accepted, outer", false, false, "outer", true, false, event.NotCheckable},
		{"accepted, none", false, false, "none", false, false, ""},
		{"accepted after HelloRetryRequest, inner", false, true, "inner", true, true, event.NotCheckable},
		{"accepted after HelloRetryRequest, outer", false, true, "outer", true, false, event.NotCheckable},
		{"accepted after HelloRetryRequest, none", false, true, "none", false, false, ""},
		{"rejected, outer", true, false, "outer", true, false, event.Proven}, // Go logs what counts: the outer
		{"rejected, none", true, false, "none", false, false, ""},
		{"rejected after HelloRetryRequest, outer", true, true, "outer", true, false, event.Proven},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := &tls.Config{Certificates: []tls.Certificate{s.cert}, MinVersion: tls.VersionTLS13}
			server.EncryptedClientHelloKeys = []tls.EncryptedClientHelloKey{{Config: config, PrivateKey: private, SendAsRetry: true}}
			if c.rejected {
				server.EncryptedClientHelloKeys = []tls.EncryptedClientHelloKey{{Config: other, PrivateKey: otherPrivate, SendAsRetry: true}}
			}
			client := &tls.Config{RootCAs: s.roots, ServerName: "secret.test", MinVersion: tls.VersionTLS13, EncryptedClientHelloConfigList: list(config)}
			if c.retry {
				server.CurvePreferences = []tls.CurveID{tls.CurveP521}
				client.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP521}
			}
			tp := converse(t, client, server)
			inner := lineRandom(tp.keys.String())
			outer := outerRandom(t, tp)
			if (inner == outer) != c.rejected {
				t.Fatalf("the key log names %s, the hello in clear %s", inner, outer)
			}
			switch c.log {
			case "none":
				tp.keys.Reset()
			case "outer":
				tp.keys = *bytes.NewBufferString(strings.ReplaceAll(tp.keys.String(), inner, outer))
			}
			es := events(messages(tp.inputs(0, capture.LegNone)))
			if bad := refuted(es); len(bad) > 0 {
				t.Errorf("refuted: %q", bad)
			}
			opened, accepted := false, false
			for _, e := range es {
				opened = opened || e.Topic == "certificate"
				for _, s := range e.Says {
					accepted = accepted || s.ID == "ech-accepted"
				}
				for _, p := range e.Proofs {
					if slices.Contains([]string{"server-certificate-verify", "server-finished"}, p.ID) && p.State != c.proofs && c.opened {
						t.Errorf("%s is %s, want %s", p.ID, p.State, c.proofs)
					}
				}
			}
			if opened != c.opened || accepted != c.accepted {
				t.Errorf("opened %v, accepted %v, want %v, %v", opened, accepted, c.opened, c.accepted)
			}
		})
	}
}

// lineRandom is the client random of the first line of a key log.
func lineRandom(log string) string {
	return strings.Fields(log)[1]
}

// outerRandom is the client random of the hello in clear.
func outerRandom(t *testing.T, tp *tape) string {
	t.Helper()
	for _, m := range messages(tp.inputs(0, capture.LegNone)) {
		if hello, ok := m.Body.(*handshake.ClientHello); ok {
			return hex.EncodeToString(hello.Random[:])
		}
	}
	t.Fatal("no ClientHello")
	return ""
}
