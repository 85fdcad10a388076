package page

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"
)

// A chain is the certificates that a server sent, with the checks that were made of them.
type chain struct {
	Leg    string // "browser", "origin" or ""
	Event  int
	Sent   []event.Certificate // the leaf first
	Checks []event.Check
	Last   string // whom the last one names as its issuer
	Self   bool   // which is itself
}

// maxCerts bounds the certificates of a chain that are shown.
const maxCerts = 12

// chains takes the first certificates that the server of each leg sent.
func (s *session) chains(events []event.Event) {
	for i := range events {
		e := &events[i]
		if e.Topic != event.TopicCertificate || e.From != "server" || len(e.Certificates) == 0 || e.Repeats != 0 ||
			slices.ContainsFunc(s.Chains, func(c chain) bool { return c.Leg == e.Leg }) {
			continue
		}
		c := chain{Leg: e.Leg, Event: e.N, Sent: e.Certificates[:min(len(e.Certificates), maxCerts)], Checks: e.Checks}
		last := e.Certificates[len(e.Certificates)-1]
		c.Last, c.Self = last.Issuer, last.Issuer == last.Subject
		s.Chains = append(s.Chains, c)
	}
	// The site sends its own first: the proxy asks it before it answers the client.
	slices.SortStableFunc(s.Chains, func(a, b chain) int { return cmp.Compare(legOrder(a.Leg), legOrder(b.Leg)) })
	if s.Tunnel || len(s.Chains) != 2 || s.Chains[0].Leg != "browser" || s.Chains[1].Leg != "origin" {
		return
	}
	ours, theirs := s.Chains[0].Sent[0], s.Chains[1].Sent[0]
	add := func(id, a, b string) {
		if a != "" || b != "" {
			s.Leaves = append(s.Leaves, fact{words.Named("leaf", id), event.Plain(a), event.Plain(b), a != b})
		}
	}
	key := func(c event.Certificate) string { return strings.TrimSpace(c.Key + " " + strconv.Itoa(c.Bits)) }
	add("subject", ours.Subject, theirs.Subject)
	add("issuer", ours.Issuer, theirs.Issuer)
	add("names", strings.Join(ours.Names, ", "), strings.Join(theirs.Names, ", "))
	add("from", ours.NotBefore, theirs.NotBefore)
	add("until", ours.NotAfter, theirs.NotAfter)
	add("key", key(ours), key(theirs))
	add("serial", ours.Serial, theirs.Serial)
	add("sha256", ours.SHA256, theirs.SHA256)
}

// legOrder puts the client's leg before the origin's.
func legOrder(leg string) int {
	if leg == "origin" {
		return 1
	}
	return 0
}
