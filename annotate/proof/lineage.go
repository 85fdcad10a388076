package proof

import "explainer/capture/handshake"

// Bounds of what a line of connections is known for.
const (
	maxPath     = 8  // generations that are named
	maxChildren = 64 // connections that are named as taking up one
)

// Issued is where a session id or a ticket came from. Its key log lines may come later.
type Issued struct {
	Conn     int
	Kind     byte // 's' for a session id, 't' for a ticket
	At       int64
	Lifetime uint32    // of a ticket, in seconds; 0 if not given
	AgeAdd   uint32    // of a ticket of TLS 1.3 (RFC 8446 4.6.1)
	Random   [32]byte  // of the client's hello
	Starts   [2]uint32 // TCP sequence numbers of the connection
	Logged   map[string][]byte
	Kin      *Kin
}

// Master is the master secret of the connection, where it is known.
func (i Issued) Master() []byte {
	if m := i.Logged["CLIENT_RANDOM"]; m != nil {
		return m
	}
	if i.Kin == nil {
		return nil
	}
	return i.Kin.Master
}

// Kin is what later connections need of one that they take up. It outlives the
// story of its connection.
type Kin struct {
	Conn     int
	Master   []byte // computed here, not logged
	Path     []int  // the connections that it takes up, nearest first
	More     bool   // the path is longer
	CertConn int    // where the certificate was sent that stands behind this; 0: not known
	CertAt   int64
	CertOf   string // whom it is for; empty where nobody could read it
	Lost     bool   // an ancestor is not known
	Keyless  bool   // the first of the line sent no certificate
	Rest     Rest   // what its secret rests on, and those of all that it takes up
	Holed    bool   // or its certificate may be among what is missing of it
	Children []int
}

// A Link ties a connection to the one whose secret it takes up.
type Link struct {
	How    string   // "session-id", "ticket" or "psk"
	From   []Issued // the connections that it can be, none if none is known
	Sealed []int    // TLS 1.3: earlier ones to the same server whose tickets nobody could read
	Proven bool     // by the master secret
}

// One is the connection that is taken up, if only one can be.
func (l *Link) One() (Issued, bool) {
	if l == nil || len(l.From) != 1 {
		return Issued{}, false
	}
	return l.From[0], true
}

// Inherit takes over what the line of the earlier connection is known for.
func (k *Kin) Inherit(l *Link) {
	i, ok := l.One()
	k.Path, k.More, k.Lost = nil, false, !ok
	if !ok {
		return
	}
	if k.Master == nil {
		k.Master = i.Master()
	}
	k.Path = []int{i.Conn}
	p := i.Kin
	if p == nil {
		return
	}
	if k.Rest != RestsOnLattice {
		k.Rest = p.Rest
	}
	k.CertConn, k.CertAt, k.CertOf, k.Keyless, k.Holed, k.Lost = p.CertConn, p.CertAt, p.CertOf, p.Keyless, p.Holed, p.Lost
	k.Path = append(k.Path, p.Path...)
	k.More = p.More
	if len(k.Path) > maxPath {
		k.Path, k.More = k.Path[:maxPath], true
	}
}

// Child notes that a connection takes this one up.
func (i Issued) Child(conn int) {
	if i.Kin != nil && len(i.Kin.Children) < maxChildren {
		i.Kin.Children = append(i.Kin.Children, conn)
	}
}

// A Rest is what keeps a common secret from who has recorded the handshake.
type Rest uint8

const (
	RestsUnknown    Rest = iota
	RestsOnKey           // a lasting private key of the server: RSA key transport, Diffie-Hellman with the certificate's key
	RestsOnExchange      // a fresh exchange by RSA, Diffie-Hellman or elliptic curves
	RestsOnLattice       // one that has a key encapsulation by ML-KEM or its forerunners in it
	RestsOnShared        // a secret that both were given otherwise
)

// Rest is what the secret of this handshake rests on, beside one that it takes up. Of TLS 1.2
// resumed, the one that is taken up: its suite is the same (RFC 5246 7.4.1.3).
func (h *Handshake) Rest() Rest {
	if h.ServerHello == nil || h.Holed() {
		return RestsUnknown
	}
	if h.Is13() {
		switch share := h.ServerHello.KeyShare(); {
		case h.External:
			return RestsOnShared
		case share == nil:
			return RestsUnknown
		case handshake.KindOf(share.Group) == handshake.GroupKEM:
			return RestsOnLattice
		}
		return RestsOnExchange
	}
	switch kx := handshake.SuiteKeyExchange(h.ServerHello.CipherSuite); kx {
	case handshake.KeyExchangeRSA:
		switch export := handshake.ExportBits(h.ServerHello.CipherSuite) > 0; {
		case h.ServerKey != nil || h.Short():
			return RestsOnExchange
		case export && h.Resumed:
			return RestsUnknown
		}
		return RestsOnKey
	case handshake.KeyExchangeDH, handshake.KeyExchangeECDH:
		return RestsOnKey
	case handshake.KeyExchangeDHE, handshake.KeyExchangeECDHE, handshake.KeyExchangeDHAnon, handshake.KeyExchangeECDHAnon:
		return RestsOnExchange
	case handshake.KeyExchangePSK, handshake.KeyExchangeDHEPSK, handshake.KeyExchangeECDHEPSK, handshake.KeyExchangeRSAPSK:
		return RestsOnShared
	}
	return RestsUnknown
}
