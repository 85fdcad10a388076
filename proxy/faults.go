package proxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
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
	Title, What event.Text
	Controls    bool // with which nothing is wrong
	Faults      []faultRow
}

type faultRow struct {
	*ca.Fault
	Expected event.Text
	Problem  event.Text // why this authority cannot make it
}

// Wrong says what is wrong.
func (r faultRow) Wrong() event.Text { return sentenceOf("wrong", r.Fault.ID, r.Fault.Wrong) }

// Says is the check that catches it; of a control, why it is tried.
func (r faultRow) Says() event.Text {
	if r.Severity == ca.Control {
		return words.FaultText("incident", r.ID, r.Incident)
	}
	return words.Piece("faults/check-step", "check", sentenceOf("check", r.ID, r.Check), "step", r.Step)
}

// sentenceOf is what the table of faults says of one, as a sentence.
func sentenceOf(what, id, english string) event.Text {
	return words.Piece("page/sentence", "what", words.FaultText(what, id, english))
}

// severities are those of the index page, in its order, with what a client is to do with such a fault.
var severities = []struct {
	severity ca.Severity
	expected event.Text
}{
	{ca.Critical, words.Piece("faults/refused")},
	{ca.High, words.Piece("faults/refused")},
	{ca.Medium, words.Piece("faults/refused")},
	{ca.Low, words.Piece("faults/either")},
	{ca.Control, words.Piece("faults/accepted")},
}

// faultScript are the sentences of the script of the index page.
func faultScript() map[string]event.Text {
	says := map[string]event.Text{
		"refused": words.Piece("faults/refused"), "accepted": words.Piece("faults/accepted"), "unclear": words.Piece("faults/unclear"),
		"no answer": words.Piece("faults/no-answer"), "not tested": words.Piece("faults/not-tested"),
		"control": words.Piece("faults/control-not-accepted", "control", "{control}"), "refusedControl": words.Piece("faults/refused-control"),
		"refusedHere": words.Piece("faults/refused-here", "link", "{link}"), "errorPage": words.Piece("faults/error-page"), "noAnswer": words.Piece("faults/no-answer-came"),
		"untrusted": words.Piece("faults/untrusted"), "noLonger": words.Piece("faults/no-longer"),
		"sum":         words.Piece("faults/sum", "refused", "{refused}", "tested", "{tested}"),
		"sumAccepted": words.Piece("faults/sum-accepted", "cases", "{cases}"), "sumOthers": words.Piece("faults/sum-others", "cases", "{cases}"),
		"sumCase": words.Piece("faults/sum-case", "case", "{case}", "severity", "{severity}"), "sumEnd": words.Piece("faults/sum-end", "sum", "{sum}"),
		"and": words.List(",", event.Plain("{a}"), event.Plain("{b}")), "then": words.List(";", event.Plain("{a}"), event.Plain("{b}")),
	}
	for _, s := range severities {
		says["accepted-"+string(s.severity)] = words.Piece("severity-accepted/" + string(s.severity))
		says["level-"+string(s.severity)] = words.Piece("level/" + string(s.severity))
	}
	return says
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
	return Case{Fault: f.ID, Host: to.host, Handler: faultHandler(f, p.Language)}, true
}

// faultHandler answers the clients that accept a fault or control.
func faultHandler(f *ca.Fault, otherwise words.Language) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		showSite(w, r, otherwise, http.StatusOK, map[string]any{
			"Page": "fault", "Title": event.Plain(f.ID), "What": sentenceOf("wrong", f.ID, f.Wrong), "Fault": f, "Control": f.Severity == ca.Control,
			"Accepted": words.Piece("severity-accepted/" + string(f.Severity)), "Check": sentenceOf("check", f.ID, f.Check),
			"Level": words.Piece("level/" + string(f.Severity)), "Incident": words.FaultText("incident", f.ID, f.Incident),
		})
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
			g := faultGroup{Controls: s.severity == ca.Control, Title: words.Piece("severity-title/" + string(s.severity)), What: words.Piece("severity-what/" + string(s.severity))}
			for i := range ca.Faults {
				f := &ca.Faults[i]
				row := faultRow{Fault: f, Expected: s.expected}
				switch {
				case f.Severity != s.severity:
					continue
				case !notVisited(f).Empty():
					row.Problem = notVisited(f)
					x.NotVisited = append(x.NotVisited, row)
					continue
				case !able:
					if _, err := authority.Faulty(f.ID+"."+siteDomain, f.ID); err != nil {
						row.Problem = unable(err)
					}
				}
				g.Faults = append(g.Faults, row)
			}
			x.Groups = append(x.Groups, g)
		}
		return x
	})
}

// unable says why an authority cannot make a case.
func unable(err error) event.Text {
	switch {
	case errors.Is(err, ca.ErrNoMoreCAs):
		return words.Piece("faults/no-more-cas")
	case errors.Is(err, ca.ErrNotP256):
		return words.Piece("faults/no-p256")
	}
	return event.Plain(err.Error())
}

// secureHandler sends a visitor in clear to the same host over https.
func secureHandler(w http.ResponseWriter, r *http.Request) {
	if f := siteFault(strings.ToLower(r.Host)); f != nil {
		http.Redirect(w, r, "https://"+f.ID+"."+siteDomain+"/", http.StatusFound)
		return
	}
	http.NotFound(w, r)
}
