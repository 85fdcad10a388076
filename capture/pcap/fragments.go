package pcap

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Bounds of IP packets that wait for their fragments.
const (
	maxFragmented    = 1024    // packets
	maxFragments     = 8 << 20 // bytes of fragments
	fragmentOverhead = 64      // bytes that each fragment counts more than it has
	maxFragmentAge   = 60e9    // nanoseconds (RFC 8200 4.5); then its number may be another packet's
)

// fragments puts IP packets together that came in fragments.
type fragments struct {
	packets map[fragmentKey]*fragmented
	order   []*fragmented // the oldest first
	size    int
}

// A fragmentKey is the same for all fragments of a packet.
type fragmentKey struct {
	from, to [16]byte
	id       uint32
	proto    byte // only of IPv4: in IPv6 it may differ from fragment to fragment
	six      bool
}

// fragmented is a packet that is not whole yet.
type fragmented struct {
	key    fragmentKey
	file   *file
	it     item // of the latest fragment, without its data
	packet int
	depth  int
	head   []byte // of the first fragment
	next   int    // as in header
	proto  byte
	pieces []fragmentPiece // sorted; of what several have, the first one's is kept
	total  int             // bytes; -1 if the last fragment is not here
	size   int
}

type fragmentPiece struct {
	off  int
	data []byte
}

// add takes in a fragment, and the packet that it completes. It returns why it
// is no fragment.
func (fs *fragments) add(r *Reader, f *file, it *item, packet int, h *header, depth int) (reason string) {
	end := h.off + len(h.body)
	if end+h.missing > 1<<16 || depth > maxNesting {
		return SkippedMalformed
	}
	key := fragmentKey{from: h.from, to: h.to, id: h.id, proto: h.proto}
	if h.head[0]>>4 == 6 {
		key.proto, key.six = 0, true
	}
	p := fs.packets[key]
	if p != nil && (it.time-p.it.time > maxFragmentAge || p.it.time-it.time > maxFragmentAge) {
		fs.drop(r, p)
		p = nil
	}
	if p == nil {
		if fs.packets == nil {
			fs.packets = map[fragmentKey]*fragmented{}
		}
		p = &fragmented{key: key, total: -1}
		fs.packets[key] = p
		fs.order = append(fs.order, p)
	}
	p.file, p.it, p.packet, p.depth = f, item{time: it.time, leg: it.leg}, packet, depth
	if !h.more && p.total < 0 {
		p.total = end + h.missing
	}
	if h.off == 0 && p.head == nil {
		p.head, p.next, p.proto = bytes.Clone(h.head), h.next, h.proto
	}
	n := p.add(h.off, h.body)
	p.size += n
	fs.size += n
	if p.head != nil && p.prefix() == p.total {
		fs.drop(r, p)
	}
	for len(fs.order) > maxFragmented || fs.size > maxFragments {
		fs.drop(r, fs.order[0])
	}
	return ""
}

// add keeps what is new of a fragment, and returns what that costs.
func (p *fragmented) add(off int, data []byte) (cost int) {
	end := off + len(data)
	i := len(p.pieces)
	for i > 0 && p.pieces[i-1].end() > off { // most come in order
		i--
	}
	for cur := off; cur < end; i++ {
		until := end
		if i < len(p.pieces) {
			until = min(end, p.pieces[i].off)
		}
		if cur < until {
			p.pieces = slices.Insert(p.pieces, i, fragmentPiece{cur, bytes.Clone(data[cur-off : until-off])})
			cost += until - cur + fragmentOverhead
		}
		cur = max(until, p.pieces[i].end())
	}
	return cost
}

func (p *fragmentPiece) end() int { return p.off + len(p.data) }

// prefix returns how many bytes there are from the packet's first on.
func (p *fragmented) prefix() int {
	n := 0
	for i := range p.pieces {
		if p.pieces[i].off > n {
			break
		}
		n = p.pieces[i].end()
	}
	return n
}

// drop stops to wait for the rest of a packet. What there is of it up to the
// first lost fragment is taken in.
func (fs *fragments) drop(r *Reader, p *fragmented) {
	delete(fs.packets, p.key)
	i := slices.Index(fs.order, p)
	fs.order = slices.Delete(fs.order, i, i+1)
	fs.size -= p.size
	have, total := p.prefix(), p.total
	if p.head == nil {
		have = 0
	}
	ip := p.head
	for i := range p.pieces {
		total = max(total, p.pieces[i].end())
		if p.pieces[i].off < have {
			ip = append(ip, p.pieces[i].data...)
		} else {
			r.stats.Skipped[SkippedFragment]++
		}
	}
	if have == 0 {
		return
	}
	ip[p.next] = p.proto
	size := len(p.head) + total
	if p.key.six {
		size -= 40
		binary.BigEndian.PutUint16(ip[4:], 0)
		if size <= 0xffff {
			binary.BigEndian.PutUint16(ip[4:], uint16(size))
		}
	} else {
		binary.BigEndian.PutUint32(ip[4:], 0) // no fragment
		binary.BigEndian.PutUint16(ip[2:], 0)
		if size <= 0xffff {
			binary.BigEndian.PutUint16(ip[2:], uint16(size))
		}
	}
	if reason := r.ip(p.file, &p.it, p.packet, ip, total-have, p.depth+1); reason != "" {
		r.stats.Skipped[reason]++
	}
}

// dropAll does so with all packets.
func (fs *fragments) dropAll(r *Reader) {
	for len(fs.order) > 0 {
		fs.drop(r, fs.order[0])
	}
}
