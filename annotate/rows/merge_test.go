package rows_test

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/annotate/rows"
	"explainer/annotate/story"
	"explainer/capture/keys"
	"explainer/capture/pcap/pcaptest"
)

var everyCut = flag.Bool("every-cut", false, "cut each recording behind each of its packets")

// mergedRows merges tables.
func mergedRows(t *testing.T, tables ...[]byte) []byte {
	t.Helper()
	m := rows.Merger{Scratch: func() (*os.File, error) { return os.CreateTemp(t.TempDir(), "") }}
	defer m.Close()
	for _, table := range tables {
		if err := m.Add(bytes.NewReader(table)); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := m.Finish(&out, "json"); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// rowsOf are the connections of packets, as a capture of them has them.
func rowsOf(t *testing.T, packets []pcaptest.Packet, secrets []keys.Secret) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "a.pcap")
	if err := os.WriteFile(file, pcaptest.File(packets, 0), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := tell(t, story.ViewOptions{Rows: rows.Connections, Format: "json", Source: rows.Source{Capture: story.Digest([]string{file})}}, secrets, file)
	if err != nil && !strings.Contains(err.Error(), "no connection over TCP, QUIC or DTLS") {
		t.Fatal(err)
	}
	return out
}

// TestRowsJoin: a capture that was cut anywhere gives, once its parts' rows are merged, as many
// rows as the whole, and what is in them is what the whole has, or is said to be not known.
func TestRowsJoin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	known, all := 0, 0
	join := func(name string, packets []pcaptest.Packet, secrets []keys.Secret) {
		whole := parsed(t, rowsOf(t, packets, secrets))
		cuts := make([][]int, 0, len(packets))
		for i := 1; i < len(packets); i++ {
			cuts = append(cuts, []int{i})
		}
		if !*everyCut {
			cuts = nil
			cut := []int{1 + rng.IntN(len(packets)-1), 1 + rng.IntN(len(packets)-1)}
			slices.Sort(cut)
			cuts = append(cuts, slices.Compact(cut))
		}
		for _, cut := range cuts {
			var parts [][]byte
			for i, from := range append([]int{0}, cut...) {
				to := len(packets)
				if i < len(cut) {
					to = cut[i]
				}
				parts = append(parts, rowsOf(t, packets[from:to], secrets))
			}
			got := parsed(t, mergedRows(t, parts...))
			where := fmt.Sprint(name, ", cut behind packet ", cut)
			if len(got) != len(whole) && again(t, parts) {
				continue
			}
			if len(got) != len(whole) {
				t.Errorf("%s: %d rows, of the whole %d\n%s", where, len(got), len(whole), bytes.Join(parts, []byte("\n")))
				continue
			}
			for _, w := range whole {
				i := slices.IndexFunc(got, func(r row) bool {
					return r.text("community_id") == w.text("community_id") && r["first_time"] == w["first_time"]
				})
				if i < 0 && again(t, parts) {
					continue
				}
				if i < 0 {
					t.Errorf("%s: no row of connection %d in\n%s", where, w.number("conn"), mergedRows(t, parts...))
					continue
				}
				if got[i].text("transport") == "quic" && got[i]["parts"] == nil {
					continue // the other part has no packets of it but those with short headers, which nobody can tell
				}
				unknown := strings.Split(got[i].text("not_known"), ",")
				for _, c := range rows.Columns(rows.Connections) {
					if slices.Contains(within, c.Name) || c.Name == "not_known" || c.Name == "parts" {
						continue
					}
					all++
					if slices.Contains(unknown, c.Name) {
						if got[i][c.Name] != nil {
							t.Errorf("%s: %s is not known, and %v", where, c.Name, got[i][c.Name])
						}
						continue
					}
					known++
					if w["resumed"] == true && got[i]["parts"] == nil && (got[i].text("sealed_why") == "resumed" || c.Name == "resumed_state" || strings.Contains(c.Name, "proofs") || strings.Contains(c.Name, "not_checkable")) {
						continue // what it takes up is in another part
					}
					if got[i][c.Name] != w[c.Name] {
						t.Errorf("%s: connection %d: %s is %v, of the whole %v", where, w.number("conn"), c.Name, got[i][c.Name], w[c.Name])
					}
				}
			}
		}
	}
	for _, file := range recordings(t) {
		packets, secrets := pcaptest.Of(t, file, 1000)
		join(filepath.Base(file), packets, secrets)
	}
	for _, stem := range overUDP(t) {
		packets, secrets := pcaptest.Keyed(t, stem)
		join(filepath.Base(stem), packets, secrets)
	}
	t.Logf("%d of %d values are known", known, all)
	if known*3 < all {
		t.Errorf("%d of %d values are known", known, all)
	}
}

// again tells whether over UDP a client that had got no answer, or was asked for it, began
// once more in a later part: nothing need tell that from another connection.
func again(t *testing.T, parts [][]byte) bool {
	for _, p := range parts[1:] {
		for _, r := range parsed(t, p) {
			if r["open_start"] == false && r["transport"] != "tcp" {
				return true
			}
		}
	}
	return false
}

// overUDP are recordings of QUIC and DTLS with their keys, by their stems.
func overUDP(t *testing.T) (stems []string) {
	t.Helper()
	for _, of := range []string{"quic", "dtls"} {
		for _, file := range must(filepath.Glob("../../capture/testdata/" + of + "/*.pcap")) {
			stems = append(stems, strings.TrimSuffix(file, ".pcap"))
		}
	}
	return stems
}

// TestMergeLaws: in which order tables are merged, which of them were merged before, and
// whether one is there twice makes no difference to a byte.
func TestMergeLaws(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var packets []pcaptest.Packet
	var secrets []keys.Secret
	for i, file := range recordings(t) {
		if i%6 > 0 {
			continue
		}
		of, with := pcaptest.Of(t, file, 1000)
		for _, p := range of {
			client := 16
			if p.FromClient() {
				client = 12
			}
			binary.BigEndian.PutUint32(p.IP[client:], 10<<24+uint32(i))
		}
		packets, secrets = append(packets, of...), append(secrets, with...)
	}
	slices.SortStableFunc(packets, func(a, b pcaptest.Packet) int { return int(a.Time - b.Time) })
	var tables [][]byte
	const parts = 7
	for i := range parts {
		tables = append(tables, rowsOf(t, packets[len(packets)*i/parts:len(packets)*(i+1)/parts], secrets))
	}
	// One is read once more without keys, and rows that come from no file have no capture.
	tables = append(tables, rowsOf(t, packets[:len(packets)/parts], nil))
	tables = append(tables, rows1(t, tables[2]))
	want := mergedRows(t, tables...)
	if n := bytes.Count(want, []byte(`"not_known":"`)); n < 10 {
		t.Errorf("%d rows are joined", n)
	}
	for round := range 5 {
		pool := slices.Clone(tables)
		for range rng.IntN(4) { // the same twice
			pool = append(pool, pool[rng.IntN(len(pool))])
		}
		rng.Shuffle(len(pool), func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
		for len(pool) > 1 {
			n := min(len(pool), 2+rng.IntN(3))
			m := mergedRows(t, pool[:n]...)
			pool = append(pool[n:], m)
			rng.Shuffle(len(pool), func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
		}
		if got := mergedRows(t, pool[0]); !bytes.Equal(got, want) {
			t.Fatalf("round %d: other bytes:\n%s\nand\n%s", round, got, want)
		}
	}
}

// rows1 are rows as of standard input.
func rows1(t *testing.T, table []byte) []byte {
	t.Helper()
	var out []byte
	for line := range bytes.Lines(table) {
		from := bytes.Index(line, []byte(`"capture_sha256":"`)) + len(`"capture_sha256":`)
		out = append(append(append(out, line[:from]...), "null"...), line[from+66:]...)
	}
	return out
}

// TestMergeMuch: what does not fit into memory is merged as the rest is.
func TestMergeMuch(t *testing.T) {
	table := told(t, story.ViewOptions{Rows: rows.Connections, Format: "json"}, nil, "../story/testdata/demo.pcapng")
	var many []byte
	for i := range 150 {
		for line := range bytes.Lines(table) {
			many = append(many, bytes.Replace(line, []byte(`"capture_sha256":null`), fmt.Appendf(nil, `"capture_sha256":"%d"`, i*7919%150), 1)...)
		}
	}
	small := rows.Merger{Scratch: func() (*os.File, error) { return os.CreateTemp(t.TempDir(), "") }}
	defer small.Close()
	rows.HoldAtMost(&small, 1<<17)
	if err := small.Add(bytes.NewReader(many)); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := small.Finish(&got, "json"); err != nil {
		t.Fatal(err)
	}
	want := mergedRows(t, many)
	if !bytes.Equal(got.Bytes(), want) || len(want) != len(many) {
		t.Errorf("%d bytes, expected %d of %d", got.Len(), len(want), len(many))
	}
}

// TestMergeTables: certificates and findings are merged too, but not with one another; a
// line that is none of a table is named.
func TestMergeTables(t *testing.T) {
	read := func(table string, files ...string) []byte {
		var out []byte
		for _, file := range files {
			out = append(out, told(t, story.ViewOptions{Rows: table, Format: "json", Source: rows.Source{Capture: file, File: file}}, nil, file)...)
		}
		return out
	}
	files := recordings(t)[:12]
	for _, table := range rows.Tables {
		got := mergedRows(t, read(table, files...), read(table, files[3:]...))
		seen := map[string]int{}
		for _, r := range parsed(t, got) {
			if table == rows.Certificates {
				seen[r.text("sha256")]++
			} else {
				seen[fmt.Sprint(r)]++
			}
		}
		if n := slices.Max(slices.Collect(maps.Values(seen))); n != 1 {
			t.Errorf("%s: a row is there %d times", table, n)
		}
		want := mergedRows(t, read(table, files...))
		if !bytes.Equal(got, want) {
			t.Errorf("%s: merged with some of itself, it is\n%s, not\n%s", table, got, want)
		}
	}
	m := rows.Merger{}
	if err := m.Add(bytes.NewReader(read(rows.Findings, files...))); err != nil {
		t.Error(err)
	}
	for _, wrong := range []string{"x", "{}", `[1]`, string(read(rows.Connections, files[0])), `{"kind":"check","rows_version":2}`, `{"kind":1,"rows_version":1}`, `{"kind":"check","rows_version":1,"next":2}`} {
		if err := m.Add(strings.NewReader("\n" + wrong)); err == nil || !strings.HasPrefix(err.Error(), "line 2: ") {
			t.Errorf("%.40s: %v", wrong, err)
		}
	}
}

// TestMergeCaptures: rows of all captures beside the project agree with their events. Merged in
// any order they give the same bytes, and rows of whole connections are as they were.
func TestMergeCaptures(t *testing.T) {
	if !*large {
		return
	}
	files := must(filepath.Glob("../../../shared/captures/*/*.pcap*"))
	var tables [][]byte
	whole := map[string]bool{}
	read := map[string]bool{}
	for _, file := range files {
		lines, err := tell(t, story.ViewOptions{Format: "json"}, nil, file)
		if err != nil {
			continue // nothing to tell is in it, or it is no capture
		}
		of := map[string][]row{}
		for _, table := range rows.Tables {
			of[table] = parsed(t, told(t, story.ViewOptions{Rows: table, Format: "json"}, nil, file))
		}
		agree(t, file, lines, of)
		capture := story.Digest([]string{file})
		if read[capture] {
			continue // the same under another name
		}
		read[capture] = true
		table := told(t, story.ViewOptions{Rows: rows.Connections, Format: "json", Source: rows.Source{Capture: capture}}, nil, file)
		tables = append(tables, table)
		for line := range bytes.Lines(table) {
			if r := parsed(t, line)[0]; r["open_start"] == false && r["open_end"] == false {
				whole[string(line)] = true
			}
		}
	}
	got := mergedRows(t, tables...)
	for line := range bytes.Lines(got) {
		delete(whole, string(line))
	}
	for line := range whole {
		t.Errorf("not among the merged rows: %s", line)
	}
	slices.Reverse(tables)
	if !bytes.Equal(mergedRows(t, append(tables, got)...), got) {
		t.Error("in another order, with itself, it is another table")
	}
	t.Logf("%d captures, %d rows", len(tables), bytes.Count(got, []byte("\n")))
}
