package rows

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"
)

// A Merger makes one table of rows of several captures. What it makes depends on the rows
// alone, and not on their order, nor on which of them were merged before: a row that joins
// others has them in itself, and is taken apart again.
//
// A row that is there twice is there once, a connection of a capture (by its SHA-256) also
// where it was read twice: the reading that opened more counts. Parts of one connection in
// several captures are joined.
//
// It holds at most 64 MiB of rows, 16 KiB for each further 32 MiB, and the rows between the
// same addresses and ports.
type Merger struct {
	// Scratch makes a temporary file, for rows that are more than are held.
	Scratch func() (*os.File, error)

	form *form // nil: no row has come
	rows sorted
	out  sorted
}

// maxLine bounds a row that is read, in bytes.
const maxLine = 256 << 20

// A LineError is what is wrong with a line that should be a row.
type LineError struct {
	Line int // from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

var (
	errNoRow  = errors.New("it is no row of a table")
	errTables = errors.New("it is of another table than the rows before")
)

// Add takes rows in NDJSON.
func (m *Merger) Add(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() {
		n++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := m.line(lines.Bytes()); err != nil {
			return &LineError{n, err}
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return &LineError{n + 1, lines.Err()}
	}
	return lines.Err()
}

// line takes a row.
func (m *Merger) line(line []byte) error {
	var row map[string]json.RawMessage
	if err := json.Unmarshal(line, &row); err != nil {
		return fmt.Errorf("%w: %w", errNoRow, err)
	}
	f := formOf(row)
	switch {
	case f == nil:
		return errNoRow
	case m.form == nil:
		m.form = f
		m.rows.scratch, m.out.scratch = m.Scratch, m.Scratch
	case m.form != f:
		return errTables
	}
	of, err := f.parse(row)
	if err != nil {
		return err
	}
	if f.table != Connections || of.text(f, "parts") == "" {
		return m.take(of)
	}
	var parts []map[string]json.RawMessage
	if err := json.Unmarshal([]byte(of.text(f, "parts")), &parts); err != nil {
		return fmt.Errorf("parts: %w", err)
	}
	for _, p := range parts {
		part, err := f.parse(p)
		if err == nil && part.text(f, "parts") != "" {
			err = errNoRow
		}
		if err == nil {
			err = m.take(part)
		}
		if err != nil {
			return fmt.Errorf("parts: %w", err)
		}
	}
	return nil
}

// take takes a row that joins no others. They are sorted by what can be the same in several.
func (m *Merger) take(r record) error {
	f := m.form
	key := ""
	switch f.table {
	case Connections:
		key = r.flow(f)
	case Certificates:
		key = r.text(f, "sha256")
	}
	return m.rows.add([]byte(key), f.object(r))
}

// Finish writes the table, in one of [Formats], by time.
func (m *Merger) Finish(w io.Writer, format string) error {
	f := m.form
	if f == nil {
		f = forms[Connections]
	}
	if err := Head(w, f.table, format); err != nil {
		return err
	}
	var flow []record
	var key []byte
	settle := func() error {
		for _, r := range m.settled(flow) {
			if err := m.out.add(r.place(f), f.object(r)); err != nil {
				return err
			}
		}
		flow = flow[:0]
		return nil
	}
	err := m.rows.each(func(k, line []byte) error {
		r, err := f.read(line)
		if err != nil {
			return err
		}
		if !bytes.Equal(k, key) || len(k) == 0 {
			if err := settle(); err != nil {
				return err
			}
			key = k
		}
		flow = append(flow, r)
		return nil
	})
	if err = cmp.Or(err, settle()); err != nil {
		return err
	}
	s := newSink(w, format)
	var before []byte
	err = m.out.each(func(_, line []byte) error {
		if bytes.Equal(line, before) { // of what has no number in a capture
			return nil
		}
		before = line
		r, err := f.read(line)
		if err != nil {
			return err
		}
		return write(&s, f.write, r)
	})
	return cmp.Or(err, s.Flush())
}

// Close gives back what is temporary.
func (m *Merger) Close() {
	m.rows.close()
	m.out.close()
}

// read reads a row that object made.
func (f *form) read(line []byte) (record, error) {
	var row map[string]json.RawMessage
	if err := json.Unmarshal(line, &row); err != nil {
		return nil, err
	}
	return f.parse(row)
}

// settled are the rows that are made of those with the same key.
func (m *Merger) settled(all []record) []record {
	f := m.form
	switch {
	case len(all) < 2:
		return all
	case f.table == Certificates && all[0].text(f, "sha256") != "":
		// Its row is where it was first seen.
		return []record{slices.MinFunc(all, func(a, b record) int {
			return cmp.Or(cmp.Compare(nanoseconds(a.text(f, "time")), nanoseconds(b.text(f, "time"))), bytes.Compare(f.object(a), f.object(b)))
		})}
	case f.table == Connections && all[0].text(f, "error") == "":
		return f.joined(f.once(all))
	}
	return all
}

// once leaves of the rows of one connection in one capture that which knows most.
func (f *form) once(all []record) (kept []record) {
	at := map[string]int{}
	for _, r := range all {
		capture := r.text(f, "capture_sha256")
		key := capture + "|" + strconv.FormatInt(r.number(f, "conn"), 10)
		if capture == "" {
			key = string(f.object(r))
		}
		if i, twice := at[key]; !twice {
			at[key] = len(kept)
			kept = append(kept, r)
		} else if f.knows(r, kept[i]) > 0 {
			kept[i] = r
		}
	}
	return kept
}

// knows compares two readings of one connection of a capture: by what stayed sealed and what was proven.
func (f *form) knows(a, b record) int {
	sealed := func(r record) int64 { return r.number(f, "client_sealed") + r.number(f, "server_sealed") }
	return cmp.Or(
		cmp.Compare(sealed(b), sealed(a)),
		cmp.Compare(a.number(f, "proofs_proven"), b.number(f, "proofs_proven")),
		bytes.Compare(f.object(b), f.object(a)))
}

// place is where a row stands in a table: by its time, and those of no time last.
func (r record) place(f *form) []byte {
	name := "time"
	if f.table == Connections {
		name = "first_time"
	}
	at := r.text(f, name)
	if at == "" {
		return []byte{0xff}
	}
	// The sign's bit has times before 1970 stand before the others.
	key := binary.BigEndian.AppendUint64([]byte{0}, uint64(nanoseconds(at))^1<<63)
	return append(key, r.text(f, "capture_sha256")...)
}

// nanoseconds is a time as it stands in a row, since the Unix epoch; 0 where it is none.
func nanoseconds(at string) int64 {
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		return 0
	}
	return t.UnixNano()
}
