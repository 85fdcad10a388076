package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/words"

	"golang.org/x/term"
)

// A progress tells on a terminal how far the reading has come, once it takes
// long, and leaves nothing behind. It counts what passes through its readers.
type progress struct {
	w     io.Writer // nil: tell nothing
	total int64     // bytes
	done  int64
	began time.Time
	shown time.Time
	now   func() time.Time
	leave func() // it needs no clearing any more
}

// Reading shorter than the first is not worth a word, and a terminal needs no more words than the second allows.
const (
	progressAfter = time.Second
	progressEvery = 100 * time.Millisecond
)

// newProgress tells on w, if that is a terminal and to, where the story goes, is
// not one that it would be mixed into.
func newProgress(w, to io.Writer, total int64, keptBack bool) *progress {
	p := &progress{total: total, now: time.Now, began: time.Now()}
	f, ok := w.(*os.File)
	if ok && total > 0 && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" && (keptBack || widthOf(to) == 0) {
		p.w = w
		p.leave = beforeLeaving(func() { fmt.Fprint(w, "\r\x1b[K") })
	}
	return p
}

// Reader returns r, counted.
func (p *progress) Reader(r io.Reader) io.Reader { return counted{r, p} }

type counted struct {
	r io.Reader
	p *progress
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.p.add(int64(n))
	return n, err
}

func (p *progress) add(n int64) {
	p.done += n
	if p.w == nil {
		return
	}
	now := p.now()
	if now.Sub(p.began) < progressAfter || now.Sub(p.shown) < progressEvery {
		return
	}
	p.shown = now
	fmt.Fprint(p.w, "\r"+p.bar(now))
}

// bar is one line: how much of the whole, and for how long yet.
func (p *progress) bar(now time.Time) string {
	const width = 30
	done := min(max(float64(p.done)/float64(p.total), 0), 1)
	n := int(done * width)
	line := words.Piece("progress/reading", "bar", strings.Repeat("#", n)+strings.Repeat(".", width-n), "percent", fmt.Sprintf("%3.0f", done*100))
	if spent := now.Sub(p.began); done > 0.02 {
		line = words.Piece("progress/left", "reading", line, "time", (time.Duration(float64(spent)/done) - spent).Round(time.Second).String())
	}
	return language().In(line) + "\x1b[K"
}

// Skip counts bytes that are not read as often as was thought.
func (p *progress) Skip(n int64) { p.total -= n }

// Done takes the line away.
func (p *progress) Done() {
	if p.w == nil {
		return
	}
	if !p.shown.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = time.Time{}
	}
	p.w = nil
	if p.leave != nil {
		p.leave()
	}
}

// progressOf is how far something has come that is done in parts.
func progressOf(n, all int, what string) string {
	return language().In(words.Piece("progress/of", "n", strconv.Itoa(n), "all", strconv.Itoa(all), "what", what))
}
