{{/* The chart is installed once a cluster, so names are fixed: nothing depends on the release's. */}}

{{- define "duravip.labels" -}}
app.kubernetes.io/name: duravip
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "duravip.selector" -}}
app.kubernetes.io/name: duravip
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "duravip.image" -}}
{{- with eq .component "mail" | ternary .root.Values.mail.image (index .root.Values.image .component) -}}
{{ .repository }}:{{ .tag | default $.root.Chart.AppVersion }}{{ with .digest }}@{{ . }}{{ end }}
{{- end }}
{{- end }}

{{- define "duravip.pulseSecret" -}}
{{ .Values.pulse.existingSecret | default "duravip-pulse" }}
{{- end }}

{{/* Not empty where pods of an older version may still sign with one key for all. */}}
{{- define "duravip.hasOldKey" -}}
{{- if .Values.pulse.existingSecret }}yes
{{- else if .Values.pulse.keepOldKey }}
{{- if lookup "v1" "Secret" .Release.Namespace (include "duravip.pulseSecret" .) }}yes{{ end }}
{{- end }}
{{- end }}

{{/* Two names: when one takes the other's place, neither Helm nor cert-manager deletes the new one. */}}
{{- define "duravip.webhookSecret" -}}
{{ .Values.webhook.certManager.enabled | ternary "duravip-webhook-issued" "duravip-webhook" }}
{{- end }}

{{- define "duravip.serviceAccount" -}}
system:serviceaccount:{{ .root.Release.Namespace }}:duravip-{{ .component }}
{{- end }}

{{/* Every address of the pod, before a port. */}}
{{- define "duravip.anyHost" -}}
{{ eq .Values.ipFamily "IPv6" | ternary "[::]" "0.0.0.0" }}
{{- end }}

{{/* The loopback address of the pod, before a port. */}}
{{- define "duravip.loopback" -}}
{{ eq .Values.ipFamily "IPv6" | ternary "[::1]" "127.0.0.1" }}
{{- end }}

{{/* What nodes know each other by when they hand mail over. Names as above. */}}
{{- define "duravip.mailSecret" -}}
{{- with .Values.mail.mmove -}}
{{ .existingSecret | default (.certManager.enabled | ternary "duravip-mail-issued" "duravip-mail-tls") }}
{{- end }}
{{- end }}

{{/* The variable that the kubelet puts an address in, before a port: IPv6 stands in brackets. */}}
{{- define "duravip.host" -}}
{{ eq .root.Values.ipFamily "IPv6" | ternary "[$(%s)]" "$(%s)" | replace "%s" .variable }}
{{- end }}

{{/* Where the agent, or mail, answers, before a port. */}}
{{- define "duravip.nodeHost" -}}
{{- if (index .root.Values .component).exposeMetrics -}}
{{ include "duravip.host" (dict "root" .root "variable" "NODE_IP") }}
{{- else -}}
{{ include "duravip.loopback" .root }}
{{- end }}
{{- end }}

{{/* Where the kubelet finds it: at the node's address unless it is told another one. */}}
{{- define "duravip.probeHost" -}}
{{- if not (index .root.Values .component).exposeMetrics -}}
, host: {{ include "duravip.loopback" .root | trimAll "[]" | quote }}
{{- end }}
{{- end }}
