package page

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"explainer/annotate/event"
	"explainer/annotate/redo"
	"explainer/annotate/words"
	"explainer/capture/printable"
)

//go:embed assets
var assets embed.FS

// style and script are the files of all features, joined: the page's own come first, the
// others by their names. Each script is a function of its own.
var style, script = joined(".css"), joined(".js")

func joined(ending string) []byte {
	files, err := assets.ReadDir("assets")
	if err != nil {
		panic(err) // they are ours
	}
	names := []string{"page" + ending}
	for _, f := range files {
		if n := f.Name(); strings.HasSuffix(n, ending) && n != names[0] {
			names = append(names, n)
		}
	}
	var all []byte
	for _, n := range names {
		all = append(all, asset(n)...)
	}
	return all
}

func asset(name string) []byte {
	data, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic(err)
	}
	return data
}

// Asset is the style sheet or the script of the page, by its name, with its type.
func Asset(name string) (data []byte, mediaType string, ok bool) {
	switch name {
	case "page.css":
		return style, "text/css; charset=utf-8", true
	case "page.js":
		return script, "text/javascript; charset=utf-8", true
	}
	return nil, "", false
}

// A View is a book in a language, for one who looks at it.
type View struct {
	*Book
	Lang words.Language
	Base string // what the paths of the book's pages begin with
	// Recording is the name of the file that the story was read from, or kept in; "" where it is not known.
	Recording string

	// Of a page that is served.
	Notes     []event.Text // what there is to say about how the story was read
	Authority []event.Text // and about the CA, where nothing has passed yet
	Sources   []Source     // stories that are shown beside each other; none where no capture can be dropped

	// Of a file: which sessions are in it, nil for all, and whether a browser's own chatter is.
	Chosen  func(session int) bool
	Chatter bool
}

// A Source is one of the stories that are shown.
type Source struct {
	Name string // "" of the one that is told live
	URL  string
	Here bool
}

// templates has each page in each language: the functions of a template know theirs. They are
// parsed when the first page is shown: most runs of the program show none.
var templates = sync.OnceValue(func() map[words.Language]*template.Template {
	out := map[words.Language]*template.Template{}
	for _, l := range words.Languages {
		out[l] = template.Must(template.New("").Funcs(functions(l)).ParseFS(assets, "assets/*.html"))
	}
	return out
})

func functions(l words.Language) template.FuncMap {
	in := func(t event.Text) string { return printable.Text(l.In(t)) }
	return template.FuncMap{
		"in":        in,
		"clean":     printable.Text,
		"says":      func(s event.Sentence) string { return printable.Text(l.Says(s)) },
		"t":         func(id string, pairs ...any) string { return in(words.Piece("web/"+id, pairs...)) },
		"named":     func(family string, id any) string { return in(words.Named(family, text(id))) },
		"name":      func(e *event.Event) string { return in(words.NameText(e.Topic, e.Name)) },
		"how":       func(p event.Proof) string { return in(words.HowText(p.ID, p.How)) },
		"detail":    detail(in),
		"command":   redo.Command,
		"curl":      curl,
		"wireshark": wireshark,
		"whole":     func(conn int) string { return redo.Whole(conn, "FILE") },
		"join":      func(of []string) string { return strings.Join(of, ", ") },
		"step":      func(i int) event.Step { return event.Steps[i] },
		"info":      info(l),
		"whose":     func(t tile, side string) string { return in(whose(t, side)) },
		"legend":    func() []event.Verdict { return verdicts },
		"arrow":     arrowOf,
		"sign":      sign,
		"number":    func(n int64) string { return strconv.FormatInt(n, 10) },
		"tag":       l.Tag,
		"dict":      dict,
		"sealed":    func(e *event.Event) bool { return e.Evidence == event.Decrypted },
	}
}

// whose names one side of the leg of a step.
func whose(t tile, side string) event.Text {
	if t.Explainer && side == "server" {
		return event.Plain("explainer")
	}
	return words.Named("end", side)
}

// text is the string of whatever permanent name a template has.
func text(id any) string {
	switch id := id.(type) {
	case string:
		return id
	case event.Verdict:
		return string(id)
	case event.Source:
		return string(id)
	case event.Evidence:
		return string(id)
	case event.ProofState:
		return string(id)
	case event.Topic:
		return string(id)
	}
	return ""
}

// verdicts are those of the legend.
var verdicts = []event.Verdict{event.AsTold, event.Differently, event.Unseen, event.Inherited, event.Absent, event.Failed, event.NotReached, event.Unknown}

// info finds what the book and TLS say of a step.
func info(l words.Language) func(event.Step) words.StepInfo {
	table := l.StepTable()
	return func(s event.Step) words.StepInfo { return table[slices.Index(event.Steps, s)] }
}

func detail(in func(event.Text) string) func(event.Field) [2]string {
	return func(f event.Field) [2]string { return [2]string{in(f.Name), in(f.Value)} }
}

// sign is a verdict in one sign, told apart without colour.
func sign(v event.Verdict) string {
	switch v {
	case event.AsTold:
		return "●"
	case event.Differently:
		return "◐"
	case event.Unseen:
		return "◌"
	case event.Inherited:
		return "↩"
	case event.Absent:
		return "–"
	case event.Failed:
		return "✕"
	case event.NotReached:
		return "·"
	case event.Unknown:
		return "?"
	}
	return " "
}

// dict hands a template several values.
func dict(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

// ErrNoSession says that there is no such session.
var ErrNoSession = errors.New("no such session")

// A pageOf is what a template renders.
type pageOf struct {
	View
	Title      string
	Rows       []*row
	Older      int // number of the session before which older rows stand, or 0
	Query      string
	Version    int
	Session    *session
	Experiment *trial    // what is broken of the session
	Pair       *pair     // two sessions side by side
	Schedule   *Schedule // the keys of one connection
	Word       *Word     // looked for in the session
	Matrix     *Matrix
	Shares     []share
	Loads      []load
	Live       bool // it changes while it is looked at
	Static     bool
	Alone      map[int]int // sessions of a file that have their row alone, and the one that tells of them
	Policy     string
	Style      template.CSS
	Script     template.JS
	Forgotten  int // sessions that are not in the table any more
	Wrong      error
}

// static makes it a file that opens without a network.
func (p *pageOf) static() *pageOf {
	p.Static = true
	p.Style, p.Script = template.CSS(style), template.JS(script)
	p.Policy = "default-src 'none'; style-src " + digest(style) + "; script-src " + digest(script)
	return p
}

// rowsAtOnce is how many rows are handed over at a time.
const rowsAtOnce = 200

// page begins what a template renders.
func (v View) page(title string) *pageOf {
	return &pageOf{View: v, Title: title, Version: v.Book.version, Forgotten: v.Book.forgotten, Wrong: v.Book.wrong}
}

// Sessions renders the table: the latest sessions, or the latest before one.
func (v View) Sessions(w io.Writer, query string, before int) error {
	p := v.table(query, before, 0)
	v.Book.mu.Lock()
	p.Shares = sharesOf(v.Book.chosen(NewQuery(query)))
	v.Book.mu.Unlock()
	return templates()[v.Lang].ExecuteTemplate(w, "sessions", p)
}

// Rows renders rows alone, the latest first: those before a session or, where that is 0, those after one.
func (v View) Rows(w io.Writer, query string, before, after int) error {
	return templates()[v.Lang].ExecuteTemplate(w, "rows", v.table(query, before, after))
}

func (v View) table(query string, before, after int) *pageOf {
	b := v.Book
	b.mu.Lock()
	defer b.mu.Unlock()
	p := v.page("")
	p.Query = query
	q := NewQuery(query)
	if i := slices.Index(b.order, after); before == 0 && i >= 0 {
		for _, n := range b.order[i+1:] {
			if r := b.rows[n]; q.fits(r) && len(p.Rows) < rowsAtOnce {
				p.Rows = append(p.Rows, r.shown())
			}
		}
		slices.Reverse(p.Rows)
		return p
	}
	end := len(b.order)
	if before > 0 {
		if i := slices.Index(b.order, before); i >= 0 {
			end = i
		} else {
			end = 0
		}
	}
	for i := end - 1; i >= 0; i-- {
		r := b.rows[b.order[i]]
		if !q.fits(r) {
			continue
		}
		if len(p.Rows) == rowsAtOnce {
			p.Older = p.Rows[len(p.Rows)-1].N
			break
		}
		p.Rows = append(p.Rows, r.shown())
	}
	return p
}

// Since renders rows that have changed since a version of the book, those first that changed
// first, and says up to which version: where many have changed, some are left for the next time.
func (v View) Since(w io.Writer, query string, version int) (int, error) {
	b := v.Book
	b.mu.Lock()
	p := v.page("")
	q := NewQuery(query)
	for _, n := range b.order {
		if r := b.rows[n]; r.version > version && q.fits(r) {
			p.Rows = append(p.Rows, r)
		}
	}
	if len(p.Rows) > rowsAtOnce {
		slices.SortFunc(p.Rows, func(a, b *row) int { return a.version - b.version })
		p.Rows = p.Rows[:rowsAtOnce]
		p.Version = p.Rows[rowsAtOnce-1].version
	}
	for i, r := range p.Rows {
		p.Rows[i] = r.shown()
	}
	if len(p.Rows) > 0 {
		p.Shares = sharesOf(b.chosen(q))
	}
	b.mu.Unlock()
	if len(p.Rows) == 0 {
		return p.Version, nil
	}
	return p.Version, templates()[v.Lang].ExecuteTemplate(w, "since", p)
}

// Session renders a session: its whole page, or what changes of it while it goes on.
func (v View) Session(w io.Writer, n int, whole bool) error {
	p, err := v.of(n)
	if err != nil {
		return err
	}
	p.Session.Full = true
	p.Session.breaks(v.Base)
	p.Session.Near = v.Book.near(p.Session)
	name := "session"
	if !whole {
		name = "story"
	}
	return templates()[v.Lang].ExecuteTemplate(w, name, p)
}

// of is a page of one session.
func (v View) of(n int) (*pageOf, error) {
	b := v.Book
	b.mu.Lock()
	r := b.rows[n]
	if r == nil {
		b.mu.Unlock()
		return nil, ErrNoSession
	}
	p := v.page("")
	c := b.chapter(r)
	b.mu.Unlock()
	p.Session = b.session(c)
	p.Title = p.Session.Host
	return p, nil
}

// Version is when a session changed last; 0 where there is none.
func (b *Book) Version(session int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.rows[session]; r != nil {
		return r.version
	}
	return 0
}

// File renders the book as one file that opens without a network: every session's row and
// steps; and with its messages each that failed, each of which something is refuted, and the
// first of each kind.
func (v View) File(w io.Writer, title string) error {
	b := v.Book
	b.mu.Lock()
	defer b.mu.Unlock()
	p := v.page(title).static()
	var chatter []*row
	for _, n := range b.order {
		switch r := b.rows[n]; {
		case v.Chosen != nil && !v.Chosen(n):
		case r.Noise && !v.Chatter:
			chatter = append(chatter, r)
		default:
			p.Rows = append(p.Rows, r)
		}
	}
	if len(p.Rows) == 0 { // a capture may be of nothing else
		p.Rows = chatter
	}
	p.Shares, p.Loads = sharesOf(p.Rows), loads(p.Rows[max(0, len(p.Rows)-rowsAtOnce):])
	full := p.choose()
	t := templates()[v.Lang]
	if err := t.ExecuteTemplate(w, "file-head", p); err != nil {
		return err
	}
	for _, r := range p.Rows {
		if p.Alone[r.N] != 0 {
			continue
		}
		p.Session = b.session(b.chapter(r))
		p.Session.Full = full[r.N]
		p.Session.BreakCommand = breakCommand(p.Session, v.Recording)
		if err := t.ExecuteTemplate(w, "file-session", p); err != nil {
			return err
		}
	}
	return t.ExecuteTemplate(w, "file-foot", p)
}

// Bounds of a file: some 10 MB, whatever is in it.
const (
	fileSessions = 100 // of more, those that went as an earlier one did have their row alone
	fileFailures = 50  // that are told in full though an earlier session failed in the same way
)

// choose says which sessions of a file are told in full, the first of each kind and those
// that failed, and for those that have their row alone which earlier one tells of them.
func (p *pageOf) choose() (full map[int]bool) {
	full, p.Alone = map[int]bool{}, map[int]int{}
	first, failures := map[string]int{}, 0
	for _, r := range p.Rows {
		switch {
		case first[r.kind] == 0:
			first[r.kind] = r.N
			full[r.N] = true
		case r.kind == "": // how it went is not told
		case r.Failed() && failures < fileFailures:
			failures++
			full[r.N] = true
		case len(p.Rows) > fileSessions:
			p.Alone[r.N] = first[r.kind]
		}
	}
	return full
}

// Told is the session in this file that tells of session n: n itself, or one before it that went the same way.
func (p *pageOf) Told(n int) int { return cmp.Or(p.Alone[n], n) }

// digest names what stands in a file, as its policy does (CSP Level 3, 2.3.1).
func digest(of []byte) string {
	sum := sha256.Sum256(of)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
