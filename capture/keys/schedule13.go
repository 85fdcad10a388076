package keys

import (
	"crypto"
	"crypto/hkdf"
)

// ExpandLabel is HKDF-Expand-Label (RFC 8446 7.1) without the prefix "tls13 ",
// which it adds. It returns n bytes, or nil if hash is none that this package
// has, or n is more than 255 hashes.
func ExpandLabel(hash crypto.Hash, secret []byte, label string, context []byte, n int) []byte {
	return expandLabel(hash, secret, "tls13 ", label, context, n)
}

// expandLabel is ExpandLabel with another prefix.
func expandLabel(hash crypto.Hash, secret []byte, prefix, label string, context []byte, n int) []byte {
	if !hash.Available() {
		return nil
	}
	info := make([]byte, 0, 2+1+len(prefix)+len(label)+1+len(context))
	info = append(info, byte(n>>8), byte(n), byte(len(prefix)+len(label)))
	info = append(info, prefix...)
	info = append(info, label...)
	info = append(info, byte(len(context)))
	info = append(info, context...)
	out, err := hkdf.Expand(hash.New, secret, string(info), n)
	if err != nil {
		return nil
	}
	return out
}

// Extract is HKDF-Extract (RFC 5869 2.2), with which a secret of the schedule takes
// in the next input (RFC 8446 7.1). An empty salt or input stands for zeros as long
// as the hash, as the schedule asks where there is no pre-shared key or no key
// exchange. It returns nil if hash is none that this package has.
func Extract(hash crypto.Hash, salt, input []byte) []byte {
	if !hash.Available() {
		return nil
	}
	if len(input) == 0 {
		input = make([]byte, hash.Size())
	}
	out, err := hkdf.Extract(hash.New, input, salt)
	if err != nil {
		return nil
	}
	return out
}

// DeriveSecret is Derive-Secret (RFC 8446 7.1), given the hash of the messages,
// which for the label "derived" is that of none: see [TranscriptHash].
func DeriveSecret(hash crypto.Hash, secret []byte, label string, transcriptHash []byte) []byte {
	if !hash.Available() {
		return nil
	}
	return ExpandLabel(hash, secret, label, transcriptHash, hash.Size())
}

// TrafficKeys makes the key and the 12-byte IV of one direction from a traffic
// secret: early data, handshake or application (RFC 8446 7.3).
func TrafficKeys(s *Suite, secret []byte) (key, iv []byte) {
	return ExpandLabel(s.Hash, secret, "key", nil, s.KeyLen), ExpandLabel(s.Hash, secret, "iv", nil, 12)
}

// NextTrafficSecret makes the application traffic secret that follows a
// KeyUpdate from the one before it (RFC 8446 7.2).
func NextTrafficSecret(s *Suite, secret []byte) []byte {
	return ExpandLabel(s.Hash, secret, "traffic upd", nil, s.hashLen())
}

// FinishedKey makes the HMAC key of a Finished message from the handshake traffic
// secret of its sender (RFC 8446 4.4.4; after the handshake, of the application
// traffic secret).
func FinishedKey(s *Suite, trafficSecret []byte) []byte {
	return ExpandLabel(s.Hash, trafficSecret, "finished", nil, s.hashLen())
}

// VerifyData13 makes the verify_data of a Finished message of TLS 1.3, as long as
// the hash (RFC 8446 4.4.4). transcriptHash covers all handshake messages before
// this Finished; see [MessageHash] for the one before a HelloRetryRequest.
func VerifyData13(s *Suite, trafficSecret, transcriptHash []byte) []byte {
	if !s.Hash.Available() {
		return nil
	}
	mac := newHMAC(s.Hash, FinishedKey(s, trafficSecret))
	mac.Write(transcriptHash)
	return mac.Sum(nil)
}

// MessageHash makes the message that stands for the first ClientHello in the
// transcript if a HelloRetryRequest followed (RFC 8446 4.4.1).
func MessageHash(s *Suite, clientHello []byte) []byte {
	if !s.Hash.Available() {
		return nil
	}
	return append([]byte{254, 0, 0, byte(s.Hash.Size())}, digest(s.Hash, [][]byte{clientHello})...)
}

// CertificateVerifyContent makes what a CertificateVerify message of TLS 1.3 signs
// (RFC 8446 4.4.3). transcriptHash covers all handshake messages through Certificate.
func CertificateVerifyContent(fromClient bool, transcriptHash []byte) []byte {
	const spaces = "                                                                " // 64
	content := spaces + "TLS 1.3, server CertificateVerify\x00"
	if fromClient {
		content = spaces + "TLS 1.3, client CertificateVerify\x00"
	}
	return append([]byte(content), transcriptHash...)
}
