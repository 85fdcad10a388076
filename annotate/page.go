package annotate

import (
	"strings"

	"explainer/annotate/proof"
	"explainer/annotate/steps"
	"explainer/capture"
	"explainer/capture/web"
)

// A paging looks for the first response that is told to its end.
type paging struct {
	asked   map[uint64]steps.Page // by exchange
	records []carrier             // the server's latest before its first response, and the first behind that
	began   bool                  // a response has
}

// A carrier is a record with application data.
type carrier struct {
	span capture.Span
	data capture.AppData
	at   proof.Place
}

// maxRecords bounds the records that are kept: a body begins with its head or soon after.
const maxRecords = 8

// maxAsked bounds the exchanges whose answers are waited for.
const maxAsked = 64

// carried notes a record of the server's that may carry the page.
func (c *conn) carried(m *capture.Message, b *capture.AppData) {
	if c.Answered || m.Side != capture.Server {
		return
	}
	p := &c.paging
	switch n := len(p.records); {
	case !p.began && n >= 2:
		p.records = append(p.records[:0], p.records[n-1])
	case n >= maxRecords:
		return
	}
	p.records = append(p.records, carrier{m.Span, *b, proof.Place{First: m.First, Last: m.Last}})
}

// begun notes the head of a request or of a response.
func (c *conn) begun(m *capture.Message, b *web.Head, told string) {
	if c.Answered || !m.Inner && c.TLS {
		return
	}
	p := &c.paging
	if b.Request {
		if p.asked == nil {
			p.asked = map[uint64]steps.Page{}
		}
		if len(p.asked) < maxAsked {
			p.asked[b.Stream] = steps.Page{Request: strings.ToValidUTF8(told, "\uFFFD"), AskedAt: proof.Place{First: m.First, Last: m.Last}}
		}
		return
	}
	if b.Status < 200 && b.Status != 101 {
		return
	}
	page := p.asked[b.Stream]
	page.Status, p.began = b.Status, true
	c.record(&page, m)
	if b.EndsHere || b.Status == 101 || endless(b) {
		c.paged(page)
		return
	}
	if p.asked != nil {
		p.asked[b.Stream] = page
	}
}

// endless tells whether a response is of a kind that has no end of its own
// (text/event-stream).
func endless(b *web.Head) bool {
	for _, f := range b.Fields {
		if strings.EqualFold(f.Name, "Content-Type") {
			return strings.HasPrefix(strings.ToLower(f.Value), "text/event-stream")
		}
	}
	return false
}

// ended notes the end of a response's body, of this media type; shown is what may be shown of its beginning.
func (c *conn) ended(m *capture.Message, b *web.Body, kind, shown string) {
	if c.Answered || b.Request || !m.Inner && c.TLS {
		return
	}
	page := c.paging.asked[b.Stream]
	page.Body, page.Length, page.Type, page.Begins = true, b.Len, strings.ToValidUTF8(kind, "\uFFFD"), shown
	c.record(&page, m)
	c.paged(page)
}

// record finds the record that a message begins in.
func (c *conn) record(page *steps.Page, m *capture.Message) {
	p := &c.paging
	for i := range p.records {
		if r := &p.records[i]; r.span.Start <= m.Span.Start && m.Span.Start < r.span.End {
			data := r.data
			page.Record, page.RecordAt = &data, r.at
		}
	}
}

func (c *conn) paged(page steps.Page) {
	c.Page, c.Answered = &page, true
	c.paging = paging{}
}

// maxAgent bounds what a client calls itself, in bytes.
const maxAgent = 24

// agentOf is what a client calls itself in a User-Agent (RFC 9110 10.1.5): of browsers, which
// all begin with the same words, the name and the version that tell them apart; empty where
// these are not known.
func agentOf(s string) string {
	s = strings.ToValidUTF8(s, "")
	products := strings.Fields(s)
	switch {
	case len(products) == 0:
		return ""
	case strings.HasPrefix(s, "Go-http-client/"):
		return "Go"
	}
	if strings.HasPrefix(s, "Mozilla/") {
		for _, name := range []string{"Edg/", "OPR/", "Firefox/", "HeadlessChrome/", "Chrome/", "Version/"} {
			for _, p := range products {
				if strings.HasPrefix(p, name) {
					version, _, _ := strings.Cut(p[len(name):], ".")
					return strings.TrimSpace(browserNames[name] + " " + strings.ToValidUTF8(version[:min(len(version), 4)], ""))
				}
			}
		}
		return ""
	}
	pick := strings.Replace(products[0], "/", " ", 1)
	return strings.ToValidUTF8(pick[:min(len(pick), maxAgent)], "")
}

var browserNames = map[string]string{"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "HeadlessChrome/": "Chrome", "Chrome/": "Chrome", "Version/": "Safari"}
