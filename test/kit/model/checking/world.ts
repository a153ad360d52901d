/**
 * The world that is explored: two members, two replicas with the real planner, executor and reconciler, and everything that may
 * happen next as a list of named steps. A world cannot be copied, so a state is reached by its path, always the same way.
 */
import { parseSwitchover } from '../../../../src/api/switchover.ts';
import type { TransitionCause } from '../../../../src/api/transition-causes.ts';
import { aPod } from '../../fakes/builders.ts';
import { ofTier, PREEMPTING } from '../../fakes/builders-preemption.ts';
import { switchoverText } from '../../fakes/builders-switchover.ts';
import { settle } from '../../fakes/clock.ts';
import type { Fate, Request } from '../link.ts';
import { aModel } from '../model.ts';
import { endLeadersSession, lockedFor } from '../stage.ts';
import { spending } from './budget.ts';
import type { Explored, Step } from './explored.ts';
import { createSeats, SEATS } from './seats.ts';

/** How often each kind of trouble may happen on one path, and how many troubles (a blink is none) in all. */
export type Budget = Readonly<Record<Trouble, number>> & { readonly inAll: number };
/** `ask`: somebody asks for a switchover to the other member. */
export type Trouble = 'blink' | 'ask' | 'recreate' | 'expire' | 'takeOver' | 'lostReply' | 'late' | 'crash';

const MEMBERS = ['a', 'b'] as const;
/** What these bring is known to nobody else and changes nothing that a promise is about: they are answered at once. */
const AT_ONCE: ReadonlySet<Request['operation']> = new Set([
  'createSession',
  'renewSession',
  'listSessions',
  'sessionInfo',
  'readKeys',
  'replaceStatus',
  'getGroup',
  'getLabelManagers',
  'getWorkload',
  'listPodSelecting',
  'destroySession',
]);

const fate = ({ operation }: Request): Fate => (AT_ONCE.has(operation) ? 'arrives' : 'held');

/**
 * `fresh`: nobody has led yet. `led`: a leads, both replicas have seen it, the first owns the bucket. `preferred`: the same, and b has been preferred to it for
 * the whole delay.
 */
export type Start = 'fresh' | 'led' | 'preferred';

const DELAY_MS = 1000;
const preempting = { ...PREEMPTING, preemption: { policy: 'WhenPreferred', delayMs: DELAY_MS } } as const;

export async function openWorld(budget: Budget, start: Start): Promise<Explored> {
  const prefers = start === 'preferred';
  const model = aModel({
    ...(prefers ? { group: { spec: preempting } } : {}),
    pods: MEMBERS.map((name) =>
      aPod({ name, ...(prefers && name === 'b' ? { ...ofTier('large'), ready: false } : {}) }),
    ),
  });
  const left: Record<Trouble | 'inAll', number> = { ...budget };
  const { may, spend } = spending<Exclude<Trouble, 'blink'>>(left);
  const seats = createSeats(model, fate);

  await seats.own('O1', false);
  if (start !== 'fresh') await lead();
  if (prefers) await prefer();
  seats.opened();

  async function lead(): Promise<void> {
    const { replica } = seats.of('O1');
    replica.link.decide(() => 'arrives');
    await model.rest(replica);
    replica.link.decide(fate);
    seats.seen();
  }

  async function prefer(): Promise<void> {
    const { replica } = seats.of('O1');
    model.api.foreign.changePod('b', () => ({ ready: true }));
    replica.link.decide(() => 'arrives');
    replica.see.all();
    await model.pass(replica);
    replica.link.decide(fate);
    seats.seen();
    await model.clock.advance(DELAY_MS);
  }

  function stepsOf(name: string): readonly Step[] {
    const { replica } = seats.of(name);
    const requests = seats.arrivals(
      name,
      (['lostReply', 'late'] as const).filter((trouble) => may(trouble)),
    );
    return [
      ...requests,
      ...(seats.isBehind(name) ? [`${name} see`] : []),
      ...(mayPass(name) ? [`${name} pass`] : []),
      ...(may('crash') && replica.busy() ? [`${name} crash`] : []),
    ];
  }

  /** It has been told something since its last pass, or that pass wants another. */
  function mayPass(name: string): boolean {
    const { replica, trace, passedAt } = seats.of(name);
    const again = replica.next()?.kind === 'retry' || replica.next()?.kind === 'after';
    return !replica.busy() && replica.believes() === 'owned' && (trace.length > passedAt || again);
  }

  function steps(): readonly Step[] {
    const all = [...SEATS.flatMap(stepsOf), ...seats.landings()];
    const a = model.api.pod('a');
    if (left.blink > 0 && a !== null) all.push(a.ready ? 'a unready' : 'a ready');
    if (may('ask') && model.leaders().length > 0) all.push('ask');
    if (may('recreate')) all.push('a recreate');
    if (may('expire') && lockedFor(model) !== null) all.push('expire');
    if (may('takeOver')) all.push('takeOver');
    return all;
  }

  async function take(step: Step): Promise<void> {
    const [subject = '', what = '', at = '0'] = step.split(' ');
    if (seats.has(subject)) replicaStep(subject, what, Number(at));
    else if (subject === 'land') seats.land(Number(what));
    else if (subject === 'expire') {
      spend('expire');
      endLeadersSession(model);
    } else if (subject === 'takeOver') await takeOver();
    else if (subject === 'ask') ask();
    else podStep(what);
    await settle();
  }

  function replicaStep(name: string, what: string, at: number): void {
    const { replica } = seats.of(name);
    const request = seats.pending(name)[at];
    switch (what) {
      case 'arrive':
        return request?.deliver();
      case 'lostReply':
        spend('lostReply');
        // The replica gives up first, then the server does it: nobody hears of it.
        request?.giveUp();
        return request?.deliver();
      case 'late':
        spend('late');
        return seats.leave(name, at);
      case 'pass':
        return pass(name);
      case 'see':
        seats.see(name);
        // An event wakes the group: with a pass under way the next plan of that pass sees it.
        if (!replica.busy() && replica.believes() === 'owned') pass(name);
        return;
      case 'crash':
        spend('crash');
        return seats.crash(name);
    }
  }

  function pass(name: string): void {
    const seat = seats.of(name);
    seat.trace.push('pass');
    seat.passedAt = seat.trace.length;
    seat.replica.pass();
  }

  /** Whoever does not have the bucket gets it; the one who had it goes on believing until it learns better. */
  async function takeOver(): Promise<void> {
    spend('takeOver');
    await seats.own((seats.holder() ?? 'O2') === 'O1' ? 'O2' : 'O1', true);
  }

  function ask(): void {
    spend('ask');
    const to = model.leaders()[0] === 'a' ? 'b' : 'a';
    const text = switchoverText(to, -1, model.clock.wallMs());
    model.api.foreign.changeGroup('notifier', () => ({ switchover: parseSwitchover(text) }));
  }

  function podStep(what: string): void {
    if (what === 'recreate') {
      spend('recreate');
      model.api.foreign.removePod('a');
      model.api.foreign.addPod(aPod({ name: 'a', uid: `uid-of-a-${left.recreate}` }));
      return;
    }
    left.blink -= 1;
    model.api.foreign.changePod('a', () => ({ ready: what === 'ready' }));
  }

  async function converges(): Promise<string | null> {
    await seats.deliverAll();
    for (const name of MEMBERS) model.api.foreign.changePod(name, () => ({ ready: true }));
    const last = model.replica('O3');
    await model.own(last);
    try {
      await model.rest(last, 20);
    } catch (error) {
      return String(error);
    }
    const leaders = model.leaders();
    return leaders.length === 1 && lockedFor(model)?.name === leaders[0]
      ? null
      : `leaders: ${leaders.join(', ') || 'none'}`;
  }

  const told = (cause: TransitionCause): boolean =>
    model.api.group()?.status?.recentTransitions.some(({ reason }) => reason === cause) === true;

  function met(path: readonly Step[]): Readonly<Record<string, boolean>> {
    const { promotions, demotions } = model.promises;
    return {
      elections: promotions.length > 0,
      handovers: new Set(promotions.map(({ uid }) => uid)).size > 1,
      demotions: demotions.length > 0,
      takeOvers: path.includes('takeOver'),
      switchovers: told('Switchover'),
      preemptions: told('Preempted'),
    };
  }

  return {
    model,
    steps,
    take,
    fingerprint: () => seats.fingerprint({ left }),
    breaches: () => [...model.promises.breaches, ...seats.failures()],
    converges,
    met,
  };
}
