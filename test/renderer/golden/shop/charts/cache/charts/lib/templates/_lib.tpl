{{- define "lib.hello" }}hello {{ .Chart.Name }}{{ end }}
{{- define "shared" }}from the library{{ end }}
