package story

import (
	"errors"
	"iter"
	"maps"
	"slices"
	"strconv"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
	"explainer/capture/pcap"
)

// A Recording gives the inputs of a capture from its beginning, each time that it is
// called. Of a capture that may hold keys behind the bytes that they open, keys come first.
// One that is cut off ends with a [pcap.CutError]: what stands before is used.
type Recording func() iter.Seq2[capture.Input, error]

// Recording is the capture with the lines of key logs. It must be [Source.Regular].
func (s *Source) Recording(log []keys.Secret) Recording {
	return func() iter.Seq2[capture.Input, error] {
		return func(yield func(capture.Input, error) bool) {
			all := slices.Clone(log)
			r, err := s.keysFirst(func(k *keys.Secret) error { all = append(all, *k); return nil })
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range all {
				if !yield(&all[i], nil) {
					return
				}
			}
			for in, err := range r.All() {
				if _, is := in.(*capture.Secret); is {
					continue // it came first
				}
				if err != nil {
					yield(nil, s.verdict(err))
					return
				}
				if !yield(in, nil) {
					return
				}
			}
		}
	}
}

// Bounds of what is copied of a recording.
const (
	maxSpecimen = 16 << 20 // bytes of the connections; more of their data is left out
	maxChains   = 16 << 20 // bytes of the chains that are remembered
)

// A Specimen is a copy of one connection of a recording and of those that its story
// depends on: the other leg of its session, and those whose secrets it takes up. It can
// be changed and told anew, any number of times. It holds no file.
type Specimen struct {
	Conn   int
	Copied []int // the others, in order
	Cut    error // the recording is cut off here; nil: it is not
	Part   bool  // there is more of the connections than is copied

	private   []*keys.PrivateKey
	explainer func() *annotate.Explainer
	inputs    []capture.Input
	secrets   []keys.Secret
	chains    map[int][][]byte // DER of the chains that servers sent in the recording, by connection
	before    *telling
}

// SpecimenOptions say how a specimen is told.
type SpecimenOptions struct {
	PrivateKeys []*keys.PrivateKey
	// Explainer makes the one that tells it, each time; nil: one without roots, and masked.
	Explainer func() *annotate.Explainer
}

// TakeSpecimen copies a connection out of a recording, by its number or, where that is 0,
// by a packet of it, or the only one if both are 0. It goes through the recording twice.
func TakeSpecimen(r Recording, conn, packet int, o SpecimenOptions) (*Specimen, error) {
	if o.Explainer == nil {
		o.Explainer = func() *annotate.Explainer { return new(annotate.Explainer) }
	}
	k, err := kin(r, packet, o)
	if err != nil {
		return nil, err
	}
	switch {
	case conn != 0 && !k.began[conn]:
		return nil, fails(nil, words.Piece("error/no-such-connection", "n", strconv.Itoa(conn)))
	case conn != 0:
	case packet != 0:
		if conn = k.carried; conn == 0 {
			return nil, fails(nil, words.Piece("error/no-such-packet", "n", strconv.Itoa(packet)))
		}
	case len(k.began) == 1:
		conn = slices.Collect(maps.Keys(k.began))[0]
	default:
		return nil, fails(nil, words.Piece("error/which-connection"), words.Piece("hint/which-connection"))
	}
	s := &Specimen{Conn: conn, private: o.PrivateKeys, explainer: o.Explainer, chains: k.chains}
	family := k.family(conn)
	randoms := map[string]bool{}
	for _, n := range family {
		if n != conn {
			s.Copied = append(s.Copied, n)
		}
		for _, name := range k.names[n] {
			randoms[name] = true
		}
	}
	size := 0
	known := map[string]bool{}
	for in, err := range r() {
		if errors.As(err, new(*pcap.CutError)) {
			s.Cut = err
			break
		}
		if err != nil {
			return nil, err
		}
		if secret, is := in.(*capture.Secret); is {
			if line := secret.String(); randoms[string(secret.ClientRandom)] && !known[line] {
				known[line] = true
				s.secrets = append(s.secrets, *secret)
			}
			continue
		}
		n, about := connOf(in)
		if !about || n != 0 && !slices.Contains(family, n) {
			continue
		}
		switch in := in.(type) {
		case *capture.Chunk:
			size += len(in.Data)
		case *capture.Datagram:
			size += len(in.Data)
		}
		if size > maxSpecimen {
			s.Part = true
			return s, nil
		}
		s.inputs = append(s.inputs, cloned(in))
	}
	return s, nil
}

// connOf is the connection that an input is about, 0 for a fact about none. Facts of a
// run of check are about no connection that could be copied.
func connOf(in capture.Input) (n int, about bool) {
	switch in := in.(type) {
	case *capture.Open:
		return in.Conn, true
	case *capture.Chunk:
		return in.Conn, true
	case *capture.Datagram:
		return in.Conn, true
	case *capture.Gap:
		return in.Conn, true
	case *capture.Late:
		return in.Conn, true
	case *capture.Close:
		return in.Conn, true
	case *capture.End:
		return in.Conn, true
	case *capture.Fact:
		return in.Conn, in.Kind != capture.FactRun
	}
	return 0, false
}

// kindred is who depends on whom in a recording.
type kindred struct {
	began    map[int]bool
	carried  int // the connection of the packet that was asked for
	sessions map[int]int
	parents  map[int][]int
	names    map[int][]string // what key log lines name a connection's secrets by
	chains   map[int][][]byte
	held     int // bytes of messages with chains
}

// kin tells a recording to find that out, and which connection a packet is of.
func kin(r Recording, packet int, o SpecimenOptions) (*kindred, error) {
	k := &kindred{
		began: map[int]bool{}, sessions: map[int]int{}, parents: map[int][]int{}, names: map[int][]string{}, chains: map[int][][]byte{},
	}
	d := capture.Decoder{PrivateKeys: o.PrivateKeys, SecretsFirst: true}
	x := o.Explainer()
	inputs := func(yield func(capture.Input, error) bool) {
		for in, err := range r() {
			switch in := in.(type) {
			case *capture.Open:
				k.began[in.Conn] = true
			case *capture.Chunk:
				if in.Packet == packet {
					k.carried = in.Conn
				}
			case *capture.Datagram:
				if in.Packet == packet {
					k.carried = in.Conn
				}
			}
			if !yield(in, err) {
				return
			}
		}
	}
	for m, err := range d.All(inputs) {
		if errors.As(err, new(*pcap.CutError)) {
			break
		}
		if err != nil {
			return nil, err
		}
		k.message(m)
		k.events(x.Explain(m))
	}
	k.events(x.Finish())
	return k, nil
}

func (k *kindred) message(m *capture.Message) {
	if m.Conn == nil {
		return
	}
	n := m.Conn.Number
	name := func(b []byte) { k.names[n] = append(k.names[n], string(b)) }
	switch b := m.Body.(type) {
	case *capture.Keyed:
		name(b.ClientRandom[:])
	case *capture.InnerHello:
		if b.Hello != nil {
			name(b.Hello.Random[:])
		}
	case *handshake.ClientHello:
		if m.Side == capture.Client {
			name(b.Random[:])
		}
	case *handshake.ServerHello:
		if len(b.SessionID) > 0 {
			name(b.SessionID)
		}
	case *handshake.ClientKeyExchange:
		if len(b.EncryptedPreMaster) >= 8 {
			name(b.EncryptedPreMaster[:8])
		}
	case *handshake.Certificate:
		if k.held += len(m.Raw); m.Side == capture.Server && k.chains[n] == nil && k.held < maxChains {
			for _, e := range b.Entries {
				k.chains[n] = append(k.chains[n], e.Data)
			}
		}
	}
}

func (k *kindred) events(es []event.Event) {
	for i := range es {
		e := &es[i]
		if e.Conn != 0 && e.Session != 0 {
			k.sessions[e.Conn] = e.Session
		}
		if e.Summary == nil {
			continue
		}
		for _, l := range e.Summary.Legs {
			k.sessions[l.Conn] = e.Session
			if l.Parent != nil {
				k.parents[l.Conn] = slices.Concat(l.Parent.Conns, l.Parent.Chain)
			}
		}
	}
}

// family is a connection with all that its story depends on, in order.
func (k *kindred) family(conn int) []int {
	all := []int{conn}
	add := func(n int) {
		if k.began[n] && !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	for i := 0; i < len(all); i++ {
		for _, p := range k.parents[all[i]] {
			add(p)
		}
		if session := k.sessions[all[i]]; session != 0 {
			for _, other := range slices.Sorted(maps.Keys(k.sessions)) {
				if k.sessions[other] == session {
					add(other)
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

// A telling is a specimen's story, and what the comparison asks of its messages.
type telling struct {
	events  []event.Event
	records []*capture.OpenedRecord // of the connection itself
	ems     bool                    // both hellos have the extended master secret
	version uint16                  // that the server chose; 0: its hello is not here
	server  *handshake.Certificate  // the server's, of the first handshake
	at      capture.Message         // that message
	faults  [2]int                  // by side: messages that break the protocol
}

// tell tells inputs as the specimen is told.
func (s *Specimen) tell(inputs []capture.Input, secrets []keys.Secret, private []*keys.PrivateKey) *telling {
	t := new(telling)
	d := capture.Decoder{PrivateKeys: private, SecretsFirst: true}
	d.Opened = func(r *capture.OpenedRecord) {
		if r.Conn == s.Conn {
			t.records = append(t.records, r)
		}
	}
	x := s.explainer()
	ems := [2]bool{}
	all := func(yield func(capture.Input, error) bool) {
		for i := range secrets {
			if !yield(&secrets[i], nil) {
				return
			}
		}
		for _, in := range inputs {
			if !yield(in, nil) {
				return
			}
		}
	}
	for m := range d.All(all) {
		if m.Conn != nil && m.Conn.Number == s.Conn {
			switch b := m.Body.(type) {
			case *handshake.ClientHello:
				ems[0] = b.HasEMS()
			case *handshake.ServerHello:
				ems[1] = b.HasEMS()
				if t.version == 0 {
					t.version = b.Version()
				}
			case *handshake.Certificate:
				if m.Side == capture.Server && t.server == nil {
					t.server, t.at = b, *m
				}
			case *capture.Malformed:
				t.faults[m.Side&1]++
			}
		}
		t.events = append(t.events, x.Explain(m)...)
	}
	t.events = append(t.events, x.Finish()...)
	t.ems = ems[0] && ems[1]
	return t
}

// Events are the story of the specimen as it was recorded.
func (s *Specimen) Events() []event.Event { return s.unchanged().events }

func (s *Specimen) unchanged() *telling {
	if s.before == nil {
		s.before = s.tell(s.inputs, s.secrets, s.private)
	}
	return s.before
}

// Chains are the connections of the recording whose servers sent certificates that can be read.
func (s *Specimen) Chains() []int { return slices.Sorted(maps.Keys(s.chains)) }

// Labels are the labels of the key log lines that open the specimen.
func (s *Specimen) Labels() (labels []string) {
	for _, k := range s.secrets {
		if !slices.Contains(labels, k.Label) {
			labels = append(labels, k.Label)
		}
	}
	slices.Sort(labels)
	if len(s.private) > 0 {
		labels = append(labels, PrivateKeyLabel)
	}
	return labels
}
