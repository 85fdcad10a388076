package rows_test

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/rows"
	"explainer/annotate/story"
	"explainer/capture/keys"
	"explainer/capture/pcap/pcaptest"
)

// told tells a capture in one of the forms.
func told(t *testing.T, o story.ViewOptions, secrets []keys.Secret, files ...string) []byte {
	t.Helper()
	out, err := tell(t, o, secrets, files...)
	if err != nil {
		t.Fatal(files, err)
	}
	return out
}

// tell is told, where nothing to tell may be in a capture.
func tell(t *testing.T, o story.ViewOptions, secrets []keys.Secret, files ...string) ([]byte, error) {
	t.Helper()
	var out bytes.Buffer
	o.Scratch = func() (*os.File, error) { return os.CreateTemp(t.TempDir(), "") }
	v := story.NewView(&out, o)
	defer v.Close()
	x := new(annotate.Explainer)
	v.Spare(x) // as the program does: what rows have no use for is left out
	err := story.New(x, v).Files(files, story.FilesOptions{
		KeyLogs: func(take func(keys.Secret), _ bool) error {
			for _, s := range secrets {
				take(s)
			}
			return nil
		},
		Say: func(event.Text) {},
		Wrong: func(err error) {
			if !*large { // of other people's captures some are damaged
				t.Error(err)
			}
		},
	})
	return out.Bytes(), err
}

// a row as JSON has it.
type row map[string]any

func (r row) text(name string) string {
	s, _ := r[name].(string)
	return s
}

func (r row) number(name string) int {
	f, _ := r[name].(float64)
	return int(f)
}

func parsed(t *testing.T, lines []byte) (all []row) {
	t.Helper()
	for line := range bytes.Lines(lines) {
		var r row
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, r)
	}
	return all
}

func recordings(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../capture/testdata/recordings/*.pcapng")
	if err != nil || len(files) == 0 {
		t.Fatal("no recordings", err)
	}
	return files
}

// TestRowsAreTheEvents: rows made of events that were read back from their JSON are those
// of the story, and agree with what the events and the overview say.
func TestRowsAreTheEvents(t *testing.T) {
	var files []string
	for ten := range slices.Chunk(recordings(t), 10) {
		files = append(files, ten[0])
	}
	files = append(files, "../story/testdata/demo.pcapng", "../../cmd/explainer/exam.pcapng", "../../capture/testdata/quic/http3.pcap", "../testdata/dtls12-rsa.pcap")
	files = append(files, must(filepath.Glob("../testdata/cases/[cf]*.pcapng"))...)
	for i, file := range files {
		lines := told(t, story.ViewOptions{Format: "json"}, nil, file)
		back := func(table, format string) []byte {
			var out bytes.Buffer
			rows.Head(&out, table, format)
			r := rows.New(&out, table, format, rows.Source{Capture: "abc"})
			if err := event.ReadJSON(bytes.NewReader(lines), r.Event); err != nil {
				t.Fatal(file, err)
			}
			if err := r.Finish(); err != nil {
				t.Fatal(file, err)
			}
			return out.Bytes()
		}
		of := map[string][]row{}
		for j, table := range rows.Tables {
			made := back(table, "json")
			of[table] = parsed(t, made)
			if (i+j)%len(rows.Tables) > 0 { // each table of a third of them
				continue
			}
			for _, format := range rows.Formats {
				direct := told(t, story.ViewOptions{Rows: table, Format: format, Source: rows.Source{Capture: "abc"}}, nil, file)
				if made := back(table, format); !bytes.Equal(direct, made) {
					t.Errorf("%s: %s, %s: the story gives\n%s\nand its JSON\n%s", file, table, format, direct, made)
				}
			}
		}
		agree(t, file, lines, of)
	}
}

// agree holds rows against the events of the same capture.
func agree(t *testing.T, file string, lines []byte, of map[string][]row) {
	t.Helper()
	conns, certs := map[int]row{}, map[string]bool{}
	connections := of[rows.Connections]
	for _, r := range connections {
		conns[r.number("conn")] = r
	}
	for _, r := range of[rows.Certificates] {
		if certs[r.text("sha256")] {
			t.Errorf("%s: a certificate has two rows", file)
		}
		certs[r.text("sha256")] = true
	}
	findings := map[string]int{}
	for _, r := range of[rows.Findings] {
		findings[r.text("kind")]++
	}
	ends, sent := 0, map[string]bool{}
	err := event.ReadJSON(bytes.NewReader(lines), func(e *event.Event) error {
		for _, c := range e.Certificates {
			sent[c.SHA256] = true
		}
		if e.Summary != nil {
			for _, l := range e.Summary.Legs {
				for _, s := range l.Rows {
					if got := conns[l.Conn].text("step_" + string(s.Step)); got != string(s.Verdict) {
						t.Errorf("%s: connection %d: step %s is %s, in the row %s", file, l.Conn, s.Step, s.Verdict, got)
					}
				}
			}
		}
		if tally := e.Tally; tally != nil {
			ends++
			r := conns[e.Conn]
			got := []any{r.text("version"), r.text("suite"), r.text("state"), r.text("failed_step"), r["resumed"], r["open_start"] == true && r["transport"] == "tcp", r["open_end"], r.number("client_bytes"), r.number("server_bytes"), net.JoinHostPort(r.text("client_address"), fmt.Sprint(r.number("client_port")))}
			want := []any{tally.Version, tally.Suite, tally.State, string(tally.Failed), tally.Resumed, !tally.Begun, tally.End == "open", int(tally.Data[0]), int(tally.Data[1]), tally.Client}
			if !slices.Equal(got, want) {
				t.Errorf("%s: connection %d: the row has\n%v, its end\n%v", file, e.Conn, got, want)
			}
		}
		if o := e.Overview; o != nil {
			sums := map[string]int{}
			for _, r := range connections {
				for _, name := range []string{"proofs_proven", "proofs_refuted", "proofs_not_checkable"} {
					sums[name] += r.number(name)
				}
				if r.text("leg") != "origin" {
					sums["requests"] += r.number("requests")
					sums["responses"] += r.number("responses")
				}
			}
			want := map[string]int{"proofs_proven": o.Proven, "proofs_refuted": o.Refuted, "proofs_not_checkable": o.Unchecked, "requests": o.Requests, "responses": o.Responses}
			if !maps.Equal(sums, want) {
				t.Errorf("%s: the rows add up to %v, the overview has %v", file, sums, want)
			}
			failed := 0
			for _, c := range o.Failed {
				failed += c.N
			}
			odd := 0
			for _, of := range o.Odd {
				if of.Says.ID != "odd-certificate" && len(of.Conns) > 0 {
					odd += of.N
				}
			}
			if findings["failed"] != failed || findings["refuted"] != o.Refuted || findings["odd"] != odd {
				t.Errorf("%s: findings %v, in the overview %d failed, %d refuted, %d odd", file, findings, failed, o.Refuted, odd)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(file, err)
	}
	if ends != len(connections) || len(conns) != ends {
		t.Errorf("%s: %d rows of connections, %d ends", file, len(connections), ends)
	}
	if !maps.Equal(certs, sent) {
		t.Errorf("%s: rows of certificates %v, sent %v", file, certs, sent)
	}
}

// within are the columns that count within a capture.
var within = []string{"capture_sha256", "file", "conn", "session", "first_packet", "last_packet", "resumed_from", "copy_of"}

// merged are rows as they are wherever their connection stands, sorted.
func merged(t *testing.T, captures ...[]byte) []string {
	t.Helper()
	var all []string
	for _, c := range captures {
		for _, r := range parsed(t, c) {
			for _, name := range within {
				delete(r, name)
			}
			line, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, string(line))
		}
	}
	slices.Sort(all)
	return all
}

var large = flag.Bool("large", false, "merge the rows of more than 10,000 connections, and of all captures beside the project")

// resumes are the names of recordings with connections that take up others.
var resumes = regexp.MustCompile("resum|psk|0rtt")

// TestRowsMerge: rows of captures that were split between connections are those of the
// whole. Connections stay with those that they take up, and are side by side in time.
func TestRowsMerge(t *testing.T) {
	var families [][]pcaptest.Packet
	var secrets []keys.Secret
	add := func(packets []pcaptest.Packet, with []keys.Secret) {
		for _, p := range packets {
			client := 16 // in the header of IP
			if p.FromClient() {
				client = 12
			}
			binary.BigEndian.PutUint32(p.IP[client:], 10<<24+uint32(len(families))) // each has its own client
		}
		families, secrets = append(families, packets), append(secrets, with...)
	}
	copies := 1
	if *large {
		copies = 130
	}
	for n := range copies {
		for _, file := range recordings(t) {
			if n > 0 && resumes.MatchString(file) {
				continue // with which of several that are the same it goes on is not known
			}
			packets, with := pcaptest.Of(t, file, 1000)
			for i := range packets {
				packets[i].Time += int64(n) * 1e9 // not all at once: so many are not followed
			}
			add(packets, with)
		}
		for _, stem := range overUDP(t) {
			if n == 0 {
				add(pcaptest.Keyed(t, stem))
			}
		}
	}
	dir := t.TempDir()
	read := func(parts ...[]pcaptest.Packet) []string {
		var captures [][]byte
		for i, packets := range parts {
			slices.SortStableFunc(packets, func(a, b pcaptest.Packet) int { return int(a.Time - b.Time) })
			file := filepath.Join(dir, fmt.Sprint(i, ".pcap"))
			if err := os.WriteFile(file, pcaptest.File(packets, 0), 0o600); err != nil {
				t.Fatal(err)
			}
			captures = append(captures, told(t, story.ViewOptions{Rows: rows.Connections, Format: "json", Source: rows.Source{Capture: story.Digest([]string{file})}}, secrets, file))
		}
		return merged(t, captures...)
	}
	whole := slices.Concat(families...)
	want := read(slices.Clone(whole))
	if len(want) < 100 {
		t.Fatalf("%d connections", len(want))
	}
	t.Logf("%d connections", len(want))
	for _, ways := range []int{4, 64} {
		parts := make([][]pcaptest.Packet, ways)
		for i, f := range families {
			parts[i%ways] = append(parts[i%ways], f...)
		}
		got := read(parts...)
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Fatalf("%d ways: row %d of %d is\n%s, of the whole (%d)\n%s", ways, i, len(got), at(got, i), len(want), at(want, i))
			}
		}
	}
	// Cut in the middle of connections, a part says what it has not.
	slices.SortStableFunc(whole, func(a, b pcaptest.Packet) int { return int(a.Time - b.Time) })
	for i, part := range [][]pcaptest.Packet{whole[:len(whole)/2], whole[len(whole)/2:]} {
		name := []string{"open_end", "open_start"}[i]
		if n := strings.Count(strings.Join(read(part), "\n"), `"`+name+`":true`); n < 20 {
			t.Errorf("part %d: %d connections are %s", i+1, n, name)
		}
	}
}

func at(of []string, i int) string {
	if i < len(of) {
		return of[i]
	}
	return "missing"
}

func must(files []string, err error) []string {
	if err != nil || len(files) == 0 {
		panic(fmt.Sprint("no files: ", err))
	}
	return files
}

// TestRowsChoose: of the connections that are not chosen there is no row.
func TestRowsChoose(t *testing.T) {
	const file = "../story/testdata/demo.pcapng"
	all := parsed(t, told(t, story.ViewOptions{Rows: rows.Connections, Format: "json"}, nil, file))
	for _, table := range rows.Tables {
		one := all[len(all)-1].number("session")
		chosen := told(t, story.ViewOptions{Rows: table, Format: "json", Selection: &story.Selection{Connections: [][2]int{{one, one}}}}, nil, file)
		for _, r := range parsed(t, chosen) {
			if n := r.number("conn"); all[slices.IndexFunc(all, func(r row) bool { return r.number("conn") == n })].number("session") != one {
				t.Errorf("%s: a row of connection %d, chosen was %d", table, n, one)
			}
		}
		if len(chosen) == 0 && table != rows.Findings {
			t.Errorf("%s: no row of connection %d", table, one)
		}
	}
}

// TestRowsHold: no secret and nothing of what people sent stands in a row.
func TestRowsHold(t *testing.T) {
	file := "../../capture/testdata/recordings/http1-post.pcapng"
	_, secrets := pcaptest.Of(t, file, 1000)
	var not []string
	for _, s := range secrets {
		not = append(not, fmt.Sprintf("%x", s.Secret))
	}
	err := event.ReadJSON(bytes.NewReader(told(t, story.ViewOptions{Format: "json"}, nil, file)), func(e *event.Event) error {
		if e.HTTP != nil {
			for _, f := range e.Fields[len(e.Fields)-e.HTTP.Headers:] {
				not = append(not, f.Value.English)
			}
			not = append(not, e.HTTP.Target, e.HTTP.Begins)
		}
		return nil
	})
	if err != nil || len(not) < 6 {
		t.Fatal(not, err)
	}
	for _, table := range rows.Tables {
		for _, r := range parsed(t, told(t, story.ViewOptions{Rows: table, Format: "json"}, nil, file)) {
			for name, v := range r {
				for _, n := range not {
					if s, ok := v.(string); ok && len(n) > 3 && strings.Contains(s, n) && name != "host" && name != "sni" && !strings.HasPrefix(name, "leaf_") && name != "subject" && name != "names" {
						t.Errorf("%s: %s is %q, in which %q stands", table, name, s, n)
					}
				}
			}
		}
	}
}

// TestRowsDocumented: docs/rows.md has each column of each table, in order, with its type,
// and CSV has them above its rows.
func TestRowsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/rows.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, table := range rows.Tables {
		want = append(want, "## "+strings.ToUpper(table[:1])+table[1:])
		var head bytes.Buffer
		if err := rows.Head(&head, table, "csv"); err != nil {
			t.Fatal(err)
		}
		names, err := csv.NewReader(&head).Read()
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range rows.Columns(table) {
			want = append(want, fmt.Sprintf("| `%s` | %s |", c.Name, c.Type))
			if names[i] != c.Name {
				t.Errorf("%s: column %d of CSV is %s, not %s", table, i, names[i], c.Name)
			}
		}
	}
	var have []string
	for line := range strings.Lines(string(page)) {
		switch {
		case strings.HasPrefix(line, "## "):
			have = append(have, strings.TrimSpace(line))
		case strings.HasPrefix(line, "| `"):
			have = append(have, strings.Join(strings.SplitAfterN(line, "|", 4)[:3], ""))
		}
	}
	have = have[slices.Index(have, want[0]):]
	for i := range max(len(have), len(want)) {
		if at(have, i) != at(want, i) {
			t.Fatalf("docs/rows.md has %s where the table has %s", at(have, i), at(want, i))
		}
	}
}
