package main

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/Masterminds/semver/v3"
)

// The notation of values:
//
//	null true "text"                          nil, bool, string
//	{"b":"base64"} {"y":"base64"}             a string that is not UTF-8, []byte
//	{"i":"int64","v":"3"} {"f":"1.5"}         an integer of that type, float64
//	{"l":[...],"t":"[]string"}                a slice (no t: []interface {}; l null: nil)
//	{"m":[["k",v],...],"t":"..."}             a map, sorted (no t: map[string]interface {}; m null: nil)
//	{"time":seconds,"ns":0} {"semver":"1.2"}  time.Time in UTC, *semver.Version
//	{"s":"%T","p":"%v"}                       anything else; only ever an answer
func decode(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	text := func(key string) string { s, _ := m[key].(string); return s }
	switch {
	case m["b"] != nil:
		b, _ := base64.StdEncoding.DecodeString(text("b"))
		return string(b)
	case m["y"] != nil:
		b, _ := base64.StdEncoding.DecodeString(text("y"))
		return b
	case m["i"] != nil:
		return integer(text("i"), text("v"))
	case m["f"] != nil:
		f, err := strconv.ParseFloat(text("f"), 64)
		if err != nil {
			panic(err)
		}
		return f
	case m["time"] != nil:
		ns, _ := m["ns"].(float64)
		return time.Unix(int64(m["time"].(float64)), int64(ns)).UTC()
	case m["semver"] != nil:
		return semver.MustParse(text("semver"))
	}
	if l, is := m["l"]; is {
		return list(l, text("t"))
	}
	return dict(m["m"], text("t"))
}

func integer(typ, v string) any {
	if typ[0] == 'u' {
		u, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			panic(err)
		}
		return map[string]any{"uint": uint(u), "uint8": uint8(u), "uint16": uint16(u), "uint32": uint32(u), "uint64": u}[typ]
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		panic(err)
	}
	return map[string]any{"int": int(n), "int8": int8(n), "int16": int16(n), "int32": int32(n), "int64": n,
		"time.Duration": time.Duration(n)}[typ]
}

var listTypes = map[string]reflect.Type{
	"":                 reflect.TypeFor[[]any](),
	"[]string":         reflect.TypeFor[[]string](),
	"[]int":            reflect.TypeFor[[]int](),
	"[][]interface {}": reflect.TypeFor[[][]any](),
}

func list(l any, typ string) any {
	t := listTypes[typ]
	if l == nil {
		return reflect.Zero(t).Interface()
	}
	items := l.([]any)
	out := reflect.MakeSlice(t, len(items), len(items))
	for i, item := range items {
		if value := decode(item); value != nil {
			out.Index(i).Set(reflect.ValueOf(value))
		}
	}
	return out.Interface()
}

var mapTypes = map[string]reflect.Type{
	"":                  reflect.TypeFor[map[string]any](),
	"map[string]string": reflect.TypeFor[map[string]string](),
}

func dict(m any, typ string) any {
	t := mapTypes[typ]
	if m == nil {
		return reflect.Zero(t).Interface()
	}
	out := reflect.MakeMap(t)
	for _, pair := range m.([]any) {
		p := pair.([]any)
		key := decode(p[0]).(string)
		value := reflect.Zero(t.Elem())
		if v := decode(p[1]); v != nil {
			value = reflect.ValueOf(v)
		}
		out.SetMapIndex(reflect.ValueOf(key), value)
	}
	return out.Interface()
}

func encode(v any) any {
	switch x := v.(type) {
	case nil, bool:
		return x
	case string:
		if utf8.ValidString(x) {
			return x
		}
		return map[string]any{"b": base64.StdEncoding.EncodeToString([]byte(x))}
	case []byte:
		return map[string]any{"y": base64.StdEncoding.EncodeToString(x)}
	case float64:
		return map[string]any{"f": strconv.FormatFloat(x, 'g', -1, 64)}
	case time.Time:
		return map[string]any{"s": "time.Time", "p": x.Format(time.RFC3339Nano)}
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return map[string]any{"i": r.Type().String(), "v": strconv.FormatInt(r.Int(), 10)}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return map[string]any{"i": r.Type().String(), "v": strconv.FormatUint(r.Uint(), 10)}
	case reflect.Slice:
		return encodeList(r)
	case reflect.Map:
		return encodeMap(r)
	}
	return map[string]any{"s": r.Type().String(), "p": clean(fmt.Sprint(v))}
}

func encodeList(r reflect.Value) any {
	out := map[string]any{"l": nil}
	if t := r.Type().String(); t != "[]interface {}" {
		out["t"] = t
	}
	if !r.IsNil() {
		items := make([]any, r.Len())
		for i := range items {
			items[i] = encode(r.Index(i).Interface())
		}
		out["l"] = items
	}
	return out
}

func encodeMap(r reflect.Value) any {
	out := map[string]any{"m": nil}
	if t := r.Type().String(); t != "map[string]interface {}" {
		out["t"] = t
	}
	if r.IsNil() {
		return out
	}
	keys := r.MapKeys()
	sort.Slice(keys, func(i, j int) bool { return fmt.Sprint(keys[i]) < fmt.Sprint(keys[j]) })
	pairs := make([]any, len(keys))
	for i, key := range keys {
		pairs[i] = []any{encode(key.Interface()), encode(r.MapIndex(key).Interface())}
	}
	out["m"] = pairs
	return out
}

// clean makes text that JSON can carry: bytes that are not UTF-8 as U+FFFD.
func clean(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}
