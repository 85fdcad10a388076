package annotate_test

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"explainer/annotate/event"
	"explainer/capture"
	"explainer/capture/pcap"
)

// TestFactsOverQUIC: what a proxy notes of a client's connection of QUIC is told in other words than of one over
// TCP, where those would be untrue: nobody asked it for a tunnel, and it shows no page.
func TestFactsOverQUIC(t *testing.T) {
	client, proxy, origin := netip.MustParseAddrPort("127.0.0.1:50001"), netip.MustParseAddrPort("127.0.0.1:40001"), netip.MustParseAddrPort("192.0.2.1:443")
	for _, test := range []struct {
		fact      capture.Fact
		tcp, quic []string
	}{
		{capture.Fact{Kind: capture.FactSession, Peer: 2}, []string{"fact-session"}, []string{"fact-session", "fact-session-quic"}},
		{capture.Fact{Kind: capture.FactDialFailed, Outcome: "refused"}, []string{"fact-dial-refused"}, []string{"fact-dial-refused-quic", "fact-quic-ended"}},
		{capture.Fact{Kind: capture.FactDialFailed, Outcome: "timeout"}, []string{"fact-dial-timeout"}, []string{"fact-dial-timeout-quic", "fact-quic-ended"}},
		{capture.Fact{Kind: capture.FactDialFailed, Outcome: "canceled"}, []string{"fact-dial-canceled"}, []string{"fact-dial-canceled"}},
		{capture.Fact{Kind: capture.FactLookupFailed}, []string{"fact-lookup-failed"}, []string{"fact-lookup-failed", "fact-quic-ended"}},
		{capture.Fact{Kind: capture.FactTLSFailed, Peer: 2, Outcome: "timeout"}, []string{"fact-tls-failed"}, []string{"fact-tls-failed", "fact-quic-ended"}},
		{capture.Fact{Kind: capture.FactName, Addr: "a.test"}, []string{"fact-name-none"}, []string{"fact-name-none-quic"}},
		{capture.Fact{Kind: capture.FactName, Addr: "a.test", Host: "b.test"}, []string{"fact-name"}, []string{"fact-name-quic"}},
		{capture.Fact{Kind: capture.FactOriginVerified, Peer: 2, Outcome: "expired", Done: "blocked", Found: []string{"expired"}}, []string{"fact-origin-blocked"}, []string{"fact-origin-blocked-quic", "fact-quic-ended"}},
	} {
		for _, overQUIC := range []bool{false, true} {
			var file bytes.Buffer
			w, err := pcap.NewWriter(&file, "")
			if err != nil {
				t.Fatal(err)
			}
			if overQUIC {
				w.OpenUDP(capture.LegBrowser, client, proxy).Write(capture.Client, 1e9, []byte("?"))
				w.OpenUDP(capture.LegOrigin, client, origin).Write(capture.Client, 1e9, []byte("?"))
			} else {
				w.Open(capture.LegBrowser, client, proxy, 1e9)
				w.Open(capture.LegOrigin, client, origin, 1e9)
			}
			f := test.fact
			f.Time, f.Conn, f.Host = 2e9, 1, max(f.Host, "a.test:443")
			if test.fact.Kind == capture.FactName {
				f.Host = test.fact.Host
			}
			w.Fact(f)
			w.Flush()
			var ids []string
			for _, e := range udpStory(t, file.Bytes()) {
				if e.Kind == event.KindFact {
					for _, s := range e.Says {
						ids = append(ids, s.ID)
					}
				}
			}
			want := test.tcp
			if overQUIC {
				want = test.quic
			}
			if !slices.Equal(ids, want) {
				t.Errorf("%s %s, over QUIC %v: %q, not %q", f.Kind, f.Outcome, overQUIC, ids, want)
			}
		}
	}
}
