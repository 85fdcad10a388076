// Package printable makes text from the wire harmless where people read it: on a
// terminal, where control characters move the cursor, name the window or hide what
// follows, and where overrides of the direction of writing show it in another order.
package printable

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Text shows control and formatting characters of s as escapes, as in \u001b, and
// what is no UTF-8 as U+FFFD. A line break or tab becomes a space.
func Text(s string) string {
	if isASCII(s) || strings.IndexFunc(s, unsafe) < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t':
			b.WriteByte(' ')
		case unsafe(r) && r > 0xffff:
			fmt.Fprintf(&b, "\\U%08x", r)
		case unsafe(r):
			fmt.Fprintf(&b, "\\u%04x", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isASCII tells whether s is what most text is, and harmless.
func isASCII(s string) bool {
	for i := range len(s) {
		if s[i]-0x20 >= 0x7f-0x20 {
			return false
		}
	}
	return true
}

// unsafe tells whether a terminal or reader does something at r other than to show it.
func unsafe(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) ||
		r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe || // no characters
		r == 0x115f || r == 0x1160 || r == 0x3164 || r == 0xffa0 // letters without a shape
}

// JSON writes the characters that [Text] escapes as JSON does, \u and four digits: the
// value stays the same, and a terminal on which it is looked at does too. The
// text must be JSON as encoding/json writes it, in which they stand in strings alone.
func JSON(text []byte) []byte {
	i := 0
	for i < len(text) && text[i] < 0x7f {
		i++
	}
	if i == len(text) {
		return text
	}
	out := append(make([]byte, 0, len(text)+64), text[:i]...)
	for i < len(text) {
		r, n := utf8.DecodeRune(text[i:])
		switch {
		case r < 0x7f || !unsafe(r):
			out = append(out, text[i:i+n]...)
		default:
			out = appendEscaped(out, r)
		}
		i += n
	}
	return out
}

// AppendJSON appends a string of JSON as encoding/json writes it, in which <, > and & stand
// as they are, with what [JSON] makes of it.
func AppendJSON(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		for len(s)-i >= 8 && plainWord(s[i:i+8]) {
			i += 8
		}
		if i == len(s) {
			break
		}
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		r, n := rune(c), 1
		if c >= utf8.RuneSelf {
			if r, n = utf8.DecodeRuneInString(s[i:]); !unsafe(r) && (r != utf8.RuneError || n > 1) {
				i += n
				continue
			}
		}
		b = appendEscaped(append(b, s[from:i]...), r)
		i += n
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

// plainWord tells whether eight bytes are all plain, by arithmetic on all of them at once.
func plainWord(s string) bool {
	const each, high = 0x0101010101010101, 0x8080808080808080
	w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	quote, slash := w^each*'"', w^each*'\\'
	// A byte below n borrows when n is taken from it, one from 0x7f on has its high bit set when
	// one is added, and what is equal became zero, which is below one.
	return ((w-each*' ')|(w+each)|w|(quote-each)&^quote|(slash-each)&^slash)&high == 0
}

// plain are the bytes that stand in a string of JSON as they are, and are characters.
var plain = func() (is [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		is[c] = c != '"' && c != '\\'
	}
	return is
}()

func appendEscaped(b []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	if r > 0xffff {
		high, low := utf16.EncodeRune(r)
		return fmt.Appendf(b, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(b, `\u%04x`, r)
}

// Writer writes to W what [JSON] makes of it. Each Write is to be of whole
// characters, as those of a json.Encoder are.
type Writer struct{ W io.Writer }

func (w Writer) Write(p []byte) (int, error) {
	if _, err := w.W.Write(JSON(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}
