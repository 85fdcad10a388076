package event

// An Act is one thing of which a step consists in the short story: a message, or what
// happens inside one side.
type Act struct {
	By      string     `json:"by,omitempty"`    // who sends it, or inside whom it happens: "client" or "server"
	Sent    bool       `json:"sent,omitempty"`  // it is a message
	Place   int        `json:"place,omitempty"` // of a message: its place in time among those of the leg's acts, from 1
	Says    Text       `json:"says"`
	Packets *Packets   `json:"packets,omitempty"`
	Proofs  []RowProof `json:"proofs,omitempty"` // its own, where the row has others
}

// An Aim is what some of the steps are for, as a question, with the answer of this connection.
type Aim struct {
	ID   string `json:"id"` // one of the Aim… constants
	Says Text   `json:"says"`
}

// The questions, in the order of the steps that answer them.
const (
	AimWho    = "who"    // who is it? Steps 1 to 4a
	AimSecret = "secret" // what do only the two know? Steps 4b to 6a
	AimOthers = "others" // what do the others see? Steps 6b to 8
)

// AimOf is the question that a step belongs to.
func AimOf(s Step) string {
	switch s {
	case Step1, Step2, Step3, Step4a:
		return AimWho
	case Step4b, Step4c, Step5, Step6a:
		return AimSecret
	}
	return AimOthers
}

// A Frame holds what the textbook says around its steps against a connection: its three
// keys, and its two HTTP requests.
type Frame struct {
	Pairs      int  `json:"key_pairs"`   // for signing, for encrypting and for the key exchange, on both sides
	Secrets    int  `json:"secrets"`     // that both sides have, and that their keys are made of
	Keys       int  `json:"keys"`        // that encrypt or authenticate records, of both directions
	RoundTrips int  `json:"round_trips"` // of the handshake, before the client's first data
	KeysSay    Text `json:"keys_say"`
	TripsSay   Text `json:"round_trips_say,omitzero"`
}

// A Trouble is why a connection did not get through, in three short texts.
type Trouble struct {
	Step Step `json:"step"`
	Says Text `json:"says"`          // who refused whom, at which step, with which alert
	Why  Text `json:"why,omitzero"`  // most likely
	Mend Text `json:"mend,omitzero"` // the command that mends it, or shows more
}
