package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"explainer/capture"

	"github.com/coder/websocket"
)

// A driven browser opens pages one after the other, and tells what it made of their certificates.
type driven interface {
	// open returns the name of the error in place of the page, or "".
	open(page string) (string, error)
}

// TestBrowsersMirrored: Chromium and Firefox show the same error code through the proxy
// as without it, where they trust the CA of the one and that of the origin. Each is started
// once; it reaches names that end in -direct.shop.test without the proxy, and those in -proxied.shop.test with it.
func TestBrowsersMirrored(t *testing.T) {
	for name, start := range map[string]func(*testing.T, *rig, string) driven{"chromium": startChromium, "firefox": startFirefox} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			port := browserOrigin(t, r)
			b := start(t, r, port)
			through := 0
			for _, faults := range append([][]string{nil}, mirroredFaults...) {
				label := "good"
				if faults != nil {
					label = strings.Join(faults, "--")
				}
				var codes [2]string
				for i, way := range []string{"direct", "proxied"} {
					host := label + "-" + way + ".shop.test"
					r.site(host, "127.0.0.1:"+port)
					code, err := b.open("https://" + host + ":" + port + "/")
					if err != nil {
						t.Fatalf("%s: %v", host, err)
					}
					codes[i] = code
				}
				t.Logf("%s: %s", label, codes[0])
				if codes[0] != codes[1] {
					t.Errorf("%s: %q without the proxy, and through it %q", label, codes[0], codes[1])
				}
				if label == "good" && codes[0] != "" {
					t.Errorf("a good origin: %s", codes[0])
				}
				if required := len(faults) > 0 && strings.Contains("expired not-yet-valid wrong-host self-signed untrusted-root wrong-eku", faults[0]); required && codes[0] == "" {
					t.Errorf("%s: no error", label)
				}
				through++
			}
			if c, ok := b.(*chromium); ok { // somebody goes on in spite of the warning
				if err := c.call("Security.setIgnoreCertificateErrors", map[string]any{"ignore": true}, new(struct{}), nil); err != nil {
					t.Fatal(err)
				}
				if code, err := c.open("https://expired-proxied.shop.test:" + port + "/"); code != "" || err != nil {
					t.Errorf("with errors ignored: %q, %v", code, err)
				}
				if f := facts(r.items(), capture.FactWentOn); !slices.ContainsFunc(f, func(f *capture.Fact) bool { return f.Host == "expired-proxied.shop.test" }) {
					t.Errorf("with errors ignored, of %d that went on none is the expired one", len(f))
				}
			}
			hosts := map[string]bool{}
			for _, f := range facts(r.items(), capture.FactOriginVerified) {
				if hosts[f.Host] = true; strings.Contains(f.Host, "-direct.") || f.Host != "good-proxied.shop.test" && f.Done != "mirrored" {
					t.Errorf("%+v", f)
				}
			}
			if len(hosts) != through {
				t.Errorf("%d of %d names came through the proxy", len(hosts), through)
			}
		})
	}
}

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
	b := startChromium(t, r, port).(*chromium)
	for _, scheme := range []string{"http", "https"} {
		if code, err := b.open("http://" + scheme + "-evil-proxied.shop.test/"); code != "" || err != nil {
			t.Fatalf("the page that posts: %q, %v", code, err)
		}
		var seen struct{ Result struct{ Value string } }
		for !strings.HasPrefix(seen.Result.Value, scheme+"://explainer.test/echo complete ") {
			if err := b.call("Runtime.evaluate", map[string]any{"expression": "location.href + ' ' + document.readyState + ' ' + document.title + ' ' + document.documentElement.innerText"}, &seen, nil); err != nil {
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
	b := startChromium(t, r, "").(*chromium)
	if code, err := b.open("http://events-proxied.shop.test/"); code != "" || err != nil {
		t.Fatalf("%q, %v", code, err)
	}
	for js, want := range map[string]string{
		`new Promise(done => { let seen = ""; const s = new EventSource("/events"); s.onopen = () => { seen += "open "; fetch("/opened") }; s.onmessage = e => { s.close(); done(seen + e.data) } })`: "open 1",
		`fetch("/length").then(r => { fetch("/opened"); return r.text().then(t => r.status + t) })`:                                                                                                   "200data: 1\n\n",
	} {
		var seen struct{ Result struct{ Value string } }
		if err := b.call("Runtime.evaluate", map[string]any{"expression": js, "awaitPromise": true}, &seen, nil); err != nil || seen.Result.Value != want {
			t.Errorf("%q, %v, want %q", seen.Result.Value, err, want)
		}
	}
}

// browserOrigin is an origin whose certificate has the faults that the name asked for is made of.
func browserOrigin(t *testing.T, r *rig) (port string) {
	var mu sync.Mutex
	made := map[string]*tls.Certificate{}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		mu.Lock()
		defer mu.Unlock()
		if c := made[h.ServerName]; c != nil {
			return c, nil
		}
		label, _, _ := strings.Cut(h.ServerName, "-direct.")
		label, _, _ = strings.Cut(label, "-proxied.")
		c, err := r.originCA.Faulty(h.ServerName, strings.Split(label, "--")...)
		made[h.ServerName] = c
		return c, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ErrorLog: discardLog, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<title>reached</title><link rel=icon href=data:,>hello")
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// autoConfig is the URL of a script that says which names the proxy is for.
func (r *rig) autoConfig() string {
	script := fmt.Sprintf("function FindProxyForURL(u, h) { return h.endsWith('-proxied.shop.test') || h.endsWith('explainer.test') ? 'PROXY %s' : 'DIRECT' }", r.addr)
	return "data:application/x-ns-proxy-autoconfig;base64," + base64.StdEncoding.EncodeToString([]byte(script))
}

// launch starts a browser whose profile trusts both CAs, with more preferences and arguments.
func (r *rig) launch(t *testing.T, name, prefs string, args ...string) (cmd *exec.Cmd, dir string, stderr io.Reader) {
	t.Helper()
	b, err := FindBrowser(name)
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir, which is too long a name for Chromium's socket.
	if dir, err = os.MkdirTemp("", "e"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if cmd, err = b.Command(dir, r.Authority, "http://"+r.addr, "about:blank", true, args); err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(dir, ".pki", "nssdb")
	if b.firefox {
		db = filepath.Join(dir, "profile")
		f, err := os.OpenFile(filepath.Join(db, "user.js"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, prefs)
		f.Close()
	}
	certutil := exec.Command("certutil", "-d", "sql:"+db, "-A", "-t", "C,,", "-n", "origin", "-a")
	certutil.Stdin = bytes.NewReader(r.originCA.PEM())
	if out, err := certutil.CombinedOutput(); err != nil {
		t.Fatalf("certutil: %v: %s", err, out)
	}
	if stderr, err = cmd.StderrPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		killChild(cmd)
		cmd.Wait()
	})
	return cmd, dir, stderr
}

// A chromium is driven by the Chrome DevTools protocol.
type chromium struct {
	t       *testing.T
	conn    *websocket.Conn
	session string
	id      int
}

func startChromium(t *testing.T, r *rig, port string) driven {
	_, _, stderr := r.launch(t, "chromium", "", "--remote-debugging-port=0", "--proxy-pac-url="+r.autoConfig(), "--host-resolver-rules=MAP *.test 127.0.0.1")
	const says = "DevTools listening on "
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), says) {
	}
	u, ok := strings.CutPrefix(lines.Text(), says)
	if !ok {
		t.Fatal("chromium does not listen")
	}
	go io.Copy(io.Discard, stderr)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, u, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(1 << 24)
	t.Cleanup(func() { conn.CloseNow() })
	c := &chromium{t: t, conn: conn}
	var target struct{ TargetID string }
	var attached struct{ SessionID string }
	if err := c.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached, nil); err != nil {
		t.Fatal(err)
	}
	c.session = attached.SessionID
	if err := c.call("Network.enable", nil, new(struct{}), nil); err != nil {
		t.Fatal(err)
	}
	return c
}

// A devtools is a message of Chromium's: the answer to a call, or an event.
type devtools struct {
	ID     int
	Result json.RawMessage
	Error  *struct{ Message string }
	Method string
	Params struct {
		RequestID string
		Request   struct{ URL string }
		ErrorText string
	}
}

// call calls a method and reads on until its answer has come, or an event that will do in its place.
func (c *chromium) call(method string, params map[string]any, result any, instead func(*devtools) bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c.id++
	message := map[string]any{"id": c.id, "method": method, "params": params}
	if c.session != "" {
		message["sessionId"] = c.session
	}
	b, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if err := c.conn.Write(ctx, websocket.MessageText, b); err != nil {
		return err
	}
	for {
		_, b, err := c.conn.Read(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", method, err)
		}
		var answer devtools
		if err := json.Unmarshal(b, &answer); err != nil {
			return err
		}
		switch {
		case answer.Method != "" && instead != nil && instead(&answer):
			return nil
		case answer.ID != c.id: // an event, or the answer to a call before
		case answer.Error != nil:
			return fmt.Errorf("%s: %s", method, answer.Error.Message)
		default:
			return json.Unmarshal(answer.Result, result)
		}
	}
}

// open does not wait for the error's page, before which Chromium looks for three
// seconds whether a captive portal is to blame.
func (c *chromium) open(page string) (string, error) {
	var navigated struct{ ErrorText string }
	request := ""
	err := c.call("Page.navigate", map[string]any{"url": page}, &navigated, func(e *devtools) bool {
		switch {
		case e.Method == "Network.requestWillBeSent" && e.Params.Request.URL == page:
			request = e.Params.RequestID
		case e.Method == "Network.loadingFailed" && e.Params.RequestID == request:
			navigated.ErrorText = e.Params.ErrorText
			return true
		}
		return false
	})
	return navigated.ErrorText, err
}

// A firefox is driven by the Marionette protocol: messages are a length, a
// colon, and JSON: [0, id, command, parameters], answered by [1, id, error, result].
type firefox struct {
	conn net.Conn
	in   *bufio.Reader
	id   int
}

func startFirefox(t *testing.T, r *rig, port string) driven {
	var local []string
	for _, faults := range append([][]string{{"good"}}, mirroredFaults...) {
		local = append(local, strings.Join(faults, "--")+"-direct.shop.test")
	}
	prefs := fmt.Sprintf(`user_pref("marionette.port", 0);
user_pref("network.proxy.type", 2);
user_pref("network.proxy.autoconfig_url", %q);
user_pref("network.dns.localDomains", %q);
`, r.autoConfig(), strings.Join(local, ","))
	_, dir, stderr := r.launch(t, "firefox", prefs, "--marionette")
	go io.Copy(io.Discard, stderr)
	var address string
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		b, err := os.ReadFile(filepath.Join(dir, "profile", "MarionetteActivePort"))
		if err == nil && len(b) > 0 {
			address = "127.0.0.1:" + strings.TrimSpace(string(b))
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("firefox does not listen")
		}
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	f := &firefox{conn: conn, in: bufio.NewReader(conn)}
	if _, err := f.receive(); err != nil { // it introduces itself
		t.Fatal(err)
	}
	if _, err := f.call("WebDriver:NewSession", map[string]any{}); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *firefox) receive() (json.RawMessage, error) {
	f.conn.SetDeadline(time.Now().Add(time.Minute))
	size, err := f.in.ReadString(':')
	if err != nil {
		return nil, err
	}
	var n int
	if _, err := fmt.Sscanf(size, "%d:", &n); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(f.in, b)
	return b, err
}

// A marionetteError is what a command answers that failed.
type marionetteError struct {
	Name    string `json:"error"`
	Message string
}

func (e *marionetteError) Error() string { return e.Name + ": " + e.Message }

func (f *firefox) call(command string, params map[string]any) (json.RawMessage, error) {
	f.id++
	b, err := json.Marshal([]any{0, f.id, command, params})
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(f.conn, "%d:%s", len(b), b); err != nil {
		return nil, err
	}
	b, err = f.receive()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", command, err)
	}
	var failed *marionetteError
	var result json.RawMessage
	if err := json.Unmarshal(b, &[]any{new(int), new(int), &failed, &result}); err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, fmt.Errorf("%s: %w", command, failed)
	}
	return result, nil
}

func (f *firefox) open(page string) (string, error) {
	_, err := f.call("WebDriver:Navigate", map[string]any{"url": page})
	if err == nil {
		return "", nil
	}
	var failed *marionetteError
	if !errors.As(err, &failed) {
		return "", err
	}
	// The page of the error knows its name: about:certerror where it can be clicked past, else about:neterror.
	result, err := f.call("WebDriver:ExecuteScript", map[string]any{"sandbox": "system", "args": []any{}, "script": `
		if (document.documentURI.startsWith("about:certerror"))
			return document.getFailedCertSecurityInfo().errorCodeString;
		if (document.documentURI.startsWith("about:neterror"))
			return document.getNetErrorInfo().errorCodeString;
		throw new Error("this is " + document.documentURI);`})
	if err != nil {
		return "", err
	}
	var code struct{ Value string }
	if err := json.Unmarshal(result, &code); err != nil || code.Value == "" {
		return "", fmt.Errorf("the error has no name: %s", result)
	}
	return code.Value, nil
}
