/** No two calls are ever told that the same position is theirs (promise I12), and none that is not done is passed over (I13). */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ClaimMode } from '../../src/api/claim.ts';
import { aPod } from '../kit/fakes/builders.ts';
import { settle } from '../kit/fakes/clock.ts';
import { type Call, type Claiming, claimingIn, GROUP, RETRY_MS, SERIES } from '../kit/model/claiming.ts';
import type { Fate } from '../kit/model/link.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import type { Replica } from '../kit/model/replica.ts';
import { trying } from '../kit/model/seed.ts';
import { endLeadersSession, lockedFor } from '../kit/model/stage.ts';

const PODS = ['a', 'b', 'c'] as const;

type Act =
  | { readonly act: 'claim'; readonly replica: number; readonly pod: number; readonly ahead: number }
  /** Asks, and has gone before it is answered. */
  | { readonly act: 'leave'; readonly replica: number; readonly pod: number; readonly ahead: number }
  | { readonly act: 'got'; readonly replica: number }
  | { readonly act: 'repeat'; readonly replica: number; readonly call: number }
  | { readonly act: 'done' | 'renew'; readonly replica: number; readonly call: number }
  | { readonly act: 'ready' | 'unready'; readonly pod: number }
  | { readonly act: 'own'; readonly replica: number; readonly unnoticed: boolean }
  | { readonly act: 'pass' | 'see'; readonly replica: number }
  /** Where does the series stand? */
  | { readonly act: 'look'; readonly replica: number }
  | { readonly act: 'fate'; readonly replica: number; readonly fate: Fate; readonly of: 'txn' | 'readKeys' }
  | { readonly act: 'deliver' | 'giveUp'; readonly replica: number }
  | { readonly act: 'endSession' }
  | { readonly act: 'wait'; readonly ms: number };

/** Mostly the owner and the first leader, for nobody else is given anything. */
const replica = fc.constantFrom(0, 0, 0, 1);
const pod = fc.constantFrom(0, 0, 0, 1, 2);
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ act: fc.constant('claim'), replica, pod, ahead: fc.integer({ min: -2, max: 2 }) }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('leave'), replica, pod, ahead: fc.nat({ max: 2 }) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constantFrom('got', 'look'), replica }) },
  {
    weight: 5,
    arbitrary: fc.record({ act: fc.constantFrom('repeat', 'done', 'renew'), replica, call: fc.nat({ max: 3 }) }),
  },
  { weight: 3, arbitrary: fc.record({ act: fc.constantFrom('ready', 'unready'), pod }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('own'), replica, unnoticed: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ act: fc.constantFrom('pass', 'see'), replica }) },
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constant('fate'),
      replica,
      fate: fc.constantFrom<Fate>('lost', 'answerLost', 'held', 'answerHeld'),
      of: fc.constantFrom('txn', 'readKeys'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ act: fc.constantFrom('deliver', 'giveUp'), replica }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('endSession') }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('wait'), ms: fc.constantFrom(5, 100, 3000, RETRY_MS) }) },
) as fc.Arbitrary<Act>;

type Walked = { readonly model: Model; readonly claiming: Claiming; readonly story: string[] };

async function walked(mode: ClaimMode, acts: readonly Act[]): Promise<Walked> {
  const model = aModel({ pods: PODS.map((name) => aPod({ name })) });
  const claiming = claimingIn(model);
  const replicas = [model.replica('O1'), model.replica('O2')];
  await model.own(at(replicas, 0));
  await model.rest(at(replicas, 0));
  const story: string[] = [];
  let tick = 1;
  for (const each of acts) {
    story.push(JSON.stringify(each));
    if (each.act === 'claim' || each.act === 'leave') {
      tick = Math.max(0, tick + each.ahead);
      const call = claiming.call(PODS[each.pod] ?? 'a', { position: tick, mode });
      const gone = new AbortController();
      begin(claiming, at(replicas, each.replica), call, gone.signal);
      if (each.act === 'leave') gone.abort(new Error('gone'));
    } else await play({ model, claiming, story }, replicas, each);
    // Whoever tries again has done so by then.
    await model.clock.advance(15);
  }
  return { model, claiming, story };
}

const at = (replicas: readonly Replica[], index: number): Replica => replicas[index] as Replica;

const begin = (claiming: Claiming, to: Replica, call: Call, signal?: AbortSignal): void =>
  void claiming.claim(to, call, signal).catch(() => undefined);

async function play(
  { model, claiming }: Walked,
  replicas: readonly Replica[],
  each: Exclude<Act, { act: 'claim' | 'leave' }>,
) {
  switch (each.act) {
    case 'repeat': {
      const call = claiming.calls.at(-1 - each.call);
      if (call !== undefined) begin(claiming, at(replicas, each.replica), call);
      return;
    }
    case 'done':
    case 'renew':
      return reported(claiming, at(replicas, each.replica), each);
    case 'ready':
    case 'unready':
      return model.api.foreign.changePod(PODS[each.pod] ?? 'a', () => ({ ready: each.act === 'ready' }));
    case 'look':
      return void at(replicas, each.replica)
        .claims.mark(GROUP, SERIES)
        .catch(() => undefined);
    case 'got':
      return at(replicas, each.replica).gotBucket();
    case 'own':
      return await owned(model, at(replicas, each.replica), each.unnoticed);
    case 'pass':
      return at(replicas, each.replica).pass();
    case 'see':
      return at(replicas, each.replica).see.all();
    case 'fate':
      return meets(at(replicas, each.replica), each);
    case 'deliver':
      return at(replicas, each.replica).link.held()[0]?.deliver();
    case 'giveUp':
      return at(replicas, each.replica).link.held()[0]?.giveUp();
    case 'endSession':
      return lockedFor(model) === null ? undefined : endLeadersSession(model);
    case 'wait':
      return await model.clock.advance(each.ms);
  }
}

async function owned(model: Model, replica: Replica, unnoticed: boolean): Promise<void> {
  await model.own(replica, { unnoticed }).catch(() => undefined);
  replica.gotBucket();
}

function reported(claiming: Claiming, to: Replica, { act: what, call: back }: { act: 'done' | 'renew'; call: number }) {
  const call = claiming.calls.at(-1 - back);
  if (call !== undefined) void claiming.report(to, call, what);
}

/** The next such request. */
function meets(of: Replica, { fate, of: operation }: { readonly fate: Fate; readonly of: string }): void {
  let met = false;
  of.link.decide((request) => {
    if (met || request.operation !== operation) return 'arrives';
    met = true;
    return fate;
  });
}

describe.each<ClaimMode>(['AtMostOnce', 'AtLeastOnce'])(
  'whatever is frozen, lost, late, repeated or moved: %s',
  (mode) => {
    it('gives no position to two calls, nor to a pod that does not lead, and passes none over', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(act, { minLength: 5, maxLength: 40 }), async (acts) => {
          const { model, claiming, story } = await walked(mode, acts);
          for (const each of model.replicas) for (const held of each.link.held()) held.deliver();
          await settle();
          expect(claiming.breaches, story.join('\n')).toEqual([]);
          expect(model.promises.breaches, story.join('\n')).toEqual([]);
        }),
        trying(300),
      );
    });
  },
);
