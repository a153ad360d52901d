/**
 * Which requests the dashboard answers. A page of any site, and every process on this machine, can send requests to 127.0.0.1, so each one
 * must prove that it comes from our own page (docs/adr/0036-the-dashboard.md). Pure.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

export type Secrets = {
  /** In the private file; good for opening the page. */
  readonly ticket: string;
  /** In a cookie. Browsers send cookies to every port of a host, so it lets nobody read data. */
  readonly cookie: string;
  /** In the page's own session storage, which no other port sees; sent in a header with each request for data. */
  readonly key: string;
};

export const newSecrets = (): Secrets => ({ ticket: secret(), cookie: secret(), key: secret() });

const secret = (): string => randomBytes(32).toString('base64url');

export const KEY_HEADER = 'x-leadergroup-key';
export const OPEN = '/open';
const DATA = '/v1/';

/** With the port in its name: two dashboards may run at once. */
export const cookieName = (port: number): string => `leadergroup-${port}`;

export type Asked = {
  readonly method: string;
  readonly path: string;
  /** As Node gives them: a header that was sent twice is one text, or a list. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
};

export type Refusal = { readonly status: 403 | 404 | 405; readonly why: string };

export type Endpoints = ReadonlySet<string>;

export type Expected = {
  readonly port: number;
  readonly secrets: Secrets;
  /** Paths that are read with GET. */
  readonly endpoints: Endpoints;
};

/** null: it is answered. Whether the ticket is right is in the body, and judged with `isSame`. */
export function refusalOf(asked: Asked, expected: Expected): Refusal | null {
  const { port, endpoints } = expected;
  const { method, path, headers } = asked;
  if (headers['host'] !== `127.0.0.1:${port}`) return forbidden('The Host is not that of this dashboard.');
  if (path === OPEN) return method === 'POST' ? opening(headers) : WRONG_METHOD;
  if (!endpoints.has(path)) return { status: 404, why: 'There is no such page.' };
  if (method !== 'GET') return WRONG_METHOD;
  return fromOurPage(asked, port) ?? withSecrets(asked, expected);
}

const WRONG_METHOD: Refusal = { status: 405, why: 'The dashboard only reads: another method is asked for here.' };

const forbidden = (why: string): Refusal => ({ status: 403, why });

/** The private file is sent as a whole page, by nobody's origin, and not in a frame. */
function opening(headers: Asked['headers']): Refusal | null {
  if (!['null', undefined].includes(text(headers['origin']))) return forbidden('The Origin is not the private file.');
  if (!['cross-site', 'none'].includes(text(headers['sec-fetch-site']) ?? '')) return WRONG_SITE;
  if (headers['sec-fetch-mode'] !== 'navigate' || headers['sec-fetch-dest'] !== 'document')
    return forbidden('Only a page of its own may open the dashboard.');
  return null;
}

const WRONG_SITE = forbidden('Sec-Fetch-Site says that another site has asked, or nothing at all.');

function fromOurPage({ path, headers }: Asked, port: number): Refusal | null {
  const origin = headers['origin'];
  if (origin !== undefined && origin !== `http://127.0.0.1:${port}`) return forbidden('The Origin is another one.');
  const site = headers['sec-fetch-site'];
  // `none`: typed into the address bar, or reloaded.
  if (site === 'same-origin' || (site === 'none' && path === '/')) return null;
  return WRONG_SITE;
}

function withSecrets({ path, headers }: Asked, { port, secrets }: Expected): Refusal | null {
  if (!isSame(cookieIn(text(headers['cookie']) ?? '', cookieName(port)), secrets.cookie)) return NO_SECRET;
  if (path.startsWith(DATA) && !isSame(text(headers[KEY_HEADER]) ?? '', secrets.key)) return NO_SECRET;
  return null;
}

const NO_SECRET = forbidden('The secret is missing: open the file that `kubectl leadergroup dashboard` has named.');

const text = (header: string | readonly string[] | undefined): string | undefined =>
  typeof header === 'string' ? header : header?.join(', ');

const cookieIn = (header: string, name: string): string =>
  header
    .split(';')
    .map((part) => part.trim())
    .find((part) => part.startsWith(`${name}=`))
    ?.slice(name.length + 1) ?? '';

/** In a time that says nothing of the secret. */
export const isSame = (given: string, secret: string): boolean => timingSafeEqual(digest(given), digest(secret));

const digest = (value: string): Buffer => createHash('sha256').update(value).digest();
