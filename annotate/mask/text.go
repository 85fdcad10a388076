package mask

import "strings"

// target hides credentials in a request target or URL (RFC 3986 3): all of the
// user information, parameters by their names and looks, segments of the path
// and the fragment by theirs.
func (h *hidden) target(s string, at int) {
	path := s
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		path = s[:i]
		h.query(s[i+1:], at+i+1)
	}
	rest := 0
	switch i := strings.Index(path, "//"); {
	case i == 0 || i > 0 && (path[i-1] == ':' || strings.IndexByte(path[:i], '/') < 0):
		rest = i + 2
	case i < 0 && strings.HasPrefix(path, "/"), i > 0 && path[0] == '/':
		h.path(path, at)
		return
	}
	authority := path[rest:]
	if i := strings.IndexAny(authority, "/\\"); i >= 0 {
		authority = authority[:i]
	}
	// With a password that has a / in it, all before the last @ is user information.
	if i := strings.LastIndexByte(path, '@'); i >= rest && (i < rest+len(authority) || strings.IndexByte(authority, ':') >= 0 && !isPort(authority[strings.IndexByte(authority, ':')+1:])) {
		h.add(at+rest, at+i)
		authority = path[rest : i+1]
	}
	h.looks(authority, at+rest, true)
	rest += len(authority)
	h.path(path[rest:], at+rest)
}

func isPort(s string) bool {
	for i := range len(s) {
		if class[s[i]] != isDigit {
			return false
		}
	}
	return len(s) <= 5
}

// callsForToken are segments of paths behind which a token stands that opens something by itself.
var callsForToken = set(`token tokens reset resetpassword reset-password password-reset reset_password magic magiclink magic-link verify verification
	invite invitation invitations confirm confirmation activate activation unlock otp secret secrets session sessions unsubscribe login-link signin-link
	verify-email confirm-email login-token onetime one-time share shared s3cret email-confirmation passwordless autologin auto-login apikey api-key key bot webhook webhooks hooks`)

// path hides segments of a path that are credentials, and parameters behind a semicolon.
func (h *hidden) path(s string, at int) {
	expected, before := false, ""
	for len(s) > 0 {
		segment := s
		if i := strings.IndexByte(s, '/'); i >= 0 {
			segment = s[:i]
		}
		if len(segment) > 0 {
			name := segment
			if i := strings.IndexByte(segment, ';'); i >= 0 {
				name = segment[:i]
				h.query(segment[i+1:], at+i+1)
			}
			if !namesCommit[before] || !isCommit(name) {
				h.segment(name, at, expected, len(segment) == len(s))
			}
			before = strings.ToLower(name)
			expected = callsForToken[before]
		}
		n := min(len(segment)+1, len(s))
		s, at = s[n:], at+n
	}
}

// namesCommit are segments of paths behind which hosts of git name a version by its hash, which everybody knows who sees the repository.
var namesCommit = set("commit commits tree blob raw blame compare archive edit tarball zipball patch")

// isCommit tells whether s is the hash of a version in git, SHA-1 or SHA-256, or two of them to compare, perhaps with the ending of a file.
func isCommit(s string) bool {
	s, other, two := strings.Cut(s, "..")
	if two && !isCommit(strings.TrimPrefix(other, ".")) {
		return false
	}
	if i := strings.IndexByte(s, '.'); i > 0 && !two {
		switch s[i:] {
		case ".patch", ".diff", ".zip", ".tar", ".tar.gz", ".tar.bz2", ".tgz":
			s = s[:i]
		}
	}
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

func (h *hidden) segment(s string, at int, expected, last bool) {
	if len(s) < 6 {
		return
	}
	plain := unescaped(s)
	if i := strings.IndexByte(s, ':'); i > 3 && strings.HasPrefix(s, "bot") && class[s[3]] == isDigit { // a bot's name and its token
		h.add(at+i+1, at+len(s))
		return
	}
	if i := strings.IndexAny(plain, "=:"); i > 0 && meaningOf(plain[:i]) >= perhaps && i+1 < len(plain) {
		if j := strings.IndexAny(s, "=:"); j > 0 {
			h.add(at+j+1, at+len(s))
		} else {
			h.add(at, at+len(s))
		}
		return
	}
	var inner hidden
	inner.looks(plain, 0, last && isAsset(plain))
	switch {
	case len(inner.spans) == 0:
		if !expected || !mixed(s) {
			return
		}
		h.add(at, at+len(s))
	case plain == s:
		for _, span := range inner.spans {
			h.add(at+span.From, at+span.To)
		}
	default:
		h.add(at, at+len(s))
	}
}

// mixed tells whether s is no word that people write: it has a digit, or capitals inside.
func mixed(s string) bool {
	var kinds uint8
	for i := range len(s) {
		if k := class[s[i]]; i > 0 || k != isUpper {
			kinds |= k
		}
	}
	return kinds&letter != 0 && kinds&isDigit != 0 || kinds&(isUpper|isLower) == letter || kinds&isDigit != 0 && len(s) >= 16
}

// assets are the endings of files whose names have a hash in them, so that a
// changed file has another name.
var assets = set("js mjs cjs css map png jpg jpeg gif svg webp avif ico bmp woff woff2 ttf otf eot wasm mp4 webm mp3 m4s ts m3u8 deb rpm apk whl jar cab msu psf msi exe dll dmg iso")

func isAsset(s string) bool {
	i := strings.LastIndexByte(s, '.')
	return i > 0 && assets[strings.ToLower(s[i+1:])]
}

// query hides values of name=value pairs in a query, a fragment or the
// parameters of a segment, by their names and by what they look like.
func (h *hidden) query(s string, at int) {
	for len(s) > 0 {
		p := s
		if i := strings.IndexAny(s, "&;?#"); i >= 0 {
			p = s[:i]
		}
		if len(p) > 0 {
			h.parameter(p, at)
		}
		n := min(len(p)+1, len(s))
		s, at = s[n:], at+n
	}
}

func (h *hidden) parameter(p string, at int) {
	i := strings.IndexByte(p, '=')
	if i < 0 {
		if h.within(p, at); strings.HasPrefix(p, "/") {
			h.path(p, at)
		}
		return
	}
	name, value := p[:i], p[i+1:]
	h.within(name, at)
	if value == "" {
		return
	}
	plain := unescaped(name)
	if strings.Contains(plain, "%") {
		plain = unescaped(plain)
	}
	if meaningOf(plain) >= perhaps {
		h.add(at+i+1, at+len(p))
		return
	}
	h.within(value, at+i+1)
}

// maxDepth bounds how deep values stand in values. What stands deeper is not looked at, but hidden.
const maxDepth = 3

// within hides a value if something in it is a credential, though it be encoded
// twice: a URL as the value of a parameter has parameters of its own.
func (h *hidden) within(value string, at int) {
	if len(value) < 6 {
		return
	}
	if h.depth == maxDepth {
		if strings.ContainsAny(value, "%=?") {
			h.add(at, at+len(value))
		}
		return
	}
	plain := value
	for range 3 {
		inner := hidden{depth: h.depth + 1}
		if strings.HasPrefix(plain, "/") {
			inner.target(plain, 0)
		}
		inner.text(plain, 0, false)
		if len(inner.spans) > 0 {
			h.add(at, at+len(value))
			return
		}
		next := unescaped(plain)
		if next == plain {
			return
		}
		plain = next
	}
}

// text hides credentials in words: PEM blocks, URLs, values with a name that says
// so, what stands behind the name of a scheme, and what looks like one. Where
// chance is meant to be, what is merely random stays.
func (h *hidden) text(s string, at int, chance bool) {
	const begin, end = "-----BEGIN", "-----END"
	special := false // there may be more than words
	for i := range len(s) {
		switch s[i] {
		case '=', ':', '?':
			special = true
		}
	}
	if len(s) >= least {
		if i := strings.Index(s, begin); i >= 0 {
			to := len(s)
			if j := strings.LastIndex(s, end); j > i {
				if k := strings.Index(s[j+len(end):], "-----"); k >= 0 {
					to = j + len(end) + k + len("-----")
				}
			}
			h.add(at+i, at+to)
		}
		h.looks(s, at, chance)
		h.schemed(s, at)
		h.told(s, at)
	}
	if special {
		h.urls(s, at)
		h.named(s, at)
	}
}

const blank = " \t\r\n"

// urls hides credentials in the URLs of a text, and in queries without a host.
func (h *hidden) urls(s string, at int) {
	const ends = blank + `"'<>` + "`"
	for from := 0; from < len(s); {
		i := strings.Index(s[from:], "://")
		if i < 0 {
			break
		}
		i += from
		begin := i
		for begin > 0 && class[s[begin-1]]&(alnum|between) != 0 && s[begin-1] != '=' && s[begin-1] != '/' {
			begin--
		}
		end := len(s)
		if j := strings.IndexAny(s[i:], ends); j >= 0 {
			end = i + j
		}
		h.target(s[begin:end], at+begin)
		from = max(end, i+3)
	}
	for from := 0; from < len(s); {
		i := strings.IndexByte(s[from:], '?')
		if i < 0 {
			break
		}
		i += from + 1
		end := len(s)
		if j := strings.IndexAny(s[i:], ends); j >= 0 {
			end = i + j
		}
		h.query(s[i:end], at+i)
		from = max(end, i)
	}
}

// named hides values behind a name that says what they are: name=value, name: value, "name": "value".
func (h *hidden) named(s string, at int) {
	for i := 1; i < len(s); i++ {
		c := s[i]
		if c != '=' && c != ':' || c == ':' && strings.HasPrefix(s[i:], "://") {
			continue
		}
		end := i
		for end > 0 && strings.IndexByte(" \t\"'\\]", s[end-1]) >= 0 {
			end--
		}
		begin := end
		for begin > 0 && (class[s[begin-1]]&alnum != 0 || strings.IndexByte("-_.[$%", s[begin-1]) >= 0) {
			begin--
		}
		name, need := s[begin:end], likely
		switch {
		case s[i-1] == '"' || s[i-1] == '\'': // as JSON has it
			need = perhaps
		case c == ':': // in a sentence
			need = certain
		}
		if meaningOf(unescaped(name)) >= need && !isDigestName(lastWord(name)) {
			i = h.value(name, s, i+1, at, c == ':') - 1
		}
	}
}

// value hides the value that begins at i of s, and returns where it ends. whole: it
// reaches to the end of its line.
func (h *hidden) value(name, s string, i, at int, whole bool) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t') {
		i++
	}
	for i < len(s) && s[i] == '\\' {
		i++
	}
	if i == len(s) {
		return i
	}
	if quote := s[i]; quote == '"' || quote == '\'' {
		end := i + 1
		for end < len(s) && s[end] != quote {
			if s[end] == '\\' && end+1 < len(s) && s[end+1] != quote {
				end++
			}
			end++
		}
		end = min(end, len(s))
		h.add(at+i+1, at+end)
		return end
	}
	if close := strings.IndexByte("([{", s[i]); close >= 0 { // a list, in a program
		end := len(s)
		if j := strings.IndexByte(s[i:], ")]}"[close]); j >= 0 {
			end = i + j
		}
		h.add(at+i+1, at+end)
		return end
	}
	stop := blank + `"'&;,<>)}]|`
	if whole {
		stop = "\r\n\"'<>"
	}
	end := len(s)
	if j := strings.IndexAny(s[i:], stop); j >= 0 {
		end = i + j
	}
	if whole && kindOf(name) == kindCookie {
		h.pairs(s[i:end], at+i, ';')
		return end
	}
	if !whole && end < len(s) && s[end] == ' ' && isScheme(s[i:end]) {
		next := end + 1
		for end = next; end < len(s) && strings.IndexByte(stop, s[end]) < 0; end++ {
		}
		h.add(at+next, at+end)
		return end
	}
	h.credential(strings.TrimRight(s[i:end], blank), at+i)
	return max(end, i)
}

// schemed hides what stands behind the name of a scheme of authentication.
func (h *hidden) schemed(s string, at int) {
	for from := 0; from < len(s); {
		i := strings.IndexAny(s[from:], "bB")
		if i < 0 {
			return
		}
		i += from
		from = i + 1
		n := 0
		if len(s)-i > 13 && strings.EqualFold(s[i:i+6], "bearer") {
			n = 6
		} else if len(s)-i > 12 && strings.EqualFold(s[i:i+5], "basic") {
			n = 5
		}
		if n == 0 || i > 0 && class[s[i-1]]&alnum != 0 || s[i+n] != ' ' && s[i+n] != ':' && s[i+n] != '+' && s[i+n] != '%' {
			continue
		}
		token := i + n + 1
		for token < len(s) && (s[token] == ' ' || s[token] == ':') {
			token++
		}
		end := token
		for end < len(s) && class[s[end]]&(alnum|between) != 0 {
			end++
		}
		if word := s[token:end]; len(word) >= 6 && (mixed(word) || len(word) >= 16) && strings.IndexByte(strings.TrimRight(word, "="), '=') < 0 {
			h.add(at+token, at+end)
		}
	}
}

// told hides what a sentence calls a password or code: "your password is ...".
func (h *hidden) told(s string, at int) {
	for from := 0; from < len(s); {
		i := strings.Index(s[from:], " is ")
		if i < 0 {
			return
		}
		i += from
		from = i + 4
		begin := i
		for begin > 0 && class[s[begin-1]]&alnum != 0 {
			begin--
		}
		if name := s[begin:i]; meaningOf(name) == harmless {
			continue
		}
		end := from
		for end < len(s) && strings.IndexByte(blank+"<>,;\"'", s[end]) < 0 {
			end++
		}
		if word := strings.TrimRight(s[from:end], ".!"); mixed(word) || len(word) >= 4 && class[word[0]] == isDigit {
			h.add(at+from, at+from+len(word))
		}
	}
}
