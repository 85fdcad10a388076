package verify_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"explainer/ca/verify"
)

// limboCase is one case of x509-limbo.
type limboCase struct {
	ID             string   `json:"id"`
	ValidationKind string   `json:"validation_kind"`
	Trusted        []string `json:"trusted_certs"`
	Intermediates  []string `json:"untrusted_intermediates"`
	Peer           string   `json:"peer_certificate"`
	Time           string   `json:"validation_time"`
	Result         string   `json:"expected_result"`
	Name           *struct {
		Kind, Value string
	} `json:"expected_peer_name"`
}

// limbo reads the cases, or returns nil where the file is not there.
func limbo(t testing.TB) []limboCase {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if data, err := os.ReadFile(filepath.Join(dir, "shared", "limbo.json")); err == nil {
			var all struct{ Testcases []limboCase }
			if err := json.Unmarshal(data, &all); err != nil {
				t.Fatal(err)
			}
			return all.Testcases
		}
		if dir == filepath.Dir(dir) {
			t.Log("no shared/limbo.json above this folder")
			return nil
		}
	}
}

func der(s string) []byte {
	b, _ := pem.Decode([]byte(s))
	if b == nil {
		return nil
	}
	return b.Bytes
}

func (c *limboCase) input(t testing.TB) verify.Input {
	in := verify.Input{Chain: [][]byte{der(c.Peer)}, Roots: verify.NewRoots("the case's roots")}
	for _, s := range c.Intermediates {
		in.Chain = append(in.Chain, der(s))
	}
	for _, s := range c.Trusted {
		in.Roots.Add(der(s))
	}
	if c.ValidationKind == "CLIENT" {
		in.Purpose = verify.Client
	}
	if c.Name != nil && c.Name.Kind != "RFC822" {
		in.Name = c.Name.Value
	}
	in.Time = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	if c.Time != "" {
		var err error
		if in.Time, err = time.Parse(time.RFC3339Nano, c.Time); err != nil {
			t.Fatal(err)
		}
	}
	return in
}

// x509Says is what crypto/x509 says to the same.
func x509Says(in verify.Input, roots [][]byte) error {
	leaf, err := x509.ParseCertificate(in.Chain[0])
	if err != nil {
		return err
	}
	opts := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: in.Time, DNSName: in.Name}
	if in.Purpose == verify.Client {
		opts.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	for _, d := range in.Chain[1:] {
		if c, err := x509.ParseCertificate(d); err == nil {
			opts.Intermediates.AddCert(c)
		}
	}
	for _, d := range roots {
		if c, err := x509.ParseCertificate(d); err == nil {
			opts.Roots.AddCert(c)
		}
	}
	_, err = leaf.Verify(opts)
	return err
}

// differ lists the cases in which our verdict is not the expected one, with the
// reason that our check gives ("" where there is none) and why we keep to it.
var differ = map[string][2]string{
	"crl::revoked-certificate-with-crl": {"", "revocation lists are not read"},
	"crl::crlnumber-missing":            {"", "revocation lists are not read"},
	"crl::crlnumber-critical":           {"", "revocation lists are not read"},
	"crl::issuer-missing-crlsign":       {"", "revocation lists are not read"},

	"pathlen::max-chain-depth-0-exhausted": {"", "a limit that the user sets; there is no such setting"},
	"pathlen::max-chain-depth-1-exhausted": {"", "a limit that the user sets; there is no such setting"},

	"pathlen::validation-ignores-pathlen-in-leaf": {"wrong-ku", "the leaf's key may sign certificates only, and TLS needs one that signs handshakes (RFC 8446 4.4.2.2)"},
	"rfc5280::ca-as-leaf":                         {"wrong-ku", "the leaf's key may sign certificates only, and TLS needs one that signs handshakes (RFC 8446 4.4.2.2)"},

	"rfc5280::nc::invalid-dnsname-leading-period":               {"name-constraint-leading-dot", "authorities use it, and clients understand it"},
	"rfc5280::aki::leaf-missing-aki":                            {"aki-missing", forCAs},
	"rfc5280::aki::intermediate-missing-aki":                    {"aki-missing", forCAs},
	"rfc5280::aki::cross-signed-root-missing-aki":               {"aki-missing", forCAs},
	"rfc5280::nc::permitted-dns-match-noncritical":              {"name-constraints-not-critical", forCAs},
	"rfc5280::nc::not-allowed-in-ee-noncritical":                {"name-constraints-in-leaf", forCAs},
	"rfc5280::nc::not-allowed-in-ee-critical":                   {"name-constraints-in-leaf", forCAs},
	"rfc5280::pc::ica-noncritical-pc":                           {"policy-constraints-not-critical", forCAs},
	"rfc5280::san::noncritical-with-empty-subject":              {"san-not-critical", forCAs},
	"rfc5280::san::underscore-dns":                              {"underscore-in-name", "the name that was asked for is the one in the certificate, letter by letter"},
	"rfc5280::serial::too-long":                                 {"serial-long", forCAs},
	"rfc5280::serial::zero":                                     {"serial-zero", forCAs},
	"rfc5280::ski::root-missing-ski":                            {"ski-missing", forCAs},
	"rfc5280::ski::intermediate-missing-ski":                    {"ski-missing", forCAs},
	"rfc5280::ca-empty-subject":                                 {"ca-subject-empty", forCAs},
	"rfc5280::root-non-critical-basic-constraints":              {"basic-constraints-not-critical", forCAs},
	"rfc5280::leaf-ku-keycertsign":                              {"certsign-without-ca", forCAs},
	"webpki::aki::root-with-aki-missing-keyidentifier":          {"root-aki", baseline},
	"webpki::aki::root-with-aki-authoritycertissuer":            {"root-aki", baseline},
	"webpki::aki::root-with-aki-authoritycertserialnumber":      {"root-aki", baseline},
	"webpki::aki::root-with-aki-all-fields":                     {"root-aki", baseline},
	"webpki::aki::root-with-aki-ski-mismatch":                   {"root-aki", baseline},
	"webpki::cn::ipv4-hex-mismatch":                             {"common-name-not-in-san", baseline},
	"webpki::cn::ipv4-leading-zeros-mismatch":                   {"common-name-not-in-san", baseline},
	"webpki::cn::ipv6-uppercase-mismatch":                       {"common-name-not-in-san", baseline},
	"webpki::cn::ipv6-uncompressed-mismatch":                    {"common-name-not-in-san", baseline},
	"webpki::cn::ipv6-non-rfc5952-mismatch":                     {"common-name-not-in-san", baseline},
	"webpki::cn::punycode-not-in-san":                           {"common-name-not-in-san", baseline},
	"webpki::cn::utf8-vs-punycode-mismatch":                     {"common-name-not-in-san", baseline},
	"webpki::cn::not-in-san":                                    {"common-name-not-in-san", baseline},
	"webpki::cn::case-mismatch":                                 {"common-name-not-in-san", baseline},
	"webpki::eku::ee-anyeku":                                    {"", "a leaf that is for servers and for anything besides is good with every client"},
	"webpki::eku::ee-critical-eku":                              {"critical-eku", baseline},
	"webpki::eku::ee-without-eku":                               {"no-eku", baseline},
	"webpki::eku::root-has-eku":                                 {"root-eku", baseline},
	"webpki::san::public-suffix-wildcard-san":                   {"wildcard-public-suffix", baseline},
	"webpki::san::public-suffix-multi-label-wildcard-san":       {"wildcard-public-suffix", baseline},
	"webpki::san::public-suffix-private-namespace-wildcard-san": {"", "a suffix that a company gives names under; clients take the wildcard"},
	"webpki::san::san-critical-with-nonempty-subject":           {"san-critical", baseline},
	"webpki::forbidden-weak-rsa-key-in-root":                    {"issuer-rsa-short", baseline},
	"webpki::forbidden-weak-rsa-in-leaf":                        {"rsa-short", baseline},
	"webpki::forbidden-rsa-not-divisible-by-8-in-root":          {"rsa-odd-length", baseline},
	"webpki::forbidden-rsa-key-not-divisible-by-8-in-leaf":      {"rsa-odd-length", baseline},
	"webpki::ee-basicconstraints-ca":                            {"ca-as-leaf", baseline},
}

const (
	forCAs   = "warned of: a rule for authorities (RFC 5280 4), which path validation (RFC 5280 6) does not enforce"
	baseline = "warned of: a rule of the Baseline Requirements for public authorities, which clients do not all enforce"
)

// pedantic lists reasons for which we fail what crypto/x509 accepts, and why.
var pedantic = map[string]string{
	"too-many-constraints": "the work is bounded",
	"malformed":            "crypto/x509 reads an empty list of purposes as none",
	"empty-eku":            "crypto/x509 reads an empty list of purposes as none",
	"issuer-no-certsign":   "crypto/x509 reads a key usage without any bit as none",
	"wrong-ku":             "TLS's own rule (RFC 8446 4.4.2.2), which crypto/x509 leaves to its users",
	"dsa":                  "crypto/x509 judges the leaf's key only when it is used",
	"rsa-too-short":        "the same",
}

// lenient lists cases that crypto/x509 refuses and we do not, and why.
var lenient = map[string]string{
	"pathlen::self-issued-certs-pathlen":     "certificates that only change a CA's key do not count (RFC 5280 4.2.1.9)",
	"rfc5280::nc::permitted-dn-match":        "crypto/x509 does not know constraints on distinguished names",
	"rfc5280::nc::permitted-self-issued":     "constraints do not apply to such certificates (RFC 5280 6.1.3 b)",
	"rfc5280::nc::nc-forbids-othername-noop": "crypto/x509 does not know constraints on other names",
	"rfc5280::validity::notafter-fractional": "validity is in whole seconds, the last one included (RFC 5280 4.1.2.5)",
}

// TestLimbo compares our verdict with the expected one, and with that of
// crypto/x509; each difference is listed with its reason.
func TestLimbo(t *testing.T) {
	cases := limbo(t)
	agree, withReason, library := 0, 0, 0
	for _, c := range cases {
		in := c.input(t)
		var roots [][]byte
		for _, s := range c.Trusted {
			roots = append(roots, der(s))
		}
		r := verify.Chain(in)
		listedReasons(t, r)
		accepted := r.Verdict != verify.Invalid
		listed, isListed := differ[c.ID]
		switch same := accepted == (c.Result == "SUCCESS"); {
		case same && isListed:
			t.Errorf("%s: listed as different, and is not", c.ID)
		case same:
			agree++
		case !isListed:
			t.Errorf("%s: expected %s, failed: %s", c.ID, c.Result, reasons(r))
		case listed[0] != "" && !r.Has(listed[0]):
			t.Errorf("%s: not told: %s; got %s", c.ID, listed[0], reasons(r))
		default:
			withReason++
		}
		err := x509Says(in, roots)
		if (err == nil) == (c.Result == "SUCCESS") {
			library++
		}
		switch {
		case (err == nil) == accepted:
		case err == nil:
			for _, f := range r.Failures() {
				if pedantic[f.Reason] == "" {
					t.Errorf("%s: crypto/x509 accepts it, we do not: %s", c.ID, reasons(r))
				}
			}
		case lenient[c.ID] == "":
			t.Errorf("%s: crypto/x509 refuses it (%v), we do not", c.ID, err)
		}
	}
	if len(cases) > 0 {
		t.Logf("%d cases: %d as expected, %d not, for a listed reason; crypto/x509 agrees with %d", len(cases), agree, withReason, library)
	}
}

// listedReasons holds that all reasons are among the permanent ones, and that only what passed has none.
func listedReasons(t *testing.T, r *verify.Result) {
	for _, c := range r.Checks {
		if c.Outcome == verify.OK && c.Reason != "" || c.Outcome != verify.OK && !slices.ContainsFunc(verify.Reasons, func(r verify.Reason) bool { return r.ID == c.Reason }) || !slices.Contains(verify.IDs, c.ID) {
			t.Errorf("%s is %s for the reason %q, which is not listed", c.ID, c.Outcome, c.Reason)
		}
	}
}

// reasons lists what failed.
func reasons(r *verify.Result) string {
	var out []string
	for _, c := range r.Failures() {
		out = append(out, fmt.Sprintf("%s: %s (%d)", c.ID, c.Reason, c.Cert))
	}
	return strings.Join(out, ", ")
}
