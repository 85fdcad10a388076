package proxy

import (
	"bytes"
	"io"
	"os"
	"sync"
	"time"

	"explainer/capture"
	"explainer/capture/keys"
)

const (
	// keyPatience is how long the recording of a connection waits for its keys after
	// the client has used them: Node.js writes them while it goes on. A client that
	// has written keys before is waited for longer, since it will, if it is given the
	// processor: one that never did costs a second each time.
	keyPatience   = time.Second
	writePatience = 10 * time.Second
	// keyLook is how often the key log is looked at meanwhile.
	keyLook = 5 * time.Millisecond
	// gateLimit bounds the bytes of one connection that wait for its keys, gatesLimit those of all.
	gateLimit  = 4 << 20
	gatesLimit = 32 << 20
	// keyLines bounds the lines of the key log that no connection has asked for yet.
	keyLines = 4096
	// keyRead is how much of the key log is read at a time, keyLine how long one line may be.
	keyRead = 64 << 10
	keyLine = 1 << 10
)

// An Observer has connections recorded that the proxy passes on as they are,
// with the keys that the client itself writes to a key log (RFC 9850).
//
// A client can write its keys only when it has the server's ServerHello (TLS
// 1.3) or has sent its own key exchange (before), so when bytes that they open have
// been recorded already. Hence from the server's first answer to a ClientHello on,
// what is recorded of the connection waits, until the client's next flight shows
// that it has its keys, and they are in the log. Only the recording waits: the bytes pass as they come.
type Observer struct {
	rec    *Recorder
	file   *os.File
	copyTo io.Writer // gets every line, or nil

	mu     sync.Mutex
	at     int64  // of file: what has been read
	rest   []byte // the beginning of a line
	lines  int
	hellos int
	known  map[[32]byte][]keys.Secret // not given to the recording yet, by client random
	count  int                        // lines in known
	opened map[[32]byte]bool          // what comes for these is late, and is recorded at once
	gates  map[*gate]struct{}
	size   int // bytes that all gates hold
	timer  *time.Timer
	closed bool
	err    error // of copyTo
}

// NewObserver starts to follow the key log in file, which is the caller's to
// close after Close. copyTo, if not nil, gets each of its lines too.
func NewObserver(rec *Recorder, file *os.File, copyTo io.Writer) *Observer {
	return &Observer{rec: rec, file: file, copyTo: copyTo, known: map[[32]byte][]keys.Secret{}, opened: map[[32]byte]bool{}, gates: map[*gate]struct{}{}}
}

// Close reads what is left of the key log and gives all that waits to the
// recording, which must still be open.
func (o *Observer) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.look()
	o.closed = true
	for g := range o.gates {
		g.release()
	}
	if o.timer != nil {
		o.timer.Stop()
	}
	return o.err
}

// Seen returns how many connections began TLS so far, and how many lines the key log has.
func (o *Observer) Seen() (hellos, lines int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.hellos, o.lines
}

// look reads what is new in the key log. o.mu is held.
func (o *Observer) look() {
	if info, err := o.file.Stat(); err == nil && info.Size() < o.at {
		o.at, o.rest = 0, nil // the program has begun it anew
	}
	var buf [keyRead]byte
	for {
		n, err := o.file.ReadAt(buf[:], o.at)
		o.at += int64(n)
		o.rest = append(o.rest, buf[:n]...)
		for {
			end := bytes.IndexByte(o.rest, '\n')
			if end < 0 {
				break
			}
			o.line(o.rest[:end+1])
			o.rest = o.rest[end+1:]
		}
		if len(o.rest) > keyLine {
			o.rest = nil
		}
		if err != nil || n == 0 {
			return
		}
	}
}

func (o *Observer) line(line []byte) {
	if o.copyTo != nil && o.err == nil {
		_, o.err = o.copyTo.Write(line)
	}
	s, ok := keys.ParseLine(line)
	if !ok {
		return
	}
	o.lines++
	if len(s.ClientRandom) != 32 {
		return
	}
	random := [32]byte(s.ClientRandom)
	switch {
	case o.opened[random]:
		o.rec.Secret(s)
	case o.count < keyLines:
		o.known[random] = append(o.known[random], s)
		o.count++
	}
}

// give records the keys that are known for random.
func (o *Observer) give(random [32]byte) {
	for _, s := range o.known[random] {
		o.rec.Secret(s)
	}
	o.count -= len(o.known[random])
	delete(o.known, random)
}

// again looks at the key log for those connections whose time is running.
func (o *Observer) again() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.timer = nil
	if o.closed {
		return
	}
	o.look()
	running := false
	for g := range o.gates {
		switch {
		case g.until.IsZero():
		case g.complete() || time.Now().After(g.until):
			g.release()
		default:
			running = true
		}
	}
	if running {
		o.timer = time.AfterFunc(keyLook, o.again)
	}
}

// A gate holds back what is to be recorded of one tunnel until its keys are there.
type gate struct {
	o       *Observer
	browser *stream
	origin  *stream // nil until the origin is reached

	// All guarded by o.mu.
	head    []byte   // of what may become a ClientHello
	random  [32]byte // of the ClientHello
	hello   bool     // there was one
	holding bool
	done    bool
	held    []*entry
	size    int
	until   time.Time // when it is given up, once the client went on
}

// watch begins to follow a tunnel of t's client.
func (o *Observer) watch(t *Tap) *gate {
	o.mu.Lock()
	defer o.mu.Unlock()
	g := &gate{o: o, browser: t.stream}
	if o.closed {
		g.done = true
		return g
	}
	o.gates[g] = struct{}{}
	g.client(t.back) // has been recorded
	t.stream.gate.Store(g)
	return g
}

// reached tells of the connection to the origin.
func (g *gate) reached(t *Tap) {
	g.o.mu.Lock()
	defer g.o.mu.Unlock()
	if !g.done {
		g.origin = t.stream
		t.stream.gate.Store(g)
	}
}

// take looks at an entry that is to be recorded, and reports whether it was kept back.
func (g *gate) take(e *entry) bool {
	g.o.mu.Lock()
	defer g.o.mu.Unlock()
	if g.done {
		return false
	}
	switch {
	case e.kind == entryData && e.stream == g.browser && e.side == capture.Client:
		g.client(e.data)
	case e.kind == entryData && e.stream == g.origin && e.side == capture.Server:
		g.holding = g.holding || g.hello
	case e.kind == entryFact && e.stream == g.browser: // it is over
		if !g.holding {
			g.release()
			return false
		}
		g.went()
	}
	if g.done || !g.holding {
		return false
	}
	g.held = append(g.held, e)
	g.size += e.size
	g.o.size += e.size
	if g.size > gateLimit || g.o.size > gatesLimit {
		g.release()
	}
	return true
}

// client looks at what the client sends.
func (g *gate) client(data []byte) {
	if !g.hello {
		g.head = append(g.head, data[:min(len(data), 1<<10)]...)
		random, more := helloRandom(g.head)
		if more && len(g.head) < 1<<10 {
			return
		}
		g.head = nil
		if random != nil {
			g.hello, g.random = true, [32]byte(random)
			g.o.hellos++
			g.o.look()
			g.o.give(g.random) // early data's
		}
		return
	}
	// In TLS 1.3 a ChangeCipherSpec of no meaning may stand before the second hello (RFC 8446 D.4).
	data = bytes.TrimPrefix(data, []byte{20, 3, 3, 0, 1, 1})
	if random, more := helloRandom(data); g.holding && random == nil && !more {
		g.went()
	}
}

// went tells that the client has gone on, or will not.
func (g *gate) went() {
	g.o.look()
	switch {
	case g.complete():
		g.release()
	case g.until.IsZero():
		patience := keyPatience
		if g.o.lines > 0 {
			patience = writePatience
		}
		g.until = time.Now().Add(patience)
		if g.o.timer == nil {
			g.o.timer = time.AfterFunc(keyLook, g.o.again)
		}
	}
}

// complete reports whether there is all that a connection has: one line up to TLS
// 1.2, in TLS 1.3 one for each direction of the handshake and of the data (RFC 9850 2).
func (g *gate) complete() bool {
	have := map[string]bool{}
	for _, s := range g.o.known[g.random] {
		have[s.Label] = true
	}
	return have["CLIENT_RANDOM"] || have["CLIENT_HANDSHAKE_TRAFFIC_SECRET"] && have["SERVER_HANDSHAKE_TRAFFIC_SECRET"] &&
		have["CLIENT_TRAFFIC_SECRET_0"] && have["SERVER_TRAFFIC_SECRET_0"]
}

// release gives all to the recording, keys first.
func (g *gate) release() {
	o := g.o
	g.done = true
	delete(o.gates, g)
	g.browser.gate.Store(nil)
	if g.origin != nil {
		g.origin.gate.Store(nil)
	}
	if g.hello {
		o.give(g.random)
		if len(o.opened) < keyLines {
			o.opened[g.random] = true
		}
	}
	o.size -= g.size
	o.rec.putAll(g.held)
	g.held = nil
}

// helloRandom returns the random number of the ClientHello with which b begins
// (RFC 8446 4.1.2: behind the 4 bytes of the message's header and 2 of the version),
// which can be cut into records of any length; or nil, and whether more bytes could show one.
func helloRandom(b []byte) (random []byte, more bool) {
	const need = 4 + 2 + 32
	var message []byte
	for len(message) < need {
		for i, want := range []byte{22, 3} { // handshake, major version
			if i < len(b) && b[i] != want {
				return nil, false
			}
		}
		if len(b) < 5 {
			return nil, true
		}
		n := int(b[3])<<8 | int(b[4])
		if n == 0 || n > 1<<14 {
			return nil, false
		}
		b = b[5:]
		have := min(n, len(b))
		message = append(message, b[:have]...)
		if len(message) > 0 && message[0] != 1 {
			return nil, false
		}
		b = b[have:]
		if have < n && len(message) < need {
			return nil, true
		}
	}
	return message[6:need], false
}
