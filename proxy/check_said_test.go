package proxy

import "testing"

// TestSaid: of what programs write when they refuse, the line that says why is kept.
func TestSaid(t *testing.T) {
	for _, c := range [][2]string{
		{"", ""},
		{"one\n\n", "one"},
		{"working\ndone", "done"},
		{"curl: (60) SSL certificate problem: self-signed certificate\nMore details here: https://curl.se/docs/sslcerts.html\n\nhow to fix it, please visit\n", "curl: (60) SSL certificate problem: self-signed certificate"},
		{"Traceback (most recent call last):\n  File \"ssl.py\", line 1\n    raise SSLError()\nssl.SSLCertVerificationError: expired\n\nDuring handling\nurllib.error.URLError: x\n", "ssl.SSLCertVerificationError: expired"},
		{"depth=0 CN = h\nverify return:1\n40:error:0A00007B:SSL routines:bad signature\nread\n", "40:error:0A00007B:SSL routines:bad signature"},
		{"verify return:1\nread\n", "verify return:1"},
		{"node:events:498\n      throw er; // Unhandled 'error' event\n\nError: certificate has expired\n    at TLSSocket\nNode.js v20\n", "Error: certificate has expired"},
	} {
		var l saidLine
		for i := range c[0] {
			l.Write([]byte(c[0][i : i+1]))
		}
		if l.String() != c[1] {
			t.Errorf("%q: %q, want %q", c[0], l.String(), c[1])
		}
	}
}
