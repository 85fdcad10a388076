// Package proof says what mathematics shows of one handshake: its transcript, its
// secrets, the claims that can be recomputed, and the key schedule.
package proof

import (
	"crypto/rsa"
	"maps"
	"net/netip"
	"slices"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/ca/verify"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
)

// A Place is where something stands in the capture: the numbers of packets, 0 for nowhere.
type Place struct{ First, Last int }

// Packets is the place as events give it.
func (w Place) Packets() *event.Packets {
	if w.First == 0 {
		return nil
	}
	return &event.Packets{First: w.First, Last: w.Last}
}

// A Spot is one of the places in a handshake that the steps point to.
type Spot uint8

// The spots. What brings a side's part of the exchange depends on the version.
const (
	AtFirstHello Spot = iota // before a HelloRetryRequest
	AtRetry
	AtHello
	AtServerHello
	AtCertificate // the server's, as AtVerify
	AtServerKey
	AtClientKey
	AtVerify
	AtClientFinished
	AtServerFinished
	AtSwitch // from here on the server encrypts
	AtEarly  // early data
	spots

	AtClientPart // AtHello or AtClientKey
	AtServerPart // AtServerHello or AtServerKey
)

// A Message is a handshake message in the transcript.
type Message struct {
	Type  handshake.Type
	Raw   []byte
	Body  any
	Side  int
	index int // among those of its side
}

// A Handshake is what is known of one handshake, as it goes on. A connection can have
// several (renegotiation). Whoever reads the messages fills it in; nothing here changes
// what was filled in, but for the proofs and what they found.
type Handshake struct {
	Redo               Redoing
	FirstHello, Hello  *handshake.ClientHello // before a HelloRetryRequest, and the one that counts
	Retry, ServerHello *handshake.ServerHello
	Encrypted          *handshake.EncryptedExtensions
	ServerKey          *handshake.ServerKeyExchange
	ClientKey          *handshake.ClientKeyExchange
	Sides              [2]Side // client, server

	// Of an encrypted hello (RFC 9849): what was opened, around a HelloRetryRequest two; what the
	// answer says of it; and where the server took it, and so Hello is inside it, the one in clear.
	Inners []Inner
	Answer *capture.ECHAnswer
	Cover  *handshake.ClientHello

	At       [spots]Place
	Switched bool  // the server encrypts; At says from where on
	HelloAt  int64 // when the hellos came
	AnswerAt int64
	CertAt   int64 // when the server's certificate came
	Server   netip.AddrPort

	Requested bool          // CertificateRequest
	Asked     *verify.Input // what the server's chain was checked for, while a stapled response is still to come
	Resumed   bool          // TLS 1.2: abbreviated
	Ticket    []byte        // TLS 1.2: the ticket that the client handed back
	Link      *Link         // to the connection that it takes up
	External  bool          // the pre-shared key that the server took was set up outside of TLS
	Kin       *Kin          // for those that take it up

	Broken event.Text // why the transcript is not complete
	proofs []settled

	streams [2]*Stream // it stands in, and
	from    [2]int64   // from where on, at the earliest
	torn    bool       // its beginning is among what is missing

	// Of a client that may be asked after the handshake who it is (RFC 8446 4.2.6).
	whole    [][]byte // all messages, kept for that
	later    []*Later // the requests
	answered *Later   // the one that the client answers now

	Secrets
}

// An Inner is a hello that another one carried encrypted; both are nil where it is not known.
type Inner struct {
	Hello *handshake.ClientHello
	Raw   []byte
}

// A Side is what one side of a handshake sent.
type Side struct {
	Messages       []Message
	Chain          []*Certificate
	Leaf           *Certificate
	Checked        *Checked
	CertSeen       bool // a Certificate message, also an empty one
	Delegated      *Delegated
	ChangedCipher  bool
	Finished       bool
	FinishedSealed bool   // a handshake record behind ChangeCipherSpec that stayed sealed
	FinishedTried  bool   // it was recomputed
	verify         []byte // what stands in the Finished message
	end            int64  // where that ends in the stream; 0: it is not known
}

// Secrets are what is known of the secrets of a handshake, and what they are made of.
type Secrets struct {
	Inner       bool              // it was opened with key log lines under the random of an encrypted hello (ECH)
	Logged      map[string][]byte // its key log lines, by label; nil before a ClientHello
	own         map[string][]byte // key log values that were found to be this handshake's
	Block       []byte            // the padded block of step 5: recorded, or what a private key given made of the ciphertext
	Keyed       bool              // the latter
	PreMaster   []byte
	Master      []byte            // computed from PreMaster
	OldMaster   []byte            // of the connection that it takes up, where that made its Finished
	Nonces      [][]byte          // of tickets of TLS 1.3
	sessionHash []byte            // of all messages through ClientKeyExchange
	hashes      map[string][]byte // of messages, by what they are of
}

// settled is a proof that was tried, and why it did not come out.
type settled struct {
	event.RowProof
	reason event.Text
}

// Begin returns a handshake that begins behind what was told of both directions.
func Begin(client, server *Stream) *Handshake {
	return &Handshake{streams: [2]*Stream{client, server}, from: [2]int64{client.To, server.To}}
}

// BeginTorn returns one that began among what is missing.
func BeginTorn(client, server *Stream) *Handshake {
	h := Begin(client, server)
	h.torn = true
	return h
}

// Ends notes where the Finished message of a side ends in its stream.
func (h *Handshake) Ends(side int, at int64) {
	if h.Sides[side].end == 0 {
		h.Sides[side].end = at
	}
}

// Holed tells whether bytes are missing of what the two sides sent while it ran.
func (h *Handshake) Holed() bool { return h.torn || h.lacks(h.Sides[0].end, h.Sides[1].end) }

// HoledSince tells whether bytes are missing of what they sent since it began.
func (h *Handshake) HoledSince() bool { return h.torn || h.lacks(0, 0) }

func (h *Handshake) lacks(client, server int64) bool {
	for side, to := range [2]int64{client, server} {
		if s := h.streams[side]; s != nil && s.gone(h.from[side], to) {
			return true
		}
	}
	return false
}

// Crossed tells that what answers a message stands before it in the capture: the clocks of two
// taps are apart, or its packets stand in another order for another reason.
func (h *Handshake) Crossed() bool {
	before := func(answer, asked Spot) bool {
		a, b := h.At[answer], h.At[asked]
		return a.First != 0 && b.First != 0 && a.First < b.First
	}
	return before(AtServerHello, AtHello) || before(AtClientKey, AtServerHello) || before(AtHello, AtRetry) ||
		h.Is13() && before(AtClientFinished, AtServerHello)
}

// Switch notes from where on the server encrypts.
func (h *Handshake) Switch(w Place) { h.At[AtSwitch], h.Switched = w, true }

// Where is the place of a spot.
func (h *Handshake) Where(s Spot) Place {
	switch {
	case s == AtClientPart && h.Is13():
		s = AtHello
	case s == AtClientPart:
		s = AtClientKey
	case s == AtServerPart && h.Is13():
		s = AtServerHello
	case s == AtServerPart:
		s = AtServerKey
	}
	return h.At[s]
}

// maxTranscript bounds the handshake messages that are kept, in bytes.
const maxTranscript = 1 << 20

// Record keeps a message for the proofs.
func (h *Handshake) Record(b handshake.Message, side int, raw []byte) *Message {
	s := &h.Sides[side]
	msg := Message{Type: b.Type(), Raw: raw, Body: b, Side: side, index: len(s.Messages)}
	switch b.(type) {
	case *handshake.HelloRequest, *handshake.KeyUpdate:
		return &msg // not part of the transcript (RFC 5246 7.4.9, RFC 8446 4.4.1)
	}
	if h.Through() || h.Is13() && s.Finished {
		return &msg // after the handshake
	}
	switch {
	case side == 0 && len(s.Messages) == 0 && msg.Type != handshake.TypeClientHello, side == 1 && h.Hello == nil:
		h.Incomplete(words.Piece("proof/capture-begins-after-first"))
	case raw == nil:
		h.Incomplete(words.Piece("proof/handshake-message-could-not"))
	case h.size()+len(raw) > maxTranscript:
		h.Incomplete(words.Piece("proof/handshake-messages-larger-than"))
	}
	if !h.Broken.Empty() {
		msg.Raw = nil
	}
	s.Messages = append(s.Messages, msg)
	return &s.Messages[len(s.Messages)-1]
}

// size is how much of the transcript is kept, in bytes.
func (h *Handshake) size() int {
	n := 0
	for side := range h.Sides {
		for i := range h.Sides[side].Messages {
			n += len(h.Sides[side].Messages[i].Raw)
		}
	}
	return n
}

// Incomplete notes that the transcript is not complete; the first reason counts.
func (h *Handshake) Incomplete(reason event.Text) {
	if h.Broken.Empty() {
		h.Broken = reason
	}
}

// Free lets go of what only the proofs of a handshake needed.
func (h *Handshake) Free() {
	if s := h.Suite(); s != nil && h.Is13() && h.Hello != nil && h.Hello.Extension(handshake.ExtPostHandshakeAuth) != nil {
		h.whole, _ = h.all(s)
	}
	for side := range h.Sides {
		for i := range h.Sides[side].Messages {
			m := &h.Sides[side].Messages[i]
			m.Raw, m.Body = nil, nil
		}
	}
	for i := range h.Inners {
		h.Inners[i].Raw = nil
	}
	h.Incomplete(words.Piece("proof/handshake-over-messages-let"))
}

// Find returns a side's first message of a type, nil if there is none.
func (h *Handshake) Find(side int, typ handshake.Type) *Message {
	for i := range h.Sides[side].Messages {
		if h.Sides[side].Messages[i].Type == typ {
			return &h.Sides[side].Messages[i]
		}
	}
	return nil
}

// Through tells whether both sides have sent Finished.
func (h *Handshake) Through() bool { return h.Sides[0].Finished && h.Sides[1].Finished }

// Reread reads a key exchange message of a suite that is in no registry by its
// shape: somebody who only plays TLS can choose any number, but must sign
// something that looks like a key.
func (h *Handshake) Reread(u *handshake.Unknown, side int) handshake.Message {
	if h.ServerHello == nil || h.Is13() || h.Suite() != nil {
		return u
	}
	exchanges := []handshake.KeyExchange{handshake.KeyExchangeECDHE, handshake.KeyExchangeDHE}
	if side == 0 && h.ServerKey != nil && h.ServerKey.Group == 0 {
		exchanges = exchanges[1:]
	} else if side == 0 && h.ServerKey == nil {
		return u
	}
	for _, kx := range exchanges {
		m, err := handshake.Parse(u.MessageType, u.Data, handshake.Context{Version: h.Version(), KeyExchange: kx, FromClient: side == 0})
		if err != nil {
			continue
		}
		switch m := m.(type) {
		case *handshake.ServerKeyExchange:
			if side == 1 && m.Signature != nil {
				return m
			}
		case *handshake.ClientKeyExchange:
			if side == 0 {
				return m
			}
		}
	}
	return u
}

// EarlyUndecided tells whether it is still open if the server accepts early data:
// that shows only in EncryptedExtensions, and the steps depend on it.
func (h *Handshake) EarlyUndecided() bool {
	if h.Hello == nil || h.ServerHello == nil || h.Retry != nil || h.Encrypted != nil || !h.Hello.HasEarlyData() {
		return false
	}
	_, psk := h.ServerHello.SelectedPSK()
	return psk
}

// OfferedEarly tells whether the client announced early data, in its first
// hello where there are two.
func (h *Handshake) OfferedEarly() bool {
	return h.Hello != nil && h.Hello.HasEarlyData() || h.FirstHello != nil && h.FirstHello.HasEarlyData()
}

// TicketOffered is the ticket that the client handed back, of TLS 1.2 and before.
func (h *Handshake) TicketOffered() []byte {
	if h.Hello == nil {
		return nil
	}
	t, _ := h.Hello.SessionTicket()
	return t
}

// Is13 tells whether TLS 1.3 was negotiated.
func (h *Handshake) Is13() bool { return h.Version() >= 0x0304 }

// Version is the negotiated one, 0 before the ServerHello.
func (h *Handshake) Version() uint16 {
	if h.ServerHello != nil {
		return handshake.TLSVersion(h.ServerHello.Version())
	}
	if h.Retry != nil {
		return handshake.TLSVersion(h.Retry.Version())
	}
	return 0
}

// DTLS tells whether it is a handshake of DTLS, by the version in the hellos.
func (h *Handshake) DTLS() bool {
	v := uint16(0)
	switch {
	case h.ServerHello != nil:
		v = h.ServerHello.LegacyVersion
	case h.Hello != nil:
		v = h.Hello.LegacyVersion
	}
	return v != handshake.TLSVersion(v)
}

// Suite is the negotiated cipher suite, nil if it is not known.
func (h *Handshake) Suite() *keys.Suite {
	if h.ServerHello == nil {
		return nil
	}
	s, _ := keys.SuiteByID(h.ServerHello.CipherSuite)
	return s
}

// TookEarly tells whether the server accepted early data.
func (h *Handshake) TookEarly() bool { return h.Encrypted != nil && h.Encrypted.HasEarlyData() }

// ServerName is the name in the hello, "" if there is none.
func (h *Handshake) ServerName() string {
	if h.Hello == nil {
		return ""
	}
	return h.Hello.ServerName()
}

// SelectedPSK is the number of the pre-shared key that the server took.
func (h *Handshake) SelectedPSK() (uint16, bool) {
	if h.ServerHello == nil {
		return 0, false
	}
	return h.ServerHello.SelectedPSK()
}

// VerifyData is what stands in a side's Finished message, nil if that is not kept.
func (h *Handshake) VerifyData(side int) []byte {
	if m := h.Find(side, handshake.TypeFinished); m != nil {
		if fin, ok := m.Body.(*handshake.Finished); ok {
			return fin.VerifyData
		}
	}
	return nil
}

// Labels are the labels of the key log lines for this handshake.
func (h *Handshake) Labels() []string {
	return slices.Sorted(maps.Keys(h.Logged))
}

// Short tells whether the suite asks for an RSA key that is shorter than the one in the
// server's certificate, so that the server must make one (RFC 2246 7.4.3).
func (h *Handshake) Short() bool {
	if h.ServerHello == nil || h.Sides[1].Leaf == nil || handshake.SuiteKeyExchange(h.ServerHello.CipherSuite) != handshake.KeyExchangeRSA {
		return false
	}
	most := handshake.ExportBits(h.ServerHello.CipherSuite)
	pub, ok := h.Sides[1].Leaf.Key.(*rsa.PublicKey)
	return ok && most > 0 && pub.N.BitLen() > most
}

// VersionName names the negotiated version: of DTLS as it stands on the wire.
func (h *Handshake) VersionName() string {
	if h.ServerHello == nil {
		return handshake.VersionName(h.Version())
	}
	v := h.ServerHello.Version()
	if v == 0x0304 && h.ServerHello.LegacyVersion == v && h.Hello != nil { // an early draft; the server does not repeat which
		v = h.Hello.Offered()[0]
	}
	return handshake.VersionName(v)
}

// MayBeCover tells whether the name in the hello may stand there in place of
// another one, which the server took from the encrypted hello (ECH).
func (h *Handshake) MayBeCover() bool {
	if h.ServerHello == nil {
		return false
	}
	e := h.ECH()
	return e == ECHUnknown || e == ECHTaken && h.Cover == nil
}

// overMessages is a check of a checksum or signature over the messages. Where the server may
// have taken a hello that nobody here can read, or a message may be of another handshake
// whose hellos are missing, one that does not come out refutes nothing.
func (h *Handshake) overMessages(p event.Proof) event.Proof {
	switch {
	case p.State != event.Refuted:
	case h.ECH() == ECHTaken && h.Cover == nil:
		p.State, p.Reason = event.NotCheckable, words.Piece("proof/inner-hello-taken")
	case h.MayBeCover():
		p.State, p.Reason = event.NotCheckable, words.Piece("proof/inner-hello")
	case h.HoledSince():
		p.State, p.Reason = event.NotCheckable, words.Piece("brief/bytes-missing-capture")
	}
	return p
}

// Linked tells whether the master secret with which the Finished messages were
// recomputed is shown to come from the 48 bytes of step 5, which are shown to be in what was sent.
func (h *Handshake) Linked() bool { return h.Proven(h.BlockProof()) && h.derived() }

// LinkedByLog tells whether it comes from 48 bytes of which only a line of the key log says that
// they are those of step 5: the padding around them is random, so nothing shows that they are.
func (h *Handshake) LinkedByLog() bool { return h.Block == nil && h.PreMaster != nil && h.derived() }

func (h *Handshake) derived() bool {
	return h.Proven(words.ProofRSAMaster) || h.Master != nil && h.Logged["CLIENT_RANDOM"] == nil
}

// Identity is the name of the pre-shared key that the server took, before it answers of
// the first that is offered; nil if there is none.
func (h *Handshake) Identity() []byte {
	if h.Hello == nil {
		return nil
	}
	psk := h.Hello.PSK()
	n, _ := h.SelectedPSK()
	if psk == nil || int(n) >= len(psk.Identities) {
		return nil
	}
	return psk.Identities[n].Identity
}
