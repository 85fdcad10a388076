package pcap

import (
	"bytes"

	"explainer/capture"
)

// tuple names a connection; a is the lower end.
type tuple struct {
	a, b   [16]byte
	ap, bp uint16
	leg    uint16
}

// tuple returns the connection of a segment and who sent it: 0 is the tuple's a.
func (p *segment) tuple(leg capture.Leg) (tuple, int) {
	if order := bytes.Compare(p.from[:], p.to[:]); order < 0 || order == 0 && p.fromPort <= p.toPort {
		return tuple{p.from, p.to, p.fromPort, p.toPort, uint16(leg)}, 0
	}
	return tuple{p.to, p.from, p.toPort, p.fromPort, uint16(leg)}, 1
}
