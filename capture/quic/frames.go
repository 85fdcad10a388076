package quic

// A Frame is a frame of an Initial packet (RFC 9000 19).
type Frame struct {
	Type uint64 // one of the Frame… constants
	// CRYPTO: where Data stands among the bytes of the handshake.
	Offset uint64
	Data   []byte // CRYPTO: bytes of the TLS handshake; CONNECTION_CLOSE: the reason in words
	More   int    // further frames of this type directly behind it, or behind padding, other than CRYPTO
	Code   uint64 // CONNECTION_CLOSE: 0x100 + n is the TLS alert n (RFC 9001 4.8)
}

// The frames that may stand in an Initial packet (RFC 9000 12.4). Padding is not given.
const (
	FramePing   = 0x01
	FrameAck    = 0x02
	FrameCrypto = 0x06
	FrameClose  = 0x1c
)

// Frames reads the frames of the content of an Initial packet of a version. It
// tells false where they break off: at a type that may not stand there, or at a
// false length.
func Frames(version uint32, payload []byte) (frames []Frame, ok bool) {
	r := reader{b: payload}
	crypto := uint64(FrameCrypto)
	if google(version) {
		crypto = 0x08
	}
	for r.at < len(payload) {
		if payload[r.at] == 0 { // PADDING
			r.at++
			continue
		}
		var f Frame
		if google(version) && payload[r.at]&0xc0 == 0x40 {
			r.googleAck()
			f.Type = FrameAck
		} else {
			f.Type = r.varint()
			switch {
			case f.Type == crypto:
				f.Type = FrameCrypto
			case f.Type == FrameCrypto:
				return frames, false
			case f.Type == FrameAck || f.Type == FrameAck+1:
				r.ack(f.Type != FrameAck)
				f.Type = FrameAck
			}
		}
		switch f.Type {
		case FramePing, FrameAck:
		case FrameCrypto:
			f.Offset = r.varint()
			f.Data = r.bytes(r.varint())
		case FrameClose, FrameClose + 1:
			f.Code = r.varint()
			if f.Type == FrameClose {
				r.varint() // the frame that it was about
			}
			f.Data = r.bytes(r.varint())
			f.Type = FrameClose
		default:
			return frames, false
		}
		if r.bad {
			return frames, false
		}
		// Many frames that say nothing more, as PING, are told once, with their number.
		if n := len(frames); n > 0 && f.Type != FrameCrypto && frames[n-1].Type == f.Type {
			frames[n-1].More++
			continue
		}
		frames = append(frames, f)
	}
	return frames, true
}

// ack takes in an acknowledgement (RFC 9000 19.3).
func (r *reader) ack(ecn bool) {
	r.varint() // largest
	r.varint() // delay
	more := r.varint()
	r.varint()
	for ; more > 0 && !r.bad; more-- {
		r.varint()
		r.varint()
	}
	if ecn {
		r.varint()
		r.varint()
		r.varint()
	}
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
