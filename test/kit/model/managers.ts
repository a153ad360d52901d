/** metadata.managedFields as far as the operator reads them: a label that was taken off is nobody's. */
import type { Pod } from '../../../src/api/pod.ts';
import type { LabelManagers } from '../../../src/ports/kubernetes.ts';

/** All others are one manager, and whoever made the pod did so before any test began. */
export function managersOf(pod: Pod | null, label: string, other: string): LabelManagers | null {
  if (pod === null) return null;
  const last = { manager: 'kube-controller-manager', time: '2020-01-01T00:00:00Z' };
  return { owner: pod.labels[label] === undefined ? null : { manager: other, time: '2026-11-28T00:00:00Z' }, last };
}
