package page

import "explainer/annotate/event"

// A look is what one of those who come later finds of a leg.
type look struct {
	Conn int
	Leg  string
	event.Eye
}

// Looks are what somebody finds who comes later, leg by leg; none where nothing is sealed, or
// the session is not over its beginning.
func (s *session) Looks(id string) (out []look) {
	for i := range s.Legs {
		if s.Tunnel && i > 0 {
			break // both legs carry the same
		}
		if y := s.Legs[i].Eye(id); y != nil {
			out = append(out, look{s.Legs[i].Conn, s.Legs[i].Leg, *y})
		}
	}
	return out
}

// Opened tells whether he finds what a part is sealed with.
func (l look) Opened() bool { return len(l.Opens) > 0 }

// Whole tells whether that is so of all but what has secrets of its own.
func (l look) Whole() bool {
	for _, p := range l.Opens {
		if p == event.SealedConnection {
			return true
		}
	}
	return false
}

// shut names the classes of those who do not see what a message says.
func (s *session) shut(e *event.Event) string {
	out := ""
	for i := range s.Legs {
		if s.Legs[i].Conn != e.Conn {
			continue
		}
		for j := range s.Legs[i].Eyes {
			if y := &s.Legs[i].Eyes[j]; !y.Sees(e) {
				out += " shut-" + y.ID
			}
		}
	}
	return out
}

// hidden names the classes of those to whom an event tells nothing of its steps: what is sealed
// for them, and what happens inside an endpoint.
func (s *session) hidden(e *event.Event) string {
	switch {
	case e.Kind == event.KindStep:
		return " shut-path shut-key-tomorrow shut-quantum"
	case e.Evidence == event.Decrypted:
		return " shut-path" + s.shut(e)
	}
	return ""
}
