package story

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// A Failure is an error with what to do about it, in one line each, in every language.
type Failure struct {
	What event.Text
	Hint event.Text // empty where there is none
	Err  error      // what it comes from, for [errors.Is] and [errors.As]; may be nil
}

func (f *Failure) Error() string { return f.What.English }
func (f *Failure) Unwrap() error { return f.Err }

// WordsOf are the words of an error: of ours in every language, of another as they are.
// Rooms that make no text name their words by ID.
func WordsOf(err error) event.Text {
	switch err := err.(type) {
	case *Failure:
		return err.What
	case interface{ Text() event.Text }:
		return err.Text()
	case interface{ Words() (string, []any) }:
		id, values := err.Words()
		values = slices.Clone(values)
		for i, v := range values {
			if cause, ok := v.(error); ok {
				values[i] = WordsOf(cause)
			}
		}
		return words.Piece(id, values...)
	}
	return event.Plain(err.Error())
}

// fails is a failure that comes from err, if that is not nil.
func fails(err error, what event.Text, hint ...event.Text) error {
	f := &Failure{What: what, Err: err}
	if len(hint) > 0 {
		f.Hint = hint[0]
	}
	return f
}

// failed is a failure in the words of err.
func failed(err error, hint ...event.Text) error { return fails(err, WordsOf(err), hint...) }

// FileError says in words why a file cannot be opened for reading: what it is to be
// (nothing for a capture), its name, the reason.
func FileError(what event.Text, err error) error {
	var path *fs.PathError
	if !errors.As(err, &path) {
		return failed(err)
	}
	file := fileOf(what, path.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fails(err, words.Piece("error/no-such-file", "file", file))
	case errors.Is(err, fs.ErrPermission):
		return fails(err, words.Piece("error/read-permission", "file", file), words.Piece("hint/owner-alone"))
	}
	return fails(err, words.Piece("error/of", "of", file, "error", path.Err.Error()))
}

// fileOf names a file and what it is to be.
func fileOf(what event.Text, path string) event.Text {
	if what.Empty() {
		return event.Plain(path)
	}
	return words.Piece("error/what-file", "what", what, "file", path)
}

// WriteError says in words why a file cannot be opened for writing.
func WriteError(what event.Text, err error) error {
	var path *fs.PathError
	if !errors.As(err, &path) {
		return failed(err)
	}
	file := fileOf(what, path.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		folder := filepath.Dir(path.Path)
		if _, no := os.Stat(folder); errors.Is(no, fs.ErrNotExist) {
			return fails(err, words.Piece("error/no-folder", "file", file, "folder", folder))
		}
		return fails(err, words.Piece("error/no-file-there", "file", file))
	case errors.Is(err, fs.ErrPermission):
		return fails(err, words.Piece("error/write-permission", "file", file))
	case errors.Is(err, syscall.ENXIO):
		return fails(err, words.Piece("error/nobody-reads", "file", file), words.Piece("hint/start-reader"))
	case errors.Is(err, syscall.EISDIR):
		return fails(err, words.Piece("error/is-folder", "file", file), words.Piece("hint/file-in-folder"))
	}
	return fails(err, words.Piece("error/of", "of", file, "error", path.Err.Error()))
}
