package keys_test

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"explainer/capture/keys"
)

// TestPrivateKeys reads one key in every form that openssl writes it in.
func TestPrivateKeys(t *testing.T) {
	dir := t.TempDir()
	openssl := func(args ...string) {
		t.Helper()
		cmd := exec.Command("openssl", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "pkcs8.pem", "-out", "cert.pem", "-subj", "/CN=localhost")
	openssl("rsa", "-in", "pkcs8.pem", "-traditional", "-out", "pkcs1.pem")
	openssl("rsa", "-in", "pkcs8.pem", "-traditional", "-outform", "DER", "-out", "pkcs1.der")
	openssl("pkcs8", "-topk8", "-nocrypt", "-in", "pkcs8.pem", "-outform", "DER", "-out", "pkcs8.der")
	openssl("rsa", "-in", "pkcs8.pem", "-traditional", "-aes128", "-passout", "pass:sesame", "-out", "encrypted-pkcs1.pem")
	openssl("rsa", "-in", "pkcs8.pem", "-traditional", "-des3", "-passout", "pass:sesame", "-out", "encrypted-des.pem")
	openssl("pkcs8", "-topk8", "-in", "pkcs8.pem", "-passout", "pass:sesame", "-out", "encrypted-pkcs8.pem")
	openssl("pkcs8", "-topk8", "-in", "pkcs8.pem", "-passout", "pass:sesame", "-outform", "DER", "-out", "encrypted-pkcs8.der")
	openssl("pkcs8", "-topk8", "-scrypt", "-in", "pkcs8.pem", "-passout", "pass:sesame", "-out", "encrypted-scrypt.pem")
	openssl("pkcs12", "-export", "-in", "cert.pem", "-inkey", "pkcs8.pem", "-passout", "pass:sesame", "-out", "encrypted.p12")
	openssl("pkcs12", "-export", "-in", "cert.pem", "-inkey", "pkcs8.pem", "-passout", "pass:", "-out", "empty.p12")
	openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ec.pem")
	both := append(read(t, dir, "cert.pem"), read(t, dir, "pkcs8.pem")...)
	if err := os.WriteFile(filepath.Join(dir, "with-certificate.pem"), both, 0o600); err != nil {
		t.Fatal(err)
	}
	none := func() ([]byte, error) {
		t.Error("asked for a password where nothing is encrypted")
		return nil, nil
	}
	var want *rsa.PrivateKey
	for _, name := range []string{"pkcs8.pem", "pkcs1.pem", "pkcs1.der", "pkcs8.der", "with-certificate.pem", "empty.p12"} {
		got, err := keys.ParsePrivateKeys(read(t, dir, name), none)
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: %d keys, %v", name, len(got), err)
		}
		if want == nil {
			want = got[0]
		}
		if !want.Equal(got[0]) {
			t.Errorf("%s is another key", name)
		}
	}
	for _, name := range []string{"encrypted-pkcs1.pem", "encrypted-des.pem", "encrypted-pkcs8.pem", "encrypted-pkcs8.der", "encrypted-scrypt.pem", "encrypted.p12"} {
		asked := 0
		got, err := keys.ParsePrivateKeys(read(t, dir, name), func() ([]byte, error) { asked++; return []byte("sesame"), nil })
		if err != nil || len(got) != 1 || !want.Equal(got[0]) || asked != 1 {
			t.Errorf("%s: %d keys, asked %d times, %v", name, len(got), asked, err)
		}
		if _, err := keys.ParsePrivateKeys(read(t, dir, name), func() ([]byte, error) { return []byte("wrong"), nil }); !errors.Is(err, keys.ErrPassword) {
			t.Errorf("%s with a wrong password: %v", name, err)
		}
		no := errors.New("no terminal")
		if _, err := keys.ParsePrivateKeys(read(t, dir, name), func() ([]byte, error) { return nil, no }); !errors.Is(err, no) {
			t.Errorf("%s without a password: %v", name, err)
		}
	}
	for _, name := range []string{"ec.pem", "cert.pem"} {
		if _, err := keys.ParsePrivateKeys(read(t, dir, name), none); !errors.Is(err, keys.ErrNoRSAKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := keys.ParsePrivateKeys([]byte("no key"), none); err == nil {
		t.Error("text is read as a key")
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzParsePrivateKeys: a damaged file is an error and nothing else.
func FuzzParsePrivateKeys(f *testing.F) {
	f.Add([]byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-CBC,0000000000000000\n\nMAA=\n-----END RSA PRIVATE KEY-----\n"))
	f.Add([]byte{0x30, 0x80, 2, 1, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<12 || bytes.Contains(data, []byte("\x02")) && len(data) > 256 {
			return // iteration counts are the file's
		}
		found, err := keys.ParsePrivateKeys(data, func() ([]byte, error) { return []byte("x"), nil })
		if (len(found) == 0) == (err == nil) {
			t.Errorf("%d keys, %v", len(found), err)
		}
	})
}
