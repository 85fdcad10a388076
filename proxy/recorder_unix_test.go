//go:build unix

package proxy

import (
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"explainer/capture"
	"explainer/capture/keys"
)

// TestBackpressure: only data waits for the file; secrets and facts never do.
func TestBackpressure(t *testing.T) {
	name := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	fifo, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer fifo.Close()
	r := newRecorder(t, fifo, RecorderOptions{})
	s := testStream(r, 1)
	const chunks = 3 * queueLimit / (16 << 10)
	var given atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range chunks {
			r.put(newData(s, capture.Client, time.Now().UnixNano(), make([]byte, 16<<10)))
			given.Add(16 << 10)
		}
	}()
	// The queue fills while nobody reads the pipe: wait until the giver waits.
	for full := false; !full; {
		r.mu.Lock()
		full = r.queued >= queueLimit
		r.mu.Unlock()
	}
	for range 1000 {
		r.Fact(capture.Fact{Kind: capture.FactClosed})
		r.Secret(keys.Secret{Label: "CLIENT_RANDOM", ClientRandom: make([]byte, 32), Secret: make([]byte, 48)})
	}
	if n := given.Load(); n > queueLimit+1<<20 {
		t.Errorf("%d MiB were taken while nothing was written", n>>20)
	}
	go io.Copy(io.Discard, fifo)
	<-done
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
