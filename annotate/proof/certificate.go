package proof

import (
	"cmp"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"strings"

	"filippo.io/mldsa"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/ca/verify"
	"explainer/capture/handshake"
	"explainer/capture/keys"
)

// A Certificate is one that was sent, read as far as it could be.
type Certificate struct {
	DER    []byte
	Hash   [32]byte
	Parsed *x509.Certificate // nil where crypto/x509 refuses it; err says why
	Err    string
	Key    crypto.PublicKey // also where parsed is nil, if the key could be read by itself

	Raw bool // it is no certificate but a bare public key (RFC 7250)

	ownTried, ownSigned bool // whether its signature was checked with its own key, and holds

	described [MaxChain][]event.Field
	facts     *event.Certificate
	whom      string // whom it is for
}

// MaxChain is how many certificates of a chain are told. Nobody sends more.
const MaxChain = 16

// How many certificates and checked links are kept: a proxy sees the same chains again and again.
const (
	maxCertificates = 256
	maxLinks        = 512
)

// Certificates remembers what was read and checked, so that a chain that is
// seen again costs a hash.
type Certificates struct {
	byHash map[[32]byte]*Certificate
	order  [][32]byte
	links  map[[64]byte]error // child and parent hash
	linked [][64]byte
}

func (cs *Certificates) read(der []byte) *Certificate {
	hash := sha256.Sum256(der)
	if c, ok := cs.byHash[hash]; ok {
		return c
	}
	c := &Certificate{DER: append([]byte(nil), der...), Hash: hash}
	if p, err := x509.ParseCertificate(c.DER); err != nil {
		c.Err = strings.TrimPrefix(err.Error(), "x509: ")
		if c.Key, c.Raw = isRawKey(c.DER); !c.Raw {
			c.Key = verify.Read(c.DER).PublicKey
		}
	} else {
		c.Parsed, c.Key = p, p.PublicKey
		if c.Key == nil {
			c.Key = verify.Read(c.DER).PublicKey
		}
	}
	if cs.byHash == nil {
		cs.byHash = make(map[[32]byte]*Certificate)
	}
	if len(cs.order) >= maxCertificates {
		delete(cs.byHash, cs.order[0])
		cs.order = cs.order[1:]
	}
	cs.byHash[hash] = c
	cs.order = append(cs.order, hash)
	return c
}

// A notChecked is an error that says why a link was not checked, which says nothing about it.
type notChecked struct{ why event.Text }

func (e notChecked) Error() string { return "not checked: " + e.why.English }

// link checks that parent's key signed child. It returns nil, keys.ErrSignature,
// or a [notChecked].
func (cs *Certificates) link(child, parent *Certificate) error {
	key := [64]byte(append(append([]byte(nil), child.Hash[:]...), parent.Hash[:]...))
	if err, ok := cs.links[key]; ok {
		return err
	}
	err := checkLink(child, parent)
	if cs.links == nil {
		cs.links = make(map[[64]byte]error)
	}
	if len(cs.linked) >= maxLinks {
		delete(cs.links, cs.linked[0])
		cs.linked = cs.linked[1:]
	}
	cs.links[key] = err
	cs.linked = append(cs.linked, key)
	return err
}

func checkLink(child, parent *Certificate) error {
	if child.Parsed == nil {
		return notChecked{words.Piece("proof/certificate-unreadable", "error", child.Err)}
	}
	if parent.Key == nil {
		return notChecked{words.Piece("proof/issuer-key-unreadable")}
	}
	// The schemes of TLS say the same as those of certificates: hash and kind of
	// signature. SHA-1 and MD5 are checked too, which crypto/x509 refuses: what a
	// signature proves, and whether it may be relied on, are two questions.
	scheme := map[x509.SignatureAlgorithm]uint16{
		x509.MD5WithRSA: 0x0101, x509.SHA1WithRSA: 0x0201, x509.SHA256WithRSA: 0x0401, x509.SHA384WithRSA: 0x0501, x509.SHA512WithRSA: 0x0601,
		x509.DSAWithSHA1: 0x0202, x509.DSAWithSHA256: 0x0402,
		x509.ECDSAWithSHA1: 0x0203, x509.ECDSAWithSHA256: 0x0403, x509.ECDSAWithSHA384: 0x0503, x509.ECDSAWithSHA512: 0x0603,
		x509.SHA256WithRSAPSS: 0x0804, x509.SHA384WithRSAPSS: 0x0805, x509.SHA512WithRSAPSS: 0x0806,
		x509.PureEd25519: 0x0807,
	}[child.Parsed.SignatureAlgorithm]
	if pub, ok := parent.Key.(*mldsa.PublicKey); ok && scheme == 0 {
		switch signed, err := verify.SignedBy(child.DER, pub); {
		case err != nil:
			return notChecked{event.Plain(err.Error())}
		case !signed:
			return keys.ErrSignature
		}
		return nil
	}
	if scheme == 0 {
		return notChecked{words.Piece("proof/algorithm-not-known")}
	}
	err := keys.VerifyHandshakeSignature(0x0303, scheme, parent.Key, child.Parsed.RawTBSCertificate, child.Parsed.Signature)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keys.ErrSignature), errors.Is(err, keys.ErrScheme):
		return keys.ErrSignature
	}
	return notChecked{event.Plain(err.Error())}
}

// KeyWords is its key in words: "2048-bit RSA".
func (c *Certificate) KeyWords() string {
	return cmp.Or(verify.KeyWords(c.Key), "unknown")
}

// distinguished is a distinguished name, as short as it stays telling.
func distinguished(n pkix.Name) string {
	if n.CommonName != "" {
		if len(n.Organization) > 0 && n.Organization[0] != n.CommonName {
			return n.CommonName + " (" + n.Organization[0] + ")"
		}
		return n.CommonName
	}
	if len(n.Organization) > 0 {
		return strings.Join(append(append([]string(nil), n.Organization...), n.OrganizationalUnit...), ", ")
	}
	if s := n.String(); s != "" {
		return s
	}
	return "(no name)"
}

// Names are the DNS names and addresses that a certificate is for.
func (c *Certificate) Names() []string {
	if c.Parsed == nil {
		return nil
	}
	names := append([]string(nil), c.Parsed.DNSNames...)
	for _, ip := range c.Parsed.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// Subject is whose key it is, in a few words.
func (c *Certificate) Subject() string {
	if c.Raw {
		return "a raw public key"
	}
	if c.Parsed == nil {
		return "a certificate that cannot be read"
	}
	return distinguished(c.Parsed.Subject)
}

// For is whom the certificate is for, in a few words.
func (c *Certificate) For() string {
	if c.whom == "" {
		c.whom = c.Subject()
		if names := c.Names(); len(names) > 0 {
			c.whom = words.Some(names, 3).English
		}
	}
	return c.whom
}

func (c *Certificate) selfSigned() bool {
	return c.Parsed != nil && string(c.Parsed.RawSubject) == string(c.Parsed.RawIssuer)
}

// SignsItself tells whether the certificate is signed with its own key.
func (c *Certificate) SignsItself() bool {
	if !c.ownTried {
		c.ownTried, c.ownSigned = true, c.selfSigned() && checkLink(c, c) == nil
	}
	return c.ownSigned
}

// Covers tells whether the certificate is for this host (RFC 9525 6; the common name does not count).
func (c *Certificate) Covers(host string) bool {
	if c.Parsed == nil {
		return false
	}
	host = strings.TrimSuffix(host, ".")
	if ip := net.ParseIP(strings.Trim(host, "[]")); ip != nil {
		for _, have := range c.Parsed.IPAddresses {
			if have.Equal(ip) {
				return true
			}
		}
		return false
	}
	return c.Parsed.VerifyHostname(host) == nil
}

// Chain reads the certificates of a message.
func (cs *Certificates) Chain(m *handshake.Certificate) []*Certificate {
	if m == nil {
		return nil
	}
	var out []*Certificate
	for i, e := range m.Entries {
		if i == MaxChain {
			break
		}
		out = append(out, cs.read(e.Data))
	}
	return out
}

// Issuer is who vouches for it, in a few words.
func (c *Certificate) Issuer() string {
	if c.Parsed == nil {
		return "unknown"
	}
	return distinguished(c.Parsed.Issuer)
}

// Facts keeps what is known of the certificate.
func (c *Certificate) Facts(of func(c *Certificate) event.Certificate) event.Certificate {
	if c.facts == nil {
		facts := of(c)
		c.facts = &facts
	}
	return *c.facts
}

// Described keeps what describes the certificate in a place of a chain, 0 for the leaf.
func (c *Certificate) Described(number int, describe func(c *Certificate, number int) []event.Field) []event.Field {
	if c.described[number] == nil {
		c.described[number] = describe(c, number)
	}
	return c.described[number]
}

// Checked is a chain's checks, told.
type Checked struct {
	Result  *verify.Result
	Checks  []event.Check
	Failed  []event.Text // what failed, in words
	Why     []event.Text // the same in a few
	Says    event.Sentence
	Brief   event.Text
	Counts  event.Text // how many checks had which outcome; if some failed, how many, and why the first
	Outcome event.Text // how many had which, and why those that failed
}
