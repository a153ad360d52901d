{{/*
Objects have the same names in every installation: a cluster has one operator, and clients, admission policies and the pages of docs/ know it by
them. A second installation is refused by Helm, since its ClusterRole is there.
*/}}

{{- define "leadergroup.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* What the consul-k8s chart calls "consul.fullname". */}}
{{- define "leadergroup.consulName" -}}
{{ .Values.consul.globalName | default (printf "%s-consul" .Values.consul.releaseName) | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "leadergroup.consulAddress" -}}
{{- $consul := .Values.consul -}}
{{- if $consul.embedded -}}
http://leadergroup-consul.{{ .Release.Namespace }}.svc:8500
{{- else if $consul.address -}}
{{ $consul.address }}
{{- else -}}
{{ ternary "https" "http" $consul.tls.enabled }}://{{ include "leadergroup.consulName" . }}-server.{{ $consul.releaseNamespace }}.svc:{{ ternary 8501 8500 $consul.tls.enabled }}
{{- end -}}
{{- end }}

{{/* "true" where Consul is reached by TLS. */}}
{{- define "leadergroup.isSecure" -}}
{{- if hasPrefix "https://" (include "leadergroup.consulAddress" .) }}true{{ end -}}
{{- end }}

{{/* The Secret with the authority of Consul's certificate; empty: a ConfigMap, or none. */}}
{{- define "leadergroup.caSecretName" -}}
{{- $ca := .Values.consul.tls.ca -}}
{{- if $ca.secretName -}}
{{ $ca.secretName }}
{{- else if not (or $ca.configMapName .Values.consul.address) -}}
{{ include "leadergroup.consulName" . }}-ca-cert
{{- end -}}
{{- end }}

{{/* "true" where an authority is mounted. */}}
{{- define "leadergroup.hasCa" -}}
{{- if and (include "leadergroup.isSecure" .) (or (include "leadergroup.caSecretName" .) .Values.consul.tls.ca.configMapName) }}true{{ end -}}
{{- end }}

{{/* "true" where the token's Secret is mounted as a file. */}}
{{- define "leadergroup.isTokenMounted" -}}
{{- $login := .Values.consul.login.authMethod -}}
{{- with .Values.consul.token }}{{ if and (eq .as "File") (not .file) (not $login) }}true{{ end }}{{ end -}}
{{- end }}

{{/* The environment by which Consul's own tools know where it is. */}}
{{- define "leadergroup.consulEnv" -}}
- name: CONSUL_HTTP_ADDR
  value: {{ include "leadergroup.consulAddress" . | quote }}
{{- with .Values.consul }}
{{- if include "leadergroup.hasCa" $ }}
- name: CONSUL_CACERT
  value: {{ printf "/etc/leadergroup/consul-ca/%s" .tls.ca.key | quote }}
{{- end }}
{{- if include "leadergroup.isSecure" $ }}
{{- with .tls.serverName }}
- name: CONSUL_TLS_SERVER_NAME
  value: {{ . | quote }}
{{- end }}
{{- if not .tls.verify }}
- name: CONSUL_HTTP_SSL_VERIFY
  value: "false"
{{- end }}
{{- if .tls.clientSecretName }}
- name: CONSUL_CLIENT_CERT
  value: /etc/leadergroup/consul-client/tls.crt
- name: CONSUL_CLIENT_KEY
  value: /etc/leadergroup/consul-client/tls.key
{{- end }}
{{- end }}
{{- if .login.authMethod }}
- name: CONSUL_LOGIN_AUTH_METHOD
  value: {{ .login.authMethod | quote }}
{{- else if include "leadergroup.isTokenMounted" $ }}
- name: CONSUL_HTTP_TOKEN_FILE
  value: {{ printf "/etc/leadergroup/consul-token/%s" .token.secretKey | quote }}
{{- else if .token.file }}
- name: CONSUL_HTTP_TOKEN_FILE
  value: {{ .token.file | quote }}
{{- else }}
- name: CONSUL_HTTP_TOKEN
  valueFrom:
    secretKeyRef: { name: {{ .token.secretName | quote }}, key: {{ .token.secretKey | quote }}, optional: true }
{{- end }}
{{- end }}
{{- end }}

{{/*
What the environment above names. Optional, so that a pod starts without it and says what is missing, instead of waiting for ever.
*/}}
{{- define "leadergroup.volumes" -}}
{{- with .Values.consul }}
{{- if include "leadergroup.hasCa" $ }}
- name: consul-ca
{{- with include "leadergroup.caSecretName" $ }}
  secret: { secretName: {{ . | quote }}, optional: true }
{{- else }}
  configMap: { name: {{ .tls.ca.configMapName | quote }}, optional: true }
{{- end }}
{{- end }}
{{- if and .tls.clientSecretName (include "leadergroup.isSecure" $) }}
- name: consul-client
  secret: { secretName: {{ .tls.clientSecretName | quote }}, optional: true }
{{- end }}
{{- if include "leadergroup.isTokenMounted" $ }}
- name: consul-token
  secret: { secretName: {{ .token.secretName | quote }}, optional: true }
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "leadergroup.volumeMounts" -}}
{{- if include "leadergroup.hasCa" . }}
- { name: consul-ca, mountPath: /etc/leadergroup/consul-ca, readOnly: true }
{{- end }}
{{- if and .Values.consul.tls.clientSecretName (include "leadergroup.isSecure" .) }}
- { name: consul-client, mountPath: /etc/leadergroup/consul-client, readOnly: true }
{{- end }}
{{- if include "leadergroup.isTokenMounted" . }}
- { name: consul-token, mountPath: /etc/leadergroup/consul-token, readOnly: true }
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* `gate: {authentication: Token}` is LEADERGROUP_GATE_AUTHENTICATION. */}}
{{- define "leadergroup.settingsEnv" -}}
{{- range $name, $value := .Values.settings }}
{{- if kindIs "map" $value }}
{{- range $inner, $each := $value }}
{{ include "leadergroup.setting" (list (printf "%s_%s" $name $inner) $each) }}
{{- end }}
{{- else }}
{{ include "leadergroup.setting" (list $name $value) }}
{{- end }}
{{- end }}
{{- with .Values.watchNamespaces }}
{{ include "leadergroup.setting" (list "watchNamespaces" .) }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "leadergroup.setting" -}}
{{- $value := index . 1 -}}
- name: LEADERGROUP_{{ index . 0 | snakecase | upper }}
  value: {{ (kindIs "string" $value | ternary $value (toJson $value)) | quote }}
{{- end }}

{{/* Where a pod runs, beside the spread over nodes. */}}
{{- define "leadergroup.scheduling" -}}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end }}

{{/* Values that exclude each other, which no schema can say in words. */}}
{{- define "leadergroup.validate" -}}
{{- $consul := .Values.consul -}}
{{- if $consul.embedded -}}
{{- if $consul.address }}{{ fail (printf "consul.embedded is true and consul.address is %q: leave one of them out." $consul.address) }}{{ end -}}
{{- if $consul.tls.enabled }}{{ fail "consul.embedded is true and consul.tls.enabled too: the Consul for trying out has no TLS; set consul.embedded to false and name your own Consul." }}{{ end -}}
{{- else if $consul.address -}}
{{- if not (regexMatch "^https?://([^/:]+|[[][^]]+[]]):[0-9]+(/.*)?$" $consul.address) }}{{ fail (printf "consul.address is %q: write it with scheme and port, as https://consul.example.com:8501 or http://consul.example.com:8500." $consul.address) }}{{ end -}}
{{- if $consul.globalName }}{{ fail (printf "consul.address is %q and consul.globalName %q: leave one of them out." $consul.address $consul.globalName) }}{{ end -}}
{{- if and $consul.tls.enabled (hasPrefix "http://" $consul.address) }}{{ fail (printf "consul.tls.enabled is true and consul.address is %q: write https:// and the port for it, usually 8501." $consul.address) }}{{ end -}}
{{- else if not (or $consul.releaseName $consul.globalName) -}}
{{ fail "There is no Consul: set consul.releaseName (the release of the hashicorp/consul chart), consul.globalName (its value global.name), consul.address, or for trying out consul.embedded." }}
{{- end -}}
{{- if and $consul.tls.ca.secretName $consul.tls.ca.configMapName }}{{ fail (printf "consul.tls.ca.secretName is %q and consul.tls.ca.configMapName %q: leave one of them out." $consul.tls.ca.secretName $consul.tls.ca.configMapName) }}{{ end -}}
{{- if and (or $consul.tls.ca.secretName $consul.tls.ca.configMapName $consul.tls.clientSecretName $consul.tls.serverName) (not (include "leadergroup.isSecure" .)) }}{{ fail (printf "consul.tls has an authority, a certificate or a name, and Consul's address is %s: set consul.tls.enabled to true, or consul.address to one with https://." (include "leadergroup.consulAddress" .)) }}{{ end -}}
{{- if and $consul.token.file (not .Values.extraVolumeMounts) }}{{ fail (printf "consul.token.file is %q and extraVolumeMounts is empty: mount the volume in which the file is, by extraVolumes and extraVolumeMounts." $consul.token.file) }}{{ end -}}
{{- if and $consul.login.authMethod $consul.token.file }}{{ fail (printf "consul.login.authMethod is %q and consul.token.file %q: leave one of them out." $consul.login.authMethod $consul.token.file) }}{{ end -}}
{{- if and $consul.login.authMethod $consul.embedded }}{{ fail (printf "consul.login.authMethod is %q and consul.embedded is true: the Consul for trying out has no ACLs; leave one of them out." $consul.login.authMethod) }}{{ end -}}
{{- include "leadergroup.validateMemory" . -}}
{{- include "leadergroup.validateScope" . -}}
{{- end }}

{{/* While it is rolled replicas of both kinds would run, whose keys in Consul differ: each kind would elect a leader of its own. */}}
{{- define "leadergroup.validateScope" -}}
{{- $before := false -}}
{{- $there := lookup "apps/v1" "Deployment" .Release.Namespace "leadergroup" -}}
{{- if $there -}}
{{- range $there.spec.template.spec.containers }}{{ range .env }}{{ if eq .name "LEADERGROUP_WATCH_NAMESPACES" }}{{ $before = true }}{{ end }}{{ end }}{{ end -}}
{{- if ne $before (not (empty .Values.watchNamespaces)) -}}
{{- fail (printf "watchNamespaces is %s, and the operator that runs watches %s: replicas of both kinds would elect two leaders while they are replaced. Run helm uninstall --no-hooks %s -n %s, wait until its pods are gone, and install anew." (toJson .Values.watchNamespaces) ($before | ternary "some namespaces" "all namespaces") .Release.Name .Release.Namespace) }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "leadergroup.validateMemory" -}}
{{- $limit := (.Values.resources.limits).memory | default "" | toString -}}
{{- if regexMatch "^[0-9]+[MG]i$" $limit -}}
{{- $mebibytes := mul (trimSuffix "i" $limit | trimSuffix "G" | trimSuffix "M" | int) (hasSuffix "Gi" $limit | ternary 1024 1) -}}
{{- if gt (mul (int .Values.heapMebibytes) 10) (mul $mebibytes 8) -}}
{{- fail (printf "heapMebibytes is %d and resources.limits.memory %s: the rest of the program needs a fifth of it at least; set heapMebibytes to %d (70 %%), or raise the limit." (int .Values.heapMebibytes) $limit (div (mul $mebibytes 7) 10)) }}
{{- end -}}
{{- end -}}
{{- end }}
