/** `kubectl leadergroup watch [NAME]`: what changes, as it changes, one line each. */
import { stringify } from 'yaml';
import { asObject, field, textField } from '../../api/raw.ts';
import type { Change, Listed, Selection } from '../api-server.ts';
import { ApiError, EXIT, type Exit } from '../errors.ts';
import { conditionOf, type Group, groupOf, isTrue, readGroup } from '../groups.ts';
import { tint } from '../output.ts';
import { LEADER_GROUPS } from '../resources.ts';
import { oneNamespace, type Session } from '../session.ts';

/** What is compared from one version of a group to the next. */
type Seen = {
  readonly leader: string;
  readonly token: number | null;
  readonly ready: string;
  readonly reason: string;
  readonly message: string;
  readonly paused: boolean;
};

export type WatchOptions = {
  /** null: until Ctrl-C. Milliseconds. */
  readonly forMs: number | null;
};

const PAUSE_MS = 1_000;

/** Ends with `done` when the time is over or on Ctrl-C. A watch that breaks off is begun again, and says so. */
export async function watch(session: Session, name: string | null, { forMs }: WatchOptions): Promise<Exit> {
  const namespace = name === null ? session.namespace : oneNamespace(session);
  if (name !== null) await readGroup(session, oneNamespace(session), name);
  const over = new AbortController();
  const signal = AbortSignal.any([session.signal, over.signal]);
  const cancel = forMs === null ? (): void => undefined : session.clock.after(forMs, () => over.abort());
  try {
    await follow(session, { namespace, name }, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    cancel();
  }
  return EXIT.done;
}

type Which = { readonly namespace: string | null; readonly name: string | null };

async function follow(session: Session, { namespace, name }: Which, signal: AbortSignal): Promise<void> {
  const seen = new Map<string, Seen>();
  const selection = { namespace, ...(name === null ? {} : { fieldSelector: `metadata.name=${name}` }) };
  let begun = false;
  while (!signal.aborted) {
    try {
      const listed = await session.api.list(LEADER_GROUPS, selection);
      begun = true;
      tellListed(session, seen, listed.items);
      await tellChanges(session, seen, { selection, signal, ...listed });
    } catch (error) {
      if (!begun || !(error instanceof ApiError) || error.kind === 'denied') throw error;
      session.io.err(`${error.message} Trying again.`);
      await session.clock.sleep(PAUSE_MS, signal);
    }
  }
}

function tellListed(session: Session, seen: Map<string, Seen>, items: Listed['items']): void {
  const present = new Set(items.map(keyOf));
  for (const key of [...seen.keys()].filter((key) => !present.has(key))) gone(session, seen, key);
  for (const item of items) tell(session, seen, { type: 'ADDED', object: item });
  if (items.length === 0) session.io.err('There are no LeaderGroups; waiting for one.');
}

type From = { readonly selection: Selection; readonly resourceVersion: string; readonly signal: AbortSignal };

/** Until the server ends the watch. */
async function tellChanges(session: Session, seen: Map<string, Seen>, from: From): Promise<void> {
  for await (const change of session.api.watch(LEADER_GROUPS, from.selection, from)) {
    if (change.type === 'ERROR') return;
    tell(session, seen, change);
  }
}

function keyOf(object: Change['object']): string {
  const metadata = asObject(field(object, 'metadata')) ?? {};
  return `${textField(metadata, 'namespace')}/${textField(metadata, 'name')}`;
}

function tell(session: Session, seen: Map<string, Seen>, { type, object }: Change): void {
  if (!['ADDED', 'MODIFIED', 'DELETED'].includes(type)) return;
  const group = groupOf(object);
  if (group === null) return;
  const key = keyOf(object);
  if (type === 'DELETED') return gone(session, seen, key);
  const now = seenOf(group);
  const before = seen.get(key);
  seen.set(key, now);
  const what = before === undefined ? first(now) : changed(before, now);
  if (what.length > 0) line(session, key, what, now);
}

function gone(session: Session, seen: Map<string, Seen>, key: string): void {
  if (seen.delete(key)) line(session, key, ['deleted'], null);
}

function line(session: Session, key: string, what: readonly string[], now: Seen | null): void {
  const { io, api } = session;
  const time = new Date(api.nowMs()).toISOString();
  const data = { time, group: key, changes: what, now };
  if (session.format === 'json') io.out(JSON.stringify(data));
  else if (session.format === 'yaml') io.out(`---\n${stringify(data).trimEnd()}`);
  else io.out(`${tint(io, 'dim', time.slice(11, 19))}  ${key}  ${what.join('; ')}`);
}

function seenOf(group: Group): Seen {
  const { leader, leaders } = group.status;
  const { status: ready, reason, message } = conditionOf(group, 'Ready') ?? { status: '', reason: '', message: '' };
  return { leader, token: leaders[0]?.token ?? null, ready, reason, message, paused: isTrue(group, 'Paused') };
}

const leads = ({ leader, token }: Seen): string => (leader === '' ? 'nobody leads' : `${leader} leads, token ${token}`);
const isReady = ({ ready, reason, message }: Seen): string =>
  ready === '' ? 'no status yet' : `Ready=${ready} (${reason})${ready === 'True' ? '' : `: ${message}`}`;

const first = (now: Seen): readonly string[] => [leads(now), isReady(now), ...(now.paused ? ['paused'] : [])];

function changed(before: Seen, now: Seen): readonly string[] {
  return [
    ...(before.leader !== now.leader || before.token !== now.token
      ? [`${leads(now)}${before.leader === now.leader || before.leader === '' ? '' : ` (before: ${before.leader})`}`]
      : []),
    ...(before.ready !== now.ready || before.reason !== now.reason ? [isReady(now)] : []),
    ...(before.paused !== now.paused ? [now.paused ? 'paused' : 'resumed'] : []),
  ];
}
