/** What answers in pods that are asked before they lead, and what each has answered in which life, for the checker (I16). */
import { createServer, type Server } from 'node:http';
import { DEFAULT_TOLERANCE_MS } from '../../checker/breach.ts';
import type { History, PodEvent, PromotionAnswered, WatchedPod } from '../../checker/history.ts';
import { ASKED_PORT, addressOf } from './groups.ts';

/** `atMs`: monotonic milliseconds at which it was asked. */
export type Said = { readonly pod: string; readonly atMs: number; readonly passes: boolean };
export type Manner = 'passes' | 'refuses' | 'hangs';

export type Asked = AsyncDisposable & {
  readonly said: readonly Said[];
  set(pod: string, manner: Manner): void;
};

export async function startAsked(pods: readonly string[]): Promise<Asked> {
  await using made = new AsyncDisposableStack();
  const said: Said[] = [];
  const manners = new Map<string, Manner>();
  for (const pod of pods) {
    const server = createServer((_, response) => {
      const manner = manners.get(pod) ?? 'passes';
      said.push({ pod, atMs: performance.now(), passes: manner === 'passes' });
      if (manner !== 'hangs') response.writeHead(manner === 'passes' ? 200 : 503).end();
    });
    await new Promise<void>((resolve, reject) =>
      server.once('error', reject).listen(ASKED_PORT, addressOf(pod), resolve),
    );
    made.defer(() => closed(server));
  }
  const all = made.move();
  return {
    said,
    set: (pod, manner) => void manners.set(pod, manner),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.closeAllConnections();
    server.close(() => resolve());
  });

type Life = { readonly podUid: string; readonly restarts: number; readonly fromMs: number; toMs: number };

/** A pod knows its name; whose uid and restarts the name had when it was asked, the history tells. Around the end of a life it may have been either. */
export function answersByLife(pods: History['pods'], said: readonly Said[]): readonly PromotionAnswered[] {
  const lives = livesByName(pods);
  return said.flatMap(({ pod, atMs, passes }) =>
    (lives.get(pod) ?? []).flatMap(({ podUid, restarts, fromMs, toMs }) =>
      fromMs - DEFAULT_TOLERANCE_MS <= atMs && atMs <= toMs + DEFAULT_TOLERANCE_MS
        ? [{ podUid, restarts, atMs, passes }]
        : [],
    ),
  );
}

function livesByName(events: readonly PodEvent[]): ReadonlyMap<string, readonly Life[]> {
  const lives = new Map<string, Life[]>();
  for (const event of events) {
    for (const pod of event.kind === 'list' ? event.pods : [event.pod]) {
      const own = lives.get(pod.name) ?? [];
      lives.set(pod.name, own);
      follow(own, event, pod);
    }
  }
  return lives;
}

function follow(own: Life[], { kind, atMs, earliestMs = atMs }: PodEvent, pod: WatchedPod): void {
  const last = own.at(-1);
  if (kind !== 'deleted' && isLife(last, pod)) return;
  if (last !== undefined) last.toMs = Math.min(last.toMs, atMs);
  if (kind === 'deleted') return;
  own.push({ podUid: pod.uid, restarts: pod.restarts ?? 0, fromMs: earliestMs, toMs: Number.POSITIVE_INFINITY });
}

const isLife = (life: Life | undefined, { uid, restarts = 0 }: WatchedPod): boolean =>
  life?.podUid === uid && life.restarts === restarts;
