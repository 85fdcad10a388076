package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/text"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
	"explainer/capture/pcap"

	"github.com/urfave/cli/v2"
)

// rewriteFlags ask for a copy of the capture in place of the story.
var rewriteFlags = []cli.Flag{
	&cli.StringFlag{Name: "write", Aliases: []string{"w"}, Usage: "do not tell the story, but copy the capture to `FILE` (pcapng) with the story as packet comments, and with the keys of --keylog that belong to it"},
	forceFlag,
	&cli.BoolFlag{Name: "strip-keys", Usage: "with -w: leave all keys out of the copy", DisableDefaultText: true},
	&cli.BoolFlag{Name: "redact", Usage: "with -w: overwrite in the copy what people sent (bodies, cookies, passwords, query strings, ...), so that it can be shared with its keys", DisableDefaultText: true},
}

// rewriting tells whether the flags ask for a copy.
func rewriting(c *cli.Context) bool {
	return c.IsSet("write") || c.Bool(forceFlag.Name) || c.Bool("strip-keys") || c.Bool("redact")
}

// rewrite copies a capture with the story as packet comments. It goes through
// the capture twice (and before that for its keys): the story of a packet is
// sometimes known only when later ones have been read.
func rewrite(c *cli.Context, names []string, log []keys.Secret, private []*keys.PrivateKey) error {
	to, strip, redact := c.String("write"), c.Bool("strip-keys"), c.Bool("redact")
	switch {
	case to == "" && c.IsSet("write"):
		return usage("-w needs the name of a file", "")
	case to == "" && redact:
		return usage("--redact is for the copy that -w writes", `as in "explainer read -w copy.pcapng --redact session.pcapng"`)
	case to == "" && c.Bool(forceFlag.Name):
		return usage("--force is for the copy that -w writes", `as in "explainer read -w copy.pcapng --force session.pcapng"`)
	case to == "":
		return usage("--strip-keys is for the copy that -w writes", `as in "explainer read -w copy.pcapng --strip-keys session.pcapng"`)
	case len(names) > 1:
		return usage(fmt.Sprintf("-w copies one capture, not %d", len(names)), "mergecap makes one of several")
	case strip && c.Bool("show-secrets"):
		return usage("--strip-keys and --show-secrets contradict each other", "")
	case redact && c.Bool("show-secrets"):
		return usage("--redact and --show-secrets contradict each other", "")
	case strip && redact:
		return usage("--redact and --strip-keys do not go together: what was overwritten is sealed again with the same keys and nonces, and whoever has the original's packets could compute from both what was sent, without a key",
			"--strip-keys alone leaves what is sealed unreadable; --redact alone is a copy that opens")
	case names[0] == "-":
		return usage("-w goes through the capture twice, so it needs a file; standard input can be read only once", "")
	}
	for _, f := range slices.Concat(selectFlags, viewFlags, []cli.Flag{secretsFlag, bytesFlag}, storyFlags) {
		if name := f.Names()[0]; name != "show-secrets" && c.IsSet(name) {
			return usage("-w copies the whole capture and tells nothing: --"+name+" has no place beside it", "")
		}
	}
	s, err := openSource(names[0])
	if err != nil {
		return err
	}
	defer s.Close()
	if !s.regular() {
		return usage("-w goes through the capture twice, so it needs a file; "+names[0]+" is none", "")
	}
	if old, err := os.Stat(to); err == nil {
		in, err := s.file.Stat()
		switch {
		case err == nil && os.SameFile(in, old):
			return usage("-w "+to+" is the capture itself", "name another file for the copy")
		case !old.Mode().IsRegular():
			return usage("-w "+to+" is no file", "")
		}
		if !c.Bool(forceFlag.Name) {
			f, err := os.Open(to)
			if err != nil {
				return writeError("copy", err)
			}
			err = replaceable(to, f, old.Size())
			f.Close()
			if err != nil {
				return err
			}
		}
	}
	completing.Store(true) // temporary files are to be removed
	var cut error
	r := redaction{context: c.Context, private: private}
	if redact {
		twin, err := r.twin(s, log, filepath.Dir(to))
		if twin != nil {
			defer twin.remove()
		}
		if err != nil && !errors.As(err, new(*pcap.CutError)) {
			return err
		}
		s, log, cut = twin.source, nil, err // the story is told of what the copy holds
	}
	x := &storied{
		explainer: annotate.Explainer{ShowSecrets: c.Bool("show-secrets")},
		randoms:   map[string]bool{},
	}
	x.decoder.PrivateKeys = private
	held, told := x.read(c.Context, s, log)
	if told != nil && !errors.As(told, new(*pcap.CutError)) {
		return told
	}
	how := pcap.Rewriting{Comment: x.comments.Packet, StripKeys: strip}
	if strip {
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
		return writeError("copy", err)
	}
	defer os.Remove(f.Name()) // fails once it has its name
	packets, err := 0, s.rewind()
	if err == nil {
		packets, err = pcap.Rewrite(f, stopping{c.Context, s.file}, how)
	}
	if e := f.Close(); e != nil && (err == nil || errors.As(err, new(*pcap.CutError))) {
		err = e
	}
	if err != nil && !errors.As(err, new(*pcap.CutError)) {
		return failed(fmt.Errorf("copy %s to %s: %w", s.name, to, err), "")
	}
	if err := os.Rename(f.Name(), to); err != nil {
		return writeError("copy", err)
	}
	what := fmt.Sprintf("%s: %s, %d with a comment", to, count(packets, "packet"), x.comments.Packets())
	switch {
	case strip:
		what += "; no keys inside, but what was decrypted is told in the comments"
	case redact:
		what += "; " + count(len(held), "key log line") + " inside"
	case len(how.Secrets) > 0:
		what += "; " + count(len(how.Secrets), "key log line") + " inside"
	}
	say(c.App.ErrWriter, what)
	if redact {
		r.say(c.App.ErrWriter, x.told)
	}
	if err == nil {
		err = cut
	}
	if err != nil {
		return failed(fmt.Errorf("%s: %w", s.name, err), "everything before the cut was copied")
	}
	return nil
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
func (x *storied) read(ctx context.Context, s *source, log []keys.Secret) (held []keys.Secret, err error) {
	for i := range log {
		x.know(&log[i])
	}
	in := stopping{ctx, s.file}
	if err := pcap.Keys(in, func(k keys.Secret) { held = append(held, k) }); err != nil && !errors.As(err, new(*pcap.CutError)) {
		return nil, s.wrong(err)
	}
	if err := s.rewind(); err != nil {
		return nil, s.wrong(err)
	}
	r, err := pcap.NewReader(in)
	if err != nil {
		return nil, s.wrong(err)
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
	case *handshake.ClientHello:
		if m.Side == capture.Client {
			x.randoms[string(b.Random[:])] = true
		}
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

// belonging returns the key log lines that are about connections of the
// capture, each once.
func (x *storied) belonging(log []keys.Secret) []keys.Secret {
	var out []keys.Secret
	seen := map[string]bool{}
	for _, s := range log {
		if text := s.String(); x.randoms[string(s.ClientRandom)] && !seen[text] {
			seen[text] = true
			out = append(out, s)
		}
	}
	return out
}

// rewind goes back to the beginning.
func (s *source) rewind() error {
	_, err := s.file.Seek(0, io.SeekStart)
	return err
}

// stopping is a reader that ends once its context does.
type stopping struct {
	ctx context.Context
	r   io.Reader
}

func (s stopping) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}
