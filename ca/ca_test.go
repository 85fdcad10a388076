package ca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRoot(t *testing.T) {
	a := load(t, newDir(t))
	c := a.Certificate()
	if key, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve.Params().Name != "P-256" {
		t.Errorf("public key %T, want ECDSA on P-256", c.PublicKey)
	}
	checkSerial(t, c)
	spki := a.SPKIHash()
	want := "explainer CA " + hex.EncodeToString(spki[:4]) + ", made " + time.Now().Format(time.DateOnly)
	if c.Subject.CommonName != want {
		t.Errorf("CN %q, want %q", c.Subject.CommonName, want)
	}
	if len(c.Subject.CommonName) > maxCommonName {
		t.Errorf("CN has %d bytes", len(c.Subject.CommonName))
	}
	if len(c.Subject.Organization) != 1 || c.Subject.Organization[0] != "explainer" {
		t.Errorf("O %q", c.Subject.Organization)
	}
	if !c.IsCA || !c.BasicConstraintsValid || c.MaxPathLen != 2 {
		t.Errorf("basicConstraints: CA %v, valid %v, pathlen %d", c.IsCA, c.BasicConstraintsValid, c.MaxPathLen)
	}
	if c.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
		t.Errorf("keyUsage %b", c.KeyUsage)
	}
	if len(c.SubjectKeyId) == 0 {
		t.Error("no subjectKeyIdentifier")
	}
	wantCritical(t, c, "2.5.29.19", true)
	wantCritical(t, c, "2.5.29.15", true)
	wantCritical(t, c, "2.5.29.14", false)
	if since := time.Since(c.NotBefore); since < 47*time.Hour || since > 49*time.Hour {
		t.Errorf("valid since %v", since)
	}
	if until := time.Until(c.NotAfter); until < 364*24*time.Hour || until > 366*24*time.Hour {
		t.Errorf("valid for %v", until)
	}
	if a.Fingerprint() != sha256.Sum256(c.Raw) || spki != sha256.Sum256(c.RawSubjectPublicKeyInfo) {
		t.Error("the hashes are not those of the certificate")
	}
	block, rest := pem.Decode(a.PEM())
	if block == nil || !bytes.Equal(block.Bytes, c.Raw) || len(rest) > 0 {
		t.Error("PEM is not the certificate")
	}
}

func TestEphemeral(t *testing.T) {
	a, err := NewEphemeral("Another root")
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewEphemeral("Another root")
	if err != nil {
		t.Fatal(err)
	}
	if a.Certificate().Subject.CommonName != "Another root" {
		t.Errorf("CN %q", a.Certificate().Subject.CommonName)
	}
	if a.SPKIHash() == b.SPKIHash() {
		t.Error("two roots have one key")
	}
	for _, name := range []string{"", strings.Repeat("x", 65)} {
		if _, err := NewEphemeral(name); err == nil {
			t.Errorf("a root named %q was made", name)
		}
	}
	// A leaf of one is none of the other's, though the issuers' names are equal.
	leaf := mustLeaf(t, a, Spec{Names: []string{"site.test"}})
	if _, err := leaf.Leaf.Verify(verifyOptions(b, "site.test")); err == nil {
		t.Error("a leaf verifies under a root that did not sign it")
	}
}

func TestPKCS12(t *testing.T) {
	a := load(t, newDir(t))
	store, err := a.PKCS12("changeit")
	if err != nil {
		t.Fatal(err)
	}
	keytool, err := exec.LookPath("keytool")
	if err != nil {
		t.Log("keytool is not installed: not tried against it")
		return
	}
	path := filepath.Join(t.TempDir(), "ca.p12")
	if err := os.WriteFile(path, store, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(keytool, "-J-Duser.language=en", "-list", "-v", "-keystore", path, "-storetype", "PKCS12", "-storepass", "changeit").CombinedOutput()
	if err != nil {
		t.Fatalf("keytool: %v\n%s", err, out)
	}
	print := a.Fingerprint()
	var colons []string
	for _, b := range print {
		colons = append(colons, strings.ToUpper(hex.EncodeToString([]byte{b})))
	}
	for _, want := range []string{"trustedCertEntry", "contains 1 entry", strings.Join(colons, ":")} {
		if !strings.Contains(string(out), want) {
			t.Errorf("keytool does not say %q:\n%s", want, out)
		}
	}
	if out, err := exec.Command(keytool, "-list", "-keystore", path, "-storetype", "PKCS12", "-storepass", "another").CombinedOutput(); err == nil {
		t.Errorf("keytool opens the store with another password:\n%s", out)
	}
}

// newDir returns the path of a folder that is not there yet.
func newDir(t testing.TB) string { return filepath.Join(t.TempDir(), "ca") }

func load(t testing.TB, dir string) *Authority {
	t.Helper()
	a, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func mustLeaf(t testing.TB, a *Authority, spec Spec) *tls.Certificate {
	t.Helper()
	cert, err := a.Leaf(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func verifyOptions(a *Authority, name string) x509.VerifyOptions {
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate())
	return x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: a.now()}
}

func checkSerial(t testing.TB, c *x509.Certificate) {
	t.Helper()
	der, err := asn1.Marshal(c.SerialNumber)
	if err != nil {
		t.Fatal(err)
	}
	// Fewer than 64 of 128 random bits: once in 2^64.
	if c.SerialNumber.Sign() != 1 || c.SerialNumber.BitLen() < 64 || len(der)-2 > 20 {
		t.Errorf("serial number %x", c.SerialNumber)
	}
}

// wantCritical checks that the certificate has the extension, once, with this critical flag.
func wantCritical(t testing.TB, c *x509.Certificate, oid string, critical bool) {
	t.Helper()
	n := 0
	for _, e := range c.Extensions {
		if e.Id.String() == oid {
			n++
			if e.Critical != critical {
				t.Errorf("extension %s: critical %v", oid, e.Critical)
			}
		}
	}
	if n != 1 {
		t.Errorf("extension %s stands there %d times", oid, n)
	}
}
