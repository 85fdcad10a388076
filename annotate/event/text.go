package event

import (
	"encoding/json"
	"maps"
	"slices"

	"explainer/capture/printable"
)

// A Text is something to read. Of ours it carries the permanent ID of its words and the
// values in them, so that it can be said in another language; anything else, as a name
// from the wire or a term of the field, is shown as it stands in each.
//
// In JSON it is its English.
type Text struct {
	English string
	Of      *Phrase // nil where it is shown as it stands
}

// A Phrase is what a text of ours says, whatever the language.
type Phrase struct {
	ID     string          `json:"id"`
	Values map[string]Text `json:"-"` // by the names of its places
	Items  []Text          `json:"-"` // of a list
}

// Plain is a text that is shown as it stands.
func Plain(s string) Text { return Text{English: s} }

// String is the text in English.
func (t Text) String() string { return t.English }

// Empty tells whether there is nothing to show.
func (t Text) Empty() bool { return t.English == "" }

// Same tells whether two texts say the same, with the same values.
func (t Text) Same(other Text) bool {
	return t.English == other.English && (t.Of == other.Of ||
		t.Of != nil && other.Of != nil && t.Of.ID == other.Of.ID &&
			maps.EqualFunc(t.Of.Values, other.Of.Values, Text.Same) && slices.EqualFunc(t.Of.Items, other.Of.Items, Text.Same))
}

// MarshalText implements [encoding.TextMarshaler].
func (t Text) MarshalText() ([]byte, error) { return []byte(t.English), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *Text) UnmarshalText(b []byte) error {
	t.English = string(b)
	return nil
}

// IsZero tells encoding/json that there is nothing to write.
func (t Text) IsZero() bool { return t.Empty() }

// A Value is a text as a value of a sentence, whose JSON keeps what it is.
type Value struct{ Text }

// value is the JSON of a [Value].
type value struct {
	ID     string           `json:"id"`
	Values map[string]Value `json:"values,omitempty"`
	Items  []Value          `json:"items,omitempty"`
}

// MarshalJSON implements [json.Marshaler]: a string for a text that is shown as it
// stands, else what it is. Its English is the sentence's to tell.
func (v Value) MarshalJSON() ([]byte, error) { return v.append(nil), nil }

func (v Value) append(b []byte) []byte {
	if v.Of == nil {
		return printable.AppendJSON(b, v.English)
	}
	b = printable.AppendJSON(append(b, `{"id":`...), v.Of.ID)
	if len(v.Of.Values) > 0 {
		b = appendMap(append(b, `,"values":`...), v.Of.Values, func(b []byte, t Text) []byte { return Value{t}.append(b) })
	}
	if len(v.Of.Items) > 0 {
		b = append(b, `,"items":[`...)
		for i, t := range v.Of.Items {
			if i > 0 {
				b = append(b, ',')
			}
			b = Value{t}.append(b)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *Value) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &v.English)
	}
	var in value
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	v.Of = &Phrase{ID: in.ID}
	for name, t := range in.Values {
		if v.Of.Values == nil {
			v.Of.Values = make(map[string]Text, len(in.Values))
		}
		v.Of.Values[name] = t.Text
	}
	for _, t := range in.Items {
		v.Of.Items = append(v.Of.Items, t.Text)
	}
	return nil
}
