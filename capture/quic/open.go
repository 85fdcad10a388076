package quic

import (
	"bytes"

	"explainer/capture/keys"
)

// Bounds of what is kept to open packets.
const (
	maxSecrets = 8        // of a level and side
	maxResets  = 64       // tokens of stateless resets, of each side
	maxLengths = 4        // lengths of connection IDs, of each side
	maxAhead   = 3        // key updates that may be missed
	maxTries   = 16 << 20 // bytes that are decrypted in vain before nothing is searched for any more
	maxSize    = 1500     // bytes of a datagram that is looked for in one
)

// Levels of keys and spaces of packet numbers (RFC 9000 12.3, RFC 9001 2.1).
const (
	levelEarly = iota
	levelHandshake
	levelData
	levels
)

const (
	spaceInitial = iota
	spaceHandshake
	spaceData // of 0-RTT and 1-RTT
	spaces
)

func levelOf(kind Type) (level, space int) {
	switch kind {
	case ZeroRTT:
		return levelEarly, spaceData
	case Handshake:
		return levelHandshake, spaceHandshake
	}
	return levelData, spaceData
}

// An opening is what opens the packets of one side and level.
type opening struct {
	secrets [][]byte
	trials  []*protection
	of      trialsOf
	// The keys that opened a packet, those behind the next updates, and those before the last.
	now     *protection
	next    []*protection
	before  *protection
	updates int
}

// trialsOf is what trials were made of.
type trialsOf struct {
	secrets int
	suite   *keys.Suite
	version uint32
}

// Learn takes in a traffic secret of TLS (RFC 9001 5.1) for the packets of a side and kind:
// ZeroRTT, Handshake, OneRTT. Of several the packets' tags show which one it is. The secret is kept.
func (c *Conn) Learn(side int, kind Type, secret []byte) {
	level, _ := levelOf(kind)
	if o := &c.open[side&1][level]; len(o.secrets) < maxSecrets {
		o.secrets = append(o.secrets, secret)
	}
}

// Forget forgets all secrets: another handshake begins.
func (c *Conn) Forget() {
	c.open = [2][levels]opening{}
	c.suite = nil
	for side := range c.expected {
		c.expected[side][spaceHandshake], c.expected[side][spaceData] = 0, 0
	}
}

// Agree takes in the suite of the ServerHello. Before it, all that fit a secret's length are tried.
func (c *Conn) Agree(suite uint16) { c.suite, _ = keys.SuiteByID(suite) }

// Openable tells whether the suite that was agreed, if one was, is one whose packets can be opened.
func (c *Conn) Openable() bool {
	return c.suite == nil || c.suite.TLS13 && c.suite.Openable() && c.suite.TagLen == tagLen
}

// Knows tells whether a secret for the packets of a side and kind is known, and whether one
// is that is made after it: then it will not come any more, for logs have them in order.
func (c *Conn) Knows(side int, kind Type) (known, later bool) {
	level, _ := levelOf(kind)
	for l := level + 1; l < levels; l++ {
		later = later || len(c.open[side&1][l].secrets) > 0
	}
	return len(c.open[side&1][level].secrets) > 0, later
}

// ResetToken takes in the token of a stateless reset that a side has announced (RFC 9000 10.3).
func (c *Conn) ResetToken(side int, token []byte) {
	if r := &c.resets[side&1]; len(token) == 16 && len(*r) < maxResets {
		*r = append(*r, [16]byte(token))
	}
}

// Open opens a packet that Datagram has split off and not opened. b begins with it. The
// packet's Frames and their data are valid until the next call. Where b turns out to hold
// several datagrams (see Datagram), p.Len becomes that of the packet, and Again reads what is behind it.
func (c *Conn) Open(side int, b []byte, p *Packet) bool {
	side &= 1
	if p.Type != ZeroRTT && p.Type != Handshake && p.Type != OneRTT || p.Lacking > 0 || p.Len > len(b) {
		return false
	}
	b = b[:p.Len]
	if p.Type != OneRTT {
		return c.openLong(side, b, p)
	}
	size := c.size[side] - p.at
	if 0 < size && size < len(b) && c.openShort(side, b[:size], p) {
		p.Len = size
		return true
	}
	if c.openShort(side, b, p) {
		return true
	}
	if len(b) >= 16 {
		for _, t := range c.resets[side] {
			if bytes.Equal(t[:], b[len(b)-16:]) {
				p.Type, p.Opened = Reset, false
				return false
			}
		}
	}
	if len(c.open[side][levelData].secrets) == 0 || len(c.lengths[1-side]) == 0 {
		return false
	}
	for size := min(maxSize-p.at, len(b)-1); size >= minSegment-p.at && size > 4+tagLen && c.tried < maxTries; size-- {
		if c.openShort(side, b[:size], p) {
			p.Len = size
			c.size[side] = p.at + size
			return true
		}
	}
	return false
}

// Fits tells whether a secret is the one that opens a Handshake packet, which b begins with. Nothing is taken from it.
func (c *Conn) Fits(side int, b []byte, p *Packet, secret []byte) bool {
	if p.Type != Handshake || p.Lacking > 0 || c.suite == nil || p.Len > len(b) || p.number+4+tagLen > p.Len {
		return false
	}
	k := newProtection(LabelPrefix(p.Version), c.suite, secret)
	if k == nil {
		return false
	}
	b = b[:p.Len]
	head, truncated, n := k.unmask(c.head[:0], b, p.number)
	_, ok := k.open(c.plain[:0], packetNumber(c.expected[side&1][spaceHandshake], truncated, n), head, b[p.number+n:])
	return ok
}

// Again reads what Open found to be further datagrams. The packets' lengths are as those of
// Datagram; the slice stays valid.
func (c *Conn) Again(side int, data []byte) []Packet {
	out := c.out
	c.out = nil
	again := c.Datagram(side, data, 0)
	c.out = out
	return again
}

// try gives a packet's protections that may open it to f until it tells true.
func (c *Conn) trials(side, level int, version uint32) []*protection {
	o := &c.open[side][level]
	of := trialsOf{len(o.secrets), c.suite, version}
	if level == levelEarly {
		of.suite = nil // it is the suite of an earlier connection
	}
	if o.of == of {
		return o.trials
	}
	o.of, o.trials = of, nil
	prefixes := []string{LabelPrefix(version)}
	if version == 0 {
		prefixes = []string{LabelPrefix(Version1), LabelPrefix(Version2)}
	}
	for _, secret := range o.secrets {
		for _, prefix := range prefixes {
			for id := uint16(0x1301); id <= 0x1304; id++ { // RFC 8446 B.4; RFC 9001 5.3
				suite, _ := keys.SuiteByID(id)
				if of.suite != nil && of.suite != suite {
					continue
				}
				if p := newProtection(prefix, suite, secret); p != nil {
					o.trials = append(o.trials, p)
				}
			}
		}
	}
	return o.trials
}

func (c *Conn) openLong(side int, b []byte, p *Packet) bool {
	if p.number+4+tagLen > len(b) {
		return false
	}
	level, space := levelOf(p.Type)
	o := &c.open[side][level]
	try := func(k *protection) bool {
		head, truncated, n := k.unmask(c.head[:0], b, p.number)
		number := packetNumber(c.expected[side][space], truncated, n)
		plain, ok := k.open(c.plain[:0], number, head, b[p.number+n:])
		if !ok {
			return false
		}
		p.Head = p.number + n
		c.opened(side, space, p, k, number, plain)
		return true
	}
	if o.now != nil && o.now.prefix == LabelPrefix(p.Version) && try(o.now) {
		return true
	}
	for _, k := range c.trials(side, level, p.Version) {
		if try(k) {
			o.now = k
			return true
		}
	}
	return false
}

// openShort opens a packet with a short header that is all of b.
func (c *Conn) openShort(side int, b []byte, p *Packet) bool {
	for _, n := range c.lengths[1-side] {
		if c.openTo(side, b, n, p) {
			return true
		}
	}
	if len(c.lengths[1-side]) > 0 {
		return false
	}
	for n := 0; n <= maxCID && c.tried < maxTries; n++ { // no packet has shown how long the IDs are
		if c.openTo(side, b, n, p) {
			c.length(1-side, n)
			return true
		}
	}
	return false
}

// openTo does so for one length of the destination connection ID.
func (c *Conn) openTo(side int, b []byte, n int, p *Packet) bool {
	at := 1 + n
	if at+4+tagLen > len(b) {
		return false
	}
	o := &c.open[side][levelData]
	found := func(k *protection, number uint64, plain []byte) bool {
		p.DCID, p.Head = b[1:at:at], at+int(c.head[0]&3)+1
		p.Updates = o.updates
		c.opened(side, spaceData, p, k, number, plain)
		return true
	}
	if o.now == nil {
		for _, k := range c.trials(side, levelData, c.version) {
			head, truncated, m := k.unmask(c.head[:0], b, at)
			number := packetNumber(c.expected[side][spaceData], truncated, m)
			// The first packets of it that are here may be under later keys.
			for ahead := int(head[0] >> 2 & 1); ahead <= maxAhead; ahead += 2 {
				if ahead > 0 && c.tried > maxTries {
					break
				}
				q := k.after(ahead)
				if plain, ok := q.open(c.plain[:0], number, head, b[at+m:]); ok {
					o.now, o.updates, p.Updated = q, ahead, ahead > 0
					return found(q, number, plain)
				}
				c.tried += len(b)
			}
		}
		return false
	}
	head, truncated, m := o.now.unmask(c.head[:0], b, at)
	number := packetNumber(c.expected[side][spaceData], truncated, m)
	sealed := b[at+m:]
	if phase := int(head[0] >> 2 & 1); phase == o.updates&1 {
		if plain, ok := o.now.open(c.plain[:0], number, head, sealed); ok {
			return found(o.now, number, plain)
		}
		c.tried += len(b)
	} else if o.before != nil && o.updates > 0 {
		if plain, ok := o.before.open(c.plain[:0], number, head, sealed); ok {
			p.DCID, p.Updates, p.Head = b[1:at:at], o.updates-1, at+m
			c.opened(side, spaceData, p, o.before, number, plain)
			return true
		}
	}
	if c.tried > maxTries {
		return false
	}
	for ahead := 1; ahead <= maxAhead; ahead++ {
		if len(o.next) < ahead {
			last := o.now
			if ahead > 1 {
				last = o.next[ahead-2]
			}
			o.next = append(o.next, last.next())
		}
		if int(head[0]>>2&1) != (o.updates+ahead)&1 {
			continue
		}
		if plain, ok := o.next[ahead-1].open(c.plain[:0], number, head, sealed); ok {
			o.before = o.now
			if ahead > 1 {
				o.before = o.next[ahead-2]
			}
			o.now, o.next = o.next[ahead-1], nil
			o.updates += ahead
			p.Updated = true
			return found(o.now, number, plain)
		}
		c.tried += len(b)
	}
	return false
}

// opened notes what was opened.
func (c *Conn) opened(side, space int, p *Packet, k *protection, number uint64, plain []byte) {
	c.plain = plain[:0]
	p.Opened, p.Number, p.Secret = true, number, k.secret
	c.expected[side][space] = max(c.expected[side][space], number+1)
	clear(c.frames)
	var ok bool
	c.frames, ok = appendFrames(c.frames[:0], p.Type, p.Version, plain)
	p.Frames, p.Broken = c.frames, !ok
	for i := range p.Frames {
		switch f := &p.Frames[i]; f.Type {
		case FrameAck:
			// What was received has been sent, also if it is not in the capture.
			c.acked(side, space, f.Number)
		case FrameNewID:
			c.length(side, len(f.Data))
			c.ResetToken(side, f.Reset)
		}
	}
}

// acked notes that a side has acknowledged a packet of the other.
func (c *Conn) acked(side, space int, number uint64) {
	if n := &c.expected[1-side][space]; number >= *n && number-*n < 1<<31 {
		*n = number + 1
	}
}

// length notes how long a connection ID is in packets to a side.
func (c *Conn) length(side, n int) {
	l := &c.lengths[side]
	for _, have := range *l {
		if have == n {
			return
		}
	}
	if len(*l) < maxLengths && n <= maxCID {
		*l = append(*l, n)
	}
}
