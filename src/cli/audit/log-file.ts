/** Feeds an audit from the audit logs of API servers. What a log leaves out is found where it can be, and never taken as well. */
import type { Audit } from './audit.ts';
import { type AuditGroup, type AuditPod, compareVersions, keyOf } from './events.ts';
import type { LogEntry } from './log-line.ts';

type Write = Extract<LogEntry, { kind: 'write' }>;
type List = Extract<LogEntry, { kind: 'list' }>;

export type LogScope = {
  /** null: all. */
  readonly namespace: string | null;
  /** As they are now: an audit log need not have them. */
  readonly groups: readonly AuditGroup[];
};

/** How many of a kind are named, before the others are counted. */
const NAMED = 3;

export function auditLog(entries: readonly LogEntry[], { namespace, groups }: LogScope, audit: Audit): void {
  const within = (other: string): boolean => namespace === null || other === namespace;
  const start = startOf(entries, namespace);
  const writes = inOrder(entries, (pod) => within(pod.namespace), start);
  for (const group of groups) audit.setGroup(group, start?.resourceVersion ?? '0');
  sayWhatIsMissing(entries, within, audit);
  if (start !== null) {
    const pods = start.pods.filter((pod) => within(pod.namespace));
    audit.take({ kind: 'list', resourceVersion: start.resourceVersion, pods });
  }
  const followed = { ...startingWith(start), touched: touchedIn(entries), audit };
  for (const write of writes) take(write, followed);
  if (followed.before.length > 0)
    audit.unproved({
      group: null,
      from: null,
      to: writes[0]?.resourceVersion ?? null,
      why: `${someOf(followed.before)} had been there before the log begins, and it has no list of all pods: how they stood is not known`,
    });
  takeGroups(entries, groups, audit);
}

/** The earliest list that holds everything in question. */
function startOf(entries: readonly LogEntry[], namespace: string | null): List | null {
  const lists = entries.filter(
    (entry): entry is List => entry.kind === 'list' && (entry.namespace === null || entry.namespace === namespace),
  );
  return lists.toSorted((one, other) => compareVersions(one.resourceVersion, other.resourceVersion))[0] ?? null;
}

function inOrder(
  entries: readonly LogEntry[],
  concerns: (pod: AuditPod) => boolean,
  start: List | null,
): readonly Write[] {
  return entries
    .filter((entry): entry is Write => entry.kind === 'write' && concerns(entry.pod))
    .filter(({ resourceVersion }) => start === null || compareVersions(resourceVersion, start.resourceVersion) > 0)
    .toSorted((one, other) => compareVersions(one.resourceVersion, other.resourceVersion));
}

const startingWith = (start: List | null) => ({
  /** The version of each pod that was seen last, by its uid. */
  versions: new Map((start?.pods ?? []).map((pod) => [pod.uid, pod.resourceVersion] as const)),
  isWhole: start !== null,
  before: [] as string[],
});

type Followed = ReturnType<typeof startingWith> & { readonly touched: ReadonlySet<string>; readonly audit: Audit };

function take({ how, pod, resourceVersion, read }: Write, followed: Followed): void {
  const { versions, audit, before, isWhole, touched } = followed;
  const last = versions.get(pod.uid);
  const key = keyOf(pod);
  // A write that changed nothing has the version that was there.
  if (last === resourceVersion) return;
  const isNew = last === undefined;
  if (isNew && how !== 'added') {
    if (isWhole)
      audit.unproved({
        group: null,
        from: null,
        to: resourceVersion,
        why: `the pod ${key} appears without having been created in the log`,
      });
    else before.push(key);
  }
  if (last !== undefined && read !== null && read !== last && !touched.has(key))
    audit.unproved({
      group: null,
      from: last,
      to: resourceVersion,
      why: `a write of the pod ${key} is missing: whoever wrote ${resourceVersion} had read ${read}, and the last one in the log is ${last}`,
    });
  versions.set(pod.uid, resourceVersion);
  audit.take({ kind: isNew && how !== 'added' ? 'found' : how, resourceVersion, pod });
  if (how === 'deleted') versions.delete(pod.uid);
}

const touchedIn = (entries: readonly LogEntry[]): ReadonlySet<string> =>
  new Set(entries.flatMap((entry) => (entry.kind === 'touched' ? [keyOf(entry)] : [])));

function sayWhatIsMissing(entries: readonly LogEntry[], within: (namespace: string) => boolean, audit: Audit): void {
  const blind = entries.flatMap((entry) => (entry.kind === 'blind' && within(entry.namespace) ? [entry.why] : []));
  for (const why of blind.slice(0, NAMED)) audit.unproved({ group: null, from: null, to: null, why });
  if (blind.length > NAMED)
    audit.unproved({
      group: null,
      from: null,
      to: null,
      why: `${blind.length - NAMED} more writes are not told in full`,
    });
}

function takeGroups(entries: readonly LogEntry[], groups: readonly AuditGroup[], audit: Audit): void {
  const now = new Map(groups.map((group) => [keyOf(group), group]));
  const written = entries.filter((entry) => entry.kind === 'group');
  for (const { key, group, leaders, resourceVersion } of written) {
    const known = now.get(key);
    if (known === undefined) continue;
    if (group === null || JSON.stringify(group) !== JSON.stringify(known))
      audit.unproved({
        group: key,
        from: null,
        to: null,
        why: 'it was written while the log was, and was another one, or had another selector or label, than it has now',
      });
    else audit.statusNames(group, leaders, resourceVersion);
  }
}

const someOf = (names: readonly string[]): string =>
  names.length <= NAMED
    ? names.join(', ')
    : `${names.slice(0, NAMED).join(', ')} and ${names.length - NAMED} more pods`;
