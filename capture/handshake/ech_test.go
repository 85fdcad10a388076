package handshake

import (
	"bytes"
	"slices"
	"testing"

	"golang.org/x/crypto/cryptobyte"
)

// anExtension is one as it stands in a hello.
type anExtension struct {
	id   uint16
	data string
}

// aHello is a ClientHello without its header; behind it comes padding.
func aHello(session string, padding string, list ...anExtension) []byte {
	var b cryptobyte.Builder
	b.AddUint16(0x0303)
	b.AddBytes(bytes.Repeat([]byte{7}, 32))
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(session)) })
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddUint16(0x1301) })
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddUint8(0) })
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, e := range list {
			b.AddUint16(e.id)
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(e.data)) })
		}
	})
	b.AddBytes([]byte(padding))
	return b.BytesOrPanic()
}

var (
	innerMark = anExtension{ExtECH, "\x01"}
	outerMark = anExtension{ExtECH, "\x00\x00\x01\x00\x01\x07\x00\x02en\x00\x08whatever"}
	only13    = anExtension{ExtSupportedVersions, "\x02\x03\x04"}
	shares    = anExtension{ExtKeyShare, "\x00\x06\x00\x1d\x00\x02ab"}
	cover     = anExtension{ExtServerName, "\x00\x08\x00\x00\x05cover"}
	hidden    = anExtension{ExtServerName, "\x00\x09\x00\x00\x06hidden"}
	outerOf   = whole(TypeClientHello, aHello("session", "", cover, only13, shares, outerMark))
)

// taking takes over extensions of the hello in clear.
func taking(ids ...uint16) anExtension {
	var b cryptobyte.Builder
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, id := range ids {
			b.AddUint16(id)
		}
	})
	return anExtension{extECHOuterExtensions, string(b.BytesOrPanic())}
}

// innerHellos are what can be encrypted in outerOf, and why it is no hello that counts.
var innerHellos = []struct {
	what    string
	encoded []byte
	bad     BadInner
}{
	{"all its own", aHello("", "", innerMark, hidden, only13, shares), ""},
	{"padding", aHello("", "\x00\x00\x00", innerMark, hidden, only13, shares), ""},
	{"extensions of the outer", aHello("", "\x00", innerMark, hidden, taking(ExtSupportedVersions, ExtKeyShare)), ""},
	{"one of them", aHello("", "", hidden, taking(ExtKeyShare), innerMark, only13), ""},
	{"a version that means nothing", aHello("", "", innerMark, anExtension{ExtSupportedVersions, "\x04\x0a\x0a\x03\x04"}), ""},
	{"nothing", nil, BadInnerShape},
	{"cut", aHello("", "", innerMark, only13)[:50], BadInnerShape},
	{"a session id", aHello("x", "", innerMark, only13), BadInnerSession},
	{"padding that is not zeros", aHello("", "\x00\x01", innerMark, only13), BadInnerPadding},
	{"the wrong order", aHello("", "", innerMark, taking(ExtKeyShare, ExtSupportedVersions)), BadInnerOuter},
	{"one that is not there", aHello("", "", innerMark, only13, taking(ExtALPN)), BadInnerOuter},
	{"one twice", aHello("", "", innerMark, taking(ExtSupportedVersions, ExtSupportedVersions)), BadInnerOuter},
	{"the encrypted hello itself", aHello("", "", only13, taking(ExtECH)), BadInnerOuter},
	{"at two places", aHello("", "", innerMark, taking(ExtSupportedVersions), taking(ExtKeyShare)), BadInnerTwice},
	{"none of them", aHello("", "", innerMark, only13, taking()), BadInnerShape},
	{"half a number", aHello("", "", innerMark, only13, anExtension{extECHOuterExtensions, "\x01\x00"}), BadInnerShape},
	{"no mark", aHello("", "", only13), BadInnerNone},
	{"the mark of an outer", aHello("", "", only13, outerMark), BadInnerNone},
	{"TLS 1.2 too", aHello("", "", innerMark, anExtension{ExtSupportedVersions, "\x04\x03\x04\x03\x03"}), BadInnerVersions},
	{"no versions", aHello("", "", innerMark), BadInnerVersions},
}

func TestInnerHello(t *testing.T) {
	for _, c := range innerHellos {
		raw, hello, bad := InnerHello(outerOf, c.encoded)
		if bad != c.bad || (raw == nil) != (bad != "") || (hello == nil) != (bad != "") {
			t.Errorf("%s: %q, want %q", c.what, bad, c.bad)
		}
	}
	// What it takes over stands where the list stood (RFC 9849 5.1), with the session id of the outer.
	raw, hello, _ := InnerHello(outerOf, aHello("", "\x00", innerMark, hidden, taking(ExtSupportedVersions, ExtKeyShare)))
	if want := whole(TypeClientHello, aHello("session", "", innerMark, hidden, only13, shares)); !bytes.Equal(raw, want) || hello.ServerName() != "hidden" {
		t.Errorf("%x for %q, want %x", raw, hello.ServerName(), want)
	}
}

// TestSealedHello: what is authenticated is the hello with zeros in place of what is encrypted, also
// where the same bytes stand in front of it.
func TestSealedHello(t *testing.T) {
	raw := whole(TypeClientHello, aHello("whatever", "", cover, outerMark, only13))
	payload, outer, ok := SealedHello(raw)
	want := aHello("whatever", "", cover, anExtension{ExtECH, outerMark.data[:len(outerMark.data)-8] + "\x00\x00\x00\x00\x00\x00\x00\x00"}, only13)
	if !ok || string(payload) != "whatever" || !bytes.Equal(outer, want) {
		t.Errorf("%q, %x, %v, want %x", payload, outer, ok, want)
	}
	for _, e := range []anExtension{innerMark, {ExtECH, "\x00"}, {ExtECH, outerMark.data + "x"}, cover} {
		if _, _, ok := SealedHello(whole(TypeClientHello, aHello("", "", e))); ok {
			t.Errorf("%x carries an encrypted hello", e.data)
		}
	}
}

// FuzzInnerHello: what is put together is a hello that reads as it is told, of the outer's session, and takes
// nothing that neither of the two has.
func FuzzInnerHello(f *testing.F) {
	for _, c := range innerHellos {
		f.Add(outerOf, c.encoded)
	}
	f.Add(outerOf[:50], innerHellos[0].encoded)
	f.Fuzz(func(t *testing.T, outer, encoded []byte) {
		SealedHello(outer)
		ParseECHConfig(encoded)
		Confirmation(encoded, true)
		Confirmation(encoded, false)
		raw, hello, bad := InnerHello(outer, encoded)
		if bad != "" {
			if raw != nil || hello != nil {
				t.Fatal("a hello that is bad")
			}
			return
		}
		if len(raw) > len(outer)+len(encoded)+4 {
			t.Fatalf("%d bytes of %d and %d", len(raw), len(outer), len(encoded))
		}
		m, err := Parse(TypeClientHello, raw[4:], Context{FromClient: true})
		if err != nil {
			t.Fatal(err)
		}
		again := m.(*ClientHello)
		if again.Random != hello.Random || len(again.Extensions) != len(hello.Extensions) || !slices.Contains(again.Versions(), 0x0304) || again.Random != [32]byte(encoded[2:34]) {
			t.Fatal("it does not read as it is told")
		}
		if n := int(outer[38]); !bytes.Equal(again.SessionID, outer[39:39+n]) {
			t.Fatal("another session id than the outer's")
		}
		// Put together of itself, nothing changes.
		same, _, bad := InnerHello(outer, append(append(slices.Clone(raw[4:38]), 0), raw[39+int(raw[38]):]...))
		if bad != "" || !bytes.Equal(same, raw) {
			t.Fatalf("put together again: %q", bad)
		}
	})
}
