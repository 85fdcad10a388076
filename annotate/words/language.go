package words

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"explainer/annotate/event"
)

// A Language is one that the story is told in, by its ISO 639 code.
type Language string

// The languages. English is that of the JSON.
const (
	English Language = "en"
	Chinese Language = "zh" // simplified
)

// Languages are all of them.
var Languages = []Language{English, Chinese}

// Tag is what HTML and HTTP call the language (RFC 5646).
func (l Language) Tag() string {
	if l == Chinese {
		return "zh-Hans"
	}
	return string(l)
}

// In is a text in a language. What has no words of ours there stands in English.
func (l Language) In(t event.Text) string {
	if l != Chinese || t.Of == nil {
		return t.English
	}
	of := t.Of
	switch kind, rest, _ := strings.Cut(of.ID, "/"); kind {
	case listed:
		return l.list(rest, of.Items)
	case clause:
		if text, ok := l.fill(rest, of.Values, nil); ok {
			return strings.TrimSuffix(text, "。")
		}
	default:
		if text, ok := l.fill(of.ID, of.Values, nil); ok {
			return text
		}
	}
	return t.English
}

// Says is a sentence in a language.
func (l Language) Says(s event.Sentence) string {
	if l != Chinese {
		return s.Text
	}
	if text, ok := l.fill(s.ID, nil, &s); ok {
		return text
	}
	return s.Text
}

// fill finds the words of an ID, with the values given or those of a sentence.
func (l Language) fill(id string, values map[string]event.Text, s *event.Sentence) (string, bool) {
	t, ok := chinese()[id]
	if !ok {
		return "", false
	}
	text := t.parsed().parts[0]
	for i, p := range t.places {
		value := ""
		switch {
		case s == nil:
			value = l.In(values[p.key])
		case s.Values[p.key].Of != nil:
			value = l.In(s.Values[p.key].Text)
		}
		if value == "" && s != nil {
			value = cmp.Or(s.Args[p.key], s.Args[Upper(p.key)])
		}
		text = beside(beside(text, value), t.parts[i+1])
	}
	return text, true
}

// beside joins two pieces as Chinese is set, whatever the values are: a space between a
// Han character and a Latin letter or a digit, none between two Han characters or beside
// wide punctuation.
func beside(a, b string) string {
	left, right := strings.TrimRight(a, " "), strings.TrimLeft(b, " ")
	if left == "" || right == "" {
		return a + b
	}
	last, _ := utf8.DecodeLastRuneInString(left)
	first, _ := utf8.DecodeRuneInString(right)
	han := [2]bool{unicode.Is(unicode.Han, last), unicode.Is(unicode.Han, first)}
	sign := [2]bool{strings.ContainsRune(wideSigns, last), strings.ContainsRune(wideSigns, first)}
	switch {
	case sign[0] || sign[1] || han[0] && han[1]:
		return left + right
	case han[0] && latin(first) || latin(last) && han[1]:
		return left + " " + right
	}
	return a + b
}

// wideSigns are the punctuation marks of the Chinese texts.
const wideSigns = "\uff0c\u3002\uff1a\uff1b\uff08\uff09\uff1f\uff01\u3001\u300c\u300d"

func latin(r rune) bool { return r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) }

// list joins items as a language does.
func (l Language) list(how string, items []event.Text) string {
	var of []string
	for _, t := range items {
		of = append(of, l.In(t))
	}
	switch how {
	case "and", "or":
		last := map[string]string{"and": "和", "or": "或"}[how]
		n := len(of)
		if n < 2 {
			return strings.Join(of, "")
		}
		if slices.ContainsFunc(of, func(s string) bool { return !strings.HasSuffix(s, "。") && len(s) > 0 && s[len(s)-1] < 0x80 }) {
			last = " " + last + " "
		}
		return strings.Join(of[:n-1], "、") + last + of[n-1]
	case ";":
		return strings.Join(of, "\uff1b")
	case "": // sentences
		var b strings.Builder
		for i, s := range of {
			if i > 0 && !strings.HasSuffix(of[i-1], "。") {
				b.WriteString(" ")
			}
			b.WriteString(s)
		}
		return b.String()
	}
	return strings.Join(of, "、")
}

// chinese has every text as a template, by its ID. It is made when it is first asked for: most
// runs of the program never do.
var chinese = sync.OnceValue(func() map[string]*template {
	m := make(map[string]*template)
	for _, table := range chineseTables {
		for id, text := range table {
			m[id] = &template{source: text}
		}
	}
	return m
})

// Help is what the help of the commands says in a language, by "usage/COMMAND",
// "help/COMMAND", "flag/COMMAND/NAME" or "flag/NAME"; "" where it says nothing of it. The
// English stands with the commands.
func (l Language) Help(id string) string {
	if l != Chinese {
		return ""
	}
	return zhHelp[id]
}
