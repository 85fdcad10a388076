package proof

import (
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"strconv"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture/handshake"
	"explainer/capture/keys"
)

// maxRequests bounds the requests for authentication after a handshake that are kept.
const maxRequests = 16

// A Later is one authentication of the client after the handshake (RFC 8446 4.6.2): what is
// said in it, by the context that the request has.
type Later struct {
	context string
	raw     [][]byte // CertificateRequest, Certificate, CertificateVerify
	holed   bool     // one of them is not known
}

// IsLater tells whether a message of TLS 1.3 that a side sends now, opened by a line of the
// key log, belongs to an authentication after the handshake: it is under the keys of the data.
func (h *Handshake) IsLater(side int, by string) bool {
	return h.Is13() && (by == "CLIENT_TRAFFIC_SECRET_0" || by == "SERVER_TRAFFIC_SECRET_0" || h.Sides[side].Finished && (side == 1 || h.Through()))
}

// Ask takes a CertificateRequest that came after the handshake. It tells whether the client
// had said that it may.
func (h *Handshake) Ask(m *handshake.CertificateRequest, raw []byte) bool {
	if len(h.later) == maxRequests {
		h.later = h.later[1:]
	}
	h.later = append(h.later, &Later{context: string(m.RequestContext), raw: [][]byte{raw}, holed: raw == nil})
	return h.Hello == nil || h.Hello.Extension(handshake.ExtPostHandshakeAuth) != nil
}

// AnswerWith takes the client's Certificate that answers a request.
func (h *Handshake) AnswerWith(m *handshake.Certificate, raw []byte) {
	h.answered = nil
	for _, l := range slices.Backward(h.later) {
		if l.context == string(m.RequestContext) && len(l.raw) == 1 {
			h.answered = l
			l.add(raw)
			return
		}
	}
}

func (l *Later) add(raw []byte) {
	l.raw, l.holed = append(l.raw, raw), l.holed || raw == nil
}

// laterHash is the hash of the handshake and of what the client says in answer to a request.
func (h *Handshake) laterHash() (s *keys.Suite, hash []byte, inputs []event.Field, reason event.Text) {
	l := h.answered
	if s = h.Suite(); s == nil {
		return nil, nil, nil, words.Piece("proof/cipher-suite-not-known")
	}
	if l == nil || l.holed {
		return nil, nil, nil, words.Piece("proof/request-not-known")
	}
	whole := h.whole
	if whole == nil {
		if whole, reason = h.all(s); !reason.Empty() {
			return nil, nil, nil, reason
		}
	}
	raw := slices.Concat(whole, l.raw)
	if hash = keys.TranscriptHash(h.Version(), s.Hash, raw...); hash == nil {
		return nil, nil, nil, noHash
	}
	return s, hash, []event.Field{messagesField(raw), input("their hash", hex.EncodeToString(hash))}, event.Text{}
}

// all are the messages of the whole handshake of TLS 1.3, the client's Finished the last.
func (h *Handshake) all(s *keys.Suite) ([][]byte, event.Text) {
	m := h.Find(0, handshake.TypeFinished)
	if m == nil {
		return nil, words.Piece("proof/not-all-before")
	}
	raw, reason := h.before(s, 0, m.index)
	if reason.Empty() && m.Raw == nil {
		reason = words.Piece("proof/not-all-before")
	}
	return append(raw, m.Raw), reason
}

// CheckLaterVerify checks the signature of a client that proves after the handshake who it is.
func (h *Handshake) CheckLaterVerify(m *handshake.CertificateVerify, raw []byte) event.Proof {
	_, hash, inputs, reason := h.laterHash()
	if h.answered != nil {
		h.answered.add(raw)
	}
	leaf := h.Sides[0].Leaf
	switch {
	case !reason.Empty():
		return words.NewProof(words.ProofClientCV, event.NotCheckable, reason)
	case leaf == nil:
		return words.NewProof(words.ProofClientCV, event.NotCheckable, words.Piece("proof/certificate-not-capture"))
	}
	pub, key := h.signer(0)
	inputs = append(inputs, inputOf("signature", words.Hex(m.Signature)), key, input("algorithm", handshake.SchemeName(m.SignatureScheme)))
	return h.overMessages(signature(words.ProofClientCV, keys.VerifyHandshakeSignature(h.Version(), m.SignatureScheme, pub, keys.CertificateVerifyContent(true, hash), m.Signature), inputs))
}

// CheckLaterFinished checks the Finished message that ends an authentication after the
// handshake. Its key comes from the secret of the data that the client sends at that time,
// which is newer by one step for each of its KeyUpdates.
func (h *Handshake) CheckLaterFinished(m *handshake.Finished, updates int, show Show) event.Proof {
	const label = "CLIENT_TRAFFIC_SECRET_0"
	s, hash, inputs, reason := h.laterHash()
	h.answered = nil
	secret := h.Logged[label]
	switch {
	case !reason.Empty():
		return words.NewProof(words.ProofLaterFin, event.NotCheckable, reason)
	case secret == nil, updates > maxLaterUpdates:
		return words.NewProof(words.ProofLaterFin, event.NotCheckable, words.Piece("proof/secret-keys-checksum-not"), inputs...)
	}
	for range updates {
		secret = keys.NextTrafficSecret(s, secret)
	}
	want := keys.VerifyData13(s, secret, hash)
	inputs = append(inputs, event.Field{Name: event.Plain("CLIENT_TRAFFIC_SECRET_" + strconv.Itoa(updates)), Value: show.Secret(secret)}, input("computed", hex.EncodeToString(want)), input("in the message", hex.EncodeToString(m.VerifyData)))
	if subtle.ConstantTimeCompare(want, m.VerifyData) == 1 {
		return words.NewProof(words.ProofLaterFin, event.Proven, event.Text{}, inputs...)
	}
	return h.overMessages(words.NewProof(words.ProofLaterFin, event.Refuted, words.Piece("proof/computed-checksum-not-one"), inputs...))
}

// maxLaterUpdates bounds the secrets that are made one from the other.
const maxLaterUpdates = 1 << 12
