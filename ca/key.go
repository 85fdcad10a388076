package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"sync"
)

// A Key is the kind and the length, in bits, of a key: of an RSA modulus, or of
// a curve's field. The zero value is [P256].
type Key struct {
	Kind x509.PublicKeyAlgorithm
	Bits int
}

// The kinds of keys that leaves have, besides RSA keys of other lengths.
var (
	P256    = Key{x509.ECDSA, 256}
	P384    = Key{x509.ECDSA, 384}
	P521    = Key{x509.ECDSA, 521}
	Ed25519 = Key{x509.Ed25519, 256}
	RSA2048 = Key{x509.RSA, 2048}
)

// maxRSA bounds what a key takes to make: one of 4096 bits takes a second.
const maxRSA = 4096

// KeyOf is the kind of key that a leaf has which stands for a certificate: the
// same, or of an RSA key of more than 2048 bits the next of 2048, 3072 and 4096
// that is not longer. ok is false where no leaf has one that is not stronger.
func KeyOf(public crypto.PublicKey) (key Key, ok bool) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		bits := k.N.BitLen()
		switch {
		case bits < 1024: // crypto/rsa makes none
			return Key{}, false
		case bits >= 4096:
			bits = maxRSA
		case bits >= 3072:
			bits = 3072
		case bits > 2048:
			bits = 2048
		}
		return Key{x509.RSA, bits}, true
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return P256, true
		case elliptic.P384():
			return P384, true
		case elliptic.P521():
			return P521, true
		}
	case ed25519.PublicKey:
		return Ed25519, true
	}
	return Key{}, false
}

// Instead lists the kinds of key for a client that cannot take this one, best
// first; none is stronger. RSA from 2048 bits up and P-256 are held to be equals:
// an origin with both may have shown the proxy the one that the client does not know.
func (k Key) Instead() []Key {
	switch {
	case k.Kind == x509.RSA && k.Bits >= 2048:
		return []Key{P256}
	case k.Kind == x509.RSA:
		return nil
	case k == P521:
		return []Key{P384, P256, RSA2048}
	case k == P256 || k == Key{}:
		return []Key{RSA2048}
	}
	return []Key{P256, RSA2048}
}

// make makes a key. RSA keys of more than 2048 bits are made once in a process,
// when the first is asked for, and then shared; all others are made anew.
func (k Key) make() (key crypto.Signer, err error) {
	switch {
	case k == P384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case k == P521:
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case k == Ed25519:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case k.Kind == x509.RSA && k.Bits > 2048:
		longMu.Lock()
		made := long[k.Bits]
		if made == nil {
			made = sync.OnceValues(func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, k.Bits) })
			long[k.Bits] = made
		}
		longMu.Unlock()
		key, err = made()
	case k.Kind == x509.RSA && k.Bits < 1024:
		key, err = newWeakRSA(k.Bits)
	case k.Kind == x509.RSA:
		key, err = rsa.GenerateKey(rand.Reader, k.Bits)
	default:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make the key of a certificate: %w", err)
	}
	return key, nil
}

var (
	longMu sync.Mutex
	long   = map[int]func() (crypto.Signer, error){}
)
