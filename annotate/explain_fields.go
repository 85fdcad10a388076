package annotate

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/ca/verify"
	"explainer/capture/handshake"

	"golang.org/x/crypto/ocsp"
)

// maxExtensions bounds how many extensions are shown one by one.
const maxExtensions = 64

func serverHelloFields(b *handshake.ServerHello) []event.Field {
	f := []event.Field{
		{Name: "legacy version", Value: event.Plain(fmt.Sprintf("%04x (%s)", b.LegacyVersion, handshake.VersionName(b.LegacyVersion)))},
		{Name: "random", Value: event.Plain(hex.EncodeToString(b.Random[:])), Note: "32 bytes that enter every later key"},
		{Name: "session id", Value: event.Plain(bytesWords(b.SessionID))},
		{Name: "cipher suite", Value: event.Plain(handshake.SuiteName(b.CipherSuite)), Note: "the server's choice"},
	}
	if b.Retry {
		f[1].Note = "not random: the SHA-256 of \"HelloRetryRequest\", which is how this message is told from a ServerHello"
	}
	if b.CompressionMethod != 0 {
		f = append(f, field("compression", handshake.CompressionMethodName(b.CompressionMethod)))
	}
	return append(f, extensionFields(b.Extensions)...)
}

// extensionFields decodes extensions, in the order in which they were sent.
func extensionFields(list []handshake.Extension) []event.Field {
	var out []event.Field
	var bare, nothing []string
	for i, e := range list {
		if i == maxExtensions {
			out = append(out, field("more extensions", strconv.Itoa(len(list)-i)))
			break
		}
		if handshake.IsGREASE(e.ID) {
			nothing = append(nothing, fmt.Sprintf("%04x", e.ID))
			continue
		}
		name := handshake.ExtensionName(e.ID)
		if e.Err != "" {
			out = append(out, event.Field{Name: name, Value: event.Plain(hexLen(e.Data)), Note: "malformed: " + clip(e.Err)})
			continue
		}
		if e.ID == handshake.ExtQUICParameters || e.ID == handshake.ExtQUICParametersDraft {
			out = append(out, event.Field{Name: name, Value: event.Plain(words.Plural(len(e.Data), "byte")), Note: "what this end allows the other (RFC 9000 18)"})
			out = append(out, transportParameters(e.Data)...)
			continue
		}
		value, note := extensionValue(e)
		if value == "" {
			if len(e.Data) == 0 {
				bare = append(bare, name)
			} else {
				out = append(out, event.Field{Name: name, Value: event.Plain(hexLen(e.Data)), Note: note})
			}
			continue
		}
		if _, sni := e.Value.(handshake.ServerName); sni {
			continue // stands above
		}
		out = append(out, event.Field{Name: name, Value: event.Plain(value), Note: note})
	}
	if len(bare) > 0 {
		out = append(out, event.Field{Name: "extensions without content", Value: event.Plain(strings.Join(bare, ", "))})
	}
	if len(nothing) > 0 {
		out = append(out, event.Field{Name: "GREASE", Value: event.Plain(strings.Join(nothing, ", ")), Note: "extensions that mean nothing and keep servers tolerant (RFC 8701)"})
	}
	return out
}

// extensionValue is an extension's value in words.
func extensionValue(e handshake.Extension) (value, note string) {
	switch v := e.Value.(type) {
	case handshake.ServerName:
		return clip(string(v)), ""
	case handshake.SupportedGroups:
		return list(v, handshake.GroupName), "groups for the key exchange, most wanted first"
	case handshake.SignatureAlgorithms:
		return list(v, handshake.SchemeName), ""
	case handshake.DelegatedCredentials:
		return list(v, handshake.SchemeName), ""
	case handshake.ALPN:
		return clip(strings.Join(v, ", ")), "application protocols"
	case handshake.ALPS:
		return clip(strings.Join(v, ", ")), ""
	case handshake.SupportedVersions:
		return list(v, handshake.VersionName), "the versions really offered"
	case handshake.SelectedVersion:
		return handshake.VersionName(uint16(v)), "the version really chosen"
	case handshake.PSKModes:
		var out []string
		for _, m := range v {
			out = append(out, handshake.PSKModeName(m))
		}
		return strings.Join(out, ", "), "how an old secret may be taken up again"
	case handshake.KeyShares:
		var out []string
		for i, s := range v {
			if i == 16 {
				break
			}
			out = append(out, fmt.Sprintf("%s, %s: %s", grease(s.Group, handshake.GroupName), words.Plural(len(s.Exchange), "byte"), shortHex(s.Exchange)))
		}
		return strings.Join(out, "; "), "public keys for this connection"
	case handshake.SelectedGroup:
		return handshake.GroupName(uint16(v)), "the group that the server asks for"
	case handshake.SelectedPSK:
		return strconv.Itoa(int(v)), "which of the offered secrets the server took, counted from 0"
	case handshake.OfferedPSKs:
		return pskWords(v)
	case handshake.Cookie:
		return hexLen(v), "to be sent back"
	case handshake.CompressionAlgorithms:
		return list(v, handshake.CertificateCompressionName), ""
	case handshake.RecordSizeLimit:
		return fmt.Sprintf("%d bytes", v), ""
	case handshake.MaxFragmentLength:
		if v >= 1 && v <= 4 {
			return fmt.Sprintf("%d bytes", 256<<v), ""
		}
		return strconv.Itoa(int(v)), ""
	case handshake.SessionTicket:
		if len(v) == 0 {
			return "empty", "asks for a ticket"
		}
		return hexLen(v), "a ticket from an earlier connection"
	case handshake.RenegotiationInfo:
		if len(v) == 0 {
			return "empty", "the first handshake of this connection"
		}
		return hexLen(v), ""
	case handshake.MaxEarlyDataSize:
		return fmt.Sprintf("%d bytes", v), ""
	case handshake.CertificateAuthorities:
		return words.Plural(len(v), "name"), ""
	case handshake.SCTs:
		return words.Plural(len(v), "timestamp"), "promises of public logs to list the certificate"
	case handshake.StatusRequest:
		return "OCSP", "asks for a dated statement of the authority about whether the certificate is revoked"
	case handshake.StatusResponse:
		return words.Plural(len(v), "byte"), "OCSP"
	case handshake.ECPointFormats:
		return hex.EncodeToString(v[:min(len(v), 16)]), ""
	case handshake.ECH:
		return fmt.Sprintf("%d encrypted bytes", len(v.Payload)), "an encrypted hello, or random bytes that look like one"
	case handshake.ECHConfirmation:
		return hexLen(v), "tells whoever made the encrypted hello whether the server took it"
	case handshake.ECHRetryConfigs:
		return words.Plural(len(v), "byte"), "the keys with which the client may hide its next hello"
	case handshake.HeartbeatMode:
		if v == 1 {
			return "allowed", "whether the other side may send heartbeats"
		}
		return "not allowed", "whether the other side may send heartbeats"
	case handshake.NextProtocols:
		return clip(strings.Join(v, ", ")), "application protocols, in a forerunner of ALPN"
	case handshake.Padding:
		return words.Plural(int(v), "byte"), "zeros that make the message longer, and mean nothing"
	case handshake.CertificateTypes:
		var out []string
		for _, t := range v {
			out = append(out, handshake.CertificateTypeName(t))
		}
		return strings.Join(out, ", "), ""
	}
	return "", ""
}

func shortHex(b []byte) string {
	if len(b) > 16 {
		return hex.EncodeToString(b[:16]) + "..."
	}
	return hex.EncodeToString(b)
}

func pskWords(v handshake.OfferedPSKs) (value, note string) {
	var out []string
	for i, id := range v.Identities {
		if i == 8 {
			break
		}
		out = append(out, fmt.Sprintf("%s: %s", words.Plural(len(id.Identity), "byte"), shortHex(id.Identity)))
	}
	return strings.Join(out, "; "), fmt.Sprintf("names of old secrets, and %s: keyed checksums that are to show that the client knows them", words.Plural(len(v.Binders), "binder"))
}

func requestFields(b *handshake.CertificateRequest) []event.Field {
	var out []event.Field
	if len(b.CertificateTypes) > 0 {
		var t []string
		for _, v := range b.CertificateTypes {
			t = append(t, handshake.ClientCertificateTypeName(v))
		}
		out = append(out, field("certificate types", strings.Join(t, ", ")))
	}
	if len(b.SignatureSchemes) > 0 {
		out = append(out, field("signature algorithms", list(b.SignatureSchemes, handshake.SchemeName)))
	}
	out = append(out, event.Field{Name: "authorities", Value: event.Plain(words.Plural(len(b.Authorities), "name")), Note: "whose certificates the server would take; none means any"})
	return out
}

// sctFields describe signed certificate timestamps (RFC 6962 3.2).
func sctFields(name string, scts [][]byte) []event.Field {
	var out []event.Field
	for i, b := range scts {
		if i == 8 {
			return append(out, field(name, fmt.Sprintf("%d more", len(scts)-i)))
		}
		sct, ok := verify.ParseSCT(b)
		if !ok {
			out = append(out, event.Field{Name: name, Value: event.Plain(words.Plural(len(b), "byte")), Note: "cannot be read"})
			continue
		}
		out = append(out, event.Field{Name: name, Value: event.Plain(fmt.Sprintf("of the log %x, %s", sct.Log, date(sct.Time))), Note: "a public log's promise to list this certificate"})
	}
	return out
}

// stapleFields describe a stapled OCSP response (RFC 6066 8, RFC 6960 4.2).
func stapleFields(der []byte) []event.Field {
	r, err := ocsp.ParseResponse(der, nil)
	if err != nil {
		return []event.Field{{Name: "OCSP response", Value: event.Plain(words.Plural(len(der), "byte")), Note: "could not be read: " + clip(err.Error())}}
	}
	status := map[int]string{ocsp.Good: "good", ocsp.Revoked: "revoked", ocsp.Unknown: "unknown"}[r.Status]
	value := "the issuer says: " + status + ", as of " + date(r.ThisUpdate)
	if !r.NextUpdate.IsZero() {
		value += ", until " + date(r.NextUpdate)
	}
	if r.Status == ocsp.Revoked {
		value += "; revoked at " + date(r.RevokedAt)
	}
	return []event.Field{{Name: "OCSP response", Value: event.Plain(value), Note: "for the certificate with the serial number " + serial(r.SerialNumber)}}
}
