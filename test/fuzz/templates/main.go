// Command templates executes templates with Go's own text/template: one JSON line in, one out.
//
//	{"name":"x","texts":["{{define \"a\"}}..{{end}}", "{{.a}}"],"data":{...},"missing":"zero"} -> {"out":"..."} or {"err":"..."}
//
// The last text is executed. Data is JSON, numbers being float64; {"$":"int","v":3} is an int, and see value below for the rest.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/template"
)

type request struct {
	Name    string   `json:"name"`
	Texts   []string `json:"texts"`
	Data    any      `json:"data"`
	Missing string   `json:"missing"`
}

type answer struct {
	Out string `json:"out,omitempty"`
	Err string `json:"err,omitempty"`
}

// Thing is what templates see of Go's structs: fields, and methods of several signatures.
type Thing struct {
	Name  string
	Count int
	Rest  map[string]any
	Any   any
}

func (t *Thing) String() string                       { return "a thing" }
func (t *Thing) Hello() string                        { return "hello " + t.Name }
func (t *Thing) Plus(n int) int                       { return t.Count + n }
func (t *Thing) Join(sep string, of ...string) string { return strings.Join(of, sep) }
func (t *Thing) Same(v any) any                       { return v }
func (t *Thing) Fail() (string, error)                { return "", errors.New("failed as asked") }

// Pair is a struct that prints field by field.
type Pair struct {
	A any
	B int
}

// Named is a map with a method, as chartutil.Values is.
type Named map[string]any

func (n Named) AsMap() map[string]any { return n }

// Printed has a String method.
type Printed struct{ text string }

func (p Printed) String() string { return p.text }

func value(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = value(v[i])
		}
	case map[string]any:
		tag, tagged := v["$"].(string)
		if !tagged {
			for k := range v {
				v[k] = value(v[k])
			}
			return v
		}
		return ofTag(tag, v["v"])
	}
	return v
}

func ofTag(tag string, v any) any {
	switch tag {
	case "int":
		return int(v.(float64))
	case "int64":
		return int64(v.(float64))
	case "uint8":
		return uint8(v.(float64))
	case "bytes":
		return []byte(v.(string))
	case "strings":
		out := []string{}
		for _, s := range v.([]any) {
			out = append(out, s.(string))
		}
		return out
	case "map[string]string":
		out := map[string]string{}
		for k, s := range v.(map[string]any) {
			out[k] = s.(string)
		}
		return out
	case "named":
		return Named(value(v).(map[string]any))
	case "pair":
		return Pair{value(v), 2}
	case "printed":
		return Printed{v.(string)}
	case "thing":
		m := value(v).(map[string]any)
		t := &Thing{Name: "thing", Count: 3, Rest: m, Any: m["any"]}
		return t
	}
	panic("no such tag: " + tag)
}

var functions = template.FuncMap{
	"text":   func(s string) string { return "<" + s + ">" },
	"number": func(n int) int { return n * 2 },
	"long":   func(n int64) int64 { return n * 2 },
	"float":  func(f float64) float64 { return f / 2 },
	"flag":   func(b bool) bool { return !b },
	"table":  func(m map[string]any) int { return len(m) },
	"items":  func(l []any) int { return len(l) },
	"words":  func(l []string) string { return strings.Join(l, "+") },
	"any":    func(v any) any { return v },
	"texts":  func(s ...string) string { return strings.Join(s, "|") },
	"both":   func(s string, v ...any) string { return s + fmt.Sprint(v...) },
	"three":  func(a any, s string, n int) string { return fmt.Sprint(a, s, n) },
	"none":   func() any { return nil },
	"noMap":  func() map[string]any { return nil },
	"list":   func(v ...any) []any { return v },
	"split":  func(s string) []string { return strings.Split(s, ",") },
	"fails":  func(s string) (string, error) { return "", errors.New("fails: " + s) },
	"panics": func() string { panic("panicked") },
	"dict": func(v ...any) map[string]any {
		out := map[string]any{}
		for i := 0; i+1 < len(v); i += 2 {
			out[fmt.Sprint(v[i])] = v[i+1]
		}
		return out
	},
	"set": func(m map[string]any, k string, v string) map[string]any { m[k] = v; return m },
}

// limited refuses more than a megabyte.
type limited struct{ strings.Builder }

func (l *limited) Write(b []byte) (int, error) {
	if l.Len()+len(b) > 1<<20 {
		return 0, errors.New("too long")
	}
	return l.Builder.Write(b)
}

func respond(r request) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			a = answer{Err: fmt.Sprintf("panic: %v", p)}
		}
	}()
	t := template.New("base").Option("missingkey=" + r.Missing).Funcs(functions)
	for i, text := range r.Texts {
		name := r.Name
		if i < len(r.Texts)-1 {
			name = fmt.Sprintf("%s-%d", r.Name, i)
		}
		if _, err := t.New(name).Parse(text); err != nil {
			return answer{Err: err.Error()}
		}
	}
	var out limited
	if err := t.ExecuteTemplate(&out, r.Name, value(r.Data)); err != nil {
		return answer{Err: err.Error()}
	}
	return answer{Out: out.String()}
}

func main() {
	in := json.NewDecoder(bufio.NewReader(os.Stdin))
	out := bufio.NewWriter(os.Stdout)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for {
		var r request
		if in.Decode(&r) != nil {
			break
		}
		enc.Encode(respond(r))
	}
	out.Flush()
}
