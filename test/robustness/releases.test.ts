/** Releases that somebody made up: nothing fails inside, nobody's term ends but by its own secret, and who is refused is told why. */
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { createServer } from '../../src/http/server.ts';
import { aGate, GROUP, MEMBER } from '../kit/fakes/gate.ts';
import { podUid } from '../kit/fakes/ids.ts';
import { createFakeLog } from '../kit/fakes/log.ts';
import { trying } from '../kit/model/seed.ts';

const RUNS = trying(150);
const SECRET = /^[\w-]{22,64}$/;

type Release = {
  readonly path: string;
  readonly query: string;
  readonly secret: string | null;
  readonly type: string | null;
  readonly body: string | Buffer;
};

/** What a client of Node may send in a header. */
const headerText = fc.string({ unit: fc.constantFrom(...Array.from('aZ09-_ =.,;"\t~')) }).map((value) => value.trim());
const releases: fc.Arbitrary<Release> = fc.record({
  path: fc.oneof(
    { arbitrary: fc.constant(`${MEMBER}/release`), weight: 4 },
    {
      arbitrary: fc.constantFrom(
        `${GROUP}/release`,
        `${MEMBER}/release/`,
        `${MEMBER}/resign`,
        MEMBER,
        '/v1/self/release',
        `${GROUP}/members/%61/release`,
      ),
      weight: 1,
    },
  ),
  query: fc.oneof(
    fc.constantFrom('uid=uid-of-a', 'uid=uid-of-a&resign=true', 'uid=uid-of-a&resign=false'),
    fc.constantFrom(
      '',
      'uid=',
      'uid=uid-of-b',
      'resign=true',
      'uid=uid-of-a&resign=',
      'uid=uid-of-a&resign=1',
      'uid=uid-of-a&resign=true&resign=true',
      'uid=uid-of-a&wait=1s',
      'uid=uid-of-a&uid=uid-of-a',
    ),
    fc.webQueryParameters(),
  ),
  secret: fc.oneof(
    fc.constant('A'.repeat(22)),
    fc.constantFrom(null, '', 'A'.repeat(21), 'A'.repeat(64), 'A'.repeat(65), 'A'.repeat(4000)),
    headerText,
  ),
  type: fc.constantFrom(
    null,
    'application/json',
    'application/json; charset=utf-8',
    'text/plain',
    'application/x-www-form-urlencoded',
    '',
  ),
  body: fc.oneof(
    fc.constant(''),
    fc.json(),
    fc.string(),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom('{}', '{"resign":true}', '[', 'null', `"${'x'.repeat(9000)}"`, '{"__proto__":{"resign":true}}'),
  ),
});

function send(
  port: number,
  { path, query, secret, type, body }: Release,
): Promise<{ readonly status: number; readonly said: string }> {
  const headers = {
    ...(secret === null ? {} : { 'leadergroup-client': secret }),
    ...(type === null ? {} : { 'content-type': type }),
    'content-length': Buffer.byteLength(body),
  };
  return new Promise((resolve, reject) => {
    const sent = request(
      { port, host: '127.0.0.1', method: 'POST', path: `${path}?${query}`, headers, agent: false },
      (answer) => {
        text(answer).then((said) => resolve({ status: answer.statusCode ?? 0, said }), reject);
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

it('a release is heeded only with a good secret, a uid and true or false; all else is refused with a sentence', {
  timeout: 120_000,
}, async () => {
  const log = createFakeLog();
  const { routes, released } = aGate({
    identify: { by: 'Address', of: () => ({ caller: { kind: 'pod', uid: podUid('uid-of-a'), by: 'Address' } }) },
  });
  const server = createServer({
    address: { host: '127.0.0.1', port: 0 },
    health: { live: [], ready: [] },
    metrics: { contentType: 'text/plain', render: async () => 'up 1\n' },
    routes,
    log,
  });
  const { port } = await server.listen();
  const met = new Set<number>();
  try {
    await fc.assert(
      fc.asyncProperty(releases, async (release) => {
        const before = released.length;
        const { status, said } = await send(port, release);
        met.add(status);
        expect([200, 400, 404, 405, 413, 415]).toContain(status);
        if (status !== 200) {
          expect((JSON.parse(said) as { readonly message: string }).message.length).toBeGreaterThan(15);
          expect(released.length).toBe(before);
          return;
        }
        const heeded = released.at(-1);
        expect([released.length, heeded?.uid]).toEqual([before + 1, 'uid-of-a']);
        expect(release.secret).toMatch(SECRET);
        // Nobody keeps the secret itself.
        expect(heeded?.secret).not.toContain(release.secret);
        expect(heeded?.resign).toBe(release.query.includes('resign=true'));
        expect(said).not.toContain(release.secret ?? '');
      }),
      RUNS,
    );
    expect([met.has(200), met.has(400), met.has(404)]).toEqual([true, true, true]);
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
    expect((await fetch(`http://127.0.0.1:${port}/livez`)).status).toBe(200);
  } finally {
    await server.close();
  }
});
