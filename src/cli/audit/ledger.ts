/** What is known of one group while its history is read, and the rules that each change of a pod is held against. */
import { READY } from '../../api/candidate-condition.ts';
import { FIELD_MANAGER, tokenAnnotation } from '../../api/names.ts';
import { matches } from '../../api/selector.ts';
import { type AuditGroup, type AuditPod, keyOf, type NamedLeader, podName } from './events.ts';
import type { AuditBreach, AuditRule } from './rules.ts';

type Highest = { readonly token: number; readonly uid: string | null };

export type Ledger = {
  readonly group: AuditGroup;
  readonly labelled: Map<string, AuditPod>;
  /** Each leader with its token, as `uid token`. */
  readonly promoted: Set<string>;
  /** Over all of them; it outlives the group. */
  highest: Highest;
  /** Token of whoever led when the history began, or after its last gap: any higher one must have been seen since. null: nobody led. */
  floor: number | null;
  /** How often a leader was seen to come. */
  changes: number;
};

/** One change of one pod. `seen`: the write itself, and not only what has become of some. */
export type PodChange = {
  readonly before: AuditPod | null;
  readonly after: AuditPod | null;
  readonly seen: boolean;
  readonly resourceVersion: string;
};

export const NO_TOKEN: Highest = { token: 0, uid: null };

export const openLedger = (group: AuditGroup, highest: Highest): Ledger => ({
  group,
  labelled: new Map(),
  promoted: new Set(),
  highest,
  floor: null,
  changes: 0,
});

const isLabelled = ({ namespace, labelKey, leaderValue }: AuditGroup, pod: AuditPod | null): boolean =>
  pod !== null && pod.namespace === namespace && pod.labels[labelKey] === leaderValue;

/** null: there is none; NaN: it is no token. */
function tokenOf(group: AuditGroup, pod: AuditPod): number | null {
  const text = pod.annotations[tokenAnnotation(group.name)];
  if (text === undefined) return null;
  return /^[1-9][0-9]{0,15}$/.test(text) ? Number(text) : Number.NaN;
}

const tokenText = (group: AuditGroup, pod: AuditPod | null): string | undefined =>
  pod?.annotations[tokenAnnotation(group.name)];

/** How the pods stand where the history begins, or goes on after a gap. Their tokens are held against those before. */
export function begin(ledger: Ledger, pods: readonly AuditPod[], at: Standing): readonly AuditBreach[] {
  const { group } = ledger;
  const before = new Map(ledger.labelled);
  ledger.labelled.clear();
  const own = pods.filter((pod) => isLabelled(group, pod) && belongs(ledger, pod, before, at.rivals));
  for (const pod of own) ledger.labelled.set(pod.uid, pod);
  for (const pod of pods) if (!ledger.labelled.has(pod.uid)) raise(ledger, pod);
  const came = own.toSorted((one, other) => (tokenOf(group, one) ?? 0) - (tokenOf(group, other) ?? 0));
  const breaches = came.flatMap((pod) => {
    const was = before.get(pod.uid);
    if (was !== undefined && tokenText(group, was) === tokenText(group, pod)) return [];
    return noteToken(ledger, pod, at.resourceVersion);
  });
  ledger.floor = own.length === 0 ? null : Math.max(...own.map((pod) => tokenOf(group, pod) || 0));
  return own.length < 2 ? breaches : [...breaches, twoLeaders(ledger, at.resourceVersion)];
}

export type Standing = { readonly resourceVersion: string; readonly rivals: readonly AuditGroup[] };

function belongs(
  { group }: Ledger,
  pod: AuditPod,
  before: ReadonlyMap<string, AuditPod>,
  rivals: readonly AuditGroup[],
): boolean {
  if (before.has(pod.uid)) return true;
  if (!matches(group.selector, pod.labels)) return false;
  const has = (one: AuditGroup): boolean => tokenText(one, pod) !== undefined;
  return has(group) || !rivals.some((rival) => has(rival));
}

/** A token that stands on a pod which does not lead was given out before. */
function raise(ledger: Ledger, pod: AuditPod): void {
  if (pod.namespace !== ledger.group.namespace) return;
  const token = tokenOf(ledger.group, pod);
  if (token !== null && token > ledger.highest.token) ledger.highest = { token, uid: pod.uid };
}

/** Follows one change. Of several groups with one label key, the token that was written says whose leader it is, else the selector. */
export function follow(ledger: Ledger, change: PodChange, rivals: readonly AuditGroup[]): readonly AuditBreach[] {
  const { group, labelled } = ledger;
  const { before, after } = change;
  if (after === null || !isLabelled(group, after)) {
    if (after !== null) labelled.delete(after.uid);
    else if (before !== null) labelled.delete(before.uid);
    return [];
  }
  if (labelled.has(after.uid)) labelled.set(after.uid, after);
  const was = isLabelled(group, before);
  if (was && tokenText(group, before) === tokenText(group, after)) return [];
  if (!concerns(ledger, change, after, rivals)) return [];
  labelled.set(after.uid, after);
  const found = cameToLead(ledger, change, after);
  return labelled.size < 2 ? found : [...found, twoLeaders(ledger, change.resourceVersion)];
}

function concerns(
  ledger: Ledger,
  { before, seen }: PodChange,
  after: AuditPod,
  rivals: readonly AuditGroup[],
): boolean {
  const { group } = ledger;
  const wrote = (one: AuditGroup): boolean => tokenText(one, before) !== tokenText(one, after);
  if (before !== null && seen && wrote(group)) return true;
  if (before !== null && seen && rivals.some(wrote)) return false;
  return matches(group.selector, after.labels);
}

function cameToLead(ledger: Ledger, change: PodChange, pod: AuditPod): readonly AuditBreach[] {
  const { before, seen, resourceVersion } = change;
  const wentOn = !isLabelled(ledger.group, before);
  const again = before !== null && tokenText(ledger.group, before) === tokenText(ledger.group, pod);
  if (seen) ledger.changes += 1;
  const breaches = [...noteToken(ledger, pod, resourceVersion)];
  if (!seen) return breaches;
  if (before === null)
    breaches.push(
      breach(
        ledger,
        'LabelAtCreation',
        { pods: [pod], resourceVersion },
        `${podName(pod)} was created with the leader label${by(ledger, pod)}`,
      ),
    );
  const why = unfit(ledger.group, pod);
  if (before !== null && wentOn && !again && why !== null)
    breaches.push(
      breach(
        ledger,
        'UnfitLeader',
        { pods: [pod], resourceVersion },
        `${podName(pod)} got the leader label though it ${why}${by(ledger, pod)}`,
      ),
    );
  return breaches;
}

function unfit({ candidateCondition }: AuditGroup, pod: AuditPod): string | null {
  if (pod.deleting) return 'was being deleted';
  if (pod.phase === 'Succeeded' || pod.phase === 'Failed') return 'had finished';
  if (candidateCondition === undefined || hasCondition(candidateCondition, pod)) return null;
  return candidateCondition === READY ? 'was not ready' : `its condition ${candidateCondition} was not True`;
}

const hasCondition = (condition: string, { ready, conditions }: AuditPod): boolean =>
  condition === READY
    ? ready
    : conditions === undefined || conditions.some(({ type, isTrue }) => type === condition && isTrue);

function noteToken(ledger: Ledger, pod: AuditPod, resourceVersion: string): readonly AuditBreach[] {
  const { highest, group } = ledger;
  const token = tokenOf(group, pod);
  const name = `${podName(pod)} carries the leader label`;
  const found = (rule: AuditRule, message: string): readonly AuditBreach[] => [
    breach(ledger, rule, { pods: [pod], resourceVersion }, `${name} ${message}${by(ledger, pod)}`),
  ];
  if (token === null) return found('TokenMissing', `without ${tokenAnnotation(group.name)}`);
  if (Number.isNaN(token))
    return found('TokenMissing', `with ${JSON.stringify(tokenText(group, pod)?.slice(0, 40))}, which is no token`);
  ledger.promoted.add(promotion({ uid: pod.uid, token }));
  if (token < highest.token) return found('TokenFell', `with token ${token} after token ${highest.token}`);
  if (token === highest.token && highest.uid !== null && highest.uid !== pod.uid)
    return found('TokenShared', `with token ${token}, which the pod of uid ${highest.uid.slice(0, 8)} had before`);
  ledger.highest = { token, uid: pod.uid };
  return [];
}

function twoLeaders(ledger: Ledger, resourceVersion: string): AuditBreach {
  const pods = [...ledger.labelled.values()];
  const whose = pods.map((pod) => by(ledger, pod)).filter((words) => words !== '');
  const message = `${pods.map(podName).join(' and ')} carry the leader label at once${whose.join('')}`;
  return breach(ledger, 'TwoLeaders', { pods, resourceVersion }, message);
}

/** Whoever else than the operator wrote the label, so that nobody looks for the fault in the wrong place. */
function by({ group }: Ledger, pod: AuditPod): string {
  const manager = pod.labelsBy?.[group.labelKey] ?? FIELD_MANAGER;
  return manager === FIELD_MANAGER ? '' : ` (${manager}, not the operator, wrote the label of ${pod.name})`;
}

const promotion = ({ uid, token }: Pick<NamedLeader, 'uid' | 'token'>): string => `${uid} ${token}`;

/**
 * Whether a leader that the status names came to lead in what was seen. `unknown`: it may have led before the history began, for nobody who led then
 * shows that its token is newer.
 */
export function namedRightly(ledger: Ledger, leader: NamedLeader): 'yes' | 'no' | 'unknown' {
  if (ledger.promoted.has(promotion(leader))) return 'yes';
  return ledger.floor !== null && leader.token > ledger.floor ? 'no' : 'unknown';
}

export function statusBreach(ledger: Ledger, { pod, uid, token }: NamedLeader, resourceVersion: string): AuditBreach {
  const named = { name: pod, uid };
  const message = `the status names ${podName(named)} with token ${token}, which never carried the leader label with it`;
  return breach(ledger, 'StatusNamesAnother', { pods: [named], resourceVersion }, message);
}

type Where = { readonly pods: readonly Named[]; readonly resourceVersion: string };
type Named = { readonly name: string; readonly uid: string };

const breach = (
  { group }: Ledger,
  rule: AuditRule,
  { pods, resourceVersion }: Where,
  message: string,
): AuditBreach => ({
  rule,
  group: keyOf(group),
  resourceVersion,
  pods: pods.map(podName),
  message,
});
