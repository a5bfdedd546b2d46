{{/* Labels of every object. */}}
{{- define "rayfix.labels" -}}
app.kubernetes.io/name: rayfix
app.kubernetes.io/part-of: rayfix
{{- end }}

{{/* Annotations of the webhook configurations; cert-manager writes their caBundle. */}}
{{- define "rayfix.webhookAnnotations" -}}
{{- if .Values.certManager.enabled }}
annotations:
  cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/rayfix
{{- end }}
{{- end }}

{{/* Where the API server connects; the argument is (list $ path). No caBundle: it is written by the
running server, and a second manager of that field would fight with it. */}}
{{- define "rayfix.clientConfig" -}}
clientConfig:
  service:
    namespace: {{ (index . 0).Release.Namespace }}
    name: rayfix
    path: {{ index . 1 }}
    port: 443
{{- end }}

{{/* Never the namespace of the server: its pods start without it. */}}
{{- define "rayfix.namespaceSelector" -}}
namespaceSelector:
  matchExpressions:
    - key: kubernetes.io/metadata.name
      operator: NotIn
      values: [kube-system, kube-public, kube-node-lease, {{ .Release.Namespace }}]
{{- end }}

{{- define "rayfix.rayPods" -}}
objectSelector:
  matchExpressions:
    - key: ray.io/node-type
      operator: In
      values: [head, worker]
{{- end }}

{{- define "rayfix.common" -}}
sideEffects: None
matchPolicy: Equivalent
admissionReviewVersions: [v1]
{{- end }}

{{/* An override for all namespaces with every rule in audit, as deploy/components/audit-only. */}}
{{- define "rayfix.auditOnly" -}}
match: "*"
mutators:
  {{- range list "dns-config" "gpu-tolerations" "prestop-drain" "readiness-probe" "spot-placement" "tmp-ray-memory" "wait-gcs" }}
  {{ . }}: {mode: audit}
  {{- end }}
validators:
  {{- range list "cpu-limit" "gpu-limit" "memory-limit" "min-requests" "repair-taints" }}
  {{ . }}: {action: audit, podAction: audit}
  {{- end }}
  {{- range list "disruption-budget" "fixed-size" "gpu-toleration" "idle-gpus" "max-gpus" "max-workers" "pod-security" "qos-guaranteed" "quantities" "repair-lifecycle" "required-labels" }}
  {{ . }}: {action: audit}
  {{- end }}
{{- end }}

{{/* The configuration file. What values.yaml says under `config` wins over the switches. */}}
{{- define "rayfix.config" -}}
{{- $config := dict "apiVersion" "rayfix.io/v1alpha1" "kind" "Configuration" }}
{{- $source := ternary "directory" "secret" .Values.certManager.enabled }}
{{- $_ := set $config "certificates" (dict "source" $source) }}
{{- if ne .Release.Namespace "rayfix-system" }}
{{- $_ := set $config "tls" (dict "dnsNames" (list (printf "rayfix.%s.svc" .Release.Namespace))) }}
{{- end }}
{{- if .Values.spot.enabled }}
{{- $spot := dict "placement" .Values.spot.placement "provider" .Values.spot.provider }}
{{- $_ := set $config "mutators" (dict "spot-placement" $spot) }}
{{- end }}
{{- if .Values.nodeRepair.enabled }}
{{- $_ := set $config "validators" (dict "repair-lifecycle" (dict "action" "deny")) }}
{{- end }}
{{- $config = mergeOverwrite $config (deepCopy .Values.config) }}
{{- if .Values.auditOnly.enabled }}
{{- $all := include "rayfix.auditOnly" . | fromYaml }}
{{- $_ := set $config "namespaces" (append ($config.namespaces | default list) $all) }}
{{- end }}
{{- toYaml $config }}
{{- end }}
