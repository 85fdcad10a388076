package event

import (
	"cmp"
	"slices"
	"strings"
)

// An Overview is what a capture comes to: the last event of its story, a field for each of
// its rows. All numbers are of connections unless they say otherwise.
type Overview struct {
	File        File         `json:"file"`
	Chosen      string       `json:"chosen,omitempty"` // the options that chose the connections of which all else tells; "": it tells of all
	Begin       string       `json:"begin,omitempty"`  // RFC 3339, UTC: of the earliest packet and the latest
	End         string       `json:"end,omitempty"`
	Connections int          `json:"connections"`
	Copies      int          `json:"copies,omitempty"`    // that are one of those, captured once more
	Sessions    int          `json:"sessions"`            // less than Connections where the proxy's two legs are one session
	Protocols   []Count      `json:"protocols,omitempty"` // adds up to Connections; see Tally.Protocol
	Secured     int          `json:"secured"`             // those of TLS, QUIC and DTLS
	Versions    []Count      `json:"versions,omitempty"`  // adds up to Secured
	Exchanges   []Count      `json:"key_exchanges,omitempty"`
	Suites      []Count      `json:"suites,omitempty"`
	ALPN        []Count      `json:"alpn,omitempty"`
	Hosts       []Count      `json:"hosts,omitempty"`  // of sessions; the most frequent ones
	Names       int          `json:"names"`            // how many different ones there are
	Nameless    int          `json:"nameless"`         // sessions without one
	States      []Count      `json:"states,omitempty"` // adds up to Secured; see Tally.State
	Why         []Why        `json:"why,omitempty"`    // records that stayed sealed
	WhyConns    []Count      `json:"why_connections,omitempty"`
	Chains      []Count      `json:"chains,omitempty"` // server certificates that were checked here: "ok", "warned", "failed"
	Resumed     int          `json:"resumed"`
	Failed      []Count      `json:"failed,omitempty"`   // by step
	GivenUp     int          `json:"given_up,omitempty"` // by their clients before the server had answered
	Alerts      []Count      `json:"alerts,omitempty"`   // of alerts that could be read
	Requests    int          `json:"requests"`           // HTTP messages, those of an origin leg not counted again
	Responses   int          `json:"responses"`
	Data        int64        `json:"data"`   // bytes of application data that were read
	Proven      int          `json:"proven"` // proofs
	Refuted     int          `json:"refuted"`
	Unchecked   int          `json:"not_checkable"`
	Refutations []Refutation `json:"refutations,omitempty"` // the first of them
	Odd         []Odd        `json:"odd,omitempty"`
	Lines       []Line       `json:"lines,omitempty"` // of all connections if they are at most 40, else of the first 40 that failed or of which something was refuted
}

// File is what a reader of captures knows of what it read.
type File struct {
	Own     bool     `json:"recording,omitempty"` // made by explainer
	Files   int      `json:"files"`
	Packets int      `json:"packets"`
	Bytes   int64    `json:"bytes"` // uncompressed
	Begin   int64    `json:"-"`     // nanoseconds since the Unix epoch: of the earliest packet and the latest; 0 where it is not known
	End     int64    `json:"-"`
	Back    int64    `json:"back_ms,omitempty"` // where packets' times go back by an hour or more, by how many milliseconds at most: a clock was set, or a time is damaged
	BackAt  int      `json:"back_at,omitempty"` // the packet where they do
	Skipped []Count  `json:"skipped,omitempty"` // packets that say nothing about a connection, by reason
	Unread  []Unread `json:"unread,omitempty"`  // those of them of which a number says what they are: the most frequent of each reason
}

// Unread counts packets that carry what is not read: under the reason "unknown-link-type"
// by LINKTYPE_ value, under "not-ip" by EtherType, under "not-tcp" by protocol of IP,
// under "udp" by the lower one of the two ports.
type Unread struct {
	Reason string `json:"reason"`
	Number int    `json:"number"`
	N      int    `json:"n"`
}

// MaxUnread is how many numbers of a reason a File names.
const MaxUnread = 4

// A Count is how many there are of something.
type Count struct {
	Name  string `json:"name"`
	N     int    `json:"n"`
	Words Text   `json:"-"` // the name, where it has words of ours
}

// Counts lists counts by name, the most frequent first.
func Counts(by map[string]int) []Count {
	var out []Count
	for name, n := range by {
		out = append(out, Count{Name: name, N: n})
	}
	slices.SortFunc(out, func(a, b Count) int { return cmp.Or(b.N-a.N, strings.Compare(a.Name, b.Name)) })
	return out
}

const (
	Others   = "others" // the name under which names are counted that there is no room for
	MaxLines = 40       // lines of an Overview
)

// A Refutation is a proof that did not hold.
type Refutation struct {
	Conn   int    `json:"conn"`
	ID     string `json:"id"`
	Claim  Text   `json:"claim"`
	Reason Text   `json:"reason"`
}

// Odd is something that whoever reads the capture should look at.
type Odd struct {
	Says  Sentence `json:"says"`
	N     int      `json:"n"`
	Conns []int    `json:"conns,omitempty"` // the first of them
}

// A Line is a connection in one line.
type Line struct {
	Conn     int    `json:"conn"`
	Session  int    `json:"session"`
	Leg      string `json:"leg,omitempty"`
	Host     string `json:"host,omitempty"`
	Server   string `json:"server"`
	Protocol string `json:"protocol"`
	Version  string `json:"version,omitempty"`
	Exchange Text   `json:"key_exchange,omitzero"`
	State    string `json:"state,omitempty"`
	Resumed  bool   `json:"resumed,omitempty"`
	Requests int    `json:"requests,omitempty"`
	Failed   Step   `json:"failed,omitempty"`
	GivenUp  bool   `json:"given_up,omitempty"`
	Cause    Text   `json:"cause,omitzero"`
	Refuted  int    `json:"refuted,omitempty"`
}
