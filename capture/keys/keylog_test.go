package keys_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"explainer/capture/keys"
)

var (
	random32 = strings.Repeat("0a", 32)
	secret48 = strings.Repeat("b1", 48)
	goodLine = "CLIENT_RANDOM " + random32 + " " + secret48
)

func TestParseLine(t *testing.T) {
	for _, line := range []string{
		goodLine,
		"RSA 0123456789abcdef " + secret48,
		"SERVER_HANDSHAKE_TRAFFIC_SECRET " + random32 + " " + strings.Repeat("cd", 32),
		"EXPORTER_SECRET " + random32 + " " + strings.Repeat("cd", 48),
		"ECH_CONFIG " + random32 + " fe0d0001ff",
		"A_LABEL_OF_TOMORROW " + random32 + " 00",
	} {
		s, ok := keys.ParseLine([]byte(line))
		if !ok || s.String() != line {
			t.Errorf("%q is read as %q, %v", line, s, ok)
		}
		label, hex, _ := strings.Cut(line, " ")
		upper, ok := keys.ParseLine([]byte(label + " " + strings.ToUpper(hex) + " \t\r\n"))
		if !ok || upper.String() != line {
			t.Errorf("%q in upper case is read as %q, %v", line, upper, ok)
		}
	}
	for _, line := range []string{
		"", "#", "# " + goodLine, "#" + goodLine, "\r\n",
		" " + goodLine, strings.Replace(goodLine, " ", "  ", 1), strings.Replace(goodLine, " ", "\t", 1), goodLine + " 00",
		"CLIENT_RANDOM", "CLIENT_RANDOM " + random32, "CLIENT_RANDOM " + random32 + " ",
		"CLIENT_RANDOM " + random32[2:] + " " + secret48, "CLIENT_RANDOM " + random32 + "00 " + secret48,
		"CLIENT_RANDOM " + random32 + " " + secret48[2:], "CLIENT_RANDOM " + random32 + " " + secret48[1:], goodLine + "00",
		"CLIENT_RANDOM " + random32 + " g" + secret48[1:],
		"RSA 0123456789abcdef " + secret48[2:], "RSA " + random32 + " " + secret48,
		"CLIENT_TRAFFIC_SECRET_0 0123456789abcdef " + secret48,
		"RSA Session-ID:00 Master-Key:00", "schl\u00fcssel " + random32 + " " + secret48,
		strings.Repeat("L", 65) + " " + random32 + " " + secret48,
	} {
		if s, ok := keys.ParseLine([]byte(line)); ok {
			t.Errorf("%q is read as %q", line, s)
		}
	}
}

func TestReadLog(t *testing.T) {
	other := "CLIENT_TRAFFIC_SECRET_0 " + random32 + " " + strings.Repeat("ee", 32)
	long := strings.Repeat("0", 3<<18)
	for name, test := range map[string]struct {
		log  string
		want []string
	}{
		"LF":                         {goodLine + "\n" + other + "\n", []string{goodLine, other}},
		"CRLF":                       {goodLine + "\r\n\r\n" + other + "\r\n", []string{goodLine, other}},
		"CR":                         {goodLine + "\r" + other + "\r", []string{goodLine, other}},
		"no end":                     {"# comment\n\n" + other + "\r" + goodLine, []string{other, goodLine}},
		"bad lines between":          {"CLIENT_RANDOM 00 00\n" + other + "\nnonsense\n" + goodLine + "\n\x00\xff\n", []string{other, goodLine}},
		"too long a line":            {goodLine + "\n" + long + "\n" + other, []string{goodLine, other}},
		"the end of too long a line": {goodLine + "\n" + long + goodLine, []string{goodLine}},
		"a long line":                {"ECH_CONFIG " + random32 + " " + long[:1<<17] + "\n", []string{"ECH_CONFIG " + random32 + " " + long[:1<<17]}},
		"nothing":                    {"", nil},
	} {
		for how, r := range map[string]io.Reader{
			"at once":     strings.NewReader(test.log),
			"in halves":   iotest.HalfReader(strings.NewReader(test.log)),
			"end at once": iotest.DataErrReader(strings.NewReader(test.log)),
		} {
			var got []string
			if err := keys.ReadLog(r, func(s keys.Secret) { got = append(got, s.String()) }); err != nil {
				t.Errorf("%s, %s: %v", name, how, err)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%s, %s: %d lines, not %d: %.200q", name, how, len(got), len(test.want), got)
			}
		}
	}
	broken := errors.New("broken")
	n := 0
	err := keys.ReadLog(io.MultiReader(strings.NewReader(goodLine+"\n"), iotest.ErrReader(broken)), func(keys.Secret) { n++ })
	if !errors.Is(err, broken) || n != 1 {
		t.Errorf("a reader that breaks after one line: %d lines, %v", n, err)
	}
}

func FuzzKeyLog(f *testing.F) {
	f.Add([]byte(goodLine + "\r\n# comment\rRSA 0123456789ABCDEF " + secret48 + "\n\n"))
	f.Add([]byte("CLIENT_HANDSHAKE_TRAFFIC_SECRET " + random32 + " " + secret48))
	f.Add([]byte("A  B\nA B C\n"))
	f.Fuzz(func(t *testing.T, log []byte) {
		err := keys.ReadLog(strings.NewReader(string(log)), func(s keys.Secret) {
			again, ok := keys.ParseLine([]byte(s.String()))
			if !ok || again.String() != s.String() {
				t.Errorf("%q is read again as %q, %v", s, again, ok)
			}
		})
		if err != nil {
			t.Error(err)
		}
	})
}
