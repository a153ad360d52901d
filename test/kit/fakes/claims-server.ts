/** A gate that gives out positions by the operator's own rules, to whom the test has lead. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Claim, ClaimRequest } from '../../../src/api/claim.ts';
import { afterReport, judgeClaim, nextClaim } from '../../../src/election/claims.ts';

export type ClaimsServer = AsyncDisposable & {
  readonly url: string;
  /** Of this series; null: nothing was claimed. */
  mark(series: string): Claim | null;
  /** From now on the pod with this uid leads; null: nobody does. Whoever waits is asked again. */
  lead(uid: string | null): void;
  /** From now on nobody can say anything, or somebody can again. */
  silence(silent: boolean): void;
};

type Call = { readonly pod: string; readonly uid: string; readonly waitMs: number; readonly body: ClaimRequest };
type SentClaim = Pick<ClaimRequest, 'series' | 'position' | 'id'> & {
  readonly mode?: ClaimRequest['mode'];
  readonly retryAfterSeconds?: number;
};
type Said = { readonly status: number; readonly body: object; readonly final: boolean };

const PATH = /\/members\/([^/]+)\/claims(\/done|\/renew)?$/;

export async function startClaimsServer(): Promise<ClaimsServer> {
  const marks = new Map<string, Claim>();
  const waiting = new Set<() => void>();
  let [leader, token, silent]: [string | null, number, boolean] = [null, 0, false];
  const wake = (): void => {
    for (const again of waiting) again();
  };

  function claim({ pod, uid, body }: Call): Said {
    if (silent) return { status: 503, body: { reason: 'NotKnown' }, final: false };
    const mark = marks.get(body.series) ?? null;
    const judged = judgeClaim(mark, body, uid as Claim['uid'], Date.now());
    if (judged.kind === 'claimed') return claimed(judged.mark);
    if (judged.kind === 'refused') {
      const { reason } = judged;
      const { position, state } = judged.mark;
      return { status: 409, body: { claimed: false, reason, position, state }, final: reason === 'Passed' };
    }
    if (uid !== leader) return { status: 409, body: { claimed: false, reason: 'NotLeader' }, final: false };
    const next = nextClaim(mark, body, { pod, uid: uid as Claim['uid'], token }, Date.now());
    marks.set(body.series, next);
    setImmediate(wake);
    return claimed(next);
  }

  function answerClaim(call: Call, response: ServerResponse): void {
    const untilMs = performance.now() + call.waitMs;
    const look = (): void => {
      const { status, body, final } = claim(call);
      if (!final && performance.now() < untilMs) return;
      end();
      reply(response, final || call.waitMs === 0 ? status : 503, final ? body : { reason: 'NotKnown', ...body });
    };
    // What is pending becomes overdue without any change.
    const timer = setInterval(look, 20);
    const end = (): void => {
      clearInterval(timer);
      waiting.delete(look);
    };
    waiting.add(look);
    response.once('close', end);
    look();
  }

  function report(call: Call, what: 'done' | 'renew', response: ServerResponse): void {
    const { series, position, id } = call.body;
    const mark = marks.get(series) ?? null;
    const next = afterReport(mark, { position, id, uid: call.uid as Claim['uid'], what }, Date.now());
    if (next !== null) marks.set(series, next);
    reply(response, next === null ? 409 : 200, next === null ? { reason: 'NotYours' } : { position });
    wake();
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://gate');
    const [, pod = '', end] = PATH.exec(url.pathname) ?? [];
    if (request.method === 'GET') {
      const mark = marks.get(url.searchParams.get('series') ?? '');
      return silent ? reply(response, 503, {}) : reply(response, 200, { position: mark?.position ?? null });
    }
    const call = callOf(pod, url.searchParams, await text(request));
    if (end === undefined) answerClaim(call, response);
    else report(call, end === '/done' ? 'done' : 'renew', response);
  }

  const server = createServer((request, response) => void serve(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    mark: (series) => marks.get(series) ?? null,
    lead: (uid) => {
      [leader, token] = [uid, token + 1];
      wake();
    },
    silence: (now) => {
      silent = now;
      wake();
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function callOf(pod: string, search: URLSearchParams, sent: string): Call {
  const { series, position, id, mode, retryAfterSeconds } = JSON.parse(sent) as SentClaim;
  const waitMs = Number(/^(\d+)ms$/.exec(search.get('wait') ?? '')?.[1] ?? 0);
  const retryAfterMs = (retryAfterSeconds ?? 300) * 1000;
  const body = { series, position, id, mode: mode ?? 'AtMostOnce', retryAfterMs };
  return { pod, uid: search.get('uid') ?? '', waitMs, body };
}

const claimed = ({ series, position, token, attempt }: Claim): Said => ({
  status: 201,
  body: { claimed: true, series, position, token, attempt },
  final: true,
});

const reply = (response: ServerResponse, status: number, body: object): void =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
