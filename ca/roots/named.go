package roots

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/crypto/cryptobyte"
	"software.sslmate.com/src/go-pkcs12"

	"explainer/capture/worded"
)

// Certificates returns the certificates of a file or of the files of a folder,
// as programs take them for roots: PEM or a single one in DER; and of a trust store of Java's,
// in either of its formats, PKCS #12 (which password opens) and JKS. Of a
// folder's files those that hold none are passed over.
func Certificates(path, password string) ([]*x509.Certificate, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return certificates(path, password)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var all []*x509.Certificate
	for _, e := range entries {
		name := filepath.Join(path, e.Name())
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			found, _ := certificates(name, password)
			all = append(all, found...)
		}
	}
	return all, nil
}

// maxFile bounds what is read of one file: the largest lists have some hundred kilobytes.
const maxFile = 16 << 20

func certificates(path, password string) ([]*x509.Certificate, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, worded.Error(fmt.Errorf("%s is no list of certificates", path), "roots-file/no-list", "file", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var found []*x509.Certificate
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		// OpenSSL's own form has further data behind the certificate, which is passed over.
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			found = append(found, cert)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	if cert, err := x509.ParseCertificate(data); err == nil {
		return []*x509.Certificate{cert}, nil
	}
	if found = keyStore(data); len(found) > 0 {
		return found, nil
	}
	if found, err = pkcs12.DecodeTrustStore(data, password); err == nil && len(found) > 0 {
		return found, nil
	}
	if errors.Is(err, pkcs12.ErrIncorrectPassword) {
		return nil, worded.Error(fmt.Errorf("%s: the password is another one", path), "roots-file/password", "file", path)
	}
	return nil, worded.Error(fmt.Errorf("%s holds no certificate", path), "roots-file/none", "file", path)
}

// keyStore returns the trusted certificates of a key store in Java's older format
// (sun.security.provider.JavaKeyStore): a magic number, the version and the number
// of entries, then the entries; all lengths big-endian. The checksum at its end, which needs a password, is not looked at.
func keyStore(data []byte) (found []*x509.Certificate) {
	const magic, trusted = 0xfeedfeed, 2
	s := cryptobyte.String(data)
	var begins, version, count uint32
	if !s.ReadUint32(&begins) || begins != magic || !s.ReadUint32(&version) || !s.ReadUint32(&count) {
		return nil
	}
	for range count {
		var tag, size uint32
		var alias, kind cryptobyte.String
		var der []byte
		if !s.ReadUint32(&tag) || tag != trusted ||
			!s.ReadUint16LengthPrefixed(&alias) || !s.Skip(8) || // the date, in milliseconds
			version == 2 && !s.ReadUint16LengthPrefixed(&kind) ||
			!s.ReadUint32(&size) || uint64(size) > uint64(len(s)) || !s.ReadBytes(&der, int(size)) {
			return found
		}
		if cert, err := x509.ParseCertificate(der); err == nil {
			found = append(found, cert)
		}
	}
	return found
}
