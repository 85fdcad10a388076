package origins

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"explainer/proxy"
	"explainer/proxy/drive"
)

// Browsers are started once, trust the proxy's CA and the origins' roots, and
// have a way past the proxy beside the one through it.

// launch starts a browser with more preferences and arguments.
func (h *house) launch(t *testing.T, name, prefs string, args ...string) (dir string, stderr io.Reader) {
	t.Helper()
	b, err := proxy.FindBrowser(name)
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir, which is too long a name for Chromium's socket.
	if dir, err = os.MkdirTemp("", "e"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cmd, err := b.Command(dir, h.authority, proxy.Visit{Proxy: "http://" + h.mirroring, Page: "about:blank", Headless: true, Args: args})
	if err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(dir, ".pki", "nssdb")
	if name == "firefox" {
		db = filepath.Join(dir, "profile")
		f, err := os.OpenFile(filepath.Join(db, "user.js"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, prefs)
		f.Close()
	}
	var roots [][]byte
	for _, root := range h.roots {
		roots = append(roots, root.Raw)
	}
	return dir, drive.Start(t, cmd, db, roots...)
}

// runChromium has some pages with the proxy and some without visit the sites.
func runChromium(t *testing.T, h *house) {
	_, stderr := h.launch(t, "chromium", "", "--remote-debugging-port=0", "--host-resolver-rules=MAP *.test 127.0.0.1, MAP *.test. 127.0.0.1, MAP *.uk 127.0.0.1, MAP intranet 127.0.0.1")
	browser, err := drive.Listening(stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer browser.Close()
	pages := map[bool]chan *drive.Chromium{}
	const pagesEach = 2
	for through, rules := range map[bool]string{false: "direct://", true: h.mirroring} {
		pages[through] = make(chan *drive.Chromium, pagesEach)
		var made struct{ BrowserContextID string }
		if err := browser.Call("Target.createBrowserContext", map[string]any{"proxyServer": rules, "proxyBypassList": "<-loopback>"}, &made); err != nil {
			t.Fatal(err)
		}
		for range pagesEach {
			c, err := browser.NewPage(made.BrowserContextID)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			pages[through] <- c
		}
	}
	each(h.visits(), 2*pagesEach, func(v visit) {
		c := <-pages[v.through]
		defer func() { pages[v.through] <- c }()
		o, err := ask(c, v)
		if o == "ERR_SOCKET_NOT_CONNECTED" {
			// On a busy machine a connection of its pool is sometimes gone before it is used, which
			// says nothing about certificates; a page would ask again by itself.
			t.Logf("%s, through the proxy %t: %s, asked again", v.name, v.through, o)
			o, err = ask(c, v)
		}
		if err != nil {
			t.Errorf("%s: %v", v.name, err)
		}
		v.note("chromium", o)
	})

	// Somebody goes on in spite of the warning.
	c := <-pages[true]
	if err := c.Call("Security.setIgnoreCertificateErrors", map[string]any{"ignore": true}, new(struct{})); err != nil {
		t.Fatal(err)
	}
	for _, s := range h.sites {
		if v := (visit{s, true}); s.name == "expired-days" {
			if o, err := ask(c, v); o != accepted || err != nil {
				t.Errorf("with errors ignored: %q, %v", o, err)
			}
			v.mu.Lock()
			v.succeeded++
			v.mu.Unlock()
		}
	}
}

// ask has Chromium's network service ask, with no page around it.
func ask(c *drive.Chromium, v visit) (outcome, error) {
	var answer struct {
		Resource struct {
			Success        bool
			NetErrorName   string
			HTTPStatusCode int
			Stream         string
		}
	}
	if err := c.Call("Network.loadNetworkResource", map[string]any{"frameId": c.Frame, "url": v.url(), "options": map[string]any{"disableCache": true, "includeCredentials": false}}, &answer); err != nil {
		return "", err
	}
	r := answer.Resource
	if r.Stream == "" {
		if r.HTTPStatusCode != 0 {
			return v.came(r.HTTPStatusCode, ""), nil
		}
		return outcome(strings.TrimPrefix(r.NetErrorName, "net::")), nil
	}
	var body struct{ Data string }
	if err := c.Call("IO.read", map[string]any{"handle": r.Stream}, &body); err != nil {
		return "", err
	}
	return v.came(r.HTTPStatusCode, body.Data), c.Call("IO.close", map[string]any{"handle": r.Stream}, new(struct{}))
}

// A firefox is driven by the Marionette protocol: messages are a length, a
// colon, and JSON: [0, id, command, parameters], answered by [1, id, error, result].
type firefox struct {
	conn net.Conn
	in   *bufio.Reader
	id   int
}

// firefoxVisits makes visits in the network stack of Firefox, with no page around them, and
// calls done with a status and a text or the name of an error for each.
const firefoxVisits = `
const [urls, atOnce, done] = arguments;
function visit(url) {
	return new Promise(resolve => {
		const channel = Services.io.newChannelFromURI(Services.io.newURI(url), null, Services.scriptSecurityManager.getSystemPrincipal(), null,
			Ci.nsILoadInfo.SEC_ALLOW_CROSS_ORIGIN_SEC_CONTEXT_IS_NULL, Ci.nsIContentPolicy.TYPE_OTHER).QueryInterface(Ci.nsIHttpChannel);
		let body = "";
		channel.asyncOpen({
			onStartRequest() {},
			onDataAvailable(request, stream, offset, count) {
				const input = Cc["@mozilla.org/scriptableinputstream;1"].createInstance(Ci.nsIScriptableInputStream);
				input.init(stream);
				body += input.read(count);
			},
			onStopRequest(request, status) {
				if (Components.isSuccessCode(status))
					return resolve({status: channel.responseStatus, body});
				const name = channel.securityInfo?.errorCodeString;
				resolve({failed: name || "0x" + status.toString(16)});
			},
		});
	});
}
const results = [];
let next = 0;
async function work() {
	while (next < urls.length) {
		const i = next++;
		results[i] = await visit(urls[i]);
	}
}
Promise.all(Array.from({length: atOnce}, work)).then(() => done(results), e => done(String(e)));
`

// runFirefox makes all visits without the proxy, and then all with it.
func runFirefox(t *testing.T, h *house) {
	var local []string
	for _, s := range h.sites {
		if net.ParseIP(s.host) == nil {
			local = append(local, strings.TrimSuffix(s.host, "."))
		}
	}
	prefs := fmt.Sprintf(`user_pref("marionette.port", 0);
user_pref("network.dns.localDomains", %q);
`, strings.Join(local, ","))
	dir, stderr := h.launch(t, "firefox", prefs, "--marionette", "--remote-allow-system-access")
	go io.Copy(io.Discard, stderr)
	var address string
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		b, err := os.ReadFile(filepath.Join(dir, "profile", "MarionetteActivePort"))
		if err == nil && len(b) > 0 {
			address = "127.0.0.1:" + strings.TrimSpace(string(b))
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not listen")
		}
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	f := &firefox{conn: conn, in: bufio.NewReader(conn)}
	if _, err := f.receive(); err != nil { // it introduces itself
		t.Fatal(err)
	}
	for _, call := range []struct {
		command string
		params  map[string]any
	}{
		{"WebDriver:NewSession", map[string]any{}},
		{"Marionette:SetContext", map[string]any{"value": "chrome"}},
		{"WebDriver:SetTimeouts", map[string]any{"script": 300000}},
	} {
		if _, err := f.call(call.command, call.params); err != nil {
			t.Fatal(err)
		}
	}
	for _, through := range []bool{false, true} {
		var visits []visit
		var urls []string
		for _, s := range h.sites {
			v := visit{s, through}
			visits, urls = append(visits, v), append(urls, v.url())
		}
		kind := map[bool]int{false: 0, true: 1}[through] // network.proxy.type: none, or what the profile says
		if _, err := f.call("WebDriver:ExecuteScript", map[string]any{"args": []any{kind}, "script": `Services.prefs.setIntPref("network.proxy.type", arguments[0])`}); err != nil {
			t.Fatal(err)
		}
		result, err := f.call("WebDriver:ExecuteAsyncScript", map[string]any{"args": []any{urls, 4}, "script": firefoxVisits})
		if err != nil {
			t.Fatal(err)
		}
		var answers struct {
			Value []struct {
				Status int
				Body   string
				Failed string
			}
		}
		if err := json.Unmarshal(result, &answers); err != nil || len(answers.Value) != len(visits) {
			t.Fatal(fmt.Errorf("%v: %s", err, result))
		}
		for i, a := range answers.Value {
			if a.Failed != "" {
				visits[i].note("firefox", outcome(a.Failed))
			} else {
				visits[i].note("firefox", visits[i].came(a.Status, a.Body))
			}
		}
	}
}

func (f *firefox) receive() (json.RawMessage, error) {
	f.conn.SetDeadline(time.Now().Add(6 * time.Minute))
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
