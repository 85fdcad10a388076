package pcap

import (
	"encoding/binary"
	"fmt"

	"explainer/capture"
)

// Block types of pcapng (draft-ietf-opsawg-pcapng).
const (
	blockSHB  = 0x0a0d0d0a // Section Header Block; reads the same in both byte orders
	blockIDB  = 1          // Interface Description Block
	blockPB   = 2          // Packet Block, obsolete
	blockSPB  = 3          // Simple Packet Block
	blockNRB  = 4          // Name Resolution Block
	blockEPB  = 6          // Enhanced Packet Block
	blockDSB  = 10         // Decryption Secrets Block
	blockFact = 0x80455850 // ours: types with the highest bit set are for local use
	blockOpen = 0x80455851 // ours: connections that go on from the part of a recording before
	blockUDP  = 0x80455852 // ours: the beginning of a connection over UDP

	// These hold no packets, but Wireshark numbers them as frames.
	blockJournal            = 9
	blockCustom             = 0x00000bad
	blockCustomNoCopy       = 0x40000bad
	blockSysdig             = 0x204
	blockSysdigFlags        = 0x208
	blockSysdigV2           = 0x216
	blockSysdigFlagsV2      = 0x217
	blockSysdigV2Large      = 0x221
	blockSysdigFlagsV2Large = 0x222
)

const (
	byteOrderMagic = 0x1a2b3c4d

	optComment     = 1
	optApplication = 4      // shb_userappl
	optPart        = 0x8001 // ours, of a section: which part of a recording it is; codes with the highest bit set are for local use
	optConn        = 0x8002 // ours, of a packet of UDP: the number of its connection in the section
	optIfName      = 2      // if_name
	optIfTsresol   = 9      // if_tsresol
	optIfTsoffset  = 14     // if_tsoffset

	nameIPv4 = 1 // nrb_record_ipv4
	nameIPv6 = 2 // nrb_record_ipv6

	secretsTLS = 0x544c534b // "TLSK": a TLS key log
)

// damaged is what is wrong with a block.
type damaged string

func (d damaged) Error() string { return string(d) }

// A classic is the state of reading a file in the older pcap format.
type classic struct {
	order binary.ByteOrder
	nano  uint64 // nanoseconds in a unit of the second half of a time
	extra int    // bytes that a record head has more than usual
	link  uint16
}

// classicFormat tells the variant of a classic pcap file from its first four bytes.
func classicFormat(magic []byte) *classic {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch order.Uint32(magic) {
		case 0xa1b2c3d4:
			return &classic{order: order, nano: 1000}
		case 0xa1b23c4d:
			return &classic{order: order, nano: 1}
		case 0xa1b2cd34: // a kernel patch's, with the interface index and such after each record head
			return &classic{order: order, nano: 1000, extra: 8}
		}
	}
	return nil
}

// header reads the file header.
func (c *classic) header(s *source) error {
	b, err := s.peek(24)
	if err != nil {
		return err
	}
	c.link = c.order.Uint16(b[20:])
	if c.order == binary.BigEndian {
		c.link = c.order.Uint16(b[22:]) // the upper half holds flags about checksums of the link
	}
	s.take(24)
	return nil
}

// record reads the next packet of a classic pcap file.
func (f *file) record() error {
	c := f.classic
	head, err := f.src.peek(16 + c.extra)
	if err != nil {
		return err
	}
	seconds, part := uint64(c.order.Uint32(head)), uint64(c.order.Uint32(head[4:]))
	have, length := c.order.Uint32(head[8:]), c.order.Uint32(head[12:])
	if have > maxBlock {
		return damaged(fmt.Sprintf("a packet of %d bytes", have))
	}
	all := 16 + c.extra + int(have)
	b, err := f.src.peek(all)
	if err != nil {
		return err
	}
	f.wait(all, int64(seconds*1e9+part*c.nano), c.link, capture.LegNone, b[16+c.extra:], missing(length, have))
	return nil
}
