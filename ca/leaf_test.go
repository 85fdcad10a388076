package ca

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func ephemeral(t testing.TB) *Authority {
	t.Helper()
	a, err := NewEphemeral("A root")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestLeafFacts(t *testing.T) {
	a := ephemeral(t)
	names := []string{"www.site.test", "*.site.test", "192.0.2.7", "2001:db8::1", "site.test"}
	for _, isRSA := range []bool{false, true} {
		t.Run(fmt.Sprint("RSA ", isRSA), func(t *testing.T) {
			got := mustLeaf(t, a, Spec{Names: names, Key: keyKind(isRSA)})
			c := got.Leaf
			if len(got.Certificate) != 2 || !bytes.Equal(got.Certificate[0], c.Raw) || !bytes.Equal(got.Certificate[1], a.Certificate().Raw) {
				t.Error("the chain is not the leaf and the CA")
			}
			usage := x509.KeyUsageDigitalSignature
			if isRSA {
				usage |= x509.KeyUsageKeyEncipherment
				if key, ok := c.PublicKey.(*rsa.PublicKey); !ok || key.N.BitLen() != 2048 {
					t.Errorf("key %T", c.PublicKey)
				}
			} else if key, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
				t.Errorf("key %T", c.PublicKey)
			}
			if !got.PrivateKey.(crypto.Signer).Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(c.PublicKey) {
				t.Error("the private key is another certificate's")
			}
			checkSerial(t, c)
			if c.KeyUsage != usage {
				t.Errorf("keyUsage %b, want %b", c.KeyUsage, usage)
			}
			if !slices.Equal(c.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) || len(c.UnknownExtKeyUsage) > 0 {
				t.Errorf("extKeyUsage %v", c.ExtKeyUsage)
			}
			if c.IsCA || !c.BasicConstraintsValid || c.MaxPathLen != -1 {
				t.Errorf("basicConstraints: CA %v, valid %v, pathlen %d", c.IsCA, c.BasicConstraintsValid, c.MaxPathLen)
			}
			wantCritical(t, c, "2.5.29.15", true)  // keyUsage
			wantCritical(t, c, "2.5.29.19", true)  // basicConstraints
			wantCritical(t, c, "2.5.29.37", false) // extKeyUsage
			wantCritical(t, c, "2.5.29.17", false) // subjectAltName
			wantCritical(t, c, "2.5.29.35", false) // authorityKeyIdentifier
			if len(c.Extensions) != 5 {            // and so no subjectKeyIdentifier
				t.Errorf("extensions %v", c.Extensions)
			}
			if !bytes.Equal(c.AuthorityKeyId, a.Certificate().SubjectKeyId) {
				t.Errorf("authorityKeyIdentifier %x, the CA has %x", c.AuthorityKeyId, a.Certificate().SubjectKeyId)
			}
			if !bytes.Equal(c.RawIssuer, a.Certificate().RawSubject) {
				t.Error("the issuer's name is not the CA's, byte for byte")
			}
			if c.Subject.String() != "CN=www.site.test" {
				t.Errorf("subject %s", c.Subject)
			}
			if want := []string{"www.site.test", "*.site.test", "site.test"}; !slices.Equal(c.DNSNames, want) {
				t.Errorf("host names %q, want %q", c.DNSNames, want)
			}
			if got := fmt.Sprint(c.IPAddresses); got != "[192.0.2.7 2001:db8::1]" {
				t.Errorf("addresses %s", got)
			}
			if since := time.Since(c.NotBefore); since < time.Hour || since > 48*time.Hour {
				t.Errorf("valid since %v", since)
			}
			if c.NotBefore.Before(a.Certificate().NotBefore) || c.NotAfter.After(a.Certificate().NotAfter) {
				t.Error("valid when the CA is not")
			}
			if days := (c.NotAfter.Sub(c.NotBefore) + time.Second).Hours() / 24; days > 90 || days < 89 {
				t.Errorf("valid for %v days", days)
			}
			for _, name := range []string{"www.site.test", "any.site.test", "site.test", "192.0.2.7", "2001:db8::1"} {
				if _, err := c.Verify(verifyOptions(a, name)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			for _, name := range []string{"other.test", "192.0.2.8", "a.b.site.test"} {
				if _, err := c.Verify(verifyOptions(a, name)); err == nil {
					t.Errorf("the leaf is good for %s", name)
				}
			}
		})
	}
}

func TestLeafNames(t *testing.T) {
	a := ephemeral(t)
	long := strings.Repeat("a", 60) + ".test" // 65 bytes
	edge := strings.Repeat("a", 58) + ".test" // 63 bytes, and one more
	many := make([]string, 150)
	for i := range many {
		many[i] = fmt.Sprintf("n%d.test", i)
	}
	tests := []struct {
		name  string
		names []string
		cn    string
		dns   []string
		ips   string
	}{
		{"address alone", []string{"127.0.0.1"}, "127.0.0.1", nil, "[127.0.0.1]"},
		{"IPv6 with a zone", []string{"fe80::1%eth0"}, "fe80::1", nil, "[fe80::1]"},
		{"IPv6 in brackets", []string{"[2001:db8::1]"}, "2001:db8::1", nil, "[2001:db8::1]"},
		{"IPv4 in IPv6", []string{"::ffff:192.0.2.1", "192.0.2.1"}, "192.0.2.1", nil, "[192.0.2.1]"},
		{"address with a dot", []string{"127.0.0.1."}, "127.0.0.1", nil, "[127.0.0.1]"},
		{"dot at the end", []string{"site.test."}, "site.test", []string{"site.test"}, "[]"},
		{"twice", []string{"Site.test", "site.TEST", "site.test."}, "Site.test", []string{"Site.test"}, "[]"},
		{"one label", []string{"localhost"}, "localhost", []string{"localhost"}, "[]"},
		{"odd wildcards", []string{"*", "w*.site.test", "www.*.test"}, "*", []string{"*", "w*.site.test", "www.*.test"}, "[]"},
		{"underscore", []string{"_a.site.test"}, "_a.site.test", []string{"_a.site.test"}, "[]"},
		{"63 bytes", []string{edge}, edge, []string{edge}, "[]"},
		{"64 bytes", []string{"a." + edge[1:]}, "", []string{"a." + edge[1:]}, "[]"},
		{"65 bytes", []string{long}, "", []string{long}, "[]"},
		{"unfit names dropped", []string{"a b.test", "b\u00fccher.test", "a\x00.test", "", ".", "a..test", ".test", strings.Repeat("a", 64) + ".test",
			strings.Repeat("a.", 127) + "test", "good.test", "\x7f.test"}, "good.test", []string{"good.test"}, "[]"},
		{"more than 100", many, "n0.test", many[:100], "[]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := mustLeaf(t, a, Spec{Names: test.names}).Leaf
			if c.Subject.CommonName != test.cn {
				t.Errorf("CN %q, want %q", c.Subject.CommonName, test.cn)
			}
			if !slices.Equal(c.DNSNames, test.dns) {
				t.Errorf("host names %q, want %q", c.DNSNames, test.dns)
			}
			if got := fmt.Sprint(c.IPAddresses); got != test.ips {
				t.Errorf("addresses %s, want %s", got, test.ips)
			}
			wantCritical(t, c, "2.5.29.17", test.cn == "")
			if _, err := c.Verify(verifyOptions(a, "")); err != nil {
				t.Error(err)
			}
		})
	}
	for _, names := range [][]string{nil, {""}, {"a b", "\x00"}} {
		if cert, err := a.Leaf(t.Context(), Spec{Names: names}); err == nil {
			t.Errorf("a leaf for %q was made: %v", names, cert.Leaf.DNSNames)
		}
	}
}

func keyKind(isRSA bool) Key {
	if isRSA {
		return RSA2048
	}
	return P256
}

func TestLeavesDiffer(t *testing.T) {
	dir := newDir(t)
	a, b := load(t, dir), load(t, dir) // the same CA: its key must not decide the leaf's
	for _, isRSA := range []bool{false, true} {
		spec := Spec{Names: []string{"site.test"}, Key: keyKind(isRSA)}
		again := spec
		again.Names = []string{"other.test"}
		one, two, three := mustLeaf(t, a, spec), mustLeaf(t, b, spec), mustLeaf(t, a, again)
		for _, pair := range [][2]*tls.Certificate{{one, two}, {one, three}, {two, three}} {
			if pair[0].Leaf.SerialNumber.Cmp(pair[1].Leaf.SerialNumber) == 0 {
				t.Error("two leaves have one serial number")
			}
			if bytes.Equal(pair[0].Leaf.RawSubjectPublicKeyInfo, pair[1].Leaf.RawSubjectPublicKeyInfo) {
				t.Error("two leaves have one key")
			}
		}
		if bytes.Equal(one.Leaf.RawSubjectPublicKeyInfo, a.Certificate().RawSubjectPublicKeyInfo) {
			t.Error("the leaf has the CA's key")
		}
	}
}

func TestLeafDates(t *testing.T) {
	a := ephemeral(t)
	from, to := time.Date(2020, 2, 1, 3, 4, 5, 0, time.UTC), time.Date(2020, 5, 1, 3, 4, 5, 0, time.UTC)
	c := mustLeaf(t, a, Spec{Names: []string{"site.test"}, NotBefore: from, NotAfter: to}).Leaf
	if !c.NotBefore.Equal(from) || !c.NotAfter.Equal(to) {
		t.Errorf("valid from %v to %v", c.NotBefore, c.NotAfter)
	}
	var invalid x509.CertificateInvalidError
	if _, err := c.Verify(verifyOptions(a, "site.test")); !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
		t.Errorf("error %v", err)
	}
	if d := mustLeaf(t, a, Spec{Names: []string{"site.test"}}).Leaf; d.Equal(c) {
		t.Error("a leaf with dates was taken for one without")
	}
	for _, spec := range []Spec{{NotBefore: from}, {NotAfter: to}} {
		spec.Names = []string{"site.test"}
		if _, err := a.Leaf(t.Context(), spec); err == nil {
			t.Error("one date was enough")
		}
	}

	// Near the CA's end, a leaf ends with it; after it there is none.
	end := a.Certificate().NotAfter
	a.now = func() time.Time { return end.Add(-time.Hour) }
	c = mustLeaf(t, a, Spec{Names: []string{"late.test"}}).Leaf
	if !c.NotAfter.Equal(end) {
		t.Errorf("the leaf ends %v, the CA %v", c.NotAfter, end)
	}
	if d := mustLeaf(t, a, Spec{Names: []string{"late.test"}}).Leaf; !d.Equal(c) {
		t.Error("made anew, though it cannot last longer")
	}
	a.now = func() time.Time { return end.Add(time.Second) }
	if _, err := a.Leaf(t.Context(), Spec{Names: []string{"late.test"}}); !errors.Is(err, errExpired) {
		t.Errorf("error %v", err)
	}
	a.now = func() time.Time { return a.cert.NotBefore.Add(-time.Second) }
	if _, err := a.Leaf(t.Context(), Spec{Names: []string{"late.test"}}); err == nil {
		t.Error("a leaf from a CA that is not valid yet")
	}
}

func TestLeafCached(t *testing.T) {
	a := ephemeral(t)
	spec := Spec{Names: []string{"site.test", "www.site.test"}}
	one := mustLeaf(t, a, spec)
	one.PrivateKey = nil // the caller's copy
	two := mustLeaf(t, a, Spec{Names: []string{"site.test"}})
	if two.Leaf.Equal(one.Leaf) {
		t.Error("one leaf for different names")
	}
	three := mustLeaf(t, a, spec)
	if !three.Leaf.Equal(one.Leaf) || three.PrivateKey == nil {
		t.Error("made again, or the caller's change came back")
	}
	for name, other := range map[string]Spec{
		"order":  {Names: []string{"www.site.test", "site.test"}},
		"RSA":    {Names: spec.Names, Key: RSA2048},
		"origin": {Names: spec.Names, Origin: two.Leaf},
		"joined": {Names: []string{"site.testwww.site.test"}},
	} {
		if mustLeaf(t, a, other).Leaf.Equal(one.Leaf) {
			t.Errorf("%s: the same leaf", name)
		}
	}

	// Made again a day before its end, and when the clock was put back before its beginning.
	for _, test := range []struct {
		now   time.Time
		again bool
	}{
		{one.Leaf.NotAfter.Add(-leafMargin - time.Second), false},
		{one.Leaf.NotAfter.Add(-leafMargin + time.Second), true},
		{one.Leaf.NotAfter.Add(time.Hour), true},
		{one.Leaf.NotBefore.Add(-time.Second), true},
	} {
		a := &Authority{cert: a.cert, key: a.key, now: time.Now}
		old := mustLeaf(t, a, spec).Leaf
		test.now = test.now.Add(old.NotAfter.Sub(one.Leaf.NotAfter))
		a.now = func() time.Time { return test.now }
		fresh := mustLeaf(t, a, spec).Leaf
		if fresh.Equal(old) == test.again {
			t.Errorf("at %v: made again %v", test.now, !test.again)
		}
		if test.now.Before(fresh.NotBefore) || test.now.After(fresh.NotAfter) {
			t.Errorf("at %v the leaf is not valid", test.now)
		}
	}
}

func TestCacheBound(t *testing.T) {
	a := ephemeral(t)
	host := func(i int) Spec { return Spec{Names: []string{fmt.Sprintf("h%d.test", i)}} }
	first := mustLeaf(t, a, host(0)).Leaf
	second := mustLeaf(t, a, host(1)).Leaf
	for i := 2; i < maxLeaves; i++ {
		mustLeaf(t, a, host(i))
	}
	if !mustLeaf(t, a, host(0)).Leaf.Equal(first) {
		t.Fatal("dropped though there was room")
	}
	mustLeaf(t, a, host(maxLeaves)) // drops host 1, the one not used for longest
	if !mustLeaf(t, a, host(0)).Leaf.Equal(first) {
		t.Error("one that was used lately was dropped")
	}
	if mustLeaf(t, a, host(1)).Leaf.Equal(second) {
		t.Error("the one not used for longest was kept")
	}
	if n, m := len(a.leaves.entries), a.leaves.order.Len(); n != maxLeaves || m != maxLeaves {
		t.Errorf("%d and %d entries", n, m)
	}
}

// countingSigner counts what it signs, says when it is asked to, and waits to be let go.
type countingSigner struct {
	crypto.Signer
	mu      sync.Mutex
	n       int
	fail    error
	begun   chan struct{}
	release chan struct{}
}

func (s *countingSigner) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	s.mu.Lock()
	s.n++
	fail := s.fail
	s.mu.Unlock()
	s.begun <- struct{}{}
	<-s.release
	if fail != nil {
		return nil, fail
	}
	return s.Signer.Sign(r, digest, opts)
}

func held(t *testing.T) (*Authority, *countingSigner) {
	a := ephemeral(t)
	s := &countingSigner{Signer: a.key, begun: make(chan struct{}, 1), release: make(chan struct{})}
	return newAuthority(a.cert, s), s
}

func TestMintedOnce(t *testing.T) {
	a, s := held(t)
	var wg sync.WaitGroup
	leaves := make([]*x509.Certificate, 100)
	for i := range leaves {
		wg.Go(func() {
			cert, err := a.Leaf(t.Context(), Spec{Names: []string{"site.test"}, Key: RSA2048})
			if err != nil {
				t.Error(err)
				return
			}
			leaves[i] = cert.Leaf
		})
	}
	<-s.begun
	close(s.release)
	wg.Wait()
	if s.n != 1 {
		t.Errorf("signed %d times", s.n)
	}
	for _, leaf := range leaves {
		if leaf == nil || !leaf.Equal(leaves[0]) {
			t.Fatal("two leaves")
		}
	}
}

func TestWaitingIsCancelledMintingIsNot(t *testing.T) {
	a, s := held(t)
	spec := Spec{Names: []string{"site.test"}}
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := a.Leaf(ctx, spec)
		failed <- err
	}()
	<-s.begun
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	close(s.release)
	mustLeaf(t, a, spec)
	if s.n != 1 {
		t.Errorf("signed %d times", s.n)
	}
	// What is there needs no waiting.
	if _, err := a.Leaf(ctx, spec); err != nil {
		t.Errorf("from the cache: %v", err)
	}
}

func TestFailureIsNotKept(t *testing.T) {
	a, s := held(t)
	close(s.release)
	s.fail = errors.New("out of ink")
	spec := Spec{Names: []string{"site.test"}}
	if _, err := a.Leaf(t.Context(), spec); !errors.Is(err, s.fail) {
		t.Errorf("error %v", err)
	}
	<-s.begun
	if n := len(a.leaves.entries) + a.leaves.order.Len(); n != 0 {
		t.Errorf("%d entries kept", n)
	}
	s.fail = nil
	mustLeaf(t, a, spec)
}

func TestMirror(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	origin := func(key crypto.Signer, template x509.Certificate) *x509.Certificate {
		template.SerialNumber = big.NewInt(1)
		if template.NotAfter.IsZero() {
			template.NotBefore, template.NotAfter = now.AddDate(0, -1, 0), now.AddDate(0, 1, 0)
		}
		der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	many := []string{}
	for i := range 300 {
		many = append(many, fmt.Sprintf("n%d.test", i))
	}
	lastYear := now.AddDate(-1, 0, 0)
	yearOne := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name   string
		origin *x509.Certificate
		asked  string
		want   []string // a beginning
		n      int
		dates  bool
	}{
		{"the same", origin(key, x509.Certificate{DNSNames: []string{"site.test", "www.site.test"}}), "www.site.test", []string{"www.site.test", "site.test"}, 2, false},
		{"wildcard", origin(key, x509.Certificate{DNSNames: []string{"site.test", "*.site.test"}}), "www.site.test", []string{"*.site.test", "site.test"}, 2, false},
		{"not covered", origin(key, x509.Certificate{DNSNames: []string{"site.test", "*.site.test"}}), "other.test", []string{"site.test", "*.site.test"}, 2, false},
		{"address", origin(rsaKey, x509.Certificate{DNSNames: []string{"site.test"}, IPAddresses: []net.IP{net.ParseIP("192.0.2.1")}}), "192.0.2.1", []string{"192.0.2.1", "site.test"}, 2, false},
		{"address as a host name", origin(key, x509.Certificate{DNSNames: []string{"192.0.2.1", "192.0.2.1.", "[192.0.2.1]", "site.test"}}), "192.0.2.1", []string{"site.test"}, 1, false},
		{"common name alone", origin(key, x509.Certificate{Subject: pkix.Name{CommonName: "site.test"}}), "site.test", []string{"no-name.invalid"}, 1, false},
		{"the 250th of 300", origin(key, x509.Certificate{DNSNames: many}), "n249.test", []string{"n249.test", "n0.test", "n1.test"}, 300, false},
		{"expired", origin(key, x509.Certificate{DNSNames: []string{"site.test"}, NotBefore: lastYear, NotAfter: lastYear.AddDate(0, 1, 0)}), "site.test", []string{"site.test"}, 1, true},
		{"not yet valid", origin(key, x509.Certificate{DNSNames: []string{"site.test"}, NotBefore: now.Add(time.Hour), NotAfter: now.AddDate(3, 0, 0)}), "site.test", []string{"site.test"}, 1, true},
		{"expired in the year 1", &x509.Certificate{DNSNames: []string{"site.test"}, NotBefore: yearOne, NotAfter: yearOne, PublicKey: key.Public()}, "site.test", []string{"site.test"}, 1, true},
	}
	a := ephemeral(t)
	a.now = func() time.Time { return now }
	a.cert.NotBefore, a.cert.NotAfter = now.Add(-rootBefore), now.Add(rootAfter)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spec, ok := Mirror(test.origin, test.asked)
			if len(spec.Names) != test.n || !slices.Equal(spec.Names[:len(test.want)], test.want) {
				t.Errorf("%d names %.4q, want %d: %q", len(spec.Names), spec.Names, test.n, test.want)
			}
			if !ok || (spec.Key == RSA2048) != (test.origin.PublicKeyAlgorithm == x509.RSA) || spec.Origin != test.origin {
				t.Error("another kind of key or another origin")
			}
			c := mustLeaf(t, a, spec).Leaf
			if !c.NotBefore.Equal(test.origin.NotBefore) || !c.NotAfter.Equal(test.origin.NotAfter) {
				t.Errorf("valid from %v to %v", c.NotBefore, c.NotAfter)
			}
			// The leaf is good where the origin's certificate is, and nowhere else.
			for _, name := range append([]string{test.asked, "192.0.2.1", "other.test"}, test.want...) {
				if name == noName { // nothing is there
					continue
				}
				good := test.origin.VerifyHostname(name) == nil && !test.dates
				_, err := c.Verify(verifyOptions(a, name))
				if (err == nil) != good {
					t.Errorf("%s: origin good %v, leaf: %v", name, good, err)
				}
			}
		})
	}
}

func FuzzLeafNames(f *testing.F) {
	f.Add("site.test\n*.site.test\n127.0.0.1\n::1")
	f.Add("fe80::1%eth0\na b\n\x00\nb\u00fccher.test\n.\n*\n-\n[::1]")
	f.Add(strings.Repeat("a.", 130) + "\n" + strings.Repeat("b", 64) + "\n" + strings.Repeat("c", 63))
	f.Add(strings.Repeat("a\n", 200))
	f.Add("[::0]\n1.2.3.4.\n::ffff:1.2.3.4\n01.2.3.4\n0x7f.1\nsite.test:443\nhttps://site.test/")
	a := ephemeral(f)
	f.Fuzz(func(t *testing.T, lines string) {
		names := strings.Split(lines, "\n")
		cert, err := a.Leaf(t.Context(), Spec{Names: names})
		if err != nil {
			if !errors.Is(err, errNoNames) {
				t.Fatal(err)
			}
			return
		}
		c := cert.Leaf
		if _, err := c.Verify(verifyOptions(a, "")); err != nil {
			t.Fatalf("%q: %v", names, err)
		}
		if n := len(c.DNSNames) + len(c.IPAddresses); n < 1 || n > maxNames {
			t.Fatalf("%q: %d names", names, n)
		}
		for _, got := range c.DNSNames {
			if net.ParseIP(got) != nil {
				t.Fatalf("%q: an address as a host name", got)
			}
			if !slices.ContainsFunc(names, func(name string) bool { return strings.TrimSuffix(name, ".") == got }) {
				t.Fatalf("%q: not asked for in %q", got, names)
			}
		}
		if cn := c.Subject.CommonName; cn != "" && c.VerifyHostname(cn) != nil || len(cn) >= maxCommonName {
			t.Fatalf("CN %q, which is none of %q", cn, c.DNSNames)
		}
	})
}

func BenchmarkLeaf(b *testing.B) {
	a := ephemeral(b)
	run := func(spec Spec) func(*testing.B) {
		return func(b *testing.B) {
			names := cleanNames(spec.Names)
			for b.Loop() {
				if _, err := a.mint(names, spec); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.Run("ecdsa", run(Spec{Names: []string{"www.site.test", "site.test"}}))
	b.Run("rsa", run(Spec{Names: []string{"www.site.test", "site.test"}, Key: RSA2048}))
	b.Run("cached", func(b *testing.B) {
		spec := Spec{Names: []string{"www.site.test", "site.test"}}
		for b.Loop() {
			if _, err := a.Leaf(b.Context(), spec); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestKeys: a leaf's key is like the origin's or weaker, and a client that cannot take
// it gets none that is stronger; a long RSA key is made once, others for each leaf.
func TestKeys(t *testing.T) {
	modulus := func(bits uint) *rsa.PublicKey {
		return &rsa.PublicKey{N: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), bits-1), big.NewInt(1)), E: 65537}
	}
	for bits, want := range map[uint]int{512: 0, 1023: 0, 1024: 1024, 1536: 1536, 2047: 2047, 2048: 2048, 2049: 2048, 3071: 2048, 3072: 3072, 4095: 3072, 4096: 4096, 8192: 4096} {
		key, ok := KeyOf(modulus(bits))
		if ok != (want > 0) || ok && key != (Key{x509.RSA, want}) {
			t.Errorf("%d bits: %v, %v", bits, key, ok)
		}
	}
	strength := func(k Key) int { // NIST SP 800-57 part 1, 5.6.1.1, but that P-256 is no more than RSA-2048
		switch {
		case k.Kind == x509.RSA && k.Bits < 2048:
			return 0
		case k == P384:
			return 2
		case k == P521:
			return 3
		}
		return 1
	}
	for _, key := range []Key{P256, P384, P521, Ed25519, {x509.RSA, 1024}, RSA2048, {x509.RSA, 4096}} {
		for _, other := range key.Instead() {
			if strength(other) > strength(key) || other == key {
				t.Errorf("%v in place of %v", other, key)
			}
		}
	}
	for bits, shared := range map[int]bool{2048: false, 3072: true} {
		one, err := Key{x509.RSA, bits}.make()
		if err != nil {
			t.Fatal(err)
		}
		two, err := Key{x509.RSA, bits}.make()
		if err != nil {
			t.Fatal(err)
		}
		if public := one.Public().(*rsa.PublicKey); public.Equal(two.Public()) != shared || public.N.BitLen() != bits {
			t.Errorf("%d bits: the same key %v", bits, !shared)
		}
	}
}
