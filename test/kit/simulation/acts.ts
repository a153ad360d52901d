/** What happens to the world in a history: a list of acts with their times, made from a seed, which may be shortened. */

import type { AddressFamily } from '../../../src/api/route.ts';
import { HOSTNAME, type NodeAct, ZONE } from './nodes.ts';
import { stream } from './random.ts';

/** `forMs`: after this time it is undone. Replicas, groups and pods by number. */
export type Act = { readonly atMs: number } & (
  | {
      /** `hang`: it asks nothing any more, and stays ready. */
      readonly act: 'unready' | 'crash' | 'exclude' | 'hang';
      readonly group: number;
      readonly pod: number;
      readonly forMs: number;
    }
  /** It does not pass when it is asked before a promotion. */
  | {
      readonly act: 'refuseLead';
      readonly group: number;
      readonly pod: number;
      readonly how: 'fails' | 'hangs';
      readonly forMs: number;
    }
  | {
      readonly act: 'finish' | 'orphan' | 'deletePod' | 'recreatePod';
      readonly group: number;
      readonly pod: number;
      readonly forMs: number;
    }
  | { readonly act: 'freeze'; readonly replica: number; readonly clockStops: boolean; readonly forMs: number }
  | { readonly act: 'slow'; readonly replica: number; readonly lagMs: number; readonly forMs: number }
  | { readonly act: 'kill' | 'terminate' | 'replace'; readonly replica: number; readonly forMs: number }
  | {
      readonly act: 'cut';
      readonly replica: number;
      /** `pods`: none of them reaches it, and it none; `peers`: no other replica. */
      readonly from: 'consul' | 'kubernetes' | 'pods' | 'peers';
      readonly how: 'refused' | 'swallowed';
      readonly forMs: number;
    }
  | {
      readonly act: 'trouble';
      readonly replica: number;
      readonly with: 'consul' | 'kubernetes';
      readonly share: number;
      readonly forMs: number;
    }
  | NodeAct
  /** It may not read nodes for a while. */
  | { readonly act: 'denyNodes'; readonly replica: number; readonly forMs: number }
  /** It may not read the namespace that groups and pods are in, nor may whoever takes its place. Only where some namespaces are watched. */
  | { readonly act: 'denyNamespace'; readonly replica: number; readonly forMs: number }
  | { readonly act: 'stallWatches'; readonly replica: number; readonly forMs: number }
  | { readonly act: 'cutWatches'; readonly replica: number }
  | { readonly act: 'compact' | 'consulLeader' | 'wipe' }
  | {
      readonly act: 'outage';
      readonly of: 'consul' | 'kubernetes';
      readonly how: 'down' | 'frozen';
      readonly forMs: number;
    }
  | { readonly act: 'timing'; readonly group: number; readonly ttlMs: number }
  | { readonly act: 'pause'; readonly group: number; readonly forMs: number }
  | { readonly act: 'external'; readonly group: number; readonly forMs: number }
  /** Somebody writes the annotation that asks for a switchover; `pod`: null: to any; `skewMs`: its time is so much after now. */
  | { readonly act: 'switchover'; readonly group: number; readonly pod: number | null; readonly skewMs: number }
  /** A tool puts an annotation back that was written before, or (null) takes it off. */
  | { readonly act: 'selfHeal'; readonly group: number; readonly which: number | null }
  /** Deleted, and made anew under its name when it has gone. */
  | { readonly act: 'remake'; readonly group: number; readonly forMs: number }
  /** Somebody else takes the leader label off whenever it sees it. */
  | { readonly act: 'enforce'; readonly group: number; readonly everyMs: number; readonly forMs: number }
  /** A policy refuses patches of this pod, or of all of the group's (null). */
  | { readonly act: 'refuse'; readonly group: number; readonly pod: number | null; readonly forMs: number }
  /** The group's pods get a controller that releases each pod with the label and makes another. `readable`: the operator may read it. */
  | { readonly act: 'release'; readonly group: number; readonly readable: boolean; readonly forMs: number }
  /** The owner of the Service that a group routes to changes it. */
  | { readonly act: 'service'; readonly group: number; readonly how: ServiceChange; readonly forMs: number }
  /** Somebody edits or deletes a slice of the operator's. */
  | { readonly act: 'spoil'; readonly group: number; readonly family: AddressFamily; readonly how: Spoiling }
  /**
   * Something else leads traffic of the Service too; `name`: it has the name that the operator's slice needs. `finalizer`: the operator's slice has one that
   * keeps it when it is deleted. `earlier`: the slice of one family is an earlier group's by now, and has such a finalizer. `webhook`: each slice that the operator
   * writes is altered. `racer`: every other write of one meets a conflict. `remover`: somebody deletes the slice whenever it is there.
   */
  | { readonly act: 'intrude'; readonly group: number; readonly what: Intrusion; readonly forMs: number }
  /** Whatever routing needs is forbidden; `reads`: reading, too. */
  | { readonly act: 'deny'; readonly reads: boolean; readonly forMs: number }
);

/**
 * `remade`: deleted and made again at once; `selecting`: it has a selector and no annotation, and Kubernetes fills its endpoints; `both`: it has a
 * selector and the annotation.
 */
export type ServiceChange = (typeof SERVICE_CHANGES)[number];
export type Spoiling = (typeof SPOILINGS)[number];
export type Intrusion = (typeof INTRUSIONS)[number];

const SERVICE_CHANGES = [
  'removed',
  'remade',
  'selecting',
  'both',
  'unannotated',
  'anothers',
  'families',
  'ports',
  'named',
  'unready',
] as const;
/** `token`, `lower`, `fence`, `group`: its annotations; `double`: a second endpoint. */
const SPOILINGS = ['remove', 'double', 'empty', 'another', 'token', 'lower', 'fence', 'group'] as const;
const INTRUSIONS = [
  'slice',
  'endpoints',
  'name',
  'finalizer',
  'earlier',
  'webhook',
  'racer',
  'racer',
  'remover',
] as const;

export type GroupPlan = {
  readonly name: string;
  readonly ttlMs: number;
  readonly lockDelayMs: number;
  readonly lockKey: string | null;
  readonly onConsulLoss: 'Hold' | 'Demote';
  readonly follower: string | null;
  /** Which label the leader carries. Default: that of a group that says nothing of it. */
  readonly label?: { readonly key: string; readonly leader: string };
  /** Default: none, its traffic follows the label. */
  readonly route?: RoutePlan;
  readonly failoverDelayMs: number;
  /** What makes a candidate of its pods. Default: Ready. */
  readonly condition?: string;
  /** With a condition: its pods are not ready whoever leads. Default: they are. */
  readonly unready?: boolean;
  /** Whoever has the first place takes the lead from the others, and so on. Default: nobody does. */
  readonly prefers?: { readonly first: number; readonly delayMs: number; readonly byNode?: boolean };
  /** By which label of nodes its leader is spread. Default: by none. */
  readonly spreadBy?: string;
  /** How long a pod must have been ready before it is elected. Default: it need not. */
  readonly minReadyMs?: number;
  /** Who is to lead is asked first; what becomes of one that does not pass. Default: nobody is asked. */
  readonly asks?: 'NextCandidate' | 'Promote';
  /** Whoever led before is evicted once the next one leads. Default: it is kept. */
  readonly evicts?: boolean;
  /** Its leader keeps its label when it is deleted. Default: it is taken off. */
  readonly retains?: boolean;
  /** Pods go in any order when their number falls. Default: the leader goes last. */
  readonly anyOrder?: boolean;
  readonly pods: number;
};

export const labelOf = ({ label }: Pick<GroupPlan, 'label'>): NonNullable<GroupPlan['label']> =>
  label ?? { key: 'leadergroup.dev/role', leader: 'leader' };

/** Whether a pod of one of these groups carries the label of its leader. */
export const hasLeaderLabel = (groups: readonly GroupPlan[], labels: Readonly<Record<string, string>>): boolean =>
  groups.some((group) => labels['app'] === group.name && labels[labelOf(group).key] === labelOf(group).leader);

export type RoutePlan = {
  readonly service: string;
  readonly families: readonly AddressFamily[];
  /** Pods have an address of each family, whatever the Service has. */
  readonly dual: boolean;
  /** Of these, some pods lack one. Default: none does. */
  readonly lacking?: boolean;
};

export type Scenario = {
  readonly seed: number;
  readonly lengthMs: number;
  readonly groups: readonly GroupPlan[];
  readonly replicas: number;
  /** Applications ask the gate. */
  readonly gate: boolean;
  /** Applications claim their ticks. */
  readonly claims: boolean;
  /** Names of the groups that have a leader probe, where applications ask the gate. */
  readonly probed: readonly string[];
  /** Until when the first replica is of a version that knows no routes, in milliseconds. Default 0: it never is. */
  readonly olderUntilMs?: number;
  /** By replica, which namespaces it watches; the groups are in `default`. Default: all. */
  readonly lists?: readonly (readonly string[])[];
  /** Only operators and the API server suffer, and processes that hang: no healthy leader may lose its label. */
  readonly steady: boolean;
  readonly acts: readonly Act[];
};

const CHAOS_MS = 15_000;
/** As many as a group has pods at most: the first pod of each group is on the first, and the first replica. */
export const NODES = 3;

/** Of a version that knows preemption are all replicas of these. */
function withPreemption(seed: number, groups: readonly GroupPlan[], isOlder: boolean): readonly GroupPlan[] {
  const random = stream(`preemption ${seed}`);
  if (isOlder || !random.chance(0.5)) return groups;
  return groups.map((group) => {
    const byNode = stream(`by node ${seed} ${group.name}`).chance(0.3);
    const prefers = { first: random.below(3), delayMs: random.pick([1000, 2000, 5000, 15_000]), byNode };
    return random.chance(0.7) ? { ...group, prefers } : group;
  });
}

export function scenarioOf(seed: number): Scenario {
  const random = stream(`scenario ${seed}`);
  const steady = random.chance(0.2);
  const lengthMs = Math.round(random.between(30_000, 90_000));
  const replicas = random.pick([2, 2, 3]);
  const routed = withRoutes(
    seed,
    Array.from({ length: random.pick([1, 2, 2, 3]) }, (_, at) => groupPlan(seed, at, steady)),
  );
  const groups = withPreemption(seed, routed, steady || olderUntilMs(seed, routed, lengthMs) > 0);
  const count = random.pick([4, 8, 8, 12, 20]);
  const acts = Array.from({ length: count }, () => actOf(random, { lengthMs, replicas, groups, steady }));
  const dances = random.chance(0.5) ? dance(random, { lengthMs, replicas, groups, steady }) : [];
  return {
    seed,
    lengthMs,
    groups,
    replicas,
    gate: random.chance(0.4),
    claims: stream(`claims ${seed}`).chance(0.35),
    probed: probedOf(seed, groups),
    olderUntilMs: olderUntilMs(seed, groups, lengthMs),
    ...(isNamespaced(seed) ? { lists: Array.from({ length: replicas }, () => ['default', 'empty']) } : {}),
    steady,
    acts: withHabits(seed, { lengthMs, replicas, groups, steady }, [
      ...acts,
      ...dances,
      ...blackout(seed, { lengthMs, replicas, groups, steady }),
      ...releaser(seed, { lengthMs, replicas, groups, steady }),
      ...hangs(seed, { lengthMs, replicas, groups, steady }),
      ...refusals(seed, { lengthMs, replicas, groups, steady }),
      ...routeActs(seed, { lengthMs, replicas, groups, steady }),
      ...flicker(seed, { lengthMs, replicas, groups, steady }),
      ...nodeActs(seed, { lengthMs, replicas, groups, steady }),
      ...cutsOfReplicas(seed, { lengthMs, replicas, groups, steady }),
      ...denials(seed, { lengthMs, replicas, groups, steady }),
      ...switchovers(seed, { lengthMs, replicas, groups, steady }),
    ]).toSorted((a, b) => a.atMs - b.atMs),
  };
}

/** Where some namespaces are watched no node is, so no group can go by it there. */
const COULD_LEAD = 'mail.example.com/could-lead';

function conditionOf(seed: number, at: number): Pick<GroupPlan, 'condition' | 'unready'> {
  const random = stream(`condition ${seed} ${at}`);
  return isNamespaced(seed) || !random.chance(0.3) ? {} : { condition: COULD_LEAD, unready: random.chance(0.4) };
}

function asksOf(seed: number, at: number): Pick<GroupPlan, 'asks'> {
  const random = stream(`asks ${seed} ${at}`);
  return random.chance(0.4) ? { asks: random.pick(['NextCandidate', 'NextCandidate', 'Promote'] as const) } : {};
}

function spreadOf(seed: number, at: number): Pick<GroupPlan, 'spreadBy'> {
  const random = stream(`spread ${seed} ${at}`);
  return random.chance(0.25) ? { spreadBy: random.pick([HOSTNAME, ZONE]) } : {};
}

function patienceOf(seed: number, at: number): Pick<GroupPlan, 'minReadyMs'> {
  const random = stream(`patience ${seed} ${at}`);
  return random.chance(0.2) ? { minReadyMs: random.pick([1000, 2000, 5000]) } : {};
}

function ownLabelOf(seed: number, at: number): Pick<GroupPlan, 'label'> {
  const random = stream(`label ${seed} ${at}`);
  if (random.chance(0.5)) return {};
  const key = random.pick(['leadergroup.dev/role', 'example.com/role', 'part']);
  return { label: { key, leader: random.pick(['leader', 'primary', 'true']) } };
}

function groupPlan(seed: number, at: number, steady: boolean): GroupPlan {
  const random = stream(`group ${seed} ${at}`);
  const shared = !steady && random.chance(0.25);
  return {
    name: `g${at}`,
    ttlMs: steady ? 20_000 : random.pick([10_000, 10_000, 20_000, 30_000]),
    lockDelayMs: random.pick([0, 0, 0, 2000]),
    lockKey: shared ? `shared/k${at}` : null,
    onConsulLoss: !steady && (shared || random.chance(0.3)) ? 'Demote' : 'Hold',
    follower: random.pick([null, null, 'follower']),
    failoverDelayMs: steady ? 0 : random.pick([0, 0, 0, 3000]),
    evicts: !steady && stream(`evicts ${seed} ${at}`).chance(0.25),
    retains: !shared && stream(`retains ${seed} ${at}`).chance(0.4),
    anyOrder: stream(`order ${seed} ${at}`).chance(0.2),
    ...ownLabelOf(seed, at),
    ...asksOf(seed, at),
    ...conditionOf(seed, at),
    ...spreadOf(seed, at),
    ...patienceOf(seed, at),
    pods: random.pick([2, 2, 3]),
  };
}

type Frame = Pick<Scenario, 'lengthMs' | 'replicas' | 'groups' | 'steady'>;
type Random = ReturnType<typeof stream>;

const KINDS_OF_PODS = [
  'unready',
  'unready',
  'unready',
  'crash',
  'exclude',
  'finish',
  'orphan',
  'deletePod',
  'recreatePod',
] as const;
const KINDS_OF_OPERATORS = [
  'freeze',
  'freeze',
  'slow',
  'kill',
  'terminate',
  'replace',
  'cut',
  'trouble',
  'trouble',
  'trouble',
  'stallWatches',
  'stallWatches',
  'cutWatches',
  'compact',
] as const;
const KINDS_OF_SERVERS = [
  'outage',
  'outage',
  'consulLeader',
  'wipe',
  'timing',
  'pause',
  'external',
  'external',
] as const;

function actOf(random: Random, frame: Frame): Act {
  const atMs = Math.round(random.between(3000, frame.lengthMs));
  const share = random.next();
  if (frame.steady) return share < 0.9 ? operatorAct(random, frame, atMs) : serverAct(random, frame, atMs);
  if (share < 0.4) return podAct(random, frame, atMs);
  return share < 0.85 ? operatorAct(random, frame, atMs) : serverAct(random, frame, atMs);
}

function podAct(random: Random, { groups }: Frame, atMs: number): Act {
  const group = random.below(groups.length);
  const pod = random.below(groups[group]?.pods ?? 1);
  const act = random.pick(KINDS_OF_PODS);
  return { act, atMs, group, pod, forMs: Math.round(random.between(50, 8000)) };
}

function operatorAct(random: Random, { replicas, steady }: Frame, atMs: number): Act {
  const replica = random.below(replicas);
  const act = random.pick(KINDS_OF_OPERATORS);
  const forMs = Math.round(random.chance(0.5) ? random.between(20, 3000) : random.between(3000, 40_000));
  const from = steady ? 'kubernetes' : random.pick(['consul', 'kubernetes'] as const);
  switch (act) {
    case 'freeze':
      return { act, atMs, replica, clockStops: !steady && random.chance(0.2), forMs };
    case 'slow':
      return { act, atMs, replica, lagMs: Math.round(random.between(5, 400)), forMs };
    case 'kill':
    case 'terminate':
    case 'replace':
      return { act, atMs, replica, forMs: Math.min(forMs, 15_000) };
    case 'cut':
      return { act, atMs, replica, from, how: random.pick(['refused', 'swallowed'] as const), forMs };
    case 'trouble':
      return { act, atMs, replica, with: from, share: random.pick([0.1, 0.3, 0.6]), forMs };
    case 'stallWatches':
      return { act, atMs, replica, forMs: Math.min(forMs, CHAOS_MS) };
    case 'cutWatches':
      return { act, atMs, replica };
    case 'compact':
      return { act, atMs };
  }
}

function serverAct(random: Random, { groups, steady }: Frame, atMs: number): Act {
  const act = steady ? 'outage' : random.pick(KINDS_OF_SERVERS);
  const group = random.below(groups.length);
  const forMs = Math.round(random.chance(0.5) ? random.between(50, 3000) : random.between(3000, 30_000));
  switch (act) {
    case 'outage': {
      const of = steady ? 'kubernetes' : random.pick(['consul', 'kubernetes'] as const);
      return { act, atMs, of, how: random.pick(['down', 'frozen'] as const), forMs };
    }
    case 'consulLeader':
    case 'wipe':
      return { act, atMs };
    case 'timing':
      return { act, atMs, group, ttlMs: random.pick([10_000, 20_000, 40_000]) };
    case 'pause':
    case 'external':
      return { act, atMs, group, forMs };
  }
}

/**
 * What broke weaker protocols takes several things in a row: a leader goes while its owner's requests are under way, the
 * owner stands still, another one takes over, the leader comes back, the first owner goes on.
 */
function dance(random: Random, frame: Frame): readonly Act[] {
  const atMs = Math.round(random.between(4000, frame.lengthMs));
  const replica = random.below(frame.replicas);
  const group = random.below(frame.groups.length);
  const forMs = Math.round(random.between(10_000, 26_000));
  const trouble = { act: 'trouble', share: 0.7, replica, forMs: 1500 } as const;
  const first: readonly Act[] = [
    { ...trouble, atMs, with: 'kubernetes' },
    ...(frame.steady ? [] : [{ ...trouble, atMs, with: 'consul' } as const]),
    { act: 'freeze', atMs: atMs + random.below(60), replica, clockStops: false, forMs },
  ];
  if (frame.steady) return first;
  const pods = Array.from({ length: frame.groups[group]?.pods ?? 1 }, (_, pod) => pod);
  const blinks = pods.map(
    (pod): Act => ({
      act: 'unready',
      atMs: atMs + random.below(20),
      group,
      pod,
      forMs: Math.round(random.between(100, 20_000)),
    }),
  );
  return [...first, ...blinks];
}

/**
 * Consul is away for longer than a session of a Demote group lives, while operators and the API server are well: whoever never demotes
 * for an outage must not get through many histories.
 */
function blackout(seed: number, frame: Frame): readonly Act[] {
  const random = stream(`blackout ${seed}`);
  const demoting = frame.groups.filter(({ onConsulLoss }) => onConsulLoss === 'Demote');
  if (frame.steady || demoting.length === 0 || !random.chance(0.4)) return [];
  const longestMs = 2 * Math.min(...demoting.map(({ ttlMs }) => ttlMs));
  const atMs = Math.round(random.between(8000, Math.max(9000, frame.lengthMs - longestMs)));
  const how = random.pick(['down', 'down', 'frozen'] as const);
  const forMs = longestMs + Math.round(random.between(1000, 6000));
  const restarts = frame.groups.flatMap((each, group) =>
    demoting.includes(each) ? startedAnew(random, each, group) : [],
  );
  const within = restarts.map((act): Act => ({ ...act, atMs: Math.round(atMs + forMs * random.between(0.8, 1)) }));
  return [{ act: 'outage', atMs, of: 'consul', how, forMs }, ...within];
}

/** Of a group that asks: whoever has lost its label by then is in another life when it may get it back. */
const startedAnew = (random: Random, { asks, pods }: GroupPlan, group: number) =>
  asks === undefined
    ? []
    : Array.from({ length: pods }, (_, pod) => {
        const forMs = Math.round(random.between(50, 1500));
        return { act: 'crash', group, pod, forMs } as const;
      });

/** Whether some of the group's pods get a controller that selects by the label key. */
export function hasReleasingController({ acts, groups }: Scenario, name: string): boolean {
  return acts.some((act) => act.act === 'release' && groups[act.group % groups.length]?.name === name);
}

const probedOf = (seed: number, groups: readonly GroupPlan[]): readonly string[] =>
  groups.map(({ name }) => name).filter((name) => stream(`probe ${seed} ${name}`).chance(0.6));

/** Of the groups with a leader probe: processes stop for longer than it lets them. */
function hangs(seed: number, frame: Frame): readonly Act[] {
  const random = stream(`hangs ${seed}`);
  const [first, ...others] = probedOf(seed, frame.groups);
  if (first === undefined) return [];
  return Array.from({ length: random.pick([0, 2, 4]) }, () => {
    const chosen = random.pick([first, ...others]);
    const group = frame.groups.findIndex(({ name }) => name === chosen);
    const pod = random.below(frame.groups[group]?.pods ?? 1);
    const atMs = Math.round(random.between(8000, frame.lengthMs));
    return { act: 'hang', atMs, group, pod, forMs: Math.round(random.between(3000, 20_000)) } as const;
  });
}

/** Pods do not pass when they are asked before a promotion, now and then all of a group. */
function refusals(seed: number, { lengthMs, groups, steady }: Frame): readonly Act[] {
  const random = stream(`refusals ${seed}`);
  if (steady) return [];
  return groups.flatMap(({ asks, pods }, group) => {
    if (asks === undefined) return [];
    return Array.from({ length: random.pick([1, 2, 4]) }, () => {
      const atMs = Math.round(random.between(0, lengthMs));
      const how = random.pick(['fails', 'fails', 'hangs'] as const);
      const forMs = Math.round(random.between(500, 25_000));
      return { act: 'refuseLead', atMs, group, pod: random.below(pods), how, forMs } as const;
    });
  });
}

/** In a third of the histories machines are lost, or seem to be. */
function nodeActs(seed: number, frame: Frame): readonly Act[] {
  const random = stream(`nodes ${seed}`);
  if (frame.steady || !random.chance(0.35)) return [];
  const lost = Array.from({ length: random.pick([1, 2, 3]) }, (): Act => {
    const act = random.pick(['cutNode', 'cutNode', 'deleteNode', 'stopNode', 'taintNode', 'cordonNode'] as const);
    const atMs = Math.round(random.between(6000, frame.lengthMs));
    return { act, atMs, node: random.below(NODES), forMs: Math.round(random.between(1000, 25_000)) };
  });
  const denied: readonly Act[] = random.chance(0.3)
    ? [
        {
          act: 'denyNodes',
          atMs: Math.round(random.between(4000, frame.lengthMs)),
          replica: random.below(frame.replicas),
          forMs: Math.round(random.between(5000, 20_000)),
        },
      ]
    : [];
  return [...lost, ...denied];
}

/** In every seventh history some namespaces are watched, of which one has groups. */
const isNamespaced = (seed: number): boolean => stream(`namespaces ${seed}`).chance(0.15);

/** The right to read the namespace comes and goes, also while replicas start, all of them now and then. */
function denials(seed: number, frame: Frame): readonly Act[] {
  const random = stream(`denials ${seed}`);
  if (!isNamespaced(seed)) return [];
  return Array.from({ length: random.pick([1, 2, 3]) }, () => {
    const atMs = Math.round(random.between(random.chance(0.2) ? 0 : 5000, frame.lengthMs));
    const forMs = Math.round(random.between(3000, 40_000));
    const all = Array.from({ length: frame.replicas }, (_, replica) => replica);
    const those = random.chance(0.5) ? all : [random.below(frame.replicas)];
    return those.flatMap((replica): readonly Act[] => {
      const denied: Act = { act: 'denyNamespace', atMs, replica, forMs };
      const how = random.pick(['kill', 'terminate', 'replace'] as const);
      return random.chance(0.3) ? [denied] : [denied, { act: how, atMs: atMs + 10, replica, forMs: 1600 }];
    });
  }).flat();
}

/** Replicas that reach the servers, and not the pods, or not each other. */
function cutsOfReplicas(seed: number, frame: Frame): readonly Act[] {
  const random = stream(`cuts ${seed}`);
  if (!random.chance(0.4)) return [];
  return Array.from({ length: random.pick([1, 1, 2, 3]) }, (): Act => {
    const from = random.pick(['pods', 'peers'] as const);
    const atMs = Math.round(random.between(4000, frame.lengthMs));
    const forMs = Math.round(random.between(200, 15_000));
    return { act: 'cut', atMs, replica: random.below(frame.replicas), from, how: 'swallowed', forMs };
  });
}

/**
 * In half of the histories somebody asks for switchovers, by clocks that are right and wrong, to pods that can lead and cannot; and something puts what was
 * asked for before back, at any time.
 */
function switchovers(seed: number, frame: Frame): readonly Act[] {
  const random = stream(`switchovers ${seed}`);
  if (frame.steady || !random.chance(0.5)) return [];
  return Array.from({ length: random.pick([1, 3, 6, 12]) }, (): Act => {
    const atMs = Math.round(random.between(3000, frame.lengthMs));
    const group = random.below(frame.groups.length);
    if (random.chance(0.35))
      return { act: 'selfHeal', atMs, group, which: random.chance(0.2) ? null : random.below(6) };
    const pod = random.chance(0.3) ? null : random.below(frame.groups[group]?.pods ?? 1);
    const skewMs = Math.round(
      random.pick([
        random.between(-500, 500),
        random.between(-590_000, 0),
        random.between(0, 59_000),
        random.between(-700_000, 90_000),
      ]),
    );
    return { act: 'switchover', atMs, group, pod, skewMs };
  });
}

/** In half of the histories most groups have a route; now and then two of them name one Service. */
function withRoutes(seed: number, groups: readonly GroupPlan[]): readonly GroupPlan[] {
  const random = stream(`routes ${seed}`);
  if (!random.chance(0.5)) return groups;
  const shared = random.chance(0.15);
  return groups.map((group) => {
    const families = random.pick([['IPv4'], ['IPv4'], ['IPv4', 'IPv6']] as const);
    const dual = families.length > 1 || random.chance(0.5);
    const lacking = families.length > 1 && stream(`lacking ${seed} ${group.name}`).chance(0.5);
    const route = { service: shared ? 'svc' : `${group.name}-svc`, families, dual, lacking };
    return random.chance(0.8) ? { ...group, route } : group;
  });
}

function olderUntilMs(seed: number, groups: readonly GroupPlan[], lengthMs: number): number {
  const random = stream(`older ${seed}`);
  return groups.some(({ route }) => route !== undefined) && random.chance(0.12)
    ? Math.round(random.between(6000, lengthMs))
    : 0;
}

/** What others do to Services and slices. */
function routeActs(seed: number, frame: Frame): readonly Act[] {
  const random = stream(`route acts ${seed}`);
  const routed = frame.groups.flatMap(({ route }, group) => (route === undefined ? [] : [group]));
  const [first, ...others] = routed;
  if (first === undefined) return [];
  const act = (): Act => {
    const atMs = Math.round(random.between(random.chance(0.2) ? 0 : 4000, frame.lengthMs));
    const forMs = Math.round(random.chance(0.5) ? random.between(100, 5000) : random.between(5000, 70_000));
    const group = random.pick([first, ...others]);
    switch (random.pick(['service', 'service', 'spoil', 'spoil', 'spoil', 'intrude', 'deny'] as const)) {
      case 'service':
        return { act: 'service', atMs, group, how: random.pick(SERVICE_CHANGES), forMs };
      case 'spoil':
        return {
          act: 'spoil',
          atMs,
          group,
          family: random.pick(['IPv4', 'IPv4', 'IPv6'] as const),
          how: random.pick(SPOILINGS),
        };
      case 'intrude':
        return { act: 'intrude', atMs, group, what: random.pick(INTRUSIONS), forMs };
      case 'deny':
        return { act: 'deny', atMs, reads: random.chance(0.5), forMs };
    }
  };
  return Array.from({ length: random.pick([0, 0, 2, 4, 6]) }, act);
}

/**
 * A leader that goes while it is being shown, where nobody else can lead: a write of its slice that is late must not find the slice as it was.
 */
function flicker(seed: number, frame: Frame): readonly Act[] {
  const random = stream(`flicker ${seed}`);
  const routed = frame.groups.flatMap(({ route }, group) => (route === undefined ? [] : [group]));
  const [first, ...others] = routed;
  if (frame.steady || first === undefined || !random.chance(0.5)) return [];
  const group = random.pick([first, ...others]);
  const atMs = Math.round(random.between(8000, Math.max(9000, frame.lengthMs - 8000)));
  const exclude = (pod: number, at: number, forMs: number): Act => ({
    act: 'exclude',
    atMs: atMs + at,
    group,
    pod,
    forMs,
  });
  const waiting = Array.from({ length: (frame.groups[group]?.pods ?? 1) - 1 }, (_, pod) => exclude(pod + 1, 0, 9000));
  const trouble = (replica: number): Act => ({
    act: 'trouble',
    atMs: atMs + 1990,
    replica,
    with: 'kubernetes',
    share: 0.4,
    forMs: 1000,
  });
  return [
    ...waiting,
    exclude(0, 300, 1700),
    ...Array.from({ length: frame.replicas }, (_, replica) => trouble(replica)),
    exclude(0, 2000 + random.below(600), 3000),
  ];
}

/** In every tenth history. */
function releaser(seed: number, frame: Frame): readonly Act[] {
  const random = stream(`releaser ${seed}`);
  if (frame.steady || !random.chance(0.12)) return [];
  const atMs = Math.round(random.between(0, frame.lengthMs / 2));
  const forMs = Math.round(random.between(5000, 30_000));
  return [{ act: 'release', atMs, group: random.below(frame.groups.length), readable: random.chance(0.5), forMs }];
}

/**
 * What other people's clusters do, in a third of the histories. Where a group is made anew Consul is not wiped: a life that nothing is
 * remembered of counts on from the time, which rises too slowly for elections by the second.
 */
function withHabits(seed: number, frame: Frame, acts: readonly Act[]): readonly Act[] {
  const random = stream(`habits ${seed}`);
  if (frame.steady || !random.chance(0.33)) return acts;
  const habits = Array.from({ length: random.pick([1, 2, 4]) }, () => habit(random, frame));
  const kept = habits.some(({ act }) => act === 'remake') ? acts.filter(({ act }) => act !== 'wipe') : acts;
  return [...kept, ...habits];
}

function habit(random: Random, frame: Frame): Act {
  const atMs = Math.round(random.between(4000, frame.lengthMs));
  const group = random.below(frame.groups.length);
  const forMs = Math.round(random.between(500, 12_000));
  switch (random.pick(['remake', 'remake', 'enforce', 'refuse'] as const)) {
    case 'remake':
      return { act: 'remake', atMs, group, forMs: random.pick([50, 200, 1500, 4000]) };
    case 'enforce':
      return { act: 'enforce', atMs, group, everyMs: Math.round(random.between(5, 400)), forMs };
    case 'refuse': {
      const pod = random.chance(0.5) ? null : random.below(frame.groups[group]?.pods ?? 1);
      return { act: 'refuse', atMs, group, pod, forMs };
    }
  }
}

/** For people: one line. */
export function describeAct({ atMs, ...act }: Act): string {
  const { act: kind, ...more } = act as { readonly act: string };
  const words = Object.entries(more).map(([name, value]) => `${name} ${String(value)}`);
  return `${(atMs / 1000).toFixed(3).padStart(8)} s  ${kind}${words.length === 0 ? '' : ` (${words.join(', ')})`}`;
}
