package keys

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
)

// maxLine bounds a key log line, in bytes. The longest that means anything is
// an ECH_CONFIG: 64 KiB in hexadecimal.
const maxLine = 1 << 18

// String returns the key log line, without a newline.
func (s Secret) String() string {
	if s.Label == LabelSession {
		return fmt.Sprintf("%s:%x Master-Key:%x", s.Label, s.ClientRandom, s.Secret)
	}
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
// such line: a label of more than 64 bytes or with anything in it but letters, digits, _ and -, a client random that is not 32 bytes
// (8 for the label RSA, which an older format has), or a secret that is empty or,
// under CLIENT_RANDOM and RSA, not 48 bytes. Unknown labels are kept.
func ParseLine(line []byte) (Secret, bool) {
	line = bytes.TrimRight(line, " \t\r\n")
	if len(line) == 0 || line[0] == '#' {
		return Secret{}, false
	}
	label, rest, _ := bytes.Cut(line, []byte{' '})
	random, secret, _ := bytes.Cut(rest, []byte{' '})
	if len(label) == 0 || len(label) > 64 || bytes.ContainsFunc(label, func(r rune) bool {
		return r != '_' && r != '-' && (r > '~' || !unicode.IsLetter(r) && !unicode.IsDigit(r))
	}) {
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
	if upper := strings.ToUpper(s.Label); known[upper] {
		s.Label = upper
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
	if strings.HasSuffix(s.Label, "_SECRET") || strings.HasSuffix(s.Label, "_SECRET_0") {
		s.Secret = unpadded(s.Secret)
	}
	return s, true
}

// unpadded takes off the zeros up to which some programs fill secrets of TLS 1.3,
// which are 32 or 48 bytes: as keys of HMAC they are the same. A secret of 48 bytes
// that ends with 16 zeros is not met by chance.
func unpadded(secret []byte) []byte {
	for _, n := range []int{48, 32} {
		if len(secret) > n && bytes.Count(secret[n:], []byte{0}) == len(secret)-n {
			secret = secret[:n]
		}
	}
	return secret
}

// known are the labels that a line may have anywhere in it.
var known = map[string]bool{
	"CLIENT_RANDOM": true, "RSA": true,
	"CLIENT_EARLY_TRAFFIC_SECRET": true, "CLIENT_HANDSHAKE_TRAFFIC_SECRET": true, "SERVER_HANDSHAKE_TRAFFIC_SECRET": true,
	"CLIENT_TRAFFIC_SECRET_0": true, "SERVER_TRAFFIC_SECRET_0": true, "EXPORTER_SECRET": true, "EARLY_EXPORTER_SECRET": true,
	"ECH_SECRET": true, "ECH_CONFIG": true,
}

// LabelSession is the Label of a line that names a session of TLS 1.2 or older by its ID in
// place of the client random: "RSA Session-ID:… Master-Key:…", as some programs write them.
// The ID, of 1 to 32 bytes, stands in ClientRandom, and the master secret in Secret.
const LabelSession = "RSA Session-ID"

var sessionLine = regexp.MustCompile(`(?i)\bRSA +Session-ID: *([0-9a-f]{2,64}) +Master-Key: *([0-9a-f]{96})(?:[^0-9a-f]|$)`)

// parseSession reads such a line.
func parseSession(line []byte) (Secret, bool) {
	m := sessionLine.FindSubmatch(line)
	if m == nil || len(m[1])%2 != 0 {
		return Secret{}, false
	}
	s := Secret{Label: LabelSession, ClientRandom: make([]byte, len(m[1])/2), Secret: make([]byte, 48)}
	hex.Decode(s.ClientRandom, m[1]) // both are hexadecimal
	hex.Decode(s.Secret, m[2])
	return s, true
}

// findLine reads a key log line as it looks after a copy: in UTF-16 or behind a byte
// order mark, quoted, behind what a log puts before it, with other white space, or
// with a label in small letters.
func findLine(line []byte) (Secret, bool) {
	line = plain(line)
	if len(line) > 0 && line[0] == '#' {
		return Secret{}, false
	}
	words := bytes.FieldsFunc(line, func(r rune) bool { return r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i := 0; i+2 < len(words); i++ {
		if label := bytes.ToUpper(words[i]); known[string(label)] {
			if s, ok := ParseLine(bytes.Join([][]byte{label, bytes.TrimPrefix(words[i+1], []byte("0x")), bytes.TrimPrefix(words[i+2], []byte("0x"))}, []byte{' '})); ok {
				return s, true
			}
		}
	}
	return Secret{}, false
}

// plain is a line without white space around it, byte order marks, and the zeros of UTF-16.
func plain(line []byte) []byte {
	line = bytes.ReplaceAll(line, []byte{0}, nil)
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		line = bytes.TrimPrefix(line, []byte(mark))
	}
	return bytes.TrimSpace(line)
}

// A Bad is why a line of a key log is none.
type Bad string

const (
	BadLabel  Bad = "label"   // it has no label that is known
	BadHex    Bad = "hex"     // what follows the label is no hexadecimal
	BadRandom Bad = "random"  // its client random has another length than 32 bytes
	BadSecret Bad = "secret"  // its secret has another length than its label's
	BadParts  Bad = "parts"   // it has a label, and less than two words behind it
	BadID     Bad = "id"      // it names a session by its ID in place of the client random
	BadLong   Bad = "long"    // it is longer than a line can be
	BadKey    Bad = "key"     // it begins a private key or a certificate
	BadGzip   Bad = "gzip"    // it is gzip'd
	BadPcap   Bad = "capture" // it begins a capture
)

// why tells what is wrong with a line that holds no secret.
func why(line []byte) Bad {
	switch {
	case bytes.HasPrefix(line, []byte("\x1f\x8b")):
		return BadGzip
	case bytes.HasPrefix(line, []byte("\x0a\x0d\x0d\x0a")), bytes.HasPrefix(line, []byte("\xd4\xc3\xb2\xa1")), bytes.HasPrefix(line, []byte("\x0d\x0d")):
		return BadPcap
	}
	line = plain(line)
	if bytes.HasPrefix(line, []byte("-----BEGIN ")) {
		return BadKey
	}
	if bytes.Contains(line, []byte("Session-ID:")) {
		return BadID
	}
	parts := bytes.Fields(line)
	for i, p := range parts {
		label := string(bytes.ToUpper(bytes.Trim(p, "\"',;")))
		if !known[label] {
			continue
		}
		if len(parts) < i+3 {
			return BadParts
		}
		random, err := hex.DecodeString(string(parts[i+1]))
		_, err2 := hex.DecodeString(string(bytes.Trim(parts[i+2], "\"',;")))
		switch {
		case err != nil || err2 != nil:
			return BadHex
		case label == "RSA" && len(random) != 8, label != "RSA" && len(random) != 32:
			return BadRandom
		}
		return BadSecret
	}
	return BadLabel
}

// ReadLog reads a key log to its end and yields the secrets of its good lines,
// in order. Lines end with CR, LF or both; bad ones, and those longer than
// 256 KiB, are skipped. Lines are found in UTF-16 too, and quoted or behind
// other words. The error is r's.
func ReadLog(r io.Reader, yield func(Secret)) error {
	_, err := CheckLog(r, yield)
	return err
}

// CheckLog is ReadLog, and counts the bad lines by what is wrong with them: those
// that are neither a secret nor empty nor a comment.
func CheckLog(r io.Reader, yield func(Secret)) (bad map[Bad]int, err error) {
	bad = map[Bad]int{}
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
				bad[BadLong]++
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
		} else if s, ok := findLine(line); ok {
			yield(s)
		} else if s, ok := parseSession(plain(line)); ok {
			yield(s)
		} else if text := plain(line); len(text) > 0 && text[0] != '#' {
			bad[why(line)]++
		}
	}
	if long {
		bad[BadLong]++
	}
	return bad, lines.Err()
}
