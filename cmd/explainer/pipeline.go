package main

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"sync"

	"explainer/annotate/event"
	"explainer/capture"
	"explainer/capture/pcap"
)

// How much garbage is collected at once: gcPercent of what lives, and more while that is
// little: up to gcRoom bytes and gcPercentMost. A limit below what lives would have the collector run without end.
const (
	gcPercent     = 100
	gcPercentMost = 400
	gcRoom        = 64 << 20
)

// tuneMemory has the collector follow what lives, unless the variable of Go's runtime
// says otherwise.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercentMost)
		atNextCollection(gcPercentMost)
	}
}

// atNextCollection sets the percentage after the next collection, and so on.
func atNextCollection(percent int) {
	// What nobody holds goes with the next collection.
	runtime.AddCleanup(&struct{ p *int }{}, func(percent int) {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		now := int(min(max(gcRoom*100/max(live[0].Value.Uint64(), 1), gcPercent), gcPercentMost))
		if now != percent {
			debug.SetGCPercent(now)
		}
		atNextCollection(now)
	}, percent)
}

// Sizes of what passes from one stage of the pipeline to the next.
const (
	batchInputs = 64
	batchBytes  = 256 << 10
	batchAhead  = 4 // batches that wait between two stages
)

// pipe does what tell does, and the decoder's Finish behind it, by stages that
// work at the same time:
//
//	packets and TCP ─► decoder ─► explainer ─► renderer
//
// Each stage has its own goroutine and gets batches from the one before, in
// order, so every stage is fed what it is fed one by one: the story is the same
// to the byte. Connections are not told apart to be decoded side by side, since
// what is known of one may come from another: keys, sessions, tickets.
//
// What a stage may keep only until its next call is copied into the batch. The
// [capture.Conn] behind messages changes as the decoder goes on, so the explainer
// gets connections of its own, brought to the state that they had.
func (t *teller) pipe(r *pcap.Reader) error {
	var (
		inputs   = make(chan *inputBatch, batchAhead)
		messages = make(chan *messageBatch, batchAhead)
		events   = make(chan *[]event.Event, batchAhead)
		stop     = make(chan struct{}) // the renderer wants no more
		reading  error                 // why the reading ended
		stages   sync.WaitGroup
	)
	stages.Go(func() {
		defer close(inputs)
		reading = t.readBatches(r, inputs, stop)
	})
	stages.Go(func() {
		defer close(messages)
		s := states{decoder: t.decoder, tracks: map[int]*track{}}
		for in := range inputs {
			out := newMessageBatch()
			for _, i := range in.list {
				s.add(out, t.decoder.Feed(i))
			}
			in.free()
			messages <- out
		}
		out := newMessageBatch()
		s.add(out, t.decoder.Finish())
		messages <- out
	})
	stages.Go(func() {
		defer close(events)
		for in := range messages {
			out := eventBatches.Get().(*[]event.Event)
			in.each(func(m *capture.Message) { *out = append(*out, t.explainer.Explain(m)...) })
			in.free()
			events <- out
		}
	})
	var telling error
	for es := range events {
		if telling == nil {
			if telling = t.events(*es); telling != nil {
				close(stop) // and what is under way runs out
			}
		}
		clear(*es)
		*es = (*es)[:0]
		eventBatches.Put(es)
	}
	stages.Wait()
	if telling != nil {
		return telling
	}
	return reading
}

var (
	inputBatches = sync.Pool{New: func() any {
		return &inputBatch{list: make([]capture.Input, 0, batchInputs), chunks: make([]capture.Chunk, 0, batchInputs), data: make([]byte, 0, batchBytes)}
	}}
	messageBatches = sync.Pool{New: func() any { return new(messageBatch) }}
	eventBatches   = sync.Pool{New: func() any { return new([]event.Event) }}
)

// readBatches reads r to its end.
func (t *teller) readBatches(r *pcap.Reader, out chan<- *inputBatch, stop <-chan struct{}) error {
	b := inputBatches.Get().(*inputBatch)
	for {
		in, err := r.Next()
		if err != nil {
			out <- b
			if errors.Is(err, io.EOF) && !errors.As(err, new(*pcap.CutError)) {
				return nil
			}
			return err
		}
		t.count(in)
		if in = t.heard(in); in == nil {
			continue
		}
		if b.full(in) {
			select {
			case out <- b:
			case <-stop:
				return nil
			}
			b = inputBatches.Get().(*inputBatch)
		}
		b.add(in)
	}
}

// An inputBatch is inputs that are valid until it is freed.
type inputBatch struct {
	list   []capture.Input
	chunks []capture.Chunk // never grows: list points into it
	data   []byte          // that of chunks; never grows
}

// full tells that there is no room for in. There always is in an empty batch.
func (b *inputBatch) full(in capture.Input) bool {
	if len(b.list) == batchInputs {
		return true
	}
	c, ok := in.(*capture.Chunk)
	return ok && len(b.list) > 0 && len(b.data)+len(c.Data) > cap(b.data)
}

func (b *inputBatch) add(in capture.Input) {
	switch i := in.(type) {
	case *capture.Chunk:
		c := *i
		if len(b.data)+len(c.Data) > cap(b.data) { // longer than a batch
			c.Data = bytes.Clone(c.Data)
		} else {
			at := len(b.data)
			b.data = append(b.data, c.Data...)
			c.Data = b.data[at:len(b.data):len(b.data)]
		}
		b.chunks = append(b.chunks, c)
		in = &b.chunks[len(b.chunks)-1]
	case *capture.Datagram:
		c := *i
		c.Data = bytes.Clone(c.Data)
		in = &c
	case *capture.Open:
		in = copied(i)
	case *capture.Gap:
		in = copied(i)
	case *capture.Close:
		in = copied(i)
	case *capture.End:
		in = copied(i)
	case *capture.Secret:
		in = copied(i)
	case *capture.Fact:
		in = copied(i)
	}
	b.list = append(b.list, in)
}

func copied[T any](p *T) *T {
	v := *p
	return &v
}

func (b *inputBatch) free() {
	clear(b.list)
	clear(b.chunks)
	b.list, b.chunks, b.data = b.list[:0], b.chunks[:0], b.data[:0]
	inputBatches.Put(b)
}

// A messageBatch is messages with the states of their connections.
type messageBatch struct {
	messages []capture.Message // their Conn is the explainer's
	states   []state
	groups   []group
}

// A group is what one input gave: first the states, then the messages are given out.
type group struct{ states, messages int }

// A state is how a connection was after an input.
type state struct {
	conn    *capture.Conn // the explainer's
	now     capture.Conn
	secrets map[string][]byte // nil: as before
	other   bool              // they are another handshake's than before
}

func newMessageBatch() *messageBatch { return messageBatches.Get().(*messageBatch) }

func (b *messageBatch) free() {
	clear(b.messages)
	clear(b.states)
	b.messages, b.states, b.groups = b.messages[:0], b.states[:0], b.groups[:0]
	messageBatches.Put(b)
}

// each gives out the messages, each while its connection is as it was.
func (b *messageBatch) each(yield func(*capture.Message)) {
	states, messages := b.states, b.messages
	for _, g := range b.groups {
		for i := range states[:g.states] {
			states[i].apply()
		}
		for i := range messages[:g.messages] {
			yield(&messages[i])
		}
		states, messages = states[g.states:], messages[g.messages:]
	}
}

func (s *state) apply() {
	secrets := s.conn.Secrets
	*s.conn = s.now
	s.conn.Secrets = secrets
	switch {
	case s.secrets == nil:
	case s.other || secrets == nil:
		s.conn.Secrets = s.secrets
	default: // whoever holds the map sees it change, as the decoder's own does
		clear(secrets)
		maps.Copy(secrets, s.secrets)
	}
}

// states follows the decoder's connections.
type states struct {
	decoder *capture.Decoder
	tracks  map[int]*track
	touched []*track // by the input in hand
}

// A track is one connection as the decoder and as the explainer has it.
type track struct {
	live    *capture.Conn
	conn    *capture.Conn
	secrets map[string][]byte // that were given last
	of      uintptr           // the map that they were in
}

// add adds what one input gave.
func (s *states) add(b *messageBatch, ms []capture.Message) {
	s.touched = s.touched[:0]
	var own *track
	for _, c := range s.decoder.Moved() {
		if t := s.tracks[c.Number]; t != nil && t.live == c && !slices.Contains(s.touched, t) {
			own = t
			s.touched = append(s.touched, t)
		}
	}
	for _, m := range ms {
		if m.Conn != nil {
			if own == nil || own.live != m.Conn {
				own = s.track(m.Conn)
			}
			m.Conn = own.conn
		}
		b.messages = append(b.messages, m)
	}
	for _, t := range s.touched {
		b.states = append(b.states, t.state())
		if !s.decoder.Follows(t.live.Number) {
			delete(s.tracks, t.live.Number)
		}
	}
	b.groups = append(b.groups, group{len(s.touched), len(ms)})
}

// track returns the track of a connection, and notes that it was touched.
func (s *states) track(live *capture.Conn) *track {
	t := s.tracks[live.Number]
	if t == nil || t.live != live {
		t = &track{live: live, conn: new(capture.Conn)}
		s.tracks[live.Number] = t
	}
	if !slices.Contains(s.touched, t) {
		s.touched = append(s.touched, t)
	}
	return t
}

// state returns the state of the connection.
func (t *track) state() state {
	s := state{conn: t.conn, now: *t.live}
	s.now.Secrets = nil
	if of := reflect.ValueOf(t.live.Secrets).Pointer(); of != t.of {
		t.of, s.other = of, true
	} else if maps.EqualFunc(t.secrets, t.live.Secrets, bytes.Equal) {
		return s
	}
	if t.live.Secrets != nil {
		t.secrets = maps.Clone(t.live.Secrets)
		s.secrets = maps.Clone(t.secrets)
	}
	return s
}
