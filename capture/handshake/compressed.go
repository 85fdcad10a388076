package handshake

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// maxCertificate bounds what a compressed certificate may inflate to, in
// bytes. The format allows 16 MiB; real chains have a few kilobytes.
const maxCertificate = 1 << 20

func parseCompressedCertificate(r *reader) *CompressedCertificate {
	m := &CompressedCertificate{
		Algorithm:          r.u16("algorithm"),
		UncompressedLength: int(r.u24("uncompressed_length")),
	}
	compressed := r.vec24("compressed_certificate_message", 1)
	if r.err != nil {
		return m
	}
	m.CompressedLength = len(compressed)
	body, err := inflate(m.Algorithm, compressed, m.UncompressedLength)
	if err != nil {
		m.Err = err.Error()
		return m
	}
	in := reader{s: body}
	certificate := parseCertificate(&in, Context{Version: 0x0304})
	if err := in.end(); err != nil {
		m.Err = err.Error()
		return m
	}
	m.Certificate = certificate
	return m
}

// inflate undoes the compression of RFC 8879 3 and holds the result to its announced length in bytes.
func inflate(algorithm uint16, compressed []byte, length int) ([]byte, error) {
	if length > maxCertificate {
		return nil, fmt.Errorf("uncompressed_length: %d bytes, more than the %d that are read", length, maxCertificate)
	}
	var plain io.Reader
	switch algorithm {
	case 1:
		z, err := zlib.NewReader(bytes.NewReader(compressed))
		if err != nil {
			return nil, fmt.Errorf("zlib: %w", err)
		}
		plain = z
	case 2:
		plain = brotli.NewReader(bytes.NewReader(compressed))
	case 3:
		// One decoder a message: such messages are rare, and a decoder that
		// is kept keeps its window.
		z, err := zstd.NewReader(bytes.NewReader(compressed), zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		defer z.Close()
		plain = z
	default:
		return nil, fmt.Errorf("algorithm: %s is not known", CertificateCompressionName(algorithm))
	}
	// One byte more than announced, to see whether it is longer; grown as it
	// comes, because the announcement is not to be trusted.
	body, err := io.ReadAll(io.LimitReader(plain, int64(length)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", CertificateCompressionName(algorithm), err)
	case len(body) > length:
		return nil, fmt.Errorf("uncompressed_length: says %d bytes, but there are more", length)
	case len(body) < length:
		return nil, fmt.Errorf("uncompressed_length: says %d bytes, but there are %d", length, len(body))
	}
	return body, nil
}
