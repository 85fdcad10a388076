package proxy

import (
	"cmp"
	"net/http"
	"strings"

	"explainer/annotate/words"

	"golang.org/x/text/language"
)

// languages are those of the pages.
var languages = language.NewMatcher(func() (tags []language.Tag) {
	for _, l := range words.Languages {
		tags = append(tags, language.MustParse(l.Tag()))
	}
	return tags
}())

// longestAsked bounds what is read of the languages that a client asks for, in bytes: each costs time.
const longestAsked = 1 << 10

// languageOf returns the language in which to answer a request: of those that it asks
// for the best that there is (RFC 9110 12.5.4), or otherwise another.
func languageOf(asked http.Header, otherwise words.Language) words.Language {
	field := strings.Join(asked.Values("Accept-Language"), ",")
	if len(field) > longestAsked {
		return cmp.Or(otherwise, words.English)
	}
	if tags, _, err := language.ParseAcceptLanguage(field); err == nil {
		if _, i, sure := languages.Match(tags...); sure > language.No {
			return words.Languages[i]
		}
	}
	return cmp.Or(otherwise, words.English)
}
