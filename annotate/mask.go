package annotate

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// One rule masks credentials, here and nowhere else: the name stays, the value
// becomes a count of its bytes. It is applied when an event is made, so that
// text, JSON and page agree. Keys of TLS connections and what they are made
// from are masked too: whoever has them reads everything.

// masked stands for a value of n bytes.
func masked(n int) string { return "**** (" + plural(n, "byte") + " masked)" }

// credentialHeaders are header fields whose whole value is a credential, but
// for an authentication scheme's name or a cookie's name.
var credentialHeaders = map[string]bool{
	"authorization":             true,
	"proxy-authorization":       true,
	"authentication-info":       true,
	"proxy-authentication-info": true,
	"cookie":                    true,
	"set-cookie":                true,
	"cookie2":                   true,
	"set-cookie2":               true,
	"x-api-key":                 true,
	"api-key":                   true,
	"x-auth-token":              true,
	"x-access-token":            true,
	"x-csrf-token":              true,
	"x-xsrf-token":              true,
	"x-amz-security-token":      true,
	"x-goog-api-key":            true,
	"x-gitlab-token":            true,
	"x-vault-token":             true,
}

// credentialName finds names of form fields, query parameters, JSON members
// and header fields whose value is most likely a credential.
var credentialName = regexp.MustCompile(`(?i)password|passwd|passphrase|passcode|sess(ion)?[-_]?id|secret|token|api[-_]?key|credential|signature|card[-_]?(no|num)|bearer|csrf|xsrf|assertion`)

// shortName finds short ones, which count only as whole words: "design" and
// "shipping" have nothing to do with "sig" and "pin".
var shortName = regexp.MustCompile(`(?i)(^|[^a-z])(pass|pwd|auth|session(_?id)?|sid|sig|otp|pin|cvv|cvc|iban|ssn|jwt|key|code|state|nonce|ticket)($|[^a-z])`)

func isCredentialName(name string) bool {
	return credentialName.MatchString(name) || shortName.MatchString(splitCamel(name))
}

// splitCamel puts a separator before each capital that follows a small letter: "sessionId" to "session_Id".
func splitCamel(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if i > 0 && s[i] >= 'A' && s[i] <= 'Z' && s[i-1] >= 'a' && s[i-1] <= 'z' {
			b.WriteByte('_')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// isCredentialHeader finds the names of header fields with credentials, which
// come again and again: to match them anew was two fifths of a request's story.
func (x *Explainer) isCredentialHeader(low string) bool {
	is, known := x.headerNames[low]
	if !known {
		is = credentialName.MatchString(low) // Sec-WebSocket-Key and Status-Code are none
		if x.headerNames == nil {
			x.headerNames = make(map[string]bool)
		}
		if len(x.headerNames) < maxHeaderNames && len(low) <= 64 {
			x.headerNames[strings.Clone(low)] = is
		}
	}
	return is
}

// maxHeaderNames bounds the names that are remembered, however many a capture has.
const maxHeaderNames = 1024

// header masks the value of one header field.
func (x *Explainer) header(name, value string) string {
	if x.ShowSecrets {
		return value
	}
	low := strings.ToLower(name)
	switch {
	case low == "cookie" || low == "cookie2":
		return maskPairs(value, ";")
	case low == "set-cookie" || low == "set-cookie2":
		pair, attributes, more := strings.Cut(value, ";")
		out := maskPairs(pair, ";")
		if more {
			out += ";" + attributes
		}
		return out
	case low == "authorization" || low == "proxy-authorization":
		// The scheme's name teaches something and is no secret.
		if scheme, rest, ok := strings.Cut(value, " "); ok && len(scheme) <= 16 {
			return scheme + " " + masked(len(rest))
		}
		return masked(len(value))
	case credentialHeaders[low] || x.isCredentialHeader(low) && low != "www-authenticate" && low != "proxy-authenticate":
		return masked(len(value))
	case low == "referer" || low == "location" || low == "content-location" || low == "origin" || low == "link" || low == "refresh":
		return x.target(value)
	}
	return value
}

// maskPairs masks the values of name=value pairs, and a value without a name.
func maskPairs(s, sep string) string {
	parts := strings.Split(s, sep)
	for i, p := range parts {
		lead := p[:len(p)-len(strings.TrimLeft(p, " "))]
		p = p[len(lead):]
		if p == "" {
			continue
		}
		if name, value, ok := strings.Cut(p, "="); ok {
			parts[i] = lead + name + "=" + masked(len(value))
		} else {
			parts[i] = lead + masked(len(p))
		}
	}
	return strings.Join(parts, sep)
}

// target masks credentials in a request target or URL: a password before "@",
// and the values of query parameters (also in the fragment) with telling names.
func (x *Explainer) target(s string) string {
	if x.ShowSecrets {
		return s
	}
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		authority, _, _ := strings.Cut(rest, "/")
		if user, host, ok := cutLast(authority, "@"); ok {
			if name, password, ok := strings.Cut(user, ":"); ok {
				user = name + ":" + masked(len(password))
			}
			s = scheme + "://" + user + "@" + host + rest[len(authority):]
		}
	}
	// Parameters of a path segment (RFC 3986 3.3), where ;jsessionid= has its place.
	end := strings.IndexAny(s, "?#")
	if end < 0 {
		end = len(s)
	}
	if path, parameters, ok := strings.Cut(s[:end], ";"); ok {
		s = path + ";" + maskQuery(parameters) + s[end:]
	}
	for _, mark := range []string{"?", "#"} {
		if before, query, ok := strings.Cut(s, mark); ok {
			s = before + mark + maskQuery(query)
		}
	}
	return s
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// maskQuery masks values with telling names in a=b&c=d, and leaves the rest as it was.
func maskQuery(q string) string {
	parts := splitKeep(q, "&;")
	for i, p := range parts {
		name, value, ok := strings.Cut(p, "=")
		if !ok || value == "" {
			continue
		}
		plain, err := url.QueryUnescape(name)
		if err != nil {
			plain = name
		}
		if isCredentialName(plain) {
			end := ""
			if n := len(value); value[n-1] == '&' || value[n-1] == ';' {
				value, end = value[:n-1], value[n-1:]
			}
			parts[i] = name + "=" + masked(len(value)) + end
		}
	}
	return strings.Join(parts, "")
}

// splitKeep cuts s after each of the separators, which stay with the piece before them.
func splitKeep(s, seps string) []string {
	var out []string
	for s != "" {
		i := strings.IndexAny(s, seps)
		if i < 0 {
			return append(out, s)
		}
		out = append(out, s[:i+1])
		s = s[i+1:]
	}
	return out
}

// jsonSecret finds a JSON member with a string or number, also one that the preview cuts off.
var jsonSecret = regexp.MustCompile(`"((?:[^"\\]|\\.){1,64})"(\s*:\s*)("(?:[^"\\]|\\.)*"?|[0-9][0-9.eE+-]*)`)

// body masks a preview of a message's content by its media type. A form's
// values are all masked: what people type into forms is theirs.
func (x *Explainer) body(preview, contentType string) string {
	if x.ShowSecrets {
		return preview
	}
	kind := strings.ToLower(strings.TrimSpace(strings.SplitN(contentType, ";", 2)[0]))
	switch {
	case kind == "application/x-www-form-urlencoded":
		return maskPairs(preview, "&")
	case strings.HasPrefix(kind, "multipart/"):
		return masked(len(preview))
	}
	preview = jsonSecret.ReplaceAllStringFunc(preview, func(m string) string {
		sub := jsonSecret.FindStringSubmatch(m)
		if !isCredentialName(sub[1]) {
			return m
		}
		return `"` + sub[1] + `"` + sub[2] + `"` + masked(len(strings.Trim(sub[3], `"`))) + `"`
	})
	// a=b&c=d without a media type, or with a wrong one
	if !strings.ContainsAny(preview, "<>{}\n ") && strings.Contains(preview, "=") {
		preview = maskQuery(preview)
	}
	return preview
}

// secret is the value of a key or of what keys are made from.
func (x *Explainer) secret(b []byte) string {
	if x.ShowSecrets {
		return hex.EncodeToString(b)
	}
	return masked(len(b))
}

// hexLen shows the first bytes and the length.
func hexLen(b []byte) string {
	const show = 16
	if len(b) <= show+4 {
		return hex.EncodeToString(b)
	}
	return fmt.Sprintf("%s... (%d bytes)", hex.EncodeToString(b[:show]), len(b))
}
