package capture_test

import (
	"bytes"
	"testing"

	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/pcap/pcaptest"
)

// TestOddRecordVersion: in TLS 1.3 a record's version is ignored for all purposes (RFC 8446 5.1): a
// record in clear with another one is read, and of an encrypted one, whose header its tag covers, only
// the tag fails.
func TestOddRecordVersion(t *testing.T) {
	packets, secrets := pcaptest.Of(t, "testdata/recordings/tls13-aes128-gcm.pcapng", 1400)
	dummy := []byte{20, 3, 3, 0, 1, 1} // the ChangeCipherSpec of the server, in clear
	changed := 0
	for i, p := range packets {
		if at := bytes.Index(p.IP, dummy); at > 0 && !p.FromClient() {
			ip := bytes.Clone(p.IP)
			ip[at+1], ip[at+2] = 7, 0x7f
			packets[i].IP = ip
			changed++
		}
	}
	if changed != 1 {
		t.Fatalf("%d dummies of the server", changed)
	}
	finished := 0
	for _, m := range pcaptest.Read(t, pcaptest.File(packets, 0), secrets) {
		switch b := m.Body.(type) {
		case *capture.Malformed:
			t.Errorf("the %v breaks the protocol: %s: %s", m.Side, b.Where, b.Err)
		case *capture.Opaque:
			t.Errorf("%d bytes of the %v are not read: %s", b.Len, m.Side, b.Why)
		case *handshake.Finished:
			finished++
		}
	}
	if finished != 2 {
		t.Errorf("%d Finished", finished)
	}
}
