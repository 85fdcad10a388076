package main

import (
	"crypto/x509"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/story"
	"explainer/annotate/words"
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
			return usage(words.Piece("error/upstream", "value", quote(masked(s))))
		}
		if proxy.IsSelf(c.Context, l.listener, u) {
			return usage(words.Piece("error/upstream-self", "value", kindAndHost(u)))
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
	var used, refused []event.Text
	refuse := func(what event.Text) {
		if !slices.ContainsFunc(refused, what.Same) {
			refused = append(refused, what)
			say(l.errw, words.Piece("say/called-directly", "what", what))
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
			refuse(words.Piece("upstream/no-address", "variable", name))
		case !slices.Contains(proxy.UpstreamKinds, u.Scheme):
			refuse(words.Piece("upstream/other-kind", "variable", name, "proxy", kindAndHost(u)))
		case proxy.IsSelf(c.Context, l.listener, u):
			refuse(words.Piece("upstream/itself", "variable", name, "proxy", kindAndHost(u)))
		default:
			if entry := words.Piece("upstream/used", "variable", name, "proxy", kindAndHost(u)); !slices.ContainsFunc(used, entry.Same) {
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
	through := used[0]
	if len(used) > 1 {
		through = words.Piece("upstream/both", "one", used[0], "other", used[1])
	}
	id := "say/upstream"
	if variables.NoProxy != "" {
		id = "say/upstream-but"
	}
	say(l.errw, words.Piece(id, "proxy", through))
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
			say(l.errw, words.Piece("say/named-unread", "variable", v.Variable, "error", story.WordsOf(v.Err)))
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
	authorities := words.Piece("count/one-authority")
	if len(more) > 1 {
		authorities = words.Piece("count/authorities", "n", strconv.Itoa(len(more)))
	}
	say(l.errw, words.Piece("say/named", "authorities", authorities, "variables", words.List(",", words.Names(names)...)))
}
