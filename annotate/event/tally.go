package event

// An Unopened is why records of a connection stayed sealed.
type Unopened struct {
	From    string   `json:"from,omitempty"` // whose records: "client" or "server", absent for both
	Reason  string   `json:"reason"`         // permanent name, below
	Records int64    `json:"records"`        // that stayed sealed
	Says    Sentence `json:"says"`
}

// A Tally is what a connection came to: the last word about it, told when it is
// over or the capture ends.
type Tally struct {
	Client    string   `json:"client"` // address and port
	Server    string   `json:"server"`
	Protocol  string   `json:"protocol"` // one of the Protocol… constants
	Flow      string   `json:"flow"`     // permanent ID of the row of the truth table, as in Leg
	Title     Text     `json:"title"`    // the same in words
	Name      string   `json:"sni,omitempty"`
	Version   string   `json:"version,omitempty"`
	Suite     string   `json:"suite,omitempty"`
	Group     string   `json:"group,omitempty"`
	GroupKind string   `json:"group_kind,omitempty"` // one of the Group… constants
	GroupBits int      `json:"group_bits,omitempty"` // of the modulus, where the server made up the group
	ALPN      string   `json:"alpn,omitempty"`
	Began     string   `json:"began"`              // RFC 3339, UTC
	Agreed    string   `json:"agreed,omitempty"`   // when the handshake's last message was seen
	State     string   `json:"state,omitempty"`    // of what was encrypted, one of the State… constants
	Why       []Why    `json:"why,omitempty"`      // why records stayed sealed
	Data      [2]int64 `json:"data"`               // bytes of application data that were read, of the client and the server
	Sealed    [2]int64 `json:"sealed"`             // records, or packets of QUIC, that stayed sealed
	Failed    Step     `json:"failed,omitempty"`   // the step that it stopped at
	GivenUp   bool     `json:"given_up,omitempty"` // its client ended it before the server had answered
	Cause     Text     `json:"cause,omitzero"`
	Resumed   bool     `json:"resumed,omitempty"`
	Missing   int64    `json:"missing,omitempty"`   // bytes that are not in the capture, as far as it shows
	Broken    bool     `json:"malformed,omitempty"` // some of it breaks the protocol
	Begun     bool     `json:"begun"`               // its beginning is in the capture
	Continued bool     `json:"continued,omitempty"` // it is in a part of the recording that is not read here
	CopyOf    int      `json:"copy_of,omitempty"`   // the number of the connection that this one is, captured once more
	End       string   `json:"end"`                 // "closed", "reset", "refused", or "open" when the capture ends
	// Which bytes of TCP were read; absent where none were and no SYN says where they begin.
	ClientSequence *Sequence `json:"client_sequence,omitempty"`
	ServerSequence *Sequence `json:"server_sequence,omitempty"`
	QUICVersion    string    `json:"quic_version,omitempty"` // "version 1", "draft 29", ...
}

// A Sequence is a range of sequence numbers of TCP: of the first byte, and of that behind the
// last (RFC 9293 3.4).
type Sequence struct {
	First uint32 `json:"first"`
	Next  uint32 `json:"next"`
}

// The kinds of groups of key exchanges.
const (
	GroupFinite = "dhe"   // Diffie-Hellman modulo a prime
	GroupCurve  = "ecdhe" // on an elliptic curve
	GroupKEM    = "kem"   // one side encapsulates a secret to the other (ML-KEM and before), alone or beside a curve
)

// What a connection speaks.
const (
	ProtocolTLS    = "tls"
	ProtocolQUIC   = "quic"
	ProtocolDTLS   = "dtls"
	ProtocolHTTP   = "http"   // plain
	ProtocolOther  = "other"  // neither TLS nor HTTP
	ProtocolTunnel = "tunnel" // passed through the proxy unread
	ProtocolNone   = "none"   // it carried nothing, or nothing whole
)

// What became of the encrypted part of a connection.
const (
	StateOpened  = "opened"  // all of it was opened
	StatePartly  = "partly"  // some of it
	StateSealed  = "sealed"  // none of it
	StateClear   = "clear"   // its suite does not encrypt
	StateNothing = "nothing" // nothing encrypted is in the capture
)

// A Why is a reason for which records stayed sealed.
type Why struct {
	Reason  string `json:"reason"` // as in an Unopened, or else a Sealed… constant of package capture
	Words   Text   `json:"words"`
	Records int64  `json:"records"`
}
