package main

import (
	"context"
	"html/template"
	"strconv"
	"strings"
	"sync"
	"time"

	"explainer/annotate/event"
	"explainer/annotate/page"
	"explainer/annotate/words"
	"explainer/ca"
)

// maxStories bounds the connections of the built-in sites whose steps are kept for their pages.
const maxStories = 64

// A stories keeps what is told of the connections of the built-in sites, for the pages that they brought.
type stories struct {
	mu    sync.Mutex
	told  map[ends]*event.Event
	order []ends                  // of told, the oldest first
	cases map[string]*event.Event // by the ID of a fault: the newest connection with its site
	more  chan struct{}           // closed when one more is told
}

// ends are the addresses of the two ends of a connection.
type ends struct{ client, server string }

func newStories() *stories {
	return &stories{told: map[ends]*event.Event{}, cases: map[string]*event.Event{}, more: make(chan struct{})}
}

// see takes the next event.
func (s *stories) see(e *event.Event) {
	if e.Kind != event.KindSummary || !strings.HasSuffix("."+e.Host, "."+event.SiteDomain) {
		return
	}
	kept := *e
	s.mu.Lock()
	defer s.mu.Unlock()
	if id := strings.TrimSuffix(e.Host, "."+event.SiteDomain); ca.FaultOf(id) != nil {
		s.cases[id] = &kept
		close(s.more)
		s.more = make(chan struct{})
		return
	}
	for _, l := range e.Summary.Legs {
		if l.Leg != "origin" {
			continue
		}
		at := ends{l.From, l.To}
		if s.told[at] == nil {
			s.order = append(s.order, at)
		}
		s.told[at] = &kept
		if len(s.order) > maxStories {
			delete(s.told, s.order[0])
			s.order = s.order[1:]
		}
		close(s.more)
		s.more = make(chan struct{})
	}
}

// Steps implements [proxy.Stories].
func (s *stories) Steps(ctx context.Context, client, server string, l words.Language) (template.HTML, bool) {
	for {
		s.mu.Lock()
		e, more := s.told[ends{client, server}], s.more
		s.mu.Unlock()
		if e != nil {
			return page.Steps(e, l), true
		}
		select {
		case <-more:
		case <-ctx.Done():
			return page.Steps(nil, l), false
		}
	}
}

// Refusal implements [proxy.Stories].
func (s *stories) Refusal(ctx context.Context, host, since string, l words.Language) string {
	from, err := time.Parse(time.RFC3339Nano, since)
	if err != nil {
		return ""
	}
	for {
		s.mu.Lock()
		e, more := s.cases[strings.TrimSuffix(host, "."+event.SiteDomain)], s.more
		s.mu.Unlock()
		if e != nil {
			at, err := time.Parse(time.RFC3339Nano, e.Time)
			if trouble := e.Summary.Legs[0].Trouble; err == nil && !at.Before(from) && trouble != nil {
				return l.In(words.Piece("faults/told", "n", strconv.Itoa(e.Session), "says", trouble.Says))
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ""
		}
	}
}

// Style implements [proxy.Stories].
func (*stories) Style() template.CSS { return page.StepsStyle }
