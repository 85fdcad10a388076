package grade

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"time"

	"explainer/capture/handshake"
	"explainer/capture/keys"

	"golang.org/x/crypto/cryptobyte"
)

// What a peer made of another certificate in a second handshake.
const (
	anotherTaken   = "taken"   // it went on
	anotherRefused = "refused" // it sent an alert, or ended the connection
)

// The numbers of extensions, of a signature scheme and of a curve.
const (
	extPointFormats  = 11     // RFC 8422 5.1.2
	extMasterSecret  = 23     // RFC 7627 5.1
	extRenegotiation = 0xff01 // RFC 5746 3.2
	ecdsaP256        = 0x0403 // ecdsa_secp256r1_sha256, RFC 8446 4.2.3
	secp256r1        = 23     // RFC 8422 5.1.1
)

// finishedLen is the length of the verify_data of TLS 1.2 (RFC 5246 7.4.9).
const finishedLen = 12

// another answers the ClientHello with which the peer began to renegotiate as a server
// does whose certificate is another one now, for the same host and signed by nobody else,
// bound to the first handshake (RFC 5746 3.7). It returns what the peer made of that, or
// "" where it could not be tried. client and server open what was sent with the first handshake's keys, seal seals.
func (a *asker) another(host string, client, server, seal *keys.Opener) string {
	theirs, ours := protected(a.in), protected(a.sent)
	if len(theirs) < 2 || len(ours) < 1 {
		return ""
	}
	open := func(o *keys.Opener, fragment []byte) []byte {
		plain, _, err := o.Open(nil, 22, tls.VersionTLS12, fragment)
		if err != nil || len(plain) < 4 {
			return nil
		}
		return plain[4:]
	}
	clientFinished, serverFinished := open(client, theirs[0]), open(server, ours[0])
	body := open(client, theirs[1])
	m, err := handshake.Parse(handshake.TypeClientHello, body, handshake.Context{FromClient: true})
	hello, ok := m.(*handshake.ClientHello)
	if err != nil || !ok || len(clientFinished) != finishedLen || len(serverFinished) != finishedLen || !slices.Contains(hello.Groups(), secp256r1) {
		return ""
	}
	i := slices.IndexFunc(hello.CipherSuites, func(id uint16) bool {
		return id == tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 || id == tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
	})
	if i < 0 {
		return ""
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return ""
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	leaf, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return ""
	}
	share, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return ""
	}
	var random [32]byte
	rand.Read(random[:])
	bytesOf := func(f func(b *cryptobyte.Builder)) []byte {
		var b cryptobyte.Builder
		f(&b)
		return b.BytesOrPanic()
	}
	params := append([]byte{3, 0, secp256r1, byte(len(share.PublicKey().Bytes()))}, share.PublicKey().Bytes()...) // RFC 8422 5.4
	sum := sha256.Sum256(bytes.Join([][]byte{hello.Random[:], random[:], params}, nil))
	signature, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return ""
	}
	message := func(b *cryptobyte.Builder, typ handshake.Type, body func(b *cryptobyte.Builder)) {
		b.AddUint8(uint8(typ))
		b.AddUint24LengthPrefixed(body)
	}
	flight := bytesOf(func(b *cryptobyte.Builder) {
		message(b, handshake.TypeServerHello, func(b *cryptobyte.Builder) {
			b.AddUint16(tls.VersionTLS12)
			b.AddBytes(random[:])
			b.AddUint8(0) // no session ID
			b.AddUint16(hello.CipherSuites[i])
			b.AddUint8(0) // no compression
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				b.AddUint16(extRenegotiation)
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
					b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
						b.AddBytes(clientFinished)
						b.AddBytes(serverFinished)
					})
				})
				if hello.Extension(extMasterSecret) != nil {
					b.AddUint16(extMasterSecret)
					b.AddUint16(0)
				}
				if hello.Extension(extPointFormats) != nil {
					b.AddUint16(extPointFormats)
					b.AddUint16(2)
					b.AddBytes([]byte{1, 0})
				}
			})
		})
		message(b, handshake.TypeCertificate, func(b *cryptobyte.Builder) {
			b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
				b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(leaf) })
			})
		})
		message(b, handshake.TypeServerKeyExchange, func(b *cryptobyte.Builder) {
			b.AddBytes(params)
			b.AddUint16(ecdsaP256)
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(signature) })
		})
		message(b, handshake.TypeServerHelloDone, func(*cryptobyte.Builder) {})
	})
	sealed, err := seal.Seal(nil, 22, tls.VersionTLS12, flight)
	if err != nil {
		return ""
	}
	if _, err := a.Conn.Write(append([]byte{22, 3, 3, byte(len(sealed) >> 8), byte(len(sealed))}, sealed...)); err != nil {
		return anotherRefused
	}
	a.SetReadDeadline(time.Now().Add(askTime))
	for buf, known := make([]byte, 4096), len(theirs); len(a.in) < 2*maxHello; {
		if typ := typeAfter(a.in, known); typ == 22 || typ == 20 {
			return anotherTaken // ClientKeyExchange follows a certificate that was taken (RFC 5246 7.4.7)
		} else if typ != 0 {
			return anotherRefused
		}
		if _, err := a.Read(buf); err != nil {
			return anotherRefused
		}
	}
	return ""
}

// protected returns the fragments of the records of handshake messages behind the first ChangeCipherSpec of a stream, as far as they are whole.
func protected(stream []byte) (fragments [][]byte) {
	behind := false
	for len(stream) >= 5 {
		end := 5 + (int(stream[3])<<8 | int(stream[4]))
		if end > len(stream) {
			return fragments
		}
		if behind && stream[0] == 22 {
			fragments = append(fragments, stream[5:end])
		}
		behind = behind || stream[0] == 20
		stream = stream[end:]
	}
	return fragments
}

// typeAfter returns the type of the record behind the first n handshake records that are encrypted, or 0 if it is not there.
func typeAfter(stream []byte, n int) byte {
	behind, seen := false, 0
	for len(stream) >= 5 {
		if behind && seen == n {
			return stream[0]
		}
		if behind && stream[0] == 22 {
			seen++
		}
		behind = behind || stream[0] == 20
		stream = stream[min(5+(int(stream[3])<<8|int(stream[4])), len(stream)):]
	}
	return 0
}
