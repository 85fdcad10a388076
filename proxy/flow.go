package proxy

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
	"explainer/capture/pcap"
	"explainer/capture/quic"
)

// A flow is one connection of QUIC of the proxy, every datagram of which is recorded as it is.
//
// A datagram that was received waits for the secrets of the packets in it, so that they stand before it in the
// recording, and whatever comes behind it waits too; what is sent has its secrets already.
type flow struct {
	*leg

	recording sync.RWMutex // read-locked while a datagram is recorded; finish waits for these

	mu       sync.Mutex
	known    int // levels whose secrets were released
	held     []*entry
	heldSize int
	heard    bool     // the peer has sent something
	greeted  bool     // nothing is kept in first any more
	first    [][]byte // what a client has sent so far, while that may be its hello
	claimed  bool     // quic-go has begun a connection for what the peer sent
	over     bool     // nothing is recorded any more
}

// The levels of secrets, as far as those that packets need which the peer sends.
const (
	levelInitial     = iota // everybody has them (RFC 9001 5.2)
	levelHandshake          // for Handshake packets
	levelApplication        // for 1-RTT packets; also: nothing is held any more
)

// newFlow begins the recording of a connection of QUIC between the proxy and a peer.
func newFlow(r *Recorder, of capture.Leg, local, remote netip.AddrPort, name string) *flow {
	f := &flow{leg: &leg{peer: capture.Client}}
	if of == capture.LegBrowser {
		f.stream = r.openUDP(of, remote, local, name)
	} else {
		f.peer = capture.Server
		f.stream = r.openUDP(of, local, remote, name)
	}
	f.active.Store(time.Now().UnixNano())
	f.close = func() error { f.hangUp(); return nil }
	f.hang(f.finish)
	return f
}

// received records a datagram of the peer, now or when its secrets are there.
func (f *flow) received(data []byte) {
	now := time.Now().UnixNano()
	f.active.Store(now)
	f.mu.Lock()
	f.heard = true
	if f.peer == capture.Client && !f.greeted && len(f.first) < maxHello {
		f.first = append(f.first, bytes.Clone(data[:min(len(data), maxHelloPart)]))
	}
	f.mu.Unlock()
	f.take(newData(f.stream, f.peer, now, data), levelOf(data))
}

// sending records a datagram that is to be sent: it takes its place before the system call, so that no answer
// can stand before it. The function returned is told how many bytes were sent.
func (f *flow) sending(data []byte) (sent func(n int)) {
	now := time.Now()
	f.active.Store(now.UnixNano())
	e := newData(f.stream, f.peer.Other(), now.UnixNano(), data)
	e.until = now.Add(datagramPatience)
	e.state.Store(statePending)
	if !f.take(e, levelInitial) {
		return func(int) {}
	}
	return func(n int) { f.stream.rec.complete(e, max(n, 0)) }
}

// datagramPatience is how long a datagram keeps its place in the recording while it is sent: the system takes
// it or throws it away, so only a very busy machine delays that.
const datagramPatience = 10 * time.Second

// take records a datagram that needs the secrets of a level. It reports false where nothing is recorded any more.
func (f *flow) take(e *entry, level int) bool {
	f.recording.RLock()
	defer f.recording.RUnlock()
	f.mu.Lock()
	if f.over {
		f.mu.Unlock()
		return false
	}
	if len(f.held) > 0 || level > f.known {
		if f.held, f.heldSize = append(f.held, e), f.heldSize+len(e.data); f.heldSize > holdLimit {
			f.known = levelApplication
			f.releaseLocked()
		}
		f.mu.Unlock()
		return true
	}
	f.mu.Unlock()
	f.stream.rec.put(e)
	return true
}

// releaseLocked records what was held, as far as its secrets are there.
func (f *flow) releaseLocked() {
	n := 0
	for n < len(f.held) && (f.held[n].side != f.peer || levelOf(f.held[n].data) <= f.known) {
		f.heldSize -= len(f.held[n].data)
		n++
	}
	f.stream.rec.putAll(f.held[:n])
	f.held = f.held[n:]
	if len(f.held) == 0 {
		f.held = nil
	}
}

// levelOf is the highest level of secrets that the packets of a datagram need.
func levelOf(data []byte) int {
	level := levelInitial
	for len(data) > 0 {
		h, ok := quic.Parse(data, 0)
		switch {
		case !ok, data[0]&0xc0 == 0: // the second bit is set in every packet (RFC 9000 17); this is padding, as Firefox sends it
			return level
		case h.Type == quic.OneRTT:
			return levelApplication
		case h.Type == quic.Handshake:
			level = levelHandshake
		}
		data = data[min(h.Len, len(data)):]
	}
	return level
}

// answered reports whether the peer has sent anything.
func (f *flow) answered() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.heard
}

// maxHello bounds the datagrams that may hold a client's hello, and maxHelloPart the bytes of one.
const (
	maxHello     = 16
	maxHelloPart = 4 << 10
)

// hello returns the client's hello, or nil, and keeps no more of what it sends.
func (f *flow) hello() *handshake.ClientHello {
	f.mu.Lock()
	first := f.first
	f.greeted, f.first = true, nil
	f.mu.Unlock()
	var d capture.Decoder
	d.Feed(&capture.Open{Transport: capture.TransportQUIC, Conn: 1, Client: f.stream.client, Server: f.stream.server})
	for _, data := range first {
		for _, m := range d.Feed(&capture.Datagram{Conn: 1, Data: data}) {
			if hello, ok := m.Body.(*handshake.ClientHello); ok {
				return hello
			}
		}
	}
	return nil
}

// claim reports whether nobody has claimed the connection before, or ended it.
func (f *flow) claim() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.claimed || f.over
	f.claimed = true
	return !was
}

// KeyLogWriter returns what goes into [tls.Config.KeyLogWriter] of the connection. Its Write never blocks.
func (f *flow) KeyLogWriter() flowKeys { return flowKeys{f} }

type flowKeys struct{ f *flow }

func (k flowKeys) Write(line []byte) (int, error) {
	if s, ok := keys.ParseLine(line); ok {
		k.f.secret(s)
	}
	return len(line), nil
}

// secret records a key log line, and what has waited for it.
func (f *flow) secret(s keys.Secret) {
	f.stream.rec.put(&entry{kind: entrySecret, stream: f.stream, secret: s})
	of := "CLIENT_"
	if f.peer == capture.Server {
		of = "SERVER_"
	}
	kind, peers := strings.CutPrefix(s.Label, of)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case peers && kind == "HANDSHAKE_TRAFFIC_SECRET":
		f.known = max(f.known, levelHandshake)
	case peers && kind == "TRAFFIC_SECRET_0":
		f.known = levelApplication
	}
	f.releaseLocked()
}

// finish records the end of the connection; nothing of it is recorded behind that.
func (f *flow) finish() {
	f.recording.Lock() // who is recording has done so
	f.mu.Lock()
	was := f.over
	if !was {
		f.known = levelApplication
		f.releaseLocked()
		f.over = true
	}
	f.mu.Unlock()
	f.recording.Unlock()
	if !was {
		f.tellClosed("proxy", "")
	}
}

// A flowSocket is the UDP socket of a connection with an origin, as quic-go takes it. It sends and
// receives one datagram a call, each as the recording has it.
type flowSocket struct {
	plainSocket
	conn *net.UDPConn // the same, connected
	f    *flow
	buf  []byte
}

func newFlowSocket(c *net.UDPConn, f *flow) *flowSocket {
	return &flowSocket{plainSocket: plainSocket{c, c}, conn: c, f: f, buf: make([]byte, pcap.MaxDatagram)}
}

// ReadFrom implements [net.PacketConn].
func (s *flowSocket) ReadFrom(p []byte) (int, net.Addr, error) {
	n, err := s.conn.Read(s.buf)
	if n > 0 {
		s.f.received(s.buf[:n])
	}
	return copy(p, s.buf[:max(n, 0)]), s.conn.RemoteAddr(), err
}

// WriteTo implements [net.PacketConn]. All goes to the one origin.
func (s *flowSocket) WriteTo(p []byte, _ net.Addr) (int, error) {
	sent := s.f.sending(p)
	n, err := s.conn.Write(p)
	sent(n)
	return n, err
}

// A frontSocket is the UDP socket to which clients' QUIC comes, of one flow for each of their addresses.
type frontSocket struct {
	plainSocket
	conn  *net.UDPConn // the same
	rec   *Recorder
	begun func(*flow) // called with each flow, before quic-go hears of it
	buf   []byte

	mu    sync.Mutex
	flows map[netip.AddrPort]*flow // those that are open
}

// maxFlows bounds the connections of a front, whatever becomes of them.
const maxFlows = 64

func newFrontSocket(c *net.UDPConn, r *Recorder, begun func(*flow)) *frontSocket {
	return &frontSocket{plainSocket: plainSocket{c, c}, conn: c, rec: r, begun: begun, buf: make([]byte, pcap.MaxDatagram), flows: map[netip.AddrPort]*flow{}}
}

// ReadFrom implements [net.PacketConn]. It passes over what belongs to no connection and begins none.
func (s *frontSocket) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(s.buf)
		if err != nil {
			return 0, nil, err
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		f := s.of(from)
		if f == nil {
			f = s.begin(from, s.buf[:n])
		}
		if f != nil {
			f.received(s.buf[:n])
			return copy(p, s.buf[:n]), net.UDPAddrFromAddrPort(from), nil
		}
	}
}

// of returns the open connection of a client's address, or nil.
func (s *frontSocket) of(client netip.AddrPort) *flow {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flows[client]
}

// begin begins a connection if the datagram is a client's first (RFC 9000 14.1: of at least 1200 bytes).
func (s *frontSocket) begin(from netip.AddrPort, data []byte) *flow {
	if len(data) < 1200 || !quic.Begins(data, 0) {
		return nil
	}
	s.mu.Lock()
	full := len(s.flows) >= maxFlows
	s.mu.Unlock()
	if full {
		return nil
	}
	local := s.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	f := newFlow(s.rec, capture.LegBrowser, local, from, "")
	s.mu.Lock()
	s.flows[from] = f
	s.mu.Unlock()
	f.atClose(func() {
		s.mu.Lock()
		delete(s.flows, from)
		s.mu.Unlock()
	})
	time.AfterFunc(handshakeTime, func() { // quic-go may not have liked it
		if f.claim() {
			f.endedBy("timeout", "")
			f.finish()
		}
	})
	s.begun(f)
	return f
}

// WriteTo implements [net.PacketConn].
func (s *frontSocket) WriteTo(p []byte, to net.Addr) (int, error) {
	client := udpAddrPort(to)
	sent := func(int) {}
	if f := s.of(client); f != nil {
		sent = f.sending(p)
	}
	n, err := s.conn.WriteToUDPAddrPort(p, client)
	sent(n)
	return n, err
}

func udpAddrPort(a net.Addr) netip.AddrPort {
	u, ok := a.(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := u.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port())
}
