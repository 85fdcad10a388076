package proxy

import (
	"bytes"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/printable"
)

// A page is what the proxy itself says to a browser.
type page struct {
	Title  event.Text
	Lead   event.Text
	Rows   []row
	Advice event.Text
}

type row struct{ Name, Value event.Text }

// A shownPage is a page in one language.
type shownPage struct {
	Language            words.Language
	Title, Lead, Advice string
	Rows                []shownRow
}

type shownRow struct{ Name, Value string }

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="{{.Language.Tag}}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>
body { font: 1.05rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem; color: #1b1b1b; background: #fff }
h1 { font-size: 1.5rem; line-height: 1.25 }
dl { border-left: 3px solid #888; padding-left: 1rem }
dt { color: #555; font-size: .9rem }
dd { margin: 0 0 .6rem; font-family: ui-monospace, monospace; overflow-wrap: anywhere }
footer { margin-top: 2.5rem; color: #555; font-size: .9rem }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #181818 } dt, footer { color: #aaa } }
</style>
<h1>{{.Title}}</h1>
<p>{{.Lead}}</p>
{{with .Rows}}<dl>{{range .}}<dt>{{.Name}}</dt><dd>{{.Value}}</dd>{{end}}</dl>{{end}}
{{with .Advice}}<p>{{.}}</p>{{end}}
<footer>{{.Says "page/footer"}}</footer>
</html>
`))

// in is the page in a language, without what would do something on a terminal, or write in
// another direction: names and subjects in it are those of a stranger's certificate.
func (p page) in(l words.Language) shownPage {
	show := func(t event.Text) string { return printable.Text(l.In(t)) }
	out := shownPage{Language: l, Title: show(p.Title), Lead: show(p.Lead), Advice: show(p.Advice)}
	for _, r := range p.Rows {
		out.Rows = append(out.Rows, shownRow{show(r.Name), show(r.Value)})
	}
	return out
}

// Says is a piece in the page's language.
func (p shownPage) Says(id string) string { return p.Language.In(words.Piece(id)) }

// text is the page for clients that do not ask for HTML.
func (p shownPage) text() string {
	var b strings.Builder
	b.WriteString(p.Title + "\n\n" + p.Lead + "\n")
	for _, r := range p.Rows {
		b.WriteString("  " + p.Language.In(words.Piece("page/label", "name", r.Name)) + r.Value + "\n")
	}
	if p.Advice != "" {
		b.WriteString("\n" + p.Advice + "\n")
	}
	b.WriteString("\n" + p.Says("page/signature") + "\n")
	return b.String()
}

// render returns the page as the client that sent these header fields reads it best, in
// its language or otherwise in another.
func (p page) render(asked http.Header, otherwise words.Language) (header http.Header, body []byte) {
	shown := p.in(languageOf(asked, otherwise))
	if strings.Contains(asked.Get("Accept"), "text/html") {
		var b bytes.Buffer
		if err := pageTemplate.Execute(&b, shown); err == nil {
			return pageHeader("text/html; charset=utf-8", shown.Language, b.Bytes()), b.Bytes()
		}
	}
	body = []byte(shown.text())
	return pageHeader("text/plain; charset=utf-8", shown.Language, body), body
}

// pageHeader returns the header fields of a page. No cache may keep it, and the
// connection that brought it is not used again: the next may fare better.
func pageHeader(contentType string, l words.Language, body []byte) http.Header {
	return http.Header{
		"Content-Type":            {contentType},
		"Content-Language":        {l.Tag()},
		"Vary":                    {"Accept, Accept-Language"},
		"Content-Length":          {strconv.Itoa(len(body))},
		"Cache-Control":           {"no-store"},
		"Connection":              {"close"},
		"X-Content-Type-Options":  {"nosniff"},
		"Content-Security-Policy": {"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"},
	}
}

// answer sends a page to the client of t and records that the proxy itself answered.
func (p *Proxy) answer(w http.ResponseWriter, r *http.Request, t *Tap, status int, pg page, why string) {
	outcome := "error-page"
	if status == http.StatusOK || status == http.StatusNotFound {
		outcome = "not-a-proxy-request"
	}
	p.Recorder.Fact(capture.Fact{Kind: capture.FactOwnAnswer, Conn: t.number(), Outcome: outcome, Detail: why})
	header, body := pg.render(r.Header, p.Language)
	for name, values := range header {
		w.Header()[name] = values
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(body)
	}
}

// serveDirect answers requests that treat the proxy as a web server.
func (p *Proxy) serveDirect(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	if r.URL.Path != "/" {
		status = http.StatusNotFound
	}
	addr := r.Context().Value(http.LocalAddrContextKey)
	where := ""
	if a, ok := addr.(interface{ String() string }); ok {
		where = a.String()
	}
	p.answer(w, r, tapOf(r), status, page{
		Title: words.Piece("page/direct-title"),
		Lead:  words.Piece("page/direct"),
		Rows: []row{
			{words.Piece("page/direct-proxy"), event.Plain(where)},
			{words.Piece("page/direct-curl"), event.Plain("curl -x http://" + where + " https://" + siteDomain + "/")},
		},
		Advice: words.Piece("page/direct-advice", "url", "http://"+siteDomain+"/"),
	}, "a request for the proxy itself")
}

// faultPage explains why a request is not passed on.
func faultPage(f *fault) page {
	pg := page{
		Title:  words.Piece("page/fault-title"),
		Lead:   words.Piece("page/fault-odd"),
		Rows:   []row{{words.Piece("page/what-is-wrong"), f.why}},
		Advice: words.Piece("page/fault-advice"),
	}
	if f.status == http.StatusBadRequest {
		pg.Lead = words.Piece("page/fault-bad")
	}
	return pg
}

// failurePage explains why there is no origin to talk to.
func failurePage(e *originError) page {
	id := e.ID
	for _, reason := range []string{"issuer-unknown", "incomplete-chain", "leaked-key"} {
		if e.ID != "own-ca" && slices.Contains(e.Found, reason) {
			id = reason
		}
	}
	if !words.HasPhrase(words.FailureTitle, id) || e.ID == "other" && len(e.Certs) > 0 { // not of the connection
		id = "certificate"
	}
	pg := page{Title: words.Phrase(words.FailureTitle, id, nil), Rows: []row{{words.Piece("page/asked-for"), event.Plain(e.Host)}}}
	lead := []event.Text{words.Phrase(words.FailureLead, id, nil)}
	var advice []event.Text
	if words.HasPhrase(words.FailureAdvice, id) {
		advice = append(advice, words.Phrase(words.FailureAdvice, id, nil))
	}
	if e.Missing != "" {
		advice = append(advice, words.Piece("page/missing-advice", "name", strconv.Quote(e.Missing)))
	}
	if e.Addr != "" {
		pg.Rows = append(pg.Rows, row{words.Piece("page/called"), event.Plain(e.Addr)})
	}
	if !e.Detail.Empty() {
		pg.Rows = append(pg.Rows, row{words.Piece("page/programs-words"), e.Detail})
	}
	if len(e.lacking) > 0 {
		pg.Rows = append(pg.Rows, row{words.Piece("page/client-offers"), listed(e.lacking, 12)})
	}
	if r := e.replayed; r != nil {
		lead = append(lead, replayWords(r))
		if r.Outcome == "answered" {
			pg.Rows = append(pg.Rows, row{words.Piece("page/origin-chose"), event.Plain(r.Detail)})
			advice = append(advice, words.Piece("page/tunnel-advice"))
		}
	}
	for _, c := range e.failures {
		said := words.Reason(c.Reason, e.Host, c.Detail("missing"))
		var details []event.Text
		for _, d := range c.Details {
			if d.Name != "missing" {
				called, says := words.DetailText(d.Name, d.Value)
				details = append(details, words.Piece("page/detail", "name", called, "value", says))
			}
		}
		if len(details) > 0 {
			said = words.Piece("page/with", "what", said, "details", words.List(";", details...))
		}
		pg.Rows = append(pg.Rows, row{words.Piece("page/what-is-wrong"), said})
	}
	if e.unmirrored {
		advice = append(advice, words.Piece("page/unmirrored-advice"))
	}
	pg.Lead, pg.Advice = words.Sentences(lead...), words.Sentences(advice...)
	if len(e.Certs) > 0 {
		leaf := e.Certs[0]
		names := append([]string(nil), leaf.DNSNames...)
		for _, ip := range leaf.IPAddresses {
			names = append(names, ip.String())
		}
		if len(names) > 10 {
			names = append(names[:10], "...")
		}
		pg.Rows = append(pg.Rows,
			row{words.Piece("page/certificate-for"), words.List(",", words.Names(names)...)},
			row{words.Piece("page/issued-by"), event.Plain(leaf.Issuer.String())},
			row{words.Piece("page/valid"), words.Piece("page/dates", "from", leaf.NotBefore.UTC().Format(time.DateTime), "to", leaf.NotAfter.UTC().Format(time.DateTime))},
		)
	}
	return pg
}

// replayWords says what came of the client's own hello.
func replayWords(f *capture.Fact) event.Text {
	switch {
	case f.Outcome == "answered" && f.Addr != "":
		return words.Piece("page/replayed-foreign", "choice", f.Addr)
	case f.Outcome == "answered":
		return words.Piece("page/replayed-other")
	case f.Outcome == "refused":
		return words.Piece("page/replayed-refused", "alert", f.Detail)
	case f.Outcome == "closed":
		return words.Piece("page/replayed-closed")
	}
	return words.Piece("page/replayed-unknown")
}

// listed is at most n of the names.
func listed(names []string, n int) event.Text {
	if len(names) > n {
		return words.Piece("page/more-names", "names", words.List(",", words.Names(names[:n])...), "n", strconv.Itoa(len(names)-n))
	}
	return words.List(",", words.Names(names)...)
}
