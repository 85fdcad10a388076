package capture_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"explainer/capture"
	"explainer/capture/handshake"
)

// tdsPacket is a packet of TDS (MS-TDS 2.2.3.1).
func tdsPacket(typ, status byte, content []byte) []byte {
	p := []byte{typ, status, 0, 0, 0, 0, 1, 0}
	binary.BigEndian.PutUint16(p[2:], uint16(8+len(content)))
	return append(p, content...)
}

// tdsPrelogin is a PRELOGIN message with the options VERSION and ENCRYPTION, or what answers it.
func tdsPrelogin(typ, encryption byte) []byte {
	return tdsPacket(typ, 1, []byte{0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 16, 0, 0, 1, 0, 0, encryption})
}

// inTDS wraps the handshakes of recorded connections as SQL Server does: each chunk up to the
// end of a side's handshake in packets of at most size bytes, what follows bare.
func inTDS(in []capture.Input, messages []capture.Message, size int) []capture.Input {
	over := [2]int64{}
	for _, m := range messages {
		switch m.Body.(type) {
		case *capture.ChangeCipherSpec, *handshake.Finished:
			over[m.Side] = max(over[m.Side], m.Span.End)
		}
	}
	var out []capture.Input
	var at [2]int64
	begun := false
	for _, i := range in {
		c, ok := i.(*capture.Chunk)
		if !ok {
			out = append(out, i)
			continue
		}
		add := func(side capture.Side, data []byte) {
			out = append(out, &capture.Chunk{Conn: c.Conn, Side: side, Time: c.Time, Packet: c.Packet, Data: data})
		}
		if !begun {
			begun = true
			add(capture.Client, tdsPrelogin(0x12, 1))
			add(capture.Server, tdsPrelogin(0x04, 1))
		}
		inside := c.Data[:min(max(over[c.Side]-at[c.Side], 0), int64(len(c.Data)))]
		at[c.Side] += int64(len(c.Data))
		bare := c.Data[len(inside):]
		for len(inside) > 0 {
			n := min(size, len(inside))
			status := byte(0)
			if n == len(inside) {
				status = 1
			}
			add(c.Side, tdsPacket(0x12, status, inside[:n]))
			inside = inside[n:]
		}
		if len(bare) > 0 {
			add(c.Side, bare)
		}
	}
	return out
}

// TestTDS: a handshake inside packets of TDS is read as it is bare, however the stream is cut;
// the spans tile the stream with its headers, and the twin has them in their places.
func TestTDS(t *testing.T) {
	for _, name := range []string{"tls12-rsa-aes128-gcm", "tls12-client-certificate", "tls13-hrr", "tls13-client-certificate", "tls12-resumed-ticket"} {
		secrets, rest := inputsOf(t, "testdata/recordings/"+name+".pcapng", "")
		var one []capture.Input // the first connection
		for _, in := range rest {
			switch in := in.(type) {
			case *capture.Open:
				if in.Conn == 1 {
					one = append(one, in)
				}
			case *capture.Chunk:
				if in.Conn == 1 {
					one = append(one, in)
				}
			case *capture.Close:
				if in.Conn == 1 {
					one = append(one, in)
				}
			}
		}
		bare := decode(t, &capture.Decoder{}, append(slices.Clone(secrets), one...))
		for _, size := range []int{4088, 100} {
			wrapped := inTDS(one, bare, size)
			in := append(slices.Clone(secrets), wrapped...)
			all := decode(t, &capture.Decoder{}, in)
			for _, n := range []int{1, 7} {
				same(t, fmt.Sprintf("%s, packets of %d, chunks of %d", name, size, n), all, decode(t, &capture.Decoder{}, rechunk(in, n)))
			}
			var got []capture.Message
			for _, m := range all {
				switch b := m.Body.(type) {
				case *capture.StartTLS:
					if *b != (capture.StartTLS{Protocol: "TDS", Request: "PRELOGIN, ENCRYPT_ON", Answer: "ENCRYPT_ON"}) {
						t.Errorf("%s: %+v", name, *b)
					}
					continue
				case *capture.Opaque:
					if b.Why == capture.OpaqueDialogue && m.Span.Start == 0 {
						continue // PRELOGIN
					}
				}
				got = append(got, m)
			}
			if len(got) != len(bare) {
				t.Errorf("%s, packets of %d: %d messages, bare %d", name, size, len(got), len(bare))
				continue
			}
			streams := map[capture.Side][]byte{}
			for _, in := range wrapped {
				if c, ok := in.(*capture.Chunk); ok {
					streams[c.Side] = append(streams[c.Side], c.Data...)
				}
			}
			for i, m := range got {
				if !reflect.DeepEqual(m.Body, bare[i].Body) || !bytes.Equal(m.Raw, bare[i].Raw) || m.Opened != bare[i].Opened {
					t.Errorf("%s, packets of %d: %s, bare %s", name, size, show(m), show(bare[i]))
				}
				if len(m.Raw) > 0 && !m.Opened && size > 4000 && !bytes.Contains(streams[m.Side][m.Span.Start:m.Span.End], m.Raw) {
					t.Errorf("%s: %s does not stand at %v", name, show(m), m.Span)
				}
			}
			// The twin of a stream whose handshakes stay is as long, and is read the same.
			twins := map[capture.Side][]byte{}
			d := &capture.Decoder{Twin: func(_ int, side capture.Side, off int64, twin []byte) {
				if int64(len(twins[side])) != off {
					t.Fatalf("%s: the twin goes on at %d, not at %d", name, off, len(twins[side]))
				}
				twins[side] = append(twins[side], twin...)
			}}
			decode(t, d, in)
			at := map[capture.Side]int{}
			var again []capture.Input
			for _, in := range wrapped {
				if c, ok := in.(*capture.Chunk); ok {
					twin := *c
					twin.Data = twins[c.Side][at[c.Side]:][:len(c.Data)]
					at[c.Side] += len(c.Data)
					in = &twin
				}
				again = append(again, in)
			}
			read := decode(t, &capture.Decoder{}, append(slices.Clone(secrets), again...))
			finished := 0
			for _, m := range read {
				switch b := m.Body.(type) {
				case *handshake.Finished:
					finished++
				case *capture.StartTLS:
					if b.Protocol != "TDS" || b.Answer != "ENCRYPT_ON" {
						t.Errorf("%s: of the twin %+v", name, *b)
					}
				case *capture.Malformed, *capture.Sealed:
					t.Errorf("%s: of the twin %s", name, show(m))
				}
			}
			if finished != 2 {
				t.Errorf("%s: the twin has %d Finished", name, finished)
			}
		}
	}
}

// TestTDSInClear: where only the login was to be encrypted, what follows in clear is no breach of TLS.
func TestTDSInClear(t *testing.T) {
	secrets, one := inputsOf(t, "testdata/recordings/tls12-rsa-aes128-gcm.pcapng", "")
	bare := decode(t, &capture.Decoder{}, append(slices.Clone(secrets), one...))
	in := slices.Clone(secrets)
	for _, i := range inTDS(one, bare, 4088) {
		switch i := i.(type) {
		case *capture.Close:
			continue
		case *capture.Chunk:
			if i.Side == capture.Server && i.Data[0] == 0x17 {
				continue // the server's data are in clear
			}
		}
		in = append(in, i)
	}
	in = append(in, &capture.Chunk{Conn: 1, Side: capture.Server, Data: tdsPacket(0x04, 1, []byte{0xad, 1, 2, 3, 4, 5})},
		&capture.Chunk{Conn: 1, Side: capture.Client, Data: tdsPacket(0x01, 1, []byte("s\x00e\x00l\x00"))},
		&capture.Close{Conn: 1, Side: capture.Client}, &capture.Close{Conn: 1, Side: capture.Server})
	all := decode(t, &capture.Decoder{}, in)
	count(t, all, 2, func(o *capture.Opaque) bool { return o.Why == capture.OpaqueTDSClear })
	count(t, all, 0, func(*capture.Malformed) bool { return true })
	same(t, "chunks of 3", all, decode(t, &capture.Decoder{}, rechunk(in, 3)))
}

// TestTDS8: TDS 8.0 begins with TLS, so nothing is taken out of it, though what is inside
// begins as a PRELOGIN of older versions does (MS-TDS 2.2.6.5).
func TestTDS8(t *testing.T) {
	var r tape
	r.converse(t, &tls.Config{NextProtos: []string{"tds/8.0"}}, &tls.Config{NextProtos: []string{"tds/8.0"}}, func(client, server *tls.Conn) error {
		failed := make(chan error, 1)
		go func() {
			failed <- func() error {
				if _, err := readUntil(server, string(tdsPrelogin(0x12, 2))); err != nil {
					return err
				}
				server.Write(tdsPrelogin(0x04, 2))
				return server.Close()
			}()
		}()
		client.Write(tdsPrelogin(0x12, 2))
		if _, err := readUntil(client, string(tdsPrelogin(0x04, 2))); err != nil {
			return err
		}
		client.Close()
		return <-failed
	})
	all := decode(t, &capture.Decoder{}, r.inputs(0))
	count(t, all, 0, func(*capture.StartTLS) bool { return true })
	count(t, all, 0, func(*capture.Malformed) bool { return true })
	count(t, all, 0, func(*capture.Opaque) bool { return true })
	count(t, all, 2, func(*handshake.Finished) bool { return true })
	count(t, all, 2, func(a *capture.AppData) bool { return a.Len == len(tdsPrelogin(0x12, 2)) })
	properties(t, &r)
}
