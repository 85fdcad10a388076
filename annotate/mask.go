package annotate

import (
	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/words"
)

// Credentials are masked when an event is made, so that text, JSON and page
// agree. Keys of TLS connections and what they are made from are masked, too:
// whoever has them reads everything.

// header is a header field's value as it may be shown.
func (x *Explainer) header(name, value string) string {
	if x.ShowSecrets {
		return value
	}
	return x.mask.Header(name, value)
}

// headerField is a header field as it may be shown.
func (x *Explainer) headerField(name, value string) event.Field {
	if x.ShowSecrets {
		return event.Field{Name: event.Plain(clip(name)), Value: event.Plain(clipLong(value))}
	}
	key := [2]string{name, value}
	f, ok := x.headers[key]
	if !ok {
		f = event.Field{Name: event.Plain(clip(x.mask.Name(name))), Value: event.Plain(clipLong(x.mask.Header(name, value)))}
		x.headers.keep(key, f)
	}
	return f
}

// headerFields are header fields as they may be shown: most of a connection's were in the one before.
type headerFields map[[2]string]event.Field

// Bounds of how many are kept, and of their bytes.
const (
	maxHeaderFields = 1024
	maxHeaderField  = 256
)

func (h *headerFields) keep(key [2]string, f event.Field) {
	if len(key[0])+len(key[1]) > maxHeaderField {
		return
	}
	if *h == nil || len(*h) == maxHeaderFields {
		*h = make(headerFields)
	}
	(*h)[key] = f
}

// target is a request target or URL as it may be shown.
func (x *Explainer) target(s string) string {
	if x.ShowSecrets {
		return s
	}
	return x.mask.Target(s)
}

// text is what was said to people, as it may be shown.
func (x *Explainer) text(s string) string {
	if x.ShowSecrets {
		return s
	}
	return x.mask.Text(s)
}

// show tells the proofs whether keys may be shown.
func (x *Explainer) show() proof.Show { return proof.Show(x.ShowSecrets) }

func hexLen(b []byte) event.Text { return words.Hex(b) }

// field is one that we name, with a value that is shown as it stands.
func field(name, value string) event.Field { return fieldOf(name, event.Plain(value)) }

// fieldOf is one that we name.
func fieldOf(name string, value event.Text) event.Field {
	return event.Field{Name: words.FieldName(name), Value: value}
}
