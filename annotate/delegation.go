package annotate

import (
	"cmp"
	"strconv"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/words"
	"explainer/ca/verify"
	"explainer/capture/handshake"
)

// delegatedCredential tells a delegated credential in a Certificate message, if there is one.
func (x *Explainer) delegatedCredential(c *conn, h *proof.Handshake, e *event.Event, b *handshake.Certificate, side int) {
	var data []byte
	for _, ext := range b.Entries[0].Extensions {
		if ext.ID == handshake.ExtDelegatedCredential {
			data = ext.Data
		}
	}
	leaf := h.Sides[side].Leaf
	if data == nil || leaf == nil {
		return
	}
	d := proof.ParseDelegated(data)
	a := x.args(c).With("sender", c.Side(side), "key", leaf.KeyWords())
	if d == nil {
		e.Says = append(e.Says, words.Say("delegated-malformed", e.Evidence, a))
		return
	}
	key := verify.KeyWords(d.Key)
	e.Fields = append(e.Fields,
		event.Field{Name: words.FieldName("delegated credential"), Value: cmp.Or(event.Plain(key), words.Piece("value/unknown-key")), Note: words.Piece("note/delegated")},
		field("its handshake signature", handshake.SchemeName(d.Scheme)),
		field("signed with", handshake.SchemeName(d.Algorithm)))
	until, age := "", time.Duration(d.Seconds)*time.Second
	if leaf.Parsed != nil {
		until = date(leaf.Parsed.NotBefore.Add(age))
		e.Fields = append(e.Fields, field("valid until", until))
	}
	e.Says = append(e.Says, words.Say("delegated", e.Evidence, a.With("delegatedkey", cmp.Or(event.Plain(key), words.Piece("key/unknown")), "until", cmp.Or(event.Plain(until), words.Piece("until/seconds-after", "n", strconv.Itoa(int(d.Seconds)))))))
	p := h.CheckDelegated(side, d)
	h.Prove(p)
	e.Proofs = append(e.Proofs, p)
	if leaf.Parsed == nil {
		return
	}
	if !leaf.MayDelegate() {
		e.Says = append(e.Says, words.Say("delegated-not-allowed", event.Recomputed, a))
	}
	if now := at(c.now); now.After(leaf.Parsed.NotBefore.Add(age)) {
		e.Says = append(e.Says, words.Say("delegated-expired", event.Recomputed, a.With("until", until)))
	}
}

// rawKey tells a bare public key that came in the place of a certificate (RFC 7250).
func (x *Explainer) rawKey(c *conn, h *proof.Handshake, e *event.Event, side int) {
	leaf := h.Sides[side].Leaf
	e.Brief = words.Piece("brief/raw-key", "key", leaf.KeyWords())
	e.Fields = append(e.Fields, field("raw public key", leaf.KeyWords()), fieldOf("size", words.Count(len(leaf.DER), "byte")))
	e.Says = append(e.Says, words.Say("raw-public-key", e.Evidence, x.args(c).With("sender", c.Side(side), "other", c.Side(1-side), "key", leaf.KeyWords())))
	if side == 1 {
		x.markMain(c, h, e, event.Step3)
	}
}
