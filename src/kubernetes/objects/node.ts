/** A node at the border. */
import { wallMs } from '../../api/clocks.ts';
import type { ClusterNode } from '../../api/pod.ts';
import { asObject, field, listField, type RawObject, textField } from '../../api/raw.ts';
import { texts, timeField } from './pod.ts';

/** null when it lacks name or resourceVersion. Never throws. */
export function projectNode(raw: unknown): ClusterNode | null {
  const object = asObject(raw) ?? {};
  const metadata = asObject(field(object, 'metadata')) ?? {};
  const name = textField(metadata, 'name');
  const resourceVersion = textField(metadata, 'resourceVersion');
  if (name === '' || resourceVersion === '') return null;
  const spec = asObject(field(object, 'spec')) ?? {};
  const status = asObject(field(object, 'status')) ?? {};
  const condition = readyOf(status);
  const ready = condition !== null && field(condition, 'status') === 'True';
  return {
    name,
    resourceVersion,
    createdMs: timeField(metadata, 'creationTimestamp') ?? wallMs(0),
    labels: texts(field(metadata, 'labels')),
    cordoned: field(spec, 'unschedulable') === true,
    ready,
    readyTransitionMs: condition === null ? null : timeField(condition, 'lastTransitionTime'),
    outOfService: isTainted(spec) && !ready,
  };
}

/** Set by hand where a machine is known to be off; one that is Ready is not, whatever somebody has set. */
const OUT_OF_SERVICE = 'node.kubernetes.io/out-of-service';

const isTainted = (spec: RawObject): boolean =>
  listField(spec, 'taints', asObject).some((taint) => field(taint, 'key') === OUT_OF_SERVICE);

const readyOf = (status: RawObject): RawObject | null =>
  listField(status, 'conditions', asObject).find((condition) => field(condition, 'type') === 'Ready') ?? null;
