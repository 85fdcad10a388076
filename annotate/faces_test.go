package annotate_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/survey"
	"explainer/annotate/text"
)

// otherWords is a story in which everything that is written for people says the
// same in other letters, so that no piece of English in it is found any more. A line
// in brief differs from its sentence, as it may in a language.
func otherWords(es []event.Event) []event.Event {
	swap := func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsUpper(r) {
				return unicode.ToLower(r)
			}
			return unicode.ToUpper(r)
		}, s)
	}
	fields := func(fs []event.Field) []event.Field {
		var out []event.Field
		for _, f := range fs {
			out = append(out, event.Field{ID: f.ID, Name: event.Plain(swap(f.Name.English)), Value: event.Plain(swap(f.Value.English)), Note: event.Plain(swap(f.Note.English))})
		}
		return out
	}
	says := func(s event.Sentence) event.Sentence { s.Text = swap(s.Text); return s }
	var out []event.Event
	for _, e := range es {
		e.Name, e.Brief = swap(e.Name), event.Plain(strings.ToUpper(e.Brief.English))
		wire := 0
		if e.HTTP != nil {
			wire = e.HTTP.Headers
		}
		e.Fields = append(fields(e.Fields[:len(e.Fields)-wire]), e.Fields[len(e.Fields)-wire:]...)
		e.Says = append([]event.Sentence(nil), e.Says...)
		for i := range e.Says {
			e.Says[i] = says(e.Says[i])
		}
		e.Proofs = append([]event.Proof(nil), e.Proofs...)
		for i := range e.Proofs {
			p := &e.Proofs[i]
			p.Claim, p.How, p.Reason, p.Inputs = event.Plain(swap(p.Claim.English)), swap(p.How), event.Plain(swap(p.Reason.English)), fields(p.Inputs)
		}
		e.Checks = append([]event.Check(nil), e.Checks...)
		for i := range e.Checks {
			e.Checks[i].Says, e.Checks[i].Details = says(e.Checks[i].Says), fields(e.Checks[i].Details)
		}
		e.Genealogy = append([]event.Kin(nil), e.Genealogy...)
		for i := range e.Genealogy {
			e.Genealogy[i].Later = event.Plain(swap(e.Genealogy[i].Later.English))
		}
		if e.Tally != nil {
			t := *e.Tally
			t.Title, t.Cause = event.Plain(swap(t.Title.English)), event.Plain(swap(t.Cause.English))
			t.Why = append([]event.Why(nil), t.Why...)
			for i := range t.Why {
				t.Why[i].Words = event.Plain(swap(t.Why[i].Words.English))
			}
			e.Tally = &t
		}
		if e.Summary != nil {
			s := *e.Summary
			s.Flow = event.Plain(swap(s.Flow.English))
			s.Legs = append([]event.Leg(nil), s.Legs...)
			for i := range s.Legs {
				l := &s.Legs[i]
				l.Title, l.Facts = event.Plain(swap(l.Title.English)), fields(l.Facts)
				l.Rows = append([]event.Row(nil), l.Rows...)
				for j := range l.Rows {
					l.Rows[j].Says = says(l.Rows[j].Says)
				}
			}
			e.Summary = &s
		}
		out = append(out, e)
	}
	return out
}

// TestFacesReadNoEnglish: what the faces decide they decide by what is typed in the
// events. With all words replaced they leave out, sum up and place the same.
func TestFacesReadNoEnglish(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(ownRecordings, "*.pcapng"))
	if err != nil || len(paths) < 20 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			es := storyOf(t, path, true, &annotate.Explainer{Secrets: true})
			shown := func(es []event.Event) map[string]string {
				var sum survey.Survey
				var line, long, block, overview, comments bytes.Buffer
				lines, messages, blocks := text.New(&line), text.New(&long), text.NewBlocks(func(_ int, b []byte) error { block.Write(b); return nil })
				messages.Messages = true
				var beside text.Comments
				last := 0
				for i := range es {
					sum.Add(&es[i])
					beside.Event(&es[i])
					if p := es[i].Packets; p != nil {
						last = max(last, p.Last)
					}
					for _, face := range []interface{ Event(*event.Event) error }{lines, messages, blocks} {
						if err := face.Event(&es[i]); err != nil {
							t.Fatal(err)
						}
					}
				}
				lines.Finish()
				messages.Finish()
				blocks.Finish()
				for n := 1; n <= last; n++ {
					comments.WriteString(beside.Packet(n) + "\n")
				}
				text.New(&overview).Overview(sum.Overview(event.File{}).Overview, "")
				return map[string]string{"lines": line.String(), "messages": long.String(), "blocks": block.String(), "comments": comments.String(),
					"overview": overview.String(), "HAR": string(harOf(t, es))}
			}
			want, got := shown(es), shown(otherWords(es))
			for face, text := range want {
				a, b := strings.Split(text, "\n"), strings.Split(got[face], "\n")
				for i := range a {
					if i >= len(b) || !strings.EqualFold(a[i], b[i]) {
						t.Errorf("%s: in other words this line changes: %q", face, a[i])
						break
					}
				}
				if len(a) != len(b) {
					t.Errorf("%s: %d lines, in other words %d", face, len(a), len(b))
				}
			}
		})
	}
}
