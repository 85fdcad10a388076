package story

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/har"
	"explainer/annotate/qlog"
	"explainer/annotate/redo"
	"explainer/annotate/rows"
	"explainer/annotate/survey"
	"explainer/annotate/text"
	"explainer/annotate/words"
)

// A Detail is how much of a story is told as text.
type Detail int

const (
	InShort    Detail = iota // a block for each kind of connection, a line for the rest
	BySteps                  // each connection with its messages, one line each, and the sentences of its steps
	ByMessages               // message by message in the order of time, each with its fields, sentences and proofs
)

// ViewOptions say in which form a story is shown.
type ViewOptions struct {
	Format   string      // one of [Formats]
	Overview bool        // what the capture comes to, and nothing else
	Rows     string      // a table, one of [rows.Tables], in a Format of [rows.Formats]; empty: none
	Source   rows.Source // where the table's rows say that they come from
	Detail   Detail      // how much of it, as text
	ASCII    bool        // the short story has no signs beyond ASCII of its own
	All      bool        // a browser's own chatter too
	Width    int         // of the terminal, in cells; 0 where there is none
	Color    bool
	Lang     words.Language // of the text

	// Of files that are read:
	Name      string     // for the title
	Endless   bool       // the input may go on for long: tell what there is as it comes
	Selection *Selection // nil: all is told
	Version   string     // of this program
	// Scratch makes a temporary file that only its owner can read; it is closed and removed.
	Scratch func() (*os.File, error)
}

// formats are the forms of a story, with what tells it in them event by event. What is
// written for an event belongs to its session, which a [Selection] may leave out; a form that
// is written at the end alone, from several sessions, needs a view of its own, as HAR has.
var formats = []struct {
	name  string
	lines func(io.Writer, ViewOptions) Renderer // nil: it has to be read to its end first
}{
	{"text", func(w io.Writer, o ViewOptions) Renderer {
		if o.Detail == InShort {
			return NewShort(w, o)
		}
		t := text.New(w)
		t.Width, t.Color, t.Messages, t.All, t.Lang = o.Width, o.Color, o.Detail == ByMessages, o.All, o.Lang
		return t
	}},
	{"json", func(w io.Writer, _ ViewOptions) Renderer { return event.NewJSON(w) }},
	{"commands", func(w io.Writer, _ ViewOptions) Renderer { return redo.NewCommands(w) }},
	{"har", nil},
	{"qlog", nil},
}

// NewShort tells the short story on w.
func NewShort(w io.Writer, o ViewOptions) *text.Short {
	t := text.NewShort(w)
	t.Width, t.Color, t.All, t.Lang, t.ASCII = o.Width, o.Color, o.All, o.Lang, o.ASCII
	if o.Selection != nil {
		t.Chosen = o.Selection.Chooses
	}
	return t
}

// Formats are the forms of a story, or those alone that suit a live one.
func Formats(live bool) (names []string) {
	for _, f := range formats {
		if f.lines != nil || !live {
			names = append(names, f.name)
		}
	}
	return names
}

// NewLines returns what tells event by event as it comes, as a live story does.
func NewLines(w io.Writer, o ViewOptions) Renderer {
	for _, f := range formats {
		if f.name == o.Format && f.lines != nil {
			return f.lines(w, o)
		}
	}
	return nil
}

// A View is how files are told.
type View struct {
	Renderer
	parts *parts
}

// NewView makes a view that writes to w.
func NewView(w io.Writer, o ViewOptions) *View {
	if o.Selection != nil {
		o.All = true
	}
	p := &parts{ViewOptions: o, w: w, spool: spool{scratch: o.Scratch}, text: text.New(w)}
	p.text.Width, p.text.Color, p.text.Lang = o.Width, o.Color, o.Lang
	data := o.Format != "text" // for programs
	switch {
	case o.Rows != "":
		p.noFields = true
		return &View{newRowsView(p), p}
	case o.Format == "har":
		return &View{newHARView(p), p}
	case o.Format == "qlog":
		return &View{newQLogView(p), p}
	case o.Overview:
		p.noFields, p.noFacts = true, true
		return &View{&overviewView{parts: p, data: data}, p}
	case !data && o.Detail == InShort:
		p.asItComes, p.noFields, p.noFacts = true, true, true
		return &View{&shortView{NewShort(w, o), p}, p}
	case data || o.Detail == ByMessages:
		l := &lineView{parts: p, data: data, keep: o.Selection.late() || !data && !o.Endless}
		p.asItComes = !l.keep
		to := w
		if l.keep {
			to = &l.buf
		}
		o.Detail = ByMessages
		l.render = NewLines(to, o)
		return &View{l, p}
	}
	b := &blockView{parts: p}
	b.Blocks = text.NewBlocks(b.take)
	b.Blocks.Width, b.Blocks.Color, b.Blocks.All, b.Blocks.Name, b.Blocks.Lang = o.Width, o.Color, o.All, o.Name, o.Lang
	if o.Selection != nil {
		b.Steps = o.Selection.Steps
	}
	return &View{b, p}
}

// Close removes what was kept back.
func (v *View) Close() error { return v.parts.spool.Close() }

// KeepsBack tells whether nothing is told before all is read.
func (v *View) KeepsBack() bool { return !v.parts.Endless && !v.parts.asItComes }

// Spare has an explainer leave out what the view has no use for.
func (v *View) Spare(x *annotate.Explainer) {
	x.NoFields, x.NoFacts = v.parts.noFields, v.parts.noFacts
}

// Verdict is what there is to say, once all was told, if nothing was chosen.
func (v *View) Verdict() error { return v.parts.Selection.verdictOn(v.parts.overview) }

// parts are what a view is told from. Some are kept back where others are to stand
// before them, or where it is not known yet whether they are chosen.
type parts struct {
	ViewOptions
	w                 io.Writer
	spool             spool
	asItComes         bool // event by event
	noFields, noFacts bool
	text              *text.Text
	overview          *event.Overview
}

// opening writes what stands above a story in text: the overview, or what was chosen.
func (v *parts) opening() error {
	switch n, all := 0, 0; {
	case v.overview == nil:
		return nil
	case v.Selection != nil:
		n, all = v.Selection.count()
		if n == 0 {
			return nil
		}
		what := "session"
		if v.overview.Sessions == v.overview.Connections {
			what = "connection"
		}
		_, err := fmt.Fprintf(v.w, "%s\n\n", v.Lang.In(words.Piece("view/chosen", "n", strconv.Itoa(n), "count", words.Count(all, what), "options", v.Selection.Words)))
		return err
	}
	return v.text.Overview(v.overview, v.Name)
}

// shortView tells the short story as it comes.
type shortView struct {
	*text.Short
	*parts
}

func (v *shortView) Event(e *event.Event) error {
	v.Selection.See(e)
	if e.Overview != nil {
		v.overview = e.Overview
	}
	return v.Short.Event(e)
}

func (v *shortView) Flush() error  { return v.Short.Flush() }
func (v *shortView) Finish() error { return v.Short.Finish() }

// blockView tells what the capture comes to, and then each session in a block.
type blockView struct {
	*text.Blocks
	*parts
	blocks []kept
}

// kept is a text in the spool.
type kept struct {
	order   int64
	text    int64 // where in the spool
	session int
}

func (b *blockView) Event(e *event.Event) error {
	b.Selection.See(e)
	if e.Overview != nil {
		b.overview = e.Overview
		return nil
	}
	return b.Blocks.Event(e)
}

// take takes a block.
func (b *blockView) take(session int, block []byte) error {
	if b.Selection != nil && (session == text.BlockBefore || session == text.BlockAfter) {
		return nil // about the whole capture
	}
	if b.Endless {
		if !b.Selection.Chooses(session) {
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
	if err := b.Blocks.Finish(); err != nil || b.Endless {
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
func (v *parts) release(texts []kept, separator string) error {
	slices.SortStableFunc(texts, func(a, b kept) int { return cmp.Compare(a.order, b.order) })
	w := bufio.NewWriterSize(v.w, 64<<10)
	first := true
	for _, k := range texts {
		if !v.Selection.Chooses(k.session) {
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
	*parts
	render Renderer
	buf    bytes.Buffer // what render writes to, one event's at a time, or nothing
	data   bool         // for programs: the overview is one of the events
	keep   bool         // until the end
}

func (l *lineView) Event(e *event.Event) error {
	l.Selection.See(e)
	if e.Overview != nil {
		l.overview = e.Overview
		if !l.data {
			return nil
		}
	}
	if t, ok := l.render.(*text.Text); ok {
		t.Begins(e) // what is told of it may come later
	}
	if e = l.Selection.reduce(e); e == nil {
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
	if !l.data {
		if err := l.opening(); err != nil {
			return err
		}
	}
	return l.spool.each(l.w, l.Selection.Chooses)
}

// overviewView tells what the capture comes to, or what is chosen of it, and nothing else.
type overviewView struct {
	*parts
	data    bool
	chosen  survey.Survey          // of what is chosen
	pending map[int][]*event.Event // of sessions of which it is not known yet
}

func (o *overviewView) Event(e *event.Event) error {
	if o.Selection != nil {
		o.Selection.See(e)
		if e.Overview == nil {
			o.gather(e)
			return nil
		}
		o.overview = e.Overview
		for _, session := range slices.Sorted(maps.Keys(o.pending)) {
			o.settle(session)
		}
		file := e.Overview.File
		file.Begin, file.End = 0, 0 // of the packets of what is chosen
		e = o.chosen.Overview(file)
		if n, _ := o.Selection.count(); n == 0 {
			return nil
		}
		e.Overview.Chosen = o.Selection.Words
	}
	if e.Overview == nil {
		return nil
	}
	if o.data {
		j := NewLines(o.w, o.ViewOptions)
		if err := j.Event(e); err != nil {
			return err
		}
		return j.Finish()
	}
	if err := o.opening(); o.Selection != nil && err != nil {
		return err
	}
	o.overview = e.Overview
	o.text.Alone = true // no block with the same follows
	return o.text.Overview(e.Overview, o.Name)
}

// gather takes in an event of a session that is chosen, or keeps it as long as that is not known.
func (o *overviewView) gather(e *event.Event) {
	if e.Session == 0 {
		return
	}
	if o.pending == nil {
		o.pending = map[int][]*event.Event{}
	}
	kept := *e
	o.pending[e.Session] = append(o.pending[e.Session], &kept)
	if o.Selection.Chooses(e.Session) || e.Kind == event.KindSummary {
		o.settle(e.Session)
	}
}

// settle takes in what was kept of a session, if it is chosen.
func (o *overviewView) settle(session int) {
	if o.Selection.Chooses(session) {
		for _, e := range o.pending[session] {
			o.chosen.Add(e)
		}
	}
	delete(o.pending, session)
}

func (o *overviewView) Flush() error  { return nil }
func (o *overviewView) Finish() error { return nil }

// rowsView writes a table.
type rowsView struct {
	*parts
	*rows.Rows
	keep bool // until the end
	head bool // was written
	buf  bytes.Buffer
}

func newRowsView(p *parts) *rowsView {
	v := &rowsView{parts: p, keep: p.Selection.late()}
	p.asItComes = !v.keep
	to := p.w
	if v.keep {
		to = &v.buf
	}
	v.Rows = rows.New(to, p.Rows, p.Format, p.Source)
	v.Rows.BySession = v.keep
	return v
}

func (v *rowsView) Event(e *event.Event) error {
	v.Selection.See(e)
	if e.Overview != nil {
		v.overview = e.Overview
	}
	if !v.head {
		v.head = true
		if err := rows.Head(v.w, v.parts.Rows, v.Format); err != nil {
			return err
		}
	}
	if err := v.Rows.Event(e); err != nil || !v.keep {
		return err
	}
	return v.kept(e.Session)
}

// kept keeps what was written of a session.
func (v *rowsView) kept(session int) error {
	if err := v.Rows.Flush(); err != nil || v.buf.Len() == 0 {
		return err
	}
	defer v.buf.Reset()
	_, err := v.spool.add(session, v.buf.Bytes())
	return err
}

func (v *rowsView) Flush() error {
	if v.keep {
		return nil
	}
	return v.Rows.Flush()
}

func (v *rowsView) Finish() error {
	if err := v.Rows.Finish(); err != nil || !v.keep {
		return err
	}
	if err := v.kept(0); err != nil {
		return err
	}
	return v.spool.each(v.w, v.Selection.Chooses)
}

// harView writes an HTTP Archive.
type harView struct {
	*har.HAR
	*parts
	entries []kept
}

func newHARView(p *parts) *harView {
	h := &harView{parts: p}
	h.HAR = har.New(func(session int, began time.Time, entry []byte) error {
		at, err := h.spool.add(session, entry)
		h.entries = append(h.entries, kept{began.UnixNano(), at, session})
		return err
	})
	return h
}

func (h *harView) Event(e *event.Event) error {
	h.Selection.See(e)
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
	w.WriteString(h.HAR.Head(h.Version))
	if err := h.release(h.entries, ",\n"); err != nil {
		return err
	}
	w.WriteString(h.HAR.Foot())
	return w.Flush()
}

// qlogView writes traces of QUIC.
type qlogView struct {
	*qlog.QLog
	*parts
	entries map[int][]kept // by connection
}

func newQLogView(p *parts) *qlogView {
	q := &qlogView{parts: p, entries: map[int][]kept{}}
	q.QLog = qlog.New(func(session, conn int, at time.Time, entry []byte) error {
		place, err := q.spool.add(session, entry)
		q.entries[conn] = append(q.entries[conn], kept{at.UnixNano(), place, session})
		return err
	})
	return q
}

func (q *qlogView) Event(e *event.Event) error {
	q.Selection.See(e)
	if e.Overview != nil {
		q.overview = e.Overview
	}
	return q.QLog.Event(e)
}

func (q *qlogView) Flush() error { return nil }

func (q *qlogView) Finish() error {
	w := bufio.NewWriterSize(q.w, 64<<10)
	q.w = w
	w.WriteString(qlog.Head(q.Version))
	separator := ""
	for _, conn := range slices.Sorted(maps.Keys(q.entries)) {
		if !q.Selection.Chooses(q.entries[conn][0].session) {
			continue
		}
		w.WriteString(separator + q.Begin(conn))
		separator = ",\n"
		if err := q.release(q.entries[conn], ",\n"); err != nil {
			return err
		}
		w.WriteString(qlog.End())
	}
	w.WriteString(qlog.Foot())
	return w.Flush()
}
