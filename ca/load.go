package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"explainer/capture/worded"
)

// The files of an authority in its folder.
const (
	// CertFile is the certificate alone, to hand out: one PEM block, mode 0644.
	CertFile = "ca.pem"
	// KeyFile is the private key (PEM, PKCS #8, RFC 5958) and after it the
	// certificate once more, mode 0600. It alone is the authority; CertFile is
	// made again from it when it is missing.
	KeyFile = "ca-key.pem"
)

// Load opens the authority kept in the folder dir and makes both on first use.
// Of any number of processes that start at once, one makes it and all open that one.
//
// Outside Windows it refuses a folder or a key file that belongs to another user than the
// one who runs this, or that anyone but its owner may use. Files that are damaged, do not belong together or have expired are
// refused and never overwritten; the error says what to do about them.
func Load(dir string) (*Authority, error) {
	if err := openFolder(dir); err != nil {
		return nil, err
	}
	certFile, keyFile := filepath.Join(dir, CertFile), filepath.Join(dir, KeyFile)

	// The certificate is looked for before the key, because a process that makes
	// an authority publishes the key first: a certificate that was here before a
	// key that is not has truly lost it.
	_, certErr := os.Stat(certFile)
	secret, err := readSecret(keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		if certErr == nil {
			return nil, worded.Error(fmt.Errorf("%s is here but its key %s is missing: put the key file back, or remove %s to make a new CA", certFile, keyFile, certFile), "ca-store/key-missing", "certificate", certFile, "key", keyFile)
		}
		if err := makeSecret(keyFile); err != nil {
			return nil, err
		}
		secret, err = readSecret(keyFile)
	}
	if err != nil {
		return nil, err
	}
	key, inside, err := parseSecret(secret)
	if err != nil {
		return nil, worded.Error(fmt.Errorf("%s is damaged: %w; put a good copy back, or remove it and %s to make a new CA", keyFile, err, certFile), "ca-store/key-damaged", "key", keyFile, "error", err, "certificate", certFile)
	}

	certPEM, err := os.ReadFile(certFile)
	if errors.Is(err, fs.ErrNotExist) && inside != nil {
		if err := publish(certFile, certificatePEM(inside), 0o644); err != nil {
			return nil, err
		}
		certPEM, err = os.ReadFile(certFile)
	}
	if err != nil {
		return nil, worded.Error(fmt.Errorf("cannot read the CA's certificate: %w", err), "ca-store/read-certificate", "error", err)
	}
	cert, err := parseCertificate(certPEM)
	if err != nil {
		text := fmt.Errorf("%s is damaged: %w; put a good copy back%s", certFile, err, orRemake(inside))
		if inside != nil {
			return nil, worded.Error(text, "ca-store/certificate-damaged-remake", "certificate", certFile, "error", err, "file", CertFile, "key", KeyFile)
		}
		return nil, worded.Error(text, "ca-store/certificate-damaged", "certificate", certFile, "error", err)
	}
	if inside != nil && !cert.Equal(inside) {
		text := fmt.Errorf("%s and %s hold two different CAs; put back the files that belong together%s", certFile, keyFile, orRemake(inside))
		return nil, worded.Error(text, "ca-store/two", "certificate", certFile, "key", keyFile, "file", CertFile, "from", KeyFile)
	}
	err = check(cert, key, time.Now())
	if errors.Is(err, errExpired) {
		return nil, worded.Error(fmt.Errorf("%w: remove %s and %s to make a new CA, and the old one from every trust store that has it", err, certFile, keyFile), "ca-store/expired-remove", "error", err, "certificate", certFile, "key", keyFile)
	}
	if err != nil {
		return nil, worded.Error(fmt.Errorf("%s with %s cannot serve as a CA: %w", certFile, keyFile, err), "ca-store/cannot-serve", "certificate", certFile, "key", keyFile, "error", err)
	}
	return newAuthority(cert, key), nil
}

// Renew makes a new authority in the folder dir in place of the one there, which may have
// expired or be damaged.
func Renew(dir string) (*Authority, error) {
	if err := openFolder(dir); err != nil {
		return nil, err
	}
	// The certificate first: a key without one is an authority, a certificate without its key is not.
	for _, name := range []string{CertFile, KeyFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, worded.Error(fmt.Errorf("cannot remove the old CA: %w", err), "ca-store/remove", "error", err)
		}
	}
	return Load(dir)
}

// orRemake is the end of a hint about CertFile where KeyFile can replace it.
func orRemake(inside *x509.Certificate) string {
	if inside == nil {
		return ""
	}
	return fmt.Sprintf(", or remove %s: it is made again from %s", CertFile, KeyFile)
}

func openFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return worded.Error(fmt.Errorf("cannot make the CA's folder: %w", err), "ca-store/make-folder", "error", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return worded.Error(fmt.Errorf("cannot open the CA's folder: %w", err), "ca-store/open-folder", "error", err)
	}
	if loose(info) {
		return worded.Error(fmt.Errorf("others may use the CA's folder %s (mode %04o); run: chmod 700 %s", dir, info.Mode().Perm(), quote(dir)), "ca-store/folder-loose", "folder", dir, "mode", fmt.Sprintf("%04o", info.Mode().Perm()), "quoted", quote(dir))
	}
	if owner, foreign := foreignOwner(info); foreign {
		return worded.Error(fmt.Errorf("the CA's folder %s belongs to user %d, who may put a CA of their own there; name another folder, or run: chown -R %d %s", dir, owner, os.Geteuid(), quote(dir)), "ca-store/folder-foreign", "folder", dir, "owner", fmt.Sprint(owner), "user", fmt.Sprint(os.Geteuid()), "quoted", quote(dir))
	}
	return nil
}

// Stored returns the certificate of the authority in the folder dir, nil where there is none. It makes nothing and reads no key.
func Stored(dir string) (*x509.Certificate, error) {
	certPEM, err := os.ReadFile(filepath.Join(dir, CertFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, worded.Error(fmt.Errorf("cannot read the CA's certificate: %w", err), "ca-store/read-certificate", "error", err)
	}
	return parseCertificate(certPEM)
}

// readSecret reads the key file. The mode is that of the very file that is read.
func readSecret(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, worded.Error(fmt.Errorf("cannot open the CA's key: %w", err), "ca-store/open-key", "error", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, worded.Error(fmt.Errorf("cannot open the CA's key: %w", err), "ca-store/open-key", "error", err)
	}
	if owner, foreign := foreignOwner(info); foreign {
		return nil, worded.Error(fmt.Errorf("the CA's key %s belongs to user %d, who can impersonate any site to whoever trusts it; make a new CA in a folder of your own", path, owner), "ca-store/key-foreign", "key", path, "owner", fmt.Sprint(owner))
	}
	if loose(info) {
		return nil, worded.Error(fmt.Errorf("others may use the CA's key %s (mode %04o); run: chmod 600 %s (if others use this machine, make a new CA instead)", path, info.Mode().Perm(), quote(path)), "ca-store/key-loose", "key", path, "mode", fmt.Sprintf("%04o", info.Mode().Perm()), "quoted", quote(path))
	}
	secret, err := io.ReadAll(f)
	if err != nil {
		return nil, worded.Error(fmt.Errorf("cannot read the CA's key: %w", err), "ca-store/read-key", "error", err)
	}
	return secret, nil
}

// loose reports that the group or others may use the file. Windows has access
// lists instead, of which these bits say nothing.
func loose(info fs.FileInfo) bool {
	return runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0
}

// quote makes a path one word of a shell command.
func quote(path string) string {
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// makeSecret makes a new authority in the key file, if no other process does first.
func makeSecret(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot make the key of a CA: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("cannot encode the key of a CA: %w", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("cannot encode the key of a CA: %w", err)
	}
	// The name tells two authorities apart by their keys and says nothing of the
	// user or the machine: recordings carry it, and recordings are shared.
	now := time.Now()
	sum := sha256.Sum256(spki)
	name := fmt.Sprintf("explainer CA %x, made %s", sum[:4], now.Format(time.DateOnly))
	cert, err := makeRoot(key, name, now)
	if err != nil {
		return err
	}
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	return publish(path, append(secret, certificatePEM(cert)...), 0o600)
}

// publish gives the file its content in one step, durably: whoever opens it
// finds all of the content or no file, after a crash too. Of several writers
// the first wins and the others' content is dropped without an error.
//
// It is a hard link that makes it so: unlike a rename it never replaces a file,
// on Windows as elsewhere, and unlike a lock it leaves nothing to clean up.
func publish(path string, content []byte, mode fs.FileMode) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return worded.Error(fmt.Errorf("cannot write %s: %w", path, err), "ca-store/write", "file", path, "error", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return worded.Error(fmt.Errorf("cannot write %s: %w", path, err), "ca-store/write", "file", path, "error", err)
	}
	err = os.Link(f.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return worded.Error(fmt.Errorf("cannot make %s: %w; choose a folder on a file system with hard links", path, err), "ca-store/make-file", "file", path, "error", err)
	}
	// The name must be as durable as the content. Some systems cannot sync a
	// folder; they then give what they can.
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
	return nil
}

// parseSecret reads a key file: a private key, and the certificate where it has one.
func parseSecret(data []byte) (crypto.Signer, *x509.Certificate, error) {
	var key crypto.Signer
	var cert *x509.Certificate
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		data = rest
		switch block.Type {
		case "PRIVATE KEY":
			parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, nil, worded.Error(fmt.Errorf("its private key cannot be read: %w", err), "ca-store/key-unread", "error", err)
			}
			signer, ok := parsed.(crypto.Signer)
			if !ok || key != nil {
				return nil, nil, worded.Error(errors.New("it does not hold exactly one key that can sign"), "ca-store/one-key")
			}
			key = signer
		case "CERTIFICATE":
			parsed, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, worded.Error(fmt.Errorf("its certificate cannot be read: %w", err), "ca-store/certificate-unread", "error", err)
			}
			if cert != nil {
				return nil, nil, worded.Error(errors.New("it holds two certificates"), "ca-store/two-certificates")
			}
			cert = parsed
		default:
			return nil, nil, fmt.Errorf("it holds a %q block, want \"PRIVATE KEY\" (PKCS #8) and \"CERTIFICATE\"", block.Type)
		}
	}
	if len(bytes.TrimSpace(data)) > 0 {
		return nil, nil, worded.Error(errors.New("it ends in something that is not PEM"), "ca-store/not-pem")
	}
	if key == nil {
		return nil, nil, worded.Error(errors.New("it holds no private key"), "ca-store/no-key")
	}
	return key, cert, nil
}

// parseCertificate reads a certificate file, which is one PEM block.
func parseCertificate(data []byte) (*x509.Certificate, error) {
	block, rest := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, worded.Error(errors.New("it does not begin with a certificate in PEM"), "ca-store/not-certificate")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, worded.Error(errors.New("something stands after its certificate"), "ca-store/after-certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, worded.Error(fmt.Errorf("its certificate cannot be read: %w", err), "ca-store/certificate-unread", "error", err)
	}
	return cert, nil
}
