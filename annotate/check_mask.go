package annotate

import (
	"regexp"
	"strings"
)

// A giving is what the argument behind an option gives away.
type giving int

const (
	givesNothing giving = iota
	givesSecret         // all of it
	givesPair           // a password, behind the user's name and a colon
	givesCookies        // the values of name=value pairs
)

// longGivings are options whose argument holds a credential, although their names do not say so.
var longGivings = map[string]giving{
	"user": givesPair, "proxy-user": givesPair, "userpwd": givesPair, "userinfo": givesPair,
	"cookie": givesCookies, "cookies": givesCookies,
	"pass": givesSecret, "proxy-pass": givesSecret, "pwd": givesSecret, "auth": givesPair, "authorization": givesSecret,
}

// curlGivings are the options of curl with one letter.
var curlGivings = map[byte]giving{'u': givesPair, 'U': givesPair, 'b': givesCookies}

// givingOf tells what the value of an option gives away; value is there if it stands in the same word.
func givingOf(option, program string) (g giving, value string, joined bool) {
	if len(option) < 2 || option[0] != '-' {
		return givesNothing, "", false
	}
	if program == "curl" && option[1] != '-' {
		g = curlGivings[option[1]]
		return g, option[2:], g != givesNothing && len(option) > 2
	}
	name, value, joined := strings.Cut(strings.TrimLeft(option, "-"), "=")
	name = strings.ToLower(name)
	g, known := longGivings[name]
	if !known && len(name) > 1 && credentialName.MatchString(name) {
		g = givesSecret
	}
	return g, value, joined
}

// given masks what an option's argument gives away.
func given(value string, g giving) string {
	switch g {
	case givesSecret:
		return masked(len(value))
	case givesPair:
		if name, password, ok := strings.Cut(value, ":"); ok {
			return name + ":" + masked(len(password))
		}
	case givesCookies:
		if strings.Contains(value, "=") { // else it is a file's name
			return maskPairs(value, ";")
		}
	}
	return value
}

// arguments masks what a command line may hold of passwords and the like.
func (j *Judge) arguments(command []string) []string {
	program := programOf(command)
	var out []string
	next := givesNothing
	for _, a := range command {
		out = append(out, clip(j.argument(a, program, &next)))
	}
	return out
}

// argument masks one argument. next is what the one before it said about it, and
// is set to what it says about the one behind it.
func (j *Judge) argument(a, program string, next *giving) string {
	if j.ShowSecrets {
		return a
	}
	if g := *next; g != givesNothing {
		*next = givesNothing
		return given(a, g)
	}
	if g, value, joined := givingOf(a, program); joined {
		if g != givesNothing {
			return a[:len(a)-len(value)] + given(value, g)
		}
		return a[:len(a)-len(value)] + j.argument(value, program, next)
	} else if g != givesNothing {
		*next = g
		return a
	}
	if name, value, ok := strings.Cut(a, ":"); ok && !strings.HasPrefix(value, "//") && name != "" && !strings.ContainsAny(name, " {}/=") {
		lead := value[:len(value)-len(strings.TrimLeft(value, " "))]
		return name + ":" + lead + j.mask.header(name, value[len(lead):])
	}
	if strings.ContainsAny(a, " \t\n") && !strings.ContainsAny(a, "{<") { // a shell's words
		inner := givesNothing
		return shellWord.ReplaceAllStringFunc(j.prose(a), func(w string) string {
			if strings.Contains(w, "****") || strings.Contains(w, "://") {
				inner = givesNothing
				return w
			}
			return j.argument(w, program, &inner)
		})
	}
	return j.mask.body(j.mask.target(a), "")
}

var (
	shellWord = regexp.MustCompile(`\S+`)
	// In what programs say, and in a shell's commands.
	urlInProse    = regexp.MustCompile(`[a-z]+://[^\s'"<>]+`)
	headerInProse = regexp.MustCompile(`(?i)\b(proxy-authorization|authorization|cookie|set-cookie|x-[a-z-]*(?:key|token|secret))(:\s*)([^'"\r\n]+)`)
	pairInProse   = regexp.MustCompile(`([A-Za-z][A-Za-z0-9_.-]*)=([^\s&;,'"]+)`)
)

// prose masks credentials in a line of text: in URLs, header fields and name=value pairs.
func (j *Judge) prose(line string) string {
	if j.ShowSecrets {
		return line
	}
	line = headerInProse.ReplaceAllStringFunc(line, func(m string) string {
		sub := headerInProse.FindStringSubmatch(m)
		return sub[1] + sub[2] + j.mask.header(sub[1], sub[3])
	})
	line = urlInProse.ReplaceAllStringFunc(line, j.mask.target)
	return pairInProse.ReplaceAllStringFunc(line, func(m string) string {
		sub := pairInProse.FindStringSubmatch(m)
		if low := strings.ToLower(sub[1]); strings.HasPrefix(sub[2], "****") || !credentialName.MatchString(low) && longGivings[low] != givesSecret {
			return m
		}
		return sub[1] + "=" + masked(len(sub[2]))
	})
}
