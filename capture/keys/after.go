package keys

import "crypto/rc4"

// maxKeystream bounds the keystream that is made to get past missing records, in bytes.
const maxKeystream = 64 << 20

// Missing tells how many whole records lost bytes of a stream can have been at
// least and at most, if they are protected as this opener's are. Headers count in.
func (o *Opener) Missing(lost int64) (least, most uint64) {
	if lost <= 0 {
		return 0, 0
	}
	const header, content = 5, 1 << 14
	shortest, longest := int64(header), int64(header+content+2048)
	switch {
	case o.tls13:
		shortest += int64(o.aead.Overhead()) + 1
		longest = header + content + 256
	case o.explicit:
		shortest += 8 + int64(o.aead.Overhead())
	case o.aead != nil:
		shortest += int64(o.aead.Overhead())
	case o.block != nil:
		size, mac := int64(o.block.BlockSize()), int64(o.mac.Size())
		if o.etm {
			shortest += size + mac
		} else {
			shortest += (mac + size) / size * size
		}
		if o.explicitIV {
			shortest += size
		}
	default:
		shortest += int64(o.mac.Size())
	}
	return uint64((lost + longest - 1) / longest), uint64(lost / shortest)
}

// OpenAfter is Open for a record before which records are missing: at least least
// and at most most of them, which together with their headers were lost bytes. It
// tries one sequence number after the other and returns how many records were
// missing. A lost of less than 0 says that it is not known; then, and where lost is
// more than 64 MiB, a stream cipher cannot be taken up again.
//
// An error is as for Open, and the opener is as it was before.
func (o *Opener) OpenAfter(dst []byte, typ byte, version uint16, fragment []byte, lost int64, least, most uint64) (plain []byte, inner byte, missing uint64, err error) {
	err = ErrTag
	seq := o.seq
	if o.stream != nil {
		return o.streamAfter(dst, typ, version, fragment, lost, least, most)
	}
	for missing = least; missing <= most; missing++ {
		o.seq = seq + missing
		if plain, inner, err = o.Open(dst, typ, version, fragment); err == nil {
			return plain, inner, missing, nil
		}
	}
	o.seq = seq
	return dst, 0, 0, err
}

// streamAfter is OpenAfter for RC4, whose keystream goes on from record to record:
// what the missing ones took of it is the lost bytes without their headers.
func (o *Opener) streamAfter(dst []byte, typ byte, version uint16, fragment []byte, lost int64, least, most uint64) (plain []byte, inner byte, missing uint64, err error) {
	const header = 5
	if lost < 0 || lost > maxKeystream {
		return dst, 0, 0, ErrTag
	}
	most = min(most, uint64(lost/header))
	if least > most {
		return dst, 0, 0, ErrTag
	}
	seq, before := o.seq, *o.stream
	at := before
	skip(&at, lost-header*int64(most))
	for missing = most; ; missing-- {
		here := at
		o.seq, o.stream = seq+missing, &here
		if plain, inner, err = o.Open(dst, typ, version, fragment); err == nil {
			return plain, inner, missing, nil
		}
		if missing == least {
			break
		}
		skip(&at, header)
	}
	o.seq, o.stream = seq, &before
	return dst, 0, 0, ErrTag
}

// skip throws n bytes of keystream away.
func skip(c *rc4.Cipher, n int64) {
	var scratch [512]byte
	for n > 0 {
		k := min(n, int64(len(scratch)))
		c.XORKeyStream(scratch[:k], scratch[:k])
		n -= k
	}
}

// Chain notes a record that was not opened, the last one before the next. In TLS
// 1.0 its last block is what the next one is decrypted with (RFC 2246 6.2.3.2).
func (o *Opener) Chain(fragment []byte) {
	if o.block == nil || o.explicitIV {
		return
	}
	if o.etm {
		fragment = fragment[:max(0, len(fragment)-o.mac.Size())]
	}
	if n := o.block.BlockSize(); len(fragment) >= n {
		o.chainIV = append(o.chainIV[:0:0], fragment[len(fragment)-n:]...)
	}
}

// Chained tells whether a record is decrypted with the one before it, as those of
// CBC suites in TLS 1.0 are.
func (o *Opener) Chained() bool { return o.block != nil && !o.explicitIV }
