package proxy

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"explainer/capture"
	"explainer/capture/keys"
	"explainer/capture/pcap"
)

const (
	// queueLimit bounds the bytes of data that wait to be written. Beyond it
	// whoever has data to record waits, and with it the traffic.
	queueLimit = 16 << 20
	// flushEvery is how many recorded bytes are gathered at most before they are written to the file.
	flushEvery = 256 << 10
)

// GCPercent is what a program that runs a Proxy gives [runtime/debug.SetGCPercent]: the
// live heap is a few megabytes, and collecting it each time as much has been
// allocated costs a tenth of the processor time of new connections.
const GCPercent = 400

// RecorderOptions are what a recording is told besides its file.
type RecorderOptions struct {
	Version  string      // of explainer, for the recording's first fact
	Textbook bool        // textbook mode, for the same
	KeyLog   io.Writer   // if not nil, gets every key log line as well (RFC 9850)
	OnError  func(error) // if not nil, called from another goroutine when the recording cannot go on, and when the key log cannot (a *KeyLogError); once for each
}

// A KeyLogError is why no more keys are written to the key log.
type KeyLogError struct{ Err error }

func (e *KeyLogError) Error() string { return fmt.Sprintf("write the key log: %v", e.Err) }
func (e *KeyLogError) Unwrap() error { return e.Err }

// A Recorder gives everything that passes one order and writes it to a
// recording (pcapng with the keys inside). Taps give it data; secrets and facts
// come from the legs. Its order is that of release: a secret that was given
// before some data stands before that data in the file.
//
// One goroutine writes. When the file cannot be written the recording ends with
// what it has, and everything that comes later is dropped: traffic goes on.
type Recorder struct {
	file    *os.File
	pcap    *pcap.Writer
	keyLog  io.Writer
	onError func(error)

	mu     sync.Mutex
	queue  []*entry
	queued int        // bytes of data in queue and in the batch being written
	space  *sync.Cond // queued has shrunk
	conns  int
	idle   bool // the writing goroutine waits for wake
	closed bool // by Close, or by an error

	wake    chan struct{}
	waiting atomic.Pointer[entry] // the unfinished write that the writing goroutine waits for
	done    chan struct{}         // closed when the writing goroutine has ended

	// The rest is the writing goroutine's own.
	last    int64 // latest time written, for times in the file never go back
	pending int   // bytes given to pcap since the last flush
	written int64 // bytes of the file
	err     error // read by others after done is closed
	keyErr  error // the same, of the key log

	grow    sync.Mutex
	grown   *sync.Cond
	flushed int64 // bytes of the file that are complete
	ended   bool
}

type entryKind uint8

const (
	entryOpen entryKind = iota
	entryData
	entryFin
	entryReset
	entrySecret
	entryFact
)

// The states of an entry that stands for a write.
const (
	stateDone    uint32 = iota // may be written to the file
	statePending               // the system call has not returned
	statePassed                // was passed over; whoever completes it queues it again
)

// An entry is one thing to be recorded.
type entry struct {
	kind   entryKind
	state  atomic.Uint32
	stream *stream
	side   capture.Side
	time   int64
	data   []byte // entryData; its array belongs to pool
	size   int    // of that array
	wrote  int    // how much of data was really written; set before state becomes done
	pool   *sync.Pool
	until  time.Time // how long a pending entry keeps its place
	secret keys.Secret
	fact   capture.Fact
}

// A stream is one TCP connection in the recording.
type stream struct {
	rec            *Recorder
	number         int
	leg            capture.Leg
	client, server netip.AddrPort
	name           string       // of the server, or ""
	out            *pcap.Stream // the writing goroutine's own
}

// Buffers of the sizes that nearly all chunks have: what a small request needs;
// a full TLS record with its overhead (RFC 8446 5.2: 5 + 16384 + 256 bytes),
// as crypto/tls writes; and two of them, as it reads when they come fast.
var entries = [...]struct {
	size int
	pool sync.Pool
}{{size: 2 << 10}, {size: 17 << 10}, {size: 34 << 10}}

// newData returns an entry with a copy of data.
func newData(s *stream, side capture.Side, t int64, data []byte) *entry {
	var e *entry
	for i := range entries {
		if of := &entries[i]; len(data) <= of.size {
			if e, _ = of.pool.Get().(*entry); e == nil {
				e = &entry{data: make([]byte, 0, of.size), pool: &of.pool}
			}
			break
		}
	}
	if e == nil {
		e = &entry{}
	}
	e.kind, e.stream, e.side, e.time = entryData, s, side, t
	e.data = append(e.data[:0], data...)
	e.size, e.wrote = cap(e.data), len(e.data)
	return e
}

// free gives the entry back to its pool.
func (e *entry) free() {
	if e.pool != nil {
		e.stream = nil
		e.state.Store(stateDone)
		e.pool.Put(e)
	}
}

// NewRecorder starts a recording in f, which must be empty and open for
// reading and writing; it stays the caller's, to be closed after [Recorder.Close].
func NewRecorder(f *os.File, o RecorderOptions) (*Recorder, error) {
	comment := "recorded by explainer"
	if o.Version != "" {
		comment += " " + o.Version
	}
	r := &Recorder{
		file: f, keyLog: o.KeyLog, onError: o.OnError,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	var err error
	if r.pcap, err = pcap.NewWriter(counted{r}, comment); err != nil {
		return nil, fmt.Errorf("begin the recording %s: %w", f.Name(), err)
	}
	r.space, r.grown = sync.NewCond(&r.mu), sync.NewCond(&r.grow)
	began := capture.Fact{Kind: capture.FactRecording, Detail: o.Version}
	if o.Textbook {
		began.Host = "textbook"
	}
	r.Fact(began)
	go r.run()
	return r, nil
}

// Close completes the recording: everything given so far is written. What is
// given later is dropped. It returns the errors that ended the recording or the key log early, if any did.
func (r *Recorder) Close() error {
	r.mu.Lock()
	r.closed = true
	r.space.Broadcast()
	r.mu.Unlock()
	r.signal()
	<-r.done
	return errors.Join(r.err, r.keyErr)
}

// Secret records a key log line. It never blocks.
func (r *Recorder) Secret(s keys.Secret) {
	r.put(&entry{kind: entrySecret, secret: s})
}

// Fact records a fact; a Time of 0 becomes now. It never blocks.
func (r *Recorder) Fact(f capture.Fact) {
	if f.Time == 0 {
		f.Time = time.Now().UnixNano()
	}
	r.put(&entry{kind: entryFact, time: f.Time, fact: f})
}

// KeyLogWriter returns what goes into [tls.Config.KeyLogWriter]. Its Write
// never blocks, for crypto/tls holds a lock of the whole process while it logs.
func (r *Recorder) KeyLogWriter() io.Writer { return keyLog{r} }

// counted writes to the recording's file and counts.
type counted struct{ r *Recorder }

func (c counted) Write(p []byte) (int, error) {
	n, err := c.r.file.Write(p)
	c.r.written += int64(n)
	return n, err
}

type keyLog struct{ r *Recorder }

func (k keyLog) Write(line []byte) (int, error) {
	if s, ok := keys.ParseLine(line); ok {
		k.r.Secret(s)
	}
	return len(line), nil
}

// open begins a connection. Its number is the one that readers of the recording will give it.
func (r *Recorder) open(leg capture.Leg, client, server netip.AddrPort, name string) *stream {
	s := &stream{rec: r, leg: leg, client: client, server: server, name: name}
	e := &entry{kind: entryOpen, stream: s, time: time.Now().UnixNano()}
	r.mu.Lock()
	r.conns++
	s.number = r.conns
	r.queueLocked(e)
	r.mu.Unlock()
	return s
}

// end records a FIN or an RST of side.
func (s *stream) end(side capture.Side, reset bool) {
	kind := entryFin
	if reset {
		kind = entryReset
	}
	s.rec.put(&entry{kind: kind, stream: s, side: side, time: time.Now().UnixNano()})
}

// begin records data whose write has not happened yet: it takes its place in
// the order now, and keeps it for as long as patience says.
func (s *stream) begin(side capture.Side, data []byte, patience time.Duration) *entry {
	now := time.Now()
	e := newData(s, side, now.UnixNano(), data)
	e.until = now.Add(patience)
	e.state.Store(statePending)
	s.rec.put(e)
	return e
}

// complete tells how many bytes of a begun entry were really written.
func (r *Recorder) complete(e *entry, n int) {
	e.wrote = n
	if e.state.CompareAndSwap(statePending, stateDone) {
		if r.waiting.Load() == e {
			r.signal()
		}
		return
	}
	e.state.Store(stateDone)
	r.put(e)
}

// put queues an entry. Only data waits for room.
func (r *Recorder) put(e *entry) {
	r.mu.Lock()
	for e.kind == entryData && r.queued >= queueLimit && !r.closed {
		r.space.Wait()
	}
	r.queueLocked(e)
	r.mu.Unlock()
}

func (r *Recorder) queueLocked(e *entry) {
	if r.closed {
		return // not freed: its writer may still complete it
	}
	r.queue = append(r.queue, e)
	if e.kind == entryData {
		r.queued += e.size
	}
	if r.idle {
		r.idle = false
		r.signal()
	}
}

// signal wakes the writing goroutine.
func (r *Recorder) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run writes the queue to the file until the recorder is closed or the file fails.
func (r *Recorder) run() {
	defer close(r.done)
	var batch []*entry
	for r.err == nil {
		r.mu.Lock()
		batch, r.queue = r.queue, batch[:0]
		closed := r.closed
		r.idle = len(batch) == 0 && !closed
		r.mu.Unlock()
		if len(batch) == 0 {
			if closed {
				break
			}
			r.flush()
			if r.err == nil {
				<-r.wake
			}
			continue
		}
		freed := 0
		for i, e := range batch {
			if e.kind == entryData {
				freed += e.size
			}
			if r.err == nil && r.settled(e) {
				r.write(e)
			}
			batch[i] = nil
			if r.pending >= flushEvery {
				r.flush()
			}
			if freed >= flushEvery {
				r.release(freed)
				freed = 0
			}
		}
		r.release(freed)
	}
	r.flush()
	if r.err != nil {
		r.fail()
	}
	r.grow.Lock()
	r.ended = true
	r.grown.Broadcast()
	r.grow.Unlock()
}

// release makes room for n bytes.
func (r *Recorder) release(n int) {
	if n == 0 {
		return
	}
	r.mu.Lock()
	full := r.queued >= queueLimit
	r.queued -= n
	r.mu.Unlock()
	if full {
		r.space.Broadcast()
	}
}

// settled waits for an entry whose write has not returned. It returns false if
// the entry lost its place because that took too long.
func (r *Recorder) settled(e *entry) bool {
	if e.state.Load() == stateDone {
		return true
	}
	r.waiting.Store(e)
	defer r.waiting.Store(nil)
	var timeout <-chan time.Time
	for e.state.Load() != stateDone {
		if timeout == nil {
			r.flush() // the wait may be long, and what is there can be told
			t := time.NewTimer(time.Until(e.until))
			defer t.Stop()
			timeout = t.C
			continue
		}
		select {
		case <-r.wake:
		case <-timeout:
			return !e.state.CompareAndSwap(statePending, statePassed)
		}
	}
	return true
}

// write gives one entry to the file's writer.
func (r *Recorder) write(e *entry) {
	e.time = max(e.time, r.last)
	r.last = e.time
	s := e.stream
	switch e.kind {
	case entryOpen:
		s.out = r.pcap.Open(s.leg, s.client, s.server, e.time)
		if s.name != "" {
			r.pcap.Name(s.server.Addr(), s.name)
		}
	case entryData:
		if e.wrote > 0 {
			s.out.Data(e.side, e.time, e.data[:e.wrote])
		}
		r.pending += e.wrote
		e.free()
	case entryFin:
		s.out.Fin(e.side, e.time)
	case entryReset:
		s.out.Reset(e.side, e.time)
	case entrySecret:
		r.pcap.Secret(e.secret)
		if r.keyLog != nil {
			if _, err := io.WriteString(r.keyLog, e.secret.String()+"\n"); err != nil {
				r.keyLog, r.keyErr = nil, &KeyLogError{err}
				if r.onError != nil {
					r.onError(r.keyErr)
				}
			}
		}
	case entryFact:
		e.fact.Time = e.time
		r.pcap.Fact(e.fact)
	}
	r.pending += 64
}

// flush writes what is gathered to the file and lets followers read it.
func (r *Recorder) flush() {
	if r.pending == 0 || r.err != nil {
		return
	}
	r.pending = 0
	if r.err = r.pcap.Flush(); r.err != nil {
		return
	}
	r.grow.Lock()
	r.flushed = r.written
	r.grown.Broadcast()
	r.grow.Unlock()
}

// fail ends the recording after an error. The file is cut to what is complete.
func (r *Recorder) fail() {
	r.mu.Lock()
	r.closed = true
	r.queue = nil
	r.space.Broadcast()
	r.mu.Unlock()
	r.file.Truncate(r.flushed)
	r.err = fmt.Errorf("write the recording %s: %w", r.file.Name(), r.err)
	if r.onError != nil {
		r.onError(r.err)
	}
}

// While the recording grows, a follower owes restParts times as long as it has
// worked, in rests: traffic comes before its story. What it may owe is more than
// anything that people do at a page costs, so that their story is told at once;
// only under load is it told with a delay, and made up for when the load ends.
const (
	restParts = 9
	restDebt  = 200 * time.Millisecond * restParts // for which it need not rest
	restLeast = 10 * time.Millisecond
	restMost  = 250 * time.Millisecond
	restRead  = 32 << 10 // bytes that it then gets at a time, so that it works shortly
)

// Follow returns a reader of the recording from its beginning. Read waits for
// the recording to grow, and returns io.EOF after [Recorder.Close] has written
// the last byte. Close ends it early, also a Read that waits. A reader that
// works without pause while the recording grows is slowed down.
func (r *Recorder) Follow() io.ReadCloser { return &follower{r: r} }

type follower struct {
	r      *Recorder
	at     int64
	seen   int64     // how long the recording was at the last Read
	since  time.Time // when that returned
	owed   time.Duration
	closed bool // guarded by r.grow
}

func (f *follower) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	r := f.r
	began := time.Now()
	if !f.since.IsZero() {
		f.owed = min(f.owed+restParts*began.Sub(f.since), restDebt+restMost)
	}
	r.grow.Lock()
	if rest := f.owed - restDebt; rest > 0 && r.flushed > f.seen && !r.ended && !f.closed {
		p = p[:min(len(p), restRead)]
		if rest > restLeast {
			r.grow.Unlock()
			time.Sleep(rest)
			r.grow.Lock()
		}
	}
	for f.at >= r.flushed && !r.ended && !f.closed {
		r.grown.Wait()
	}
	have, closed := r.flushed-f.at, f.closed
	f.seen = r.flushed
	r.grow.Unlock()
	f.since = time.Now()
	f.owed = max(f.owed-f.since.Sub(began), 0)
	if closed {
		return 0, os.ErrClosed
	}
	if have <= 0 {
		return 0, io.EOF
	}
	n, err := r.file.ReadAt(p[:min(int64(len(p)), have)], f.at)
	f.at += int64(n)
	if n > 0 || errors.Is(err, io.EOF) {
		err = nil
	}
	if n == 0 && err == nil {
		err = io.ErrUnexpectedEOF // somebody cut the file
	}
	return n, err
}

func (f *follower) Close() error {
	f.r.grow.Lock()
	f.closed = true
	f.r.grown.Broadcast()
	f.r.grow.Unlock()
	return nil
}
