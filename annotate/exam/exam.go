// Package exam makes questions of a story: what comes next, in which order, and what this
// very connection shows of the eight steps. What is right follows from the events alone;
// what is wrong is what people commonly take for right. The same seed makes the same
// questions. It knows events and words, and no bytes.
package exam

import (
	"cmp"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// Bounds of the answers to a question.
const (
	minAnswers = 3
	maxAnswers = 4
)

// A Question has three to five answers of which exactly one is right; one about an order
// has them all, shuffled.
type Question struct {
	ID      string       // permanent
	Conn    int          // the connection that it is about
	Event   int          // N of the event that is the answer; 0: it is about the whole
	Text    event.Text   // what is asked
	Answers []Answer     // as they are offered
	Order   []int        // of a question about an order: the answers' indexes in the right one
	Why     []event.Text // why the right one is right
}

// An Answer is one of those offered.
type Answer struct {
	ID    string // permanent, but for messages: who sends it, and its name
	Text  event.Text
	Right bool
}

// Key is the letters of what is right: one, or those of an order.
func (q *Question) Key() string {
	var b strings.Builder
	for _, i := range q.Order {
		b.WriteByte(letter(i))
	}
	if q.Order == nil {
		b.WriteByte(letter(slices.IndexFunc(q.Answers, func(a Answer) bool { return a.Right })))
	}
	return b.String()
}

func letter(i int) byte { return 'A' + byte(i) }

// A talk is one connection of a story, as far as it is asked about.
type talk struct {
	conn     int
	seed     uint64
	host     string
	messages []*event.Event // of TLS
	unread   map[int]bool   // before these something passed that cannot be told
	leg      *event.Leg
	inner    bool // an encrypted hello was opened
	proven   map[string]bool
	alert    *event.Event // that ended the handshake
}

// isMessage tells whether an event is a message of TLS as it passes between the two.
func isMessage(e *event.Event) bool {
	if e.Kind != event.KindMessage || e.HTTP != nil || e.From == "" || e.Bytes == nil {
		return false
	}
	switch e.Topic {
	case event.TopicClientHello, event.TopicServerHello, event.TopicCertificate, event.TopicCertificateStatus, event.TopicFinished, event.TopicAlert,
		"hello-retry-request", "server-key-exchange", "certificate-request", "server-hello-done", "client-key-exchange", "certificate-verify",
		"new-session-ticket", "encrypted-extensions", "end-of-early-data", "change-cipher-spec", "key-update", "application-data", "early-data":
		return true
	}
	return false
}

// Messages are those of a connection that can be asked for, in the order of the recording.
func Messages(es []event.Event, conn int) []*event.Event { return talkOf(es, conn, 0).messages }

// Connections are those that questions can be asked about: of a session, the client's own.
func Connections(es []event.Event) (conns []int) {
	for i := range es {
		if e := &es[i]; isMessage(e) && e.Topic == event.TopicClientHello && e.Repeats == 0 && e.Leg != "origin" && !slices.Contains(conns, e.Conn) {
			conns = append(conns, e.Conn)
		}
	}
	slices.Sort(conns)
	return conns
}

func talkOf(es []event.Event, conn int, seed uint64) *talk {
	t := &talk{conn: conn, seed: seed, proven: map[string]bool{}, unread: map[int]bool{}}
	data := false
	for i := range es {
		e := &es[i]
		if e.Summary != nil {
			for j := range e.Summary.Legs {
				if e.Summary.Legs[j].Conn == conn {
					t.leg, t.host = &e.Summary.Legs[j], cmp.Or(e.Host, t.host)
				}
			}
		}
		if e.Conn != conn {
			continue
		}
		t.inner = t.inner || e.Topic == event.TopicInnerHello
		for _, p := range e.Proofs {
			if p.State == event.Proven {
				t.proven[p.ID] = true
			}
		}
		if !isMessage(e) {
			if e.Kind == event.KindMessage && e.HTTP == nil && len(t.messages) > 0 {
				t.unread[len(t.messages)] = true
			}
			continue
		}
		data = data || e.Topic == "application-data"
		if e.Alert != nil && e.Alert.Level == "fatal" && !data && t.alert == nil {
			t.alert = e
		}
		t.messages = append(t.messages, e)
	}
	return t
}

// random is the question's own: others do not change it.
func (t *talk) random(id string, n int) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(id + " " + strconv.Itoa(t.conn) + " " + strconv.Itoa(n)))
	return rand.New(rand.NewPCG(t.seed, h.Sum64()))
}

// sends says that one side sends a message.
func sends(from string, topic event.Topic, name string) Answer {
	return Answer{ID: from + " " + name, Text: words.Piece("exam/sends", "who", words.Named("end", from), "message", words.NameText(topic, name))}
}

func sent(e *event.Event) Answer { return sends(e.From, e.Topic, e.Name) }

// is13 tells whether the connection is of TLS 1.3.
func (t *talk) is13() bool { return t.leg != nil && strings.HasPrefix(t.leg.Flow, "tls13") }

// rsa tells whether the client may have sent a secret encrypted with the key of a certificate,
// or nobody knows.
func (t *talk) rsa() bool {
	return t.leg == nil || strings.Contains(t.leg.Flow, "rsa") || t.leg.Flow == "unknown" || t.leg.Flow == "other"
}

// Predict asks what comes next on a connection, behind the first k of its messages.
func Predict(es []event.Event, conn, k int, seed uint64) (q Question, ok bool) {
	return talkOf(es, conn, seed).next(k)
}

func (t *talk) next(k int) (q Question, ok bool) {
	if k < 0 || k >= len(t.messages) || t.unread[k] || t.messages[k].Packets == nil || k > 0 && t.messages[k-1].Packets == nil {
		return q, false
	}
	e := t.messages[k]
	q = Question{ID: "next", Conn: t.conn, Event: e.N, Text: words.Piece("exam/q-first"), Why: why(e)}
	if k > 0 {
		before := t.messages[k-1]
		q.Text = words.Piece("exam/q-next", "sent", sent(before).Text, "packet", strconv.Itoa(before.Packets.Last))
	}
	t.offer(&q, sent(e), t.others(e))
	return q, true
}

// blank asks which message stands in a place of the ladder.
func (t *talk) blank(k, number int) Question {
	e := t.messages[k]
	q := Question{ID: "blank", Conn: t.conn, Event: e.N, Text: words.Piece("exam/q-blank", "n", strconv.Itoa(number), "packet", strconv.Itoa(e.Packets.Last)), Why: why(e)}
	var wrong [][]Answer
	for _, list := range t.others(e) {
		var same []Answer
		for _, a := range list {
			if strings.HasPrefix(a.ID, e.From+" ") || !strings.Contains(a.ID, " ") {
				same = append(same, a)
			}
		}
		wrong = append(wrong, same)
	}
	wrong[1] = append(wrong[1], wrong[2]...)
	t.offer(&q, sent(e), wrong)
	return q
}

// others are what does not come where e does: what people take for it, the other messages of
// this connection, and messages of other versions.
func (t *talk) others(e *event.Event) (lists [][]Answer) {
	common := []Answer{
		{ID: "private-key", Text: words.Piece("exam/a-private-key")},
		{ID: "plain-request", Text: words.Piece("exam/a-plain-request")},
	}
	if !t.rsa() {
		common = append(common, Answer{ID: "client-key", Text: words.Piece("exam/a-client-key")})
	}
	var own []Answer
	for _, m := range t.messages {
		own = append(own, sent(m))
	}
	elsewhere := []Answer{sends("server", "hello-retry-request", "HelloRetryRequest"), sends("server", "encrypted-extensions", "EncryptedExtensions"), sends("client", "certificate-verify", "CertificateVerify")}
	if t.is13() {
		elsewhere = []Answer{sends("client", "client-key-exchange", "ClientKeyExchange"), sends("server", "server-hello-done", "ServerHelloDone"), sends("server", "server-key-exchange", "ServerKeyExchange")}
	}
	return [][]Answer{common, own, elsewhere}
}

// why is what the story says of a message.
func why(e *event.Event) []event.Text {
	var all []event.Text
	if e.Packets != nil {
		all = append(all, words.Piece("exam/why-recorded", "sent", sent(e).Text, "packet", strconv.Itoa(e.Packets.Last)))
	}
	if len(e.Says) > 0 {
		all = append(all, words.Whole(e.Says[0]))
	}
	return all
}

// offer puts the right answer among wrong ones: one of the first list, and then of the others
// in turn. No two answers are one.
func (t *talk) offer(q *Question, right Answer, wrong [][]Answer) {
	r := t.random(q.ID, q.Event)
	right.Right = true
	q.Answers = []Answer{right}
	take := func(list []Answer, n int) {
		list = slices.Clone(list)
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		for _, a := range list {
			if n == 0 || len(q.Answers) >= maxAnswers {
				return
			}
			if !slices.ContainsFunc(q.Answers, func(b Answer) bool { return a.ID == b.ID || a.Text.English == b.Text.English }) {
				q.Answers = append(q.Answers, a)
				n--
			}
		}
	}
	for i, list := range wrong {
		n := maxAnswers
		if i == 0 && len(wrong) > 1 {
			n = 1
		} else if i == 1 && len(wrong) > 2 {
			n = maxAnswers - minAnswers + 1
		}
		take(list, n)
	}
	r.Shuffle(len(q.Answers), func(i, j int) { q.Answers[i], q.Answers[j] = q.Answers[j], q.Answers[i] })
}

// order asks for the order of the first messages of a connection.
func (t *talk) order() (q Question, ok bool) {
	const most = 8
	var list []*event.Event
	for i, e := range t.messages {
		if t.unread[i] || e.Packets == nil {
			break
		}
		// One name twice would have two right orders.
		if len(list) < most && e.Topic != event.TopicAlert && !slices.ContainsFunc(list, func(b *event.Event) bool { return b.From == e.From && b.Name == e.Name }) {
			list = append(list, e)
		}
	}
	if len(list) < minAnswers {
		return q, false
	}
	q = Question{ID: "order", Conn: t.conn, Text: words.Piece("exam/q-order")}
	r := t.random(q.ID, 0)
	places := r.Perm(len(list))
	q.Answers, q.Order = make([]Answer, len(list)), places
	for i, e := range list {
		q.Answers[places[i]] = sent(e)
		q.Why = append(q.Why, words.Piece("exam/why-recorded", "sent", sent(e).Text, "packet", strconv.Itoa(e.Packets.Last)))
	}
	return q, true
}
