package annotate_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/annotate/text"
	"explainer/annotate/words"

	"github.com/mattn/go-runewidth"
)

// shortStories are the recordings whose short stories are kept, with how many lines the longest
// block of each may have at 110 columns, and whether it is told without keys.
var shortStories = map[string]struct {
	path   string
	sealed bool
}{
	"demo":            {path: "story/testdata/demo.pcapng"},
	"http1":           {path: ownRecordings + "/http1.pcapng"},
	"http2":           {path: ownRecordings + "/http2.pcapng"},
	"rsa":             {path: ownRecordings + "/tls12-rsa-aes128-gcm.pcapng"},
	"rsa-sealed":      {path: ownRecordings + "/tls12-rsa-aes128-gcm.pcapng", sealed: true},
	"tls13-sealed":    {path: ownRecordings + "/tls13-aes128-gcm.pcapng", sealed: true},
	"dhe":             {path: ownRecordings + "/tls12-dhe-rsa.pcapng"},
	"resumed-id":      {path: ownRecordings + "/tls12-resumed-id.pcapng"},
	"psk":             {path: ownRecordings + "/tls12-psk.pcapng"},
	"early-data":      {path: ownRecordings + "/tls13-0rtt.pcapng"},
	"hrr":             {path: ownRecordings + "/tls13-hrr.pcapng"},
	"mutual":          {path: ownRecordings + "/tls12-rsa-client-certificate.pcapng"},
	"unknown-ca":      {path: ownRecordings + "/failed-unknown-ca.pcapng"},
	"connect":         {path: ownRecordings + "/connect.pcapng"},
	"starttls":        {path: ownRecordings + "/starttls-irc.pcapng"},
	"renegotiation":   {path: ownRecordings + "/tls12-renegotiation-client-certificate.pcapng"},
	"raw-public-key":  {path: ownRecordings + "/tls13-raw-public-key.pcapng"},
	"anonymous-ecdhe": {path: ownRecordings + "/tls12-anonymous-ecdhe.pcapng"},
}

// most is how many lines a block may have at 110 columns. Where a connection had notes of its
// own, as of a second handshake or of why it stayed sealed, these come on top.
const most = 25

// TestShortStories: the short stories of these recordings, in both languages and three widths,
// fit their width, and their blocks the limit.
func TestShortStories(t *testing.T) {
	t.Parallel()
	for name, s := range shortStories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			es := story(t, s.path, !s.sealed)
			var kept strings.Builder
			for _, l := range []words.Language{words.English, words.Chinese} {
				for _, width := range []int{80, 100, 160} {
					fmt.Fprintf(&kept, "-- %s, %d columns --\n%s", l.Tag(), width, shortly(t, es, l, width))
				}
			}
			compareGolden(t, filepath.Join("testdata", "short", name+".txt"), kept.String())
			for _, block := range strings.Split(shortly(t, es, words.English, 110), "\n\n") {
				block = requestLine.Split(block, 2)[0]
				notes := 0
				for _, e := range es {
					if e.Summary != nil && len(e.Says) > 0 {
						notes = 4
					}
				}
				if n := strings.Count(block, "\n") + 1; n > most+notes {
					t.Errorf("a block has %d lines:\n%s", n, block)
				}
			}
		})
	}
}

// requestLine begins the line of a request behind a block.
var requestLine = regexp.MustCompile(`\n +[0-9]+  [A-Z]+ `)

func shortly(t *testing.T, es []event.Event, l words.Language, width int) string {
	t.Helper()
	var got bytes.Buffer
	s := text.NewShort(&got)
	s.Width, s.Lang = width, l
	for i := range es {
		if err := s.Event(&es[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Finish(); err != nil {
		t.Fatal(err)
	}
	cells := &runewidth.Condition{StrictEmojiNeutral: true}
	for line := range strings.Lines(got.String()) {
		line = strings.TrimSuffix(line, "\n")
		if cells.StringWidth(line) > width || strings.TrimRight(line, " ") != line {
			t.Errorf("%d columns: a line of %d: %q", width, cells.StringWidth(line), line)
		}
	}
	return got.String()
}
