package capture

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
)

// Bounds of what a hostile key log can make us keep.
const (
	lineBlock     = 64 << 10 // bytes of a block
	maxLineBlocks = 4096     // together 256 MiB, some three million lines
)

// keyLines holds key log lines: packed, for most of a large key log is about
// connections that are not in the capture. A line stands in one of the blocks:
//
//	before  8 bytes: the place of the line before it that has the same client random, 0 if none
//	        1 byte each: length of the client random, of the label (0x80 + n: the n-th of labels)
//	2 bytes: length of the secret
//	        client random, label if it is none of labels, secret
//
// A place is 1 + the number of the block times lineBlock + the offset in it.
type keyLines struct {
	blocks [][]byte // those from number first on; nil once no line in it is needed
	live   []int    // lines of each that are
	first  int
	last   map[uint64]uint64 // place of the latest line, by a hash of the client random
	seed   maphash.Seed
	lost   int // lines that were forgotten because there were too many
}

const lineHead = 8 + 2 + 2

// labels are those that are not spelled out.
var labels = []string{
	labelClientRandom, labelRSA,
	labels13[Client][stageEarly], labels13[Client][stageHandshake], labels13[Client][stageApplication],
	labels13[Server][stageHandshake], labels13[Server][stageApplication],
	"EXPORTER_SECRET", "EARLY_EXPORTER_SECRET",
	labelECHSecret, labelECHConfig,
}

// A keyLine is one of them.
type keyLine struct {
	label  string
	random []byte
	secret []byte
}

func (l *keyLines) hash(random []byte) uint64 { return maphash.Bytes(l.seed, random) }

// at returns the line at a place and the place of the one before it.
func (l *keyLines) at(place uint64) (line keyLine, before uint64, ok bool) {
	n := int((place - 1) / lineBlock)
	if place == 0 || n < l.first || l.blocks[n-l.first] == nil {
		return keyLine{}, 0, false
	}
	b := l.blocks[n-l.first][(place-1)%lineBlock:]
	before = binary.LittleEndian.Uint64(b)
	random, label, secret := int(b[8]), int(b[9]), int(binary.LittleEndian.Uint16(b[10:]))
	b = b[lineHead:]
	line.random, b = b[:random:random], b[random:]
	if label < 0x80 {
		line.label, b = string(b[:label]), b[label:]
	} else {
		line.label = labels[label-0x80]
	}
	line.secret = b[:secret:secret]
	return line, before, true
}

// of calls yield with the lines of a client random, the latest first. The secrets
// stay valid.
func (l *keyLines) of(random []byte, yield func(keyLine)) {
	if len(l.last) == 0 {
		return
	}
	for place := l.last[l.hash(random)]; place != 0; {
		line, before, ok := l.at(place)
		if !ok {
			return
		}
		if bytes.Equal(line.random, random) {
			yield(line)
		}
		place = before
	}
}

// all calls yield with the lines that are kept, the oldest first, until it returns false.
// The secrets stay valid.
func (l *keyLines) all(yield func(keyLine) bool) {
	for n, block := range l.blocks {
		first := 1 + uint64(l.first+n)*lineBlock
		for at := 0; at < len(block); {
			line, _, ok := l.at(first + uint64(at))
			if !ok || !yield(line) {
				return
			}
			at += l.size(n, at, line)
		}
	}
}

// size is the length of the line at an offset of a block.
func (l *keyLines) size(n, at int, line keyLine) int {
	spelled := 0
	if l.blocks[n][at+9] < 0x80 {
		spelled = len(line.label)
	}
	return lineHead + len(line.random) + spelled + len(line.secret)
}

// add keeps a line, whether it is known or not, and forgets the oldest ones
// beyond the bound. Nothing of it may be longer than its bound.
func (l *keyLines) add(line keyLine) {
	if l.last == nil {
		l.last, l.seed = make(map[uint64]uint64), maphash.MakeSeed()
	}
	label, spelled := len(line.label), line.label
	for i, known := range labels {
		if known == line.label {
			label, spelled = 0x80+i, ""
		}
	}
	size := lineHead + len(line.random) + len(spelled) + len(line.secret)
	n := len(l.blocks) - 1
	if n < 0 || len(l.blocks[n])+size > lineBlock {
		if n >= 0 && l.live[n] == 0 {
			l.blocks[n] = nil
		}
		if n+1 == maxLineBlocks {
			l.forget()
		}
		for len(l.blocks) > 0 && l.blocks[0] == nil {
			l.blocks, l.live, l.first = l.blocks[1:], l.live[1:], l.first+1
		}
		l.blocks, l.live = append(l.blocks, make([]byte, 0, lineBlock)), append(l.live, 0)
		n = len(l.blocks) - 1
	}
	h := l.hash(line.random)
	b := l.blocks[n]
	place := l.end()
	b = binary.LittleEndian.AppendUint64(b, l.last[h])
	b = append(b, byte(len(line.random)), byte(label))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(line.secret)))
	b = append(b, line.random...)
	b = append(b, spelled...)
	l.blocks[n] = append(b, line.secret...)
	l.live[n]++
	l.last[h] = place
}

// end returns the place at which the next line will stand, or one before it.
func (l *keyLines) end() uint64 {
	n := len(l.blocks) - 1
	if n < 0 {
		return 1
	}
	return 1 + uint64(l.first+n)*lineBlock + uint64(len(l.blocks[n]))
}

// forget lets go of the oldest block.
func (l *keyLines) forget() {
	first := 1 + uint64(l.first)*lineBlock
	for at := 0; at < len(l.blocks[0]); {
		line, _, _ := l.at(first + uint64(at))
		if h := l.hash(line.random); l.last[h] < first+lineBlock {
			delete(l.last, h)
		}
		at += l.size(0, at, line)
	}
	l.lost += l.live[0]
	l.blocks[0] = nil
}

// remove lets go of the lines of a client random that stand at from or behind it.
func (l *keyLines) remove(random []byte, from uint64) {
	if len(l.last) == 0 {
		return
	}
	h := l.hash(random)
	place := l.last[h]
	for place >= max(from, 1) {
		line, before, ok := l.at(place)
		if !ok || !bytes.Equal(line.random, random) {
			break
		}
		n := int((place-1)/lineBlock) - l.first
		if l.live[n]--; l.live[n] == 0 && n < len(l.blocks)-1 {
			l.blocks[n] = nil
		}
		place = before
	}
	if place == 0 {
		delete(l.last, h)
	} else {
		l.last[h] = place
	}
}
