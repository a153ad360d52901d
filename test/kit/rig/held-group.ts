/** A group that is being deleted, and that no operator can let go. */
import { expect, vi } from 'vitest';
import { FINALIZER } from '../../../src/api/names.ts';
import type { Harness } from './harness.ts';
import { MERGE_PATCH } from './rest.ts';
import { applyAll } from './workloads.ts';

export type HeldGroup = { readonly namespace: string; release(): Promise<void> };

const POLICY = 'finalizers-stay';
/** Policies are compiled by the API server some time after they are made. */
const SETTLED = { timeout: 30_000, interval: 250 };

/** With an operator that runs: its finalizer is on the group. A policy keeps it there until `release`. */
export async function holdDeletedGroup(h: Harness, name: string): Promise<HeldGroup> {
  const namespace = await h.world.namespace('held');
  await h.group(namespace, name);
  await h.led(namespace, name);
  await applyAll(h, namespace, [policy, binding(namespace)]);
  const path = `/apis/leadergroup.dev/v1alpha1/namespaces/${namespace}/leadergroups/${name}?dryRun=All`;
  const taken = () => h.world.rest.send('PATCH', path, { metadata: { finalizers: [] } }, MERGE_PATCH);
  await vi.waitFor(async () => expect((await taken()).status).toBe(422), SETTLED);
  await h.world.deleteGroup(namespace, name);
  return {
    namespace,
    release: async () => {
      await h.kubectl.must([
        'delete',
        `validatingadmissionpolicybinding/${POLICY}`,
        `validatingadmissionpolicy/${POLICY}`,
      ]);
    },
  };
}

const apiVersion = 'admissionregistration.k8s.io/v1';

const policy = {
  apiVersion,
  kind: 'ValidatingAdmissionPolicy',
  metadata: { name: POLICY },
  spec: {
    matchConstraints: {
      resourceRules: [
        { apiGroups: ['leadergroup.dev'], apiVersions: ['*'], operations: ['UPDATE'], resources: ['leadergroups'] },
      ],
    },
    validations: [{ expression: `'${FINALIZER}' in object.metadata.?finalizers.orValue([])` }],
  },
};

const binding = (namespace: string) => ({
  apiVersion,
  kind: 'ValidatingAdmissionPolicyBinding',
  metadata: { name: POLICY },
  spec: {
    policyName: POLICY,
    validationActions: ['Deny'],
    matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } },
  },
});
