/** What of the API server's warnings is logged. */
import { describe, expect, it } from 'vitest';
import { oncePerWarning } from '../../../../src/kubernetes/client/connect.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';
import { createFakeLog } from '../../../kit/fakes/log.ts';

function told() {
  const [log, clock] = [createFakeLog(), createFakeClock()];
  const tell = oncePerWarning(log, clock);
  const tellOf = (count: number, from = 0): void => {
    for (let at = from; at < from + count; at += 1)
      for (const verb of ['create', 'update']) tell({ verb, resource: 'endpointslices', warning: `policy ${at}` });
  };
  return { log, clock, tell, tellOf, warnings: () => log.lines.map(({ fields }) => fields['warning']) };
}

describe('a warning of the API server', () => {
  it('is not logged where it is of the deprecation of Endpoints, about which nobody can do anything', () => {
    const { log, tell } = told();
    const warning = 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice';
    tell({ verb: 'get', resource: 'endpoints', warning });
    expect(log.lines).toEqual([]);
  });

  it('is logged once each, however long it comes', async () => {
    const { log, clock, tellOf } = told();
    tellOf(1);
    await clock.advance(7_200_000);
    tellOf(1);
    expect(log.lines.map(({ fields }) => fields)).toEqual([{ request: 'create endpointslices', warning: 'policy 0' }]);
  });

  it('is logged among a hundred an hour at most, and comes with a later hour where those were others', async () => {
    const { clock, tellOf, warnings } = told();
    tellOf(150);
    expect(warnings()).toHaveLength(100);
    await clock.advance(3_599_999);
    tellOf(1, 200);
    expect(warnings()).toHaveLength(100);
    await clock.advance(1);
    tellOf(1, 200);
    tellOf(150);
    expect(warnings().slice(100)).toEqual([
      'policy 200',
      ...Array.from({ length: 50 }, (_, at) => `policy ${at + 100}`),
    ]);
  });

  it('is remembered with the thousand that were met last, and no more', async () => {
    const { clock, tellOf, warnings } = told();
    for (let from = 0; from <= 1000; from += 100) {
      tellOf(1);
      tellOf(100, from);
      await clock.advance(3_600_000);
    }
    expect(warnings()).toHaveLength(1100);
    tellOf(2);
    expect(warnings().slice(1100)).toEqual(['policy 1']);
  });
});
