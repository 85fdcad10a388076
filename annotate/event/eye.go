package event

import "slices"

// An Eye is somebody who has these packets and no key, and at some time later something more:
// what of a connection opens to him then, and why.
type Eye struct {
	ID      string     `json:"id"`                // one of the Eye… constants
	Opens   []string   `json:"opens"`             // which sealed parts of it, the Sealed… constants
	Unknown bool       `json:"unknown,omitempty"` // it cannot be said of this connection
	Says    []Sentence `json:"says"`
}

// Who looks.
const (
	EyeKey     = "key-tomorrow" // who gets the private key of the server's certificate
	EyeQuantum = "quantum"      // who has a large quantum computer
)

// The parts of a connection that are sealed, each with secrets of its own.
const (
	SealedInner      = "inner-hello" // the encrypted hello (ECH)
	SealedEarly      = "early-data"  // 0-RTT
	SealedConnection = "connection"  // all else
)

// Sees tells whether a message is open to him: it passed in clear, or in a part that opens.
func (y *Eye) Sees(e *Event) bool {
	switch {
	case e.Evidence != Decrypted:
		return true
	case e.Topic == TopicInnerHello:
		return slices.Contains(y.Opens, SealedInner)
	case e.Early:
		return slices.Contains(y.Opens, SealedEarly)
	}
	return slices.Contains(y.Opens, SealedConnection)
}

// Eye is the one of that name, nil if nothing is told of him.
func (l *Leg) Eye(id string) *Eye {
	for i := range l.Eyes {
		if l.Eyes[i].ID == id {
			return &l.Eyes[i]
		}
	}
	return nil
}
