// Package rows tells a story as flat rows, for tables: one a connection, one a distinct
// certificate or one a finding. Its columns, their types and what they mean stand in
// docs/rows.md.
package rows

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/capture/printable"
)

// Version is the version of the tables, which each row carries. Within a version columns
// may be added at the end; one that is there keeps its name, its type and its meaning.
const Version = 1

// The tables.
const (
	Connections  = "connections"
	Certificates = "certificates"
	Findings     = "findings"
)

// Tables are their names.
var Tables = []string{Connections, Certificates, Findings}

// Formats are the forms of a table: an object a line, or comma-separated values below a
// line with their names (RFC 4180).
var Formats = []string{"json", "csv"}

// A Column is one of a table.
type Column struct {
	Name string
	Type string // "text", "integer", "boolean", or "time": RFC 3339, UTC, nanoseconds
}

// The types of columns.
const (
	typeText    = "text"
	typeInteger = "integer"
	typeBoolean = "boolean"
	typeTime    = "time"
)

// Columns are those of a table, in their order.
func Columns(table string) []Column {
	switch table {
	case Connections:
		return columnsOf(connectionColumns)
	case Certificates:
		return columnsOf(certificateColumns)
	case Findings:
		return columnsOf(findingColumns)
	}
	return nil
}

// A column is one of a table whose rows are made of T. What it is of is a string, an int,
// an int64, a bool or nil, which is not known or does not exist.
type column[T any] struct {
	Column
	of func(T) any
}

func columnsOf[T any](from []column[T]) (columns []Column) {
	for _, c := range from {
		columns = append(columns, c.Column)
	}
	return columns
}

func text[T any](name string, of func(T) string) column[T] {
	return column[T]{Column{name, typeText}, func(t T) any { return known(of(t)) }}
}

func moment[T any](name string, of func(T) string) column[T] {
	return column[T]{Column{name, typeTime}, func(t T) any { return known(of(t)) }}
}

func flag[T any](name string, of func(T) bool) column[T] {
	return column[T]{Column{name, typeBoolean}, func(t T) any { return of(t) }}
}

// number is of what is counted, where 0 is a count.
func number[T any](name string, of func(T) int64) column[T] {
	return column[T]{Column{name, typeInteger}, func(t T) any { return of(t) }}
}

// numbered is of what is numbered from 1, where 0 is none.
func numbered[T any](name string, of func(T) int) column[T] {
	return column[T]{Column{name, typeInteger}, func(t T) any {
		if n := of(t); n != 0 {
			return n
		}
		return nil
	}}
}

// absent is text that rows of captures have not, but those that are made of several.
func absent[T any](name string) column[T] {
	return column[T]{Column{name, typeText}, func(T) any { return nil }}
}

func known(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Rows turns the events of a story into the rows of one table. It holds of a connection
// something only while its row is not written.
type Rows struct {
	// BySession has a certificate in a row for each session in which it was sent, as where
	// sessions are chosen later.
	BySession bool

	sink
	capture string
	file    string
	told    func(*event.Event) error
	left    func() error // writes what is left at the end
}

// A Source is what rows say of where they come from.
type Source struct {
	Capture string // SHA-256 of what is read, in hexadecimal; empty: not known
	File    string // its name; empty: it has none, or is several
}

// New returns a renderer that writes a table to w, in one of [Formats].
func New(w io.Writer, table, format string, of Source) *Rows {
	r := &Rows{sink: newSink(w, format), capture: of.Capture, file: of.File, left: func() error { return nil }}
	switch table {
	case Certificates:
		c := &certificates{rows: r, seen: map[string]bool{}}
		r.told = c.event
	case Findings:
		f := newFindings(r)
		r.told, r.left = f.event, f.failed
	default:
		c := &connections{rows: r, open: map[int]*connection{}, sessions: map[int][]*connection{}}
		r.told, r.left = c.event, c.finish
	}
	return r
}

// Head writes what stands above the rows.
func Head(w io.Writer, table, format string) error {
	if format != "csv" {
		return nil
	}
	var names []string
	for _, c := range Columns(table) {
		names = append(names, c.Name)
	}
	out := csv.NewWriter(w)
	out.Write(names)
	out.Flush()
	return out.Error()
}

// Failed writes the row of a file that could not be read, or not to its end.
func Failed(w io.Writer, table, format string, of Source, why string) error {
	f := forms[table]
	r := make(record, len(f.names))
	r[f.at["rows_version"]], r[f.at["capture_sha256"]] = int64(Version), known(of.Capture)
	r[f.at["file"]], r[f.at["error"]] = known(of.File), why
	s := newSink(w, format)
	if err := write(&s, f.write, r); err != nil {
		return err
	}
	return s.Flush()
}

// Event takes the next event.
func (r *Rows) Event(e *event.Event) error { return r.told(e) }

// Finish writes the rows that are left.
func (r *Rows) Finish() error {
	if err := r.left(); err != nil {
		return err
	}
	return r.Flush()
}

// A sink writes rows in one of the formats.
type sink struct {
	w    *bufio.Writer
	csv  *csv.Writer // nil: JSON
	line []byte
	cell []string
}

func newSink(w io.Writer, format string) sink {
	s := sink{w: bufio.NewWriterSize(w, 64<<10)}
	if format == "csv" {
		s.csv = csv.NewWriter(s.w)
	}
	return s
}

// Flush hands on what was written so far.
func (s *sink) Flush() error {
	if s.csv != nil {
		s.csv.Flush()
	}
	return s.w.Flush()
}

// write writes a row.
func write[T any](s *sink, columns []column[T], of T) error {
	if s.csv != nil {
		s.cell = s.cell[:0]
		for _, c := range columns {
			s.cell = append(s.cell, cellOf(c.of(of)))
		}
		return s.csv.Write(s.cell)
	}
	s.line = s.line[:0]
	for i, c := range columns {
		s.line = append(s.line, "{,"[min(i, 1)])
		s.line = append(append(append(s.line, '"'), c.Name...), `":`...)
		s.line = appendValue(s.line, c.of(of))
	}
	_, err := s.w.Write(append(printable.JSON(s.line), '}', '\n'))
	return err
}

func appendValue(line []byte, v any) []byte {
	switch v := v.(type) {
	case int:
		return strconv.AppendInt(line, int64(v), 10)
	case int64:
		return strconv.AppendInt(line, v, 10)
	case bool:
		return strconv.AppendBool(line, v)
	case string:
		if strings.IndexFunc(v, escaped) < 0 {
			return append(append(append(line, '"'), v...), '"')
		}
		quoted, _ := json.Marshal(v) // of a string there is no error
		return append(line, quoted...)
	}
	return append(line, "null"...)
}

// escaped tells that a character may not stand in a string of JSON as it is.
func escaped(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }

func cellOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return printable.Text(v)
	}
	return string(appendValue(nil, v))
}
