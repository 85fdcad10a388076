package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"explainer/capture"
	"explainer/capture/pcap"
)

// holdLimit bounds the bytes that were read and wait for their secrets, per connection.
const holdLimit = 256 << 10

// A Tap is a TCP connection of the proxy, everything on which is recorded.
//
// Its ReadFrom and WriteTo are those of io.Copy: it does not offer the
// connection's own, which would bypass the recording.
type Tap struct {
	*leg
	conn *net.TCPConn

	reading sync.Mutex // by read; Close waits for what it has to record

	// Read's own, and that of whoever peeks or watches while nobody reads.
	back    []byte // was read (and recorded) before, Read returns it first
	backErr error  // and then this

	mu       sync.Mutex
	holding  bool // while a handshake runs
	held     []*entry
	heldSize int
	tail     []byte // the last bytes that were read, at most as many as a plain alert has

	writing  sync.Mutex // one Write, CloseWrite or Close at a time
	wroteFin bool
	linger0  bool

	peerEnd  atomic.Uint32 // endNone, endFin, endReset
	closing  sync.Once
	closeErr error

	last    sync.Mutex
	tls     io.Closer // what closes it politely
	lastErr error
}

// How the peer ended its direction.
const (
	endNone uint32 = iota
	endFin
	endReset
)

// newTap begins the recording of conn. On the browser's leg the peer is the client of the connection, on the origin's its server.
func newTap(r *Recorder, conn *net.TCPConn, of capture.Leg, name string) *Tap {
	t := &Tap{leg: &leg{}, conn: conn}
	t.close = t.Close
	t.hang(t.shut)
	local, remote := addrPort(conn.LocalAddr()), addrPort(conn.RemoteAddr())
	if of == capture.LegBrowser {
		t.peer = capture.Client
		t.stream = r.open(of, remote, local, name)
	} else {
		t.peer = capture.Server
		t.stream = r.open(of, local, remote, name)
	}
	t.active.Store(time.Now().UnixNano())
	return t
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := t.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port())
}

// hold begins a handshake: from now on what is read is recorded only when TLS
// has used it, so that the secrets which it brought about stand before it.
func (t *Tap) hold() {
	t.mu.Lock()
	t.holding = true
	t.mu.Unlock()
}

// unhold ends the handshake.
func (t *Tap) unhold() {
	t.mu.Lock()
	t.holding = false
	t.mu.Unlock()
	t.release()
}

// alertLen is the length of a record with an alert that is not encrypted (RFC 5246 6.2.1, 7.2).
const alertLen = 7

// plainAlert returns the fatal alert with which the peer ended a handshake in
// clear. In TLS 1.3 some clients still do so once the server's records are
// encrypted, and crypto/tls takes it for a damaged record.
func (t *Tap) plainAlert() (alert tls.AlertError, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if b := t.tail; len(b) == alertLen && b[0] == 21 && b[1] == 3 && b[3] == 0 && b[4] == 2 && b[5] == 2 {
		return tls.AlertError(b[6]), true
	}
	return 0, false
}

// release records what is held.
func (t *Tap) release() {
	t.mu.Lock()
	held := t.held
	t.held, t.heldSize = nil, 0
	t.mu.Unlock()
	for _, e := range held {
		t.stream.rec.put(e)
	}
}

// Read implements [net.Conn].
func (t *Tap) Read(p []byte) (int, error) {
	if len(t.back) > 0 {
		n := copy(p, t.back)
		t.back = t.back[n:]
		if len(t.back) == 0 {
			t.back = nil
		}
		return n, nil
	}
	if err := t.backErr; err != nil {
		t.backErr = nil
		return 0, err
	}
	return t.read(p)
}

// read reads from the socket.
func (t *Tap) read(p []byte) (int, error) {
	t.reading.Lock()
	defer t.reading.Unlock()
	t.release()
	n, err := t.conn.Read(p)
	if n > 0 {
		now := time.Now().UnixNano()
		t.active.Store(now)
		for rest := p[:n]; len(rest) > 0; { // each becomes a packet
			k := min(len(rest), pcap.MaxPayload)
			t.take(newData(t.stream, t.peer, now, rest[:k]))
			rest = rest[k:]
		}
	}
	if err != nil {
		t.failed(err)
	}
	return n, err
}

// take records what was read, now or when TLS has used it.
func (t *Tap) take(e *entry) {
	n := len(e.data)
	t.mu.Lock()
	if t.holding {
		t.tail = append(t.tail, e.data...)
		t.tail = t.tail[max(0, len(t.tail)-alertLen):]
	}
	hold := t.holding && t.heldSize+n <= holdLimit
	if hold {
		t.held = append(t.held, e)
		t.heldSize += n
	}
	t.mu.Unlock()
	if !hold {
		t.release()
		t.stream.rec.put(e)
	}
}

// failed looks at an error for what it says about the peer.
func (t *Tap) failed(err error) {
	if d := t.deadline.Load(); d > 0 && d < int64(time.Hour) && errors.Is(err, os.ErrDeadlineExceeded) {
		return // long past: net/http so interrupts a Read of its own
	}
	t.last.Lock()
	t.lastErr = err
	t.last.Unlock()
	switch {
	case errors.Is(err, io.EOF):
		if t.peerEnd.CompareAndSwap(endNone, endFin) {
			t.release()
			t.stream.end(t.peer, false)
		}
	case errors.Is(err, syscall.ECONNRESET):
		if t.peerEnd.Swap(endReset) != endReset {
			t.release()
			t.stream.end(t.peer, true)
		}
	}
}

// peek waits until n bytes can be read without waiting, or the connection fails.
// It returns all that is there; what it returns is still to be read.
func (t *Tap) peek(n int) ([]byte, error) {
	for len(t.back) < n && t.backErr == nil {
		var buf [4096]byte
		got, err := t.read(buf[:])
		t.back = append(t.back, buf[:got]...)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.backErr = err
		}
		if err != nil && len(t.back) < n {
			return t.back, err
		}
	}
	return t.back, t.backErr
}

// unread puts back bytes that somebody read from t and did not use.
func (t *Tap) unread(p []byte) {
	t.back = append(append([]byte(nil), p...), t.back...)
}

// watch calls gone when the peer ends the connection while nobody else reads
// from it. What the peer sends is kept for Read, and ends the watch. The function
// returned stops the watch; nobody may read before it returned.
func (t *Tap) watch(gone func()) (stop func()) {
	if len(t.back) > 0 || t.backErr != nil {
		return func() {}
	}
	return t.listen(func() {
		if t.backErr != nil {
			gone()
		}
	})
}

// listen calls heard once, when the peer has sent something or ended the
// connection. What came is kept for Read. The function returned ends the
// listening; nobody may read before it returned.
func (t *Tap) listen(heard func()) (stop func()) {
	if len(t.back) > 0 || t.backErr != nil {
		heard()
		return func() {}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var buf [1024]byte
		n, err := t.read(buf[:])
		t.back = append(t.back, buf[:n]...)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.backErr = err
		}
		if n > 0 || t.backErr != nil {
			heard()
		}
	}()
	return func() {
		t.conn.SetReadDeadline(time.Unix(1, 0))
		<-ended
		var deadline time.Time
		if d := t.deadline.Load(); d != 0 {
			deadline = time.Unix(0, d)
		}
		t.conn.SetReadDeadline(deadline)
	}
}

// Write implements [net.Conn]. What is written takes its place in the recording
// before the system call, so that no answer can stand before it.
func (t *Tap) Write(p []byte) (int, error) {
	t.writing.Lock()
	defer t.writing.Unlock()
	t.release()
	n, err := t.writeSome(p)
	t.active.Store(time.Now().UnixNano())
	if err != nil {
		t.failed(err)
	}
	return n, err
}

// CloseRead shuts down the reading side.
func (t *Tap) CloseRead() error { return t.conn.CloseRead() }

// CloseWrite sends a FIN.
func (t *Tap) CloseWrite() error {
	t.release()
	t.writing.Lock()
	defer t.writing.Unlock()
	t.endLocked(false)
	return t.conn.CloseWrite()
}

// endLocked records the end of our direction, unless the peer's RST was its end or we did so before.
func (t *Tap) endLocked(reset bool) {
	if t.peerEnd.Load() != endReset && (reset || !t.wroteFin) {
		t.wroteFin = true
		t.stream.end(t.peer.Other(), reset)
	}
}

// SetLinger sets what Close does with data that was not sent; 0 makes Close send an RST.
func (t *Tap) SetLinger(sec int) error {
	t.writing.Lock()
	defer t.writing.Unlock()
	t.linger0 = sec == 0
	return t.conn.SetLinger(sec)
}

// Close implements [net.Conn]. It records who ended the connection.
func (t *Tap) Close() error {
	t.closing.Do(func() {
		t.release()
		if t.writing.TryLock() {
			t.endLocked(t.linger0)
			t.closeErr = t.conn.Close()
		} else {
			// A Write is under way. The close ends it, and its bytes stand before our FIN.
			t.closeErr = t.conn.Close()
			t.writing.Lock()
			t.endLocked(t.linger0)
		}
		t.writing.Unlock()
		// A Read that was under way has ended with the connection, but may not have recorded
		// yet what it got; after the fact nothing is.
		t.reading.Lock()
		t.release()
		t.reading.Unlock()
		t.tellClosed(t.lastWords())
	})
	return t.closeErr
}

// lastWords is who ended the connection, as far as the socket itself says.
func (t *Tap) lastWords() (outcome, detail string) {
	t.last.Lock()
	defer t.last.Unlock()
	switch {
	case t.peerEnd.Load() == endFin:
		return t.who(), ""
	case t.peerEnd.Load() == endReset:
		return t.who(), "connection reset"
	case errors.Is(t.lastErr, os.ErrDeadlineExceeded):
		return "timeout", ""
	case t.lastErr != nil && !errors.Is(t.lastErr, net.ErrClosed):
		return "error", t.lastErr.Error()
	}
	return "proxy", ""
}

// LocalAddr implements [net.Conn].
func (t *Tap) LocalAddr() net.Addr { return t.conn.LocalAddr() }

// RemoteAddr implements [net.Conn].
func (t *Tap) RemoteAddr() net.Addr { return t.conn.RemoteAddr() }

// SetDeadline implements [net.Conn].
func (t *Tap) SetDeadline(d time.Time) error {
	t.setDeadline(d)
	return t.conn.SetDeadline(d)
}

// SetReadDeadline implements [net.Conn].
func (t *Tap) SetReadDeadline(d time.Time) error {
	t.setDeadline(d)
	return t.conn.SetReadDeadline(d)
}

func (t *Tap) setDeadline(d time.Time) {
	if d.IsZero() {
		t.deadline.Store(0)
	} else {
		t.deadline.Store(d.UnixNano())
	}
}

// SetWriteDeadline implements [net.Conn].
func (t *Tap) SetWriteDeadline(d time.Time) error { return t.conn.SetWriteDeadline(d) }

// secured tells t of the TLS that runs on it.
func (t *Tap) secured(c io.Closer) {
	t.last.Lock()
	t.tls = c
	t.last.Unlock()
}

// shut closes t, with a close_notify where TLS runs on it.
func (t *Tap) shut() {
	t.last.Lock()
	c := t.tls
	t.last.Unlock()
	if c != nil {
		c.Close()
	}
	t.Close()
}
