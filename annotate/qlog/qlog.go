// Package qlog tells the packets of a story's connections of QUIC, and the heads and settings of
// HTTP/3 in them, as qlog.
package qlog

import (
	"encoding/json"
	"net"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture/printable"
)

// QLog turns events into traces of qlog 0.3 (draft-ietf-quic-qlog-main-schema-02 and
// draft-ietf-quic-qlog-quic-events-02): one for each connection of QUIC. They are seen from the
// network, with the client as the side that sends.
type QLog struct {
	// Out takes an event of qlog, as JSON: the session and the connection it belongs to, and
	// its time, by which those of a trace are sorted.
	Out func(session, conn int, at time.Time, entry []byte) error

	conns map[int]*trace
}

// New returns a renderer that hands its events to out.
func New(out func(session, conn int, at time.Time, entry []byte) error) *QLog {
	return &QLog{Out: out, conns: map[int]*trace{}}
}

// A trace is what is known of a connection.
type trace struct {
	began time.Time
	title string
}

type entry struct {
	Time float64 `json:"time"` // milliseconds since the connection began
	Name string  `json:"name"`
	Data any     `json:"data"`
}

type started struct {
	IPVersion string `json:"ip_version"`
	SrcIP     string `json:"src_ip"`
	DstIP     string `json:"dst_ip"`
	Protocol  string `json:"protocol"`
	SrcPort   uint16 `json:"src_port"`
	DstPort   uint16 `json:"dst_port"`
}

type packet struct {
	Header     header   `json:"header"`
	Frames     []any    `json:"frames,omitempty"`
	RetryToken *token   `json:"retry_token,omitempty"`
	Versions   []string `json:"supported_versions,omitempty"`
	Raw        raw      `json:"raw"`
}

type header struct {
	Type    string  `json:"packet_type"`
	Number  *uint64 `json:"packet_number,omitempty"`
	Token   *token  `json:"token,omitempty"`
	Version string  `json:"version,omitempty"`
	SCIL    *int    `json:"scil,omitempty"` // bytes
	DCIL    *int    `json:"dcil,omitempty"` // bytes
	SCID    *string `json:"scid,omitempty"`
	DCID    *string `json:"dcid,omitempty"`
}

type token struct {
	Length int `json:"length"` // bytes
}

type raw struct {
	Length int64 `json:"length"` // bytes
}

type info struct {
	Message string `json:"message"`
}

// packetTypes are the names of qlog for those of [event.QUIC].
var packetTypes = map[string]string{
	"Initial": "initial", "0-RTT": "0RTT", "Handshake": "handshake", "1-RTT": "1RTT",
	"Retry": "retry", "Version Negotiation": "version_negotiation", "Stateless Reset": "stateless_reset",
}

// Event takes the next event.
func (q *QLog) Event(e *event.Event) error {
	at, _ := time.Parse(time.RFC3339Nano, e.Time)
	if e.Kind == event.KindConnection && e.Ends != nil && e.Ends.Transport == "quic" {
		title := "connection " + strconv.Itoa(e.Conn)
		if e.Leg != "" {
			title += " (" + e.Leg + " leg)"
		}
		q.conns[e.Conn] = &trace{began: at, title: title + ": " + e.Ends.Client + " to " + e.Ends.Server}
		return q.out(e, at, "connectivity:connection_started", start(e.Ends))
	}
	if q.conns[e.Conn] == nil {
		return nil
	}
	if name, data := http3(e); name != "" {
		return q.out(e, at, name, data)
	}
	if e.QUIC == nil {
		return nil
	}
	if e.Size != nil && e.Size.Reason != "" {
		text := words.Plural(e.Size.Records, e.QUIC.Type+" packet") + " from the " + e.From + ", " + words.Plural(int(e.Size.Bytes), "byte") + ": sealed (" + e.Size.Reason + ")"
		return q.out(e, at, "generic:info", info{text})
	}
	name := "transport:packet_sent"
	if e.From == "server" {
		name = "transport:packet_received"
	}
	return q.out(e, at, name, packetOf(e))
}

func (q *QLog) out(e *event.Event, at time.Time, name string, data any) error {
	text, err := json.Marshal(entry{float64(at.Sub(q.conns[e.Conn].began)) / 1e6, name, data})
	if err != nil {
		return err
	}
	return q.Out(e.Session, e.Conn, at, printable.JSON(text))
}

func start(ends *event.Ends) started {
	s := started{IPVersion: "v4", Protocol: "QUIC"}
	split := func(addr string) (string, uint16) {
		host, port, _ := net.SplitHostPort(addr)
		n, _ := strconv.ParseUint(port, 10, 16)
		return host, uint16(n)
	}
	s.SrcIP, s.SrcPort = split(ends.Client)
	s.DstIP, s.DstPort = split(ends.Server)
	if strings.Contains(s.SrcIP, ":") {
		s.IPVersion = "v6"
	}
	return s
}

func packetOf(e *event.Event) packet {
	q := e.QUIC
	p := packet{Header: header{Type: packetTypes[q.Type], Version: q.Version, SCID: q.By, DCID: q.To}, Versions: q.Versions}
	if p.Header.Type == "" {
		p.Header.Type = "unknown"
	}
	if e.Size != nil {
		p.Raw.Length = e.Size.Bytes
	}
	p.Header.SCIL, p.Header.DCIL = length(q.By), length(q.To)
	switch q.Type {
	case "Initial", "0-RTT", "Handshake", "1-RTT":
		p.Header.Number = &q.Number
		p.Frames = []any{}
	}
	if q.Token > 0 {
		if t := (&token{q.Token}); q.Type == "Retry" {
			p.RetryToken = t
		} else {
			p.Header.Token = t
		}
	}
	for i := range q.Frames {
		p.Frames = append(p.Frames, frameOf(&q.Frames[i]))
	}
	return p
}

// length is how many bytes a connection ID has.
func length(id *string) *int {
	if id == nil {
		return nil
	}
	n := len(*id) / 2
	return &n
}

// frameOf is a frame as qlog has it, with the fields that its type has there.
func frameOf(f *event.QUICFrame) map[string]any {
	out := map[string]any{"frame_type": strings.ToLower(f.Type)}
	direction := func() string {
		if f.Uni {
			return "unidirectional"
		}
		return "bidirectional"
	}
	switch f.Type {
	case "ACK":
		if len(f.Ranges) > 0 {
			out["acked_ranges"] = f.Ranges // both ends also of a range of one, which readers take more widely
		}
	case "RESET_STREAM", "RESET_STREAM_AT":
		out["stream_id"], out["error_code"], out["final_size"] = f.Stream, f.Code, f.Number
	case "STOP_SENDING":
		out["stream_id"], out["error_code"] = f.Stream, f.Code
	case "CRYPTO":
		out["offset"], out["length"] = f.Offset, f.Length
	case "STREAM":
		out["stream_id"], out["offset"], out["length"] = f.Stream, f.Offset, f.Length
		if f.Fin {
			out["fin"] = true
		}
	case "DATAGRAM":
		out["length"] = f.Length
	case "NEW_TOKEN":
		out["token"] = token{f.Length}
	case "MAX_DATA":
		out["maximum"] = f.Number
	case "MAX_STREAM_DATA":
		out["stream_id"], out["maximum"] = f.Stream, f.Number
	case "MAX_STREAMS":
		out["stream_type"], out["maximum"] = direction(), f.Number
	case "DATA_BLOCKED":
		out["limit"] = f.Number
	case "STREAM_DATA_BLOCKED":
		out["stream_id"], out["limit"] = f.Stream, f.Number
	case "STREAMS_BLOCKED":
		out["stream_type"], out["limit"] = direction(), f.Number
	case "NEW_CONNECTION_ID":
		out["sequence_number"], out["retire_prior_to"], out["connection_id_length"], out["connection_id"] = f.Number, f.Prior, f.Length, f.ID
	case "RETIRE_CONNECTION_ID":
		out["sequence_number"] = f.Number
	case "CONNECTION_CLOSE":
		out["error_space"], out["error_code"], out["raw_error_code"] = "transport", f.Code, f.Code
		if f.App {
			out["error_space"] = "application"
		}
		if f.Reason != "" {
			out["reason"] = f.Reason
		}
	default:
		if n, err := strconv.ParseUint(f.Type, 0, 64); err == nil {
			out["frame_type"], out["raw_frame_type"] = "unknown", n
		}
	}
	return out
}

// Flush does nothing: an event is handed on as it comes.
func (q *QLog) Flush() error { return nil }

// Finish does nothing.
func (q *QLog) Finish() error { return nil }

// Head is what stands before the traces, which are separated by commas.
func Head(version string) string {
	return `{"qlog_version":"0.3","qlog_format":"JSON","title":` + quoted("explainer "+version) +
		`,"description":"packets of QUIC as a capture has them; what stays sealed is told in generic:info","traces":[` + "\n"
}

// Foot is what stands behind them.
func Foot() string { return "\n]}\n" }

// Begin is what stands before the events of a connection, which are separated by commas.
func (q *QLog) Begin(conn int) string {
	t := q.conns[conn]
	reference := float64(t.began.UnixMicro()) / 1e3 // milliseconds since 1970
	return `{"title":` + quoted(t.title) + `,"vantage_point":{"name":"capture","type":"network","flow":"client"},"common_fields":{"protocol_type":["QUIC","HTTP3"],"time_format":"relative","reference_time":` +
		strconv.FormatFloat(reference, 'f', -1, 64) + "},\"events\":[\n"
}

// End is what stands behind them.
func End() string { return "\n]}" }

func quoted(s string) string {
	text, _ := json.Marshal(s)
	return string(printable.JSON(text))
}
