package story

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// A Failure is an error with what to do about it, in one line each.
type Failure struct {
	Err  error
	Hint string // "" where there is none
}

func (f *Failure) Error() string { return f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

func failed(err error, hint string) error { return &Failure{err, hint} }

// FileError says in words why a file cannot be opened for reading: what it is to be
// ("" for a capture), its name, the reason.
func FileError(what string, err error) error {
	var path *fs.PathError
	if !errors.As(err, &path) {
		return failed(err, "")
	}
	if what != "" {
		what += " "
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return failed(fmt.Errorf("%s%s: there is no such file", what, path.Path), "")
	case errors.Is(err, fs.ErrPermission):
		return failed(fmt.Errorf("%s%s: no permission to read it", what, path.Path), "recordings are made readable by their owner alone")
	}
	return failed(fmt.Errorf("%s%s: %w", what, path.Path, path.Err), "")
}

// WriteError says in words why a file cannot be opened for writing.
func WriteError(what string, err error) error {
	var path *fs.PathError
	if !errors.As(err, &path) {
		return failed(err, "")
	}
	what += " " + path.Path
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, no := os.Stat(filepath.Dir(path.Path)); errors.Is(no, fs.ErrNotExist) {
			return failed(fmt.Errorf("%s: there is no folder %s", what, filepath.Dir(path.Path)), "")
		}
		return failed(fmt.Errorf("%s: no file can be made there", what), "")
	case errors.Is(err, fs.ErrPermission):
		return failed(fmt.Errorf("%s: no permission to write it", what), "")
	case errors.Is(err, syscall.ENXIO):
		return failed(fmt.Errorf("%s: nobody reads this pipe", what), "start first what is to read it")
	case errors.Is(err, syscall.EISDIR):
		return failed(fmt.Errorf("%s: this is a folder", what), "name a file in it")
	}
	return failed(fmt.Errorf("%s: %w", what, path.Err), "")
}
