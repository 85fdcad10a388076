package proxy

import (
	"crypto/rand"
	"crypto/tls"
	"slices"
)

// A siteResume resumes connections to a built-in site (RFC 8446 2.2). A client that comes back with a
// ticket of the proxy's is let in with it, and then alone the proxy shows the site a ticket of its own:
// both legs go the same way. All of it is TLS 1.3, whose keys crypto/tls logs for resumed connections too.
type siteResume struct {
	key   [32]byte // of the tickets that the proxy gives
	cache tls.ClientSessionCache
}

func newSiteResume() *siteResume {
	r := &siteResume{cache: tls.NewLRUClientSessionCache(1)}
	rand.Read(r.key[:]) // it does not fail
	return r
}

// extPreSharedKey is the extension in which a client shows its tickets (RFC 8446 4.2.11).
const extPreSharedKey = 41

// A sessions is where the tickets of a site are kept: they are used where the client brought one.
type sessions struct {
	tls.ClientSessionCache
	asked bool
}

func (s sessions) Get(name string) (*tls.ClientSessionState, bool) {
	if !s.asked {
		return nil, false
	}
	return s.ClientSessionCache.Get(name)
}

// origin has the proxy keep the tickets that a site gives, and show one where the client showed one.
func (r *siteResume) origin(config *tls.Config, hello *tls.ClientHelloInfo) {
	if r != nil {
		config.ClientSessionCache = sessions{r.cache, slices.Contains(hello.Extensions, extPreSharedKey)}
	}
}

// browser has the client's leg give tickets and take them.
func (r *siteResume) browser(config *tls.Config, hello *tls.ClientHelloInfo) {
	if r != nil && slices.Contains(hello.SupportedVersions, tls.VersionTLS13) {
		config.SessionTicketsDisabled = false
		config.SetSessionTicketKeys([][32]byte{r.key})
	}
}
