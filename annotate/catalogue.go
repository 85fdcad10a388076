package annotate

import (
	"slices"
	"strings"
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

func citeAll(refs []string) []string {
	var out []string
	for _, r := range refs {
		out = append(out, cite(r))
	}
	return out
}

// catalogue holds every sentence by its ID.
var catalogue = func() map[string]entry {
	m := make(map[string]entry)
	for _, table := range [][]entry{connectionSentences, messageSentences, certificateSentences, stepSentences, factSentences, unopenedSentences, hiddenSentences, startTLSSentences, delegatedSentences, alertSentences, quicSentences, overviewSentences, checkSentences, caseSentences} {
		for _, e := range table {
			if _, twice := m[e.id]; twice {
				panic("annotate: sentence " + e.id + " stands twice in the catalogue")
			}
			m[e.id] = e
		}
	}
	return m
}()

// citations holds the references of every sentence, as they are told. Nobody changes them.
var citations = func() map[string][]string {
	m := make(map[string][]string, len(catalogue))
	for id, e := range catalogue {
		m[id] = slices.Clip(citeAll(e.refs))
	}
	return m
}()

// args are values for the places in a sentence.
type args map[string]string

// with returns the values with more set, in name, value pairs.
func (a args) with(pairs ...string) args {
	b := make(args, len(a)+len(pairs)/2)
	for k, v := range a {
		b[k] = v
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		b[pairs[i]] = pairs[i+1]
	}
	return b
}

// missing stands where a sentence has a place and nobody gave its value; the tests look for it.
const missing = "(not known)"

// say fills a sentence of the catalogue. The sentence keeps only the values that it has places for.
func say(id string, how Evidence, a args) Sentence {
	e, ok := catalogue[id]
	if !ok {
		panic("annotate: no sentence " + id + " in the catalogue")
	}
	text, used := fill(e.text, a)
	return Sentence{ID: id, Args: used, Text: text, Evidence: how, Refs: citations[id]}
}

func fill(text string, a args) (string, map[string]string) {
	var b strings.Builder
	var used map[string]string
	for {
		before, rest, ok := strings.Cut(text, "{")
		b.WriteString(before)
		if !ok {
			return b.String(), used
		}
		name, after, _ := strings.Cut(rest, "}")
		value, given := a[name]
		if !given {
			// {Server} is {server} at the beginning of a sentence.
			if low, ok := a[strings.ToLower(name[:1])+name[1:]]; ok && low != "" {
				value, given = strings.ToUpper(low[:1])+low[1:], true
			}
		}
		if !given || value == "" {
			value = missing
		}
		if used == nil {
			used = make(map[string]string)
		}
		used[name] = value
		b.WriteString(value)
		text = after
		if value == "1" && strings.HasPrefix(text, " bytes") {
			b.WriteString(" byte")
			text = text[len(" bytes"):]
		}
	}
}
