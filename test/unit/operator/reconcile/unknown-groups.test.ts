/** Passes over a group of which it is not known yet whether it is there, or what else is in its namespace. */
import { describe, expect, it } from 'vitest';
import { createStore, groupKey } from '../../../../src/operator/cache/store.ts';
import { createReconciler, type ReconcilerOptions } from '../../../../src/operator/reconcile/reconciler.ts';
import { aGroup } from '../../../kit/fakes/builders.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';
import { noLog, noMetrics } from '../../../kit/model/sinks.ts';

const KEY = groupKey(aGroup());
const TURN = { othersWait: () => false, sinceMs: 0 };

function aPass({ shown, sessions, known = false }: { shown: boolean; sessions: number; known?: boolean }) {
  const dropped: string[] = [];
  const looked = (): never => expect.fail('nothing of it is to be looked at');
  const store = createStore(createFakeClock());
  if (shown) store.groupChanged(null, { kind: 'valid', group: aGroup() });
  const executor = { sessionManager: { of: () => Array.from({ length: sessions }) } };
  const reconciler = createReconciler({
    store,
    synced: () => true,
    known: () => known,
    observe: { sight: looked, all: looked, holder: looked },
    executor: executor as unknown as ReconcilerOptions['executor'],
    dropped: (key) => void dropped.push(key),
    observed: looked,
    began: () => undefined,
    ended: () => undefined,
    wake: () => undefined,
    announcer: { executed: looked, passEnded: looked, deleted: looked },
    writeStatus: looked,
    writeInvalid: looked,
    ownership: looked,
    consulUnreachable: () => false,
    clock: createFakeClock(),
    metrics: noMetrics,
    log: noLog,
    signal: new AbortController().signal,
  });
  return { pass: () => reconciler.reconcile(KEY, TURN), dropped };
}

describe('a group whose namespace has not been listed', () => {
  it('is not dropped while it is not shown, and is looked at again while it has sessions', async () => {
    const { pass, dropped } = aPass({ shown: false, sessions: 1 });
    expect([await pass(), dropped]).toEqual([{ kind: 'after', delayMs: 30_000 }, []]);
  });

  it('is waited for by nothing where it has no sessions', async () => {
    const { pass, dropped } = aPass({ shown: false, sessions: 0 });
    expect([await pass(), dropped]).toEqual([{ kind: 'done' }, []]);
  });

  it('is not acted on when it is shown before the others of its namespace are', async () => {
    const { pass } = aPass({ shown: true, sessions: 0 });
    expect(await pass()).toEqual({ kind: 'done' });
  });

  it('is dropped once it is known to be gone', async () => {
    const { pass, dropped } = aPass({ shown: false, sessions: 1, known: true });
    expect([await pass(), dropped]).toEqual([{ kind: 'done' }, [KEY]]);
  });
});
