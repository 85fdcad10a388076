package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"explainer/annotate/text"
	"explainer/annotate/words"

	"github.com/urfave/cli/v2"
)

var langFlag = &cli.StringFlag{Name: "lang", Usage: "language of the text: `en|zh`", DefaultText: "what LC_ALL, LC_MESSAGES or LANG says"}

// inChinese says in which language this program speaks: what it tells, its help, its
// errors. JSON, HAR, JUnit and recordings are the same in each.
var inChinese atomic.Bool

// language is the one that this program speaks.
func language() words.Language {
	if inChinese.Load() {
		return words.Chinese
	}
	return words.English
}

// environmentLanguage is the language that the locale names. As POSIX has it (8.2 of the
// base definitions), the first of the variables counts that is set and not empty.
func environmentLanguage() words.Language {
	if strings.HasPrefix(cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG")), "zh") {
		return words.Chinese
	}
	return words.English
}

// argumentsLanguage is the language of what is said before the arguments are parsed, or if
// they cannot be: help and errors of theirs. What stands behind -- is not ours.
func argumentsLanguage(args []string) words.Language {
	l := environmentLanguage()
	for i, a := range args {
		if a == "--" {
			break
		}
		name, value, has := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(a, "-"), "-"), "=")
		if name != langFlag.Name || !strings.HasPrefix(a, "-") {
			continue
		}
		if !has && i+1 < len(args) {
			value = args[i+1]
		}
		if v := words.Language(value); slices.Contains(words.Languages, v) {
			l = v
		}
	}
	return l
}

// askedLanguage is what --lang says, of the command or before it; "" where it is not given.
func askedLanguage(c *cli.Context) words.Language {
	for _, at := range c.Lineage() {
		if at.Command != nil && at.IsSet(langFlag.Name) {
			return words.Language(at.String(langFlag.Name))
		}
	}
	return ""
}

// speak has the language spoken that is asked for.
func speak(c *cli.Context) error {
	l := cmp.Or(askedLanguage(c), environmentLanguage())
	if !slices.Contains(words.Languages, l) {
		return usage(words.Piece("error/lang", "value", quote(string(l))))
	}
	inChinese.Store(l == words.Chinese)
	return nil
}

// helpIn puts the help of the app into a language other than English, which the commands hold themselves.
func helpIn(app *cli.App, l words.Language) {
	cli.FlagStringer, cli.VersionPrinter = englishFlag, englishVersion
	if l == words.English {
		return
	}
	cli.FlagStringer = func(f cli.Flag) string { return flagIn(l, f) }
	cli.VersionPrinter = func(c *cli.Context) {
		fmt.Fprintln(c.App.Writer, c.App.Name, l.Help("word/version"), c.App.Version)
	}
	app.Usage, app.Description = l.Help("usage/explainer"), l.Help("help/explainer")
	app.CustomAppHelpTemplate = headings(l, cli.AppHelpTemplate)
	for i, f := range app.Flags {
		app.Flags[i] = flagWith(l, "explainer", f)
	}
	for i, c := range app.Commands {
		app.Commands[i] = commandIn(l, c, c.Name)
	}
	app.Commands, app.Flags = append(app.Commands, helpCommand(l)), append(app.Flags, cli.HelpFlag)
}

var (
	englishFlag    = cli.FlagStringer
	englishVersion = cli.VersionPrinter
)

// helpCommand is the library's own, in a language. Beside it the library adds no flag --help.
func helpCommand(l words.Language) *cli.Command {
	return &cli.Command{
		Name: "help", Aliases: []string{"h"}, ArgsUsage: "[COMMAND]", Usage: l.Help("usage/help"), HideHelp: true, Flags: []cli.Flag{langFlag}, OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			above := c.Lineage()[1]
			if name := c.Args().First(); name != "" {
				return cli.ShowCommandHelp(above, name)
			}
			if above.Command == nil || above.Command.Name == c.App.Name {
				return cli.ShowAppHelp(c)
			}
			return cli.ShowSubcommandHelp(above)
		},
	}
}

// commandIn is a command with its help in a language; id is its name, behind that of
// the command that it belongs to.
func commandIn(l words.Language, c *cli.Command, id string) *cli.Command {
	in := *c
	in.Usage, in.Description = l.Help("usage/"+id), l.Help("help/"+id)
	in.CustomHelpTemplate = headings(l, cli.CommandHelpTemplate)
	in.Flags = nil
	for _, f := range c.Flags {
		in.Flags = append(in.Flags, flagWith(l, id, f))
	}
	in.Subcommands = nil
	for _, s := range c.Subcommands {
		in.Subcommands = append(in.Subcommands, commandIn(l, s, id+"-"+s.Name))
	}
	if len(in.Subcommands) > 0 {
		in.CustomHelpTemplate = headings(l, cli.SubcommandHelpTemplate)
		in.Subcommands, in.Flags = append(in.Subcommands, helpCommand(l)), append(in.Flags, cli.HelpFlag)
	}
	return &in
}

// flagHelp is what the help says of a command's flag: words of its own, or those of all flags of that name.
func flagHelp(l words.Language, kind, command, name string) string {
	return cmp.Or(l.Help(kind+"/"+command+"/"+name), l.Help(kind+"/"+name))
}

// flagWith is a command's flag with its help in a language.
func flagWith(l words.Language, command string, f cli.Flag) cli.Flag {
	usage := flagHelp(l, "flag", command, f.Names()[0])
	value := flagHelp(l, "default", command, f.Names()[0])
	switch f := f.(type) {
	case *cli.StringFlag:
		in := *f
		in.Usage, in.DefaultText = usage, cmp.Or(value, f.DefaultText)
		return &in
	case *cli.StringSliceFlag:
		in := *f
		in.Usage = usage
		return &in
	case *cli.BoolFlag:
		in := *f
		in.Usage = usage
		return &in
	case *cli.IntFlag:
		in := *f
		in.Usage, in.DefaultText = usage, cmp.Or(value, f.DefaultText)
		return &in
	case *cli.DurationFlag:
		in := *f
		in.Usage = usage
		return &in
	}
	panic(fmt.Sprintf("a %T has no help in another language", f))
}

// flagIn is what the help shows of a flag, behind three spaces.
func flagIn(l words.Language, f cli.Flag) string {
	names, _, _ := strings.Cut(englishFlag(f), "\t")
	d := f.(cli.DocGenerationFlag)
	usage := strings.Replace(d.GetUsage(), "`", "", 2)
	switch f.Names()[0] {
	case "help", "version": // the library's own
		usage = l.Help("flag/" + f.Names()[0])
	}
	if value := d.GetDefaultText(); value != "" && d.TakesValue() {
		usage += strings.ReplaceAll(l.Help("word/default"), "{value}", value)
	}
	if of := d.GetEnvVars(); len(of) > 0 {
		usage += " [$" + strings.Join(of, ", $") + "]"
	}
	// The library breaks lines at spaces, and counts bytes.
	const indent, page = 28, 80
	lines := text.Wrap(usage, page-indent)
	margin := "\n" + strings.Repeat(" ", indent-6) // behind the six of the template
	if len(names)+3 > indent-2 {
		return names + margin + strings.Join(lines, margin)
	}
	return text.Pad(names, indent-3) + strings.Join(lines, margin)
}

// headings puts the headings of a template of the library's into a language.
func headings(l words.Language, template string) string {
	for _, of := range [][2]string{
		{"GLOBAL OPTIONS:", "word/global-options"}, {"OPTIONS:", "word/options"}, {"COMMANDS:", "word/commands"}, {"DESCRIPTION:", "word/description"},
		{"VERSION:", "word/version-heading"}, {"USAGE:", "word/usage"}, {"NAME:", "word/name"},
		{"[global options]", "word/usage-global-options"}, {" command [command options]", "word/usage-command"},
	} {
		template = strings.ReplaceAll(template, of[0], l.Help(of[1]))
	}
	return template
}
