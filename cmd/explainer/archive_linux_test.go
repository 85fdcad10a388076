package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestDask: bench/archive.py makes the same table on two workers, of which one is killed while it
// reads a capture, as one machine does.
func TestDask(t *testing.T) {
	t.Parallel()
	program := filepath.Join(built(t), "explainer")
	files, err := filepath.Glob("../../capture/testdata/recordings/tls13-*.pcapng")
	if err != nil || len(files) < 20 {
		t.Fatal(files, err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe.pcapng")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	junk := filepath.Join(t.TempDir(), "junk.pcap")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	files = slices.Concat(files[1:10], []string{pipe, junk}, files[10:20])
	open := func() *os.File {
		w, err := os.OpenFile(pipe, os.O_WRONLY, 0) // once a process that reads it has opened it, too
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	give := func(w *os.File) {
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		w.Close()
	}
	one := exec.CommandContext(t.Context(), "bash", "-c", `"$0" read --rows --jobs 2 -- "$@" | "$0" rows merge -`, program)
	one.Args = append(one.Args, files...)
	var want bytes.Buffer
	one.Stdout = &want
	if err := one.Start(); err != nil {
		t.Fatal(err)
	}
	give(open())
	if err := one.Wait(); err != nil {
		t.Fatal(err)
	}
	many := exec.CommandContext(t.Context(), "/usr/bin/python3", append([]string{"../../bench/archive.py", "--explainer", program, "--workers", "2"}, files...)...)
	var got, said bytes.Buffer
	many.Stdout, many.Stderr = &got, &said
	if err := many.Start(); err != nil {
		t.Fatal(err)
	}
	w := open()
	reads := processesWith(t, pipe)
	slices.Sort(reads)
	worker := parentOf(t, reads[0]) // of what it started, which is the parent of what reads
	if slices.Contains(reads, worker) || len(reads) < 2 {
		t.Fatalf("%v read, started by %d", reads, worker)
	}
	for _, pid := range append([]int{worker}, reads...) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	for _, pid := range reads {
		for lives(pid) { // it has the pipe open
			runtime.Gosched()
		}
	}
	give(open())
	if err := many.Wait(); err != nil {
		t.Fatal(err, said.String())
	}
	if !strings.Contains(said.String(), "worker") {
		t.Errorf("no worker was lost: %s", said.String())
	}
	if !bytes.Equal(got.Bytes(), want.Bytes()) || bytes.Count(want.Bytes(), []byte("\n")) < len(files) {
		t.Errorf("%d rows\n%s\nexpected %d\n%s", bytes.Count(got.Bytes(), []byte("\n")), got.Bytes(), bytes.Count(want.Bytes(), []byte("\n")), want.Bytes())
	}
}

// processesWith are the processes whose last argument is a file.
func processesWith(t *testing.T, file string) (pids []int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		args, _ := os.ReadFile(path) // it may be over
		if bytes.HasSuffix(args, []byte("--\x00"+file+"\x00")) {
			pid, _ := strconv.Atoi(strings.Split(path, "/")[2])
			pids = append(pids, pid)
		}
	}
	return pids
}

// lives tells whether a thread of a process has not ended.
func lives(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	return slices.ContainsFunc(threads, func(thread string) bool {
		stat, err := os.ReadFile(thread)
		return err == nil && !strings.Contains(string(stat), ") Z ")
	})
}

// parentOf is the process that started another.
func parentOf(t *testing.T, pid int) (parent int) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // behind its name
	if _, err := fmt.Sscanf(rest[2:], "%d", &parent); err != nil {
		t.Fatal(err)
	}
	return parent
}
