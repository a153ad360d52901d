/** What reads and writes of the route leave in memory. */
import type { MonotonicMs, WallMs } from '../../api/clocks.ts';
import type { AddressFamily, Slice, SliceContent } from '../../api/route.ts';
import { type Backoff, backoffMs } from '../../common/backoff.ts';
import { type RouteProblem, sameContent } from '../../election/route.ts';
import type { GroupMemory, RememberedRoute } from './memory.ts';
import { repairedAgain } from './refusals.ts';

export type RouteOutcome =
  | { readonly kind: 'routeRead'; readonly reading: RememberedRoute }
  /** As an answer to our own write has left it. `content`: as it was sent. */
  | {
      readonly kind: 'sliceWritten';
      readonly slice: Slice;
      readonly content: SliceContent;
      readonly atMs: MonotonicMs;
      readonly atWallMs: WallMs;
    }
  | { readonly kind: 'sliceGone'; readonly family: AddressFamily }
  /** It was deleted, and this is what stays of it. */
  | { readonly kind: 'sliceKept'; readonly slice: Slice }
  /** Emptied while the lock had this version (see fencingVersion). */
  | { readonly kind: 'sliceFenced'; readonly family: AddressFamily; readonly version: string | null }
  /** Somebody else has written it, or nobody knows what became of a write. */
  | { readonly kind: 'routeVoid' }
  | (Pick<RouteProblem, 'of' | 'message'> & {
      readonly kind: 'routeFailed';
      readonly how: RouteProblem['kind'];
      readonly atMs: MonotonicMs;
    })
  | { readonly kind: 'routeReported'; readonly reason: string };

export function ofRoute(memory: GroupMemory, outcome: RouteOutcome): GroupMemory {
  switch (outcome.kind) {
    case 'routeRead':
      return { ...done(memory, 'read'), route: outcome.reading };
    case 'sliceWritten':
      return written(memory, outcome);
    case 'sliceGone':
      return { ...done(memory, 'write'), route: withSlice(memory.route, outcome.family, null) };
    case 'sliceKept':
      return { ...memory, route: withSlice(memory.route, outcome.slice.family, outcome.slice) };
    case 'sliceFenced': {
      const { family, version } = outcome;
      const before = memory.slicesFenced.version === version ? memory.slicesFenced.families : [];
      return { ...memory, slicesFenced: { version, families: [...new Set([...before, family])] } };
    }
    case 'routeVoid':
      return { ...memory, route: null };
    case 'routeFailed':
      return failed(memory, outcome);
    case 'routeReported':
      return { ...memory, reportedRoute: outcome.reason };
  }
}

/** That something can be read does not say that it can be written: each is counted by itself, so that whoever tries both in turn comes to an end. */
const done = ({ routeProblem, routeFailures, ...memory }: GroupMemory, of: RouteProblem['of']): GroupMemory => ({
  ...memory,
  routeProblem: routeProblem?.of === of ? null : routeProblem,
  routeFailures: { ...routeFailures, [of]: 0 },
});

function written(
  memory: GroupMemory,
  { slice, content, atMs, atWallMs }: Extract<RouteOutcome, { kind: 'sliceWritten' }>,
): GroupMemory {
  const { family } = slice;
  const before = memory.slicesWritten.get(family);
  const same = before !== undefined && sameContent(before.content, content);
  const repairs = same ? repairedAgain(before.repairs ?? undefined, atMs, atWallMs) : null;
  return {
    ...done(memory, 'write'),
    route: withSlice(memory.route, family, slice),
    slicesWritten: new Map(memory.slicesWritten).set(family, { slice, content, repairs }),
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
};

/** Since its pause is over: by then whatever it kept from being written has been written, or need not be. */
const FORGOTTEN_MS = 60_000;

/** What keeps the operator from the route, as far as is known; null: nothing, or so long ago that it says nothing any more. */
export const standingProblem = ({ routeProblem }: GroupMemory, nowMs: MonotonicMs): RouteProblem | null =>
  routeProblem === null || nowMs - routeProblem.retryAtMs >= FORGOTTEN_MS ? null : routeProblem;

function failed(
  memory: GroupMemory,
  { of, how, message, atMs }: Extract<RouteOutcome, { kind: 'routeFailed' }>,
): GroupMemory {
  const before = standingProblem(memory, atMs) === null ? { read: 0, write: 0 } : memory.routeFailures;
  const count = before[of] + 1;
  return {
    ...memory,
    routeFailures: { ...before, [of]: count },
    routeProblem: { of, kind: how, message, count, retryAtMs: atMs + backoffMs(count, PAUSES[how]) },
  };
}
