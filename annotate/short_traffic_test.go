package annotate_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"explainer/annotate/words"
	"explainer/capture"

	"github.com/coder/websocket"
)

// TestShortTraffic: what HTTP carries besides pages stands in the short story: a call of gRPC
// with its status and stream, HTTP/2 without TLS, WebSocket, and requests that do not wait.
func TestShortTraffic(t *testing.T) {
	s := newSite(t, newECDSA(t), nil)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/shop.Cart/Add":
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
			w.Write([]byte{0, 0, 0, 0, 2, 8, 1})
			w.Header().Set("Grpc-Status", "8")
			w.Header().Set("Grpc-Message", "the cart is full")
		case "/chat":
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			if _, said, err := c.Read(r.Context()); err == nil {
				c.Write(r.Context(), websocket.MessageText, said)
			}
			c.Close(websocket.StatusNormalClosure, "")
		default:
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, "path "+r.URL.Path)
		}
	})
	get := func(rt http.RoundTripper, method, url, contentType string) error {
		r, err := http.NewRequest(method, url, strings.NewReader("\x00\x00\x00\x00\x00"))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", contentType)
		resp, err := rt.RoundTrip(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
		return err
	}
	for name, c := range map[string]struct {
		plain bool
		talk  func(conn net.Conn) error
		want  []string
	}{
		"gRPC": {talk: func(conn net.Conn) error {
			h2 := new(http.Protocols)
			h2.SetHTTP2(true)
			rt := &http.Transport{Protocols: h2, DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
			defer rt.CloseIdleConnections()
			return get(rt, "POST", "https://shop.test/shop.Cart/Add", "application/grpc")
		}, want: []string{"POST /shop.Cart/Add 200 OK, grpc-status 8 RESOURCE_EXHAUSTED, stream 1, 7 bytes of application/grpc"}},
		"h2c": {plain: true, talk: func(conn net.Conn) error {
			h2c := new(http.Protocols)
			h2c.SetUnencryptedHTTP2(true)
			rt := &http.Transport{Protocols: h2c, DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
			defer rt.CloseIdleConnections()
			return get(rt, "POST", "http://shop.test/two", "text/plain")
		}, want: []string{"POST http://shop.test/two plain HTTP, no TLS 200 OK, 9 bytes of text/plain"}},
		"WebSocket": {talk: func(conn net.Conn) error {
			rt := &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
			ws, _, err := websocket.Dial(context.Background(), "wss://shop.test/chat", &websocket.DialOptions{HTTPClient: &http.Client{Transport: rt}})
			if err != nil {
				return err
			}
			if err := ws.Write(context.Background(), websocket.MessageText, []byte("hello there")); err != nil {
				return err
			}
			if _, said, err := ws.Read(context.Background()); err != nil || string(said) != "hello there" {
				return errors.Join(err, errors.New(string(said)))
			}
			_, _, err = ws.Read(context.Background()) // the close
			if websocket.CloseStatus(err) == websocket.StatusNormalClosure {
				err = nil
			}
			return err
		}, want: []string{"reads 101, no body", "WebSocket: 4 messages, 26 bytes"}},
		"pipelining": {talk: func(conn net.Conn) error {
			go io.WriteString(conn, "GET /a HTTP/1.1\r\nHost: shop.test\r\n\r\nGET /b HTTP/1.1\r\nHost: shop.test\r\n\r\nGET /c HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
			in := bufio.NewReader(conn)
			for range 3 {
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					return err
				}
				if _, err := io.ReadAll(resp.Body); err != nil {
					return err
				}
			}
			return conn.Close()
		}, want: []string{"https://shop.test/a", "GET /b 200 OK, 7 bytes of text/plain", "GET /c 200 OK, 7 bytes of text/plain"}},
	} {
		t.Run(name, func(t *testing.T) {
			tp := &tape{client: netip.MustParseAddrPort("192.0.2.1:50000"), server: netip.MustParseAddrPort("198.51.100.7:443")}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			a, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			b, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
			var client, server net.Conn = &taped{a, tp, capture.Client}, &taped{b, tp, capture.Server}
			alpn := []string{"http/1.1"}
			if name == "gRPC" {
				alpn = []string{"h2"}
			}
			if !c.plain {
				server = tls.Server(server, &tls.Config{Certificates: []tls.Certificate{s.cert}, NextProtos: alpn})
				client = tls.Client(client, &tls.Config{ServerName: "shop.test", RootCAs: s.roots, NextProtos: alpn, KeyLogWriter: tp, Time: func() time.Time { return start }})
			}
			srv := &http.Server{Handler: handler, Protocols: new(http.Protocols)}
			srv.Protocols.SetHTTP1(true)
			srv.Protocols.SetHTTP2(true)
			srv.Protocols.SetUnencryptedHTTP2(true)
			one := &oneListener{conn: server, closed: make(chan struct{})}
			served := make(chan error, 1)
			go func() { served <- srv.Serve(one) }()
			if err := c.talk(client); err != nil {
				t.Error(err)
			}
			client.Close()
			srv.Close()
			<-served
			got := strings.Join(strings.Fields(shortly(t, events(messages(tp.inputs(0, capture.LegNone))), words.English, 110)), " ")
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in\n%s", want, got)
				}
			}
		})
	}
}

// oneListener gives one connection, and then waits to be closed.
type oneListener struct {
	conn   net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *oneListener) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *oneListener) Addr() net.Addr { return &net.TCPAddr{} }
