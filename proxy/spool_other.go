//go:build !linux

package proxy

import (
	"os"
	"time"
)

// SpoolFolder returns where temporary files are made.
func SpoolFolder() string { return os.TempDir() }

// A writeback does nothing here: this system writes large files as fast as it can by itself.
type writeback struct{}

func newWriteback(*os.File) *writeback { return &writeback{} }

func (w *writeback) wrote(n, told int64) {}

var started = time.Now()

// threadTime stands in for the processor time of a thread, which this system does not tell: the time that has passed.
func threadTime() (thread int, used time.Duration) { return 0, time.Since(started) }
