package text

import (
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
	title := "Overview"
	if name != "" {
		title += " of " + Clean(name)
		if t.Width > 0 && o.File.Files > 1 && columns.StringWidth(title) > t.Width-6 {
			title = fmt.Sprintf("Overview of %d captures", o.File.Files)
		}
	}
	t.Rule(title)
	t.Paragraph("", "  ", headline(o), Plain)
	for _, r := range o.Refutations {
		t.Paragraph("  ", "", fmt.Sprintf("REFUTED in connection %d: %s", r.Conn, t.in(words.NotSo(r.Claim, r.Reason))), alarm)
	}
	if n := o.Refuted - len(o.Refutations); n > 0 {
		t.Paragraph("  ", "", fmt.Sprintf("REFUTED: %d more", n), alarm)
	}
	several := o.Connections > 1 || t.Alone && o.Connections > 0
	if several {
		t.totals(o)
	}
	if len(o.Odd) > 0 {
		t.Line("")
		t.Line("  " + t.Paint(Bold, "Look at"))
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
func headline(o *event.Overview) string {
	what := "Capture"
	if o.File.Own {
		what = "Recording of explainer's own"
	}
	if o.File.Files > 1 {
		what = fmt.Sprintf("%d captures as one", o.File.Files)
	}
	text := fmt.Sprintf("%s: %s, %s", what, words.Plural(o.File.Packets, "packet"), words.Plural(o.Connections, "connection"))
	if o.Sessions != 0 && o.Sessions != o.Connections {
		text += " in " + words.Plural(o.Sessions, "session") + " (the browser's leg and the origin's are one session)"
	}
	begin, err := time.Parse(time.RFC3339Nano, o.Begin)
	end, _ := time.Parse(time.RFC3339Nano, o.End)
	if err == nil {
		text += ", " + begin.Format("2006-01-02 15:04:05") + " UTC"
		if d := end.Sub(begin); d > 0 {
			text += ", within " + lasting(d)
		}
	}
	if len(o.File.Skipped) > 0 {
		var parts []string
		n := 0
		for _, c := range o.File.Skipped {
			parts = append(parts, fmt.Sprintf("%s %d%s", skippedWords(c.Name), c.N, unreadWords(c.Name, o.File.Unread)))
			n += c.N
		}
		text += fmt.Sprintf(". %s passed over: %s", words.Plural(n, "packet"), strings.Join(parts, ", "))
	}
	text += "."
	if o.File.Files > 1 {
		text += " Packets are numbered through all files in the order of time, as mergecap would write them."
	}
	return text
}

// lasting is a duration as people say it.
func lasting(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	case d < 2*time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 48*time.Hour:
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%.1f days", d.Hours()/24)
}

// skippedWords says why packets were passed over.
func skippedWords(reason string) string {
	if w, ok := map[string]string{
		"arp": "ARP", "not-ip": "not IP", "icmp": "ICMP", "udp": "UDP without QUIC or DTLS", "not-tcp": "other IP", "fragment": "IP fragment without the rest", "unknown-link-type": "link type not read",
		"unknown-interface": "interface not described", "headers-cut": "headers cut off", "malformed-header": "malformed header",
		"after-close": "data after the close", "stray": "numbers far from their connection", "other-record": "no packet at all",
		"malformed-fact": "malformed note of the proxy", "encrypted-link": "encrypted by Wi-Fi or MACsec", "aggregate": "several packets in one frame of Wi-Fi",
		"exported-pdu": "exported by Wireshark without its IP header",
	}[reason]; ok {
		return w
	}
	return words.OfID(Clean(reason))
}

// unreadWords names by number what was passed over for a reason.
func unreadWords(reason string, all []event.Unread) string {
	var list []string
	for _, u := range all {
		if u.Reason != reason {
			continue
		}
		switch name := words.NumberOf(reason, u.Number); {
		case name != "":
			list = append(list, name)
		case reason == "not-ip":
			list = append(list, fmt.Sprintf("0x%04x", u.Number))
		default:
			list = append(list, strconv.Itoa(u.Number))
		}
	}
	if len(list) == 0 {
		return ""
	}
	kind := map[string]string{"unknown-link-type": "LINKTYPE", "not-ip": "EtherType", "not-tcp": "protocol", "udp": "port"}[reason]
	if len(list) == event.MaxUnread {
		list = append(list, "...")
	}
	return fmt.Sprintf(" (%s %s)", kind, strings.Join(list, ", "))
}

// totals writes the counts, each kind in a line.
func (t *Text) totals(o *event.Overview) {
	t.Line("")
	row := func(name, text string) {
		const width = 16
		lead := "  " + t.Paint(Bold, Pad(name, width-2))
		for _, line := range wrapList(text, t.Width-width) {
			t.Line(lead + line)
			lead = strings.Repeat(" ", width)
		}
	}
	row("speak", listCounts(o.Protocols, words.ProtocolWords, 0))
	row("versions", listCounts(o.Versions, Clean, 0))
	row("key exchange", listCounts(o.Exchanges, Clean, 12))
	row("suites", listCounts(o.Suites, Clean, 12))
	row("inside", listCounts(o.ALPN, Clean, 8))
	hosts := listCounts(o.Hosts, Clean, 0)
	if n := o.Names - len(o.Hosts); n > 0 {
		hosts += ", and " + words.Plural(n, "more name")
	}
	if o.Nameless > 0 && hosts != "" {
		hosts += fmt.Sprintf(", %d without a name", o.Nameless)
	}
	row("hosts", hosts)
	row("content", listCounts(o.States, words.StateWords, 0))
	row("sealed for", t.sealedFor(o))
	if o.Requests+o.Responses > 0 {
		row("HTTP", words.Plural(o.Requests, "request")+", "+words.Plural(o.Responses, "response"))
	}
	row("certificates", listCounts(o.Chains, func(name string) string {
		return map[string]string{"ok": "pass all checks made here", "warned": "pass with warnings", "failed": "fail"}[name]
	}, 0))
	if o.Resumed > 0 {
		row("resumed", words.Plural(o.Resumed, "connection"))
	}
	var failed []string
	for _, c := range o.Failed {
		failed = append(failed, fmt.Sprintf("%d at step %s (%s)", c.N, c.Name, words.TitleOf(event.Step(c.Name))))
	}
	row("failed", strings.Join(failed, ", "))
	if o.GivenUp > 0 {
		row("given up", words.Plural(o.GivenUp, "connection")+", by the client before the server had answered")
	}
	row("alerts", listCounts(o.Alerts, Clean, 12))
	row("proofs", listCounts(slices.DeleteFunc([]event.Count{{Name: "REFUTED", N: o.Refuted}, {Name: "proven", N: o.Proven}, {Name: "not checkable", N: o.Unchecked}}, func(c event.Count) bool { return c.N == 0 }), Clean, 0))
}

// wrapList breaks a list behind its commas, and what is longer than a line between words.
func wrapList(text string, width int) []string {
	if text == "" || width < 20 {
		return slices.DeleteFunc([]string{text}, func(s string) bool { return s == "" })
	}
	var lines []string
	line := ""
	for _, item := range strings.SplitAfter(text, ", ") {
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
func (t *Text) sealedFor(o *event.Overview) string {
	var why []string
	for i, w := range o.Why {
		why = append(why, fmt.Sprintf("%s (%s)", t.in(w.Words), words.Plural(o.WhyConns[i].N, "connection")))
	}
	return strings.Join(why, ", ")
}

// listCounts is "9 TLS 1.3, 3 TLS 1.2"; of more than most, if that is not 0, the rest is counted.
func listCounts(cs []event.Count, name func(string) string, most int) string {
	var parts []string
	for i, c := range cs {
		if most > 0 && i == most {
			rest := 0
			for _, c := range cs[i:] {
				rest += c.N
			}
			parts = append(parts, fmt.Sprintf("%d of %d other kinds", rest, len(cs)-i))
			break
		}
		parts = append(parts, strconv.Itoa(c.N)+" "+name(c.Name))
	}
	return strings.Join(parts, ", ")
}

// lines writes the table of the connections.
func (t *Text) lines(o *event.Overview) {
	t.Line("")
	if o.Connections > event.MaxLines {
		text := "--connection, --host, --verdict and --only-failed choose among the connections."
		if len(o.Lines) > 0 {
			those := "Those"
			if len(o.Lines) == event.MaxLines {
				those = "The first of those"
			}
			text += " " + those + " that failed:"
		}
		t.Paragraph("", "  ", text, Dim)
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
			text = joinWith(", ", r[2], r[3])
		default:
			text = joinWith(", ", r[1], r[2], r[3])
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
		to = Pad(l.Leg, 8) + to
	}
	return to
}

// lineHow is what the connection speaks.
func (t *Text) lineHow(l event.Line) string {
	switch {
	case l.Version != "":
		protocol := l.Version
		if l.Protocol == event.ProtocolQUIC {
			protocol = "QUIC, " + protocol
		}
		return strings.TrimSuffix(protocol+", "+l.Exchange, ", ")
	case l.Protocol == event.ProtocolTLS:
		return "TLS, no ServerHello"
	}
	return words.ProtocolWords(l.Protocol)
}

// lineOutcome is what came of the connection.
func (t *Text) lineOutcome(l event.Line) string {
	var parts []string
	if l.Refuted > 0 {
		parts = append(parts, "REFUTED")
	}
	switch l.State {
	case "", event.StateNothing:
	case event.StateClear:
		parts = append(parts, "not encrypted")
	default:
		parts = append(parts, words.StateWords(l.State))
	}
	if l.Requests > 0 {
		parts = append(parts, words.Plural(l.Requests, "request"))
	}
	if l.GivenUp {
		parts = append(parts, "given up by the client")
	}
	if l.Failed != "" {
		text := "failed at step " + string(l.Failed)
		if !l.Cause.Empty() {
			text += ": " + t.in(l.Cause)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}
