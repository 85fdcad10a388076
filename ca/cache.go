package ca

import (
	"container/list"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"

	"explainer/ca/verify"
)

const maxLeaves = 1024

// cache keeps the leaves that were asked for last.
type cache struct {
	mu      sync.Mutex
	entries map[cacheKey]*list.Element // of *entry
	order   list.List                  // the last used in front
}

type cacheKey struct {
	names               string // joined by NUL, which no clean name contains
	key                 Key
	origin, staple      [32]byte // SHA-256
	textbook            bool
	notBefore, notAfter int64 // Unix seconds
	faults              string
}

// entry is a leaf or the making of one.
type entry struct {
	key  cacheKey
	done chan struct{} // closed when cert and err are there
	cert *tls.Certificate
	err  error
}

// Leaf returns a certificate for the spec, with its own key and Leaf filled in.
// The chain to send is the leaf and then the authority's certificate: clients
// that pin the authority's key look for it there.
//
// It is made when it is first asked for, once however many ask at the same
// time, and then kept among the 1024 leaves that were asked for last until a
// day before its end. When ctx ends Leaf returns its error; the making goes
// on, for whoever asks next. A failure is not kept.
//
// The result is the caller's copy: it may be given another PrivateKey that
// wraps the one it has. What the
// fields point at is shared and must not be changed.
func (a *Authority) Leaf(ctx context.Context, spec Spec) (*tls.Certificate, error) {
	if spec.NotBefore.IsZero() != spec.NotAfter.IsZero() {
		return nil, errors.New("a leaf needs both of its dates or neither")
	}
	for _, id := range spec.Faults {
		if verify.ReasonOf(id).Fate != verify.Mirrored || spec.Origin == nil {
			return nil, fmt.Errorf("no leaf can mirror the fault %q", id)
		}
	}
	names := cleanNames(spec.Names)
	if len(names) == 0 {
		return nil, fmt.Errorf("no leaf for %.200q: %w", spec.Names, errNoNames)
	}
	if err := checkDates(a.cert, a.now()); err != nil {
		return nil, fmt.Errorf("no leaf for %s: %w", names[0].text, err)
	}
	e := a.entry(names, spec)
	select {
	case <-e.done:
	default:
		select {
		case <-e.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if e.err != nil {
		return nil, e.err
	}
	cert := *e.cert
	return &cert, nil
}

// entry returns the cached entry, begun here if there is none that will do.
func (a *Authority) entry(names []certName, spec Spec) *entry {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = n.text
	}
	key := cacheKey{
		names: strings.Join(texts, "\x00"), key: spec.Key, textbook: spec.Textbook, staple: sha256.Sum256(spec.Staple),
		notBefore: spec.NotBefore.Unix(), notAfter: spec.NotAfter.Unix(), faults: strings.Join(spec.Faults, " "),
	}
	if spec.Origin != nil {
		key.origin = sha256.Sum256(spec.Origin.Raw)
	}

	c := &a.leaves
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.entries[key]; ok {
		if e := at.Value.(*entry); !a.outlived(e, spec) {
			c.order.MoveToFront(at)
			return e
		}
		c.remove(at)
	}
	e := &entry{key: key, done: make(chan struct{})}
	if c.entries == nil {
		c.entries = make(map[cacheKey]*list.Element)
	}
	at := c.order.PushFront(e)
	c.entries[key] = at
	if c.order.Len() > maxLeaves {
		c.remove(c.order.Back())
	}
	go func() {
		e.cert, e.err = a.mint(names, spec)
		if e.err != nil {
			c.mu.Lock()
			if c.entries[key] == at {
				c.remove(at)
			}
			c.mu.Unlock()
		}
		close(e.done)
	}()
	return e
}

// outlived reports that the entry is made and near the end of a validity that
// was ours to choose.
func (a *Authority) outlived(e *entry, spec Spec) bool {
	select {
	case <-e.done:
		return spec.NotAfter.IsZero() && spec.Origin == nil && a.stale(e.cert.Leaf, a.now())
	default:
		return false
	}
}

func (c *cache) remove(at *list.Element) {
	delete(c.entries, at.Value.(*entry).key)
	c.order.Remove(at)
}
