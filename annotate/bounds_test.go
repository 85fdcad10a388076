package annotate_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"testing"

	"explainer/annotate"
	"explainer/annotate/event"
	"explainer/annotate/text"
	"explainer/capture"
)

// entries counts the entries of all maps and slices that can be reached from v.
func entries(v any) int {
	type place struct {
		at uintptr
		of reflect.Type
	}
	seen := map[place]bool{}
	n := 0
	var count func(v reflect.Value)
	count = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer, reflect.Map, reflect.Slice:
			if v.IsNil() || seen[place{v.Pointer(), v.Type()}] && v.Kind() != reflect.Slice {
				return
			}
			seen[place{v.Pointer(), v.Type()}] = true
		}
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				count(v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				count(v.Field(i))
			}
		case reflect.Map:
			n += v.Len()
			for it := v.MapRange(); it.Next(); {
				count(it.Key())
				count(it.Value())
			}
		case reflect.Slice, reflect.Array:
			switch v.Type().Elem().Kind() {
			case reflect.Uint8, reflect.String, reflect.Int: // bytes, and what is as long as it is
			default:
				n += v.Len()
				for i := range v.Len() {
					count(v.Index(i))
				}
			}
		}
	}
	count(reflect.ValueOf(v))
	return n
}

// TestHalfOpen: of connections that never end, as of a port scan, only those that
// are followed take memory, whatever tells their story.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	const followed, first, last = 100, 1200, 2000 // the reader of captures ends those that are silent for longest; the explainer remembers 1,024 that ended
	var hello *capture.Chunk
	for _, in := range fixtures(t)["tls13-full"][0].inputs(0, capture.LegNone) {
		if c, ok := in.(*capture.Chunk); ok && hello == nil && c.Side == capture.Client {
			hello = c
		}
	}
	var decoder capture.Decoder
	var explainer annotate.Explainer
	plain := text.New(io.Discard)
	blocks := text.NewBlocks(func(int, []byte) error { return nil })
	short := text.NewShort(io.Discard)
	lines := event.NewJSON(io.Discard)
	feed := func(in capture.Input) {
		for _, m := range decoder.Feed(in) {
			for _, e := range explainer.Explain(&m) {
				for _, to := range []interface{ Event(*event.Event) error }{plain, blocks, short, lines} {
					if err := to.Event(&e); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	parts := map[string]any{"decoder": &decoder, "explainer": &explainer, "text": plain, "blocks": blocks, "short": short, "JSON": lines}
	before := map[string]int{}
	for i := 1; i <= last; i++ {
		if i > followed {
			feed(&capture.End{Conn: i - followed, Time: int64(i), Why: capture.EndTooMany})
		}
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 40000)
		feed(&capture.Open{Conn: i, Time: int64(i), Client: at, Server: netip.MustParseAddrPort("192.0.2.1:443"), Asked: true})
		if i%3 > 0 {
			c := *hello
			c.Conn, c.Time, c.Data = i, int64(i), append([]byte(nil), hello.Data...)
			random := sha256.Sum256([]byte(fmt.Sprint(i)))
			copy(c.Data[11:], random[:]) // behind the heads of the record and the message, and the version
			if i%3 == 1 {
				c.Data = c.Data[:len(c.Data)/2]
			}
			feed(&c)
		}
		if i == first {
			for name, p := range parts {
				before[name] = entries(p)
			}
		}
	}
	for name, p := range parts {
		if n := entries(p); n > before[name]+before[name]/10+followed {
			t.Errorf("%s: %d entries after %d connections, %d after %d", name, before[name], first, n, last)
		}
	}
}
