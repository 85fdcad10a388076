package story

import (
	"cmp"
	"errors"
	"slices"
	"strconv"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture/keys"
	"explainer/capture/pcap"
)

// FilesOptions say what there is beside captures that are read.
type FilesOptions struct {
	PrivateKeys []*keys.PrivateKey
	// KeyLogs gives the lines of key logs that were added since it was last called; nil: there
	// are none. Before the first packet all of them are known, unless a capture still grows:
	// then more are asked for before each read, and last at its end.
	KeyLogs func(take func(keys.Secret), last bool) error
	// Open opens a capture by its name, in place of [Open]: a file that is whole.
	Open     func(name string) (*Source, error)
	DecodeAs pcap.Ports       // tunnels that are not known by their ports
	Progress Progress         // may be nil
	Say      func(event.Text) // gets lines about the reading, which are no part of the story
	// Wrong gets what there is to say against one of the captures: the others are told all the same.
	Wrong func(error)
}

// Files tells the story of captures, merged by time; "-" is standard input. What is
// wrong with one of them is not among the errors: Wrong has it.
func (t *Teller) Files(names []string, o FilesOptions) error {
	done := func() {
		if o.Progress != nil {
			o.Progress.Done()
		}
	}
	defer done()
	t.decoder.PrivateKeys = o.PrivateKeys
	keyLines := func(last bool) error {
		if o.KeyLogs == nil {
			return nil
		}
		var feeding error
		err := o.KeyLogs(func(s keys.Secret) { feeding = cmp.Or(feeding, t.feed(&s)) }, last)
		return cmp.Or(err, feeding)
	}
	open := o.Open
	grows := open == nil && slices.ContainsFunc(names, isStream)
	if open == nil {
		open = Open
	}
	if err := keyLines(!grows); err != nil {
		return err
	}
	t.decoder.SecretsFirst = true
	var sources []*Source
	var readers []*pcap.Reader
	var read []string
	anyWrong := false
	wrong := func(err error) {
		anyWrong = true
		o.Wrong(err)
	}
	for _, name := range names {
		s, err := open(name)
		if errors.Is(err, errTooManyFiles) {
			return err
		}
		if err != nil {
			wrong(err)
			continue
		}
		defer s.Close()
		s.progress, s.DecodeAs = o.Progress, o.DecodeAs
		if !s.Regular() {
			s.before = func() error { return keyLines(false) }
		}
		packets, err := t.begin(s, o.Say)
		if err != nil {
			wrong(err)
			continue
		}
		sources, readers, read = append(sources, s), append(readers, packets), append(read, name)
	}
	if len(readers) == 0 {
		return nil
	}
	packets := pcap.Merge(readers...)
	t.files = packets.Captures()
	if len(names) > 1 && (t.files > 1 || len(read) == 1) { // the parts of a recording are told as what they are: one
		for _, name := range read {
			if err := t.out.Event(&event.Event{Schema: event.SchemaVersion, Kind: event.KindFile, Topic: event.TopicFile, Name: words.NameOf(event.TopicFile, ""), Brief: event.Plain(name)}); err != nil {
				return err
			}
		}
	}
	tell := t.tell
	if !slices.ContainsFunc(sources, func(s *Source) bool { return !s.Regular() }) {
		tell = t.pipe
	}
	told := tell(packets)
	done()
	if grows {
		if err := keyLines(true); err != nil {
			return err
		}
	}
	if n := t.decoder.Forgotten(); n > 0 {
		o.Say(words.Piece("say/forgotten", "count", words.Count(int(n), "key log line")))
	}
	if err := t.finish(packets); err != nil {
		return err
	}
	if n := len(t.open); n > 0 && told == nil && packets.Own() {
		// Every connection's end is in a recording that was completed.
		why := words.Piece("ends/killed")
		if packets.Parted() {
			why = words.Piece("ends/part", "why", why)
		}
		o.Say(words.Piece("say/ends-before", "file", sources[len(sources)-1].named(), "count", words.Count(n, "connection"), "why", why))
	}
	for i, s := range sources {
		if err := packets.Err(i); err == nil && told != nil {
			return told // it was not the reading
		} else if err := s.verdict(err); err != nil {
			wrong(err)
		}
	}
	if stats := packets.Stats(); !anyWrong && stats.Connections == 0 {
		what := sources[0].named()
		if len(sources) > 1 {
			what = words.Count(len(sources), "file")
		}
		return fails(nil, words.Piece("error/no-connection", "file", what, "count", words.Count(stats.Packets, "packet")), hintUnread(stats))
	}
	return nil
}

// begin begins to read the packets of s, and takes its keys where that can be
// done. In a recording of our own they stand before the bytes they open. In
// other captures they may stand anywhere, so a file is gone through for them
// first; standard input can be read only once.
func (t *Teller) begin(s *Source, say func(event.Text)) (*pcap.Reader, error) {
	packets, err := s.reader()
	switch {
	case err != nil:
		return nil, err
	case packets.Own():
		if s.progress != nil {
			s.progress.Skip(max(s.size, 0))
		}
		return packets, nil
	case s.Regular():
		return s.keysFirst(func(k *keys.Secret) error { return t.feed(k) })
	}
	t.decoder.SecretsFirst = false
	say(words.Piece("say/read-once"))
	return packets, nil
}

// hintUnread says what can be done about a capture of which nothing was read.
func hintUnread(stats pcap.Stats) event.Text {
	for what := range stats.Unread {
		if what.Reason == pcap.SkippedLinkType {
			return words.Piece("hint/link-type", "n", strconv.Itoa(int(what.Number)))
		}
		if name := words.Carrier(what.Reason, what.Number); name != "" {
			return words.Piece("hint/carrier", "what", name)
		}
	}
	switch {
	case stats.Skipped[pcap.SkippedSealed] > 0:
		return words.Piece("hint/wifi")
	case stats.Skipped[pcap.SkippedExported] > 0:
		return words.Piece("hint/exported")
	}
	return event.Text{}
}
