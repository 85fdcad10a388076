package event

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"

	"explainer/capture/printable"
)

// TestEncode holds that an event's line is what encoding/json makes of it, whatever is in it.
func TestEncode(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var e Event
		fill(random, reflect.ValueOf(&e).Elem(), 0)
		var want, got bytes.Buffer
		enc := json.NewEncoder(printable.Writer{W: &want})
		enc.SetEscapeHTML(false)
		if err := enc.Encode(&e); err != nil {
			t.Fatal(err)
		}
		j := NewJSON(&got)
		if err := j.Event(&e); err != nil {
			t.Fatal(err)
		}
		if err := j.Flush(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Fatalf("%s\nwant\n%s", got.Bytes(), want.Bytes())
		}
	}
}

// fill gives a value any content, nothing where it is deep.
func fill(random *rand.Rand, v reflect.Value, depth int) {
	if random.IntN(3) == 0 || depth > 12 {
		return
	}
	n := random.IntN(3)
	switch v.Kind() {
	case reflect.String:
		v.SetString([]string{"", "a name", "\"<列\x01\u2028\xff>&\\"}[n])
	case reflect.Int, reflect.Int64:
		v.SetInt(random.Int64() - 1<<62)
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(random.Uint64() >> 56)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(random, v.Elem(), depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(random, v.Index(i), depth+1)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(random, v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range n {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(random, key, depth+1)
			fill(random, value, depth+1)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(random, v.Field(i), depth+1)
		}
	default:
		panic("no content for " + v.Type().String())
	}
}
