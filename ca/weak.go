package ca

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"time"

	"golang.org/x/crypto/ocsp"
)

// Weaknesses are what crypto/x509 takes and some other client refuses, and, with
// them, OCSP responses that are no valid "good". A proxy must not hide
// them from its client (see package grade); clients are not tried with them. The first is a control.
var Weaknesses = []Fault{
	{ID: "good-must-staple", Severity: Control, Control: "good-staple", Wrong: "Nothing: the certificate demands a stapled OCSP response, and a good one is sent.",
		mint: func(d *draft) { d.answers(func(*ocsp.Response) {}); d.mustStaple() }},
	{ID: "rsa-1536", Severity: Low, About: AboutStrength, Control: "good-rsa", Refuser: "OpenSSL at Debian's security level", Wrong: "The certificate's RSA key has 1536 bits.",
		mint: func(d *draft) { d.rsaLeaf(1536) }},
	{ID: "issuer-rsa-1024", Severity: Low, About: AboutStrength, Control: "good-rsa-intermediate", Refuser: "OpenSSL at Debian's security level", Wrong: "The intermediate CA's RSA key has 1024 bits.",
		mint: func(d *draft) { d.intermediate().bits = 1024 }},
	{ID: "any-eku", Severity: Low, About: AboutPurpose, Control: "good", Refuser: "OpenSSL", Wrong: "The certificate is for any purpose, and does not name servers.",
		mint: func(d *draft) { d.leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }},
	{ID: "issuer-any-eku", Severity: Low, About: AboutPurpose, Control: "good-intermediate", Refuser: "OpenSSL", Wrong: "The intermediate CA may issue for any purpose, and does not name servers.",
		mint: func(d *draft) { d.intermediate().ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }},
	{ID: "ocsp-signing-eku", Severity: Low, About: AboutPurpose, Control: "good", Refuser: "Firefox", Wrong: "The certificate is for servers and for signing OCSP responses.",
		mint: func(d *draft) {
			d.leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageOCSPSigning}
		}},
	{ID: "key-encipherment-only", Severity: Low, About: AboutPurpose, Control: "good-rsa", Refuser: "Chromium", Wrong: "The certificate's RSA key may only open what is encrypted to it, and makes a signature in the handshake.",
		mint: func(d *draft) { d.rsaLeaf(2048); d.leaf.KeyUsage = x509.KeyUsageKeyEncipherment }},
	{ID: "aki-mismatch", Severity: Low, About: AboutChain, Control: "good-intermediate", Refuser: "OpenSSL", Wrong: "The certificate names another key than its issuer's as the one that signed it.",
		mint: func(d *draft) { d.intermediate(); d.issuerNamed() }},

	{ID: "must-staple-old", Severity: Medium, About: AboutRevocation, Asked: true, Control: "good-must-staple", Refuser: "Firefox", Wrong: "The certificate demands a stapled OCSP response, and the one that is sent ended 23 days ago.",
		mint: func(d *draft) { d.answers(ended); d.mustStaple() }},
	{ID: "issuer-must-staple", Severity: Low, About: AboutRevocation, Asked: true, Control: "good-intermediate", Refuser: "Firefox", Wrong: "The intermediate CA demands a stapled OCSP response of what it issues, and none is sent.",
		mint: func(d *draft) { i := d.intermediate(); i.ExtraExtensions = append(i.ExtraExtensions, mustStaple) }},
	{ID: "staple-old", Severity: Medium, About: AboutRevocation, Asked: true, Control: "good-staple", Refuser: "Firefox", Wrong: "The stapled OCSP response ended 23 days ago.",
		mint: func(d *draft) { d.answers(ended) }},
	{ID: "staple-not-yet", Severity: Low, About: AboutRevocation, Asked: true, Control: "good-staple", Refuser: "Firefox", Wrong: "The stapled OCSP response begins in 30 days.",
		mint: func(d *draft) {
			d.answers(func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = d.now.Add(soon), d.now.Add(farAhead) })
		}},
	{ID: "staple-unknown", Severity: Medium, About: AboutRevocation, Asked: true, Control: "good-staple", Refuser: "Firefox", Wrong: "By the stapled OCSP response the CA does not know the certificate.",
		mint: func(d *draft) { d.answers(func(r *ocsp.Response) { r.Status = ocsp.Unknown }) }},
	{ID: "staple-refused", Severity: Low, About: AboutRevocation, Asked: true, Control: "good-staple", Refuser: "Firefox", Wrong: "What is stapled is no OCSP response but the word tryLater.",
		mint: func(d *draft) { d.stapled([]byte{0x30, 3, 0x0a, 1, 3}) }}, // RFC 6960 4.2.1
	{ID: "staple-unreadable", Severity: Low, About: AboutRevocation, Asked: true, Control: "good-staple", Refuser: "Firefox", Wrong: "What is stapled is no OCSP response at all.",
		mint: func(d *draft) { d.stapled([]byte("no OCSP response")) }},
	{ID: "staple-other-certificate", Severity: Medium, About: AboutRevocation, Asked: true, Control: "good-staple", Refuser: "curl, asked to look", Wrong: "The stapled OCSP response is about another certificate.",
		mint: func(d *draft) { d.answers(func(r *ocsp.Response) { r.SerialNumber = newSerial() }) }},
	{ID: "staple-bad-signature", Severity: Medium, About: AboutRevocation, Asked: true, Control: "good-staple", Refuser: "curl, asked to look", Wrong: "One bit of the stapled OCSP response's signature is flipped.",
		mint: func(d *draft) {
			d.answers(func(*ocsp.Response) {})
			d.bend = flipSignature
		}},
	{ID: "staple-revoked-unsaid", Severity: Medium, About: AboutRevocation, Asked: true, Control: "good-staple", Refuser: "Firefox", Wrong: "The stapled OCSP response says that the certificate was revoked three days ago, and not why.",
		mint: func(d *draft) {
			d.answers(func(r *ocsp.Response) { r.Status, r.RevokedAt = ocsp.Revoked, d.now.Add(-72*time.Hour) })
		}},
	{ID: "staple-revoked-superseded", Severity: Medium, About: AboutRevocation, Asked: true, Control: "good-staple", Refuser: "Firefox", Wrong: "The stapled OCSP response says that the certificate was revoked 20 days ago, because it was superseded.",
		mint: func(d *draft) {
			d.answers(func(r *ocsp.Response) {
				r.Status, r.RevokedAt, r.RevocationReason = ocsp.Revoked, d.now.Add(-20*24*time.Hour), ocsp.Superseded
			})
		}},
}

// WeaknessOf returns the weakness with an ID, or nil.
func WeaknessOf(id string) *Fault {
	for i := range Weaknesses {
		if Weaknesses[i].ID == id {
			return &Weaknesses[i]
		}
	}
	return nil
}

// answers staples a good OCSP response, by an intermediate CA, but for a change.
func (d *draft) answers(change func(*ocsp.Response)) {
	d.intermediate()
	d.staple, d.change = ocsp.Good, change
}

// stapled staples what is no response.
func (d *draft) stapled(junk []byte) {
	d.answers(func(*ocsp.Response) {})
	d.bend = func([]byte) []byte { return junk }
}

// ended makes a response one whose week is over.
func ended(r *ocsp.Response) {
	r.ThisUpdate = r.ThisUpdate.Add(-ago)
	r.NextUpdate = r.NextUpdate.Add(-ago)
}

// mustStaple is the TLS feature status_request (RFC 7633 4).
var mustStaple = pkix.Extension{Id: oidTLSFeature, Value: []byte{0x30, 3, 2, 1, 5}}

// mustStaple makes the leaf demand a stapled response.
func (d *draft) mustStaple() {
	d.leaf.ExtraExtensions = append(d.leaf.ExtraExtensions, mustStaple)
}

// issuerNamed makes the leaf name a key that nobody has as its issuer's (RFC 5280 4.2.1.1).
func (d *draft) issuerNamed() {
	id := make([]byte, 20)
	rand.Read(id)
	value, err := asn1.Marshal(struct {
		ID []byte `asn1:"tag:0"`
	}{id})
	if err != nil {
		d.err = err
	}
	d.leaf.ExtraExtensions = append(d.leaf.ExtraExtensions, pkix.Extension{Id: oidAKI, Value: value})
}
