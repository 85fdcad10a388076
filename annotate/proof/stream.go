package proof

import (
	"explainer/capture"
	"explainer/capture/handshake"
)

// maxHoles bounds the holes of a direction whose places are kept.
const maxHoles = 64

// A Stream is what one direction of a connection was read of: from where on, what is
// missing and where, what is there and was not read and why, and how far it was followed.
// Whatever is said to be missing, to come first, to break the rules or never to have come asks it.
type Stream struct {
	Start capture.Start
	Heard bool  // something of it is in the capture
	To    int64 // where what was told of it ends
	Torn  bool  // what stands last in it is missing or was not read

	Gone   int64 // bytes that are missing
	GoneAt int64 // where the first of them are
	holes  []capture.Span
	more   bool // holes has no room for all

	Differs bool // some of it came a second time with other bytes

	unread map[string]int64 // bytes that are there, by one of capture's Opaque constants
	broken bool             // it breaks the protocol, and is not read from there on

	Closed   bool // by a FIN, or by a RST of either side
	ClosedAt Place
	Ended    bool   // it is not told any further: the capture ends, or Left says why
	Left     string // why it was not followed to its end, one of capture's End constants
}

// Take takes in a message of the direction.
func (s *Stream) Take(m *capture.Message) {
	if m.Span.End > m.Span.Start && !m.Inner {
		s.To = m.Span.End
	}
	if m.Span.End > m.Span.Start {
		s.Heard = true
		if m.Opened {
			s.Torn = false
		}
	}
	switch b := m.Body.(type) {
	case *handshake.ClientHello, *handshake.ServerHello:
		if s.Start == capture.StartUnknown && !m.Opened {
			s.Start = capture.StartHello
		}
	case *capture.Missing:
		s.miss(m.Span.Start, b.Len)
	case *capture.Malformed:
		s.broken, s.Torn = true, true
	case *capture.Opaque:
		if b.Why != capture.OpaqueAfterTLS { // what is behind the end takes nothing from what stands before it
			s.pass(b.Why, b.Len)
		}
	case *capture.Sealed:
		s.Torn = true
	}
}

func (s *Stream) miss(at, n int64) {
	if s.Torn = true; s.Gone == 0 {
		s.GoneAt = at
	}
	s.Gone += n
	if s.more = s.more || len(s.holes) == maxHoles; !s.more {
		s.holes = append(s.holes, capture.Span{Start: at, End: at + n})
	}
}

func (s *Stream) pass(why string, n int64) {
	if s.unread == nil {
		s.unread = make(map[string]int64)
	}
	s.unread[why] += n
	s.Torn = true
}

// Unread returns how many bytes were not read for a reason.
func (s *Stream) Unread(why string) int64 { return s.unread[why] }

// Read tells whether all of it that is in the capture was read, as far as it was told.
func (s *Stream) Read() bool { return len(s.unread) == 0 && !s.broken }

// Whole tells whether nothing is missing between what was told of it, and all that was read.
func (s *Stream) Whole() bool { return s.Gone == 0 && s.Read() }

// Only tells whether nothing is missing, and what was not read was not for this reason alone.
func (s *Stream) Only(why string) bool {
	return s.Gone == 0 && !s.broken && (len(s.unread) == 0 || len(s.unread) == 1 && s.unread[why] > 0)
}

// All tells whether all of it, from its beginning, is there and was read, as far as it was told.
func (s *Stream) All() bool { return s.Start != capture.StartUnknown && s.Heard && s.Whole() }

// Account tells that what stands before was not read as TLS, but is known for what it is.
func (s *Stream) Account() { s.unread, s.broken, s.Torn = nil, false, false }

// gone tells whether bytes are missing from one place on, and before another one if
// that is not 0.
func (s *Stream) gone(from, to int64) bool {
	for _, hole := range s.holes {
		if hole.End > from && (to == 0 || hole.Start < to) {
			return true
		}
	}
	return s.more && (to == 0 || to > s.holes[maxHoles-1].End)
}
