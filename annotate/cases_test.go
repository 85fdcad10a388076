package annotate_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/annotate/text"
	"explainer/capture"
	"explainer/capture/keys"
	"explainer/capture/pcap"
)

// TestReportedCases tells captures that were once told wrong, where the collection of them
// stands beside the project. What the project records itself of the same kinds is in the
// tests of each kind.
func TestReportedCases(t *testing.T) {
	dir := collection(t)
	if dir == "" {
		return
	}
	dir = filepath.Join(filepath.Dir(dir), "cases")
	if _, err := os.Stat(dir); err != nil {
		t.Log("no collection of cases beside the project")
		return
	}
	const both = `GET / [^¶]*¶.*GET /big\.txt ` // requests of the one connection that all of reading's encapsulations hold
	whole := []string{"not in the capture", "breaks the protocol", "neither TLS", "began before", "captured more than once"}
	told := map[string]bool{}
	for _, c := range []struct {
		file, keys  string
		says, never []string
	}{
		{"reading/curl13.pcapng", "reading/curl13.keys", []string{both}, whole},
		{"reading/curl13.pcapng", "reading/bom", []string{both}, whole},
		{"reading/curl13.pcapng", "reading/pad64", []string{both}, append([]string{"do(es)? not fit", "No keys"}, whole...)},
		{"reading/curl13.pcapng", "reading/onlyexporter", []string{`the key log has EXPORTER_SECRET, and not the line`}, append([]string{"open other records"}, whole...)},
		{"reading/dir_concat_sc.pcap", "reading/curl13.keys", []string{both}, whole},
		{"reading/erspan3.pcap", "reading/curl13.keys", []string{both}, whole},
		{"reading/nflog239.pcap", "reading/curl13.keys", []string{both}, whole},
		{"reading/qinq_9100.pcap", "reading/curl13.keys", []string{both}, whole},
		{"reading/sll2_pppoe.pcap", "reading/curl13.keys", []string{both}, whole},
		{"reading/tzsp37008.pcap", "reading/curl13.keys", []string{both}, whole},
		{"reading/wifi105.pcap", "reading/curl13.keys", []string{both}, whole},
		{"reading/skew_5ms.pcap", "reading/curl13.keys", []string{both}, whole},
		{"reading/snap256.pcap", "reading/curl13.keys", []string{`ClientHello +cut off`, `GET / `}, []string{"the ClientHello is not in the capture", "nobody can tell", " 0 records sealed"}},
		{"reading/h2x.pcapng", "reading/h2x.keys", []string{`PUSH_PROMISE`, `token=\*\*\*\*`}, append([]string{"PUSHSECRET", "CKSECRET", "AKSECRET", "YXV0aFNFQ1JFVA"}, whole...)},
		{"reading/tds.pcap", "reading/curl12.keys", []string{"TDS asks for TLS", `GET /big.txt`}, []string{"without an answer", "answer is not TLS", "not TLS, where", "step 1, failed", "failed at", "closed the connection without an alert"}},
		{"reading/ech.pcapng", "reading/ech.keys", []string{"GET /secret"}, append([]string{"REFUTED", "has no line"}, whole...)},
		{"reading/ff_quic_gso.pcapng", "reading/ff_h3.keys", []string{`ClientHello +up to TLS 1\.3, for www\.example\.test`}, append([]string{"no packet", "version of QUIC is not read"}, whole...)},
		{"quic/firefox153-h3-gso.pcapng", "", []string{`ClientHello +up to TLS 1\.3, for h3\.test, ALPN h3`}, append([]string{"no packet"}, whole...)},
		{"quic/quic-go-retry-0rtt-keyupdate.pcapng", "", []string{`1590 packets of the server`, `1060 datagrams of the server are in this capture as 529 packets`}, append([]string{"no packet"}, whole...)},
		{"quic/chromium156-h3.pcapng", "", []string{`ClientHello +up to TLS 1\.3, for h3\.test, ALPN h3`}, append([]string{"no packet"}, whole...)},
		{"quic/chromium156-h3-refuses-local-root.pcapng", "", []string{`certificate_unknown`}, append([]string{"no packet"}, whole...)},
		{"certs/intermediate-expired.pcapng", "", []string{`an authority in the chain had expired|issuer's certificate \(TestInt\) had expired`}, append([]string{"good enough for it"}, whole...)},
		{"certs/unknown-critical-extension.pcapng", "", []string{`marked as critical and not understood here`}, append([]string{"good enough for it", "unknown critical ext"}, whole...)},
		{"certs/ech-accepted-outer-keys.pcapng", "", nil, append([]string{"REFUTED", "did not check it, or what is spoken", "somebody who copied"}, whole...)},
		{"certs/mldsa-ech-go127.pcapng", "", []string{`ML-DSA-44`}, append([]string{"REFUTED", "key unreadable", "was not sent", "unknown key"}, whole...)},
		{"foreign/badcurveball.pcap", "", []string{`CVE-2020-0601`}, append([]string{"was not sent"}, whole...)},
		{"foreign/heuristic_tcp_ack_payload.pcap", "", []string{`firefox\.settings\.services\.mozilla\.com`, `bitrix\.info`}, []string{"neither TLS", "No TLS was found", "breaks the protocol"}},
		{"foreign/http__261__variant-03-cl_negative.pcap", "", []string{`its Content-Length breaks the rules`}, []string{"carried nothing"}},
		{"foreign/quic__interop__quic-go_quic-go__zerortt.pcap", "", nil, []string{"its Finished and what it acknowledges"}},
		{"foreign/smtps.pcapng", "", []string{`answer is not TLS`}, []string{"without an answer", "does not exist", "capture ends before"}},
		{"foreign/tls_1.2_unidirectional_server.pcapng", "", []string{`for 434\.6 ms|\+121\.3ms`}, []string{"the client had sent none", "capture ends before"}},
		{"foreign/tls__certificate-request-failed.pcap", "", []string{`the server's own check of the client's certificate`}, whole},
		{"foreign/tls__heartbleed-success.pcap", "", []string{`Heartbeat +claims 16365 bytes`}, []string{"step 4a, failed"}},
		{"foreign/tls__ml-dsa-44-cert.pcap", "", []string{`ML-DSA-44`}, []string{"unknown public key"}},
		{"foreign/tls__tls1.2-late-protocol-error.pcap", "", []string{`And the client encrypted first`}, []string{"had sent none until then"}},
		{"foreign/tls__tls13draft16-chrome55.0.2879.0-canary.pcap", "", []string{`TLS 1\.3 \(draft 14\)`}, []string{"up to TLS 1\\.2"}},
		{"foreign/tls2.pcap", "", nil, []string{"for 62\\.", "the client had sent none until then", "breaks the protocol"}},
	} {
		told[c.file] = true
		t.Run(strings.TrimSuffix(c.file+" "+filepath.Base(c.keys), " ."), func(t *testing.T) {
			t.Parallel()
			var lines strings.Builder
			to := text.New(&lines)
			to.Width = 1 << 20
			d := capture.Decoder{SecretsFirst: true}
			var x annotate.Explainer
			feed := func(ms []capture.Message) {
				for _, m := range ms {
					for _, e := range x.Explain(&m) {
						if err := to.Event(&e); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			if c.keys != "" {
				f, err := os.Open(filepath.Join(dir, c.keys))
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				if err := keys.ReadLog(f, func(s keys.Secret) { feed(d.Feed(&s)) }); err != nil {
					t.Fatal(err)
				}
			}
			f, err := os.Open(filepath.Join(dir, c.file))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r, err := pcap.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			r.Whole()
			for in, err := range r.All() {
				if err != nil {
					t.Fatal(err)
				}
				feed(d.Feed(in))
			}
			feed(d.Finish())
			for _, e := range x.Finish() {
				if err := to.Event(&e); err != nil {
					t.Fatal(err)
				}
			}
			if err := to.Finish(); err != nil {
				t.Fatal(err)
			}
			story := strings.ReplaceAll(lines.String(), "\n", "¶")
			for _, want := range c.says {
				if !regexp.MustCompile(want).MatchString(story) {
					t.Errorf("does not say %s", want)
				}
			}
			for _, never := range c.never {
				if at := regexp.MustCompile(".{0,100}" + never + ".{0,60}").FindString(story); at != "" {
					t.Errorf("says %q", at)
				}
			}
		})
	}
	for _, pattern := range []string{"reading/*.pcap*", "quic/*", "certs/*.pcap*", "foreign/*"} {
		all, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range all {
			if name, _ := filepath.Rel(dir, path); !told[name] {
				t.Errorf("%s is not told here", name)
			}
		}
	}
}
