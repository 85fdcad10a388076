package proxy

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"explainer/ca"
	"explainer/capture"
)

// An sServer is openssl s_server as an origin.
type sServer struct {
	addr  string
	stdin io.WriteCloser
	lines chan string // what it prints after it listens
}

// sServer makes openssl s_server the origin of host, with an RSA certificate of the rig's origins unless the arguments name another.
func (r *rig) sServer(host string, args ...string) *sServer {
	r.t.Helper()
	dir := r.t.TempDir()
	leaf, err := r.originCA.Leaf(r.t.Context(), ca.Spec{Names: []string{host}, Key: ca.RSA2048})
	if err != nil {
		r.t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	if err != nil {
		r.t.Fatal(err)
	}
	var b []byte
	for _, der := range leaf.Certificate {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	b = append(b, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	name := filepath.Join(dir, "origin.pem")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		r.t.Fatal(err)
	}
	if !strings.Contains(strings.Join(args, " "), "-cert ") {
		args = append([]string{"-cert", name, "-cert_chain", name}, args...)
	}
	cmd := exec.Command("openssl", append([]string{"s_server", "-accept", "127.0.0.1:0"}, args...)...)
	s := &sServer{lines: make(chan string, 1000)}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if s.stdin, err = cmd.StdinPipe(); err != nil {
		r.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatalf("this test needs openssl: %v", err)
	}
	var read sync.WaitGroup
	r.t.Cleanup(func() {
		cmd.Process.Kill()
		read.Wait()
		cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if addr, ok := strings.CutPrefix(lines.Text(), "ACCEPT "); ok {
			s.addr = addr
			break
		}
	}
	if s.addr == "" {
		r.t.Fatalf("openssl s_server %s: %s", args, errs.Bytes())
	}
	read.Go(func() {
		defer close(s.lines)
		for lines.Scan() {
			select {
			case s.lines <- lines.Text():
			default:
			}
		}
	})
	r.site(host, s.addr)
	return s
}

// said waits for a line that the server prints.
func (s *sServer) said(t *testing.T, part string) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-s.lines:
			if strings.Contains(line, part) {
				return
			}
			if !ok {
				t.Fatalf("the server ended before it said %q", part)
			}
		case <-late:
			t.Fatalf("the server does not say %q", part)
		}
	}
}

// originCAFile is the origins' CA for programs that want a file.
func (r *rig) originCAFile() string {
	name := filepath.Join(r.t.TempDir(), "origins.pem")
	if err := os.WriteFile(name, r.originCA.PEM(), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return name
}

// TestOriginsThatWantMore: what curl reaches without the proxy it reaches with it, where crypto/tls speaks what
// the origin wants. Where not, the page says what that is, as the origin's answer to curl's own
// hello shows; or the connection is passed on, as asked for.
func TestOriginsThatWantMore(t *testing.T) {
	for _, c := range []struct {
		server, client string
		chose          string // what the page says that the proxy cannot; "" if the proxy can
		alike          bool   // the choice does not show what it is
		direct         string // why curl fails without the proxy, too
	}{
		{server: "-tls1_2 -cipher AES128-GCM-SHA256"},
		{server: "-tls1_2 -cipher AES256-SHA"},
		{server: "-tls1_2 -cipher ECDHE-RSA-AES128-SHA256"},
		{server: "-tls1_2 -cipher AES128-SHA", client: "--tls-max 1.2 --ciphers AES128-SHA"},
		{server: "-tls1_2 -cipher DHE-RSA-AES128-GCM-SHA256", chose: "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256."},
		{server: "-tls1_2 -cipher ECDHE-RSA-AES256-SHA384", chose: "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384."},
		{server: "-tls1_2 -cipher AES128-CCM", client: "--ciphers ALL", chose: "TLS_RSA_WITH_AES_128_CCM."},
		{server: "-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256 -groups X448", chose: "x448."},
		{server: "-tls1_3 -groups X448", chose: "x448."},
		{server: "-tls1_3 -groups ffdhe2048", chose: "ffdhe2048."},
		{server: "-tls1_1 -cipher ALL@SECLEVEL=0", client: "--tlsv1.0 --ciphers ALL@SECLEVEL=0", chose: "TLS 1.1."},
		{server: "-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256 -sigalgs RSA+SHA224", client: "--ciphers ALL@SECLEVEL=0", chose: "rsa_pkcs1_sha224."},
		{server: "-tls1_3", client: "--tls-max 1.2", direct: "alert protocol version"},
		{server: "-tls1_2", client: "--tlsv1.3", direct: "alert protocol version"},
	} {
		t.Run(c.server+" "+c.client, func(t *testing.T) {
			t.Parallel()
			for _, tunnel := range []bool{false, true} {
				r := newRig(t, func(p *Proxy) { p.TunnelUnsupported = tunnel })
				s := r.sServer("shop.test", append(strings.Fields(c.server), "-www")...)
				curl := func(args ...string) (string, string, error) {
					return run(t, nil, "curl", append(append(strings.Fields(c.client), "-sS"), append(args, "https://shop.test/")...)...)
				}
				if _, errs, err := curl("--cacert", r.originCAFile(), "--connect-to", "shop.test:443:"+s.addr); (err == nil) != (c.direct == "") || !strings.Contains(errs, c.direct) {
					t.Fatalf("without the proxy: %v: %s", err, errs)
				}
				cacert := r.caFile()
				passed := tunnel && c.chose != ""
				if passed {
					cacert = r.originCAFile()
				}
				out, errs, err := curl("--cacert", cacert, "-x", "http://"+r.addr)
				if err != nil {
					t.Fatalf("tunnel %v: %v: %s\n%s", tunnel, err, errs, out)
				}
				items := r.items()
				answered, failed := facts(items, capture.FactReplayed), facts(items, capture.FactTLSFailed)
				switch {
				case c.direct != "":
					if !strings.Contains(out, "The origin refuses the proxy's hello") || len(failed) != 1 || failed[0].Outcome != "refused" || failed[0].Detail != "protocol_version" {
						t.Errorf("%s\n%+v", out, failed)
					}
					for _, f := range answered {
						if f.Outcome != "refused" || f.Done != "page" {
							t.Errorf("%+v", f)
						}
					}
				case c.chose == "":
					if !strings.Contains(out, "s_server") || len(answered)+len(failed) > 0 {
						t.Errorf("%s\n%+v", out, failed)
					}
				case passed:
					if !strings.Contains(out, "s_server") || len(answered) != 1 || answered[0].Done != "tunnelled" || answered[0].Addr+"." != c.chose {
						t.Errorf("%s\n%+v", out, answered)
					}
					// The client's bytes are the origin's, on the connection that the fact names.
					_, sent, _ := bytes.Cut(bytesOf(items, answered[0].Conn, capture.Client), []byte("\r\n\r\n"))
					_, got, _ := bytes.Cut(bytesOf(items, answered[0].Conn, capture.Server), []byte("\r\n\r\n"))
					if !bytes.Equal(sent, bytesOf(items, answered[0].Peer, capture.Client)) || !bytes.Equal(got, bytesOf(items, answered[0].Peer, capture.Server)) {
						t.Error("the legs differ")
					}
				default:
					if !strings.Contains(out, "chose what this proxy cannot: "+c.chose) || len(answered) != 1 || answered[0].Outcome != "answered" || answered[0].Done != "page" || len(failed) != 1 {
						t.Errorf("%s\n%+v\n%+v", out, answered, failed)
					}
				}
			}
		})
	}
}

// TestClientThatWantsMore: a client that offers nothing of what crypto/tls speaks is told so, or passed on.
func TestClientThatWantsMore(t *testing.T) {
	for _, tunnel := range []bool{false, true} {
		r := newRig(t, func(p *Proxy) { p.TunnelUnsupported = tunnel })
		r.sServer("shop.test", "-www", "-tls1_2")
		out, errs, err := run(t, nil, "curl", "-sS", "--tls-max", "1.2", "--ciphers", "DHE-RSA-AES128-GCM-SHA256", "--cacert", r.originCAFile(), "-x", "http://"+r.addr, "https://shop.test/")
		items := r.items()
		if tunnel {
			if err != nil || !strings.Contains(out, "s_server") || fact(t, items, capture.FactReplayed).Done != "tunnelled" {
				t.Errorf("%v: %s", err, errs)
			}
			continue
		}
		if f := fact(t, items, capture.FactRefused); err == nil || !strings.Contains(errs, "handshake failure") || f.Outcome != "unsupported" || strings.Join(f.Found, " ") == "" {
			t.Errorf("%v: %s: %+v", err, errs, f)
		}
	}
}

// TestOriginWantsCertificate: an origin that breaks off for want of a client certificate is
// answered by a page that says so, in TLS 1.2, where it does so within the handshake, and in TLS
// 1.3, where the client's request is under way already.
func TestOriginWantsCertificate(t *testing.T) {
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		for _, client := range []string{"--http1.1", "--http2"} {
			t.Run(version+" "+client, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, nil)
				r.sServer("shop.test", version, "-www", "-Verify", "1", "-alpn", "h2,http/1.1")
				out, errs, err := run(t, nil, "curl", "-sS", client, "-d", "a=b", "--cacert", r.caFile(), "-x", "http://"+r.addr, "https://shop.test/")
				if err != nil || !strings.Contains(out, "wants a certificate of the client") || !strings.Contains(out, "--client-cert") {
					t.Errorf("%v: %s\n%s", err, errs, out)
				}
				items := r.items()
				checkRecording(t, items)
				if f := fact(t, items, capture.FactTLSFailed); f.Outcome != "client-cert" {
					t.Errorf("%+v", f)
				}
				if f := fact(t, items, capture.FactOwnAnswer); f.Outcome != "error-page" || f.Detail != "tls-client-cert" {
					t.Errorf("%+v", f)
				}
			})
		}
	}
}

// TestRenegotiation: an origin may ask for another handshake, and what comes after it is opened, too.
func TestRenegotiation(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	s := r.sServer("shop.test", "-tls1_2")
	c, _ := r.dialTLS("shop.test")
	for _, word := range []string{"before", "again"} {
		io.WriteString(c, word+"\n")
		s.said(t, word)
		io.WriteString(s.stdin, "R\n")
		s.said(t, "SSL_do_handshake -> 1") // it has asked
		io.WriteString(c, "still here\n")
		s.said(t, "still here")
		io.WriteString(s.stdin, "answer to "+word+"\n")
		got := make([]byte, len("answer to "+word+"\n"))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "answer to "+word+"\n" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	c.Close()
	checkRecording(t, r.items())
	if out := r.tshark(`frame.interface_name contains "origin" and tls.handshake.type == 20`, "frame.number"); strings.Count(out, "\n") < 5 {
		t.Errorf("tshark opens Finished messages in the packets %q only", out)
	}
}

// turncoat is an origin in Erlang whose certificate is another in each handshake, and which asks for a second one when something has come.
const turncoat = `
[First, Second] = init:get_plain_arguments(), ssl:start(), T = ets:new(t, [public]), ets:insert(T, {n, 0}),
Shown = fun(F) -> [{certfile, F}, {keyfile, F}] end,
{ok, L} = ssl:listen(0, [{ip, {127,0,0,1}}, {versions, ['tlsv1.2']}, {active, false}, {mode, binary},
	{sni_fun, fun(_) -> Shown(case ets:update_counter(T, n, 1) of 1 -> First; _ -> Second end) end} | Shown(First)]),
{ok, {_, Port}} = ssl:sockname(L), io:format("127.0.0.1:~p~n", [Port]),
{ok, C} = ssl:transport_accept(L), {ok, S} = ssl:handshake(C),
{ok, Said} = ssl:recv(S, 0), io:format("got ~s~n", [Said]), ssl:renegotiate(S),
case ssl:recv(S, 0) of {ok, More} -> io:format("got ~s~n", [More]); {error, Why} -> io:format("ended ~p~n", [Why]) end, halt().
`

// TestRenegotiationWithOtherCertificate: an origin that shows another certificate in a second handshake is refused,
// and that it did so is recorded: the client was shown a certificate for the first alone.
func TestRenegotiationWithOtherCertificate(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	dir := t.TempDir()
	var files []string
	for _, name := range []string{"first.pem", "second.pem"} {
		leaf, err := r.originCA.Leaf(t.Context(), ca.Spec{Names: []string{"shop.test", name}, Key: ca.RSA2048})
		if err != nil {
			t.Fatal(err)
		}
		key, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		b := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	cmd := exec.CommandContext(t.Context(), "erl", append([]string{"-noshell", "-eval", turncoat, "-extra"}, files...)...)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("this test needs erl: %v", err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "127.0.0.1:") {
		t.Fatalf("erl: %s", lines.Text())
	}
	r.site("shop.test", lines.Text())
	c, _ := r.dialTLS("shop.test")
	io.WriteString(c, "before")
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if b, _ := io.ReadAll(c); len(b) > 0 {
		t.Errorf("the client got %q", b)
	}
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
	}
	if text := strings.Join(said, " "); !strings.HasPrefix(text, "got before ended ") {
		t.Errorf("the origin: %s", text)
	}
	items := r.items()
	checkRecording(t, items)
	told := 0
	for _, f := range facts(items, capture.FactClosed) {
		if strings.Contains(f.Detail, "identity changed during renegotiation") {
			told++
		}
	}
	if told != 2 {
		t.Errorf("it is recorded of %d connections: %+v", told, facts(items, capture.FactClosed))
	}
}
