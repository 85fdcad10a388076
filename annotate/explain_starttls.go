package annotate

import (
	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture"
)

// startTLS tells which protocol stood before TLS and how it asked for it.
func (x *Explainer) startTLS(c *conn, m *capture.Message, b *capture.StartTLS) {
	if c.Main.Hello == nil {
		c.StartTLS, c.Greeted = b, ""
		for i := range c.Sides { // what was said in clear before it is accounted for
			c.Sides[i].Account()
		}
	}
	e := x.event(c, m, event.KindMessage, "starttls", b.Protocol+" asks for TLS")
	a := c.StartTLSArgs(b, x.args(c))
	id := "starttls"
	switch {
	case b.Target != "":
		rename(&e, "starttls-tunnel", b.Protocol+" tunnel")
		e.Brief = words.Piece("brief/to", "target", clip(b.Target))
		id = "starttls-socks"
	case b.Refused:
		e.Brief = words.Piece("brief/answered", "request", a.Value("request"), "answer", a.Value("answer"))
		id = "starttls-refused"
	case b.Answer == "":
		e.Brief = a.Value("request")
		id = "starttls-alone"
	default:
		e.Brief = words.Piece("brief/answered", "request", a.Value("request"), "answer", a.Value("answer"))
	}
	e.Says = []event.Sentence{words.SayStartTLS(id, b.Protocol, event.Clear, a)}
	if b.Protocol == "TDS" {
		e.Says = append(e.Says, words.Say("starttls-tds", event.Clear, a))
	}
	x.emit(c, e)
}
