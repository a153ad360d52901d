import { describe, expect, it } from 'vitest';
import { labelManagersOf } from '../../../../src/kubernetes/client/label-manager.ts';

const KEY = 'leadergroup.dev/role';

const entry = (manager: string, time: string, label?: string, subresource?: string) => ({
  manager,
  time,
  operation: 'Update',
  ...(subresource === undefined ? {} : { subresource }),
  fieldsV1: { 'f:metadata': { 'f:labels': label === undefined ? {} : { [`f:${label}`]: {} } } },
});

const of = (...managedFields: readonly unknown[]) => labelManagersOf(KEY)({ metadata: { name: 'a', managedFields } });

describe('who else writes the label of a pod', () => {
  it('is the other manager that has it, also when another has written the pod since', () => {
    expect(of(entry('argocd', '2026-01-01T00:00:00Z', KEY), entry('kubectl', '2026-01-02T00:00:00Z'))).toEqual({
      owner: { manager: 'argocd', time: '2026-01-01T00:00:00Z' },
      last: { manager: 'kubectl', time: '2026-01-02T00:00:00Z' },
    });
  });

  it('is nobody who has only another label, the status, or is the operator itself', () => {
    const others = [
      entry('kubectl', '2026-01-01T00:00:00Z', 'app'),
      entry('kubelet', '2026-01-02T00:00:00Z', undefined, 'status'),
      entry('leadergroup', '2026-01-03T00:00:00Z', KEY),
    ];
    expect(of(...others)).toEqual({ owner: null, last: { manager: 'kubectl', time: '2026-01-01T00:00:00Z' } });
  });

  it.each([
    ['no list', undefined],
    ['no entries', []],
    ['nonsense', [null, 7, 'x', {}]],
  ])('is nobody with %s', (_what, fields) => {
    expect(labelManagersOf(KEY)({ metadata: { managedFields: fields } })?.owner).toBe(null);
  });
});
