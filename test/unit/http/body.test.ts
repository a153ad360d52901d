/** The body of a POST, over real sockets. */
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import { MAX_BODY_BYTES } from '../../../src/http/body.ts';
import { createServer } from '../../../src/http/server.ts';
import { createFakeLog } from '../../kit/fakes/log.ts';

const releases: (() => unknown)[] = [];

afterEach(async () => {
  for (const release of releases.splice(0).toReversed()) await release();
});

const JSON_TYPE = { 'content-type': 'application/json' };

async function aServer() {
  const bodies: unknown[] = [];
  const server = createServer({
    address: { host: '127.0.0.1', port: 0 },
    health: { live: [], ready: [] },
    metrics: { contentType: 'text/plain', render: async () => '' },
    log: createFakeLog(),
    routes: [
      {
        path: '/v1/',
        methods: ['POST'],
        handle: ({ body }) => {
          bodies.push(body);
          return { status: 200, contentType: 'application/json', body: '{}\n' };
        },
      },
    ],
  });
  releases.push(() => server.close());
  const { port } = await server.listen();
  const post = async (init: RequestInit) => {
    const response = await fetch(`http://127.0.0.1:${port}/v1/a`, { method: 'POST', ...init });
    return { status: response.status, ...((await response.json()) as object) };
  };
  return { port, bodies, post };
}

it.each([
  ['an object', { body: '{"a":[1]}', headers: JSON_TYPE }, { a: [1] }],
  ['with a charset', { body: '"é"', headers: { 'content-type': 'Application/JSON; charset=utf-8' } }, 'é'],
  ['none', {}, null],
])('is given to the route, parsed: %s', async (_, init, expected) => {
  const { bodies, post } = await aServer();
  expect((await post(init)).status).toBe(200);
  expect(bodies).toEqual([expected]);
});

it.each([
  ['of another type', { body: '{}', headers: { 'content-type': 'text/plain' } }, 415, 'WrongMediaType'],
  ['without a type', { body: new Uint8Array([123, 125]) }, 415, 'WrongMediaType'],
  [
    'that is a word longer than allowed',
    { body: `"${'x'.repeat(MAX_BODY_BYTES)}"`, headers: JSON_TYPE },
    413,
    'BodyTooLarge',
  ],
  ['that is no JSON', { body: '{"a":', headers: JSON_TYPE }, 400, 'BadBody'],
  ['that is no UTF-8', { body: new Uint8Array([34, 255, 34]), headers: JSON_TYPE }, 400, 'BadBody'],
])('is refused with a sentence, and the route not told: one %s', async (_, init, status, reason) => {
  const { bodies, post } = await aServer();
  expect(await post(init)).toMatchObject({ status, reason, message: expect.stringMatching(/body/) });
  expect(bodies).toEqual([]);
});

it('is read only so far where it does not say how long it is', async () => {
  const { port, bodies } = await aServer();
  const socket = connect(port, '127.0.0.1');
  releases.push(() => socket.destroy());
  socket.write(
    'POST /v1/a HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
  );
  socket.write(`1fff\r\n${'x'.repeat(0x1fff)}\r\n2\r\nxx\r\n`);
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 413 /);
  expect(bodies).toEqual([]);
});

it('that breaks off is no shorter one', async () => {
  const { port, bodies, post } = await aServer();
  const socket = connect(port, '127.0.0.1');
  socket.end('POST /v1/a HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{}');
  await text(socket).catch(() => '');
  await post({ body: '1', headers: JSON_TYPE });
  expect(bodies).toEqual([1]);
});
