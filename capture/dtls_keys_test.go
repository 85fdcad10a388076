package capture_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
)

// secretsOf are the lines of a key log.
func secretsOf(t testing.TB, log []byte) (secrets []keys.Secret) {
	t.Helper()
	if err := keys.ReadLog(bytes.NewReader(log), func(s keys.Secret) { secrets = append(secrets, s) }); err != nil {
		t.Fatal(err)
	}
	return secrets
}

// keyed are inputs with all secrets before them.
func keyed(secrets []keys.Secret, inputs []capture.Input) (out []capture.Input) {
	for i := range secrets {
		out = append(out, &secrets[i])
	}
	return append(out, inputs...)
}

// opensDTLS opens a connection of some handshakes on which each side says 12 bytes of text, and then that it closes.
func opensDTLS(t testing.TB, inputs []capture.Input, secrets []keys.Secret, handshakes int) []capture.Message {
	t.Helper()
	all := fed(&capture.Decoder{SecretsFirst: true}, keyed(secrets, inputs))
	tilesUDP(t, all)
	var finished, data, closed [2]int
	for _, m := range all {
		switch b := m.Body.(type) {
		case *handshake.Finished:
			if m.Opened && m.By == secrets[len(secrets)-1].Label {
				finished[m.Side]++
			}
		case *capture.AppData:
			if m.Opened {
				data[m.Side] += b.Len
			}
		case *capture.Alert:
			if m.Opened && b.Description == 0 {
				closed[m.Side]++
			}
		case *capture.Sealed:
			t.Errorf("%v: %d records stayed sealed: %s", m.Side, b.Records, b.Reason)
		case *capture.DTLSRecord:
			if b.Doubled {
				t.Errorf("%v: a record came twice", m.Side)
			}
		}
	}
	if want := [2]int{handshakes, handshakes}; finished != want || closed[capture.Client] != 1 || data != [2]int{12, 12} {
		t.Errorf("opened Finished %v, bytes of data %v, close_notify %v", finished, data, closed)
	}
	return all
}

// handshakesIn is how many handshakes a recording has.
func handshakesIn(name string) int {
	if name == "dtls12-renegotiation" {
		return 2
	}
	return 1
}

// dtlsRecordings are recordings of openssl with itself, made by go test ./capture -run TestOpensslDTLS -record-dtls,
// and one of github.com/pion/dtls/v3 with itself, with connection IDs and padding. In one
// of openssl two datagrams were lost on their way, and one has a second handshake.
func dtlsRecordings(t testing.TB, each func(name string, inputs []capture.Input, secrets []keys.Secret)) {
	t.Helper()
	eachKeyed(t, "dtls", 9, each)
}

// TestDTLSKeysAtAnyTime: whenever the lines of a key log come, each side's messages are the same.
func TestDTLSKeysAtAnyTime(t *testing.T) {
	dtlsRecordings(t, func(name string, inputs []capture.Input, secrets []keys.Secret) {
		var logs [][]keys.Secret
		if handshakesIn(name) == 1 {
			logs = slices.Collect(slices.Chunk(secrets, 1)) // of RSA key transport two lines say the same
		} else {
			logs = [][]keys.Secret{slices.DeleteFunc(secrets, func(s keys.Secret) bool { return s.Label != "CLIENT_RANDOM" })}
		}
		for _, line := range logs {
			want := ofSides(opensDTLS(t, inputs, line, handshakesIn(name)))
			for at := range len(inputs) + 1 {
				got := fed(new(capture.Decoder), slices.Insert(slices.Clone(inputs), at, keyed(line, nil)...))
				tilesUDP(t, got)
				for who, ms := range ofSides(got) {
					if !reflect.DeepEqual(ms, want[who]) {
						t.Fatalf("%s, %s before input %d: other messages of %s", name, line[0].Label, at, who)
					}
				}
			}
		}
	})
}

// TestDTLSDamaged: of datagrams that are lost, doubled, cut or in another order, nothing is
// opened that was not said, no data are told twice, and what is opened of the handshake is in
// the numbers' order but for what came late.
func TestDTLSDamaged(t *testing.T) {
	dtlsRecordings(t, func(name string, inputs []capture.Input, secrets []keys.Secret) {
		for seed := range uint64(200) {
			rng := rand.New(rand.NewPCG(seed, 7))
			damaged := damagedDatagrams(rng, inputs)
			d := &capture.Decoder{SecretsFirst: seed%2 == 0}
			all := fed(d, keyed(secrets, damaged))
			tilesUDP(t, all)
			var finished, data [2]int
			for _, m := range all {
				switch b := m.Body.(type) {
				case *handshake.Finished:
					finished[m.Side]++
				case *capture.AppData:
					data[m.Side] += b.Len
				case *capture.Malformed:
					t.Errorf("%s, seed %d: %+v", name, seed, b)
				}
			}
			for side := range 2 {
				if finished[side] > handshakesIn(name) || data[side] > 12 {
					t.Errorf("%s, seed %d: %d Finished and %d bytes of data", name, seed, finished[side], data[side])
				}
			}
		}
	})
}

// damagedDatagrams loses, doubles and moves some of the datagrams.
func damagedDatagrams(rng *rand.Rand, inputs []capture.Input) (out []capture.Input) {
	for _, in := range inputs {
		if _, ok := in.(*capture.Datagram); !ok {
			out = append(out, in)
			continue
		}
		for range max(0, rng.IntN(8)-4) * rng.IntN(2) {
			out = append(out, in)
		}
		if rng.IntN(8) > 0 {
			out = append(out, in)
		}
		if n := len(out); n > 2 && rng.IntN(4) == 0 {
			if _, ok := out[n-2].(*capture.Datagram); ok {
				out[n-1], out[n-2] = out[n-2], out[n-1]
			}
		}
	}
	return out
}

// eachKeyed gives the recordings of a folder of testdata, each with the key log beside it.
func eachKeyed(t testing.TB, folder string, least int, each func(name string, inputs []capture.Input, secrets []keys.Secret)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.pcap"))
	if err != nil || len(files) < least {
		t.Fatal(files, err)
	}
	for _, path := range files {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		log, err := os.ReadFile(strings.TrimSuffix(path, "pcap") + "keys")
		if err != nil {
			t.Fatal(err)
		}
		each(strings.TrimSuffix(filepath.Base(path), ".pcap"), datagramsOf(t, file), secretsOf(t, log))
	}
}

// dtls13 gives recordings of github.com/pion/dtls/v4 with itself in DTLS 1.3 (bench/dtls makes
// them), and one connection of wolfSSL that stands beside the project on some machines.
func dtls13(t *testing.T, each func(name string, inputs []capture.Input, secrets []keys.Secret)) {
	t.Helper()
	eachKeyed(t, "dtls13", 8, each)
	file, err := os.ReadFile(filepath.Join(realCaptures(t), "nDPI", "dtls.pcap"))
	if err != nil {
		return
	}
	var secrets []keys.Secret
	var inputs []capture.Input
	for _, in := range datagramsOf(t, file) {
		switch in := in.(type) {
		case *keys.Secret:
			secrets = append(secrets, *in)
		case *capture.Open:
			if in.Conn == 3 {
				inputs = append(inputs, in)
			}
		case *capture.Datagram:
			if in.Conn == 3 {
				inputs = append(inputs, in)
			}
		}
	}
	each("wolfSSL", inputs, secrets)
}

// TestDTLS13 opens connections in DTLS 1.3: whenever the key log comes, each side's messages are
// the same, and damage makes nothing come twice.
func TestDTLS13(t *testing.T) {
	// told are a connection's Finished messages and bytes of data, and the records that stayed sealed.
	told := func(name string, all []capture.Message) (finished, data [2]int, sealed int) {
		tilesUDP(t, all)
		for _, m := range all {
			switch b := m.Body.(type) {
			case *handshake.Finished:
				finished[m.Side]++
			case *capture.AppData:
				data[m.Side] += b.Len
			case *capture.Sealed:
				sealed += b.Records
			case *capture.Malformed:
				t.Errorf("%s: %+v", name, b)
			}
		}
		return finished, data, sealed
	}
	dtls13(t, func(name string, inputs []capture.Input, secrets []keys.Secret) {
		size := [2]int{12, 12}
		if name == "wolfSSL" {
			size = [2]int{14, 22}
		}
		all := fed(&capture.Decoder{SecretsFirst: true}, keyed(secrets, inputs))
		if finished, data, sealed := told(name, all); finished != [2]int{1, 1} || data != size || sealed != 0 {
			t.Errorf("%s: %v Finished, %v bytes of data, %d records sealed", name, finished, data, sealed)
		}
		want := ofSides(all)
		for at := range len(inputs) + 1 {
			got := fed(new(capture.Decoder), slices.Insert(slices.Clone(inputs), at, keyed(secrets, nil)...))
			for who, ms := range ofSides(got) {
				if !reflect.DeepEqual(ms, want[who]) {
					t.Fatalf("%s: lines before input %d: other messages of %s", name, at, who)
				}
			}
		}
		for seed := range uint64(100) {
			damaged := damagedDatagrams(rand.New(rand.NewPCG(seed, 13)), inputs)
			finished, data, _ := told(name, fed(&capture.Decoder{SecretsFirst: seed%2 == 0}, keyed(secrets, damaged)))
			if finished[0] > 1 || finished[1] > 1 || data[0] > size[0] || data[1] > size[1] {
				t.Errorf("%s, seed %d: %v Finished, %v bytes of data", name, seed, finished, data)
			}
		}
	})
}
