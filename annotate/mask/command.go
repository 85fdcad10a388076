package mask

import "strings"

// A giving is what the argument behind an option gives away.
type giving int

const (
	givesNothing giving = iota
	givesSecret         // all of it
	givesPair           // a password, behind the user's name and a colon
	givesCookies        // the values of name=value pairs
	givesForm           // what is sent
	givesField          // a header field
)

// longGivings are options whose argument holds a credential, although their names do not say so.
var longGivings = map[string]giving{
	"user": givesPair, "proxy-user": givesPair, "userpwd": givesPair, "userinfo": givesPair,
	"cookie": givesCookies, "cookies": givesCookies, "load-cookies": givesNothing, "cookie-jar": givesNothing, "save-cookies": givesNothing,
	"pass": givesSecret, "proxy-pass": givesSecret, "pwd": givesSecret, "auth": givesPair, "authorization": givesSecret,
	"aws-sigv4": givesNothing, "oauth2-bearer": givesSecret, "delegation": givesNothing,
	"data": givesForm, "data-raw": givesForm, "data-binary": givesForm, "data-ascii": givesForm, "data-urlencode": givesForm, "json": givesForm,
	"form": givesForm, "form-string": givesForm, "post-data": givesForm, "body-data": givesForm, "url-query": givesForm,
	"header": givesField, "proxy-header": givesField,
	// Files, in which a secret may be, but not here.
	"key": givesNothing, "key-type": givesNothing, "proxy-key": givesNothing, "private-key": givesNothing, "keyfile": givesNothing, "key-file": givesNothing,
	"keylog": givesNothing, "keystore": givesNothing, "pinnedpubkey": givesNothing, "session-file": givesNothing, "tokens-file": givesNothing, "session": givesNothing,
}

// curlGivings are the options of curl with one letter.
var curlGivings = map[byte]giving{'u': givesPair, 'U': givesPair, 'b': givesCookies, 'd': givesForm, 'F': givesForm, 'H': givesField}

// givingOf tells what the value of an option gives away; value is there if it stands in the same word.
func givingOf(option, program string) (g giving, value string, joined bool) {
	if len(option) < 2 || option[0] != '-' {
		return givesNothing, "", false
	}
	if program == "curl" && option[1] != '-' {
		g = curlGivings[option[1]]
		return g, option[2:], g != givesNothing && len(option) > 2
	}
	name, value, joined := strings.Cut(strings.TrimLeft(option, "-"), "=")
	low := strings.ToLower(name)
	g, known := longGivings[low]
	if !known && len(name) > 1 && (meaningOf(name) == certain || meaningOf(name) == likely && strings.HasPrefix(option, "--")) {
		g = givesSecret
		if strings.HasSuffix(low, "file") || strings.HasSuffix(low, "path") {
			g = givesNothing
		}
	}
	return g, value, joined
}

// given shows what may be shown of an option's argument.
func (r *Rule) given(value string, g giving) string {
	switch g {
	case givesSecret:
		return Count(len(value))
	case givesPair:
		if name, password, ok := strings.Cut(value, ":"); ok && !strings.HasPrefix(password, "//") {
			return r.Name(name) + ":" + Count(len(password))
		}
		return r.Text(value)
	case givesCookies:
		if strings.Contains(value, "=") { // else it is a file's name
			return r.Header("Cookie", value)
		}
		return r.Text(value)
	case givesForm:
		if strings.HasPrefix(value, "@") { // a file's name
			return value
		}
		return r.sent(value)
	case givesField:
		if name, field, ok := strings.Cut(value, ":"); ok {
			lead := field[:len(field)-len(strings.TrimLeft(field, " "))]
			return r.Name(name) + ":" + lead + r.Header(name, field[len(lead):])
		}
	}
	return r.argument(value)
}

// sent is what a program was given to send.
func (r *Rule) sent(value string) string {
	if shown, ok := r.Body(value, ""); ok {
		return shown
	}
	if name, text, ok := strings.Cut(value, "="); ok && isFormName(name) {
		return r.Name(name) + "=" + Count(len(text))
	}
	return Count(len(value))
}

// isField tells whether an argument is a header field.
func isField(a string) bool {
	name, value, ok := strings.Cut(a, ":")
	return ok && name != "" && !strings.HasPrefix(value, "//") && !strings.ContainsAny(name, blank+"{}/=\"'@()[]")
}

// argument shows what may be shown of an argument that belongs to no option.
func (r *Rule) argument(a string) string {
	if isField(a) {
		name, value, _ := strings.Cut(a, ":")
		lead := value[:len(value)-len(strings.TrimLeft(value, " "))]
		return r.Name(name) + ":" + lead + r.Header(name, value[len(lead):])
	}
	if formatOf(a) == formatJSON && strings.ContainsAny(a, "\":") && !strings.Contains(a, "{url}") && !strings.Contains(a, "{host}") {
		return r.sent(a)
	}
	var h hidden
	h.target(a, 0)
	h.text(a, 0, false)
	return h.show(a)
}

// Command shows what may be shown of a command line, argument by argument. program
// is what the options are of: of "timeout 9 curl", curl.
func (r *Rule) Command(args []string, program string) []string {
	var out []string
	next := givesNothing
	for _, a := range args {
		out = append(out, r.word(a, program, &next))
	}
	return out
}

// word shows one argument. next is what the one before it said about it, and
// is set to what it says about the one behind it.
func (r *Rule) word(a, program string, next *giving) string {
	if g := *next; g != givesNothing {
		*next = givesNothing
		return r.given(a, g)
	}
	if g, value, joined := givingOf(a, program); joined {
		return a[:len(a)-len(value)] + r.given(value, g)
	} else if g != givesNothing {
		*next = g
		return a
	}
	if !strings.ContainsAny(a, blank) || isField(a) {
		return r.argument(a)
	}
	for _, mark := range []string{"('", `("`, "{'", `{"`, "import ", "=>", "<?", "<-"} {
		if strings.Contains(a, mark) { // code
			return r.Text(a)
		}
	}
	return r.shell(a)
}

// shell shows a line for a shell, word by word; quotes hold words together.
func (r *Rule) shell(line string) string {
	var b strings.Builder
	next, program, first := givesNothing, "", true
	for i := 0; i < len(line); {
		if strings.IndexByte(blank+"|&;()", line[i]) >= 0 {
			first = first || strings.IndexByte("|&;(\n", line[i]) >= 0
			b.WriteByte(line[i])
			i++
			continue
		}
		from, quote := i, byte(0)
		for i < len(line) && (quote != 0 || strings.IndexByte(blank+"|;()", line[i]) < 0) {
			switch c := line[i]; {
			case quote == 0 && (c == '\'' || c == '"'):
				quote = c
			case c == quote:
				quote = 0
			case c == '\\' && quote != '\'' && i+1 < len(line):
				i++
			}
			i++
		}
		i = min(i, len(line))
		w := line[from:i]
		if first {
			program, first = strings.ToLower(w[strings.LastIndexAny(w, `/\`)+1:]), strings.Contains(w, "=")
		}
		open := w[:len(w)-len(strings.TrimLeft(w, `'"`))]
		inner := w[len(open):]
		closed := inner[len(strings.TrimRight(inner, `'"`)):]
		if inner == line {
			return r.Text(line)
		}
		b.WriteString(open + r.word(inner[:len(inner)-len(closed)], program, &next) + closed)
	}
	return b.String()
}
