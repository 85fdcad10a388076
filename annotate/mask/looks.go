package mask

import "strings"

// What looks like a credential is one, whatever it is called: a token with the
// prefix of those who give it out, a JWT, a PEM block, a row of characters that
// somebody drew at random.

// prefixes begin the tokens of those who mark theirs so that they are found
// where they should not be. n is how many characters follow at least.
var prefixes = [...]struct {
	prefix string
	n      int
}{
	{"eyJ", 12}, // {" in base64: a JWT (RFC 7519), or other JSON
	{"ghp_", 4}, {"gho_", 4}, {"ghu_", 4}, {"ghs_", 4}, {"ghr_", 4}, {"github_pat_", 4},
	{"glpat-", 4}, {"gldt-", 4}, {"glrt-", 4}, {"glcbt-", 4}, {"glptt-", 4}, {"glsoat-", 4}, {"glagent-", 4}, {"gloas-", 4},
	{"xoxa-", 4}, {"xoxb-", 4}, {"xoxp-", 4}, {"xoxr-", 4}, {"xoxs-", 4}, {"xoxc-", 4}, {"xoxd-", 4}, {"xoxe", 4}, {"xapp-", 4},
	{"sk_live_", 4}, {"sk_test_", 4}, {"rk_live_", 4}, {"rk_test_", 4}, {"pk_live_", 4}, {"pk_test_", 4}, {"whsec_", 4},
	{"sk-ant-", 4}, {"sk-proj-", 4}, {"sk-or-", 8}, {"sk-", 16}, {"gsk_", 16}, {"hf_", 16}, {"r8_", 16},
	{"AKIA", 12}, {"ASIA", 12}, {"AGPA", 16}, {"AIDA", 16}, {"AROA", 16},
	{"AIza", 16}, {"ya29.", 4}, {"GOCSPX-", 4}, {"1//0", 20},
	{"hvs.", 4}, {"hvb.", 4}, {"hvr.", 4},
	{"npm_", 12}, {"pypi-", 12}, {"rubygems_", 12}, {"dckr_pat_", 4}, {"oy2", 40},
	{"SG.", 12}, {"key-", 28}, {"re_", 20},
	{"dop_v1_", 4}, {"doo_v1_", 4}, {"dor_v1_", 4}, {"dp.st.", 8}, {"dp.pt.", 8},
	{"shpat_", 4}, {"shpss_", 4}, {"shpca_", 4}, {"shppa_", 4},
	{"sq0atp-", 4}, {"sq0csp-", 4}, {"EAAA", 40}, {"EAAC", 40},
	{"lin_api_", 8}, {"ATATT", 16}, {"ATCTT", 16}, {"ATBB", 16}, {"PMAK-", 8}, {"NRAK-", 8}, {"NRII-", 8}, {"nfp_", 8}, {"rnd_", 16}, {"sbp_", 8},
	{"glsa_", 8}, {"glc_", 16}, {"pat-na1-", 8}, {"secret_", 16}, {"ntn_", 16}, {"figd_", 8}, {"dapi", 28}, {"tfp_", 16}, {"AGE-SECRET-KEY-", 4}, {"v^1.1", 12}, {"fio-u-", 8}, {"tskey-", 4}, {"CFPAT-", 8}, {"cfut_", 8}, {"sntrys_", 8}, {"sntryu_", 8}, {"phc_", 16}, {"phx_", 16},
}

// first are the bytes that prefixes begin with.
var first = func() (is [256]bool) {
	for _, p := range prefixes {
		is[p.prefix[0]] = true
	}
	return is
}()

// prefixed tells whether s begins with the prefix of a token, and with enough behind it.
func prefixed(s string) bool {
	if s == "" || !first[s[0]] {
		return false
	}
	for i := range prefixes {
		if p := &prefixes[i]; strings.HasPrefix(s, p.prefix) && len(s)-len(p.prefix) >= p.n {
			return true
		}
	}
	return false
}

const (
	least   = 8   // bytes of the shortest that has a prefix
	random  = 120 // bits that are taken for 128, for an estimate errs
	uuid    = 36  // bytes of a UUID (RFC 9562), which is a name
	decimal = 36  // digits that are as much
)

// class says of each byte what it is: a letter or digit, or what may stand in a token between those.
var class = func() (c [256]uint8) {
	for b := range 256 {
		switch {
		case b >= 'a' && b <= 'z':
			c[b] = isLower
		case b >= 'A' && b <= 'Z':
			c[b] = isUpper
		case b >= '0' && b <= '9':
			c[b] = isDigit
		case strings.IndexByte("-_.~+/=", byte(b)) >= 0:
			c[b] = between
		}
	}
	return c
}()

const (
	isLower = 1 << iota
	isUpper
	isDigit
	between
	letter = isLower | isUpper
	alnum  = letter | isDigit
)

// looks hides in s, which stands at a place of the value, what looks like a
// credential. Where chance is meant to be, as in an ETag, only marked tokens are.
func (h *hidden) looks(s string, at int, chance bool) {
	for i := 0; i < len(s); {
		if class[s[i]] == 0 {
			i++
			continue
		}
		end := i + 1
		for end < len(s) && class[s[end]] != 0 {
			end++
		}
		if end-i >= least && !isSuite(s[i:end]) {
			// What is a digest by its own word is none.
			digest := chance || i > 0 && s[i-1] == ':' && isDigestName(lastWord(s[:i-1]))
			h.token(s[i:end], at+i, digest)
		}
		i = end
	}
}

// isSuite reports whether a word is the name of a cipher suite, whose short pieces look drawn.
func isSuite(s string) bool {
	return strings.HasPrefix(s, "TLS_") && strings.Contains(s, "_WITH_") && len(s) <= 48 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// token hides in one row of token characters what looks like a credential.
func (h *hidden) token(s string, at int, chance bool) {
	if s[0] == '-' {
		if i := strings.Index(s, "-----BEGIN"); i >= 0 {
			return // a PEM block, which text hides whole
		}
	}
	begins := true
	for i := 0; i+least <= len(s); i++ {
		c := class[s[i]]
		if begins && prefixed(s[i:]) {
			h.add(at+i, at+len(s))
			s = s[:i]
			break
		}
		begins = c == between
	}
	if !chance {
		if from, to := drawn(s); to > from {
			h.add(at+from, at+to)
		}
	}
}

// drawn returns the part of s that seems to be drawn at random, if that is 128 bits or more.
func drawn(s string) (from, to int) {
	if len(s) < 20 || len(s) == uuid && isUUID(s) {
		return 0, 0
	}
	var run, all stretch
	word := false // a long one
	for i := 0; i < len(s); {
		for i < len(s) && class[s[i]] == between {
			i++
		}
		piece := i
		for i < len(s) && class[s[i]] != between {
			i++
		}
		if piece == i {
			break
		}
		var p stretch
		p.measure(s[piece:i])
		all.join(p)
		all.another(i - piece)
		word = word || i-piece >= 8 && p.kinds == isLower && !p.odd()
		if p.kinds&letter == 0 && p.len >= decimal {
			return piece, i
		}
		if i-piece >= 4 && !p.odd() {
			if run.random() {
				break
			}
			run = stretch{}
			if j := strings.LastIndexByte(s[:piece], '='); j >= 0 && isDigestName(strings.TrimRight(s[:j], "=")) {
				return 0, 0
			}
			continue
		}
		if run.len == 0 {
			from, to = piece, piece
			if piece > 0 && (s[piece-1] == '-' || s[piece-1] == '=' || s[piece-1] == '_') && isDigestName(lastWord(s[:piece-1])) {
				return 0, 0 // sha256-..., as in Subresource Integrity
			}
		}
		run.join(p)
		run.len += piece - max(to, from) // what stands between is drawn, too
		run.another(i - piece)
		to = i
	}
	if run.random() {
		return from, to
	}
	// A piece that reads like a word may be chance, too, where all are short.
	if !word && !all.numbered() && all.kinds == isLower|isUpper|isDigit && 5*all.unnatural > 2*(all.natural+all.unnatural) && all.bits()*len(s) >= 100*random && len(s) <= 88 {
		return 0, len(s)
	}
	return 0, 0
}

// lastWord is the word that ends s.
func lastWord(s string) string {
	i := len(s)
	for i > 0 && class[s[i-1]]&alnum != 0 {
		i--
	}
	return s[i:]
}

// isDigestName tells whether a word names a hash function.
func isDigestName(s string) bool {
	switch strings.ToLower(s) {
	case "sha", "sha1", "sha224", "sha256", "sha384", "sha512", "md5", "blake2b", "blake3", "crc32c":
		return true
	}
	return false
}

// A stretch measures a row of letters and digits.
type stretch struct {
	len, digits int
	kinds       uint8
	notHex      bool
	natural     int // pairs as words have them
	unnatural   int

	pieces int  // that stand in a row, with something between
	piece  int  // length of the last
	unlike bool // they are not of one length
}

func (m *stretch) join(p stretch) {
	m.len += p.len
	m.digits += p.digits
	m.kinds |= p.kinds
	m.notHex = m.notHex || p.notHex
	m.natural += p.natural
	m.unnatural += p.unnatural
}

func (m *stretch) another(piece int) {
	m.unlike = m.unlike || m.pieces > 0 && m.piece != piece
	m.piece = piece
	m.pieces++
}

// numbered tells whether its pieces are those of a number, as reports and builds have
// them. Of 64 characters two stand between, so chance has few of those; keys that are
// written in groups have groups of one length.
func (m *stretch) numbered() bool {
	return m.notHex && m.unlike && 5*(m.pieces-1) > m.len
}

// odd tells whether it is no word, nor one with a number behind it.
func (m *stretch) odd() bool {
	return m.kinds&letter == 0 || !m.notHex && m.digits > 0 && m.len >= 16 || 4*m.unnatural > m.natural+m.unnatural
}

func (m *stretch) random() bool {
	if m.kinds&letter == 0 {
		return false
	}
	if m.numbered() {
		return false
	}
	if !m.notHex && m.digits >= 2 {
		return 4*m.len >= random
	}
	return m.unnatural >= 4 && 4*m.unnatural > m.natural+m.unnatural && m.bits()*m.len >= 100*random
}

// bits are what a character of it is worth, in hundredths.
func (m *stretch) bits() int {
	switch {
	case m.kinds == isLower|isUpper|isDigit:
		return 595
	case m.kinds == isLower|isUpper:
		return 570
	case m.kinds&isDigit != 0:
		return 517
	}
	return 470
}

func (m *stretch) measure(s string) {
	m.len = len(s)
	hump := 0 // letters of the word in hand
	for i := range len(s) {
		c := s[i]
		k := class[c]
		m.kinds |= k
		if k == isDigit {
			m.digits++
		} else if c|0x20 > 'f' {
			m.notHex = true
		}
		if i == 0 {
			hump = 1
			continue
		}
		before := class[s[i-1]]
		switch {
		case k == isDigit:
			if before != isDigit {
				hump = 0
				for _, r := range []byte(s[i:]) { // a number behind a word is usual
					if class[r] != isDigit {
						m.unnatural++
						break
					}
				}
			}
		case before == isDigit:
			m.unnatural++
			hump = 1
		case before == isLower && k == isUpper: // as in twoWords
			if hump < 3 {
				m.unnatural++
			}
			hump = 1
		default:
			hump++
			if usual[s[i-1]|0x20-'a']>>(c|0x20-'a')&1 != 0 {
				m.natural++
			} else {
				m.unnatural++
			}
		}
	}
}

// isUUID tells whether s is written as a UUID.
func isUUID(s string) bool {
	for i := range len(s) {
		if (s[i] == '-') != (i == 8 || i == 13 || i == 18 || i == 23) {
			return false
		}
	}
	return true
}

// usual are the pairs of letters that words are made of: for each letter, those
// that follow it, counted in the English of documents and the names of programs.
var usual = func() (bits [26]uint32) {
	for i, following := range [26]string{
		"bcdfgiklmnprstuvwy",
		"aeilorsuy",
		"acehiklorstuy",
		"adeilorsuy",
		"abcdefgilmnpqrstuvwxy",
		"aefilortu",
		"aeghilnorsu",
		"aeiortu",
		"abcdefglmnoprstvxz",
		"",
		"eis",
		"adeilostuy",
		"abeilmopsu",
		"acdefgiklnostuvy",
		"abcdfgiklmnoprstuvwx",
		"acefhiloprstu",
		"u",
		"abcdefgiklmnoprstuvwy",
		"acehiklnopstuwy",
	} {
		for _, c := range following {
			bits[i] |= 1 << (c - 'a')
		}
	}
	return bits
}()
