package proxy

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"explainer/ca"
)

// TestCases shows every control and fault to Go's client, through CONNECT and
// directly: controls are answered, what crypto/tls and crypto/x509 refuse is not.
func TestCases(t *testing.T) {
	var mu sync.Mutex
	var next string
	r := newRig(t, func(p *Proxy) {
		p.Cases = func(a Asking) (Case, bool) {
			mu.Lock()
			defer mu.Unlock()
			host := a.Host
			if host == "" {
				host = a.SNI
			}
			return Case{Fault: next, Host: host, Run: "1"}, next != ""
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.ServeCases(l) }()
	try := func(direct bool) error {
		transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: r.roots(), ServerName: "www.bank.test"}}
		defer transport.CloseIdleConnections()
		target := "https://www.bank.test/"
		if direct {
			target = "https://" + l.Addr().String() + "/"
		} else {
			transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: r.addr})
		}
		resp, err := (&http.Client{Transport: transport}).Get(target)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	for _, f := range ca.Faults {
		if f.ByAddress {
			continue
		}
		mu.Lock()
		next = f.ID
		mu.Unlock()
		for _, direct := range []bool{false, true} {
			err := try(direct)
			refused := err != nil
			want := f.Refuser == "crypto/tls" || f.Refuser == "crypto/x509"
			if f.Severity == ca.Control && refused || want && !refused {
				t.Errorf("%s (direct: %v): refused %v (%v)", f.ID, direct, refused, err)
			}
		}
	}
	// A client that offers another protocol than HTTP/1.1 is shown the case too.
	mu.Lock()
	next = "good"
	mu.Unlock()
	for _, protocol := range []string{"h2", "http/1.0", "mqtt"} {
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: r.roots(), ServerName: "www.bank.test", NextProtos: []string{protocol}})
		if err != nil {
			t.Errorf("%s: %v", protocol, err)
			continue
		}
		if got := c.ConnectionState().NegotiatedProtocol; got != protocol {
			t.Errorf("%s: agreed on %q", protocol, got)
		}
		c.Close()
	}
	var http2 http.Protocols
	http2.SetHTTP2(true)
	transport := &http.Transport{Protocols: &http2, DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: r.roots(), ServerName: "www.bank.test"}}
	if resp, err := (&http.Client{Transport: transport}).Get("https://" + l.Addr().String() + "/"); err != nil || resp.ProtoMajor != 2 {
		t.Errorf("HTTP/2 alone: %v", err)
	} else {
		resp.Body.Close()
	}
	l.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
