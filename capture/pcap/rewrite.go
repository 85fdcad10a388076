package pcap

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/bits"

	"explainer/capture"
	"explainer/capture/keys"
)

// A Rewriting says in what the copy of a capture differs from it.
type Rewriting struct {
	// Comment returns what is put beside a packet, numbered from 1 as Wireshark's
	// frame.number, in front of the comments that it has; "" is nothing.
	Comment func(packet int) string
	// Secrets become a Decryption Secrets Block before the first packet.
	Secrets []keys.Secret
	// StripKeys leaves out every Decryption Secrets Block and every fact with
	// secret data, and puts asterisks over what of Hidden stands, as bytes or in
	// hexadecimal, in any comment, option or block other than a packet's bytes.
	StripKeys bool
	Hidden    []keys.Secret
	// DecodeAs is as that of a [Reader]; for Twin.
	DecodeAs Ports
	// Twin, if set, overwrites b, bytes of a TCP stream from off on, with their twin
	// (see [capture.Decoder.Twin]). The capture has to be one that its reader gave
	// these streams of. The copy has then nothing in its packets but headers, these
	// twins and sealed datagrams, no comments, no secrets but Secrets, and of other blocks
	// what is known to be harmless. All lengths stay, and checksums that were right are.
	Twin func(conn int, side capture.Side, off int64, b []byte) error
	// Places is what that reader noted, and Whole how it read; for Twin.
	Places *Places
	Whole  bool
}

// Rewrite copies a capture as pcapng and returns the number of packets. Blocks
// and options stay as they are, but for what the [Rewriting] says, and:
//
//   - A section's length becomes "not known".
//   - A packet of a Simple Packet Block that gets a comment becomes an Enhanced
//     Packet Block; its time, which it had none of, is that of the packet before.
//   - A classic pcap file becomes one section with one interface of the same link
//     type, snapshot length and resolution of time.
//
// Errors are those of [NewReader] and [Reader.Next], and w's. After a *CutError
// the copy holds everything that stands before the cut.
func Rewrite(w io.Writer, r io.Reader, how Rewriting) (packets int, err error) {
	c := &copier{file: &file{}, how: how, out: bufio.NewWriterSize(w, bufferSize)}
	r0 := newReader(c.file)
	r0.DecodeAs(how.DecodeAs)
	r0.places, r0.whole = how.Places, how.Whole
	if how.StripKeys {
		c.hidden = newHidden(how.Hidden)
	}
	if err = c.src.open(r); err != nil {
		return 0, err
	}
	magic, err := c.src.peek(4)
	if err != nil {
		return 0, err
	}
	if binary.LittleEndian.Uint32(magic) == blockSHB {
		err = c.blocks()
	} else if c.classic = classicFormat(magic); c.classic != nil {
		err = c.records()
	} else {
		err = notCapture(magic)
	}
	if e := c.out.Flush(); e != nil {
		return c.frames, e
	}
	if err == io.EOF {
		err = nil
	}
	return c.frames, err
}

// A copier copies one capture.
type copier struct {
	*file
	how    Rewriting
	hidden hidden
	out    *bufio.Writer // its error sticks
	given  bool          // the secrets have been written
	buf    []byte
}

// order is the byte order of the section.
func (c *copier) order() binary.AppendByteOrder {
	if c.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// write writes one block of the pieces of its body. Their lengths add up to a
// multiple of 4.
func (c *copier) write(kind uint32, body ...[]byte) error {
	n := 12
	for _, b := range body {
		n += len(b)
	}
	o := c.order()
	c.out.Write(o.AppendUint32(o.AppendUint32(nil, kind), uint32(n)))
	for _, b := range body {
		c.out.Write(b)
	}
	_, err := c.out.Write(o.AppendUint32(nil, uint32(n)))
	return err
}

// secretsBlock writes the secrets, once.
func (c *copier) secretsBlock() error {
	if c.given || len(c.how.Secrets) == 0 {
		return nil
	}
	c.given = true
	o := c.order()
	var lines []byte
	flush := func() error {
		if len(lines) == 0 {
			return nil
		}
		head := o.AppendUint32(o.AppendUint32(nil, secretsTLS), uint32(len(lines)))
		err := c.write(blockDSB, head, pad(lines))
		lines = lines[:0]
		return err
	}
	for i := range c.how.Secrets {
		text := c.how.Secrets[i].String()
		if len(lines)+len(text) >= maxSecrets {
			if err := flush(); err != nil {
				return err
			}
		}
		lines = append(append(lines, text...), '\n')
	}
	return flush()
}

// comment is the option with what is put beside the latest packet, nil if nothing is.
func (c *copier) comment() []byte {
	if c.how.Comment == nil {
		return nil
	}
	text := c.how.Comment(c.frames)
	if text == "" {
		return nil
	}
	b := []byte(text[:min(len(text), 0xffff)])
	c.hidden.mask(b)
	o := c.order()
	return pad(append(o.AppendUint16(o.AppendUint16(nil, optComment), uint16(len(b))), b...))
}

// records copies a classic pcap file.
func (c *copier) records() error {
	cl, o := c.classic, binary.LittleEndian
	head, err := c.src.peek(24)
	if err != nil {
		return c.cut(err)
	}
	snap := cl.order.Uint32(head[16:])
	if err := cl.header(&c.src); err != nil {
		return c.cut(err)
	}
	section := o.AppendUint32(nil, byteOrderMagic)
	section = append(section, 1, 0, 0, 0)
	section = o.AppendUint64(section, 0xffffffffffffffff)
	if err := c.write(blockSHB, section); err != nil {
		return err
	}
	iface := o.AppendUint32(append(o.AppendUint16(nil, cl.link), 0, 0), snap)
	units := uint64(1e6)
	if cl.nano == 1 {
		units = 1e9
		iface = append(appendOption(iface, optIfTsresol, "\x09"), 0, 0, 0, 0)
	}
	if err := c.write(blockIDB, iface); err != nil {
		return err
	}
	if err := c.secretsBlock(); err != nil {
		return err
	}
	for {
		if err := c.record(); err != nil {
			return c.cut(err)
		}
		head, err := c.src.peek(16)
		if err != nil {
			return c.cut(err)
		}
		stamp := uint64(cl.order.Uint32(head))*units + uint64(cl.order.Uint32(head[4:]))
		wire := cl.order.Uint32(head[12:])
		data, err := c.packet()
		if err != nil {
			return err
		}
		if err := c.enhancedPacket(0, stamp, wire, data, c.comment()); err != nil {
			return err
		}
		c.src.take(c.next.length)
		c.next = item{}
	}
}

// packet returns the latest packet as it is to stand in the copy.
func (c *copier) packet() ([]byte, error) {
	if c.how.Twin == nil {
		return c.next.data, nil
	}
	return c.twin(&c.next)
}

// enhancedPacket writes an Enhanced Packet Block.
func (c *copier) enhancedPacket(iface uint32, stamp uint64, wire uint32, data, comment []byte) error {
	o := c.order()
	b := o.AppendUint32(c.buf[:0], iface)
	b = o.AppendUint32(b, uint32(stamp>>32))
	b = o.AppendUint32(b, uint32(stamp))
	b = o.AppendUint32(b, uint32(len(data)))
	b = o.AppendUint32(b, wire)
	b = pad(append(b, data...))
	if comment != nil {
		b = append(append(b, comment...), 0, 0, 0, 0)
	}
	c.buf = b
	return c.write(blockEPB, b)
}

// blocks copies a pcapng file.
func (c *copier) blocks() error {
	for {
		kind, body, n, err := c.peekBlock()
		if err != nil {
			return c.cut(err)
		}
		if kind != blockSHB && kind != blockIDB {
			if err := c.secretsBlock(); err != nil {
				return err
			}
		}
		if err := c.copy(kind, body, n); err != nil {
			return err
		}
		c.next = item{}
		c.src.take(n)
	}
}

// copy copies one block of n bytes.
func (c *copier) copy(kind uint32, body []byte, n int) error {
	switch kind {
	case blockSHB:
		if err := c.section(body); err != nil {
			return c.cut(err)
		}
		head := c.order().AppendUint64(bytes.Clone(body[:8]), 0xffffffffffffffff)
		return c.write(kind, head, c.optionsOf(kind, body[16:]))
	case blockIDB:
		if err := c.iface(body); err != nil {
			return c.cut(err)
		}
		return c.write(kind, body[:8], c.optionsOf(kind, body[8:]))
	case blockEPB, blockPB:
		if err := c.enhanced(kind, body, n); err != nil {
			return c.cut(err)
		}
		have := int(c.u32(body[12:]))
		packet, options := body[:20+(have+3)&^3], c.optionsOf(kind, body[20+(have+3)&^3:])
		if c.how.Twin != nil {
			data := make([]byte, have)
			overwrite(data) // unless its interface is known
			if c.next.length > 0 {
				twin, err := c.twin(&c.next)
				if err != nil {
					return err
				}
				data = twin
			}
			packet = pad(append(bytes.Clone(body[:20]), data...))
		}
		comment := c.comment()
		if c.next.length == 0 || comment == nil || n+len(comment)+4 > maxBlock {
			return c.write(kind, packet, options)
		}
		if len(options) == 0 {
			options = make([]byte, 4) // the end of the options
		}
		return c.write(kind, packet, comment, options)
	case blockSPB:
		if err := c.simple(body, n); err != nil {
			return c.cut(err)
		}
		comment := c.comment()
		if c.next.length == 0 {
			if c.how.Twin != nil {
				body = bytes.Clone(body)
				overwrite(body[4:])
			}
			return c.write(kind, body)
		}
		data, err := c.packet()
		if err != nil {
			return err
		}
		if comment == nil || n+len(comment)+20 > maxBlock {
			if c.how.Twin != nil {
				body = pad(append(bytes.Clone(body[:4]), data...))
			}
			return c.write(kind, body)
		}
		return c.enhancedPacket(0, c.ifaces[0].stamp(c.now), c.u32(body), data, comment)
	case blockDSB:
		if c.how.StripKeys {
			return nil
		}
	case blockUDP:
		if c.own {
			c.opensUDP(body)
		}
	case blockFact:
		if c.how.StripKeys && !harmless(body) {
			return nil
		}
	case blockCustom, blockCustomNoCopy, blockJournal, blockSysdig, blockSysdigFlags, blockSysdigV2, blockSysdigFlagsV2, blockSysdigV2Large, blockSysdigFlagsV2Large:
		c.frames++
	}
	if c.how.Twin != nil {
		return c.twinBlock(kind, body)
	}
	return c.write(kind, c.masked(body))
}

// masked is b with asterisks over what is hidden.
func (c *copier) masked(b []byte) []byte {
	if c.hidden.empty() || len(b) == 0 {
		return b
	}
	b = bytes.Clone(b)
	c.hidden.mask(b)
	return b
}

// harmless tells whether a fact opens nothing: it has no data, or that of a
// certificate's fingerprint.
func harmless(body []byte) bool {
	var fact capture.Fact
	return json.Unmarshal(body, &fact) == nil && fact.Kind != capture.FactEM && (len(fact.Data) == 0 || fact.Kind == capture.FactLeaf)
}

// stamp is the inverse of time, rounded down. A time that does not fit becomes 0.
func (f *iface) stamp(t int64) uint64 {
	if t -= f.offset; t < 0 || f.shift > 63 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(t), f.div)
	if f.shift > 0 {
		if hi>>(64-f.shift) != 0 {
			return 0
		}
		hi = hi<<f.shift | lo>>(64-f.shift)
		lo <<= f.shift
	}
	if hi >= f.mul {
		return 0
	}
	q, _ := bits.Div64(hi, lo, f.mul)
	return q
}

// minHidden is the least length, in bytes, of a secret that is looked for: fewer
// would be found by chance.
const minHidden = 16

// hidden finds secrets, as bytes or in hexadecimal, by how they begin.
type hidden struct {
	raw, hex map[[8]byte][][]byte
}

func newHidden(secrets []keys.Secret) hidden {
	h := hidden{map[[8]byte][][]byte{}, map[[8]byte][][]byte{}}
	add := func(m map[[8]byte][][]byte, b []byte) {
		k := [8]byte(b)
		for _, have := range m[k] {
			if bytes.Equal(have, b) {
				return
			}
		}
		m[k] = append(m[k], b)
	}
	for _, s := range secrets {
		b := s.Secret
		if len(b) < minHidden || bytes.Count(b, b[:1]) == len(b) { // zeros are no secret
			continue
		}
		add(h.raw, b)
		add(h.hex, hex.AppendEncode(nil, b))
	}
	return h
}

func (h hidden) empty() bool { return len(h.raw) == 0 }

// mask puts asterisks over the secrets in b.
func (h hidden) mask(b []byte) {
	if h.empty() {
		return
	}
	for i := 0; i+minHidden <= len(b); i++ {
		k := [8]byte(b[i:])
		for _, secret := range h.raw[k] {
			if bytes.HasPrefix(b[i:], secret) {
				fill(b[i:i+len(secret)], '*')
			}
		}
		for j, v := range k {
			if v >= 'A' && v <= 'F' {
				k[j] = v + 'a' - 'A'
			}
		}
		for _, secret := range h.hex[k] {
			if len(b)-i >= len(secret) && bytes.EqualFold(b[i:i+len(secret)], secret) {
				fill(b[i:i+len(secret)], '*')
			}
		}
	}
}
