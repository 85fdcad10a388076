package keys

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"slices"
)

// A Sealing is what it takes to seal one record again that an [Opener] opened:
// the same keys, sequence number, nonce or IV and padding, so that the record
// with other content of the same length is as long as it was.
//
// The same nonce for two contents undoes the encryption for whoever has both
// records (RFC 5116 5.1.1), so this is only for records whose key is given away
// with them.
type Sealing struct {
	o        Opener // as it was before it opened the record
	typ      byte
	version  uint16
	inner    byte
	fragment []byte
	plain    []byte
}

// ChainTail is how many bytes of the stream before a record [Sealing.Seal] needs
// at most: a block and a MAC.
const ChainTail = 16 + 64

// Sealing returns what it takes to seal the record again that was opened last: typ,
// version, fragment, and what Open returned. It keeps fragment and a copy of plain.
func (o *Opener) Sealing(typ byte, version uint16, fragment, plain []byte, inner byte) *Sealing {
	s := &Sealing{o: *o, typ: typ, version: version, inner: inner, fragment: fragment}
	s.o.seq--
	s.o.sum = nil
	if o.aead == nil {
		s.plain = bytes.Clone(plain)
	}
	return s
}

// Moves tells that the record has to be sealed again even if its content stays,
// because it is encrypted with the record before it (RFC 2246 6.2.3.2).
func (s *Sealing) Moves() bool { return s.o.Chained() && s.o.seq > 0 }

// Chained tells that the record's IV is the end of the record before it, so that the next
// one cannot be opened where its own content is changed (RFC 2246 6.2.3.2).
func (s *Sealing) Chained() bool { return s.o.Chained() }

// Blocks tells that the cipher mixes the content into blocks (CBC): no byte of the record
// is that of one byte of the content alone.
func (s *Sealing) Blocks() bool { return s.o.block != nil }

// Content returns the content that the record had, if Moves.
func (s *Sealing) Content() []byte { return s.plain }

// Seal returns the record's fragment with other content, as long as the one it had,
// and whether that can be made. before is the end of the stream up to the record's
// header, at least [ChainTail] bytes if there are so many.
func (s *Sealing) Seal(plain, before []byte) (fragment []byte, ok bool) {
	o := &s.o
	if o.aead != nil {
		return s.sealAEAD(plain)
	}
	content := append(slices.Clip(plain), o.macOf(s.typ, s.version, plain)...)
	switch {
	case o.block == nil && o.stream == nil:
		fragment = content
	case o.stream != nil:
		// The keystream is what made the one record of the other content.
		was := append(slices.Clip(s.plain), o.macOf(s.typ, s.version, s.plain)...)
		if len(was) != len(s.fragment) || len(content) != len(was) {
			return nil, false
		}
		fragment = bytes.Clone(s.fragment)
		for i := range fragment {
			fragment[i] ^= was[i] ^ content[i]
		}
	default:
		return s.sealCBC(plain, content, before)
	}
	return fragment, len(fragment) == len(s.fragment)
}

func (s *Sealing) sealAEAD(plain []byte) ([]byte, bool) {
	room := 0
	if s.o.tls13 {
		room = len(s.fragment) - s.o.aead.Overhead()
	}
	fragment := s.sealTo(plain, room)
	return fragment, len(fragment) == len(s.fragment)
}

// SealAnew is Seal for content of another length, without padding. Only records of AEAD
// suites can have one. The record's header must then say the fragment's length.
func (s *Sealing) SealAnew(plain []byte) (fragment []byte, ok bool) {
	if s.o.aead == nil {
		return nil, false
	}
	return s.sealTo(plain, 0), true
}

// sealTo seals content for an AEAD, in TLS 1.3 padded to at least room bytes with its type.
func (s *Sealing) sealTo(plain []byte, room int) []byte {
	o := &s.o
	var fragment []byte
	nonce := o.nonce[:]
	if o.explicit {
		copy(nonce, o.iv[:4])
		copy(nonce[4:], s.fragment[:8])
		fragment = append(fragment, s.fragment[:8]...)
	} else {
		o.setNonce()
	}
	if o.tls13 {
		padded := make([]byte, max(len(plain)+1, room))
		copy(padded, plain)
		padded[len(plain)] = s.inner
		plain = padded
	}
	length := len(fragment) + len(plain) + o.aead.Overhead()
	return o.aead.Seal(fragment, nonce, plain, o.additional(s.typ, s.version, len(plain), length))
}

func (s *Sealing) sealCBC(plain, content, before []byte) ([]byte, bool) {
	o := &s.o
	size, mac := o.block.BlockSize(), o.mac.Size()
	var iv, fragment []byte
	if o.explicitIV {
		iv = s.fragment[:size]
		fragment = append(fragment, iv...)
	} else {
		if o.etm {
			before = before[:max(0, len(before)-mac)]
		}
		if !s.Moves() || len(before) < size {
			return nil, false
		}
		iv = before[len(before)-size:]
	}
	if o.etm {
		content = slices.Clip(plain)
	}
	end := len(s.fragment) - len(fragment)
	if o.etm {
		end -= mac
	}
	padding := end - len(content)
	if padding < 1 || padding > 256 || end%size != 0 {
		return nil, false
	}
	content = append(content, bytes.Repeat([]byte{byte(padding - 1)}, padding)...)
	at := len(fragment)
	fragment = append(fragment, content...)
	cipher.NewCBCEncrypter(o.block, iv).CryptBlocks(fragment[at:], fragment[at:])
	if o.etm {
		fragment = append(fragment, o.macOf(s.typ, s.version, fragment)...)
	}
	return fragment, len(fragment) == len(s.fragment)
}

// macOf is the record's MAC over content.
func (o *Opener) macOf(typ byte, version uint16, content []byte) []byte {
	o.mac.Reset()
	var header [13]byte
	binary.BigEndian.PutUint64(header[:], o.seq)
	header[8] = typ
	binary.BigEndian.PutUint16(header[9:], version)
	binary.BigEndian.PutUint16(header[11:], uint16(len(content)))
	if o.ssl30 { // without the version (RFC 6101 5.2.3.1)
		o.mac.Write(header[:9])
		o.mac.Write(header[11:])
	} else {
		o.mac.Write(header[:])
	}
	o.mac.Write(content)
	return o.mac.Sum(nil)
}
