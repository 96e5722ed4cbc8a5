{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{/* What cannot be true at once. Each ends the rendering with one sentence that says what to change. */}}
{{- define "button-connector.checks" -}}
{{- $values := .Values -}}
{{- $config := .Values.config -}}
{{- $delivery := $config.delivery -}}

{{- if not $config.kafka.bootstrap_servers -}}
{{- fail "config.kafka.bootstrap_servers is missing: name the brokers, for example broker-1:9092,broker-2:9092." -}}
{{- end -}}

{{- if le ($delivery.shutdown_seconds | float64) (addf $delivery.drain_seconds 3) -}}
{{- fail (printf "config.delivery.shutdown_seconds (%v) must be more than config.delivery.drain_seconds (%v) and 3 seconds to leave the group: raise it, or lower the drain." $delivery.shutdown_seconds $delivery.drain_seconds) -}}
{{- end -}}
{{- if lt (include "button-connector.gracePeriodSeconds" . | float64) ($delivery.shutdown_seconds | float64) -}}
{{- fail (printf "terminationGracePeriodSeconds (%v) is less than config.delivery.shutdown_seconds (%v), so a pod would be killed while it drains: raise it, or leave it out to have it computed." $values.terminationGracePeriodSeconds $delivery.shutdown_seconds) -}}
{{- end -}}

{{- if eq $values.workload "Deployment" -}}
{{- if $values.persistence.enabled -}}
{{- fail "workload: Deployment cannot give each pod a volume of its own: set persistence.enabled to false, or workload to StatefulSet." -}}
{{- end -}}
{{- if $values.staticMembership -}}
{{- fail "workload: Deployment has no stable names for staticMembership: set staticMembership to false, or workload to StatefulSet." -}}
{{- end -}}
{{- end -}}
{{- if $config.kafka.group_instance_id -}}
{{- fail "config.kafka.group_instance_id would be the same for all pods: leave it out, and set staticMembership, which gives each pod its own." -}}
{{- end -}}

{{- $isKeyInEnvironment := not (empty $values.extraEnvFrom) -}}
{{- range $values.extraEnv -}}
{{- if eq .name "BUTTON_CONNECTOR__BUTTON__API_KEY" "BUTTON_CONNECTOR__BUTTON__API_KEY_FILE" -}}{{- $isKeyInEnvironment = true -}}{{- end -}}
{{- end -}}
{{- if and $values.secrets.apiKey.existingSecret $config.button.api_key_file -}}
{{- fail "Both secrets.apiKey.existingSecret and config.button.api_key_file say where the API key is: leave one of them out." -}}
{{- end -}}
{{- if not (or $values.secrets.apiKey.existingSecret $config.button.api_key_file $isKeyInEnvironment) -}}
{{- fail "secrets.apiKey.existingSecret is missing: name the Secret that holds Button's API key." -}}
{{- end -}}
{{- if and $values.secrets.kafka.properties (not $values.secrets.kafka.existingSecret) -}}
{{- fail "secrets.kafka.properties are given without secrets.kafka.existingSecret: name the Secret that holds them." -}}
{{- end -}}
{{- range $property, $_ := $config.kafka.properties -}}
{{- if regexMatch "password|passphrase|secret|token|credential|\\.pem$|\\.key$|oauthbearer\\.config$" $property -}}
{{- fail (printf "config.kafka.properties gives %s, which is a secret: put it into a Secret and name it in secrets.kafka." $property) -}}
{{- end -}}
{{- if hasKey $values.secrets.kafka.properties $property -}}
{{- fail (printf "Both config.kafka.properties and secrets.kafka.properties give %s: leave one of them out." $property) -}}
{{- end -}}
{{- end -}}
{{- if and $values.secrets.schemaRegistry.existingSecret (not $config.schema_registry) -}}
{{- fail "secrets.schemaRegistry.existingSecret is given without config.schema_registry: give its url, or leave the Secret out." -}}
{{- end -}}

{{- if $values.autoscaling.enabled -}}
{{- if not (kindIs "invalid" $values.replicas) -}}
{{- fail (printf "replicas (%v) is fixed while autoscaling.enabled lets KEDA choose: leave replicas out, or switch autoscaling off." $values.replicas) -}}
{{- end -}}
{{- if not $values.autoscaling.prometheusAddress -}}
{{- fail "autoscaling.prometheusAddress is missing: say where Prometheus is, for example http://prometheus.monitoring:9090." -}}
{{- end -}}
{{- $most := $values.autoscaling.maxReplicas | default $values.topics.partitions -}}
{{- if gt (int $values.autoscaling.minReplicas) (int $most) -}}
{{- fail (printf "autoscaling.minReplicas (%v) is more than the most pods (%v): lower it, or raise autoscaling.maxReplicas or topics.partitions." $values.autoscaling.minReplicas $most) -}}
{{- end -}}
{{- $window := $config.delivery.max_uncommitted_records | default 5000 -}}
{{- if ge (int $values.autoscaling.unfinishedRecordsPerPod) (int $window) -}}
{{- fail (printf "autoscaling.unfinishedRecordsPerPod (%v) is never reached, because a pod reads no more than config.delivery.max_uncommitted_records (%v) ahead: lower it." $values.autoscaling.unfinishedRecordsPerPod $window) -}}
{{- end -}}
{{- end -}}

{{- if ($config.tables | default dict).directory -}}
{{- fail (printf "config.tables.directory (%s) is the chart's own, which mounts the tables' volume: leave it out." $config.tables.directory) -}}
{{- end -}}
{{- if eq (int $config.ops.port) 0 -}}
{{- fail "config.ops.port is 0 (any free port), but the probes must know it: give a number." -}}
{{- end -}}
{{- if hasPrefix "127." ($config.ops.host | default "0.0.0.0") -}}
{{- fail (printf "config.ops.host is %s, where no probe can reach it: leave it out." $config.ops.host) -}}
{{- end -}}
{{- if and $values.topics.create (gt (int $values.topics.minInsyncReplicas) (int $values.topics.replicationFactor)) -}}
{{- fail (printf "topics.minInsyncReplicas (%v) is more than topics.replicationFactor (%v), so that nothing could be written: lower it." $values.topics.minInsyncReplicas $values.topics.replicationFactor) -}}
{{- end -}}
{{- end -}}
