package annotate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/qlog"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/pcap/pcaptest"
)

// qlogFile is what a file of qlog 0.3 may have of what is written here, by the names of its drafts.
type qlogFile struct {
	Version     string `json:"qlog_version"`
	Format      string `json:"qlog_format"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Traces      []struct {
		Title        string            `json:"title"`
		VantagePoint map[string]string `json:"vantage_point"`
		Common       struct {
			Protocols []string `json:"protocol_type"`
			Format    string   `json:"time_format"`
			Reference float64  `json:"reference_time"`
		} `json:"common_fields"`
		Events []struct {
			Time float64         `json:"time"`
			Name string          `json:"name"`
			Data json.RawMessage `json:"data"`
		} `json:"events"`
	} `json:"traces"`
}

type qlogPacket struct {
	Header struct {
		Type    string     `json:"packet_type"`
		Number  *uint64    `json:"packet_number"`
		Token   *qlogToken `json:"token"`
		Version string     `json:"version"`
		SCIL    *int       `json:"scil"`
		DCIL    *int       `json:"dcil"`
		SCID    string     `json:"scid"`
		DCID    string     `json:"dcid"`
	} `json:"header"`
	Frames   []map[string]any `json:"frames"`
	Token    *qlogToken       `json:"retry_token"`
	Versions []string         `json:"supported_versions"`
	Raw      struct {
		Length int64 `json:"length"`
	} `json:"raw"`
}

type qlogHTTP struct {
	Stream *uint64 `json:"stream_id"`
	Frame  struct {
		Type    string `json:"frame_type"`
		Headers []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		} `json:"headers"`
	} `json:"frame"`
}

type qlogToken struct {
	Length int `json:"length"`
}

// qlogFrames are the fields that the draft has for each frame.
var qlogFrames = map[string]string{
	"ping": "", "ack": "acked_ranges?", "reset_stream": "stream_id error_code final_size", "stop_sending": "stream_id error_code",
	"crypto": "offset length", "new_token": "token", "stream": "stream_id offset length fin?", "max_data": "maximum", "max_stream_data": "stream_id maximum",
	"max_streams": "stream_type maximum", "data_blocked": "limit", "stream_data_blocked": "stream_id limit", "streams_blocked": "stream_type limit",
	"new_connection_id":    "sequence_number retire_prior_to connection_id_length connection_id",
	"retire_connection_id": "sequence_number", "path_challenge": "", "path_response": "",
	"connection_close": "error_space error_code raw_error_code reason?", "handshake_done": "", "unknown": "raw_frame_type",
	"datagram": "length", // which the later drafts have
}

// TestQLog: each packet of what was recorded of quic-go stands once in qlog, as often of each type as the
// capture has it and the story counts it, with the fields that the drafts name and nothing else.
func TestQLog(t *testing.T) {
	names := map[string]string{
		"Initial": "initial", "0-RTT": "0RTT", "Handshake": "handshake", "1-RTT": "1RTT", "Retry": "retry",
		"Version Negotiation": "version_negotiation", "Stateless Reset": "stateless_reset",
	}
	seen := map[string]bool{}
	for _, name := range []string{"http3", "version2-retry-update"} {
		packets, secrets := quicRecording(t, name)
		file := pcaptest.File(packets, 0)
		want, wantSealed := map[string]int{}, 0
		x := annotate.Explainer{Packets: true}
		var es []event.Event
		for _, m := range pcaptest.Read(t, file, secrets) {
			if p, ok := m.Body.(*capture.QUICPacket); ok && p.Reason == "" {
				want[fmt.Sprint(m.Conn.Number, m.Side, names[p.Kind.String()])]++
			} else if ok {
				wantSealed += p.Packets
			}
			es = append(es, x.Explain(&m)...)
		}
		es = append(es, x.Finish()...)
		entries := map[int][][]byte{}
		var conns []int
		q := qlog.New(func(_, conn int, _ time.Time, entry []byte) error {
			if entries[conn] == nil {
				conns = append(conns, conn)
			}
			entries[conn] = append(entries[conn], bytes.Clone(entry))
			return nil
		})
		counted, sealed := map[int]map[string]int{}, 0
		said := map[int]string{}
		for i := range es {
			// What is told of a packet is in JSON, too.
			text, err := json.Marshal(&es[i])
			if err != nil {
				t.Fatal(err)
			}
			var back event.Event
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatal(err)
			}
			if err := q.Event(&back); err != nil {
				t.Fatal(err)
			}
			for _, s := range es[i].Says {
				if s.ID == "summary-quic-opened" {
					said[es[i].Conn] = s.Text
				}
			}
			if es[i].QUIC != nil && es[i].Size.Reason != "" {
				sealed += es[i].Size.Records
			}
		}
		if sealed != wantSealed {
			t.Errorf("%s: %d packets sealed, of %d", name, sealed, wantSealed)
		}
		var text strings.Builder
		text.WriteString(qlog.Head("test"))
		for i, conn := range conns {
			text.WriteString(strings.Repeat(",", min(i, 1)) + q.Begin(conn) + string(bytes.Join(entries[conn], []byte(","))) + qlog.End())
		}
		text.WriteString(qlog.Foot())
		var log qlogFile
		strictly(t, []byte(text.String()), &log)
		if log.Version != "0.3" || log.Format != "JSON" || len(log.Traces) != len(conns) || len(conns) == 0 {
			t.Fatalf("%s: %s %s, %d traces of %d", name, log.Version, log.Format, len(log.Traces), len(conns))
		}
		got := map[string]int{}
		var heads, parameters []string
		for i, trace := range log.Traces {
			if v := trace.VantagePoint; v["type"] != "network" || v["flow"] != "client" {
				t.Errorf("%s: %v", name, v)
			}
			if trace.Common.Format != "relative" || trace.Common.Reference < 1e12 {
				t.Errorf("%s: %+v", name, trace.Common)
			}
			numbers := map[string]bool{}
			counted[conns[i]] = map[string]int{}
			for _, e := range trace.Events {
				switch e.Name {
				case "http:frame_created", "http:frame_parsed":
					var f qlogHTTP
					strictly(t, e.Data, &f)
					if f.Frame.Type != "headers" || len(f.Frame.Headers) == 0 || f.Stream == nil {
						t.Errorf("%s: %s", name, e.Data)
					}
					first := f.Frame.Headers[0]
					heads = append(heads, fmt.Sprint(e.Name, " ", *f.Stream, " ", first.Name, " ", first.Value))
					continue
				case "http:parameters_set":
					parameters = append(parameters, string(e.Data))
					continue
				}
				side, ok := map[string]capture.Side{"transport:packet_sent": capture.Client, "transport:packet_received": capture.Server}[e.Name]
				if !ok {
					if e.Name != "connectivity:connection_started" && e.Name != "generic:info" {
						t.Errorf("%s: %s", name, e.Name)
					}
					continue
				}
				var p qlogPacket
				strictly(t, e.Data, &p)
				got[fmt.Sprint(conns[i], side, p.Header.Type)]++
				if p.Raw.Length == 0 || e.Time < 0 {
					t.Errorf("%s: %s", name, e.Data)
				}
				switch p.Header.Type {
				case "handshake", "0RTT", "1RTT":
					counted[conns[i]][side.String()]++
				}
				if n := p.Header.Number; n != nil {
					space := strings.TrimPrefix(strings.TrimPrefix(p.Header.Type, "0"), "1")
					key := fmt.Sprint(side, space, *n)
					if numbers[key] {
						t.Errorf("%s: twice: %s", name, e.Data)
					}
					numbers[key] = true
				} else if len(p.Frames) > 0 {
					t.Errorf("%s: frames in %s", name, e.Data)
				}
				for _, f := range p.Frames {
					checkFrame(t, f)
					seen[f["frame_type"].(string)] = true
				}
			}
			if name == "http3" {
				want := []string{
					"http:frame_created 0 :method GET", "http:frame_parsed 0 :status 200", "http:frame_created 4 :method GET",
					"http:frame_parsed 4 :status 200", "http:frame_created 8 :method POST", "http:frame_parsed 8 :status 200",
				}
				if !slices.Equal(heads, want) {
					t.Errorf("%s: heads %q", name, heads)
				}
				if want := []string{`{"ENABLE_CONNECT_PROTOCOL":1,"max_header_list_size":1048576,"owner":"remote"}`, `{"max_header_list_size":10485760,"owner":"local"}`}; !slices.Equal(parameters, want) {
					t.Errorf("%s: parameters %q", name, parameters)
				}
			}
			for side, n := range counted[conns[i]] {
				if count := words.Count(n, "packet").English; !strings.Contains(said[conns[i]], count) {
					t.Errorf("%s: %s of the %s in qlog, and the story: %s", name, count, side, said[conns[i]])
				}
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: packets in qlog\n%v, in the capture\n%v", name, got, want)
		}
	}
	for _, f := range []string{"ack", "crypto", "stream", "handshake_done", "new_connection_id", "new_token", "connection_close"} {
		if !seen[f] {
			t.Errorf("no frame %s", f)
		}
	}
}

// strictly reads JSON that has nothing but what to has.
func strictly(t *testing.T, text []byte, to any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		t.Fatalf("%v: %.300s", err, text)
	}
}

// checkFrame checks that a frame has the fields of its type, and no other.
func checkFrame(t *testing.T, f map[string]any) {
	t.Helper()
	fields, ok := qlogFrames[f["frame_type"].(string)]
	known := []string{"frame_type"}
	for _, field := range strings.Fields(fields) {
		field, optional := strings.CutSuffix(field, "?")
		known = append(known, field)
		if _, ok := f[field]; !ok && !optional {
			t.Errorf("no %s in %v", field, f)
		}
	}
	for field := range f {
		if !slices.Contains(known, field) {
			t.Errorf("%s in %v", field, f)
		}
	}
	if !ok {
		t.Errorf("frame %v", f)
	}
}
