package main

import (
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"explainer/annotate/words"

	"github.com/urfave/cli/v2"
)

// The library's own completion knows neither the values of options nor where files or another
// program's command line stand. Here a shell asks this program for what may follow.

//go:embed completion/bash
var completionBash string

//go:embed completion/zsh
var completionZsh string

//go:embed completion/fish
var completionFish string

var completionCommand = &cli.Command{
	Name:      "completion",
	Usage:     "print what lets a shell complete commands, options and their values",
	UsageText: "explainer completion bash|zsh|fish",
	Description: `The shell reads it when it starts. What it offers then comes from the program itself.

Examples:

   source <(explainer completion bash)
   explainer completion bash > ~/.local/share/bash-completion/completions/explainer
   explainer completion zsh > "${fpath[1]}/_explainer"
   explainer completion fish > ~/.config/fish/completions/explainer.fish`,
	Action: func(c *cli.Context) error {
		script, ok := map[string]string{"bash": completionBash, "zsh": completionZsh, "fish": completionFish}[c.Args().First()]
		if !ok || c.Args().Len() != 1 {
			return usage(words.Piece("error/completion"), words.Piece("hint/as-in-command", "example", "explainer completion bash"))
		}
		_, err := io.WriteString(c.App.Writer, script)
		return err
	},
}

// completeCommand is what the scripts ask: a candidate a line, a tab and what it is; and
// where other words may stand, ":files" or ":commands" at the end.
var completeCommand = &cli.Command{
	Name: "complete", Hidden: true, SkipFlagParsing: true,
	Action: func(c *cli.Context) error {
		typed := c.Args().Slice()
		if len(typed) > 0 && typed[0] == "--" {
			typed = typed[1:]
		}
		if len(typed) == 0 {
			typed = []string{""}
		}
		candidates, others := complete(c.App, typed)
		var b strings.Builder
		for _, row := range candidates {
			if strings.HasPrefix(row[0], typed[len(typed)-1]) {
				fmt.Fprintf(&b, "%s\t%s\n", row[0], strings.ReplaceAll(row[1], "\n", " "))
			}
		}
		if others != "" {
			fmt.Fprintln(&b, ":"+others)
		}
		_, err := io.WriteString(c.App.Writer, b.String())
		return err
	},
}

// complete finds what may stand in place of the last word.
func complete(app *cli.App, typed []string) (candidates [][2]string, others string) {
	last, commands, flags := typed[len(typed)-1], app.Commands, app.Flags
	var command *cli.Command
	arguments := 0
	for before := typed[:len(typed)-1]; len(before) > 0; {
		switch {
		case before[0] == "--" && command != nil && takesCommand(command):
			return nil, []string{"commands", "files"}[min(len(before)-1, 1)]
		case isOption(before[0]):
			if n := optionWords(flags, append(slices.Clone(before), last)); n > len(before) {
				return valuesOf(optionOf(flags, before[0]))
			} else {
				before = before[n:]
				continue
			}
		case len(commands) == 0:
			if arguments++; takesCommand(command) {
				return nil, "files"
			}
		default:
			i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(before[0]) })
			if i < 0 {
				return nil, "files"
			}
			command = commands[i]
			commands, flags = command.Subcommands, command.Flags
		}
		before = before[1:]
	}
	if strings.HasPrefix(last, "-") {
		for _, f := range append(slices.Clip(flags), cli.HelpFlag) {
			if v, ok := f.(cli.VisibleFlag); ok && !v.IsVisible() {
				continue
			}
			row := flagRow(language(), f)
			for _, n := range f.Names() {
				if len(n) > 1 || last == "-" {
					candidates = append(candidates, [2]string{strings.Repeat("-", min(len(n), 2)) + n, row[1]})
				}
			}
		}
		return candidates, ""
	}
	for _, c := range commands {
		if !c.Hidden {
			candidates = append(candidates, [2]string{c.Name, c.Usage})
		}
	}
	switch {
	case command == nil || command.Name == readCommand.Name:
		others = "files"
	case takesCommand(command):
		others = "commands"
	case command.Name == completionCommand.Name && arguments == 0:
		candidates = [][2]string{{"bash"}, {"zsh"}, {"fish"}}
	}
	return candidates, others
}

// valuesOf are the values that a flag may have, or where they are found.
func valuesOf(f cli.Flag) (candidates [][2]string, others string) {
	place, values := placeOf(f)
	if f.Names()[0] == "only" {
		values = faultIDs()
	}
	for _, v := range values {
		if v == strings.ToLower(v) {
			candidates = append(candidates, [2]string{v})
		}
	}
	for _, of := range []string{"FILE", "DIR", "PATH"} {
		if strings.Contains(place, of) {
			return candidates, "files"
		}
	}
	return candidates, ""
}
