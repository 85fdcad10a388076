package exam

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// shows are the questions about what a connection shows.
func (t *talk) shows() (all []Question) {
	if t.leg == nil {
		return nil
	}
	for _, ask := range []func() (Question, bool){t.keyTravels, t.certificateKey, t.nameSeen, t.requestSeen, t.firstData, t.vouched, t.port, t.refused} {
		if q, ok := ask(); ok {
			all = append(all, q)
		}
	}
	return all
}

// steps are the questions about what became of the book's steps.
func (t *talk) steps() (all []Question) {
	if t.leg == nil {
		return nil
	}
	for _, r := range t.leg.Rows {
		if q, ok := t.verdict(r); ok {
			all = append(all, q)
		}
	}
	return all
}

func (t *talk) row(step event.Step) *event.Row {
	if t.leg == nil {
		return nil
	}
	if i := slices.IndexFunc(t.leg.Rows, func(r event.Row) bool { return r.Step == step }); i >= 0 {
		return &t.leg.Rows[i]
	}
	return nil
}

// says is what the story says of a step.
func (t *talk) says(step event.Step) []event.Text {
	if r := t.row(step); r != nil && r.Says.ID != "" {
		return []event.Text{words.Whole(r.Says)}
	}
	return nil
}

func (t *talk) first(topic event.Topic, from string) *event.Event {
	if i := slices.IndexFunc(t.messages, func(e *event.Event) bool { return e.Topic == topic && e.From == from }); i >= 0 {
		return t.messages[i]
	}
	return nil
}

// verdict asks what became of a step.
func (t *talk) verdict(r event.Row) (q Question, ok bool) {
	verdicts := []event.Verdict{event.AsTold, event.Differently, event.Absent, event.Unseen, event.Inherited}
	if !slices.Contains(append(slices.Clone(verdicts), event.Failed, event.NotReached), r.Verdict) {
		return q, false
	}
	named := func(v event.Verdict) Answer {
		return Answer{ID: string(v), Text: words.Piece("exam/verdict-" + string(v))}
	}
	q = Question{ID: "verdict-" + string(r.Step), Conn: t.conn, Text: words.Piece("exam/q-verdict", "step", string(r.Step), "title", words.StepTitle(r.Step)), Why: t.says(r.Step)}
	var wrong []Answer
	for _, v := range verdicts {
		if v != r.Verdict {
			wrong = append(wrong, named(v))
		}
	}
	t.offer(&q, named(r.Verdict), [][]Answer{wrong})
	return q, true
}

// hybrid tells whether one of two secrets was encrypted by the server.
func (t *talk) hybrid() bool {
	e := t.first(event.TopicServerHello, "server")
	return e != nil && e.TLS != nil && strings.Contains(strings.ToUpper(e.TLS.Group), "MLKEM")
}

// keyTravels asks how both came to have a secret.
func (t *talk) keyTravels() (q Question, ok bool) {
	encrypted := Answer{ID: "encrypted", Text: words.Piece("exam/a-key-encrypted")}
	agreed := Answer{ID: "agreed", Text: words.Piece("exam/a-key-agreed")}
	both := Answer{ID: "both", Text: words.Piece("exam/a-key-both")}
	wrong := []Answer{
		{ID: "in-certificate", Text: words.Piece("exam/a-key-certificate")},
		{ID: "port", Text: words.Piece("exam/a-key-port")},
		{ID: "in-hello", Text: words.Piece("exam/a-key-hello")},
	}
	var right Answer
	switch {
	case t.leg.Flow == "tls12-rsa":
		right, wrong = encrypted, append(wrong, agreed)
	case t.leg.Flow == "tls12-ecdhe", t.leg.Flow == "tls12-dhe", strings.HasPrefix(t.leg.Flow, "tls13-full") && !t.hybrid(), t.leg.Flow == "tls13-hrr" && !t.hybrid():
		right, wrong = agreed, append(wrong, encrypted)
	case strings.HasPrefix(t.leg.Flow, "tls13-") && t.hybrid() && !strings.Contains(t.leg.Flow, "psk"):
		right, wrong = both, append(wrong, encrypted)
	default:
		return q, false
	}
	if !t.proven[words.ProofServerFin] && !t.proven[words.ProofClientFin] {
		return q, false // it may never have come to that
	}
	q = Question{ID: "key-travels", Conn: t.conn, Text: words.Piece("exam/q-key-travels"), Why: append(t.says(event.Step4c), t.says(event.Step5)...)}
	t.offer(&q, right, [][]Answer{wrong})
	return q, true
}

// certificateKey asks what the private key of the certificate did.
func (t *talk) certificateKey() (q Question, ok bool) {
	signed := Answer{ID: "signed", Text: words.Piece("exam/a-signed")}
	decrypted := Answer{ID: "decrypted", Text: words.Piece("exam/a-decrypted")}
	wrong := []Answer{{ID: "encrypted-page", Text: words.Piece("exam/a-encrypted-page")}, {ID: "was-sent", Text: words.Piece("exam/a-was-sent")}}
	var right Answer
	switch {
	case t.proven[words.ProofServerCV] || t.proven[words.ProofSKE]:
		right, wrong = signed, append(wrong, decrypted)
	case t.leg.Flow == "tls12-rsa" && t.proven[words.ProofServerFin]:
		right, wrong = decrypted, append(wrong, signed)
	default:
		return q, false
	}
	q = Question{ID: "key-use", Conn: t.conn, Text: words.Piece("exam/q-certificate-key"), Why: t.says(event.Step2)}
	t.offer(&q, right, [][]Answer{wrong})
	return q, true
}

// nameSeen asks who can see which site is asked for.
func (t *talk) nameSeen() (q Question, ok bool) {
	e := t.first(event.TopicClientHello, "client")
	if e == nil || e.TLS == nil || e.TLS.SNI == "" || t.inner || e.Evidence != event.Clear || e.Packets == nil {
		return q, false
	}
	q = Question{ID: "name-seen", Conn: t.conn, Event: e.N, Text: words.Piece("exam/q-name-seen"), Why: []event.Text{words.Piece("exam/why-name", "name", e.TLS.SNI, "packet", strconv.Itoa(e.Packets.Last))}}
	t.offer(&q, Answer{ID: "everybody", Text: words.Piece("exam/a-everybody")}, [][]Answer{{
		{ID: "nobody", Text: words.Piece("exam/a-nobody")},
		{ID: "the-two", Text: words.Piece("exam/a-the-two")},
		{ID: "key-holder", Text: words.Piece("exam/a-key-holder")},
	}})
	return q, true
}

// requestSeen asks what is seen of the first data.
func (t *talk) requestSeen() (q Question, ok bool) {
	e := t.first("application-data", "client")
	if e == nil || e.Evidence != event.Decrypted || e.Packets == nil || e.Size == nil {
		return q, false
	}
	q = Question{ID: "request-seen", Conn: t.conn, Event: e.N, Text: words.Piece("exam/q-request-seen", "packet", strconv.Itoa(e.Packets.Last)), Why: []event.Text{words.Piece("exam/why-request", "packet", strconv.Itoa(e.Packets.Last))}}
	t.offer(&q, Answer{ID: "size-and-time", Text: words.Piece("exam/a-size-and-time")}, [][]Answer{{
		{ID: "path", Text: words.Piece("exam/a-path")},
		{ID: "all", Text: words.Piece("exam/a-all")},
		{ID: "not-even", Text: words.Piece("exam/a-not-even")},
	}})
	return q, true
}

// firstData asks who encrypted data first.
func (t *talk) firstData() (q Question, ok bool) {
	i := slices.IndexFunc(t.messages, func(e *event.Event) bool { return e.Topic == "application-data" || e.Topic == "early-data" })
	for j := 0; j <= i; j++ {
		if t.unread[j] {
			return q, false // perhaps there were others
		}
	}
	if i < 0 || t.messages[i].Packets == nil {
		return q, false
	}
	e := t.messages[i]
	q = Question{ID: "first-data", Conn: t.conn, Event: e.N, Text: words.Piece("exam/q-first-data"), Why: why(e)}
	client, server := Answer{ID: "client", Text: words.Piece("exam/a-client-first")}, Answer{ID: "server", Text: words.Piece("exam/a-server-first")}
	right, wrong := client, server
	if e.From == "server" {
		right, wrong = server, client
	}
	t.offer(&q, right, [][]Answer{{wrong, {ID: "nobody", Text: words.Piece("exam/a-certificate-does")}, {ID: "no-data", Text: words.Piece("exam/a-no-data")}}})
	return q, true
}

// vouched asks what a certificate that passes says.
func (t *talk) vouched() (q Question, ok bool) {
	e := t.first(event.TopicCertificate, "server")
	if e == nil || len(e.Certificates) == 0 || len(e.Certificates[0].Names) == 0 {
		return q, false
	}
	name := event.Clip(e.Certificates[0].Names[0])
	q = Question{ID: "vouched", Conn: t.conn, Event: e.N, Text: words.Piece("exam/q-vouched", "name", name), Why: []event.Text{words.Piece("exam/why-vouched")}}
	t.offer(&q, Answer{ID: "key-of-name", Text: words.Piece("exam/a-key-of-name")}, [][]Answer{{
		{ID: "honest", Text: words.Piece("exam/a-honest")},
		{ID: "encrypts", Text: words.Piece("exam/a-encrypts")},
		{ID: "has-it", Text: words.Piece("exam/a-has-it")},
	}})
	return q, true
}

// port asks what the port shows.
func (t *talk) port() (q Question, ok bool) {
	if _, port, err := net.SplitHostPort(t.leg.To); err != nil || port != "443" {
		return q, false
	}
	q = Question{ID: "port", Conn: t.conn, Text: words.Piece("exam/q-port"), Why: []event.Text{words.Piece("exam/why-port")}}
	t.offer(&q, Answer{ID: "nothing-yet", Text: words.Piece("exam/a-nothing-yet")}, [][]Answer{{
		{ID: "encrypted", Text: words.Piece("exam/a-port-encrypted")},
		{ID: "checked", Text: words.Piece("exam/a-port-checked")},
		{ID: "right-server", Text: words.Piece("exam/a-port-right")},
	}})
	return q, true
}

// refused asks who ended a handshake.
func (t *talk) refused() (q Question, ok bool) {
	e := t.alert
	if e == nil || e.Packets == nil {
		return q, false
	}
	said := func(from, alert string) Answer {
		return Answer{ID: from + "-" + alert, Text: words.Piece("exam/a-refused", "who", words.Named("end", from), "alert", alert)}
	}
	other := "client"
	if e.From == other {
		other = "server"
	}
	q = Question{ID: "refused", Conn: t.conn, Event: e.N, Text: words.Piece("exam/q-refused"), Why: why(e)}
	wrong := []Answer{said(other, e.Alert.Name), {ID: "went-on", Text: words.Piece("exam/a-went-on")}}
	for _, alert := range []string{"bad_record_mac", "certificate_expired", "protocol_version"} {
		if alert != e.Alert.Name {
			wrong = append(wrong, said(e.From, alert))
		}
	}
	t.offer(&q, said(e.From, e.Alert.Name), [][]Answer{wrong})
	return q, true
}
