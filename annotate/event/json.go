package event

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
)

// JSON writes events as JSON, one object a line (docs/json.md).
type JSON struct {
	w    *bufio.Writer
	line []byte
}

// NewJSON returns a renderer that writes to w.
func NewJSON(w io.Writer) *JSON {
	return &JSON{w: bufio.NewWriterSize(w, 64<<10)}
}

// Event writes one event.
func (j *JSON) Event(e *Event) error {
	j.line = append(events.encode(j.line[:0], reflect.ValueOf(e).Elem()), '\n')
	_, err := j.w.Write(j.line)
	if cap(j.line) > maxLine {
		j.line = nil
	}
	return err
}

// maxLine bounds the room for a line, in bytes, that is kept for the next.
const maxLine = 1 << 20

// events encodes events.
var events = maker{}.coder(reflect.TypeFor[Event]())

// Flush hands everything written so far to the underlying writer.
func (j *JSON) Flush() error { return j.w.Flush() }

// Finish ends the story.
func (j *JSON) Finish() error { return j.w.Flush() }

// ReadJSON reads a story back, event by event, until r ends or yield fails.
func ReadJSON(r io.Reader, yield func(*Event) error) error {
	dec := json.NewDecoder(r)
	for n := 1; ; n++ {
		var e Event
		if err := dec.Decode(&e); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("event %d: %w", n, err)
		}
		if e.Schema != SchemaVersion {
			return fmt.Errorf("event %d: schema version %d, this program reads %d", n, e.Schema, SchemaVersion)
		}
		if err := yield(&e); err != nil {
			return err
		}
	}
}
