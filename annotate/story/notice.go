package story

import (
	"fmt"
	"slices"
	"strings"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture"
)

// A judgement finds the checks that the rules ask for and that a changed copy does not
// pass. It knows the rules alone: no endpoint was asked.
type judgement struct {
	*event.Comparison
	*Specimen
	before, after *telling
	is13, resumed bool
	psk, rsa      bool
}

// judge says what would notice the change by the rules.
func (s *Specimen) judge(out *event.Comparison, c Change, after *telling) {
	before := s.unchanged()
	flow := flowOf(before.events, s.Conn)
	j := &judgement{
		Comparison: out, Specimen: s, before: before, after: after, is13: is13(before.version),
		resumed: strings.Contains(flow, "resumed"), psk: strings.HasPrefix(flow, "tls13-psk"), rsa: flow == "tls12-rsa",
	}
	switch _, is := c.(Without); {
	case s.Part:
		j.say("break-part")
	case !is && before.version == 0 && (j.Place == nil || j.Place.Part != "packet"):
		// Whose rules hold is not known.
		j.say("break-version-open")
		j.say("break-behind")
		return
	case !is && before.version == 0x0300:
		j.say("break-ssl30")
		j.say("break-behind")
		return
	}
	switch c.(type) {
	case Without:
		j.say("break-keys-are-ours")
	case Chain:
		j.certificates()
		j.claims()
	case Flip:
		j.flip()
	}
	if _, is := c.(Without); is {
		return
	}
	if !j.broken() && !slices.ContainsFunc(j.Says, func(s event.Sentence) bool { return s.ID != "break-part" }) {
		j.say("break-nothing")
	}
	j.say("break-behind")
}

func (j *judgement) say(id string) {
	j.Says = append(j.Says, words.Say(id, event.None, nil))
}

// either chooses by the version of TLS.
func (j *judgement) either(id13, id12 string) string {
	if j.is13 {
		return id13
	}
	return id12
}

// notice adds a check of one side's, with the alert that the rules name.
func (j *judgement) notice(id, by, alert string) {
	other := "server"
	if by == other {
		other = "client"
	}
	s := words.Say(id, event.Inferred, words.Args{"receiver": words.Named("end", by), "other": words.Named("end", other)})
	if !slices.ContainsFunc(j.Notices, func(n event.Notice) bool { return n.Says.ID == s.ID && n.By == by }) {
		j.Notices = append(j.Notices, event.Notice{By: by, Says: s, Alert: alert})
	}
}

// broken tells whether a proof held and does not any more.
func (j *judgement) broken() bool {
	return slices.ContainsFunc(j.Proofs, func(p event.ProofChange) bool { return p.Broken() })
}

// noticedBy are the claims whose check the rules ask of one side.
var noticedBy = []struct{ claim, id13, id12, by, alert string }{
	{words.ProofServerLinks, "notice-links-13", "notice-links-12", "client", "bad_certificate"},
	{words.ProofClientLinks, "notice-links-13", "notice-links-12", "server", "bad_certificate"},
	{words.ProofSKE, "notice-key-exchange", "notice-key-exchange", "client", "decrypt_error"},
	{words.ProofServerCV, "notice-certificate-verify-13", "notice-certificate-verify-12", "client", "decrypt_error"},
	{words.ProofClientCV, "notice-certificate-verify-13", "notice-certificate-verify-12", "server", "decrypt_error"},
	{words.ProofServerFin, "notice-finished-13", "notice-finished-12", "client", "decrypt_error"},
	{words.ProofClientFin, "notice-finished-13", "notice-finished-12", "server", "decrypt_error"},
	{words.ProofLaterFin, "notice-finished-13", "notice-finished-13", "server", "decrypt_error"},
}

// claims notices what was refuted.
func (j *judgement) claims(but ...string) {
	for _, n := range noticedBy {
		refuted := slices.ContainsFunc(j.Proofs, func(p event.ProofChange) bool {
			return p.Conn == j.Specimen.Conn && p.ID == n.claim && p.Is == event.Refuted
		})
		if !refuted || slices.Contains(but, n.claim) {
			continue
		}
		j.notice(j.either(n.id13, n.id12), n.by, n.alert)
	}
}

// certificates notices what the checks of a chain come to now, where it was changed. A check
// asks for what the hello in clear says too, and who sent that knows what he said.
func (j *judgement) certificates() {
	for _, c := range j.Checks {
		if c.Conn != j.Specimen.Conn || c.Is != "failed" || j.Place != nil && (j.Place.Topic != event.TopicCertificate || j.Place.From != c.From) {
			continue
		}
		by, alert := "client", annotate.CheckAlert(c.Reason)
		if c.From == by {
			by = "server"
		}
		id := "notice-check"
		if alert == "" {
			id = "notice-check-no-alert"
		}
		s := words.Say(id, event.Inferred, words.Args{"receiver": words.Named("end", by), "finding": words.Clause(c.Says)})
		s.Refs = slices.Concat(c.Says.Refs, s.Refs)
		j.Notices = append(j.Notices, event.Notice{By: by, Says: s, Alert: alert})
	}
}

// flip notices a byte that is another.
func (j *judgement) flip() {
	p := j.Place
	to := "server"
	if p.From == to {
		to = "client"
	}
	sealed := p.Part == "sealed" || !p.Inside && slices.ContainsFunc(j.before.records, func(r *capture.OpenedRecord) bool {
		return r.Side.String() == p.From && p.At >= r.Span.Start && p.At < r.Span.End
	})
	switch {
	case p.Part == "packet":
		j.say("break-udp")
	case p.Inside:
		j.inside(to)
	case p.Part == "length":
		j.length(to, sealed)
	case p.Part == "type" && (j.is13 || !sealed):
		j.notice(j.either("notice-type-13", "notice-type-12"), to, "unexpected_message")
	case sealed:
		j.notice(j.either("notice-record-13", "notice-record-12"), to, "bad_record_mac")
	case p.Part == "version":
		j.say(j.either("break-record-version-13", "break-record-version-12"))
		if j.broken() {
			j.say("break-reader-stops")
		}
	case p.Part == "change-cipher-spec" && j.is13:
		j.notice("notice-ccs-13", to, "unexpected_message")
	case p.Part == "change-cipher-spec":
		j.notice("notice-ccs-12", to, "decode_error")
	case p.Part == "alert":
		j.say("break-alert-clear")
	case p.Part == "message":
		j.message(to)
	default:
		j.say("break-outside")
	}
}

// length notices another length in the header of a record (RFC 8446 5.1 and 5.2, RFC 5246 6.2).
func (j *judgement) length(to string, sealed bool) {
	p := j.Place
	limit, side := 1<<14, capture.Client
	if p.From == "server" {
		side = capture.Server
	}
	switch {
	case sealed && j.is13:
		limit += 256
	case !j.is13:
		limit += 2048
	}
	var was, is int64
	fmt.Sscanf(p.Was+" "+p.Is, "%x %x", &was, &is)
	high := isRecord(j.bytesAt(side, p.At-3, recordHeader))
	switch {
	case high && is<<8 > int64(limit):
		j.notice(j.either("notice-overflow-13", "notice-overflow-12"), to, "record_overflow")
	case sealed:
		j.notice(j.either("notice-record-13", "notice-record-12"), to, "bad_record_mac")
	case is < was:
		j.notice(j.either("notice-shorter-13", "notice-shorter-12"), to, "unexpected_message")
	default:
		j.notice("notice-longer", to, "")
	}
}

// within is where in its handshake message the changed byte stands.
func (j *judgement) within() int64 {
	p := j.Place
	e := j.eventAt(p.At, p.From)
	if e == nil {
		return -1
	}
	side := capture.Client
	if p.From == "server" {
		side = capture.Server
	}
	begin := e.Bytes.Start
	if isRecord(j.bytesAt(side, begin, recordHeader)) {
		begin += recordHeader
		for _, r := range j.before.records {
			if r.Side == side && r.Span.Start == e.Bytes.Start {
				begin = r.Content
			}
		}
	}
	return p.At - begin
}

// form notices a handshake message that cannot be read any more, and tells whether it is one.
func (j *judgement) form(to string) bool {
	within := j.within()
	side := capture.Client
	if j.Place.From == "server" {
		side = capture.Server
	}
	switch {
	case within == 0:
		j.notice(j.either("notice-message-type-13", "notice-message-type-12"), to, "unexpected_message")
	case within > 0 && within < 4, j.after.faults[side] > j.before.faults[side]:
		j.notice(j.either("notice-form-13", "notice-form-12"), to, "decode_error")
	default:
		return false
	}
	return true
}

// inside notices a byte that was sealed again.
func (j *judgement) inside(to string) {
	if j.Place.Part != "message" {
		j.say("break-inside")
		return
	}
	if !j.form(to) {
		j.certificates()
		j.claims()
	}
	if !j.broken() {
		j.say("break-inside-after")
	}
}

// Handshake messages by the topics of their events.
const (
	topicRetry        event.Topic = "hello-retry-request"
	topicKeyExchange  event.Topic = "client-key-exchange"
	topicCertVerify   event.Topic = "certificate-verify"
	topicNewTicket    event.Topic = "new-session-ticket"
	topicHelloRequest event.Topic = "hello-request"
)

// message notices a byte of a handshake message in clear. What each side made of it
// differs from then on, so that the latest check to notice is known.
func (j *judgement) message(to string) {
	if j.form(to) {
		return
	}
	topic, within := j.Place.Topic, j.within()
	j.certificates()
	if j.is13 {
		if j.psk && topic == event.TopicClientHello {
			j.notice("notice-binder", "server", "decrypt_error")
		}
		j.notice("notice-keys-13", "client", "bad_record_mac")
		return
	}
	j.claims(words.ProofServerFin, words.ProofClientFin)
	first := "server" // who is sent the first Finished
	if j.resumed || topic == topicNewTicket {
		first = "client"
	}
	random := (topic == event.TopicClientHello || topic == event.TopicServerHello) && within >= 6 && within < 6+32
	switch {
	case topic == topicHelloRequest:
		j.say("break-hello-request")
	case topic == topicKeyExchange && j.rsa:
		j.notice("notice-premaster", first, "bad_record_mac")
	case topic == topicKeyExchange, random:
		j.notice("notice-keys-12", first, "bad_record_mac")
	case j.before.ems && !j.resumed && topic != topicCertVerify && topic != topicNewTicket:
		j.notice("notice-keys-ems", first, "bad_record_mac")
	default:
		j.notice("notice-finished-12", first, "decrypt_error")
	}
}
