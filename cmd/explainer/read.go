package main

import (
	"cmp"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/rows"
	"explainer/annotate/story"
	"explainer/annotate/words"
	"explainer/capture/keys"
	"explainer/capture/pcap"

	"github.com/urfave/cli/v2"
)

var readCommand = &cli.Command{
	Name:      "read",
	Usage:     "tell the story of a capture",
	UsageText: "explainer [read] FILE... [--keylog FILE] [--key FILE] [--format text|json|har|qlog]",
	Description: `Reads recordings made with -w, and pcap or pcapng files made elsewhere, gzip'd or
not, and tells their story. "-" is standard input. A recording holds its own keys;
for other captures give the key log that the client wrote (SSLKEYLOGFILE). A server's
private key opens TLS 1.2 and older with RSA key transport, and nothing else.
--as eavesdropper tells what somebody on the path sees who has no keys. Ctrl-C ends it
at once; JSON that was written by then ends with a whole line.

Each kind of connection of the client's has a block, with the eight steps in the
book's order; one that went as another did has a line, as have a few requests of each;
a failure has three. -v tells what the capture comes to and then each connection (of a
recording: each session, with both legs) with its messages, one line each, and a
sentence for each step; -vv every message, what stays sealed at the end, with fields,
sentences and proofs; --bytes its bytes too. --overview tells what the capture comes
to, and nothing else; --rows is for tables: a row for each connection, without secrets
and content. --step, --secrets and --as tell as -v does.

Examples:

   explainer read session.pcapng
   explainer read --overview *.pcap
   explainer read --keylog keys.txt --host "*.example.org" --only-failed capture.pcap
   explainer read -vv --connection 3-7 capture.pcap
   explainer read --format har session.pcapng > session.har
   explainer read --rows --format csv capture.pcap > rows.csv
   explainer read --rows --jobs 4 archive/*.pcap > rows.ndjson
   explainer read --format qlog session.pcapng > session.qlog
   explainer read -w for-wireshark.pcapng --keylog keys.txt capture.pcap`,
	Flags:  slices.Concat(keyFlags, copyFlags, selectFlags, breakFlags, jobFlags, []cli.Flag{overviewFlag, rowsFlag, asFlag, secretsFlag, bytesFlag, rootsFlag, decodeAsFlag}, webFlags, storyFlags),
	Action: read,
}

// overviewFlag leaves out the connections.
var overviewFlag = &cli.BoolFlag{Name: "overview", Usage: "what the capture comes to, and nothing else", DisableDefaultText: true}

// rowsFlag asks for a table in place of a story.
var rowsFlag = tableFlag{&cli.StringFlag{Name: "rows", Usage: "a flat row for each connection, as JSON or, with --format csv, CSV; --rows=certificates: for each certificate, --rows=findings: for each finding"}}

// A tableFlag is a flag that may have a value, behind "=", and needs none.
type tableFlag struct{ *cli.StringFlag }

// Apply makes the flag known to a set of flags.
func (f tableFlag) Apply(set *flag.FlagSet) error {
	set.Var(new(tableValue), f.Name, f.Usage)
	return nil
}

// TakesValue tells that the next argument is none of the flag's.
func (tableFlag) TakesValue() bool { return false }

// A tableValue is the name of a table.
type tableValue string

func (v *tableValue) String() string   { return string(*v) }
func (v *tableValue) IsBoolFlag() bool { return true }

func (v *tableValue) Set(table string) error {
	if table == "true" { // there was no value
		table = rows.Connections
	}
	*v = tableValue(table)
	return nil
}

// bytesFlag goes one step further than --messages.
var bytesFlag = &cli.BoolFlag{Name: "bytes", Usage: "as --messages, and below each handshake message its bytes, field by field", DisableDefaultText: true}

// secretsFlag asks for what no other flag shows.
var secretsFlag = &cli.BoolFlag{Name: "secrets", Usage: "draw each connection's key schedule with its real values: this PRINTS THE KEYS that open it", DisableDefaultText: true}

// decodeAsFlag names tunnels that cannot be known by their ports.
var decodeAsFlag = &cli.StringSliceFlag{Name: "decode-as", Usage: "a tunnel in UDP at a port of its own, `PORT=TUNNEL` (repeatable): " + strings.Join(pcap.Tunnels(), ", ")}

// decodeAs reads it.
func decodeAs(c *cli.Context) (pcap.Ports, error) {
	ports := pcap.Ports{}
	for _, text := range c.StringSlice(decodeAsFlag.Name) {
		if err := ports.Add(text); err != nil {
			return nil, usage(words.Piece("error/decode-as", "error", story.WordsOf(err)))
		}
	}
	return ports, nil
}

func read(c *cli.Context) error {
	files := c.Args().Slice()
	if len(files) == 0 {
		return usage(words.Piece("error/read-needs"), words.Piece("hint/read-file"))
	}
	if c.IsSet("jobs") || c.IsSet("resume") {
		return readJobs(c, files)
	}
	tuneMemory(gcPercentFiles)
	err := asWhom(c)
	if err != nil {
		return err
	}
	var private []*keys.PrivateKey
	if c.String(asFlag.Name) == "" {
		if private, err = privateKeys(c); err != nil {
			return err
		}
	}
	if copying(c) || breaking(c) {
		var secrets []keys.Secret
		if c.String(asFlag.Name) == "" {
			if err := keyLogs(c, func(s keys.Secret) { secrets = append(secrets, s) }); err != nil {
				return err
			}
		}
		if breaking(c) {
			return tellBroken(c, files, secrets, private)
		}
		return copyCapture(c, files, secrets, private)
	}
	selection, err := newSelection(c)
	if err != nil {
		return err
	}
	ports, err := decodeAs(c)
	if err != nil {
		return err
	}
	v, err := newView(c, selection, files)
	if err != nil {
		return err
	}
	defer v.Close()
	w, err := newWeb(c, false, nameOf(files))
	if err != nil {
		return err
	}
	defer w.close()
	var out story.Renderer = v
	if w != nil {
		if w.chosen.of, err = newSelection(c); err != nil {
			return err
		}
		out = &tee{web: w, out: v}
		if len(files) == 1 && files[0] != "-" && c.String(asFlag.Name) == "" {
			w.breaks.Store(newBreaker(c).ofFile(c, files[0], private))
		}
	}
	t, err := newTeller(c, out, w != nil)
	defer beforeLeaving(func() {
		t.Leave()
		if err := w.write(); err != nil {
			exitCode(c.App.ErrWriter, err)
		}
	})()
	if err != nil {
		return err
	}
	bar := newProgress(c.App.ErrWriter, c.App.Writer, readTwice(files), v.KeepsBack())
	var verdict error
	o := story.FilesOptions{
		PrivateKeys: private, DecodeAs: ports, Progress: bar,
		Say: func(what event.Text) {
			say(c.App.ErrWriter, what)
		},
		Wrong: func(err error) {
			if len(files) > 1 {
				exitCode(c.App.ErrWriter, err)
				err = childExit(1)
			}
			verdict = err
		},
	}
	if c.String(asFlag.Name) == "" {
		o.KeyLogs = newKeyLogs(c).read
	}
	err = t.Files(files, o)
	if !c.Bool(jobFlag) { // of many files one may well have nothing that is chosen
		verdict = cmp.Or(verdict, v.Verdict())
	}
	err = cmp.Or(w.write(), err, verdict) // of what could not be read to its end, too
	if err == nil && w != nil && w.url != "" {
		say(c.App.ErrWriter, words.Piece("say/page-stays", "url", w.url))
		<-c.Context.Done()
	}
	return err
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
		return words.Plural(len(names), "file")
	}
	return strings.Join(names, ", ")
}

// newView makes the view that the flags ask for.
func newView(c *cli.Context, s *story.Selection, files []string) (*story.View, error) {
	w := c.App.Writer
	o, err := viewOptions(c, w, false)
	if err != nil {
		return nil, err
	}
	if o.Rows != "" {
		o.Source.Capture = story.Digest(files)
		if len(files) == 1 && files[0] != "-" {
			o.Source.File = files[0]
		}
	}
	if shows := map[string]string{"har": "error/har-shows", "qlog": "error/qlog-shows"}[o.Format]; shows != "" {
		for _, flag := range []string{"overview", "messages", bytesFlag.Name, secretsFlag.Name} {
			if c.Bool(flag) {
				return nil, usage(words.Piece(shows, "option", flag), words.Piece("hint/leave-out"))
			}
		}
	}
	o.Selection, o.Name, o.Endless = s, nameOf(files), slices.Contains(files, "-")
	o.Scratch = scratch
	return story.NewView(w, o), nil
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
