package main

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"explainer/ca/roots"
	"explainer/proxy"

	"github.com/urfave/cli/v2"
	"golang.org/x/net/http/httpproxy"
)

// upstream has the proxy reach origins as --upstream-proxy says, else as the
// variables do that name a proxy to every other program.
func (l *live) upstream(c *cli.Context) error {
	const flag = "upstream-proxy"
	switch s := c.String(flag); {
	case s == "none":
		return nil
	case s != "":
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || !slices.Contains(proxy.UpstreamKinds, u.Scheme) {
			return usage("--upstream-proxy "+quote(masked(s))+" is not http://HOST:PORT, socks5://HOST:PORT or none", "")
		}
		if proxy.IsSelf(c.Context, l.listener, u) {
			return usage("--upstream-proxy "+kindAndHost(u)+" is this proxy itself", "")
		}
		l.proxy.UpstreamProxy = proxy.Upstream(u)
		return nil
	case !slices.ContainsFunc(c.Command.Flags, func(f cli.Flag) bool { return f.Names()[0] == flag }):
		return nil
	}
	variables := httpproxy.FromEnvironment()
	type one struct {
		names []string
		value *string
	}
	var used, refused []string
	refuse := func(what string) {
		if !slices.Contains(refused, what) {
			refused = append(refused, what)
			say(l.errw, what+": origins are called directly")
		}
	}
	for _, v := range []one{
		{[]string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"}, &variables.HTTPSProxy},
		{[]string{"HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"}, &variables.HTTPProxy},
	} {
		name := ""
		for _, n := range v.names {
			if value := os.Getenv(n); value != "" && (*v.value == "" || value == *v.value) {
				name, *v.value = n, value
				break
			}
		}
		if name == "" {
			continue
		}
		u, err := url.Parse(*v.value)
		if err != nil || u.Scheme == "" || u.Host == "" {
			u, err = url.Parse("http://" + *v.value)
		}
		switch {
		case err != nil || u.Hostname() == "":
			refuse(name + " names no proxy's address")
		case !slices.Contains(proxy.UpstreamKinds, u.Scheme):
			refuse(name + " names " + kindAndHost(u) + ", and a proxy of that kind cannot be used")
		case proxy.IsSelf(c.Context, l.listener, u):
			refuse(name + " names this proxy itself, " + kindAndHost(u))
		default:
			if entry := name + ", " + kindAndHost(u); !slices.Contains(used, entry) {
				used = append(used, entry)
			}
			continue
		}
		*v.value = ""
	}
	if len(used) == 0 {
		return nil
	}
	l.proxy.UpstreamProxy = proxy.UpstreamOf(variables)
	except := ""
	if variables.NoProxy != "" {
		except = " but for those that NO_PROXY names"
	}
	say(l.errw, fmt.Sprintf("origins are reached through the proxy of %s%s; --upstream-proxy none calls them directly", strings.Join(used, " and of "), except))
	return nil
}

// kindAndHost is what may be said of a proxy's URL: its user may be a secret, too.
func kindAndHost(u *url.URL) string { return u.Scheme + "://" + u.Host }

// masked hides what stands where a URL's user does, in whatever is meant to be one.
func masked(s string) string {
	if at := strings.LastIndex(s, "@"); at >= 0 {
		scheme, _, ok := strings.Cut(s[:at], "://")
		if ok {
			return scheme + "://****" + s[at:]
		}
		return "****" + s[at:]
	}
	return s
}

// named has the proxy trust for origins what the variables of the environment
// have programs trust that read them. trusted becomes this machine's
// trust store and that, for a child whose variables are set anew.
func (l *live) named() {
	known := map[string]bool{}
	learn := func(certs []*x509.Certificate) (n int) {
		for _, cert := range certs {
			if !known[string(cert.Raw)] {
				known[string(cert.Raw)] = true
				l.trusted = append(l.trusted, cert)
				n++
			}
		}
		return n
	}
	if system, err := roots.System(""); err == nil {
		for _, der := range system.All() {
			if cert, err := x509.ParseCertificate(der); err == nil {
				learn([]*x509.Certificate{cert})
			}
		}
	}
	own := len(l.trusted)
	var names []string
	for _, v := range proxy.NamedIn(os.Environ()) {
		if v.Err != nil {
			say(l.errw, fmt.Sprintf("what %s names cannot all be read, and is passed over: %v", v.Variable, v.Err))
		}
		if learn(v.Certs) > 0 {
			names = append(names, v.Variable)
		}
	}
	more := l.trusted[own:]
	if len(more) == 0 {
		return
	}
	l.proxy.OriginCAs = append(l.proxy.OriginCAs, more...)
	authorities := "1 authority"
	if len(more) > 1 {
		authorities = fmt.Sprintf("%d authorities", len(more))
	}
	say(l.errw, fmt.Sprintf("%s of %s: trusted for origins too, beside this machine's; a program that trusts nothing else is stricter without this proxy", authorities, strings.Join(names, ", ")))
}
