package qlog

import (
	"strconv"

	"explainer/annotate/event"
)

// An http3Frame is an event with a frame, of draft-ietf-quic-qlog-h3-events-01, which goes with qlog 0.3. What
// the client sends is created, and what it gets is parsed.
type http3Frame struct {
	Stream uint64  `json:"stream_id"`
	Frame  headers `json:"frame"`
}

type headers struct {
	Type    string  `json:"frame_type"` // "headers"
	Headers []field `json:"headers"`
}

type field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// settings are the names that the draft has for those of HTTP/3 (RFC 9114 7.2.4.1, RFC 9204 5).
// Others stand under their own.
var settings = map[string]string{
	"MAX_FIELD_SECTION_SIZE": "max_header_list_size", "QPACK_MAX_TABLE_CAPACITY": "max_table_capacity", "QPACK_BLOCKED_STREAMS": "blocked_streams_count",
}

// http3 returns what is written of an event of HTTP/3, and under which name; "" if it is none.
func http3(e *event.Event) (name string, data any) {
	switch {
	case e.Topic == "http3-settings":
		owner := "local"
		if e.From == "server" {
			owner = "remote"
		}
		set := map[string]any{"owner": owner}
		for _, f := range e.Fields {
			n, err := strconv.ParseUint(f.Value.English, 10, 64)
			if err != nil {
				continue
			}
			if id := settings[f.Name.English]; id != "" {
				set[id] = n
			} else {
				set[f.Name.English] = n
			}
		}
		return "http:parameters_set", set
	case e.HTTP == nil || e.HTTP.Protocol != "HTTP/3" || e.Topic != event.TopicRequest && e.Topic != event.TopicResponse:
		return "", nil
	}
	h := e.HTTP
	frame := http3Frame{h.Exchange, headers{Type: "headers", Headers: []field{}}}
	add := func(name, value string) {
		if value != "" {
			frame.Frame.Headers = append(frame.Frame.Headers, field{name, value})
		}
	}
	if e.Topic == event.TopicRequest {
		add(":method", h.Method)
		if h.Method != "CONNECT" || h.Connect != "" {
			add(":scheme", h.Scheme)
			add(":path", h.Target)
		}
		add(":authority", h.Authority)
		add(":protocol", h.Connect)
	} else if h.Status > 0 {
		add(":status", strconv.Itoa(h.Status))
	}
	for _, f := range e.Fields[len(e.Fields)-min(h.Headers, len(e.Fields)):] {
		frame.Frame.Headers = append(frame.Frame.Headers, field{f.Name.English, f.Value.English})
	}
	name = "http:frame_created"
	if e.From == "server" {
		name = "http:frame_parsed"
	}
	return name, frame
}
