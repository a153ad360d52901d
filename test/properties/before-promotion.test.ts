/** Promise I16 over plans: from whatever is observed, nobody is given the lock or the label who was not asked, nor anything taken for one that is being asked. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tokenAnnotation } from '../../src/api/names.ts';
import { type Action, actionsOf, nextHolder } from '../../src/election/actions.ts';
import type { Observation } from '../../src/election/observation.ts';
import { plan } from '../../src/election/plan.ts';
import type { PromotionAnswer } from '../../src/election/promotion-view.ts';
import { A_QUESTION, aGroup, aPod } from '../kit/fakes/builders.ts';
import { aLock, anObservation, aRecord, NOW_MS, observed } from '../kit/fakes/builders-election.ts';
import { uidOf } from '../kit/fakes/ids.ts';
import { trying } from '../kit/model/seed.ts';

const NAMES = ['a', 'b', 'c'] as const;
const TOKEN = 4;

const failed = (agoMs: number, retryInMs: number): PromotionAnswer => ({
  kind: 'failed',
  askedMs: NOW_MS - agoMs,
  failure: 'Timeout',
  retryAtMs: NOW_MS + retryInMs,
});
const answer = fc.oneof(
  fc.constant(null),
  fc.constant<PromotionAnswer>({ kind: 'asking', failed: null }),
  fc
    .constantFrom(0, 29_999, 30_000, 60_000)
    .map((agoMs): PromotionAnswer => ({ kind: 'passed', askedMs: NOW_MS - agoMs })),
  fc
    .tuple(fc.constantFrom(0, 29_999, 30_000), fc.constantFrom(-1, 0, 1, 5000))
    .map(([agoMs, inMs]) => failed(agoMs, inMs)),
);
const member = fc.record({
  there: fc.constantFrom(true, true, true, false),
  ready: fc.constantFrom(true, true, true, false),
  deleting: fc.constantFrom(false, false, true),
  labelled: fc.constantFrom(false, false, true),
  token: fc.constantFrom(null, TOKEN - 1, TOKEN, TOKEN + 1),
  address: fc.constantFrom(true, true, true, false),
  answer,
});
const world = fc.record({
  members: fc.tuple(member, member, member),
  onFailure: fc.constantFrom('NextCandidate', 'Promote'),
  holder: fc.constantFrom(null, ...NAMES),
  recorded: fc.constantFrom(null, ...NAMES),
  lockKey: fc.constantFrom(null, null, 'shared/cron'),
  resigned: fc.constantFrom(null, ...NAMES),
  isBlind: fc.constantFrom(false, false, false, true),
});
type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

function observe({ members, onFailure, holder, recorded, lockKey, resigned, isBlind }: World): Observation {
  const named = members.map((each, at) => ({ ...each, name: NAMES[at] ?? 'a' })).filter(({ there }) => there);
  const pods = named.map(({ name, ready, deleting, labelled, token, address }) =>
    observed(
      aPod({
        name,
        ready,
        deleting,
        addresses: address ? [`10.0.0.${name}`] : [],
        labels: { app: 'notifier', ...(labelled ? { 'leadergroup.dev/role': 'leader' } : {}) },
        annotations: token === null ? {} : { [tokenAnnotation('notifier')]: String(token) },
      }),
    ),
  );
  const answers = new Map(named.flatMap(({ name, answer: given }) => (given === null ? [] : [[uidOf(name), given]])));
  return anObservation({
    group: aGroup({ spec: { lockKey, beforePromotion: { ...A_QUESTION, onFailure } } }),
    pods,
    lock: aLock({
      session: holder === null ? null : `session-of-${holder}`,
      record: recorded === null ? null : aRecord(recorded, TOKEN),
    }),
    resigned: resigned === null ? null : { uid: uidOf(resigned), token: TOKEN },
    freshList: true,
    groupConfirmed: true,
    beforePromotion: { blind: isBlind ? 'nothing is heard' : null, answers },
  });
}

/** A verification leaves the lock where it is. */
const GIVES: ReadonlySet<string> = new Set<Action['do']>(['take', 'handOver', 'promote']);

/** As the promise has it. */
function mayLead({ members, onFailure, recorded }: World, uid: string): boolean {
  const at = NAMES.findIndex((name) => uidOf(name) === uid);
  const found = members[at];
  if (found === undefined) return false;
  const led = found.token !== null && (found.labelled || (recorded === NAMES[at] && found.token === TOKEN));
  const given = found.answer;
  const isFresh = given !== null && given.kind !== 'asking' && NOW_MS - given.askedMs < 30_000;
  if (led || (isFresh && given.kind === 'passed')) return true;
  return onFailure === 'Promote' && (isFresh || !found.address);
}

describe('a group whose pods are asked before a promotion', () => {
  it('gives the lock and the label to nobody who did not pass', () => {
    fc.assert(
      fc.property(world, (given) => {
        const planned = plan(observe(given));
        const gives = actionsOf(planned).some((action) => GIVES.has(action.do));
        const to = gives ? nextHolder(planned) : null;
        expect(to === null || mayLead(given, to)).toBe(true);
      }),
      trying(5000),
    );
  });

  it('takes nothing from a leader for one that is asked', () => {
    fc.assert(
      fc.property(world, (given) => {
        const does = actionsOf(plan(observe(given))).map((action) => action.do);
        fc.pre(does.includes('askBeforePromotion'));
        const taken = does.filter(
          (what) => what === 'revoke' || what === 'handOver' || what === 'unlock' || what === 'take',
        );
        expect([taken, given.lockKey === null && does.includes('fence')]).toEqual([[], false]);
      }),
      trying(5000),
    );
  });

  it('asks nobody who is being asked, waits, or has no address', () => {
    fc.assert(
      fc.property(world, (given) => {
        const asked = actionsOf(plan(observe(given))).flatMap((action) =>
          action.do === 'askBeforePromotion' ? action.pods.map(({ uid }) => uid) : [],
        );
        const found = asked.map((uid) => given.members[NAMES.findIndex((name) => uidOf(name) === uid)]);
        const waits = ({ answer: known }: World['members'][0]): boolean =>
          given.onFailure === 'NextCandidate' && known?.kind === 'failed' && known.retryAtMs > NOW_MS;
        expect(
          found.filter((each) => each === undefined || !each.address || waits(each) || each.answer?.kind === 'asking'),
        ).toEqual([]);
      }),
      trying(5000),
    );
  });

  it('asks somebody, or says who fails, where somebody could lead and nobody does', () => {
    fc.assert(
      fc.property(world, (given) => {
        const o = observe({ ...given, isBlind: false, holder: null, resigned: null });
        const planned = plan(o);
        fc.pre(given.members.some(({ there, ready, deleting }) => there && ready && !deleting));
        const waits = planned.againMs !== null || planned.verdict !== null;
        expect(planned.kind !== 'idle' || waits).toBe(true);
      }),
      trying(3000),
    );
  });
});
