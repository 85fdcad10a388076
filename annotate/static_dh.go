package annotate

import "explainer/annotate/event"

// Diffie-Hellman with the key in the server's certificate (DH_RSA, DH_DSS, ECDH_RSA,
// ECDH_ECDSA): the server's half is the same for every client, so nothing is signed,
// and no ServerKeyExchange is sent (RFC 5246 7.4.3). These suites were rarely used,
// and TLS 1.3 has none of them.

// rowStaticDH tells a step of such a connection.
func (x *Explainer) rowStaticDH(c *conn, a args, r *event.Row) {
	h := c.main
	finished, reason := h.proved(proofServerFin)
	switch r.Step {
	case event.Step2:
		r.Packets = h.at.of("sfin").packets()
		switch finished {
		case event.Proven:
			r.Says = say("step-2-dh-finished", event.Inferred, a)
		case event.Refuted:
			r.Verdict, r.Says = event.Failed, say("step-2-dh-refuted", event.Recomputed, a)
		default:
			r.Verdict, r.Says = event.Unknown, say("step-2-dh-unchecked", event.None, a.with("reason", or(reason, c.hiddenReason())))
		}
	case event.Step3:
		r.Says = say("step-3-dh", event.Clear, a)
	case event.Step4b, event.Step5:
		r.Packets = h.at.of("cke").packets()
		implicit := a["clientshare"] == "" // the client's half stands in its certificate (RFC 5246 7.4.7.2)
		switch {
		case r.Step == event.Step4b && implicit:
			r.Says = say("step-4b-dh-certificate", event.Inferred, a)
		case r.Step == event.Step4b:
			r.Says = say("step-4b-dh", event.Inferred, a)
		case implicit:
			r.Says = say("step-5-dh-certificate", event.Clear, a)
		default:
			r.Says = say("step-5-dh", event.Clear, a)
		}
	case event.Step4c:
		r.Says = say("step-4c-absent-dh", event.Inferred, a)
	case event.Step6a:
		r.Packets = h.at.of("sfin").packets()
		switch finished {
		case event.Proven:
			r.Says = say("step-6a-dh-finished", event.Inferred, a)
		case event.Refuted:
			r.Verdict, r.Says = event.Failed, say("step-2-dh-refuted", event.Recomputed, a)
		default:
			r.Verdict, r.Says = event.Unknown, say("step-6a-dh-unchecked", event.None, a.with("reason", or(reason, c.hiddenReason())))
		}
	}
}

// staticDHSentences tell the steps of Diffie-Hellman with the certificate's key.
var staticDHSentences = []entry{
	{"step-2-dh-finished", "The Finished of {server}, recomputed, fits the logged master secret. By the rules that comes from one side's private key and the other's public key, so {server} needs the private key that belongs to its certificate. No private key is recorded, so this link is not recomputed.", []string{"5246 F.1.1.3", "5246 7.4.9"}},
	{"step-2-dh-unchecked", "Whether {server} has the private key of its certificate would show in its Finished message, which only the common secret makes come out right; but this cannot be checked here: {reason}.", []string{"5246 F.1.1.3", "5246 7.4.9"}},
	{"step-2-dh-refuted", "REFUTED: the Finished message of {server} is not the checksum that the recorded secret and the recorded messages give. Nothing here shows that it has the private key of its certificate.", []string{"5246 7.4.9"}},
	{"step-3-dh", "{Server} sent its certificate in clear ({count}). The public key in it is the server's half of the common secret, the same for every client, and is not signed anew. A certificate is more than the textbook's key: it says whose key it is and who vouches for that.", []string{"5246 7.4.2", "5246 F.1.1.3"}},
	{"step-4b-dh", "By the rules {client} made a fresh key pair of the same kind as the key in the certificate; only its public half is seen. That is not the textbook's client key: the secret comes from one side's private half and the other's public half.", []string{"5246 7.4.7.2", "5246 8.1.2"}},
	{"step-4b-dh-certificate", "By the rules {client} made no key for this connection: its half of the common secret is the key in its own certificate.", []string{"5246 7.4.7.2"}},
	{"step-4c-absent-dh", "Nothing is encrypted with the server's public key: no secret travels at all. Each side combines its own private half with the other's public half and gets the same secret.", []string{"5246 F.1.1.3"}},
	{"step-5-dh", "{Client} sent {clientshare} bytes in its ClientKeyExchange message, in clear: the public half of its key. Nothing secret; but whoever gets the server's private key one day can compute the secret from an old recording and read everything.", []string{"5246 7.4.7.2", "5246 F.1.1.3"}},
	{"step-5-dh-certificate", "{Client} sent an empty ClientKeyExchange message: the public half of its key stands in its certificate.", []string{"5246 7.4.7.2"}},
	{"step-6a-dh-finished", "There is nothing to decrypt, but {server} needs the private key of its certificate here: it combines it with the public half of {client}. No message says so; its Finished, recomputed, fits the logged master secret, which by the rules comes from that.", []string{"5246 F.1.1.3", "5246 7.4.9"}},
	{"step-6a-dh-unchecked", "There is nothing to decrypt, but {server} needs the private key of its certificate here, if this is honest TLS: it combines it with the public half of {client}. Its Finished, which would show that, cannot be recomputed here: {reason}.", []string{"5246 F.1.1.3", "5246 7.4.9"}},
	{"eavesdropper-later-dh", "Who records this and gets the private key of {server} years later can open it then: with that key and what stands in the recording the secret can be computed.", []string{"5246 F.1.1.3"}},
	{"step-other-suite13", "Not told: {server} chose {suite}, a suite of TLS 1.3, which names no key exchange, for {version}, where it must name one.", []string{"8446 B.4"}},
}
