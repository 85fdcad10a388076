package main

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/annotate/story"
	"explainer/annotate/words"

	"github.com/urfave/cli/v2"
)

// selectFlags choose among the connections of a capture; several must all hold.
var selectFlags = []cli.Flag{
	&cli.StringSliceFlag{Name: "connection", Usage: "tell connection `N` alone, or those from 3-7 (repeatable)"},
	&cli.StringSliceFlag{Name: "host", Usage: "tell the connections to `HOST` alone; * matches any part (repeatable)"},
	&cli.StringSliceFlag{Name: "step", Usage: "tell step `N` alone: 1 to 8, or a part of one as 4a (repeatable)"},
	&cli.StringFlag{Name: "verdict", Usage: "tell the connections with a step that went thus: `" + strings.Join(verdictNames(), "|") + "`; with --step, that step"},
	&cli.BoolFlag{Name: "only-failed", Usage: "tell the connections that failed, or of which something was refuted", DisableDefaultText: true},
}

var allVerdicts = []event.Verdict{event.AsTold, event.Differently, event.Unseen, event.Inherited, event.Absent, event.Failed, event.NotReached, event.Unknown}

func verdictNames() []string {
	var names []string
	for _, v := range allVerdicts {
		names = append(names, string(v))
	}
	return names
}

// newSelection reads the flags; nil where nothing is asked for.
func newSelection(c *cli.Context) (*story.Selection, error) {
	s := new(story.Selection)
	var asked []string
	for _, list := range c.StringSlice("connection") {
		asked = append(asked, "--connection "+list)
		for _, text := range strings.Split(list, ",") {
			from, to, is := strings.Cut(strings.TrimSpace(text), "-")
			if !is {
				to = from
			}
			a, err1 := strconv.Atoi(from)
			b, err2 := strconv.Atoi(to)
			if err1 != nil || err2 != nil || a < 1 || b < a {
				return nil, usage(words.Piece("error/connection", "value", quote(text)), words.Piece("hint/connection"))
			}
			s.Connections = append(s.Connections, [2]int{a, b})
		}
	}
	for _, h := range c.StringSlice("host") {
		asked = append(asked, "--host "+h)
		h = strings.ToLower(strings.TrimSuffix(h, "."))
		if _, err := path.Match(h, ""); err != nil || h == "" {
			return nil, usage(words.Piece("error/no-pattern", "option", "--host", "value", quote(h)), words.Piece("hint/host"))
		}
		s.Hosts = append(s.Hosts, h)
	}
	for _, list := range c.StringSlice("step") {
		asked = append(asked, "--step "+list)
		for _, text := range strings.Split(list, ",") {
			known := false
			for _, step := range event.Steps {
				if string(step) == text || strings.TrimRight(string(step), "abc") == text {
					if s.Steps == nil {
						s.Steps = map[event.Step]bool{}
					}
					s.Steps[step], known = true, true
				}
			}
			if !known {
				return nil, usage(words.Piece("error/no-step", "value", quote(text)), words.Piece("hint/steps"))
			}
		}
	}
	if v := c.String("verdict"); v != "" {
		asked = append(asked, "--verdict "+v)
		s.Verdict = event.Verdict(strings.ReplaceAll(v, " ", "-"))
		if !slices.Contains(allVerdicts, s.Verdict) {
			return nil, usage(words.Piece("error/no-verdict", "value", quote(v)), words.Piece("hint/verdicts", "verdicts", words.List(",", words.Names(verdictNames())...)))
		}
	}
	if s.Failed = c.Bool("only-failed"); s.Failed {
		asked = append(asked, "--only-failed")
	}
	if len(asked) == 0 {
		return nil, nil
	}
	s.Words = strings.Join(asked, " ")
	return s, nil
}
