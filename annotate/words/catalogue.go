package words

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"explainer/annotate/event"
	"explainer/ca/verify"
)

// An entry is one sentence of the catalogue. IDs are permanent: append, never
// rename, never reuse. The text has {named} places for values of these bytes.
type entry struct {
	id   string
	text string
	refs []string // "8446 4.4.3": an RFC and its section, cited by [cite]
}

// sections maps the sections of RFC 8446 to those of RFC 9846, which obsoletes
// it; the longest match counts, sections not listed kept their numbers.
var sections = map[string]string{
	"1.2":   "1.3",
	"4.1.1": "4.2.1", "4.1.2": "4.2.2", "4.1.3": "4.2.3", "4.1.4": "4.2.4",
	"4.2":   "4.3",
	"4.3.1": "4.4.1", "4.3.2": "4.4.2",
	"4.4.2.2": "4.5.1.2", "4.4.2.3": "4.5.1.2", "4.4.2.4": "4.5.1.3",
	"4.4.1": "4.1", "4.4.2": "4.5.1", "4.4.3": "4.5.2", "4.4.4": "4.5.3",
	"4.5":   "4.6",
	"4.6.1": "4.7.1", "4.6.2": "4.7.2", "4.6.3": "4.7.3",
	"D.4": "E.4",
}

// cite turns "8446 4.4.3" into "RFC 8446 4.4.3 (now RFC 9846 4.5.2)": the RFC
// that a reader has in hand and the one in force. What the newer one no longer
// describes, as all of RFC 5246, is cited alone.
func cite(ref string) string {
	rfc, section, _ := strings.Cut(ref, " ")
	out := strings.TrimSpace("RFC " + rfc + " " + section)
	if rfc != "8446" {
		return out
	}
	for old := section; ; {
		if now, ok := sections[old]; ok {
			return out + " (now RFC 9846 " + now + strings.TrimPrefix(section, old) + ")"
		}
		i := strings.LastIndexByte(old, '.')
		if i < 0 {
			return out + " (now RFC 9846 " + section + ")"
		}
		old = old[:i]
	}
}

// CiteAll cites each.
func CiteAll(refs []string) []string {
	var out []string
	for _, r := range refs {
		out = append(out, cite(r))
	}
	return out
}

// catalogue holds every sentence by its ID.
var catalogue = func() map[string]entry {
	m := make(map[string]entry)
	for _, table := range [][]entry{connectionSentences, messageSentences, certificateSentences, stepSentences, factSentences, unopenedSentences, hiddenSentences, eyeSentences, startTLSSentences, delegatedSentences, alertSentences, quicSentences, overviewSentences, checkSentences, caseSentences, shownSentences, staticDHSentences, breakSentences} {
		for _, e := range table {
			if _, twice := m[e.id]; twice {
				panic("words: sentence " + e.id + " stands twice in the catalogue")
			}
			if reason, ok := strings.CutPrefix(e.id, "check-"); ok && e.refs == nil {
				e.refs = verify.ReasonOf(reason).Refs
			}
			m[e.id] = e
		}
	}
	return m
}()

// templates holds every sentence as a template.
var templates = func() map[string]*template {
	m, all := make(map[string]*template, len(catalogue)), make([]template, len(catalogue))
	for id, e := range catalogue {
		t := &all[len(m)]
		t.source, t.cites = e.text, e.refs
		m[id] = t
	}
	return m
}()

// Args are values for the places in a sentence: an [event.Text], or a string that is
// shown as it stands.
type Args map[string]any

// Value is a value by its name; empty if there is none.
func (a Args) Value(name string) event.Text { return TextOf(a[name]) }

// Values give the values for the places in a sentence by name; empty where there is none.
type Values interface {
	Value(name string) event.Text
}

// TextOf is v as a text: an [event.Text], what makes one when a sentence asks for it, or a
// string that is shown as it stands.
func TextOf(v any) event.Text {
	switch v := v.(type) {
	case event.Text:
		return v
	case string:
		return event.Plain(v)
	case func() event.Text:
		return v()
	case nil:
		return event.Text{}
	}
	panic(fmt.Sprintf("words: a %T is no value of a sentence", v))
}

// With returns the values with more set, in name, value pairs.
func (a Args) With(pairs ...any) Args {
	b := make(Args, len(a)+len(pairs)/2)
	maps.Copy(b, a)
	for i := 0; i+1 < len(pairs); i += 2 {
		b[pairs[i].(string)] = pairs[i+1]
	}
	return b
}

// Missing stands where a sentence has a place and nobody gave its value; the tests look for it.
const Missing = "(not known)"

// Say fills a sentence of the catalogue. The sentence keeps only the values that it
// has places for, and is UTF-8 whatever they are. Nobody changes its values and
// references: other sentences may share them.
func Say(id string, how event.Evidence, a Values) event.Sentence {
	t, ok := templates[id]
	if !ok {
		panic("words: no sentence " + id + " in the catalogue")
	}
	f := t.fill(a)
	return event.Sentence{ID: id, Args: f.used, Values: f.typed, Text: f.text, Evidence: how, Refs: t.refs}
}

// SayStartTLS is Say for the sentences about a protocol that stands before TLS: what that
// protocol says of it is cited first. MySQL, PostgreSQL, RDP, IRC and SOCKS4 are in no RFC.
func SayStartTLS(id, protocol string, how event.Evidence, a Values) event.Sentence {
	s := Say(id, how, a)
	s.Refs = slices.Concat(CiteAll(startTLSRefs[protocol]), s.Refs)
	return s
}

// A template is a text with {named} places.
type template struct {
	source string   // the text
	piece  string   // of a piece: its ID
	claim  string   // of a claim: the ID that it has as a text
	cites  []string // as in an entry

	once   sync.Once // makes, when it is first asked for, since most are not in a run of the program:
	parts  []string  // around the places: one more than these
	places []place
	whole  *filled       // where there are none
	phrase *event.Phrase // of a piece
	refs   []string      // as they are told

	last [4]atomic.Pointer[filled] // by the length of the values, so that two legs do not push each other out
}

// A place takes the value of its key. {Server} is {server} at the beginning of a sentence.
type place struct {
	name, key string
	capital   bool
}

// filled is a template with values. The last fillings are kept, since what happens
// in one connection happens in the next too.
type filled struct {
	values []event.Text // as given
	text   string
	used   map[string]string
	typed  map[string]event.Value
	piece  event.Text // of a piece or claim
}

// parsed is the template, taken apart.
func (t *template) parsed() *template {
	t.once.Do(t.parse)
	return t
}

func (t *template) parse() {
	for text := t.source; ; {
		before, rest, ok := strings.Cut(text, "{")
		t.parts = append(t.parts, before)
		if !ok {
			break
		}
		name, after, _ := strings.Cut(rest, "}")
		key := Lower(name)
		t.places = append(t.places, place{name, key, key != name})
		text = after
	}
	if len(t.places) == 0 {
		t.whole = &filled{text: t.parts[0]}
		if t.claim != "" {
			t.whole.piece = t.asClaim(t.whole)
		}
	}
	if t.piece != "" {
		t.phrase = &event.Phrase{ID: t.piece}
	}
	t.refs = slices.Clip(CiteAll(t.cites))
}

func (t *template) fill(a Values) *filled {
	t.parsed()
	if len(t.places) == 0 {
		return t.whole
	}
	var room [8]event.Text
	values, n := room[:0], 0
	for _, p := range t.places {
		var value event.Text
		if a != nil {
			value = a.Value(p.key)
		}
		values = append(values, value)
		n += len(value.English)
	}
	last := &t.last[n%len(t.last)]
	if f := last.Load(); f != nil && slices.EqualFunc(f.values, values, event.Text.Same) {
		return f
	}
	f := &filled{values: slices.Clone(values), used: make(map[string]string, len(t.places))}
	var b strings.Builder
	b.WriteString(t.parts[0])
	for i, p := range t.places {
		value := cmp.Or(values[i].English, Missing)
		if values[i].Of != nil {
			if f.typed == nil {
				f.typed = make(map[string]event.Value, len(t.places))
			}
			f.typed[p.key] = event.Value{Text: values[i]}
		}
		if p.capital {
			value = Upper(value)
		}
		b.WriteString(value)
		value = strings.ToValidUTF8(value, "\uFFFD")
		f.used[p.name] = value
		after := t.parts[i+1]
		if rest, bytes := strings.CutPrefix(after, " bytes"); bytes && value == "1" {
			b.WriteString(" byte")
			after = rest
		}
		b.WriteString(after)
	}
	f.text = strings.ToValidUTF8(b.String(), "\uFFFD")
	if t.claim != "" {
		f.piece = t.asClaim(f)
	}
	last.Store(f)
	return f
}
