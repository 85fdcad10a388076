package score

import (
	"strconv"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/text"
	"explainer/annotate/words"
)

// bold goes before a colour.
const bold = text.Bold + ";"

// Text writes the report as it is read: each line with its reason, and what they come to. day is today.
func (r *Report) Text(t *text.Text, day time.Time) error {
	if t.Width <= 0 || t.Width > 100 {
		t.Width = 100
	}
	styles := map[Outcome]text.Style{Pass: text.Green, Fail: bold + text.Red, NotTested: text.Dim}
	const indent = 19
	margin := strings.Repeat(" ", indent)
	for i := range r.Lines {
		l := &r.Lines[i]
		if i == 0 || l.Group != r.Lines[i-1].Group {
			if i > 0 {
				t.Line("")
			}
			t.Line(t.In(words.Piece("grade/group", "group", l.group())))
		}
		title := l.title()
		if l.Grade != "" {
			title = words.Piece("grade/at-best", "title", title, "grade", string(l.Grade))
		}
		t.Line("  " + t.Paint(styles[l.Outcome], text.Pad(t.In(words.Piece("grade-outcome/"+string(l.Outcome))), 10)) + "  " + text.Pad(l.ID, 3) + "  " + t.In(title))
		t.Paragraph(margin, "", t.In(l.reason()), text.Plain)
		for _, test := range l.Tests {
			if test.Outcome == Fail {
				t.Paragraph(margin+"- ", "", t.In(test.what()), text.Plain)
			}
		}
	}
	style := bold + text.Red
	if r.Grade.Good() {
		style = bold + text.Green
	}
	letter := event.Plain(string(r.Grade))
	if r.Grade == None {
		letter = words.Piece("grade/none")
	}
	t.Line("")
	t.Line(t.Paint(style, t.In(words.Piece("grade/grade", "grade", letter))) + "  " + t.In(r.Proxy))
	t.Paragraph("  ", "", t.In(r.Why), text.Plain)
	n := r.count()
	t.Line("  " + t.In(words.Piece("grade/counts", "passed", strconv.Itoa(n.Pass), "failed", strconv.Itoa(n.Fail), "untested", strconv.Itoa(n.NotTested), "day", day.Format(time.DateOnly))))
	return t.Flush()
}

// what names the trial, and what was wrong with its origin.
func (t *Test) what() event.Text {
	if t.Wrong == "" {
		return event.Plain(t.ID)
	}
	return words.Piece("grade/test", "test", t.ID, "wrong", words.FaultText("wrong", t.ID, t.Wrong))
}
