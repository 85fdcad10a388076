package page

import (
	"io"

	"explainer/annotate/event"
)

// A Schedule is the key schedule of one connection.
type Schedule struct {
	Conn    int
	Secrets *event.Secrets // nil: there is none
	Show    bool           // its values; else only what crossed the network in clear
	Wrong   event.Text     // why there is none
}

// Schedule renders the key schedule of a connection of a session.
func (v View) Schedule(w io.Writer, n int, s *Schedule) error {
	p, err := v.of(n)
	if err != nil {
		return err
	}
	p.Schedule = s
	return templates()[v.Lang].ExecuteTemplate(w, "schedule", p)
}

// A node is a value of a schedule as it is shown.
type node struct {
	event.Secret
	Bytes int  // of the value
	Shown bool // the value is
	Made  []node
}

// Nodes are the tree.
func (s *Schedule) Nodes() []node { return s.nodes(s.Secrets.Tree) }

func (s *Schedule) nodes(of []event.Secret) (out []node) {
	for i := range of {
		out = append(out, node{of[i], len(of[i].Value) / 2, s.Show || of[i].From == event.FromWire, s.nodes(of[i].Made)})
	}
	return out
}
