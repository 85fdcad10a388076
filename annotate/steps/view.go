package steps

import (
	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/quic"
)

// A Whole is what holds for all connections of a capture.
type Whole struct {
	Eavesdropper bool                // what somebody on the path without any key sees is told
	Textbook     bool                // the recording says that the proxy ran in textbook mode
	Redo         proof.Redoing       // whether what proofs are computed from is told
	Lines        int                 // key log lines that are known, for any connection
	Text         func(string) string // hides what is secret in what was said to people
}

// A View is what is known of one connection, for the steps to be told from. Whoever
// reads its messages fills it in.
type View struct {
	*Whole
	Conn   *capture.Conn
	Leg    capture.Leg
	About  string           // the host that its session is about
	Main   *proof.Handshake // the one whose steps are told: the first
	Latest *proof.Handshake // the latest

	Handshakes  int // that were begun, but for hellos out of place
	TLS         bool
	CutHello    *handshake.ClientHello // what stands of a first hello whose last bytes are missing
	CutAnswer   bool                   // the end of a ServerHello is missing, or of a HelloRetryRequest
	NoTLS       string                 // why there is no TLS: "plain", "opaque"
	ConnectHost string                 // "host:port" of the CONNECT request that stands before TLS, if any
	NoTunnel    bool                   // the last CONNECT was answered, and not with a tunnel
	StartTLS    *capture.StartTLS      // what stood before TLS
	Opening     proof.Place            // the first packets
	Sides       [2]side                // client, server
	Early       bool                   // 0-RTT data was sent
	EarlyOpened bool
	Responded   bool // a response's head was told
	Answered    bool // a response was told to its end, or what stands for one
	Page        *Page
	Agent       string // what the client calls itself, "" if it has not
	Spoke       int    // 1 + side of the first application data
	UDP         *UDPState
	QUICVersion uint32 // that was told last
	noted
	ending
}

// A side is what one side of a connection sent.
type side struct {
	proof.Stream
	DataAt    proof.Place // the first application data
	DataTime  int64       // of that, as a Message has it
	First     bool        // nothing of this side is missing before that
	Data      int64       // records of it that were opened
	Bytes     int64       // in them
	Wire      int64       // bytes of records that look like application data and stayed sealed
	Wired     int64       // the number of these records
	Sealed    int64       // records that stayed sealed
	Dark      int64       // of these, those that are not early data
	DarkAt    proof.Place
	DarkAlert bool  // TLS 1.2 and older: one of them is an alert
	DarkAgain bool  // TLS 1.2 and older: some are of another handshake, or ask for one
	Ahead     Keyed // DTLS 1.3: of these, those under the keys for application data, which their headers show
	Why       event.Text
	WhyCode   string // one of capture's Sealed constants
	Heartbeat bool
	Opened    bool // something encrypted was opened
	FirstData bool // told
	BadTag    bool
	Updates   int // KeyUpdate messages
	Repeats   int // DTLS: records with handshake messages that had all come before
	Doubled   int // DTLS: records that were opened, of which the same, by its number, had come before
	Unsealed  int // DTLS: those that were opened otherwise
}

// Keyed are sealed records of which the key is known by name.
type Keyed struct {
	Records, Bytes int64
	At             proof.Place
}

// noted is what the proxy noted of a connection.
type noted struct {
	Verified  *capture.Fact
	Minted    *capture.Fact
	Shown     *Shown        // the case that the proxy itself shows here
	WentOnTo  *capture.Fact // the proxy's client went on with a certificate as bad as this origin's
	Pass      *capture.Fact
	Refused   *capture.Fact
	TLSFailed *capture.Fact // of an origin's leg, if the proxy itself ended its handshake
	Asked     string        // host:port that the session is about
}

// ending is how a connection ended.
type ending struct {
	Last    proof.Place // what closed it
	Reset   bool
	Closer  int // 1 + side that closed first
	Alerts  []Alert
	Over    bool
	Failure *Failure
	GivenUp bool   // its client ended it before the server had answered
	Echoed  bool   // the server sent the client's hello back
	Foreign bool   // the server answered the client's hello with something that is no TLS
	Clear   string // what that is, if it is text
	Greeted string // what the server had begun with before the client's hello, where nothing asked for TLS
	Cut     int64  // bytes of a first message of the client's that never became whole
}

// A Page is the first response that was told to its end, and what carried it.
type Page struct {
	Request  string // its method and target
	AskedAt  proof.Place
	Status   int
	Body     bool // there is one
	Length   int64
	Type     string           // its media type
	Begins   string           // what may be shown of its beginning; "" if nothing may
	Record   *capture.AppData // the first with bytes of the body, or of the head where there is none; nil if it is not known
	RecordAt proof.Place
}

// An Alert that was seen.
type Alert struct {
	Side        int
	Level, Desc uint8
	Protected   bool
	After       string // the last handshake message before it, of the other side
	At          proof.Place
}

// A Failure is why a connection did not get through its handshake.
type Failure struct {
	Step  event.Step
	id    string // sentence
	Cause event.Text
	at    proof.Place

	Protected bool // by an alert that was opened
}

// udpState is what is kept of a connection over UDP.
type UDPState struct {
	FirstOpened [2]bool                // the first Initial that was opened
	Packets     [2]map[quic.Type]int64 // that stayed sealed
	Bytes       [2]map[quic.Type]int64 // of these
	Unsealed    [2]map[quic.Type]int64 // packets that were opened with secrets of TLS
	Joined      [2]int64               // datagrams that were captured as one with the one before
	JoinedIn    [2]int64               // packets of the capture that hold these
	Done        bool                   // the server has confirmed the handshake
	Closing     [2]bool
	At          [2]proof.Place // of packets with a short header
	Retry       bool
	Token       bool // the client handed one in, and no Retry that gave it is in the capture
	Negotiated  bool // the server named the versions that it speaks
}
