package proxy

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	"explainer/annotate/words"
	"explainer/ca/verify"
)

// judge checks what an origin has shown, as the host name, and returns what is
// wrong, or nil. crypto/x509 decides what is good; package verify must agree, and
// finds all that is wrong, not only the first, and what some clients refuse besides.
func (p *Proxy) judge(state *tls.ConnectionState, to asking, site Site) *originError {
	now := time.Now()
	certs := state.PeerCertificates
	pool, listed := p.roots, p.trusted
	if site.Roots != nil {
		pool, listed = site.Roots, verify.NewRoots("the built-in sites' authority", p.Sites.root)
	}
	opts := x509.VerifyOptions{Roots: pool, CurrentTime: now, DNSName: to.name, Intermediates: x509.NewCertPool()}
	for _, c := range certs[1:] {
		opts.Intermediates.AddCert(c)
	}
	chains, err := certs[0].Verify(opts)
	result := p.check(verify.Input{
		Name: to.name, Time: now, Roots: listed, Use: keyUse(state),
		Staple: state.OCSPResponse, Stapling: verify.StapleAsked, // crypto/tls always asks
		SCTs:   state.SignedCertificateTimestamps,
		Denied: p.denied(),
	}, certs)
	own := p.vouchedByUs(certs, chains)
	fail := &originError{Host: to.name, Certs: certs, ID: "other"}
	mirror := !own
	for _, c := range result.Checks {
		if !c.Counts() {
			continue
		}
		fail.failures = append(fail.failures, c)
		if !slices.Contains(fail.Found, c.Reason) {
			fail.Found = append(fail.Found, c.Reason)
		}
		mirror = mirror && verify.ReasonOf(c.Reason).Fate == verify.Mirrored
		switch c.Reason {
		case "issuer-unknown", "incomplete-chain":
			fail.Missing = c.Detail("missing")
		case "untrusted-root":
			fail.Missing = c.Detail("root")
		}
	}
	if err == nil && !own && len(fail.Found) == 0 {
		return nil
	}
	if err != nil {
		fail.Detail = detailOf(err)
	}
	fail.ID = mainFault(fail.Found)
	switch {
	case own:
		fail.ID, fail.Detail = "own-ca", words.Piece("detail/own-ca")
	case mirror && len(fail.Found) > 0 && p.nothingElse(result, certs[0], to.name, fail.Found, now):
		fail.mirror = slices.Clone(fail.Found)
		if !to.staple {
			fail.mirror = slices.DeleteFunc(fail.mirror, ofStaple)
			fail.unasked = len(fail.mirror) == 0
		}
	}
	return fail
}

// ofStaple reports whether only a client that asks for an OCSP response can see what the reason names.
func ofStaple(reason string) bool { return verify.ReasonOf(reason).Class == verify.ClassStatus }

// keyUse is what the server's key does in the handshake.
func keyUse(state *tls.ConnectionState) verify.Use {
	if state.Version == tls.VersionTLS12 && !ephemeral(state.CipherSuite) {
		return verify.Decrypted
	}
	return verify.Signed
}

// denied are the keys of the proxy's own CAs, by the SHA-256 of their SubjectPublicKeyInfo.
func (p *Proxy) denied() map[[32]byte]string {
	keys := map[[32]byte]string{}
	for _, own := range p.ownCAs() {
		keys[sha256.Sum256(own.RawSubjectPublicKeyInfo)] = "this proxy's own CA"
	}
	return keys
}

// vouchedByUs reports whether one of the proxy's own CAs has signed any of the
// certificates, or is among them, or in every chain that crypto/x509 found: the
// user may have put it among the system's roots.
func (p *Proxy) vouchedByUs(certs []*x509.Certificate, chains [][]*x509.Certificate) bool {
	for _, c := range certs {
		if p.isOwn(c) || slices.ContainsFunc(p.ownCAs(), func(own *x509.Certificate) bool {
			return bytes.Equal(c.RawIssuer, own.RawSubject) && c.CheckSignatureFrom(own) == nil
		}) {
			return true
		}
	}
	for _, chain := range chains {
		if !slices.ContainsFunc(chain, p.isOwn) {
			return false
		}
	}
	return len(chains) > 0
}

// mainFault is the one of the faults that [capture.FactOriginVerified] gives as the outcome.
func mainFault(found []string) string {
	of := func(class verify.Class) bool {
		return slices.ContainsFunc(found, func(reason string) bool { return verify.ReasonOf(reason).Class == class })
	}
	switch {
	case slices.Contains(found, "expired"):
		return "expired"
	case slices.Contains(found, "not-yet-valid"):
		return "not-yet-valid"
	case of(verify.ClassName):
		return "wrong-host"
	case slices.Contains(found, "self-signed"):
		return "self-signed"
	case of(verify.ClassTrust):
		return "untrusted-root"
	}
	return "other"
}

// nothingElse reports whether crypto/x509 would accept the path but for the faults.
func (p *Proxy) nothingElse(r *verify.Result, leaf *x509.Certificate, name string, faults []string, now time.Time) bool {
	c := *leaf
	opts := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: now, DNSName: name}
	for _, id := range faults {
		switch id {
		case "expired", "not-yet-valid":
			c.NotBefore, c.NotAfter = now.Add(-time.Hour), now.Add(time.Hour)
		case "wrong-eku":
			opts.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
		case "unknown-critical-ext":
			c.UnhandledCriticalExtensions = nil
		default:
			// Of a chain without a trusted root the path's own end is the root here.
			if verify.ReasonOf(id).Class == verify.ClassName {
				opts.DNSName = ""
			}
		}
	}
	if len(r.Path) == 1 {
		opts.Roots.AddCert(&c)
	}
	for i, place := range r.Path[1:] {
		above, err := x509.ParseCertificate(place.DER)
		switch {
		case err != nil:
			return false
		case i+2 == len(r.Path):
			opts.Roots.AddCert(above)
		default:
			opts.Intermediates.AddCert(above)
		}
	}
	_, err := c.Verify(opts)
	return err == nil
}

// mirrors reports whether a client that trusts the proxy's CA finds in the
// leaf what was found in the origin's certificate, and nothing else.
func (p *Proxy) mirrors(leaf *tls.Certificate, fail *originError, use verify.Use, staple bool) bool {
	own := p.Authority.Certificate()
	in := verify.Input{
		Chain: leaf.Certificate, Name: fail.Host, Time: time.Now(), Roots: verify.NewRoots("this proxy's own CA", own.Raw),
		Use: use, Staple: leaf.OCSPStaple, Stapling: verify.StapleNotAsked,
	}
	if staple {
		in.Stapling = verify.StapleAsked
	}
	var found []string
	for _, c := range verify.Chain(in).Checks {
		if c.Counts() && !slices.Contains(found, c.Reason) {
			found = append(found, c.Reason)
		}
	}
	want := slices.Clone(fail.mirror)
	slices.Sort(found)
	slices.Sort(want)
	return slices.Equal(found, want)
}

// judged remembers results: a browser opens many connections to an origin.
type judged struct {
	mu sync.Mutex
	by map[[32]byte]*verify.Result
}

// maxJudged bounds how many results are remembered.
const maxJudged = 256

// check makes the checks of a chain, or finds that they were made for a time at which the same comes out.
func (p *Proxy) check(in verify.Input, certs []*x509.Certificate) *verify.Result {
	h := sha256.New()
	put := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b))))
		h.Write(b)
	}
	for _, c := range certs {
		in.Chain = append(in.Chain, c.Raw)
		put(c.Raw)
	}
	put(nil) // no certificate is this long
	put([]byte(in.Name))
	put([]byte(in.Roots.Name))
	put([]byte{byte(in.Use)})
	put(in.Staple)
	for _, sct := range in.SCTs {
		put(sct)
	}
	key := [32]byte(h.Sum(nil))
	now := in.Time.UTC().Truncate(time.Second)
	p.judged.mu.Lock()
	r := p.judged.by[key]
	p.judged.mu.Unlock()
	if r != nil && !now.Before(r.From) && (r.Until.IsZero() || now.Before(r.Until)) {
		return r
	}
	r = verify.Chain(in)
	p.judged.mu.Lock()
	defer p.judged.mu.Unlock()
	if p.judged.by == nil || len(p.judged.by) >= maxJudged {
		p.judged.by = map[[32]byte]*verify.Result{}
	}
	p.judged.by[key] = r
	return r
}

// errUnverified ends a handshake with an origin whose certificate is not good enough.
var errUnverified = errors.New("the origin's certificate is not good")
