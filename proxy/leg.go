package proxy

import (
	"sync"
	"sync/atomic"

	"explainer/capture"
)

// A leg is what is the same of every connection of the proxy that is recorded, with a client or with an
// origin, over TCP (a [Tap]) and over UDP (a [flow]).
type leg struct {
	stream   *stream
	peer     capture.Side // who is at the other end
	active   atomic.Int64 // Unix nanoseconds of the last byte
	deadline atomic.Int64 // for reading, Unix nanoseconds; 0 is none
	close    func() error

	end     sync.Mutex
	goodbye func() // closes it politely, where TLS runs on it
	outcome string // of FactClosed
	detail  string
	sibling *leg // the other leg, once there is one
	onClose []func()
}

// number returns the connection's number in the recording.
func (l *leg) number() int { return l.stream.number }

// who names the peer as FactClosed does.
func (l *leg) who() string {
	if l.peer == capture.Client {
		return "client"
	}
	return "origin"
}

// hang says how the connection is closed politely.
func (l *leg) hang(goodbye func()) {
	l.end.Lock()
	l.goodbye = goodbye
	l.end.Unlock()
}

// hangUp closes the connection, politely where TLS runs on it.
func (l *leg) hangUp() {
	l.end.Lock()
	goodbye := l.goodbye
	l.end.Unlock()
	goodbye()
}

// endedBy says who ended the connection, for the fact that its closing records. The first call counts.
func (l *leg) endedBy(outcome, detail string) {
	l.end.Lock()
	defer l.end.Unlock()
	if l.outcome == "" {
		l.outcome, l.detail = outcome, detail
	}
}

// endedLike says that l ended as other did, if that is known.
func (l *leg) endedLike(other *leg) {
	other.end.Lock()
	outcome, detail := other.outcome, other.detail
	other.end.Unlock()
	if outcome != "" {
		l.endedBy(outcome, detail)
	}
}

// atClose has f called once the connection is closed.
func (l *leg) atClose(f func()) {
	l.end.Lock()
	defer l.end.Unlock()
	l.onClose = append(l.onClose, f)
}

// tellClosed records the end of the connection. The outcome is what the connection's own last words
// say, where nobody said who ended it.
func (l *leg) tellClosed(outcome, detail string) {
	l.endedBy(outcome, detail)
	l.end.Lock()
	f := capture.Fact{Kind: capture.FactClosed, Conn: l.number(), Outcome: l.outcome, Detail: l.detail}
	if l.sibling != nil {
		f.Peer = l.sibling.number()
	}
	calls := l.onClose
	l.end.Unlock()
	l.stream.fact(f)
	for _, call := range calls {
		call()
	}
}

// belong makes o the other leg of l.
func (l *leg) belong(o *leg) {
	l.end.Lock()
	l.sibling = o
	l.end.Unlock()
}

// other returns the other leg, or nil.
func (l *leg) other() *leg {
	l.end.Lock()
	defer l.end.Unlock()
	return l.sibling
}
