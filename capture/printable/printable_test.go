package printable

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"plain (text) ~":     "plain (text) ~",
		"名 é €":              "名 é €",
		"\x1b]0;x\a":         `\u001b]0;x\u0007`,
		"\u009b2J":           `\u009b2J`,
		"a\u202eb\u2066":     `a\u202eb\u2066`,
		"a\nb\tc\rd\x00\x7f": `a b c\u000dd\u0000\u007f`,
		"\xc0\xaf\xff":       "���",
		"\U000e0041":         `\U000e0041`,
		"\u2028\u2029\ufeff": `\u2028\u2029\ufeff`,
	} {
		if got := Text(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// Every character: no text has one that does something, and JSON says the same.
func TestEvery(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		s := "a" + string(r) + "b"
		if strings.IndexFunc(Text(s), unsafe) >= 0 {
			t.Fatalf("%q", s)
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		out := JSON(text)
		var back string
		if err := json.Unmarshal(out, &back); err != nil || back != strings.ToValidUTF8(s, "\ufffd") || strings.IndexFunc(string(out), unsafe) >= 0 {
			t.Fatalf("%q: %q, %v", s, out, err)
		}
	}
}

// TestAppendJSON holds that a string is what encoding/json and JSON make of it, with every
// byte, many characters, and such as are cut.
func TestAppendJSON(t *testing.T) {
	check := func(s string) {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(s); err != nil {
			t.Fatal(err)
		}
		want := string(JSON(bytes.TrimSuffix(b.Bytes(), []byte("\n"))))
		if got := string(AppendJSON([]byte("x"), s)); got != "x"+want {
			t.Fatalf("%q: %s, want %s", s, got[1:], want)
		}
	}
	for _, s := range []string{"", "a", "\"\\", "<&>", "\b\f\n\r\t\x00", "ab\xff", "\xe2\x80", "\xe2\x80\xa8\xe2", "\ufffd", "列\x1b[0m"} {
		check(s)
	}
	for c := range 256 {
		check("a" + string([]byte{byte(c)}) + "b")
		for at := range 20 {
			b := []byte("~~~~~~~~          abcd"[:20])
			b[at] = byte(c)
			check(string(b))
		}
	}
	for r := rune(0); r < 0x3000; r++ {
		check("a" + string(r) + "b")
	}
	for r := rune(0x3000); r <= unicode.MaxRune; r += 37 {
		check("a" + string(r) + "b")
	}
}
