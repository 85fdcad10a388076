package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/story"
	"explainer/annotate/words"
	"explainer/ca"
	"explainer/capture/pcap"
	"explainer/proxy"

	"github.com/urfave/cli/v2"
)

// drainTime is how long open connections may take to end after Ctrl-C.
const drainTime = 3 * time.Second

// hurriedTime is how long the rest of the story may take after the second Ctrl-C:
// whoever reads it may have stopped.
const hurriedTime = 500 * time.Millisecond

// Of how many bytes that are still to be told stop says so at once, and after
// which time it speaks of them again.
const (
	muchBehind   = 1 << 20
	patienceTime = time.Second
)

// proxyFlags are those of every command that runs the proxy.
var proxyFlags = append([]cli.Flag{
	&cli.IntFlag{Name: "listen-port", Aliases: []string{"p"}, Value: 8080, Usage: "`PORT` to listen on; 0 picks a free one, as run and browse do by themselves", DefaultText: "8080"},
	&cli.StringFlag{Name: "listen-host", Value: "127.0.0.1", Usage: "`ADDRESS` to listen on; where other machines reach it, they need the credential that is printed"},
	allowFlag,
	&cli.StringFlag{Name: "write", Aliases: []string{"w"}, Usage: "keep the recording in `FILE` (pcapng, with the keys inside)"},
	forceFlag,
	spoolFlag,
	&cli.StringFlag{Name: "keylog", EnvVars: []string{"SSLKEYLOGFILE"}, Usage: "append the keys of both legs to `FILE` as well"},
	&cli.BoolFlag{Name: "textbook", Usage: "the browser's leg speaks TLS 1.2 with RSA key transport, as the textbook tells it", DisableDefaultText: true},
	&cli.StringSliceFlag{Name: "passthrough", Usage: "record `HOST` without decrypting it; * matches any part (repeatable)"},
	&cli.StringSliceFlag{Name: "map", Usage: "where another address is to be called: `HOST[:PORT]=ADDR:PORT`; * in HOST matches any part (repeatable)"},
	&cli.StringSliceFlag{Name: "origin-ca", Usage: "trust the roots in `FILE` for origins too (PEM, repeatable)"},
	&cli.StringSliceFlag{Name: "client-cert", Usage: "certificate and key (PEM) to show to an origin: `HOST=FILE` (repeatable)"},
	&cli.StringFlag{Name: "on-bad-origin", Value: "mirror", Usage: "`mirror|block`: where an origin's certificate is bad, show the client an equally bad one, or a page that explains it", DefaultText: "mirror"},
	&cli.StringFlag{Name: "on-unsupported", Value: "page", Usage: "`page|tunnel`: where an origin takes the client's own ClientHello and not the proxy's, answer with a page, or pass the connection on unopened", DefaultText: "page"},
	&cli.StringFlag{Name: "on-local-request", Value: "tell", Usage: "`tell|refuse`: where a page of the web asks for a service of this machine or its private network, tell of it, or refuse it", DefaultText: "tell"},
	&cli.StringFlag{Name: "upstream-proxy", Usage: "reach origins through the proxy at `URL` (http or socks5); none calls them directly", DefaultText: "what HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say"},
	&cli.StringFlag{Name: "story", Usage: "tell the story in `FILE`", DefaultText: "standard output; with run, standard error"},
	homeFlag,
}, slices.Concat(webFlags, rotateFlags, storyFlags)...)

// A live is a running proxy whose story is being told.
type live struct {
	proxy     *proxy.Proxy
	authority *ca.Authority
	url       string              // http://127.0.0.1:8080
	trusted   []*x509.Certificate // of a child beside our CA, see named

	listener   net.Listener
	recorder   *proxy.Recorder
	follower   *proxy.Follower
	recording  *os.File  // of -w, or nil; the first, if there are several
	rotation   *rotation // of --rotate, or nil
	story      *os.File
	served     chan error
	told       chan error
	saidBehind bool
	saidEnd    sync.Once
	errw       io.Writer
	web        *web            // the page, or nil
	staying    context.Context // where the page outlives the proxy: until this is done
	keylog     *os.File
	keysOf     *os.File // what the child logs its keys to, with --observe; in a folder of its own
}

// start starts a proxy as the flags say; the story goes to storyTo unless
// --story names a file. Each event is also handed to watch, unless that is nil.
func start(c *cli.Context, storyTo io.Writer, watch func(*event.Event)) (*live, error) {
	spool, err := size(c, "spool", 0)
	if err != nil {
		return nil, err
	}
	rotation, err := newRotation(c)
	if err != nil {
		return nil, err
	}
	told := newStories()
	p, err := newProxy(c, told)
	if err != nil {
		return nil, err
	}
	l := &live{proxy: p, authority: p.Authority, errw: c.App.ErrWriter, served: make(chan error, 1), told: make(chan error, 1)}
	ok := false
	defer func() {
		if !ok {
			l.discard()
		}
	}()
	if name := c.String("story"); name != "" {
		if l.story, err = openOutput(words.Piece("file/story"), name, outputReplace, false); err != nil {
			return nil, err
		}
		storyTo = l.story
	}
	out, err := newRenderer(c, storyTo)
	if err != nil {
		return nil, err
	}
	out = watching{out, told.see}
	if watch != nil {
		out = watching{out, watch}
	}
	if l.web, err = newWeb(c, c.Command.Name == "proxy" || c.Command.Name == "browse", ""); err != nil {
		return nil, err
	}
	if l.web != nil {
		out = &tee{web: l.web, out: out, says: func(err error) { l.storyEnds(err) }}
		if l.web.listener != nil {
			p.NotThrough(l.web.listener.Addr())
			l.web.ca = authorityWords(l.authority)
		}
	}
	if l.listener, err = listen(c); err != nil {
		return nil, err
	}
	l.url = "http://" + reachable(l.listener)
	if p.Access, err = access(c, l.listener); err != nil {
		return nil, err
	}
	if err := l.upstream(c); err != nil {
		return nil, err
	}
	if c.Command.Name == "run" {
		l.named()
	}
	if l.rotation = rotation; rotation != nil {
		completing.Store(true)
		l.recording, err = rotation.next()
	} else {
		l.recording, err = openRecording(c)
	}
	if err != nil {
		return nil, err
	}
	options := proxy.RecorderOptions{
		Textbook: p.Textbook,
		Version:  version(),
		Spool:    spool,
		OnSkip: func(bytes int64, err error) {
			say(l.errw, skippedWords(bytes, err))
		},
		OnError: func(err error) {
			if errors.As(err, new(*proxy.KeyLogError)) {
				say(l.errw, words.Piece("say/key-log-ends", "error", story.WordsOf(err)))
				return
			}
			say(l.errw, words.Piece("say/recording-ends-story", "error", story.WordsOf(err)))
		},
	}
	if rotation != nil {
		options.Rotate, options.Keep, options.Next = rotation.size, rotation.keep, rotation.next
	}
	if name := c.String("keylog"); name != "" {
		if l.keylog, err = openOutput(words.Piece("file/key-log"), name, outputAppend, false); err != nil {
			return nil, err
		}
		if !c.Bool("observe") { // there the child's lines go into it
			options.KeyLog = l.keylog
		}
	}
	if l.recorder, err = proxy.NewRecorder(l.recording, options); err != nil {
		return nil, failed(err)
	}
	p.Recorder = l.recorder
	tuneMemory(gcPercentLive)
	l.follower = l.recorder.Follow()
	var recording io.ReadCloser = l.follower
	if l.web != nil && l.rotation == nil { // the parts of a rotated one come and go
		b := newBreaker(c)
		if l.recording != nil {
			b.ofRecording(l.recording, nil)
		} else if l.web.listener != nil {
			k := new(kept)
			b.ofRecording(nil, k)
			recording = keeping{recording, k}
		}
		l.web.breaks.Store(b)
	}
	if c.Bool("observe") {
		if err := l.observe(); err != nil {
			return nil, err
		}
	}
	go func() { l.served <- p.Serve(l.listener) }()
	go func() {
		l.told <- l.storyEnds(follow(c, recording, out, l.web != nil))
	}()
	if l.recording != nil && (!opensNothing(c) || c.Bool("observe")) {
		say(l.errw, words.Piece("say/keys-inside", "file", l.recording.Name()))
	}
	ok = true
	return l, nil
}

// sayPage says where the page is, where there is one.
func (l *live) sayPage() {
	if l.web != nil && l.web.url != "" {
		say(l.errw, words.Piece("say/page", "url", l.web.url))
	}
}

// storyEnds says why the story ends before it is over, if it does, once; that nobody reads it is no error.
func (l *live) storyEnds(err error) error {
	if err == nil {
		return nil
	}
	what := words.Piece("say/story-ends", "error", story.WordsOf(err))
	if errors.Is(err, syscall.EPIPE) {
		err, what = nil, words.Piece("say/nobody-reads")
	}
	l.saidEnd.Do(func() { say(l.errw, what) })
	return err
}

// observe makes the key log that a child writes to, and has the proxy read it.
func (l *live) observe() error {
	dir, err := os.MkdirTemp("", "explainer-keys-")
	if err == nil {
		if l.keysOf, err = os.OpenFile(filepath.Join(dir, "keys.log"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			os.RemoveAll(dir)
		}
	}
	if err != nil {
		return fails(err, words.Piece("error/no-place-key-log", "error", story.WordsOf(err)), words.Piece("hint/tmpdir"))
	}
	var copyTo io.Writer
	if l.keylog != nil {
		copyTo = l.keylog
	}
	l.proxy.Observe = proxy.NewObserver(l.recorder, l.keysOf, copyTo)
	return nil
}

// opensNothing tells that the proxy passes on everything as it is, and has no keys.
func opensNothing(c *cli.Context) bool {
	return c.Bool("observe") || slices.ContainsFunc(c.StringSlice("passthrough"), func(pattern string) bool { return strings.Trim(pattern, "*") == "" })
}

// watching hands each event to watch before it is told.
type watching struct {
	story.Renderer
	watch func(*event.Event)
}

func (w watching) Event(e *event.Event) error {
	w.watch(e)
	return w.Renderer.Event(e)
}

// follow tells the story of the recording while it grows.
func follow(c *cli.Context, recording io.ReadCloser, out story.Renderer, pages bool) error {
	defer recording.Close()
	t, err := newTeller(c, out, pages)
	if err != nil {
		return err
	}
	err = t.Follow(recording)
	if errors.As(err, new(*pcap.CutError)) {
		return nil // a recording that could not be written to its end is told up to there
	}
	return err
}

// stop ends the proxy: connections drain, the recording is completed, the story
// told to its end. A signal that comes meanwhile ends it at once: open connections
// are cut, and nobody waits long for a reader of the story; the recording is completed all the same.
func (l *live) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	again := make(chan os.Signal, 1)
	signal.Notify(again, endSignals()...)
	defer signal.Stop(again)
	hurried, over := make(chan struct{}), make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-again:
			close(hurried)
			cancel()
		case <-over:
		}
	}()
	l.sayBehind()
	err := l.proxy.Shutdown(ctx)
	if ctx.Err() != nil {
		err = nil // what was still open was cut, and the story says so
	}
	if o := l.proxy.Observe; o != nil {
		if e := o.Close(); e != nil {
			say(l.errw, words.Piece("say/key-log-lacks", "file", l.keylog.Name(), "error", story.WordsOf(e)))
		}
	}
	if e := l.recorder.Close(); err == nil && e != nil {
		err = childExit(1) // it was told when it happened
	}
	var late <-chan time.Time
	patience := time.NewTimer(patienceTime)
	defer patience.Stop()
	for waiting := true; waiting; {
		select {
		case <-patience.C:
			l.sayBehind()
		case e := <-l.told:
			if waiting = false; err == nil && e != nil {
				err = childExit(1) // it was told when it happened
			}
		case <-hurried:
			hurried, late = nil, time.After(hurriedTime)
		case <-late:
			waiting = false
			if e := l.web.write(); err == nil && e != nil { // of what was told by then
				err = e
			}
		}
	}
	if l.recording != nil {
		in, read := event.Plain(l.recording.Name()), l.recording.Name()
		if l.rotation != nil {
			in, read = l.rotation.files()
		}
		if isRegular(l.recording.Name()) { // a pipe or a device gives nothing back
			say(l.errw, words.Piece("say/recording-in", "file", in, "read", read))
		}
	}
	if l.staying != nil && l.staying.Err() == nil && l.web != nil && l.web.url != "" {
		say(l.errw, words.Piece("say/page-stays", "url", l.web.url))
		<-l.staying.Done()
	}
	l.discard()
	return err
}

// sayBehind says how much of the story is still to be told, if that is worth a word.
func (l *live) sayBehind() {
	if n := l.follower.Behind(); n >= muchBehind && !l.saidBehind {
		l.saidBehind = true
		say(l.errw, words.Piece("say/behind", "size", megabytes(n)))
	}
}

// megabytes is a number of bytes in words.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// skippedWords says that the story lacks bytes.
func skippedWords(bytes int64, err error) event.Text {
	why := words.Piece("say/skipped-slow")
	if err != nil {
		why = words.Piece("say/skipped-no-place", "error", story.WordsOf(err))
	}
	return words.Piece("say/skipped", "size", megabytes(bytes), "why", why)
}

// discard closes the files.
func (l *live) discard() {
	if l.listener != nil {
		l.listener.Close()
	}
	if l.recording != nil {
		l.recording.Close()
	}
	if l.story != nil {
		l.story.Close()
	}
	if l.keylog != nil {
		l.keylog.Close()
	}
	if l.keysOf != nil {
		l.keysOf.Close()
		os.RemoveAll(filepath.Dir(l.keysOf.Name()))
	}
	if l.proxy.Sites != nil {
		l.proxy.Sites.Close()
	}
	l.web.close()
}

// openRecording opens the file of -w, if there is one.
func openRecording(c *cli.Context) (*os.File, error) {
	completing.Store(true)
	if name := c.String("write"); name != "" {
		return openOutput(words.Piece("file/recording"), name, outputRecording, c.Bool(forceFlag.Name))
	}
	return nil, nil
}

func listen(c *cli.Context) (net.Listener, error) {
	port := c.Int("listen-port")
	if port < 0 || port > 65535 {
		return nil, usage(words.Piece("error/port", "n", strconv.Itoa(port)))
	}
	addr := net.JoinHostPort(c.String("listen-host"), strconv.Itoa(port))
	l, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fails(err, words.Piece("error/port-taken", "address", addr), words.Piece("hint/free-port"))
	case errors.Is(err, syscall.EACCES):
		return nil, fails(err, words.Piece("error/port-permission", "address", addr), words.Piece("hint/system-port"))
	case err != nil:
		return nil, failed(err, words.Piece("hint/listen-host"))
	}
	return l, nil
}

// reachable is where clients on this machine find what listens on l.
func reachable(l net.Listener) string {
	a := l.Addr().(*net.TCPAddr)
	if a.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(a.Port))
	}
	return a.String()
}

// newProxy makes the proxy that the flags ask for, with the built-in sites running.
func newProxy(c *cli.Context, told proxy.Stories) (*proxy.Proxy, error) {
	p := &proxy.Proxy{Language: language(), Textbook: c.Bool("textbook"), PassThrough: c.StringSlice("passthrough"), Map: map[string]string{}}
	for _, m := range c.StringSlice("map") {
		from, to, ok := strings.Cut(m, "=")
		if _, _, err := net.SplitHostPort(to); !ok || from == "" || err != nil {
			return nil, usage(words.Piece("error/map", "value", quote(m)), words.Piece("hint/as-in", "example", "--map shop.test:443=127.0.0.1:8443"))
		}
		if _, err := path.Match(from, ""); err != nil {
			return nil, usage(words.Piece("error/map-pattern", "value", quote(m), "host", quote(from)), words.Piece("hint/star"))
		}
		p.Map[strings.ToLower(from)] = to
	}
	for _, name := range c.StringSlice("origin-ca") {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, story.FileError(words.Piece("file/origin-ca"), err)
		}
		certs, err := parseCertificates(data)
		if err != nil {
			return nil, fails(err, words.Piece("error/origin-ca", "file", name, "error", story.WordsOf(err)), words.Piece("hint/certificates"))
		}
		p.OriginCAs = append(p.OriginCAs, certs...)
	}
	for _, m := range c.StringSlice("client-cert") {
		host, name, ok := strings.Cut(m, "=")
		if !ok || host == "" || name == "" {
			return nil, usage(words.Piece("error/client-cert", "value", quote(m)))
		}
		cert, err := tls.LoadX509KeyPair(name, name)
		if err != nil {
			return nil, fails(err, words.Piece("error/client-certificate", "file", name, "error", story.WordsOf(err)), words.Piece("hint/client-certificate"))
		}
		if p.ClientCerts == nil {
			p.ClientCerts = map[string]tls.Certificate{}
		}
		p.ClientCerts[strings.ToLower(host)] = cert
	}
	switch s := c.String("on-bad-origin"); s {
	case "", "mirror": // a command may not have the flag
	case "block":
		p.BlockBadOrigins = true
	default:
		return nil, usage(words.Piece("error/neither", "option", "on-bad-origin", "value", quote(s), "one", "mirror", "other", "block"))
	}
	switch s := c.String("on-unsupported"); s {
	case "", "page": // a command may not have the flag
	case "tunnel":
		p.TunnelUnsupported = true
	default:
		return nil, usage(words.Piece("error/neither", "option", "on-unsupported", "value", quote(s), "one", "page", "other", "tunnel"))
	}
	switch s := c.String("on-local-request"); s {
	case "", "tell": // a command may not have the flag
	case "refuse":
		p.RefuseLocal = true
	default:
		return nil, usage(words.Piece("error/neither", "option", "on-local-request", "value", quote(s), "one", "tell", "other", "refuse"))
	}
	var err error
	own := ownCA(c)
	if own {
		p.Authority, p.Stored, err = runAuthority(c)
	} else {
		p.Authority, err = authority(c)
	}
	if err != nil {
		return nil, err
	}
	sites, err := proxy.StartSites(p.Authority, !own, language(), told)
	if err != nil {
		return nil, fails(err, words.Piece("error/built-in-sites", "error", story.WordsOf(err)))
	}
	p.Sites = sites
	return p, nil
}

// parseCertificates reads the certificates of a PEM file and passes over all else in it.
func parseCertificates(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		data = rest
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, fails(nil, words.Piece("error/no-certificate"))
	}
	return certs, nil
}
