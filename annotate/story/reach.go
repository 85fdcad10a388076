package story

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"os"

	"explainer/annotate/event"
	"explainer/capture"
)

// Until lets the reading of the source end with a context.
func (s *Source) Until(ctx context.Context) { s.ctx = ctx }

// OpenFile is a capture in a file that is open already, and is the caller's to close. name is
// what it is told by.
func OpenFile(name string, f *os.File) (*Source, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, FileError(event.Text{}, err)
	}
	s := &Source{Name: name, file: f, foreign: true, size: -1}
	if info.Mode().IsRegular() {
		s.size = info.Size()
	}
	return s, nil
}

// Message is the event of the connection's own message whose bytes begin at a place of its
// sender's stream; nil if there is none.
func (s *Specimen) Message(from string, start int64) *event.Event {
	es := s.unchanged().events
	for i := range es {
		if e := &es[i]; e.Conn == s.Conn && e.From == from && e.Raw != "" && e.Bytes != nil && e.Bytes.Start == start {
			return e
		}
	}
	return nil
}

// A Reach is how a byte of a message can be changed; nil where it cannot be.
type Reach struct {
	Wire   *Flip // as it crossed the network
	Inside *Flip // sealed again
	Was    byte  // what it is on the wire, which of an encrypted message is another than that of the message
}

// Reach finds byte i of a message of the connection, counted as in its [event.Event.Raw], on the wire. Its
// flips have no To.
func (s *Specimen) Reach(e *event.Event, i int) Reach {
	raw, err := hex.DecodeString(e.Raw)
	side := sideOf(e.From)
	if err != nil || e.Bytes == nil || e.Conn != s.Conn || i < 0 || i >= len(raw) {
		return Reach{}
	}
	at, sealed := s.opened(e, side, raw, i)
	if at < 0 && !sealed {
		at = s.inClear(e, side, raw, i)
	}
	if at < 0 {
		return Reach{}
	}
	b := s.bytesAt(side, at, 1)
	wire := s.onWire(side, at)
	if wire == nil || len(b) == 0 {
		return Reach{}
	}
	r := Reach{Wire: wire, Was: b[0]}
	if sealed {
		r.Inside = s.within(side, at)
	}
	return r
}

// A Datum is an encrypted record of application data: its first sealed byte, as it can be changed on the wire.
type Datum struct {
	From string // "client" or "server"
	Len  int    // bytes of content
	Flip Flip   // without To
	Was  byte
}

// shownData is how many records of application data are shown of each side.
const shownData = 3

// Data are the first records of application data of each side that were sent encrypted and open.
func (s *Specimen) Data() (out []Datum) {
	var n [2]int
	for _, r := range s.unchanged().records {
		if r.Type != recordData || len(r.Plain) == 0 || n[r.Side&1] == shownData {
			continue
		}
		wire, was := s.onWire(r.Side, r.Content), s.bytesAt(r.Side, r.Content, 1)
		if wire == nil || len(was) == 0 {
			continue
		}
		n[r.Side&1]++
		out = append(out, Datum{r.Side.String(), len(r.Plain), *wire, was[0]})
	}
	return out
}

func sideOf(from string) capture.Side {
	if from == "server" {
		return capture.Server
	}
	return capture.Client
}

// opened finds a byte of a message in the contents of encrypted records, whose places in the stream
// are those of the bytes that they are sealed as; -1 where the bytes are not those of the message.
func (s *Specimen) opened(e *event.Event, side capture.Side, raw []byte, i int) (at int64, sealed bool) {
	at = -1
	n := 0
	for _, r := range s.unchanged().records {
		if r.Side != side || r.Span.End <= e.Bytes.Start || r.Span.Start >= e.Bytes.End {
			continue
		}
		sealed = true
		for k, b := range r.Plain {
			p := r.Content + int64(k)
			if p < e.Bytes.Start || p >= e.Bytes.End || n == len(raw) {
				continue
			}
			if raw[n] != b {
				return -1, true
			}
			if n == i {
				at = p
			}
			n++
		}
	}
	if n < len(raw) {
		return -1, sealed
	}
	return at, sealed
}

// inClear finds a byte of a message in records that are not encrypted, or without any; -1 where
// the bytes are not those of the message.
func (s *Specimen) inClear(e *event.Event, side capture.Side, raw []byte, i int) int64 {
	bytesOf := s.bytesAt(side, e.Bytes.Start, int(e.Bytes.End-e.Bytes.Start))
	p, at := 0, -1
	rest := -1 // of the record, if that is known
	for n := range raw {
		for p+recordHeader <= len(bytesOf) && (rest == 0 || rest < 0 && (n == 0 || bytesOf[p] != raw[n])) && isRecord(bytesOf[p:p+recordHeader]) {
			rest = int(binary.BigEndian.Uint16(bytesOf[p+3:]))
			p += recordHeader
		}
		if p >= len(bytesOf) || bytesOf[p] != raw[n] {
			return -1
		}
		if n == i {
			at = p
		}
		p++
		if rest > 0 {
			rest--
		}
	}
	if at < 0 {
		return -1
	}
	return e.Bytes.Start + int64(at)
}

// onWire is the change of a byte of a side's stream in the packet that brought it.
func (s *Specimen) onWire(side capture.Side, at int64) *Flip {
	before := map[int]int{} // bytes of the packet
	for _, p := range s.stretches(side) {
		packet := s.inputs[p.input].(*capture.Chunk).Packet
		if at >= p.at && at < p.at+int64(len(p.data)) {
			return &Flip{Packet: packet, Offset: before[packet] + int(at-p.at)}
		}
		before[packet] += len(p.data)
	}
	return nil
}

// within is the change of a byte of what an encrypted record holds.
func (s *Specimen) within(side capture.Side, at int64) *Flip {
	packet := func(end int64) int {
		for _, p := range s.stretches(side) {
			if end > p.at && end <= p.at+int64(len(p.data)) {
				return s.inputs[p.input].(*capture.Chunk).Packet
			}
		}
		return 0
	}
	before := map[int]int{} // contents of the packet
	for _, r := range s.unchanged().records {
		if r.Side != side {
			continue
		}
		of := packet(r.Span.End)
		if k := at - r.Content; k >= 0 && k < int64(len(r.Plain)) {
			if r.Sealing == nil || r.Sealing.Chained() || of == 0 {
				return nil
			}
			if _, ok := r.Sealing.Seal(bytes.Clone(r.Plain), nil); !ok {
				return nil
			}
			return &Flip{Packet: of, Offset: before[of] + int(k), Inside: true}
		}
		before[of] += len(r.Plain)
	}
	return nil
}
