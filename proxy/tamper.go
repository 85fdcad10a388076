package proxy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"explainer/ca"
	"explainer/capture/keys"
)

// What the tampering looks for in the server's records (RFC 8446 5.1, 4; RFC 5246 6.2.1, 7.4).
const (
	recordHeader     = 5
	typeCCS          = 20
	typeHandshake    = 22
	typeAppData      = 23
	msgServerHello   = 2
	msgFinished      = 20
	versionTLS12Wire = 0x0303

	secretTLS12 = "CLIENT_RANDOM" // label of a master secret in a key log

	// How long a client's data may take to follow its Finished, and more of it to
	// follow that; and how many bytes of it are waited for.
	falseStartTime = 100 * time.Millisecond
	falseStartRest = 20 * time.Millisecond
	falseStartMax  = 64 << 10
)

// A tamper stands between crypto/tls and the recording, and changes the
// server's Finished as a fault asks: what is recorded is what was sent.
//
// It knows the keys from the key log lines, which crypto/tls writes before
// what they protect. crypto/tls writes whole records.
type tamper struct {
	*Tap
	how ca.Finished

	mu     sync.Mutex
	secret keys.Secret // the server's handshake traffic secret, or the master secret

	// Write's own.
	random []byte // of the last ServerHello
	suite  uint16
	ccs    bool
	open   *keys.Opener // one record ahead of seal
	seal   *keys.Opener
	done   bool
}

// keyLog returns where crypto/tls has to write its key log, whose lines go on to w.
func (t *tamper) keyLog(w io.Writer) io.Writer { return io.MultiWriter(w, (*tamperKeys)(t)) }

type tamperKeys tamper

func (t *tamperKeys) Write(line []byte) (int, error) {
	if s, ok := keys.ParseLine(line); ok && (s.Label == secretTLS12 || s.Label == "SERVER_HANDSHAKE_TRAFFIC_SECRET") {
		t.mu.Lock()
		t.secret = s
		t.mu.Unlock()
	}
	return len(line), nil
}

func (t *tamper) Write(b []byte) (int, error) {
	if t.done {
		return t.Tap.Write(b)
	}
	if len(b) > 0 && b[0] == typeCCS && t.suite != 0 && !t.ccs && t.is12() {
		// A client that does not wait for this Finished (RFC 7918) has its data
		// recorded before it: what comes behind it is from one that took it.
		wait := falseStartTime
		for n := 0; n < falseStartMax; wait = falseStartRest {
			t.SetReadDeadline(time.Now().Add(wait))
			early, err := t.peek(n + 1)
			if n = len(early); err != nil {
				break
			}
		}
		t.SetReadDeadline(time.Now().Add(handshakeTime))
	}
	var out []byte
	for rest := b; len(rest) > 0; {
		n := recordHeader
		if len(rest) >= n {
			n += int(binary.BigEndian.Uint16(rest[3:]))
		}
		if len(rest) < n {
			return 0, errors.New("change the Finished: crypto/tls wrote no whole record")
		}
		record, err := t.record(rest[:n:n])
		if err != nil {
			return 0, fmt.Errorf("change the Finished: %w", err)
		}
		out, rest = append(out, record...), rest[n:]
	}
	n, err := t.Tap.Write(out)
	return min(n, len(b)), err
}

// is12 reports whether the handshake is of TLS 1.2: whether its master secret is known.
func (t *tamper) is12() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.secret.Label == secretTLS12
}

// record returns what is sent in place of a record.
func (t *tamper) record(r []byte) ([]byte, error) {
	t.mu.Lock()
	secret := t.secret
	t.mu.Unlock()
	is12 := secret.Label == secretTLS12
	switch {
	case t.done:
		return r, nil
	case r[0] == typeCCS:
		t.ccs = true
		return r, nil
	case r[0] == typeHandshake && !(is12 && t.ccs):
		t.serverHello(r[recordHeader:])
		return r, nil
	case r[0] != typeAppData && r[0] != typeHandshake:
		return r, nil // an alert
	}
	if t.open == nil {
		var err error
		if t.open, err = t.opener(secret); err == nil {
			t.seal, err = t.opener(secret)
		}
		if err != nil {
			return nil, err
		}
	}
	fragment := r[recordHeader:]
	plain, _, err := t.open.Open(nil, r[0], versionTLS12Wire, fragment)
	if err != nil {
		return nil, err
	}
	if len(plain) == 0 || plain[0] != msgFinished {
		_, _, err = t.seal.Open(nil, r[0], versionTLS12Wire, fragment)
		return r, err
	}
	t.done = true
	out := append([]byte(nil), r[:recordHeader]...)
	if t.how == ca.FinishedTampered {
		out = append(out, fragment...)
		out[len(out)-1] ^= 1
		return out, nil
	}
	plain[len(plain)-1] ^= 1
	return t.seal.Seal(out, typeHandshake, versionTLS12Wire, plain)
}

// serverHello notes what the keys depend on (RFC 8446 4.1.3, RFC 5246 7.4.1.3).
func (t *tamper) serverHello(m []byte) {
	const random, session = 4 + 2, 4 + 2 + 32
	if len(m) <= session || m[0] != msgServerHello {
		return
	}
	if end := session + 1 + int(m[session]); len(m) >= end+2 {
		t.random, t.suite = append([]byte(nil), m[random:session]...), binary.BigEndian.Uint16(m[end:])
	}
}

// opener makes an opener of the server's records.
func (t *tamper) opener(s keys.Secret) (*keys.Opener, error) {
	suite, ok := keys.SuiteByID(t.suite)
	if !ok {
		return nil, fmt.Errorf("the cipher suite %#04x is not known", t.suite)
	}
	if s.Label != secretTLS12 {
		return keys.NewTLS13(suite, s.Secret)
	}
	_, server, err := keys.NewTLS12(versionTLS12Wire, suite, s.Secret, s.ClientRandom, t.random, false)
	return server, err
}
