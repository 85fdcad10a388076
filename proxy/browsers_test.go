package proxy

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/story"
	"explainer/annotate/text"
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

// TestPagesInChromium: Chromium has the head of an answer before the first byte of its body, which the
// origin holds back until the page says that it has; and the short story of a page takes few lines.
func TestPagesInChromium(t *testing.T) {
	r := newRig(t, nil)
	r.shop("h2", "h2", "http/1.1")
	r.shop("h1", "http/1.1")
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

	for _, name := range []string{"h2", "h1"} {
		var seen struct{ Result struct{ Value string } }
		if code, err := b.Open("https://www." + name + ".test/"); code != "" || err != nil {
			t.Fatalf("%s: %q, %v", name, code, err)
		}
		if err := b.Call("Runtime.evaluate", map[string]any{"expression": "document.readyState === 'complete' ? loaded : new Promise(done => addEventListener('load', () => loaded.then(done)))", "awaitPromise": true}, &seen); err != nil || seen.Result.Value != "loaded" {
			t.Fatalf("%s: %q, %v", name, seen.Result.Value, err)
		}
	}
	r.finish()
	for _, name := range []string{"h2", "h1"} {
		told := r.told("." + name + ".test")
		// A page of 22 resources over 3 hosts is taken in at one look.
		if n := strings.Count(told, "\n"); n > 45 || !strings.Contains(told, "https://api."+name+".test/") {
			t.Errorf("%s: %d lines\n%s", name, n, told)
		}
	}
}

// shop is a page with 22 resources on the hosts www, cdn and api under NAME.test.
func (r *rig) shop(name string, protocols ...string) {
	page := "<!doctype html><link rel=stylesheet href=/a.css><script src=https://cdn.NAME.test/b.js></script>"
	for i := range 9 {
		page += fmt.Sprintf("<img src=/%d.svg><img src=https://cdn.NAME.test/%d.svg>", i, i)
	}
	page += "<script>loaded = Promise.all([fetch('https://api.NAME.test/user'), fetch('https://api.NAME.test/cart')]).then(() => 'loaded')</script>"
	types := map[string]string{".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
	for _, host := range []string{"www", "cdn", "api"} {
		r.origin(host+"."+name+".test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			if kind := types[filepath.Ext(req.URL.Path)]; kind != "" {
				w.Header().Set("Content-Type", kind)
			} else if req.URL.Path == "/" {
				w.Header().Set("Content-Type", "text/html")
				io.WriteString(w, strings.ReplaceAll(page, "NAME", name))
			}
		}), func(c *tls.Config) { c.NextProtos = protocols })
	}
}

// told is the short story of the sessions with hosts under a name.
func (r *rig) told(suffix string) string {
	r.t.Helper()
	var out bytes.Buffer
	chosen := map[int]bool{}
	short := text.NewShort(&out)
	short.Chosen = func(session int) bool { return chosen[session] }
	if err := story.New(&annotate.Explainer{}, choosing{short, suffix, chosen}).Follow(io.NewSectionReader(r.recording, 0, 1<<30)); err != nil {
		r.t.Fatal(err)
	}
	return out.String()
}

// A choosing notes which sessions are with hosts under a name.
type choosing struct {
	*text.Short
	suffix string
	chosen map[int]bool
}

func (c choosing) Event(e *event.Event) error {
	if strings.HasSuffix(e.Host, c.suffix) {
		c.chosen[e.Session] = true
	}
	return c.Short.Event(e)
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
	cmd, err := b.Command(dir, r.Authority, Visit{Proxy: "http://" + r.addr, Page: "about:blank", Headless: true, Args: []string{"--remote-debugging-port=0"}})
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
