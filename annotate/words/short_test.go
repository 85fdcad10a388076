package words

import (
	"strings"
	"testing"

	"explainer/annotate/event"
)

// TestShortWords: each piece of the short story can be made, in both languages, has all its
// values, and is short: it stands in a column.
func TestShortWords(t *testing.T) {
	t.Parallel()
	widest := map[string]int{"line": 44, "because": 40, "aim": 110, "frame": 105}
	for id := range shortPieces {
		family, _, _ := strings.Cut(id, "/")
		var said event.Text
		switch family {
		case "short", "aim-of": // made by Piece and Named
			continue
		default:
			said = Short(id, every{})
		}
		if most, ok := widest[family]; ok && len([]rune(said.English)) > most {
			t.Errorf("%s has %d characters, more than %d: %s", id, len([]rune(said.English)), most, said.English)
		}
		for _, l := range Languages {
			if got := l.In(said); got == "" || strings.Contains(got, "{") {
				t.Errorf("%s: %q", id, got)
			}
		}
	}
}

// every has a value for each place.
type every struct{}

func (every) Value(name string) event.Text { return event.Plain("7") }
