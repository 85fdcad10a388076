package proof

import (
	"encoding/hex"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
)

// ECH is what became of the encrypted hello (RFC 9849) of a handshake.
type ECH uint8

const (
	ECHNone     ECH = iota // the hello carries none
	ECHUnknown             // whether the server took it is not known; it may be random filling (GREASE)
	ECHTaken               // the handshake was computed over the hello inside
	ECHNotTaken            // it was computed over the one in clear
)

// ECH tells what became of the encrypted hello, as far as it is known by now.
func (h *Handshake) ECH() ECH {
	switch clear := h.ClearHello(); {
	case clear == nil || clear.Extension(handshake.ExtECH) == nil:
		return ECHNone
	case h.Answer != nil && h.Answer.Taken():
		return ECHTaken
	case h.Answer != nil:
		return ECHNotTaken
	case h.ServerHello == nil:
		return ECHUnknown
	case !h.Is13(), h.Encrypted != nil && h.Encrypted.Extension(handshake.ExtECH) != nil:
		return ECHNotTaken // then it must not have taken it (RFC 9849 6.1.4, 6.1.6, 7.1)
	case h.Proven(words.ProofServerCV), h.Proven(words.ProofServerFin):
		return ECHNotTaken
	case h.Inner:
		return ECHTaken
	}
	return ECHUnknown
}

// ClearHello is the latest hello in clear, nil if there is none.
func (h *Handshake) ClearHello() *handshake.ClientHello {
	if h.Cover != nil {
		return h.Cover
	}
	return h.Hello
}

// InnerHello is the hello that was encrypted, the latest that is known; nil if none is.
func (h *Handshake) InnerHello() *handshake.ClientHello {
	for i := len(h.Inners) - 1; i >= 0; i-- {
		if h.Inners[i].Hello != nil {
			return h.Inners[i].Hello
		}
	}
	return nil
}

// Reveal takes in an encrypted hello that was opened.
func (h *Handshake) Reveal(b *capture.InnerHello, raw []byte) {
	n := 0
	if b.Second {
		n = 1
	}
	for len(h.Inners) <= n {
		h.Inners = append(h.Inners, Inner{})
	}
	h.Inners[n] = Inner{b.Hello, raw}
}

// CheckECH reads in the server's answer whether it took the encrypted hello, where that was
// opened. ok is false where it does not tell, or nothing that was not told before. From
// then on the hello that counts is the one that the server took.
func (h *Handshake) CheckECH() (p event.Proof, ok bool) {
	s := h.answerSuite()
	if len(h.Inners) == 0 || s == nil || h.ServerHello != nil && !h.Is13() {
		return p, false
	}
	var retry, answer []byte
	for i := range h.Sides[1].Messages {
		m := &h.Sides[1].Messages[i]
		b, hello := m.Body.(*handshake.ServerHello)
		switch {
		case !hello || m.Raw == nil:
		case b.Retry:
			retry = m.Raw
		default:
			answer = m.Raw
		}
	}
	inners := make([][]byte, len(h.Inners))
	for i, in := range h.Inners {
		inners[i] = in.Raw
	}
	if h.Retry != nil && retry == nil || h.ServerHello != nil && answer == nil {
		return p, false
	}
	before := h.Answer
	h.Answer = capture.ReadECHAnswer(s, inners, retry, answer)
	if h.ServerHello != nil && h.Cover == nil && h.Answer != nil && h.Answer.Taken() && h.InnerHello() != nil {
		h.Cover, h.Hello = h.Hello, h.InnerHello()
	}
	a := h.Answer
	if a == nil || before != nil && before.Retry == a.Retry || a.Have == nil {
		return p, false
	}
	id := words.ProofECHTaken
	if !a.Taken() {
		id = words.ProofECHNotTaken
	}
	return words.NewProof(id, event.Proven, event.Text{},
		input("random of the inner hello", hex.EncodeToString(inners[0][6:38])),
		input("computed", hex.EncodeToString(a.Computed)),
		input("in the message", hex.EncodeToString(a.Have))), true
}

// answerSuite is the suite of the ServerHello, or of the HelloRetryRequest before it.
func (h *Handshake) answerSuite() *keys.Suite {
	if h.ServerHello == nil && h.Retry != nil {
		s, _ := keys.SuiteByID(h.Retry.CipherSuite)
		return s
	}
	return h.Suite()
}

// counts puts in place of the n-th hello in clear the one inside it, where the server took that.
// Its Raw is nil where it is not known.
func (h *Handshake) counts(m *Message, n int) *Message {
	if h.Answer == nil || !h.Answer.Taken() {
		return m
	}
	in := *m
	in.Raw = nil
	if n < len(h.Inners) {
		in.Raw = h.Inners[n].Raw
	}
	return &in
}
