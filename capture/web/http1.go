package web

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// readHead collects the head of a request or response (RFC 9112 2.1).
func readHead(c *Conn, h *half) {
	if len(h.buf) == 0 {
		// Empty lines before a request line are ignored (RFC 9112 2.2). Some
		// servers send one after a body, too.
		for h.pos < len(h.in) && (h.in[h.pos] == '\r' || h.in[h.pos] == '\n') {
			h.begin()
			h.pos++
			h.stays(h.in[h.pos-1 : h.pos])
		}
	}
	for !h.sure {
		if h.pos == len(h.in) {
			return
		}
		h.take(1)
		if h.from == 0 {
			h.judgeRequest(c)
		} else {
			h.judgeResponse(c)
		}
		if h.un.on || h.frames != nil {
			return
		}
	}
	for h.takeLine(c) {
		line := h.buf[h.line:]
		if h.line == 0 {
			if h.from == 0 && !h.used && strings.HasPrefix(preface, string(line)) {
				c.beginHTTP2(h)
				return
			}
			if why := badFirstLine(line, h.from == 0); why != "" {
				c.fail(h, h.foreign(why))
				return
			}
		}
		h.line = len(h.buf)
		if len(trimEOL(line)) == 0 {
			if h.from == 0 {
				c.request(h, string(h.buf))
			} else {
				c.response(h, string(h.buf))
			}
			return
		}
	}
}

// judgeRequest judges the byte just taken: "method SP" must come.
func (h *half) judgeRequest(c *Conn) {
	switch b := h.buf[len(h.buf)-1]; {
	case b == ' ' && len(h.buf) > 1:
		h.sure = true
	case !IsToken(b) || len(h.buf) > MaxMethod:
		c.fail(h, h.foreign("malformed-request-line"))
	}
}

// judgeResponse judges the byte just taken: "HTTP/1." must come or, before
// anything else, the SETTINGS frame with which an HTTP/2 server begins
// (RFC 9113 3.4). No first byte suits both.
func (h *half) judgeResponse(c *Conn) {
	const version = "HTTP/1."
	n := len(h.buf) - 1
	switch {
	case h.buf[0] != 0:
		if h.buf[n] != version[n] {
			c.fail(h, h.foreign("malformed-status-line"))
		}
		h.sure = n+1 == len(version)
	case h.used || n == 3 && h.buf[n] != 4 || n >= 4 && h.buf[n] != 0:
		c.fail(h, h.foreign("malformed-status-line"))
	case n+1 == frameHeader:
		c.beginHTTP2(h)
	}
}

// foreign is why for what follows a head, and "not-http" where none was read.
func (h *half) foreign(why string) string {
	if h.used {
		return why
	}
	return "not-http"
}

// takeLine takes bytes up to the end of a line and tells whether it was reached.
func (h *half) takeLine(c *Conn) bool {
	if h.pos == len(h.in) {
		return false
	}
	n := bytes.IndexByte(h.in[h.pos:], '\n') + 1
	whole := n > 0
	if !whole {
		n = len(h.in) - h.pos
	}
	if len(h.buf)+n > maxHead {
		h.take(maxHead - len(h.buf))
		c.fail(h, "head-too-long")
		return false
	}
	h.take(n)
	return whole
}

func trimEOL(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}

// badFirstLine says what is wrong with a request line or status line (RFC 9112 3 and 4), or "".
func badFirstLine(line []byte, request bool) string {
	line = trimEOL(line)
	if request {
		first, last := bytes.IndexByte(line, ' '), bytes.LastIndexByte(line, ' ')
		if last <= first+1 || !isVersion(line[last+1:]) {
			return "malformed-request-line"
		}
		return ""
	}
	if len(line) < len("HTTP/1.1 200") || !isVersion(line[:8]) || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return "malformed-status-line"
	}
	for _, b := range line[9:12] {
		if b < '0' || b > '9' {
			return "malformed-status-line"
		}
	}
	if line[9] == '0' {
		return "malformed-status-line"
	}
	return ""
}

func isVersion(b []byte) bool {
	return len(b) == 8 && string(b[:7]) == "HTTP/1." && b[7] >= '0' && b[7] <= '9'
}

// request reads a whole request head.
func (c *Conn) request(h *half, text string) {
	line, rest := cutLine(text)
	first, last := strings.IndexByte(line, ' '), strings.LastIndexByte(line, ' ')
	head := &Head{
		Protocol: line[last+1:],
		Stream:   c.requests + 1,
		Request:  true,
		Method:   line[:first],
		Target:   line[first+1 : last],
	}
	if why := head.read(text, rest); why != "" {
		c.fail(h, why)
		return
	}
	head.Authority = head.Get("Host")
	if named := authority(head.Target); named != "" {
		head.Authority = named // RFC 9112 3.2.2: Host is ignored
	}
	f, why := requestFraming(head)
	if why != "" {
		c.fail(h, why)
		return
	}
	if h.again {
		h.again = false
		head.Odd = append(head.Odd, "after-417")
	}
	c.requests++
	method := strings.Clone(head.Method)
	if len(c.asked) < maxAsked {
		c.asked = append(c.asked, asked{c.requests, method})
	}
	if upgrade := joined(head.Fields, "Upgrade"); method == "CONNECT" {
		c.sw = change{number: c.requests, state: changePending, target: strings.Clone(head.Target)}
	} else if upgrade != "" && hasToken(joined(head.Fields, "Connection"), "upgrade") {
		c.sw = change{number: c.requests, state: changePending,
			token: strings.Clone(upgrade), settings: strings.Clone(head.Get("HTTP2-Settings"))}
	}
	c.headDone(h, head, f)
}

// authority returns the host and port in a target in absolute form (RFC 9112
// 3.2.2), or "" where it has another.
func authority(target string) string {
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok || strings.ContainsAny(scheme, "/?") {
		return ""
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return rest[strings.LastIndexByte(rest, '@')+1:]
}

// response reads a whole response head.
func (c *Conn) response(h *half, text string) {
	line, rest := cutLine(text)
	head := &Head{Protocol: line[:8], Stream: c.answered + 1}
	head.Status, _ = strconv.Atoi(line[9:12])
	if len(line) > 13 {
		head.Reason = line[13:]
	}
	if why := head.read(text, rest); why != "" {
		c.fail(h, why)
		return
	}
	for len(c.asked) > 0 && c.asked[0].number < head.Stream {
		c.asked = c.asked[1:]
	}
	if len(c.asked) > 0 && c.asked[0].number == head.Stream {
		head.Method = c.asked[0].method
	}
	f, why := responseFraming(head)
	if why != "" {
		c.fail(h, why)
		return
	}
	if head.Status >= 200 || head.Status == 101 {
		c.answered++
	}
	if client := &c.halves[0]; head.Status == 417 && client.expects == head.Stream && !client.body.begun && !client.ended {
		client.then, client.step = client.step, perhapsAgain
	}
	first, last := h.first, h.at(h.pos-1)
	c.headDone(h, head, f)

	asked := c.sw.state == changePending && c.sw.number == head.Stream
	switch {
	case head.Status == 101:
		token := joined(head.Fields, "Upgrade")
		if token == "" && asked {
			token = c.sw.token
		}
		c.emit(1, first, last, &Switched{Protocol: strings.Clone(token)})
		c.upgrade(h, head, strings.ToLower(token))
	case head.Status < 200:
	case head.Method == "CONNECT" && head.Status < 300:
		s := &Switched{Protocol: "tunnel"}
		c.emit(1, first, last, s)
		if asked {
			s.Target = c.sw.target[strings.LastIndexByte(c.sw.target, '@')+1:]
			c.tunnel = true
			c.settle(readTunnel)
			h.step = readTunnel
		} else { // too much of the client's side was read as HTTP meanwhile
			c.fail(h, "tunnel")
		}
	case asked:
		c.settle(readHead)
	}
}

// upgrade goes on after 101 (RFC 9110 15.2.2).
func (c *Conn) upgrade(h *half, head *Head, proto string) {
	switch proto {
	case "h2c":
		c.upgradeHTTP2(h, head.Method, c.sw.settings)
	case "websocket":
		c.beginWebSocket(h, head)
	default:
		h.step = readForeign
		c.settle(readForeign)
	}
}

// readForeign gives up on a direction that speaks another protocol after 101.
func readForeign(c *Conn, h *half) { c.fail(h, "switched") }

// headDone reports the head and goes on to what follows it.
func (c *Conn) headDone(h *half, head *Head, f framing) {
	head.EndsHere = f.kind == "" || f.kind == "content-length" && f.length == 0
	last := h.at(h.pos - 1)
	c.emit(h.from, h.first, last, head)
	if h.covering != nil {
		h.stays(h.covering.head(h.buf, h.from == 0, false))
	}
	h.done()
	h.used = true
	if head.EndsHere {
		c.messageDone(h)
		return
	}
	c.openBody(&h.body, head, f.kind, last)
	h.expects = 0
	if head.Request && hasToken(joined(head.Fields, "Expect"), "100-continue") {
		h.expects = head.Stream
	}
	switch f.kind {
	case "chunked":
		h.size = chunkSize{}
		h.step = readChunkSize
	case "content-length":
		h.remain = f.length
		h.step = readLength
	case "close":
		h.step = readClose
	}
}

// maxLine bounds the request line that is waited for behind a 417.
const maxLine = 8 << 10

// perhapsAgain keeps what a client sends behind a 417 that came before the body, until it is clear whether
// it begins with a request line: a client that has its expectation refused asks again without it (RFC
// 9110 10.1.1), some on the same connection. Else it is the body, as the length announced says.
func perhapsAgain(c *Conn, h *half) {
	p := h.piece()
	p.Data = bytes.Clone(p.Data)
	h.waits = append(h.waits, p)
	h.line0 = append(h.line0, p.Data[:min(len(p.Data), maxLine-len(h.line0))]...)
	h.pos = len(h.in)
	line, _, whole := bytes.Cut(h.line0, []byte("\n"))
	method, _, _ := bytes.Cut(line, []byte(" "))
	token := bytes.IndexFunc(method, func(r rune) bool { return r > 0x7f || !IsToken(byte(r)) }) < 0 && len(method) <= MaxMethod
	switch {
	case whole && token && badFirstLine(append(line, '\n'), true) == "":
		c.endBody(h.from, &h.body, nil, false)
		h.again = true
		c.goOn(h, readHead)
	case whole, !token, len(h.line0) == maxLine:
		c.goOn(h, h.then)
	}
}

// goOn reads what has waited.
func (c *Conn) goOn(h *half, with step) {
	waits := h.waits
	h.waits, h.line0, h.expects, h.step = nil, nil, 0, with
	for _, p := range waits {
		c.run(h, p.Data, p.Mark, p.at)
	}
}

// messageDone goes on after a whole message.
func (c *Conn) messageDone(h *half) {
	h.step = readHead
	if h.from == 1 || c.sw.number != c.requests {
		return
	}
	switch c.sw.state {
	case changePending:
		h.step = hold
		h.holding = true
	case changeYes:
		c.sw.state = changeNone
		h.step = c.sw.to
	}
}

// framing says how a body is delimited; kind is "" where there is none.
type framing struct {
	kind   string
	length int64
}

// requestFraming follows RFC 9112 6.3.
func requestFraming(head *Head) (framing, string) {
	if head.Method == "CONNECT" {
		return framing{}, ""
	}
	te := joined(head.Fields, "Transfer-Encoding")
	length, has, why := contentLength(head)
	switch {
	case why != "":
		return framing{}, why
	case te != "" && !strings.EqualFold(te, "identity"):
		if !finalChunked(te) {
			return framing{}, "transfer-encoding-without-chunked"
		}
		if has {
			head.Odd = append(head.Odd, "two-lengths")
		}
		return framing{kind: "chunked"}, ""
	case has:
		return framing{"content-length", length}, ""
	}
	return framing{}, ""
}

// responseFraming follows RFC 9112 6.3.
func responseFraming(head *Head) (framing, string) {
	switch {
	case head.Method == "HEAD", head.Status < 200, head.Status == 204, head.Status == 304,
		head.Method == "CONNECT" && head.Status < 300:
		return framing{}, ""
	}
	te := joined(head.Fields, "Transfer-Encoding")
	length, has, why := contentLength(head)
	if te != "" && !strings.EqualFold(te, "identity") {
		if has || why != "" {
			head.Odd = append(head.Odd, "two-lengths")
		}
		if finalChunked(te) {
			return framing{kind: "chunked"}, ""
		}
		return framing{kind: "close"}, ""
	}
	switch {
	case why != "":
		return framing{}, why
	case has:
		return framing{"content-length", length}, ""
	}
	return framing{kind: "close"}, ""
}

func finalChunked(te string) bool {
	list := tokens(te)
	return len(list) > 0 && strings.EqualFold(list[len(list)-1], "chunked")
}

// contentLength reads the field; several equal values count as one (RFC 9110 8.6).
func contentLength(head *Head) (n int64, has bool, why string) {
	for _, f := range head.Fields {
		if !strings.EqualFold(f.Name, "Content-Length") {
			continue
		}
		for _, s := range strings.Split(f.Value, ",") {
			s = strings.Trim(s, " \t")
			v, err := strconv.ParseUint(s, 10, 63)
			if err != nil || s[0] == '+' || has && int64(v) != n {
				return 0, false, "malformed-content-length"
			}
			n, has = int64(v), true
		}
	}
	return n, has, ""
}

// read reads the field lines of a head whose first line was read; text is all of it.
func (head *Head) read(text, rest string) (why string) {
	head.Fields, head.Odd, why = readFields(rest)
	if !strings.HasSuffix(text[:len(text)-len(rest)], "\r\n") {
		head.note("bare-lf")
	}
	return why
}

func (head *Head) note(odd string) { head.Odd = note(head.Odd, odd) }

func note(list []string, odd string) []string {
	if slices.Contains(list, odd) {
		return list
	}
	return append(list, odd)
}

// readFields reads field lines up to the empty line (RFC 9112 5).
func readFields(text string) (fields []Field, odd []string, why string) {
	fields = make([]Field, 0, strings.Count(text, "\n"))
	for text != "" {
		line, rest := cutLine(text)
		if !strings.HasSuffix(text[:len(text)-len(rest)], "\r\n") {
			odd = note(odd, "bare-lf")
		}
		text = rest
		if line == "" {
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			// A folded line: its break and indent count as a space (RFC 9112 5.2).
			if len(fields) == 0 {
				return nil, nil, "malformed-field-line"
			}
			odd = note(odd, "obs-fold")
			f := &fields[len(fields)-1]
			f.Value = strings.Trim(f.Value+" "+strings.Trim(line, " \t"), " ")
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" {
			return nil, nil, "malformed-field-line"
		}
		for i := range len(name) {
			if !IsToken(name[i]) {
				// Readers disagree on such a name, which must not matter to the framing.
				switch t := strings.TrimFunc(name, func(r rune) bool { return r <= ' ' }); {
				case strings.EqualFold(t, "Content-Length"), strings.EqualFold(t, "Transfer-Encoding"):
					return nil, nil, "malformed-field-line"
				}
				odd = note(odd, "bad-field-name")
				break
			}
		}
		fields = append(fields, Field{name, strings.Trim(value, " \t")})
	}
	return fields, odd, ""
}

// cutLine splits off the first line, without its end.
func cutLine(s string) (line, rest string) {
	line, rest, _ = strings.Cut(s, "\n")
	return strings.TrimSuffix(line, "\r"), rest
}

// joined returns the values of all fields of that name as one list (RFC 9110 5.3).
func joined(fields []Field, name string) string {
	var all string
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) && f.Value != "" {
			if all != "" {
				all += ", "
			}
			all += f.Value
		}
	}
	return all
}

// tokens splits a comma-separated list, without empty elements.
func tokens(value string) []string {
	var list []string
	for s := range strings.SplitSeq(value, ",") {
		if s = strings.Trim(s, " \t"); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// readLength reads a body of known length.
func readLength(c *Conn, h *half) {
	n := int(min(int64(len(h.in)-h.pos), h.remain))
	c.content(h, n)
	if h.remain -= int64(n); h.remain == 0 {
		c.endBody(h.from, &h.body, nil, true)
		c.messageDone(h)
	}
}

// readClose reads a body that lasts until the connection closes.
func readClose(c *Conn, h *half) { c.content(h, len(h.in)-h.pos) }

// content takes n bytes of the data in hand as content.
func (c *Conn) content(h *half, n int) {
	c.addBody(&h.body, h.in[h.pos:h.pos+n])
	h.framingBytes(n)
}

// framingBytes passes over n bytes that belong to the body.
func (h *half) framingBytes(n int) {
	h.body.over(h.at(h.pos), h.at(h.pos+n-1))
	h.pos += n
}

// chunkSize is what is known of the line before a chunk (RFC 9112 7.1).
type chunkSize struct {
	n         int64
	digits    int
	extension bool // past the digits
	len       int  // bytes of the line so far
}

const maxChunkLine = 16 << 10

func readChunkSize(c *Conn, h *half) {
	s := &h.size
	for h.pos < len(h.in) {
		b := h.in[h.pos]
		d := hexDigit(b)
		switch {
		case b == '\n' && s.digits > 0:
			h.framingBytes(1)
			h.stays([]byte{b})
			h.remain = s.n
			h.step = readChunk
			if s.n == 0 {
				h.step = readTrailers
			}
			*s = chunkSize{}
			return
		case !s.extension && d >= 0 && s.n < 1<<56:
			s.n = s.n<<4 | int64(d)
			s.digits++
		case s.digits == 0, !s.extension && b != ';' && b != ' ' && b != '\t' && b != '\r', s.len > maxChunkLine:
			c.fail(h, "malformed-chunk")
			return
		default:
			s.extension = true
		}
		s.len++
		h.framingBytes(1)
		if !s.extension || b == ';' || b == ' ' || b == '\t' || b == '\r' {
			h.stays([]byte{b})
		}
	}
}

func hexDigit(b byte) int {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0')
	case b >= 'a' && b <= 'f':
		return int(b-'a') + 10
	case b >= 'A' && b <= 'F':
		return int(b-'A') + 10
	}
	return -1
}

func readChunk(c *Conn, h *half) {
	n := int(min(int64(len(h.in)-h.pos), h.remain))
	c.content(h, n)
	if h.remain -= int64(n); h.remain == 0 {
		h.step = readChunkEnd
	}
}

// readChunkEnd reads the line end after a chunk's data.
func readChunkEnd(c *Conn, h *half) {
	switch b := h.in[h.pos]; {
	case b == '\r' && h.remain == 0:
		h.remain = -1 // seen
		h.framingBytes(1)
		h.stays([]byte{b})
	case b == '\n':
		h.framingBytes(1)
		h.stays([]byte{b})
		h.step = readChunkSize
	default:
		c.fail(h, "malformed-chunk")
	}
}

// readTrailers reads the trailer section, which may be only its empty line (RFC 9112 7.1.2).
func readTrailers(c *Conn, h *half) {
	for h.takeLine(c) {
		line := trimEOL(h.buf[h.line:])
		h.line = len(h.buf)
		if len(line) > 0 {
			continue
		}
		fields, _, why := readFields(string(h.buf))
		if why != "" {
			c.fail(h, "malformed-trailers")
			return
		}
		if len(fields) == 0 {
			fields = nil
		}
		h.body.over(h.first, h.at(h.pos-1))
		if h.covering != nil {
			h.stays(h.covering.head(h.buf, false, true))
		}
		h.done()
		c.endBody(h.from, &h.body, fields, true)
		c.messageDone(h)
		return
	}
}

func hasToken(value, token string) bool {
	return slices.ContainsFunc(tokens(value), func(s string) bool { return strings.EqualFold(s, token) })
}

// IsToken tells whether b may stand in a token (RFC 9110 5.6.2).
func IsToken(b byte) bool { return httpguts.IsTokenRune(rune(b)) }
