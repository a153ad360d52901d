/**
 * Which pod a ServiceAccount token belongs to. Verified here, by keys that are kept until better ones come, so that it goes on while the API server is
 * away. The API server is asked only where its keys may not be read, once for each token, and about an issuer that it does not tell any more.
 */
import { hash as hashOf } from 'node:crypto';
import type { PodRef } from '../../api/pod.ts';
import { putNewest } from '../../common/bounded-map.ts';
import { createTurns, during, type Turns } from '../../common/turns.ts';
import type { Clock } from '../../ports/clock.ts';
import { KubernetesError } from '../../ports/kubernetes.ts';
import type { Log } from '../../ports/log.ts';
import type { ReviewedToken, TokenIssuer } from '../../ports/tokens.ts';
import { AUDIENCE } from './audience.ts';
import { AGAIN_MS, createIssuerKeys } from './issuer-keys.ts';
import { createTokenCache, type Known } from './token-cache.ts';
import { type Claims, type KeySet, NO_KEY, readUnverified, whyNotSigned } from './token-claims.ts';

export type TokenVerdict =
  | { readonly kind: 'pod'; readonly pod: PodRef; readonly untilMs: number }
  /** `why`: the end of a sentence about the token. */
  | { readonly kind: 'bad'; readonly why: string }
  /** It cannot be verified at the moment. */
  | { readonly kind: 'unknown'; readonly why: string };

/** `client`: the address that it came from; checks are shared among those. Rejects only when `signal` aborts. */
export type VerifyToken = (token: string, client: string, signal: AbortSignal) => TokenVerdict | Promise<TokenVerdict>;

/** `signal`: this process ends. */
export type TokenOptions = {
  readonly issuer: TokenIssuer;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
};

/** Whoever sends a bad token sends it again: it costs nothing for so long, and may have been good by keys that are newer. */
const MOST_BAD = 1000;
const BAD_MS = 10_000;
/** Signatures take a tenth of a millisecond each, in threads beside elections. */
const SIGNATURES = { atOnce: 16, perClient: 4, waiting: 4000, waitingPerClient: 1000 } as const;
/** Of the API server: each may take as long as it takes. */
const REVIEWS = { atOnce: 16, perClient: 4, waiting: 1000, waitingPerClient: 250 } as const;

export function createTokenVerifier({ issuer, clock, log, signal: ending }: TokenOptions): VerifyToken {
  const good = createTokenCache();
  const bad = new Map<string, { readonly verdict: TokenVerdict; readonly untilMs: number }>();
  const underWay = new Map<string, Promise<TokenVerdict>>();
  /** Issuers that are not told any more, and have been found to be accepted: until they are asked about again. */
  const accepted = new Map<string, number>();
  const strikes = createStrikes(clock);
  const [signatures, reviews] = [createTurns(SIGNATURES), createTurns(REVIEWS)];
  const never = new AbortController().signal;
  const keys = createIssuerKeys({
    issuer,
    clock,
    log,
    signal: ending,
    // A key that is withdrawn takes its tokens with it; the others are good as before.
    changed: (now, earlier) => {
      if (earlier !== null && earlier !== now.issuer && !accepted.has(earlier))
        putNewest(accepted, earlier, 0, MOST_ISSUERS);
      good.keep((known) => known.keyText === null || standsBy(known, now));
    },
  });

  const standsBy = (known: Known, now: KeySet): boolean =>
    now.textOf(known.keyId) === known.keyText && (known.issuer === now.issuer || accepted.has(known.issuer));

  function decide(token: string, hash: string, claims: Claims, client: string): Promise<TokenVerdict> {
    return keys.current().then(async (now) => {
      if (now.kind === 'keys') return await bySignature(token, hash, claims, { client, keys: now.keys });
      if (!now.denied) return unknown('the keys of the cluster are not known yet');
      return (
        (await byReview(token, claims, client)) ?? noted(hash, { ...claims, keyText: null, reviewedMs: clock.nowMs() })
      );
    });
  }

  async function bySignature(
    token: string,
    hash: string,
    claims: Claims,
    { client, keys: these }: { readonly client: string; readonly keys: KeySet },
  ): Promise<TokenVerdict> {
    const now = await fitting(claims, these);
    if ('kind' in now) return now;
    const keyText = now.textOf(claims.keyId);
    const why = await turn(signatures, client, () => whyNotSigned(token, now));
    if (typeof why !== 'string' && why !== null) return why;
    if (why !== null) return { kind: 'bad', why };
    const foreign = await ofAnotherIssuer(token, claims, { client, keys: now });
    return foreign ?? noted(hash, { ...claims, keyText, reviewedMs: clock.nowMs() });
  }

  /** The keys that have one of the id that the token names; a verdict where there are none. No check is held while they are read. */
  async function fitting({ keyId }: Claims, these: KeySet): Promise<KeySet | TokenVerdict> {
    if (these.textOf(keyId) !== null) return these;
    const newer = await keys.newer(these);
    if (newer === 'unread') return unknown(`${NO_KEY}, as far as its keys are known`);
    return newer === null || newer.textOf(keyId) === null ? { kind: 'bad', why: NO_KEY } : newer;
  }

  /**
   * A key of the cluster has signed it, for an issuer that the API server does not tell: it tells one, and accepts all that it was told to, so that
   * an issuer can be changed while tokens of the one before are about. null: it is accepted.
   */
  async function ofAnotherIssuer(
    token: string,
    claims: Claims,
    { client, keys: these }: { readonly client: string; readonly keys: KeySet },
  ): Promise<TokenVerdict | null> {
    const { issuer: own } = claims;
    if (own === these.issuer || isAccepted(own)) return null;
    const newer = await keys.newer(these);
    if (newer !== 'unread' && newer?.issuer === own) return null;
    const verdict = await byReview(token, claims, client);
    if (verdict === null) putNewest(accepted, own, clock.nowMs() + AGAIN_MS, MOST_ISSUERS);
    if (verdict?.kind === 'bad') return { kind: 'bad', why: 'another cluster has issued it' };
    // As with keys: what was found stands while the API server is away.
    return accepted.has(own) ? null : verdict;
  }

  const isAccepted = (name: string): boolean => (accepted.get(name) ?? 0) > clock.nowMs();

  /** null: the API server says that it is of this pod. */
  async function byReview(token: string, claims: Claims, client: string): Promise<TokenVerdict | null> {
    if (strikes.isOut(client)) return unknown('too many bad tokens have come from this address');
    const said = await turn(reviews, client, () => review(token));
    const verdict = said === null || !('kind' in said) ? whyNot(said, claims) : said;
    if (verdict?.kind === 'bad') strikes.note(client);
    return verdict;
  }

  async function review(token: string): Promise<ReviewedToken | null | TokenVerdict> {
    try {
      return await issuer.review(token, AUDIENCE, never);
    } catch (error) {
      if (error instanceof KubernetesError) return unknown(error.message);
      throw error;
    }
  }

  /** The keys may have changed while it was being verified. */
  function noted(hash: string, known: Known): TokenVerdict {
    const now = keys.now();
    if (known.keyText !== null && now.kind === 'keys' && !standsBy(known, now.keys))
      return unknown('the keys of the cluster have changed meanwhile');
    good.put(hash, known);
    return verdictOf(known);
  }

  /** What the API server has said is asked again once in a while; until it has answered, what it has said before stands. */
  function reviewAgain(token: string, hash: string, known: Known, client: string): void {
    if (known.keyText === null) reviewTokenAgain(token, hash, known, client);
    else reviewIssuerAgain(token, hash, known, client);
  }

  function reviewTokenAgain(token: string, hash: string, known: Known, client: string): void {
    if (clock.nowMs() - known.reviewedMs < AGAIN_MS) return;
    good.put(hash, { ...known, reviewedMs: clock.nowMs() });
    void byReview(token, known, client).then((verdict) => verdict?.kind === 'bad' && good.drop(hash));
  }

  /** By any of its tokens. One that is bad may be so for another reason: the next one is asked about then. */
  function reviewIssuerAgain(token: string, hash: string, known: Known, client: string): void {
    const { issuer: own } = known;
    const now = keys.now();
    if (now.kind === 'unread' || now.keys.issuer === own || isAccepted(own)) return;
    putNewest(accepted, own, clock.nowMs() + BAD_MS, MOST_ISSUERS);
    void byReview(token, known, client).then((verdict) => {
      if (verdict?.kind === 'bad') good.drop(hash);
      if (verdict?.kind !== 'unknown')
        putNewest(accepted, own, verdict === null ? clock.nowMs() + AGAIN_MS : 0, MOST_ISSUERS);
    });
  }

  function refused(hash: string): TokenVerdict | null {
    const found = bad.get(hash);
    if (found !== undefined && clock.nowMs() < found.untilMs) return found.verdict;
    bad.delete(hash);
    return null;
  }

  return (token, client, signal) => {
    const hash = hashOf('sha256', token, 'base64');
    const known = good.find(hash, clock.wallMs());
    if (known !== null) {
      reviewAgain(token, hash, known, client);
      return verdictOf(known);
    }
    const before = refused(hash);
    if (before !== null) return before;
    signal.throwIfAborted();
    const claims = readUnverified(token, clock.wallMs());
    if (claims.kind === 'bad') return claims;
    const same = underWay.get(hash);
    if (same !== undefined) return same;
    const deciding = decide(token, hash, claims, client).finally(() => underWay.delete(hash));
    underWay.set(hash, deciding);
    return deciding.then((verdict) => {
      if (verdict.kind === 'bad') putNewest(bad, hash, { verdict, untilMs: clock.nowMs() + BAD_MS }, MOST_BAD);
      return verdict;
    });
  };
}

/** An API server is told a few. */
const MOST_ISSUERS = 16;

const unknown = (why: string): TokenVerdict => ({ kind: 'unknown', why });

const verdictOf = ({ pod, expiresMs }: Claims): TokenVerdict => ({ kind: 'pod', pod, untilMs: expiresMs });

function whyNot(said: ReviewedToken | null, { pod }: Claims): TokenVerdict | null {
  if (said === null) return { kind: 'bad', why: 'the API server does not accept it' };
  const { audiences, podUid, user } = said;
  if (!audiences.includes(AUDIENCE)) return { kind: 'bad', why: `it is not made for the audience ${AUDIENCE}` };
  if (podUid !== pod.uid || !user.startsWith(`system:serviceaccount:${pod.namespace}:`))
    return { kind: 'bad', why: 'it belongs to no pod' };
  return null;
}

async function turn<T>(turns: Turns, client: string, work: () => Promise<T>): Promise<T | TokenVerdict> {
  const giveBack = await turns.take(client);
  if (giveBack === null) return unknown('too many tokens of this address are being verified');
  return await during(giveBack, work);
}

/** From one address so many tokens may be found bad by the API server within a while; it is not asked about more. */
const MOST_STRIKES = 20;
const STRIKES_MS = 10_000;
const MOST_CLIENTS = 1000;

function createStrikes({ nowMs }: Clock) {
  const clients = new Map<string, { readonly count: number; readonly untilMs: number }>();
  const of = (client: string) => {
    const found = clients.get(client);
    return found !== undefined && nowMs() < found.untilMs ? found : { count: 0, untilMs: nowMs() + STRIKES_MS };
  };
  return {
    isOut: (client: string): boolean => of(client).count >= MOST_STRIKES,
    note: (client: string): void => {
      const { count, untilMs } = of(client);
      putNewest(clients, client, { count: count + 1, untilMs }, MOST_CLIENTS);
    },
  };
}
