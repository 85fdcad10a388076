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
		{Name: words.FieldName("legacy version"), Value: event.Plain(fmt.Sprintf("%04x (%s)", b.LegacyVersion, handshake.VersionName(b.LegacyVersion)))},
		{Name: words.FieldName("random"), Value: event.Plain(hex.EncodeToString(b.Random[:])), Note: words.Piece("note/enters-every-key")},
		{Name: words.FieldName("session id"), Value: bytesWords(b.SessionID)},
		{Name: words.FieldName("cipher suite"), Value: event.Plain(handshake.SuiteName(b.CipherSuite)), Note: words.Piece("note/servers-choice")},
	}
	if b.Retry {
		f[1].Note = words.Piece("note/retry-random")
	}
	if b.CompressionMethod != 0 {
		f = append(f, field("compression", handshake.CompressionMethodName(b.CompressionMethod)))
	}
	return append(f, extensionFields(b.Extensions)...)
}

// extensionFields decodes extensions, in the order in which they were sent.
func extensionFields(list []handshake.Extension) []event.Field {
	out := make([]event.Field, 0, min(len(list), maxExtensions))
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
			out = append(out, event.Field{Name: event.Plain(name), Value: hexLen(e.Data), Note: words.Piece("note/malformed", "error", clip(e.Err))})
			continue
		}
		if e.ID == handshake.ExtQUICParameters || e.ID == handshake.ExtQUICParametersDraft {
			out = append(out, event.Field{Name: event.Plain(name), Value: words.Count(len(e.Data), "byte"), Note: words.Piece("note/quic-parameters")})
			out = append(out, transportParameters(e.Data)...)
			continue
		}
		value, note := extensionValue(e)
		if value.Empty() {
			if len(e.Data) == 0 {
				bare = append(bare, name)
			} else {
				out = append(out, event.Field{Name: event.Plain(name), Value: hexLen(e.Data), Note: note})
			}
			continue
		}
		if _, sni := e.Value.(handshake.ServerName); sni {
			continue // stands above
		}
		out = append(out, event.Field{Name: event.Plain(name), Value: value, Note: note})
	}
	if len(bare) > 0 {
		out = append(out, event.Field{Name: words.FieldName("extensions without content"), Value: event.Plain(strings.Join(bare, ", "))})
	}
	if len(nothing) > 0 {
		out = append(out, event.Field{Name: event.Plain("GREASE"), Value: event.Plain(strings.Join(nothing, ", ")), Note: words.Piece("note/grease")})
	}
	return out
}

// extensionValue is an extension's value in words.
func extensionValue(e handshake.Extension) (value, note event.Text) {
	switch v := e.Value.(type) {
	case handshake.ServerName:
		return event.Plain(clip(string(v))), event.Text{}
	case handshake.SupportedGroups:
		return list(v, handshake.GroupName), words.Piece("note/groups")
	case handshake.SignatureAlgorithms:
		return list(v, handshake.SchemeName), event.Text{}
	case handshake.DelegatedCredentials:
		return list(v, handshake.SchemeName), event.Text{}
	case handshake.ALPN:
		return event.Plain(clip(strings.Join(v, ", "))), words.Piece("note/alpn")
	case handshake.ALPS:
		return event.Plain(clip(strings.Join(v, ", "))), event.Text{}
	case handshake.SupportedVersions:
		return list(v, handshake.VersionName), words.Piece("note/supported-versions")
	case handshake.SelectedVersion:
		return event.Plain(handshake.VersionName(uint16(v))), words.Piece("note/selected-version")
	case handshake.PSKModes:
		var out []string
		for _, m := range v {
			out = append(out, handshake.PSKModeName(m))
		}
		return event.Plain(strings.Join(out, ", ")), words.Piece("note/psk-modes")
	case handshake.KeyShares:
		var out []event.Text
		for _, s := range v[:min(len(v), 16)] {
			out = append(out, words.Piece("value/share", "group", grease(s.Group, handshake.GroupName), "count", words.Count(len(s.Exchange), "byte"), "hex", shortHex(s.Exchange)))
		}
		return words.List(";", out...), words.Piece("note/key-shares")
	case handshake.SelectedGroup:
		return event.Plain(handshake.GroupName(uint16(v))), words.Piece("note/selected-group")
	case handshake.SelectedPSK:
		return event.Plain(strconv.Itoa(int(v))), words.Piece("note/selected-psk")
	case handshake.OfferedPSKs:
		return pskWords(v)
	case handshake.Cookie:
		return hexLen(v), words.Piece("note/cookie")
	case handshake.CompressionAlgorithms:
		return list(v, handshake.CertificateCompressionName), event.Text{}
	case handshake.RecordSizeLimit:
		return words.Count(int(v), "byte"), event.Text{}
	case handshake.MaxFragmentLength:
		if v >= 1 && v <= 4 {
			return words.Count(int(256<<v), "byte"), event.Text{}
		}
		return event.Plain(strconv.Itoa(int(v))), event.Text{}
	case handshake.SessionTicket:
		if len(v) == 0 {
			return words.Piece("value/empty"), words.Piece("note/asks-for-ticket")
		}
		return hexLen(v), words.Piece("note/ticket-earlier")
	case handshake.RenegotiationInfo:
		if len(v) == 0 {
			return words.Piece("value/empty"), words.Piece("note/first-handshake")
		}
		return hexLen(v), event.Text{}
	case handshake.MaxEarlyDataSize:
		return words.Count(int(v), "byte"), event.Text{}
	case handshake.CertificateAuthorities:
		return words.Count(len(v), "name"), event.Text{}
	case handshake.SCTs:
		return words.Count(len(v), "timestamp"), words.Piece("note/scts")
	case handshake.StatusRequest:
		return event.Plain("OCSP"), words.Piece("note/status-request")
	case handshake.StatusResponse:
		return words.Count(len(v), "byte"), event.Plain("OCSP")
	case handshake.ECPointFormats:
		return event.Plain(hex.EncodeToString(v[:min(len(v), 16)])), event.Text{}
	case handshake.ECH:
		if v.Inner {
			return event.Plain("inner"), words.Piece("note/ech-inner")
		}
		return words.Piece("brief/encrypted", "n", strconv.Itoa(len(v.Payload))), words.Piece("note/ech")
	case handshake.ECHConfirmation:
		return hexLen(v), words.Piece("note/ech-confirmation")
	case handshake.ECHRetryConfigs:
		return words.Count(len(v), "byte"), words.Piece("note/ech-retry")
	case handshake.HeartbeatMode:
		if v == 1 {
			return words.Piece("value/allowed"), words.Piece("note/heartbeats")
		}
		return words.Piece("value/not-allowed"), words.Piece("note/heartbeats")
	case handshake.NextProtocols:
		return event.Plain(clip(strings.Join(v, ", "))), words.Piece("note/next-protocols")
	case handshake.Padding:
		return words.Count(int(v), "byte"), words.Piece("note/padding")
	case handshake.CertificateTypes:
		var out []string
		for _, t := range v {
			out = append(out, handshake.CertificateTypeName(t))
		}
		return event.Plain(strings.Join(out, ", ")), event.Text{}
	}
	return event.Text{}, event.Text{}
}

func shortHex(b []byte) string {
	if len(b) > 16 {
		return hex.EncodeToString(b[:16]) + "..."
	}
	return hex.EncodeToString(b)
}

func pskWords(v handshake.OfferedPSKs) (value, note event.Text) {
	var out []event.Text
	for _, id := range v.Identities[:min(len(v.Identities), 8)] {
		out = append(out, words.Piece("value/identity", "count", words.Count(len(id.Identity), "byte"), "hex", shortHex(id.Identity)))
	}
	return words.List(";", out...), words.Piece("note/psks", "binders", words.Count(len(v.Binders), "binder"))
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
		out = append(out, fieldOf("signature algorithms", list(b.SignatureSchemes, handshake.SchemeName)))
	}
	out = append(out, event.Field{Name: words.FieldName("authorities"), Value: words.Count(len(b.Authorities), "name"), Note: words.Piece("note/accepted-authorities")})
	return out
}

// sctFields describe signed certificate timestamps (RFC 6962 3.2).
func sctFields(name event.Text, scts [][]byte) []event.Field {
	var out []event.Field
	for i, b := range scts {
		if i == 8 {
			return append(out, event.Field{Name: name, Value: words.Piece("value/more", "n", strconv.Itoa(len(scts)-i))})
		}
		sct, ok := verify.ParseSCT(b)
		if !ok {
			out = append(out, event.Field{Name: name, Value: words.Count(len(b), "byte"), Note: words.Piece("note/cannot-be-read")})
			continue
		}
		out = append(out, event.Field{Name: name, Value: words.Piece("value/of-log", "log", hex.EncodeToString(sct.Log[:]), "date", date(sct.Time)), Note: words.Piece("note/sct")})
	}
	return out
}

// stapleFields describe a stapled OCSP response (RFC 6066 8, RFC 6960 4.2).
func stapleFields(der []byte) []event.Field {
	r, err := ocsp.ParseResponse(der, nil)
	if err != nil {
		return []event.Field{{Name: words.FieldName("OCSP response"), Value: words.Count(len(der), "byte"), Note: words.Piece("note/could-not-be-read", "error", clip(err.Error()))}}
	}
	status := map[int]string{ocsp.Good: "good", ocsp.Revoked: "revoked", ocsp.Unknown: "unknown"}[r.Status]
	value := words.Piece("value/ocsp", "status", words.Named("ocsp", status), "date", date(r.ThisUpdate))
	if !r.NextUpdate.IsZero() {
		value = words.Piece("value/ocsp-until", "says", value, "until", date(r.NextUpdate))
	}
	if r.Status == ocsp.Revoked {
		value = words.Piece("value/ocsp-revoked", "says", value, "date", date(r.RevokedAt))
	}
	return []event.Field{{Name: words.FieldName("OCSP response"), Value: value, Note: words.Piece("note/for-serial", "serial", serial(r.SerialNumber))}}
}
