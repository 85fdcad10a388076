package keys

// A wordedError is an error that names its words as well, for who says it in another language.
type wordedError struct {
	error
	id     string // permanent
	values []any  // name, value pairs
}

// worded makes one of an error in English.
func worded(err error, id string, values ...any) error { return &wordedError{err, id, values} }

func (e *wordedError) Unwrap() error                    { return e.error }
func (e *wordedError) Words() (id string, values []any) { return e.id, e.values }
