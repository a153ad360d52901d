/**
 * A move of the lead before which pods are asked (spec.beforePromotion), interrupted at each of its requests, the questions among them: whatever becomes of the
 * owner, of Consul or of the pod that was asked, no promise is broken (I16 neither), and in the end whoever may lead leads.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { BeforePromotion } from '../../src/api/before-promotion.ts';
import type { LeaderGroupSpec } from '../../src/api/leadergroup.ts';
import { A_QUESTION, aPod } from '../kit/fakes/builders.ts';
import { PREEMPTING } from '../kit/fakes/builders-preemption.ts';
import { switchoverText } from '../kit/fakes/builders-switchover.ts';
import { settle } from '../kit/fakes/clock.ts';
import type { Request } from '../kit/model/link.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import { wrongAtRest } from '../kit/model/outcome.ts';
import type { Replica } from '../kit/model/replica.ts';
import {
  annotateSwitchover,
  cutFrom,
  endLeadersSession,
  type FateOf,
  first,
  giveUpAll,
  newOwner,
  wake,
} from '../kit/model/stage.ts';

const NAMES = ['a', 'b', 'c'] as const;
const DELAY_MS = 60_000;
/** After so long a session is over that nobody has renewed. */
const OVER_MS = 20_000;
/** After so long no answer counts any more. */
const OLD_MS = 31_000;

let model: Model;

const change = (name: string, what: Parameters<Model['api']['foreign']['changePod']>[1]): void =>
  model.api.foreign.changePod(name, what);

const switchOver = (): void => annotateSwitchover(model, switchoverText('b', -1, model.clock.wallMs()));

/** Of this one b is asked again after the delay, where it did not pass. */
const PREFERS = 'is less preferred than b';

/** Why a, which leads, is to lose the lead. */
const CAUSES: Readonly<Record<string, (owner: Replica) => void | Promise<void>>> = {
  'is deleted': () => change('a', () => ({ deleting: true })),
  'is gone': () => model.api.foreign.removePod('a'),
  'is gone, and its session': () => {
    endLeadersSession(model);
    model.api.foreign.removePod('a');
  },
  'is not ready': () => change('a', () => ({ ready: false })),
  'is to hand over to b': switchOver,
  'is to hand over to b, and has a grant': (owner) => {
    expect(owner.ask('uid-of-a').kind).toBe('grant');
    switchOver();
  },
  [PREFERS]: async (owner) => {
    change('b', () => ({ labels: { app: 'notifier', tier: 'large' } }));
    await step(owner);
    await model.clock.advance(DELAY_MS);
  },
};

type World = {
  readonly cause: string;
  readonly onFailure: BeforePromotion['onFailure'];
  /** With three of them b, which is asked first, never passes. */
  readonly members: 2 | 3;
};

/** With `Promote` the others send the same requests. */
const PROMOTES = ['is deleted', 'is gone, and its session', 'is to hand over to b', PREFERS];

const worldsOf = (cause: string): readonly World[] => [
  { cause, onFailure: 'NextCandidate', members: 2 },
  { cause, onFailure: 'NextCandidate', members: 3 },
  ...(PROMOTES.includes(cause) ? [{ cause, onFailure: 'Promote', members: 3 } as const] : []),
];

const PREFERRING: Partial<LeaderGroupSpec> = {
  ...PREEMPTING,
  preemption: { policy: 'WhenPreferred', delayMs: DELAY_MS },
};

async function ledByA({ cause, onFailure, members }: World): Promise<Replica> {
  model = aModel({
    group: { spec: { ...(cause === PREFERS ? PREFERRING : {}), beforePromotion: { ...A_QUESTION, onFailure } } },
    pods: NAMES.slice(0, members).map((name, at) => aPod({ name, addresses: [`10.0.0.${at + 1}`] })),
  });
  const owner = model.replica('O1');
  await model.own(owner);
  await untilLed(owner);
  expect(model.leaders()).toEqual(['a']);
  if (members === 3) model.pods.answers('b', 'Status5xx');
  return owner;
}

/** One pass, and the time until the next. */
async function step(owner: Replica): Promise<void> {
  const before = revocations(owner);
  owner.see.all();
  owner.pass();
  await settle();
  if (revocations(owner) > before) expect(isAnswered(owner)).toBe(true);
  if (owner.failure() !== null) throw owner.failure();
  const next = owner.next();
  await model.clock.advance(next?.kind === 'after' ? Math.min(next.delayMs, 1000) : 500);
}

/** By another one than the leader. */
const isAnswered = ({ name }: Replica): boolean =>
  model.pods.questions.some(({ by, pod, told }) => by === name && pod !== 'a' && told !== undefined);

const revocations = ({ counted }: Replica): number => counted.filter((what) => what === 'revocation begun').length;

async function stepsFor(owner: Replica, ms: number): Promise<void> {
  for (const endMs = model.clock.nowMs() + ms; model.clock.nowMs() < endMs; ) await step(owner);
}

const acts = (): number => model.api.writes() + model.consul.writes() + model.pods.questions.length;

/** Who leads in the end is neither going nor unready: somebody else passes by then. */
const isLed = (): boolean =>
  wrongAtRest(model).length === 0 &&
  model.api.pods().some(({ name, ready, deleting }) => name === model.leaders()[0] && ready && !deleting);

/** Whoever is to lead leads, and nobody writes or asks anything any more. */
async function untilLed(owner: Replica): Promise<void> {
  for (let quiet = 0, passes = 0; quiet < 2; passes += 1) {
    if (passes > 100) throw new Error(`it does not come to rest: ${wrongAtRest(model).join()}`);
    const before = acts();
    await owner.hear();
    await step(owner);
    quiet = acts() === before && owner.next()?.kind !== 'retry' && isLed() ? quiet + 1 : 0;
  }
}

/** What happens at the request, and after it. Resolves with whoever owns the group from now on. */
type Follow = (owner: Replica) => Promise<Replica>;

const goesOnAfter =
  (ms: number): Follow =>
  async (owner) => {
    await stepsFor(owner, ms);
    await giveUpAll(owner);
    return owner;
  };

const crashes =
  (meanwhile: () => void = () => undefined, forMs = 0): Follow =>
  async (owner) => {
    owner.kill();
    meanwhile();
    await model.clock.advance(forMs);
    return await newOwner(model);
  };

/** What its watches show it is from before the pod was started anew. */
const crashesUnseen: Follow = async (owner) => {
  owner.kill();
  const next = model.replica(`O${model.replicas.length + 1}`);
  next.see.all();
  restart();
  await model.own(next, { stale: true });
  for (let passes = 0; passes < 3; passes += 1) {
    await model.pass(next);
    await model.clock.advance(1000);
  }
  return next;
};

const freezes =
  (until: 'another has the bucket' | 'another has done all'): Follow =>
  async (owner) => {
    await model.clock.advance(OVER_MS);
    model.expel(owner, { unnoticed: true });
    const next = model.replica(`O${model.replicas.length + 1}`);
    await model.own(next, { unnoticed: true });
    if (until === 'another has done all') await untilLed(next);
    await wake(owner);
    await step(owner);
    return next;
  };

/** Nobody else has had the bucket when it wakes up. */
const freezesAlone =
  (meanwhile: () => void = () => undefined): Follow =>
  async (owner) => {
    await model.clock.advance(OVER_MS);
    model.expel(owner, { unnoticed: true });
    meanwhile();
    await wake(owner);
    owner.giveUp();
    owner.join();
    await model.own(owner);
    return owner;
  };

const losesConsul: Follow = async (owner) => {
  await stepsFor(owner, OVER_MS / 2);
  owner.believe('lapsed');
  await stepsFor(owner, OVER_MS);
  return await newOwner(model);
};

/** Whoever was asked last is started anew, and does not pass any more. */
function restart(): void {
  const name = model.pods.questions.at(-1)?.pod ?? 'b';
  change(name, ({ restarts }) => ({ restarts: restarts + 1 }));
  model.pods.answers(name, 'Status5xx');
}

const restartsAt: FateOf = (_request, isFirst) => {
  if (isFirst) restart();
  return 'arrives';
};
const before = first('held', 'held');
const after = first('answerHeld', 'held');

const FAULTS: readonly (readonly [what: string, fateOf: FateOf, follow: Follow])[] = [
  ['it is not answered', first('answerLost'), goesOnAfter(0)],
  ['it arrives late', first('held'), goesOnAfter(0)],
  ['it is not answered, and the owner crashes', first('answerLost'), crashes()],
  ['it arrives late, and the owner crashes', first('held'), crashes()],
  ['the owner crashes, and the pod is started anew', first('answerLost'), crashes(restart)],
  ['the owner crashes, and the pod is started anew unseen', first('answerLost'), crashesUnseen],
  ['the owner crashes, the pod is started anew, and sessions end', first('answerLost'), crashes(restart, OVER_MS)],
  ['the owner freezes before it', before, freezes('another has done all')],
  ['the owner freezes after it', after, freezes('another has done all')],
  ['the owner freezes before it, and wakes up as another begins', before, freezes('another has the bucket')],
  ['the owner freezes after it, and wakes up as another begins', after, freezes('another has the bucket')],
  ['the owner freezes before it, and gets the bucket again', before, freezesAlone()],
  ['the owner freezes after it, and gets the bucket again', after, freezesAlone()],
  ['the owner freezes before it, and the pod is started anew', before, freezesAlone(restart)],
  ['the owner freezes after it, and the pod is started anew', after, freezesAlone(restart)],
  ['the owner is cut off from Consul', cutFrom('consul'), goesOnAfter(5000)],
  ['the owner is cut off from Consul until another one follows', cutFrom('consul'), losesConsul],
  ['the owner is cut off from the API server', cutFrom('kubernetes'), goesOnAfter(5000)],
  ['the owner is cut off from the API server until no answer counts', cutFrom('kubernetes'), goesOnAfter(OLD_MS)],
  ['the owner is cut off from the pods', cutFrom('pods'), goesOnAfter(5000)],
  ['the pod is started anew', restartsAt, goesOnAfter(3000)],
];

/** The request number `at`, at which it happens; null: there are not so many. */
async function interrupted(world: World, at: number, fateOf: FateOf, follow: Follow): Promise<string | null> {
  const owner = await ledByA(world);
  await CAUSES[world.cause]?.(owner);
  const sent: Request[] = [];
  owner.link.decide((request) => {
    // When sessions are renewed is a matter of time, and of no move.
    if (sent.length <= at && request.operation === 'renewSession') return 'arrives';
    sent.push(request);
    return sent.length <= at ? 'arrives' : fateOf(request, sent.length === at + 1);
  });
  for (let quiet = 0; sent.length <= at && quiet < 3; ) {
    const before = acts();
    await step(owner);
    quiet = acts() === before ? quiet + 1 : 0;
  }
  const found = sent[at];
  if (found === undefined) return null;
  await endsLed(world, await follow(owner));
  return `${found.operation} ${found.about}`;
}

/** Faults are over, and whatever was under way arrives. */
async function endsLed({ cause, members }: World, owner: Replica): Promise<void> {
  for (const name of NAMES) if (members === 2 || name !== 'b') model.pods.answers(name, null);
  await untilLed(owner);
  for (const { link } of model.replicas) for (const held of link.held()) held.deliver();
  await settle();
  await untilLed(owner);
  if (cause !== PREFERS) await stays(owner);
}

/** Nobody is asked any more, however old the last answer is. */
async function stays(owner: Replica): Promise<void> {
  const before = [...model.leaders(), model.pods.questions.length];
  await model.clock.advance(OLD_MS);
  await step(owner);
  await step(owner);
  expect([...model.leaders(), model.pods.questions.length]).toEqual(before);
}

afterEach(() => {
  for (const replica of model.replicas) replica.kill();
});

describe.each(FAULTS)('at each request of a move before which pods are asked: %s;', (_what, fateOf, follow) => {
  it.each(Object.keys(CAUSES))('no promise is broken, and somebody leads at last, where a leader %s', async (cause) => {
    const met = new Set<string>();
    for (const world of worldsOf(cause)) {
      for (let at = 0, found: string | null = ''; found !== null; at += 1) {
        found = await interrupted(world, at, fateOf, follow);
        const where = `${world.onFailure}, ${world.members} members, at request ${at}: ${found}`;
        expect(model.promises.breaches, where).toEqual([]);
        met.add(found ?? 'none');
      }
    }
    expect([...met]).toEqual(expect.arrayContaining(['get b', 'txn lock', 'patchPod b']));
  });
});
