package event

// A Part is a field of a message and where in the message it stands.
type Part struct {
	Name string `json:"name"`         // as the RFCs name the field
	At   int    `json:"at"`           // offset of its first byte, the message's header at 0
	Len  int    `json:"len"`          // bytes
	Is   string `json:"is,omitempty"` // what a number in it stands for
}
