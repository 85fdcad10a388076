// Package event is the story's vocabulary: what is told of a message, a
// connection and a capture, and its JSON form (docs/json.md).
//
// Whoever shows a story needs this package alone: the same events render to the
// same text whether they come from a running proxy, from a file, or from JSON
// read back.
package event

import "maps"

// SchemaVersion is the version of the JSON form of [Event], described in docs/json.md.
const SchemaVersion = 1

// A Step is one of the textbook's steps or half-steps.
type Step string

// The steps in the textbook's order.
const (
	Step1  Step = "1"  // the client connects to the server's port 443
	Step2  Step = "2"  // the server has a key pair; the private key never leaves it
	Step3  Step = "3"  // the server sends its public key
	Step4a Step = "4a" // the client checks it
	Step4b Step = "4b" // the client makes a random client key
	Step4c Step = "4c" // the client encrypts it with the server's public key
	Step5  Step = "5"  // the client sends the encrypted client key
	Step6a Step = "6a" // the server decrypts it with its private key
	Step6b Step = "6b" // the server encrypts the data with the client key
	Step7  Step = "7"  // the server sends the ciphertext
	Step8  Step = "8"  // the client decrypts it
)

// Steps lists them all, in order.
var Steps = []Step{Step1, Step2, Step3, Step4a, Step4b, Step4c, Step5, Step6a, Step6b, Step7, Step8}

// A Verdict says how a step happened in a connection.
type Verdict string

const (
	AsTold      Verdict = "as-told"     // it happened as the textbook says
	Differently Verdict = "differently" // a counterpart does the job another way, or at another place in the order
	Unseen      Verdict = "unseen"      // inside an endpoint, no message; told from its evidence
	Inherited   Verdict = "inherited"   // taken over from an earlier connection
	Absent      Verdict = "absent"      // does not happen
	Failed      Verdict = "failed"      // the connection stopped here
	NotReached  Verdict = "not-reached" // the connection stopped before
	Unknown     Verdict = "unknown"     // this capture cannot show it
)

// Evidence says how a sentence is known.
type Evidence string

const (
	Clear      Evidence = "clear"      // seen in clear
	Decrypted  Evidence = "decrypted"  // seen after decryption
	Recomputed Evidence = "recomputed" // computed again from the recorded bytes
	Inferred   Evidence = "inferred"   // from what followed
	None       Evidence = "none"       // cannot be observed
)

// A ProofState is the outcome of a check by mathematics.
type ProofState string

const (
	Proven       ProofState = "proven"
	Refuted      ProofState = "refuted"
	NotCheckable ProofState = "not-checkable"
)

// A Kind is what an event is about.
type Kind string

const (
	KindFile       Kind = "file"       // the capture itself: what it is, where it was cut
	KindConnection Kind = "connection" // a connection began
	KindMessage    Kind = "message"    // a real message
	KindStep       Kind = "step"       // a step without a message of its own
	KindFact       Kind = "fact"       // something that only the proxy knows
	KindClosed     Kind = "closed"     // one direction, or both, ended
	KindSummary    Kind = "summary"    // the eight steps of a session, both legs
	KindEnd        Kind = "end"        // a connection is over, or the capture ends first: what it came to
	KindGenealogy  Kind = "genealogy"  // which connections take up which, at the end
	KindComparison Kind = "comparison" // a changed copy beside the connection as it was recorded
)

// An Event is one entry of the story. Its JSON form is one line, which is flat: so it has
// a field for all that some kind of event can carry.
type Event struct {
	Schema  int    `json:"v"` // SchemaVersion
	N       int    `json:"n"` // number in the story, from 1
	Kind    Kind   `json:"kind"`
	Time    string `json:"time,omitempty"`    // RFC 3339, UTC, nanoseconds
	Until   string `json:"until,omitempty"`   // the same, of the last, where Time is of the first of several
	Session int    `json:"session,omitempty"` // the browser leg's connection number, for both legs of a session; else the connection's own
	Conn    int    `json:"conn,omitempty"`    // connection number in the capture
	Leg     string `json:"leg,omitempty"`     // "browser", "origin", or absent
	From    string `json:"from,omitempty"`    // who sent it: "client" or "server"
	Host    string `json:"host,omitempty"`    // the name this session is about, as far as known
	Noise   bool   `json:"noise,omitempty"`   // a browser's own chatter, not its user's traffic
	Repeats int    `json:"repeats,omitempty"` // of TLS in a tunnel that the proxy passed on: the connection that has the same bytes between client and proxy

	Topic    Topic      `json:"topic"`              // what it is about: code asks this
	Name     string     `json:"name"`               // the same for people: "ClientHello", "HTTP request", "step 4a", ...
	Brief    Text       `json:"brief,omitzero"`     // the one-line detail beside the name
	BriefID  string     `json:"brief_id,omitempty"` // where Brief is a sentence of the catalogue: its ID
	Evidence Evidence   `json:"evidence,omitempty"` // how the message itself was seen
	Early    bool       `json:"early,omitempty"`    // sealed with the keys of early data, which come from an earlier secret alone (RFC 8446 7.1)
	Bytes    *Span      `json:"bytes,omitempty"`    // where in this side's stream
	Packets  *Packets   `json:"packets,omitempty"`
	Steps    []StepMark `json:"steps,omitempty"`
	Fields   []Field    `json:"fields,omitempty"`
	Says     []Sentence `json:"says,omitempty"`
	Proofs   []Proof    `json:"proofs,omitempty"`
	Checks   []Check    `json:"checks,omitempty"` // of a Certificate message: the chain, check by check
	Summary  *Summary   `json:"summary,omitempty"`
	Raw      string     `json:"raw,omitempty"`    // the bytes of a handshake message in hex, its header first, where the teller was asked for them
	Layout   []Part     `json:"layout,omitempty"` // which bytes of Raw are which field
	// Genealogy lists the connections that take up others, each below the one that
	// it takes up.
	Genealogy []Kin   `json:"genealogy,omitempty"`
	HTTP      *HTTP   `json:"http,omitempty"` // of a head or body of HTTP
	Ends      *Ends   `json:"ends,omitempty"` // of a connection
	TLS       *TLS    `json:"tls,omitempty"`  // of a message of the handshake
	Alert     *Alert  `json:"alert,omitempty"`
	Ticket    *Ticket `json:"ticket,omitempty"`
	QUIC      *QUIC   `json:"quic,omitempty"` // of a packet of QUIC
	Size      *Size   `json:"size,omitempty"` // of data, of what stayed sealed, was not read or is missing
	Fact      *Fact   `json:"fact,omitempty"` // of a fact
	// Certificates are the chain of a Certificate message, the leaf first.
	Certificates []Certificate `json:"certificates,omitempty"`
	Tally        *Tally        `json:"tally,omitempty"`    // of an end
	Overview     *Overview     `json:"overview,omitempty"` // of the file "overview", which is the last event
	Comparison   *Comparison   `json:"comparison,omitempty"`
}

// Span is a half-open range of byte offsets in one side's TCP stream.
type Span struct {
	Start int64 `json:"start"`
	End   int64 `json:"end"`
}

// Packets are the first and last packet that carried the bytes, numbered as Wireshark's frame.number.
type Packets struct {
	First int `json:"first"`
	Last  int `json:"last"`
}

// StepMark ties an event to a step.
type StepMark struct {
	Step    Step    `json:"step"`
	Verdict Verdict `json:"verdict"`
}

// Field is a decoded field of a message.
type Field struct {
	ID    string `json:"id,omitempty"` // permanent; of a fact of a Leg
	Name  Text   `json:"name"`
	Value Text   `json:"value"`
	Note  Text   `json:"note,omitzero"` // what it means, if its name does not say
}

// HTTP says what a head or body belongs to, so that the two halves of an exchange
// can be found, and which of the event's fields stood on the wire as header fields.
type HTTP struct {
	Exchange uint64 `json:"exchange"`           // number of the exchange on its connection, from 1; of HTTP/2 and HTTP/3 the stream
	Scheme   string `json:"scheme,omitempty"`   // "https" or "http"
	Headers  int    `json:"headers,omitempty"`  // of a head: how many of the last fields are header fields
	Cut      int    `json:"cut,omitempty"`      // header fields that are not told
	Bodiless bool   `json:"bodiless,omitempty"` // of a head: no body follows
	Length   int64  `json:"length,omitempty"`   // of a body: bytes as transferred
	Coding   string `json:"coding,omitempty"`   // its content coding
	Type     string `json:"type,omitempty"`     // its media type
	Text     bool   `json:"text,omitempty"`     // Begins is text, and not hexadecimal
	Whole    bool   `json:"whole,omitempty"`    // it came to its end

	Protocol  string `json:"protocol,omitempty"`  // "HTTP/1.1", "HTTP/2", ...
	Method    string `json:"method,omitempty"`    // of a request
	Target    string `json:"target,omitempty"`    // as it stands on the wire, masked
	Authority string `json:"authority,omitempty"` // the host that is meant: Host or :authority
	Connect   string `json:"connect,omitempty"`   // :protocol, what the stream is to carry (RFC 8441 4)
	Status    int    `json:"status,omitempty"`    // of a response
	GRPC      string `json:"grpc,omitempty"`      // of the end of a call of gRPC: the number of its status, and its name
	Reason    string `json:"reason,omitempty"`    // the words beside it, as sent; else those of RFC 9110
	Begins    string `json:"begins,omitempty"`    // of a body: what may be shown of its beginning; where Text is false, in hexadecimal or masked
}

// Sentence is one sentence of the story.
type Sentence struct {
	ID       string            `json:"id"`               // permanent kebab-case name in the catalogue
	Args     map[string]string `json:"args,omitempty"`   // in English
	Values   map[string]Value  `json:"values,omitempty"` // those of Args that are words of ours
	Text     string            `json:"text"`             // in English
	Evidence Evidence          `json:"evidence,omitempty"`
	Refs     []string          `json:"refs,omitempty"` // "RFC 5246 7.4.7.1", ...
}

// Same tells whether two sentences say the same.
func (s Sentence) Same(other Sentence) bool {
	return s.ID == other.ID && maps.Equal(s.Args, other.Args)
}

// BriefSays tells whether the event's line in brief is its first sentence.
func (e *Event) BriefSays() bool {
	return e.BriefID != "" && len(e.Says) > 0 && e.BriefID == e.Says[0].ID
}

// Proof is one claim checked by mathematics.
type Proof struct {
	ID     string     `json:"id"` // permanent kebab-case name in the catalogue
	Claim  Text       `json:"claim"`
	State  ProofState `json:"state"`
	How    string     `json:"how,omitempty"`    // the formula, in words
	Inputs []Field    `json:"inputs,omitempty"` // what went in and what came out; secrets masked
	Reason Text       `json:"reason,omitzero"`  // why refuted or not checkable
	Refs   []string   `json:"refs,omitempty"`
	Redo   *Redo      `json:"redo,omitempty"` // where the teller was asked for bytes
}

// Check is one check of a certificate chain, made here; see docs/checks.md.
type Check struct {
	ID      string   `json:"id"`               // permanent: "dates", "name", ...
	Outcome string   `json:"outcome"`          // "ok", "failed", "warned", "not-checked" or "not-reached"
	Reason  string   `json:"reason,omitempty"` // permanent: "expired", ...
	Certs   []int    `json:"certs,omitempty"`  // places in the path from the leaf, 1, up
	Says    Sentence `json:"says"`
	Details []Field  `json:"details,omitempty"`
}

// Summary is the eight steps of a session.
type Summary struct {
	Flow   Text   `json:"flow"`              // one line: what kind of session this was
	FlowID string `json:"flow_id,omitempty"` // how that names the kinds of its legs, one of the Flow… constants; absent where it does not
	Legs   []Leg  `json:"legs"`              // browser leg first
	Tunnel bool   `json:"tunnel,omitempty"`  // both legs carry one TLS connection, which the proxy passed on
}

// How the line about a session names what kinds its legs are.
const (
	FlowAlone  = "alone"  // there is but one
	FlowAlike  = "alike"  // both are of one kind
	FlowLegs   = "legs"   // leg by leg
	FlowTunnel = "tunnel" // both carry the same
)

// Leg is one connection's part of a Summary.
type Leg struct {
	Conn  int     `json:"conn"`
	Leg   string  `json:"leg,omitempty"`
	From  string  `json:"client"` // address and port
	To    string  `json:"server"`
	Flow  string  `json:"flow"`            // permanent ID of the row of the truth table: "tls12-rsa", "tls13-full", ...
	Title Text    `json:"title"`           // the row in words
	Facts []Field `json:"facts,omitempty"` // version, suite, group, ALPN, certificate in a line
	Rows  []Row   `json:"rows"`
	// Unopened says why records stayed sealed.
	Unopened []Unopened `json:"unopened,omitempty"`
	Agent    string     `json:"agent,omitempty"` // what the client calls itself: "curl 7.88.1"
	Aims     []Aim      `json:"aims,omitempty"`
	Frame    *Frame     `json:"frame,omitempty"`
	Trouble  *Trouble   `json:"trouble,omitempty"`
	Eyes     []Eye      `json:"eyes,omitempty"` // of who has the packets, and later more

	Secrets  *Secrets `json:"secrets,omitempty"`  // where the teller was asked for them
	Parent   *Parent  `json:"parent,omitempty"`   // whose secret it takes up
	Children []int    `json:"children,omitempty"` // connections that have taken it up by the time that this is told
}

// Row is one step of one connection.
type Row struct {
	Step    Step       `json:"step"`
	Verdict Verdict    `json:"verdict"`
	Says    Sentence   `json:"says"`
	Proofs  []RowProof `json:"proofs,omitempty"`
	Packets *Packets   `json:"packets,omitempty"`
	Hidden  *Sentence  `json:"hidden,omitempty"` // to an eavesdropper: what of this step stays hidden, and why
	Acts    []Act      `json:"acts,omitempty"`   // the short story: what passed or happened
	Why     Text       `json:"why,omitzero"`     // and why its verdict is this, in few words
}

// RowProof points at a Proof told with a message of this connection.
type RowProof struct {
	ID    string     `json:"id"`
	State ProofState `json:"state"`
}

// Clip bounds a text from the wire, as a field, a sentence or a report holds it.
func Clip(s string) string {
	const n = 200 // bytes
	if len(s) > n {
		return s[:n] + "..."
	}
	return s
}
