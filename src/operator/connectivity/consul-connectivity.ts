/** Whether Consul answers: judged by every request, so that at rest nothing is asked only to find out. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { Clock } from '../../ports/clock.ts';
import { type Consul, ConsulError } from '../../ports/consul.ts';
import { type ConsulTrouble, createConsulTroubles } from './consul-trouble.ts';

export type ConsulContact = {
  readonly consul: Consul;
  /** Monotonic milliseconds since when no request has been answered; null while Consul answers. */
  outageSinceMs(): MonotonicMs | null;
  /**
   * Consul answers, and for a while nothing but that it denies what is asked: the token is not there any more, or has no rights. Where it falls silent in between it still does, for a minute
   * without an answer: the status of each group has words on it, which else would be written anew whenever Consul flaps.
   */
  deniesAll(): boolean;
  /** What hinders requests now, for people. */
  problems(): readonly ConsulTrouble[];
};

/** One of three servers may be bad, or a balancer cut long reads: only that nothing at all has been answered for so long is an outage. */
const QUIET_MS = 2000;

/** Of a Consul that has denied everything and is silent now, so long what it said last counts. */
const DENIAL_COUNTS_MS = 60_000;

type ContactOptions = {
  readonly quietMs?: number;
  readonly ask?: (consul: Consul) => Promise<unknown>;
  readonly denialChanged?: (denies: boolean) => void;
};

/**
 * `changed` is called when Consul becomes unreachable and when it answers again. A refusal is an answer too. `ask` is called once the outage is
 * half as old as that, and once a denial is: at rest nothing else may ask meanwhile, and one request that fails again and again would pass for an outage, one right
 * that is missing for all. `denialChanged` is called when `deniesAll` has become true, once until something was done, and when it is so no more because Consul has been silent for so long.
 */
export function trackContact(
  consul: Consul,
  clock: Clock,
  changed: (unreachable: boolean) => void,
  { quietMs = QUIET_MS, ask = () => Promise.resolve(), denialChanged = () => undefined }: ContactOptions = {},
): ConsulContact {
  /** When the first request failed since the last answer. */
  let failedMs: number | null = null;
  let sinceMs: MonotonicMs | null = null;
  /** When the first request was denied since the last one that was not. */
  let deniedMs: number | null = null;
  /** It was denied for long enough by then, and again. */
  let deniedOn = false;
  let isDenialTold = false;
  const troubles = createConsulTroubles(clock);
  let cancel: () => void = () => undefined;
  let cancelQuestion: () => void = () => undefined;

  function answered(): void {
    cancel();
    failedMs = null;
    if (sinceMs === null) return;
    sinceMs = null;
    changed(false);
  }

  /** It is reported after `quietMs` without an answer, and counts from the first failure. */
  function failed(): void {
    if (failedMs !== null) return;
    failedMs = clock.nowMs();
    if (quietMs <= 0) return unreachable();
    cancel = clock.after(quietMs / 2, askAgain);
  }

  function askAgain(): void {
    cancel = clock.after(quietMs / 2, unreachable);
    askOnce();
  }

  function askOnce(): void {
    ask(asked).catch(() => undefined);
  }

  function unreachable(): void {
    sinceMs = failedMs;
    changed(true);
    if (failedMs !== null && deniesAll())
      cancel = clock.after(failedMs + DENIAL_COUNTS_MS - clock.nowMs(), denialIsOld);
  }

  /** A timer may be a little early: nobody who looks now is told anything else. */
  function denialIsOld(): void {
    deniedOn = false;
    denialChanged(false);
  }

  const note = (now: boolean): void => (now ? failed() : answered());

  const deniedForMs = (): number => (deniedMs === null ? 0 : clock.nowMs() - deniedMs);

  function denied({ unasked }: ConsulError): void {
    if (deniedMs === null && !unasked) cancelQuestion = clock.after(QUIET_MS / 2, askOnce);
    deniedMs ??= clock.nowMs();
    if (!unasked && deniedForMs() >= QUIET_MS) deniedOn = true;
  }

  function deniesAll(): boolean {
    if (deniedForMs() < QUIET_MS) return false;
    return failedMs === null || (deniedOn && clock.nowMs() - failedMs < DENIAL_COUNTS_MS);
  }

  function done(): void {
    cancelQuestion();
    deniedMs = null;
    deniedOn = false;
    isDenialTold = false;
  }

  function tellDenial(): void {
    if (isDenialTold || !deniesAll()) return;
    isDenialTold = true;
    denialChanged(true);
  }

  /** A blocking read that ends in a cut connection says the same as any other request. */
  const watched =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      try {
        const answer = await call(...args);
        done();
        troubles.succeeded();
        note(false);
        return answer;
      } catch (error) {
        if (error instanceof ConsulError) troubles.failed(error);
        if (error instanceof ConsulError && error.kind === 'denied') denied(error);
        if (error instanceof ConsulError) {
          const silent = error.kind === 'unreachable' || error.kind === 'unknown';
          if (silent || (error.kind !== 'busy' && !error.unasked)) note(silent);
          tellDenial();
        }
        throw error;
      }
    };

  const asked: Consul = {
    registerNode: watched(consul.registerNode),
    createSession: watched(consul.createSession),
    renewSession: watched(consul.renewSession),
    destroySession: watched(consul.destroySession),
    sessionInfo: watched(consul.sessionInfo),
    listSessions: watched(consul.listSessions),
    txn: watched(consul.txn),
    readKeys: watched(consul.readKeys),
    readKey: watched(consul.readKey),
    readPrefix: watched(consul.readPrefix),
    listKeys: watched(consul.listKeys),
  };
  return {
    problems: troubles.now,
    consul: asked,
    outageSinceMs: () => sinceMs,
    deniesAll,
  };
}
