package pcap

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"explainer/capture"
)

// know notes the number of a connection of the section among all.
func (f *file) know(number, among int) {
	if f.conns == nil {
		f.conns = map[int]int{}
	}
	if len(f.conns) < maxNumbers {
		f.conns[number] = among
	}
}

// join chains those files that are parts of one recording, in their order: each
// is read behind the one before, as if they had never been parted.
func join(files []*file) []*file {
	first := map[string]*file{}
	byNumber := slices.Clone(files)
	slices.SortStableFunc(byNumber, func(a, b *file) int { return a.part.Number - b.part.Number })
	for _, f := range byNumber {
		switch of := first[f.part.Recording]; {
		case f.part.Number == 0:
		case of == nil:
			first[f.part.Recording] = f
		case of.part.Number == f.part.Number || len(of.after) > 0 && of.after[len(of.after)-1].part.Number == f.part.Number:
			// The same part twice: it is told apart, as any file is.
			f.part.Recording += "/again" + strconv.Itoa(f.index)
		default:
			of.after = append(of.after, f)
		}
	}
	return slices.DeleteFunc(slices.Clone(files), func(f *file) bool {
		of := first[f.part.Recording]
		return f.part.Number > 0 && of != nil && of != f && slices.Contains(of.after, f)
	})
}

// nextPart goes on with the file of the next part; err is what ended this one.
func (f *file) nextPart(err error) {
	next := f.after[0]
	f.r.errs[f.index] = err
	f.read += f.src.off
	f.readRaw += f.src.raw.n
	f.after = f.after[1:]
	f.broken = f.broken || err != io.EOF
	f.index, f.frames, f.src, f.big = next.index, next.frames, next.src, next.big
	f.begin(true, next.part)
}

// continues reads a block with connections that go on from the parts before.
// An empty one ends the head of the part.
func (f *file) continues(body []byte) error {
	var open []continued
	if err := json.Unmarshal(body, &open); err != nil {
		return damaged("a list of connections that go on which cannot be read")
	}
	if len(open) > 0 {
		if !f.joined && len(f.open)+len(open) <= maxOpen {
			f.open = append(f.open, open...)
		}
		return nil
	}
	f.head = false
	if f.joined {
		f.joined = false
		return nil
	}
	f.resume()
	f.open, f.broken, f.skipped = nil, false, 0
	return nil
}

// resume takes up a recording where some of it was not read. What was known of
// the connections that go on is brought to where they are; those that are not
// among them have ended meanwhile.
func (f *file) resume() {
	fs := &f.r.flows
	f.now = max(f.now, f.part.Time)
	fs.now = f.now
	f.leftOut()
	known := map[int]*flow{} // by their number in the recording
	for _, fl := range f.table {
		known[fl.own] = fl
	}
	goesOn := map[int]bool{}
	for i := range f.open {
		goesOn[f.open[i].Conn] = true
	}
	for _, n := range slices.Sorted(maps.Keys(known)) {
		if !goesOn[n] {
			fs.leave(known[n], capture.EndLeftOut)
		}
	}
	f.endUDP(capture.EndLeftOut, goesOn)
	wasUDP := map[int]bool{}
	for n := range f.udp {
		wasUDP[n] = true
	}
	before := f.last
	for i := range f.open {
		c := &f.open[i]
		if c.Conn < 1 || c.Conn > f.part.Before || !c.Client.IsValid() || !c.Server.IsValid() || c.Sent[0] < 0 || c.Sent[1] < 0 {
			continue
		}
		if c.UDP {
			if f.udp[c.Conn] == nil && c.Conn > before {
				f.continuedUDP(c)
			}
			continue
		}
		fl := known[c.Conn]
		if fl == nil && c.Conn > before {
			fl = f.continued(c)
		}
		if fl == nil || fl.dead {
			continue
		}
		for _, side := range []capture.Side{capture.Client, capture.Server} {
			h := &fl.half[max(fl.caller, 0)^int(side)]
			fs.drop(h)
			if n := c.Sent[side] - h.pos; known[c.Conn] != nil && n > 0 && !h.done {
				fs.tell(fl, max(fl.caller, 0), nil)
				fs.push(&capture.Gap{Conn: fl.number, Side: side, Time: fs.now, Len: n, Left: true})
			}
			if !h.done {
				*h = half{known: true, next: c.Next[side], pos: c.Sent[side], top: c.Sent[side]}
			}
		}
		fs.open.push(fl)
	}
	for i := range f.open {
		c := &f.open[i]
		fact := capture.Fact{Time: f.now, Kind: capture.FactSession, Conn: c.Conn, Peer: c.Peer, Host: c.Host}
		if !wasUDP[c.Conn] && known[c.Conn] == nil && c.Host != "" && f.number(&fact.Conn) && f.number(&fact.Peer) {
			fs.push(&fact)
		}
	}
	if all := f.base + f.part.Before; len(f.r.files) == 1 && all > fs.count {
		fs.absent += all - fs.count
		fs.count = all
	}
	f.last = max(f.last, f.part.Before)
}

// continued begins a connection in its middle.
func (f *file) continued(c *continued) *flow {
	fs := &f.r.flows
	s := segment{from: c.Client.Addr().As16(), to: c.Server.Addr().As16(), fromPort: c.Client.Port(), toPort: c.Server.Port()}
	key, from := s.tuple(c.Leg)
	if f.table[key] != nil || c.Conn <= f.last {
		return nil
	}
	f.passTo(c.Conn)
	fl := fs.begin(f, f.table, key)
	fl.first, fl.caller, fl.told = stamp{now: f.now}, from, true
	fs.push(&capture.Open{Conn: fl.number, Leg: c.Leg, Time: f.now, Client: c.Client, Server: c.Server, Continued: true})
	return fl
}

// continuedUDP does so for one over UDP.
func (f *file) continuedUDP(c *continued) {
	if c.Conn > f.last {
		f.passTo(c.Conn)
		f.beginUDP(openUDP{c.Conn, c.Leg, c.Client, c.Server}, true).begin(f.r, f.now, 0)
	}
}

// passTo counts the connections before the one with the number, which are not in what is read.
func (f *file) passTo(number int) {
	fs := &f.r.flows
	if n := f.base + number - 1; len(f.r.files) == 1 && n > fs.count {
		fs.absent += n - fs.count
		fs.count = n
	}
	f.last = number - 1
}

// leftOut tells that some of the recording is not read.
func (f *file) leftOut() {
	fact := &capture.Fact{Time: f.now, Kind: capture.FactLeftOut}
	switch first, last := f.before.Number+1, f.part.Number-1; {
	case f.skipped > 0:
		fact.Outcome, fact.Detail = "late", strconv.FormatInt(f.skipped, 10)
	case first > last:
		fact.Outcome, fact.Detail = "damaged", strconv.Itoa(last)
	case first == last:
		fact.Outcome, fact.Detail = "parts", strconv.Itoa(first)
	default:
		fact.Outcome, fact.Detail = "parts", fmt.Sprintf("%d-%d", first, last)
	}
	f.r.flows.push(fact)
}
