/** Claims that somebody made up: nothing fails inside, only what is whole and the pod's own is counted, and who is refused is told why. */
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { MAX_SERIES_LENGTH } from '../../src/api/claim.ts';
import { aClaim } from '../kit/fakes/claims.ts';
import { aGate, GROUP, MEMBER, said } from '../kit/fakes/gate.ts';
import { trying } from '../kit/model/seed.ts';

const RUNS = trying(400);
const ID = '0123456789abcdef0123456789abcdef';

const series = fc.oneof(
  fc.constantFrom('daily-report', 'a//b', '../x', 'ü', '', 'a\u0000b', '\ud800', 'x'.repeat(200), 'x'.repeat(201)),
  fc.string({ unit: 'binary' }),
  fc.jsonValue(),
);
const position = fc.oneof(
  fc.nat(),
  fc.constantFrom(0, -1, 1.5, 2 ** 53 - 1, 2 ** 53, '7', null, true, Number.MAX_VALUE),
  fc.jsonValue(),
);
const id = fc.oneof(
  fc.constantFrom(ID, ID.toUpperCase(), ID.slice(1), `${ID}${ID}`, `${ID}${ID}0`, '', 7),
  fc.string(),
);
const fields = fc.record(
  {
    series: fc.oneof({ weight: 2, arbitrary: fc.constant('daily-report') }, { weight: 1, arbitrary: series }),
    position: fc.oneof({ weight: 2, arbitrary: fc.nat() }, { weight: 1, arbitrary: position }),
    id: fc.oneof({ weight: 2, arbitrary: fc.constant(ID) }, { weight: 1, arbitrary: id }),
    mode: fc.constantFrom(undefined, 'AtMostOnce', 'AtLeastOnce', 'atleastonce', null, 1),
    retryAfterSeconds: fc.constantFrom(undefined, undefined, 1, 300, 86_400, 86_401, 0, -1, 1.5, '1', null),
    more: fc.constantFrom(undefined, undefined, undefined, 1),
  },
  { requiredKeys: ['series', 'position', 'id'] },
);
const body = fc.oneof(
  { weight: 6, arbitrary: fields },
  { weight: 1, arbitrary: fc.jsonValue() },
  {
    weight: 1,
    arbitrary: fc.constantFrom<unknown>(
      null,
      [],
      {},
      [{ series: 'daily-report', position: 1, id: ID }],
      JSON.parse(`{"__proto__":{"series":"x"},"series":"x","position":1,"id":"${ID}"}`),
    ),
  },
);

const method = fc.constantFrom('GET', 'POST', 'POST', 'POST', 'PUT');
const path = fc.oneof(
  { weight: 5, arbitrary: fc.constant(`${MEMBER}/claims`) },
  { weight: 2, arbitrary: fc.constantFrom(`${MEMBER}/claims/done`, `${MEMBER}/claims/renew`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      `${GROUP}/claims`,
      `${MEMBER}/claims/`,
      `${MEMBER}/claims/claims`,
      `${MEMBER}/claims/release`,
      `${MEMBER}/claims/done/done`,
      '/v1/self/claims',
      '/v1/claims',
      `${GROUP}/members/b/claims`,
      `${GROUP}/members/%61/claims`,
      `${GROUP}/members/%zz/claims`,
    ),
  },
);
const search = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.constantFrom('?uid=uid-of-a', '?uid=uid-of-a&wait=1s', '?uid=uid-of-a&series=daily-report'),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '',
      '?uid=',
      '?uid=uid-of-b',
      '?uid=uid-of-a&uid=uid-of-a',
      '?uid=uid-of-a&wait=9999999s',
      '?uid=uid-of-a&wait=1s&token=4',
      '?uid=uid-of-a&series=daily-report&series=x',
      '?uid=uid-of-a&series=',
      '?uid=uid-of-a&more=1',
    ),
  },
  { weight: 1, arbitrary: fc.webQueryParameters().map((query) => `?${query}`) },
);

const asked = fc.record({ method, path, search, body, client: fc.constantFrom('10.0.0.1', '10.0.0.1', '10.0.0.2') });

it('a claim, a report or a look is answered in JSON, and only a whole one of the pod itself is counted', async () => {
  await fc.assert(
    fc.asyncProperty(asked, async ({ method, path, search, body, client }) => {
      const gate = aGate();
      gate.claims.answer = { kind: 'claimed', claim: aClaim() };
      gate.claims.reportAnswer = { kind: 'noted', claim: aClaim() };
      gate.claims.markAnswer = { kind: 'mark', mark: null };
      const asking = { method, client, body: method === 'GET' ? null : body } as const;
      const [status, answer] = said(await gate.ask(path + search, asking));
      expect([200, 201, 400, 403, 404, 409, 503]).toContain(status);
      if (status >= 400 && status !== 409)
        expect([answer['reason'], answer['message']]).toEqual([expect.any(String), expect.any(String)]);
      const counted = [
        ...gate.claims.asked.map(({ pod, asked: { mode, retryAfterMs, ...known } }) => {
          expect(['AtMostOnce', 'AtLeastOnce']).toContain(mode);
          expect(retryAfterMs >= 1000 && retryAfterMs <= 86_400_000).toBe(true);
          return { pod, known };
        }),
        ...gate.claims.reports.map(({ pod, report: { series, position, id } }) => ({
          pod,
          known: { series, position, id },
        })),
      ];
      expect(counted.length).toBe(
        status === 201 || (status === 200 && path.includes('/claims') && method === 'PUT') ? 1 : 0,
      );
      for (const { pod, known } of counted) {
        expect([client, pod.uid]).toEqual(['10.0.0.1', 'uid-of-a']);
        expect(known).toEqual({ ...pick(body), id: expect.stringMatching(/^[\w-]{43}$/) });
        expect(
          known.series.length > 0 && known.series.length <= MAX_SERIES_LENGTH && !/\p{Cc}|\p{Cs}/u.test(known.series),
        ).toBe(true);
        expect(Number.isSafeInteger(known.position) && known.position >= 0).toBe(true);
      }
    }),
    RUNS,
  );
});

function pick(body: unknown): { readonly series: unknown; readonly position: unknown } {
  const { series, position } = body as { readonly series: unknown; readonly position: unknown };
  return { series, position };
}
