// Command dtls records connections in DTLS 1.3 of github.com/pion/dtls/v4 with itself, each with
// its key log, as the tests of the project read them: go run . ../../capture/testdata/dtls13
package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pion/dtls/v4"
	"github.com/pion/dtls/v4/pkg/protocol"
)

// A scene is a connection: on it each side says 12 bytes, and the client closes.
type scene struct {
	client []dtls.ClientOption
	server []dtls.ServerOption
	lose   func(fromClient bool, n int) bool // the n-th datagram of a side, from 0, is lost on its way, behind the tap
	moves  bool                              // the client goes on from another address behind its first data
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: dtls FOLDER")
	}
	certificate, err := selfSigned("dtls.test")
	if err != nil {
		log.Fatal(err)
	}
	for name, s := range scenes(certificate) {
		if err := s.record(filepath.Join(os.Args[1], name)); err != nil {
			log.Fatal(name, ": ", err)
		}
	}
}

func scenes(certificate tls.Certificate) map[string]scene {
	id := func(n int) func() []byte {
		return func() []byte { b := make([]byte, n); _, _ = rand.Read(b); return b }
	}
	with := func(options ...dtls.Option) scene {
		s := scene{client: []dtls.ClientOption{dtls.WithInsecureSkipVerify(true), dtls.WithServerName("dtls.test")}}
		for _, o := range options {
			s.client = append(s.client, o)
		}
		for _, o := range append([]dtls.Option{dtls.WithCertificates(certificate)}, options...) {
			s.server = append(s.server, o)
		}
		return s
	}
	psk := scene{}
	key := dtls.PSK{Identity: []byte("one of two"), Key: bytes.Repeat([]byte{7}, 32), Hash: crypto.SHA256}
	both := dtls.WithPSK(func() ([]dtls.PSK, error) { return []dtls.PSK{key}, nil },
		func([][]byte) (*dtls.PSK, error) { return &key, nil })
	psk.client, psk.server = []dtls.ClientOption{both}, []dtls.ServerOption{both}
	mutual := with()
	mutual.client = append(mutual.client, dtls.WithCertificates(certificate))
	mutual.server = append(mutual.server, dtls.WithClientAuth(dtls.RequireAnyClientCert))
	lost := with(dtls.WithFlightInterval(200 * time.Millisecond))
	lost.lose = func(fromClient bool, n int) bool { return !fromClient && n == 2 || fromClient && n == 2 }
	moved := with(dtls.WithConnectionID(id(5), dtls.CIDPathMigrationUnsafe))
	moved.moves = true
	return map[string]scene{
		"plain":              with(),
		"client-certificate": mutual,
		"fragments":          with(dtls.WithMTU(300)),
		"lost":               lost,
		"connection-id":      with(dtls.WithConnectionID(id(5), dtls.CIDPathMigrationReject), dtls.WithPaddingLengthGenerator(func(uint) uint { return 9 })),
		"moved":              moved,
		"psk":                psk,
		"ech":                ech(certificate),
	}
}

// ech is a connection whose ClientHello carries an encrypted one (RFC 9849).
func ech(certificate tls.Certificate) scene {
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	config := echConfig(9, key.PublicKey().Bytes(), "cover.test")
	list := append(binary.BigEndian.AppendUint16(nil, uint16(len(config))), config...)
	s := scene{
		client: []dtls.ClientOption{dtls.WithInsecureSkipVerify(true), dtls.WithServerName("dtls.test"), dtls.WithECH(dtls.WithECHConfigList(list))},
		server: []dtls.ServerOption{dtls.WithCertificates(certificate), dtls.WithECH(dtls.WithECHKeys([]dtls.EncryptedClientHelloKey{{Config: config, PrivateKey: key.Bytes()}}))},
	}
	return s
}

// echConfig writes an ECHConfig (RFC 9849 4) for X25519, HKDF-SHA256 and AES-128-GCM.
func echConfig(id uint8, public []byte, name string) []byte {
	be := binary.BigEndian
	content := append([]byte{id, 0, 0x20}, be.AppendUint16(nil, uint16(len(public)))...)
	content = append(append(content, public...), 0, 4, 0, 1, 0, 1, 32, byte(len(name)))
	content = append(append(content, name...), 0, 0)
	return append(be.AppendUint16([]byte{0xfe, 0x0d}, uint16(len(content))), content...)
}

func selfSigned(name string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(100, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// record writes stem.pcap and stem.keys.
func (s scene) record(stem string) error {
	var keys bytes.Buffer
	versions := []dtls.Option{dtls.WithMinVersion(protocol.Version1_3), dtls.WithMaxVersion(protocol.Version1_3)}
	client, server := s.client, s.server
	for _, o := range versions {
		client, server = append(client, o), append(server, o)
	}
	client = append(client, dtls.WithKeyLogWriter(&keys))
	loopback := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	listener, err := dtls.ListenAddr("udp", loopback, server...)
	if err != nil {
		return err
	}
	defer listener.Close()
	tap, err := newTap(listener.Addr().(*net.UDPAddr), s.lose)
	if err != nil {
		return err
	}
	defer tap.close()
	served := make(chan error, 1)
	go func() { served <- serve(listener) }()
	c, err := dtls.Dial("udp", tap.front.LocalAddr().(*net.UDPAddr), client...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("client: %w", err)
	}
	answer := make([]byte, 64)
	if !s.moves {
		if _, err := c.Write([]byte("from client\n")); err != nil {
			return err
		}
		if _, err := c.Read(answer); err != nil {
			return err
		}
	} else {
		if _, err := c.Write([]byte("from ")); err != nil {
			return err
		}
		if _, err := c.Read(answer); err != nil {
			return err
		}
		if err := tap.move(); err != nil {
			return err
		}
		if _, err := c.Write([]byte("client\n")); err != nil {
			return err
		}
		if _, err := c.Read(answer); err != nil {
			return err
		}
	}
	time.Sleep(300 * time.Millisecond) // what still is to be acknowledged
	c.Close()
	if err := <-served; err != nil {
		return fmt.Errorf("server: %w", err)
	}
	time.Sleep(300 * time.Millisecond)
	if err := os.WriteFile(stem+".keys", keys.Bytes(), 0o600); err != nil {
		return err
	}
	return os.WriteFile(stem+".pcap", tap.file(), 0o600)
}

// serve answers what a client says, in two parts if it comes in two.
func serve(listener net.Listener) error {
	c, err := listener.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	rest := []byte("from server\n")
	for heard := 0; heard < 12; {
		b := make([]byte, 64)
		n, err := c.Read(b)
		if err != nil {
			return err
		}
		heard += n
		k := min(n, len(rest))
		if _, err := c.Write(rest[:k]); err != nil {
			return err
		}
		rest = rest[k:]
	}
	_, _ = c.Read(make([]byte, 64)) // its close_notify
	return nil
}

// A tap passes datagrams on between a client and a server, and records them as they came.
type tap struct {
	mu      sync.Mutex
	front   *net.UDPConn // to the client
	back    *net.UDPConn // to the server
	server  *net.UDPAddr
	client  *net.UDPAddr
	lose    func(bool, int) bool
	counts  [2]int
	moved   int
	packets bytes.Buffer
}

func newTap(server *net.UDPAddr, lose func(bool, int) bool) (*tap, error) {
	t := &tap{server: server, lose: lose}
	var err error
	if t.front, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		return nil, err
	}
	if t.back, err = net.DialUDP("udp", nil, server); err != nil {
		return nil, err
	}
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := t.front.ReadFromUDP(b)
			if err != nil {
				return
			}
			t.mu.Lock()
			t.client = from
			back, pass := t.back, t.take(true, b[:n])
			t.mu.Unlock()
			if pass {
				_, _ = back.Write(b[:n])
			}
		}
	}()
	go t.answers(t.back)
	return t, nil
}

func (t *tap) answers(back *net.UDPConn) {
	b := make([]byte, 1<<16)
	for {
		n, err := back.Read(b)
		if err != nil {
			return
		}
		t.mu.Lock()
		to, pass := t.client, t.take(false, b[:n])
		t.mu.Unlock()
		if pass {
			_, _ = t.front.WriteToUDP(b[:n], to)
		}
	}
}

// move sends what the client says from now on from another port.
func (t *tap) move() error {
	back, err := net.DialUDP("udp", nil, t.server)
	if err != nil {
		return err
	}
	t.mu.Lock()
	t.back, t.moved = back, t.moved+1
	t.mu.Unlock()
	go t.answers(back)
	return nil
}

func (t *tap) close() { t.front.Close(); t.back.Close() }

// take records a datagram and says whether it goes on.
func (t *tap) take(fromClient bool, data []byte) bool {
	from, to := netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:%d", 1+t.moved, 40000+t.moved)), netip.MustParseAddrPort("198.51.100.7:4433")
	side := 0
	if !fromClient {
		from, to, side = to, from, 1
	}
	be, le := binary.BigEndian, binary.LittleEndian
	ip := make([]byte, 28, 28+len(data))
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	be.PutUint16(ip[2:], uint16(28+len(data)))
	a, b := from.Addr().As4(), to.Addr().As4()
	copy(ip[12:], a[:])
	copy(ip[16:], b[:])
	be.PutUint16(ip[20:], from.Port())
	be.PutUint16(ip[22:], to.Port())
	be.PutUint16(ip[24:], uint16(8+len(data)))
	ip = append(ip, data...)
	now := time.Now().UnixNano()
	head := le.AppendUint32(nil, uint32(now/1e9))
	head = le.AppendUint32(head, uint32(now%1e9))
	head = le.AppendUint32(head, uint32(len(ip)))
	head = le.AppendUint32(head, uint32(len(ip)))
	t.packets.Write(append(head, ip...))
	n := t.counts[side]
	t.counts[side]++
	return t.lose == nil || !t.lose(fromClient, n)
}

// file is a classic capture, in nanoseconds, of raw IP.
func (t *tap) file() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b23c4d)
	b = le.AppendUint32(b, 4<<16|2)
	b = append(b, make([]byte, 8)...)
	b = le.AppendUint32(le.AppendUint32(b, 1<<18), 101)
	return append(b, t.packets.Bytes()...)
}
