package annotate

import (
	"encoding/hex"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/capture"
	"explainer/capture/handshake"
)

// meaning says what a number in a field stands for.
func meaning(field string, b []byte) string {
	if field == "msg_type" && len(b) == 1 {
		return handshake.TypeName(handshake.Type(b[0]))
	}
	if len(b) != 2 {
		return ""
	}
	v := uint16(b[0])<<8 | uint16(b[1])
	switch field {
	case "extension_type":
		return handshake.ExtensionName(v)
	case "cipher_suite":
		return handshake.SuiteName(v)
	case "group", "namedcurve", "selected_group":
		return handshake.GroupName(v)
	case "algorithm":
		return handshake.SchemeName(v)
	case "client_version", "server_version", "selected_version":
		return handshake.VersionName(v)
	}
	return ""
}

// layout adds the bytes of a handshake message to its event, and which of them are which field.
func (x *Explainer) layout(e *event.Event, c *conn, h *proof.Handshake, m *capture.Message, b handshake.Message) {
	if !x.Bytes || m.Raw == nil || c.Conn.Transport == capture.TransportDTLS {
		return // its header is another
	}
	ctx := handshake.Context{Version: h.Version(), FromClient: m.Side == capture.Client}
	switch b := b.(type) {
	case *handshake.ServerKeyExchange:
		ctx.KeyExchange = b.KeyExchange
	case *handshake.ClientKeyExchange:
		ctx.KeyExchange = b.KeyExchange
	}
	e.Raw = hex.EncodeToString(m.Raw)
	last := handshake.Part{}
	for _, p := range handshake.Layout(m.Raw, ctx) {
		if p == last {
			continue // what is in an extension that is not read further is the extension's data
		}
		last = p
		e.Layout = append(e.Layout, event.Part{Name: p.Name, At: p.Start, Len: p.End - p.Start, Is: meaning(p.Name, m.Raw[p.Start:p.End])})
	}
}
