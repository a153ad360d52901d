/** A node at the border. */
import type { ClusterNode } from '../../api/pod.ts';
import { asObject, field, textField } from '../../api/raw.ts';

/** null when it lacks name or resourceVersion. Never throws. */
export function projectNode(raw: unknown): ClusterNode | null {
  const object = asObject(raw) ?? {};
  const metadata = asObject(field(object, 'metadata')) ?? {};
  const name = textField(metadata, 'name');
  const resourceVersion = textField(metadata, 'resourceVersion');
  if (name === '' || resourceVersion === '') return null;
  const spec = asObject(field(object, 'spec')) ?? {};
  return { name, resourceVersion, cordoned: field(spec, 'unschedulable') === true };
}
