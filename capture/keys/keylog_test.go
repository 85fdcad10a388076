package keys_test

import (
	"encoding/binary"
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

// TestCopiedLog reads key logs as they look after they went through other programs.
func TestCopiedLog(t *testing.T) {
	other := "CLIENT_TRAFFIC_SECRET_0 " + random32 + " " + strings.Repeat("ee", 32)
	log := goodLine + "\r\n" + other + "\r\n"
	utf16 := func(order interface {
		AppendUint16([]byte, uint16) []byte
	}, s string) string {
		var b []byte
		for _, c := range "\ufeff" + s {
			b = order.AppendUint16(b, uint16(c))
		}
		return string(b)
	}
	for name, copied := range map[string]string{
		"byte order mark":       "\ufeff" + log,
		"UTF-16, little endian": utf16(binary.LittleEndian, log),
		"UTF-16, big endian":    utf16(binary.BigEndian, log),
		"UTF-16 without a mark": utf16(binary.LittleEndian, log)[2:],
		"tabs":                  strings.ReplaceAll(log, " ", "\t"),
		"two spaces":            strings.ReplaceAll(log, " ", "  "),
		"spaces before":         "  " + goodLine + "\n \t" + other,
		"quoted":                `"` + goodLine + "\",\n'" + other + "'\n",
		"JSON":                  `["` + goodLine + `\n","` + other + `\n"]`,
		"behind a log's words":  "2026-11-26T10:00:00Z INFO keylog: " + goodLine + "\n[10:00] key=" + other + ";",
		"named":                 "keylog=" + goodLine + "\nkeylog=" + other,
		"colons":                strings.ReplaceAll(strings.Replace(goodLine, " ", ": ", 1)+"\n"+strings.Replace(other, " ", ": ", 1), "_0:", "_0 :"),
		"0x":                    strings.ReplaceAll(log, " ", " 0x"),
		"small letters":         strings.ToLower(log),
		"filled up with zeros":  goodLine + "\n" + other + strings.Repeat("00", 32) + "\n",
		"and SHA-384":           goodLine + "\n" + strings.TrimSuffix(other, strings.Repeat("ee", 32)) + strings.Repeat("ee", 32) + strings.Repeat("00", 16),
	} {
		var got []string
		bad, err := keys.CheckLog(strings.NewReader(copied), func(s keys.Secret) { got = append(got, s.String()) })
		want := []string{goodLine, other}
		if name == "JSON" {
			want = want[:1] // one of a line
		}
		if err != nil || len(bad) > 0 || !slices.Equal(got, want) {
			t.Errorf("%s: %q, bad %v, %v", name, got, bad, err)
		}
	}
}

// TestBadLines says what is wrong with a line.
func TestBadLines(t *testing.T) {
	for line, want := range map[string]keys.Bad{
		"nonsense":                                     keys.BadLabel,
		"CLIENT_RANDOM " + random32:                    keys.BadParts,
		"CLIENT_RANDOM 00 " + secret48:                 keys.BadRandom,
		goodLine + "00":                                keys.BadSecret,
		"client_random " + random32 + " zz":            keys.BadHex,
		"RSA " + random32 + " " + secret48:             keys.BadRandom,
		"RSA Session-ID:00 Master-Key:" + secret48[2:]: keys.BadID,
		"-----BEGIN RSA PRIVATE KEY-----":              keys.BadKey,
		"\x1f\x8b\x08\x00\x00":                         keys.BadGzip,
		"\xd4\xc3\xb2\xa1\x02\x00\x04\x00":             keys.BadPcap,
		strings.Repeat("0", 3<<18):                     keys.BadLong,
		"A_LABEL_OF_TOMORROW " + random32 + " 0":       keys.BadLabel,
		"\xff\xfen\x00o\x00n\x00e\x00":                 keys.BadLabel,
		"CLIENT_TRAFFIC_SECRET_0 0123 " + secret48:     keys.BadRandom,
		"  CLIENT_RANDOM\t" + random32 + "\t" + "b1b":  keys.BadHex,
	} {
		bad, err := keys.CheckLog(strings.NewReader(line), func(s keys.Secret) { t.Errorf("%.80q is read as %q", line, s) })
		if err != nil || len(bad) != 1 || bad[want] != 1 {
			t.Errorf("%.80q: %v, want %s, %v", line, bad, want, err)
		}
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
