/** What is claimed: from the path, the query and the body to a claim, or to what is wrong with it. Nothing is guessed, and nothing ignored. */
import { hash } from 'node:crypto';
import { type ClaimRequest, MAX_SERIES_LENGTH, RETRY_AFTER_MS } from '../../api/claim.ts';
import { asObject, show } from '../../api/raw.ts';
import type { ClaimReport } from '../../ports/claims.ts';
import type { Query, Reply } from '../router.ts';
import { type GroupQuestion, MEMBER_URL, readQuestion, type Wait } from './question.ts';
import { type Reason, refusal } from './replies.ts';

export const CLAIMS_URL = `${MEMBER_URL}/claims`;

/** What a member wants of a series. */
export type ClaimWish =
  | { readonly kind: 'claim'; readonly asked: ClaimRequest; readonly wait: Wait | null }
  | { readonly kind: 'report'; readonly report: ClaimReport }
  | { readonly kind: 'mark'; readonly series: string };

export type ClaimQuestion = { readonly question: GroupQuestion; readonly wish: ClaimWish };

type Read<T> = T | { readonly refused: Reply };
type Fields = Readonly<Record<string, unknown>>;

const PATH = /^(.*)\/claims(?:\/(done|renew))?$/;
const METHODS = { claims: ['POST', 'GET'], done: ['PUT'], renew: ['PUT'] } as const;

const refused = (reason: Reason, message: string): { readonly refused: Reply } => ({
  refused: refusal(reason, message),
});

/** null: the path is about something else. */
export function readClaim(query: Query): Read<ClaimQuestion> | null {
  const [, path, end] = PATH.exec(query.path) ?? [];
  if (path === undefined) return null;
  const what = end === 'done' || end === 'renew' ? end : 'claims';
  const method = query.method === 'HEAD' ? 'GET' : query.method;
  if (!(METHODS[what] as readonly string[]).includes(method))
    return refused('NothingHere', `${query.path} is for ${METHODS[what].join(' and ')}`);
  return method === 'GET' ? readLook(query, path) : readWrite(query, path, what);
}

function readLook(query: Query, path: string): Read<ClaimQuestion> {
  const search = new URLSearchParams(query.search);
  const given = search.getAll('series');
  search.delete('series');
  const member = readMember({ ...query, search, path }, false);
  if ('refused' in member) return member;
  const [series = ''] = given;
  const problem = given.length === 1 ? problemOfSeries(series) : 'say series= once';
  return problem === null ? { ...member, wish: { kind: 'mark', series } } : refused('BadSeries', problem);
}

function readWrite(query: Query, path: string, what: 'claims' | 'done' | 'renew'): Read<ClaimQuestion> {
  const member = readMember({ ...query, path }, what === 'claims');
  if ('refused' in member) return member;
  const wish = readWish(what, query.body, member.question.wait);
  return 'refused' in wish ? wish : { ...member, wish };
}

function readMember(query: Query, mayWait: boolean): Read<Pick<ClaimQuestion, 'question'>> {
  const asked = readQuestion(query);
  if (!asked.ok) return refused(asked.reason, asked.message);
  const { question } = asked;
  if (question.kind !== 'member') return refused('NothingHere', `claims are a member's: ask ${CLAIMS_URL}`);
  if (question.uid === null) return refused('BadQuery', 'uid= is missing: send the uid of the pod');
  if (question.wait !== null && (!mayWait || question.wait.token !== null))
    return refused('BadQuery', 'only a claim waits, and it knows no token: leave out what does not belong here');
  return { question };
}

function readWish(what: 'claims' | 'done' | 'renew', sent: unknown, wait: Wait | null): Read<ClaimWish> {
  const body = asObject(sent);
  if (body === null || Array.isArray(body))
    return refused('BadClaim', 'send a JSON object: {"series": …, "position": …, "id": …}');
  const problem = problemOfSeries(body['series']);
  if (problem !== null) return refused('BadSeries', problem);
  const wrong = problemOfFields(body, what === 'claims' ? CLAIM_FIELDS : REPORT_FIELDS);
  if (wrong !== null) return refused('BadClaim', wrong);
  const { series, position, id } = body as { readonly series: string; readonly position: number; readonly id: string };
  const known = { series, position, id: hash('sha256', id, 'base64url') };
  if (what !== 'claims') return { kind: 'report', report: { ...known, what } };
  const retryAfterMs =
    typeof body['retryAfterSeconds'] === 'number' ? body['retryAfterSeconds'] * 1000 : RETRY_AFTER_MS;
  const mode = body['mode'] === 'AtLeastOnce' ? 'AtLeastOnce' : 'AtMostOnce';
  return { kind: 'claim', asked: { ...known, mode, retryAfterMs }, wait };
}

function problemOfSeries(series: unknown): string | null {
  if (typeof series !== 'string' || series === '') return 'series must be text: the name of what is to be done once';
  const isPlain = /^[^\p{Cc}\p{Cs}]*$/u.test(series);
  if (isPlain && series.length <= MAX_SERIES_LENGTH) return null;
  return `series must be up to ${MAX_SERIES_LENGTH} characters, none of them a control character: ${show(series.slice(0, 80))} is not`;
}

/** Of each field what it must be, where it is not. */
const REPORT_FIELDS: Readonly<Record<string, (value: unknown, fields: Fields) => string | null>> = {
  series: () => null,
  position: (value) =>
    Number.isSafeInteger(value) && (value as number) >= 0
      ? null
      : 'position must be a whole number from 0 on that rises with each tick, such as its scheduled time in milliseconds',
  id: (value) =>
    typeof value === 'string' && /^[0-9a-f]{32,64}$/i.test(value)
      ? null
      : 'id must be 32 to 64 hexadecimal digits: 128 random bits, drawn anew for each call and kept for its retries',
};

const MAX_RETRY_SECONDS = 86_400;

const CLAIM_FIELDS: typeof REPORT_FIELDS = {
  ...REPORT_FIELDS,
  mode: (value) =>
    ['AtMostOnce', 'AtLeastOnce', undefined].includes(value as string | undefined)
      ? null
      : 'mode must be AtMostOnce or AtLeastOnce',
  retryAfterSeconds: (value, { mode }) => {
    if (value === undefined) return null;
    if (mode !== 'AtLeastOnce') return 'retryAfterSeconds is for mode AtLeastOnce only';
    const isGood = Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= MAX_RETRY_SECONDS;
    return isGood ? null : `retryAfterSeconds must be a whole number from 1 to ${MAX_RETRY_SECONDS}`;
  },
};

/** A field that is not known would be a rule that is not kept. */
function problemOfFields(body: Fields, fields: typeof REPORT_FIELDS): string | null {
  const unknown = Object.keys(body).find((name) => !Object.hasOwn(fields, name));
  if (unknown !== undefined)
    return `the field ${show(unknown)} is unknown: allowed are ${Object.keys(fields).join(', ')}`;
  for (const [name, problem] of Object.entries(fields)) {
    const found = problem(body[name], body);
    if (found !== null) return found;
  }
  return null;
}
