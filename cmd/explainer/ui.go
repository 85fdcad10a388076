package main

// The rules of the terminal:
//
//   - The story goes to standard output, or where --story says. With run,
//     standard output belongs to the child, and the story goes to standard error.
//   - Everything else goes to standard error, as one line "explainer: ...",
//     lower case, no full stop at the end; a hint, where there is one, follows
//     on a line of its own: "explainer: hint: ...".
//   - Exit codes: 0 fine; 1 it could not do what was asked; 2 wrong usage;
//     run exits with its child's code.

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"

	"explainer/annotate/story"
	"explainer/capture/printable"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// failed is exit code 1.
func failed(err error, hint string) error { return &story.Failure{Err: err, Hint: hint} }

// A misuse is exit code 2.
type misuse struct{ error }

func (m misuse) Unwrap() error { return m.error }

func usage(what, hint string) error { return misuse{failed(errors.New(what), hint)} }

func usageError(c *cli.Context, err error, _ bool) error {
	name := "explainer"
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != "explainer" {
		name += " " + c.Command.Name
	}
	hint := "see " + name + " --help"
	if name == "explainer" {
		hint = "options stand behind their command; " + hint
	}
	return usage(err.Error(), hint)
}

// childExit carries the exit code of the program that run started.
type childExit int

func (c childExit) Error() string { return "exit status " + strconv.Itoa(int(c)) }

// exitCode tells err on w and returns the exit code that it asks for.
func exitCode(w io.Writer, err error) int {
	if err == nil {
		return 0
	}
	var child childExit
	if errors.As(err, &child) {
		return int(child)
	}
	if errors.Is(err, syscall.EPIPE) {
		return 0 // whoever was reading (head, less) has read enough
	}
	say(w, err.Error())
	var f *story.Failure
	if errors.As(err, &f) && f.Hint != "" {
		say(w, "hint: "+f.Hint)
	}
	if errors.As(err, new(misuse)) {
		return 2
	}
	return 1
}

// say writes one line "explainer: ...".
func say(w io.Writer, what string) {
	what = strings.TrimPrefix(what, "explainer: ")
	fmt.Fprintf(w, "explainer: %s\n", printable.Text(what))
}

func quote(s string) string { return strconv.Quote(s) }

// colorOf decides whether w gets colours: --color, NO_COLOR, and whether w is a terminal.
func colorOf(mode string, w io.Writer) (bool, error) {
	switch mode {
	case "always":
		return true, nil
	case "never":
		return false, nil
	case "auto", "":
		return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && widthOf(w) > 0, nil
	}
	return false, usage("--color is auto, always or never, not "+quote(mode), "")
}

// widthOf is the width of the terminal that w is, or 0.
func widthOf(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 80
	}
	return width
}
