// Package origins holds the proof that no origin looks better through the proxy
// than without it, and no good one worse: two tables of origins, which real
// programs and browsers visit both ways.
package origins

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
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
	"testing"
	"time"

	"explainer/ca"
	"explainer/proxy"
)

// An outcome is what a visit came to: accepted, page, or the client's own name
// or words for why it refused.
type outcome string

const (
	accepted outcome = "accepted"
	page     outcome = "page" // the proxy's, which explains: status 502
)

// A visit is what a client is to do.
type visit struct {
	*site
	through bool // through the proxy
}

func (v visit) url() string { return "https://" + net.JoinHostPort(v.host, v.port) + "/" }

// A site is a running origin.
type site struct {
	origin
	bad       bool
	port      string
	addr      string
	requests  atomic.Int32
	mu        sync.Mutex
	direct    map[string]outcome // by client
	proxied   map[string]outcome
	careless  outcome // of a client that checks nothing, before a proxy that blocks
	succeeded int     // visits whose client got the origin's answer
}

const greeting = "hello from the origin "

// start serves the origin.
func (m *mint) start(o origin, bad bool) *site {
	s := &site{origin: o, bad: bad, direct: map[string]outcome{}, proxied: map[string]outcome{}}
	if s.host == "" {
		s.host = s.name + map[bool]string{true: ".bad.test", false: ".good.test"}[bad]
	}
	config := &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
	if o.config != nil {
		o.config(config)
	}
	config.Certificates = []tls.Certificate{*o.make(m, s.host)}
	on := "127.0.0.1"
	if net.ParseIP(s.host) != nil {
		on = s.host
	}
	l, err := tls.Listen("tcp", on+":0", config)
	if err != nil {
		m.t.Fatal(err)
	}
	server := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/" {
			s.requests.Add(1)
		}
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Cache-Control", "no-store")
		io.WriteString(w, "<link rel=icon href=data:,>"+greeting+s.name+".")
	})}
	go server.Serve(l)
	m.t.Cleanup(func() { server.Close() })
	s.addr = l.Addr().String()
	_, s.port, _ = net.SplitHostPort(s.addr)
	return s
}

// came sorts out what a client was answered.
func (s *site) came(status int, body string) outcome {
	switch {
	case status == http.StatusOK && strings.Contains(body, greeting+s.name+"."):
		return accepted
	case status == http.StatusBadGateway:
		return page
	}
	return outcome(fmt.Sprintf("status %d", status))
}

// clients are what visits the sites, both ways each.
var clients = map[string]func(*testing.T, *house){
	"curl": runCurl("curl"), "curl-1.2": runCurl("curl-1.2", "tls-max = 1.2"), insistent: runCurl(insistent, "cert-status"),
	"python": runPython, "chromium": runChromium, "firefox": runFirefox,
}

// The client that insists on a staple sees no page: that comes without one.
const (
	insistent = "curl-cert-status"
	noStaple  = outcome("(91) No OCSP response received")
)

// A difference is one between a visit and the same through the proxy that is known, and why it must be.
type difference struct {
	site, client string // client "" is every one
	through      outcome
	why          string
}

// TestOrigins: what a client refuses, it refuses for the same reason through the
// proxy, or it is shown the page that explains. What it accepts, it accepts, unless
// something is wrong with the origin that other clients mind: then the page may
// stand in its place. A proxy that blocks gives a bad origin's answer to nobody.
func TestOrigins(t *testing.T) {
	m := newMint(t)
	originCA, err := ca.NewEphemeral("case list")
	if err != nil {
		t.Fatal(err)
	}
	expired, err := originCA.ExpiredTwin()
	if err != nil {
		t.Fatal(err)
	}
	trusted := []*x509.Certificate{originCA.Certificate(), expired}
	var sites []*site
	bad, good := faultyOrigins(originCA)
	names := map[string]bool{}
	for i, list := range [][]origin{append(badOrigins, bad...), append(goodOrigins, good...)} {
		for _, o := range list {
			s := m.start(o, i == 0)
			if names[s.name] || names[s.host] {
				t.Fatalf("%s is there twice", s.name)
			}
			names[s.name], names[s.host] = true, true
			sites = append(sites, s)
		}
	}
	for _, p := range m.roots {
		trusted = append(trusted, must(x509.ParseCertificate(p.der)))
	}
	authority, err := ca.NewEphemeral("tables")
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, dir: t.TempDir(), authority: authority, roots: trusted, sites: sites}
	h.mirroring, h.blocking = h.proxy(false), h.proxy(true)

	t.Run("clients", func(t *testing.T) {
		for name, visit := range clients {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				visit(t, h)
			})
		}
	})
	runBlocked(h)
	h.judge()
}

// A house is all that the clients meet.
type house struct {
	t                   *testing.T
	dir                 string
	authority           *ca.Authority
	roots               []*x509.Certificate // that origins' certificates may end in
	sites               []*site
	mirroring, blocking string // proxies
}

// proxy starts a proxy and returns its address.
func (h *house) proxy(block bool) string {
	f, err := os.OpenFile(filepath.Join(h.dir, fmt.Sprintf("%v.pcapng", block)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		h.t.Fatal(err)
	}
	recorder, err := proxy.NewRecorder(f, proxy.RecorderOptions{Version: "test", OnError: func(err error) { h.t.Error(err) }})
	if err != nil {
		h.t.Fatal(err)
	}
	p := &proxy.Proxy{Authority: h.authority, Recorder: recorder, OriginCAs: h.roots, BlockBadOrigins: block, Map: map[string]string{}}
	for _, s := range h.sites {
		p.Map[strings.TrimSuffix(s.host, ".")] = s.addr
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(l) }()
	h.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Shutdown(ctx); err != nil {
			h.t.Error(err)
		}
		if err := <-served; err != nil {
			h.t.Error(err)
		}
		if err := recorder.Close(); err != nil {
			h.t.Error(err)
		}
		f.Close()
	})
	return l.Addr().String()
}

// bundle is a file of what a client is to trust.
func (h *house) bundle(through bool) string {
	roots := h.roots
	if through {
		roots = []*x509.Certificate{h.authority.Certificate()}
	}
	var out bytes.Buffer
	for _, c := range roots {
		pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	f, err := os.CreateTemp(h.dir, "*.pem")
	if err != nil {
		h.t.Fatal(err)
	}
	defer f.Close()
	out.WriteTo(f)
	return f.Name()
}

// visits are all, the two of a site one after the other.
func (h *house) visits() []visit {
	var out []visit
	for _, s := range h.sites {
		out = append(out, visit{s, false}, visit{s, true})
	}
	return out
}

// note keeps what a visit came to.
func (v visit) note(client string, o outcome) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.through {
		v.proxied[client] = o
	} else {
		v.direct[client] = o
	}
	if o == accepted {
		v.succeeded++
	}
}

// each makes the visits, so many at once.
func each(visits []visit, at int, do func(visit)) {
	work := make(chan visit)
	var workers sync.WaitGroup
	for range at {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for v := range work {
				do(v)
			}
		}()
	}
	for _, v := range visits {
		work <- v
	}
	close(work)
	workers.Wait()
}

// program runs a program that knows nothing of this machine's settings.
func (h *house) program(stdin io.Reader, name string, args ...string) (stdout, stderr string, err error) {
	cmd := exec.Command(name, args...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errOut
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir}
	err = cmd.Run()
	return out.String(), errOut.String(), err
}

// What is not of the reason in an error of curl's: the host, and where the connection led.
var curlPlace = regexp.MustCompile(`( in connection to| for) [^ ]+:\d+ *$| target host name '.*'| target ipv4 address '.*'`)

// runCurl has one curl make all visits, with some settings more.
func runCurl(name string, settings ...string) func(*testing.T, *house) {
	return func(t *testing.T, h *house) {
		trust := map[bool]string{false: h.bundle(false), true: h.bundle(true)}
		var config strings.Builder
		visits := h.visits()
		for _, v := range visits {
			fmt.Fprintf(&config, "next\nsilent\nno-sessionid\nmax-time = 20\nurl = %q\ncacert = %q\nwrite-out = %q\n", v.url(), trust[v.through], curlSays)
			if net.ParseIP(v.host) == nil {
				fmt.Fprintf(&config, "resolve = %q\n", v.host+":"+v.port+":127.0.0.1")
			}
			if v.through {
				fmt.Fprintf(&config, "proxy = %q\n", "http://"+h.mirroring)
			}
			for _, line := range settings {
				config.WriteString(line + "\n")
			}
		}
		out, errs, _ := h.program(strings.NewReader(strings.TrimPrefix(config.String(), "next\n")), "curl", "--config", "-")
		for _, v := range visits {
			body, rest, found := strings.Cut(out, curlMark)
			says, rest, ended := strings.Cut(rest, "\n")
			if out = rest; !found || !ended {
				t.Fatalf("it did not visit %s: %s", v.name, errs)
			}
			code, says, _ := strings.Cut(says, " ")
			status, why, _ := strings.Cut(says, " ")
			if n, err := strconv.Atoi(status); err == nil && code == "0" {
				v.note(name, v.came(n, body))
			} else {
				v.note(name, outcome("("+code+") "+curlPlace.ReplaceAllString(why, "")))
			}
		}
	}
}

const (
	curlMark = "\ncurl says "
	curlSays = curlMark + "%{exitcode} %{http_code} %{errormsg}\n"
)

// runBlocked has somebody who checks nothing ask the proxy that blocks.
func runBlocked(h *house) {
	var suites []uint16 // what browsers offer, which is more than Go's own clients do
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if !strings.Contains(s.Name, "RC4") && !strings.Contains(s.Name, "3DES") {
			suites = append(suites, s.ID)
		}
	}
	careless := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		Proxy:             http.ProxyURL(&url.URL{Scheme: "http", Host: h.blocking}),
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, CipherSuites: suites},
		ForceAttemptHTTP2: true, DisableKeepAlives: true,
	}}
	var visits []visit
	for _, s := range h.sites {
		visits = append(visits, visit{s, true})
	}
	each(visits, 4, func(v visit) {
		resp, err := careless.Get(v.url())
		if err != nil {
			v.careless = outcome(err.Error())
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		if v.careless = v.came(resp.StatusCode, string(body)); v.careless == accepted {
			v.succeeded++
		}
	})
}

// runPython has one Python make all visits.
func runPython(t *testing.T, h *house) {
	type job struct {
		URL   string `json:"url"`
		Trust string `json:"trust"`
		Proxy string `json:"proxy"`
	}
	trust := map[bool]string{false: h.bundle(false), true: h.bundle(true)}
	visits := h.visits()
	var in bytes.Buffer
	for _, v := range visits {
		j := job{URL: v.url(), Trust: trust[v.through]}
		if v.through {
			j.Proxy = "http://" + h.mirroring
		}
		json.NewEncoder(&in).Encode(j)
	}
	out, errs, err := h.program(&in, "/usr/bin/python3", filepath.Join("testdata", "visit.py"))
	if err != nil {
		t.Fatalf("%v: %s", err, errs)
	}
	answers := json.NewDecoder(strings.NewReader(out))
	for _, v := range visits {
		var a struct {
			Status int
			Body   string
			Failed string
		}
		if err := answers.Decode(&a); err != nil {
			t.Fatal(err)
		}
		if a.Failed != "" {
			v.note("python", outcome(a.Failed))
		} else {
			v.note("python", v.came(a.Status, a.Body))
		}
	}
}

// judge compares.
func (h *house) judge() {
	met := map[*difference]bool{}
	known := func(s *site, client string, through outcome) bool {
		for i := range differences {
			if d := &differences[i]; d.site == s.name && (d.client == client || d.client == "") && d.through == through {
				met[d] = true
				return true
			}
		}
		return false
	}
	all := len(h.sites[0].direct) == len(clients) // else only some were asked for
	table := map[bool]int{}
	var seen strings.Builder
	for _, s := range h.sites {
		table[s.bad]++
		fmt.Fprintf(&seen, "%s (bad: %v), from the proxy that blocks: %s\n", s.name, s.bad, s.careless)
		refused, taken := 0, 0
		for _, client := range slices.Sorted(maps.Keys(s.direct)) {
			direct, through := s.direct[client], s.proxied[client]
			fmt.Fprintf(&seen, "    %-18s %-60s %s\n", client, direct, through)
			switch direct {
			case accepted:
				taken++
			case noStaple: // which is no fault
			default:
				refused++
			}
			if client == insistent && through == noStaple {
				through = page
			}
			fine := through == direct || through == page && (s.bad || direct != accepted)
			if !fine && !known(s, client, through) {
				h.t.Errorf("%s, %s: %q, and through the proxy %q", s.name, client, direct, through)
			}
		}
		if all && s.bad && refused == 0 && !known(s, nobodyMinds, "") {
			h.t.Errorf("%s: nobody minds", s.name)
		}
		if all && !s.bad && taken == 0 {
			h.t.Errorf("%s: nobody takes it", s.name)
		}
		if s.bad == (s.careless == accepted) && !known(s, blocked, s.careless) {
			h.t.Errorf("%s: from the proxy that blocks %q", s.name, s.careless)
		}
		if n := int(s.requests.Load()); n != s.succeeded {
			h.t.Errorf("%s: %d requests reached the origin, and %d were answered", s.name, n, s.succeeded)
		}
	}
	for i := range differences {
		if d := &differences[i]; all && !met[d] {
			h.t.Errorf("%s, %s: the known difference %q is none any more", d.site, d.client, d.through)
		}
	}
	h.t.Logf("%d bad origins, %d good ones", table[true], table[false])
	h.t.Log(seen.String())
}
