package proxy

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// TestSiteHTTP3 asks the site that speaks HTTP/3 for its page and its images, side by side on one connection.
func TestSiteHTTP3(t *testing.T) {
	t.Parallel()
	sites, _ := startSites(t)
	site := lookup(t, sites, "h3.explainer.test", 443)
	if other := lookup(t, sites, "tls13.explainer.test", 443); other.UDP != "" {
		t.Errorf("tls13 has the UDP address %s", other.UDP)
	}
	var mu sync.Mutex
	dials := 0
	tr := &http3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: site.Roots},
		Dial: func(ctx context.Context, _ string, c *tls.Config, q *quic.Config) (*quic.Conn, error) {
			mu.Lock()
			dials++
			mu.Unlock()
			return quic.DialAddr(ctx, site.UDP, c, q)
		},
	}
	defer tr.Close()
	client := &http.Client{Transport: tr, Timeout: 20 * time.Second}
	get := func(path string) (status int, kind, body string) {
		resp, err := client.Get("https://h3.explainer.test" + path)
		if err != nil {
			t.Error(err)
			return 0, "", ""
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Error(err)
		}
		return resp.StatusCode, resp.Header.Get("Content-Type"), string(data)
	}
	status, _, page := get("/")
	if status != http.StatusOK || !strings.Contains(page, "This site sees TLS 1.3") || !strings.Contains(page, "and HTTP/3.0, from the proxy") {
		t.Fatalf("status %d, %s", status, page)
	}
	var all sync.WaitGroup
	images := 0
	for _, part := range strings.Split(page, `<img src="`)[1:] {
		path, _, _ := strings.Cut(part, `"`)
		images++
		all.Go(func() {
			if status, kind, body := get(path); status != http.StatusOK || kind != "image/svg+xml" || !strings.HasPrefix(body, "<svg ") {
				t.Errorf("%s: %d, %s, %q", path, status, kind, body)
			}
		})
	}
	all.Wait()
	if images != 10 || dials != 1 {
		t.Errorf("%d images over %d connections, want 10 over 1", images, dials)
	}
	for _, path := range []string{"/image/0.svg", "/image/11.svg", "/image/x"} {
		if status, _, _ := get(path); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
}
