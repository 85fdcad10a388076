//go:build unix

package proxy

import (
	"net"
	"os"
	"syscall"
	"time"
)

// stallLimit is how long a write keeps its place in the recording's order. Here
// the system call never waits, so only a very busy machine delays its end.
const stallLimit = 10 * time.Second

// writeSome writes all of p unless there is an error. A place in the recording
// is taken for each system call, and none while the peer takes nothing: so
// neither can an answer stand before what it answers, nor does a slow peer
// hold up the recording of others.
func (t *Tap) writeSome(p []byte) (n int, err error) {
	raw, err := t.conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		for n < len(p) {
			part := p[n:min(len(p), n+holdLimit)]
			e := t.stream.begin(t.peer.Other(), part, stallLimit)
			wrote, err := syscall.Write(int(fd), part)
			wrote = max(wrote, 0)
			t.stream.rec.complete(e, wrote)
			n += wrote
			switch err {
			case nil, syscall.EINTR:
			case syscall.EAGAIN:
				return false // call again when there is room
			default:
				failed = &net.OpError{Op: "write", Net: "tcp", Source: t.conn.LocalAddr(), Addr: t.conn.RemoteAddr(), Err: os.NewSyscallError("write", err)}
				return true
			}
		}
		return true
	})
	if failed != nil {
		err = failed
	}
	return n, err
}
