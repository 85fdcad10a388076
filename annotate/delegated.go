package annotate

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"strconv"
	"time"

	"explainer/annotate/event"
	"explainer/capture/handshake"
	"explainer/capture/keys"

	"golang.org/x/crypto/cryptobyte"
)

const proofDelegated = "delegated-credential"

// extDelegated is delegated_credential, which in a Certificate of TLS 1.3 holds one (RFC 9345 4).
const extDelegated = 34

// delegationUsage marks certificates that may sign them (RFC 9345 4.2).
var delegationUsage = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 44363, 44}

// A delegated is a delegated credential: a key that the certificate's key vouches
// for, for some days, and that signs the handshake in its place (RFC 9345).
type delegated struct {
	cred      []byte // what is signed of it
	seconds   uint32 // until it ends, counted from the certificate's notBefore
	expected  uint16 // scheme of the CertificateVerify
	pub       crypto.PublicKey
	algorithm uint16 // of the signature on it
	signature []byte
}

func parseDelegated(data []byte) *delegated {
	var d delegated
	var spki, signature cryptobyte.String
	s := cryptobyte.String(data)
	if !s.ReadUint32(&d.seconds) || !s.ReadUint16(&d.expected) || !s.ReadUint24LengthPrefixed(&spki) {
		return nil
	}
	d.cred = data[:len(data)-len(s)]
	if !s.ReadUint16(&d.algorithm) || !s.ReadUint16LengthPrefixed(&signature) || !s.Empty() {
		return nil
	}
	d.signature = signature
	if pub, err := x509.ParsePKIXPublicKey(spki); err == nil {
		d.pub = pub
	}
	return &d
}

// signed is what the certificate's key signs (RFC 9345 4).
func (d *delegated) signed(leaf []byte, side int) []byte {
	const spaces = "                                                                " // 64
	context := []string{"TLS, client delegated credentials", "TLS, server delegated credentials"}[side]
	out := append([]byte(spaces+context), 0)
	out = append(out, leaf...)
	out = append(out, d.cred...)
	return append(out, byte(d.algorithm>>8), byte(d.algorithm))
}

// delegatedCredential tells a delegated credential in a Certificate message, if there is one.
func (x *Explainer) delegatedCredential(c *conn, h *hands, e *event.Event, b *handshake.Certificate, side int) {
	var data []byte
	for _, ext := range b.Entries[0].Extensions {
		if ext.ID == extDelegated {
			data = ext.Data
		}
	}
	leaf := h.leaf[side]
	if data == nil || leaf == nil {
		return
	}
	d := parseDelegated(data)
	a := x.args(c).with("sender", c.side(side), "key", leaf.keyWords())
	if d == nil {
		e.Says = append(e.Says, say("delegated-malformed", e.Evidence, a))
		return
	}
	h.delegated[side] = d
	key := keyWords(d.pub)
	e.Fields = append(e.Fields,
		event.Field{Name: "delegated credential", Value: or(key, "a key of an unknown kind"), Note: "signs this handshake in the place of the certificate's key"},
		field("its handshake signature", handshake.SchemeName(d.expected)),
		field("signed with", handshake.SchemeName(d.algorithm)))
	until, age := "", time.Duration(d.seconds)*time.Second
	if leaf.parsed != nil {
		until = date(leaf.parsed.NotBefore.Add(age))
		e.Fields = append(e.Fields, field("valid until", until))
	}
	e.Says = append(e.Says, say("delegated", e.Evidence, a.with("delegatedkey", or(key, "unknown"), "until", or(until, strconv.Itoa(int(d.seconds))+" seconds after the certificate begins"))))
	inputs := []event.Field{keyField(leaf), field("credential", hexLen(d.cred)), field("signature", hexLen(d.signature)), field("algorithm", handshake.SchemeName(d.algorithm))}
	p := signature(proofDelegated, keys.VerifyHandshakeSignature(0x0304, d.algorithm, leaf.pub, d.signed(leaf.der, side), d.signature), inputs)
	h.prove(p)
	e.Proofs = append(e.Proofs, p)
	if leaf.parsed == nil {
		return
	}
	allowed := false
	for _, ext := range leaf.parsed.Extensions {
		allowed = allowed || ext.Id.Equal(delegationUsage)
	}
	if !allowed {
		e.Says = append(e.Says, say("delegated-not-allowed", event.Recomputed, a))
	}
	if now := at(c.now); now.After(leaf.parsed.NotBefore.Add(age)) {
		e.Says = append(e.Says, say("delegated-expired", event.Recomputed, a.with("until", until)))
	}
}

// signer is whose key must have made a CertificateVerify, and the note to it.
func (h *hands) signer(side int) (crypto.PublicKey, event.Field) {
	if d := h.delegated[side]; d != nil {
		return d.pub, event.Field{Name: "public key", Value: or(keyWords(d.pub), "unknown"), Note: "of the delegated credential for which the certificate's key vouches"}
	}
	return h.leaf[side].pub, keyField(h.leaf[side])
}

// rawLeaf tells whether a side sent a bare public key in the place of a certificate.
func (h *hands) rawLeaf(side int) bool { return h.leaf[side] != nil && h.leaf[side].raw }

// rawKey tells a bare public key that came in the place of a certificate (RFC 7250).
func (x *Explainer) rawKey(c *conn, h *hands, e *event.Event, side int) {
	leaf := h.leaf[side]
	e.Brief = "a raw public key, " + leaf.keyWords()
	e.Fields = append(e.Fields, field("raw public key", leaf.keyWords()), field("size", strconv.Itoa(len(leaf.der))+" bytes"))
	e.Says = append(e.Says, say("raw-public-key", e.Evidence, x.args(c).with("sender", c.side(side), "other", c.side(1-side), "key", leaf.keyWords())))
	if side == 1 {
		x.markMain(c, h, e, event.Step3)
	}
}

// isRawKey reads a SubjectPublicKeyInfo alone.
func isRawKey(der []byte) (crypto.PublicKey, bool) {
	pub, err := x509.ParsePKIXPublicKey(bytes.Clone(der))
	return pub, err == nil
}

// delegatedSentences tell other things than certificates that carry a public key.
var delegatedSentences = []entry{
	{"delegated", "With the certificate comes a delegated credential: a {delegatedkey} key, which ends on {until} and which the certificate's {key} key has signed. {Sender} signs this handshake with that key, so that the certificate's own need not lie on every machine that answers.", []string{"9345 3", "9345 4"}},
	{"delegated-malformed", "With the certificate comes a delegated credential that cannot be read.", []string{"9345 4"}},
	{"delegated-not-allowed", "WARNING: this certificate is not marked as one whose key may sign delegated credentials. The other side must not take it.", []string{"9345 4.2"}},
	{"delegated-expired", "WARNING: this delegated credential had ended on {until}.", []string{"9345 4.1.3"}},
	{"raw-public-key", "In the place of a certificate {sender} sends a bare {key} public key: no name, no dates, and nobody who vouches for it. {Other} must know from elsewhere whose key it is.", []string{"7250 3", "7250 6"}},
	{"step-2-raw-proven", "{Server} signed a part of this very handshake, and the signature holds under the raw {key} public key that it sent: whoever made it had the private key at that moment. Only the signature crossed the wire here.", []string{"7250 3", "8446 4.4.3", "5246 7.4.3"}},
	{"step-2-delegated-proven", "{Server} signed a hash of everything said so far with the key of a delegated credential, and the signature holds; the {key} key of its certificate had signed that credential, which holds too. So the certificate's private key need not have been there.", []string{"9345 3", "8446 4.4.3"}},
	{"step-3-raw", "{Server} sent its {key} public key as it is, without a certificate: that is what the textbook says, and what is hardly ever done, since nothing says whose key it is. There is a second one for this connection, {servershare} bytes of {group}.", []string{"7250 3"}},
	{"step-3-raw-only", "{Server} sent its {key} public key as it is, without a certificate: that is what the textbook says, and what is hardly ever done, since nothing says whose key it is.", []string{"7250 3"}},
	{"step-4a-raw", "There is no certificate to check, and nobody vouches for the key. {Client} can only compare it with one that it has from elsewhere; whether it did cannot be seen: this happens inside {client}.", []string{"7250 6"}},
}
