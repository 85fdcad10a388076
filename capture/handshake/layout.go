package handshake

// A Part is a field of a message and the bytes that it stands in. Parts that
// hold others (a list, an extension's content) come before those.
type Part struct {
	Name  string // as the RFCs name the field; ending in " length" for the length of a vector
	Start int    // offset of its first byte in the message, whose header begins at 0
	End   int    // offset behind its last byte
}

const (
	lengthOf = " length"
	maxParts = 4096 // of one message
)

// Layout says which bytes of a handshake message are which field, in the order
// in which they stand. msg begins with its header of type (1 byte) and length
// (3 bytes) and ctx is as for [Parse]. Where the message breaks its
// definition, the parts before that are returned; of a message with very many
// fields the first 4096.
func Layout(msg []byte, ctx Context) []Part {
	if len(msg) < 4 {
		return nil
	}
	parts := []Part{{"msg_type", 0, 1}, {"length", 1, 4}}
	parse(Type(msg[0]), msg[4:], ctx, reader{s: msg[4:], at: 4, parts: &parts})
	return parts
}
