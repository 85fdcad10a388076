package origins

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"
)

// What crypto/x509 makes is too tidy for the tables of origins: their certificates are put
// together here, field by field.

// A mint makes the certificates of the tables, under roots that the clients and the proxy are told to trust.
type mint struct {
	t     *testing.T
	now   time.Time
	root  *party // of most
	roots []*party

	mu   sync.Mutex
	keys map[string]crypto.Signer
}

// A party is a certificate and the key to it.
type party struct {
	*draft
	der []byte
}

func newMint(t *testing.T) *mint {
	m := &mint{t: t, now: time.Now().UTC().Truncate(time.Second), keys: map[string]crypto.Signer{}}
	m.root = m.trusted("Tables Root", nil)
	return m
}

// A draft is a certificate before it is signed. What is nil or empty is left out.
type draft struct {
	host            string // of a leaf: what is asked for
	version         int    // 1 to 3
	serial          []byte
	inner, outer    *signature // outer: inner, if nil
	issuer, subject []byte     // Names
	from, until     time.Time
	generalized     bool // the dates, also where RFC 5280 4.1.2.5 wants UTCTime
	key             crypto.Signer
	spki            []byte // of key, if nil
	exts            []pkix.Extension
	spoil           func(sig []byte) []byte // may be nil
}

// A signature is a signature algorithm.
type signature struct {
	id   []byte // AlgorithmIdentifier
	hash crypto.Hash
	pss  bool
}

func rsaWith(last int, hash crypto.Hash) *signature {
	return &signature{algorithmID(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, last}, asn1.NullBytes), hash, false}
}

func ecdsaWith(last int, hash crypto.Hash) *signature {
	return &signature{algorithmID(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, last}, nil), hash, false}
}

var (
	rsaMD5, rsaSHA1                       = rsaWith(4, crypto.MD5), rsaWith(5, crypto.SHA1)
	rsaSHA256, rsaSHA384, rsaSHA512       = rsaWith(11, crypto.SHA256), rsaWith(12, crypto.SHA384), rsaWith(13, crypto.SHA512)
	ecdsaSHA1                             = &signature{algorithmID(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}, nil), crypto.SHA1, false}
	ecdsaSHA256, ecdsaSHA384, ecdsaSHA512 = ecdsaWith(2, crypto.SHA256), ecdsaWith(3, crypto.SHA384), ecdsaWith(4, crypto.SHA512)
	ed25519Signature                      = &signature{algorithmID(asn1.ObjectIdentifier{1, 3, 101, 112}, nil), 0, false}
	rsaPSS                                = &signature{pssID(), crypto.SHA256, true}
)

func algorithmID(oid asn1.ObjectIdentifier, params []byte) []byte {
	return must(asn1.Marshal(pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.RawValue{FullBytes: params}}))
}

// pssID is RSASSA-PSS with SHA-256 (RFC 4055 3.1).
func pssID() []byte {
	sha256ID := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, Parameters: asn1.NullRawValue}
	params := must(asn1.Marshal(struct {
		Hash pkix.AlgorithmIdentifier `asn1:"explicit,tag:0"`
		MGF  pkix.AlgorithmIdentifier `asn1:"explicit,tag:1"`
		Salt int                      `asn1:"explicit,tag:2"`
	}{sha256ID, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}, Parameters: asn1.RawValue{FullBytes: must(asn1.Marshal(sha256ID))}}, 32}))
	return algorithmID(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}, params)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// signatureOf is what a key signs with if nothing else is said.
func signatureOf(key crypto.Signer) *signature {
	switch k := key.Public().(type) {
	case ed25519.PublicKey:
		return ed25519Signature
	case *ecdsa.PublicKey:
		switch k.Curve.Params().BitSize {
		case 384:
			return ecdsaSHA384
		case 521:
			return ecdsaSHA512
		}
		return ecdsaSHA256
	}
	return rsaSHA256
}

func (s *signature) sign(key crypto.Signer, content []byte) []byte {
	var digest []byte
	switch s.hash {
	case 0:
		digest = content
	case crypto.MD5:
		d := md5.Sum(content)
		digest = d[:]
	case crypto.SHA1:
		d := sha1.Sum(content)
		digest = d[:]
	default:
		h := s.hash.New()
		h.Write(content)
		digest = h.Sum(nil)
	}
	var opts crypto.SignerOpts = s.hash
	if s.pss {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: s.hash}
	}
	return must(key.Sign(rand.Reader, digest, opts))
}

// signedBy puts the draft together and signs it.
func (d *draft) signedBy(by crypto.Signer) []byte {
	inner := d.inner
	if inner == nil {
		inner = signatureOf(by)
	}
	outer := d.outer
	if outer == nil {
		outer = inner
	}
	spki := d.spki
	if spki == nil {
		spki = must(x509.MarshalPKIXPublicKey(d.key.Public()))
	}
	var tbs cryptobyte.Builder
	tbs.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if d.version > 1 {
			b.AddASN1(cbasn1.Tag(0).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(d.version - 1)) })
		}
		b.AddASN1(cbasn1.INTEGER, func(b *cryptobyte.Builder) { b.AddBytes(d.serial) })
		b.AddBytes(inner.id)
		b.AddBytes(d.issuer)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, t := range []time.Time{d.from, d.until} {
				if t.Year() < 2050 && !d.generalized { // RFC 5280 4.1.2.5
					b.AddASN1UTCTime(t)
				} else {
					b.AddASN1GeneralizedTime(t)
				}
			}
		})
		b.AddBytes(d.subject)
		b.AddBytes(spki)
		if len(d.exts) > 0 {
			b.AddASN1(cbasn1.Tag(3).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(must(asn1.Marshal(d.exts))) })
		}
	})
	signed := tbs.BytesOrPanic()
	sig := outer.sign(by, signed)
	if d.spoil != nil {
		sig = d.spoil(sig)
	}
	var out cryptobyte.Builder
	out.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(signed)
		b.AddBytes(outer.id)
		b.AddASN1BitString(sig)
	})
	return out.BytesOrPanic()
}

// key returns a key of a kind, "p256", "ed25519", or "rsa" and a length: a new one, but
// for RSA, whose keys take long to make: those are shared by what is for the same use.
func (m *mint) key(kind, use string) crypto.Signer {
	m.mu.Lock()
	defer m.mu.Unlock()
	var bits int
	switch {
	case kind == "p224":
		return must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	case kind == "p256":
		return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	case kind == "p384":
		return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	case kind == "p521":
		return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	case kind == "ed25519":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return must(key, err)
	default:
		must(fmt.Sscanf(kind, "rsa%d", &bits))
	}
	if m.keys[kind+use] == nil {
		m.keys[kind+use] = must(rsa.GenerateKey(rand.Reader, bits))
	}
	return m.keys[kind+use]
}

// The extensions that are used here (RFC 5280 4.2, RFC 7633).
var (
	extSKI         = asn1.ObjectIdentifier{2, 5, 29, 14}
	extKeyUsage    = asn1.ObjectIdentifier{2, 5, 29, 15}
	extSAN         = asn1.ObjectIdentifier{2, 5, 29, 17}
	extBasic       = asn1.ObjectIdentifier{2, 5, 29, 19}
	extConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}
	extPolicies    = asn1.ObjectIdentifier{2, 5, 29, 32}
	extAKI         = asn1.ObjectIdentifier{2, 5, 29, 35}
	extPolicyLimit = asn1.ObjectIdentifier{2, 5, 29, 36}
	extPurposes    = asn1.ObjectIdentifier{2, 5, 29, 37}
	extAIA         = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	extFeature     = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}
	extNobodyKnows = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55738, 666, 9}
)

// Purposes (RFC 5280 4.2.1.12).
var (
	anyPurpose      = asn1.ObjectIdentifier{2, 5, 29, 37, 0}
	serverAuth      = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}
	clientAuth      = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}
	codeSigning     = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 3}
	emailProtection = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 4}
	ocspSigning     = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 9}
	netscapeSGC     = asn1.ObjectIdentifier{2, 16, 840, 1, 113730, 4, 1}
)

// set replaces an extension, or adds it.
func (d *draft) set(oid asn1.ObjectIdentifier, critical bool, value []byte) {
	e := pkix.Extension{Id: oid, Critical: critical, Value: value}
	if there := d.find(oid); there != nil {
		*there = e
		return
	}
	d.exts = append(d.exts, e)
}

func (d *draft) find(oid asn1.ObjectIdentifier) *pkix.Extension {
	i := slices.IndexFunc(d.exts, func(e pkix.Extension) bool { return e.Id.Equal(oid) })
	if i < 0 {
		return nil
	}
	return &d.exts[i]
}

func (d *draft) critical(oid asn1.ObjectIdentifier) { d.find(oid).Critical = true }

func (d *draft) drop(oids ...asn1.ObjectIdentifier) {
	d.exts = slices.DeleteFunc(d.exts, func(e pkix.Extension) bool {
		return slices.ContainsFunc(oids, e.Id.Equal)
	})
}

// usage sets key usage: the bits that are set, the first being 0, digitalSignature.
func (d *draft) usage(bits ...int) {
	var s asn1.BitString
	for _, n := range bits {
		s.BitLength = max(s.BitLength, n+1)
	}
	s.Bytes = make([]byte, (s.BitLength+7)/8)
	for _, n := range bits {
		s.Bytes[n/8] |= 0x80 >> (n % 8)
	}
	d.set(extKeyUsage, true, must(asn1.Marshal(s)))
}

func (d *draft) purposes(oids ...asn1.ObjectIdentifier) {
	d.set(extPurposes, false, must(asn1.Marshal(oids)))
}

// basic sets basicConstraints; limit < 0 is none.
func (d *draft) basic(isCA bool, limit int) {
	d.set(extBasic, true, must(asn1.Marshal(struct {
		CA    bool `asn1:"optional"`
		Limit int  `asn1:"optional,default:-1"`
	}{isCA, limit})))
}

// A general name (RFC 5280 4.2.1.6).
func email(s string) asn1.RawValue { return asn1.RawValue{Class: 2, Tag: 1, Bytes: []byte(s)} }
func dns(s string) asn1.RawValue   { return asn1.RawValue{Class: 2, Tag: 2, Bytes: []byte(s)} }
func uri(s string) asn1.RawValue   { return asn1.RawValue{Class: 2, Tag: 6, Bytes: []byte(s)} }
func ip(b ...byte) asn1.RawValue   { return asn1.RawValue{Class: 2, Tag: 7, Bytes: b} }
func directory(name []byte) asn1.RawValue {
	return asn1.RawValue{Class: 2, Tag: 4, IsCompound: true, Bytes: name}
}

func (d *draft) names(names ...asn1.RawValue) {
	d.set(extSAN, len(d.subject) == 2, must(asn1.Marshal(names)))
}

// constrain sets name constraints.
func (d *draft) constrain(permitted, excluded []asn1.RawValue) {
	type subtree struct{ Base asn1.RawValue }
	list := func(names []asn1.RawValue) (out []subtree) {
		for _, n := range names {
			out = append(out, subtree{n})
		}
		return out
	}
	d.set(extConstraints, true, must(asn1.Marshal(struct {
		Permitted []subtree `asn1:"optional,omitempty,tag:0"`
		Excluded  []subtree `asn1:"optional,omitempty,tag:1"`
	}{list(permitted), list(excluded)})))
}

func (d *draft) mustStaple() { d.set(extFeature, false, []byte{0x30, 3, 2, 1, 5}) }

func (d *draft) fetchIssuer(url string) {
	d.set(extAIA, false, must(asn1.Marshal([]struct {
		Method   asn1.ObjectIdentifier
		Location asn1.RawValue
	}{{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 2}, uri(url)}})))
}

func (d *draft) named(pub crypto.PublicKey) []byte {
	sum := sha1.Sum(must(x509.MarshalPKIXPublicKey(pub)))
	return sum[:]
}

func (d *draft) ski() []byte {
	e := d.find(extSKI)
	if e == nil {
		return nil
	}
	var id []byte
	must(asn1.Unmarshal(e.Value, &id))
	return id
}

// aki names the issuer's key.
func (d *draft) aki(id []byte) {
	d.set(extAKI, false, must(asn1.Marshal(struct {
		ID []byte `asn1:"optional,tag:0"`
	}{id})))
}

func commonName(cn string) []byte {
	return must(asn1.Marshal(pkix.Name{CommonName: cn}.ToRDNSequence()))
}

// text is a Name with a common name and an organization of one string type.
func text(tag int, cn, org string) []byte {
	type attribute struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	of := func(oid asn1.ObjectIdentifier, s string) []attribute {
		return []attribute{{oid, asn1.RawValue{Tag: tag, Bytes: []byte(s)}}}
	}
	type set []attribute
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, rdn := range [][]attribute{of(asn1.ObjectIdentifier{2, 5, 4, 10}, org), of(asn1.ObjectIdentifier{2, 5, 4, 3}, cn)} {
			b.AddBytes(must(asn1.MarshalWithParams(set(rdn), "set")))
		}
	})
	return b.BytesOrPanic()
}

var noName = []byte{0x30, 0}

func newSerialBytes() []byte {
	b := make([]byte, 16)
	rand.Read(b)
	b[0] = b[0]&0x3f | 0x40
	return b
}

// ca drafts a CA below p, or one that signs itself for nil.
func (m *mint) ca(p *party, name string, kind string, change func(*draft)) *party {
	d := &draft{version: 3, serial: newSerialBytes(), subject: commonName(name), from: m.now.AddDate(-1, 0, 0), until: m.now.AddDate(5, 0, 0), key: m.key(kind, name)}
	d.basic(true, -1)
	d.usage(5, 6)
	d.set(extSKI, false, must(asn1.Marshal(d.named(d.key.Public()))))
	return m.sign(p, d, change)
}

// sign ends a draft and has p sign it, or itself for nil.
func (m *mint) sign(p *party, d *draft, change func(*draft)) *party {
	d.issuer = d.subject
	if p != nil {
		d.issuer = p.subject
		if id := p.ski(); id != nil {
			d.aki(id)
		}
	}
	if change != nil {
		was := string(d.subject)
		change(d)
		if p == nil && was == string(d.issuer) {
			d.issuer = d.subject
		}
	}
	by := d.key
	if p != nil {
		by = p.key
	}
	return &party{d, d.signedBy(by)}
}

// trusted is a root that everybody is told to trust.
func (m *mint) trusted(name string, change func(*draft)) *party {
	return m.trustedOf(name, "p256", change)
}

func (m *mint) trustedOf(name, kind string, change func(*draft)) *party {
	p := m.ca(nil, name, kind, change)
	m.roots = append(m.roots, p)
	return p
}

// leaf makes a server's certificate.
func (m *mint) leaf(p *party, host, kind string, change func(*draft)) *party {
	d := &draft{version: 3, serial: newSerialBytes(), subject: noName, from: m.now.AddDate(0, 0, -7), until: m.now.AddDate(0, 0, 60), key: m.key(kind, "leaf"), host: strings.TrimSuffix(host, ".")}
	if len(host) <= 64 { // ub-common-name, RFC 5280 appendix A.1
		d.subject = commonName(host)
	}
	d.basic(false, -1)
	d.usage(0)
	if strings.HasPrefix(kind, "rsa") {
		d.usage(0, 2)
	}
	d.purposes(serverAuth)
	if a := net.ParseIP(host); a != nil {
		d.names(ip(a.To4()...))
	} else {
		d.names(dns(strings.TrimSuffix(host, ".")))
	}
	return m.sign(p, d, change)
}

// shown is what a server shows: the leaf and what is sent behind it.
func shown(leaf *party, above ...*party) *tls.Certificate {
	c := &tls.Certificate{Certificate: [][]byte{leaf.der}, PrivateKey: leaf.key}
	for _, p := range above {
		c.Certificate = append(c.Certificate, p.der)
	}
	return c
}

// staple makes an OCSP response about leaf, signed by its issuer unless change says otherwise.
func (m *mint) staple(leaf, issuer *party, change func(r *ocsp.Response, by *party) *party) []byte {
	r := ocsp.Response{Status: ocsp.Good, SerialNumber: new(big.Int).SetBytes(leaf.serial), ThisUpdate: m.now.Add(-time.Hour), NextUpdate: m.now.AddDate(0, 0, 6)}
	by := issuer
	if change != nil {
		if other := change(&r, issuer); other != nil {
			by = other
		}
	}
	responder := must(x509.ParseCertificate(by.der))
	if by != issuer {
		r.Certificate = responder
	}
	return must(ocsp.CreateResponse(must(x509.ParseCertificate(issuer.der)), responder, r, by.key))
}

// akiBySerial names the issuer's certificate by its own issuer and number.
func (d *draft) akiBySerial(issuer, serial []byte) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.Tag(1).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(must(asn1.Marshal(directory(issuer)))) })
		b.AddASN1(cbasn1.Tag(2).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(serial) })
	})
	d.set(extAKI, false, b.BytesOrPanic())
}

// serve returns a URL at which a certificate is to be had.
func (m *mint) serve(der []byte) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/pkix-cert")
		w.Write(der)
	}))
	m.t.Cleanup(s.Close)
	return s.URL + "/issuer.cer"
}
