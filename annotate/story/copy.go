package story

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/text"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
	"explainer/capture/pcap"
)

// CopyOptions say what a copy of a capture holds. At most one of the first three can be.
type CopyOptions struct {
	StripKeys   bool           // no keys
	Redact      bool           // what people sent is overwritten, and sealed again with the same keys
	ShowSecrets bool           // in the story beside the packets
	Lang        words.Language // of that story
	PrivateKeys []*keys.PrivateKey
	KeyLog      []keys.Secret // those that are about the capture go into the copy
}

// Copied is what became of a copy.
type Copied struct {
	Packets, Comments, Keys int // Comments: packets with one; Keys: lines of key logs
	// With Redact: messages of records that open in the original and in the copy, and
	// records of the original that stay sealed.
	Opened, OpenInCopy, Sealed int
}

// Copy copies a capture to a file, with the story as packet comments. It goes through
// it twice (and before that for its keys), so that s must be [Source.Regular]: the story of
// a packet is sometimes known only when later ones have been read. The file is there
// once it is whole. Of a capture that is cut off all that stands before is copied, and
// there is an error too. When ctx ends so does the copying.
func Copy(ctx context.Context, s *Source, to string, o CopyOptions) (*Copied, error) {
	if o.Redact && o.StripKeys || (o.Redact || o.StripKeys) && o.ShowSecrets {
		// What is sealed twice with the same keys and nonces, whoever has both can compute from the two.
		return nil, fails(nil, words.Piece("error/copy-one"))
	}
	s.ctx = ctx
	var cut error
	r := redaction{private: o.PrivateKeys}
	log := o.KeyLog
	if o.Redact {
		twin, err := r.twin(s, log, filepath.Dir(to))
		if twin != nil {
			defer twin.remove()
		}
		if err != nil && !errors.As(err, new(*pcap.CutError)) {
			return nil, err
		}
		s, log, cut = twin.Source, nil, err // the story is told of what the copy holds
	}
	x := &storied{
		explainer: annotate.Explainer{ShowSecrets: o.ShowSecrets},
		randoms:   map[string]bool{},
	}
	x.comments.Lang = o.Lang
	x.decoder.PrivateKeys = o.PrivateKeys
	held, told := x.read(s, log)
	if told != nil && !errors.As(told, new(*pcap.CutError)) {
		return nil, told
	}
	how := pcap.Rewriting{Comment: x.comments.Packet, StripKeys: o.StripKeys}
	if o.StripKeys {
		how.Hidden = append(held, log...)
	} else {
		how.Secrets = x.belonging(log)
	}

	f, err := os.CreateTemp(filepath.Dir(to), "."+filepath.Base(to)+".*") // mode 0600
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			path.Path = to
		}
		return nil, WriteError(words.Piece("file/copy"), err)
	}
	defer os.Remove(f.Name()) // fails once it has its name
	packets, err := 0, s.rewind()
	if err == nil {
		packets, err = pcap.Rewrite(f, s, how)
	}
	if e := f.Close(); e != nil && (err == nil || errors.As(err, new(*pcap.CutError))) {
		err = e
	}
	if err != nil && !errors.As(err, new(*pcap.CutError)) {
		return nil, fails(err, words.Piece("error/copy-to", "file", s.named(), "to", to, "error", WordsOf(err)))
	}
	if err := os.Rename(f.Name(), to); err != nil {
		return nil, WriteError(words.Piece("file/copy"), err)
	}
	done := &Copied{
		Packets: packets, Comments: x.comments.Packets(), Keys: len(how.Secrets),
		Opened: r.told.opened, OpenInCopy: x.told.opened, Sealed: r.told.sealed,
	}
	if o.Redact {
		done.Keys = len(held)
	}
	if err == nil {
		err = cut
	}
	if err != nil {
		return done, fails(err, words.Piece("error/of", "of", s.named(), "error", WordsOf(err)), words.Piece("hint/cut-copied"))
	}
	return done, nil
}

// storied is a capture's story by packet.
type storied struct {
	decoder   capture.Decoder
	explainer annotate.Explainer
	comments  text.Comments
	told      tally
	randoms   map[string]bool // client randoms, and beginnings of encrypted pre-master secrets
}

// read reads a capture and returns the keys in it.
func (x *storied) read(s *Source, log []keys.Secret) (held []keys.Secret, err error) {
	for i := range log {
		x.know(&log[i])
	}
	r, err := s.keysFirst(func(k *keys.Secret) error { held = append(held, *k); return nil })
	if err != nil {
		return nil, err
	}
	if !r.Own() { // in a recording of our own they stand before the bytes they open
		for i := range held {
			x.know(&held[i])
		}
	}
	x.decoder.SecretsFirst = true
	var cut error
	for m, err := range x.decoder.All(r.All()) {
		if err != nil {
			cut = s.wrong(err)
			break
		}
		x.message(m)
	}
	x.events(x.explainer.Finish())
	return held, cut
}

// know gives the decoder and the story a key log line before all else.
func (x *storied) know(k *keys.Secret) {
	ms := x.decoder.Feed(k)
	for i := range ms {
		x.message(&ms[i])
	}
}

func (x *storied) message(m *capture.Message) {
	x.told.count(m)
	switch b := m.Body.(type) {
	case *capture.Keyed: // also under the random number of an encrypted hello
		x.randoms[string(b.ClientRandom[:])] = true
	case *handshake.ClientHello:
		if m.Side == capture.Client {
			x.randoms[string(b.Random[:])] = true
		}
	case *handshake.ServerHello:
		x.randoms[string(b.SessionID)] = true // as some lines name it
	case *handshake.ClientKeyExchange:
		if len(b.EncryptedPreMaster) >= 8 {
			x.randoms[string(b.EncryptedPreMaster[:8])] = true
		}
	}
	x.events(x.explainer.Explain(m))
}

func (x *storied) events(es []event.Event) {
	for i := range es {
		x.comments.Event(&es[i])
	}
}

// belonging returns the key log lines that are about connections of the capture.
func (x *storied) belonging(log []keys.Secret) []keys.Secret {
	return once(log, func(s keys.Secret) bool { return x.randoms[string(s.ClientRandom)] })
}

// once returns the key log lines that belong, each once.
func once(log []keys.Secret, belongs func(keys.Secret) bool) (out []keys.Secret) {
	seen := map[string]bool{}
	for _, s := range log {
		if text := s.String(); !seen[text] && belongs(s) {
			seen[text] = true
			out = append(out, s)
		}
	}
	return out
}
