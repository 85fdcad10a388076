// Package ca makes the keys and certificates that the proxy shows to its
// clients: the certificate authority that they are asked to trust, and a leaf
// for each site.
package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"explainer/capture/worded"
)

// An Authority signs leaves. It is safe for concurrent use.
type Authority struct {
	cert   *x509.Certificate
	key    crypto.Signer
	now    func() time.Time
	leaves cache
	others others
}

const (
	// A root made now must hold for a phone whose clock is a day behind.
	rootBefore = 2 * 24 * time.Hour
	// A root that is forgotten in a trust store should not stay dangerous for long.
	rootAfter = 365 * 24 * time.Hour

	// The longest commonName, in characters (RFC 5280 appendix A.1, ub-common-name).
	maxCommonName = 64
)

// NewEphemeral makes an authority that lives in memory alone, for roots that
// nobody is asked to trust for longer than this process runs. commonName is 1
// to 64 bytes long.
func NewEphemeral(commonName string) (*Authority, error) {
	if commonName == "" || len(commonName) > maxCommonName {
		return nil, fmt.Errorf("the common name of a CA has %d bytes, want 1 to %d", len(commonName), maxCommonName)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make the key of a CA: %w", err)
	}
	cert, err := makeRoot(key, commonName, time.Now())
	if err != nil {
		return nil, err
	}
	return newAuthority(cert, key), nil
}

func newAuthority(cert *x509.Certificate, key crypto.Signer) *Authority {
	return &Authority{cert: cert, key: key, now: time.Now}
}

// makeRoot makes the certificate of a root (RFC 5280 4.2.1: basicConstraints,
// keyUsage and subjectKeyIdentifier are a CA's duties). Its path length of 2
// leaves room for the intermediate CAs of deliberately bad chains.
func makeRoot(key *ecdsa.PrivateKey, commonName string, now time.Time) (*x509.Certificate, error) {
	// The name stands in CommonName because iOS lists roots by that alone.
	return certify(&x509.Certificate{
		Subject:               pkix.Name{CommonName: commonName, Organization: []string{"explainer"}},
		NotBefore:             now.Add(-rootBefore),
		NotAfter:              now.Add(rootAfter),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLen:            2,
	}, nil, key.Public(), key)
}

// certify gives the template a serial number of its own and signs it. A nil
// parent makes it sign itself.
func certify(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	template.SerialNumber = newSerial()
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, fmt.Errorf("cannot sign the certificate of %q: %w", template.Subject.CommonName, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("cannot read back the certificate of %q: %w", template.Subject.CommonName, err)
	}
	return cert, nil
}

// newSerial returns 128 random bits that are not zero: positive and at most 17
// octets of DER, where RFC 5280 4.1.2.2 allows 20. Random because browsers
// refuse two certificates of one issuer with one number.
func newSerial() *big.Int {
	serial := new(big.Int)
	for serial.Sign() == 0 {
		var b [16]byte
		rand.Read(b[:]) // never fails
		serial.SetBytes(b[:])
	}
	return serial
}

// Certificate returns the authority's own certificate, which must not be changed.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// PEM returns the certificate, without the key, as one PEM block (RFC 7468).
func (a *Authority) PEM() []byte { return certificatePEM(a.cert) }

func certificatePEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

// PKCS12 returns a trust store with the certificate, without the key, sealed
// with password (RFC 7292), for programs on Java, which trusts the entry
// because it is marked as trusted for any purpose. The sealing is the old one
// (3DES, HMAC-SHA-1), for Javas before 12 cannot read the new one; nothing in
// the store is secret.
func (a *Authority) PKCS12(password string, also ...*x509.Certificate) ([]byte, error) {
	var entries []pkcs12.TrustStoreEntry
	for _, cert := range append([]*x509.Certificate{a.cert}, also...) {
		entries = append(entries, pkcs12.TrustStoreEntry{Cert: cert, FriendlyName: cert.Subject.CommonName})
	}
	store, err := pkcs12.LegacyDES.EncodeTrustStoreEntries(entries, password)
	if err != nil {
		return nil, fmt.Errorf("cannot make a PKCS #12 trust store: %w", err)
	}
	return store, nil
}

// Fingerprint returns the SHA-256 of the certificate's DER, which trust stores show.
func (a *Authority) Fingerprint() [32]byte { return sha256.Sum256(a.cert.Raw) }

// SPKIHash returns the SHA-256 of the certificate's SubjectPublicKeyInfo in
// DER, the form in which public keys are pinned (RFC 7469 2.4).
func (a *Authority) SPKIHash() [32]byte { return sha256.Sum256(a.cert.RawSubjectPublicKeyInfo) }

// check tells why a pair of certificate and key cannot serve as an authority at this time.
func check(cert *x509.Certificate, key crypto.Signer, now time.Time) error {
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	switch {
	case !bytes.Equal(public, cert.RawSubjectPublicKeyInfo):
		return worded.Error(errors.New("the certificate belongs to another key"), "ca-store/other-key")
	case !cert.BasicConstraintsValid || !cert.IsCA:
		return worded.Error(errors.New("the certificate is not a CA's"), "ca-store/not-ca")
	case cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return worded.Error(errors.New("the certificate's key may not sign certificates"), "ca-store/no-certsign")
	}
	return checkDates(cert, now)
}

// errExpired is told with the way out of it, which differs with where the authority came from.
var errExpired = errors.New("the CA certificate expired")

func checkDates(cert *x509.Certificate, now time.Time) error {
	switch {
	case now.After(cert.NotAfter):
		return worded.Error(fmt.Errorf("%w on %s", errExpired, cert.NotAfter.Format(time.DateOnly)), "ca-store/expired", "day", cert.NotAfter.Format(time.DateOnly))
	case now.Before(cert.NotBefore):
		return worded.Error(fmt.Errorf("the CA certificate is not valid before %s: check this machine's clock", cert.NotBefore.Format(time.DateOnly)), "ca-store/not-yet", "day", cert.NotBefore.Format(time.DateOnly))
	}
	return nil
}
