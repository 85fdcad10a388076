// Package story reads captures and tells them: bytes, keys and facts to messages, to
// events, to whoever shows them. It reads files, follows a recording that grows,
// chooses what is told, and copies captures with their story. It knows no sockets,
// flags or terminals.
package story

import (
	"cmp"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/survey"
	"explainer/capture"
	"explainer/capture/pcap"
)

// A Renderer turns events into what a person or a program reads.
type Renderer interface {
	Event(*event.Event) error
	Flush() error  // hands on what was told so far
	Finish() error // after the last event
}

// A Teller tells a story: what it reads becomes messages, events, and what its
// renderer makes of them. The live story and that of files are told by it alike.
type Teller struct {
	decoder   capture.Decoder
	explainer *annotate.Explainer
	survey    survey.Survey
	telling   sync.Mutex // while an event is rendered
	out       Renderer
	open      map[int]bool // recorded connections that have begun and not ended
	files     int          // how many are read as one, if not one
}

// New returns a teller. As x tells an eavesdropper's story, it hears what one does, and no more.
func New(x *annotate.Explainer, out Renderer) *Teller {
	return &Teller{explainer: x, out: out, open: map[int]bool{}}
}

// Follow tells a recording of our own, which may still grow, to its end. Before each
// read, which is when it may have to wait, what was told so far is handed on: it is
// seen at once, without a timer. Of one that is cut short all that stands before the
// cut is told, and the *pcap.CutError returned.
func (t *Teller) Follow(recording io.Reader) error {
	r, err := pcap.NewReader(flushing{recording, t.out})
	if err != nil {
		return err
	}
	t.decoder.SecretsFirst = true // they are written before the bytes that they open
	told := t.tell(r)
	if err := t.finish(r); err != nil {
		return err
	}
	return told
}

// tell tells everything that r has. A capture that is cut short is told up to
// the cut, and the *pcap.CutError returned.
func (t *Teller) tell(r *pcap.Reader) error {
	for in, err := range r.All() {
		if err == nil {
			err = t.feed(in)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *Teller) feed(in capture.Input) error {
	t.count(in)
	if in = t.heard(in); in == nil {
		return nil
	}
	return t.messages(t.decoder.Feed(in))
}

// count keeps account of which recorded connections are open.
func (t *Teller) count(in capture.Input) {
	switch in := in.(type) {
	case *capture.Open:
		if in.Leg != capture.LegNone {
			t.open[in.Conn] = true
		}
	case *capture.Fact:
		if in.Kind == capture.FactClosed {
			delete(t.open, in.Conn)
		}
	}
}

// heard is an input as the one gets it whose view is told, nil if he does not.
func (t *Teller) heard(in capture.Input) capture.Input {
	if !t.explainer.Eavesdropper {
		return in
	}
	switch in := in.(type) {
	case *capture.Secret, *capture.Fact:
		return nil
	case *capture.Open:
		open := *in
		open.Leg = capture.LegNone
		return &open
	}
	return in
}

func (t *Teller) messages(ms []capture.Message) error {
	for i := range ms {
		if err := t.events(t.explainer.Explain(&ms[i])); err != nil {
			return err
		}
	}
	return nil
}

func (t *Teller) events(es []event.Event) error {
	for i := range es {
		t.survey.Add(&es[i])
		t.telling.Lock()
		err := t.out.Event(&es[i])
		t.telling.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// Leave hands on what was told so far, to the end of an event, and has nothing told
// any more, for the process is about to end. It waits no longer than a second for
// whoever reads it.
func (t *Teller) Leave() {
	flushed := make(chan struct{})
	go func() {
		t.telling.Lock() // for good
		t.out.Flush()
		close(flushed)
	}()
	select {
	case <-flushed:
	case <-time.After(time.Second):
	}
}

// finish tells what was still open when the input ended, and what it all came to.
func (t *Teller) finish(r *pcap.Reader) error {
	if err := t.messages(t.decoder.Finish()); err != nil {
		return err
	}
	if err := t.events(t.explainer.Finish()); err != nil {
		return err
	}
	stats := r.Stats()
	file := event.File{Files: max(t.files, 1), Own: r.Own(), Packets: stats.Packets, Bytes: stats.Bytes, Begin: stats.Begin, End: stats.End, Skipped: event.Counts(stats.Skipped), Unread: mostUnread(stats.Unread)}
	if stats.Back >= int64(time.Hour) {
		file.Back, file.BackAt = stats.Back/int64(time.Millisecond), stats.BackAt
	}
	if err := t.out.Event(t.survey.Overview(file)); err != nil {
		return err
	}
	t.telling.Lock()
	defer t.telling.Unlock()
	return t.out.Finish()
}

// mostUnread lists what a capture holds that is not read, the most frequent of each reason first.
func mostUnread(by map[pcap.Unread]int) (out []event.Unread) {
	for what, n := range by {
		out = append(out, event.Unread{Reason: what.Reason, Number: what.Number, N: n})
	}
	slices.SortFunc(out, func(a, b event.Unread) int {
		return cmp.Or(strings.Compare(a.Reason, b.Reason), b.N-a.N, a.Number-b.Number)
	})
	named := map[string]int{}
	return slices.DeleteFunc(out, func(u event.Unread) bool {
		named[u.Reason]++
		return named[u.Reason] > event.MaxUnread
	})
}

// flushing flushes the renderer before each read.
type flushing struct {
	r   io.Reader
	out Renderer
}

func (f flushing) Read(p []byte) (int, error) {
	if err := f.out.Flush(); err != nil {
		return 0, err
	}
	return f.r.Read(p)
}
