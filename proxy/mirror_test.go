package proxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"explainer/ca"
	"explainer/ca/verify"
	"explainer/capture"

	"github.com/elazarl/goproxy"
)

// mirroredFaults are those that are mirrored for certain, alone and together.
var mirroredFaults = [][]string{
	{"expired"}, {"not-yet-valid"}, {"wrong-host"}, {"self-signed"}, {"untrusted-root"}, {"wrong-eku"},
	{"expired", "wrong-host"}, {"expired", "self-signed"}, {"expired", "untrusted-root"}, {"expired", "wrong-eku"},
	{"not-yet-valid", "wrong-host"}, {"not-yet-valid", "self-signed"}, {"not-yet-valid", "untrusted-root"}, {"not-yet-valid", "wrong-eku"},
	{"wrong-host", "self-signed"}, {"wrong-host", "untrusted-root"}, {"wrong-host", "wrong-eku"}, {"self-signed", "wrong-eku"}, {"untrusted-root", "wrong-eku"},
	{"expired", "wrong-host", "self-signed"}, {"not-yet-valid", "wrong-host", "untrusted-root"}, {"expired", "wrong-host", "wrong-eku"}, {"self-signed", "wrong-host", "wrong-eku"},
	{"cn-match-san-mismatch"}, {"no-san-cn-only"}, {"nul-in-san"}, {"nul-in-cn"}, {"wildcard-two-labels"}, {"wildcard-bare"}, {"wildcard-not-leftmost"}, {"wildcard-partial"},
	{"unknown-critical-ext"}, {"wrong-ku"}, {"staple-revoked"}, {"must-staple-missing"},
	{"expired", "nul-in-san"}, {"unknown-critical-ext", "expired"},
	{"expired", "good-rsa"}, {"self-signed", "good-rsa"}, {"wrong-host", "good-intermediate"},
}

// badOrigin starts an origin whose certificate for host has the faults.
func (r *rig) badOrigin(host string, faults []string, requests *atomic.Int32) *tls.Certificate {
	r.t.Helper()
	cert, err := r.originCA.Faulty(host, faults...)
	if err != nil {
		r.t.Fatal(err)
	}
	r.origin(host, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		requests.Add(1)
		io.Copy(io.Discard, req.Body)
		io.WriteString(w, "hello from the origin")
	}), func(c *tls.Config) { c.Certificates = []tls.Certificate{*cert} })
	return cert
}

// reasons are what package verify finds wrong with a chain, in the order of their names.
func reasons(in verify.Input) []string {
	var out []string
	for _, c := range verify.Chain(in).Failures() {
		out = append(out, c.Reason)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestMirroredFaults: a client that does not check is shown an equally bad
// certificate and reaches the origin; one that checks does not, and no byte of a
// request does.
func TestMirroredFaults(t *testing.T) {
	for _, faults := range mirroredFaults {
		t.Run(strings.Join(faults, "+"), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			var requests atomic.Int32
			const host = "www.shop.test"
			origin := r.badOrigin(host, faults, &requests)

			checking := r.client(true)
			checking.Transport.(*http.Transport).TLSClientConfig.VerifyConnection = func(state tls.ConnectionState) error {
				in := verify.Input{Name: host, Time: time.Now(), Roots: verify.NewRoots("", r.Authority.Certificate().Raw), Staple: state.OCSPResponse, Stapling: verify.StapleAsked}
				for _, c := range state.PeerCertificates {
					in.Chain = append(in.Chain, c.Raw)
				}
				if reasons(in) != nil {
					return errUnverified
				}
				return nil
			}
			if resp, err := checking.Post("https://"+host+"/", "text/plain", strings.NewReader("secret")); err == nil {
				t.Errorf("a client that checks got %s", resp.Status)
			}
			if n := requests.Load(); n != 0 {
				t.Errorf("the origin saw %d requests of a client that checks", n)
			}

			careless := r.client(true)
			var shown tls.ConnectionState
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
			if string(body) != "hello from the origin" || requests.Load() != 1 {
				t.Errorf("a client that does not check got %q, and the origin %d requests", body, requests.Load())
			}
			leaf := shown.PeerCertificates[0]
			if o := origin.Leaf; !leaf.NotBefore.Equal(o.NotBefore) || !leaf.NotAfter.Equal(o.NotAfter) || string(leaf.RawSubject) != string(o.RawSubject) ||
				leaf.PublicKeyAlgorithm != o.PublicKeyAlgorithm || !slices.Equal(leaf.DNSNames, o.DNSNames) {
				t.Errorf("the mirrored certificate is for %v, %s, from %v to %v", leaf.DNSNames, leaf.Subject, leaf.NotBefore, leaf.NotAfter)
			}
			want := reasons(verify.Input{Chain: origin.Certificate, Name: host, Time: time.Now(), Roots: verify.NewRoots("", r.originCA.Certificate().Raw), Staple: origin.OCSPStaple, Stapling: verify.StapleAsked})
			var chain [][]byte
			for _, c := range shown.PeerCertificates {
				chain = append(chain, c.Raw)
			}
			got := reasons(verify.Input{Chain: chain, Name: host, Time: time.Now(), Roots: verify.NewRoots("", r.Authority.Certificate().Raw), Staple: shown.OCSPResponse, Stapling: verify.StapleAsked})
			if !slices.Equal(got, want) || len(got) == 0 {
				t.Errorf("the client is shown %v, the origin's is %v", got, want)
			}

			items := r.items()
			checkRecording(t, items)
			all := facts(items, capture.FactOriginVerified)
			if len(all) != 2 {
				t.Fatalf("%d verifications", len(all))
			}
			for _, f := range all {
				found := slices.Clone(f.Found)
				slices.Sort(found)
				if f.Done != "mirrored" || !slices.Equal(found, want) || f.Outcome == "ok" {
					t.Errorf("%+v", f)
				}
			}
			if went := facts(items, capture.FactWentOn); len(went) != 1 || went[0].Conn != all[1].Conn || went[0].Peer != all[1].Peer {
				t.Errorf("%d clients went on", len(went))
			}
			// The same certificate again: a browser keeps its user's word for it alone.
			leaves := facts(items, capture.FactLeaf)
			sum := sha256.Sum256(leaf.Raw)
			if len(leaves) != 2 || string(leaves[0].Data) != string(sum[:]) || string(leaves[1].Data) != string(sum[:]) || len(leaves[0].Found) == 0 {
				t.Errorf("%+v, %+v", leaves[0], leaves[1])
			}
			// All that reached the origin for the client that checks: a ClientHello,
			// at most a dummy ChangeCipherSpec, and one record with the alert.
			var types []byte
			for sent := bytesOf(items, all[0].Peer, capture.Client); len(sent) >= 5; {
				types = append(types, sent[0])
				sent = sent[5+int(sent[3])<<8+int(sent[4]):]
			}
			if types = slices.DeleteFunc(types, func(b byte) bool { return b == 20 }); len(types) != 2 || types[0] != 22 {
				t.Errorf("records of the types %v reached the origin", types)
			}
		})
	}
}

// TestNothingBadLooksGood: whatever the origin's certificate is, and whoever
// refuses it, the client is not shown one that passes.
func TestNothingBadLooksGood(t *testing.T) {
	// The first needs an address; the second looks like one of an unknown root.
	mirrored := map[string]bool{"ip-in-dns-san": true, "incomplete-chain": true}
	for _, faults := range mirroredFaults {
		mirrored[faults[0]] = true
	}
	for i := range ca.Faults {
		f := &ca.Faults[i]
		if f.Handshake {
			continue
		}
		t.Run(f.ID, func(t *testing.T) {
			t.Parallel()
			var expired *x509.Certificate
			r := newRig(t, nil)
			if f.Trust {
				var err error
				if expired, err = r.originCA.ExpiredTwin(); err != nil {
					t.Fatal(err)
				}
				r.setup.Do(r.init)
				r.Proxy.roots.AddCert(expired)
				r.trusted.Add(expired.Raw)
			}
			host := "www.shop.test"
			if f.ByAddress {
				host = "10.1.2.3"
			}
			cert, err := r.originCA.Faulty(host, f.ID)
			if err != nil {
				t.Fatal(err)
			}
			trusted := []*x509.Certificate{r.originCA.Certificate()}
			if expired != nil {
				trusted = append(trusted, expired)
			}
			checker, library := judgements(cert, host, trusted...)
			config := &tls.Config{Certificates: []tls.Certificate{*cert}}
			f.Configure(config)
			if f.Only12 {
				config.MaxVersion = tls.VersionTLS12
			}
			l, err := tls.Listen("tcp", "127.0.0.1:0", config) // httptest would not have some of the certificates
			if err != nil {
				t.Fatal(err)
			}
			server := &http.Server{ErrorLog: discardLog, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello from the origin") })}
			go server.Serve(l)
			t.Cleanup(func() { server.Close() })
			r.site(host, l.Addr().String())

			careless := r.client(false)
			var shown tls.ConnectionState
			careless.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true, ServerName: host, VerifyConnection: func(s tls.ConnectionState) error {
				shown = s
				return nil
			}}
			resp, err := careless.Get("https://" + host + "/")
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			through := string(body) == "hello from the origin"
			made := &tls.Certificate{OCSPStaple: shown.OCSPResponse}
			for _, c := range shown.PeerCertificates {
				made.Certificate = append(made.Certificate, c.Raw)
			}
			seenChecker, seenLibrary := judgements(made, host, r.Authority.Certificate())
			bad, looksBad := library != nil || len(checker) > 0, seenLibrary != nil || len(seenChecker) > 0
			switch {
			case bad && through && !looksBad:
				t.Errorf("%v, %v: and the client was shown nothing of it", library, checker)
			case bad && through && !slices.Equal(checker, seenChecker):
				t.Errorf("the origin's has %v, the client is shown %v", checker, seenChecker)
			case bad && !through && resp.StatusCode != http.StatusBadGateway:
				t.Errorf("%s: %s", resp.Status, body)
			case bad && mirrored[f.ID] != through:
				t.Errorf("mirrored: %v", through)
			case !bad && (looksBad || !through):
				t.Errorf("a good certificate is shown as one with %v, %v; %s", seenLibrary, seenChecker, resp.Status)
			}
		})
	}
}

// judgements are those of crypto/x509 and of package verify.
func judgements(cert *tls.Certificate, host string, roots ...*x509.Certificate) ([]string, error) {
	list := verify.NewRoots("")
	opts := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), DNSName: host}
	for _, root := range roots {
		list.Add(root.Raw)
		opts.Roots.AddCert(root)
	}
	for _, der := range cert.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			opts.Intermediates.AddCert(c)
		}
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err == nil {
		_, err = leaf.Verify(opts)
	}
	return reasons(verify.Input{Chain: cert.Certificate, Name: host, Time: time.Now(), Roots: list, Staple: cert.OCSPStaple, Stapling: verify.StapleAsked}), err
}

// TestCommandsMirrored: curl and openssl say the same through the proxy as they say without it.
func TestCommandsMirrored(t *testing.T) {
	r := newRig(t, nil)
	originRoot := filepath.Join(t.TempDir(), "origin.pem")
	if err := os.WriteFile(originRoot, r.originCA.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	var requests atomic.Int32
	verifyErrors := regexp.MustCompile(`verify error:num=\d+:[^\n]*`)
	for i, faults := range append([][]string{nil}, mirroredFaults[:23]...) {
		name := strings.Join(append([]string{"www"}, faults...), "-")
		host := name + ".test"
		r.badOrigin(host, faults, &requests)
		addr := r.Map[host]
		for _, version := range []string{"1.2", "1.3"}[i%2 : i%2+1] {
			curl := func(args ...string) (string, string) {
				out, errs, err := run(t, nil, "curl", append([]string{"-sS", "--tls-max", version, "https://" + host + "/"}, args...)...)
				code := "exit status 0"
				if err != nil {
					code = err.Error()
				}
				return code + ": " + strings.Split(errs, "\n")[0], out
			}
			direct, _ := curl("--cacert", originRoot, "--connect-to", host+":443:"+addr)
			through, _ := curl("--cacert", r.caFile(), "-x", "http://"+r.addr)
			if direct != through || (len(faults) > 0) == strings.HasPrefix(direct, "exit status 0") {
				t.Errorf("%s, TLS %s: curl says %q, and through the proxy %q", name, version, direct, through)
			}
			if code, out := curl("-k", "-x", "http://"+r.addr); out != "hello from the origin" {
				t.Errorf("%s, TLS %s: curl -k through the proxy: %s, %q", name, version, code, out)
			}
		}
		s_client := func(args ...string) []string {
			_, errs, _ := run(t, strings.NewReader("Q\n"), "openssl", append([]string{"s_client", "-servername", host, "-verify_hostname", host, "-verify_return_error"}, args...)...)
			return verifyErrors.FindAllString(errs, -1)
		}
		direct, through := s_client("-CAfile", originRoot, "-connect", addr), s_client("-CAfile", r.caFile(), "-proxy", r.addr, "-connect", host+":443")
		if !slices.Equal(direct, through) || (len(faults) > 0) != (len(direct) > 0) {
			t.Errorf("%s: openssl says %q, and through the proxy %q", name, direct, through)
		}
	}
}

// TestMirroredInTextbookMode: the textbook's key exchange comes with the textbook's missing check, too.
func TestMirroredInTextbookMode(t *testing.T) {
	r := newRig(t, func(p *Proxy) { p.Textbook = true })
	var requests atomic.Int32
	r.badOrigin("www.shop.test", []string{"expired", "wrong-host"}, &requests)
	for code, args := range map[string][]string{"exit status 60": {"--cacert", r.caFile()}, "": {"-k"}} {
		out, errs, err := run(t, nil, "curl", append(args, "-sS", "-x", "http://"+r.addr, "https://www.shop.test/")...)
		switch {
		case code == "" && (err != nil || out != "hello from the origin"):
			t.Errorf("curl -k: %q, %v: %s", out, err, errs)
		case code != "" && (err == nil || err.Error() != code):
			t.Errorf("curl: %v, want %s: %s", err, code, errs)
		}
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
	for _, f := range facts(r.items(), capture.FactOriginVerified) {
		if f.Done != "mirrored" {
			t.Errorf("%+v", f)
		}
	}
}

// TestMirroredThenFailed: the client goes on, and only then does the origin's
// handshake turn out to be bad as well. A page says so.
func TestMirroredThenFailed(t *testing.T) {
	r := newRig(t, nil)
	var requests atomic.Int32
	r.badOrigin("www.shop.test", []string{"expired", "no-private-key"}, &requests)
	careless := r.client(true)
	careless.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	resp, err := careless.Get("https://www.shop.test/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	items := r.items()
	checkRecording(t, items)
	if resp.StatusCode != http.StatusBadGateway || requests.Load() != 0 {
		t.Errorf("%s, and %d requests", resp.Status, requests.Load())
	}
	if f := fact(t, items, capture.FactWentOn); f.Host != "www.shop.test" {
		t.Errorf("%+v", f)
	}
	if f := fact(t, items, capture.FactTLSFailed); f.Peer == 0 || f.Detail == "" {
		t.Errorf("%+v", f)
	}
}

// TestMirroredClientLeaves: a client that hangs up while the origin waits ends that, too.
func TestMirroredClientLeaves(t *testing.T) {
	r := newRig(t, nil)
	var requests atomic.Int32
	r.badOrigin("www.shop.test", []string{"self-signed"}, &requests)
	raw := r.tunnel("www.shop.test:443")
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(tls.ConnectionState) error {
		raw.Close()
		return errUnverified
	}})
	if err := c.Handshake(); err == nil {
		t.Error("the handshake succeeded")
	}
	items := r.items()
	checkRecording(t, items)
	for _, f := range facts(items, capture.FactClosed) {
		if f.Outcome != "client" {
			t.Errorf("%+v", f)
		}
	}
	if len(facts(items, capture.FactWentOn)) != 0 || requests.Load() != 0 {
		t.Error("the origin was called")
	}
}

// TestNeverMirrored: what the proxy's own CA, or a key that everybody has, vouches for is
// blocked, also where this machine trusts it, and whatever else is wrong.
func TestNeverMirrored(t *testing.T) {
	const host = "www.shop.test"
	leaked, err := x509.ParseCertificate(goproxy.GoproxyCa.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	stored, err := ca.NewEphemeral("the CA of other runs")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		make    func(*rig) *tls.Certificate
		outcome string
		found   string
	}{
		"own":         {func(r *rig) *tls.Certificate { return faulty(t, r.Authority, host) }, "own-ca", ""},
		"own-expired": {func(r *rig) *tls.Certificate { return faulty(t, r.Authority, host, "expired") }, "own-ca", "expired"},
		"own-trusted": {func(r *rig) *tls.Certificate {
			r.Proxy.roots.AddCert(r.Authority.Certificate())
			r.trusted.Add(r.Authority.Certificate().Raw)
			return faulty(t, r.Authority, host, "wrong-host")
		}, "own-ca", "wrong-host"},
		"own-intermediate": {func(r *rig) *tls.Certificate { return faulty(t, r.Authority, host, "good-intermediate") }, "own-ca", ""},
		"stored":           {func(r *rig) *tls.Certificate { return faulty(t, stored, host) }, "own-ca", ""},
		"stored-trusted": {func(r *rig) *tls.Certificate {
			r.Proxy.roots.AddCert(stored.Certificate())
			r.trusted.Add(stored.Certificate().Raw)
			return faulty(t, stored, host)
		}, "own-ca", ""},
		"own-beside": {func(r *rig) *tls.Certificate {
			good := faulty(t, r.originCA, host)
			good.Certificate = append(good.Certificate, r.Authority.Certificate().Raw)
			return good
		}, "own-ca", "denied-key"},
		"leaked-trusted": {func(r *rig) *tls.Certificate {
			r.Proxy.roots.AddCert(leaked)
			r.trusted.Add(leaked.Raw)
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)},
				leaked, key.Public(), goproxy.GoproxyCa.PrivateKey)
			if err != nil {
				t.Fatal(err)
			}
			return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
		}, "other", "leaked-key"},
		"leaked-beside": {func(r *rig) *tls.Certificate {
			bad := faulty(t, r.originCA, host, "expired")
			bad.Certificate = append(bad.Certificate, leaked.Raw)
			return bad
		}, "expired", "leaked-key"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(p *Proxy) { p.setup.Do(p.init); p.Stored = stored.Certificate() })
			var requests atomic.Int32
			cert := c.make(r)
			r.origin(host, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }), func(c *tls.Config) { c.Certificates = []tls.Certificate{*cert} })
			careless := r.client(true)
			careless.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
			resp, err := careless.Get("https://" + host + "/")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusBadGateway || requests.Load() != 0 {
				t.Errorf("%s, and %d requests", resp.Status, requests.Load())
			}
			f := fact(t, r.items(), capture.FactOriginVerified)
			if f.Done != "blocked" || f.Outcome != c.outcome || c.found != "" && !slices.Contains(f.Found, c.found) {
				t.Errorf("%+v", f)
			}
		})
	}
}

func faulty(t *testing.T, a *ca.Authority, host string, ids ...string) *tls.Certificate {
	t.Helper()
	c, err := a.Faulty(host, ids...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestBadOriginsDocument: docs/bad-origins.md gives every reason the fate that it has, and every
// reason with which a check can fail or warn has one.
func TestBadOriginsDocument(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "bad-origins.md"))
	if err != nil {
		t.Fatal(err)
	}
	// These only say why something was not checked, or that there was nothing to check.
	neither := []string{"no-certificate", "unreadable", "no-roots", "signature-not-checkable", "chain-ends", "no-clock", "no-name-asked", "other-faults-first", "key-unknown",
		"staple-later", "staple-not-asked", "no-staple", "staple-no-issuer", "no-sct", "sct-signatures-not-checked"}
	sections := map[string]string{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		sections[title] = body
	}
	for title, fate := range map[string]verify.Fate{"What is mirrored": verify.Mirrored, "What is copied": verify.Copied, "What is blocked": verify.Blocked, "What is passed": verify.Passed} {
		body, ok := sections[title]
		if !ok {
			t.Fatalf("there is no section %q", title)
		}
		if fate == verify.Blocked {
			body = strings.Replace(body, "that is mirrored as `issuer-unknown`", "", 1)
		}
		for _, reason := range verify.Reasons {
			if listed := strings.Contains(body, "`"+reason.ID+"`"); listed != (reason.Fate == fate) {
				t.Errorf("%s: in the section %q: %v", reason.ID, title, listed)
			}
		}
	}
	// Who makes a check may not forget what becomes of it.
	for _, reason := range verify.Reasons {
		if (reason.Fate == verify.NoFate) != slices.Contains(neither, reason.ID) {
			t.Errorf("%s: fate %v", reason.ID, reason.Fate)
		}
	}
}
