/**
 * The throwaway group and everything that belongs to it. All of it is owned by one Job, which ends by itself: closed laptop or `kill -9`, the cluster's own garbage collection takes
 * everything away. Pure.
 */
import {
  API_GROUP,
  API_VERSION,
  DEFAULT_LABEL_KEY,
  DEFAULT_LABEL_LEADER,
  KIND,
  ROUTE_ANNOTATION,
  SILENCE_ANNOTATION,
  VERIFY_LABEL,
} from '../../api/names.ts';
import type { RawObject } from '../../api/raw.ts';
import { silenceText } from '../../api/silence.ts';
import { type FaultName, WAYS, type Way } from '../../verify/lines.ts';
import { DEPLOYMENTS, JOBS, LEADER_GROUPS, type Resource, SERVICES } from '../resources.ts';

export const ROLE_LABEL = 'leadergroup.dev/verify-role';
export const MEMBERS = 3;
/**
 * One name for all runs in a namespace: of a group that is gone Consul keeps its last token for thirty days, so that there is one such record and not one for each run. It also keeps
 * two runs apart.
 */
export const GROUP_NAME = 'leadergroup-verify';
const PORT = 8080;
const PROGRAM = 'dist/verify-pod.js';

/** What of the operator's own pods is needed for its image to run: what its Deployment has. */
export type Placement = Readonly<Partial<Record<'nodeSelector' | 'tolerations' | 'imagePullSecrets', unknown>>>;

export type Wish = {
  readonly namespace: string;
  readonly name: string;
  readonly image: string;
  /** Empty: Kubernetes' default. */
  readonly pullPolicy: string;
  readonly placement: Placement;
  readonly faults: readonly FaultName[];
  readonly baselineMs: number;
  /** After which everything is taken away, whatever happens. */
  readonly deadlineSeconds: number;
  /** RFC 3339. */
  readonly until: string;
};

export type Made = { readonly resource: Resource; readonly content: RawObject };

export const serviceName = (name: string, way: Way): string => `${name}-${way}`;
export const selectorOf = (name: string, role: 'member' | 'prober'): string =>
  `${VERIFY_LABEL}=${name},${ROLE_LABEL}=${role}`;

/** It is made first: its uid is what the others are owned by. */
export function jobOf(wish: Wish): Made {
  const { namespace, name, faults, baselineMs, deadlineSeconds } = wish;
  const env = [
    ...WAYS.map((way) => ({
      name: `VERIFY_${way.toUpperCase()}`,
      value: `${serviceName(name, way)}.${namespace}.svc`,
    })),
    { name: 'VERIFY_FAULTS', value: faults.join(',') },
    { name: 'VERIFY_BASELINE_MS', value: String(baselineMs) },
  ];
  return {
    resource: JOBS,
    content: {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: metadataOf(wish),
      spec: {
        backoffLimit: 0,
        activeDeadlineSeconds: deadlineSeconds,
        ttlSecondsAfterFinished: 0,
        template: podOf(wish, 'prober', { env, more: { restartPolicy: 'Never' } }),
      },
    },
  };
}

/** Everything else. `uid`: of the Job. */
export function dependentsOf(wish: Wish, uid: string): readonly Made[] {
  const { name, deadlineSeconds, until } = wish;
  const labels = { [VERIFY_LABEL]: name, [ROLE_LABEL]: 'member' };
  const metadata = (own: string, annotations: object = {}) => ({
    ...metadataOf(wish),
    name: own,
    annotations,
    // Without blockOwnerDeletion, for which some clusters ask more rights.
    ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid }],
  });
  const service = (way: Way, annotations: object, selector: object): Made => ({
    resource: SERVICES,
    content: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: metadata(serviceName(name, way), annotations),
      spec: { ...selector, ports: [{ name: 'http', port: 80, targetPort: PORT }] },
    },
  });
  const group: Made = {
    resource: LEADER_GROUPS,
    content: {
      apiVersion: `${API_GROUP}/${API_VERSION}`,
      kind: KIND,
      metadata: metadata(GROUP_NAME, {
        [SILENCE_ANNOTATION]: silenceText(until, 'kubectl-leadergroup-verify', 'a throwaway group'),
      }),
      // Short, so that nothing is left in Consul for long where no operator is there to end it.
      spec: {
        selector: { matchLabels: labels },
        sessionTTLSeconds: 10,
        route: { serviceName: serviceName(name, 'slice') },
      },
    },
  };
  const env = ['name', 'uid'].map((each) => ({
    name: `POD_${each.toUpperCase()}`,
    valueFrom: { fieldRef: { fieldPath: `metadata.${each}` } },
  }));
  const members: Made = {
    resource: DEPLOYMENTS,
    content: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: metadata(name),
      spec: {
        replicas: MEMBERS,
        progressDeadlineSeconds: Math.max(1, deadlineSeconds),
        selector: { matchLabels: labels },
        template: podOf(wish, 'member', {
          env,
          probed: true,
          more: { shareProcessNamespace: true, ...spread(labels) },
        }),
      },
    },
  };
  return [
    service('label', {}, { selector: { ...labels, [DEFAULT_LABEL_KEY]: DEFAULT_LABEL_LEADER } }),
    service('slice', { [ROUTE_ANNOTATION]: GROUP_NAME }, {}),
    group,
    members,
  ];
}

const metadataOf = ({ namespace, name }: Wish) => ({
  name,
  namespace,
  labels: { 'app.kubernetes.io/name': 'leadergroup-verify', [VERIFY_LABEL]: name },
});

const spread = (matchLabels: object) => ({
  topologySpreadConstraints: [
    {
      topologyKey: 'kubernetes.io/hostname',
      maxSkew: 1,
      whenUnsatisfiable: 'ScheduleAnyway',
      labelSelector: { matchLabels },
    },
  ],
});

/** A mesh would stand between client and pod, and what is measured would be the mesh's. */
const NO_MESH = {
  'sidecar.istio.io/inject': 'false',
  'linkerd.io/inject': 'disabled',
  'consul.hashicorp.com/connect-inject': 'false',
} as const;

type PodWish = { readonly env: readonly object[]; readonly more: object; readonly probed?: boolean };

function podOf(
  { name, image, pullPolicy, placement }: Wish,
  role: 'member' | 'prober',
  { env, more, probed = false }: PodWish,
) {
  return {
    metadata: {
      labels: {
        'app.kubernetes.io/name': 'leadergroup-verify',
        [VERIFY_LABEL]: name,
        [ROLE_LABEL]: role,
        'sidecar.istio.io/inject': 'false',
      },
      annotations: NO_MESH,
    },
    spec: {
      ...placement,
      ...more,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 1,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: role,
          image,
          ...(pullPolicy === '' ? {} : { imagePullPolicy: pullPolicy }),
          command: ['node', PROGRAM, role],
          env: [{ name: 'NODE_OPTIONS', value: '--max-old-space-size=64' }, ...env],
          resources: { requests: { cpu: '25m', memory: '64Mi' }, limits: { cpu: '500m', memory: '128Mi' } },
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
          ...(probed
            ? {
                ports: [{ name: 'http', containerPort: PORT }],
                readinessProbe: {
                  httpGet: { path: '/', port: 'http' },
                  periodSeconds: 1,
                  timeoutSeconds: 1,
                  failureThreshold: 1,
                },
              }
            : {}),
        },
      ],
    },
  };
}
