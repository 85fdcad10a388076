package mask

import (
	"net/url"
	"strings"
)

// A meaning is what a name says of the value under it.
type meaning uint8

const (
	harmless meaning = iota
	perhaps          // state, code, nonce: a credential in a URL, and often none elsewhere
	likely           // key, session, pin
	certain          // password, token, secret
)

// certainParts are found anywhere in a name without its separators.
var certainParts = []string{
	"password", "passwd", "passwrd", "passphrase", "passcode", "passwort", "kennwort", "motdepasse", "contrasen", "secret", "token",
	"apikey", "credential", "bearer", "authorization", "privatekey", "accesskey", "authkey", "subscriptionkey",
}

// likelyParts are found so, too.
var likelyParts = []string{
	"signature", "csrf", "xsrf", "assertion", "sessid", "sessionid", "sessionkey", "sesskey", "saml", "relaystate", "oauth", "masterkey", "encryptionkey",
	"sharedkey", "signingkey", "cardno", "cardnum", "creditcard", "userpass", "dbpass", "mypass", "authcode", "magiclink", "dpop",
}

// words are found as whole words: "design" and "shipping" have nothing to do with "sig" and "pin".
var words = func() map[string]meaning {
	m := map[string]meaning{}
	for list, is := range map[string]meaning{
		"pass pwd pw passw psw pswd jwt jws jwe totp hotp mnemonic passkey senha authtoken":                            certain,
		"auth authn authz oauth cred creds key keys session sess sid saml otp otc pin sig signed hmac mac cvv cvc cvn": likely,
		"iban ssn ticket tgt cookie cookies mfa tfa dpop sso seed card pan captcha magic psk login_hint":               likely,
		"code state nonce": perhaps,
	} {
		for w := range strings.FieldsSeq(list) {
			m[w] = is
		}
	}
	return m
}()

// meaningOf tells what a name means, however it is spelt: X-API-Key, apiKey, user[api_key], API_KEY2.
func meaningOf(name string) meaning {
	if len(name) < 2 || len(name) > 256 {
		return harmless
	}
	var buf [256]byte
	compact := buf[:0] // in small letters, without separators
	is, count, wordAt := harmless, 0, 0
	word := func() {
		w := compact[wordAt:]
		for len(w) > 0 && class[w[len(w)-1]] == isDigit {
			w = w[:len(w)-1]
		}
		wordAt = len(compact)
		if len(w) < 2 {
			return
		}
		count++
		if m := words[string(w)]; m > is {
			is = m
		}
		if len(w) > 4 && (strings.HasSuffix(string(w), "pass") || strings.HasSuffix(string(w), "pwd")) && string(w) != "bypass" && string(w) != "compass" {
			is = certain
		}
	}
	for i := range len(name) {
		c := name[i]
		k := class[c]
		if k&alnum == 0 {
			word()
			continue
		}
		if k == isUpper && i > 0 && (class[name[i-1]]&(isLower|isDigit) != 0 || class[name[i-1]] == isUpper && i+1 < len(name) && class[name[i+1]] == isLower) {
			word()
		}
		if k == isUpper {
			c |= 0x20
		}
		compact = append(compact, c)
	}
	word()
	if is == perhaps && count > 1 {
		is = several(compact)
	}
	if is == certain {
		return is
	}
	low := string(compact)
	for _, p := range certainParts {
		if strings.Contains(low, p) {
			return certain
		}
	}
	if is == likely {
		return is
	}
	for _, p := range likelyParts {
		if strings.Contains(low, p) {
			return likely
		}
	}
	return is
}

// several judges a code, state or nonce with further words before or behind it.
func several(compact []byte) meaning {
	low := string(compact)
	for _, w := range []string{"auth", "login", "verif", "confirm", "access", "activation", "reset", "invite", "backup", "recovery", "security", "device", "user", "sms", "email", "grant", "client", "challenge", "factor", "unlock", "relay"} {
		if strings.Contains(low, w) {
			return likely
		}
	}
	if strings.Contains(low, "nonce") {
		return perhaps
	}
	return harmless
}

// unescaped undoes percent-encoding, as far as it is some.
func unescaped(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	// Where one escape is broken, the others are not.
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if plain, err := url.PathUnescape(s[i : i+3]); err == nil {
				b.WriteString(plain)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// A kind is how the value of a header field is hidden.
type kind uint8

const (
	kindText        kind = iota // what looks like a credential, or is called one inside
	kindChance                  // is random by its nature: marked tokens alone
	kindCredential              // all of it, but for a scheme
	kindChallenge               // a server's: WWW-Authenticate
	kindCookie                  // values of name=value pairs
	kindSetCookie               // of the first pair, and of attributes that are none
	kindTarget                  // a request target or URL
	kindAuthority               // host and port
	kindSubprotocol             // Sec-WebSocket-Protocol
	kindPhrase                  // words that say what another field is called
)

// kinds are those of fields whose names do not say it.
var kinds = func() map[string]kind {
	m := map[string]kind{}
	for list, k := range map[string]kind{
		"cookie cookie2":                      kindCookie,
		"set-cookie set-cookie2":              kindSetCookie,
		"www-authenticate proxy-authenticate": kindChallenge,
		":path referer location content-location origin x-original-url x-rewrite-url x-forwarded-uri x-original-uri destination sourcemap x-request-uri request-uri": kindTarget,
		":authority host x-forwarded-host x-original-host": kindAuthority,
		"sec-websocket-protocol":                           kindSubprotocol,
		"authentication-info proxy-authentication-info":    kindCredential,
		`etag if-none-match if-match if-range digest content-digest repr-digest want-content-digest want-repr-digest content-md5 sec-websocket-key
		 sec-websocket-accept traceparent tracestate cf-ray b3 via x-amz-cf-id x-amz-id-2 uber-trace-id baggage http2-settings
		 public-key-pins public-key-pins-report-only content-type x-served-by x-cache surrogate-key x-cache-key cache-key expect-ct
		 idempotency-key`: kindChance,
		`access-control-allow-credentials access-control-allow-headers access-control-expose-headers access-control-request-headers
		 vary connection trailer permissions-policy feature-policy clear-site-data accept-ch critical-ch no-vary-search`: kindPhrase,
	} {
		for w := range strings.FieldsSeq(list) {
			m[w] = k
		}
	}
	return m
}()

// chanceWords say that a value is a digest or an identifier for tracing.
var chanceWords = []string{"trace", "requestid", "correlationid", "digest", "checksum", "sha256", "sha1", "sha512", "md5", "crc32", "etag", "xb3", "invocationid", "operationid", "spanid", "versionid", "contenthash", "googhash"}

// kindOf tells how a header field's value is hidden, by its name.
func kindOf(name string) kind {
	low := strings.ToLower(strings.TrimSpace(name))
	if k, known := kinds[low]; known {
		return k
	}
	if meaningOf(name) >= likely || low == "nonce" || low == "x-nonce" {
		return kindCredential
	}
	compact := strings.ReplaceAll(low, "-", "")
	for _, w := range chanceWords {
		if strings.Contains(compact, w) {
			return kindChance
		}
	}
	return kindText
}

// schemes are those of authentication, in small letters: the registry of RFC 9110 16.4.1, and usual ones.
var schemes = set("apikey aws4-hmac-sha256 basic bearer concealed digest dpop gnap hmac hoba mutual negotiate ntlm oauth privatetoken scram-sha-1 scram-sha-256 token vapid hawk sharedkey goog4-rsa-sha256")

func isScheme(s string) bool { return len(s) <= 20 && schemes[strings.ToLower(s)] }

// cookieAttributes are those of Set-Cookie (RFC 6265 4.1.1, and newer ones).
var cookieAttributes = set("expires max-age domain path secure httponly samesite partitioned priority version")

// challengeParameters say what is asked for, and not with which secret.
var challengeParameters = set("realm charset algorithm qop stale domain scope error error_description error_uri resource resource_metadata authorization_uri as_uri title userhash client_id trusted_issuers")

func set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}
