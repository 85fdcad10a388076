package proxy

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture"

	"github.com/elazarl/goproxy"
)

// A client that is still sending when its connection is to end reads the last
// answer first: so long, and for so many bytes, the proxy goes on to listen.
const (
	lingerTime  = time.Second
	lingerBytes = 1 << 20
)

// A plainConn is a browser's connection, on which it sends the proxy requests in
// clear. They go to the origin as the bytes that came, but for what concerns
// this one connection; the answers come back so. goproxy is asked about each.
//
// There is one connection to an origin at a time, for this one client, and one
// request on it at a time. When either of the two ends, so does the other. No
// request is ever sent twice.
type plainConn struct {
	p  *Proxy
	t  *Tap
	in *bufio.Reader // of t

	o        *Tap // nil while there is none
	out      *bufio.Reader
	to       target      // where o leads
	stopRest func()      // ends the watch over o that rests between two requests; may be nil
	gone     atomic.Bool // o has ended meanwhile, or said what nobody asked for
	how      [2]string   // then: outcome and detail of FactClosed

	only   target // if not zero, no request for another goes on
	fin    bool   // the client sends no more; known when nobody else reads
	linger bool   // the client may be sending
}

// servePlain serves the requests that come on t, up to a CONNECT.
func (p *Proxy) servePlain(t *Tap) {
	defer p.sessions.Done()
	c := &plainConn{p: p, t: t, in: bufio.NewReaderSize(t, bufferSize)}
	first, again := true, true
	for again {
		req, err := c.next(first)
		first = false
		x := &plainExchange{c: c, req: req, sent: make(chan struct{})}
		var f *fault
		switch {
		case err == nil:
			x.serve()
		case errors.As(err, &f):
			x.refuse(f)
		default:
			x.passed = true
		}
		if x.tunnel {
			return // the connection is goproxy's to give away
		}
		if !x.passed {
			x.say()
		}
		again = x.again
	}
	c.end()
}

// next reads the head of the next request.
func (c *plainConn) next(first bool) (*request, error) {
	if !first {
		// How long a client rests is the origin's to bound.
		c.t.SetReadDeadline(time.Time{})
		err := io.EOF
		if !c.gone.Load() {
			_, err = c.in.Peek(1)
		}
		if err != nil {
			if c.gone.Load() {
				c.t.endedBy(c.how[0], c.how[1])
			}
			return nil, err
		}
		if c.stopRest != nil {
			c.stopRest()
		}
		if c.gone.Load() {
			c.leave() // nothing of this request has been sent on it
		}
	}
	c.t.SetReadDeadline(time.Now().Add(c.p.patience))
	req, err := readRequest(c.in)
	c.t.SetReadDeadline(time.Time{})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.endedBy("timeout", fmt.Sprintf("no whole head of a request came within %v", c.p.patience))
	}
	return req, err
}

// endedBy says who ended both connections. The first call counts.
func (c *plainConn) endedBy(outcome, detail string) {
	c.t.endedBy(outcome, detail)
	if c.o != nil {
		c.o.endedBy(outcome, detail)
	}
}

// leave closes the origin's connection.
func (c *plainConn) leave() {
	c.o.Close()
	c.o, c.stopRest = nil, nil
	c.gone.Store(false)
}

// end closes both connections.
func (c *plainConn) end() {
	switch c.t.peerEnd.Load() {
	case endFin:
		c.endedBy("client", "")
	case endReset:
		c.endedBy("client", "connection reset")
	}
	if c.stopRest != nil {
		c.stopRest()
	}
	if c.o != nil {
		c.o.endedLike(c.t.leg)
		c.o.Close()
	}
	if c.linger && c.t.peerEnd.Load() == endNone {
		c.t.CloseWrite()
		c.t.SetReadDeadline(time.Now().Add(lingerTime))
		c.t.endedBy("proxy", "")
		io.CopyN(io.Discard, c.t, lingerBytes)
	}
	c.t.Close()
}

// during runs f, which reads from t alone, beside the caller. stop interrupts
// its reading and waits for its end.
func during(t *Tap, f func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return func() {
		t.SetReadDeadline(time.Unix(1, 0))
		<-done
		t.SetReadDeadline(time.Time{})
	}
}

// rest watches the origin between two requests: nothing may come but its end,
// and that is the end for the client as well.
func (c *plainConn) rest() {
	o, out := c.o, c.out
	stop := during(o, func() {
		switch _, err := out.Peek(1); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		case err == nil:
			c.how = [2]string{"proxy", "the origin said something that no request had asked for"}
		case o.peerEnd.Load() == endReset:
			c.how = [2]string{"origin", "connection reset"}
		case c.t.peerEnd.Load() == endFin: // the client's end came first, and was passed on
			c.how = [2]string{"client", ""}
		default:
			c.how = [2]string{"origin", ""}
		}
		o.endedBy(c.how[0], c.how[1])
		c.gone.Store(true)
		c.t.SetReadDeadline(time.Unix(1, 0))
	})
	c.stopRest = func() { stop(); c.stopRest = nil }
}

// more waits until the client sends something beyond what waits to be read, or ends.
func (c *plainConn) more() error {
	_, err := c.in.Peek(min(c.in.Buffered()+1, c.in.Size()))
	return err
}

// reach sees to it that there is a connection to the origin, or to the upstream proxy.
func (c *plainConn) reach(to target) *originError {
	if c.o != nil && c.to == to {
		return nil
	}
	if c.o != nil {
		c.o.endedBy("proxy", "the client asked for another origin")
		c.leave()
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := during(c.t, func() {
		for {
			if err := c.more(); err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) {
					cancel()
				}
				return
			}
			if c.in.Buffered() == c.in.Size() {
				return
			}
		}
	})
	o, _, fail := c.p.dial(ctx, c.t, to, true)
	stop()
	if fail != nil {
		return fail
	}
	c.o, c.out, c.to = o, bufio.NewReaderSize(o, bufferSize), to
	return nil
}

// upstreamOf returns the upstream proxy through which a request in clear goes, and the credentials for it.
func (p *Proxy) upstreamOf(to target) (proxy target, credentials string, ok bool) {
	u := p.upstream("http", to)
	if u == nil || isSOCKS(u) { // which is no hop of HTTP
		return target{}, "", false
	}
	if u.User != nil {
		password, _ := u.User.Password()
		credentials = "Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))
	}
	return target{u.Hostname(), portOf(u.Port())}, credentials, true
}

// A plainExchange is one request and what becomes of it. Towards goproxy it is the
// ResponseWriter; what is written there is the proxy's own, for the origin's
// answer passes as it came.
type plainExchange struct {
	c   *plainConn
	req *request // nil if it could not be read

	header http.Header
	status int
	own    bytes.Buffer

	sent   chan struct{} // closed when no more of the request's body will be sent
	whole  bool          // then: all of it was
	fault  *fault        // then: what was wrong with it
	doubt  atomic.Bool   // the client may see the end of the answer where it is not
	passed bool          // the answer passed, as far as there was one
	again  bool          // and another request may follow
	tunnel bool          // goproxy has taken the connection
}

type exchangeKey struct{}

// serve has goproxy decide about the request.
func (x *plainExchange) serve() {
	c, req := x.c, x.req
	u := &url.URL{Scheme: req.scheme, Host: req.authority}
	u.Path, u.RawQuery, _ = strings.Cut(req.path, "?")
	if req.method == http.MethodConnect {
		u.Host = req.target
	}
	r := &http.Request{
		Method: req.method, URL: u, Proto: req.version, ProtoMajor: 1, ProtoMinor: int(req.version[7] - '0'),
		Header: http.Header{}, Body: http.NoBody, Host: req.authority, RequestURI: req.target, RemoteAddr: c.t.RemoteAddr().String(),
	}
	for _, l := range req.lines {
		r.Header.Add(l.name, l.value)
	}
	ctx := context.WithValue(context.Background(), http.LocalAddrContextKey, c.t.LocalAddr())
	ctx = context.WithValue(ctx, tapKey{}, c.t)
	c.p.dispatch(x, r.WithContext(context.WithValue(ctx, exchangeKey{}, x)))
}

// plainRequest decides about a request in clear; goproxy calls it.
func (p *Proxy) plainRequest(r *http.Request, ctx *goproxy.ProxyCtx) (*http.Request, *http.Response) {
	x := r.Context().Value(exchangeKey{}).(*plainExchange)
	req := x.req
	to, err := req.to()
	if err != nil || req.scheme != "http" && req.scheme != "ws" {
		return r, x.page(r, http.StatusBadRequest, page{
			Title:  words.Piece("page/not-taken-title"),
			Lead:   words.Piece("page/not-taken"),
			Rows:   []row{{words.Piece("page/asked-for"), event.Plain(req.scheme + "://" + req.authority + req.path)}},
			Advice: words.Piece("page/not-taken-advice"),
		}, "no http:// URL")
	}
	f := bad(words.Piece("http-fault/perhaps-body"))
	if only := x.c.only; only != (target{}) && only != to || errors.As(req.judge(), &f) {
		return r, x.page(r, f.status, faultPage(f), f.why.English)
	}
	if n, ok := req.forwards(); ok && n == 0 {
		return r, x.lastStop(r)
	}
	ctx.RoundTripper = goproxy.RoundTripperFunc(func(r *http.Request, _ *goproxy.ProxyCtx) (*http.Response, error) {
		if resp := x.run(r, to); resp != nil {
			return resp, nil
		}
		// The answer has passed; goproxy has nothing to add.
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	})
	return r, nil
}

// run sends the request to the origin and its answer to the client. It returns
// the proxy's own answer where there is none.
func (x *plainExchange) run(r *http.Request, to target) *http.Response {
	c := x.c
	hop, credentials, upstream := c.p.upstreamOf(to)
	if !upstream {
		hop = to
	}
	fail := c.reach(hop)
	if fail == nil && c.p.bars(x.req.method, x.req.get, to, c.p.place("http", to, c.o)) {
		fail = &originError{ID: "near"}
	}
	if fail != nil {
		fail.Host = to.String()
		return x.page(r, fail.status(), failurePage(fail), fail.ID)
	}
	c.p.Recorder.Fact(capture.Fact{Kind: capture.FactPlainHTTP, Conn: c.t.number(), Peer: c.o.number(), Host: to.String()})
	c.o.Write(x.req.forward(upstream, credentials)) // where it fails, what comes back tells why
	stop := during(c.t, x.send)
	resp := x.receive(r, to, &stop)
	stop()
	c.linger = c.linger || !x.whole || c.in.Buffered() > 0
	return resp
}

// send passes on the request's body, and then waits for the end of the client,
// which the origin shall know of as soon as if it were there itself.
func (x *plainExchange) send() {
	c, o := x.c, x.c.o
	source, destination := x.req.body.pass(o, c.in)
	x.whole = source == nil && destination == nil
	errors.As(source, &x.fault)
	close(x.sent)
	switch {
	case x.fault != nil:
		c.endedBy("proxy", x.fault.why.English)
		o.Close()
		return
	case destination != nil:
		return // what the origin says, or its end, tells why
	}
	for source == nil {
		if source = c.more(); source == nil && x.doubt.Load() {
			c.endedBy("proxy", doubtful)
			o.Close()
			c.t.Close()
			return
		}
		if source == nil && c.in.Buffered() == c.in.Size() {
			return // it has asked for more than waits here; what it does is seen later
		}
	}
	switch {
	case errors.Is(source, os.ErrDeadlineExceeded):
	case errors.Is(source, io.EOF) && c.t.peerEnd.Load() != endReset:
		if x.whole && c.in.Buffered() > 0 {
			return // the end stands behind another request
		}
		c.fin = true
		o.CloseWrite()
	case errors.Is(source, net.ErrClosed): // at Shutdown
		o.Close()
	default:
		c.clientGone()
	}
}

// doubtful says why a request behind an answer without a certain end is not taken:
// what the origin still sends would be taken for the answer to it.
const doubtful = "the client sent another request while the answer to the last, whose end is not certain, was not over"

// clientGone passes on to the origin that the client is no more.
func (c *plainConn) clientGone() {
	c.endedBy("client", "connection reset")
	c.o.endedLike(c.t.leg)
	c.o.SetLinger(0)
	c.o.Close()
}

// originGone passes on to the client that the origin broke off.
func (c *plainConn) originGone() {
	if c.o.peerEnd.Load() == endReset {
		c.endedBy("origin", "connection reset")
		c.t.SetLinger(0)
		return
	}
	c.endedBy("origin", "")
}

// isSent tells whether all of the request's body was sent on.
func (x *plainExchange) isSent() bool {
	select {
	case <-x.sent:
		return x.whole
	default:
		return false
	}
}

// receive passes on the answer, with those before it (1xx).
func (x *plainExchange) receive(r *http.Request, to target, stop *func()) *http.Response {
	c, req := x.c, x.req
	old := req.version == "HTTP/1.0"
	continued := false
	refuse := func(why event.Text) *http.Response {
		c.endedBy("proxy", why.English)
		return x.page(r, http.StatusBadGateway, failurePage(&originError{ID: "bad-answer", Host: to.String(), Detail: why}), why.English)
	}
	for {
		a, raw, err := readAnswer(c.out, req)
		var f *fault
		switch {
		case errors.As(err, &f):
			return refuse(words.Piece("http-fault/answer", "why", f.why))
		case errors.Is(err, errNotHTTP):
			// Some clients can read it, and none is to see its end before the origin's.
			a = &answer{body: &body{kind: bodyClose}, last: true, doubt: true}
		case err != nil:
			select {
			case <-x.sent:
				if x.fault != nil && !x.passed {
					return x.page(r, x.fault.status, faultPage(x.fault), x.fault.why.English)
				}
			default:
			}
			x.passed = true
			c.t.Write(raw)
			c.originGone()
			return nil
		default:
			raw = nil
		}
		if a.status == http.StatusSwitchingProtocols {
			if !req.upgrade {
				return refuse(words.Piece("http-fault/answer-switches"))
			}
			x.passed = true
			c.t.Write(a.forward(old))
			<-x.sent
			(*stop)()
			*stop = func() {}
			c.t.unread(rest(c.in))
			c.o.unread(rest(c.out))
			c.p.relay(end{tap: c.t}, end{tap: c.o})
			return nil
		}
		if a.doubt {
			x.doubt.Store(true)
			if c.in.Buffered() > 0 && x.isSent() {
				return refuse(words.Piece("http-fault/answer-end"))
			}
		}
		// A client that has not begun to send its body may do so, or never: what
		// comes next can be the body or another request, so nothing more is sent on.
		waits := false
		if req.expects && !continued && a.status >= 200 && !x.isSent() {
			(*stop)()
			*stop = func() {}
			if waits = !req.body.begun; !waits {
				x.sent = make(chan struct{})
				*stop = during(c.t, x.send)
			}
		}
		x.passed = true
		if a.head != nil {
			raw = a.forward(old)
		}
		if _, err := c.t.Write(raw); err != nil {
			c.clientGone()
			return nil
		}
		if a.head != nil && a.status < 200 {
			continued = continued || a.status == http.StatusContinue
			continue
		}
		source, destination := a.body.pass(c.t, c.out)
		switch {
		case destination != nil:
			c.clientGone()
		case errors.As(source, &f):
			c.endedBy("proxy", "the origin's answer broke off: "+f.why.English)
		case source != nil:
			c.originGone()
		case c.out.Buffered() > 0:
			c.endedBy("proxy", "the origin said more than the answer to the request")
		case waits && a.status == http.StatusExpectationFailed && !a.last && !req.last && !c.fin:
			// Then it asks again without the expectation (RFC 9110 10.1.1), curl on the
			// same connection. If it is the body after all, it reaches nobody else.
			c.o.endedBy("proxy", "the origin did not want the request's body (417)")
			c.leave()
			c.only, x.again = to, true
		case a.last || req.last || waits:
			c.endedBy("proxy", "the answer was whole, and no other was to come")
		default:
			c.rest()
			<-x.sent
			x.again = x.whole
			(*stop)()
			*stop = func() {}
			x.again = x.again && !c.fin
		}
		return nil
	}
}

// rest returns what waits in r.
func rest(r *bufio.Reader) []byte {
	b, _ := r.Peek(r.Buffered())
	r.Discard(len(b))
	return b
}

// lastStop answers a request that no proxy may pass on (RFC 9110 7.6.2): TRACE
// with what came, without the credentials in it (RFC 9110 9.3.8).
func (x *plainExchange) lastStop(r *http.Request) *http.Response {
	x.c.p.Recorder.Fact(capture.Fact{Kind: capture.FactOwnAnswer, Conn: x.c.t.number(), Outcome: "last-stop", Detail: "Max-Forwards is 0"})
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Connection": {"close"}}, Body: http.NoBody, Request: r}
	if x.req.method != http.MethodTrace {
		return resp
	}
	var b bytes.Buffer
	b.WriteString(x.req.start + "\r\n")
	for _, l := range x.req.lines {
		switch l.name {
		case "authorization", "proxy-authorization", "cookie":
		default:
			b.WriteString(l.raw)
		}
	}
	b.WriteString("\r\n")
	resp.Header.Set("Content-Type", "message/http")
	resp.Body = io.NopCloser(&b)
	return resp
}

// page is the proxy's own answer in place of the origin's.
func (x *plainExchange) page(r *http.Request, status int, pg page, why string) *http.Response {
	x.c.p.Recorder.Fact(capture.Fact{Kind: capture.FactOwnAnswer, Conn: x.c.t.number(), Outcome: "error-page", Detail: why})
	header, body := pg.render(r.Header, x.c.p.Language)
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Request: r}
}

// refuse answers what could not be read as a request.
func (x *plainExchange) refuse(f *fault) {
	resp := x.page(&http.Request{}, f.status, faultPage(f), f.why.English)
	x.header, x.status = resp.Header, resp.StatusCode
	io.Copy(&x.own, resp.Body)
}

// Header implements [http.ResponseWriter].
func (x *plainExchange) Header() http.Header {
	if x.header == nil {
		x.header = http.Header{}
	}
	return x.header
}

// WriteHeader implements [http.ResponseWriter].
func (x *plainExchange) WriteHeader(status int) {
	if x.status == 0 {
		x.status = status
	}
}

// Write implements [http.ResponseWriter].
func (x *plainExchange) Write(b []byte) (int, error) {
	x.WriteHeader(http.StatusOK)
	return x.own.Write(b)
}

// say sends the proxy's own answer. It is the last on its connection: the next may fare better.
func (x *plainExchange) say() {
	h := x.Header()
	h.Set("Connection", "close")
	h.Set("Content-Length", strconv.Itoa(x.own.Len()))
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	version := "HTTP/1.1"
	if x.req != nil {
		version = x.req.version
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %d %s\r\n", version, x.status, http.StatusText(x.status))
	h.Write(&b)
	b.WriteString("\r\n")
	if x.req == nil || x.req.method != http.MethodHead {
		b.Write(x.own.Bytes())
	}
	x.c.t.Write(b.Bytes())
	x.c.linger = true
	x.c.t.endedBy("proxy", "")
}

// Hijack implements [http.Hijacker]. A client may have sent its ClientHello right
// behind CONNECT: it waits in the connection again.
func (x *plainExchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c := x.c
	x.tunnel = true
	if c.o != nil {
		c.o.endedBy("proxy", "the client asked for a tunnel")
		c.leave()
	}
	c.t.unread(rest(c.in))
	return c.t, bufio.NewReadWriter(bufio.NewReaderSize(c.t, 16), nil), nil
}
