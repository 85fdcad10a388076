// Package roots reads lists of trusted authorities, the machine's own and files', for package verify.
package roots

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"explainer/ca/verify"
	"explainer/capture/worded"
)

// System returns the trust store of this machine, as crypto/x509 finds it
// (x509.SystemCertPool): SSL_CERT_FILE and SSL_CERT_DIR count on Unix. The
// stores of macOS and Windows cannot be listed; they are asked for each chain.
func System(name string) (*verify.Roots, error) {
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" || runtime.GOOS == "ios" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			return nil, err
		}
		return verify.PoolRoots(name, pool), nil
	}
	out := verify.NewRoots(name)
	var first error
	note := func(err error) {
		if first == nil && !errors.Is(err, os.ErrNotExist) {
			first = err
		}
	}
	files, dirs := places()
	if f := os.Getenv("SSL_CERT_FILE"); f != "" {
		files = []string{f}
	}
	if d := os.Getenv("SSL_CERT_DIR"); d != "" {
		dirs = strings.Split(d, ":")
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err == nil {
			add(out, data)
			break
		}
		note(err)
	}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			note(err)
			continue
		}
		for _, e := range entries {
			if target, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && !strings.Contains(target, "/") {
				continue // another name for a file that is read anyway
			}
			if data, err := os.ReadFile(filepath.Join(dir, e.Name())); err == nil {
				add(out, data)
			}
		}
	}
	if out.Len() == 0 && first != nil {
		return nil, worded.Error(fmt.Errorf("the trust store of this machine cannot be read: %w", first), "roots-file/unreadable", "error", first)
	}
	return out, nil
}

// places are where Unix systems keep their trust stores: the first file that can be read counts, and all folders.
func places() (files, dirs []string) {
	switch runtime.GOOS {
	case "freebsd", "openbsd", "netbsd", "dragonfly":
		return []string{"/usr/local/etc/ssl/cert.pem", "/etc/ssl/cert.pem", "/usr/local/share/certs/ca-root-nss.crt", "/etc/openssl/certs/ca-certificates.crt"},
			[]string{"/etc/ssl/certs", "/usr/local/share/certs", "/etc/openssl/certs"}
	}
	return []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/cacert.pem",
			"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem"},
		[]string{"/etc/ssl/certs", "/etc/pki/tls/certs"}
}

// File returns the certificates of a PEM file as roots called name.
func File(name, path string) (*verify.Roots, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	out := verify.NewRoots(name)
	if n := add(out, data); n == 0 {
		return nil, worded.Error(fmt.Errorf("%s holds no certificate: it must be in PEM form (-----BEGIN CERTIFICATE-----)", path), "roots-file/not-pem", "file", path)
	}
	return out, nil
}

// add adds the certificates of PEM data and counts them. Those that crypto/x509
// cannot read are left out, as it does itself.
func add(to *verify.Roots, data []byte) (n int) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return n
		}
		if block.Type != "CERTIFICATE" || len(block.Headers) != 0 {
			continue
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && to.AddParsed(cert) {
			n++
		}
	}
}
