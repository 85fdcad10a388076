package roots

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestSystem holds that we list what crypto/x509 finds.
func TestSystem(t *testing.T) {
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		return // there it is crypto/x509's own store that is asked
	}
	got, err := System("this machine's")
	if err != nil {
		t.Fatal(err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	ours := x509.NewCertPool()
	for _, der := range got.All() {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		ours.AddCert(c)
	}
	if !ours.Equal(pool) {
		t.Errorf("the %d roots listed are not those of crypto/x509", got.Len())
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "roots.pem")
	if _, err := File("r", path); !os.IsNotExist(err) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte("no certificate in here"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := File("r", path); err == nil {
		t.Error("a file without certificates is taken")
	}
}
