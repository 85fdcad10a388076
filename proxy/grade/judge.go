package grade

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/score"
	"explainer/annotate/words"
	"explainer/ca"
	"explainer/ca/verify"
	"explainer/capture/handshake"
)

// Judge judges what was seen of a proxy, and does nothing else.
func Judge(proxy event.Text, e *Evidence) *score.Report {
	r := &score.Report{Proxy: proxy}
	for _, l := range lines {
		out := score.Line{ID: l.id, Group: l.group}
		v := verdict{line: l}
		l.judge(e, &v)
		out.Outcome, out.Reasons, out.Tests = v.outcome, v.reasons, v.tests
		if v.outcome == score.Fail {
			out.Grade = l.grade
			if v.grade != "" {
				out.Grade = v.grade
			}
		}
		r.Lines = append(r.Lines, out)
	}
	grade(r)
	return r
}

// order is from the best grade to the worst.
var order = []score.Grade{score.AStar, score.A, score.B, score.C, score.F}

// score gives the worst grade that any line leaves.
func grade(r *score.Report) {
	r.Grade = score.A
	var because []string
	for i, l := range r.Lines {
		switch {
		case l.ID == "M5" && l.Outcome == score.Pass && r.Grade == score.A:
			r.Grade = score.AStar
		case l.Outcome == score.NotTested && lines[i].decides:
			r.Untested = append(r.Untested, l.ID)
		}
	}
	for _, l := range r.Lines {
		switch at, now := slices.Index(order, l.Grade), slices.Index(order, r.Grade); {
		case at > now:
			r.Grade, because = l.Grade, []string{l.ID}
		case at == now && l.Grade != "":
			because = append(because, l.ID)
		}
	}
	switch {
	case len(r.Untested) > 0 && r.Grade != score.F:
		r.Grade = score.None
		r.Why = words.Piece("grade-why/none", "lines", list(r.Untested))
	case r.Grade == score.AStar:
		r.Why = words.Piece("grade-why/a-star")
	case len(because) == 0:
		r.Why = words.Piece("grade-why/a")
	case r.Grade == score.B:
		r.Why = words.Piece("grade-why/b", "lines", list(because))
	case r.Grade == score.C:
		r.Why = words.Piece("grade-why/c", "lines", list(because))
	default:
		r.Why = words.Piece("grade-why/f", "lines", list(because))
	}
}

// list are names that stand as they are.
func list(names []string) event.Text { return words.List(",", words.Names(names)...) }

// A verdict is a line in the making.
type verdict struct {
	line    line
	outcome score.Outcome
	grade   score.Grade // in place of the line's
	reasons []event.Text
	tests   []score.Test
}

// is sets what came out, and a sentence on why.
func (v *verdict) is(o score.Outcome, why event.Text) {
	v.outcome = o
	v.reasons = append(v.reasons, why)
}

// because sets what came out, and why in words that are no sentence yet.
func (v *verdict) because(o score.Outcome, why event.Text) {
	v.is(o, words.Piece("grade/sentence", "text", why))
}

// worse sets the grade that a failure leaves.
func (v *verdict) worse(g score.Grade) {
	if slices.Index(order, g) > slices.Index(order, v.grade) {
		v.grade = g
	}
}

// reached tells that the origin of a control answered through the proxy.
func (t *Trial) reached() bool { return t != nil && t.Client.End == EndAnswer }

// ending tells what the client got.
func (t *Trial) ending() event.Text {
	c := t.Client
	switch c.End {
	case EndConnect:
		return words.Piece("grade/end-connect", "detail", clean(c.Detail))
	case EndCertificate:
		return words.Piece("grade/end-certificate", "detail", clean(c.Detail))
	case EndHandshake:
		return words.Piece("grade/end-handshake", "detail", clean(c.Detail))
	case EndClosed:
		return words.Piece("grade/end-closed")
	case EndPage:
		return words.Piece("grade/end-page", "status", clean(c.Detail))
	}
	return words.Piece("grade/end-answer")
}

// anyTrust are the faults that a proxy must refuse whatever roots it trusts.
var anyTrust = map[string]bool{"self-signed": true, "untrusted-root": true}

// faultOf returns the fault, weakness or control of package ca with an ID, or nil.
func faultOf(id string) *ca.Fault { return cmp.Or(ca.FaultOf(id), ca.WeaknessOf(id)) }

// controlOf is the ID of the good origin that the fault is one change away from.
func controlOf(f *ca.Fault) string {
	if f == nil || f.Control == "" {
		return "good"
	}
	return f.Control
}

// asTheyWere are the details of a finding that the client must be shown as the origin showed them.
var asTheyWere = map[string][]string{
	"rsa-short":      {"key"},
	"staple-revoked": {"revoked", "why"},
	"staple-old":     {"until"},
	"staple-not-yet": {"from"},
	"staple-refused": {"answer"},
}

// reasons are those of findings, but for some.
func reasons(found []verify.Check, but []string) (out []string) {
	for _, c := range found {
		if !slices.Contains(but, c.Reason) {
			out = append(out, c.Reason)
		}
	}
	return out
}

// otherwise tells in what the client was shown the origin's fault, and something
// better or other beside it. A certificate that is bad in a way of its own, or a page, is neither.
func (e *Evidence) otherwise(t *Trial) (said event.Text, ok bool) {
	at, shown := reasons(t.Origin.Found, nil), reasons(t.Client.Found, usual(e, faultOf(t.ID)))
	if len(shown) == 0 || slices.ContainsFunc(shown, func(r string) bool { return !slices.Contains(at, r) }) {
		return event.Text{}, false
	}
	for _, o := range t.Origin.Found {
		i := slices.IndexFunc(t.Client.Found, func(c verify.Check) bool { return c.Reason == o.Reason })
		if i < 0 {
			return words.Piece("grade/test-hidden", "reason", o.Reason, "shown", list(shown)), true
		}
		c := t.Client.Found[i]
		for _, name := range asTheyWere[o.Reason] {
			if got, want := c.Detail(name), o.Detail(name); got != want {
				return words.Piece("grade/test-otherwise", "reason", o.Reason, "what", words.Piece("grade-detail/"+name), "shown", clean(got), "origin", want), true
			}
		}
	}
	return event.Text{}, false
}

// fault judges a trial with a bad origin.
func (e *Evidence) fault(id string) score.Test {
	f, t := faultOf(id), e.trial(id)
	out := score.Test{ID: id, Outcome: score.NotTested}
	control := controlOf(f)
	if f != nil {
		out.Wrong = f.Wrong
	}
	switch {
	case t == nil:
		out.Reason = words.Piece("grade/test-missing")
	case !t.Skipped.Empty():
		out.Reason = t.Skipped
	case t.Origin.Bytes > 0:
		out.Outcome = score.Fail
		out.Reason = words.Piece("grade/test-accepted", "bytes", strconv.Itoa(t.Origin.Bytes))
	case !anyTrust[id] && !e.trial(control).reached():
		out.Reason = words.Piece("grade/test-no-control", "control", control, "end", e.trial(control).how())
	case t.Origin.Calls == 0:
		out.Reason = words.Piece("grade/test-not-called", "end", t.ending())
	default:
		out.Outcome = score.Pass
		out.Reason = words.Piece("grade/test-refused", "end", t.ending())
		if said, ok := e.otherwise(t); ok {
			out.Outcome, out.Reason = score.Fail, said
		}
	}
	return out
}

func (t *Trial) how() event.Text {
	if t == nil {
		return words.Piece("grade/test-missing")
	}
	return t.ending()
}

// faults judges a line that rests on bad origins.
func faults(e *Evidence, v *verdict) {
	var accepted, refused, untested []string
	var otherwise []event.Text
	var why event.Text
	for _, id := range v.line.faults {
		t := e.fault(id)
		v.tests = append(v.tests, t)
		switch t.Outcome {
		case score.Pass:
			refused = append(refused, id)
		case score.NotTested:
			untested = append(untested, id)
			if why.Empty() {
				why = t.Reason
			}
		case score.Fail:
			f := faultOf(id)
			if e.trial(id).Origin.Bytes == 0 {
				otherwise = append(otherwise, words.Piece("grade/fault-why", "fault", id, "why", t.Reason))
				v.worse(score.B)
				break
			}
			accepted = append(accepted, id)
			if f != nil && f.Severity == ca.Low {
				v.worse(score.B) // by itself no attack
			} else {
				v.worse(v.line.grade)
			}
		}
	}
	switch {
	case len(accepted)+len(otherwise) > 0:
		if len(accepted) > 0 {
			v.is(score.Fail, words.Piece("grade/faults-accepted", "faults", list(accepted)))
		}
		if len(otherwise) > 0 {
			v.is(score.Fail, words.Piece("grade/faults-otherwise", "faults", words.List(",", otherwise...)))
		}
		if len(refused) > 0 {
			v.reasons = append(v.reasons, words.Piece("grade/faults-but-refused", "faults", list(refused)))
		}
	case len(refused) > 0:
		v.is(score.Pass, words.Piece("grade/faults-refused", "faults", list(refused)))
	default:
		v.because(score.NotTested, why)
		return
	}
	if len(untested) > 0 {
		v.reasons = append(v.reasons, words.Piece("grade/faults-untested", "faults", list(untested), "why", why))
	}
}

// hellos returns all ClientHellos that origins got from the proxy.
func (e *Evidence) hellos() (all []*handshake.ClientHello) {
	for _, t := range e.Trials {
		all = append(all, t.Origin.Hellos...)
	}
	return all
}

// beyond returns the suites that the proxy offered to the trial's origin and the
// client did not offer to the proxy.
func (e *Evidence) beyond(t *Trial) (more []uint16) {
	var mine []uint16
	if hello := t.Client.Hello; hello != nil {
		mine = offered(hello)
	} else if good := e.trial("good"); good != nil && good.Client.Hello != nil {
		mine = offered(good.Client.Hello) // it was refused before it could say hello
	}
	for _, s := range offered(t.Origin.Hellos...) {
		if !slices.Contains(mine, s) {
			more = append(more, s)
		}
	}
	return more
}

// beyondAll returns what it offered in any trial beyond its client there.
func (e *Evidence) beyondAll() (more []uint16) {
	for _, t := range e.Trials {
		more = append(more, e.beyond(t)...)
	}
	slices.Sort(more)
	return slices.Compact(more)
}

// signalling are the values among the suites that are none (RFC 5746 3.3, RFC 7507 2).
var signalling = map[uint16]bool{0x00ff: true, 0x5600: true}

// offered returns the suites of the ClientHellos, without GREASE and signalling values.
func offered(hellos ...*handshake.ClientHello) []uint16 {
	set := map[uint16]bool{}
	for _, h := range hellos {
		for _, s := range h.CipherSuites {
			if !signalling[s] && !handshake.IsGREASE(s) {
				set[s] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

func names(suites []uint16) event.Text {
	var out []event.Text
	for i, s := range suites {
		if i == 4 {
			out = append(out, words.Piece("grade/and-more", "n", strconv.Itoa(len(suites)-i)))
			break
		}
		out = append(out, event.Plain(handshake.SuiteName(s)))
	}
	return words.List(",", out...)
}

// needHellos reports that the proxy called an origin.
func needHellos(e *Evidence, v *verdict) bool {
	if len(e.hellos()) == 0 {
		v.is(score.NotTested, words.Piece("grade/no-hello"))
		return false
	}
	return true
}

func versions(e *Evidence, v *verdict) {
	faults(e, v)
	for _, h := range e.hellos() {
		for _, version := range h.Versions() {
			if version < 0x0303 && !handshake.IsGREASE(version) {
				if v.outcome == score.Pass { // nothing comes of the offer
					v.worse(score.B)
					v.is(score.Fail, words.Piece("grade/version-offered-only", "version", handshake.VersionName(version)))
					return
				}
				v.worse(v.line.grade)
				v.is(score.Fail, words.Piece("grade/version-offered", "version", handshake.VersionName(version)))
				return
			}
		}
	}
}

func weakSuites(e *Evidence, v *verdict) {
	faults(e, v)
	if len(e.hellos()) == 0 {
		return
	}
	var none, weak []uint16
	for _, s := range e.beyondAll() {
		name := handshake.SuiteName(s)
		has := func(parts ...string) bool {
			return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(name, p) })
		}
		switch {
		case has("NULL", "EXPORT", "anon", "WITH_DES", "DES40", "RC2", "TLS_SHA256_SHA256", "TLS_SHA384_SHA384"):
			none = append(none, s)
		case has("RC4", "3DES", "IDEA"):
			weak = append(weak, s)
		}
	}
	switch {
	case len(none) > 0:
		v.worse(score.F)
		v.is(score.Fail, words.Piece("grade/suites-broken", "suites", names(none)))
	case len(weak) > 0:
		v.worse(score.C)
		v.is(score.Fail, words.Piece("grade/suites-weak", "suites", names(weak)))
	case v.outcome != score.Fail:
		if v.outcome == score.NotTested {
			v.reasons = nil // the ClientHello is enough
		}
		v.is(score.Pass, words.Piece("grade/suites-fine", "n", strconv.Itoa(len(offered(e.hellos()...)))))
	}
}

func keyTransport(e *Evidence, v *verdict) {
	if !needHellos(e, v) {
		return
	}
	lasting := func(s uint16) bool {
		switch handshake.SuiteKeyExchange(s) {
		case handshake.KeyExchangeRSA, handshake.KeyExchangeDH, handshake.KeyExchangeECDH:
			return true
		}
		return false
	}
	static := slices.DeleteFunc(e.beyondAll(), func(s uint16) bool { return !lasting(s) })
	t := e.fault("cipher-static-rsa")
	v.tests = append(v.tests, t)
	switch {
	case len(static) > 0:
		v.is(score.Fail, words.Piece("grade/static-offered", "suites", names(static)))
	case t.Outcome == score.Fail:
		v.is(score.Fail, words.Piece("grade/static-accepted"))
	case slices.ContainsFunc(offered(e.hellos()...), lasting):
		v.is(score.Pass, words.Piece("grade/static-as-client"))
	default:
		v.is(score.Pass, words.Piece("grade/static-none"))
	}
}

func compression(e *Evidence, v *verdict) {
	if !needHellos(e, v) {
		return
	}
	for _, h := range e.hellos() {
		for _, m := range h.CompressionMethods {
			if m != 0 {
				v.is(score.Fail, words.Piece("grade/compression-offered", "method", handshake.CompressionMethodName(m)))
				return
			}
		}
	}
	v.is(score.Pass, words.Piece("grade/compression-none"))
}

func weakGroups(e *Evidence, v *verdict) {
	if !needHellos(e, v) {
		return
	}
	for _, s := range offered(e.hellos()...) {
		if k := handshake.SuiteKeyExchange(s); k == handshake.KeyExchangeDHE || k == handshake.KeyExchangeDHEPSK {
			v.is(score.NotTested, words.Piece("grade/dhe-offered", "suite", handshake.SuiteName(s)))
			return
		}
	}
	v.is(score.Pass, words.Piece("grade/dhe-none"))
}

func sentinel(e *Evidence, v *verdict) {
	if t := e.trial("downgrade-sentinel"); t != nil && len(t.Origin.Hellos) > 0 && !slices.Contains(t.Origin.Hellos[0].Versions(), 0x0304) {
		v.is(score.NotTested, words.Piece("grade/sentinel-no-tls13"))
		return
	}
	faults(e, v)
}

// x25519mlkem768 is the hybrid group of draft-ietf-tls-ecdhe-mlkem.
const x25519mlkem768 = 0x11ec

func postQuantum(e *Evidence, v *verdict) {
	t := e.trial("good")
	switch {
	case t == nil || t.Client.Hello == nil || len(t.Origin.Hellos) == 0:
		v.is(score.NotTested, words.Piece("grade/no-hello"))
	case !slices.Contains(t.Client.Hello.Groups(), x25519mlkem768):
		v.is(score.NotTested, words.Piece("grade/pq-client-not"))
	case slices.Contains(t.Origin.Hellos[0].Groups(), x25519mlkem768):
		v.is(score.Pass, words.Piece("grade/pq-offered"))
	default:
		v.is(score.Fail, words.Piece("grade/pq-dropped"))
	}
}

func renegotiation(e *Evidence, v *verdict) {
	t := e.trial(trialAgain)
	if t == nil || t.Origin.Ask == "" {
		v.is(score.NotTested, words.Piece("grade/ask-not", "end", t.how()))
		return
	}
	switch t.Origin.Ask {
	case askedAgain:
		safe := true
		for _, h := range t.Origin.Hellos {
			safe = safe && (h.Extension(0xff01) != nil || slices.Contains(h.CipherSuites, 0x00ff))
		}
		if !safe {
			v.is(score.Fail, words.Piece("grade/ask-unsafe"))
			return
		}
		switch t.Origin.Another {
		case anotherTaken:
			v.is(score.Fail, words.Piece("grade/ask-another"))
		case anotherRefused:
			v.is(score.Pass, words.Piece("grade/ask-bound"))
		default:
			v.is(score.Pass, words.Piece("grade/ask-done"))
		}
	case askedAlert:
		v.is(score.Pass, words.Piece("grade/ask-alert"))
	case askedClosed:
		v.is(score.Pass, words.Piece("grade/ask-closed"))
	case askedIgnored:
		v.is(score.Pass, words.Piece("grade/ask-ignored"))
	}
}

func mirroredVersion(e *Evidence, v *verdict) {
	if t := e.trial(trialTLS12); !t.reached() {
		v.because(score.NotTested, words.Piece("grade/test-no-control", "control", trialTLS12, "end", t.how()))
		return
	}
	n := 0
	for _, t := range e.Trials {
		if t.Client.Version == 0 || t.Origin.Version == 0 {
			continue
		}
		n++
		if t.Client.Version > t.Origin.Version {
			v.is(score.Fail, words.Piece("grade/version-upgraded", "client", handshake.VersionName(t.Client.Version), "origin", handshake.VersionName(t.Origin.Version)))
			return
		}
	}
	v.is(score.Pass, words.Piece("grade/version-mirrored", "n", strconv.Itoa(n)))
}

func mirroredALPN(e *Evidence, v *verdict) {
	h1, h2 := e.trial("good"), e.trial(trialH2)
	if !h1.reached() || !h2.reached() {
		v.because(score.NotTested, words.Piece("grade/test-no-control", "control", trialH2, "end", h2.how()))
		return
	}
	same := func(t *Trial) bool {
		one := func(s string) string {
			if s == "" {
				return "http/1.1"
			}
			return s
		}
		return one(t.Client.ALPN) == one(t.Origin.ALPN)
	}
	switch {
	case !same(h1) || !same(h2):
		t := h2
		if !same(h1) {
			t = h1
		}
		v.is(score.Fail, words.Piece("grade/alpn-differs", "client", orNone(t.Client.ALPN), "origin", orNone(t.Origin.ALPN)))
	case h2.Client.ALPN != "h2":
		v.is(score.Fail, words.Piece("grade/alpn-no-h2"))
	default:
		v.is(score.Pass, words.Piece("grade/alpn-mirrored"))
	}
}

func orNone(s string) event.Text {
	if s == "" {
		return words.Piece("grade/nothing")
	}
	return event.Plain(s)
}

// keyKind is a public key as a report names it.
func keyKind(public any) event.Text {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return words.Piece("grade/rsa", "bits", strconv.Itoa(k.N.BitLen()))
	case *ecdsa.PublicKey:
		return event.Plain("ECDSA " + k.Curve.Params().Name)
	}
	return event.Plain(fmt.Sprintf("%T", public))
}

func mirroredLeaf(e *Evidence, v *verdict) {
	ec, weak, two := e.trial("good"), e.trial("good-rsa"), e.trial(trialNames)
	for _, t := range []*Trial{ec, weak, two} {
		if !t.reached() || t.Client.Leaf == nil {
			v.because(score.NotTested, words.Piece("grade/test-no-control", "control", "good", "end", t.how()))
			return
		}
	}
	bad := false
	if ec.Client.Leaf.PublicKeyAlgorithm != x509.ECDSA {
		bad = true
		v.is(score.Fail, words.Piece("grade/leaf-key", "origin", "ECDSA P-256", "leaf", keyKind(ec.Client.Leaf.PublicKey)))
	}
	if k, ok := weak.Client.Leaf.PublicKey.(*rsa.PublicKey); !ok || k.N.BitLen() != 2048 {
		bad = true
		v.is(score.Fail, words.Piece("grade/leaf-key", "origin", words.Piece("grade/rsa", "bits", "2048"), "leaf", keyKind(weak.Client.Leaf.PublicKey)))
	}
	got := namesOf(two.Client.Leaf)
	if want := []string{hostName, secondName}; !slices.Equal(got, want) {
		bad = true
		v.is(score.Fail, words.Piece("grade/leaf-names", "origin", strings.Join(want, ", "), "leaf", clean(strings.Join(got, ", "))))
	}
	if !bad {
		v.is(score.Pass, words.Piece("grade/leaf-mirrored"))
	}
}

// namesOf are the names and addresses of a certificate, sorted.
func namesOf(c *x509.Certificate) []string {
	all := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	slices.Sort(all)
	return all
}

// certificateWords are what a page about a certificate cannot do without.
var certificateWords = []string{"certificate", "x509", "tls", "ssl"}

func conveyed(e *Evidence, v *verdict) {
	var certificates, pages, refusals, silent int
	var example event.Text
	for _, l := range lines {
		if l.group != score.Certificates {
			continue
		}
		for _, id := range l.faults {
			t := e.trial(id)
			if f := faultOf(id); f == nil || f.Handshake || t == nil || t.Origin.Calls == 0 || t.Origin.Bytes > 0 {
				continue
			}
			body := strings.ToLower(t.Client.Body)
			switch {
			case t.Client.End == EndCertificate:
				certificates++
			case t.Client.End == EndConnect && t.Client.Status >= 400:
				refusals++
			case t.Client.End == EndPage && t.Client.Status >= 400 && slices.ContainsFunc(certificateWords, func(w string) bool { return strings.Contains(body, w) }):
				pages++
			default:
				silent++
				if example.Empty() {
					example = words.Piece("grade/example", "id", id, "end", t.ending())
				}
			}
		}
	}
	switch {
	case certificates+pages+refusals+silent == 0:
		v.is(score.NotTested, words.Piece("grade/conveyed-nothing"))
	case silent > 0:
		v.is(score.Fail, words.Piece("grade/conveyed-not", "certificates", strconv.Itoa(certificates), "pages", strconv.Itoa(pages), "refusals", strconv.Itoa(refusals), "silent", strconv.Itoa(silent), "example", example))
	default:
		v.is(score.Pass, words.Piece("grade/conveyed", "certificates", strconv.Itoa(certificates), "pages", strconv.Itoa(pages), "refusals", strconv.Itoa(refusals)))
	}
}

func mirroredSuites(e *Evidence, v *verdict) {
	tested := false
	for _, id := range []string{"good", trialNarrow, trialOld, trialOne} {
		t := e.trial(id)
		if t == nil || t.Client.Hello == nil || len(t.Origin.Hellos) == 0 {
			continue
		}
		tested = true
		if more := e.beyond(t); len(more) > 0 {
			n := words.Piece("grade/one-suite")
			if all := len(offered(t.Client.Hello)); all != 1 {
				n = words.Piece("grade/suites", "n", strconv.Itoa(all))
			}
			v.is(score.Fail, words.Piece("grade/suites-more", "n", n, "more", names(more)))
			return
		}
	}
	if !tested {
		v.is(score.NotTested, words.Piece("grade/no-hello"))
		return
	}
	v.is(score.Pass, words.Piece("grade/suites-mirrored"))
}

// strength is a suite's kind of key exchange and of cipher, better ones greater.
func strength(suite, group uint16) (exchange, cipher int) {
	switch handshake.SuiteKeyExchange(suite) {
	case handshake.KeyExchangeRSA, handshake.KeyExchangeDH, handshake.KeyExchangeECDH:
	default:
		exchange = 1
		if strings.Contains(handshake.GroupName(group), "MLKEM") {
			exchange = 2
		}
	}
	if name := handshake.SuiteName(suite); !strings.Contains(name, "CBC") {
		cipher = 1
	}
	return exchange, cipher
}

func mirroredStrength(e *Evidence, v *verdict) {
	if t := e.trial(trialCBC); !t.reached() {
		v.because(score.NotTested, words.Piece("grade/test-no-control", "control", trialCBC, "end", t.how()))
		return
	}
	n := 0
	named := func(suite, group uint16) event.Text {
		if group == 0 {
			return event.Plain(handshake.SuiteName(suite))
		}
		return words.Piece("grade/suite-with", "suite", handshake.SuiteName(suite), "group", handshake.GroupName(group))
	}
	for _, t := range e.Trials {
		if !t.reached() {
			continue
		}
		n++
		c, o := t.Client, t.Origin
		exchange, cipher := strength(c.Suite, c.Group)
		if most, best := strength(o.Suite, o.Group); exchange > most || cipher > best {
			v.is(score.Fail, words.Piece("grade/strength-better", "client", named(c.Suite, c.Group), "origin", named(o.Suite, o.Group)))
			return
		}
	}
	v.is(score.Pass, words.Piece("grade/strength-same", "n", strconv.Itoa(n)))
}

func hsts(e *Evidence, v *verdict) {
	t := e.trial("good")
	switch {
	case !t.reached():
		v.because(score.NotTested, words.Piece("grade/test-no-control", "control", "good", "end", t.how()))
	case slices.Equal(t.Client.HSTS, []string{hstsValue}):
		v.is(score.Pass, words.Piece("grade/hsts-same"))
	default:
		v.is(score.Fail, words.Piece("grade/hsts-changed", "sent", hstsValue, "got", orNone(clean(strings.Join(t.Client.HSTS, ", ")))))
	}
}

func altSvc(e *Evidence, v *verdict) {
	t := e.trial("good")
	switch {
	case !t.reached():
		v.because(score.NotTested, words.Piece("grade/test-no-control", "control", "good", "end", t.how()))
	case slices.Equal(t.Client.AltSvc, []string{altSvcValue}):
		v.is(score.Pass, words.Piece("grade/alt-svc-same"))
	default:
		v.is(score.NotTested, words.Piece("grade/alt-svc-changed", "got", orNone(clean(strings.Join(t.Client.AltSvc, ", ")))))
	}
}

func publishedKey(e *Evidence) (owner string, ok bool) {
	for _, c := range e.CA {
		if owner, ok := verify.PublishedKey(c.RawSubjectPublicKeyInfo); ok {
			return owner, true
		}
	}
	return "", false
}

func uniqueCA(e *Evidence, v *verdict) {
	if owner, ok := publishedKey(e); ok {
		v.is(score.Fail, words.Piece("grade/ca-published", "owner", owner))
		return
	}
	o := e.Own
	if o == nil {
		v.is(score.NotTested, words.Piece("grade/ca-unknown"))
		return
	}
	switch {
	case !o.SecondDiffers:
		v.is(score.Fail, words.Piece("grade/ca-same"))
	case !o.HasModes:
		v.is(score.NotTested, words.Piece("grade/ca-no-modes"))
	case o.KeyMode.Perm()&0o077 != 0 || o.FolderMode.Perm()&0o077 != 0 || !o.RefusesLoose:
		v.is(score.Fail, words.Piece("grade/ca-readable", "key", fmt.Sprintf("%04o", o.KeyMode.Perm()), "folder", fmt.Sprintf("%04o", o.FolderMode.Perm())))
	default:
		v.is(score.Pass, words.Piece("grade/ca-own", "key", fmt.Sprintf("%04o", o.KeyMode.Perm()), "folder", fmt.Sprintf("%04o", o.FolderMode.Perm())))
	}
}

// leaves are the different certificates that the proxy showed.
func (e *Evidence) leaves() (all []*x509.Certificate) {
	for _, t := range e.Trials {
		if l := t.Client.Leaf; l != nil && !slices.ContainsFunc(all, l.Equal) {
			all = append(all, l)
		}
	}
	return all
}

func leafKeys(e *Evidence, v *verdict) {
	all := e.leaves()
	if len(all) == 0 {
		v.is(score.NotTested, words.Piece("grade/leaf-none"))
		return
	}
	for _, l := range all {
		for _, c := range e.CA {
			if bytes.Equal(l.RawSubjectPublicKeyInfo, c.RawSubjectPublicKeyInfo) {
				v.is(score.Fail, words.Piece("grade/leaf-has-ca-key", "names", clean(strings.Join(namesOf(l), ", "))))
				return
			}
		}
	}
	v.is(score.Pass, words.Piece("grade/leaf-keys", "n", strconv.Itoa(len(all))))
}

// serialBits is what 64 random bits reach but once in 256 times.
const serialBits = 56

func serials(e *Evidence, v *verdict) {
	all := e.leaves()
	if len(all) < 2 {
		v.is(score.NotTested, words.Piece("grade/serial-few", "n", strconv.Itoa(len(all))))
		return
	}
	longest := 0
	var sorted []*big.Int
	for _, l := range all {
		longest = max(longest, l.SerialNumber.BitLen())
		sorted = append(sorted, l.SerialNumber)
	}
	slices.SortFunc(sorted, (*big.Int).Cmp)
	near := big.NewInt(1 << 32)
	for i := 1; i < len(sorted); i++ {
		gap := new(big.Int).Sub(sorted[i], sorted[i-1])
		switch {
		case gap.Sign() == 0:
			v.is(score.Fail, words.Piece("grade/serial-twice", "serial", sorted[i].Text(16)))
			return
		case gap.Cmp(near) < 0:
			v.is(score.Fail, words.Piece("grade/serial-near", "a", sorted[i-1].Text(16), "b", sorted[i].Text(16)))
			return
		}
	}
	if longest < serialBits {
		v.is(score.Fail, words.Piece("grade/serial-short", "bits", strconv.Itoa(longest)))
		return
	}
	v.is(score.Pass, words.Piece("grade/serial-random", "n", strconv.Itoa(len(all)), "bits", strconv.Itoa(longest)))
}

// longestCA is what browsers allow a public leaf at most; a CA that is trusted on
// a few machines has no reason to live longer than what it signs.
const longestCA = 398 * 24 * time.Hour

func lifetime(e *Evidence, v *verdict) {
	if len(e.CA) == 0 {
		v.is(score.NotTested, words.Piece("grade/ca-none"))
		return
	}
	c := e.CA[0]
	life := c.NotAfter.Sub(c.NotBefore)
	days := strconv.Itoa(int(life.Hours() / 24))
	if life > longestCA {
		v.is(score.Fail, words.Piece("grade/ca-long", "days", days, "until", c.NotAfter.UTC().Format(time.DateOnly)))
		return
	}
	v.is(score.Pass, words.Piece("grade/ca-short", "days", days, "until", c.NotAfter.UTC().Format(time.DateOnly)))
}

func constrained(e *Evidence, v *verdict) {
	if len(e.CA) == 0 {
		v.is(score.NotTested, words.Piece("grade/ca-none"))
		return
	}
	c := e.CA[0]
	if len(c.PermittedDNSDomains) > 0 {
		v.is(score.Pass, words.Piece("grade/ca-constrained", "names", clean(strings.Join(c.PermittedDNSDomains, ", "))))
		return
	}
	v.is(score.Fail, words.Piece("grade/ca-unconstrained"))
}

func recordings(e *Evidence, v *verdict) {
	switch o := e.Own; {
	case o == nil:
		v.is(score.NotTested, words.Piece("grade/recordings-unknown"))
	case !o.HasModes:
		v.is(score.NotTested, words.Piece("grade/recording-no-modes"))
	case o.RecordingMode.Perm()&0o077 != 0:
		v.is(score.Fail, words.Piece("grade/recording-readable", "mode", fmt.Sprintf("%04o", o.RecordingMode.Perm())))
	default:
		v.is(score.Pass, words.Piece("grade/recording-private", "mode", fmt.Sprintf("%04o", o.RecordingMode.Perm())))
	}
}

func loopback(e *Evidence, v *verdict) {
	switch n := e.Network; {
	case len(n.Opened) > 0:
		v.is(score.Fail, words.Piece("grade/listens-open", "addrs", list(n.Opened)))
	case len(n.Tried) == 0:
		v.is(score.NotTested, words.Piece("grade/listens-no-address"))
	default:
		v.is(score.Pass, words.Piece("grade/listens-closed", "addrs", list(n.Tried)))
	}
}

func byAddress(e *Evidence, v *verdict) {
	if t := e.trial("good-ip-san"); t != nil && !t.reached() && e.trial("good").reached() {
		v.is(score.Fail, words.Piece("grade/address-refused", "end", t.ending()))
		v.worse(score.B)
		return
	}
	faults(e, v)
}

func never(id string) func(*Evidence, *verdict) {
	return func(_ *Evidence, v *verdict) { v.is(score.NotTested, words.Piece(id)) }
}
