/** The promises that only a whole world can show while it runs: I3, I8, I10, and whether what is led is led by one. */

import type { LeaderGroup } from '../../../src/api/leadergroup.ts';
import { bucketKey, bucketName, bucketOf, groupKeys, parseSessionName } from '../../../src/election/keys.ts';
import { LABEL_STOP } from '../../../src/election/owners.ts';
import { ADOPTION_MS } from '../../../src/operator/observe/lock-deadline.ts';
import type { ConsulSession } from '../../../src/ports/consul.ts';
import type { ClaimRequest } from '../checker/checker.ts';
import type { PatchRequest } from '../model/link.ts';
import { type Promises, watchPromises } from '../model/promises.ts';
import { SPACE } from '../model/replica.ts';
import { hasReleasingController, type Scenario } from './acts.ts';
import { type Claimers, claimEachTick } from './claimers.ts';
import { askAllTheTime } from './clients.ts';
import { watchReplaced } from './probes.ts';
import type { Process } from './process.ts';
import { unrouted } from './routed.ts';
import type { Stage } from './stage.ts';

export type Checks = {
  /** In words, oldest first. */
  breaches(): readonly string[];
  readonly patchSent: (request: PatchRequest) => void;
  /** Begins to look, once the stage stands. */
  begin(stage: Stage): void;
  /** Why the group is not led as it should be, or what of it is to be done yet; null: nothing. */
  unsettled(name: string): string | null;
  /** What applications have asked about series; grows while they ask. */
  claimed(): readonly ClaimRequest[];
  readonly counts: SimCounts;
};

export type SimCounts = {
  promotions: number;
  demotions: number;
  handovers: number;
  bucketMoves: number;
  memberExpiries: number;
  grants: number;
  releases: number;
  /** Positions that applications were told to have, and of these such as were given out again. */
  claims: number;
  claimsAgain: number;
  conflicts: number;
};

const HASTE_MS = 2000;
const HASTE_WRITES = 14;
const LOOK_MS = 500;
/** A patch may take its timeout; then the demotion is acknowledged or the API server was not reached. */
const PATCH_MS = 2000;

export function createChecks(scenario: Scenario): Checks {
  const breaches: string[] = [];
  const promises = new Map<string, Promises>();
  const counts: SimCounts = {
    promotions: 0,
    demotions: 0,
    handovers: 0,
    bucketMoves: 0,
    memberExpiries: 0,
    grants: 0,
    releases: 0,
    claims: 0,
    claimsAgain: 0,
    conflicts: 0,
  };
  let stage: Stage | null = null;
  let claimers: Claimers | null = null;

  function begin(opened: Stage): void {
    stage = opened;
    const { api, consul } = opened;
    for (const { name } of scenario.groups) {
      const group = api.group(name);
      if (group !== null) promises.set(name, watchPromises(api, consul, group, opened.loop.nowMs));
    }
    countMoves(opened, counts);
    watchHaste(opened, (text) => breaches.push(text));
    if (scenario.gate) askAllTheTime(opened, scenario, counts, (text) => breaches.push(text));
    claimers = claimEachTick(opened, scenario, counts);
    watchReplaced(opened, (text) => breaches.push(text));
    watchDeadlines(opened, scenario, counts, (text) => breaches.push(text));
  }

  const of = (name: string): readonly string[] => promises.get(name)?.breaches ?? [];

  const unsettled = (name: string): string | null =>
    stage === null ? 'nothing has begun' : (unled(stage, name) ?? claimers?.unsettled(name) ?? null);

  return {
    breaches: () => {
      for (const { promotions, demotions } of promises.values()) {
        counts.promotions += promotions.length;
        counts.demotions += demotions.length;
      }
      return [...breaches, ...scenario.groups.flatMap(({ name }) => of(name)), ...(stage?.defects ?? [])];
    },
    patchSent: (request) => {
      for (const found of promises.values()) if (concerns(request, found)) found.patchSent(request);
    },
    begin,
    unsettled,
    claimed: () => claimers?.requests ?? [],
    counts,
  };

  /** Patches of another group's pods are that group's business. */
  function concerns({ pod }: PatchRequest, found: Promises): boolean {
    return scenario.groups.some(({ name }) => promises.get(name) === found && pod.name.startsWith(`${name}-`));
  }
}

function unled({ api, consul }: Stage, name: string): string | null {
  const group = api.group(name);
  if (group === null) return `group ${name} is gone`;
  const labelled = api
    .pods()
    .filter(({ labels }) => labels['app'] === name && labels[group.spec.label.key] === group.spec.label.leader);
  const [leader] = labelled;
  if (leader === undefined || labelled.length > 1) return `${name} has ${labelled.length} leaders`;
  const session = consul.entry(groupKeys(SPACE, group, group.spec.lockKey).lock)?.session ?? null;
  const holder = session === null ? null : parseSessionName(consul.nameOf(session))?.podUid;
  return holder === leader.uid
    ? unrouted(api, group, leader)
    : `the lock of ${name} is held by ${holder ?? 'nobody'}, its leader is ${leader.uid}`;
}

function countMoves({ consul }: Stage, counts: SimCounts): void {
  consul.onTxn(({ ops, result }) => {
    if (result.kind === 'rejected') {
      counts.conflicts += 1;
      return;
    }
    const locks = ops.filter(({ verb }) => verb === 'lock').length;
    const unlocks = ops.filter(({ verb }) => verb === 'unlock').length;
    if (locks === 0 || unlocks === 0) return;
    if (
      ops.some(({ key }) => key.includes('/buckets/') && !key.includes('/groups/')) &&
      ops.every(({ key }) => !key.includes('/groups/'))
    )
      counts.bucketMoves += unlocks;
    else counts.handovers += 1;
  });
}

/** Whatever fails is tried again after a while that grows; a group whose lock is written all the time is in a loop. */
function watchHaste({ consul, loop }: Stage, breach: (text: string) => void): void {
  const written = new Map<string, number[]>();
  consul.onTxn(({ by, ops, result }) => {
    const key = ops.find(({ verb, key }) => verb === 'lock' && key.includes('/groups/'))?.key;
    if (result.kind === 'rejected' || key === undefined) return;
    const name = `${by} ${key}`;
    const recent = (written.get(name) ?? []).filter((atMs) => atMs > loop.nowMs() - HASTE_MS);
    written.set(name, [...recent, loop.nowMs()]);
    if (recent.length === HASTE_WRITES)
      breach(`haste: ${by} has written ${key} ${HASTE_WRITES} times within ${HASTE_MS} ms`);
  });
}

/**
 * I3: when Consul ends the session of a leader of a Demote group, an operator that has run and reached the API server all the
 * while has taken the label off by then.
 */
function watchDeadlines(stage: Stage, scenario: Scenario, counts: SimCounts, breach: (text: string) => void): void {
  const { api, consul, loop } = stage;
  const well = wellSince(stage, scenario);
  const ownedSince = new Map<string, { readonly session: string; readonly atMs: number }>();
  consul.onChange(({ entries }) => {
    for (const { name } of scenario.groups) {
      const bucket = bucketKey(SPACE, bucketOf('default', name));
      const session = entries.get(bucket)?.session ?? null;
      // Whose session has ended with the others' is still to demote, until another has the bucket.
      if (session !== null && ownedSince.get(bucket)?.session !== session)
        ownedSince.set(bucket, { session, atMs: loop.nowMs() });
    }
  });
  /** By group, when its spec was last changed: a watch that hangs may tell of it much later. */
  const edited = new Map<string, number>();
  api.onChange(({ before, after }) => {
    if (after === null || !('generation' in after)) return;
    const same = before !== null && 'generation' in before && before.generation === after.generation;
    if (!same) edited.set(after.name, loop.nowMs());
  });
  /** No label may be written: the status says so, or said so before the deletion, which leaves labels that may not be written as they are. */
  const labelsStay = (group: LeaderGroup): boolean =>
    labelsStopped(group) || (group.deleting && hasReleasingController(scenario, group.name));

  /** It is labelled under the lock of this session, and its group wants it demoted by now. */
  function overdue(session: ConsulSession, podUid: string, group: LeaderGroup): boolean {
    const pod = api.pods().find(({ uid }) => uid === podUid);
    const { onConsulLoss, paused, label, lockKey } = group.spec;
    if (pod === undefined || pod.deleting || onConsulLoss !== 'Demote' || paused || labelsStay(group)) return false;
    const held = consul.entry(groupKeys(SPACE, group, lockKey).lock)?.session === session.id;
    return held && pod.labels[label.key] === label.leader;
  }

  /**
   * The owner has had the bucket for long enough (a new one relies on Consul's factor of two), and the group its spec, and nothing was wrong
   * with it.
   */
  function couldDemote({ ttlMs }: ConsulSession, group: string): boolean {
    const bucket = bucketKey(SPACE, bucketOf('default', group));
    const owner = ownedSince.get(bucket);
    const sinceMs = loop.nowMs() - ttlMs - PATCH_MS;
    if (owner === undefined || owner.atMs > sinceMs || (edited.get(group) ?? 0) > sinceMs) return false;
    return well.owner(owner.session, sinceMs) && well.knew(owner.session, bucketName(bucketOf('default', group)));
  }

  consul.onExpiry((session) => {
    const member = parseSessionName(session.name);
    if (member === null) return;
    counts.memberExpiries += 1;
    const group = api.group(member.group);
    if (group === null || stage.clocksStood()) return;
    if (overdue(session, member.podUid, group) && couldDemote(session, member.group))
      breach(
        `I3: at ${loop.nowMs().toFixed(1)} ms session ${session.name} ended by its TTL while its pod carried the label`,
      );
  });
}

/** A controller selects by the label key: the label is not taken off either. */
const labelsStopped = ({ status }: LeaderGroup): boolean =>
  status?.conditions.some(
    ({ type, status: is, reason }) => type === 'Stalled' && is === 'True' && reason === LABEL_STOP,
  ) === true;

type KnownBuckets = ReadonlyMap<string, { readonly sinceMs: number; readonly now: boolean }>;

/**
 * Since when a replica has known of each bucket; what it has lost with its session stays, until another replica has it (of whose gift it
 * must hear first), or it gets it again.
 */
function knownAfter(
  before: KnownBuckets | undefined,
  own: readonly string[],
  anothers: (bucket: string) => boolean,
  nowMs: number,
): KnownBuckets {
  const after = new Map<string, { readonly sinceMs: number; readonly now: boolean }>(
    [...(before ?? [])]
      .filter(([bucket]) => !anothers(bucket))
      .map(([bucket, { sinceMs }]) => [bucket, { sinceMs, now: false }]),
  );
  for (const bucket of own) {
    const was = before?.get(bucket);
    after.set(bucket, { sinceMs: was?.now === true ? was.sinceMs : nowMs, now: true });
  }
  return after;
}

const isRunning = (process: Process): boolean => process.alive() && !process.frozen();

/** Since when nothing has happened to a replica that could keep it from demoting: looked at twice a second. */
function wellSince({ loop, consul, replicas, apiServerWell }: Stage, { replicas: count }: Scenario) {
  /** By replica; a process that takes the place of another one begins anew, however fast. */
  const since = new Map<string, { readonly process: Process; readonly atMs: number }>();
  /** Since when it knows of a bucket that it is its own: news of that may take as long as Consul is hard to reach. */
  const known = new Map<string, KnownBuckets>();
  const replicaOf = (session: string): string => consul.nameOf(session).split('/')[1] ?? '';
  const ownerOf = (bucket: string): string | null => {
    const session = consul.entry(bucketKey(SPACE, Number.parseInt(bucket, 16)))?.session ?? null;
    return session === null ? null : replicaOf(session);
  };
  const look = (): void => {
    const there = new Set(replicas.map(({ identity }) => identity.id));
    for (const id of since.keys()) if (!there.has(id)) since.delete(id);
    for (let at = 0; at < count; at += 1) {
      const replica = replicas[at];
      if (replica === undefined) continue;
      const { process, kubernetes, identity, operator } = replica;
      const before = known.get(identity.id);
      const own = Object.keys(operator.replicas().own);
      const anothers = (bucket: string): boolean => ![null, identity.id].includes(ownerOf(bucket));
      known.set(identity.id, knownAfter(before, own, anothers, loop.nowMs()));
      const reaches = kubernetes.state.cut === 'no' && kubernetes.state.trouble === 0 && apiServerWell();
      const fine = isRunning(process) && reaches && replica.reads();
      if (!fine) since.delete(identity.id);
      else if (since.get(identity.id)?.process !== process) since.set(identity.id, { process, atMs: loop.nowMs() });
    }
    loop.after(LOOK_MS, look);
  };
  loop.after(0, look);
  return {
    owner: (session: string, fromMs: number): boolean =>
      (since.get(replicaOf(session))?.atMs ?? Number.POSITIVE_INFINITY) <= fromMs,
    /** It has known for long enough that the bucket is its own: news of that may take as long as Consul is hard to reach. */
    knew: (session: string, bucket: string): boolean => {
      const sinceMs = known.get(replicaOf(session))?.get(bucket)?.sinceMs ?? Number.POSITIVE_INFINITY;
      return sinceMs <= loop.nowMs() - ADOPTION_MS - PATCH_MS;
    },
  };
}
