package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

const (
	// headLimit bounds the head of a request or an answer in clear.
	headLimit = 8 << 20
	// trailerLimit bounds the trailer section of a body in chunks.
	trailerLimit = 256 << 10
	// bufferSize is that of the reader of each side, and bounds the lines between chunks.
	bufferSize = 16 << 10
)

// A fault is why a message in clear is not passed on: two readers of it could
// disagree about what it says or where it ends.
type fault struct {
	status int        // of the page that says so
	why    event.Text // what is wrong, with the section of the RFC
}

func (f *fault) Error() string { return f.why.English }

func bad(why event.Text) *fault { return &fault{http.StatusBadRequest, why} }

// A head is the head of a message of HTTP/1.x (RFC 9112 2.1) as it came.
type head struct {
	start string // the start line without its end
	lines []line
	odd   event.Text // what a reader may take otherwise, or nothing
}

// A line is a field line (RFC 9112 5).
type line struct {
	name  string // in lower case
	value string // without the space around it
	raw   string // with the line's end
}

// isTokenByte tells whether b may stand in a token (RFC 9110 5.6.2).
func isTokenByte(b byte) bool {
	return b > ' ' && b < 0x7f && strings.IndexByte(`"(),/:;<=>?@[\]{}`, b) < 0
}

func isToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r > 0x7f || !isTokenByte(byte(r)) }) < 0
}

// takeHead reads a head up to its empty line. judge is asked about the start
// line once it is whole. After an error it returns what came.
func takeHead(r *bufio.Reader, judge func(start string) error) ([]byte, error) {
	var all []byte
	begin, first := 0, true
	for {
		part, err := r.ReadSlice('\n')
		all = append(all, part...)
		if len(all) > headLimit {
			return all, &fault{http.StatusRequestHeaderFieldsTooLarge, words.Piece("http-fault/long")}
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return all, err
		}
		s := all[begin:]
		begin = len(all)
		if first {
			first = false
			if err := judge(string(trimEnd(s))); err != nil {
				return all, err
			}
		} else if len(trimEnd(s)) == 0 {
			return all, nil
		}
	}
}

func trimEnd(s []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(s, []byte("\n")), []byte("\r"))
}

// parseHead reads the lines of a whole head. In an answer it takes what real
// servers send; in a request nothing that two readers could take differently.
func parseHead(raw []byte, answer bool) (*head, error) {
	h := &head{}
	if i := bytes.IndexByte(raw, 0); i >= 0 {
		return nil, bad(words.Piece("http-fault/zero"))
	}
	if answer {
		if unfolded := unfold(raw); unfolded != nil {
			raw, h.odd = unfolded, words.Piece("http-fault/odd-folded")
		}
	}
	first := true
	for text := range strings.Lines(string(raw)) {
		s := strings.TrimSuffix(text, "\n")
		if cut, ok := strings.CutSuffix(s, "\r"); ok {
			s = cut
		} else {
			h.odd = words.Piece("http-fault/odd-lf")
		}
		if strings.Contains(s, "\r") {
			return nil, bad(words.Piece("http-fault/cr"))
		}
		switch {
		case first:
			h.start, first = s, false
		case s == "":
			return h, nil
		default:
			l, err := h.parseLine(s, text, answer)
			if err != nil {
				return nil, err
			}
			h.lines = append(h.lines, l)
		}
	}
	return h, nil
}

// unfold joins folded lines as RFC 9112 5.2 tells a proxy to: each line end
// before a space becomes spaces. It returns nil if there is none.
func unfold(raw []byte) (unfolded []byte) {
	for i := bytes.IndexByte(raw, '\n') + 2; i < len(raw); i++ {
		if raw[i-1] != '\n' || raw[i] != ' ' && raw[i] != '\t' {
			continue
		}
		if unfolded == nil {
			unfolded = bytes.Clone(raw)
		}
		unfolded[i-1] = ' '
		if raw[i-2] == '\r' {
			unfolded[i-2] = ' '
		}
	}
	return unfolded
}

func (h *head) parseLine(s, raw string, answer bool) (line, error) {
	name, value, ok := strings.Cut(s, ":")
	if trimmed := strings.TrimRight(name, " \t"); answer && ok && trimmed != name {
		// RFC 9112 5.1 has a proxy remove this space from an answer.
		name, raw = trimmed, trimmed+raw[len(name):]
		h.odd = words.Piece("http-fault/odd-space")
	}
	l := line{strings.ToLower(name), strings.Trim(value, " \t"), raw}
	switch {
	case isToken(name) && ok:
	case !answer && (s[0] == ' ' || s[0] == '\t'):
		return l, bad(words.Piece("http-fault/folded"))
	case !answer && !ok:
		return l, bad(words.Piece("http-fault/no-colon"))
	case !answer && strings.TrimRight(name, " \t") != name:
		return l, bad(words.Piece("http-fault/name-space"))
	case !answer:
		return l, bad(words.Piece("http-fault/name-character"))
	default:
		h.odd = words.Piece("http-fault/odd-name")
		bare := strings.ToLower(strings.Map(func(r rune) rune {
			if r < 0x80 && isTokenByte(byte(r)) {
				return r
			}
			return -1
		}, name))
		if bare == "content-length" || bare == "transfer-encoding" {
			return l, bad(words.Piece("http-fault/perhaps-length"))
		}
		l.name = ""
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		if !answer || isFraming(l.name) {
			return l, bad(words.Piece("http-fault/value-control"))
		}
		h.odd = words.Piece("http-fault/odd-control")
	}
	if isFraming(l.name) && !answer && strings.Contains(value, "\t") {
		return l, bad(words.Piece("http-fault/length-tab"))
	}
	return l, nil
}

// isFraming tells whether the field says how long the body is (RFC 9112 6).
func isFraming(name string) bool { return name == "content-length" || name == "transfer-encoding" }

// values returns the values of all fields of that name, which is in lower case.
func (h *head) values(name string) (values []string) {
	for _, l := range h.lines {
		if l.name == name {
			values = append(values, l.value)
		}
	}
	return values
}

// list returns the elements of a field that is a list (RFC 9110 5.6.1), in lower case.
func (h *head) list(name string) (list []string) {
	for _, v := range h.values(name) {
		list = append(list, elements(v)...)
	}
	for i := range list {
		list[i] = strings.ToLower(list[i])
	}
	return list
}

func elements(value string) (list []string) {
	for s := range strings.SplitSeq(value, ",") {
		if s = strings.Trim(s, " \t"); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// length reads Content-Length; -1 where there is none. twice tells of several equal values.
func (h *head) length() (n int64, twice bool, err error) {
	n = -1
	for _, v := range h.values("content-length") {
		for s := range strings.SplitSeq(v, ",") {
			s = strings.Trim(s, " ")
			if s == "" || strings.Trim(s, "0123456789") != "" {
				return 0, false, bad(words.Piece("http-fault/length-no-number"))
			}
			m, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				return 0, false, bad(words.Piece("http-fault/length-large"))
			}
			if n >= 0 && n != m {
				return 0, false, bad(words.Piece("http-fault/length-differs"))
			}
			twice = twice || n >= 0
			n = m
		}
	}
	return n, twice, nil
}

// A request is the head of a request in clear.
type request struct {
	*head
	method, target, version string

	scheme    string // in lower case; "" where the target has no absolute form
	authority string // of the target, without user information
	path      string // path and query as they came

	body    *body
	last    bool // no request comes behind this one
	expects bool // waits for 100 Continue before it sends its body
	upgrade bool // asks for another protocol
}

// readRequest reads a request's head. Its error is a fault where the client
// shall be told, else that of reading.
func readRequest(r *bufio.Reader) (*request, error) {
	for { // Empty lines before a request line are passed over (RFC 9112 2.2).
		b, err := r.Peek(1)
		if err != nil {
			return nil, err
		}
		if b[0] != '\r' {
			break
		}
		if b, err = r.Peek(2); err != nil {
			return nil, err
		}
		if b[1] != '\n' {
			return nil, bad(words.Piece("http-fault/no-request"))
		}
		r.Discard(2)
	}
	if b, _ := r.Peek(1); b[0] != '\n' && !isTokenByte(b[0]) {
		return nil, bad(words.Piece("http-fault/no-request"))
	} else if b[0] == '\n' {
		r.Discard(1)
	}
	req := &request{}
	raw, err := takeHead(r, req.parseStart)
	if err != nil {
		return nil, err
	}
	if req.head, err = parseHead(raw, false); err != nil {
		return nil, err
	}
	return req, nil
}

// parseStart reads the request line (RFC 9112 3).
func (req *request) parseStart(start string) error {
	part := strings.Split(start, " ")
	if len(part) != 3 || !isToken(part[0]) || part[1] == "" || strings.ContainsFunc(part[1], func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return bad(words.Piece("http-fault/request-line"))
	}
	req.method, req.target, req.version = part[0], part[1], part[2]
	if req.version != "HTTP/1.1" && req.version != "HTTP/1.0" {
		return &fault{http.StatusHTTPVersionNotSupported, words.Piece("http-fault/version")}
	}
	scheme, rest, absolute := strings.Cut(req.target, "://")
	switch {
	case req.method == http.MethodConnect:
	case absolute && isScheme(scheme):
		end := strings.IndexAny(rest, "/?#")
		if end < 0 {
			end = len(rest)
		}
		req.scheme, req.authority, req.path = strings.ToLower(scheme), rest[:end], rest[end:]
		if i := strings.IndexByte(req.authority, '@'); i >= 0 {
			req.authority = req.authority[i+1:]
		}
	case req.target[0] == '/', req.target == "*":
		req.path = req.target
	default:
		return bad(words.Piece("http-fault/target"))
	}
	return nil
}

func isScheme(s string) bool {
	return s != "" && (s[0]|0x20) >= 'a' && (s[0]|0x20) <= 'z' && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789+-.") == ""
}

// to returns the host and port that the request is for.
func (req *request) to() (target, error) {
	if strings.ContainsAny(req.authority, "@\\") {
		return target{}, errors.New("two readers may find two hosts in it")
	}
	hostport := req.authority
	switch bracket := strings.LastIndexByte(hostport, ']'); {
	case strings.LastIndexByte(hostport, ':') <= bracket:
		hostport += ":80"
	case strings.HasSuffix(hostport, ":"):
		hostport += "80"
	}
	if strings.HasPrefix(hostport, "[") {
		hostport = strings.Replace(hostport, "%25", "%", 1) // a zone (RFC 6874)
	}
	return parseTarget(hostport)
}

// judge finds out how the body is delimited, or what could be taken in two ways.
func (req *request) judge() error {
	if !req.odd.Empty() {
		return bad(req.odd)
	}
	old := req.version == "HTTP/1.0"
	if n := len(req.values("host")); n > 1 {
		return bad(words.Piece("http-fault/host-twice"))
	} else if n == 0 && !old {
		return bad(words.Piece("http-fault/host-none"))
	}
	length, twice, err := req.length()
	if err != nil {
		return err
	}
	if twice {
		return bad(words.Piece("http-fault/length-twice"))
	}
	options := req.list("connection")
	req.last = old || slices.Contains(options, "close") || slices.Contains(req.list("proxy-connection"), "close")
	codings := req.values("transfer-encoding")
	switch {
	case len(codings) > 0 && old:
		return bad(words.Piece("http-fault/coding-http10"))
	case len(codings) == 1 && strings.EqualFold(codings[0], "chunked"):
		req.body = &body{kind: bodyChunked, strict: true}
		req.last = req.last || length >= 0 // RFC 9112 6.1 wants the connection closed after both
	case len(codings) > 1 || len(codings) == 1 && slices.Contains(req.list("transfer-encoding"), "chunked") || len(codings) == 1 && codings[0] == "":
		return bad(words.Piece("http-fault/coding-more"))
	case len(codings) == 1:
		return &fault{http.StatusNotImplemented, words.Piece("http-fault/coding-unknown")}
	case length >= 0:
		req.body = &body{kind: bodyLength, left: length}
	default:
		req.body = &body{}
	}
	req.expects = len(req.values("expect")) > 0 && !req.body.whole()
	if n := len(req.values("max-forwards")); n > 0 && req.counts() {
		if _, ok := req.forwards(); !ok || n > 1 {
			return bad(words.Piece("http-fault/max-forwards"))
		}
	}
	if h2c := func(s string) bool { return s == "h2c" || s == "h2" }; !old && slices.Contains(options, "upgrade") {
		// HTTP/2 in clear by Upgrade is no more (RFC 9113 3.1): what follows it no proxy could judge.
		req.upgrade = len(slices.DeleteFunc(req.list("upgrade"), h2c)) > 0 && !slices.ContainsFunc(req.list("upgrade"), h2c)
	}
	return nil
}

// passes returns the lines that are passed on, as they came but for what
// concerns the one connection alone (RFC 9110 7.6.1). old tells of a client of
// HTTP/1.0, with whom a proxy keeps no connection (RFC 9112 9.3).
func (h *head) passes(upgrade, old bool) []line {
	named := map[string]bool{}
	for _, option := range h.list("connection") {
		named[option] = true
	}
	coded, trailers := len(h.values("transfer-encoding")) > 0, slices.Contains(h.list("te"), "trailers")
	ours := func(option string) bool { // what the proxy itself says on the next connection, too
		switch strings.ToLower(option) {
		case "close":
			return true
		case "keep-alive":
			return !old
		case "upgrade":
			return upgrade
		case "te":
			return trailers
		}
		return false
	}
	kept := make([]line, 0, len(h.lines))
	for _, l := range h.lines {
		switch l.name {
		case "host", "transfer-encoding":
		case "content-length":
			if coded {
				continue // RFC 9112 6.3
			}
		case "connection":
			l = l.only(ours)
		case "te":
			l = l.only(func(coding string) bool { return strings.EqualFold(coding, "trailers") })
		case "upgrade":
			if !upgrade {
				continue
			}
		case "proxy-connection", "proxy-authorization", "keep-alive":
			continue
		default:
			if named[l.name] {
				continue
			}
		}
		if l.raw != "" {
			kept = append(kept, l)
		}
	}
	return kept
}

// only returns the line with those elements of its list that keep wants, and
// an empty one if it wants none.
func (l line) only(keep func(string) bool) line {
	all := elements(l.value)
	some := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return !keep(s) })
	switch len(some) {
	case 0:
		return line{}
	case len(all):
		return l
	}
	return l.with(strings.Join(some, ", "))
}

// with returns the line with another value.
func (l line) with(value string) line {
	colon := strings.IndexByte(l.raw, ':')
	l.value, l.raw = value, l.raw[:colon]+": "+value+"\r\n"
	return l
}

// forward returns the request's head as the origin gets it, or, in absolute
// form and with the credentials for it, an upstream proxy.
func (req *request) forward(upstream bool, credentials string) []byte {
	to := req.target
	if !upstream {
		switch to = req.path; {
		case req.path == "" && req.method == http.MethodOptions:
			to = "*" // RFC 9112 3.2.4
		case !strings.HasPrefix(req.path, "/"):
			to = "/" + req.path
		}
	}
	var b bytes.Buffer
	b.WriteString(req.method + " " + to + " " + req.version + "\r\n")
	if len(req.values("host")) == 0 {
		b.WriteString("Host: " + req.authority + "\r\n")
	}
	for _, l := range req.passes(req.upgrade, req.version == "HTTP/1.0") {
		switch {
		case l.name == "host" && l.value != req.authority: // RFC 9112 3.2.2
			l = l.with(req.authority)
		case l.name == "max-forwards" && req.counts():
			if n, ok := req.forwards(); ok {
				l = l.with(strconv.FormatUint(n-1, 10)) // RFC 9110 7.6.2
			}
		}
		b.WriteString(l.raw)
	}
	if credentials != "" {
		b.WriteString("Proxy-Authorization: " + credentials + "\r\n")
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// counts tells whether Max-Forwards means something to the request (RFC 9110 7.6.2).
func (req *request) counts() bool {
	return req.method == http.MethodTrace || req.method == http.MethodOptions
}

// forwards returns how many proxies may still pass the request on.
func (req *request) forwards() (n uint64, ok bool) {
	v := req.values("max-forwards")
	if !req.counts() || len(v) == 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(v[0], 10, 64)
	return n, err == nil
}

// An answer is the head of an answer in clear.
type answer struct {
	*head
	status int
	body   *body
	last   bool // nothing comes behind it
	doubt  bool // the client may see its end elsewhere
}

// errNotHTTP is an answer that does not begin as HTTP/1.x does.
var errNotHTTP = errors.New("not HTTP/1.x")

// readAnswer reads the head of an answer to a request. With errNotHTTP and the
// errors of reading it returns the bytes that came.
func readAnswer(r *bufio.Reader, req *request) (*answer, []byte, error) {
	const version = "HTTP/1."
	for n := 1; n <= len(version); n++ {
		b, err := r.Peek(n)
		if err != nil {
			b, _ = r.Peek(r.Buffered())
			b = bytes.Clone(b)
			r.Discard(len(b))
			return nil, b, err
		}
		if string(b) != version[:n] {
			return nil, nil, errNotHTTP
		}
	}
	a := &answer{}
	raw, err := takeHead(r, func(start string) error {
		if len(start) < len("HTTP/1.1 200") || start[7] < '0' || start[7] > '9' || start[8] != ' ' || len(start) > 12 && start[12] != ' ' || strings.Trim(start[9:12], "0123456789") != "" {
			return errNotHTTP
		}
		a.status, _ = strconv.Atoi(start[9:12])
		if a.status < 100 {
			return errNotHTTP
		}
		return nil
	})
	if err != nil {
		return nil, raw, err
	}
	if a.head, err = parseHead(raw, true); err != nil {
		return nil, raw, err
	}
	return a, raw, a.judge(req)
}

// judge finds out how the body is delimited (RFC 9112 6.3).
func (a *answer) judge(req *request) error {
	old := strings.HasPrefix(a.start, "HTTP/1.0")
	options := a.list("connection")
	a.doubt = !a.odd.Empty()
	a.last = a.doubt || slices.Contains(options, "close") || slices.Contains(a.list("proxy-connection"), "close") || old && !slices.Contains(options, "keep-alive")
	if req.method == http.MethodHead || a.status < 200 || a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		a.body = &body{}
		return nil
	}
	length, twice, err := a.length()
	codings := a.list("transfer-encoding")
	switch {
	case len(codings) > 0 && !old && slices.Index(codings, "chunked") == len(codings)-1:
		a.body = &body{kind: bodyChunked}
		a.last = a.last || length >= 0 || err != nil || len(a.values("transfer-encoding")) > 1
	case len(a.values("transfer-encoding")) > 0:
		a.body, a.doubt = &body{kind: bodyClose}, true
	case err != nil:
		return err
	case length >= 0:
		a.body = &body{kind: bodyLength, left: length}
		a.last = a.last || twice
	default:
		a.body = &body{kind: bodyClose}
	}
	a.last = a.last || a.body.kind == bodyClose
	return nil
}

// forward returns the answer's head as the client gets it.
func (a *answer) forward(old bool) []byte {
	var b bytes.Buffer
	b.WriteString(a.start + "\r\n")
	for _, l := range a.passes(slices.Contains(a.list("connection"), "upgrade") || a.status == http.StatusSwitchingProtocols, old) {
		b.WriteString(l.raw)
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

type bodyKind uint8

const (
	bodyNone    bodyKind = iota
	bodyLength           // of known length
	bodyChunked          // RFC 9112 7.1
	bodyClose            // until the connection ends
)

// A body is where a message's body is.
type body struct {
	kind   bodyKind
	strict bool  // of a request
	left   int64 // bytes of the body, or of the chunk
	state  chunkState
	size   int // bytes of the trailer section so far
	begun  bool
}

type chunkState uint8

const (
	chunkLine chunkState = iota
	chunkData
	chunkEnd
	chunkTrailers
	chunksOver
)

// whole tells whether all of the body was taken.
func (b *body) whole() bool {
	switch b.kind {
	case bodyLength:
		return b.left == 0
	case bodyChunked:
		return b.state == chunksOver
	}
	return b.kind == bodyNone
}

// take returns how many of the bytes in p belong to the body and may be passed
// on. What is no data is taken by whole lines, once they are judged.
func (b *body) take(p []byte) (n int, err error) {
	b.begun = true
	switch b.kind {
	case bodyNone:
		return 0, nil
	case bodyClose:
		return len(p), nil
	case bodyLength:
		n = int(min(int64(len(p)), b.left))
		b.left -= int64(n)
		return n, nil
	}
	for n < len(p) && b.state != chunksOver {
		if b.state == chunkData {
			m := int(min(int64(len(p)-n), b.left))
			n += m
			if b.left -= int64(m); b.left == 0 {
				b.state = chunkEnd
			}
			continue
		}
		i := bytes.IndexByte(p[n:], '\n')
		if b.state == chunkEnd && (p[n] != '\r' || i > 1 || i < 0 && len(p)-n > 1) {
			return n, bad(words.Piece("http-fault/chunk-long"))
		}
		if i < 0 {
			if len(p)-n >= bufferSize {
				return n, bad(words.Piece("http-fault/chunk-line-long"))
			}
			return n, nil
		}
		if err := b.line(string(p[n : n+i+1])); err != nil {
			return n, err
		}
		n += i + 1
	}
	return n, nil
}

// line takes a line that is not data.
func (b *body) line(raw string) error {
	s, ok := strings.CutSuffix(raw, "\r\n")
	if !ok || strings.Contains(s, "\r") {
		return bad(words.Piece("http-fault/chunk-line-end"))
	}
	switch b.state {
	case chunkEnd: // s is empty
		b.state = chunkLine
	case chunkLine:
		size, extension := s, ""
		if i := strings.IndexAny(s, "; \t"); i >= 0 {
			size, extension = s[:i], strings.TrimLeft(s[i:], " \t")
			if extension == "" && b.strict { // servers pad the size with spaces
				return bad(words.Piece("http-fault/chunk-space"))
			}
		}
		n, err := strconv.ParseUint(size, 16, 62)
		if err != nil || len(size) > 16 || strings.Trim(size, "0123456789abcdefABCDEF") != "" {
			return bad(words.Piece("http-fault/chunk-size"))
		}
		if extension != "" && extension[0] != ';' || strings.ContainsFunc(extension, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return bad(words.Piece("http-fault/chunk-extension"))
		}
		b.left, b.state = int64(n), chunkData
		if n == 0 {
			b.state = chunkTrailers
		}
	case chunkTrailers:
		if s == "" {
			b.state = chunksOver
			return nil
		}
		if b.size += len(raw); b.size > trailerLimit {
			return bad(words.Piece("http-fault/trailers-long"))
		}
		if strings.Contains(s, "\x00") {
			return bad(words.Piece("http-fault/trailer-zero"))
		}
		l, err := (&head{}).parseLine(s, raw, false)
		if err != nil {
			return err
		}
		if isFraming(l.name) || l.name == "host" {
			return bad(words.Piece("http-fault/trailer-of-head"))
		}
	}
	return nil
}

// pass copies a body as it comes, until it is whole. from is an error of the
// source or of what it sent, to one of the destination.
func (b *body) pass(to io.Writer, from *bufio.Reader) (source, destination error) {
	for need := 1; !b.whole(); {
		if _, err := from.Peek(need); err != nil {
			// What waits for the rest of its line is passed on, too, before the break.
			if rest, _ := from.Peek(from.Buffered()); !b.strict && len(rest) > 0 {
				if _, err := to.Write(rest); err != nil {
					return nil, err
				}
				from.Discard(len(rest))
			}
			return err, nil
		}
		data, _ := from.Peek(from.Buffered())
		n, err := b.take(data)
		if n > 0 {
			if _, err := to.Write(data[:n]); err != nil {
				return nil, err
			}
			need = len(data) - n + 1
			from.Discard(n)
		} else {
			need = len(data) + 1
		}
		if err != nil {
			return err, nil
		}
	}
	return nil, nil
}
