package event

// A Topic is the permanent name of what an event is about: "client-hello",
// "http-request", ... Messages of TLS have the RFCs' names for them, in this form.
type Topic string

// The topics that whoever reads events may have to know; package words names them all.
const (
	TopicFile              Topic = "file"
	TopicOverview          Topic = "overview"
	TopicTCPConnection     Topic = "tcp-connection"
	TopicStep              Topic = "step"
	TopicSealed            Topic = "sealed-records"
	TopicClientHello       Topic = "client-hello"
	TopicInnerHello        Topic = "inner-hello"
	TopicServerHello       Topic = "server-hello"
	TopicCertificate       Topic = "certificate"
	TopicCertificateStatus Topic = "certificate-status"
	TopicFinished          Topic = "finished"
	TopicAlert             Topic = "alert"
	TopicFIN               Topic = "fin"
	TopicRST               Topic = "rst"
	TopicRequest           Topic = "http-request"
	TopicRequestBody       Topic = "request-body"
	TopicResponse          Topic = "http-response"
	TopicResponseBody      Topic = "response-body"
	TopicWindowUpdate      Topic = "http2-window-update"
	TopicPing              Topic = "http2-ping"
	TopicLeftOut           Topic = "left-out"
	TopicComparison        Topic = "comparison"
	TopicCase              Topic = "case"
	TopicNotReached        Topic = "origin-not-reached"
	TopicNotFound          Topic = "name-not-found"
	TopicOriginFailed      Topic = "origin-handshake-failed"
	TopicNotVerified       Topic = "origin-not-verified"
)

// Trouble tells whether a fact is about an origin that the proxy did not reach, or whose
// certificate it did not find good.
func (t Topic) Trouble() bool {
	return t == TopicNotReached || t == TopicNotFound || t == TopicOriginFailed || t == TopicNotVerified
}

// Ends are the two ends of a connection, and how it comes into the capture.
type Ends struct {
	Client    string `json:"client"` // address and port, as in "[2001:db8::1]:443"
	Server    string `json:"server"`
	Transport string `json:"transport"` // "tcp", "quic" or "dtls"
	Begins    string `json:"begins"`    // one of the Begins… constants
}

// How a connection comes into a capture.
const (
	BeginsOpened    = "opened"    // with its whole beginning; over UDP, always
	BeginsAsked     = "asked"     // with the client's SYN, which nobody is seen to answer
	BeginsContinued = "continued" // it began in what is not read here of the recording
	BeginsMidstream = "midstream" // the capture does not hold its beginning
)

// TLS is what a handshake message offers or agrees on; of each what the message itself says.
type TLS struct {
	Version string   `json:"version,omitempty"` // of a ClientHello the highest offered
	Suite   string   `json:"suite,omitempty"`
	Group   string   `json:"group,omitempty"` // of the key exchange
	Bits    int      `json:"bits,omitempty"`  // of the modulus, where the server made up the group
	SNI     string   `json:"sni,omitempty"`
	ALPN    []string `json:"alpn,omitempty"`   // offered, or the one that is chosen
	Scheme  string   `json:"scheme,omitempty"` // of the signature in this message
}

// An Alert is TLS's word that something is over or wrong (RFC 8446 6).
type Alert struct {
	Level  string `json:"level"`  // "warning" or "fatal"
	Number uint8  `json:"number"` // the description
	Name   string `json:"name"`   // as the RFCs name it
}

// A Certificate is one of a chain that was sent, as far as it could be read.
type Certificate struct {
	Subject   string   `json:"subject"`
	Issuer    string   `json:"issuer,omitempty"`
	Serial    string   `json:"serial,omitempty"` // hexadecimal
	Names     []string `json:"names,omitempty"`  // DNS names and addresses, the first 100
	NotBefore string   `json:"not_before,omitempty"`
	NotAfter  string   `json:"not_after,omitempty"` // RFC 3339, UTC
	Key       string   `json:"key,omitempty"`       // "rsa", "ecdsa", "ed25519" or "dsa"
	Bits      int      `json:"bits,omitempty"`      // of the key
	SHA256    string   `json:"sha256"`              // of its DER
}

// A Ticket is what a client may come back with (RFC 8446 4.6.1, RFC 5077).
type Ticket struct {
	Length   int    `json:"length"`   // bytes
	Lifetime uint32 `json:"lifetime"` // seconds; 0 is not said
}

// A Size is how much of something an event stands for.
type Size struct {
	Bytes   int64  `json:"bytes"`             // of what is inside, or where that is not known, on the wire
	Wire    int64  `json:"wire,omitempty"`    // bytes of what carried it
	Records int    `json:"records,omitempty"` // records, or packets of QUIC
	Reason  string `json:"reason,omitempty"`  // why they stayed sealed or were not read; a constant of package capture
}

// A Fact is what only the proxy knows, as it stands in the recording (docs/recording.md).
type Fact struct {
	Kind    string   `json:"kind"`
	Peer    int      `json:"peer,omitempty"` // the other leg's connection
	Host    string   `json:"host,omitempty"`
	Addr    string   `json:"addr,omitempty"`
	Outcome string   `json:"outcome,omitempty"`
	Found   []string `json:"found,omitempty"`
	Done    string   `json:"done,omitempty"`
}

// The IDs of facts of a Leg that whoever shows them treats in their own way.
const (
	FactCertificate    = "certificate"
	FactCheckedByProxy = "checked-by-proxy"
	FactJA3            = "ja3"
	FactJA3S           = "ja3s"
	FactJA4            = "ja4"
)
