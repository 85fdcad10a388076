package handshake

import (
	"bufio"
	"bytes"
	"encoding/pem"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"crypto/x509"
)

// The key exchanges that the standard library does not speak, between
// OpenSSL's s_client and s_server, with a relay between them that keeps the bytes.
// Without OpenSSL there is nothing to try.
func TestRecordedOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Logf("no openssl to try against: %v", err)
		return
	}
	dir := t.TempDir()
	certificate := newRSA(t)
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "server.pem")
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.WriteFile(file, both, 0o600); err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		cipher string
		want   KeyExchange
		signed bool
		psk    bool
	}{
		{"DHE-RSA-AES128-GCM-SHA256", KeyExchangeDHE, true, false},
		{"ADH-AES128-GCM-SHA256", KeyExchangeDHAnon, false, false},
		{"AECDH-AES128-SHA", KeyExchangeECDHAnon, false, false},
		{"PSK-AES128-GCM-SHA256", KeyExchangePSK, false, true},
		{"DHE-PSK-AES128-GCM-SHA256", KeyExchangeDHEPSK, false, true},
		{"ECDHE-PSK-AES128-CBC-SHA256", KeyExchangeECDHEPSK, false, true},
		{"RSA-PSK-AES128-GCM-SHA256", KeyExchangeRSAPSK, false, true},
	} {
		t.Run(c.cipher, func(t *testing.T) {
			serverArgs := []string{"s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-tls1_2", "-cert", file, "-cipher", c.cipher + ":@SECLEVEL=0", "-dhparam", dhParameters(t, dir)}
			clientArgs := []string{"s_client", "-tls1_2", "-cipher", c.cipher + ":@SECLEVEL=0"}
			if c.psk {
				serverArgs = append(serverArgs, "-psk", "00112233", "-psk_hint", "a hint")
				clientArgs = append(clientArgs, "-psk", "00112233", "-psk_identity", "a client")
			}
			toServer, toClient := relayOpenSSL(t, serverArgs, clientArgs)
			fromClient, fromServer := clearMessages(t, toServer), clearMessages(t, toClient)

			sh := mustParse[*ServerHello](t, fromServer, TypeServerHello, Context{})
			ctx := Context{Version: sh.Version(), KeyExchange: SuiteKeyExchange(sh.CipherSuite)}
			if ctx.KeyExchange != c.want || ctx.Version != 0x0303 {
				t.Fatalf("%s in %s", SuiteName(sh.CipherSuite), VersionName(ctx.Version))
			}
			ske := mustParse[*ServerKeyExchange](t, fromServer, TypeServerKeyExchange, ctx)
			if (ske.Signature != nil) != c.signed || (ske.SignatureScheme != 0) != c.signed {
				t.Errorf("signature %x", ske.Signature)
			}
			cke := mustParse[*ClientKeyExchange](t, fromClient, TypeClientKeyExchange, ctx)
			if c.psk && (string(ske.PSKHint) != "a hint" || string(cke.PSKIdentity) != "a client") {
				t.Errorf("hint %q, identity %q", ske.PSKHint, cke.PSKIdentity)
			}
			switch c.want {
			case KeyExchangeDHE, KeyExchangeDHAnon, KeyExchangeDHEPSK:
				if len(ske.P) != 256 || len(ske.G) != 1 || len(ske.Public) == 0 || len(cke.Public) == 0 {
					t.Errorf("%+v %+v", ske, cke)
				}
			case KeyExchangeECDHAnon, KeyExchangeECDHEPSK:
				if ske.Group == 0 || len(ske.Public) == 0 || len(cke.Public) != len(ske.Public) {
					t.Errorf("%+v %+v", ske, cke)
				}
			case KeyExchangeRSAPSK:
				if len(cke.EncryptedPreMaster) != 256 {
					t.Errorf("%+v", cke)
				}
			}
			for _, list := range [][]sentMessage{fromClient, fromServer} {
				for _, m := range list {
					if !checkParse(t, m.typ, m.body, ctx) {
						t.Errorf("%v is not read", m.typ)
					}
					for n := range m.body {
						checkParse(t, m.typ, m.body[:n], ctx)
					}
				}
			}
		})
	}
}

// dhParameters writes a group of RFC 7919 where s_server finds it.
func dhParameters(t *testing.T, dir string) string {
	t.Helper()
	file := filepath.Join(dir, "dh.pem")
	if _, err := os.Stat(file); err == nil {
		return file
	}
	out, err := exec.Command("openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048", "-out", file).CombinedOutput()
	if err != nil {
		t.Fatalf("openssl genpkey: %v\n%s", err, out)
	}
	return file
}

// relayOpenSSL runs one connection and returns what each side was sent.
func relayOpenSSL(t *testing.T, serverArgs, clientArgs []string) (toServer, toClient []byte) {
	t.Helper()
	server := exec.CommandContext(t.Context(), "openssl", serverArgs...)
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := server.StdinPipe() // s_server ends when its standard input does
	if err != nil {
		t.Fatal(err)
	}
	var complaints bytes.Buffer
	server.Stderr = &complaints
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		server.Wait()
	}()
	address := ""
	lines := bufio.NewScanner(out)
	for address == "" && lines.Scan() {
		address, _ = strings.CutPrefix(lines.Text(), "ACCEPT ")
		if address == lines.Text() {
			address = ""
		}
	}
	if address == "" {
		t.Fatalf("s_server does not listen: %s", complaints.String())
	}
	go io.Copy(io.Discard, out)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	relayed := make(chan [2]bytes.Buffer, 1)
	go func() {
		var sent [2]bytes.Buffer
		defer func() { relayed <- sent }()
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		s, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		defer s.Close()
		done := make(chan struct{})
		go func() {
			io.Copy(io.MultiWriter(s, &sent[0]), c)
			s.(*net.TCPConn).CloseWrite()
			close(done)
		}()
		io.Copy(io.MultiWriter(c, &sent[1]), s)
		c.Close()
		<-done
	}()
	client := exec.CommandContext(t.Context(), "openssl", append(clientArgs, "-connect", l.Addr().String())...)
	client.Stdin = strings.NewReader("Q\n")
	if out, err := client.CombinedOutput(); err != nil {
		t.Errorf("s_client: %v\n%s\n%s", err, out, complaints.String())
	}
	sent := <-relayed
	return sent[0].Bytes(), sent[1].Bytes()
}
