package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"explainer/proxy/drive"
)

// TestCrossSiteWrite: a page of another site posts markup to a built-in page in Chromium, as a form that
// sends itself. The built-in site refuses it, and nothing of it runs as a page of that site.
func TestCrossSiteWrite(t *testing.T) {
	r := withSites(t)
	var port string
	for _, scheme := range []string{"http", "https"} {
		evil := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, `<form id=f method=POST enctype=text/plain action="%s://explainer.test/echo"><input name="<html><script>document.title='written'</script>" value=""></form><script>f.submit()</script>`, scheme)
		})
		server := httptest.NewServer(evil)
		t.Cleanup(server.Close)
		_, port, _ = net.SplitHostPort(server.Listener.Addr().String())
		r.site(scheme+"-evil-proxied.shop.test", "127.0.0.1:"+port)
	}
	b := r.chromium()
	for _, scheme := range []string{"http", "https"} {
		if code, err := b.Open("http://" + scheme + "-evil-proxied.shop.test/"); code != "" || err != nil {
			t.Fatalf("the page that posts: %q, %v", code, err)
		}
		var seen struct{ Result struct{ Value string } }
		for !strings.HasPrefix(seen.Result.Value, scheme+"://explainer.test/echo complete ") {
			if err := b.Call("Runtime.evaluate", map[string]any{"expression": "location.href + ' ' + document.readyState + ' ' + document.title + ' ' + document.documentElement.innerText"}, &seen); err != nil {
				t.Fatal(err)
			}
		}
		if !strings.Contains(seen.Result.Value, "cross-origin request") || strings.Contains(seen.Result.Value, "written") {
			t.Errorf("%s: %q", scheme, seen.Result.Value)
		}
	}
}

// TestEventSourceInClear: Chromium has the head of an answer before the first byte
// of its body, which the origin holds back until the page says that it has.
func TestEventSourceInClear(t *testing.T) {
	r := newRig(t, nil)
	opened := make(chan struct{})
	r.plainOrigin("events-proxied.shop.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch req.URL.Path {
		case "/events", "/length":
			if w.Header().Set("Content-Type", "text/event-stream"); req.URL.Path == "/length" {
				w.Header().Set("Content-Length", "9")
			}
			w.(http.Flusher).Flush()
			<-opened
			io.WriteString(w, "data: 1\n\n")
		case "/opened":
			opened <- struct{}{}
		default:
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<link rel=icon href=data:,>hello")
		}
	}))
	b := r.chromium()
	if code, err := b.Open("http://events-proxied.shop.test/"); code != "" || err != nil {
		t.Fatalf("%q, %v", code, err)
	}
	for js, want := range map[string]string{
		`new Promise(done => { let seen = ""; const s = new EventSource("/events"); s.onopen = () => { seen += "open "; fetch("/opened") }; s.onmessage = e => { s.close(); done(seen + e.data) } })`: "open 1",
		`fetch("/length").then(r => { fetch("/opened"); return r.text().then(t => r.status + t) })`:                                                                                                   "200data: 1\n\n",
	} {
		var seen struct{ Result struct{ Value string } }
		if err := b.Call("Runtime.evaluate", map[string]any{"expression": js, "awaitPromise": true}, &seen); err != nil || seen.Result.Value != want {
			t.Errorf("%q, %v, want %q", seen.Result.Value, err, want)
		}
	}
}

// chromium is a page of a Chromium that uses the proxy and trusts its CA.
func (r *rig) chromium() *drive.Chromium {
	t := r.t
	t.Helper()
	b, err := FindBrowser("chromium")
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir, which is too long a name for Chromium's socket.
	dir, err := os.MkdirTemp("", "e")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cmd, err := b.Command(dir, r.Authority, "http://"+r.addr, "", "about:blank", true, []string{"--remote-debugging-port=0"})
	if err != nil {
		t.Fatal(err)
	}
	browser, err := drive.Listening(drive.Start(t, cmd, filepath.Join(dir, ".pki", "nssdb")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(browser.Close)
	page, err := browser.NewPage("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(page.Close)
	return page
}
