package proxy

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"slices"

	"explainer/capture"
	"explainer/capture/keys"
)

//lint:file-ignore SA1019 textbook mode shows PKCS #1 v1.5, and crypto/tls asks for it in these types

// textbookSuites are those in which the client sends the premaster secret
// encrypted to the certificate's key (RFC 5246 7.4.7.1), as the textbook tells it.
var textbookSuites = []uint16{
	tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_RSA_WITH_AES_256_CBC_SHA,
}

// byTheBook sets the browser's leg to what the textbook tells. HTTP/2 forbids
// these cipher suites (RFC 9113 appendix A). A client that lacks something is
// told what; crypto/tls sends it the alert.
func (s *session) byTheBook(config *tls.Config, hello *tls.ClientHelloInfo) {
	config.MaxVersion = tls.VersionTLS12
	config.CipherSuites = textbookSuites
	config.NextProtos = []string{"http/1.1"}
	lacks := func(outcome, detail string) {
		s.refuse = true
		s.p.Recorder.Fact(capture.Fact{Kind: capture.FactRefused, Conn: s.t.number(), Outcome: outcome, Detail: detail})
	}
	switch {
	case !slices.Contains(hello.SupportedVersions, tls.VersionTLS12):
		lacks("textbook-no-rsa", "the client does not offer TLS 1.2; TLS 1.3 has no RSA key transport (RFC 8446 1.2)")
	case !slices.ContainsFunc(hello.CipherSuites, func(id uint16) bool { return slices.Contains(textbookSuites, id) }):
		lacks("textbook-no-rsa", "the client offers none of TLS_RSA_WITH_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_256_GCM_SHA384, TLS_RSA_WITH_AES_128_CBC_SHA and TLS_RSA_WITH_AES_256_CBC_SHA")
	}
	if protos := hello.SupportedProtos; len(protos) > 0 && !slices.Contains(protos, "http/1.1") {
		lacks("textbook-no-http1", "the client's ALPN list has no http/1.1")
	}
}

// noting returns the leaf with a key that notes what it is asked to open.
func (s *terminated) noting(leaf *tls.Certificate) (*tls.Certificate, error) {
	key, ok := leaf.PrivateKey.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the leaf for textbook mode has a key of type %T, not RSA", leaf.PrivateKey)
	}
	noted := *leaf
	noted.PrivateKey = &notingKey{key: key, rec: s.p.Recorder, conn: s.client.number()}
	return &noted, nil
}

// notingKey is the RSA key of one connection's leaf. It records what it opens:
// the whole padded block, for the padding is random and without it nobody could
// repeat the encryption and so prove what was sent.
type notingKey struct {
	key  *rsa.PrivateKey
	rec  *Recorder
	conn int
}

var (
	_ crypto.Signer    = (*notingKey)(nil)
	_ crypto.Decrypter = (*notingKey)(nil)
)

func (k *notingKey) Public() crypto.PublicKey { return k.key.Public() }

func (k *notingKey) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.key.Sign(r, digest, opts)
}

// preMasterLen is the length of the premaster secret, in bytes (RFC 5246 7.4.7.1).
const preMasterLen = 48

// Decrypt does as crypto/rsa does for [rsa.PKCS1v15DecryptOptions] with a
// SessionKeyLen: from a badly padded ciphertext come random bytes and no
// error, so that the client cannot tell (RFC 5246 7.4.7.1).
func (k *notingKey) Decrypt(_ io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	if o, ok := opts.(*rsa.PKCS1v15DecryptOptions); !ok || o.SessionKeyLen != preMasterLen {
		return nil, errors.New("this key opens premaster secrets and nothing else")
	}
	preMaster := make([]byte, preMasterLen)
	rand.Read(preMaster)
	em, err := keys.OpenPKCS1(k.key, ciphertext)
	if err != nil {
		// No number below the modulus: there is no block to note.
		k.rec.Fact(capture.Fact{Kind: capture.FactEM, Conn: k.conn, Outcome: "bad-padding"})
		return preMaster, nil
	}
	good := wellPadded(em)
	subtle.ConstantTimeCopy(good, preMaster, em[len(em)-preMasterLen:])
	f := capture.Fact{Kind: capture.FactEM, Conn: k.conn, Data: em, Outcome: "bad-padding"}
	if good == 1 {
		f.Outcome = "ok"
		k.rec.Secret(keys.Secret{Label: "RSA", ClientRandom: slices.Clone(ciphertext[:8]), Secret: slices.Clone(preMaster)})
	}
	k.rec.Fact(f)
	return preMaster, nil
}

// wellPadded returns 1 if em is 0, 2, padding without a 0, 0 and 48 bytes (RFC
// 8017 7.2.1), else 0, in a time that does not depend on which.
func wellPadded(em []byte) int {
	sep := len(em) - preMasterLen - 1
	if sep < 10 { // two bytes and at least eight of padding
		return 0
	}
	good := subtle.ConstantTimeByteEq(em[0], 0) & subtle.ConstantTimeByteEq(em[1], 2) & subtle.ConstantTimeByteEq(em[sep], 0)
	for _, b := range em[2:sep] {
		good &= 1 ^ subtle.ConstantTimeByteEq(b, 0)
	}
	return good
}
