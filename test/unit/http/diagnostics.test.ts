/** The diagnostic port: who is answered, with what, and who is not. */
import { get, request } from 'node:http';
import { networkInterfaces } from 'node:os';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import type { Supposition } from '../../../src/api/diagnostics.ts';
import type { GroupName } from '../../../src/api/leadergroup.ts';
import { explain } from '../../../src/election/explain.ts';
import { serveDiagnostics } from '../../../src/http/diagnostics.ts';
import type { Diagnostics } from '../../../src/ports/diagnostics.ts';
import { anObservation } from '../../kit/fakes/builders-election.ts';
import { createFakeLog } from '../../kit/fakes/log.ts';
import { freePort } from '../../kit/rig/ports.ts';

const open: AsyncDisposable[] = [];

afterEach(async () => {
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
});

const SELF = { replica: 'operator-a' } as ReturnType<Diagnostics['self']>;

/** It owns `mail/notifier`, another replica `shop/cart`, and there is no other group. */
function aReplica() {
  const asked: (readonly [GroupName, Supposition | null])[] = [];
  const diagnostics: Diagnostics = {
    self: () => SELF,
    explain: (group, what) => {
      asked.push([group, what]);
      if (group.name === 'cart')
        return {
          kind: 'notOwner',
          answer: { error: 'notOwner', replica: 'operator-a', owner: { replica: 'operator-b', pod: null } },
        };
      if (group.name !== 'notifier') return { kind: 'unknown', why: 'this replica sees no such LeaderGroup' };
      return {
        kind: 'explained',
        explanation: { replica: 'operator-a', version: '1.2.3', ...explain(anObservation(), what) },
      };
    },
  };
  return { diagnostics, asked };
}

async function start() {
  const { diagnostics, asked } = aReplica();
  const port = await freePort();
  const log = createFakeLog();
  open.push(await serveDiagnostics(diagnostics, port, log));
  const ask = async (path: string, { method = 'GET', host = 'localhost' } = {}) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers: { host } }).end();
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number | undefined; body: string }>();
    sent.once('error', reject);
    sent.once(
      'response',
      (response) => void text(response).then((body) => resolve({ status: response.statusCode, body })),
    );
    return await promise;
  };
  return { ask, asked, log, port, diagnostics };
}

const EXPLAIN = '/v1/groups/mail/notifier/explain';

describe('the diagnostic port', () => {
  it('answers what the replica tells of itself, and of a group that it owns', async () => {
    const { ask, asked } = await start();
    expect(JSON.parse((await ask('/v1/self')).body)).toEqual(SELF);
    expect(JSON.parse((await ask(`${EXPLAIN}?if=delete:a`)).body)).toMatchObject({
      leader: 'a',
      supposed: { what: 'delete:a', foreseen: { outcome: 'moves', next: 'b' } },
    });
    expect(asked).toEqual([
      [
        { namespace: 'mail', name: 'notifier' },
        { kind: 'delete', pod: 'a' },
      ],
    ]);
  });

  it('answers 421 with the owner for a group of another replica, and 404 where there is no such group', async () => {
    const { ask } = await start();
    const other = await ask('/v1/groups/shop/cart/explain');
    expect([other.status, JSON.parse(other.body)]).toEqual([
      421,
      expect.objectContaining({ owner: { replica: 'operator-b', pod: null } }),
    ]);
    expect((await ask('/v1/groups/shop/absent/explain')).status).toBe(404);
  });

  it.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example:8081', '10.0.0.1:8081'])(
    'answers nobody who does not call it localhost: %s',
    async (host) => {
      const { ask, asked } = await start();
      expect((await ask(EXPLAIN, { host })).status).toBe(403);
      expect(asked).toEqual([]);
    },
  );

  it.each(['localhost', 'localhost:18081', '127.0.0.1:8081', '[::1]:8081'])(
    'answers whoever calls it %s',
    async (host) => {
      expect((await (await start()).ask('/v1/self', { host })).status).toBe(200);
    },
  );

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('does not take %s', async (method) => {
    const { ask, asked } = await start();
    expect([(await ask(EXPLAIN, { method })).status, asked]).toEqual([405, []]);
  });

  it.each([
    ['another path', '/metrics', 404],
    ['no verb', '/v1/groups/mail/notifier', 404],
    ['another verb', '/v1/groups/mail/notifier/drain', 404],
    ['more path', `${EXPLAIN}/more`, 404],
    ['a name that none can have', '/v1/groups/mail/..%2f..%2fself/explain', 404],
    ['a name that is too long', `/v1/groups/mail/${'n'.repeat(254)}/explain`, 404],
    ['a path that is too long', `/v1/groups/mail/${'n'.repeat(9000)}/explain`, 431],
    ['an odd supposition', `${EXPLAIN}?if=reboot:node-a`, 400],
    ['one without a name', `${EXPLAIN}?if=drain:`, 400],
    ['one with a name that none can have', `${EXPLAIN}?if=delete:..%2f`, 400],
  ])('refuses %s, and asks the operator nothing', async (_, path, status) => {
    const { ask, asked } = await start();
    expect([(await ask(path)).status, asked]).toEqual([status, []]);
  });

  it('answers fifty questions in a second, and says to whoever has more to come again', async () => {
    const { ask, asked } = await start();
    const statuses = await Promise.all(Array.from({ length: 60 }, async () => (await ask(EXPLAIN)).status));
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    expect(asked.length).toBeLessThanOrEqual(100);
  });

  it('listens on loopback alone', async () => {
    const { port } = await start();
    const outside = Object.values(networkInterfaces())
      .flatMap((each) => each ?? [])
      .find(({ internal, family }) => !internal && family === 'IPv4');
    const refused = new Promise((resolve) => {
      get({ host: outside?.address ?? '127.0.0.2', port, path: '/v1/self' }, () => resolve('answered')).once(
        'error',
        () => resolve('refused'),
      );
    });
    expect(await refused).toBe('refused');
  });

  it('is done without where its port is taken, or 0', async () => {
    const { port, diagnostics } = await start();
    const log = createFakeLog();
    open.push(await serveDiagnostics(diagnostics, port, log), await serveDiagnostics(diagnostics, 0, log));
    expect(log.lines).toEqual([
      expect.objectContaining({
        level: 'warn',
        fields: { error: expect.stringMatching(/in use.*set diagnostics\.port or LEADERGROUP_DIAGNOSTICS_PORT/) },
      }),
    ]);
  });
});
