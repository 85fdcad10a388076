package words

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"explainer/annotate/event"
	"explainer/ca"
)

// TestChinese: what stands in Chinese has the same IDs and places as the English,
// and punctuation that is Chinese.
func TestChinese(t *testing.T) {
	english := chineseOf(t)
	for _, tables := range [][]map[string]string{chineseTables} {
		for _, table := range tables {
			for id, text := range table {
				want, ok := english[id]
				if !ok {
					t.Errorf("%s is not in English", id)
					continue
				}
				if have, want := placeSet(text), placeSet(want); !slices.Equal(have, want) {
					t.Errorf("%s has the places %v, the English %v", id, have, want)
				}
				if strings.ContainsFunc(strings.Join(places(text), ""), unicode.IsUpper) {
					t.Errorf("%s has a place with a capital: %s", id, text)
				}
				for _, bad := range badChinese {
					if found := bad.FindString(text); found != "" {
						t.Errorf("%s: %q in %s", id, found, text)
					}
				}
				if strings.HasSuffix(want, ".") != strings.HasSuffix(text, "\u3002") {
					t.Errorf("%s ends otherwise than the English: %s", id, text)
				}
			}
		}
	}
}

// TestChineseWhole: nothing that is said in English is missing in Chinese.
func TestChineseWhole(t *testing.T) {
	whole := map[string]bool{}
	for id := range chineseOf(t) {
		whole[id] = false
	}
	for _, tables := range [][]map[string]string{chineseTables} {
		for _, table := range tables {
			for id := range table {
				if whole[id] {
					t.Errorf("%s is twice in Chinese", id)
				}
				whole[id] = true
			}
		}
	}
	for id, have := range whole {
		if !have {
			t.Errorf("%s is not in Chinese", id)
		}
	}
}

// TestBeside: values of every kind stand in a sentence as Chinese is set.
func TestBeside(t *testing.T) {
	for _, of := range []struct{ id, value, want string }{
		{"reason/wrong-host", "shop.test", "\u5b83\u4e0d\u662f\u7ed9 shop.test \u7684"},
		{"reason/wrong-host", "\u67d0\u540d", "\u5b83\u4e0d\u662f\u7ed9\u67d0\u540d\u7684"},
		{"seen/name", "\u300c\u67d0\u300d", "\u540d\u79f0\u300c\u67d0\u300d"},
		{"proof/stayed-sealed", "2 records", "2 records \u6ca1\u6709\u89e3\u5bc6"},
	} {
		values := map[string]event.Text{}
		for _, p := range chinese()[of.id].parsed().places {
			values[p.key] = event.Plain(of.value)
		}
		if got, _ := Chinese.fill(of.id, values, nil); got != of.want {
			t.Errorf("%s with %s is %s, want %s", of.id, of.value, got, of.want)
		}
	}
}

// badChinese is what Chinese text never has: ASCII punctuation beside a Han character,
// a space beside full-width punctuation or between Han characters, and no space
// between Han and Latin.
var badChinese = []*regexp.Regexp{
	regexp.MustCompile(`\p{Han}[,.:;()?!]|[,.:;()?!]\p{Han}`),
	regexp.MustCompile(` [` + wide + `]|[` + wide + `] `),
	regexp.MustCompile(`[` + wide + `][,.:;()?!]|\}[,.:;()?!]`),
	regexp.MustCompile(`\p{Han} +\p{Han}|[^ ]  `),
	regexp.MustCompile(`\p{Han}[A-Za-z0-9]|[A-Za-z0-9]\p{Han}`),
	regexp.MustCompile(`\x{ff1a}//|=[A-Z]+\x{ff1a}|[A-Z]\x{ff1a}TRUE`), // a colon of a URL or a value
}

// wide are comma, colon, semicolon, brackets, question and exclamation mark in full
// width, full stop, enumeration comma and quotation marks.
const wide = "\uff0c\uff1a\uff1b\uff08\uff09\uff1f\uff01\u3002\u3001\u300c\u300d"

// chineseOf is the English by the IDs of the Chinese.
func chineseOf(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{"reason/": otherReason}
	for id, e := range catalogue {
		out[id] = e.text
	}
	for id, text := range reasons {
		out["reason/"+id] = text
		if strings.Contains(text, "({missing})") {
			out["reason/"+id+"-unnamed"] = strings.ReplaceAll(text, " ({missing})", "")
		}
	}
	for id, text := range everyPiece {
		out[id] = text
	}
	for _, noun := range nouns {
		out[count+"/"+noun] = "{n} " + noun
	}
	for family, of := range phrases {
		for id, text := range of {
			out[string(family)+"/"+id] = text
		}
	}
	for id, text := range unopenedWords {
		out["why/"+strings.TrimPrefix(id, "unopened-")] = text
	}
	for _, of := range []struct {
		reason string
		number int
	}{{"not-ip", 0x8863}, {"not-ip", 0x9000}} {
		out[fmt.Sprintf("number/%s/%d", of.reason, of.number)] = NumberOf(of.reason, of.number).English
	}
	for id, c := range claims {
		out["claim/"+id], out["how/"+id] = c.claim, c.how
	}
	for _, f := range ca.Faults {
		out["fault-wrong/"+f.ID], out["fault-check/"+f.ID] = strings.TrimSuffix(f.Wrong, "."), strings.TrimSuffix(f.Check, ".") // values of sentences
		out["fault-incident/"+f.ID] = f.Incident
	}
	for _, f := range ca.Weaknesses {
		out["fault-wrong/"+f.ID] = strings.TrimSuffix(f.Wrong, ".")
	}
	for topic, name := range topics {
		out["topic/"+string(topic)] = name
	}
	for id, s := range secretKinds {
		out["secret/"+id] = s.name
		if s.how != "" {
			out["secret-how/"+id] = s.how
		}
	}
	for _, s := range StepTable() {
		for field, text := range map[string]string{"title": s.Title, "textbook": s.Textbook, "tls12-rsa": s.TLS12RSA, "tls12-ecdhe": s.TLS12ECDHE, "tls13": s.TLS13} {
			out[field+"/"+string(s.Step)] = text
		}
	}
	for _, id := range []string{"evidence/clear", "evidence/decrypted", "evidence/recomputed", "evidence/inferred", "evidence/none"} {
		_, out[id], _ = strings.Cut(id, "/")
	}
	return out
}

// placeSet lists the places of a text once each, sorted, in lower case.
func placeSet(text string) []string {
	names := places(strings.ToLower(text))
	slices.Sort(names)
	return slices.Compact(names)
}

// TestHelp: the punctuation of the help is Chinese, too. Examples are indented.
func TestHelp(t *testing.T) {
	for id, text := range zhHelp {
		for _, line := range strings.Split(text, "\n") {
			if strings.HasPrefix(line, "   ") || strings.HasSuffix(id, "-heading") {
				continue
			}
			line = strings.ReplaceAll(line, "`", "")
			for _, bad := range badChinese {
				if found := bad.FindString(line); found != "" && !strings.HasSuffix(line, "}"+found) {
					t.Errorf("%s: %q in %s", id, found, line)
				}
			}
		}
	}
}
