import { describe, expect, it } from 'vitest';
import type { Answer } from '../../../../src/kubernetes/client/answer.ts';
import { adviceOnRight, isMissingRight } from '../../../../src/kubernetes/client/rights.ts';
import { ENDPOINT_SLICES, LEADER_GROUPS, PODS } from '../../../../src/kubernetes/objects/resources.ts';
import { aStatus } from '../../../kit/fakes/kubernetes/server.ts';

const refused = (status: number, message: string): Answer => ({
  kind: 'answered',
  status,
  headers: {},
  body: aStatus(status, 'Forbidden', { message }),
});

describe('a missing right', () => {
  it.each([
    [{ verb: 'patch', resource: PODS }, 'the right to patch pods (deploy/ has the rules)'],
    [
      { verb: 'patch', resource: LEADER_GROUPS, subresource: 'status' },
      'the right to patch leadergroups.leadergroup.dev/status (deploy/ has the rules)',
    ],
    [
      { verb: 'create', resource: PODS, subresource: 'eviction' },
      'the right to create pods/eviction (deploy/overlays/route has the rules)',
    ],
    [
      { verb: 'update', resource: ENDPOINT_SLICES },
      'the right to update endpointslices.discovery.k8s.io (deploy/overlays/route has the rules)',
    ],
  ] as const)('is named, with where it is to be had: %j', (right, words) => {
    expect(adviceOnRight(right)).toBe(`; give the operator's account ${words}`);
  });

  it.each([
    ['RBAC', 'pods "a" is forbidden: User "x" cannot patch resource "pods" in API group "" in the namespace "b"', true],
    ['RBAC, of a subresource', 'x is forbidden: User "x" cannot create resource "pods/eviction" in API group ""', true],
    ['an admission policy', 'pods "a" is forbidden: ValidatingAdmissionPolicy \'p\' denied request: no', false],
    ['a quota', 'pods "a" is forbidden: exceeded quota: brake', false],
  ])('is what a refusal by %s is about, or is not', (_, message, expected) => {
    expect(isMissingRight(refused(403, message))).toBe(expected);
  });

  it('is not what a refusal with another code is about', () => {
    expect(isMissingRight(refused(409, 'User "x" cannot patch resource "pods"'))).toBe(false);
  });
});
