package proxy

import (
	"encoding/base64"
	"net/http"
	"net/netip"
	"testing"
)

// TestAccess: this machine may, others need the token, in a path once or as a password each time.
func TestAccess(t *testing.T) {
	local := netip.MustParseAddr("192.0.2.1")
	request := func(method, url, credentials string) *http.Request {
		r, err := http.NewRequest(method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if credentials != "" {
			r.Header.Set("Proxy-Authorization", credentials)
		}
		return r
	}
	basic := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	a := &Access{Token: "SECRET", Allow: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}
	asked := request("GET", "http://shop.test/", "")
	for _, tt := range []struct {
		client string
		r      *http.Request
		may    bool
	}{
		{"127.0.0.1", asked, true},
		{"::1", asked, true},
		{"::ffff:127.0.0.1", asked, true},
		{"192.0.2.1", asked, true}, // its own address
		{"::ffff:192.0.2.1", asked, true},
		{"198.51.100.7", asked, true},
		{"::ffff:198.51.100.7", asked, true},
		{"192.0.2.2", asked, false},
		{"2001:db8::1", asked, false},
		{"192.0.2.2", request("GET", "http://shop.test/", basic("anybody:SECRET")), true},
		{"192.0.2.2", request("CONNECT", "http://shop.test:443", basic(":SECRET")), true},
		{"192.0.2.2", request("GET", "http://shop.test/", basic("anybody:SECRET2")), false},
		{"192.0.2.2", request("GET", "http://shop.test/", basic("SECRET:")), false},
		{"192.0.2.2", request("GET", "http://shop.test/", basic("anybody:")), false},
		{"192.0.2.2", request("GET", "http://shop.test/", "Basic SECRET"), false},
		{"192.0.2.2", request("GET", "http://shop.test/", "Bearer SECRET"), false},
		{"192.0.2.2", request("GET", "http://shop.test/", "Basic"), false},
	} {
		if got := a.may(netip.MustParseAddr(tt.client), local, tt.r); got != tt.may {
			t.Errorf("%s with %v: %v", tt.client, tt.r.Header, got)
		}
	}
	phone := netip.MustParseAddr("::ffff:192.0.2.9")
	for _, r := range []*http.Request{request("GET", "/", ""), request("GET", "/SECRE", ""), request("GET", "/SECRET/", ""), request("GET", "http://shop.test/SECRET", "")} {
		if a.admit(phone, r) || a.may(phone, local, asked) {
			t.Errorf("%s lets in", r.URL)
		}
	}
	if !a.admit(phone, request("GET", "/SECRET", "")) || !a.may(netip.MustParseAddr("192.0.2.9"), local, asked) || a.may(netip.MustParseAddr("192.0.2.10"), local, asked) {
		t.Error("the token lets another in than it should")
	}
	if none := new(Access); none.admit(phone, request("GET", "/", "")) || none.may(phone, local, request("GET", "http://shop.test/", basic(":"))) {
		t.Error("no token lets in")
	}
}
