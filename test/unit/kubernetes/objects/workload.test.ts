import { describe, expect, it } from 'vitest';
import { projectPodSelecting, projectWorkload, sourceOf } from '../../../../src/kubernetes/objects/workload.ts';
import { aReplicaSet } from '../../../kit/fakes/builders.ts';

const OWNER = aReplicaSet({ name: 'web-abc', uid: 'rs' });
const KEY = 'leadergroup.dev/role';

describe('where a controller is read', () => {
  it.each([
    ['apps/v1', 'ReplicaSet', 'replicasets', undefined],
    ['apps/v1', 'StatefulSet', 'statefulsets', undefined],
    ['apps/v1', 'DaemonSet', 'daemonsets', undefined],
    ['batch/v1', 'Job', 'jobs', undefined],
    ['v1', 'ReplicationController', 'replicationcontrollers', undefined],
    ['apps.kruise.io/v1alpha1', 'CloneSet', 'clonesets', 'scale'],
  ] as const)('%s %s', (apiVersion, kind, plural, subresource) => {
    const source = sourceOf({ apiVersion, kind, name: 'x', uid: 'x' });
    expect([source?.resource.plural, source?.subresource]).toEqual([plural, subresource]);
  });

  it.each([
    ['', 'ReplicaSet'],
    ['apps/v1', ''],
    ['a/b/c', 'X'],
  ])('nowhere, when it does not name its kind: %j %j', (apiVersion, kind) => {
    expect(sourceOf({ apiVersion, kind, name: 'x', uid: 'x' })).toBeNull();
  });
});

describe('what a controller selects by', () => {
  const keysOf = (object: object): readonly string[] => {
    const found = projectWorkload(OWNER)({ metadata: { uid: 'rs' }, ...object });
    return found === null || found === 'gone' ? [] : found.selectorKeys;
  };

  it.each([
    ['matchLabels', { spec: { selector: { matchLabels: { [KEY]: 'leader' } } } }],
    ['any operator', { spec: { selector: { matchExpressions: [{ key: KEY, operator: 'DoesNotExist' }] } } }],
    ['a plain map, as of a ReplicationController', { spec: { selector: { [KEY]: 'leader' } } }],
    ['the text of a scale', { status: { selector: `app=web,${KEY} in (leader,standby)` } }],
    ['the negation in a text', { status: { selector: `!${KEY}` } }],
  ])('%s', (_what, object) => {
    expect(keysOf(object)).toContain(KEY);
  });

  it.each([null, 3, [], {}, { spec: 7 }, { spec: { selector: [] } }, { spec: { selector: { matchLabels: 'x' } } }])(
    'is nothing in %j',
    (object) => {
      expect(keysOf(Object(object) as object)).toEqual([]);
    },
  );

  it('takes no longer than the text is, whatever somebody has made of it', () => {
    const startedMs = performance.now();
    const text = '('.repeat(40_000);
    projectWorkload(OWNER)({ metadata: { uid: OWNER.uid }, status: { selector: text } });
    expect(performance.now() - startedMs).toBeLessThan(1000);
  });

  it('is not known of a scale that tells no selector', () => {
    expect(projectWorkload(OWNER)({ metadata: { uid: 'rs' }, status: { replicas: 3, selector: '' } })).toBeNull();
  });

  it('is nobody’s who has another uid: the controller is gone', () => {
    expect(projectWorkload(OWNER)({ metadata: { uid: 'other' } })).toBe('gone');
  });

  it('is told under the name of the Deployment that owns the ReplicaSet, with its template and placement', () => {
    const found = projectWorkload(OWNER)({
      metadata: { uid: 'rs', ownerReferences: [{ controller: true, kind: 'Deployment', name: 'web', uid: 'd' }] },
      spec: {
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web', [KEY]: 'leader' } },
          spec: {
            topologySpreadConstraints: [{ labelSelector: { matchLabels: { zone: 'x' } } }],
            affinity: {
              podAntiAffinity: {
                preferredDuringSchedulingIgnoredDuringExecution: [
                  { podAffinityTerm: { labelSelector: { matchLabels: { [KEY]: 'leader' } } } },
                ],
              },
            },
          },
        },
      },
    });
    expect(found).toMatchObject({
      kind: 'Deployment',
      name: 'web',
      templateKeys: ['app', KEY],
      placementKeys: ['zone', KEY],
    });
  });
});

it('a NetworkPolicy selects by every pod selector in it', () => {
  const raw = {
    metadata: { name: 'np' },
    spec: {
      podSelector: { matchLabels: { app: 'x' } },
      ingress: [{ from: [{ podSelector: { matchExpressions: [{ key: KEY, operator: 'Exists' }] } }] }],
    },
  };
  expect(projectPodSelecting('NetworkPolicy')(raw)).toEqual({ kind: 'NetworkPolicy', name: 'np', keys: ['app', KEY] });
});
