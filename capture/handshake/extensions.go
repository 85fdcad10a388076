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
		case e.ID == ExtPreSharedKey && in == inClientHello && i != count-1 && e.Err == "":
			e.Value, e.Err = nil, "is not the last extension" // RFC 8446 4.2.11
		}
	}
	return extensions
}

// The extensions that somebody asks for by number.
const (
	ExtServerName             = 0
	ExtMaxFragmentLength      = 1
	ExtStatusRequest          = 5
	ExtCertType               = 9
	ExtSupportedGroups        = 10
	ExtECPointFormats         = 11
	ExtSignatureAlgorithms    = 13
	ExtUseSRTP                = 14
	ExtHeartbeat              = 15
	ExtALPN                   = 16
	ExtStatusRequestV2        = 17
	ExtSCT                    = 18
	ExtClientCertificateType  = 19
	ExtServerCertificateType  = 20
	ExtPadding                = 21
	ExtEncryptThenMAC         = 22
	ExtExtendedMasterSecret   = 23
	ExtCompressCertificate    = 27
	ExtRecordSizeLimit        = 28
	ExtDelegatedCredential    = 34
	ExtSessionTicket          = 35
	ExtKeyShareDraft          = 40
	ExtPreSharedKey           = 41
	ExtEarlyData              = 42
	ExtSupportedVersions      = 43
	ExtCookie                 = 44
	ExtPSKKeyExchangeModes    = 45
	ExtCertificateAuthorities = 47
	ExtPostHandshakeAuth      = 49
	ExtSignatureAlgsCert      = 50
	ExtKeyShare               = 51
	ExtConnectionID           = 54
	ExtQUICParameters         = 57
	ExtNextProtocol           = 13172
	ExtALPSOld                = 17513
	ExtALPS                   = 17613
	ExtECH                    = 0xfe0d
	ExtRenegotiationInfo      = 0xff01
	ExtQUICParametersDraft    = 0xffa5
)

// An extension is a row of the registry: its number, its name there or in its draft, in
// which messages it may stand (RFC 8446 4.2, and for TLS 1.2 the RFC of each), and what
// reads its content there. A reader leaves nothing over and returns nil where
// nothing is defined.
type extension struct {
	id   uint16
	name string
	in   place
	read func(*reader, place) any
}

const anywhere = ^place(0)

// extensions has the registry by number.
var extensions = func() map[uint16]*extension {
	m := make(map[uint16]*extension, len(registry))
	for i := range registry {
		m[registry[i].id] = &registry[i]
	}
	return m
}()

// registry has all extensions that have a name.
var registry = []extension{
	{ExtServerName, "server_name", inClientHello | inServerHello | inEncryptedExtensions, readServerName},                              // RFC 6066 3
	{ExtMaxFragmentLength, "max_fragment_length", inClientHello | inServerHello | inEncryptedExtensions, readMaxFragmentLength},        // RFC 6066 4
	{2, "client_certificate_url", anywhere, opaque},                                                                                    // RFC 6066 5
	{3, "trusted_ca_keys", anywhere, opaque},                                                                                           // RFC 6066 6
	{4, "truncated_hmac", anywhere, opaque},                                                                                            // RFC 6066 7
	{ExtStatusRequest, "status_request", inClientHello | inServerHello | inCertificate | inCertificateRequest, readStatusRequest},      // RFC 6066 8, RFC 8446 4.4.2.1
	{6, "user_mapping", anywhere, opaque},                                                                                              // RFC 4681
	{7, "client_authz", anywhere, opaque},                                                                                              // RFC 5878
	{8, "server_authz", anywhere, opaque},                                                                                              // RFC 5878
	{ExtCertType, "cert_type", inClientHello | inServerHello, readCertificateTypes},                                                    // RFC 6091 3.1
	{ExtSupportedGroups, "supported_groups", inClientHello | inServerHello | inEncryptedExtensions, readGroups},                        // RFC 8422 5.1.1, RFC 8446 4.2.7; once elliptic_curves. A TLS 1.2 server must not send it (RFC 8422 4), but many do
	{ExtECPointFormats, "ec_point_formats", inClientHello | inServerHello, readPointFormats},                                           // RFC 8422 5.1.2
	{12, "srp", anywhere, opaque},                                                                                                      // RFC 5054
	{ExtSignatureAlgorithms, "signature_algorithms", inClientHello | inCertificateRequest, readSchemes},                                // RFC 8446 4.2.3
	{ExtUseSRTP, "use_srtp", anywhere, opaque},                                                                                         // RFC 5764
	{ExtHeartbeat, "heartbeat", inClientHello | inServerHello | inEncryptedExtensions, readHeartbeat},                                  // RFC 6520 2
	{ExtALPN, "application_layer_protocol_negotiation", inClientHello | inServerHello | inEncryptedExtensions, readALPN},               // RFC 7301 3.1
	{ExtStatusRequestV2, "status_request_v2", anywhere, opaque},                                                                        // RFC 6961 2.2
	{ExtSCT, "signed_certificate_timestamp", inClientHello | inServerHello | inCertificate | inCertificateRequest, readSCTs},           // RFC 6962 3.3.1
	{ExtClientCertificateType, "client_certificate_type", inClientHello | inServerHello | inEncryptedExtensions, readCertificateTypes}, // RFC 7250 3
	{ExtServerCertificateType, "server_certificate_type", inClientHello | inServerHello | inEncryptedExtensions, readCertificateTypes}, // RFC 7250 3
	{ExtPadding, "padding", inClientHello, readPadding},                                                                                // RFC 7685 3
	{ExtEncryptThenMAC, "encrypt_then_mac", inClientHello | inServerHello, empty},                                                      // RFC 7366 2
	{ExtExtendedMasterSecret, "extended_master_secret", inClientHello | inServerHello, empty},                                          // RFC 7627 5.1
	{24, "token_binding", anywhere, opaque},                                                                                            // RFC 8472
	{25, "cached_info", anywhere, opaque},                                                                                              // RFC 7924
	{26, "tls_lts", anywhere, opaque},                                                                                                  // draft-gutmann-tls-lts
	{ExtCompressCertificate, "compress_certificate", inClientHello | inCertificateRequest, readCompression},                            // RFC 8879 3
	{ExtRecordSizeLimit, "record_size_limit", inClientHello | inServerHello | inEncryptedExtensions, readRecordSizeLimit},              // RFC 8449 4
	{29, "pwd_protect", anywhere, opaque},                                                                                              // RFC 8492
	{30, "pwd_clear", anywhere, opaque},                                                                                                // RFC 8492
	{31, "password_salt", anywhere, opaque},                                                                                            // RFC 8492
	{32, "ticket_pinning", anywhere, opaque},                                                                                           // RFC 8672
	{33, "tls_cert_with_extern_psk", anywhere, opaque},                                                                                 // RFC 8773
	{ExtDelegatedCredential, "delegated_credential", inClientHello | inCertificateRequest | inCertificate, readDelegated},              // RFC 9345 4.1.1
	{ExtSessionTicket, "session_ticket", inClientHello | inServerHello, readTicket},                                                    // RFC 5077 3.2
	{36, "TLMSP", anywhere, opaque},                                                                                                    // ETSI TS 103 523-2
	{37, "TLMSP_proxying", anywhere, opaque},                                                                                           // ETSI TS 103 523-2
	{38, "TLMSP_delegate", anywhere, opaque},                                                                                           // ETSI TS 103 523-2
	{39, "supported_ekt_ciphers", anywhere, opaque},                                                                                    // RFC 8870
	{ExtKeyShareDraft, "key_share (draft)", inClientHello | inServerHello | inHelloRetryRequest, readKeyShare},                         // before draft 23 of TLS 1.3
	{ExtPreSharedKey, "pre_shared_key", inClientHello | inServerHello, readPSK},                                                        // RFC 8446 4.2.11
	{ExtEarlyData, "early_data", inClientHello | inEncryptedExtensions | inNewSessionTicket, readEarlyData},                            // RFC 8446 4.2.10
	{ExtSupportedVersions, "supported_versions", inClientHello | inServerHello | inHelloRetryRequest, readVersions},                    // RFC 8446 4.2.1
	{ExtCookie, "cookie", inClientHello | inHelloRetryRequest, readCookie},                                                             // RFC 8446 4.2.2
	{ExtPSKKeyExchangeModes, "psk_key_exchange_modes", inClientHello, readPSKModes},                                                    // RFC 8446 4.2.9
	{46, "ticket_early_data_info (draft)", anywhere, opaque},                                                                           // before draft 19 of TLS 1.3
	{ExtCertificateAuthorities, "certificate_authorities", inClientHello | inCertificateRequest, readAuthorities},                      // RFC 8446 4.2.4
	{48, "oid_filters", anywhere, opaque},                                                                                              // RFC 8446 4.2.5
	{ExtPostHandshakeAuth, "post_handshake_auth", inClientHello, empty},                                                                // RFC 8446 4.2.6
	{ExtSignatureAlgsCert, "signature_algorithms_cert", inClientHello | inCertificateRequest, readSchemes},                             // RFC 8446 4.2.3
	{ExtKeyShare, "key_share", inClientHello | inServerHello | inHelloRetryRequest, readKeyShare},                                      // RFC 8446 4.2.8
	{52, "transparency_info", anywhere, opaque},                                                                                        // RFC 9162
	{53, "connection_id (deprecated)", anywhere, opaque},                                                                               // RFC 9146
	{ExtConnectionID, "connection_id", anywhere, opaque},                                                                               // RFC 9146 3
	{55, "external_id_hash", anywhere, opaque},                                                                                         // RFC 8844
	{56, "external_session_id", anywhere, opaque},                                                                                      // RFC 8844
	{ExtQUICParameters, "quic_transport_parameters", anywhere, opaque},                                                                 // RFC 9001 8.2
	{58, "ticket_request", anywhere, opaque},                                                                                           // RFC 9149
	{59, "dnssec_chain", anywhere, opaque},                                                                                             // RFC 9102
	{60, "sequence_number_encryption_algorithms", anywhere, opaque},                                                                    // draft-pismenny-tls-dtls-plaintext-sequence-number
	{61, "rrc", anywhere, opaque},                                                                                                      // draft-ietf-tls-dtls-rrc
	{62, "tls_flags", anywhere, opaque},                                                                                                // draft-ietf-tls-tlsflags
	{ExtNextProtocol, "next_protocol_negotiation", inClientHello | inServerHello, readNextProtocols},                                   // draft-agl-tls-nextprotoneg
	{ExtALPSOld, "application_settings (old number)", inClientHello | inEncryptedExtensions, readALPS},                                 // draft-vvv-tls-alps
	{ExtALPS, "application_settings", inClientHello | inEncryptedExtensions, readALPS},                                                 // draft-vvv-tls-alps
	{30031, "channel_id (old number)", anywhere, opaque},                                                                               // draft-balfanz-tls-channelid
	{30032, "channel_id", anywhere, opaque},                                                                                            // draft-balfanz-tls-channelid
	{0x8b47, "padding (old number)", anywhere, opaque},                                                                                 // draft-agl-tls-padding
	{0xca34, "trust_anchors", anywhere, opaque},                                                                                        // draft-ietf-tls-trust-anchor-ids
	{0xfd00, "ech_outer_extensions", anywhere, opaque},                                                                                 // RFC 9849 5.1
	{ExtECH, "encrypted_client_hello", inClientHello | inHelloRetryRequest | inEncryptedExtensions, readECH},                           // RFC 9849 5, 7.1, 7.2.1
	{ExtRenegotiationInfo, "renegotiation_info", inClientHello | inServerHello, readRenegotiationInfo},                                 // RFC 5746 3.2
	{ExtQUICParametersDraft, "quic_transport_parameters (draft)", anywhere, opaque},                                                    // before RFC 9001
	{0xffce, "encrypted_server_name", anywhere, opaque},                                                                                // draft-ietf-tls-esni, before ECH
}

// ExtensionName is the registered name of an extension: "server_name". Those
// with an unregistered number are named as their draft does.
func ExtensionName(v uint16) string {
	if e := extensions[v]; e != nil {
		return e.name
	}
	return name16(nil, v)
}

// read sets Value or Err from Data, which r has.
func (e *Extension) read(in place, r reader) {
	as := extensions[e.ID]
	if as == nil {
		as = &extension{in: anywhere, read: opaque}
	}
	if as.in&in == 0 {
		e.Err = "has no place in " + in.String()
		return
	}
	value := as.read(&r, in)
	if err := r.end(); err != nil {
		e.Err = err.Error()
		return
	}
	e.Value = value
}

// empty reads an extension without content.
func empty(*reader, place) any { return nil }

// opaque passes over what is not read.
func opaque(r *reader, _ place) any {
	r.rest("extension_data", 0)
	return nil
}

func readMaxFragmentLength(r *reader, _ place) any {
	v := r.u8("max_fragment_length")
	if r.err == nil && (v < 1 || v > 4) {
		r.fail("max_fragment_length", "%d is not one of 1 to 4", v)
	}
	return MaxFragmentLength(v)
}

func readStatusRequest(r *reader, in place) any {
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
}

func readCertificateTypes(r *reader, in place) any {
	if in == inClientHello {
		return CertificateTypes(r.vec8("certificate_types", 1, 255))
	}
	return CertificateTypes(r.fixed("certificate_type", 1))
}

func readGroups(r *reader, _ place) any {
	return SupportedGroups(r.uint16s("named_group_list", r.vec16("named_group_list", 2)))
}

func readPointFormats(r *reader, _ place) any {
	return ECPointFormats(r.vec8("ec_point_format_list", 1, 255))
}

func readSchemes(r *reader, _ place) any {
	return SignatureAlgorithms(r.uint16s("supported_signature_algorithms", r.vec16("supported_signature_algorithms", 2)))
}

func readHeartbeat(r *reader, _ place) any {
	v := r.u8("mode")
	if r.err == nil && v != 1 && v != 2 {
		r.fail("mode", "%d is neither 1 nor 2", v)
	}
	return HeartbeatMode(v)
}

func readALPN(r *reader, in place) any {
	names := readNames(r, "protocol_name", r.vec16("protocol_name_list", 2))
	if r.err == nil && in != inClientHello && len(names) != 1 {
		r.fail("protocol_name_list", "the answer holds %d names, not one", len(names))
	}
	return ALPN(names)
}

func readSCTs(r *reader, in place) any {
	if in == inServerHello || in == inCertificate {
		return SCTs(r.vectors16("serialized_sct", r.vec16("sct_list", 1), 1))
	}
	return nil
}

func readPadding(r *reader, _ place) any {
	zeros := r.rest("padding", 0)
	for _, b := range zeros {
		if b != 0 {
			r.fail("padding", "is not all zero")
			break
		}
	}
	return Padding(len(zeros))
}

func readCompression(r *reader, _ place) any {
	return CompressionAlgorithms(r.uint16s("algorithms", r.vec8("algorithms", 2, 254)))
}

func readRecordSizeLimit(r *reader, _ place) any {
	v := r.u16("record_size_limit")
	if r.err == nil && v < 64 {
		r.fail("record_size_limit", "%d is less than 64", v)
	}
	return RecordSizeLimit(v)
}

// readDelegated reads the schemes that are offered; in a Certificate stands the credential itself.
func readDelegated(r *reader, in place) any {
	if in == inCertificate {
		r.rest("credential", 1)
		return nil
	}
	return DelegatedCredentials(r.uint16s("supported_signature_algorithms", r.vec16("supported_signature_algorithms", 2)))
}

func readTicket(r *reader, _ place) any {
	if len(r.s) == 0 {
		return nil
	}
	return SessionTicket(r.rest("ticket", 1))
}

func readPSK(r *reader, in place) any {
	if in == inServerHello {
		return SelectedPSK(r.u16("selected_identity"))
	}
	return readOfferedPSKs(r)
}

func readEarlyData(r *reader, in place) any {
	if in == inNewSessionTicket {
		return MaxEarlyDataSize(r.u32("max_early_data_size"))
	}
	return nil
}

func readVersions(r *reader, in place) any {
	if in == inClientHello {
		return SupportedVersions(r.uint16s("versions", r.vec8("versions", 2, 254)))
	}
	return SelectedVersion(r.u16("selected_version"))
}

func readCookie(r *reader, _ place) any { return Cookie(r.vec16("cookie", 1)) }

func readPSKModes(r *reader, _ place) any { return PSKModes(r.vec8("ke_modes", 1, 255)) }

func readAuthorities(r *reader, _ place) any {
	return CertificateAuthorities(r.vectors16("distinguished_name", r.vec16("authorities", 3), 1))
}

func readNextProtocols(r *reader, in place) any {
	if in == inClientHello {
		return nil
	}
	return NextProtocols(readNames(r, "protocol", r.rest("protocols", 0)))
}

// readALPS reads the protocols that are offered; the settings in the answer are the application's.
func readALPS(r *reader, in place) any {
	if in == inClientHello {
		return ALPS(readNames(r, "protocol_name", r.vec16("supported_protocols", 2)))
	}
	r.rest("settings", 0)
	return nil
}

func readRenegotiationInfo(r *reader, _ place) any {
	return RenegotiationInfo(r.vec8("renegotiated_connection", 0, 255))
}

// readServerName keeps the host_name, the only type of name that was ever defined.
// The answer is empty.
func readServerName(r *reader, in place) any {
	if in != inClientHello {
		return nil
	}
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
