package web

import (
	"fmt"
	"strings"
	"testing"
)

// sent is bytes of one direction; "" with end set is its end.
type sent struct {
	from int
	data string
	end  bool
}

// read feeds the script in pieces of at most size bytes, and writes the items down one a line.
func read(c *Conn, script []sent, size int) []string {
	var out []string
	var at [2]int64
	note := func(items []Item) {
		for _, i := range items {
			out = append(out, describe(i))
		}
	}
	for _, s := range script {
		for d := s.data; d != ""; {
			n := min(size, len(d))
			piece := []byte(d[:n])
			m := Mark{Start: at[s.from], End: at[s.from] + int64(n)}
			note(c.Feed(s.from, piece, m))
			clear(piece) // it must not be kept
			at[s.from] += int64(n)
			d = d[n:]
		}
		if s.end {
			note(c.End(s.from, Mark{Start: at[s.from], End: at[s.from]}))
		}
	}
	return out
}

func describe(i Item) string {
	at := fmt.Sprintf("%d[%d,%d) ", i.From, i.First.Start, i.Last.End)
	switch b := i.Body.(type) {
	case *Head:
		return at + fmt.Sprintf("%s #%d %s %s %s %d %s %q odd=%v ends=%v", b.Protocol, b.Stream, b.Method, b.Target, b.Authority, b.Status, b.Reason, b.Fields, b.Odd, b.EndsHere)
	case *Body:
		if b.Missing > 0 {
			at += fmt.Sprintf("missing=%d ", b.Missing)
		}
		return at + fmt.Sprintf("body #%d req=%v len=%d %s %s %s %q err=%q trailers=%q complete=%v", b.Stream, b.Request, b.Len, b.Framing, b.Coding, b.Type, b.Preview, b.PreviewErr, b.Trailers, b.Complete)
	case *Switched:
		return at + "switched " + b.Protocol
	case *Unparsed:
		if b.Protocol == "HTTP/3" {
			return at + fmt.Sprintf("unparsed #%d %d %q %s total=%v", b.Stream, b.Len, b.Preview, b.Why, b.Total)
		}
		return at + fmt.Sprintf("unparsed %d %q %s", b.Len, b.Preview, b.Why)
	case *Frame:
		if b.Protocol == "HTTP/3" {
			return at + fmt.Sprintf("%s #%d len=%d %q %s", b.Type, b.Stream, b.Len, b.Detail, b.Unread)
		}
		return at + fmt.Sprintf("%s #%d flags=%x ack=%v len=%d %q", b.Type, b.Stream, b.Flags, b.Ack, b.Len, b.Detail)
	case *WebSocket:
		return at + fmt.Sprintf("ws op=%d fin=%v masked=%v compressed=%v len=%d code=%d %q", b.Opcode, b.Fin, b.Masked, b.Compressed, b.Len, b.Code, b.Preview)
	}
	return fmt.Sprintf("%T", i.Body)
}

var http1Cases = []struct {
	name   string
	script []sent
	want   []string
}{
	{"get, content-length, then HEAD on the same connection", []sent{
		{0, "GET /a?b HTTP/1.1\r\nHost: x.test\r\nx-Case:  kept \t\r\n\r\n", false},
		{1, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello", false},
		{0, "HEAD / HTTP/1.1\r\nHost: x.test\r\n\r\n", false},
		{1, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", true},
		{0, "", true},
	}, []string{
		`0[0,52) HTTP/1.1 #1 GET /a?b x.test 0  [{"Host" "x.test"} {"x-Case" "kept"}] odd=[] ends=true`,
		`1[0,64) HTTP/1.1 #1 GET   200 OK [{"Content-Length" "5"} {"Content-Type" "text/plain"}] odd=[] ends=false`,
		`1[64,69) body #1 req=false len=5 content-length  text/plain "hello" err="" trailers=[] complete=true`,
		`0[52,85) HTTP/1.1 #2 HEAD / x.test 0  [{"Host" "x.test"}] odd=[] ends=true`,
		`1[69,110) HTTP/1.1 #2 HEAD   200 OK [{"Content-Length" "5000"}] odd=[] ends=true`,
	}},
	{"a body that was refused: what comes is a request, by its first line", []sent{
		{0, "PUT /a HTTP/1.1\r\nHost: x.test\r\nExpect: 100-continue\r\nContent-Length: 40\r\n\r\n", false},
		{1, "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n", false},
		{0, "PUT /a HTTP/1.1\r\nHost: x.test\r\nContent-Length: 2\r\n\r\nhi", false},
		{1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
		{0, "", true},
	}, []string{
		`0[0,75) HTTP/1.1 #1 PUT /a x.test 0  [{"Host" "x.test"} {"Expect" "100-continue"} {"Content-Length" "40"}] odd=[] ends=false`,
		`1[0,38) HTTP/1.1 #1 PUT   417 No [{"Content-Length" "0"}] odd=[] ends=true`,
		`0[74,75) body #1 req=true len=0 content-length   "" err="" trailers=[] complete=false`,
		`0[75,127) HTTP/1.1 #2 PUT /a x.test 0  [{"Host" "x.test"} {"Content-Length" "2"}] odd=[after-417] ends=false`,
		`0[127,129) body #2 req=true len=2 content-length   "hi" err="" trailers=[] complete=true`,
		`1[38,76) HTTP/1.1 #2 PUT   200 OK [{"Content-Length" "0"}] odd=[] ends=true`,
	}},
	{"a body that was refused and comes all the same", []sent{
		{0, "PUT /a HTTP/1.1\r\nHost: x.test\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n", false},
		{1, "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n", false},
		{0, "5\r\nPUT /\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: x.test\r\n\r\n", true},
	}, []string{
		`0[0,83) HTTP/1.1 #1 PUT /a x.test 0  [{"Host" "x.test"} {"Expect" "100-continue"} {"Transfer-Encoding" "chunked"}] odd=[] ends=false`,
		`1[0,38) HTTP/1.1 #1 PUT   417 No [{"Content-Length" "0"}] odd=[] ends=true`,
		`0[83,98) body #1 req=true len=5 chunked   "PUT /" err="" trailers=[] complete=true`,
		`0[98,131) HTTP/1.1 #2 GET /b x.test 0  [{"Host" "x.test"}] odd=[] ends=true`,
	}},
	{"a body that was refused: a piece of a line may be of either, and is read as the body", []sent{
		{0, "PUT /a HTTP/1.1\r\nHost: x.test\r\nExpect: 100-continue\r\nContent-Length: 40\r\n\r\n", false},
		{1, "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n", false},
		{0, "PUT /a HT", true},
	}, []string{
		`0[0,75) HTTP/1.1 #1 PUT /a x.test 0  [{"Host" "x.test"} {"Expect" "100-continue"} {"Content-Length" "40"}] odd=[] ends=false`,
		`1[0,38) HTTP/1.1 #1 PUT   417 No [{"Content-Length" "0"}] odd=[] ends=true`,
		`0[75,84) body #1 req=true len=9 content-length   "PUT /a HT" err="" trailers=[] complete=false`,
	}},
	{"an expectation that was met, or refused otherwise: framing alone decides", []sent{
		{0, "PUT /a HTTP/1.1\r\nHost: x.test\r\nExpect: 100-continue\r\nContent-Length: 16\r\n\r\n", false},
		{1, "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", false},
		{0, "PUT /a HTTP/1.1\n", true},
	}, []string{
		`0[0,75) HTTP/1.1 #1 PUT /a x.test 0  [{"Host" "x.test"} {"Expect" "100-continue"} {"Content-Length" "16"}] odd=[] ends=false`,
		`1[0,38) HTTP/1.1 #1 PUT   401 No [{"Content-Length" "0"}] odd=[] ends=true`,
		`0[75,91) body #1 req=true len=16 content-length   "PUT /a HTTP/1.1\n" err="" trailers=[] complete=true`,
	}},
	{"to a proxy: the target names the host, whatever Host says", []sent{
		{0, "patch http://u:p@x.test:81/a://b HTTP/1.1\r\nHost: evil.test\r\n\r\nGET http://[::1]?q HTTP/1.1\r\nHost: evil.test\r\n\r\nGET /http://y.test HTTP/1.1\r\nHost: x.test\r\n\r\n", false},
	}, []string{
		`0[0,62) HTTP/1.1 #1 patch http://u:p@x.test:81/a://b x.test:81 0  [{"Host" "evil.test"}] odd=[] ends=true`,
		`0[62,110) HTTP/1.1 #2 GET http://[::1]?q [::1] 0  [{"Host" "evil.test"}] odd=[] ends=true`,
		`0[110,155) HTTP/1.1 #3 GET /http://y.test x.test 0  [{"Host" "x.test"}] odd=[] ends=true`,
	}},
	{"chunked both ways, with extension and trailers, pipelined", []sent{
		{0, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n", false},
		{1, "HTTP/1.1 100 Continue\r\n\r\n", false},
		{0, "3;a=\"b\"\r\nabc\r\n0A\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n", false},
		{1, "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.0 200\r\n\r\nto the ", false},
		{1, "end", true},
	}, []string{
		`0[0,69) HTTP/1.1 #1 POST /  0  [{"Transfer-Encoding" "chunked"} {"Expect" "100-continue"}] odd=[] ends=false`,
		`1[0,25) HTTP/1.1 #1 POST   100 Continue [] odd=[] ends=true`,
		`0[69,114) body #1 req=true len=13 chunked   "abc0123456789" err="" trailers=[{"X-Sum" "1"}] complete=true`,
		`0[114,133) HTTP/1.1 #2 GET /2  0  [] odd=[] ends=true`,
		`1[25,52) HTTP/1.1 #1 POST   204 No Content [] odd=[] ends=true`,
		`1[52,68) HTTP/1.0 #2 GET   200  [] odd=[] ends=false`,
		`1[68,78) body #2 req=false len=10 close   "to the end" err="" trailers=[] complete=true`,
	}},
	{"lenient: obs-fold, bare LF, leading empty line, two lengths", []sent{
		{0, "\r\nPOST / HTTP/1.1\nX: a\r\n  b\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true},
	}, []string{
		`0[0,78) HTTP/1.1 #1 POST /  0  [{"X" "a b"} {"Content-Length" "3"} {"Transfer-Encoding" "chunked"}] odd=[obs-fold bare-lf two-lengths] ends=false`,
		`0[78,83) body #1 req=true len=0 chunked   "" err="" trailers=[] complete=true`,
	}},
	{"not HTTP: told when the other side speaks, and in full at the end", []sent{
		{1, "220 mail.test ESMTP\r\n", false},
		{0, "EHLO me\r\n", false},
		{1, strings.Repeat("250 x\r\n", 20), true},
		{0, "QUIT\r\n", true},
	}, []string{
		`1[0,21) unparsed 21 "220 mail.test ESMTP\r\n" not-http`,
		`0[0,9) unparsed 9 "EHLO me\r\n" not-http`,
		`1[21,161) unparsed 161 "220 mail.test ESMTP\r\n" not-http`,
		`0[9,15) unparsed 15 "EHLO me\r\n" not-http`,
	}},
	{"ends before it could be a request", []sent{
		{0, "ping", true},
	}, []string{
		`0[0,4) unparsed 4 "ping" not-http`,
	}},
	{"broken chunk", []sent{
		{1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX", true},
	}, []string{
		`1[0,47) HTTP/1.1 #1    200 OK [{"Transfer-Encoding" "chunked"}] odd=[] ends=false`,
		`1[47,53) body #1 req=false len=3 chunked   "abc" err="" trailers=[] complete=false`,
		`1[53,54) unparsed 1 "X" malformed-chunk`,
	}},
	{"ends inside a body and inside a head", []sent{
		{0, "GET / HTTP/1.1\r\nHos", true},
		{1, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", true},
	}, []string{
		`0[0,19) unparsed 19 "GET / HTTP/1.1\r\nHos" ended-early`,
		`1[0,38) HTTP/1.1 #1    200 OK [{"Content-Length" "9"}] odd=[] ends=false`,
		`1[38,41) body #1 req=false len=3 content-length   "abc" err="" trailers=[] complete=false`,
	}},
	{"conflicting Content-Length", []sent{
		{0, "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", true},
	}, []string{
		`0[0,61) unparsed 61 "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd" malformed-content-length`,
	}},
	{"upgrade refused: HTTP/1 goes on", []sent{
		{0, "GET / HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n\r\nGET /2 HTTP/1.1\r\n\r\n", true},
		{1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", true},
	}, []string{
		`0[0,65) HTTP/1.1 #1 GET /  0  [{"Connection" "keep-alive, Upgrade"} {"Upgrade" "h2c"}] odd=[] ends=true`,
		`1[0,38) HTTP/1.1 #1 GET   200 OK [{"Content-Length" "0"}] odd=[] ends=true`,
		`0[65,84) HTTP/1.1 #2 GET /2  0  [] odd=[] ends=true`,
		`1[38,83) HTTP/1.1 #2 GET   404 Not Found [{"Content-Length" "0"}] odd=[] ends=true`,
	}},
	{"another protocol after 101", []sent{
		{0, "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n", false},
		{1, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: TCP\r\n\r\nabc", false},
		{0, "GET", true},
	}, []string{
		`0[0,53) HTTP/1.1 #1 GET /  0  [{"Connection" "Upgrade"} {"Upgrade" "tcp"}] odd=[] ends=true`,
		`1[0,50) HTTP/1.1 #1 GET   101 Switching Protocols [{"Upgrade" "TCP"}] odd=[] ends=true`,
		`1[0,50) switched TCP`,
		`1[50,53) unparsed 3 "abc" switched`,
		`0[53,56) unparsed 3 "GET" switched`,
	}},
}

func TestHTTP1(t *testing.T) {
	for _, tt := range http1Cases {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1 << 20, 1, 2, 7} {
				got := read(New(), tt.script, size)
				if g, w := strings.Join(got, "\n"), strings.Join(tt.want, "\n"); g != w {
					t.Fatalf("pieces of %d bytes:\ngot\n%s\nwant\n%s", size, g, w)
				}
			}
		})
	}
}

func TestTunnel(t *testing.T) {
	connect := "CONNECT h.test:443 HTTP/1.1\r\nHost: h.test:443\r\n\r\n"
	retry := "CONNECT h.test:443 HTTP/1.1\r\nProxy-Authorization: Basic eA==\r\n\r\n"
	refused := "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno"
	ok := "HTTP/1.1 200 Connection established\r\n\r\n"
	for size := 1; size < 200; size++ {
		c := New()
		var heads int
		var rest [2]string
		var next [2]int64
		feed := func(from int, data string) {
			for data != "" {
				n := min(size, len(data))
				m := Mark{Start: next[from], End: next[from] + int64(n)}
				next[from] = m.End
				for _, i := range c.Feed(from, []byte(data[:n]), m) {
					if _, is := i.Body.(*Head); is {
						heads++
					}
				}
				for _, p := range c.Rest() {
					if int64(len(p.Data)) != p.Mark.End-p.Mark.Start {
						t.Fatalf("mark %v of %d bytes", p.Mark, len(p.Data))
					}
					rest[p.From] += string(p.Data)
				}
				data = data[n:]
			}
		}
		feed(0, connect+retry+"\x16\x03\x01early")
		feed(1, refused)
		if c.Tunnel() {
			t.Fatal("a tunnel after 407")
		}
		feed(1, ok+"server")
		if !c.Tunnel() || heads != 4 {
			t.Fatalf("tunnel %v after %d heads", c.Tunnel(), heads)
		}
		feed(0, "client")
		if rest != [2]string{"\x16\x03\x01earlyclient", "server"} {
			t.Fatalf("pieces of %d bytes: rest is %q", size, rest)
		}
	}
}
