package proxy

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"
	socks "golang.org/x/net/proxy"
)

// UpstreamKinds are the schemes of the proxies through which origins can be reached.
var UpstreamKinds = []string{"http", "socks5", "socks5h"}

// Upstream returns what [Proxy.UpstreamProxy] is for one upstream proxy that everything goes through.
func Upstream(u *url.URL) func(*url.URL) *url.URL {
	return func(*url.URL) *url.URL { return u }
}

// UpstreamOf returns what [Proxy.UpstreamProxy] is where the variables HTTP_PROXY,
// HTTPS_PROXY and NO_PROXY say so; this machine itself is always called directly.
func UpstreamOf(variables *httpproxy.Config) func(*url.URL) *url.URL {
	of := variables.ProxyFunc()
	return func(u *url.URL) *url.URL {
		through, err := of(u)
		if err != nil {
			return nil
		}
		return through
	}
}

// upstream returns the upstream proxy through which the target is reached, or
// nil: for a request in clear (scheme "http") or for a tunnel ("https").
func (p *Proxy) upstream(scheme string, to target) *url.URL {
	if p.UpstreamProxy == nil || p.isSite(to) || p.mapped(to) != "" {
		return nil
	}
	return p.UpstreamProxy(&url.URL{Scheme: scheme, Host: to.String()})
}

func isSOCKS(u *url.URL) bool { return strings.HasPrefix(u.Scheme, "socks5") }

// upstreamAddr is where an upstream proxy listens.
func upstreamAddr(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case isSOCKS(u):
		port = "1080"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// IsSelf reports whether a connection to the upstream proxy u would come back to
// a proxy that listens on l.
func IsSelf(ctx context.Context, l net.Listener, u *url.URL) bool {
	p := &Proxy{}
	p.own = append(p.own, addrPort(l.Addr()))
	to, err := parseTarget(upstreamAddr(u))
	return err == nil && p.isLoop(ctx, to)
}

// connectUpstream asks the upstream proxy u, at the other end of o, for a tunnel to the target.
func (p *Proxy) connectUpstream(ctx context.Context, o *Tap, u *url.URL, to target) error {
	deadline, _ := ctx.Deadline()
	o.SetDeadline(deadline)
	defer o.SetDeadline(time.Time{})
	defer context.AfterFunc(ctx, func() { o.SetDeadline(time.Unix(1, 0)) })()
	password, _ := u.User.Password()
	if isSOCKS(u) {
		var auth *socks.Auth
		if u.User != nil {
			auth = &socks.Auth{User: u.User.Username(), Password: password}
		}
		d, err := socks.SOCKS5("tcp", u.Host, auth, nil)
		if err != nil {
			return said("detail/upstream", err)
		}
		with, ok := d.(interface {
			DialWithConn(context.Context, net.Conn, string, string) (net.Addr, error)
		})
		if !ok {
			return said("detail/upstream-socks", nil)
		}
		if _, err := with.DialWithConn(ctx, o, "tcp", to.String()); err != nil {
			return said("detail/upstream-refused", err)
		}
		return nil
	}
	request := "CONNECT " + to.String() + " HTTP/1.1\r\nHost: " + to.String() + "\r\n"
	if u.User != nil {
		request += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)) + "\r\n"
	}
	if _, err := o.Write([]byte(request + "\r\n")); err != nil {
		return said("detail/upstream", err)
	}
	for have := 1; ; {
		head, err := o.peek(have)
		end := headEnd(head)
		switch {
		case end > 0:
			resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head[:end])), &http.Request{Method: http.MethodConnect})
			if err != nil {
				return said("detail/upstream-unreadable", err)
			}
			if resp.StatusCode/100 != 2 {
				return said("detail/upstream-refused", errors.New(resp.Status))
			}
			o.back = head[end:]
			return nil
		case err != nil:
			return said("detail/upstream-silent", err)
		case len(head) > 64<<10:
			return said("detail/upstream-endless", nil)
		}
		have = len(head) + 1
	}
}

// headEnd returns the length of the head of an HTTP message at the beginning of b, with
// its empty line, or 0 if its end is not there. A line may end with a bare LF (RFC 9112 2.2).
func headEnd(b []byte) int {
	for at := 0; ; {
		n := bytes.IndexByte(b[at:], '\n')
		if n < 0 {
			return 0
		}
		at += n + 1
		switch rest := b[at:]; {
		case bytes.HasPrefix(rest, []byte("\n")):
			return at + 1
		case bytes.HasPrefix(rest, []byte("\r\n")):
			return at + 2
		}
	}
}
