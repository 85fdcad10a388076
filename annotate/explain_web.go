package annotate

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/steps"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/web"
)

// mayTunnel tells whether a response whose request is not known can be the answer to a
// CONNECT, behind which anything may follow: that has no length (RFC 9110 9.3.6).
func mayTunnel(b *web.Head) bool {
	return !b.Request && b.Method == "" && b.Status/100 == 2 && !slices.ContainsFunc(b.Fields, func(f web.Field) bool {
		return strings.EqualFold(f.Name, "Content-Length") || strings.EqualFold(f.Name, "Transfer-Encoding")
	})
}

// web tells a piece of HTTP, inside TLS or in clear.
func (x *Explainer) web(c *conn, m *capture.Message) {
	if !m.Inner && !c.TLS && c.NoTLS == "" {
		switch b := m.Body.(type) {
		case *web.Head:
			if c.perhapsTunnel = mayTunnel(b); !c.perhapsTunnel && (b.Method != "CONNECT" || !b.Request && b.Status/100 != 2) {
				c.NoTLS = "plain"
			}
		case *web.Body, *web.Frame, *web.WebSocket:
			if !c.perhapsTunnel {
				c.NoTLS = "plain"
			}
		}
	}
	var e event.Event
	var begins []byte
	switch b := m.Body.(type) {
	case *web.Head:
		e = x.head(c, m, b)
	case *web.Body:
		e, begins = x.webBody(c, m, b), b.Preview
	case *web.Frame:
		e = x.event(c, m, event.KindMessage, topicOf(strings.ToLower(strings.ReplaceAll(b.Protocol, "/", ""))+"-", clip(b.Type)), b.Protocol+" "+clip(b.Type))
		for _, f := range b.Detail {
			e.Fields = append(e.Fields, x.headerField(f.Name, f.Value))
		}
		e.Brief = frameBrief(b, e.Fields)
		if b.Unread != "" {
			e.Says = append(e.Says, words.Say(unreadWords[b.Unread], e.Evidence, c.Values()))
		}
	case *web.WebSocket:
		e, begins = x.webSocket(c, m, b), b.Preview
	case *web.Switched:
		e = x.event(c, m, event.KindMessage, "protocol-switched", "")
		protocol := clip(x.text(b.Protocol))
		e.Brief = words.Piece("brief/to-protocol", "protocol", protocol)
		id := "switched"
		if b.Protocol == "tunnel" {
			id = "switched-tunnel"
			if !m.Inner {
				c.ConnectHost = b.Target
			}
		}
		e.Says = append(e.Says, words.Say(id, e.Evidence, c.Values().With("protocol", protocol)))
		if b.Protocol == "tunnel" && m.Inner {
			e.Says = append(e.Says, words.Say("tunnel-unread", event.None, c.Values()))
		}
	case *web.Unparsed:
		begins = b.Preview
		topic := event.Topic("not-http")
		switch b.Why {
		case "ended-early", "head-too-long", "too-many-streams", "tunnel", "unknown-stream", "webtransport", "table-too-large", "too-much-at-once", "after-gap": // it may well be HTTP
			topic = "http-unread"
		}
		e = x.event(c, m, event.KindMessage, topic, "")
		e.Size = &event.Size{Bytes: b.Len, Reason: clip(b.Why)}
		e.Brief = words.Count(int(b.Len), "byte")
		if b.Total {
			e.Brief = words.Piece("brief/in-all", "count", e.Brief)
		}
		if b.Protocol == "HTTP/3" {
			e.Fields = append(e.Fields, field("stream", strconv.FormatUint(b.Stream, 10)))
		}
		if b.Why != "not-http" {
			e.Brief = words.Piece("brief/bytes-why", "count", e.Brief, "reason", words.Phrase(words.NotHTTP, clip(b.Why), ""))
		}
		if len(b.Preview) > 0 {
			e.Fields = append(e.Fields, fieldOf("beginning", x.previewBytes(b.Preview)))
		}
		if m.Side == capture.Server {
			c.Responded, c.Answered = true, true
		}
	default:
		return
	}
	if beginsTLS(begins) && c.Entire() {
		c.tlsInside = true
		e.Says = append(e.Says, words.Say("tls-inside", e.Evidence, c.Values()))
	}
	x.emit(c, e)
}

// unreadWords say why a field section of HTTP/3 was not read.
var unreadWords = map[string]string{
	"missing-insert": "http3-missing-insert", "missing-settings": "http3-missing-settings", "too-much-waits": "http3-too-much-waits",
}

// beginsTLS tells whether bytes begin as a record with a hello does (RFC 8446 5.1 and 4).
func beginsTLS(b []byte) bool {
	return len(b) > 9 && b[0] == 22 && b[1] == 3 && b[2] <= 4 && (b[5] == 1 || b[5] == 2) && b[6] == 0 && b[9] == 3
}

func (x *Explainer) head(c *conn, m *capture.Message, b *web.Head) event.Event {
	topic := event.TopicResponse
	if b.Request {
		topic = event.TopicRequest
	}
	e := x.event(c, m, event.KindMessage, topic, "")
	e.HTTP = &event.HTTP{Exchange: b.Stream, Scheme: "https", Headers: len(b.Fields), Bodiless: b.EndsHere, Protocol: b.Protocol}
	plain := c.NoTLS == "plain"
	var a steps.Values
	if !m.Inner || plain || !c.httpHead || !c.Responded {
		a = x.args(c) // only where a sentence may need them: they cost more than all the rest
	}
	if b.Request {
		target := x.target(b.Target)
		e.HTTP.Method, e.HTTP.Target = clip(x.text(b.Method)), clipLong(target)
		e.Brief = event.Plain(strings.TrimSpace(e.HTTP.Method + " " + clip(target)))
		e.Fields = append(e.Fields, field("method", e.HTTP.Method), field("target", e.HTTP.Target), field("protocol", b.Protocol))
		if b.Connect != "" {
			e.HTTP.Connect = clip(x.text(b.Connect))
			e.Brief = event.Plain(e.Brief.English + ", :protocol " + e.HTTP.Connect)
			e.Fields = append(e.Fields, event.Field{Name: event.Plain(":protocol"), Value: event.Plain(e.HTTP.Connect), Note: words.Piece("note/stream-carries")})
		}
		if b.Authority != "" {
			e.HTTP.Authority = clip(x.header("host", b.Authority))
			e.Fields = append(e.Fields, event.Field{Name: words.FieldName("authority"), Value: event.Plain(e.HTTP.Authority), Note: words.Piece("note/host-meant")})
		}
	} else {
		e.HTTP.Status, e.HTTP.Reason = b.Status, clip(x.text(b.Reason))
		if b.Reason == "" {
			e.HTTP.Reason = http.StatusText(b.Status)
		}
		e.Brief = event.Plain(strings.TrimSpace(fmt.Sprintf("%d %s", b.Status, e.HTTP.Reason)))
		e.Fields = append(e.Fields, field("status", strconv.Itoa(b.Status)), field("protocol", b.Protocol))
	}
	if b.Protocol == "HTTP/2" || b.Protocol == "HTTP/3" {
		e.Fields = append(e.Fields, event.Field{Name: words.FieldName("stream"), Value: event.Plain(strconv.FormatUint(b.Stream, 10)), Note: words.Piece("note/one-exchange")})
		if b.Request {
			c.streams.begin(b.Stream, e.Brief.English)
		} else {
			e.Brief = c.streams.of(b.Stream, e.Brief)
		}
	}
	if !b.Request {
		e.Brief, e.HTTP.GRPC = x.grpcStatus(b.Fields, e.Brief)
	}
	if plain || !m.Inner {
		e.HTTP.Scheme = "http"
	}
	if n := len(b.Fields) - maxHeaders; n > 0 {
		e.Fields = append(e.Fields, fieldOf("more", words.Piece("value/further-fields", "n", strconv.Itoa(n))))
		e.HTTP.Headers, e.HTTP.Cut = maxHeaders, n
	}
	if x.NoFields {
		e.HTTP.Headers = 0
	}
	e.Fields = slices.Grow(e.Fields, e.HTTP.Headers)
	for _, f := range b.Fields[:e.HTTP.Headers] {
		e.Fields = append(e.Fields, x.headerField(f.Name, f.Value))
	}
	switch {
	case b.Request && b.Method == "CONNECT" && !m.Inner:
		if c.NoTLS == "plain" {
			x.anew(c)
		}
		c.upstream = c.Leg == capture.LegOrigin
		c.Asked = b.Target[strings.LastIndexByte(b.Target, '@')+1:] // without user information, which has no place here
		x.host(c, c.Asked)
		e.Says = append(e.Says, words.Say("http-connect", e.Evidence, a.With("target", clip(c.Asked))))
	case b.Request:
		if plain {
			x.host(c, b.Authority)
		}
		if !c.httpHead && plain {
			e.Says = append(e.Says, words.Say("http-plain", e.Evidence, a))
		} else if !c.httpHead && c.OverUDP() {
			e.Says = append(e.Says, words.Say("http-request-quic", e.Evidence, a))
		} else if !c.httpHead {
			e.Says = append(e.Says, words.Say("http-request", e.Evidence, a))
		}
		c.httpHead = true
		if slices.Contains(b.Odd, "after-417") {
			e.Says = append(e.Says, words.Say("http-after-417", event.Inferred, words.Args{"client": c.Values().Value("client")}))
		}
		e.Says = append(e.Says, x.asksNear(c, b, e.Evidence)...)
	case b.Method == "CONNECT" && !m.Inner:
		c.NoTunnel = b.Status/100 != 2
		if c.NoTunnel {
			e.Says = append(e.Says, words.Say("http-connect-refused", e.Evidence, a.With("status", strconv.Itoa(b.Status))))
		} else {
			id := "http-connect-accepted"
			if c.Leg == capture.LegBrowser {
				id = "http-connect-accepted-here"
			}
			e.Says = append(e.Says, words.Say(id, e.Evidence, a.With("target", cmp.Or(event.Plain(clip(c.Asked)), words.Piece("end/other-end")))))
		}
	default:
		if b.Status >= 200 || b.Status == 101 {
			if !c.Responded && c.OverUDP() {
				e.Says = append(e.Says, words.Say("http-response-quic", e.Evidence, a))
			} else if !plain && !m.Inner {
				e.Says = append(e.Says, words.Say("http-response-unasked", e.Evidence, a))
				break // behind it anything may follow
			} else if !c.Responded && !plain {
				e.Says = append(e.Says, words.Say("http-response", e.Evidence, a))
			}
			c.Responded = true
			if plain {
				c.Sides[1].FirstData = true
				c.Sides[1].DataAt = proof.Place{First: m.First, Last: m.Last}
			}
		}
		x.promises(c, &e, b, plain)
	}
	if b.Request && (c.Agent == "" || m.Inner && !c.httpSaid) {
		c.httpSaid = m.Inner
		for _, f := range b.Fields {
			if strings.EqualFold(f.Name, "User-Agent") {
				c.Agent = cmp.Or(agentOf(clip(x.header(f.Name, f.Value))), c.Agent)
			}
		}
	}
	if b.Request || b.Method != "CONNECT" || m.Inner {
		c.begun(m, b, strings.TrimSpace(e.HTTP.Method+" "+clip(e.HTTP.Target)))
	}
	return e
}

// promises tells what a response says about later connections.
func (x *Explainer) promises(c *conn, e *event.Event, b *web.Head, plain bool) {
	for _, f := range b.Fields {
		if strings.EqualFold(f.Name, "Strict-Transport-Security") && !plain {
			id := "http-hsts"
			if strings.Contains(strings.ToLower(strings.NewReplacer(" ", "", "\"", "").Replace(f.Value))+";", "max-age=0;") {
				id = "http-hsts-off"
			}
			e.Says = append(e.Says, words.Say(id, e.Evidence, x.args(c)))
		}
		if strings.EqualFold(f.Name, "Alt-Svc") && offersHTTP3(f.Value) {
			e.Says = append(e.Says, words.Say("http-alt-svc", e.Evidence, x.args(c)))
		}
	}
}

// anew has the steps of a connection told again that asks for a tunnel after requests in clear.
func (x *Explainer) anew(c *conn) {
	c.NoTLS, c.told, c.ready, c.Responded, c.Answered, c.httpHead = "", false, false, false, false, false
	c.Page, c.paging = nil, paging{}
	c.Sides[0].FirstData, c.Sides[1].FirstData = false, false
	c.Sides[1].DataAt = proof.Place{}
	s := c.session
	for _, p := range s.conns {
		if p != c && p.host == "" {
			p.host = s.host
		}
	}
	s.host, s.noise = "", false
	if i := slices.Index(s.conns, c); i >= 0 {
		s.told[i] = false
	}
}

// asksNear tells of a request with which a page of the web reaches the proxy's machine or its
// private network: by the name of the host that it asks for, or by the address that the proxy
// called for it.
func (x *Explainer) asksNear(c *conn, b *web.Head, how event.Evidence) (says []event.Sentence) {
	host, to := b.Authority, web.PlaceOfHost(b.Authority)
	var addr netip.Addr
	switch {
	case c.Leg == capture.LegBrowser && to > web.Elsewhere:
	case c.Leg == capture.LegOrigin && !c.upstream && c.StartTLS == nil && !strings.Contains(b.Target, "://") && web.IsName(host):
		addr = c.Conn.Server.Addr().Unmap()
		if to = web.PlaceOf(addr); addr == c.Conn.Client.Addr().Unmap() {
			to = web.Here
		}
		before, known := x.places.Before(host)
		x.places.Led(host, addr)
		if known && web.PlaceOf(before) < to {
			return []event.Sentence{words.Say("http-name-moved", how, words.Args{"host": clip(x.header("host", host)), "before": before.String(), "addr": addr.String()})}
		}
	default:
		return nil
	}
	page, ok := web.PageOf(b.Method, b.Get)
	if !ok || !page.Nears(host, to, &x.places) {
		return nil
	}
	id := nearIDs[asking{page.Host == "", addr.IsValid(), to == web.Here}]
	return []event.Sentence{words.Say(id, how, words.Args{"page": clip(x.text(page.Host)), "field": page.Field, "host": clip(x.header("host", host)), "addr": addr.String()})}
}

// An asking is how a page asks for what is near: without its name, by a name, and for the machine itself.
type asking struct{ hidden, byName, here bool }

var nearIDs = map[asking]string{
	{false, false, true}: "http-page-asks-here", {false, false, false}: "http-page-asks-private",
	{false, true, true}: "http-page-asks-by-name-here", {false, true, false}: "http-page-asks-by-name-private",
	{true, false, true}: "http-hidden-page-asks-here", {true, false, false}: "http-hidden-page-asks-private",
	{true, true, true}: "http-hidden-page-asks-by-name-here", {true, true, false}: "http-hidden-page-asks-by-name-private",
}

// maxStreams bounds the requests that are remembered to name what belongs to them.
const maxStreams = 256

// streams are the requests of a connection of HTTP/2 or HTTP/3. While there was but one,
// what passes needs no name.
type streams struct {
	asked map[uint64]string
	order []uint64
	count int
}

func (s *streams) begin(stream uint64, request string) {
	s.count++
	if s.asked == nil {
		s.asked = map[uint64]string{}
	}
	if _, again := s.asked[stream]; !again {
		s.order = append(s.order, stream)
	}
	s.asked[stream] = request
	if len(s.order) > maxStreams {
		delete(s.asked, s.order[0])
		s.order = s.order[1:]
	}
}

// of names the request that something belongs to, where there are several.
func (s *streams) of(stream uint64, brief event.Text) event.Text {
	if request, known := s.asked[stream]; known && s.count > 1 {
		return words.Piece("brief/of-request", "brief", brief, "request", request)
	}
	return brief
}

// grpcStatus adds to a line what the last fields of a call of gRPC say of it; status is ""
// of anything else.
func (x *Explainer) grpcStatus(fields []web.Field, brief event.Text) (_ event.Text, status string) {
	for _, f := range fields {
		switch strings.ToLower(f.Name) {
		case "grpc-status":
			status = strings.TrimSpace(clip(x.header(f.Name, f.Value)) + " " + grpcWords[f.Value])
			brief = words.List(",", brief, event.Plain("grpc-status "+status))
		case "grpc-message":
			brief = words.List(",", brief, event.Plain("grpc-message "+clip(x.header(f.Name, f.Value))))
		}
	}
	return brief, status
}

// grpcWords are the names of the status codes of gRPC.
var grpcWords = map[string]string{
	"0": "OK", "1": "CANCELLED", "2": "UNKNOWN", "3": "INVALID_ARGUMENT", "4": "DEADLINE_EXCEEDED", "5": "NOT_FOUND", "6": "ALREADY_EXISTS",
	"7": "PERMISSION_DENIED", "8": "RESOURCE_EXHAUSTED", "9": "FAILED_PRECONDITION", "10": "ABORTED", "11": "OUT_OF_RANGE", "12": "UNIMPLEMENTED",
	"13": "INTERNAL", "14": "UNAVAILABLE", "15": "DATA_LOSS", "16": "UNAUTHENTICATED",
}

// offersHTTP3 tells whether an Alt-Svc value offers HTTP/3 (RFC 7838 3): "h3" or
// one of its drafts, for a time that is not 0.
func offersHTTP3(value string) bool {
	for _, alternative := range strings.Split(value, ",") {
		protocol, rest, _ := strings.Cut(strings.TrimSpace(alternative), "=")
		if (protocol == "h3" || strings.HasPrefix(protocol, "h3-")) && !strings.Contains(strings.ReplaceAll(rest, " ", "")+";", ";ma=0;") {
			return true
		}
	}
	return false
}

// maxHeaders bounds the header fields that are told of one head.
const maxHeaders = 250

// clipLong bounds a value that people want whole: an address, a cookie, a policy.
func clipLong(s string) string {
	const n = 8 << 10
	if len(s) > n {
		return s[:n] + fmt.Sprintf("... (%d bytes)", len(s))
	}
	return s
}

func (x *Explainer) webBody(c *conn, m *capture.Message, b *web.Body) event.Event {
	topic := event.TopicResponseBody
	if b.Request {
		topic = event.TopicRequestBody
	}
	e := x.event(c, m, event.KindMessage, topic, "")
	coding, kind := clip(x.text(b.Coding)), clip(x.header("content-type", b.Type))
	e.HTTP = &event.HTTP{Exchange: b.Stream, Length: b.Len, Coding: coding, Type: kind, Whole: b.Complete, Protocol: b.Protocol}
	parts := []event.Text{words.Count(int(b.Len), "byte")}
	if b.Type != "" {
		parts = append(parts, event.Plain(kind))
	}
	if b.Coding != "" {
		parts = append(parts, event.Plain(coding))
	}
	if !b.Complete {
		parts = append(parts, words.Piece("brief/cut-off"))
		e.Says = append(e.Says, words.Say("http-body-cut", e.Evidence, c.Values()))
	}
	if b.Missing > 0 {
		e.Says = append(e.Says, words.Say("http-body-missing", e.Evidence, c.Values().With("count", words.Count(int(b.Missing), "byte"))))
	}
	e.Brief = words.List(",", parts...)
	if b.Protocol == "HTTP/2" || b.Protocol == "HTTP/3" {
		e.Brief = c.streams.of(b.Stream, e.Brief)
		e.Fields = append(e.Fields, field("stream", strconv.FormatUint(b.Stream, 10)))
	}
	e.Brief, e.HTTP.GRPC = x.grpcStatus(b.Trailers, e.Brief)
	e.Fields = append(e.Fields, fieldOf("length", words.Piece("value/transferred", "count", words.Count(int(b.Len), "byte"))))
	if b.Framing != "" {
		e.Fields = append(e.Fields, event.Field{Name: words.FieldName("framing"), Value: framingWords(b.Framing), Note: words.Piece("note/how-its-end-is-found")})
	}
	if b.Coding != "" {
		e.Fields = append(e.Fields, field("content coding", coding))
	}
	if b.Type != "" {
		e.Fields = append(e.Fields, field("media type", kind))
	}
	if len(b.Preview) > 0 {
		begins, ok := x.begins(b.Preview, b.Type)
		if ok {
			e.Fields = append(e.Fields, field("begins", begins))
		}
		e.HTTP.Begins, e.HTTP.Text = begins, ok && isText(b.Preview)
	} else if b.PreviewErr != "" {
		e.Fields = append(e.Fields, field("no preview", clip(b.PreviewErr)))
	}
	for _, f := range b.Trailers {
		trailer := x.headerField(f.Name, f.Value)
		trailer.Name = words.Piece("field-name/trailer", "name", trailer.Name)
		e.Fields = append(e.Fields, trailer)
	}
	shown := ""
	if isText(b.Preview) && (x.ShowSecrets || ownSite(c.session.host)) {
		shown = strings.ToValidUTF8(string(b.Preview), "")
	}
	c.ended(m, b, kind, shown)
	return e
}

// framingWords say how the end of a body is found; names of HTTP stand as they are.
func framingWords(framing string) event.Text {
	switch framing {
	case "close":
		return words.Piece("value/framing-close")
	case "frames":
		return words.Piece("value/framing-frames")
	}
	return event.Plain(framing)
}

// begins is what may be shown of the beginning of a body; ok is false where nothing may.
func (x *Explainer) begins(preview []byte, kind string) (shown string, ok bool) {
	text := isText(preview)
	switch {
	case x.ShowSecrets && text:
		return strings.ToValidUTF8(string(preview), "\uFFFD"), true
	case x.ShowSecrets:
		return fmt.Sprintf("%x", preview[:min(len(preview), 64)]), true
	case text:
		return x.mask.Body(strings.ToValidUTF8(string(preview), "\uFFFD"), kind)
	case strings.HasPrefix(kind, "text/"):
		return "", false
	}
	return x.mask.Body(string(preview), kind)
}

// isText tells whether bytes read as text; a letter may be cut at the end.
func isText(b []byte) bool {
	for i, r := range string(b) {
		if r == 0xfffd && i < len(b)-4 || r < 0x20 && r != '\t' && r != '\n' && r != '\r' {
			return false
		}
	}
	return true
}

// frameBrief sums a frame up; fields are its own, as they may be shown.
func frameBrief(b *web.Frame, fields []event.Field) event.Text {
	var parts []event.Text
	if b.Ack {
		parts = append(parts, words.Piece("brief/acknowledged"))
	}
	if b.Stream != 0 || b.Protocol == "HTTP/3" {
		parts = append(parts, words.Piece("brief/stream", "n", strconv.FormatUint(b.Stream, 10)))
	}
	for i, f := range fields {
		if i == 8 {
			break
		}
		parts = append(parts, event.Plain(f.Name.English+" "+clip(f.Value.English)))
	}
	return words.List(",", parts...)
}

func (x *Explainer) webSocket(c *conn, m *capture.Message, b *web.WebSocket) event.Event {
	kind := map[uint8]string{0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}[b.Opcode]
	if kind == "" {
		kind = fmt.Sprintf("opcode %d", b.Opcode)
	}
	e := x.event(c, m, event.KindMessage, topicOf("websocket-", kind), "WebSocket "+kind)
	e.Size = &event.Size{Bytes: int64(b.Len)}
	e.Brief = words.Count(int(b.Len), "byte")
	if b.Code != 0 {
		e.Brief = words.Piece("brief/close-code", "count", e.Brief, "code", strconv.Itoa(int(b.Code)))
	}
	if b.Compressed {
		e.Fields = append(e.Fields, field("compressed", "permessage-deflate"))
	}
	if b.Masked {
		e.Fields = append(e.Fields, event.Field{Name: words.FieldName("masked"), Value: words.Piece("field/yes"), Note: words.Piece("note/websocket-masked")})
	}
	if len(b.Preview) > 0 {
		begins, ok := "", false
		switch {
		case b.Opcode == 8 && isText(b.Preview): // why it closes, in words for people
			begins, ok = x.text(strings.ToValidUTF8(string(b.Preview), "\uFFFD")), true
		case b.Opcode == 1 || x.ShowSecrets: // of others nobody knows what they begin in the middle of
			begins, ok = x.begins(b.Preview, "")
		}
		if ok {
			e.Fields = append(e.Fields, field("begins", begins))
		}
	}
	return e
}

// ownSite tells whether a host is one of the built-in sites.
func ownSite(host string) bool {
	return host == "explainer.test" || strings.HasSuffix(host, ".explainer.test")
}
