package proxy

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"strings"

	"explainer/ca"
	"explainer/ca/verify"
	"explainer/capture"
)

// A terminated is one connection of a client whose TLS ends at the proxy, over TCP or QUIC: what the
// origin has shown decides what the client is shown.
type terminated struct {
	p      *Proxy
	to     target
	client *leg
	server *leg      // nil without an origin
	up     *upstream // the TLS with it
	fail   *originError

	textbook bool
}

// mirror makes the certificate that is as good or as bad as the origin's, or has
// the session fail if that cannot be done.
func (s *terminated) mirror(hello *tls.ClientHelloInfo, config *tls.Config, to asking) *tls.Certificate {
	state, bad := s.up.state, s.up.bad
	var faults []string
	if bad != nil {
		faults = bad.mirror
	}
	spec, ok := ca.Mirror(state.PeerCertificates[0], to.name, faults...)
	use := keyUse(&state)
	if s.textbook {
		spec.Textbook, use = true, verify.Decrypted
		if spec.Key.Kind != x509.RSA {
			spec.Key = ca.RSA2048
		}
	}
	if to.staple {
		spec.Staple = state.OCSPResponse
	}
	var leaf *tls.Certificate
	err := said("detail/stronger", nil)
	if ok {
		leaf, err = s.leaf(hello, config, spec)
	}
	if err == nil && bad == nil {
		return leaf
	}
	if bad != nil {
		if err == nil && s.p.mirrors(leaf, bad, use, to.staple) {
			s.p.tellBad(s.client, s.server, s.up.store, bad, "mirrored")
			return leaf
		}
		s.up.giveUp()
		s.p.tellBad(s.client, s.server, s.up.store, bad, "blocked")
		bad.unmirrored = true
		s.fail = bad
	} else {
		s.fail = &originError{ID: "unlike", Host: to.name, Detail: detailOf(err), Certs: state.PeerCertificates}
	}
	s.server.endedBy("proxy", s.fail.ID)
	s.server.close()
	return nil
}

// ceiling keeps the client's leg from being better than the origin's: in version, in
// kind of key exchange and in class of cipher suite. What is worse is left to
// the client, which may know nothing else.
func (s *terminated) ceiling(config *tls.Config) {
	state := s.up.state
	config.MaxVersion = state.Version
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		old := strings.Contains(suite.Name, "_RC4_") || strings.Contains(suite.Name, "_3DES_")
		switch {
		case !slices.Contains(suite.SupportedVersions, uint16(tls.VersionTLS12)), old && suite.ID != state.CipherSuite:
		case state.Version == tls.VersionTLS12 && (ephemeral(suite.ID) && !ephemeral(state.CipherSuite) || aead(suite.ID) && !aead(state.CipherSuite)):
		// HTTP/2 forbids both (RFC 9113 appendix A).
		case state.NegotiatedProtocol == "h2" && !(ephemeral(suite.ID) && aead(suite.ID)) && suite.ID != state.CipherSuite:
		default:
			config.CipherSuites = append(config.CipherSuites, suite.ID)
		}
	}
	if hybrid := []tls.CurveID{tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024}; !slices.Contains(hybrid, state.CurveID) {
		config.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}
	}
}

// ephemeral reports whether a suite of TLS 1.2 makes its keys with Diffie-Hellman,
// so that the certificate's key only signs (RFC 5246 7.4.3).
func ephemeral(suite uint16) bool { return strings.Contains(tls.CipherSuiteName(suite), "_ECDHE_") }

// aead reports whether a suite encrypts and authenticates in one (RFC 5246 6.2.3.3).
func aead(suite uint16) bool {
	name := tls.CipherSuiteName(suite)
	return strings.Contains(name, "_GCM_") || strings.Contains(name, "_POLY1305_")
}

// leaf returns the certificate and key for the browser's leg, which config is for.
func (s *terminated) leaf(hello *tls.ClientHelloInfo, config *tls.Config, spec ca.Spec) (*tls.Certificate, error) {
	p := s.p
	leaf, err := p.Authority.Leaf(hello.Context(), spec)
	if err != nil && spec.Origin == nil {
		spec.Names = []string{s.to.host} // the others are none that a certificate can hold
		leaf, err = p.Authority.Leaf(hello.Context(), spec)
	}
	if err != nil {
		return nil, err
	}
	if s.textbook || supports(hello, config, leaf) {
		return leaf, nil
	}
	// A site may have a certificate of either kind, and the client may know only one.
	for _, key := range spec.Key.Instead() {
		spec.Key = key
		if other, err := p.Authority.Leaf(hello.Context(), spec); err == nil && supports(hello, config, other) {
			return other, nil
		}
	}
	return leaf, nil
}

// supports reports whether the client can take the certificate in what config lets it choose.
func supports(hello *tls.ClientHelloInfo, config *tls.Config, leaf *tls.Certificate) bool {
	of := *hello
	if config.MaxVersion != 0 {
		of.SupportedVersions = slices.DeleteFunc(slices.Clone(hello.SupportedVersions), func(v uint16) bool { return v > config.MaxVersion })
	}
	return of.SupportsCertificate(leaf) == nil
}

// show records the certificate of the browser's leg, and returns it as the handshake uses it.
func (s *terminated) show(leaf *tls.Certificate) (*tls.Certificate, error) {
	chain := leaf.Certificate
	sum, top := sha256.Sum256(chain[0]), sha256.Sum256(chain[len(chain)-1])
	f := capture.Fact{Kind: capture.FactLeaf, Conn: s.client.number(), Host: strings.Join(leafNames(leaf), ","), Data: sum[:]}
	if len(chain) > 1 {
		signer := sha256.Sum256(chain[1])
		f.Detail = hex.EncodeToString(signer[:])
	}
	if leaf.OCSPStaple != nil {
		f.Done = "stapled"
	}
	if s.fail == nil && s.up.bad != nil {
		f.Found = s.up.bad.mirror
		if top != s.p.Authority.Fingerprint() {
			f.Outcome = "unknown-ca"
		}
		if c := leaf.Leaf; bytes.Equal(c.RawIssuer, c.RawSubject) {
			f.Outcome = "self-signed"
		}
	}
	if s.fail == nil {
		f.Addr = s.otherKey(leaf)
	}
	s.p.Recorder.Fact(f)
	if s.textbook {
		return s.noting(leaf)
	}
	return leaf, nil
}

// otherKey says why the leaf's key is of another kind or length than that of the origin's certificate, or nothing.
func (s *terminated) otherKey(leaf *tls.Certificate) string {
	origin := s.up.state.PeerCertificates[0].PublicKey
	want, _ := ca.KeyOf(origin)
	have, _ := ca.KeyOf(leaf.Leaf.PublicKey)
	switch {
	case have != want && s.textbook:
		return "textbook"
	case have != want:
		return "client"
	case verify.KeyWords(origin) != verify.KeyWords(leaf.Leaf.PublicKey):
		return "length"
	}
	return ""
}

func leafNames(leaf *tls.Certificate) []string {
	c := leaf.Leaf
	if c == nil {
		c, _ = x509.ParseCertificate(leaf.Certificate[0])
	}
	if c == nil {
		return nil
	}
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}
