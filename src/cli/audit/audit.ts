/**
 * Reads a history of pods and says what it shows: each breach of a rule, and each stretch of which nothing can be said. It knows nothing of the operator's
 * code, and nothing of where the history comes from. Whatever was not seen is not proved.
 */
import {
  type AuditEvent,
  type AuditGroup,
  type AuditPod,
  compareVersions,
  keyOf,
  type NamedLeader,
  podName,
} from './events.ts';
import {
  begin,
  follow,
  type Ledger,
  NO_TOKEN,
  namedRightly,
  openLedger,
  type PodChange,
  statusBreach,
} from './ledger.ts';
import type { AuditBreach, Unproved } from './rules.ts';

export type GroupResult = {
  /** namespace/name */
  readonly group: string;
  /** Who carries the label at the end, with its token; null: nobody. */
  readonly leader: string | null;
  /** How often a leader was seen to come. */
  readonly changes: number;
  /** The group is gone by now. */
  readonly deleted: boolean;
};

export type AuditResult = {
  readonly verdict: 'Proved' | 'Breached' | 'NotProved';
  /** The resourceVersions between which the history was seen; null: it was not. */
  readonly from: string | null;
  readonly to: string | null;
  readonly versions: number;
  readonly groups: readonly GroupResult[];
  readonly breaches: readonly AuditBreach[];
  readonly unproved: readonly Unproved[];
};

export type Audit = {
  take(event: AuditEvent): void;
  /** A group appears, or is written. A change of its selector or label begins it anew. */
  setGroup(group: AuditGroup, resourceVersion: string): void;
  dropGroup(name: { readonly namespace: string; readonly name: string }): void;
  /** The status of a group, of this version, names these leaders. They are judged once the pods have come so far. */
  statusNames(group: AuditGroup, leaders: readonly NamedLeader[], resourceVersion: string): void;
  unproved(gap: Unproved): void;
  result(): AuditResult;
};

type Named = { readonly key: string; readonly leader: NamedLeader; readonly resourceVersion: string };

/** `onBreach`: hears of each at once. */
export function createAudit(onBreach: (breach: AuditBreach) => void = () => undefined): Audit {
  const ledgers = new Map<string, Ledger>();
  const gone = new Map<string, Ledger>();
  const pods = new Map<string, AuditPod>();
  const breaches: AuditBreach[] = [];
  const gaps: Unproved[] = [];
  let named: readonly Named[] = [];
  let [from, to]: [string | null, string | null] = [null, null];
  let versions = 0;

  const note = (found: readonly AuditBreach[]): void => {
    for (const breach of found) {
      breaches.push(breach);
      onBreach(breach);
    }
  };
  const rivalsOf = ({ group }: Ledger): readonly AuditGroup[] =>
    [...ledgers.values()]
      .map((other) => other.group)
      .filter((other) => other !== group && other.namespace === group.namespace);
  const beginAt = (ledger: Ledger, resourceVersion: string): void =>
    note(
      begin(
        ledger,
        [...pods.values()].filter(({ namespace }) => namespace === ledger.group.namespace),
        { resourceVersion, rivals: rivalsOf(ledger) },
      ),
    );

  function takeList(event: Extract<AuditEvent, { kind: 'list' }>): void {
    if (to !== null) {
      gaps.push({
        group: null,
        from: to,
        to: event.resourceVersion,
        why: 'what happened in between was not seen: the pods were listed again',
      });
      judge(null);
    }
    pods.clear();
    for (const pod of event.pods) pods.set(pod.uid, pod);
    for (const ledger of ledgers.values()) beginAt(ledger, event.resourceVersion);
  }

  function takePod({ kind, pod, resourceVersion }: Extract<AuditEvent, { pod: AuditPod }>): void {
    const before = pods.get(pod.uid) ?? null;
    const after = kind === 'deleted' ? null : pod;
    if (after === null) pods.delete(pod.uid);
    else pods.set(pod.uid, after);
    const change: PodChange = { before, after, seen: kind !== 'found', resourceVersion };
    for (const ledger of ledgers.values())
      if (ledger.group.namespace === pod.namespace) note(follow(ledger, change, rivalsOf(ledger)));
    versions += 1;
  }

  /** Whom a status named by `upTo`; null: all, for what comes after a gap can say nothing of them. */
  function judge(upTo: string | null): void {
    const due = named.filter(({ resourceVersion }) => upTo === null || compareVersions(resourceVersion, upTo) <= 0);
    if (due.length === 0) return;
    named = named.filter((each) => !due.includes(each));
    for (const { key, leader, resourceVersion } of due) {
      const ledger = ledgers.get(key);
      const verdict = ledger === undefined ? 'yes' : namedRightly(ledger, leader);
      if (ledger === undefined || verdict === 'yes') continue;
      if (verdict === 'no' && upTo !== null) note([statusBreach(ledger, leader, resourceVersion)]);
      else {
        const name = podName({ name: leader.pod, uid: leader.uid });
        gaps.push({
          group: key,
          from: null,
          to: resourceVersion,
          why: `the status names ${name} with token ${leader.token}, whose promotion was not seen`,
        });
      }
    }
  }

  return {
    take: (event) => {
      const back = to !== null && compareVersions(event.resourceVersion, to) < 0;
      if (back && event.kind !== 'passed')
        gaps.push({
          group: null,
          from: to,
          to: event.resourceVersion,
          why: 'resourceVersions went back: the API server was restored, or its answers came out of order',
        });
      if (event.kind === 'list') takeList(event);
      else if (event.kind !== 'passed') takePod(event);
      from ??= event.resourceVersion;
      if (!back || event.kind !== 'passed') to = event.resourceVersion;
      judge(to);
    },
    setGroup: (group, resourceVersion) => {
      const key = keyOf(group);
      const known = ledgers.get(key);
      if (known !== undefined && sameRule(known.group, group)) return;
      if (known !== undefined)
        gaps.push({
          group: key,
          from: null,
          to: resourceVersion,
          why: 'its selector, label or candidateCondition was changed, or it was made anew: what happened just then cannot be told apart',
        });
      const ledger = openLedger(group, (known ?? gone.get(key))?.highest ?? NO_TOKEN);
      gone.delete(key);
      ledgers.set(key, ledger);
      if (to !== null) beginAt(ledger, to);
    },
    dropGroup: (name) => {
      const ledger = ledgers.get(keyOf(name));
      if (ledger === undefined) return;
      ledgers.delete(keyOf(name));
      gone.set(keyOf(name), ledger);
    },
    statusNames: (group, leaders, resourceVersion) => {
      named = [...named, ...leaders.map((leader) => ({ key: keyOf(group), leader, resourceVersion }))];
      if (to !== null) judge(to);
    },
    unproved: (gap) => void gaps.push(gap),
    result: () => ({
      verdict: breaches.length > 0 ? 'Breached' : gaps.length > 0 || from === null ? 'NotProved' : 'Proved',
      from,
      to,
      versions,
      groups: [
        ...[...ledgers.values()].map((ledger) => resultOf(ledger, false)),
        ...[...gone.values()].map((ledger) => resultOf(ledger, true)),
      ].toSorted((one, other) => (one.group < other.group ? -1 : 1)),
      breaches: [...breaches],
      unproved: [...gaps],
    }),
  };
}

const sameRule = (one: AuditGroup, other: AuditGroup): boolean =>
  one.uid === other.uid &&
  one.labelKey === other.labelKey &&
  one.leaderValue === other.leaderValue &&
  one.candidateCondition === other.candidateCondition &&
  JSON.stringify(one.selector) === JSON.stringify(other.selector);

const resultOf = ({ group, labelled, changes }: Ledger, deleted: boolean): GroupResult => ({
  group: keyOf(group),
  leader: labelled.size === 0 || deleted ? null : [...labelled.values()].map(podName).join(' and '),
  changes,
  deleted,
});
