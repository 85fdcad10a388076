package page

import (
	"encoding/hex"
	"io"

	"explainer/annotate/event"
)

// A Word is a word that is looked for in a session.
type Word struct {
	Text  string
	Legs  []WordLeg
	Wrong event.Text // why it was not looked for everywhere
}

// A WordLeg is one connection of it, searched.
type WordLeg struct {
	Conn      int
	Leg       string
	UDP       bool // what its datagrams carry is not searched
	Client    int  // bytes that each side sent, searched as they stand on the wire
	Server    int
	Sealed    int // records that were opened, and searched inside
	Clear     int // sightings in clear
	Inside    int // and in records that open
	Sightings []Sighting
	More      int // that are not among them
}

// A Sighting is where it stands.
type Sighting struct {
	From   string
	Packet int
	At     int
	Of     int
	Wire   []byte // what the wire has in its place; nil where no byte of it is in its place
	Clear  bool
}

// Noise is what stands on the wire in the word's place, in hexadecimal.
func (s Sighting) Noise() string { return hex.EncodeToString(s.Wire) }

// Word renders where a word is in a session.
func (v View) Word(w io.Writer, n int, x *Word) error {
	p, err := v.of(n)
	if err != nil {
		return err
	}
	p.Word = x
	return templates()[v.Lang].ExecuteTemplate(w, "word", p)
}
