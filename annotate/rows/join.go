package rows

import (
	"cmp"
	"slices"
	"strings"
)

const (
	// Sequence numbers further apart than this are another connection's. Windows may be up
	// to 1 GiB (RFC 7323 2.2), but none in use is larger.
	maxApart = 16 << 20
	// Where no numbers can be compared, parts that are further apart than so many
	// nanoseconds are of two connections.
	maxSilence = 120e9
)

// joined joins the rows of the parts of one connection among those between the same ends.
func (f *form) joined(all []record) (rows []record) {
	slices.SortFunc(all, func(a, b record) int {
		return cmp.Or(
			cmp.Compare(f.began(a), f.began(b)),
			cmp.Compare(f.ended(a), f.ended(b)),
			strings.Compare(string(f.object(a)), string(f.object(b))))
	})
	var chains [][]record
	for _, r := range all {
		if i := f.before(chains, r); i >= 0 {
			chains[i] = append(chains[i], r)
		} else {
			chains = append(chains, []record{r})
		}
	}
	for _, c := range chains {
		rows = append(rows, f.join(c))
	}
	return rows
}

func (f *form) began(r record) int64 { return nanoseconds(r.text(f, "first_time")) }
func (f *form) ended(r record) int64 { return nanoseconds(r.text(f, "last_time")) }

// before is the index of the chain of parts that a part goes on, -1 if there is none: of
// several the one that ended last.
func (f *form) before(chains [][]record, r record) int {
	best, how := -1, noLink
	if r.text(f, "first_time") == "" {
		return best
	}
	if !r.is(f, "open_start") {
		if r.text(f, "transport") != "quic" {
			return best
		}
		how = byTime // behind a Retry a client begins once more, under the same name (RFC 9000 17.2.5.2)
	}
	for i, c := range chains {
		link := f.linked(c, r)
		if link > how || link == how && best >= 0 && f.ended(last(chains[best])) < f.ended(last(c)) {
			best, how = i, link
		}
	}
	return best
}

// A link is how it is known that one part goes on another.
type link int

const (
	noLink   link = iota
	byTime        // they have the same ends, and follow on each other
	byNumber      // and their sequence numbers do, or they share a connection ID
)

func last(chain []record) record { return chain[len(chain)-1] }

// linked tells whether a part can be what comes behind a chain of them.
func (f *form) linked(chain []record, r record) link {
	end := last(chain)
	apart := f.began(r) - f.ended(end)
	if apart < 0 {
		return noLink
	}
	if f.bare(r) && apart > 0 {
		return byTime // packets that only acknowledge: there is no connection that they could begin
	}
	if !f.open(chain) {
		return noLink
	}
	r = f.facing(r, end)
	compared := slices.ContainsFunc(chain, func(p record) bool { return share(p.text(f, "connection_ids"), r.text(f, "connection_ids")) })
	for _, side := range sides {
		next, known := f.next(chain, side)
		first, has := r[f.at[side+"_first_sequence"]].(int64)
		if !known || !has {
			continue
		}
		d := int64(int32(uint32(first) - uint32(next)))
		if d > maxApart || d < -maxApart || d < 0 && apart == 0 {
			return noLink
		}
		compared = true
	}
	switch {
	case apart == 0 && (!compared || r.text(f, "transport") != "tcp"):
		return noLink // the same packet, captured at two places
	case compared:
		return byNumber
	case apart <= maxSilence:
		return byTime
	}
	return noLink
}

var sides = []string{"client", "server"}

// next is the sequence number behind the last byte of a side in a chain.
func (f *form) next(chain []record, side string) (int64, bool) {
	for _, p := range slices.Backward(chain) {
		if n, ok := f.facing(p, last(chain))[f.at[side+"_next_sequence"]].(int64); ok {
			return n, true
		}
	}
	return 0, false
}

// bare tells that a part has no byte and no end, of a side or of both.
func (f *form) bare(r record) bool {
	return f.empty(r) && r.text(f, "closed_by") == "" && r.text(f, "ended") == "open"
}

// empty tells that a part has no byte of the connection.
func (f *form) empty(r record) bool {
	if r.text(f, "transport") != "tcp" {
		return false
	}
	for _, side := range sides {
		if r[f.at[side+"_first_sequence"]] != r[f.at[side+"_next_sequence"]] {
			return false
		}
	}
	return true
}

// open tells whether a chain of parts lacks its end.
func (f *form) open(chain []record) bool {
	ended, _ := f.end(chain)
	return ended == "open"
}

// end is how a connection ended, and who closed it first.
func (f *form) end(chain []record) (ended, by string) {
	ended = "open"
	closed := map[string]bool{}
	for _, p := range chain {
		p = f.facing(p, chain[0])
		if who := p.text(f, "closed_by"); who != "" {
			by, closed[who] = cmp.Or(by, who), true
		}
		if how := p.text(f, "ended"); how != "open" && how != "" {
			ended = how
		}
	}
	if len(closed) == 2 && ended == "open" {
		ended = "closed"
	}
	return ended, by
}

// share tells whether two lists have an item in common.
func share(a, b string) bool {
	for item := range strings.SplitSeq(a, ",") {
		if item != "" && slices.Contains(strings.Split(b, ","), item) {
			return true
		}
	}
	return false
}

// facing is a part with the same client as another: in the middle of a connection that is guessed.
func (f *form) facing(r, as record) record {
	if r.end(f, "client") == as.end(f, "client") {
		return r
	}
	turned := slices.Clone(r)
	for i, name := range f.names {
		if rest, ok := strings.CutPrefix(name, "client_"); ok {
			if j, ok := f.at["server_"+rest]; ok {
				turned[i], turned[j] = r[j], r[i]
			}
		}
	}
	by := f.at["closed_by"]
	switch r[by] {
	case "client":
		turned[by] = "server"
	case "server":
		turned[by] = "client"
	}
	return turned
}

// join makes one row of the parts of a connection.
func (f *form) join(parts []record) record {
	if len(parts) == 1 {
		return parts[0]
	}
	j := newJoin(f, parts)
	row := make(record, len(f.names))
	var unknown []string
	for i, name := range f.names {
		v, sure := j.value(name)
		if !sure {
			v = nil
			unknown = append(unknown, name)
		}
		row[i] = v
	}
	row[f.at["not_known"]] = known(strings.Join(unknown, ","))
	var list []string
	for _, p := range parts {
		list = append(list, string(f.object(p)))
	}
	row[f.at["parts"]] = "[" + strings.Join(list, ",") + "]"
	return row
}

// A join is what is known of a connection by the rows of its parts.
type join struct {
	f       *form
	parts   []record // with the same client
	full    []record // those that have bytes
	through bool     // its handshake is over in the first of those, which has its beginning
	sealed  bool     // it was sealed from its beginning on
	whole   bool     // one part has its beginning and all but packets that only acknowledge
}

func newJoin(f *form, parts []record) *join {
	j := &join{f: f}
	as := parts[0]
	for _, p := range parts {
		// Who is the client is known by a SYN, or by a hello.
		if !p.is(f, "open_start") || p.text(f, "ja4") != "" {
			as = p
			break
		}
	}
	bare := 0
	for _, p := range parts {
		p = f.facing(p, as)
		j.parts = append(j.parts, p)
		if !f.empty(p) {
			j.full = append(j.full, p)
		}
		if f.bare(p) {
			bare++
		}
	}
	if len(j.full) == 0 {
		j.full = j.parts[:1]
	}
	first := j.full[0]
	j.sealed = !first.is(f, "open_start") && first.text(f, "state") == "sealed" && !first.is(f, "resumed") && first.text(f, "transport") == "tcp"
	j.whole = j.alone() && bare >= len(parts)-1
	j.through = !first.is(f, "open_start") && first.number(f, "client_bytes") > 0 && first.number(f, "server_bytes") > 0
	return j
}

// of is a value of a part.
func (j *join) of(r record, name string) any { return r[j.f.at[name]] }

// firstOf is the first value that a part has.
func firstOf(f *form, name string, parts []record) any {
	for _, p := range parts {
		if v := p[f.at[name]]; v != nil {
			return v
		}
	}
	return nil
}

// last is the last value that a part has.
func (j *join) last(name string) any {
	parts := slices.Clone(j.parts)
	slices.Reverse(parts)
	return firstOf(j.f, name, parts)
}

// alone tells that one part has all bytes, and the beginning.
func (j *join) alone() bool { return len(j.full) == 1 && !j.full[0].is(j.f, "open_start") }

// value is that of a column for the whole connection, if it is known.
func (j *join) value(name string) (v any, sure bool) {
	first := j.full[0]
	if slices.Contains(ofEnd, name) && first.text(j.f, "transport") == "quic" && j.f.open(j.parts) {
		return nil, false // nobody can tell what packets with short headers are in a later part
	}
	switch name {
	case "last_packet", "parts", "not_known", "error":
		return nil, true
	case "last_time":
		for _, p := range slices.Backward(j.parts) {
			if !j.f.bare(p) {
				return j.of(p, name), true
			}
		}
		return j.of(j.parts[0], name), true
	case "closed_by":
		_, by := j.f.end(j.parts)
		return known(by), true
	case "ended":
		ended, _ := j.f.end(j.parts)
		return ended, true
	case "open_end":
		return j.f.open(j.parts), true
	case "open_start":
		// Of a first message of DTLS that is cut the first part can be there.
		open := j.parts[0].is(j.f, name)
		return open, !open || j.parts[0].text(j.f, "transport") != "dtls"
	case "client_next_sequence", "server_next_sequence":
		return j.last(name), true
	case "client_first_sequence", "server_first_sequence":
		return firstOf(j.f, name, j.parts), true
	case "rows_version", "capture_sha256", "conn", "session", "leg", "first_packet", "first_time", "transport",
		"client_address", "client_port", "server_address", "server_port", "community_id",
		"resumed_from", "copy_of", "file":
		return j.of(j.parts[0], name), true
	case "missing_bytes":
		return j.missing()
	case "resumed_state":
		return j.of(first, name), j.whole || j.through && !first.is(j.f, "resumed")
	case "proofs_proven", "proofs_refuted", "proofs_not_checkable", "refuted", "not_checkable", "not_checkable_why":
		return j.of(first, name), j.whole
	case "protocol":
		return j.protocol()
	case "state":
		if j.alone() {
			return j.of(first, name), true
		}
		return j.of(first, name), j.sealed
	case "checks_failed", "checks_warned":
		return j.of(first, name), j.alone() || j.through
	case "malformed":
		if j.alone() || first.is(j.f, name) && !first.is(j.f, "open_start") {
			return j.of(first, name), true
		}
		return nil, false
	}
	switch {
	case slices.Contains(ofHello, name):
		v := j.of(first, name)
		return v, v != nil && v != "unknown" || j.through || j.alone()
	case slices.Contains(ofHandshake, name):
		v := firstOf(j.f, name, j.full)
		return v, v != nil || j.through || j.alone()
	case strings.HasPrefix(name, "step_") || slices.Contains(ofSteps, name):
		return j.of(first, name), j.through
	}
	return j.of(first, name), j.alone()
}

// ofEnd are columns that the last packet says.
var ofEnd = []string{"last_time", "ended", "open_end"}

// ofHello are columns that the first ClientHello says, and the answer to it: others may follow.
var ofHello = []string{"sni", "ja3", "ja3s", "ja4", "ech"}

// ofHandshake are columns that one message of the handshake says.
var ofHandshake = []string{
	"host", "version", "suite", "key_exchange_group", "key_exchange_kind", "signature_algorithm", "alpn",
	"leaf_sha256", "leaf_subject", "leaf_issuer", "leaf_key_type", "leaf_key_bits", "leaf_not_before", "leaf_not_after", "chain_length", "client_leaf_sha256",
	"quic_version",
}

// ofSteps are columns that do not change once both sides have sent data.
var ofSteps = []string{"flow", "failed_step", "failed_cause", "given_up", "resumed", "resumed_how", "resumed_state"}

// missing is how many bytes are missing, where the parts follow on each other without a
// second copy of what stands at their border.
func (j *join) missing() (any, bool) {
	n := int64(0)
	for i, p := range j.full {
		n += p.number(j.f, "missing_bytes")
		if i == 0 {
			continue
		}
		for _, side := range sides {
			next, known := j.f.next(j.full[:i], side)
			first, has := j.of(p, side+"_first_sequence").(int64)
			if !known || !has || p.text(j.f, "transport") != "tcp" {
				return nil, false
			}
			d := int64(int32(uint32(first) - uint32(next)))
			if d < 0 {
				return nil, false
			}
			n += d
		}
	}
	return n, true
}

// protocol is what the connection speaks, where its parts agree.
func (j *join) protocol() (any, bool) {
	first := j.full[0].text(j.f, "protocol")
	switch {
	case j.whole, first == "tls", first == "quic", first == "dtls":
		return first, true
	case first == "none": // the rest of its first bytes is elsewhere
		return nil, false
	}
	for _, p := range j.full {
		if p.text(j.f, "protocol") != first {
			return nil, false
		}
	}
	return first, true
}
