/** Requests that a test has asked for: held back, delayed, or cut at a chosen point. */
import type { IncomingHttpHeaders } from 'node:http';
import { type Limit, waiting } from '../waiting.ts';

/** What a matcher sees. The body is text; empty for none. */
export type SeenRequest = {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
};

export type Matcher = (request: SeenRequest) => boolean;

/**
 * `beforeForwarding`: the server has not seen it; released, it arrives late, also when the client has long given up.
 * `reply`: the server has answered (and committed); the client hears nothing until release.
 * `dropReply`: the same, but the connection is cut at once instead of answered.
 * `cut`: the connection is cut, the server never sees it.
 */
export type HoldMode = 'beforeForwarding' | 'reply' | 'dropReply' | 'cut';

export type HeldRequest = SeenRequest & {
  /** Lets it go on. Nothing when it has gone already. */
  release(): void;
  /** Cuts the connection; a request that was not forwarded never will be. */
  drop(): void;
  /** Status of the server's answer, once there is one. */
  readonly status: number | undefined;
};

export type Hold = {
  /** Every request that matched, in order. */
  readonly requests: readonly HeldRequest[];
  /** Resolves with the n-th matching request (from 1) once it is held, or in `dropReply` and `cut` has been dealt with. */
  held(count: number, limit?: Partial<Limit>): Promise<HeldRequest>;
  /** Lets all go and stops matching. */
  release(): void;
  /** Cuts all and stops matching. */
  drop(): void;
  [Symbol.dispose](): void;
};

export type HoldOptions = {
  readonly mode: HoldMode;
  /** How many requests to match; default: all until released. */
  readonly times?: number;
};

/** One request on its way through a hold. Resolves false when it is to be cut. */
type Gate = {
  readonly held: HeldRequest;
  readonly opened: Promise<boolean>;
  answered(status: number): void;
  arrived(): void;
};

export type ActiveHold = { readonly mode: HoldMode; admit(request: SeenRequest): Gate | null; readonly hold: Hold };

const DEFAULT_TIMEOUT_MS = 15_000;

export function createHold(matcher: Matcher, { mode, times = Number.POSITIVE_INFINITY }: HoldOptions): ActiveHold {
  const wait = waiting();
  const requests: HeldRequest[] = [];
  const arrived = new Set<HeldRequest>();
  let active = true;
  const admit = (request: SeenRequest): Gate | null => {
    if (!active || requests.length >= times || !matcher(request)) return null;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    let status: number | undefined;
    const held: HeldRequest = {
      ...request,
      release: () => resolve(true),
      drop: () => resolve(false),
      get status() {
        return status;
      },
    };
    requests.push(held);
    return {
      held,
      opened: promise,
      answered: (code) => {
        status = code;
      },
      arrived: () => {
        arrived.add(held);
        wait.note(`${mode} ${request.method} ${request.path}`);
      },
    };
  };
  const end = (act: (request: HeldRequest) => void): void => {
    active = false;
    requests.forEach(act);
  };
  const hold: Hold = {
    requests,
    held: (count, limit) =>
      wait.until(() => requests.filter((request) => arrived.has(request))[count - 1], {
        timeoutMs: DEFAULT_TIMEOUT_MS,
        what: `request ${count} that matches a hold (${mode})`,
        ...limit,
      }),
    release: () => end((request) => request.release()),
    drop: () => end((request) => request.drop()),
    [Symbol.dispose]: () => end((request) => request.release()),
  };
  return { mode, admit, hold };
}
