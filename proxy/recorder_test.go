package proxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"explainer/capture"
)

func newFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "r.pcapng"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func newRecorder(t *testing.T, f *os.File, o RecorderOptions) *Recorder {
	t.Helper()
	r, err := NewRecorder(f, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func testStream(r *Recorder, port uint16) *stream {
	ip := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	return r.open(capture.LegBrowser, netip.AddrPortFrom(ip, port), netip.AddrPortFrom(ip, 443), "")
}

// TestFollow: whoever follows, from whenever, reads the file's bytes and then the end.
func TestFollow(t *testing.T) {
	r := newRig(t, nil)
	r.origin("shop.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { w.Write(noise(300_000)) }), nil)
	var read [3][]byte
	var wg sync.WaitGroup
	follow := func(i int) {
		f := r.Recorder.Follow()
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer f.Close()
			var err error
			if read[i], err = io.ReadAll(f); err != nil {
				t.Error(err)
			}
		}()
	}
	follow(0)
	for i := range 4 {
		if status, text := r.getThrough("shop.test"); status != 200 || len(text) != 300_000 {
			t.Errorf("%d, %d bytes", status, len(text))
		}
		if i == 1 {
			follow(1)
		}
	}
	r.finish()
	follow(2)
	wg.Wait()
	file, err := os.ReadFile(r.recording.Name())
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range read {
		if !bytes.Equal(b, file) {
			t.Errorf("follower %d read %d bytes that are not the file's %d", i, len(b), len(file))
		}
	}
	checkRecording(t, r.items())
}

func TestFollowEndsEarly(t *testing.T) {
	r := newRecorder(t, newFile(t), RecorderOptions{})
	defer r.Close()
	f := r.Follow()
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, f)
		ended <- err
	}()
	f.Close()
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

// TestStalledWrite: a write that does not return delays nobody else's recording,
// and takes its place when it returns, with what it wrote.
func TestStalledWrite(t *testing.T) {
	file := newFile(t)
	r := newRecorder(t, file, RecorderOptions{})
	a, b := testStream(r, 1), testStream(r, 2)
	stalled := a.begin(capture.Server, []byte("stalled and more"), time.Millisecond)
	r.put(newData(b, capture.Client, time.Now().UnixNano(), []byte("goes on")))
	f := r.Follow()
	var seen []byte
	for buf := make([]byte, 4096); !bytes.Contains(seen, []byte("goes on")); {
		n, err := f.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, buf[:n]...)
	}
	if bytes.Contains(seen, []byte("stalled")) {
		t.Error("recorded before it was written")
	}
	r.complete(stalled, len("stalled"))
	// A quick one keeps its place though what comes later is complete first.
	quick := a.begin(capture.Server, []byte("first"), time.Minute)
	r.put(newData(b, capture.Client, time.Now().UnixNano(), []byte("second")))
	r.complete(quick, len("first"))
	a.end(capture.Server, false)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	all, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	items := parseItems(t, all)
	if got := bytesOf(items, 1, capture.Server); string(got) != "stalledfirst" {
		t.Errorf("%q", got)
	}
	if bytes.Index(all, []byte("first")) > bytes.Index(all, []byte("second")) {
		t.Error("the order of writes is lost")
	}
	if a.number != 1 || b.number != 2 || a.out.Number() != 1 || b.out.Number() != 2 {
		t.Errorf("numbers %d %d, in the file %d %d", a.number, b.number, a.out.Number(), b.out.Number())
	}
}

// TestStalledClient: one that takes nothing more holds up nobody else's recording.
func TestStalledClient(t *testing.T) {
	r := newRig(t, nil)
	r.rawOrigin("big.test", func(c *tls.Conn) {
		for b := noise(1 << 20); ; {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	})
	r.origin("shop.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {}), nil)
	_, stalled := r.dialTLS("big.test")
	f := r.Recorder.Follow()
	defer f.Close()
	read := 0
	buf := make([]byte, 1<<20)
	follow := func() {
		n, err := f.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		read += n
	}
	for read < 1<<20 { // the origin's bytes flow until every buffer on the way is full
		follow()
	}
	began := time.Now()
	for i := range 5 {
		r.getThrough("shop.test")
		for want := fmt.Appendf(nil, `"kind":"session","conn":%d`, 3+2*i); ; {
			n, err := f.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(buf[:n], want) {
				break
			}
		}
	}
	if d := time.Since(began); d > stallLimit {
		t.Errorf("five small requests were recorded after %v", d)
	}
	stalled.Close()
	checkRecording(t, r.items())
}

// TestFileFails: told once, the rest is dropped, traffic goes on.
func TestFileFails(t *testing.T) {
	var told atomic.Int32
	file := newFile(t)
	recorder := newRecorder(t, file, RecorderOptions{OnError: func(error) { told.Add(1) }})
	r := newRig(t, func(p *Proxy) { p.Recorder = recorder })
	r.origin("shop.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { w.Write(noise(100_000)) }), nil)
	r.getThrough("shop.test")
	follower := recorder.Follow()
	file.Close()
	for range 3 {
		if status, text := r.getThrough("shop.test"); status != 200 || len(text) != 100_000 {
			t.Errorf("%d, %d bytes", status, len(text))
		}
	}
	if _, err := io.ReadAll(follower); err != nil && !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if err := recorder.Close(); err == nil {
		t.Error("Close tells of no error")
	}
	if n := told.Load(); n != 1 {
		t.Errorf("told %d times", n)
	}
	r.closed = true
	ctx := t.Context()
	if err := r.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

func TestDiskFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	told := make(chan error, 2)
	r, err := NewRecorder(full, RecorderOptions{OnError: func(err error) { told <- err }})
	if err != nil {
		return // told at once is as good
	}
	r.Fact(capture.Fact{Kind: capture.FactClosed})
	if err := <-told; !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	if err := r.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
}

func TestKeyLog(t *testing.T) {
	var log bytes.Buffer
	r := newRecorder(t, newFile(t), RecorderOptions{KeyLog: &log})
	line := "CLIENT_RANDOM " + fmt.Sprintf("%064x %096x", 1, 2) + "\n"
	r.KeyLogWriter().Write([]byte(line))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if log.String() != line {
		t.Errorf("%q", log.String())
	}
}
