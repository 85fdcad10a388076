// Package quic reads the packets of QUIC: what everybody on the path can read, which is
// their headers and the Initial packets, whose keys are public (RFC 9001 5.2), and, with
// the secrets of TLS, all others.
package quic

import (
	"encoding/binary"
	"fmt"
)

// A Type is what kind of packet this is (RFC 9000 17.2, 17.3).
type Type uint8

const (
	Initial            Type = iota + 1
	ZeroRTT                 // data before the handshake, under a secret of an earlier connection
	Handshake               // the encrypted rest of the TLS handshake
	Retry                   // asks the client to come again with a token
	VersionNegotiation      // lists the server's versions
	OneRTT                  // a short header: everything after the handshake
	Other                   // a long header of a version whose packets are not read
	Rest                    // bytes that are no packet of QUIC
	Reset                   // a stateless reset: looks like a short header, and ends with a token that was announced (RFC 9000 10.3)
)

func (t Type) String() string {
	switch t {
	case Initial:
		return "Initial"
	case ZeroRTT:
		return "0-RTT"
	case Handshake:
		return "Handshake"
	case Retry:
		return "Retry"
	case VersionNegotiation:
		return "Version Negotiation"
	case OneRTT:
		return "1-RTT"
	case Other:
		return "packet"
	case Reset:
		return "Stateless Reset"
	}
	return "bytes that are no packet"
}

// The versions that have an RFC.
const (
	Version1 uint32 = 0x00000001 // RFC 9000
	Version2 uint32 = 0x6b3343cf // RFC 9369
)

// mvfst is one implementer's numbers for versions of its own, after drafts 22 and 27.
const (
	mvfst22  = 0xfaceb001
	mvfst27  = 0xfaceb002
	mvfstExp = 0xfaceb00e
)

// draftV2 is what RFC 9369 was as a draft.
const draftV2 = 0x709a50c4

// draft returns the number of an IETF draft of QUIC version 1, 0 if it is none.
func draft(version uint32) uint32 {
	if version>>8 == 0xff0000 {
		return version & 0xff
	}
	return 0
}

// google tells whether it is one of Google's own versions: "Q" or "T" and three digits.
func google(version uint32) bool {
	if c := version >> 24; c != 'Q' && c != 'T' {
		return false
	}
	for shift := 0; shift < 24; shift += 8 {
		if c := version >> shift & 0xff; c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// Reserved tells whether a version is one that no server speaks, used to keep
// version negotiation working (RFC 9000 15).
func Reserved(version uint32) bool { return version&0x0f0f0f0f == 0x0a0a0a0a }

// VersionName returns a version in words, as "version 1" or "draft 29".
func VersionName(version uint32) string {
	switch version {
	case Version1:
		return "version 1"
	case Version2:
		return "version 2"
	case draftV2:
		return "version 2 (draft)"
	case mvfst22, mvfst27, mvfstExp, 0xfaceb010:
		return fmt.Sprintf("version %08x (mvfst)", version)
	case 0x51474f30, 0x50435130, 0x50435131:
		return fmt.Sprintf("version %08x (experimental)", version)
	}
	switch {
	case draft(version) > 0:
		return fmt.Sprintf("draft %d", draft(version))
	case google(version):
		return fmt.Sprintf("version %s (Google's own)", binary.BigEndian.AppendUint32(nil, version))
	case Reserved(version):
		return fmt.Sprintf("version %08x (reserved: no server speaks it)", version)
	}
	return fmt.Sprintf("version %08x", version)
}

// readable tells whether the long headers of a version have the layout of RFC 9000 17.2.
func readable(version uint32) bool {
	switch version {
	case Version1, Version2, draftV2, mvfst22, mvfst27, mvfstExp:
		return true
	case 0x54303530, 0x54303531: // T050 and T051; those with Q have no TLS in them
		return true
	}
	return draft(version) >= 22 && draft(version) <= 34
}

// TLS tells whether a version has TLS 1.3 in it and its Initial packets can be
// opened; Google's versions with Q had a handshake of their own.
func TLS(version uint32) bool { return readable(version) && salt(version) != nil }

// Google tells whether a version is one of Google's own.
func Google(version uint32) bool { return google(version) }

// A Header is what is in clear of one packet. Its slices alias the datagram.
type Header struct {
	Type       Type
	Version    uint32 // 0 in a short header and in Version Negotiation
	DCID, SCID []byte // connection IDs, of the receiver's and the sender's choice; nil in a short header, where the length of the first is not told, until it is opened
	Token      []byte // of Initial and Retry
	Versions   []uint32
	Tag        []byte // of Retry: 16 bytes (RFC 9001 5.8); nil in drafts before 25, which had none
	Len        int    // bytes of the packet, as it tells; Cut of them are not there
	Cut        int
	number     int // where the packet number begins
}

const (
	maxCID      = 20 // bytes, in the versions that are read (RFC 9000 17.2)
	maxVersions = 64 // of a Version Negotiation that are kept
	tagLen      = 16
)

// Parse reads the header of the packet at the beginning of b, a datagram or the
// rest of one, of which the capture lacks the last cut bytes. It tells false
// where the bytes are no packet of QUIC.
func Parse(b []byte, cut int) (h Header, ok bool) {
	if len(b) == 0 {
		return h, false
	}
	if b[0]&0x80 == 0 {
		h = Header{Type: OneRTT, Len: len(b) + cut, Cut: cut}
		return h, true
	}
	r := reader{b: b, at: 1}
	h.Version = r.u32()
	h.DCID = r.bytes(uint64(r.u8()))
	h.SCID = r.bytes(uint64(r.u8()))
	if r.bad {
		return h, false
	}
	h.Len, h.Cut = len(b)+cut, cut // but for those with a length
	if h.Version == 0 {
		h.Type = VersionNegotiation
		list := b[r.at:]
		if len(list) == 0 || cut == 0 && len(list)%4 != 0 {
			return h, false
		}
		for ; len(list) >= 4 && len(h.Versions) < maxVersions; list = list[4:] {
			h.Versions = append(h.Versions, binary.BigEndian.Uint32(list))
		}
		return h, true
	}
	if !readable(h.Version) {
		h.Type = Other
		return h, true
	}
	if len(h.DCID) > maxCID || len(h.SCID) > maxCID {
		return h, false
	}
	kind := b[0] >> 4 & 3
	if h.Version == Version2 || h.Version == draftV2 {
		kind = (kind + 3) & 3 // RFC 9369 3.2
	}
	h.Type = [4]Type{Initial, ZeroRTT, Handshake, Retry}[kind]
	if h.Type == Retry {
		rest := b[r.at:]
		if d := draft(h.Version); d > 0 && d < 25 || h.Version == mvfst22 {
			r.bytes(uint64(r.u8())) // the client's first connection ID stood here
			h.Token = b[r.at:]
			return h, !r.bad
		}
		if len(rest) < tagLen {
			return h, cut > 0
		}
		if cut == 0 {
			h.Token, h.Tag = rest[:len(rest)-tagLen], rest[len(rest)-tagLen:]
		}
		return h, true
	}
	if h.Type == Initial {
		h.Token = r.bytes(r.varint())
	}
	n := r.varint()
	if r.bad || n > uint64(len(b)-r.at+cut) || n < 4+tagLen {
		// A sample for header protection needs 4+16 bytes (RFC 9001 5.4.2).
		return h, false
	}
	h.number = r.at
	h.Len = r.at + int(n)
	h.Cut = max(0, h.Len-len(b))
	return h, true
}

// Looks tells whether a datagram with nothing known before it is one of QUIC:
// it begins with a long header whose version is known and whose lengths fit, or
// is a Version Negotiation that lists a known version. cut is as for [Parse].
func Looks(b []byte, cut int) bool {
	if len(b) < 7 || b[0]&0x80 == 0 {
		_, ok := oldGoogle(b)
		return ok
	}
	version := binary.BigEndian.Uint32(b[1:])
	if Reserved(version) && b[0]&0x40 != 0 && len(b)+cut >= 1200 {
		// A client that wants to hear which versions there are (RFC 9000 6.3, 14.1).
		h, ok := Parse(b, cut)
		return ok && len(h.DCID) >= 8 && len(h.DCID) <= maxCID && len(h.SCID) <= maxCID
	}
	if version != 0 && b[0]&0x40 == 0 || version != 0 && !readable(version) && !google(version) {
		return false
	}
	h, ok := Parse(b, cut)
	if !ok {
		return false
	}
	if version != 0 {
		return true
	}
	for _, v := range h.Versions {
		if readable(v) || google(v) {
			return len(h.DCID) <= maxCID && len(h.SCID) <= maxCID
		}
	}
	return false
}

// oldGoogle tells whether a datagram is the client's first of Google's QUIC
// before it had long headers (up to Q043), and which version: flags with a
// version and a connection ID of 8 bytes, and a hello in it.
func oldGoogle(b []byte) (version uint32, ok bool) {
	if len(b) < 64 || b[0]&0xc9 != 0x09 {
		return 0, false
	}
	version = binary.BigEndian.Uint32(b[9:])
	if !google(version) {
		return 0, false
	}
	for i := 13; i+4 <= min(len(b), 64); i++ {
		if string(b[i:i+4]) == "CHLO" {
			return version, true
		}
	}
	return 0, false
}

// reader takes fields off the front of bytes and keeps the first failure.
type reader struct {
	b   []byte
	at  int
	bad bool
}

func (r *reader) bytes(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)-r.at) {
		r.bad = true
		return nil
	}
	p := r.b[r.at : r.at+int(n) : r.at+int(n)]
	r.at += int(n)
	return p
}

func (r *reader) u8() byte {
	if p := r.bytes(1); p != nil {
		return p[0]
	}
	return 0
}

func (r *reader) u32() uint32 {
	if p := r.bytes(4); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

// varint reads an integer of 1, 2, 4 or 8 bytes (RFC 9000 16).
func (r *reader) varint() uint64 {
	first := r.u8()
	v := uint64(first & 0x3f)
	for _, c := range r.bytes(1<<(first>>6) - 1) {
		v = v<<8 | uint64(c)
	}
	return v
}
