package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
)

// TestProgress: nothing is said of what is read within a second; then how much of
// it is read, now and then; at the end the line is taken away.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	clock := time.Unix(0, 0)
	p := &progress{w: &out, total: 1000, began: clock, now: func() time.Time { return clock }}
	r := p.Reader(strings.NewReader(strings.Repeat("x", 1000)))
	read := func(n int, after time.Duration) string {
		clock = clock.Add(after)
		out.Reset()
		if _, err := io.CopyN(io.Discard, r, int64(n)); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if got := read(100, 900*time.Millisecond); got != "" {
		t.Errorf("%q within a second", got)
	}
	if got, want := read(400, 600*time.Millisecond), "\rreading [###############...............]  50%, about 2s left \x1b[K"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := read(100, 10*time.Millisecond); got != "" {
		t.Errorf("%q so soon after another", got)
	}
	out.Reset()
	p.Done()
	if got := out.String(); got != "\r\x1b[K" {
		t.Errorf("cleared with %q", got)
	}
	if got := read(100, time.Second); got != "" {
		t.Errorf("%q after the end", got)
	}
}
