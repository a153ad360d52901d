/** Whatever is sent to the HTTP port: it is answered or the connection ends, and the next question is answered as ever. */
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { byAddress, byToken } from '../../src/http/gate/caller.ts';
import { replicasRoute } from '../../src/http/replicas.ts';
import type { Route } from '../../src/http/router.ts';
import { createServer } from '../../src/http/server.ts';
import { aGate, GROUP, MEMBER } from '../kit/fakes/gate.ts';
import { trying } from '../kit/model/seed.ts';

const RUNS = trying(150);
/** Sent slowly or not at all, a request is waited for: the test ends the connection itself then. */
const PATIENCE_MS = 40;

const methods = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE', 'get', '');
const paths = fc.oneof(
  fc.constantFrom('/livez', '/readyz', '/metrics', '/replicas', '/', '*', 'http://elsewhere/livez', '//livez'),
  fc.webPath(),
  fc
    .tuple(
      fc.constantFrom(
        '/v1/',
        '/v1/self',
        `${MEMBER}/release`,
        `${MEMBER}/release?uid=uid-of-a`,
        `${MEMBER}/claims`,
        `${MEMBER}/claims?uid=uid-of-a`,
        `${MEMBER}/claims/done?uid=uid-of-a`,
        GROUP,
        MEMBER,
        `${GROUP}/members/`,
        `${GROUP}//members/a`,
      ),
      fc.oneof(
        fc.constantFrom('', '?wait=1ms', '?wait=1ms&token=4', '?wait=9999999s', '?token=', '?wait=1s&wait=2s'),
        fc.webQueryParameters().map((query) => `?${query}`),
      ),
    )
    .map(([path, query]) => path + query),
  fc.string().map((path) => `/${path}`),
  fc.constantFrom(
    `/${'a'.repeat(7000)}`,
    `/${'a'.repeat(9000)}`,
    '/%',
    '/%00',
    '/%ff%fe',
    '/../../etc/passwd',
    '/livez?a=%zz',
    '/livez#x',
  ),
);
const versions = fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/9', 'HTTPS', '');
const headers = fc.array(
  fc.oneof(
    fc.constantFrom(
      'Host: x',
      'Host: x\r\nHost: y',
      'Content-Length: 5',
      'Content-Length: -1',
      'Content-Length: 5\r\nTransfer-Encoding: chunked',
      'Transfer-Encoding: chunked',
      'Upgrade: websocket\r\nConnection: Upgrade',
      'Expect: 100-continue',
      'Expect: the unexpected',
      'Connection: close',
      'Authorization: Bearer eyJhbGciOiJub25lIn0.e30.',
      'Authorization: Bearer',
      'LeaderGroup-Forwarded: b',
      'LeaderGroup-Forwarded: c\r\nLeaderGroup-Statement: W10.AAAA',
      `LeaderGroup-Statement: ${'A'.repeat(900)}.${'A'.repeat(86)}`,
      'LeaderGroup-Client: short',
      `LeaderGroup-Client: ${'A'.repeat(22)}`,
      'Content-Type: application/json\r\nContent-Length: 2',
      `X-Long: ${'y'.repeat(9000)}`,
      ' folded: line',
      'no colon',
      'Accept: \u0000',
    ),
    fc.string(),
  ),
  { maxLength: 4 },
);
const requests = fc.oneof(
  fc
    .tuple(methods, paths, versions, headers, fc.string())
    .map(([method, path, version, lines, body]) =>
      [`${method} ${path} ${version}`, 'Host: localhost', ...lines, '', body].join('\r\n'),
    ),
  fc.string(),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  fc.constantFrom(
    'GET /livez HTTP/1.1\r\n',
    'GET',
    '\r\n\r\n\r\n',
    '\u0016\u0003\u0001\u0002\u0000\u0001',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ),
);

async function answerTo(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  const impatience = setTimeout(() => socket.destroy(), PATIENCE_MS);
  socket.write(bytes, 'latin1');
  const all = await text(socket).catch(() => '');
  clearTimeout(impatience);
  return all;
}

const TAKES_BODIES: Route = {
  path: '/v1/release',
  methods: ['POST'],
  handle: ({ body }) => ({ status: 200, contentType: 'application/json', body: JSON.stringify({ body }) }),
};

it.each([
  ['address', byAddress],
  ['token', byToken(() => ({ kind: 'bad', why: 'it is no token' }))],
])(
  'where pods are known by %s: a request is answered in HTTP or not at all, never fails inside, and hurts no other',
  {
    timeout: 120_000,
  },
  async (_, identify) => {
    const failures: string[] = [];
    const log = {
      debug: () => {},
      info: () => {},
      warn: () => {},
      error: (_: unknown, what: string) => failures.push(what),
    };
    const server = createServer({
      address: { host: '127.0.0.1', port: 0 },
      health: { live: [], ready: [] },
      metrics: { contentType: 'text/plain', render: async () => 'up 1\n' },
      routes: [replicasRoute(() => ({ self: 'a' })), TAKES_BODIES, ...aGate({ identify }).routes],
      log,
    });
    const { port } = await server.listen();
    try {
      await fc.assert(
        fc.asyncProperty(requests, async (request) => {
          const answer = await answerTo(port, request);
          if (answer !== '')
            expect(answer).toMatch(
              /^HTTP\/1\.1 (100|200|400|401|403|404|405|408|413|415|409|417|429|431|501|503|505) /,
            );
          const after = await fetch(`http://127.0.0.1:${port}/livez`);
          expect([after.status, await after.text()]).toEqual([200, 'live\n']);
          expect(failures).toEqual([]);
        }),
        RUNS,
      );
    } finally {
      await server.close();
    }
  },
);
