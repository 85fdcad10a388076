package main

import (
	"crypto/rand"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"explainer/annotate/words"
	"explainer/proxy"

	"github.com/boombuler/barcode/qr"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

var allowFlag = &cli.StringSliceFlag{Name: "allow", Usage: "with --listen-host: let addresses in `CIDR` use the proxy without the credential (repeatable)"}

// access says who may use what listens on l, and tells the user; nil where only this machine can reach it.
func access(c *cli.Context, l net.Listener) (*proxy.Access, error) {
	var allow []netip.Prefix
	for _, s := range c.StringSlice("allow") {
		p, err := netip.ParsePrefix(s)
		if addr, e := netip.ParseAddr(s); e == nil {
			p, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return nil, usage(words.Piece("error/no-range", "value", quote(s)), words.Piece("hint/as-in", "example", "--allow 192.168.1.0/24"))
		}
		allow = append(allow, p)
	}
	at := l.Addr().(*net.TCPAddr)
	if at.IP.IsLoopback() {
		return nil, nil
	}
	a := &proxy.Access{Token: rand.Text(), Allow: allow}
	url := "http://" + net.JoinHostPort(outwards(at.IP), strconv.Itoa(at.Port)) + "/" + a.Token
	errw := c.App.ErrWriter
	say(errw, words.Piece("say/reachable", "address", at.String(), "url", url))
	if f, ok := errw.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if err := drawQR(errw, url); err != nil {
			return nil, failed(err)
		}
	}
	return a, nil
}

// outwards is the address under which other machines find this one: ip, or, where that
// is every address, the first that is not of this machine alone.
func outwards(ip net.IP) string {
	if !ip.IsUnspecified() {
		return ip.String()
	}
	addrs, _ := net.InterfaceAddrs()
	best := "127.0.0.1"
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && !n.IP.IsLoopback() {
			if n.IP.To4() != nil {
				return n.IP.String()
			}
			best = n.IP.String()
		}
	}
	return best
}

// drawQR draws text as a QR code, two rows of modules a line, dark on light as readers want it.
func drawQR(w io.Writer, text string) error {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return err
	}
	const quiet = 2
	size := code.Bounds().Dx()
	dark := func(x, y int) bool {
		if x < 0 || y < 0 || x >= size || y >= size {
			return false
		}
		r, _, _, _ := code.At(x, y).RGBA()
		return r == 0
	}
	var b strings.Builder
	for y := -quiet; y < size+quiet; y += 2 {
		b.WriteString("\x1b[30;107m")
		for x := -quiet; x < size+quiet; x++ {
			switch upper, lower := dark(x, y), dark(x, y+1); {
			case upper && lower:
				b.WriteRune('█')
			case upper:
				b.WriteRune('▀')
			case lower:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString("\x1b[0m\n")
	}
	_, err = io.WriteString(w, b.String())
	return err
}
