{{/* Equal to the table in edges/kubernetes/permissions.py, which a test holds against this. */}}
{{- define "slipway.modelRules" -}}
- {apiGroups: [slipway.dev], resources: [modeldeployments], verbs: [get, list, watch]}
- {apiGroups: [slipway.dev], resources: [modeldeployments/status], verbs: [update]}
- {apiGroups: [slipway.dev], resources: [modeldeployments/finalizers], verbs: [update]}
- {apiGroups: [""], resources: [serviceaccounts], verbs: [create, get, list, patch, watch]}
- {apiGroups: [networking.k8s.io], resources: [networkpolicies], verbs: [create, delete, get, list, patch, watch]}
- {apiGroups: [batch], resources: [jobs], verbs: [create, delete, get, list, patch, watch]}
- {apiGroups: [apps], resources: [deployments], verbs: [create, delete, get, list, patch, watch]}
- {apiGroups: [policy], resources: [poddisruptionbudgets], verbs: [create, delete, get, list, patch, watch]}
- {apiGroups: [""], resources: [services], verbs: [create, delete, get, list, patch, watch]}
- {apiGroups: [gateway.networking.k8s.io], resources: [httproutes], verbs: [create, get, list, patch, watch]}
- {apiGroups: [""], resources: [pods], verbs: [list, watch]}
- {apiGroups: [""], resources: [secrets], verbs: [create, get]}
- {apiGroups: [""], resources: [namespaces], verbs: [get]}
{{- if include "slipway.isEmbedded" . }}
- {apiGroups: [""], resources: [secrets], verbs: [patch]}
{{- end }}
- {apiGroups: [""], resources: [events], verbs: [create, get, list, patch]}
{{- end }}

{{- define "slipway.subject" -}}
- {kind: ServiceAccount, name: {{ include "slipway.name" . }}-operator, namespace: {{ .Release.Namespace }}}
{{- end }}
