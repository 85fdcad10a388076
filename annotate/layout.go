package annotate

import (
	"encoding/hex"
	"fmt"
	"strings"

	"explainer/annotate/event"
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
func (x *Explainer) layout(e *event.Event, c *conn, h *hands, m *capture.Message, b handshake.Message) {
	if !x.Bytes || m.Raw == nil || c.c.Transport == capture.TransportDTLS {
		return // its header is another
	}
	ctx := handshake.Context{Version: h.version(), FromClient: m.Side == capture.Client}
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

// maxPartRows is how many rows of bytes are written of one field.
const maxPartRows = 8

// bytes writes the bytes of a message, field by field.
func (t *Text) bytes(e *event.Event) {
	raw, err := hex.DecodeString(e.Raw)
	if err != nil || len(raw) == 0 {
		return
	}
	t.paragraph("", "        ", fmt.Sprintf("the %d bytes of this message, field by field:", len(raw)), dim)
	row := 16
	if t.Width > 0 && t.Width < 100 {
		row = 8
	}
	write := func(at, n int, name string) {
		for i := 0; i < n; i += row {
			if i == maxPartRows*row && n-i > row {
				t.line(fmt.Sprintf("          ....  %d more bytes", n-i))
				return
			}
			b := raw[at+i : at+min(i+row, n)]
			t.line(strings.TrimRight(fmt.Sprintf("          %04x  %-*s  %s", at+i, 3*row-1, fmt.Sprintf("% x", b), name), " "))
			name = ""
		}
	}
	pos := 0
	var ends []int // of the parts that hold the one at hand
	for i, p := range e.Layout {
		end := p.At + p.Len
		if p.At < pos || p.Len < 0 || end > len(raw) {
			continue
		}
		for len(ends) > 0 && ends[len(ends)-1] <= p.At && !(p.Len == 0 && ends[len(ends)-1] == p.At) {
			ends = ends[:len(ends)-1]
		}
		if p.At > pos {
			write(pos, p.At-pos, "")
			pos = p.At
		}
		name := strings.Repeat("  ", len(ends)) + clean(p.Name)
		if p.Is != "" {
			name += ": " + clean(p.Is)
		}
		if i+1 < len(e.Layout) && p.Len > 0 && e.Layout[i+1].At == p.At && e.Layout[i+1].At+e.Layout[i+1].Len <= end {
			t.line(fmt.Sprintf("          %04x  %-*s  %s", p.At, 3*row-1, "", name+":"))
			ends = append(ends, end)
			continue
		}
		if p.Len == 0 {
			t.line(fmt.Sprintf("          %04x  %-*s  %s", p.At, 3*row-1, "", name+" (empty)"))
		}
		write(p.At, p.Len, name)
		pos = end
	}
	if pos < len(raw) {
		write(pos, len(raw)-pos, "")
	}
}
