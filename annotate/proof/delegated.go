package proof

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/ca/verify"
	"explainer/capture/handshake"
	"explainer/capture/keys"

	"golang.org/x/crypto/cryptobyte"
)

// delegationUsage marks certificates that may sign them (RFC 9345 4.2).
var delegationUsage = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 44363, 44}

// A Delegated is a delegated credential: a key that the certificate's key vouches
// for, for some days, and that signs the handshake in its place (RFC 9345).
type Delegated struct {
	cred      []byte // what is signed of it
	Seconds   uint32 // until it ends, counted from the certificate's notBefore
	Scheme    uint16 // scheme of the CertificateVerify
	Key       crypto.PublicKey
	Algorithm uint16 // of the signature on it
	signature []byte
}

// ParseDelegated reads a delegated credential; nil if it is malformed.
func ParseDelegated(data []byte) *Delegated {
	var d Delegated
	var spki, signature cryptobyte.String
	s := cryptobyte.String(data)
	if !s.ReadUint32(&d.Seconds) || !s.ReadUint16(&d.Scheme) || !s.ReadUint24LengthPrefixed(&spki) {
		return nil
	}
	d.cred = data[:len(data)-len(s)]
	if !s.ReadUint16(&d.Algorithm) || !s.ReadUint16LengthPrefixed(&signature) || !s.Empty() {
		return nil
	}
	d.signature = signature
	if pub, err := x509.ParsePKIXPublicKey(spki); err == nil {
		d.Key = pub
	}
	return &d
}

// signed is what the certificate's key signs (RFC 9345 4).
func (d *Delegated) signed(leaf []byte, side int) []byte {
	const spaces = "                                                                " // 64
	context := []string{"TLS, client delegated credentials", "TLS, server delegated credentials"}[side]
	out := append([]byte(spaces+context), 0)
	out = append(out, leaf...)
	out = append(out, d.cred...)
	return append(out, byte(d.Algorithm>>8), byte(d.Algorithm))
}

// CheckDelegated takes in the delegated credential of a side's certificate, and checks
// that the certificate's key signed it.
func (h *Handshake) CheckDelegated(side int, d *Delegated) event.Proof {
	h.Sides[side].Delegated = d
	leaf := h.Sides[side].Leaf
	inputs := []event.Field{keyField(leaf), inputOf("credential", words.Hex(d.cred)), inputOf("signature", words.Hex(d.signature)), input("algorithm", handshake.SchemeName(d.Algorithm))}
	return signature(words.ProofDelegated, keys.VerifyHandshakeSignature(0x0304, d.Algorithm, leaf.Key, d.signed(leaf.DER, side), d.signature), inputs)
}

// MayDelegate tells whether the certificate allows that its key signs delegated
// credentials (RFC 9345 4.2).
func (c *Certificate) MayDelegate() bool {
	return slices.ContainsFunc(c.Parsed.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(delegationUsage) })
}

// signer is whose key must have made a CertificateVerify, and the note to it.
func (h *Handshake) signer(side int) (crypto.PublicKey, event.Field) {
	if d := h.Sides[side].Delegated; d != nil {
		return d.Key, event.Field{Name: words.FieldName("public key"), Value: cmp.Or(event.Plain(verify.KeyWords(d.Key)), words.Piece("key/unknown")), Note: words.Piece("note/of-the-credential")}
	}
	return h.Sides[side].Leaf.Key, keyField(h.Sides[side].Leaf)
}

// RawLeaf tells whether a side sent a bare public key in the place of a certificate.
func (h *Handshake) RawLeaf(side int) bool {
	return h.Sides[side].Leaf != nil && h.Sides[side].Leaf.Raw
}

// isRawKey reads a SubjectPublicKeyInfo alone.
func isRawKey(der []byte) (crypto.PublicKey, bool) {
	pub, err := x509.ParsePKIXPublicKey(bytes.Clone(der))
	return pub, err == nil
}
