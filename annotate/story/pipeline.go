package story

import (
	"bytes"
	"sync"

	"explainer/annotate/event"
	"explainer/capture"
	"explainer/capture/pcap"
)

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
// What a stage may keep only until its next call is copied into the batch.
func (t *Teller) pipe(r *pcap.Reader) error {
	var (
		inputs   = make(chan *inputBatch, batchAhead)
		messages = make(chan *[]capture.Message, batchAhead)
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
		for in := range inputs {
			out := messageBatches.Get().(*[]capture.Message)
			for _, i := range in.list {
				*out = append(*out, t.decoder.Feed(i)...)
			}
			in.free()
			messages <- out
		}
		out := messageBatches.Get().(*[]capture.Message)
		*out = append(*out, t.decoder.Finish()...)
		messages <- out
	})
	stages.Go(func() {
		defer close(events)
		for in := range messages {
			out := eventBatches.Get().(*[]event.Event)
			for i := range *in {
				*out = append(*out, t.explainer.Explain(&(*in)[i])...)
			}
			empty(in, &messageBatches)
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
		empty(es, &eventBatches)
	}
	stages.Wait()
	if telling != nil {
		return telling
	}
	return reading
}

var (
	inputBatches = sync.Pool{New: func() any {
		return &inputBatch{
			list: make([]capture.Input, 0, batchInputs), chunks: make([]capture.Chunk, 0, batchInputs),
			datagrams: make([]capture.Datagram, 0, batchInputs), data: make([]byte, 0, batchBytes),
		}
	}}
	messageBatches = sync.Pool{New: func() any { return new([]capture.Message) }}
	eventBatches   = sync.Pool{New: func() any { return new([]event.Event) }}
)

// empty gives a batch back.
func empty[T any](batch *[]T, pool *sync.Pool) {
	clear(*batch)
	*batch = (*batch)[:0]
	pool.Put(batch)
}

// readBatches reads r to its end.
func (t *Teller) readBatches(r *pcap.Reader, out chan<- *inputBatch, stop <-chan struct{}) error {
	b := inputBatches.Get().(*inputBatch)
	defer func() { out <- b }()
	for in, err := range r.All() {
		if err != nil {
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
	return nil
}

// An inputBatch is inputs that are valid until it is freed.
type inputBatch struct {
	list      []capture.Input
	chunks    []capture.Chunk    // never grows: list points into it
	datagrams []capture.Datagram // as chunks
	data      []byte             // that of both; never grows
}

// full tells that there is no room for in. There always is in an empty batch.
func (b *inputBatch) full(in capture.Input) bool {
	if len(b.list) == batchInputs {
		return true
	}
	n := 0
	switch i := in.(type) {
	case *capture.Chunk:
		n = len(i.Data)
	case *capture.Datagram:
		n = len(i.Data)
	}
	return n > 0 && len(b.list) > 0 && len(b.data)+n > cap(b.data)
}

func (b *inputBatch) add(in capture.Input) {
	switch i := in.(type) {
	case *capture.Chunk:
		c := *i
		c.Data = b.hold(c.Data)
		b.chunks = append(b.chunks, c)
		in = &b.chunks[len(b.chunks)-1]
	case *capture.Datagram:
		d := *i
		d.Data = b.hold(d.Data)
		b.datagrams = append(b.datagrams, d)
		in = &b.datagrams[len(b.datagrams)-1]
	default:
		in = cloned(in)
	}
	b.list = append(b.list, in)
}

// hold copies data into the batch.
func (b *inputBatch) hold(data []byte) []byte {
	if len(b.data)+len(data) > cap(b.data) { // longer than a batch
		return bytes.Clone(data)
	}
	at := len(b.data)
	b.data = append(b.data, data...)
	return b.data[at:len(b.data):len(b.data)]
}

// cloned is an input that stays valid.
func cloned(in capture.Input) capture.Input {
	switch i := in.(type) {
	case *capture.Chunk:
		c := *i
		c.Data = bytes.Clone(c.Data)
		return &c
	case *capture.Datagram:
		c := *i
		c.Data = bytes.Clone(c.Data)
		return &c
	case *capture.Open:
		return copied(i)
	case *capture.Gap:
		return copied(i)
	case *capture.Late:
		return copied(i)
	case *capture.Close:
		return copied(i)
	case *capture.End:
		return copied(i)
	case *capture.Secret:
		return copied(i)
	case *capture.Fact:
		return copied(i)
	}
	return in
}

func copied[T any](p *T) *T {
	v := *p
	return &v
}

func (b *inputBatch) free() {
	clear(b.list)
	clear(b.chunks)
	clear(b.datagrams)
	b.list, b.chunks, b.datagrams, b.data = b.list[:0], b.chunks[:0], b.datagrams[:0], b.data[:0]
	inputBatches.Put(b)
}
