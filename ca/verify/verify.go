// Package verify checks a certificate chain step by step, and goes on after the
// first failure, so that a certificate that is expired and for another host shows both.
//
// It does what a client does (RFC 5280 6, RFC 9525 6, and what RFC 8446 4.4.2
// asks of certificates in TLS), as of a given time, and says of each check what
// came out and why. Where nothing failed, crypto/x509 accepts the chain too;
// docs/checks.md lists the checks and where the two differ.
//
// It is pure: no file, socket or clock. Everything in the chain is taken as
// hostile; no input makes it panic or work without bound.
package verify

import (
	"crypto/x509"
	"encoding/hex"
	"strconv"
	"time"
)

// A Purpose is what the certificate is shown for.
type Purpose uint8

const (
	Server Purpose = iota // a TLS server's
	Client                // a TLS client's
)

// Stapling says what is known of a stapled OCSP response besides its bytes.
type Stapling uint8

const (
	StapleUnknown  Stapling = iota // not known whether one was asked for
	StapleNotAsked                 // nobody asked for one, so that none could be sent (RFC 6066 8)
	StapleAsked                    // one was asked for; Input.Staple is what came
	StapleLater                    // one is announced and still to come, in a message of its own
)

// A Use is what the certificate's key did in the handshake.
type Use uint8

const (
	UseUnknown Use = iota
	Signed         // it signed (RFC 8446 4.4.3, RFC 5246 7.4.3)
	Decrypted      // it opened what the client encrypted to it (RFC 5246 7.4.7.1)
)

// An Input is a chain and what it is to be checked against.
type Input struct {
	Chain    [][]byte // DER, as sent: leaf first
	Name     string   // the DNS name or address that was asked for; "" if not known
	Time     time.Time
	Roots    *Roots // nil if there are none to check against
	Purpose  Purpose
	Use      Use
	Staple   []byte // DER OCSPResponse (RFC 6960 4.2); nil if none
	Stapling Stapling
	SCTs     [][]byte            // SerializedSCTs of the TLS extension (RFC 6962 3.3)
	Denied   map[[32]byte]string // keys that may vouch for nobody: SHA-256 of the SubjectPublicKeyInfo, and whose it is
}

// An Outcome is what came out of a check.
type Outcome string

const (
	OK         Outcome = "ok"
	Failed     Outcome = "failed"      // a client that goes by the rules must refuse
	Warned     Outcome = "warned"      // against a policy, or against a rule for authorities that clients need not enforce
	NotChecked Outcome = "not-checked" // it could not be checked, or is not checked here
	NotReached Outcome = "not-reached" // what it would be checked on is not there
)

// A Detail is a fact that a check found.
type Detail struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A Check is one check and its outcome. IDs and reasons are permanent.
type Check struct {
	ID      string   `json:"id"`
	Cert    int      `json:"cert,omitempty"` // place in Result.Path from 1, the leaf; 0: about the chain
	Outcome Outcome  `json:"outcome"`
	Reason  string   `json:"reason,omitempty"`
	Details []Detail `json:"details,omitempty"`
}

// Detail returns the value of the first detail of this name, or "".
func (c *Check) Detail(name string) string {
	for _, d := range c.Details {
		if d.Name == name {
			return d.Value
		}
	}
	return ""
}

// Counts tells whether the check counts against an origin: it failed, or it warns of
// what some client refuses.
func (c *Check) Counts() bool {
	fate := ReasonOf(c.Reason).Fate
	return c.Outcome == Failed || c.Outcome == Warned && (fate == Blocked || fate == Mirrored)
}

// The checks, in the order in which they are made.
const (
	IDParse       = "parse"               // it can be read
	IDChain       = "chain"               // each certificate's issuer is there
	IDSignature   = "signature"           // each is signed with its issuer's key
	IDRoot        = "root"                // the last is in the list of roots
	IDDates       = "dates"               // notBefore and notAfter
	IDName        = "name"                // the name that was asked for
	IDPurpose     = "purpose"             // extended key usage, of the whole path
	IDKeyUsage    = "key-usage"           // key usage
	IDCA          = "ca"                  // who signs is a CA
	IDPathLength  = "path-length"         // not more CAs below it than a CA allows
	IDConstraints = "name-constraints"    // no names that a CA may not vouch for
	IDPolicies    = "policies"            // certificate policies, where a CA demands them
	IDCritical    = "critical-extensions" // nothing critical that is not understood
	IDExtensions  = "extensions"          // no extension twice
	IDKey         = "key"                 // strength and form of the key
	IDAlgorithm   = "algorithm"           // strength of the signature algorithm
	IDMatch       = "algorithm-match"     // inside and outside name one signature algorithm
	IDSerial      = "serial"
	IDLifetime    = "lifetime"
	IDLeaked      = "known-key" // keys that everybody has, or that may vouch for nobody
	IDStaple      = "staple"    // stapled OCSP response
	IDSCT         = "sct"       // signed certificate timestamps
	IDProfile     = "profile"   // rules for authorities that no client need enforce
)

// A Verdict sums up the checks.
type Verdict string

const (
	Valid   Verdict = "valid"   // nothing failed
	Invalid Verdict = "invalid" // something failed
	Unknown Verdict = "unknown" // nothing failed, but the root, the name, a date or a signature could not be checked
)

// A Place is a certificate of the path.
type Place struct {
	DER     []byte
	Sent    int  // its place in Input.Chain from 1; 0 if it is of the list of roots only
	Root    bool // it is of the list of roots
	Subject string
	Issuer  string
}

// A Result is what came out.
type Result struct {
	Verdict Verdict
	Checks  []Check
	Path    []Place // from the leaf up, as far as it leads
	Roots   string  // what the list of roots is called
	// From and Until bound the times, in whole seconds, for which the same comes out; Until
	// is excluded. A zero time is no bound.
	From, Until time.Time
}

// Counts returns how many checks came out how.
func (r *Result) Counts() map[Outcome]int {
	n := make(map[Outcome]int)
	for _, c := range r.Checks {
		n[c.Outcome]++
	}
	return n
}

// Failures returns the checks that failed, in order.
func (r *Result) Failures() []Check {
	var out []Check
	for _, c := range r.Checks {
		if c.Outcome == Failed {
			out = append(out, c)
		}
	}
	return out
}

// Has tells whether a check gave this reason.
func (r *Result) Has(reason string) bool {
	for _, c := range r.Checks {
		if c.Reason == reason {
			return true
		}
	}
	return false
}

// Unchecked names what is never checked here. The values are permanent.
var Unchecked = []string{
	"revocation-list",  // CRLs, and OCSP that is not stapled: nothing is fetched
	"ct-log-signature", // signatures of timestamps, and whether the logs really list the certificate
	"missing-issuer",   // issuers that were not sent are not fetched (RFC 5280 4.2.2.1)
	"browser-policy",   // what single browsers ask of single authorities, pins, HSTS
}

// Roots are the certificates that are trusted without being vouched for.
type Roots struct {
	Name   string // what they are, in words
	byName map[string][]*cert
	byHash map[[32]byte]bool
	pool   *x509.CertPool
}

// NewRoots lists roots, as DER.
func NewRoots(name string, der ...[]byte) *Roots {
	r := &Roots{Name: name, byName: map[string][]*cert{}, byHash: map[[32]byte]bool{}}
	for _, d := range der {
		r.Add(d)
	}
	return r
}

// PoolRoots are roots that cannot be listed but asked for chains, as the stores
// of macOS and Windows can; more can be added to them.
func PoolRoots(name string, pool *x509.CertPool) *Roots {
	r := NewRoots(name)
	r.pool = pool
	return r
}

// Add adds a root and reports whether it can be read well enough to be used.
func (r *Roots) Add(der []byte) bool { return r.add(read(der)) }

// AddParsed does so for one that crypto/x509 has read.
func (r *Roots) AddParsed(x *x509.Certificate) bool { return r.add(readParsed(x)) }

func (r *Roots) add(c *cert) bool {
	if len(c.subject) == 0 || len(c.spki) == 0 {
		return false
	}
	if !r.byHash[c.hash] {
		r.byHash[c.hash] = true
		r.byName[string(c.subject)] = append(r.byName[string(c.subject)], c)
	}
	return true
}

// With returns these roots and more, under another name.
func (r *Roots) With(name string, der ...[]byte) *Roots {
	out := NewRoots(name)
	if r != nil {
		out.pool = r.pool
		for n, cs := range r.byName {
			out.byName[n] = cs[:len(cs):len(cs)]
		}
		for h := range r.byHash {
			out.byHash[h] = true
		}
	}
	for _, d := range der {
		out.Add(d)
	}
	return out
}

// All returns the listed roots, as DER, in no order.
func (r *Roots) All() [][]byte {
	var out [][]byte
	for _, cs := range r.byName {
		for _, c := range cs {
			out = append(out, c.der)
		}
	}
	return out
}

// Len is how many roots are listed.
func (r *Roots) Len() int { return len(r.byHash) }

// Key is the SHA-256 of a certificate's SubjectPublicKeyInfo, by which keys are
// denied; ok is false where there is none to be read.
func Key(der []byte) (key [32]byte, ok bool) {
	c := read(der)
	return c.keyHash, len(c.spki) > 0
}

// Bounds on the work for one chain.
const (
	maxSent       = 128     // certificates looked at
	maxBytes      = 1 << 20 // of one certificate
	maxConsidered = 100     // issuers tried, as crypto/x509 does
	maxPaths      = 16      // paths compared
	maxNames      = 250000  // comparisons of names with constraints
)

// checker is the work on one chain.
type checker struct {
	Input
	now         time.Time
	sent        []*cert
	from, until time.Time
	links       map[[2]*cert]error
	considered  int
	exhausted   bool
}

// Chain checks a chain.
func Chain(in Input) *Result {
	v := &checker{Input: in, now: in.Time.UTC().Truncate(time.Second), links: map[[2]*cert]error{}}
	r := &Result{}
	if in.Roots != nil {
		r.Roots = in.Roots.Name
	}
	for i, der := range in.Chain {
		if i == maxSent {
			break
		}
		c := read(der)
		c.sent = i + 1
		v.sent = append(v.sent, c)
	}
	if len(v.sent) == 0 {
		r.Checks = []Check{{ID: IDChain, Outcome: Failed, Reason: "no-certificate"}}
		r.Verdict = Invalid
		return r
	}
	var best path
	for i, p := range v.paths() {
		p.checks = v.evaluate(p)
		p.cost = p.weigh()
		if i == 0 || p.cost < best.cost {
			best = p
		}
	}
	r.Checks = best.checks
	for _, c := range best.certs {
		r.Path = append(r.Path, Place{DER: c.der, Sent: c.sent, Root: v.isRoot(c), Subject: nameText(c.subject), Issuer: nameText(c.issuer)})
	}
	r.From, r.Until = v.from, v.until
	r.Verdict = Valid
	for _, c := range r.Checks {
		essential := c.ID == IDRoot || c.ID == IDName || c.ID == IDSignature || c.ID == IDDates
		switch {
		case c.Outcome == Failed:
			r.Verdict = Invalid
		case c.Outcome == NotChecked && essential && r.Verdict == Valid:
			r.Verdict = Unknown
		}
	}
	return r
}

// before compares the time with a boundary in whole seconds, and notes the boundary.
func (v *checker) before(t time.Time) bool {
	if v.now.Before(t) {
		if v.until.IsZero() || t.Before(v.until) {
			v.until = t
		}
		return true
	}
	if v.from.IsZero() || t.After(v.from) {
		v.from = t
	}
	return false
}

// after tells whether the time is after the last second that t allows.
func (v *checker) after(t time.Time) bool { return !v.before(t.Truncate(time.Second).Add(time.Second)) }

func details(pairs ...string) []Detail {
	var out []Detail
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, Detail{pairs[i], clip(pairs[i+1])})
		}
	}
	return out
}

// clip bounds a text from the wire.
func clip(s string) string {
	const most = 300
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func number(n int) string { return strconv.Itoa(n) }
