/** What is asked: from the path and the query to a question, or to what is wrong with it. */
import { show } from '../../api/raw.ts';
import type { Query } from '../router.ts';

export type Question = SelfQuestion | GroupQuestion;

/** `uid`: of the pod that asks; null: not given. */
export type SelfQuestion = { readonly kind: 'self'; readonly uid: string | null };

export type GroupQuestion = {
  readonly kind: 'group' | 'member';
  readonly namespace: string;
  readonly name: string;
  /** null: who leads the group, whoever it is. */
  readonly pod: string | null;
  /** Of the pod that asks, which its name alone does not tell from an earlier one of that name; null: not given. */
  readonly uid: string | null;
  /** null: answer at once. */
  readonly wait: Wait | null;
};

/** Answer only once the answer is another than the client knows. */
export type Wait = {
  readonly forMs: number;
  /** The token that the client has seen; null: another than the first answer. */
  readonly token: number | null;
};

export type Asked =
  | { readonly ok: true; readonly question: Question }
  | { readonly ok: false; readonly reason: 'BadQuery' | 'NothingHere'; readonly message: string };

const MAX_WAIT_MS = 60_000;
export const MEMBER_URL = '/v1/namespaces/{namespace}/leadergroups/{name}/members/{pod}';

const PATH = /^\/v1\/namespaces\/([^/]+)\/leadergroups\/([^/]+)(?:\/members\/([^/]+))?$/;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

const refused = (reason: 'BadQuery' | 'NothingHere', message: string): Asked => ({ ok: false, reason, message });

export function readQuestion({ path, search }: Query): Asked {
  if (path === '/v1/self') return readSelf(search);
  const [, namespace, name, pod] = (PATH.exec(path) ?? []).map((part?: string) =>
    part === undefined ? part : decoded(part),
  );
  if (!namespace || !name || pod === '')
    return refused(
      'NothingHere',
      `Unknown path. Known paths: /v1/self, ${MEMBER_URL} and the same without /members/{pod}`,
    );
  const wait = unknownIn(search, KNOWN) ?? readWait(search);
  if (typeof wait === 'string') return refused('BadQuery', wait);
  const uid = search.get('uid');
  const problem = problemOfUid(uid, pod);
  if (problem !== null) return refused('BadQuery', problem);
  const kind = pod === undefined ? 'group' : 'member';
  return { ok: true, question: { kind, namespace, name, pod: pod ?? null, uid, wait } };
}

const EMPTY_UID = 'uid= is empty: send the uid of the pod (is POD_UID set?), or leave it out';

function problemOfUid(uid: string | null, pod: string | undefined): string | null {
  if (uid !== null && pod === undefined) return `uid can only be used with ${MEMBER_URL}`;
  return uid === '' ? EMPTY_UID : null;
}

/** It may be about several groups, of which each has its own token: it does not wait. */
function readSelf(search: URLSearchParams): Asked {
  if (['wait', 'token'].some((name) => search.has(name)))
    return refused('BadQuery', `/v1/self answers at once; to wait, ask ${MEMBER_URL}`);
  const uid = search.get('uid');
  const problem = unknownIn(search, ['uid']) ?? (uid === '' ? EMPTY_UID : null);
  return problem === null ? { ok: true, question: { kind: 'self', uid } } : refused('BadQuery', problem);
}

const KNOWN: readonly string[] = ['uid', 'wait', 'token'];

/** A misspelt parameter would be a check that is not made: nothing is ignored, and nothing said twice. */
function unknownIn(search: URLSearchParams, known: readonly string[]): string | null {
  const names = [...search.keys()];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    return `the parameter ${show(unknown)} is unknown: allowed ${known.length === 1 ? 'is' : 'are'} ${known.join(', ')}`;
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  return twice === undefined ? null : `the parameter ${twice} is given twice`;
}

/** null: answer at once. Text: what is wrong. */
function readWait(search: URLSearchParams): Wait | null | string {
  const [wait, token] = [search.get('wait'), search.get('token')];
  if (wait === null) return token === null ? null : 'token can only be used with wait, e.g. ?wait=30s&token=7';
  const [, amount, unit] = /^(\d{1,6})(ms|s|m)$/.exec(wait) ?? [];
  if (amount === undefined || unit === undefined) return `wait=${wait} is not a duration: write e.g. 30s or 500ms`;
  if (token !== null && !/^\d{1,16}$/.test(token))
    return `token=${token} is not a token: send the token of the last answer`;
  const forMs = Math.min(MAX_WAIT_MS, Number(amount) * (UNITS[unit] ?? 1));
  return { forMs, token: token === null ? null : Number(token) };
}

/** A part that cannot be decoded names nothing. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}
