/** docs/openapi.yaml says what the gate answers: every status and every body. */
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { byToken } from '../../../../src/http/gate/caller.ts';
import { refusal } from '../../../../src/http/gate/replies.ts';
import type { ClaimAnswer, ReportAnswer } from '../../../../src/ports/claims.ts';
import { aClaim } from '../../../kit/fakes/claims.ts';
import { aGate, GROUP, grant, leader, MEMBER, no, unknown } from '../../../kit/fakes/gate.ts';
import { podUid } from '../../../kit/fakes/ids.ts';

type Operation = {
  readonly responses: Readonly<Record<string, { readonly $ref?: string; readonly content?: unknown }>>;
};
type Document = {
  readonly paths: Readonly<Record<string, Partial<Readonly<Record<'get' | 'post' | 'put', Operation>>>>>;
  readonly components: object;
};

const document = parse(readFileSync(new URL('../../../../docs/openapi.yaml', import.meta.url), 'utf8')) as Document;
const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addSchema({ $id: 'openapi', ...document });

const PATHS = {
  member: '/v1/namespaces/{namespace}/leadergroups/{name}/members/{pod}',
  group: '/v1/namespaces/{namespace}/leadergroups/{name}',
  self: '/v1/self',
  release: '/v1/namespaces/{namespace}/leadergroups/{name}/members/{pod}/release',
  claims: '/v1/namespaces/{namespace}/leadergroups/{name}/members/{pod}/claims',
  done: '/v1/namespaces/{namespace}/leadergroups/{name}/members/{pod}/claims/done',
  renew: '/v1/namespaces/{namespace}/leadergroups/{name}/members/{pod}/claims/renew',
} as const;

const METHODS: Partial<Record<keyof typeof PATHS, 'post' | 'put'>> = {
  release: 'post',
  claims: 'post',
  done: 'put',
  renew: 'put',
};

const TICK = { series: 'daily-report', position: 10, id: '0'.repeat(32) };

/** What is wrong with the body for this path and status; null: it is as documented. */
function problem(path: keyof typeof PATHS, status: number, body: string, by?: 'get'): string | null {
  const method = by ?? METHODS[path] ?? 'get';
  const response = document.paths[PATHS[path]]?.[method]?.responses[String(status)];
  if (response === undefined) return `${PATHS[path]} documents no ${status}`;
  const at =
    response.$ref ??
    `#/paths/${PATHS[path].replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D')}/${method}/responses/${status}`;
  const schema = `openapi${at}/content/application~1json/schema`;
  return ajv.validate({ $ref: schema }, JSON.parse(body)) ? null : ajv.errorsText();
}

describe('the documented answer is given', () => {
  it.each([
    ['member', MEMBER, grant(4)],
    ['member', MEMBER, no(7)],
    ['member', MEMBER, no(null)],
    ['member', MEMBER, unknown],
    ['member', `${GROUP}/members/z`, grant(4)],
    ['member', `${MEMBER}?wait=x`, grant(4)],
    ['member', `${MEMBER}?uid=another`, grant(4)],
    ['member', MEMBER, { kind: 'revoking', leader: leader(4) }],
    ['member', MEMBER, { kind: 'released', leader: leader(4) }],
    ['group', GROUP, grant(4)],
    ['group', GROUP, no(7)],
    ['group', GROUP, no(null)],
    ['group', GROUP, unknown],
    ['group', GROUP.replace('notifier', 'none'), grant(4)],
    ['self', '/v1/self', grant(4)],
    ['self', '/v1/self', no(7)],
    ['self', '/v1/self', unknown],
    ['self', '/v1/self?wait=1s', grant(4)],
  ] as const)('%s: %s, %o', async (path, url, answer) => {
    const gate = aGate();
    gate.becomes({ answer });
    const asked = gate.ask(url);
    await gate.clock.advance(1100);
    const { status, body } = await asked;
    expect(problem(path, status, body)).toBeNull();
  });

  it.each([
    ['', '10.0.0.1', 200],
    ['?uid=uid-of-a&resign=perhaps', '10.0.0.1', 400],
    ['?uid=uid-of-a', '10.0.0.7', 403],
    ['?uid=another', '10.0.0.1', 404],
  ])('to a release: %s from %s', async (query, client, expected) => {
    const asking = { method: 'POST', client, headers: { 'leadergroup-client': 'A'.repeat(22) } } as const;
    const { status, body } = await aGate().ask(`${MEMBER}/release${query === '' ? '?uid=uid-of-a' : query}`, asking);
    expect([status, problem('release', status, body)]).toEqual([expected, null]);
  });

  it.each<[ClaimAnswer, number]>([
    [{ kind: 'claimed', claim: aClaim() }, 201],
    [{ kind: 'refused', reason: 'Passed', mark: aClaim() }, 409],
    [{ kind: 'refused', reason: 'Pending', mark: aClaim({ mode: 'AtLeastOnce' }) }, 409],
    [{ kind: 'notLeader', leader: leader(4, 'b') }, 409],
    [{ kind: 'sharedLock' }, 400],
    [{ kind: 'tooFast' }, 429],
    [{ kind: 'tooManySeries', of: 'group' }, 429],
    [{ kind: 'unknown', reason: 'no' }, 503],
  ])('to a claim: %o', async (answer, expected) => {
    const gate = aGate();
    gate.claims.answer = answer;
    const { status, body } = await gate.ask(`${MEMBER}/claims?uid=uid-of-a`, { method: 'POST', body: TICK });
    expect([status, problem('claims', status, body)]).toEqual([expected, null]);
  });

  it.each(['done', 'renew'] as const)('to a claim that is said to be %s', async (end) => {
    const gate = aGate();
    const answers: readonly ReportAnswer[] = [
      { kind: 'noted', claim: aClaim({ state: 'Done' }) },
      { kind: 'notYours', mark: aClaim() },
      { kind: 'notYours', mark: null },
      { kind: 'unknown', reason: 'no' },
    ];
    for (const answer of answers) {
      gate.claims.reportAnswer = answer;
      const { status, body } = await gate.ask(`${MEMBER}/claims/${end}?uid=uid-of-a`, { method: 'PUT', body: TICK });
      expect(problem(end, status, body)).toBeNull();
    }
  });

  it('to whom looks where a series stands', async () => {
    const gate = aGate();
    for (const mark of [aClaim(), null]) {
      gate.claims.markAnswer = { kind: 'mark', mark };
      const { status, body } = await gate.ask(`${MEMBER}/claims?uid=uid-of-a&series=daily-report`);
      expect([status, problem('claims', status, body, 'get')]).toEqual([200, null]);
    }
  });

  it('when too many wait, and when the caller is unknown', async () => {
    const gate = aGate();
    const gone = new AbortController();
    const many = Array.from({ length: 64 }, () =>
      gate.ask(`${MEMBER}?wait=9s&token=4`, { signal: gone.signal }).catch(() => null),
    );
    const { status, body } = await gate.ask(`${MEMBER}?wait=9s`);
    expect([status, problem('member', status, body)]).toEqual([429, null]);
    gone.abort();
    await Promise.all(many);
    const external = await gate.ask('/v1/self', { client: '1.2.3.4' });
    expect([external.status, problem('self', external.status, external.body)]).toEqual([404, null]);
  });

  it.each([
    ['member', MEMBER, {}, 401],
    ['member', MEMBER, { authorization: 'Bearer of-b' }, 403],
    ['self', '/v1/self', {}, 401],
    ['self', '/v1/self', { authorization: 'Bearer of-b' }, 404],
  ] as const)('where a token is asked for: %s %s %o', async (path, url, headers, expected) => {
    const uid = podUid('uid-of-b');
    const gate = aGate({
      identify: byToken(() => ({ kind: 'pod', pod: { namespace: 'default', name: 'b', uid }, untilMs: 0 })),
    });
    const { status, body } = await gate.ask(url, { headers });
    expect([status, problem(path, status, body)]).toEqual([expected, null]);
  });

  it('when another replica owns the group and cannot be reached', async () => {
    const gate = aGate();
    gate.becomes({ answerer: { kind: 'other', id: 'b', url: 'http://b' } });
    const asked = gate.ask(MEMBER);
    await gate.clock.advance(1100);
    const { status, body } = await asked;
    expect([status, problem('member', status, body)]).toEqual([503, null]);
  });
});

it('a body that is not as documented is noticed', () => {
  const { body } = refusal('NotKnown', 'x');
  expect(problem('member', 200, body)).toContain('leader');
  expect(problem('member', 418, body)).toContain('418');
});
