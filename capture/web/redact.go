package web

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// What people sent is masked by overwriting it, byte for byte, so that the twin of
// a stream reads as the stream did: heads, framing and lengths stay. Only what is
// known to be harmless stays; everything else, and all that is not understood, is
// overwritten. A [Hide] says what is not, even there.

// A Hide calls hide for each of the bytes [from, to) of a field's value that are a
// credential. Names are those of fields, and :path, :method and :reason, of a status line.
// The name of a field is asked about as the value of ":name".
type Hide func(name, value string, hide func(from, to int))

const cover = 'x'

// A covering is the twin of one direction, as it is being made. It is covered
// until a step of the reader says of an element that was read what stays of it.
type covering struct {
	at   int64  // where in the plaintext twin begins
	twin []byte // of what was not given out yet
	hide Hide
	stop bool // the rest is a tunnel's
}

// Twin asks for the twin of the plaintext: give gets it piece by piece, in order
// in each direction, at which byte of the plaintext each piece stands. It is to be
// called before the first Feed. What belongs to a tunnel is not given. hide may be nil.
func (c *Conn) Twin(give func(from int, at int64, twin []byte), hide Hide) {
	c.give = give
	for i := range c.halves {
		c.halves[i].covering = &covering{hide: hide}
	}
}

// Fed returns how many bytes of a direction were fed.
func (c *Conn) Fed(from int) int64 { return c.halves[from&1].fed }

// cover adds data that comes to the twin.
func (h *half) cover(n int) {
	if v := h.covering; v != nil && !v.stop {
		v.twin = append(v.twin, bytes.Repeat([]byte{cover}, n)...)
	}
}

// stays puts twin, which ends before the next byte to read, in place of what stood there.
func (h *half) stays(twin []byte) { h.staysAt(h.here()-int64(len(twin)), twin) }

// staysAt puts twin at a place of the plaintext.
func (h *half) staysAt(at int64, twin []byte) {
	v := h.covering
	if v == nil {
		return
	}
	if i := at - v.at; i >= 0 && i+int64(len(twin)) <= int64(len(v.twin)) {
		copy(v.twin[i:], twin)
	}
}

// settle gives out what no later byte changes: what stands before the element in hand.
func (v *covering) settle(c *Conn, h *half) {
	end := v.at + int64(len(v.twin))
	if !h.final && !h.un.on {
		if h.begun && !h.inSocketPayload() {
			end = min(end, h.firstAt)
		}
		if f := h.frames; f != nil && f.blockStream != 0 {
			end = min(end, f.rawAt)
		}
		if h.from == 0 && len(c.held) > 0 {
			end = min(end, c.held[0].at)
		}
	}
	n := end - v.at
	if n <= 0 {
		return
	}
	c.give(h.from, v.at, v.twin[:n])
	v.at = end
	v.twin = v.twin[:copy(v.twin, v.twin[n:])]
	if len(v.twin) == 0 && cap(v.twin) > 64<<10 {
		v.twin = nil
	}
}

func (c *Conn) settleTwins() {
	if c.give == nil {
		return
	}
	for i := range c.halves {
		h := &c.halves[i]
		h.covering.settle(c, h)
	}
}

// brokenTwin puts in place what stays of an element that ends early or breaks the
// protocol: the whole lines of a head. What is no request begins with a byte that
// begins none, for a row of letters might still become one.
func (h *half) brokenTwin() {
	if h.covering == nil {
		return
	}
	if h.sure && h.line > 0 {
		at := h.fed // all of it was read
		if h.in != nil {
			at = h.here()
		}
		h.staysAt(at-int64(len(h.buf)), h.covering.head(h.buf[:h.line], h.from == 0, false))
		return
	}
	if h.from == 0 && h.begun && !h.final && h.frames == nil && h.socket == nil {
		h.staysAt(h.firstAt, []byte("?"))
	}
}

// tunnelTwin ends the twin of h before the next byte to read: what follows is not read here.
func (h *half) tunnelTwin() {
	v := h.covering
	if v == nil || v.stop {
		return
	}
	v.stop = true
	if n := h.here() - v.at; n >= 0 && n < int64(len(v.twin)) {
		v.twin = v.twin[:n]
	}
}

// value is the twin of a field's value, with the byte with where it is covered. The
// name is in lower case.
func (v *covering) value(name, value string, with byte) string {
	return v.hidden(name, value, valueTwin(name, value, with), with)
}

// hidden covers in twin, which is of value, what is a credential.
func (v *covering) hidden(name, value, twin string, with byte) string {
	if v.hide == nil {
		return twin
	}
	b := []byte(twin)
	v.hide(name, value, func(from, to int) { fill(b[from:to], with) })
	return string(b)
}

// head is the twin of a head in HTTP/1: a first line, unless trailers, and field lines.
func (v *covering) head(head []byte, request, trailers bool) []byte {
	twin := bytes.Clone(head)
	rest := twin
	line := func() []byte {
		n := bytes.IndexByte(rest, '\n') + 1
		if n == 0 {
			n = len(rest)
		}
		l := rest[:n]
		rest = rest[n:]
		return trimEOL(l)
	}
	if !trailers {
		first := line()
		if request {
			from, to := bytes.IndexByte(first, ' ')+1, bytes.LastIndexByte(first, ' ')
			copy(first[from:to], v.value(":path", string(first[from:to]), cover))
			copy(first[:from], v.value(":method", string(first[:from]), cover))
		} else if len(first) > 13 {
			phrase := first[13:]
			if said := string(phrase); !isPhrase(phrase) {
				overwrite(phrase)
			} else {
				copy(phrase, v.hidden(":reason", said, said, cover))
			}
		}
	}
	stays := "" // the name of the field whose whole value does
	for len(rest) > 0 {
		l := line()
		if len(l) > 0 && (l[0] == ' ' || l[0] == '\t') {
			more := bytes.Trim(l, " \t")
			if stays == "" {
				overwrite(more)
			} else {
				copy(more, v.value(stays, string(more), cover))
			}
			continue
		}
		i := bytes.IndexByte(l, ':')
		if i < 0 {
			overwrite(l)
			continue
		}
		name, value := strings.ToLower(string(l[:i])), bytes.Trim(l[i+1:], " \t")
		stays = ""
		if harmless[name] {
			stays = name
		}
		copy(value, v.value(name, string(value), cover))
		said := string(l[:i])
		copy(l, v.hidden(":name", said, said, cover))
	}
	return twin
}

func overwrite(b []byte) { fill(b, cover) }

func fill(b []byte, with byte) {
	for i := range b {
		b[i] = with
	}
}

// isPhrase tells whether a reason phrase is words.
func isPhrase(b []byte) bool {
	for _, c := range b {
		if (c|0x20 < 'a' || c|0x20 > 'z') && c != ' ' && c != '-' && c != '\'' {
			return false
		}
	}
	return len(b) <= 32
}

// harmless are the names of fields, in lower case, whose values say how a message is
// framed, coded, cached or asked for, and nothing of who asks or for what.
var harmless = set(`
	:method :scheme :status :protocol
	accept accept-ch accept-charset accept-encoding accept-language accept-patch accept-post accept-ranges
	access-control-allow-credentials access-control-allow-headers access-control-allow-methods
	access-control-allow-origin access-control-expose-headers access-control-max-age
	access-control-request-headers access-control-request-method
	age allow alt-svc alt-used cache-control clear-site-data connection content-encoding content-language
	content-length content-range content-type critical-ch cross-origin-embedder-policy cross-origin-opener-policy
	cross-origin-resource-policy date device-memory dnt downlink early-data ect expect expect-ct expires
	http2-settings if-modified-since if-unmodified-since keep-alive last-modified max-forwards
	mime-version origin-agent-cluster permissions-policy pragma priority proxy-connection range
	referrer-policy retry-after rtt save-data
	sec-ch-ua sec-ch-ua-arch sec-ch-ua-bitness sec-ch-ua-full-version-list sec-ch-ua-mobile sec-ch-ua-model
	sec-ch-ua-platform sec-ch-ua-platform-version sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user
	sec-gpc sec-purpose sec-websocket-accept sec-websocket-extensions sec-websocket-key sec-websocket-version
	server strict-transport-security te trailer transfer-encoding upgrade upgrade-insecure-requests user-agent
	vary via x-content-type-options x-dns-prefetch-control x-download-options x-frame-options
	x-permitted-cross-domain-policies x-powered-by x-requested-with x-ua-compatible x-xss-protection`)

// schemes are those of authentication, in lower case (the registry of RFC 9110 16.4.1, and usual ones).
var schemes = set("apikey aws4-hmac-sha256 basic bearer concealed digest dpop gnap hmac hoba mutual negotiate ntlm oauth privatetoken scram-sha-1 scram-sha-256 token vapid")

// cookieAttributes are those of Set-Cookie (RFC 6265 4.1.1, and newer ones).
var cookieAttributes = set("expires max-age domain path secure httponly samesite partitioned priority")

func set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// valueTwin is the twin of a field's value, with the byte with where it is covered.
// The name is in lower case.
func valueTwin(name, value string, with byte) string {
	switch name {
	case ":path", "referer", "location", "content-location", "origin":
		return targetTwin(value, with)
	case ":authority", "host":
		if i := strings.LastIndexByte(value, '@'); i > 0 {
			return covered(i, with) + value[i:]
		}
		return value
	case "authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate":
		// The scheme teaches something and is no secret.
		if scheme, rest, ok := strings.Cut(value, " "); ok && schemes[strings.ToLower(scheme)] {
			return scheme + " " + covered(len(rest), with)
		}
	case "cookie":
		parts := strings.Split(value, ";")
		for i, p := range parts {
			parts[i] = pairTwin(p, with)
		}
		return strings.Join(parts, ";")
	case "set-cookie":
		parts := strings.Split(value, ";")
		for i, p := range parts {
			attribute, _, _ := strings.Cut(p, "=")
			if i == 0 || !cookieAttributes[strings.ToLower(strings.TrimSpace(attribute))] {
				parts[i] = pairTwin(p, with)
			}
		}
		return strings.Join(parts, ";")
	default:
		if harmless[name] {
			return value
		}
	}
	return covered(len(value), with)
}

func covered(n int, with byte) string { return strings.Repeat(string(rune(with)), n) }

// pairTwin keeps the name of a name=value pair, and the spaces before it.
func pairTwin(pair string, with byte) string {
	trimmed := strings.TrimLeft(pair, " ")
	lead := len(pair) - len(trimmed)
	name, value, ok := strings.Cut(trimmed, "=")
	if !ok {
		return pair[:lead] + covered(len(trimmed), with)
	}
	return pair[:lead] + name + "=" + covered(len(value), with)
}

// targetTwin keeps scheme, host and path of a request target or URL (RFC 3986 3):
// not what stands before "@", the parameters of path segments, query and fragment.
func targetTwin(target string, with byte) string {
	b := []byte(target)
	path := b
	if i := strings.IndexAny(target, "?#"); i >= 0 {
		fill(b[i+1:], with)
		path = b[:i]
	}
	authority := path
	if i := bytes.Index(path, []byte("//")); i >= 0 {
		authority = path[i+2:]
		if i := bytes.IndexByte(authority, '/'); i >= 0 {
			authority = authority[:i]
		}
	} else if len(path) > 0 && path[0] == '/' {
		authority = nil
	}
	if i := bytes.LastIndexByte(authority, '@'); i > 0 {
		fill(authority[:i], with)
	}
	parameter := false
	for i, c := range path {
		switch {
		case c == '/':
			parameter = false
		case parameter:
			path[i] = with
		case c == ';':
			parameter = true
		}
	}
	return string(b)
}

// rawBlock keeps the frames of a header block, as they came.
type rawBlock struct {
	rawAt  int64  // where in the plaintext the first one stands
	raw    []byte // the frames, with their headers
	pieces []span // what of raw is the header block, without padding and priority
	fields []hpack.HeaderField
}

// span is bytes [from, to).
type span struct{ from, to int }

// keepFrame takes the frame in hand, of a header block, of which p is the block's.
// It tells false if it is too much.
func (h *half) keepFrame(p []byte) bool {
	if h.covering == nil {
		return true
	}
	f := h.frames
	at := len(f.raw) + cap(h.buf) - cap(p) // p is part of buf
	f.raw = append(f.raw, h.buf...)
	f.pieces = append(f.pieces, span{at, at + len(p)})
	return len(f.raw) <= 2*maxHead
}

// frameTwin is the twin of a frame other than DATA and those of header blocks, as
// far as it was collected.
func frameTwin(typ uint8, frame []byte) []byte {
	switch typ {
	case framePriority, frameRST, frameSettings, framePing, frameWindow:
		return frame
	case frameGoAway: // what follows is for people (RFC 9113 6.8)
		return frame[:frameHeader+8]
	case framePriorityUpdate:
		if value := frame[frameHeader+4:]; len(value) <= 16 && !bytes.ContainsFunc(value, func(r rune) bool { return !strings.ContainsRune("ui=?,. 0123456789", r) }) {
			return frame
		}
		return frame[:frameHeader+4]
	}
	return frame[:frameHeader]
}

// inSocketPayload tells that the element in hand is the payload of a frame of
// WebSocket, which is covered as it comes.
func (h *half) inSocketPayload() bool { return h.socket != nil && h.socket.at < h.socket.len }

// payloadTwin puts the twin of p, the next bytes of the payload in hand, in its
// place: covered before it was masked with the frame's key (RFC 6455 5.3).
func (h *half) payloadTwin(p []byte) {
	if h.covering == nil {
		return
	}
	s := h.socket
	twin := s.unmask(nil, bytes.Repeat([]byte{cover}, len(p)))
	for i := range twin {
		if s.opcode == 8 && s.at+int64(i) < 2 { // the code with which it closes
			twin[i] = p[i]
		}
	}
	h.staysAt(h.here(), twin)
}

// blockTwin puts the twin of the header block, whose last frame was read, in its place.
func (h *half) blockTwin() error {
	f := h.frames
	if h.covering == nil {
		return nil
	}
	var block []byte
	for _, p := range f.pieces {
		block = append(block, f.raw[p.from:p.to]...)
	}
	if err := hpackTwin(block, f.fields, h.covering); err != nil {
		return err
	}
	// Padding should be zeros, and hides nothing then (RFC 9113 6.2).
	at := 0
	for i, p := range f.pieces {
		end := len(f.raw)
		if i+1 < len(f.pieces) {
			end = f.frameOf(f.pieces[i+1].from)
		}
		at += copy(f.raw[p.from:p.to], block[at:])
		clear(f.raw[p.to:end])
	}
	h.staysAt(f.rawAt, f.raw)
	f.raw, f.pieces, f.fields = nil, nil, nil
	return nil
}

// frameOf returns where the frame begins in raw that holds the byte at: only
// frames of continuation follow the first, and they have nothing but a header before their fragment.
func (r *rawBlock) frameOf(at int) int { return at - frameHeader }

var errHPACK = errors.New("the header block cannot be masked")

// hpackTwin overwrites in a header block what its fields, as they were decoded, hide
// (RFC 7541 6). All strings keep their length, coded and decoded: so the tables of
// whoever reads the twin have entries of the same size in the same places.
func hpackTwin(p []byte, fields []hpack.HeaderField, v *covering) error {
	for len(p) > 0 {
		b := p[0]
		bits := 4
		switch {
		case b&0x80 != 0:
			bits = 7
		case b&0x40 != 0:
			bits = 6
		case b&0x20 != 0:
			bits = 5
		}
		index, rest, ok := hpackInt(p, bits)
		if !ok {
			return errHPACK
		}
		p = rest
		if bits == 5 { // the table's size
			continue
		}
		if len(fields) == 0 {
			return errHPACK
		}
		field := fields[0]
		fields = fields[1:]
		if bits == 7 { // an entry, which was masked when it came into the table
			continue
		}
		if index == 0 {
			coded, huffman, rest, ok := hpackString(p)
			if !ok {
				return errHPACK
			}
			p = rest
			if err := stringTwin(coded, huffman, field.Name, v.hidden(":name", field.Name, field.Name, 0)); err != nil {
				return err
			}
		}
		coded, huffman, rest, ok := hpackString(p)
		if !ok {
			return errHPACK
		}
		p = rest
		if err := stringTwin(coded, huffman, field.Value, v.value(strings.ToLower(field.Name), field.Value, 0)); err != nil {
			return err
		}
	}
	if len(fields) > 0 {
		return errHPACK
	}
	return nil
}

// stringTwin puts twin, of what s says, with 0 where it is covered, into the string as it was coded.
func stringTwin(coded []byte, huffman bool, s, with string) error {
	twin := []byte(with)
	switch {
	case with == s:
	case len(twin) != len(s), huffman && !huffmanTwin(coded, twin), !huffman && len(coded) != len(twin):
		return errHPACK
	case !huffman:
		copy(coded, bytes.ReplaceAll(twin, []byte{0}, []byte{cover}))
	}
	return nil
}

// hpackInt reads an integer with a prefix of n bits (RFC 7541 5.1).
func hpackInt(p []byte, n int) (v uint64, rest []byte, ok bool) {
	if len(p) == 0 {
		return 0, nil, false
	}
	limit := uint64(1)<<n - 1
	v = uint64(p[0]) & limit
	p = p[1:]
	if v < limit {
		return v, p, true
	}
	for shift := 0; len(p) > 0 && shift < 63; shift += 7 {
		b := p[0]
		p = p[1:]
		v += uint64(b&0x7f) << shift
		if b&0x80 == 0 {
			return v, p, true
		}
	}
	return 0, nil, false
}

// hpackString reads a string literal (RFC 7541 5.2).
func hpackString(p []byte) (coded []byte, huffman bool, rest []byte, ok bool) {
	if len(p) == 0 {
		return nil, false, nil, false
	}
	huffman = p[0]&0x80 != 0
	n, p, ok := hpackInt(p, 7)
	if !ok || n > uint64(len(p)) {
		return nil, false, nil, false
	}
	return p[:n], huffman, p[n:], true
}

// codeLens are the lengths of the Huffman codes of all bytes, in bits (RFC 7541
// appendix B), and fillers a byte for each length there is, the longest first.
var codeLens, fillers = func() (lens [256]int, list []byte) {
	var byLen [31]byte
	const preferred = "0-xX!+#$^<"
	for c := 255; c >= 0; c-- {
		eight := strings.Repeat(string([]byte{byte(c)}), 8) // is as many bytes as one is bits
		lens[c] = int(hpack.HuffmanEncodeLength(eight))
		if have := byLen[lens[c]]; have == 0 || strings.IndexByte(preferred, have) < 0 {
			byLen[lens[c]] = byte(c)
		}
	}
	for _, c := range []byte(preferred) {
		byLen[lens[c]] = c
	}
	for _, c := range slices.Backward(byLen[5:]) {
		if c != 0 {
			list = append(list, c)
		}
	}
	return lens, list
}()

// huffmanTwin puts the Huffman code of twin into coded, which is as long as it was.
// Where twin is 0, it gets bytes whose codes fill the room.
func huffmanTwin(coded, twin []byte) bool {
	room, left := 8*len(coded), 0
	for _, c := range twin {
		if c == 0 {
			left++
		} else {
			room -= codeLens[c]
		}
	}
	fillers := fillers
	if rest := room - left*codeLens[cover]; rest >= 0 && rest < 8 {
		fillers = []byte{cover}
	}
	for i := range twin {
		if twin[i] != 0 {
			continue
		}
		for _, c := range fillers {
			if codeLens[c]*left <= room || c == fillers[len(fillers)-1] {
				twin[i] = c
				room -= codeLens[c]
				break
			}
		}
		left--
	}
	out := hpack.AppendHuffmanString(nil, string(twin))
	return copy(coded, out) == len(coded) && len(out) == len(coded)
}
