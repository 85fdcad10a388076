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
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"explainer/annotate/event"
	"explainer/annotate/story"
	"explainer/annotate/text"
	"explainer/annotate/words"
	"explainer/capture/printable"

	"github.com/urfave/cli/v2"
	"github.com/xrash/smetrics"
	"golang.org/x/term"
)

// fails is exit code 1. It comes from err, if that is not nil.
func fails(err error, what event.Text, hint ...event.Text) error {
	f := &story.Failure{What: what, Err: err}
	if len(hint) > 0 {
		f.Hint = hint[0]
	}
	return f
}

// failed is exit code 1, in the words of err.
func failed(err error, hint ...event.Text) error { return fails(err, story.WordsOf(err), hint...) }

// A misuse is exit code 2.
type misuse struct{ error }

func (m misuse) Unwrap() error { return m.error }

func usage(what event.Text, hint ...event.Text) error { return misuse{fails(nil, what, hint...)} }

func usageError(c *cli.Context, err error, _ bool) error {
	name, flags := "explainer", c.App.Flags
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != "explainer" {
		name, flags = c.Command.HelpName, c.Command.Flags
	}
	option, unknown := strings.CutPrefix(err.Error(), noOption)
	if unknown {
		var names []string
		for _, f := range flags {
			if v, ok := f.(cli.VisibleFlag); !ok || v.IsVisible() {
				names = append(names, "--"+f.Names()[0])
			}
		}
		if near := nearest("--"+option, names); len(near) > 0 {
			return usage(optionText(err), perhaps(near, name+" --help"))
		}
		if name == "explainer "+browseCommand.Name {
			return usage(optionText(err), words.Piece("hint/browser-arguments"))
		}
	}
	hint := "hint/see"
	if name == "explainer" {
		hint = "hint/behind-command"
	}
	return usage(optionText(err), words.Piece(hint, "command", name+" --help"))
}

// noOption is how the library begins to say that there is no such option.
const noOption = "flag provided but not defined: -"

// perhaps hints at names that may be meant, and at the help.
func perhaps(names []string, help string) event.Text {
	if len(names) == 0 {
		return words.Piece("hint/see", "command", help)
	}
	return words.Piece("hint/perhaps-see", "names", words.List("or", words.Names(names)...), "command", help)
}

// nearest are at most four of the names that are most like what was typed.
func nearest(typed string, names []string) (near []string) {
	cost := map[string]int{}
	for _, name := range names {
		if cost[name] = smetrics.WagnerFischer(typed, name, 1, 1, 1); len(strings.TrimLeft(typed, "-")) > 2 && strings.Contains(name, typed) {
			cost[name] = 0
		}
		if cost[name] <= 1+len(typed)/4 {
			near = append(near, name)
		}
	}
	slices.SortStableFunc(near, func(a, b string) int { return cost[a] - cost[b] })
	return near[:min(len(near), 4)]
}

// likeFile hints at the files beside one that is not there that have a name like its.
func likeFile(err error) event.Text {
	var path *fs.PathError
	if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &path) {
		return event.Text{}
	}
	near := nearest(filepath.Clean(path.Path), beside(path.Path))
	if len(near) == 0 {
		return event.Text{}
	}
	return words.Piece("hint/perhaps", "cases", words.List("or", words.Names(near)...))
}

// beside are the files in the folder of path, by paths that begin as it does.
func beside(path string) (files []string) {
	entries, _ := os.ReadDir(filepath.Dir(path)) // no folder, no hint
	for _, e := range entries {
		if near := filepath.Join(filepath.Dir(path), e.Name()); !e.IsDir() && text.Clean(near) == near {
			files = append(files, near)
		}
	}
	return files
}

// optionText is what the library says of options, in words of ours for what it says most.
func optionText(err error) event.Text {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, noOption); ok {
		return words.Piece("error/no-option", "option", name)
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return words.Piece("error/option-value", "option", name)
	}
	return words.Piece("error/option", "error", text)
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
	var f *story.Failure
	if !errors.As(err, &f) || f.Error() != err.Error() {
		f = &story.Failure{What: event.Plain(err.Error())}
	}
	say(w, f.What)
	if f.Hint.Empty() {
		f.Hint = likeFile(f.Err)
	}
	if !f.Hint.Empty() {
		say(w, hinted(f.Hint))
	}
	if errors.As(err, new(misuse)) {
		return 2
	}
	return 1
}

// hinted is a hint as a line of its own.
func hinted(hint event.Text) event.Text { return words.Piece("say/hint", "hint", hint) }

// say writes one line "explainer: ...".
func say(w io.Writer, what event.Text) {
	fmt.Fprintf(w, "explainer: %s\n", printable.Text(strings.TrimPrefix(language().In(what), "explainer: ")))
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
	return false, usage(words.Piece("error/color", "value", quote(mode)))
}

// columnsOf is how wide what goes to w is to be: as its terminal, or where it is none as
// COLUMNS says, for those who export it; 0 where nobody says.
func columnsOf(w io.Writer) int {
	width := widthOf(w)
	if width == 0 {
		width, _ = strconv.Atoi(os.Getenv("COLUMNS"))
	}
	return max(width, 0)
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
