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
	r := p.reader(strings.NewReader(strings.Repeat("x", 1000)))
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
	p.clear()
	if got := out.String(); got != "\r\x1b[K" {
		t.Errorf("cleared with %q", got)
	}
	if got := read(100, time.Second); got != "" {
		t.Errorf("%q after the end", got)
	}
}

// TestSpool gives back what it was given, from memory and from its file.
func TestSpool(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var s spool
	defer s.Close()
	var at []int64
	var want []string
	for i := range 200 {
		text := strings.Repeat(string(rune('a'+i%26)), 1+i*1000)
		n, err := s.add(i%3, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		at, want = append(at, n), append(want, text)
	}
	if s.file == nil {
		t.Fatal("all of it in memory")
	}
	for i := range at {
		var got bytes.Buffer
		if err := s.copy(&got, at[i]); err != nil || got.String() != want[i] {
			t.Fatalf("text %d: %d bytes of %d: %v", i, got.Len(), len(want[i]), err)
		}
	}
	var got bytes.Buffer
	if err := s.each(&got, func(session int) bool { return session == 1 }); err != nil {
		t.Fatal(err)
	}
	var chosen strings.Builder
	for i, text := range want {
		if i%3 == 1 {
			chosen.WriteString(text)
		}
	}
	if got.String() != chosen.String() {
		t.Errorf("%d bytes of session 1, want %d", got.Len(), chosen.Len())
	}
}
