package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/story"
	"explainer/annotate/text"
	"explainer/annotate/words"
	"explainer/ca"
	"explainer/ca/roots"
	"explainer/capture/pcap"
)

// A siege is a proxy of its own, in a process of its own, that a test misuses.
type siege struct {
	t         *testing.T
	cmd       *exec.Cmd
	addr      string         // where it listens
	caFile    string         // its CA's certificate
	roots     *x509.CertPool // holds it
	recording string
	live      string // its story, JSON
	said      *bytes.Buffer
	drained   chan struct{}
}

// besiege starts explainer proxy.
func besiege(t *testing.T, flags ...string) *siege {
	t.Helper()
	dir := t.TempDir()
	recording, live := filepath.Join(dir, "session.pcapng"), filepath.Join(dir, "live.json")
	cmd := inHome(t, append([]string{"proxy", "-p", "0", "-w", recording, "--format", "json", "--story", live}, flags...)...)
	s := startSiege(t, cmd)
	s.recording, s.live = recording, live
	return s
}

// inHome is the command with a home of its own.
func inHome(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("explainer", args...)
	cmd.Env = append(os.Environ(), "SSLKEYLOGFILE=", "EXPLAINER_HOME="+filepath.Join(t.TempDir(), "home"))
	return cmd
}

// startSiege starts a command that runs the proxy, and waits until it listens.
func startSiege(t *testing.T, cmd *exec.Cmd) *siege {
	t.Helper()
	s := &siege{t: t, cmd: cmd, said: new(bytes.Buffer), drained: make(chan struct{})}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	lines := bufio.NewScanner(stderr)
	for s.addr == "" && lines.Scan() {
		fmt.Fprintln(s.said, lines.Text())
		if m := regexp.MustCompile(`listening on http://(\S+); its CA is (\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			s.addr, s.caFile = m[1], m[2]
		}
	}
	if s.addr == "" {
		t.Fatalf("the proxy has not started: %s", s.said)
	}
	go func() {
		defer close(s.drained)
		for lines.Scan() {
			fmt.Fprintln(s.said, lines.Text())
		}
	}()
	pem, err := os.ReadFile(s.caFile)
	if err != nil {
		t.Fatal(err)
	}
	s.roots = x509.NewCertPool()
	s.roots.AppendCertsFromPEM(pem)
	return s
}

// dial opens a connection to the proxy.
func (s *siege) dial() *net.TCPConn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.TCPConn)
}

// tunnel asks for host:port and reads the answer's head, and not a byte more.
func (s *siege) tunnel(hostport string) *net.TCPConn {
	s.t.Helper()
	c := s.dial()
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", hostport, hostport)
	var head []byte
	for b := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, b[0]) {
		if _, err := io.ReadFull(c, b); err != nil {
			s.t.Fatalf("CONNECT %s: %q and %v", hostport, head, err)
		}
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		s.t.Fatalf("CONNECT %s: %q", hostport, head)
	}
	return c
}

// exchange sends what on a connection of its own and returns the whole answer.
func (s *siege) exchange(what string) string {
	s.t.Helper()
	c := s.dial()
	io.WriteString(c, what)
	c.CloseWrite()
	b, err := io.ReadAll(c)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		s.t.Errorf("after %d bytes: %v", len(b), err)
	}
	return string(b)
}

// get sends a request through TLS in a tunnel to host and returns the whole answer.
func (s *siege) get(host, request string) string {
	s.t.Helper()
	c := tls.Client(s.tunnel(host+":443"), &tls.Config{ServerName: host, RootCAs: s.roots})
	if _, err := io.WriteString(c, request); err != nil {
		s.t.Fatal(err)
	}
	b, _ := io.ReadAll(c)
	return string(b)
}

// gone waits until the proxy has ended the connection.
func gone(c net.Conn) {
	io.Copy(io.Discard, c)
	c.Close()
}

// An aftermath is what a siege has left: the story and the recording.
type aftermath struct {
	*siege
	events []event.Event
	text   string // the story as people read it
	full   string // with --messages
}

// end stops the proxy as Ctrl-C does, and checks what must hold whatever happened to it.
func (s *siege) end() *aftermath {
	s.t.Helper()
	began := time.Now()
	s.cmd.Process.Signal(os.Interrupt)
	<-s.drained
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("the proxy: %v", err)
	}
	if took := time.Since(began); took > 8*time.Second {
		s.t.Errorf("it took %v to end", took)
	}
	for line := range strings.Lines(s.said.String()) {
		if !strings.HasPrefix(line, "explainer: ") {
			s.t.Errorf("standard error has the line %q", line)
		}
	}
	a := &aftermath{siege: s}
	live, err := os.ReadFile(s.live)
	if err != nil {
		s.t.Fatal(err)
	}
	var replayed bytes.Buffer
	retell(s.t, s.recording, event.NewJSON(&replayed))
	if !bytes.Equal(live, replayed.Bytes()) {
		s.t.Errorf("the live story (%d bytes) and that of the recording (%d bytes) differ", len(live), replayed.Len())
	}
	if !utf8.Valid(live) {
		s.t.Error("the JSON story is not UTF-8")
	}
	for _, messages := range []bool{false, true} {
		var direct, again bytes.Buffer
		shown := text.New(&direct)
		shown.Messages = messages
		retell(s.t, s.recording, shown)
		shown = text.New(&again)
		shown.Messages = messages
		a.events = nil
		if err := event.ReadJSON(bytes.NewReader(live), func(e *event.Event) error {
			a.events = append(a.events, *e)
			return shown.Event(e)
		}); err != nil {
			s.t.Fatalf("the JSON story: %v", err)
		}
		if err := shown.Finish(); err != nil {
			s.t.Fatal(err)
		}
		if direct.String() != again.String() {
			s.t.Errorf("the shown of the recording and that of its JSON differ (messages: %v)", messages)
		}
		harmless(s.t, direct.String())
		if a.full = direct.String(); !messages {
			a.text = a.full
		}
	}
	a.check()
	if s.t.Failed() || testing.Verbose() {
		s.t.Logf("%s%s", s.said, a.text)
	}
	return a
}

// retell tells a recording as read does.
func retell(t *testing.T, recording string, out story.Renderer) {
	t.Helper()
	f, err := os.Open(recording)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	name := words.Piece("roots-name/system")
	store, err := roots.System(name.English)
	if err != nil {
		t.Fatal(err)
	}
	if err := story.New(&annotate.Explainer{Roots: store, RootsName: name}, out).Follow(f); err != nil {
		t.Error(err)
	}
}

// harmless checks that nothing in a text can move a cursor, hide or reorder what follows.
func harmless(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Error("the text is not UTF-8")
	}
	for line := range strings.Lines(text) {
		for _, r := range strings.TrimSuffix(line, "\n") {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
				t.Errorf("%U in the line %q", r, line)
				return
			}
		}
	}
}

// check checks what holds for every story: no proof is refuted, and every
// connection begins, ends and has its steps told at most once.
func (a *aftermath) check() {
	a.t.Helper()
	begun, ended, told := map[int]bool{}, map[int]bool{}, map[int]int{}
	for _, e := range a.events {
		for _, p := range e.Proofs {
			if p.State == event.Refuted {
				a.t.Errorf("event %d, %s: %s is refuted: %s", e.N, e.Name, p.ID, p.Reason)
			}
		}
		switch e.Kind {
		case event.KindConnection:
			begun[e.Conn] = true
		case event.KindClosed:
			ended[e.Conn] = true
		case event.KindSummary:
			for _, l := range e.Summary.Legs {
				told[l.Conn]++
			}
		}
	}
	for n := range begun {
		if !ended[n] {
			a.t.Errorf("connection %d: its end is not told", n)
		}
		if told[n] > 1 {
			a.t.Errorf("connection %d: its steps are told %d times", n, told[n])
		}
	}
	if len(begun) == 0 {
		a.t.Error("no connection is told")
	}
}

// says checks that the story, with all messages' sentences, contains each of the texts.
func (a *aftermath) says(texts ...string) {
	a.t.Helper()
	for _, want := range texts {
		if !strings.Contains(a.full, want) {
			a.t.Errorf("the story does not say %q", want)
		}
	}
}

// never checks that neither the text nor the JSON contains any of the texts.
func (a *aftermath) never(texts ...string) {
	a.t.Helper()
	live, err := os.ReadFile(a.live)
	if err != nil {
		a.t.Fatal(err)
	}
	for _, bad := range texts {
		for line := range bytes.Lines(live) {
			if i := bytes.Index(line, []byte(bad)); i >= 0 {
				a.t.Errorf("the story contains %q: ...%s", bad, line[max(0, i-150):min(len(line), i+30)])
			}
		}
		if strings.Contains(a.full, bad) {
			a.t.Errorf("the text contains %q", bad)
		}
	}
}

// row returns what the summaries say of a step on a leg; the last one counts.
func (a *aftermath) row(leg string, step event.Step) (r event.Row) {
	for _, e := range a.events {
		if e.Summary == nil {
			continue
		}
		for _, l := range e.Summary.Legs {
			if l.Leg != leg {
				continue
			}
			for _, row := range l.Rows {
				if row.Step == step {
					r = row
				}
			}
		}
	}
	return r
}

// origin starts a TCP server; serve has each connection to itself and closes it at the end.
func origin(t *testing.T, serve func(*net.TCPConn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(20 * time.Second))
				serve(c.(*net.TCPConn))
			}()
		}
	}()
	return l.Addr().String()
}

// tlsOrigin starts an HTTPS server with the certificate.
func tlsOrigin(t *testing.T, cert *tls.Certificate, h http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{Certificates: []tls.Certificate{*cert}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// siteCA is a CA for origins, and the file that makes the proxy trust it.
func siteCA(t *testing.T) (*ca.Authority, string) {
	t.Helper()
	a, err := ca.NewEphemeral("hostile origins")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(file, a.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return a, file
}

func leafOf(t *testing.T, a *ca.Authority, spec ca.Spec) *tls.Certificate {
	t.Helper()
	leaf, err := a.Leaf(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// TestHostileCertificates: a page explains each bad certificate inside TLS, and
// the origin sees no byte of the request.
func TestHostileCertificates(t *testing.T) {
	t.Parallel()
	good, roots := siteCA(t)
	stranger, _ := siteCA(t)
	home := filepath.Join(t.TempDir(), "home")
	own, err := ca.Load(home)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"self.test"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		host string
		cert *tls.Certificate
		page string
		says string
	}{
		{"expired.test", leafOf(t, good, ca.Spec{Names: []string{"expired.test"}, NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(-24 * time.Hour)}), "has expired", "it had expired"},
		{"future.test", leafOf(t, good, ca.Spec{Names: []string{"future.test"}, NotBefore: now.Add(24 * time.Hour), NotAfter: now.Add(48 * time.Hour)}), "not valid yet", "it was not valid yet"},
		{"wrong.test", leafOf(t, good, ca.Spec{Names: []string{"other.test"}}), "for another site", "it is not for wrong.test"},
		{"stranger.test", leafOf(t, stranger, ca.Spec{Names: []string{"stranger.test"}}), "Nobody trusted", "no authority that is trusted here vouches for it"},
		{"self.test", &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, "vouches for itself", "nobody but itself vouches for it"},
		{"own.test", leafOf(t, own, ca.Spec{Names: []string{"own.test"}}), "this very proxy", "signed by this proxy's own CA"},
	}
	var requests atomic.Int32
	flags := []string{"--home", home, "--origin-ca", roots, "--on-bad-origin", "block"}
	for _, c := range cases {
		addr := tlsOrigin(t, c.cert, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
		flags = append(flags, "--map", c.host+":443="+addr)
	}
	s := besiege(t, flags...)
	for _, c := range cases {
		answer := s.get(c.host, "POST /login HTTP/1.1\r\nHost: "+c.host+"\r\nAccept: text/html\r\nConnection: close\r\nContent-Length: 15\r\n\r\npassword=hunter")
		if !strings.HasPrefix(answer, "HTTP/1.1 502 ") || !strings.Contains(answer, c.page) {
			t.Errorf("%s: no page that says %q: %q", c.host, c.page, answer)
		}
	}
	a := s.end()
	for _, c := range cases {
		a.says(c.says)
		found := false
		for _, e := range a.events {
			if e.Summary == nil || e.Host != c.host {
				continue
			}
			for _, l := range e.Summary.Legs {
				for _, row := range l.Rows {
					found = found || l.Leg == "origin" && row.Step == event.Step4a && row.Verdict == event.Failed
				}
			}
		}
		if !found {
			t.Errorf("%s: step 4a of the origin's leg is not told to have failed", c.host)
		}
	}
	a.never("hunter")
	if n := requests.Load(); n != 0 {
		t.Errorf("origins saw %d requests", n)
	}
}

// TestHostileOrigins: each way in which an origin can fail is told as what it is.
func TestHostileOrigins(t *testing.T) {
	t.Parallel()
	good, roots := siteCA(t)
	const request = "GET / HTTP/1.1\r\nHost: origin.test\r\nConnection: close\r\n\r\n"
	page := func(status string, texts ...string) func(*testing.T, *siege) {
		return func(t *testing.T, s *siege) {
			answer := s.get("origin.test", request)
			for _, want := range append(texts, "HTTP/1.1 "+status) {
				if !strings.Contains(answer, want) {
					t.Errorf("no %q in %q", want, answer)
				}
			}
		}
	}
	hello := func(c net.Conn) { c.Read(make([]byte, 16<<10)) }
	greeted, hungUp := make(chan struct{}), make(chan struct{})
	for name, tt := range map[string]struct {
		serve  func(*net.TCPConn) // nil: nobody listens
		host   string             // asked for in place of origin.test
		client func(*testing.T, *siege)
		says   []string
	}{
		"refused": {
			client: page("502", "refused"),
			says:   []string{"refused the connection"},
		},
		"unknown host": {
			client: func(t *testing.T, s *siege) {
				answer := s.get("no-such-name.invalid", "GET / HTTP/1.1\r\nHost: no-such-name.invalid\r\nConnection: close\r\n\r\n")
				if !strings.HasPrefix(answer, "HTTP/1.1 502") || !strings.Contains(answer, "no-such-name.invalid") {
					t.Errorf("the answer is %q", answer)
				}
			},
			says: []string{"The proxy found no address for the name no-such-name.invalid:", "The proxy ended the connection: there is no such name."},
		},
		"accepts and says nothing": {
			serve: func(c *net.TCPConn) { hello(c); close(greeted); gone(c); close(hungUp) },
			client: func(t *testing.T, s *siege) {
				c := s.tunnel("origin.test:443")
				clientHello(t, c, "origin.test")
				<-greeted
				c.Close() // the client has waited long enough
				select {
				case <-hungUp:
				case <-time.After(5 * time.Second):
					t.Error("the origin's connection outlives the client's")
				}
			},
			says: []string{"the client hung up before it was over", "The client ended the connection first"},
		},
		"closes in the handshake": {
			serve:  func(c *net.TCPConn) { hello(c) },
			client: page("502", "TLS"),
			says:   []string{"The handshake between the proxy and the origin failed: "},
		},
		"garbage": {
			serve:  func(c *net.TCPConn) { hello(c); c.Write(bytes.Repeat([]byte("\x1b[2J\xff\x00"), 20)); gone(c) },
			client: page("502", "TLS"),
			says:   []string{"The handshake between the proxy and the origin failed: "},
		},
		"plain HTTP": {
			serve: func(c *net.TCPConn) {
				hello(c)
				io.WriteString(c, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
			},
			client: page("502", "HTTP"),
			says:   []string{"The handshake between the proxy and the origin failed: ", `answered in clear (HTTP, "HTTP/1.0 400")`},
		},
		"reset in the body": {
			serve: func(c *net.TCPConn) {
				secure := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*leafOf(t, good, ca.Spec{Names: []string{"origin.test"}})}})
				hello(secure)
				io.WriteString(secure, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf of it")
				c.SetLinger(0)
			},
			client: func(t *testing.T, s *siege) {
				c := tls.Client(s.tunnel("origin.test:443"), &tls.Config{ServerName: "origin.test", RootCAs: s.roots})
				io.WriteString(c, request)
				b, err := io.ReadAll(c)
				if !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("%v after %q, want the origin's reset passed on", err, b)
				}
			},
			says: []string{"origin <-- RST", "client <-- RST", "10 bytes, cut off", "The origin ended the connection first"},
		},
		"FIN in the body": {
			serve: func(c *net.TCPConn) {
				secure := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*leafOf(t, good, ca.Spec{Names: []string{"origin.test"}})}})
				hello(secure)
				io.WriteString(secure, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf of it")
				c.CloseWrite()
				gone(c)
			},
			client: func(t *testing.T, s *siege) {
				c := tls.Client(s.tunnel("origin.test:443"), &tls.Config{ServerName: "origin.test", RootCAs: s.roots})
				io.WriteString(c, request)
				if b, err := io.ReadAll(c); !bytes.HasSuffix(b, []byte("half of it")) {
					t.Errorf("%v after %q", err, b)
				}
				c.Close()
			},
			says: []string{"the origin server sends no more, without close_notify", "the proxy sends no more, without close_notify", "10 bytes, cut off", "The origin ended the connection first"},
		},
		"speaks first": {
			serve: func(c *net.TCPConn) {
				io.WriteString(c, "220 mail.test ESMTP\r\n")
				line, _ := bufio.NewReader(c).ReadString('\n')
				io.WriteString(c, "250 you said "+line)
			},
			client: func(t *testing.T, s *siege) {
				c := s.tunnel("origin.test:443")
				in := bufio.NewReader(c)
				if line, err := in.ReadString('\n'); line != "220 mail.test ESMTP\r\n" {
					t.Errorf("%q, %v", line, err)
				}
				io.WriteString(c, "EHLO me\r\n")
				if line, err := in.ReadString('\n'); line != "250 you said EHLO me\r\n" {
					t.Errorf("%q, %v", line, err)
				}
				gone(c)
			},
			says: []string{"the client said nothing"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := "127.0.0.1:1" // reserved for tcpmux, where nobody listens
			if tt.serve != nil {
				addr = origin(t, tt.serve)
			}
			s := besiege(t, "--map", "origin.test:443="+addr, "--origin-ca", roots)
			tt.client(t, s)
			s.end().says(tt.says...)
		})
	}
}

// clientHello sends the ClientHello of crypto/tls, and nothing else.
func clientHello(t *testing.T, to io.Writer, name string) {
	t.Helper()
	if _, err := to.Write(helloBytes(t, &tls.Config{ServerName: name})); err != nil {
		t.Error(err)
	}
}

// helloBytes is the first record that a client with this configuration sends.
func helloBytes(t *testing.T, config *tls.Config) []byte {
	t.Helper()
	config.InsecureSkipVerify = true
	near, far := net.Pipe()
	go tls.Client(near, config).Handshake()
	defer near.Close()
	head := make([]byte, 5)
	if _, err := io.ReadFull(far, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, int(head[3])<<8|int(head[4]))
	if _, err := io.ReadFull(far, body); err != nil {
		t.Fatal(err)
	}
	return append(head, body...)
}

// serverHello reads the first record that the proxy sends.
func serverHello(t *testing.T, c net.Conn) (kind byte, body []byte) {
	t.Helper()
	head := make([]byte, 5)
	if _, err := io.ReadFull(c, head); err != nil {
		t.Fatal(err)
	}
	body = make([]byte, int(head[3])<<8|int(head[4]))
	if _, err := io.ReadFull(c, body); err != nil {
		t.Fatal(err)
	}
	return head[0], body
}

// alertOf expects the next record to be an alert in clear, and returns its description.
func alertOf(t *testing.T, c net.Conn) byte {
	t.Helper()
	kind, body := serverHello(t, c)
	if kind != 21 || len(body) != 2 {
		t.Fatalf("a record of type %d, %x, in place of an alert", kind, body)
	}
	return body[1]
}

// oldHello is a ClientHello as SSL 3.0 and TLS 1.0 clients sent it, without extensions.
func oldHello(version byte) []byte {
	body := append([]byte{3, version}, make([]byte, 32)...)
	body = append(body, 0, 0, 4, 0x00, 0x05, 0x00, 0x2f, 1, 0) // no session, RC4 and AES-128 with RSA, no compression
	message := append([]byte{1, 0, 0, byte(len(body))}, body...)
	return append([]byte{22, 3, min(version, 1), 0, byte(len(message))}, message...)
}

// TestHostileClients: each way in which a client can fail is told as what it is.
func TestHostileClients(t *testing.T) {
	t.Parallel()
	const site = "tls13.explainer.test"
	for name, tt := range map[string]struct {
		flags  []string
		client func(*testing.T, *siege)
		says   []string
		check  func(*testing.T, *aftermath)
	}{
		"gone after CONNECT": {
			client: func(t *testing.T, s *siege) { s.tunnel(site + ":443").Close() },
			says:   []string{"The client ended the connection"},
		},
		"gone in its ClientHello": {
			client: func(t *testing.T, s *siege) {
				c := s.tunnel(site + ":443")
				c.Write(helloBytes(t, &tls.Config{ServerName: site})[:100])
				c.CloseWrite()
				gone(c)
			},
			says: []string{"it ended inside the first message of the client: 100 bytes of it had come", "The client ended the connection"},
		},
		"gone after the ServerHello": {
			client: func(t *testing.T, s *siege) {
				c := s.tunnel(site + ":443")
				clientHello(t, c, site)
				serverHello(t, c)
				c.CloseWrite()
				gone(c)
			},
			says: []string{"The client ended the connection"},
			check: func(t *testing.T, a *aftermath) {
				if r := a.row("browser", event.Step4a); r.Verdict != event.Failed {
					t.Errorf("step 4a: %s: %s", r.Verdict, r.Says.Text)
				}
			},
		},
		"reset after the ServerHello": {
			client: func(t *testing.T, s *siege) {
				c := s.tunnel(site + ":443")
				clientHello(t, c, site)
				serverHello(t, c)
				c.SetLinger(0)
				c.Close()
			},
			says: []string{"RST", "The client ended the connection"},
		},
		"plain HTTP in a tunnel": {
			client: func(t *testing.T, s *siege) {
				c := s.tunnel("explainer.test:80")
				io.WriteString(c, "GET /trusted HTTP/1.1\r\nHost: explainer.test\r\nConnection: close\r\n\r\n")
				if b, _ := io.ReadAll(c); !bytes.HasSuffix(b, []byte("trusted\n")) {
					t.Errorf("the answer is %q", b)
				}
			},
			says: []string{"HTTP request", "GET /trusted"},
		},
		"nonsense in a tunnel": {
			flags: []string{"--map", "echo.test=" + origin(t, func(c *net.TCPConn) { io.Copy(c, c) })},
			client: func(t *testing.T, s *siege) {
				c := s.tunnel("echo.test:7")
				want := strings.Repeat("\x1b]0;owned\x07\x00\xff\u202e", 30)
				io.WriteString(c, want)
				c.CloseWrite()
				if b, _ := io.ReadAll(c); string(b) != want {
					t.Errorf("%q came back", b)
				}
			},
			says: []string{"not TLS", "450 bytes"},
		},
		"ClientHello right behind CONNECT": {
			client: func(t *testing.T, s *siege) {
				c := s.dial()
				request := "CONNECT " + site + ":443 HTTP/1.1\r\nHost: " + site + ":443\r\n\r\n"
				secure := tls.Client(&glued{TCPConn: c, before: request}, &tls.Config{ServerName: site, RootCAs: s.roots})
				io.WriteString(secure, "GET /trusted HTTP/1.0\r\nHost: "+site+"\r\n\r\n")
				if b, err := io.ReadAll(secure); !bytes.HasSuffix(b, []byte("trusted\n")) {
					t.Errorf("the answer is %q, %v", b, err)
				}
			},
			says: []string{"GET /trusted", "200 OK"},
		},
		"one byte a segment": {
			client: func(t *testing.T, s *siege) {
				secure := tls.Client(&dripping{s.tunnel(site + ":443")}, &tls.Config{ServerName: site, RootCAs: s.roots})
				io.WriteString(secure, "GET /trusted HTTP/1.0\r\nHost: "+site+"\r\n\r\n")
				if b, err := io.ReadAll(secure); !bytes.HasSuffix(b, []byte("trusted\n")) {
					t.Errorf("the answer is %q, %v", b, err)
				}
			},
			says: []string{"GET /trusted", "200 OK"},
		},
		"SSL 3.0": {
			client: func(t *testing.T, s *siege) {
				c := s.tunnel(site + ":443")
				c.Write(oldHello(0))
				if d := alertOf(t, c); d != 70 {
					t.Errorf("alert %d, want protocol_version", d)
				}
				gone(c)
			},
			says: []string{"up to SSL 3.0", "protocol_version", "nothing newer than TLS 1.1"},
		},
		"TLS 1.0": {
			client: func(t *testing.T, s *siege) {
				c := s.tunnel(site + ":443")
				c.Write(oldHello(1))
				if d := alertOf(t, c); d != 70 {
					t.Errorf("alert %d, want protocol_version", d)
				}
				gone(c)
			},
			says: []string{"up to TLS 1.0", "protocol_version", "nothing newer than TLS 1.1"},
		},
		"textbook, no TLS_RSA": {
			flags: []string{"--textbook"},
			client: func(t *testing.T, s *siege) {
				c := s.tunnel(site + ":443")
				c.Write(helloBytes(t, &tls.Config{ServerName: site, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}))
				if d := alertOf(t, c); d != 40 {
					t.Errorf("alert %d, want handshake_failure", d)
				}
				gone(c)
			},
			says: []string{"textbook mode needs a cipher suite with RSA key transport, and the client offers none of TLS_RSA_WITH_AES_128_GCM_SHA256", "handshake_failure"},
		},
		"textbook, TLS 1.3 alone": {
			flags: []string{"--textbook"},
			client: func(t *testing.T, s *siege) {
				c := s.tunnel(site + ":443")
				c.Write(helloBytes(t, &tls.Config{ServerName: site, MinVersion: tls.VersionTLS13}))
				if d := alertOf(t, c); d != 70 {
					t.Errorf("alert %d, want protocol_version", d)
				}
				gone(c)
			},
			says: []string{"protocol_version", "the client does not offer TLS 1.2"},
		},
		"textbook, h2 alone": {
			flags: []string{"--textbook"},
			client: func(t *testing.T, s *siege) {
				c := s.tunnel(site + ":443")
				c.Write(helloBytes(t, &tls.Config{ServerName: site, MaxVersion: tls.VersionTLS12, NextProtos: []string{"h2"}, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}}))
				if d := alertOf(t, c); d != 120 {
					t.Errorf("alert %d, want no_application_protocol", d)
				}
				gone(c)
			},
			says: []string{"textbook mode needs http/1.1", "no_application_protocol"},
		},
		"not for a proxy": {
			client: func(t *testing.T, s *siege) {
				if a := s.exchange("GET / HTTP/1.1\r\nHost: " + s.addr + "\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(a, "HTTP/1.1 ") || !strings.Contains(a, "proxy") {
					t.Errorf("the answer is %q", a)
				}
			},
			says: []string{"GET /", "This request is not meant for a proxy"},
		},
		"CONNECT to the proxy itself": {
			client: func(t *testing.T, s *siege) {
				if a := s.exchange("CONNECT " + s.addr + " HTTP/1.1\r\nHost: " + s.addr + "\r\n\r\n"); !strings.HasPrefix(a, "HTTP/1.1 502 ") {
					t.Errorf("the answer is %q", a)
				}
			},
			says: []string{"the proxy itself"},
		},
		"CONNECT to no address": {
			client: func(t *testing.T, s *siege) {
				for _, target := range []string{"nonsense", "a:0", "a:65536", ":443", "[::1:443", "a b:443", "-", "a:443/../", "\x1b[2J:443", "a:https"} {
					if a := s.exchange("CONNECT " + target + " HTTP/1.1\r\nHost: x\r\n\r\n"); !strings.HasPrefix(a, "HTTP/1.1 400 ") {
						t.Errorf("CONNECT %q: %q", target, a)
					}
				}
			},
			says: []string{"400 Bad Request"},
		},
		"a header of 64 KiB": {
			client: func(t *testing.T, s *siege) {
				long := strings.Repeat("x", 64<<10)
				if a := s.exchange("GET http://explainer.test/trusted HTTP/1.1\r\nHost: explainer.test\r\nX-Long: " + long + "\r\nConnection: close\r\n\r\n"); !strings.HasSuffix(a, "trusted\n") {
					t.Errorf("the answer is %.200q", a)
				}
			},
			says: []string{"GET http://explainer.test/trusted"},
			check: func(t *testing.T, a *aftermath) {
				if len(a.full) > 64<<10 {
					t.Errorf("the story of it has %d bytes", len(a.full))
				}
			},
		},
		"IPv6 literal": {
			flags: []string{"--map", "[::1]:443=" + origin(t, func(c *net.TCPConn) { io.Copy(c, c) })},
			client: func(t *testing.T, s *siege) {
				gone(s.tunnel("[::1]:1"))
				c := s.tunnel("[::1]:443")
				io.WriteString(c, "hello\n")
				c.CloseWrite()
				if b, err := io.ReadAll(c); string(b) != "hello\n" {
					t.Errorf("%q, %v came back", b, err)
				}
			},
			says: []string{"CONNECT [::1]:1", "CONNECT [::1]:443", "[::1]:1 refused the connection"},
		},
		"HTTP/1.0": {
			client: func(t *testing.T, s *siege) {
				if a := s.exchange("GET http://explainer.test/trusted HTTP/1.0\r\n\r\n"); !strings.HasSuffix(a, "trusted\n") {
					t.Errorf("the answer is %q", a)
				}
				c := s.dial()
				io.WriteString(c, "CONNECT explainer.test:80 HTTP/1.0\r\n\r\n")
				in := bufio.NewReader(c)
				if line, _ := in.ReadString('\n'); !strings.Contains(line, " 200 ") {
					t.Errorf("CONNECT: %q", line)
				}
				io.WriteString(c, "GET /trusted HTTP/1.0\r\nHost: explainer.test\r\n\r\n")
				if b, err := io.ReadAll(in); !bytes.HasSuffix(b, []byte("trusted\n")) {
					t.Errorf("the answer is %q, %v", b, err)
				}
			},
			says: []string{"GET http://explainer.test/trusted", "CONNECT explainer.test:80"},
		},
		"nothing at all": {
			client: func(t *testing.T, s *siege) {
				c := s.dial()
				c.CloseWrite()
				gone(c)
			},
			says: []string{"The client ended the connection first"},
		},
		"TLS to the proxy itself": {
			client: func(t *testing.T, s *siege) {
				c := s.dial()
				clientHello(t, c, site)
				gone(c)
			},
			says: []string{"ClientHello"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := besiege(t, tt.flags...)
			tt.client(t, s)
			a := s.end()
			a.says(tt.says...)
			if tt.check != nil {
				tt.check(t, a)
			}
		})
	}
}

// glued sends something before and with the first write.
type glued struct {
	*net.TCPConn
	before string
	read   bool
}

func (g *glued) Write(b []byte) (int, error) {
	before := g.before
	g.before = ""
	n, err := g.TCPConn.Write(append([]byte(before), b...))
	return max(0, n-len(before)), err
}

func (g *glued) Read(b []byte) (int, error) {
	if !g.read {
		g.read = true
		var head []byte
		for one := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, one[0]) {
			if _, err := io.ReadFull(g.TCPConn, one); err != nil {
				return 0, err
			}
		}
	}
	return g.TCPConn.Read(b)
}

// dripping sends each byte by itself.
type dripping struct{ *net.TCPConn }

func (d *dripping) Write(b []byte) (int, error) {
	for i := range b {
		if _, err := d.TCPConn.Write(b[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(b), nil
}

// nodeFetch asks for a tunnel by hand and speaks TLS in it, as Node's agents do.
const nodeFetch = `
const [host, port, name] = process.argv.slice(1);
require("http").request({host, port, method: "CONNECT", path: name + ":443"}).on("connect", (_, socket) => {
	require("tls").connect({socket, servername: name}, () => console.log("trusted"))
		.on("error", e => { console.error(e.code); process.exit(60); });
}).end();
`

// TestHostileRefusals: real programs that do not trust the CA refuse in different
// ways, and each is told as what it is, at step 4a and with advice.
func TestHostileRefusals(t *testing.T) {
	t.Parallel()
	const site = "tls13.explainer.test"
	for name, tt := range map[string]struct {
		flags []string
		argv  []string // {url}, {host}, {port} and {proxy} are filled in
		code  int
		says  []string
	}{
		"curl":          {nil, []string{"curl", "-sS", "-x", "{url}", "https://" + site + "/"}, 60, []string{"the client sent the alert unknown_ca (48), in clear, after the proxy had sent Finished"}},
		"curl, TLS 1.2": {nil, []string{"curl", "-sS", "--tls-max", "1.2", "-x", "{url}", "https://" + site + "/"}, 60, []string{"the client sent the alert unknown_ca (48), in clear, after the proxy had sent ServerHelloDone"}},
		"curl, textbook": {[]string{"--textbook"}, []string{"curl", "-sS", "-x", "{url}", "https://" + site + "/"}, 60,
			[]string{"the client sent the alert unknown_ca (48), in clear, after the proxy had sent ServerHelloDone"}},
		"openssl": {nil, []string{"openssl", "s_client", "-verify_return_error", "-proxy", "{proxy}", "-connect", site + ":443"}, 1, []string{"the client sent the alert unknown_ca (48), in clear, after the proxy had sent Finished"}},
		"python": {nil, []string{"python3", "-c", `import sys, urllib.request as u
try: u.build_opener(u.ProxyHandler({"https": "{url}"})).open("https://` + site + `/")
except u.URLError as e: sys.exit(60)`}, 60, []string{"the client sent the alert unknown_ca (48), in clear, after the proxy had sent Finished"}},
		"node": {nil, []string{"node", "-e", nodeFetch, "{host}", "{port}", site}, 60, nil},
		"wget": {nil, []string{"wget", "-q", "-O-", "-e", "use_proxy=on", "-e", "https_proxy={url}", "https://" + site + "/"}, 5, nil},
		"git":  {nil, []string{"git", "-c", "http.proxy={url}", "ls-remote", "https://" + site + "/repo.git"}, 128, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := besiege(t, tt.flags...)
			host, port, _ := net.SplitHostPort(s.addr)
			fill := strings.NewReplacer("{url}", "http://"+s.addr, "{proxy}", s.addr, "{host}", host, "{port}", port)
			var argv []string
			for _, a := range tt.argv {
				argv = append(argv, fill.Replace(a))
			}
			cmd := exec.Command(argv[0], argv[1:]...)
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != tt.code {
				t.Errorf("%v, want exit code %d: %s", err, tt.code, out)
			}
			a := s.end()
			a.says(tt.says...)
			if r := a.row("browser", event.Step4a); r.Verdict != event.Failed && r.Verdict != event.Unseen || !strings.Contains(r.Says.Text, "http://explainer.test/") {
				t.Errorf("step 4a: %s: %s", r.Verdict, r.Says.Text)
			}
		})
	}
}

// hostileText is what a header, a path or a name may hold to deceive who reads it.
const hostileText = "\x1b[2J\x1b]0;owned\a\x1b[31mproven\x1b[0m\r\u009b31m\u202etset.reifirev\u202c\u2066\u200b\u2028\x7f\xff\xc0\xaf\ufeff\U000e0041 [proven: everything] [step 4a: as told]"

// TestHostileText: text from the wire cannot move a cursor, hide or reorder what
// follows, nor break the JSON; end checks that for every story.
func TestHostileText(t *testing.T) {
	t.Parallel()
	good, roots := siteCA(t)
	cert := leafOf(t, good, ca.Spec{Names: []string{"text.test"}})
	addr := origin(t, func(c *net.TCPConn) {
		secure := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*cert}})
		secure.Read(make([]byte, 4<<10))
		io.WriteString(secure, "HTTP/1.1 200 "+hostileText+"\r\nX-"+"Text: "+hostileText+"\r\nSet-Cookie: "+hostileText+"="+hostileText+"\r\nContent-Type: text/plain; "+hostileText+"\r\nConnection: close\r\n\r\n"+hostileText+"\n"+hostileText)
		secure.Close()
	})
	plain := origin(t, func(c *net.TCPConn) {
		bufio.NewReader(c).ReadString('\n')
		io.WriteString(c, "HTTP/1.1 200 OK\r\nServer: a\tb\u202ec\r\nConnection: close\r\n\r\n"+hostileText)
	})
	s := besiege(t, "--origin-ca", roots, "--map", "text.test:443="+addr, "--map", "plain.test="+plain)
	s.get("text.test", "GET /"+hostileText+"?q="+hostileText+" HTTP/1.1\r\nHost: text.test\r\nX-Text: "+hostileText+"\r\nCookie: "+hostileText+"\r\nReferer: https://a.test/?token="+hostileText+"\r\n\r\n")
	// In clear, at the proxy itself, as a SNI, as an ALPN protocol, in a tunnel.
	s.exchange("GET http://plain.test/%1b[2J\u202e\xff HTTP/1.1\r\nHost: plain.test\r\nX-Text: \u202e\xff\r\nConnection: close\r\n\r\n")
	s.exchange("GET /\x1b[2J\u202e\xff HTTP/1.1\r\nHost: " + s.addr + "\r\n\r\n")
	s.exchange("CONNECT \u202e\xff\x1b[2J:443 HTTP/1.1\r\nHost: x\r\n\r\n")
	s.exchange(hostileText)
	hello := helloBytes(t, &tls.Config{ServerName: "0123456789012345678901234567890123456789.test", NextProtos: []string{"01234567890123456789"}})
	name := []byte("\x1b[2J\x1b]0;owned\a\r\n\x00\xff\xc0\xafa\u202eb\u2028c\u200bd\u009b31m....................................")
	hello = bytes.ReplaceAll(hello, []byte("0123456789012345678901234567890123456789.test"), name[:45])
	hello = bytes.ReplaceAll(hello, []byte("01234567890123456789"), name[:20])
	c := s.tunnel("tls13.explainer.test:443")
	c.Write(hello)
	c.CloseWrite()
	gone(c)
	a := s.end()
	for _, mark := range []string{" [proven: everything]", " [step 4a: as told]"} {
		if strings.Contains(a.full, mark) {
			t.Errorf("text from the wire passes for the mark %q", mark)
		}
	}
	a.says("GET /", `\u001b[2J`, `\u202e`, "text.test")
}

// TestHostileSecrets: no story has a credential unless it is asked for.
func TestHostileSecrets(t *testing.T) {
	t.Parallel()
	good, roots := siteCA(t)
	cert := leafOf(t, good, ca.Spec{Names: []string{"secret.test"}})
	addr := tlsOrigin(t, cert, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Add("Set-Cookie", "session=Sesame01; HttpOnly")
		w.Header().Set("X-Auth-Token", "Sesame02")
		w.Header().Set("Location", "https://secret.test/next?token=Sesame03#access_token=Sesame04")
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"user": "me", "password": "Sesame05", "nested": {"api_key": "Sesame06"}}`)
	}))
	plain := origin(t, func(c *net.TCPConn) {
		io.CopyN(io.Discard, c, 100)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nSet-Cookie: id=Sesame07\r\nConnection: close\r\n\r\n")
		c.CloseWrite()
		gone(c)
	})
	raw := origin(t, func(c *net.TCPConn) { io.Copy(c, c) })
	flags := []string{"--origin-ca", roots, "--map", "secret.test:443=" + addr, "--map", "plain.test=" + plain, "--map", "raw.test=" + raw}
	misuse := func(s *siege) {
		heads := "Cookie: a=Sesame11; b=Sesame12\r\nAuthorization: Basic U2VzYW1lOlNlc2FtZTEz\r\nX-Api-Key: Sesame14\r\nReferer: https://me:Sesame15@secret.test/?password=Sesame16\r\n"
		form := "user=me&password=Sesame17&pin=Sesame18"
		s.get("secret.test", "POST /login?password=Sesame19&code=Sesame20 HTTP/1.1\r\nHost: secret.test\r\n"+heads+"Connection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: "+fmt.Sprint(len(form))+"\r\n\r\n"+form)
		s.exchange("GET http://me:Sesame21@plain.test/?token=Sesame22 HTTP/1.1\r\nHost: plain.test\r\nProxy-Authorization: Bearer Sesame23\r\n" + heads + "Connection: close\r\n\r\n")
		s.exchange("GET http://plain.test/x;jsessionid=Sesame24 HTTP/1.1\r\nHost: plain.test\r\nAuthorization: Sesame25\r\nConnection: close\r\n\r\n")
		c := s.tunnel("raw.test:23")
		io.WriteString(c, "login: me\npassword: Sesame26\n")
		c.CloseWrite()
		gone(c)
		// HTTP/2, where a cookie may come in pieces (RFC 9113 8.2.3), and curl's own log-in.
		out, err := exec.Command("curl", "-sS", "-x", "http://"+s.addr, "--cacert", s.caFile, "-u", "me:Sesame27", "-b", "a=Sesame28", "-d", "otp=Sesame29", "https://secret.test/").CombinedOutput()
		if err != nil {
			t.Errorf("curl: %v: %s", err, out)
		}
		// A WebSocket's messages, in clear through the proxy.
		in := s.dial()
		io.WriteString(in, "GET http://explainer.test/websocket HTTP/1.1\r\nHost: explainer.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		if answer, err := bufio.NewReader(in).ReadString('\n'); !strings.Contains(answer, " 101 ") {
			t.Errorf("the WebSocket: %q, %v", answer, err)
		}
		text := `{"password":"Sesame30","token":"Sesame31"}`
		in.Write(append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...))
		in.Write([]byte{0x88, 0x80, 0, 0, 0, 0})
		in.CloseWrite()
		gone(in)
	}
	s := besiege(t, flags...)
	misuse(s)
	a := s.end()
	a.never("Sesame", "U2VzYW1l", "53657361")
	a.says("POST /login?password=****", "masked)")

	s = besiege(t, append(flags, "--show-secrets")...)
	misuse(s)
	s.cmd.Process.Signal(os.Interrupt)
	<-s.drained
	live, err := os.ReadFile(s.live)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Sesame01", "Sesame05", "Sesame11", "Sesame17", "Sesame19", "Sesame26", "Sesame30"} {
		if !bytes.Contains(live, []byte(want)) {
			t.Errorf("%s is not in the story with --show-secrets", want)
		}
	}
}

// TestHostileCuts: a recording that is cut anywhere is told up to the cut, and
// the cut is told; nothing crashes and nothing is made up.
func TestHostileCuts(t *testing.T) {
	t.Parallel()
	s := besiege(t)
	s.exchange("GET http://explainer.test/trusted HTTP/1.1\r\nHost: explainer.test\r\nConnection: close\r\n\r\n")
	s.get("tls12.explainer.test", "GET /trusted HTTP/1.0\r\nHost: tls12.explainer.test\r\n\r\n")
	whole := s.end()
	recording, err := os.ReadFile(s.recording)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(whole.text, "\n")
	boundaries := map[int]bool{}
	for n := 0; n < len(recording); n += int(binary.LittleEndian.Uint32(recording[n+4:])) {
		boundaries[n] = true
	}
	// Every length of the beginning, and then each boundary of a block and what is beside it.
	var lengths []int
	for n := range len(recording) {
		if n < 300 || boundaries[n] || boundaries[n-1] || boundaries[n+1] || boundaries[n-8] || boundaries[n-28] {
			lengths = append(lengths, n)
		}
	}
	before := 0
	for _, n := range lengths {
		if _, err := pcap.NewReader(bytes.NewReader(recording[:n])); err != nil {
			if n > 300 {
				t.Errorf("cut at %d: %v", n, err)
			}
			continue
		}
		var told bytes.Buffer
		err := story.New(new(annotate.Explainer), text.New(&told)).Follow(bytes.NewReader(recording[:n]))
		if cut := errors.As(err, new(*pcap.CutError)); cut == boundaries[n] || err != nil && !cut {
			t.Errorf("cut at %d, at a boundary of blocks: %v: %v", n, boundaries[n], err)
		}
		if strings.Contains(told.String(), "REFUTED") {
			t.Errorf("cut at %d: something is refuted\n%s", n, &told)
		}
		// The story of the part begins as that of the whole does.
		same := 0
		for i, line := range strings.Split(told.String(), "\n") {
			if i >= len(lines) || line != lines[i] {
				break
			}
			same++
		}
		if same < before {
			t.Errorf("cut at %d: only %d lines are as in the whole story, with less of it %d were", n, same, before)
		}
		before = max(before, same)
	}
	if before < 10 {
		t.Errorf("at most %d lines are as in the whole story", before)
	}
}

// traffic fetches pages through the proxy without pause until stop is called,
// which waits until it has ended; it returns once the first has come.
func (s *siege) traffic() (stop func()) {
	proxyURL := &url.URL{Scheme: "http", Host: s.addr}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	first := make(chan struct{}, 1)
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				tr := &http.Transport{Proxy: http.ProxyURL(proxyURL), TLSClientConfig: &tls.Config{RootCAs: s.roots}, ForceAttemptHTTP2: true}
				for _, page := range []string{"https://tls13.explainer.test/", "https://tls12.explainer.test/events", "http://explainer.test/"} {
					req, _ := http.NewRequestWithContext(ctx, "GET", page, nil)
					resp, err := tr.RoundTrip(req)
					if err != nil {
						continue
					}
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					select {
					case first <- struct{}{}:
					default:
					}
				}
				tr.CloseIdleConnections()
			}
		})
	}
	<-first
	return func() { cancel(); wg.Wait() }
}

// TestHostileSignals: during traffic, SIGTERM and Ctrl-C end the proxy in a few
// seconds with a complete recording (end checks it); a second Ctrl-C at once.
func TestHostileSignals(t *testing.T) {
	t.Parallel()
	t.Run("once", func(t *testing.T) {
		t.Parallel()
		s := besiege(t)
		stop := s.traffic()
		defer stop()
		s.end()
		out, err := exec.Command("tshark", "-r", s.recording, "-q", "-z", "expert,error").CombinedOutput()
		if err != nil || bytes.Contains(out, []byte("Errors")) {
			t.Errorf("tshark: %v\n%s", err, out)
		}
	})
	for _, second := range []bool{false, true} {
		t.Run(fmt.Sprintf("an answer without end, second: %v", second), func(t *testing.T) {
			t.Parallel()
			stall := origin(t, func(c *net.TCPConn) {
				for {
					if _, err := io.WriteString(c, "more "); err != nil {
						return
					}
					time.Sleep(50 * time.Millisecond) // a drip, not a wait
				}
			})
			s := besiege(t, "--map", "drip.test="+stall)
			c := s.tunnel("drip.test:23")
			io.WriteString(c, "?")
			c.Read(make([]byte, 1))
			began := time.Now()
			if second {
				s.cmd.Process.Signal(syscall.SIGTERM)
				time.AfterFunc(100*time.Millisecond, func() { s.cmd.Process.Signal(syscall.SIGTERM) })
			}
			a := s.end()
			if took := time.Since(began); second && took > 8*time.Second || took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
			a.says("The proxy ended the connection: it was told to stop.")
		})
	}
	t.Run("nobody reads the story", func(t *testing.T) {
		t.Parallel()
		// A story larger than a pipe holds.
		recording := filepath.Join(t.TempDir(), "session.pcapng")
		cmd := inHome(t, "proxy", "-p", "0", "--messages", "-w", recording)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		cmd.Stdout = w
		s := startSiege(t, cmd)
		w.Close()
		for range 4 {
			s.get("tls12.explainer.test", "GET /trusted HTTP/1.0\r\nHost: tls12.explainer.test\r\n\r\n")
		}
		cmd.Process.Signal(os.Interrupt)
		time.AfterFunc(200*time.Millisecond, func() { cmd.Process.Signal(os.Interrupt) })
		<-s.drained
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		retell(t, recording, text.New(io.Discard))
	})
	t.Run("killed", func(t *testing.T) {
		t.Parallel()
		s := besiege(t)
		stop := s.traffic()
		for size := int64(0); size < 64<<10; { // until there is something to lose
			info, err := os.Stat(s.recording)
			if err != nil {
				t.Fatal(err)
			}
			size = info.Size()
			time.Sleep(time.Millisecond)
		}
		s.cmd.Process.Kill()
		s.cmd.Wait()
		stop()
		out, err := exec.Command("explainer", "read", "-v", s.recording).CombinedOutput()
		var exit *exec.ExitError
		if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
			t.Errorf("%v", err)
		}
		if !bytes.Contains(out, []byte("its proxy was killed or had no room to write, or it still runs")) && !bytes.Contains(out, []byte("cut off in the middle of the block")) {
			t.Errorf("the cut is not told: %s", out[max(0, len(out)-500):])
		}
		if !bytes.Contains(out, []byte("== Session 1")) {
			t.Errorf("what was recorded is not told: %s", out[:min(len(out), 500)])
		}
	})
	t.Run("a child that ignores SIGTERM", func(t *testing.T) {
		t.Parallel()
		cmd := inHome(t, "run", "--", "sh", "-c", `trap "" TERM; echo ready; while :; do sleep .05; done`)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		bufio.NewReader(out).ReadString('\n')
		began := time.Now()
		cmd.Process.Signal(syscall.SIGTERM)
		err = cmd.Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 137 || time.Since(began) > 9*time.Second {
			t.Errorf("%v after %v, want 137, as a shell says of a child that was killed", err, time.Since(began))
		}
	})
}

// TestTerminal: on a terminal the story is folded to its width, at spaces
// alone; colours go there and nowhere else, unless asked otherwise.
func TestTerminal(t *testing.T) {
	t.Parallel()
	recording := filepath.Join(t.TempDir(), "demo.pcapng")
	if out, err := inHome(t, "demo", "-w", recording).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	plain, err := inHome(t, "read", recording).Output()
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{strings.Repeat("=", 60): true}
	for _, w := range strings.Fields(string(plain)) {
		words[w] = true
	}
	// script gives a program a terminal.
	terminal := func(columns int, command string, env ...string) string {
		cmd := exec.Command("script", "-qec", fmt.Sprintf("stty cols %d; %s", columns, command), "/dev/null")
		cmd.Env = append(os.Environ(), append([]string{"TERM=xterm", "NO_COLOR=", "SSLKEYLOGFILE="}, env...)...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("script: %v: %s", err, out)
		}
		return strings.ReplaceAll(string(out), "\r\n", "\n")
	}
	read := "explainer read " + recording
	for _, columns := range []int{60, 80, 100} {
		for line := range strings.Lines(terminal(columns, read, "NO_COLOR=1")) {
			line = strings.TrimSuffix(line, "\n")
			fields := strings.Fields(line)
			for _, w := range fields {
				if !words[w] && strings.Trim(w, "=") != "" && strings.Trim(w, "\u2500\u25ba\u25c4") != "" {
					t.Errorf("%d columns: the word %q has been broken or made: %q", columns, w, line)
				}
			}
			// A word that is longer than a line cannot be folded.
			if n := utf8.RuneCountInString(line); n > columns && len(fields) > 1 {
				t.Errorf("%d columns: a line of %d: %q", columns, n, line)
			}
		}
	}
	const escape = "\x1b["
	for _, tt := range []struct {
		command string
		env     []string
		colour  bool
	}{
		{read, nil, true},
		{read, []string{"NO_COLOR=1"}, false},
		{read, []string{"TERM=dumb"}, false},
		{read + " | cat", nil, false},
		{"explainer read --color never " + recording, nil, false},
		{"explainer read --color always " + recording, []string{"NO_COLOR=1", "TERM=dumb"}, true},
		{"explainer read --color always " + recording + " | cat", nil, true},
		{"explainer read --format json " + recording, nil, false},
	} {
		if out := terminal(100, tt.command, tt.env...); strings.Contains(out, escape) != tt.colour {
			t.Errorf("%s, %v: colours: %v, want %v", tt.command, tt.env, !tt.colour, tt.colour)
		}
	}
	// Without its colours the text is the same.
	coloured, err := inHome(t, "read", "--color", "always", recording).Output()
	if err != nil {
		t.Fatal(err)
	}
	if bare := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAll(coloured, nil); !bytes.Equal(bare, plain) {
		t.Error("the coloured text is another than the plain one")
	}
}
