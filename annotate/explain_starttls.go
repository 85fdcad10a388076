package annotate

import (
	"strings"

	"explainer/annotate/event"
	"explainer/capture"
)

// startTLS tells which protocol stood before TLS and how it asked for it.
func (x *Explainer) startTLS(c *conn, m *capture.Message, b *capture.StartTLS) {
	if c.main.ch == nil {
		c.startTLS = b
	}
	e := x.event(c, m, event.KindMessage, b.Protocol+" asks for TLS")
	a := x.startTLSArgs(b, x.args(c))
	id := "starttls"
	switch {
	case b.Target != "":
		e.Name = b.Protocol + " tunnel"
		e.Brief = "to " + clip(b.Target)
		id = "starttls-socks"
	case b.Answer == "":
		e.Brief = a["request"]
		id = "starttls-alone"
	default:
		e.Brief = a["request"] + ", answered " + a["answer"]
	}
	e.Says = []event.Sentence{say(id, event.Clear, a)}
	x.emit(c, e)
}

func (x *Explainer) startTLSArgs(b *capture.StartTLS, a args) args {
	return a.with("protocol", b.Protocol, "request", quoted(x.text(b.Request)), "answer", quoted(x.text(b.Answer)), "target", clip(b.Target))
}

// quoted is what was said, in quotes and on one line.
func quoted(s string) string {
	s = strings.Join(strings.Fields(clip(s)), " ")
	return "\"" + s + "\""
}

// startTLSSentences tell what stands before TLS.
var startTLSSentences = []entry{
	{"starttls", "Both sides spoke {protocol} in clear until here. Then {client} asked for TLS on this same connection ({request}), and {server} agreed ({answer}). Everybody on the path could read what came before, and could have taken the request out: a client that goes on without TLS then has none.", []string{"3207 4", "3207 6", "7457 2.1"}},
	{"starttls-alone", "Both sides spoke {protocol} in clear until here. Then {client} asked for TLS on this same connection ({request}); TLS follows.", []string{"3207 4", "7457 2.1"}},
	{"starttls-socks", "{Client} asked {server}, a {protocol} proxy, for a connection to {target}, and got it. What follows passes through {server}; TLS runs between {client} and {target}.", []string{"1928 4"}},
	{"step-1-starttls", "{Client} opened a TCP connection to port {port} of {server}, not to 443, and spoke {protocol} on it in clear until it asked for TLS ({request}). From there on it is as with https.", []string{"9110 4.2.2", "3207 4"}},
	{"step-1-socks", "{Client} opened a TCP connection to port {port} of {server} and asked it, by {protocol}, for a connection to {target}: the host and port that the textbook means stand in that request.", []string{"1928 4"}},
	{"step-1-socks-other", "{Client} opened a TCP connection to port {port} of {server} and asked it, by {protocol}, for a connection to {target}, which is not port 443.", []string{"1928 4"}},
}
