package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"explainer/capture"
	"explainer/capture/pcap"
)

// TestSpoolIsBounded: without a file, and with a follower that does not read,
// traffic passes and the disk has a bound; what the follower then reads begins
// with what is left out and goes on truthfully.
func TestSpoolIsBounded(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, spoolPrefix+"killed"), nil, 0o600); err != nil { // what one that was killed has left goes, too
		t.Fatal(err)
	}
	const limit = 4 << 20
	var skipped int64
	recorder, err := NewRecorder(nil, RecorderOptions{Spool: limit, SpoolDir: dir, OnSkip: func(n int64, err error) {
		if skipped += n; err != nil {
			t.Error(err)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(p *Proxy) { p.Recorder = recorder })
	body := noise(3 << 20)
	r.origin("shop.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { w.Write(body) }), nil)
	f := recorder.Follow()
	most := int64(0)
	for range 16 {
		if status, text := r.getThrough("shop.test"); status != 200 || len(text) != len(body) {
			t.Fatalf("%d, %d bytes", status, len(text))
		}
		recorder.journal.mu.Lock()
		most = max(most, recorder.journal.spooled)
		recorder.journal.mu.Unlock()
	}
	r.finish()
	packets, err := pcap.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var left, closed int
	var decoder capture.Decoder
	for in, err := range packets.All() {
		if err != nil {
			t.Fatal(err)
		}
		switch in := in.(type) {
		case *capture.Gap:
			if !in.Left {
				t.Errorf("%+v", in)
			}
		case *capture.Fact:
			switch in.Kind {
			case capture.FactLeftOut:
				left++
			case capture.FactClosed:
				closed++
			}
		}
		for _, m := range decoder.Feed(in) {
			if bad, ok := m.Body.(*capture.Malformed); ok {
				t.Errorf("%+v", bad)
			}
		}
	}
	f.Close()
	if most > limit || skipped < 16<<20 || left == 0 || closed == 0 {
		t.Errorf("%d bytes in the spool at most, %d passed over, told %d times, %d connections closed", most, skipped, left, closed)
	}
	recorder.journal.mu.Lock()
	defer recorder.journal.mu.Unlock()
	if names, _ := filepath.Glob(filepath.Join(dir, "*")); len(names) > 0 || recorder.journal.spooled != 0 || len(recorder.journal.stores) > 0 {
		t.Errorf("left behind: %v, %d bytes", names, recorder.journal.spooled)
	}
}

// TestSpoolIsBoundedByDrops: the bounds hold too where each chunk is released before the next comes.
func TestSpoolIsBoundedByDrops(t *testing.T) {
	var skipped int64
	recorder, err := NewRecorder(nil, RecorderOptions{Spool: spillSize, SpoolDir: t.TempDir(), OnSkip: func(n int64, _ error) { skipped += n }})
	if err != nil {
		t.Fatal(err)
	}
	f := recorder.Follow()
	s := testStream(recorder, 1)
	data := make([]byte, 64<<10)
	most := 0
	for range 4 * journalMost / len(data) {
		recorder.put(newData(s, capture.Client, 0, data))
		for idle := false; !idle; runtime.Gosched() {
			recorder.mu.Lock()
			idle = recorder.idle
			recorder.mu.Unlock()
		}
		recorder.journal.mu.Lock()
		most = max(most, recorder.journal.memory)
		recorder.journal.mu.Unlock()
	}
	f.Close()
	if err := recorder.Close(); err != nil {
		t.Error(err)
	}
	if most > journalMost+2*flushEvery || skipped < journalMost {
		t.Errorf("%d bytes waited in memory, %d were passed over", most, skipped)
	}
}

// TestSpoolWithoutPlace: where there is no room for what waits, traffic and story go on.
func TestSpoolWithoutPlace(t *testing.T) {
	var why error
	recorder, err := NewRecorder(nil, RecorderOptions{Spool: SpoolSize, SpoolDir: filepath.Join(t.TempDir(), "none"), OnSkip: func(_ int64, err error) { why = err }})
	if err != nil {
		t.Fatal(err)
	}
	f := recorder.Follow()
	s := testStream(recorder, 1)
	for range 40 {
		recorder.put(newData(s, capture.Client, 0, make([]byte, 1<<20)))
	}
	if err := recorder.Close(); err != nil {
		t.Error(err)
	}
	if !errors.Is(why, os.ErrNotExist) {
		t.Error(why)
	}
	if _, err := io.Copy(io.Discard, f); !errors.As(err, new(*pcap.SkipError)) {
		t.Error(err)
	}
	if n, err := io.Copy(io.Discard, f); n == 0 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// TestSpoolInOrder: what waits in memory, in files and in both is read as it was released.
func TestSpoolInOrder(t *testing.T) {
	j := newJournal()
	j.dir, j.limit = t.TempDir(), 1<<40
	go j.spool()
	f := j.follow()
	want := noise(journalMemory * 3)
	var got []byte
	part := make([]byte, 100_000)
	for at := 0; at < len(want); {
		n := min(len(want)-at, 1+at%(200<<10))
		j.add([]*piece{{data: append(j.buffer(256<<10), want[at:at+n]...)}})
		if at += n; at > journalMemory*2 && at%3 == 0 {
			n, err := f.Read(part)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, part[:n]...)
		}
	}
	j.finish()
	rest, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if got = append(got, rest...); !bytes.Equal(got, want) {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.spooled != 0 || len(j.stores) > 0 || len(j.pieces) > 0 {
		t.Errorf("%d bytes, %d files, %d pieces are left", j.spooled, len(j.stores), len(j.pieces))
	}
}
