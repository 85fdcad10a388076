package event

import (
	"encoding/json"
	"testing"
)

// TestValueJSON: a value comes back from its JSON as what it is, whatever stands in it.
func TestValueJSON(t *testing.T) {
	wire := Plain("a \"name\" of <b>\x01 \u2028 列")
	for _, v := range []Value{
		{wire},
		{Text{Of: &Phrase{ID: "end/client"}}},
		{Text{Of: &Phrase{ID: "list/and", Items: []Text{wire, {Of: &Phrase{ID: "x/y", Values: map[string]Text{"b": wire, "a": Plain("")}}}}}}},
	} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var back Value
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if !v.Same(back.Text) {
			t.Errorf("%s came back as %+v", b, back)
		}
	}
}
