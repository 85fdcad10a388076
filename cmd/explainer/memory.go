package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// How much garbage is collected at once: gcPercent of what lives, and more while that is
// little: up to gcRoom bytes and a percentage, for the live story and for files. A limit below what
// lives would have the collector run without end.
const (
	gcPercent      = 100
	gcPercentLive  = 400
	gcPercentFiles = 250 // a file that is one connection, which makes little garbage, stays below 100 MiB
	gcRoom         = 64 << 20
)

// tuneMemory has the collector follow what lives, with at most a percentage, unless the variable
// of Go's runtime says otherwise.
func tuneMemory(most int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(most)
		atNextCollection(most, most)
	}
}

// atNextCollection sets the percentage after the next collection, and so on.
func atNextCollection(percent, most int) {
	// What nobody holds goes with the next collection.
	runtime.AddCleanup(&struct{ p *int }{}, func(percent int) {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		now := min(max(int(gcRoom*100/max(live[0].Value.Uint64(), 1)), gcPercent), most)
		if now != percent {
			debug.SetGCPercent(now)
		}
		atNextCollection(now, most)
	}, percent)
}
