package verify_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"explainer/ca/verify"

	"github.com/elazarl/goproxy"
	"golang.org/x/crypto/ocsp"
)

var (
	now   = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	day   = 24 * time.Hour
	rsa2k = must(rsa.GenerateKey(rand.Reader, 2048))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// An entity is a certificate and its key.
type entity struct {
	*x509.Certificate
	key crypto.Signer
}

var serial int64 = 1000

// mint makes a good certificate of the kind with one change, signed by the issuer (nil: itself).
func mint(name string, ca bool, issuer *entity, change func(*x509.Certificate)) *entity {
	return mintKey(name, ca, issuer, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), change)
}

func mintKey(name string, ca bool, issuer *entity, key crypto.Signer, change func(*x509.Certificate)) *entity {
	serial++
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(90 * day),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	if ca {
		c.IsCA, c.KeyUsage, c.MaxPathLen = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign, -1
	} else {
		c.DNSNames, c.ExtKeyUsage = []string{name}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	if change != nil {
		change(c)
	}
	parent := c
	signer := key
	if issuer != nil {
		parent, signer = issuer.Certificate, issuer.key
	}
	der := must(x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer))
	// What the library refuses to read has only its bytes.
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		parsed = &x509.Certificate{Raw: der}
	}
	return &entity{parsed, key}
}

// resign changes what is signed in a certificate and signs it again.
func resign(e *entity, issuer *entity, edit func(tbs []byte) []byte) []byte {
	var c struct {
		TBS asn1.RawValue
		Alg pkix.AlgorithmIdentifier
		Sig asn1.BitString
	}
	if _, err := asn1.Unmarshal(e.Raw, &c); err != nil {
		panic(err)
	}
	tbs := edit(bytes.Clone(c.TBS.FullBytes))
	sum := sha256.Sum256(tbs)
	sig := must(issuer.key.Sign(rand.Reader, sum[:], crypto.SHA256))
	c.TBS = asn1.RawValue{FullBytes: tbs}
	c.Sig = asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}
	return must(asn1.Marshal(c))
}

func withSignature(der, sig []byte) []byte {
	var c struct {
		TBS asn1.RawValue
		Alg pkix.AlgorithmIdentifier
		Sig asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &c); err != nil {
		panic(err)
	}
	c.Sig = asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}
	return must(asn1.Marshal(c))
}

const host = "www.bank.test"

// A fixture is a chain with something wrong, and the reasons that must be given.
type fixture struct {
	id     string
	in     verify.Input
	failed []string // all reasons that fail, in order
	warned []string // some that are warned of
}

// fixtures returns them, and the roots that all have.
func fixtures() (all []fixture, rootDER [][]byte) {
	root := mint("Root", true, nil, nil)
	inter := mint("Intermediate", true, root, func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true })
	rsaRoot := mintKey("RSA Root", true, nil, rsa2k, nil)
	roots := verify.NewRoots("test roots", root.Raw, rsaRoot.Raw)
	in := func(chain ...*entity) verify.Input {
		v := verify.Input{Name: host, Time: now, Roots: roots}
		for _, e := range chain {
			v.Chain = append(v.Chain, e.Raw)
		}
		return v
	}
	leaf := func(change func(*x509.Certificate)) verify.Input { return in(mint(host, false, root, change)) }
	under := func(change func(*x509.Certificate)) verify.Input {
		ca := mint("Changed", true, root, change)
		return in(mint(host, false, ca, nil), ca)
	}
	names := func(s ...string) func(*x509.Certificate) { return func(c *x509.Certificate) { c.DNSNames = s } }
	critical := func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55738, 666, 1}, Critical: true, Value: []byte{5, 0}}}
	}
	good := mint(host, false, inter, nil)
	fake := mint("Root", true, nil, func(c *x509.Certificate) { c.SubjectKeyId = root.SubjectKeyId })
	evil := mint("Evil", true, nil, nil)
	attacker := mint("attacker.test", false, root, nil)
	attacker.IsCA, attacker.KeyUsage = true, x509.KeyUsageCertSign // else CreateCertificate would object
	bare := mint("Bare", true, root, func(c *x509.Certificate) { c.BasicConstraintsValid, c.IsCA, c.KeyUsage = false, false, 0 })
	second := mint("Second", true, inter, nil)
	flipped := bytes.Clone(good.Raw)
	flipped[len(flipped)-1] ^= 1
	san := func(n string) []byte {
		return must(asn1.Marshal([]asn1.RawValue{{Class: 2, Tag: 2, Bytes: []byte(n)}}))
	}
	sanExt := func(n string) pkix.Extension {
		return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: san(n)}
	}
	staple := func(e, issuer *entity, r ocsp.Response) []byte {
		r.SerialNumber = e.SerialNumber
		if r.ThisUpdate.IsZero() {
			r.ThisUpdate, r.NextUpdate = now.Add(-time.Hour), now.Add(day)
		}
		return must(ocsp.CreateResponse(issuer.Certificate, issuer.Certificate, r, issuer.key))
	}
	mustStaple := func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: []byte{0x30, 3, 2, 1, 5}}}
	}
	leafBy := func(issuer *entity, change func(*x509.Certificate), sent ...*entity) verify.Input {
		return in(append([]*entity{mint(host, false, issuer, change)}, sent...)...)
	}
	otherKeyID := func(e *entity) entity {
		c := *e.Certificate
		c.SubjectKeyId = []byte("another")
		return entity{&c, e.key}
	}
	renamed, renamedRoot := otherKeyID(inter), otherKeyID(root)
	strayed := mint("Strayed", true, &renamedRoot, nil)
	old := ocsp.Response{Status: ocsp.Good, ThisUpdate: now.Add(-9 * day), NextUpdate: now.Add(-2 * day)}
	set := func(v verify.Input, f func(*verify.Input)) verify.Input { f(&v); return v }
	constrained := func(c *x509.Certificate) {
		c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"attacker.test"}, true
	}
	nc := mint("Constrained", true, root, constrained)
	demanding := mint(host, false, inter, mustStaple)

	return []fixture{
		{"good", in(good, inter), nil, nil},
		{"good-leaf-alone", leaf(nil), nil, nil},
		{"good-wildcard", leaf(names("*.bank.test")), nil, nil},
		{"good-ip", set(leaf(func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, []net.IP{net.IPv4(127, 0, 0, 1)} }), func(v *verify.Input) { v.Name = "127.0.0.1" }), nil, nil},
		{"reversed-extra-chain", in(good, root, inter, evil), nil, nil},
		{"good-staple", set(in(good, inter), func(v *verify.Input) { v.Staple = staple(good, inter, ocsp.Response{Status: ocsp.Good}) }), nil, nil},

		{"self-signed", in(mint(host, false, nil, nil)), []string{"self-signed"}, nil},
		{"untrusted-root", in(mint(host, false, evil, nil), evil), []string{"untrusted-root"}, nil},
		{"root-same-name-other-key", in(mint(host, false, fake, nil), fake), []string{"root-same-name-other-key"}, nil},
		{"bad-cert-signature", set(in(good, inter), func(v *verify.Input) { v.Chain[0] = flipped }), []string{"bad-cert-signature"}, nil},
		{"issuer-unknown", in(good), []string{"issuer-unknown"}, nil},
		{"issuer-unknown-above", in(mint(host, false, second, nil), second), []string{"issuer-unknown"}, nil},
		{"incomplete-chain", leafBy(inter, func(c *x509.Certificate) { c.IssuingCertificateURL = []string{"http://ca.test/i.crt"} }), []string{"incomplete-chain"}, nil},
		{"aki-mismatch", leafBy(&renamed, nil, inter), nil, []string{"aki-mismatch"}},
		{"aki-other-serial", leafBy(inter, func(c *x509.Certificate) {
			// keyIdentifier, and a serial number that is not the issuer's (RFC 5280 4.2.1.1).
			id := must(asn1.Marshal(struct {
				Key    []byte `asn1:"tag:0"`
				Serial int    `asn1:"tag:2"`
			}{inter.SubjectKeyId, 7}))
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 35}, Value: id}}
		}, inter), nil, []string{"aki-mismatch"}},
		{"issuer-aki-mismatch", leafBy(strayed, nil, strayed), nil, []string{"issuer-aki-mismatch"}},
		{"leaf-as-ca", in(mint(host, false, attacker, nil), attacker), []string{"issuer-no-certsign", "leaf-as-ca"}, nil},
		{"issuer-no-basic-constraints", in(mint(host, false, bare, nil), bare), []string{"issuer-no-basic-constraints"}, nil},
		{"issuer-no-certsign", under(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), []string{"issuer-no-certsign"}, nil},
		{"pathlen-exceeded", in(mint(host, false, second, nil), second, inter), []string{"pathlen-exceeded"}, nil},
		{"issuer-expired", under(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(-90*day), now.Add(-30*day) }), []string{"issuer-expired"}, nil},
		{"issuer-unknown-critical-ext", under(critical), []string{"issuer-unknown-critical-ext"}, nil},
		{"issuer-wrong-eku", under(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} }), []string{"issuer-wrong-eku"}, nil},
		{"name-constraint-violated", in(mint(host, false, nc, nil), nc), []string{"name-constraint-violated"}, nil},
		{"name-constraint-cn-bypass", in(mint(host, false, nc, names()), nc), []string{"no-san-cn-only", "name-constraint-cn-bypass"}, nil},
		{"psychic-cert", set(in(good, inter), func(v *verify.Input) {
			v.Chain[0] = withSignature(good.Raw, []byte{0x30, 6, 2, 1, 0, 2, 1, 0})
		}), []string{"psychic-cert"}, nil},
		{"issuer-x509v1", func() verify.Input {
			// Without version and extensions.
			v1 := resign(inter, root, func(tbs []byte) []byte {
				var s asn1.RawValue
				must(asn1.Unmarshal(tbs, &s))
				var parts [][]byte
				for rest := s.Bytes; len(rest) > 0; {
					var e asn1.RawValue
					rest = must(asn1.Unmarshal(rest, &e))
					if e.Class != 2 {
						parts = append(parts, e.FullBytes)
					}
				}
				return must(asn1.Marshal(asn1.RawValue{Tag: 16, IsCompound: true, Bytes: bytes.Join(parts, nil)}))
			})
			return set(in(good), func(v *verify.Input) { v.Chain = append(v.Chain, v1) })
		}(), []string{"issuer-x509v1"}, nil},

		{"wrong-host", leaf(func(c *x509.Certificate) {
			c.DNSNames, c.Subject.CommonName = []string{"www.attacker.test"}, "www.attacker.test"
		}), []string{"wrong-host"}, nil},
		{"cn-match-san-mismatch", leaf(names("attacker.test")), []string{"cn-match-san-mismatch"}, nil},
		{"no-san-cn-only", leaf(names()), []string{"no-san-cn-only"}, nil},
		{"nul-in-san", leaf(func(c *x509.Certificate) {
			c.DNSNames, c.ExtraExtensions = nil, []pkix.Extension{sanExt(host + "\x00.attacker.test")}
		}), []string{"nul-in-san"}, nil},
		{"wildcard-two-labels", leaf(func(c *x509.Certificate) { c.DNSNames, c.Subject.CommonName = []string{"*.test"}, "x" }), []string{"wildcard-two-labels"}, nil},
		{"wildcard-bare", leaf(func(c *x509.Certificate) { c.DNSNames, c.Subject.CommonName = []string{"*"}, "x" }), []string{"wildcard-bare"}, nil},
		{"wildcard-not-leftmost", leaf(func(c *x509.Certificate) { c.DNSNames, c.Subject.CommonName = []string{"www.*.test"}, "x" }), []string{"wildcard-not-leftmost"}, nil},
		{"wildcard-partial", leaf(func(c *x509.Certificate) { c.DNSNames, c.Subject.CommonName = []string{"w*.bank.test"}, "x" }), []string{"wildcard-partial"}, nil},
		{"ip-in-dns-san", set(leaf(names("127.0.0.1")), func(v *verify.Input) { v.Name = "127.0.0.1" }), []string{"ip-in-dns-san"}, nil},
		{"duplicate-san", leaf(func(c *x509.Certificate) {
			c.DNSNames, c.ExtraExtensions = nil, []pkix.Extension{sanExt("attacker.test"), sanExt(host)}
		}), []string{"cn-match-san-mismatch", "duplicate-san"}, nil},

		{"expired", leaf(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(-120*day), now.Add(-30*day) }), []string{"expired"}, nil},
		{"not-yet-valid", leaf(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(30*day), now.Add(120*day) }), []string{"not-yet-valid"}, nil},
		{"wrong-eku", leaf(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} }), []string{"wrong-eku"}, nil},
		{"wrong-ku", leaf(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDataEncipherment | x509.KeyUsageKeyAgreement }), []string{"wrong-ku"}, nil},
		{"wrong-ku-signed", set(in(mintKey(host, false, root, rsa2k, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })), func(v *verify.Input) { v.Use = verify.Signed }), []string{"wrong-ku"}, nil},
		{"right-ku-decrypted", set(in(mintKey(host, false, root, rsa2k, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })), func(v *verify.Input) { v.Use = verify.Decrypted }), nil, nil},
		{"wrong-ku-decrypted", set(in(mintKey(host, false, root, rsa2k, nil)), func(v *verify.Input) { v.Use = verify.Decrypted }), []string{"wrong-ku"}, nil},
		{"any-eku", leaf(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }), nil, []string{"any-eku"}},
		{"any-eku-and-server", leaf(func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny, x509.ExtKeyUsageServerAuth}
		}), nil, nil},
		{"issuer-any-eku", under(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }), nil, []string{"issuer-any-eku"}},
		{"issuer-must-staple", under(mustStaple), nil, []string{"issuer-must-staple"}},
		{"ip-mapped", set(leaf(func(c *x509.Certificate) {
			c.DNSNames, c.ExtraExtensions = nil, []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: must(asn1.Marshal([]asn1.RawValue{{Class: 2, Tag: 7, Bytes: net.IPv4(127, 0, 0, 1).To16()}}))}}
		}), func(v *verify.Input) { v.Name = "127.0.0.1" }), []string{"wrong-host"}, nil},
		{"ocsp-signing-eku", leaf(func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageOCSPSigning}
		}), nil, []string{"ocsp-signing-eku"}},
		{"unknown-critical-ext", leaf(critical), []string{"unknown-critical-ext"}, nil},
		{"no-eku", leaf(func(c *x509.Certificate) { c.ExtKeyUsage = nil }), nil, []string{"no-eku"}},
		{"ca-as-leaf", leaf(func(c *x509.Certificate) { c.IsCA = true }), nil, []string{"ca-as-leaf"}},
		{"long-validity", leaf(func(c *x509.Certificate) { c.NotAfter = now.Add(3650 * day) }), nil, []string{"long-validity"}},
		{"sha1-signature", in(mint(host, false, rsaRoot, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA })), []string{"sha1-signature"}, nil},
		{"rsa-1024", in(mintKey(host, false, root, must(rsa.GenerateKey(rand.Reader, 1024)), nil)), nil, []string{"rsa-short"}},

		{"staple-revoked", set(in(good, inter), func(v *verify.Input) {
			v.Staple = staple(good, inter, ocsp.Response{Status: ocsp.Revoked, RevokedAt: now.Add(-day), RevocationReason: ocsp.KeyCompromise})
		}), []string{"staple-revoked"}, nil},
		{"staple-by-another", set(in(good, inter), func(v *verify.Input) { v.Staple = staple(good, evil, ocsp.Response{Status: ocsp.Good}) }), []string{"staple-bad-signature"}, nil},
		{"staple-of-another", set(in(good, inter), func(v *verify.Input) { v.Staple = staple(second, inter, ocsp.Response{Status: ocsp.Good}) }), []string{"staple-other-certificate"}, nil},
		{"staple-old", set(in(good, inter), func(v *verify.Input) {
			v.Staple = staple(good, inter, ocsp.Response{Status: ocsp.Good, ThisUpdate: now.Add(-9 * day), NextUpdate: now.Add(-2 * day)})
		}), nil, []string{"staple-old"}},
		{"staple-revoked-and-old", set(in(good, inter), func(v *verify.Input) {
			r := old
			r.Status, r.RevokedAt = ocsp.Revoked, now.Add(-10*day)
			v.Staple = staple(good, inter, r)
		}), []string{"staple-revoked"}, []string{"staple-old"}},
		{"must-staple-old", set(in(demanding, inter), func(v *verify.Input) { v.Staple = staple(demanding, inter, old) }), []string{"must-staple-unmet"}, []string{"staple-old"}},
		{"must-staple-later", set(in(demanding, inter), func(v *verify.Input) {
			v.Staple = staple(demanding, inter, ocsp.Response{Status: ocsp.Good, ThisUpdate: now.Add(day), NextUpdate: now.Add(2 * day)})
		}), []string{"must-staple-unmet"}, []string{"staple-not-yet"}},
		{"must-staple-try-later", set(in(demanding, inter), func(v *verify.Input) { v.Staple = []byte{0x30, 3, 0x0a, 1, 3} }), []string{"must-staple-unmet"}, []string{"staple-refused"}},
		{"must-staple-of-another", set(in(demanding, inter), func(v *verify.Input) { v.Staple = staple(second, inter, ocsp.Response{Status: ocsp.Good}) }), []string{"staple-other-certificate", "must-staple-unmet"}, nil},
		{"must-staple-by-another", set(in(demanding, inter), func(v *verify.Input) { v.Staple = staple(demanding, evil, ocsp.Response{Status: ocsp.Good}) }), []string{"staple-bad-signature", "must-staple-unmet"}, nil},
		{"must-staple-by-a-stranger", set(in(demanding, inter), func(v *verify.Input) {
			v.Staple = must(ocsp.CreateResponse(inter.Certificate, evil.Certificate, ocsp.Response{Status: ocsp.Good, SerialNumber: demanding.SerialNumber, Certificate: evil.Certificate}, evil.key))
		}), []string{"staple-signer", "must-staple-unmet"}, nil},
		{"must-staple-met", set(in(demanding, inter), func(v *verify.Input) { v.Staple = staple(demanding, inter, ocsp.Response{Status: ocsp.Good}) }), nil, nil},
		{"staple-garbage", set(in(good, inter), func(v *verify.Input) { v.Staple = []byte("not DER") }), []string{"staple-unreadable"}, nil},
		{"must-staple-missing", set(leaf(mustStaple), func(v *verify.Input) { v.Stapling = verify.StapleAsked }), []string{"must-staple-missing"}, nil},

		{"leaked", set(in(good, inter), func(v *verify.Input) { v.Chain = append(v.Chain, goproxy.GoproxyCa.Certificate[0]) }), []string{"leaked-key"}, nil},
		{"own-ca", set(in(good, inter), func(v *verify.Input) {
			k, _ := verify.Key(root.Raw)
			v.Denied = map[[32]byte]string{k: "this proxy's CA"}
		}), []string{"denied-key"}, nil},
		{"garbage", set(in(good, inter), func(v *verify.Input) { v.Chain[0] = []byte("not a certificate") }), []string{"malformed"}, nil},

		// It goes on after the first failure.
		{"expired-and-wrong-host", leaf(func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter, c.DNSNames, c.Subject.CommonName = now.Add(-120*day), now.Add(-30*day), []string{"attacker.test"}, "attacker.test"
		}), []string{"expired", "wrong-host"}, nil},
		{"expired-and-self-signed", in(mint(host, false, nil, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(-120*day), now.Add(-30*day) })), []string{"self-signed", "expired"}, nil},
	}, [][]byte{root.Raw, rsaRoot.Raw}
}

// beyond are reasons in what crypto/x509 is not given: staples and keys to refuse.
var beyond = map[string]bool{"staple-revoked": true, "staple-bad-signature": true, "staple-signer": true, "staple-other-certificate": true, "staple-unreadable": true,
	"must-staple-missing": true, "must-staple-unmet": true, "leaked-key": true, "denied-key": true}

func TestReasons(t *testing.T) {
	all, roots := fixtures()
	for _, f := range all {
		r := verify.Chain(f.in)
		listedReasons(t, r)
		var got []string
		for _, c := range r.Failures() {
			got = append(got, c.Reason)
		}
		if !slices.Equal(got, f.failed) {
			t.Errorf("%s: failed %v, want %v", f.id, got, f.failed)
		}
		for _, w := range f.warned {
			if !r.Has(w) {
				t.Errorf("%s: %s is not told", f.id, w)
			}
		}
		if (r.Verdict == verify.Invalid) != (len(f.failed) > 0) {
			t.Errorf("%s: verdict %s", f.id, r.Verdict)
		}
		// crypto/x509 is given no staple and no keys to refuse.
		if err := x509Says(f.in, roots); err == nil && len(f.failed) > 0 && pedantic[f.failed[0]] == "" && !beyond[f.failed[0]] && f.id != "ip-mapped" {
			t.Errorf("%s: crypto/x509 accepts it", f.id)
		} else if err != nil && len(f.failed) == 0 {
			t.Errorf("%s: crypto/x509 says %v", f.id, err)
		}
	}
}

// TestBounds holds that a result is the same at every time within its bounds, and that each bound matters.
func TestBounds(t *testing.T) {
	text := func(in verify.Input, at time.Time) string {
		in.Time = at
		r := verify.Chain(in)
		s := ""
		for _, c := range r.Checks {
			s += c.ID + string(c.Outcome) + c.Reason + "\n"
		}
		return s
	}
	all, _ := fixtures()
	for _, f := range all {
		r := verify.Chain(f.in)
		if !r.From.IsZero() && r.From.After(now) || !r.Until.IsZero() && !r.Until.After(now) {
			t.Errorf("%s: the time itself is not within %v and %v", f.id, r.From, r.Until)
		}
		want := text(f.in, now)
		for _, at := range []time.Time{r.From, r.Until.Add(-1)} {
			if !at.IsZero() && at.After(time.Unix(0, 0)) && text(f.in, at) != want {
				t.Errorf("%s: something else at %v", f.id, at)
			}
		}
	}
}

// TestRoots holds that roots that can only be asked give what listed ones do.
func TestRoots(t *testing.T) {
	root := mint("Root", true, nil, nil)
	old := mint("Old", true, nil, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(-200*day), now.Add(-30*day) })
	pool := x509.NewCertPool()
	pool.AddCert(root.Certificate)
	pool.AddCert(old.Certificate)
	inter := mint("Intermediate", true, root, nil)
	for name, chain := range map[string][]*entity{
		"good": {mint(host, false, inter, nil), inter}, "root sent": {mint(host, false, inter, nil), inter, root}, "unknown": {mint(host, false, mint("Evil", true, nil, nil), nil)},
		"old": {mint(host, false, old, func(c *x509.Certificate) { c.NotBefore = now.Add(-60 * day) })},
	} {
		in := verify.Input{Name: host, Time: now, Roots: verify.NewRoots("r", root.Raw, old.Raw)}
		for _, e := range chain {
			in.Chain = append(in.Chain, e.Raw)
		}
		listed := verify.Chain(in)
		in.Roots = verify.PoolRoots("r", pool)
		asked := verify.Chain(in)
		if reasons(listed) != reasons(asked) || listed.Verdict != asked.Verdict || len(listed.Path) != len(asked.Path) {
			t.Errorf("%s: %s %q, asked %s %q", name, listed.Verdict, reasons(listed), asked.Verdict, reasons(asked))
		}
	}
}

// TestLeaked holds the hash of a key that is at hand.
func TestLeaked(t *testing.T) {
	r := verify.Chain(verify.Input{Chain: goproxy.GoproxyCa.Certificate[:1], Time: now})
	if !r.Has("leaked-key") {
		t.Error("goproxy's built-in CA is not known")
	}
}

// FuzzChain mutates certificates: nothing may panic, and what crypto/x509
// accepts fails only for a listed reason.
func FuzzChain(f *testing.F) {
	root := mint("Root", true, nil, nil)
	all, _ := fixtures()
	for _, x := range all {
		if len(x.in.Chain) > 1 {
			f.Add(x.in.Chain[0], x.in.Chain[1], x.in.Staple, int64(0))
		} else {
			f.Add(x.in.Chain[0], []byte{}, x.in.Staple, int64(86400))
		}
	}
	f.Fuzz(func(t *testing.T, leaf, issuer, staple []byte, at int64) {
		in := verify.Input{Chain: [][]byte{leaf, issuer}, Name: host, Time: now.Add(time.Duration(at) * time.Second), Roots: verify.NewRoots("r", root.Raw, issuer), Staple: staple, SCTs: [][]byte{staple}}
		r := verify.Chain(in)
		err := x509Says(in, [][]byte{root.Raw, issuer})
		var invalid x509.CertificateInvalidError
		switch {
		case r.Verdict != verify.Valid || err == nil:
		case errors.As(err, new(x509.UnhandledCriticalExtension)):
		case errors.As(err, &invalid) && (invalid.Reason == x509.TooManyIntermediates || invalid.Reason == x509.CANotAuthorizedForThisName):
			// What is listed as lenient in the test over limbo.
		default:
			t.Errorf("crypto/x509 refuses what is valid here: %v", err)
		}
		listedReasons(t, r)
		in.Roots, in.Name, in.Purpose = nil, "", verify.Client
		listedReasons(t, verify.Chain(in))
	})
}

// TestDocumented holds that the page about the checks names them all.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/checks.md")
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Clone(verify.IDs)
	for _, reason := range verify.Reasons {
		names = append(names, reason.ID)
	}
	for _, name := range names {
		if !bytes.Contains(page, []byte("| `"+name+"` |")) {
			t.Errorf("docs/checks.md does not name %s", name)
		}
	}
}
