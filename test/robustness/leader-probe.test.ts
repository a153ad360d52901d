/** Leader probes that somebody made up: refused early with a sentence that names the field, or what is asked is the pod itself. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseLeaderGroup } from '../../src/api/parse.ts';
import { anything, bent } from '../kit/fakes/adversarial/values.ts';
import { A_GATE_PROBE, AN_HTTP_PROBE, aGroup } from '../kit/fakes/builders.ts';
import { trying } from '../kit/model/seed.ts';
import { rawGroup } from '../kit/simulation/render.ts';

const RUNS = trying(1500);
const RAW = rawGroup(aGroup({})) as { readonly spec: object };
const probeOf = (raw: unknown): unknown =>
  (raw as { readonly spec: { readonly leaderProbe: unknown } }).spec.leaderProbe;
const GATE = probeOf(rawGroup(aGroup({ spec: { leaderProbe: A_GATE_PROBE } })));
const HTTP = probeOf(rawGroup(aGroup({ spec: { leaderProbe: AN_HTTP_PROBE } }))) as { readonly httpGet: object };
const ADDRESS = 'http://10.0.0.7:8080';

const parsed = (leaderProbe: unknown) => parseLeaderGroup({ ...RAW, spec: { ...RAW.spec, leaderProbe } });

const paths = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }).map((text) => `/${text}`),
  fc.webPath(),
  fc.webUrl({ withFragments: true, withQueryParameters: true }),
  fc.constantFrom(
    '//elsewhere/x',
    '/a//b',
    '/\\elsewhere',
    'http://elsewhere/',
    '/x HTTP/1.1\r\nHost: elsewhere\r\n\r\nGET /',
    '/\u0000',
    '/\u007f',
    '/ä',
    '/../../x',
    '/@elsewhere',
    '/?a=//b',
    '/#//x',
    '*',
    '',
    `/${'a'.repeat(1023)}`,
    `/${'a'.repeat(1024)}`,
  ),
);
const numbers = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, 1, 99, 100, 60_000, 60_001, '1000', null));
const probes = fc.oneof(
  bent(GATE),
  bent(HTTP),
  anything,
  paths.map((path) => ({ ...HTTP, httpGet: { ...HTTP.httpGet, path } })),
  fc.tuple(numbers, numbers, numbers).map(([periodMilliseconds, timeoutMilliseconds, failureThreshold]) => ({
    ...HTTP,
    periodMilliseconds,
    timeoutMilliseconds,
    failureThreshold,
  })),
  fc.constantFrom({ gate: {}, httpGet: HTTP.httpGet }, { gate: { path: '/' } }, { tcpSocket: { port: 1 } }, {}, []),
);

describe('a leader probe', () => {
  it('is refused with a sentence that names it, or holds what it may hold', () => {
    const met = { refused: 0, taken: 0 };
    fc.assert(
      fc.property(probes, (leaderProbe) => {
        const result = parsed(leaderProbe);
        if (result?.kind !== 'valid') {
          met.refused += 1;
          expect(result?.kind).toBe('invalid');
          const problems = result?.kind === 'invalid' ? result.group.problems : [];
          expect(problems.filter((problem) => !problem.includes('leaderProbe'))).toEqual([]);
          expect(problems.every((problem) => problem.length > 20 && problem.length < 1000)).toBe(true);
          return;
        }
        met.taken += 1;
        const probe = result.group.spec.leaderProbe;
        if (probe === null) return;
        const { periodMs, failureThreshold, by } = probe;
        expect([periodMs >= 100, periodMs <= 60_000, failureThreshold >= 1, failureThreshold <= 10]).not.toContain(
          false,
        );
        if (by.kind === 'gate') return;
        expect([
          by.timeoutMs >= 1,
          by.timeoutMs <= periodMs * failureThreshold,
          by.port >= 1,
          by.port <= 65_535,
        ]).not.toContain(false);
        expect(by.path).toMatch(/^\/[!-~]{0,1023}$/);
        expect(by.path).not.toMatch(/\/\/|\\/);
      }),
      RUNS,
    );
    expect([met.refused > 100, met.taken > 100]).toEqual([true, true]);
  });

  it('asks at the pod’s own address whatever its path is', () => {
    fc.assert(
      fc.property(paths, (path) => {
        const result = parsed({ ...HTTP, httpGet: { ...HTTP.httpGet, path } });
        if (result?.kind !== 'valid' || result.group.spec.leaderProbe?.by.kind !== 'httpGet') return;
        const url = new URL(result.group.spec.leaderProbe.by.path, ADDRESS);
        expect(url.origin).toBe(ADDRESS);
      }),
      RUNS,
    );
  });
});
