package handshake

// GroupKind is how two sides come to a common secret in a group of the
// supported_groups registry.
type GroupKind int

const (
	GroupCurve  GroupKind = iota // Diffie-Hellman on an elliptic curve (RFC 8422), also where the number is not known
	GroupFinite                  // Diffie-Hellman modulo a prime (RFC 7919)
	GroupKEM                     // the server encapsulates a secret to the client's key (RFC 10024 and what came before it), alone or beside a curve
)

// KindOf tells of which kind a group is.
func KindOf(group uint16) GroupKind {
	switch {
	case group >= 0x0100 && group <= 0x01ff: // the codepoints that RFC 7919 2 reserves
		return GroupFinite
	case CiphertextLen(group) > 0:
		return GroupKEM
	}
	return GroupCurve
}

// CiphertextLen is how many bytes of the server's share are the ciphertext of the
// encapsulated secret (FIPS 203 8: 768, 1088 and 1568 of ML-KEM-512, -768 and -1024, as
// of Kyber before it; 1138 of HRSS in CECPQ2), 0 of groups without one.
func CiphertextLen(group uint16) int {
	switch group {
	case 0x0200, 0xfe30:
		return 768
	case 0x0201, 0x11eb, 0x11ec, 0x6399, 0x639a, 0xfe31:
		return 1088
	case 0x0202, 0x11ed:
		return 1568
	case 0x4138:
		return 1138
	}
	return 0
}
