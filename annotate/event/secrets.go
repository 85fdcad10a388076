package event

// Secrets is the key schedule of a connection's first handshake with its real
// values. It is made only where it is asked for: it opens the connection.
type Secrets struct {
	Schedule Text     `json:"schedule"` // in words: "TLS 1.3, HKDF with SHA-256"
	Note     Text     `json:"note,omitzero"`
	Tree     []Secret `json:"tree,omitempty"`
}

// A Secret is one value of a key schedule, and what is made of it.
type Secret struct {
	ID    string `json:"id"` // permanent
	Name  Text   `json:"name"`
	How   Text   `json:"how,omitzero"`    // the formula
	Value string `json:"value,omitempty"` // hexadecimal; absent where it is not known
	From  Source `json:"from"`
	Label string `json:"label,omitempty"` // of the key log line
	Note  Text   `json:"note,omitzero"`   // why it is not known, or what shows that it is right
	Opens Text   `json:"opens,omitzero"`  // what it opens, or is for
	// State says whether the value was compared with what is on the wire, or with
	// another that must be the same.
	State ProofState `json:"state,omitempty"`
	Refs  []string   `json:"refs,omitempty"`
	Made  []Secret   `json:"made,omitempty"` // of this one
}

// A Source says where a value of a key schedule is known from.
type Source string

const (
	FromWire     Source = "wire"     // it crossed the network in clear
	FromLog      Source = "key-log"  // a key log line holds it
	FromComputed Source = "computed" // made here, from values that are known
	FromEarlier  Source = "earlier"  // the master secret of the connection that this one takes up
	FromNobody   Source = "unknown"  // neither logged nor computable
	FromNothing  Source = "absent"   // this handshake has no such value
)

// Because gives a node a note.
func (s Secret) Because(note Text) Secret { s.Note = note; return s }

// MadeBy replaces a node's formula.
func (s Secret) MadeBy(formula Text) Secret { s.How = formula; return s }
