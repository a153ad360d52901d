/** What an audit reads: pods in the order of their resourceVersions, and the groups that they belong to. */
import type { LabelSelector } from '../../api/leadergroup.ts';
import type { Pod } from '../../api/pod.ts';
import { asObject, field, listField, type RawObject, textField } from '../../api/raw.ts';
import { projectPod } from '../../kubernetes/objects/pod.ts';
import type { Group } from '../groups.ts';

export type AuditPod = Pick<
  Pod,
  'namespace' | 'name' | 'uid' | 'resourceVersion' | 'labels' | 'annotations' | 'phase' | 'ready' | 'deleting'
> & {
  /** Of those that a group may go by in place of Ready; absent: not known. */
  readonly conditions?: Pod['conditions'];
  /** Who wrote each label, by its key, as the managed fields say; absent: not known. */
  readonly labelsBy?: Readonly<Record<string, string>>;
};

/**
 * - `list`: everything that is there at this version. One that is not the first marks a gap.
 * - `found`: how a pod was when it was first heard of, though it was there before (a log begins in the middle).
 * - `passed`: nothing has happened up to this version (a bookmark).
 */
export type AuditEvent =
  | { readonly kind: 'list'; readonly resourceVersion: string; readonly pods: readonly AuditPod[] }
  | {
      readonly kind: 'added' | 'modified' | 'deleted' | 'found';
      readonly resourceVersion: string;
      readonly pod: AuditPod;
    }
  | { readonly kind: 'passed'; readonly resourceVersion: string };

export type AuditGroup = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly selector: LabelSelector;
  readonly labelKey: string;
  readonly leaderValue: string;
  /** By which condition a pod is fit to lead; absent: not known, and not judged. */
  readonly candidateCondition?: string;
};

/** A leader as the status of a group names it. */
export type NamedLeader = { readonly pod: string; readonly uid: string; readonly token: number };

export const keyOf = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string =>
  `${namespace}/${name}`;

export const podName = ({ name, uid }: { readonly name: string; readonly uid: string }): string =>
  `${name}(${uid.slice(0, 8)})`;

/** null: its spec cannot be acted on. */
export function auditGroup({ valid }: Group): AuditGroup | null {
  if (valid === null) return null;
  const { namespace, name, uid, spec } = valid;
  const { selector, label, candidateCondition } = spec;
  return { namespace, name, uid, selector, labelKey: label.key, leaderValue: label.leader, candidateCondition };
}

/** null: it is no pod. */
export function auditPod(raw: RawObject): AuditPod | null {
  const pod = projectPod(raw);
  return pod === null ? null : { ...pod, labelsBy: writersOf(raw) };
}

function writersOf(raw: RawObject): Readonly<Record<string, string>> {
  const entries = listField(asObject(field(raw, 'metadata')) ?? {}, 'managedFields', asObject);
  return Object.fromEntries(
    entries.flatMap((entry) => labelsOf(entry).map((key) => [key, textField(entry, 'manager')])),
  );
}

function labelsOf(entry: RawObject): readonly string[] {
  const within = (object: RawObject, name: string): RawObject => asObject(field(object, name)) ?? {};
  const labels = within(within(within(entry, 'fieldsV1'), 'f:metadata'), 'f:labels');
  return Object.keys(labels).map((key) => key.replace(/^f:/, ''));
}

/** resourceVersions are decimal numbers of any length. */
export function compareVersions(one: string, other: string): number {
  const [a, b] = [BigInt(one), BigInt(other)];
  return a < b ? -1 : a > b ? 1 : 0;
}

export const isVersion = (text: string): boolean => /^[0-9]{1,20}$/.test(text);
