package event

// A Comparison says what became of the story of one connection when a copy of it was
// changed and told anew. What is in it follows from the bytes, the keys and the rules:
// what an endpoint would have done is not told.
type Comparison struct {
	Conn   int      `json:"conn"`             // the connection
	Copied []int    `json:"copied,omitempty"` // those that it depends on, which were copied with it
	Change Sentence `json:"change"`           // what was changed
	Place  *Place   `json:"place,omitempty"`  // of a byte that was changed

	Proofs []ProofChange `json:"proofs,omitempty"` // in the order of the unchanged story
	Steps  []StepChange  `json:"steps,omitempty"`
	Checks []CheckChange `json:"checks,omitempty"` // of certificates
	// Notices are the checks that the rules ask of an endpoint and that the changed bytes do
	// not pass, in the order in which they are reached.
	Notices []Notice `json:"notices,omitempty"`
	// Says is what holds of the whole: why nothing broke, or what the copy cannot show.
	Says []Sentence `json:"says,omitempty"`
}

// A Place is where a byte stands.
type Place struct {
	Packet int    `json:"packet"`
	Offset int    `json:"offset"`           // in the packet's payload, or in what is encrypted in it
	Inside bool   `json:"inside,omitempty"` // the latter
	At     int64  `json:"at"`               // in its side's stream
	From   string `json:"from"`             // "client" or "server"
	Topic  Topic  `json:"topic,omitempty"`  // of the message that it belongs to
	Name   string `json:"name,omitempty"`   // the same for people
	// Part is "type", "version" or "length" of a record's header; "message" where the byte is of
	// a handshake message, "change-cipher-spec", "alert" or "data", in clear or inside; "sealed"
	// where it is of what is encrypted; "clear" before TLS; "packet" of QUIC or DTLS.
	Part string `json:"part"`
	Was  string `json:"was"` // hexadecimal
	Is   string `json:"is"`
}

// A ProofChange is a proof whose outcome is another in the changed story.
type ProofChange struct {
	Conn   int        `json:"conn"`
	ID     string     `json:"id"`
	Claim  Text       `json:"claim"`
	Steps  []Step     `json:"steps,omitempty"` // that rest on it
	Was    ProofState `json:"was,omitempty"`   // absent where it was not told
	Is     ProofState `json:"is,omitempty"`
	Reason Text       `json:"reason,omitzero"` // why it is that now
}

// Broken tells that a proof held and does not any more.
func (p *ProofChange) Broken() bool { return p.Was == Proven && p.Is != Proven || p.Is == Refuted }

// A StepChange is a step whose verdict is another.
type StepChange struct {
	Conn int      `json:"conn"`
	Step Step     `json:"step"`
	Was  Verdict  `json:"was,omitempty"`
	Is   Verdict  `json:"is,omitempty"`
	Says Sentence `json:"says,omitzero"` // of the changed story
}

// A CheckChange is a check of certificates that comes to something else.
type CheckChange struct {
	Conn int    `json:"conn"`
	From string `json:"from"` // whose chain it is
	ID   string `json:"id"`
	Was  string `json:"was,omitempty"`
	Is   string `json:"is,omitempty"`
	// Reason is that of the changed story, as in [Check].
	Reason string   `json:"reason,omitempty"`
	Says   Sentence `json:"says,omitzero"`
}

// A Notice is a check that the rules ask of one side.
type Notice struct {
	By    string   `json:"by"`              // "client" or "server"
	Says  Sentence `json:"says"`            // with the sections
	Alert string   `json:"alert,omitempty"` // its name; absent where the rules name none
}
