package handshake

import (
	"bytes"

	"golang.org/x/crypto/cryptobyte"
)

// extECHOuterExtensions stands only inside an encrypted ClientHello, for extensions that
// are the outer one's (RFC 9849 5.1).
const extECHOuterExtensions = 0xfd00

// maxInnerHello bounds a ClientHello that is put together of an encrypted one, in bytes.
// Extensions of the outer can be taken once each, so it is no longer than both are.
const maxInnerHello = 1 << 17

// ECHConfig is what a server publishes of a key for encrypted ClientHellos (RFC 9849 4).
type ECHConfig struct {
	ConfigID   uint8
	KEM        uint16
	PublicKey  []byte
	PublicName string // the name that stands in clear
}

// ParseECHConfig reads one ECHConfig, version and length in front, of the version of RFC 9849.
func ParseECHConfig(b []byte) (*ECHConfig, bool) {
	s := cryptobyte.String(b)
	var version uint16
	var contents, key, suites, name, extensions cryptobyte.String
	var c ECHConfig
	var most uint8
	if !s.ReadUint16(&version) || version != ExtECH || !s.ReadUint16LengthPrefixed(&contents) || !s.Empty() ||
		!contents.ReadUint8(&c.ConfigID) || !contents.ReadUint16(&c.KEM) || !contents.ReadUint16LengthPrefixed(&key) ||
		!contents.ReadUint16LengthPrefixed(&suites) || !contents.ReadUint8(&most) || !contents.ReadUint8LengthPrefixed(&name) ||
		!contents.ReadUint16LengthPrefixed(&extensions) || !contents.Empty() {
		return nil, false
	}
	c.PublicKey, c.PublicName = key, string(name)
	return &c, true
}

// OuterECH returns the encrypted_client_hello extension of a hello that carries an
// encrypted one.
func (m *ClientHello) OuterECH() (ECH, bool) {
	if e := m.Extension(ExtECH); e != nil {
		if v, ok := e.Value.(ECH); ok && !v.Inner {
			return v, true
		}
	}
	return ECH{}, false
}

// extensionsAt finds the extensions of a ClientHello or ServerHello message, 4-byte header included:
// it calls yield with each type and where in raw its content begins, until that returns false.
func extensionsAt(raw []byte, yield func(id uint16, at int, data []byte) bool) bool {
	s := cryptobyte.String(raw)
	var skip, list cryptobyte.String
	client := len(raw) > 0 && Type(raw[0]) == TypeClientHello
	if !s.Skip(4+2+32) || !s.ReadUint8LengthPrefixed(&skip) {
		return false
	}
	if client && (!s.ReadUint16LengthPrefixed(&skip) || !s.ReadUint8LengthPrefixed(&skip)) || !client && !s.Skip(3) {
		return false
	}
	if !s.ReadUint16LengthPrefixed(&list) || !s.Empty() {
		return false
	}
	for !list.Empty() {
		var id uint16
		var data cryptobyte.String
		if !list.ReadUint16(&id) || !list.ReadUint16LengthPrefixed(&data) {
			return false
		}
		if !yield(id, len(raw)-len(list)-len(data), data) {
			break
		}
	}
	return true
}

// SealedHello returns what is encrypted in a ClientHello message, 4-byte header included,
// that carries an encrypted one, and what is authenticated beside it: all of the outer but
// for the header, with zeros in place of what is encrypted (RFC 9849 5.2).
func SealedHello(raw []byte) (payload, outer []byte, ok bool) {
	extensionsAt(raw, func(id uint16, at int, data []byte) bool {
		if id != ExtECH {
			return true
		}
		s := cryptobyte.String(data)
		var kind uint8
		var enc, sealed cryptobyte.String
		if s.ReadUint8(&kind) && kind == 0 && s.Skip(2+2+1) && s.ReadUint16LengthPrefixed(&enc) && s.ReadUint16LengthPrefixed(&sealed) && s.Empty() {
			end := at + len(data)
			outer = bytes.Clone(raw[4:])
			clear(outer[end-len(sealed)-4 : end-4])
			payload, ok = sealed, true
		}
		return false
	})
	return payload, outer, ok
}

// A BadInner is why what was encrypted is no hello that counts.
type BadInner string

const (
	BadInnerShape    BadInner = "shape"    // it is not built as one
	BadInnerSession  BadInner = "session"  // it has a session id of its own
	BadInnerPadding  BadInner = "padding"  // its padding is not zeros
	BadInnerOuter    BadInner = "outer"    // it takes extensions of the hello in clear that are not there, or not in this order
	BadInnerTwice    BadInner = "twice"    // it takes extensions of the hello in clear twice
	BadInnerNone     BadInner = "none"     // it does not say that it is one
	BadInnerVersions BadInner = "versions" // it offers older versions than TLS 1.3, or not that
)

// InnerHello puts together the ClientHello message that was encrypted, as it enters the
// transcript, of what was decrypted and of the outer message (RFC 9849 5.1). bad is "" where it is
// as the rules ask (7.1).
func InnerHello(outer, encoded []byte) (raw []byte, hello *ClientHello, bad BadInner) {
	var s, o = cryptobyte.String(encoded), cryptobyte.String(outer)
	var fixed []byte
	var session, suites, compressions, list, outerSession cryptobyte.String
	if !s.ReadBytes(&fixed, 2+32) || !s.ReadUint8LengthPrefixed(&session) || !s.ReadUint16LengthPrefixed(&suites) ||
		!s.ReadUint8LengthPrefixed(&compressions) || !s.ReadUint16LengthPrefixed(&list) ||
		!o.Skip(4+2+32) || !o.ReadUint8LengthPrefixed(&outerSession) {
		return nil, nil, BadInnerShape
	}
	if len(session) > 0 {
		return nil, nil, BadInnerSession
	}
	if len(bytes.Trim(s, "\x00")) > 0 {
		return nil, nil, BadInnerPadding
	}
	type extension struct {
		id   uint16
		data []byte
	}
	var outers []extension
	if !extensionsAt(outer, func(id uint16, _ int, data []byte) bool {
		outers = append(outers, extension{id, data})
		return true
	}) {
		return nil, nil, BadInnerShape
	}
	var all []extension
	took := false
	for !list.Empty() {
		var e extension
		var data cryptobyte.String
		if !list.ReadUint16(&e.id) || !list.ReadUint16LengthPrefixed(&data) {
			return nil, nil, BadInnerShape
		}
		if e.data = data; e.id != extECHOuterExtensions {
			all = append(all, e)
			continue
		}
		if took {
			return nil, nil, BadInnerTwice
		}
		took = true
		var ids cryptobyte.String
		if !data.ReadUint8LengthPrefixed(&ids) || !data.Empty() || ids.Empty() {
			return nil, nil, BadInnerShape
		}
		rest := outers
		for !ids.Empty() {
			var id uint16
			if !ids.ReadUint16(&id) {
				return nil, nil, BadInnerShape
			}
			for len(rest) > 0 && rest[0].id != id {
				rest = rest[1:]
			}
			if id == ExtECH || len(rest) == 0 {
				return nil, nil, BadInnerOuter
			}
			all, rest = append(all, rest[0]), rest[1:]
		}
	}
	b := cryptobyte.NewBuilder(nil)
	b.AddUint8(uint8(TypeClientHello))
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddBytes(fixed)
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(outerSession) })
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(suites) })
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(compressions) })
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, e := range all {
				b.AddUint16(e.id)
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(e.data) })
			}
		})
	})
	raw, err := b.Bytes()
	if err != nil || len(raw) > maxInnerHello {
		return nil, nil, BadInnerShape
	}
	m, err := Parse(TypeClientHello, raw[4:], Context{FromClient: true})
	if err != nil {
		return nil, nil, BadInnerShape
	}
	hello = m.(*ClientHello)
	if e := hello.Extension(ExtECH); e == nil {
		return nil, nil, BadInnerNone
	} else if v, ok := e.Value.(ECH); !ok || !v.Inner {
		return nil, nil, BadInnerNone
	}
	is13 := false
	for _, v := range hello.Versions() {
		switch {
		case IsGREASE(v):
		case v < 0x0304:
			return nil, nil, BadInnerVersions
		case v == 0x0304:
			is13 = true
		}
	}
	if !is13 {
		return nil, nil, BadInnerVersions
	}
	return raw, hello, ""
}

// Confirmation returns the 8 bytes of a ServerHello or HelloRetryRequest message, 4-byte header
// included, that tell whether the server took the encrypted hello (RFC 9849 7.2, 7.2.1), and
// the message with zeros in their place. There are none in a HelloRetryRequest without the extension.
func Confirmation(raw []byte, retry bool) (confirmation, without []byte) {
	at := 4 + 2 + 24
	if retry {
		at = -1
		extensionsAt(raw, func(id uint16, where int, data []byte) bool {
			if id == ExtECH && len(data) == 8 {
				at = where
			}
			return at < 0
		})
	}
	if at < 0 || len(raw) < at+8 {
		return nil, nil
	}
	without = bytes.Clone(raw)
	clear(without[at : at+8])
	return raw[at : at+8 : at+8], without
}
