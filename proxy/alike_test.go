package proxy

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"explainer/ca/verify"
	"explainer/capture"

	"golang.org/x/crypto/ocsp"
)

// A pki is a root that the proxy trusts for its origins, and a CA below it, made for origins that [ca.Authority] does not make.
type pki struct {
	t           *testing.T
	root, inter *x509.Certificate
	rootKey     crypto.Signer
	interKey    crypto.Signer
}

var lastSerial atomic.Int64

func newPKI(t *testing.T, interKey crypto.Signer) *pki {
	p := &pki{t: t, rootKey: newKey(t, "P-256"), interKey: interKey}
	template := func(name string) *x509.Certificate {
		return &x509.Certificate{
			Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
			KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, IsCA: true,
		}
	}
	p.root = p.sign(template("test root"), nil, p.rootKey, p.rootKey)
	p.inter = p.sign(template("test intermediate"), p.root, interKey, p.rootKey)
	return p
}

func (p *pki) sign(template, parent *x509.Certificate, key, signer crypto.Signer) *x509.Certificate {
	p.t.Helper()
	template.SerialNumber = big.NewInt(1000 + lastSerial.Add(1))
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		p.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func newKey(t *testing.T, kind string) (key crypto.Signer) {
	t.Helper()
	var err error
	switch kind {
	case "P-384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "P-521":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "Ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "RSA-1024", "RSA-1536", "RSA-2048":
		bits := map[string]int{"RSA-1024": 1024, "RSA-1536": 1536, "RSA-2048": 2048}[kind]
		key, err = rsa.GenerateKey(rand.Reader, bits)
	default:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// An oddOrigin is one that some client refuses, or none, for something that no case of [ca.Faults] is.
type oddOrigin struct {
	id      string
	key     string
	inter   string // the kind of its issuer's key
	leaf    func(*x509.Certificate)
	aki     string
	staple  *ocsp.Response
	raw     []byte              // staple
	bend    func([]byte) []byte // changes the staple
	other   bool                // the staple is about another certificate
	tls     func(*tls.Config)
	found   []string // what is mirrored; nil of a good one
	blocked bool
}

func mustStaple(c *x509.Certificate) {
	c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: []byte{0x30, 3, 2, 1, 5}})
}

func oddOrigins() []oddOrigin {
	now := time.Now()
	fresh := ocsp.Response{Status: ocsp.Good, ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(24 * time.Hour)}
	with := func(change func(*ocsp.Response)) *ocsp.Response { r := fresh; change(&r); return &r }
	old := with(func(r *ocsp.Response) {
		r.ThisUpdate, r.NextUpdate = now.Add(-30*24*time.Hour), now.Add(-23*24*time.Hour)
	})
	usage := func(u x509.KeyUsage) func(*x509.Certificate) { return func(c *x509.Certificate) { c.KeyUsage = u } }
	purposes := func(p ...x509.ExtKeyUsage) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.ExtKeyUsage = p }
	}
	only12 := func(suites ...uint16) func(*tls.Config) {
		return func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites, c.NextProtos = tls.VersionTLS12, suites, []string{"http/1.1"}
		}
	}
	return []oddOrigin{
		{id: "good"},
		{id: "good-p384", key: "P-384"},
		{id: "good-p521", key: "P-521"},
		{id: "good-ed25519", key: "Ed25519"},
		{id: "good-rsa", key: "RSA-2048"},
		{id: "good-no-eku", leaf: purposes()},
		{id: "good-no-ku", leaf: usage(0)},
		{id: "good-two-purposes", leaf: purposes(x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)},
		{id: "good-long", leaf: func(c *x509.Certificate) { c.NotAfter = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }},
		{id: "good-staple", staple: &fresh},
		{id: "good-must-staple", leaf: mustStaple, staple: &fresh},
		{id: "good-names", leaf: func(c *x509.Certificate) {
			c.EmailAddresses = []string{"admin@shop.test"}
			for i := range 150 {
				c.DNSNames = append(c.DNSNames, "n"+big.NewInt(int64(i)).String()+".test")
			}
		}},
		{id: "good-cbc", tls: only12(tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA)},
		{id: "good-12", tls: only12(tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384)},

		{id: "rsa1024", key: "RSA-1024", found: []string{"rsa-short"}},
		{id: "rsa1536", key: "RSA-1536", found: []string{"rsa-short"}},
		{id: "rsa1024-expired", key: "RSA-1024", leaf: func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Hour) }, found: []string{"expired", "rsa-short"}},
		{id: "inter-rsa1024", inter: "RSA-1024", blocked: true},
		{id: "anyeku", leaf: purposes(x509.ExtKeyUsageAny), found: []string{"any-eku"}},
		{id: "ocspeku", leaf: purposes(x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageOCSPSigning), found: []string{"ocsp-signing-eku"}},
		{id: "badaki", aki: "another", found: []string{"aki-mismatch"}},
		{id: "caleaf", leaf: func(c *x509.Certificate) { c.IsCA = true }, found: []string{"ca-as-leaf"}},
		{id: "rsakeyenconly", key: "RSA-2048", leaf: usage(x509.KeyUsageKeyEncipherment), found: []string{"wrong-ku"}},
		{id: "critical", leaf: func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55738, 667, 9}, Critical: true, Value: []byte{5, 0}}}
		}, found: []string{"unknown-critical-ext"}},
		{id: "stapleold", staple: old, found: []string{"staple-old"}},
		{id: "staplefuture", staple: with(func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = now.Add(48*time.Hour), now.Add(72*time.Hour) }), found: []string{"staple-not-yet"}},
		{id: "stapleunknown", staple: with(func(r *ocsp.Response) { r.Status = ocsp.Unknown }), found: []string{"staple-unknown"}},
		{id: "staplelater", raw: []byte{0x30, 3, 0x0a, 1, 3}, found: []string{"staple-refused"}},
		{id: "staplejunk", raw: []byte("this is no OCSP response"), found: []string{"staple-unreadable"}},
		{id: "stapleother", staple: &fresh, other: true, found: []string{"staple-other-certificate"}},
		{id: "staplebadsig", staple: &fresh, bend: func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, found: []string{"staple-bad-signature"}},
		{id: "staplerev", staple: with(func(r *ocsp.Response) { r.Status, r.RevokedAt = ocsp.Revoked, now.Add(-72*time.Hour) }), found: []string{"staple-revoked"}},
		{id: "staplerevwhy", staple: with(func(r *ocsp.Response) {
			r.Status, r.RevokedAt, r.RevocationReason = ocsp.Revoked, now.Add(-72*time.Hour), ocsp.Superseded
		}), found: []string{"staple-revoked"}},
		{id: "staplerevold", staple: with(func(r *ocsp.Response) { *r = *old; r.Status, r.RevokedAt = ocsp.Revoked, now.Add(-40*24*time.Hour) }), found: []string{"staple-old", "staple-revoked"}},
		{id: "mustold", leaf: mustStaple, staple: old, found: []string{"must-staple-unmet", "staple-old"}},
		{id: "mustjunk", leaf: mustStaple, raw: []byte{1, 2, 3}, found: []string{"must-staple-unmet", "staple-unreadable"}},
		{id: "mustnone", leaf: mustStaple, found: []string{"must-staple-missing"}},
	}
}

// serve starts the origin and returns its certificate and staple.
func (o *oddOrigin) serve(t *testing.T, r *rig, host string) (*pki, *x509.Certificate, []byte) {
	t.Helper()
	p := newPKI(t, newKey(t, o.inter))
	key := newKey(t, o.key)
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: host, Organization: []string{"Shop"}}, DNSNames: []string{host}, NotBefore: time.Now().Add(-36 * time.Hour), NotAfter: time.Now().AddDate(0, 2, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
		IssuingCertificateURL: []string{"http://ca.test/i.crt"}, OCSPServer: []string{"http://ca.test/"},
	}
	if o.leaf != nil {
		o.leaf(template)
	}
	parent := *p.inter
	if o.aki != "" {
		parent.SubjectKeyId = []byte(o.aki)
	}
	leaf := p.sign(template, &parent, key, p.interKey)
	staple := o.raw
	if o.staple != nil {
		about := *o.staple
		about.SerialNumber = leaf.SerialNumber
		if o.other {
			about.SerialNumber = big.NewInt(1)
		}
		var err error
		if staple, err = ocsp.CreateResponse(p.inter, p.inter, about, p.interKey); err != nil {
			t.Fatal(err)
		}
		if o.bend != nil {
			staple = o.bend(staple)
		}
	}
	r.setup.Do(r.init)
	r.Proxy.roots.AddCert(p.root)
	r.trusted.Add(p.root.Raw)
	r.origin(host, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello from the origin") }), func(c *tls.Config) {
		c.Certificates = []tls.Certificate{{Certificate: [][]byte{leaf.Raw, p.inter.Raw}, PrivateKey: key, OCSPStaple: staple}}
		if o.tls != nil {
			o.tls(c)
		}
	})
	return p, leaf, staple
}

// wrongs are what fails of a chain, and what is warned of and mirrored.
func wrongs(in verify.Input) []string {
	var out []string
	for _, c := range verify.Chain(in).Checks {
		if c.Counts() {
			out = append(out, c.Reason)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestAlike: the client is shown a certificate like the origin's in all that a client
// looks at, be it good or bad, and what is wrong with it is never better than there.
func TestAlike(t *testing.T) {
	for _, o := range oddOrigins() {
		t.Run(o.id, func(t *testing.T) {
			t.Parallel()
			const host = "www.shop.test"
			r := newRig(t, nil)
			_, origin, staple := o.serve(t, r, host)
			var shown tls.ConnectionState
			careless := r.client(true)
			careless.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
				shown = s
				return nil
			}}
			resp, err := careless.Get("https://" + host + "/")
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if o.blocked {
				if resp.StatusCode != http.StatusBadGateway {
					t.Errorf("%s: %s", resp.Status, body)
				}
				return
			}
			if string(body) != "hello from the origin" {
				t.Fatalf("%s: %s", resp.Status, body)
			}
			leaf := shown.PeerCertificates[0]
			if verify.KeyWords(leaf.PublicKey) != verify.KeyWords(origin.PublicKey) {
				t.Errorf("its key: %s", verify.KeyWords(leaf.PublicKey))
			}
			if !leaf.NotBefore.Equal(origin.NotBefore) || !leaf.NotAfter.Equal(origin.NotAfter) || !bytes.Equal(leaf.RawSubject, origin.RawSubject) {
				t.Errorf("%s, from %v to %v", leaf.Subject, leaf.NotBefore, leaf.NotAfter)
			}
			own := []string{"2.5.29.35", "2.5.29.14", "1.3.6.1.5.5.7.1.1"} // what an authority says of itself
			extensions := func(c *x509.Certificate) (out []string) {
				for _, e := range c.Extensions {
					if !slices.Contains(own, e.Id.String()) {
						out = append(out, e.Id.String()+" "+string(e.Value))
					}
				}
				return out
			}
			if got, want := extensions(leaf), extensions(origin); !slices.Equal(got, want) {
				t.Errorf("extensions\n%q, want\n%q", got, want)
			}
			if (len(leaf.AuthorityKeyId) > 0) != (len(origin.AuthorityKeyId) > 0) {
				t.Errorf("authority key identifier %x, the origin's %x", leaf.AuthorityKeyId, origin.AuthorityKeyId)
			}
			if len(shown.OCSPResponse) > 0 != (len(staple) > 0) {
				t.Fatalf("stapled: %x, the origin's %x", shown.OCSPResponse, staple)
			}
			if o.staple != nil {
				want, _ := ocsp.ParseResponse(staple, nil)
				got, err := ocsp.ParseResponse(shown.OCSPResponse, nil)
				if err != nil {
					t.Fatal(err)
				}
				if got.Status != want.Status || !got.ProducedAt.Equal(want.ProducedAt) || !got.ThisUpdate.Equal(want.ThisUpdate) || !got.NextUpdate.Equal(want.NextUpdate) ||
					!got.RevokedAt.Equal(want.RevokedAt) || got.RevocationReason != want.RevocationReason {
					t.Errorf("stapled: %+v, the origin's %+v", got, want)
				}
			}
			in := verify.Input{Name: host, Time: time.Now(), Roots: verify.NewRoots("", r.Authority.Certificate().Raw), Staple: shown.OCSPResponse, Stapling: verify.StapleAsked, Use: keyUse(&shown)}
			for _, c := range shown.PeerCertificates {
				in.Chain = append(in.Chain, c.Raw)
			}
			if got := wrongs(in); !slices.Equal(got, o.found) {
				t.Errorf("the client finds %v, want %v", got, o.found)
			}
			f := fact(t, r.items(), capture.FactOriginVerified)
			found := slices.Clone(f.Found)
			slices.Sort(found)
			if !slices.Equal(found, o.found) || (f.Done == "mirrored") != (o.found != nil) {
				t.Errorf("%+v", f)
			}
		})
	}
}

// TestAlikeBlocked: with --on-bad-origin block, what some client refuses is a page.
func TestAlikeBlocked(t *testing.T) {
	for _, o := range oddOrigins() {
		t.Run(o.id, func(t *testing.T) {
			t.Parallel()
			const host = "www.shop.test"
			r := newRig(t, func(p *Proxy) { p.BlockBadOrigins = true })
			o.serve(t, r, host)
			resp, err := r.client(true).Get("https://" + host + "/")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if bad := o.blocked || o.found != nil; bad != (resp.StatusCode == http.StatusBadGateway) {
				t.Error(resp.Status)
			}
		})
	}
}

// TestAlikeToCurl: curl ends as it ends without the proxy, also when it asks for the OCSP response.
func TestAlikeToCurl(t *testing.T) {
	for _, o := range oddOrigins() {
		if o.blocked {
			continue
		}
		t.Run(o.id, func(t *testing.T) {
			t.Parallel()
			const host = "www.shop.test"
			r := newRig(t, nil)
			p, _, _ := o.serve(t, r, host)
			root := filepath.Join(t.TempDir(), "root.pem")
			if err := os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.root.Raw}), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, how := range [][]string{nil, {"--cert-status"}} {
				curl := func(args ...string) string {
					_, errs, err := run(t, nil, "curl", append(append([]string{"-sS", "https://" + host + "/"}, how...), args...)...)
					if err == nil {
						return "200"
					}
					return err.Error() + ": " + strings.Split(errs, "\n")[0]
				}
				direct, through := curl("--cacert", root, "--connect-to", host+":443:"+r.Map[host]), curl("--cacert", r.caFile(), "-x", "http://"+r.addr)
				if direct != through {
					t.Errorf("%v: %q, through the proxy %q", how, direct, through)
				}
			}
		})
	}
}

// TestCeiling: the client's leg is in no way better than the origin's, and not narrower than it must be.
func TestCeiling(t *testing.T) {
	for _, test := range []struct {
		version, suite uint16
		curve          tls.CurveID
		protocol       string
		yes, no        []uint16
		hybrid         bool
	}{
		{tls.VersionTLS13, tls.TLS_AES_128_GCM_SHA256, tls.X25519MLKEM768, "h2", []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}, true},
		{tls.VersionTLS13, tls.TLS_AES_128_GCM_SHA256, tls.X25519, "", []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_128_CBC_SHA}, []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}, false},
		{tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.X25519, "", []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA},
			[]uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256}, false},
		{tls.VersionTLS12, tls.TLS_RSA_WITH_AES_256_GCM_SHA384, 0, "", []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_128_CBC_SHA},
			[]uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}, false},
		{tls.VersionTLS12, tls.TLS_RSA_WITH_AES_128_CBC_SHA, 0, "", []uint16{tls.TLS_RSA_WITH_AES_256_CBC_SHA}, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_RC4_128_SHA}, false},
		{tls.VersionTLS12, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, 0, "", []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}, []uint16{tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA}, false},
	} {
		s := &terminated{up: &upstream{state: tls.ConnectionState{Version: test.version, CipherSuite: test.suite, CurveID: test.curve, NegotiatedProtocol: test.protocol}}}
		var config tls.Config
		s.ceiling(&config)
		name := tls.CipherSuiteName(test.suite)
		if config.MaxVersion != test.version || (config.CurvePreferences == nil) != test.hybrid {
			t.Errorf("%s: up to %x, groups %v", name, config.MaxVersion, config.CurvePreferences)
		}
		for _, suite := range test.yes {
			if !slices.Contains(config.CipherSuites, suite) {
				t.Errorf("%s: no %s", name, tls.CipherSuiteName(suite))
			}
		}
		for _, suite := range test.no {
			if slices.Contains(config.CipherSuites, suite) {
				t.Errorf("%s: %s", name, tls.CipherSuiteName(suite))
			}
		}
	}
}

// TestOtherKey: a client that cannot take a key like the origin's gets another, which is not stronger, and that is told.
func TestOtherKey(t *testing.T) {
	const host = "www.shop.test"
	for name, test := range map[string]struct{ origin, curves, algorithms, want string }{
		"Ed25519":  {"Ed25519", "", "ECDSA+SHA256:RSA-PSS+SHA256", "P-256 ECDSA"},
		"P-521":    {"P-521", "P-256", "ECDSA+SHA256", "P-256 ECDSA"},
		"RSA":      {"RSA-2048", "", "ECDSA+SHA256", "P-256 ECDSA"},
		"P-256":    {"P-256", "", "RSA-PSS+SHA256", "2048-bit RSA"},
		"RSA-1024": {"RSA-1024", "", "ECDSA+SHA256", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			o := oddOrigin{key: test.origin}
			o.serve(t, r, host)
			args := []string{"s_client", "-proxy", r.addr, "-connect", host + ":443", "-servername", host, "-sigalgs", test.algorithms}
			if test.curves != "" {
				args = append(args, "-curves", test.curves)
			}
			out, _, _ := run(t, strings.NewReader("Q\n"), "openssl", args...)
			_, text, _ := strings.Cut(out, "-----BEGIN CERTIFICATE-----")
			text, _, found := strings.Cut(text, "-----END CERTIFICATE-----")
			if !found {
				if test.want != "" {
					t.Fatalf("no certificate: %s", out)
				}
				return
			}
			block, _ := pem.Decode([]byte("-----BEGIN CERTIFICATE-----" + text + "-----END CERTIFICATE-----\n"))
			leaf, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			if got := verify.KeyWords(leaf.PublicKey); got != test.want {
				t.Errorf("a key of %s", got)
			}
			if f := fact(t, r.items(), capture.FactLeaf); f.Addr != "client" {
				t.Errorf("%+v", f)
			}
		})
	}
}

// TestNotAsked: a client that asks for no OCSP response sees nothing of a bad one, as without the proxy, and the story has it.
func TestNotAsked(t *testing.T) {
	const host = "www.shop.test"
	for _, o := range oddOrigins() {
		if o.id != "staplerev" && o.id != "mustold" {
			continue
		}
		t.Run(o.id, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			o.serve(t, r, host)
			if out, errs, err := run(t, nil, "curl", "-sS", "--cacert", r.caFile(), "-x", "http://"+r.addr, "https://"+host+"/"); err != nil || out != "hello from the origin" {
				t.Errorf("%q, %v: %s", out, err, errs)
			}
			items := r.items()
			if f := fact(t, items, capture.FactOriginVerified); f.Outcome != "ok" || f.Done != "not-asked" || len(f.Found) == 0 {
				t.Errorf("%+v", f)
			}
			if f := fact(t, items, capture.FactLeaf); f.Done != "" || f.Found != nil {
				t.Errorf("%+v", f)
			}
			if len(facts(items, capture.FactWentOn)) != 0 {
				t.Error("the client is said to have gone on in spite of something")
			}
		})
	}
}

// TestUnknownIssuer: an origin under a root that is not known here, and that it rightly does not send, fails
// for curl as without the proxy. Where the issuer's certificate could be fetched a page stands for
// it. Both give the name that --origin-ca is to be given the certificate of.
func TestUnknownIssuer(t *testing.T) {
	const host = "www.shop.test"
	for name, fetch := range map[string][]string{"unknown": nil, "ldap": {"ldap://ca.test/cn=root"}, "fetch": {"http://ca.test/root.crt"}} {
		for _, below := range []bool{false, true} {
			t.Run(fmt.Sprint(name, below), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, nil)
				p, key := newPKI(t, newKey(t, "P-256")), newKey(t, "P-256")
				issuer, signer, missing := p.root, p.rootKey, "test root"
				template := &x509.Certificate{
					Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
					KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IssuingCertificateURL: fetch,
				}
				var sent [][]byte
				if below {
					inter := *p.inter
					inter.IssuingCertificateURL = fetch
					issuer, signer = p.sign(&inter, p.root, p.interKey, p.rootKey), p.interKey
					template.IssuingCertificateURL = []string{"http://ca.test/i.crt"} // which was sent
					sent = [][]byte{issuer.Raw}
				}
				leaf := p.sign(template, issuer, key, signer)
				r.origin(host, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello from the origin") }), func(c *tls.Config) {
					c.Certificates = []tls.Certificate{{Certificate: append([][]byte{leaf.Raw}, sent...), PrivateKey: key}}
				})
				out, errs, err := run(t, nil, "curl", "-sS", "--cacert", r.caFile(), "-x", "http://"+r.addr, "https://"+host+"/")
				if name != "fetch" {
					if out, errs, err := run(t, nil, "curl", "-sSk", "-x", "http://"+r.addr, "https://"+host+"/"); err != nil || out != "hello from the origin" {
						t.Errorf("curl -k: %v: %s%s", err, errs, out)
					}
				}
				f := facts(r.items(), capture.FactOriginVerified)[0]
				if f.Missing != missing || f.Outcome != "untrusted-root" {
					t.Errorf("%+v", f)
				}
				if name == "fetch" {
					if err != nil || !strings.Contains(out, "--origin-ca FILE") || !strings.Contains(out, `"`+missing+`"`) || f.Done != "blocked" || !slices.Equal(f.Found, []string{"incomplete-chain"}) {
						t.Errorf("%v: %s%s\n%+v", err, errs, out, f)
					}
					return
				}
				if err == nil || err.Error() != "exit status 60" || f.Done != "mirrored" || !slices.Equal(f.Found, []string{"issuer-unknown"}) {
					t.Errorf("%v: %s%s\n%+v", err, errs, out, f)
				}
			})
		}
	}
}

// TestForgedKeyID: an origin cannot have its wrong key identifier come out right because it is that of the proxy's own CA.
func TestForgedKeyID(t *testing.T) {
	const host = "www.shop.test"
	r := newRig(t, nil)
	o := oddOrigin{aki: string(r.Authority.Certificate().SubjectKeyId)}
	o.serve(t, r, host)
	resp, err := r.client(true).Get("https://" + host + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if f := fact(t, r.items(), capture.FactOriginVerified); resp.StatusCode != http.StatusBadGateway || f.Done != "blocked" || !slices.Equal(f.Found, []string{"aki-mismatch"}) {
		t.Errorf("%s: %+v", resp.Status, f)
	}
}
