/** The groups that go through an upgrade: some of each kind, and what runs in their pods. */
import type { ClaimerPlan } from '../faults/claimers.ts';
import { addressOf, lockKeyOf } from '../faults/groups.ts';
import type { MemberPlan } from '../faults/members.ts';
import { PROBE_PORT } from '../faults/members.ts';
import type { Harness } from '../harness.ts';

export type Kind = 'plain' | 'lockKey' | 'probe' | 'route' | 'claims';

export type Upgraded = { readonly name: string; readonly kind: Kind; readonly pods: readonly string[] };

const PODS = 2;
/** Longer than what is common: other things may run on the machine. */
const PROBE = { periodMilliseconds: 5000, timeoutMilliseconds: 2000 };
const COUNTS: Readonly<Record<Kind, number>> = { plain: 8, lockKey: 4, probe: 3, route: 3, claims: 2 };

export const KINDS = Object.keys(COUNTS) as readonly Kind[];

/** 20 of them. */
export const GROUPS: readonly Upgraded[] = KINDS.flatMap((kind) =>
  Array.from({ length: COUNTS[kind] }, () => kind),
).map((kind, at) => ({ name: `g${at}`, kind, pods: Array.from({ length: PODS }, (_, pod) => `g${at}-${pod}`) }));

export const serviceOf = ({ name }: Upgraded): string => `${name}-leader`;

/** By turns the members of a probed group ask the gate, or answer probes. */
const asks = (group: Upgraded): boolean => Number(group.name.slice(1)) % 2 === 0;

function specOf(group: Upgraded): Readonly<Record<string, unknown>> {
  switch (group.kind) {
    case 'plain':
    case 'claims':
      return {};
    case 'lockKey':
      return { lockKey: lockKeyOf(group.name), sessionTTLSeconds: 20 };
    case 'probe': {
      const { timeoutMilliseconds, ...period } = PROBE;
      const how = asks(group)
        ? { ...period, gate: {} }
        : { ...period, timeoutMilliseconds, httpGet: { port: PROBE_PORT } };
      return { leaderProbe: how };
    }
    case 'route':
      return { route: { serviceName: serviceOf(group) } };
  }
}

/** Pods with an address each, the Services of routes, and the groups. */
export async function makeGroups({ world }: Harness, namespace: string): Promise<void> {
  for (const group of GROUPS) {
    for (const name of group.pods) {
      // An EndpointSlice takes no address of loopback; nobody asks from those pods.
      const from = group.kind === 'route' ? {} : { ip: addressOf(name) };
      await world.pod({ namespace, name, labels: { app: group.name }, ...from });
    }
    if (group.kind === 'route')
      await world.create(`/api/v1/namespaces/${namespace}/services`, {
        metadata: { name: serviceOf(group), annotations: { 'leadergroup.dev/route': group.name } },
        spec: { ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
      });
    await world.applyGroup({ namespace, name: group.name, spec: specOf(group) });
  }
}

export const memberPlans = (): readonly MemberPlan[] =>
  ofKind('probe').flatMap((group) =>
    group.pods.map((name) => ({ group: group.name, name, address: addressOf(name), asks: asks(group) })),
  );

export const claimerPlans = (): readonly ClaimerPlan[] =>
  ofKind('claims').map(({ name: group, pods }, at) => ({
    group,
    mode: at % 2 === 0 ? 'AtMostOnce' : 'AtLeastOnce',
    pods: pods.map((name) => ({ name, address: addressOf(name) })),
  }));

export const ofKind = (kind: Kind): readonly Upgraded[] => GROUPS.filter((group) => group.kind === kind);
