package rows

import (
	"strconv"
	"strings"

	"explainer/annotate/event"
)

// maxSeen bounds how many certificates are remembered. Beyond it one may get a row again.
const maxSeen = 1 << 18

// certificates writes a row for each certificate, where it is first seen.
type certificates struct {
	rows *Rows
	seen map[string]bool // by SHA-256, and session where that is asked for
}

// A certificate is one of a chain, where it was first seen.
type certificate struct {
	*event.Certificate
	capture string
	file    string
	place   int // in the chain, from 1, the leaf
	in      *event.Event
}

func (cs *certificates) event(e *event.Event) error {
	for i := range e.Certificates {
		of := &e.Certificates[i]
		key := of.SHA256
		if cs.rows.BySession {
			key += strconv.Itoa(e.Session)
		}
		if of.SHA256 == "" || cs.seen[key] {
			continue
		}
		if len(cs.seen) < maxSeen {
			cs.seen[key] = true
		}
		if err := write(&cs.rows.sink, certificateColumns, certificate{of, cs.rows.capture, cs.rows.file, i + 1, e}); err != nil {
			return err
		}
	}
	return nil
}

var certificateColumns = []column[certificate]{
	number("rows_version", func(certificate) int64 { return Version }),
	text("capture_sha256", func(c certificate) string { return c.capture }),
	text("sha256", func(c certificate) string { return c.SHA256 }),
	text("subject", func(c certificate) string { return c.Subject }),
	text("issuer", func(c certificate) string { return c.Issuer }),
	text("serial", func(c certificate) string { return c.Serial }),
	text("names", func(c certificate) string { return strings.Join(c.Names, ",") }),
	moment("not_before", func(c certificate) string { return c.NotBefore }),
	moment("not_after", func(c certificate) string { return c.NotAfter }),
	text("key_type", func(c certificate) string { return c.Key }),
	numbered("key_bits", func(c certificate) int { return c.Bits }),
	text("sent_by", func(c certificate) string { return c.in.From }),
	numbered("place", func(c certificate) int { return c.place }),
	text("host", func(c certificate) string { return c.in.Host }),
	numbered("conn", func(c certificate) int { return c.in.Conn }),
	moment("time", func(c certificate) string { return c.in.Time }),
	numbered("packet", func(c certificate) int {
		if c.in.Packets == nil {
			return 0
		}
		return c.in.Packets.Last
	}),
	text("file", func(c certificate) string { return c.file }),
	absent[certificate]("error"),
}
