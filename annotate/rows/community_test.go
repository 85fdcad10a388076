package rows

import "testing"

// TestCommunityID compares with what tshark 4.0 and the baseline of the specification
// (github.com/corelight/community-id-spec) have for the same flows.
func TestCommunityID(t *testing.T) {
	for _, of := range []struct{ transport, client, server, want string }{
		{"tcp", "128.232.110.120:34855", "66.35.250.204:80", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{"tcp", "66.35.250.204:80", "128.232.110.120:34855", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{"tcp", "192.168.100.67:57558", "142.251.39.35:443", "1:4iDdc+k/U62wKd88hTh3Kwizwg8="},
		{"dtls", "127.0.0.1:59546", "127.0.0.1:35816", "1:iUWEgmQ2fwqe+WJn/TwIAHN6AJ4="},
		{"tcp", "no address", "66.35.250.204:80", ""},
	} {
		if got := communityID(of.transport, of.client, of.server); got != of.want {
			t.Errorf("%v: %s", of, got)
		}
	}
}
