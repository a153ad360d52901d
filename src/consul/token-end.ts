/**
 * When the token that was given to us ends. Nobody but whoever gave it can make another, so it is told in time: without a token no session can be
 * renewed.
 */
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Call, Caller } from './caller.ts';
import { decodeTokenFacts } from './decode.ts';

/** Of a token that ends. `leftMs`: by our own clock; below 0: it has ended. `livesMs`: from its making to its end. */
export type TokenLife = { readonly leftMs: number; readonly livesMs: number };

export type TokenEnd = {
  /** null: there is no token, it has no end, or nobody has told yet. */
  life(): TokenLife | null;
  /** Asks now, and each minute, until aborted: a token in a file may be replaced. Never rejects. */
  watch(signal: AbortSignal): Promise<void>;
};

const EVERY_MS = 60_000;

/** Of its life. Told once for each token, the worst only. */
const TOLD: readonly { readonly below: number; readonly level: 'warn' | 'error' }[] = [
  { below: 0.05, level: 'error' },
  { below: 0.25, level: 'warn' },
];

type Seen = { readonly accessor: string; readonly livesMs: number; readonly leftMs: number };

/** Null: there is no such token, or ACLs are off; `seen` null as well: it has no end. */
const selfCall = (wallMs: () => number): Call<{ readonly seen: Seen | null } | null> => ({
  operation: 'readToken',
  what: 'read the token',
  write: false,
  path: '/acl/token/self',
  query: { stale: '' },
  expected: ({ status }) => status === 401 || status === 403,
  read: ({ status, text, headers }) => {
    if (status !== 200) return null;
    const { accessor, end } = decodeTokenFacts(text);
    if (end === null) return { seen: null };
    // On the server's clock, which ends it.
    const sentMs = Date.parse(headers.date ?? '') || wallMs();
    return { seen: { accessor, livesMs: end.livesMs, leftMs: end.endsWallMs - sentMs } };
  },
});

/** `tokenFile`: where the token is from; null: from the environment. */
export function createTokenEnd(
  options: { readonly tokenFile: string | null; readonly clock: Clock; readonly log: Log },
  call: Caller,
): TokenEnd {
  const { clock, log, tokenFile } = options;
  let known: { readonly endsMs: number; readonly livesMs: number } | null = null;
  let told = '';

  const remedy =
    tokenFile === null
      ? 'make another and start the operator anew with it in CONSUL_HTTP_TOKEN; one in a file (CONSUL_HTTP_TOKEN_FILE), or a login (CONSUL_LOGIN_AUTH_METHOD), needs no restart'
      : `make another and write it to ${tokenFile} (CONSUL_HTTP_TOKEN_FILE): it is used within some seconds, without a restart`;

  function tell({ accessor, livesMs, leftMs }: Seen): void {
    const worst = TOLD.find(({ below }) => leftMs < livesMs * below);
    const what = `${accessor} ${worst?.level}`;
    if (worst === undefined || told === what) return;
    told = what;
    const about = { accessor, secondsLeft: Math.max(0, Math.round(leftMs / 1000)), remedy };
    log[worst.level](about, "Consul's token ends soon, and then no session can be renewed");
  }

  async function look(signal: AbortSignal): Promise<void> {
    try {
      const answer = await call(selfCall(clock.wallMs), signal);
      if (answer === null) return;
      const { seen } = answer;
      known = seen === null ? null : { endsMs: clock.nowMs() + seen.leftMs, livesMs: seen.livesMs };
      if (seen !== null) tell(seen);
    } catch {
      // Others tell that Consul does not answer; the next look is in a minute.
    }
  }

  return {
    life: () => (known === null ? null : { leftMs: known.endsMs - clock.nowMs(), livesMs: known.livesMs }),
    watch: async (signal) => {
      while (!signal.aborted) {
        await look(signal);
        await clock.sleep(EVERY_MS, signal).catch(() => undefined);
      }
    },
  };
}
