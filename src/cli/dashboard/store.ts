/**
 * The groups and pods as the two watches tell them, each change with a revision. A page that asks what is new after a revision is told that, and
 * no more: a change costs the groups that changed, however many there are.
 */
import type { Pod } from '../../api/pod.ts';
import { asObject, field, type RawObject, textField } from '../../api/raw.ts';
import { projectPod } from '../../kubernetes/objects/pod.ts';
import { type Group, groupOf } from '../groups.ts';
import type { Sink } from './follow.ts';
import { detailOf, keyOf, rowOf, transitionsOf } from './view.ts';
import type { Changes, Detail, Row, TransitionRow } from './wire.ts';

export type Store = {
  readonly groups: Sink;
  readonly pods: Sink;
  /** Why pods will never be known: a right is missing. A sentence. */
  podsDenied(why: string): void;
  operator(line: string, works: boolean): void;
  /** `key`: the group whose detail is wanted; null: none. */
  since(after: number, key: string | null): Changes;
  /** null: there is no such group. */
  detail(key: string): Detail | null;
  /** Whether `since` would say anything. */
  hasNews(after: number, key: string | null): boolean;
  /** The groups have been listed. */
  isListed(): boolean;
  /** Resolves at the next change of anything. */
  changed(): Promise<void>;
  /** The newest changes of leader in all groups, newest first. */
  timeline(limit: number): readonly TransitionRow[];
};

type Kept = { readonly group: Group; readonly row: Row; readonly revision: number };

export function createStore(nowMs: () => number): Store {
  const groups = new Map<string, Kept>();
  /** By key: the revision at which it went. */
  const gone = new Map<string, number>();
  /** By namespace and name. */
  const pods = new Map<string, Map<string, Pod>>();
  const podRevisions = new Map<string, number>();
  const troubles = new Map<string, string>();
  let denied: string | null = null;
  let operator = { line: '', works: true };
  let isListed = false;
  let revision = 0;
  /** Of everything but pods. */
  let told = 0;
  /** Of what is about all pods at once. */
  let podsTold = 0;
  let next = Promise.withResolvers<void>();

  function news(): number {
    revision += 1;
    const before = next;
    next = Promise.withResolvers<void>();
    before.resolve();
    return revision;
  }

  function putGroup(raw: RawObject): void {
    const group = groupOf(raw);
    if (group === null) return;
    told = news();
    gone.delete(keyOf(group));
    groups.set(keyOf(group), { group, row: rowOf(group), revision: told });
  }

  function dropGroup(key: string): void {
    if (!groups.delete(key)) return;
    told = news();
    gone.set(key, told);
  }

  function putPod(raw: RawObject): void {
    const pod = projectPod(raw);
    if (pod === null) return;
    const ofNamespace = pods.get(pod.namespace) ?? new Map<string, Pod>();
    pods.set(pod.namespace, ofNamespace.set(pod.name, pod));
    podRevisions.set(pod.namespace, news());
  }

  function dropPod({ namespace, name }: Named): void {
    if (pods.get(namespace)?.delete(name) === true) podRevisions.set(namespace, news());
  }

  function trouble(of: string, sentence: string | null): void {
    if ((troubles.get(of) ?? null) === sentence) return;
    if (sentence === null) troubles.delete(of);
    else troubles.set(of, sentence);
    told = news();
  }

  const detail = (key: string): Detail | null => {
    const kept = groups.get(key);
    if (kept === undefined) return null;
    const ofNamespace = [...(pods.get(kept.group.namespace)?.values() ?? [])];
    return detailOf(kept.group, denied ?? ofNamespace, nowMs());
  };

  /** When something of this group's detail last changed. */
  const detailRevision = (key: string): number =>
    Math.max(groups.get(key)?.revision ?? 0, podRevisions.get(key.split('/')[0] ?? '') ?? 0, podsTold);

  return {
    groups: {
      replace: (items) => {
        const present = new Set(items.map((item) => keyOf(namedBy(item))));
        for (const key of [...groups.keys()].filter((each) => !present.has(each))) dropGroup(key);
        for (const item of items) putGroup(item);
        isListed = true;
        told = news();
      },
      apply: ({ type, object }) => (type === 'DELETED' ? dropGroup(keyOf(namedBy(object))) : putGroup(object)),
      trouble: (sentence) => trouble('groups', sentence),
    },
    pods: {
      replace: (items) => {
        pods.clear();
        for (const item of items) putPod(item);
        podsTold = news();
      },
      apply: ({ type, object }) => (type === 'DELETED' ? dropPod(namedBy(object)) : putPod(object)),
      trouble: (sentence) => trouble('pods', sentence),
    },
    podsDenied: (why) => {
      denied = why;
      podsTold = news();
      trouble('pods', why);
    },
    operator: (line, works) => {
      if (operator.line === line && operator.works === works) return;
      operator = { line, works };
      told = news();
    },
    since: (after, key) => ({
      revision,
      rows: [...groups.values()].filter((kept) => kept.revision > after).map(({ row }) => row),
      gone: after === 0 ? [] : [...gone].filter(([, at]) => at > after).map(([each]) => each),
      detail: key !== null && detailRevision(key) > after ? detail(key) : null,
      troubles: [...troubles.values()],
      operator: operator.line,
      operatorWorks: operator.works,
      nowMs: nowMs(),
    }),
    detail,
    hasNews: (after, key) => told > after || (key !== null && detailRevision(key) > after),
    isListed: () => isListed,
    changed: () => next.promise,
    timeline: (limit) =>
      [...groups.values()]
        .flatMap(({ group }) => transitionsOf(group))
        .toSorted((one, other) => Date.parse(other.time) - Date.parse(one.time) || other.token - one.token)
        .slice(0, limit),
  };
}

type Named = { readonly namespace: string; readonly name: string };

function namedBy(object: RawObject): Named {
  const metadata = asObject(field(object, 'metadata')) ?? {};
  return { namespace: textField(metadata, 'namespace'), name: textField(metadata, 'name') };
}
