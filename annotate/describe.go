package annotate

import (
	"cmp"
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
	"strconv"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/words"
	"explainer/ca/verify"
)

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// usage is the purposes that a certificate names.
func usage(p *x509.Certificate) event.Text {
	var out []event.Text
	for _, u := range []struct {
		bit  x509.KeyUsage
		name event.Text
	}{
		{x509.KeyUsageDigitalSignature, words.Piece("usage/digital-signature")}, {x509.KeyUsageContentCommitment, words.Piece("usage/non-repudiation")},
		{x509.KeyUsageKeyEncipherment, words.Piece("usage/key-encipherment")}, {x509.KeyUsageDataEncipherment, words.Piece("usage/data-encipherment")},
		{x509.KeyUsageKeyAgreement, words.Piece("usage/key-agreement")}, {x509.KeyUsageCertSign, words.Piece("usage/certificate-signing")}, {x509.KeyUsageCRLSign, words.Piece("usage/crl-signing")},
	} {
		if p.KeyUsage&u.bit != 0 {
			out = append(out, u.name)
		}
	}
	for _, u := range p.ExtKeyUsage {
		switch u {
		case x509.ExtKeyUsageServerAuth:
			out = append(out, words.Piece("usage/tls-server"))
		case x509.ExtKeyUsageClientAuth:
			out = append(out, words.Piece("usage/tls-client"))
		case x509.ExtKeyUsageAny:
			out = append(out, words.Piece("usage/anything"))
		case x509.ExtKeyUsageEmailProtection:
			out = append(out, words.Piece("usage/e-mail"))
		case x509.ExtKeyUsageCodeSigning:
			out = append(out, words.Piece("usage/code-signing"))
		default:
			out = append(out, words.Piece("usage/other", "n", strconv.Itoa(int(u))))
		}
	}
	for _, o := range p.UnknownExtKeyUsage {
		out = append(out, event.Plain(asn1.ObjectIdentifier(o).String()))
	}
	return words.List(",", out...)
}

// describe describes one certificate of a chain; number is its place, 0 for the leaf.
func describe(c *proof.Certificate, number int) []event.Field {
	named := func(name string) event.Text {
		if number == 0 {
			return words.Piece("field-name/of-leaf", "name", words.FieldName(name))
		}
		return words.Piece("field-name/of-certificate", "n", strconv.Itoa(number+1), "name", words.FieldName(name))
	}
	if c.Parsed == nil {
		f := []event.Field{{Name: named("cannot be read in full"), Value: event.Plain(c.Err)}}
		r := verify.Read(c.DER)
		if r.Subject != "" {
			f = append(f, event.Field{Name: named("subject"), Value: event.Plain(clip(r.Subject)), Note: words.Piece("note/as-far-as-read")}, event.Field{Name: named("issuer"), Value: event.Plain(clip(r.Issuer))})
		}
		if len(r.Names) > 0 {
			f = append(f, event.Field{Name: named("names"), Value: clipText(words.Some(r.Names, 8))})
		}
		if !r.From.IsZero() && !r.Until.IsZero() {
			f = append(f, event.Field{Name: named("valid"), Value: words.Piece("value/from-to", "from", date(r.From), "to", date(r.Until))})
		}
		if c.Key != nil {
			f = append(f, event.Field{Name: named("key"), Value: event.Plain(c.KeyWords())})
		}
		return fixed(append(f, event.Field{Name: named("size"), Value: words.Count(len(c.DER), "byte")}))
	}
	p := c.Parsed
	f := []event.Field{{Name: named("subject"), Value: event.Plain(p.Subject.String()), Note: words.Piece("note/whose-key")}}
	if names := c.Names(); len(names) > 0 {
		f = append(f, event.Field{Name: named("names"), Value: words.Some(names, 8), Note: words.Piece("note/san")})
	}
	f = append(f,
		event.Field{Name: named("issuer"), Value: event.Plain(p.Issuer.String()), Note: words.Piece("note/issuer")},
		event.Field{Name: named("valid"), Value: words.Piece("value/from-to", "from", date(p.NotBefore), "to", date(p.NotAfter))},
		event.Field{Name: named("key"), Value: event.Plain(c.KeyWords())},
		event.Field{Name: named("signed with"), Value: signatureWords(p)},
	)
	if u := usage(p); !u.Empty() {
		f = append(f, event.Field{Name: named("purpose"), Value: u, Note: words.Piece("note/purpose")})
	}
	if p.BasicConstraintsValid && p.IsCA {
		value := words.Piece("field/yes")
		if p.MaxPathLen == 0 && p.MaxPathLenZero {
			value = words.Piece("value/ca-none-below")
		} else if p.MaxPathLen > 0 {
			value = words.Piece("value/ca-below", "count", words.Count(p.MaxPathLen, "more CA"))
		}
		f = append(f, event.Field{Name: named("CA"), Value: value, Note: words.Piece("note/is-ca")})
	}
	if len(p.AuthorityKeyId) > 0 {
		f = append(f, event.Field{Name: named("issuer's key"), Value: event.Plain(fmt.Sprintf("%x", p.AuthorityKeyId[:min(len(p.AuthorityKeyId), 32)])), Note: words.Piece("note/authority-key-id")})
	}
	if len(p.SubjectKeyId) > 0 {
		f = append(f, event.Field{Name: named("name of its key"), Value: event.Plain(fmt.Sprintf("%x", p.SubjectKeyId[:min(len(p.SubjectKeyId), 32)])), Note: words.Piece("note/subject-key-id")})
	}
	if n := len(p.Policies); n > 0 {
		var oids []string
		for _, o := range p.Policies {
			oids = append(oids, o.String())
		}
		f = append(f, event.Field{Name: named("policies"), Value: clipText(words.Some(oids, 4)), Note: words.Piece("note/policies")})
	}
	if number == 0 {
		f = append(f, sctFields(named("signed certificate timestamp"), verify.CertificateSCTs(c.DER))...)
	}
	return fixed(append(f,
		event.Field{Name: named("serial"), Value: event.Plain(serial(p.SerialNumber))},
		event.Field{Name: named("SHA-256"), Value: event.Plain(fmt.Sprintf("%x", c.Hash)), Note: words.Piece("note/fingerprint")},
	))
}

func serial(n *big.Int) string {
	if n == nil {
		return ""
	}
	return cmp.Or(hex.EncodeToString(n.Bytes()), "00") // whole bytes, as other tools print them
}

func signatureWords(p *x509.Certificate) event.Text {
	if p.SignatureAlgorithm == x509.UnknownSignatureAlgorithm {
		return words.Piece("value/algorithm-not-known")
	}
	return event.Plain(p.SignatureAlgorithm.String())
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
