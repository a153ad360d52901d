import { describe, expect, it } from 'vitest';
import { projectNode } from '../../../../src/kubernetes/objects/node.ts';
import { projectPod } from '../../../../src/kubernetes/objects/pod.ts';
import { aNode } from '../../../kit/fakes/builders.ts';
import { rawPod } from '../../../kit/fakes/kubernetes/raw.ts';

const condition = (type: unknown, status: unknown, lastTransitionTime?: unknown) => ({
  type,
  status,
  lastTransitionTime,
});

const ended = { name: 'app', state: { terminated: { exitCode: 0 } } };
const inferred = { name: 'app', state: { terminated: { exitCode: 137, reason: 'ContainerStatusUnknown' } } };
const running = { name: 'app', state: { running: {} } };
const ran = (first: object, app: object) => ({ initContainerStatuses: [first], containerStatuses: [app] });

describe('projectPod', () => {
  const at = (name: string, startedAt?: string) => ({ name, state: { running: { startedAt } } });
  const APP = { containers: [{ name: 'app' }] };
  const WITH_SIDECAR = {
    ...APP,
    initContainers: [{ name: 'first' }, { name: 'proxy', restartPolicy: 'Always' }],
  };
  const SECOND = Date.UTC(2026, 0, 1, 0, 0, 1);

  it.each([
    ['since its container runs', APP, { containerStatuses: [at('app', '2026-01-01T00:00:01Z')] }, SECOND],
    ['since 1970 where nobody can read since when', APP, { containerStatuses: [at('app', 'x')] }, 0],
    ['not while one waits', APP, { containerStatuses: [{ name: 'app', state: { waiting: {} } }] }, null],
    ['not once one has ended', APP, { containerStatuses: [ended] }, null],
    ['not while nothing is told of one', APP, {}, null],
    ['not without containers', {}, { containerStatuses: [at('app')] }, null],
    [
      'since the last of them runs, the sidecar too',
      WITH_SIDECAR,
      {
        containerStatuses: [at('app', '2026-01-01T00:00:00Z')],
        initContainerStatuses: [{ ...ended, name: 'first' }, at('proxy', '2026-01-01T00:00:01Z')],
      },
      SECOND,
    ],
    ['not without its sidecar', WITH_SIDECAR, { containerStatuses: [at('app')], initContainerStatuses: [ended] }, null],
  ])('runs %s', (_when, spec, status, since) => {
    expect(projectPod(rawPod('a', {}, { spec, status }))?.runningSinceMs).toBe(since);
  });

  it('was started anew as often as all of its containers were, sidecars included', () => {
    const status = {
      containerStatuses: [{ name: 'app', restartCount: 2 }, { name: 'other' }, { name: 'odd', restartCount: 'x' }],
      initContainerStatuses: [{ name: 'proxy', restartCount: 1 }],
    };
    expect(projectPod(rawPod('a', {}, { status }))?.restarts).toBe(3);
  });

  it('has been as its conditions say no longer than it exists, nor ready for longer than its containers run', () => {
    const status = {
      conditions: [
        condition('Ready', 'True', '2025-01-01T00:00:00Z'),
        condition('ContainersReady', 'False', '2025-01-01T00:00:00Z'),
        condition('mail/could-lead', 'True', '2025-01-01T00:00:00Z'),
      ],
      containerStatuses: [at('app', '2026-01-01T00:00:01Z')],
    };
    const made = { creationTimestamp: '2026-01-01T00:00:00Z' };
    expect(projectPod(rawPod('a', made, { spec: APP, status }))).toMatchObject({
      readyTransitionMs: SECOND,
      conditions: [{ transitionMs: Date.UTC(2026, 0, 1) }, { transitionMs: SECOND }],
    });
    const waiting = { ...status, containerStatuses: [] };
    expect(projectPod(rawPod('a', made, { spec: APP, status: waiting }))?.readyTransitionMs).toBe(Date.UTC(2026, 0, 1));
  });

  it('keeps the fields that an election needs', () => {
    const raw = rawPod(
      'a',
      {
        labels: { app: 'notifier', 'leadergroup.dev/role': 'leader' },
        annotations: {
          'leadergroup.dev/candidate': 'false',
          'token.leadergroup.dev/notifier': '7',
          'kubectl.kubernetes.io/last-applied-configuration': '{}',
          'notleadergroup.dev/x': '1',
          'leadergroup.dev': 'no prefix',
        },
        ownerReferences: [
          { uid: 'other' },
          { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-1', uid: 'replicaset', controller: true },
        ],
      },
      { spec: { nodeName: 'node-1' } },
    );
    expect(projectPod(raw)).toEqual({
      namespace: 'shop',
      name: 'a',
      uid: 'uid-a',
      resourceVersion: '10',
      labels: { app: 'notifier', 'leadergroup.dev/role': 'leader' },
      annotations: { 'leadergroup.dev/candidate': 'false', 'token.leadergroup.dev/notifier': '7' },
      phase: 'Running',
      stopped: false,
      ready: true,
      readyTransitionMs: Date.UTC(2026, 0, 1, 0, 0, 5),
      conditions: [],
      runningSinceMs: null,
      restarts: 0,
      disrupted: false,
      deleting: false,
      mirror: false,
      node: 'node-1',
      addresses: [],
      namedPorts: [],
      owner: { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-1', uid: 'replicaset' },
      runsToCompletion: false,
      createdMs: Date.UTC(2026, 0, 1),
    });
  });

  it.each([
    ['ready only when the condition is True', { conditions: [condition('Ready', 'Unknown')] }, { ready: false }],
    ['not ready without conditions', {}, { ready: false, readyTransitionMs: null }],
    ['not ready when conditions are no list', { conditions: { type: 'Ready', status: 'True' } }, { ready: false }],
    ['not ready when the status is no text', { conditions: [condition('Ready', true)] }, { ready: false }],
    [
      'since never when the time cannot be read',
      { conditions: [condition('Ready', 'True', 'yesterday')] },
      { readyTransitionMs: null },
    ],
    [
      'since then although not ready',
      { conditions: [condition('Ready', 'False', '2026-01-01T00:00:00Z')] },
      { ready: false, readyTransitionMs: Date.UTC(2026, 0, 1) },
    ],
    [
      'conditions by which a group may go, as they stand',
      {
        conditions: [
          condition('PodScheduled', 'True'),
          condition('Ready', 'True'),
          condition('ContainersReady', 'False', '2026-01-01T00:00:00Z'),
          condition('mail/could-lead', 'True'),
          condition('', 'True'),
          condition(7, 'True'),
        ],
      },
      {
        conditions: [
          { type: 'ContainersReady', isTrue: false, transitionMs: Date.UTC(2026, 0, 1) },
          { type: 'mail/could-lead', isTrue: true, transitionMs: null },
        ],
      },
    ],
    [
      'no more conditions than can be meant',
      { conditions: Array.from({ length: 400 }, (_, at) => condition(`x/${at}`, 'True')) },
      { conditions: Array.from({ length: 16 }, (_, at) => ({ type: `x/${at}`, isTrue: true, transitionMs: null })) },
    ],
    [
      'ready, and its containers too, behind any number of readiness gates',
      {
        conditions: [
          ...Array.from({ length: 400 }, (_, at) => condition(`x/${at}`, 'True')),
          condition('Ready', 'True', '2026-01-01T00:00:00Z'),
          condition('ContainersReady', 'True', '2026-01-01T00:00:00Z'),
        ],
      },
      {
        ready: true,
        readyTransitionMs: Date.UTC(2026, 0, 1),
        conditions: [
          { type: 'ContainersReady', isTrue: true, transitionMs: Date.UTC(2026, 0, 1) },
          ...Array.from({ length: 15 }, (_, at) => ({ type: `x/${at}`, isTrue: true, transitionMs: null })),
        ],
      },
    ],
    [
      'disrupted when the condition is True',
      { conditions: [condition('DisruptionTarget', 'True')] },
      { disrupted: true },
    ],
    ['not disrupted when it is False', { conditions: [condition('DisruptionTarget', 'False')] }, { disrupted: false }],
    ['finished', { phase: 'Succeeded' }, { phase: 'Succeeded', stopped: false }],
    ['stopped', { phase: 'Failed', containerStatuses: [ended] }, { stopped: true }],
    ['stopped, the first steps too', { phase: 'Failed', ...ran(ended, ended) }, { stopped: true }],
    ['not stopped while it may be started again', { phase: 'Running', containerStatuses: [ended] }, { stopped: false }],
    ['not stopped while one runs', { phase: 'Failed', containerStatuses: [ended, running] }, { stopped: false }],
    ['not stopped while a sidecar runs', { phase: 'Failed', ...ran(running, ended) }, { stopped: false }],
    ['not stopped where an end is inferred', { phase: 'Failed', containerStatuses: [inferred] }, { stopped: false }],
    ['not stopped where that of a sidecar is', { phase: 'Failed', ...ran(inferred, ended) }, { stopped: false }],
    [
      'not stopped where that of an ephemeral container is',
      { phase: 'Failed', containerStatuses: [ended], ephemeralContainerStatuses: [inferred] },
      { stopped: false },
    ],
    ['not stopped where nothing is told of containers', { phase: 'Failed', containerStatuses: [] }, { stopped: false }],
    ['of an unknown phase', { phase: 'Dancing' }, { phase: 'Unknown' }],
    ['of no phase', { phase: 3 }, { phase: 'Unknown' }],
    ['nothing when the status is no object', 'Running', { phase: 'Unknown', ready: false }],
    [
      'wary of conditions that are none',
      { conditions: [null, 4, 'Ready', condition('Ready', 'True')] },
      { ready: true },
    ],
  ])('reads the status: %s', (_, status, expected) => {
    expect(projectPod(rawPod('a', {}, { status }))).toMatchObject(expected);
  });

  it.each([
    ['containers', { containers: [{ name: 'app' }, { name: 'proxy' }] }],
    ['initContainers', { containers: [{ name: 'app' }], initContainers: [{ name: 'sidecar' }] }],
    ['ephemeralContainers', { containers: [{ name: 'app' }], ephemeralContainers: [{ name: 'debugger' }] }],
  ])('is not stopped while something of its %s is not reported', (_, spec) => {
    const status = { phase: 'Failed', containerStatuses: [ended] };
    expect(projectPod(rawPod('a', {}, { status, spec }))).toMatchObject({ stopped: false });
    expect(projectPod(rawPod('a', {}, { status, spec: { containers: [{ name: 'app' }] } }))).toMatchObject({
      stopped: true,
    });
  });

  it.each([
    ['deleting', { deletionTimestamp: '2026-01-01T00:00:00Z' }, { deleting: true }],
    ['deleting whatever stands there', { deletionTimestamp: 0 }, { deleting: true }],
    ['not deleting when it is null', { deletionTimestamp: null }, { deleting: false }],
    ['a mirror', { annotations: { 'kubernetes.io/config.mirror': '' } }, { mirror: true, annotations: {} }],
    ['created at an unreadable time', { creationTimestamp: {} }, { createdMs: 0 }],
    ['labels that are no text', { labels: { a: 1, b: null, c: 'd' } }, { labels: { c: 'd' } }],
    ['labels that are no object', { labels: ['a'] }, { labels: {} }],
    ['annotations that are no object', { annotations: 'a' }, { annotations: {} }],
    ['owners that are none', { ownerReferences: [null, 3, { controller: true }] }, { owner: null }],
    ['an owner that does not control it', { ownerReferences: [{ uid: 'x', controller: 'true' }] }, { owner: null }],
  ])('reads metadata: %s', (_, metadata, expected) => {
    expect(projectPod(rawPod('a', metadata))).toMatchObject(expected);
  });

  it('keeps a label named like a part of every object', () => {
    const raw = JSON.parse(
      '{"metadata":{"namespace":"n","name":"a","uid":"u","resourceVersion":"1","labels":{"__proto__":"x","constructor":"y"}}}',
    );
    const labels = projectPod(raw)?.labels ?? {};
    expect(Object.entries(labels)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });

  it.each([
    ['null', null],
    ['text', 'pod'],
    ['a list', []],
    ['no metadata', { status: {} }],
    ['metadata of a wrong type', { metadata: [] }],
    ['no name', rawPod('')],
    ['a name that is no text', rawPod('a', { name: 5 })],
    ['no namespace', rawPod('a', { namespace: undefined })],
    ['no uid', rawPod('a', { uid: null })],
    ['no resourceVersion', rawPod('a', { resourceVersion: '' })],
  ])('is null for %s', (_, raw) => {
    expect(projectPod(raw)).toBeNull();
  });
});

describe('projectNode', () => {
  it.each([
    ['cordoned', { metadata: { name: 'n', resourceVersion: '1' }, spec: { unschedulable: true } }, true],
    ['not cordoned', { metadata: { name: 'n', resourceVersion: '1' }, spec: {} }, false],
    [
      'not cordoned by a text',
      { metadata: { name: 'n', resourceVersion: '1' }, spec: { unschedulable: 'true' } },
      false,
    ],
    ['without a spec', { metadata: { name: 'n', resourceVersion: '1' } }, false],
  ])('reads a node: %s', (_, raw, cordoned) => {
    expect(projectNode(raw)).toEqual(aNode({ cordoned, ready: false, createdMs: 0 }));
  });

  it('reads when a node was made, and its labels that are text', () => {
    const labels = { 'topology.kubernetes.io/zone': 'z1', gpu: 4 };
    const metadata = { name: 'n', resourceVersion: '1', labels, creationTimestamp: '1970-01-01T00:00:07Z' };
    expect(projectNode({ metadata })).toMatchObject({
      createdMs: 7000,
      labels: { 'topology.kubernetes.io/zone': 'z1' },
    });
  });

  it.each([
    ['True', true],
    ['False', false],
    ['Unknown', false],
  ])('a node whose Ready is %s', (status, expected) => {
    const raw = { metadata: { name: 'n', resourceVersion: '1' }, status: { conditions: [{ type: 'Ready', status }] } };
    expect(projectNode(raw)?.ready).toBe(expected);
  });

  const taints = [{ key: 'node.kubernetes.io/out-of-service', value: 'nodeshutdown', effect: 'NoExecute' }];
  const ready = (status: string) => ({ conditions: [{ type: 'Ready', status }] });
  it.each([
    ['tainted, and not heard of', { taints }, ready('Unknown'), true],
    ['tainted, and not Ready', { taints }, ready('False'), true],
    ['tainted, without conditions', { taints }, {}, true],
    ['tainted, but Ready', { taints }, ready('True'), false],
    [
      'not heard of, with another taint',
      { taints: [{ key: 'node.kubernetes.io/unreachable' }] },
      ready('Unknown'),
      false,
    ],
    ['not heard of, without taints', {}, ready('Unknown'), false],
  ])('is out of service: %s', (_, spec, status, outOfService) => {
    const raw = { metadata: { name: 'n', resourceVersion: '1' }, spec, status };
    expect(projectNode(raw)).toMatchObject({ outOfService });
  });

  it.each([null, 'node', {}, { metadata: { name: 'n' } }])('is null for what is no node: %j', (raw) => {
    expect(projectNode(raw)).toBeNull();
  });
});
