package text

import (
	"strings"
	"testing"

	"explainer/annotate/event"
)

// TestBytes: each row of bytes stands behind its offset, in order, and none is left out of a short message.
func TestBytes(t *testing.T) {
	var out strings.Builder
	text := New(&out)
	text.Width, text.Messages = 120, true
	text.Event(&event.Event{Kind: event.KindMessage, Name: "CertificateVerify", Raw: "0f000008" + "0804" + "0004" + "01020304", Layout: []event.Part{
		{Name: "msg_type", At: 0, Len: 1, Is: "CertificateVerify"}, {Name: "length", At: 1, Len: 3, Is: ""}, {Name: "algorithm", At: 4, Len: 2, Is: "rsa_pss_rsae_sha256"}, {Name: "signature length", At: 6, Len: 2, Is: ""}, {Name: "signature", At: 8, Len: 4, Is: ""},
	}})
	text.Flush()
	var got []string
	for line := range strings.Lines(out.String()) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "00") {
			got = append(got, strings.Join(strings.Fields(line), " "))
		}
	}
	want := []string{
		"0000 0f msg_type: CertificateVerify", "0001 00 00 08 length", "0004 08 04 algorithm: rsa_pss_rsae_sha256",
		"0006 00 04 signature length", "0008 01 02 03 04 signature",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
