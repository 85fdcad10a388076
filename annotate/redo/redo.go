// Package redo writes commands that compute proofs anew without this program: with openssl and
// with the standard library of Python 3.
package redo

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"explainer/annotate/event"
)

// places are what a value may be that is no hexadecimal, by its name.
var places = sync.OnceValue(func() map[string]*regexp.Regexp {
	return map[string]*regexp.Regexp{
		"hash":      regexp.MustCompile(`^(md5|sha1|sha224|sha256|sha384|sha512|md5-sha1|none)$`),
		"how":       regexp.MustCompile(`^(pkcs1|pss|dsa|ed25519)$`),
		"sender":    regexp.MustCompile(`^(client|server)$`),
		"label":     regexp.MustCompile(`^(extended )?master secret$`),
		"cipher":    regexp.MustCompile(`^(aes-gcm|chacha20-poly1305)$`),
		"links":     regexp.MustCompile(`^[0-9]{1,2}-[0-9]{1,2}( [0-9]{1,2}-[0-9]{1,2})*$`),
		"keylength": regexp.MustCompile(`^(16|32)$`),
	}
})

var named = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([a-z_]+|[0-9]{1,2})$`) })

var hexadecimal = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([0-9a-f]{2})*$`) })

// Command is a command for a POSIX shell that computes a proof anew. It ends with exit code 0 if
// the proof holds, and with another one if not; or if a secret that it lacks was not put into it.
// It is "" where there is none. Nothing of a value gets into it but what it is checked to be.
func Command(r *event.Redo) string {
	if r == nil {
		return ""
	}
	for name, v := range r.Values {
		rule := places()[name]
		if rule == nil {
			rule = hexadecimal()
		}
		if !named().MatchString(name) || !rule.MatchString(v) {
			return ""
		}
	}
	for _, name := range r.Lacks {
		if !slices.Contains(secrets, name) {
			return ""
		}
	}
	switch r.Kind {
	case event.RedoSignature:
		return signature(r.Values)
	case event.RedoLinks:
		return links(r.Values)
	}
	script, ok := scripts[r.Kind]
	if !ok {
		return ""
	}
	var b strings.Builder
	b.WriteString("python3 - <<'END'\nimport hashlib, hmac, subprocess\n")
	for _, name := range slices.Sorted(maps.Keys(r.Values)) {
		if places()[name] != nil {
			fmt.Fprintf(&b, "%s = %q\n", name, r.Values[name])
			continue
		}
		fmt.Fprintf(&b, "%s = bytes.fromhex(%q)\n", name, r.Values[name])
	}
	for _, name := range r.Lacks {
		fmt.Fprintf(&b, "%s = bytes.fromhex(\"\")  # put the secret in here\n", name)
	}
	if len(r.Lacks) > 0 {
		fmt.Fprintf(&b, "if not all([%s]): raise SystemExit(\"a secret is left out\")\n", strings.Join(r.Lacks, ", "))
	}
	b.WriteString(script)
	b.WriteString("print(\"proven\" if holds else \"REFUTED\")\nraise SystemExit(not holds)\nEND\n")
	return b.String()
}

// secrets are the names of values that open something.
var secrets = []string{"secret", "master", "premaster", "block"}

// P_hash and PRF of TLS 1.0 to 1.2 (RFC 2246 5, RFC 5246 5).
const prf = `def p_hash(name, key, seed, n):
    out, a = b"", seed
    while len(out) < n:
        a = hmac.new(key, a, name).digest()
        out += hmac.new(key, a + seed, name).digest()
    return out[:n]
def prf(key, label, seed, n):
    if hash != "md5-sha1":
        return p_hash(hash, key, label + seed, n)
    half = (len(key) + 1) // 2
    return bytes(x ^ y for x, y in zip(p_hash("md5", key[:half], label + seed, n), p_hash("sha1", key[-half:], label + seed, n)))
def digest(data):
    if hash != "md5-sha1":
        return hashlib.new(hash, data).digest()
    return hashlib.md5(data).digest() + hashlib.sha1(data).digest()
`

// HKDF-Expand-Label of TLS 1.3 (RFC 8446 7.1).
const expand = `def expand_label(key, label, context, n):
    label = b"tls13 " + label
    info = n.to_bytes(2, "big") + bytes([len(label)]) + label + bytes([len(context)]) + context
    out = t = b""
    while len(out) < n:
        t = hmac.new(key, t + info + bytes([len(out) // hashlib.new(hash).digest_size + 1]), hash).digest()
        out += t
    return out[:n]
`

// AES-GCM (NIST SP 800-38D) and ChaCha20-Poly1305 (RFC 8439), whose block functions openssl has.
const aead = `def openssl(cipher, key, data, *more):
    return subprocess.run(["openssl", "enc", cipher, "-K", key.hex(), "-nopad", *more], input=data, capture_output=True, check=True).stdout
def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))
def pad(x):
    return x + bytes(-len(x) % 16)
def open_gcm(key, nonce, sealed, extra):
    sealed, tag = sealed[:-16], sealed[-16:]
    counters = b"".join(nonce + i.to_bytes(4, "big") for i in range(1, 2 + (len(sealed) + 15) // 16))
    stream = openssl("-aes-%d-ecb" % (8 * len(key)), key, bytes(16) + counters)
    h, y = int.from_bytes(stream[:16], "big"), 0
    data = pad(extra) + pad(sealed) + (8 * len(extra)).to_bytes(8, "big") + (8 * len(sealed)).to_bytes(8, "big")
    for i in range(0, len(data), 16):
        x, v, y = y ^ int.from_bytes(data[i:i + 16], "big"), h, 0
        for bit in range(127, -1, -1):
            if x >> bit & 1:
                y ^= v
            v = v >> 1 ^ (0xe1 << 120 if v & 1 else 0)
    return xor(sealed, stream[32:]), tag == xor(y.to_bytes(16, "big"), stream[16:32])
def open_chacha(key, nonce, sealed, extra):
    sealed, tag = sealed[:-16], sealed[-16:]
    stream = openssl("-chacha20", key, bytes(64 + len(sealed)), "-iv", (bytes(4) + nonce).hex())
    r, s, a = int.from_bytes(stream[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff, int.from_bytes(stream[16:32], "little"), 0
    data = pad(extra) + pad(sealed) + len(extra).to_bytes(8, "little") + len(sealed).to_bytes(8, "little")
    for i in range(0, len(data), 16):
        a = (a + int.from_bytes(data[i:i + 16] + b"\1", "little")) * r % (2**130 - 5)
    return xor(sealed, stream[64:]), tag == ((a + s) % 2**128).to_bytes(16, "little")
`

// scripts compute "holds" from the values of a kind.
var scripts = map[string]string{
	event.RedoFinished12: prf + `# RFC 5246 7.4.9
holds = prf(master, sender.encode() + b" finished", digest(messages), 12) == verify_data
`,
	event.RedoFinished13: expand + `# RFC 8446 4.4.4
finished_key = expand_label(secret, b"finished", b"", hashlib.new(hash).digest_size)
holds = hmac.new(finished_key, hashlib.new(hash, messages).digest(), hash).digest() == verify_data
`,
	event.RedoBlock: `# RFC 8017 7.2: the block, to the power of the public exponent, is what was sent
n = int.from_bytes(modulus, "big")
holds = pow(int.from_bytes(block, "big"), int.from_bytes(exponent, "big"), n) == int.from_bytes(ciphertext, "big")
holds = holds and len(block) == len(modulus) and block[:2] == b"\0\2" and 0 not in block[2:-49] and block[-49] == 0 and len(block) >= 59
`,
	event.RedoMaster: prf + `# RFC 5246 8.1, RFC 7627 4
holds = prf(premaster, label.encode(), seed, 48) == master
`,
	event.RedoRecord13: expand + aead + `# RFC 8446 5.2, 5.3, 7.3
key, iv = expand_label(secret, b"key", b"", int(keylength)), expand_label(secret, b"iv", b"", 12)
nonce = xor(iv, bytes(4) + number)
content, holds = (open_gcm if cipher == "aes-gcm" else open_chacha)(key, nonce, record[5:], record[:5])
content = content.rstrip(b"\0")[:-1]
if holds: print(len(content), "bytes of content:", content[:48])
`,
	event.RedoRecord12: prf + aead + `# RFC 5246 6.3, RFC 5288 3, RFC 7905 2
k, gcm = int(keylength), cipher == "aes-gcm"
i = 4 if gcm else 12
block = prf(master, b"key expansion", seed, 2 * k + 2 * i)
key, iv = (block[:k], block[2 * k:2 * k + i]) if sender == "client" else (block[k:2 * k], block[2 * k + i:])
nonce = iv + record[5:13] if gcm else xor(iv, bytes(4) + number)
sealed = record[13:] if gcm else record[5:]
extra = number + record[:3] + (len(sealed) - 16).to_bytes(2, "big")
content, holds = (open_gcm if gcm else open_chacha)(key, nonce, sealed, extra)
if holds: print(len(content), "bytes of content:", content[:48])
`,
}

// within is a command that runs in a folder of its own, which it removes.
func within(files [][2]string, commands ...string) string {
	var b strings.Builder
	b.WriteString("(d=$(mktemp -d) && cd \"$d\" || exit\ntrap 'rm -r \"$d\"' EXIT\n")
	for _, f := range files {
		text := base64.StdEncoding.EncodeToString(bytesOf(f[1]))
		fmt.Fprintf(&b, "openssl base64 -d > %s <<'END'\n", f[0])
		for len(text) > 0 {
			n := min(len(text), 64)
			b.WriteString(text[:n] + "\n")
			text = text[n:]
		}
		b.WriteString("END\n")
	}
	b.WriteString(strings.Join(commands, " &&\n") + ")\n")
	return b.String()
}

func bytesOf(s string) []byte {
	b, _ := hex.DecodeString(s) // it was checked to be one
	return b
}

// signature checks one with openssl.
func signature(v map[string]string) string {
	check := "openssl dgst -" + v["hash"] + " -verify key.pem -signature signature"
	switch {
	case v["how"] == "ed25519":
		check = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in signed -sigfile signature"
	case v["hash"] == "md5-sha1": // RFC 4346 7.4.3
		check = "(openssl md5 -binary signed; openssl sha1 -binary signed) > hashes &&\nopenssl pkeyutl -verify -pubin -inkey key.pem -in hashes -sigfile signature"
	case v["how"] == "pss": // the salt is as long as the hash (RFC 8446 4.2.3)
		check += " -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest -sigopt rsa_mgf1_md:" + v["hash"] + " signed"
	default:
		check += " signed"
	}
	return within([][2]string{{"key.der", v["key"]}, {"signed", v["signed"]}, {"signature", v["signature"]}}, "openssl pkey -pubin -inform DER -in key.der -out key.pem", check)
}

// links checks with openssl that certificates are signed by others, and nothing else of them.
func links(v map[string]string) string {
	var files [][2]string
	var commands []string
	for name := range v {
		if places()[name] == nil {
			if _, err := strconv.Atoi(name); err != nil {
				return ""
			}
			files = append(files, [2]string{name + ".der", v[name]})
		}
	}
	slices.SortFunc(files, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	for _, f := range files {
		name := strings.TrimSuffix(f[0], ".der")
		commands = append(commands, "openssl x509 -inform DER -in "+f[0]+" -out "+name+".pem")
	}
	for link := range strings.SplitSeq(v["links"], " ") {
		child, parent, _ := strings.Cut(link, "-")
		if v[child] == "" || v[parent] == "" {
			return ""
		}
		commands = append(commands, "openssl verify -partial_chain -check_ss_sig -no_check_time -auth_level 0 -no-CApath -no-CAfile -no-CAstore -trusted "+parent+".pem "+child+".pem")
	}
	return within(files, commands...)
}

// Commands tell of each proof of a story how it is computed anew.
type Commands struct{ w *bufio.Writer }

// NewCommands returns a renderer that writes to w.
func NewCommands(w io.Writer) *Commands { return &Commands{bufio.NewWriter(w)} }

// Event writes the commands for the proofs of an event, one behind the other.
func (c *Commands) Event(e *event.Event) error {
	for _, p := range e.Proofs {
		if command := Command(p.Redo); command != "" {
			fmt.Fprintf(c.w, "# connection %d, event %d: %s: %s\n%s\n", e.Conn, e.N, name(p.ID), name(string(p.State)), command)
		}
	}
	return nil
}

// name is a permanent name; what is none is not written into a comment of a shell.
func name(s string) string {
	if !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(s) {
		return "?"
	}
	return s
}

// Flush hands over what was written.
func (c *Commands) Flush() error { return c.w.Flush() }

// Finish ends the story.
func (c *Commands) Finish() error { return c.w.Flush() }
