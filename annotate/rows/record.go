package rows

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A record is a row as it was read back: a value for each column, in their order, a string,
// an int64, a bool or nil.
type record []any

// A form is what rows of one table look like.
type form struct {
	table string
	names []string
	at    map[string]int // their places
	types []string
	write []column[record]
}

var forms = func() map[string]*form {
	all := map[string]*form{}
	for _, table := range Tables {
		f := &form{table: table, at: map[string]int{}}
		for i, c := range Columns(table) {
			f.names, f.types, f.at[c.Name] = append(f.names, c.Name), append(f.types, c.Type), i
			f.write = append(f.write, column[record]{c, func(r record) any { return r[i] }})
		}
		all[table] = f
	}
	return all
}()

// formOf tells which table a row is of, by the columns that it has.
func formOf(row map[string]json.RawMessage) *form {
	for _, f := range []*form{forms[Findings], forms[Certificates], forms[Connections]} {
		if _, ok := row[mark[f.table]]; ok {
			return f
		}
	}
	return nil
}

// mark is a column that no other table has.
var mark = map[string]string{Connections: "community_id", Certificates: "sha256", Findings: "kind"}

// parse reads a row from its JSON. What it lacks is not known.
func (f *form) parse(row map[string]json.RawMessage) (record, error) {
	r := make(record, len(f.names))
	for name, value := range row {
		i, ok := f.at[name]
		if !ok {
			return nil, fmt.Errorf("%s: there is no such column here", strconv.Quote(name))
		}
		var err error
		if r[i], err = valueOf(f.types[i], value); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if v := r.number(f, "rows_version"); v != Version {
		return nil, fmt.Errorf("rows_version is %d, and %d alone is known here", v, Version)
	}
	return r, nil
}

// valueOf reads the value of a column.
func valueOf(kind string, value json.RawMessage) (any, error) {
	value = bytes.TrimSpace(value)
	if string(value) == "null" {
		return nil, nil
	}
	var err error
	switch kind {
	case typeInteger:
		var n int64
		if err = json.Unmarshal(value, &n); err == nil {
			return n, nil
		}
	case typeBoolean:
		var b bool
		if err = json.Unmarshal(value, &b); err == nil {
			return b, nil
		}
	default:
		var s string
		if err = json.Unmarshal(value, &s); err == nil {
			return known(s), nil
		}
	}
	return nil, fmt.Errorf("it is no %s", kind)
}

func (r record) text(f *form, name string) string {
	s, _ := r[f.at[name]].(string)
	return s
}

func (r record) number(f *form, name string) int64 {
	n, _ := r[f.at[name]].(int64)
	return n
}

func (r record) is(f *form, name string) bool {
	b, _ := r[f.at[name]].(bool)
	return b
}

// object is a row as JSON, without what is not known.
func (f *form) object(r record) []byte {
	line := []byte{'{'}
	for i, v := range r {
		if v == nil {
			continue
		}
		if len(line) > 1 {
			line = append(line, ',')
		}
		line = append(append(append(line, '"'), f.names[i]...), `":`...)
		line = appendValue(line, v)
	}
	return append(line, '}')
}

// end is one end of a connection, of a side: its address and port.
func (r record) end(f *form, side string) string {
	return r.text(f, side+"_address") + "|" + strconv.FormatInt(r.number(f, side+"_port"), 10)
}

// flow names the addresses and ports of a connection, whichever is the client's.
func (r record) flow(f *form) string {
	ends := []string{r.end(f, "client"), r.end(f, "server")}
	slices.Sort(ends)
	return strings.Join(append(ends, r.text(f, "transport"), r.text(f, "leg")), "|")
}
