package handshake

import "fmt"

// helloRetryRandom is SHA-256("HelloRetryRequest"), which as the random of a
// ServerHello makes it a HelloRetryRequest (RFC 8446 4.1.3).
var helloRetryRandom = [32]byte{
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
	0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
	0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
}

// is13 says whether a negotiated version has the messages of TLS 1.3. The
// drafts count (0x7fNN, and 0xfbNN of one implementer).
func is13(version uint16) bool {
	return version == 0x0304 || version>>8 == 0x7f || version>>8 == 0xfb
}

// Parse reads the body of a handshake message, which is the message without
// its header of type (1 byte) and length (3 bytes).
//
// The slices of the message alias body; the caller must not change it as long
// as the message is in use.
//
// The error names the message and the field that breaks the definition, for
// example "ClientHello: cipher_suites: odd length 3". The content of an
// extension never makes an error: see [Extension].Err.
//
// The result is *[Unknown], without an error, for a type that is not read, and
// for ServerKeyExchange and ClientKeyExchange where ctx does not say which key
// exchange was negotiated. A ctx.Version of 0 is read as TLS 1.2.
func Parse(typ Type, body []byte, ctx Context) (Message, error) {
	return parse(typ, body, ctx, reader{s: body})
}

// parse reads what r has, which is body.
func parse(typ Type, body []byte, ctx Context, r reader) (Message, error) {
	var m Message
	switch typ {
	case TypeHelloRequest:
		m = &HelloRequest{}
	case TypeClientHello:
		m = parseClientHello(&r, body)
	case TypeServerHello:
		m = parseServerHello(&r)
	case TypeNewSessionTicket:
		m = parseNewSessionTicket(&r, ctx)
	case TypeEndOfEarlyData:
		m = &EndOfEarlyData{}
	case TypeEncryptedExtensions:
		m = &EncryptedExtensions{Extensions: r.extensions(inEncryptedExtensions)}
	case TypeCertificate:
		m = parseCertificate(&r, ctx)
	case TypeServerKeyExchange:
		if ctx.KeyExchange == KeyExchangeNone {
			return &Unknown{MessageType: typ, Data: body}, nil
		}
		m = parseServerKeyExchange(&r, ctx)
	case TypeCertificateRequest:
		m = parseCertificateRequest(&r, ctx)
	case TypeServerHelloDone:
		m = &ServerHelloDone{}
	case TypeCertificateVerify:
		m = parseCertificateVerify(&r, ctx)
	case TypeClientKeyExchange:
		if ctx.KeyExchange == KeyExchangeNone {
			return &Unknown{MessageType: typ, Data: body}, nil
		}
		m = parseClientKeyExchange(&r, ctx)
	case TypeFinished:
		m = parseFinished(&r)
	case TypeCertificateStatus:
		m = parseCertificateStatus(&r)
	case TypeKeyUpdate:
		m = parseKeyUpdate(&r)
	case TypeCompressedCertificate:
		m = parseCompressedCertificate(&r)
	case TypeNextProtocol:
		m = parseNextProtocol(&r)
	default:
		return &Unknown{MessageType: typ, Data: body}, nil
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("%s: %w", TypeName(typ), err)
	}
	return m, nil
}

// ParseCut reads the beginning of a ClientHello whose rest is not there: its random number, and
// of what follows that which stands there whole. It is false if not even that does.
func ParseCut(body []byte) (m *ClientHello, ok bool) {
	r := reader{s: body}
	m = &ClientHello{LegacyVersion: r.u16("client_version")}
	copy(m.Random[:], r.fixed("random", 32))
	if r.err != nil {
		return nil, false
	}
	m.SessionID = r.vec8("session_id", 0, 32)
	suites := r.u16("cipher_suites")
	for n := min(int(suites), len(r.s)); n >= 2; n -= 2 {
		m.CipherSuites = append(m.CipherSuites, r.u16("cipher_suites"))
	}
	if len(m.CipherSuites) < int(suites/2) {
		return m, true
	}
	m.CompressionMethods = r.vec8("compression_methods", 1, 255)
	m.Extensions = r.cutExtensions(inClientHello)
	return m, true
}

// ParseCutServer reads the beginning of a ServerHello whose rest is not there: its random number
// and its suite, and of what follows that which stands there whole. It is false if not even those do.
func ParseCutServer(body []byte) (m *ServerHello, ok bool) {
	r := reader{s: body}
	m = &ServerHello{LegacyVersion: r.u16("server_version")}
	copy(m.Random[:], r.fixed("random", 32))
	m.SessionID = r.vec8("session_id", 0, 32)
	m.CipherSuite = r.u16("cipher_suite")
	if r.err != nil || m.LegacyVersion > 0x0303 { // drafts of TLS 1.3 had other fields
		return nil, false
	}
	m.CompressionMethod = r.u8("compression_method")
	in := inServerHello
	if m.Retry = m.Random == helloRetryRandom; m.Retry {
		in = inHelloRetryRequest
	}
	m.Extensions = r.cutExtensions(in)
	return m, true
}

// cutExtensions reads those extensions of a list that stand whole in what is there of it.
func (r *reader) cutExtensions(in place) (list []Extension) {
	for r.u16("extensions"); r.err == nil; {
		e := Extension{ID: r.u16("extension_type"), Data: r.vec16("extension_data", 0)}
		if r.err != nil {
			break
		}
		e.read(in, reader{s: e.Data})
		list = append(list, e)
	}
	return list
}

func parseClientHello(r *reader, body []byte) *ClientHello {
	m := &ClientHello{LegacyVersion: r.u16("client_version")}
	copy(m.Random[:], r.fixed("random", 32))
	m.SessionID = r.vec8("session_id", 0, 32)
	m.CipherSuites = r.uint16s("cipher_suites", r.vec16("cipher_suites", 2))
	m.CompressionMethods = r.vec8("compression_methods", 1, 255)
	if len(r.s) == 0 { // before RFC 3546 there were no extensions, and they are optional until TLS 1.2
		return m
	}
	m.Extensions = r.extensions(inClientHello)
	if n := len(m.Extensions); r.err == nil && n > 0 {
		if psk, ok := m.Extensions[n-1].Value.(OfferedPSKs); ok {
			// The extension ends the message, and the list of binders with its
			// length of two bytes ends the extension.
			size := 2
			for _, b := range psk.Binders {
				size += 1 + len(b)
			}
			m.BindersOffset = 4 + len(body) - size
		}
	}
	return m
}

func parseServerHello(r *reader) *ServerHello {
	m := &ServerHello{LegacyVersion: r.u16("server_version")}
	copy(m.Random[:], r.fixed("random", 32))
	// Up to draft 21 of TLS 1.3 a ServerHello had neither a session_id nor a compression_method.
	// Before draft 16 it said 0x0304, which none does since (RFC 8446 4.1.3: 0x0303).
	short := m.LegacyVersion > 0x7f00 && m.LegacyVersion <= 0x7f00+21 ||
		m.LegacyVersion == 0x0304 && len(r.s) >= 4 && 4+(int(r.s[2])<<8|int(r.s[3])) == len(r.s)
	if !short {
		m.SessionID = r.vec8("session_id", 0, 32)
	}
	m.CipherSuite = r.u16("cipher_suite")
	if !short {
		m.CompressionMethod = r.u8("compression_method")
	}
	m.Retry = m.Random == helloRetryRandom
	if len(r.s) == 0 {
		return m
	}
	in := inServerHello
	if m.Retry {
		in = inHelloRetryRequest
	}
	m.Extensions = r.extensions(in)
	return m
}

func parseNewSessionTicket(r *reader, ctx Context) *NewSessionTicket {
	m := &NewSessionTicket{Lifetime: r.u32("ticket_lifetime")}
	if !is13(ctx.Version) {
		m.Ticket = r.vec16("ticket", 0)
		return m
	}
	m.AgeAdd = r.u32("ticket_age_add")
	if ctx.Version>>8 != 0x7f || ctx.Version > 0x7f00+20 { // draft 21 of TLS 1.3 introduced it
		m.Nonce = r.vec8("ticket_nonce", 0, 255)
	}
	m.Ticket = r.vec16("ticket", 1)
	m.Extensions = r.extensions(inNewSessionTicket)
	return m
}

func parseCertificate(r *reader, ctx Context) *Certificate {
	m := &Certificate{}
	in13 := is13(ctx.Version)
	if in13 {
		m.RequestContext = r.vec8("certificate_request_context", 0, 255)
	}
	list := r.within(r.vec24("certificate_list", 0))
	if !in13 && isRawPublicKey(list.s) {
		m.Entries = []CertificateEntry{{Data: list.s}}
		return m
	}
	for len(list.s) > 0 {
		e := CertificateEntry{Data: list.vec24("certificate", 1)}
		if in13 {
			e.Extensions = list.extensions(inCertificate)
		}
		m.Entries = append(m.Entries, e)
	}
	if list.err != nil && r.err == nil {
		r.err = fmt.Errorf("certificate_list: entry %d: %w", len(m.Entries), list.err)
	}
	return m
}

// isRawPublicKey says whether the content of a TLS 1.2 certificate_list is one
// SubjectPublicKeyInfo with no length of its own (RFC 7250 3). A list of
// certificates cannot be mistaken for it: 0x30 would begin a certificate of
// more than 3 MB.
func isRawPublicKey(s []byte) bool {
	switch {
	case len(s) < 4 || s[0] != 0x30:
		return false
	case s[1] < 0x80:
		return len(s) == 2+int(s[1])
	case s[1] == 0x81:
		return len(s) == 3+int(s[2])
	case s[1] == 0x82:
		return len(s) == 4+int(s[2])<<8+int(s[3])
	}
	return false
}

func parseCertificateRequest(r *reader, ctx Context) *CertificateRequest {
	m := &CertificateRequest{}
	if is13(ctx.Version) {
		m.RequestContext = r.vec8("certificate_request_context", 0, 255)
		m.Extensions = r.extensions(inCertificateRequest)
		for _, e := range m.Extensions {
			switch v := e.Value.(type) {
			case SignatureAlgorithms:
				if e.ID == 13 {
					m.SignatureSchemes = v
				}
			case CertificateAuthorities:
				m.Authorities = v
			}
		}
		return m
	}
	m.CertificateTypes = r.vec8("certificate_types", 1, 255)
	if ctx.Version == 0 || ctx.Version >= 0x0303 {
		m.SignatureSchemes = r.uint16s("supported_signature_algorithms", r.vec16("supported_signature_algorithms", 2))
	}
	m.Authorities = r.vectors16("distinguished_name", r.vec16("certificate_authorities", 0), 1)
	return m
}

func parseCertificateVerify(r *reader, ctx Context) *CertificateVerify {
	m := &CertificateVerify{}
	if ctx.Version == 0 || ctx.Version >= 0x0303 {
		m.SignatureScheme = r.u16("algorithm")
	}
	m.Signature = r.vec16("signature", 0)
	return m
}

func parseServerKeyExchange(r *reader, ctx Context) *ServerKeyExchange {
	m := &ServerKeyExchange{KeyExchange: ctx.KeyExchange}
	params := r.s
	signed := false
	switch ctx.KeyExchange {
	case KeyExchangePSK, KeyExchangeRSAPSK, KeyExchangeDHEPSK, KeyExchangeECDHEPSK:
		m.PSKHint = r.vec16("psk_identity_hint", 0)
	}
	switch ctx.KeyExchange {
	case KeyExchangePSK, KeyExchangeRSAPSK:
	case KeyExchangeDHE, KeyExchangeDHAnon, KeyExchangeDHEPSK:
		signed = ctx.KeyExchange == KeyExchangeDHE
		m.P = r.vec16("dh_p", 1)
		m.G = r.vec16("dh_g", 1)
		m.Public = r.vec16("dh_Ys", 1)
	case KeyExchangeECDHE, KeyExchangeECDHAnon, KeyExchangeECDHEPSK:
		signed = ctx.KeyExchange == KeyExchangeECDHE
		// RFC 8422 5.4 leaves named_curve (3) alone; explicit curves are forbidden.
		if t := r.u8("curve_type"); r.err == nil && t != 3 {
			r.fail("curve_type", "%d is not named_curve (3)", t)
		}
		m.Group = r.u16("namedcurve")
		m.Public = r.vec8("public", 1, 255)
	case KeyExchangeRSA: // export suites only, RFC 2246 7.4.3
		signed = true
		m.Public = r.vec16("rsa_modulus", 1)
		r.vec16("rsa_exponent", 1)
	case KeyExchangeSRP: // RFC 5054 2.5.3
		m.P = r.vec16("srp_N", 1)
		m.G = r.vec16("srp_g", 1)
		r.vec8("srp_s", 1, 255)
		m.Public = r.vec16("srp_B", 1)
		signed = len(r.s) > 0 // only the SRP_SHA_RSA and SRP_SHA_DSS suites sign
	default:
		r.fail("key exchange", "the negotiated suite has no such message")
	}
	if r.err != nil {
		return m
	}
	m.Params = params[: len(params)-len(r.s) : len(params)-len(r.s)]
	if signed {
		if ctx.Version == 0 || ctx.Version >= 0x0303 {
			m.SignatureScheme = r.u16("algorithm")
		}
		m.Signature = r.vec16("signature", 0)
	}
	return m
}

func parseClientKeyExchange(r *reader, ctx Context) *ClientKeyExchange {
	m := &ClientKeyExchange{KeyExchange: ctx.KeyExchange}
	switch ctx.KeyExchange {
	case KeyExchangePSK, KeyExchangeRSAPSK, KeyExchangeDHEPSK, KeyExchangeECDHEPSK:
		m.PSKIdentity = r.vec16("psk_identity", 0)
	}
	switch ctx.KeyExchange {
	case KeyExchangePSK:
	case KeyExchangeRSA, KeyExchangeRSAPSK:
		if ctx.Version == 0x0300 { // SSL 3.0 sends no length (RFC 6101 5.6.7.1; RFC 5246 7.4.7.1)
			m.EncryptedPreMaster = r.rest("EncryptedPreMasterSecret", 1)
		} else {
			m.EncryptedPreMaster = r.vec16("EncryptedPreMasterSecret", 1)
		}
	case KeyExchangeDH, KeyExchangeDHE, KeyExchangeDHAnon, KeyExchangeDHEPSK:
		// Empty where the client's certificate already holds its public value (RFC 5246 7.4.7.2).
		if len(r.s) > 0 || ctx.KeyExchange != KeyExchangeDH && ctx.KeyExchange != KeyExchangeDHE {
			m.Public = r.vec16("dh_Yc", 1)
		}
	case KeyExchangeECDH, KeyExchangeECDHE, KeyExchangeECDHAnon, KeyExchangeECDHEPSK:
		// Empty where the client's certificate already holds its public value (RFC 8422 5.7).
		if len(r.s) > 0 || ctx.KeyExchange != KeyExchangeECDH && ctx.KeyExchange != KeyExchangeECDHE {
			m.Public = r.vec8("ecdh_Yc", 1, 255)
		}
	case KeyExchangeSRP: // RFC 5054 2.5.4
		m.Public = r.vec16("srp_A", 1)
	default:
		r.fail("key exchange", "the negotiated suite has no such message")
	}
	return m
}

func parseFinished(r *reader) *Finished {
	// 12 bytes in TLS up to 1.2, 36 in SSL 3.0, 32 in the GOST suites, the
	// hash's length in TLS 1.3.
	m := &Finished{VerifyData: r.rest("verify_data", 12)}
	if len(m.VerifyData) > 64 {
		r.fail("verify_data", "length %d, at most 64 is allowed", len(m.VerifyData))
	}
	return m
}

func parseCertificateStatus(r *reader) *CertificateStatus {
	m := &CertificateStatus{StatusType: r.u8("status_type")}
	switch {
	case r.err != nil:
	case m.StatusType == 1:
		m.Response = r.vec24("response", 1)
	case m.StatusType == 2: // ocsp_multi, RFC 6961 2.2: the leaf's comes first
		list := r.within(r.vec24("ocsp_response_list", 1))
		for i := 0; len(list.s) > 0; i++ {
			response := list.vec24("ocsp_response_list", 0)
			if i == 0 {
				m.Response = response
			}
		}
		if r.err == nil {
			r.err = list.err
		}
	default:
		r.fail("status_type", "%d is neither ocsp (1) nor ocsp_multi (2)", m.StatusType)
	}
	return m
}

func parseKeyUpdate(r *reader) *KeyUpdate {
	v := r.u8("request_update")
	if v > 1 {
		r.fail("request_update", "%d is neither 0 nor 1", v)
	}
	return &KeyUpdate{UpdateRequested: v == 1}
}

func parseNextProtocol(r *reader) *NextProtocol {
	m := &NextProtocol{Protocol: string(r.vec8("selected_protocol", 0, 255))}
	r.vec8("padding", 0, 255)
	return m
}
