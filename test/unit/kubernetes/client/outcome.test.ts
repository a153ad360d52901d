import { describe, expect, it } from 'vitest';
import type { Answer } from '../../../../src/kubernetes/client/answer.ts';
import { outcomeOf } from '../../../../src/kubernetes/client/outcome.ts';
import { projectPod } from '../../../../src/kubernetes/objects/pod.ts';
import { LEADER_GROUPS, PODS } from '../../../../src/kubernetes/objects/resources.ts';
import { rawPod } from '../../../kit/fakes/kubernetes/raw.ts';
import { aStatus } from '../../../kit/fakes/kubernetes/server.ts';

const written = {
  resource: PODS,
  name: 'a',
  uid: 'uid-a',
  project: projectPod,
  uidOf: (pod: { uid: string }) => pod.uid,
};

const answer = (status: number, body: unknown): Answer => ({ kind: 'answered', status, headers: {}, body });

const notFound = (details: Readonly<Record<string, unknown>>): unknown => aStatus(404, 'NotFound', { details });

/** As a real API server of version 1.36 answers a merge patch with another uid. */
const otherUid = aStatus(422, 'Invalid', {
  message: 'Pod "a" is invalid: metadata.uid: Invalid value: "other": field is immutable',
  details: { name: 'a', kind: 'Pod', causes: [{ reason: 'FieldValueInvalid', field: 'metadata.uid' }] },
});
/** The same for a JSON patch whose test failed. */
const testFailed = aStatus(422, 'Invalid', {
  message: 'the server rejected our request due to an error in our request',
  details: {},
});
const badLabel = aStatus(422, 'Invalid', {
  details: { name: 'a', kind: 'Pod', causes: [{ field: 'metadata.labels' }] },
});

describe('the outcome of a write', () => {
  it.each([
    ['done', 'the written object', answer(200, rawPod('a'))],
    ['unknown', 'an answer that is no object', answer(200, 'ok')],
    ['unknown', 'an answer about another object of the name', answer(200, rawPod('a', { uid: 'other' }))],
    ['gone', 'a NotFound that names the pod', answer(404, notFound({ name: 'a', kind: 'pods' }))],
    ['unknown', 'a NotFound that names another', answer(404, notFound({ name: 'b', kind: 'pods' }))],
    ['unknown', 'a NotFound about another kind', answer(404, notFound({ name: 'a', kind: 'namespaces' }))],
    [
      'unknown',
      'a NotFound about another group',
      answer(404, notFound({ name: 'a', kind: 'pods', group: 'metrics.k8s.io' })),
    ],
    ['unknown', 'a NotFound about nothing', answer(404, notFound({}))],
    ['unknown', 'a 404 of a proxy', answer(404, '404 page not found')],
    ['unknown', 'a 404 of some other service', answer(404, { name: 'a', kind: 'pods' })],
    ['unknown', 'a 410 that says NotFound', answer(410, notFound({ name: 'a', kind: 'pods' }))],
    ['conflict', 'another resourceVersion', answer(409, aStatus(409, 'Conflict'))],
    ['conflict', 'another uid', answer(422, otherUid)],
    ['refused', 'a failed test that was never sent', answer(422, testFailed)],
    ['refused', 'a label that is not allowed', answer(422, badLabel)],
    ['refused', 'a 422 of a proxy', answer(422, 'nope')],
    ['refused', 'a malformed patch', answer(400, aStatus(400, 'BadRequest'))],
    ['refused', 'credentials that are not accepted', answer(401, aStatus(401, 'Unauthorized'))],
    ['refused', 'a right that is missing', answer(403, aStatus(403, 'Forbidden'))],
    ['refused', 'a type that is not supported', answer(415, aStatus(415, 'UnsupportedMediaType'))],
    ['refused', 'a request that is too large', answer(413, '')],
    [
      'refused',
      'a webhook that says no',
      answer(400, aStatus(400, '', { message: 'admission webhook "x.y" denied the request: no' })),
    ],
    [
      'refused',
      'a webhook that says no in its own way',
      answer(503, aStatus(503, '', { message: 'admission webhook "x.y" denied the request: no' })),
    ],
    [
      'refused',
      'a webhook that says no like a conflict',
      answer(409, aStatus(409, '', { message: 'admission webhook "x.y" denied the request' })),
    ],
    [
      'unknown',
      'a webhook that does not answer',
      answer(500, aStatus(500, 'InternalError', { message: 'failed calling webhook "x.y"' })),
    ],
    ['unknown', 'a request that took too long', answer(408, '')],
    ['unknown', 'too many requests', answer(429, aStatus(429, 'TooManyRequests'))],
    ['unknown', 'a server error', answer(500, aStatus(500, 'InternalError'))],
    [
      'unknown',
      'a server that has no time, even one that says it did nothing',
      answer(503, aStatus(503, 'ServiceUnavailable')),
    ],
    ['unknown', 'a gateway that heard nothing', answer(504, aStatus(504, 'Timeout'))],
    ['unknown', 'a redirect', answer(302, '')],
  ])('is %s after %s', (kind, _, given) => {
    expect(outcomeOf(written, given).kind).toBe(kind);
  });

  it('is unknown without an answer', () => {
    const failed = { kind: 'failed', reason: 'cut', timedOut: false, cause: null } as const;
    expect(outcomeOf(written, failed)).toEqual({ kind: 'unknown', message: 'cut' });
  });

  it('is a conflict when a test was sent and failed, but not when the content was refused', () => {
    expect(outcomeOf({ ...written, tested: true }, answer(422, testFailed)).kind).toBe('conflict');
    expect(outcomeOf({ ...written, tested: true }, answer(422, badLabel)).kind).toBe('refused');
  });

  it('needs the group of the kind to be gone', () => {
    const details = { name: 'a', kind: 'leadergroups' };
    const group = { ...written, resource: LEADER_GROUPS };
    expect(outcomeOf(group, answer(404, notFound(details))).kind).toBe('unknown');
    expect(outcomeOf(group, answer(404, notFound({ ...details, group: 'leadergroup.dev' }))).kind).toBe('gone');
  });

  it("gives the server's words, on one line and not too many", () => {
    const outcome = outcomeOf(
      written,
      answer(422, aStatus(422, 'Invalid', { message: `a\n b ${'x'.repeat(10_000)}` })),
    );
    expect(outcome).toMatchObject({
      kind: 'refused',
      status: 422,
      message: expect.stringMatching(/^the API server answered 422: a b x+…$/),
    });
    expect(JSON.stringify(outcome).length).toBeLessThan(500);
  });
});
