package proxy

import (
	"os"
	"os/exec"
)

// passedOn are the signals that a child gets when we do.
var passedOn = []os.Signal{os.Interrupt}

// atTerminal reports whether a terminal gives its signals to us and our child: a console always does.
func atTerminal() bool { return true }

// setGroup would give the child a process group of its own.
func setGroup(*exec.Cmd) {}

func hasGroup(*exec.Cmd) bool { return false }

func killChild(cmd *exec.Cmd) { cmd.Process.Kill() }

func endGroup(*exec.Cmd) {}
