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
	a := c.startTLSArgs(b, x.args(c))
	id := "starttls"
	switch {
	case b.Target != "":
		rename(&e, "starttls-tunnel", b.Protocol+" tunnel")
		e.Brief = "to " + clip(b.Target)
		id = "starttls-socks"
	case b.Answer == "":
		e.Brief = a.Value("request")
		id = "starttls-alone"
	default:
		e.Brief = a.Value("request") + ", answered " + a.Value("answer")
	}
	e.Says = []event.Sentence{words.Say(id, event.Clear, a)}
	x.emit(c, e)
}

func (c *View) startTLSArgs(b *capture.StartTLS, a Values) Values {
	return a.With("protocol", b.Protocol, "request", quoted(c.Text(b.Request)), "answer", quoted(c.Text(b.Answer)), "target", clip(b.Target))
}

// quoted is what was said, in quotes and on one line.
func quoted(s string) string {
	s = strings.Join(strings.Fields(clip(s)), " ")
	return "\"" + s + "\""
}
