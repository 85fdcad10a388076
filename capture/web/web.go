// Package web reads HTTP/1.x, HTTP/2, HTTP/3 and WebSocket out of decrypted streams.
//
// It is fed plaintext as it comes and holds no body: heads, trailers, lengths
// and a short preview are all that it keeps.
package web

import "strings"

// A Mark says where a piece of plaintext stood on the wire.
type Mark struct {
	Start, End  int64 // byte offsets of the record(s) in the TCP stream, [Start, End)
	First, Last int   // packets that carried it
	Time        int64 // nanoseconds since the Unix epoch
}

// An Item is one piece of a web protocol: Body is *Head, *Body, *Frame, *WebSocket, *Switched or *Unparsed.
type Item struct {
	From        int  // 0: sent by the client of TCP or QUIC, 1: by the server
	First, Last Mark // where its first and its last byte stood; Last.Time is when it was complete, which may be later; of Unparsed when that byte came
	Body        any
}

// Field is one header or trailer line, name as it was sent.
type Field struct{ Name, Value string }

// Head is the head of a request or response.
type Head struct {
	Protocol  string // "HTTP/1.0", "HTTP/1.1", "HTTP/2" or "HTTP/3"
	Stream    uint64 // stream of HTTP/2 or QUIC; for HTTP/1, the number of the exchange on this connection, from 1
	Request   bool
	Method    string // requests; for a response, the method of its request when known
	Target    string // request target: path, absolute URI or authority, as sent (:path in HTTP/2 and HTTP/3)
	Authority string // host and port of a target in absolute form, else the Host field; or :authority
	Scheme    string // HTTP/2 and HTTP/3 only
	Status    int    // responses
	Reason    string
	Fields    []Field // all fields in order, pseudo-header fields left out
	EndsHere  bool    // no body follows
	// Connect is the :protocol of an extended CONNECT (RFC 8441, 9220), "" otherwise.
	Connect string
	// Odd lists what a strict reader would refuse and this one read: "obs-fold" (a
	// field went on in a second line; joined by a space, RFC 9112 5.2), "bare-lf" (a line
	// ended without CR, 2.2), "bad-field-name" (not a token, 5.1), "two-lengths" (both
	// Transfer-Encoding and Content-Length, 6.3), "after-417" (it stands where the body of
	// the request before was due, which had been answered with 417 first, and could be that, RFC 9110 10.1.1).
	Odd []string
}

// Get returns the first field of that name (case-insensitive), or "".
func (h *Head) Get(name string) string { return get(h.Fields, name) }

// Body is the end of a message's body.
type Body struct {
	Protocol string
	Stream   uint64
	Request  bool
	Len      int64  // bytes as transferred, chunk framing excluded, content coding still on
	Missing  int64  // bytes of Len that are not in the capture (HTTP/3)
	Framing  string // "content-length", "chunked", "close", "frames"
	Coding   string // Content-Encoding, "" if none
	Type     string // Content-Type
	// Preview is the beginning of the content with the content coding undone, at
	// most 512 bytes; PreviewErr says why there is none where one was due.
	Preview    []byte
	PreviewErr string
	Trailers   []Field
	Complete   bool // false: the connection or stream ended first
}

// Frame is one frame of HTTP/2 or HTTP/3 other than HEADERS, CONTINUATION and DATA, or
// the client's preface of HTTP/2. Of HTTP/3 it is also:
//   - "STREAM", the type at the beginning of a stream (RFC 9114 6.2), in Detail;
//   - an instruction on one of QPACK's streams (RFC 9204 4.3, 4.4);
//   - "DATAGRAM" (RFC 9297 2.1), and "RESET" where a stream was given up;
//   - "HEADERS" or "PUSH_PROMISE" with Unread, whose field section cannot be read here.
type Frame struct {
	Protocol string // "HTTP/2" or "HTTP/3"
	Type     string // "PREFACE", "SETTINGS", "WINDOW_UPDATE", "PING", "GOAWAY", "RST_STREAM", "PRIORITY", "PUSH_PROMISE", ...
	Stream   uint64
	Flags    uint8
	Ack      bool
	Len      int     // payload bytes
	Detail   []Field // settings by name, error code, increment
	// Unread says why a field section of HTTP/3 was not read, "" where it was: "missing-insert",
	// an entry of the dynamic table that it needs did not come, or may not be what it
	// was, since bytes of the encoder's stream are missing or malformed; "missing-settings",
	// without which needed entries cannot be counted (RFC 9204 4.5.1.1); "too-much-waits",
	// more waited for them than is held here (2 MiB).
	Unread string
}

// WebSocket is one frame of RFC 6455.
type WebSocket struct {
	Opcode     uint8 // 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong
	Fin        bool
	Masked     bool
	Compressed bool  // part of a message with RSV1: permessage-deflate (RFC 7692)
	Len        int64 // payload bytes
	// Preview is the beginning of the payload, unmasked and without the close
	// code, at most 128 bytes. Of a compressed message one frame alone has one: that
	// with which 128 bytes are there, or the last. It is missing once a message
	// was too long to be undone (64 KiB compressed, 1 MiB whole), if later ones need it.
	Preview []byte
	Code    uint16 // close code
}

// Switched tells that the connection goes on in another protocol: by 101 to
// "websocket" or another Upgrade token, or a CONNECT answered with 2xx ("tunnel").
type Switched struct {
	Protocol string
	Target   string // of a tunnel whose bytes are not read as HTTP: "host:port" as the request asked for it
}

// Unparsed is plaintext that is none of these protocols, or that breaks them.
// The direction is not read further: there is one Unparsed when it begins, and
// a second at the end, with the total Len, if more bytes came after the first.
type Unparsed struct {
	Len     int64
	Preview []byte // at most 64 bytes
	// Why is one of these permanent IDs. "not-http": no head was read before;
	// "switched": another protocol after 101; "tunnel": after CONNECT, when more than
	// 64 KiB of the client's came before the answer; "ended-early": the end came
	// inside a head or frame; "malformed-request-line", "malformed-status-line",
	// "malformed-field-line", "malformed-content-length", "malformed-chunk",
	// "malformed-trailers", "transfer-encoding-without-chunked" (in a request, RFC
	// 9112 6.3); "malformed-preface", "malformed-frame" (HTTP/2, WebSocket),
	// "malformed-hpack"; beyond the bounds of this reader: "head-too-long" (256 KiB), "too-many-streams" (1,024).
	// Of HTTP/3 also "after-gap" (bytes before are not in the capture), "malformed-stream" (a second control stream, or one that this side may not begin, RFC 9114 6.2),
	// "malformed-qpack", "malformed-datagram" (RFC 9297 2.1); "unknown-stream", of a type that is not
	// known or means nothing; "webtransport", a stream of a WebTransport session; beyond
	// the bounds: "table-too-large" (1 MiB), "too-much-at-once" (2 MiB of heads that are not whole).
	Why   string
	Total bool // the second, whose Len counts all

	// Protocol is "HTTP/3" where it is of one direction of a stream of QUIC, whose ID is Stream; else "".
	Protocol string
	Stream   uint64
}

func get(fields []Field, name string) string {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}
