// Package mask says what is a credential in what people send, and hides it: in
// header fields, URLs, bodies, command lines and the words of programs. Names and
// structure stay, and what teaches something; a value becomes a count of its bytes.
//
// One rule holds for everything that is shown: the story in every form, what
// check says that an attacker reads, and copies of captures, where [Rule.Spans]
// says what is overwritten.
package mask

import (
	"slices"
	"strconv"
	"strings"
)

// A Rule hides credentials. Its zero value is ready for use, by one goroutine: it
// remembers what the names of header fields mean, which come again and again.
type Rule struct{ kinds map[string]kind }

// Bounds of the names that are remembered.
const (
	maxNames   = 1024
	maxNameLen = 64
)

func (r *Rule) kindOf(name string) kind {
	k, known := r.kinds[name]
	if !known {
		k = kindOf(name)
		if r.kinds == nil {
			r.kinds = make(map[string]kind)
		}
		if len(r.kinds) < maxNames && len(name) <= maxNameLen {
			r.kinds[strings.Clone(name)] = k
		}
	}
	return k
}

// Count stands for a value of n bytes.
func Count(n int) string {
	if n == 1 {
		return "**** (1 byte masked)"
	}
	return "**** (" + strconv.Itoa(n) + " bytes masked)"
}

// A Span is the bytes [From, To) of a value.
type Span struct{ From, To int }

// hidden collects what of a value is hidden.
type hidden struct {
	depth int // of the value in others
	spans []Span
}

func (h *hidden) add(from, to int) {
	if from < to {
		h.spans = append(h.spans, Span{from, to})
	}
}

// merged returns the spans in order, those together that touch.
func (h *hidden) merged() []Span {
	if len(h.spans) < 2 {
		return h.spans
	}
	slices.SortFunc(h.spans, func(a, b Span) int { return a.From - b.From })
	out := h.spans[:1]
	for _, s := range h.spans[1:] {
		if last := &out[len(out)-1]; s.From <= last.To {
			last.To = max(last.To, s.To)
		} else {
			out = append(out, s)
		}
	}
	return out
}

// show puts counts in place of what is hidden in s.
func (h *hidden) show(s string) string {
	if len(h.spans) == 0 {
		return s
	}
	var b strings.Builder
	at := 0
	for _, span := range h.merged() {
		b.WriteString(s[at:span.From])
		b.WriteString(Count(span.To - span.From))
		at = span.To
	}
	b.WriteString(s[at:])
	return b.String()
}

// Header returns the value of a header or trailer field, or of a pseudo-header
// field of HTTP/2, as it may be shown.
func (r *Rule) Header(name, value string) string {
	var h hidden
	h.header(r.kindOf(name), value)
	return h.show(value)
}

// Name returns a name as it may be shown, for a secret may stand there, too.
func (r *Rule) Name(name string) string {
	if len(name) < least {
		return name
	}
	var h hidden
	h.looks(name, 0, false)
	return h.show(name)
}

// OfName is what [Rule.Spans] takes the name of a field for that is a value itself.
const OfName = ":name"

// Credential tells whether the name of a header field says that it holds a credential.
func (r *Rule) Credential(name string) bool {
	switch r.kindOf(name) {
	case kindCredential, kindCookie, kindSetCookie:
		return true
	}
	return false
}

// Spans returns which bytes of a header field's value are hidden, in order.
func (r *Rule) Spans(name, value string) []Span {
	var h hidden
	if name == OfName {
		h.looks(value, 0, false)
	} else {
		h.header(r.kindOf(name), value)
	}
	return slices.Clone(h.merged())
}

// Target returns a request target or URL as it may be shown.
func (r *Rule) Target(s string) string {
	var h hidden
	h.target(s, 0)
	return h.show(s)
}

// Text returns words for people, such as a reason phrase or the last words of a
// program, as they may be shown.
func (r *Rule) Text(s string) string {
	var h hidden
	h.text(s, 0, false)
	return h.show(s)
}

func (h *hidden) header(k kind, value string) {
	switch k {
	case kindCookie:
		h.pairs(value, 0, ';')
	case kindSetCookie:
		h.setCookie(value)
	case kindCredential:
		h.credential(value, 0)
	case kindChallenge:
		h.challenge(value)
	case kindTarget:
		h.target(value, 0)
		if strings.IndexByte(value, ' ') >= 0 {
			h.text(value, 0, false)
		}
	case kindAuthority:
		if i := strings.LastIndexByte(value, '@'); i > 0 {
			h.add(0, i)
		}
		h.looks(value, 0, true)
	case kindSubprotocol:
		h.subprotocols(value)
	case kindChance:
		h.text(value, 0, true)
	case kindPhrase:
		h.looks(value, 0, false)
	default:
		if scheme, rest, ok := strings.Cut(value, " "); ok && len(rest) >= 6 && strings.IndexByte(rest, ' ') < 0 && isScheme(scheme) {
			h.add(len(value)-len(rest), len(value))
			return
		}
		if strings.HasPrefix(value, "/") {
			h.target(value, 0)
		}
		h.text(value, 0, false)
	}
}

// credential hides all of s but for the name of a scheme, which teaches something and is no secret.
func (h *hidden) credential(s string, at int) {
	if scheme, rest, ok := strings.Cut(s, " "); ok && isScheme(scheme) {
		h.add(at+len(s)-len(rest), at+len(s))
		return
	}
	h.add(at, at+len(s))
}

// pairs hides the values of name=value pairs, and values without a name.
func (h *hidden) pairs(s string, at int, sep byte) {
	for len(s) > 0 {
		p := s
		if i := strings.IndexByte(s, sep); i >= 0 {
			p = s[:i]
		}
		h.pair(p, at)
		n := min(len(p)+1, len(s))
		s, at = s[n:], at+n
	}
}

func (h *hidden) pair(p string, at int) {
	trimmed := strings.TrimLeft(p, " \t\r\n")
	at += len(p) - len(trimmed)
	i := strings.IndexByte(trimmed, '=')
	if i < 0 || !isName(trimmed[:i]) {
		h.add(at, at+len(trimmed))
		return
	}
	h.looks(trimmed[:i], at, false)
	h.add(at+i+1, at+len(trimmed))
}

// isName tells whether s can be what a cookie or field is called.
func isName(s string) bool {
	if len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if class[s[i]]&(alnum|between) == 0 && strings.IndexByte("$[]:%!#&'*^`|", s[i]) < 0 {
			return false
		}
	}
	return true
}

func (h *hidden) setCookie(s string) {
	at := 0
	for len(s) > 0 {
		p := s
		if i := strings.IndexByte(s, ';'); i >= 0 {
			p = s[:i]
		}
		name, value, _ := strings.Cut(p, "=")
		attribute := strings.ToLower(strings.TrimSpace(name))
		switch {
		case at == 0 || !cookieAttributes[attribute]:
			h.pair(p, at)
		case strings.IndexByte(value, '=') >= 0 || attribute != "expires" && strings.ContainsAny(value, ", \t") || attribute == "expires" && len(value) > 40:
			h.pair(p, at) // another cookie behind a comma, or nothing known
		case attribute == "path":
			h.path(value, at+len(p)-len(value))
		default:
			h.looks(value, at+len(p)-len(value), false)
		}
		n := min(len(p)+1, len(s))
		s, at = s[n:], at+n
	}
}

// challenge hides what a server's challenge gives away: Negotiate and NTLM hand
// over tokens. Schemes and what they ask for stay (RFC 9110 11.6.1).
func (h *hidden) challenge(s string) {
	for i := 0; i < len(s); {
		for i < len(s) && (s[i] == ' ' || s[i] == ',' || s[i] == '\t') {
			i++
		}
		from, quoted := i, false
		for i < len(s) && (quoted || s[i] != ' ' && s[i] != ',' && s[i] != '\t') {
			if s[i] == '\\' && quoted && i+1 < len(s) {
				i++
			} else if s[i] == '"' {
				quoted = !quoted
			}
			i++
		}
		word := s[from:i]
		name, value, pair := strings.Cut(word, "=")
		switch {
		case pair && challengeParameters[strings.ToLower(name)]:
			h.text(value, i-len(value), false)
		case pair && strings.Trim(value, "=") != "" && isName(name):
			h.add(i-len(value), i)
		case !isScheme(word) && word != "":
			h.add(from, i)
		}
	}
}

// subprotocols hides tokens among the names of subprotocols, where programs
// that can set no other field put them: a name that says so is followed by one,
// or has one behind it.
func (h *hidden) subprotocols(s string) {
	const kubernetes = "base64url.bearer.authorization.k8s.io."
	at, follows := 0, false
	for len(s) > 0 {
		p := s
		if i := strings.IndexByte(s, ','); i >= 0 {
			p = s[:i]
		}
		trimmed := strings.TrimSpace(p)
		from := at + strings.Index(p, trimmed)
		name := unescaped(trimmed)
		switch {
		case trimmed == "":
		case strings.HasPrefix(trimmed, kubernetes):
			h.add(from+len(kubernetes), from+len(trimmed))
		case follows:
			h.add(from, from+len(trimmed))
			follows = false
		case isScheme(name) || meaningOf(name) >= likely && isWord(name):
			follows = true
		case meaningOf(name) >= likely || strings.ContainsAny(name, "=: "):
			h.add(from, from+len(trimmed))
		default:
			before := len(h.spans)
			h.looks(name, from, false)
			if len(h.spans) > before {
				h.add(from, from+len(trimmed))
			}
		}
		n := min(len(p)+1, len(s))
		s, at = s[n:], at+n
	}
}

// isWord tells whether s is letters, perhaps with - or _ between them.
func isWord(s string) bool {
	for i := range len(s) {
		if class[s[i]]&letter == 0 && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	return len(s) <= 20
}
