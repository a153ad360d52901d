/** Between two replicas, over real sockets. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import {
  CHALLENGE,
  createForwarding,
  FORWARDED,
  type Forwarding,
  OUTDATED,
  type Passed,
  REPLICA,
  STATEMENT,
} from '../../../../src/http/gate/forward.ts';

import { createSigner, createStatementReader, type Statement } from '../../../../src/http/gate/statement.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';
import { podUid } from '../../../kit/fakes/ids.ts';

const releases: (() => unknown)[] = [];

afterEach(async () => {
  for (const release of releases.splice(0).toReversed()) await release();
});

function forwarding(): Forwarding {
  const made = createForwarding('replica-a', signer, clock);
  releases.push(made.close);
  return made;
}

async function aReplica(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  releases.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const clock = createFakeClock();
const signer = createSigner();
const statement: Statement = {
  caller: { uid: podUid('uid-of-a'), by: 'Address' },
  address: '10.0.0.1',
  ageMs: 7,
  termSecret: null,
};
const getting = (path: string): Passed => ({ method: 'GET', path, body: null, statement });
const never = new AbortController().signal;

it('gives the answer as it came, and says who asks', async () => {
  const url = await aReplica((request, response) => {
    response.writeHead(409, { 'content-type': 'application/json', [REPLICA]: 'replica-b' });
    response.end(JSON.stringify({ asked: request.url, by: request.headers[FORWARDED] }));
  });
  const reply = await forwarding().forward({ id: 'replica-b', url }, getting('/v1/a?wait=3s'), 2999.5, never);
  expect(reply).toEqual({
    status: 409,
    contentType: 'application/json',
    body: '{"asked":"/v1/a?wait=3s","by":"replica-a"}',
  });
});

it.each([
  ['nobody listens', () => Promise.resolve('http://127.0.0.1:1')],
  [
    'the answer breaks off',
    () =>
      aReplica(
        (_, response) =>
          void response
            .writeHead(200, { 'content-length': '9', [REPLICA]: 'replica-b' })
            .write('1', () => response.destroy()),
      ),
  ],
  ['the connection is cut', () => aReplica((request) => void request.socket.destroy())],
  [
    'another replica has the address now',
    () => aReplica((_, response) => void response.writeHead(200, { [REPLICA]: 'replica-c' }).end('{"leader":true}')),
  ],
  ['an external holder has it', () => aReplica((_, response) => void response.writeHead(200).end('{"leader":true}'))],
  [
    'the answer is no JSON',
    () => aReplica((_, response) => void response.writeHead(200, { [REPLICA]: 'replica-b' }).end('hello')),
  ],
])('gives nothing when %s', async (_, open) => {
  expect(await forwarding().forward({ id: 'replica-b', url: await open() }, getting('/v1/a'), 0, never)).toBeNull();
});

it('says who asked, signed for this question to this replica alone', async () => {
  const { promise, resolve } = Promise.withResolvers<IncomingMessage>();
  const url = await aReplica((request, response) => {
    resolve(request);
    response.writeHead(200, { [REPLICA]: 'replica-b' }).end('{}');
  });
  await forwarding().forward({ id: 'replica-b', url }, getting('/v1/a?uid=x%20y'), 0, never);
  const { headers, method = '', url: path = '' } = await promise;
  const about = { from: 'replica-a', to: 'replica-b', method, path, body: null };
  const said = await createStatementReader()(String(headers[STATEMENT]), about, signer.publicKey, {
    isOfNow: () => true,
  });
  expect(said).toEqual(statement);
});

/** As the gate does it: what is signed with another challenge is not looked at. */
async function aStrictReplica(challenge: () => string) {
  const asked: string[] = [];
  const url = await aReplica((request, response) => {
    const [said = ''] = String(request.headers[STATEMENT]).split('.');
    const [signedWith] = JSON.parse(Buffer.from(said, 'base64url').toString()) as readonly string[];
    asked.push(signedWith ?? '');
    const outdated = signedWith === challenge() ? {} : { [STATEMENT]: OUTDATED };
    const headers = { [REPLICA]: 'replica-b', [CHALLENGE]: challenge(), ...outdated };
    response.writeHead(signedWith === challenge() ? 200 : 503, headers).end('{}');
  });
  return { asked, to: { id: 'replica-b', url } };
}

it('signs again, once, with the challenge that it is told, and from then on with the last one', async () => {
  let challenge = 'first';
  const { asked, to } = await aStrictReplica(() => challenge);
  const { forward } = forwarding();
  const ask = async () => (await forward(to, getting('/v1/a'), 0, never))?.status;
  expect([await ask(), await ask()]).toEqual([200, 200]);
  challenge = 'second';
  expect(await ask()).toBe(200);
  expect(asked).toEqual(['', 'first', 'first', 'first', 'second']);
});

it('gives nothing where it is told another challenge each time, and does not go on', async () => {
  let drawn = 0;
  const { asked, to } = await aStrictReplica(() => String((drawn += 1)));
  expect(await forwarding().forward(to, getting('/v1/a'), 0, never)).toBeNull();
  expect(asked.length).toBe(2);
});

it('sends the body of a POST as JSON', async () => {
  const url = await aReplica((request, response) => {
    void text(request).then((sent) => {
      response.writeHead(200, { [REPLICA]: 'replica-b' });
      response.end(JSON.stringify([request.method, request.url, request.headers['content-type'], sent]));
    });
  });
  const passed = { method: 'POST', path: '/v1/a/release', body: '{"a":1}', statement } as const;
  const reply = await forwarding().forward({ id: 'replica-b', url }, passed, 0, never);
  expect(JSON.parse(reply?.body ?? '')).toEqual(['POST', '/v1/a/release', 'application/json', '{"a":1}']);
});

it.each([
  [405, 'This path allows GET only.\n'],
  [405, '{}'],
  [404, '{"reason":"NothingHere"}'],
  [400, '{"reason":"BadQuery"}'],
])(
  'gives nothing when the other is of an older version, which does not understand what is asked: %i %s',
  async (status, body) => {
    const url = await aReplica((_, response) => void response.writeHead(status, { [REPLICA]: 'replica-b' }).end(body));
    expect(await forwarding().forward({ id: 'replica-b', url }, getting('/v1/a'), 0, never)).toBeNull();
  },
);

it('gives the answer that there is no such group or member', async () => {
  const body = '{"reason":"MemberUnknown"}';
  const url = await aReplica((_, response) => void response.writeHead(404, { [REPLICA]: 'replica-b' }).end(body));
  expect(await forwarding().forward({ id: 'replica-b', url }, getting('/v1/a'), 0, never)).toMatchObject({
    status: 404,
    body,
  });
});

it('gives nothing when no answer comes in the time for which the question may wait, and a second', async () => {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const url = await aReplica(() => resolve());
  const reply = forwarding().forward({ id: 'replica-b', url }, getting('/v1/a'), 500, never);
  await asked;
  await clock.advance(1500);
  expect(await reply).toBeNull();
});

it('ends the question when whoever asked has gone', async () => {
  const gone = new AbortController();
  const ended = Promise.withResolvers<void>();
  const url = await aReplica((request) => {
    request.once('close', ended.resolve);
    gone.abort(new Error('gone'));
  });
  await expect(forwarding().forward({ id: 'replica-b', url }, getting('/v1/a'), 30_000, gone.signal)).rejects.toThrow(
    'gone',
  );
  await ended.promise;
});
