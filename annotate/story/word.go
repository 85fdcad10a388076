package story

import (
	"bytes"
	"net/url"

	"explainer/capture"
)

// A Sighting is a word where it stands in what one side of a connection sent.
type Sighting struct {
	From   string // "client" or "server"
	Packet int    // that carried its first byte
	At     int    // its place in the content of its record or, in clear, in the side's stream; bytes from 0
	Of     int    // bytes of that content; 0 in clear
	// Wire are the bytes that stand on the wire in its place; nil where the cipher mixes
	// bytes into blocks, so that none of them is in its place.
	Wire  []byte
	Clear bool // it was not encrypted
}

// A Search is what was found of a word.
type Search struct {
	Sightings []Sighting
	Clear     int    // how many are in clear
	Inside    int    // and how many inside records that open
	More      int    // that are not among the sightings
	Streams   [2]int // bytes of each side that crossed the network, and were searched as they stand
	Sealed    int    // records that were opened, and were searched inside
}

// maxSightings bounds what is shown of a word.
const maxSightings = 12

// Find finds a word in what the connection's sides sent, in clear and inside the records that
// open, as it is and as forms write it (URL Standard 5.2). What is compressed, written in
// another way or spread over two records is not found.
func (s *Specimen) Find(word string) Search {
	var out Search
	forms := [][]byte{[]byte(word)}
	if of := url.QueryEscape(word); of != word {
		forms = append(forms, []byte(of))
	}
	add := func(of Sighting, side capture.Side, at int64) {
		if of.Clear {
			out.Clear++
		} else {
			out.Inside++
		}
		if len(out.Sightings) == maxSightings {
			out.More++
			return
		}
		if flip := s.onWire(side, at); flip != nil {
			of.Packet = flip.Packet
		}
		of.From = side.String()
		out.Sightings = append(out.Sightings, of)
	}
	for _, side := range []capture.Side{capture.Client, capture.Server} {
		for _, run := range s.runs(side) {
			out.Streams[side] += len(run.data)
			for at := range occurrences(run.data, forms) {
				add(Sighting{At: int(run.at) + at, Clear: true}, side, run.at+int64(at))
			}
		}
	}
	for _, r := range s.unchanged().records {
		out.Sealed++
		for at, n := range occurrences(r.Plain, forms) {
			of := Sighting{At: at, Of: len(r.Plain)}
			if r.Sealing != nil && !r.Sealing.Blocks() {
				of.Wire = s.bytesAt(r.Side, r.Content+int64(at), n)
			}
			add(of, r.Side, r.Content+int64(at))
		}
	}
	return out
}

// runs are the bytes of a side, joined where nothing is missing between them.
func (s *Specimen) runs(side capture.Side) (all []stretch) {
	for _, p := range s.stretches(side) {
		if n := len(all) - 1; n >= 0 && all[n].at+int64(len(all[n].data)) == p.at {
			all[n].data = append(all[n].data, p.data...)
			continue
		}
		all = append(all, stretch{at: p.at, data: bytes.Clone(p.data)})
	}
	return all
}

// occurrences are the places of any of the forms, and the lengths of those.
func occurrences(in []byte, forms [][]byte) func(yield func(at, n int) bool) {
	return func(yield func(at, n int) bool) {
		for _, form := range forms {
			for from := 0; ; {
				i := bytes.Index(in[from:], form)
				if i < 0 || len(form) == 0 {
					break
				}
				if !yield(from+i, len(form)) {
					return
				}
				from += i + len(form)
			}
		}
	}
}
