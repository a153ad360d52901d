/** The keys that verify tokens: read when they are first needed, again every few minutes, and kept for as long as no better ones can be read. */
import { whenAborted } from '../../common/child-signal.ts';
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
  /** Those that were read last, without waiting. */
  now(): CurrentKeys;
  /** Others than `these`, for a token that none of them fits; null: there are none, by the API server's word of now. */
  newer(these: KeySet): Promise<KeySet | null | 'unread'>;
};

/** A key may have been withdrawn: read again, whether or not a token comes that none fits. */
export const AGAIN_MS = 300_000;
const AFTER_FAILURE_MS = 30_000;
/** Between two reads, however many tokens fit no key. */
const PAUSE_MS = 10_000;

type Options = {
  readonly issuer: TokenIssuer;
  readonly clock: Clock;
  readonly log: Log;
  /** They are others than before. `earlier`: the issuer that was told before; null: none. */
  readonly changed: (keys: KeySet, earlier: string | null) => void;
  /** Nothing is read any more. */
  readonly signal: AbortSignal;
};

export function createIssuerKeys({ issuer, clock, log, changed, signal }: Options): CachedKeys {
  let last: CurrentKeys = { kind: 'unread', denied: false };
  let text = '';
  let reported = '';
  let readMs = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | null = null;
  let cancel: () => void = () => undefined;
  const never = new AbortController().signal;
  whenAborted(signal, () => cancel());

  function take(said: IssuerKeys): void {
    const now = JSON.stringify(said);
    if (now === text) return;
    const keys = keySetOf(said);
    const earlier = last.kind === 'keys' ? last.keys.issuer : null;
    last = { kind: 'keys', keys };
    text = now;
    changed(keys, earlier);
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

  /** The next read follows by itself: else a key that is withdrawn would be good for as long as every token is known. */
  function ended(): void {
    reading = null;
    cancel();
    if (!signal.aborted) cancel = clock.after(reported === '' ? AGAIN_MS : AFTER_FAILURE_MS, () => void readOnce());
  }

  const readOnce = (): Promise<void> => (reading ??= read().finally(ended));

  return {
    current: async () => {
      if (last.kind === 'unread' && (reading !== null || clock.nowMs() - readMs >= PAUSE_MS)) await readOnce();
      return last;
    },
    now: () => last,
    newer: async (these) => {
      const others = (): KeySet | null => (last.kind === 'unread' || last.keys === these ? null : last.keys);
      if (others() !== null) return others();
      if (reading === null && clock.nowMs() - readMs < PAUSE_MS) return 'unread';
      await readOnce();
      return reported === '' ? others() : 'unread';
    },
  };
}
