package origins

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"explainer/ca"

	"golang.org/x/crypto/ocsp"
)

// An origin is one of the tables'.
type origin struct {
	name   string
	host   string // what is asked for; "" is the name, in a domain of the table's
	make   making
	config func(*tls.Config) // may be nil
}

// A making makes what an origin for host shows.
type making func(m *mint, host string) *tls.Certificate

// leafOf is a leaf right below the root, with a key of a kind.
func leafOf(kind string, change func(*draft)) making {
	return func(m *mint, host string) *tls.Certificate { return shown(m.leaf(m.root, host, kind, change)) }
}

func leaf(change func(*draft)) making { return leafOf("p256", change) }

// below is a leaf below a CA below the root.
func below(ofCA, ofLeaf func(*draft)) making { return belowOf("p256", ofCA, "p256", ofLeaf) }

func belowOf(kindCA string, ofCA func(*draft), kindLeaf string, ofLeaf func(*draft)) making {
	return func(m *mint, host string) *tls.Certificate {
		ca := m.ca(m.root, "CA of "+host, kindCA, ofCA)
		return shown(m.leaf(ca, host, kindLeaf, ofLeaf), ca)
	}
}

// under is a leaf right below a root of its own, which is trusted.
func under(kind string, ofRoot func(*draft), ofLeaf func(*draft)) making {
	return func(m *mint, host string) *tls.Certificate {
		return shown(m.leaf(m.trustedOf("Root of "+host, kind, ofRoot), host, "p256", ofLeaf))
	}
}

// stapling is a leaf below a CA below the root, with an OCSP response.
func stapling(ofLeaf func(*draft), response func(m *mint, leaf, issuer *party) []byte) making {
	return func(m *mint, host string) *tls.Certificate {
		ca := m.ca(m.root, "CA of "+host, "p256", nil)
		leaf := m.leaf(ca, host, "p256", ofLeaf)
		cert := shown(leaf, ca)
		cert.OCSPStaple = response(m, leaf, ca)
		return cert
	}
}

// saying is an OCSP response of the issuer's own.
func saying(change func(m *mint, r *ocsp.Response)) func(*mint, *party, *party) []byte {
	return func(m *mint, leaf, issuer *party) []byte {
		return m.staple(leaf, issuer, func(r *ocsp.Response, _ *party) *party {
			if change != nil {
				change(m, r)
			}
			return nil
		})
	}
}

// delegated is an OCSP response that somebody else signed, whose certificate is of the issuer's.
func delegated(ofSigner func(*draft), change func(m *mint, r *ocsp.Response)) func(*mint, *party, *party) []byte {
	return func(m *mint, leaf, issuer *party) []byte {
		return m.staple(leaf, issuer, func(r *ocsp.Response, _ *party) *party {
			if change != nil {
				change(m, r)
			}
			return m.leaf(issuer, "ocsp.test", "p256", func(d *draft) {
				d.purposes(ocspSigning)
				d.drop(extSAN)
				d.set(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, false, asn1.NullBytes) // no revocation check, RFC 6960 4.2.2.2.1
				if ofSigner != nil {
					ofSigner(d)
				}
			})
		})
	}
}

func bytesOfStaple(b []byte) func(*mint, *party, *party) []byte {
	return func(*mint, *party, *party) []byte { return b }
}

// What OCSP responses may say.
func stale(m *mint, r *ocsp.Response) {
	r.ThisUpdate, r.NextUpdate = m.now.AddDate(0, 0, -30), m.now.AddDate(0, 0, -23)
}
func early(m *mint, r *ocsp.Response) {
	r.ThisUpdate, r.NextUpdate = m.now.AddDate(0, 0, 10), m.now.AddDate(0, 0, 17)
}
func endless(m *mint, r *ocsp.Response) { r.NextUpdate = time.Time{} }
func unknown(m *mint, r *ocsp.Response) { r.Status = ocsp.Unknown }
func revoked(m *mint, r *ocsp.Response) {
	r.Status, r.RevokedAt = ocsp.Revoked, m.now.AddDate(0, 0, -40)
}

func revokedBecause(reason int) func(*mint, *ocsp.Response) {
	return func(m *mint, r *ocsp.Response) { revoked(m, r); r.RevocationReason = reason }
}

func otherSerial(m *mint, r *ocsp.Response) { r.SerialNumber = big.NewInt(4711) }

func badSignature(change func(m *mint, r *ocsp.Response)) func(*mint, *party, *party) []byte {
	return func(m *mint, leaf, issuer *party) []byte {
		b := saying(change)(m, leaf, issuer)
		b[len(b)-1] ^= 1
		return b
	}
}

func stranger(m *mint, leaf, issuer *party) []byte {
	other := m.ca(nil, "Stranger", "p256", nil)
	return m.staple(leaf, issuer, func(*ocsp.Response, *party) *party { return other })
}

var ocspTryLater = []byte{0x30, 3, 0x0a, 1, 3}

func tls12(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }

// namedOnly are leaves whose names are these alone; $ stands for the host, ^ for its parent.
func namedOnly(cn string, names ...asn1.RawValue) making {
	return leaf(func(d *draft) {
		_, parent, _ := strings.Cut(d.host, ".")
		fill := func(s string) string { return strings.NewReplacer("$", d.host, "^", parent).Replace(s) }
		d.subject = commonName(fill(cn))
		var filled []asn1.RawValue
		for _, n := range names {
			if n.Tag != 4 && n.Tag != 7 {
				n.Bytes = []byte(fill(string(n.Bytes)))
			}
			filled = append(filled, n)
		}
		if d.drop(extSAN); names != nil {
			d.names(filled...)
		}
	})
}

var nothing = []asn1.RawValue{}

// badOrigins have something wrong that at least one of the clients minds.
var badOrigins = []origin{
	// Dates.
	{name: "expired-hour", make: leaf(func(d *draft) { d.until = time.Now().Add(-time.Hour) })},
	{name: "expired-days", make: leaf(func(d *draft) { d.until = time.Now().AddDate(0, 0, -2) })},
	{name: "expired-decade", make: leaf(func(d *draft) { d.from, d.until = time.Now().AddDate(-11, 0, 0), time.Now().AddDate(-10, 0, 0) })},
	{name: "not-yet-hour", make: leaf(func(d *draft) { d.from = time.Now().Add(time.Hour) })},
	{name: "not-yet-days", make: leaf(func(d *draft) { d.from = time.Now().AddDate(0, 0, 3) })},
	{name: "ends-before-it-begins", make: leaf(func(d *draft) { d.from, d.until = time.Now().AddDate(0, 0, 3), time.Now().AddDate(0, 0, -3) })},
	{name: "expired-in-1950", make: leaf(func(d *draft) {
		d.from, d.until = time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1951, 1, 1, 0, 0, 0, 0, time.UTC)
	})},

	// Names.
	{name: "other-name", make: namedOnly("www.attacker.test", dns("www.attacker.test"))},
	{name: "common-name-only", make: namedOnly("$")},
	{name: "common-name-beside-other", make: namedOnly("$", dns("www.attacker.test"))},
	{name: "common-name-beside-address", make: namedOnly("$", ip(192, 0, 2, 1))},
	{name: "name-as-email", make: namedOnly("x", email("root@$"))},
	{name: "name-as-bare-email", make: namedOnly("x", email("$"))},
	{name: "name-as-uri", make: namedOnly("x", uri("https://$/"))},
	{name: "name-as-directory-name", make: namedOnly("x", directory(commonName("directory.bad.test")))},
	{name: "no-names-at-all", make: namedOnly("x")},
	{name: "names-empty", make: namedOnly("x", nothing...)},
	{name: "wildcard-of-the-name", make: namedOnly("x", dns("*.$"))},
	{name: "wildcard-of-top-level", make: namedOnly("x", dns("*.test"))},
	{name: "wildcard-bare", make: namedOnly("x", dns("*"))},
	{name: "wildcard-in-the-middle", host: "a.wildcard-middle.bad.test", make: namedOnly("x", dns("a.*.bad.test"))},
	{name: "wildcard-partial-head", make: namedOnly("x", dns("wildcard*.^"))},
	{name: "wildcard-partial-tail", make: namedOnly("x", dns("*head.^"))},
	{name: "wildcard-two", host: "a.two.bad.test", make: namedOnly("x", dns("*.*.bad.test"))},
	{name: "wildcard-too-deep", host: "a.b.deep.bad.test", make: namedOnly("x", dns("*.deep.bad.test"))},
	{name: "wildcard-in-punycode", host: "xn--bcher-kva.bad.test", make: namedOnly("x", dns("xn--*.bad.test"))},
	{name: "wildcard-of-public-suffix", host: "shop.co.uk", make: namedOnly("x", dns("*.co.uk"))},
	{name: "dot-at-the-end", make: namedOnly("x", dns("$."))},
	{name: "dot-in-front", host: "a.dotted.bad.test", make: namedOnly("x", dns(".dotted.bad.test"))},
	{name: "space-in-name", make: namedOnly("x", dns(" $"))},
	{name: "port-in-name", make: namedOnly("x", dns("$:443"))},
	{name: "url-in-name", make: namedOnly("x", dns("https://$"))},
	{name: "nul-in-name", make: namedOnly("x", dns("$\x00.attacker.test"))},
	{name: "nul-in-common-name", make: namedOnly("$\x00.attacker.test")},
	{name: "not-ascii", host: "xn--mnchen-3ya.bad.test", make: namedOnly("x", dns("münchen.bad.test"))},
	{name: "address-as-name", host: "127.9.1.1", make: namedOnly("x", dns("127.9.1.1"))},
	{name: "address-as-common-name", host: "127.9.1.2", make: namedOnly("127.9.1.2")},
	{name: "address-other", host: "127.9.1.3", make: namedOnly("x", ip(127, 9, 1, 99))},
	{name: "address-as-uri", host: "127.9.1.4", make: namedOnly("x", uri("https://127.9.1.4/"))},
	{name: "address-mapped-to-ipv6", host: "127.9.1.5", make: namedOnly("x", ip(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 9, 1, 5))},
	{name: "address-with-mask", host: "127.9.1.6", make: namedOnly("x", ip(127, 9, 1, 6, 255, 255, 255, 255))},
	{name: "address-by-wildcard", host: "127.9.1.7", make: namedOnly("x", dns("*.9.1.7"))},
	{name: "names-twice", make: leaf(func(d *draft) {
		right := *d.find(extSAN)
		d.names(dns("www.attacker.test"))
		d.exts = append(d.exts, right)
	})},

	// Who vouches for it.
	{name: "self-signed", make: vouchingForItself(nil)},
	{name: "self-signed-ca", make: vouchingForItself(func(d *draft) { d.basic(true, -1); d.usage(0, 5, 6) })},
	{name: "self-signed-bare", make: vouchingForItself(func(d *draft) { d.drop(extBasic, extKeyUsage, extPurposes) })},
	{name: "self-signed-and-more", make: vouchingForItself(func(d *draft) {
		d.until = time.Now().AddDate(0, 0, -3)
		d.names(dns("www.attacker.test"))
	})},
	{name: "self-signed-rsa-1024", make: func(m *mint, host string) *tls.Certificate { return shown(m.leaf(nil, host, "rsa1024", nil)) }},
	{name: "untrusted-sent", make: untrusted(true, true)},
	{name: "untrusted-not-sent", make: untrusted(false, true)},
	{name: "untrusted-direct-sent", make: untrusted(true, false)},
	{name: "untrusted-direct-not-sent", make: untrusted(false, false)},
	{name: "twin-of-root", make: twin(true)},
	{name: "twin-of-root-not-sent", make: twin(false)},
	{name: "missing-link", make: func(m *mint, host string) *tls.Certificate {
		return shown(m.leaf(m.ca(m.root, "Missing", "p256", nil), host, "p256", nil))
	}},
	{name: "missing-upper-link", make: func(m *mint, host string) *tls.Certificate {
		lower := m.ca(m.ca(m.root, "Missing above", "p256", nil), "Not missing", "p256", nil)
		return shown(m.leaf(lower, host, "p256", nil), lower)
	}},
	{name: "missing-link-to-fetch", make: func(m *mint, host string) *tls.Certificate {
		missing := m.ca(m.root, "Missing, but to be had", "p256", nil)
		return shown(m.leaf(missing, host, "p256", func(d *draft) { d.fetchIssuer(m.serve(missing.der)) }))
	}},
	{name: "bad-signature", make: leaf(func(d *draft) { d.spoil = flip })},
	{name: "bad-signature-above", make: below(func(d *draft) { d.spoil = flip }, nil)},
	{name: "signature-empty", make: leaf(func(d *draft) { d.spoil = func([]byte) []byte { return nil } })},
	{name: "signature-zero", make: leaf(func(d *draft) { d.spoil = func([]byte) []byte { return []byte{0x30, 6, 2, 1, 0, 2, 1, 0} } })},
	{name: "algorithms-differ", make: leaf(func(d *draft) { d.inner, d.outer = ecdsaSHA256, ecdsaSHA384 })},
	{name: "issuer-by-other-name", make: leaf(func(d *draft) { d.issuer = commonName("Tables Roof") })},
	{name: "aki-of-another", make: leaf(func(d *draft) { d.aki([]byte("another key of the issuer")) })},
	{name: "aki-of-another-above", make: below(func(d *draft) { d.aki([]byte("another key of the issuer")) }, nil)},
	{name: "aki-of-another-serial", make: func(m *mint, host string) *tls.Certificate {
		return shown(m.leaf(m.root, host, "p256", func(d *draft) { d.akiBySerial(m.root.subject, []byte{1, 2, 3}) }))
	}},

	// The CAs above.
	{name: "issuer-expired", make: below(func(d *draft) { d.until = time.Now().AddDate(0, 0, -3) }, nil)},
	{name: "issuer-not-yet", make: below(func(d *draft) { d.from = time.Now().AddDate(0, 0, 3) }, nil)},
	{name: "issuer-is-no-ca", make: below(func(d *draft) { d.basic(false, -1) }, nil)},
	{name: "issuer-without-basic", make: below(func(d *draft) { d.drop(extBasic) }, nil)},
	{name: "issuer-bare", make: below(func(d *draft) { d.exts = nil }, nil)},
	{name: "issuer-version-1", make: below(func(d *draft) { d.version, d.exts = 1, nil }, nil)},
	{name: "issuer-crl-only", make: below(func(d *draft) { d.usage(6) }, nil)},
	{name: "issuer-signs-data-only", make: below(func(d *draft) { d.usage(0) }, nil)},
	{name: "issuer-for-email", make: below(func(d *draft) { d.purposes(emailProtection) }, nil)},
	{name: "issuer-for-clients", make: below(func(d *draft) { d.purposes(clientAuth) }, nil)},
	{name: "issuer-for-ocsp", make: below(func(d *draft) { d.purposes(ocspSigning) }, nil)},
	{name: "issuer-for-sgc", make: below(func(d *draft) { d.purposes(netscapeSGC) }, nil)},
	{name: "issuer-for-any", make: below(func(d *draft) { d.purposes(anyPurpose) }, nil)},
	{name: "issuer-critical-unknown", make: below(func(d *draft) { d.set(extNobodyKnows, true, asn1.NullBytes) }, nil)},
	{name: "issuer-sha1", make: func(m *mint, host string) *tls.Certificate {
		root := m.trustedOf("SHA-1 Root", "rsa2048", nil)
		ca := m.ca(root, "SHA-1 CA", "p256", func(d *draft) { d.inner = rsaSHA1 })
		return shown(m.leaf(ca, host, "p256", nil), ca)
	}},
	{name: "issuer-rsa-1024", make: belowOf("rsa1024", nil, "p256", nil)},
	{name: "issuer-rsa-1536", make: belowOf("rsa1536", nil, "p256", nil)},
	{name: "issuer-p224", make: belowOf("p224", nil, "p256", nil)},
	{name: "issuer-must-staple", make: below(func(d *draft) { d.mustStaple() }, nil)},
	{name: "chain-of-9", make: chainOf(9, "p256", nil)},
	{name: "issuer-limits-path", make: func(m *mint, host string) *tls.Certificate {
		upper := m.ca(m.root, "No CA below", "p256", func(d *draft) { d.basic(true, 0) })
		lower := m.ca(upper, "A CA below", "p256", nil)
		return shown(m.leaf(lower, host, "p256", nil), lower, upper)
	}},
	{name: "root-limits-path", make: func(m *mint, host string) *tls.Certificate {
		root := m.trusted("Root with no CA below", func(d *draft) { d.basic(true, 0) })
		lower := m.ca(root, "CA below a root with none", "p256", nil)
		return shown(m.leaf(lower, host, "p256", nil), lower)
	}},
	{name: "root-rsa-1024", make: under("rsa1024", nil, nil)},
	{name: "root-expired", make: under("p256", func(d *draft) { d.until = time.Now().AddDate(0, 0, -3) }, nil)},
	{name: "root-not-yet", make: under("p256", func(d *draft) { d.from = time.Now().AddDate(0, 0, 3) }, nil)},
	{name: "root-constrains", make: under("p256", func(d *draft) { d.constrain([]asn1.RawValue{dns("attacker.test")}, nil) }, nil)},
	{name: "constrained-to-another", make: below(func(d *draft) { d.constrain([]asn1.RawValue{dns("attacker.test")}, nil) }, nil)},
	{name: "constrained-not-critical", make: below(func(d *draft) {
		d.constrain([]asn1.RawValue{dns("attacker.test")}, nil)
		d.exts[len(d.exts)-1].Critical = false
	}, nil)},
	{name: "excluded", make: below(func(d *draft) { d.constrain(nil, []asn1.RawValue{dns("bad.test")}) }, nil)},
	{name: "excluded-of-wildcard", host: "a.excluded-wildcard.bad.test", make: below(func(d *draft) { d.constrain(nil, []asn1.RawValue{dns("a.excluded-wildcard.bad.test")}) },
		func(d *draft) { d.names(dns("*.excluded-wildcard.bad.test")) })},
	{name: "excluded-address", host: "127.9.1.8", make: below(func(d *draft) { d.constrain(nil, []asn1.RawValue{ip(127, 0, 0, 0, 255, 0, 0, 0)}) }, nil)},
	{name: "constrained-addresses", host: "127.9.1.9", make: below(func(d *draft) { d.constrain([]asn1.RawValue{ip(10, 0, 0, 0, 255, 0, 0, 0)}, nil) }, nil)},
	{name: "constrained-around-common-name", make: below(func(d *draft) { d.constrain([]asn1.RawValue{dns("attacker.test")}, nil) }, func(d *draft) { d.drop(extSAN) })},
	{name: "constrained-directory-name", make: below(func(d *draft) { d.constrain([]asn1.RawValue{directory(text(12, "", "Other"))}, nil) }, func(d *draft) { d.subject = text(12, "x", "Tables") })},
	{name: "excluded-directory-name", make: below(func(d *draft) {
		d.constrain(nil, []asn1.RawValue{directory(must(asn1.Marshal(organization("Tables"))))})
	}, func(d *draft) { d.subject = must(asn1.Marshal(organization("Tables"))) })},
	{name: "constrained-in-other-names-too", make: below(func(d *draft) { d.constrain([]asn1.RawValue{dns("bad.test")}, nil) }, func(d *draft) { d.names(dns(d.host), dns("www.attacker.test")) })},

	// What it is for.
	{name: "for-any-purpose", make: leaf(func(d *draft) { d.purposes(anyPurpose) })},
	{name: "for-any-and-code", make: leaf(func(d *draft) { d.purposes(codeSigning, anyPurpose) })},
	{name: "for-servers-and-ocsp", make: leaf(func(d *draft) { d.purposes(serverAuth, ocspSigning) })},
	{name: "for-code", make: leaf(func(d *draft) { d.purposes(codeSigning) })},
	{name: "for-clients", make: leaf(func(d *draft) { d.purposes(clientAuth) })},
	{name: "for-email", make: leaf(func(d *draft) { d.purposes(emailProtection) })},
	{name: "for-sgc", make: leaf(func(d *draft) { d.purposes(netscapeSGC) })},
	{name: "for-nothing", make: leaf(func(d *draft) { d.set(extPurposes, false, []byte{0x30, 0}) })},
	{name: "encipher-only-1.2", config: tls12, make: leafOf("rsa2048", func(d *draft) { d.usage(2) })},
	{name: "encipher-only-1.3", make: leafOf("rsa2048", func(d *draft) { d.usage(2) })},
	{name: "data-encipherment", make: leaf(func(d *draft) { d.usage(3) })},
	{name: "key-agreement-1.2", config: tls12, make: leaf(func(d *draft) { d.usage(4) })},
	{name: "key-agreement-1.3", make: leaf(func(d *draft) { d.usage(4) })},
	{name: "non-repudiation", make: leaf(func(d *draft) { d.usage(1) })},
	{name: "cert-sign-usage", make: leaf(func(d *draft) { d.usage(5, 6) })},
	{name: "usage-empty", make: leaf(func(d *draft) { d.usage() })},
	{name: "leaf-is-a-ca", make: leaf(func(d *draft) { d.basic(true, -1); d.usage(0, 5, 6) })},
	{name: "leaf-is-a-ca-by-flag", make: leaf(func(d *draft) { d.basic(true, 0) })},

	// What it is made of.
	{name: "rsa-1024", make: leafOf("rsa1024", nil)},
	{name: "rsa-1024-1.2", config: tls12, make: leafOf("rsa1024", nil)},
	{name: "rsa-1536", make: leafOf("rsa1536", nil)},
	{name: "rsa-2040", make: leafOf("rsa2040", nil)},
	{name: "sha1", make: weaklySigned(rsaSHA1)},
	{name: "sha1-ecdsa", make: leaf(func(d *draft) { d.inner = ecdsaSHA1 })},
	{name: "md5", make: weaklySigned(rsaMD5)},
	{name: "critical-unknown", make: leaf(func(d *draft) { d.set(extNobodyKnows, true, asn1.NullBytes) })},
	{name: "critical-aia", make: leaf(func(d *draft) {
		d.fetchIssuer("http://127.0.0.1:9/")
		d.critical(extAIA)
	})},
	{name: "critical-poison", make: leaf(func(d *draft) {
		d.set(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 3}, true, asn1.NullBytes) // a precertificate, RFC 6962 3.1
	})},
	{name: "policies-required", make: below(func(d *draft) { d.set(extPolicyLimit, true, []byte{0x30, 3, 0x80, 1, 0}) }, nil)},
	{name: "bare", make: leaf(func(d *draft) { d.exts = nil })},
	{name: "signed-sha224", make: belowOf("rsa2048", nil, "p256", func(d *draft) { d.inner = rsaWith(14, crypto.SHA224) })},
	{name: "extension-twice", make: leaf(func(d *draft) { d.exts = append(d.exts, *d.find(extPurposes)) })},
	{name: "agreement-and-encipherment", make: leafOf("rsa2048", func(d *draft) { d.usage(2, 4) })},
	{name: "version-1", make: leaf(func(d *draft) { d.version, d.exts = 1, nil })},
	{name: "version-1-with-names", make: leaf(func(d *draft) { d.version = 1 })},
	{name: "version-2", make: leaf(func(d *draft) { d.version = 2 })},
	{name: "basic-constraints-junk", make: leaf(func(d *draft) { d.set(extBasic, true, []byte("junk")) })},
	{name: "not-a-certificate", make: func(m *mint, host string) *tls.Certificate {
		c := leaf(nil)(m, host)
		c.Certificate[0] = []byte("this is no certificate")
		return c
	}},
	{name: "certificate-and-more", make: func(m *mint, host string) *tls.Certificate {
		c := leaf(nil)(m, host)
		c.Certificate[0] = append(bytes.Clone(c.Certificate[0]), "more"...)
		return c
	}},
	{name: "junk-behind", make: func(m *mint, host string) *tls.Certificate {
		c := leaf(nil)(m, host)
		c.Certificate = append(c.Certificate, []byte("this is no certificate"))
		return c
	}},

	// What is stapled.
	{name: "must-staple-absent", make: below(nil, (*draft).mustStaple)},
	{name: "must-staple-stale", make: stapling((*draft).mustStaple, saying(stale))},
	{name: "must-staple-early", make: stapling((*draft).mustStaple, saying(early))},
	{name: "must-staple-unknown", make: stapling((*draft).mustStaple, saying(unknown))},
	{name: "must-staple-other", make: stapling((*draft).mustStaple, saying(otherSerial))},
	{name: "must-staple-junk", make: stapling((*draft).mustStaple, bytesOfStaple([]byte("junk")))},
	{name: "must-staple-later", make: stapling((*draft).mustStaple, bytesOfStaple(ocspTryLater))},
	{name: "must-staple-bad-signature", make: stapling((*draft).mustStaple, badSignature(nil))},
	{name: "must-staple-stranger", make: stapling((*draft).mustStaple, stranger)},
	{name: "must-staple-revoked", make: stapling((*draft).mustStaple, saying(revoked))},
	{name: "staple-stale", make: stapling(nil, saying(stale))},
	{name: "staple-stale-1.2", config: tls12, make: stapling(nil, saying(stale))},
	{name: "staple-early", make: stapling(nil, saying(early))},
	{name: "staple-unknown", make: stapling(nil, saying(unknown))},
	{name: "staple-other", make: stapling(nil, saying(otherSerial))},
	{name: "staple-later", make: stapling(nil, bytesOfStaple(ocspTryLater))},
	{name: "staple-unauthorized", make: stapling(nil, bytesOfStaple(ocsp.UnauthorizedErrorResponse))},
	{name: "staple-endless-old", make: stapling(nil, saying(func(m *mint, r *ocsp.Response) { stale(m, r); endless(m, r) }))},
	{name: "staple-for-forty-days", make: stapling(nil, saying(func(m *mint, r *ocsp.Response) {
		r.ThisUpdate, r.NextUpdate = m.now.AddDate(0, 0, -20), m.now.AddDate(0, 0, 20)
	}))},
	{name: "must-staple-for-forty-days", make: stapling((*draft).mustStaple, saying(func(m *mint, r *ocsp.Response) {
		r.ThisUpdate, r.NextUpdate = m.now.AddDate(0, 0, -20), m.now.AddDate(0, 0, 20)
	}))},
	{name: "feature-unknown", make: leaf(func(d *draft) { d.set(extFeature, false, []byte{0x30, 3, 2, 1, 17}) })},
	{name: "must-staple-critical", make: leaf(func(d *draft) { d.mustStaple(); d.critical(extFeature) })},
	{name: "staple-junk", make: stapling(nil, bytesOfStaple([]byte("junk")))},
	{name: "staple-bad-signature", make: stapling(nil, badSignature(nil))},
	{name: "staple-stranger", make: stapling(nil, stranger)},
	{name: "staple-by-leaf", make: stapling(nil, func(m *mint, leaf, issuer *party) []byte {
		return m.staple(leaf, issuer, func(*ocsp.Response, *party) *party { return leaf })
	})},
	{name: "staple-delegate-unfit", make: stapling(nil, delegated(func(d *draft) { d.purposes(serverAuth) }, nil))},
	{name: "staple-delegate-expired", make: stapling(nil, delegated(func(d *draft) { d.until = time.Now().AddDate(0, 0, -3) }, nil))},
	{name: "revoked", make: stapling(nil, saying(revoked))},
	{name: "revoked-1.2", config: tls12, make: stapling(nil, saying(revoked))},
	{name: "revoked-key-compromise", make: stapling(nil, saying(revokedBecause(ocsp.KeyCompromise)))},
	{name: "revoked-superseded", make: stapling(nil, saying(revokedBecause(ocsp.Superseded)))},
	{name: "revoked-by-delegate", make: stapling(nil, delegated(nil, revoked))},
	{name: "revoked-stale", make: stapling(nil, saying(func(m *mint, r *ocsp.Response) { revoked(m, r); stale(m, r) }))},
	{name: "revoked-bad-signature", make: stapling(nil, badSignature(revoked))},
	{name: "revoked-and-expired", make: stapling(func(d *draft) { d.until = time.Now().AddDate(0, 0, -3) }, saying(revoked))},

	// Several at once.
	{name: "expired-and-aki-of-another", make: leaf(func(d *draft) { d.until = time.Now().AddDate(0, 0, -3); d.aki([]byte("another")) })},
	{name: "other-name-and-any-purpose", make: leaf(func(d *draft) { d.names(dns("www.attacker.test")); d.purposes(anyPurpose) })},
	{name: "expired-rsa-1024", make: leafOf("rsa1024", func(d *draft) { d.until = time.Now().AddDate(0, 0, -3) })},
	{name: "expired-and-staple-stale", make: stapling(func(d *draft) { d.until = time.Now().AddDate(0, 0, -3) }, saying(stale))},
	{name: "untrusted-and-must-staple", make: func(m *mint, host string) *tls.Certificate {
		root := m.ca(nil, "Untrusted, must staple", "p256", nil)
		return shown(m.leaf(root, host, "p256", (*draft).mustStaple), root)
	}},
}

func flip(sig []byte) []byte {
	sig[len(sig)-1] ^= 1
	return sig
}

func organization(name string) any {
	c := x509.Certificate{}
	c.Subject.Organization = []string{name}
	return c.Subject.ToRDNSequence()
}

func vouchingForItself(change func(*draft)) making {
	return func(m *mint, host string) *tls.Certificate { return shown(m.leaf(nil, host, "p256", change)) }
}

// untrusted is below a root that nobody was told of, which is sent or not, as one below it may be.
func untrusted(sent, between bool) making {
	return func(m *mint, host string) *tls.Certificate {
		root := m.ca(nil, "Untrusted above "+host, "p256", nil)
		above := []*party{root}
		if between {
			above = []*party{m.ca(root, "Untrusted between "+host, "p256", nil), root}
		}
		leaf := m.leaf(above[0], host, "p256", nil)
		if !sent {
			above = above[:len(above)-1]
		}
		return shown(leaf, above...)
	}
}

// twin is below a CA with the trusted root's name and another key.
func twin(sent bool) making {
	return func(m *mint, host string) *tls.Certificate {
		root := m.ca(nil, "Tables Root", "p256", func(d *draft) { d.serial = m.root.serial })
		if leaf := m.leaf(root, host, "p256", nil); !sent {
			return shown(leaf)
		} else {
			return shown(leaf, root)
		}
	}
}

// weaklySigned is below an RSA CA that signs with a digest that collides.
func weaklySigned(with *signature) making {
	return belowOf("rsa2048", nil, "p256", func(d *draft) { d.inner = with })
}

// faultyOrigins are those of the case list, one by one, and some faults together.
func faultyOrigins(originCA *ca.Authority) (bad, good []origin) {
	of := func(ids ...string) making {
		return func(m *mint, host string) *tls.Certificate { return must(originCA.Faulty(host, ids...)) }
	}
	for i := range ca.Faults {
		f := &ca.Faults[i]
		if f.Finished != ca.FinishedRight { // takes more than a tls.Config
			continue
		}
		o := origin{name: "case-" + f.ID, make: of(f.ID), config: func(c *tls.Config) {
			if f.Only12 {
				c.MaxVersion = tls.VersionTLS12
				c.NextProtos = []string{"http/1.1"} // HTTP/2 does without some of these (RFC 9113 9.2.2)
			}
			f.Configure(c)
		}}
		if f.ByAddress {
			o.host = fmt.Sprintf("127.9.3.%d", i+1)
		}
		if f.Severity == ca.Control || slices.Contains([]string{"no-eku", "long-validity", "cipher-static-rsa"}, f.ID) { // of the clients here none minds
			good = append(good, o)
		} else {
			bad = append(bad, o)
		}
	}
	for _, ids := range [][]string{
		{"expired", "wrong-host"}, {"expired", "self-signed"}, {"expired", "untrusted-root"}, {"expired", "wrong-eku"},
		{"not-yet-valid", "wrong-host"}, {"not-yet-valid", "self-signed"}, {"not-yet-valid", "untrusted-root"}, {"not-yet-valid", "wrong-eku"},
		{"wrong-host", "self-signed"}, {"wrong-host", "untrusted-root"}, {"wrong-host", "wrong-eku"}, {"self-signed", "wrong-eku"}, {"untrusted-root", "wrong-eku"},
		{"expired", "wrong-host", "self-signed"}, {"not-yet-valid", "wrong-host", "untrusted-root"}, {"expired", "wrong-host", "wrong-eku"}, {"self-signed", "wrong-host", "wrong-eku"},
		{"expired", "nul-in-san"}, {"unknown-critical-ext", "expired"}, {"expired", "good-rsa"}, {"self-signed", "good-rsa"}, {"wrong-host", "good-intermediate"},
	} {
		bad = append(bad, origin{name: strings.Join(ids, "--"), make: of(ids...)})
	}
	return bad, good
}
