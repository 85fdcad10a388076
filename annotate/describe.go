package annotate

import (
	"crypto"
	"crypto/dsa" //lint:ignore SA1019 old captures have DSA certificates; they are only described
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/words"
	"explainer/ca/verify"
)

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// usage is the purposes that a certificate names.
func usage(p *x509.Certificate) string {
	var out []string
	for _, u := range []struct {
		bit  x509.KeyUsage
		name string
	}{
		{x509.KeyUsageDigitalSignature, "digital signature"}, {x509.KeyUsageContentCommitment, "non-repudiation"},
		{x509.KeyUsageKeyEncipherment, "key encipherment"}, {x509.KeyUsageDataEncipherment, "data encipherment"},
		{x509.KeyUsageKeyAgreement, "key agreement"}, {x509.KeyUsageCertSign, "certificate signing"}, {x509.KeyUsageCRLSign, "CRL signing"},
	} {
		if p.KeyUsage&u.bit != 0 {
			out = append(out, u.name)
		}
	}
	for _, u := range p.ExtKeyUsage {
		switch u {
		case x509.ExtKeyUsageServerAuth:
			out = append(out, "TLS server")
		case x509.ExtKeyUsageClientAuth:
			out = append(out, "TLS client")
		case x509.ExtKeyUsageAny:
			out = append(out, "anything")
		case x509.ExtKeyUsageEmailProtection:
			out = append(out, "e-mail")
		case x509.ExtKeyUsageCodeSigning:
			out = append(out, "code signing")
		default:
			out = append(out, fmt.Sprintf("extended usage %d", u))
		}
	}
	for _, o := range p.UnknownExtKeyUsage {
		out = append(out, asn1.ObjectIdentifier(o).String())
	}
	return strings.Join(out, ", ")
}

// describe describes one certificate of a chain; number is its place, 0 for the leaf.
func describe(c *proof.Certificate, number int) []event.Field {
	lead := "leaf: "
	if number > 0 {
		lead = fmt.Sprintf("certificate %d: ", number+1)
	}
	if c.Parsed == nil {
		f := []event.Field{{Name: lead + "cannot be read in full", Value: event.Plain(c.Err)}}
		r := verify.Read(c.DER)
		if r.Subject != "" {
			f = append(f, event.Field{Name: lead + "subject", Value: event.Plain(clip(r.Subject)), Note: "as far as it can be read"}, event.Field{Name: lead + "issuer", Value: event.Plain(clip(r.Issuer))})
		}
		if len(r.Names) > 0 {
			f = append(f, event.Field{Name: lead + "names", Value: event.Plain(clip(words.Some(r.Names, 8)))})
		}
		if !r.From.IsZero() && !r.Until.IsZero() {
			f = append(f, event.Field{Name: lead + "valid", Value: event.Plain(date(r.From) + " to " + date(r.Until))})
		}
		if c.Key != nil {
			f = append(f, event.Field{Name: lead + "key", Value: event.Plain(c.KeyWords())})
		}
		return fixed(append(f, event.Field{Name: lead + "size", Value: event.Plain(fmt.Sprintf("%d bytes", len(c.DER)))}))
	}
	p := c.Parsed
	f := []event.Field{{Name: lead + "subject", Value: event.Plain(p.Subject.String()), Note: "whose key this is"}}
	if names := c.Names(); len(names) > 0 {
		f = append(f, event.Field{Name: lead + "names", Value: event.Plain(words.Some(names, 8)), Note: "the host names that it is good for (subject alternative names)"})
	}
	f = append(f,
		event.Field{Name: lead + "issuer", Value: event.Plain(p.Issuer.String()), Note: "who vouches for it"},
		event.Field{Name: lead + "valid", Value: event.Plain(date(p.NotBefore) + " to " + date(p.NotAfter))},
		event.Field{Name: lead + "key", Value: event.Plain(c.KeyWords())},
		event.Field{Name: lead + "signed with", Value: event.Plain(signatureWords(p))},
	)
	if u := usage(p); u != "" {
		f = append(f, event.Field{Name: lead + "purpose", Value: event.Plain(u), Note: "what its issuer allows it for"})
	}
	if p.BasicConstraintsValid && p.IsCA {
		value := "yes"
		if p.MaxPathLen == 0 && p.MaxPathLenZero {
			value += ", with no other CA below it"
		} else if p.MaxPathLen > 0 {
			value += fmt.Sprintf(", with at most %s below it", words.Plural(p.MaxPathLen, "more CA"))
		}
		f = append(f, event.Field{Name: lead + "CA", Value: event.Plain(value), Note: "may itself sign certificates"})
	}
	if len(p.AuthorityKeyId) > 0 {
		f = append(f, event.Field{Name: lead + "issuer's key", Value: event.Plain(fmt.Sprintf("%x", p.AuthorityKeyId[:min(len(p.AuthorityKeyId), 32)])), Note: "authority key identifier"})
	}
	if len(p.SubjectKeyId) > 0 {
		f = append(f, event.Field{Name: lead + "name of its key", Value: event.Plain(fmt.Sprintf("%x", p.SubjectKeyId[:min(len(p.SubjectKeyId), 32)])), Note: "subject key identifier"})
	}
	if n := len(p.Policies); n > 0 {
		var oids []string
		for _, o := range p.Policies {
			oids = append(oids, o.String())
		}
		f = append(f, event.Field{Name: lead + "policies", Value: event.Plain(clip(words.Some(oids, 4))), Note: "what its issuer says to have checked"})
	}
	if number == 0 {
		f = append(f, sctFields(lead+"signed certificate timestamp", verify.CertificateSCTs(c.DER))...)
	}
	return fixed(append(f,
		event.Field{Name: lead + "serial", Value: event.Plain(serial(p.SerialNumber))},
		event.Field{Name: lead + "SHA-256", Value: event.Plain(fmt.Sprintf("%x", c.Hash)), Note: "its fingerprint"},
	))
}

func serial(n *big.Int) string {
	if n == nil {
		return ""
	}
	return hex.EncodeToString(n.Bytes()) // whole bytes, as other tools print them
}

func signatureWords(p *x509.Certificate) string {
	if p.SignatureAlgorithm == x509.UnknownSignatureAlgorithm {
		return "an algorithm that is not known here"
	}
	return p.SignatureAlgorithm.String()
}

// maxNames is how many names of a certificate stand in its facts.
const maxNames = 100

// keyKind is the kind of a public key, and its length in bits, of a curve's those of the field.
func keyKind(pub crypto.PublicKey) (kind string, bits int) {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return "rsa", k.N.BitLen()
	case *ecdsa.PublicKey:
		return "ecdsa", k.Curve.Params().BitSize
	case ed25519.PublicKey:
		return "ed25519", 256
	case *dsa.PublicKey:
		return "dsa", k.P.BitLen()
	}
	return "", 0
}

// certificateFacts are what is known of a certificate.
func certificateFacts(c *proof.Certificate) event.Certificate {
	f := event.Certificate{Subject: clip(c.Subject()), SHA256: hex.EncodeToString(c.Hash[:])}
	f.Key, f.Bits = keyKind(c.Key)
	for _, name := range c.Names() {
		if len(f.Names) == maxNames {
			break
		}
		f.Names = append(f.Names, clip(name))
	}
	if p := c.Parsed; p != nil {
		f.Issuer, f.Serial = clip(c.Issuer()), serial(p.SerialNumber)
		f.NotBefore, f.NotAfter = p.NotBefore.UTC().Format(time.RFC3339), p.NotAfter.UTC().Format(time.RFC3339)
	}
	return f
}
