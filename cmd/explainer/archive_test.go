package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/event"
)

// TestArchiveQuestions: the questions of docs/archives.md, asked in sqlite3 of the rows of some
// captures, have the answers that counting in the captures' events gives.
func TestArchiveQuestions(t *testing.T) {
	t.Parallel()
	program := filepath.Join(built(t), "explainer")
	files := []string{"../../annotate/story/testdata/demo.pcapng", "exam.pcapng", "../../capture/testdata/quic/ech-moved.pcap", "../../capture/testdata/dtls/dtls12.pcap"}
	for _, name := range []string{"failed-*", "tls12-r*", "tls13-[0hp]*", "tls10-rsa*"} {
		of, err := filepath.Glob("../../capture/testdata/recordings/" + name + ".pcapng")
		if err != nil || len(of) == 0 {
			t.Fatal(name, err)
		}
		files = append(files, of...)
	}
	page, err := os.ReadFile("../../docs/archives.md")
	if err != nil {
		t.Fatal(err)
	}
	questions := regexp.MustCompile("(?s)```sql\n(.*?)\n```").FindAllStringSubmatch(string(page), -1)
	dir := t.TempDir()
	ask := exec.Command("bash", "-c", `set -e -o pipefail
"$0" read --rows --jobs 2 -- "$@" | "$0" rows merge --format csv - > "$DIR/connections.csv"
sqlite3 "$DIR/archive.db" ".import --csv $DIR/connections.csv connections"`, program)
	ask.Args, ask.Env = append(ask.Args, files...), append(os.Environ(), "DIR="+dir)
	if out, err := ask.CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	counts := newCounts()
	for _, file := range files {
		told, err := exec.Command(program, "read", "--format", "json", file).Output()
		if err != nil {
			t.Fatal(file, err)
		}
		if err := event.ReadJSON(bytes.NewReader(told), counts.event); err != nil {
			t.Fatal(file, err)
		}
		counts.capture()
	}
	want := counts.answers()
	if len(questions) != 10 || len(want) != 10 {
		t.Fatalf("%d questions, %d answers", len(questions), len(want))
	}
	for i, q := range questions {
		got, err := exec.Command("sqlite3", filepath.Join(dir, "archive.db"), q[1]).CombinedOutput()
		if err != nil {
			t.Errorf("question %d: %v: %s", i+1, err, got)
		}
		if strings.TrimSpace(string(got)) != want[i] || want[i] == "" {
			t.Errorf("question %d: sqlite3 says\n%s\ncounted in events\n%s", i+1, got, want[i])
		}
	}
}

// counts counts in events what the questions ask of rows.
type counts struct {
	conns    map[int]*countedConn // of the capture at hand
	versions map[string]int
	clients  map[string]int
	days     map[string][2]int // by encapsulation, all
	failing  map[string][2]int // by host and checks: connections, requests
	proofs   [3]int
	ech      map[string]int
	resumed  map[string]int
	states   map[string]int
	failed   map[string]int
	hosts    map[string][2]int64 // bytes, requests
}

// A countedConn is one connection.
type countedConn struct {
	leg, host, ech string
	checks, alerts []string
	requests       int
	rsa            bool
	tally          *event.Tally
}

func newCounts() *counts {
	return &counts{
		conns: map[int]*countedConn{}, versions: map[string]int{}, clients: map[string]int{}, days: map[string][2]int{}, failing: map[string][2]int{},
		ech: map[string]int{}, resumed: map[string]int{}, states: map[string]int{}, failed: map[string]int{}, hosts: map[string][2]int64{},
	}
}

func (c *counts) event(e *event.Event) error {
	if e.Summary != nil {
		for _, leg := range e.Summary.Legs {
			for _, row := range leg.Rows {
				if of := c.conns[leg.Conn]; of != nil && row.Step == event.Step4c && row.Verdict == event.AsTold {
					of.rsa = true
				}
			}
		}
	}
	if e.Conn == 0 {
		return nil
	}
	of := c.conns[e.Conn]
	if of == nil {
		of = &countedConn{}
		c.conns[e.Conn] = of
	}
	of.leg, of.host = cmp.Or(e.Leg, of.leg), cmp.Or(e.Host, of.host)
	for _, check := range e.Checks {
		if name := check.ID + ":" + check.Reason; e.From == "server" && check.Outcome == "failed" && !slices.Contains(of.checks, name) {
			of.checks = append(of.checks, name)
		}
	}
	for _, p := range e.Proofs {
		c.proofs[map[event.ProofState]int{event.Proven: 0, event.Refuted: 1, event.NotCheckable: 2}[p.State]]++
	}
	for _, say := range e.Says {
		switch {
		case say.ID == "client-hello-ech":
			of.ech = cmp.Or(of.ech, "unknown")
		case strings.HasPrefix(say.ID, "ech-confirmed"):
			of.ech = "accepted"
		case strings.HasPrefix(say.ID, "ech-not-confirmed"):
			of.ech = "not-accepted"
		}
	}
	if e.Alert != nil {
		if name := e.From + ":" + e.Alert.Name; !slices.Contains(of.alerts, name) {
			of.alerts = append(of.alerts, name)
		}
	}
	if e.Topic == event.TopicRequest && e.HTTP.Method != "CONNECT" {
		of.requests++
	}
	if e.Tally != nil {
		of.tally = e.Tally
	}
	return nil
}

// capture counts the connections of a capture, which has ended.
func (c *counts) capture() {
	for _, of := range c.conns {
		t := of.tally
		if t == nil {
			continue
		}
		if t.Version != "" {
			c.versions[t.Version]++
		}
		if of.rsa {
			c.clients[t.Client[:strings.LastIndex(t.Client, ":")]]++
		}
		if t.GroupKind != "" {
			n := c.days[t.Began[:10]]
			if n[1]++; t.GroupKind == event.GroupKEM {
				n[0]++
			}
			c.days[t.Began[:10]] = n
		}
		if of.leg != "origin" {
			if len(of.checks) > 0 {
				key := of.host + "|" + strings.Join(of.checks, ",")
				n := c.failing[key]
				c.failing[key] = [2]int{n[0] + 1, n[1] + of.requests}
			}
			if of.host != "" {
				n := c.hosts[of.host]
				c.hosts[of.host] = [2]int64{n[0] + t.Data[1], n[1] + int64(of.requests)}
			}
		}
		if of.ech != "" {
			c.ech[of.ech]++
		}
		if slices.Contains([]string{"tls", "quic", "dtls"}, t.Protocol) {
			c.resumed[fmt.Sprint(t.Resumed)]++
		}
		if t.State != "" {
			c.states[t.State]++
		}
		if t.Failed != "" {
			c.failed[string(t.Failed)+"|"+strings.Join(of.alerts, ",")]++
		}
	}
	clear(c.conns)
}

// answers are what sqlite3 should print, for each question.
func (c *counts) answers() []string {
	hosts := slices.SortedFunc(maps.Keys(c.hosts), func(a, b string) int {
		return cmp.Or(cmp.Compare(c.hosts[b][0], c.hosts[a][0]), cmp.Compare(a, b))
	})
	var most []string
	for _, host := range hosts[:min(20, len(hosts))] {
		most = append(most, fmt.Sprintf("%s|%d|%d", host, c.hosts[host][0], c.hosts[host][1]))
	}
	return []string{
		lines(c.versions, "%d"), lines(c.clients, "%d"), lines(c.days, "%d|%d"), lines(c.failing, "%d|%d"),
		fmt.Sprintf("%d|%d|%d", c.proofs[0], c.proofs[1], c.proofs[2]),
		lines(c.ech, "%d"), lines(c.resumed, "%d"), lines(c.states, "%d"), lines(c.failed, "%d"), strings.Join(most, "\n"),
	}
}

// lines are counts by their names, one a line.
func lines[T any](of map[string]T, form string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		switch n := any(of[name]).(type) {
		case [2]int:
			all = append(all, name+"|"+fmt.Sprintf(form, n[0], n[1]))
		default:
			all = append(all, name+"|"+fmt.Sprintf(form, n))
		}
	}
	return strings.Join(all, "\n")
}
