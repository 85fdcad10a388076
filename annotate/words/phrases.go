package words

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/event"
)

// Lower begins a sentence in small letters, to stand behind something.
func Lower(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// Plural counts: "1 packet", "2 packets".
func Plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// Ago is a time span in words, to the precision that matters to a reader.
func Ago(d time.Duration) string {
	switch {
	case d < time.Second:
		return "less than a second"
	case d < 2*time.Minute:
		return Plural(int(d/time.Second), "second")
	case d < 2*time.Hour:
		return Plural(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return Plural(int(d/time.Hour), "hour")
	}
	return Plural(int(d/(24*time.Hour)), "day")
}

// ConnsWords lists connections: "connection 3", "connections 3, 4 and 7".
func ConnsWords(conns []int, n int) string {
	var list []string
	for _, c := range conns {
		list = append(list, strconv.Itoa(c))
	}
	switch more := n - len(conns); {
	case len(list) == 0:
		return ""
	case more > 0:
		return "connections " + strings.Join(list, ", ") + fmt.Sprintf(" and %d more", more)
	case len(list) == 1:
		return "connection " + list[0]
	}
	return "connections " + strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

// StateWords is what became of the encrypted part of a connection, one of event.State….
func StateWords(state string) string {
	switch state {
	case event.StatePartly:
		return "opened in part"
	case event.StateClear:
		return "not encrypted, by its suite"
	case event.StateNothing:
		return "with nothing sealed"
	}
	return state
}

// ProtocolWords is what a connection speaks, one of event.Protocol….
func ProtocolWords(p string) string {
	switch p {
	case event.ProtocolHTTP:
		return "plain HTTP"
	case event.ProtocolOther:
		return "neither TLS nor HTTP"
	case event.ProtocolTunnel:
		return "passed through unread"
	case event.ProtocolNone:
		return "nothing whole"
	}
	return strings.ToUpper(p)
}

// OfID turns a permanent ID into words: "as-told" into "as told".
func OfID(id string) string { return strings.ReplaceAll(id, "-", " ") }
