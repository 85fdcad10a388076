package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/pcap"
)

// listenQUIC starts a server of QUIC for host, which the proxy finds by Map.
func (r *rig) listenQUIC(host string, config *tls.Config, protocols []string, change func(*quic.Config)) *quic.Listener {
	r.t.Helper()
	if config == nil {
		config = r.originConfig(host)
	}
	config.NextProtos = protocols
	q := &quic.Config{EnableDatagrams: true}
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
	return r.front(host)(context.Background(), "", &tls.Config{RootCAs: r.roots(), ServerName: host, NextProtos: protocols}, &quic.Config{EnableDatagrams: true})
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
