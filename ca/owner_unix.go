//go:build unix

package ca

import (
	"io/fs"
	"os"
	"syscall"
)

// foreignOwner reports whether a file belongs to another user than the one who runs this, and to whom.
func foreignOwner(info fs.FileInfo) (owner uint32, foreign bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return stat.Uid, stat.Uid != uint32(os.Geteuid())
}
