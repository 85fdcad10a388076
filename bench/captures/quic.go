package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// recordQUIC makes the capture over HTTP/3: a file of pcap, and the key log beside it. All
// requests are on one connection.
func recordQUIC(name string, total int64, requests int) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	log, err := os.Create(name + ".keys")
	if err != nil {
		return err
	}
	defer log.Close()
	certificate, roots, err := certificate()
	if err != nil {
		return err
	}
	socket, err := net.ListenUDP("udp4", loopback)
	if err != nil {
		return err
	}
	server := &http3.Server{Handler: http.HandlerFunc(body), TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{certificate}})}
	go server.Serve(socket)
	defer server.Close()
	p, err := pass(bufio.NewWriterSize(f, 1<<20), socket.LocalAddr().(*net.UDPAddr))
	if err != nil {
		return err
	}
	transport := &http3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: host, KeyLogWriter: log},
		Dial: func(ctx context.Context, _ string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
			own, err := net.ListenUDP("udp4", loopback)
			if err != nil {
				return nil, err
			}
			return quic.Dial(ctx, own, p.front.LocalAddr(), t, q)
		},
	}
	for range requests {
		size := total / int64(requests)
		resp, err := (&http.Client{Transport: transport}).Get(fmt.Sprintf("https://%s/%d", host, size))
		if err != nil {
			return err
		}
		n, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil || n != size {
			return fmt.Errorf("a body of %d bytes, want %d: %v", n, size, err)
		}
	}
	transport.Close()
	return p.end()
}

var loopback = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}

// A passage passes datagrams on between a client and a server, and writes each to a capture.
type passage struct {
	front, back *net.UDPConn

	mu     sync.Mutex
	client *net.UDPAddr
	w      *bufio.Writer
}

func pass(w *bufio.Writer, server *net.UDPAddr) (*passage, error) {
	p := &passage{w: w}
	var err error
	if p.front, err = net.ListenUDP("udp4", loopback); err != nil {
		return nil, err
	}
	if p.back, err = net.DialUDP("udp4", nil, server); err != nil {
		return nil, err
	}
	for _, c := range []*net.UDPConn{p.front, p.back} {
		if err := c.SetReadBuffer(4 << 20); err != nil {
			return nil, err
		}
	}
	var head [24]byte // of the file: version 2.4, nanoseconds, bare IP
	binary.LittleEndian.PutUint32(head[:], 0xa1b23c4d)
	binary.LittleEndian.PutUint16(head[4:], 2)
	binary.LittleEndian.PutUint16(head[6:], 4)
	binary.LittleEndian.PutUint32(head[16:], 1<<18)
	binary.LittleEndian.PutUint32(head[20:], 101)
	w.Write(head[:])
	go func() {
		for b := make([]byte, 1<<16); ; {
			n, from, err := p.front.ReadFromUDP(b)
			if err != nil {
				return
			}
			p.note(from, b[:n])
			p.back.Write(b[:n])
		}
	}()
	go func() {
		for b := make([]byte, 1<<16); ; {
			n, err := p.back.Read(b)
			if err != nil {
				return
			}
			p.front.WriteTo(b[:n], p.note(nil, b[:n]))
		}
	}()
	return p, nil
}

// note writes a datagram, from the client where it is given, and returns where the client is.
func (p *passage) note(from *net.UDPAddr, data []byte) *net.UDPAddr {
	p.mu.Lock()
	defer p.mu.Unlock()
	ports, sum := [2]uint16{443, 54321}, byte(1)
	if from != nil {
		p.client = from
		ports, sum = [2]uint16{54321, 443}, 0
	}
	var b [16 + 28]byte
	now := time.Now()
	binary.LittleEndian.PutUint32(b[0:], uint32(now.Unix()))
	binary.LittleEndian.PutUint32(b[4:], uint32(now.Nanosecond()))
	binary.LittleEndian.PutUint32(b[8:], uint32(28+len(data)))
	binary.LittleEndian.PutUint32(b[12:], uint32(28+len(data)))
	ip := b[16:]
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(ip[2:], uint16(28+len(data)))
	copy(ip[12:], []byte{192, 0, 2, 1 + sum, 192, 0, 2, 2 - sum})
	binary.BigEndian.PutUint16(ip[20:], ports[0])
	binary.BigEndian.PutUint16(ip[22:], ports[1])
	binary.BigEndian.PutUint16(ip[24:], uint16(8+len(data)))
	p.w.Write(b[:])
	p.w.Write(data)
	return p.client
}

// end ends the capture.
func (p *passage) end() error {
	p.front.Close()
	p.back.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.w.Flush()
}
