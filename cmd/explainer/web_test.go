package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"explainer/proxy/drive"
)

// A shown is a proxy with its page.
type shown struct {
	t     *testing.T
	proxy string // http://host:port
	page  string // with the token
	base  string // http://host:port/
	ca    string
}

// showing starts a proxy with its page.
func showing(t *testing.T, args ...string) *shown {
	t.Helper()
	cmd := explainerCmd(t, append([]string{"proxy", "-p", "0", "--web", "127.0.0.1:0"}, args...)...)
	home := filepath.Join(t.TempDir(), "home")
	cmd.Env = append(cmd.Env, "EXPLAINER_HOME="+home)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	s := &shown{t: t, ca: filepath.Join(home, "ca.pem")}
	lines := bufio.NewScanner(stderr)
	for s.page == "" && lines.Scan() {
		if url := regexp.MustCompile(`listening on (\S+);`).FindStringSubmatch(lines.Text()); url != nil {
			s.proxy = url[1]
		}
		if url := regexp.MustCompile(`page: (\S+)`).FindStringSubmatch(lines.Text()); url != nil {
			s.page = url[1]
		}
	}
	go io.Copy(io.Discard, stderr)
	if s.base, _, _ = strings.Cut(s.page, "?"); s.proxy == "" || s.base == "" {
		t.Fatal("the proxy does not say where it is and its page")
	}
	return s
}

// fetch fetches a built-in page through the proxy with curl, whatever comes of it.
func (s *shown) fetch(url string, args ...string) {
	s.t.Helper()
	exec.Command("curl", append([]string{"-s", "-o", os.DevNull, "-x", s.proxy, "--cacert", s.ca, url}, args...)...).Run()
}

// TestWebGuard: the page is for who has the token, by an address of ours, from no other site, and
// only to read.
func TestWebGuard(t *testing.T) {
	t.Parallel()
	s := showing(t)
	jar, _ := cookiejar.New(nil)
	in := &http.Client{Jar: jar}
	if r, err := in.Get(s.page); err != nil || r.StatusCode != 200 || strings.Contains(r.Request.URL.String(), "t=") {
		t.Fatalf("with the token: %v, %v", r, err)
	}
	own := func(r *http.Request) { r.Header.Set("Origin", strings.TrimSuffix(s.base, "/")) }
	for _, c := range []struct {
		name   string
		client *http.Client
		method string
		path   string
		change func(*http.Request)
		want   int
	}{
		{"without a token", http.DefaultClient, "GET", "", nil, 403},
		{"another token", http.DefaultClient, "GET", "?t=AAAA", nil, 403},
		{"rows without a token", http.DefaultClient, "GET", "rows", nil, 403},
		{"the script without a token", http.DefaultClient, "GET", "page.js", nil, 403},
		{"another name that leads here", in, "GET", "", func(r *http.Request) { r.Host = "evil.test" }, 421},
		{"another port", in, "GET", "", func(r *http.Request) { r.Host = "127.0.0.1:1" }, 421},
		{"from another site", in, "GET", "rows", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		{"from another port", in, "GET", "events", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 403},
		{"something written", in, "POST", "", nil, 405},
		{"no session", in, "GET", "s/77", nil, 404},
		{"a copy without a token", http.DefaultClient, "GET", "s/1/break", nil, 403},
		{"a copy from another site", in, "GET", "s/1/break?without=X", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		{"a copy of no session", in, "GET", "s/77/break", nil, 404},
		{"a copy changed by what is written", in, "POST", "s/1/break", nil, 405},
		{"a capture without a token", http.DefaultClient, "POST", "read", own, 403},
		{"a capture from another origin", in, "POST", "read", func(r *http.Request) { r.Header.Set("Origin", "http://evil.test") }, 405},
		{"a capture of no origin", in, "POST", "read", nil, 405},
		{"a capture from another port", in, "POST", "read", func(r *http.Request) { own(r); r.Header.Set("Sec-Fetch-Site", "same-site") }, 403},
		{"a capture that is no form", in, "POST", "read", own, 415},
		{"something else written", in, "POST", "rows", own, 405},
		{"a capture that was never dropped", in, "GET", "r/7/", nil, 404},
		{"no number", in, "GET", "s/x", nil, 404},
		{"no file", in, "GET", "session.html", nil, 404},
		{"up", in, "GET", "%2e%2e%2fbook.go", nil, 404},
		{"the page", in, "GET", "", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "none") }, 200},
		{"the style", in, "GET", "page.css", nil, 200},
	} {
		req, _ := http.NewRequest(c.method, s.base+c.path, nil)
		if c.change != nil {
			c.change(req)
		}
		r, err := c.client.Do(req)
		if err != nil {
			t.Fatal(c.name, err)
		}
		r.Body.Close()
		if r.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", c.name, r.StatusCode, c.want)
		}
		if got := r.Header.Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'") {
			t.Errorf("%s: policy %q", c.name, got)
		}
	}
}

// TestWebAddress: the page is of this machine alone.
func TestWebAddress(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"0.0.0.0:0", "192.0.2.1:80", "example.org:80", "127.0.0.1:x", "[::]:0"} {
		out, err := explainerCmd(t, "proxy", "-p", "0", "--web", addr).CombinedOutput()
		if code := err.(*exec.ExitError).ExitCode(); code != 2 || !strings.Contains(string(out), "--web") {
			t.Errorf("%s: exit %d: %s", addr, code, out)
		}
	}
}

// A webPage is a page in Chromium.
type webPage struct {
	t *testing.T
	*drive.Chromium
}

// headless starts a Chromium, and notes what a page reports: errors and violations of its policy.
func headless(t *testing.T) webPage {
	t.Helper()
	profile, err := os.MkdirTemp("", "web")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
		"--user-data-dir="+profile, "--remote-debugging-port=0", "--window-size=1400,900", "about:blank")
	t.Cleanup(func() { os.RemoveAll(profile) })
	c, err := drive.Listening(drive.Start(t, cmd, profile))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	p, err := c.NewPage("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	b := webPage{t, p}
	b.call("Page.enable", nil)
	b.call("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": `window.reports = [];
		addEventListener("error", e => reports.push("error: " + e.message));
		addEventListener("unhandledrejection", e => reports.push("rejection: " + e.reason));
		document.addEventListener("securitypolicyviolation", e => reports.push("policy: " + e.violatedDirective + " " + e.blockedURI));`})
	return b
}

func (b webPage) call(method string, params map[string]any) {
	b.t.Helper()
	if err := b.Call(method, params, new(struct{})); err != nil {
		b.t.Fatal(err)
	}
}

// js is what an expression comes to, as a string.
func (b webPage) js(expression string) string {
	b.t.Helper()
	value, err := b.evaluate(expression)
	if err != nil {
		b.t.Fatal(err)
	}
	return value
}

func (b webPage) evaluate(expression string) (string, error) {
	var seen struct {
		Result           struct{ Value any }
		ExceptionDetails *struct{ Exception struct{ Description string } }
	}
	if err := b.Call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &seen); err != nil {
		return "", err
	}
	if seen.ExceptionDetails != nil {
		return "", fmt.Errorf("%s: %s", expression, seen.ExceptionDetails.Exception.Description)
	}
	return fmt.Sprint(seen.Result.Value), nil
}

// until waits until an expression comes to something, over a change of the page.
func (b webPage) until(want, expression string) {
	b.t.Helper()
	got := ""
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		var err error
		if got, err = b.evaluate(expression); err != nil && !strings.Contains(err.Error(), "navigated") {
			b.t.Fatal(err)
		}
		if err == nil && got == want {
			return
		}
	}
	b.t.Fatalf("%s: %s, want %s", expression, got, want)
}

// visit opens a page and waits until it stands.
func (b webPage) visit(url string) {
	b.t.Helper()
	if code, err := b.Open(url); code != "" || err != nil {
		b.t.Fatalf("%s: %q, %v", url, code, err)
	}
	b.until("complete", "document.readyState")
}

// clean fails for what the page has reported.
func (b webPage) clean(of string) {
	b.t.Helper()
	if r := b.js("reports.join('; ')"); r != "" {
		b.t.Errorf("%s: %s", of, r)
	}
}

// axe looks for what keeps people out (the rules of axe-core, which Node's libraries bring along).
var axe = sync.OnceValues(func() ([]byte, error) { return os.ReadFile("testdata/node/node_modules/axe-core/axe.min.js") })

// accessible fails for what is seriously wrong with a page for those who cannot see or point.
func (b webPage) accessible(of string) {
	b.t.Helper()
	script, err := axe()
	if err != nil {
		b.t.Fatal(err)
	}
	b.js(string(script) + "; 0")
	if found := b.js(`axe.run().then(r => r.violations.filter(v => v.impact === "serious" || v.impact === "critical").map(v => v.id + ": " + v.nodes.slice(0, 3).map(n => n.html + " " + n.failureSummary).join(" | ")).join("\n"))`); found != "" {
		b.t.Errorf("%s:\n%s", of, found)
	}
}

// key presses a key.
func (b webPage) key(key string) {
	b.t.Helper()
	b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyDown", "key": key})
	b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key})
}

// TestWeb: in Chromium the table fills while curl fetches, a session shows its steps and messages,
// a byte its field and the other way round, what an eavesdropper does not see is blanked, and
// nothing is reported; an open page adds nothing to the story.
func TestWeb(t *testing.T) {
	t.Parallel()
	s := showing(t)
	b := headless(t)
	b.visit(s.page)
	b.until("0", `document.querySelectorAll("#rows .row").length`)
	b.until("false", `document.querySelector("#none").hidden`)

	s.fetch("https://tls12.explainer.test/word", "-d", "word=gl%C3%BChwurm")
	b.until("1", `document.querySelectorAll("#rows .row").length`)
	b.until("11", `[...document.querySelectorAll("#r1 .strip b")].filter(x => x.textContent.trim()).length`)
	s.fetch("https://expired.explainer.test/")
	s.fetch("https://rsa.explainer.test/", "--ciphers", "AES128-GCM-SHA256", "--tls-max", "1.2")
	b.until("3", `document.querySelectorAll("#rows .row").length`)
	b.until("true", `document.querySelector(".row.failed .trouble") !== null && document.querySelector(".row.failed .trouble").textContent.includes("expired")`)
	b.js(`(() => { const f = document.querySelector("#filter"); f.value = "failed"; f.dispatchEvent(new Event("input")) })()`)
	b.until("1", `document.querySelectorAll("#rows .row").length`)
	b.clean("the table")
	b.accessible("the table")

	b.until("3", `[...document.querySelectorAll("#shares .share:first-child b")].reduce((n, x) => n + +x.textContent, 0)`)
	b.visit(s.base + "times")
	b.until("3", `document.querySelectorAll(".strand").length`)
	if n := b.js(`[...document.querySelectorAll(".strand")].filter(s => s.querySelector("rect.p-handshake") && s.querySelector("a").href.includes("/s/")).length`); n != "3" {
		t.Errorf("%s of 3 sessions show their handshake over time", n)
	}
	b.clean("the times")
	b.accessible("the times")

	b.visit(s.base + "s/1")
	b.until("11", `document.querySelectorAll(".tile").length`)
	b.js(`new Promise(r => setTimeout(r))`)
	if n := b.js(`document.querySelectorAll(".line.leg-browser").length > 8 && document.querySelectorAll(".line.leg-origin").length > 8`); n != "true" {
		t.Error("the ladder lacks a leg")
	}
	b.key("ArrowRight")
	b.key("ArrowRight")
	b.key("ArrowRight")
	if got := b.js(`document.querySelector(".tile.now").dataset.step + [...document.querySelectorAll(".line.now .what > b:first-child")].map(x => x.textContent).includes("Certificate")`); got != "3true" {
		t.Errorf("three keys to the right: %s", got)
	}
	hello := `[...document.querySelectorAll(".line")].find(l => l.querySelector(".what b").textContent === "ServerHello")`
	b.js(hello + `.querySelector("details").open = true`)
	point := func(of string) string {
		return b.js(`(() => { const l = ` + hello + `, li = [...l.querySelectorAll(".parts li")].find(x => x.querySelector("b").textContent === "cipher_suite"),
			byte = l.querySelector('.hex [data-p="' + li.dataset.p + '"]'), from = ` + of + `, to = from === li ? byte : li;
			from.dispatchEvent(new MouseEvent("mouseover", {bubbles: true})); const on = to.classList.contains("on"); from.dispatchEvent(new MouseEvent("mouseout", {bubbles: true}));
			return on + " " + to.classList.contains("on") + " " + byte.textContent.trim() })()`)
	}
	for _, of := range []string{"li", "byte"} {
		if got := point(of); !strings.HasPrefix(got, "true false c0") && !strings.HasPrefix(got, "true false cc") {
			t.Errorf("pointing at a %s: %s", of, got)
		}
	}
	request := `[...document.querySelectorAll(".line.sealed")].find(l => l.querySelector(".what b").textContent === "HTTP request")`
	see := `getComputedStyle(` + request + `.querySelector(".brief")).display + " " + getComputedStyle(` + request + `.querySelector(".noise")).display`
	if got := b.js(see); got != "inline none" {
		t.Errorf("in the middle: %s", got)
	}
	tile := `getComputedStyle(document.querySelector('.tile[data-step="7"] .you')).display + " " + getComputedStyle(document.querySelector('.tile[data-step="1"] .you')).display`
	if got := b.js(tile); got != "block block" {
		t.Errorf("tiles in the middle: %s", got)
	}
	b.js(`document.querySelector(".eyes-path").click()`)
	if got := b.js(tile); got != "none block" {
		t.Errorf("tiles on the path: %s", got)
	}
	if got := b.js(see); got != "none inline-block" {
		t.Errorf("on the path: %s", got)
	}
	for _, c := range []struct{ who, want string }{{".eyes-key", "none inline-block"}, {".eyes-quantum", "inline none"}} {
		b.js(`document.querySelector("` + c.who + `").click()`)
		if got := b.js(see); got != c.want {
			t.Errorf("%s: %s", c.who, got)
		}
	}
	b.js(`document.querySelector(".eyes-all").click()`)
	b.js(`(() => { const r = [...document.querySelectorAll(".redo")].find(r => r.textContent.includes("openssl dgst")); r.closest(".line").querySelector("details").open = true; r.open = true })()`)
	b.until("1 true", `document.querySelectorAll(".command .copy").length + " " + (document.querySelector(".redo[open] pre").textContent.endsWith("signed)\n"))`)
	b.clean("a session")
	b.accessible("a session")
	b.js(`document.querySelector(".show-predict").click()`)
	first := `[...document.querySelectorAll(".line")].find(l => l.querySelector(".what b").textContent === "ClientHello")`
	if d := b.js(`getComputedStyle(` + first + `).display`); d != "none" {
		t.Errorf("the answer is shown before it is given: %s", d)
	}
	b.js(`document.querySelector(".ask .right").click()`)
	if n := b.js(`getComputedStyle(` + first + `).display !== "none" && getComputedStyle(document.querySelectorAll(".ask")[1]).display === "block"`); n != "true" {
		t.Error("an answer does not lead on to the next question")
	}
	b.js(`document.querySelectorAll(".ask .right").forEach(x => x.click()); document.querySelector(".show-predict").click()`)
	b.js(`document.querySelector("#shade").click()`)
	b.accessible("a session, the other shade")

	// A byte that is clicked leads to its bits, and a bit to what becomes of the proofs.
	b.visit(s.base + "s/1")
	b.js(hello + `.querySelector("details").open = true`)
	b.js(`(() => { const of = ` + hello + `.querySelector('.hex [data-p="2"]'); of.scrollIntoView({block: "center", behavior: "instant"}); const at = of.getBoundingClientRect();
		of.dispatchEvent(new MouseEvent("click", {bubbles: true, clientX: at.left + 4, clientY: at.top + 8})) })()`)
	b.until("1", `document.querySelectorAll(".way").length`)
	if at := b.js(`new URL(location).searchParams.get("b")`); at != "4" {
		t.Errorf("clicking byte 4 leads to byte %s", at)
	}
	b.js(`document.querySelector(".bits a").click()`)
	b.until("true", `document.querySelector("#result .changes .p-refuted") !== null || document.querySelector("#result .notices li") !== null`)
	b.clean("a changed copy")
	b.accessible("a changed copy")

	// A bit of sealed data: its record opens no more, and the other side notices.
	b.js(`[...document.querySelectorAll(".act")].find(a => a.querySelector("a[href*=flip]") && !a.querySelector(".bits")).querySelector("a[href*=flip]").click()`)
	b.until("true", `document.querySelector("#result .notices .alert") !== null && document.querySelector("#result .notices .alert").textContent.includes("bad_record_mac")`)
	b.clean("changed data")

	// A word that was typed: nowhere on the wire of either leg, and where the key is in both directions.
	b.visit(s.base + "s/1")
	b.js(`(() => { document.querySelector(".find input").value = "glühwurm"; document.querySelector(".find button").click() })()`)
	b.until("2", `location.pathname.endsWith("/word") ? document.querySelectorAll(".leg > p > .closed").length : 0`)
	for _, from := range []string{"client", "server"} {
		if n := b.js(`[...document.querySelectorAll(".sightings li")].filter(l => l.querySelector("i").textContent.includes("` + from + `") && l.querySelector(".wire").textContent.length >= 18 && !"676c25433325424368777572676cc3bc687775726d".includes(l.querySelector(".wire").textContent)).length`); n == "0" {
			t.Errorf("the word is not found in what the %s sent: %s", from, b.js(`document.querySelector("main").innerText`))
		}
	}
	b.clean("a word")
	b.accessible("a word")

	// Two sessions side by side, chosen in the table; and the keys, which are masked.
	b.visit(s.base)
	rsa := b.js(`[...document.querySelectorAll(".row")].find(r => r.textContent.includes("rsa.explainer.test")).dataset.n`)
	b.js(`document.querySelectorAll('.choose[value="1"], .choose[value="' + ` + rsa + ` + '"]').forEach(c => c.click())`)
	b.until("true", `(() => { const a = document.querySelector("#pairs:not([hidden]) a"); if (a && location.pathname === "/") a.click(); return location.pathname.includes("~") && document.readyState === "complete" })()`)
	if n := b.js(`location.pathname + " " + (document.querySelectorAll(".pair .differs").length > 3)`); n != "/s/1~"+rsa+" true" {
		t.Errorf("side by side: %s", n)
	}
	b.clean("two sessions")
	b.accessible("two sessions")
	b.visit(s.base + "s/" + rsa + "/keys")
	if n := b.js(`document.querySelectorAll(".tree li").length > 8 && document.querySelectorAll(".tree .value code").length`); n != "2" {
		t.Errorf("of the keys %s values are shown, want the two random numbers", n)
	}
	b.clean("the keys")
	b.accessible("the keys")

	// What the page does is none of the story's.
	before := b.js(`fetch("/rows").then(r => r.headers.get("Book-Version"))`)
	b.visit(s.base)
	b.visit(s.base + "s/" + b.js(`[...document.querySelectorAll("#rows .row")].find(r => r.textContent.includes("rsa.explainer.test")).dataset.n`))
	b.js(`document.querySelector(".eyes-key").click()`)
	if got := b.js(see); got != "inline none" {
		t.Errorf("the key of the textbook's server: %s", got)
	}
	if after := b.js(`fetch("/rows").then(r => r.headers.get("Book-Version"))`); after != before {
		t.Errorf("the story went from %s to %s while the page was looked at", before, after)
	}
	b.clean("another session")

	// A capture and its key log that are dropped are read beside it, as a source of their own; what is none is refused.
	b.visit(s.base)
	drop := func(files ...string) {
		var js strings.Builder
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&js, `d.items.add(new File([Uint8Array.from(atob("%s"), c => c.charCodeAt(0))], "%s"));`, base64.StdEncoding.EncodeToString(data), filepath.Base(name))
		}
		b.js(`(() => { const d = new DataTransfer(); ` + js.String() + ` dispatchEvent(new DragEvent("drop", {dataTransfer: d, cancelable: true})) })()`)
	}
	drop("web_test.go")
	b.until("true", `document.querySelector("#drop-says").textContent.includes("web_test.go")`)
	drop("../../annotate/story/testdata/demo.pcapng")
	b.until("/r/1/", `document.readyState === "complete" ? location.pathname : ""`)
	b.until("true", `document.querySelectorAll("#rows .row").length > 1 && document.querySelectorAll(".drop .pick a").length === 2`)
	b.clean("what was dropped")
	b.accessible("what was dropped")
	b.js(`document.querySelector("#rows .row:last-child a").click()`)
	b.until("true", `location.pathname.startsWith("/r/1/s/") && document.querySelectorAll(".tile").length === 11`)
	b.js(`document.querySelector('a[href$="/break"]').click()`)
	b.until("true", `location.pathname.endsWith("/break") && document.querySelectorAll(".act").length > 0`)

	// It is not reached through the proxy.
	if out, err := exec.Command("curl", "-s", "-o", os.DevNull, "-w", "%{http_code}", "--noproxy", "", "-x", s.proxy, s.page).Output(); err != nil || string(out) == "200" || string(out) == "303" {
		t.Errorf("through the proxy: %s, %v", out, err)
	}
	b.until("4", `fetch("/rows").then(r => r.text()).then(t => t.split('role="row"').length - 1)`)
}

// TestWebFile: the file opens from a disk without a network, and its steps and sentences stand in
// it as text.
func TestWebFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "story.html")
	if out, err := explainerCmd(t, "demo", "-w", filepath.Join(dir, "demo.pcapng"), "--html", file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	} else if n := bytes.Count(out, []byte("\n")); n > 75 { // what a first-time reader takes in
		t.Errorf("the demo has %d lines", n)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(data); n > 2<<20 {
		t.Errorf("the file has %d bytes", n)
	}
	for _, outside := range regexp.MustCompile(`(?:src|href)="(?:https?:)?//[^"]*"`).FindAllString(string(data), -1) {
		t.Errorf("the file fetches %s", outside)
	}
	b := headless(t)
	for _, scripts := range []bool{true, false} {
		b.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": !scripts})
		b.visit("file://" + file)
		var tree struct {
			Result struct{ Value string }
		}
		if err := b.Call("Runtime.evaluate", map[string]any{"expression": "document.body.innerText", "returnByValue": true}, &tree); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"tls13.explainer.test", "Who is it?", "ClientHello", "the client sends the encrypted client key", "as told"} {
			if !strings.Contains(tree.Result.Value, want) {
				t.Errorf("scripts %t: the file does not show %q", scripts, want)
			}
		}
		if scripts {
			b.clean("the file")
			b.accessible("the file")
		}
	}
}

// TestWebFileWhole: the file is whole though nobody reads the story to its end, and there is one
// of what could not be read.
func TestWebFileWhole(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "story.html")
	read := explainerCmd(t, "read", "-vv", "--html", file, "../../annotate/story/testdata/demo.pcapng")
	out, err := read.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := read.Start(); err != nil {
		t.Fatal(err)
	}
	out.Close()
	if err := read.Wait(); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(file); err != nil || !strings.HasSuffix(string(data), "</html>\n") || !strings.Contains(string(data), "tls13.explainer.test") {
		t.Errorf("%v, %d bytes that end with %q", err, len(data), data[max(0, len(data)-100):])
	}
	if out, err := explainerCmd(t, "read", "--html", file, "/nowhere.pcapng").CombinedOutput(); err == nil {
		t.Errorf("no file is read: %s", out)
	}
	if data, err := os.ReadFile(file); err != nil || !strings.HasSuffix(string(data), "</html>\n") {
		t.Errorf("%v, %d bytes", err, len(data))
	}
}
