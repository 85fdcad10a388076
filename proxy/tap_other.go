//go:build !unix

package proxy

import "time"

// stallLimit is how long a write keeps its place in the recording's order: no
// longer than a person notices, for it may wait for its peer and holds up the recording of others.
const stallLimit = 50 * time.Millisecond

// writeSome writes all of p unless there is an error, and takes a place in the recording first.
func (t *Tap) writeSome(p []byte) (n int, err error) {
	for {
		part := p[n:min(len(p), n+holdLimit)]
		e := t.stream.begin(t.peer.Other(), part, stallLimit)
		wrote, err := t.conn.Write(part)
		t.stream.rec.complete(e, wrote)
		n += wrote
		if err != nil || n == len(p) {
			return n, err
		}
	}
}
