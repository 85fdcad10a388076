package event

import (
	"strconv"
	"strings"
)

// The built-in sites, whose pages show what is told of their own connections.
const (
	SiteDomain = "explainer.test" // reserved by RFC 6761: no public host has such a name
	StoryPath  = "/story"         // where a page fetches what is told of its connection
)

// OwnStory tells whether a request is that of a built-in page for its own story.
func OwnStory(host, target string) bool {
	path, _, _ := strings.Cut(target, "?")
	return path == StoryPath && strings.HasSuffix("."+host, "."+SiteDomain)
}

// An Act is one thing of which a step consists in the short story: a message, or what
// happens inside one side.
type Act struct {
	By      string     `json:"by,omitempty"`    // who sends it, or inside whom it happens: "client" or "server"
	Sent    bool       `json:"sent,omitempty"`  // it is a message
	Place   int        `json:"place,omitempty"` // of a message: its place in time among those of the leg's acts, from 1
	Says    Text       `json:"says"`
	Packets *Packets   `json:"packets,omitempty"`
	Proofs  []RowProof `json:"proofs,omitempty"` // its own, where the row has others
}

// An Aim is what some of the steps are for, as a question, with the answer of this connection.
type Aim struct {
	ID   string `json:"id"` // one of the Aim… constants
	Says Text   `json:"says"`
}

// The questions, in the order of the steps that answer them.
const (
	AimWho    = "who"    // who is it? Steps 1 to 4a
	AimSecret = "secret" // what do only the two know? Steps 4b to 6a
	AimOthers = "others" // what do the others see? Steps 6b to 8
)

// AimOf is the question that a step belongs to.
func AimOf(s Step) string {
	switch s {
	case Step1, Step2, Step3, Step4a:
		return AimWho
	case Step4b, Step4c, Step5, Step6a:
		return AimSecret
	}
	return AimOthers
}

// A Frame holds what the textbook says around its steps against a connection: its three
// keys, and its two HTTP requests.
type Frame struct {
	Pairs      int  `json:"key_pairs"`   // for signing, for encrypting and for the key exchange, on both sides
	Secrets    int  `json:"secrets"`     // that both sides have, and that their keys are made of
	Keys       int  `json:"keys"`        // that encrypt or authenticate records, of both directions
	RoundTrips int  `json:"round_trips"` // of the handshake, before the client's first data
	KeysSay    Text `json:"keys_say"`
	TripsSay   Text `json:"round_trips_say,omitzero"`
}

// A Trouble is why a connection did not get through, in three short texts.
type Trouble struct {
	Step Step `json:"step"`
	Says Text `json:"says"`          // who refused whom, at which step, with which alert
	Why  Text `json:"why,omitzero"`  // most likely
	Mend Text `json:"mend,omitzero"` // the command that mends it, or shows more
}

// MarkOf is what a mark beside a text says of its proofs: that one is refuted, or that one
// holds; empty where neither is so.
func MarkOf(proofs []RowProof) ProofState {
	var mark ProofState
	for _, p := range proofs {
		switch p.State {
		case Refuted:
			return Refuted
		case Proven:
			mark = Proven
		}
	}
	return mark
}

// Mark is that beside what a row says in few words. None says that a proof holds where what is
// proven of the step is another thing than what is said there: links of certificates, Finished
// messages, binders, or a keyed checksum.
func (r *Row) Mark() ProofState {
	mark := MarkOf(r.Proofs)
	if mark == Proven {
		switch r.Step {
		case Step4a, Step5, Step6b:
			return ""
		case Step6a, Step7:
			if r.Verdict == Differently {
				return ""
			}
		}
	}
	return mark
}

// Short names packets as the short story does: "p4", or "p4-7".
func (p Packets) Short() string {
	if p.First == p.Last {
		return "p" + strconv.Itoa(p.Last)
	}
	return "p" + strconv.Itoa(p.First) + "-" + strconv.Itoa(p.Last)
}

// Kind is what makes two sessions go the same way: the sentences of their steps and what is
// proven of them, leg by leg. Of step 7 it is the verdict: whose data came first is chance
// where both may begin, as in HTTP/2.
func (s *Summary) Kind() string {
	var b strings.Builder
	for _, l := range s.Legs {
		b.WriteString(l.Title.English)
		for _, r := range l.Rows {
			if r.Step == Step7 {
				b.WriteString("|" + string(r.Verdict))
			} else {
				b.WriteString("|" + r.Says.ID)
			}
			for _, p := range r.Proofs {
				b.WriteString("," + string(p.State))
			}
		}
	}
	return b.String()
}

// HungUp tells that the client left a leg without a word before it was let in. A client
// that goes on beside it, with the same host, had no quarrel with that.
func (l *Leg) HungUp() bool {
	for _, r := range l.Rows {
		if strings.HasPrefix(r.Says.ID, "step-4a-failed-silent") || r.Says.ID == "step-4a-failed-early" {
			return true
		}
	}
	return false
}
