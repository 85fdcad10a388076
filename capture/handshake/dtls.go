package handshake

import "fmt"

// TypeHelloVerifyRequest is the message that only DTLS has (RFC 6347 4.2.1).
const TypeHelloVerifyRequest Type = 3

// HelloVerifyRequest asks the client to say hello again with a cookie: RFC 6347
// 4.2.1. Neither it nor the hello before it is part of the transcript.
type HelloVerifyRequest struct {
	Version uint16
	Cookie  []byte // at most 255 bytes
}

func (*HelloVerifyRequest) Type() Type { return TypeHelloVerifyRequest }

// TLSVersion returns the version of TLS that a version of DTLS is made from, and
// any other number as it is.
func TLSVersion(version uint16) uint16 {
	switch version {
	case 0x0100, 0xfeff:
		return 0x0302
	case 0xfefd:
		return 0x0303
	case 0xfefc:
		return 0x0304
	}
	return version
}

// ParseDTLS is [Parse] for the messages of DTLS: body is the message without
// its header of 12 bytes (RFC 6347 4.2.2), put together from its fragments.
func ParseDTLS(typ Type, body []byte, ctx Context) (Message, error) {
	first := ctx.Version == 0x0100
	ctx.Version = TLSVersion(ctx.Version)
	switch typ {
	case TypeClientKeyExchange:
		if first { // OpenSSL before 0.9.8f took its own DTLS for less than SSL 3.0, which sends no length
			ctx.Version = 0x0300
		}
	case TypeHelloVerifyRequest:
		r := reader{s: body}
		m := &HelloVerifyRequest{Version: r.u16("server_version")}
		m.Cookie = r.vec8("cookie", 0, 255)
		if err := r.end(); err != nil {
			return nil, fmt.Errorf("%s: %w", TypeName(typ), err)
		}
		return m, nil
	case TypeClientHello:
		// A cookie stands behind the session ID; the rest is as in TLS.
		r := reader{s: body}
		r.fixed("client_version and random", 34)
		r.vec8("session_id", 0, 32)
		head := len(body) - len(r.s)
		cookie := r.vec8("cookie", 0, 255)
		if r.err != nil {
			return nil, fmt.Errorf("%s: %w", TypeName(typ), r.err)
		}
		m, err := Parse(typ, append(body[:head:head], r.s...), ctx)
		if hello, ok := m.(*ClientHello); ok {
			hello.Cookie = cookie
		}
		return m, err
	}
	return Parse(typ, body, ctx)
}
