/** Which requests the dashboard answers: whatever is not its own page, opened with its own file, gets nothing. */
import { describe, expect, it } from 'vitest';
import {
  type Asked,
  cookieName,
  isSame,
  KEY_HEADER,
  newSecrets,
  OPEN,
  refusalOf,
} from '../../../../src/cli/dashboard/guard.ts';

const PORT = 40_001;
const secrets = newSecrets();
const expected = { port: PORT, secrets, endpoints: new Set(['/', '/main.js', '/v1/changes']) };

const COOKIE = `${cookieName(PORT)}=${secrets.cookie}`;

/** As our page asks for data. */
const OURS: Asked = {
  method: 'GET',
  path: '/v1/changes',
  headers: {
    host: `127.0.0.1:${PORT}`,
    'sec-fetch-site': 'same-origin',
    cookie: COOKIE,
    [KEY_HEADER]: secrets.key,
  },
};

/** As a browser posts the form of the private file. */
const OPENING: Asked = {
  method: 'POST',
  path: OPEN,
  headers: {
    host: `127.0.0.1:${PORT}`,
    origin: 'null',
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
  },
};

type Change = { readonly method?: string; readonly path?: string; readonly headers?: Asked['headers'] };

const status = (asked: Asked, { headers = {}, ...rest }: Change = {}): number | null =>
  refusalOf({ ...asked, ...rest, headers: { ...asked.headers, ...headers } }, expected)?.status ?? null;

describe('a request of the page', () => {
  it('is answered', () => {
    expect(status(OURS)).toBeNull();
    expect(status(OURS, { headers: { origin: `http://127.0.0.1:${PORT}` } })).toBeNull();
  });

  it.each([
    ['another Host', { headers: { host: 'evil.example:40001' } }],
    ['localhost, which another family of addresses may answer', { headers: { host: `localhost:${PORT}` } }],
    ['another port', { headers: { host: '127.0.0.1:40002' } }],
    ['no Host', { headers: { host: undefined } }],
    ['another Origin', { headers: { origin: 'https://evil.example' } }],
    ['another port as Origin', { headers: { origin: 'http://127.0.0.1:40002' } }],
    ['the Origin of a file or a sandbox', { headers: { origin: 'null' } }],
    ['a site elsewhere', { headers: { 'sec-fetch-site': 'cross-site' } }],
    ['another port of this host', { headers: { 'sec-fetch-site': 'same-site' } }],
    ['an address typed by hand, for data', { headers: { 'sec-fetch-site': 'none' } }],
    ['nothing about its site', { headers: { 'sec-fetch-site': undefined } }],
    ['no cookie', { headers: { cookie: undefined } }],
    ['another cookie', { headers: { cookie: `${cookieName(PORT)}=${secrets.key}` } }],
    ['the cookie of another port', { headers: { cookie: `${cookieName(40_002)}=${secrets.cookie}` } }],
    ['the cookie and no key', { headers: { [KEY_HEADER]: undefined } }],
    ['the cookie in place of the key', { headers: { [KEY_HEADER]: secrets.cookie } }],
    ['the ticket in place of the key', { headers: { [KEY_HEADER]: secrets.ticket } }],
    ['a key sent twice', { headers: { [KEY_HEADER]: `${secrets.key}, ${secrets.key}` } }],
  ])('is refused with %s', (_, change) => {
    expect(status(OURS, change)).toBe(403);
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'])('is refused with %s', (method) => {
    expect(status(OURS, { method })).toBe(405);
  });

  it('finds nothing but the fixed endpoints', () => {
    for (const path of ['/v1', '/v1/', '/etc/passwd', '//main.js', '/__proto__', '/main.ts'])
      expect(status(OURS, { path })).toBe(404);
  });

  it('needs the cookie for files, too, and no key', () => {
    const file = { path: '/main.js', headers: { [KEY_HEADER]: undefined } };
    expect(status(OURS, file)).toBeNull();
    expect(status(OURS, { ...file, headers: { ...file.headers, cookie: undefined } })).toBe(403);
  });

  it('may be typed by hand where it is the page itself', () => {
    expect(status(OURS, { path: '/', headers: { 'sec-fetch-site': 'none' } })).toBeNull();
    expect(status(OURS, { path: '/', headers: { 'sec-fetch-site': 'cross-site' } })).toBe(403);
  });

  it('finds its cookie among those of other programs on this host', () => {
    expect(status(OURS, { headers: { cookie: `a=b; ${COOKIE}; leadergroup-1=x` } })).toBeNull();
  });
});

describe('the private file', () => {
  it('opens the page', () => {
    expect(status(OPENING)).toBeNull();
    expect(status(OPENING, { headers: { origin: undefined, 'sec-fetch-site': 'none' } })).toBeNull();
  });

  it.each([
    ['from another site', { headers: { origin: 'https://evil.example' } }],
    ['from another port', { headers: { origin: 'http://127.0.0.1:40002', 'sec-fetch-site': 'same-site' } }],
    ['by the page itself', { headers: { 'sec-fetch-site': 'same-origin' } }],
    ['by a script', { headers: { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' } }],
    ['by a script, for a document', { headers: { 'sec-fetch-mode': 'cors' } }],
    ['in a frame', { headers: { 'sec-fetch-dest': 'iframe' } }],
    ['by no browser', { headers: { 'sec-fetch-site': undefined } }],
    ['with another Host', { headers: { host: 'evil.example' } }],
  ])('opens nothing %s', (_, change) => {
    expect(status(OPENING, change)).toBe(403);
  });

  it('is posted, since an address stands in the history', () => {
    expect(status(OPENING, { method: 'GET' })).toBe(405);
  });
});

describe('secrets', () => {
  it('are new for each run, different, and long', () => {
    const all = [...Object.values(newSecrets()), ...Object.values(newSecrets())];
    expect(new Set(all).size).toBe(6);
    for (const secret of all) expect(secret).toMatch(/^[\w-]{43}$/);
  });

  it('are the same only as a whole', () => {
    expect(isSame('abc', 'abc')).toBe(true);
    for (const given of ['', 'ab', 'abd', 'abcd']) expect(isSame(given, 'abc')).toBe(false);
  });
});
