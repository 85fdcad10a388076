package ca

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"explainer/ca/verify"
)

// TestWeaknesses: each has what its sentence says and nothing else, crypto/x509 takes
// it all the same, and a client that refuses it is shown to, where a command does.
func TestWeaknesses(t *testing.T) {
	// What the checks find, and curl's error: "" where only browsers refuse it. Where
	// the staple alone is bad, curl looks at it because it is told to.
	want := map[string]struct{ reasons, curl string }{
		"good-must-staple":          {"", "200"},
		"rsa-1536":                  {"rsa-short", "EE certificate key too weak"},
		"issuer-rsa-1024":           {"issuer-rsa-short", "CA certificate key too weak"},
		"any-eku":                   {"any-eku", "unsuitable certificate purpose"},
		"issuer-any-eku":            {"issuer-any-eku", "unsuitable certificate purpose"},
		"issuer-must-staple":        {"issuer-must-staple", ""},
		"ocsp-signing-eku":          {"ocsp-signing-eku", ""},
		"key-encipherment-only":     {"wrong-ku", ""},
		"aki-mismatch":              {"aki-mismatch", "unable to get local issuer certificate"},
		"must-staple-old":           {"must-staple-unmet staple-old", "OCSP response has expired"},
		"staple-old":                {"staple-old", "OCSP response has expired"},
		"staple-not-yet":            {"staple-not-yet", "OCSP response has expired"}, // its word for this too
		"staple-unknown":            {"staple-unknown", "certificate status verification FAILED"},
		"staple-refused":            {"staple-refused", "trylater"},
		"staple-unreadable":         {"staple-unreadable", "Invalid OCSP response"},
		"staple-other-certificate":  {"staple-other-certificate", "Could not find certificate ID in OCSP response"},
		"staple-bad-signature":      {"staple-bad-signature", "OCSP response verification failed"},
		"staple-revoked-unsaid":     {"staple-revoked", "revocation reason: (UNKNOWN) (-1)"},
		"staple-revoked-superseded": {"staple-revoked", "revocation reason: superseded (4)"},
	}
	a, _ := testLab(t)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, a.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	const host = "www.bank.test"
	for i := range Weaknesses {
		f := &Weaknesses[i]
		t.Run(f.ID, func(t *testing.T) {
			t.Parallel()
			w, known := want[f.ID]
			control := FaultOf(f.Control)
			if !known || FaultOf(f.ID) != nil || control == nil && WeaknessOf(f.Control) == nil || !strings.HasSuffix(f.Wrong, ".") || (f.Refuser == "") != (f.Severity == Control) {
				t.Fatal("not all that belongs to it is there")
			}
			cert, err := a.Faulty(host, f.ID)
			if err != nil {
				t.Fatal(err)
			}
			in := verify.Input{Chain: cert.Certificate, Name: host, Time: time.Now(), Roots: verify.NewRoots("", a.Certificate().Raw), Use: verify.Signed, Staple: cert.OCSPStaple, Stapling: verify.StapleAsked}
			var reasons []string
			for _, c := range verify.Chain(in).Checks {
				if c.Counts() {
					reasons = append(reasons, c.Reason)
				}
			}
			slices.Sort(reasons)
			if got := strings.Join(slices.Compact(reasons), " "); got != w.reasons {
				t.Errorf("the checks find %q, want %q", got, w.reasons)
			}
			roots, pool := x509.NewCertPool(), x509.NewCertPool()
			roots.AddCert(a.Certificate())
			for _, der := range cert.Certificate[1:] {
				c, err := x509.ParseCertificate(der)
				if err != nil {
					t.Fatal(err)
				}
				pool.AddCert(c)
			}
			if _, err := cert.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: pool}); err != nil {
				t.Errorf("crypto/x509: %v", err)
			}
			if w.curl == "" {
				return
			}
			port := serve(t, &tls.Config{Certificates: []tls.Certificate{*cert}})
			args := clients[0].args(file, port, host)
			if f.Asked || f.Severity == Control {
				args = append(args, "--cert-status")
			}
			out, err := exec.Command("curl", args...).CombinedOutput()
			switch {
			case w.curl == "200":
				if err != nil || !bytes.Contains(out, []byte("hello")) {
					t.Errorf("curl: %v: %s", err, out)
				}
			case err == nil || !bytes.Contains(out, []byte(w.curl)):
				t.Errorf("curl: %v: %s", err, out)
			}
		})
	}
}
