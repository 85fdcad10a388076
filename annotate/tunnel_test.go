package annotate_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/capture/pcap/pcaptest"
)

// TestLostConnect: TLS in a tunnel is found where the request for the tunnel is missing, or its
// answer, or both; and not in what a request in clear carries.
func TestLostConnect(t *testing.T) {
	packets, secrets := pcaptest.Of(t, filepath.Join(ownRecordings, "connect.pcapng"), 1400)
	// The ClientHello in segments, of which the first has a few bytes and stands behind others.
	small, _ := pcaptest.Of(t, filepath.Join(ownRecordings, "connect.pcapng"), 7)
	lost := 0
	for small[lost].IP[33]&2 != 0 || len(small[lost].IP) == 40 {
		lost++
	}
	for name, left := range map[string][]pcaptest.Packet{
		"no request":              slices.Delete(slices.Clone(packets), 3, 4),
		"no answer":               slices.Delete(slices.Clone(packets), 4, 5),
		"neither":                 slices.Delete(slices.Clone(packets), 3, 5),
		"from the answer on":      packets[4:],
		"from the ClientHello on": packets[5:],
		"in small segments":       slices.Delete(slices.Clone(small), lost, lost+2),
	} {
		var got []string
		for _, e := range tellWire(t, pcaptest.File(left, 0), secrets) {
			switch {
			case e.Topic == event.TopicClientHello, e.Topic == event.TopicServerHello, e.Topic == event.TopicFinished && e.Evidence == event.Decrypted:
				got = append(got, string(e.Topic))
			case e.Topic == event.TopicRequest && e.Evidence == event.Decrypted:
				got = append(got, e.Brief.English)
			}
		}
		if want := []string{"client-hello", "server-hello", "finished", "finished", "GET /index.html"}; !slices.Equal(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	// The body of a request in clear, behind missing bytes of the answer, that is a ClientHello.
	post, _ := pcaptest.Of(t, filepath.Join(ownRecordings, "connect.pcapng"), 1400)
	head, end := "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\nX: ", "\r\n\r\n"
	head += strings.Repeat("x", len(post[3].IP)-40-len(head)-len(end)) + end
	copy(post[3].IP[40:], head)
	for _, e := range tellWire(t, pcaptest.File(slices.Delete(post, 4, 5), 0), secrets) {
		if e.Topic == event.TopicClientHello {
			t.Error("the body of a request is read as TLS")
		}
	}
}
