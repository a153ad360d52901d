/**
 * The network between one replica and one server. Every message takes its time; it may be lost, refused, or held back for
 * seconds, the request as well as its answer, while the replica waits or has given up. What arrives late is done all the same.
 */
import type { Loop } from './loop.ts';
import type { Process } from './process.ts';
import type { Stream } from './random.ts';

export type Server = {
  readonly process: Process;
  isDown(): boolean;
};

export type LinkState = {
  /** Nothing gets through: refused at once, or swallowed. */
  cut: 'no' | 'refused' | 'swallowed';
  /** Probability that a message meets trouble. */
  trouble: number;
};

/** What a call is about, for the ports' own words. */
export type Words<T> = {
  /** It was sent, and no answer came. */
  readonly noAnswer: () => T;
  /** It was not done. */
  readonly refused: () => T;
};

export type Wire = {
  readonly state: LinkState;
  /** Requests so far, whatever came of them. */
  sent(): number;
  /** Sends a request; `apply` is what the server does when it arrives, at one moment or until it resolves. */
  call<T>(apply: () => T | Promise<T>, words: Words<T>, signal: AbortSignal, timeoutMs: number): Promise<T>;
  /** Whether a message sent now gets through, and after how long; null: never. */
  travelMs(): number | null;
};

export type WireCounts = { requests: number; lostRequests: number; lostAnswers: number; late: number };

export function createWire(loop: Loop, client: Process, server: Server, random: Stream, counts: WireCounts): Wire {
  const state: LinkState = { cut: 'no', trouble: 0 };
  let sent = 0;

  /** Milliseconds until a message arrives; null: it never does. */
  function travelMs(): number | null {
    const quick = random.between(0.1, 1.5);
    if (!random.chance(state.trouble)) return quick;
    const kind = random.below(4);
    if (kind === 0) return null;
    counts.late += 1;
    // Past the timeout of its sender, so that it lands when nobody expects it any more.
    return kind === 1 ? random.between(2, 400) : random.between(500, 6000);
  }

  function call<T>(
    apply: () => T | Promise<T>,
    { noAnswer, refused }: Words<T>,
    signal: AbortSignal,
    timeoutMs: number,
  ): Promise<T> {
    counts.requests += 1;
    sent += 1;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let over = false;
    const end = (make: () => T): void => {
      if (over) return;
      over = true;
      cancelTimeout();
      signal.removeEventListener('abort', abort);
      try {
        resolve(make());
      } catch (error) {
        reject(error);
      }
    };
    const abort = (): void =>
      end(() => {
        throw signal.reason;
      });
    const cancelTimeout = client.clock.after(timeoutMs, () => end(noAnswer));
    if (signal.aborted) {
      abort();
      return promise;
    }
    signal.addEventListener('abort', abort, { once: true });
    const answer = (make: () => T): void => {
      const ms = state.cut === 'no' ? travelMs() : null;
      if (ms === null) counts.lostAnswers += 1;
      else loop.after(ms, () => client.run(() => end(make)));
    };
    if (state.cut === 'refused') {
      loop.after(0.2, () => client.run(() => end(refused)));
      return promise;
    }
    const there = state.cut === 'swallowed' ? null : travelMs();
    if (there === null) counts.lostRequests += 1;
    else loop.after(there, () => arrive(server, apply, refused, answer));
    return promise;
  }

  return { state, sent: () => sent, call, travelMs };
}

function arrive<T>(
  server: Server,
  apply: () => T | Promise<T>,
  refused: () => T,
  answer: (make: () => T) => void,
): void {
  if (server.isDown()) return answer(refused);
  server.process.run(() => {
    if (server.isDown()) return answer(refused);
    let result: T | Promise<T>;
    try {
      result = apply();
    } catch (error) {
      return answer(() => {
        throw error;
      });
    }
    if (!(result instanceof Promise)) {
      const value = result;
      return answer(() => value);
    }
    result.then(
      (value) => answer(() => value),
      () => answer(refused),
    );
  });
}
