package page

import (
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
)

// An Experiment is a copy of one connection, and what a change to it broke.
type Experiment struct {
	Conn   int           // the connection
	Events []event.Event // of the copy as it was recorded, with the bytes of messages
	Labels []string      // of the key log lines that open it
	Chains []int         // connections whose server's certificates can be shown in place of its own

	Data []Datum // records of application data

	Chosen *event.Event // the message whose byte is to be changed, or nil
	At     int          // that byte of it, or -1
	Ways   []Way        // to change it

	Change     string            // as the query has it, or ""
	Comparison *event.Comparison // what the change came to, or nil
	Command    string            // that makes the same change
	Short      bool              // the recording may have more of it than the copy
	Wrong      event.Text        // why there is no copy, or why the change cannot be made
}

// A Datum is an encrypted record of application data, whose first sealed byte can be changed on the wire.
type Datum struct {
	From  string
	Len   int // bytes of content
	Place string
	Was   byte
}

// A Way is how a byte is changed.
type Way struct {
	Inside bool   // sealed again
	Place  string // packet:offset, as on the command line
	Was    byte
}

// Experiment renders the page on which a session is broken.
func (v View) Experiment(w io.Writer, n int, x *Experiment) error {
	p, err := v.of(n)
	if err != nil {
		return err
	}
	p.Experiment = newTrial(x, p.Session, v.Base)
	return templates()[v.Lang].ExecuteTemplate(w, "break", p)
}

// Conns are the connections of a session, its client's first; none where it is not known.
func (b *Book) Conns(session int) []int {
	c, ok := b.chapterOf(session)
	if !ok {
		return nil
	}
	var out []int
	for _, l := range b.session(c).Legs {
		out = append(out, l.Conn)
	}
	if len(out) == 0 {
		out = append(out, session)
	}
	return out
}

// A trial is an experiment as it is shown.
type trial struct {
	*Experiment
	N        int // the session
	Legs     []choice
	Messages []choice
	Parts    []part
	Hex      []piece
	Last     int // byte of the message
	Bytes    []byteWay
	Strips   []strip
	Keys     []choice
	Swaps    []choice
	Sealed   []choice // records of application data
	base     string
}

// A choice leads to a page on which something is chosen.
type choice struct {
	Name event.Text
	From string // who sent it
	URL  template.URL
	Is   bool // it is chosen now
	M    string
}

// A byteWay is a way with its bits.
type byteWay struct {
	Way
	Bits []bit
}

// A bit leads to the byte with it, or with all bits as they are named, changed.
type bit struct {
	Name string // 7 to 0, or the value
	Is   byte   // 0 or 1, of a bit
	To   string // hexadecimal
	URL  template.URL
	Set  bool // the change that is shown
}

// A strip is the eleven verdicts of one connection.
type strip struct {
	Changed  bool
	Verdicts [11]event.Verdict
	Differs  [11]bool
}

func newTrial(x *Experiment, s *session, base string) *trial {
	t := &trial{Experiment: x, N: s.N, base: base}
	for i := range s.Legs {
		if len(s.Legs) > 1 && !s.Tunnel {
			t.Legs = append(t.Legs, choice{Name: s.Legs[i].Title, From: s.Legs[i].Leg, URL: t.link("c", strconv.Itoa(s.Legs[i].Conn)), Is: s.Legs[i].Conn == x.Conn})
		}
	}
	chosen := ""
	if x.Chosen != nil {
		chosen = messageOf(x.Chosen)
		t.Parts, t.Hex = layout(x.Chosen.Raw, x.Chosen.Layout)
		t.Last = len(x.Chosen.Raw)/2 - 1
	}
	for i := range x.Events {
		e := &x.Events[i]
		if e.Conn != x.Conn || e.Raw == "" || e.Bytes == nil {
			continue
		}
		m := messageOf(e)
		t.Messages = append(t.Messages, choice{Name: event.Plain(e.Name), From: e.From, Is: m == chosen, URL: t.link("c", strconv.Itoa(x.Conn), "m", m)})
	}
	for _, w := range x.Ways {
		t.Bytes = append(t.Bytes, byteWay{w, t.bits(w, chosen)})
	}
	for _, l := range x.Labels {
		t.Keys = append(t.Keys, choice{Name: event.Plain(l), URL: t.change("without", l, chosen), Is: x.Change == "without="+l})
	}
	for _, n := range x.Chains {
		if n != x.Conn {
			t.Swaps = append(t.Swaps, choice{M: strconv.Itoa(n), URL: t.change("chain", strconv.Itoa(n), chosen), Is: x.Change == "chain="+strconv.Itoa(n)})
		}
	}
	for _, d := range x.Data {
		v := fmt.Sprintf("%s=%02x", d.Place, d.Was^1)
		t.Sealed = append(t.Sealed, choice{From: d.From, M: strconv.Itoa(d.Len), URL: t.change("flip", v, chosen), Is: x.Change == "flip="+v})
	}
	t.strips()
	return t
}

// messageOf names a message of a connection.
func messageOf(e *event.Event) string {
	return e.From + ":" + strconv.FormatInt(e.Bytes.Start, 10)
}

// link leads to this page with other values.
func (t *trial) link(pairs ...string) template.URL {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return template.URL(t.base + "s/" + strconv.Itoa(t.N) + "/break?" + q.Encode())
}

// change leads to what a change comes to; the message and the byte that were chosen stay so.
func (t *trial) change(key, value, message string) template.URL {
	at := ""
	if t.At >= 0 {
		at = strconv.Itoa(t.At)
	}
	return t.link("c", strconv.Itoa(t.Conn), "m", message, "b", at, key, value) + "#result"
}

// Byte leads to a byte of the chosen message.
func (t *trial) Byte(at int) template.URL {
	return t.link("c", strconv.Itoa(t.Conn), "m", messageOf(t.Chosen), "b", strconv.Itoa(at)) + "#byte"
}

// Plus is for the template.
func (t *trial) Plus(n int) int { return t.At + n }

// Value is the chosen byte of the message.
func (t *trial) Value() string {
	raw, err := hex.DecodeString(t.Chosen.Raw)
	if err != nil || t.At < 0 || t.At >= len(raw) {
		return ""
	}
	return fmt.Sprintf("%02x", raw[t.At])
}

// Field is the innermost field that the chosen byte is of.
func (t *trial) Field() string {
	name := ""
	for _, p := range t.Parts {
		if t.At >= p.At && t.At < p.At+p.Len {
			name = p.Name
		}
	}
	return name
}

func (t *trial) bits(w Way, chosen string) (out []bit) {
	key := "flip"
	if w.Inside {
		key = "inside"
	}
	to := func(name string, is, value byte) {
		v := fmt.Sprintf("%s=%02x", w.Place, value)
		out = append(out, bit{name, is, fmt.Sprintf("%02x", value), t.change(key, v, chosen), t.Change == key+"="+v})
	}
	for n := 7; n >= 0; n-- {
		to(strconv.Itoa(n), w.Was>>n&1, w.Was^1<<n)
	}
	for _, value := range []byte{0x00, 0xff} {
		if value != w.Was {
			to("", 0, value)
		}
	}
	return out
}

// strips are the steps of the connection before and after.
func (t *trial) strips() {
	if t.Comparison == nil {
		return
	}
	var was strip
	for i := range t.Events {
		if sum := t.Events[i].Summary; sum != nil {
			for j := range sum.Legs {
				if sum.Legs[j].Conn != t.Conn {
					continue
				}
				for k, step := range event.Steps {
					if r := rowOf(&sum.Legs[j], step); r != nil {
						was.Verdicts[k] = r.Verdict
					}
				}
			}
		}
	}
	is := was
	is.Changed = true
	for _, c := range t.Comparison.Steps {
		if k := slices.Index(event.Steps, c.Step); k >= 0 && c.Conn == t.Conn {
			is.Verdicts[k], is.Differs[k] = c.Is, true
		}
	}
	t.Strips = []strip{was, is}
}

// Worse are the proofs that hold no more.
func (t *trial) Worse() (n int) {
	for i := range t.Comparison.Proofs {
		if t.Comparison.Proofs[i].Broken() {
			n++
		}
	}
	return n
}

// breaks lets each message lead to where a byte of it is changed.
func (s *session) breaks(base string) {
	t := trial{N: s.N, base: base}
	for i := range s.Lines {
		if e := s.Lines[i].Event; e.Raw != "" && e.Bytes != nil {
			s.Lines[i].Breaks = string(t.link("c", strconv.Itoa(e.Conn), "m", messageOf(e), "b", "0"))
		}
	}
}

// breakCommand is how a session is broken on the command line.
func breakCommand(s *session, file string) string {
	if file == "" {
		file = "FILE"
	}
	conn, packet, to := s.N, 0, byte(0xff)
	if len(s.Legs) > 0 {
		conn = s.Legs[0].Conn
	}
	for i := range s.Lines {
		if e := s.Lines[i].Event; e.Conn == conn && e.Packets != nil && e.Topic == event.TopicClientHello {
			packet = e.Packets.First
			// Behind the header of the record, 5 bytes, and that of the message with its version, 6, the random number begins.
			if raw, err := hex.DecodeString(e.Raw); err == nil && len(raw) > 6 {
				to = raw[6] ^ 1
			}
			break
		}
	}
	if packet == 0 {
		return ""
	}
	return "explainer read --connection " + strconv.Itoa(conn) + " --flip " + strconv.Itoa(packet) + ":11=" + fmt.Sprintf("%02x", to) + " " + Quoted(file)
}

// Quoted is a word of a command line as a shell takes it.
func Quoted(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/:=,+@", r))
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
