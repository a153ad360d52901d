/**
 * Figures of single groups, where somebody asks for them (setting metrics.groups): of so many groups at most, each told by the owner of its bucket
 * alone. Where there are more, those with the lowest hash are told: every replica chooses the same, whichever groups it owns.
 */

import { hashOf } from '../../api/hash.ts';
import type { LeaderGroup, TransitionStatus } from '../../api/leadergroup.ts';
import { isSameTransition } from '../../election/deferral.ts';
import type { GroupFigures } from '../../ports/metrics.ts';
import type { Store } from '../cache/store.ts';

type Counted = {
  /** Of the group that is counted: one that is made again begins anew. */
  readonly uid: string;
  /** The newest change of leader that is counted already; null: there was none. */
  readonly newest: TransitionStatus | null;
  readonly transitions: ReadonlyMap<string, number>;
};

/** `owned`: groups, `namespace/name`, that this replica owns. `leaderlessMs`: since when nobody leads them. */
export type FiguresOf = (owned: Iterable<string>, leaderlessMs: (group: string) => number) => readonly GroupFigures[];

/** `limit`: 0 for none. Counts changes of leader from when the replica got the group on, as they get into the status. */
export function createGroupFigures(limit: number, store: Pick<Store, 'group' | 'groupKeys'>): FiguresOf {
  let counted: ReadonlyMap<string, Counted> = new Map();

  return (owned, leaderlessMs) => {
    if (limit === 0) return [];
    const isChosen = chosenOf(store.groupKeys(), limit);
    const next = new Map<string, Counted>();
    const figures: GroupFigures[] = [];
    for (const key of owned) {
      const found = isChosen(key) ? store.group(key) : null;
      if (found?.kind !== 'valid') continue;
      const { group } = found;
      const count = countOn(group, counted.get(key));
      next.set(key, count);
      figures.push(figuresOf(key, group, { count, leaderlessMs: leaderlessMs(key) }));
    }
    counted = next;
    return figures;
  };
}

function figuresOf(
  key: string,
  { status }: LeaderGroup,
  { count, leaderlessMs }: { readonly count: Counted; readonly leaderlessMs: number },
): GroupFigures {
  const [leader] = status?.leaders ?? [];
  const last = status?.recentTransitions.find(({ to }) => to !== '') ?? null;
  return {
    group: key,
    leader: leader === undefined ? null : { pod: leader.pod, node: leader.node, token: leader.token },
    leaderlessSeconds: leaderlessMs / 1000,
    transitions: count.transitions,
    lastHandover:
      last === null ? null : { atSeconds: Date.parse(last.time) / 1000, seconds: last.durationMilliseconds / 1000 },
  };
}

/** What the status shows of changes that were not counted yet; the first look only notes where counting begins. */
function countOn({ uid, status }: LeaderGroup, before: Counted | undefined): Counted {
  const recent = status?.recentTransitions ?? [];
  const newest = recent[0] ?? null;
  if (before?.uid !== uid) return { uid, newest, transitions: new Map() };
  const { newest: last } = before;
  const at = last === null ? -1 : recent.findIndex((each) => isSameTransition(each, last));
  const fresh = at < 0 ? recent : recent.slice(0, at);
  if (fresh.length === 0) return before;
  const transitions = new Map(before.transitions);
  for (const { reason } of fresh) transitions.set(reason, (transitions.get(reason) ?? 0) + 1);
  return { uid, newest, transitions };
}

/** Over the bound those with the lowest hash, so that nobody is told of twice, and a group that comes puts out one at most. */
function chosenOf(keys: readonly string[], limit: number): (key: string) => boolean {
  if (keys.length <= limit) return () => true;
  const ranked = keys
    .map((key) => ({ key, hash: hashOf(key) }))
    .toSorted((a, b) => a.hash - b.hash || (a.key < b.key ? -1 : 1));
  const chosen = new Set(ranked.slice(0, limit).map(({ key }) => key));
  return (key) => chosen.has(key);
}
