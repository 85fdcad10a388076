package story

import (
	"errors"
	"os"
	"slices"

	"explainer/annotate/mask"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
	"explainer/capture/pcap"
	"explainer/capture/web"
)

// A redaction makes a twin of a capture: the same packets, in which what people
// sent is overwritten and sealed again with the same keys.
type redaction struct {
	private []*keys.PrivateKey

	told   tally
	known  map[[32]byte]map[string]bool // labels of the secrets of connections over TCP, by client random
	places *pcap.Places
	rsa    map[string]bool // beginnings of encrypted pre-master secrets

	premasters []keys.Secret // that private keys opened
}

// tally counts what opened.
type tally struct {
	opened int // messages of records that were
	sealed int // records that were not
}

func (t *tally) count(m *capture.Message) {
	switch b := m.Body.(type) {
	case *capture.Sealed:
		t.sealed += b.Records
	default:
		if m.Opened && !m.Inner {
			t.opened++
		}
	}
}

// temporary is a source that is removed once it was read.
type temporary struct{ *Source }

func (t *temporary) remove() {
	t.Close()
	os.Remove(t.file.Name())
}

// twin makes the twin of s, a temporary file in a folder. It goes through s three
// times: for its keys, for the twins of its streams, and to copy it.
func (r *redaction) twin(s *Source, log []keys.Secret, dir string) (twin *temporary, err error) {
	scratch := func() (*os.File, error) {
		f, err := os.CreateTemp(dir, ".explainer-*") // mode 0600
		if err != nil {
			return nil, WriteError(words.Piece("file/copy"), err)
		}
		return f, nil
	}
	streams, err := scratch() // holds nothing that the copy does not
	if err != nil {
		return nil, err
	}
	defer func() {
		streams.Close()
		os.Remove(streams.Name())
	}()
	twins := pcap.NewTwins(streams)
	secrets, err := r.read(s, log, twins)
	if err != nil && !errors.As(err, new(*pcap.CutError)) {
		return nil, err
	}
	if err := twins.Flush(); err != nil {
		return nil, fails(err, words.Piece("error/copy-of", "file", s.named(), "error", WordsOf(err)))
	}
	if err := s.rewind(); err != nil {
		return nil, s.wrong(err)
	}
	f, err := scratch()
	if err != nil {
		return nil, err
	}
	twin = &temporary{&Source{Name: s.Name, DecodeAs: s.DecodeAs, file: f, ctx: s.ctx}}
	_, err = pcap.Rewrite(f, s, pcap.Rewriting{Secrets: secrets, DecodeAs: s.DecodeAs, Twin: twins.Fill, Places: r.places, Whole: s.Regular()})
	if err != nil && !errors.As(err, new(*pcap.CutError)) {
		return twin, fails(err, words.Piece("error/copy-of", "file", s.named(), "error", WordsOf(err)))
	}
	if e := twin.rewind(); e != nil {
		return twin, s.wrong(e)
	}
	return twin, err
}

// hiding is the rule by which a story masks, for twins.
func hiding(rule *mask.Rule) web.Hide {
	return func(name, value string, hide func(from, to int)) {
		for _, s := range rule.Spans(name, value) {
			hide(s.From, s.To)
		}
	}
}

// read gives the twins of the streams in s, and returns the secrets that open them.
func (r *redaction) read(s *Source, log []keys.Secret, twins *pcap.Twins) ([]keys.Secret, error) {
	r.known, r.rsa = map[[32]byte]map[string]bool{}, map[string]bool{}
	d := capture.Decoder{PrivateKeys: r.private, SecretsFirst: true, Twin: twins.Add, Hide: hiding(new(mask.Rule))}
	all := slices.Clone(log)
	packets, err := s.keysFirst(func(k *keys.Secret) error { all = append(all, *k); return nil })
	if err != nil {
		return nil, err
	}
	r.places = packets.Places()
	for i := range all {
		d.Feed(&all[i])
	}
	for m, err := range d.All(packets.All()) {
		if err != nil {
			return r.belonging(all), s.wrong(err)
		}
		r.message(m)
	}
	return r.belonging(all), nil
}

func (r *redaction) message(m *capture.Message) {
	r.told.count(m)
	if m.Conn == nil || m.Conn.Transport != capture.TransportTCP {
		return
	}
	switch b := m.Body.(type) {
	case *capture.Keyed:
		labels := r.known[b.ClientRandom]
		if labels == nil {
			labels = map[string]bool{}
			r.known[b.ClientRandom] = labels
		}
		labels[b.Label] = true
	case *handshake.ClientKeyExchange:
		if len(b.EncryptedPreMaster) < 8 {
			return
		}
		r.rsa[string(b.EncryptedPreMaster[:8])] = true
		// What is sealed twice needs its key beside it. A private key would be too much.
		const size = 48 // of a pre-master secret, which a zero stands before
		if n := len(m.Block); n > size && m.Block[n-size-1] == 0 {
			r.premasters = append(r.premasters, keys.Secret{Label: "RSA", ClientRandom: b.EncryptedPreMaster[:8], Secret: m.Block[n-size:]})
		}
	}
}

// belonging returns the secrets that open connections over TCP. What
// else a key log holds is no business of who gets the copy; and QUIC and DTLS are
// not written anew here, so the keys to what they carry are not given away.
func (r *redaction) belonging(all []keys.Secret) []keys.Secret {
	return once(slices.Concat(all, r.premasters), func(s keys.Secret) bool {
		if s.Label == "RSA" {
			return r.rsa[string(s.ClientRandom)]
		}
		return len(s.ClientRandom) == 32 && r.known[[32]byte(s.ClientRandom)][s.Label]
	})
}
