package handshake

import "fmt"

// IsGREASE says whether v is one of the 16 values that mean nothing and are
// sent so that peers keep ignoring what they do not know: 0x0A0A, 0x1A1A, ...
// 0xFAFA (RFC 8701 2).
func IsGREASE(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

// name16 names a 16-bit number: from its table, as GREASE, or in hexadecimal.
func name16(names map[uint16]string, v uint16) string {
	if name, ok := names[v]; ok {
		return name
	}
	if IsGREASE(v) {
		return fmt.Sprintf("GREASE (0x%04x)", v)
	}
	return fmt.Sprintf("0x%04x", v)
}

func name8(names map[uint8]string, v uint8) string {
	if name, ok := names[v]; ok {
		return name
	}
	return fmt.Sprintf("0x%02x", v)
}

// VersionName is the name of a protocol version: "TLS 1.2", "TLS 1.3 (draft 28)".
func VersionName(v uint16) string {
	switch {
	case IsDraft(v) && v>>8 == 0x7f:
		return fmt.Sprintf("TLS 1.3 (draft %d)", v&0xff)
	case IsDraft(v):
		return fmt.Sprintf("TLS 1.3 (Facebook draft %d)", v&0xff)
	}
	return name16(versionNames, v)
}

var versionNames = map[uint16]string{
	0x0002: "SSL 2.0",
	0x0101: "TLCP 1.1", // GB/T 38636
	0x0300: "SSL 3.0",  // RFC 6101
	0x0301: "TLS 1.0",  // RFC 2246
	0x0302: "TLS 1.1",  // RFC 4346
	0x0303: "TLS 1.2",  // RFC 5246
	0x0304: "TLS 1.3",  // RFC 8446
	0x0100: "DTLS 1.0 (OpenSSL before 0.9.8f)",
	0xfeff: "DTLS 1.0", // RFC 4347
	0xfefd: "DTLS 1.2", // RFC 6347
	0xfefc: "DTLS 1.3", // RFC 9147
}

// TypeName is the name of a handshake message in the form that the RFCs use
// for its structure: "ClientHello".
func TypeName(t Type) string { return name8(typeNames, uint8(t)) }

// String is [TypeName].
func (t Type) String() string { return TypeName(t) }

var typeNames = map[uint8]string{
	0:   "HelloRequest",
	1:   "ClientHello",
	2:   "ServerHello",
	3:   "HelloVerifyRequest", // RFC 6347
	4:   "NewSessionTicket",   // RFC 5077
	5:   "EndOfEarlyData",
	6:   "HelloRetryRequest", // drafts of TLS 1.3 only
	8:   "EncryptedExtensions",
	9:   "RequestConnectionID", // RFC 9147
	10:  "NewConnectionID",     // RFC 9147
	11:  "Certificate",
	12:  "ServerKeyExchange",
	13:  "CertificateRequest",
	14:  "ServerHelloDone",
	15:  "CertificateVerify",
	16:  "ClientKeyExchange",
	17:  "ClientCertificateRequest", // RFC 9261
	20:  "Finished",
	21:  "CertificateURL",    // RFC 6066
	22:  "CertificateStatus", // RFC 6066
	23:  "SupplementalData",  // RFC 4680
	24:  "KeyUpdate",
	25:  "CompressedCertificate", // RFC 8879
	26:  "EKTKey",                // RFC 8870
	67:  "NextProtocol",          // draft-agl-tls-nextprotoneg
	203: "ChannelID",             // draft-balfanz-tls-channelid
	254: "MessageHash",           // RFC 8446 4.4.1, never on the wire
}

// GroupName is the registered name of a key exchange group: "x25519", "X25519MLKEM768".
func GroupName(v uint16) string { return name16(groupNames, v) }

var groupNames = map[uint16]string{
	// RFC 4492 5.1.1, all but secp256r1, secp384r1 and secp521r1 withdrawn by RFC 8422
	1:  "sect163k1",
	2:  "sect163r1",
	3:  "sect163r2",
	4:  "sect193r1",
	5:  "sect193r2",
	6:  "sect233k1",
	7:  "sect233r1",
	8:  "sect239k1",
	9:  "sect283k1",
	10: "sect283r1",
	11: "sect409k1",
	12: "sect409r1",
	13: "sect571k1",
	14: "sect571r1",
	15: "secp160k1",
	16: "secp160r1",
	17: "secp160r2",
	18: "secp192k1",
	19: "secp192r1",
	20: "secp224k1",
	21: "secp224r1",
	22: "secp256k1",
	23: "secp256r1",
	24: "secp384r1",
	25: "secp521r1",
	// RFC 7027
	26: "brainpoolP256r1",
	27: "brainpoolP384r1",
	28: "brainpoolP512r1",
	// RFC 8422 5.1.1
	29: "x25519",
	30: "x448",
	// RFC 8734
	31: "brainpoolP256r1tls13",
	32: "brainpoolP384r1tls13",
	33: "brainpoolP512r1tls13",
	// RFC 9189
	34: "GC256A",
	35: "GC256B",
	36: "GC256C",
	37: "GC256D",
	38: "GC512A",
	39: "GC512B",
	40: "GC512C",
	// RFC 8998
	41: "curveSM2",
	// RFC 7919
	0x0100: "ffdhe2048",
	0x0101: "ffdhe3072",
	0x0102: "ffdhe4096",
	0x0103: "ffdhe6144",
	0x0104: "ffdhe8192",
	// draft-ietf-tls-mlkem
	0x0200: "MLKEM512",
	0x0201: "MLKEM768",
	0x0202: "MLKEM1024",
	// RFC 10024
	0x11EB: "SecP256r1MLKEM768",
	0x11EC: "X25519MLKEM768",
	0x11ED: "SecP384r1MLKEM1024",
	// experiments that came before
	0x4138: "CECPQ2",
	0x6399: "X25519Kyber768Draft00",
	0x639A: "SecP256r1Kyber768Draft00",
	0xFE30: "X25519Kyber512Draft00",
	0xFE31: "X25519Kyber768Draft00 (old number)",
	// RFC 4492 5.1.1, withdrawn by RFC 8422
	0xFF01: "arbitrary_explicit_prime_curves",
	0xFF02: "arbitrary_explicit_char2_curves",
}

// SchemeName is the name of a signature scheme, "ecdsa_secp256r1_sha256". The
// pairs of hash and algorithm that only TLS 1.2 has are named in the same manner.
func SchemeName(v uint16) string { return name16(schemeNames, v) }

var schemeNames = map[uint16]string{
	// TLS 1.2 pairs (RFC 5246 7.4.1.4.1) that RFC 8446 reserves
	0x0101: "rsa_pkcs1_md5",
	0x0202: "dsa_sha1",
	0x0301: "rsa_pkcs1_sha224",
	0x0302: "dsa_sha224",
	0x0303: "ecdsa_sha224",
	0x0402: "dsa_sha256",
	0x0502: "dsa_sha384",
	0x0602: "dsa_sha512",
	// RFC 8446 4.2.3
	0x0201: "rsa_pkcs1_sha1",
	0x0203: "ecdsa_sha1",
	0x0401: "rsa_pkcs1_sha256",
	0x0403: "ecdsa_secp256r1_sha256",
	0x0501: "rsa_pkcs1_sha384",
	0x0503: "ecdsa_secp384r1_sha384",
	0x0601: "rsa_pkcs1_sha512",
	0x0603: "ecdsa_secp521r1_sha512",
	0x0804: "rsa_pss_rsae_sha256",
	0x0805: "rsa_pss_rsae_sha384",
	0x0806: "rsa_pss_rsae_sha512",
	0x0807: "ed25519",
	0x0808: "ed448",
	0x0809: "rsa_pss_pss_sha256",
	0x080A: "rsa_pss_pss_sha384",
	0x080B: "rsa_pss_pss_sha512",
	// draft-ietf-tls-tls13-pkcs1: client certificates with old keys
	0x0420: "rsa_pkcs1_sha256_legacy",
	0x0520: "rsa_pkcs1_sha384_legacy",
	0x0620: "rsa_pkcs1_sha512_legacy",
	// identity-based, draft-wang-tls-raw-public-key-with-ibc
	0x0704: "eccsi_sha256",
	0x0705: "iso_ibs1",
	0x0706: "iso_ibs2",
	0x0707: "iso_chinese_ibs",
	// RFC 8998
	0x0708: "sm2sig_sm3",
	// RFC 9367
	0x0709: "gostr34102012_256a",
	0x070A: "gostr34102012_256b",
	0x070B: "gostr34102012_256c",
	0x070C: "gostr34102012_256d",
	0x070D: "gostr34102012_512a",
	0x070E: "gostr34102012_512b",
	0x070F: "gostr34102012_512c",
	// RFC 8734
	0x081A: "ecdsa_brainpoolP256r1tls13_sha256",
	0x081B: "ecdsa_brainpoolP384r1tls13_sha384",
	0x081C: "ecdsa_brainpoolP512r1tls13_sha512",
	// RFC 9189: hash Intrinsic (8)
	0x0840: "gostr34102012_256",
	0x0841: "gostr34102012_512",
	// GOST as OpenSSL's engine numbered it before RFC 9189
	0xEDED: "gostr34102001_gostr3411",
	0xEEEE: "gostr34102012_256_gostr34112012_256",
	0xEFEF: "gostr34102012_512_gostr34112012_512",
	// draft-ietf-tls-mldsa
	0x0904: "mldsa44",
	0x0905: "mldsa65",
	0x0906: "mldsa87",
}

// AlertName is the name of an alert: "bad_certificate" (RFC 8446 6, RFC 5246 7.2).
func AlertName(description uint8) string { return name8(alertNames, description) }

var alertNames = map[uint8]string{
	0:   "close_notify",
	1:   "end_of_early_data (draft)", // before draft 19 of TLS 1.3
	10:  "unexpected_message",
	20:  "bad_record_mac",
	21:  "decryption_failed", // TLS 1.0 only; must not be sent
	22:  "record_overflow",
	30:  "decompression_failure", // TLS 1.2 and older
	40:  "handshake_failure",
	41:  "no_certificate", // SSL 3.0 only
	42:  "bad_certificate",
	43:  "unsupported_certificate",
	44:  "certificate_revoked",
	45:  "certificate_expired",
	46:  "certificate_unknown",
	47:  "illegal_parameter",
	48:  "unknown_ca",
	49:  "access_denied",
	50:  "decode_error",
	51:  "decrypt_error",
	52:  "too_many_cids_requested", // RFC 9147
	60:  "export_restriction",      // TLS 1.0 only
	70:  "protocol_version",
	71:  "insufficient_security",
	80:  "internal_error",
	86:  "inappropriate_fallback", // RFC 7507
	90:  "user_canceled",
	100: "no_renegotiation", // TLS 1.2 and older
	109: "missing_extension",
	110: "unsupported_extension",
	111: "certificate_unobtainable",        // RFC 6066 5
	112: "unrecognized_name",               // RFC 6066 3
	113: "bad_certificate_status_response", // RFC 6066 8
	114: "bad_certificate_hash_value",      // RFC 6066 5
	115: "unknown_psk_identity",            // RFC 4279 2
	116: "certificate_required",
	117: "general_error",           // RFC 9846 6.2
	120: "no_application_protocol", // RFC 7301 3.2
	121: "ech_required",            // RFC 9849 11.2
}

// AlertLevelName is "warning" or "fatal" (RFC 5246 7.2). TLS 1.3 ignores the
// level that is sent: there, every alert but close_notify and user_canceled is
// fatal (RFC 8446 6).
func AlertLevelName(level uint8) string {
	switch level {
	case 1:
		return "warning"
	case 2:
		return "fatal"
	}
	return fmt.Sprintf("0x%02x", level)
}

// CertificateTypeName names a value of the extensions cert_type,
// client_certificate_type and server_certificate_type (RFC 7250, RFC 6091).
func CertificateTypeName(v uint8) string { return name8(certificateTypeNames, v) }

var certificateTypeNames = map[uint8]string{
	0: "X509",
	1: "OpenPGP",
	2: "RawPublicKey",
	3: "1609Dot2", // RFC 8902
}

// ClientCertificateTypeName names a value of CertificateRequest.certificate_types
// (RFC 5246 7.4.4, RFC 8422 5.5).
func ClientCertificateTypeName(v uint8) string { return name8(clientCertificateTypeNames, v) }

var clientCertificateTypeNames = map[uint8]string{
	1:  "rsa_sign",
	2:  "dss_sign",
	3:  "rsa_fixed_dh",
	4:  "dss_fixed_dh",
	5:  "rsa_ephemeral_dh", // SSL 3.0
	6:  "dss_ephemeral_dh", // SSL 3.0
	20: "fortezza_dms",     // SSL 3.0
	21: "gost_sign94",      // draft-chudov-cryptopro-cptls
	22: "gost_sign01",      // draft-chudov-cryptopro-cptls
	64: "ecdsa_sign",
	65: "rsa_fixed_ecdh",
	66: "ecdsa_fixed_ecdh",
	67: "gost_sign256", // RFC 9189
	68: "gost_sign512", // RFC 9189
	80: "ibc_params",   // GB/T 38636
}

// CompressionMethodName names a compression of the record layer, "null" being
// the only one that TLS 1.3 allows (RFC 3749, RFC 3943).
func CompressionMethodName(v uint8) string { return name8(compressionMethodNames, v) }

var compressionMethodNames = map[uint8]string{0: "null", 1: "DEFLATE", 64: "LZS"}

// CertificateCompressionName names a value of compress_certificate (RFC 8879 3).
func CertificateCompressionName(v uint16) string { return name16(certificateCompressionNames, v) }

var certificateCompressionNames = map[uint16]string{1: "zlib", 2: "brotli", 3: "zstd"}

// PSKModeName names a value of psk_key_exchange_modes (RFC 8446 4.2.9; GREASE, RFC 8701 2).
func PSKModeName(v uint8) string {
	switch {
	case v == 0:
		return "psk_ke"
	case v == 1:
		return "psk_dhe_ke"
	case v >= 0x0b && (v-0x0b)%0x1f == 0 && v <= 0xe4: // 0x0B, 0x2A, ... 0xE4
		return fmt.Sprintf("GREASE (0x%02x)", v)
	}
	return fmt.Sprintf("0x%02x", v)
}
