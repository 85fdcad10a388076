package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"explainer/annotate/words"
	"explainer/ca"

	"github.com/coder/websocket"
)

func startSites(t *testing.T) (*Sites, *ca.Authority) {
	t.Helper()
	authority, err := ca.NewEphemeral("sites test")
	if err != nil {
		t.Fatal(err)
	}
	sites, err := StartSites(authority, true, words.English, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sites.Close() })
	return sites, authority
}

func lookup(t *testing.T, s *Sites, host string, port int) Site {
	t.Helper()
	site, ok, known := s.Lookup(host, port)
	if !ok || !known {
		t.Fatalf("Lookup(%q, %d): ok %v, known %v", host, port, ok, known)
	}
	if a, err := net.ResolveTCPAddr("tcp", site.Addr); err != nil || !a.IP.IsLoopback() {
		t.Fatalf("%s is served at %s, want a loopback address", host, site.Addr)
	}
	return site
}

// TestSitesTLS shakes hands with each site: what its name promises is what it speaks.
func TestSitesTLS(t *testing.T) {
	t.Parallel()
	sites, _ := startSites(t)
	all := append(slices.Clone(textbookSuites), tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)
	for _, tt := range []struct {
		host    string
		version uint16
		proto   string
		rsa     bool // RSA key transport
		hrr     bool
		asks    bool // for a certificate of the client's
	}{
		{"explainer.test", tls.VersionTLS13, "h2", false, false, false},
		{"tls13.explainer.test", tls.VersionTLS13, "h2", false, false, false},
		{"tls12.explainer.test", tls.VersionTLS12, "h2", false, false, false},
		{"rsa.explainer.test", tls.VersionTLS12, "http/1.1", true, false, false},
		{"hrr.explainer.test", tls.VersionTLS13, "h2", false, true, false},
		{"mtls.explainer.test", tls.VersionTLS13, "h2", false, false, true},
		{"ech.explainer.test", tls.VersionTLS13, "h2", false, false, false},
		{"resume.explainer.test", tls.VersionTLS13, "http/1.1", false, false, false},
		{"h3.explainer.test", tls.VersionTLS13, "h2", false, false, false},
	} {
		site := lookup(t, sites, tt.host, 443)
		asked := false
		conn, err := tls.Dial("tcp", site.Addr, &tls.Config{
			ServerName: tt.host, RootCAs: site.Roots, NextProtos: []string{"h2", "http/1.1"}, CipherSuites: all,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				asked = true
				return &tls.Certificate{}, nil
			},
		})
		if err != nil {
			t.Errorf("%s: %v", tt.host, err)
			continue
		}
		s := conn.ConnectionState()
		if s.Version != tt.version || s.NegotiatedProtocol != tt.proto || slices.Contains(textbookSuites, s.CipherSuite) != tt.rsa || s.HelloRetryRequest != tt.hrr || asked != tt.asks {
			t.Errorf("%s: %s, %s, %s, retried %v, asked for a certificate %v", tt.host, tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite), s.NegotiatedProtocol, s.HelloRetryRequest, asked)
		}
		if names := s.PeerCertificates[0].DNSNames; !slices.Equal(names, []string{tt.host}) {
			t.Errorf("%s: the certificate names %v", tt.host, names)
		}
		if site.ECH != nil {
			conn, err := tls.Dial("tcp", site.Addr, &tls.Config{ServerName: tt.host, RootCAs: site.Roots, EncryptedClientHelloConfigList: site.ECH.list()})
			if err != nil || !conn.ConnectionState().ECHAccepted {
				t.Errorf("%s: %v, its encrypted hello not taken", tt.host, err)
			} else {
				conn.Close()
			}
		}
		if site.Textbook != tt.rsa {
			t.Errorf("%s: Textbook %v", tt.host, site.Textbook)
		}
		conn.Close()
	}
}

// client speaks to one site, over HTTP/1.1 or HTTP/2 alone.
func siteClient(site Site, host string, h2 bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!h2)
	protocols.SetHTTP2(h2)
	tr := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", site.Addr)
		},
		Protocols:         protocols,
		DisableKeepAlives: true,
	}
	if site.Roots != nil {
		tr.TLSClientConfig = &tls.Config{ServerName: host, RootCAs: site.Roots}
		if site.Textbook {
			tr.TLSClientConfig.CipherSuites = textbookSuites
		}
	}
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

// TestSitesServe asks each site, in each protocol that it speaks, for each path.
func TestSitesServe(t *testing.T) {
	t.Parallel()
	sites, authority := startSites(t)
	sum := authority.Fingerprint()
	for _, k := range append([]siteKind{{Name: "plain"}}, siteKinds...) {
		host, port, scheme := k.Name+"."+siteDomain, 443, "https"
		protos := []string{"HTTP/1.1", "HTTP/2.0"}
		home := k.Name == ""
		switch k.Name {
		case "":
			host = siteDomain
		case "plain":
			host, port, scheme, home, protos = siteDomain, 80, "http", true, protos[:1]
		case "rsa", "resume":
			protos = protos[:1]
		}
		site := lookup(t, sites, host, port)
		for _, proto := range protos {
			client := siteClient(site, host, proto == "HTTP/2.0")
			get := func(path string, body io.Reader) (*http.Response, string) {
				t.Helper()
				method := http.MethodGet
				if body != nil {
					method = http.MethodPost
				}
				req, err := http.NewRequest(method, scheme+"://"+host+path, body)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := client.Do(req)
				if err != nil {
					t.Fatalf("%s %s over %s: %v", host, path, proto, err)
				}
				defer resp.Body.Close()
				b, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatalf("%s %s over %s: %v", host, path, proto, err)
				}
				if resp.Proto != proto {
					t.Errorf("%s %s: %s, want %s", host, path, resp.Proto, proto)
				}
				return resp, string(b)
			}
			want := []string{"<h1>" + k.Title.English + "</h1>", "This site sees " + map[bool]string{true: "TLS 1.2", false: "TLS 1.3"}[k.Name == "rsa" || k.Name == "tls12"], proto}
			if home {
				want = []string{"<h1>explainer</h1>", "sites test", fmt.Sprintf(">%02X:%02X:%02X:", sum[0], sum[1], sum[2]), `href="https://hrr.explainer.test/"`, `<path fill="#000" d="M4 4h1v1h-1zM5 4h1v1h-1z`, "ca install --browser"}
				if scheme == "http" { // over https there is nothing to try
					want = append(want, `fetch("https://explainer.test/trusted"`, `<a href="https://explainer.test/">`)
				}
			}
			resp, page := get("/", nil)
			for _, w := range want {
				if resp.StatusCode != http.StatusOK || !strings.Contains(page, w) {
					t.Errorf("%s over %s: %s, no %q in\n%s", host, proto, resp.Status, w, page)
				}
			}
			if resp, got := get("/trusted", nil); got != "trusted\n" || resp.Header.Get("Access-Control-Allow-Origin") != "http://explainer.test" {
				t.Errorf("%s/trusted: %q, %v", host, got, resp.Header)
			}
			if _, got := get("/echo", strings.NewReader("some bytes")); got != "some bytes" {
				t.Errorf("%s/echo: %q", host, got)
			}
			if resp, got := get("/events", nil); got != "data: event 1 of 3\n\ndata: event 2 of 3\n\ndata: event 3 of 3\n\n" || resp.Header.Get("Content-Type") != "text/event-stream" {
				t.Errorf("%s/events: %q, %v", host, got, resp.Header)
			}
			if _, got := get("/ca.pem", nil); got != string(authority.PEM()) {
				t.Errorf("%s/ca.pem: %q", host, got)
			}
			if resp, got := get("/ca.cer", nil); got != string(authority.Certificate().Raw) || resp.Header.Get("Content-Type") != "application/x-x509-ca-cert" || !strings.Contains(resp.Header.Get("Content-Disposition"), "explainer-ca.cer") {
				t.Errorf("%s/ca.cer: %d bytes, %v", host, len(got), resp.Header)
			}
			if resp, got := get("/try", nil); !strings.Contains(got, "new WebSocket(") || resp.StatusCode != http.StatusOK {
				t.Errorf("%s/try: %s: %s", host, resp.Status, got)
			}
			if resp, _ := get("/nonsense", nil); resp.StatusCode != http.StatusNotFound {
				t.Errorf("%s/nonsense: %s", host, resp.Status)
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		ws, _, err := websocket.Dial(ctx, strings.Replace(scheme, "http", "ws", 1)+"://"+host+"/websocket", &websocket.DialOptions{HTTPClient: siteClient(site, host, false)})
		if err != nil {
			t.Fatalf("%s/websocket: %v", host, err)
		}
		for _, message := range []string{"hello", strings.Repeat("long ", 2000)} {
			if err := ws.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
				t.Fatal(err)
			}
			if kind, got, err := ws.Read(ctx); err != nil || kind != websocket.MessageText || string(got) != message {
				t.Errorf("%s/websocket: %v %q, %v", host, kind, got, err)
			}
		}
		ws.Close(websocket.StatusNormalClosure, "")
		cancel()
	}
}

// TestSitesGuarded: no answer of a built-in site can be taken for a page that it is not, and only their own pages write to them.
func TestSitesGuarded(t *testing.T) {
	t.Parallel()
	sites, _ := startSites(t)
	for _, scheme := range []string{"http", "https"} {
		port := map[string]int{"http": 80, "https": 443}[scheme]
		client := siteClient(lookup(t, sites, siteDomain, port), siteDomain, false)
		ask := func(method, path string, header ...string) *http.Response {
			t.Helper()
			req, err := http.NewRequest(method, scheme+"://"+siteDomain+path, strings.NewReader("<script>1</script>"))
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(header); i += 2 {
				req.Header.Set(header[i], header[i+1])
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			return resp
		}
		for _, path := range []string{"/", "/faults", "/try", "/ca.pem", "/ca.cer", "/trusted", "/echo", "/events", "/nonsense"} {
			h := ask(http.MethodGet, path).Header
			if h.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'; ") || h.Get("Content-Type") == "" {
				t.Errorf("%s %s: %v", scheme, path, h)
			}
			if page := strings.HasPrefix(h.Get("Content-Type"), "text/html"); page != slices.Contains([]string{"/", "/faults", "/try"}, path) {
				t.Errorf("%s %s: %v", scheme, path, h)
			}
		}
		for _, tt := range []struct {
			header []string
			status int
		}{
			{nil, 200}, // no browser
			{[]string{"Origin", scheme + "://explainer.test"}, 200},
			{[]string{"Origin", scheme + "://explainer.test", "Sec-Fetch-Site", "same-origin"}, 200},
			{[]string{"Origin", "http://evil.test"}, 403},
			{[]string{"Origin", "null"}, 403},
			{[]string{"Origin", "https://tls13.explainer.test", "Sec-Fetch-Site", "same-site"}, 403},
			{[]string{"Origin", "http://evil.test", "Sec-Fetch-Site", "cross-site"}, 403},
		} {
			if resp := ask(http.MethodPost, "/echo", tt.header...); resp.StatusCode != tt.status {
				t.Errorf("%s, POST with %q: %s, want %d", scheme, tt.header, resp.Status, tt.status)
			}
		}
	}
}

// TestFaultSiteAnswersItsVisitor: the answer of a fault's site is for whoever visits it and for the index page;
// a page elsewhere does not learn from it what the browser accepts.
func TestFaultSiteAnswersItsVisitor(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(faultHandler(ca.FaultOf("expired"), words.English))
	t.Cleanup(server.Close)
	for _, tt := range []struct {
		header   []string
		answered bool
		readable string
	}{
		{nil, true, ""},
		{[]string{"Sec-Fetch-Site", "none", "Sec-Fetch-Dest", "document"}, true, ""},
		{[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "document"}, true, ""}, // somebody followed a link
		{[]string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Dest", "empty", "Origin", "https://explainer.test"}, true, "https://explainer.test"},
		{[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "empty", "Origin", "http://explainer.test"}, true, "http://explainer.test"},
		{[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "empty", "Origin", "https://evil.test"}, false, ""},
		{[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "image"}, false, ""},
		{[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "iframe"}, false, ""},
	} {
		for _, path := range []string{"/", "/probe", "/nonsense"} {
			req, err := http.NewRequest(http.MethodGet, server.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(tt.header); i += 2 {
				req.Header.Set(tt.header[i], tt.header[i+1])
			}
			resp, err := http.DefaultTransport.RoundTrip(req)
			if tt.answered != (err == nil) {
				t.Errorf("%s with %q: %v", path, tt.header, err)
			}
			if err != nil {
				continue
			}
			resp.Body.Close()
			want := ""
			if path == "/probe" {
				want = tt.readable
			}
			if got := resp.Header.Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("%s with %q may be read by %q, want %q", path, tt.header, got, want)
			}
		}
	}
}

// TestSitesWithoutInstall: a CA that is gone after the run is not offered for installing.
func TestSitesWithoutInstall(t *testing.T) {
	t.Parallel()
	authority, err := ca.NewEphemeral("sites test")
	if err != nil {
		t.Fatal(err)
	}
	sites, err := StartSites(authority, false, words.English, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sites.Close() })
	client := siteClient(lookup(t, sites, siteDomain, 80), siteDomain, false)
	for path, want := range map[string]int{"/": 200, "/ca.pem": 404, "/ca.cer": 404} {
		resp, err := client.Get("http://explainer.test" + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want || strings.Contains(string(body), "ca.pem") || strings.Contains(string(body), "certutil") {
			t.Errorf("%s: %s\n%s", path, resp.Status, body)
		}
	}
}

// TestSitesSeeCertificate shows the site that asks a certificate.
func TestSitesSeeCertificate(t *testing.T) {
	t.Parallel()
	sites, authority := startSites(t)
	site := lookup(t, sites, "mtls.explainer.test", 443)
	own, err := authority.Leaf(context.Background(), ca.Spec{Names: []string{"someone.test"}})
	if err != nil {
		t.Fatal(err)
	}
	for want, certificates := range map[string][]tls.Certificate{
		"and none was shown":             nil,
		"The proxy showed a certificate": {*own},
	} {
		client := siteClient(site, "mtls.explainer.test", true)
		client.Transport.(*http.Transport).TLSClientConfig.Certificates = certificates
		resp, err := client.Get("https://mtls.explainer.test/")
		if err != nil {
			t.Fatal(err)
		}
		page, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !strings.Contains(string(page), want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
}

// TestEventsFlow reads the first event while the server still has others to send.
func TestEventsFlow(t *testing.T) {
	t.Parallel()
	sites, _ := startSites(t)
	resp, err := siteClient(lookup(t, sites, siteDomain, 80), siteDomain, false).Get("http://explainer.test/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if !slices.Equal(resp.TransferEncoding, []string{"chunked"}) {
		t.Errorf("transfer encoding %v, want chunks", resp.TransferEncoding)
	}
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); line != "data: event 1 of 3\n" {
		t.Errorf("%q, %v", line, err)
	}
}

func TestSitesLookup(t *testing.T) {
	t.Parallel()
	sites, _ := startSites(t)
	for _, tt := range []struct {
		host      string
		port      int
		ok, known bool
	}{
		{"explainer.test", 443, true, true},
		{"explainer.test", 80, true, true},
		{"EXPLAINER.Test.", 443, true, true},
		{"tls13.explainer.test", 443, true, true},
		{"tls13.explainer.test", 80, false, true},
		{"explainer.test", 8443, false, true},
		{"nonsense.explainer.test", 443, false, true},
		{"a.tls13.explainer.test", 443, false, true},
		{"notexplainer.test", 443, false, false},
		{"explainer.test.example", 443, false, false},
		{"test", 443, false, false},
		{"", 443, false, false},
	} {
		if _, ok, known := sites.Lookup(tt.host, tt.port); ok != tt.ok || known != tt.known {
			t.Errorf("Lookup(%q, %d): ok %v, known %v", tt.host, tt.port, ok, known)
		}
	}
}

// TestSitesThroughProxy fetches from every site through the proxy, and reads in
// the recording, with tshark, what the two legs spoke.
func TestSitesThroughProxy(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(p *Proxy) {
		sites, err := StartSites(p.Authority, true, words.English, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { sites.Close() })
		p.Sites = sites
	})
	for _, k := range siteKinds {
		host := strings.TrimPrefix(k.Name+"."+siteDomain, ".")
		out, errs, err := run(t, nil, "curl", "-sS", "--fail", "-x", "http://"+r.addr, "--cacert", r.caFile(), "https://"+host+"/")
		if err != nil || !strings.Contains(out, "<h1>"+k.Title.English+"</h1>") {
			t.Errorf("%s: %v, %s\n%s", host, err, errs, out)
		}
	}
	if out, errs, err := run(t, nil, "curl", "-sS", "--fail", "-x", "http://"+r.addr, "http://explainer.test/trusted"); out != "trusted\n" {
		t.Errorf("plain HTTP: %q, %v, %s", out, err, errs)
	}
	if out, _, err := run(t, nil, "curl", "-sS", "-x", "http://"+r.addr, "--cacert", r.caFile(), "https://nonsense.explainer.test/"); err != nil || !strings.Contains(out, "No such built-in site") {
		t.Errorf("nonsense.explainer.test: %q, %v", out, err)
	}
	r.finish()
	out, errs, err := run(t, nil, "tshark", "-r", r.recording.Name(), "-Y", "tls.handshake", "-T", "fields", "-E", "separator=|",
		"-e", "tcp.stream", "-e", "frame.interface_name", "-e", "tls.handshake.extensions_server_name", "-e", "tls.handshake.type", "-e", "tls.handshake.ciphersuite", "-e", "tls.handshake.random")
	if err != nil {
		t.Fatalf("tshark: %v: %s", err, errs)
	}
	// The random of a HelloRetryRequest (RFC 8446 4.1.3).
	const retry = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
	host := map[string]string{}     // by stream
	chosen := map[string][]string{} // cipher suites, by host and leg
	retried := map[string]int{}     // HelloRetryRequests, by host and leg
	asked := map[string]int{}       // CertificateRequests, by host and leg
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 6 {
			t.Fatalf("tshark: %q", line)
		}
		if f[2] != "" {
			host[f[0]] = f[2]
		}
		on := host[f[0]] + " " + map[string]string{"browser-proxy": "browser", "proxy-origin": "origin"}[f[1]]
		types := strings.Split(f[3], ",")
		if slices.Contains(types, "13") {
			asked[on]++
		}
		if types[0] == "2" {
			if strings.ReplaceAll(f[5], ":", "") == retry {
				retried[on]++
			} else {
				chosen[on] = append(chosen[on], f[4])
			}
		}
	}
	if want := map[string]int{"hrr.explainer.test origin": 1}; !maps.Equal(retried, want) {
		t.Errorf("HelloRetryRequests: %v, want %v", retried, want)
	}
	if want := map[string]int{"mtls.explainer.test origin": 1}; !maps.Equal(asked, want) {
		t.Errorf("CertificateRequests: %v, want %v", asked, want)
	}
	for _, k := range siteKinds {
		for _, leg := range []string{"browser", "origin"} {
			on := strings.TrimPrefix(k.Name+"."+siteDomain, ".") + " " + leg
			if k.ech && leg == "origin" {
				on = siteCover + " origin" // that is what the path sees
			}
			want := map[string][]string{"rsa": {"0x009c", "0x009d"}, "tls12": {"0xc02b", "0xc02c", "0xcca9"}}[k.Name]
			if want == nil {
				want = []string{"0x1301", "0x1302", "0x1303"}
			}
			if len(chosen[on]) != 1 || !slices.Contains(want, chosen[on][0]) {
				t.Errorf("%s: cipher suites %v, want one of %v", on, chosen[on], want)
			}
		}
	}
}

func ExampleSites_Lookup() {
	authority, err := ca.NewEphemeral("example")
	if err != nil {
		panic(err)
	}
	sites, err := StartSites(authority, true, words.English, nil)
	if err != nil {
		panic(err)
	}
	defer sites.Close()
	_, ok, known := sites.Lookup("nonsense.explainer.test", 443)
	fmt.Println(ok, known)
	// Output: false true
}
