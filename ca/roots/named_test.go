package roots

import (
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"explainer/ca"
)

// TestCertificates reads lists in each form in which programs take them, those of
// Java as its keytool writes them.
func TestCertificates(t *testing.T) {
	t.Parallel()
	a, err := ca.NewEphemeral("named test")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	block, _ := pem.Decode(a.PEM())
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one.pem", a.PEM())
	write("two.pem", append(append([]byte("# a comment\n"), a.PEM()...), a.PEM()...))
	write("one.der", block.Bytes)
	write("nothing", []byte("nothing"))
	write("cut.jks", []byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2})
	for name, kind := range map[string]string{"store.jks": "JKS", "store.p12": "PKCS12"} {
		out, err := exec.Command("keytool", "-importcert", "-noprompt", "-alias", "one", "-file", filepath.Join(dir, "one.pem"),
			"-keystore", filepath.Join(dir, name), "-storetype", kind, "-storepass", "changeit").CombinedOutput()
		if err != nil {
			t.Fatalf("this test needs keytool: %v: %s", err, out)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "folder", "within"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("folder/one.0", a.PEM())
	write("folder/README", nil)
	for name, want := range map[string]int{"one.pem": 1, "two.pem": 2, "one.der": 1, "store.jks": 1, "store.p12": 1, "folder": 1, "nothing": -1, "cut.jks": -1, "missing": -1} {
		certs, err := Certificates(filepath.Join(dir, name), "changeit")
		if err != nil && want >= 0 || err == nil && len(certs) != want {
			t.Errorf("%s: %d certificates, %v, want %d", name, len(certs), err, want)
		}
	}
	if _, err := Certificates(filepath.Join(dir, "store.p12"), "another"); err == nil {
		t.Error("a store was opened with another password")
	}
}
