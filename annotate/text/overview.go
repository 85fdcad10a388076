package text

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// Overview writes what a capture comes to. name is the file's.
func (t *Text) Overview(o *event.Overview, name string) error {
	t.overview(o, name)
	return t.w.Flush()
}

func (t *Text) overview(o *event.Overview, name string) {
	title := words.Piece("overview/title")
	if name != "" {
		title = words.Piece("overview/of", "name", name)
		if t.Width > 0 && o.File.Files > 1 && columns.StringWidth(t.in(title)) > t.Width-6 {
			title = words.Piece("overview/of-captures", "n", strconv.Itoa(o.File.Files))
		}
	}
	t.Rule(t.in(title))
	t.Paragraph("", "  ", t.in(headline(o)), Plain)
	for _, r := range o.Refutations {
		t.Paragraph("  ", "", t.in(words.Piece("overview/refuted", "conn", strconv.Itoa(r.Conn), "words", words.NotSo(r.Claim, r.Reason))), alarm)
	}
	if n := o.Refuted - len(o.Refutations); n > 0 {
		t.Paragraph("  ", "", t.in(words.Piece("overview/refuted-more", "n", strconv.Itoa(n))), alarm)
	}
	several := o.Connections > 1 || t.Alone && o.Connections > 0
	if several {
		t.totals(o)
	}
	if len(o.Odd) > 0 {
		t.Line("")
		t.Line("  " + t.Paint(Bold, t.mark("overview/look-at")))
		for _, odd := range o.Odd {
			text := words.Whole(odd.Says)
			if o.Connections > 1 && len(odd.Conns) > 0 {
				text = words.WhereText(odd.Says, odd.Conns, odd.N)
			}
			t.Paragraph("    - ", "", t.in(text), Plain)
		}
	}
	if several {
		t.lines(o)
	}
	t.Line("")
}

// headline says how much the capture is.
func headline(o *event.Overview) event.Text {
	what := words.Piece("overview/capture")
	switch {
	case o.File.Files > 1:
		what = words.Piece("overview/captures", "n", strconv.Itoa(o.File.Files))
	case o.File.Own:
		what = words.Piece("overview/recording")
	}
	size := words.List(",", words.Count(o.File.Packets, "packet"), words.Count(o.Connections, "connection"))
	if o.Chosen != "" { // the packets are those of the whole capture
		what, size = words.Piece("overview/chosen"), words.Count(o.Connections, "connection")
	}
	if o.Sessions != 0 && o.Sessions != o.Connections {
		size = words.Piece("overview/sessions", "size", size, "sessions", words.Count(o.Sessions, "session"))
	}
	begin, err := time.Parse(time.RFC3339Nano, o.Begin)
	end, _ := time.Parse(time.RFC3339Nano, o.End)
	if err == nil {
		size = words.Piece("overview/at", "size", size, "date", begin.Format("2006-01-02 15:04:05"))
		if d := end.Sub(begin); d > 0 {
			size = words.Piece("overview/within", "size", size, "span", lasting(d))
			if back := time.Duration(o.File.Back) * time.Millisecond; back > 0 && o.Chosen == "" {
				size = words.Piece("overview/back", "size", size, "span", lasting(back), "packet", strconv.Itoa(o.File.BackAt))
			}
		}
	}
	text := words.Piece("overview/headline", "what", what, "size", size)
	if len(o.File.Skipped) > 0 && o.Chosen == "" {
		var parts []event.Text
		n := 0
		for _, c := range o.File.Skipped {
			parts = append(parts, skippedWords(c, o.File.Unread))
			n += c.N
		}
		text = words.Piece("overview/headline-skipped", "what", what, "size", size, "count", words.Count(n, "packet"), "skipped", words.List(",", parts...))
	}
	if o.File.Files > 1 {
		text = words.Piece("overview/headline-files", "headline", text)
	}
	return text
}

// lasting is a duration as people say it.
func lasting(d time.Duration) event.Text {
	switch {
	case d < time.Second:
		return event.Plain(fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000))
	case d < 2*time.Minute:
		return event.Plain(fmt.Sprintf("%.1f s", d.Seconds()))
	case d < 48*time.Hour:
		return event.Plain(d.Round(time.Second).String())
	}
	return words.Piece("span/days", "n", fmt.Sprintf("%.1f", d.Hours()/24))
}

// skippedWords says why packets were passed over, how many, and names by number what they
// were, where a number says it.
func skippedWords(c event.Count, all []event.Unread) event.Text {
	var list []event.Text
	for _, u := range all {
		if u.Reason != c.Name {
			continue
		}
		name := words.NumberOf(u.Reason, u.Number)
		switch {
		case !name.Empty():
		case u.Reason == "not-ip":
			name = event.Plain(fmt.Sprintf("0x%04x", u.Number))
		default:
			name = event.Plain(strconv.Itoa(u.Number))
		}
		list = append(list, name)
	}
	reason := words.Named("skipped", c.Name)
	if len(list) == 0 {
		return words.Piece("overview/skipped", "reason", reason, "n", strconv.Itoa(c.N))
	}
	if len(list) == event.MaxUnread {
		list = append(list, event.Plain("..."))
	}
	return words.Piece("overview/skipped-numbers", "reason", reason, "n", strconv.Itoa(c.N), "kind", words.Named("number-of", c.Name), "numbers", words.List(",", list...))
}

// totals writes the counts, each kind in a line.
func (t *Text) totals(o *event.Overview) {
	t.Line("")
	row := func(name event.Text, text event.Text) {
		const width = 16
		lead := "  " + t.Paint(Bold, Pad(t.in(name), width-2))
		for _, line := range wrapList(t.in(text), t.Width-width) {
			t.Line(lead + line)
			lead = strings.Repeat(" ", width)
		}
	}
	as := func(c event.Count) event.Text { return cmp.Or(c.Words, event.Plain(c.Name)) }
	row(words.Piece("row/speak"), listCounts(o.Protocols, func(c event.Count) event.Text { return words.ProtocolWords(c.Name) }, 0))
	row(words.Piece("row/versions"), listCounts(o.Versions, as, 0))
	row(words.Piece("row/exchange"), listCounts(o.Exchanges, as, 12))
	row(words.Piece("row/suites"), listCounts(o.Suites, as, 12))
	row(words.Piece("row/inside"), listCounts(o.ALPN, as, 8))
	hosts := listCounts(o.Hosts, as, 0)
	if n := o.Names - len(o.Hosts); n > 0 {
		hosts = words.Piece("overview/more-names", "hosts", hosts, "names", words.Count(n, "more name"))
	}
	if o.Nameless > 0 && !hosts.Empty() {
		hosts = words.Piece("overview/nameless", "hosts", hosts, "n", strconv.Itoa(o.Nameless))
	}
	row(words.Piece("row/hosts"), hosts)
	row(words.Piece("row/content"), listCounts(o.States, func(c event.Count) event.Text { return words.StateWords(c.Name) }, 0))
	row(words.Piece("row/sealed-for"), sealedFor(o))
	if o.Requests+o.Responses > 0 {
		row(words.Piece("row/http"), words.List(",", words.Count(o.Requests, "request"), words.Count(o.Responses, "response")))
	}
	row(words.Piece("row/certificates"), listCounts(o.Chains, func(c event.Count) event.Text { return words.Named("chain-of", c.Name) }, 0))
	if o.Resumed > 0 {
		row(words.Piece("row/resumed"), words.Count(o.Resumed, "connection"))
	}
	var failed []event.Text
	for _, c := range o.Failed {
		failed = append(failed, words.Piece("overview/failed-at", "n", strconv.Itoa(c.N), "step", c.Name, "title", words.StepTitle(event.Step(c.Name))))
	}
	row(words.Piece("row/failed"), words.List(",", failed...))
	if o.GivenUp > 0 {
		row(words.Piece("row/given-up"), words.Piece("overview/given-up", "count", words.Count(o.GivenUp, "connection")))
	}
	row(words.Piece("row/alerts"), listCounts(o.Alerts, as, 12))
	proofs := []event.Count{{Name: "REFUTED", N: o.Refuted, Words: words.Piece("overview/refuted-alone")}, {Name: "proven", N: o.Proven, Words: words.Piece("state/proven")}, {Name: "not checkable", N: o.Unchecked, Words: words.Piece("state/not-checkable")}}
	row(words.Piece("row/proofs"), listCounts(slices.DeleteFunc(proofs, func(c event.Count) bool { return c.N == 0 }), as, 0))
}

// wrapList breaks a list behind its commas, and what is longer than a line between words.
func wrapList(text string, width int) []string {
	if text == "" || width < 20 {
		return slices.DeleteFunc([]string{text}, func(s string) bool { return s == "" })
	}
	var lines []string
	line := ""
	sep := ", "
	if strings.Contains(text, "、") {
		sep = "、"
	}
	for _, item := range strings.SplitAfter(text, sep) {
		if line != "" && columns.StringWidth(line+strings.TrimSpace(item)) > width {
			lines = append(lines, strings.TrimSpace(line))
			line = ""
		}
		line += item
		if columns.StringWidth(line) > width+1 {
			parts := Wrap(line, width)
			lines = append(lines, parts[:len(parts)-1]...)
			line = parts[len(parts)-1] + " "
		}
	}
	return append(lines, strings.TrimSpace(line))
}

// sealedFor says why records stayed sealed.
func sealedFor(o *event.Overview) event.Text {
	var why []event.Text
	for i, w := range o.Why {
		why = append(why, words.Piece("label/with-reason", "text", w.Words, "reason", words.Count(o.WhyConns[i].N, "connection")))
	}
	return words.List(",", why...)
}

// listCounts is "9 TLS 1.3, 3 TLS 1.2"; of more than most, if that is not 0, the rest is counted.
func listCounts(cs []event.Count, name func(event.Count) event.Text, most int) event.Text {
	var parts []event.Text
	for i, c := range cs {
		if most > 0 && i == most {
			rest := 0
			for _, c := range cs[i:] {
				rest += c.N
			}
			parts = append(parts, words.Piece("overview/other-kinds", "n", strconv.Itoa(rest), "kinds", strconv.Itoa(len(cs)-i)))
			break
		}
		parts = append(parts, words.Piece("overview/count", "n", strconv.Itoa(c.N), "name", name(c)))
	}
	return words.List(",", parts...)
}

// lines writes the table of the connections.
func (t *Text) lines(o *event.Overview) {
	t.Line("")
	if o.Connections > event.MaxLines {
		text := words.Piece("overview/choose")
		switch {
		case len(o.Lines) == event.MaxLines:
			text = words.Piece("overview/choose-first-failed")
		case len(o.Lines) > 0:
			text = words.Piece("overview/choose-failed")
		}
		t.Paragraph("", "  ", t.in(text), Dim)
	}
	var rows [][4]string
	var width [3]int
	for _, l := range o.Lines {
		r := [4]string{strconv.Itoa(l.Conn), t.lineTo(l), t.lineHow(l), t.lineOutcome(l)}
		rows = append(rows, r)
		for i := range width {
			width[i] = max(width[i], columns.StringWidth(r[i]))
		}
	}
	room := t.Width
	if room <= 0 || room > 140 {
		room = 140
	}
	for i, r := range rows {
		l := o.Lines[i]
		style := Plain
		switch {
		case l.Refuted > 0:
			style = alarm
		case l.Failed != "":
			style = Red
		case l.State == event.StateOpened:
			style = Green
		}
		// In columns, as far as they fit beside one another.
		lead := "  " + strings.Repeat(" ", width[0]-len(r[0])) + r[0] + "  "
		text := r[3]
		switch {
		case columns.StringWidth(lead)+width[1]+2+width[2]+2+18 <= room:
			lead += Pad(r[1], width[1]) + "  " + Pad(r[2], width[2]) + "  "
		case columns.StringWidth(lead)+width[1]+2+30 <= room:
			lead += Pad(r[1], width[1]) + "  "
			text = joinWith(t.mark("sign/comma"), r[2], r[3])
		default:
			text = joinWith(t.mark("sign/comma"), r[1], r[2], r[3])
		}
		t.paragraphStyled(lead, columns.StringWidth(lead), text, style, nil)
	}
}

// joinWith joins what is not empty.
func joinWith(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return strings.TrimSpace(s) == "" }), sep)
}

// lineTo is to whom the connection leads.
func (t *Text) lineTo(l event.Line) string {
	to := Clean(l.Server)
	if l.Host != "" {
		to = Clean(l.Host)
		if i := strings.LastIndexByte(l.Server, ':'); i >= 0 && l.Server[i:] != ":443" && l.Leg == "" {
			to += l.Server[i:]
		}
	}
	if l.Leg != "" {
		to = t.legColumn(l.Leg) + to
	}
	return to
}

// lineHow is what the connection speaks.
func (t *Text) lineHow(l event.Line) string {
	switch {
	case l.Version != "":
		how := []event.Text{event.Plain(l.Version)}
		if l.Protocol == event.ProtocolQUIC {
			how = []event.Text{event.Plain("QUIC"), event.Plain(l.Version)}
		}
		if !l.Exchange.Empty() {
			how = append(how, l.Exchange)
		}
		return t.in(words.List(",", how...))
	case l.Protocol == event.ProtocolTLS:
		return t.in(words.List(",", event.Plain("TLS"), words.NoHello()))
	}
	return t.in(words.ProtocolWords(l.Protocol))
}

// lineOutcome is what came of the connection.
func (t *Text) lineOutcome(l event.Line) string {
	var parts []event.Text
	if l.Refuted > 0 {
		parts = append(parts, words.Piece("overview/refuted-alone"))
	}
	switch l.State {
	case "", event.StateNothing:
	case event.StateClear:
		parts = append(parts, words.Piece("overview/not-encrypted"))
	default:
		parts = append(parts, words.StateWords(l.State))
	}
	if l.Requests > 0 {
		parts = append(parts, words.Count(l.Requests, "request"))
	}
	if l.GivenUp {
		parts = append(parts, words.Piece("overview/given-up-by-client"))
	}
	if l.Failed != "" {
		text := words.Piece("overview/failed-step", "step", string(l.Failed))
		if !l.Cause.Empty() {
			text = words.Piece("overview/failed-step-why", "step", string(l.Failed), "cause", words.Brief(l.Cause))
		}
		parts = append(parts, text)
	}
	return t.in(words.List(",", parts...))
}
