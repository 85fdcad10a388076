package ca

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The variables that make the test binary one of the processes of a test.
const (
	loadOnce    = "CA_TEST_LOAD_ONCE"    // load this folder when standard input ends
	loadForever = "CA_TEST_LOAD_FOREVER" // load one folder after another below this one
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(loadOnce); dir != "" {
		io.Copy(io.Discard, os.Stdin)
		childLoad(dir)
		os.Exit(0)
	}
	if base := os.Getenv(loadForever); base != "" {
		for i := 0; ; i++ {
			childLoad(filepath.Join(base, fmt.Sprint(i)))
		}
	}
	os.Exit(m.Run())
}

func childLoad(dir string) {
	a, err := Load(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%x\n", a.Fingerprint())
}

func child(t *testing.T, variable, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), variable+"="+dir)
	return cmd
}

func TestLoadAgain(t *testing.T) {
	dir := newDir(t)
	a, b := load(t, dir), load(t, dir)
	if a.Fingerprint() != b.Fingerprint() {
		t.Error("loaded again, it is another CA")
	}
	if !a.key.(*ecdsa.PrivateKey).Equal(b.key) {
		t.Error("loaded again, it has another key")
	}
	wantFiles(t, dir, CertFile, KeyFile)
	wantMode(t, dir, 0o700)
	wantMode(t, filepath.Join(dir, CertFile), 0o644)
	wantMode(t, filepath.Join(dir, KeyFile), 0o600)

	// Other programs read the key file as PKCS #8.
	block, _ := pem.Decode(read(t, filepath.Join(dir, KeyFile)))
	if block == nil || block.Type != "PRIVATE KEY" {
		t.Fatalf("the key file begins with %v", block)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil || !a.key.(*ecdsa.PrivateKey).Equal(key) {
		t.Errorf("the key file holds another key: %v", err)
	}
	if !bytes.Equal(read(t, filepath.Join(dir, CertFile)), a.PEM()) {
		t.Error("ca.pem is not the certificate")
	}
	if bytes.Contains(read(t, filepath.Join(dir, CertFile)), []byte("PRIVATE")) {
		t.Error("ca.pem has a private key in it")
	}
}

func TestLoadAtOnceGoroutines(t *testing.T) {
	dir := newDir(t)
	var wg sync.WaitGroup
	prints := make([][32]byte, 32)
	for i := range prints {
		wg.Go(func() {
			a, err := Load(dir)
			if err != nil {
				t.Error(err)
				return
			}
			prints[i] = a.Fingerprint()
		})
	}
	wg.Wait()
	want := load(t, dir).Fingerprint()
	for _, p := range prints {
		if p != want {
			t.Fatal("two CAs were made")
		}
	}
	wantFiles(t, dir, CertFile, KeyFile)
}

func TestLoadAtOnceProcesses(t *testing.T) {
	for range 3 {
		dir := newDir(t)
		const n = 12
		hold, release, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		outs := make([]bytes.Buffer, n)
		errs := make([]bytes.Buffer, n)
		cmds := make([]*exec.Cmd, n)
		for i := range cmds {
			cmds[i] = child(t, loadOnce, dir)
			cmds[i].Stdin, cmds[i].Stdout, cmds[i].Stderr = hold, &outs[i], &errs[i]
			if err := cmds[i].Start(); err != nil {
				t.Fatal(err)
			}
		}
		hold.Close()
		release.Close()
		for i, cmd := range cmds {
			if err := cmd.Wait(); err != nil {
				t.Errorf("process %d: %v: %s", i, err, &errs[i])
			}
		}
		want := fmt.Sprintf("%x\n", load(t, dir).Fingerprint())
		for i := range outs {
			if got := outs[i].String(); got != want {
				t.Errorf("process %d has the CA %q, want %q", i, got, want)
			}
		}
		wantFiles(t, dir, CertFile, KeyFile)
	}
}

// A process that is killed at any moment leaves a CA or none, never a broken
// one, and never one that differs from what it has told.
func TestLoadKilled(t *testing.T) {
	for round := range 8 {
		base := t.TempDir()
		cmd := child(t, loadForever, base)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		told := bufio.NewScanner(out)
		var prints []string
		for told.Scan() {
			if prints = append(prints, told.Text()); len(prints) == 1+round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // killed
		dirs, err := os.ReadDir(base)
		if err != nil {
			t.Fatal(err)
		}
		if len(prints) <= round || len(dirs) < len(prints) {
			t.Fatalf("the child told of %d CAs and left %d folders", len(prints), len(dirs))
		}
		for i := range dirs {
			a, err := Load(filepath.Join(base, fmt.Sprint(i)))
			if err != nil {
				t.Error(err)
				continue
			}
			if got := fmt.Sprintf("%x", a.Fingerprint()); i < len(prints) && got != prints[i] {
				t.Errorf("CA %d is %s, was %s", i, got, prints[i])
			}
		}
	}
}

func TestHalfWritten(t *testing.T) {
	dir := newDir(t)
	want := load(t, dir).Fingerprint()
	for _, name := range []string{KeyFile, CertFile} {
		path := filepath.Join(dir, name)
		whole := read(t, path)
		for n := 0; n < len(whole)-1; n += 7 { // the last newline is nothing that would be missed
			write(t, path, whole[:n])
			a, err := Load(dir)
			switch {
			case err != nil:
				if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "put a good copy back") {
					t.Errorf("%s cut to %d bytes: %v", name, n, err)
				}
			case a.Fingerprint() != want:
				t.Errorf("%s cut to %d bytes makes another CA", name, n)
			case name == CertFile:
				t.Errorf("%s cut to %d bytes is taken", name, n)
			}
			if !bytes.Equal(read(t, path), whole[:n]) {
				t.Fatalf("%s was overwritten", name)
			}
		}
		write(t, path, whole)
	}
	if load(t, dir).Fingerprint() != want {
		t.Error("put back, it is another CA")
	}

	// Alone, a key file that is cut never is a CA.
	remove(t, filepath.Join(dir, CertFile))
	path := filepath.Join(dir, KeyFile)
	whole := read(t, path)
	for n := 0; n < len(whole)-1; n += 7 {
		write(t, path, whole[:n])
		if _, err := Load(dir); err == nil {
			t.Errorf("the key file cut to %d bytes is taken", n)
		}
		wantFiles(t, dir, KeyFile)
	}
}

func TestLeftOverTemporaryFile(t *testing.T) {
	dir := newDir(t)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, KeyFile+".123.tmp"), []byte("-----BEGIN PRIVATE KEY-----\nMIGH"))
	want := load(t, dir).Fingerprint()
	if load(t, dir).Fingerprint() != want {
		t.Error("two CAs")
	}
}

func TestCertificateMadeAgain(t *testing.T) {
	dir := newDir(t)
	want := load(t, dir).Fingerprint()
	remove(t, filepath.Join(dir, CertFile))
	if load(t, dir).Fingerprint() != want {
		t.Error("another CA")
	}
	wantFiles(t, dir, CertFile, KeyFile)
}

// A CA that its owner made elsewhere: the certificate in one file, the key alone in the other.
func TestKeyAlone(t *testing.T) {
	dir := newDir(t)
	want := load(t, dir).Fingerprint()
	path := filepath.Join(dir, KeyFile)
	block, _ := pem.Decode(read(t, path))
	write(t, path, pem.EncodeToMemory(block))
	if load(t, dir).Fingerprint() != want {
		t.Error("another CA")
	}
}

func TestRefused(t *testing.T) {
	other := newDir(t)
	load(t, other)
	tests := []struct {
		name  string
		spoil func(t *testing.T, dir string)
		want  []string
	}{
		{"key lost", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, KeyFile)) },
			[]string{"is missing", "put the key file back", "remove"}},
		{"another certificate", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, CertFile), read(t, filepath.Join(other, CertFile)))
		}, []string{"two different CAs", "remove ca.pem"}},
		{"another key", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, KeyFile), read(t, filepath.Join(other, KeyFile)))
		}, []string{"two different CAs"}},
		{"another key, alone", func(t *testing.T, dir string) {
			block, _ := pem.Decode(read(t, filepath.Join(other, KeyFile)))
			write(t, filepath.Join(dir, KeyFile), pem.EncodeToMemory(block))
		}, []string{"belongs to another key"}},
		{"two keys", func(t *testing.T, dir string) {
			path := filepath.Join(dir, KeyFile)
			write(t, path, append(read(t, path), read(t, path)...))
		}, []string{"exactly one key", "put a good copy back"}},
		{"not PEM", func(t *testing.T, dir string) { write(t, filepath.Join(dir, CertFile), []byte("hello")) },
			[]string{"in PEM", "remove ca.pem"}},
		{"old key format", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, KeyFile), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte{1}}))
		}, []string{`"EC PRIVATE KEY"`, "PKCS #8"}},
		{"a leaf", func(t *testing.T, dir string) {
			leaf := mustLeaf(t, load(t, dir), Spec{Names: []string{"site.test"}})
			writePair(t, dir, leaf.PrivateKey, leaf.Leaf)
		}, []string{"not a CA's"}},
		{"expired", func(t *testing.T, dir string) { writeRoot(t, dir, time.Now().Add(-2*rootAfter)) },
			[]string{"expired on 20", "remove", "every trust store"}},
		{"not yet valid", func(t *testing.T, dir string) { writeRoot(t, dir, time.Now().Add(2*rootBefore)) },
			[]string{"not valid before", "clock"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := newDir(t)
			load(t, dir)
			test.spoil(t, dir)
			before := contents(t, dir)
			_, err := Load(dir)
			if err == nil {
				t.Fatal("it was taken")
			}
			for _, want := range append(test.want, dir) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
			if contents(t, dir) != before {
				t.Error("files were changed")
			}
		})
	}
}

func TestLoose(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // has no such modes
	}
	dir := filepath.Join(t.TempDir(), "it's mine")
	want := load(t, dir).Fingerprint()
	key := filepath.Join(dir, KeyFile)
	for _, test := range []struct {
		path        string
		good, loose os.FileMode
	}{
		{dir, 0o700, 0o755}, {dir, 0o700, 0o710}, {dir, 0o700, 0o701},
		{key, 0o600, 0o640}, {key, 0o600, 0o604}, {key, 0o600, 0o622},
	} {
		chmod(t, test.path, test.loose)
		_, err := Load(dir)
		if err == nil {
			t.Fatalf("%s with mode %o was taken", test.path, test.loose)
		}
		// What it says to run mends it.
		_, run, ok := strings.Cut(err.Error(), "; run: ")
		run, _, _ = strings.Cut(run, " (")
		if !ok || !strings.HasPrefix(run, "chmod ") {
			t.Fatalf("no chmod in: %v", err)
		}
		if out, err := exec.Command("sh", "-c", run).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", run, err, out)
		}
		wantMode(t, test.path, test.good)
		if load(t, dir).Fingerprint() != want {
			t.Error("another CA")
		}
	}
	chmod(t, key, 0o400) // stricter is fine
	load(t, dir)
}

func TestFolderIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, nil)
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
}

func writeRoot(t *testing.T, dir string, made time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := makeRoot(key, "A root", made)
	if err != nil {
		t.Fatal(err)
	}
	writePair(t, dir, key, cert)
}

func writePair(t *testing.T, dir string, key any, cert *x509.Certificate) {
	t.Helper()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, KeyFile), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	write(t, filepath.Join(dir, CertFile), certificatePEM(cert))
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func contents(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%s: %s\n", e.Name(), read(t, filepath.Join(dir, e.Name())))
	}
	return b.String()
}

func wantFiles(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(names)
	if !slices.Equal(got, names) { // ReadDir sorts too
		t.Errorf("the folder holds %q, want %q", got, names)
	}
}

func wantMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != want && runtime.GOOS != "windows" {
		t.Errorf("%s has mode %o, want %o", path, got, want)
	}
}
