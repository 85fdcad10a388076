package proxy

import (
	"explainer/capture/keys"
)

const (
	// helloHead is how much of a ClientHello's record there is up to the end of its
	// random (RFC 8446 5.1, 4.1.2): 5 bytes, 4, the version, 32 bytes.
	helloHead = 5 + 4 + 2 + 32
	// maxUnclaimed bounds the client randoms whose connection is not known.
	maxUnclaimed = 1024
	// maxLines bounds the key log lines of one client random.
	maxLines = 64
)

// openSecrets holds the key log lines of the connections that are open, for the
// next part of the recording. They belong together by the client's random.
type openSecrets struct {
	byRandom  map[string]*lines
	unclaimed []string // oldest first; some may have been claimed since
}

type lines struct {
	secrets []keys.Secret
	streams int // that are open
}

func (o *openSecrets) lines(random string) *lines {
	if o.byRandom == nil {
		o.byRandom = map[string]*lines{}
	}
	l := o.byRandom[random]
	if l == nil {
		l = &lines{}
		o.byRandom[random] = l
	}
	return l
}

// add takes in a key log line.
func (o *openSecrets) add(s keys.Secret) {
	l := o.lines(string(s.ClientRandom))
	if l.streams == 0 && len(l.secrets) == 0 {
		o.unclaimed = append(o.unclaimed, string(s.ClientRandom))
		if len(o.unclaimed) > maxUnclaimed {
			o.drop(o.unclaimed[0])
			o.unclaimed = o.unclaimed[1:]
		}
	}
	if len(l.secrets) < maxLines {
		l.secrets = append(l.secrets, s)
	}
}

func (o *openSecrets) drop(random string) {
	if l := o.byRandom[random]; l != nil && l.streams == 0 {
		delete(o.byRandom, random)
	}
}

// see looks for the random of a ClientHello in what a client sends.
func (o *openSecrets) see(s *stream, data []byte) {
	if len(s.hello) >= helloHead || len(data) == 0 {
		return
	}
	if len(s.hello) == 0 && data[0] != 22 {
		return // a CONNECT, or no TLS
	}
	s.hello = append(s.hello, data[:min(len(data), helloHead-len(s.hello))]...)
	switch h := s.hello; {
	case len(h) > 1 && h[1] != 3, len(h) > 5 && h[5] != 1:
		s.hello = nil
	case len(h) == helloHead:
		o.lines(s.random()).streams++
	}
}

// claim says whose a client random is: in QUIC no record shows it. s may be nil.
func (o *openSecrets) claim(s *stream, random []byte) {
	if s != nil && s.udp && len(s.hello) == 0 && len(random) == 32 {
		s.hello = append(make([]byte, helloHead-32), random...)
		o.lines(string(random)).streams++
	}
}

// random returns the client random of a stream, or "".
func (s *stream) random() string {
	if len(s.hello) < helloHead {
		return ""
	}
	return string(s.hello[helloHead-32:])
}

// of returns the key log lines of a stream.
func (o *openSecrets) of(s *stream) []keys.Secret {
	if l := o.byRandom[s.random()]; l != nil {
		return l.secrets
	}
	return nil
}

// forget lets go of a stream that has ended.
func (o *openSecrets) forget(s *stream) {
	if l := o.byRandom[s.random()]; l != nil && s.random() != "" {
		l.streams--
		o.drop(s.random())
	}
}
