package annotate

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"strconv"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture/handshake"
	"explainer/capture/keys"

	"golang.org/x/crypto/cryptobyte"
)

// delegationUsage marks certificates that may sign them (RFC 9345 4.2).
var delegationUsage = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 44363, 44}

// A delegated is a delegated credential: a key that the certificate's key vouches
// for, for some days, and that signs the handshake in its place (RFC 9345).
type Delegated struct {
	cred      []byte // what is signed of it
	Seconds   uint32 // until it ends, counted from the certificate's notBefore
	Scheme    uint16 // scheme of the CertificateVerify
	Key       crypto.PublicKey
	Algorithm uint16 // of the signature on it
	signature []byte
}

func parseDelegated(data []byte) *Delegated {
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

// delegatedCredential tells a delegated credential in a Certificate message, if there is one.
func (x *Explainer) delegatedCredential(c *conn, h *Handshake, e *event.Event, b *handshake.Certificate, side int) {
	var data []byte
	for _, ext := range b.Entries[0].Extensions {
		if ext.ID == handshake.ExtDelegatedCredential {
			data = ext.Data
		}
	}
	leaf := h.Sides[side].Leaf
	if data == nil || leaf == nil {
		return
	}
	d := parseDelegated(data)
	a := x.args(c).With("sender", c.side(side), "key", leaf.KeyWords())
	if d == nil {
		e.Says = append(e.Says, words.Say("delegated-malformed", e.Evidence, a))
		return
	}
	h.Sides[side].Delegated = d
	key := keyWords(d.Key)
	e.Fields = append(e.Fields,
		event.Field{Name: "delegated credential", Value: or(key, "a key of an unknown kind"), Note: "signs this handshake in the place of the certificate's key"},
		field("its handshake signature", handshake.SchemeName(d.Scheme)),
		field("signed with", handshake.SchemeName(d.Algorithm)))
	until, age := "", time.Duration(d.Seconds)*time.Second
	if leaf.Parsed != nil {
		until = date(leaf.Parsed.NotBefore.Add(age))
		e.Fields = append(e.Fields, field("valid until", until))
	}
	e.Says = append(e.Says, words.Say("delegated", e.Evidence, a.With("delegatedkey", or(key, "unknown"), "until", or(until, strconv.Itoa(int(d.Seconds))+" seconds after the certificate begins"))))
	inputs := []event.Field{keyField(leaf), field("credential", hexLen(d.cred)), field("signature", hexLen(d.signature)), field("algorithm", handshake.SchemeName(d.Algorithm))}
	p := signature(words.ProofDelegated, keys.VerifyHandshakeSignature(0x0304, d.Algorithm, leaf.Key, d.signed(leaf.DER, side), d.signature), inputs)
	h.Prove(p)
	e.Proofs = append(e.Proofs, p)
	if leaf.Parsed == nil {
		return
	}
	allowed := false
	for _, ext := range leaf.Parsed.Extensions {
		allowed = allowed || ext.Id.Equal(delegationUsage)
	}
	if !allowed {
		e.Says = append(e.Says, words.Say("delegated-not-allowed", event.Recomputed, a))
	}
	if now := at(c.now); now.After(leaf.Parsed.NotBefore.Add(age)) {
		e.Says = append(e.Says, words.Say("delegated-expired", event.Recomputed, a.With("until", until)))
	}
}

// signer is whose key must have made a CertificateVerify, and the note to it.
func (h *Handshake) signer(side int) (crypto.PublicKey, event.Field) {
	if d := h.Sides[side].Delegated; d != nil {
		return d.Key, event.Field{Name: "public key", Value: or(keyWords(d.Key), "unknown"), Note: "of the delegated credential for which the certificate's key vouches"}
	}
	return h.Sides[side].Leaf.Key, keyField(h.Sides[side].Leaf)
}

// rawLeaf tells whether a side sent a bare public key in the place of a certificate.
func (h *Handshake) RawLeaf(side int) bool {
	return h.Sides[side].Leaf != nil && h.Sides[side].Leaf.Raw
}

// rawKey tells a bare public key that came in the place of a certificate (RFC 7250).
func (x *Explainer) rawKey(c *conn, h *Handshake, e *event.Event, side int) {
	leaf := h.Sides[side].Leaf
	e.Brief = "a raw public key, " + leaf.KeyWords()
	e.Fields = append(e.Fields, field("raw public key", leaf.KeyWords()), field("size", strconv.Itoa(len(leaf.DER))+" bytes"))
	e.Says = append(e.Says, words.Say("raw-public-key", e.Evidence, x.args(c).With("sender", c.side(side), "other", c.side(1-side), "key", leaf.KeyWords())))
	if side == 1 {
		x.markMain(c, h, e, event.Step3)
	}
}

// isRawKey reads a SubjectPublicKeyInfo alone.
func isRawKey(der []byte) (crypto.PublicKey, bool) {
	pub, err := x509.ParsePKIXPublicKey(bytes.Clone(der))
	return pub, err == nil
}
