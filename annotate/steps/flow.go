// Package steps is the truth table: what each of the eight steps came to in a
// connection, told from a view of it that others fill in. It keeps nothing.
package steps

import (
	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/words"
)

// A kind is a row of the truth table: what is so of every connection of this kind.
type kind struct {
	verdicts [11]event.Verdict // of each step, in the order of event.Steps, in a connection that got through; step 1 depends on the port and is decided by itself
	cells    map[event.Step]cell

	cert      bool // the server shows a certificate, or a bare public key
	Transport bool // the client encrypts a secret with the server's lasting RSA key
	Lasting   bool // the server needs the private key of its certificate to get at the common secret, so that its Finished shows that it has it
	signed    bool // the server signs for this connection
	fresh     bool // both sides make key pairs for this connection, of which the public halves pass
	Resumed   bool // the common secret is one of an earlier connection
	Early     bool // data of the client came before the server had answered
	Agreed    bool // it is one that both were given otherwise
	share     bool // the client's public half stands in its ClientHello
	exchange  bool // a ClientKeyExchange carries what the client says for it
	bare      bool // there is no handshake of TLS here, or none that can be read
	Plain     bool // it is HTTP without TLS
	unread    bool // nothing of it can be read
	Odd       bool // it is of no kind that the table has

	speaks []string // the proofs of step 2: who has the server's key
	seals  []string // and of step 6b

	hides map[event.Step]string // what a step hides from who listens, of how the common secret is made
	later []string              // and what who recorded it can do later
}

// A cell is the sentence of a step that is the same for all of a kind. Where there
// is a choice, the step has none, and its function chooses.
type cell struct {
	says string
	how  event.Evidence
	at   []proof.Spot // where the messages stand that carry it
}

const (
	told, unseen, other = event.AsTold, event.Unseen, event.Differently
	absent, inherited   = event.Absent, event.Inherited
	unknown             = event.Unknown
)

var (
	bothFinished   = []string{words.ProofServerFin, words.ProofClientFin}
	serverFinished = []string{words.ProofServerFin}
)

// kinds is the truth table. The IDs are permanent.
var kinds = map[string]*kind{
	"tls12-rsa": {
		verdicts: [11]event.Verdict{told, unseen, told, unseen, other, told, told, unseen, other, told, unseen},
		cert:     true, Transport: true, Lasting: true, exchange: true,
		speaks: serverFinished,
		hides:  map[event.Step]string{event.Step4b: "hidden-4b-rsa", event.Step4c: "hidden-4c-rsa", event.Step5: "hidden-5-rsa", event.Step6a: "hidden-6a-inside"},
		later:  []string{"eavesdropper-later-rsa"},
		cells: map[event.Step]cell{
			event.Step5: {"step-5-rsa", event.Clear, []proof.Spot{proof.AtClientKey}},
		},
	},
	"psk-rsa": {
		verdicts: [11]event.Verdict{told, unseen, told, unseen, other, told, told, unseen, other, told, unseen},
		cert:     true, Transport: true, Lasting: true, exchange: true, Agreed: true,
		speaks: serverFinished,
		hides:  map[event.Step]string{event.Step4b: "hidden-4b-rsa", event.Step4c: "hidden-4c-rsa", event.Step5: "hidden-5-rsa", event.Step6a: "hidden-6a-inside"},
		later:  []string{"eavesdropper-later-rsa-psk"},
		cells: map[event.Step]cell{
			event.Step4b: {"step-4b-rsa-psk", event.Inferred, []proof.Spot{proof.AtClientKey}},
			event.Step5:  {"step-5-rsa-psk", event.Clear, []proof.Spot{proof.AtClientKey}},
		},
	},
	// An export suite, whose RSA key may be no longer than 512 bits (or 1024): where that of
	// the certificate is, the server makes a short one and signs it (RFC 2246 7.4.3).
	"tls12-rsa-export": {
		verdicts: [11]event.Verdict{told, unseen, other, unseen, other, other, told, unseen, other, told, unseen},
		cert:     true, signed: true, exchange: true,
		speaks: []string{words.ProofSKE}, seals: bothFinished,
		hides: map[event.Step]string{event.Step4b: "hidden-4b-rsa", event.Step4c: "hidden-4c-rsa-export", event.Step5: "hidden-5-rsa-export", event.Step6a: "hidden-6a-inside"},
		later: []string{"eavesdropper-later-rsa-export"},
		cells: map[event.Step]cell{
			event.Step3:  {"step-3-rsa-export", event.Clear, []proof.Spot{proof.AtCertificate, proof.AtServerKey}},
			event.Step4b: {"step-4b-rsa", event.Inferred, []proof.Spot{proof.AtClientKey}},
			event.Step4c: {"step-4c-rsa-export", event.Inferred, []proof.Spot{proof.AtClientKey}},
			event.Step5:  {"step-5-rsa-export", event.Clear, []proof.Spot{proof.AtClientKey}},
			event.Step6a: {"step-6a-rsa-export", event.Inferred, nil},
		},
	},
	"tls12-dhe":   ephemeral12,
	"tls12-ecdhe": ephemeral12,
	"tls12-dh": {
		verdicts: [11]event.Verdict{told, unseen, told, unseen, other, absent, other, other, other, told, unseen},
		cert:     true, Lasting: true, exchange: true,
		speaks: serverFinished, seals: bothFinished,
		hides: map[event.Step]string{event.Step4b: "hidden-4b-dhe", event.Step5: "hidden-5-dhe", event.Step6a: "hidden-6a-inside"},
		later: []string{"eavesdropper-later-dh"},
	},
	"tls12-anonymous": {
		verdicts: [11]event.Verdict{told, absent, other, absent, other, absent, other, absent, other, told, unseen},
		fresh:    true, exchange: true,
		seals: bothFinished, // a Finished says nothing about who made it
		hides: map[event.Step]string{event.Step4b: "hidden-4b-dhe", event.Step5: "hidden-5-dhe"},
		later: []string{"eavesdropper-later-dhe"},
		cells: map[event.Step]cell{
			event.Step2:  {"step-2-anonymous", event.Clear, nil},
			event.Step3:  {"step-3-anonymous", event.Clear, []proof.Spot{proof.AtServerKey}},
			event.Step4a: {"step-4a-anonymous", event.Clear, nil},
			event.Step4b: {"step-4b-dhe", event.Inferred, []proof.Spot{proof.AtClientKey}},
			event.Step4c: {"step-4c-absent-anonymous", event.Inferred, nil},
			event.Step5:  {"step-5-dhe", event.Clear, []proof.Spot{proof.AtClientKey}},
			event.Step6a: {"step-6a-absent-anonymous", event.Inferred, nil},
		},
	},
	"tls12-resumed-id": {
		verdicts: [11]event.Verdict{told, inherited, absent, inherited, absent, absent, absent, absent, other, told, unseen},
		Resumed:  true,
		speaks:   []string{words.ProofServerFin, words.ProofResumed}, seals: bothFinished,
		hides: map[event.Step]string{event.Step4b: "hidden-4b-old"},
		later: []string{"eavesdropper-later-resumed"},
		cells: map[event.Step]cell{
			event.Step3:  {"step-3-absent-resumed", event.Inferred, []proof.Spot{proof.AtCertificate}},
			event.Step4b: {"step-4b-absent-resumed", event.Inferred, []proof.Spot{proof.AtHello}},
			event.Step4c: {"step-4c-absent-resumed", event.Inferred, nil},
			event.Step5:  {"step-5-absent-id", event.Clear, []proof.Spot{proof.AtHello}},
			event.Step6a: {"step-6a-absent-resumed", event.Inferred, nil},
		},
	},
	"tls12-resumed-ticket": {
		verdicts: [11]event.Verdict{told, inherited, absent, inherited, absent, absent, other, other, other, told, unseen},
		Resumed:  true,
		speaks:   []string{words.ProofServerFin, words.ProofResumed}, seals: bothFinished,
		hides: map[event.Step]string{event.Step4b: "hidden-4b-old", event.Step5: "hidden-5-ticket", event.Step6a: "hidden-6a-inside"},
		later: []string{"eavesdropper-later-resumed"},
		cells: map[event.Step]cell{
			event.Step3:  {"step-3-absent-resumed", event.Inferred, []proof.Spot{proof.AtCertificate}},
			event.Step4b: {"step-4b-absent-resumed", event.Inferred, []proof.Spot{proof.AtHello}},
			event.Step4c: {"step-4c-absent-resumed", event.Inferred, nil},
			event.Step5:  {"step-5-ticket", event.Inferred, []proof.Spot{proof.AtHello}},
			event.Step6a: {"step-6a-ticket", event.Inferred, nil},
		},
	},
	"tls13-full": {
		verdicts: [11]event.Verdict{told, unseen, other, unseen, other, absent, other, absent, other, told, unseen},
		cert:     true, signed: true, fresh: true, share: true,
		speaks: []string{words.ProofServerCV, words.ProofServerFin}, seals: serverFinished,
		hides: map[event.Step]string{event.Step4b: "hidden-4b-dhe", event.Step5: "hidden-5-dhe"},
		later: []string{"eavesdropper-later-dhe"},
		cells: map[event.Step]cell{
			event.Step4b: {"step-4b-tls13", event.Inferred, []proof.Spot{proof.AtHello}},
			event.Step5:  {"step-5-tls13", event.Clear, []proof.Spot{proof.AtHello}},
		},
	},
	"tls13-mlkem": {
		verdicts: [11]event.Verdict{told, unseen, other, unseen, other, other, other, other, other, told, unseen},
		cert:     true, signed: true, fresh: true, share: true,
		speaks: []string{words.ProofServerCV, words.ProofServerFin}, seals: serverFinished,
		hides: hidesKEM,
		later: []string{"eavesdropper-later-dhe"},
		cells: map[event.Step]cell{
			event.Step4b: {"step-4b-mlkem", event.Inferred, []proof.Spot{proof.AtServerHello}},
			event.Step4c: {"step-4c-mlkem", event.Inferred, []proof.Spot{proof.AtServerHello}},
			event.Step5:  {"step-5-mlkem", event.Clear, []proof.Spot{proof.AtHello, proof.AtServerHello}},
		},
	},
	"tls13-hrr": {
		verdicts: [11]event.Verdict{told, unseen, other, unseen, other, absent, other, absent, other, told, unseen},
		cert:     true, signed: true, fresh: true, share: true,
		speaks: []string{words.ProofServerCV, words.ProofServerFin}, seals: serverFinished,
		hides: map[event.Step]string{event.Step4b: "hidden-4b-dhe", event.Step5: "hidden-5-dhe"},
		later: []string{"eavesdropper-later-dhe"},
		cells: map[event.Step]cell{
			event.Step5: {"step-5-hrr", event.Clear, []proof.Spot{proof.AtHello}},
		},
	},
	"tls13-psk-dhe": {
		verdicts: [11]event.Verdict{told, inherited, other, inherited, other, absent, other, absent, other, told, unseen},
		Resumed:  true, fresh: true, share: true,
		speaks: []string{words.ProofServerFin, words.ProofResumed}, seals: serverFinished,
		hides: map[event.Step]string{event.Step4b: "hidden-4b-psk-dhe", event.Step5: "hidden-5-ticket"},
		later: []string{"eavesdropper-later-psk-dhe"},
		cells: map[event.Step]cell{
			event.Step5: {"step-5-psk-dhe", event.Clear, []proof.Spot{proof.AtHello}},
		},
	},
	"tls13-psk": {
		verdicts: [11]event.Verdict{told, inherited, absent, inherited, absent, absent, other, absent, other, told, unseen},
		Resumed:  true,
		speaks:   []string{words.ProofServerFin, words.ProofResumed}, seals: serverFinished,
		hides: map[event.Step]string{event.Step4b: "hidden-4b-old", event.Step5: "hidden-5-ticket"},
		later: []string{"eavesdropper-later-psk"},
		cells: map[event.Step]cell{
			event.Step3:  {"step-3-absent-resumed", event.Inferred, []proof.Spot{proof.AtCertificate}},
			event.Step4b: {"step-4b-absent-resumed", event.Inferred, []proof.Spot{proof.AtHello}},
			event.Step4c: {"step-4c-absent-resumed", event.Inferred, nil},
			event.Step5:  {"step-5-psk", event.Clear, []proof.Spot{proof.AtHello}},
			event.Step6a: {"step-6a-absent-ticket13", event.Inferred, nil},
		},
	},
	"tls13-0rtt": {
		verdicts: [11]event.Verdict{told, inherited, absent, inherited, absent, absent, other, absent, other, told, unseen},
		Resumed:  true, Early: true,
		speaks: []string{words.ProofServerFin, words.ProofResumed}, seals: serverFinished,
		hides: map[event.Step]string{event.Step4b: "hidden-4b-old", event.Step5: "hidden-5-early"},
		later: []string{"eavesdropper-later-psk", "eavesdropper-later-early"},
		cells: map[event.Step]cell{
			event.Step3:  {"step-3-absent-early", event.Clear, []proof.Spot{proof.AtCertificate}},
			event.Step4b: {"step-4b-absent-early", event.Inferred, []proof.Spot{proof.AtHello}},
			event.Step4c: {"step-4c-absent-resumed", event.Inferred, nil},
			event.Step5:  {"step-5-early", event.Clear, []proof.Spot{proof.AtHello, proof.AtEarly}},
			event.Step6a: {"step-6a-absent-ticket13", event.Inferred, nil},
		},
	},
	"psk": {
		verdicts: [11]event.Verdict{told, absent, absent, absent, other, absent, other, absent, other, told, unseen},
		Agreed:   true,
		speaks:   []string{words.ProofServerFin, words.ProofResumed}, seals: bothFinished,
		hides: map[event.Step]string{event.Step4b: "hidden-4b-old", event.Step5: "hidden-5-psk"},
		later: []string{"eavesdropper-later-psk"},
		cells: map[event.Step]cell{
			event.Step2:  {"step-2-psk", event.Inferred, nil},
			event.Step3:  {"step-3-absent-psk", event.Inferred, []proof.Spot{proof.AtCertificate}},
			event.Step4a: {"step-4a-psk", event.Inferred, nil},
			event.Step4c: {"step-4c-absent-psk", event.Inferred, nil},
			event.Step5:  {"step-5-external", event.Clear, []proof.Spot{proof.AtClientPart}},
			event.Step6a: {"step-6a-absent-psk", event.Inferred, nil},
		},
	},
	"psk-dhe": {
		verdicts: [11]event.Verdict{told, absent, other, absent, other, absent, other, absent, other, told, unseen},
		Agreed:   true, fresh: true,
		speaks: []string{words.ProofServerFin, words.ProofResumed}, seals: bothFinished,
		hides: map[event.Step]string{event.Step4b: "hidden-4b-psk-dhe", event.Step5: "hidden-5-psk"},
		later: []string{"eavesdropper-later-psk-dhe"},
		cells: map[event.Step]cell{
			event.Step2:  {"step-2-psk", event.Inferred, nil},
			event.Step3:  {"step-3-psk-external", event.Clear, []proof.Spot{proof.AtServerPart}},
			event.Step4a: {"step-4a-psk", event.Inferred, nil},
			event.Step4c: {"step-4c-absent-psk", event.Inferred, nil},
			event.Step5:  {"step-5-external-dhe", event.Clear, []proof.Spot{proof.AtClientPart}},
			event.Step6a: {"step-6a-absent-psk", event.Inferred, nil},
		},
	},
	"http": {
		Plain:    true,
		verdicts: [11]event.Verdict{other, absent, absent, absent, absent, absent, absent, absent, absent, absent, absent},
		bare:     true,
	},
	"opaque": {
		verdicts: [11]event.Verdict{other, unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown},
		bare:     true,
	},
	"unknown": {
		unread:   true,
		verdicts: [11]event.Verdict{told, unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown},
		bare:     true,
	},
	"other": {
		Odd:      true,
		verdicts: [11]event.Verdict{told, unknown, unknown, unknown, unknown, unknown, unknown, unknown, other, told, unseen},
		speaks:   []string{words.ProofServerFin, words.ProofResumed}, seals: bothFinished,
	},
}

// hidesKEM is kind.hides where the server makes the secret and encrypts it to the client.
var hidesKEM = map[event.Step]string{event.Step4b: "hidden-4b-kem", event.Step4c: "hidden-4c-kem", event.Step5: "hidden-5-kem", event.Step6a: "hidden-6a-kem-inside"}

// ephemeral12 is Diffie-Hellman with key pairs for this connection, in TLS 1.2 and before.
var ephemeral12 = &kind{
	verdicts: [11]event.Verdict{told, unseen, other, unseen, other, absent, other, absent, other, told, unseen},
	cert:     true, signed: true, fresh: true, exchange: true,
	speaks: []string{words.ProofSKE}, seals: bothFinished,
	hides: map[event.Step]string{event.Step4b: "hidden-4b-dhe", event.Step5: "hidden-5-dhe"},
	later: []string{"eavesdropper-later-dhe"},
	cells: map[event.Step]cell{
		event.Step4b: {"step-4b-dhe", event.Inferred, []proof.Spot{proof.AtClientKey}},
		event.Step5:  {"step-5-dhe", event.Clear, []proof.Spot{proof.AtClientKey}},
	},
}

// placed are the packets of messages, in order.
func (c *View) placed(spots []proof.Spot) *event.Packets {
	var out proof.Place
	for _, s := range spots {
		out = Joined(out, c.Main.Where(s))
	}
	return out.Packets()
}

// earlyFresh is tls13-0rtt where the server answered with a key share: what follows the
// early data is keyed by a fresh secret too (psk_dhe_ke, RFC 8446 4.2.9).
var earlyFresh = kind{
	verdicts: [11]event.Verdict{told, inherited, other, inherited, other, absent, other, absent, other, told, unseen},
	Resumed:  true, Early: true, share: true,
	speaks: []string{words.ProofServerFin, words.ProofResumed}, seals: serverFinished,
	hides: map[event.Step]string{event.Step4b: "hidden-4b-psk-dhe", event.Step5: "hidden-5-early"},
	later: []string{"eavesdropper-later-psk-dhe", "eavesdropper-later-early"},
	cells: map[event.Step]cell{
		event.Step3:  {"step-3-early-dhe", event.Clear, []proof.Spot{proof.AtServerHello}},
		event.Step4b: {"step-4b-early-dhe", event.Inferred, []proof.Spot{proof.AtHello}},
		event.Step4c: {"step-4c-absent-resumed", event.Inferred, nil},
		event.Step5:  {"step-5-early-dhe", event.Clear, []proof.Spot{proof.AtHello, proof.AtEarly}},
		event.Step6a: {"step-6a-absent-ticket13", event.Inferred, nil},
	},
}

// earlyKEM is earlyFresh where the share of the server is a ciphertext to the client: of what follows
// the early data the server makes a part, encrypts it and sends it (RFC 10024).
var earlyKEM = kind{
	verdicts: [11]event.Verdict{told, inherited, other, inherited, other, other, other, other, other, told, unseen},
	Resumed:  true, Early: true, share: true,
	speaks: earlyFresh.speaks, seals: earlyFresh.seals, hides: earlyFresh.hides, later: earlyFresh.later,
	cells: map[event.Step]cell{
		event.Step3:  {"step-3-early-mlkem", event.Clear, []proof.Spot{proof.AtServerHello}},
		event.Step4b: earlyFresh.cells[event.Step4b],
		event.Step5:  earlyFresh.cells[event.Step5],
	},
}
