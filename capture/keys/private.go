package keys

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"

	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"

	"explainer/capture/worded"
)

// What [ParsePrivateKeys] can find wrong.
var (
	ErrPassword = worded.Error(errors.New("the password does not open it"), "private-key/password")
	ErrNoRSAKey = worded.Error(errors.New("there is no RSA private key in it"), "private-key/no-rsa")
)

// PrivateKey is a server's RSA key.
type PrivateKey = rsa.PrivateKey

// ParsePrivateKeys reads the RSA private keys of a file: PEM or DER of PKCS#1 or
// PKCS#8, the same encrypted (RFC 1421 4.6.1.1 as old programs write it, RFC 8018
// 6.2), or PKCS#12. Other keys and the certificates in it are passed over.
// password is asked where something is encrypted, at most once; its error is returned.
//
// The error is [ErrPassword], [ErrNoRSAKey] or says what could not be read. Where
// some keys can be read and others cannot, those that can are returned.
func ParsePrivateKeys(file []byte, password func() ([]byte, error)) ([]*rsa.PrivateKey, error) {
	p := keyFile{password: password}
	rest, any := file, false
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		any = true
		p.block(block)
	}
	if !any {
		p.der(file)
	}
	switch {
	case len(p.found) > 0:
		return p.found, nil
	case p.err != nil:
		return nil, p.err
	}
	return nil, ErrNoRSAKey
}

// keyFile is what was read of one file.
type keyFile struct {
	password func() ([]byte, error)
	asked    bool
	secret   []byte

	found []*rsa.PrivateKey
	err   error // the first one
}

func (p *keyFile) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// ask returns the password, or nil after an error.
func (p *keyFile) ask() []byte {
	if !p.asked {
		p.asked = true
		var err error
		if p.secret, err = p.password(); err != nil {
			p.fail(err)
		} else if p.secret == nil {
			p.secret = []byte{}
		}
	}
	return p.secret
}

func (p *keyFile) add(key any, err error) {
	switch k, ok := key.(*rsa.PrivateKey); {
	case err != nil:
		p.fail(err)
	case ok:
		p.found = append(p.found, k)
	}
}

func (p *keyFile) block(b *pem.Block) {
	der := b.Bytes
	//lint:ignore SA1019 it is weak, but files have it
	if x509.IsEncryptedPEMBlock(b) {
		secret := p.ask()
		if secret == nil {
			return
		}
		var err error
		//lint:ignore SA1019 it is weak, but files have it
		if der, err = x509.DecryptPEMBlock(b, secret); err != nil {
			p.fail(ErrPassword)
			return
		}
	}
	switch b.Type {
	case "RSA PRIVATE KEY":
		p.add(x509.ParsePKCS1PrivateKey(der))
	case "PRIVATE KEY":
		p.add(x509.ParsePKCS8PrivateKey(der))
	case "ENCRYPTED PRIVATE KEY":
		p.encrypted(der)
	}
}

// encrypted reads a PKCS#8 EncryptedPrivateKeyInfo.
func (p *keyFile) encrypted(der []byte) {
	secret := p.ask()
	if secret == nil {
		return
	}
	key, err := openPKCS8(der, secret)
	if err != nil && !strings.Contains(err.Error(), "support") {
		err = ErrPassword // the padding or what is inside is wrong
	}
	p.add(key, err)
}

// openPKCS8 is pkcs8.ParsePKCS8PrivateKey for files that may hold anything.
func openPKCS8(der, password []byte) (key any, err error) {
	defer func() {
		if recover() != nil { // ciphertext that is not whole blocks
			err = worded.Error(errors.New("it is damaged"), "private-key/damaged")
		}
	}()
	return pkcs8.ParsePKCS8PrivateKey(der, password)
}

// der reads a file that is not PEM.
func (p *keyFile) der(file []byte) {
	if k, err := x509.ParsePKCS1PrivateKey(file); err == nil {
		p.add(k, nil)
		return
	}
	if k, err := x509.ParsePKCS8PrivateKey(file); err == nil {
		p.add(k, nil)
		return
	}
	if len(file) < 2 || file[0] != 0x30 {
		p.fail(worded.Error(errors.New("it is neither PEM nor DER"), "private-key/neither"))
		return
	}
	// A PKCS#12 file begins with its version, 3 (RFC 7292 4); an
	// EncryptedPrivateKeyInfo with the algorithm, a sequence (RFC 5208 6).
	if head := file[:min(len(file), 12)]; !bytes.Contains(head, []byte{2, 1, 3}) {
		if bytes.Contains(file[:min(len(file), 64)], []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05}) {
			p.encrypted(file)
		} else {
			p.fail(worded.Error(errors.New("it is no private key"), "private-key/none"))
		}
		return
	}
	key, _, _, err := pkcs12.DecodeChain(file, "")
	if errors.Is(err, pkcs12.ErrIncorrectPassword) || errors.Is(err, pkcs12.ErrDecryption) {
		secret := p.ask()
		if secret == nil {
			return
		}
		if key, _, _, err = pkcs12.DecodeChain(file, string(secret)); errors.Is(err, pkcs12.ErrIncorrectPassword) || errors.Is(err, pkcs12.ErrDecryption) {
			err = ErrPassword
		}
	}
	p.add(key, err)
}

// OpenKeyTransport opens an encrypted pre-master secret (RFC 5246 7.4.7.1) with the
// one of the private keys that belongs to the server's certificate, DER. Where that
// is nil, all keys of that length are tried. It returns the padded block, as
// [OpenPKCS1] does, and the pre-master secret of 48 bytes, nil if the padding is
// bad; both are nil where no key belongs to it.
func OpenKeyTransport(given []*rsa.PrivateKey, certificate, ciphertext []byte) (block, preMaster []byte) {
	for _, k := range given {
		if len(ciphertext) != k.Size() || certificate != nil && !bytes.Contains(certificate, k.N.Bytes()) {
			continue
		}
		em, err := OpenPKCS1(k, ciphertext)
		if err != nil {
			continue
		}
		pre, err := CheckPKCS1(em, &k.PublicKey, ciphertext)
		if err == nil {
			return em, pre
		}
		if certificate != nil {
			block = em
		}
	}
	return block, nil
}
