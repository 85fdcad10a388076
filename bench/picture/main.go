// Picture draws what the program prints, colours included, as an SVG: the first connection's block
// of the output on standard input, below the command that printed it. TestPicture has it draw
// the pictures of the READMEs:
//
//	go test ./cmd/explainer -run TestPicture -update
package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/mattn/go-runewidth"
)

// A column and a line, in the units of the picture. 0.6 of the size of a monospaced font is its width.
const (
	column = 8
	line   = 17
	size   = 13.3
	margin = 14
)

func main() {
	output, err := io.ReadAll(os.Stdin)
	blocks := strings.Split(strings.TrimSpace(string(output)), "\n\n")
	if err != nil || len(os.Args) != 2 || len(blocks) < 2 {
		fmt.Fprintln(os.Stderr, "picture: usage: explainer read --color always FILE | picture COMMAND > FILE.svg")
		os.Exit(2)
	}
	// What explains the words comes first, then the block.
	fmt.Print(draw(os.Args[1], strings.Split(blocks[1], "\n")))
}

// colours are the classes of SGR parameters (ECMA-48 8.3.117).
var colours = map[string]string{"0": "", "1": "b", "2": "d", "31": "r", "32": "g", "33": "y", "36": "c"}

const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img">
<style>
text{font:%gpx ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Noto Sans Mono CJK SC",monospace;fill:#1f2328;white-space:pre}
rect{fill:#f8f8f5;stroke:#d0d4d9} path{stroke:#57606a;fill:none} .h{fill:#57606a;stroke:none}
.b{font-weight:700} .d{fill:#656d76} .r{fill:#b3261e} .g{fill:#1a7f37} .y{fill:#8a5a00} .c{fill:#0b6b83}
@media(prefers-color-scheme:dark){text{fill:#e6edf3} rect{fill:#15191f;stroke:#30363d} path{stroke:#9aa4af} .h{fill:#9aa4af;stroke:none}
.d{fill:#9aa4af} .r{fill:#ff8a80} .g{fill:#6fce84} .y{fill:#e3b341} .c{fill:#79c7dc}}
</style>
<title>%s</title>
<rect x="0.5" y="0.5" width="%d" height="%d" rx="8"/>
`

func draw(command string, lines []string) string {
	var out strings.Builder
	width := 0
	text(&out, "d", "$ "+command, 0, 1)
	for i, l := range lines {
		width = max(width, row(&out, l, i+3))
	}
	w, h := 2*margin+width*column, 2*margin+(len(lines)+2)*line
	return fmt.Sprintf(head, w, h, size, escape(command), w-1, h-1) + out.String() + "</svg>\n"
}

// pieces are what a row is drawn of: a change of colour, an arrow's line, a word with single blanks in it.
var pieces = regexp.MustCompile(`\x1b\[([0-9;]*)m|─+|[►◄]| {2,}|(?: ?[^ ─►◄\x1b])+| `)

// row draws one line, and gives its width in columns.
func row(out *strings.Builder, l string, y int) int {
	x, class := 0, ""
	for _, p := range pieces.FindAllStringSubmatch(l, -1) {
		if strings.HasPrefix(p[0], "\x1b") {
			known := false
			if class, known = colours[p[1]]; !known {
				panic("a colour that has no class: " + p[1])
			}
			continue
		}
		n := columns(p[0])
		left, middle := margin+x*column, margin+y*line-4
		switch p[0][:min(3, len(p[0]))] {
		case "─":
			fmt.Fprintf(out, "<path d=\"M%d %dh%d\"/>\n", left, middle, n*column)
		case "►":
			fmt.Fprintf(out, "<path class=\"h\" d=\"M%d %dv8l8-4z\"/>\n", left, middle-4)
		case "◄":
			fmt.Fprintf(out, "<path class=\"h\" d=\"M%d %dv8l-8-4z\"/>\n", left+column, middle-4)
		default:
			blank := len(p[0]) - len(strings.TrimLeft(p[0], " "))
			text(out, class, p[0][blank:], x+blank, y)
		}
		x += n
	}
	return x
}

// text writes a word where it stands, as wide as its columns whatever font there is.
func text(out *strings.Builder, class, s string, x, y int) {
	if s == "" {
		return
	}
	if class != "" {
		class = fmt.Sprintf(" class=%q", class)
	}
	fmt.Fprintf(out, "<text%s x=\"%d\" y=\"%d\" textLength=\"%d\">%s</text>\n", class, margin+x*column, margin+y*line, columns(s)*column, escape(s))
}

// columns is the width of a text: Han has two, whatever the locale.
func columns(s string) int { return (&runewidth.Condition{StrictEmojiNeutral: true}).StringWidth(s) }

func escape(s string) string {
	var out strings.Builder
	xml.EscapeText(&out, []byte(s)) // strings.Builder gives no error
	return out.String()
}
