//go:build unix

package proxy

import (
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/term"
)

// passedOn are the signals that a child gets when we do.
var passedOn = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

// atTerminal reports whether a terminal gives its signals to us and our child.
func atTerminal() bool {
	return term.IsTerminal(int(os.Stdin.Fd())) || term.IsTerminal(int(os.Stdout.Fd())) || term.IsTerminal(int(os.Stderr.Fd()))
}

// setGroup gives the child a process group of its own.
func setGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func hasGroup(cmd *exec.Cmd) bool { return cmd.SysProcAttr != nil && cmd.SysProcAttr.Setpgid }

func killChild(cmd *exec.Cmd) {
	cmd.Process.Kill()
	endGroup(cmd)
}

// endGroup kills what is left of the child's process group and waits until it is
// gone, so that nothing writes into files that are about to be removed.
func endGroup(cmd *exec.Cmd) {
	if !hasGroup(cmd) {
		return
	}
	for deadline := time.Now().Add(200 * time.Millisecond); syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) == nil && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
}
