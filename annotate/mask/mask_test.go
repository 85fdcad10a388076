package mask

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// What looks like a credential is hidden, whatever it is called.
func TestLooks(t *testing.T) {
	var r Rule
	for _, s := range []string{
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGkifQ.c2VzYW1l", "ghp_Sesame17", "gho_Sesame17", "github_pat_Sesame17", "glpat-Sesame17", "xoxb-1-Sesame", "xoxp-12-3",
		"sk_live_Sesame17", "sk-Sesame17Sesame17Sesa", "AKIASESAME17SESAME17", "ASIASESAME17SESAME17", "AIzaSesame17Sesame17Sesame", "ya29.Sesame17", "hvs.Sesame17",
		"npm_Sesame17Sesame17", "pypi-Sesame17Sesame", "SG.Sesame17.Sesame17", "dop_v1_sesame17", "shpat_sesame17", "whsec_Sesame17",
		"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY----- MIIB",
		"0f1e2d3c4b5a69788796a5b4c3d2e1f0", "0F1E2D3C4B5A69788796A5B4C3D2E1F0", "123456789012345678901234567890123456789",
	} {
		for _, header := range []string{"X-Any", "User-Agent", "X-Forwarded-For", "Accept-Language", "From"} {
			for _, value := range []string{s, "a " + s, "x=" + s, `"` + s + `"`} {
				if got := r.Header(header, value); !strings.Contains(got, "masked") || strings.Contains(got, s[len(s)-6:]) {
					t.Errorf("%s: %s: shown as %s", header, value, got)
				}
			}
		}
	}
	// 128 bits, drawn anew, in each alphabet: nearly all must be found.
	for name, write := range map[string]func([]byte) string{
		"hex": hex.EncodeToString, "HEX": func(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) },
		"base64": base64.StdEncoding.EncodeToString, "base64url": base64.RawURLEncoding.EncodeToString, "base32": base32.StdEncoding.WithPadding(-1).EncodeToString,
		"base32 small": func(b []byte) string { return strings.ToLower(base32.StdEncoding.WithPadding(-1).EncodeToString(b)) },
		"letters": func(b []byte) string {
			var s []byte
			for _, c := range append(b, b...)[:28] {
				s = append(s, 'a'+c%26)
			}
			return string(s)
		},
	} {
		for _, bits := range []int{128, 256} {
			const tries = 2000
			missed := 0
			for range tries {
				b := make([]byte, bits/8)
				rand.Read(b)
				if got := r.Header("X-Any", write(b)); !strings.Contains(got, "masked") {
					missed++
				}
			}
			if missed > tries/100 {
				t.Errorf("%s: %d of %d with %d bits are shown", name, missed, tries, bits)
			}
			t.Logf("%s, %d bits: %d of %d shown", name, bits, missed, tries)
		}
	}
}

// What teaches something, and is no credential, stays as it is.
func TestHarmless(t *testing.T) {
	var r Rule
	for _, line := range strings.Split(strings.TrimSpace(harmlessFields), "\n") {
		name, value, _ := strings.Cut(line, ": ")
		if got := r.Header(name, value); got != value {
			t.Errorf("%s: %s: shown as %s", name, value, got)
		}
		if len(r.Spans(name, value)) > 0 {
			t.Errorf("%s: overwritten", line)
		}
	}
}

const harmlessFields = `
Host: www.example.org:8443
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36
User-Agent: python-requests/2.31.0
User-Agent: Go-http-client/1.1
User-Agent: git/2.39.5 (libcurl/7.88.1 GnuTLS/3.7.9 zlib/1.2.13)
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7
Accept-Language: sk-SK,sk;q=0.9,en-US;q=0.8
Accept-Encoding: gzip, deflate, br, zstd
Content-Type: application/vnd.openxmlformats-officedocument.spreadsheetml.sheet
Content-Type: multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW
Content-Type: multipart/form-data; boundary=------------------------d74496d66958873e0f1e2d3c4b5a6978
Content-Disposition: attachment; filename="annual-report-2026-final-version.pdf"
ETag: "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
ETag: W/"33a64df551425fcc55e4d42a148795d9f25f89d4"
If-None-Match: "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
Digest: sha-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=
Repr-Digest: sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:
Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
Sec-WebSocket-Protocol: graphql-transport-ws, mqtt, v12.stomp, binary.k8s.io, v4.channel.k8s.io, wamp.2.json
Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits
traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
X-Request-Id: 0f1e2d3c4b5a69788796a5b4c3d2e1f0
X-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678
X-B3-TraceId: 80f198ee56343ba864fe8b2a57d3eff7
CF-Ray: 230b030023ae2822-SJC
X-Correlation-ID: 550e8400-e29b-41d4-a716-446655440000
Via: 1.1 3f9c2b1e5d6a7b8c9d0e1f2a3b4c5d6e.cloudfront.net (CloudFront)
Strict-Transport-Security: max-age=31536000; includeSubDomains; preload
Content-Security-Policy: default-src 'none'; script-src 'self' 'sha256-X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE='; require-trusted-types-for 'script'; upgrade-insecure-requests; report-to csp-endpoint
Permissions-Policy: publickey-credentials-get=(), accelerometer=(), identity-credentials-get=(self)
Access-Control-Allow-Credentials: true
Access-Control-Allow-Headers: Authorization, X-Api-Key, X-Requested-With
Access-Control-Request-Headers: authorization,content-type
Vary: Authorization, Cookie, Accept-Encoding
Cache-Control: public, max-age=31536000, immutable, stale-while-revalidate=86400
Last-Modified: Tue, 24 Nov 2026 10:11:12 GMT
Alt-Svc: h3=":443"; ma=2592000,h3-29=":443"; ma=2592000
Link: </style.css>; rel=preload; as=style; integrity="sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC"
Location: https://www.example.org/books/2026/tls-on-the-wire.html?page=2&lang=en#chapter-3
Location: /static/app.3f9c2b1e5d6a7b8c9d0e1f2a3b4c5d6e.js
Referer: https://www.example.org/assets/index-CkX9q3Zt8Vb2.js?v=12
:path: /
:path: /search?q=how+does+tls+work&hl=en&country_code=de&page=3
:path: /npm/@babel/core@7.24.0/package.json
:path: /wp-content/uploads/2026/11/photo_20261126_143358-1920x1080.jpeg
:path: /_next/static/chunks/pages/_app-0f1e2d3c4b5a69788796a5b4c3d2e1f0.js
:path: /v2/library/alpine/blobs/sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0
:path: /users/550e8400-e29b-41d4-a716-446655440000/orders/1000234
:path: /me/repo/commit/5fa9b6bbc0588e07f605322aec0124b5e8ecd186
:path: /me/repo/-/tree/5fa9b6bbc0588e07f605322aec0124b5e8ecd186/src/main.go
:path: /me/repo/blob/5fa9b6bbc0588e07f605322aec0124b5e8ecd1865fa9b6bbc0588e07f605322a/README.md
:path: /me/repo/commit/5fa9b6bbc0588e07f605322aec0124b5e8ecd186.patch
:path: /me/repo/archive/5fa9b6bbc0588e07f605322aec0124b5e8ecd186.tar.gz
:path: /me/repo/compare/5fa9b6bbc0588e07f605322aec0124b5e8ecd186...a86332c1b5e8ecd1865fa9b6bbc0588e07f60532
:path: /auth/login
:path: /oauth2/v1/authorize
:path: /session/new
:path: /ocsp/MFQwUjBQME4wTDAJBg
:path: /~tr-admin/papers/GMU-CS-TR-2010-20.pdf
:path: /s/desktop/59a3a323/jsbin/www-i18n-constants-en_US.vflset/www-i18n-constants.js
:path: /msdownload/update/software/crup/2009/04/windows6.0-kb955430-x86_5fa9b6bbc0588e07f605322aec0124b5e8ecd186.psf
WWW-Authenticate: Basic realm="the vault", charset="UTF-8"
WWW-Authenticate: Bearer realm="example", error="invalid_token", error_description="the token expired"
Set-Cookie: a=; Path=/; Domain=example.org; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Max-Age=0; HttpOnly; Secure; SameSite=Lax
Server: nginx/1.22.1
Server-Timing: cdn-cache; desc=HIT, edge; dur=12, origin; dur=0
X-Powered-By: PHP/8.2.20
X-Forwarded-For: 192.0.2.1, 2001:db8::1
Forwarded: for=192.0.2.60;proto=http;by=203.0.113.43
Retry-After: 120
Content-Range: bytes 0-1023/146515
Upgrade: websocket
HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA
sec-ch-ua: "Chromium";v="156", "Not/A)Brand";v="8"
sec-ch-ua-full-version-list: "Chromium";v="156.0.7444.59"
Public-Key-Pins: pin-sha256="d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM="
NEL: {"report_to":"cf-nel","success_fraction":0.01,"max_age":604800}
grpc-status: 16
grpc-message: permission denied for this caller
grpc-accept-encoding: identity,deflate,gzip
X-Amz-Cf-Id: Xk9fQ2mZ7vB4nT1wR8yL5pD3cH6jG0sA==
X-Content-Type-Options: nosniff
X-Robots-Tag: noindex, nofollow
Status-Code: 200
Origin: https://www.example.org
`

// Names say by their meaning, however they are spelt, that a value is a credential.
func TestNames(t *testing.T) {
	var r Rule
	for _, name := range strings.Fields(`X-Pwd X-Auth X-JWT X-Authorization Ocp-Apim-Subscription-Key X-Auth-Key X-API-Key Api-Key apikey X-ApiKey X-Shop-Token X-Amz-Security-Token
		X-Goog-Api-Key X-Vault-Token X-CSRF-Token X-Xsrf-Token Private-Token Client-Secret X-Session X-Session-Id Session-Key X-SID Access-Token X-Access-Token
		X-Functions-Key X-Otp X-2fa-Otp X-Pin X-Signature X-Hub-Signature-256 Signature DPoP X-Saml-Assertion X-Passwd X-Passphrase X-User-Password X-Refresh-Token
		X-Credentials X-Secret X-Secret-2 X-Bearer X-Ticket X-Card-No X_API_KEY xApiKey XAPIKEY X-Service-Ticket X-Sso-Token cf-access-jwt-assertion X-Goog-Iap-Jwt-Assertion
		Authentication-Info X-Forwarded-Access-Token X-Auth-Request-Access-Token X-Plex-Token X-Figma-Token Circle-Token X-Shopify-Access-Token Stripe-Signature
		X-Api-Secret X-Parse-Session-Token X-Algolia-API-Key fastly-key X-Cookie X-Consul-Token X-Nonce Proxy-Authorization Authorization`) {
		for value, want := range map[string]string{"sesame": "**** (6 bytes masked)", "Bearer sesame": "Bearer **** (6 bytes masked)", "sesame word": "**** (11 bytes masked)"} {
			if got := r.Header(name, value); got != want {
				t.Errorf("%s: %s: shown as %s", name, value, got)
			}
		}
		if !r.Credential(name) {
			t.Errorf("%s is no credential", name)
		}
		if name == "X-Nonce" || name == "Authentication-Info" || name == "X-Card-No" {
			continue
		}
		param := strings.TrimPrefix(name, "X-")
		for _, target := range []string{"/a?x=1&" + param + "=sesame&y=2", "/a#" + param + "=sesame", "https://h.test/a;" + param + "=sesame/b", "/a?u[" + param + "]=sesame", "/a/" + param + "=sesame/b"} {
			if got := r.Target(target); strings.Contains(got, "sesame") || !strings.Contains(got, param) {
				t.Errorf("%s: shown as %s", target, got)
			}
		}
	}
	for _, name := range strings.Fields("design shipping keyword monkey author authority passenger compass bypass encode codec station sidebar spin pinned assign country_code status error_code zipcode keyboard turkey page q lang id user name email") {
		if got := r.Target("/a?" + name + "=sesame"); got != "/a?"+name+"=sesame" {
			t.Errorf("%s", got)
		}
	}
}

func TestHeader(t *testing.T) {
	var r Rule
	for _, test := range []struct{ name, value, want string }{
		{"Cookie", "a=sesame; b=x=y", "a=**** (6 bytes masked); b=**** (3 bytes masked)"},
		{"Cookie", "sesame", "**** (6 bytes masked)"},
		{"Cookie", "=sesame;;x", "=**** (6 bytes masked);;**** (1 byte masked)"},
		{"Set-Cookie", "sid=sesame; Path=/; HttpOnly", "sid=**** (6 bytes masked); Path=/; HttpOnly"},
		{"Set-Cookie", "a=b; Path=/, c=sesame; Path=/", "a=**** (1 byte masked); Path=**** (11 bytes masked); Path=/"},
		{"Set-Cookie", "a=b; own=sesame", "a=**** (1 byte masked); own=**** (6 bytes masked)"},
		{"Set-Cookie", "a=b; Path=/reset/ghp_Sesame17", "a=**** (1 byte masked); Path=/reset/**** (12 bytes masked)"},
		{"Authorization", "Bearer sesame", "Bearer **** (6 bytes masked)"},
		{"authorization", "sesame", "**** (6 bytes masked)"},
		{"Authorization", "SHORTTOKEN rest", "**** (15 bytes masked)"},
		{"Proxy-Authorization", "Basic c2VzYW1l", "Basic **** (8 bytes masked)"},
		{"X-Any", "Bearer sesame", "Bearer **** (6 bytes masked)"},
		{"X-Any", "the Bearer Sesame17 was sent", "the Bearer **** (8 bytes masked) was sent"},
		{"Location", "https://shop.test/cb?code=sesame&x=1", "https://shop.test/cb?code=**** (6 bytes masked)&x=1"},
		{"Referer", "https://u:sesame@shop.test/a?b=c", "https://**** (8 bytes masked)@shop.test/a?b=c"},
		{"Location", "https://ghp_Sesame17@github.com/", "https://**** (12 bytes masked)@github.com/"},
		{"Destination", "https://u:se/same@h/", "https://**** (9 bytes masked)@h/"},
		{"Host", "u:sesame@h", "**** (8 bytes masked)@h"},
		{"X-Original-URL", "/?access_token=sesame", "/?access_token=**** (6 bytes masked)"},
		{"Refresh", "0; url=/cb?token=sesame", "0; url=/cb?token=**** (6 bytes masked)"},
		{"Link", "<https://h/a?sig=sesame>; rel=next", "<https://h/a?sig=**** (6 bytes masked)>; rel=next"},
		{"X-Any", "go to https://u:sesame@h/a?pw=x now", "go to https://**** (8 bytes masked)@h/a?pw=**** (1 byte masked) now"},
		{"Sec-WebSocket-Protocol", "v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.c2VzYW1l", "v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.**** (8 bytes masked)"},
		{"Sec-WebSocket-Protocol", "bearer, sesame", "bearer, **** (6 bytes masked)"},
		{"Sec-WebSocket-Protocol", "graphql-ws,access_token,sesame", "graphql-ws,access_token,**** (6 bytes masked)"},
		{"Sec-WebSocket-Protocol", "token.sesame, chat", "**** (12 bytes masked), chat"},
		{"WWW-Authenticate", "Negotiate c2VzYW1l", "Negotiate **** (8 bytes masked)"},
		{"WWW-Authenticate", `Digest realm="a, b", nonce="sesame", qop="auth"`, `Digest realm="a, b", nonce=**** (8 bytes masked), qop="auth"`},
		{"X-Any", `{"password":"sesame","n":1}`, `{"password":"**** (6 bytes masked)","n":1}`},
		{"X-Any", "user=ali&pw=sesame", "user=ali&pw=**** (6 bytes masked)"},
	} {
		if got := r.Header(test.name, test.value); got != test.want {
			t.Errorf("%s: %s: got %q, want %q", test.name, test.value, got, test.want)
		}
	}
}

func TestTarget(t *testing.T) {
	var r Rule
	jwt := "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGkifQ.c2VzYW1l"
	for in, want := range map[string]string{
		"/a?token=sesame&b=1":                             "/a?token=**** (6 bytes masked)&b=1",
		"/a?accessToken=sesame":                           "/a?accessToken=**** (6 bytes masked)",
		"/cb#id_token=sesame&state=xy":                    "/cb#id_token=**** (6 bytes masked)&state=**** (2 bytes masked)",
		"/a?q=shipping&design=1":                          "/a?q=shipping&design=1",
		"/a?shipping=1&pin=1234":                          "/a?shipping=1&pin=**** (4 bytes masked)",
		"/a?pass%77ord=sesame":                            "/a?pass%77ord=**** (6 bytes masked)",
		"/a?p%2577d=sesame":                               "/a?p%2577d=**** (6 bytes masked)",
		"/a?SAMLResponse=sesame":                          "/a?SAMLResponse=**** (6 bytes masked)",
		"/a?pw=sesame":                                    "/a?pw=**** (6 bytes masked)",
		"/a;jsessionid=sesame/b":                          "/a;jsessionid=**** (6 bytes masked)/b",
		"/a?next=%2Fcb%3Ftoken%3Dsesame":                  "/a?next=**** (22 bytes masked)",
		"/a?u=https%3A%2F%2Fa:sesame%40h%2F":              "/a?u=**** (29 bytes masked)",
		"/a?next=%252Fcb%253Fpw%253Dsesame":               "/a?next=**** (25 bytes masked)",
		"/a?x=" + jwt:                                     "/a?x=**** (48 bytes masked)",
		"/a?" + jwt:                                       "/a?**** (48 bytes masked)",
		"/login/" + jwt + "/x":                            "/login/**** (48 bytes masked)/x",
		"/magic/abc123def":                                "/magic/**** (9 bytes masked)",
		"/l/Xk9fQ2mZ7vB4nT1wR8yL5p":                       "/l/**** (22 bytes masked)",
		"/l/0f1e2d3c4b5a69788796a5b4c3d2e1f0":             "/l/**** (32 bytes masked)",
		"/commit/0f1e2d3c4b5a69788796a5b4c3d2e1f0":        "/commit/**** (32 bytes masked)",
		"/token/5fa9b6bbc0588e07f605322aec0124b5e8ecd186": "/token/**** (40 bytes masked)",
		"/commit/5fa9b6bbc0588e07f605322aec0124b5e8ecd186?key=5fa9b6bbc0588e07f605322aec0124b5e8ecd186": "/commit/5fa9b6bbc0588e07f605322aec0124b5e8ecd186?key=**** (40 bytes masked)",
		"/bot123456:AAsesame1/getMe": "/bot123456:**** (9 bytes masked)/getMe",
		"http://u:sesame@h/p":        "http://**** (8 bytes masked)@h/p",
		"//u:sesame@h/p":             "//**** (8 bytes masked)@h/p",
		"u:sesame@h:443":             "**** (8 bytes masked)@h:443",
		"www.example.org:443":        "www.example.org:443",
		"*":                          "*",
	} {
		if got := r.Target(in); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

func TestBody(t *testing.T) {
	var r Rule
	for _, test := range []struct{ body, kind, want string }{
		{"user=ali&password=sesame&=x&y", "application/x-www-form-urlencoded", "user=**** (3 bytes masked)&password=**** (6 bytes masked)&**** (2 bytes masked)&**** (1 byte masked)"},
		{`{"password":"a=sesame"}`, "application/x-www-form-urlencoded", `{"password":**** (8 bytes masked)}`},
		{"user=ali&password=sesame", "", "user=**** (3 bytes masked)&password=**** (6 bytes masked)"},
		{`{"user":"ali", "n":12,"list":[1, "sesame",null],"in":{"a":true}}`, "application/json", `{"user":**** (3 bytes masked), "n":**** (2 bytes masked),"list":[**** (16 bytes masked)],"in":{"a":**** (4 bytes masked)}}`},
		{`{"access_token" : "sesame`, "application/json", `{"access_token" : **** (7 bytes masked)`},
		{`{"variables":"{\"pw\":\"sesame\",\"l\":[\"sesame\"]}"}`, "text/plain", `{"variables":"{\"pw\":**** (6 bytes masked),\"l\":[**** (6 bytes masked)]}"}`},
		{`["sesame", {"a":"se\"same"}]`, "application/vnd.api+json", `[**** (6 bytes masked), {"a":**** (8 bytes masked)}]`},
		{`sesame {"a" "sesame" : sesame}`, "application/json", `**** (6 bytes masked) {**** (1 byte masked) **** (6 bytes masked) : **** (6 bytes masked)}`},
		{"{\"a\":1}\n{\"a\":\"sesame\"}", "application/x-ndjson", "{\"a\":**** (1 byte masked)}\n{\"a\":**** (6 bytes masked)}"},
		{`{"ghp_Sesame17":1}`, "application/json", `{"**** (12 bytes masked)":**** (1 byte masked)}`},
		{`<?xml version="1.0"?><a xmlns="urn:x" id="sesame"><password>sesame</password><b/><!-- sesame --><![CDATA[sesame]]> </a>`, "application/xml", `**** (21 bytes masked)<a xmlns="urn:x" id="**** (6 bytes masked)"><password>**** (6 bytes masked)</password><b/>**** (15 bytes masked)**** (18 bytes masked) </a>`},
		{`<!DOCTYPE html><html lang="en"><head><meta name="csrf" content="sesame"><title>Hello</title><script>var a="sesame"</script></head><body onload="sesame"><h1>Vault</h1><input value="sesame>"><textarea>sesame</textarea><!-- sesame --><p title='>sesame'>Your password is Sesame17.</p><a href="/?sesame`, "text/html", `<!DOCTYPE html><html><head><meta><title>Hello</title><script></script></head><body><h1>Vault</h1><input><textarea></textarea><p>Your password is **** (8 bytes masked).</p>`},
		{`{"token":"sesame"}`, "text/html", `{"token":**** (6 bytes masked)}`},
		{"--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nsesame\r\n--x\r\nsesame: x\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\nsesame\r\n--x--\r\n", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n**** (6 bytes masked)\r\n--x\r\n\r\n**** (61 bytes masked)\r\n--x--"},
		{"event: greeting\ndata: {\"a\":\"sesame\"}\ndata: sesame\nid: sesame\n\n: sesame", "text/event-stream", "event: greeting\ndata: {\"a\":**** (6 bytes masked)}\ndata: **** (6 bytes masked)\nid: **** (6 bytes masked)\n\n**** (8 bytes masked)"},
		{"\x00\x00\x00\x00\x0a\x0a\x06sesame\x10\x07", "application/grpc", "field 1: **** (6 bytes masked), field 2: **** (1 byte masked)"},
	} {
		if got, ok := r.Body(test.body, test.kind); got != test.want || !ok {
			t.Errorf("%s (%s):\n got %s\nwant %s", test.body, test.kind, got, test.want)
		}
	}
	for _, test := range [][2]string{
		{"sesame", "text/plain"}, {"password: sesame", "text/plain"}, {"sesame", "text/html"}, {"sesame", ""}, {"var a='sesame'", "application/javascript"}, {"sesame", "image/svg"},
		{"sesame", "application/pdf"}, {"a,sesame", "text/csv"}, {"-----BEGIN PRIVATE KEY-----", ""}, {"sesame", "application/grpc-web-text"}, {`cb({"a":"sesame"})`, "text/javascript"}, {`42["a","sesame"]`, ""},
		{"<sesame", "text/plain"}, {"<p>sesame=1", "text/plain"}, {"<html", "text/plain"},
	} {
		if got, ok := r.Body(test[0], test[1]); ok && strings.Contains(got, "sesame") {
			t.Errorf("%s: shown as %q", test, got)
		}
	}
}

// However a body is cut, nothing more of it is shown.
func TestBodyCut(t *testing.T) {
	var r Rule
	for body, kind := range map[string]string{
		`{"a":"SESAME17","b":{"c":["SESAME17",{"d":"{\"e\":\"SESAME17\"}"}]},"f":"SESAME17"}`:               "application/json",
		`<a><b c="SESAME17" d='SESAME17'>SESAME17<!--SESAME17--></b><e>SESAME17</e></a>`:                    "text/xml",
		`<html><p a="SESAME17" b=SESAME17><script>SESAME17</script><!--SESAME17--><input value='SESAME17'>`: "text/html",
		"a=SESAME17&b=SESAME17": "application/x-www-form-urlencoded",
		"--b\r\nContent-Disposition: form-data; name=x\r\n\r\nSESAME17\r\n--b\r\n\r\nSESAME17\r\n--b--": "multipart/mixed",
		"data: SESAME17\ndata: {\"a\":\"SESAME17\"}\n":                                                  "text/event-stream",
	} {
		for from := range body {
			for to := from; to <= len(body); to++ {
				for _, said := range []string{kind, ""} {
					got, _ := r.Body(body[from:to], said)
					if strings.Contains(got, "ESAM") && from == 0 {
						t.Fatalf("%q (%s): shown as %q", body[from:to], said, got)
					}
				}
			}
		}
	}
}

// Nothing that anybody sends takes long.
func TestMaskTime(t *testing.T) {
	var r Rule
	nested := "token"
	for range 200 {
		nested = "/?a=" + strings.ReplaceAll(strings.ReplaceAll(nested, "%", "%25"), "?", "%3F")
		if len(nested) > 200<<10 {
			break
		}
	}
	for _, s := range []string{nested, strings.Repeat("password:", 30000), strings.Repeat("?a=", 80000), strings.Repeat("a://", 60000), strings.Repeat("bearer ", 30000), strings.Repeat("eyJ.", 60000),
		strings.Repeat("=", 200000), strings.Repeat("a1", 100000), strings.Repeat("\"", 200000), strings.Repeat("<", 200000), strings.Repeat("[", 200000), strings.Repeat("a is ", 40000), strings.Repeat("%25", 60000), strings.Repeat("key='", 40000)} {
		r.Header("X-Any", s)
		r.Target("/?a=" + s)
		r.Target("https://" + s)
		r.Body(s[:min(len(s), 4<<10)], "text/html")
		r.Body(s[:min(len(s), 4<<10)], "text/xml")
		r.Body(s[:min(len(s), 4<<10)], "application/json")
	}
}

// What is hidden is told by its length, and all the rest stays.
func FuzzHeader(f *testing.F) {
	f.Add("X-Any", "https://u:p@h/?a=b")
	f.Add("Cookie", "a=b;c")
	f.Add("Set-Cookie", "a=b; Path=/, c=d")
	f.Add("-H", `a"b; c=d`)
	f.Add("WWW-Authenticate", `Digest a="b\"`)
	f.Add("Sec-WebSocket-Protocol", "bearer, ,x")
	f.Fuzz(func(t *testing.T, name, value string) {
		var r Rule
		spans := r.Spans(name, value)
		shown := r.Header(name, value)
		at := 0
		var want strings.Builder
		for _, s := range spans {
			if s.From < at || s.To <= s.From || s.To > len(value) {
				t.Fatalf("%v of %d", spans, len(value))
			}
			want.WriteString(value[at:s.From] + fmt.Sprintf("**** (%d byte%s masked)", s.To-s.From, map[bool]string{true: "", false: "s"}[s.To-s.From == 1]))
			at = s.To
		}
		if want.String()+value[at:] != shown {
			t.Fatalf("%q is shown as %q", value, shown)
		}
		for _, kind := range []string{"application/json", "text/html", "text/xml", "multipart/x", "text/event-stream", "application/grpc", "application/x-www-form-urlencoded", ""} {
			r.Body(value, kind)
		}
		r.Target(value)
		r.Command([]string{name, value}, "curl")
	})
}
