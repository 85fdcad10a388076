package proxy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// A siteHTTP3 serves a built-in site over HTTP/3 (RFC 9114).
type siteHTTP3 struct {
	server *http3.Server
	socket net.PacketConn
}

// Close ends its connections.
func (s *siteHTTP3) Close() error { return errors.Join(s.server.Close(), s.socket.Close()) }

// serveHTTP3 serves handler over HTTP/3 on a free UDP port of loopback.
func (s *Sites) serveHTTP3(handler http.Handler, config *tls.Config) (addr string, err error) {
	socket, err := ListenUDP()
	if err != nil {
		return "", err
	}
	served := &siteHTTP3{&http3.Server{
		Handler: handler, TLSConfig: http3.ConfigureTLSConfig(config),
		QUICConfig: &quic.Config{}, // without early data: the relay sends none
	}, socket}
	s.http3 = append(s.http3, served)
	go served.server.Serve(socket)
	return socket.LocalAddr().String(), nil
}

// ListenUDP opens a UDP socket on a free port of 127.0.0.1 for quic-go, which sends and
// receives one datagram a call with it. With all that a *net.UDPConn can do, quic-go looks at the
// size of its buffers, and complains on standard error where the system gives small ones.
func ListenUDP() (net.PacketConn, error) {
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	return plainSocket{socket, socket}, nil
}

type plainSocket struct {
	net.PacketConn
	buffers
}

type buffers interface {
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
}

// imageNumbers are the images of the page that shows requests side by side.
var imageNumbers = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}

// serveImage answers with an image of that page: N.svg.
func serveImage(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(strings.TrimSuffix(r.PathValue("file"), ".svg"))
	if err != nil || !slices.Contains(imageNumbers, n) {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><rect width="40" height="40" rx="5" fill="hsl(%d 55%% 45%%)"/><text x="20" y="26" font-family="sans-serif" font-size="17" text-anchor="middle" fill="#fff">%d</text></svg>`, 36*(n-1), n)
}
