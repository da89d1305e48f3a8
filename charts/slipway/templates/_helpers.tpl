{{/* The name of the installation: the release's. It is in the name of everything that the chart makes. */}}
{{- define "slipway.name" -}}
{{- if contains "slipway" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-slipway{{ end -}}
{{- end }}

{{/* The same for objects of the whole cluster, where another namespace may have a release of that name. */}}
{{- define "slipway.clusterName" -}}
{{ include "slipway.name" . }}-{{ .Release.Namespace }}
{{- end }}

{{- define "slipway.selector" -}}
app.kubernetes.io/name: slipway
app.kubernetes.io/instance: {{ .context.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "slipway.labels" -}}
{{ include "slipway.selector" . }}
app.kubernetes.io/version: {{ .context.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .context.Release.Service }}
helm.sh/chart: {{ .context.Chart.Name }}-{{ .context.Chart.Version }}
{{- end }}

{{/* An image by digest. */}}
{{- define "slipway.image" -}}
{{- $image := index .context.Values.images .name -}}
{{- if not $image.digest }}{{ fail (printf "images.%s.digest is missing: name the image by digest, sha256:… (`make images` prints it)." .name) }}{{ end -}}
{{ $image.repository }}@{{ $image.digest }}
{{- end }}

{{- define "slipway.isEmbedded" -}}
{{- if eq .Values.registry.type "Embedded" }}true{{ end -}}
{{- end }}

{{- define "slipway.registryHost" -}}
{{ include "slipway.name" . }}-registry.{{ .Release.Namespace }}.svc:5000
{{- end }}

{{- define "slipway.signingKeySecret" -}}
{{ .Values.registry.embedded.signingKeySecret | default (printf "%s-registry-key" (include "slipway.name" .)) }}
{{- end }}

{{- define "slipway.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "slipway.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "slipway.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A pod that asks something of the installation once, as the operator. */}}
{{- define "slipway.askingPod" -}}
restartPolicy: Never
serviceAccountName: {{ include "slipway.name" .context }}-operator
securityContext:
  {{- include "slipway.podSecurity" .context | nindent 2 }}
{{- include "slipway.pullSecrets" .context }}
containers:
  - name: {{ .verb }}
    image: {{ include "slipway.image" (dict "context" .context "name" "operator") }}
    args: [{{ .verb }}, --config, /etc/slipway/config.yaml]
    env:
      - name: POD_NAMESPACE
        valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
    resources:
      requests: {cpu: 50m, memory: 128Mi}
      limits: {memory: 256Mi}
    securityContext:
      {{- include "slipway.containerSecurity" .context | nindent 6 }}
    volumeMounts:
      - {name: config, mountPath: /etc/slipway, readOnly: true}
      - {name: tmp, mountPath: /tmp}
volumes:
  - name: config
    configMap: {name: {{ include "slipway.name" .context }}-operator}
  - name: tmp
    emptyDir: {sizeLimit: 16Mi}
{{- end }}

{{/* What cannot be installed, told before anything is. */}}
{{- define "slipway.check" -}}
{{- if and (not .Values.clusterObjects) (not .Values.watchNamespaces) }}
{{- fail "clusterObjects is false, but watchNamespaces is empty: name the namespaces whose models are kept." }}
{{- end }}
{{- if and (not (include "slipway.isEmbedded" .)) (not .Values.registry.external.url) }}
{{- fail "registry.type is External, but registry.external.url is empty: say where built models are kept, oci://HOST[:PORT][/PREFIX]." }}
{{- end }}
{{- if and .Values.gateway.create (not .Values.gateway.className) }}
{{- fail "gateway.create is true, but gateway.className is empty: name a GatewayClass (`kubectl get gatewayclass`)." }}
{{- end }}
{{- if and .Values.gateway.create .Values.gateway.namespace (ne .Values.gateway.namespace .Release.Namespace) }}
{{- fail "gateway.create makes a Gateway in the namespace of the release: take gateway.namespace out." }}
{{- end }}
{{- if and .Values.gateway.tlsSecret (ne .Values.urlScheme "https") }}
{{- fail "gateway.tlsSecret is given, but urlScheme is http: set it to https." }}
{{- end }}
{{- end }}
