/**
 * The chart's templates of what deploy/ and crds/ have: the same text, in which some lines are replaced by what the chart's values say. So deploy/
 * stays the one source (docs/adr/0029-the-chart-is-made-from-the-manifests.md), and with the default values the chart makes the same objects,
 * which test/integration/chart.test.ts compares.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { guardFollowing } from './chart-guard.ts';
import { perNamespace } from './chart-roles.ts';
import { crd } from './crd.ts';

/** The lines from one that reads `from` to the first after it that reads `to`, both without their indent, become `by`. */
export type Change = { readonly from: string; readonly to?: string; readonly by: string };

type Template = {
  readonly source: string;
  /** The value that must be true; none: always there. */
  readonly onlyIf?: string;
  readonly changes: readonly Change[];
  /** Has rights: where the operator watches some namespaces only, in these and nowhere else. */
  readonly rights?: boolean;
  /** What else follows the values, all over the text. */
  readonly also?: (text: string) => string;
};

const ROOT = join(import.meta.dirname, '../..');
const NAMESPACE = 'leadergroup-system';
const CRD = 'crds/leadergroups.yaml';

const operatorChanges: readonly Change[] = [
  {
    from: '# The operator. Before you apply it, set the image and the address of Consul (CONSUL_HTTP_ADDR). The chart is made from this file.',
    by: '{{- include "leadergroup.validate" . }}',
  },
  { from: 'replicas: 2', by: '  replicas: {{ int .Values.replicas }}' },
  {
    from: 'consul.hashicorp.com/connect-inject: "false"',
    by: `        consul.hashicorp.com/connect-inject: "false"
        {{- with .Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}`,
  },
  {
    from: 'serviceAccountName: leadergroup',
    by: `      serviceAccountName: leadergroup
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with include "leadergroup.scheduling" . | trim }}
      {{- . | nindent 6 }}
      {{- end }}`,
  },
  { from: 'whenUnsatisfiable: ScheduleAnyway', by: '          whenUnsatisfiable: {{ .Values.topologySpread }}' },
  {
    from: '# Built from the Dockerfile. Set your registry with kubectl set image or kustomize, see docs/install.md.',
    to: 'image: leadergroup:0.1.0',
    by: `          image: {{ include "leadergroup.image" . | quote }}
          {{- with .Values.image.pullPolicy }}
          imagePullPolicy: {{ . }}
          {{- end }}`,
  },
  {
    from: "# Consul's standard variables work here: also CONSUL_HTTP_SSL, CONSUL_CACERT, CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY.",
    to: 'secretKeyRef: { name: leadergroup-consul, key: token, optional: true }',
    by: '            {{- include "leadergroup.consulEnv" . | nindent 12 }}',
  },
  {
    from: '# If applications ask the gate behind source NAT, a mesh or on the host network (docs/ask-before-you-act.md):',
    to: '#   value: \'[{"namespaces": ["*"], "prefix": "jobs/"}]\'',
    by: `            {{- with include "leadergroup.settingsEnv" . | trim }}
            {{- . | nindent 12 }}
            {{- end }}`,
  },
  {
    from: '- { name: NODE_OPTIONS, value: "--max-semi-space-size=8 --max-old-space-size=720" }',
    by: '            - { name: NODE_OPTIONS, value: "--max-semi-space-size=8 --max-old-space-size={{ int .Values.heapMebibytes }}" }',
  },
  {
    from: 'requests: { cpu: 100m, memory: 128Mi }',
    to: 'limits: { memory: 1Gi }',
    by: '            {{- toYaml .Values.resources | nindent 12 }}',
  },
  {
    from: 'capabilities: { drop: [ALL] }',
    by: `            capabilities: { drop: [ALL] }
          {{- with include "leadergroup.volumeMounts" . | trim }}
          volumeMounts:
            {{- . | nindent 12 }}
          {{- end }}
      {{- with include "leadergroup.volumes" . | trim }}
      volumes:
        {{- . | nindent 8 }}
      {{- end }}`,
  },
];

const templates: Readonly<Record<string, Template>> = {
  'crds.yaml': {
    source: CRD,
    onlyIf: '.Values.crds.enabled',
    changes: [
      {
        from: 'name: leadergroups.leadergroup.dev',
        by: `  name: leadergroups.leadergroup.dev
  {{- if .Values.crds.keep }}
  annotations: { helm.sh/resource-policy: keep }
  {{- end }}`,
      },
    ],
  },
  'rbac.yaml': { source: 'deploy/10-rbac.yaml', changes: [], rights: true },
  'operator.yaml': { source: 'deploy/20-operator.yaml', changes: operatorChanges },
  'network-policy.yaml': {
    source: 'deploy/30-network-policy.yaml',
    onlyIf: '.Values.networkPolicy.enabled',
    changes: [],
  },
  'flow-schema.yaml': {
    source: 'deploy/40-flow-schema.yaml',
    // It is of the whole cluster.
    onlyIf: 'and .Values.flowSchema.enabled (not .Values.watchNamespaces)',
    changes: [],
  },
  'route-rbac.yaml': {
    source: 'deploy/overlays/route/rbac.yaml',
    onlyIf: '.Values.route.enabled',
    rights: true,
    changes: [
      {
        from: '# On OpenShift, whose admission else refuses addresses of pods to everyone but its own controllers, add this rule by a patch. It grants nothing elsewhere.',
        to: '#   verbs: [create]',
        by: `  {{- if .Values.route.openshift }}
  - apiGroups: [discovery.k8s.io]
    resources: [endpointslices/restricted]
    verbs: [create]
  {{- end }}`,
      },
    ],
  },
  'route-policies.yaml': {
    source: 'deploy/overlays/route/policies.yaml',
    onlyIf: 'and .Values.route.enabled .Values.route.policies',
    changes: [
      {
        from: '# RBAC cannot say "only its own EndpointSlices": a role that may write slices may send any Service\'s traffic anywhere. These policies say it, for',
        to: '# another, change the names in `matchConditions`: a policy that matches no account holds back nobody.',
        by: `# RBAC cannot say "only its own EndpointSlices": a role that may write slices may send any Service's traffic anywhere. These policies say it, for
# the operator's account alone; nobody else's requests are looked at. They need Kubernetes 1.30.`,
      },
    ],
  },
  'guard-label.yaml': {
    source: 'deploy/overlays/guard/label.yaml',
    onlyIf: '.Values.guard.label.enabled',
    changes: [],
    also: guardFollowing('guard.label.validationActions'),
  },
  'guard-templates.yaml': {
    source: 'deploy/overlays/guard/templates.yaml',
    onlyIf: '.Values.guard.label.enabled',
    changes: [],
    also: guardFollowing(null),
  },
  'guard-operator.yaml': {
    source: 'deploy/overlays/guard/operator.yaml',
    onlyIf: '.Values.guard.operator.enabled',
    changes: [],
    also: guardFollowing('guard.operator.validationActions'),
  },
  'guard-strip.yaml': {
    source: 'deploy/overlays/guard/strip.yaml',
    onlyIf: '.Values.guard.label.stripAtCreate',
    changes: [],
    also: guardFollowing(null),
  },
};

/** `from` and `to` must each be found, else what they stand for would silently not follow the values. */
function changed(text: string, { from, to = from, by }: Change, source: string): string {
  const lines = text.split('\n');
  const at = lines.flatMap((line, index) => (line.trim() === from ? [index] : []));
  const start = at[0];
  if (start === undefined || at.length > 1)
    throw new Error(`${source} has ${at.length} lines that read ${JSON.stringify(from)}: mend dev/generate/chart.ts`);
  const length = lines.slice(start).findIndex((line) => line.trim() === to);
  if (length < 0)
    throw new Error(
      `${source} has no line ${JSON.stringify(to)} after ${JSON.stringify(from)}: mend dev/generate/chart.ts`,
    );
  return lines.toSpliced(start, length + 1, by).join('\n');
}

/** Wherever the release is installed. Within an expression of an admission policy there are quotes already. */
const inItsNamespace = (text: string): string =>
  text
    .replaceAll(`namespace: ${NAMESPACE}`, 'namespace: {{ .Release.Namespace | quote }}')
    .replaceAll(`serviceaccount:${NAMESPACE}:`, 'serviceaccount:{{ .Release.Namespace }}:');

/** What the policies do is one value for all of them. */
const withActions = (text: string): string =>
  text.replaceAll('validationActions: [Warn]', 'validationActions: {{ toJson .Values.route.validationActions }}');

/** Installations that watch some namespaces only may be several. */
const namedByRelease = (text: string): string =>
  text.replaceAll(
    /^( *(?:name|policyName): )(leadergroup-route-(?:slices|evictions))$/gm,
    '$1$2{{ if .Values.watchNamespaces }}-{{ .Release.Namespace }}{{ end }}',
  );

const same = (text: string): string => text;

/**
 * The template that is made of the text of `source`.
 *
 * Throws where the text has not what is to be changed, or has what would not follow the release.
 */
export function templateOf(text: string, template: Template): string {
  const { source, onlyIf, changes, rights = false, also = same } = template;
  if (text.includes('{{')) throw new Error(`${source} has {{, which Helm would take for its own`);
  const after = also(changes.reduce((now, change) => changed(now, change, source), text.trimEnd()));
  const placed = namedByRelease(withActions(inItsNamespace(after)));
  const body = rights ? perNamespace(placed) : placed;
  if (body.includes(NAMESPACE)) throw new Error(`${source} names ${NAMESPACE} where the chart does not replace it`);
  const head = `{{- /* Made from ${source} by \`npm run generate\`: change it there. */ -}}`;
  return onlyIf === undefined ? `${head}\n${body}\n` : `${head}\n{{- if ${onlyIf} }}\n${body}\n{{- end }}\n`;
}

/** The file may be older than what is to be written now. */
const textOf = (source: string): string => (source === CRD ? crd() : readFileSync(join(ROOT, source), 'utf8'));

/** The generated templates by their path. */
export const chartTemplates: Readonly<Record<string, () => string>> = Object.fromEntries(
  Object.entries(templates).map(([name, each]) => [
    `deploy/chart/templates/${name}`,
    () => templateOf(textOf(each.source), each),
  ]),
);
