package text

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"explainer/annotate/words"
)

// TestWrapWide: lines of wide text are no wider than asked, begin and end as they may,
// and are the text.
func TestWrapWide(t *testing.T) {
	t.Parallel()
	bits := []string{"服", "务器", "发送", "\uff0c", "\u3002", "\uff1a", "\uff08", "\uff09", "\u300c", "\u300d", " ", " TLS 1.3 ", "ClientHello", " (x) ", "é", "密钥", "[证", "书]"}
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var b strings.Builder
		for range 1 + r.IntN(60) {
			b.WriteString(bits[r.IntN(len(bits))])
		}
		text, width := strings.Join(strings.Fields(b.String()), " "), 8+r.IntN(40)
		lines := Wrap(text, width)
		if got := strings.ReplaceAll(strings.Join(lines, ""), " ", ""); got != strings.ReplaceAll(text, " ", "") {
			t.Fatalf("%q became %q", text, lines)
		}
		for i, l := range lines {
			if columns.StringWidth(l) > width && len(parts(l, width)) > 1 {
				t.Fatalf("line %q of %q is wider than %d", l, text, width)
			}
			if first, _ := utf8.DecodeRuneInString(l); i > 0 && strings.ContainsRune(closing+"]", first) {
				t.Fatalf("a line of %q begins with %c", text, first)
			}
			if last, _ := utf8.DecodeLastRuneInString(l); i < len(lines)-1 && strings.ContainsRune(opening+"[", last) {
				t.Fatalf("a line of %q ends with %c", text, last)
			}
		}
		if one := Wrap(text, 10000); len(one) != 1 || one[0] != text {
			t.Fatalf("%q became %q", text, one)
		}
	}
}

// TestMarksOfEveryLanguage: nothing from the wire looks like a mark of ours in any language.
func TestMarksOfEveryLanguage(t *testing.T) {
	t.Parallel()
	for _, l := range words.Languages {
		for _, id := range []string{"mark/proven", "mark/refuted", "mark/not-checkable", "mark/step", "mark/steps", "mark/step-verdict", "mark/steps-verdict"} {
			mark := l.In(words.Piece(id, "what", "x", "step", "3", "steps", "3, 4a", "verdict", "y"))
			if got := Clean("X-Header: " + mark); got != "X-Header: \\"+mark {
				t.Errorf("%s from the wire becomes %s", mark, got)
			}
		}
	}
}
