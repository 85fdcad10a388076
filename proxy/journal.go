package proxy

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"explainer/capture/pcap"
)

const (
	// journalMemory bounds the bytes of the stream that wait in memory for whoever
	// follows. Beyond it they are read from the recording's file, or put into the spool.
	journalMemory = 16 << 20
	// journalMost is where it is given up that the spool and the followers take some of it: they
	// are slower than the traffic. As long as that finds room in the recorder's queue they have journalWait.
	journalMost = 2 * journalMemory
	journalWait = 2 * time.Second
	journalLook = 5 * time.Millisecond // how often that is looked at
	// spillSize is how much is written to the spool at a time.
	spillSize = 1 << 20
	// spareLeast is the capacity of buffers that are used again.
	spareLeast = 256 << 10
	// smallPiece is to how many bytes pieces grow by what is released behind them.
	smallPiece = 32 << 10
	// spoolSegments is how many files a full spool has: what was told is given back file by file.
	spoolSegments = 16
)

// A journal holds what the recorder has released and its followers have not read
// yet: the end of it in memory, what is older in files. These are the
// recording's own, where it is kept in files that can be read, or else the
// spool: temporary files of a bounded size. Where the bound is reached, the
// followers are moved to the end, and told so.
type journal struct {
	dir   string // of the spool
	limit int64  // bytes of the spool
	kept  bool   // the stores are the recording's own; else they are the spool

	mu        sync.Mutex
	changed   *sync.Cond // anything below
	pieces    []*piece   // the end of the stream, without a hole
	memory    int        // bytes of them
	stores    []*store   // oldest first
	spooled   int64      // bytes of the stores that are the spool
	end       int64      // of the stream
	ended     bool
	failed    error // why nothing can be put into the spool
	followers []*Follower
	left      bool // there was one
	spares    [][]byte
}

// A piece is some of the stream, in memory.
type piece struct {
	at   int64
	data []byte
	of   *entry // whose memory it is in; nil: data has its own
	busy bool   // is being written to the spool
}

func (p *piece) end() int64 { return p.at + int64(len(p.data)) }

// size returns how many bytes of memory it takes.
func (p *piece) size() int {
	if p.of != nil {
		return p.of.size
	}
	return cap(p.data)
}

// takes tells whether next can go behind what is in p.
func (p *piece) takes(next *piece) bool {
	n := len(p.data) + len(next.data)
	return p.of == nil && next.of == nil && !p.busy && (n <= cap(p.data) || n <= smallPiece)
}

// A store is a file that holds some of the stream.
type store struct {
	file       *os.File
	start, end int64
	foreign    bool // it is the caller's to close
}

func newJournal() *journal {
	j := &journal{}
	j.changed = sync.NewCond(&j.mu)
	return j
}

// buffer returns an empty buffer for some of the stream.
func (j *journal) buffer(size int) []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	if n := len(j.spares); n > 0 && cap(j.spares[n-1]) >= size {
		b := j.spares[n-1]
		j.spares = j.spares[:n-1]
		return b
	}
	return make([]byte, 0, size)
}

// add takes over the next pieces of the stream.
func (j *journal) add(pieces []*piece) {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer j.changed.Broadcast()
	for _, p := range pieces {
		p.at = j.end
		j.end += int64(len(p.data))
		if len(j.followers) == 0 && (j.kept || j.left) {
			j.free(p)
			continue
		}
		if n := len(j.pieces); n > 0 && j.pieces[n-1].takes(p) { // under load little is released at a time, and often
			last := j.pieces[n-1]
			j.memory -= last.size()
			last.data = append(last.data, p.data...)
			j.memory += last.size()
			j.free(p)
			continue
		}
		j.pieces = append(j.pieces, p)
		j.memory += p.size()
	}
	if j.kept {
		j.stores[len(j.stores)-1].end = j.end
	}
	for j.kept && j.memory > journalMemory {
		j.drop()
	}
}

// drop lets go of the oldest piece in memory.
func (j *journal) drop() {
	p := j.pieces[0]
	j.pieces[0] = nil
	j.pieces = j.pieces[1:]
	j.memory -= p.size()
	if !p.busy {
		j.free(p)
	}
}

// free keeps the memory of a piece for the next: new memory costs more than what is written to it.
func (j *journal) free(p *piece) {
	if p.of != nil {
		p.of.free()
	} else if cap(p.data) >= spareLeast && len(j.spares) < journalMemory/spareLeast {
		j.spares = append(j.spares, p.data[:0])
	}
}

// begin lets the stream go on in another file of the recording, and forgets all
// but the latest keep files, if keep is not 0.
func (j *journal) begin(f *os.File, foreign bool, keep int) (skipped int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.kept = true
	j.stores = append(j.stores, &store{file: f, start: j.end, end: j.end, foreign: foreign})
	if n := len(j.stores) - keep; keep > 0 && n > 0 {
		skipped = j.skipTo(j.stores[n].start)
	}
	j.giveBack()
	return skipped
}

// told returns how much of the latest file, of which size bytes are written, all followers have read.
func (j *journal) told(size int64) int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	start := j.stores[len(j.stores)-1].start
	for _, f := range j.followers {
		size = min(size, max(f.at-start, 0))
	}
	return size
}

// giveBack lets go of what all followers have read.
func (j *journal) giveBack() {
	if len(j.followers) == 0 && !j.kept && !j.left {
		return // the first is yet to come
	}
	least, memory := j.end, j.memory
	for _, f := range j.followers {
		least = min(least, f.at)
	}
	j.release(least)
	if memory > journalMost {
		j.changed.Broadcast() // overflows may wait
	}
}

// release gives back what is before a place of the stream.
func (j *journal) release(at int64) {
	for len(j.pieces) > 0 && j.pieces[0].end() <= at {
		j.drop()
	}
	for len(j.stores) > 0 && j.stores[0].end <= at && (!j.kept || len(j.stores) > 1) {
		j.close(j.stores[0])
		j.stores = j.stores[1:]
	}
}

func (j *journal) close(s *store) {
	if !j.kept {
		j.spooled -= s.end - s.start
		s.file.Close()
		os.Remove(s.file.Name()) // where that was not possible while it was open
	} else if !s.foreign {
		s.file.Close()
	}
}

// skipTo moves those followers that are before a place of the stream to it, and
// returns how many bytes the last of them misses.
func (j *journal) skipTo(at int64) (skipped int64) {
	for _, f := range j.followers {
		if f.at < at {
			skipped = max(skipped, at-f.at)
			f.skipped += at - f.at
			f.at = at
		}
	}
	j.release(at)
	j.changed.Broadcast()
	return skipped
}

// overflows tells that the spool holds no more, and why if that is an error. As long
// as there is room for the traffic elsewhere, it waits for the spool and the followers.
func (j *journal) overflows(room func() bool) (bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.kept || j.memory <= journalMemory {
		return false, nil
	}
	if j.memory > journalMost {
		look := time.AfterFunc(journalLook, func() {
			j.mu.Lock()
			j.changed.Broadcast()
			j.mu.Unlock()
		})
		defer look.Stop()
		for until := time.Now().Add(journalWait); j.memory > journalMost && j.failed == nil && j.spooled+spillSize <= j.limit && room() && time.Now().Before(until); {
			j.changed.Wait()
			look.Reset(journalLook)
		}
	}
	return j.failed != nil || j.spooled+spillSize > j.limit || j.memory > journalMost, j.failed
}

// skip moves all followers to the end of the stream.
func (j *journal) skip() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failed = nil // there may be room again
	return j.skipTo(j.end)
}

// finish tells the followers that no more comes.
func (j *journal) finish() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = true
	j.changed.Broadcast()
	j.leave()
}

// leave closes the files once nobody will read them.
func (j *journal) leave() {
	if !j.ended || len(j.followers) > 0 {
		return
	}
	j.pieces, j.memory, j.spares = nil, 0, nil
	if !j.kept {
		j.release(j.end)
		return
	}
	for len(j.stores) > 0 && !j.stores[0].foreign {
		j.close(j.stores[0])
		j.stores = j.stores[1:]
	}
}

// spool puts what is too much for the memory into temporary files, until the end.
func (j *journal) spool() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for !j.ended {
		if j.memory <= journalMemory || j.failed != nil || j.spooled+spillSize > j.limit {
			j.changed.Wait()
			continue
		}
		var batch []*piece
		size := 0
		for _, p := range j.pieces {
			if size >= spillSize {
				break
			}
			batch = append(batch, p)
			size += len(p.data)
			p.busy = true
		}
		at := batch[0].at
		s := j.segment(at)
		j.mu.Unlock()
		var err error
		if s == nil {
			s = &store{start: at, end: at}
			s.file, err = SpoolFile(j.dir)
		}
		for _, p := range batch {
			if err == nil {
				_, err = s.file.WriteAt(p.data, p.at-s.start)
			}
		}
		j.mu.Lock()
		for _, p := range batch {
			p.busy = false
		}
		fresh := s.end == s.start
		switch {
		case err != nil && !errors.Is(err, os.ErrClosed): // which it is once all of it has been read
			j.failed = err
			j.changed.Broadcast()
			if fresh && s.file != nil {
				s.file.Close()
				os.Remove(s.file.Name())
			}
		case len(j.pieces) == 0 || j.pieces[0] != batch[0] || !fresh && !slices.Contains(j.stores, s):
			// All or some of it has been read or passed over meanwhile.
			if fresh {
				s.file.Close()
				os.Remove(s.file.Name())
			}
		default:
			if fresh {
				j.stores = append(j.stores, s)
			}
			to := batch[len(batch)-1].end()
			j.spooled += to - s.end
			s.end = to
			for range batch {
				j.drop()
			}
			j.changed.Broadcast()
		}
	}
}

// segment returns the file in which the spool goes on at a place of the stream, or nil for a new one.
func (j *journal) segment(at int64) *store {
	if n := len(j.stores); n > 0 && j.stores[n-1].end == at && at-j.stores[n-1].start < max(j.limit/spoolSegments, spillSize) {
		return j.stores[n-1]
	}
	return nil
}

// spoolPrefix begins the names of the spool's files.
const spoolPrefix = "explainer-spool-"

// SpoolFile makes a temporary file, readable by its owner alone. It has no name, where a
// file in use can lose it, so that nothing is left whatever ends the program; elsewhere
// the caller removes it once it is closed, and [SweepSpool] does what a killed one could not.
func SpoolFile(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, spoolPrefix+"*") // mode 0600
	if err == nil {
		os.Remove(f.Name())
	}
	return f, err
}

// SweepSpool removes what killed programs have left of [SpoolFile] in a folder. Where a
// file in use keeps its name it cannot be removed, so those of running ones stay.
func SweepSpool(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), spoolPrefix) && e.Type().IsRegular() {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

// copy copies from memory what is at a place of the stream.
func (j *journal) copy(p []byte, at int64) (n int) {
	i, found := slices.BinarySearchFunc(j.pieces, at, func(p *piece, at int64) int {
		switch {
		case p.end() <= at:
			return -1
		case p.at > at:
			return 1
		}
		return 0
	})
	if !found {
		return 0
	}
	for _, from := range j.pieces[i:] {
		if n == len(p) {
			break
		}
		n += copy(p[n:], from.data[at+int64(n)-from.at:])
	}
	return n
}

// While the stream grows, a follower owes restParts times as long as it has
// worked, in rests: traffic comes before its story. What it may owe is more than
// anything that people do at a page costs, so that their story is told at once;
// only under load is it told with a delay, and made up for when the load ends.
// Work that is no dearer than keeping the bytes for later is free. The fuller the
// spool, the less it rests. Work is counted in processor time, so that whoever
// gets little of it on a busy machine does not rest as well; where the goroutine has
// moved to another thread meanwhile, it is not known and not counted.
const (
	restParts  = 9
	restDebt   = 200 * time.Millisecond * restParts // for which it need not rest
	restLeast  = 10 * time.Millisecond
	restMost   = 250 * time.Millisecond
	restMemory = journalMemory * 3 / 2 // with more waiting it does not rest: the spool is too slow for what passes
	restRead   = 32 << 10              // bytes that it then gets at a time, so that it works shortly
	restFree   = 4 * time.Nanosecond   // of work for each byte
)

// A Follower reads what a recorder has released, from the beginning.
type Follower struct {
	j       *journal
	at      int64
	skipped int64 // bytes that it was moved on by since the last Read
	closed  bool

	read   bool          // at least once
	seen   int64         // how long the stream was at the last Read
	got    int           // how much that returned
	thread int           // on which thread,
	used   time.Duration // which had used so much processor time
	owed   time.Duration
}

func (j *journal) follow() *Follower {
	f := &Follower{j: j}
	j.mu.Lock()
	if len(j.stores) > 0 {
		f.at = j.stores[0].start
	} else if len(j.pieces) > 0 {
		f.at = j.pieces[0].at
	}
	j.followers, j.left = append(j.followers, f), true
	j.mu.Unlock()
	return f
}

// Behind returns how many bytes there are that were not read yet.
func (f *Follower) Behind() int64 {
	f.j.mu.Lock()
	defer f.j.mu.Unlock()
	return f.j.end - f.at
}

// Read waits for the stream to grow, and returns io.EOF at its end, which
// [Recorder.Close] makes. A *[pcap.SkipError] tells that bytes were left out. A
// reader that works without pause while the stream grows is slowed down.
func (f *Follower) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	j := f.j
	began := time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	if thread, used := threadTime(); f.read && thread == f.thread {
		work := max(0, used-f.used-time.Duration(f.got)*restFree)
		if !j.kept && j.limit > 0 {
			work -= time.Duration(float64(work) * min(1, 2*float64(j.spooled)/float64(j.limit)))
		}
		f.owed = min(f.owed+restParts*work, restDebt+restMost)
	}
	if rest := f.owed - restDebt; rest > 0 && j.end > f.seen && !j.ended && !f.closed {
		p = p[:min(len(p), restRead)]
		if rest > restLeast {
			for until := time.Now().Add(rest); time.Now().Before(until) && j.memory <= restMemory; {
				j.mu.Unlock()
				time.Sleep(min(time.Until(until), restLeast))
				j.mu.Lock()
			}
		}
	}
	n, err := f.next(p)
	f.read, f.got, f.seen = true, n, j.end
	f.thread, f.used = threadTime()
	f.owed = max(f.owed-time.Since(began), 0)
	return n, err
}

// next reads what comes next, with the lock held.
func (f *Follower) next(p []byte) (int, error) {
	j := f.j
	for {
		for f.at >= j.end && !j.ended && !f.closed && f.skipped == 0 {
			j.changed.Wait()
		}
		switch {
		case f.closed:
			return 0, os.ErrClosed
		case f.skipped > 0:
			err := &pcap.SkipError{Bytes: f.skipped}
			f.skipped = 0
			return 0, err
		case f.at >= j.end:
			return 0, io.EOF
		}
		if n := j.copy(p, f.at); n > 0 {
			f.at += int64(n)
			j.giveBack()
			return n, nil
		}
		i := slices.IndexFunc(j.stores, func(s *store) bool { return s.start <= f.at && f.at < s.end })
		if i < 0 {
			return 0, io.ErrUnexpectedEOF
		}
		s := j.stores[i]
		part := p[:min(int64(len(p)), s.end-f.at)]
		at := f.at
		j.mu.Unlock()
		n, err := s.file.ReadAt(part, at-s.start)
		j.mu.Lock()
		if f.closed || f.skipped > 0 {
			continue // meanwhile
		}
		f.at += int64(n)
		j.giveBack()
		switch {
		case n > 0:
			return n, nil
		case errors.Is(err, io.EOF):
			return 0, io.ErrUnexpectedEOF // somebody cut the file
		default:
			return 0, err
		}
	}
}

// Close ends the reading early, also a Read that waits.
func (f *Follower) Close() error {
	j := f.j
	j.mu.Lock()
	defer j.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	j.followers = slices.DeleteFunc(j.followers, func(o *Follower) bool { return o == f })
	j.giveBack()
	j.leave()
	j.changed.Broadcast()
	return nil
}
