package keys_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"explainer/capture/keys"
)

// openssl finds the program; where there is none its tests have nothing to compare with.
func openssl(t *testing.T) (path string, ok bool) {
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Log("no openssl on this computer")
	}
	return path, err == nil
}

// opensslConfig allows everything that is old and weak. options are those of SSL_CONF_cmd.
func opensslConfig(t *testing.T, options string) string {
	path := filepath.Join(t.TempDir(), "openssl.cnf")
	text := "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMinProtocol = TLSv1\nCipherString = ALL:COMPLEMENTOFALL:@SECLEVEL=0\n"
	if options != "" {
		text += "Options = " + options + "\n"
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// certificates makes a folder with a certificate rsa.pem, ec.pem or dsa.pem of each kind asked for, and its key.
func certificates(t *testing.T, program string, kinds ...string) string {
	dir := t.TempDir()
	run := func(args ...string) {
		if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	for _, kind := range kinds {
		path := filepath.Join(dir, kind+".pem")
		args := []string{"req", "-x509", "-nodes", "-batch", "-subj", "/CN=keys.test", "-keyout", path + ".key", "-out", path, "-newkey"}
		switch kind {
		case "rsa":
			run(append(args, "rsa:2048")...)
		case "ec":
			run(append(args, "ec", "-pkeyopt", "ec_paramgen_curve:P-256")...)
		case "dsa":
			run("dsaparam", "-out", path+".params", "1024")
			run(append(args, "dsa:"+path+".params")...)
		}
	}
	return dir
}

func privateRSA(t *testing.T, path string) *rsa.PrivateKey {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

// s_server and s_client talk through a relay. Each line is typed into s_client, after
// the answer to the one before: from the server that line reversed, or from s_client
// itself to a command, which is a single letter.
func opensslTalk(t *testing.T, program, config string, serverArgs, clientArgs []string, lines ...string) (*wire, string) {
	t.Helper()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	environment := append(os.Environ(), "OPENSSL_CONF="+config)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // nothing here takes a second
	defer cancel()
	s := exec.CommandContext(ctx, program, append([]string{"s_server", "-accept", "127.0.0.1:0", "-rev"}, serverArgs...)...)
	s.Env = environment
	var serverErr, clientSaid bytes.Buffer
	s.Stderr = &serverErr
	serverOut, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		s.Process.Kill()
		s.Wait()
	}()
	var address string
	for in := bufio.NewScanner(serverOut); address == ""; {
		if !in.Scan() {
			t.Fatalf("s_server ended: %s", serverErr.Bytes())
		}
		if after, ok := strings.CutPrefix(in.Text(), "ACCEPT "); ok {
			address = after
		}
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	w := &wire{}
	var relays sync.WaitGroup
	relays.Go(func() {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		up, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		defer up.Close()
		var back sync.WaitGroup
		back.Go(func() {
			w.relay(server, c, up)
			c.Close()
		})
		w.relay(client, up, c)
		up.Close()
		back.Wait()
	})

	c := exec.CommandContext(ctx, program, append([]string{"s_client", "-connect", listener.Addr().String(), "-keylogfile", path("log")}, clientArgs...)...)
	c.Env = environment
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, said := io.Pipe()
	c.Stdout, c.Stderr = said, said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		c.Wait()
		said.Close()
	}()
	answers := bufio.NewScanner(io.TeeReader(out, &clientSaid))
	for _, line := range lines {
		if _, err := in.Write([]byte(line + "\n")); err != nil {
			t.Errorf("s_client: %v", err)
		}
		answer := []byte(line)
		slices.Reverse(answer)
		if command, ok := map[string]string{"k": "KEYUPDATE", "K": "KEYUPDATE", "R": "RENEGOTIATING"}[line]; ok {
			answer = []byte(command)
		}
		for {
			if !answers.Scan() {
				s.Process.Kill()
				s.Wait()
				t.Fatalf("no answer to %q\ns_client %v: %s\ns_server %v: %s", line, clientArgs, clientSaid.Bytes(), serverArgs, serverErr.Bytes())
			}
			if bytes.HasSuffix(answers.Bytes(), answer) {
				break
			}
		}
	}
	in.Close()
	for answers.Scan() {
	}
	listener.Close()
	relays.Wait()
	log, err := os.ReadFile(path("log"))
	if err != nil {
		t.Fatal(err)
	}
	return w, string(log)
}

// The registry agrees with openssl on every suite that it has. Of those that can be
// opened, every key exchange and every protection of records is tried at least once.
func TestOpenSSLSuites(t *testing.T) {
	program, ok := openssl(t)
	if !ok {
		return
	}
	config, dir := opensslConfig(t, ""), certificates(t, program, "rsa", "ec", "dsa")
	list, err := exec.Command(program, "ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0").Output()
	if err != nil {
		t.Fatal(err)
	}
	tried := map[string]bool{}
	columns := regexp.MustCompile(`0x(..),0x(..) - (\S+) +- (\S+) +(\S+) +Kx=(\S+) +Au=(\S+) +Enc=(\S+) +Mac=(\S+)`)
	for line := range strings.Lines(string(list)) {
		m := columns.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("cannot read %q", line)
		}
		number, _ := strconv.ParseUint(m[1]+m[2], 16, 16)
		id, name, opensslName, exchange, auth, enc, mac := uint16(number), m[3], m[4], m[6], m[7], m[8], m[9]
		suite, ok := keys.SuiteByID(id)
		if !ok || suite.Name != name {
			t.Errorf("%#04x is %s, not %+v", id, name, suite)
			continue
		}
		compareSuite(t, suite, enc, mac)
		how, protection, _ := strings.Cut(name, "_WITH_")
		if !suite.Openable() || exchange == "SRP" || tried[how] && tried[protection] && !suite.TLS13 {
			continue
		}
		tried[how], tried[protection] = true, true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			certificate := map[string]string{"ECDSA": "ec", "DSS": "dsa"}[auth]
			if certificate == "" {
				certificate = "rsa"
			}
			certificate = filepath.Join(dir, certificate+".pem")
			serverArgs := []string{"-cert", certificate, "-key", certificate + ".key"}
			clientArgs := []string{"-tls1_2", "-cipher", opensslName + ":@SECLEVEL=0"}
			if suite.TLS13 {
				clientArgs = []string{"-tls1_3", "-ciphersuites", name}
				serverArgs = append(serverArgs, "-ciphersuites", name)
			}
			if strings.Contains(name, "PSK") {
				serverArgs = append(serverArgs, "-psk", "00112233445566778899aabbccddeeff", "-nocert")
				if strings.Contains(name, "RSA_PSK") {
					serverArgs = serverArgs[:len(serverArgs)-1]
				}
				clientArgs = append(clientArgs, "-psk", "00112233445566778899aabbccddeeff")
			}
			w, log := opensslTalk(t, program, config, serverArgs, clientArgs, "question")
			s := replay(t, w, log, privateRSA(t, filepath.Join(dir, "rsa.pem.key")))
			s.check([]byte("question\n"), []byte("noitseuq\n"), 2)
			if s.suiteID != id {
				t.Errorf("suite %#04x was negotiated", s.suiteID)
			}
			// openssl echoes encrypt-then-MAC for NULL suites too, where it changes no byte.
			if want := suite.Cipher.CBC() || suite.Cipher == keys.NULL; s.etm != want {
				t.Errorf("encrypt-then-MAC is %v", s.etm)
			}
			signed := suite.TLS13 || strings.Contains(name, "DHE_RSA") || strings.Contains(name, "DHE_ECDSA") || strings.Contains(name, "DHE_DSS")
			if signed != (s.signatures == 1) {
				t.Errorf("%d signatures proven", s.signatures)
			}
			if strings.HasPrefix(name, "TLS_RSA_WITH_") != (s.transports == 1) {
				t.Errorf("%d key transports proven", s.transports)
			}
		})
	}
}

// compareSuite compares with openssl's columns: "AESGCM(128)" and "AEAD", or "AES(256)" and "SHA1".
func compareSuite(t *testing.T, s *keys.Suite, enc, mac string) {
	t.Helper()
	family, bits, _ := strings.Cut(strings.TrimSuffix(enc, ")"), "(")
	family += map[keys.Cipher]string{keys.AESCBC: "-CBC", keys.CamelliaCBC: "-CBC"}[s.Cipher]
	want := map[string][]keys.Cipher{
		"AESGCM": {keys.AESGCM}, "AESCCM": {keys.AESCCM}, "AESCCM8": {keys.AESCCM8}, "CHACHA20/POLY1305": {keys.ChaCha20Poly1305},
		"AES-CBC": {keys.AESCBC}, "Camellia-CBC": {keys.CamelliaCBC}, "ARIAGCM": {keys.ARIAGCM}, "None": {keys.NULL},
		"3DES": {keys.TripleDESCBC}, "RC4": {keys.RC4},
	}[family]
	if !slices.Contains(want, s.Cipher) {
		t.Errorf("%s: cipher %v, openssl has %s", s.Name, s.Cipher, enc)
	}
	if n, err := strconv.Atoi(bits); err == nil && n != 8*s.KeyLen && s.Cipher != keys.TripleDESCBC {
		t.Errorf("%s: key of %d bytes, openssl has %s", s.Name, s.KeyLen, enc)
	}
	if length := map[string]int{"AEAD": 0, "MD5": 16, "SHA1": 20, "SHA256": 32, "SHA384": 48}[mac]; length != s.MACKeyLen || (mac == "AEAD") != s.Cipher.AEAD() {
		t.Errorf("%s: MAC key of %d bytes, openssl has %s", s.Name, s.MACKeyLen, mac)
	}
}

// What openssl does in older versions, with and without encrypt-then-MAC and the extended master secret.
func TestOpenSSLOptions(t *testing.T) {
	program, ok := openssl(t)
	if !ok {
		return
	}
	certificate := filepath.Join(certificates(t, program, "rsa"), "rsa.pem")
	for _, options := range []string{"", "-EncryptThenMac", "-ExtendedMasterSecret", "-EncryptThenMac,-ExtendedMasterSecret"} {
		config := opensslConfig(t, options)
		for _, version := range []string{"-tls1", "-tls1_1", "-tls1_2"} {
			for _, cipher := range []string{"AES128-SHA", "AES256-SHA", "NULL-MD5", "DHE-RSA-AES256-SHA"} {
				t.Run(strings.Join([]string{options, version, cipher}, " "), func(t *testing.T) {
					t.Parallel()
					w, log := opensslTalk(t, program, config, []string{"-cert", certificate, "-key", certificate + ".key"},
						[]string{version, "-cipher", cipher + ":@SECLEVEL=0"}, "question", "another")
					s := replay(t, w, log, privateRSA(t, certificate+".key"))
					s.check([]byte("question\nanother\n"), []byte("noitseuq\nrehtona\n"), 2)
					if want := !strings.Contains(options, "-EncryptThenMac"); s.etm != want {
						t.Errorf("encrypt-then-MAC is %v", s.etm)
					}
					if want := !strings.Contains(options, "-ExtendedMasterSecret"); s.ems != want {
						t.Errorf("extended master secret is %v", s.ems)
					}
				})
			}
		}
	}
}

// Keys that change in the middle of a connection.
func TestOpenSSLNewKeys(t *testing.T) {
	program, ok := openssl(t)
	if !ok {
		return
	}
	config := opensslConfig(t, "")
	certificate := filepath.Join(certificates(t, program, "rsa"), "rsa.pem")
	serverArgs := []string{"-cert", certificate, "-key", certificate + ".key", "-client_renegotiation"}
	t.Run("KeyUpdate", func(t *testing.T) {
		w, log := opensslTalk(t, program, config, serverArgs, []string{"-tls1_3"}, "one", "k", "two", "K", "three", "K", "four")
		s := replay(t, w, log, nil)
		s.check([]byte("one\ntwo\nthree\nfour\n"), []byte("eno\nowt\neerht\nruof\n"), 2)
		if s.updates != 5 {
			t.Errorf("%d KeyUpdates, not 3 of the client and 2 of the server", s.updates)
		}
	})
	t.Run("renegotiation", func(t *testing.T) {
		w, log := opensslTalk(t, program, config, serverArgs, []string{"-tls1_2"}, "one", "R", "two")
		s := replay(t, w, log, nil)
		s.check([]byte("one\ntwo\n"), []byte("eno\nowt\n"), 4)
		if s.signatures != 2 {
			t.Errorf("%d signatures proven, not 2", s.signatures)
		}
	})
}
