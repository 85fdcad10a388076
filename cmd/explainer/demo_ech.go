package main

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/story"
	"explainer/annotate/text"
	"explainer/annotate/words"

	"github.com/urfave/cli/v2"
)

// demoECH takes encrypted hellos. The proxy has its key, and is the client that encrypts:
// to its own client it is a server that takes none.
const demoECH = "ech.explainer.test"

// fetchECH fetches the page of the act of --ech.
func fetchECH(c *cli.Context, l *live) error {
	if err := fetch(c.Context, l, "https://"+demoECH+"/", demoClient{agent: "explainer-demo"}); err != nil {
		return fails(err, words.Piece("error/demo-fetch", "host", demoECH, "error", story.WordsOf(err)))
	}
	return nil
}

// A heard is what is told of one connection, as far as the act of --ech compares it.
type heard struct {
	conn                 int // 0: the proxy's to the site
	hello, inner, server *event.Event
	request, answer      *event.Event
	certificate          *event.Certificate
	leg                  *event.Leg
	sealed               map[string]event.Text // by who sent it
}

// Event takes the next event.
func (h *heard) Event(e *event.Event) error {
	if e.Summary != nil {
		for _, leg := range e.Summary.Legs {
			if leg.Conn == h.conn {
				h.leg = &leg
			}
		}
	}
	if h.conn == 0 && e.Leg == "origin" {
		h.conn = e.Conn
	}
	if e.Conn != h.conn {
		return nil
	}
	kept := *e
	switch e.Topic {
	case event.TopicClientHello:
		h.hello = &kept
	case event.TopicInnerHello:
		h.inner = &kept
	case event.TopicServerHello:
		h.server = &kept
	case event.TopicCertificate:
		if h.certificate == nil && len(e.Certificates) > 0 {
			h.certificate = &e.Certificates[0]
		}
	case event.TopicRequest:
		h.request = &kept
	case event.TopicResponseBody:
		h.answer = &kept
	case event.TopicSealed:
		if h.sealed == nil {
			h.sealed = map[string]event.Text{}
		}
		h.sealed[e.From] = e.Brief
	}
	return nil
}

func (*heard) Flush() error  { return nil }
func (*heard) Finish() error { return nil }

// tellECH tells the proxy's connection to the site twice, side by side: as to somebody on
// the path, who has the recording without its keys, and with them.
func tellECH(c *cli.Context, events []event.Event) error {
	var server heard
	for i := range events {
		if err := server.Event(&events[i]); err != nil {
			return err
		}
	}
	path := heard{conn: server.conn}
	var wrong error
	err := story.New(&annotate.Explainer{Eavesdropper: true}, &path).Files([]string{c.String("write")}, story.FilesOptions{
		Say: func(event.Text) {}, Wrong: func(err error) { wrong = err },
	})
	if err := cmp.Or(err, wrong); err != nil {
		return err
	}
	if path.hello == nil || path.server == nil || server.leg == nil || server.certificate == nil || server.request == nil || server.answer == nil ||
		stateOf(server.inner, "ech-opened") != event.Proven || stateOf(server.server, "ech-confirmed") != event.Proven {
		return fails(errors.New("no accepted ECH"), words.Piece("error/demo-ech", "file", c.String("write")), words.Piece("demo/ech-next", "file", c.String("write")))
	}
	o, err := viewOptions(c, c.App.Writer, true)
	if err != nil {
		return err
	}
	t := story.NewShort(c.App.Writer, o)
	width := cmp.Or(o.Width, 110)
	t.Width = width
	t.Heading(words.Piece("demo/ech-act", "host", demoECH))
	t.Paragraph("  ", "", t.In(words.Piece("demo/ech-config")), text.Plain)
	t.Line("")
	label := 0
	rows := []struct {
		name, path, server event.Text
		proof              event.ProofState // of what the server got
	}{
		{event.Text{}, words.Piece("demo/ech-path"), words.Piece("demo/ech-server"), ""},
		{words.Piece("demo/ech-addresses"), event.Plain(server.leg.From + ", " + server.leg.To), words.Piece("demo/ech-same"), ""},
		{words.Piece("demo/ech-name"), event.Plain(path.hello.TLS.SNI), event.Plain(server.inner.TLS.SNI), ""},
		{event.Plain("ClientHello"), words.Piece("demo/ech-outer", "sealed", fieldOf(path.hello, "encrypted_client_hello")), words.Piece("demo/ech-opened"), stateOf(server.inner, "ech-opened")},
		{event.Plain("ServerHello"), words.Piece("demo/ech-random", "bytes", lastBytes(path.server)), words.Piece("demo/ech-taken", "bytes", lastBytes(server.server)), stateOf(server.server, "ech-confirmed")},
		{words.Piece("demo/ech-certificate"), words.Piece("demo/ech-sealed"), words.Piece("demo/ech-for", "names", strings.Join(server.certificate.Names, ", ")), ""},
		{words.Piece("demo/ech-request"), words.Piece("demo/ech-sealed-size", "size", path.sealed["client"]), event.Plain(server.request.HTTP.Method + " " + server.request.HTTP.Target), ""},
		{words.Piece("demo/ech-answer"), words.Piece("demo/ech-sealed-size", "size", path.sealed["server"]), server.answer.Brief, ""},
	}
	for _, r := range rows {
		label = max(label, text.Columns(t.In(r.name)))
	}
	for i, r := range rows {
		style := text.Plain
		if i == 0 {
			style = text.Bold
		}
		t.Beside("  "+text.Pad(t.In(r.name), label)+"  ", style, t.In(r.path), t.Proof(r.proof)+t.In(r.server))
	}
	t.Line("")
	for _, s := range server.server.Says {
		if s.ID == "ech-confirmed" {
			t.Paragraph("  ", "", t.In(words.Whole(s)), text.Plain)
		}
	}
	t.Paragraph("  ", "", t.In(words.Piece("demo/ech-left")), text.Plain)
	t.Line("")
	t.Heading(words.Piece("demo/next"))
	for _, next := range []event.Text{
		words.Piece("demo/ech-next", "file", c.String("write")),
		words.Piece("demo/ech-next-path", "n", strconv.Itoa(server.conn), "file", c.String("write")),
	} {
		t.Paragraph("  ", "", t.In(next), text.Plain)
	}
	return t.Flush()
}

// fieldOf is the value of a field of a message.
func fieldOf(e *event.Event, name string) event.Text {
	i := slices.IndexFunc(e.Fields, func(f event.Field) bool { return f.Name.English == name })
	if i < 0 {
		return event.Text{}
	}
	return e.Fields[i].Value
}

// stateOf is what came of a proof of a message.
func stateOf(e *event.Event, id string) event.ProofState {
	if e != nil {
		for _, p := range e.Proofs {
			if p.ID == id {
				return p.State
			}
		}
	}
	return event.NotCheckable
}

// lastBytes are those of the server's random number that say whether it took the
// encrypted hello (RFC 9849 7.2), in hexadecimal.
func lastBytes(server *event.Event) string {
	random := fieldOf(server, "random").English
	return random[max(len(random)-16, 0):]
}
