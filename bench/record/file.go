package main

import (
	"encoding/binary"
	"time"
)

// encode writes connections as a pcapng file of one section, with the secrets
// in front. Payload bytes, their order and their times are what passed; the
// addresses, ports and headers of IP and TCP are made up, as the file says.
//
// It is written apart from package capture/pcap, so that a capture that is read
// by that package has not been written by it.
func encode(s scene, versions string, secrets []byte, conns []*connection) []byte {
	f := new(file)
	f.block(0x0a0d0d0a, func(b []byte) []byte {
		b = append(b, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0)
		b = binary.LittleEndian.AppendUint64(b, 1<<64-1)
		b = option(b, 1, s.about+". Made by bench/record with "+versions+". The payload is real; addresses, ports and headers of IP and TCP are made up.")
		return append(b, 0, 0, 0, 0)
	})
	f.block(1, func(b []byte) []byte {
		b = append(b, 101, 0, 0, 0, 0, 0, 0, 0) // raw IP, no snapshot length
		b = option(b, 9, "\x09")                // nanoseconds
		return append(b, 0, 0, 0, 0)
	})
	if len(secrets) > 0 {
		f.block(10, func(b []byte) []byte {
			b = append(b, "KSLT"...) // TLS key log
			b = binary.LittleEndian.AppendUint32(b, uint32(len(secrets)))
			return append(b, secrets...)
		})
	}
	// The connections of a scene follow each other, but one may end after the next began.
	flows := make([]*flow, len(conns))
	for i, c := range conns {
		flows[i] = f.open(c)
	}
	for {
		var next *flow
		for _, fl := range flows {
			if !fl.done() && (next == nil || fl.time().Before(next.time())) {
				next = fl
			}
		}
		if next == nil {
			return f.bytes
		}
		next.step()
	}
}

type file struct{ bytes []byte }

func (f *file) block(kind uint32, body func([]byte) []byte) {
	start := len(f.bytes)
	b := binary.LittleEndian.AppendUint32(f.bytes, kind)
	b = pad(body(append(b, 0, 0, 0, 0)))
	n := uint32(len(b) - start + 4)
	binary.LittleEndian.PutUint32(b[start+4:], n)
	f.bytes = binary.LittleEndian.AppendUint32(b, n)
}

func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func option(b []byte, code uint16, value string) []byte {
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	return pad(append(b, value...))
}

const (
	segment = 1460 // bytes of payload in a packet

	fin = 1
	syn = 2
	rst = 4
	ack = 16
)

// A flow writes the packets of one connection: its SYN, then piece after piece.
type flow struct {
	f      *file
	c      *connection
	opened bool
	next   int
	seq    [2]uint32 // of client and server
	port   uint16    // the client's
}

func (f *file) open(c *connection) *flow {
	return &flow{f: f, c: c, port: uint16(50000 + c.number), seq: [2]uint32{uint32(c.number) << 20, uint32(c.number)<<20 + 1<<19}}
}

func (fl *flow) done() bool { return fl.opened && fl.next == len(fl.c.pieces) }

func (fl *flow) time() time.Time {
	if !fl.opened {
		return fl.c.start
	}
	return fl.c.pieces[fl.next].time
}

func (fl *flow) step() {
	t := fl.time()
	if !fl.opened {
		fl.opened = true
		fl.packet(t, 0, syn, nil)
		fl.packet(t, 1, syn|ack, nil)
		fl.packet(t, 0, ack, nil)
		return
	}
	p := fl.c.pieces[fl.next]
	fl.next++
	side := 0
	if p.server {
		side = 1
	}
	for b := p.data; len(b) > 0; {
		n := min(len(b), segment)
		fl.packet(t, side, ack, b[:n])
		b = b[n:]
	}
	switch {
	case p.fin:
		fl.packet(t, side, fin|ack, nil)
	case p.reset:
		fl.packet(t, side, rst|ack, nil)
	}
}

func (fl *flow) packet(t time.Time, side int, flags byte, data []byte) {
	ports := [2]uint16{fl.port, fl.c.port}
	hosts := [2][]byte{{192, 0, 2, 1}, {198, 51, 100, 7}}
	var ip []byte
	ip = append(ip, 0x45, 0)
	ip = binary.BigEndian.AppendUint16(ip, uint16(40+len(data)))
	ip = append(ip, 0, 0, 0x40, 0, 64, 6, 0, 0)
	ip = append(append(ip, hosts[side]...), hosts[1-side]...)
	binary.BigEndian.PutUint16(ip[10:], checksum(ip))

	var tcp []byte
	tcp = binary.BigEndian.AppendUint16(tcp, ports[side])
	tcp = binary.BigEndian.AppendUint16(tcp, ports[1-side])
	tcp = binary.BigEndian.AppendUint32(tcp, fl.seq[side])
	acked := fl.seq[1-side]
	if flags&ack == 0 {
		acked = 0
	}
	tcp = binary.BigEndian.AppendUint32(tcp, acked)
	tcp = append(tcp, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0)
	tcp = append(tcp, data...)
	pseudo := append(append([]byte(nil), ip[12:20]...), 0, 6, byte(len(tcp)>>8), byte(len(tcp)))
	binary.BigEndian.PutUint16(tcp[16:], checksum(append(pseudo, tcp...)))

	fl.seq[side] += uint32(len(data))
	if flags&(syn|fin) != 0 {
		fl.seq[side]++
	}
	packet := append(ip, tcp...)
	fl.f.block(6, func(b []byte) []byte {
		ns := uint64(t.UnixNano())
		b = append(b, 0, 0, 0, 0)
		b = binary.LittleEndian.AppendUint32(b, uint32(ns>>32))
		b = binary.LittleEndian.AppendUint32(b, uint32(ns))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(packet)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(packet)))
		return append(b, packet...)
	})
}

// checksum is that of RFC 1071.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i]) << 8
		if i+1 < len(b) {
			sum += uint32(b[i+1])
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
