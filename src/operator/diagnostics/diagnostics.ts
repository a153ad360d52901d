/** What this replica can tell of itself and of its groups: from memory alone, so that asking changes nothing, and sends nothing. */
import type { Explanation, NotOwner, SelfReport, Supposition } from '../../api/diagnostics.ts';
import type { GroupName } from '../../api/leadergroup.ts';
import { explain } from '../../election/explain.ts';
import type { Observation } from '../../election/observation.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Diagnostics, Explained } from '../../ports/diagnostics.ts';
import type { Watches } from '../../ports/kubernetes.ts';
import { groupKey, type Store } from '../cache/store.ts';
import type { WatchHealth } from '../cache/watch-health.ts';
import type { ApiConnectivity } from '../connectivity/api-connectivity.ts';
import type { ConsulContact } from '../connectivity/consul-connectivity.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import type { ReplicaIdentity } from '../sharding/membership.ts';
import type { BucketOwnership } from '../sharding/ownership.ts';

export type DiagnosticsParts = {
  readonly clock: Clock;
  readonly version: string;
  readonly replica: ReplicaIdentity;
  readonly store: Pick<Store, 'group' | 'groupKeys'>;
  readonly ownership: Pick<BucketOwnership, 'of' | 'ownerOf' | 'overview' | 'problem'>;
  readonly reconciler: Pick<Reconciler, 'look' | 'states'>;
  readonly contact: Pick<ConsulContact, 'outageSinceMs' | 'deniesAll' | 'problems'>;
  readonly reach: Pick<ApiConnectivity, 'reaches'>;
  readonly watchHealth: Pick<WatchHealth, 'problems'>;
  readonly watch: Watches;
  readonly unsynced: () => readonly string[];
  readonly tokenLife: () => SelfReport['consul']['token'];
};

/** Of sentences, which may be one for each of many namespaces. */
const SHOWN = 20;

export function createDiagnostics(parts: DiagnosticsParts): Diagnostics {
  const startedMs = parts.clock.nowMs();
  return {
    self: () => selfReport(parts, parts.clock.nowMs() - startedMs),
    explain: (group, what) => explained(parts, group, what),
  };
}

function selfReport(parts: DiagnosticsParts, runningForMs: number): SelfReport {
  const { replica, version, ownership } = parts;
  const own = Object.entries(ownership.overview().own);
  return {
    replica: replica.id,
    version,
    pod: replica.pod === null ? null : { namespace: replica.pod.namespace, name: replica.pod.name },
    runningForMs,
    buckets: own.flatMap(([bucket, state]) => (state === 'owned' ? [bucket] : [])),
    consul: ofConsul(parts),
    kubernetes: ofKubernetes(parts),
    groups: ofGroups(parts),
  };
}

function ofConsul({ clock, contact, ownership, tokenLife }: DiagnosticsParts): SelfReport['consul'] {
  const nowMs = clock.nowMs();
  const sinceMs = contact.outageSinceMs();
  return {
    outageForMs: sinceMs === null ? null : nowMs - sinceMs,
    deniesAll: contact.deniesAll(),
    notJoined: ownership.problem(),
    problems: contact.problems().map(({ kind, message, sinceMs: from }) => ({ kind, message, sinceMs: nowMs - from })),
    token: tokenLife(),
  };
}

function ofKubernetes({ clock, reach, watchHealth, watch, unsynced }: DiagnosticsParts): SelfReport['kubernetes'] {
  const nowMs = clock.nowMs();
  return {
    reaches: reach.reaches(),
    watches: Object.entries(watch).map(([kind, one]) => {
      const heardMs = one.lastContactMs();
      return { kind, heardForMs: heardMs === null ? null : nowMs - heardMs, denied: one.denied() };
    }),
    problems: watchHealth.problems().slice(0, SHOWN),
    notListed: unsynced(),
  };
}

function ofGroups({ store, reconciler }: DiagnosticsParts): SelfReport['groups'] {
  const states: Record<string, number> = {};
  for (const state of reconciler.states().values()) states[state] = (states[state] ?? 0) + 1;
  const owned = reconciler.states().size;
  return { known: store.groupKeys().length, owned, states };
}

function explained(parts: DiagnosticsParts, group: GroupName, what: Supposition | null): Explained {
  const { reconciler, replica, version } = parts;
  const o = reconciler.look(groupKey(group));
  if (o === null) return { kind: 'unknown', why: whyNot(parts, group) };
  if (!isOwners(o)) return { kind: 'notOwner', answer: notOwner(parts, group) };
  const explanation: Explanation = { replica: replica.id, version, ...explain(o, what) };
  return { kind: 'explained', explanation };
}

/** One that cannot prove just now that the bucket is its own still knows more than anybody. */
const isOwners = ({ ownership }: Observation): boolean => ownership.kind === 'owned' || ownership.kind === 'lapsed';

function whyNot({ store }: DiagnosticsParts, group: GroupName): string {
  const parsed = store.group(groupKey(group));
  const name = `LeaderGroup ${group.namespace}/${group.name}`;
  return parsed?.kind === 'invalid'
    ? `the spec of ${name} is invalid: ${parsed.group.problems.join('; ')}`
    : `this replica sees no ${name}`;
}

function notOwner({ ownership, replica }: DiagnosticsParts, group: GroupName): NotOwner {
  const owner = ownership.ownerOf(group);
  const pod = owner?.pod == null ? null : { namespace: owner.pod.namespace, name: owner.pod.name };
  return {
    error: 'notOwner',
    replica: replica.id,
    owner: owner === null || owner.id === replica.id ? null : { replica: owner.id, pod },
  };
}
