/**
 * The same world for promises I12 and I13: two members claim and ask again, at whoever thinks that it has the bucket, while the bucket moves, owners die, and writes are held up,
 * late, or not answered. AtLeastOnce they also say that they have done it, or let it become overdue. A pass is one step here, and so is a claim, unless its write is held up.
 */
import type { ClaimMode } from '../../../../src/api/claim.ts';
import { MAX_GRANT_MS } from '../../../../src/election/gate.ts';
import { aPod } from '../../fakes/builders.ts';
import { settle } from '../../fakes/clock.ts';
import { type Call, claimingIn, RETRY_MS } from '../claiming.ts';
import type { Fate } from '../link.ts';
import { aModel } from '../model.ts';
import type { Replica } from '../replica.ts';
import { endLeadersSession, lockedFor } from '../stage.ts';
import { spending } from './budget.ts';
import type { Explored, Step } from './explored.ts';
import { createSeats, SEATS } from './seats.ts';

/** How often each may happen on one path, and how many troubles (claims, reports, time and passes are none) in all. */
export type ClaimBudget = Readonly<Record<ClaimTrouble | 'claim' | 'repeat' | 'done' | 'overdue', number>> & {
  readonly inAll: number;
};
type ClaimTrouble = 'fate' | 'late' | 'change' | 'takeOver' | 'crash' | 'expire';

const MEMBERS = ['a', 'b'] as const;
/** What may become of the write of a claim. */
const FATES: Readonly<Record<string, Fate>> = { heldUp: 'held', unanswered: 'answerLost' };
/** Whoever tries a claim again has done so by then. */
const TRIES_MS = 100;
const ASKS = 4;

/** a leads, O1 owns the bucket, and nobody has claimed anything. */
export async function openClaimWorld(budget: ClaimBudget, mode: ClaimMode): Promise<Explored> {
  const model = aModel({ pods: MEMBERS.map((name) => aPod({ name })) });
  const left: Record<keyof ClaimBudget, number> = { ...budget };
  const { may, spend } = spending<ClaimTrouble>(left);
  const seats = createSeats(model, () => 'arrives');
  const claiming = claimingIn(model);

  await seats.ownAgain('O1');
  await model.rest(seats.of('O1').replica);
  seats.seen();
  seats.opened();

  function stepsOf(name: string): readonly Step[] {
    const { replica } = seats.of(name);
    const requests = seats.arrivals(name, may('late') ? ['late'] : []);
    if (replica.believes() !== 'owned') return requests;
    return [
      ...requests,
      ...claimsAt(name),
      ...(mayPass(name) ? [`${name} pass`] : []),
      ...(may('crash') ? [`${name} crash`] : []),
    ];
  }

  /** Of the position that follows, for each member; again what was asked last; and that this is done. */
  function claimsAt(name: string): readonly Step[] {
    const begun = left.claim > 0 ? MEMBERS.map((member) => `${name} claim ${member}`) : [];
    const repeated = left.repeat > 0 && claiming.calls.length > 0 ? [`${name} repeat last`] : [];
    const reported = left.done > 0 && claiming.calls.length > 0 ? [`${name} done last`] : [];
    const all = [...begun, ...repeated, ...reported];
    return may('fate') ? [...all, ...all.flatMap((step) => Object.keys(FATES).map((how) => `${step} ${how}`))] : all;
  }

  function mayPass(name: string): boolean {
    const { replica, trace, passedAt } = seats.of(name);
    const again = ['retry', 'after'].includes(replica.next()?.kind ?? '');
    return !replica.busy() && (seats.isBehind(name) || again || trace.length > passedAt);
  }

  function steps(): readonly Step[] {
    const isReady = model.api.pod('a')?.ready === true;
    return [
      ...SEATS.flatMap(stepsOf),
      ...seats.landings(),
      ...(may('change') ? [isReady ? 'a unready' : 'a ready'] : []),
      ...(may('expire') && lockedFor(model) !== null ? ['expire'] : []),
      ...(may('takeOver') ? ['takeOver'] : []),
      ...(left.overdue > 0 && claiming.calls.length > 0 ? ['overdue'] : []),
    ];
  }

  async function take(step: Step): Promise<void> {
    const [subject = '', what = '', about = '0', how] = step.split(' ');
    if (seats.has(subject)) replicaStep(subject, what, about, how);
    else if (subject === 'land') seats.land(Number(what));
    else if (subject === 'expire') {
      spend('expire');
      endLeadersSession(model);
    } else if (subject === 'takeOver') {
      spend('takeOver');
      await seats.ownAgain(seats.holder() === 'O1' ? 'O2' : 'O1');
    } else if (subject === 'overdue') await becomeOverdue();
    else {
      spend('change');
      model.api.foreign.changePod(subject, () => ({ ready: what === 'ready' }));
    }
    await settle();
    await model.clock.advance(TRIES_MS);
  }

  function replicaStep(name: string, what: string, about: string, how: string | undefined): void {
    switch (what) {
      case 'arrive':
        return seats.pending(name)[Number(about)]?.deliver();
      case 'late':
        spend('late');
        return seats.leave(name, Number(about));
      case 'crash':
        spend('crash');
        return seats.crash(name);
      case 'pass':
        return pass(name);
      case 'claim':
        left.claim -= 1;
        return ask(name, claiming.call(about, { position: claiming.calls.length + 1, mode }), how);
      case 'repeat':
        left.repeat -= 1;
        return claiming.calls.slice(-1).forEach((call) => ask(name, call, how));
      case 'done':
        left.done -= 1;
        return claiming.calls.slice(-1).forEach((call) => report(name, call, how));
    }
  }

  function ask(name: string, call: Call, how: string | undefined): void {
    seats.of(name).trace.push(`asked for ${call.asked.position} by ${call.asked.id} of ${call.pod}`);
    // Whoever is killed answers nobody.
    void claiming.claim(meeting(name, how), call).catch(() => undefined);
  }

  function report(name: string, call: Call, how: string | undefined): void {
    seats.of(name).trace.push(`told of ${call.asked.id} of ${call.pod}`);
    void claiming.report(meeting(name, how), call, 'done').catch(() => undefined);
  }

  /** Whoever has the bucket looks at the lock again: what it knows of it is as old. */
  async function becomeOverdue(): Promise<void> {
    left.overdue -= 1;
    await model.clock.advance(RETRY_MS);
    for (const name of SEATS) {
      const { replica, trace } = seats.of(name);
      trace.push('overdue');
      if (replica.believes() === 'owned' && !replica.busy()) pass(name);
    }
  }

  /** The next write of the replica meets this. */
  function meeting(name: string, how: string | undefined): Replica {
    const { replica } = seats.of(name);
    let fate = how === undefined ? undefined : FATES[how];
    if (fate !== undefined) spend('fate');
    replica.link.decide(({ operation }) => {
      const met = operation === 'txn' ? fate : undefined;
      if (met !== undefined) fate = undefined;
      return met ?? 'arrives';
    });
    return replica;
  }

  function pass(name: string): void {
    const seat = seats.of(name);
    seats.see(name);
    seat.replica.link.decide(() => 'arrives');
    seat.trace.push('pass');
    seat.passedAt = seat.trace.length;
    seat.replica.pass();
  }

  /** The owner goes on, or the next one, and whoever comes to lead is given the position that follows. */
  async function converges(): Promise<string | null> {
    await seats.deliverAll();
    await model.clock.advance(TRIES_MS);
    for (const name of MEMBERS) model.api.foreign.changePod(name, () => ({ ready: true }));
    const last = model.replica('O3');
    try {
      await model.own(last);
      await model.rest(last, 20);
    } catch (error) {
      return String(error);
    }
    return await notGiven(last);
  }

  async function notGiven(owner: Replica): Promise<string | null> {
    const [leader, ...more] = model.leaders();
    if (leader === undefined || more.length > 0) return `leaders: ${model.leaders().join(', ') || 'none'}`;
    // AtLeastOnce it may be given what nobody has done before.
    if (mode === 'AtLeastOnce') await model.clock.advance(RETRY_MS);
    const call = claiming.call(leader, { position: claiming.calls.length + 1, mode });
    // Whoever asks has the lock verified.
    for (let asks = 0; asks < ASKS && call.answer?.kind !== 'claimed'; asks += 1) {
      await model.rest(owner, 20);
      void claiming.claim(owner, call);
      await model.clock.advance(MAX_GRANT_MS);
    }
    return call.answer?.kind === 'claimed' ? null : `${leader} leads, and is told ${JSON.stringify(call.answer)}`;
  }

  const given = (): readonly Call[] => claiming.calls.filter(({ answer }) => answer?.kind === 'claimed');

  return {
    model,
    steps,
    take,
    fingerprint: () => seats.fingerprint({ left, calls: claiming.calls }),
    breaches: () => [...model.promises.breaches, ...claiming.breaches, ...seats.failures()],
    converges,
    met: (path) => ({
      given: given().length > 0,
      repeats: path.some((step) => step.includes('repeat')),
      takeOvers: path.includes('takeOver'),
      lateWrites: path.some((step) => step.startsWith('land')),
      again: given().some(({ answer }) => answer?.kind === 'claimed' && answer.claim.attempt > 1),
      laterOnes: given().length > 1 && path.some((step) => step.includes('done')),
    }),
  };
}
