/** `kubectl leadergroup dashboard`: a page in the browser that shows the groups live, and changes nothing. */
import process from 'node:process';
import { follow } from '../dashboard/follow.ts';
import { newSecrets } from '../dashboard/guard.ts';
import { openInBrowser, writeHandover } from '../dashboard/handover.ts';
import { createLook } from '../dashboard/look.ts';
import { startDashboard } from '../dashboard/server.ts';
import { createStore, type Store } from '../dashboard/store.ts';
import { ApiError, EXIT, type Exit } from '../errors.ts';
import { isWorking, operatorLine, readOperator } from '../operator.ts';
import { show } from '../output.ts';
import { LEADER_GROUPS, PODS } from '../resources.ts';
import type { Session } from '../session.ts';

export type DashboardWish = {
  /** 0: any that is free. */
  readonly port: number;
  readonly open: boolean;
};

const OPERATOR_EVERY_MS = 30_000;

/** Until Ctrl-C. Rejects when the groups cannot be listed at the start, or the port is taken. */
export async function dashboard(session: Session, wish: DashboardWish): Promise<Exit> {
  const over = new AbortController();
  const within = { ...session, signal: AbortSignal.any([session.signal, over.signal]) };
  const store = createStore(() => session.api.nowMs());
  const watches = Promise.all([follow(within, LEADER_GROUPS, store.groups), followPods(within, store)]);
  const serving = serveWhenListed(within, wish, store);
  try {
    await Promise.race([watches, serving]);
    return EXIT.done;
  } finally {
    over.abort();
    await Promise.allSettled([watches, serving]);
  }
}

/** Not before the groups are listed: a page that shows none would say that there are none. */
async function serveWhenListed(session: Session, wish: DashboardWish, store: Store): Promise<void> {
  const { signal } = session;
  const ended = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  while (!signal.aborted && !store.isListed()) await Promise.race([store.changed(), ended]);
  if (!signal.aborted) await serve(session, wish, store);
}

async function serve(session: Session, wish: DashboardWish, store: Store): Promise<void> {
  const { api, io, clock, context, namespace } = session;
  const secrets = newSecrets();
  const about = { context, server: api.server(), namespace };
  const findings = createLook(session);
  await using server = await startDashboard({ port: wish.port, secrets, store, clock, about, findings });
  await using handover = await writeHandover(io, server.port, secrets.ticket);
  const address = `http://127.0.0.1:${server.port}/`;
  show(session, { context, server: about.server, address, file: handover.path }, () => [
    `Read-only dashboard of the context ${context} (${about.server}): ${address}`,
    `Open it with the file ${handover.path}, which is for you alone. Ctrl-C ends it.`,
  ]);
  if (wish.open) openInBrowser(handover.path, process.platform);
  await followOperator(session, store);
}

/** Without the right to see pods the rest is shown all the same. */
async function followPods(session: Session, store: Store): Promise<void> {
  try {
    await follow(session, PODS, store.pods);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    store.podsDenied(error.message);
  }
}

async function followOperator(session: Session, store: Store): Promise<void> {
  const { clock, signal } = session;
  while (!signal.aborted) {
    try {
      const state = await readOperator(session);
      store.operator(operatorLine(state), state.kind === 'unknown' || isWorking(state));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      store.operator(`unknown: ${error.message}`, true);
    }
    await clock.sleep(OPERATOR_EVERY_MS, signal).catch(() => undefined);
  }
}
