package proxy

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"runtime"
	"slices"
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

// SpoolSize is how many bytes of disk the spool of a recorder may take if nobody says otherwise.
const SpoolSize = 1 << 30

// RecorderOptions are what a recording is told besides its file.
type RecorderOptions struct {
	Version  string      // of explainer, for the recording's first fact
	Textbook bool        // textbook mode, for the same
	KeyLog   io.Writer   // if not nil, gets every key log line as well (RFC 9850)
	OnError  func(error) // if not nil, called from another goroutine when the recording cannot go on, and when the key log cannot (a *KeyLogError); once for each

	// Where the file cannot be read again, or there is none, followers read from
	// memory, and what is too much for that from temporary files in SpoolDir, of
	// Spool bytes together. Where that is not enough either, they are moved to the end, and OnSkip
	// is called, from another goroutine, with how many bytes they miss, and with an error if that is why.
	Spool    int64
	SpoolDir string // "": where [SpoolFolder] says
	OnSkip   func(bytes int64, err error)

	// If Rotate is not 0, the recording goes on in another file, which Next makes,
	// once a file has so many bytes. Followers are not held back where more than Keep files
	// are between them and the end, if that is not 0: they are moved on, too.
	Rotate int64
	Keep   int
	Next   func() (*os.File, error)
}

// A KeyLogError is why no more keys are written to the key log.
type KeyLogError struct{ Err error }

func (e *KeyLogError) Error() string { return fmt.Sprintf("write the key log: %v", e.Err) }
func (e *KeyLogError) Unwrap() error { return e.Err }

// A Recorder gives everything that passes one order and releases it as a
// recording (pcapng with the keys inside), to a file and to its followers. Taps give it data; secrets and facts
// come from the legs. Its order is that of release: a secret that was given
// before some data stands before that data in the file.
//
// One goroutine writes. When the file cannot be written the recording ends with
// what it has, and everything that comes later is dropped: traffic goes on.
type Recorder struct {
	o       RecorderOptions
	pcap    *pcap.Writer
	keyLog  io.Writer
	journal *journal

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
	file    *os.File // nil if nothing is kept
	hints   *writeback
	last    int64 // latest time written, for times in the file never go back
	pending int   // bytes given to pcap since the last flush
	out     []*piece
	waits   int   // bytes in out
	written int64 // bytes of the file
	err     error // read by others after done is closed
	keyErr  error // the same, of the key log

	parts   bool            // there may be more than one
	streams map[int]*stream // that are open
	secrets openSecrets
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
	data   []byte // entryData
	array  []byte // what data is in, with room for a packet around it
	size   int    // of the array
	sum    uint64 // of data, for the packet; where it is worth it
	wrote  int    // how much of data was really written; set before state becomes done
	pool   *sync.Pool
	until  time.Time // how long a pending entry keeps its place
	secret keys.Secret
	fact   capture.Fact
}

// A stream is one connection in the recording, of TCP or QUIC.
type stream struct {
	rec            *Recorder
	number         int
	leg            capture.Leg
	client, server netip.AddrPort
	name           string // of the server, or ""
	udp            bool   // it is one of QUIC
	gate           atomic.Pointer[gate]

	// The writing goroutine's own.
	out   *pcap.Stream    // of TCP
	quic  *pcap.Datagrams // of QUIC
	hello []byte          // the beginning of what the client sent, as far as it may be that of a ClientHello
	peer  int             // the session's other leg, once that is known
	host  string          // what the session was asked for
}

// Buffers of the sizes that nearly all chunks have: what a small request needs, and
// a full TLS record with its overhead, as crypto/tls writes.
var entries = [...]struct {
	size int
	pool sync.Pool
}{{size: 2 << 10}, {size: pcap.MaxPayload}}

// inPlace is how many bytes a chunk has at least whose packet is made around it. The memory
// of fewer would hold little else than room.
const inPlace = 8 << 10

// newData returns an entry with a copy of data.
func newData(s *stream, side capture.Side, t int64, data []byte) *entry {
	var e *entry
	for i := range entries {
		if of := &entries[i]; len(data) <= of.size {
			if e, _ = of.pool.Get().(*entry); e == nil {
				e = &entry{array: make([]byte, pcap.HeadRoom+of.size+pcap.TailRoom), pool: &of.pool}
			}
			break
		}
	}
	if e == nil {
		e = &entry{array: make([]byte, pcap.HeadRoom+len(data)+pcap.TailRoom)}
	}
	e.kind, e.stream, e.side, e.time = entryData, s, side, t
	e.data = append(e.array[:pcap.HeadRoom], data...)[pcap.HeadRoom:]
	e.size, e.wrote = len(e.array), len(e.data)
	if e.packet() {
		e.sum = pcap.Sum(e.data) // while it is at hand
	}
	return e
}

// packet tells whether the entry's packet is made around its data.
func (e *entry) packet() bool { return len(e.data) >= inPlace && len(e.data) <= pcap.MaxPayload }

// free gives the entry back to its pool.
func (e *entry) free() {
	if e.pool != nil {
		e.stream, e.data = nil, nil
		e.state.Store(stateDone)
		e.pool.Put(e)
	}
}

// NewRecorder starts a recording in f, which must be empty, and open for reading
// too if it is a regular file; it stays the caller's, to be closed after
// [Recorder.Close]. Without f nothing is kept beyond what followers have read.
func NewRecorder(f *os.File, o RecorderOptions) (*Recorder, error) {
	comment := "recorded by explainer"
	if o.Version != "" {
		comment += " " + o.Version
	}
	r := &Recorder{
		o: o, file: f, keyLog: o.KeyLog, journal: newJournal(), streams: map[int]*stream{},
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if f != nil {
		info, err := f.Stat()
		if err != nil {
			return nil, fmt.Errorf("begin the recording: %w", err)
		}
		if info.Mode().IsRegular() {
			r.journal.begin(f, true, 0)
			r.hints = newWriteback(f)
		}
	}
	id := ""
	if r.parts = o.Rotate > 0 || !r.journal.kept; r.parts {
		id = rand.Text()
	}
	if !r.journal.kept {
		r.journal.limit = o.Spool
		if r.journal.dir = o.SpoolDir; r.journal.dir == "" {
			r.journal.dir = SpoolFolder()
		}
		SweepSpool(r.journal.dir)
		go r.journal.spool()
	}
	var err error
	r.pcap, _ = pcap.NewPartWriter(gathered{r}, comment, id)
	if err = r.release(); err != nil {
		r.journal.finish()
		return nil, fmt.Errorf("begin the recording %s: %w", f.Name(), err) // without a file there is none
	}
	r.space = sync.NewCond(&r.mu)
	began := capture.Fact{Kind: capture.FactRecording, Detail: o.Version}
	if o.Textbook {
		began.Host = "textbook"
	}
	r.Fact(began)
	go r.run()
	return r, nil
}

// Follow returns a reader of the recording from its beginning, or of what is still there of it.
func (r *Recorder) Follow() *Follower { return r.journal.follow() }

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

// gathered is where pcap writes: behind what waits to be released.
type gathered struct{ r *Recorder }

func (g gathered) Swap(full []byte) ([]byte, error) {
	r := g.r
	r.waits += len(full)
	if len(full) < cap(full)/4 {
		r.out = append(r.out, &piece{data: slices.Clone(full)})
		return full[:0], nil
	}
	r.out = append(r.out, &piece{data: full})
	return r.journal.buffer(cap(full)), nil
}

func (g gathered) Write(p []byte) (int, error) {
	_, err := g.Swap(p)
	return len(p), err
}

// release writes what is gathered to the file, if there is one, and gives it to the journal.
func (r *Recorder) release() error {
	done, err := r.out, error(nil)
	for i := 0; i < len(r.out) && r.file != nil; i++ {
		var n int
		if n, err = r.file.Write(r.out[i].data); err != nil {
			done = r.out[:i]
			break
		}
		r.written += int64(n)
	}
	if r.hints != nil {
		r.hints.wrote(r.written, r.journal.told(r.written))
	}
	r.journal.add(done)
	clear(r.out)
	r.out, r.waits = r.out[:0], 0
	return err
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
	return r.begin(&stream{rec: r, leg: leg, client: client, server: server, name: name})
}

// openUDP begins a connection of QUIC, whose data are datagrams.
func (r *Recorder) openUDP(leg capture.Leg, client, server netip.AddrPort, name string) *stream {
	return r.begin(&stream{rec: r, leg: leg, client: client, server: server, name: name, udp: true})
}

func (r *Recorder) begin(s *stream) *stream {
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

// fact records a fact about the end of a connection, behind all else about it.
func (s *stream) fact(f capture.Fact) {
	f.Time = time.Now().UnixNano()
	s.rec.put(&entry{kind: entryFact, stream: s, time: f.Time, fact: f})
}

// putAll queues entries that have waited elsewhere, whether there is room or not.
func (r *Recorder) putAll(entries []*entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range entries {
		r.queueLocked(e)
	}
}

// put queues an entry. Only data waits for room.
func (r *Recorder) put(e *entry) {
	if e.stream != nil {
		if g := e.stream.gate.Load(); g != nil && g.take(e) {
			return
		}
	}
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
	yielded := false
	for r.err == nil {
		r.mu.Lock()
		batch, r.queue = r.queue, batch[:0]
		closed := r.closed
		again := r.pending > 0 && !yielded // before it waits
		r.idle = len(batch) == 0 && !closed && !again
		r.mu.Unlock()
		if len(batch) == 0 {
			if closed {
				break
			}
			if again {
				// Under load there is more as soon as others had a turn, and one large write is cheaper than many.
				yielded = true
				runtime.Gosched()
				continue
			}
			r.flush()
			if r.parts {
				r.turn()
			}
			if r.err == nil && r.pending == 0 {
				<-r.wake
			}
			continue
		}
		yielded = false
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
			if r.parts {
				r.turn()
			}
			if freed >= flushEvery {
				r.freed(freed)
				freed = 0
			}
		}
		r.freed(freed)
	}
	r.flush()
	if r.err != nil {
		r.fail()
	}
	r.journal.finish()
}

// turn goes on in another file once one has its size, and moves followers to the
// end where the spool overflows; both begin a part of the recording.
func (r *Recorder) turn() {
	if r.err != nil {
		return
	}
	if r.o.Rotate > 0 && r.written+int64(r.waits+r.pcap.Buffered()) >= r.o.Rotate {
		if r.flush(); r.err != nil {
			return
		}
		f, err := r.o.Next()
		if err != nil {
			r.err = err
			return
		}
		r.file, r.written, r.hints = f, 0, newWriteback(f)
		r.skipped(r.journal.begin(f, false, r.o.Keep), nil)
		r.goOn()
		return
	}
	if r.pending > 0 {
		return // nothing was released
	}
	if over, err := r.journal.overflows(r.room); over {
		r.skipped(r.journal.skip(), err)
		r.goOn()
	}
}

// goOn begins a part of the recording.
func (r *Recorder) goOn() {
	r.pcap.Continue(r.continued())
	r.pending += r.pcap.Buffered()
}

// room tells whether the queue takes data for a while without holding up who gives it.
func (r *Recorder) room() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.queued < queueLimit/2 && !r.closed
}

func (r *Recorder) skipped(bytes int64, err error) {
	if bytes > 0 && r.o.OnSkip != nil {
		r.o.OnSkip(bytes, err)
	}
}

// continued returns the connections that are open.
func (r *Recorder) continued() []pcap.Continued {
	var all []pcap.Continued
	for _, n := range slices.Sorted(maps.Keys(r.streams)) {
		s := r.streams[n]
		all = append(all, pcap.Continued{Stream: s.out, QUIC: s.quic, Peer: s.peer, Host: s.host, Name: s.name, Secrets: r.secrets.of(s)})
	}
	return all
}

// freed makes room for n bytes.
func (r *Recorder) freed(n int) {
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
		if s.udp {
			s.quic = r.pcap.OpenUDP(s.leg, s.client, s.server)
		} else {
			s.out = r.pcap.Open(s.leg, s.client, s.server, e.time)
		}
		if r.parts {
			r.streams[s.number] = s
		}
		if s.name != "" {
			r.pcap.Name(s.server.Addr(), s.name)
		}
	case entryData:
		if s.udp {
			r.pending += e.wrote
			if e.wrote > 0 {
				s.quic.Write(e.side, e.time, e.data[:e.wrote])
			}
			e.free()
			break
		}
		if r.parts && e.side == capture.Client {
			r.secrets.see(s, e.data[:e.wrote])
		}
		r.pending += e.wrote
		if !e.packet() || e.wrote < inPlace {
			if e.wrote > 0 {
				s.out.Data(e.side, e.time, e.data[:e.wrote])
			}
			e.free()
			break
		}
		if e.wrote < len(e.data) {
			e.sum = pcap.Sum(e.data[:e.wrote])
		}
		if b := s.out.Around(e.side, e.time, e.array, e.wrote, e.sum); b != nil {
			r.out = append(r.out, &piece{data: b, of: e})
			r.waits += len(b)
		} else {
			e.free()
		}
	case entryFin:
		s.out.Fin(e.side, e.time)
	case entryReset:
		s.out.Reset(e.side, e.time)
	case entrySecret:
		r.pcap.Secret(e.secret)
		if r.parts {
			r.secrets.claim(s, e.secret.ClientRandom)
			r.secrets.add(e.secret)
		}
		if r.keyLog != nil {
			if _, err := io.WriteString(r.keyLog, e.secret.String()+"\n"); err != nil {
				r.keyLog, r.keyErr = nil, &KeyLogError{err}
				if r.o.OnError != nil {
					r.o.OnError(r.keyErr)
				}
			}
		}
	case entryFact:
		e.fact.Time = e.time
		r.pcap.Fact(e.fact)
		r.note(&e.fact)
	}
	r.pending += 64
}

// note keeps what a part of a recording has to repeat of a fact.
func (r *Recorder) note(f *capture.Fact) {
	s := r.streams[f.Conn]
	switch {
	case s == nil:
	case f.Kind == capture.FactClosed:
		delete(r.streams, f.Conn)
		r.secrets.forget(s)
	case f.Kind == capture.FactSession, f.Kind == capture.FactPassThrough && f.Outcome == "observed":
		s.peer, s.host = f.Peer, f.Host
	}
}

// flush releases what is gathered.
func (r *Recorder) flush() {
	if r.pending == 0 || r.err != nil {
		return
	}
	r.pending = 0
	r.pcap.Flush() // to out, which takes everything
	r.err = r.release()
}

// fail ends the recording after an error. The file is cut to what is complete.
func (r *Recorder) fail() {
	r.mu.Lock()
	r.closed = true
	r.queue = nil
	r.space.Broadcast()
	r.mu.Unlock()
	if r.hints != nil {
		r.file.Truncate(r.written)
	}
	r.err = fmt.Errorf("write the recording %s: %w", r.file.Name(), r.err)
	if r.o.OnError != nil {
		r.o.OnError(r.err)
	}
}
