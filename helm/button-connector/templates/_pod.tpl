{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{/* The pod, which is the same in a StatefulSet and in a Deployment. */}}
{{- define "button-connector.pod" -}}
metadata:
  labels:
    {{- include "button-connector.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ include "button-connector.settings" . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "button-connector.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "button-connector.gracePeriodSeconds" . }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  topologySpreadConstraints:
    {{- if kindIs "invalid" .Values.topologySpreadConstraints }}
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "button-connector.selectorLabels" $ | nindent 10 }}
    {{- end }}
    {{- else }}
    {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: connector
      image: {{ include "button-connector.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [run, --config, /etc/button-connector/connector.yaml]
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      {{- if or .Values.staticMembership .Values.extraEnv }}
      env:
        {{- if .Values.staticMembership }}
        - name: BUTTON_CONNECTOR__KAFKA__GROUP_INSTANCE_ID
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        {{- end }}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      {{- with .Values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: ops
          containerPort: {{ .Values.config.ops.port }}
      startupProbe:
        httpGet: {path: /startupz, port: ops}
        {{- toYaml .Values.probes.startup | nindent 8 }}
      readinessProbe:
        httpGet: {path: /readyz, port: ops}
        {{- toYaml .Values.probes.readiness | nindent 8 }}
      livenessProbe:
        httpGet: {path: /livez, port: ops}
        {{- toYaml .Values.probes.liveness | nindent 8 }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - name: config
          mountPath: /etc/button-connector
          readOnly: true
        {{- include "button-connector.credentialMounts" . | nindent 8 }}
        - name: tables
          mountPath: /var/lib/button-connector
        - name: tmp
          mountPath: /tmp
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "button-connector.fullname" . }}
    {{- include "button-connector.credentialVolumes" . | nindent 4 }}
    {{- if not .Values.persistence.enabled }}
    - name: tables
      emptyDir: {}
    {{- end }}
    - name: tmp
      emptyDir:
        sizeLimit: 64Mi
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "button-connector.credentialMounts" -}}
{{- range $name, $secret := dict "button" .Values.secrets.apiKey "kafka" .Values.secrets.kafka "schema-registry" .Values.secrets.schemaRegistry }}
{{- if $secret.existingSecret }}
- name: {{ $name }}-credentials
  mountPath: /run/secrets/{{ $name }}
  readOnly: true
{{- end }}
{{- end }}
{{- end -}}

{{- define "button-connector.credentialVolumes" -}}
{{- with .Values.secrets.apiKey }}
{{- if .existingSecret }}
- name: button-credentials
  secret:
    secretName: {{ .existingSecret }}
    defaultMode: 0440
    items: [{key: {{ .key | quote }}, path: api-key}]
{{- end }}
{{- end }}
{{- with .Values.secrets.kafka }}
{{- if .existingSecret }}
- name: kafka-credentials
  secret:
    secretName: {{ .existingSecret }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- with .Values.secrets.schemaRegistry }}
{{- if .existingSecret }}
- name: schema-registry-credentials
  secret:
    secretName: {{ .existingSecret }}
    defaultMode: 0440
    items: [{key: {{ .key | quote }}, path: password}]
{{- end }}
{{- end }}
{{- end -}}
