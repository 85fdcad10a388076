package main

import (
	"bufio"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestWhileCapturing reads what dumpcap captures, while it does, with a key log that is not
// there when the reading begins: what comes is opened with the lines that come.
func TestWhileCapturing(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("capturing takes a privilege")
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "keys")
	dumpcap := exec.Command("dumpcap", "-q", "-i", "lo", "-f", "tcp port "+port, "-w", "-")
	reader := exec.Command("explainer", "read", "--lang", "en", "--messages", "--keylog", log, "-")
	var said strings.Builder
	reader.Stderr = &said
	if reader.Stdin, err = dumpcap.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	story, err := reader.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*exec.Cmd{dumpcap, reader} {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		defer c.Process.Kill()
	}
	seen, over := make(chan bool), make(chan bool)
	go func() {
		defer close(over)
		found := false
		for lines := bufio.NewScanner(story); lines.Scan(); {
			if !found && strings.Contains(lines.Text(), "GET /while-capturing") {
				found = true
				close(seen)
			}
		}
	}()
	deadline := time.After(time.Minute)
	for found := false; !found; {
		// dumpcap does not say from when on it has all packets, so there is more than one connection.
		f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, KeyLogWriter: f}}}
		r, err := client.Get(server.URL + "/while-capturing")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		f.Close()
		select {
		case <-seen:
			found = true
		case <-time.After(300 * time.Millisecond):
		case <-over:
			t.Fatalf("the reading ended: %s", &said)
		case <-deadline:
			t.Fatal("nothing was opened while it was captured")
		}
	}
	dumpcap.Process.Signal(syscall.SIGINT)
	<-over
	dumpcap.Wait()
	if err := reader.Wait(); err != nil {
		t.Errorf("%v: %s", err, &said)
	}
}
