package capture

import (
	"bytes"
	"maps"
	"slices"

	"explainer/capture/keys"
)

// Labels of key log lines (RFC 9850 2); labelRSA is older than that.
const (
	labelClientRandom = "CLIENT_RANDOM"
	labelRSA          = "RSA"
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

// Bounds of what a hostile key log can make us keep.
const (
	maxSecrets   = 1 << 20 // lines
	maxSecretLen = 128     // bytes of a secret or of a label
	maxLabels    = 32      // per client random
	maxValues    = 8       // per client random and label
)

// secrets holds the key log. A client random can stand for several connections,
// and one label can have several values for it: recordings of test servers with
// fixed randoms do that.
type secrets struct {
	byRandom map[[32]byte]*entry
	rsa      map[[8]byte][][]byte // pre-master secrets by the beginning of their ciphertext
	lines    int
	order    []any // keys of both maps, oldest first
}

type entry struct {
	values map[string][][]byte
	latest map[string][]byte // what Conn.Secrets shows
	conns  map[*conn]bool    // that have this client random
	stored bool              // it has a place in order
}

func (s *secrets) entry(random [32]byte) *entry {
	e := s.byRandom[random]
	if e == nil {
		if s.byRandom == nil {
			s.byRandom = make(map[[32]byte]*entry)
		}
		e = &entry{values: make(map[string][][]byte), latest: make(map[string][]byte), conns: make(map[*conn]bool)}
		s.byRandom[random] = e
	}
	return e
}

// add keeps a secret and returns the connections that it may be about.
func (s *secrets) add(in *keys.Secret) []*conn {
	if len(in.Secret) > maxSecretLen || len(in.Label) > maxSecretLen {
		return nil
	}
	secret := bytes.Clone(in.Secret)
	if in.Label == labelRSA {
		if len(in.ClientRandom) != 8 {
			return nil
		}
		k := [8]byte(in.ClientRandom)
		values := s.rsa[k]
		if len(values) == maxValues || contains(values, secret) {
			return nil
		}
		if s.rsa == nil {
			s.rsa = make(map[[8]byte][][]byte)
		}
		if values == nil {
			s.order = append(s.order, k)
		}
		s.rsa[k] = append(values, secret)
		s.count()
		return nil
	}
	if len(in.ClientRandom) != 32 {
		return nil
	}
	k := [32]byte(in.ClientRandom)
	e := s.entry(k)
	values, known := e.values[in.Label]
	if len(values) == maxValues || !known && len(e.values) == maxLabels || contains(values, secret) {
		return nil
	}
	e.values[in.Label] = append(values, secret)
	e.latest[in.Label] = secret
	if !e.stored {
		e.stored = true
		s.order = append(s.order, k)
	}
	s.count()
	return slices.SortedFunc(maps.Keys(e.conns), func(a, b *conn) int { return a.pub.Number - b.pub.Number })
}

func contains(values [][]byte, v []byte) bool {
	return slices.ContainsFunc(values, func(w []byte) bool { return bytes.Equal(v, w) })
}

// count counts a line and forgets the oldest ones beyond the bound.
func (s *secrets) count() {
	s.lines++
	for s.lines > maxSecrets {
		switch k := s.order[0].(type) {
		case [8]byte:
			s.lines -= len(s.rsa[k])
			delete(s.rsa, k)
		case [32]byte:
			e := s.byRandom[k]
			for _, v := range e.values {
				s.lines -= len(v)
			}
			e.stored = false
			clear(e.values)
			if len(e.conns) == 0 {
				delete(s.byRandom, k)
			}
		}
		s.order = s.order[1:]
	}
}

// use ties a connection to the secrets of a client random. Only the last few
// are held: each renegotiation brings a new one.
func (s *secrets) use(c *conn, random [32]byte) *entry {
	e := s.entry(random)
	if !e.conns[c] {
		e.conns[c] = true
		c.randoms = append(c.randoms, random)
	}
	if len(c.randoms) > 4 {
		s.untie(c, c.randoms[0])
		c.randoms = c.randoms[1:]
	}
	return e
}

// forget unties a connection that is over.
func (s *secrets) forget(c *conn) {
	for _, random := range c.randoms {
		s.untie(c, random)
	}
	c.randoms = nil
}

func (s *secrets) untie(c *conn, random [32]byte) {
	e := s.byRandom[random]
	delete(e.conns, c)
	switch {
	case len(e.conns) > 0:
	case e.stored:
		e.latest = maps.Clone(e.latest) // what is known of connections that are over changes no more
	default:
		delete(s.byRandom, random)
	}
}
