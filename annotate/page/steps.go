package page

import (
	"cmp"
	"embed"
	"html/template"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

//go:embed steps.html steps.css
var stepsFiles embed.FS

// StepsStyle is the style sheet of what [Steps] writes. It takes its colours from the page's
// variables --text, --quiet, --panel and --line.
var StepsStyle = func() template.CSS {
	css, err := stepsFiles.ReadFile("steps.css")
	if err != nil {
		panic(err) // it is ours
	}
	return template.CSS(css)
}()

var stepsTemplates = func() map[words.Language]*template.Template {
	all := map[words.Language]*template.Template{}
	for _, l := range words.Languages {
		all[l] = template.Must(template.New("steps.html").Funcs(template.FuncMap{
			"in":      l.In,
			"say":     func(id string, values ...any) string { return l.In(words.Piece(id, values...)) },
			"title":   func(s event.Step) string { return l.StepTable()[slices.Index(event.Steps, s)].Title },
			"verdict": func(v event.Verdict) string { return l.In(words.Named("verdict", string(v))) },
			"mark":    func(of event.ProofState) string { return signs[of] },
			"markOf":  event.MarkOf,
		}).ParseFS(stepsFiles, "steps.html"))
	}
	return all
}()

// signs of a proof that holds and of one that does not.
var signs = map[event.ProofState]string{event.Proven: "\u2713", event.Refuted: "\u2717"}

// Steps is the short story of one connection as a piece of HTML, from the event that holds its
// summary: a tile for each row of the eight steps, a picture of its messages, and the rows under the
// questions that they answer. Where e is nil the rows say that they are not told yet. All that
// comes from the wire stands in it as text.
func Steps(e *event.Event, l words.Language) template.HTML {
	var b strings.Builder
	if err := stepsTemplates[cmp.Or(l, words.English)].Execute(&b, viewOf(e)); err != nil {
		panic(err) // neither the template nor a Builder fails
	}
	return template.HTML(b.String())
}

// A stepsView is what the template shows.
type stepsView struct {
	*event.Event           // nil: not told yet
	Leg          event.Leg // the client's
	Client       event.Text
	Server       event.Text
	Groups       []stepsGroup
	Other        event.Text // what differs on the origin's leg
	Picture      picture
}

// A stepsGroup is the rows that answer one question.
type stepsGroup struct {
	Question event.Text
	Answer   event.Text
	Rows     []event.Row
}

func viewOf(e *event.Event) stepsView {
	v := stepsView{Event: e, Client: words.Piece("short/client"), Server: words.Piece("short/server")}
	if e == nil {
		for _, s := range event.Steps {
			v.Leg.Rows = append(v.Leg.Rows, event.Row{Step: s})
		}
	} else {
		v.Leg = e.Summary.Legs[0]
		v.Other = words.OtherLeg(e.Summary)
		if v.Leg.Leg == "browser" && !e.Summary.Tunnel {
			v.Server = event.Plain("explainer")
		}
		if v.Leg.Agent != "" {
			v.Client = event.Plain(v.Leg.Agent)
		}
		v.Picture = pictureOf(e, v.Client)
	}
	for _, r := range v.Leg.Rows {
		aim := event.AimOf(r.Step)
		question := words.Named("aim-of", aim)
		if n := len(v.Groups); n == 0 || !v.Groups[n-1].Question.Same(question) {
			g := stepsGroup{Question: question}
			for _, a := range v.Leg.Aims {
				if a.ID == aim {
					g.Answer = a.Says
				}
			}
			v.Groups = append(v.Groups, g)
		}
		g := &v.Groups[len(v.Groups)-1]
		g.Rows = append(g.Rows, r)
	}
	return v
}

// A picture is the messages of a session between the lifelines of its sides, in the order of
// their packets. Its numbers are units of the drawing.
type picture struct {
	Height int
	Ends   []pictureEnd
	Arrows []arrow
}

type pictureEnd struct {
	X      int
	Anchor string // how the name stands to it
	Name   event.Text
}

type arrow struct {
	event.Act
	Step     event.Step
	Number   string // "m4"; of the client's leg alone, whose rows stand below
	From, To int
	X, Y     int // of its words
	Slant    int // where it ends
	Tip      int // where the head of the arrow begins
}

// Of the drawing.
const (
	pictureWidth  = 760
	pictureMargin = 46
	pictureTop    = 44
	pictureRow    = 30
	maxArrows     = 40
)

// PictureWidth is for the template.
func (picture) Width() int { return pictureWidth }

// Top is where the lifelines begin.
func (picture) Top() int { return pictureTop - 18 }

func pictureOf(e *event.Event, client event.Text) picture {
	legs := e.Summary.Legs
	if e.Summary.Tunnel {
		legs = legs[:1] // both carry the same
	}
	legs = legs[:min(len(legs), 2)]
	p := picture{Ends: []pictureEnd{{pictureMargin, "start", client}}}
	gap := (pictureWidth - 2*pictureMargin) / len(legs)
	for i := range legs {
		end := pictureEnd{pictureMargin + (i+1)*gap, "end", words.Piece("short/server")}
		if i+1 < len(legs) {
			end.Anchor, end.Name = "middle", event.Plain("explainer")
		} else if e.Host != "" {
			end.Name = event.Plain(e.Host)
		}
		p.Ends = append(p.Ends, end)
		for _, r := range legs[i].Rows {
			for _, a := range r.Acts {
				if !a.Sent || a.Packets == nil {
					continue
				}
				x := arrow{Act: a, Step: r.Step, From: pictureMargin + i*gap, To: pictureMargin + (i+1)*gap}
				if x.X = x.From + 10; a.By == "server" {
					x.From, x.To = x.To, x.From
				}
				if i == 0 {
					x.Number = "m" + strconv.Itoa(a.Place)
				}
				p.Arrows = append(p.Arrows, x)
			}
		}
	}
	slices.SortStableFunc(p.Arrows, func(a, b arrow) int {
		return cmp.Or(cmp.Compare(a.Packets.Last, b.Packets.Last), cmp.Compare(a.Place, b.Place))
	})
	p.Arrows = p.Arrows[:min(len(p.Arrows), maxArrows)]
	for i := range p.Arrows {
		a := &p.Arrows[i]
		a.Y = pictureTop + i*pictureRow
		a.Slant = a.Y + 12
		if a.Tip = a.To - 8; a.From > a.To {
			a.Tip = a.To + 8
		}
	}
	p.Height = pictureTop + len(p.Arrows)*pictureRow + 6
	return p
}

// Line is how wide the words of an arrow may be.
func (p picture) Line() int { return (pictureWidth-2*pictureMargin)/(len(p.Ends)-1) - 20 }

// Below is where an arrow leaves its side.
func (a arrow) Below() int { return a.Y + 5 }

// Above and Under are the ends of the head of an arrow.
func (a arrow) Above() int { return a.Slant - 4 }
func (a arrow) Under() int { return a.Slant + 4 }

// Top is the upper edge of the words.
func (a arrow) Top() int { return a.Y - 12 }
