/** A group as the gate and the diagnostics see it, between two passes. */
import type { PodUid } from '../../api/ids.ts';
import type { GateView } from '../../election/gate.ts';
import type { Observation } from '../../election/observation.ts';
import type { Store } from '../cache/store.ts';
import { freshMemory } from '../observe/memory.ts';
import type { Observer } from '../observe/observe.ts';
import { remember } from '../observe/remember.ts';
import type { Memories } from './memories.ts';

export type Views = {
  /** What an answer of the gate rests on now; noted as asked for, so that the lock is verified. null: no valid group. */
  asked(key: string): GateView | null;
  /** As `asked`, but nothing is noted. */
  glance(key: string): GateView | null;
  /** What a plan would be made from now; what a pass would learn of it is learnt by a copy. null: no valid group. */
  look(key: string): Observation | null;
  /** The leader asks that another may lead. */
  resigned(key: string, uid: PodUid, token: number): void;
};

export function createViews(
  { store, observe, wake }: { readonly store: Store; readonly observe: Observer; readonly wake: (key: string) => void },
  memories: Memories,
): Views {
  function glance(key: string): GateView | null {
    const parsed = store.group(key);
    if (parsed?.kind !== 'valid') return null;
    const memory = memories.known(key, parsed.group)?.now ?? freshMemory();
    return observe.holder(parsed.group, memory);
  }

  function look(key: string): Observation | null {
    const parsed = store.group(key);
    if (parsed?.kind !== 'valid') return null;
    const memory = memories.known(key, parsed.group)?.now ?? freshMemory();
    const sight = observe.sight(parsed.group, memory);
    return observe.all(sight, remember(memory, sight)).observation;
  }

  function asked(key: string): GateView | null {
    const view = glance(key);
    if (view === null) return null;
    const memory = memories.of(key, view.group);
    if (!memory.now.asked && view.ownership.kind === 'owned') {
      memory.learn({ kind: 'asked' });
      wake(key);
    }
    return view;
  }

  function resigned(key: string, uid: PodUid, token: number): void {
    const view = glance(key);
    if (view !== null) memories.of(key, view.group).learn({ kind: 'resigned', uid, token, atMs: view.nowMs });
  }

  return { asked, glance, look, resigned };
}
