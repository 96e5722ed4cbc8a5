{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{/* The name of everything: the release's, with the chart's if that is not a part of it. */}}
{{- define "button-connector.fullname" -}}
{{- $chart := .Values.nameOverride | default .Chart.Name -}}
{{- $name := contains $chart .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $chart) -}}
{{- .Values.fullnameOverride | default $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "button-connector.selectorLabels" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "button-connector.labels" -}}
{{ include "button-connector.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Name, namespace and labels, as every object has them. */}}
{{- define "button-connector.metadata" -}}
name: {{ include "button-connector.fullname" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "button-connector.labels" . | nindent 2 }}
{{- end -}}

{{- define "button-connector.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "button-connector.fullname" .) "default") -}}
{{- end -}}

{{- define "button-connector.image" -}}
{{- with .Values.image -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ with .digest }}@{{ . }}{{ end }}
{{- end -}}
{{- end -}}

{{- define "button-connector.gracePeriodSeconds" -}}
{{- .Values.terminationGracePeriodSeconds | default (add (ceil .Values.config.delivery.shutdown_seconds) 10) -}}
{{- end -}}

{{/* The settings file: `config`, and where the credentials and the tables are. */}}
{{- define "button-connector.settings" -}}
{{- $config := deepCopy .Values.config -}}
{{- with .Values.secrets.apiKey -}}
{{- if .existingSecret -}}{{- $_ := set $config.button "api_key_file" "/run/secrets/button/api-key" -}}{{- end -}}
{{- end -}}
{{- with .Values.secrets.kafka.properties -}}
{{- $files := $config.kafka.properties_from_files | default dict -}}
{{- range $property, $key := . -}}{{- $_ := set $files $property (printf "/run/secrets/kafka/%s" $key) -}}{{- end -}}
{{- $_ := set $config.kafka "properties_from_files" $files -}}
{{- end -}}
{{- if .Values.secrets.schemaRegistry.existingSecret -}}
{{- $_ := set $config.schema_registry "password_file" "/run/secrets/schema-registry/password" -}}
{{- end -}}
{{- $_ := set $config "tables" (merge (dict "directory" "/var/lib/button-connector") ($config.tables | default dict)) -}}
{{- toYaml $config -}}
{{- end -}}

{{/* The port of an address: its own, or its scheme's. */}}
{{- define "button-connector.portOf" -}}
{{- $url := urlParse (trim .) -}}
{{- regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (eq $url.scheme "http" | ternary "80" "443") -}}
{{- end -}}

{{/* What tells the metrics of this release from those of others. */}}
{{- define "button-connector.series" -}}
namespace={{ .Release.Namespace | quote }},job={{ include "button-connector.fullname" . | quote }}
{{- end -}}

{{/* The rules of a NetworkPolicy by which a pod reaches the name service and Kafka. */}}
{{- define "button-connector.egressToKafka" -}}
{{- $policy := .Values.networkPolicy }}
{{- $brokers := .Values.config.kafka.bootstrap_servers }}
{{- if kindIs "string" $brokers }}{{ $brokers = splitList "," $brokers }}{{ end }}
{{- $brokerPorts := list }}
{{- range $brokers }}{{ $brokerPorts = append $brokerPorts (regexFind "[0-9]+$" (trim .)) }}{{ end -}}
# The name service, also where it runs on the node
- to:
    - namespaceSelector: {}
    - ipBlock: {cidr: 169.254.0.0/16}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
# Kafka
- ports:
    {{- range $policy.kafkaPorts | default $brokerPorts | uniq }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
  {{- with $policy.kafkaPeers }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
