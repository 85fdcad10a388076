package steps

import (
	"cmp"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/words"
)

// Diffie-Hellman with the key in the server's certificate (DH_RSA, DH_DSS, ECDH_RSA,
// ECDH_ECDSA): the server's half is the same for every client, so nothing is signed,
// and no ServerKeyExchange is sent (RFC 5246 7.4.3). These suites were rarely used,
// and TLS 1.3 has none of them.

// rowStaticDH tells a step of such a connection.
func (c *View) rowStaticDH(a Values, r *event.Row) {
	h := c.Main
	finished, reason := h.Proved(words.ProofServerFin)
	switch r.Step {
	case event.Step2:
		r.Packets = h.At[proof.AtServerFinished].Packets()
		switch finished {
		case event.Proven:
			r.Says = words.Say("step-2-dh-finished", event.Inferred, a)
		case event.Refuted:
			r.Verdict, r.Says = event.Failed, words.Say("step-2-dh-refuted", event.Recomputed, a)
		default:
			r.Verdict, r.Says = event.Unknown, words.Say("step-2-dh-unchecked", event.None, a.With("reason", cmp.Or(reason, c.whyUnread())))
		}
	case event.Step3:
		r.Says = words.Say("step-3-dh", event.Clear, a)
	case event.Step4b, event.Step5:
		r.Packets = h.At[proof.AtClientKey].Packets()
		implicit := a.Value("clientshare").Empty() // the client's half stands in its certificate (RFC 5246 7.4.7.2)
		switch {
		case r.Step == event.Step4b && implicit:
			r.Says = words.Say("step-4b-dh-certificate", event.Inferred, a)
		case r.Step == event.Step4b:
			r.Says = words.Say("step-4b-dh", event.Inferred, a)
		case implicit:
			r.Says = words.Say("step-5-dh-certificate", event.Clear, a)
		default:
			r.Says = words.Say("step-5-dh", event.Clear, a)
		}
	case event.Step4c:
		r.Says = words.Say("step-4c-absent-dh", event.Inferred, a)
	case event.Step6a:
		r.Packets = h.At[proof.AtServerFinished].Packets()
		switch finished {
		case event.Proven:
			r.Says = words.Say("step-6a-dh-finished", event.Inferred, a)
		case event.Refuted:
			r.Verdict, r.Says = event.Failed, words.Say("step-2-dh-refuted", event.Recomputed, a)
		default:
			r.Verdict, r.Says = event.Unknown, words.Say("step-6a-dh-unchecked", event.None, a.With("reason", cmp.Or(reason, c.whyUnread())))
		}
	}
}
