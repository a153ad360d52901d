/** What reads and writes of the route leave in memory. */
import type { MonotonicMs, WallMs } from '../../api/clocks.ts';
import type { AddressFamily, Slice, SliceContent } from '../../api/route.ts';
import { type Backoff, backoffMs } from '../../common/backoff.ts';
import { sameContent } from '../../election/route.ts';
import type { RouteProblem } from '../../election/route-view.ts';
import type { GroupMemory, RememberedRoute, Repairs } from './memory.ts';
import { repairedAgain } from './refusals.ts';

export type RouteOutcome =
  | { readonly kind: 'routeRead'; readonly reading: RememberedRoute }
  | { readonly kind: 'othersRead'; readonly foreign: RememberedRoute['foreign']; readonly againAtMs: MonotonicMs }
  /** As an answer to our own write has left it. `content`: as it was sent. `made`: it was not there. `toGo`: it was emptied to be deleted. */
  | {
      readonly kind: 'sliceWritten';
      readonly made: boolean;
      readonly toGo: boolean;
      readonly slice: Slice;
      readonly content: SliceContent;
      readonly atMs: MonotonicMs;
      readonly atWallMs: WallMs;
    }
  | { readonly kind: 'sliceGone'; readonly family: AddressFamily }
  /** By a request of our own. */
  | {
      readonly kind: 'sliceRemoved';
      readonly family: AddressFamily;
      readonly atMs: MonotonicMs;
      readonly atWallMs: WallMs;
    }
  /** It was deleted, and this is what stays of it. */
  | { readonly kind: 'sliceKept'; readonly slice: Slice }
  /** Emptied while the lock had this version (see fencingVersion). */
  | { readonly kind: 'sliceFenced'; readonly family: AddressFamily; readonly version: string | null }
  /** Nobody knows what became of a read or a write. */
  | { readonly kind: 'routeVoid' }
  /** Somebody else has written it since it was read. `message`: for people, where that has happened too often in a row. */
  | {
      readonly kind: 'sliceConflict';
      readonly family: AddressFamily;
      readonly message: string;
      readonly atMs: MonotonicMs;
      readonly atWallMs: WallMs;
    }
  | (Pick<RouteProblem, 'of' | 'message'> & {
      readonly kind: 'routeFailed';
      readonly how: RouteProblem['kind'];
      readonly atMs: MonotonicMs;
    })
  | { readonly kind: 'routeReported'; readonly reason: string };

/** It is the first look at them: another one comes within a minute. */
const withOthers = (
  route: RememberedRoute,
  { foreign, againAtMs }: Extract<RouteOutcome, { readonly kind: 'othersRead' }>,
): RememberedRoute => ({ ...route, foreign, againAtMs: Math.min(route.againAtMs, againAtMs), calm: false });

export function ofRoute(memory: GroupMemory, outcome: RouteOutcome): GroupMemory {
  switch (outcome.kind) {
    case 'routeRead':
      return { ...done(memory, 'read'), route: outcome.reading };
    case 'othersRead':
      return { ...memory, route: memory.route && withOthers(memory.route, outcome) };
    case 'sliceWritten':
      return written(memory, outcome);
    case 'sliceGone':
      return gone(memory, outcome.family);
    case 'sliceRemoved':
      return { ...gone(memory, outcome.family), slicesRemoved: oneMore(memory.slicesRemoved, outcome.family, outcome) };
    case 'sliceKept':
      return { ...memory, route: withSlice(memory.route, outcome.slice.family, outcome.slice) };
    case 'sliceFenced': {
      const { family, version } = outcome;
      const before = memory.slicesFenced.version === version ? memory.slicesFenced.families : [];
      return { ...memory, slicesFenced: { version, families: [...new Set([...before, family])] } };
    }
    case 'routeVoid':
      return { ...memory, route: null };
    case 'sliceConflict':
      return conflicted(memory, outcome);
    case 'routeFailed':
      return failed(memory, outcome);
    case 'routeReported':
      return { ...memory, reportedRoute: outcome.reason };
  }
}

/**
 * That something can be read does not say that it can be written, nor one slice that another can, nor one that is gone that it can be made anew: each is counted by
 * itself, so that whoever tries them in turn comes to an end.
 */
const done = (memory: GroupMemory, of: RouteProblem['of']): GroupMemory => ({
  ...memory,
  routeProblems: without(memory.routeProblems, of),
  sliceConflicts: of === 'read' ? memory.sliceConflicts : without(memory.sliceConflicts, of),
});

const without = <Key, Value>(map: ReadonlyMap<Key, Value>, key: Key): ReadonlyMap<Key, Value> =>
  map.has(key) ? new Map([...map].filter(([each]) => each !== key)) : map;

const gone = (memory: GroupMemory, family: AddressFamily): GroupMemory => ({
  ...memory,
  route: withSlice(memory.route, family, null),
});

const oneMore = (
  repairs: ReadonlyMap<AddressFamily, Repairs>,
  family: AddressFamily,
  { atMs, atWallMs }: { readonly atMs: MonotonicMs; readonly atWallMs: WallMs },
): ReadonlyMap<AddressFamily, Repairs> =>
  new Map(repairs).set(family, repairedAgain(repairs.get(family), atMs, atWallMs));

function written(
  memory: GroupMemory,
  { slice, content, made, toGo, atMs, atWallMs }: Extract<RouteOutcome, { kind: 'sliceWritten' }>,
): GroupMemory {
  const { family } = slice;
  const before = memory.slicesWritten.get(family);
  const same = before !== undefined && sameContent(before.content, content);
  const repairs = same ? repairedAgain(before.repairs ?? undefined, atMs, atWallMs) : null;
  return {
    ...(toGo ? memory : done(memory, family)),
    route: withSlice(memory.route, family, slice),
    slicesWritten: new Map(memory.slicesWritten).set(family, { slice, content, repairs }),
    // The first of its kind is nobody's doing.
    slicesMade:
      made && before !== undefined ? oneMore(memory.slicesMade, family, { atMs, atWallMs }) : memory.slicesMade,
  };
}

const withSlice = (
  reading: RememberedRoute | null,
  family: AddressFamily,
  slice: Slice | null,
): RememberedRoute | null => (reading === null ? null : { ...reading, slices: { ...reading.slices, [family]: slice } });

/** What was refused may be allowed at any moment, and nothing tells of it; who does not answer may do so soon. */
const PAUSES: Readonly<Record<RouteProblem['kind'], Backoff>> = {
  denied: { firstMs: 5000, lastMs: 30_000 },
  refused: { firstMs: 5000, lastMs: 30_000 },
  silent: { firstMs: 500, lastMs: 30_000 },
  contested: { firstMs: 500, lastMs: 5000 },
};

/** Since its pause is over: by then whatever it kept from being written has been written, or need not be. */
const FORGOTTEN_MS = 60_000;

/** What keeps the operator from the route, as far as is known, and not so long ago that it says nothing any more. */
export const standingProblems = ({ routeProblems }: GroupMemory, nowMs: MonotonicMs): readonly RouteProblem[] =>
  [...routeProblems.values()].filter(({ retryAtMs }) => nowMs - retryAtMs < FORGOTTEN_MS);

function failed(
  memory: GroupMemory,
  { of, how, message, atMs }: Omit<Extract<RouteOutcome, { kind: 'routeFailed' }>, 'kind'>,
): GroupMemory {
  const before = standingProblems(memory, atMs).find((problem) => problem.of === of)?.count ?? 0;
  const count = before + 1;
  const problem = { of, kind: how, message, count, retryAtMs: atMs + backoffMs(count, PAUSES[how]) };
  return { ...memory, routeProblems: new Map(memory.routeProblems).set(of, problem) };
}

/** After so many conflicts in a row a slice is left alone for a while. */
const CONFLICTS = 5;

function conflicted(
  memory: GroupMemory,
  { family, message, atMs, atWallMs }: Extract<RouteOutcome, { kind: 'sliceConflict' }>,
): GroupMemory {
  const sliceConflicts = oneMore(memory.sliceConflicts, family, { atMs, atWallMs });
  const known = { ...memory, route: null, sliceConflicts };
  return (sliceConflicts.get(family)?.count ?? 0) < CONFLICTS
    ? known
    : failed(known, { of: family, how: 'contested', message, atMs });
}

/** Monotonic milliseconds at which a slice that was left alone is tried again, which is to be read then: its version is another one by then. */
export const leftAloneUntilMs = (memory: GroupMemory, nowMs: MonotonicMs): readonly MonotonicMs[] =>
  [...memory.routeProblems.values()]
    .filter(({ kind, retryAtMs }) => kind === 'contested' && nowMs < retryAtMs)
    .map(({ retryAtMs }) => retryAtMs);
