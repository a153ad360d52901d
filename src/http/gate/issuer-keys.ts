/** The keys that verify tokens: read when they are first needed, again once in a while, and kept for as long as no better ones can be read. */
import type { Clock } from '../../ports/clock.ts';
import { KubernetesError } from '../../ports/kubernetes.ts';
import type { Log } from '../../ports/log.ts';
import type { IssuerKeys, TokenIssuer } from '../../ports/tokens.ts';
import { type KeySet, keySetOf } from './token-claims.ts';

/** `denied`: the API server answers, and does not give them away. */
export type CurrentKeys =
  | { readonly kind: 'keys'; readonly keys: KeySet }
  | { readonly kind: 'unread'; readonly denied: boolean };

export type CachedKeys = {
  /** Those that were read last; the first read is waited for. Never rejects. */
  current(): Promise<CurrentKeys>;
  /** Others than `these`, for a token that none of them fits; null: there are none, by the API server's word of now. */
  newer(these: KeySet): Promise<KeySet | null | 'unread'>;
};

/** A key may have been withdrawn. */
const AGAIN_MS = 600_000;
/** Between two reads, however many tokens fit no key. */
const PAUSE_MS = 10_000;

type Options = {
  readonly issuer: TokenIssuer;
  readonly clock: Clock;
  readonly log: Log;
  /** They are others than before. */
  readonly changed: () => void;
};

export function createIssuerKeys({ issuer, clock, log, changed }: Options): CachedKeys {
  let last: CurrentKeys = { kind: 'unread', denied: false };
  let text = '';
  let reported = '';
  let readMs = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | null = null;
  const never = new AbortController().signal;

  function take(said: IssuerKeys): void {
    const now = JSON.stringify(said);
    if (now === text) return;
    last = { kind: 'keys', keys: keySetOf(said) };
    text = now;
    changed();
  }

  async function read(): Promise<void> {
    readMs = clock.nowMs();
    try {
      take(await issuer.keys(never));
      reported = '';
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (last.kind === 'unread')
        last = { kind: 'unread', denied: error instanceof KubernetesError && error.kind === 'denied' };
      if (reason !== reported)
        log.warn({ reason }, 'reading the keys of ServiceAccount tokens failed; retrying when one is needed');
      reported = reason;
    }
  }

  const readOnce = (): Promise<void> => (reading ??= read().finally(() => (reading = null)));

  return {
    current: async () => {
      const isOld = clock.nowMs() - readMs >= (last.kind === 'unread' ? PAUSE_MS : AGAIN_MS);
      if (isOld || reading !== null) {
        const done = readOnce();
        if (last.kind === 'unread') await done;
      }
      return last;
    },
    newer: async (these) => {
      const others = (): KeySet | null => (last.kind === 'unread' || last.keys === these ? null : last.keys);
      if (others() !== null) return others();
      if (reading === null && clock.nowMs() - readMs < PAUSE_MS) return 'unread';
      await readOnce();
      return reported === '' ? others() : 'unread';
    },
  };
}
