package capture_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"explainer/capture"
	"explainer/capture/fingerprint"
	"explainer/capture/handshake"
	"explainer/capture/keys"
	"explainer/capture/pcap"
	"explainer/capture/quic"
	"explainer/capture/web"
)

var (
	tsharkFile = flag.String("tshark-file", "", "compare only captures whose name this `expression` matches, and print every difference")
	tsharkAll  = flag.Bool("tshark-all", false, "run tshark for every capture, and write down which readings were compared")
)

// comparedFile lists, by capture, a hash of what was compared: the capture and its
// keys, our reading, and the differences that are listed. tshark takes a second of
// processor time to start, so it is not asked a second time about the same.
const comparedFile = "testdata/tshark.compared"

// comparedHash hashes what the outcome of a comparison depends on.
func comparedHash(t *testing.T, path string, k keysOf, ours reading, want map[string][2]string) string {
	t.Helper()
	h := sha256.New()
	for _, name := range append([]string{path, k.log}, k.private...) {
		if name == "" {
			continue
		}
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(h, "%d %s\n", len(file), file)
	}
	fmt.Fprintln(h, columns, tsharkFilter, ofHello)
	if err := json.NewEncoder(h).Encode([]any{ours, want}); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// readCompared reads comparedFile: hashes by name.
func readCompared(t *testing.T) map[string]string {
	t.Helper()
	file, err := os.ReadFile(comparedFile)
	if err != nil {
		t.Fatal(err)
	}
	compared := map[string]string{}
	for line := range strings.Lines(string(file)) {
		if hash, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok && hash != "#" {
			compared[name] = hash
		}
	}
	return compared
}

// A reading is what a capture holds, by direction ("10.0.0.1:50000 > 10.0.0.2:443",
// or "UDP" for all of QUIC and DTLS) and column, each in the order in which it was completed.
type reading map[string]map[string][]string

func (r reading) add(direction, column string, values ...string) {
	if len(values) == 0 {
		return
	}
	if r[direction] == nil {
		r[direction] = map[string][]string{}
	}
	r[direction][column] = append(r[direction][column], values...)
}

// columns are what is compared: a name, and the fields of tshark that hold it.
var columns = []struct {
	name   string
	fields []string
}{
	{"messages", []string{"tls.handshake.type"}},
	{"versions", []string{"tls.handshake.version"}}, // of both Hellos, as they stand in their first bytes
	{"supported versions", []string{"tls.handshake.extensions.supported_version"}},
	{"suites", []string{"tls.handshake.ciphersuite"}},
	{"server name", []string{"tls.handshake.extensions_server_name"}},
	{"ALPN", []string{"tls.handshake.extensions_alpn_str"}},
	{"serials", []string{"x509af.serialNumber"}},
	{"JA3", []string{"tls.handshake.ja3"}},
	{"JA3S", []string{"tls.handshake.ja3s"}},
	{"alerts", []string{"tls.alert_message.desc"}}, // in clear or opened
	{"alert levels", []string{"tls.alert_message.level"}},
	{"method", []string{"http.request.method", "http2.headers.method"}},
	{"target", []string{"http.request.uri", "http2.headers.path"}},
	{"host", []string{"http.host", "http2.headers.authority"}},
	{"status", []string{"http.response.code", "http2.headers.status"}},
}

// timed are the columns of which the times are compared too, where their values are equal.
var timed = []string{"messages", "alerts", "method", "status"}

const timesOf = "times of "

const (
	tsharkFilter = "tls.handshake.type || tls.alert_message.desc || dtls.handshake.type || quic.version || tls.handshake.ja3 || tls.handshake.ja3s || x509af.serialNumber" +
		" || http.request || http.response || http2.headers.method || http2.headers.status"
	unitSeparator = "\x1f"
)

// keysOf are what both are given to open a capture with.
type keysOf struct {
	log     string // path, or ""
	private []string
}

// tsharkReading is what tshark finds in a capture.
func tsharkReading(t *testing.T, path string, k keysOf) reading {
	t.Helper()
	fields := []string{"_ws.col.Source", "_ws.col.Destination", "tcp.srcport", "tcp.dstport", "quic.version", "frame.time_epoch"} // each once: tshark fills the last of two
	for _, c := range columns {
		fields = append(fields, c.fields...)
	}
	for _, f := range ofHello {
		fields = append(fields, "dtls"+f)
	}
	args := []string{"-n", "-r", path, "-o", "tcp.reassemble_out_of_order:TRUE",
		"-o", "http.desegment_body:FALSE", // else it does not list a response whose end it does not find
		"-Y", tsharkFilter, "-T", "fields", "-E", "aggregator=" + unitSeparator}
	if k.log != "" {
		args = append(args, "-o", "tls.keylog_file:"+k.log)
	}
	for _, key := range k.private {
		password := ""
		if filepath.Ext(key) == ".p12" {
			password = "WebAS"
		}
		args = append(args, "-o", fmt.Sprintf("uat:rsa_keys:%q,%q", key, password))
	}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.Command("tshark", args...)
	home := t.TempDir()
	cmd.Env = append(cmd.Environ(), "HOME="+home, "WIRESHARK_PLUGIN_DIR="+home) // no preferences, and a quicker start
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && !strings.Contains(stderr.String(), "cut short") {
		t.Logf("tshark: %v\n%s", err, stderr.Bytes())
	}
	r := reading{}
	for _, line := range strings.Split(string(out), "\n") {
		row := map[string][]string{}
		for i, column := range strings.Split(line, "\t") {
			if column != "" {
				values := strings.Split(column, unitSeparator)
				for i := range values {
					values[i] = strings.TrimPrefix(values[i], "0x")
				}
				row[fields[i]] = values
			}
		}
		if line == "" {
			continue
		}
		if row["tcp.srcport"] == nil {
			tsharkUDP(r, row)
			continue
		}
		// Of a tunnel, the columns are about what is inside.
		last := func(field string) string { return row[field][len(row[field])-1] }
		direction := address(last("_ws.col.Source"), last("tcp.srcport")) + " > " + address(last("_ws.col.Destination"), last("tcp.dstport"))
		for _, c := range columns {
			for _, f := range c.fields {
				r.add(direction, c.name, row[f]...)
				if slices.Contains(timed, c.name) {
					r.add(direction, timesOf+c.name, slices.Repeat(row["frame.time_epoch"], len(row[f]))...)
				}
			}
		}
	}
	r.once("UDP")
	return r
}

// once makes sets of the columns of a direction, in which retransmissions are not told apart.
func (r reading) once(direction string) {
	for column, list := range r[direction] {
		slices.Sort(list)
		r[direction][column] = slices.Compact(list)
	}
}

func address(ip, port string) string {
	if a, err := netip.ParseAddr(ip); err == nil {
		ip = a.String()
	}
	return ip + " " + port
}

// ofHello are the fields, behind "tls" or "dtls", that a Hello over UDP is told by.
var ofHello = []string{".handshake.type", ".handshake.extensions_server_name", ".handshake.extensions_alpn_str", ".handshake.ciphersuite"}

// tsharkUDP adds what a row tells of QUIC and DTLS.
func tsharkUDP(r reading, row map[string][]string) {
	for _, v := range row["quic.version"] {
		if v != "00000000" {
			r.add("UDP", "QUIC version", v)
		}
	}
	for layer, over := range map[string]string{"tls": "QUIC", "dtls": "DTLS"} {
		types, names, protocols, suites := row[layer+ofHello[0]], row[layer+ofHello[1]], row[layer+ofHello[2]], row[layer+ofHello[3]]
		switch {
		case len(suites) == 0: // no Hello, or a part of one
		case slices.Contains(types, "2") && !slices.Contains(types, "1"):
			r.add("UDP", over+" ServerHello", suites[0])
		default:
			r.add("UDP", over+" ClientHello", fmt.Sprintf("%q %q %s", strings.Join(names, " "), protocols, suites))
		}
	}
	r.add("UDP", "JA3", row["tls.handshake.ja3"]...)
	r.add("UDP", "JA3S", row["tls.handshake.ja3s"]...)
}

// ourReading is what we find in a capture.
func ourReading(t *testing.T, path string, k keysOf, private []*rsa.PrivateKey) reading {
	t.Helper()
	r := reading{}
	d := capture.Decoder{SecretsFirst: true, PrivateKeys: private}
	streams := map[[2]int]*stream{}
	take := func(ms []capture.Message) {
		for i := range ms {
			m := &ms[i]
			switch {
			case m.Conn == nil:
			case m.Conn.Transport == capture.TransportTCP:
				from, to := m.Conn.Client, m.Conn.Server
				if m.Side == capture.Server {
					from, to = to, from
				}
				add(r, fmt.Sprintf("%s > %s", endpoint(from), endpoint(to)), m, streams[[2]int{m.Conn.Number, int(m.Side)}])
			default:
				addUDP(r, m)
			}
		}
	}
	if k.log != "" {
		f, err := os.Open(k.log)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := keys.ReadLog(f, func(s keys.Secret) { d.Feed(&s) }); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if unzipped, err := gzip.NewReader(bytes.NewReader(file)); err == nil {
		if file, err = io.ReadAll(unzipped); err != nil {
			t.Fatal(err)
		}
	}
	// As the program does it, secrets that stand anywhere in the file first.
	for _, secrets := range []bool{true, false} {
		packets, err := pcap.NewReader(bytes.NewReader(file))
		if err != nil {
			return r
		}
		for in, err := range packets.All() {
			if err != nil {
				if !errors.As(err, new(*pcap.CutError)) {
					t.Error(err)
				}
				break
			}
			if _, ok := in.(*capture.Secret); ok != secrets {
				continue
			}
			switch in := in.(type) {
			case *capture.Chunk:
				of(streams, in.Conn, in.Side).take(in)
			case *capture.Gap:
				of(streams, in.Conn, in.Side).next += in.Len
			}
			take(d.Feed(in))
		}
	}
	take(d.Finish())
	r.once("UDP")
	return r
}

func endpoint(a netip.AddrPort) string {
	return address(a.Addr().String(), strconv.Itoa(int(a.Port())))
}

// A stream is what came of one direction, to see where its records end: tshark lists what
// a record holds with the packet that ends it, we with the one that has its last byte.
type stream struct {
	chunks []chunk
	next   int64 // place of the next byte to come
	record int64 // where the record ends that was looked up last
}

type chunk struct {
	off, time int64
	data      []byte
}

func of(streams map[[2]int]*stream, conn int, side capture.Side) *stream {
	at := [2]int{conn, int(side)}
	if streams[at] == nil {
		streams[at] = &stream{}
	}
	return streams[at]
}

func (s *stream) take(in *capture.Chunk) {
	s.chunks = append(s.chunks, chunk{s.next, in.Time, bytes.Clone(in.Data)})
	s.next += int64(len(in.Data))
}

// at returns the byte at off and when it came, false if it did not.
func (s *stream) at(off int64) (b byte, time int64, ok bool) {
	i, found := slices.BinarySearchFunc(s.chunks, off, func(c chunk, off int64) int { return cmp.Compare(c.off, off) })
	if !found {
		i--
	}
	if i < 0 || off-s.chunks[i].off >= int64(len(s.chunks[i].data)) {
		return 0, 0, false
	}
	return s.chunks[i].data[off-s.chunks[i].off], s.chunks[i].time, true
}

// whole returns when the record was whole in which a span ends, which begins in one or with one.
func (s *stream) whole(span capture.Span) (int64, bool) {
	s.record = max(s.record, span.Start)
	for s.record < span.End {
		high, _, ok := s.at(s.record + 3)
		low, _, ok2 := s.at(s.record + 4)
		if !ok || !ok2 {
			return 0, false
		}
		s.record += 5 + int64(high)<<8 + int64(low)
	}
	_, time, ok := s.at(s.record - 1)
	return time, ok
}

func add(r reading, direction string, m *capture.Message, s *stream) {
	put := func(column string, values ...string) {
		r.add(direction, column, values...)
		if !slices.Contains(timed, column) {
			return
		}
		at := m.Time
		if !m.Inner && column != "method" && column != "status" {
			if whole, ok := s.whole(m.Span); ok {
				at = whole
			}
		}
		r.add(direction, timesOf+column, fmt.Sprintf("%d.%09d", at/1e9, at%1e9))
	}
	four := func(list []uint16) (out []string) {
		for _, n := range list {
			out = append(out, fmt.Sprintf("%04x", n))
		}
		return out
	}
	if h, ok := m.Body.(handshake.Message); ok {
		put("messages", strconv.Itoa(int(h.Type())))
	}
	serials := func(entries []handshake.CertificateEntry) {
		for _, e := range entries {
			if n, ok := serial(e.Data); ok {
				put("serials", n)
			}
		}
	}
	switch b := m.Body.(type) {
	case *capture.Alert:
		put("alerts", strconv.Itoa(int(b.Description)))
		put("alert levels", strconv.Itoa(int(b.Level)))
	case *handshake.ClientHello:
		put("versions", four([]uint16{b.LegacyVersion})...)
		if e := b.Extension(43); e != nil {
			put("supported versions", four(b.Versions())...)
		}
		put("suites", four(b.CipherSuites)...)
		if name := b.ServerName(); name != "" {
			put("server name", name)
		}
		put("ALPN", b.ALPN()...)
		hash, _ := fingerprint.JA3(b)
		put("JA3", hash)
	case *handshake.ServerHello:
		put("versions", four([]uint16{b.LegacyVersion})...)
		if e := b.Extension(43); e != nil {
			if v, ok := e.Value.(handshake.SelectedVersion); ok {
				put("supported versions", four([]uint16{uint16(v)})...)
			}
		}
		put("suites", four([]uint16{b.CipherSuite})...)
		put("ALPN", alpnOf(b.Extensions)...)
		hash, _ := fingerprint.JA3S(b)
		put("JA3S", hash)
	case *handshake.EncryptedExtensions:
		put("ALPN", alpnOf(b.Extensions)...)
	case *handshake.Certificate:
		serials(b.Entries)
	case *handshake.CompressedCertificate:
		if b.Certificate != nil {
			serials(b.Certificate.Entries)
		}
	case *web.Head:
		if b.Request {
			put("method", b.Method)
			put("target", b.Target)
		} else {
			put("status", strconv.Itoa(b.Status))
		}
		if b.Protocol == "HTTP/2" {
			if b.Authority != "" {
				put("host", b.Authority)
			}
			break
		}
		for _, f := range b.Fields {
			if strings.EqualFold(f.Name, "Host") {
				put("host", f.Value)
			}
		}
	}
}

func alpnOf(list []handshake.Extension) (names []string) {
	for _, e := range list {
		if a, ok := e.Value.(handshake.ALPN); ok {
			names = append(names, a...)
		}
	}
	return names
}

// serial is the serial number of a certificate, which may be malformed behind it,
// as tshark shows it: the octets of its INTEGER in hexadecimal (RFC 5280 4.1).
func serial(der []byte) (string, bool) {
	c := cryptobyte.String(der)
	var tbs, number cryptobyte.String
	ok := c.ReadASN1(&c, asn1.SEQUENCE) && c.ReadASN1(&tbs, asn1.SEQUENCE) &&
		tbs.SkipOptionalASN1(asn1.Tag(0).ContextSpecific().Constructed()) && tbs.ReadASN1(&number, asn1.INTEGER)
	return fmt.Sprintf("%x", []byte(number)), ok
}

func addUDP(r reading, m *capture.Message) {
	over := m.Conn.Transport.String()
	switch b := m.Body.(type) {
	case *handshake.ClientHello:
		r.add("UDP", over+" ClientHello", fmt.Sprintf("%q %q %04x", b.ServerName(), b.ALPN(), b.CipherSuites))
		if over == "QUIC" {
			hash, _ := fingerprint.JA3(b)
			r.add("UDP", "JA3", hash)
		}
	case *handshake.ServerHello:
		r.add("UDP", over+" ServerHello", fmt.Sprintf("%04x", b.CipherSuite))
		if over == "QUIC" {
			hash, _ := fingerprint.JA3S(b)
			r.add("UDP", "JA3S", hash)
		}
	case *capture.QUICPacket:
		if b.Version != 0 && b.Kind != quic.Rest {
			r.add("UDP", "QUIC version", fmt.Sprintf("%08x", b.Version))
		}
	}
}

// difference tells by column how many values only we list and only tshark does,
// and gives some of both.
func difference(ours, theirs reading) (found, shown map[string]string) {
	found, shown = map[string]string{}, map[string]string{}
	only, missing, moved := map[string]int{}, map[string]int{}, map[string]int{}
	directions := maps.Clone(ours)
	maps.Copy(directions, theirs)
	for _, d := range slices.Sorted(maps.Keys(directions)) {
		names := maps.Clone(ours[d])
		if names == nil {
			names = map[string][]string{}
		}
		maps.Copy(names, theirs[d])
		for _, column := range slices.Sorted(maps.Keys(names)) {
			a, b := ours[d][column], theirs[d][column]
			of, isTime := strings.CutPrefix(column, timesOf)
			if slices.Equal(a, b) || isTime && !slices.Equal(ours[d][of], theirs[d][of]) {
				continue
			}
			more, less := without(a, b), without(b, a)
			only[column] += len(more)
			missing[column] += len(less)
			if len(more)+len(less) == 0 {
				moved[column]++
			}
			shown[column] += fmt.Sprintf("\n    %s\n      here:   %.900q\n      tshark: %.900q", d, a, b)
		}
	}
	for column := range shown {
		found[column] = fmt.Sprintf("+%d -%d", only[column], missing[column])
		if moved[column] > 0 {
			found[column] += fmt.Sprintf(" order %d", moved[column])
		}
	}
	return found, shown
}

// without returns what of a is not in b; each value of b counts once.
func without(a, b []string) (out []string) {
	have := map[string]int{}
	for _, s := range b {
		have[s]++
	}
	for _, s := range a {
		if have[s]--; have[s] < 0 {
			out = append(out, s)
		}
	}
	return out
}

// listed is testdata/tshark.differences: by capture and column, how many values differ,
// and the name of the reason.
type listed map[string]map[string][2]string

func readListed(t *testing.T) (listed, map[string]string) {
	file, err := os.ReadFile("testdata/tshark.differences")
	if err != nil {
		t.Fatal(err)
	}
	all, reasons, reason := listed{}, map[string]string{}, ""
	for i, line := range strings.Split(string(file), "\n") {
		switch {
		case line == "" || line[0] == '#':
		case !strings.HasPrefix(line, "  "):
			var sentence string
			var ok bool
			reason, sentence, ok = strings.Cut(line, ": ")
			if !ok || reasons[reason] != "" {
				t.Fatalf("testdata/tshark.differences, line %d: no new reason", i+1)
			}
			reasons[reason] = sentence
		default:
			col := strings.Split(strings.TrimSpace(line), "\t")
			if len(col) != 3 || reason == "" {
				t.Fatalf("testdata/tshark.differences, line %d: not a file, a column and a difference", i+1)
			}
			if all[col[0]] == nil {
				all[col[0]] = map[string][2]string{}
			}
			if all[col[0]][col[1]][0] != "" {
				t.Fatalf("testdata/tshark.differences, line %d: a second time", i+1)
			}
			all[col[0]][col[1]] = [2]string{col[2], reason}
		}
	}
	return all, reasons
}

// TestTshark compares what we and tshark list of every capture that there is:
// handshake messages, versions, cipher suites, server names, ALPN, certificates,
// fingerprints, alerts and heads of HTTP, and when messages, alerts and heads were complete. Where they differ, testdata/tshark.differences says why;
// what it says and what is found must be the same.
//
// tshark runs where anything has changed since it was compared last, and for one
// capture in 16 all the same. -tshark-all runs it for all and writes that down.
func TestTshark(t *testing.T) {
	type file struct {
		name, path string
		keys       keysOf
	}
	var files []file
	own, err := filepath.Glob("testdata/recordings/*.pcapng")
	if err != nil || len(own) == 0 {
		t.Fatal("no recordings", err)
	}
	for _, path := range own {
		files = append(files, file{"recordings/" + filepath.Base(path), path, keysOf{}})
	}
	var private []*rsa.PrivateKey
	dir := realCaptures(t)
	if dir == "" {
		t.Log("there is no collection of captures beside the project")
	} else {
		given, err := filepath.Glob(filepath.Join(dir, "private-keys", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range given {
			key, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			found, err := keys.ParsePrivateKeys(key, func() ([]byte, error) { return []byte("WebAS"), nil })
			if err != nil {
				t.Fatal(name, err)
			}
			private = append(private, found...)
		}
		index, err := os.ReadFile(filepath.Join(dir, "INDEX.tsv"))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(index), "\n")[1:] {
			col := strings.Split(line, "\t")
			if len(col) < 6 {
				continue
			}
			f := file{col[0], filepath.Join(dir, col[0]), keysOf{private: given}}
			if _, rest, ok := strings.Cut(col[5], "keylog:"); ok {
				log, _, _ := strings.Cut(rest, ";")
				f.keys.log = filepath.Join(filepath.Dir(f.path), log)
			}
			files = append(files, f)
		}
	}
	want, reasons := readListed(t)
	before, now := readCompared(t), map[string]string{}
	var mu sync.Mutex
	compared, values := 0, 0
	byReason := map[string]int{}
	only := regexp.MustCompile(*tsharkFile)
	t.Run("each", func(t *testing.T) {
		for _, f := range files {
			if !only.MatchString(f.name) {
				continue
			}
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				if _, err := os.Stat(f.path); errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
				ours := ourReading(t, f.path, f.keys, private)
				hash := comparedHash(t, f.path, f.keys, ours, want[f.name])
				if before[f.name] == hash && *tsharkFile == "" && !*tsharkAll && hash[0] != '0' {
					mu.Lock()
					defer mu.Unlock()
					for _, w := range want[f.name] {
						byReason[w[1]]++
					}
					return
				}
				theirs := tsharkReading(t, f.path, f.keys)
				found, shown := difference(ours, theirs)
				mu.Lock()
				defer mu.Unlock()
				compared++
				for _, direction := range theirs {
					for _, list := range direction {
						values += len(list)
					}
				}
				for _, column := range slices.Sorted(maps.Keys(found)) {
					w := want[f.name][column]
					if w[0] != found[column] {
						t.Errorf("%s\t%s\t%s\tlisted: %s%s", f.name, column, found[column], cmp.Or(w[0], "equal"), shown[column])
					} else if *tsharkFile != "" {
						t.Logf("%s\t%s\t%s\t%s%s", f.name, column, found[column], w[1], shown[column])
					}
					byReason[w[1]]++
				}
				for column, w := range want[f.name] {
					if found[column] == "" {
						t.Errorf("%s\t%s\tequal\tlisted: %s", f.name, column, w[0])
					}
				}
				if now[f.name] = hash; before[f.name] != hash && !*tsharkAll && !t.Failed() {
					t.Errorf("tshark was asked again about %s, and all is as listed: write that down with -tshark-all", f.name)
				}
			})
		}
	})
	if *tsharkFile != "" {
		return
	}
	if *tsharkAll && !t.Failed() {
		var b strings.Builder
		b.WriteString("# What TestTshark compared, written by go test ./capture -run TestTshark -tshark-all\n")
		maps.Copy(before, now)
		for _, name := range slices.Sorted(maps.Keys(before)) {
			fmt.Fprintf(&b, "%s %s\n", before[name], name)
		}
		if err := os.WriteFile(comparedFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names := map[string]bool{}
	for _, f := range files {
		names[f.name] = true
	}
	for name := range want {
		if !names[name] && (dir != "" || strings.HasPrefix(name, "recordings/")) {
			t.Errorf("testdata/tshark.differences: there is no %s", name)
		}
	}
	t.Logf("%d captures, %d compared anew; tshark lists %d values; columns that differ, by reason:", len(files), compared, values)
	for _, r := range slices.Sorted(maps.Keys(reasons)) {
		t.Logf("%4d %s: %s", byReason[r], r, reasons[r])
		if dir != "" && byReason[r] == 0 {
			t.Errorf("no difference has the reason %s", r)
		}
	}
}
