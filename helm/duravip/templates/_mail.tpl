{{/* What duravip-mail and Postfix read at the start. */}}
{{- define "duravip.mailFiles" -}}
{{- $mail := .Values.mail -}}
assign.json: {{ $mail.assign | toJson | quote }}
binding-options.json: {{ $mail.bindings | toJson | quote }}
more.cf: |-
  # of the chart's mail.postfix
  {{- range $name, $value := $mail.postfix }}
  {{ $name }} = {{ if kindIs "bool" $value }}{{ $value | ternary "yes" "no" }}{{ else }}{{ $value }}{{ end }}
  {{- end }}
{{- end }}

{{/* The verb and its options: `configure` has those of `run`. */}}
{{- define "duravip.mailArgs" -}}
{{- with .root -}}
- {{ $.verb }}
- --node-addresses=$(NODE_IPS)
- --bindings-from=cluster
- --agent=unix:{{ .Values.agent.localApi.directory }}/agent.sock
- --tls=/etc/duravip/mail-tls
- --assign-file=/etc/duravip/mail/assign.json
- --binding-options-file=/etc/duravip/mail/binding-options.json
- --postfix-file=/etc/duravip/mail/more.cf
- --networks={{ join "," .Values.mail.networks }}
- --header-trust={{ join "," .Values.mail.headerTrust }}
{{- $pairs := list }}
{{- range $old, $new := .Values.mail.aliases }}
{{- $pairs = append $pairs (printf "%s=%s" $old $new) }}
{{- end }}
- --aliases={{ join "," $pairs }}
- --http-listen={{ include "duravip.nodeHost" (dict "root" . "component" "mail") }}:{{ .Values.mail.httpPort }}
- --log-format={{ .Values.logFormat }}
{{- end }}
{{- end }}

{{/* What all containers of the pod have alike. */}}
{{- define "duravip.mailContainer" -}}
image: {{ include "duravip.image" (dict "root" . "component" "mail") | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
env:
  # In the environment, so that `duravip-mail mailq` in the pod needs no options.
  - name: DURAVIP_NODE_NAME
    valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
  - {name: DURAVIP_FOLDER, value: {{ .Values.mail.spool | quote }}}
  - {name: DURAVIP_BINDINGS_FILE, value: {{ printf "%s/bindings.json" .Values.mail.spool | quote }}}
  - name: NODE_IP
    valueFrom: {fieldRef: {fieldPath: status.hostIP}}
  - name: NODE_IPS
    valueFrom: {fieldRef: {fieldPath: status.hostIPs}}
securityContext:
  runAsUser: 0
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities:
    drop: [ALL]
    # Postfix' processes change to its own user, to whom the queue belongs; and ports below 1024.
    add: [CHOWN, DAC_OVERRIDE, FOWNER, KILL, NET_BIND_SERVICE, SETGID, SETUID]
volumeMounts:
  - {name: spool, mountPath: {{ .Values.mail.spool | quote }}}
  - {name: local-api, mountPath: {{ .Values.agent.localApi.directory | quote }}, readOnly: true}
  - {name: config, mountPath: /etc/duravip/mail, readOnly: true}
  - {name: tls, mountPath: /etc/duravip/mail-tls, readOnly: true}
  - {name: tmp, mountPath: /tmp}
{{- end }}
