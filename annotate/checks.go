package annotate

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/proof"
	"explainer/annotate/steps"
	"explainer/annotate/words"
	"explainer/ca/verify"
	"explainer/capture"
	"explainer/capture/handshake"
)

// authorities are the roots that a recording of our own names, which no machine's store has.
type authorities struct {
	own, sites, file [][]byte // DER: the proxy's own CA; that of its built-in sites; those of --origin-ca and of variables such as SSL_CERT_FILE
	roots            map[string]*verify.Roots
	names            map[string]event.Text // of these roots
}

// maxAuthorities bounds each list; a recording is a file that anybody can write.
const maxAuthorities = 256

// note takes a root from a fact.
func (a *authorities) note(f *capture.Fact) {
	list := map[string]*[][]byte{"own-ca": &a.own, "built-in": &a.sites, "file": &a.file}[f.Addr]
	if list != nil && len(*list) < maxAuthorities && len(f.Data) > 0 {
		*list = append(*list, f.Data)
		a.roots = nil
	}
}

// rootsFor are the roots that a connection's server is checked against. The story
// names them, because the client's own are not in any capture.
func (x *Explainer) rootsFor(c *conn) *verify.Roots {
	a := &x.authorities
	// In a tunnel that the proxy does not open the origin answers, on both legs.
	origin := c.Leg == capture.LegOrigin || c.Pass != nil
	site := ownSite(c.session.host)
	var name event.Text
	var with func() *verify.Roots
	switch {
	case c.Leg == capture.LegBrowser && !origin && len(a.own) > 0:
		name = words.Piece("roots-name/own")
		with = func() *verify.Roots { return verify.NewRoots(name.English, a.own...) }
	case origin && site && len(a.sites) > 0:
		name = words.Piece("roots-name/sites")
		with = func() *verify.Roots { return verify.NewRoots(name.English, a.sites...) }
	case origin && len(a.file) > 0 && x.Roots != nil:
		name = words.Piece("roots-name/with-file", "roots", x.rootsName(x.Roots))
		with = func() *verify.Roots { return x.Roots.With(name.English, a.file...) }
	default:
		return x.Roots
	}
	r := a.roots[name.English]
	if r == nil {
		r = with()
		if a.roots == nil {
			a.roots, a.names = make(map[string]*verify.Roots), make(map[string]event.Text)
		}
		a.roots[name.English], a.names[name.English] = r, name
	}
	return r
}

// rootsName is what roots are called.
func (x *Explainer) rootsName(r *verify.Roots) event.Text {
	switch {
	case r == nil:
		return event.Text{}
	case r == x.Roots && !x.RootsName.Empty():
		return x.RootsName
	}
	return cmp.Or(x.authorities.names[r.Name], event.Plain(r.Name))
}

// maxChecked bounds how many chains' checks are remembered: a proxy sees the same ones again and again.
const maxChecked = 256

type checkedChains struct {
	by    map[[32]byte][]*proof.Checked
	order [][32]byte
}

// checks makes the checks of a chain, or finds that they were made for a time at which the same comes out.
func (x *Explainer) checks(in verify.Input) *proof.Checked {
	h := sha256.New()
	put := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b))))
		h.Write(b)
	}
	for _, der := range in.Chain {
		put(der)
	}
	put([]byte{byte(in.Purpose), byte(in.Stapling), byte(in.Use), byte(len(x.authorities.own))})
	put([]byte(in.Name))
	if in.Roots != nil {
		put([]byte(in.Roots.Name))
		put([]byte{byte(len(x.authorities.file)), byte(len(x.authorities.sites)), byte(len(in.Denied))})
	}
	put(in.Staple)
	for _, s := range in.SCTs {
		put(s)
	}
	key := [32]byte(h.Sum(nil))
	now := in.Time.UTC().Truncate(time.Second)
	for _, k := range x.checked.by[key] {
		if !now.Before(k.Result.From) && (k.Result.Until.IsZero() || now.Before(k.Result.Until)) {
			return k
		}
	}
	k := tellChecks(verify.Chain(in), in, x.rootsName(in.Roots))
	if x.checked.by == nil {
		x.checked.by = make(map[[32]byte][]*proof.Checked)
	}
	if _, ok := x.checked.by[key]; !ok {
		if len(x.checked.order) >= maxChecked {
			delete(x.checked.by, x.checked.order[0])
			x.checked.order = x.checked.order[1:]
		}
		x.checked.order = append(x.checked.order, key)
	}
	if have := x.checked.by[key]; len(have) < 8 {
		x.checked.by[key] = append(have, k)
	}
	return k
}

// checkChain checks the chain of a Certificate message as of its time.
func (x *Explainer) checkChain(c *conn, h *proof.Handshake, e *event.Event, b *handshake.Certificate, side int) {
	if rawKeys(h, side) {
		return // not certificates but bare keys (RFC 7250)
	}
	in := verify.Input{Time: at(c.now)}
	for _, entry := range b.Entries {
		in.Chain = append(in.Chain, entry.Data)
	}
	for _, ext := range b.Entries[0].Extensions {
		switch v := ext.Value.(type) {
		case handshake.SCTs:
			in.SCTs = v
		case handshake.StatusResponse:
			in.Staple = v
		}
	}
	if side == 0 {
		in.Purpose, in.Roots, in.Use = verify.Client, x.ClientRoots, verify.Signed // RFC 5246 7.4.8
	} else {
		in.Name, in.Roots, in.Stapling, in.Use = x.nameAsked(c, h), x.rootsFor(c), stapling(h), keyUse(h)
		if h.ServerHello != nil && !h.Is13() {
			if ext := h.ServerHello.Extension(handshake.ExtSCT); ext != nil {
				if v, ok := ext.Value.(handshake.SCTs); ok {
					in.SCTs = v
				}
			}
		}
		if c.Leg == capture.LegOrigin || c.Pass != nil {
			in.Denied = map[[32]byte]string{}
			for _, der := range x.authorities.own {
				if key, ok := verify.Key(der); ok {
					in.Denied[key] = "this proxy's own CA"
				}
			}
		}
		h.Asked = &in
	}
	k := x.checks(in)
	e.Checks = k.Checks
	e.Brief = words.List(";", e.Brief, k.Brief)
	h.Sides[side].Checked = k
	if side == 1 {
		e.Says = append(e.Says, x.nameCompared(h, x.args(c))...)
	}
	e.Says = append(e.Says, k.Says)
	if sh := h.ServerHello; side == 1 && sh != nil && !h.Is13() && (sh.Extension(handshake.ExtStatusRequest) != nil || sh.Extension(handshake.ExtStatusRequestV2) != nil) {
		e.Says = append(e.Says, words.Say("certificate-checks-open", event.Clear, x.args(c)))
	}
}

// checkStaple completes the checks with the OCSP response that comes in a message of its own.
func (x *Explainer) checkStaple(h *proof.Handshake, e *event.Event, staple []byte) {
	if h.Asked == nil || h.Sides[1].Checked == nil {
		return
	}
	in := *h.Asked
	in.Staple, in.Stapling = staple, verify.StapleAsked
	h.Asked = nil
	k := x.checks(in)
	h.Sides[1].Checked = k
	for _, check := range k.Checks {
		if check.ID == verify.IDStaple || check.ID == verify.IDSCT {
			e.Checks = append(e.Checks, check)
		}
	}
	e.Says = append(e.Says, words.Say("certificate-checks-later", event.Recomputed, words.Args{"outcome": words.Clause(e.Checks[0].Says)}))
}

// rawKeys tells whether this side sends bare public keys (certificate type 2, RFC 7250 3).
func rawKeys(h *proof.Handshake, side int) bool {
	id := [2]uint16{handshake.ExtClientCertificateType, handshake.ExtServerCertificateType}[side]
	var ext *handshake.Extension
	if h.Encrypted != nil {
		ext = h.Encrypted.Extension(id)
	} else if h.ServerHello != nil {
		ext = h.ServerHello.Extension(id)
	}
	if ext == nil {
		return false
	}
	types, _ := ext.Value.(handshake.CertificateTypes)
	return slices.Contains(types, 2)
}

// stapling is what the hellos say about a stapled response (RFC 6066 8, RFC 8446 4.4.2.1).
func stapling(h *proof.Handshake) verify.Stapling {
	switch {
	case h.Hello == nil:
		return verify.StapleUnknown
	case h.Hello.Extension(handshake.ExtStatusRequest) == nil:
		return verify.StapleNotAsked
	case h.ServerHello != nil && !h.Is13() && h.ServerHello.Extension(handshake.ExtStatusRequest) != nil:
		return verify.StapleLater
	}
	return verify.StapleAsked
}

// keyUse is what the server's key does in the handshake that the hellos agreed on.
func keyUse(h *proof.Handshake) verify.Use {
	switch {
	case h.ServerHello == nil:
		return verify.UseUnknown
	case h.Is13():
		return verify.Signed
	case h.Suite() != nil && h.Suite().Export: // it may sign a second, shorter key (RFC 2246 7.4.3)
		return verify.UseUnknown
	}
	switch handshake.SuiteKeyExchange(h.ServerHello.CipherSuite) {
	case handshake.KeyExchangeRSA:
		return verify.Decrypted
	case handshake.KeyExchangeDHE, handshake.KeyExchangeECDHE:
		return verify.Signed
	}
	return verify.UseUnknown
}

// nameAsked is the name that the client asked for, as far as it is known.
func (x *Explainer) nameAsked(c *conn, h *proof.Handshake) string {
	if name := h.ServerName(); name != "" {
		if h.MayBeCover() && h.Sides[1].Leaf != nil && !h.Sides[1].Leaf.Covers(name) {
			return ""
		}
		return name
	}
	for _, target := range []string{c.Asked, c.ConnectHost} {
		if target != "" {
			name, _, _ := steps.SplitHostPort(target)
			return name
		}
	}
	return ""
}

// maxWhy is how many reasons the line about a certificate has; the sentence has them all.
const maxWhy = 2

// tellChecks puts the checks into words. Those that passed are told once for all certificates.
func tellChecks(r *verify.Result, in verify.Input, roots event.Text) *proof.Checked {
	k := &proof.Checked{Result: r}
	base := words.Args{"roots": cmp.Or(roots, words.Phrase(words.Roots, "none", ""))}
	counts := map[verify.Outcome]int{}
	var why []event.Text // of those that failed, in a few words
	var reasons []string
	for i := 0; i < len(r.Checks); {
		id := r.Checks[i].ID
		end := i
		for end < len(r.Checks) && r.Checks[end].ID == id {
			end++
		}
		var passed []verify.Check
		for _, check := range r.Checks[i:end] {
			if check.Outcome == verify.OK {
				passed = append(passed, check)
				continue
			}
			out := event.Check{ID: id, Outcome: string(check.Outcome), Reason: check.Reason, Details: fieldsOf(check.Details)}
			if check.Cert > 0 {
				out.Certs = []int{check.Cert}
			}
			out.Says = words.Say("check-"+check.Reason, event.Recomputed, checkArgs(base, r, in, check))
			counts[check.Outcome]++
			if check.Outcome == verify.Failed {
				if says := words.Clause(out.Says); !slices.ContainsFunc(k.Failed, says.Same) {
					k.Failed = append(k.Failed, says)
				}
				if !slices.Contains(reasons, check.Reason) {
					reasons = append(reasons, check.Reason)
					why = append(why, words.Reason(check.Reason, clip(in.Name), clip(check.Detail("missing"))))
				}
			}
			k.Checks = append(k.Checks, out)
		}
		if len(passed) > 0 {
			counts[verify.OK]++
			k.Checks = append(k.Checks, tellPassed(base, r, in, passed))
		}
		i = end
	}
	for i := range k.Checks {
		fixFields(k.Checks[i].Details)
	}
	counted := []event.Text{words.Piece("checks/passed", "n", strconv.Itoa(counts[verify.OK]))}
	for _, n := range []struct {
		outcomes []verify.Outcome
		what     string
	}{{[]verify.Outcome{verify.Failed}, "checks/failed"}, {[]verify.Outcome{verify.Warned}, "checks/warned"}, {[]verify.Outcome{verify.NotChecked, verify.NotReached}, "checks/not-checked"}} {
		sum := 0
		for _, o := range n.outcomes {
			sum += counts[o]
		}
		if sum > 0 {
			counted = append(counted, words.Piece(n.what, "n", strconv.Itoa(sum)))
		}
	}
	outcome := words.List(",", counted...)
	k.Counts, k.Why = outcome, why
	base = base.With("counts", outcome, "failed", words.List(";", k.Failed...))
	brief := outcome
	if len(k.Failed) > 0 {
		brief = words.Piece("checks/failed", "n", strconv.Itoa(counts[verify.Failed]))
		k.Counts = words.Piece("checks/failed-one", "failed", brief, "why", why[0])
		if len(why) > 1 {
			k.Counts = words.Piece("checks/failed-first", "failed", brief, "why", why[0])
		}
		rest := words.List(",", slices.Delete(slices.Clone(counted), 1, 2)...)
		if len(why) <= maxWhy {
			outcome = words.Piece("checks/failed-why", "failed", brief, "why", words.List(";", why...), "rest", rest)
		} else {
			outcome = words.Piece("checks/failed-why-more", "failed", brief, "why", words.List(";", why[:maxWhy]...), "rest", rest)
		}
		k.Says = words.Say("certificate-checks-failed", event.Recomputed, base)
	} else {
		k.Says = words.Say("certificate-checks", event.Recomputed, base)
	}
	k.Brief, k.Outcome = words.Piece("checks/brief", "outcome", brief), outcome
	return k
}

// tellPassed tells a check that several certificates passed, once.
func tellPassed(base words.Args, r *verify.Result, in verify.Input, passed []verify.Check) event.Check {
	first := passed[0]
	out := event.Check{ID: first.ID, Outcome: string(verify.OK)}
	a := checkArgs(base, r, in, first)
	var keys, algorithms []string
	var until time.Time
	for _, p := range passed {
		if p.Cert > 0 {
			out.Certs = append(out.Certs, p.Cert)
		}
		if v := p.Detail("key"); v != "" && !slices.Contains(keys, v) {
			keys = append(keys, v)
		}
		if v := p.Detail("algorithm"); v != "" && !slices.Contains(algorithms, v) {
			algorithms = append(algorithms, v)
		}
		if t, ok := moment(p.Detail("until")); ok && (until.IsZero() || t.Before(until)) {
			until = t
		}
	}
	which := whose(r, in, first.Cert)
	switch n := len(out.Certs); {
	case n == 2 && n == len(r.Path):
		which = words.Piece("which/both")
	case n > 1 && n == len(r.Path):
		which = words.Piece("which/all", "n", strconv.Itoa(n))
	case n > 1:
		which = words.Piece("which/some", "n", strconv.Itoa(n), "of", strconv.Itoa(len(r.Path)))
	}
	a["which"], a["count"] = which, strconv.Itoa(len(passed))
	a["key"], a["algorithm"] = strings.Join(keys, ", "), strings.Join(algorithms, ", ")
	if !until.IsZero() {
		a["until"] = date(until)
	} else if first.ID == verify.IDStaple {
		a["until"] = words.Piece("until/replaced")
	}
	switch first.ID {
	case verify.IDChain:
		n, _ := strconv.Atoi(first.Detail("length"))
		sent, _ := strconv.Atoi(first.Detail("sent"))
		a["length"] = words.Count(n, "certificate")
		a["sent"] = words.Piece(map[bool]string{true: "sent/was", false: "sent/were"}[sent == 1], "n", strconv.Itoa(sent))
		if first.Detail("order") == "as the path goes" {
			a["order"] = words.Piece("order/this")
		} else {
			a["order"] = words.Piece("order/other")
		}
		out.Details = fieldsOf(first.Details)
		var path []string
		for _, p := range r.Path {
			path = append(path, clip(p.Subject))
		}
		out.Details = append(out.Details, detail("path", strings.Join(path, " < ")))
	case verify.IDName, verify.IDRoot, verify.IDStaple:
		out.Details = fieldsOf(first.Details)
	}
	out.Says = words.Say("check-"+first.ID+"-ok", event.Recomputed, a)
	return out
}

// detail is one of what a check found, which is for programs.
func detail(name, value string) event.Field {
	called, says := words.DetailText(name, value)
	return event.Field{Name: called, Value: says}
}

func fieldsOf(details []verify.Detail) []event.Field {
	var out []event.Field
	for _, d := range details {
		out = append(out, detail(d.Name, clip(d.Value)))
	}
	return out
}

// checkArgs are the values for a check's sentence.
func checkArgs(base words.Args, r *verify.Result, in verify.Input, check verify.Check) words.Args {
	a := base.With("whose", whose(r, in, check.Cert))
	for _, d := range check.Details {
		value := clip(d.Value)
		if t, ok := moment(d.Value); ok {
			value = date(t)
		}
		if _, have := a[d.Name]; !have || d.Name != "roots" {
			a[d.Name] = value
		}
	}
	if n := len(r.Path); n > 0 {
		a["end"] = func() event.Text {
			if root := a.Value("root"); !root.Empty() {
				return root
			}
			return words.Piece("end/issuer-not-sent", "subject", clip(r.Path[n-1].Subject), "issuer", cmp.Or(a.Value("missing"), words.Piece("issuer/not-named")))
		}
	}
	if n, err := strconv.Atoi(a.Value("count").English); err == nil {
		a["count"] = words.Count(n, "promise")
	}
	for _, name := range []string{"nearest", "usage", "purposes", "fault", "issuer", "key"} {
		if !a.Value(name).Empty() {
			continue
		}
		switch name {
		case "nearest":
			a[name] = words.Piece("name/none-at-all")
		case "usage", "purposes":
			a[name] = words.Piece("usage/nothing")
		default:
			delete(a, name)
		}
	}
	return a
}

// moment is the time that a detail of a check is, if it is one. Most are none, and an error
// of package time costs more than all the rest.
func moment(s string) (time.Time, bool) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[4] != '-' || s[10] != 'T' {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, s)
	return t, err == nil
}

// whose names a certificate of the path.
func whose(r *verify.Result, in verify.Input, place int) event.Text {
	switch {
	case place < 1 || place > len(r.Path):
		return words.Piece("whose/certificate")
	case place == 1 && in.Purpose == verify.Client:
		return words.Piece("seen/client-certificate")
	case place == 1:
		return words.Piece("seen/server-certificate")
	case r.Path[place-1].Root:
		return words.Piece("whose/root", "subject", clip(r.Path[place-1].Subject))
	}
	return words.Piece("whose/issuer", "subject", clip(r.Path[place-1].Subject))
}

// CheckAlert names the alert that the rules have for what a check of certificates found, by
// the ID of its reason; empty where they have none of its own.
func CheckAlert(reason string) string {
	if alerts := verify.ReasonOf(reason).Alerts; len(alerts) > 0 {
		return handshake.AlertName(alerts[0])
	}
	return ""
}
