package proxy

import (
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// maxAdmitted bounds how many addresses an Access remembers.
const maxAdmitted = 1 << 12

// An Access says who may use a proxy that other machines can reach. Programs on
// this machine may. Others open http://ADDR:PORT/TOKEN once, after which their
// address may, or give the token as the password of Basic authentication (RFC 7617), or have an address in Allow.
type Access struct {
	Token string         // of this run: 128 random bits or more
	Allow []netip.Prefix // who needs no token

	mu       sync.Mutex
	admitted map[netip.Addr]bool
}

// may reports whether the client may use the proxy: by its address, or by what its request says.
func (a *Access) may(client, local netip.Addr, r *http.Request) bool {
	client, local = client.Unmap(), local.Unmap()
	if client.IsLoopback() || client == local { // whoever has the proxy's own address is on its machine
		return true
	}
	for _, p := range a.Allow {
		if p.Contains(client) {
			return true
		}
	}
	a.mu.Lock()
	admitted := a.admitted[client]
	a.mu.Unlock()
	return admitted || a.is(password(r.Header.Get("Proxy-Authorization")))
}

// admit lets a client in that has named the token in the path of a request to the proxy itself.
func (a *Access) admit(client netip.Addr, r *http.Request) bool {
	if r.Method == http.MethodConnect || r.URL.Host != "" || !a.is(strings.TrimPrefix(r.URL.Path, "/")) {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.admitted == nil {
		a.admitted = map[netip.Addr]bool{}
	}
	if len(a.admitted) < maxAdmitted {
		a.admitted[client.Unmap()] = true
	}
	return true
}

func (a *Access) is(token string) bool {
	return a.Token != "" && subtle.ConstantTimeCompare([]byte(token), []byte(a.Token)) == 1
}

// password returns the password of Basic credentials, or nothing.
func password(credentials string) string {
	scheme, encoded, _ := strings.Cut(credentials, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return ""
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return ""
	}
	_, password, _ := strings.Cut(string(b), ":")
	return password
}

// admits reports whether the client of a request may use the proxy, and answers the request where it may not.
func (p *Proxy) admits(w http.ResponseWriter, r *http.Request) bool {
	if p.Access == nil {
		return true
	}
	t := tapOf(r)
	client := addrPort(t.RemoteAddr()).Addr()
	switch {
	case p.Access.admit(client, r):
		p.answer(w, r, t, http.StatusOK, page{
			Title:  words.Piece("page/admitted-title"),
			Lead:   words.Piece("page/admitted"),
			Rows:   []row{{words.Piece("page/your-address"), event.Plain(client.Unmap().String())}, {words.Piece("page/direct-proxy"), event.Plain(t.LocalAddr().String())}},
			Advice: words.Piece("page/admitted-advice", "url", "http://"+siteDomain+"/"),
		}, "a client has named the run's credential")
		return false
	case p.Access.may(client, addrPort(t.LocalAddr()).Addr(), r):
		return true
	}
	status := http.StatusForbidden
	if r.Method == http.MethodConnect || r.URL.Host != "" {
		status = http.StatusProxyAuthRequired
		w.Header().Set("Proxy-Authenticate", `Basic realm="explainer", charset="UTF-8"`)
	}
	p.answer(w, r, t, status, page{
		Title:  words.Piece("page/who-title"),
		Lead:   words.Piece("page/who"),
		Rows:   []row{{words.Piece("page/your-address"), event.Plain(client.Unmap().String())}},
		Advice: words.Piece("page/who-advice"),
	}, "the client has not named the run's credential")
	return false
}
