{{/* docs/operator-config.md */}}
{{- define "slipway.config" -}}
{{- $native := include "slipway.image" (dict "context" . "name" "runtimeNative") -}}
{{- if include "slipway.isEmbedded" . -}}
artifactStore: oci+http://{{ include "slipway.registryHost" . }}/models
registry:
  credentials: Embedded
  signingKeyFile: /etc/slipway-registry/tls.key
{{- else -}}
artifactStore: {{ .Values.registry.external.url }}
registry:
  {{- if .Values.registry.external.secretName }}
  credentials: Secret
  secretName: {{ .Values.registry.external.secretName }}
  {{- else }}
  credentials: None
  {{- end }}
{{- end }}
images:
  build: {{ $native }}
  onnx: {{ include "slipway.image" (dict "context" . "name" "runtime") }}
  native: {{ $native }}
{{- with .Values.domain }}
domain: {{ . }}
{{- end }}
urlScheme: {{ .Values.urlScheme }}
gateway:
  name: {{ .Values.gateway.name }}
  namespace: {{ .Values.gateway.namespace | default .Release.Namespace }}
  {{- with .Values.gateway.sectionName }}
  sectionName: {{ . }}
  {{- end }}
{{- with .Values.watchNamespaces }}
watchNamespaces: {{ toJson . }}
{{- end }}
systemNamespace: {{ .Release.Namespace }}
{{- with .Values.build.fetch.allow }}
fetchAllow:
  {{- range . }}
  - {{ printf "%s:%d" .host (int .port) | quote }}
  {{- end }}
{{- end }}
{{- with .Values.build.limits }}
limits:
  {{- range $limit, $value := . }}
  {{ $limit }}: {{ int64 $value }}
  {{- end }}
{{- end }}
{{- with .Values.operator.prometheus }}
{{- if .url }}
prometheus:
  url: {{ .url | quote }}
  {{- if .tokenSecret }}
  tokenFile: /etc/slipway-prometheus/token
  {{- end }}
{{- end }}
{{- end }}
{{- with .Values.metrics.scrapeFrom }}
metricsFrom: {{ toJson . }}
{{- end }}
runtimeUpdates: {{ .Values.runtimeUpdates }}
lease:
  name: {{ include "slipway.name" . }}-operator
  durationSeconds: {{ int .Values.operator.leaseDurationSeconds }}
maxBuildsPerNamespace: {{ int .Values.build.maxPerNamespace }}
logLevel: {{ .Values.operator.logLevel }}
{{- end }}
