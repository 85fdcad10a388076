package verify

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/dsa" //lint:ignore SA1019 old certificates have DSA keys
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/md5"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
	"math/big"
	"net"
	"strings"
	"time"
	"unicode/utf8"

	"filippo.io/mldsa"
	mldsax509 "filippo.io/mldsa/x509"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// A cert is a certificate, read as far as it goes: crypto/x509 reads all of it
// or nothing.
type cert struct {
	der     []byte
	hash    [32]byte
	sent    int               // place in what was sent, from 1; 0: it is of the list of roots only
	vouched bool              // a store that can only be asked says that it is a root
	fault   string            // where our own reading stopped
	x       *x509.Certificate // nil where crypto/x509 refuses it,
	refused string            // in these words

	tbs          []byte
	version      int    // 1 to 3
	serial       []byte // contents of the INTEGER
	inner, outer []byte // AlgorithmIdentifier, whole
	issuer       []byte // Name, whole
	from, until  time.Time
	dated        bool
	subject      []byte
	spki         []byte
	keyHash      [32]byte
	pub          crypto.PublicKey
	keyErr       string
	explicit     []byte // the public point, where the curve is written out instead of named
	sig          []byte
	exts         []extension

	ca          *bool // basicConstraints' cA, nil if there is no such extension
	pathLen     int   // -1: no limit
	usage       *uint16
	purposes    []string // OIDs of extended key usage
	hasPurposes bool
	names       []generalName
	hasNames    bool
	constraints *constraints
	aki         []byte
	akiFull     bool   // with issuer or serial number
	akiIssuer   []byte // Name, whole; the first there is
	akiSerial   []byte // contents of the INTEGER
	fetch       string // where the issuer's certificate is to be had by HTTP; "" if it does not say
	hasAKI      bool
	ski         []byte
	mustStaple  bool
	policies    bool // policyConstraints or inhibitAnyPolicy
	scts        []byte
}

type extension struct {
	oid      string
	critical bool
	value    []byte
}

// Extensions that are understood here.
const (
	oidSKI              = "2.5.29.14"
	oidKeyUsage         = "2.5.29.15"
	oidSAN              = "2.5.29.17"
	oidBasicConstraints = "2.5.29.19"
	oidNameConstraints  = "2.5.29.30"
	oidCRLPoints        = "2.5.29.31"
	oidPolicies         = "2.5.29.32"
	oidPolicyMappings   = "2.5.29.33"
	oidAKI              = "2.5.29.35"
	oidPolicyLimits     = "2.5.29.36"
	oidExtKeyUsage      = "2.5.29.37"
	oidInhibitAny       = "2.5.29.54"
	oidAIA              = "1.3.6.1.5.5.7.1.1"
	oidCAIssuers        = "1.3.6.1.5.5.7.48.2"      // RFC 5280 4.2.2.1
	oidTLSFeature       = "1.3.6.1.5.5.7.1.24"      // RFC 7633
	oidSCTs             = "1.3.6.1.4.1.11129.2.4.2" // RFC 6962 3.3
	oidPoison           = "1.3.6.1.4.1.11129.2.4.3" // RFC 6962 3.1
	oidOCSPSigning      = "1.3.6.1.5.5.7.3.9"       // RFC 6960 4.2.2.2
	oidNetscapeSGC      = "2.16.840.1.113730.4.1"   // server gated cryptography
	oidMicrosoftSGC     = "1.3.6.1.4.1.311.10.3.3"  // the same
	oidServerAuth       = "1.3.6.1.5.5.7.3.1"       // RFC 5280 4.2.1.12
	oidClientAuth       = "1.3.6.1.5.5.7.3.2"       // the same
	oidAnyPurpose       = "2.5.29.37.0"             // the same
	oidCommonName       = "2.5.4.3"                 // RFC 5280 A.1
	oidEmailAttribute   = "1.2.840.113549.1.9.1"    // the same
	oidECPublicKey      = "1.2.840.10045.2.1"       // RFC 5480 2.1.1
	usageSign           = 1 << 0                    // bits of key usage, RFC 5280 4.2.1.3
	usageEncipher       = 1 << 2                    // keyEncipherment
	usageCertSign       = 1 << 5                    // keyCertSign
)

// read reads a certificate as far as it goes.
func read(der []byte) *cert {
	if len(der) <= maxBytes {
		x, err := x509.ParseCertificate(der)
		if err == nil {
			return readParsed(x)
		}
		c := hashed(der)
		c.fault, c.refused = c.parse(), strings.TrimPrefix(err.Error(), "x509: ")
		return c
	}
	c := hashed(der)
	c.fault = fmt.Sprintf("it is longer than %d bytes", maxBytes)
	c.refused = c.fault
	return c
}

// readParsed reads what crypto/x509 has read.
func readParsed(x *x509.Certificate) *cert {
	if len(x.Raw) > maxBytes {
		return read(x.Raw)
	}
	c := hashed(x.Raw)
	c.fault, c.x = c.parse(), x
	return c
}

func hashed(der []byte) *cert { return &cert{der: der, hash: sha256.Sum256(der), pathLen: -1} }

// parse returns what cannot be read, or "".
func (c *cert) parse() string {
	var cert, tbs, inner, validity, sig cryptobyte.String
	input := cryptobyte.String(c.der)
	if !input.ReadASN1(&cert, cbasn1.SEQUENCE) {
		return "it is no DER SEQUENCE"
	}
	trailing := !input.Empty()
	var element cryptobyte.String
	if !cert.ReadASN1Element(&element, cbasn1.SEQUENCE) {
		return "what is signed (TBSCertificate)"
	}
	c.tbs = element
	// Signature first: it is read even where what is signed is not.
	var outer cryptobyte.String
	if cert.ReadASN1Element(&outer, cbasn1.SEQUENCE) {
		c.outer = outer
		if cert.ReadASN1(&sig, cbasn1.BIT_STRING) && len(sig) > 0 {
			c.sig = sig[1:]
		}
	}
	if !element.ReadASN1(&tbs, cbasn1.SEQUENCE) {
		return "what is signed (TBSCertificate)"
	}
	if !tbs.ReadOptionalASN1Integer(&c.version, cbasn1.Tag(0).Constructed().ContextSpecific(), 0) || c.version < 0 || c.version > 2 {
		c.version = 0
		return "version"
	}
	c.version++
	var serial, name cryptobyte.String
	if !tbs.ReadASN1(&serial, cbasn1.INTEGER) {
		return "serial number"
	}
	c.serial = serial
	if !tbs.ReadASN1Element(&inner, cbasn1.SEQUENCE) {
		return "signature algorithm"
	}
	c.inner = inner
	if !tbs.ReadASN1Element(&name, cbasn1.SEQUENCE) {
		return "issuer"
	}
	c.issuer = name
	if !tbs.ReadASN1(&validity, cbasn1.SEQUENCE) {
		return "validity"
	}
	var from, until bool
	c.from, from = readTime(&validity)
	c.until, until = readTime(&validity)
	c.dated = from && until
	if !tbs.ReadASN1Element(&name, cbasn1.SEQUENCE) {
		return "subject"
	}
	c.subject = name
	var spki cryptobyte.String
	if !tbs.ReadASN1Element(&spki, cbasn1.SEQUENCE) {
		return "public key"
	}
	c.spki, c.keyHash = spki, sha256.Sum256(spki)
	c.readKey()
	if !tbs.SkipOptionalASN1(cbasn1.Tag(1).ContextSpecific()) || !tbs.SkipOptionalASN1(cbasn1.Tag(2).ContextSpecific()) {
		return "unique identifiers"
	}
	fault := ""
	var exts cryptobyte.String
	var present bool
	if !tbs.ReadOptionalASN1(&exts, &present, cbasn1.Tag(3).Constructed().ContextSpecific()) {
		return "extensions"
	}
	if present {
		fault = c.readExtensions(exts)
	}
	switch {
	case fault != "":
	case !c.dated:
		fault = "validity"
	case c.outer == nil || c.sig == nil:
		fault = "signature"
	case trailing:
		fault = "it has bytes behind its end"
	}
	return fault
}

func readTime(s *cryptobyte.String) (t time.Time, ok bool) {
	if s.PeekASN1Tag(cbasn1.UTCTime) {
		ok = s.ReadASN1UTCTime(&t)
		return t, ok
	}
	ok = s.ReadASN1GeneralizedTime(&t)
	return t, ok
}

// readKey reads the public key, and knows a curve that is written out (RFC 5480 2.1.1 forbids it).
func (c *cert) readKey() {
	s := cryptobyte.String(c.spki)
	var info, algorithm, bits cryptobyte.String
	var oid asn1.ObjectIdentifier
	if s.ReadASN1(&info, cbasn1.SEQUENCE) && info.ReadASN1(&algorithm, cbasn1.SEQUENCE) && algorithm.ReadASN1ObjectIdentifier(&oid) &&
		oid.String() == oidECPublicKey && algorithm.PeekASN1Tag(cbasn1.SEQUENCE) && info.ReadASN1(&bits, cbasn1.BIT_STRING) && len(bits) > 1 {
		c.explicit = bits[1:]
		c.keyErr = "its curve is written out, not named"
		return
	}
	pub, err := mldsax509.ParsePKIXPublicKey(c.spki)
	if err != nil {
		if name, other := otherKey(c.spki); other {
			c.pub = OtherKey{name}
			return
		}
		c.keyErr = strings.TrimPrefix(err.Error(), "x509: ")
		return
	}
	c.pub = pub
}

// An OtherKey is a public key of a kind that no signature is checked with here. That says nothing against it.
type OtherKey struct {
	Name string // as the RFCs call it, else its object identifier
}

// other tells whether its key is one.
func (c *cert) other() bool {
	_, ok := c.pub.(OtherKey)
	return ok
}

// otherKeys names kinds of keys, and curves, that are not read here.
var otherKeys = map[string]string{
	"1.3.101.110": "X25519", "1.3.101.111": "X448", "1.3.101.113": "Ed448", // RFC 8410 3
	"1.3.36.3.3.2.8.1.1.7": "brainpoolP256r1", "1.3.36.3.3.2.8.1.1.11": "brainpoolP384r1", "1.3.36.3.3.2.8.1.1.13": "brainpoolP512r1", // RFC 5639 4.1
	"1.3.132.0.10":        "secp256k1",                                                                                                     // SEC 2 A.2.1
	"1.2.156.10197.1.301": "SM2",                                                                                                           // GB/T 33560
	"1.2.643.2.2.19":      "GOST R 34.10-2001", "1.2.643.7.1.1.1.1": "GOST R 34.10-2012 256", "1.2.643.7.1.1.1.2": "GOST R 34.10-2012 512", // RFC 9215 4
}

// otherKey tells whether a public key's kind, or its curve, is one that is not read here,
// and names it. What claims to be of a kind that is read is not.
func otherKey(spki []byte) (name string, other bool) {
	s := cryptobyte.String(spki)
	var info, algorithm cryptobyte.String
	var oid, curve asn1.ObjectIdentifier
	if !s.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) {
		return "", false
	}
	switch oid.String() {
	case oidECPublicKey:
		if !algorithm.ReadASN1ObjectIdentifier(&curve) {
			return "", false
		}
		switch curve.String() {
		case "1.3.132.0.33", "1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35", // P-224, P-256, P-384, P-521
			"1.2.840.10045.3.1.1": // P-192, which is too short and not only unread
			return "", false
		}
		return cmp.Or(otherKeys[curve.String()], "curve "+curve.String()) + " ECDSA", true
	case "1.2.840.113549.1.1.1", "1.2.840.10040.4.1", "1.3.101.112", // RSA, DSA, Ed25519
		"2.16.840.1.101.3.4.3.17", "2.16.840.1.101.3.4.3.18", "2.16.840.1.101.3.4.3.19": // ML-DSA
		return "", false
	}
	return cmp.Or(otherKeys[oid.String()], oid.String()), true
}

func (c *cert) readExtensions(exts cryptobyte.String) string {
	var list cryptobyte.String
	if !exts.ReadASN1(&list, cbasn1.SEQUENCE) {
		return "extensions"
	}
	fault := ""
	seen := map[string]bool{}
	for !list.Empty() {
		var ext, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		var critical bool
		if !list.ReadASN1(&ext, cbasn1.SEQUENCE) || !ext.ReadASN1ObjectIdentifier(&oid) ||
			ext.PeekASN1Tag(cbasn1.BOOLEAN) && !ext.ReadASN1Boolean(&critical) || !ext.ReadASN1(&value, cbasn1.OCTET_STRING) {
			return "extensions"
		}
		e := extension{oid.String(), critical, value}
		c.exts = append(c.exts, e)
		if !seen[e.oid] && !c.readExtension(e) && fault == "" {
			fault = "extension " + extensionName(e.oid)
		}
		seen[e.oid] = true
	}
	return fault
}

func extensionName(oid string) string {
	names := map[string]string{oidKeyUsage: "key usage", oidSAN: "subject alternative name", oidBasicConstraints: "basic constraints", oidNameConstraints: "name constraints",
		oidAKI: "authority key identifier", oidSKI: "subject key identifier", oidExtKeyUsage: "extended key usage", oidTLSFeature: "TLS feature", oidSCTs: "signed certificate timestamps",
		oidPolicies: "certificate policies", oidPolicyLimits: "policy constraints", oidPolicyMappings: "policy mappings", oidAIA: "authority information access",
		oidCRLPoints: "CRL distribution points", oidPoison: "precertificate poison"}
	if n := names[oid]; n != "" {
		return n
	}
	return oid
}

// readExtension reports whether the extension could be read, or is none that is read here.
func (c *cert) readExtension(e extension) bool {
	s := cryptobyte.String(e.value)
	var seq cryptobyte.String
	switch e.oid {
	case oidSKI:
		var id cryptobyte.String
		if !s.ReadASN1(&id, cbasn1.OCTET_STRING) {
			return false
		}
		c.ski = id
	case oidAKI:
		var id cryptobyte.String
		c.hasAKI = true
		if !s.ReadASN1(&seq, cbasn1.SEQUENCE) {
			return false
		}
		if seq.PeekASN1Tag(cbasn1.Tag(0).ContextSpecific()) {
			if !seq.ReadASN1(&id, cbasn1.Tag(0).ContextSpecific()) {
				return false
			}
			c.aki = id
		}
		c.akiFull = !seq.Empty()
		c.readFullAKI(seq)
	case oidKeyUsage:
		var bits asn1.BitString
		if !s.ReadASN1BitString(&bits) {
			return false
		}
		var usage uint16
		for i := 0; i < 9; i++ {
			usage |= uint16(bits.At(i)) << i
		}
		c.usage = &usage
	case oidBasicConstraints:
		var ca bool
		if !s.ReadASN1(&seq, cbasn1.SEQUENCE) || seq.PeekASN1Tag(cbasn1.BOOLEAN) && !seq.ReadASN1Boolean(&ca) {
			return false
		}
		c.ca = &ca
		if seq.PeekASN1Tag(cbasn1.INTEGER) {
			var n uint
			if !seq.ReadASN1Integer(&n) {
				return false
			}
			c.pathLen = int(min(n, 1<<20))
		}
	case oidExtKeyUsage:
		c.hasPurposes = true
		if !s.ReadASN1(&seq, cbasn1.SEQUENCE) || seq.Empty() {
			return false
		}
		for !seq.Empty() {
			var oid asn1.ObjectIdentifier
			if !seq.ReadASN1ObjectIdentifier(&oid) {
				return false
			}
			c.purposes = append(c.purposes, oid.String())
		}
	case oidSAN:
		c.hasNames = true
		if !s.ReadASN1(&seq, cbasn1.SEQUENCE) {
			return false
		}
		for !seq.Empty() {
			n, ok := readGeneralName(&seq)
			if !ok {
				return false
			}
			c.names = append(c.names, n)
		}
	case oidNameConstraints:
		var ok bool
		c.constraints, ok = readConstraints(s)
		return ok
	case oidTLSFeature:
		if !s.ReadASN1(&seq, cbasn1.SEQUENCE) {
			return false
		}
		for !seq.Empty() {
			var n int64
			if !seq.ReadASN1Integer(&n) {
				return false
			}
			c.mustStaple = c.mustStaple || n == 5 // status_request
		}
	case oidAIA:
		c.fetch = issuerURL(s)
	case oidPolicyLimits, oidInhibitAny, oidPolicyMappings:
		c.policies = true
	case oidSCTs:
		var list cryptobyte.String
		if !s.ReadASN1(&list, cbasn1.OCTET_STRING) {
			return false
		}
		c.scts = list
	}
	return true
}

// readFullAKI reads the issuer and serial number of an authority key identifier, as far as it goes.
func (c *cert) readFullAKI(s cryptobyte.String) {
	var names, serial cryptobyte.String
	if s.PeekASN1Tag(cbasn1.Tag(1).Constructed().ContextSpecific()) && s.ReadASN1(&names, cbasn1.Tag(1).Constructed().ContextSpecific()) {
		for !names.Empty() {
			n, ok := readGeneralName(&names)
			if !ok {
				break
			}
			if n.tag == 4 {
				c.akiIssuer = n.value
				break
			}
		}
	}
	if s.PeekASN1Tag(cbasn1.Tag(2).ContextSpecific()) && s.ReadASN1(&serial, cbasn1.Tag(2).ContextSpecific()) {
		c.akiSerial = serial
	}
}

// issuerURL is the first HTTP address in an authority information access
// extension at which the issuer's certificate is to be had (RFC 5280 4.2.2.1).
func issuerURL(s cryptobyte.String) string {
	var seq cryptobyte.String
	if !s.ReadASN1(&seq, cbasn1.SEQUENCE) {
		return ""
	}
	for !seq.Empty() {
		var access cryptobyte.String
		var method asn1.ObjectIdentifier
		if !seq.ReadASN1(&access, cbasn1.SEQUENCE) || !access.ReadASN1ObjectIdentifier(&method) {
			return ""
		}
		n, ok := readGeneralName(&access)
		if !ok {
			return ""
		}
		if at := string(n.value); n.tag == 6 && method.String() == oidCAIssuers && len(at) >= 4 && strings.EqualFold(at[:4], "http") {
			return at
		}
	}
	return ""
}

// find returns the first extension with this OID.
func (c *cert) find(oid string) *extension {
	for i := range c.exts {
		if c.exts[i].oid == oid {
			return &c.exts[i]
		}
	}
	return nil
}

func (c *cert) selfIssued() bool { return len(c.subject) > 0 && bytes.Equal(c.subject, c.issuer) }

// commonNames are the subject's common names.
func (c *cert) commonNames() []string {
	var out []string
	for _, a := range attributes(c.subject) {
		if a.oid == oidCommonName {
			out = append(out, a.value)
		}
	}
	return out
}

// An attribute of a distinguished name.
type attribute struct {
	rdn   int
	oid   string
	value string
}

// attributes reads a Name as far as it goes.
func attributes(name []byte) []attribute {
	var out []attribute
	s := cryptobyte.String(name)
	var seq cryptobyte.String
	if !s.ReadASN1(&seq, cbasn1.SEQUENCE) {
		return nil
	}
	for rdn := 0; !seq.Empty(); rdn++ {
		var set cryptobyte.String
		if !seq.ReadASN1(&set, cbasn1.SET) {
			return out
		}
		for !set.Empty() {
			var av, value cryptobyte.String
			var tag cbasn1.Tag
			var oid asn1.ObjectIdentifier
			if !set.ReadASN1(&av, cbasn1.SEQUENCE) || !av.ReadASN1ObjectIdentifier(&oid) || !av.ReadAnyASN1(&value, &tag) {
				return out
			}
			text := string(value)
			if tag == cbasn1.Tag(30) { // BMPString
				var b strings.Builder
				for i := 0; i+1 < len(value); i += 2 {
					b.WriteRune(rune(value[i])<<8 | rune(value[i+1]))
				}
				text = b.String()
			} else if !utf8.ValidString(text) {
				b := make([]rune, 0, len(text))
				for _, r := range []byte(text) {
					b = append(b, rune(r)) // Latin 1, as T61String is used
				}
				text = string(b)
			}
			out = append(out, attribute{rdn, oid.String(), text})
		}
	}
	return out
}

// nameText is a distinguished name, as short as it stays telling.
func nameText(name []byte) string {
	var cn, o string
	all := attributes(name)
	for _, a := range all {
		switch {
		case a.oid == oidCommonName && cn == "":
			cn = a.value
		case a.oid == "2.5.4.10" && o == "":
			o = a.value
		}
	}
	switch {
	case cn != "" && o != "" && o != cn:
		return clip(cn + " (" + o + ")")
	case cn != "":
		return clip(cn)
	case o != "":
		return clip(o)
	case len(all) > 0:
		var seq pkix.RDNSequence
		if _, err := asn1.Unmarshal(name, &seq); err == nil {
			return clip(seq.String())
		}
	}
	return "(no name)"
}

// errBadSignature means that the signature does not hold.
var errBadSignature = errors.New("the signature does not hold")

// errZeroSignature is an ECDSA signature whose two numbers are zero.
var errZeroSignature = errors.New("both numbers of the signature are zero")

// An algorithm of a signature.
type algorithm struct {
	name string
	kind string // "RSA", "RSA-PSS", "ECDSA", "DSA", "Ed25519", "ML-DSA"; "" if not known here
	hash string
}

var algorithms = map[string]algorithm{
	"1.2.840.113549.1.1.2":    {"MD2 with RSA", "RSA", "MD2"},
	"1.2.840.113549.1.1.3":    {"MD4 with RSA", "RSA", "MD4"},
	"1.2.840.113549.1.1.4":    {"MD5 with RSA", "RSA", "MD5"},
	"1.2.840.113549.1.1.5":    {"SHA-1 with RSA", "RSA", "SHA-1"},
	"1.3.14.3.2.29":           {"SHA-1 with RSA", "RSA", "SHA-1"},
	"1.2.840.113549.1.1.14":   {"SHA-224 with RSA", "RSA", "SHA-224"},
	"1.2.840.113549.1.1.11":   {"SHA-256 with RSA", "RSA", "SHA-256"},
	"1.2.840.113549.1.1.12":   {"SHA-384 with RSA", "RSA", "SHA-384"},
	"1.2.840.113549.1.1.13":   {"SHA-512 with RSA", "RSA", "SHA-512"},
	"1.2.840.113549.1.1.10":   {"RSA-PSS", "RSA-PSS", ""},
	"1.2.840.10045.4.1":       {"SHA-1 with ECDSA", "ECDSA", "SHA-1"},
	"1.2.840.10045.4.3.1":     {"SHA-224 with ECDSA", "ECDSA", "SHA-224"},
	"1.2.840.10045.4.3.2":     {"SHA-256 with ECDSA", "ECDSA", "SHA-256"},
	"1.2.840.10045.4.3.3":     {"SHA-384 with ECDSA", "ECDSA", "SHA-384"},
	"1.2.840.10045.4.3.4":     {"SHA-512 with ECDSA", "ECDSA", "SHA-512"},
	"1.2.840.10040.4.3":       {"SHA-1 with DSA", "DSA", "SHA-1"},
	"2.16.840.1.101.3.4.3.1":  {"SHA-224 with DSA", "DSA", "SHA-224"},
	"2.16.840.1.101.3.4.3.2":  {"SHA-256 with DSA", "DSA", "SHA-256"},
	"1.3.101.112":             {"Ed25519", "Ed25519", ""},
	"1.3.101.113":             {"Ed448", "", ""},
	"2.16.840.1.101.3.4.3.17": {"ML-DSA-44", "ML-DSA", ""},
	"2.16.840.1.101.3.4.3.18": {"ML-DSA-65", "ML-DSA", ""},
	"2.16.840.1.101.3.4.3.19": {"ML-DSA-87", "ML-DSA", ""},
}

// algorithmOf reads an AlgorithmIdentifier.
func algorithmOf(id []byte) algorithm {
	s := cryptobyte.String(id)
	var seq cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&oid) {
		return algorithm{name: "an algorithm that cannot be read"}
	}
	if a, ok := algorithms[oid.String()]; ok {
		if a.kind == "RSA-PSS" {
			a.hash = pssHash(seq)
			a.name = a.hash + " with RSA-PSS"
		}
		return a
	}
	return algorithm{name: oid.String()}
}

// pssHash is the hash of RSASSA-PSS parameters (RFC 4055 3.1); SHA-1 if they name none.
func pssHash(params cryptobyte.String) string {
	var seq, hash, id cryptobyte.String
	var oid asn1.ObjectIdentifier
	if params.ReadASN1(&seq, cbasn1.SEQUENCE) && seq.ReadASN1(&hash, cbasn1.Tag(0).Constructed().ContextSpecific()) &&
		hash.ReadASN1(&id, cbasn1.SEQUENCE) && id.ReadASN1ObjectIdentifier(&oid) {
		switch oid.String() {
		case "2.16.840.1.101.3.4.2.1":
			return "SHA-256"
		case "2.16.840.1.101.3.4.2.2":
			return "SHA-384"
		case "2.16.840.1.101.3.4.2.3":
			return "SHA-512"
		}
		return ""
	}
	return "SHA-1"
}

var hashes = map[string]struct {
	new func() hash.Hash
	id  crypto.Hash
}{
	"MD5": {md5.New, crypto.MD5}, "SHA-1": {sha1.New, crypto.SHA1}, "SHA-224": {sha256.New224, crypto.SHA224},
	"SHA-256": {sha256.New, crypto.SHA256}, "SHA-384": {sha512.New384, crypto.SHA384}, "SHA-512": {sha512.New, crypto.SHA512},
}

// signedBy checks that the key signed the certificate. It returns nil,
// errBadSignature, errZeroSignature, or why it cannot be checked. Weak
// algorithms are checked like others: what a signature shows, and whether to
// rely on it, are two questions.
func (c *cert) signedBy(pub crypto.PublicKey) error {
	if c.tbs == nil || c.sig == nil {
		return errors.New("the certificate cannot be read that far")
	}
	// The outer algorithm is the one that a verifier uses (RFC 5280 4.1.1.2).
	a := algorithmOf(c.outer)
	if a.kind == "ECDSA" && zeroSignature(c.sig) {
		return errZeroSignature
	}
	if pub == nil {
		return errors.New("the issuer's key cannot be read")
	}
	return verifySignature(a, pub, c.tbs, c.sig)
}

// SignedBy tells whether a key signed a certificate, or why that cannot be checked.
func SignedBy(der []byte, pub crypto.PublicKey) (bool, error) {
	switch err := read(der).signedBy(pub); {
	case err == nil:
		return true, nil
	case errors.Is(err, errBadSignature), errors.Is(err, errZeroSignature):
		return false, nil
	default:
		return false, err
	}
}

func verifySignature(a algorithm, pub crypto.PublicKey, signed, sig []byte) error {
	var digest []byte
	h, known := hashes[a.hash]
	switch {
	case known:
		w := h.new()
		w.Write(signed)
		digest = w.Sum(nil)
	case a.kind != "Ed25519" && a.kind != "ML-DSA":
		return fmt.Errorf("the algorithm (%s) is not known here", a.name)
	}
	ok := false
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < 1024 || n > 16384 {
			return fmt.Errorf("the issuer's RSA key has %d bits", n)
		}
		switch a.kind {
		case "RSA":
			ok = rsa.VerifyPKCS1v15(k, h.id, digest, sig) == nil
		case "RSA-PSS":
			ok = rsa.VerifyPSS(k, h.id, digest, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
	case *ecdsa.PublicKey:
		ok = a.kind == "ECDSA" && ecdsa.VerifyASN1(k, digest, sig)
	case ed25519.PublicKey:
		ok = a.kind == "Ed25519" && ed25519.Verify(k, signed, sig)
	case *mldsa.PublicKey: // RFC 9881 3: over the message itself, with no context
		ok = a.kind == "ML-DSA" && a.name == k.Parameters().String() && mldsa.Verify(k, signed, sig, nil) == nil
	case *dsa.PublicKey:
		if k.P.BitLen() > 4096 || k.Q.BitLen() > 256 {
			return errors.New("the issuer's DSA key is too long")
		}
		var seq cryptobyte.String
		r, s, in := new(big.Int), new(big.Int), cryptobyte.String(sig)
		if a.kind == "DSA" && in.ReadASN1(&seq, cbasn1.SEQUENCE) && seq.ReadASN1Integer(r) && seq.ReadASN1Integer(s) {
			ok = dsa.Verify(k, digest[:min(len(digest), (k.Q.BitLen()+7)/8)], r, s)
		}
	default:
		return errors.New("the issuer's kind of key is not known here")
	}
	if !ok {
		return errBadSignature
	}
	return nil
}

// zeroSignature tells whether r and s of an ECDSA signature are both zero (CVE-2022-21449).
func zeroSignature(sig []byte) bool {
	var seq cryptobyte.String
	r, s, in := new(big.Int), new(big.Int), cryptobyte.String(sig)
	return in.ReadASN1(&seq, cbasn1.SEQUENCE) && seq.ReadASN1Integer(r) && seq.ReadASN1Integer(s) && r.Sign() == 0 && s.Sign() == 0
}

// A generalName is one of RFC 5280 4.2.1.6, by its tag.
type generalName struct {
	tag   int // 1 e-mail, 2 DNS, 4 directory, 6 URI, 7 address; others are kept unread
	value []byte
}

func readGeneralName(s *cryptobyte.String) (n generalName, ok bool) {
	var value cryptobyte.String
	var tag cbasn1.Tag
	if !s.ReadAnyASN1(&value, &tag) || tag&0xc0 != 0x80 {
		return n, false
	}
	n = generalName{int(tag & 0x1f), value}
	switch n.tag {
	case 1, 2, 6: // IA5String
		for _, b := range value {
			if b >= 0x80 {
				return n, false
			}
		}
	case 4:
		if tag != cbasn1.Tag(4).Constructed().ContextSpecific() {
			return n, false
		}
	}
	return n, true
}

func (n generalName) String() string {
	switch n.tag {
	case 1, 2, 6:
		return string(n.value)
	case 4:
		return nameText(n.value)
	case 7:
		if len(n.value) == 4 || len(n.value) == 16 {
			return net.IP(n.value).String()
		}
		return hexOf(n.value)
	}
	return fmt.Sprintf("a name of kind %d", n.tag)
}

// A Reading is what can be read of a certificate, also of one that crypto/x509 refuses.
type Reading struct {
	Subject, Issuer string           // short; "" where not read
	From, Until     time.Time        // zero where not read
	Names           []string         // subject alternative names
	Serial          string           // hexadecimal
	Key             string           // in words; "" if of no kind that is known
	PublicKey       crypto.PublicKey // nil if of no kind that is known
	Fault           string           // what could not be read; "" if that is nothing
}

// Read reads a certificate as far as it goes.
func Read(der []byte) Reading {
	c := read(der)
	r := Reading{From: c.from, Until: c.until, Serial: hexOf(c.serial), Key: KeyWords(c.pub), PublicKey: c.pub, Fault: c.fault}
	if c.issuer != nil {
		r.Issuer = nameText(c.issuer)
	}
	if c.subject != nil {
		r.Subject = nameText(c.subject)
	}
	for _, n := range c.names {
		r.Names = append(r.Names, clip(n.String()))
	}
	return r
}
