package proxy

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"io"

	"golang.org/x/crypto/cryptobyte"

	"explainer/capture/handshake"
	"explainer/capture/keys"
)

// siteCover is the name that the hello in clear has where a built-in site takes encrypted ones.
const siteCover = "cover." + siteDomain

// A siteECH is the key under which a built-in site takes encrypted hellos (RFC 9849). Others
// find such a key in the DNS (RFC 9848); the proxy has it from the site itself.
type siteECH struct {
	private *ecdh.PrivateKey
	config  []byte // ECHConfig, version and length in front
}

func newSiteECH() (*siteECH, error) {
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddUint16(handshake.ExtECH)
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { // RFC 9849 4
		b.AddUint8(1)       // config_id
		b.AddUint16(0x0020) // DHKEM(X25519, HKDF-SHA256), RFC 9180 7.1
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(private.PublicKey().Bytes()) })
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddUint16(1) // HKDF-SHA256
			b.AddUint16(1) // AES-128-GCM
		})
		b.AddUint8(0) // maximum_name_length: names are padded to no more than they need
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(siteCover)) })
		b.AddUint16(0) // no extensions
	})
	config, err := b.Bytes()
	return &siteECH{private, config}, err
}

// keys is what the site's server is given.
func (e *siteECH) keys() []tls.EncryptedClientHelloKey {
	return []tls.EncryptedClientHelloKey{{Config: e.config, PrivateKey: e.private.Bytes(), SendAsRetry: true}}
}

// list is what its clients are given.
func (e *siteECH) list() []byte {
	var b cryptobyte.Builder
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(e.config) })
	return b.BytesOrPanic()
}

// An echLogger writes the key log lines that open the encrypted hello which is written
// to a built-in site, before that is: crypto/tls logs none (RFC 9850 2.3).
type echLogger struct {
	*witness
	ech *siteECH
	log io.Writer
}

func (l *echLogger) Write(b []byte) (int, error) {
	if l.ech != nil && len(b) > 5+4 {
		if m, err := handshake.Parse(handshake.TypeClientHello, b[5+4:], handshake.Context{FromClient: true}); err == nil {
			hello := m.(*handshake.ClientHello)
			if e, ok := hello.OuterECH(); ok {
				for _, line := range []keys.Secret{
					{Label: "ECH_SECRET", ClientRandom: hello.Random[:], Secret: keys.ECHSecret(l.ech.private, e.Enc)},
					{Label: "ECH_CONFIG", ClientRandom: hello.Random[:], Secret: l.ech.config},
				} {
					io.WriteString(l.log, line.String()+"\n")
				}
			}
		}
		l.ech = nil
	}
	return l.witness.Write(b)
}
