package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/pcap"
	decoded "explainer/capture/quic"
)

// listenQUIC starts a server of QUIC for host, which the proxy finds by Map.
func (r *rig) listenQUIC(host string, config *tls.Config, protocols []string, change func(*quic.Config)) *quic.Listener {
	r.t.Helper()
	if config == nil {
		config = r.originConfig(host)
	}
	config.NextProtos = protocols
	q := &quic.Config{EnableDatagrams: true, HandshakeIdleTimeout: time.Minute}
	if change != nil {
		change(q)
	}
	l, err := quic.Listen(loopbackUDP(r.t), config, q)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { l.Close() })
	r.site(host, l.Addr().String())
	return l
}

func loopbackUDP(t *testing.T) net.PacketConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return plainSocket{c, c}
}

// front opens the proxy's front for host, and returns how it is called.
func (r *rig) front(host string) func(ctx context.Context, _ string, c *tls.Config, q *quic.Config) (*quic.Conn, error) {
	r.t.Helper()
	at, err := r.QUIC(host, 443)
	if err != nil {
		r.t.Fatal(err)
	}
	return func(ctx context.Context, _ string, c *tls.Config, q *quic.Config) (*quic.Conn, error) {
		return quic.Dial(ctx, loopbackUDP(r.t), net.UDPAddrFromAddrPort(at), c, q)
	}
}

// dialQUIC calls host through its front.
func (r *rig) dialQUIC(host string, protocols ...string) (*quic.Conn, error) {
	r.t.Helper()
	return r.front(host)(context.Background(), "", &tls.Config{RootCAs: r.roots(), ServerName: host, NextProtos: protocols}, &quic.Config{EnableDatagrams: true, HandshakeIdleTimeout: time.Minute})
}

// messages reads the recording as read does.
func (r *rig) messages() (all []capture.Message) {
	r.t.Helper()
	r.finish()
	b, err := os.ReadFile(r.recording.Name())
	if err != nil {
		r.t.Fatal(err)
	}
	rd, err := pcap.NewReader(bytes.NewReader(b))
	if err != nil {
		r.t.Fatal(err)
	}
	d := capture.Decoder{SecretsFirst: true}
	for m, err := range d.All(rd.All()) {
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, *m)
	}
	return all
}

// opened checks that every packet of QUIC in the recording was opened, and that both handshakes are there.
func (r *rig) opened(all []capture.Message, legs int) {
	r.t.Helper()
	finished := map[string]int{}
	for _, m := range all {
		switch b := m.Body.(type) {
		case *capture.QUICPacket:
			if b.Reason != "" || b.Broken {
				r.t.Errorf("connection %d (%v): %d %v packets of the %v stayed sealed: %s", m.Conn.Number, m.Conn.Leg, b.Packets, b.Kind, m.Side, b.Reason)
			}
		case *handshake.Finished:
			finished[fmt.Sprint(m.Conn.Leg, " ", m.Side)]++
		}
	}
	for _, who := range []string{"browser client", "browser server", "origin client", "origin server"} {
		if finished[who] != legs {
			r.t.Errorf("%d Finished of the %s, not %d", finished[who], who, legs)
		}
	}
}

// TestQUICRelay sends requests of HTTP/3 through a front, several at a time and with large bodies.
func TestQUICRelay(t *testing.T) {
	r := newRig(t, nil)
	large := bytes.Repeat([]byte("0123456789abcdef"), 3<<16) // 3 MiB
	mux := http.NewServeMux()
	mux.HandleFunc("GET /n/{n}", func(w http.ResponseWriter, q *http.Request) { io.WriteString(w, "answer "+q.PathValue("n")) })
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, q *http.Request) { io.Copy(w, q.Body) })
	l := r.listenQUIC("shop.test", nil, []string{"h3"}, nil)
	server := &http3.Server{Handler: mux}
	go server.ServeListener(l)
	defer server.Close()
	transport := &http3.Transport{TLSClientConfig: &tls.Config{RootCAs: r.roots()}, Dial: r.front("shop.test")}
	client := &http.Client{Transport: transport}
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			a, err := client.Get(fmt.Sprintf("https://shop.test/n/%d", i))
			if err != nil {
				t.Error(err)
				return
			}
			defer a.Body.Close()
			if b, err := io.ReadAll(a.Body); err != nil || string(b) != fmt.Sprint("answer ", i) {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
	all.Wait()
	a, err := client.Post("https://shop.test/echo", "text/plain", bytes.NewReader(large))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(a.Body); err != nil || !bytes.Equal(b, large) {
		t.Errorf("%d bytes of %d, %v", len(b), len(large), err)
	}
	transport.Close()
	messages := r.messages()
	r.opened(messages, 1)
}

// TestQUICStreams passes on what HTTP/3 does not show: the numbers of streams, resets and STOP_SENDING with their
// codes, DATAGRAM frames, streams that the server opens, and the code and the reason of the close, either way.
func TestQUICStreams(t *testing.T) {
	for _, closes := range []string{"client", "origin"} {
		t.Run(closes, func(t *testing.T) {
			r := newRig(t, nil)
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			l := r.listenQUIC("shop.test", nil, []string{"test"}, nil)
			client, err := r.dialQUIC("shop.test", "test")
			if err != nil {
				t.Fatal(err)
			}
			origin, err := l.Accept(ctx)
			if err != nil {
				t.Fatal(err)
			}

			// Out of order, so that one is opened by the number of another.
			var streams []*quic.Stream
			for range 3 {
				s, err := client.OpenStream()
				if err != nil {
					t.Fatal(err)
				}
				streams = append(streams, s)
			}
			for _, i := range []int{2, 0, 1} {
				if _, err := fmt.Fprint(streams[i], "stream ", streams[i].StreamID()); err != nil {
					t.Fatal(err)
				}
				streams[i].Close()
			}
			for range streams {
				s, err := origin.AcceptStream(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if b, err := io.ReadAll(s); err != nil || string(b) != fmt.Sprint("stream ", s.StreamID()) {
					t.Errorf("stream %d: %q, %v", s.StreamID(), b, err)
				}
				s.CancelWrite(0x77) // the answer
			}
			var reset *quic.StreamError
			if _, err := io.ReadAll(streams[0]); !errors.As(err, &reset) || !reset.Remote || reset.ErrorCode != 0x77 {
				t.Errorf("a reset came as %v", err)
			}

			// The receiver wants no more, while its sender says nothing.
			up, err := client.OpenUniStream()
			if err != nil {
				t.Fatal(err)
			}
			up.Write([]byte("x"))
			in, err := origin.AcceptUniStream(ctx)
			if err != nil {
				t.Fatal(err)
			}
			in.CancelRead(0x88)
			<-up.Context().Done()
			if err := context.Cause(up.Context()); !errors.As(err, &reset) || !reset.Remote || reset.ErrorCode != 0x88 {
				t.Errorf("STOP_SENDING came as %v", err)
			}

			// The server opens one of each kind.
			down, err := origin.OpenUniStream()
			if err != nil {
				t.Fatal(err)
			}
			down.Write([]byte("down"))
			down.Close()
			if s, err := client.AcceptUniStream(ctx); err != nil || s.StreamID() != down.StreamID() {
				t.Errorf("a stream of the server's: %v", err)
			} else if b, _ := io.ReadAll(s); string(b) != "down" {
				t.Errorf("%q", b)
			}
			both, err := origin.OpenStream()
			if err != nil {
				t.Fatal(err)
			}
			both.Write([]byte("?"))
			if s, err := client.AcceptStream(ctx); err != nil || s.StreamID() != both.StreamID() {
				t.Errorf("a stream of the server's: %v", err)
			} else {
				s.CancelRead(0)
				s.Write([]byte("!"))
				s.Close()
				if b, err := io.ReadAll(both); string(b) != "!" || err != nil {
					t.Errorf("%q, %v", b, err)
				}
			}

			for _, way := range [][2]*quic.Conn{{client, origin}, {origin, client}} {
				if err := way[0].SendDatagram([]byte("a datagram")); err != nil {
					t.Fatal(err)
				}
				if b, err := way[1].ReceiveDatagram(ctx); err != nil || string(b) != "a datagram" {
					t.Errorf("%q, %v", b, err)
				}
			}

			from, to := client, origin
			if closes == "origin" {
				from, to = origin, client
			}
			from.CloseWithError(0x1234, "enough")
			<-to.Context().Done()
			var closed *quic.ApplicationError
			if err := context.Cause(to.Context()); !errors.As(err, &closed) || !closed.Remote || closed.ErrorCode != 0x1234 || closed.ErrorMessage != "enough" {
				t.Errorf("a close came as %v", err)
			}

			if sealed := r.tshark("udp and not quic.frame_type", "frame.number"); sealed != "" {
				t.Errorf("tshark opens nothing in packets %s", sealed)
			}
			messages := r.messages()
			r.opened(messages, 1)
			numbers := map[capture.Leg]map[uint64]bool{capture.LegBrowser: {}, capture.LegOrigin: {}}
			ends := 0
			for _, m := range messages {
				switch b := m.Body.(type) {
				case *capture.QUICPacket:
					for _, f := range b.Frames {
						if f.Type == decoded.FrameStream {
							numbers[m.Conn.Leg][f.Stream] = true
						}
					}
				case *capture.Fact:
					if b.Kind == capture.FactClosed && b.Conn > 0 {
						if ends++; b.Outcome != closes {
							t.Errorf("connection %d was closed by the %s", b.Conn, b.Outcome)
						}
					}
				}
			}
			if ends != 2 || !maps.Equal(numbers[capture.LegBrowser], numbers[capture.LegOrigin]) || len(numbers[capture.LegBrowser]) != 6 {
				t.Errorf("%d ends; streams %v", ends, numbers)
			}
		})
	}
}

// TestQUICLimits: the origin may do what the client lets it do.
func TestQUICLimits(t *testing.T) {
	r := newRig(t, nil)
	l := r.listenQUIC("shop.test", nil, []string{"test"}, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	config := &tls.Config{RootCAs: r.roots(), ServerName: "shop.test", NextProtos: []string{"test"}}
	client, err := r.front("shop.test")(ctx, "", config, &quic.Config{MaxIncomingStreams: -1, MaxIncomingUniStreams: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseWithError(0, "")
	origin, err := l.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if origin.ConnectionState().SupportsDatagrams.Remote {
		t.Error("the origin is told that DATAGRAM frames are taken")
	}
	if _, err := origin.OpenStream(); err == nil {
		t.Error("the origin opens a stream")
	}
	for range 2 {
		if _, err := origin.OpenUniStream(); err != nil {
			t.Error(err)
		}
	}
	if _, err := origin.OpenUniStream(); err == nil {
		t.Error("the origin opens a third stream")
	}
}

// TestQUICBadOrigin: as over TCP, a client that checks is shown a certificate as bad as the origin's, and no
// stream reaches the origin; one that does not check reaches it.
func TestQUICBadOrigin(t *testing.T) {
	for _, test := range []struct {
		fault           string
		block, careless bool
	}{{"expired", false, false}, {"expired", false, true}, {"self-signed", false, false}, {"expired", true, true}} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			r := newRig(t, func(p *Proxy) { p.BlockBadOrigins = test.block })
			cert, err := r.originCA.Faulty("shop.test", test.fault)
			if err != nil {
				t.Fatal(err)
			}
			l := r.listenQUIC("shop.test", &tls.Config{Certificates: []tls.Certificate{*cert}}, []string{"h3"}, nil)
			done, want := "mirrored", quic.TransportErrorCode(0x100+42) // bad_certificate
			if test.block {
				done, want = "blocked", 0x100+80 // internal_error
			}
			config := &tls.Config{RootCAs: r.roots(), ServerName: "shop.test", NextProtos: []string{"h3"}, InsecureSkipVerify: test.careless}
			client, err := r.front("shop.test")(context.Background(), "", config, nil)
			if test.careless && !test.block {
				if err != nil {
					t.Fatal(err)
				}
				if _, err := l.Accept(context.Background()); err != nil {
					t.Fatal(err)
				}
				client.CloseWithError(0x100, "")
			} else {
				var refused *quic.TransportError
				if !errors.As(err, &refused) || refused.ErrorCode != want {
					t.Errorf("%v", err)
				}
			}
			closed, verified, went := 0, 0, 0
			for _, m := range r.messages() {
				f, ok := m.Body.(*capture.Fact)
				switch {
				case !ok:
				case f.Kind == capture.FactOriginVerified && f.Done == done && slices.Equal(f.Found, []string{test.fault}) && f.Conn == 1 && f.Peer == 2:
					verified++
				case f.Kind == capture.FactWentOn:
					went++
				case f.Kind == capture.FactClosed:
					closed++
				}
			}
			if closed != 2 || verified != 1 || (went == 1) != (test.careless && !test.block) {
				t.Errorf("%d ends, verified %d times, went on %d times", closed, verified, went)
			}
		})
	}
}

// TestQUICNoOrigin: where nobody answers QUIC the client's handshake is refused, and why is recorded.
func TestQUICNoOrigin(t *testing.T) {
	r := newRig(t, nil)
	gone := loopbackUDP(t)
	gone.Close()
	r.listenQUIC("shop.test", nil, []string{"h3"}, nil)
	r.site("gone.test", gone.LocalAddr().String())
	r.site("nowhere.test", "no.such.name.invalid:443")
	var refused *quic.TransportError
	if _, err := r.dialQUIC("gone.test", "h3"); !errors.As(err, &refused) || !refused.Remote {
		t.Errorf("%v", err)
	}
	if _, err := r.dialQUIC("nowhere.test", "h3"); !errors.As(err, &refused) || !refused.Remote {
		t.Errorf("%v", err)
	}
	if err := r.AnswersQUIC(context.Background(), "gone.test", 443); err == nil {
		t.Error("a closed port answers QUIC")
	}
	if err := r.AnswersQUIC(context.Background(), "shop.test", 443); err != nil {
		t.Error(err)
	}
	var told []string
	for _, m := range r.messages() {
		if f, ok := m.Body.(*capture.Fact); ok && (f.Kind == capture.FactDialFailed || f.Kind == capture.FactLookupFailed || f.Kind == capture.FactClosed) {
			told = append(told, fmt.Sprint(f.Kind, " ", f.Conn, " ", f.Outcome))
		}
	}
	slices.Sort(told)
	if want := []string{"closed 1 proxy", "closed 2 proxy", "closed 3 proxy", "dial-failed 1 refused", "lookup-failed 3 "}; !slices.Equal(told, want) {
		t.Errorf("%q", told)
	}
}

// TestLevelOf: a datagram waits for the secrets of its packets, and for nothing else in it.
func TestLevelOf(t *testing.T) {
	long := func(kind byte, n int) []byte { // RFC 9000 17.2
		b := []byte{0xc0 | kind<<4, 0, 0, 0, 1, 1, 7, 0}
		if kind == 0 {
			b = append(b, 0) // no token
		}
		return append(append(b, 0x40, byte(n)), make([]byte, n)...)
	}
	short := append([]byte{0x40, 7}, make([]byte, 40)...)
	for _, test := range []struct {
		name string
		data []byte
		want int
	}{
		{"Initial", long(0, 40), levelInitial},
		{"Initial and padding behind it", append(long(0, 40), make([]byte, 1000)...), levelInitial},
		{"Initial and Handshake", append(long(0, 40), long(2, 40)...), levelHandshake},
		{"Handshake and padding behind it", append(long(2, 40), make([]byte, 100)...), levelHandshake},
		{"all three", slices.Concat(long(0, 40), long(2, 40), short), levelApplication},
		{"1-RTT", short, levelApplication},
		{"nothing", []byte{1, 2, 3}, levelInitial},
	} {
		if got := levelOf(test.data); got != test.want {
			t.Errorf("%s: %d, not %d", test.name, got, test.want)
		}
	}
}

// TestQUICHostile: what is no beginning of a connection is passed over, no more begin than are kept, and all that
// have begun have an end, also where the proxy is told to stop while an origin says nothing.
func TestQUICHostile(t *testing.T) {
	r := newRig(t, nil)
	silent := loopbackUDP(t)
	r.site("silent.test", silent.LocalAddr().String())
	at, err := r.QUIC("silent.test", 443)
	if err != nil {
		t.Fatal(err)
	}
	front := net.UDPAddrFromAddrPort(at)
	stray := loopbackUDP(t)
	for _, b := range [][]byte{{0}, {0x40, 1, 2, 3}, bytes.Repeat([]byte{0xc0}, 1300), append([]byte{0xc0, 0, 0, 0, 1, 8}, make([]byte, 1300)...), make([]byte, 60000)} {
		if _, err := stray.WriteTo(b, front); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range maxFlows + 8 {
		socket := &counted{PacketConn: loopbackUDP(t), sent: make(chan struct{}, 1)}
		all.Go(func() {
			quic.Dial(ctx, socket, front, &tls.Config{ServerName: "silent.test", NextProtos: []string{"h3"}}, &quic.Config{HandshakeIdleTimeout: time.Minute})
		})
		<-socket.sent
	}
	r.Proxy.mu.Lock()
	begun := r.Proxy.fronts[0].socket
	r.Proxy.mu.Unlock()
	// The first connection waits for its origin: what it has sent, the proxy has got.
	for b := make([]byte, 1<<16); ; {
		n, _, err := silent.ReadFrom(b)
		if err != nil || n == 0 {
			t.Fatal(err)
		}
		begun.mu.Lock()
		open := len(begun.flows)
		begun.mu.Unlock()
		if open == maxFlows {
			break
		}
	}
	cancel()
	all.Wait()
	opens, ends := 0, map[int]int{}
	for _, m := range r.messages() {
		switch b := m.Body.(type) {
		case *capture.Opened:
			opens++
		case *capture.Fact:
			if b.Kind == capture.FactClosed {
				ends[b.Conn]++
			}
		}
	}
	if opens != len(ends) || opens < maxFlows {
		t.Errorf("%d connections, %d ends", opens, len(ends))
	}
	for n, times := range ends {
		if times != 1 {
			t.Errorf("connection %d ended %d times", n, times)
		}
	}
}

// counted tells when something was sent.
type counted struct {
	net.PacketConn
	sent chan struct{}
}

func (c *counted) WriteTo(b []byte, to net.Addr) (int, error) {
	n, err := c.PacketConn.WriteTo(b, to)
	select {
	case c.sent <- struct{}{}:
	default:
	}
	return n, err
}

func (c *counted) SetReadBuffer(int) error  { return nil }
func (c *counted) SetWriteBuffer(int) error { return nil }
