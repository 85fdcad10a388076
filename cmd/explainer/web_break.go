package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"explainer/annotate"
	"explainer/annotate/page"
	"explainer/annotate/story"
	"explainer/annotate/words"
	"explainer/capture/keys"

	"github.com/urfave/cli/v2"
)

// Bounds of what one who looks at the page can have done.
const (
	copyTime = 20 * time.Second // for going through the recording, and for waiting until another's copy is made
	keptSize = 128 << 20        // bytes of a recording that is kept in no file
)

// A breaker makes copies of connections, which are changed and told anew: one at a time.
type breaker struct {
	source    func() (*story.Source, error) // the recording, from its beginning
	name      string                        // of its file, or ""
	options   []string                      // of read, so that it reads it as here
	keyLog    func(take func(keys.Secret)) error
	private   []*keys.PrivateKey
	explainer func() (*annotate.Explainer, error)
	kept      *kept // what is kept where there is no file, or nil
	secrets   bool  // keys were asked for

	turn     chan struct{} // is taken by who makes one
	conn     int           // of specimen
	version  int           // of its session, when it was made
	specimen *story.Specimen
}

// newBreaker makes the one that the flags ask for.
func newBreaker(c *cli.Context) *breaker {
	b := &breaker{turn: make(chan struct{}, 1), secrets: c.Bool(secretsFlag.Name)}
	var model *annotate.Explainer
	b.explainer = func() (*annotate.Explainer, error) {
		if model == nil {
			x := newExplainer(c)
			if err := trust(c, x); err != nil {
				return nil, err
			}
			model = x
		}
		x := *model
		x.Bytes, x.Secrets = true, true
		return &x, nil
	}
	return b
}

// ofFile lets it copy from a capture that is read.
func (b *breaker) ofFile(c *cli.Context, name string, private []*keys.PrivateKey) *breaker {
	b.name, b.private = name, private
	b.source = func() (*story.Source, error) {
		s, err := fileAgain(name)
		if err == nil {
			s.DecodeAs, err = decodeAs(c)
		}
		return s, err
	}
	b.keyLog = func(take func(keys.Secret)) error { return keyLogs(c, take) }
	for _, option := range []string{"keylog", "key", decodeAsFlag.Name} {
		for _, value := range c.StringSlice(option) {
			b.options = append(b.options, "--"+option, value)
		}
	}
	if value := c.String(rootsFlag.Name); value != "" {
		b.options = append(b.options, "--"+rootsFlag.Name, value)
	}
	return b
}

// ofRecording lets it copy from the recording of a running proxy: its file or, without one, what is kept.
func (b *breaker) ofRecording(file *os.File, k *kept) *breaker {
	if b.kept = k; k != nil {
		b.source = k.source
		return b
	}
	b.name = file.Name()
	b.source = func() (*story.Source, error) { return fileAgain(b.name) }
	return b
}

// fileAgain opens a capture that can be read more than once.
func fileAgain(name string) (*story.Source, error) {
	if !isRegular(name) { // to open a pipe would take what is another's
		return nil, errNoRecording
	}
	return story.Open(name)
}

var (
	errNoRecording = fails(nil, words.Piece("error/break-no-recording"))
	errCopyBusy    = fails(nil, words.Piece("error/break-busy"))
	errNoSchedule  = fails(nil, words.Piece("error/no-schedule"))
	errCopySlow    = fails(nil, words.Piece("error/break-slow"))
)

// take returns a copy of a connection as its session is at a version, and who is done with it calls done.
func (b *breaker) take(ctx context.Context, conn, version int) (s *story.Specimen, done func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, copyTime)
	defer cancel()
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, errCopyBusy
	}
	done = func() { <-b.turn }
	defer func() {
		if err != nil {
			done()
		}
	}()
	if b.specimen != nil && b.conn == conn && b.version == version {
		return b.specimen, done, nil
	}
	if b.source == nil {
		return nil, nil, errNoRecording
	}
	source, err := b.source()
	if err != nil {
		return nil, nil, err
	}
	defer source.Close()
	if !source.Regular() {
		return nil, nil, errNoRecording
	}
	source.Until(ctx)
	var log []keys.Secret
	if b.keyLog != nil {
		if err := b.keyLog(func(s keys.Secret) { log = append(log, s) }); err != nil {
			return nil, nil, err
		}
	}
	if _, err := b.explainer(); err != nil {
		return nil, nil, err
	}
	s, err = story.TakeSpecimen(source.Recording(log), conn, 0, story.SpecimenOptions{PrivateKeys: b.private, Explainer: func() *annotate.Explainer {
		x, _ := b.explainer() // it did not fail above
		return x
	}})
	if ctx.Err() != nil {
		return nil, nil, errCopySlow
	}
	if err != nil {
		return nil, nil, err
	}
	b.conn, b.version, b.specimen = conn, version, s
	return s, done, nil
}

// command makes a change on the command line.
func (b *breaker) command(conn int, change ...string) string {
	name := b.name
	if name == "" {
		name = "FILE"
	}
	all := slices.Concat([]string{"explainer", "read"}, change, []string{"--connection", strconv.Itoa(conn)}, b.options, []string{name})
	for i := range all {
		all[i] = page.Quoted(all[i])
	}
	return strings.Join(all, " ")
}

// change reads a change as a query has it, and how it is written there and on the command line.
func change(q url.Values) (c story.Change, written string, args []string, err error) {
	for _, key := range []string{"flip", "inside", "without", "chain"} {
		value := q.Get(key)
		if value == "" {
			continue
		}
		written = key + "=" + value
		switch key {
		case "without":
			return story.Without{Label: value}, written, []string{"--without", value}, nil
		case "chain":
			n, err := strconv.Atoi(value)
			if err != nil {
				return nil, "", nil, fails(nil, words.Piece("error/change-of-one"))
			}
			return story.Chain{Of: n}, written, []string{"--chain-of", value}, nil
		}
		f, err := flipOf(value)
		if err != nil {
			return nil, "", nil, err
		}
		args = []string{"--flip", value}
		if f.Inside = key == "inside"; f.Inside {
			args = append(args, "--inside")
		}
		return f, written, args, nil
	}
	return nil, "", nil, nil
}

// broken answers with the page on which a session is broken.
func (w *shelf) broken(rw http.ResponseWriter, r *http.Request) {
	v, ok := w.view(rw, r)
	if !ok {
		return
	}
	n, _ := strconv.Atoi(r.PathValue("n"))
	q := r.URL.Query()
	conns := w.book.Conns(n)
	if len(conns) == 0 {
		noSession(rw)
		return
	}
	x := &page.Experiment{Conn: conns[0], At: -1}
	if c, _ := strconv.Atoi(q.Get("c")); slices.Contains(conns, c) {
		x.Conn = c
	}
	if err := w.experiment(r.Context(), n, q, x); err != nil {
		x.Wrong = story.WordsOf(err)
	}
	w.show(rw, func(b *bytes.Buffer) error { return v.Experiment(b, n, x) })
}

// experiment makes a copy of the connection, and the change that is asked for.
func (w *shelf) experiment(ctx context.Context, session int, q url.Values, x *page.Experiment) error {
	b := w.breaks.Load()
	if b == nil {
		return errNoRecording
	}
	s, done, err := b.take(ctx, x.Conn, w.book.Version(session))
	if err != nil {
		return b.kept.because(err)
	}
	defer done()
	x.Events, x.Labels, x.Chains = s.Events(), s.Labels(), s.Chains()
	for _, d := range s.Data() {
		x.Data = append(x.Data, page.Datum{From: d.From, Len: d.Len, Place: fmt.Sprintf("%d:%d", d.Flip.Packet, d.Flip.Offset), Was: d.Was})
	}
	x.Short = s.Part || b.kept.cut()
	from, start, _ := strings.Cut(q.Get("m"), ":")
	if at, err := strconv.ParseInt(start, 10, 64); err == nil {
		x.Chosen = s.Message(from, at)
	}
	if at, err := strconv.Atoi(q.Get("b")); err == nil && x.Chosen != nil && at >= 0 && at < len(x.Chosen.Raw)/2 {
		x.At = at
		reach := s.Reach(x.Chosen, at)
		if f := reach.Wire; f != nil {
			x.Ways = append(x.Ways, page.Way{Place: fmt.Sprintf("%d:%d", f.Packet, f.Offset), Was: reach.Was})
		}
		if f := reach.Inside; f != nil {
			was, err := strconv.ParseUint(x.Chosen.Raw[2*at:2*at+2], 16, 8)
			if err == nil {
				x.Ways = append(x.Ways, page.Way{Place: fmt.Sprintf("%d:%d", f.Packet, f.Offset), Was: byte(was), Inside: true})
			}
		}
	}
	c, written, args, err := change(q)
	if c == nil || err != nil {
		return err
	}
	broken, err := s.Break(c)
	if err != nil {
		return err
	}
	x.Change, x.Comparison, x.Command = written, broken.Comparison, b.command(x.Conn, args...)
	return nil
}

// schedule answers with the key schedule of a connection of a session.
func (w *shelf) schedule(rw http.ResponseWriter, r *http.Request) {
	v, ok := w.view(rw, r)
	if !ok {
		return
	}
	n, _ := strconv.Atoi(r.PathValue("n"))
	conns := w.book.Conns(n)
	if len(conns) == 0 {
		noSession(rw)
		return
	}
	s := &page.Schedule{Conn: conns[0]}
	if c, _ := strconv.Atoi(r.URL.Query().Get("c")); slices.Contains(conns, c) {
		s.Conn = c
	}
	if err := w.secretsOf(r.Context(), n, s); err != nil {
		s.Wrong = story.WordsOf(err)
	}
	w.show(rw, func(b *bytes.Buffer) error { return v.Schedule(b, n, s) })
}

// secretsOf finds the key schedule in a copy of the connection.
func (w *shelf) secretsOf(ctx context.Context, session int, s *page.Schedule) error {
	b := w.breaks.Load()
	if b == nil {
		return errNoRecording
	}
	of, done, err := b.take(ctx, s.Conn, w.book.Version(session))
	if err != nil {
		return b.kept.because(err)
	}
	defer done()
	s.Show = b.secrets
	for _, e := range of.Events() {
		if e.Summary == nil {
			continue
		}
		for _, l := range e.Summary.Legs {
			if l.Conn == s.Conn && l.Secrets != nil {
				s.Secrets = l.Secrets
			}
		}
	}
	if s.Secrets == nil {
		return errNoSchedule
	}
	return nil
}

// kept is the beginning of a recording that has no file, so that connections can be copied out of it.
type kept struct {
	mu   sync.Mutex
	file *os.File
	size int64
	over bool // there is more of the recording than is kept
}

// keeping keeps what passes.
type keeping struct {
	io.ReadCloser
	*kept
}

func (k keeping) Read(p []byte) (int, error) {
	n, err := k.ReadCloser.Read(p)
	k.keep(p[:n], err)
	return n, err
}

// keep keeps some of the stream. Behind what is missing nothing can be used.
func (k *kept) keep(p []byte, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(p) > 0 && !k.over {
		if k.file == nil {
			if k.file, err = scratchFile(); err != nil {
				k.over = true
				return
			}
		}
		if k.size+int64(len(p)) > keptSize {
			k.over = true
		} else if _, wrong := k.file.WriteAt(p, k.size); wrong != nil {
			k.over = true
		} else {
			k.size += int64(len(p))
		}
	}
	k.over = k.over || err != nil && err != io.EOF
}

// source is what is kept, as a capture. It shares the file, which is written at places of its own.
func (k *kept) source() (*story.Source, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.file == nil {
		return nil, errNoRecording
	}
	return story.OpenFile("recording", k.file)
}

// cut tells that there is more of the recording than is kept.
func (k *kept) cut() bool {
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.over
}

// because says that a connection may be missing for it is kept no more.
func (k *kept) because(err error) error {
	if k.cut() && !errors.Is(err, errCopySlow) && !errors.Is(err, errCopyBusy) {
		return errNoRecording
	}
	return err
}

func (k *kept) close() {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over = true; k.file != nil {
		k.file.Close()
		os.Remove(k.file.Name()) // where that was not possible while it was open
	}
}
