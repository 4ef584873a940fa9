// Command functions answers calls of template functions as Helm's engine would: one JSON line in, one out.
//
//	{"fn":"trunc","args":[{"i":"int","v":"3"},"abcdef"]} -> {"v":"abc","p":"abc","after":[...]}
//	{"template":"{{ trunc 3 .x }}","data":{...}}         -> {"out":"abc"}
//
// The functions are Sprig's own and Helm's nine of pkg/engine/funcs.go, called through text/template, so that arguments are
// checked as in a chart. Values travel in the notation of values.go.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/template"

	"github.com/BurntSushi/toml"
	"github.com/Masterminds/sprig/v3"
	"sigs.k8s.io/yaml"
	goYaml "sigs.k8s.io/yaml/goyaml.v3"
)

type request struct {
	Fn       string  `json:"fn"`
	Args     []any   `json:"args"`
	Template *string `json:"template"`
	Data     any     `json:"data"`
}

type answer struct {
	Value any    `json:"v,omitempty"`
	Print string `json:"p,omitempty"`
	After []any  `json:"after,omitempty"`
	Out   string `json:"out,omitempty"`
	Err   string `json:"err,omitempty"`
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var r request
			if e := json.Unmarshal(line, &r); e != nil {
				enc.Encode(answer{Err: "request: " + e.Error()})
			} else {
				enc.Encode(respond(r))
			}
			out.Flush()
		}
		if err != nil {
			return
		}
	}
}

func respond(r request) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			a = answer{Err: fmt.Sprint("panic: ", p)}
		}
	}()
	if r.Template != nil {
		return render(*r.Template, decode(r.Data))
	}
	return call(r)
}

func call(r request) answer {
	args := make([]any, len(r.Args))
	for i, arg := range r.Args {
		args[i] = decode(arg)
	}
	var got any
	funcs := funcMap()
	funcs["capture__"] = func(v any) string { got = v; return "" }
	funcs["arg__"] = func(i int) any { return args[i] }
	var text strings.Builder
	text.WriteString("{{ capture__ (" + r.Fn)
	for i := range args {
		fmt.Fprintf(&text, " (arg__ %d)", i)
	}
	text.WriteString(") }}")
	t, err := template.New("t").Funcs(funcs).Parse(text.String())
	if err != nil {
		return answer{Err: err.Error()}
	}
	if err := t.Execute(&bytes.Buffer{}, nil); err != nil {
		return answer{Err: err.Error()}
	}
	after := make([]any, len(args))
	for i, arg := range args {
		after[i] = encode(arg)
	}
	return answer{Value: encode(got), Print: clean(fmt.Sprintf("%v", got)), After: after}
}

func render(text string, data any) answer {
	t, err := template.New("t").Option("missingkey=zero").Funcs(funcMap()).Parse(text)
	if err != nil {
		return answer{Err: err.Error()}
	}
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		return answer{Err: err.Error()}
	}
	return answer{Out: clean(out.String())}
}

// funcMap is pkg/engine/funcs.go without what is bound late.
func funcMap() template.FuncMap {
	funcs := sprig.TxtFuncMap()
	delete(funcs, "env")
	delete(funcs, "expandenv")
	funcs["getHostByName"] = func(string) string { return "" }
	funcs["toYaml"] = func(v any) string {
		data, err := yaml.Marshal(v)
		if err != nil {
			return ""
		}
		return strings.TrimSuffix(string(data), "\n")
	}
	funcs["toYamlPretty"] = func(v any) string {
		var data bytes.Buffer
		encoder := goYaml.NewEncoder(&data)
		encoder.SetIndent(2)
		if err := encoder.Encode(v); err != nil {
			return ""
		}
		return strings.TrimSuffix(data.String(), "\n")
	}
	funcs["fromYaml"] = func(s string) map[string]any {
		m := map[string]any{}
		if err := yaml.Unmarshal([]byte(s), &m); err != nil {
			m["Error"] = err.Error()
		}
		return m
	}
	funcs["fromYamlArray"] = func(s string) []any {
		a := []any{}
		if err := yaml.Unmarshal([]byte(s), &a); err != nil {
			a = []any{err.Error()}
		}
		return a
	}
	funcs["toToml"] = func(v any) string {
		var b bytes.Buffer
		if err := toml.NewEncoder(&b).Encode(v); err != nil {
			return err.Error()
		}
		return b.String()
	}
	funcs["fromToml"] = func(s string) map[string]any {
		m := map[string]any{}
		if err := toml.Unmarshal([]byte(s), &m); err != nil {
			m["Error"] = err.Error()
		}
		return m
	}
	funcs["toJson"] = func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(data)
	}
	funcs["fromJson"] = func(s string) map[string]any {
		m := map[string]any{}
		if err := json.Unmarshal([]byte(s), &m); err != nil {
			m["Error"] = err.Error()
		}
		return m
	}
	funcs["fromJsonArray"] = func(s string) []any {
		a := []any{}
		if err := json.Unmarshal([]byte(s), &a); err != nil {
			a = []any{err.Error()}
		}
		return a
	}
	return funcs
}
