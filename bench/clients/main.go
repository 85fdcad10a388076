// Command clients measures what real clients do with every bad certificate and
// handshake, by explainer check, and writes the table of docs/clients.md.
//
//	go run ./bench/clients [NAME...] > docs/clients.md
//
// The clients and how they are started stand in clients.txt. Everything stays on
// the loopback interface. It takes some minutes, most of them for the browsers.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/check"
	"explainer/ca"
)

//go:embed clients.txt
var list string

// A client is a program as it is started for each case.
type client struct {
	name    string
	version string   // shell command that prints it
	prepare string   // shell command that makes what it needs, once
	run     string   // shell command, with check's placeholders
	ten     string   // what is expected of it in the test
	slow    bool     // it is left out of the test
	flags   []string // of check
}

// clients reads clients.txt.
func clients() (all []client) {
	for line := range strings.Lines(list) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] != ' ' {
			all = append(all, client{name: line})
			continue
		}
		c := &all[len(all)-1]
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		value = strings.TrimSpace(value)
		switch key {
		case "version":
			c.version = value
		case "prepare":
			c.prepare = value
		case "run":
			c.run = value
		case "ten":
			c.ten = value
		case "slow":
			c.slow = true
		case "flags":
			c.flags = strings.Fields(value)
		default:
			panic("clients.txt: " + line)
		}
	}
	return all
}

// A bench is where clients are measured.
type bench struct {
	explainer string // the program
	dir       string // holds clients.txt
	made      string // for what clients prepare
}

// newBench builds explainer in a folder of its own, made.
func newBench(made string) (*bench, error) {
	dir, err := filepath.Abs(".")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat("clients.txt"); err != nil {
		dir = filepath.Join(dir, "bench", "clients")
	}
	b := &bench{explainer: filepath.Join(made, "explainer"), dir: dir, made: made}
	cmd := exec.Command("go", "build", "-o", b.explainer, "explainer/cmd/explainer")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build explainer: %w: %s", err, out)
	}
	return b, nil
}

func (b *bench) shell(command string) string {
	return strings.NewReplacer("{dir}", b.dir, "{made}", b.made).Replace(command)
}

// check runs a client for each case; it returns the cases, and the last line.
func (b *bench) check(ctx context.Context, c client, flags ...string) (cases []check.Case, end check.Report, err error) {
	if c.prepare != "" {
		if out, err := exec.CommandContext(ctx, "sh", "-c", b.shell(c.prepare)).CombinedOutput(); err != nil {
			return nil, end, fmt.Errorf("%s: %w: %s", c.prepare, err, out)
		}
	}
	args := slices.Concat([]string{"check", "--format", "json", "--timeout", "60s"}, flags, []string{"--", "sh", "-c", b.shell(c.run)})
	cmd := exec.CommandContext(ctx, b.explainer, args...)
	home, err := os.MkdirTemp("", "clients")
	if err != nil {
		return nil, end, err
	}
	defer os.RemoveAll(home)
	cmd.Env = append(os.Environ(), "EXPLAINER_HOME="+home)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var ended *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &ended) {
		return nil, end, err
	}
	d := json.NewDecoder(&out)
	for {
		var line json.RawMessage
		if err := d.Decode(&line); err == io.EOF {
			break
		} else if err != nil {
			return nil, end, err
		}
		var one check.Case
		if err := json.Unmarshal(line, &one); err != nil {
			return nil, end, err
		}
		if one.Kind == check.KindCase {
			cases = append(cases, one)
		} else if err := json.Unmarshal(line, &end); err != nil {
			return nil, end, err
		}
	}
	if len(cases) == 0 {
		return nil, end, fmt.Errorf("%s: no report: %s", c.name, &errs)
	}
	return cases, end, nil
}

// cell is what a client did with a case: TLS 1.2/TLS 1.3, one where they agree.
func cell(c check.Case) string {
	var both []string
	for _, o := range c.Outcomes {
		if !o.Absent {
			both = append(both, word(o))
		}
	}
	return strings.Join(slices.Compact(both), "/")
}

// word is an outcome as clients.txt explains it.
func word(o check.Outcome) string {
	late := ""
	switch o.Verdict {
	case check.Leaked, check.Accepted:
		return "YES"
	case check.FalseStart:
		return "false start"
	case check.Blocked, check.NotApplicable:
		return "n/a"
	case check.RefusedLate:
		late = "L"
	case check.Refused:
	default:
		return "?"
	}
	switch {
	case o.Alert != nil && o.Alert.How == "clear" && o.TLS == "TLS 1.3":
		return late + "p" + strconv.Itoa(o.Alert.Number)
	case o.Alert != nil:
		return late + strconv.Itoa(o.Alert.Number)
	case late != "":
		return late
	}
	return o.Ended
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("clients: ")
	made, err := os.MkdirTemp("", "clients")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(made)
	b, err := newBench(made)
	if err != nil {
		log.Fatal(err)
	}
	var names, versions, grades []string
	rows := map[string][]string{}
	for _, c := range clients() {
		if len(os.Args) > 1 && !slices.Contains(os.Args[1:], c.name) {
			continue
		}
		version, err := exec.Command("sh", "-c", c.version).Output()
		if err != nil {
			log.Fatalf("%s: %s: %v", c.name, c.version, err)
		}
		began := time.Now()
		cases, end, err := b.check(context.Background(), c, c.flags...)
		if err != nil {
			log.Fatal(err)
		}
		log.Printf("%s: %s, in %v", c.name, end.Grade, time.Since(began).Round(time.Second))
		names, versions, grades = append(names, c.name), append(versions, strings.TrimSpace(string(version))), append(grades, end.Grade)
		for _, one := range cases {
			rows[one.ID] = append(rows[one.ID], cell(one))
		}
	}
	write(os.Stdout, names, versions, grades, rows)
}

// write writes the page.
func write(w io.Writer, names, versions, grades []string, rows map[string][]string) {
	fmt.Fprintf(w, "# What real clients do with bad certificates\n\nMeasured on %s with `go run ./bench/clients > docs/clients.md`, one run of each client for each case and TLS version.\n", time.Now().UTC().Format(time.DateOnly))
	fmt.Fprint(w, `Nothing here says that a product is at fault: it says what this version did on this day, started in this way ([clients.txt](../bench/clients/clients.txt)).

A cell is TLS 1.2/TLS 1.3, one value where they agree. YES: application data was sent, so the certificate was accepted; **YES** where this is a leak, which it is not of controls and of what is by itself no attack. A number: the
client stopped with this alert in place of its Finished, `+"`p`"+` where it was in clear though TLS 1.3 has keys by then, `+"`-1`"+` where it cannot be read. L: it stopped after its Finished, before any
data. fin, rst, close_notify: it ended the connection thus, without an alert. n/a: the client's own ClientHello rules the case out. ?: not tested. What each case is: [faults.md](faults.md).

| client | version | grade |
|---|---|---|
`)
	for i, name := range names {
		fmt.Fprintf(w, "| %s | %s | %s |\n", name, versions[i], grades[i])
	}
	const wide = 6
	for from := 0; from < len(names); from += wide {
		to := min(from+wide, len(names))
		fmt.Fprintf(w, "\n| case | severity | %s |\n|---|---|%s\n", strings.Join(names[from:to], " | "), strings.Repeat("---|", to-from))
		for _, f := range ca.Faults {
			cells := rows[f.ID]
			if len(cells) != len(names) {
				continue
			}
			var marked []string
			for _, c := range cells[from:to] {
				if f.Severity != ca.Control && f.Severity != ca.Low {
					c = strings.ReplaceAll(c, "YES", "**YES**")
				}
				marked = append(marked, c)
			}
			fmt.Fprintf(w, "| %s | %s | %s |\n", f.ID, f.Severity, strings.Join(marked, " | "))
		}
	}
	fmt.Fprint(w, `
## Why some cells are as they are

- In TLS 1.2 the client's Finished goes before the server's (RFC 5246 7.3), so finished-wrong and finished-tampered can be refused late at best; a client that starts
  sending before it has seen the server's Finished (RFC 7918), as Chromium does, is told as a false start.
- Programs on GnuTLS that are not gnutls-cli (wget, git, lynx) check the certificate when the handshake is over, and end it with close_notify or a reset in place of an alert; so
  does Node in TLS 1.2, which checks in JavaScript. Firefox checks beside the handshake, and in TLS 1.2 its alert comes after its Finished. They refused all the same.
- Programs on OpenSSL send their alerts in clear in TLS 1.3. At sigalg-mismatch OpenSSL does not verify the signature at all: "certificate signature failure", alert 51.
- Java 17.0.21 offers no suite with RSA key transport (jdk.tls.disabledAlgorithms names TLS_RSA_*).
- Erlang's 80 at md5-signature and curveball is an exception inside its path validation (function_clause, badarg), with verify_none too. Its -1 is an alert under other
  keys than those that the server has.
- Where a client refuses the control good-ip-san, ip-in-dns-san next to it shows nothing: "?".
- rsa-1024 is refused by the programs on Debian's OpenSSL, for its security level 2, if they check certificates at all; Node brings an OpenSSL of its own.
`)
}
