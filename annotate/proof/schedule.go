package proof

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/handshake"
	"explainer/capture/keys"
	"explainer/capture/quic"
)

// KeepSecret keeps the value under a key log label that was found to be this
// handshake's. Where a client random stands for several, the map of the key log
// holds the last one's.
func (h *Handshake) KeepSecret(label string, value []byte) {
	if value == nil {
		return
	}
	if h.own == nil {
		h.own = make(map[string][]byte)
	}
	if h.own[label] == nil {
		h.own[label] = value
	}
}

// logged is the value under a key log label.
func (h *Handshake) logged(label string) []byte {
	if v := h.own[label]; v != nil {
		return v
	}
	return h.Logged[label]
}

// Bounds of what a schedule shows.
const (
	maxUpdates = 16 // traffic secrets after KeyUpdate messages
	MaxNonces  = 8
)

// KeepHashes keeps the hashes that the schedule shows: the messages they are of are let go.
func (h *Handshake) KeepHashes() {
	s := h.Suite()
	if s == nil || !h.Broken.Empty() || h.Version() < 0x0301 || h.lost() {
		return
	}
	if h.hashes == nil {
		h.hashes = make(map[string][]byte)
	}
	put := func(name string, raw [][]byte) {
		if h.hashes[name] == nil {
			h.hashes[name] = keys.TranscriptHash(h.Version(), s.Hash, raw...)
		}
	}
	var raw [][]byte
	for _, m := range h.order(s) {
		if m.Raw == nil {
			return
		}
		if m.Type == handshake.TypeFinished {
			put([2]string{"before client Finished", "before server Finished"}[m.Side], raw)
		}
		raw = append(raw, m.Raw)
		switch {
		case m.Type == handshake.TypeServerHello && m.Side == 1 && m.Body == any(h.ServerHello):
			put("through ServerHello", raw)
		case m.Type == handshake.TypeClientKeyExchange:
			put("through ClientKeyExchange", raw)
		case m.Type == handshake.TypeFinished:
			put([2]string{"through client Finished", "through server Finished"}[m.Side], raw)
		}
	}
	for side := range h.Sides {
		if v := h.VerifyData(side); v != nil {
			h.Sides[side].verify = v
		}
	}
}

// A Schedule is what the key schedule of a handshake depends on beside the handshake.
type Schedule struct {
	Transport capture.Transport
	Version   uint32 // of QUIC
	Updates   [2]int // KeyUpdate messages, or the key updates of QUIC, by side
	External  bool   // its pre-shared key was set up outside of TLS
	Later     bool   // other handshakes followed on this connection
}

// Schedule draws the key schedule of a handshake; nil if no hello is known.
func (h *Handshake) Schedule(o Schedule) *event.Secrets {
	s := h.Suite()
	switch {
	case h.Hello == nil && h.ServerHello == nil:
		return nil
	case h.Hello == nil || h.ServerHello == nil:
		return &event.Secrets{Note: words.Piece("schedule/one-hello")}
	case o.Transport == capture.TransportDTLS && h.Is13():
		return &event.Secrets{Note: words.Piece("schedule/not-dtls")}
	case s == nil || s.Hash == 0:
		return &event.Secrets{Note: words.Piece("schedule/not-suite")}
	case h.Version() < 0x0301:
		return &event.Secrets{Note: words.Piece("schedule/not-ssl3")}
	}
	h.KeepHashes()
	out := &event.Secrets{}
	if o.Later {
		out.Note = words.Piece("schedule/first-handshake")
	}
	if h.Is13() {
		out.Schedule = words.Piece("schedule/hkdf", "version", handshake.VersionName(h.Version()), "hash", hashName(s.Hash), "suite", s.Name)
		out.Tree = h.tree13(o, s)
		return out
	}
	prf := event.Plain("P_" + strings.ReplaceAll(hashName(s.Hash), "-", ""))
	if h.Version() < 0x0303 {
		prf = words.Piece("schedule/both-halves")
	}
	out.Schedule = words.Piece("schedule/prf", "version", handshake.VersionName(h.Version()), "prf", prf, "suite", s.Name)
	out.Tree = h.tree12(s)
	return out
}

// hashName is a hash's usual name.
func hashName(h crypto.Hash) string {
	switch h {
	case crypto.SHA256:
		return "SHA-256"
	case crypto.SHA384:
		return "SHA-384"
	}
	return h.String()
}

// tree12 is the schedule of TLS 1.2 and older.
func (h *Handshake) tree12(s *keys.Suite) []event.Secret {
	master, from, label, note := h.masterOf()
	m := words.Secret("master", from, master)
	m.Label, m.Note = label, note
	if master != nil {
		if st, _ := h.Proved(words.ProofServerFin); st == event.Proven || st == event.Refuted {
			m.State = st
		} else if st, _ := h.Proved(words.ProofClientFin); st == event.Proven || st == event.Refuted {
			m.State = st
		}
	}
	var seed []event.Secret
	switch {
	case h.Resumed:
		m.How = words.Piece("schedule/taken-over")
	case h.EMS():
		m.How = words.Piece("schedule/extended-master")
		m.Refs = words.CiteAll([]string{"7627 4"})
		hash := h.hashes["through ClientKeyExchange"]
		if hash == nil {
			hash = h.sessionHash
		}
		if hash != nil {
			seed = append(seed, words.Secret("session-hash", event.FromComputed, hash))
		} else {
			seed = append(seed, words.Secret("session-hash", event.FromNobody, nil).Because(h.gone()))
		}
	}
	if master == nil {
		m.Made = []event.Secret{
			words.Secret("key-block", event.FromNobody, nil).Because(words.Piece("schedule/needs-master")),
			words.Secret("client-verify", event.FromNobody, nil).Because(words.Piece("schedule/needs-master")),
			words.Secret("server-verify", event.FromNobody, nil).Because(words.Piece("schedule/needs-master")),
		}
	} else {
		m.Made = []event.Secret{h.keyBlock(s, master), h.verify12(s, master, 0), h.verify12(s, master, 1)}
	}
	out := []event.Secret{
		words.Secret("client-random", event.FromWire, h.Hello.Random[:]),
		words.Secret("server-random", event.FromWire, h.ServerHello.Random[:]),
	}
	out = append(out, seed...)
	if h.Resumed {
		return append(out, words.Secret("pre-master", event.FromNothing, nil).Because(words.Piece("schedule/earlier-session")), m)
	}
	p := words.Secret("pre-master", event.FromNobody, nil, m).Because(preMasterNote(h))
	if h.PreMaster != nil {
		p = words.Secret("pre-master", event.FromLog, h.PreMaster, m)
		p.Label = "RSA"
		if h.Block != nil {
			p = words.Secret("pre-master", event.FromComputed, h.PreMaster, m).Because(words.Piece("schedule/last-48"))
		}
	}
	return append(out, p)
}

// gone says why a hash of messages is not known.
func (h *Handshake) gone() event.Text {
	if !h.Broken.Empty() {
		return h.Broken
	}
	return words.Piece("schedule/not-all-read")
}

// masterOf is the master secret of TLS 1.2 and older, and where it is known from.
func (h *Handshake) masterOf() (master []byte, from event.Source, label string, note event.Text) {
	logged := h.logged("CLIENT_RANDOM")
	switch {
	case logged != nil && h.Master != nil && bytes.Equal(logged, h.Master):
		return logged, event.FromLog, "CLIENT_RANDOM", words.Piece("schedule/computed-same")
	case logged != nil:
		return logged, event.FromLog, "CLIENT_RANDOM", event.Text{}
	case h.Master != nil:
		return h.Master, event.FromComputed, "", event.Text{}
	}
	if i, ok := h.Link.One(); ok && i.Master() != nil && h.OldMaster != nil {
		return i.Master(), event.FromEarlier, "", words.Piece("schedule/of-connection", "conn", strconv.Itoa(i.Conn))
	}
	note = words.Piece("schedule/no-line")
	if h.Link != nil {
		note = words.Piece("schedule/no-line-nor-session")
	}
	return nil, event.FromNobody, "", note
}

// preMasterNote says why the pre-master secret is not known.
func preMasterNote(h *Handshake) event.Text {
	switch handshake.SuiteKeyExchange(h.ServerHello.CipherSuite) {
	case handshake.KeyExchangeRSA:
		return words.Piece("schedule/crossed-rsa")
	case handshake.KeyExchangePSK:
		return words.Piece("schedule/psk-with-zeros")
	case handshake.KeyExchangeRSAPSK, handshake.KeyExchangeDHEPSK, handshake.KeyExchangeECDHEPSK:
		return words.Piece("schedule/fresh-and-psk")
	case handshake.KeyExchangeSRP:
		return words.Piece("schedule/of-password")
	}
	return words.Piece("schedule/shared-private")
}

// keyBlock is what the master secret is expanded to for the records.
func (h *Handshake) keyBlock(s *keys.Suite, master []byte) event.Secret {
	b := keys.NewKeyBlock(h.Version(), s, master, h.Hello.Random[:], h.ServerHello.Random[:])
	all := slices.Concat(b.ClientMAC, b.ServerMAC, b.ClientKey, b.ServerKey, b.ClientIV, b.ServerIV)
	k := words.Secret("key-block", event.FromComputed, all)
	k.How = words.Piece("schedule/sized", "how", k.How, "n", strconv.Itoa(len(all)))
	for _, part := range []struct {
		id    string
		value []byte
	}{
		{"client-mac", b.ClientMAC}, {"server-mac", b.ServerMAC},
		{"client-key", b.ClientKey}, {"server-key", b.ServerKey},
		{"client-iv", b.ClientIV}, {"server-iv", b.ServerIV},
	} {
		if len(part.value) > 0 {
			k.Made = append(k.Made, words.Secret(part.id, event.FromComputed, part.value).MadeBy(words.Piece("schedule/next-bytes", "n", strconv.Itoa(len(part.value)))))
		}
	}
	if len(k.Made) > 0 {
		k.Made[0].How = words.Piece("schedule/first-bytes", "n", strconv.Itoa(len(k.Made[0].Value)/2))
	} else {
		k.Note = words.Piece("schedule/none-needed") // NULL with no MAC
	}
	for side, id := range []string{words.ProofClientFirst, words.ProofServerFirst} {
		if st, _ := h.Proved(id); st == event.Proven {
			for i := range k.Made {
				if k.Made[i].ID == [2]string{"client-key", "server-key"}[side] {
					k.Made[i].State, k.Made[i].Note = event.Proven, words.Piece("schedule/opened-first")
				}
			}
		}
	}
	return k
}

// verify12 is the Finished of a side.
func (h *Handshake) verify12(s *keys.Suite, master []byte, side int) event.Secret {
	id := [2]string{"client-verify", "server-verify"}[side]
	hash := h.hashes[[2]string{"before client Finished", "before server Finished"}[side]]
	if hash == nil {
		return words.Secret(id, event.FromNobody, nil).Because(h.gone())
	}
	v := words.Secret(id, event.FromComputed, keys.VerifyData(h.Version(), s.Hash, master, side == 0, hash))
	h.compare(&v, side)
	v.Made = []event.Secret{words.Secret("messages-hash", event.FromComputed, hash)}
	return v
}

// compare says whether a computed Finished is the one on the wire.
func (h *Handshake) compare(v *event.Secret, side int) {
	switch {
	case h.Sides[side].verify == nil:
		v.Note = words.Piece("schedule/nothing-to-compare")
	case hex.EncodeToString(h.Sides[side].verify) == v.Value:
		v.State, v.Note = event.Proven, words.Piece("schedule/message-same")
	default:
		v.State, v.Note = event.Refuted, words.Piece("schedule/message-holds", "hex", hex.EncodeToString(h.Sides[side].verify))
	}
}

// tree13 is the schedule of TLS 1.3.
func (h *Handshake) tree13(o Schedule, s *keys.Suite) []event.Secret {
	none := keys.TranscriptHash(h.Version(), s.Hash)
	logged := func(id, label string, why event.Text) event.Secret {
		v := h.logged(label)
		if v == nil {
			return words.Secret(id, event.FromNobody, nil).Because(why)
		}
		n := words.Secret(id, event.FromLog, v)
		n.Label = label
		return n
	}

	early := words.Secret("early", event.FromNobody, nil).Because(words.Piece("schedule/needs-psk"))
	derived := words.Secret("derived-early", event.FromNobody, nil).Because(words.Piece("schedule/needs-early"))
	psk := words.Secret("psk", event.FromNothing, nil).Because(words.Piece("schedule/uses-none"))
	if _, ok := h.ServerHello.SelectedPSK(); ok {
		psk = words.Secret("psk", event.FromNobody, nil)
		switch {
		case o.External:
			psk.Note = words.Piece("schedule/psk-external")
		default:
			psk.Note = words.Piece("schedule/psk-from-ticket")
		}
		early.Made = append(early.Made, words.Secret("binder", event.FromNobody, nil).Because(words.Piece("schedule/needs-early-binder")))
	} else {
		value := keys.Extract(s.Hash, nil, nil)
		early = words.Secret("early", event.FromComputed, value).Because(words.Piece("schedule/same-everywhere"))
		derived = words.Secret("derived-early", event.FromComputed, keys.DeriveSecret(s.Hash, value, "derived", none))
	}
	if h.FirstHello != nil && h.FirstHello.HasEarlyData() {
		e := logged("client-early", "CLIENT_EARLY_TRAFFIC_SECRET", words.Piece("schedule/no-line-at-all"))
		if e.Value != "" && h.TookEarly() {
			e.Made = o.traffic(s, h.logged("CLIENT_EARLY_TRAFFIC_SECRET"))
		} else if e.Value != "" {
			e.Note = words.Piece("schedule/early-not-taken")
		}
		early.Made = append(early.Made, e)
	}
	if h.logged("EARLY_EXPORTER_SECRET") != nil {
		early.Made = append(early.Made, logged("early-exporter", "EARLY_EXPORTER_SECRET", event.Text{}))
	}

	dhe := words.Secret("dhe", event.FromNobody, nil).Because(words.Piece("schedule/shared"))
	if h.ServerHello.KeyShare() == nil {
		dhe = words.Secret("dhe", event.FromNothing, nil).Because(words.Piece("schedule/has-none"))
	}
	hs := words.Secret("handshake", event.FromNobody, nil).Because(words.Piece("schedule/needs-shared-log"))
	if dhe.From == event.FromNothing {
		hs.Note = words.Piece("schedule/needs-early-log")
	}
	missing := words.Piece("schedule/no-line")
	for side, label := range []string{"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"} {
		n := logged([2]string{"client-handshake", "server-handshake"}[side], label, missing)
		if v := h.logged(label); v != nil {
			n.Made = o.traffic(s, v)
			f := words.Secret("finished-key", event.FromComputed, keys.FinishedKey(s, v))
			hash := h.hashes[[2]string{"before client Finished", "before server Finished"}[side]]
			if hash != nil {
				verify := words.Secret("verify", event.FromComputed, keys.VerifyData13(s, v, hash))
				h.compare(&verify, side)
				n.State = verify.State
				verify.Made = []event.Secret{words.Secret("messages-hash", event.FromComputed, hash)}
				f.Made = []event.Secret{verify}
			} else {
				f.Made = []event.Secret{words.Secret("verify", event.FromNobody, nil).Because(h.gone())}
			}
			n.Made = append(n.Made, f)
		}
		if hash := h.hashes["through ServerHello"]; hash != nil && side == 0 {
			hs.Made = append(hs.Made, words.Secret("messages-hash", event.FromComputed, hash).MadeBy(words.Piece("schedule/through-server-hello")))
		}
		hs.Made = append(hs.Made, n)
	}

	master := words.Secret("master13", event.FromNobody, nil).Because(words.Piece("schedule/needs-handshake-log"))
	if hash := h.hashes["through server Finished"]; hash != nil {
		master.Made = append(master.Made, words.Secret("messages-hash", event.FromComputed, hash).MadeBy(words.Piece("schedule/through-server-finished")))
	}
	for side, label := range []string{"CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"} {
		n := logged([2]string{"client-application", "server-application"}[side], label, missing)
		if v := h.logged(label); v != nil {
			n.Made = o.traffic(s, v)
			first, note := [2]string{words.ProofClientFirst, words.ProofServerFirst}, "schedule/opened-first"
			if o.quic() {
				first, note = [2]string{words.ProofClientPacket, words.ProofServerPacket}, "schedule/opened-first-packet"
			}
			if st, _ := h.Proved(first[side]); st == event.Proven {
				n.State, n.Note = event.Proven, words.Piece(note)
			}
			n.Made = append(n.Made, o.keyUpdates(s, v, o.Updates[side], 1)...)
		}
		master.Made = append(master.Made, n)
	}
	master.Made = append(master.Made, logged("exporter", "EXPORTER_SECRET", words.Piece("schedule/no-line-exporter")))
	r := words.Secret("resumption", event.FromNobody, nil).Because(words.Piece("schedule/resumption"))
	if hash := h.hashes["through client Finished"]; hash != nil {
		r.Made = append(r.Made, words.Secret("messages-hash", event.FromComputed, hash).MadeBy(words.Piece("schedule/through-client-finished")))
	}
	for _, nonce := range h.Nonces {
		r.Made = append(r.Made, words.Secret("ticket-psk", event.FromNobody, nil, words.Secret("ticket-nonce", event.FromWire, nonce).Because(words.Piece("schedule/crossed-encrypted"))).Because(words.Piece("schedule/needs-resumption")))
	}
	master.Made = append(master.Made, r)

	hs.Made = append(hs.Made, words.Secret("derived-handshake", event.FromNobody, nil, master).Because(words.Piece("schedule/needs-handshake")))
	derived.Made = []event.Secret{dhe, hs}
	early.Made = append(early.Made, derived)
	return []event.Secret{
		words.Secret("client-random", event.FromWire, h.Hello.Random[:]).Because(words.Piece("schedule/client-random")),
		psk,
		early,
	}
}

func (o Schedule) quic() bool { return o.Transport == capture.TransportQUIC }

// traffic is what a traffic secret is expanded to for the records, or for the packets of QUIC,
// which has labels of its own and a key for the headers (RFC 9001 5.1).
func (o Schedule) traffic(s *keys.Suite, v []byte) []event.Secret {
	if o.quic() {
		return append(o.packets(s, v), words.Secret("quic-hp", event.FromComputed, keys.ExpandLabel(s.Hash, v, quic.LabelPrefix(o.Version)+"hp", nil, s.KeyLen)))
	}
	key, iv := keys.TrafficKeys(s, v)
	return []event.Secret{words.Secret("key", event.FromComputed, key), words.Secret("iv", event.FromComputed, iv)}
}

// packets are the key and the IV of QUIC's packets, which change with a key update; the key for
// the headers does not (RFC 9001 6.1).
func (o Schedule) packets(s *keys.Suite, v []byte) []event.Secret {
	prefix := quic.LabelPrefix(o.Version)
	return []event.Secret{
		words.Secret("quic-key", event.FromComputed, keys.ExpandLabel(s.Hash, v, prefix+"key", nil, s.KeyLen)),
		words.Secret("quic-iv", event.FromComputed, keys.ExpandLabel(s.Hash, v, prefix+"iv", nil, 12)),
	}
}

// keyUpdates are the secrets that follow v, one for each update of the keys, each below the one before.
func (o Schedule) keyUpdates(s *keys.Suite, v []byte, n, number int) []event.Secret {
	if n == 0 {
		return nil
	}
	var next []byte
	var u event.Secret
	if o.quic() {
		next = keys.ExpandLabel(s.Hash, v, quic.LabelPrefix(o.Version)+"ku", nil, len(v))
		u = words.Secret("quic-next", event.FromComputed, next, o.packets(s, next)...)
	} else {
		next = keys.NextTrafficSecret(s, v)
		u = words.Secret("next-application", event.FromComputed, next, o.traffic(s, next)...)
	}
	u.Name = words.Piece("schedule/numbered", "name", u.Name, "n", strconv.Itoa(number))
	if number == maxUpdates && n > 1 {
		u.Note = words.Piece("schedule/more-made", "n", strconv.Itoa(n-1))
		return []event.Secret{u}
	}
	u.Made = append(u.Made, o.keyUpdates(s, next, n-1, number+1)...)
	return []event.Secret{u}
}
