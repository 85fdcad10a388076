package web

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

const (
	bodyPreview = 512      // bytes of content told
	maxCoded    = 8 << 10  // bytes of coded content that are collected for them,
	maxTables   = 64 << 10 // and if those were but headers and tables
	maxCodings  = 4        // on top of each other
	maxLayer    = 64 << 10 // bytes taken out of one coding to be put into the next
	maxWindow   = 8 << 20  // zstd; RFC 9659 allows no more

	maxPreviews = 4 << 20 // collected at one time for the previews of one connection
)

// codings lists the codings of a field in lower case, those left out that change nothing.
func codings(value string) []string {
	var list []string
	for _, s := range tokens(value) {
		if s = strings.ToLower(s); s != "identity" && s != "chunked" {
			list = append(list, s)
		}
	}
	return list
}

// wanted returns how many bytes of a body its preview needs, as far as can be told from those in hand.
func wanted(codings []string, have []byte) int {
	switch n := len(codings); {
	case n == 0:
		return bodyPreview
	case codings[n-1] == "zstd":
		return max(maxCoded, zstdWanted(have))
	}
	return maxCoded
}

// zstdWanted returns where the first block of a Zstandard frame ends: unlike
// other codings, a block yields nothing before it is there as a whole (RFC 8878 3.1.1).
func zstdWanted(have []byte) int {
	const (
		magic    = "\x28\xb5\x2f\xfd"
		maxBlock = 128 << 10
	)
	if len(have) < 5 || string(have[:4]) != magic {
		return 0
	}
	flags := have[4]
	single := flags&0x20 != 0
	header := 5 + [4]int{0, 1, 2, 4}[flags&3] + [4]int{0, 2, 4, 8}[flags>>6]
	if !single {
		header++ // window descriptor
	} else if flags>>6 == 0 {
		header++ // content size of one byte
	}
	if len(have) < header+3 {
		return 0
	}
	block := int(have[header]) | int(have[header+1])<<8 | int(have[header+2])<<16
	end := header + 3 + 4                  // with the frame's checksum, if it is the last block
	if kind := block >> 1 & 3; kind == 1 { // RLE: one byte
		return end + 1
	}
	return end + min(block>>3, maxBlock)
}

// decode undoes the codings, given in the order in which they were applied, at
// the beginning of a body. short says that more of it might yield something.
func decode(codings []string, enc []byte) (preview []byte, short bool, why string) {
	if len(codings) == 0 {
		return enc[:min(len(enc), bodyPreview)], false, ""
	}
	if len(enc) == 0 {
		return nil, false, ""
	}
	if len(codings) > maxCodings {
		return nil, false, "more than 4 codings on top of each other"
	}
	// The decoders are others' code and the bytes are hostile. A preview is not
	// worth a crash.
	defer func() {
		if p := recover(); p != nil {
			preview, short, why = nil, false, fmt.Sprintf("the decoder of %s failed: %v", strings.Join(codings, ", "), p)
		}
	}()
	var r io.Reader = bytes.NewReader(enc)
	var used []pooled
	var err error
	for _, coding := range slices.Backward(codings) {
		pool := decoders[coding]
		if pool == nil {
			return nil, false, "content coding " + coding + " is not known"
		}
		d := pool.Get().(pooled)
		used = append(used, d)
		if err = d.reset(r); err != nil {
			break
		}
		r = io.LimitReader(d, maxLayer)
	}
	if err == nil {
		preview, err = readSome(r)
	}
	// Not deferred: after a panic a decoder is not used again.
	for i, d := range used {
		decoders[codings[len(codings)-1-i]].Put(d)
	}
	switch {
	case len(preview) > 0, err == io.EOF: // or the content is empty
		return preview, false, ""
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, true, strings.Join(codings, ", ") + ": too little of it to decode"
	}
	return nil, false, strings.Join(codings, ", ") + ": " + err.Error()
}

// readSome reads up to bodyPreview bytes.
func readSome(r io.Reader) ([]byte, error) {
	buf := make([]byte, bodyPreview)
	n := 0
	for idle := 0; n < len(buf); {
		m, err := r.Read(buf[n:])
		if n += m; err != nil {
			return buf[:n], err
		}
		if idle++; m > 0 {
			idle = 0
		} else if idle > 100 {
			return buf[:n], io.ErrNoProgress
		}
	}
	return buf, nil
}

// pooled is a decoder that is used again, because each is large.
type pooled interface {
	io.Reader
	reset(io.Reader) error
}

// decoders are those of the registry that are in use (RFC 9110 8.4.1, 7932, 8878).
var decoders = map[string]*sync.Pool{
	"gzip":    {New: func() any { return new(gzipDecoder) }},
	"x-gzip":  {New: func() any { return new(gzipDecoder) }},
	"deflate": {New: func() any { return new(deflateDecoder) }},
	"br":      {New: func() any { return new(brotliDecoder) }},
	"zstd":    {New: func() any { return new(zstdDecoder) }},
}

type gzipDecoder struct{ gzip.Reader }

func (d *gzipDecoder) reset(r io.Reader) error { return d.Reset(r) }

// deflateDecoder takes the zlib format, which "deflate" means, and bare
// deflate, which many have sent under that name (RFC 9110 8.4.1.2).
type deflateDecoder struct {
	buf   bufio.Reader
	flate io.ReadCloser
}

func (d *deflateDecoder) reset(r io.Reader) error {
	d.buf.Reset(r)
	// RFC 1950 2.2: method 8, and a multiple of 31.
	if b, err := d.buf.Peek(2); err == nil && b[0]&0xf == 8 && (int(b[0])<<8|int(b[1]))%31 == 0 {
		d.buf.Discard(2)
	}
	if d.flate == nil {
		d.flate = flate.NewReader(&d.buf)
		return nil
	}
	return d.flate.(flate.Resetter).Reset(&d.buf, nil)
}

func (d *deflateDecoder) Read(p []byte) (int, error) { return d.flate.Read(p) }

type brotliDecoder struct{ brotli.Reader }

func (d *brotliDecoder) reset(r io.Reader) error { return d.Reset(r) }

type zstdDecoder struct{ *zstd.Decoder }

func (d *zstdDecoder) reset(r io.Reader) (err error) {
	if d.Decoder != nil {
		return d.Reset(r)
	}
	// One decoder at a time is the way to have no goroutines.
	d.Decoder, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxWindow))
	return err
}
