package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// arrange puts the arguments into the order that the library reads: the options of a command
// first, wherever they were given. Behind the first argument of run and check everything is
// the child's own, as everything is behind --. A capture in place of a command is read.
func arrange(app *cli.App, args []string) []string {
	out, rest := slices.Clone(args[:min(1, len(args))]), args[len(args[:min(1, len(args))]):]
	commands, flags := app.Commands, app.Flags
	for len(rest) > 0 {
		if isOption(rest[0]) {
			n := optionWords(flags, rest)
			if optionOf(flags, rest[0]) == nil && len(out) == len(args)-len(rest) && readsOnly(app, rest) {
				return arrange(app, slices.Concat(out, []string{readCommand.Name}, rest))
			}
			out, rest = append(out, rest[:n]...), rest[n:]
			continue
		}
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(rest[0]) })
		if i < 0 {
			if len(commands) == len(app.Commands) && isCapture(rest[0]) {
				return arrange(app, slices.Concat(out, []string{readCommand.Name}, rest))
			}
			return append(out, rest...)
		}
		c := commands[i]
		out, rest = append(out, rest[0]), rest[1:]
		if len(c.Subcommands) == 0 {
			return append(out, optionsFirst(c, rest)...)
		}
		commands, flags = c.Subcommands, c.Flags
	}
	return out
}

// optionsFirst are the arguments of a command with its options before all else.
func optionsFirst(c *cli.Command, args []string) []string {
	if c.SkipFlagParsing {
		return args
	}
	var options, others []string
	for len(args) > 0 && args[0] != "--" {
		n := 1
		switch {
		case !isOption(args[0]) && takesCommand(c):
			return append(options, args...)
		case !isOption(args[0]):
			others = append(others, args[0])
		case slices.Contains(cli.HelpFlag.Names(), strings.TrimLeft(args[0], "-")):
			return args[:1] // of which the library would show the help of the arguments
		default:
			n = optionWords(c.Flags, args)
			options = append(options, args[:n]...)
		}
		args = args[n:]
	}
	if len(args) > 0 && c.Name != browseCommand.Name { // which looks for -- itself
		return slices.Concat(options, args[:1], others, args[1:])
	}
	return slices.Concat(options, others, args)
}

// takesCommand tells that what follows a command's options is the command line of another program.
func takesCommand(c *cli.Command) bool {
	return c.Name == runCommand.Name || c.Name == checkCommand.Name
}

// isOption tells an option from an argument; "-" is standard input.
func isOption(arg string) bool { return len(arg) > 1 && arg[0] == '-' && arg != "--" }

// optionOf is the flag that an argument names, or nil.
func optionOf(flags []cli.Flag, arg string) cli.Flag {
	name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
	for _, f := range append(slices.Clip(flags), cli.HelpFlag, cli.VersionFlag) {
		if f != nil && slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

// optionWords is of how many arguments the option is that args begin with.
func optionWords(flags []cli.Flag, args []string) int {
	f, ok := optionOf(flags, args[0]).(cli.DocGenerationFlag)
	if ok && f.TakesValue() && !strings.Contains(args[0], "=") && len(args) > 1 {
		return 2
	}
	return 1
}

// isCapture tells that what stands in place of a command is a capture: a file, or the name of one.
func isCapture(arg string) bool {
	if info, err := os.Stat(arg); arg == "-" || err == nil && !info.IsDir() {
		return true
	}
	return slices.Contains([]string{".pcap", ".pcapng", ".cap"}, filepath.Ext(strings.TrimSuffix(arg, ".gz")))
}

// readsOnly tells that args, which begin with an option, name no command but a capture.
func readsOnly(app *cli.App, args []string) bool {
	if slices.ContainsFunc(args, func(a string) bool { return app.Command(a) != nil }) {
		return false
	}
	return optionOf(readCommand.Flags, args[0]) != nil && slices.ContainsFunc(args[1:], isCapture)
}
