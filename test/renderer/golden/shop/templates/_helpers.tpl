{{- define "shop.name" -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 20 | trimSuffix "-" }}
{{- end }}
{{- define "shop.labels" -}}
app: {{ include "shop.name" . | quote }}
version: {{ .Chart.AppVersion | default "none" | quote }}
{{- with .Chart.Annotations.team }}
team: {{ . }}
{{- end }}
{{- end }}
{{- define "shared" }}from the shop{{ end }}
