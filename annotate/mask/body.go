package mask

import (
	"encoding/binary"
	"encoding/json"
	"strconv"
	"strings"
)

// Body returns what may be shown of the beginning of a body, by its media type:
// of JSON, forms, XML, multipart bodies, events and protocol buffers the names
// without the values, of HTML the words without what is not read. Of anything
// else nothing may be, and ok is false. Without a media type, as in WebSocket, the
// content tells what it is.
func (r *Rule) Body(beginning, contentType string) (shown string, ok bool) {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	text := strings.TrimPrefix(beginning, "\ufeff")
	b := body{rule: r}
	is := formatOf(text)
	switch said := formatSaid(kind); {
	case said == formatNone:
		return "", false
	case said == formatProto:
		return protobuf(beginning, strings.Contains(kind, "grpc"))
	case said == formatMultipart || said == formatEvents:
		is = said
	case said == formatHTML && (is == formatXML || is == formatHTML):
		is = formatHTML
	case said == formatXML && is == formatHTML:
		is = formatXML
	case said == formatJSON && is != formatXML && is != formatHTML:
		is = said
	case said == formatForm && is == formatNone && strings.IndexByte("{[<", (text + " ")[0]) < 0:
		is = said
	}
	switch is {
	case formatJSON:
		b.json(text)
	case formatForm:
		b.form(text)
	case formatXML:
		b.xml(text)
	case formatHTML:
		b.html(text)
	case formatMultipart:
		b.multipart(text)
	case formatEvents:
		b.events(text)
	default:
		return "", false
	}
	return string(b.out), true
}

type format uint8

const (
	formatUnknown format = iota // the content tells
	formatNone
	formatJSON
	formatForm
	formatXML
	formatHTML
	formatMultipart
	formatEvents
	formatProto
)

// formatSaid is what a media type says.
func formatSaid(kind string) format {
	switch {
	case kind == "", kind == "text/plain", kind == "application/octet-stream", kind == "application/graphql", kind == "*/*":
		return formatUnknown
	case kind == "application/x-www-form-urlencoded":
		return formatForm
	case kind == "text/html", kind == "application/xhtml+xml":
		return formatHTML
	case kind == "text/event-stream":
		return formatEvents
	case strings.HasPrefix(kind, "multipart/"):
		return formatMultipart
	case strings.HasPrefix(kind, "application/grpc") && !strings.Contains(kind, "text") && !strings.Contains(kind, "json"), strings.Contains(kind, "protobuf"), strings.HasSuffix(kind, "+proto"):
		return formatProto
	case strings.HasSuffix(kind, "json"), strings.Contains(kind, "ndjson"), strings.Contains(kind, "jsonl"), strings.Contains(kind, "json-"):
		return formatJSON
	case strings.HasSuffix(kind, "/xml"), strings.HasSuffix(kind, "+xml"):
		return formatXML
	}
	return formatNone
}

// formatOf is what the content looks like.
func formatOf(s string) format {
	t := strings.TrimLeft(s, blank)
	if t == "" {
		return formatNone
	}
	switch t[0] {
	case '{':
		return formatJSON
	case '[':
		if rest := strings.TrimLeft(t[1:], blank); rest == "" || strings.IndexByte("{[\"]-0123456789tfn", rest[0]) >= 0 {
			return formatJSON
		}
	case '<':
		low := strings.ToLower(t[:min(len(t), 16)])
		for _, p := range []string{"<!doctype html", "<html", "<head", "<body"} {
			if strings.HasPrefix(low, p) {
				return formatHTML
			}
		}
		if len(t) > 1 && (class[t[1]]&letter != 0 || t[1] == '?' || t[1] == '!') {
			return formatXML
		}
	default:
		if isForm(t) {
			return formatForm
		}
	}
	return formatNone
}

// isForm tells whether s is name=value&name=value.
func isForm(s string) bool {
	if strings.ContainsAny(s, " \t\r\n<>{}\"") {
		return false
	}
	for p := range strings.SplitSeq(s, "&") {
		if i := strings.IndexByte(p, '='); i < 1 || !isFormName(p[:i]) {
			return false
		}
	}
	return true
}

// isFormName tells whether s can be the name of a field: nothing that people type.
func isFormName(s string) bool {
	for i := range len(s) {
		if class[s[i]]&alnum == 0 && strings.IndexByte("-_.[]%+$:", s[i]) < 0 {
			return false
		}
	}
	return s != "" && len(s) <= maxNameLen
}

// body writes what may be shown of one.
type body struct {
	rule *Rule
	out  []byte
}

func (b *body) write(s string) { b.out = append(b.out, s...) }

func (b *body) mask(s string) {
	if len(s) > 0 {
		b.write(Count(len(s)))
	}
}

// name writes a name, unless it is too long for one.
func (b *body) name(s string) {
	if len(s) > maxNameLen {
		b.mask(s)
		return
	}
	b.write(b.rule.Name(s))
}

func (b *body) form(s string) {
	for i, p := range strings.Split(s, "&") {
		if i > 0 {
			b.write("&")
		}
		name, value, pair := strings.Cut(p, "=")
		if !pair || !isFormName(name) {
			b.mask(p)
			continue
		}
		b.name(name)
		b.write("=")
		b.mask(value)
	}
}

// json writes the names of members.
func (b *body) json(s string) {
	var open []byte // brackets that are open
	key := false    // a name may stand here
	// Of values in a row in an array one count tells.
	row, rowAt, rowFrom := -1, 0, 0
	value := func(from, to int) {
		if n := len(open); n > 0 && open[n-1] == '[' && row >= 0 && strings.Trim(string(b.out[row:]), ", \t\r\n") == "" {
			b.out = b.out[:rowAt]
		} else {
			rowAt, rowFrom = len(b.out), from
		}
		b.mask(s[rowFrom:to])
		row, key = len(b.out), false
	}
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ':':
			b.out = append(b.out, c)
			i++
		case c == '{' || c == '[':
			open = append(open, c)
			key = c == '{'
			row = -1
			b.out = append(b.out, c)
			i++
		case c == '}' || c == ']':
			if n := len(open); n > 0 {
				open = open[:n-1]
			}
			key, row = false, -1
			b.out = append(b.out, c)
			i++
		case c == ',':
			key = len(open) > 0 && open[len(open)-1] == '{'
			b.out = append(b.out, c)
			i++
		case c == '"':
			end := stringEnd(s, i+1)
			if end == len(s) {
				value(i, end)
				return
			}
			inner := s[i+1 : end]
			switch {
			case key && strings.HasPrefix(strings.TrimLeft(s[end+1:], blank), ":"):
				b.write(`"`)
				b.name(inner)
				b.write(`"`)
				key = false
			case b.nested(inner):
				row = -1
			default:
				value(i+1, end)
			}
			i = end + 1
		default:
			end := i
			for end < len(s) && strings.IndexByte(" \t\r\n:{}[],\"", s[end]) < 0 {
				end++
			}
			end = max(end, i+1)
			value(i, end)
			i = end
		}
	}
}

// stringEnd returns where the string ends whose content begins at i, or len(s).
func stringEnd(s string, i int) int {
	for i < len(s) && s[i] != '"' {
		if s[i] == '\\' {
			i++
		}
		i++
	}
	return min(i, len(s))
}

// nested writes a string that is JSON itself.
func (b *body) nested(s string) bool {
	if len(s) < 2 || s[0] != '{' && s[0] != '[' {
		return false
	}
	var plain string
	if json.Unmarshal([]byte(`"`+s+`"`), &plain) != nil {
		return false
	}
	inner := body{rule: b.rule}
	inner.json(plain)
	b.write(`"`)
	for _, c := range string(inner.out) {
		switch c {
		case '"', '\\':
			b.write(`\` + string(c))
		case '\n', '\r', '\t':
			b.write(" ")
		default:
			b.write(string(c))
		}
	}
	b.write(`"`)
	return true
}

// xml writes the names of elements and attributes.
func (b *body) xml(s string) {
	for i := 0; i < len(s); {
		if s[i] != '<' {
			end := len(s)
			if j := strings.IndexByte(s[i:], '<'); j >= 0 {
				end = i + j
			}
			text := strings.TrimLeft(s[i:end], blank)
			b.write(s[i : end-len(text)])
			b.mask(strings.TrimRight(text, blank))
			b.write(text[len(strings.TrimRight(text, blank)):])
			i = end
			continue
		}
		t := tagOf(s[i:])
		if !t.whole {
			b.mask(s[i:])
			return
		}
		switch {
		case t.name == "" || s[i+1] == '!' || s[i+1] == '?':
			b.mask(s[i : i+t.len])
		default:
			b.write("<" + t.slash)
			b.name(t.name)
			for _, a := range t.attributes {
				b.write(" ")
				b.name(a[0])
				if a[1] == "" {
					continue
				}
				b.write(`="`)
				if a[0] == "xmlns" || strings.HasPrefix(a[0], "xmlns:") {
					b.write(b.rule.Text(a[1]))
				} else {
					b.mask(a[1])
				}
				b.write(`"`)
			}
			b.write(t.empty + ">")
		}
		i += t.len
	}
}

// hiddenElements are those of HTML whose content is not words to read.
var hiddenElements = set("script style textarea template noscript iframe noembed noframes xmp select option datalist svg math object plaintext button output canvas audio video input")

// html writes the words, and the tags without their attributes.
func (b *body) html(s string) {
	for i := 0; i < len(s); {
		if s[i] != '<' {
			end := len(s)
			if j := strings.IndexByte(s[i:], '<'); j >= 0 {
				end = i + j
			}
			b.write(b.rule.Text(s[i:end]))
			i = end
			continue
		}
		if i+1 < len(s) && class[s[i+1]]&letter == 0 && strings.IndexByte("/!?", s[i+1]) < 0 {
			b.write("<")
			i++
			continue
		}
		t := tagOf(s[i:])
		if !t.whole {
			return
		}
		name := strings.ToLower(t.name)
		if strings.EqualFold(s[i:i+t.len], "<!doctype html>") {
			b.write(s[i : i+t.len])
		} else if t.name != "" && s[i+1] != '!' && s[i+1] != '?' {
			b.write("<" + t.slash)
			b.name(t.name)
			b.write(">")
		}
		i += t.len
		if t.slash == "" && t.empty == "" && name != "input" && hiddenElements[name] {
			end := strings.Index(strings.ToLower(s[i:]), "</"+name)
			if end < 0 {
				return
			}
			i += end
		}
	}
}

// A tag is one of XML or HTML, a comment, or an instruction.
type tag struct {
	len          int
	whole        bool
	name         string
	slash, empty string // "/" where there is one
	attributes   [][2]string
}

// tagOf reads the tag that s begins with.
func tagOf(s string) (t tag) {
	for _, c := range [][2]string{{"<!--", "-->"}, {"<![CDATA[", "]]>"}, {"<?", "?>"}} {
		if strings.HasPrefix(s, c[0]) {
			i := strings.Index(s[len(c[0]):], c[1])
			t.whole = i >= 0
			t.len = len(c[0]) + i + len(c[1])
			return t
		}
	}
	i := 1
	if strings.HasPrefix(s, "</") {
		t.slash, i = "/", 2
	}
	isNameByte := func(c byte) bool { return strings.IndexByte(blank+"/>=\"'<", c) < 0 }
	word := func() string {
		from := i
		for i < len(s) && isNameByte(s[i]) {
			i++
		}
		return s[from:i]
	}
	t.name = word()
	for i < len(s) {
		switch c := s[i]; {
		case c == '>':
			t.len, t.whole = i+1, true
			return t
		case c == '/':
			if i+1 < len(s) && s[i+1] == '>' {
				t.empty = "/"
			}
			i++
		case c == '=':
			i++
			for i < len(s) && strings.IndexByte(blank, s[i]) >= 0 {
				i++
			}
			from := i
			if i < len(s) && (s[i] == '"' || s[i] == '\'') {
				j := strings.IndexByte(s[i+1:], s[i])
				if j < 0 {
					return t
				}
				from, i = i+1, i+1+j+1
			} else {
				for i < len(s) && strings.IndexByte(blank+">", s[i]) < 0 {
					i++
				}
			}
			if n := len(t.attributes); n > 0 {
				t.attributes[n-1][1] = strings.Trim(s[from:i], `"'`)
			}
		case isNameByte(c):
			t.attributes = append(t.attributes, [2]string{word()})
		default:
			i++
		}
	}
	return t
}

// multipart writes the names of parts and their media types.
func (b *body) multipart(s string) {
	boundary, _, _ := strings.Cut(s, "\n")
	boundary = strings.TrimRight(boundary, "\r")
	if !strings.HasPrefix(boundary, "--") || len(boundary) < 3 || len(boundary) > 72 {
		b.mask(s)
		return
	}
	for i, part := range strings.Split(s, boundary) {
		if i == 0 {
			continue
		}
		if i > 1 {
			b.write("\r\n")
		}
		var marked hidden
		marked.looks(boundary, 0, true)
		b.write(marked.show(boundary))
		if strings.HasPrefix(part, "--") {
			b.write("--")
			part = part[2:]
		}
		part = strings.TrimPrefix(strings.TrimPrefix(part, "\r"), "\n")
		for part != "" {
			line, rest, whole := strings.Cut(part, "\n")
			name, value, field := strings.Cut(strings.TrimRight(line, "\r"), ":")
			low := strings.ToLower(name)
			if !field || !whole || low != "content-disposition" && low != "content-type" && low != "content-transfer-encoding" {
				break
			}
			b.write("\r\n" + name + ":" + b.rule.Header(name, value))
			part = rest
		}
		content := strings.Trim(part, "\r\n")
		if content != "" {
			b.write("\r\n\r\n")
			b.mask(content)
		}
	}
}

// events writes the fields of server-sent events.
func (b *body) events(s string) {
	for i, line := range strings.Split(s, "\n") {
		if i > 0 {
			b.write("\n")
		}
		line = strings.TrimRight(line, "\r")
		name, value, field := strings.Cut(line, ":")
		switch {
		case line == "":
			continue
		case !field || name != "event" && name != "data" && name != "id" && name != "retry":
			b.mask(line)
			continue
		}
		b.write(name + ": ")
		value = strings.TrimPrefix(value, " ")
		switch {
		case name == "data" && formatOf(value) == formatJSON:
			b.json(value)
		case name == "event" && isWord(value):
			b.name(value)
		default:
			b.mask(value)
		}
	}
}

// protobuf lists the numbers of a message's fields, which are their names on the
// wire. gRPC puts a flag and a length of four bytes before each message.
func protobuf(s string, grpc bool) (string, bool) {
	p := s
	if grpc {
		if len(p) < 5 || p[0] != 0 {
			return "", false
		}
		n := binary.BigEndian.Uint32([]byte(p[1:5]))
		p = p[5:]
		if uint64(n) < uint64(len(p)) {
			p = p[:n]
		}
	}
	var fields []string
	for len(p) > 0 {
		tag, n := binary.Uvarint([]byte(p[:min(len(p), 10)]))
		if n <= 0 || tag>>3 == 0 || tag>>3 >= 1<<29 {
			return "", false
		}
		p = p[n:]
		size := 0
		switch tag & 7 {
		case 0:
			if _, size = binary.Uvarint([]byte(p[:min(len(p), 10)])); size <= 0 {
				size = len(p)
			}
		case 1:
			size = 8
		case 2:
			length, n := binary.Uvarint([]byte(p[:min(len(p), 10)]))
			if n <= 0 {
				return "", false
			}
			p = p[n:]
			if size = len(p) + 1; length < uint64(size) {
				size = int(length)
			} else if length < 1<<30 {
				size = int(length) // cut off
			}
		case 5:
			size = 4
		default:
			return "", false
		}
		fields = append(fields, "field "+strconv.FormatUint(tag>>3, 10)+": "+Count(size))
		p = p[min(size, len(p)):]
	}
	return strings.Join(fields, ", "), len(fields) > 0
}
