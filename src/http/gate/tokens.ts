/**
 * Which pod a ServiceAccount token belongs to. Verified here, by keys that are kept until better ones come, so that it goes on while the API server is
 * away; only where its keys may not be read is the API server asked, once for each token.
 */
import { hash as hashOf } from 'node:crypto';
import type { PodRef } from '../../api/pod.ts';
import type { Clock } from '../../ports/clock.ts';
import { KubernetesError } from '../../ports/kubernetes.ts';
import type { Log } from '../../ports/log.ts';
import type { TokenIssuer } from '../../ports/tokens.ts';
import { AUDIENCE } from './audience.ts';
import { type CurrentKeys, createIssuerKeys } from './issuer-keys.ts';
import { type Claims, readUnverified, verifyToken } from './token-claims.ts';

export type TokenVerdict =
  | { readonly kind: 'pod'; readonly pod: PodRef; readonly untilMs: number }
  /** `why`: the end of a sentence about the token. */
  | { readonly kind: 'bad'; readonly why: string }
  /** It cannot be verified at the moment. */
  | { readonly kind: 'unknown'; readonly why: string };

/** Rejects only when `signal` aborts. */
export type VerifyToken = (token: string, signal: AbortSignal) => TokenVerdict | Promise<TokenVerdict>;

export type TokenOptions = { readonly issuer: TokenIssuer; readonly clock: Clock; readonly log: Log };

/** Tokens that were good, until they expire; of more pods than this the oldest are verified again. */
const MOST_GOOD = 50_000;
/** Whoever sends a bad token sends it again: it costs nothing for so long, and may have been good by keys that are newer. */
const MOST_BAD = 1000;
const BAD_MS = 10_000;
/** Verified at a time: whoever sends bad tokens must not take the machine from elections. */
const AT_ONCE = 16;

export function createTokenVerifier({ issuer, clock, log }: TokenOptions): VerifyToken {
  const good = new Map<string, TokenVerdict & { readonly kind: 'pod' }>();
  const bad = new Map<string, { readonly verdict: TokenVerdict; readonly untilMs: number }>();
  const underWay = new Map<string, Promise<TokenVerdict>>();
  let generation = 0;
  // A key that is withdrawn takes its tokens with it, those that were being verified by it too.
  const changed = (): void => {
    generation += 1;
    good.clear();
  };
  const keys = createIssuerKeys({ issuer, clock, log, changed });
  const never = new AbortController().signal;

  function known(hash: string): TokenVerdict | null {
    const found = good.get(hash);
    if (found !== undefined && clock.wallMs() < found.untilMs) return found;
    good.delete(hash);
    const refused = bad.get(hash);
    if (refused !== undefined && clock.nowMs() < refused.untilMs) return refused.verdict;
    bad.delete(hash);
    return null;
  }

  async function verify(token: string, hash: string): Promise<TokenVerdict> {
    const current = await keys.current();
    const before = generation;
    const verdict = await decide(token, current);
    if (verdict.kind === 'pod' && generation === before) put(good, hash, verdict, MOST_GOOD);
    if (verdict.kind === 'bad') put(bad, hash, { verdict, untilMs: clock.nowMs() + BAD_MS }, MOST_BAD);
    return verdict;
  }

  async function decide(token: string, now: CurrentKeys): Promise<TokenVerdict> {
    if (now.kind === 'unread')
      return now.denied ? await review(token) : unknown('the keys of the cluster are not known yet');
    const first = await verifyToken(token, now.keys, clock.wallMs());
    if (first.kind !== 'otherKey') return asVerdict(first);
    const newer = await keys.newer(now.keys);
    if (newer === 'unread') return unknown(`${first.why}, as far as its keys are known`);
    return newer === null
      ? { kind: 'bad', why: first.why }
      : asVerdict(await verifyToken(token, newer, clock.wallMs()));
  }

  async function review(token: string): Promise<TokenVerdict> {
    const claims = readUnverified(token, clock.wallMs());
    if (claims.kind !== 'good') return asVerdict(claims);
    try {
      const said = await issuer.review(token, AUDIENCE, never);
      if (said === null) return { kind: 'bad', why: 'the API server does not accept it' };
      if (!said.audiences.includes(AUDIENCE))
        return { kind: 'bad', why: `it is not made for the audience ${AUDIENCE}` };
      if (said.podUid !== claims.pod.uid || !said.user.startsWith(`system:serviceaccount:${claims.pod.namespace}:`))
        return { kind: 'bad', why: 'it belongs to no pod' };
      return asVerdict(claims);
    } catch (error) {
      if (error instanceof KubernetesError) return unknown(error.message);
      throw error;
    }
  }

  return (token, signal) => {
    const hash = hashOf('sha256', token, 'base64');
    const found = known(hash);
    if (found !== null) return found;
    signal.throwIfAborted();
    const same = underWay.get(hash);
    if (same !== undefined) return same;
    if (underWay.size >= AT_ONCE) return unknown('too many tokens are being verified');
    const deciding = verify(token, hash).finally(() => underWay.delete(hash));
    underWay.set(hash, deciding);
    return deciding;
  };
}

const unknown = (why: string): TokenVerdict => ({ kind: 'unknown', why });

function asVerdict(claims: Claims): TokenVerdict {
  if (claims.kind !== 'good') return { kind: 'bad', why: claims.why };
  return { kind: 'pod', pod: claims.pod, untilMs: claims.expiresMs };
}

/** The oldest goes. */
function put<T>(map: Map<string, T>, key: string, value: T, most: number): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= most) return;
    map.delete(oldest);
  }
}
