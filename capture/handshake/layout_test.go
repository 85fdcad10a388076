package handshake

import (
	"bytes"
	"strings"
	"testing"
)

// whole builds a message with its header.
func whole(typ Type, body []byte) []byte {
	return append([]byte{byte(typ), byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
}

// leaves returns the parts that hold no others, and fails where parts overlap
// or leave the part that holds them.
func leaves(t *testing.T, parts []Part, size int) []Part {
	t.Helper()
	var out []Part
	var open []Part
	for i, p := range parts {
		if p.Start < 0 || p.End < p.Start || p.End > size {
			t.Fatalf("part %d, %q, is [%d, %d) of %d bytes", i, p.Name, p.Start, p.End, size)
		}
		for len(open) > 0 && p.Start >= open[len(open)-1].End {
			open = open[:len(open)-1]
		}
		if len(open) > 0 && p.End > open[len(open)-1].End {
			t.Fatalf("%q [%d, %d) leaves %q [%d, %d)", p.Name, p.Start, p.End, open[len(open)-1].Name, open[len(open)-1].Start, open[len(open)-1].End)
		}
		if i+1 < len(parts) && p.End > p.Start && parts[i+1].Start < p.End {
			if parts[i+1].Start != p.Start {
				t.Fatalf("%q begins inside %q", parts[i+1].Name, p.Name)
			}
			open = append(open, p)
			continue
		}
		out = append(out, p)
	}
	return out
}

// TestLayout: the fields of every message tile it, whatever it is.
func TestLayout(t *testing.T) {
	n := 0
	for _, c := range cases() {
		body, ok := encode(c.want, c.ctx)
		if !ok {
			continue
		}
		n++
		msg := whole(c.want.Type(), body)
		at := 0
		for _, p := range leaves(t, Layout(msg, c.ctx), len(msg)) {
			if p.Start != at {
				t.Errorf("%s: %q begins at %d, the field before it ended at %d", TypeName(c.want.Type()), p.Name, p.Start, at)
			}
			at = p.End
		}
		if _, unknown := c.want.(*Unknown); at != len(msg) && !unknown {
			t.Errorf("%s: the fields end at %d of %d bytes", TypeName(c.want.Type()), at, len(msg))
		}
	}
	if n < 20 {
		t.Fatalf("only %d messages", n)
	}
}

// TestLayoutNames: a field's bytes are those that were put there.
func TestLayoutNames(t *testing.T) {
	hello := browserHello()
	body, _ := encode(hello, Context{})
	msg := whole(TypeClientHello, body)
	got := map[string][]byte{}
	for _, p := range Layout(msg, Context{}) {
		if _, twice := got[p.Name]; !twice {
			got[p.Name] = msg[p.Start:p.End]
		}
	}
	if !bytes.Equal(got["random"], hello.Random[:]) {
		t.Errorf("random: %x, want %x", got["random"], hello.Random)
	}
	name := hello.ServerName()
	if string(got["host_name"]) != name || name == "" {
		t.Errorf("host_name: %q, want %q", got["host_name"], name)
	}
	if alpn := hello.ALPN(); len(alpn) == 0 || string(got["protocol_name"]) != alpn[0] {
		t.Errorf("protocol_name: %q, want the first of %q", got["protocol_name"], alpn)
	}
	if len(got["cipher_suites"]) != 2*len(hello.CipherSuites) {
		t.Errorf("cipher_suites: %d bytes for %d suites", len(got["cipher_suites"]), len(hello.CipherSuites))
	}
	for name, b := range got {
		if strings.HasSuffix(name, " length") && len(b) > 3 {
			t.Errorf("%q has %d bytes", name, len(b))
		}
	}
}

// TestLayoutBounds: a hostile message has at most so many parts, and none outside of it.
func TestLayoutBounds(t *testing.T) {
	body, _ := encode(&ClientHello{CompressionMethods: []byte{0}, Extensions: make([]Extension, 16000)}, Context{})
	msg := whole(TypeClientHello, body)
	if n := len(Layout(msg, Context{})); n > maxParts+2 {
		t.Errorf("%d parts", n)
	}
	for n := range msg[:200] {
		leaves(t, Layout(msg[:n], Context{}), n)
	}
}
