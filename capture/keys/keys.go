// Package keys holds what opens TLS records and what proves a handshake: key
// log lines, key schedules, record protection and checks of signatures.
package keys

// Secret is one line of a key log (RFC 9850).
type Secret struct {
	Label        string // "CLIENT_RANDOM", "SERVER_HANDSHAKE_TRAFFIC_SECRET", ..., or "RSA"
	ClientRandom []byte // 32 bytes; for the label "RSA", the first 8 bytes of the encrypted pre-master secret
	Secret       []byte
}
