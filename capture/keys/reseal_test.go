package keys

import (
	"bytes"
	"testing"
)

// A record that is sealed again with what it held is the record that it was; with
// other content it is as long, and opens in its place, to that content.
func TestSealing(t *testing.T) {
	for _, k := range append(kinds(), kind{0x0005, versionSSL30, false}, kind{0x000a, versionSSL30, false}) {
		t.Run(k.String(), func(t *testing.T) {
			sealer, opener := pair(t, k.id, k.version, k.etm)
			_, reader := pair(t, k.id, k.version, k.etm)
			var stream, twin []byte // the records without their headers
			for n := range 70 {
				padding := n % 14
				if k.version == versionSSL30 {
					padding = 0
				}
				content := bytes.Repeat([]byte{byte(n), 0}, n)
				if len(content) > 0 {
					content[len(content)-1] = 1
				}
				record := sealer.seal(t, 23, k.version, content, padding)
				plain, inner, err := opener.Open(nil, 23, k.version, record)
				if err != nil {
					t.Fatal(err)
				}
				s := opener.Sealing(23, k.version, record, plain, inner)
				chained := opener.Chained()
				if same, ok := s.Seal(plain, stream); (!ok || !bytes.Equal(same, record)) && !(chained && n == 0) {
					t.Fatalf("record %d sealed again: %t, %x, was %x", n, ok, same, record)
				}
				stream = append(stream, record...)

				other := bytes.Repeat([]byte{'x'}, len(plain))
				again, ok := s.Seal(other, twin)
				if chained && n == 0 { // its IV is not in the stream
					if ok || s.Moves() {
						t.Fatalf("the first record: %t, %t", ok, s.Moves())
					}
					again, other = record, plain
				} else if !ok || len(again) != len(record) || s.Moves() != chained {
					t.Fatalf("record %d with other content: %t, %d bytes, was %d", n, ok, len(again), len(record))
				}
				if got, kind, err := reader.Open(nil, 23, k.version, again); err != nil || kind != inner || !bytes.Equal(got, other) {
					t.Fatalf("record %d with other content opens to %q, %v", n, got, err)
				}
				twin = append(twin, again...)
			}
		})
	}
}
