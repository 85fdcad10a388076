// Package page shows a story in a browser: the sessions in a table, each session with its
// eight steps, its messages and their bytes, and all of it as one file that opens without
// a network.
//
// It says what the events say, in the words of the catalogue, and nothing else. It holds no
// sockets: whoever serves it hands it requests and writes what it renders.
package page

import (
	"bytes"
	"encoding/gob"
	"os"
	"slices"
	"sync"
	"time"

	"explainer/annotate/event"
)

// Options say how a book keeps what it is told.
type Options struct {
	// Scratch makes a temporary file that only its owner can read.
	Scratch func() (*os.File, error)
	Keep    int64 // bytes of that file; beyond, the oldest details are dropped
}

// A Book keeps a story so that it can be looked at while it is told: of each session a row
// in memory, the events in a file. It may be read while events come.
type Book struct {
	mu     sync.Mutex
	ring   ring
	coding coding
	wrong  error // why events are not kept any more
	rows   map[int]*row
	order  []int // of rows, as they began
	// forgotten is how many sessions are not among them any more.
	forgotten int
	of        map[int]int
	version   int // counts what has changed
	changed   chan struct{}
}

// maxRows bounds the sessions that are remembered; beyond, the oldest is forgotten.
const maxRows = 20_000

// maxEvents bounds the events of a session that are shown.
const maxEvents = 4000

// New returns an empty book.
func New(o Options) *Book {
	return &Book{
		ring: ring{open: o.Scratch, size: max(o.Keep, 4*ringBuffer)}, coding: newCoding(),
		rows: map[int]*row{}, of: map[int]int{}, changed: make(chan struct{}),
	}
}

// Event takes the next event. It never fails: what cannot be kept is missing in the book, which says so.
func (b *Book) Event(e *event.Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.version++
	if e.Session != 0 {
		r := b.row(e)
		r.take(e)
		if e.Kind == event.KindSummary && r.hungUp && r.Asked == "" && b.beside(r) {
			r.Trouble, r.Surplus = nil, true
		}
		r.version = b.version
		if b.wrong == nil {
			at, err := b.ring.add(r.last, b.coding.code(e))
			switch err {
			case nil:
				r.last = at
			case errGone:
				r.lacks = true
			default:
				b.wrong = err
			}
		}
	}
	close(b.changed)
	b.changed = make(chan struct{})
	return nil
}

// beside tells whether another session with the same host goes on.
func (b *Book) beside(r *row) bool {
	for _, o := range b.rows {
		if o != r && o.Host == r.Host && !o.over && !o.Failed() {
			return true
		}
	}
	return false
}

// row is the session of an event. A connection may turn out to be of another's.
func (b *Book) row(e *event.Event) *row {
	r := b.rows[e.Session]
	if r == nil {
		if len(b.order) >= maxRows {
			delete(b.rows, b.order[0])
			b.order = b.order[1:]
			b.forgotten++
		}
		r = &row{N: e.Session}
		b.rows[e.Session] = r
		b.order = append(b.order, e.Session)
	}
	if e.Conn == 0 {
		return r
	}
	if was, known := b.of[e.Conn]; known && was != e.Session && e.Kind != event.KindEnd {
		if old := b.rows[was]; old != nil && was == e.Conn {
			r.joins = append(r.joins, old.last)
			if old.began.Before(r.began) || r.began.IsZero() {
				r.began = old.began
			}
			delete(b.rows, was)
			b.order = slices.DeleteFunc(b.order, func(n int) bool { return n == was })
		}
	}
	if e.Kind == event.KindEnd {
		delete(b.of, e.Conn)
	} else {
		b.of[e.Conn] = e.Session
	}
	return r
}

// Flush has nothing to do: what was told is there at once.
func (b *Book) Flush() error { return nil }

// Finish notes that the story is over.
func (b *Book) Finish() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.version++
	close(b.changed)
	b.changed = make(chan struct{})
	return nil
}

// Close removes what is kept.
func (b *Book) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ring.close()
}

// Changed is the number of the latest change, and what is closed with the next one.
func (b *Book) Changed() (version int, next <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.version, b.changed
}

// A chapter is what is kept of a session.
type chapter struct {
	row     row
	records [][]byte
	lacks   bool // older ones are missing
}

// chapter takes what is kept of a session; the book may go on meanwhile.
func (b *Book) chapter(r *row) chapter {
	c := chapter{row: *r, lacks: r.lacks || b.wrong != nil}
	for _, at := range append([]place{r.last}, r.joins...) {
		for at != 0 {
			before, record, err := b.ring.get(at)
			if err != nil {
				c.lacks = true
				break
			}
			c.records = append(c.records, record)
			at = before
		}
	}
	return c
}

// events are those of a chapter in their order.
func (b *Book) events(c *chapter) []event.Event {
	slices.Reverse(c.records)
	out, err := b.coding.decode(c.records)
	c.lacks = c.lacks || err != nil
	slices.SortFunc(out, func(a, b event.Event) int { return a.N - b.N })
	return out
}

// coding writes events one by one, so that each can be read again without those before it.
// JSON does not keep what a text is in other languages.
type coding struct {
	buf   *bytes.Buffer
	enc   *gob.Encoder
	types []byte // what a decoder reads first
}

func newCoding() coding {
	c := coding{buf: new(bytes.Buffer)}
	c.enc = gob.NewEncoder(c.buf)
	c.enc.Encode(&event.Event{}) // a buffer does not fail, and the type can be coded: the tests see to it
	c.types = bytes.Clone(c.buf.Bytes())
	return c
}

// code is an event in bytes that are valid until the next call.
func (c *coding) code(e *event.Event) []byte {
	c.buf.Reset()
	c.enc.Encode(e)
	return c.buf.Bytes()
}

func (c *coding) decode(records [][]byte) ([]event.Event, error) {
	var all bytes.Buffer
	all.Write(c.types)
	for _, r := range records {
		all.Write(r)
	}
	dec := gob.NewDecoder(&all)
	var first event.Event
	if err := dec.Decode(&first); err != nil {
		return nil, err
	}
	out := make([]event.Event, len(records))
	for i := range out {
		if err := dec.Decode(&out[i]); err != nil {
			return out[:i], err
		}
	}
	return out, nil
}

func timeOf(s string) time.Time {
	t, _ := time.Parse(time.RFC3339Nano, s) // the zero time where there is none
	return t
}
