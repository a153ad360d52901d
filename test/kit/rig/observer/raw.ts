/** Objects as the API server sends them, and what the observer reads in them. */

import { changedKeys } from '../../checker/groups.ts';
import { OPERATOR, type WatchedPod, type WatchedSlice } from '../../checker/history.ts';
import { podUid } from '../../fakes/ids.ts';

export type ManagedFields = {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly time?: string;
  readonly fieldsV1?: FieldSet;
};

type FieldSet = { readonly [key: string]: FieldSet };

export type RawObject = {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
    readonly finalizers?: readonly string[];
    readonly managedFields?: readonly ManagedFields[];
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly reason?: string;
  readonly note?: string;
  readonly reportingController?: string;
  /** Of an EndpointSlice. */
  readonly addressType?: string;
  /** null: none. */
  readonly endpoints?: readonly RawEndpoint[] | null;
};

export type RawEndpoint = {
  readonly addresses?: readonly string[];
  readonly conditions?: { readonly ready?: boolean };
  readonly targetRef?: { readonly name?: string; readonly uid?: string };
};

type Condition = { readonly type: string; readonly status: string };

export const toWatchedPod = (raw: RawObject): WatchedPod => ({
  namespace: raw.metadata.namespace ?? '',
  name: raw.metadata.name,
  uid: podUid(raw.metadata.uid),
  resourceVersion: raw.metadata.resourceVersion,
  labels: raw.metadata.labels ?? {},
  annotations: raw.metadata.annotations ?? {},
  phase: phaseOf(raw),
  ready: ((raw.status?.['conditions'] ?? []) as readonly Condition[]).some(
    (condition) => condition.type === 'Ready' && condition.status === 'True',
  ),
  deleting: raw.metadata.deletionTimestamp !== undefined,
  ...(raw.metadata.managedFields && { operatorOwns: ownedBy(raw, OPERATOR) }),
  ...(raw.status?.['containerStatuses'] !== undefined && { restarts: restartsOf(raw) }),
});

type ContainerStatus = { readonly restartCount?: number };

/** Of containers that run for as long as the pod does; pods of tests have no others. */
const restartsOf = ({ status }: RawObject): number =>
  ((status?.['containerStatuses'] ?? []) as readonly ContainerStatus[]).reduce(
    (sum, { restartCount = 0 }) => sum + restartCount,
    0,
  );

/** Keys of labels and annotations, spelled out a second time on purpose. */
export function toWatchedSlice({ metadata, addressType = '', endpoints }: RawObject): WatchedSlice {
  const written = { ...metadata.labels, ...metadata.annotations };
  const text = (key: string): string => written[key] ?? '';
  const { namespace = '', name, uid, resourceVersion } = metadata;
  return {
    namespace,
    name,
    uid,
    resourceVersion,
    family: addressType,
    service: text('kubernetes.io/service-name'),
    groupUid: text('leadergroup.dev/group-uid'),
    token: Number(text('leadergroup.dev/token')) || 0,
    fenced: text('leadergroup.dev/fenced'),
    endpoints: (endpoints ?? []).flatMap(({ addresses = [], targetRef }) =>
      addresses.map((address) => ({ address, podUid: targetRef?.uid ?? '', podName: targetRef?.name ?? '' })),
    ),
  };
}

function phaseOf(raw: RawObject): string {
  const phase = raw.status?.['phase'];
  return typeof phase === 'string' ? phase : 'Unknown';
}

/** Paths of the fields a manager owns, labels and annotations as `metadata.labels[key]`. */
const ownedBy = (raw: RawObject, manager: string): readonly string[] => [
  ...new Set(
    (raw.metadata.managedFields ?? [])
      .filter((entry) => entry.manager === manager)
      .flatMap((entry) => paths(entry.fieldsV1 ?? {}, '')),
  ),
];

const MAPS: readonly string[] = ['metadata.labels', 'metadata.annotations'];

const paths = (fields: FieldSet, parent: string): readonly string[] =>
  Object.entries(fields).flatMap(([key, below]) => {
    // "." is the container itself: of a map it only tells who wrote the first key.
    if (key === '.') return MAPS.includes(parent) ? [] : [parent];
    const name = key.startsWith('f:') ? key.slice(2) : key;
    const path =
      parent === '' ? name : MAPS.includes(parent) || name === key ? `${parent}[${name}]` : `${parent}.${name}`;
    if (Object.keys(below).length > 0) return paths(below, path);
    return MAPS.includes(path) ? [] : [path];
  });

/**
 * The field manager of the write between two states; null when the managed fields do not tell. Who sets a label or an
 * annotation owns it afterwards, which is exact; otherwise an entry that changed gives its manager away (its time has
 * full seconds only, so two writes of one second may look alike).
 */
export function writerOf(before: RawObject, after: RawObject): string | null {
  const owners = changedFields(before, after).flatMap((field) => managersOf(after, field));
  const changed = changedManagers(before, after);
  return only(owners) ?? only(owners.filter((owner) => changed.includes(owner))) ?? only(changed);
}

function only(names: readonly string[]): string | null {
  const [first, ...others] = new Set(names);
  return first !== undefined && others.length === 0 ? first : null;
}

function changedFields(before: RawObject, after: RawObject): readonly string[] {
  const [was, is] = [before.metadata, after.metadata];
  const present = (map: Readonly<Record<string, string>> | undefined, key: string): boolean => map?.[key] !== undefined;
  return [
    ...changedKeys(was.labels ?? {}, is.labels ?? {})
      .filter((key) => present(is.labels, key))
      .map((key) => `metadata.labels[${key}]`),
    ...changedKeys(was.annotations ?? {}, is.annotations ?? {})
      .filter((key) => present(is.annotations, key))
      .map((key) => `metadata.annotations[${key}]`),
  ];
}

const managersOf = (raw: RawObject, field: string): readonly string[] =>
  managers(raw).filter((manager) => ownedBy(raw, manager).includes(field));

const managers = (raw: RawObject): readonly string[] =>
  [...new Set((raw.metadata.managedFields ?? []).map((entry) => entry.manager ?? ''))].filter((name) => name !== '');

/** Managers with an entry that is new or other than before. */
function changedManagers(before: RawObject | undefined, after: RawObject): readonly string[] {
  const known = new Set((before?.metadata.managedFields ?? []).map((entry) => JSON.stringify(entry)));
  const changed = (after.metadata.managedFields ?? []).filter((entry) => !known.has(JSON.stringify(entry)));
  return [...new Set(changed.map((entry) => entry.manager ?? ''))].filter((name) => name !== '');
}

/** Who wrote an object that is no pod; a component that reports an event under our name counts as the operator. */
export function writersOf(before: RawObject | undefined, after: RawObject): readonly string[] {
  const reporter = after.reportingController ?? '';
  const reporters = reporter.startsWith(OPERATOR) ? [OPERATOR] : reporter === '' ? [] : [reporter];
  return [...new Set([...changedManagers(before, after), ...reporters])];
}
