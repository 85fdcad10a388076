package exam

import (
	"bufio"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// A Paper is a sheet of questions about a recording.
type Paper struct {
	Name  string // of the recording
	Seed  uint64
	Parts []Part
}

// A Part is about one connection.
type Part struct {
	Conn      int
	Host      string
	Ladder    []Rung // the messages in their order; empty where that is asked for
	Questions []Question
}

// A Rung is a message, or a blank in its place.
type Rung struct {
	Packet int
	From   string
	Topic  event.Topic
	Name   string
	Blank  int // number of the blank on the paper; 0: none
}

const (
	maxParts  = 3
	maxBlanks = 2 // in a ladder
	maxRungs  = 14
	maxOfStep = 3 // questions about verdicts in a part
)

// Of makes a paper of a story, with at most n questions. It may have none.
func Of(es []event.Event, name string, seed uint64, n int) *Paper {
	p := &Paper{Name: name, Seed: seed}
	var talks []*talk
	flows := map[string]bool{}
	for _, conn := range Connections(es) {
		t := talkOf(es, conn, seed)
		if t.leg == nil || flows[t.leg.Flow+fmt.Sprint(t.alert != nil)] || len(talks) == maxParts {
			continue
		}
		flows[t.leg.Flow+fmt.Sprint(t.alert != nil)] = true
		talks = append(talks, t)
	}
	var more [][]Question
	blanks := 0
	for i, t := range talks {
		part := Part{Conn: t.conn, Host: t.host}
		var list []Question
		q, ok := t.order()
		switch {
		case i == 0 && ok:
			list = append(list, q)
		default:
			var asked []Question
			part.Ladder, asked = t.ladder(&blanks)
			list = append(list, asked...)
		}
		p.Parts, more = append(p.Parts, part), append(more, append(list, t.mixed()...))
	}
	// Each part in turn, until there are enough; a blank that stands in a ladder is asked for.
	for round, left := 0, n; left > 0; round++ {
		any := false
		for i := range p.Parts {
			if round < len(more[i]) && left > 0 {
				p.Parts[i].Questions = append(p.Parts[i].Questions, more[i][round])
				left--
				any = true
			}
		}
		if !any {
			break
		}
	}
	p.Parts = slices.DeleteFunc(p.Parts, func(part Part) bool { return len(part.Questions) == 0 })
	for i := range p.Parts {
		p.Parts[i].fill()
	}
	return p
}

// mixed are the questions about what a connection shows, and those about its steps, in turn.
func (t *talk) mixed() (all []Question) {
	shows, steps := t.shows(), t.steps()
	for _, list := range [][]Question{shows, steps} {
		t.random("mixed", len(list)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	for i := range max(len(shows), len(steps)) {
		if i < len(shows) {
			all = append(all, shows[i])
		}
		if i < len(steps) && i < maxOfStep {
			all = append(all, steps[i])
		}
	}
	return all
}

// ladder is the messages of a connection with blanks, which are asked for.
func (t *talk) ladder(blanks *int) (rungs []Rung, asked []Question) {
	messages := t.messages[:min(len(t.messages), maxRungs)]
	places := t.random("blanks", 0).Perm(len(messages))
	var chosen []int
	for _, k := range places {
		if len(chosen) < maxBlanks && k > 0 && messages[k].Packets != nil && messages[k].Topic != event.TopicAlert {
			chosen = append(chosen, k)
		}
	}
	slices.Sort(chosen)
	for k, e := range messages {
		if e.Packets == nil {
			continue
		}
		r := Rung{Packet: e.Packets.Last, From: e.From, Topic: e.Topic, Name: e.Name}
		if slices.Contains(chosen, k) {
			*blanks++
			r.Blank = *blanks
			asked = append(asked, t.blank(k, *blanks))
		}
		rungs = append(rungs, r)
	}
	return rungs, asked
}

// fill puts the message back where a blank is not asked for.
func (p *Part) fill() {
	asked := 0
	for _, q := range p.Questions {
		if q.ID == "blank" {
			asked++
		}
	}
	n := 0
	for i := range p.Ladder {
		if p.Ladder[i].Blank == 0 {
			continue
		}
		if n++; n > asked {
			p.Ladder[i].Blank = 0
		}
	}
}

//go:embed paper.html
var paperText string

var paperPage = template.Must(template.New("paper").Parse(paperText))

// A shown question is one with its number, in a language.
type shown struct {
	N       int
	Text    string
	Answers []shownAnswer
	Order   bool
}

type shownAnswer struct{ Letter, Text string }

type shownPart struct {
	Title     string
	Ladder    []shownRung
	Questions []shown
}

type shownRung struct {
	Packet   int
	From, To bool // whose message: the client's, the server's
	Text     string
}

// HTML writes the paper as one page that needs nothing else, without what is right.
func (p *Paper) HTML(w io.Writer, l words.Language) error {
	view := struct {
		Lang                                 string
		Title, Intro, Who, Points, Packet    string
		Client, Server, AnswerWord, OrderHow string
		Parts                                []shownPart
	}{
		Lang:  l.Tag(),
		Title: l.In(words.Piece("exam/title", "name", p.Name, "seed", strconv.FormatUint(p.Seed, 10))),
		Intro: l.In(words.Piece("exam/intro")), Who: l.In(words.Piece("exam/who")), Points: l.In(words.Piece("exam/points", "n", strconv.Itoa(p.count()))), Packet: l.In(words.Piece("exam/packet")),
		Client: l.In(words.Named("end", "client")), Server: l.In(words.Named("end", "server")), AnswerWord: l.In(words.Piece("exam/answer")), OrderHow: l.In(words.Piece("exam/order-how")),
	}
	n := 0
	for _, part := range p.Parts {
		sp := shownPart{Title: l.In(words.Piece("exam/part", "n", strconv.Itoa(part.Conn), "host", cmp.Or(part.Host, "-")))}
		for _, r := range part.Ladder {
			text := l.In(words.NameText(r.Topic, r.Name))
			if r.Blank > 0 {
				text = l.In(words.Piece("exam/blank", "n", strconv.Itoa(r.Blank)))
			}
			sp.Ladder = append(sp.Ladder, shownRung{Packet: r.Packet, From: r.From == "client", To: r.From == "server", Text: text})
		}
		for _, q := range part.Questions {
			n++
			sq := shown{N: n, Text: l.In(q.Text), Order: q.Order != nil}
			for i, a := range q.Answers {
				sq.Answers = append(sq.Answers, shownAnswer{string(letter(i)), l.In(a.Text)})
			}
			sp.Questions = append(sp.Questions, sq)
		}
		view.Parts = append(view.Parts, sp)
	}
	return paperPage.Execute(w, view)
}

func (p *Paper) count() (n int) {
	for _, part := range p.Parts {
		n += len(part.Questions)
	}
	return n
}

// Key writes what is right, a line a question, and why, for [Mark] and for people.
func (p *Paper) Key(w io.Writer, l words.Language) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "# %s\n", oneLine(l.In(words.Piece("exam/key-title", "name", p.Name, "seed", strconv.FormatUint(p.Seed, 10)))))
	n := 0
	for _, part := range p.Parts {
		for _, q := range part.Questions {
			n++
			fmt.Fprintf(b, "%d %s\n", n, q.Key())
			for _, why := range q.Why {
				fmt.Fprintf(b, "#   %s\n", oneLine(l.In(why)))
			}
		}
	}
	return b.Flush()
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Marks are what answers came to: a point for each that is right.
type Marks struct {
	Points, Of int
	Wrong      []Wrong
}

// Wrong is a question that was not answered as the key says.
type Wrong struct {
	N            int
	Given, Right string // Given is empty where there was no answer
}

// A LineError is a line of a key or of answers that cannot be read.
type LineError struct {
	Line int
	Of   string // the line
	Key  bool   // it is the key's
}

func (e *LineError) Error() string { return e.Text().English }

// Text is the error in every language.
func (e *LineError) Text() event.Text {
	if e.Key {
		return words.Piece("exam/bad-key", "line", strconv.Itoa(e.Line), "text", event.Clip(e.Of))
	}
	return words.Piece("exam/bad-answer", "line", strconv.Itoa(e.Line), "text", event.Clip(e.Of))
}

// Mark compares answers with a key. Both have a question in a line, its number and then
// letters; what stands behind #, and case and spaces between letters, say nothing.
func Mark(key, answers io.Reader) (*Marks, error) {
	right, order, err := readLetters(key, true)
	if err != nil {
		return nil, err
	}
	given, _, err := readLetters(answers, false)
	if err != nil {
		return nil, err
	}
	m := &Marks{Of: len(order)}
	for _, n := range order {
		if given[n] == right[n] {
			m.Points++
			continue
		}
		m.Wrong = append(m.Wrong, Wrong{n, given[n], right[n]})
	}
	return m, nil
}

func readLetters(r io.Reader, key bool) (by map[int]string, order []int, err error) {
	by = map[int]string{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
		if text == "" {
			continue
		}
		end := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 {
			end = len(text)
		}
		number, err := strconv.Atoi(text[:end])
		letters := strings.ToUpper(strings.NewReplacer(" ", "", "\t", "", ",", "", ".", "", ":", "", ")", "").Replace(text[end:]))
		bad := err != nil || number < 1 || strings.ContainsFunc(letters, func(r rune) bool { return r < 'A' || r > 'Z' }) || key && letters == ""
		if _, twice := by[number]; bad || twice {
			return nil, nil, &LineError{n, text, key}
		}
		by[number] = letters
		order = append(order, number)
	}
	if err := lines.Err(); err != nil {
		return nil, nil, err
	}
	return by, order, nil
}
