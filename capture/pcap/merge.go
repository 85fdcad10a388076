package pcap

import (
	"container/heap"
	"io"
	"slices"
)

// maxRuns bounds what is remembered of which packets came from which file.
const maxRuns = 1 << 20

// Merge returns a Reader of several captures as of one, in the order of their
// packets' times. The readers must be fresh from [NewReader] and are not to be
// used any more.
//
// A connection may go on from one file to the next, as in the parts that
// tcpdump -C writes, and a packet that two files have counts once. Each file's
// own order is kept, also where its times go back; of packets of the same time
// the first file's comes first. Packets are numbered through all files, in the
// order in which they are merged: [Reader.Origin] gives the file and the number
// in it. A recording of explainer's own is kept apart from the other files: its
// connections are in no other, and its facts mean its own.
//
// The parts of a recording are read as if it had never been parted. Where one
// of them is missing or damaged, a fact says so ([capture.FactLeftOut]), and those
// connections are taken up again that go on in the next.
//
// A file that is cut off or damaged ends there, and the others are read on.
// [Reader.All] gives its error at the end, that of the first such file if
// there are several; [Reader.Err] gives each.
func Merge(readers ...*Reader) *Reader {
	if len(readers) == 1 {
		return readers[0]
	}
	var files []*file
	for _, r := range readers {
		files = append(files, r.files...)
	}
	for i, f := range files {
		f.index = i
	}
	m := newReader(join(files)...)
	m.DecodeAs(readers[0].links.ports)
	m.whole = readers[0].whole
	m.errs = make([]error, len(files))
	for _, f := range m.files {
		f.index = slices.Index(files, f)
	}
	for _, r := range readers {
		m.stats.Sections += r.stats.Sections
		m.stats.Interfaces += r.stats.Interfaces
	}
	if len(m.files) == 1 {
		return m
	}
	m.heap = slices.Clone(m.files)
	for i := len(m.heap) - 1; i >= 0; i-- {
		if !m.heap[i].ready() {
			m.heap = slices.Delete(m.heap, i, i+1)
		}
	}
	heap.Init(&m.heap)
	return m
}

// merge takes in the next item of all files.
func (r *Reader) merge() {
	if len(r.heap) > 0 && r.heap[0].next.length == 0 {
		if r.heap[0].ready() {
			heap.Fix(&r.heap, 0)
		} else {
			heap.Pop(&r.heap)
		}
	}
	if len(r.heap) > 0 {
		r.heap[0].take()
		return
	}
	r.end()
	r.err = r.verdict()
}

// verdict returns the error of the first file that was not read to its end, else io.EOF.
func (r *Reader) verdict() error {
	for _, err := range r.errs {
		if err != io.EOF {
			return err
		}
	}
	return io.EOF
}

// ready reads on until a packet or a fact waits. It tells whether there is one.
func (f *file) ready() bool {
	for f.next.length == 0 {
		if f.step(); f.err != nil {
			f.endSection()
			f.src.buf, f.src.r = nil, nil
			return false
		}
	}
	return true
}

// byTime is a heap of files by the times of what waits in them.
type byTime []*file

func (h byTime) Len() int { return len(h) }
func (h byTime) Less(i, j int) bool {
	if a, b := h[i].next.time, h[j].next.time; a != b {
		return a < b
	}
	return h[i].index < h[j].index
}
func (h byTime) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *byTime) Push(f any)   { *h = append(*h, f.(*file)) }
func (h *byTime) Pop() any {
	last := len(*h) - 1
	f := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return f
}

// Err returns what ended the reading of a file, counted from 0: io.EOF if it
// was read to its end, nil if it was not yet.
func (r *Reader) Err(file int) error { return r.errs[file] }

// Captures returns how many captures there are: the parts of one recording are one.
func (r *Reader) Captures() int { return len(r.files) }

// A run is packets in a row that came from one file.
type run struct{ packet, file, frame uint32 }

// count numbers the latest packet of a file.
func (r *Reader) count(f *file) {
	r.stats.Packets++
	if t := f.next.time; t != 0 {
		if r.stats.Begin == 0 || t < r.stats.Begin {
			r.stats.Begin = t
		}
		r.stats.End = max(r.stats.End, t)
		if back := r.before - t; back > r.stats.Back {
			r.stats.Back, r.stats.BackAt = back, r.stats.Packets
		}
		r.before = t
	}
	n := len(r.runs)
	if len(r.errs) == 1 || n > 0 && r.runs[n-1].file == uint32(f.index) && r.stats.Packets-int(r.runs[n-1].packet) == f.frames-int(r.runs[n-1].frame) || n == maxRuns {
		return
	}
	r.runs = append(r.runs, run{uint32(r.stats.Packets), uint32(f.index), uint32(f.frames)})
}

// Origin returns which file a packet came from, counted from 0, and its number
// there, as Wireshark's frame.number. Of one file alone that is the packet's
// number itself. It is not known (ok is false) after a million changes from one
// file to another.
func (r *Reader) Origin(packet int) (file, frame int, ok bool) {
	if len(r.errs) == 1 {
		return 0, packet, true
	}
	i, found := slices.BinarySearchFunc(r.runs, packet, func(x run, packet int) int { return int(x.packet) - packet })
	if !found {
		i--
	}
	if i < 0 || i == maxRuns-1 {
		return 0, 0, false
	}
	x := r.runs[i]
	return int(x.file), int(x.frame) + packet - int(x.packet), true
}

// Parted tells whether what was read last is of a recording in parts.
func (r *Reader) Parted() bool {
	for _, f := range r.files {
		if f.part.Number > 0 {
			return true
		}
	}
	return false
}
