package proxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/ca"
)

// A faultGroup is the cases of one severity, as the index page lists them.
type faultGroup struct {
	Title, What string
	Faults      []faultRow
}

type faultRow struct {
	*ca.Fault
	Expected string
	Problem  string // why this authority cannot make it
}

// severities are those of the index page, in its order, with what an attacker needs to use such a fault.
var severities = []struct {
	severity    ca.Severity
	title, what string
	expected    string
	accepted    string // said of a client that accepts such a case
}{
	{ca.Control, "Controls", "Nothing is wrong with these. What a client refuses here it would refuse everywhere, so the faults that are one change away from it are not tried.", "accepted", "Accepted, as it should be."},
	{ca.Critical, "Critical", "An attacker needs nothing but a place on the path.", "refused", "Accepted: anybody on the path could have answered in this site's place."},
	{ca.High, "High", "An attacker needs a certificate that anybody can get for a name of their own.", "refused", "Accepted: somebody on the path with a certificate for another name could have answered in this site's place."},
	{ca.Medium, "Medium", "An attacker needs something stolen, expired, revoked, collided or factored.", "refused", "Accepted: somebody on the path with what is stolen, forged or broken could have answered in this site's place."},
	{ca.Low, "Low", "A CA's or an owner's sloppiness, by itself no attack; many clients accept it.", "either", "Accepted, as by many clients: by itself this is no attack."},
}

// notVisited says why there is no site for a fault, or nothing.
func notVisited(f *ca.Fault) event.Text {
	switch {
	case f.ByAddress:
		return words.Piece("no-site/by-address")
	case f.Trust:
		return words.Piece("no-site/trust")
	}
	return event.Text{}
}

// siteFault returns the fault or control that a host of the built-in sites shows.
func siteFault(host string) *ca.Fault {
	id, ok := strings.CutSuffix(host, "."+siteDomain)
	if !ok {
		return nil
	}
	return ca.FaultOf(id)
}

// noSite says why the built-in sites have none for a host and port.
func noSite(host string) event.Text {
	if f := siteFault(host); f != nil && !notVisited(f).Empty() {
		return words.Piece("no-site/case", "case", f.ID, "why", notVisited(f))
	}
	return words.Piece("no-site/name")
}

// faultSite returns the case that the built-in sites show to who asks for to.
func (p *Proxy) faultSite(to target) (Case, bool) {
	f := siteFault(to.host)
	if p.Sites == nil || f == nil || to.port != 443 || !notVisited(f).Empty() {
		return Case{}, false
	}
	return Case{Fault: f.ID, Host: to.host, Handler: faultHandler(f)}, true
}

// faultHandler answers the clients that accept a fault or control.
func faultHandler(f *ca.Fault) http.Handler {
	accepted := ""
	for _, s := range severities {
		if s.severity == f.Severity {
			accepted = s.accepted
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		showSite(w, map[string]any{"Page": "fault", "Title": f.ID, "What": f.Wrong, "Fault": f, "Control": f.Severity == ca.Control, "Accepted": accepted, "Domain": siteDomain})
	})
	// What the index page asks for, from another origin.
	mux.HandleFunc("/probe", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if origin := r.Header.Get("Origin"); ownOrigin(origin) {
			w.Header().Set("Access-Control-Allow-Origin", origin)
		}
		w.Header().Set("Vary", "Origin")
		fmt.Fprintln(w, "accepted")
	})
	return guarded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asksForOthers(r) {
			panic(http.ErrAbortHandler)
		}
		// The next visit is to be a new handshake.
		w.Header().Set("Connection", "close")
		w.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	}))
}

// ownOrigin reports whether an Origin header field names the index page's origin (RFC 6454 6.1).
func ownOrigin(origin string) bool {
	return origin == "http://"+siteDomain || origin == "https://"+siteDomain
}

// asksForOthers reports whether a browser says that a page of another site makes it
// ask, and not its user. Such a page would learn from a mere answer what this browser fails to check.
func asksForOthers(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Dest") != "document" && !ownOrigin(r.Header.Get("Origin"))
}

// faultIndex is what the index page lists.
type faultIndex struct {
	Groups     []faultGroup
	NotVisited []faultRow // Problem says why
}

// indexOf lists the cases of an authority.
func indexOf(authority *ca.Authority) func() faultIndex {
	return sync.OnceValue(func() faultIndex {
		// The proxy's own authorities can make everything; those that users bring may not.
		root := authority.Certificate()
		key, p256 := root.PublicKey.(*ecdsa.PublicKey)
		able := p256 && key.Curve == elliptic.P256() && !root.MaxPathLenZero
		var x faultIndex
		for _, s := range severities {
			g := faultGroup{Title: s.title, What: s.what}
			for i := range ca.Faults {
				f := &ca.Faults[i]
				row := faultRow{Fault: f, Expected: s.expected}
				switch {
				case f.Severity != s.severity:
					continue
				case !notVisited(f).Empty():
					row.Problem = notVisited(f).English
					x.NotVisited = append(x.NotVisited, row)
					continue
				case !able:
					if _, err := authority.Faulty(f.ID+"."+siteDomain, f.ID); err != nil {
						row.Problem = err.Error()
					}
				}
				g.Faults = append(g.Faults, row)
			}
			x.Groups = append(x.Groups, g)
		}
		return x
	})
}

// acceptedWords say, by severity, what it means that a client accepted.
func acceptedWords() map[ca.Severity]string {
	m := map[ca.Severity]string{}
	for _, s := range severities {
		m[s.severity] = s.accepted
	}
	return m
}

// secureHandler sends a visitor in clear to the same host over https.
func secureHandler(w http.ResponseWriter, r *http.Request) {
	if f := siteFault(strings.ToLower(r.Host)); f != nil {
		http.Redirect(w, r, "https://"+f.ID+"."+siteDomain+"/", http.StatusFound)
		return
	}
	http.NotFound(w, r)
}
