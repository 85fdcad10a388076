package annotate

import (
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture"
)

// startTLS tells which protocol stood before TLS and how it asked for it.
func (x *Explainer) startTLS(c *conn, m *capture.Message, b *capture.StartTLS) {
	if c.main.Hello == nil {
		c.startTLS = b
	}
	e := x.event(c, m, event.KindMessage, "starttls", b.Protocol+" asks for TLS")
	a := x.startTLSArgs(b, x.args(c))
	id := "starttls"
	switch {
	case b.Target != "":
		rename(&e, "starttls-tunnel", b.Protocol+" tunnel")
		e.Brief = "to " + clip(b.Target)
		id = "starttls-socks"
	case b.Answer == "":
		e.Brief = a["request"]
		id = "starttls-alone"
	default:
		e.Brief = a["request"] + ", answered " + a["answer"]
	}
	e.Says = []event.Sentence{words.Say(id, event.Clear, a)}
	x.emit(c, e)
}

func (x *Explainer) startTLSArgs(b *capture.StartTLS, a words.Args) words.Args {
	return a.With("protocol", b.Protocol, "request", quoted(x.text(b.Request)), "answer", quoted(x.text(b.Answer)), "target", clip(b.Target))
}

// quoted is what was said, in quotes and on one line.
func quoted(s string) string {
	s = strings.Join(strings.Fields(clip(s)), " ")
	return "\"" + s + "\""
}
