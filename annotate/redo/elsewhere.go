package redo

import (
	"regexp"
	"strconv"
	"strings"
	"sync"

	"explainer/annotate/event"
)

// Quote is a text as one word of a POSIX shell, which nothing in it ends; "" where there is none,
// for it holds what terminals take for keys.
func Quote(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) >= 0 {
		return ""
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Wireshark is a command that opens a capture at the first packet of a message; "" where it has
// none. file is a word of a shell.
func Wireshark(e *event.Event, file string) string {
	if e.Packets == nil || e.Packets.First <= 0 || file == "" {
		return ""
	}
	return "wireshark -g " + strconv.Itoa(e.Packets.First) + " " + file + "\n"
}

// token is a method or the name of a field (RFC 9110 5.6.2): curl reads nothing else into it.
var token = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$") })

// own are fields that curl makes itself, or that say how the message is carried.
var own = map[string]bool{"host": true, "content-length": true, "transfer-encoding": true, "connection": true, "proxy-connection": true, "keep-alive": true, "te": true, "upgrade": true}

// Curl is a command that makes a request again, without a body; "" where it cannot be told.
// What is masked in the story is masked in it.
func Curl(e *event.Event) string {
	h := e.HTTP
	if e.Topic != event.TopicRequest || h == nil || h.Cut > 0 || !token().MatchString(h.Method) || h.Method == "CONNECT" || h.Connect != "" || h.Headers > len(e.Fields) {
		return ""
	}
	url := h.Target
	switch {
	case strings.HasPrefix(h.Target, "/") && h.Authority != "" && (h.Scheme == "http" || h.Scheme == "https"):
		url = h.Scheme + "://" + h.Authority + h.Target
	case !strings.HasPrefix(h.Target, "http://") && !strings.HasPrefix(h.Target, "https://"):
		return ""
	}
	quoted := Quote(url)
	if quoted == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString("curl --globoff --path-as-is --url " + quoted)
	switch {
	case h.Method == "HEAD":
		b.WriteString(" --head")
	case h.Method != "GET":
		b.WriteString(" --request " + Quote(h.Method))
	}
	if h.Protocol == "HTTP/1.1" || h.Protocol == "HTTP/1.0" {
		b.WriteString(" --http" + strings.TrimPrefix(h.Protocol, "HTTP/"))
	}
	for _, f := range e.Fields[len(e.Fields)-h.Headers:] {
		name, value := f.Name.English, Quote(f.Name.English+": "+f.Value.English)
		if strings.HasPrefix(name, ":") || own[strings.ToLower(name)] {
			continue
		}
		if !token().MatchString(name) || value == "" {
			return ""
		}
		if f.Value.English == "" {
			value = Quote(name + ";") // with a colon curl would leave the field out
		}
		b.WriteString(" \\\n  --header " + value)
	}
	b.WriteString("\n")
	return b.String()
}

// Whole are commands that take a session out of a recording: as a HTTP Archive, as JSON, and its
// proofs as commands; and the recording as a copy in which what people sent is overwritten. file
// is a word of a shell.
func Whole(conn int, file string) string {
	n := strconv.Itoa(conn)
	return "explainer read --format har --connection " + n + " " + file + " > session-" + n + ".har\n" +
		"explainer read --format json --bytes --connection " + n + " " + file + " > session-" + n + ".json\n" +
		"explainer read --format commands --connection " + n + " " + file + " > session-" + n + ".sh\n" +
		"explainer read --redact -w redacted.pcapng " + file + "\n"
}
