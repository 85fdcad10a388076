package keys

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"io"
)

// maxLine bounds a key log line, in bytes. The longest that means anything is
// an ECH_CONFIG: 64 KiB in hexadecimal.
const maxLine = 1 << 18

// String returns the key log line, without a newline.
func (s Secret) String() string {
	b := make([]byte, 0, len(s.Label)+2+2*(len(s.ClientRandom)+len(s.Secret)))
	b = append(b, s.Label...)
	b = append(b, ' ')
	b = hex.AppendEncode(b, s.ClientRandom)
	b = append(b, ' ')
	b = hex.AppendEncode(b, s.Secret)
	return string(b)
}

// ParseLine reads one key log line (RFC 9850 2): label, client random and secret,
// with one space between. Hexadecimal may be of either case; white space at the
// end is dropped. It returns false for empty lines, comments and whatever is no
// such line: a label of more than 64 bytes, a client random that is not 32 bytes
// (8 for the label RSA, which an older format has), or a secret that is empty or,
// under CLIENT_RANDOM and RSA, not 48 bytes. Unknown labels are kept.
func ParseLine(line []byte) (Secret, bool) {
	line = bytes.TrimRight(line, " \t\r\n")
	if len(line) == 0 || line[0] == '#' {
		return Secret{}, false
	}
	label, rest, _ := bytes.Cut(line, []byte{' '})
	random, secret, _ := bytes.Cut(rest, []byte{' '})
	if len(label) == 0 || len(label) > 64 || bytes.ContainsFunc(label, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return Secret{}, false
	}
	s := Secret{
		Label:        string(label),
		ClientRandom: make([]byte, hex.DecodedLen(len(random))),
		Secret:       make([]byte, hex.DecodedLen(len(secret))),
	}
	if _, err := hex.Decode(s.ClientRandom, random); err != nil {
		return Secret{}, false
	}
	if _, err := hex.Decode(s.Secret, secret); err != nil {
		return Secret{}, false
	}
	wantRandom, wantSecret := 32, 0
	switch s.Label {
	case "CLIENT_RANDOM":
		wantSecret = 48
	case "RSA":
		wantRandom, wantSecret = 8, 48
	}
	if len(s.ClientRandom) != wantRandom || len(s.Secret) == 0 || wantSecret != 0 && len(s.Secret) != wantSecret {
		return Secret{}, false
	}
	return s, true
}

// ReadLog reads a key log to its end and yields the secrets of its good lines,
// in order. Lines end with CR, LF or both; bad ones, and those longer than
// 256 KiB, are skipped. The error is r's.
func ReadLog(r io.Reader, yield func(Secret)) error {
	_, err := CheckLog(r, yield)
	return err
}

// CheckLog is ReadLog, and counts the bad lines: those that are neither a secret
// nor empty nor a comment.
func CheckLog(r io.Reader, yield func(Secret)) (bad int, err error) {
	lines := bufio.NewScanner(r)
	if small, ok := r.(interface{ Len() int }); ok {
		lines.Buffer(make([]byte, min(small.Len()+1, 4<<10)), maxLine) // captures have one for each connection
	} else {
		lines.Buffer(nil, maxLine)
	}
	var long bool // inside a line that is too long
	lines.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		n := bytes.IndexAny(data, "\r\n")
		switch {
		case n >= 0:
			line := data[:n]
			if long {
				long, line = false, data[:0]
				bad++
			}
			return n + 1, line, nil
		case len(data) >= maxLine:
			long = true
			return len(data), data[:0], nil
		case atEOF && len(data) > 0 && !long:
			return len(data), data, nil
		}
		return 0, nil, nil
	})
	for lines.Scan() {
		line := lines.Bytes()
		if s, ok := ParseLine(line); ok {
			yield(s)
		} else if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			bad++
		}
	}
	if long {
		bad++
	}
	return bad, lines.Err()
}
