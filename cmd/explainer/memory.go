package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// How much garbage is collected at once: gcPercent of what lives, and more while that is
// little: up to gcRoom bytes and gcPercentMost. A limit below what lives would have the collector run without end.
const (
	gcPercent     = 100
	gcPercentMost = 400
	gcRoom        = 64 << 20
)

// tuneMemory has the collector follow what lives, unless the variable of Go's runtime
// says otherwise.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercentMost)
		atNextCollection(gcPercentMost)
	}
}

// atNextCollection sets the percentage after the next collection, and so on.
func atNextCollection(percent int) {
	// What nobody holds goes with the next collection.
	runtime.AddCleanup(&struct{ p *int }{}, func(percent int) {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		now := int(min(max(gcRoom*100/max(live[0].Value.Uint64(), 1), gcPercent), gcPercentMost))
		if now != percent {
			debug.SetGCPercent(now)
		}
		atNextCollection(now)
	}, percent)
}
