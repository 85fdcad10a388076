// Command page measures the live page in Chromium: when a session is painted first, how
// long after its packet an event stands in the table, the program's memory and the frames
// of a scroll with thousands of connections, and whatever leaves this machine or is
// reported by the page.
//
//	go run ./bench/page [-conns 5000,10000]
//	go run ./bench/page -pictures docs
//
// The second writes the pictures of the READMEs: of a real run, too. With -views it writes one
// of every view, wide and narrow, light and dark, English and Chinese, and printed.
//
// The program, its client and the browser share the machine. Needs Linux, for its
// processes' memory, and chromium.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"explainer/proxy/drive"
)

func main() {
	log.SetFlags(0)
	conns := flag.String("conns", "5000,10000", "`NUMBERS` of connections behind which it is measured, ascending")
	sandbox := flag.Bool("sandbox", os.Getuid() != 0, "let Chromium have its sandbox, which root cannot")
	folder := flag.String("pictures", "", "write pictures to this `FOLDER`, and measure nothing")
	views := flag.Bool("views", false, "of every view")
	flag.Parse()
	if *folder != "" {
		if err := pictures(*folder, *views, *sandbox); err != nil {
			log.Fatal(err)
		}
		return
	}
	if err := measure(*conns, *sandbox); err != nil {
		log.Fatal(err)
	}
}

func measure(conns string, sandbox bool) (err error) {
	dir, err := os.MkdirTemp("", "page")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := start(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	netLog := filepath.Join(dir, "net.json")
	b, err := browse(dir, netLog, sandbox)
	if err != nil {
		return err
	}
	fmt.Printf("program: %d MiB\n", p.memory("VmRSS"))

	// The first paint of a session.
	if err := b.visit(p.page); err != nil {
		return err
	}
	for range 20 {
		if err := p.fetch(); err != nil {
			return err
		}
	}
	if err := b.until(`[...document.querySelectorAll("#rows .asked")].filter(x => x.textContent.includes("→ 200")).length == 20`); err != nil {
		return err
	}
	var paints []float64
	for n := range 10 {
		if err := b.visit(fmt.Sprintf("%ss/%d", p.base, n+1)); err != nil {
			return err
		}
		ms, err := b.number(`new Promise(r => new PerformanceObserver((l, o) => { o.disconnect(); r(l.getEntriesByName("first-contentful-paint")[0].startTime) }).observe({type: "paint", buffered: true}))`)
		if err != nil {
			return err
		}
		paints = append(paints, ms)
	}
	fmt.Printf("first paint of a session: %s\n", spread(paints))

	// From a packet to its row: the row says when its first packet was.
	if err := b.visit(p.base); err != nil {
		return err
	}
	if _, err := b.js(`window.first = []; window.answered = {};
		const look = () => { const now = performance.timeOrigin + performance.now();
			for (const r of document.querySelectorAll("#rows .row")) {
				const at = Date.parse(new Date().toISOString().slice(0, 11) + r.querySelector("time").textContent + "Z");
				if (!r.dataset.n || at < start) continue;
				if (!(r.dataset.n in seen)) { seen[r.dataset.n] = true; first.push(now - at) }
				if (!(r.dataset.n in answered) && r.querySelector(".asked").textContent.includes("→ 200")) answered[r.dataset.n] = now;
			} };
		window.seen = {}; window.start = Date.now();
		new MutationObserver(() => requestAnimationFrame(look)).observe(document.querySelector("#rows"), {childList: true}); 0`); err != nil {
		return err
	}
	var answered []float64
	for range 50 {
		if err := p.fetch(); err != nil {
			return err
		}
		at := float64(time.Now().UnixMicro()) / 1000
		last, err := b.number(`Object.keys(answered).length`)
		for deadline := time.Now().Add(10 * time.Second); err == nil && last <= float64(len(answered)) && time.Now().Before(deadline); {
			last, err = b.number(`Object.keys(answered).length`)
		}
		if err != nil {
			return err
		}
		stood, err := b.number(`Math.max(...Object.values(answered))`)
		if err != nil {
			return err
		}
		answered = append(answered, stood-at)
	}
	text, err := b.js(`JSON.stringify(first)`)
	if err != nil {
		return err
	}
	var first []float64
	if err := json.Unmarshal([]byte(text), &first); err != nil {
		return err
	}
	fmt.Printf("from a connection's first packet to its row: %s\n", spread(first))
	fmt.Printf("from a response, as the client has it, to its place in the row: %s\n", spread(answered))

	// Thousands.
	if err := b.visit(p.base); err != nil {
		return err
	}
	had := 70
	for _, s := range strings.Split(conns, ",") {
		n, err := strconv.Atoi(s)
		if err != nil {
			return err
		}
		began := time.Now()
		if err := p.many(n - had); err != nil {
			return err
		}
		had = n
		passed := time.Since(began)
		const counted = `[...%s.querySelectorAll("#shares .share:first-child b")].reduce((n, x) => n + +x.textContent, 0) == %d`
		if err := b.until(`new Promise(r => setTimeout(r, 300)).then(() => fetch("/")).then(r => r.text()).then(t => ` + fmt.Sprintf(counted, `new DOMParser().parseFromString(t, "text/html")`, n) + `)`); err != nil {
			return err
		}
		told := time.Since(began)
		if err := b.until(fmt.Sprintf(counted, "document", n)); err != nil {
			return err
		}
		stood := time.Since(began) - told
		rows, err := b.number(`document.querySelectorAll("#rows .row").length`)
		if err != nil {
			return err
		}
		fmt.Printf("%d connections: passed in %.1f s, were told %.1f s later and stood on the page %.1f s after that; program %d MiB (at most %d), rows in the page %.0f\n",
			n, passed.Seconds(), (told - passed).Seconds(), stood.Seconds(), p.memory("VmRSS"), p.memory("VmHWM"), rows)
		frames, err := b.scroll()
		if err != nil {
			return err
		}
		slow := 0
		for _, f := range frames {
			if f > 50 {
				slow++
			}
		}
		rows, err = b.number(`document.querySelectorAll("#rows .row").length`)
		if err != nil {
			return err
		}
		down, err := b.js(`[...document.querySelectorAll("#rows .row")].at(-1).dataset.n`)
		if err != nil {
			return err
		}
		fmt.Printf("  scrolled for 10 s, down to session %s: %d frames: %s, %d above 50 ms; rows in the page %.0f\n", down, len(frames), spread(frames), slow, rows)
		if err := b.until(`(() => { scrollTo({top: 0, behavior: "instant"}); return document.querySelector("#newer").hidden })()`); err != nil {
			return err
		}
		const same = `fetch("/rows").then(r => r.text()).then(t => [...new DOMParser().parseFromString(t, "text/html").querySelectorAll(".row")].every((r, i) => r.id === document.querySelectorAll("#rows .row")[i].id))`
		if ok, err := b.js(same); err != nil || ok != "true" {
			return fmt.Errorf("scrolled up again, the page has other rows than the program: %w", err)
		}
		began = time.Now()
		if err := b.visit(p.base); err != nil {
			return err
		}
		fmt.Printf("  the table anew: %d ms\n", time.Since(began).Milliseconds())
	}
	reports, err := b.js(`sessionStorage.getItem("reports") || "none"`)
	if err != nil {
		return err
	}
	fmt.Printf("console errors and reports of the policy: %s\n", reports)
	if err := b.end(); err != nil {
		return err
	}
	return leaves(netLog)
}

// A program is a proxy with its page.
type program struct {
	cmd         *exec.Cmd
	proxy, page string
	base        string
	roots       *x509.CertPool
}

func start(dir string) (*program, error) {
	binary := filepath.Join(dir, "explainer")
	if out, err := exec.Command("go", "build", "-o", binary, "./cmd/explainer").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	home := filepath.Join(dir, "home")
	p := &program{cmd: exec.Command(binary, "proxy", "-p", "0", "--web", "127.0.0.1:0", "--home", home)}
	p.cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for s := bufio.NewScanner(stderr); p.page == "" && s.Scan(); {
		if m := regexp.MustCompile(`listening on (\S+);`).FindStringSubmatch(s.Text()); m != nil {
			p.proxy = m[1]
		}
		if m := regexp.MustCompile(`page: (\S+)`).FindStringSubmatch(s.Text()); m != nil {
			p.page = m[1]
		}
	}
	go io.Copy(io.Discard, stderr)
	p.base, _, _ = strings.Cut(p.page, "?")
	pem, err := os.ReadFile(filepath.Join(home, "ca.pem"))
	if err != nil {
		return nil, errors.Join(err, p.end())
	}
	p.roots = x509.NewCertPool()
	p.roots.AppendCertsFromPEM(pem)
	return p, nil
}

func (p *program) end() error {
	p.cmd.Process.Signal(os.Interrupt)
	return p.cmd.Wait()
}

// memory is a line of the program's status (proc(5)), in MiB.
func (p *program) memory(line string) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	m := regexp.MustCompile(line + `:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		return 0
	}
	kib, _ := strconv.Atoi(string(m[1]))
	return kib / 1024
}

// fetch is one connection with one request.
func (p *program) fetch() error { return p.get("https://tls13.explainer.test/", &tls.Config{}) }

func (p *program) get(from string, config *tls.Config) error {
	through, err := url.Parse(p.proxy)
	if err != nil {
		return err
	}
	config.RootCAs = p.roots
	t := &http.Transport{Proxy: http.ProxyURL(through), TLSClientConfig: config, DisableKeepAlives: true}
	r, err := (&http.Client{Transport: t}).Get(from)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	_, err = io.Copy(io.Discard, r.Body)
	return err
}

// many is n of them, by four clients.
func (p *program) many(n int) error {
	var left atomic.Int64
	left.Store(int64(n))
	var wait sync.WaitGroup
	wrong := make([]error, 4)
	for i := range wrong {
		wait.Go(func() {
			for left.Add(-1) >= 0 && wrong[i] == nil {
				wrong[i] = p.fetch()
			}
		})
	}
	wait.Wait()
	return errors.Join(wrong...)
}

// A browser is a page in Chromium.
type browser struct {
	cmd  *exec.Cmd
	all  *drive.Chromium
	page *drive.Chromium
}

func browse(dir, netLog string, sandbox bool) (*browser, error) {
	args := []string{"--headless=new", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
		"--user-data-dir=" + filepath.Join(dir, "profile"), "--remote-debugging-port=0", "--window-size=1400,900", "--log-net-log=" + netLog, "about:blank"}
	if !sandbox {
		args = append(args, "--no-sandbox")
	}
	b := &browser{cmd: exec.Command("chromium", args...)}
	stderr, err := b.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	if b.all, err = drive.Listening(stderr); err != nil {
		return nil, err
	}
	if b.page, err = b.all.NewPage(""); err != nil {
		return nil, err
	}
	if err := b.page.Call("Page.enable", nil, new(struct{})); err != nil {
		return nil, err
	}
	return b, b.page.Call("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": `(() => {
		const report = what => sessionStorage.setItem("reports", (sessionStorage.getItem("reports") || "") + what + "; ");
		const error = console.error;
		console.error = (...what) => { report("console: " + what.join(" ")); error(...what) };
		addEventListener("error", e => report("error: " + e.message), true);
		addEventListener("unhandledrejection", e => report("rejection: " + e.reason));
		document.addEventListener("securitypolicyviolation", e => report("policy: " + e.violatedDirective + " " + e.blockedURI));
	})()`}, new(struct{}))
}

// end lets it write its log.
func (b *browser) end() error {
	err := b.all.Call("Browser.close", nil, new(struct{}))
	return errors.Join(err, b.cmd.Wait())
}

func (b *browser) visit(url string) error {
	if code, err := b.page.Open(url); code != "" || err != nil {
		return fmt.Errorf("%s: %s %w", url, code, err)
	}
	return b.until(`document.readyState === "complete"`)
}

// js is what an expression comes to, as a string.
func (b *browser) js(expression string) (string, error) {
	var seen struct {
		Result           struct{ Value any }
		ExceptionDetails *struct{ Exception struct{ Description string } }
	}
	if err := b.page.Call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &seen); err != nil {
		return "", err
	}
	if seen.ExceptionDetails != nil {
		return "", fmt.Errorf("%s: %s", expression, seen.ExceptionDetails.Exception.Description)
	}
	return fmt.Sprint(seen.Result.Value), nil
}

func (b *browser) number(expression string) (float64, error) {
	s, err := b.js(expression)
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(s, 64)
}

// until waits for an expression to be true.
func (b *browser) until(expression string) error {
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if s, err := b.js(expression); err != nil || s == "true" {
			return err
		}
	}
	return fmt.Errorf("%s: not in five minutes", expression)
}

// scroll scrolls down the table for ten seconds, 100 pixels a frame, and returns how long each frame took, in milliseconds.
func (b *browser) scroll() (frames []float64, err error) {
	text, err := b.js(`new Promise(done => { const took = [], began = performance.now(); let last = 0;
		const frame = now => { if (last) took.push(now - last); last = now; scrollBy({top: 100, behavior: "instant"}); now - began < 10000 ? requestAnimationFrame(frame) : done(JSON.stringify(took)) };
		requestAnimationFrame(frame) })`)
	if err != nil {
		return nil, err
	}
	return frames, json.Unmarshal([]byte(text), &frames)
}

// spread is the median of values in milliseconds, the nineteenth of twenty and the greatest.
func spread(v []float64) string {
	if len(v) == 0 {
		return "nothing"
	}
	v = slices.Sorted(slices.Values(v))
	return fmt.Sprintf("median %.0f ms, 95 %% within %.0f ms, at most %.0f ms (%d)", v[len(v)/2], v[min(len(v)*95/100, len(v)-1)], v[len(v)-1], len(v))
}

// leaves says to whom the page's requests went by a net log, and to whom Chromium's own.
func leaves(name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	page, own := map[string]int{}, map[string]int{}
	for line := range bytes.Lines(data) { // an event each
		var e struct {
			Params struct{ Initiator, URL string }
		}
		if json.Unmarshal(bytes.TrimRight(line, ",\n"), &e) != nil || e.Params.Initiator == "" { // of URL_REQUEST_START_JOB alone
			continue
		}
		u, err := url.Parse(e.Params.URL)
		if err != nil {
			return err
		}
		if by, err := url.Parse(e.Params.Initiator); u.Hostname() == "127.0.0.1" || err == nil && by.Hostname() == "127.0.0.1" {
			page[u.Scheme+" "+u.Hostname()]++
		} else {
			own[u.Scheme+" "+u.Hostname()]++
		}
	}
	fmt.Printf("net log: requests of the page went to %v, Chromium's own to %v\n", page, own)
	return nil
}
