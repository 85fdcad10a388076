package origins

const (
	blocked     = "before a proxy that blocks" // in the place of a client: the careless one
	nobodyMinds = "nobody minds"
)

// differences are those that are known and cannot be helped, or are meant.
var differences = []difference{
	// A server may have certificates with keys of several kinds, and show each client the
	// kind it knows. The proxy knows more kinds than browsers, so it cannot tell a server
	// that has nothing else from one that does; the leaf has a kind that the client knows.
	{"p521", "chromium", accepted, "it knows no P-521 key"},
	{"ed25519", "chromium", accepted, "it knows no Ed25519 key"},
	{"ed25519", "firefox", accepted, "it knows no Ed25519 key"},
	{"ed25519-1.2", "chromium", accepted, "it knows no Ed25519 key"},
	{"ed25519-1.2", "firefox", accepted, "it knows no Ed25519 key"},

	// The CAs above the leaf are not shown. What programs take of them and browsers do not cannot be
	// shown to the ones and kept from the others; nothing is wrong with these.
	{"ca-ed25519", "chromium", accepted, "it knows no Ed25519 key"},
	{"ca-ed25519", "firefox", accepted, "it knows no Ed25519 key"},
	{"chain-of-9", "firefox", accepted, "it follows no more than six CAs"},
	{"chain-of-9", blocked, accepted, "Firefox alone minds"},
	{"cross-signed-by-a-stranger-first", "curl", accepted, "OpenSSL tries one path, crypto/x509 all"},
	{"cross-signed-by-a-stranger-first", "curl-1.2", accepted, "OpenSSL tries one path, crypto/x509 all"},
	{"cross-signed-by-a-stranger-first", "python", accepted, "OpenSSL tries one path, crypto/x509 all"},

	// Firefox alone minds, by rules of its own, and is shown the same.
	{"staple-endless-old", blocked, accepted, "a response without an end is valid for ever by RFC 6960 4.2.2.1"},
	{"staple-for-forty-days", blocked, accepted, "Firefox counts ten days, whatever the response says"},
	{"must-staple-for-forty-days", blocked, accepted, "Firefox counts ten days, whatever the response says"},
	{"feature-unknown", blocked, accepted, "RFC 7633 4.2.2 asks clients for what they know of"},

	{"serial-negative", "", page, "crypto/x509 reads no certificate with one (RFC 5280 4.1.2.2)"},
	{"rsa-2040", nobodyMinds, "", "for OpenSSL it is as strong as one of 2048 bits, for the checks it is shorter"},
}
