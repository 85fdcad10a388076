package annotate_test

import (
	"testing"

	"explainer/annotate"
	"explainer/capture"
	"explainer/capture/web"
)

// BenchmarkRequest tells one exchange of HTTP on a connection that goes on.
func BenchmarkRequest(b *testing.B) {
	ms := messages(fixtures(b)["tls13-full"][0].inputs(0, capture.LegNone))
	x := new(annotate.Explainer)
	var exchange []capture.Message
	for i := range ms {
		switch ms[i].Body.(type) {
		case *capture.Closed, *capture.Alert:
			continue
		case *web.Head, *web.Body, *capture.AppData:
			exchange = append(exchange, ms[i])
		}
		x.Explain(&ms[i])
	}
	b.ReportAllocs()
	for b.Loop() {
		for i := range exchange {
			x.Explain(&exchange[i])
		}
	}
}

// BenchmarkHandshake tells a whole connection with all its proofs.
func BenchmarkHandshake(b *testing.B) {
	ms := messages(fixtures(b)["tls13-full"][0].inputs(0, capture.LegNone))
	b.ReportAllocs()
	for b.Loop() {
		x := new(annotate.Explainer)
		for i := range ms {
			x.Explain(&ms[i])
		}
		x.Finish()
	}
}
