package annotate

import (
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/capture/handshake"
)

// hiddenFrom says what of a step an eavesdropper does not see, and why.
func (x *Explainer) hiddenFrom(c *conn, f flow, r event.Row) *event.Sentence {
	if r.Verdict == event.NotReached || slices.Contains(unseenRows, r.Says.ID) {
		return nil // of messages that were not sent, or are not in the capture, nothing can be said
	}
	id := x.hiddenID(c, f, r.Step)
	if id != "" && r.Step == event.Step4a && r.Verdict == event.Failed {
		id = "hidden-4a-inside"
		if r.Says.ID == "step-4a-failed-alert" {
			id = "hidden-4a-told-inside"
		}
	}
	if id == "" {
		return nil
	}
	h := c.main
	a := x.args(c).with(
		"clientbytes", strconv.FormatInt(c.wire[0], 10), "serverbytes", strconv.FormatInt(c.wire[1], 10),
		"clientrecords", plural(int(c.sealed[0]), "record"), "serverrecords", plural(int(c.sealed[1]), "record"),
		"clientdata", plural(int(c.wired[0]), "record"), "serverdata", plural(int(c.wired[1]), "record"),
		"host", "nowhere in clear")
	switch name := x.sni(h); {
	case name == "" && c.askedInClear() != "":
		a["host"] = "in clear in the request to the proxy (" + clip(c.askedInClear()) + ")"
	case name == "" && h.leaf[1] != nil && !h.is13():
		a["host"] = "not in the ClientHello, but the certificate of the server names hosts in clear (step 3)"
	case name != "":
		a["host"] = "in clear in the ClientHello (" + clip(name) + ")"
		if h.ch.Extension(0xfe0d) != nil {
			a["host"] += ", but it may be a cover for another one (ECH)"
		}
	}
	how := event.Inferred
	if strings.HasSuffix(id, "-inside") {
		how = event.None
	}
	says := say(id, how, a)
	return &says
}

// unseenRows are the sentences of steps whose messages are not seen, for another
// reason than that they are encrypted.
var unseenRows = []string{"step-capture-begins", "step-capture-ends", "step-not-followed", "step-left-out", "step-ports-reused", "step-one-sided", "step-hidden"}

// askedInClear is the host and port that the client asked a proxy for, "" without one.
func (c *conn) askedInClear() string {
	if c.connectHost == "" && c.startTLS != nil {
		return c.startTLS.Target
	}
	return c.connectHost
}

func (x *Explainer) hiddenID(c *conn, f flow, s event.Step) string {
	h := c.main
	switch {
	case f.id == "http":
		return "hidden-plain"
	case f.bare, c.overUDP():
		return ""
	case s == event.Step1:
		return "hidden-1"
	case x.null(c) && (s == event.Step2 || s == event.Step6b || s == event.Step7 || s == event.Step8):
		return "hidden-null"
	}
	before := f.resumed || f.agreed && !f.transport // the common secret is one that both had
	switch s {
	case event.Step2:
		switch {
		case before:
			return "hidden-2-old"
		case f.lasting:
			return "hidden-2-rsa"
		case f.signed && !h.is13():
			return "hidden-2-signed"
		case h.is13():
			return "hidden-2-tls13"
		}
	case event.Step3:
		switch {
		case h.leaf[1] != nil && !h.is13():
			return "hidden-3-clear"
		case h.is13() && x.hasCertificate(c):
			return "hidden-3-tls13"
		case f.id == "psk-dhe", h.is13() && h.sh.KeyShare() != nil:
			return "hidden-3-fresh"
		case before:
			return "hidden-nothing-sent"
		}
	case event.Step4a:
		switch {
		case h.is13() && x.hasCertificate(c):
			return "hidden-4a-tls13-inside"
		case x.hasCertificate(c):
			return "hidden-4a-inside"
		}
	case event.Step4b:
		switch {
		case f.transport:
			return "hidden-4b-rsa"
		case f.kem:
			return "hidden-4b-kem"
		case f.fresh && !f.agreed, f.id == "tls12-dh":
			return "hidden-4b-dhe"
		case f.fresh:
			return "hidden-4b-psk-dhe"
		case before:
			return "hidden-4b-old"
		}
	case event.Step4c:
		switch {
		case f.transport:
			return "hidden-4c-rsa"
		case f.kem:
			return "hidden-4c-kem"
		}
	case event.Step5:
		switch {
		case f.transport:
			return "hidden-5-rsa"
		case f.kem:
			return "hidden-5-kem"
		case f.fresh && !f.resumed && !f.agreed, f.id == "tls12-dh":
			return "hidden-5-dhe"
		case f.resumed && !f.early && f.id != "tls12-resumed-id":
			return "hidden-5-ticket"
		case f.agreed:
			return "hidden-5-psk"
		case f.early:
			return "hidden-5-early"
		}
	case event.Step6a:
		switch {
		case f.lasting, f.id == "tls12-resumed-ticket":
			return "hidden-6a-inside"
		case f.kem:
			return "hidden-6a-kem-inside"
		}
	case event.Step6b:
		if h.is13() {
			return "hidden-6b-tls13"
		}
		return "hidden-6b"
	case event.Step7:
		if c.dark[0]+c.dark[1] == 0 || !h.is13() && c.wired[0]+c.wired[1] == 0 {
			return ""
		}
		if h.is13() {
			return "hidden-7-tls13"
		}
		return "hidden-7"
	case event.Step8:
		return "hidden-8-inside"
	}
	return ""
}

// lesson is what a summary says to an eavesdropper of a connection that is encrypted.
func (x *Explainer) lesson(c *conn) []event.Sentence {
	h := c.main
	a, f := x.args(c), x.flow(c)
	out := []event.Sentence{say("eavesdropper-sees", event.Clear, a.with("seen", x.eavesdropper(c)))}
	switch {
	case !h.is13() && h.resumed:
		out = append(out, say("eavesdropper-later-resumed", event.Inferred, a))
	case !h.is13() && handshake.SuiteKeyExchange(h.sh.CipherSuite) == handshake.KeyExchangeRSA:
		out = append(out, say("eavesdropper-later-rsa", event.Inferred, a))
	case f.id == "tls12-dh":
		out = append(out, say("eavesdropper-later-dh", event.Inferred, a))
	case f.id == "psk-rsa":
		out = append(out, say("eavesdropper-later-rsa-psk", event.Inferred, a))
	case f.id == "psk", f.id == "tls13-psk":
		out = append(out, say("eavesdropper-later-psk", event.Inferred, a))
	case f.id == "tls13-0rtt":
		out = append(out, say("eavesdropper-later-early", event.Inferred, a))
	case f.id == "psk-dhe", f.id == "tls13-psk-dhe":
		out = append(out, say("eavesdropper-later-psk-dhe", event.Inferred, a))
	case f.id != "other":
		out = append(out, say("eavesdropper-later-dhe", event.Inferred, a))
	}
	if h.is13() && h.announcedEarly() && f.id != "tls13-0rtt" {
		out = append(out, say("eavesdropper-later-early-announced", event.Inferred, a))
	}
	return out
}

// hiddenSentences tell an eavesdropper what a step keeps from him.
var hiddenSentences = []entry{
	{"eavesdropper-sees", "What everybody on the path sees of this connection: {seen}. What the two sides said to each other is sealed.", []string{"8446 E.3", "8446 2"}},
	{"eavesdropper-later-rsa", "Who records this and gets the private key of {server} years later can open it then: the secret is in the recording, encrypted with one lasting key.", []string{"5246 F.1.1.2", "10015 4"}},
	{"eavesdropper-later-dhe", "Who records this and gets the private key of {server} later still cannot open it: the secret never travelled, and what it was computed from is to be thrown away after the handshake (forward secrecy).", []string{"5246 F.1.1.3", "8446 E.1"}},
	{"eavesdropper-later-resumed", "Who records this and later gets the secret of the earlier session, or the key with which {server} had sealed it into a ticket, can open it then.", []string{"5077 5", "5246 F.1.4"}},
	{"eavesdropper-later-psk", "Who records this and later gets the common secret can open it then: nothing fresh that stays secret goes into the keys.", []string{"4279 7.1", "8446 2.2"}},
	{"eavesdropper-later-rsa-psk", "Who records this and later gets both the common secret and the private key of {server} can open it then: nothing fresh that stays secret goes into the keys.", []string{"4279 4", "4279 7.1"}},
	{"eavesdropper-later-psk-dhe", "Who records this and later gets the secret that both sides had before still cannot open it: a fresh exchange goes into the keys, too, and what that was computed from is to be thrown away after the handshake (forward secrecy).", []string{"8446 2.2", "8446 E.1"}},
	{"eavesdropper-later-early-announced", "The early data that the hello announces is another matter: nothing fresh protects it, so whoever later gets the secret that the hello names can open it; and who sends the recorded first flight once more may make {server} take the request once more.", []string{"8446 2.3", "8446 8"}},
	{"eavesdropper-later-early", "Who records this and later gets the old secret can open the early data then, which nothing fresh protects; and who sends the recorded first flight once more sends the request once more.", []string{"8446 2.3", "8446 8"}},

	{"hidden-plain", "Nothing is hidden: without TLS everybody on the path reads and can change everything.", []string{"9110 4.2.1"}},
	{"hidden-null", "Nothing is hidden: this suite does not encrypt.", []string{"5246 6.2.3.1"}},
	{"hidden-nothing-sent", "Nothing is sent in this step, so there is nothing to hide.", nil},
	{"hidden-1", "Nothing of it is hidden: addresses, ports and times stand in every packet in clear, because the machines on the path need them; TLS begins above them. The name of the host stands {host}.", []string{"9293 3.1", "6066 3", "9849 1"}},
	{"hidden-2-rsa", "Hidden: whether {server} has the private key. Only its Finished shows that, and that is the first message it encrypts.", []string{"5246 7.4.9"}},
	{"hidden-2-signed", "Hidden: only the private key itself, which never leaves {server}. The signature and all that it covers are in clear; everybody on the path can check it.", []string{"5246 7.4.3"}},
	{"hidden-2-tls13", "Hidden: certificate and signature, which are encrypted with keys that come from the exchange before. So who listens cannot check who {server} is; nobody but {client} learns it.", []string{"8446 2", "8446 4.4.3", "8446 E.1"}},
	{"hidden-2-old", "Hidden: the old secret that speaks for {server}. It was never sent, and the Finished that shows that {server} has it is encrypted.", []string{"5246 F.1.4", "8446 2.2"}},
	{"hidden-3-clear", "Nothing of it is hidden: the certificate with its names and its public key is in clear, so everybody on the path learns which site this is, whatever the hello said.", []string{"5246 7.4.2"}},
	{"hidden-3-tls13", "Hidden: the certificate with its names, encrypted since TLS 1.3. In clear is only the public key for this connection, which says nothing about who sent it; the size of the encrypted flight can still give a site away.", []string{"8446 4.4.2", "8446 E.3"}},
	{"hidden-3-fresh", "Nothing of it is hidden: there is no certificate, and the public value that {server} sent for this connection is in clear. It does not say who sent it.", []string{"8446 2.2", "8446 4.2.8"}},
	{"hidden-4a-inside", "Hidden from everybody: it happens inside {client}. Who listens can only see whether {client} went on or hung up.", []string{"5246 7.2.2"}},
	{"hidden-4a-told-inside", "Hidden from everybody: what {client} checked, and how; it happens inside {client}. Not hidden is what came of it: the alert crossed the wire unencrypted.", []string{"5246 7.2.2"}},
	{"hidden-4a-tls13-inside", "Hidden from everybody: it happens inside {client}. Even the alert with which {client} would refuse is encrypted, so who listens sees a short record and an end, and must guess.", []string{"8446 6.2"}},
	{"hidden-4b-rsa", "Hidden: the 46 random bytes. They leave {client} only encrypted (step 5).", []string{"5246 7.4.7.1"}},
	{"hidden-4b-dhe", "Hidden: the private half of the key pair of {client}, which never leaves it. Nobody knows how to compute it from the public half, which is in clear.", []string{"5246 8.1.2", "8446 7.4"}},
	{"hidden-4b-psk-dhe", "Hidden: the common secret, which both had before and of which only the name is in clear; and the private half of the key pair of {client}, which never leaves it.", []string{"8446 4.2.11", "8446 7.4"}},
	{"hidden-4b-kem", "Hidden: what {server} made at random, and the private key of {client} that opens it. Neither leaves its owner in clear.", []string{"10024"}},
	{"hidden-4b-old", "Hidden: the common secret, which both had before. Only its name is in clear.", []string{"8446 4.2.11", "4279 2"}},
	{"hidden-4c-rsa", "Hidden: what was encrypted. The public key is known to everybody, but it only locks; only the private key of {server} opens.", []string{"5246 7.4.7.1", "8017 7.2"}},
	{"hidden-4c-kem", "Hidden: what was encrypted. The key of {client} with which it was done is in clear, but it only locks.", []string{"10024"}},
	{"hidden-5-rsa", "Hidden: the secret inside. In clear is the message itself, {size} bytes, which opens for nobody without the private key of {server}.", []string{"5246 7.4.7.1"}},
	{"hidden-5-dhe", "Nothing of it is hidden: it is a public value. Two public values do not give the secret; for that one needs one of the private halves.", []string{"5246 8.1.2", "8446 7.4"}},
	{"hidden-5-kem", "Hidden: the secret inside the ciphertext. The message itself is in clear.", []string{"10024"}},
	{"hidden-5-ticket", "Hidden: what the ticket means. In clear are its bytes; who sees the same ticket twice knows that both connections are of one client.", []string{"5077 5", "8446 C.4"}},
	{"hidden-5-psk", "Hidden: the common secret itself. In clear is its name, so who listens knows which connections name the same one.", []string{"8446 4.2.11", "4279 2"}},
	{"hidden-5-early", "Hidden: what the early data says. In clear are the bytes of the ticket, and that data came before {server} had answered.", []string{"8446 2.3", "8446 C.4"}},
	{"hidden-6a-inside", "Hidden from everybody: it happens inside {server}.", nil},
	{"hidden-6a-kem-inside", "Hidden from everybody: it happens inside {client}.", nil},
	{"hidden-6b", "Hidden: the keys, which both sides compute and nobody sends. In clear is that encryption begins (ChangeCipherSpec) and with which suite ({suite}).", []string{"5246 6.3", "5246 7.1"}},
	{"hidden-6b-tls13", "Hidden: the keys, which both sides compute and nobody sends. In clear is the suite ({suite}), and that everything after the ServerHello is encrypted.", []string{"8446 7.1", "8446 7.3"}},
	{"hidden-7", "Hidden: what the data says: address, headers, cookies, content. Not hidden: that it is data, how much and when: {serverdata} of data from {server} ({serverbytes} bytes), {clientdata} from {client} ({clientbytes} bytes). From sizes and times it is often guessed which page it was.", []string{"5246 6.2.3", "8446 E.3"}},
	{"hidden-7-tls13", "Hidden: what the data says, and even which records are data, handshake or alert. Not hidden: how much and when: {serverrecords} from {server} ({serverbytes} bytes), {clientrecords} from {client} ({clientbytes} bytes). From sizes and times it is often guessed which page it was.", []string{"8446 5.2", "8446 5.4", "8446 E.3"}},
	{"hidden-8-inside", "Hidden from everybody: it happens inside {client}.", nil},
}
