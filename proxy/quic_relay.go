package proxy

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/quic-go/quic-go"
)

// relayQUIC passes on what comes on the streams of two connections of QUIC and in their DATAGRAM frames, until
// both have ended. Of each kind, streams are opened on the other side in the order in which they came, so
// that they have the same number there (RFC 9000 2.1). Which of several has its turn first is each connection's to say.
func relayQUIC(a, b *quic.Conn) {
	var all sync.WaitGroup
	for _, way := range [][2]*quic.Conn{{a, b}, {b, a}} {
		from, to := way[0], way[1]
		all.Go(func() { relayStreams(from, to) })
		all.Go(func() { relayUniStreams(from, to) })
		all.Go(func() { relayDatagrams(from, to) })
	}
	all.Wait()
}

func relayStreams(from, to *quic.Conn) {
	var open sync.WaitGroup
	defer open.Wait()
	for {
		in, err := from.AcceptStream(from.Context())
		if err != nil {
			return
		}
		out, err := to.OpenStreamSync(to.Context())
		if err != nil {
			return
		}
		open.Go(func() { relayStream(out, in) })
		open.Go(func() { relayStream(in, out) })
	}
}

func relayUniStreams(from, to *quic.Conn) {
	var open sync.WaitGroup
	defer open.Wait()
	for {
		in, err := from.AcceptUniStream(from.Context())
		if err != nil {
			return
		}
		out, err := to.OpenUniStreamSync(to.Context())
		if err != nil {
			return
		}
		open.Go(func() { relayStream(out, in) })
	}
}

// The two ends of one direction of a stream.
type (
	streamSource interface {
		io.Reader
		Peek([]byte) (int, error)
		CancelRead(quic.StreamErrorCode)
	}
	streamSink interface {
		io.WriteCloser
		CancelWrite(quic.StreamErrorCode)
		Context() context.Context
	}
)

// relayStream passes on one direction of a stream, with its end: a FIN, or RESET_STREAM with its code; and what
// its receiver says of it with STOP_SENDING (RFC 9000 3).
func relayStream(to streamSink, from streamSource) {
	unwatch := context.AfterFunc(to.Context(), func() {
		var stopped *quic.StreamError
		if errors.As(context.Cause(to.Context()), &stopped) && stopped.Remote {
			from.CancelRead(stopped.ErrorCode)
		}
	})
	defer unwatch()
	for {
		switch err := relayPart(to, from); {
		case err == nil:
		case err == io.EOF:
			to.Close()
			return
		default:
			var reset *quic.StreamError
			if errors.As(err, &reset) && reset.Remote {
				to.CancelWrite(reset.ErrorCode)
			}
			return // or the connection has ended, or the receiver wants no more
		}
	}
}

// relayPart passes on what is there, once something is; a stream that rests needs no buffer. The error is the source's.
func relayPart(to io.Writer, from streamSource) error {
	var first [1]byte
	if _, err := from.Peek(first[:]); err != nil {
		return err
	}
	buf := relayBuffers.Get().(*[]byte)
	defer relayBuffers.Put(buf)
	n, err := from.Read(*buf)
	if _, unsent := to.Write((*buf)[:n]); unsent != nil {
		var stopped *quic.StreamError
		if errors.As(unsent, &stopped) {
			from.CancelRead(stopped.ErrorCode)
		}
		return errStopped
	}
	return err
}

// errStopped ends a direction of a stream whose receiver wants no more of it.
var errStopped = errors.New("the receiver wants no more")

// relayDatagrams passes on DATAGRAM frames (RFC 9221). One that does not fit into a packet of the other
// connection is lost, as any may be.
func relayDatagrams(from, to *quic.Conn) {
	if !to.ConnectionState().SupportsDatagrams.Remote {
		return
	}
	for {
		b, err := from.ReceiveDatagram(from.Context())
		if err != nil {
			return
		}
		to.SendDatagram(b)
	}
}
