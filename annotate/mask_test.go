package annotate

import (
	"strings"
	"testing"
)

func TestMaskHeader(t *testing.T) {
	var x Explainer
	for _, test := range []struct{ name, value, want string }{
		{"Cookie", "a=sesame; b=x=y", "a=**** (6 bytes masked); b=**** (3 bytes masked)"},
		{"Set-Cookie", "sid=sesame; Path=/; HttpOnly", "sid=**** (6 bytes masked); Path=/; HttpOnly"},
		{"Authorization", "Bearer sesame", "Bearer **** (6 bytes masked)"},
		{"authorization", "sesame", "**** (6 bytes masked)"},
		{"Proxy-Authorization", "Basic c2VzYW1l", "Basic **** (8 bytes masked)"},
		{"X-Api-Key", "sesame", "**** (6 bytes masked)"},
		{"X-Shop-Token", "sesame", "**** (6 bytes masked)"},
		{"Location", "https://shop.test/cb?code=sesame&x=1", "https://shop.test/cb?code=**** (6 bytes masked)&x=1"},
		{"Referer", "https://u:sesame@shop.test/a?b=c", "https://u:**** (6 bytes masked)@shop.test/a?b=c"},
		{"Host", "shop.test", "shop.test"},
		{"Accept", "text/html", "text/html"},
		{"WWW-Authenticate", "Basic realm=x", "Basic realm=x"},
		{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="},
		{"Content-Type", "text/html; charset=utf-8", "text/html; charset=utf-8"},
	} {
		if got := x.header(test.name, test.value); got != test.want {
			t.Errorf("%s: %s: got %q, want %q", test.name, test.value, got, test.want)
		}
	}
	x.ShowSecrets = true
	if got := x.header("Cookie", "a=sesame"); got != "a=sesame" {
		t.Errorf("with ShowSecrets: %q", got)
	}
}

func TestMaskTarget(t *testing.T) {
	var x Explainer
	for in, want := range map[string]string{
		"/a?token=sesame&b=1":          "/a?token=**** (6 bytes masked)&b=1",
		"/a?access_token=sesame":       "/a?access_token=**** (6 bytes masked)",
		"/a?accessToken=sesame":        "/a?accessToken=**** (6 bytes masked)",
		"/cb#id_token=sesame&state=xy": "/cb#id_token=**** (6 bytes masked)&state=**** (2 bytes masked)",
		"/a?q=shipping&design=1":       "/a?q=shipping&design=1",
		"/a?shipping=1&pin=1234":       "/a?shipping=1&pin=**** (4 bytes masked)",
		"/a?pass%77ord=sesame":         "/a?pass%77ord=**** (6 bytes masked)",
		"/plain":                       "/plain",
		"http://u:sesame@h/p":          "http://u:**** (6 bytes masked)@h/p",
	} {
		if got := x.target(in); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

func TestMaskBody(t *testing.T) {
	var x Explainer
	for _, test := range []struct{ body, kind string }{
		{"user=ali&password=sesame", "application/x-www-form-urlencoded"},
		{"name=sesame", "application/x-www-form-urlencoded"},
		{"user=ali&password=sesame", ""},
		{`{"user":"ali","password":"sesame"}`, "application/json"},
		{`{"access_token" : "sesame`, "application/json"},
		{`{"a":{"apiKey":"sesame"}}`, "text/plain"},
		{"--x\r\nContent-Disposition: form-data; name=password\r\n\r\nsesame\r\n", "multipart/form-data; boundary=x"},
	} {
		if got := x.body(test.body, test.kind); strings.Contains(got, "sesame") {
			t.Errorf("%s (%s): shown as %s", test.body, test.kind, got)
		}
	}
	if got := x.body(`{"title":"design","pin_code":12}`, "application/json"); !strings.Contains(got, `"title":"design"`) || strings.Contains(got, ":12") {
		t.Errorf("got %s", got)
	}
}
