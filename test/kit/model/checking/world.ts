/**
 * The world that is explored: two members, two replicas with the real planner, executor and reconciler, and everything that may
 * happen next as a list of named steps. A world cannot be copied, so a state is reached by its path, always the same way.
 */
import { aPod } from '../../fakes/builders.ts';
import { settle } from '../../fakes/clock.ts';
import type { HeldRequest, Request } from '../link.ts';
import { aModel } from '../model.ts';
import type { Replica } from '../replica.ts';
import { endLeadersSession, lockedFor } from '../stage.ts';
import { canonical, type Explored, type Step, told } from './explored.ts';

/** How often each kind of trouble may happen on one path, and how many troubles (a blink is none) in all. */
export type Budget = Readonly<Record<Trouble, number>> & { readonly inAll: number };
export type Trouble = 'blink' | 'recreate' | 'expire' | 'takeOver' | 'lostReply' | 'late' | 'crash';

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

/** `fresh`: nobody has led yet. `led`: a leads, both replicas have seen it, the first owns the bucket. */
export type Start = 'fresh' | 'led';

export async function openWorld(budget: Budget, start: Start): Promise<Explored> {
  const model = aModel({ pods: MEMBERS.map((name) => aPod({ name })) });
  const left: Record<Trouble | 'inAll', number> = { ...budget };
  const names = ['O1', 'O2'];
  const replicas = new Map<string, Replica>();
  /** All that each replica has ever been told: with the code this is all that its state depends on. */
  const traces = new Map<string, string[]>();
  /** Held requests whose replica does not wait any more. */
  const late = new Set<HeldRequest>();
  const busySince = new Map<string, number>();
  const seen = new Map<string, { pods: number; locks: number }>();
  let lives = 0;

  for (const name of names) join(name);
  await own(replicaOf('O1'), false);
  if (start === 'led') await lead();

  async function lead(): Promise<void> {
    replicaOf('O1').link.decide(() => 'arrives');
    await model.rest(replicaOf('O1'));
    for (const name of names) {
      replicaOf(name).link.decide(({ operation }) => (AT_ONCE.has(operation) ? 'arrives' : 'held'));
      replicaOf(name).see.all();
      noteSeen(name);
      note(name, 'rests');
      busySince.set(name, traces.get(name)?.length ?? 0);
    }
  }

  const may = (trouble: Exclude<Trouble, 'blink'>): boolean => left[trouble] > 0 && left.inAll > 0;

  function spend(trouble: Exclude<Trouble, 'blink'>): void {
    left[trouble] -= 1;
    left.inAll -= 1;
  }

  function join(name: string): void {
    lives += 1;
    // A process of its own: its unique values are not those of the life before.
    const replica = model.replica(lives > names.length ? `${name}.${lives}` : name);
    const trace: string[] = [`life ${lives}`];
    replica.link.decide(({ operation }) => (AT_ONCE.has(operation) ? 'arrives' : 'held'));
    replica.link.onAnswer((request, answer) => {
      if (replica.alive()) trace.push(JSON.stringify([request.operation, request.content, answer]));
    });
    replicas.set(name, replica);
    traces.set(name, trace);
    replica.see.all();
    noteSeen(name);
    trace.push(`sees ${JSON.stringify(model.api.pods())}`);
  }

  function replicaOf(name: string): Replica {
    const found = replicas.get(name);
    if (found === undefined) throw new Error(`no replica ${name}`);
    return found;
  }

  function nameOf(replica: Replica): string {
    return names.find((name) => replicas.get(name) === replica) ?? replica.name;
  }

  function noteSeen(name: string): void {
    seen.set(name, { pods: model.api.podLog.length, locks: model.consul.log.length });
  }

  function note(name: string, what: string): void {
    traces.get(name)?.push(what);
  }

  async function own(taker: Replica, unnoticed: boolean): Promise<void> {
    await model.own(taker, { unnoticed, stale: true });
    note(
      taker.name,
      `owns ${JSON.stringify(model.consul.now().entries.size)} ${JSON.stringify([...model.consul.now().entries.values()])}`,
    );
    seen.set(nameOf(taker), { pods: seen.get(nameOf(taker))?.pods ?? 0, locks: model.consul.log.length });
    if (!unnoticed) for (const name of names) if (replicaOf(name) !== taker) note(name, 'gave up');
  }

  const pendingOf = (name: string): readonly HeldRequest[] =>
    replicaOf(name)
      .link.held()
      .filter((request) => !late.has(request));

  function stepsOf(name: string): readonly Step[] {
    const replica = replicaOf(name);
    const requests = [...pendingOf(name).keys()].flatMap((at) => [
      `${name} arrive ${at}`,
      ...(may('lostReply') ? [`${name} lostReply ${at}`] : []),
      ...(may('late') ? [`${name} late ${at}`] : []),
    ]);
    return [
      ...requests,
      ...(isBehind(name) ? [`${name} see`] : []),
      ...(mayPass(name, replica) ? [`${name} pass`] : []),
      ...(may('crash') && replica.busy() ? [`${name} crash`] : []),
    ];
  }

  function isBehind(name: string): boolean {
    const { pods, locks } = seen.get(name) ?? { pods: 0, locks: 0 };
    return pods < model.api.podLog.length || locks < model.consul.log.length;
  }

  /** It has been told something since its last pass, or that pass wants another. */
  function mayPass(name: string, replica: Replica): boolean {
    const news = (traces.get(name)?.length ?? 0) > (busySince.get(name) ?? 0);
    const again = replica.next()?.kind === 'retry' || replica.next()?.kind === 'after';
    return !replica.busy() && replica.believes() === 'owned' && (news || again);
  }

  function steps(): readonly Step[] {
    const all = names.flatMap(stepsOf);
    for (const at of [...late].keys()) all.push(`land ${at}`);
    const a = model.api.pod('a');
    if (left.blink > 0 && a !== null) all.push(a.ready ? 'a unready' : 'a ready');
    if (may('recreate')) all.push('a recreate');
    if (may('expire') && lockedFor(model) !== null) all.push('expire');
    if (may('takeOver')) all.push('takeOver');
    return all;
  }

  async function take(step: Step): Promise<void> {
    const [subject = '', what = '', at = '0'] = step.split(' ');
    if (names.includes(subject)) replicaStep(subject, what, Number(at));
    else if (subject === 'land') land(Number(what));
    else if (subject === 'expire') {
      spend('expire');
      endLeadersSession(model);
    } else if (subject === 'takeOver') await takeOver();
    else podStep(what);
    await settle();
  }

  function replicaStep(name: string, what: string, at: number): void {
    const replica = replicaOf(name);
    const request = pendingOf(name)[at];
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
        if (request !== undefined) late.add(request);
        return request?.giveUp();
      case 'pass':
        return pass(name);
      case 'see':
        note(name, `sees ${JSON.stringify([model.api.pods(), [...model.consul.now().entries.values()]])}`);
        replica.see.all();
        noteSeen(name);
        // An event wakes the group: with a pass under way the next plan of that pass sees it.
        if (!replica.busy() && replica.believes() === 'owned') pass(name);
        return;
      case 'crash':
        spend('crash');
        for (const pending of pendingOf(name)) late.add(pending);
        replica.kill();
        if (replica.session() !== null) model.consul.foreign.endSession(replica.session() ?? '');
        return join(name);
    }
  }

  function pass(name: string): void {
    note(name, 'pass');
    busySince.set(name, traces.get(name)?.length ?? 0);
    replicaOf(name).pass();
  }

  function land(at: number): void {
    const request = [...late][at];
    if (request === undefined) return;
    late.delete(request);
    request.deliver();
  }

  /** Whoever does not have the bucket gets it; the one who had it goes on believing until it learns better. */
  async function takeOver(): Promise<void> {
    spend('takeOver');
    const owner = names.find((name) => replicaOf(name).session() !== null && ownsBucket(replicaOf(name))) ?? 'O2';
    await own(replicaOf(owner === 'O1' ? 'O2' : 'O1'), true);
  }

  const ownsBucket = (replica: Replica): boolean =>
    [...model.consul.now().entries.values()].some(
      ({ key, session }) => key.includes('/buckets/') && session === replica.session(),
    );

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

  function fingerprint(): string {
    const state = {
      left,
      pods: model.api.pods(),
      group: model.api.group(),
      entries: [...model.consul.now().entries.values()].toSorted((x, y) => (x.key < y.key ? -1 : 1)),
      sessions: model.consul.sessions(),
      late: [...late].map(({ request }) => request.content),
      replicas: names.map((name) => ({
        trace: traces.get(name),
        pending: pendingOf(name).map(({ request }) => request.content),
        busy: replicaOf(name).busy(),
        believes: replicaOf(name).believes(),
        behind: isBehind(name),
      })),
    };
    return canonical(JSON.stringify(state));
  }

  async function converges(): Promise<string | null> {
    for (const request of late) request.deliver();
    await settle();
    for (const name of names) {
      const replica = replicaOf(name);
      replica.link.decide(() => 'arrives');
      for (let rounds = 0; rounds < 40 && replica.link.held().length > 0; rounds += 1) {
        for (const request of replica.link.held()) request.deliver();
        await settle();
      }
    }
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

  function met(path: readonly Step[]): Readonly<Record<string, boolean>> {
    const { promotions, demotions } = model.promises;
    return {
      elections: promotions.length > 0,
      handovers: new Set(promotions.map(({ uid }) => uid)).size > 1,
      demotions: demotions.length > 0,
      takeOvers: path.includes('takeOver'),
    };
  }

  const breaches = (): readonly string[] => [
    ...model.promises.breaches,
    ...names.flatMap((name) => told(name, replicaOf(name))),
  ];

  return { model, steps, take, fingerprint, breaches, converges, met };
}
