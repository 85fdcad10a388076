package capture_test

import (
	"slices"
	"testing"

	"explainer/capture"
)

// TestAfterTLS: what is no TLS behind the alert that ends it breaks nothing, as FTP goes on in clear.
func TestAfterTLS(t *testing.T) {
	secrets, rest := inputsOf(t, "testdata/recordings/starttls-ftp.pcapng", "")
	end := slices.IndexFunc(rest, func(in capture.Input) bool { c, ok := in.(*capture.Close); return ok && c.Side == capture.Server })
	if end < 0 || len(secrets) == 0 {
		t.Fatal("no end, or no secrets")
	}
	last := rest[end].(*capture.Close)
	again := &capture.Chunk{Conn: last.Conn, Side: last.Side, Time: last.Time, Packet: last.Packet, Data: []byte("PASV\r\n")}
	rest = slices.Insert(rest, end, capture.Input(again))
	var why []string
	for _, m := range decode(t, &capture.Decoder{}, slices.Concat(secrets, rest)) {
		switch b := m.Body.(type) {
		case *capture.Malformed:
			t.Errorf("malformed: %s", b.Err)
		case *capture.Opaque:
			why = append(why, b.Why)
		}
	}
	if len(why) == 0 || why[len(why)-1] != capture.OpaqueAfterTLS {
		t.Errorf("not read: %v", why)
	}
}
