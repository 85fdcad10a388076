package event

// Parent says whose secret a connection takes up.
type Parent struct {
	How         string `json:"how"`                   // "session-id", "ticket", "psk", or "external-psk", which is inferred
	State       string `json:"state"`                 // "known", "ambiguous", "sealed" (its ticket may have passed encrypted), "not-here" or "none"
	Conns       []int  `json:"conns,omitempty"`       // the connection; several where it is ambiguous, or may have been sealed
	Chain       []int  `json:"chain,omitempty"`       // of a known one: it, the one that it takes up itself, and so on
	Certificate int    `json:"certificate,omitempty"` // connection in which the certificate was sent that stands behind all this
	Sent        string `json:"sent,omitempty"`        // when that was, RFC 3339
	Proven      bool   `json:"proven,omitempty"`      // both use one master secret, by mathematics
}

// A Kin is a connection in the genealogy of a capture.
type Kin struct {
	Conn   int    `json:"conn"`
	Depth  int    `json:"depth,omitempty"` // generations below the first of its line
	Host   string `json:"host,omitempty"`
	Time   string `json:"time,omitempty"` // of its ServerHello, RFC 3339
	How    string `json:"how,omitempty"`  // as in Parent, absent for the first of a line
	State  string `json:"state,omitempty"`
	Parent int    `json:"parent,omitempty"`
	Later  Text   `json:"later,omitzero"`     // time since its parent's ServerHello, in words
	After  int64  `json:"after_ms,omitempty"` // the same in milliseconds
	Proven bool   `json:"proven,omitempty"`
}
