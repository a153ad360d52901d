/** leadergroup_groups{state}: each group of this replica in exactly one state, as it is. */
import { describe, expect, it } from 'vitest';
import type { ParsedLeaderGroup } from '../../../../src/api/leadergroup.ts';
import type { Observation } from '../../../../src/election/observation.ts';
import { createStore, groupKey } from '../../../../src/operator/cache/store.ts';
import { createReconciler, type ReconcilerOptions } from '../../../../src/operator/reconcile/reconciler.ts';
import { aGroup, aPod } from '../../../kit/fakes/builders.ts';
import { anObservation, freeAfter, NOW_MS, observed } from '../../../kit/fakes/builders-election.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';
import { noLog, noMetrics } from '../../../kit/model/sinks.ts';

const KEY = groupKey(aGroup());
const VALID: ParsedLeaderGroup = { kind: 'valid', group: aGroup() };

function aReconciler({ parsed = VALID, owned = true }: { parsed?: ParsedLeaderGroup; owned?: boolean } = {}) {
  let seen: Partial<Observation> = {};
  const store = createStore(createFakeClock());
  store.groupChanged(null, parsed);
  const reconciler = createReconciler({
    synced: () => true,
    known: () => true,
    observed: () => undefined,
    began: () => undefined,
    ended: () => undefined,
    store,
    observe: {
      sight: (cached) => ({
        kind: 'shown',
        ...anObservation(),
        cached,
        pods: [],
        outageSinceMs: null,
        outageOver: true,
      }),
      all: () => ({
        observation: anObservation(seen),
        observed: {
          kind: 'observed',
          highestObserved: 0,
          acceptedReleases: { generation: 0, uids: new Set() },
          labelStop: null,
          preferred: null,
        },
      }),
      holder: () => anObservation(seen),
    },
    executor: { sessionManager: { holds: () => undefined } } as unknown as ReconcilerOptions['executor'],
    announcer: { executed: () => undefined, passEnded: () => undefined, deleted: () => undefined },
    writeStatus: () => Promise.resolve(null),
    writeInvalid: () => Promise.resolve(true),
    ownership: () => (owned ? 'owned' : 'notOwned'),
    consulUnreachable: () => false,
    clock: createFakeClock(),
    metrics: noMetrics,
    log: noLog,
    wake: () => undefined,
    dropped: () => undefined,
    signal: new AbortController().signal,
  });
  return async (world: Partial<Observation>) => {
    seen = world;
    await reconciler.reconcile(KEY, { sinceMs: 0, othersWait: () => false });
    return reconciler.states().get(KEY) ?? 'not counted';
  };
}

const silent = { consulUnreachable: true, lockDeadlineMs: NOW_MS + 20_000 };
const empty = { pods: [], sessions: [], lock: freeAfter('a') };

describe('the state of a group', () => {
  it('is led while somebody leads, also while Consul is silent and the deadline is yet to come', async () => {
    expect(await aReconciler()({})).toBe('led');
    expect(await aReconciler()(silent)).toBe('led');
  });

  it('is notLed once the deadline has passed, and where nobody leads', async () => {
    expect(await aReconciler()({ ...silent, lockDeadlineMs: NOW_MS })).toBe('notLed');
    const pods = [observed(aPod({ name: 'a', ready: false }))];
    expect(await aReconciler()({ ...empty, pods })).toBe('notLed');
  });

  it('is notLed when the leader goes while Consul is silent', async () => {
    const state = aReconciler();
    await state({});
    expect(await state({ ...silent, pods: [] })).toBe('notLed');
  });

  it('stays what it was while Consul is silent and nobody led', async () => {
    const state = aReconciler();
    expect(await state(empty)).toBe('scaledToZero');
    expect(await state({ ...empty, ...silent })).toBe('scaledToZero');
  });

  it('is not counted where another replica owns the group, in whatever state it was before', async () => {
    const elsewhere = { ownership: { kind: 'notOwned' } } as const;
    expect(await aReconciler()(elsewhere)).toBe('not counted');
    const state = aReconciler();
    await state({});
    expect(await state(elsewhere)).toBe('not counted');
    const group = aGroup({ spec: { paused: true } });
    expect(await aReconciler()({ ...elsewhere, group })).toBe('not counted');
  });

  it('is stalled where the spec cannot be acted on, and is not counted by others either', async () => {
    const parsed: ParsedLeaderGroup = { kind: 'invalid', group: { ...aGroup(), problems: ['selector is missing'] } };
    expect(await aReconciler({ parsed })({})).toBe('stalled');
    expect(await aReconciler({ parsed, owned: false })({})).toBe('not counted');
  });
});
