package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"explainer/annotate/event"
)

// TestRenegotiationLiveAndReplayed: what is told of a handshake within a connection is what the recording tells.
func TestRenegotiationLiveAndReplayed(t *testing.T) {
	t.Parallel()
	leaf, roots := certifiedFor(t, "shop.test")
	server := exec.Command("openssl", "s_server", "-accept", "127.0.0.1:0", "-tls1_2", "-cert", leaf, "-key", leaf)
	stdin, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatalf("this test needs openssl: %v", err)
	}
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })
	lines := bufio.NewScanner(stdout)
	until := func(part string) string {
		for lines.Scan() {
			if strings.Contains(lines.Text(), part) {
				return lines.Text()
			}
		}
		t.Fatalf("openssl does not say %q", part)
		return ""
	}
	addr := strings.TrimPrefix(until("ACCEPT "), "ACCEPT ")
	s := besiege(t, "--origin-ca", roots, "--map", "shop.test:443="+addr)
	c := tls.Client(s.tunnel("shop.test:443"), &tls.Config{ServerName: "shop.test", RootCAs: s.roots})
	io.WriteString(c, "before\n")
	until("before")
	io.WriteString(stdin, "R\n")
	until("SSL_do_handshake -> 1")
	io.WriteString(c, "after\n")
	until("after")
	c.Close()
	a := s.end()
	again := 0
	for _, e := range a.events {
		for _, says := range e.Says {
			if says.ID == "summary-renegotiated" {
				again++
			}
		}
	}
	if again == 0 {
		t.Error("nothing is told of the second handshake")
	}
}

// TestInterruptedBehind: who ends a proxy whose story lags is told how much of it is left; it is told then, or cut at the second signal.
func TestInterruptedBehind(t *testing.T) {
	t.Parallel()
	for _, twice := range []bool{false, true} {
		cmd := inHome(t, "proxy", "-p", "0", "--messages", "--map", "flood.test="+flood(t))
		r, w, err := os.Pipe() // which nobody reads, so that the story waits
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		cmd.Stdout = w
		s := startSiege(t, cmd)
		w.Close()
		for range 200 { // stories enough to fill the pipe
			s.exchange("GET http://explainer.test/ HTTP/1.0\r\nHost: explainer.test\r\n\r\n")
		}
		c := s.tunnel("flood.test:23")
		io.WriteString(c, "?")
		if _, err := io.CopyN(io.Discard, c, 4<<20); err != nil {
			t.Fatal(err)
		}
		c.Close()
		s.cmd.Process.Signal(syscall.SIGINT)
		if twice {
			// Whether the second comes before or after the first was heard, it must end.
			time.AfterFunc(500*time.Millisecond, func() { s.cmd.Process.Signal(syscall.SIGINT) })
		} else {
			io.Copy(io.Discard, r)
		}
		<-s.drained
		s.cmd.Wait()
		if said := s.said.String(); !strings.Contains(said, "MB of the story are still to tell; Ctrl-C again ends at once\n") {
			t.Errorf("twice %v: %s", twice, said)
		}
	}
}

// socksServer is a proxy of SOCKS 5 (RFC 1928) with a password (RFC 1929), for which every
// name leads to the address of its port. asked gets what it was asked for.
func socksServer(t *testing.T, at map[uint16]string, asked chan<- string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	serve := func(c net.Conn) {
		defer c.Close()
		read := func(n int) []byte {
			b := make([]byte, n)
			io.ReadFull(c, b)
			return b
		}
		if !slices.Contains(read(int(read(2)[1])), 2) {
			return
		}
		c.Write([]byte{5, 2})
		user := read(int(read(2)[1]))
		password := read(int(read(1)[0]))
		if string(user) != "user" || string(password) != "secret" {
			c.Write([]byte{1, 1})
			return
		}
		c.Write([]byte{1, 0})
		if kind := read(4)[3]; kind != 3 {
			return
		}
		host := read(int(read(1)[0]))
		port := binary.BigEndian.Uint16(read(2))
		asked <- fmt.Sprintf("%s:%d", host, port)
		o, err := net.Dial("tcp", at[port])
		if err != nil {
			c.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
			return
		}
		defer o.Close()
		c.Write([]byte{5, 0, 0, 1, 127, 0, 0, 1, 0, 1})
		go func() { io.Copy(o, c); o.(*net.TCPConn).CloseWrite() }()
		io.Copy(c, o)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return l.Addr().String()
}

// TestRunBehindSOCKS: what variables say of a SOCKS proxy holds, for tunnels and in clear, and a proxy that refuses is named.
func TestRunBehindSOCKS(t *testing.T) {
	t.Parallel()
	leaf, roots := certifiedFor(t, "shop.test")
	secure := secureServer(t, leaf, nil)
	plain := httptest.NewServer(secure.Config.Handler)
	t.Cleanup(plain.Close)
	asked := make(chan string, 10)
	addr := socksServer(t, map[uint16]string{443: secure.Listener.Addr().String(), 80: plain.Listener.Addr().String()}, asked)
	for _, flag := range []bool{false, true} {
		args, environ := []string{"run", "--origin-ca", roots}, []string{}
		if flag {
			args = append(args, "--upstream-proxy", "socks5://user:secret@"+addr)
		} else {
			environ = []string{"HTTPS_PROXY=socks5h://user:secret@" + addr, "http_proxy=socks5://user:secret@" + addr}
		}
		r := explainWith(t, environ, append(args, "--", "sh", "-c", "curl -sS https://shop.test/secure; curl -sS -H 'Origin: http://page.test' http://shop.test/plain")...)
		if r.stdout != "served shop.test/secure\nserved shop.test/plain\n" {
			t.Errorf("%q: %s", r.stdout, r.stderr)
		}
		if a, b := <-asked, <-asked; a != "shop.test:443" || b != "shop.test:80" {
			t.Errorf("the SOCKS proxy was asked for %s and %s", a, b)
		}
		if strings.Contains(r.stderr, "secret") || !flag && !strings.Contains(r.stderr, "HTTPS_PROXY, socks5h://"+addr+" and of http_proxy, socks5://"+addr) {
			t.Errorf("%s", r.stderr)
		}
		// The name was not looked up here, so nothing is known of where it led.
		for _, e := range r.events {
			for _, s := range e.Says {
				if strings.HasPrefix(s.ID, "http-page-asks") {
					t.Errorf("%s", s.Text)
				}
			}
		}
		opened := slices.ContainsFunc(r.events, func(e event.Event) bool {
			return e.Leg == "origin" && e.Topic == event.TopicRequest && strings.HasPrefix(e.HTTP.Target, "/secure")
		})
		if !opened {
			t.Error("the origin's leg behind the SOCKS proxy was not opened")
		}
	}
	r := explainWith(t, []string{"HTTPS_PROXY=socks5://user:wrong@" + addr}, "run", "--", "curl", "-sS", "-D-", "https://shop.test/")
	if !strings.Contains(r.stdout, "502") || !strings.Contains(r.stdout, "The upstream proxy did not help") || strings.Contains(r.stdout+r.stderr, "wrong@") {
		t.Errorf("%s %s", r.stdout, r.stderr)
	}
}

// flood is an origin that sends without end.
func flood(t *testing.T) string {
	return origin(t, func(c *net.TCPConn) {
		for block := bytes.Repeat([]byte("all work and no play "), 3000); ; {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	})
}
