package web

import "strings"

// body is a message body on its way.
type body struct {
	out         *Body // nil while there is none
	begun       bool
	first, last Mark
	codings     []string // in the order in which they were applied
	enc         []byte   // beginning of the body as transferred
	want        int      // how much of it the preview needs, 0 once the preview is made
}

// openBody begins the body that follows head, which ended at the mark.
func (o *output) openBody(b *body, head *Head, framing string, at Mark) {
	// Cloned, because a substring would keep the whole head.
	coding := strings.Clone(joined(head.Fields, "Content-Encoding"))
	*b = body{first: at, last: at, out: &Body{
		Protocol: head.Protocol,
		Stream:   head.Stream,
		Request:  head.Request,
		Framing:  framing,
		Coding:   coding,
		Type:     strings.Clone(head.Get("Content-Type")),
	}}
	b.codings = codings(coding)
	if framing == "chunked" || framing == "close" {
		// Transfer codings lie over the content codings (RFC 9112 7).
		b.codings = append(b.codings, codings(strings.Clone(joined(head.Fields, "Transfer-Encoding")))...)
	}
	b.want = wanted(b.codings, nil)
}

// over notes that the bytes from the one mark to the other belong to the body, its framing included.
func (b *body) over(first, last Mark) {
	if !b.begun {
		b.begun = true
		b.first = first
	}
	b.last = last
}

// addBody takes content. It neither keeps data nor allocates once the preview is made.
func (o *output) addBody(b *body, data []byte) {
	if b.out == nil {
		return
	}
	b.out.Len += int64(len(data))
	for b.want > 0 && len(data) > 0 {
		n := min(len(data), b.want-len(b.enc), maxPreviews-o.previews)
		b.enc = append(b.enc, data[:n]...)
		data = data[n:]
		o.previews += n
		b.want = max(b.want, wanted(b.codings, b.enc))
		if len(b.enc) >= b.want || o.previews >= maxPreviews {
			o.preview(b, false)
		}
	}
}

// missing counts content that is not in the capture. The preview ends before it.
func (o *output) missing(b *body, n int64) {
	if b.out != nil {
		o.preview(b, true)
		b.out.Len += n
		b.out.Missing += n
	}
}

// preview undoes the codings of what was collected, and lets go of it. ended
// says that no more comes.
func (o *output) preview(b *body, ended bool) {
	if b.want == 0 {
		return
	}
	preview, short, why := decode(b.codings, b.enc)
	if short && !ended && b.want < maxTables && o.previews < maxPreviews {
		b.want = maxTables
		return
	}
	b.out.Preview, b.out.PreviewErr = preview, why
	o.previews -= len(b.enc)
	b.enc, b.want = nil, 0
}

// endBody reports the body, if there is one. One without a byte stands where its head ended.
func (o *output) endBody(from int, b *body, trailers []Field, complete bool) {
	if b.out == nil {
		return
	}
	o.preview(b, true)
	b.out.Trailers = trailers
	b.out.Complete = complete
	o.emit(from, b.first, b.last, b.out)
	*b = body{}
}
