/**
 * The same world for promise I10: the members' clients ask, release and resign, the bucket moves, owners die, time passes. A pass is one step here:
 * of its writes one at most is held up, so that a grant and a whole handover fit into a few steps.
 */
import { CANDIDATE_ANNOTATION } from '../../../../src/api/names.ts';
import { MAX_GRANT_MS } from '../../../../src/election/gate.ts';
import { aPod } from '../../fakes/builders.ts';
import { settle } from '../../fakes/clock.ts';
import type { Request } from '../link.ts';
import { aModel, type Model } from '../model.ts';
import type { Replica } from '../replica.ts';
import { endLeadersSession, lockedFor } from '../stage.ts';
import { spending } from './budget.ts';
import { createClients } from './clients.ts';
import type { Explored, Step } from './explored.ts';
import { createSeats, SEATS } from './seats.ts';

/** How often each may happen on one path, and how many troubles (a question and the passing of time are none) in all. */
export type GateBudget = Readonly<Record<Trouble | 'ask' | 'wait', number>> & { readonly inAll: number };
type Trouble = 'release' | 'copy' | 'restart' | 'change' | 'takeOver' | 'hold' | 'late' | 'crash' | 'expire';

const MEMBERS = ['a', 'b'] as const;
const HELD_UP: ReadonlySet<Request['operation']> = new Set(['patchPod', 'txn']);
/** A pass that moves the lock writes a fence, a transaction and a promotion. */
const WRITES_OF_A_PASS = 3;
/** Longer than half of a grant, and than a whole one. */
const WAITS_MS: Readonly<Record<string, number>> = { half: MAX_GRANT_MS / 2 + 1, over: MAX_GRANT_MS + 1 };

/** What waits for a grant rests meanwhile. */
const RESTS = 3;

/** a leads and has a grant, O1 owns the bucket. `revoked`: a is to lead no more and has been told to stop, and its grant is waited for. */
export type GateStart = 'granted' | 'revoked';

export async function openGateWorld(budget: GateBudget, start: GateStart): Promise<Explored> {
  const model = aModel({ pods: MEMBERS.map((name) => aPod({ name })) });
  const left: Record<keyof GateBudget, number> = { ...budget };
  const { may, spend } = spending<Trouble>(left);
  const seats = createSeats(model, () => 'arrives');
  const clients = createClients(model);

  await seats.ownAgain('O1');
  await model.rest(seats.of('O1').replica);
  seats.seen();
  ask('a');
  if (start === 'revoked') {
    change('a', 'excluded');
    pass('O1', null);
    await settle();
  }
  seats.opened();

  /** Whoever has the bucket by Consul: one that has it no more says no grant, by the deadline of its own session (attack 13). */
  function ownerName(): string | undefined {
    const name = seats.holder();
    return name !== undefined && seats.of(name).replica.believes() === 'owned' ? name : undefined;
  }

  function ask(member: string): void {
    const owner = ownerName();
    if (owner === undefined) return;
    const answer = clients.ask(seats.of(owner).replica, member);
    seats.of(owner).trace.push(`asked by ${answer}`);
  }

  function stepsOf(name: string): readonly Step[] {
    const { replica } = seats.of(name);
    const requests = seats.arrivals(name, may('late') ? ['late'] : []);
    if (replica.believes() !== 'owned') return requests;
    return [...requests, ...(replica.busy() ? [] : passesOf(name)), ...(may('crash') ? [`${name} crash`] : [])];
  }

  /** It has been told something since its last pass, or that pass wants another. */
  function passesOf(name: string): readonly Step[] {
    const seat = seats.of(name);
    const again = ['retry', 'after'].includes(seat.replica.next()?.kind ?? '');
    const behind = seats.isBehind(name);
    if (!behind && !again && seat.trace.length <= seat.passedAt) return [];
    const writes = Array.from({ length: WRITES_OF_A_PASS }, (_, at) => `${name} hold ${at}`);
    return [`${name} pass`, ...(may('hold') ? writes : []), ...(again && behind ? [`${name} stale`] : [])];
  }

  function clientSteps(): readonly Step[] {
    if (ownerName() === undefined) return [];
    return [
      ...(left.ask > 0 ? MEMBERS.map((name) => `${name} asks`) : []),
      ...(may('release') ? ['a releases', 'a resigns'] : []),
      ...(may('copy') && clients.copies() > 0 ? ['copy'] : []),
    ];
  }

  function steps(): readonly Step[] {
    return [
      ...SEATS.flatMap(stepsOf),
      ...clientSteps(),
      ...(left.wait > 0 ? Object.keys(WAITS_MS).map((how) => `wait ${how}`) : []),
      ...seats.landings(),
      ...(may('restart') ? ['a restarts'] : []),
      ...(may('change') ? changesOf('a') : []),
      ...(may('expire') && lockedFor(model) !== null ? ['expire'] : []),
      ...(may('takeOver') ? ['takeOver'] : []),
    ];
  }

  function changesOf(name: string): readonly Step[] {
    const pod = model.api.pod(name);
    if (pod === null) return [];
    const excluded = pod.annotations[CANDIDATE_ANNOTATION] === 'false';
    return [
      excluded ? `${name} included` : `${name} excluded`,
      pod.ready ? `${name} unready` : `${name} ready`,
      `${name} recreated`,
    ];
  }

  async function take(step: Step): Promise<void> {
    const [subject = '', what = '', at = '0'] = step.split(' ');
    if (seats.has(subject)) replicaStep(subject, what, Number(at));
    else if (subject === 'wait') await passTime(WAITS_MS[what] ?? 0);
    else if (subject === 'land') seats.land(Number(what));
    else if (subject === 'copy') copyArrives();
    else if (subject === 'expire') {
      spend('expire');
      endLeadersSession(model);
    } else if (subject === 'takeOver') {
      spend('takeOver');
      await seats.ownAgain(ownerName() === 'O1' ? 'O2' : 'O1');
    } else memberStep(subject, what);
    await settle();
  }

  async function passTime(ms: number): Promise<void> {
    left.wait -= 1;
    for (const name of SEATS) seats.of(name).trace.push(`waits ${ms}`);
    await model.clock.advance(ms);
  }

  function copyArrives(): void {
    spend('copy');
    const owner = ownerName();
    if (owner === undefined) return;
    seats.of(owner).trace.push(`copy of ${clients.copyArrives(seats.of(owner).replica)}`);
  }

  function memberStep(name: string, what: string): void {
    switch (what) {
      case 'asks':
        left.ask -= 1;
        return ask(name);
      case 'releases':
      case 'resigns': {
        spend('release');
        const owner = ownerName();
        if (owner === undefined) return;
        const said = clients.release(seats.of(owner).replica, name, what === 'resigns');
        seats.of(owner).trace.push(`${what} ${said}`);
        return;
      }
      case 'restarts':
        spend('restart');
        return clients.restarts(name);
      default:
        spend('change');
        return change(name, what);
    }
  }

  function change(name: string, what: string): void {
    const { foreign } = model.api;
    if (what === 'ready' || what === 'unready') return foreign.changePod(name, () => ({ ready: what === 'ready' }));
    if (what === 'recreated') {
      // Its old process may go on, cut off from who deleted it: what it was granted is still believed.
      foreign.removePod(name);
      foreign.addPod(aPod({ name, uid: `uid-of-${name}-${left.inAll}` }));
      return;
    }
    foreign.changePod(name, ({ annotations }) => ({
      annotations: { ...annotations, [CANDIDATE_ANNOTATION]: String(what === 'included') },
    }));
  }

  function replicaStep(name: string, what: string, at: number): void {
    switch (what) {
      case 'arrive':
        return seats.pending(name)[at]?.deliver();
      case 'late':
        spend('late');
        return seats.leave(name, at);
      case 'crash':
        spend('crash');
        return seats.crash(name);
      case 'hold':
        spend('hold');
        return pass(name, at);
      case 'stale':
      case 'pass':
        return pass(name, null, what === 'stale');
    }
  }

  /** `heldUp`: which of its writes waits for a step of its own. */
  function pass(name: string, heldUp: number | null, stale = false): void {
    const seat = seats.of(name);
    if (!stale) seats.see(name);
    let writes = 0;
    seat.replica.link.decide(({ operation }) => {
      if (!HELD_UP.has(operation)) return 'arrives';
      writes += 1;
      return writes - 1 === heldUp ? 'held' : 'arrives';
    });
    seat.trace.push('pass');
    seat.passedAt = seat.trace.length;
    seat.replica.pass();
  }

  /** The owner goes on, or the next one, and whoever comes to lead gets a grant: no revocation outlives its plan. */
  async function converges(): Promise<string | null> {
    await seats.deliverAll();
    for (const name of MEMBERS) model.api.foreign.changePod(name, () => ({ ready: true }));
    const owner = ownerName();
    const last = owner === undefined ? model.replica('O3') : seats.of(owner).replica;
    try {
      if (owner === undefined) await model.own(last);
      let why = await restless(last);
      for (let rests = 0; why !== null && rests < RESTS; rests += 1) {
        await model.clock.advance(MAX_GRANT_MS);
        why = await restless(last);
      }
      return why;
    } catch (error) {
      return String(error);
    }
  }

  async function restless(owner: Replica): Promise<string | null> {
    await model.rest(owner, 20);
    return whyNotLed(model, owner);
  }

  return {
    model,
    steps,
    take,
    fingerprint: () => seats.fingerprint({ left, clients: clients.state() }),
    breaches: () => [...model.promises.breaches, ...clients.breaches(), ...seats.failures()],
    converges,
    met: (path) => ({
      grants: clients.grants() > 1,
      handovers: new Set(model.promises.promotions.map(({ uid }) => uid)).size > 1,
      nextGrants: clients.toOthers() > 0,
      releases: path.includes('a releases'),
      resignations: path.includes('a resigns'),
      takeOvers: path.includes('takeOver'),
    }),
  };
}

function whyNotLed(model: Model, owner: Replica): string | null {
  const leaders = model.leaders();
  const [leader] = leaders;
  if (leader === undefined || leaders.length > 1 || lockedFor(model)?.name !== leader)
    return `leaders: ${leaders.join(', ') || 'none'}`;
  const uid = model.api.pod(leader)?.uid ?? '';
  const { kind } = owner.ask(uid, 'the last term');
  return kind === 'grant' ? null : `${leader} leads, and is answered ${kind}`;
}
