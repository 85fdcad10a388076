// Package har tells the requests of a story as an HTTP Archive.
package har

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture/printable"
)

// HAR turns events into the entries of an HTTP Archive, version 1.2: one for each
// request that could be read. Of the proxy's two legs it tells the browser's alone.
type HAR struct {
	// Out takes an entry, as JSON, when it is whole: the session it belongs to, and
	// when it began, by which entries are sorted.
	Out func(session int, began time.Time, entry []byte) error

	conns    map[int]*harConn
	origins  map[int]string // session: address of the origin's leg
	unasked  int            // responses whose request is not in the capture
	overview *event.Overview
}

// New returns a renderer that hands its entries to out.
func New(out func(session int, began time.Time, entry []byte) error) *HAR {
	return &HAR{Out: out, conns: map[int]*harConn{}, origins: map[int]string{}}
}

// harConn is what is known of an open connection.
type harConn struct {
	server string
	began  time.Time
	whole  bool // its beginning is in the capture
	hello  time.Time
	agreed time.Time // the handshake's last message before the first request
	tls    bool
	secure *harSecurity
	first  bool // an entry has told how it began
	open   map[uint64]*harOpen
}

// harOpen is an exchange that is going on.
type harOpen struct {
	session  int
	entry    harEntry
	asked    time.Time // the request's head
	sent     time.Time // its end
	answered time.Time // the response's head
	last     time.Time // the last that was seen
	packets  [2]int
}

type harEntry struct {
	StartedDateTime string         `json:"startedDateTime"`
	Time            float64        `json:"time"` // milliseconds, as all times here
	Request         harRequest     `json:"request"`
	Response        harResponse    `json:"response"`
	Cache           struct{}       `json:"cache"`
	Timings         harTimings     `json:"timings"`
	ServerIPAddress string         `json:"serverIPAddress,omitempty"`
	Connection      string         `json:"connection,omitempty"`
	Comment         string         `json:"comment,omitempty"`
	Security        *harSecurity   `json:"_securityDetails,omitempty"`
	Packets         *event.Packets `json:"_packets,omitempty"`
	Exchange        uint64         `json:"_exchange"` // 0 is the first stream of HTTP/3
}

type harRequest struct {
	Method      string       `json:"method"`
	URL         string       `json:"url"`
	HTTPVersion string       `json:"httpVersion"`
	Cookies     []harCookie  `json:"cookies"`
	Headers     []harPair    `json:"headers"`
	QueryString []harPair    `json:"queryString"`
	PostData    *harPostData `json:"postData,omitempty"`
	HeadersSize int64        `json:"headersSize"`
	BodySize    int64        `json:"bodySize"`
}

type harResponse struct {
	Status      int         `json:"status"`
	StatusText  string      `json:"statusText"`
	HTTPVersion string      `json:"httpVersion"`
	Cookies     []harCookie `json:"cookies"`
	Headers     []harPair   `json:"headers"`
	Content     harContent  `json:"content"`
	RedirectURL string      `json:"redirectURL"`
	HeadersSize int64       `json:"headersSize"`
	BodySize    int64       `json:"bodySize"`
	Error       string      `json:"_error,omitempty"`
}

type harContent struct {
	Size      int64  `json:"size"`
	MimeType  string `json:"mimeType"`
	Text      string `json:"text,omitempty"`
	Comment   string `json:"comment,omitempty"`
	Beginning string `json:"_beginning,omitempty"` // where text would not be all of it
}

type harPostData struct {
	MimeType string    `json:"mimeType"`
	Params   []harPair `json:"params"`
	Text     string    `json:"text"`
	Comment  string    `json:"comment,omitempty"`
}

type harPair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type harCookie struct {
	Name     string `json:"name"`
	Value    string `json:"value"`
	Path     string `json:"path,omitempty"`
	Domain   string `json:"domain,omitempty"`
	Expires  string `json:"expires,omitempty"`
	HTTPOnly bool   `json:"httpOnly,omitempty"`
	Secure   bool   `json:"secure,omitempty"`
}

type harTimings struct {
	Blocked float64 `json:"blocked"`
	DNS     float64 `json:"dns"`
	Connect float64 `json:"connect"`
	Send    float64 `json:"send"`
	Wait    float64 `json:"wait"`
	Receive float64 `json:"receive"`
	SSL     float64 `json:"ssl"`
}

// harSecurity is a field of our own: HAR has none for it.
type harSecurity struct {
	Protocol string `json:"protocol"`
	Cipher   string `json:"cipher"`
}

// Event takes the next event.
func (h *HAR) Event(e *event.Event) error {
	if e.Overview != nil {
		h.overview = e.Overview
	}
	if e.Conn == 0 || e.Kind == event.KindSummary {
		return nil
	}
	at, _ := time.Parse(time.RFC3339Nano, e.Time)
	c := h.conns[e.Conn]
	if e.Kind == event.KindConnection {
		c = &harConn{began: at, open: map[uint64]*harOpen{}}
		if e.Ends != nil {
			c.server, _, _ = net.SplitHostPort(e.Ends.Server)
			c.whole = e.Ends.Transport == "tcp" && e.Ends.Begins == event.BeginsOpened
		}
		h.conns[e.Conn] = c
	}
	if c == nil {
		return nil
	}
	if e.Leg == "origin" {
		h.origins[e.Session] = c.server
		if e.Kind == event.KindEnd {
			delete(h.conns, e.Conn)
		}
		return nil
	}
	switch {
	case e.Kind == event.KindEnd:
		for _, n := range slices.Sorted(maps.Keys(c.open)) {
			if err := h.done(e, c, n); err != nil {
				return err
			}
		}
		delete(h.conns, e.Conn)
		delete(h.origins, e.Session)
	case e.Kind != event.KindMessage:
	case e.Topic == event.TopicClientHello && !c.tls:
		c.hello, c.tls = at, true
	case e.Topic == event.TopicServerHello && e.TLS != nil:
		c.secure = &harSecurity{e.TLS.Version, e.TLS.Suite}
	case e.Topic == event.TopicFinished && !c.first:
		c.agreed = at
	case e.HTTP != nil:
		return h.web(e, c, at)
	}
	return nil
}

// web takes a head or a body.
func (h *HAR) web(e *event.Event, c *harConn, at time.Time) error {
	n := e.HTTP.Exchange
	x := c.open[n]
	switch e.Topic {
	case event.TopicRequest:
		if x != nil {
			// The same number once more, as behind a CONNECT through a proxy.
			if err := h.done(e, c, n); err != nil {
				return err
			}
		}
		if e.HTTP.Method == "CONNECT" && e.HTTP.Scheme == "http" {
			return nil // it asks the proxy for a way, and no server for anything
		}
		x = &harOpen{session: e.Session, asked: at, sent: at}
		x.entry = harEntry{Request: h.request(e, c), Connection: strconv.Itoa(e.Conn), ServerIPAddress: c.server, Exchange: n}
		if e.HTTP.Scheme == "https" {
			x.entry.Security = c.secure
		}
		if e.HTTP.Bodiless {
			x.entry.Request.BodySize = 0
		}
		x.entry.Response = harResponse{Cookies: []harCookie{}, Headers: []harPair{}, Content: harContent{MimeType: "x-unknown"}, HeadersSize: -1, BodySize: -1, Error: "no response is in the capture"}
		c.open[n] = x
	case event.TopicRequestBody:
		if x == nil {
			return nil
		}
		x.sent = at
		x.entry.Request.BodySize = e.HTTP.Length
		x.entry.Request.PostData = &harPostData{MimeType: e.HTTP.Type, Params: []harPair{}}
		if e.HTTP.Text {
			x.entry.Request.PostData.Text = e.HTTP.Begins
			if e.HTTP.Length > maxPreview || e.HTTP.Coding != "" {
				x.entry.Request.PostData.Comment = "the beginning"
			}
		} else if e.HTTP.Length > 0 {
			x.entry.Request.PostData.Comment = "masked, not text, or not read"
		}
	case event.TopicResponse:
		status := e.HTTP.Status
		if x == nil {
			if status != 200 || e.HTTP.Scheme != "http" || c.tls {
				h.unasked++
			}
			return nil
		}
		if status/100 == 1 && status != 101 {
			return nil // the answer proper is yet to come
		}
		x.answered = at
		x.entry.Response = h.response(e)
		if e.HTTP.Bodiless || status == 101 {
			x.seen(e, at)
			return h.done(e, c, n)
		}
	case event.TopicResponseBody:
		if x == nil || x.answered.IsZero() {
			return nil
		}
		r := &x.entry.Response
		r.BodySize = e.HTTP.Length
		if e.HTTP.Coding == "" {
			r.Content.Size = e.HTTP.Length
		} else {
			r.Content.Size = -1
			r.Content.Comment = "its size without the content coding (" + e.HTTP.Coding + ") is not known"
		}
		if e.HTTP.Text {
			if text := e.HTTP.Begins; e.HTTP.Length <= maxPreview && e.HTTP.Coding == "" && e.HTTP.Whole {
				r.Content.Text = text
			} else {
				r.Content.Beginning = text
			}
		}
		if !e.HTTP.Whole {
			r.Error = "the body is cut off"
		}
		x.seen(e, at)
		return h.done(e, c, n)
	}
	if x != nil {
		x.seen(e, at)
	}
	return nil
}

// maxPreview is how many bytes of a body the events have at most.
const maxPreview = 512

func (x *harOpen) seen(e *event.Event, at time.Time) {
	x.last = at
	if e.Packets != nil {
		if x.packets[0] == 0 {
			x.packets[0] = e.Packets.First
		}
		x.packets[1] = max(x.packets[1], e.Packets.Last)
	}
}

func (h *HAR) request(e *event.Event, c *harConn) harRequest {
	r := harRequest{
		Method: e.HTTP.Method, HTTPVersion: e.HTTP.Protocol, Headers: pairs(e), HeadersSize: -1, BodySize: -1,
		Cookies: []harCookie{}, QueryString: []harPair{},
	}
	target := e.HTTP.Target
	if !strings.Contains(target, "://") {
		authority := cmp.Or(e.HTTP.Authority, e.Host)
		if authority == "" {
			authority = c.server
			if strings.Contains(authority, ":") {
				authority = "[" + authority + "]"
			}
		}
		if !strings.HasPrefix(target, "/") {
			target = "/" + target // "*", as OPTIONS has it
		}
		target = e.HTTP.Scheme + "://" + authority + target
	}
	r.URL = escapeURL(target)
	if _, query, ok := strings.Cut(target, "?"); ok {
		query, _, _ = strings.Cut(query, "#")
		for _, part := range strings.Split(query, "&") {
			if part != "" {
				name, value, _ := strings.Cut(part, "=")
				r.QueryString = append(r.QueryString, harPair{unescape(name), unescape(value)})
			}
		}
	}
	for _, f := range r.Headers {
		if strings.EqualFold(f.Name, "Cookie") {
			for _, part := range strings.Split(f.Value, ";") {
				if name, value, ok := strings.Cut(strings.TrimSpace(part), "="); ok {
					r.Cookies = append(r.Cookies, harCookie{Name: name, Value: value})
				}
			}
		}
	}
	return r
}

func (h *HAR) response(e *event.Event) harResponse {
	r := harResponse{
		Status: e.HTTP.Status, HTTPVersion: e.HTTP.Protocol, Headers: pairs(e), HeadersSize: -1, BodySize: -1,
		Cookies: []harCookie{}, Content: harContent{MimeType: "x-unknown"},
	}
	if r.HTTPVersion != "HTTP/2" && r.HTTPVersion != "HTTP/3" { // which send none (RFC 9113 8.3.2, 9114 4.3.2)
		r.StatusText = e.HTTP.Reason
	}
	if e.HTTP.Bodiless {
		r.BodySize = 0
	}
	for _, f := range r.Headers {
		switch strings.ToLower(f.Name) {
		case "location":
			r.RedirectURL = f.Value
		case "content-type":
			r.Content.MimeType = f.Value
		case "set-cookie":
			r.Cookies = append(r.Cookies, setCookie(f.Value))
		}
	}
	return r
}

// setCookie reads a Set-Cookie field (RFC 6265 4.1).
func setCookie(value string) harCookie {
	parts := strings.Split(value, ";")
	var c harCookie
	c.Name, c.Value, _ = strings.Cut(strings.TrimSpace(parts[0]), "=")
	for _, p := range parts[1:] {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		switch strings.ToLower(name) {
		case "path":
			c.Path = value
		case "domain":
			c.Domain = value
		case "httponly":
			c.HTTPOnly = true
		case "secure":
			c.Secure = true
		case "expires":
			for _, layout := range []string{time.RFC1123, "Mon, 02-Jan-2006 15:04:05 MST", "Mon, 02-Jan-06 15:04:05 MST", time.RFC850, time.ANSIC} {
				if at, err := time.Parse(layout, value); err == nil {
					c.Expires = at.UTC().Format(time.RFC3339)
					break
				}
			}
		}
	}
	return c
}

// pairs are the header fields of a head.
func pairs(e *event.Event) []harPair {
	out := []harPair{}
	for _, f := range e.Fields[max(0, len(e.Fields)-e.HTTP.Headers):] {
		out = append(out, harPair{f.Name.English, f.Value.English})
	}
	return out
}

// escapeURL encodes what no URL has (RFC 3986 2), so that every reader takes it.
func escapeURL(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= 0x20 || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return strings.ToValidUTF8(plain, "\uFFFD")
	}
	return s
}

// done hands on an exchange.
func (h *HAR) done(e *event.Event, c *harConn, n uint64) error {
	x := c.open[n]
	delete(c.open, n)
	if origin := h.origins[x.session]; origin != "" {
		x.entry.ServerIPAddress = origin
	}
	if x.packets[0] != 0 {
		x.entry.Packets = &event.Packets{First: x.packets[0], Last: x.packets[1]}
	}
	t := harTimings{Blocked: -1, DNS: -1, Connect: -1, SSL: -1}
	began := x.asked
	if !c.first {
		c.first = true
		// The first request of a connection waited for it to be made.
		ready := c.began
		switch {
		case !c.whole:
			ready = time.Time{}
		case c.tls && !c.agreed.IsZero() && !c.agreed.After(x.asked) && !c.hello.IsZero():
			ready = c.agreed
			t.SSL = millis(c.hello, c.agreed)
			t.Connect = millis(c.began, c.agreed)
		}
		if !ready.IsZero() {
			began = c.began
			t.Blocked = millis(ready, x.asked)
		}
	}
	t.Send = millis(x.asked, x.sent)
	if x.answered.IsZero() {
		t.Wait = millis(x.sent, x.last)
	} else {
		// A server may answer before it has all of the request.
		if x.answered.Before(x.sent) {
			t.Send = millis(x.asked, x.answered)
			x.sent = x.answered
		}
		t.Wait, t.Receive = millis(x.sent, x.answered), millis(x.answered, x.last)
	}
	x.entry.Timings = t
	x.entry.Time = round(max(t.Blocked, 0) + max(t.Connect, 0) + t.Send + t.Wait + t.Receive)
	x.entry.StartedDateTime = began.UTC().Format("2006-01-02T15:04:05.000000Z07:00")
	text, err := json.Marshal(x.entry)
	if err != nil {
		return err
	}
	return h.Out(x.session, began, printable.JSON(text))
}

// millis is the time from a to b in milliseconds, to the microsecond.
func millis(a, b time.Time) float64 {
	if d := b.Sub(a); d > 0 {
		return round(float64(d.Nanoseconds()) / 1e6)
	}
	return 0
}

func round(ms float64) float64 { return float64(int64(ms*1000+0.5)) / 1000 }

// Flush does nothing: an entry is handed on when it is whole.
func (h *HAR) Flush() error { return nil }

// Finish hands on what is left.
func (h *HAR) Finish() error {
	for _, n := range slices.Sorted(maps.Keys(h.conns)) {
		c := h.conns[n]
		for _, x := range slices.Sorted(maps.Keys(c.open)) {
			if err := h.done(nil, c, x); err != nil {
				return err
			}
		}
	}
	return nil
}

// Head is what stands before the entries of an archive, which are separated by commas.
func (h *HAR) Head(version string) string {
	creator, _ := json.Marshal(struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}{"explainer", version})
	comment, _ := json.Marshal(h.comment())
	return `{"log":{"version":"1.2","creator":` + string(creator) + `,"comment":` + string(comment) + `,"pages":[],"entries":[` + "\n"
}

// Foot is what stands behind them.
func (h *HAR) Foot() string { return "\n]}}\n" }

// comment says what of the capture is not in the archive.
func (h *HAR) comment() string {
	var parts []string
	if o := h.overview; o != nil {
		for _, s := range o.States {
			if s.Name == event.StateSealed || s.Name == event.StatePartly {
				parts = append(parts, words.Plural(s.N, "connection")+" "+words.StateWords(s.Name).English)
			}
		}
	}
	if h.unasked > 0 {
		parts = append(parts, words.Plural(h.unasked, "response")+" whose request is not in the capture")
	}
	if len(parts) == 0 {
		return "every request of the capture that could be read"
	}
	return "every request of the capture that could be read; not in here: " + strings.Join(parts, ", ")
}
