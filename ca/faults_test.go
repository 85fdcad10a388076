package ca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// hostOf is what a client asks for.
func hostOf(f *Fault) string {
	if f.ByAddress {
		return "127.0.0.1"
	}
	return "www.bank.test"
}

func testLab(t *testing.T) (*Authority, *x509.CertPool) {
	t.Helper()
	a, err := NewEphemeral("test CA")
	if err != nil {
		t.Fatal(err)
	}
	twin, err := a.ExpiredTwin()
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate())
	roots.AddCert(twin)
	return a, roots
}

// handshake runs TLS between a server with the fault and Go's client.
func handshake(cert *tls.Certificate, f *Fault, host string, roots *x509.CertPool, version uint16) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		config := &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: version, MaxVersion: version, SessionTicketsDisabled: true}
		f.Configure(config)
		s := tls.Server(c, config)
		if s.Handshake() == nil {
			s.Read(make([]byte, 1))
		}
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	c := tls.Client(conn, &tls.Config{ServerName: host, RootCAs: roots})
	err = c.Handshake()
	conn.Close()
	<-served
	return err
}

// TestFaults serves every fault to Go's own client, which accepts the controls
// and refuses what the table says that it refuses.
func TestFaults(t *testing.T) {
	a, roots := testLab(t)
	seen := map[string]bool{}
	for i := range Faults {
		f := &Faults[i]
		if seen[f.ID] {
			t.Errorf("%s stands twice", f.ID)
		}
		seen[f.ID] = true
		versions := []uint16{tls.VersionTLS12, tls.VersionTLS13}
		if f.Only12 {
			versions = versions[:1]
		}
		for _, version := range versions {
			t.Run(fmt.Sprintf("%s/%s", f.ID, strings.ReplaceAll(tls.VersionName(version), " ", "")), func(t *testing.T) {
				t.Parallel()
				cert, err := a.Faulty(hostOf(f), f.ID)
				if err != nil {
					t.Fatal(err)
				}
				err = handshake(cert, f, hostOf(f), roots, version)
				if f.Finished != FinishedRight {
					// The certificate is good, and who runs the server's TLS changes its Finished.
					if err != nil {
						t.Error(err)
					}
					return
				}
				refuses := strings.HasPrefix(f.Refuser, "crypto/")
				if f.Severity == Control {
					refuses = false
				}
				if refuses == (err == nil) {
					t.Errorf("Go's client: %v; the table says that it is refused by %q", err, f.Refuser)
				}
				if refuses && f.Refuser == "crypto/x509" && cert.Leaf != nil {
					pool := x509.NewCertPool()
					for _, der := range cert.Certificate[1:] {
						if c, err := x509.ParseCertificate(der); err == nil {
							pool.AddCert(c)
						}
					}
					if _, err := cert.Leaf.Verify(x509.VerifyOptions{DNSName: hostOf(f), Roots: roots, Intermediates: pool}); err == nil {
						t.Error("crypto/x509 accepts it")
					}
				}
			})
		}
	}
}

// TestFaultTexts: every case has all its texts and names a control that is one.
func TestFaultTexts(t *testing.T) {
	for _, f := range Faults {
		for _, s := range []string{f.Wrong, f.Check} {
			if len(s) < 10 || !strings.HasSuffix(s, ".") {
				t.Errorf("%s: %q is no sentence", f.ID, s)
			}
		}
		if (f.About == "") != (f.Severity == Control) {
			t.Errorf("%s is about %q", f.ID, f.About)
		}
		if f.Incident == "" || f.Step != "2" && f.Step != "4a" {
			t.Errorf("%s: incident %q, step %q", f.ID, f.Incident, f.Step)
		}
		if c := FaultOf(f.Control); f.Severity != Control && (c == nil || c.Severity != Control || f.Refuser == "") {
			t.Errorf("%s: control %q, refused by %q", f.ID, f.Control, f.Refuser)
		}
	}
}

var update = flag.Bool("update", false, "write the table of docs/faults.md anew")

// TestFaultsPage: the table of docs/faults.md is that of the program.
func TestFaultsPage(t *testing.T) {
	var table strings.Builder
	table.WriteString("| case | severity | step | what is wrong | the check that catches it | incident |\n|---|---|---|---|---|---|\n")
	for _, f := range Faults {
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s | %s | %s |\n", f.ID, f.Severity, f.Step, f.Wrong, f.Check, f.Incident)
	}
	path := filepath.Join("..", "docs", "faults.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text, old, _ := strings.Cut(string(page), "| case |")
	if want := table.String(); "| case |"+old != want {
		if !*update {
			t.Fatal("the table is another one: go test ./ca -run TestFaultsPage -update")
		}
		if err := os.WriteFile(path, []byte(text+want), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// shape is what a certificate says, field by field, without what differs
// between any two: serial number, keys and signature bits.
func shape(der []byte) map[string]string {
	m := map[string]string{}
	var c certificate
	var tbs toBeSigned
	if _, err := asn1.Unmarshal(der, &c); err != nil {
		return map[string]string{"certificate": err.Error()}
	}
	if _, err := asn1.Unmarshal(c.TBS.FullBytes, &tbs); err != nil {
		return map[string]string{"tbs": err.Error()}
	}
	m["version"] = fmt.Sprint(tbs.Version)
	m["inner algorithm"] = tbs.Algorithm.Algorithm.String()
	m["outer algorithm"] = c.Algorithm.Algorithm.String()
	m["issuer"] = fmt.Sprintf("%x", tbs.Issuer.FullBytes)
	m["validity"] = fmt.Sprintf("%x", tbs.Validity.FullBytes)
	m["subject"] = fmt.Sprintf("%x", tbs.Subject.FullBytes)
	for i, e := range tbs.Extensions {
		id := e.Id.String()
		if id == "2.5.29.14" || id == "2.5.29.35" {
			m[id] = fmt.Sprint(len(e.Value)) // key identifiers follow the keys
			continue
		}
		if _, twice := m[id]; twice {
			id += fmt.Sprint(" again ", i)
		}
		m[id] = fmt.Sprintf("%v %x", e.Critical, e.Value)
	}
	if public, err := x509.ParsePKIXPublicKey(tbs.PublicKey.FullBytes); err == nil {
		switch k := public.(type) {
		case *rsa.PublicKey:
			m["key"] = fmt.Sprint("RSA ", k.N.BitLen())
		case *ecdsa.PublicKey:
			m["key"] = "ECDSA " + k.Curve.Params().Name
		}
	}
	return m
}

// TestOneChange compares every fault with its control: what differs is what the fault is about.
func TestOneChange(t *testing.T) {
	// The fields that differ, in the leaf and in each further certificate that is sent.
	want := map[string]string{
		"reversed-extra-chain": "chain: 3 for 2; certificate 2: " + "2.5.29.19 2.5.29.35 subject validity",
		"self-signed":          "leaf: 2.5.29.35 issuer", "untrusted-root": "chain: 2 for 1; leaf: issuer", "root-same-name-other-key": "chain: 2 for 1",
		"bad-cert-signature": "", "incomplete-chain": "chain: 1 for 2",
		"leaf-as-ca":                  "leaf: 2.5.29.35 issuer; certificate 2: 2.5.29.14 2.5.29.15 2.5.29.17 2.5.29.19 2.5.29.37 subject",
		"issuer-no-basic-constraints": "leaf: 2.5.29.35 issuer; certificate 2: 2.5.29.14 2.5.29.15 2.5.29.17 2.5.29.19 subject",
		"issuer-x509v1":               "certificate 2: 2.5.29.14 2.5.29.15 2.5.29.19 2.5.29.35 version",
		"issuer-no-certsign":          "certificate 2: 2.5.29.15",
		"pathlen-exceeded":            "chain: 3 for 2; leaf: issuer; certificate 2: issuer subject",
		"issuer-expired":              "certificate 2: validity", "root-expired": "leaf: issuer",
		"issuer-unknown-critical-ext": "certificate 2: " + oidUnknown.String(), "issuer-wrong-eku": "certificate 2: 2.5.29.37",
		"name-constraint-violated":  "certificate 2: 2.5.29.30",
		"name-constraint-cn-bypass": "leaf: 2.5.29.17; certificate 2: 2.5.29.30",
		"curveball":                 "chain: 2 for 1", "psychic-cert": "",
		"wrong-host": "leaf: 2.5.29.17 subject", "cn-match-san-mismatch": "leaf: 2.5.29.17", "no-san-cn-only": "leaf: 2.5.29.17",
		"nul-in-san": "leaf: 2.5.29.17 subject", "nul-in-cn": "leaf: 2.5.29.17 subject",
		"wildcard-two-labels": "leaf: 2.5.29.17", "wildcard-bare": "leaf: 2.5.29.17", "wildcard-not-leftmost": "leaf: 2.5.29.17", "wildcard-partial": "leaf: 2.5.29.17",
		"ip-in-dns-san": "leaf: 2.5.29.17", "duplicate-san": "leaf: 2.5.29.17 2.5.29.17 again subject",
		"expired": "leaf: validity", "not-yet-valid": "leaf: validity", "wrong-eku": "leaf: 2.5.29.37", "wrong-ku": "leaf: 2.5.29.15",
		"unknown-critical-ext": "leaf: " + oidUnknown.String(), "no-eku": "leaf: 2.5.29.37", "ca-as-leaf": "leaf: 2.5.29.14 2.5.29.19", "long-validity": "leaf: validity",
		"md5-signature": "leaf: inner algorithm outer algorithm", "sha1-signature": "leaf: inner algorithm outer algorithm", "sigalg-mismatch": "leaf: outer algorithm",
		"rsa-1024": "leaf: key", "rsa-512": "leaf: key",
		"staple-revoked": "", "must-staple-missing": "leaf: " + oidTLSFeature.String(),
	}
	a, _ := testLab(t)
	now := a.now()
	a.now = func() time.Time { return now }
	for i := range Faults {
		f := &Faults[i]
		if f.Control == "" || f.Handshake {
			continue
		}
		bad, err := a.Faulty(hostOf(f), f.ID)
		if err != nil {
			t.Fatal(f.ID, err)
		}
		good, err := a.Faulty(hostOf(f), f.Control)
		if err != nil {
			t.Fatal(f.ID, err)
		}
		var got []string
		if n, m := len(bad.Certificate), len(good.Certificate); n != m {
			got = append(got, fmt.Sprintf("chain: %d for %d", n, m))
		}
		for i := range min(len(bad.Certificate), len(good.Certificate)) {
			if d := differences(shape(bad.Certificate[i]), shape(good.Certificate[i])); d != "" {
				name := "leaf"
				if i > 0 {
					name = fmt.Sprint("certificate ", i+1)
				}
				got = append(got, name+": "+d)
			}
		}
		w, known := want[f.ID]
		if g := strings.Join(got, "; "); g != w || !known {
			t.Errorf("%s differs from %s in %q, want %q", f.ID, f.Control, g, w)
		}
	}
}

func differences(a, b map[string]string) string {
	var out []string
	for k := range a {
		if a[k] != b[k] {
			out = append(out, k)
		}
	}
	for k := range b {
		if _, both := a[k]; !both {
			out = append(out, k)
		}
	}
	for i, k := range out {
		if j := strings.Index(k, " again"); j >= 0 {
			out[i] = k[:j+len(" again")]
		}
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), " ")
}

// TestNoSecondWay: in a case about alternative names the common name is not another way to find the host in it,
// or a client that looks there would seem to match a wildcard, or to read up to a NUL.
func TestNoSecondWay(t *testing.T) {
	a, _ := testLab(t)
	aboutCN := map[string]bool{"cn-match-san-mismatch": true, "no-san-cn-only": true, "nul-in-cn": true, "name-constraint-cn-bypass": true}
	for i := range Faults {
		f := &Faults[i]
		cert, err := a.Faulty(hostOf(f), f.ID)
		if err != nil {
			t.Fatal(f.ID, err)
		}
		control := f
		if f.Severity != Control {
			control = FaultOf(f.Control)
		}
		good, err := a.Faulty(hostOf(f), control.ID)
		if err != nil {
			t.Fatal(control.ID, err)
		}
		if aboutCN[f.ID] || shape(cert.Certificate[0])["2.5.29.17"] == shape(good.Certificate[0])["2.5.29.17"] {
			continue // about the common name, or not about names at all
		}
		if bytes.Contains(subjectOf(t, cert.Certificate[0]), []byte(hostOf(f))) {
			t.Errorf("%s: the host stands in the subject too", f.ID)
		}
	}
}

// subjectOf returns the subject of a certificate, DER, also of one that crypto/x509 cannot read.
func subjectOf(t *testing.T, der []byte) []byte {
	t.Helper()
	var c certificate
	var tbs toBeSigned
	if _, err := asn1.Unmarshal(der, &c); err != nil {
		t.Fatal(err)
	}
	if _, err := asn1.Unmarshal(c.TBS.FullBytes, &tbs); err != nil {
		t.Fatal(err)
	}
	return tbs.Subject.FullBytes
}

// TestFaultyTogether: faults add up where they can.
func TestFaultyTogether(t *testing.T) {
	a, roots := testLab(t)
	cert, err := a.Faulty("www.bank.test", "expired", "wrong-host", "wrong-eku", "untrusted-root")
	if err != nil {
		t.Fatal(err)
	}
	c := cert.Leaf
	if !c.NotAfter.Before(a.now()) || !slices.Equal(c.DNSNames, []string{attacker}) || !reflect.DeepEqual(c.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}) {
		t.Errorf("names %q, until %v, for %v", c.DNSNames, c.NotAfter, c.ExtKeyUsage)
	}
	if _, err := c.Verify(x509.VerifyOptions{Roots: roots, DNSName: attacker, CurrentTime: c.NotBefore.AddDate(0, 0, 1), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err == nil {
		t.Error("it ends in a trusted root")
	}
	if bytes.Equal(c.RawIssuer, a.cert.RawSubject) {
		t.Error("its issuer is the trusted root")
	}
	for _, ids := range [][]string{{"untrusted-root", "curveball"}, {"root-expired", "self-signed"}, {"no-such-fault"}} {
		if _, err := a.Faulty("www.bank.test", ids...); err == nil {
			t.Errorf("%v go together", ids)
		}
	}
	if _, err := a.Faulty("localhost", "wildcard-two-labels"); err == nil {
		t.Error("a wildcard for a host of one label")
	}
}
