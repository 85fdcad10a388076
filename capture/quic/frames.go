package quic

// A Frame is a frame (RFC 9000 19). Which of the fields it has is said by its type.
type Frame struct {
	Type   uint64 // one of the Frame… constants, or a type that is not known
	Stream uint64 // STREAM, RESET_STREAM, STOP_SENDING, MAX_STREAM_DATA, STREAM_DATA_BLOCKED
	// CRYPTO and STREAM: where the data stands among the bytes of the handshake or of the
	// stream, and how many they are.
	Offset uint64
	Len    int
	Data   []byte // CRYPTO, STREAM, DATAGRAM: the bytes; CONNECTION_CLOSE: the reason in words; NEW_CONNECTION_ID: the ID; NEW_TOKEN: the token; PATH_CHALLENGE and PATH_RESPONSE: 8 bytes
	Fin    bool   // STREAM: the stream ends with it
	More   int    // further frames of this type directly behind it, or behind padding; never of those with Data
	Code   uint64 // an error code: CONNECTION_CLOSE, where 0x100 + n is the TLS alert n (RFC 9001 4.8); RESET_STREAM and STOP_SENDING, the application's
	// ACK: the highest packet number that is acknowledged; MAX_… and …_BLOCKED: the limit; TIMESTAMP: a time;
	// NEW_CONNECTION_ID and RETIRE_CONNECTION_ID: the sequence number; RESET_STREAM: the stream's final size.
	Number uint64
	Reset  []byte // NEW_CONNECTION_ID: the token of a stateless reset, 16 bytes
	Prior  uint64 // NEW_CONNECTION_ID: those with a lower sequence number are to be retired
	// ACK: the first maxRanges ranges that are acknowledged, lowest and highest packet number
	// of each, as they stand in the frame: the highest range first.
	Ranges [][2]uint64
}

// maxRanges bounds the ranges that are kept of one frame.
const maxRanges = 256

// The types of frames. Padding is not given.
const (
	FramePing              = 0x01
	FrameAck               = 0x02 // and 0x03, with ECN counts
	FrameResetStream       = 0x04
	FrameStopSending       = 0x05
	FrameCrypto            = 0x06
	FrameNewToken          = 0x07
	FrameStream            = 0x08 // to 0x0f
	FrameMaxData           = 0x10
	FrameMaxStreamData     = 0x11
	FrameMaxStreams        = 0x12 // bidirectional
	FrameMaxStreamsUni     = 0x13
	FrameDataBlocked       = 0x14
	FrameStreamDataBlocked = 0x15
	FrameStreamsBlocked    = 0x16 // bidirectional
	FrameStreamsBlockedUni = 0x17
	FrameNewID             = 0x18
	FrameRetireID          = 0x19
	FramePathChallenge     = 0x1a
	FramePathResponse      = 0x1b
	FrameClose             = 0x1c
	FrameCloseApp          = 0x1d // CONNECTION_CLOSE with an error code of the application
	FrameHandshakeDone     = 0x1e
	FrameImmediateAck      = 0x1f   // draft-ietf-quic-ack-frequency
	FrameResetStreamAt     = 0x24   // draft-ietf-quic-reliable-stream-reset
	FrameDatagram          = 0x30   // and 0x31, with a length (RFC 9221)
	FrameAckFrequency      = 0xaf   // draft-ietf-quic-ack-frequency
	FrameTimestamp         = 0x02f5 // draft-huitema-quic-ts
)

var frameNames = map[uint64]string{
	FramePing: "PING", FrameAck: "ACK", FrameResetStream: "RESET_STREAM", FrameStopSending: "STOP_SENDING", FrameCrypto: "CRYPTO",
	FrameNewToken: "NEW_TOKEN", FrameStream: "STREAM", FrameMaxData: "MAX_DATA", FrameMaxStreamData: "MAX_STREAM_DATA",
	FrameMaxStreams: "MAX_STREAMS", FrameMaxStreamsUni: "MAX_STREAMS", FrameDataBlocked: "DATA_BLOCKED",
	FrameStreamDataBlocked: "STREAM_DATA_BLOCKED", FrameStreamsBlocked: "STREAMS_BLOCKED", FrameStreamsBlockedUni: "STREAMS_BLOCKED",
	FrameNewID: "NEW_CONNECTION_ID", FrameRetireID: "RETIRE_CONNECTION_ID", FramePathChallenge: "PATH_CHALLENGE",
	FramePathResponse: "PATH_RESPONSE", FrameClose: "CONNECTION_CLOSE", FrameCloseApp: "CONNECTION_CLOSE",
	FrameHandshakeDone: "HANDSHAKE_DONE", FrameImmediateAck: "IMMEDIATE_ACK", FrameResetStreamAt: "RESET_STREAM_AT",
	FrameDatagram: "DATAGRAM", FrameAckFrequency: "ACK_FREQUENCY", FrameTimestamp: "TIMESTAMP",
}

// FrameName is the name of a type of frame, "" if it is not known.
func FrameName(typ uint64) string { return frameNames[typ] }

// Frames reads the frames of the content of a packet of a kind and version; the data in them
// aliases it. It tells false where they break off: at a type that may not stand there (RFC
// 9000 12.4) or is not known, which then is the last, or at a false length.
func Frames(kind Type, version uint32, payload []byte) (frames []Frame, ok bool) {
	return appendFrames(nil, kind, version, payload)
}

func appendFrames(frames []Frame, kind Type, version uint32, payload []byte) ([]Frame, bool) {
	r := reader{b: payload}
	old := google(version) && kind != OneRTT && kind != ZeroRTT
	before := len(frames)
	for r.at < len(payload) {
		if payload[r.at] == 0 { // PADDING
			r.at++
			continue
		}
		var f Frame
		switch {
		case old && payload[r.at]&0xc0 == 0x40:
			r.googleAck()
			f.Type = FrameAck
		default:
			f.Type = r.varint()
			switch {
			case old && f.Type == FrameCrypto:
				return frames, false
			case old && f.Type == FrameStream:
				f.Type = FrameCrypto
			}
			if (kind == Initial || kind == Handshake) && f.Type > FrameAck+1 && f.Type != FrameCrypto && f.Type != FrameClose && f.Type != FrameCloseApp {
				return frames, false
			}
			if !r.frame(&f) {
				return append(frames, Frame{Type: f.Type}), false
			}
		}
		if r.bad {
			return frames, false
		}
		// Many frames that say little more, as PING, are told once, with their number.
		if n := len(frames); n > before && f.Data == nil && f.Type != FrameStream && frames[n-1].Type == f.Type && frames[n-1].Stream == f.Stream && f.Type != FrameRetireID {
			frames[n-1].More++
			frames[n-1].Number = max(frames[n-1].Number, f.Number)
			frames[n-1].Ranges = append(frames[n-1].Ranges, f.Ranges[:min(len(f.Ranges), maxRanges-len(frames[n-1].Ranges))]...)
			continue
		}
		frames = append(frames, f)
	}
	return frames, true
}

// frame reads what follows a frame's type. It tells false where the type is not known.
func (r *reader) frame(f *Frame) bool {
	switch f.Type {
	case FramePing, FrameHandshakeDone, FrameImmediateAck:
	case FrameAck, FrameAck + 1:
		f.Number, f.Ranges = r.ack(f.Type != FrameAck)
		f.Type = FrameAck
	case FrameResetStream, FrameResetStreamAt:
		f.Stream, f.Code, f.Number = r.varint(), r.varint(), r.varint()
		if f.Type == FrameResetStreamAt {
			r.varint() // what of it is delivered nevertheless
		}
	case FrameStopSending:
		f.Stream, f.Code = r.varint(), r.varint()
	case FrameCrypto:
		f.Offset = r.varint()
		f.Data = r.bytes(r.varint())
	case FrameNewToken:
		f.Data = r.bytes(r.varint())
	case FrameMaxData, FrameMaxStreams, FrameMaxStreamsUni, FrameDataBlocked, FrameStreamsBlocked, FrameStreamsBlockedUni, FrameRetireID, FrameTimestamp:
		f.Number = r.varint()
	case FrameMaxStreamData, FrameStreamDataBlocked:
		f.Stream, f.Number = r.varint(), r.varint()
	case FrameNewID:
		f.Number = r.varint()
		f.Prior = r.varint()
		f.Data = r.bytes(uint64(r.u8()))
		f.Reset = r.bytes(16)
	case FramePathChallenge, FramePathResponse:
		f.Data = r.bytes(8)
	case FrameClose, FrameCloseApp:
		f.Code = r.varint()
		if f.Type == FrameClose {
			r.varint() // the frame that it was about
		}
		f.Data = r.bytes(r.varint())
	case FrameDatagram:
		f.Data = r.bytes(uint64(len(r.b) - r.at))
	case FrameDatagram + 1:
		f.Type = FrameDatagram
		f.Data = r.bytes(r.varint())
	case FrameAckFrequency:
		r.varint()
		r.varint()
		r.varint()
		r.varint()
	default:
		if f.Type < FrameStream || f.Type > FrameStream+7 {
			return false
		}
		bits := f.Type
		f.Type, f.Fin = FrameStream, bits&1 != 0
		f.Stream = r.varint()
		if bits&4 != 0 {
			f.Offset = r.varint()
		}
		n := uint64(len(r.b) - r.at)
		if bits&2 != 0 {
			n = r.varint()
		}
		f.Data = r.bytes(n)
	}
	f.Len = len(f.Data)
	return true
}

// ack takes in an acknowledgement (RFC 9000 19.3). Its ranges break off before one that would
// lie below packet 0.
func (r *reader) ack(ecn bool) (largest uint64, ranges [][2]uint64) {
	largest = r.varint()
	r.varint() // delay
	more := r.varint()
	high, length := largest, r.varint()
	if length <= high {
		ranges = append(ranges, [2]uint64{high - length, high})
	}
	whole := length <= high
	for ; more > 0 && !r.bad; more-- {
		gap, next := r.varint(), r.varint()
		if whole = whole && !r.bad && high-length >= gap+2 && high-length-gap-2 >= next; !whole {
			continue
		}
		if high, length = high-length-gap-2, next; len(ranges) < maxRanges {
			ranges = append(ranges, [2]uint64{high - length, high})
		}
	}
	if ecn {
		r.varint()
		r.varint()
		r.varint()
	}
	return largest, ranges
}

// googleAck takes in an acknowledgement as Google's own versions have it: flags
// for the sizes of the numbers, the largest packet, a delay, blocks and times.
func (r *reader) googleAck() {
	flags := r.u8()
	size := func(bits byte) uint64 { return [4]uint64{1, 2, 4, 6}[bits&3] }
	block := size(flags)
	r.bytes(size(flags>>2) + 2)
	blocks := uint64(0)
	if flags&0x20 != 0 {
		blocks = uint64(r.u8())
	}
	r.bytes(block + blocks*(1+block))
	if times := uint64(r.u8()); times > 0 {
		r.bytes(5 + (times-1)*3)
	}
}

// A Parameter is one transport parameter (RFC 9000 18).
type Parameter struct {
	ID    uint64
	Value []byte
}

// ParameterResetToken is stateless_reset_token: 16 bytes, of the server's alone.
const ParameterResetToken = 0x02

// What an end lets the other do: streams of either kind that it may open at first, and the longest DATAGRAM frame in
// bytes (RFC 9000 18.2, RFC 9221 3).
const (
	ParameterStreamsBidi = 0x08
	ParameterStreamsUni  = 0x09
	ParameterDatagrams   = 0x20
)

// Number reads a parameter's value where it is one integer.
func (p Parameter) Number() (uint64, bool) {
	r := reader{b: p.Value}
	v := r.varint()
	return v, !r.bad && r.at == len(p.Value)
}

// Reserved tells whether a parameter has no meaning and is sent so that none
// is refused that is not known (RFC 9000 18.1).
func (p Parameter) Reserved() bool { return p.ID >= 27 && (p.ID-27)%31 == 0 }

// Parameters reads the content of the TLS extension quic_transport_parameters
// (RFC 9000 18, RFC 9001 8.2; drafts from 27 on). It tells false where that is malformed.
func Parameters(b []byte) (list []Parameter, ok bool) {
	r := reader{b: b}
	for r.at < len(b) {
		p := Parameter{ID: r.varint()}
		p.Value = r.bytes(r.varint())
		if r.bad || len(list) == 256 {
			return list, false
		}
		list = append(list, p)
	}
	return list, true
}

// ParameterName returns the name of a transport parameter in its RFC, "" if it is not known.
func ParameterName(id uint64) string { return parameterNames[id] }

// NumberParameter tells whether a parameter's value is one integer.
func NumberParameter(id uint64) bool {
	switch id {
	case 0x01, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0e, 0x20, 0xff04de1b:
		return true
	}
	return false
}

var parameterNames = map[uint64]string{
	0x00:       "original_destination_connection_id",
	0x01:       "max_idle_timeout",
	0x02:       "stateless_reset_token",
	0x03:       "max_udp_payload_size",
	0x04:       "initial_max_data",
	0x05:       "initial_max_stream_data_bidi_local",
	0x06:       "initial_max_stream_data_bidi_remote",
	0x07:       "initial_max_stream_data_uni",
	0x08:       "initial_max_streams_bidi",
	0x09:       "initial_max_streams_uni",
	0x0a:       "ack_delay_exponent",
	0x0b:       "max_ack_delay",
	0x0c:       "disable_active_migration",
	0x0d:       "preferred_address",
	0x0e:       "active_connection_id_limit",
	0x0f:       "initial_source_connection_id",
	0x10:       "retry_source_connection_id",
	0x11:       "version_information",     // RFC 9368
	0x20:       "max_datagram_frame_size", // RFC 9221
	0x2ab2:     "grease_quic_bit",         // RFC 9287
	0x3127:     "initial_rtt (Google's own)",
	0x3128:     "google_connection_options (Google's own)",
	0x4752:     "google_version (Google's own)",
	0xff04de1b: "min_ack_delay (draft)",
	0xff73db:   "version_information (draft)",
}
