package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A relay stands between clients and a server and writes down what passes.
type relay struct {
	listener net.Listener
	port     string // that it listens on
	server   string // address of the server
	public   uint16 // the server's port in the capture
	prelude  []line

	mu      sync.Mutex
	conns   []*connection
	last    time.Time // something passed
	touched time.Time
	wait    sync.WaitGroup
}

// A connection is what passed on one TCP connection, in order.
type connection struct {
	number int
	port   uint16 // the server's, in the capture
	start  time.Time
	pieces []piece
}

// A piece is what one read gave, or the end of one direction.
type piece struct {
	server bool // who sent it
	time   time.Time
	data   []byte
	fin    bool
	reset  bool
}

// A line is part of a conversation in clear that the relay has with the client
// in the server's name before the two begin TLS.
type line struct {
	send string
	hear string // how what the client says next ends
	n    int    // instead of hear: so many bytes
}

func newRelay(server string, public uint16, prelude []line) (*relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil, err
	}
	r := &relay{listener: l, port: port, server: server, public: public, prelude: prelude}
	r.wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			conn := &connection{number: len(r.conns) + 1, port: public, start: time.Now()}
			r.conns = append(r.conns, conn)
			r.mu.Unlock()
			r.wait.Go(func() { r.serve(conn, c.(*net.TCPConn)) })
		}
	})
	return r, nil
}

// close ends the relay and returns what passed.
func (r *relay) close() []*connection {
	r.listener.Close()
	r.wait.Wait()
	return r.conns
}

func (r *relay) add(c *connection, p piece) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.time = time.Now()
	r.last = p.time
	c.pieces = append(c.pieces, p)
}

// touch says that something is about to happen.
func (r *relay) touch() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.touched = time.Now()
}

// waitQuiet returns once nothing has passed for d, and something has since the
// touch; or nothing does at all.
func (r *relay) waitQuiet(d time.Duration) {
	for {
		r.mu.Lock()
		left := d - time.Since(r.last)
		if r.last.Before(r.touched) {
			left = idle - time.Since(r.touched)
		}
		r.mu.Unlock()
		if left <= 0 {
			return
		}
		time.Sleep(min(left, quiet))
	}
}

func (r *relay) serve(conn *connection, client *net.TCPConn) {
	defer client.Close()
	if err := r.converse(conn, client); err != nil {
		fmt.Println("before TLS:", err)
		return
	}
	server, err := r.dial()
	if err != nil {
		fmt.Println("server:", err)
		return
	}
	defer server.Close()
	var both sync.WaitGroup
	both.Go(func() { r.pass(conn, client, server, false) })
	both.Go(func() { r.pass(conn, server, client, true) })
	both.Wait()
}

// dial waits for the server, which may still be starting.
func (r *relay) dial() (*net.TCPConn, error) {
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", r.server)
		if err == nil {
			return c.(*net.TCPConn), nil
		}
		if time.Now().After(end) {
			return nil, err
		}
	}
}

// converse holds the conversation in clear.
func (r *relay) converse(conn *connection, client *net.TCPConn) error {
	for _, l := range r.prelude {
		if l.send != "" {
			r.add(conn, piece{server: true, data: []byte(l.send)})
			if _, err := io.WriteString(client, l.send); err != nil {
				return err
			}
		}
		var heard []byte
		for one := make([]byte, 1); len(heard) < l.n || l.hear != "" && !strings.HasSuffix(string(heard), l.hear); {
			if _, err := io.ReadFull(client, one); err != nil {
				return fmt.Errorf("heard %q: %w", heard, err)
			}
			heard = append(heard, one...)
		}
		if len(heard) > 0 {
			r.add(conn, piece{data: heard})
		}
	}
	return nil
}

// pass passes on what one side sends until it ends.
func (r *relay) pass(conn *connection, from, to *net.TCPConn, server bool) {
	for {
		b := make([]byte, 16<<10)
		n, err := from.Read(b)
		if n > 0 {
			r.add(conn, piece{server: server, data: b[:n]})
			to.Write(b[:n])
		}
		switch {
		case errors.Is(err, syscall.ECONNRESET):
			r.add(conn, piece{server: server, reset: true})
			to.SetLinger(0)
			to.Close()
			return
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			r.add(conn, piece{server: server, fin: true})
			to.CloseWrite()
			return
		}
	}
}
