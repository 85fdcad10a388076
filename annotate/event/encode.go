package event

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"explainer/capture/printable"
)

// An encoder appends the JSON of a value, which it knows by its type. What it writes is
// what encoding/json writes of the same fields and tags, byte for byte, with <, > and & as
// they stand and what does something on a terminal escaped: the tests compare them. It is
// a fraction of the work, since nothing is written twice or asked for again; a story is
// some fifty kilobytes a connection.
type encoder func(b []byte, v reflect.Value) []byte

// A coder is the encoder of a type, which may yet be being made: the types of events refer
// to themselves through pointers and slices.
type coder struct{ encode encoder }

// A maker makes the encoders of types, each once.
type maker map[reflect.Type]*coder

func (made maker) coder(t reflect.Type) *coder {
	c := made[t]
	if c == nil {
		c = new(coder)
		made[t] = c
		c.encode = made.encoder(t)
	}
	return c
}

// encoder makes the encoder of a type. It knows the kinds that events are made of.
func (made maker) encoder(t reflect.Type) encoder {
	switch t {
	case reflect.TypeFor[Text]():
		return func(b []byte, v reflect.Value) []byte { return printable.AppendJSON(b, v.Field(0).String()) }
	case reflect.TypeFor[map[string]string]():
		return func(b []byte, v reflect.Value) []byte {
			return appendMap(b, v.Interface().(map[string]string), printable.AppendJSON)
		}
	case reflect.TypeFor[map[string]Value]():
		return func(b []byte, v reflect.Value) []byte {
			return appendMap(b, v.Interface().(map[string]Value), func(b []byte, v Value) []byte { return v.append(b) })
		}
	}
	switch t.Kind() {
	case reflect.String:
		return func(b []byte, v reflect.Value) []byte { return printable.AppendJSON(b, v.String()) }
	case reflect.Int, reflect.Int64:
		return func(b []byte, v reflect.Value) []byte { return strconv.AppendInt(b, v.Int(), 10) }
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		return func(b []byte, v reflect.Value) []byte { return strconv.AppendUint(b, v.Uint(), 10) }
	case reflect.Bool:
		return func(b []byte, v reflect.Value) []byte { return strconv.AppendBool(b, v.Bool()) }
	case reflect.Pointer:
		of := made.coder(t.Elem())
		return func(b []byte, v reflect.Value) []byte {
			if v.IsNil() {
				return append(b, "null"...)
			}
			return of.encode(b, v.Elem())
		}
	case reflect.Slice, reflect.Array:
		return made.list(t)
	case reflect.Struct:
		return made.object(t)
	}
	panic("event: no encoder for " + t.String())
}

func (made maker) list(t reflect.Type) encoder {
	of := made.coder(t.Elem())
	return func(b []byte, v reflect.Value) []byte {
		if t.Kind() == reflect.Slice && v.IsNil() {
			return append(b, "null"...)
		}
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = of.encode(b, v.Index(i))
		}
		return append(b, ']')
	}
}

// A member is a field of a struct.
type member struct {
	index int
	key   string // with what stands around it: `,"name":`
	text  bool   // a string or the one in a Text
	in    bool   // a Text
	skip  func(reflect.Value) bool
	value *coder
}

func (made maker) object(t reflect.Type) encoder {
	var members []member
	for i := range t.NumField() {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("json")
		name, options, _ := strings.Cut(tag, ",")
		if name == "-" {
			continue
		}
		if !ok || name == "" || f.Anonymous {
			panic(fmt.Sprintf("event: no name for %s of %s", f.Name, t))
		}
		m := member{index: i, key: `,"` + name + `":`, value: made.coder(f.Type)}
		m.in = f.Type == reflect.TypeFor[Text]()
		m.text = m.in || f.Type.Kind() == reflect.String
		switch options {
		case "":
		case "omitempty":
			m.skip = empty(f.Type.Kind())
		case "omitzero":
			m.skip = reflect.Value.IsZero
		default:
			panic(fmt.Sprintf("event: no encoder for %q of %s", options, t))
		}
		members = append(members, m)
	}
	return func(b []byte, v reflect.Value) []byte {
		begin := len(b)
		for i := range members {
			m := &members[i]
			f := v.Field(m.index)
			if m.text { // most are
				if m.in {
					f = f.Field(0)
				}
				s := f.String()
				if s == "" && m.skip != nil {
					continue
				}
				b = printable.AppendJSON(append(b, m.key...), s)
			} else if m.skip == nil || !m.skip(f) {
				b = m.value.encode(append(b, m.key...), f)
			}
		}
		if len(b) == begin {
			return append(b, '{', '}')
		}
		b[begin] = '{' // where a comma stands
		return append(b, '}')
	}
}

// empty tells what "omitempty" leaves out.
func empty(k reflect.Kind) func(reflect.Value) bool {
	switch k {
	case reflect.String, reflect.Slice, reflect.Map:
		return func(v reflect.Value) bool { return v.Len() == 0 }
	case reflect.Int, reflect.Int64:
		return func(v reflect.Value) bool { return v.Int() == 0 }
	case reflect.Bool:
		return func(v reflect.Value) bool { return !v.Bool() }
	case reflect.Struct: // never empty
		return nil
	}
	return reflect.Value.IsZero
}

// appendMap appends a map by its sorted keys.
func appendMap[V any](b []byte, m map[string]V, value func([]byte, V) []byte) []byte {
	if m == nil {
		return append(b, "null"...)
	}
	type entry struct {
		key   string
		value V
	}
	var room [8]entry
	entries := room[:0]
	for k, v := range m {
		entries = append(entries, entry{k, v})
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	b = append(b, '{')
	for i, e := range entries {
		if i > 0 {
			b = append(b, ',')
		}
		b = value(append(printable.AppendJSON(b, e.key), ':'), e.value)
	}
	return append(b, '}')
}
