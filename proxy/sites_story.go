package proxy

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"html/template"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/words"
	"explainer/ca"
)

// storyTime is how long an answer to that waits for the story, which follows the traffic.
const storyTime = 10 * time.Second

// An ownStory is what a page needs to show the steps of the connection that brought it.
type ownStory struct {
	URL   string        // where they are told
	Steps template.HTML // until then
	Style template.CSS
}

// ownStory names the connection that brought a request; nil where nothing is told of it: one without TLS has no such steps.
func (s *Sites) ownStory(r *http.Request, otherwise words.Language) *ownStory {
	if s.stories == nil || r.TLS == nil {
		return nil
	}
	done, cancel := context.WithCancel(r.Context())
	cancel()
	steps, _ := s.stories.Steps(done, "", "", languageOf(r.Header, otherwise))
	return &ownStory{URL: event.StoryPath + "?" + url.Values{"of": {r.RemoteAddr}, "by": {s.nameOf(r.RemoteAddr)}}.Encode(), Steps: steps, Style: s.stories.Style()}
}

// nameOf is what only a page that a connection brought knows of it, so that nobody asks for another's.
func (s *Sites) nameOf(client string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(client))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// serveStory answers with the steps of the connection that a page names, or with why a case was refused.
func (s *Sites) serveStory(otherwise words.Language) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), storyTime)
		defer cancel()
		if f := ca.FaultOf(r.FormValue("case")); f != nil {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.Header().Set("Cache-Control", "no-store")
			says := s.stories.Refusal(ctx, f.ID+"."+siteDomain, r.FormValue("since"), languageOf(r.Header, otherwise))
			if says == "" {
				w.WriteHeader(http.StatusAccepted)
			}
			io.WriteString(w, says)
			return
		}
		client := r.FormValue("of")
		server, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		data := map[string]any{"Page": "story", "Title": words.Piece("site/story-title"), "What": words.Piece("site/story")}
		if server == nil || !hmac.Equal([]byte(r.FormValue("by")), []byte(s.nameOf(client))) {
			data["Why"] = words.Piece("site/story-gone")
			showSite(w, r, otherwise, http.StatusNotFound, data)
			return
		}
		steps, told := s.stories.Steps(ctx, client, server.String(), languageOf(r.Header, otherwise))
		data["Story"] = &ownStory{Steps: steps, Style: s.stories.Style()}
		status := http.StatusOK
		if !told {
			status = http.StatusAccepted
			data["Why"] = words.Piece("site/story-late")
		}
		showSite(w, r, otherwise, status, data)
	}
}
