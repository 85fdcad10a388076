package annotate

import (
	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/capture"
)

// A Whole is what holds for all connections of a capture.
type Whole struct {
	Eavesdropper bool                // what somebody on the path without any key sees is told
	Textbook     bool                // the recording says that the proxy ran in textbook mode
	Lines        int                 // key log lines that are known, for any connection
	Text         func(string) string // hides what is secret in what was said to people
}

// A View is what is known of one connection, for the steps to be told from. Whoever
// reads its messages fills it in.
type View struct {
	*Whole
	conn  *capture.Conn
	leg   capture.Leg
	about string           // the host that its session is about
	main  *proof.Handshake // the one whose steps are told: the first
	h     *proof.Handshake // the latest

	handshakes  int // that were begun, but for hellos out of place
	tls         bool
	noTLS       string            // why there is no TLS: "plain", "opaque"
	connectHost string            // "host:port" of the CONNECT request that stands before TLS, if any
	noTunnel    bool              // the last CONNECT was answered, and not with a tunnel
	startTLS    *capture.StartTLS // what stood before TLS
	opening     proof.Place       // the first packets
	sides       [2]side           // client, server
	early       bool              // 0-RTT data was sent
	earlyOpened bool
	responded   bool // a response's head was told
	spoke       int  // 1 + side of the first application data
	missing     bool // bytes
	udp         *udpState
	quicVersion uint32 // that was told last
	noted
	ending
}

// A side is what one side of a connection sent.
type side struct {
	dataAt    proof.Place // the first application data
	data      int64       // records of it that were opened
	bytes     int64       // in them
	wire      int64       // bytes of records that look like application data and stayed sealed
	wired     int64       // the number of these records
	sealed    int64       // records that stayed sealed
	dark      int64       // of these, those that are not early data
	darkAt    proof.Place
	darkAlert bool // TLS 1.2 and older: one of them is an alert
	why       string
	whyCode   string // one of capture's Sealed constants
	heard     bool   // something that this side sent is in the capture
	unread    bool   // not all of it could be read
	heartbeat bool
	opened    bool // something encrypted was opened
	firstData bool // told
	badTag    bool
	closed    bool
	closedAt  proof.Place
	gapAt     int64 // where its first missing bytes were, and how many there are in all
	gapLen    int64
	updates   int // KeyUpdate messages
}

// noted is what the proxy noted of a connection.
type noted struct {
	verified  *capture.Fact
	minted    *capture.Fact
	shown     *Shown        // the case that the proxy itself shows here
	wentOnTo  *capture.Fact // the proxy's client went on with a certificate as bad as this origin's
	pass      *capture.Fact
	refused   *capture.Fact
	tlsFailed *capture.Fact // of an origin's leg, if the proxy itself ended its handshake
	asked     string        // host:port that the session is about
}

// ending is how a connection ended.
type ending struct {
	last    proof.Place // what closed it
	reset   bool
	closer  int // 1 + side that closed first
	alerts  []Alert
	over    bool
	failure *Failure
	givenUp bool   // its client ended it before the server had answered
	cut     int64  // bytes of a first message of the client's that never became whole
	ended   bool   // the capture ended first, or it was not followed to its end
	left    string // why it was not: one of capture's End constants
}

// An Alert that was seen.
type Alert struct {
	side        int
	level, desc uint8
	protected   bool
	after       string // the last handshake message before it, of the other side
	at          proof.Place
}

// A Failure is why a connection did not get through its handshake.
type Failure struct {
	step  event.Step
	id    string // sentence
	cause string
	at    proof.Place

	protected bool // by an alert that was opened
}
