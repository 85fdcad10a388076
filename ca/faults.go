package ca

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"
)

// A Severity is what an attacker must have to make use of a fault.
type Severity string

const (
	Control  Severity = "control"  // no fault: what a client should accept
	Critical Severity = "critical" // nothing but a place on the path
	High     Severity = "high"     // a certificate that anybody can get for a name of their own
	Medium   Severity = "medium"   // something stolen, expired, revoked, collided or factored
	Low      Severity = "low"      // a CA's or an owner's sloppiness, by itself no attack
)

// A Fault is one way in which a server's certificate, or its handshake, can be
// wrong, or a control, which is not.
type Fault struct {
	ID       string // permanent
	Severity Severity
	Wrong    string  // what is wrong, one sentence
	Check    string  // the check that catches it, one sentence
	Step     string  // the textbook's step that it belongs to: "2" or "4a"
	Incident string  // what happened because of it, or why it matters
	Alerts   []uint8 // that fit, the best first, where package verify has no reason of this ID
	Refuser  string  // a program that is known to refuse it: "crypto/x509", "crypto/tls", or the name of one that was measured or says so

	// About is the kind of check that the fault is about; of a control, "".
	About About
	// Asked tells that only a client which asks for a stapled OCSP response
	// (status_request, RFC 6066 8) can notice the fault.
	Asked bool
	// Control is the ID of the control that the fault is one change away from.
	Control string
	// Handshake tells that the certificate is good and the server does
	// something else wrong.
	Handshake bool
	// Finished tells what the server does to its Finished message, which only who runs its TLS can.
	Finished Finished
	// Only12 tells that the fault exists in TLS 1.2 and before alone.
	Only12 bool
	// ByAddress tells that the host must be an IP address.
	ByAddress bool
	// Trust tells that the client must trust [Authority.ExpiredTwin] too.
	Trust bool

	mint   func(*draft)
	config func(*tls.Config)
}

// An About is a kind of check that a client makes, or fails to.
type About string

const (
	AboutChain      About = "chain"      // who vouches for it
	AboutNames      About = "names"      // is it for this host
	AboutDates      About = "dates"      // is it for now
	AboutPurpose    About = "purpose"    // is it for a server
	AboutStrength   About = "strength"   // is the mathematics sound
	AboutHandshake  About = "handshake"  // does the server hold the key, was the handshake touched
	AboutVersions   About = "versions"   // are version and suite fit for use
	AboutRevocation About = "revocation" // was it taken back
)

// Finished is what is wrong with a server's Finished message.
type Finished int

const (
	FinishedRight    Finished = iota
	FinishedWrong             // verify_data has another value, in a record that is in order
	FinishedTampered          // a bit of its record was flipped after it had been encrypted
)

// Configure makes the changes to a server's configuration that the fault
// consists of, if it is one of the handshake.
func (f *Fault) Configure(c *tls.Config) {
	if f.config != nil {
		f.config(c)
	}
}

// Exists reports whether a fault exists in a TLS version ("TLS 1.2").
func (f *Fault) Exists(version string) bool { return !f.Only12 || version != "TLS 1.3" }

// FaultOf returns the fault or control with an ID, or nil.
func FaultOf(id string) *Fault {
	for i := range Faults {
		if Faults[i].ID == id {
			return &Faults[i]
		}
	}
	return nil
}

const (
	attacker = "www.attacker.test"

	// A client's clock and its allowance for it, a day in NSS, must not decide.
	longAgo  = 120 * 24 * time.Hour
	ago      = 30 * 24 * time.Hour
	soon     = 30 * 24 * time.Hour
	farAhead = 120 * 24 * time.Hour
)

// unknownCritical is a critical extension that nobody knows, with NULL in it.
var unknownCritical = pkix.Extension{Id: oidUnknown, Critical: true, Value: []byte{5, 0}}

var (
	oidSAN        = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidTLSFeature = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24} // RFC 7633 4
)

// Faults are the controls and then all faults, grouped by what they are about.
var Faults = []Fault{
	{ID: "good", Severity: Control, Step: "4a", Wrong: "Nothing: a certificate for this host from a CA that the client was told to trust.",
		Check: "None can: whoever holds the key of a trusted CA can do this.", Incident: "DigiNotar 2011, Superfish 2015 (CVE-2015-2077), eDellRoot 2015; and this proxy",
		mint: func(d *draft) {}},
	{ID: "good-intermediate", Severity: Control, Step: "4a", Wrong: "Nothing: the certificate comes from an intermediate CA, which is sent along.",
		Check: "None should.", Incident: "how nearly every public site is certified",
		mint: func(d *draft) { d.intermediate() }},
	{ID: "good-wildcard", Severity: Control, Step: "4a", Wrong: "Nothing: the certificate is for all names one label below the host's parent.",
		Check: "None should.", Incident: "a whole leftmost label may be a wildcard (RFC 9525 6.3)",
		mint: func(d *draft) { d.unnamed(); d.leaf.DNSNames = []string{"*." + d.parent(1)} }},
	{ID: "good-rsa", Severity: Control, Step: "4a", Wrong: "Nothing: the certificate has a 2048-bit RSA key.",
		Check: "None should.", Incident: "the key type of the textbook",
		mint: func(d *draft) { d.rsaLeaf(2048) }},
	{ID: "good-rsa-intermediate", Severity: Control, Step: "4a", Wrong: "Nothing: the certificate comes from an intermediate CA with a 2048-bit RSA key.",
		Check: "None should.", Incident: "what the signature cases are compared with",
		mint: func(d *draft) { d.intermediate().bits = 2048 }},
	{ID: "good-ip-san", Severity: Control, Step: "4a", ByAddress: true, Wrong: "Nothing: the client asked for an IP address, and the certificate has it as one.",
		Check: "None should.", Incident: "addresses belong in iPAddress (RFC 5280 4.2.1.6)",
		mint: func(d *draft) { d.unnamed() }},
	{ID: "good-staple", Severity: Control, Step: "4a", Wrong: "Nothing: the server staples an OCSP response that says the certificate is good.",
		Check: "None should.", Incident: "RFC 6066 8",
		mint: func(d *draft) { d.intermediate(); d.staple = ocsp.Good }},
	{ID: "reversed-extra-chain", Severity: Control, Step: "4a", Control: "good-intermediate", Wrong: "Little: the certificates behind the leaf stand in the wrong order, and the root is among them.",
		Check: "None should: RFC 8446 4.4.2 asks clients to put up with it.", Incident: "a common slip in server configurations",
		mint: func(d *draft) { d.intermediate(); d.reversed = true }},

	// Who vouches for it.
	{ID: "self-signed", Severity: Critical, About: AboutChain, Step: "4a", Control: "good", Refuser: "crypto/x509", Wrong: "The certificate vouches for itself.",
		Check: "The chain must end in a CA that the client trusts.", Incident: "apps that accept any certificate (Fahl et al. 2012, Georgiev et al. 2012)",
		mint: func(d *draft) { d.self = true }},
	{ID: "untrusted-root", Severity: Critical, About: AboutChain, Step: "4a", Control: "good", Refuser: "crypto/x509", Wrong: "A CA that the client does not know vouches for it, and sends itself along.",
		Check: "The chain must end in a CA that the client trusts; that one was sent does not make it so.", Incident: "every interception by somebody without a trusted CA; CVE-2020-16971",
		mint: func(d *draft) { d.root = rootUnknown }},
	{ID: "root-same-name-other-key", Severity: Critical, About: AboutChain, Step: "4a", Control: "good", Refuser: "crypto/x509", Wrong: "A CA with the trusted one's name, serial number and key identifier, but another key, vouches for it.",
		Check: "The signature must hold under the trusted CA's key, not only bear its name.", Incident: "the matching step of CVE-2020-0601",
		mint: func(d *draft) { d.root = rootTwin }},
	{ID: "bad-cert-signature", Severity: Critical, About: AboutChain, Step: "4a", Control: "good", Refuser: "crypto/x509", Wrong: "One bit of the CA's signature is flipped.",
		Check: "The signature of every certificate in the chain must hold.", Incident: "CVE-2014-0092 (GnuTLS), CVE-2008-5077 (OpenSSL)",
		mint: func(d *draft) {
			d.finish = func(der []byte, _ crypto.Signer) ([]byte, error) { der[len(der)-1] ^= 1; return der, nil }
		}},
	{ID: "incomplete-chain", Severity: Critical, About: AboutChain, Step: "4a", Control: "good-intermediate", Refuser: "crypto/x509", Wrong: "The intermediate CA's certificate is not sent.",
		Check: "The chain must reach a trusted CA; some browsers fetch or remember what is missing.", Incident: "a frequent server mistake, and why clients have their checks switched off",
		mint: func(d *draft) { d.intermediate(); d.alone = true }},
	{ID: "leaf-as-ca", Severity: High, About: AboutChain, Step: "4a", Control: "good-intermediate", Refuser: "crypto/x509", Wrong: "The owner of an ordinary certificate for another host signs one for this host.",
		Check: "Only a certificate with basicConstraints CA:TRUE may issue others (RFC 5280 4.2.1.9).", Incident: "CVE-2002-0862 (Internet Explorer), CVE-2011-0228 (iOS), CVE-2015-1793 (OpenSSL), CVE-2021-1837",
		mint: func(d *draft) { d.leafIssuer() }},
	{ID: "issuer-no-basic-constraints", Severity: High, About: AboutChain, Step: "4a", Control: "good-intermediate", Refuser: "crypto/x509", Wrong: "The issuer's certificate says neither that it is a CA's nor what its key is for.",
		Check: "An issuer without basicConstraints is no CA (RFC 5280 6.1.4 k).", Incident: "old clients took silence for consent, as CVE-2002-0862",
		mint: func(d *draft) {
			i := d.leafIssuer()
			i.BasicConstraintsValid, i.KeyUsage, i.ExtKeyUsage = false, 0, nil
		}},
	{ID: "issuer-x509v1", Severity: High, About: AboutChain, Step: "4a", Control: "good-intermediate", Refuser: "crypto/x509", Wrong: "The issuer's certificate is of X.509 version 1, which cannot say whether it is a CA's.",
		Check: "A version 1 certificate is no CA unless the client trusts it itself (RFC 5280 6.1.4 k).", Incident: "CVE-2014-1959, CVE-2009-5138 (GnuTLS)",
		mint: func(d *draft) { d.intermediate().version1 = true }},
	{ID: "issuer-no-certsign", Severity: High, About: AboutChain, Step: "4a", Control: "good-intermediate", Refuser: "crypto/x509", Wrong: "The intermediate CA's key may sign revocation lists, but no certificates.",
		Check: "An issuer's key usage must include keyCertSign (RFC 5280 6.1.4 n).", Incident: "some libraries leave this out on purpose",
		mint: func(d *draft) { d.intermediate().KeyUsage = x509.KeyUsageCRLSign }},
	{ID: "pathlen-exceeded", Severity: High, About: AboutChain, Step: "4a", Control: "good-intermediate", Refuser: "crypto/x509", Wrong: "A CA that may have no CA below it has one, which issued this certificate.",
		Check: "A path length constraint limits the CAs below (RFC 5280 4.2.1.9).", Incident: "subordinate CAs that should not have been: TURKTRUST 2012, CNNIC 2015",
		mint: func(d *draft) { d.intermediate(); d.intermediate() }},
	{ID: "issuer-expired", Severity: Medium, About: AboutDates, Step: "4a", Control: "good-intermediate", Refuser: "crypto/x509", Wrong: "The intermediate CA's certificate has expired, the leaf has not.",
		Check: "Every certificate of the chain must be within its dates (RFC 5280 6.1.3 a 2).", Incident: "AddTrust External CA 2020-05-30",
		mint: func(d *draft) {
			i := d.intermediate()
			i.NotBefore, i.NotAfter = d.now.Add(-longAgo), d.now.Add(-ago)
		}},
	{ID: "root-expired", Severity: Low, About: AboutDates, Step: "4a", Control: "good", Refuser: "crypto/x509", Trust: true, Wrong: "The trusted CA's own certificate has expired, the leaf has not.",
		Check: "Most clients look at a root's dates too; some take a trusted root as it is.", Incident: "DST Root CA X3 2021-09-30",
		mint: func(d *draft) { d.root = rootExpired }},
	{ID: "issuer-unknown-critical-ext", Severity: High, About: AboutChain, Step: "4a", Control: "good-intermediate", Refuser: "crypto/x509", Wrong: "The intermediate CA's certificate has a critical extension that nobody knows.",
		Check: "A critical extension that is not understood must be refused (RFC 5280 4.2).", Incident: "a constraint that is not understood is not obeyed",
		mint: func(d *draft) { i := d.intermediate(); i.ExtraExtensions = append(i.ExtraExtensions, unknownCritical) }},
	{ID: "issuer-wrong-eku", Severity: High, About: AboutPurpose, Step: "4a", Control: "good-intermediate", Refuser: "crypto/x509", Wrong: "The intermediate CA may issue for e-mail only.",
		Check: "An issuer's extended key usage limits what it issues: practice, not RFC 5280.", Incident: "S/MIME CAs are not bound by the audits of TLS CAs",
		mint: func(d *draft) { d.intermediate().ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} }},
	{ID: "name-constraint-violated", Severity: High, About: AboutChain, Step: "4a", Control: "good-intermediate", Refuser: "crypto/x509", Wrong: "The intermediate CA may issue for attacker.test alone, and issued for this host.",
		Check: "Name constraints of every CA in the chain hold for the leaf (RFC 5280 4.2.1.10).", Incident: "constrained company CAs; CVE-2025-61727",
		mint: func(d *draft) { d.constrained() }},
	{ID: "name-constraint-cn-bypass", Severity: High, About: AboutChain, Step: "4a", Control: "good-intermediate", Refuser: "crypto/x509", Wrong: "The same, and the host stands only in the common name, which the constraint does not look at.",
		Check: "A host name in the common name counts for nothing (RFC 9525 2).", Incident: "OpenSSL before 1.1.0",
		mint: func(d *draft) { d.constrained(); d.noNames() }},
	{ID: "curveball", Severity: Critical, About: AboutChain, Step: "4a", Control: "good", Refuser: "crypto/x509", Wrong: "A false CA has the trusted one's name and public point on a curve of its own making, to which the private key is 1.",
		Check: "The curve's parameters are part of the key; RFC 5480 2.1.1 allows named curves only.", Incident: "CVE-2020-0601 (Windows)",
		mint: func(d *draft) { d.root = rootCurveball }},
	{ID: "psychic-cert", Severity: Critical, About: AboutChain, Step: "4a", Control: "good", Refuser: "crypto/x509", Wrong: "The CA's signature is r = s = 0.",
		Check: "Both numbers of an ECDSA signature must be at least 1.", Incident: "CVE-2022-21449 (Java 15 to 18)",
		mint: func(d *draft) {
			d.finish = func(der []byte, _ crypto.Signer) ([]byte, error) { return withSignature(der, psychic) }
		}},

	// Is it for this name.
	{ID: "wrong-host", Severity: High, About: AboutNames, Step: "4a", Control: "good", Refuser: "crypto/x509", Wrong: "The certificate is valid, but for www.attacker.test.",
		Check: "The host that was asked for must be among the certificate's names (RFC 9525 6).", Incident: "payment SDKs (Georgiev et al. 2012), CVE-2012-5783, CVE-2024-2466",
		mint: func(d *draft) { d.leaf.Subject.CommonName = attacker; d.names(attacker) }},
	{ID: "cn-match-san-mismatch", Severity: High, About: AboutNames, Step: "4a", Control: "good", Refuser: "crypto/x509", Wrong: "The host stands in the common name; the names that count are www.attacker.test.",
		Check: "Only subject alternative names count (RFC 9525 2).", Incident: "Apache CXF 2014 (CXF-6143) tried the common name beside the alternative ones",
		mint: func(d *draft) { d.names(attacker) }},
	{ID: "no-san-cn-only", Severity: Low, About: AboutNames, Step: "4a", Control: "good", Refuser: "crypto/x509", Wrong: "The host stands in the common name, and there are no alternative names.",
		Check: "Only subject alternative names count (RFC 9525 2); many libraries still fall back to the common name.", Incident: "Chrome 58 and Go 1.15 stopped looking at the common name",
		mint: func(d *draft) { d.noNames() }},
	{ID: "nul-in-san", Severity: High, About: AboutNames, Step: "4a", Control: "good", Refuser: "crypto/x509", Wrong: "The name is this host's, a NUL, and .attacker.test behind it.",
		Check: "Names are compared with their length, not up to a NUL.", Incident: "CVE-2013-4073 (Ruby), CVE-2013-4238 (Python), CVE-2013-4248 (PHP)",
		mint: func(d *draft) { d.unnamed(); d.rawNames(2, d.host+"\x00.attacker.test") }},
	{ID: "nul-in-cn", Severity: High, About: AboutNames, Step: "4a", Control: "good", Refuser: "crypto/x509", Wrong: "The common name is this host's, a NUL, and .attacker.test behind it; there are no alternative names.",
		Check: "The common name counts for nothing, and a NUL ends no name.", Incident: "Marlinspike and Kaminsky 2009: CVE-2009-2408 (Firefox), CVE-2009-2510 (Windows), CVE-2009-2417 (curl)",
		mint: func(d *draft) { d.noNames(); d.leaf.Subject.CommonName = d.host + "\x00.attacker.test" }},
	{ID: "wildcard-two-labels", Severity: High, About: AboutNames, Step: "4a", Control: "good-wildcard", Refuser: "crypto/x509", Wrong: "The wildcard stands for two labels of the host at once.",
		Check: "A wildcard stands for exactly one label (RFC 9525 6.3).", Incident: "whoever owns a name below would own all below those",
		mint: func(d *draft) { d.unnamed(); d.leaf.DNSNames = []string{"*." + d.parent(2)} }},
	{ID: "wildcard-bare", Severity: High, About: AboutNames, Step: "4a", Control: "good-wildcard", Refuser: "crypto/x509", Wrong: "The certificate is for *, everything.",
		Check: "A wildcard stands for exactly one label (RFC 9525 6.3).", Incident: "one certificate for the whole web",
		mint: func(d *draft) { d.unnamed(); d.leaf.DNSNames = []string{"*"} }},
	{ID: "wildcard-not-leftmost", Severity: High, About: AboutNames, Step: "4a", Control: "good-wildcard", Refuser: "crypto/x509", Wrong: "The wildcard stands in the middle of the name.",
		Check: "Only the leftmost label may be a wildcard (RFC 9525 6.3).", Incident: "www.*.test would match the www of everybody",
		mint: func(d *draft) { d.unnamed(); d.leaf.DNSNames = []string{d.label() + ".*." + d.parent(2)} }},
	{ID: "wildcard-partial", Severity: Low, About: AboutNames, Step: "4a", Control: "good-wildcard", Refuser: "crypto/x509", Wrong: "The wildcard is part of a label.",
		Check: "Only a whole label may be a wildcard (RFC 9525 6.3); RFC 6125 allowed less.", Incident: "old rules were looser",
		mint: func(d *draft) { d.unnamed(); d.leaf.DNSNames = []string{d.label()[:1] + "*." + d.parent(1)} }},
	{ID: "ip-in-dns-san", Severity: Medium, About: AboutNames, Step: "4a", Control: "good-ip-san", Refuser: "crypto/x509", ByAddress: true, Wrong: "The client asked for an IP address, and the certificate has it as if it were a host name.",
		Check: "An address must stand as iPAddress (RFC 5280 4.2.1.6, RFC 9525 6.5).", Incident: "a name constraint on addresses would not see it",
		mint: func(d *draft) { d.unnamed(); d.leaf.IPAddresses = nil; d.rawNames(2, d.host) }},
	{ID: "duplicate-san", Severity: High, About: AboutNames, Step: "4a", Control: "good", Refuser: "crypto/x509", Wrong: "There are two lists of alternative names, the first for www.attacker.test, the second for this host.",
		Check: "No extension may stand twice (RFC 5280 4.2).", Incident: "two readers that see two certificates in one: CVE-2021-44532 (Node)",
		mint: func(d *draft) { d.unnamed(); d.rawNames(2, attacker); d.rawNames(2, d.host) }},

	// Is it for now and for this purpose.
	{ID: "expired", Severity: Medium, About: AboutDates, Step: "4a", Control: "good", Refuser: "crypto/x509", Wrong: "The certificate expired 30 days ago.",
		Check: "Now must be between its two dates (RFC 5280 4.1.2.5).", Incident: "a stolen key stays useful for ever where dates are not checked; CVE-2021-22939 (Node)",
		mint: func(d *draft) { d.leaf.NotBefore, d.leaf.NotAfter = d.now.Add(-longAgo), d.now.Add(-ago) }},
	{ID: "not-yet-valid", Severity: Medium, About: AboutDates, Step: "4a", Control: "good", Refuser: "crypto/x509", Wrong: "The certificate is valid from 30 days ahead.",
		Check: "Now must be between its two dates (RFC 5280 4.1.2.5).", Incident: "a wrong clock, or a certificate made to wait",
		mint: func(d *draft) { d.leaf.NotBefore, d.leaf.NotAfter = d.now.Add(soon), d.now.Add(farAhead) }},
	{ID: "wrong-eku", Severity: High, About: AboutPurpose, Step: "4a", Control: "good", Refuser: "crypto/x509", Wrong: "The certificate is for signing programs, not for a web server.",
		Check: "The extended key usage must include serverAuth (RFC 5280 4.2.1.12).", Incident: "a certificate taken for another purpose: Flame 2012, the other way around",
		mint: func(d *draft) { d.leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} }},
	{ID: "wrong-ku", Severity: Low, About: AboutPurpose, Step: "4a", Control: "good", Refuser: "Chromium", Wrong: "The certificate's key may not make signatures, and makes one in the handshake.",
		Check: "The key usage must include digitalSignature (RFC 8446 4.4.2.2).", Incident: "by itself no attack",
		mint: func(d *draft) { d.leaf.KeyUsage = x509.KeyUsageDataEncipherment | x509.KeyUsageKeyAgreement }},
	{ID: "unknown-critical-ext", Severity: Medium, About: AboutChain, Step: "4a", Control: "good", Refuser: "crypto/x509", Wrong: "The certificate has a critical extension that nobody knows.",
		Check: "A critical extension that is not understood must be refused (RFC 5280 4.2).", Incident: "a restriction that is not understood is not obeyed",
		mint: func(d *draft) { d.leaf.ExtraExtensions = append(d.leaf.ExtraExtensions, unknownCritical) }},
	{ID: "no-eku", Severity: Low, About: AboutPurpose, Step: "4a", Control: "good", Refuser: "Apple's platforms, by their documentation", Wrong: "The certificate does not say what it is for.",
		Check: "Apple's platforms ask for serverAuth; RFC 5280 takes silence for any purpose.", Incident: "policy, no attack",
		mint: func(d *draft) { d.leaf.ExtKeyUsage = nil }},
	{ID: "ca-as-leaf", Severity: Low, About: AboutPurpose, Step: "4a", Control: "good", Refuser: "Firefox", Wrong: "The server's certificate is a CA's.",
		Check: "A CA's certificate is for issuing, not for serving: practice.", Incident: "a web server with such a key could issue for anybody",
		mint: func(d *draft) { d.leaf.IsCA = true }},
	{ID: "long-validity", Severity: Low, About: AboutDates, Step: "4a", Control: "good", Refuser: "Apple's platforms, by their documentation", Wrong: "The certificate is valid for ten years.",
		Check: "Public CAs may issue for months only; for CAs that were added by hand few clients mind.", Incident: "policy, no attack",
		mint: func(d *draft) { d.leaf.NotAfter = d.now.AddDate(10, 0, 0) }},

	// Is the mathematics sound.
	{ID: "md5-signature", Severity: Medium, About: AboutStrength, Step: "4a", Control: "good-rsa-intermediate", Refuser: "crypto/x509", Wrong: "The CA signed an MD5 digest.",
		Check: "MD5 collides: its signatures count for nothing.", Incident: "a rogue CA in 2008, Flame 2012, CVE-2015-7575",
		mint: func(d *draft) { d.intermediate().bits = 2048; d.signedWith(oidMD5WithRSA) }},
	{ID: "sha1-signature", Severity: Medium, About: AboutStrength, Step: "4a", Control: "good-rsa-intermediate", Refuser: "crypto/x509", Wrong: "The CA signed a SHA-1 digest.",
		Check: "SHA-1 collides: its signatures count for nothing.", Incident: "SHAttered 2017, \"SHA-1 is a Shambles\" 2020",
		mint: func(d *draft) { d.intermediate().bits = 2048; d.signedWith(oidSHA1WithRSA) }},
	{ID: "sigalg-mismatch", Severity: Medium, About: AboutStrength, Step: "4a", Control: "good", Refuser: "crypto/x509", Wrong: "The certificate names two different signature algorithms, inside and outside of what is signed.",
		Check: "Both must be the same (RFC 5280 4.1.1.2).", Incident: "two readers that see two algorithms",
		mint: func(d *draft) {
			d.finish = func(der []byte, key crypto.Signer) ([]byte, error) {
				return forge(der, key, oidECDSAWithSHA384, func(*toBeSigned) {})
			}
		}},
	{ID: "rsa-1024", Severity: Low, About: AboutStrength, Step: "4a", Control: "good-rsa", Refuser: "OpenSSL at Debian's security level", Alerts: []uint8{42, 71}, Wrong: "The certificate's RSA key has 1024 bits.",
		Check: "Keys must be long enough: 2048 bits for RSA since 2014.", Incident: "within reach of states, not yet of everybody",
		mint: func(d *draft) { d.rsaLeaf(1024) }},
	{ID: "rsa-512", Severity: Medium, About: AboutStrength, Step: "4a", Control: "good-rsa", Refuser: "crypto/tls", Alerts: []uint8{42, 71}, Only12: true, Wrong: "The certificate's RSA key has 512 bits.",
		Check: "Keys must be long enough; this one is factored in hours.", Incident: "DigiCert Sdn. Bhd. 2011, FREAK (CVE-2015-0204)",
		mint: func(d *draft) { d.rsaLeaf(512) }},

	// Does the server hold the key, was the handshake touched.
	{ID: "no-private-key", Severity: Critical, About: AboutHandshake, Step: "2", Control: "good", Refuser: "crypto/tls", Alerts: []uint8{51}, Handshake: true, Wrong: "The certificate is genuine, but the server signs the handshake with another key.",
		Check: "The signature of the handshake must hold under the certificate's key (RFC 8446 4.4.3, RFC 5246 7.4.3).", Incident: "\"goto fail\" (CVE-2014-1266), CVE-2020-24613",
		mint: func(d *draft) { d.handshake = foreignKey }},
	{ID: "psychic-handshake", Severity: Critical, About: AboutHandshake, Step: "2", Control: "good", Refuser: "crypto/tls", Alerts: []uint8{51}, Handshake: true, Wrong: "The signature of the handshake is r = s = 0.",
		Check: "Both numbers of an ECDSA signature must be at least 1.", Incident: "CVE-2022-21449 (Java 15 to 18)",
		mint: func(d *draft) { d.handshake = zeroSignature }},
	{ID: "finished-wrong", Severity: Critical, About: AboutHandshake, Step: "2", Control: "good", Refuser: "crypto/tls", Alerts: []uint8{51}, Handshake: true, Finished: FinishedWrong, Wrong: "The server's Finished, the checksum over the whole handshake, has a wrong value.",
		Check: "Each side must recompute the other's Finished and compare (RFC 8446 4.4.4, RFC 5246 7.4.9).", Incident: "SMACK 2015: CVE-2014-6593 (Java took a Finished that came too early)",
		mint: func(d *draft) {}, config: func(c *tls.Config) { c.CipherSuites = resealable }},
	{ID: "finished-tampered", Severity: Critical, About: AboutHandshake, Step: "2", Control: "good", Refuser: "crypto/tls", Alerts: []uint8{20}, Handshake: true, Finished: FinishedTampered, Wrong: "One bit of the server's encrypted Finished was flipped on its way.",
		Check: "A record whose authentication tag does not fit must be refused (RFC 8446 5.2, RFC 5246 6.2.3).", Incident: "what somebody on the path does who changes bytes without having the keys",
		mint: func(d *draft) {}},
	{ID: "downgrade-sentinel", Severity: Critical, About: AboutHandshake, Step: "2", Control: "good", Refuser: "crypto/tls", Alerts: []uint8{47}, Handshake: true, Only12: true, Wrong: "A server that can do TLS 1.3 is made to answer with TLS 1.2, and its random number says so.",
		Check: "A client that offered TLS 1.3 must stop at DOWNGRD in a TLS 1.2 answer (RFC 8446 4.1.3).", Incident: "downgrades as in POODLE",
		mint: func(d *draft) {}, config: func(c *tls.Config) { c.MaxVersion, c.Rand = tls.VersionTLS12, sentinel{} }},
	{ID: "proto-tls10", Severity: Medium, About: AboutVersions, Step: "2", Control: "good-rsa", Refuser: "crypto/tls", Alerts: []uint8{70}, Handshake: true, Only12: true, Wrong: "The server speaks TLS 1.0 alone.",
		Check: "TLS 1.0 must not be used (RFC 8996).", Incident: "BEAST (CVE-2011-3389)",
		mint: func(d *draft) { d.rsaLeaf(2048) }, config: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 }},
	{ID: "proto-tls11", Severity: Medium, About: AboutVersions, Step: "2", Control: "good-rsa", Refuser: "crypto/tls", Alerts: []uint8{70}, Handshake: true, Only12: true, Wrong: "The server speaks TLS 1.1 alone.",
		Check: "TLS 1.1 must not be used (RFC 8996).", Incident: "SHA-1 and MD5 hold its handshake together",
		mint: func(d *draft) { d.rsaLeaf(2048) }, config: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 }},
	{ID: "cipher-rc4", Severity: Medium, About: AboutVersions, Step: "2", Control: "good-rsa", Refuser: "crypto/tls", Alerts: []uint8{40, 71}, Handshake: true, Only12: true, Wrong: "The server takes RC4 suites alone.",
		Check: "RC4 must not be used (RFC 7465).", Incident: "its keystream leaks cookies (2013)",
		mint: func(d *draft) { d.rsaLeaf(2048) }, config: suites(tls.TLS_RSA_WITH_RC4_128_SHA, tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA)},
	{ID: "cipher-3des", Severity: Medium, About: AboutVersions, Step: "2", Control: "good-rsa", Refuser: "crypto/tls", Alerts: []uint8{40, 71}, Handshake: true, Only12: true, Wrong: "The server takes 3DES suites alone.",
		Check: "3DES has blocks of 64 bits, too short for long connections.", Incident: "Sweet32 (CVE-2016-2183)",
		mint: func(d *draft) { d.rsaLeaf(2048) }, config: suites(tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA)},
	{ID: "cipher-static-rsa", Severity: Low, About: AboutVersions, Step: "2", Control: "good-rsa", Refuser: "crypto/tls", Alerts: []uint8{40, 71}, Handshake: true, Only12: true, Wrong: "The server takes RSA key transport alone, the textbook's way.",
		Check: "Without a fresh key exchange a stolen key opens old recordings (RFC 10015).", Incident: "ROBOT 2017",
		mint: func(d *draft) { d.rsaLeaf(2048) }, config: suites(tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA)},

	// Was it taken back.
	{ID: "staple-revoked", Severity: Medium, About: AboutRevocation, Asked: true, Step: "4a", Control: "good-staple", Refuser: "Firefox", Wrong: "The server itself staples the CA's word that the certificate is revoked.",
		Check: "A stapled OCSP response must say good (RFC 6066 8).", Incident: "Heartbleed 2014: keys were stolen, and few clients noticed what was revoked",
		mint: func(d *draft) { d.intermediate(); d.staple = ocsp.Revoked }},
	{ID: "must-staple-missing", Severity: Low, About: AboutRevocation, Asked: true, Step: "4a", Control: "good", Refuser: "Firefox", Wrong: "The certificate demands a stapled OCSP response, and none is sent.",
		Check: "A certificate with the TLS feature status_request needs a staple (RFC 7633 4).", Incident: "without it a thief just leaves the staple out",
		mint: func(d *draft) { d.mustStaple() }},
}

// resealable are the suites of TLS 1.2 whose records can be made anew after a change.
var resealable = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
}

func suites(ids ...uint16) func(*tls.Config) {
	return func(c *tls.Config) { c.MaxVersion, c.CipherSuites = tls.VersionTLS12, ids }
}

// sentinel is a random source for a server whose every random number of 32
// bytes ends as RFC 8446 4.1.3 asks of one that answers TLS 1.2 and can do 1.3.
type sentinel struct{}

func (sentinel) Read(b []byte) (int, error) {
	rand.Read(b) // never fails
	if len(b) == 32 {
		copy(b[24:], "DOWNGRD\x01")
	}
	return len(b), nil
}

// foreignKey wraps the leaf's key so that another one signs.
func foreignKey(key crypto.Signer) (crypto.Signer, error) {
	other, err := newKey(key.Public())
	return signer{key.Public(), other.Sign}, err
}

// zeroSignature wraps the leaf's key so that it signs with r = s = 0.
func zeroSignature(key crypto.Signer) (crypto.Signer, error) {
	return signer{key.Public(), func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return psychic, nil }}, nil
}

// A signer has the public key of one and signs as another.
type signer struct {
	public crypto.PublicKey
	sign   func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error)
}

func (s signer) Public() crypto.PublicKey { return s.public }
func (s signer) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.sign(r, digest, opts)
}

// The roots that a chain can end in.
type root int

const (
	rootTrusted   root = iota
	rootUnknown        // a CA nobody was told of
	rootTwin           // the trusted one's name, other key
	rootExpired        // trusted and expired
	rootCurveball      // the trusted one's name and point, other curve
)

// A draft is a certificate and its chain before they are made.
type draft struct {
	host     string
	now      time.Time
	leaf     *x509.Certificate
	bits     int       // of the leaf's RSA key; 0 for ECDSA on P-256
	above    []*issuer // between root and leaf, the highest first
	root     root
	self     bool // the leaf signs itself
	alone    bool // only the leaf is sent
	reversed bool
	staple   int                  // ocsp.Good or ocsp.Revoked; -1 for none
	change   func(*ocsp.Response) // of what the staple says; may be nil
	bend     func([]byte) []byte  // of its octets; may be nil
	// Of a leaf that stands for an origin's certificate:
	origin      *x509.Certificate
	own         crypto.Signer // its key
	named       bool          // the origin's names the key of its issuer, so the leaf may
	response    []byte        // what was stapled to the origin's; nil for no staple
	stapleFault string        // what is wrong with it that does not come with its words
	// finish changes the leaf's DER, with its issuer's key.
	finish    func(der []byte, key crypto.Signer) ([]byte, error)
	handshake func(crypto.Signer) (crypto.Signer, error)
	err       error
}

// An issuer is a CA between the root and the leaf.
type issuer struct {
	*x509.Certificate
	bits     int
	version1 bool
}

// intermediate puts a CA that may have no further CA below it between the others and the leaf.
func (d *draft) intermediate() *issuer {
	i := &issuer{Certificate: &x509.Certificate{
		Subject:               pkix.Name{CommonName: fmt.Sprintf("explainer intermediate %d", len(d.above)+1), Organization: []string{"explainer"}},
		NotBefore:             d.leaf.NotBefore,
		NotAfter:              d.now.Add(leafLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}}
	d.above = append(d.above, i)
	return i
}

// leafIssuer puts the owner of an ordinary certificate for another host there.
func (d *draft) leafIssuer() *issuer {
	i := d.intermediate()
	*i.Certificate = x509.Certificate{
		Subject: pkix.Name{CommonName: attacker}, DNSNames: []string{attacker},
		NotBefore: i.NotBefore, NotAfter: i.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	return i
}

// constrained puts a CA there that may issue for attacker.test alone.
func (d *draft) constrained() {
	i := d.intermediate()
	i.PermittedDNSDomains, i.PermittedDNSDomainsCritical = []string{"attacker.test"}, true
}

func (d *draft) rsaLeaf(bits int) {
	d.bits = bits
	d.leaf.KeyUsage |= x509.KeyUsageKeyEncipherment
}

// names replaces the alternative names.
func (d *draft) names(names ...string) { d.leaf.DNSNames, d.leaf.IPAddresses = names, nil }

// unnamed takes the host out of the subject, so that a client that looks for it in the
// common name does not find it there.
func (d *draft) unnamed() { d.leaf.Subject = pkix.Name{Organization: []string{"explainer"}} }

// noNames takes the alternative names away.
func (d *draft) noNames() { d.names() }

// rawNames adds an extension of alternative names with one general name of a
// kind: 2 for dNSName (RFC 5280 4.2.1.6).
func (d *draft) rawNames(kind int, name string) {
	d.noNames()
	value, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: kind, Bytes: []byte(name)}})
	d.err = errors.Join(d.err, err)
	d.leaf.ExtraExtensions = append(d.leaf.ExtraExtensions, pkix.Extension{Id: oidSAN, Value: value})
}

// signedWith makes the leaf's issuer sign it with an algorithm that crypto/x509 does not sign with.
func (d *draft) signedWith(algorithm asn1.ObjectIdentifier) {
	d.finish = func(der []byte, key crypto.Signer) ([]byte, error) {
		return forge(der, key, nil, func(tbs *toBeSigned) { tbs.Algorithm.Algorithm = algorithm })
	}
}

// label returns the host's first label.
func (d *draft) label() string {
	first, _, _ := strings.Cut(d.host, ".")
	return first
}

// parent returns the host without its first n labels.
func (d *draft) parent(n int) string {
	labels := strings.Split(d.host, ".")
	if len(labels) <= n || net.ParseIP(d.host) != nil {
		d.err = errors.Join(d.err, fmt.Errorf("%q has too few labels for a wildcard", d.host))
		return "invalid"
	}
	return strings.Join(labels[n:], ".")
}

// newKey makes a key of the kind of another.
func newKey(like crypto.PublicKey) (crypto.Signer, error) {
	if public, ok := like.(*rsa.PublicKey); ok {
		return makeKey(public.N.BitLen())
	}
	return makeKey(0)
}
