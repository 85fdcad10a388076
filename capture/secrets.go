package capture

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"explainer/capture/keys"
)

// Labels of key log lines (RFC 9850 2); labelRSA is older than that.
const (
	labelClientRandom = "CLIENT_RANDOM"
	labelRSA          = "RSA"
	labelECHSecret    = "ECH_SECRET"
	labelECHConfig    = "ECH_CONFIG"
)

// labels13 are the labels of TLS 1.3 by side and stage.
var labels13 = [2][stages]string{
	Client: {
		stageEarly:       "CLIENT_EARLY_TRAFFIC_SECRET",
		stageHandshake:   "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
		stageApplication: "CLIENT_TRAFFIC_SECRET_0",
	},
	Server: {
		stageHandshake:   "SERVER_HANDSHAKE_TRAFFIC_SECRET",
		stageApplication: "SERVER_TRAFFIC_SECRET_0",
	},
}

const (
	maxSecretLen = 127     // bytes of a secret or of a label
	maxConfigLen = 1 << 12 // bytes of an ECHConfig
	maxLabels    = 32      // per client random
	maxValues    = 8       // per client random and label
)

// secrets holds the key log. A client random can stand for several connections,
// and one label can have several values for it: recordings of test servers with
// fixed randoms do that.
//
// Lines that come before the first connection begins are kept. Of those that come
// later a connection of a recording has its own, so they go when it does: the
// recorder logs those of the next one anew.
type secrets struct {
	used  map[[32]byte]*entry // client randoms of the connections that are followed
	lines keyLines            // those of entries of recorded connections are not in it, if they came later
	begun uint64              // where the first line stands that came after a connection had begun; 0: none has
}

// A waiter is a connection that is told the secrets of the client randoms that it has.
type waiter interface {
	conn() *Conn
	randoms() *[][32]byte                         // those that it is tied to, the latest last
	secret(e *entry, label string, secret []byte) // a line has come for one of them
}

// An entry is what is known of a client random while a connection has it.
type entry struct {
	random   [32]byte
	values   map[string][][]byte
	waiters  map[waiter]map[string][]byte // that have this client random, with the values that were told of them last
	recorded bool                         // all of them are a recording's
}

// inOrder returns the waiters in the order of their numbers. There may be no entry.
func (e *entry) inOrder() []waiter {
	if e == nil {
		return nil
	}
	return slices.SortedFunc(maps.Keys(e.waiters), func(a, b waiter) int { return a.conn().Number - b.conn().Number })
}

// begin notes that a connection has begun.
func (s *secrets) begin() {
	if s.begun == 0 {
		s.begun = s.lines.end()
	}
}

// valuesOf returns what is known of a client random, by label.
func (s *secrets) valuesOf(random []byte) map[string][][]byte {
	var values map[string][][]byte
	s.lines.of(random, func(l keyLine) {
		if values == nil {
			values = make(map[string][][]byte)
		}
		values[l.label] = append(values[l.label], l.secret)
	})
	for _, v := range values {
		slices.Reverse(v)
	}
	return values
}

// add keeps a secret. If that is news for connections that are followed, it returns
// their entry and a copy of the secret.
func (s *secrets) add(in *keys.Secret) (*entry, []byte) {
	n, most := 32, maxSecretLen
	switch in.Label {
	case labelRSA:
		n = 8
	case labelECHConfig:
		most = maxConfigLen
	case keys.LabelSession:
		if n = len(in.ClientRandom); n == 0 || n > 32 {
			return nil, nil
		}
	}
	if len(in.Secret) > most || len(in.Label) > maxSecretLen || len(in.ClientRandom) != n {
		return nil, nil
	}
	var e *entry
	if n == 32 && in.Label != keys.LabelSession {
		e = s.used[[32]byte(in.ClientRandom)]
	}
	if e == nil {
		s.keep(in.Label, in.ClientRandom, in.Secret)
		return nil, nil
	}
	values, known := e.values[in.Label]
	if len(values) == maxValues || !known && len(e.values) == maxLabels || contains(values, in.Secret) {
		return nil, nil
	}
	if e.values == nil {
		e.values = make(map[string][][]byte)
	}
	secret := bytes.Clone(in.Secret)
	e.values[in.Label] = append(values, secret)
	if !e.recorded {
		s.lines.add(keyLine{in.Label, in.ClientRandom, secret})
	}
	return e, secret
}

// keep adds a line to those that are kept, unless it is among them or there are too many like it.
func (s *secrets) keep(label string, random, secret []byte) {
	values, others, known := 0, 0, false
	s.lines.of(random, func(l keyLine) {
		if l.label == label {
			values++
			known = known || bytes.Equal(l.secret, secret)
		} else {
			others++
		}
	})
	if !known && values < maxValues && (values > 0 || others < maxLabels*maxValues) {
		s.lines.add(keyLine{label, random, secret})
	}
}

func contains(values [][]byte, v []byte) bool {
	return slices.ContainsFunc(values, func(w []byte) bool { return bytes.Equal(v, w) })
}

// rsa returns the pre-master secrets of a ciphertext, which has 8 bytes or more.
func (s *secrets) rsa(ciphertext []byte) [][]byte { return s.valuesOf(ciphertext[:8])[labelRSA] }

// session returns the master secrets that lines give for a session, by its ID.
func (s *secrets) session(id []byte) [][]byte {
	if len(id) == 0 {
		return nil
	}
	return s.valuesOf(id)[keys.LabelSession]
}

// use ties a connection to the secrets of a client random. Only the last few
// are held: each renegotiation brings a new one.
func (s *secrets) use(w waiter, random [32]byte) *entry {
	e := s.used[random]
	if e == nil {
		if s.used == nil {
			s.used = make(map[[32]byte]*entry)
		}
		e = &entry{random: random, values: s.valuesOf(random[:]), waiters: make(map[waiter]map[string][]byte), recorded: true}
		s.used[random] = e
	}
	if e.recorded && w.conn().Leg == LegNone {
		e.recorded = false
		for label, values := range e.values {
			for _, v := range values {
				s.keep(label, random[:], v)
			}
		}
	}
	_, tied := e.waiters[w]
	e.waiters[w] = make(map[string][]byte)
	randoms := w.randoms()
	if !tied {
		*randoms = append(*randoms, random)
	}
	if len(*randoms) > 4 {
		s.untie(w, (*randoms)[0])
		*randoms = (*randoms)[1:]
	}
	return e
}

// keyedSoFar tells, behind a handshake's first ClientHello, the key log lines for it that are known.
func (d *Decoder) keyedSoFar(w waiter, e *entry) {
	if e == nil {
		return
	}
	for _, label := range slices.Sorted(maps.Keys(e.values)) {
		if values := e.values[label]; e.waiters[w][label] == nil {
			d.keyed(w, e, label, values[len(values)-1])
		}
	}
}

// keyed tells a key log line for a handshake, unless it is the one that was told last.
func (d *Decoder) keyed(w waiter, e *entry, label string, secret []byte) {
	told := e.waiters[w]
	if bytes.Equal(told[label], secret) {
		return
	}
	if told != nil { // else it is of a handshake long ago
		told[label] = secret
	}
	d.messages = append(d.messages, Message{Conn: w.conn(), Body: &Keyed{e.random, label, secret}})
}

// traffic tells whether a line is known that opens records of TLS 1.3.
func (e *entry) traffic() bool {
	for label := range e.values {
		if strings.Contains(label, "_TRAFFIC_SECRET") {
			return true
		}
	}
	return false
}

// forget unties a connection that is over.
func (s *secrets) forget(w waiter) {
	randoms := w.randoms()
	for _, random := range *randoms {
		s.untie(w, random)
	}
	*randoms = nil
}

// forgetRSA forgets the lines of a ciphertext that a connection of a recording had.
func (s *secrets) forgetRSA(ciphertext []byte) {
	if len(ciphertext) >= 8 {
		s.lines.remove(ciphertext[:8], s.begun)
	}
}

func (s *secrets) untie(w waiter, random [32]byte) {
	e := s.used[random]
	if delete(e.waiters, w); len(e.waiters) > 0 {
		return
	}
	delete(s.used, random) // what is known of connections that are over changes no more
	if e.recorded {
		s.lines.remove(random[:], s.begun)
	}
}
