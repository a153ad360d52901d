/** What histories met: acts, pairs of acts that overlap, and what the operator did, said and gave as causes. And what they did not meet. */
import { CONDITION_REASONS } from '../../../src/api/condition-reasons.ts';
import { EVENT_REASONS } from '../../../src/api/event-reasons.ts';
import type { LeaderGroup } from '../../../src/api/leadergroup.ts';
import { SWITCHOVER_REFUSALS } from '../../../src/api/switchover-reasons.ts';
import { TRANSITION_CAUSES } from '../../../src/api/transition-causes.ts';
import type { Action } from '../../../src/election/actions.ts';
import type { Act, Scenario } from './acts.ts';

/** The types see to it that none of a kind is left out. */
const all = <Name extends string>(names: Readonly<Record<Name, true>>): readonly string[] => Object.keys(names);

/** `false`: it happens at one moment. */
const LASTS: Readonly<Record<Act['act'], boolean>> = {
  unready: true,
  crash: true,
  hang: true,
  exclude: true,
  refuseLead: true,
  finish: true,
  orphan: true,
  deletePod: true,
  recreatePod: false,
  freeze: true,
  slow: true,
  kill: true,
  terminate: true,
  replace: true,
  cut: true,
  trouble: true,
  stallWatches: true,
  cutNode: true,
  deleteNode: true,
  stopNode: true,
  taintNode: true,
  cordonNode: true,
  denyNodes: true,
  denyNamespace: true,
  cutWatches: false,
  compact: false,
  consulLeader: false,
  wipe: false,
  outage: true,
  timing: false,
  pause: true,
  external: true,
  remake: true,
  switchover: false,
  selfHeal: false,
  enforce: true,
  refuse: true,
  release: true,
  service: true,
  spoil: false,
  intrude: true,
  deny: true,
};

const ACTIONS = all<Action['do']>({
  addFinalizer: true,
  removeFinalizer: true,
  readLock: true,
  readHolderSession: true,
  readGroup: true,
  listPods: true,
  openSessions: true,
  askCandidates: true,
  askBeforePromotion: true,
  awaitTurn: true,
  fence: true,
  awaitGrantExpiry: true,
  revoke: true,
  take: true,
  verify: true,
  handOver: true,
  unlock: true,
  promote: true,
  labelFollowers: true,
  bury: true,
  readContester: true,
  readRival: true,
  cleanUp: true,
  readOwners: true,
  readTrials: true,
  destroySessions: true,
  readRoute: true,
  readOthers: true,
  makeSlices: true,
  show: true,
  withdraw: true,
  refresh: true,
  evict: true,
});

/** What applications were told of series: what was given, and each status with its reason; and what went to Consul together. */
const CLAIM_ANSWERS = [
  'AtMostOnce',
  'AtLeastOnce',
  'again',
  'claim 409 Passed',
  'claim 409 Pending',
  'claim 409 NotLeader',
  'claim 503 NotKnown',
  'done 200',
  'done 409 NotYours',
  'renew 200',
  'renew 409 NotYours',
  'several buckets committed',
  'several buckets rejected',
] as const;

const STALLED = CONDITION_REASONS.Stalled.True;

/** A group of the simulated world has passed the schema, so its spec can be acted on. */
const possible = (reasons: object): readonly string[] =>
  Object.keys(reasons).filter((reason) => reason !== 'InvalidSpec');

const acts = Object.keys(LASTS) as readonly Act['act'][];
const pairOf = (a: string, b: string): string => [a, b].toSorted().join(' + ');

/** All that is looked for, by kind. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  act: acts,
  action: ACTIONS,
  ready: Object.values(CONDITION_REASONS.Ready)
    .flatMap(possible)
    .filter((reason) => !(reason in STALLED)),
  stalled: possible(STALLED),
  cause: Object.keys(TRANSITION_CAUSES),
  preferred: Object.values(CONDITION_REASONS.Preferred).flatMap((reasons) => Object.keys(reasons)),
  routed: Object.values(CONDITION_REASONS.Routed).flatMap((reasons) => Object.keys(reasons)),
  event: Object.keys(EVENT_REASONS),
  claim: CLAIM_ANSWERS,
  switchover: ['Moved', ...Object.keys(SWITCHOVER_REFUSALS)],
  overlap: acts.flatMap((a, at) => acts.slice(at).flatMap((b) => (LASTS[a] || LASTS[b] ? [pairOf(a, b)] : []))),
};

export type Meetings = {
  met(kind: keyof typeof KNOWN, name: string): void;
  /** Each once, sorted. */
  all(): readonly string[];
};

export function createMeetings(): Meetings {
  const met = new Set<string>();
  return { met: (kind, name) => void met.add(`${kind} ${name}`), all: () => [...met].toSorted() };
}

/** The acts of a scenario. A external at a group without a shared key does nothing, and is not counted. */
export function meetActs({ acts: given, groups }: Pick<Scenario, 'acts' | 'groups'>, { met }: Meetings): void {
  const effective = given.filter(
    (act) => act.act !== 'external' || groups[act.group % groups.length]?.lockKey !== null,
  );
  for (const [at, act] of effective.entries()) {
    met('act', act.act);
    for (const other of effective.slice(at + 1)) if (overlap(act, other)) met('overlap', pairOf(act.act, other.act));
  }
}

/** What its conditions say. */
export function meetGroup({ status }: LeaderGroup, { met }: Meetings): void {
  for (const { type, status: is, reason } of status?.conditions ?? []) {
    if (type === 'Ready') met('ready', reason);
    if (type === 'Routed') met('routed', reason);
    if (type === 'Preferred') met('preferred', reason);
    if (type === 'Stalled' && is === 'True') met('stalled', reason);
  }
}

function overlap(a: Act, b: Act): boolean {
  const endMs = (act: Act): number => act.atMs + ('forMs' in act ? act.forMs : 0);
  return a.atMs < endMs(b) && b.atMs < endMs(a);
}

/** For people, a line for each kind. `met`: in how many histories each was met. */
export function coverage(met: Readonly<Record<string, number>>): readonly string[] {
  return Object.entries(KNOWN).map(([kind, names]) => {
    const missed = names.filter((name) => met[`${kind} ${name}`] === undefined);
    const rarest = names
      .filter((name) => !missed.includes(name))
      .map((name) => ({ name, count: met[`${kind} ${name}`] ?? 0 }))
      .toSorted((a, b) => a.count - b.count)
      .slice(0, 3)
      .map(({ name, count }) => `${name} (${count})`);
    const not = missed.length === 0 ? 'all' : `not ${missed.join(', ')}`;
    return `${kind}: ${names.length - missed.length} of ${names.length} met, ${not}; rarest ${rarest.join(', ')}`;
  });
}
