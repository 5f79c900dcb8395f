{{/* The prefix of every name. */}}
{{- define "sluice.name" -}}
{{- if contains "sluice" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-sluice" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* What selects the pods of a component: (list $ "worker"). */}}
{{- define "sluice.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: sluice
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* A selector for the pods of several components: (list $ (list "worker" "rates")). */}}
{{- define "sluice.anyOf" -}}
{{- $root := index . 0 -}}
matchLabels:
  app.kubernetes.io/name: sluice
  app.kubernetes.io/instance: {{ $root.Release.Name }}
matchExpressions:
  - key: app.kubernetes.io/component
    operator: In
    values: {{ toJson (index . 1) }}
{{- end }}

{{- define "sluice.labels" -}}
{{- $root := index . 0 -}}
{{ include "sluice.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end }}

{{- define "sluice.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest }}{{ printf "%s@%s" $image.repository $image.digest }}
{{- else }}{{ printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) }}{{ end }}
{{- end }}

{{/* The variable that a secret sets, by its name in `secrets`. */}}
{{- define "sluice.variables" -}}
redisUrl: SLUICE_REDIS_URL
redisBoardUrl: SLUICE_REDIS_URL
ledgerUrl: SLUICE_LEDGER_URL
regionsGateway: SLUICE_REGIONS
regionsOperator: SLUICE_OPERATOR_REGIONS
regionsWorker: SLUICE_REGIONS
regionsPayments: SLUICE_REGIONS
regionsRates: SLUICE_REGIONS
regionsWarehouse: SLUICE_REGIONS
jwtSecret: SLUICE_JWT_SECRET
providerUrl: SLUICE_PROVIDER_URL
webhookSecret: SLUICE_WEBHOOK_SECRET
ratesSource: SLUICE_RATES_SOURCE
{{- end }}

{{/*
The pod of a role, as dict:
  root       $
  component  the label that selects it
  args       the command line's words
  secrets    names of `secrets` that it receives; those that are null are left out
  settings   its own variables, over those of `settings`
  role       its part of the values (resources)
  ports      container ports by name; health is asked at `metrics`, or at `health` if given
  stopSeconds  how long it may take to stop
  data       whether it has a volume `data`
*/}}
{{- define "sluice.pod" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
{{- $variables := include "sluice.variables" $root | fromYaml -}}
{{- $secrets := list -}}
{{- range .secrets }}{{ if index $values.secrets . }}{{ $secrets = append $secrets . }}{{ end }}{{ end -}}
{{- $settings := mergeOverwrite (dict) $values.settings .settings -}}
{{- range $name, $value := $settings }}
{{- if has $name (values $variables) }}
{{- if or (eq $name "SLUICE_PROVIDER_URL") (eq $name "SLUICE_RATES_SOURCE") }}{{ else }}
{{- fail (printf "%s is a secret: name its Secret in secrets" $name) }}
{{- end }}
{{- end }}
{{- end }}
metadata:
  labels:
    {{- include "sluice.labels" (list $root .component) | nindent 4 }}
    {{- with $values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with $values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "sluice.name" $root }}
  automountServiceAccountToken: false
  # Kubernetes would add variables named after Services, such as SLUICE_GATEWAY_EU_PORT, which are
  # no settings of Sluice: a role would refuse to start.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .stopSeconds }}
  {{- with $values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile: { type: RuntimeDefault }
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "sluice.selector" (list $root $.component) | nindent 10 }}
    {{- end }}
  containers:
    - name: {{ first .args }}
      image: {{ include "sluice.image" $root }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: {{ toJson .args }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      env:
        - name: SLUICE_ID
          valueFrom: { fieldRef: { fieldPath: metadata.name } }
        - { name: SLUICE_SHARDS, value: {{ $values.shards | quote }} }
        - { name: SLUICE_METRICS_HOST, value: 0.0.0.0 }
        - { name: SLUICE_METRICS_PORT, value: "9464" }
        {{- range $name := $secrets }}
        - { name: {{ index $variables $name }}_FILE, value: /run/secrets/sluice/{{ $name }} }
        {{- end }}
        {{- range $name, $value := $settings }}
        - { name: {{ $name }}, value: {{ $value | toString | quote }} }
        {{- end }}
      ports:
        {{- range $name, $port := .ports }}
        - { name: {{ $name }}, containerPort: {{ $port }} }
        {{- end }}
      {{- $health := hasKey .ports "health" | ternary "health" "metrics" }}
      # A role listens once it has reached its stores.
      startupProbe:
        httpGet: { path: /healthz, port: {{ $health }} }
        periodSeconds: 2
        timeoutSeconds: 5
        failureThreshold: 150
      livenessProbe:
        httpGet: { path: /healthz, port: {{ $health }} }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: { path: {{ eq $health "health" | ternary "/healthz" "/readyz" }}, port: {{ $health }} }
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 2
      resources:
        {{- toYaml .role.resources | nindent 8 }}
      volumeMounts:
        - { name: tmp, mountPath: /tmp }
        {{- if $secrets }}
        - { name: secrets, mountPath: /run/secrets/sluice, readOnly: true }
        {{- end }}
        {{- if .data }}
        - { name: data, mountPath: /data }
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: { medium: Memory, sizeLimit: 64Mi }
    {{- if $secrets }}
    - name: secrets
      projected:
        # Readable by the group that the pod's processes are in.
        defaultMode: 0440
        sources:
          {{- range $name := $secrets }}
          {{- $secret := index $values.secrets $name }}
          - secret:
              name: {{ $secret.name }}
              items: [{ key: {{ $secret.key }}, path: {{ $name }} }]
          {{- end }}
    {{- end }}
{{- end }}

{{/* How long a role needs to finish its work in flight. */}}
{{- define "sluice.stopSeconds" -}}30{{- end }}

{{/* A Deployment's head: what "sluice.pod" takes, and replicas, unless `scaled`; `strategy`. */}}
{{- define "sluice.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "sluice.name" .root }}-{{ .component }}
  labels:
    {{- include "sluice.labels" (list .root .component) | nindent 4 }}
spec:
  {{- if not .scaled }}
  replicas: {{ .replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  {{- if eq (.strategy | default "RollingUpdate") "Recreate" }}
  # All pods stop before the first new one starts.
  strategy: { type: Recreate }
  {{- else }}
  # A new pod is ready before an old one stops.
  strategy:
    rollingUpdate: { maxSurge: 1, maxUnavailable: 0 }
  {{- end }}
  selector:
    matchLabels:
      {{- include "sluice.selector" (list .root .component) | nindent 6 }}
  template:
    {{- include "sluice.pod" . | nindent 4 }}
{{- end }}
