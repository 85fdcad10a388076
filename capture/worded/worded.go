// Package worded has errors that name their words as well, for who says them in another language.
package worded

type wordedError struct {
	error
	id     string
	values []any
}

// Error adds to an error in English the permanent ID of its words, and their values in
// name, value pairs.
func Error(err error, id string, values ...any) error { return &wordedError{err, id, values} }

func (e *wordedError) Unwrap() error                    { return e.error }
func (e *wordedError) Words() (id string, values []any) { return e.id, e.values }
