package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"explainer/capture"

	"github.com/elazarl/goproxy"
)

// hopByHop are the fields that concern one connection and are not passed on (RFC 9110 7.6.1).
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Transfer-Encoding", "Upgrade"}

// dropHopByHop removes them, and those that the Connection field names. The
// handshake of a WebSocket keeps its Connection and Upgrade (RFC 6455 4.1).
func dropHopByHop(h http.Header) {
	upgrade := ""
	for _, field := range h["Connection"] {
		for name := range strings.SplitSeq(field, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if name == "Upgrade" && strings.EqualFold(h.Get("Upgrade"), "websocket") {
				upgrade = h.Get("Upgrade")
			}
			h.Del(name)
		}
	}
	for _, name := range hopByHop {
		h.Del(name)
	}
	if upgrade != "" {
		h.Set("Connection", "Upgrade")
		h.Set("Upgrade", upgrade)
	}
}

// plainRequest prepares a request in clear for its origin; goproxy calls it.
func (p *Proxy) plainRequest(r *http.Request, ctx *goproxy.ProxyCtx) (*http.Request, *http.Response) {
	t := tapOf(r)
	to, err := parseTarget(net.JoinHostPort(r.URL.Hostname(), "1"))
	to.port = portOf(r.URL.Port())
	if err != nil || r.URL.Scheme != "http" {
		return r, p.plainAnswer(r, t, http.StatusBadRequest, page{
			Title:  "Not a request that this proxy takes",
			Lead:   "In clear, this proxy passes on requests for http:// addresses.",
			Rows:   []row{{"Asked for", r.URL.Redacted()}},
			Advice: "For https, the client asks the proxy for a tunnel with CONNECT (RFC 9110 9.3.6), and every client does so by itself when it is told of the proxy.",
		}, "no http:// URL")
	}
	dropHopByHop(r.Header)
	if _, ok := r.Header["User-Agent"]; !ok {
		r.Header["User-Agent"] = nil // else net/http adds its own
	}
	if t.plain == nil {
		t.plain = p.plainTransport(t)
		t.atClose(t.plain.CloseIdleConnections)
	}
	ctx.RoundTripper = goproxy.RoundTripperFunc(func(r *http.Request, _ *goproxy.ProxyCtx) (*http.Response, error) {
		trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
			if o, ok := got.Conn.(*Tap); ok {
				p.Recorder.Fact(capture.Fact{Kind: capture.FactPlainHTTP, Conn: t.number(), Peer: o.number(), Host: to.String()})
			}
		}}
		resp, err := t.plain.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
		if err == nil {
			if body, ok := r.Context().Value(cutKey{}).(*cutBody); ok {
				passable(resp, body)
			}
			return resp, nil
		}
		var fail *originError
		if !errors.As(err, &fail) {
			fail = &originError{ID: "no-answer", Host: to.String(), Detail: err.Error()}
		}
		return p.plainAnswer(r, t, http.StatusBadGateway, failurePage(fail), fail.ID), nil
	})
	return r, nil
}

// plainTransport makes the way to the origins of one browser connection's
// requests. It is never shared: what one client sends shall not be seen on the
// connection of another.
func (p *Proxy) plainTransport(t *Tap) *http.Transport {
	direct := func(u *url.URL) bool {
		to, err := parseTarget(net.JoinHostPort(u.Hostname(), "1"))
		to.port = portOf(u.Port())
		return p.UpstreamProxy == nil || err != nil || p.isSite(to) || p.mapped(to) != ""
	}
	return &http.Transport{
		DisableCompression: true,
		Proxy: func(r *http.Request) (*url.URL, error) {
			if direct(r.URL) {
				return nil, nil
			}
			return p.UpstreamProxy, nil
		},
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			to, err := parseTarget(addr)
			if err != nil {
				return nil, err
			}
			o, _, fail := p.dial(ctx, t, to, true)
			if fail != nil {
				return nil, fail
			}
			return o, nil
		},
		IdleConnTimeout: idleTime,
	}
}

// plainAnswer is the proxy's own answer in place of the origin's.
func (p *Proxy) plainAnswer(r *http.Request, t *Tap, status int, pg page, why string) *http.Response {
	p.Recorder.Fact(capture.Fact{Kind: capture.FactOwnAnswer, Conn: t.number(), Outcome: "error-page", Detail: why})
	contentType, body := pg.render(r.Header.Get("Accept"))
	return &http.Response{
		StatusCode: status, Header: pageHeader(contentType, body),
		ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)), Request: r,
	}
}

// passable prepares an origin's response for the browser.
func passable(resp *http.Response, body *cutBody) {
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return // its body is the connection, and goproxy looks for it
	}
	dropHopByHop(resp.Header)
	for _, name := range []string{"Date", "Content-Type"} {
		if _, ok := resp.Header[name]; !ok {
			resp.Header[name] = nil // else net/http adds its own
		}
	}
	body.ReadCloser = resp.Body
	resp.Body = body
}

// plainWriter passes on a response in clear as it comes.
type plainWriter struct {
	http.ResponseWriter
	hijacked net.Conn
}

// Write sends what has no known length at once: it may be a stream of events.
func (w *plainWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	if err == nil && w.Header().Get("Content-Length") == "" {
		w.Flush()
	}
	return n, err
}

func (w *plainWriter) Flush() { http.NewResponseController(w.ResponseWriter).Flush() }

func (w *plainWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.hijacked = c
	return c, rw, err
}

// servePlain gives a request in clear to goproxy.
func (p *Proxy) servePlain(w http.ResponseWriter, r *http.Request) {
	pw := &plainWriter{ResponseWriter: w}
	body := &cutBody{}
	ctx, cancel := whileWaiting(r.Context(), tapOf(r))
	defer cancel()
	p.dispatch.ServeHTTP(pw, r.WithContext(context.WithValue(ctx, cutKey{}, body)))
	if pw.hijacked != nil {
		pw.hijacked.Close() // goproxy does not
	}
	if body.cut {
		// The origin's body broke off. So must ours, and not end as if it were whole.
		panic(http.ErrAbortHandler)
	}
}

// halfOpenTime bounds how long an origin may take to answer a client that sends no more.
const halfOpenTime = time.Minute

// whileWaiting returns a context for a request of t's client. The one that
// net/http makes ends as soon as the client sends FIN; but a client may say with
// that only that it has nothing more to ask (RFC 9112 9.6), and still get its answer.
func whileWaiting(request context.Context, t *Tap) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(request))
	stop := context.AfterFunc(request, func() {
		if t == nil || t.peerEnd.Load() != endFin {
			cancel()
			return
		}
		timer := time.AfterFunc(halfOpenTime, cancel)
		context.AfterFunc(ctx, func() { timer.Stop() })
	})
	return ctx, func() { stop(); cancel() }
}

type cutKey struct{}

// cutBody is a response body that notes whether it broke off.
type cutBody struct {
	io.ReadCloser
	cut bool
}

func (b *cutBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		b.cut = true
	}
	return n, err
}
