// Package fingerprint reduces the two Hellos to the short names that tools know programs by: JA3, JA3S and JA4.
//
// A fingerprint names the habits of a TLS library and its settings. Every copy
// of a program has the same one, and any program can imitate it: it is no proof
// of who speaks, and it does not name a user.
package fingerprint

import (
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"explainer/capture/handshake"
)

// A Transport is what carried a hello, as JA4 writes it.
type Transport byte

const (
	TCP  Transport = 't'
	QUIC Transport = 'q'
	DTLS Transport = 'd'
)

// JA3 is the fingerprint of a ClientHello by the definition of its authors at
// Salesforce (2017): the MD5, in hexadecimal, of text, which is client_version,
// the cipher suites, the extensions, the groups and the point formats, in the
// order in which they were sent and in decimal, GREASE left out. A client that
// shuffles its extensions has another one in each connection.
func JA3(h *handshake.ClientHello) (hash, text string) {
	var groups []uint16
	var formats []string
	for _, e := range h.Extensions {
		switch v := e.Value.(type) {
		case handshake.SupportedGroups:
			groups = v
		case handshake.ECPointFormats:
			for _, f := range v {
				formats = append(formats, strconv.Itoa(int(f)))
			}
		}
	}
	text = fmt.Sprintf("%d,%s,%s,%s,%s", h.LegacyVersion, decimal(h.CipherSuites), decimal(extensions(h.Extensions)), decimal(groups), strings.Join(formats, "-"))
	return md5Hex(text), text
}

// JA3S is the fingerprint of a ServerHello, by the same authors: the MD5 of
// server_version, the cipher suite and the extensions. It depends on what the
// client offered, so it names a server only together with the client's.
func JA3S(h *handshake.ServerHello) (hash, text string) {
	text = fmt.Sprintf("%d,%d,%s", h.LegacyVersion, h.CipherSuite, decimal(extensions(h.Extensions)))
	return md5Hex(text), text
}

// JA4 is the fingerprint of a ClientHello by the definition of FoxIO (2023;
// technical_details/JA4.md of the repository FoxIO-LLC/ja4). It has three parts:
//
//	a  transport, highest version, d if there is a server name and i if not,
//	   number of cipher suites and of extensions, ends of the first ALPN value
//	b  hash of the cipher suites, sorted
//	c  hash of the extensions, sorted, without server name and ALPN, and of the
//	   signature algorithms as they were sent
//
// A hash is the first 12 hexadecimal digits of a SHA-256, or zeros where there is
// nothing to hash; raw is the same with the lists in place of the hashes. GREASE
// is left out everywhere. Because of the sorting a client that shuffles its
// extensions keeps its JA4.
func JA4(h *handshake.ClientHello, t Transport) (hash, raw string) {
	suites := sent(h.CipherSuites)
	all := sent(extensions(h.Extensions))
	named := byte('i')
	var rest, schemes []uint16
	for _, id := range all {
		switch id {
		case handshake.ExtServerName:
			named = 'd'
		case handshake.ExtALPN:
		default:
			rest = append(rest, id)
		}
	}
	if e := h.Extension(handshake.ExtSignatureAlgorithms); e != nil {
		v, _ := e.Value.(handshake.SignatureAlgorithms)
		schemes = sent(v)
	}
	slices.Sort(suites)
	slices.Sort(rest)
	a := fmt.Sprintf("%c%s%c%02d%02d%s", t, version(h, t), named, min(len(suites), 99), min(len(all), 99), alpn(h))
	b, c := hexList(suites), hexList(rest)
	if len(schemes) > 0 {
		c += "_" + hexList(schemes)
	}
	return a + "_" + short(b, len(suites)) + "_" + short(c, len(rest)), a + "_" + b + "_" + c
}

// version is the highest version offered: of supported_versions, else client_version.
func version(h *handshake.ClientHello, t Transport) string {
	v := h.LegacyVersion
	if list := sent(h.Versions()); h.Extension(handshake.ExtSupportedVersions) != nil && len(list) > 0 {
		v = slices.MaxFunc(list, func(a, b uint16) int {
			if t == DTLS {
				return cmp.Compare(b, a) // DTLS counts down (RFC 6347 4.1)
			}
			return cmp.Compare(a, b)
		})
	}
	switch v {
	case 0x0304:
		return "13"
	case 0x0303:
		return "12"
	case 0x0302:
		return "11"
	case 0x0301:
		return "10"
	case 0x0300:
		return "s3"
	case 0x0002:
		return "s2"
	case 0xfeff:
		return "d1"
	case 0xfefd:
		return "d2"
	case 0xfefc:
		return "d3"
	}
	return "00"
}

// alpn is the first and the last character of the first protocol offered; of its
// hexadecimal form, if one of the two is no ASCII letter or digit.
func alpn(h *handshake.ClientHello) string {
	list := h.ALPN()
	if len(list) == 0 || list[0] == "" {
		return "00"
	}
	p := list[0]
	first, last := p[0], p[len(p)-1]
	if !alphanumeric(first) || !alphanumeric(last) {
		const digits = "0123456789abcdef"
		first, last = digits[first>>4], digits[last&15]
	}
	return string([]byte{first, last})
}

func alphanumeric(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z'
}

func extensions(list []handshake.Extension) []uint16 {
	ids := make([]uint16, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	return ids
}

// sent returns a copy without the values that mean nothing (RFC 8701).
func sent(values []uint16) []uint16 {
	return slices.DeleteFunc(slices.Clone(values), handshake.IsGREASE)
}

func decimal(values []uint16) string {
	var b []byte
	for _, v := range sent(values) {
		if len(b) > 0 {
			b = append(b, '-')
		}
		b = strconv.AppendUint(b, uint64(v), 10)
	}
	return string(b)
}

func hexList(values []uint16) string {
	var b []byte
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = hex.AppendEncode(b, []byte{byte(v >> 8), byte(v)})
	}
	return string(b)
}

// short is the hash of a list of n values.
func short(list string, n int) string {
	if n == 0 {
		return "000000000000"
	}
	sum := sha256.Sum256([]byte(list))
	return hex.EncodeToString(sum[:6])
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}
