package proxy

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// SpoolFolder returns where temporary files on a disk are best: where TMPDIR says,
// but for a file system in memory, where there is another.
func SpoolFolder() string {
	first := os.TempDir()
	cache, _ := os.UserCacheDir()
	for _, dir := range []string{first, "/var/tmp", cache} {
		if dir != "" && !inMemory(dir) && unix.Access(dir, unix.W_OK|unix.X_OK) == nil {
			return dir
		}
	}
	return first
}

// inMemory tells whether a folder's files are in memory, or it is none.
func inMemory(dir string) bool {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return true
	}
	return s.Type == unix.TMPFS_MAGIC || s.Type == unix.RAMFS_MAGIC
}

const (
	// writebackEvery is how much is written before the system is asked to write it to the disk.
	writebackEvery = 8 << 20
	// writebackBehind is how far behind the end what was written is let go of: by then it is on the disk.
	writebackBehind = 64 << 20
)

// A writeback keeps a file that is written from front to back from filling the
// page cache with pages that wait for the disk: once it is full of them, each
// write has to look for room, which costs most of the processor's time.
type writeback struct {
	fd      int
	asked   int64 // bytes from the beginning
	dropped int64
}

func newWriteback(f *os.File) *writeback {
	return &writeback{fd: int(f.Fd())}
}

// wrote tells that the file has n bytes, of which the first told will not be read
// again. Errors are none: the file is written all the same.
func (w *writeback) wrote(n, told int64) {
	if n-w.asked < writebackEvery {
		return
	}
	unix.SyncFileRange(w.fd, w.asked, n-w.asked, unix.SYNC_FILE_RANGE_WRITE)
	w.asked = n
	if to := min(n-writebackBehind, told); to > w.dropped {
		unix.Fadvise(w.fd, w.dropped, to-w.dropped, unix.FADV_DONTNEED)
		w.dropped = to
	}
}

// threadTime returns the number of the thread that runs the caller, and how much processor time it has used.
func threadTime() (thread int, used time.Duration) {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0, 0
	}
	return unix.Gettid(), time.Duration(t.Nano())
}
