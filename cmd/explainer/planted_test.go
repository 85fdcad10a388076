package main

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/ca"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// plants are secrets to be put into traffic. Each has the word "Sesame" in it, as
// it is or in base64.
type plants struct{ n int }

// word is a short secret, known as one by its name or place alone.
func (p *plants) word() string {
	p.n++
	return fmt.Sprintf("Sesame%03d", p.n)
}

// token looks like a secret; each is of another kind.
func (p *plants) token() string {
	w := p.word()
	return []string{
		"ghp_" + w, "gho_" + w, "github_pat_" + w, "glpat-" + w, "xoxb-" + w, "sk_live_" + w, "sk-" + w + "0123456789", "AKIA" + w + "ABCDEF", "ASIA" + w + "ABCDEF", "AIza" + w + "0123456789", "ya29." + w,
		"hvs." + w, "npm_" + w + "0123", "pypi-" + w + "0123", "SG." + w + ".0123456789", "dop_v1_" + w, "shpat_" + w, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGkifQ." + w, "Xk9f2mZ7vBnT1wR8yLpD" + w + "q7Zx",
	}[p.n%19]
}

// plantedMessage is an exchange: what the client sends and what the server answers.
type plantedMessage struct{ request, answer string }

// http1 are exchanges of HTTP/1 with secrets in every place.
func (p *plants) http1(host string) (list []plantedMessage) {
	w, k := p.word, p.token
	basic := func() string { return base64.StdEncoding.EncodeToString([]byte("Sesame:" + w())) }
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	add := func(request, answer string) { list = append(list, plantedMessage{request, answer}) }
	get := func(target, fields string) {
		add("GET "+target+" HTTP/1.1\r\nHost: "+host+"\r\n"+fields+"Connection: close\r\n\r\n", ok)
	}
	// Fields of a request, by name.
	var fields strings.Builder
	for _, name := range strings.Fields("X-Pwd X-Auth X-JWT X-Authorization Ocp-Apim-Subscription-Key X-Auth-Key X-Api-Key api_key Client-Secret X-Session X-Otp X-Pin X-Signature DPoP X-Saml-Assertion X-Csrf-Token Private-Token X-Passwd X-Amz-Security-Token X-Vault-Token cf-access-jwt-assertion") {
		fields.WriteString(name + ": " + w() + "\r\n")
	}
	get("/fields", fields.String())
	get("/authorization", "Authorization: "+w()+" rest\r\nProxy-Authorization: Basic "+basic()+"\r\nX-Upstream: Basic "+basic()+"\r\n")
	get("/digest", `Authorization: Digest username="`+w()+`", nonce="`+w()+`", response="`+w()+"\"\r\nX-Folded: a\r\n "+k()+"\r\n")
	get("/cookies", "Cookie: a="+w()+"; "+w()+";b=\""+w()+"\"; c={\"x\":\""+w()+"\"}, d="+w()+"; "+k()+"=1\r\nCookie2: "+w()+"\r\n")
	// By what they look like, whatever the name.
	fields.Reset()
	for _, name := range strings.Fields("X-Any User-Agent From Accept X-Forwarded-For Via ETag If-None-Match X-Request-Id Accept-Language X-Debug TE Expect-CT Warning Sec-CH-UA Content-Language Priority Upgrade-Insecure-Requests X-Real-Ip") {
		token := k()
		if strings.HasPrefix(token, "Xk9f") && strings.Contains("Via ETag If-None-Match X-Request-Id Expect-CT", name) {
			token = "ghp_" + token // of what is random by its nature, marked ones alone
		}
		fields.WriteString(name + ": a " + token + "\r\n")
	}
	get("/looks", fields.String())
	get("/names", "X-"+k()+"x: 1\r\n")
	// URLs, and in fields.
	for _, name := range strings.Fields("password pw pwd token access_token code state SAMLResponse sig X-Amz-Signature sid jwt otp api-key client_secret p%77d") {
		get("/a?b=c&"+name+"="+w()+"&d=e", "")
	}
	for _, target := range []string{"/x;jsessionid=" + w(), "/reset/" + strings.ToLower("ABC") + w(), "/l/" + k(), "/a?x=" + k(), "/a?" + k(), "/a?next=" + url.QueryEscape("/cb?token="+w()), "/a?u=" + url.QueryEscape("https://me:"+w()+"@h/"), "/a?j=" + url.QueryEscape(`{"password":"`+w()+`"}`), "/token=" + w() + "/x"} {
		get(target, "")
	}
	fields.Reset()
	for i, name := range strings.Fields("Referer X-Original-URL X-Rewrite-URL X-Forwarded-Uri Destination Origin X-Next X-Wap-Profile X-Callback") {
		fields.WriteString(name + ": " + []string{"https://me:" + w() + "@h/a", "/?access_token=" + w(), "https://" + k() + "@github.com/", "https://h/a#id_token=" + w()}[i%4] + "\r\n")
	}
	get("/urls", fields.String())
	get("/subprotocol", "Sec-WebSocket-Protocol: v4.channel.k8s.io, base64url.bearer.authorization.k8s.io."+base64.RawURLEncoding.EncodeToString([]byte("Sesame"))+w()+", bearer, "+w()+"\r\n")
	// Bodies.
	post := func(kind, body string) {
		add(fmt.Sprintf("POST /body HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", host, kind, len(body), body),
			fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", kind, len(body), body))
	}
	json := func() string {
		return `{"user":"` + w() + `","list":["` + w() + `",{"n":["` + w() + `"]}],"variables":{"in":"` + w() + `"},"inner":"{\"password\":\"` + w() + `\"}","` + k() + `":1,"cut":"` + w()
	}
	post("application/json", json())
	post("text/html", json())
	post("application/x-www-form-urlencoded", json())
	post("", json())
	post("application/x-ndjson", `{"a":"`+w()+"\"}\n{\"b\":\""+w()+"\"}\n")
	post("application/graphql-response+json", `{"data":{"me":{"name":"`+w()+`"}}}`)
	post("application/x-www-form-urlencoded", "user="+w()+"&pin="+w()+"&"+w())
	post("application/xml", `<?xml version="1.0"?><a id="`+w()+`"><password>`+w()+`</password><![CDATA[`+w()+`]]><!-- `+w()+` --><b c='`+w()+`'/></a>`)
	post("application/soap+xml", `<s:Envelope><wsse:Password>`+w()+`</wsse:Password></s:Envelope>`)
	post("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n"+w()+"\r\n--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\nX-Own: "+w()+"\r\n\r\n"+w()+"\r\n--b--\r\n")
	post("text/html", `<!doctype html><title>Hi</title><meta name="csrf-token" content="`+w()+`"><script>var t="`+w()+`"</script><input type=hidden value="`+w()+`"><textarea>`+w()+`</textarea><!-- `+w()+` --><a href="/?t=`+w()+`">x</a><p>Your key: `+k()+`</p><p>password: `+w()+`</p>`)
	post("text/event-stream", "event: a\ndata: {\"t\":\""+w()+"\"}\ndata: "+w()+"\nid: "+w()+"\n: "+w()+"\n\n")
	for _, kind := range []string{"text/plain", "text/csv", "application/javascript", "application/octet-stream", "image/png", "application/jwt", "application/pkcs8", "application/cbor", "text/css", "application/x-yaml"} {
		post(kind, "password: "+w()+"\n"+k())
	}
	post("application/x-pem-file", "-----BEGIN PRIVATE KEY-----\n"+w()+"\n-----END PRIVATE KEY-----")
	proto := func() string { s := w(); return "\x0a" + string(rune(len(s))) + s + "\x10\x07" }
	post("application/x-protobuf", proto())
	post("application/grpc", "\x00\x00\x00\x00\x0d"+proto())
	// Compressed ones.
	for coding, write := range map[string]func(io.Writer) io.WriteCloser{
		"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"br":      func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) },
		"zstd":    func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z },
		"deflate": func(w io.Writer) io.WriteCloser { z, _ := flate.NewWriter(w, 9); return z },
	} {
		var b bytes.Buffer
		z := write(&b)
		io.WriteString(z, json())
		z.Close()
		add("GET /"+coding+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", coding, b.Len(), b.String()))
	}
	// Trailers, chunk extensions, what an answer has.
	add("POST /chunks HTTP/1.1\r\nHost: "+host+"\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n9;sig="+w()+"\r\n"+w()+"\r\n0\r\nX-Api-Key: "+w()+"\r\nX-Any: "+k()+"\r\n\r\n",
		"HTTP/1.1 302 password="+w()+"\r\nLocation: https://h/cb?code="+w()+"#access_token="+w()+"\r\nSet-Cookie: id="+w()+"; Path=/; own="+w()+"\r\nSet-Cookie: a=1; Path=/, b="+w()+"\r\nLink: <https://h/?sig="+w()+">; rel=next\r\nRefresh: 0; url=/?token="+w()+
			"\r\nWWW-Authenticate: Negotiate "+basic()+"\r\nAuthentication-Info: nextnonce=\""+w()+"\"\r\nX-Debug: {\"token\":\""+w()+"\"}\r\nX-Message: your password is "+w()+"\r\nServer: "+k()+"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	// WebSocket, plain and compressed.
	frame := func(opcode byte, rsv byte, text string) string {
		return string([]byte{0x80 | rsv | opcode, 0x80 | byte(len(text)), 1, 2, 3, 4}) + xor(text)
	}
	unmasked := func(opcode byte, text string) string { return string([]byte{0x80 | opcode, byte(len(text))}) + text }
	var b bytes.Buffer
	z, _ := flate.NewWriter(&b, 9)
	io.WriteString(z, `{"token":"`+w()+`"}`)
	z.Flush()
	for _, extension := range []string{"", "Sec-WebSocket-Extensions: permessage-deflate\r\n"} {
		messages := frame(1, 0, `{"password":"`+w()+`"}`) + frame(1, 0, w()) + frame(2, 0, w()) + frame(9, 0, w()) + string([]byte{1, 0x80, 1, 2, 3, 4}) + frame(0, 0, `{"`+w()+`":1}`)
		if extension != "" {
			messages += frame(1, 0x40, strings.TrimSuffix(b.String(), "\x00\x00\xff\xff"))
		}
		add("GET /socket HTTP/1.1\r\nHost: "+host+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+extension+"\r\n"+messages+frame(8, 0, "\x03\xe8token="+w()),
			"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: token."+w()+"\r\n"+extension+"\r\n"+unmasked(1, `{"a":"`+w()+`"}`)+unmasked(1, w())+unmasked(8, "\x03\xe8password: "+w()))
	}
	return list
}

func xor(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] ^= byte(i&3) + 1
	}
	return string(b)
}

// http2 is an exchange of HTTP/2 with heads, trailers and promises.
func (p *plants) http2(host string) plantedMessage {
	w, k := p.word, p.token
	head := func(enc *hpack.Encoder, b *bytes.Buffer, fields ...string) []byte {
		b.Reset()
		for i := 0; i < len(fields); i += 2 {
			enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
		}
		return bytes.Clone(b.Bytes())
	}
	var in, out, hb bytes.Buffer
	in.WriteString(http2.ClientPreface)
	f, enc := http2.NewFramer(&in, nil), hpack.NewEncoder(&hb)
	f.WriteSettings()
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: head(enc, &hb, ":method", "POST", ":scheme", "https", ":authority", "me:"+w()+"@"+host, ":path", "/h2?token="+w(), "cookie", "a="+w(), "cookie", w(), "authorization", "Bearer "+w(), "x-pwd", w(), "x-any", k(), "referer", "https://"+k()+"@h/", "content-type", "application/json")})
	f.WriteData(1, false, []byte(`{"a":"`+w()+`"}`))
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, EndStream: true, BlockFragment: head(enc, &hb, "x-secret", w())})
	f.WriteGoAway(0, 0, []byte("password="+w()))
	f, enc = http2.NewFramer(&out, nil), hpack.NewEncoder(&hb)
	f.WriteSettings()
	f.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, EndHeaders: true, BlockFragment: head(enc, &hb, ":method", "GET", ":scheme", "https", ":authority", host, ":path", "/pushed?token="+w(), "cookie", "sid="+w(), "authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("Sesame"+w())), "x-api-key", w())})
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: head(enc, &hb, ":status", "200", "set-cookie", "id="+w(), "location", "/?code="+w(), "etag", `"`+"ghp_"+w()+`"`, "content-type", "application/grpc")})
	f.WriteData(1, false, []byte("\x00\x00\x00\x00\x0b\x0a\x09"+w()))
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, EndStream: true, BlockFragment: head(enc, &hb, "grpc-status", "16", "grpc-message", "bad token: "+w())})
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 2, EndHeaders: true, EndStream: true, BlockFragment: head(enc, &hb, ":status", "200", "x-token", w())})
	return plantedMessage{in.String(), out.String()}
}

// serving answers the exchanges of a list, each on a connection of its own that
// sends its number first of all: so nothing of HTTP is read here.
func serving(list []plantedMessage) func(net.Conn) {
	return func(c net.Conn) {
		head := make([]byte, 64<<10)
		n := 0
		for n < len(head) {
			m, err := c.Read(head[n:])
			n += m
			for _, e := range list {
				// A proxy may change the form of the target and drop fields, so of those
				// over plain HTTP the first words must do.
				if n == len(e.request) && string(head[:n]) == e.request {
					io.WriteString(c, e.answer)
					if t, ok := c.(*tls.Conn); ok {
						t.CloseWrite()
					}
					io.Copy(io.Discard, c)
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
}

// TestPlanted: of secrets in every place of HTTP none is told: in text, JSON, HAR,
// comments, a copy to be shared, live or from the recording.
func TestPlanted(t *testing.T) {
	t.Parallel()
	good, roots := siteCA(t)
	cert := leafOf(t, good, ca.Spec{Names: []string{"planted.test", "h2.test"}})
	var p plants
	one, two := p.http1("planted.test"), p.http2("h2.test")
	secure := func(list []plantedMessage, protocol string) string {
		return origin(t, func(c *net.TCPConn) {
			s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*cert}, NextProtos: []string{protocol}})
			serving(list)(s)
			s.Close()
		})
	}
	plain := origin(t, func(c *net.TCPConn) {
		io.CopyN(io.Discard, c, 100)
		io.WriteString(c, "HTTP/1.1 200 token="+p.word()+"\r\nSet-Cookie: id="+p.word()+"\r\nX-Auth: "+p.word()+"\r\nX-Any: "+p.token()+"\r\nConnection: close\r\n\r\n{\"a\":\""+p.word()+"\"}")
		c.CloseWrite()
		gone(c)
	})
	s := besiege(t, "--origin-ca", roots, "--map", "planted.test:443="+secure(one, "http/1.1"), "--map", "h2.test:443="+secure([]plantedMessage{two}, "h2"), "--map", "plain.test="+plain)
	through := func(host, protocol string, e plantedMessage) {
		c := tls.Client(s.tunnel(host+":443"), &tls.Config{ServerName: host, RootCAs: s.roots, NextProtos: []string{protocol}})
		io.WriteString(c, e.request)
		if got, _ := io.ReadAll(c); string(got) != e.answer {
			t.Errorf("%.100q was answered with %q", e.request, got)
		}
		c.Close()
	}
	for _, e := range one {
		through("planted.test", "http/1.1", e)
	}
	through("h2.test", "h2", two)
	s.exchange("GET http://me:" + p.word() + "@plain.test/x?pw=" + p.word() + " HTTP/1.1\r\nHost: plain.test\r\nProxy-Authorization: Bearer " + p.word() + "\r\nCookie: a=" + p.word() + "\r\nX-JWT: " + p.word() + "\r\nX-Any: " + p.token() + "\r\nReferer: https://h/?sig=" + p.word() + "\r\nConnection: close\r\n\r\n")
	s.exchange("CONNECT me:" + p.word() + "@planted.test:443 HTTP/1.1\r\nHost: me:" + p.word() + "@planted.test:443\r\nProxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("Sesame:"+p.word())) + "\r\nX-Any: " + p.token() + "\r\n\r\n")
	a := s.end()
	if p.n < 150 {
		t.Errorf("%d secrets", p.n)
	}
	clean := func(what, text string) {
		low := strings.ToLower(text)
		for _, bad := range []string{"sesame", "c2vzyw1l", "nlc2ft", "tzxnhbw", "736573616d65", "536573616d65"} {
			if n := strings.Count(low, bad); n > 0 {
				i := strings.Index(low, bad)
				t.Errorf("%s: %q stands there %d times: ...%s...", what, bad, n, text[max(0, i-200):min(len(text), i+40)])
			}
		}
	}
	read := func(args ...string) string {
		out, err := inHome(t, append([]string{"read"}, args...)...).CombinedOutput()
		if err != nil {
			t.Errorf("read %q: %v: %s", args, err, out)
		}
		return string(out)
	}
	live, err := os.ReadFile(s.live)
	if err != nil {
		t.Fatal(err)
	}
	clean("the live story", string(live))
	clean("text", a.text)
	clean("--messages", a.full)
	clean("--bytes", read("--bytes", s.recording))
	clean("text of read", read(s.recording))
	har := read("--format", "har", s.recording)
	clean("HAR", har)
	clean("standard error", s.said.String())
	if !strings.Contains(har, `"name":"token"`) || !strings.Contains(a.full, "PUSH_PROMISE") || !strings.Contains(a.full, "WebSocket text") || !strings.Contains(a.full, "field 1: ****") {
		t.Error("not all was told")
	}
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"--strip-keys", "--redact", ""} {
		to := filepath.Join(t.TempDir(), "copy.pcapng")
		args := []string{"-w", to, s.recording}
		if how != "" {
			args = append([]string{how}, args...)
		}
		read(args...)
		clean("comments "+how, fmt.Sprint(comments(t, to)))
		if how != "--redact" {
			continue
		}
		copied, err := os.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		clean("the copy", string(copied))
		// Of names, nothing is overwritten.
		shown := read("--show-secrets", "--format", "json", to)
		for line := range strings.Lines(shown) {
			if !strings.Contains(line, `"value":"/names"`) {
				clean("what opens in the copy", line)
			}
		}
		if !strings.Contains(shown, "/fields") || !strings.Contains(shown, "X-Pwd") {
			t.Error("the copy does not tell what stays")
		}
	}
}

// TestOrdinaryPage: the story of an ordinary page loses nothing that teaches.
func TestOrdinaryPage(t *testing.T) {
	t.Parallel()
	good, roots := siteCA(t)
	cert := leafOf(t, good, ca.Spec{Names: []string{"ordinary.test"}})
	const page = `<!DOCTYPE html><html lang="en"><head><title>Books</title></head><body><h1>Books about TLS</h1><p>One, two, three.</p></body></html>`
	list := []plantedMessage{{
		"GET /books/tls-on-the-wire.html?page=2&lang=en HTTP/1.1\r\nHost: ordinary.test\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml\r\nReferer: https://ordinary.test/assets/app.3f9c2b1e5d6a7b8c9d0e1f2a3b4c5d6e.js\r\nIf-None-Match: \"33a64df551425fcc55e4d42a148795d9f25f89d4\"\r\nX-Request-Id: 0f1e2d3c4b5a69788796a5b4c3d2e1f0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nETag: \"33a64df551425fcc55e4d42a148795d9f25f89d5\"\r\nRepr-Digest: sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:\r\nLink: </style.css>; rel=preload; integrity=\"sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC\"\r\nServer: nginx/1.22.1\r\nContent-Length: " + fmt.Sprint(len(page)) + "\r\nConnection: close\r\n\r\n" + page,
	}}
	addr := origin(t, func(c *net.TCPConn) {
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*cert}})
		serving(list)(s)
		s.Close()
	})
	s := besiege(t, "--origin-ca", roots, "--map", "ordinary.test:443="+addr)
	s.get("ordinary.test", list[0].request)
	a := s.end()
	for line := range strings.Lines(list[0].request + list[0].answer) {
		if _, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && value != "" {
			a.says(value)
		}
	}
	a.says("/books/tls-on-the-wire.html?page=2&lang=en", "<title>Books</title>", "<h1>Books about TLS</h1><p>One, two, three.</p>")
	randoms, ja := 0, 0
	for _, e := range a.events {
		for _, f := range e.Fields {
			if f.Name.English == "random" && len(f.Value.English) == 64 {
				randoms++
			}
			if f.ID != "" && f.Value.English != "" {
				ja++
			}
			if strings.Contains(f.Value.English, "masked") {
				t.Errorf("%s, %s: %s", e.Name, f.Name, f.Value)
			}
		}
		for _, proof := range e.Proofs {
			if proof.State != event.Proven {
				continue
			}
			for _, f := range proof.Inputs {
				if strings.Contains(f.Value.English, "masked") && !strings.Contains(strings.ToLower(f.Name.English), "secret") && !strings.Contains(f.Name.English, "key") {
					t.Errorf("%s: %s: %s", proof.ID, f.Name, f.Value)
				}
			}
		}
	}
	if randoms < 4 || ja < 2 {
		t.Errorf("%d randoms and %d fingerprints", randoms, ja)
	}
}
