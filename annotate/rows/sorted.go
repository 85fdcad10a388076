package rows

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"io"
	"os"
	"slices"
)

const (
	maxSorting = 32 << 20 // bytes that are sorted in memory
	runBuffer  = 16 << 10 // bytes of each sorted run that are read at a time
)

// A keyed line is one that is sorted by a key, and by itself where keys are equal.
type keyedLine struct{ key, line []byte }

func (a keyedLine) compare(b keyedLine) int {
	return cmp.Or(bytes.Compare(a.key, b.key), bytes.Compare(a.line, b.line))
}

// sorted sorts lines, however many: in memory, and in runs in a temporary file.
type sorted struct {
	scratch func() (*os.File, error)
	lines   []keyedLine
	held    int
	limit   int // bytes in memory; 0: maxSorting
	file    *os.File
	runs    []span
}

// A span is where a run stands in the file.
type span struct{ from, to int64 }

// add takes a line. Both slices are kept.
func (s *sorted) add(key, line []byte) error {
	s.lines = append(s.lines, keyedLine{key, line})
	if s.held += len(key) + len(line) + 64; s.held < cmp.Or(s.limit, maxSorting) {
		return nil
	}
	return s.spill()
}

// spill writes what is in memory as a run.
func (s *sorted) spill() error {
	slices.SortFunc(s.lines, keyedLine.compare)
	if s.file == nil {
		f, err := s.scratch()
		if err != nil {
			return err
		}
		s.file = f
	}
	run := span{from: 0}
	if n := len(s.runs); n > 0 {
		run.from = s.runs[n-1].to
	}
	out := &counting{w: io.NewOffsetWriter(s.file, run.from)}
	w := bufio.NewWriterSize(out, 256<<10)
	var head [8]byte
	for _, l := range s.lines {
		binary.BigEndian.PutUint32(head[:], uint32(len(l.key)))
		binary.BigEndian.PutUint32(head[4:], uint32(len(l.line)))
		w.Write(head[:])
		w.Write(l.key)
		w.Write(l.line)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	run.to = run.from + out.n
	s.runs = append(s.runs, run)
	s.lines, s.held = nil, 0
	return nil
}

type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// each gives the lines in order.
func (s *sorted) each(take func(key, line []byte) error) error {
	slices.SortFunc(s.lines, keyedLine.compare)
	h := runs{{lines: s.lines}}
	for _, r := range s.runs {
		h = append(h, &run{r: bufio.NewReaderSize(io.NewSectionReader(s.file, r.from, r.to-r.from), runBuffer)})
	}
	for _, r := range h {
		if err := r.next(); err != nil {
			return err
		}
	}
	h = slices.DeleteFunc(h, func(r *run) bool { return r.over })
	heap.Init(&h)
	for len(h) > 0 {
		if err := take(h[0].now.key, h[0].now.line); err != nil {
			return err
		}
		if err := h[0].next(); err != nil {
			return err
		}
		if h[0].over {
			heap.Pop(&h)
		} else {
			heap.Fix(&h, 0)
		}
	}
	return nil
}

// close gives back the file.
func (s *sorted) close() {
	if s.file != nil {
		s.file.Close()
	}
}

// A run is sorted lines, in memory or in the file.
type run struct {
	lines []keyedLine
	r     *bufio.Reader
	now   keyedLine
	over  bool
}

// next goes on to the next line.
func (r *run) next() error {
	if r.r == nil {
		if r.over = len(r.lines) == 0; !r.over {
			r.now, r.lines = r.lines[0], r.lines[1:]
		}
		return nil
	}
	var head [8]byte
	if _, err := io.ReadFull(r.r, head[:]); err == io.EOF {
		r.over = true
		return nil
	} else if err != nil {
		return err
	}
	key := int(binary.BigEndian.Uint32(head[:]))
	both := make([]byte, key+int(binary.BigEndian.Uint32(head[4:])))
	_, err := io.ReadFull(r.r, both)
	r.now = keyedLine{both[:key:key], both[key:]}
	return err
}

type runs []*run

func (h runs) Len() int           { return len(h) }
func (h runs) Less(i, j int) bool { return h[i].now.compare(h[j].now) < 0 }
func (h runs) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *runs) Push(x any)        { *h = append(*h, x.(*run)) }
func (h *runs) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
