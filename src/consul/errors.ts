/**
 * What a failed request means: was anything applied, and what must somebody do. Pure. When in doubt a write is `unknown`:
 * the caller then finds out, which costs a read; taking an applied write for a failed one costs the lock.
 */
import { ConsulError, type ConsulErrorKind } from '../ports/consul.ts';
import { isPlainToTls, PLAIN_TO_TLS } from './connection-problems.ts';

/** What was tried, for messages and for the meaning of a failure. */
export type Attempt = {
  /** In words, with its object: `renew session 1234`. */
  readonly what: string;
  /** Consul's address as people know it. */
  readonly address: string;
  /** A read applies nothing, so its outcome is never unknown. */
  readonly write: boolean;
  /** The ACL rule that a filtered or refused answer asks for, where the attempt knows it. */
  readonly rule: string | null;
  /** Whether the token is one of a login. */
  readonly byLogin?: boolean;
};

/** No complete answer came. */
export type Failure = {
  readonly kind: 'failed';
  /** Whether a connection stood: before that, Consul has seen nothing. */
  readonly sent: boolean;
  /** It waited for one of our own connections until its time was over. */
  readonly waiting: boolean;
  /** It was sent, and there was no answer in time. */
  readonly late?: boolean;
  readonly reason: string;
  readonly cause: unknown;
  /** Nothing was sent, since we could not log in: why. */
  readonly login?: ConsulError;
};

/** An answer whose status is not 2xx, or whose body is not Consul's. */
export type Refusal = { readonly status: number; readonly text: string };

const ADVICE_LIMIT = 300;

/**
 * Statuses and words by which Consul says that it did nothing. Anchored but for the hops between servers. "getting client": a server could not
 * connect to the one that leads, so nothing was passed on.
 */
const NOT_APPLIED =
  /^(?:rpc error making call: )*(?:No cluster leader|rate limit exceeded\b.*|rpc error getting client: .*)$/is;
const NO_LEADER = /^(?:rpc error making call: )*(?:No cluster leader|rpc error getting client: .*)$/is;
const TOO_MANY_CONNECTIONS = /too many concurrent connections/i;
const CONNECTIONS_ADVICE =
  "; raise Consul's limits.http_max_conns_per_client to 100 for each replica behind one address, and 100 more";
const NO_NODE = /(?:^|: )Missing node registration$/;
const USELESS = /^(?:Invalid Session TTL\b|Session TTL '.*' invalid\b|apply failed: Missing check\b|Must provide\b)/;
/** Consul's words, whichever server says them, for a token that it does not know (any more). */
const UNKNOWN_TOKEN = /ACL not found/i;

/** A server that knows no leader, or does not reach it, can do nothing for us. There may be one: then this server is cut off from the others. */
export const isLeaderless = (text: string): boolean => NO_LEADER.test(text.trim());

export const isUnknownToken = (text: string): boolean => UNKNOWN_TOKEN.test(text);

const MISSING_RIGHT = /lacks permission '(\w+):(\w+)' on "([^"]*)"/;

function shorten(text: string): string {
  const line = text.trim().replaceAll(/\s+/g, ' ');
  return line.length > ADVICE_LIMIT ? `${line.slice(0, ADVICE_LIMIT)}…` : line;
}

const isProxyText = (text: string): boolean => text.trimStart().startsWith('<');

const saysNothingDone = (words: string): boolean =>
  NOT_APPLIED.test(words) || TOO_MANY_CONNECTIONS.test(words) || isPlainToTls(words);

function kindOf({ status, text }: Refusal): ConsulErrorKind {
  const words = text.trim();
  if (status === 401 || status === 403) return 'denied';
  if (status === 429 || saysNothingDone(words)) return 'unreachable';
  if (NO_NODE.test(words)) return 'noNode';
  if (USELESS.test(words)) return 'refused';
  // Consul answers 404 only where the caller expects it: this one is of a proxy that has lost it, or of another service.
  if (status === 404) return 'unreachable';
  if (status === 408 || status >= 500) return 'unknown';
  return status >= 400 ? 'refused' : 'unknown';
}

/** A read cannot have applied anything, whatever became of its answer. */
const forAttempt = (kind: ConsulErrorKind, write: boolean): ConsulErrorKind =>
  kind === 'unknown' && !write ? 'unreachable' : kind;

/** `prefix` is the operator's own key prefix with its slash: one rule for it serves all its keys. */
export function ruleFor(resource: string, access: string, name: string, prefix: string): string {
  if (resource !== 'key') return `${resource} "${name}" { policy = "${access}" }`;
  const scope = name.startsWith(prefix) ? prefix : name.slice(0, name.lastIndexOf('/') + 1);
  return scope === '' ? `key "${name}" { policy = "${access}" }` : `key_prefix "${scope}" { policy = "${access}" }`;
}

/** The ACL rule that Consul's own words ask for; null when they name none. */
function missingRule(text: string, prefix: string): string | null {
  const [, resource, access, name] = MISSING_RIGHT.exec(text) ?? [];
  if (resource === undefined || access === undefined || name === undefined) return null;
  return ruleFor(resource, access, name, prefix);
}

function denialAdvice(attempt: Attempt, text: string, prefix: string): string {
  if (isUnknownToken(text)) {
    return attempt.byLogin === true
      ? 'the token of the login is unknown to Consul (any more): a new login is made'
      : 'the token is unknown to Consul: check CONSUL_HTTP_TOKEN or CONSUL_HTTP_TOKEN_FILE';
  }
  const rule = missingRule(text, prefix) ?? attempt.rule;
  return rule === null ? 'check the rights of the token' : `give the token the rule: ${rule}`;
}

function adviceOf(kind: ConsulErrorKind, attempt: Attempt, { status, text }: Refusal, prefix: string): string {
  if (kind === 'denied') return `; ${denialAdvice(attempt, text, prefix)}`;
  if (kind === 'noNode') return '; register the node first';
  if (isPlainToTls(text.trim())) return ` ${PLAIN_TO_TLS}`;
  if (TOO_MANY_CONNECTIONS.test(text)) return CONNECTIONS_ADVICE;
  if (status === 404 || isProxyText(text)) return `; check that ${attempt.address} is Consul's HTTP address`;
  return '';
}

/** No answer came. */
export function fromFailure(attempt: Attempt, failure: Failure): ConsulError {
  if (failure.waiting) return new ConsulError('busy', `Cannot ${attempt.what}: not sent, ${failure.reason}`);
  if (failure.login !== undefined) {
    const { kind, message } = failure.login;
    const about = { cause: failure.login, unasked: true };
    return new ConsulError(kind === 'denied' ? kind : 'unreachable', `Cannot ${attempt.what}: ${message}`, about);
  }
  const kind = forAttempt(failure.sent ? 'unknown' : 'unreachable', attempt.write);
  return new ConsulError(
    kind,
    `Cannot ${attempt.what}: no answer from Consul at ${attempt.address}: ${failure.reason}`,
    {
      cause: failure.cause,
    },
  );
}

/** An answer came that is no success. */
export function fromRefusal(attempt: Attempt, refusal: Refusal, prefix: string): ConsulError {
  const kind = forAttempt(kindOf(refusal), attempt.write);
  const words = shorten(refusal.text);
  const said = `Consul answered ${refusal.status}${words === '' ? '' : `: ${words}`}`;
  return new ConsulError(kind, `Cannot ${attempt.what}: ${said}${adviceOf(kind, attempt, refusal, prefix)}`);
}

/** Consul left out what the token may not read: an empty answer that looks like "there is nothing". */
export const filtered = (attempt: Attempt): ConsulError =>
  new ConsulError(
    'denied',
    `Cannot ${attempt.what}: Consul left out of its answer what the token may not read (is CONSUL_HTTP_TOKEN or CONSUL_HTTP_TOKEN_FILE set?); ${denialAdvice(attempt, '', '')}`,
  );

/** A success that is not as Consul's: a proxy, another service, or a later version. */
export const malformed = (attempt: Attempt, problem: Error): ConsulError =>
  new ConsulError(
    forAttempt('unknown', attempt.write),
    `Cannot ${attempt.what}: the answer is not what Consul sends: ${problem.message}; check that ${attempt.address} is Consul's HTTP address`,
    { cause: problem },
  );
