package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"explainer/annotate/words"
	"explainer/capture/pcap"

	"github.com/mattn/go-runewidth"
	"github.com/urfave/cli/v2"
)

// TestLanguageOf: the locale says which language is spoken, and --lang has the last word.
func TestLanguageOf(t *testing.T) {
	for _, c := range []struct {
		all, messages, lang string
		args                []string
		want                words.Language
	}{
		{want: words.English},
		{lang: "zh_CN.UTF-8", want: words.Chinese},
		{lang: "zh", want: words.Chinese},
		{lang: "de_DE.UTF-8", want: words.English},
		{all: "C", lang: "zh_CN.UTF-8", want: words.English},
		{all: "POSIX", messages: "zh_CN", want: words.English},
		{messages: "zh_TW.UTF-8", lang: "en_US", want: words.Chinese},
		{messages: "en_US", lang: "zh_CN", want: words.English},
		{all: "zh_CN.UTF-8", messages: "en_US", lang: "en_US", want: words.Chinese},
		{all: "zh_CN.UTF-8", args: []string{"read", "--lang", "en"}, want: words.English},
		{args: []string{"--lang=zh", "read"}, want: words.Chinese},
		{args: []string{"read", "-lang", "zh"}, want: words.Chinese},
		{args: []string{"run", "--", "ls", "--lang", "zh"}, want: words.English},
		{args: []string{"read", "--lang"}, want: words.English},
		{args: []string{"read", "--lang", "fr"}, want: words.English},
	} {
		t.Setenv("LC_ALL", c.all)
		t.Setenv("LC_MESSAGES", c.messages)
		t.Setenv("LANG", c.lang)
		if got := argumentsLanguage(append([]string{"explainer"}, c.args...)); got != c.want {
			t.Errorf("LC_ALL=%s LC_MESSAGES=%s LANG=%s %v: %s", c.all, c.messages, c.lang, c.args, got)
		}
	}
}

// TestHelpInChinese: every command and flag has its help in Chinese, with the same
// places, examples and values as in English.
func TestHelpInChinese(t *testing.T) {
	english, chinese := newApp(words.English), newApp(words.Chinese)
	sameHelp(t, "explainer", english.Usage, chinese.Usage)
	sameHelp(t, "explainer", english.Description, chinese.Description)
	sameCommands(t, english.Commands, chinese.Commands)
	for in, values := range map[string][]string{"flag/read/decode-as": pcap.Tunnels(), "flag/read/verdict": verdictNames(), "help/check": {checkedHost}} {
		for _, v := range values {
			if !strings.Contains(words.Chinese.Help(in), v) {
				t.Errorf("%s does not name %s", in, v)
			}
		}
	}
}

func sameCommands(t *testing.T, english, chinese []*cli.Command) {
	for i, e := range english {
		c := chinese[i]
		if e.Hidden || e.Name == "help" { // the one has no help, the other the same words made at once
			continue
		}
		sameHelp(t, e.Name, e.Usage, c.Usage)
		sameHelp(t, e.Name, e.Description, c.Description)
		for j, f := range e.Flags {
			name := e.Name + " --" + f.Names()[0]
			if b, ok := f.(cli.VisibleFlag); ok && !b.IsVisible() {
				continue
			}
			sameHelp(t, name, f.(cli.DocGenerationFlag).GetUsage(), c.Flags[j].(cli.DocGenerationFlag).GetUsage())
			was, is := f.(cli.DocGenerationFlag).GetDefaultText(), c.Flags[j].(cli.DocGenerationFlag).GetDefaultText()
			if was != is || strings.Count(was, " ") > 1 {
				sameHelp(t, name, was, is)
			}
		}
		sameCommands(t, e.Subcommands, c.Subcommands)
	}
}

// places are what stands in backquotes, examples what is typed.
var (
	placesOfHelp   = regexp.MustCompile("`[^`]*`")
	examplesOfHelp = regexp.MustCompile(`(?m)^   explainer .*$|^   \{.*?  `)
)

func sameHelp(t *testing.T, of, english, chinese string) {
	t.Helper()
	if !strings.ContainsFunc(chinese, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		t.Errorf("%s is not in Chinese: %q for %q", of, chinese, english)
	}
	for _, what := range []*regexp.Regexp{placesOfHelp, examplesOfHelp} {
		if was, is := what.FindAllString(english, -1), what.FindAllString(chinese, -1); !slices.Equal(was, is) {
			t.Errorf("%s: %q in English, %q in Chinese", of, was, is)
		}
	}
}

// TestHelpFits: the help of every command fits a terminal of 60 and of 80 columns, in which a wide character
// takes two, in each language; what is typed may be longer.
func TestHelpFits(t *testing.T) {
	for _, l := range words.Languages {
		app := newApp(l)
		app.Setup()
		shown := []any{app}
		for _, c := range app.Commands {
			shown = append(shown, c)
			for _, s := range c.Subcommands {
				shown = append(shown, s)
			}
		}
		for _, columns := range []int{60, 80} {
			t.Setenv("COLUMNS", strconv.Itoa(columns))
			for _, of := range shown {
				var out strings.Builder
				printHelp(&out, l, of)
				for line := range strings.Lines(out.String()) {
					line = strings.TrimSuffix(line, "\n")
					typed := strings.HasPrefix(line, "      explainer ") || strings.HasPrefix(line, "      source") || strings.Contains(line, "   {") || !strings.Contains(strings.TrimSpace(line), " ")
					if !typed && runewidth.StringWidth(line) > columns {
						t.Errorf("%d columns: %s", runewidth.StringWidth(line), line)
					}
				}
			}
		}
	}
}
