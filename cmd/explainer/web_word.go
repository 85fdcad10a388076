package main

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/page"
	"explainer/annotate/story"
	"explainer/capture"
)

// maxWord bounds a word that is looked for, in bytes.
const maxWord = 400

// word answers with where a word stands in what a session sent.
func (w *shelf) word(rw http.ResponseWriter, r *http.Request) {
	v, ok := w.view(rw, r)
	if !ok {
		return
	}
	n, _ := strconv.Atoi(r.PathValue("n"))
	conns := w.book.Conns(n)
	if len(conns) == 0 {
		noSession(rw)
		return
	}
	x := &page.Word{Text: strings.TrimSpace(r.URL.Query().Get("w"))}
	if x.Text != "" && len(x.Text) <= maxWord {
		for _, conn := range conns[:min(len(conns), 2)] { // the client's leg and the origin's
			leg, err := w.find(r.Context(), n, conn, x.Text)
			if err != nil {
				x.Wrong = story.WordsOf(err)
				break
			}
			x.Legs = append(x.Legs, leg)
		}
	}
	w.show(rw, func(b *bytes.Buffer) error { return v.Word(b, n, x) })
}

// find finds it in a copy of one connection.
func (w *shelf) find(ctx context.Context, session, conn int, word string) (page.WordLeg, error) {
	b := w.breaks.Load()
	if b == nil {
		return page.WordLeg{}, errNoRecording
	}
	s, done, err := b.take(ctx, conn, w.book.Version(session))
	if err != nil {
		return page.WordLeg{}, b.kept.because(err)
	}
	defer done()
	found := s.Find(word)
	leg := page.WordLeg{Conn: conn, Client: found.Streams[capture.Client], Server: found.Streams[capture.Server], Sealed: found.Sealed, Clear: found.Clear, Inside: found.Inside, More: found.More}
	for _, e := range s.Events() {
		if e.Conn == conn && e.Kind != event.KindEnd && e.Leg != "" {
			leg.Leg = e.Leg
		}
		if e.Conn == conn && (e.QUIC != nil || e.Topic == "dtls-connection") {
			leg.UDP = true
		}
	}
	for _, of := range found.Sightings {
		leg.Sightings = append(leg.Sightings, page.Sighting(of))
	}
	return leg, nil
}
