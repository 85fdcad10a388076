package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"explainer/annotate/text"
	"explainer/annotate/words"

	"github.com/urfave/cli/v2"
)

// A helpSection is one part of the help of a command: text, or rows of a name and what it is.
type helpSection struct {
	heading string
	text    string
	rows    [][2]string
}

// A flagGroup are options that stand together in the help.
type flagGroup struct {
	id, heading string
	flags       []string // by name, or as COMMAND/NAME
}

// flagGroups are all of them. A flag that is in none is the command's own, and stands first.
var flagGroups = []flagGroup{
	{"own", "OPTIONS", nil},
	{"choose", "SELECTION OPTIONS", []string{"connection", "read/host", "step", "verdict", "only-failed"}},
	{"change", "CHANGE OPTIONS", []string{"flip", "inside", "without", "chain-of"}},
	{"listen", "LISTENING OPTIONS", []string{"listen-port", "listen-host", "allow"}},
	{"origins", "ORIGIN OPTIONS", []string{"passthrough", "map", "origin-ca", "client-cert", "on-bad-origin", "on-unsupported", "on-local-request", "upstream-proxy"}},
	{"record", "RECORDING AND KEY OPTIONS", []string{"write", "force", "rotate", "keep", "spool", "strip-keys", "redact", "keylog", "key"}},
	{"story", "STORY OPTIONS", []string{"story", "web", "web-keep", "html", "format", "overview", "rows", "jobs", "resume", "messages", "bytes", "verbose", "all", "demo/all", "read/as", "secrets", "show-secrets", "roots", "decode-as", "ascii", "color"}},
	{"general", "GENERAL OPTIONS", []string{"home", "lang", "help", "version"}},
}

// groupOf is the index in flagGroups of a command's flag.
func groupOf(command, flag string) int {
	return max(0, slices.IndexFunc(flagGroups, func(g flagGroup) bool {
		return slices.Contains(g.flags, flag) || slices.Contains(g.flags, command+"/"+flag)
	}))
}

// helpOf is the help of the app or of a command, in a language.
func helpOf(l words.Language, of any) []helpSection {
	heading := func(id, english string) string { return cmp.Or(l.Help("word/"+id), english+":") }
	var name, usage, usageText, description string
	var commands []*cli.Command
	var flags []cli.Flag
	command := "explainer"
	switch of := of.(type) {
	case *cli.App:
		name, usage, description, commands, flags = of.Name, of.Usage, of.Description, of.Commands, of.Flags
		usageText = of.UsageText
	case *cli.Command:
		command, name = of.Name, cmp.Or(of.HelpName, "explainer "+of.Name)
		usage, usageText, description, commands, flags = of.Usage, of.UsageText, of.Description, of.Subcommands, of.Flags
	}
	sections := []helpSection{
		{heading: heading("name", "NAME"), text: name + " - " + usage},
		{heading: heading("usage", "USAGE"), text: cmp.Or(usageText, name)},
		{heading: heading("description", "DESCRIPTION"), text: description},
	}
	var rows [][2]string
	for _, c := range commands {
		if !c.Hidden {
			rows = append(rows, [2]string{strings.Join(c.Names(), ", "), c.Usage})
		}
	}
	sections = append(sections, helpSection{heading: heading("commands", "COMMANDS"), rows: rows})
	groups := make([]helpSection, len(flagGroups))
	for i, g := range flagGroups {
		groups[i].heading = cmp.Or(l.Help("group/"+g.id), g.heading+":")
	}
	if !slices.ContainsFunc(flags, func(f cli.Flag) bool { return f.Names()[0] == "help" }) {
		flags = append(slices.Clip(flags), cli.HelpFlag)
	}
	for _, f := range flags {
		if v, ok := f.(cli.VisibleFlag); !ok || v.IsVisible() {
			g := &groups[groupOf(command, f.Names()[0])]
			g.rows = append(g.rows, flagRow(l, f))
		}
	}
	return slices.DeleteFunc(append(sections, groups...), func(s helpSection) bool { return s.text == "" && len(s.rows) == 0 })
}

// flagRow is a flag as it is typed, and what it does.
func flagRow(l words.Language, f cli.Flag) [2]string {
	d := f.(cli.DocGenerationFlag)
	usage := d.GetUsage()
	var typed []string
	for _, n := range f.Names() {
		if len(n) == 1 {
			typed = append([]string{"-" + n}, typed...)
			continue
		}
		typed = append(typed, "--"+n)
	}
	place, values := placeOf(f)
	if len(values) > 3 {
		usage = strings.Replace(usage, place, strings.Join(values, ", "), 1)
		place = "VALUE"
	}
	if place != "" {
		typed[len(typed)-1] += " " + place
	}
	switch f.Names()[0] {
	case "help", "version": // the library's own
		usage = cmp.Or(l.Help("flag/"+f.Names()[0]), usage)
	}
	usage = strings.Replace(usage, "`", "", 2)
	if value := d.GetDefaultText(); value != "" && d.TakesValue() {
		usage += strings.ReplaceAll(cmp.Or(l.Help("word/default"), " (default: {value})"), "{value}", strings.Trim(value, `"`))
	}
	if of := d.GetEnvVars(); len(of) > 0 {
		usage += " [$" + strings.Join(of, ", $") + "]"
	}
	return [2]string{strings.Join(typed, ", "), usage}
}

// placeOf is what stands for the value of a flag in its help, and the values where there are but those.
func placeOf(f cli.Flag) (place string, values []string) {
	d := f.(cli.DocGenerationFlag)
	if !d.TakesValue() {
		return "", nil
	}
	_, rest, _ := strings.Cut(d.GetUsage(), "`")
	place, _, _ = strings.Cut(rest, "`")
	if values = strings.Split(place, "|"); len(values) == 1 && strings.ToLower(place) != place {
		values = nil
	}
	return cmp.Or(place, "VALUE"), values
}

// helpWidth is how wide the help is on w: as its terminal, and no wider than is easily read.
func helpWidth(w io.Writer) int {
	width := columnsOf(w)
	if width == 0 {
		width = 80
	}
	return min(max(width, 40), 100)
}

// printHelp writes the help of the app or of a command.
func printHelp(w io.Writer, l words.Language, of any) {
	const indent = "   "
	width := helpWidth(w) - len(indent)
	var b strings.Builder
	for i, s := range helpOf(l, of) {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintln(&b, s.heading)
		for j, p := range paragraphs(s.text) {
			if j > 0 {
				b.WriteByte('\n')
			}
			lines := p.lines
			if !p.typed {
				lines = text.Wrap(p.lines[0], width)
			}
			for _, line := range lines {
				fmt.Fprintln(&b, indent+line)
			}
		}
		widest := 0
		for _, r := range s.rows {
			widest = max(widest, len(r[0]))
		}
		column := min(widest, 22, width/3) + 2
		for _, r := range s.rows {
			margin := "\n" + indent + strings.Repeat(" ", column)
			lines := strings.Join(text.Wrap(r[1], width-column), margin)
			if len(r[0]) > column-2 {
				fmt.Fprintln(&b, indent+r[0]+margin+lines)
				continue
			}
			fmt.Fprintln(&b, indent+text.Pad(r[0], column)+lines)
		}
	}
	io.WriteString(w, b.String())
}

// A paragraph of a help is one text, or lines as they are typed, which are indented.
type paragraph struct {
	typed bool
	lines []string
}

// paragraphs reads the text of a help, in which an empty line ends a paragraph.
func paragraphs(s string) (out []paragraph) {
	if s == "" {
		return nil
	}
	for _, p := range strings.Split(s, "\n\n") {
		lines := strings.Split(p, "\n")
		if strings.HasPrefix(p, "   ") {
			out = append(out, paragraph{true, lines})
			continue
		}
		joined := lines[0]
		for _, line := range lines[1:] {
			joined += between(joined, line) + line
		}
		out = append(out, paragraph{false, []string{joined}})
	}
	return out
}

// between is what stands between two lines that become one: a space, but not in Chinese.
func between(a, b string) string {
	last, _ := utf8.DecodeLastRuneInString(a)
	first, _ := utf8.DecodeRuneInString(b)
	wide := func(r rune) bool { return unicode.In(r, unicode.Han) }
	sign := func(r rune) bool { return !wide(r) && r >= 0x3000 }
	if sign(last) || sign(first) || wide(last) && wide(first) {
		return ""
	}
	return " "
}

// helpCommand shows the help of any command.
func helpCommand(l words.Language) *cli.Command {
	return &cli.Command{
		Name: "help", Aliases: []string{"h"}, UsageText: "explainer help [COMMAND...]", Usage: cmp.Or(l.Help("usage/help"), "list all commands, or show the help of one"),
		HideHelp: true, Flags: []cli.Flag{langFlag}, OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			var of any = c.App
			commands, name := c.App.Commands, "explainer"
			if above := c.Lineage()[1].Command; above != nil && len(above.Subcommands) > 0 && above.Name != c.App.Name {
				of, commands, name = above, above.Subcommands, "explainer "+above.Name
			}
			for _, arg := range c.Args().Slice() {
				i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(arg) })
				if i < 0 {
					return noCommand(name, arg, commands)
				}
				shown := *commands[i]
				name += " " + shown.Name
				shown.HelpName = name
				of, commands = &shown, shown.Subcommands
			}
			printHelp(c.App.Writer, l, of)
			return nil
		},
	}
}

// noCommand says that there is no such command, and which may be meant.
func noCommand(of, arg string, commands []*cli.Command) error {
	var names []string
	for _, c := range commands {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	what := words.Piece("error/no-command", "value", quote(arg))
	if name, ok := strings.CutPrefix(of, "explainer "); ok {
		what = words.Piece("error/no-subcommand", "command", name, "value", quote(arg))
	} else if strings.ContainsAny(arg, `./\`) { // the name of a capture, mistyped
		what = words.Piece("error/no-command-or-file", "value", quote(arg))
		names = slices.DeleteFunc(beside(arg), func(path string) bool { return !isCapture(path) })
	}
	return usage(what, perhaps(nearest(arg, names), of+" --help"))
}
