//go:build unix

package proxy

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// started runs a script until it says "ready", and returns what it says after
// that, once it and everything that it started have ended.
func started(t *testing.T, group bool, script string, then func(*exec.Cmd)) (said string, err error) {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	if group {
		setGroup(cmd)
	}
	r, w, e := os.Pipe()
	if e != nil {
		t.Fatal(e)
	}
	defer r.Close()
	cmd.Stdout = w
	done := make(chan error, 1)
	go func() { done <- RunChild(cmd) }()
	r.SetReadDeadline(time.Now().Add(20 * time.Second))
	out := bufio.NewReader(r)
	if line, e := out.ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v", line, e)
	}
	then(cmd)
	err = <-done
	w.Close()
	// The pipe ends when nobody is left who could write.
	rest, e := io.ReadAll(out)
	if e != nil {
		t.Errorf("after %q: %v: somebody has been left", rest, e)
	}
	return string(rest), err
}

// TestRunChildSignals sends signals to this very process, as a supervisor does to explainer.
func TestRunChildSignals(t *testing.T) {
	old := patience
	defer func() { patience = old }()
	patience = 20 * time.Second
	self := func(sig syscall.Signal) func(*exec.Cmd) {
		return func(*exec.Cmd) { syscall.Kill(os.Getpid(), sig) }
	}
	code := func(err error) int {
		t.Helper()
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatalf("%v is no exit code", err)
		}
		return ExitCode(exit)
	}
	const waiting = `echo ready; while :; do sleep .05; done`
	for sig, name := range map[syscall.Signal]string{syscall.SIGTERM: "TERM", syscall.SIGHUP: "HUP"} {
		said, err := started(t, false, `trap "echo asked; exit 9" `+name+`; `+waiting, self(sig))
		if said != "asked\n" || code(err) != 9 {
			t.Errorf("%v: %q, %v", sig, said, err)
		}
	}
	// A browser's whole group ends, also what the browser itself leaves behind.
	said, err := started(t, true, `trap "echo asked; exit 9" TERM; (trap "" TERM; echo ready; sleep 60) & while :; do sleep .05; done`, self(syscall.SIGTERM))
	if said != "asked\n" || code(err) != 9 {
		t.Errorf("a group: %q, %v", said, err)
	}
	if said, err = started(t, true, `trap "echo asked; exit 9" TERM; `+waiting, self(syscall.SIGINT)); said != "asked\n" || code(err) != 9 {
		t.Errorf("Ctrl-C and a group: %q, %v", said, err)
	}
	// Who does not end is killed.
	patience = time.Millisecond
	if said, err = started(t, true, `trap "" TERM; `+waiting, self(syscall.SIGTERM)); said != "" || code(err) != 128+9 {
		t.Errorf("deaf: %q, %v", said, err)
	}
}
