package annotate

import (
	"encoding/hex"
	"fmt"

	"explainer/annotate/event"
	"explainer/annotate/mask"
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
		return field(clip(name), clipLong(value))
	}
	return field(clip(x.mask.Name(name)), clipLong(x.mask.Header(name, value)))
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

// secret is the value of a key or of what keys are made from.
func (x *Explainer) secret(b []byte) string {
	if x.ShowSecrets {
		return hex.EncodeToString(b)
	}
	return mask.Count(len(b))
}

// hexLen shows the first bytes and the length.
func hexLen(b []byte) string {
	const show = 16
	if len(b) <= show+4 {
		return hex.EncodeToString(b)
	}
	return fmt.Sprintf("%s... (%d bytes)", hex.EncodeToString(b[:show]), len(b))
}
