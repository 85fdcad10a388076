package main

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/page"
	"explainer/annotate/story"
	"explainer/annotate/words"
	"explainer/proxy"

	"github.com/urfave/cli/v2"
)

// webFlags are those of the page.
var webFlags = []cli.Flag{
	&cli.StringFlag{Name: "web", Usage: "`ADDR|off`: show the story in a browser too, on a page of this machine alone", DefaultText: "127.0.0.1:8081 of proxy and browse, else off"},
	&cli.StringFlag{Name: "web-keep", Value: "1G", Usage: "how much of the story's details the page keeps, as `SIZE`, in a temporary file; the oldest are dropped first"},
	htmlFlag,
}

// htmlFlag writes the page as a file.
var htmlFlag = &cli.StringFlag{Name: "html", Usage: "write the story as one page to `FILE`, which opens without a network"}

// webDefault is where the page is, if nobody says otherwise.
const webDefault = "127.0.0.1:8081"

// A shelf is one story that a web shows, at paths of its own.
type shelf struct {
	web    *web
	base   string // what its paths begin with
	name   string // of the story
	book   *page.Book
	notes  []event.Text            // what there was to say about the reading
	breaks atomic.Pointer[breaker] // copies connections; nil where there is no recording to copy from
}

// A web shows a story in a browser, and beside it captures that are dropped on it.
type web struct {
	shelf
	bytes    bool // the bytes of messages were asked for elsewhere too
	lang     words.Language
	html     *os.File // of --html, or nil
	once     sync.Once
	wrote    error // of html, once it is written
	chosen   chosen
	chatter  bool // a browser's own chatter is in html too
	server   *http.Server
	listener net.Listener // nil where it is not served
	url      string       // with the token, or "" where it is not served
	token    string
	hosts    []string // that a browser may call it by
	cookie   string
	drops    drops
	ca       []event.Text // what there is to say of the CA
}

// newWeb makes the page that the flags ask for, nil if they ask for none; always tells that
// the command has one unless it is off.
func newWeb(c *cli.Context, always bool, name string) (*web, error) {
	addr := c.String("web")
	if addr == "" && always {
		addr = webDefault
	}
	if addr == "off" {
		addr = ""
	}
	if addr == "" && c.String(htmlFlag.Name) == "" {
		return nil, nil
	}
	keep, err := size(c, "web-keep", 1<<20)
	if err != nil {
		return nil, err
	}
	w := &web{shelf: shelf{base: "/", name: name}, lang: language(), bytes: c.Bool(bytesFlag.Name) || c.String("format") == "commands", chatter: c.Bool("all")}
	w.web = w
	w.book = page.New(page.Options{Keep: keep, Scratch: scratchFile})
	w.drops = newDrops(c, min(keep, dropSize))
	if w.html, err = openHTML(c); err != nil {
		return nil, err
	}
	if addr == "" {
		return w, nil
	}
	return w, w.serve(addr, c.String("web") == "")
}

// scratchFile makes a temporary file that is gone with the program.
func scratchFile() (*os.File, error) {
	dir := proxy.SpoolFolder()
	proxy.SweepSpool(dir)
	return proxy.SpoolFile(dir)
}

// openHTML opens the file that the page is to be written to, nil where none is asked for.
func openHTML(c *cli.Context) (*os.File, error) {
	name := c.String(htmlFlag.Name)
	if name == "" {
		return nil, nil
	}
	return openOutput(words.Piece("file/page"), name, outputReplace, false)
}

// serve begins to serve the page at an address of this machine; at another port where that is
// taken, if anyPort.
func (w *web) serve(addr string, anyPort bool) error {
	if !strings.Contains(addr, ":") {
		addr = net.JoinHostPort("127.0.0.1", addr)
	}
	host, port, err := net.SplitHostPort(addr)
	ip, bad := netip.ParseAddr(cmp.Or(host, "127.0.0.1"))
	if n, e := strconv.Atoi(port); err != nil || host != "localhost" && bad != nil || e != nil || n < 0 || n > 65535 {
		return usage(words.Piece("error/web-address", "value", quote(addr)), words.Piece("hint/as-in", "example", "--web 127.0.0.1:8081"))
	}
	if host == "localhost" {
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if !ip.IsLoopback() {
		return usage(words.Piece("error/web-loopback", "value", quote(addr)), words.Piece("hint/web-tunnel"))
	}
	l, err := net.Listen("tcp", net.JoinHostPort(ip.String(), port))
	if errors.Is(err, syscall.EADDRINUSE) && anyPort {
		l, err = net.Listen("tcp", net.JoinHostPort(ip.String(), "0"))
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fails(err, words.Piece("error/port-taken", "address", addr), words.Piece("hint/web-port"))
	case err != nil:
		return failed(err)
	}
	_, port, _ = net.SplitHostPort(l.Addr().String())
	w.token = rand.Text()
	w.cookie = "explainer-" + port // cookies are shared by the ports of a host
	for _, h := range []string{ip.String(), "localhost"} {
		w.hosts = append(w.hosts, net.JoinHostPort(h, port))
	}
	w.url = "http://" + w.hosts[0] + "/?t=" + w.token
	w.server = &http.Server{Handler: w.guarded(), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	w.listener = l
	go w.server.Serve(l)
	return nil
}

// chosen are the sessions that the page's file has. It is written where the program is made to leave, too.
type chosen struct {
	mu sync.Mutex
	of *story.Selection
}

func (c *chosen) see(e *event.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of.See(e)
}

func (c *chosen) is(session int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of.Chooses(session)
}

// tee hands the story to the page and to another renderer, which gets no more than it would without.
// Where that one cannot go on, the page does.
type tee struct {
	*web
	out   story.Renderer
	says  func(error) // is told when that is, if not nil
	ended error       // why the other does not go on
}

func (t *tee) Event(e *event.Event) error {
	t.book.Event(e)
	t.chosen.see(e)
	if t.ended != nil {
		return nil
	}
	if !t.bytes {
		other := *e
		other.Raw, other.Layout = "", nil
		if other.Proofs = slices.Clone(e.Proofs); len(other.Proofs) > 0 {
			for i := range other.Proofs {
				other.Proofs[i].Redo = nil
			}
		}
		e = &other
	}
	t.end(t.out.Event(e))
	return nil
}

func (t *tee) Flush() error {
	if t.ended == nil {
		t.end(t.out.Flush())
	}
	return nil
}

func (t *tee) Finish() error {
	t.book.Finish()
	if t.ended == nil {
		t.end(t.out.Finish())
	}
	return cmp.Or(t.write(), t.ended)
}

func (t *tee) end(err error) {
	if t.ended = err; err != nil && t.says != nil {
		t.says(err)
	}
}

// write writes the page as a file, once, where that was asked for.
func (w *web) write() error {
	if w == nil || w.html == nil {
		return nil
	}
	w.once.Do(func() {
		v := page.View{Book: w.book, Lang: w.lang, Chosen: w.chosen.is, Chatter: w.chatter}
		if b := w.breaks.Load(); b != nil {
			v.Recording = b.name
		}
		w.wrote = v.File(w.html, w.name)
		if err := w.html.Close(); w.wrote == nil {
			w.wrote = err
		}
		if w.wrote != nil {
			w.wrote = story.WriteError(words.Piece("file/page"), w.wrote)
		}
	})
	return w.wrote
}

// address is where the page is, host:port, or "".
func (w *web) address() string {
	if w == nil || w.listener == nil {
		return ""
	}
	return w.listener.Addr().String()
}

// close ends the page.
func (w *web) close() {
	if w == nil {
		return
	}
	if w.server != nil {
		w.server.Close()
	}
	if b := w.breaks.Load(); b != nil {
		b.kept.close()
	}
	w.book.Close()
	w.drops.close()
}

// policy is what the page may do in a browser: nothing that is not its own (CSP Level 3).
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// guarded lets in who has the token, at an address of ours, from no other site.
func (w *web) guarded() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", w.shelf.routes())
	mux.HandleFunc("POST /read", w.drop)
	mux.HandleFunc("/r/{id}/", w.dropped)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		for name, value := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY",
		} {
			h.Set(name, value)
		}
		if !slices.Contains(w.hosts, strings.ToLower(r.Host)) { // a name that leads here is another's (DNS rebinding)
			http.Error(rw, "This page has another address.", http.StatusMisdirectedRequest)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead && !isDrop(r) {
			h.Set("Allow", "GET, HEAD")
			http.Error(rw, "This page is read, and captures are dropped on it: nothing else.", http.StatusMethodNotAllowed)
			return
		}
		query := r.URL.Query()
		if t := query.Get("t"); t != "" && r.Header.Get("Sec-Fetch-Dest") != "iframe" && w.knows(t) {
			http.SetCookie(rw, &http.Cookie{Name: w.cookie, Value: t, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
			query.Del("t")
			to := *r.URL
			to.RawQuery = query.Encode()
			http.Redirect(rw, r, to.RequestURI(), http.StatusSeeOther)
			return
		}
		c, err := r.Cookie(w.cookie)
		from := r.Header.Get("Sec-Fetch-Site")
		if err != nil || !w.knows(c.Value) || from != "" && from != "same-origin" && from != "none" {
			http.Error(rw, "Open the address that explainer printed when it started: it has the token of this run.", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(rw, r)
	})
}

func (w *web) knows(token string) bool {
	return subtle.ConstantTimeCompare([]byte(token), []byte(w.token)) == 1
}

// routes are the pages of a story.
func (w *shelf) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(rw http.ResponseWriter, r *http.Request) {
		v, ok := w.view(rw, r)
		if !ok {
			return
		}
		before, _ := strconv.Atoi(r.URL.Query().Get("before"))
		w.show(rw, func(b *bytes.Buffer) error { return v.Sessions(b, r.URL.Query().Get("q"), before) })
	})
	mux.HandleFunc("GET /times", func(rw http.ResponseWriter, r *http.Request) {
		v, ok := w.view(rw, r)
		if !ok {
			return
		}
		before, _ := strconv.Atoi(r.URL.Query().Get("before"))
		w.show(rw, func(b *bytes.Buffer) error { return v.Times(b, r.URL.Query().Get("q"), before, true) })
	})
	mux.HandleFunc("GET /rows", func(rw http.ResponseWriter, r *http.Request) {
		v, _ := w.view(nil, r)
		q := r.URL.Query()
		before, _ := strconv.Atoi(q.Get("before"))
		after, _ := strconv.Atoi(q.Get("after"))
		version, _ := w.book.Changed()
		rw.Header().Set("Book-Version", strconv.Itoa(version))
		w.show(rw, func(b *bytes.Buffer) error { return v.Rows(b, q.Get("q"), before, after) })
	})
	mux.HandleFunc("GET /s/{n}", func(rw http.ResponseWriter, r *http.Request) {
		v, ok := w.view(rw, r)
		if !ok {
			return
		}
		if a, other, err := page.Two(r.PathValue("n")); err == nil {
			w.show(rw, func(b *bytes.Buffer) error { return v.Pair(b, a, other) })
			return
		}
		n, _ := strconv.Atoi(r.PathValue("n"))
		w.show(rw, func(b *bytes.Buffer) error { return v.Session(b, n, true) })
	})
	mux.HandleFunc("GET /s/{n}/break", w.broken)
	mux.HandleFunc("GET /s/{n}/keys", w.schedule)
	mux.HandleFunc("GET /s/{n}/word", w.word)
	mux.HandleFunc("GET /events", w.events)
	mux.HandleFunc("GET /{name}", func(rw http.ResponseWriter, r *http.Request) {
		data, mediaType, ok := page.Asset(r.PathValue("name"))
		if !ok {
			http.NotFound(rw, r)
			return
		}
		rw.Header().Set("Content-Type", mediaType)
		rw.Write(data)
	})
	return mux
}

// view is the book in the language of who asks. Where a language is chosen it is kept, and
// the request answered.
func (w *shelf) view(rw http.ResponseWriter, r *http.Request) (page.View, bool) {
	v := page.View{Book: w.book, Lang: w.web.lang, Base: w.base, Notes: w.notes, Sources: w.web.sources(w)}
	if w == &w.web.shelf {
		v.Authority = w.web.ca
	}
	cookie := w.web.cookie + "-lang"
	chosen := r.URL.Query().Get("lang")
	if rw != nil && slices.Contains(words.Languages, words.Language(chosen)) {
		http.SetCookie(rw, &http.Cookie{Name: cookie, Value: chosen, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		query, to := r.URL.Query(), *r.URL
		query.Del("lang")
		to.RawQuery = query.Encode()
		http.Redirect(rw, r, w.base+strings.TrimPrefix(to.RequestURI(), "/"), http.StatusSeeOther)
		return v, false
	}
	if c, err := r.Cookie(cookie); err == nil && slices.Contains(words.Languages, words.Language(c.Value)) {
		v.Lang = words.Language(c.Value)
	}
	return v, true
}

// show hands over what is rendered, once it is whole.
func (w *shelf) show(rw http.ResponseWriter, render func(*bytes.Buffer) error) {
	var b bytes.Buffer
	switch err := render(&b); {
	case errors.Is(err, page.ErrNoSession):
		noSession(rw)
	case err != nil:
		http.Error(rw, "This could not be shown: "+err.Error(), http.StatusInternalServerError)
	default:
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		rw.Write(b.Bytes())
	}
}

func noSession(rw http.ResponseWriter) {
	http.Error(rw, "There is no such session.", http.StatusNotFound)
}

// Between two updates of a page passes at least this time, and several times what the last one took.
const (
	updateTime   = 40 * time.Millisecond
	updateFactor = 4
)

// events tells a page what has changed, as server-sent events whose ID is the version of the
// book (HTML 9.2): the rows of its table, or the session that it shows. Whoever does not read
// gets less often what there is by then, and nothing waits for him.
func (w *shelf) events(rw http.ResponseWriter, r *http.Request) {
	v, _ := w.view(nil, r)
	q := r.URL.Query()
	version, _ := strconv.Atoi(cmp.Or(r.Header.Get("Last-Event-ID"), q.Get("v")))
	session, _ := strconv.Atoi(q.Get("session"))
	rw.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(rw)
	fmt.Fprint(rw, "retry: 1000\n\n")
	control.Flush()
	for {
		now, next := w.book.Changed()
		if now > version {
			began := time.Now()
			var b bytes.Buffer
			name := "rows"
			var err error
			if q.Get("session") == "times" {
				name, err = "story", v.Times(&b, q.Get("q"), 0, false)
			} else if session == 0 {
				now, err = v.Since(&b, q.Get("q"), version)
			} else if name = "story"; w.book.Version(session) > version {
				err = v.Session(&b, session, false)
			}
			if err != nil {
				return
			}
			version = now
			if b.Len() > 0 {
				fmt.Fprintf(rw, "id: %d\nevent: %s\n", version, name)
				for line := range strings.SplitSeq(b.String(), "\n") {
					fmt.Fprintf(rw, "data: %s\n", line)
				}
				fmt.Fprint(rw, "\n")
				control.SetWriteDeadline(time.Now().Add(time.Minute))
				if control.Flush() != nil {
					return
				}
			}
			select {
			case <-time.After(max(updateTime, updateFactor*time.Since(began))):
			case <-r.Context().Done():
				return
			}
			continue
		}
		select {
		case <-next:
		case <-r.Context().Done():
			return
		}
	}
}
