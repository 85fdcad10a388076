package story

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"explainer/annotate/event"
	"explainer/capture"
)

var (
	update    = flag.Bool("update", false, "write what the tests compare with anew")
	everyByte = flag.Bool("every-byte", false, "flip every byte of the map of broken bytes, not a fortieth of them")
)

// mapped are the kinds of connection whose handshakes are flipped.
var mapped = []struct {
	title, file string
	conn        int
}{
	{"TLS 1.3, full", "tls13-aes128-gcm", 1},
	{"TLS 1.3 after a HelloRetryRequest", "tls13-hrr", 1},
	{"TLS 1.3, taking up an earlier connection (PSK with a fresh exchange)", "tls13-psk-dhe", 2},
	{"TLS 1.2, RSA key transport", "tls12-rsa-aes128-gcm", 1},
	{"TLS 1.2, ECDHE", "tls12-ecdhe-chacha20", 1},
	{"TLS 1.3, both sides with certificates", "tls13-client-certificate", 1},
	{"TLS 1.2, both sides with certificates", "tls12-client-certificate", 1},
}

// A flipped is a byte of a handshake.
type flipped struct {
	side           capture.Side
	at             int64
	packet, offset int
	inside         bool
	was            byte
	event          *event.Event
}

// handshakeBytes are the bytes of a specimen's handshake, on the wire and inside.
func (s *Specimen) handshakeBytes() (all []flipped) {
	end := [2]int64{}
	for _, e := range s.Events() {
		if e.Conn == s.Conn && e.Bytes != nil && (e.Topic == event.TopicFinished) {
			side := capture.Client
			if e.From == "server" {
				side = capture.Server
			}
			end[side] = max(end[side], e.Bytes.End)
		}
	}
	for _, side := range []capture.Side{capture.Client, capture.Server} {
		offsets := map[int]int{}
		for _, p := range s.stretches(side) {
			packet := s.inputs[p.input].(*capture.Chunk).Packet
			for i, b := range p.data {
				if at := p.at + int64(i); at < end[side] {
					all = append(all, flipped{side, at, packet, offsets[packet] + i, false, b, s.eventAt(at, side.String())})
				}
			}
			offsets[packet] += len(p.data)
		}
		inside := map[int]int{}
		for _, r := range s.unchanged().records {
			if r.Side != side || r.Span.Start >= end[side] || r.Type != recordHandshake {
				continue
			}
			packet := 0
			for _, p := range s.stretches(side) {
				if r.Span.End > p.at && r.Span.End <= p.at+int64(len(p.data)) {
					packet = s.inputs[p.input].(*capture.Chunk).Packet
				}
			}
			for i, b := range r.Plain {
				at := r.Content + int64(i)
				all = append(all, flipped{side, at, packet, inside[packet] + i, true, b, s.eventAt(at, side.String())})
			}
			inside[packet] += len(r.Plain)
		}
	}
	return all
}

// outcome is what a change of one byte came to, in a line: the proofs that broke, or why none did.
func outcome(c *event.Comparison) string {
	by := map[event.ProofState][]string{}
	ofRecords := func(p event.ProofChange) bool {
		return strings.HasSuffix(p.ID, "-records") || strings.HasSuffix(p.ID, "-first-record")
	}
	// What comes behind the handshake is of no interest where that is broken itself.
	more := slices.ContainsFunc(c.Proofs, func(p event.ProofChange) bool { return p.Broken() && p.Conn == c.Conn && !ofRecords(p) })
	for _, p := range c.Proofs {
		if p.Broken() && p.Conn == c.Conn && !(more && ofRecords(p)) {
			state := p.Is
			if !slices.Contains(by[state], p.ID) {
				by[state] = append(by[state], p.ID)
			}
		}
	}
	var parts []string
	for _, state := range []event.ProofState{event.Refuted, event.NotCheckable, ""} {
		if len(by[state]) > 0 {
			parts = append(parts, map[event.ProofState]string{event.Refuted: "refuted", event.NotCheckable: "not checkable", "": "not told"}[state]+": "+strings.Join(by[state], ", "))
		}
	}
	if len(parts) == 0 {
		for _, s := range c.Says {
			parts = append(parts, s.ID)
		}
	}
	return strings.Join(parts, "; ")
}

// A mapRow is what a change of bytes comes to, as the page says it.
type mapRow struct{ side, message, part, breaks, noticed string }

func (r mapRow) inside() bool { return r.part == insideRow }

const insideRow = "inside, sealed again"

// rowOf flips the lowest bit of a byte.
func rowOf(t *testing.T, s *Specimen, f flipped) mapRow {
	c := broke(t, s, Flip{f.packet, f.offset, f.was ^ 1, f.inside})
	r := mapRow{side: f.side.String(), message: cmp.Or(c.Place.Name, "-"), part: "message", breaks: outcome(c), noticed: noticed(alerts(c))}
	if part := map[string]string{"type": "record: type", "version": "record: version", "length": "record: length", "change-cipher-spec": "content", "sealed": "encrypted"}[c.Place.Part]; part != "" {
		r.part = part
	}
	if f.inside {
		r.part = insideRow
	}
	if reason, _, _ := strings.Cut(r.breaks, ";"); strings.HasPrefix(reason, "break-") {
		r.breaks = cmp.Or(reasons[reason], reason)
	}
	return r
}

// reasons are why a byte can break nothing. Any other is none.
var reasons = map[string]string{
	"break-record-version-12": "nothing: the version is in no Finished",
	"break-record-version-13": "nothing: the version is nobody's to check",
}

// noticed are the sides and their alerts, each once.
func noticed(alerts []string) string {
	var list []string
	for _, a := range alerts {
		if by, alert, _ := strings.Cut(a, " "); alert == "" {
			a = by + " (no alert of its own)"
		}
		if !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return cmp.Or(strings.Join(list, ", "), "-")
}

const mapPage = "../../docs/break-it.md"

// TestMap: each byte of seven handshakes whose change breaks no proof has a true reason for it,
// and what a change comes to is what docs/break-it.md says.
//
//	go test ./annotate/story -run TestMap -update      writes the page anew, from every byte
//	go test ./annotate/story -run TestMap -every-byte  holds every byte against it
func TestMap(t *testing.T) {
	if *update {
		if err := os.WriteFile(mapPage, []byte(pageOf(t)), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(mapPage)
	if err != nil {
		t.Fatal(err)
	}
	said := readPage(t, string(page))
	for i, m := range mapped {
		t.Run(m.file, func(t *testing.T) {
			t.Parallel()
			s := specimen(t, filepath.Join(recordings, m.file+".pcapng"), m.conn, 0)
			random := rand.New(rand.NewPCG(1, uint64(i)))
			all := s.handshakeBytes()
			if len(all) != len(said[m.file]) {
				t.Errorf("the page has %d bytes, the handshake %d", len(said[m.file]), len(all))
			}
			for _, f := range all {
				if !*everyByte && random.IntN(40) != 0 {
					continue
				}
				have, want := rowOf(t, s, f), said[m.file][byteName{f.inside, f.packet, f.offset}]
				if have != want {
					t.Errorf("byte %d of packet %d:\nhave %v\nwant %v", f.offset, f.packet, have, want)
				}
				if strings.HasPrefix(have.breaks, "break-") {
					t.Errorf("no true reason is known why nothing breaks: byte %d of packet %d: %v", f.offset, f.packet, have)
				}
				if !*everyByte {
					continue
				}
				// Another bit breaks something too, or the same reason holds.
				if o := outcome(broke(t, s, Flip{f.packet, f.offset, f.was ^ 0x80, f.inside})); strings.HasPrefix(o, "break-") && reasons[strings.Split(o, ";")[0]] == "" {
					t.Errorf("the highest bit of byte %d of packet %d breaks nothing: %v", f.offset, f.packet, have)
				}
			}
		})
	}
}

// A byteName finds a byte on the page.
type byteName struct {
	inside         bool
	packet, offset int
}

// readPage reads the map back.
func readPage(t *testing.T, page string) map[string]map[byteName]mapRow {
	t.Helper()
	all := map[string]map[byteName]mapRow{}
	var rows map[byteName]mapRow
	for line := range strings.Lines(page) {
		if file, _, is := strings.Cut(line, ".pcapng, connection "); is {
			rows = map[byteName]mapRow{}
			all[file] = rows
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if rows == nil || len(cells) != 6 || !strings.Contains(cells[3], ":") || strings.Contains(cells[3], "bytes") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		r := mapRow{cells[0], cells[1], cells[2], cells[4], cells[5]}
		packet := 0
		for _, span := range strings.Split(cells[3], ", ") {
			if p, rest, is := strings.Cut(span, ":"); is {
				packet, _ = strconv.Atoi(p)
				span = rest
			}
			from, to, is := strings.Cut(span, "–")
			if !is {
				to = from
			}
			a, err1 := strconv.Atoi(from)
			b, err2 := strconv.Atoi(to)
			if err1 != nil || err2 != nil {
				t.Fatalf("a row of the map: %s", line)
			}
			for ; a <= b; a++ {
				rows[byteName{r.inside(), packet, a}] = r
			}
		}
	}
	return all
}

const pageHead = `# Break it: what notices a changed byte

Change a byte of a recorded connection, leave a key away or show another certificate, and see which proofs break.
(This page is written by ` + "`go test ./annotate/story -run TestMap -update`" + `.)

## Try it

    # not run: packets of your own capture
    explainer read --flip 4:60=ff capture.pcapng             a byte on the wire: byte 60 of packet 4, counted from 0
    explainer read --flip 5:480=ff --inside capture.pcapng   a byte of what is encrypted there, sealed again with the recorded key
    explainer read --without SERVER_HANDSHAKE_TRAFFIC_SECRET capture.pcapng
    explainer read --chain-of 7 --connection 3 capture.pcapng

A copy of the connection, and of those that its story depends on, is changed and told by the same program; -v and -vv tell the copy's own story before the comparison, and --format json
has both ([json.md](json.md)). *On the wire* OFFSET counts in the bytes of TCP (or UDP) that the packet brought first: of what a packet repeats, the first packet that brought it has the
byte. *Inside* it counts in the contents of the encrypted records that end in the packet, one behind the other, without headers, nonces, tags, padding and TLS 1.3's content type. Records
of suites with an AEAD, of CBC with an IV in each record (TLS 1.1 and later) and of RC4 can be sealed again; those of CBC in TLS 1.0 hang together and cannot, nor can QUIC and DTLS.
--without takes a label of the key log, or PRIVATE_KEY for the keys of --key. --chain-of shows the client the certificates that the server of another connection in the same file sent.

Which check would notice, and with which alert, is what the rules say. Nobody asks an endpoint: one may check less than it should, send another alert or none, or have answered the changed
bytes otherwise, before that check.

## The map

In these handshakes of the tests, up to both Finished, the lowest bit of every byte was flipped: on the wire, and inside what is encrypted. Either a proof breaks or there is a reason
why none can. *Refuted*: it is shown not to hold. *Not checkable*: what it needs cannot be read any more. *Not told*: the message that it is about cannot be read, or is not found. Proofs about data are left out
where one about the handshake breaks.
"Noticed by" is the side and the alert, in the order in which the checks are reached. %d bytes on the wire and %d inside; %d of them break nothing.

Nothing breaks where the version in the header of a record that is not encrypted has another number. In TLS 1.3 it must be ignored for all purposes (RFC 8446 5.1), and in none of the
versions is it in a Finished (RFC 5246 7.4.9, RFC 8446 4.4.1). Once a record is encrypted the version is protected with it. Until it has read that the server chose TLS 1.3, this reader stops at versions that do not exist.
` + "`" + `NewSessionTicket` + "`" + ` in TLS 1.3 stands behind both Finished, and so not in this map: on the wire its tag breaks; inside, sealed again, nothing of this connection covers it.
`

// pageOf flips every byte of all handshakes, and writes what it came to.
func pageOf(t *testing.T) string {
	wire, inside, nothing := 0, 0, 0
	var tables strings.Builder
	for _, m := range mapped {
		fmt.Fprintf(&tables, "\n### %s\n\n%s.pcapng, connection %d\n\n| from | message | part | packet:bytes | what breaks | noticed by |\n|---|---|---|---|---|---|\n", m.title, m.file, m.conn)
		s := specimen(t, filepath.Join(recordings, m.file+".pcapng"), m.conn, 0)
		type run struct{ packet, from, to int }
		var rows []mapRow
		runs := map[mapRow][]run{}
		for _, f := range s.handshakeBytes() {
			r := rowOf(t, s, f)
			if f.inside {
				inside++
			} else {
				wire++
			}
			if strings.HasPrefix(r.breaks, "nothing") {
				nothing++
			}
			if runs[r] == nil {
				rows = append(rows, r)
			}
			if n := len(runs[r]) - 1; n >= 0 && runs[r][n].packet == f.packet && runs[r][n].to+1 == f.offset {
				runs[r][n].to++
				continue
			}
			runs[r] = append(runs[r], run{f.packet, f.offset, f.offset})
		}
		for _, r := range rows {
			var list []string
			packet := 0
			for _, x := range runs[r] {
				span := strconv.Itoa(x.from)
				if x.to > x.from {
					span += "–" + strconv.Itoa(x.to)
				}
				if x.packet != packet {
					span, packet = strconv.Itoa(x.packet)+":"+span, x.packet
				}
				list = append(list, span)
			}
			fmt.Fprintf(&tables, "| %s | %s | %s | %s | %s | %s |\n", r.side, r.message, r.part, strings.Join(list, ", "), r.breaks, r.noticed)
		}
	}
	return fmt.Sprintf(pageHead, wire, inside, nothing) + tables.String()
}
