package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture/keys"
	"explainer/capture/pcap"

	"github.com/urfave/cli/v2"
)

var readCommand = &cli.Command{
	Name:      "read",
	Usage:     "tell the story of a capture",
	UsageText: "explainer read [--keylog FILE] [--key FILE] [--format text|json|har] FILE...",
	Description: `Reads recordings made with -w, and pcap or pcapng files made elsewhere, gzip'd or
not, and tells their story. "-" is standard input. A recording holds its own keys;
for other captures give the key log that the client wrote (SSLKEYLOGFILE). A server's
private key opens TLS 1.2 and older with RSA key transport, and nothing else.
--as eavesdropper tells what somebody on the path sees who has no keys. Ctrl-C ends it
at once; JSON that was written by then ends with a whole line.

First comes what the capture is and comes to, then each connection (of a recording:
each session, with both legs) with its messages, one line each, and its eight steps.
--overview stops after the first; --messages tells every message in the order of time,
with its fields, sentences and proofs; --bytes shows its bytes too.

Examples:

   explainer read session.pcapng
   explainer read --overview *.pcap
   explainer read --keylog keys.txt --host "*.example.org" --only-failed capture.pcap
   explainer read --messages --connection 3-7 capture.pcap
   explainer read --format har session.pcapng > session.har
   explainer read -w for-wireshark.pcapng --keylog keys.txt capture.pcap`,
	Flags:  slices.Concat(keyFlags, rewriteFlags, selectFlags, viewFlags, []cli.Flag{asFlag, secretsFlag, bytesFlag, rootsFlag}, storyFlags),
	Action: read,
}

// bytesFlag goes one step further than --messages.
var bytesFlag = &cli.BoolFlag{Name: "bytes", Usage: "as --messages, and below each handshake message its bytes, field by field", DisableDefaultText: true}

// secretsFlag asks for what no other flag shows.
var secretsFlag = &cli.BoolFlag{Name: "secrets", Usage: "draw each connection's key schedule with its real values: this PRINTS THE KEYS that open it", DisableDefaultText: true}

func read(c *cli.Context) error {
	files := c.Args().Slice()
	if len(files) == 0 {
		return usage("read needs a capture file", `as in "explainer read session.pcapng"; - is standard input`)
	}
	for _, name := range files {
		if _, err := os.Stat(name); err != nil && strings.HasPrefix(name, "-") && name != "-" {
			return usage(name+" stands behind a file", "options stand before the files: explainer read "+name+" ... "+files[0])
		}
	}
	tuneMemory()
	r := reading{c: c}
	err := asWhom(c)
	if err != nil {
		return err
	}
	if c.String(asFlag.Name) == "" {
		if r.private, err = privateKeys(c); err != nil {
			return err
		}
	}
	if rewriting(c) {
		var secrets []keys.Secret
		if c.String(asFlag.Name) == "" {
			if err := keyLogs(c, func(s keys.Secret) { secrets = append(secrets, s) }); err != nil {
				return err
			}
		}
		return rewrite(c, files, secrets, r.private)
	}
	if r.selection, err = newSelection(c); err != nil {
		return err
	}
	if r.selection != nil && c.Bool("overview") {
		return usage("--overview tells what the whole capture comes to, and chooses no connections", "leave out --overview, or what chooses")
	}
	out, v, err := newView(c, c.App.Writer, r.selection, nameOf(files), slices.Contains(files, "-"))
	if err != nil {
		return err
	}
	defer v.Close()
	r.out, r.view = out, v
	return r.files(files)
}

// nameOf names captures that are read as one.
func nameOf(files []string) string {
	var names []string
	for _, f := range files {
		if f == "-" {
			f = "standard input"
		}
		names = append(names, filepath.Base(f))
	}
	if len(names) > 3 {
		return count(len(names), "file")
	}
	return strings.Join(names, ", ")
}

// A reading is one run of read: what the flags ask for, for every file.
type reading struct {
	c       *cli.Context
	private []*keys.PrivateKey
	out     renderer
	view    *view

	selection *selection
}

// files tells the story of captures, merged by time. One that cannot be read is
// told, and the others are read.
func (r *reading) files(names []string) error {
	t := newTeller(r.c, r.out)
	defer beforeLeaving(t.leave)()
	if err := trust(r.c, t.explainer); err != nil {
		return err
	}
	t.decoder.PrivateKeys = r.private
	if !t.deaf {
		var feeding error
		if err := keyLogs(r.c, func(s keys.Secret) { feeding = cmp.Or(feeding, t.feed(&s)) }); err != nil {
			return err
		}
		if feeding != nil {
			return feeding
		}
	}
	t.decoder.SecretsFirst = true
	var sources []*source
	var readers []*pcap.Reader
	var read []string
	var verdict error
	wrong := func(err error) {
		if len(names) == 1 {
			verdict = err
		} else {
			exitCode(r.c.App.ErrWriter, err)
			verdict = childExit(1)
		}
	}
	bar := newProgress(r.c.App.ErrWriter, r.c.App.Writer, readTwice(names), r.view.keepsBack())
	defer bar.clear()
	for _, name := range names {
		s, err := openSource(name)
		if errors.Is(err, errTooManyFiles) {
			return err
		}
		if err != nil {
			wrong(err)
			continue
		}
		defer s.Close()
		s.progress = bar
		packets, err := r.open(s, t)
		if err != nil {
			wrong(err)
			continue
		}
		sources, readers, read = append(sources, s), append(readers, packets), append(read, name)
	}
	if len(readers) == 0 {
		return verdict
	}
	packets := pcap.Merge(readers...)
	t.files = packets.Captures()
	if len(names) > 1 && (t.files > 1 || len(read) == 1) { // the parts of a recording are told as what they are: one
		for _, name := range read {
			if err := r.out.Event(&event.Event{Schema: event.SchemaVersion, Kind: event.KindFile, Topic: event.TopicFile, Name: words.NameOf(event.TopicFile, ""), Brief: name}); err != nil {
				return err
			}
		}
	}
	tell := t.tell
	if !slices.ContainsFunc(sources, func(s *source) bool { return !s.regular() }) {
		tell = t.pipe
	}
	told := tell(packets)
	bar.clear()
	if n := t.decoder.Forgotten(); n > 0 {
		say(r.c.App.ErrWriter, fmt.Sprintf("%s forgotten, the oldest first, because there are more than are kept: what only they open is told as sealed", count(n, "key log line")))
	}
	if err := t.finish(packets); err != nil {
		return err
	}
	if n := len(t.open); n > 0 && told == nil && packets.Own() {
		// Every connection's end is in a recording that was completed.
		why := "its proxy was killed or had no room to write, or it still runs"
		if packets.Parted() {
			why = "the next part of the recording is not among the files, or " + why
		}
		say(r.c.App.ErrWriter, fmt.Sprintf("%s ends before %s in it did: %s", sources[len(sources)-1].name, count(n, "connection"), why))
	}
	for i, s := range sources {
		if err := packets.Err(i); err == nil && told != nil {
			return told // it was not the reading
		} else if err := s.verdict(err); err != nil {
			wrong(err)
		}
	}
	if stats := packets.Stats(); verdict == nil && stats.Connections == 0 {
		what := sources[0].name
		if len(sources) > 1 {
			what = count(len(sources), "file")
		}
		return failed(fmt.Errorf("%s: no connection over TCP, QUIC or DTLS in %s", what, count(stats.Packets, "packet")), "")
	}
	if verdict == nil {
		verdict = r.selection.verdictOn(r.view.overview)
	}
	return verdict
}

// readTwice is how much there is to read: files are gone through for keys first.
func readTwice(names []string) int64 {
	n := int64(0)
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		n += 2 * info.Size()
	}
	return n
}

// open begins to read the packets of s, and feeds t its keys where that can be
// done. In a recording of our own they stand before the bytes they open. In
// other captures they may stand anywhere, so a file is gone through for them
// first; standard input can be read only once.
func (r *reading) open(s *source, t *teller) (*pcap.Reader, error) {
	packets, err := s.reader()
	switch {
	case err != nil:
		return packets, err
	case packets.Own():
		s.progress.total -= max(s.size, 0)
		return packets, nil
	case s.regular():
		return s.keysFirst(t)
	}
	t.decoder.SecretsFirst = false
	say(r.c.App.ErrWriter, "standard input is read once: keys that stand far behind the bytes they open may come too late")
	return packets, nil
}

// fileError is a file that cannot be opened, in words.
func fileError(what string, err error) error {
	var path *fs.PathError
	if !errors.As(err, &path) {
		return failed(err, "")
	}
	if what != "" {
		what += " "
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return failed(fmt.Errorf("%s%s: there is no such file", what, path.Path), "")
	case errors.Is(err, fs.ErrPermission):
		return failed(fmt.Errorf("%s%s: no permission to read it", what, path.Path), "recordings are made readable by their owner alone")
	}
	return failed(fmt.Errorf("%s%s: %w", what, path.Path, path.Err), "")
}
