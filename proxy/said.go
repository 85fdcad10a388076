package proxy

import (
	"errors"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// A saidError is an error in words of ours.
type saidError struct {
	text  event.Text
	cause error // that the text says too; may be nil
}

// said makes one. The piece of that ID has a place for the cause, if there is one.
func said(id string, cause error) error {
	if cause == nil {
		return &saidError{text: words.Piece(id)}
	}
	return &saidError{words.Piece(id, "cause", detailOf(cause)), cause}
}

func (e *saidError) Error() string { return e.text.English }
func (e *saidError) Unwrap() error { return e.cause }

// Text is what the error says, in every language.
func (e *saidError) Text() event.Text { return e.text }

// detailOf is what an error says: the system's words as they are, and ours, if it ends in them.
func detailOf(err error) event.Text {
	var ours *saidError
	if !errors.As(err, &ours) {
		return event.Plain(err.Error())
	}
	if where, ok := strings.CutSuffix(err.Error(), ": "+ours.Error()); ok {
		return words.Piece("detail/behind", "where", where, "what", ours.text)
	}
	return ours.text
}
