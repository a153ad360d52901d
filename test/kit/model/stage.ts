/** Words for schedules: who stalls where, what is under way, who takes over. */

import { tokenAnnotation } from '../../../src/api/names.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { parseSwitchover } from '../../../src/api/switchover.ts';
import { groupKeys } from '../../../src/election/keys.ts';
import { parseRecord } from '../../../src/election/record.ts';
import { settle } from '../fakes/clock.ts';
import type { Fate, HeldRequest, Request } from './link.ts';
import type { Model } from './model.ts';
import { type Replica, SPACE } from './replica.ts';

/** O1 owns every bucket, and has done whatever was to be done. */
export async function ownedAtRest(model: Model): Promise<Replica> {
  const o1 = model.replica('O1');
  await model.own(o1);
  await model.rest(o1);
  return o1;
}

/** Another replica, which owns every bucket from now on, and has done nothing yet. */
export async function newOwner(model: Model): Promise<Replica> {
  const next = model.replica(`O${model.replicas.length + 1}`);
  await model.own(next);
  return next;
}

export async function seeAndPass(model: Model, replica: Replica): Promise<void> {
  replica.see.all();
  await model.pass(replica);
}

/** Passes until the group is gone, letting time go by as passes ask for it; fails after `limit`. */
export async function untilGone(model: Model, owner: Replica, limit = 30): Promise<void> {
  for (let passes = 0; model.api.group() !== null; passes += 1) {
    if (passes === limit) throw new Error('the group hangs');
    owner.see.all();
    await owner.hear();
    await model.pass(owner);
    const next = owner.next();
    if (next?.kind === 'after') await model.clock.advance(Math.min(next.delayMs, 1000));
    if (next?.kind === 'retry') await model.clock.advance(200);
  }
}

export type Which = Pick<Request, 'operation'> & { readonly about?: string };

/** The first such request from now on meets the fate, all others arrive. */
function next(replica: Replica, which: Which, fate: Fate): void {
  let met = false;
  replica.link.decide((request) => {
    const is = request.operation === which.operation && (which.about === undefined || request.about === which.about);
    if (met || !is) return 'arrives';
    met = true;
    return fate;
  });
}

/** The replica works until it waits for its first such request. Fails when it never sends one. */
export async function stall(replica: Replica, which: Which, fate: Fate = 'held'): Promise<HeldRequest> {
  next(replica, which, fate);
  replica.pass();
  await settle();
  const held = replica.link.held().at(-1);
  if (held === undefined) throw new Error(`${replica.name} sent no ${which.operation} ${which.about ?? ''}`);
  return held;
}

/** What can become of a request, other than that it arrives and is answered. */
export const INTERRUPTIONS = ['lost', 'answerLost', 'held'] as const satisfies readonly Fate[];

/** One pass, whose request number `at` meets `fate`. False: the pass has no such request. */
export async function interruptedPass(replica: Replica, at: number, fate: Fate): Promise<boolean> {
  let sent = -1;
  replica.link.decide(() => {
    sent += 1;
    return sent === at ? fate : 'arrives';
  });
  replica.pass();
  await settle();
  return sent >= at;
}

/** What becomes of the request at which something happens, and of all later ones. */
export type FateOf = (request: Request, isFirst: boolean) => Fate;

export const first =
  (fate: Fate, others: Fate = 'arrives'): FateOf =>
  (_request, isFirst) =>
    isFirst ? fate : others;

export const cutFrom =
  (server: Request['to']): FateOf =>
  ({ to }) =>
    to === server ? 'lost' : 'arrives';

/** Of a replica that stood still, and whose every request and answer waited: it goes on. */
export async function wake(replica: Replica): Promise<void> {
  replica.link.decide(() => 'arrives');
  for (const held of replica.link.held()) await arrive(held);
}

/** The replica waits for nothing any more; what it sends from now on arrives, and what is under way may do so yet. */
export async function giveUpAll(replica: Replica): Promise<void> {
  for (const held of replica.link.held()) held.giveUp();
  await settle();
  replica.link.decide(() => 'arrives');
}

/** The replica gives up waiting, its request stays under way. */
export async function timeOut(held: HeldRequest): Promise<void> {
  held.giveUp();
  await settle();
}

/** The request (or its answer) arrives, and whatever follows from it happens. */
export async function arrive(held: HeldRequest): Promise<void> {
  held.deliver();
  await settle();
}

export const tokenOn = (model: Model, pod: string, group = 'notifier'): number =>
  Number(model.api.pod(pod)?.annotations[tokenAnnotation(group)] ?? 0);

/** Pod whose session holds the lock; null when nobody's does. */
export function lockedFor(model: Model): Pod | null {
  const group = model.api.group();
  if (group === null) return null;
  const session = model.consul.entry(groupKeys(SPACE, group, group.spec.lockKey).lock)?.session ?? null;
  const uid = session === null ? null : model.consul.nameOf(session).split('/')[2];
  return model.api.pods().find((pod) => pod.uid === uid) ?? null;
}

/** The pods that have the label, and the one whose session holds the lock. */
export const whoLeads = (model: Model): readonly [readonly string[], string | undefined] => [
  model.leaders(),
  lockedFor(model)?.name,
];

/** The annotation of the group asks for a switchover; null: it is off. */
export const annotateSwitchover = (model: Model, text: string | null): void =>
  model.api.foreign.changeGroup('notifier', () => ({ switchover: parseSwitchover(text) }));

/** The session of `next` is gone each time that `leader` has been fenced. */
export function endSessionOnFencing(model: Model, leader: string, next: string): void {
  model.api.onPodWrite(({ after, patch }) => {
    if (after.name !== leader || patch.labels['leadergroup.dev/role'] === 'leader') return;
    const session = model.consul.sessions().find(({ name }) => name.endsWith(`/uid-of-${next}`));
    if (session !== undefined) model.consul.foreign.endSession(session.id);
  });
}

export function record(model: Model) {
  const group = model.api.group();
  if (group === null) return null;
  const keys = groupKeys(SPACE, group, group.spec.lockKey);
  return parseRecord(model.consul.entry(keys.record ?? keys.lock)?.value ?? null);
}

/** Consul ends the session of this pod that holds the lock, as at its expiry. */
export function endLeadersSession(model: Model): void {
  const group = model.api.group();
  if (group === null) return;
  const session = model.consul.entry(groupKeys(SPACE, group, group.spec.lockKey).lock)?.session ?? null;
  if (session === null) throw new Error('nobody holds the lock');
  model.consul.foreign.endSession(session);
}
