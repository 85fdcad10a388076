package capture_test

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
)

// script takes datagrams apart that were written one behind the other: a byte
// with the side and the transport, two bytes with the length, the content.
func datagrams(data []byte) (list []capture.Datagram) {
	for len(data) >= 3 && len(list) < 256 {
		n := min(int(binary.BigEndian.Uint16(data[1:])), len(data)-3)
		list = append(list, capture.Datagram{Conn: 1, Side: capture.Side(data[0] & 1), Packet: len(list) + 1, Data: data[3 : 3+n], Cut: int(data[0] >> 4)})
		data = data[3+n:]
	}
	return list
}

// FuzzUDP feeds a decoder with anything in UDP: no panic, spans without a gap,
// and not more kept than came.
func FuzzUDP(f *testing.F) {
	add := func(transport capture.Transport, sides []byte, contents [][]byte) {
		var all []byte
		for i, c := range contents {
			all = binary.BigEndian.AppendUint16(append(all, sides[i]), uint16(len(c)))
			all = append(all, c...)
		}
		f.Add(byte(transport), all)
	}
	files, err := filepath.Glob("../annotate/testdata/quic-*.hex")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds: ", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		var sides []byte
		var contents [][]byte
		for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
			data, err := hex.DecodeString(line[2:])
			if err != nil {
				f.Fatal(err)
			}
			sides = append(sides, map[byte]byte{'c': 0, 's': 1}[line[0]])
			contents = append(contents, data)
		}
		add(capture.TransportQUIC, sides, contents)
	}
	var lines []keys.Secret
	for _, name := range quicGo {
		inputs, _, secrets := readQUIC(f, name)
		var sides []byte
		var contents [][]byte
		for _, in := range inputs {
			if d, ok := in.(*capture.Datagram); ok && len(sides) < 30 {
				sides, contents = append(sides, byte(d.Side)), append(contents, d.Data)
			}
		}
		lines = append(lines, secrets...)
		add(capture.TransportQUIC, sides, contents)
	}
	dtlsRecordings(f, func(_ string, inputs []capture.Input, secrets []keys.Secret) {
		var sides []byte
		var contents [][]byte
		for _, in := range inputs {
			if d, ok := in.(*capture.Datagram); ok {
				sides, contents = append(sides, byte(d.Side)), append(contents, d.Data)
			}
		}
		lines = append(lines, secrets...)
		add(capture.TransportDTLS, sides, contents)
	})
	f.Fuzz(func(t *testing.T, transport byte, data []byte) {
		kind := capture.TransportQUIC
		if transport&2 != 0 {
			kind = capture.TransportDTLS
		}
		var d capture.Decoder
		if len(data)&1 != 0 { // else they come behind
			for i := range lines {
				d.Feed(&lines[i])
			}
		}
		all := slices.Clone(d.Feed(&capture.Open{Transport: kind, Conn: 1, Packet: 1}))
		size := 0
		for _, g := range datagrams(data) {
			all = append(all, slices.Clone(d.Feed(&g))...)
			size += len(g.Data)
		}
		for i := range lines {
			all = append(all, slices.Clone(d.Feed(&lines[i]))...)
		}
		all = append(all, d.Finish()...)
		tilesUDP(t, all)
		raw := 0
		for _, m := range all {
			if m.Raw != nil {
				if raw += len(m.Raw); m.Raw[0] != byte(m.Body.(handshake.Message).Type()) {
					t.Fatalf("%T from a message of type %d", m.Body, m.Raw[0])
				}
			}
		}
		if raw > 2*size {
			t.Fatalf("handshake messages of %d bytes from datagrams of %d", raw, size)
		}
	})
}
