/** route and unroute: what they refuse, which rights they ask for first, who may undo it, and what they print. How a Service moves: route-exploration.test.ts. */
import { beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ENDPOINT_SLICES, ENDPOINTS, LEADER_GROUPS, PODS, SERVICES } from '../../../src/cli/resources.ts';
import { openTerminal, type Terminal } from '../../kit/fakes/cli/command-line.ts';
import {
  groupObject,
  LEADER,
  MAIL,
  podObject,
  putExample,
  serviceObject,
  sliceObject,
} from '../../kit/fakes/cli/objects.ts';

let t: Terminal;

beforeEach(() => {
  t = openTerminal();
  putExample(t.api);
  t.api.put(SERVICES, serviceObject());
  t.api.put(ENDPOINT_SLICES, sliceObject());
});

const REF = { resource: SERVICES, namespace: MAIL, name: 'notifier' };
const FORMER = 'leadergroup.dev/former-selector';

function service(): { readonly selector: unknown; readonly annotations: unknown } {
  const raw = t.api.read(REF) as { metadata: { annotations?: object }; spec: { selector?: object } } | null;
  return { selector: raw?.spec.selector, annotations: raw?.metadata.annotations ?? {} };
}

describe('route --by label', () => {
  it('adds the label to the selector, notes what it was, and unroute takes both off', async () => {
    expect(await t.run('route', 'notifier')).toEqual({
      code: 0,
      err: '',
      out:
        'set the selector of Service notifier to app=notifier,leadergroup.dev/role=leader.\n' +
        'Everything is written. It remains for Kubernetes to show the leader alone in the EndpointSlices of Service notifier.\n',
    });
    expect(service()).toEqual({ selector: LEADER, annotations: { [FORMER]: '{"app":"notifier"}' } });
    expect((await t.run('unroute', 'notifier')).code).toBe(0);
    expect(service()).toEqual({ selector: { app: 'notifier' }, annotations: {} });
  });

  it('says after unroute what stays of a route by slice, and only then', async () => {
    const stays = 'spec.route stays in LeaderGroup mail/notifier, since it cannot be taken off';
    expect((await t.run('unroute', 'notifier')).out).not.toContain('spec.route');
    t.api.put(LEADER_GROUPS, groupObject({ spec: { route: { serviceName: 'other' } } }));
    expect((await t.run('unroute', 'notifier')).out).not.toContain('spec.route');
    t.api.put(LEADER_GROUPS, groupObject({ spec: { route: { serviceName: 'notifier' } } }));
    expect(await t.run('unroute', 'notifier')).toMatchObject({ code: 0, out: expect.stringContaining(stays) });
    expect(service().annotations).toEqual({ 'leadergroup.dev/unrouted': 'uid-of-notifier' });
    expect(JSON.parse((await t.run('unroute', 'notifier', '-o', 'json')).out)).toMatchObject({ written: false });
  });

  it('ends with 0 and --wait once Kubernetes shows the leader alone', async () => {
    t.api.afterWrite = () => t.api.put(ENDPOINT_SLICES, sliceObject({ ready: ['notifier-0'] }));
    const { code, out } = await t.run('route', 'notifier', '--wait');
    expect([code, out]).toEqual([
      0,
      expect.stringContaining('Service notifier leads to the leader of notifier by label.'),
    ]);
  });

  it('ends with 3 where that does not come', async () => {
    const running = t.start('route', 'notifier', '--wait', '--timeout', '5s');
    await t.clock.advance(6000);
    expect(await running.ended).toMatchObject({
      code: 3,
      err: expect.stringContaining('For 5 s it was waited in vain for Kubernetes to show the leader alone'),
    });
  });

  it('writes nothing to a Service that has the label already', async () => {
    t.api.put(SERVICES, serviceObject({ selector: LEADER }));
    t.api.put(ENDPOINT_SLICES, sliceObject({ ready: ['notifier-0'] }));
    const { out } = await t.run('route', 'notifier');
    expect([out, service().annotations]).toEqual(['Service notifier leads to the leader of notifier by label.\n', {}]);
  });

  it('keeps what somebody has made of the selector meanwhile', async () => {
    await t.run('route', 'notifier');
    t.api.put(
      SERVICES,
      serviceObject({
        selector: { ...LEADER, app: 'notifier', tier: 'mail' },
        annotations: { [FORMER]: '{"app":"notifier"}' },
      }),
    );
    await t.run('unroute', 'notifier');
    expect(service()).toEqual({ selector: { app: 'notifier', tier: 'mail' }, annotations: {} });
  });

  it('looks again where somebody has changed the Service in between', async () => {
    const { patch } = t.api;
    let conflicts = 0;
    t.api.patch = (ref, content, options) => {
      if (conflicts === 0) t.api.put(SERVICES, serviceObject({ selector: { app: 'notifier', tier: 'mail' } }));
      conflicts += 1;
      for (const name of ['notifier-0', 'notifier-1'])
        t.api.put(
          PODS,
          podObject(name, { labels: { ...(name === 'notifier-0' ? LEADER : { app: 'notifier' }), tier: 'mail' } }),
        );
      return patch(ref, content, options);
    };
    expect((await t.run('route', 'notifier')).code).toBe(0);
    expect([conflicts, service().selector]).toEqual([2, { ...LEADER, tier: 'mail' }]);
  });
});

describe('route --by slice', () => {
  it('waits for the operator, and says what it has found and how to go on or back', async () => {
    const running = t.start('route', 'notifier', '--by', 'slice', '--timeout', '5s');
    await t.clock.advance(6000);
    const { code, out, err } = await running.ended;
    expect(out).toBe(
      'annotated Service notifier: LeaderGroup notifier may lead its traffic, and its selector is noted.\n' +
        'set spec.route of LeaderGroup notifier to Service notifier.\n',
    );
    expect(err).toContain(
      "the operator's IPv4 EndpointSlice of Service notifier to show the leader. No operator has looked",
    );
    expect(err).toContain('`kubectl leadergroup unroute notifier -n mail` to go back');
    expect([code, service().selector]).toEqual([3, { app: 'notifier' }]);
  });

  it('takes nothing out before the slices of both families show the leader', async () => {
    const annotations = { 'leadergroup.dev/route': 'notifier', [FORMER]: '{"app":"notifier"}' };
    t.api.put(SERVICES, serviceObject({ annotations, spec: { ipFamilies: ['IPv4', 'IPv6'] } }));
    t.api.put(LEADER_GROUPS, groupObject({ spec: { route: { serviceName: 'notifier' } } }));
    const shown = sliceObject({ name: 'notifier-leadergroup-ipv4', manager: 'leadergroup.dev', ready: ['notifier-0'] });
    const metadata = { ...shown.metadata, annotations: { 'leadergroup.dev/group-uid': 'uid-of-notifier' } };
    t.api.put(ENDPOINT_SLICES, { ...shown, metadata });
    expect((await t.run('route', 'notifier', '--dry-run')).out).toContain("wait for the operator's IPv6 EndpointSlice");
    t.api.put(ENDPOINT_SLICES, {
      ...shown,
      addressType: 'IPv6',
      metadata: { ...metadata, name: 'notifier-leadergroup-ipv6' },
    });
    expect((await t.run('route', 'notifier', '--dry-run')).out).toContain(
      'gave Service notifier a selector that no pod meets',
    );
  });

  it('stops where the operator says what is missing', async () => {
    t.api.put(
      SERVICES,
      serviceObject({ annotations: { 'leadergroup.dev/route': 'notifier', [FORMER]: '{"app":"notifier"}' } }),
    );
    const denied = {
      type: 'Routed',
      status: 'False',
      reason: 'PermissionDenied',
      message: 'give it the rights.',
      observedGeneration: 1,
      lastTransitionTime: '2026-11-18T09:00:00Z',
    };
    t.api.put(
      LEADER_GROUPS,
      groupObject({ spec: { route: { serviceName: 'notifier' } }, status: { conditions: [denied] } }),
    );
    const { code, err } = await t.run('route', 'notifier');
    expect([code, err]).toEqual([
      4,
      expect.stringContaining('PermissionDenied: give it the rights. Traffic goes where it went before.'),
    ]);
  });

  it('says with --dry-run what it would do, and that a route is for ever', async () => {
    const { code, out } = await t.run('route', 'notifier', '--by', 'slice', '--dry-run');
    expect([code, service().annotations]).toEqual([0, {}]);
    expect(out.split('\n')).toEqual([
      'annotated Service notifier: LeaderGroup notifier may lead its traffic, and its selector is noted (dry run: nothing was written).',
      'Then it would:',
      '- set spec.route of the LeaderGroup, which is never changed or taken off again',
      "- wait until the operator's EndpointSlices show the leader",
      '- give the Service a selector that no pod meets, and wait until Kubernetes has taken its own endpoints out',
      '- take the selector off',
      '- delete the empty Endpoints object and EndpointSlices that Kubernetes leaves behind',
      '',
    ]);
  });
});

type Refusal = readonly [string, () => void, string, ...string[]];

describe('nothing is written', () => {
  it.each([
    ['patch services', 'route', 'label', 'patch services notifier in namespace mail'],
    ['list pods', 'route', 'label', 'list pods in namespace mail'],
    ['patch leadergroups.leadergroup.dev', 'route', 'slice', 'patch leadergroups.leadergroup.dev in namespace mail'],
    ['delete endpoints', 'route', 'slice', 'delete endpoints notifier in namespace mail'],
    ['patch services', 'unroute', 'label', 'patch services notifier in namespace mail'],
  ])('without the right to %s: %s --by %s', async (missing, command, by, named) => {
    t.api.reviewed = (user, right) => user !== null || right !== missing;
    const { code, err } = await t.run(command, 'notifier', ...(command === 'route' ? ['--by', by] : []));
    expect([code, err]).toEqual([1, expect.stringContaining(`Nothing was written: you have no right to ${named}`)]);
    expect([...t.api.used].filter((right) => /^(?:patch|delete) /.test(right))).toEqual([]);
  });

  const notLed = () => {
    t.api.put(PODS, podObject('notifier-0'));
    t.api.put(LEADER_GROUPS, groupObject({ status: { leader: '', leaders: [] } }));
  };
  it.each([
    ['nobody leads', notLed, 'nobody leads notifier: `kubectl leadergroup status notifier` says why'],
    [
      'the leader is not ready',
      () => t.api.put(PODS, podObject('notifier-0', { labels: LEADER, ready: false })),
      'notifier-0 leads notifier and is not ready',
    ],
    [
      'no member is selected',
      () => t.api.put(SERVICES, serviceObject({ selector: { app: 'other' } })),
      'no pod that Service mail/notifier selects is a member of a LeaderGroup',
    ],
    [
      'the leader is not selected',
      () => {
        t.api.put(PODS, podObject('notifier-1', { labels: { app: 'notifier', tier: 'b' } }));
        t.api.put(SERVICES, serviceObject({ selector: { app: 'notifier', tier: 'b' } }));
      },
      'notifier-0 leads notifier, and the selector of Service mail/notifier does not match it',
    ],
    [
      'two leaders are selected',
      () => t.api.put(PODS, podObject('notifier-1', { labels: LEADER })),
      'notifier-0 and notifier-1 carry leadergroup.dev/role=leader',
    ],
    [
      'members of two groups are selected',
      () =>
        t.api.put(
          LEADER_GROUPS,
          groupObject({ name: 'other', spec: { selector: { matchLabels: { app: 'notifier' } } } }),
        ),
      'are members of notifier, other: say which with --group',
    ],
    [
      'it is of type ExternalName',
      () => t.api.put(SERVICES, serviceObject({ spec: { type: 'ExternalName', externalName: 'example.com' } })),
      'is of type ExternalName',
    ],
    [
      'it leads on its node only',
      () => t.api.put(SERVICES, serviceObject({ spec: { internalTrafficPolicy: 'Local' } })),
      'has internalTrafficPolicy Local',
    ],
    [
      'its pods have their names by it',
      () => {
        t.api.put(SERVICES, serviceObject({ spec: { clusterIP: 'None' } }));
        t.api.put(PODS, podObject('notifier-1', { spec: { subdomain: 'notifier' } }));
      },
      'gives its pods their names in DNS',
    ],
    ['it has no selector', () => t.api.put(SERVICES, serviceObject({ selector: null })), 'has no selector'],
    [
      'another group leads it',
      () => {
        t.api.put(LEADER_GROUPS, groupObject({ name: 'other', spec: { route: { serviceName: 'notifier' } } }));
        t.api.put(SERVICES, serviceObject({ annotations: { 'leadergroup.dev/route': 'other' } }));
      },
      'is led by LeaderGroup other',
      '--group',
      'notifier',
    ],
    [
      'another group has it as its route',
      () => t.api.put(LEADER_GROUPS, groupObject({ name: 'other', spec: { route: { serviceName: 'notifier' } } })),
      'LeaderGroup other has Service mail/notifier as its route',
      '--by',
      'slice',
    ],
    [
      'the group has another route',
      () => t.api.put(LEADER_GROUPS, groupObject({ spec: { route: { serviceName: 'web' } } })),
      'is Service web, and a route is never changed',
      '--by',
      'slice',
    ],
    [
      'the group is paused',
      () => t.api.put(LEADER_GROUPS, groupObject({ spec: { paused: true } })),
      'is paused',
      '--by',
      'slice',
    ],
    [
      'somebody else has a slice of it',
      () => t.api.put(ENDPOINT_SLICES, sliceObject({ name: 'mesh', manager: 'mesh.example.com' })),
      'EndpointSlice mesh of Service notifier is of mesh.example.com',
      '--by',
      'slice',
    ],
    [
      'somebody has given it endpoints',
      () => {
        t.api.put(SERVICES, serviceObject({ selector: null }));
        t.api.put(ENDPOINTS, { metadata: { namespace: MAIL, name: 'notifier' }, subsets: [{}] });
      },
      'endpoints that somebody has given it: Endpoints notifier, notifier-abc',
      '--by',
      'slice',
      '--group',
      'notifier',
    ],
    ['there is no such group', () => undefined, 'there is no LeaderGroup other in namespace mail', '--group', 'other'],
  ] satisfies readonly Refusal[])('where %s', async (...[, given, sentence, ...flags]: Refusal) => {
    given();
    const before = JSON.stringify(t.api.read(REF));
    const { code, out, err } = await t.run('route', 'notifier', ...flags);
    expect({ code, out }).toEqual({ code: 4, out: '' });
    expect(err).toContain('Nothing was written: ');
    expect(err).toContain(sentence);
    expect(JSON.stringify(t.api.read(REF))).toBe(before);
  });

  it('where there is no such Service, or it is about all namespaces', async () => {
    expect(await t.run('route', 'other')).toMatchObject({
      code: 1,
      err: expect.stringContaining('There is no Service other in namespace mail'),
    });
    expect((await t.run('route', 'notifier', '-A')).code).toBe(2);
  });

  it('back, where nobody knows which selector it had', async () => {
    t.api.put(SERVICES, serviceObject({ selector: null, annotations: { 'leadergroup.dev/route': 'notifier' } }));
    expect(await t.run('unroute', 'notifier')).toMatchObject({
      code: 4,
      err: expect.stringContaining('nobody has noted which selector Service notifier had'),
    });
  });

  it('where the annotation of the former selector is none', async () => {
    t.api.put(SERVICES, serviceObject({ annotations: { [FORMER]: 'app=notifier' } }));
    expect((await t.run('unroute', 'notifier')).err).toContain('such as {"app":"notifier"}, or take it off');
  });
});

describe('a Service that Helm owns', () => {
  beforeEach(() => t.api.put(SERVICES, serviceObject({ labels: { 'app.kubernetes.io/managed-by': 'Helm' } })));

  it('is not written to: the patch for Git is printed', async () => {
    const { code, out, err } = await t.run('route', 'notifier');
    expect(parse(out)).toEqual({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'notifier', namespace: 'mail', annotations: { [FORMER]: '{"app":"notifier"}' } },
      spec: { selector: LEADER },
    });
    expect(err).toContain('Helm owns the object, and would undo a change at its next upgrade');
    expect(err).toContain('run this command again');
    expect([code, service().selector]).toEqual([4, { app: 'notifier' }]);
  });

  it('is not written to with --dry-run either, which shows the same patch', async () => {
    const { code, out } = await t.run('route', 'notifier', '--dry-run');
    expect([code, parse(out)]).toEqual([4, expect.objectContaining({ kind: 'Service', spec: { selector: LEADER } })]);
  });

  it('is written to with --anyway, and who may undo it is said', async () => {
    const { code, err } = await t.run('route', 'notifier', '--anyway');
    expect([code, err, service().selector]).toEqual([
      0,
      expect.stringContaining('Helm owns the object, and may undo this'),
      LEADER,
    ]);
  });
});

it('has the patch of a group that Argo CD owns for Git, and goes on once it is there', async () => {
  const owned = { metadata: { labels: { 'argocd.argoproj.io/instance': 'mail' } } };
  t.api.put(LEADER_GROUPS, groupObject(owned));
  const first = await t.run('route', 'notifier', '--by', 'slice');
  expect(first).toMatchObject({ code: 4, err: expect.stringContaining('Argo CD (mail) owns the object') });
  expect(parse(first.out.split('\n').slice(1).join('\n'))).toEqual({
    apiVersion: 'leadergroup.dev/v1alpha1',
    kind: 'LeaderGroup',
    metadata: { name: 'notifier', namespace: 'mail' },
    spec: { route: { serviceName: 'notifier' } },
  });
  t.api.put(LEADER_GROUPS, groupObject({ ...owned, spec: { route: { serviceName: 'notifier' } } }));
  expect((await t.run('route', 'notifier', '--dry-run')).out).toContain('it would wait for the operator');
});

it('says to programs what was done, and what remains', async () => {
  const { out } = await t.run('route', 'notifier', '-o', 'json');
  expect(JSON.parse(out)).toEqual({
    state: 'settling',
    written: true,
    steps: ['set the selector of Service notifier to app=notifier,leadergroup.dev/role=leader'],
    message: expect.stringContaining('It remains for Kubernetes'),
  });
});
