// Package handshake reads the messages of the TLS handshake, versions 1.0 to 1.3, into typed fields.
//
// It decodes only; there is no state between messages. What a message means
// may depend on what was negotiated before, which [Context] says.
package handshake

// Type is the first byte of a handshake message.
type Type uint8

// The registered types that are seen on the wire.
const (
	TypeHelloRequest          Type = 0
	TypeClientHello           Type = 1
	TypeServerHello           Type = 2
	TypeNewSessionTicket      Type = 4
	TypeEndOfEarlyData        Type = 5
	TypeEncryptedExtensions   Type = 8
	TypeCertificate           Type = 11
	TypeServerKeyExchange     Type = 12
	TypeCertificateRequest    Type = 13
	TypeServerHelloDone       Type = 14
	TypeCertificateVerify     Type = 15
	TypeClientKeyExchange     Type = 16
	TypeFinished              Type = 20
	TypeCertificateStatus     Type = 22
	TypeSupplementalData      Type = 23
	TypeKeyUpdate             Type = 24
	TypeCompressedCertificate Type = 25
	TypeNextProtocol          Type = 67
	TypeMessageHash           Type = 254
)

// KeyExchange is how a TLS 1.2-or-older suite makes the pre-master secret.
type KeyExchange uint8

const (
	KeyExchangeNone   KeyExchange = iota // unknown, or TLS 1.3
	KeyExchangeRSA                       // RSA key transport: the textbook's
	KeyExchangeDHE                       // ephemeral finite-field Diffie-Hellman, signed
	KeyExchangeECDHE                     // ephemeral elliptic-curve Diffie-Hellman, signed
	KeyExchangeDHAnon                    // unsigned
	KeyExchangeECDHAnon
	KeyExchangePSK
	KeyExchangeDHEPSK
	KeyExchangeECDHEPSK
	KeyExchangeRSAPSK
	KeyExchangeDH   // static, certificate carries the DH key
	KeyExchangeECDH // static
	KeyExchangeSRP
)

// Context is what was negotiated before a message and decides how it is read.
type Context struct {
	Version     uint16 // negotiated, 0 if not yet known
	KeyExchange KeyExchange
	FromClient  bool
}

// A Message is one of the pointer types below.
type Message interface{ Type() Type }

// Extension is one extension as sent, with its value read where it is known.
type Extension struct {
	ID   uint16
	Data []byte
	// Value is one of the types named in extensions.go, or nil where the
	// extension is unknown, GREASE, or empty.
	Value any
	// Err says why Data could not be read as the extension's definition asks,
	// naming the field ("named_group_list: odd length 3"), or why the
	// extension may not stand here. Value is nil then.
	Err string
}

// ClientHello: RFC 5246 7.4.1.2, RFC 8446 4.1.2.
type ClientHello struct {
	LegacyVersion      uint16
	Random             [32]byte
	SessionID          []byte // at most 32 bytes
	CipherSuites       []uint16
	CompressionMethods []uint8
	Extensions         []Extension
	Cookie             []byte // DTLS up to 1.2 alone: nil in TLS and in QUIC (RFC 6347 4.2.1)
	// BindersOffset is where the list of PSK binders begins in the message with
	// its 4-byte header, 0 without a pre_shared_key extension (RFC 8446 4.2.11.2).
	BindersOffset int
}

// ServerHello, and HelloRetryRequest when Retry (RFC 5246 7.4.1.3, RFC 8446 4.1.3, 4.1.4).
type ServerHello struct {
	LegacyVersion     uint16
	Random            [32]byte
	SessionID         []byte
	CipherSuite       uint16
	CompressionMethod uint8
	Extensions        []Extension
	Retry             bool
}

// EncryptedExtensions: RFC 8446 4.3.1.
type EncryptedExtensions struct{ Extensions []Extension }

// Certificate: RFC 5246 7.4.2, RFC 8446 4.4.2.
type Certificate struct {
	RequestContext []byte // TLS 1.3 only
	Entries        []CertificateEntry
}

// CertificateEntry is one certificate, DER, leaf first, with its TLS 1.3
// extensions. Where raw public keys were negotiated (RFC 7250), Data is a DER
// SubjectPublicKeyInfo instead.
type CertificateEntry struct {
	Data       []byte
	Extensions []Extension
}

// CompressedCertificate: RFC 8879 4. Certificate is nil, and Err says why, where it could not be undone.
type CompressedCertificate struct {
	Algorithm          uint16 // 1 zlib, 2 brotli, 3 zstd
	UncompressedLength int
	CompressedLength   int
	Certificate        *Certificate
	Err                string
}

// ServerKeyExchange: RFC 5246 7.4.3, RFC 8422 5.4, RFC 4279 2.
type ServerKeyExchange struct {
	KeyExchange     KeyExchange
	Params          []byte // the raw parameters that the signature covers, and the PSK hint if there is one
	Group           uint16 // ECDHE: named group
	Public          []byte // ECDHE point, DHE Ys, SRP B, or in an RSA export suite the temporary modulus; big-endian
	P, G            []byte // DHE, and SRP's N and g, big-endian
	PSKHint         []byte
	SignatureScheme uint16 // TLS 1.2; 0 before, where the leaf's key type decides
	Signature       []byte // nil where the suite is unsigned
}

// CertificateRequest: RFC 5246 7.4.4, RFC 8446 4.3.2.
type CertificateRequest struct {
	RequestContext   []byte   // TLS 1.3
	CertificateTypes []uint8  // TLS <= 1.2
	SignatureSchemes []uint16 // TLS 1.2; in 1.3 from the extension
	Authorities      [][]byte // DER names
	Extensions       []Extension
}

// ServerHelloDone: RFC 5246 7.4.5.
type ServerHelloDone struct{}

// HelloRequest: RFC 5246 7.4.1.1. Not part of the transcript.
type HelloRequest struct{}

// EndOfEarlyData: RFC 8446 4.5.
type EndOfEarlyData struct{}

// CertificateVerify: RFC 5246 7.4.8, RFC 8446 4.4.3.
type CertificateVerify struct {
	SignatureScheme uint16 // 0 before TLS 1.2
	Signature       []byte
}

// ClientKeyExchange: RFC 5246 7.4.7, RFC 8422 5.7, RFC 4279 2.
type ClientKeyExchange struct {
	KeyExchange        KeyExchange
	EncryptedPreMaster []byte // RSA: as long as the modulus
	Public             []byte // DHE Yc, ECDHE point or SRP A; nil where the client's certificate holds it
	PSKIdentity        []byte
}

// Finished: RFC 5246 7.4.9 (12 bytes), RFC 8446 4.4.4 (hash length).
type Finished struct{ VerifyData []byte }

// NewSessionTicket: RFC 5077 3.3, RFC 8446 4.6.1.
type NewSessionTicket struct {
	Lifetime   uint32 // seconds
	AgeAdd     uint32 // TLS 1.3
	Nonce      []byte // TLS 1.3
	Ticket     []byte
	Extensions []Extension // TLS 1.3
}

// CertificateStatus: RFC 6066 8. Response is a DER OCSPResponse.
type CertificateStatus struct {
	StatusType uint8  // 1 ocsp, 2 ocsp_multi (RFC 6961 2.2)
	Response   []byte // the leaf's; of ocsp_multi the first, which may be empty
}

// KeyUpdate: RFC 8446 4.6.3.
type KeyUpdate struct{ UpdateRequested bool }

// NextProtocol: the expired draft-agl-tls-nextprotoneg.
type NextProtocol struct{ Protocol string }

// Unknown is a message of a type that is not read further.
type Unknown struct {
	MessageType Type
	Data        []byte
}

func (*HelloRequest) Type() Type          { return TypeHelloRequest }
func (*ClientHello) Type() Type           { return TypeClientHello }
func (*ServerHello) Type() Type           { return TypeServerHello }
func (*NewSessionTicket) Type() Type      { return TypeNewSessionTicket }
func (*EndOfEarlyData) Type() Type        { return TypeEndOfEarlyData }
func (*EncryptedExtensions) Type() Type   { return TypeEncryptedExtensions }
func (*Certificate) Type() Type           { return TypeCertificate }
func (*ServerKeyExchange) Type() Type     { return TypeServerKeyExchange }
func (*CertificateRequest) Type() Type    { return TypeCertificateRequest }
func (*ServerHelloDone) Type() Type       { return TypeServerHelloDone }
func (*CertificateVerify) Type() Type     { return TypeCertificateVerify }
func (*ClientKeyExchange) Type() Type     { return TypeClientKeyExchange }
func (*Finished) Type() Type              { return TypeFinished }
func (*CertificateStatus) Type() Type     { return TypeCertificateStatus }
func (*KeyUpdate) Type() Type             { return TypeKeyUpdate }
func (*CompressedCertificate) Type() Type { return TypeCompressedCertificate }
func (*NextProtocol) Type() Type          { return TypeNextProtocol }
func (u *Unknown) Type() Type             { return u.MessageType }
