// Package text writes events for people: line by line as they come, in blocks of
// connections, as the comments of packets, and the overview of a capture. It knows
// events alone.
package text

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture/printable"

	"github.com/mattn/go-runewidth"
)

// Text writes events for people to read: one line a message, and the eight
// steps of each session once they are settled.
type Text struct {
	Alone    bool // the overview is all that is told, also of a single connection
	Width    int  // columns to wrap at; 0 does not wrap
	Color    bool // ANSI colours; the text reads the same without
	Messages bool // fields, sentences and proofs below each message, and HTTP/2's flow control
	All      bool // a browser's own chatter too
	Lang     words.Language

	w        *bufio.Writer
	sessions map[int]*textSession // whose connections have not all ended
	of       map[int]int          // connection: session
	left     chatter
}

// A textSession is what is kept of a session that goes on.
type textSession struct {
	begun time.Time      // when its first connection began
	open  int            // connections of it
	held  []*event.Event // connection events that wait until its host is known
	noise bool           // it is chatter, left out
}

// chatter is a browser's own, as far as it is left out.
type chatter struct {
	sessions int
	hosts    map[string]bool
}

func (c *chatter) add(host string) {
	c.sessions++
	if c.hosts == nil {
		c.hosts = map[string]bool{}
	}
	c.hosts[host] = true
}

// New returns a renderer that writes to w.
func New(w io.Writer) *Text {
	return &Text{w: bufio.NewWriterSize(w, 16<<10), sessions: map[int]*textSession{}, of: map[int]int{}}
}

// Begins notes when the session of an event began, of which nothing may be told.
func (t *Text) Begins(e *event.Event) {
	if e.Session == 0 {
		return
	}
	s := t.session(e)
	if at, err := time.Parse(time.RFC3339Nano, e.Time); err == nil && s.begun.IsZero() {
		s.begun = at
	}
}

// Event writes one event.
func (t *Text) Event(e *event.Event) error {
	if e.Session != 0 {
		s := t.session(e)
		if e.Kind == event.KindEnd {
			defer t.leave(e.Conn)
		}
		t.Begins(e)
		if !t.All {
			// A capture made elsewhere may be of nothing else.
			if e.Noise && (e.Leg != "" || s.noise) {
				if !s.noise {
					s.noise = true
					t.left.add(e.Host)
				}
				s.held = nil
				return nil
			}
			// A connection's first event comes before anything says for which host
			// it is; it waits for that, so that chatter is folded whole.
			if e.Kind == event.KindConnection && e.Host == "" {
				held := *e
				s.held = append(s.held, &held)
				return nil
			}
			t.release(s)
		}
	}
	// What passed in a tunnel is told once.
	if e.Repeats != 0 && !t.All && !refuted(e) {
		return nil
	}
	// Flow control says nothing about the steps and would be every other line of a download.
	if !t.Messages && flowControl(e) {
		return nil
	}
	t.event(e)
	return nil
}

// flowControl tells whether an event is one of HTTP/2's own housekeeping.
func flowControl(e *event.Event) bool {
	return e.Topic == event.TopicWindowUpdate || e.Topic == event.TopicPing
}

// refuted tells whether an event refutes a claim.
func refuted(e *event.Event) bool {
	return slices.ContainsFunc(e.Proofs, func(p event.Proof) bool { return p.State == event.Refuted })
}

// Flush hands everything written so far to the underlying writer.
func (t *Text) Flush() error { return t.w.Flush() }

// Finish ends the story: what was left out is counted.
func (t *Text) Finish() error {
	for _, n := range slices.Sorted(maps.Keys(t.sessions)) {
		t.release(t.sessions[n])
	}
	if t.left.sessions > 0 {
		hosts := slices.Sorted(maps.Keys(t.left.hosts))
		text := words.Piece("label/left-out", "count", words.Count(t.left.sessions, "connection"), "hosts", words.List(",", words.Names(hosts[:min(4, len(hosts))])...))
		if n := len(hosts) - 4; n > 0 {
			text = words.Piece("label/left-out-more", "count", words.Count(t.left.sessions, "connection"), "hosts", words.List(",", words.Names(hosts[:4])...), "n", strconv.Itoa(n))
		}
		t.Paragraph("", "", t.in(text), Dim)
	}
	return t.w.Flush()
}

// session returns the session of an event. A connection may turn out to be of another's.
func (t *Text) session(e *event.Event) *textSession {
	s := t.sessions[e.Session]
	if s == nil {
		s = &textSession{}
		t.sessions[e.Session] = s
	}
	if was, known := t.of[e.Conn]; e.Conn != 0 && (!known || was != e.Session) {
		if old := t.sessions[was]; known && old != nil {
			s.held, old.held = append(s.held, old.held...), nil
		}
		t.leave(e.Conn)
		t.of[e.Conn] = e.Session
		s.open++
	}
	return s
}

// leave notes that a connection is no more, or not of its session.
func (t *Text) leave(conn int) {
	n, known := t.of[conn]
	if !known {
		return
	}
	delete(t.of, conn)
	if s := t.sessions[n]; s != nil {
		if s.open--; s.open == 0 {
			delete(t.sessions, n)
		}
	}
}

func (t *Text) release(s *textSession) {
	for _, e := range s.held {
		t.event(e)
	}
	s.held = nil
}

// A Style is a colour, as ANSI SGR parameters.
type Style string

const (
	Plain  Style = ""
	Bold   Style = "1"
	Dim    Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
	blue   Style = "34"
	purple Style = "35"
	cyan   Style = "36"
	alarm  Style = "1;37;41"
)

// Paint colours text, where colours are asked for.
func (t *Text) Paint(s Style, text string) string {
	if !t.Color || s == Plain || strings.TrimSpace(text) == "" {
		return text
	}
	// Spaces at the end stay outside, where the end of a line drops them.
	words := strings.TrimRight(text, " ")
	return "\x1b[" + string(s) + "m" + words + "\x1b[0m" + text[len(words):]
}

var verdictStyles = map[event.Verdict]Style{
	event.AsTold: Green, event.Differently: Yellow, event.Unseen: cyan, event.Inherited: blue,
	event.Absent: purple, event.Failed: Red, event.NotReached: Dim, event.Unknown: Dim,
}

// event writes the line of an event and what stands below it.
func (t *Text) event(e *event.Event) {
	switch {
	case e.Kind == event.KindSummary:
		t.summary(e)
		return
	case e.Kind == event.KindEnd || e.Overview != nil:
		return // the live story has told it all
	}
	switch {
	case e.Kind == event.KindGenealogy:
		t.genealogy(e)
		return
	case e.Comparison != nil:
		t.comparison(e.Comparison)
		return
	}
	// Columns: session, time since it began, leg, who sends to whom, name, steps, detail.
	var head strings.Builder
	if e.Session != 0 {
		fmt.Fprintf(&head, "%3d %9s ", e.Session, t.since(e))
	} else {
		fmt.Fprintf(&head, "%3s %9s ", "-", "")
	}
	head.WriteString(t.legColumn(e.Leg) + arrow(e) + " ")
	name, style, sentence := t.title(e, 20)
	detail := t.brieflyUntil(e, t.sinceBegun(e, e.Until)) + t.streamOf(e)
	if e.Kind == event.KindStep && len(e.Steps) == 1 && detail == "" {
		detail = t.in(words.StepTitle(e.Steps[0].Step))
	}
	if marks := t.stepMarks(e.Steps); marks != "" {
		detail = strings.TrimSpace(marks + " " + detail)
	}
	for _, p := range e.Proofs {
		if p.State == event.Proven && !t.Messages {
			detail += " " + t.mark("mark/proven", "what", words.Named("proof-of", p.ID))
		}
	}
	t.paragraphStyled(t.Paint(Dim, head.String())+t.Paint(style, name), columns.StringWidth(head.String()+name), detail, Plain, e.Steps)
	wrong := refuted(e)
	for _, p := range e.Proofs {
		if p.State == event.Refuted {
			text := words.Piece("mark/refuted-alone", "claim", p.Claim)
			if !p.Reason.Empty() {
				text = words.Piece("mark/refuted-why", "claim", p.Claim, "reason", p.Reason)
			}
			t.Paragraph("", "    ", t.in(text), alarm)
		}
	}
	switch {
	case t.Messages:
		for i, s := range e.Says {
			if i > 0 || !sentence {
				t.Paragraph("", "      ", t.sentence(s), Plain)
			}
		}
		for _, f := range e.Fields {
			text := t.in(f.Name) + t.mark("sign/colon") + t.brief(t.in(f.Value))
			if !f.Note.Empty() {
				text += t.in(words.Piece("label/note", "note", f.Note))
			}
			t.Paragraph("", "        ", text, Dim)
		}
		for _, c := range e.Checks {
			style := Dim
			switch c.Outcome {
			case "failed":
				style = alarm
			case "warned":
				style = Yellow
			}
			t.Paragraph("", "        ", t.in(words.Piece("label/check", "outcome", words.Named("outcome", c.Outcome), "check", words.Named("check-of", c.ID), "says", words.Whole(c.Says)))+refs(c.Says.Refs), style)
		}
		for _, p := range e.Proofs {
			t.proof(p)
		}
		t.bytes(e)
	case e.Brief.Empty() || wrong:
		for _, s := range e.Says {
			t.Paragraph("", "      ", t.says(s), Plain)
		}
	}
}

// streamOf names the stream of a piece of HTTP/2.
func (t *Text) streamOf(e *event.Event) string {
	if e.HTTP == nil || e.HTTP.Protocol != "HTTP/2" && e.HTTP.Protocol != "HTTP/3" {
		return ""
	}
	return t.mark("label/stream", "n", strconv.FormatUint(e.HTTP.Exchange, 10))
}

// brief cuts a value that would fill the screen.
func (t *Text) brief(s string) string {
	const n = 1000
	if len(s) <= n {
		return s
	}
	cut := n
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return t.Lang.In(words.Piece("label/cut", "text", s[:cut], "n", strconv.Itoa(len(s))))
}

func (t *Text) proof(p event.Proof) {
	style := Green
	switch p.State {
	case event.Refuted:
		style = alarm
	case event.NotCheckable:
		style = Dim
	}
	text := words.Piece("label/proof", "state", words.Named("state", string(p.State)), "claim", p.Claim)
	if !p.Reason.Empty() {
		text = words.Piece("label/with-reason", "text", text, "reason", p.Reason)
	}
	if p.How != "" {
		text = words.Piece("label/with-how", "text", text, "how", words.HowText(p.ID, p.How))
	}
	t.Paragraph("", "        ", t.in(text)+refs(p.Refs), style)
	for _, f := range p.Inputs {
		t.Paragraph("", "          ", t.in(f.Name)+" = "+t.in(f.Value), Dim)
	}
}

func (t *Text) sentence(s event.Sentence) string {
	return t.says(s) + refs(s.Refs)
}

// refs cites behind a sentence.
func refs(of []string) string {
	if len(of) == 0 {
		return ""
	}
	return " [" + Clean(strings.Join(of, "; ")) + "]"
}

// mark is a piece in the renderer's language, as it stands: one of ours, with no value from the wire.
func (t *Text) mark(id string, pairs ...any) string { return t.Lang.In(words.Piece(id, pairs...)) }

// list joins what is clean.
func (t *Text) list(items []string) string { return t.Lang.In(words.List(",", words.Names(items)...)) }

// In is a text in the language that is told, for who writes lines of its own.
func (t *Text) In(text event.Text) string { return t.in(text) }

// in is a text in the renderer's language.
func (t *Text) in(text event.Text) string { return Clean(t.Lang.In(text)) }

// says is a sentence in the renderer's language.
func (t *Text) says(s event.Sentence) string { return Clean(t.Lang.Says(s)) }

// summary writes the eight steps of a session, its legs below one another in each step.
func (t *Text) summary(e *event.Event) {
	s := e.Summary
	title := Clean(e.Name)
	if e.Session != 0 {
		title = t.in(words.Piece("head/session", "n", strconv.Itoa(e.Session)))
		if e.Host != "" {
			title = t.in(words.Piece("head/session-host", "n", strconv.Itoa(e.Session), "host", e.Host))
		}
	}
	t.Line("")
	t.Rule(title)
	t.about(e)
	for i := 0; i < len(event.Steps); i++ {
		rows := rowsOf(s, i)
		if len(rows) == 0 {
			continue // it is not asked for
		}
		t.Line("")
		// What was not reached is one story for all the steps that are left.
		last := sameUntil(s, i)
		if last > i {
			t.Paragraph("", "  ", t.in(stepRange(i, last)), Bold)
			i = last
		} else {
			t.Paragraph("", "  ", t.in(words.Piece("head/step-title", "step", string(event.Steps[i]), "title", words.StepTitle(event.Steps[i]))), Bold)
		}
		if alike(rows) {
			both := rows[0]
			both.Packets = nil
			leg := "both"
			if s.Tunnel {
				leg = ""
			}
			t.row(leg, both)
			continue
		}
		for j, r := range rows {
			t.row(s.Legs[j].Leg, r)
		}
	}
	for _, l := range s.Legs {
		if l.Secrets != nil {
			t.secrets(l)
		}
	}
	t.Line("")
	t.Rule("")
	t.Line("")
}

// about writes what kind of session it was, its connections and what there is to say of them.
func (t *Text) about(e *event.Event) {
	s := e.Summary
	if !s.Flow.Empty() {
		t.Paragraph("", "  ", t.in(s.Flow), Plain)
	}
	for _, l := range s.Legs {
		text := words.Piece("head/connection", "n", strconv.Itoa(l.Conn), "from", l.From, "to", l.To)
		if s.FlowID == "" {
			text = words.Piece("head/connection-kind", "connection", text, "kind", l.Title)
		}
		t.Paragraph("", "  ", t.in(ofLeg(l.Leg, text)), Dim)
		if s.Tunnel && l.Leg == "origin" {
			continue // they are those of the other leg
		}
		// The certificate's line is long enough to stand alone.
		var facts []string
		for _, f := range l.Facts {
			if isFingerprint(f) && !t.Messages {
				continue
			}
			name := t.in(f.Name)
			if strings.Contains(name, " ") {
				name += ":"
			}
			if f.ID == event.FactCertificate && len(facts) > 0 {
				t.Paragraph("", "    ", t.list(facts), Dim)
				facts = nil
			}
			facts = append(facts, name+" "+t.in(f.Value))
		}
		if len(facts) > 0 {
			t.Paragraph("", "    ", t.list(facts), Dim)
		}
	}
	for _, note := range e.Says {
		t.Paragraph("", "  ", t.says(note), Plain)
	}
}

// sameUntil is the last step of those from i on that were not reached for one and the same reason.
func sameUntil(s *event.Summary, i int) int {
	rows := rowsOf(s, i)
	last := i
	for notReached(rows) && last+1 < len(event.Steps) && sameRows(rows, rowsOf(s, last+1)) {
		last++
	}
	return last
}

// stepRange is "steps 4a to 8".
func stepRange(first, last int) event.Text {
	id := "head/steps-to"
	if last == first+1 {
		id = "head/steps-and"
	}
	return words.Piece(id, "first", string(event.Steps[first]), "last", string(event.Steps[last]))
}

// alike tells whether a step went the same way on two legs.
func alike(rows []event.Row) bool {
	return len(rows) == 2 && rows[0].Verdict == rows[1].Verdict && rows[0].Says.Same(rows[1].Says) && slices.Equal(rows[0].Proofs, rows[1].Proofs)
}

// rowsOf are what the legs' rows say of a step, as far as they have them.
func rowsOf(s *event.Summary, step int) []event.Row {
	var rows []event.Row
	for _, l := range s.Legs {
		if i := slices.IndexFunc(l.Rows, func(r event.Row) bool { return r.Step == event.Steps[step] }); i >= 0 { // those of other steps may be left out
			rows = append(rows, l.Rows[i])
		}
	}
	return rows
}

func notReached(rows []event.Row) bool {
	return len(rows) > 0 && !slices.ContainsFunc(rows, func(r event.Row) bool { return r.Verdict != event.NotReached || len(r.Proofs) > 0 })
}

func sameRows(a, b []event.Row) bool {
	return slices.EqualFunc(a, b, func(a, b event.Row) bool {
		return a.Verdict == b.Verdict && a.Says.Same(b.Says) && len(b.Proofs) == 0
	})
}

func (t *Text) row(leg string, r event.Row) {
	lead := "    "
	if leg != "" {
		lead += Pad(t.in(words.Named("leg", leg)), 10)
	}
	verdict := t.verdict(r.Verdict)
	width := columns.StringWidth(lead) + 14
	t.paragraphStyled(t.Paint(Dim, lead)+t.Paint(verdictStyles[r.Verdict], Pad(verdict, 13))+" ", width, t.rowText(r), Plain, nil)
	if r.Hidden != nil {
		t.Paragraph("", strings.Repeat(" ", width), t.says(*r.Hidden), Dim)
	}
}

// rowText is what a row says, with its proofs and where it stands.
func (t *Text) rowText(r event.Row) string {
	text := t.says(r.Says)
	for _, p := range r.Proofs {
		text += " " + t.mark("mark/"+string(p.State), "what", words.Named("proof-of", p.ID))
	}
	if r.Packets != nil {
		text += t.packets(r.Packets)
	}
	return text
}

func (t *Text) packets(p *event.Packets) string {
	if p.First == p.Last {
		return t.mark("label/packet", "n", strconv.Itoa(p.Last))
	}
	return t.mark("label/packets", "first", strconv.Itoa(p.First), "last", strconv.Itoa(p.Last))
}

// verdict is a verdict in words.
func (t *Text) verdict(v event.Verdict) string { return t.in(words.Named("verdict", string(v))) }

// ofLeg says of which leg a text is.
func ofLeg(leg string, text event.Text) event.Text {
	if leg == "" {
		return text
	}
	return words.Piece("head/of-leg", "leg", words.Named("leg", leg), "text", text)
}

// brieflyUntil is an event's detail, and of several records in a row when the last came.
func (t *Text) brieflyUntil(e *event.Event, until string) string {
	if e.Until == "" {
		return t.in(e.Brief)
	}
	return t.in(words.Piece("label/last-at", "text", e.Brief, "at", until))
}

// since is the time from the beginning of the session to the event.
func (t *Text) since(e *event.Event) string { return t.sinceBegun(e, e.Time) }

func (t *Text) sinceBegun(e *event.Event, when string) string {
	at, err := time.Parse(time.RFC3339Nano, when)
	if err != nil {
		return ""
	}
	var d time.Duration
	if s := t.sessions[e.Session]; s != nil {
		d = at.Sub(s.begun)
	}
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("+%.1fms", float64(d.Microseconds())/1000)
	default:
		return fmt.Sprintf("+%.1fs", d.Seconds())
	}
}

// legColumn is the leg in a column of its own, as wide as the longest of them is in the language.
func (t *Text) legColumn(leg string) string {
	width := columns.StringWidth(t.in(words.Named("leg", "browser")))
	if leg != "" {
		leg = t.in(words.Named("leg", leg))
	}
	return Pad(leg, width) + " "
}

func arrow(e *event.Event) string {
	switch {
	case e.Kind != event.KindMessage && e.Kind != event.KindClosed:
		return " · "
	case e.From == "client":
		return "-->"
	case e.From == "server":
		return "<--"
	}
	return " · "
}

// stepMarks is the steps of an event in brackets, those with the same verdict together.
func (t *Text) stepMarks(marks []event.StepMark) string {
	var out []string
	for i := 0; i < len(marks); {
		j := i
		var steps []string
		for j < len(marks) && marks[j].Verdict == marks[i].Verdict {
			steps = append(steps, string(marks[j].Step))
			j++
		}
		id := "mark/step-verdict"
		if len(steps) > 1 {
			id = "mark/steps-verdict"
		}
		out = append(out, t.mark(id, "steps", words.List(",", words.Names(steps)...), "verdict", words.Named("verdict", string(marks[i].Verdict))))
		i = j
	}
	return strings.Join(out, " ")
}

// Rule writes a line across the page, with a title in it.
func (t *Text) Rule(title string) {
	width := t.Width
	if width <= 0 || width > 100 {
		width = 100
	}
	line := "== " + title + " "
	if title == "" {
		line = ""
	}
	if n := width - columns.StringWidth(line); n > 0 {
		line += strings.Repeat("=", n)
	}
	t.Line(t.Paint(Bold, line))
}

// Line writes a line as it is.
func (t *Text) Line(s string) {
	t.w.WriteString(s)
	t.w.WriteByte('\n')
}

// Paragraph writes text after first, and wraps it with rest before each further line.
func (t *Text) Paragraph(first, indent, text string, s Style) {
	t.paragraphStyled(first+indent, columns.StringWidth(first+indent), text, s, nil)
}

// paragraphStyled writes text after lead, which is width columns wide, and
// wraps it below itself. marks colours the bracketed verdicts at its beginning.
func (t *Text) paragraphStyled(lead string, width int, text string, s Style, marks []event.StepMark) {
	room := t.Width - width
	lines := []string{text}
	switch {
	case t.Width > 0 && room >= 20:
		lines = Wrap(text, room)
	case t.Width > 0 && columns.StringWidth(text) > room:
		// No room beside the lead: below it, then.
		t.Line(strings.TrimRight(lead, " "))
		width = 6
		lead = strings.Repeat(" ", width)
		lines = Wrap(text, max(t.Width-width, 20))
	}
	for i, l := range lines {
		if i > 0 {
			lead = strings.Repeat(" ", width)
		}
		l = t.Paint(s, l)
		if t.Color && i == 0 {
			for _, m := range marks {
				word := t.verdict(m.Verdict)
				for _, colon := range []string{": ", "\uff1a"} {
					l = strings.Replace(l, colon+word+"]", colon+t.Paint(verdictStyles[m.Verdict], word)+"]", 1)
				}
			}
		}
		t.Line(strings.TrimRight(lead+l, " "))
	}
}

// Beside writes two texts beside each other behind a lead, in columns of one width; where
// there is no room for that, one below the other.
func (t *Text) Beside(lead string, s Style, left, right string) {
	indent, gap := columns.StringWidth(lead), 2
	room := (t.Width - indent - gap) / 2
	if room < 20 {
		t.paragraphStyled(lead, indent, left, s, nil)
		t.paragraphStyled(strings.Repeat(" ", indent), indent, right, s, nil)
		return
	}
	l, r := Wrap(left, room), Wrap(right, room)
	for i := range max(len(l), len(r)) {
		var a, b string
		if i < len(l) {
			a = l[i]
		}
		if i < len(r) {
			b = r[i]
		}
		t.Line(strings.TrimRight(lead+t.Paint(s, Pad(a, room))+strings.Repeat(" ", gap)+t.Paint(s, b), " "))
		lead = strings.Repeat(" ", indent)
	}
}

// Columns is how many a text takes.
func Columns(s string) int { return columns.StringWidth(s) }

// columns measures text, whatever the language of the environment.
var columns = &runewidth.Condition{StrictEmojiNeutral: true}

// What must not begin a line, and what must not end one.
const (
	closing = "\uff0c\u3002\uff1a\uff1b\uff09\uff1f\uff01\u3001\u300d\u300f\u300b\u3011"
	opening = "\uff08\u300c\u300e\u300a\u3010"

	narrowClosing = ")]}" // beside a wide character
	narrowOpening = "([{"
)

// Wrap breaks text at spaces and between wide characters into lines of at most width
// columns; what cannot be broken and is longer keeps a line of its own.
func Wrap(text string, width int) []string {
	var lines []string
	line, col := "", 0
	for _, p := range parts(text, width) {
		n, gap := columns.StringWidth(p.text), 0
		if p.spaced && col > 0 {
			gap = 1
		}
		if col > 0 && col+gap+n > width {
			lines = append(lines, line)
			line, col, gap = "", 0, 0
		}
		line += strings.Repeat(" ", gap) + p.text
		col += gap + n
	}
	return append(lines, line)
}

// A part of a text stands in one line.
type part struct {
	text   string
	spaced bool // a space stands before it
}

// parts breaks a text where a line may end.
func parts(text string, width int) []part {
	var out []part
	add := func(s string, spaced bool) {
		if n := len(out); n > 0 {
			first, _ := utf8.DecodeRuneInString(s)
			last, _ := utf8.DecodeLastRuneInString(out[n-1].text)
			if strings.ContainsRune(closing, first) || strings.ContainsRune(opening, last) ||
				!spaced && (strings.ContainsRune(narrowClosing, first) || strings.ContainsRune(narrowOpening, last)) {
				if spaced {
					s = " " + s
				}
				out[n-1].text += s
				return
			}
		}
		out = append(out, part{s, spaced})
	}
	for _, word := range unbroken(strings.Fields(text), width) {
		if strings.HasPrefix(word, "[") && strings.HasSuffix(word, "]") && columns.StringWidth(word) <= width {
			add(word, true)
			continue
		}
		begin, wide := 0, false
		for i, r := range word {
			n := columns.RuneWidth(r)
			if i > begin && n > 0 && (wide || n > 1) {
				add(word[begin:i], begin == 0)
				begin = i
			}
			if n > 0 {
				wide = n > 1
			}
		}
		add(word[begin:], begin == 0)
	}
	return out
}

// unbroken joins the words of a mark in brackets, if it fits into a line.
func unbroken(words []string, width int) []string {
	var out []string
	for i := 0; i < len(words); i++ {
		word := words[i]
		for j := i; strings.HasPrefix(word, "[") && j < len(words) && j < i+8; j++ {
			if !strings.HasSuffix(words[j], "]") {
				continue
			}
			if mark := strings.Join(words[i:j+1], " "); columns.StringWidth(mark) <= width {
				word, i = mark, j
			}
			break
		}
		out = append(out, word)
	}
	return out
}

// Pad fills s up with spaces to width columns of a terminal; a wide character takes two.
func Pad(s string, width int) string {
	if n := width - columns.StringWidth(s); n > 0 {
		return s + strings.Repeat(" ", n)
	}
	return s
}

// Clean makes text from the wire harmless on a terminal, and what it says no mark of ours.
func Clean(s string) string {
	if strings.IndexByte(s, '[') >= 0 || strings.Contains(s, holds) || strings.Contains(s, fails) {
		s = marks().Replace(s)
	}
	return printable.Text(s)
}

// marks are what only we may write: a header with one in it must not look proven.
var marks = sync.OnceValue(func() *strings.Replacer {
	pairs := []string{holds, `\` + "v", fails, `\` + "x"}
	for _, l := range words.Languages {
		for _, id := range []string{"mark/proven", "mark/refuted", "mark/not-checkable", "mark/step"} {
			// The value is what stands in it; what comes before is the mark.
			head, _, _ := strings.Cut(l.In(words.Piece(id, "what", "\x00", "step", "\x00")), "\x00")
			head = strings.TrimRight(head, ": \uff1a")
			pairs = append(pairs, head, `\`+head)
		}
	}
	return strings.NewReplacer(pairs...)
})

// paragraphAt writes text behind lead, which is width columns wide, and its
// further lines indented by indent.
func (t *Text) paragraphAt(indent int, lead string, width int, text string, s Style) {
	lines := []string{text}
	if t.Width > 0 {
		// The first line is shorter by what stands before it.
		fill := strings.Repeat("x", max(width-indent-1, 1))
		lines = Wrap(fill+" "+text, max(t.Width-indent, 20))
		lines[0] = strings.TrimPrefix(strings.TrimPrefix(lines[0], fill), " ")
	}
	t.Line(strings.TrimRight(lead+t.Paint(s, lines[0]), " "))
	for _, l := range lines[1:] {
		t.Line(strings.Repeat(" ", indent) + t.Paint(s, l))
	}
}

// isFingerprint tells whether a fact of a summary is one of these; they are for
// tools and for those who ask for every field.
func isFingerprint(f event.Field) bool {
	return f.ID == event.FactJA4 || f.ID == event.FactJA3 || f.ID == event.FactJA3S
}

// title is the name of an event at the head of its line, padded to a width, and how it is
// painted. A fact that is a whole sentence needs no name before it.
func (t *Text) title(e *event.Event, width int) (name string, style Style, sentence bool) {
	sentence = e.BriefSays()
	if e.Kind != event.KindStep && (e.Kind != event.KindFact || !sentence) {
		name = Pad(t.in(words.NameText(e.Topic, e.Name)), width) + " "
	}
	switch e.Kind {
	case event.KindFact, event.KindConnection, event.KindClosed, event.KindFile:
		style = Dim
	case event.KindMessage:
		style = Bold
	}
	return name, style, sentence
}
