// Package capture turns recorded bytes, keys and facts into the messages that they carry.
//
// It is pure: no goroutine, channel, socket or clock. A [Decoder] is fed one
// [Input] after another and returns the messages that each completed. Inputs
// come from a file (package capture/pcap), which is also where a running proxy
// writes them first: the live story and a later reading follow the same stream.
package capture

import (
	"net/netip"

	"explainer/capture/handshake"
	"explainer/capture/keys"
)

// A Side is one end of a connection: the one that opened it or the one that was called.
type Side uint8

const (
	Client Side = iota // sent the SYN
	Server
)

// Other returns the opposite side.
func (s Side) Other() Side { return s ^ 1 }

func (s Side) String() string {
	if s == Client {
		return "client"
	}
	return "server"
}

// A Leg says which of the proxy's two connections this is.
type Leg uint8

const (
	LegNone    Leg = iota // a capture made elsewhere: there is no proxy in the story
	LegBrowser            // between the client program and the proxy
	LegOrigin             // between the proxy and the origin server
)

func (l Leg) String() string {
	switch l {
	case LegBrowser:
		return "browser"
	case LegOrigin:
		return "origin"
	}
	return ""
}

// A Transport is what carries a connection.
type Transport uint8

const (
	TransportTCP  Transport = iota
	TransportQUIC           // QUIC packets in UDP (RFC 9000)
	TransportDTLS           // DTLS records in UDP (RFC 6347, RFC 9147)
)

func (t Transport) String() string { return [...]string{"TCP", "QUIC", "DTLS"}[t] }

// An Input is one thing that a [Decoder] is told: *Open, *Chunk, *Gap, *Late, *Close,
// *Datagram, *End, *keys.Secret or *Fact. The receiver must not keep the pointer
// or a Chunk's or Datagram's Data after Feed has returned.
type Input interface{}

// Open is the beginning of a connection.
type Open struct {
	Transport      Transport
	Conn           int   // number of the connection in its capture, from 1, in the order in which they began
	Leg            Leg   // which leg, in a recording of the proxy's own
	Time           int64 // nanoseconds since the Unix epoch, as all times here
	Packet         int   // number of the packet in its file, from 1, as Wireshark's frame.number
	Client, Server netip.AddrPort
	Continued      bool // it began in a part of the recording that is not read here
	SYN            bool // the capture shows the client's SYN and the server's SYN-ACK
	Asked          bool // it shows the client's SYN alone
	Answered       bool // it shows the server's SYN-ACK alone
	// Packets of the SYN, the SYN-ACK and the ACK that answers it; 0 where the capture has none.
	Handshake [3]int
	Starts    [2]uint32 // by side: the sequence number of its first byte, as its SYN says; 0 where the capture has none
	Begins    [2]Start  // by side: how it is known where its stream begins
}

// A Start is how it is known where one direction of a connection begins.
type Start uint8

const (
	StartUnknown  Start = iota // it is not: bytes can stand before the first that is here
	StartHello                 // it has the hello with which TLS begins
	StartAcked                 // the other side, with its first byte, acknowledged what stands before the first that is here
	StartSYN                   // its SYN says it, or the SYN-ACK that acknowledges that (RFC 9293 3.5)
	StartDatagram              // it has no stream that could begin earlier: UDP
)

// Chunk is bytes of one direction, in stream order.
type Chunk struct {
	Conn     int
	Side     Side // who sent them
	Time     int64
	Packet   int
	Data     []byte
	Sequence uint32 // the sequence number of its first byte (RFC 9293 3.4)
}

// Datagram is one UDP datagram of a connection of QUIC or DTLS.
type Datagram struct {
	Conn   int
	Side   Side // who sent it
	Time   int64
	Packet int
	Data   []byte
	Cut    int // bytes at its end that the capture does not hold
	// Path is the client's and the server's address where one of them is not that of Open any
	// more, as after a change of networks (RFC 9000 9).
	Path [2]netip.AddrPort
}

// End tells that no more of a connection will be fed although its end was not
// seen, as it never is over UDP.
type End struct {
	Conn int
	Time int64  // of its last packet
	Why  string // one of the End constants, or "" where the capture ends
}

// Why a connection is not followed to its end. The values stand in Ended.Why.
const (
	EndTooMany = "too-many" // of those that were open at once it had been silent for longest
	EndLeftOut = "left-out" // it ended in a part of the recording that is not read
	EndReused  = "reused"   // its addresses and ports are another connection's now
)

// Gap is bytes of one direction that were sent but are not in the capture.
type Gap struct {
	Conn   int
	Side   Side
	Time   int64
	Packet int   // the packet after the gap, 0 if it is not known
	Len    int64 // bytes
	Left   bool  // the recording has them or had them, but they are not read here: see FactLeftOut
	// Sequence is the sequence number of the first of them.
	Sequence uint32
}

// Moved tells that a connection of QUIC goes on between other addresses or ports.
type Moved struct{ Client, Server netip.AddrPort }

// Late is bytes of one direction that had been taken for missing, in a packet that came
// when what stands behind them had been read; or, if Other, a second copy of bytes that had
// been read, with other content; or, if Behind, the first that its side sent when the connection
// had ended, or this direction of it: of these and what follows them nothing is read.
type Late struct {
	Conn   int
	Side   Side
	Time   int64
	Packet int
	Len    int64 // bytes
	Other  bool
	Behind bool
}

// Close is the end of one direction (FIN), or of both (RST).
type Close struct {
	Conn   int
	Side   Side // who sent the FIN or the RST
	Time   int64
	Packet int
	Reset  bool
}

// Secret is one line of a key log (RFC 9850).
type Secret = keys.Secret

// A FactKind names what a [Fact] is about.
type FactKind string

// What no packet shows and only the proxy knows. The values stand in
// recordings and in JSON; they are permanent.
const (
	FactRecording      FactKind = "recording"       // the recording began: Detail = version of explainer; Host = "textbook" in textbook mode
	FactSession        FactKind = "session"         // Conn (browser leg) and Peer (origin leg) are one session; Host = host:port asked for
	FactPassThrough    FactKind = "pass-through"    // relayed without decrypting; Detail = the --passthrough pattern that asked for it; Outcome = observed where run --observe did, and the keys are those that the client logged
	FactOpaque         FactKind = "opaque"          // relayed without decrypting: Outcome = not-tls (what the client sent) | server-first (the client was silent, then the server spoke) | client-silent (neither had spoken, or in old recordings the client had not) | hello-dot | hello (a ClientHello that crypto/tls does not take; Detail)
	FactPlainHTTP      FactKind = "plain-http"      // Conn and Peer carry one plain HTTP request; Host = host:port
	FactDialFailed     FactKind = "dial-failed"     // no TCP connection to the origin: Host, Addr; Outcome = refused | timeout | unreachable | loop | canceled | near-name | other; Detail = the system's words
	FactLookupFailed   FactKind = "lookup-failed"   // the name could not be resolved: Host; Detail
	FactTLSFailed      FactKind = "tls-failed"      // the origin leg's handshake failed for another reason than its certificate: Conn, Peer; Outcome = refused (Detail = the alert) | old-version (Detail = it) | closed | not-tls | client-cert (it asked for one, and there was none) | judged (after its certificate was judged) | timeout | canceled | other; Detail
	FactReplayed       FactKind = "replayed"        // the origin had not taken the proxy's hello, and was sent the client's own on Peer: Conn, Host; Found = what it offers and the proxy cannot; Outcome = answered | refused | closed | not-tls | failed; Detail = what it chose, its alert, or the system's words; Addr = what the proxy cannot of what it chose; Done = tunnelled | page
	FactOriginVerified FactKind = "origin-verified" // Peer's certificate was checked by the proxy: Host = name checked; Addr = system | system+file | built-in (the only root of explainer.test); Outcome = ok | expired | not-yet-valid | wrong-host | untrusted-root | self-signed | own-ca | other; Detail; Found = all that is wrong with it; Missing = who vouches for the chain's last certificate, where that is nobody who is known here; Done = mirrored | blocked | not-asked (only its OCSP response is bad, and the client asked for none)
	FactWentOn         FactKind = "went-on"         // the client finished its handshake on Conn although it was shown a certificate as bad as that of Peer, so the proxy goes on with Peer; Host = name
	FactRoot           FactKind = "root"            // a root that the proxy's story is checked against: Addr = own-ca (the proxy's own) | built-in (of explainer.test) | file (of --origin-ca); Data = its DER
	FactName           FactKind = "name"            // SNI and CONNECT host differ: Host = SNI, or absent where the client sends none and so the proxy neither; Addr = CONNECT host
	FactLeaf           FactKind = "leaf"            // the proxy minted the browser leg's certificate: Host = names, comma separated; Data = SHA-256 of the leaf's DER; Detail = SHA-256 of the DER of the CA's that signed it, hex, if that was sent; Addr = why its key is not like the origin's: textbook | client (it can take none like it) | length (of RSA; longer ones than 4096 bits are not made, nor others between 2048, 3072 and 4096); Done = stapled where an OCSP response comes with it; Found = the faults of the origin's that it has; Outcome = self-signed | unknown-ca where the proxy's own CA did not sign it
	FactEM             FactKind = "em"              // textbook mode: Data = the padded block c^d mod n of step 5, as long as the modulus; Outcome = ok | bad-padding
	FactOwnAnswer      FactKind = "own-answer"      // the proxy itself answered on Conn; Outcome = error-page | set-up-page | not-a-proxy-request | built-in | last-stop (RFC 9110 7.6.2); Detail = why
	FactRefused        FactKind = "refused"         // the proxy stopped the browser's handshake; Outcome = textbook-no-rsa | textbook-no-http1 | old-version (nothing newer than TLS 1.1 offered) | unsupported (nothing that the proxy speaks; Found = what is offered instead); Detail = what the client lacks
	FactCase           FactKind = "case"            // the proxy itself is the server on Conn, and shows a case: Outcome = ID of the fault or control; Host = name or address that the certificate is about; Addr = the only TLS version offered ("TLS 1.2", "TLS 1.3"), or absent; Detail = the run that it belongs to
	FactRun            FactKind = "run"             // of check, about no connection: Detail = the run; Outcome = ID of the fault or control; Data = JSON, see docs/json.md
	FactClosed         FactKind = "closed"          // who ended Conn: Outcome = client | origin | proxy (of its own accord, as after a page of its own) | proxy-shutdown | timeout | error; Peer = the other leg, if any; Detail
)

// FactLeftOut stands in no recording: whoever reads one says so that some of it is
// left out from here on. Outcome = late (the live story could not keep up: Detail =
// how many bytes) | parts (files of the recording are not there, or damaged: Detail = their numbers).
const FactLeftOut FactKind = "left-out"

// A Fact is what no packet shows and only the proxy knows.
type Fact struct {
	Time    int64    `json:"t"` // nanoseconds since the Unix epoch
	Kind    FactKind `json:"kind"`
	Conn    int      `json:"conn,omitempty"` // connection number, as in Open; 0 if about none
	Peer    int      `json:"peer,omitempty"` // the other leg's connection number
	Host    string   `json:"host,omitempty"`
	Addr    string   `json:"addr,omitempty"`
	Outcome string   `json:"outcome,omitempty"`
	Detail  string   `json:"detail,omitempty"`
	Data    []byte   `json:"data,omitempty"`
	Found   []string `json:"found,omitempty"` // IDs of faults, as package verify names them, or other names, by kind
	Missing string   `json:"missing,omitempty"`
	Done    string   `json:"done,omitempty"`
}

// A Span is the half-open range [Start, End) of byte offsets in one side's TCP
// stream; over UDP, in the contents of its datagrams put one behind the other.
type Span struct{ Start, End int64 }

// A Message is one thing that was completed: a handshake message, another TLS
// record, a piece of HTTP, the beginning or end of a connection, or a fact.
//
// The spans of the messages of one side with Inner false tile that side's
// stream without gap or overlap. Messages with Inner true (HTTP inside TLS)
// lie over the records that carried them.
type Message struct {
	Conn  *Conn // nil of KeyLine, and of a Fact about no connection over TCP that is followed
	Side  Side
	Time  int64 // of the packet that completed it, or the first of several; 0 of Keyed and KeyLine, since lines of a key log have none
	Until int64 // of several sealed records or packets in a row, of the packet that completed the last; else 0
	Span  Span  // where it was read from; empty for Opened, Closed, Late, Keyed, KeyLine, InnerHello and Fact
	First int   // packet that carried its first byte, 0 if none; of Opened, the SYN's or the first there is
	Last  int   // packet that carried its last byte; of Opened, that of the handshake's last
	Inner bool
	// Opened tells that the bytes were encrypted on the wire and decrypted
	// (and their integrity verified) with a key; By is the label of the key log
	// line that opened them ("CLIENT_RANDOM", "SERVER_HANDSHAKE_TRAFFIC_SECRET", "RSA", ...),
	// or [OpenedByResumed] or [OpenedByPrivateKey].
	Opened bool
	By     string
	// Raw is the handshake message as it enters the transcript, 4-byte header
	// included; in DTLS the header has 12 bytes (RFC 6347 4.2.6). Of InnerHello it is
	// the inner one, nil if that is bad. It is nil for all other bodies. It stays valid.
	Raw []byte
	// Block is what a private key of [Decoder.PrivateKeys] makes of the encrypted
	// pre-master secret in a ClientKeyExchange: the padded block c^d mod n, as long
	// as the modulus. Its padding can be bad, if it is the key of the server's
	// certificate. It is nil where no key given is the one.
	Block []byte
	// Body is one of: *handshake.ClientHello and the other types of package
	// handshake; *ChangeCipherSpec, *Alert, *AppData, *Heartbeat, *Sealed,
	// *Malformed, *CutHello, *CutServerHello, *Missing, *Unplaced, *Moved, *Late, *Again, *StartTLS, *Opaque; *web.Head, *web.Body, *web.Frame,
	// *web.WebSocket, *web.Switched, *web.Unparsed; *QUICPacket, *DTLSRecord, *DTLSAck;
	// *Opened, *Closed, *Ended, *Keyed, *KeyLine, *InnerHello, *Fact.
	Body any
}

// A Conn is a connection as it began: what its Open said of it. It does not
// change. What becomes known later comes in messages, each where it belongs in
// their order: what was negotiated in the Hellos and what follows them, the target
// of a tunnel in web.Switched, a version of QUIC in QUICPacket, keys in Keyed.
type Conn struct {
	Number         int
	Transport      Transport
	Leg            Leg
	Client, Server netip.AddrPort
	SYN, Asked     bool // as in Open
	Answered       bool // the same
	Continued      bool // the same
	Starts         [2]uint32
	Begins         [2]Start
	PrivateKeys    int // how many private keys the reader was given
	// Sequences are which bytes were read so far, by side, gaps included.
	Sequences [2]Sequence
}

// A Sequence is a range of sequence numbers of TCP: of the first byte, and of that behind the
// last (RFC 9293 3.4). They begin again behind 1<<32-1.
type Sequence struct {
	First, Next uint32
	Known       bool // false where none were read and no SYN says where they begin, and over UDP
}

// sequence takes in that bytes from a sequence number on were read.
func (c *Conn) sequence(side Side, from uint32, n int64) {
	s := &c.Sequences[side&1]
	if !s.Known {
		s.First, s.Known = from, true
	}
	s.Next = from + uint32(n)
}

// Keyed tells a key log line for a handshake of the connection: right behind its
// first ClientHello, one for the encrypted pre-master secret before the
// ClientKeyExchange, or as soon as it comes. Where there are several with one
// label, the one that turns out to open the records is told again.
type Keyed struct {
	ClientRandom [32]byte // that of the handshake's first ClientHello, also with a Label of another key
	Label        string
	Secret       []byte
}

// InnerHello tells the ClientHello that another one carries encrypted (RFC 9849): right behind
// that one, or as soon as the key log lines come that open it. Time and packets are the outer
// one's. It tells nothing of whether the server took it.
type InnerHello struct {
	Hello  *handshake.ClientHello // nil if it is bad
	Bad    handshake.BadInner
	Second bool // it was in the ClientHello behind a HelloRetryRequest
	Config handshake.ECHConfig
}

// KeyLine tells that a key log line was fed, for whatever connection.
type KeyLine struct{}

// OpenedByPrivateKey is the Message.By of a connection that a private key given
// opened: it decrypts the pre-master secret from which the keys are made.
const OpenedByPrivateKey = "private key"

// Opened is the beginning of a connection.
type Opened struct {
	QUICVersion uint32 // that its first datagram tells, 0 if it tells none; RFC 9000 15
}

// Closed is a FIN or an RST; Message.Side sent it.
type Closed struct{ Reset bool }

// Ended tells that a connection is not followed any further: why is one of the
// End constants, or "" where the capture ends. Its time is that of the connection's last packet.
type Ended struct{ Why string }

// ChangeCipherSpec is record type 20 (RFC 5246 7.1; in TLS 1.3 a dummy, RFC 8446 D.4).
type ChangeCipherSpec struct {
	Dummy  bool
	Number uint64 // DTLS: sequence number of its record
}

// Alert is record type 21 (RFC 5246 7.2, RFC 8446 6).
type Alert struct{ Level, Description uint8 }

// AppData is one application_data record (type 23) that was opened, or that was never encrypted.
type AppData struct {
	Len   int  // bytes of plaintext, padding excluded
	Wire  int  // bytes of the record, header included
	Early bool // 0-RTT data
	// Head is the record's header as it stood on the wire: its type, a version, and the
	// length of what follows, big-endian (RFC 8446 5.1). Sealed is how what is encrypted
	// begins, behind a nonce or IV that stands in clear; nothing where it never was.
	Head   [5]byte
	Sealed [8]byte
	Begins int // how many bytes of Sealed are
	Nonce  int // bytes in clear between the two
	// Record is the whole record as it stood on the wire, if it is the first with data of its
	// direction that was opened and has at most [MaxRecord] bytes; Number is its sequence
	// number, from 0.
	Record []byte
	Number uint64
}

// MaxRecord bounds the records that are handed over whole, in bytes.
const MaxRecord = 4 << 10

// Heartbeat is record type 24 (RFC 6520).
type Heartbeat struct {
	Kind   uint8
	Length int // payload_length as claimed
	Have   int // bytes of payload and padding that are really there
}

// Sealed is one or more encrypted records in a row that could not be opened.
type Sealed struct {
	Type    uint8 // record type as seen on the wire
	Records int
	Wire    int64  // bytes, headers included
	Reason  string // one of the Sealed… constants
	Epoch   uint16 // DTLS 1.3: the two lowest bits of it, all that its header shows (RFC 9147 4): of the first epochs 1 is early data, 2 the handshake, 3 application data
}

// Why records stayed sealed. The values stand in JSON; they are permanent.
const (
	SealedNoKey    = "no-key"              // no secret for this client random and this direction was known in time
	SealedNoSuite  = "no-suite"            // the version or cipher suite is none that can be opened here
	SealedBadTag   = "bad-tag"             // a secret was known, and the integrity check failed with it
	SealedPhase    = "key-unknown-phase"   // the capture began after the keys had changed, or shows one side only
	SealedEarly    = "early-data-rejected" // 0-RTT data that the server rejected, and whose secret is not known (RFC 8446 4.2.10)
	SealedGap      = "gap"                 // bytes before them are missing, so their place in the sequence is not known
	SealedTooMany  = "too-many-waiting"    // more bytes waited for a secret than are kept
	SealedCut      = "cut"                 // the connection or the capture ends inside this record
	SealedInitial  = "no-first-initial"    // an Initial packet whose keys come from a packet that is not in the capture
	SealedDTLS     = "dtls"                // a record of a version of DTLS that is not opened here
	SealedDeflated = "compressed"          // opened, but the content is compressed and could not be inflated (RFC 3749)
)

// Malformed is bytes that break the protocol; the direction is not read further.
type Malformed struct {
	Where string // "record", "ClientHello", ...
	Err   string
}

// CutHello is the beginning of a connection's ClientHello, whose last bytes the capture
// does not hold. Hello has what stands whole in front of them, and nothing else of it is known.
type CutHello struct {
	Hello   *handshake.ClientHello
	Missing int // bytes
}

// CutServerHello is the beginning of a ServerHello or HelloRetryRequest, whose last bytes the
// capture does not hold. Hello has what stands whole in front of them, the suite at least. The
// extensions that are not there may have chosen anything, so nothing that follows is read by it.
type CutServerHello struct {
	Hello   *handshake.ServerHello
	Missing int // bytes
}

// Missing is bytes that the capture does not hold, or, if Left, that the recording
// has or had and that are not read here.
type Missing struct {
	Len  int64
	Left bool
}

// Opaque is bytes that are not read: no TLS and no HTTP, or what follows Malformed or Missing.
type Opaque struct {
	Len     int64
	Preview []byte // at most 64 bytes
	Why     string // one of the Opaque… constants
}

// Why bytes were not read. The values stand in JSON; they are permanent.
const (
	OpaqueUnknown   = "unknown-protocol" // neither TLS nor HTTP
	OpaqueDialogue  = "before-tls"       // of a protocol that came to TLS, which StartTLS tells
	OpaqueForeign   = "not-tls"          // no TLS, where the client had begun it
	OpaqueTDS       = "tds"              // TLS in the packets of TDS, SQL Server's protocol, whose beginning is not known
	OpaqueTDSClear  = "tds-clear"        // packets of TDS in clear, behind a login that was encrypted
	OpaqueMalformed = "after-malformed"
	OpaqueAfterTLS  = "after-tls" // no record of TLS, behind an alert that ended it (RFC 8446 6): FTP goes on in clear so (RFC 4217 6)
	OpaqueGap       = "after-gap" // bytes before them are missing, and nothing behind those can be read
	OpaqueSkipped   = "skipped"   // they stand between missing bytes and the next record that was found
	OpaqueFragment  = "fragment"  // they are the rest of a handshake message whose beginning is missing
	OpaqueCut       = "cut"       // the connection or the capture ends inside this record or message
)
