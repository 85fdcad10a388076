package capture_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"explainer/capture"
	"explainer/capture/handshake"
)

// program is a running openssl whose output can be waited for.
type program struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser

	mu     sync.Mutex
	more   *sync.Cond
	out    bytes.Buffer
	seen   int
	exited bool
}

func openssl(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	p := &program{t: t, name: args[0], cmd: exec.CommandContext(ctx, "openssl", args...)}
	p.more = sync.NewCond(&p.mu)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("this test needs the openssl program: %v", err)
	}
	done := make(chan struct{})
	go func() {
		p.cmd.Wait()
		p.mu.Lock()
		p.exited = true
		p.mu.Unlock()
		p.more.Broadcast()
		close(done)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return p
}

func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.Write(b)
	p.more.Broadcast()
	return len(b), nil
}

// wait returns the next match in the output.
func (p *program) wait(pattern string) []string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		rest := p.out.Bytes()[p.seen:]
		if at := re.FindSubmatchIndex(rest); at != nil {
			var m []string
			for i := 0; i < len(at); i += 2 {
				m = append(m, string(rest[at[i]:at[i+1]]))
			}
			p.seen += at[1]
			return m
		}
		if p.exited {
			p.t.Fatalf("%s ended without %q: %s", p.name, pattern, p.out.Bytes())
		}
		p.more.Wait()
	}
}

func (p *program) say(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, s); err != nil {
		p.t.Fatal(err)
	}
}

func (p *program) exit() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.exited {
		p.more.Wait()
	}
}

// opensslPair is a server and what its clients need.
type opensslPair struct {
	t      *testing.T
	server *program
	addr   string
	dir    string
}

func opensslServer(t *testing.T, args ...string) *opensslPair {
	t.Helper()
	dir := t.TempDir()
	c := certificates().rsa
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "server.pem")
	data := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s := openssl(t, append([]string{"s_server", "-accept", "127.0.0.1:0", "-cert", file, "-key", file, "-cipher", "ALL:@SECLEVEL=0"}, args...)...)
	return &opensslPair{t: t, server: s, addr: s.wait(`ACCEPT (127\.0\.0\.1:\d+)`)[1], dir: dir}
}

// client runs s_client through a relay that records.
func (p *opensslPair) client(r *tape, talk func(client *program), args ...string) {
	p.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	defer l.Close()
	relayed := make(chan struct{})
	go func() {
		defer close(relayed)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		s, err := net.Dial("tcp", p.addr)
		if err != nil {
			p.t.Error(err)
			return
		}
		defer s.Close()
		var both sync.WaitGroup
		relay := func(to, from net.Conn, side capture.Side) {
			buf := make([]byte, 16<<10)
			for {
				n, err := from.Read(buf)
				if n > 0 {
					r.add(side, buf[:n])
					to.Write(buf[:n])
				}
				if err != nil {
					to.(*net.TCPConn).CloseWrite()
					return
				}
			}
		}
		both.Go(func() { relay(s, c, capture.Client) })
		both.Go(func() { relay(c, s, capture.Server) })
		both.Wait()
	}()
	log := filepath.Join(p.dir, "keys.log")
	os.Remove(log)
	c := openssl(p.t, append([]string{"s_client", "-connect", l.Addr().String(), "-keylogfile", log}, args...)...)
	talk(c)
	c.exit()
	<-relayed
	lines, err := os.ReadFile(log)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Write(lines)
}

// talk has client and server say a line each, with the client's commands between.
func (p *opensslPair) talk(commands ...string) func(*program) {
	return func(c *program) {
		line := func(n int) {
			c.say(fmt.Sprintf("%d from client\n", n))
			p.server.wait(fmt.Sprintf("%d from client", n))
			p.server.say(fmt.Sprintf("%d from server\n", n))
			c.wait(fmt.Sprintf("%d from server", n))
		}
		line(0)
		for i, command := range commands {
			c.say(command + "\n")
			c.wait(map[string]string{"R": "RENEGOTIATING", "K": "KEYUPDATE", "k": "KEYUPDATE"}[command])
			line(i + 1)
		}
		c.say("Q\n")
	}
}

func TestOpenSSL(t *testing.T) {
	for _, test := range []struct {
		name           string
		server, client []string
		commands       []string
		check          func(t *testing.T, all []capture.Message)
	}{
		{"DHE, encrypt then MAC", nil, []string{"-tls1_2", "-cipher", "DHE-RSA-AES128-SHA256:@SECLEVEL=0"}, nil, func(t *testing.T, all []capture.Message) {
			count(t, all, 1, func(m *handshake.ClientHello) bool { return m.HasEtM() && m.HasEMS() })
			count(t, all, 1, func(m *handshake.ServerHello) bool {
				return m.HasEtM() && m.HasEMS() && m.Version() == 0x0303 && m.CipherSuite == 0x0067
			})
		}},
		{"TLS 1.0", nil, []string{"-tls1", "-cipher", "AES256-SHA:@SECLEVEL=0"}, nil, nil},
		{"TLS 1.1", nil, []string{"-tls1_1", "-cipher", "AES256-SHA:@SECLEVEL=0"}, nil, nil},
		{"CCM", nil, []string{"-tls1_2", "-cipher", "AES128-CCM8:@SECLEVEL=0"}, nil, nil},
		{"no encryption", []string{"-cipher", "NULL:@SECLEVEL=0"}, []string{"-tls1_2", "-cipher", "NULL:@SECLEVEL=0"}, nil, nil},
		{"renegotiation", []string{"-client_renegotiation"}, []string{"-tls1_2"}, []string{"R", "R"}, func(t *testing.T, all []capture.Message) {
			count(t, all, 3, func(m *handshake.ClientHello) bool { return true })
			count(t, all, 6, func(m *handshake.Finished) bool { return true })
			count(t, all, 6, func(m *capture.ChangeCipherSpec) bool { return !m.Dummy })
		}},
		{"KeyUpdate", nil, []string{"-tls1_3"}, []string{"K", "k", "K"}, func(t *testing.T, all []capture.Message) {
			count(t, all, 5, func(m *handshake.KeyUpdate) bool { return true })
		}},
		{"small records", nil, []string{"-tls1_3", "-maxfraglen", "512"}, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var r tape
			p := opensslServer(t, test.server...)
			p.client(&r, p.talk(test.commands...), test.client...)
			all := decode(t, &capture.Decoder{}, r.inputs(0))
			allOpened(t, all)
			if test.check != nil {
				test.check(t, all)
			}
			properties(t, &r)
		})
	}
}

// session gets a session for resumption from a server.
func (p *opensslPair) session(args ...string) string {
	p.t.Helper()
	file := filepath.Join(p.dir, "session.pem")
	var r tape
	p.client(&r, p.talk(), append(args, "-sess_out", file)...)
	return file
}

func TestResumption(t *testing.T) {
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			p := opensslServer(t)
			session := p.session(version)
			var r tape
			p.client(&r, p.talk(), version, "-sess_in", session)
			all := decode(t, &capture.Decoder{}, r.inputs(0))
			allOpened(t, all)
			if _, psk := last[*handshake.ServerHello](all).SelectedPSK(); psk != (version == "-tls1_3") {
				t.Errorf("not resumed:\n%s", names(all))
			}
			count(t, all, 0, func(*handshake.Certificate) bool { return true })
			properties(t, &r)
		})
	}
}

func TestEarlyData(t *testing.T) {
	for _, test := range []struct {
		name   string
		second []string // another server for the second connection; nil: the same
		client []string
		want   func(t *testing.T, all []capture.Message)
	}{
		{"accepted", nil, nil, func(t *testing.T, all []capture.Message) {
			allOpened(t, all)
			count(t, all, 1, func(m *handshake.EndOfEarlyData) bool { return true })
			count(t, all, 1, func(m *capture.AppData) bool { return m.Early && m.Len == 11 })
		}},
		{"rejected", []string{}, nil, func(t *testing.T, all []capture.Message) {
			count(t, all, 0, func(m *handshake.EndOfEarlyData) bool { return true })
			count(t, all, 1, func(m *capture.AppData) bool { return m.Early && m.Len == 11 })
			count(t, all, 2, func(m *handshake.Finished) bool { return true })
		}},
		{"rejected by HelloRetryRequest", []string{"-groups", "P-384"}, []string{"-groups", "P-256:P-384"}, func(t *testing.T, all []capture.Message) {
			count(t, all, 1, func(m *capture.AppData) bool { return m.Early && m.Len == 11 })
			count(t, all, 2, func(m *handshake.ClientHello) bool { return true })
			count(t, all, 2, func(m *handshake.Finished) bool { return true })
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := opensslServer(t, "-early_data")
			session := p.session("-tls1_3")
			if test.second != nil {
				p = opensslServer(t, test.second...)
			}
			early := filepath.Join(p.dir, "early")
			if err := os.WriteFile(early, []byte("early bytes"), 0o600); err != nil {
				t.Fatal(err)
			}
			var r tape
			p.client(&r, func(c *program) {
				c.wait("Early data was (accepted|rejected)")
				p.talk()(c)
			}, append(test.client, "-tls1_3", "-sess_in", session, "-early_data", early)...)
			all := decode(t, &capture.Decoder{}, r.inputs(0))
			test.want(t, all)
			properties(t, &r)

			// As a key log of the server has it.
			for i := range r.secrets {
				if r.secrets[i].Label == "CLIENT_EARLY_TRAFFIC_SECRET" {
					r.secrets = append(r.secrets[:i:i], r.secrets[i+1:]...)
					break
				}
			}
			all = decode(t, &capture.Decoder{}, r.inputs(0))
			reason := capture.SealedEarly
			if test.second == nil {
				reason = capture.SealedNoKey
			}
			count(t, all, 1, func(m *capture.Sealed) bool { return m.Reason == reason })
			count(t, all, 2, func(m *handshake.Finished) bool { return true })
			properties(t, &r)
		})
	}
}

func TestPostHandshakeAuthentication(t *testing.T) {
	p := opensslServer(t, "-Verify", "1")
	file := filepath.Join(p.dir, "server.pem")
	var r tape
	p.client(&r, func(c *program) {
		c.say("one\n")
		p.server.wait("one")
		p.server.say("c\n")
		p.server.wait("SSL_do_handshake -> 1")
		c.say("two\n")
		p.server.wait("two")
		c.say("Q\n")
	}, "-tls1_3", "-enable_pha", "-cert", file, "-key", file)
	all := decode(t, &capture.Decoder{}, r.inputs(0))
	allOpened(t, all)
	count(t, all, 2, func(*handshake.CertificateRequest) bool { return true })
	properties(t, &r)
}
