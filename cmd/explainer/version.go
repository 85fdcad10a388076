package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"explainer/annotate/event"
	"explainer/annotate/words"

	"github.com/urfave/cli/v2"
)

// Of -version the library makes -v, which asks for the longer story here.
func init() {
	cli.VersionFlag = &cli.BoolFlag{Name: "version", Aliases: []string{"V"}, Usage: "print the version", DisableDefaultText: true}
	cli.VersionPrinter = func(c *cli.Context) {
		fmt.Fprintln(c.App.Writer, language().In(words.Piece("version/line", "version", version(), "commit", commit(), "go", runtime.Version(), "system", runtime.GOOS+"/"+runtime.GOARCH)))
	}
	cli.HelpPrinter = func(w io.Writer, _ string, of any) { printHelp(w, language(), of) }
}

// version is what the build says of itself.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}

// commit is the one that the build was made of, as far as it says.
func commit() event.Text {
	id, changed := "", false
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				id = s.Value
			case "vcs.modified":
				changed = s.Value == "true"
			}
		}
	}
	switch {
	case id == "":
		return words.Piece("version/no-commit")
	case changed:
		return words.Piece("version/commit-changed", "id", id)
	}
	return words.Piece("version/commit", "id", id)
}
