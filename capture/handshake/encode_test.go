package handshake

import (
	"golang.org/x/crypto/cryptobyte"
)

// The encoders here are the inverse of Parse, from the same definitions but
// written for this test alone: what was read must give back the same bytes.

type builder = cryptobyte.Builder

func vec8(b *builder, v []byte)  { b.AddUint8LengthPrefixed(func(b *builder) { b.AddBytes(v) }) }
func vec16(b *builder, v []byte) { b.AddUint16LengthPrefixed(func(b *builder) { b.AddBytes(v) }) }
func vec24(b *builder, v []byte) { b.AddUint24LengthPrefixed(func(b *builder) { b.AddBytes(v) }) }

func uint16s(v []uint16) []byte {
	var out []byte
	for _, n := range v {
		out = append(out, byte(n>>8), byte(n))
	}
	return out
}

func extensionList(b *builder, list []Extension) {
	b.AddUint16LengthPrefixed(func(b *builder) {
		for _, e := range list {
			b.AddUint16(e.ID)
			vec16(b, e.Data)
		}
	})
}

func authorities(b *builder, list [][]byte) {
	b.AddUint16LengthPrefixed(func(b *builder) {
		for _, name := range list {
			vec16(b, name)
		}
	})
}

// encode is the body of m, or false where the typed fields do not hold all of it.
func encode(m Message, ctx Context) ([]byte, bool) {
	b := cryptobyte.NewBuilder(nil)
	v13 := is13(ctx.Version)
	schemes := ctx.Version == 0 || ctx.Version >= 0x0303
	switch m := m.(type) {
	case *HelloRequest, *ServerHelloDone, *EndOfEarlyData:
	case *ClientHello:
		b.AddUint16(m.LegacyVersion)
		b.AddBytes(m.Random[:])
		vec8(b, m.SessionID)
		vec16(b, uint16s(m.CipherSuites))
		vec8(b, m.CompressionMethods)
		if len(m.Extensions) > 0 {
			extensionList(b, m.Extensions)
		}
	case *ServerHello:
		b.AddUint16(m.LegacyVersion)
		b.AddBytes(m.Random[:])
		old := m.LegacyVersion > 0x7f00 && m.LegacyVersion <= 0x7f15 || m.LegacyVersion == 0x0304 && m.SessionID == nil
		if !old {
			vec8(b, m.SessionID)
		}
		b.AddUint16(m.CipherSuite)
		if !old {
			b.AddUint8(m.CompressionMethod)
		}
		if len(m.Extensions) > 0 {
			extensionList(b, m.Extensions)
		}
	case *EncryptedExtensions:
		extensionList(b, m.Extensions)
	case *NewSessionTicket:
		b.AddUint32(m.Lifetime)
		if v13 {
			b.AddUint32(m.AgeAdd)
			if ctx.Version < 0x7f00 || ctx.Version > 0x7f14 {
				vec8(b, m.Nonce)
			}
		}
		vec16(b, m.Ticket)
		if v13 {
			extensionList(b, m.Extensions)
		}
	case *Certificate:
		if v13 {
			vec8(b, m.RequestContext)
		}
		b.AddUint24LengthPrefixed(func(b *builder) {
			for _, e := range m.Entries {
				vec24(b, e.Data)
				if v13 {
					extensionList(b, e.Extensions)
				}
			}
		})
		if !v13 && len(m.Entries) == 1 && isRawPublicKey(m.Entries[0].Data) {
			b = cryptobyte.NewBuilder(nil) // the one entry may have had no length of its own
			vec24(b, m.Entries[0].Data)
			return b.BytesOrPanic(), false
		}
	case *CertificateRequest:
		if v13 {
			vec8(b, m.RequestContext)
			extensionList(b, m.Extensions)
			break
		}
		vec8(b, m.CertificateTypes)
		if schemes {
			vec16(b, uint16s(m.SignatureSchemes))
		}
		authorities(b, m.Authorities)
	case *CertificateVerify:
		if schemes {
			b.AddUint16(m.SignatureScheme)
		}
		vec16(b, m.Signature)
	case *ServerKeyExchange:
		switch m.KeyExchange {
		case KeyExchangePSK, KeyExchangeRSAPSK, KeyExchangeDHEPSK, KeyExchangeECDHEPSK:
			vec16(b, m.PSKHint)
		}
		switch {
		case m.KeyExchange == KeyExchangeSRP || m.KeyExchange == KeyExchangeRSA:
			b.AddBytes(m.Params)
		case m.P != nil:
			vec16(b, m.P)
			vec16(b, m.G)
			vec16(b, m.Public)
		case m.Public != nil:
			b.AddUint8(3)
			b.AddUint16(m.Group)
			vec8(b, m.Public)
		}
		if string(m.Params) != string(b.BytesOrPanic()) {
			panic("Params is not the parameters")
		}
		if m.Signature != nil {
			if schemes {
				b.AddUint16(m.SignatureScheme)
			}
			vec16(b, m.Signature)
		}
	case *ClientKeyExchange:
		switch m.KeyExchange {
		case KeyExchangePSK, KeyExchangeRSAPSK, KeyExchangeDHEPSK, KeyExchangeECDHEPSK:
			vec16(b, m.PSKIdentity)
		}
		switch m.KeyExchange {
		case KeyExchangeRSA, KeyExchangeRSAPSK:
			if ctx.Version == 0x0300 {
				b.AddBytes(m.EncryptedPreMaster)
			} else {
				vec16(b, m.EncryptedPreMaster)
			}
		case KeyExchangeDH, KeyExchangeDHE, KeyExchangeDHAnon, KeyExchangeDHEPSK, KeyExchangeSRP:
			if m.Public != nil {
				vec16(b, m.Public)
			}
		case KeyExchangeECDH, KeyExchangeECDHE, KeyExchangeECDHAnon, KeyExchangeECDHEPSK:
			if m.Public != nil {
				vec8(b, m.Public)
			}
		}
	case *Finished:
		b.AddBytes(m.VerifyData)
	case *CertificateStatus:
		b.AddUint8(m.StatusType)
		vec24(b, m.Response)
		if m.StatusType == 2 {
			return nil, false // only the first response is kept
		}
	case *KeyUpdate:
		if m.UpdateRequested {
			b.AddUint8(1)
		} else {
			b.AddUint8(0)
		}
	case *Unknown:
		b.AddBytes(m.Data)
	default: // CompressedCertificate keeps the certificate, NextProtocol drops its padding
		return nil, false
	}
	return b.BytesOrPanic(), true
}

// encodeValue is the data of an extension that was read, or false where the value does not hold all of it.
func encodeValue(e Extension, in place) ([]byte, bool) {
	b := cryptobyte.NewBuilder(nil)
	switch v := e.Value.(type) {
	case SupportedGroups:
		vec16(b, uint16s(v))
	case ECPointFormats:
		vec8(b, v)
	case SignatureAlgorithms:
		vec16(b, uint16s(v))
	case ALPN:
		b.AddUint16LengthPrefixed(func(b *builder) {
			for _, name := range v {
				vec8(b, []byte(name))
			}
		})
	case ALPS:
		b.AddUint16LengthPrefixed(func(b *builder) {
			for _, name := range v {
				vec8(b, []byte(name))
			}
		})
	case NextProtocols:
		for _, name := range v {
			vec8(b, []byte(name))
		}
	case SupportedVersions:
		vec8(b, uint16s(v))
	case SelectedVersion:
		b.AddUint16(uint16(v))
	case PSKModes:
		vec8(b, v)
	case KeyShares:
		share := func(b *builder, s KeyShare) {
			b.AddUint16(s.Group)
			vec16(b, s.Exchange)
		}
		if in == inServerHello {
			share(b, v[0])
			break
		}
		b.AddUint16LengthPrefixed(func(b *builder) {
			for _, s := range v {
				share(b, s)
			}
		})
	case SelectedGroup:
		b.AddUint16(uint16(v))
	case SelectedPSK:
		b.AddUint16(uint16(v))
	case OfferedPSKs:
		b.AddUint16LengthPrefixed(func(b *builder) {
			for _, id := range v.Identities {
				vec16(b, id.Identity)
				b.AddUint32(id.ObfuscatedTicketAge)
			}
		})
		addBinders(b, v.Binders)
	case Cookie:
		vec16(b, v)
	case CompressionAlgorithms:
		vec8(b, uint16s(v))
	case RecordSizeLimit:
		b.AddUint16(uint16(v))
	case MaxFragmentLength:
		b.AddUint8(uint8(v))
	case HeartbeatMode:
		b.AddUint8(uint8(v))
	case SessionTicket:
		b.AddBytes(v)
	case RenegotiationInfo:
		vec8(b, v)
	case MaxEarlyDataSize:
		b.AddUint32(uint32(v))
	case DelegatedCredentials:
		vec16(b, uint16s(v))
	case CertificateAuthorities:
		authorities(b, v)
	case SCTs:
		authorities(b, v)
	case CertificateTypes:
		if in == inClientHello {
			vec8(b, v)
		} else {
			b.AddBytes(v)
		}
	case Padding:
		b.AddBytes(make([]byte, v))
	case StatusResponse:
		b.AddUint8(1)
		vec24(b, v)
	case ECHConfirmation:
		b.AddBytes(v)
	case ECHRetryConfigs:
		b.AddBytes(v)
	case ECH:
		if v.Inner {
			b.AddUint8(1)
			break
		}
		b.AddUint8(0)
		b.AddUint16(v.KDF)
		b.AddUint16(v.AEAD)
		b.AddUint8(v.ConfigID)
		vec16(b, v.Enc)
		vec16(b, v.Payload)
	default: // ServerName and StatusRequest drop what is not of the known type; nil says nothing
		return nil, false
	}
	return b.BytesOrPanic(), true
}

func addBinders(b *builder, binders [][]byte) {
	b.AddUint16LengthPrefixed(func(b *builder) {
		for _, binder := range binders {
			vec8(b, binder)
		}
	})
}

// placesOf are the lists of extensions of a message with where they stand.
func placesOf(m Message) map[place][]Extension {
	switch m := m.(type) {
	case *ClientHello:
		return map[place][]Extension{inClientHello: m.Extensions}
	case *ServerHello:
		if m.Retry {
			return map[place][]Extension{inHelloRetryRequest: m.Extensions}
		}
		return map[place][]Extension{inServerHello: m.Extensions}
	case *EncryptedExtensions:
		return map[place][]Extension{inEncryptedExtensions: m.Extensions}
	case *CertificateRequest:
		return map[place][]Extension{inCertificateRequest: m.Extensions}
	case *NewSessionTicket:
		return map[place][]Extension{inNewSessionTicket: m.Extensions}
	case *Certificate:
		var list []Extension
		for _, e := range m.Entries {
			list = append(list, e.Extensions...)
		}
		return map[place][]Extension{inCertificate: list}
	}
	return nil
}
