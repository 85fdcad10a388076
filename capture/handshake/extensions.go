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
	ALPS                   []string   // 17513 (0x4469) and 17613 (0x44cd)
	DelegatedCredentials   []uint16   // 34
	CertificateAuthorities [][]byte   // 47: DER names
	SCTs                   [][]byte   // 18
	CertificateTypes       []uint8    // 19, 20
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
