package proof

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture/handshake"
	"explainer/capture/keys"
)

// A Show tells whether the secrets among the inputs of proofs are shown; else they are masked.
type Show bool

// Secret is the value of a key or of what keys are made from, as it may be shown.
func (s Show) Secret(b []byte) event.Text {
	if s {
		return event.Plain(hex.EncodeToString(b))
	}
	return words.Piece("value/masked", "count", words.Count(len(b), "byte"))
}

// input is what went into a proof.
func input(name, value string) event.Field { return inputOf(name, event.Plain(value)) }

func inputOf(name string, value event.Text) event.Field {
	return event.Field{Name: words.FieldName(name), Value: value}
}

// Prove adds a proof to the handshake; a later one of the same ID replaces it,
// unless that one was settled and this one is not.
func (h *Handshake) Prove(p event.Proof) {
	i := slices.IndexFunc(h.proofs, func(q settled) bool { return q.ID == p.ID })
	switch {
	case i < 0:
		h.proofs = append(h.proofs, settled{event.RowProof{ID: p.ID, State: p.State}, p.Reason})
	case h.proofs[i].State == event.Refuted, p.State == event.NotCheckable:
		// A refutation stays.
	default:
		h.proofs[i].State, h.proofs[i].reason = p.State, p.Reason
	}
}

// Proved returns the state of a proof and its reason; "" if it was never tried.
func (h *Handshake) Proved(id string) (event.ProofState, event.Text) {
	for _, p := range h.proofs {
		if p.ID == id {
			return p.State, p.reason
		}
	}
	return "", event.Text{}
}

// Proven tells whether a proof holds.
func (h *Handshake) Proven(id string) bool { s, _ := h.Proved(id); return s == event.Proven }

// Refuted tells whether a proof failed.
func (h *Handshake) Refuted(id string) bool { s, _ := h.Proved(id); return s == event.Refuted }

// Tried tells whether a proof was tried.
func (h *Handshake) Tried(id string) bool { s, _ := h.Proved(id); return s != "" }

// Picked are those of the IDs that were tried.
func (h *Handshake) Picked(ids ...string) []event.RowProof {
	var out []event.RowProof
	for _, id := range ids {
		if s, _ := h.Proved(id); s != "" {
			out = append(out, event.RowProof{ID: id, State: s})
		}
	}
	return out
}

// order lists the handshake messages in the order in which the protocol hashes
// them, whatever the order in which the two directions could be read. It ends
// where a flight is not complete. synthetic is message_hash in place of the
// first ClientHello of a HelloRetryRequest.
func (h *Handshake) order(s *keys.Suite) []*Message {
	var out []*Message
	said := [2][]*Message{h.said(0), h.said(1)}
	take := func(side int, from *int, until ...handshake.Type) bool {
		for *from < len(said[side]) {
			m := said[side][*from]
			*from++
			out = append(out, m)
			if slices.Contains(until, m.Type) {
				return true
			}
		}
		return false
	}
	var c, v int
	if !take(0, &c, handshake.TypeClientHello) {
		return out
	}
	if h.Is13() {
		out[0] = h.counts(out[0], 0)
		if h.Retry != nil {
			first := &Message{Type: handshake.TypeMessageHash, Side: 0, index: -1}
			if out[0].Raw != nil {
				first.Raw = keys.MessageHash(s, h.hashed(out[0]))
			}
			out[0] = first
			if !take(1, &v, handshake.TypeServerHello) || !take(0, &c, handshake.TypeClientHello) {
				return out
			}
			out[2] = h.counts(out[2], 1)
		}
		if take(1, &v, handshake.TypeFinished) {
			take(0, &c, handshake.TypeFinished)
		}
		return out
	}
	if !take(1, &v, handshake.TypeServerHelloDone, handshake.TypeFinished) {
		return out
	}
	if take(0, &c, handshake.TypeFinished) {
		take(1, &v, handshake.TypeFinished)
	}
	return out
}

// said lists the messages of a side in the order in which it sent them: in DTLS their numbers
// tell it, for datagrams come in any order (RFC 6347 4.2.2).
func (h *Handshake) said(side int) []*Message {
	out := make([]*Message, len(h.Sides[side].Messages))
	for i := range out {
		out[i] = &h.Sides[side].Messages[i]
	}
	if h.DTLS() {
		slices.SortStableFunc(out, func(a, b *Message) int { return a.number() - b.number() })
	}
	return out
}

// number is the number of a message of DTLS, -1 if it is not known.
func (m *Message) number() int {
	if len(m.Raw) < 6 {
		return -1
	}
	return int(m.Raw[4])<<8 | int(m.Raw[5])
}

// hashed is a message as it enters the hash: of DTLS 1.3 without what DTLS has in the header beside
// type and length (RFC 9147 5.2).
func (h *Handshake) hashed(m *Message) []byte {
	if !h.DTLS() || !h.Is13() || len(m.Raw) < 12 || m.Type == handshake.TypeMessageHash {
		return m.Raw
	}
	return slices.Concat(m.Raw[:4], m.Raw[12:])
}

// lost tells whether a message of DTLS is missing between two others of its side, or in DTLS 1.3,
// where all count, before the first (RFC 9147 5.2: numbers begin at 0).
func (h *Handshake) lost() bool {
	if !h.DTLS() {
		return false
	}
	for side := range h.Sides {
		said := h.said(side)
		if h.Is13() && len(said) > 0 && said[0].number() > 0 {
			return true
		}
		for i := 1; i < len(said); i++ {
			if said[i].number() != said[i-1].number()+1 {
				return true
			}
		}
	}
	return false
}

// before returns the raw handshake messages that the transcript holds before
// message index of side, or the reason why they are not all known.
func (h *Handshake) before(s *keys.Suite, side, index int) (raw [][]byte, reason event.Text) {
	if !h.Broken.Empty() {
		return nil, h.Broken
	}
	if h.lost() {
		return nil, words.Piece("proof/not-all-before")
	}
	for _, m := range h.order(s) {
		if m.Side == side && m.index == index {
			return raw, event.Text{}
		}
		if m.Raw == nil { // a hello inside another one
			return nil, words.Piece("proof/inner-hello-taken")
		}
		raw = append(raw, h.hashed(m))
	}
	return nil, words.Piece("proof/not-all-before")
}

var noSSL3 = words.Piece("proof/ssl3-signature")

var noHash = words.Piece("proof/hash-not-known")

// CheckFinished checks the Finished message of a side, which must have been recorded.
func (h *Handshake) CheckFinished(side int, show Show) event.Proof {
	id := [2]string{words.ProofClientFin, words.ProofServerFin}[side]
	m := h.Find(side, handshake.TypeFinished)
	fin, _ := m.Body.(*handshake.Finished)
	s := h.Suite()
	if s == nil {
		return words.NewProof(id, event.NotCheckable, words.Piece("proof/cipher-suite-not-known"))
	}
	if fin == nil {
		return words.NewProof(id, event.NotCheckable, words.Piece("proof/message-malformed"))
	}
	raw, reason := h.before(s, side, m.index)
	if !reason.Empty() {
		return words.NewProof(id, event.NotCheckable, reason)
	}
	hash := keys.TranscriptHash(h.Version(), s.Hash, raw...)
	if hash == nil {
		return words.NewProof(id, event.NotCheckable, noHash)
	}
	inputs := []event.Field{
		messagesField(raw),
		input("their hash", hex.EncodeToString(hash)),
	}
	ssl30 := h.Version() == 0x0300
	if ssl30 {
		inputs[1] = event.Field{Name: words.FieldName("their hash"), Value: words.Piece("field/not-value-own"), Note: words.Piece("note/ssl3-hash")}
	}
	if h.Retry != nil {
		inputs[0].Note = words.Piece("note/hello-as-hash")
	}
	verifyData := keys.VerifyData13
	if h.DTLS() {
		verifyData = keys.VerifyDataDTLS13
	}
	var secrets [][]byte
	var label string // of the key log
	name := words.FieldName("master secret")
	old := false // they are another connection's
	if h.Is13() {
		label = [2]string{"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"}[side]
		name = event.Plain(label)
		if v := h.Logged[label]; v != nil {
			secrets = append(secrets, v)
		}
	} else {
		if v := h.Logged["CLIENT_RANDOM"]; v != nil {
			secrets = append(secrets, v)
		}
		if h.Master != nil {
			secrets = append(secrets, h.Master)
		}
		if l := h.Link; l != nil && len(secrets) == 0 {
			for _, i := range l.From {
				if m := i.Master(); m != nil {
					secrets, old = append(secrets, m), true
					name = words.FieldName("master secret of the earlier connection")
				}
			}
		}
	}
	if len(secrets) == 0 {
		return words.NewProof(id, event.NotCheckable, words.Piece("proof/secret-keys-checksum-not"), inputs...)
	}
	var want []byte
	for _, secret := range secrets {
		switch {
		case h.Is13():
			want = verifyData(s, secret, hash)
		case ssl30:
			want = keys.VerifyData30(secret, side == 0, raw...)
		default:
			want = keys.VerifyData(h.Version(), s.Hash, secret, side == 0, hash)
		}
		if want != nil && subtle.ConstantTimeCompare(want, fin.VerifyData) == 1 {
			switch {
			case old:
				h.OldMaster = secret
			case h.Is13():
				h.KeepSecret(label, secret)
			case bytes.Equal(secret, h.Logged["CLIENT_RANDOM"]):
				h.KeepSecret("CLIENT_RANDOM", secret)
			}
			p := words.NewProof(id, event.Proven, event.Text{}, append(inputs, event.Field{Name: name, Value: show.Secret(secret)}, input("computed", hex.EncodeToString(want)), input("in the message", hex.EncodeToString(fin.VerifyData)))...)
			p.Redo = h.redoFinished(s, side, raw, secret, fin.VerifyData)
			return p
		}
	}
	if want == nil {
		return words.NewProof(id, event.NotCheckable, noHash, inputs...)
	}
	if old {
		return words.NewProof(id, event.NotCheckable, words.Piece("proof/there-no-key-log"), inputs...)
	}
	p := words.NewProof(id, event.Refuted, words.Piece("proof/computed-checksum-not-one"),
		append(inputs, event.Field{Name: name, Value: show.Secret(secrets[0])}, input("computed", hex.EncodeToString(want)), input("in the message", hex.EncodeToString(fin.VerifyData)))...)
	p.Redo = h.redoFinished(s, side, raw, secrets[0], fin.VerifyData)
	return h.overMessages(p)
}

// messagesField is how many handshake messages went into a hash.
func messagesField(raw [][]byte) event.Field {
	return inputOf("handshake messages", words.Piece("value/messages", "n", strconv.Itoa(len(raw)), "size", words.Count(totalLen(raw), "byte")))
}

func totalLen(bs [][]byte) int {
	n := 0
	for _, b := range bs {
		n += len(b)
	}
	return n
}

// signature turns the outcome of a check of a handshake signature into a proof.
func signature(id string, err error, inputs []event.Field) event.Proof {
	switch {
	case err == nil:
		return words.NewProof(id, event.Proven, event.Text{}, inputs...)
	case errors.Is(err, keys.ErrSignature):
		return words.NewProof(id, event.Refuted, words.Piece("proof/signature-does-not-hold"), inputs...)
	case errors.Is(err, keys.ErrScheme):
		return words.NewProof(id, event.Refuted, words.Piece("proof/signature-algorithm-not-one"), inputs...)
	}
	return words.NewProof(id, event.NotCheckable, words.Piece("proof/kind-key-or-signature"), inputs...)
}

func keyField(c *Certificate) event.Field {
	return event.Field{Name: words.FieldName("public key"), Value: event.Plain(c.KeyWords()), Note: words.Piece("note/of-the-certificate", "names", c.For())}
}

// CheckServerKey checks the signature of TLS 1.2 and older on the server's fresh key.
func (h *Handshake) CheckServerKey(m *handshake.ServerKeyExchange) event.Proof {
	switch {
	case m.Signature == nil:
		return words.NewProof(words.ProofSKE, event.NotCheckable, words.Piece("proof/cipher-suite-signs-nothing"))
	case h.Sides[1].Leaf == nil:
		return words.NewProof(words.ProofSKE, event.NotCheckable, words.Piece("proof/server-s-certificate-not"))
	case h.Hello == nil && h.ServerHello == nil:
		return words.NewProof(words.ProofSKE, event.NotCheckable, words.Piece("proof/hello-messages-not-capture"))
	case h.Hello == nil:
		return words.NewProof(words.ProofSKE, event.NotCheckable, words.Piece("proof/client-hello-not-capture"))
	case h.ServerHello == nil:
		return words.NewProof(words.ProofSKE, event.NotCheckable, words.Piece("proof/server-hello-not-capture"))
	}
	signed := slices.Concat(h.Hello.Random[:], h.ServerHello.Random[:], m.Params)
	inputs := []event.Field{
		input("client random", hex.EncodeToString(h.Hello.Random[:])),
		input("server random", hex.EncodeToString(h.ServerHello.Random[:])),
		inputOf("parameters", words.Hex(m.Params)),
		inputOf("signature", words.Hex(m.Signature)),
		keyField(h.Sides[1].Leaf),
	}
	if m.SignatureScheme != 0 {
		inputs = append(inputs, input("algorithm", handshake.SchemeName(m.SignatureScheme)))
	} else {
		inputs = append(inputs, inputOf("algorithm", oldAlgorithm(h.Sides[1].Leaf.Key)))
	}
	p := signature(words.ProofSKE, keys.VerifyHandshakeSignature(h.Version(), m.SignatureScheme, h.Sides[1].Leaf.Key, signed, m.Signature), inputs)
	p.Redo = h.redoSignature(m.SignatureScheme, h.Sides[1].Leaf.Key, signed, m.Signature)
	return h.overMessages(p)
}

// oldAlgorithm names the fixed algorithm of TLS 1.0 and 1.1 (RFC 4346 7.4.3).
func oldAlgorithm(pub crypto.PublicKey) event.Text {
	if _, ok := pub.(*rsa.PublicKey); ok {
		return words.Piece("value/rsa-md5-sha1")
	}
	return words.Piece("value/over-sha1")
}

// CheckVerify checks the signature in a CertificateVerify message of a side.
func (h *Handshake) CheckVerify(side int, msg *Message, m *handshake.CertificateVerify, show Show) event.Proof {
	id := [2]string{words.ProofClientCV, words.ProofServerCV}[side]
	leaf := h.Sides[side].Leaf
	if leaf == nil {
		return words.NewProof(id, event.NotCheckable, words.Piece("proof/certificate-not-capture"))
	}
	s := h.Suite()
	if s == nil {
		return words.NewProof(id, event.NotCheckable, words.Piece("proof/cipher-suite-not-known"))
	}
	raw, reason := h.before(s, side, msg.index)
	if !reason.Empty() {
		return words.NewProof(id, event.NotCheckable, reason)
	}
	inputs := []event.Field{messagesField(raw)}
	var signed []byte
	if h.Is13() {
		hash := keys.TranscriptHash(h.Version(), s.Hash, raw...)
		if hash == nil {
			return words.NewProof(id, event.NotCheckable, noHash)
		}
		inputs = append(inputs, input("their hash", hex.EncodeToString(hash)))
		signed = keys.CertificateVerifyContent(side == 0, hash)
	} else if h.Version() == 0x0300 {
		master := cmp.Or(string(h.Logged["CLIENT_RANDOM"]), string(h.Master))
		if master == "" {
			return words.NewProof(id, event.NotCheckable, noSSL3)
		}
		inputs = append(inputs, inputOf("master secret", show.Secret([]byte(master))), inputOf("signature", words.Hex(m.Signature)), keyField(leaf), inputOf("algorithm", oldAlgorithm(leaf.Key)))
		return h.overMessages(signature(id, keys.VerifyCertificateVerify30(leaf.Key, []byte(master), m.Signature, raw...), inputs))
	} else {
		signed = bytes.Join(raw, nil)
	}
	algorithm := oldAlgorithm(leaf.Key)
	if m.SignatureScheme != 0 {
		algorithm = event.Plain(handshake.SchemeName(m.SignatureScheme))
	}
	pub, key := h.signer(side)
	inputs = append(inputs, inputOf("signature", words.Hex(m.Signature)), key, inputOf("algorithm", algorithm))
	p := signature(id, keys.VerifyHandshakeSignature(h.Version(), m.SignatureScheme, pub, signed, m.Signature), inputs)
	p.Redo = h.redoSignature(m.SignatureScheme, pub, signed, m.Signature)
	return h.overMessages(p)
}

// Links checks that each certificate of a chain is signed by the one that its
// issuer names. Chains may come in another order and with more in them than
// they should (RFC 8446 4.4.2), so the issuer is looked for by name.
func (cs *Certificates) Links(id string, chain []*Certificate) event.Proof {
	var notes []event.Field
	var checked, roots, inOrder int
	var unchecked event.Text
	for i, c := range chain {
		if c.Parsed == nil {
			unchecked = words.Piece("proof/certificate-n-unreadable", "place", strconv.Itoa(i+1), "error", c.Err)
			continue
		}
		if c.selfSigned() {
			switch err := cs.link(c, c); {
			case err == nil:
				notes = append(notes, event.Field{Name: words.FieldName("link"), Value: words.Piece("value/signed-by-itself", "subject", c.Subject()), Note: words.Piece("note/nobody-else")})
				roots++
				continue // a root: nothing above it
			case !errors.Is(err, keys.ErrSignature):
				unchecked = unread(err)
				continue
			case len(chain) == 1:
				return words.NewProof(id, event.NotCheckable, words.Piece("proof/certificate-names-itself-issuer"), notes...)
			}
			// Issuer and subject may have one name and two keys (self-issued, RFC 5280 6.1).
		}
		var err error
		found := false
		for j, parent := range chain {
			if j == i || parent.Parsed == nil || string(parent.Parsed.RawSubject) != string(c.Parsed.RawIssuer) {
				continue
			}
			found = true
			if err = cs.link(c, parent); err == nil {
				notes = append(notes, inputOf("link", words.Piece("value/signed-by", "subject", c.Subject(), "issuer", parent.Subject())))
				checked++
				if j == i+1 {
					inOrder++
				}
				break
			}
		}
		switch {
		case !found:
			notes = append(notes, event.Field{Name: words.FieldName("not sent"), Value: event.Plain(c.Issuer()), Note: words.Piece("note/issuer-of", "n", strconv.Itoa(i+1))})
		case errors.Is(err, keys.ErrSignature) && !meant(chain, i):
			unchecked = words.Piece("proof/issuer-other-key", "place", strconv.Itoa(i+1))
		case errors.Is(err, keys.ErrSignature):
			return words.NewProof(id, event.Refuted, words.Piece("proof/link-does-not-hold", "place", strconv.Itoa(i+1), "subject", c.Subject()), notes...)
		case err != nil:
			unchecked = unread(err)
		}
	}
	switch {
	case !unchecked.Empty():
		return words.NewProof(id, event.NotCheckable, unchecked, notes...)
	case checked+roots == 0:
		return words.NewProof(id, event.NotCheckable, words.Piece("proof/only-one-certificate-sent"), notes...)
	case inOrder < checked && len(chain) > 1:
		notes = append(notes, event.Field{Name: words.FieldName("order"), Value: words.Piece("field/not-each-signed-one"), Note: words.Piece("note/order-allowed")})
	}
	notes = append(notes, inputOf("signatures checked", words.Piece("value/n-of", "n", strconv.Itoa(checked+roots), "count", words.Count(len(chain), "certificate"))))
	return words.NewProof(id, event.Proven, event.Text{}, notes...)
}

// meant tells whether a certificate of the chain is the one that certificate i
// must be signed by: the next one, or one with the key identifier that it names.
// Authorities can have several keys under one name.
func meant(chain []*Certificate, i int) bool {
	c := chain[i].Parsed
	for j, p := range chain {
		if j == i || p.Parsed == nil || string(p.Parsed.RawSubject) != string(c.RawIssuer) {
			continue
		}
		if len(c.AuthorityKeyId) > 0 && len(p.Parsed.SubjectKeyId) > 0 {
			if string(c.AuthorityKeyId) == string(p.Parsed.SubjectKeyId) {
				return true
			}
		} else if j == i+1 {
			return true
		}
	}
	return false
}

// BlockProof is the proof about the padded block of step 5: the proxy recorded it,
// or a private key that was given makes it.
func (h *Handshake) BlockProof() string {
	if h.Keyed {
		return words.ProofRSAKey
	}
	return words.ProofRSABlock
}

// CheckBlock checks the block of step 5 against the ciphertext on the
// wire, and what is derived from it against the hello and the key log.
func (h *Handshake) CheckBlock(show Show) []event.Proof {
	if h.Block == nil || h.ClientKey == nil || h.Sides[1].Leaf == nil && !h.Keyed {
		return nil
	}
	id := h.BlockProof()
	inputs := []event.Field{
		inputOf("block", show.Secret(h.Block)),
		inputOf("ClientKeyExchange", words.Hex(h.ClientKey.EncryptedPreMaster)),
	}
	var pre []byte
	var err error
	if h.Sides[1].Leaf == nil {
		// Of all keys that were given, this one alone made such a block.
		inputs = append(inputs, event.Field{Name: words.FieldName("certificate"), Value: words.Piece("field/not-capture"), Note: words.Piece("note/form-alone")})
		pre = h.Block[len(h.Block)-48:]
	} else {
		pub, ok := h.Sides[1].Leaf.Key.(*rsa.PublicKey)
		if !ok {
			return []event.Proof{words.NewProof(id, event.NotCheckable, words.Piece("proof/certificate-s-key-not"))}
		}
		inputs = append([]event.Field{keyField(h.Sides[1].Leaf), input("public exponent", fmt.Sprint(pub.E))}, inputs...)
		pre, err = keys.CheckPKCS1(h.Block, pub, h.ClientKey.EncryptedPreMaster)
	}
	switch {
	case errors.Is(err, keys.ErrNotThisKey):
		return []event.Proof{h.overMessages(words.NewProof(id, event.Refuted, words.Piece("proof/block-encrypted-certificate-s"), inputs...))}
	case errors.Is(err, keys.ErrPadding):
		return []event.Proof{h.overMessages(words.NewProof(id, event.Refuted, words.Piece("proof/block-what-client-encrypted"), inputs...))}
	case errors.Is(err, keys.ErrLength):
		return []event.Proof{h.overMessages(words.NewProof(id, event.Refuted, words.Piece("proof/lengths-wrong", "error", err.Error()), inputs...))}
	case err != nil:
		return []event.Proof{words.NewProof(id, event.NotCheckable, event.Plain(err.Error()), inputs...)}
	}
	proofs := []event.Proof{words.NewProof(id, event.Proven, event.Text{}, append(inputs, inputOf("padding", words.Piece("value/padding", "n", strconv.Itoa(len(h.Block)-48-3))), inputOf("secret", show.Secret(pre)))...)}
	if h.Keyed {
		proofs[0].Inputs = append(proofs[0].Inputs, event.Field{Name: words.FieldName("private exponent"), Value: words.Piece("field/kept-back"), Note: words.Piece("note/of-the-private-key")})
	}
	if h.Sides[1].Leaf != nil {
		proofs[0].Redo = h.redoBlock(h.Sides[1].Leaf.Key.(*rsa.PublicKey), h.ClientKey.EncryptedPreMaster, h.Block)
	}
	h.PreMaster = pre
	if h.Hello != nil {
		have, want := uint16(pre[0])<<8|uint16(pre[1]), h.Hello.LegacyVersion
		in := []event.Field{input("in the secret", fmt.Sprintf("%04x (%s)", have, handshake.VersionName(have))), input("in the ClientHello", fmt.Sprintf("%04x (%s)", want, handshake.VersionName(want)))}
		if have == want {
			proofs = append(proofs, words.NewProof(words.ProofRSAVersion, event.Proven, event.Text{}, in...))
		} else {
			proofs = append(proofs, h.overMessages(words.NewProof(words.ProofRSAVersion, event.Refuted, words.Piece("proof/two-versions-differ"), in...)))
		}
	}
	return append(proofs, h.CheckMaster(show)...)
}

// HashSession keeps the hash of all messages through ClientKeyExchange (RFC 7627
// 3): the secret that needs it may become known only after the handshake.
func (h *Handshake) HashSession() {
	s := h.Suite()
	if s == nil || !h.Broken.Empty() || h.lost() {
		return
	}
	var raw [][]byte
	for _, m := range h.order(s) {
		raw = append(raw, m.Raw)
		if m.Type == handshake.TypeClientKeyExchange {
			h.sessionHash = keys.TranscriptHash(h.Version(), s.Hash, raw...)
			return
		}
	}
}

// CheckMaster computes the master secret from the 48 bytes of step 5 and compares
// it with the logged one.
func (h *Handshake) CheckMaster(show Show) []event.Proof {
	s := h.Suite()
	if s == nil || h.PreMaster == nil || h.Hello == nil || h.ServerHello == nil {
		return nil
	}
	var inputs []event.Field
	if h.EMS() {
		hash := h.sessionHash
		if hash == nil {
			return []event.Proof{words.NewProof(words.ProofRSAMaster, event.NotCheckable, words.Piece("proof/session-hash-needs-all"))}
		}
		h.Master = keys.ExtendedMasterSecret(h.Version(), s.Hash, h.PreMaster, hash)
		inputs = append(inputs, event.Field{Name: words.FieldName("session hash"), Value: event.Plain(hex.EncodeToString(hash)), Note: words.Piece("note/session-hash-of")})
	} else {
		h.Master = keys.MasterSecret(h.Version(), s.Hash, h.PreMaster, h.Hello.Random[:], h.ServerHello.Random[:])
		inputs = append(inputs, input("client random", hex.EncodeToString(h.Hello.Random[:])), input("server random", hex.EncodeToString(h.ServerHello.Random[:])))
	}
	inputs = append(inputs, inputOf("48 bytes of step 5", show.Secret(h.PreMaster)), inputOf("computed master secret", show.Secret(h.Master)))
	logged := h.Logged["CLIENT_RANDOM"]
	switch {
	case h.Master == nil:
		return []event.Proof{words.NewProof(words.ProofRSAMaster, event.NotCheckable, noHash)}
	case logged == nil:
		return []event.Proof{words.NewProof(words.ProofRSAMaster, event.NotCheckable, words.Piece("proof/key-log-has-no"), inputs...)}
	}
	inputs = append(inputs, inputOf("logged master secret", show.Secret(logged)))
	if subtle.ConstantTimeCompare(h.Master, logged) == 1 {
		p := words.NewProof(words.ProofRSAMaster, event.Proven, event.Text{}, inputs...)
		label, seed := "master secret", slices.Concat(h.Hello.Random[:], h.ServerHello.Random[:])
		if h.EMS() {
			label, seed = "extended master secret", h.sessionHash
		}
		p.Redo = h.redoMaster(s, label, seed, h.PreMaster, logged)
		return []event.Proof{p}
	}
	return []event.Proof{h.overMessages(words.NewProof(words.ProofRSAMaster, event.Refuted, words.Piece("proof/computed-master-secret-not"), inputs...))}
}

// EMS tells whether both hellos have the extended master secret (RFC 7627). Where the
// ClientHello is not in the capture the ServerHello's has it by the rules only if that had.
func (h *Handshake) EMS() bool {
	return h.ServerHello != nil && h.ServerHello.HasEMS() && (h.Hello == nil || h.Hello.HasEMS())
}

// unread is why a link was not checked.
func unread(err error) event.Text {
	var why notChecked
	if errors.As(err, &why) {
		return why.why
	}
	return event.Plain(err.Error())
}
