package main

import (
	"io"
	"sync"
	"time"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/survey"
	"explainer/annotate/text"
	"explainer/capture"
	"explainer/capture/pcap"

	"github.com/urfave/cli/v2"
)

// A renderer turns events into what a person or a program reads.
type renderer interface {
	Event(*event.Event) error
	Flush() error
	Finish() error
}

// storyFlags choose how the story is told.
var storyFlags = []cli.Flag{
	&cli.StringFlag{Name: "format", Value: "text", Usage: "form of the story: `text|json`, json is one object a line; of read also har"},
	&cli.BoolFlag{Name: "messages", Usage: "below each message its fields, sentences and proofs; HTTP/2 flow control too", DisableDefaultText: true},
	&cli.BoolFlag{Name: "all", Usage: "a browser's own chatter too, message by message", DisableDefaultText: true},
	&cli.BoolFlag{Name: "show-secrets", Usage: "do not mask passwords, cookies, tokens and keys", DisableDefaultText: true},
	&cli.StringFlag{Name: "color", Value: "auto", Usage: "use colours: `auto|always|never`"},
}

// newRenderer makes the renderer that the flags ask for.
func newRenderer(c *cli.Context, w io.Writer) (renderer, error) {
	switch format := c.String("format"); format {
	case "json":
		return event.NewJSON(w), nil
	case "text":
		color, err := colorOf(c.String("color"), w)
		if err != nil {
			return nil, err
		}
		t := text.New(w)
		t.Width, t.Color, t.Messages, t.All = widthOf(w), color, c.Bool("messages") || c.Bool(bytesFlag.Name), c.Bool("all")
		return t, nil
	default:
		return nil, usage("--format is text or json, not "+quote(format), "")
	}
}

// A teller reads a capture and tells its story: bytes, keys and facts to
// messages to events to out. The live story and read share it.
type teller struct {
	decoder   *capture.Decoder
	explainer *annotate.Explainer
	survey    survey.Survey
	telling   sync.Mutex // while an event is rendered
	out       renderer
	deaf      bool         // it is told what an eavesdropper hears, and no more
	open      map[int]bool // recorded connections that have begun and not ended
	files     int          // how many are read as one, if not one
}

func newTeller(c *cli.Context, out renderer) *teller {
	deaf := c.String(asFlag.Name) == eavesdropper
	return &teller{
		deaf:      deaf,
		decoder:   new(capture.Decoder),
		explainer: &annotate.Explainer{ShowSecrets: c.Bool("show-secrets"), Secrets: c.Bool(secretsFlag.Name), Bytes: c.Bool(bytesFlag.Name), Eavesdropper: deaf},
		out:       out,
		open:      map[int]bool{},
	}
}

// tell tells everything that r has. A capture that is cut short is told up to
// the cut, and the *pcap.CutError returned.
func (t *teller) tell(r *pcap.Reader) error {
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

func (t *teller) feed(in capture.Input) error {
	t.count(in)
	if in = t.heard(in); in == nil {
		return nil
	}
	return t.messages(t.decoder.Feed(in))
}

// count keeps account of which recorded connections are open.
func (t *teller) count(in capture.Input) {
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

func (t *teller) messages(ms []capture.Message) error {
	for i := range ms {
		if err := t.events(t.explainer.Explain(&ms[i])); err != nil {
			return err
		}
	}
	return nil
}

func (t *teller) events(es []event.Event) error {
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

// leave hands on what was told so far, to the end of an event, before a signal ends
// the program, unless whoever reads it takes nothing any more.
func (t *teller) leave() {
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
func (t *teller) finish(r *pcap.Reader) error {
	if err := t.messages(t.decoder.Finish()); err != nil {
		return err
	}
	if err := t.events(t.explainer.Finish()); err != nil {
		return err
	}
	stats := r.Stats()
	file := event.File{Files: max(t.files, 1), Own: r.Own(), Packets: stats.Packets, Bytes: stats.Bytes, Skipped: event.Counts(stats.Skipped)}
	if err := t.out.Event(t.survey.Overview(file)); err != nil {
		return err
	}
	t.telling.Lock()
	defer t.telling.Unlock()
	return t.out.Finish()
}

// flushing flushes the renderer before each read, which is when a growing
// recording may make us wait: what was told so far is seen at once, without a timer.
type flushing struct {
	r   io.Reader
	out renderer
}

func (f flushing) Read(p []byte) (int, error) {
	if err := f.out.Flush(); err != nil {
		return 0, err
	}
	return f.r.Read(p)
}
