package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"explainer/annotate/rows"
)

// kill kills the child of a process that was given a file.
func kill(t *testing.T, parent int, file string) {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		children, _ := os.ReadFile(list) // a thread may be over
		for _, child := range strings.Fields(string(children)) {
			args, _ := os.ReadFile("/proc/" + child + "/cmdline")
			if bytes.HasSuffix(args, []byte("\x00"+file+"\x00")) {
				pid, _ := strconv.Atoi(child)
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				return
			}
		}
	}
	t.Fatalf("no process reads %s", file)
}

// TestJobs: files that are read apart give the rows of each in their order; one that cannot be
// read, one that ends too early, and one whose process is killed each have a row that says
// so, and take nothing from the others. What was finished is not read again.
func TestJobs(t *testing.T) {
	program := filepath.Join(built(t), "explainer")
	dir := t.TempDir()
	copied := func(name string, most int) string {
		file, err := os.ReadFile("../../capture/testdata/recordings/" + name + ".pcapng")
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name+".pcapng")
		if err := os.WriteFile(to, file[:min(most, len(file))], 0o600); err != nil {
			t.Fatal(err)
		}
		return to
	}
	whole := []string{copied("tls12-rsa-aes128-gcm", 1<<30), copied("tls13-aes128-gcm", 1<<30), copied("http1-post", 1<<30)}
	cut := copied("tls13-psk-dhe", 5000)
	missing := filepath.Join(dir, "missing.pcap")
	pipe := filepath.Join(dir, "pipe.pcap")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	apart := func(args []string, files ...string) ([]byte, string, *exec.Cmd) {
		cmd := exec.Command(program, slices.Concat([]string{"read", "--rows"}, args, files)...)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(files, pipe) {
			w, err := os.OpenFile(pipe, os.O_WRONLY, 0) // once the process that reads it has opened it, too
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			kill(t, cmd.Process.Pid, pipe)
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return out.Bytes(), errs.String(), cmd
	}
	var want []byte
	for _, file := range whole {
		one, _, _ := apart(nil, file)
		want = append(want, one...)
	}
	if out, errs, cmd := apart([]string{"--jobs", "2"}, whole...); !bytes.Equal(out, want) || errs != "" || cmd.ProcessState.ExitCode() != 0 {
		t.Fatalf("exit code %d, said %q, rows\n%s\nexpected\n%s", cmd.ProcessState.ExitCode(), errs, out, want)
	}
	kept := filepath.Join(dir, "kept")
	resume := []string{"--jobs", "2", "--resume", kept}
	out, errs, cmd := apart(resume, missing, whole[0], pipe, cut, whole[1], whole[2])
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	var good []byte
	failed := map[string]string{}
	for line := range bytes.Lines(out) {
		var r struct{ File, Error string }
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		if r.Error != "" {
			failed[r.File] = r.Error
			if !strings.Contains(errs, r.Error) {
				t.Errorf("%s is not said in\n%s", r.Error, errs)
			}
		} else if slices.Contains(whole, r.File) {
			good = append(good, line...)
		}
	}
	if !bytes.Equal(good, want) {
		t.Errorf("rows of whole files\n%s\nexpected\n%s", good, want)
	}
	for file, why := range map[string]string{missing: "there is no such file", pipe: "signal: killed", cut: "is cut off"} {
		if !strings.Contains(failed[file], why) {
			t.Errorf("%s: the row says %q", file, failed[file])
		}
	}
	if len(failed) != 3 {
		t.Errorf("failed: %v", failed)
	}
	// What stands in the folder is taken as it is: a mark in it comes back.
	files, _ := filepath.Glob(kept + "/*")
	if len(files) != len(whole) {
		t.Errorf("kept: %v", files)
	}
	for _, file := range files {
		if err := os.WriteFile(file, []byte("{}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, _, _ := apart(resume, whole...); string(out) != "{}\n{}\n{}\n" {
		t.Errorf("read again:\n%s", out)
	}
	// A file that has changed is read.
	copied("tls13-aes128-gcm", 1<<30)
	if out, _, _ := apart(resume, whole...); bytes.Count(out, []byte("\n")) != 3 || bytes.Count(out, []byte("{}\n")) != 2 {
		t.Errorf("not read again:\n%s", out)
	}
	out, _, _ = apart([]string{"--jobs", "3", "--format", "csv"}, append(whole, whole[0], missing)...)
	var head bytes.Buffer
	rows.Head(&head, rows.Connections, "csv")
	if !bytes.HasPrefix(out, head.Bytes()) || bytes.Count(out, head.Bytes()) != 1 || bytes.Count(out, []byte("\n")) != 6 {
		t.Errorf("CSV:\n%s", out)
	}
}
