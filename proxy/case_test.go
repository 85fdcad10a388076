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
	l.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
