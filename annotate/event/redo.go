package event

// A Redo is what a proof is computed from, so that it can be computed anew by other programs.
// Its values are hexadecimal, but for names of algorithms and places.
type Redo struct {
	Kind   string            `json:"kind"` // one of the Redo… constants
	Values map[string]string `json:"values"`
	Lacks  []string          `json:"lacks,omitempty"` // of those, what is secret and not told
}

// How a proof is computed anew.
const (
	RedoFinished12 = "finished-tls12"
	RedoFinished13 = "finished-tls13"
	RedoSignature  = "signature"
	RedoLinks      = "certificate-links"
	RedoBlock      = "rsa-block"
	RedoMaster     = "master-secret"
	RedoRecord12   = "record-tls12"
	RedoRecord13   = "record-tls13"
)
