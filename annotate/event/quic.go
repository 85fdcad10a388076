package event

// QUIC is one packet of QUIC, or several in a row that stay sealed: how many, and why, is
// the event's [Size]. It has nothing of what the streams carry, and no token.
type QUIC struct {
	Type     string   `json:"type"`                // "Initial", "0-RTT", "Handshake", "1-RTT", "Retry", "Version Negotiation" or "Stateless Reset"; else it is none that is read
	Version  string   `json:"version,omitempty"`   // eight hexadecimal digits; absent in short headers and in Version Negotiation
	To       *string  `json:"dcid,omitempty"`      // destination connection ID in hexadecimal, which may be empty; absent where it is not in the header, or its length is not known
	By       *string  `json:"scid,omitempty"`      // source connection ID, likewise
	Token    int      `json:"token,omitempty"`     // bytes of the token of Initial and Retry
	Versions []string `json:"versions,omitempty"`  // of Version Negotiation: the first 16
	Number   uint64   `json:"number,omitempty"`    // packet number, of one that was opened
	KeyPhase int      `json:"key_phase,omitempty"` // of 1-RTT: how often its sender's keys had been updated (RFC 9001 6)

	Frames []QUICFrame `json:"frames,omitempty"` // without PADDING
	Cut    int         `json:"cut,omitempty"`    // further frames that are not told
	Broken bool        `json:"broken,omitempty"` // the frames break off
}

// A QUICFrame is one frame of a packet of QUIC (RFC 9000 19). Which of the numbers it has
// is said by its type; what is 0 is absent in JSON.
type QUICFrame struct {
	Type   string `json:"type"`           // as the RFCs have it: "STREAM"; of one that is not known its number, as "0x1f"
	More   int    `json:"more,omitempty"` // further frames of this type directly behind it, which have no more to say; Number is the highest of them
	Stream uint64 `json:"stream,omitempty"`
	Offset uint64 `json:"offset,omitempty"` // CRYPTO, STREAM
	Length int    `json:"length,omitempty"` // bytes of data, or of a token, a connection ID, a reason in words
	Fin    bool   `json:"fin,omitempty"`    // STREAM: it ends with this
	// ACK: the highest number that is acknowledged; MAX_… and …_BLOCKED: the limit; NEW_CONNECTION_ID and
	// RETIRE_CONNECTION_ID: the sequence number; RESET_STREAM: the stream's final size.
	Number uint64      `json:"number,omitempty"`
	Ranges [][2]uint64 `json:"ranges,omitempty"` // ACK: lowest and highest packet number of each range, the highest range first
	Prior  uint64      `json:"prior,omitempty"`  // NEW_CONNECTION_ID: those with a lower sequence number are to be retired
	ID     string      `json:"id,omitempty"`     // NEW_CONNECTION_ID: the ID in hexadecimal
	Uni    bool        `json:"uni,omitempty"`    // MAX_STREAMS, STREAMS_BLOCKED: about unidirectional streams
	App    bool        `json:"app,omitempty"`    // CONNECTION_CLOSE: the code is the application's
	Code   uint64      `json:"code,omitempty"`   // RESET_STREAM, STOP_SENDING, CONNECTION_CLOSE: the error
	Reason string      `json:"reason,omitempty"` // CONNECTION_CLOSE: in words, as sent
}
