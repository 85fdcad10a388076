package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"explainer/annotate/words"

	"github.com/urfave/cli/v2"
)

var manCommand = &cli.Command{
	Name:      "man",
	Usage:     "print the manual page, made of the help of all commands",
	UsageText: "explainer man",
	Description: `Examples:

   explainer man | man -l -
   explainer man > ~/.local/share/man/man1/explainer.1`,
	Action: func(c *cli.Context) error {
		if c.Args().Present() {
			return usage(words.Piece("error/no-arguments", "command", "man"), words.Piece("hint/see", "command", "explainer man --help"))
		}
		_, err := io.WriteString(c.App.Writer, manual(c.App, language()))
		return err
	},
}

// manual is the help of all commands as a page of man(7).
func manual(app *cli.App, l words.Language) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH EXPLAINER 1 \"\" \"explainer %s\" \"\"\n.nh\n.ad l\n", roff(version()))
	sections := func(of any, macro string) {
		for _, s := range helpOf(l, of) {
			heading := strings.TrimRight(s.heading, ":\uff1a")
			if macro == ".SH" && s.heading == helpOf(l, app)[0].heading {
				heading = "NAME" // what man -k looks for
			}
			fmt.Fprintf(&b, "%s \"%s\"\n", macro, roff(heading))
			for _, p := range paragraphs(s.text) {
				if p.typed {
					fmt.Fprintf(&b, ".PP\n.nf\n%s\n.fi\n", roffLines(p.lines))
					continue
				}
				fmt.Fprintf(&b, ".PP\n%s\n", roffLines(p.lines))
			}
			for _, r := range s.rows {
				fmt.Fprintf(&b, ".TP\n\\fB%s\\fR\n%s\n", roff(r[0]), roffLines([]string{r[1]}))
			}
		}
	}
	sections(app, ".SH")
	var each func(commands []*cli.Command, of string)
	each = func(commands []*cli.Command, of string) {
		for _, c := range commands {
			if c.Hidden || c.Name == "help" {
				continue
			}
			in := *c
			in.HelpName = of + " " + c.Name
			fmt.Fprintf(&b, ".SH \"%s\"\n", roff(strings.ToUpper(in.HelpName)))
			sections(&in, ".SS")
			each(c.Subcommands, in.HelpName)
		}
	}
	each(app.Commands, app.Name)
	return b.String()
}

// roffLines are lines of text for roff, none of which is taken for a request.
func roffLines(lines []string) string {
	var out []string
	for _, line := range lines {
		line = roff(line)
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// roff escapes what roff reads otherwise, and lets it break a line of Chinese.
func roff(s string) string {
	s = chineseBreaks.ReplaceAllString(s, "$1\x00")
	return strings.NewReplacer(`\`, `\e`, `-`, `\-`, `'`, `\(aq`, `"`, `\(dq`, "`", `\(ga`, `^`, `\(ha`, `~`, `\(ti`, "\x00", `\:`).Replace(s)
}

// chineseBreaks are where a line may end without a space.
var chineseBreaks = regexp.MustCompile(`(\p{Han}[\x{3001}\x{3002}\x{ff01}-\x{ff1f}]*)`)
