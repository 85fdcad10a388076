package text

import (
	"bytes"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// Blocks writes the story of a capture for people: what the capture comes to, and
// one block for each session, with its messages in one line each and its eight
// steps. The blocks come as the sessions end, each with the number by which
// they are to be ordered; whoever takes them may keep them back.
type Blocks struct {
	Width int  // columns to wrap at; 0 does not wrap
	Color bool // ANSI colours
	Lang  words.Language
	All   bool                // a browser's own chatter in recordings too
	Steps map[event.Step]bool // the steps to tell; nil means all
	Name  string              // of the file
	// Out takes the text of a session, or, under BlockBefore, BlockOverview and
	// BlockAfter, of what belongs to none. The text is valid until it returns.
	Out func(session int, text []byte) error

	buf  bytes.Buffer
	text *Text
	open map[int]*block // by session
	of   map[int]int    // connection: session
}

// What stands before the blocks of all sessions and behind them.
const (
	BlockOverview = -1
	BlockBefore   = 0
	BlockAfter    = math.MaxInt
)

// Of the lines of a session that has many, the first and the last are shown.
const (
	headLines = 40
	tailLines = 12
)

// A block is a session that is still open.
type block struct {
	host      string
	noise     bool
	legs      bool
	began     time.Time
	lines     []blockLine // the first
	tail      []blockLine // the last, a ring
	at        int         // where in tail the oldest stands
	folded    map[string]int
	conns     map[int]bool // that are open
	summaries []*event.Event
	ends      []*event.Event
	proven    []string
}

// A blockLine is the line of an event.
type blockLine struct {
	at   time.Time // zero if not known
	name string
	text []byte
}

// NewBlocks returns a renderer that hands its text to out.
func NewBlocks(out func(session int, text []byte) error) *Blocks {
	b := &Blocks{Out: out, open: map[int]*block{}, of: map[int]int{}}
	b.text = New(&b.buf)
	return b
}

// Event takes the next event.
func (b *Blocks) Event(e *event.Event) error {
	b.text.Width, b.text.Color, b.text.Lang = b.Width, b.Color, b.Lang
	switch {
	case e.Overview != nil:
		b.text.overview(e.Overview, b.Name)
		return b.flush(BlockOverview)
	case e.Kind == event.KindGenealogy:
		b.text.genealogy(e)
		return b.flush(BlockAfter)
	case e.Comparison != nil:
		b.text.comparison(e.Comparison)
		return b.flush(BlockAfter)
	case e.Kind == event.KindFile:
		return nil // the overview counts them
	case e.Session == 0:
		b.line(e, false, "", "")
		return b.flush(BlockBefore)
	}
	s := b.open[e.Session]
	if s == nil {
		s = &block{conns: map[int]bool{}}
		b.open[e.Session] = s
	}
	if was, known := b.of[e.Conn]; e.Conn != 0 && (!known || was != e.Session) && e.Kind != event.KindEnd {
		// A connection that turned out to belong to another session leaves its own.
		if old := b.open[was]; known && old != nil {
			delete(old.conns, e.Conn)
			if len(old.conns) == 0 && old.summaries == nil {
				s.lines = append(old.lines, s.lines...)
				delete(b.open, was)
			}
		}
		if known || e.Kind == event.KindConnection {
			b.of[e.Conn] = e.Session
			s.conns[e.Conn] = true
		}
	}
	if e.Host != "" {
		s.host, s.noise = e.Host, e.Noise
	}
	s.legs = s.legs || e.Leg != ""
	at, err := time.Parse(time.RFC3339Nano, e.Time)
	if err != nil {
		at = time.Time{}
	} else if s.began.IsZero() || at.Before(s.began) {
		s.began = at
	}
	for _, p := range e.Proofs {
		if p.State == event.Proven && !slices.Contains(s.proven, p.ID) {
			s.proven = append(s.proven, p.ID)
		}
	}
	switch e.Kind {
	case event.KindSummary:
		kept := *e
		s.summaries = append(s.summaries, &kept)
	case event.KindEnd:
		kept := *e
		s.ends = append(s.ends, &kept)
		delete(s.conns, e.Conn)
		delete(b.of, e.Conn)
	default:
		if b.worth(e) {
			until, _ := time.Parse(time.RFC3339Nano, e.Until)
			b.line(e, s.legs, sinceWords(at, s.began), sinceWords(until, s.began))
			s.add(blockLine{at, e.Name, b.take()})
		}
	}
	if len(s.conns) == 0 {
		return b.end(e.Session, s)
	}
	return nil
}

// Flush does nothing: a block is handed on when it is whole.
func (b *Blocks) Flush() error { return nil }

// Finish hands on what is left.
func (b *Blocks) Finish() error {
	for _, n := range slices.Sorted(maps.Keys(b.open)) {
		if err := b.end(n, b.open[n]); err != nil {
			return err
		}
	}
	if err := b.text.Finish(); err != nil {
		return err
	}
	if b.buf.Len() == 0 {
		return nil
	}
	return b.Out(BlockAfter, b.take())
}

// worth tells whether an event has a line of its own in a block.
func (b *Blocks) worth(e *event.Event) bool {
	switch {
	case refuted(e):
		return true
	case e.Repeats != 0 && !b.All: // it is told of the other leg
		return false
	case e.Kind == event.KindStep: // its sentence stands in the steps
		return false
	case flowControl(e):
		return false
	case b.Steps != nil:
		return slices.ContainsFunc(e.Steps, func(m event.StepMark) bool { return b.Steps[m.Step] })
	}
	return true
}

// take returns what was written since the last time.
func (b *Blocks) take() []byte {
	b.text.w.Flush()
	out := bytes.Clone(b.buf.Bytes())
	b.buf.Reset()
	return out
}

func (b *Blocks) flush(session int) error {
	b.text.w.Flush()
	defer b.buf.Reset()
	return b.Out(session, b.buf.Bytes())
}

// add keeps a line, or counts one that others push out.
func (s *block) add(l blockLine) {
	switch {
	case len(s.lines) < headLines:
		s.lines = append(s.lines, l)
	case len(s.tail) < tailLines:
		s.tail = append(s.tail, l)
	default:
		if s.folded == nil {
			s.folded = make(map[string]int)
		}
		old := s.tail[s.at].name
		if _, ok := s.folded[old]; !ok && len(s.folded) >= 64 {
			old = event.Others
		}
		s.folded[old]++
		s.tail[s.at] = l
		s.at = (s.at + 1) % tailLines
	}
}

// line writes the line of an event, which came since its session began, and the last of
// several records in a row until then.
func (b *Blocks) line(e *event.Event, legs bool, since, until string) {
	t := b.text
	var head strings.Builder
	head.WriteString("  ")
	if e.Session != 0 {
		head.WriteString(strings.Repeat(" ", max(9-len(since), 0)))
		head.WriteString(since)
		head.WriteByte(' ')
	}
	if legs {
		head.WriteString(t.legColumn(e.Leg))
	}
	head.WriteString(arrow(e) + " ")
	name, style, _ := t.title(e, 19)
	detail := t.brieflyUntil(e, until)
	if e.Kind == event.KindConnection {
		detail = "" // stands above
	}
	var steps []string
	for _, m := range e.Steps {
		steps = append(steps, string(m.Step))
	}
	switch len(steps) {
	case 0:
	case 1:
		detail = strings.TrimSpace(t.mark("mark/step", "step", steps[0]) + " " + detail)
	default:
		detail = strings.TrimSpace(t.mark("mark/steps", "steps", words.List(",", words.Names(steps)...)) + " " + detail)
	}
	lead := t.Paint(Dim, head.String()) + t.Paint(style, name)
	if e.HTTP != nil {
		stream := t.streamOf(e)
		// Of requests there are many, with long addresses: each stays on its line.
		room := t.Width - columns.StringWidth(head.String()+name+stream)
		if e.Topic == event.TopicRequest && t.Width > 0 && room >= 20 {
			detail = cutMiddle(detail, room)
		}
		detail += stream
	}
	if e.Brief.Empty() && len(e.Says) == 1 && e.Kind == event.KindMessage {
		// A sentence, where it fits into the line.
		room := t.Width
		if room <= 0 {
			room = 120
		}
		if text := strings.TrimSpace(detail + " " + t.says(e.Says[0])); columns.StringWidth(head.String()+name+text) <= room {
			detail = text
		}
	}
	t.paragraphStyled(lead, columns.StringWidth(head.String()+name), detail, Plain, nil)
	for _, p := range e.Proofs {
		if p.State == event.Refuted {
			t.Paragraph("    ", "", t.in(words.Piece("mark/refuted-line", "words", words.NotSo(p.Claim, p.Reason))), alarm)
		}
	}
}

// cutMiddle makes text fit by leaving out some of its middle: both ends of an
// address tell more than that.
func cutMiddle(s string, width int) string {
	if columns.StringWidth(s) <= width {
		return s
	}
	tail := columns.TruncateLeft(s, columns.StringWidth(s)-width*2/5, "...")
	return columns.Truncate(s, width-columns.StringWidth(tail), "") + tail
}

// sinceWords is the time since began.
func sinceWords(at, began time.Time) string {
	if at.IsZero() || began.IsZero() {
		return ""
	}
	if d := at.Sub(began); d >= 10*time.Second {
		return "+" + strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
	} else {
		return "+" + strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 1, 64) + "ms"
	}
}

// end writes the block of a session that is over.
func (b *Blocks) end(n int, s *block) error {
	delete(b.open, n)
	if s.noise && s.legs && !b.All {
		b.text.left.add(s.host)
		return nil
	}
	t := b.text
	if len(s.summaries)+len(s.ends) > 0 {
		b.title(n, s)
	}
	b.lines(s)
	told := map[string]bool{}
	for _, e := range s.summaries {
		b.steps(e.Summary)
		for _, l := range e.Summary.Legs {
			for _, r := range l.Rows {
				for _, p := range r.Proofs {
					told[p.ID] = told[p.ID] || p.State == event.Proven
				}
			}
			if l.Secrets != nil {
				t.secrets(l)
			}
		}
	}
	var also []event.Text
	for _, id := range s.proven {
		if !told[id] {
			also = append(also, words.Named("proof-of", id))
		}
	}
	if len(also) > 0 && b.Steps == nil {
		t.Paragraph("  ", "", t.in(words.Piece("label/also-proven", "proofs", words.List(",", also...))), Plain)
	}
	t.Line("")
	return b.flush(n)
}

// title writes what a session is.
func (b *Blocks) title(n int, s *block) {
	t := b.text
	id := "head/block"
	if s.legs {
		id = "head/session"
	}
	title := []any{"n", strconv.Itoa(n)}
	if s.host != "" {
		id, title = id+"-host", append(title, "host", s.host)
	}
	t.Rule(t.in(words.Piece(id, title...)))
	if len(s.summaries) == 0 {
		for _, e := range s.ends {
			t.Paragraph("", "  ", t.in(e.Tally.Title), Plain)
			t.Paragraph("", "  ", t.in(ofLeg(e.Leg, words.Piece("head/connection", "n", strconv.Itoa(e.Conn), "from", e.Tally.Client, "to", e.Tally.Server))), Dim)
		}
	}
	for _, e := range s.summaries {
		t.about(e)
	}
	var when event.Text
	if !s.began.IsZero() {
		when = event.Plain(s.began.Format("2006-01-02 15:04:05.000") + " UTC")
		last := s.began
		for _, e := range s.ends {
			if at, err := time.Parse(time.RFC3339Nano, e.Time); err == nil && at.After(last) {
				last = at
			}
		}
		if d := last.Sub(s.began); d > 0 {
			when = words.Piece("head/for", "when", when, "span", lasting(d))
		}
	}
	for _, e := range s.ends {
		if e.Tally.State == event.StatePartly {
			partly := ofLeg(e.Leg, words.Piece("head/in-part", "why", whyWords(e.Tally.Why, e.Tally.Protocol)))
			when = words.List(";", when, partly)
		}
	}
	if !when.Empty() {
		t.Paragraph("", "  ", t.in(when), Dim)
	}
}

// whyWords lists why records, or packets of QUIC, stayed sealed.
func whyWords(why []event.Why, protocol string) event.Text {
	var parts []event.Text
	what := "record"
	if protocol == event.ProtocolQUIC {
		what = "packet"
	}
	for _, w := range why {
		count := words.Count(int(w.Records), what)
		if w.Records == 0 {
			count = words.Piece("head/parts-of-records")
		}
		parts = append(parts, words.Piece("head/sealed", "count", count, "why", w.Words))
	}
	return words.List(";", parts...)
}

// lines writes the lines of a session in the order of time, and how many were
// folded. What waited for keys or for bytes before it was told late.
func (b *Blocks) lines(s *block) {
	w := b.text.w
	if len(s.lines) > 0 {
		b.text.Line("")
	}
	tail := append(slices.Clone(s.tail[s.at:]), s.tail[:s.at]...)
	if len(s.folded) == 0 {
		s.lines, tail = append(s.lines, tail...), nil
	}
	for _, part := range [][]blockLine{s.lines, tail} {
		slices.SortStableFunc(part, func(a, b blockLine) int {
			if a.at.IsZero() || b.at.IsZero() {
				return 0
			}
			return a.at.Compare(b.at)
		})
	}
	for _, l := range s.lines {
		w.Write(l.text)
	}
	if len(s.folded) > 0 {
		n := 0
		var by []event.Text
		for _, c := range event.Counts(s.folded) {
			n += c.N
			by = append(by, words.Piece("label/kind", "n", strconv.Itoa(c.N), "kind", words.NameByEnglish(c.Name)))
		}
		if len(by) > 8 {
			by = append(by[:8], event.Plain("..."))
		}
		b.text.Paragraph("  ", "", b.text.in(words.Piece("label/folded", "count", words.Count(n, "message"), "kinds", words.List(",", by...))), Dim)
	}
	for _, l := range tail {
		w.Write(l.text)
	}
}

// steps writes the eight steps of a session.
func (b *Blocks) steps(s *event.Summary) {
	t := b.text
	t.Line("")
	for i := 0; i < len(event.Steps); i++ {
		rows := rowsOf(s, i)
		if b.Steps != nil && !b.Steps[event.Steps[i]] {
			continue
		}
		last := i
		for b.Steps == nil && hollow(rows) && last+1 < len(event.Steps) && sameRows(rows, rowsOf(s, last+1)) {
			last++
		}
		name := words.Piece("head/step", "step", string(event.Steps[i]))
		title := t.in(words.StepTitle(event.Steps[i]))
		if last > i {
			name, title = stepRange(i, last), ""
		}
		i = last
		switch {
		case len(rows) == 0:
			continue
		case len(rows) == 1:
			b.stepTitle(name, title, rows[0].Verdict)
			t.Paragraph("", "      ", t.rowText(rows[0]), Plain)
			if h := rows[0].Hidden; h != nil { // each connection is told alone then
				t.Paragraph("", "      ", t.says(*h), Dim)
			}
		case alike(rows):
			if !s.Tunnel {
				name = words.Piece("head/both-legs", "step", name)
			}
			b.stepTitle(name, title, rows[0].Verdict)
			r := rows[0]
			r.Packets = nil
			t.Paragraph("", "      ", t.rowText(r), Plain)
		default:
			b.stepTitle(name, title, "")
			for j, r := range rows {
				lead := "      " + t.in(words.Named("leg", s.Legs[j].Leg)) + t.mark("sign/comma")
				verdict := t.verdict(r.Verdict) + t.mark("sign/colon")
				t.paragraphAt(6, t.Paint(Dim, lead)+t.Paint(verdictStyles[r.Verdict], verdict), columns.StringWidth(lead+verdict), t.rowText(r), Plain)
			}
		}
	}
}

// hollow tells whether rows tell of nothing that happened: one word for all of such steps is enough.
func hollow(rows []event.Row) bool {
	return len(rows) > 0 && !slices.ContainsFunc(rows, func(r event.Row) bool {
		return r.Verdict != event.NotReached && r.Verdict != event.Unknown || len(r.Proofs) > 0 || r.Packets != nil
	})
}

// stepTitle writes "step 3, as told: the server sends its public key".
func (b *Blocks) stepTitle(of event.Text, title string, v event.Verdict) {
	t := b.text
	name := t.in(of)
	verdict := ""
	if v != "" {
		verdict = t.verdict(v)
		name += t.mark("sign/comma")
	}
	colon := ""
	if title != "" {
		colon = t.mark("sign/colon")
	}
	lead := "  " + t.Paint(Bold, name) + t.Paint(verdictStyles[v], verdict) + colon
	t.paragraphAt(6, lead, columns.StringWidth("  "+name+verdict+colon), title, Bold)
}
