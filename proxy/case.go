package proxy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"time"

	"explainer/annotate/words"
	"explainer/ca"
	"explainer/capture"
)

// caseTime bounds how long a client may rest, once it has accepted what it was shown.
const caseTime = 10 * time.Second

// An Asking is a client that is about to start TLS with somebody.
type Asking struct {
	Client, Local netip.AddrPort // the two ends of its connection; Local is where the proxy listens
	Host          string         // asked for by CONNECT, in lower case; "" where there was none
	Port          uint16
	SNI           string // in the ClientHello, "" if there is none
}

// A Case is what a client is shown in place of the origin's certificate and
// handshake. No origin is called: the proxy itself is the server.
type Case struct {
	Fault     string           // the ID of one of [ca.Faults]
	Host      string           // name or address that the certificate is about
	Version   uint16           // the only TLS version offered; 0 for 1.2 and 1.3
	Authority *ca.Authority    // signs in place of the proxy's own; may be nil
	Leaf      *tls.Certificate // what is shown; nil: made for this connection
	Handler   http.Handler     // answers those who accept; may be nil
	Run       string           // which run this connection belongs to, for the recording
}

// serveCase is the server of a case.
func (p *Proxy) serveCase(t *Tap, c Case) {
	fault := ca.FaultOf(c.Fault)
	version := ""
	if c.Version != 0 {
		version = tls.VersionName(c.Version)
	}
	p.Recorder.Fact(capture.Fact{Kind: capture.FactCase, Conn: t.number(), Host: c.Host, Outcome: c.Fault, Addr: version, Detail: c.Run})
	authority := c.Authority
	if authority == nil {
		authority = p.Authority
	}
	leaf := c.Leaf
	var err error
	switch {
	case fault == nil:
		err = fmt.Errorf("there is no fault %q", c.Fault)
	case leaf == nil:
		leaf, err = authority.Faulty(c.Host, fault.ID)
	}
	if err != nil {
		p.Log.Error("a case cannot be served", "fault", c.Fault, "host", c.Host, "error", err)
		t.endedBy("proxy", "the case "+c.Fault+" cannot be served: "+err.Error())
		t.Close()
		return
	}
	config := &tls.Config{
		MinVersion:                  tls.VersionTLS12,
		SessionTicketsDisabled:      true,
		NextProtos:                  []string{"http/1.1"},
		KeyLogWriter:                p.Recorder.KeyLogWriter(),
		DynamicRecordSizingDisabled: true,
		Certificates:                []tls.Certificate{*leaf},
	}
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		t.release()
		if offers := hello.SupportedProtos; len(offers) > 0 && !slices.Contains(offers, "http/1.1") {
			// A client of another protocol than HTTP/1.1, as gRPC is, or a broker's, is to see the
			// certificate too. That it sends something decides, not that it is answered.
			also := config.Clone()
			also.NextProtos = offers[:1]
			return also, nil
		}
		return nil, nil
	}
	if c.Version != 0 {
		config.MinVersion, config.MaxVersion = c.Version, c.Version
	}
	if fault.Only12 {
		config.MaxVersion = tls.VersionTLS12
	}
	fault.Configure(config)
	t.SetDeadline(time.Now().Add(handshakeTime))
	t.hold()
	var under net.Conn = t
	if fault.Finished != ca.FinishedRight {
		change := &tamper{Tap: t, how: fault.Finished}
		config.KeyLogWriter = change.keyLog(config.KeyLogWriter)
		under = change
	}
	conn := tls.Server(under, config)
	err = conn.Handshake()
	t.unhold()
	if err != nil {
		(&session{t: t}).handshakeFailed(err)
		t.Close()
		return
	}
	t.SetDeadline(time.Time{})
	t.secured(conn)
	closed := make(chan struct{})
	t.atClose(func() { close(closed) })
	handler := c.Handler
	if handler == nil {
		handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			l := languageOf(r.Header, p.Language)
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			fmt.Fprintf(w, "%s\n%s\n", l.In(words.Piece("page/case-accepted", "case", fault.ID)), l.In(sentenceOf("wrong", fault.ID, fault.Wrong)))
		})
	}
	var speaks http.Protocols
	speaks.SetHTTP1(true)
	speaks.SetUnencryptedHTTP2(true) // a caseConn does not say that it is TLS
	server := &http.Server{Protocols: &speaks, Handler: handler, ReadHeaderTimeout: caseTime, IdleTimeout: caseTime, ErrorLog: discardLog}
	server.Serve(&oneListener{conn: caseConn{conn, conn.CloseWrite, t}, closed: closed})
	<-closed
}

// A caseConn notes whether the client is who ends it. It does not show that it
// is TLS, so that net/http tells HTTP/2 by its preface, whatever ALPN said.
type caseConn struct {
	net.Conn
	closeWrite func() error
	t          *Tap
}

func (c caseConn) CloseWrite() error { return c.closeWrite() }

func (c caseConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, net.ErrClosed) {
		(&session{t: c.t}).handshakeFailed(err)
		err = io.EOF // what else it is, net/http would answer
	}
	return n, err
}

// ServeCases accepts connections on l whose clients start TLS at once, with no
// proxy asked, and shows them what Cases says, until l is closed or Shutdown.
func (p *Proxy) ServeCases(l net.Listener) error {
	p.setup.Do(p.init)
	p.announced.Do(p.announce)
	for {
		c, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("accept connections on %s: %w", l.Addr(), err)
		}
		t := p.tap(c.(*net.TCPConn), capture.LegBrowser, "")
		if !p.begin() {
			t.endedBy("proxy-shutdown", "")
			t.Close()
			continue
		}
		go func() {
			defer p.sessions.Done()
			defer t.Close()
			if c, ok := p.askCase(t, target{}); ok {
				p.serveCase(t, c)
			}
		}()
	}
}

// caseFor returns what to show a client that has asked for a tunnel, if it starts
// TLS and is to be shown a case.
func (p *Proxy) caseFor(t *Tap, to target) (Case, bool) {
	site, isSite := p.faultSite(to)
	if p.Cases == nil && !isSite {
		return Case{}, false
	}
	// No origin waits to speak first, so a slow client is given its time.
	t.SetReadDeadline(time.Now().Add(handshakeTime))
	first, _ := t.peek(1)
	t.SetReadDeadline(time.Time{})
	if len(first) == 0 || first[0] != typeHandshake {
		return Case{}, false
	}
	if c, ok := p.askCase(t, to); ok {
		return c, true
	}
	return site, isSite
}

// askCase asks Cases about a client whose ClientHello is about to come.
func (p *Proxy) askCase(t *Tap, to target) (Case, bool) {
	if p.Cases == nil {
		return Case{}, false
	}
	return p.Cases(Asking{Client: addrPort(t.RemoteAddr()), Local: addrPort(t.LocalAddr()), Host: to.host, Port: to.port, SNI: t.peekSNI()})
}
