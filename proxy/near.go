package proxy

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"explainer/capture"
	"explainer/capture/web"
)

// errNear is a request of a web page for a service of this machine or its private network.
var errNear = said("detail/near", nil)

// placeOf returns where an address leads; the machine's own in its networks lead to it.
func placeOf(ip netip.Addr) web.Place {
	ip = ip.Unmap().WithZone("")
	place := web.PlaceOf(ip)
	if place == web.Here {
		return place
	}
	own, _ := net.InterfaceAddrs()
	if slices.ContainsFunc(own, func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && prefix.Addr().WithZone("") == ip
	}) {
		return web.Here
	}
	return place
}

// decides reports whether the target's address is the proxy's to judge: the user said
// where mapped names lead, and an upstream proxy looks up names itself.
func (p *Proxy) decides(to target) bool {
	return p.RefuseLocal && !p.isSite(to) && p.mapped(to) == ""
}

// misleads reports whether a name leads where a page that has it must not get (DNS
// rebinding, which no request tells of): to this machine or its link, or nearer than before.
func (p *Proxy) misleads(to target, ip netip.Addr) bool {
	if !p.decides(to) || !web.IsName(to.host) {
		return false
	}
	place := placeOf(ip)
	p.mu.Lock()
	before, known := p.places.Before(to.host)
	p.mu.Unlock()
	return place == web.Here || ip.Unmap().IsLinkLocalUnicast() || known && web.PlaceOf(before) < place
}

// led notes where the target's name led.
func (p *Proxy) led(to target, o *Tap) {
	if p.decides(to) {
		p.mu.Lock()
		p.places.Led(to.host, addrPort(o.RemoteAddr()).Addr())
		p.mu.Unlock()
	}
}

// place returns where the target is: at the end of o, unless that leads to an upstream proxy. scheme is as for [Proxy.upstream].
func (p *Proxy) place(scheme string, to target, o *Tap) web.Place {
	switch {
	case !p.decides(to):
		return web.Elsewhere
	case p.upstream(scheme, to) != nil:
		return web.PlaceOfHost(to.host)
	}
	return placeOf(addrPort(o.RemoteAddr()).Addr())
}

// bars reports whether a request, whose fields get reads, is of a page that is farther away than the target.
func (p *Proxy) bars(method string, get func(name string) string, to target, place web.Place) bool {
	page, ok := web.PageOf(method, get)
	if place == web.Elsewhere || !ok {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return page.Nears(to.host, place, &p.places)
}

// get returns the first field of that name.
func (h *head) get(name string) string {
	for _, l := range h.lines {
		if strings.EqualFold(l.name, name) {
			return l.value
		}
	}
	return ""
}

// A doorkeeper reads the requests that pass a relay to a service of this machine or its private network.
type doorkeeper struct {
	p     *Proxy
	to    target
	place web.Place

	mu     sync.Mutex
	web    *web.Conn
	spoke  bool   // the origin has said something
	asked  bool   // a request was let in
	kept   []byte // what came before that
	barred bool
}

// doorkeeper returns one for what leads to the target, or nil where none is needed.
func (p *Proxy) doorkeeper(to target, o *Tap) *doorkeeper {
	place := p.place("https", to, o)
	if place == web.Elsewhere {
		return nil
	}
	return &doorkeeper{p: p, to: to, place: place, web: web.New()}
}

// hears is given what the origin says: without it what the client says is not understood.
func (d *doorkeeper) hears(b []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.spoke = true
	d.web.Feed(int(capture.Server), b, web.Mark{})
}

// lets reports whether what the client says may pass.
func (d *doorkeeper) lets(b []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.asked && len(d.kept) < keptLimit {
		d.kept = append(d.kept, b...)
	}
	for _, item := range d.web.Feed(int(capture.Client), b, web.Mark{}) {
		if head, ok := item.Body.(*web.Head); ok && head.Request && item.From == int(capture.Client) {
			if d.p.bars(head.Method, head.Get, d.to, d.place) {
				d.barred = true
				return false
			}
			d.asked, d.kept = true, nil
		}
	}
	return true
}

// stops reports whether the relay is to end because a request was refused.
func (d *doorkeeper) stops() bool {
	_, yes := d.refused()
	return yes
}

// refused reports whether a request was refused; asked is what is to be answered, nothing where another came before
// it or the origin has spoken, as one of HTTP/2 may at once: nobody else can go on with what it began.
func (d *doorkeeper) refused() (asked []byte, yes bool) {
	if d == nil {
		return nil, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asked || d.spoke || len(d.kept) >= keptLimit {
		return nil, d.barred
	}
	return d.kept, d.barred
}
