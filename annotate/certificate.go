package annotate

import (
	"crypto"
	"crypto/dsa" //lint:ignore SA1019 old captures have DSA certificates; they are only described
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/ca/verify"
	"explainer/capture/handshake"
	"explainer/capture/keys"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// A certificate is one that was sent, read as far as it could be.
type Certificate struct {
	DER    []byte
	Hash   [32]byte
	Parsed *x509.Certificate // nil where crypto/x509 refuses it; err says why
	Err    string
	Key    crypto.PublicKey // also where parsed is nil, if the key could be read by itself

	Raw bool // it is no certificate but a bare public key (RFC 7250)

	ownTried, ownSigned bool // whether its signature was checked with its own key, and holds

	told [MaxChain][]event.Field // what describes it in each place of a chain
	whom string                  // whom it is for
}

// maxNames is how many names of a certificate stand in its facts.
const maxNames = 100

// maxChain is how many certificates of a chain are told. Nobody sends more.
const MaxChain = 16

// How many certificates and checked links are kept: a proxy sees the same chains again and again.
const (
	maxCertificates = 256
	maxLinks        = 512
)

// certificates remembers what was read and checked, so that a chain that is
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
			c.Key = publicKey(c.DER)
		}
	} else {
		c.Parsed, c.Key = p, p.PublicKey
		if c.Key == nil {
			c.Key = publicKey(c.DER)
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

// publicKey reads the key alone out of a certificate that crypto/x509 refuses
// for another reason, so that what was signed with it can still be checked.
func publicKey(der []byte) crypto.PublicKey {
	var cert, tbs, spki cryptobyte.String
	input := cryptobyte.String(der)
	if !input.ReadASN1(&cert, cbasn1.SEQUENCE) || !cert.ReadASN1(&tbs, cbasn1.SEQUENCE) ||
		!tbs.SkipOptionalASN1(cbasn1.Tag(0).Constructed().ContextSpecific()) || // version
		!tbs.SkipASN1(cbasn1.INTEGER) || !tbs.SkipASN1(cbasn1.SEQUENCE) || // serial, signature
		!tbs.SkipASN1(cbasn1.SEQUENCE) || !tbs.SkipASN1(cbasn1.SEQUENCE) || !tbs.SkipASN1(cbasn1.SEQUENCE) || // issuer, validity, subject
		!tbs.ReadASN1Element(&spki, cbasn1.SEQUENCE) {
		return nil
	}
	if pub, err := x509.ParsePKIXPublicKey(spki); err == nil {
		return pub
	}
	return nil
}

// errNotChecked means that a link was not checked, which says nothing about it.
var errNotChecked = errors.New("not checked")

// link checks that parent's key signed child. It returns nil, keys.ErrSignature,
// or an error that wraps errNotChecked.
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
		return fmt.Errorf("%w: the certificate could not be read: %s", errNotChecked, child.Err)
	}
	if parent.Key == nil {
		return fmt.Errorf("%w: the issuer's key could not be read", errNotChecked)
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
	if scheme == 0 {
		return fmt.Errorf("%w: the signature algorithm is not known", errNotChecked)
	}
	err := keys.VerifyHandshakeSignature(0x0303, scheme, parent.Key, child.Parsed.RawTBSCertificate, child.Parsed.Signature)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keys.ErrSignature), errors.Is(err, keys.ErrScheme):
		return keys.ErrSignature
	}
	return fmt.Errorf("%w: %v", errNotChecked, err)
}

// keyWords is a public key in words: "2048-bit RSA".
func keyWords(pub crypto.PublicKey) string {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("%d-bit RSA", k.N.BitLen())
	case *ecdsa.PublicKey:
		if k.Curve == nil {
			return "ECDSA"
		}
		return k.Curve.Params().Name + " ECDSA"
	case ed25519.PublicKey:
		return "Ed25519"
	case *dsa.PublicKey:
		if k.P == nil {
			return "DSA"
		}
		return fmt.Sprintf("%d-bit DSA", k.P.BitLen())
	}
	return ""
}

// keyKind is the kind of a public key, and its length in bits, of a curve's those of the field.
func keyKind(pub crypto.PublicKey) (kind string, bits int) {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return "rsa", k.N.BitLen()
	case *ecdsa.PublicKey:
		if k.Curve == nil {
			return "ecdsa", 0
		}
		return "ecdsa", k.Curve.Params().BitSize
	case ed25519.PublicKey:
		return "ed25519", 256
	case *dsa.PublicKey:
		if k.P == nil {
			return "dsa", 0
		}
		return "dsa", k.P.BitLen()
	}
	return "", 0
}

func (c *Certificate) KeyWords() string {
	if w := keyWords(c.Key); w != "" {
		return w
	}
	return "unknown"
}

// name is a distinguished name, as short as it stays telling.
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

// names are the DNS names and addresses that a certificate is for.
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

// some lists at most n of the items and counts the rest.
func some(items []string, n int) string {
	if len(items) > n {
		return fmt.Sprintf("%s and %d more", strings.Join(items[:n], ", "), len(items)-n)
	}
	return strings.Join(items, ", ")
}

func (c *Certificate) Subject() string {
	if c.Raw {
		return "a raw public key"
	}
	if c.Parsed == nil {
		return "a certificate that cannot be read"
	}
	return distinguished(c.Parsed.Subject)
}

// forNames is whom the certificate is for, in a few words.
func (c *Certificate) For() string {
	if c.whom == "" {
		c.whom = c.Subject()
		if names := c.Names(); len(names) > 0 {
			c.whom = some(names, 3)
		}
	}
	return c.whom
}

func (c *Certificate) selfSigned() bool {
	return c.Parsed != nil && string(c.Parsed.RawSubject) == string(c.Parsed.RawIssuer)
}

// signsItself tells whether the certificate is signed with its own key.
func (c *Certificate) SignsItself() bool {
	if !c.ownTried {
		c.ownTried, c.ownSigned = true, c.selfSigned() && checkLink(c, c) == nil
	}
	return c.ownSigned
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// usage is the purposes that a certificate names.
func (c *Certificate) usage() string {
	p := c.Parsed
	var out []string
	for _, u := range []struct {
		bit  x509.KeyUsage
		name string
	}{
		{x509.KeyUsageDigitalSignature, "digital signature"}, {x509.KeyUsageContentCommitment, "non-repudiation"},
		{x509.KeyUsageKeyEncipherment, "key encipherment"}, {x509.KeyUsageDataEncipherment, "data encipherment"},
		{x509.KeyUsageKeyAgreement, "key agreement"}, {x509.KeyUsageCertSign, "certificate signing"}, {x509.KeyUsageCRLSign, "CRL signing"},
	} {
		if p.KeyUsage&u.bit != 0 {
			out = append(out, u.name)
		}
	}
	for _, u := range p.ExtKeyUsage {
		switch u {
		case x509.ExtKeyUsageServerAuth:
			out = append(out, "TLS server")
		case x509.ExtKeyUsageClientAuth:
			out = append(out, "TLS client")
		case x509.ExtKeyUsageAny:
			out = append(out, "anything")
		case x509.ExtKeyUsageEmailProtection:
			out = append(out, "e-mail")
		case x509.ExtKeyUsageCodeSigning:
			out = append(out, "code signing")
		default:
			out = append(out, fmt.Sprintf("extended usage %d", u))
		}
	}
	for _, o := range p.UnknownExtKeyUsage {
		out = append(out, asn1.ObjectIdentifier(o).String())
	}
	return strings.Join(out, ", ")
}

// facts are what is known of the certificate.
func (c *Certificate) facts() event.Certificate {
	f := event.Certificate{Subject: clip(c.Subject()), SHA256: hex.EncodeToString(c.Hash[:])}
	f.Key, f.Bits = keyKind(c.Key)
	for _, name := range c.Names() {
		if len(f.Names) == maxNames {
			break
		}
		f.Names = append(f.Names, clip(name))
	}
	if p := c.Parsed; p != nil {
		f.Issuer, f.Serial = clip(distinguished(p.Issuer)), p.SerialNumber.Text(16)
		f.NotBefore, f.NotAfter = p.NotBefore.UTC().Format(time.RFC3339), p.NotAfter.UTC().Format(time.RFC3339)
	}
	return f
}

// fields describe one certificate of a chain; number is its place, 0 for the leaf.
func (c *Certificate) fields(number int) []event.Field {
	if c.told[number] == nil {
		c.told[number] = c.describe(number)
		fixFields(c.told[number])
	}
	return c.told[number]
}

func (c *Certificate) describe(number int) []event.Field {
	lead := "leaf: "
	if number > 0 {
		lead = fmt.Sprintf("certificate %d: ", number+1)
	}
	if c.Parsed == nil {
		f := []event.Field{{Name: lead + "cannot be read in full", Value: c.Err}}
		r := verify.Read(c.DER)
		if r.Subject != "" {
			f = append(f, event.Field{Name: lead + "subject", Value: clip(r.Subject), Note: "as far as it can be read"}, event.Field{Name: lead + "issuer", Value: clip(r.Issuer)})
		}
		if len(r.Names) > 0 {
			f = append(f, event.Field{Name: lead + "names", Value: clip(some(r.Names, 8))})
		}
		if !r.From.IsZero() && !r.Until.IsZero() {
			f = append(f, event.Field{Name: lead + "valid", Value: date(r.From) + " to " + date(r.Until)})
		}
		if c.Key != nil {
			f = append(f, event.Field{Name: lead + "key", Value: c.KeyWords()})
		}
		return append(f, event.Field{Name: lead + "size", Value: fmt.Sprintf("%d bytes", len(c.DER))})
	}
	p := c.Parsed
	f := []event.Field{{Name: lead + "subject", Value: p.Subject.String(), Note: "whose key this is"}}
	if names := c.Names(); len(names) > 0 {
		f = append(f, event.Field{Name: lead + "names", Value: some(names, 8), Note: "the host names that it is good for (subject alternative names)"})
	}
	f = append(f,
		event.Field{Name: lead + "issuer", Value: p.Issuer.String(), Note: "who vouches for it"},
		event.Field{Name: lead + "valid", Value: date(p.NotBefore) + " to " + date(p.NotAfter)},
		event.Field{Name: lead + "key", Value: c.KeyWords()},
		event.Field{Name: lead + "signed with", Value: signatureWords(p)},
	)
	if u := c.usage(); u != "" {
		f = append(f, event.Field{Name: lead + "purpose", Value: u, Note: "what its issuer allows it for"})
	}
	if p.BasicConstraintsValid && p.IsCA {
		value := "yes"
		if p.MaxPathLen == 0 && p.MaxPathLenZero {
			value += ", with no other CA below it"
		} else if p.MaxPathLen > 0 {
			value += fmt.Sprintf(", with at most %s below it", words.Plural(p.MaxPathLen, "more CA"))
		}
		f = append(f, event.Field{Name: lead + "CA", Value: value, Note: "may itself sign certificates"})
	}
	if len(p.AuthorityKeyId) > 0 {
		f = append(f, event.Field{Name: lead + "issuer's key", Value: fmt.Sprintf("%x", clipBytes(p.AuthorityKeyId, 32)), Note: "authority key identifier"})
	}
	if len(p.SubjectKeyId) > 0 {
		f = append(f, event.Field{Name: lead + "name of its key", Value: fmt.Sprintf("%x", clipBytes(p.SubjectKeyId, 32)), Note: "subject key identifier"})
	}
	if n := len(p.Policies); n > 0 {
		var oids []string
		for _, o := range p.Policies {
			oids = append(oids, o.String())
		}
		f = append(f, event.Field{Name: lead + "policies", Value: clip(some(oids, 4)), Note: "what its issuer says to have checked"})
	}
	if number == 0 {
		f = append(f, sctFields(lead+"signed certificate timestamp", verify.CertificateSCTs(c.DER))...)
	}
	return append(f,
		event.Field{Name: lead + "serial", Value: serial(p.SerialNumber)},
		event.Field{Name: lead + "SHA-256", Value: fmt.Sprintf("%x", c.Hash), Note: "its fingerprint"},
	)
}

func serial(n *big.Int) string {
	if n == nil {
		return ""
	}
	return n.Text(16)
}

func signatureWords(p *x509.Certificate) string {
	if p.SignatureAlgorithm == x509.UnknownSignatureAlgorithm {
		return "an algorithm that is not known here"
	}
	return p.SignatureAlgorithm.String()
}

// covers tells whether the certificate is for this host (RFC 9525 6; the common name does not count).
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

// chain reads the certificates of a message.
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
