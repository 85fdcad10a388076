package text

import (
	"strings"
	"unicode/utf8"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

const (
	maxComment  = 1500     // bytes beside one packet
	maxLine     = 400      // bytes of a line of it
	maxComments = 64 << 20 // bytes for a whole capture; beyond, sentences are left out, and beyond twice that, all but refutations
)

// Comments collects the story by packet, so that it can stand beside each
// packet in a capture: which message was completed there, which step that is
// and how it went, what there is to say, and what was proved or refuted.
type Comments struct {
	Lang    words.Language
	packets map[int][]remark
	size    int
}

// A remark is what one event says beside its packet.
type remark struct {
	head    string // name and brief, steps
	refuted string
	more    string // proofs and sentences
}

// Event takes in one event of the story.
func (c *Comments) Event(e *event.Event) {
	if e.Packets == nil || e.Packets.Last <= 0 {
		return
	}
	var r remark
	var lines []string
	switch {
	case e.Kind == event.KindStep && len(e.Steps) > 0:
	case e.Brief.Empty() || e.BriefSays():
		lines = append(lines, c.line(words.NameText(e.Topic, e.Name)))
	default:
		lines = append(lines, c.line(words.Piece("comment/event", "name", words.NameText(e.Topic, e.Name), "brief", e.Brief)))
	}
	for _, m := range e.Steps {
		verdict := words.Named("verdict", string(m.Verdict))
		if m.Verdict == event.Failed {
			verdict = words.Piece("comment/failed")
		}
		lines = append(lines, c.line(words.Piece("comment/step", "step", string(m.Step), "title", words.StepTitle(m.Step), "verdict", verdict)))
	}
	if c.size < 2*maxComments {
		r.head = strings.Join(lines, "\n")
	}
	var refuted, more []string
	for _, p := range e.Proofs {
		switch p.State {
		case event.Refuted:
			refuted = append(refuted, c.line(words.Piece("mark/refuted-line", "words", words.NotSo(p.Claim, p.Reason))))
		case event.Proven:
			more = append(more, c.line(words.Piece("comment/proven", "claim", p.Claim)))
		}
	}
	r.refuted = strings.Join(refuted, "\n")
	if c.size < maxComments {
		for _, s := range e.Says {
			more = append(more, cutText("- "+Clean(c.Lang.Says(s)), maxLine))
		}
		r.more = strings.Join(more, "\n")
	}
	n := len(r.head) + len(r.refuted) + len(r.more)
	if n == 0 {
		return
	}
	c.size += n
	if c.packets == nil {
		c.packets = map[int][]remark{}
	}
	c.packets[e.Packets.Last] = append(c.packets[e.Packets.Last], r)
}

// line is one line of at most maxLine bytes. Nothing from the wire can begin
// another one.
func (c *Comments) line(text event.Text) string { return cutText(Clean(c.Lang.In(text)), maxLine) }

// cutText cuts s to at most n bytes, between characters.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n -= len("...")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}

// Packets tells beside how many packets there is something to say.
func (c *Comments) Packets() int { return len(c.packets) }

// Packet returns what there is to say beside a packet, in lines, at most 1,500
// bytes; "" is nothing. What is refuted comes first, and the names of all
// messages before what is said of any.
func (c *Comments) Packet(n int) string {
	cut := c.Lang.In(words.Piece("comment/more"))
	remarks := c.packets[n]
	var top []string
	size := 0
	for _, r := range remarks {
		if r.refuted != "" {
			top = append(top, r.refuted)
			size += len(r.refuted) + 1
		}
	}
	for _, r := range remarks {
		size += len(r.head) + 1
	}
	out := top
	left, full := maxComment-len(cut)-1-size, false
	for _, r := range remarks {
		if r.head != "" {
			out = append(out, r.head)
		}
		if r.more == "" {
			continue
		}
		for _, l := range strings.Split(r.more, "\n") {
			if left -= len(l) + 1; left < 0 {
				full = true
				break
			}
			out = append(out, l)
		}
	}
	text := strings.Join(out, "\n")
	if full || len(text) > maxComment {
		text = cutText(text, maxComment-len(cut)-1) + "\n" + cut
	}
	return text
}
