package web

import (
	"net"
	"net/netip"
	"strings"
)

// A Place says how near to this machine somebody is. The nearer one is the larger.
type Place uint8

const (
	Elsewhere Place = iota
	Private         // in a private network (RFC 1918 3, RFC 4193 3, RFC 6598 7) or on the same link (RFC 3927 2.1, RFC 4291 2.5.6)
	Here            // this machine
)

var shared = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598 7

// PlaceOf returns where an address leads. The machine's own addresses in a network
// are not known here.
func PlaceOf(a netip.Addr) Place {
	a = a.Unmap()
	switch {
	case a.IsLoopback(), a.IsUnspecified():
		return Here
	case a.IsPrivate(), a.IsLinkLocalUnicast(), shared.Contains(a):
		return Private
	}
	return Elsewhere
}

// PlaceOfHost returns where a host, with or without a port, is by what is written:
// localhost (RFC 6761 6.3) or an address. Of other names that says nothing: Elsewhere.
func PlaceOfHost(host string) Place {
	host = hostOf(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return Here
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return PlaceOf(a)
	}
	return Elsewhere
}

// hostOf is a host in lower case, without port, brackets and the dot at its end.
func hostOf(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// IsName reports whether a host, with or without a port, is a name whose address
// its owner decides: no address, and not localhost.
func IsName(host string) bool {
	_, err := netip.ParseAddr(hostOf(host))
	return err != nil && PlaceOfHost(host) == Elsewhere
}

// maxNames bounds how many names a Places remembers.
const maxNames = 1 << 14

// Places remembers where names have led, as far as maxNames go. The zero value is ready for use.
type Places struct{ led map[string]netip.Addr }

// Led notes that a host's name led to an address; the farthest counts.
func (p *Places) Led(host string, to netip.Addr) {
	if !IsName(host) {
		return
	}
	host = hostOf(host)
	before, known := p.led[host]
	switch {
	case known && PlaceOf(before) <= PlaceOf(to), !known && len(p.led) >= maxNames:
		return
	case p.led == nil:
		p.led = map[string]netip.Addr{}
	}
	p.led[host] = to.Unmap()
}

// Before returns the farthest address to which a host's name has led.
func (p *Places) Before(host string) (netip.Addr, bool) {
	a, known := p.led[hostOf(host)]
	return a, known
}

// A Page is the web page that had a browser send a request.
type Page struct {
	Host  string // without a port; "" where the request hides it
	Field string // the header field that says so
}

// PageOf returns what the fields of a request, read with get, say of the page behind it
// (RFC 6454 7; Fetch Metadata Request Headers, W3C). ok is false where they name none,
// and where a person only followed a link: that is how programs have themselves called back.
func PageOf(method string, get func(name string) string) (page Page, ok bool) {
	site := get("Sec-Fetch-Site")
	if (method == "GET" || method == "HEAD") && get("Sec-Fetch-Mode") == "navigate" && get("Sec-Fetch-Dest") == "document" {
		return Page{}, false
	}
	if origin := get("Origin"); origin != "" {
		_, host, _ := strings.Cut(origin, "://") // or "null" (RFC 6454 7.3)
		return Page{hostOf(host), "Origin"}, true
	}
	referer := get("Referer")
	if _, host, found := strings.Cut(referer, "://"); found && site != "none" {
		host, _, _ = strings.Cut(host, "/")
		host, _, _ = strings.Cut(host, "?")
		return Page{hostOf(host[strings.LastIndexByte(host, '@')+1:]), "Referer"}, true
	}
	return Page{"", "Sec-Fetch-Site"}, site == "cross-site"
}

// Nears reports whether the page is farther away than the host that it asks for, which
// is at to; where names have led before counts for the page's.
func (page Page) Nears(host string, to Place, places *Places) bool {
	from := PlaceOfHost(page.Host)
	if a, known := places.Before(page.Host); known {
		from = PlaceOf(a)
	}
	return to > from && (page.Host == "" || page.Host != hostOf(host))
}
