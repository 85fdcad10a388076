package verify

import (
	"bytes"
	"crypto/x509"
	"errors"
	"slices"
	"time"
)

// A path leads from the leaf up.
type path struct {
	certs  []*cert
	end    string // how it ends, one of the end… constants
	checks []Check
	cost   int
}

const (
	endRoot    = "root"    // at one of the list of roots
	endSelf    = "self"    // at one that signs itself and is not of the list
	endMissing = "missing" // the next issuer is not there
	endBroken  = "broken"  // the last one's signature holds under no key of its issuer's name
	endLoop    = "loop"    // the only issuers stand below it already
)

func (v *checker) isRoot(c *cert) bool {
	return v.Roots != nil && (v.Roots.byHash[c.hash] || c.vouched)
}

// link checks that parent's key signed child, once for each pair.
func (v *checker) link(child, parent *cert) error {
	key := [2]*cert{child, parent}
	if err, ok := v.links[key]; ok {
		return err
	}
	err := child.signedBy(parent.pub)
	v.links[key] = err
	return err
}

// paths returns the ways from the leaf to a root, or what comes nearest to one.
func (v *checker) paths() []path {
	leaf := v.sent[0]
	if v.isRoot(leaf) {
		return []path{{certs: []*cert{leaf}, end: endRoot}}
	}
	var done []path
	v.extend([]*cert{leaf}, &done)
	return done
}

// extend follows the issuers of the path's last certificate.
func (v *checker) extend(certs []*cert, done *[]path) {
	if len(*done) >= maxPaths {
		return
	}
	last := certs[len(certs)-1]
	end := func(how string) { *done = append(*done, path{certs: slices.Clone(certs), end: how}) }
	if len(last.issuer) == 0 {
		end(endMissing)
		return
	}
	if last.selfIssued() && v.link(last, last) == nil {
		// Somebody else may have certified the same key under the same name; that is
		// found below it, as another issuer of the certificate before.
		end(endSelf)
		return
	}
	candidates, looped := v.candidates(last, certs)
	var broken []*cert
	good := 0
	for _, c := range candidates {
		if len(*done) >= maxPaths {
			return
		}
		if v.considered++; v.considered > maxConsidered {
			v.exhausted = true
			break
		}
		if errors.Is(v.link(last, c), errBadSignature) || errors.Is(v.link(last, c), errZeroSignature) {
			broken = append(broken, c)
			continue
		}
		good++
		v.up(certs, c, done)
	}
	switch {
	case good > 0:
	case len(broken) > 0:
		// The one that is most likely meant.
		v.up(certs, broken[0], done)
	case looped:
		end(endLoop)
	case last.selfIssued() && !errors.Is(v.link(last, last), errBadSignature) && !errors.Is(v.link(last, last), errZeroSignature):
		// It says that it is a root; whether it signed itself cannot be checked.
		end(endSelf)
	default:
		end(endMissing)
	}
}

func (v *checker) up(certs []*cert, c *cert, done *[]path) {
	next := append(slices.Clone(certs), c)
	if v.isRoot(c) {
		*done = append(*done, path{certs: next, end: endRoot})
		return
	}
	v.extend(next, done)
}

// candidates are the certificates with the name of c's issuer that the path does
// not hold yet, the likeliest first.
func (v *checker) candidates(c *cert, certs []*cert) (out []*cert, looped bool) {
	type ranked struct {
		c    *cert
		rank int
	}
	var all []ranked
	add := func(p *cert, root bool) {
		for _, have := range certs {
			if bytes.Equal(have.subject, p.subject) && bytes.Equal(have.spki, p.spki) && !root {
				looped = true
				return
			}
		}
		for _, have := range all {
			if have.c.hash == p.hash {
				return
			}
		}
		rank := 0
		if !root {
			rank += 4
		}
		switch {
		case len(c.aki) > 0 && bytes.Equal(c.aki, p.ski):
		case len(c.aki) == 0 || len(p.ski) == 0:
			rank++
		default:
			rank += 2
		}
		// What crypto/x509 would not go on with comes later.
		if p.dated && (v.now.Before(p.from) || v.now.After(p.until)) {
			rank += 8
		}
		if p.ca == nil || !*p.ca {
			rank += 8
		}
		all = append(all, ranked{p, rank})
	}
	if v.Roots != nil {
		for _, p := range v.Roots.byName[string(c.issuer)] {
			if same := v.ofSent(p); same != nil {
				p = same
			}
			add(p, true)
		}
		for _, p := range v.ask(c) {
			add(p, true)
		}
	}
	for _, p := range v.sent {
		if len(p.subject) > 0 && bytes.Equal(p.subject, c.issuer) && p.hash != c.hash {
			add(p, v.isRoot(p))
		}
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return a.rank - b.rank })
	for _, r := range all {
		out = append(out, r.c)
	}
	return out, looped
}

// ofSent finds a root among what was sent.
func (v *checker) ofSent(root *cert) *cert {
	for _, c := range v.sent {
		if c.hash == root.hash {
			return c
		}
	}
	return nil
}

// ask asks a store that cannot be listed for issuers of c. All but who issued
// it is taken out of the question: the answer is judged here.
func (v *checker) ask(c *cert) []*cert {
	if v.Roots.pool == nil || c.x == nil {
		return nil
	}
	question := *c.x
	question.UnhandledCriticalExtensions = nil
	question.NotBefore, question.NotAfter = time.Time{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	var out []*cert
	// An expired root is found at a time when it was not: that of the issue.
	for _, t := range []time.Time{v.now, c.from, c.until} {
		chains, err := question.Verify(x509.VerifyOptions{Roots: v.Roots.pool, CurrentTime: t, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if err != nil {
			continue
		}
		for _, chain := range chains {
			if len(chain) < 2 {
				continue
			}
			p := read(chain[1].Raw)
			if same := v.ofSent(p); same != nil {
				p = same
			}
			p.vouched = true
			out = append(out, p)
		}
		if len(out) > 0 {
			break
		}
	}
	return out
}

// weigh says how much is wrong with a path: the less, the better.
func (p *path) weigh() int {
	cost := len(p.certs)
	if p.end != endRoot {
		cost += 1000
	}
	for _, c := range p.checks {
		switch {
		case c.Outcome == Failed && c.ID == IDSignature:
			cost += 5000
		case c.Outcome == Failed && c.Cert != 1:
			cost += 200
		case c.Outcome == NotChecked && c.ID == IDSignature:
			cost += 150
		}
	}
	return cost
}
