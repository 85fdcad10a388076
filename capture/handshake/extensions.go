package handshake

// The values that Extension.Value can hold, all by value (not pointers).
type (
	ServerName             string     // 0: host_name of a ClientHello (RFC 6066 3)
	SupportedGroups        []uint16   // 10
	ECPointFormats         []uint8    // 11
	SignatureAlgorithms    []uint16   // 13, and 50 signature_algorithms_cert
	ALPN                   []string   // 16: offered, or the one chosen
	SupportedVersions      []uint16   // 43 in a ClientHello
	SelectedVersion        uint16     // 43 in a ServerHello
	PSKModes               []uint8    // 45: 0 psk_ke, 1 psk_dhe_ke
	KeyShares              []KeyShare // 51; in a ServerHello, one
	SelectedGroup          uint16     // 51 in a HelloRetryRequest
	SelectedPSK            uint16     // 41 in a ServerHello
	Cookie                 []byte     // 44
	CompressionAlgorithms  []uint16   // 27
	RecordSizeLimit        uint16     // 28
	MaxFragmentLength      uint8      // 1: 1 to 4 for 2^9 to 2^12
	SessionTicket          []byte     // 35
	RenegotiationInfo      []byte     // 0xff01
	MaxEarlyDataSize       uint32     // 42 in a NewSessionTicket
	ALPS                   []string   // 17513 (0x4469) and 17613 (0x44cd) in a ClientHello: draft-vvv-tls-alps
	DelegatedCredentials   []uint16   // 34
	CertificateAuthorities [][]byte   // 47: DER names
	SCTs                   [][]byte   // 18
	CertificateTypes       []uint8    // 9, 19 and 20: offered, or the one chosen
	HeartbeatMode          uint8      // 15: 1 peer may send, 2 peer must not (RFC 6520 2)
	NextProtocols          []string   // 13172 in a ServerHello: the expired draft-agl-tls-nextprotoneg
	Padding                int        // 21: bytes of zero (RFC 7685)
	ECHConfirmation        []byte     // 0xfe0d in a HelloRetryRequest: 8 bytes (RFC 9849 7.2.1)
	ECHRetryConfigs        []byte     // 0xfe0d in EncryptedExtensions: an ECHConfigList (RFC 9849 5)
)

// KeyShare is one entry of key_share (RFC 8446 4.2.8).
type KeyShare struct {
	Group    uint16
	Exchange []byte
}

// StatusRequest is status_request (5) in a ClientHello, RFC 6066 8.
type StatusRequest struct{ StatusType uint8 }

// StatusResponse is status_request (5) in a TLS 1.3 certificate entry: a DER OCSPResponse (RFC 8446 4.4.2.1).
type StatusResponse []byte

// OfferedPSKs is pre_shared_key (41) in a ClientHello (RFC 8446 4.2.11).
type OfferedPSKs struct {
	Identities []PSKIdentity
	Binders    [][]byte
}

// PSKIdentity is one offered pre-shared key: a ticket or an external name.
type PSKIdentity struct {
	Identity            []byte
	ObfuscatedTicketAge uint32
}

// ECH is encrypted_client_hello (0xfe0d) in a ClientHello (RFC 9849 5); whether it is real or GREASE cannot be seen.
type ECH struct {
	Inner    bool
	KDF      uint16
	AEAD     uint16
	ConfigID uint8
	Enc      []byte
	Payload  []byte
}

// place is the message in which an extension stands; it decides the definition.
type place uint8

const (
	inClientHello place = 1 << iota
	inServerHello
	inHelloRetryRequest
	inEncryptedExtensions
	inCertificate
	inCertificateRequest
	inNewSessionTicket
)

func (p place) String() string {
	switch p {
	case inClientHello:
		return "ClientHello"
	case inServerHello:
		return "ServerHello"
	case inHelloRetryRequest:
		return "HelloRetryRequest"
	case inEncryptedExtensions:
		return "EncryptedExtensions"
	case inCertificate:
		return "Certificate"
	case inCertificateRequest:
		return "CertificateRequest"
	case inNewSessionTicket:
		return "NewSessionTicket"
	}
	return "no message"
}

// extensions reads a list of extensions behind its length of two bytes
// (RFC 8446 4.2; RFC 5246 7.4.1.4).
func (r *reader) extensions(in place) []Extension {
	list := r.vec16("extensions", 0)
	count := 0
	for walk := (reader{s: list}); len(walk.s) > 0; count++ {
		walk.u16("extension_type")
		walk.vec16("extension_data", 0)
		if walk.err != nil {
			r.fail("extensions", "entry %d: %v", count+1, walk.err)
			return nil
		}
	}
	if count == 0 {
		return nil
	}
	extensions := make([]Extension, count)
	var seen *[1 << 16 / 64]uint64
	if count > 64 {
		seen = new([1 << 16 / 64]uint64) // a hostile list of 16383 must not cost its square
	}
	walk := r.within(list)
	for i := range extensions {
		e := &extensions[i]
		e.ID = walk.u16("extension_type")
		e.Data = walk.vec16("extension_data", 0)
		e.read(in, walk.within(e.Data))
		twice := false
		if seen == nil {
			twice = find(extensions[:i], e.ID) != nil
		} else {
			bit := uint64(1) << (e.ID % 64)
			twice = seen[e.ID/64]&bit != 0
			seen[e.ID/64] |= bit
		}
		switch {
		case twice:
			e.Value, e.Err = nil, "stands twice in the message" // RFC 8446 4.2
		case e.ID == extPreSharedKey && in == inClientHello && i != count-1 && e.Err == "":
			e.Value, e.Err = nil, "is not the last extension" // RFC 8446 4.2.11
		}
	}
	return extensions
}

// The extensions that are read or asked for by name.
const (
	extServerName             = 0
	extMaxFragmentLength      = 1
	extStatusRequest          = 5
	extCertType               = 9
	extSupportedGroups        = 10
	extECPointFormats         = 11
	extSignatureAlgorithms    = 13
	extHeartbeat              = 15
	extALPN                   = 16
	extSCT                    = 18
	extClientCertificateType  = 19
	extServerCertificateType  = 20
	extPadding                = 21
	extEncryptThenMAC         = 22
	extExtendedMasterSecret   = 23
	extCompressCertificate    = 27
	extRecordSizeLimit        = 28
	extDelegatedCredential    = 34
	extSessionTicket          = 35
	extPreSharedKey           = 41
	extEarlyData              = 42
	extSupportedVersions      = 43
	extCookie                 = 44
	extPSKKeyExchangeModes    = 45
	extCertificateAuthorities = 47
	extPostHandshakeAuth      = 49
	extSignatureAlgsCert      = 50
	extKeyShareDraft          = 40 // before draft 23 of TLS 1.3
	extKeyShare               = 51
	extNextProtocol           = 13172
	extALPSOld                = 17513
	extALPS                   = 17613
	extECH                    = 0xfe0d
	extRenegotiationInfo      = 0xff01
)

// allowedIn lists where the extensions that are read may stand (RFC 8446 4.2,
// and for TLS 1.2 the RFC of each).
func allowedIn(id uint16) place {
	switch id {
	case extServerName, extMaxFragmentLength, extALPN, extClientCertificateType, extServerCertificateType,
		extHeartbeat, extRecordSizeLimit:
		return inClientHello | inServerHello | inEncryptedExtensions
	case extCertType, extECPointFormats, extEncryptThenMAC, extExtendedMasterSecret, extSessionTicket,
		extNextProtocol, extRenegotiationInfo:
		return inClientHello | inServerHello
	case extStatusRequest, extSCT:
		return inClientHello | inServerHello | inCertificate | inCertificateRequest
	case extSupportedGroups:
		// A TLS 1.2 server must not send it (RFC 8422 4), but many do and it is read the same.
		return inClientHello | inServerHello | inEncryptedExtensions
	case extSignatureAlgorithms, extSignatureAlgsCert, extCertificateAuthorities, extCompressCertificate:
		return inClientHello | inCertificateRequest
	case extDelegatedCredential:
		return inClientHello | inCertificateRequest | inCertificate
	case extPreSharedKey:
		return inClientHello | inServerHello
	case extEarlyData:
		return inClientHello | inEncryptedExtensions | inNewSessionTicket
	case extSupportedVersions, extKeyShareDraft, extKeyShare:
		return inClientHello | inServerHello | inHelloRetryRequest
	case extCookie:
		return inClientHello | inHelloRetryRequest
	case extPadding, extPSKKeyExchangeModes, extPostHandshakeAuth:
		return inClientHello
	case extALPSOld, extALPS:
		return inClientHello | inEncryptedExtensions
	case extECH:
		return inClientHello | inHelloRetryRequest | inEncryptedExtensions
	}
	return ^place(0)
}

// read sets Value or Err from Data, which r has.
func (e *Extension) read(in place, r reader) {
	if allowedIn(e.ID)&in == 0 {
		e.Err = "has no place in " + in.String()
		return
	}
	value := e.value(&r, in)
	if err := r.end(); err != nil {
		e.Err = err.Error()
		return
	}
	e.Value = value
}

// value reads the content as its definition for this place asks. It leaves the
// reader empty unless bytes are left over, and is nil where nothing is defined.
func (e *Extension) value(r *reader, in place) any {
	switch e.ID {
	case extServerName: // RFC 6066 3; the answer is empty
		if in == inClientHello {
			return readServerName(r)
		}
		return nil

	case extMaxFragmentLength: // RFC 6066 4
		v := r.u8("max_fragment_length")
		if r.err == nil && (v < 1 || v > 4) {
			r.fail("max_fragment_length", "%d is not one of 1 to 4", v)
		}
		return MaxFragmentLength(v)

	case extStatusRequest:
		switch in {
		case inClientHello:
			v := StatusRequest{StatusType: r.u8("status_type")}
			if r.err == nil && v.StatusType != 1 { // only ocsp is defined
				r.rest("request", 0)
				return v
			}
			r.vec16("responder_id_list", 0)
			r.vec16("request_extensions", 0)
			return v
		case inCertificate:
			if t := r.u8("status_type"); r.err == nil && t != 1 {
				r.fail("status_type", "%d is not ocsp (1)", t)
			}
			return StatusResponse(r.vec24("response", 1))
		}
		return nil // the answer of TLS 1.2, and a CertificateRequest's: empty

	case extCertType, extClientCertificateType, extServerCertificateType: // RFC 6091 3.1, RFC 7250 3
		if in == inClientHello {
			return CertificateTypes(r.vec8("certificate_types", 1, 255))
		}
		return CertificateTypes(r.fixed("certificate_type", 1))

	case extSupportedGroups: // RFC 8422 5.1.1, RFC 8446 4.2.7
		return SupportedGroups(r.uint16s("named_group_list", r.vec16("named_group_list", 2)))

	case extECPointFormats: // RFC 8422 5.1.2
		return ECPointFormats(r.vec8("ec_point_format_list", 1, 255))

	case extSignatureAlgorithms, extSignatureAlgsCert: // RFC 8446 4.2.3
		return SignatureAlgorithms(r.uint16s("supported_signature_algorithms", r.vec16("supported_signature_algorithms", 2)))

	case extHeartbeat: // RFC 6520 2
		v := r.u8("mode")
		if r.err == nil && v != 1 && v != 2 {
			r.fail("mode", "%d is neither 1 nor 2", v)
		}
		return HeartbeatMode(v)

	case extALPN: // RFC 7301 3.1
		names := readNames(r, "protocol_name", r.vec16("protocol_name_list", 2))
		if r.err == nil && in != inClientHello && len(names) != 1 {
			r.fail("protocol_name_list", "the answer holds %d names, not one", len(names))
		}
		return ALPN(names)

	case extSCT: // RFC 6962 3.3.1
		if in == inServerHello || in == inCertificate {
			return SCTs(r.vectors16("serialized_sct", r.vec16("sct_list", 1), 1))
		}
		return nil

	case extPadding: // RFC 7685 3
		for _, b := range r.rest("padding", 0) {
			if b != 0 {
				r.fail("padding", "is not all zero")
				break
			}
		}
		return Padding(len(e.Data))

	case extEncryptThenMAC, extExtendedMasterSecret, extPostHandshakeAuth: // RFC 7366 2, RFC 7627 5.1, RFC 8446 4.2.6
		return nil

	case extCompressCertificate: // RFC 8879 3
		return CompressionAlgorithms(r.uint16s("algorithms", r.vec8("algorithms", 2, 254)))

	case extRecordSizeLimit: // RFC 8449 4
		v := r.u16("record_size_limit")
		if r.err == nil && v < 64 {
			r.fail("record_size_limit", "%d is less than 64", v)
		}
		return RecordSizeLimit(v)

	case extDelegatedCredential: // RFC 9345 4.1.1; in a Certificate it is the credential itself
		if in == inCertificate {
			r.rest("credential", 1)
			return nil
		}
		return DelegatedCredentials(r.uint16s("supported_signature_algorithms", r.vec16("supported_signature_algorithms", 2)))

	case extSessionTicket: // RFC 5077 3.2
		if len(e.Data) == 0 {
			return nil
		}
		return SessionTicket(r.rest("ticket", 1))

	case extPreSharedKey: // RFC 8446 4.2.11
		if in == inServerHello {
			return SelectedPSK(r.u16("selected_identity"))
		}
		return readOfferedPSKs(r)

	case extEarlyData: // RFC 8446 4.2.10
		if in == inNewSessionTicket {
			return MaxEarlyDataSize(r.u32("max_early_data_size"))
		}
		return nil

	case extSupportedVersions: // RFC 8446 4.2.1
		if in == inClientHello {
			return SupportedVersions(r.uint16s("versions", r.vec8("versions", 2, 254)))
		}
		return SelectedVersion(r.u16("selected_version"))

	case extCookie: // RFC 8446 4.2.2
		return Cookie(r.vec16("cookie", 1))

	case extPSKKeyExchangeModes: // RFC 8446 4.2.9
		return PSKModes(r.vec8("ke_modes", 1, 255))

	case extCertificateAuthorities: // RFC 8446 4.2.4
		return CertificateAuthorities(r.vectors16("distinguished_name", r.vec16("authorities", 3), 1))

	case extKeyShareDraft, extKeyShare:
		return readKeyShare(r, in)

	case extNextProtocol:
		if in == inClientHello {
			return nil
		}
		return NextProtocols(readNames(r, "protocol", r.rest("protocols", 0)))

	case extALPSOld, extALPS:
		if in == inClientHello {
			return ALPS(readNames(r, "protocol_name", r.vec16("supported_protocols", 2)))
		}
		r.rest("settings", 0) // the settings of the application protocol, opaque to TLS
		return nil

	case extECH:
		return readECH(r, in)

	case extRenegotiationInfo: // RFC 5746 3.2
		return RenegotiationInfo(r.vec8("renegotiated_connection", 0, 255))
	}
	r.rest("extension_data", 0)
	return nil
}

// readServerName reads the names of RFC 6066 3 and keeps the host_name, the
// only type that was ever defined.
func readServerName(r *reader) any {
	list := r.within(r.vec16("server_name_list", 1))
	var host any
	for len(list.s) > 0 {
		t := list.u8("name_type")
		name := list.vec16("host_name", 1)
		switch {
		case list.err != nil:
			r.err = list.err
			return nil
		case t != 0:
		case host != nil:
			r.fail("server_name_list", "holds two names of type host_name")
			return nil
		default:
			host = ServerName(name)
		}
	}
	return host
}

// readNames splits v into strings, each behind a length of one byte.
func readNames(r *reader, field string, v []byte) []string {
	in := r.within(v)
	var names []string
	for len(in.s) > 0 {
		names = append(names, string(in.vec8(field, 1, 255)))
	}
	if in.err != nil && r.err == nil {
		r.err, r.s = in.err, nil
	}
	return names
}

// readKeyShare reads key_share, whose form depends on its place (RFC 8446 4.2.8).
func readKeyShare(r *reader, in place) any {
	switch in {
	case inHelloRetryRequest:
		return SelectedGroup(r.u16("selected_group"))
	case inServerHello:
		return KeyShares{{Group: r.u16("group"), Exchange: r.vec16("key_exchange", 1)}}
	}
	list := r.within(r.vec16("client_shares", 0))
	shares := KeyShares{} // an empty list is a value too: it asks for a HelloRetryRequest
	for len(list.s) > 0 {
		shares = append(shares, KeyShare{Group: list.u16("group"), Exchange: list.vec16("key_exchange", 1)})
	}
	if list.err != nil && r.err == nil {
		r.err, r.s = list.err, nil
	}
	return shares
}

// readOfferedPSKs reads pre_shared_key of a ClientHello (RFC 8446 4.2.11).
func readOfferedPSKs(r *reader) any {
	var offered OfferedPSKs
	list := r.within(r.vec16("identities", 7))
	for len(list.s) > 0 {
		offered.Identities = append(offered.Identities, PSKIdentity{
			Identity:            list.vec16("identity", 1),
			ObfuscatedTicketAge: list.u32("obfuscated_ticket_age"),
		})
	}
	binders := r.within(r.vec16("binders", 33))
	for len(binders.s) > 0 {
		offered.Binders = append(offered.Binders, binders.vec8("binder", 32, 255))
	}
	for _, err := range []error{list.err, binders.err} {
		if err != nil && r.err == nil {
			r.err, r.s = err, nil
		}
	}
	if r.err == nil && len(offered.Binders) != len(offered.Identities) {
		r.fail("binders", "%d for %d identities", len(offered.Binders), len(offered.Identities))
	}
	return offered
}

// readECH reads encrypted_client_hello (RFC 9849 5, 7.1, 7.2.1).
func readECH(r *reader, in place) any {
	switch in {
	case inHelloRetryRequest:
		return ECHConfirmation(r.fixed("confirmation", 8))
	case inEncryptedExtensions:
		return ECHRetryConfigs(r.rest("retry_configs", 1))
	}
	t := r.u8("type")
	if r.err == nil && t == 1 {
		return ECH{Inner: true}
	}
	if r.err == nil && t != 0 {
		r.fail("type", "%d is neither outer (0) nor inner (1)", t)
	}
	return ECH{
		KDF:      r.u16("kdf_id"),
		AEAD:     r.u16("aead_id"),
		ConfigID: r.u8("config_id"),
		Enc:      r.vec16("enc", 0),
		Payload:  r.vec16("payload", 1),
	}
}
