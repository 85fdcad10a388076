package web

import "strings"

const (
	bodyPreview = 512     // bytes of content told
	maxPreviews = 4 << 20 // collected at one time for the previews of one connection
)

// wanted returns how many bytes of a body its preview needs.
func wanted(codings []string, have []byte) int {
	return bodyPreview
}

// decode undoes the codings, given in the order in which they were applied.
func decode(codings []string, enc []byte, whole bool) ([]byte, string) {
	if len(codings) > 0 {
		return nil, "coding " + codings[0] + " is not read here"
	}
	return enc, ""
}

// codings lists the codings of a field, those left out that change nothing.
func codings(value string) []string {
	var list []string
	for _, s := range tokens(value) {
		if s = strings.ToLower(s); s != "identity" && s != "chunked" {
			list = append(list, s)
		}
	}
	return list
}
