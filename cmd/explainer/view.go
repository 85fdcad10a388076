package main

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/har"
	"explainer/annotate/text"

	"github.com/urfave/cli/v2"
)

// viewFlags choose how near read looks.
var viewFlags = []cli.Flag{
	&cli.BoolFlag{Name: "overview", Usage: "what the capture comes to, and nothing else", DisableDefaultText: true},
}

// A view is how read tells a capture. Its parts are kept back where others are to
// stand before them, or where it is not known yet whether they are chosen.
type view struct {
	w         io.Writer
	selection *selection
	spool     spool
	asItComes bool // event by event
	endless   bool // the input may go on for long: tell what there is as it comes
	text      *text.Text
	overview  *event.Overview
	name      string // of the file, for the title
}

func (v *view) Close() error { return v.spool.Close() }

// keepsBack tells whether nothing is told before all is read.
func (v *view) keepsBack() bool { return !v.endless && !v.asItComes }

// newView makes the view that the flags ask for.
func newView(c *cli.Context, w io.Writer, s *selection, name string, endless bool) (renderer, *view, error) {
	color, err := colorOf(c.String("color"), w)
	if err != nil {
		return nil, nil, err
	}
	width := widthOf(w)
	if width == 0 {
		width, _ = strconv.Atoi(os.Getenv("COLUMNS")) // for those who export it
	}
	v := &view{w: w, selection: s, endless: endless, name: name, text: text.New(w)}
	v.text.Width, v.text.Color = width, color
	format := c.String("format")
	switch {
	case format != "text" && format != "json" && format != "har":
		return nil, nil, usage("--format is text, json or har, not "+quote(format), "")
	case format == "har":
		for _, flag := range []string{"overview", "messages", bytesFlag.Name, secretsFlag.Name} {
			if c.Bool(flag) {
				return nil, nil, usage("--format har holds requests and responses, and nothing that --"+flag+" shows", "leave out one of the two")
			}
		}
		return newHARView(v), v, nil
	case c.Bool("overview"):
		return &overviewView{view: v, json: format == "json"}, v, nil
	case format == "json" || c.Bool("messages") || c.Bool(bytesFlag.Name):
		l := &lineView{view: v, json: format == "json"}
		l.keep = s.late() || !l.json && !endless
		to := w
		v.asItComes = !l.keep
		if l.keep {
			to = &l.buf
		}
		if l.json {
			l.render = event.NewJSON(to)
			return l, v, nil
		}
		t := text.New(to)
		t.Width, t.Color, t.Messages, t.All = width, color, true, c.Bool("all") || s != nil
		l.render = t
		return l, v, nil
	}
	b := &blockView{view: v}
	b.Blocks = text.NewBlocks(b.take)
	b.Width, b.Color, b.All, b.Name = width, color, c.Bool("all") || s != nil, name
	if s != nil {
		b.Steps = s.steps
	}
	return b, v, nil
}

// opening writes what stands above a story in text: the overview, or what was chosen.
func (v *view) opening() error {
	switch n, all := 0, 0; {
	case v.overview == nil:
		return nil
	case v.selection != nil:
		n, all = v.selection.count()
		if n == 0 {
			return nil
		}
		what := "session"
		if v.overview.Sessions == v.overview.Connections {
			what = "connection"
		}
		_, err := fmt.Fprintf(v.w, "%d of %s chosen: %s\n\n", n, count(all, what), v.selection.words)
		return err
	}
	return v.text.Overview(v.overview, v.name)
}

// blockView tells what the capture comes to, and then each session in a block.
type blockView struct {
	*text.Blocks
	*view
	blocks []kept
}

// kept is a text in the spool.
type kept struct {
	order   int64
	text    int64 // where in the spool
	session int
}

func (b *blockView) Event(e *event.Event) error {
	b.selection.see(e)
	if e.Overview != nil {
		b.overview = e.Overview
		return nil
	}
	return b.Blocks.Event(e)
}

// take takes a block.
func (b *blockView) take(session int, block []byte) error {
	if b.selection != nil && (session == text.BlockBefore || session == text.BlockAfter) {
		return nil // about the whole capture
	}
	if b.endless {
		if !b.selection.choose(session) {
			return nil
		}
		_, err := b.w.Write(block)
		return err
	}
	at, err := b.spool.add(session, block)
	b.blocks = append(b.blocks, kept{int64(session), at, session})
	return err
}

func (b *blockView) Flush() error { return nil }

func (b *blockView) Finish() error {
	if err := b.Blocks.Finish(); err != nil || b.endless {
		if err != nil {
			return err
		}
		return b.opening()
	}
	if err := b.opening(); err != nil {
		return err
	}
	return b.release(b.blocks, "")
}

// release writes kept texts, those that are chosen, in their order, with a separator between them.
func (v *view) release(texts []kept, separator string) error {
	slices.SortStableFunc(texts, func(a, b kept) int { return cmp.Compare(a.order, b.order) })
	w := bufio.NewWriterSize(v.w, 64<<10)
	first := true
	for _, k := range texts {
		if !v.selection.choose(k.session) {
			continue
		}
		if !first {
			if _, err := w.WriteString(separator); err != nil {
				return err
			}
		}
		first = false
		if err := v.spool.copy(w, k.text); err != nil {
			return err
		}
	}
	return w.Flush()
}

// lineView tells event by event, in the order of time.
type lineView struct {
	*view
	render renderer
	buf    bytes.Buffer // what render writes to, one event's at a time, or nothing
	json   bool
	keep   bool // until the end
}

func (l *lineView) Event(e *event.Event) error {
	l.selection.see(e)
	if e.Overview != nil {
		l.overview = e.Overview
		if !l.json {
			return nil
		}
	}
	if e = l.selection.reduce(e); e == nil {
		return nil
	}
	if err := l.render.Event(e); err != nil || !l.keep {
		return err
	}
	if err := l.render.Flush(); err != nil {
		return err
	}
	return l.kept(e.Session)
}

func (l *lineView) kept(session int) error {
	defer l.buf.Reset()
	if l.buf.Len() == 0 {
		return nil
	}
	_, err := l.spool.add(session, l.buf.Bytes())
	return err
}

func (l *lineView) Flush() error {
	if l.keep {
		return nil
	}
	return l.render.Flush()
}

func (l *lineView) Finish() error {
	if err := l.render.Finish(); err != nil {
		return err
	}
	if err := l.kept(0); err != nil {
		return err
	}
	if !l.json {
		if err := l.opening(); err != nil {
			return err
		}
	}
	return l.spool.each(l.w, l.selection.choose)
}

// overviewView tells what the capture comes to, and nothing else.
type overviewView struct {
	*view
	json bool
}

func (o *overviewView) Event(e *event.Event) error {
	if e.Overview == nil {
		return nil
	}
	o.overview = e.Overview
	if o.json {
		j := event.NewJSON(o.w)
		if err := j.Event(e); err != nil {
			return err
		}
		return j.Finish()
	}
	o.text.Alone = true // no block with the same follows
	return o.text.Overview(e.Overview, o.name)
}

func (o *overviewView) Flush() error  { return nil }
func (o *overviewView) Finish() error { return nil }

// harView writes an HTTP Archive.
type harView struct {
	*har.HAR
	*view
	entries []kept
}

func newHARView(v *view) *harView {
	h := &harView{view: v}
	h.HAR = har.New(func(session int, began time.Time, entry []byte) error {
		at, err := h.spool.add(session, entry)
		h.entries = append(h.entries, kept{began.UnixNano(), at, session})
		return err
	})
	return h
}

func (h *harView) Event(e *event.Event) error {
	h.selection.see(e)
	if e.Overview != nil {
		h.overview = e.Overview
	}
	return h.HAR.Event(e)
}

func (h *harView) Flush() error { return nil }

func (h *harView) Finish() error {
	if err := h.HAR.Finish(); err != nil {
		return err
	}
	w := bufio.NewWriterSize(h.w, 64<<10)
	h.w = w
	w.WriteString(h.HAR.Head(version()))
	if err := h.release(h.entries, ",\n"); err != nil {
		return err
	}
	w.WriteString(h.HAR.Foot())
	return w.Flush()
}
