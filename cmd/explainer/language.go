package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"

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
	if l == words.English {
		return
	}
	app.Usage, app.Description = l.Help("usage/explainer"), l.Help("help/explainer")
	for i, f := range app.Flags {
		if f == cli.HelpFlag {
			continue
		}
		app.Flags[i] = flagWith(l, "explainer", f)
	}
	for i, c := range app.Commands {
		if c.Name != "help" && !c.Hidden {
			app.Commands[i] = commandIn(l, c, c.Name)
		}
	}
}

// commandIn is a command with its help in a language; id is its name, behind that of
// the command that it belongs to.
func commandIn(l words.Language, c *cli.Command, id string) *cli.Command {
	in := *c
	in.Usage, in.Description = l.Help("usage/"+id), l.Help("help/"+id)
	in.Flags = nil
	for _, f := range c.Flags {
		in.Flags = append(in.Flags, flagWith(l, id, f))
	}
	in.Subcommands = nil
	for _, s := range c.Subcommands {
		if s.Name != "help" {
			s = commandIn(l, s, id+"-"+s.Name)
		}
		in.Subcommands = append(in.Subcommands, s)
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
	case tableFlag:
		in := *f.StringFlag
		in.Usage = usage
		return tableFlag{&in}
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
