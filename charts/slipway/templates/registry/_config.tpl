{{/* Of distribution 3; it knows the operator's tokens by their certificate. Nobody issues others, so the realm is a name. */}}
{{- define "slipway.registryConfig" -}}
version: 0.1
log: {accesslog: {disabled: true}, level: warn}
storage:
  filesystem: {rootdirectory: /data}
  delete: {enabled: true}
http: {addr: ":5000"}
auth:
  token:
    realm: http://{{ include "slipway.registryHost" . }}/token
    service: slipway-registry
    issuer: slipway-operator
    rootcertbundle: /etc/registry-key/tls.crt
{{- end }}
