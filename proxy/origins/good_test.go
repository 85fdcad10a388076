package origins

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"
)

func suites(ids ...uint16) func(*tls.Config) {
	return func(c *tls.Config) {
		c.MaxVersion, c.CipherSuites = tls.VersionTLS12, ids
		c.NextProtos = []string{"http/1.1"} // HTTP/2 does without these suites (RFC 9113 9.2.2)
	}
}

func curve(id tls.CurveID) func(*tls.Config) {
	return func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{id} }
}

func alpn(names ...string) func(*tls.Config) {
	return func(c *tls.Config) { c.NextProtos = names }
}

// chainOf is a leaf below so many CAs.
func chainOf(n int, kind string, arrange func(leaf *party, above []*party, root *party) *tls.Certificate) making {
	return func(m *mint, host string) *tls.Certificate {
		p := m.root
		var above []*party
		for i := range n {
			p = m.ca(p, fmt.Sprintf("CA %d above %s", n-i, host), kind, nil)
			above = append([]*party{p}, above...)
		}
		leaf := m.leaf(p, host, kind, nil)
		if arrange == nil {
			return shown(leaf, above...)
		}
		return arrange(leaf, above, m.root)
	}
}

// goodOrigins are unusual, and nothing is wrong with them.
var goodOrigins = []origin{
	// How people make certificates.
	{name: "plain", make: leaf(nil)},
	{name: "plain-1.2", config: tls12, make: leaf(nil)},
	{name: "plain-1.3", config: func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }, make: leaf(nil)},
	{name: "openssl-req-x509", make: under("rsa2048", func(d *draft) { d.drop(extKeyUsage) }, func(d *draft) { d.exts = nil; d.names(dns(d.host)) })}, // openssl req -x509, then x509 -req -extfile with the names alone
	{name: "root-without-usage-and-ski", make: under("p256", func(d *draft) { d.drop(extKeyUsage, extSKI) }, nil)},
	{name: "root-version-1", make: under("rsa2048", func(d *draft) { d.version, d.exts = 1, nil }, nil)},
	{name: "root-for-servers", make: under("p256", func(d *draft) { d.purposes(serverAuth) }, nil)},
	{name: "root-constrains-fitting", make: under("p256", func(d *draft) { d.constrain([]asn1.RawValue{dns("good.test")}, nil) }, nil)},
	{name: "root-sha1-of-itself", make: under("rsa2048", func(d *draft) { d.inner = rsaSHA1 }, nil)},
	{name: "leaf-is-the-root", make: func(m *mint, host string) *tls.Certificate {
		root := m.leaf(nil, host, "p256", func(d *draft) { d.basic(true, -1); d.usage(0, 5, 6) })
		m.roots = append(m.roots, root)
		return shown(root)
	}},
	{name: "root-p384", make: under("p384", nil, nil)},
	{name: "root-rsa-4096", make: under("rsa4096", nil, nil)},
	{name: "names-alone", make: leaf(func(d *draft) { d.exts = nil; d.names(dns(d.host)) })},
	{name: "no-purposes", make: leaf(func(d *draft) { d.drop(extPurposes) })},
	{name: "no-usage", make: leaf(func(d *draft) { d.drop(extKeyUsage) })},
	{name: "no-usage-rsa-1.2", config: tls12, make: leafOf("rsa2048", func(d *draft) { d.drop(extKeyUsage) })},
	{name: "no-basic-constraints", make: leaf(func(d *draft) { d.drop(extBasic) })},
	{name: "no-aki", make: leaf(func(d *draft) { d.drop(extAKI) })},
	{name: "aki-by-serial", make: func(m *mint, host string) *tls.Certificate {
		return shown(m.leaf(m.root, host, "p256", func(d *draft) { d.akiBySerial(m.root.subject, m.root.serial) }))
	}},
	{name: "with-ski", make: leaf(func(d *draft) { d.set(extSKI, false, must(asn1.Marshal(d.named(d.key.Public())))) })},
	{name: "servers-and-clients", make: leaf(func(d *draft) { d.purposes(serverAuth, clientAuth) })},
	{name: "purposes-critical", make: leaf(func(d *draft) { d.purposes(serverAuth); d.critical(extPurposes) })},
	{name: "purposes-unknown-too", make: leaf(func(d *draft) { d.purposes(serverAuth, asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55738, 1}) })},
	{name: "servers-and-any", make: leaf(func(d *draft) { d.purposes(serverAuth, anyPurpose) })},
	{name: "usage-of-all-sorts", make: leafOf("rsa2048", func(d *draft) { d.usage(0, 1, 2, 3, 4) })},
	{name: "usage-not-critical", make: leaf(func(d *draft) { d.usage(0); d.find(extKeyUsage).Critical = false })},
	{name: "unknown-extension", make: leaf(func(d *draft) { d.set(extNobodyKnows, false, asn1.NullBytes) })},
	{name: "policy", make: leaf(func(d *draft) { d.set(extPolicies, false, []byte{0x30, 8, 0x30, 6, 6, 4, 0x55, 0x1d, 0x20, 0}) })},

	// Dates.
	{name: "ten-years", make: leaf(func(d *draft) { d.until = time.Now().AddDate(10, 0, 0) })},
	{name: "until-9999", make: leaf(func(d *draft) { d.until = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) })},
	{name: "since-1970", make: leaf(func(d *draft) { d.from = time.Unix(0, 0) })},
	{name: "dates-generalized", make: leaf(func(d *draft) { d.generalized = true })},
	{name: "five-minutes", make: leaf(func(d *draft) { d.from, d.until = time.Now().Add(-time.Minute), time.Now().Add(5*time.Minute) })},
	{name: "older-than-its-issuer", make: leaf(func(d *draft) { d.from = time.Now().AddDate(-3, 0, 0) })},
	{name: "outlives-its-issuer", make: below(func(d *draft) { d.until = time.Now().AddDate(0, 0, 7) }, nil)},

	// Keys and signatures.
	{name: "rsa-2048", make: leafOf("rsa2048", nil)},
	{name: "rsa-2048-1.2", config: tls12, make: leafOf("rsa2048", nil)},
	{name: "rsa-2056", make: leafOf("rsa2056", nil)},
	{name: "rsa-3072", make: leafOf("rsa3072", nil)},
	{name: "rsa-4096", make: leafOf("rsa4096", nil)},
	{name: "p384", make: leafOf("p384", nil)},
	{name: "p384-1.2", config: tls12, make: leafOf("p384", nil)},
	{name: "p521", make: leafOf("p521", nil)},
	{name: "ed25519", make: leafOf("ed25519", nil)},
	{name: "ed25519-1.2", config: tls12, make: leafOf("ed25519", nil)},
	{name: "ca-rsa-4096", make: belowOf("rsa4096", nil, "p256", nil)},
	{name: "ca-p384", make: belowOf("p384", nil, "p256", nil)},
	{name: "ca-p521", make: belowOf("p521", nil, "p256", nil)},
	{name: "ca-ed25519", make: belowOf("ed25519", nil, "p256", nil)},
	{name: "signed-sha384", make: belowOf("rsa2048", nil, "rsa2048", func(d *draft) { d.inner = rsaSHA384 })},
	{name: "signed-sha512", make: belowOf("rsa2048", nil, "rsa2048", func(d *draft) { d.inner = rsaSHA512 })},
	{name: "signed-pss", make: belowOf("rsa2048", nil, "rsa2048", func(d *draft) { d.inner = rsaPSS })},
	{name: "signed-sha512-p256", make: leaf(func(d *draft) { d.inner = ecdsaSHA512 })},

	// Chains.
	{name: "chain-1", make: chainOf(1, "p256", nil)},
	{name: "chain-2-rsa", make: chainOf(2, "rsa2048", nil)},
	{name: "chain-5", make: chainOf(5, "p256", nil)},
	{name: "chain-with-root", make: chainOf(1, "p256", func(leaf *party, above []*party, root *party) *tls.Certificate {
		return shown(leaf, append(above, root)...)
	})},
	{name: "chain-in-odd-order", make: chainOf(3, "p256", func(leaf *party, above []*party, root *party) *tls.Certificate {
		return shown(leaf, root, above[2], above[0], above[1])
	})},
	{name: "chain-twice", make: chainOf(2, "p256", func(leaf *party, above []*party, root *party) *tls.Certificate {
		return shown(leaf, above[0], above[0], above[1], above[1], leaf)
	})},
	{name: "chain-and-strangers", make: func(m *mint, host string) *tls.Certificate {
		ca := m.ca(m.root, "CA of "+host, "p256", nil)
		other := m.ca(nil, "Stranger", "p256", nil)
		return shown(m.leaf(ca, host, "p256", nil), m.leaf(other, "other.test", "p256", nil), other, ca)
	}},
	{name: "chain-and-expired-stranger", make: func(m *mint, host string) *tls.Certificate {
		ca := m.ca(m.root, "CA of "+host, "p256", nil)
		other := m.ca(nil, "Stranger", "p256", func(d *draft) { d.until = time.Now().AddDate(0, 0, -3) })
		return shown(m.leaf(ca, host, "p256", nil), ca, other)
	}},
	{name: "root-right-above", make: leaf(nil)},
	{name: "root-right-above-and-sent", make: func(m *mint, host string) *tls.Certificate {
		return shown(m.leaf(m.root, host, "p256", nil), m.root)
	}},
	{name: "cross-signed", make: crossSigned(true, nil)},
	{name: "cross-signed-by-a-stranger-first", make: crossSigned(false, nil)},
	{name: "cross-signed-expired", make: crossSigned(false, func(d *draft) { d.until = time.Now().AddDate(0, 0, -3) })},
	{name: "ca-limits-path-fitting", make: below(func(d *draft) { d.basic(true, 0) }, nil)},
	{name: "ca-for-servers", make: below(func(d *draft) { d.purposes(serverAuth) }, nil)},
	{name: "ca-for-servers-and-more", make: below(func(d *draft) { d.purposes(serverAuth, clientAuth, codeSigning, emailProtection) }, nil)},
	{name: "ca-nothing-critical", make: below(func(d *draft) {
		for i := range d.exts {
			d.exts[i].Critical = false
		}
	}, nil)},
	{name: "ca-without-usage", make: below(func(d *draft) { d.drop(extKeyUsage) }, nil)},
	{name: "ca-without-ski", make: below(func(d *draft) { d.drop(extSKI) }, nil)},
	{name: "ca-constrains-fitting", make: below(func(d *draft) { d.constrain([]asn1.RawValue{dns("good.test")}, []asn1.RawValue{dns("other.test")}) }, nil)},
	{name: "ca-constrains-with-dot", make: below(func(d *draft) { d.constrain([]asn1.RawValue{dns(".good.test")}, nil) }, nil)},
	{name: "ca-constrains-address", host: "127.9.2.1", make: below(func(d *draft) { d.constrain([]asn1.RawValue{ip(127, 0, 0, 0, 255, 0, 0, 0)}, nil) }, nil)},
	{name: "ca-with-policy", make: below(func(d *draft) { d.set(extPolicies, false, []byte{0x30, 8, 0x30, 6, 6, 4, 0x55, 0x1d, 0x20, 0}) }, nil)},
	{name: "policies-required-and-there", make: below(func(d *draft) {
		d.set(extPolicyLimit, true, []byte{0x30, 3, 0x80, 1, 0})
		d.set(extPolicies, false, []byte{0x30, 8, 0x30, 6, 6, 4, 0x55, 0x1d, 0x20, 0})
	}, func(d *draft) { d.set(extPolicies, false, []byte{0x30, 8, 0x30, 6, 6, 4, 0x55, 0x1d, 0x20, 0}) })},

	// Names.
	{name: "no-subject", make: leaf(func(d *draft) { d.subject = noName; d.names(dns(d.host)) })},
	{name: "subject-of-many-kilobytes", make: leaf(func(d *draft) { d.subject = text(12, "x", strings.Repeat("long ", 2000)) })},
	{name: "subject-utf8", make: leaf(func(d *draft) { d.subject = text(12, "bücher", "Tüten") })},
	{name: "subject-printable", make: leaf(func(d *draft) { d.subject = text(19, "shop", "Tables") })},
	{name: "subject-t61", make: leaf(func(d *draft) { d.subject = text(20, "b\xfccher", "T\xfcten") })},
	{name: "subject-bmp", make: leaf(func(d *draft) { d.subject = text(30, "\x00s\x00h\x00o\x00p", "\x00T") })},
	{name: "subject-ia5", make: leaf(func(d *draft) { d.subject = text(22, "shop@x", "Tables") })},
	{name: "issuer-t61", make: under("p256", func(d *draft) { d.subject = text(20, "Fr\xfchst\xfcck", "T\xfcten") }, nil)},
	{name: "common-name-of-another", make: leaf(func(d *draft) { d.subject = commonName("www.attacker.test") })},
	{name: "wildcard", host: "a.wild.good.test", make: leaf(func(d *draft) { d.names(dns("*.wild.good.test")) })},
	{name: "wildcard-and-more", host: "a.wilder.good.test", make: leaf(func(d *draft) { d.names(dns("other.test"), dns("*.wilder.good.test"), dns("wilder.good.test")) })},
	{name: "upper-case", make: leaf(func(d *draft) { d.names(dns("UPPER-Case.Good.TEST")) })},
	{name: "idn", host: "xn--bcher-kva.good.test", make: leaf(nil)},
	{name: "idn-wildcard", host: "xn--bcher-kva.idn.good.test", make: leaf(func(d *draft) { d.names(dns("*.idn.good.test")) })},
	{name: "underscore", host: "under_score.good.test", make: leaf(nil)},
	{name: "one-label", host: "intranet", make: leaf(nil)},
	{name: "label-of-63", host: "a23456789012345678901234567890123456789012345678901234567890123.good.test", make: leaf(nil)},
	{name: "dot-behind", host: "dotted.good.test.", make: leaf(nil)},
	{name: "address", host: "127.9.2.2", make: leaf(nil)},
	{name: "address-and-names", host: "127.9.2.3", make: leaf(func(d *draft) {
		d.names(dns("shop.test"), ip(127, 9, 2, 3), ip(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1))
	})},
	{name: "names-of-all-sorts", make: leaf(func(d *draft) {
		d.names(email("root@good.test"), uri("https://good.test/"), directory(commonName("x")), ip(192, 0, 2, 1), dns(d.host))
	})},
	{name: "names-500", make: leaf(func(d *draft) { d.names(append(manyNames(499), dns(d.host))...) })},
	{name: "names-2000", make: leaf(func(d *draft) { d.names(append(manyNames(1999), dns(d.host))...) })},
	{name: "names-critical", make: leaf(func(d *draft) { d.critical(extSAN) })},
	{name: "other-names-that-are-none", make: leaf(func(d *draft) { d.names(dns("*"), dns("not a name"), dns(d.host)) })},

	// Serials.
	{name: "serial-1", make: leaf(func(d *draft) { d.serial = []byte{1} })},
	{name: "serial-0", make: leaf(func(d *draft) { d.serial = []byte{0} })},
	{name: "serial-negative", make: leaf(func(d *draft) { d.serial[0] |= 0x80 })},
	{name: "serial-of-20", make: leaf(func(d *draft) { d.serial = append(newSerialBytes(), 1, 2, 3, 4) })},
	{name: "serial-of-21", make: leaf(func(d *draft) { d.serial = append([]byte{0, 0x80}, append(newSerialBytes(), 1, 2, 3)...) })},

	// Staples.
	{name: "staple", make: stapling(nil, saying(nil))},
	{name: "staple-1.2", config: tls12, make: stapling(nil, saying(nil))},
	{name: "staple-by-delegate", make: stapling(nil, delegated(nil, nil))},
	{name: "staple-without-end", make: stapling(nil, saying(endless))},
	{name: "staple-by-sha256", make: stapling(nil, saying(func(m *mint, r *ocsp.Response) { r.IssuerHash = crypto.SHA256 }))},
	{name: "staple-signed-sha1", make: func(m *mint, host string) *tls.Certificate {
		ca := m.ca(m.root, "CA of "+host, "rsa2048", nil)
		leaf := m.leaf(ca, host, "p256", nil)
		cert := shown(leaf, ca)
		cert.OCSPStaple = saying(func(_ *mint, r *ocsp.Response) { r.SignatureAlgorithm = x509.SHA1WithRSA })(m, leaf, ca)
		return cert
	}},
	{name: "must-staple", make: stapling((*draft).mustStaple, saying(nil))},
	{name: "must-staple-1.2", config: tls12, make: stapling((*draft).mustStaple, saying(nil))},
	{name: "must-staple-by-delegate", make: stapling((*draft).mustStaple, delegated(nil, nil))},
	{name: "ca-and-leaf-must-staple", make: func(m *mint, host string) *tls.Certificate {
		ca := m.ca(m.root, "CA of "+host, "p256", (*draft).mustStaple)
		leaf := m.leaf(ca, host, "p256", (*draft).mustStaple)
		cert := shown(leaf, ca)
		cert.OCSPStaple = m.staple(leaf, ca, nil)
		return cert
	}},
	{name: "staple-right-below-root", make: func(m *mint, host string) *tls.Certificate {
		leaf := m.leaf(m.root, host, "p256", nil)
		cert := shown(leaf, m.root)
		cert.OCSPStaple = m.staple(leaf, m.root, nil)
		return cert
	}},

	// What the server speaks.
	{name: "cbc-ecdsa", config: suites(tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA), make: leaf(nil)},
	{name: "cbc-rsa", config: suites(tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA), make: leafOf("rsa2048", nil)},
	{name: "chacha", config: suites(tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256), make: leaf(nil)},
	{name: "static-rsa-gcm", config: suites(tls.TLS_RSA_WITH_AES_128_GCM_SHA256), make: leafOf("rsa2048", nil)},
	{name: "static-rsa-cbc", config: suites(tls.TLS_RSA_WITH_AES_256_CBC_SHA), make: leafOf("rsa2048", nil)},
	{name: "static-rsa-encipher-only", config: suites(tls.TLS_RSA_WITH_AES_128_GCM_SHA256), make: leafOf("rsa2048", func(d *draft) { d.usage(2) })},
	{name: "alpn-none", config: alpn(), make: leaf(nil)},
	{name: "alpn-http1", config: alpn("http/1.1"), make: leaf(nil)},
	{name: "alpn-h2", config: alpn("h2"), make: leaf(nil)},
	{name: "curve-p256", config: curve(tls.CurveP256), make: leaf(nil)},
	{name: "curve-p384", config: curve(tls.CurveP384), make: leaf(nil)},
	{name: "curve-p521", config: curve(tls.CurveP521), make: leaf(nil)},
	{name: "curve-hybrid", config: curve(tls.X25519MLKEM768), make: leaf(nil)},
	{name: "curve-x25519", config: curve(tls.X25519), make: leaf(nil)},
	{name: "asks-for-a-certificate", config: func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert }, make: leaf(nil)},
	{name: "asks-for-a-certificate-1.2", config: func(c *tls.Config) { c.ClientAuth, c.MaxVersion = tls.RequestClientCert, tls.VersionTLS12 }, make: leaf(nil)},
}

// crossSigned is below a CA with two certificates: one of the trusted root's, one of a stranger's.
func crossSigned(trustedFirst bool, ofStrangers func(*draft)) making {
	return func(m *mint, host string) *tls.Certificate {
		ca := m.ca(m.root, "CA of "+host, "p256", nil)
		other := m.ca(nil, "Other root of "+host, "p256", nil)
		twin := m.ca(other, "CA of "+host, "p256", func(d *draft) {
			d.key = ca.key
			d.set(extSKI, false, must(asn1.Marshal(ca.ski())))
			if ofStrangers != nil {
				ofStrangers(d)
			}
		})
		leaf := m.leaf(ca, host, "p256", nil)
		if trustedFirst {
			return shown(leaf, ca, twin, other)
		}
		return shown(leaf, twin, other, ca)
	}
}

func manyNames(n int) (names []asn1.RawValue) {
	for i := range n {
		names = append(names, dns(fmt.Sprintf("name-%d.many.test", i)))
	}
	return names
}
