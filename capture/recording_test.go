package capture_test

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
)

// tape records the bytes of both sides in one order.
type tape struct {
	mu      sync.Mutex
	chunks  []capture.Chunk
	secrets []keys.Secret
	line    []byte
}

func (r *tape) add(side capture.Side, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.chunks) + 1
	r.chunks = append(r.chunks, capture.Chunk{Conn: 1, Side: side, Time: int64(n) * 1000, Packet: n, Data: bytes.Clone(data)})
}

// Write takes key log lines.
func (r *tape) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.line = append(r.line, p...)
	for {
		line, rest, ok := bytes.Cut(r.line, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		if s, ok := keys.ParseLine(line); ok {
			r.secrets = append(r.secrets, s)
		}
		r.line = rest
	}
}

// taped is one end of a connection whose writes are recorded before they are read.
type taped struct {
	net.Conn
	side capture.Side
	tape *tape
}

func (c taped) Write(p []byte) (int, error) {
	c.tape.add(c.side, p)
	return c.Conn.Write(p)
}

var certificates = sync.OnceValue(func() (c struct{ rsa, ecdsa tls.Certificate }) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "decoder.test"},
		DNSNames:     []string{"decoder.test"},
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	rk, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, rk.Public(), rk)
	if err != nil {
		panic(err)
	}
	c.rsa = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: rk}
	ek, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	if der, err = x509.CreateCertificate(rand.Reader, template, template, ek.Public(), ek); err != nil {
		panic(err)
	}
	c.ecdsa = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: ek}
	return c
})

// converse runs client and server over a recorded connection.
func (r *tape) converse(t testing.TB, cc, sc *tls.Config, talk func(client, server *tls.Conn) error) {
	t.Helper()
	a, b := loopback(t)
	cc, sc = cc.Clone(), sc.Clone()
	cc.KeyLogWriter = r
	cc.InsecureSkipVerify = true
	cc.ServerName = "decoder.test"
	if sc.Certificates == nil {
		sc.Certificates = []tls.Certificate{certificates().rsa}
	}
	client, server := tls.Client(taped{a, capture.Client, r}, cc), tls.Server(taped{b, capture.Server, r}, sc)
	if err := talk(client, server); err != nil {
		t.Fatal(err)
	}
}

// loopback is a TCP connection. Both ends of one may write at the same time,
// which net.Pipe's may not.
func loopback(t testing.TB) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		server.Close()
	})
	return client, server
}

// exchange is the usual talk: requests and responses of HTTP/1.1.
func exchange(bodies ...string) func(client, server *tls.Conn) error {
	return func(client, server *tls.Conn) error {
		failed := make(chan error, 1)
		go func() {
			failed <- func() error {
				for _, body := range bodies {
					if _, err := readUntil(server, "\r\n\r\n"); err != nil {
						return err
					}
					fmt.Fprintf(server, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
				}
				io.Copy(io.Discard, server)
				return server.Close()
			}()
		}()
		for i, body := range bodies {
			fmt.Fprintf(client, "GET /%d HTTP/1.1\r\nHost: decoder.test\r\n\r\n", i)
			if _, err := readUntil(client, body); err != nil {
				return err
			}
		}
		client.CloseWrite()
		return <-failed
	}
}

func readUntil(r io.Reader, end string) (string, error) {
	var got []byte
	buf := make([]byte, 32<<10)
	for !strings.HasSuffix(string(got), end) {
		n, err := r.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			return "", fmt.Errorf("after %d bytes: %w", len(got), err)
		}
	}
	return string(got), nil
}

// inputs are a connection from its beginning to its end, with the secrets where
// place says: in front of chunk number place, or at the end.
func (r *tape) inputs(place int) []capture.Input {
	in := []capture.Input{&capture.Open{Conn: 1, Packet: 0, SYN: true}}
	for i := range r.chunks {
		if i == place {
			in = append(in, r.keyLines()...)
		}
		in = append(in, &r.chunks[i])
	}
	n := len(r.chunks) + 1
	in = append(in, &capture.Close{Conn: 1, Side: capture.Client, Packet: n}, &capture.Close{Conn: 1, Side: capture.Server, Packet: n + 1})
	if place >= len(r.chunks) {
		in = append(in, r.keyLines()...)
	}
	return in
}

func (r *tape) keyLines() (in []capture.Input) {
	for i := range r.secrets {
		in = append(in, &r.secrets[i])
	}
	return in
}

// rechunk cuts every chunk into pieces of n bytes at most.
func rechunk(in []capture.Input, n int) (out []capture.Input) {
	for _, i := range in {
		c, ok := i.(*capture.Chunk)
		if !ok {
			out = append(out, i)
			continue
		}
		for data := c.Data; len(data) > 0; {
			part := *c
			part.Data = data[:min(n, len(data))]
			data = data[len(part.Data):]
			out = append(out, &part)
		}
	}
	return out
}

// decode feeds the inputs and checks what holds for every stream of messages.
func decode(t testing.TB, d *capture.Decoder, in []capture.Input) []capture.Message {
	t.Helper()
	var all []capture.Message
	for _, i := range in {
		var scratch []byte
		if c, ok := i.(*capture.Chunk); ok { // a decoder must not keep the data
			scratch = bytes.Clone(c.Data)
			own := *c
			own.Data = scratch
			i = &own
		}
		all = append(all, d.Feed(i)...)
		for i := range scratch {
			scratch[i] = 0xEE
		}
	}
	all = append(all, d.Finish()...)
	tiles(t, in, all)
	return all
}

// tiles checks that each side's messages cover its stream without gap or overlap,
// and that their packets and time are those of their first and last bytes.
func tiles(t testing.TB, in []capture.Input, all []capture.Message) {
	t.Helper()
	type carried struct {
		at     int64
		packet int
		time   int64
	}
	packets := map[direction][]carried{}
	want, at := map[direction]int64{}, map[direction]int64{}
	for _, i := range in {
		switch i := i.(type) {
		case *capture.Chunk:
			d := direction{i.Conn, i.Side}
			packets[d] = append(packets[d], carried{want[d], i.Packet, i.Time})
			want[d] += int64(len(i.Data))
		case *capture.Gap:
			d := direction{i.Conn, i.Side}
			packets[d] = append(packets[d], carried{want[d], i.Packet, i.Time})
			want[d] += i.Len
		}
	}
	carrier := func(d direction, at int64) (c carried) {
		for _, p := range packets[d] {
			if p.at <= at {
				c = p
			}
		}
		return c
	}
	for _, m := range all {
		if m.Conn == nil {
			continue
		}
		switch m.Body.(type) {
		case *capture.Opened, *capture.Ended, *capture.Keyed: // of the connection, not of one of its sides
			continue
		case *capture.Late: // of bytes that came to no stream
			continue
		}
		d := direction{m.Conn.Number, m.Side}
		if m.Span.Start < m.Span.End {
			first, last := carrier(d, m.Span.Start), carrier(d, m.Span.End-1)
			// What package web says may be completed by another packet than its last byte's.
			fromWeb := strings.HasPrefix(fmt.Sprintf("%T", m.Body), "*web.")
			if m.First != first.packet || m.Last != last.packet || cmp.Or(m.Until, m.Time) != last.time && !fromWeb {
				t.Errorf("%v: carried by packets %d to %d at %d, not %s", d, first.packet, last.packet, last.time, show(m))
			}
		}
		if m.Inner {
			continue
		}
		if m.Span.Start != at[d] || m.Span.End < m.Span.Start {
			t.Errorf("%v: %d is next, not %s", d, at[d], show(m))
		}
		at[d] = m.Span.End
	}
	for d, n := range want {
		if at[d] != n {
			t.Errorf("%v: messages end at %d of %d", d, at[d], n)
		}
	}
}

// last returns the last body of a type.
func last[T any](all []capture.Message) (found T) {
	for _, m := range all {
		if b, ok := m.Body.(T); ok {
			found = b
		}
	}
	return found
}

// inTLS tells whether something was read as TLS.
func inTLS(all []capture.Message) bool {
	return slices.ContainsFunc(all, func(m capture.Message) bool {
		switch m.Body.(type) {
		case handshake.Message, *capture.ChangeCipherSpec, *capture.Alert, *capture.AppData, *capture.Sealed:
			return true
		}
		return false
	})
}

// direction is one side of one connection.
type direction struct {
	conn int
	side capture.Side
}

// sides splits messages by direction and leaves the connection's address out, so
// that two runs can be compared.
func sides(all []capture.Message) map[direction][]capture.Message {
	s := make(map[direction][]capture.Message)
	for _, m := range all {
		switch m.Body.(type) {
		case *capture.Keyed, *capture.KeyLine: // they come when the lines come
			continue
		}
		var d direction
		if m.Conn != nil {
			d = direction{m.Conn.Number, m.Side}
			m.Conn = nil
		}
		if m.By == "RSA" {
			m.By = "CLIENT_RANDOM" // where both are known, the first to come opened it
		}
		s[d] = append(s[d], m)
	}
	return s
}

// same compares the messages of two runs, side by side.
func same(t testing.TB, what string, want, got []capture.Message) {
	t.Helper()
	w, g := sides(want), sides(got)
	for d := range g {
		if w[d] == nil {
			t.Fatalf("%s: %v: %d messages where none should be", what, d, len(g[d]))
		}
	}
	for d := range w {
		for i := range max(len(w[d]), len(g[d])) {
			switch {
			case i >= len(w[d]):
				t.Fatalf("%s: %v: one more message: %s", what, d, show(g[d][i]))
			case i >= len(g[d]):
				t.Fatalf("%s: %v: no %s", what, d, show(w[d][i]))
			case !reflect.DeepEqual(w[d][i], g[d][i]):
				t.Fatalf("%s: %v: message %d\n want %s\n got  %s", what, d, i, show(w[d][i]), show(g[d][i]))
			}
		}
	}
}

func show(m capture.Message) string {
	return fmt.Sprintf("%T%+v %v packets %d-%d time %d inner %v opened %v %s", m.Body, m.Body, m.Span, m.First, m.Last, m.Time, m.Inner, m.Opened, m.By)
}

// names lists messages in short: side, type, + if opened.
func names(all []capture.Message) string {
	var b strings.Builder
	for _, m := range all {
		if _, ok := m.Body.(*capture.Opened); ok {
			continue
		}
		name := fmt.Sprintf("%T", m.Body)
		name = name[strings.LastIndexByte(name, '.')+1:]
		switch x := m.Body.(type) {
		case *capture.Sealed:
			name += fmt.Sprintf("(%d %s)", x.Records, x.Reason)
		case *capture.Malformed:
			name += fmt.Sprintf("(%s: %s)", x.Where, x.Err)
		case *capture.Opaque:
			name += fmt.Sprintf("(%d %s)", x.Len, x.Why)
		}
		if m.Opened && !m.Inner {
			name += "+"
		}
		if m.Inner {
			name = "[" + name + "]"
		}
		fmt.Fprintf(&b, "%c %s\n", m.Side.String()[0], name)
	}
	return b.String()
}
