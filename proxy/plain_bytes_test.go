package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"explainer/capture"
)

// A scripted is an origin that keeps what it got and answers by a script.
type scripted struct {
	addr  string
	mu    sync.Mutex
	conns []*bytes.Buffer
	open  int
	ended *sync.Cond // open is 0
}

var requestLine = regexp.MustCompile(`(?m)^\S+ \S+ HTTP/1\.[01]\r?\n`)

// scripted starts an origin for host that answers the n-th request line on a
// connection, once its head is there, with the n-th answer. It closes after the
// last one if that says so or has no end of its own, else when the client does.
func (r *rig) scripted(t *testing.T, host string, answers ...string) *scripted {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r.site(host, l.Addr().String())
	s := &scripted{addr: l.Addr().String()}
	s.ended = sync.NewCond(&s.mu)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			got := &bytes.Buffer{}
			s.mu.Lock()
			s.conns = append(s.conns, got)
			s.open++
			s.mu.Unlock()
			go func() {
				defer func() {
					c.Close()
					s.mu.Lock()
					s.open--
					s.ended.Broadcast()
					s.mu.Unlock()
				}()
				said, from := 0, 0 // from is where the head that is answered next is looked for
				for buf := make([]byte, 64<<10); ; {
					n, err := c.Read(buf)
					s.mu.Lock()
					got.Write(buf[:n])
					all := got.Bytes()
					s.mu.Unlock()
					for said < len(answers) && bytes.Contains(all[max(from, len(all)-n-3):], []byte("\r\n\r\n")) {
						line := requestLine.FindIndex(all[from:])
						if line == nil {
							break
						}
						head, _, whole := bytes.Cut(all[from+line[0]:], []byte("\r\n\r\n"))
						if !whole {
							break
						}
						from += line[0] + len(head) + 2
						if strings.Contains(answers[said], " 417 ") && !bytes.Contains(head, []byte("Expect")) {
							said++
						}
						io.WriteString(c, answers[said])
						said++
						if low := strings.ToLower(answers[said-1]); said == len(answers) && (strings.Contains(low, "connection: close") || !strings.Contains(low, "content-length") && !strings.Contains(low, "chunked") && !strings.Contains(low, " 204") && !strings.Contains(low, " 304")) {
							return
						}
					}
					if err != nil {
						return
					}
				}
			}()
		}
	}()
	return s
}

// got returns what came on each connection, once all have ended.
func (s *scripted) got() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.open > 0 {
		s.ended.Wait()
	}
	for _, b := range s.conns {
		all = append(all, b.String())
	}
	return all
}

// converse sends bytes to addr, then a FIN if fin is set, and returns all that comes back.
func converse(t *testing.T, addr, request string, fin bool) (string, error) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(c, request)
	if fin {
		c.(*net.TCPConn).CloseWrite()
	}
	b, err := io.ReadAll(c)
	return string(b), err
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// TestPlainPassesAsItCame: what the origin gets is what the client sent, and the
// other way round, byte for byte, but for the changes that the cases name. @ is the host.
func TestPlainPassesAsItCame(t *testing.T) {
	r := newRig(t, nil)
	const get = "GET http://@/ HTTP/1.1\r\nHost: @\r\n"
	const got = "GET / HTTP/1.1\r\nHost: @\r\n"
	for i, c := range []struct{ name, sent, got, answer, back string }{
		// The request line.
		{"path", "GET http://@/a%2Fb|c HTTP/1.1\r\nHost: @\r\n\r\n", "GET /a%2Fb|c HTTP/1.1\r\nHost: @\r\n\r\n", "", ""},
		{"dots", "GET http://@/x%2F..%2Fadmin\"/../%2e/ HTTP/1.1\r\nHost: @\r\n\r\n", "GET /x%2F..%2Fadmin\"/../%2e/ HTTP/1.1\r\nHost: @\r\n\r\n", "", ""},
		{"raw bytes", "GET http://@/%E4%F6%2F\xc3\xa4\xff HTTP/1.1\r\nHost: @\r\n\r\n", "GET /%E4%F6%2F\xc3\xa4\xff HTTP/1.1\r\nHost: @\r\n\r\n", "", ""},
		{"no encoding", "GET http://@/a%zz?%&=[]{}^`<>\\ HTTP/1.1\r\nHost: @\r\n\r\n", "GET /a%zz?%&=[]{}^`<>\\ HTTP/1.1\r\nHost: @\r\n\r\n", "", ""},
		{"no path", "GET http://@ HTTP/1.1\r\nHost: @\r\n\r\n", got + "\r\n", "", ""},
		{"query alone", "GET http://@?q=1 HTTP/1.1\r\nHost: @\r\n\r\n", "GET /?q=1 HTTP/1.1\r\nHost: @\r\n\r\n", "", ""},
		{"two slashes", "GET http://@//x//y?a?b//c HTTP/1.1\r\nHost: @\r\n\r\n", "GET //x//y?a?b//c HTTP/1.1\r\nHost: @\r\n\r\n", "", ""},
		{"a URL in it", "GET http://@/http://x.test/?u=http://y HTTP/1.1\r\nHost: @\r\n\r\n", "GET /http://x.test/?u=http://y HTTP/1.1\r\nHost: @\r\n\r\n", "", ""},
		{"scheme and name in capitals", "GET HTTP://@/ HTTP/1.1\r\nHost: @\r\n\r\n", got + "\r\n", "", ""},
		{"OPTIONS *", "OPTIONS http://@ HTTP/1.1\r\nHost: @\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: @\r\n\r\n", "", ""},
		{"OPTIONS /", "OPTIONS http://@/ HTTP/1.1\r\nHost: @\r\n\r\n", "OPTIONS / HTTP/1.1\r\nHost: @\r\n\r\n", "", ""},
		{"a method in lower case", "patch http://@/ HTTP/1.1\r\nHost: @\r\n\r\n", "patch / HTTP/1.1\r\nHost: @\r\n\r\n", "", ""},
		{"a method of its own", "x!#$%&'*+-.^_`|~9 http://@/ HTTP/1.1\r\nHost: @\r\n\r\n", "x!#$%&'*+-.^_`|~9 / HTTP/1.1\r\nHost: @\r\n\r\n", "", ""},
		{"connect in lower case", "connect http://@/ HTTP/1.1\r\nHost: @\r\n\r\n", "connect / HTTP/1.1\r\nHost: @\r\n\r\n", "", ""},
		{"HTTP/1.0", "GET http://@/ HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\nHost: @\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nold", ""},
		{"HTTP/1.0 keeps no connection", "GET http://@/ HTTP/1.0\r\nHost: @\r\nConnection: keep-alive\r\n\r\n", "GET / HTTP/1.0\r\nHost: @\r\n\r\n", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"},
		{"userinfo", "GET http://u:p@@/ HTTP/1.1\r\nHost: @\r\n\r\n", got + "\r\n", "", ""},
		{"port", "GET http://@:80/ HTTP/1.1\r\nHost: @\r\n\r\n", "GET / HTTP/1.1\r\nHost: @:80\r\n\r\n", "", ""},
		{"empty lines before", "\r\n\r\n" + get + "\r\n", got + "\r\n", "", ""},
		{"ws", "GET ws://@/ HTTP/1.1\r\nHost: @\r\n\r\n", got + "\r\n", "", ""},
		// Fields.
		{"order and case", get + "APP_Key: 1\r\nDNT: 1\r\nzz: \r\nX_Forwarded_For:a\r\nx-jenkins-JNLP:  b \t\r\nAccept: */*\r\nSec-WebSocket-Key: x\r\nCookie: b=2; a=1\r\nCookie: c\r\n\r\n", "", "", ""},
		{"latin-1 and UTF-8", get + "X-A: \xe4\xf6\r\nX-B: \xc3\xa4\r\n\r\n", "", "", ""},
		{"Host last", "GET http://@/ HTTP/1.1\r\nAccept: a\r\nhOST:@\r\n\r\n", "GET / HTTP/1.1\r\nAccept: a\r\nhOST:@\r\n\r\n", "", ""},
		{"Host of somebody else", "GET http://@/ HTTP/1.1\r\nA: b\r\nHost: evil.test\r\nC: d\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\nHost: @\r\nC: d\r\n\r\n", "", ""},
		{"hop by hop", get + "X-Hop: 1\r\nConnection: X-Hop, x-two\r\nX-Two: 2\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\nKeep-Alive: timeout=5\r\nTE: gzip\r\nUpgrade: x\r\nX-Stays: yes\r\n\r\n", got + "X-Stays: yes\r\n\r\n", "", ""},
		{"Connection of its own", get + "Connection: keep-alive\r\n\r\n", got + "Connection: keep-alive\r\n\r\n", "", ""},
		{"Connection: close", get + "Connection: X-A, close\r\nX-A: 1\r\n\r\n", got + "Connection: close\r\n\r\n", "", ""},
		{"TE: trailers", get + "TE: trailers\r\nConnection: TE\r\n\r\n", "", "", ""},
		{"TE with trailers", get + "TE: gzip;q=1, trailers\r\nConnection: TE, close\r\n\r\n", got + "TE: trailers\r\nConnection: TE, close\r\n\r\n", "", ""},
		{"Connection names what must stay", get + "Content-Length: 2\r\nConnection: host, content-length, transfer-encoding\r\n\r\nhi", got + "Content-Length: 2\r\n\r\nhi", "", ""},
		{"Trailer", "POST http://@/ HTTP/1.1\r\nHost: @\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"b\"\r\nhello\r\n000\r\nX-Sum: 1\r\nx-Late: 2\r\n\r\n", "", "", ""},
		{"Max-Forwards", "OPTIONS http://@/ HTTP/1.1\r\nHost: @\r\nMax-Forwards: 10\r\n\r\n", "OPTIONS / HTTP/1.1\r\nHost: @\r\nMax-Forwards: 9\r\n\r\n", "", ""},
		{"Max-Forwards of GET", get + "Max-Forwards: 0\r\n\r\n", "", "", ""},
		{"h2c", get + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", got + "\r\n", "", ""},
		{"Upgrade without Connection", get + "Upgrade: websocket\r\n\r\n", got + "\r\n", "", ""},
		{"a head of 3 MB", get + "X: " + strings.Repeat("x", 3<<20) + "\r\n\r\n", "", "", ""},
		// Bodies.
		{"GET with a body", get + "Content-Length: 5\r\n\r\nhello", "", "", ""},
		{"zeros in a length", get + "Content-Length: 005\r\n\r\nhello", "", "", ""},
		{"both lengths", "POST http://@/ HTTP/1.1\r\nHost: @\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "POST / HTTP/1.1\r\nHost: @\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "", ""},
		{"a body that breaks off", get + "Content-Length: 9\r\n\r\nhalf", "", "HTTP/1.1 400 Short\r\nContent-Length: 0\r\n\r\n", ""},
		{"chunks that break off", "POST http://@/ HTTP/1.1\r\nHost: @\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhel", "", "HTTP/1.1 400 Short\r\nContent-Length: 0\r\n\r\n", ""},
		// Answers.
		{"names and order", get + "\r\n", "", "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nWWW-Authenticate: Basic\r\nx_y:1\r\nSet-Cookie: b\r\nset-cookie: a\r\nContent-Length: 2\r\n\r\nok", ""},
		{"reason", get + "\r\n", "", "HTTP/1.1 299 Fine By Me\xe4\r\nContent-Length: 0\r\n\r\n", ""},
		{"no reason", get + "\r\n", "", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", ""},
		{"empty reason", get + "\r\n", "", "HTTP/1.1 999 \r\nContent-Length: 0\r\n\r\n", ""},
		{"before the answer", get + "\r\n", "", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 150 Mine\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ""},
		{"304", get + "\r\n", "", "HTTP/1.1 304 Not Modified\r\nContent-Length: 999\r\nETag: x\r\n\r\n", ""},
		{"204", get + "\r\n", "", "HTTP/1.1 204 No Content\r\n\r\n", ""},
		{"HEAD", "HEAD http://@/ HTTP/1.1\r\nHost: @\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: @\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", ""},
		{"HEAD in chunks", "HEAD http://@/ HTTP/1.1\r\nHost: @\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: @\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ""},
		{"chunks and trailers", get + "\r\n", "", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\nA;x\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n", ""},
		{"until the end", get + "\r\n", "", "HTTP/1.1 200 OK\r\n\r\nwhole", ""},
		{"HTTP/1.0 answer", get + "\r\n", "", "HTTP/1.0 200 OK\r\nX: y\r\n\r\nwhole", ""},
		{"kept by HTTP/1.0", get + "\r\n", "", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok", ""},
		{"a part of the body", get + "\r\n", "", "HTTP/1.1 500 Disk full\r\nX-Why: disk\r\nContent-Length: 99\r\nConnection: close\r\n\r\nhalf", ""},
		{"a part of a chunk", get + "\r\n", "", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n9\r\nhalf", ""},
		{"a part of a head", get + "\r\n", "", "HTTP/1.1 200 OK\r\nX-Half", ""},
		{"nothing", get + "\r\n", "", "-", "-"},
		{"hop by hop back", get + "\r\n", "", "HTTP/1.1 200 OK\r\nX-One: 1\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nConnection: close, X-Hop\r\nProxy-Connection: close\r\n\r\nbody", "HTTP/1.1 200 OK\r\nX-One: 1\r\nConnection: close\r\n\r\nbody"},
		{"407", get + "\r\n", "", "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n", ""},
		{"both lengths back", get + "\r\n", "", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
		{"no Date to a 101", get + "Connection: Upgrade\r\nUpgrade: mine/1\r\n\r\n", "", "HTTP/1.1 101 Go\r\nUpgrade: mine/1\r\nConnection: Upgrade\r\n\r\nhello in mine", ""},
		{"websocket", "GET ws://@/c HTTP/1.1\r\nHost: @\r\nSec-WebSocket-Key: x\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\r\n", "GET /c HTTP/1.1\r\nHost: @\r\nSec-WebSocket-Key: x\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: y\r\n\r\n\x81\x02hi", ""},
		{"LF alone back", get + "\r\n", "", "HTTP/1.1 200 OK\nContent-Length: 2\nConnection: close\n\nok", "HTTP/1.1 200 OK\r\nContent-Length: 2\nConnection: close\n\r\nok"},
		{"folded back", get + "\r\n", "", "HTTP/1.1 200 OK\r\nX: a\r\n  b\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", "HTTP/1.1 200 OK\r\nX: a    b\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"},
		{"odd names back", get + "\r\n", "", "HTTP/1.1 200 OK\r\nX-B : v\r\nno colon\r\nX y: z\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", "HTTP/1.1 200 OK\r\nX-B: v\r\nno colon\r\nX y: z\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"},
		{"ICY", get + "\r\n", "", "ICY 200 OK\r\nicy-name: radio\r\n\r\nnoise", ""},
		{"HTTP/0.9", get + "\r\n", "", "<html>old</html>", ""},
		{"version in lower case", get + "\r\n", "", "http/1.1 200 OK\r\n\r\nold", ""},
		{"chunks of HTTP/1.0", get + "\r\n", "", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n", ""},
		{"another coding", get + "\r\n", "", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nConnection: close\r\n\r\nzipped", ""},
	} {
		host := fmt.Sprintf("c%d.test", i)
		at := func(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "@@", "%40"+host), "@", host) }
		answer := at(c.answer)
		switch answer {
		case "":
			answer = ok
		case "-":
			answer = ""
		}
		s := r.scripted(t, host, answer)
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sent := strings.ReplaceAll(at(c.sent), "%40", "@")
			want, back := at(c.got), at(c.back)
			if want == "" {
				want = strings.Replace(sent, "http://"+host, "", 1)
			}
			switch back {
			case "":
				back = answer
			case "-":
				back = ""
			}
			client, err := converse(t, r.addr, sent, true)
			if err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Error(err)
			}
			if got := s.got(); len(got) != 1 || got[0] != want {
				t.Errorf("the origin got\n%.300q, want\n%.300q", got, want)
			}
			if client != back {
				t.Errorf("the client got\n%.300q, want\n%.300q", client, back)
			}
		})
	}
}

// TestPlainRandomHeads: of a random head the origin gets the same, but for the target's form and the lines that go.
func TestPlainRandomHeads(t *testing.T) {
	r := newRig(t, nil)
	rnd := rand.New(rand.NewPCG(1, 2))
	text := func(n int, alphabet string) string {
		b := make([]byte, rnd.IntN(n))
		for i := range b {
			b[i] = alphabet[rnd.IntN(len(alphabet))]
		}
		return string(b)
	}
	var token, value, path string
	for b := byte(1); b != 0; b++ {
		if isTokenByte(b) {
			token += string([]byte{b})
		}
		if b > ' ' && b != 0x7f {
			path += string([]byte{b})
		}
		if b >= ' ' && b != 0x7f || b == '\t' {
			value += string([]byte{b})
		}
	}
	goes := []string{"Keep-Alive: x\r\n", "Proxy-Connection: y\r\n", "proxy-authorization: z\r\n", "X-Named:\r\n", "TE:gzip\r\n", "Upgrade: h2c\r\n"}
	s := r.scripted(t, "shop.test", slices.Repeat([]string{ok}, 300)...)
	var want strings.Builder
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	for range 300 {
		method := "m" + text(20, token)
		rest := "/" + text(60, path)
		head, gone := []string{"Host:\tshop.test\r\n"}, []string{"Connection: x-NAMED\r\n"}
		for range rnd.IntN(20) {
			head = append(head, "z"+text(12, token)+":"+text(40, value)+"\r\n")
		}
		for range rnd.IntN(4) {
			gone = append(gone, goes[rnd.IntN(len(goes))])
		}
		rnd.Shuffle(len(head), func(i, j int) { head[i], head[j] = head[j], head[i] })
		all := slices.Clone(head)
		for _, g := range gone {
			all = slices.Insert(all, rnd.IntN(len(all)+1), g)
		}
		body := text(30, value) + "\r\n"
		length := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
		fmt.Fprintf(c, "%s http://shop.test%s HTTP/1.1\r\n%s%s", method, rest, strings.Join(all, ""), length)
		fmt.Fprintf(&want, "%s %s HTTP/1.1\r\n%s%s", method, rest, strings.Join(head, ""), length)
		back := make([]byte, len(ok))
		if _, err := io.ReadFull(c, back); err != nil || string(back) != ok {
			t.Fatalf("%q, %v", back, err)
		}
	}
	c.Close()
	if got := s.got(); len(got) != 1 || got[0] != want.String() {
		t.Errorf("the origin got\n%.2000q, want\n%.2000q", got, want.String())
	}
	items := r.items()
	checkRecording(t, items)
}

// TestPlainSmuggling: of what two readers could take differently, the origin gets
// nothing, or no whole request and the end. Behind each stands a second request,
// which must not arrive: not as a part of the first, nor after it.
func TestPlainSmuggling(t *testing.T) {
	r := newRig(t, nil)
	const post = "POST http://@/ HTTP/1.1\r\nHost: @\r\n"
	const chunks = "5\r\nhello\r\n0\r\n\r\n"
	const chunked = post + "Transfer-Encoding: chunked\r\n\r\n"
	const behind = "GET http://@/smuggled HTTP/1.1\r\nHost: @\r\n\r\n"
	for i, c := range []struct{ name, sent string }{
		{"space before the colon", post + "Transfer-Encoding : chunked\r\n\r\n" + chunks},
		{"tab before the colon", post + "Transfer-Encoding\t: chunked\r\n\r\n" + chunks},
		{"space before a Content-Length's colon", post + "Content-Length : 5\r\n\r\nhello"},
		{"xchunked", post + "Transfer-Encoding: xchunked\r\n\r\n" + chunks},
		{"quoted", post + "Transfer-Encoding: \"chunked\"\r\n\r\n" + chunks},
		{"tab before chunked", post + "Transfer-Encoding:\tchunked\r\n\r\n" + chunks},
		{"tab behind chunked", post + "Transfer-Encoding: chunked\t\r\n\r\n" + chunks},
		{"vertical tab", post + "Transfer-Encoding:\vchunked\r\n\r\n" + chunks},
		{"form feed", post + "Transfer-Encoding: \fchunked\r\n\r\n" + chunks},
		{"vertical tab in the name", post + "Transfer-Encoding\v: chunked\r\n\r\n" + chunks},
		{"no-break space", post + "Transfer-Encoding: \xa0chunked\r\n\r\n" + chunks},
		{"high bit in the name", post + "Transfer-\xc5ncoding\xff: chunked\r\n\r\n" + chunks},
		{"twice", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks},
		{"and identity", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + chunks},
		{"chunked, identity", post + "Transfer-Encoding: chunked, identity\r\n\r\n" + chunks},
		{"identity, chunked", post + "Transfer-Encoding: identity, chunked\r\n\r\n" + chunks},
		{"chunked, chunked", post + "Transfer-Encoding: chunked, chunked\r\n\r\n" + chunks},
		{"chunked not last", post + "Transfer-Encoding: chunked, gzip\r\n\r\n" + chunks},
		{"identity alone", post + "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello"},
		{"no coding", post + "Transfer-Encoding:\r\nContent-Length: 5\r\n\r\nhello"},
		{"comma", post + "Transfer-Encoding: ,chunked\r\n\r\n" + chunks},
		{"parameter", post + "Transfer-Encoding: chunked;q=1\r\n\r\n" + chunks},
		{"HTTP/1.0 in chunks", "POST http://@/ HTTP/1.0\r\nHost: @\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks},
		{"HTTP/1.0 with both", "POST http://@/ HTTP/1.0\r\nHost: @\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks},
		{"two lengths", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"},
		{"two equal lengths", post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"},
		{"a list of lengths", post + "Content-Length: 5, 5\r\n\r\nhello"},
		{"+5", post + "Content-Length: +5\r\n\r\nhello"},
		{"-5", post + "Content-Length: -5\r\n\r\nhello"},
		{"5 5", post + "Content-Length: 5 5\r\n\r\nhello"},
		{"0x5", post + "Content-Length: 0x5\r\n\r\nhello"},
		{"5.0", post + "Content-Length: 5.0\r\n\r\nhello"},
		{"5e0", post + "Content-Length: 5e0\r\n\r\nhello"},
		{"1_0", post + "Content-Length: 1_0\r\n\r\nhellohello"},
		{"empty length", post + "Content-Length:\r\n\r\nhello"},
		{"huge length", post + "Content-Length: 18446744073709551621\r\n\r\nhello"},
		{"larger than 63 bits", post + "Content-Length: 9223372036854775808\r\n\r\nhello"},
		{"a tab beside the length", post + "Content-Length:\t5\r\n\r\nhello"},
		{"digits of another script", post + "Content-Length: \xd9\xa5\r\n\r\nhello"},
		{"LF alone", "POST http://@/ HTTP/1.1\nHost: @\nContent-Length: 5\n\nhello"},
		{"LF in one line", post + "X: y\nTransfer-Encoding: chunked\r\n\r\n" + chunks},
		{"CR alone", post + "X: y\rTransfer-Encoding: chunked\r\n\r\n" + chunks},
		{"CR CR LF", post + "X: y\r\r\nContent-Length: 5\r\n\r\nhello"},
		{"LF ends the head", post + "Content-Length: 5\r\n\nhello"},
		{"CR in the request line", "GET http://@/\rx HTTP/1.1\r\nHost: @\r\n\r\n"},
		{"folded", post + "Transfer-Encoding:\r\n chunked\r\n\r\n" + chunks},
		{"folded with a tab", post + "X: y\r\n\tTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"},
		{"space before the first field", "POST http://@/ HTTP/1.1\r\n X: y\r\nHost: @\r\n\r\n"},
		{"NUL in a value", post + "X: a\x00b\r\n\r\n"},
		{"NUL in a name", post + "Transfer\x00-Encoding: chunked\r\n\r\n" + chunks},
		{"NUL in the target", "GET http://@/\x00 HTTP/1.1\r\nHost: @\r\n\r\n"},
		{"no colon", post + "Transfer-Encoding chunked\r\n\r\n" + chunks},
		{"empty name", post + ": x\r\n\r\n"},
		{"name with a space", post + "X Y: z\r\n\r\n"},
		{"bell", post + "X: \a\r\n\r\n"},
		{"two Hosts", post + "Host: evil.test\r\n\r\n"},
		{"two equal Hosts", post + "Host: @\r\n\r\n"},
		{"no Host", "GET http://@/ HTTP/1.1\r\n\r\n"},
		{"space in the target", "GET http://@/a b HTTP/1.1\r\nHost: @\r\n\r\n"},
		{"two spaces", "GET  http://@/ HTTP/1.1\r\nHost: @\r\n\r\n"},
		{"tab in the request line", "GET\thttp://@/ HTTP/1.1\r\nHost: @\r\n\r\n"},
		{"space behind the version", "GET http://@/ HTTP/1.1 \r\nHost: @\r\n\r\n"},
		{"HTTP/0.9", "GET http://@/\r\n\r\n"},
		{"HTTP/2.0", "GET http://@/ HTTP/2.0\r\nHost: @\r\n\r\n"},
		{"HTTP/1.2", "GET http://@/ HTTP/1.2\r\nHost: @\r\n\r\n"},
		{"HTTP/1.10", "GET http://@/ HTTP/1.10\r\nHost: @\r\n\r\n"},
		{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
		{"two at signs", "GET http://a%@b%@evil.test/ HTTP/1.1\r\nHost: @\r\n\r\n"},
		{"backslash in the host", "GET http://evil.test\\%@/ HTTP/1.1\r\nHost: @\r\n\r\n"},
		{"port that is none", "GET http://@:80x/ HTTP/1.1\r\nHost: @\r\n\r\n"},
		{"port 0", "GET http://@:0/ HTTP/1.1\r\nHost: @\r\n\r\n"},
		{"port too large", "GET http://@:65616/ HTTP/1.1\r\nHost: @\r\n\r\n"},
		{"no host", "GET http:///x HTTP/1.1\r\nHost: @\r\n\r\n"},
		{"another scheme", "GET ftp://@/ HTTP/1.1\r\nHost: @\r\n\r\n"},
		{"wss", "GET wss://@/ HTTP/1.1\r\nHost: @\r\n\r\n"},
		{"target without a slash", "GET x HTTP/1.1\r\nHost: @\r\n\r\n"},
		{"Max-Forwards twice", "TRACE http://@/ HTTP/1.1\r\nHost: @\r\nMax-Forwards: 1\r\nMax-Forwards: 0\r\n\r\n"},
		{"Max-Forwards -1", "TRACE http://@/ HTTP/1.1\r\nHost: @\r\nMax-Forwards: -1\r\n\r\n"},
		{"head without end", post + "X: " + strings.Repeat("x", headLimit)},
		{"no request", "\x16\x03\x01\x00\x05hello"},
		// Bodies in chunks: the origin has the head by then.
		{"chunk size with a sign", chunked + "+5\r\nhello\r\n0\r\n\r\n"},
		{"chunk size with 0x", chunked + "0x5\r\nhello\r\n0\r\n\r\n"},
		{"chunk size with an underscore", chunked + "1_0\r\nhello\r\n0\r\n\r\n"},
		{"chunk size with a space before", chunked + " 5\r\nhello\r\n0\r\n\r\n"},
		{"chunk size with a space behind", chunked + "5 \r\nhello\r\n0\r\n\r\n"},
		{"empty chunk size", chunked + "\r\nhello\r\n0\r\n\r\n"},
		{"chunk size too large", chunked + "ffffffffffffffff1\r\nhello\r\n0\r\n\r\n"},
		{"chunk size beyond 64 bits", chunked + "10000000000000005\r\nhello\r\n0\r\n\r\n"},
		{"chunk size negative in 64 bits", chunked + "ffffffffffffffff\r\nhello\r\n0\r\n\r\n"},
		{"chunk size of letters", chunked + "5g\r\nhello\r\n0\r\n\r\n"},
		{"LF behind the chunk size", chunked + "5\nhello\r\n0\r\n\r\n"},
		{"LF in an extension", chunked + "5;\nxx\r\nhello\r\n0\r\n\r\n"},
		{"CR in an extension", chunked + "5;a\rb\r\nhello\r\n0\r\n\r\n"},
		{"LF behind an extension", chunked + "5;a=b\nhello\r\n0\r\n\r\n"},
		{"NUL in an extension", chunked + "5;\x00\r\nhello\r\n0\r\n\r\n"},
		{"extension without a semicolon", chunked + "5 a=b\r\nhello\r\n0\r\n\r\n"},
		{"no line end behind a chunk", chunked + "5\r\nhello0\r\n\r\n"},
		{"two bytes behind a chunk", chunked + "5\r\nhelloXX0\r\n\r\n"},
		{"LF behind a chunk", chunked + "5\r\nhello\n0\r\n\r\n"},
		{"CR behind a chunk", chunked + "5\r\nhello\r0\r\n\r\n"},
		{"LF ends the chunks", chunked + "5\r\nhello\r\n0\r\n\n"},
		{"LF behind the last size", chunked + "5\r\nhello\r\n0\n\r\n"},
		{"LF in the trailers", chunked + "5\r\nhello\r\n0\r\nX: y\n\r\n"},
		{"a length in the trailers", chunked + "5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n"},
		{"a coding in the trailers", chunked + "5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"},
		{"a host in the trailers", chunked + "5\r\nhello\r\n0\r\nhost: evil.test\r\n\r\n"},
		{"folded trailers", chunked + "5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n"},
		{"trailers without a colon", chunked + "5\r\nhello\r\n0\r\nGET /smuggled HTTP/1.1\r\n\r\n"},
		{"an endless extension", chunked + "5;" + strings.Repeat("x", bufferSize)},
	} {
		host := fmt.Sprintf("s%d.test", i)
		s := r.scripted(t, host, "", ok) // the first is never answered
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			at := func(s string) string {
				return strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(s, "%@", "\x01"), "@", host), "\x01", "@")
			}
			got, err := converse(t, r.addr, at(c.sent)+at(behind), false)
			if err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Error(err)
			}
			if status := regexp.MustCompile(`^HTTP/1\.[01] (400|431|501|505) `); !status.MatchString(got) || strings.Count(got, "HTTP/1.1 ")+strings.Count(got, "HTTP/1.0 ") < 1 || !strings.Contains(got, "Connection: close\r\n") || !strings.Contains(got, "This answer comes from explainer") {
				t.Errorf("the client got %.300q", got)
			}
			for _, got := range s.got() {
				if strings.Contains(got, "smuggled") && !strings.Contains(c.name, "trailers") {
					t.Errorf("the origin got %q", got)
				}
				if head, body, ok := strings.Cut(got, "\r\n\r\n"); !ok || !strings.Contains(head, "\r\nTransfer-Encoding: chunked") || strings.Contains(body, "0\r\n\r\n") {
					t.Errorf("the origin got %q: a whole request", got)
				}
			}
		})
	}
}

// TestPlainOneRequestAtATime: what comes behind a whole request is the next one, however it looks.
func TestPlainOneRequestAtATime(t *testing.T) {
	r := newRig(t, nil)
	const behind = "GET http://@/two HTTP/1.1\r\nHost: @\r\nConnection: close\r\n\r\n"
	const two = "GET /two HTTP/1.1\r\nHost: @\r\nConnection: close\r\n\r\n"
	last := strings.Replace(ok, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)
	for i, c := range []struct{ name, sent, got, answer, back string }{
		{"GET with a request for a body", "GET http://@/ HTTP/1.1\r\nHost: @\r\nContent-Length: 36\r\n\r\nGET /smuggled HTTP/1.1\r\nX: ignored\r\n", "GET / HTTP/1.1\r\nHost: @\r\nContent-Length: 36\r\n\r\nGET /smuggled HTTP/1.1\r\nX: ignored\r\n" + two, ok, ok + last},
		{"Connection: Content-Length", "POST http://@/ HTTP/1.1\r\nHost: @\r\nConnection: Content-Length\r\nContent-Length: 5\r\n\r\nhello", "POST / HTTP/1.1\r\nHost: @\r\nContent-Length: 5\r\n\r\nhello" + two, ok, ok + last},
		{"both lengths end the connection", "POST http://@/ HTTP/1.1\r\nHost: @\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "POST / HTTP/1.1\r\nHost: @\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ok, ok},
		{"two answers to one request", "GET http://@/ HTTP/1.1\r\nHost: @\r\n\r\n", "GET / HTTP/1.1\r\nHost: @\r\n\r\n", ok + ok, ok},
		{"HEAD with a body", "HEAD http://@/ HTTP/1.1\r\nHost: @\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: @\r\n\r\n", ok, strings.TrimSuffix(ok, "ok")},
		{"204 with a body", "GET http://@/ HTTP/1.1\r\nHost: @\r\n\r\n", "GET / HTTP/1.1\r\nHost: @\r\n\r\n", "HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n"},
		{"304 with a body", "GET http://@/ HTTP/1.1\r\nHost: @\r\n\r\n", "GET / HTTP/1.1\r\nHost: @\r\n\r\n", "HTTP/1.1 304 No\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 304 No\r\nContent-Length: 2\r\n\r\n"},
		{"both lengths in the answer", "GET http://@/ HTTP/1.1\r\nHost: @\r\n\r\n", "GET / HTTP/1.1\r\nHost: @\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
		{"a chunk without a size in the answer", "GET http://@/ HTTP/1.1\r\nHost: @\r\n\r\n", "GET / HTTP/1.1\r\nHost: @\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0x\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"},
		{"an answer that ends with LF", "GET http://@/ HTTP/1.1\r\nHost: @\r\n\r\n", "GET / HTTP/1.1\r\nHost: @\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;\nok\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
		{"a body before its answer's end", "GET http://@/ HTTP/1.1\r\nHost: @\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "GET / HTTP/1.1\r\nHost: @\r\n\r\n" + two, ok, ok + last},
		{"websocket refused", "GET http://@/ HTTP/1.1\r\nHost: @\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 1777\r\n\r\n", "GET / HTTP/1.1\r\nHost: @\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 1777\r\n\r\n" + two, "HTTP/1.1 426 No\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 426 No\r\nContent-Length: 0\r\n\r\n" + last},
	} {
		host := fmt.Sprintf("o%d.test", i)
		s := r.scripted(t, host, c.answer, last)
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			at := func(s string) string { return strings.ReplaceAll(s, "@", host) }
			back, err := converse(t, r.addr, at(c.sent)+at(behind), false)
			if err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Error(err)
			}
			if got := s.got(); len(got) != 1 || got[0] != at(c.got) {
				t.Errorf("the origin got\n%q, want\n%q", got, at(c.got))
			}
			if back != c.back {
				t.Errorf("the client got\n%q, want\n%q", back, c.back)
			}
		})
	}
}

// TestPlainBadAnswers: an answer that two clients could take differently is not passed on.
func TestPlainBadAnswers(t *testing.T) {
	r := newRig(t, nil)
	for i, c := range []struct{ answer, why string }{
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!", "differ"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok!", "differ"},
		{"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", "no number"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok", "too large"},
		{"HTTP/1.1 200 OK\r\nX: a\rContent-Length: 2\r\n\r\nok", "CR"},
		{"HTTP/1.1 200 OK\r\nX: a\x00\r\nContent-Length: 2\r\n\r\nok", "zero"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding\v: chunked\r\nContent-Length: 2\r\n\r\nok", "how long"},
		{"HTTP/1.1 200 OK\r\n\x01Content-Length: 1\r\nContent-Length: 2\r\n\r\nok", "how long"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: \vchunked\r\nContent-Length: 2\r\n\r\nok", "control"},
		{"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n", "nobody had asked"},
		{"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", headLimit), "8 MiB"},
	} {
		host := fmt.Sprintf("a%d.test", i)
		s := r.scripted(t, host, c.answer)
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			back, err := converse(t, r.addr, "GET http://"+host+"/ HTTP/1.1\r\nHost: x\r\n\r\nGET http://"+host+"/two HTTP/1.1\r\nHost: x\r\n\r\n", false)
			if err != nil || !strings.HasPrefix(back, "HTTP/1.1 502 ") || !strings.Contains(back, c.why) || strings.Count(back, "HTTP/1.1 502") != 1 {
				t.Errorf("%.500q, %v", back, err)
			}
			if got := s.got(); len(got) != 1 || strings.Contains(got[0], "two") {
				t.Errorf("the origin got %q", got)
			}
		})
	}
}

// TestPlainDoubtfulEnd: while an answer runs of which a client may see the end
// earlier than the proxy does, nothing of another origin is given to it.
func TestPlainDoubtfulEnd(t *testing.T) {
	r := newRig(t, nil)
	for i, answer := range []string{
		"ICY 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, x\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX Content-Length: 2\r\n\r\nok",
	} {
		host := fmt.Sprintf("d%d.test", i)
		r.tcpOriginOn(t, host, func(c net.Conn) {
			readHead(t, c)
			io.WriteString(c, answer)
			io.Copy(io.Discard, c) // and leaves it open
		})
		bank := r.scripted(t, "bank"+host, ok)
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(20 * time.Second))
			fmt.Fprintf(c, "GET http://%s/ HTTP/1.1\r\nHost: x\r\n\r\n", host)
			if _, err := io.ReadFull(c, make([]byte, len(answer))); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(c, "GET http://bank%s/ HTTP/1.1\r\nHost: x\r\n\r\n", host)
			if b, _ := io.ReadAll(c); len(b) > 0 {
				t.Errorf("%q", b)
			}
			if got := bank.got(); len(got) != 0 {
				t.Errorf("the bank got %q", got)
			}
		})
	}
}

// TestPlainLargeHeads: what a head costs grows with its length alone.
func TestPlainLargeHeads(t *testing.T) {
	r := newRig(t, nil)
	options, many, folds := strings.Repeat("a,", 1<<18), strings.Repeat("b:c\r\n", 1<<18), strings.Repeat("\r\n ", 1<<18)
	s := r.scripted(t, "shop.test", "HTTP/1.1 200 "+strings.Repeat("x", 1<<20)+"\r\nX: y"+folds+"\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
	got, err := converse(t, r.addr, "GET http://shop.test/ HTTP/1.1\r\nHost: shop.test\r\nConnection: "+options+"\r\n"+many+"\r\n", false)
	if !strings.HasSuffix(got, "\r\n\r\nok") || err != nil {
		t.Errorf("%d bytes, %v: %.200q", len(got), err, got)
	}
	if got := s.got(); len(got) != 1 || got[0] != "GET / HTTP/1.1\r\nHost: shop.test\r\n"+many+"\r\n" {
		t.Errorf("%d", len(got))
	}
}

// tcpOriginOn starts an origin for host that serves each connection with f.
func (r *rig) tcpOriginOn(t *testing.T, host string, f func(net.Conn)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r.site(host, l.Addr().String())
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(20 * time.Second))
				f(c)
			}()
		}
	}()
}

// TestPlainUnasked: what an origin says on a kept connection is not taken for an
// answer, and ends it; so does the origin's end.
func TestPlainUnasked(t *testing.T) {
	r := newRig(t, nil)
	for name, then := range map[string]func(net.Conn){
		"unasked": func(c net.Conn) { io.WriteString(c, ok); io.Copy(io.Discard, c) },
		"ended":   func(c net.Conn) {},
		"reset":   func(c net.Conn) { c.(*net.TCPConn).SetLinger(0) },
	} {
		told := make(chan struct{})
		r.tcpOriginOn(t, name+".test", func(c net.Conn) {
			readHead(t, c)
			io.WriteString(c, ok)
			<-told
			then(c)
		})
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(20 * time.Second))
			fmt.Fprintf(c, "GET http://%s.test/ HTTP/1.1\r\nHost: x\r\n\r\n", name)
			if _, err := io.ReadFull(c, make([]byte, len(ok))); err != nil {
				t.Fatal(err)
			}
			close(told)
			if b, err := io.ReadAll(c); len(b) > 0 || err != nil {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
}

// TestPlainAtOnce: each part of an exchange arrives before the next one is sent.
func TestPlainAtOnce(t *testing.T) {
	r := newRig(t, nil)
	step := make(chan string)
	from := make(chan string)
	r.tcpOriginOn(t, "shop.test", func(c net.Conn) {
		go func() {
			for buf := make([]byte, 4096); ; {
				n, err := c.Read(buf)
				if n > 0 {
					from <- string(buf[:n])
				}
				if err != nil {
					close(from)
					return
				}
			}
		}()
		for s := range step {
			io.WriteString(c, s)
		}
	})
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	up := func(s, want string) {
		t.Helper()
		io.WriteString(c, s)
		for got := ""; got != want; {
			s, ok := <-from
			if got += s; !ok || len(got) > len(want) {
				t.Fatalf("%q, want %q", got, want)
			}
		}
	}
	down := func(s string) {
		t.Helper()
		step <- s
		b := make([]byte, len(s))
		if _, err := io.ReadFull(c, b); err != nil || string(b) != s {
			t.Fatalf("%q, %v", b, err)
		}
	}
	up("POST http://shop.test/ HTTP/1.1\r\nHost: shop.test\r\nExpect: 100-continue\r\nContent-Length: 6\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: shop.test\r\nExpect: 100-continue\r\nContent-Length: 6\r\n\r\n")
	down("HTTP/1.1 102 Wait\r\n\r\n")
	down("HTTP/1.1 100 Continue\r\nX: own\r\n\r\n")
	up("abc", "abc")
	down("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
	up("d", "d")
	down("1")
	up("ef", "ef")
	down("2")
	down("34")
	up("PUT http://shop.test/ HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", "PUT / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n")
	up("ab", "ab")
	down("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
	down("5\r\nda")
	up("cde\r\n0\r\nX-Sum: 1\r\n\r\n", "cde\r\n0\r\nX-Sum: 1\r\n\r\n")
	down("ta:\r\n")
	down("0\r\nX: y\r\n\r\n")
	// The client ends its side, and waits as long as the origin does.
	io.WriteString(c, "GET http://shop.test/ HTTP/1.1\r\nHost: shop.test\r\n\r\n")
	c.(*net.TCPConn).CloseWrite()
	for range from { // up to the FIN
	}
	down(ok)
	close(step)
	if b, err := io.ReadAll(c); len(b) > 0 || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	items := r.items()
	checkRecording(t, items)
	for _, f := range facts(items, capture.FactClosed) {
		if f.Outcome != "client" {
			t.Errorf("%+v", f)
		}
	}
}

// TestPlainExpectRefused: after a final answer in place of 100 Continue nobody
// knows whether the body still comes. After a 417 the client may ask again, that
// origin alone; after any other the connection ends.
func TestPlainExpectRefused(t *testing.T) {
	r := newRig(t, nil)
	const post = "POST http://@/ HTTP/1.1\r\nHost: @\r\nExpect: 100-continue\r\nContent-Length: 200\r\n\r\n"
	for name, c := range map[string]struct{ no, then, back string }{
		"401":        {"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno", "GET http://@/again HTTP/1.1\r\nHost: @\r\n\r\n", "^$"},
		"417":        {"HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno", "GET http://@/again HTTP/1.1\r\nHost: @\r\n\r\n", "^" + ok + "$"},
		"417, other": {"HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno", "GET http://bank/again HTTP/1.1\r\nHost: bank\r\n\r\n", "^HTTP/1.1 400 .*(?s:.*)body of the request before"},
		"417, body":  {"HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno", strings.Repeat("x ", 100) + "\r\n", "^HTTP/1.1 400 "},
	} {
		host := strings.ReplaceAll(name, ", ", "-") + ".test"
		s := r.scripted(t, host, c.no, ok)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := func(s string) string { return strings.ReplaceAll(s, "@", host) }
			conn, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			io.WriteString(conn, at(post))
			no := make([]byte, len(c.no))
			if _, err := io.ReadFull(conn, no); err != nil || string(no) != c.no {
				t.Fatalf("%q, %v", no, err)
			}
			io.WriteString(conn, at(c.then))
			conn.(*net.TCPConn).CloseWrite()
			back, _ := io.ReadAll(conn)
			if !regexp.MustCompile(c.back).Match(back) {
				t.Errorf("%q", back)
			}
			if got := s.got(); !strings.HasSuffix(got[0], "Content-Length: 200\r\n\r\n") || len(got) > 1 && name != "417" {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestPlainVanishedClient: the origin learns at once that the client has gone.
func TestPlainVanishedClient(t *testing.T) {
	r := newRig(t, nil)
	for name, linger := range map[string]int{"reset": 0, "closed": -1} {
		asked, gone := make(chan struct{}), make(chan error, 1)
		r.tcpOriginOn(t, name+".test", func(c net.Conn) {
			readHead(t, c)
			close(asked)
			_, err := c.Read(make([]byte, 1))
			gone <- err
		})
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(c, "GET http://%s.test/ HTTP/1.1\r\nHost: x\r\n\r\n", name)
			<-asked
			c.(*net.TCPConn).SetLinger(linger)
			c.Close()
			if err := <-gone; name == "reset" && !errors.Is(err, syscall.ECONNRESET) || name == "closed" && err != io.EOF {
				t.Error(err)
			}
		})
	}
}

// TestPlainNeverTwice: a request that gets no answer on a kept connection is not sent again.
func TestPlainNeverTwice(t *testing.T) {
	r := newRig(t, nil)
	s := r.scripted(t, "shop.test", ok, "")
	got, err := converse(t, r.addr, strings.Repeat("GET http://shop.test/ HTTP/1.1\r\nHost: shop.test\r\n\r\n", 2), false)
	if got != ok || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got := s.got(); len(got) != 1 || strings.Count(got[0], "GET / ") != 2 {
		t.Errorf("%q", got)
	}
}

// TestPlainSeveralOrigins: one client connection may ask several origins, one after the other.
func TestPlainSeveralOrigins(t *testing.T) {
	r := newRig(t, nil)
	one, two := r.scripted(t, "one.test", ok, ok), r.scripted(t, "two.test", ok, ok)
	var all string
	for range 2 {
		for _, host := range []string{"one.test", "two.test"} {
			all += "GET http://" + host + "/ HTTP/1.1\r\nHost: " + host + "\r\n\r\n"
		}
	}
	got, err := converse(t, r.addr, all, true)
	if got != strings.Repeat(ok, 4) || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if n, m := len(one.got()), len(two.got()); n != 2 || m != 2 {
		t.Errorf("%d and %d connections", n, m)
	}
	items := r.items()
	checkRecording(t, items)
	if n := len(facts(items, capture.FactPlainHTTP)); n != 4 {
		t.Errorf("%d facts", n)
	}
}

// TestPlainLastStop: TRACE and OPTIONS that may go no further end here (RFC 9110 7.6.2).
func TestPlainLastStop(t *testing.T) {
	r := newRig(t, nil)
	got, err := converse(t, r.addr, "TRACE http://shop.test/x HTTP/1.1\r\nHost: shop.test\r\nMax-Forwards: 0\r\nCookie: secret\r\nX: y\r\n\r\n", false)
	head, body, _ := strings.Cut(got, "\r\n\r\n")
	if err != nil || !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") || !strings.Contains(head, "Content-Type: message/http") || body != "TRACE http://shop.test/x HTTP/1.1\r\nHost: shop.test\r\nMax-Forwards: 0\r\nX: y\r\n\r\n" {
		t.Errorf("%q, %v", got, err)
	}
	got, err = converse(t, r.addr, "OPTIONS http://shop.test HTTP/1.1\r\nHost: shop.test\r\nMax-Forwards: 0\r\n\r\n", false)
	if err != nil || !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") {
		t.Errorf("%q, %v", got, err)
	}
}

// TestPlainUpstream: an upstream proxy gets the absolute form, and its refusal comes through.
func TestPlainUpstream(t *testing.T) {
	r := newRig(t, func(p *Proxy) {})
	const asks = "HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"
	s := r.scripted(t, "upstream.test", asks, ok)
	r.mu.Lock()
	r.UpstreamProxy = Upstream(parseURL(t, "http://user:secret@"+r.Map["upstream.test"]))
	delete(r.Map, "upstream.test")
	r.mu.Unlock()
	got, err := converse(t, r.addr, "GET http://shop.test HTTP/1.1\r\nHost: evil.test\r\nProxy-Authorization: Basic bWluZQ==\r\n\r\nGET http://mart.test/a|b HTTP/1.1\r\nHost: mart.test\r\n\r\n", true)
	if got != asks+ok || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	const credentials = "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n\r\n"
	if got := s.got(); len(got) != 1 || got[0] != "GET http://shop.test HTTP/1.1\r\nHost: shop.test\r\n"+credentials+"GET http://mart.test/a|b HTTP/1.1\r\nHost: mart.test\r\n"+credentials {
		t.Errorf("%q", got)
	}
	items := r.items()
	var hosts []string
	for _, f := range facts(items, capture.FactPlainHTTP) {
		hosts = append(hosts, f.Host)
	}
	if !slices.Equal(hosts, []string{"shop.test:80", "mart.test:80"}) {
		t.Errorf("%q", hosts)
	}
}

// TestPlainWithCurl: what curl says of an exchange is the same through the proxy as without it.
func TestPlainWithCurl(t *testing.T) {
	r := newRig(t, nil)
	file := t.TempDir() + "/body"
	if err := os.WriteFile(file, noise(3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		name    string
		args    []string
		answers []string
	}{
		{"a method in lower case", []string{"-X", "patch", "http://@/x"}, []string{ok}},
		{"path", []string{"--path-as-is", "http://@/a%2Fb|c/../\"?q=%zz"}, []string{ok}},
		{"417", []string{"--data-binary", "@FILE", "http://@/up"}, []string{"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n", ok}},
		{"401", []string{"-H", "Expect: 100-continue", "--data-binary", "@FILE", "http://@/up"}, []string{"HTTP/1.1 401 Who\r\nWWW-Authenticate: Basic\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"}},
		{"hints", []string{"-i", "http://@/"}, []string{"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\nHTTP/1.1 299 Mine\r\nETag: 1\r\nContent-Length: 2\r\n\r\nok"}},
		{"half", []string{"-i", "http://@/"}, []string{"HTTP/1.1 500 Disk full\r\nX-Why: disk\r\nContent-Length: 99\r\nConnection: close\r\n\r\nhalf"}},
		{"HTTP/1.0", []string{"-i", "--http1.0", "http://@/"}, []string{"HTTP/1.0 200 OK\r\n\r\nold"}},
		{"nothing", []string{"http://@/"}, []string{""}},
	} {
		host := fmt.Sprintf("curl%d.test", i)
		ways := [2]*scripted{r.scripted(t, host, c.answers...), r.scripted(t, host, c.answers...)}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var outs [2]string
			var codes [2]int
			var gots [2][]string
			for way, s := range ways {
				args := []string{"-sS", "--http1.1", "-m", "20", "-A", "curl"}
				if way == 0 {
					args = append(args, "--connect-to", host+":80:"+s.addr)
				} else {
					args = append(args, "-x", "http://"+r.addr, "--proxy-header", "Proxy-Connection:")
				}
				for _, a := range c.args {
					args = append(args, strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(a, "@FILE", "\x01"), "@", host), "\x01", "@"+file))
				}
				out, errs, err := run(t, nil, "curl", args...)
				outs[way] = out + errs
				if err != nil {
					codes[way] = err.(*exec.ExitError).ExitCode()
				}
				gots[way] = s.got()
			}
			if codes[0] != codes[1] || outs[0] != outs[1] {
				t.Errorf("directly %d %q, through the proxy %d %q", codes[0], outs[0], codes[1], outs[1])
			}
			if a, b := strings.Join(gots[0], ""), strings.Join(gots[1], ""); c.name != "401" && a != b {
				t.Errorf("the origin got directly\n%.600q, through the proxy\n%.600q", a, b)
			}
		})
	}
}

func parseURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
