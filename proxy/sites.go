package proxy

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/ca"

	"github.com/boombuler/barcode/qr"
	"github.com/coder/websocket"
)

const siteDomain = event.SiteDomain

// A Site is where a built-in site is served.
type Site struct {
	Addr  string         // loopback address and port
	UDP   string         // the same where it serves HTTP/3; "" where it does not
	Roots *x509.CertPool // what its certificate is verified against; nil for plain HTTP
	// Textbook asks for TLS 1.2 with RSA key transport on both legs.
	Textbook bool
	// ECH is the key under which it takes encrypted hellos; nil where it takes none.
	ECH *siteECH
	// Resume is what resumes connections to it, on both legs; nil where nothing does.
	Resume *siteResume
}

// Sites are the built-in sites: real TLS servers on loopback, reachable by name
// only through the proxy. Their certificates come from a CA of their own that
// lives in memory and is trusted for nothing else.
type Sites struct {
	byHost  map[string]Site
	servers []*http.Server
	http3   []*siteHTTP3
	root    []byte // DER of their CA
	stories Stories
	key     []byte // under which a page names its connection
}

// Stories are what is told of the connections of the built-in sites, for the pages that they
// brought. The proxy knows nothing of it itself.
type Stories interface {
	// Steps is the eight steps of the connection between the proxy and a built-in site whose ends
	// have these addresses, as HTML in a language. It waits for them until ctx is done, and returns
	// what there is to show until then, and false.
	Steps(ctx context.Context, client, server string, l words.Language) (steps template.HTML, told bool)
	// Refusal is why the newest connection with a built-in host failed that began no earlier than
	// since (RFC 3339), in a line. It waits for one until ctx is done; then it is empty.
	Refusal(ctx context.Context, host, since string, l words.Language) string
	// Style is the style sheet that goes with them.
	Style() template.CSS
}

// A siteKind is one built-in site: its name below explainer.test and what its TLS is like.
type siteKind struct {
	Name        string
	Title, What event.Text
	tls         func(*tls.Config)
	textbook    bool
	ech         bool
	resume      bool
	http3       bool // over QUIC, beside TCP
}

var siteKinds = []siteKind{
	{Name: "", Title: event.Plain("explainer"), What: words.Piece("site/home"), tls: func(*tls.Config) {}},
	{Name: "tls13", Title: event.Plain("TLS 1.3"), What: words.Piece("site/tls13"), tls: func(c *tls.Config) {
		c.MinVersion = tls.VersionTLS13
	}},
	{Name: "tls12", Title: words.Piece("site/tls12-title"), What: words.Piece("site/tls12"), tls: func(c *tls.Config) {
		c.MaxVersion = tls.VersionTLS12
	}},
	{Name: "rsa", Title: words.Piece("site/rsa-title"), What: words.Piece("site/rsa"), textbook: true, tls: func(c *tls.Config) {
		c.MaxVersion = tls.VersionTLS12
		c.CipherSuites = textbookSuites
		c.NextProtos = []string{"http/1.1"}
	}},
	{Name: "hrr", Title: words.Piece("site/hrr-title"), What: words.Piece("site/hrr"), tls: func(c *tls.Config) {
		c.MinVersion = tls.VersionTLS13
		c.CurvePreferences = []tls.CurveID{tls.CurveP521}
	}},
	{Name: "mtls", Title: words.Piece("site/mtls-title"), What: words.Piece("site/mtls"), tls: func(c *tls.Config) {
		c.ClientAuth = tls.RequestClientCert
	}},
	{Name: "ech", Title: words.Piece("site/ech-title"), What: words.Piece("site/ech", "cover", siteCover, "host", "ech."+siteDomain), ech: true, tls: func(c *tls.Config) {
		c.MinVersion = tls.VersionTLS13
	}},
	{Name: "resume", Title: words.Piece("site/resume-title"), What: words.Piece("site/resume"), resume: true, tls: func(c *tls.Config) {
		c.MinVersion = tls.VersionTLS13
		c.NextProtos = []string{"http/1.1"}
	}},
	{Name: "h3", Title: event.Plain("HTTP/3"), What: words.Piece("site/h3"), http3: true, tls: func(c *tls.Config) {
		c.MinVersion = tls.VersionTLS13
	}},
}

// StartSites starts the built-in sites. If install is true the set-up page offers the
// certificate of authority for installing; one that is gone after this run is not to be.
// otherwise is the language for browsers that ask for none that there is. With stories, which
// may be nil, each page shows the steps of its own connection.
func StartSites(authority *ca.Authority, install bool, otherwise words.Language, stories Stories) (*Sites, error) {
	own, err := ca.NewEphemeral("explainer built-in sites")
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(own.Certificate())
	s := &Sites{byHost: map[string]Site{}, root: own.Certificate().Raw, stories: stories, key: []byte(rand.Text())}
	for _, k := range siteKinds {
		host := siteDomain
		if k.Name != "" {
			host = k.Name + "." + siteDomain
		}
		config := &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
		k.tls(config)
		config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			spec := ca.Spec{Names: []string{host}}
			if k.textbook {
				spec.Key = ca.RSA2048
			}
			return own.Leaf(context.Background(), spec)
		}
		var ech *siteECH
		if k.ech {
			if ech, err = newSiteECH(); err != nil {
				s.Close()
				return nil, err
			}
			config.EncryptedClientHelloKeys = ech.keys()
		}
		var resume *siteResume
		if k.resume {
			resume = newSiteResume()
		}
		handler := s.handler(k, authority, install, otherwise)
		addr, err := s.serve(handler, config.Clone()) // net/http changes what it is given
		if err != nil {
			s.Close()
			return nil, err
		}
		if k.resume {
			s.servers[len(s.servers)-1].SetKeepAlivesEnabled(false) // the next request comes with a connection of its own
		}
		site := Site{Addr: addr, Roots: roots, Textbook: k.textbook, ECH: ech, Resume: resume}
		if k.http3 {
			if site.UDP, err = s.serveHTTP3(handler, config); err != nil {
				s.Close()
				return nil, err
			}
		}
		s.byHost[net.JoinHostPort(host, "443")] = site
		if k.Name == "" {
			if addr, err = s.serve(handler, nil); err != nil {
				s.Close()
				return nil, err
			}
			s.byHost[net.JoinHostPort(host, "80")] = Site{Addr: addr}
		}
	}
	// The faults have no server of their own: the proxy shows them on the browser's leg.
	addr, err := s.serve(http.HandlerFunc(secureHandler), nil)
	if err != nil {
		s.Close()
		return nil, err
	}
	for i := range ca.Faults {
		if f := &ca.Faults[i]; notVisited(f).Empty() {
			s.byHost[net.JoinHostPort(f.ID+"."+siteDomain, "80")] = Site{Addr: addr}
		}
	}
	return s, nil
}

// Lookup returns the site for a host and port. known tells whether the name
// belongs to the built-in sites at all, so that none of them is ever looked for elsewhere.
func (s *Sites) Lookup(host string, port int) (site Site, ok, known bool) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host != siteDomain && !strings.HasSuffix(host, "."+siteDomain) {
		return Site{}, false, false
	}
	site, ok = s.byHost[net.JoinHostPort(host, strconv.Itoa(port))]
	return site, ok, true
}

// Close stops the sites.
func (s *Sites) Close() error {
	var errs []error
	for _, srv := range s.servers {
		errs = append(errs, srv.Close())
	}
	for _, srv := range s.http3 {
		errs = append(errs, srv.Close())
	}
	return errors.Join(errs...)
}

// serve serves handler on a free loopback port, with TLS if config is not nil.
func (s *Sites) serve(handler http.Handler, config *tls.Config) (addr string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	srv := &http.Server{
		Handler:           handler,
		TLSConfig:         config,
		ReadHeaderTimeout: 30 * time.Second,
		// Failed handshakes are told by the story, from the recorded bytes.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	s.servers = append(s.servers, srv)
	if config != nil {
		if len(config.NextProtos) == 1 {
			srv.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){} // no HTTP/2
		}
		go srv.ServeTLS(l, "", "")
	} else {
		go srv.Serve(l)
	}
	return l.Addr().String(), nil
}

//go:embed site.html faults.html
var siteHTML embed.FS

// sitePages are the pages of the built-in sites, by language. In them "in" shows a text, and
// "say" a piece by its ID and values, where what stands in backticks, as "code" puts it, is code.
var sitePages = sync.OnceValue(func() map[words.Language]*template.Template {
	pages := map[words.Language]*template.Template{}
	for _, l := range words.Languages {
		pages[l] = template.Must(template.New("site.html").Funcs(template.FuncMap{
			"in": l.In,
			"say": func(id string, values ...any) template.HTML {
				return markup(l.In(words.Piece(id, values...)))
			},
			"code":  func(s string) string { return "`" + s + "`" },
			"piece": words.Piece, "sentences": words.Sentences,
			"tag": l.Tag,
		}).ParseFS(siteHTML, "site.html", "faults.html"))
	}
	return pages
})

// setUpQR leads a phone that uses the proxy to the set-up page, with four modules of quiet around it (ISO/IEC 18004).
var setUpQR = sync.OnceValue(func() template.HTML {
	code, err := qr.Encode("http://"+siteDomain+"/", qr.M, qr.Auto)
	if err != nil {
		panic(err) // the text is ours
	}
	size := code.Bounds().Dx()
	var dark strings.Builder
	for y := range size {
		for x := range size {
			if r, _, _, _ := code.At(x, y).RGBA(); r == 0 {
				fmt.Fprintf(&dark, "M%d %dh1v1h-1z", x+4, y+4)
			}
		}
	}
	return template.HTML(fmt.Sprintf(`<svg class="qr" viewBox="0 0 %[1]d %[1]d" role="img" aria-label="http://%[2]s/"><path fill="#fff" d="M0 0h%[1]dv%[1]dH0z"/><path fill="#000" d="%[3]s"/></svg>`, size+8, siteDomain, dark.String()))
})

// inCode is what stands in backticks.
var inCode = regexp.MustCompile("`([^`]*)`")

// markup is a text as HTML.
func markup(s string) template.HTML {
	s = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
	return template.HTML(inCode.ReplaceAllString(s, "<code>$1</code>"))
}

// handler serves one built-in site: its page and a few paths to try things with.
func (s *Sites) handler(kind siteKind, authority *ca.Authority, install bool, otherwise words.Language) http.Handler {
	mux := http.NewServeMux()
	show := func(page string, title, what event.Text) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			showSite(w, r, otherwise, http.StatusOK, map[string]any{
				"Page": page, "Title": title, "What": what, "Seen": seen(r, kind), "Kinds": siteKinds[1:], "Says": scripts[page], "Images": imageNumbers,
				"Story": s.ownStory(r, otherwise), "TLS": r.TLS != nil, "Install": install, "QR": setUpQR(), "CA": authority.Certificate().Subject.CommonName, "Fingerprint": strings.ReplaceAll(fmt.Sprintf("% X", authority.Fingerprint()), " ", ":"),
			})
		}
	}
	page := "site"
	switch {
	case kind.Name == "":
		page = "home"
	case kind.http3:
		page = "http3"
		mux.HandleFunc("GET /image/{file}", serveImage)
	}
	mux.HandleFunc("/{$}", show(page, kind.Title, kind.What))
	if kind.Name == "" {
		index := indexOf(authority)
		mux.HandleFunc("/faults", func(w http.ResponseWriter, r *http.Request) {
			showSite(w, r, otherwise, http.StatusOK, map[string]any{
				"Page": "faults", "Title": words.Piece("site/faults-title"), "What": words.Piece("site/faults"), "Index": index(), "Says": scripts["faults"],
				"Told": s.stories != nil, "StoryPath": event.StoryPath, "Now": time.Now().UTC().Format(time.RFC3339Nano),
			})
		})
	}
	if s.stories != nil {
		mux.HandleFunc(event.StoryPath, s.serveStory(otherwise))
	}
	mux.HandleFunc("POST /word", func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
		typed := r.PostFormValue("word")
		showSite(w, r, otherwise, http.StatusOK, map[string]any{
			"Page": "word", "Title": words.Piece("site/word-title"), "What": words.Piece("site/word-sent"), "Typed": typed,
		})
	})
	mux.HandleFunc("/try", show("try", words.Piece("site/try-title"), words.Piece("site/try")))
	if install {
		mux.HandleFunc("/ca.pem", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/x-pem-file")
			w.Header().Set("Content-Disposition", `attachment; filename="explainer-ca.pem"`)
			w.Write(authority.PEM())
		})
		mux.HandleFunc("/ca.cer", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/x-x509-ca-cert")
			// Not as an attachment: Firefox offers to import what has this type.
			w.Header().Set("Content-Disposition", `inline; filename="explainer-ca.cer"`)
			w.Write(authority.Certificate().Raw)
		})
	}
	// The trust test of the set-up page, asked for over https from the page on http.
	mux.HandleFunc("/trusted", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Access-Control-Allow-Origin", "http://"+siteDomain)
		fmt.Fprintln(w, "trusted")
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.Copy(w, io.LimitReader(r.Body, 1<<20))
	})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := 1; i <= 3; i++ {
			fmt.Fprintf(w, "data: event %d of 3\n\n", i)
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("/websocket", func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		for {
			kind, data, err := ws.Read(r.Context())
			if err != nil || ws.Write(r.Context(), kind, data) != nil {
				return
			}
		}
	})
	// Where people come to fetch a root, no other site may make a page say something.
	return guarded(http.NewCrossOriginProtection().Handler(mux))
}

// guarded sets, on every answer, what keeps it from being taken for anything else than it is.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

// scripts are the sentences of the scripts in the pages of the built-in sites, by page and
// by their names there. What a script puts into one stands in it as a {place}.
var scripts = map[string]map[string]event.Text{
	"home": {"yes": words.Piece("site/trust-yes"), "no": words.Piece("site/trust-no")},
	"try": {
		"sent": words.Piece("site/sent", "what", "{what}"), "received": words.Piece("site/received", "what", "{what}"), "echo": words.Piece("site/echo", "what", "{what}"),
		"failed": words.Piece("site/failed"), "failedAfter": words.Piece("site/failed-after", "n", "{n}"),
	},
	"http3":  {"seen": words.Piece("site/http3-seen", "http", "{http}", "n", "{n}"), "unknown": words.Piece("site/http3-unknown")},
	"faults": faultScript(),
}

// showSite writes a page of the built-in sites. Only the scripts and styles of the
// template run in it: they have a nonce that differs for each answer.
func showSite(w http.ResponseWriter, r *http.Request, otherwise words.Language, status int, data map[string]any) {
	l := languageOf(r.Header, otherwise)
	nonce := rand.Text()
	data["Nonce"], data["Domain"] = nonce, siteDomain
	if of, ok := data["Says"].(map[string]event.Text); ok {
		says := map[string]string{}
		for name, text := range of {
			says[name] = l.In(text)
		}
		data["Says"] = says
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", l.Tag())
	h.Set("Vary", "Accept-Language")
	h.Set("Cache-Control", "no-store")
	images := "data:"
	if data["Page"] == "http3" {
		images = "'self' data:"
	}
	h.Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; script-src 'nonce-%[1]s'; style-src 'nonce-%[1]s'; img-src %[3]s; "+
		"connect-src 'self' https://%[2]s https://*.%[2]s wss://%[2]s wss://*.%[2]s; base-uri 'none'; form-action 'self'; frame-ancestors 'none'", nonce, siteDomain, images))
	w.WriteHeader(status)
	sitePages()[l].Execute(w, data)
}

// seen tells what the site itself sees of the connection that brought a request:
// the proxy's, for nobody else knows where the sites are.
func seen(r *http.Request, kind siteKind) event.Text {
	if r.TLS == nil {
		return words.Piece("site/seen-plain")
	}
	s := words.Piece("site/seen", "version", tls.VersionName(r.TLS.Version), "suite", tls.CipherSuiteName(r.TLS.CipherSuite), "http", r.Proto)
	switch {
	case len(r.TLS.PeerCertificates) > 0:
		return words.Sentences(s, words.Piece("site/seen-certificate", "subject", r.TLS.PeerCertificates[0].Subject.String()))
	case kind.Name == "mtls":
		return words.Sentences(s, words.Piece("site/seen-no-certificate"))
	case r.TLS.DidResume:
		return words.Sentences(s, words.Piece("site/seen-resumed"))
	case kind.resume:
		return words.Sentences(s, words.Piece("site/seen-first"))
	}
	return s
}
