package words

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
)

// Named is a permanent ID of a family in words, as a verdict or the name of a proof.
// What is not known here stands as it is.
func Named(family, id string) event.Text {
	if _, ok := everyPiece[family+"/"+id]; ok {
		return Piece(family + "/" + id)
	}
	return event.Plain(OfID(id))
}

// FieldName is what we call a field of a message or of a proof, by its name in English.
// What a field is called on the wire is none of ours.
func FieldName(english string) event.Text {
	t, ok := fieldNames[english]
	if !ok {
		panic("words: no field " + english + " in the catalogue")
	}
	return t
}

// fieldNames are the names of fields by their English.
var fieldNames = func() map[string]event.Text {
	m := make(map[string]event.Text)
	for id, text := range everyPiece {
		if strings.HasPrefix(id, "field-name/") {
			m[text] = Piece(id)
		}
	}
	return m
}()

// StepTitle is a step in the textbook's words, as short as they go.
func StepTitle(s event.Step) event.Text {
	return event.Text{English: TitleOf(s), Of: &event.Phrase{ID: "title/" + string(s)}}
}

// NameText is the name of an event, as [NameOf] gave it.
func NameText(topic event.Topic, name string) event.Text {
	if topics[topic] != name {
		return NameByEnglish(name)
	}
	return event.Text{English: name, Of: &event.Phrase{ID: "topic/" + string(topic)}}
}

// HowText says how a claim is checked.
func HowText(id, how string) event.Text {
	if claims[id].how != how {
		return event.Plain(how)
	}
	return event.Text{English: how, Of: &event.Phrase{ID: "how/" + id}}
}

// NameByEnglish is a name of an event by what it is in English, as where they are counted.
func NameByEnglish(name string) event.Text {
	if topic, ok := topicOf[name]; ok {
		return NameText(topic, name)
	}
	return event.Plain(name)
}

// topicOf has the topics by their names.
var topicOf = func() map[string]event.Topic {
	m := make(map[string]event.Topic, len(topics))
	for topic, name := range topics {
		m[name] = topic
	}
	return m
}()

// WhereText adds to a sentence the connections that it is about.
func WhereText(s event.Sentence, conns []int, n int) event.Text {
	list := runs(conns)
	id := "where/several"
	if len(conns) == 1 && n <= 1 {
		id = "where/one"
	}
	of := Piece(id, "conns", List("and", list...))
	if more := n - len(conns); more > 0 {
		of = Piece("where/more", "conns", List(",", list...), "n", strconv.Itoa(more))
	}
	text := strings.TrimSuffix(s.Text, ".")
	return Piece("where/says", "says", event.Text{English: text, Of: &event.Phrase{ID: clause + "/" + s.ID, Values: valuesOf(s)}}, "where", of)
}

// runs are numbers in ascending order, with three and more in a row as one: 3-7, as --connection takes them.
func runs(ns []int) []event.Text {
	var out []event.Text
	for len(ns) > 0 {
		n := 1
		for n < len(ns) && ns[n] == ns[0]+n {
			n++
		}
		if n < 3 {
			n = 1
			out = append(out, event.Plain(strconv.Itoa(ns[0])))
		} else {
			out = append(out, event.Plain(strconv.Itoa(ns[0])+"-"+strconv.Itoa(ns[n-1])))
		}
		ns = ns[n:]
	}
	return out
}

// DetailText is a detail of a check of a certificate: what it is called, and its value.
func DetailText(name, value string) (called, says event.Text) {
	return Phrase(CheckDetail, name, nil), cmp.Or(detailValues[value], event.Plain(value))
}

// detailValues are the values of ours among those of details, by their English.
var detailValues = func() map[string]event.Text {
	m := make(map[string]event.Text)
	for _, id := range []string{"detail-value/need-open", "detail-value/need-sign", "roots-name/machine", "roots-name/given"} {
		m[everyPiece[id]] = Piece(id)
	}
	return m
}()

// FaultText is what the table of faults says of one: what is "wrong", which "check" catches
// it, an "incident" of it.
func FaultText(what, id, text string) event.Text {
	return event.Text{English: strings.TrimSuffix(text, "."), Of: &event.Phrase{ID: "fault-" + what + "/" + id}}
}

// Places are the names of the values that a piece has, in order; nil where there is no such piece.
func Places(id string) []string {
	t, ok := pieceTemplates[id]
	if !ok {
		return nil
	}
	names := []string{}
	for _, p := range t.parsed().places {
		names = append(names, p.key)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// FamilyIDs are the pieces of a family, in order, without its name.
func FamilyIDs(family string) (ids []string) {
	for id := range everyPiece {
		if of, name, _ := strings.Cut(id, "/"); of == family {
			ids = append(ids, name)
		}
	}
	slices.Sort(ids)
	return ids
}
